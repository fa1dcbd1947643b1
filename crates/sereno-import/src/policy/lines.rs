//! Entries of one family as rules.

use crate::entry::{Entry, Verdict, Way};
use crate::matching::{Match, Span, state};
use crate::remark::{Notes, Place, Remark};
use sereno_core::gate::policy::{Deed, Rule, WORLD, What, Who};
use sereno_core::gate::{Family, Name, PortRange, Proto};

/// A rule in the making.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) rule: Rule,
    /// What is written behind it.
    pub(crate) why: String,
    pub(crate) place: Place,
    pub(crate) text: String,
    /// It is about all that no other rule is about.
    pub(crate) last: bool,
    /// It is about everybody but somebody, of one family.
    pub(crate) all_but: bool,
}

/// ICMP and ICMPv6.
const ICMP: [u8; 2] = [1, 58];

/// The rules, in their order. What cannot be one is told.
pub(super) fn lines(way: Way, notes: &mut Notes) -> Vec<Made> {
    let Way { entries, mut rest } = way;
    replies(&entries, rest, notes);
    let mut seen: Vec<&Entry> = Vec::new();
    let mut over: Vec<(&Entry, bool)> = Vec::new();
    let mut made: Vec<Made> = Vec::new();
    let mut closed = None;
    let mut ended = None;
    for entry in &entries {
        let earlier = seen.iter().find(|seen| seen.matching.covers(&entry.matching));
        if let Some(place) = ended.or(earlier.map(|seen: &&Entry| seen.place)) {
            notes.say(entry.place, &entry.text, Remark::Unreached(place));
            continue;
        }
        if entry.matching.over && entry.verdict != Verdict::Accept {
            over.push((entry, false));
            continue;
        }
        if entry.matching.odd.is_empty() && !entry.matching.over {
            seen.push(entry);
        }
        if entry.matching.is_all() {
            rest = entry.verdict;
            ended = Some(entry.place);
        } else if let Some(on) =
            entry.matching.only_on().filter(|on| *on != "lo" && entry.verdict != Verdict::Accept)
        {
            closed = Some((on.to_owned(), entry, made.len()));
            made.extend(rule(entry, None, notes));
        } else {
            made.extend(rule(entry, slowed(&mut over, entry).as_ref(), notes));
        }
    }
    for (entry, _) in over.into_iter().filter(|(_, used)| !used) {
        notes.say(entry.place, &entry.text, condition(entry));
    }
    end(rest, closed, entries.last(), &mut made, notes);
    made
}

/// What becomes of what no rule is about. Where all but an interface is left open, shutting that one
/// was meant to shut the machine.
fn end(
    rest: Verdict,
    closed: Option<(String, &Entry, usize)>,
    last: Option<&Entry>,
    made: &mut Vec<Made>,
    notes: &mut Notes,
) {
    let place = last.map_or(Place { source: 0, line: 1 }, |entry| entry.place);
    let put = |deed, from| {
        let rule = plain(deed, vec![What::All], from);
        Made { rule, why: String::new(), place, text: String::new(), last: true, all_but: false }
    };
    match (rest, closed) {
        (Verdict::Accept, Some((on, entry, at))) if at + 1 == made.len() => {
            made.pop();
            notes.say(entry.place, &entry.text, Remark::OnlyOn(on.clone()));
            notes.say(entry.place, &entry.text, Remark::Closed(on));
            if entry.verdict == Verdict::Reject {
                made.push(put(Deed::Reject, world()));
            }
        }
        (Verdict::Accept, _) => {
            notes.say_of_all(Remark::OpenByDefault);
            made.push(put(Deed::Allow, Who::Anybody));
        }
        (Verdict::Reject, _) => made.push(put(Deed::Reject, world())),
        (Verdict::Drop, _) => {}
    }
}

fn world() -> Who {
    let zones = Name::new(WORLD).into_iter().collect();
    Who::Those { zones, networks: Vec::new() }
}

/// Looks for the rule that lets in what is under way: it is the first to be asked, or every packet of a
/// call asks all before it.
fn replies(entries: &[Entry], rest: Verdict, notes: &mut Notes) {
    let mut others = 0;
    for entry in entries {
        if is_replies(entry) {
            if others > 1 {
                notes.say(entry.place, &entry.text, Remark::RepliesLate(others));
            }
            return;
        }
        others += usize::from(entry.matching.on.as_deref() != Some("lo"));
    }
    let shut = |entry: &Entry| {
        let wide = entry.matching.is_all() || entry.matching.only_on().is_some();
        wide && entry.verdict != Verdict::Accept
    };
    if rest != Verdict::Accept || entries.iter().any(shut) {
        notes.say_of_all(Remark::NoReplies);
    }
}

fn is_replies(entry: &Entry) -> bool {
    let going = state::ESTABLISHED | state::RELATED;
    let states = entry.matching.states;
    entry.verdict == Verdict::Accept && states & !going == 0 && states & state::ESTABLISHED != 0
}

/// The rate that an entry before this one set for what it lets in.
fn slowed(over: &mut [(&Entry, bool)], entry: &Entry) -> Option<Entry> {
    let about = |one: &Match| Match {
        rate: None,
        limit: None,
        over: false,
        states: state::ANY,
        ..one.clone()
    };
    let wanted = about(&entry.matching);
    if entry.verdict != Verdict::Accept {
        return None;
    }
    let (found, used) = over.iter_mut().find(|(over, _)| {
        let limits = about(&over.matching);
        over.matching.odd.is_empty() && limits.covers(&wanted) && limits.ports == wanted.ports
    })?;
    *used = true;
    Some((*found).clone())
}

