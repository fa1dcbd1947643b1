//! csf: `csf.conf` with its ports, `csf.allow` and `csf.deny`.
//!
//! The format is that of its readme: `KEY = "value"`, and lines such as `192.0.2.1` or
//! `tcp|in|d=22|s=192.0.2.1`, in which `_` stands between the ends of a range.

use crate::entry::{Entry, Verdict, Way};
use crate::matching::{Match, Span};
use crate::policy::Outward;
use crate::remark::{Notes, Place, Remark};
use crate::{Imported, Source, policy};
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::Rate;
use sereno_core::gate::{Family, Proto};
use std::collections::BTreeMap;
use std::time::Duration;

/// Options that a policy has nothing for; those that shut somebody out are marked.
const BEYOND: [(&str, bool); 13] = [
    ("CC_DENY", true),
    ("CC_DENY_PORTS", true),
    ("CC_ALLOW", false),
    ("CC_ALLOW_PORTS", false),
    ("CC_ALLOW_FILTER", true),
    ("CC_ALLOW_SMTPAUTH", false),
    ("GLOBAL_ALLOW", false),
    ("GLOBAL_DENY", true),
    ("DYNDNS", false),
    ("PORTKNOCKING", false),
    ("SYNFLOOD", true),
    ("UDPFLOOD", true),
    ("SMTP_BLOCK", true),
];

/// What an entry of a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    In,
    Out,
    Both,
}

/// An option, and where it stands.
type Option_<'a> = (Place, &'a str, &'a str);

struct Reader<'a> {
    options: BTreeMap<&'a str, Option_<'a>>,
    notes: Notes,
}

