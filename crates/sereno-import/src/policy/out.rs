//! What may go out elsewhere, as lines of `out`.
//!
//! It is read as what comes in is, the other way round: where a packet goes stands for where one comes from.
//! A policy that shuts what was open, or opens what was shut, is worse here than none: all of it is taken
//! over, or nothing.

use super::families;
use super::lines::{self, Made};
use crate::entry::{Entry, Verdict, Way};
use crate::matching::Match;
use crate::remark::{Grade, Notes, Place, Remark, Told};
use sereno_core::gate::is_interface;
use sereno_core::gate::policy::{Deed, Rule, What, Who};

/// What a family's packets meet that leave.
#[derive(Clone, Debug)]
pub(crate) struct Outward {
    pub(crate) way: Way,
    /// Where the first line about that stands, and what it says.
    pub(crate) first: (Place, String),
    /// Whether everything was understood.
    pub(crate) whole: bool,
}

/// Targets that say what happened, and no more.
const LOGS: [&str; 4] = ["LOG", "NFLOG", "ULOG", "AUDIT"];

/// Whether something was left out that counts.
pub(crate) fn is_whole(told: &[Told]) -> bool {
    told.iter().all(|told| match &told.remark {
        Remark::Target(name) => LOGS.contains(&name.as_str()),
        Remark::OnlyOn(_) => false,
        other => other.grade() != Grade::Left,
    })
}

/// The lines of `out`; `None` where everything may leave, or where that cannot be said, which is told.
pub(super) fn leaving(outward: [Option<Outward>; 2], notes: &mut Notes) -> Option<Vec<Rule>> {
    let (place, text) = outward.iter().flatten().next()?.first.clone();
    rules(outward).unwrap_or_else(|Unsayable| {
        notes.say(place, &text, Remark::Outgoing);
        None
    })
}

/// Something has no words here.
struct Unsayable;

/// The lines; none where everything may leave.
fn rules(outward: [Option<Outward>; 2]) -> Result<Option<Vec<Rule>>, Unsayable> {
    let mut scratch = Notes::default();
    let mut both = Vec::new();
    for one in outward {
        let Some(Outward { way, whole, .. }) = one else {
            both.push(None);
            continue;
        };
        if !whole {
            return Err(Unsayable);
        }
        let Way { entries, rest } = way;
        let entries = entries.into_iter().filter(|entry| !asks_for_an_address(entry));
        let turned = Way { entries: entries.map(turned).collect(), rest };
        both.push(Some(lines::lines(turned, &mut scratch)));
    }
    let (v6, v4) = (both.pop().flatten(), both.pop().flatten());
    let mut made = families::merge(v4, v6);
    if !is_whole(&scratch.into_told()) || made.len() > super::MOST {
        return Err(Unsayable);
    }
    // What no line is about is refused as it is.
    made.pop_if(|made| made.last && made.rule.deed != Deed::Allow);
    let ends = made.last().is_some_and(|made| is_open(&made.rule));
    let shuts = made.iter().any(|made| made.rule.deed != Deed::Allow);
    if ends && !shuts {
        return Ok(None);
    }
    made.into_iter().map(rule).collect::<Option<_>>().map(Some).ok_or(Unsayable)
}

fn is_open(rule: &Rule) -> bool {
    let Rule { deed, what, from, on, to, .. } = rule;
    *deed == Deed::Allow
        && *what == [What::All]
        && from.is_anybody()
        && on.is_empty()
        && to.is_empty()
}

/// A line about what comes in as one about what goes out; `None` if it asks by which of its addresses this
/// machine sends, or how often.
fn rule(made: Made) -> Option<Rule> {
    let Made { rule, why, .. } = made;
    if !rule.to.is_empty() || rule.rate.is_some() || rule.limit.is_some() {
        return None;
    }
    let toward = rule.from.clone();
    Some(Rule { from: Who::Anybody, toward, ..rule }.written(&why))
}

/// The entry as if what leaves came in: from where it goes, by the interface by which it leaves.
fn turned(entry: Entry) -> Entry {
    let Match { from, to, odd, .. } = entry.matching.clone();
    let mut matching = Match { from: to, to: from, odd: Vec::new(), ..entry.matching };
    for words in odd {
        let name = ["-o ", "--out-interface "].iter().find_map(|option| words.strip_prefix(option));
        match name.filter(|name| is_interface(name) && matching.on.is_none()) {
            Some(name) => matching.on = Some(name.to_owned()),
            None if name == Some("+") => {}
            None => matching.odd.push(words),
        }
    }
    Entry { matching, ..entry }
}

/// The gate lets that out by itself.
fn asks_for_an_address(entry: &Entry) -> bool {
    let matching = &entry.matching;
    let port = |port| matching.ports.as_deref() == Some(&[(port, port)]);
    let known = |odd: &String| odd.starts_with("--sport") || odd.starts_with("--source-port");
    let asks = matching.proto == Some(17) && (port(67) || port(547));
    let from = !matching.odd.is_empty() && matching.odd.iter().all(known);
    entry.verdict == Verdict::Accept && asks && from
}

#[cfg(test)]
mod tests {
    use crate::{Imported, Remark, Source, csf, iptables, ufw};