fn condition(entry: &Entry) -> Remark {
    let mut words = entry.matching.odd.clone();
    if entry.matching.over || entry.matching.rate.is_some() || entry.matching.limit.is_some() {
        words.push(entry.like.clone().unwrap_or_else(|| "limit".to_owned()));
    }
    if entry.matching.states & state::NEW == 0 {
        words.push("state".to_owned());
    }
    if let Some(icmp) = entry.matching.icmp {
        words.push(format!("icmp {icmp}"));
    }
    Remark::Condition { words: words.join(", "), opens: entry.verdict != Verdict::Accept }
}

/// An entry as a rule; `None` if the gate does it by itself, or nobody can. `over` is what slowed down
/// the same packets before.
fn rule(entry: &Entry, over: Option<&Entry>, notes: &mut Notes) -> Option<Made> {
    let matching = &entry.matching;
    let lets_in = entry.verdict == Verdict::Accept;
    let mut say = |remark| notes.say(entry.place, &entry.text, remark);
    if matching.on.as_deref() == Some("lo") {
        if !lets_in {
            say(Remark::Needed);
        }
        return None;
    }
    if is_lease(matching) && lets_in || is_replies(entry) {
        return None;
    }
    // The kernel takes no such header (RFC 5095).
    if matching.odd == ["-m rt", "--rt-type 0"] && !lets_in {
        return None;
    }
    let unseen = state::INVALID | state::UNTRACKED;
    if matching.states & !unseen == 0 && !lets_in {
        return None;
    }
    let counted = matching.rate.is_some() || matching.limit.is_some();
    let odd = !matching.odd.is_empty() || matching.over || counted && !lets_in;
    let Some(what) = about(matching).filter(|_| !odd && matching.states & state::NEW != 0) else {
        let needed = matching.icmp.is_some_and(|icmp| is_needed(matching.family, icmp));
        match (needed, lets_in) {
            (true, true) => {}
            (true, false) => say(Remark::Needed),
            (false, _) => say(condition(entry)),
        }
        return None;
    };
    let from = matching
        .from
        .clone()
        .map_or(Who::Anybody, |networks| Who::Those { zones: Vec::new(), networks });
    let deed = match entry.verdict {
        Verdict::Accept => Deed::Allow,
        Verdict::Drop => Deed::Drop,
        Verdict::Reject => Deed::Reject,
    };
    let mut rule = plain(deed, what, from);
    rule.on = matching.on.iter().cloned().collect();
    rule.to = matching.to.clone().unwrap_or_default();
    for one in [Some(entry), over].into_iter().flatten() {
        slow(&mut rule, entry, one, notes);
    }
    Some(Made {
        rule,
        why: entry.comment.clone(),
        place: entry.place,
        text: entry.text.clone(),
        last: false,
        all_but: matching.all_but,
    })
}

/// Has a rule let in no more than an entry says.
fn slow(rule: &mut Rule, entry: &Entry, one: &Entry, notes: &mut Notes) {
    rule.rate = rule.rate.or(one.matching.rate);
    rule.limit = rule.limit.or(one.matching.limit);
    if one.shared && (one.matching.rate.is_some() || one.matching.limit.is_some()) {
        notes.say(entry.place, &entry.text, Remark::PerSource);
    }
    if let Some(like) = &one.like {
        notes.say(one.place, &one.text, Remark::Rate(like.clone()));
    }
}

/// A rule with nothing but these.
pub(crate) fn plain(deed: Deed, what: Vec<What>, from: Who) -> Rule {
    Rule {
        text: String::new(),
        deed,
        what,
        from,
        on: Vec::new(),
        to: Vec::new(),
        toward: Who::Anybody,
        rate: None,
        limit: None,
        until: None,
    }
}

/// What a rule is about; `None` if that is no rule's matter.
fn about(matching: &Match) -> Option<Vec<What>> {
    let Some(number) = matching.proto else {
        return matching.ports.is_none().then(|| vec![What::All]);
    };
    if ICMP.contains(&number) {
        let ping = if matching.family == Family::V4 { 8 } else { 128 };
        return match matching.icmp {
            None => Some(vec![What::Protocol(number)]),
            Some(icmp) if icmp == ping => Some(vec![What::Ping]),
            Some(_) => None,
        };
    }
    let Some(proto) = Proto::of(number) else {
        return matching.ports.is_none().then(|| vec![What::Protocol(number)]);
    };
    let spans: &[Span] = matching.ports.as_deref().unwrap_or(&[(0, u16::MAX)]);
    let range = |(first, last): &Span| PortRange::new(proto, *first, *last).map(What::Ports);
    let mut what: Vec<What> = spans.iter().map(range).collect::<Option<_>>()?;
    what.sort_unstable();
    what.dedup();
    Some(what)
}

/// Types of ICMP that the gate lets in by itself, and answers to what this machine asked.
fn is_needed(family: Family, icmp: u8) -> bool {
    match family {
        Family::V4 => [0, 3, 11, 12].contains(&icmp),
        Family::V6 => (1..=4).contains(&icmp) || (129..=153).contains(&icmp),
    }
}

/// The answer of who lends addresses.
fn is_lease(matching: &Match) -> bool {
    let port = |port| matching.ports.as_deref() == Some(&[(port, port)]);
    let known = |odd: &String| odd.starts_with("--sport") || odd.starts_with("--source-port");
    matching.proto == Some(17) && (port(68) || port(546)) && matching.odd.iter().all(known)
}