/// Reads the files of csf, each known by the end of its name: `csf.conf`, `csf.allow`, `csf.deny`,
/// `csf.ignore`.
#[must_use]
pub fn csf(sources: &[Source<'_>]) -> Imported {
    let named = |end: &str| {
        let mut found = sources.iter().enumerate();
        found.find(|(_, source)| source.name.ends_with(end)).map(|(at, source)| (at, source.text))
    };
    let mut reader = Reader { options: BTreeMap::new(), notes: Notes::default() };
    if let Some((at, text)) = named("csf.conf") {
        reader.options(at, text);
    }
    reader.beyond();
    let mut lists = Vec::new();
    for (name, verdict) in [("csf.allow", Verdict::Accept), ("csf.deny", Verdict::Drop)] {
        if let Some((at, text)) = named(name) {
            lists.extend(reader.list(at, text, verdict));
        }
    }
    let of = |side: Side| {
        let about = lists.iter().filter(move |(_, about)| [side, Side::Both].contains(about));
        about.map(|(entry, _)| entry.clone()).collect::<Vec<Entry>>()
    };
    let (comes, leaves) = (of(Side::In), of(Side::Out).into_iter().map(away).collect::<Vec<_>>());
    if let Some((at, text)) = named("csf.ignore") {
        let lines = text.lines().enumerate();
        for (line, text) in lines.filter(|(_, text)| !bare(text).is_empty()) {
            let remark = Remark::List(format!("ignoreip = [\"{}\"]", bare(text)));
            reader.notes.say(Place { source: at, line: line + 1 }, text, remark);
        }
    }
    let v4 = Some(reader.way(Family::V4, &comes));
    let v6 = reader.is_on("IPV6").then(|| reader.way(Family::V6, &comes));
    let six = v6.is_some();
    let out = Family::BOTH.map(|family| {
        let read = family == Family::V4 || six;
        read.then(|| reader.outward(family, &leaves)).flatten()
    });
    if out.iter().all(Option::is_none) {
        // Nothing else says what may leave.
        let own = lists.iter().filter(|(_, side)| *side == Side::Out);
        own.for_each(|(entry, _)| reader.notes.say(entry.place, &entry.text, Remark::Outgoing));
    }
    policy::compose(v4, v6, out, reader.notes)
}

fn bare(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

impl<'a> Reader<'a> {
    fn options(&mut self, source: usize, text: &'a str) {
        for (line, text) in text.lines().enumerate() {
            let Some((key, value)) =
                text.split_once('=').filter(|_| !text.trim_start().starts_with('#'))
            else {
                continue;
            };
            let value = value.trim().trim_matches('"').trim();
            let place = Place { source, line: line + 1 };
            self.options.insert(key.trim(), (place, text, value));
        }
    }

    fn value(&self, key: &str) -> &'a str {
        self.options.get(key).map_or("", |(_, _, value)| value)
    }

    fn is_on(&self, key: &str) -> bool {
        self.value(key) == "1"
    }

    /// Says which options have no place in a policy.
    fn beyond(&mut self) {
        for (key, opens) in BEYOND {
            if let Some((place, text, value)) = self.options.get(key).copied()
                && !["", "0"].contains(&value)
            {
                let words = format!("{key} = {value}");
                self.notes.say(place, text, Remark::Condition { words, opens });
            }
        }
        if let Some((place, text, _)) =
            self.options.get("TESTING").copied().filter(|(.., value)| *value == "1")
        {
            self.notes.say(place, text, Remark::Off);
        }
    }

    /// What a family's packets meet.
    fn way(&mut self, family: Family, lists: &[Entry]) -> Way {
        let mut entries: Vec<Entry> =
            lists.iter().filter(|entry| entry.matching.family == family).cloned().collect();
        if let Some((place, text, value)) = self.options.get("ETH_DEVICE_SKIP").copied() {
            for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let matching = Match { on: Some(name.to_owned()), ..Match::new(family) };
                entries.push(entry(matching, Verdict::Accept, place, text));
            }
        }
        let six = if family == Family::V6 { "6" } else { "" };
        for proto in [Proto::Tcp, Proto::Udp] {
            let key = format!("{}{six}_IN", proto.as_str().to_uppercase());
            if let Some((place, text, value)) = self.options.get(key.as_str()).copied() {
                for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    match span(part, ':') {
                        Some(ports) => {
                            // The first line that is about a port decides.
                            let all = self.slowed(ports).into_iter().chain([ports]);
                            entries.extend(
                                all.map(|span| self.open(family, proto, span, place, text)),
                            );
                        }
                        None => self.notes.say(place, text, Remark::Word(part.to_owned())),
                    }
                }
            }
        }
        if let Some((place, text, _)) =
            self.options.get("ICMP_IN").copied().filter(|_| self.is_on("ICMP_IN"))
        {
            let (proto, icmp) = if family == Family::V4 { (1, 8) } else { (58, 128) };
            let matching = Match { proto: Some(proto), icmp: Some(icmp), ..Match::new(family) };
            entries.push(entry(matching, Verdict::Accept, place, text));
        }
        // It lets in what is under way before all else.
        let going = crate::matching::state::ESTABLISHED | crate::matching::state::RELATED;
        let replies = Match { states: going, ..Match::new(family) };
        entries.insert(0, entry(replies, Verdict::Accept, Place { source: 0, line: 1 }, ""));
        let rest = if self.value("DROP") == "REJECT" { Verdict::Reject } else { Verdict::Drop };
        Way { entries, rest }
    }

    /// What a family's packets meet that leave; `None` where nothing says it.
    fn outward(&mut self, family: Family, lists: &[Entry]) -> Option<Outward> {
        let of_family = lists.iter().filter(|entry| entry.matching.family == family);
        let mut entries: Vec<Entry> = of_family.cloned().collect();
        let six = if family == Family::V6 { "6" } else { "" };
        let (mut first, mut whole) = (None, true);
        for proto in [Proto::Tcp, Proto::Udp] {
            let key = format!("{}{six}_OUT", proto.as_str().to_uppercase());
            let Some((place, text, value)) = self.options.get(key.as_str()).copied() else {
                continue;
            };
            first.get_or_insert((place, text.to_owned()));
            let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
            let spans: Option<Vec<Span>> = parts.map(|part| span(part, ':')).collect();
            whole &= spans.is_some();
            for span in spans.into_iter().flatten() {
                let (proto, ports) = (Some(proto.number()), Some(vec![span]));
                let matching = Match { proto, ports, ..Match::new(family) };
                entries.push(entry(matching, Verdict::Accept, place, text));
            }
        }
        let first = first?;
        // Pings leave, unless it says otherwise.
        if self.value("ICMP_OUT") != "0" {
            let (proto, icmp) = if family == Family::V4 { (1, 8) } else { (58, 128) };
            let matching = Match { proto: Some(proto), icmp: Some(icmp), ..Match::new(family) };
            entries.push(entry(matching, Verdict::Accept, first.0, &first.1));
        }
        Some(Outward { way: Way { entries, rest: Verdict::Drop }, first, whole })
    }

    /// The parts of a range that options are about which are about less than it.
    fn slowed(&self, ports: Span) -> Vec<Span> {
        let parts = ["CONNLIMIT", "PORTFLOOD"].map(|key| self.value(key).split(','));
        let spans = parts
            .into_iter()
            .flatten()
            .filter_map(|part| span(part.split(';').next()?.trim(), ':'));
        let inside = spans.filter(|one| *one != ports && ports.0 <= one.0 && one.1 <= ports.1);
        let mut inside: Vec<Span> = inside.collect();
        inside.sort_unstable();
        inside.dedup();
        inside
    }

    /// Ports that are open, as slowly as other options say.
    fn open(
        &mut self,
        family: Family,
        proto: Proto,
        ports: Span,
        place: Place,
        text: &str,
    ) -> Entry {
        let mut matching =
            Match { proto: Some(proto.number()), ports: Some(vec![ports]), ..Match::new(family) };
        let of = |key: &str| self.options.get(key).copied();
        let about = |part: &str| span(part, ':').filter(|one| *one == ports);
        // PORT;COUNT
        for part in of("CONNLIMIT").into_iter().flat_map(|(.., value)| value.split(',')) {
            if let [port, count] = part.split(';').map(str::trim).collect::<Vec<_>>()[..]
                && proto == Proto::Tcp
                && about(port).is_some()
            {
                matching.limit = count.parse().ok().filter(|count| *count > 0);
            }
        }
        // PORT;PROTOCOL;COUNT;SECONDS
        let mut like = None;
        for part in of("PORTFLOOD").into_iter().flat_map(|(.., value)| value.split(',')) {
            if let [port, name, count, seconds] =
                part.split(';').map(str::trim).collect::<Vec<_>>()[..]
                && name == proto.as_str()
                && about(port).is_some()
                && let (Ok(burst @ 1..), Ok(seconds @ 1..)) =
                    (count.parse::<u32>(), seconds.parse::<u64>())
            {
                let hourly = (u64::from(burst) * 3600 / seconds).clamp(1, 1 << 20) as u32;
                let per = Duration::from_secs(3600);
                matching.rate = Some(Rate { count: hourly, per, burst });
                like = Some(format!("PORTFLOOD {part}"));
            }
        }
        Entry { like, ..entry(matching, Verdict::Accept, place, text) }
    }

    /// The lines of a list.
    fn list(&mut self, source: usize, text: &str, verdict: Verdict) -> Vec<(Entry, Side)> {
        let mut entries = Vec::new();
        for (line, text) in text.lines().enumerate() {
            let place = Place { source, line: line + 1 };
            let said = bare(text);
            if said.is_empty() {
                continue;
            }
            match matching(said, verdict) {
                Ok((matching, side)) => {
                    let comment = text.split_once('#').map_or("", |(_, comment)| comment).trim();
                    let comment = comment.to_owned();
                    let entry = Entry { comment, ..entry(matching, verdict, place, text) };
                    entries.push((entry, side));
                }
                Err(remark) => self.notes.say(place, text, remark),
            }
        }
        entries
    }
}