    /// The lines of `out`, and whether it is told that they were left.
    fn found(imported: &Imported) -> (Option<Vec<&str>>, bool) {
        let out = imported.policy.out.as_ref();
        let lines = out.map(|rules| rules.iter().map(|rule| rule.text.as_str()).collect());
        (lines, imported.remarks.iter().any(|told| told.remark == Remark::Outgoing))
    }

    fn rules(lines: &str) -> Imported {
        let text = format!("*filter\n:INPUT DROP [0:0]\n{lines}COMMIT\n");
        iptables(&[Source { name: "rules.v4", text: &text }])
    }

    #[test]
    fn what_iptables_lets_out_is_taken_over_whole_or_not_at_all() {
        let shut = ":OUTPUT DROP [0:0]\n-A OUTPUT -o lo -j ACCEPT\n\
            -A OUTPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n\
            -A OUTPUT -p udp --sport 68 --dport 67 -j ACCEPT\n\
            -A OUTPUT -d 192.0.2.53/32 -p udp --dport 53 -m comment --comment names -j ACCEPT\n\
            -A OUTPUT -o eth1 -p tcp -m multiport --dports 80,443 -j ACCEPT\n\
            -A OUTPUT -p tcp --dport 25 -j REJECT\n-A OUTPUT -j LOG\n";
        let lines =
            ["allow udp/53 to 192.0.2.53   # names", "allow http, tcp/443 on eth1", "reject smtp"];
        assert_eq!(found(&rules(shut)), (Some(lines.to_vec()), false));
        // Who may is no line's matter.
        let by_user = format!("{shut}-A OUTPUT -m owner --uid-owner 0 -j ACCEPT\n");
        assert_eq!(found(&rules(&by_user)), (None, true));
        let by_source = format!("{shut}-A OUTPUT -s 192.0.2.1 -p tcp -j ACCEPT\n");
        assert_eq!(found(&rules(&by_source)), (None, true));
        // What is open stays so, and some of it may be shut.
        assert_eq!(found(&rules("-A OUTPUT -p tcp -j ACCEPT\n")), (None, false));
        let some = found(&rules("-A OUTPUT -p tcp --dport 25 -j DROP\n")).0.map(|l| l.join("; "));
        assert_eq!(some.as_deref(), Some("drop smtp; allow all"));
        assert_eq!(found(&rules(":OUTPUT DROP [0:0]\n")).0, Some(Vec::new()));
        assert_eq!(found(&rules("-A OUTPUT -o eth0 -j DROP\n")), (None, true));
    }

    #[test]
    fn where_one_family_may_send_everything_the_other_may_not() {
        let four = "*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n-A OUTPUT -p udp --dport 53 -j ACCEPT\nCOMMIT\n";
        let six = "*filter\n:INPUT DROP [0:0]\n-A OUTPUT -p tcp -j ACCEPT\nCOMMIT\n";
        let sources = [("rules.v4", four), ("rules.v6", six)];
        let imported = iptables(&sources.map(|(name, text)| Source { name, text }));
        let out = found(&imported).0.unwrap_or_default();
        assert!(out.contains(&"allow udp/53 to 0.0.0.0/0"), "{out:?}");
        assert_eq!(out.last(), Some(&"allow all to ::/0"), "{out:?}");
    }

    #[test]
    fn what_ufw_and_csf_let_out_is_taken_over() {
        let before = "*filter\n-A ufw-before-output -o lo -j ACCEPT\n\
            -A ufw-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
        let user = "*filter\n### tuple ### allow udp 53 0.0.0.0/0 any 0.0.0.0/0 out\n\
            -A ufw-user-output -p udp --dport 53 -j ACCEPT\nCOMMIT\n";
        let read = |policy: &str| {
            let setting = format!("IPV6=no\nDEFAULT_OUTPUT_POLICY=\"{policy}\"\n");
            let files =
                [("default/ufw", setting.as_str()), ("before.rules", before), ("user.rules", user)];
            ufw(&files.map(|(name, text)| Source { name, text }))
        };
        assert_eq!(found(&read("DROP")), (Some(vec!["allow udp/53"]), false));
        assert_eq!(found(&read("ACCEPT")), (None, false));
        let conf = "TCP_IN = \"22\"\nTCP_OUT = \"22,80:90\"\nUDP_OUT = \"53\"\nICMP_OUT = \"0\"\n";
        let allow =
            "192.0.2.7 # the office\ntcp|out|d=25|d=198.51.100.25\ntcp|in|d=3306|s=192.0.2.9\n";
        let read = |conf: &str| {
            let files = [("csf.conf", conf), ("csf.allow", allow), ("csf.deny", "203.0.113.9\n")];
            csf(&files.map(|(name, text)| Source { name, text }))
        };
        let lines = [
            "allow all to 192.0.2.7   # the office",
            "allow smtp to 198.51.100.25",
            "drop all to 203.0.113.9",
            "allow ssh",
            "allow tcp/80-90",
            "allow udp/53",
        ];
        assert_eq!(found(&read(conf)), (Some(lines.to_vec()), false));
        assert_eq!(found(&read("TCP_IN = \"22\"\n")), (None, true));
    }
}