fn entry(matching: Match, verdict: Verdict, place: Place, text: &str) -> Entry {
    Entry {
        matching,
        verdict,
        comment: String::new(),
        shared: false,
        like: None,
        place,
        text: text.to_owned(),
    }
}

fn span(text: &str, between: char) -> Option<Span> {
    let (first, last) = text.split_once(between).unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// An entry of a list as it is about what leaves: a network alone is the other end, whichever way.
fn away(entry: Entry) -> Entry {
    let Match { from, to, .. } = entry.matching.clone();
    match (from, to) {
        (Some(network), None) => {
            let matching = Match { from: None, to: Some(network), ..entry.matching };
            Entry { matching, ..entry }
        }
        _ => entry,
    }
}

/// A line of a list: a network, or its parts; and which way it is about.
fn matching(line: &str, verdict: Verdict) -> Result<(Match, Side), Remark> {
    let unknown = |word: &str| Remark::Word(word.to_owned());
    if let Ok(network) = line.parse::<Prefix>() {
        let found = Match { from: Some(vec![network]), ..Match::new(Family::of(network)) };
        return Ok((found, Side::Both));
    }
    if !line.contains('|') {
        return Err(unknown(line));
    }
    let (mut found, mut way) = (Match::new(Family::V4), Side::In);
    for part in line.split('|').map(str::trim) {
        match part.split_once('=') {
            None if part == "in" => {}
            None if part == "out" => way = Side::Out,
            None => match part.parse::<Proto>() {
                Ok(proto) => found.proto = Some(proto.number()),
                Err(_) => return Err(unknown(part)),
            },
            Some(("s" | "d", value)) if value.contains(['.', ':']) => {
                let network: Prefix = value.parse().map_err(|_| unknown(value))?;
                found.family = Family::of(network);
                let side = if part.starts_with('s') { &mut found.from } else { &mut found.to };
                *side = Some(vec![network]);
            }
            Some(("d", value)) => {
                let spans: Option<Vec<Span>> = value.split(',').map(|one| span(one, '_')).collect();
                found.ports = Some(spans.ok_or_else(|| unknown(value))?);
            }
            Some(_) => {
                return Err(Remark::Condition {
                    words: part.to_owned(),
                    opens: verdict != Verdict::Accept,
                });
            }
        }
    }
    if found.ports.is_some() && found.proto.is_none() {
        // Without a word it is TCP.
        found.proto = Some(Proto::Tcp.number());
    }
    Ok((found, way))
}
