//! A rule of iptables: what it is about, and what it does with it.
//!
//! Options are those of iptables(8) and iptables-extensions(8).

use crate::matching::{Match, Span, all_but, other_ports, state};
use sereno_core::addr::Prefix;
use sereno_core::gate::list::networks;
use sereno_core::gate::policy::{Rate, Services, What};
use sereno_core::gate::{Family, Proto};
use std::net::IpAddr;
use std::time::Duration;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) matching: Match,
    /// `-j` or `-g`; `None` only counts.
    pub(super) target: Option<String>,
    /// Whether the target is gone to, and not come back from.
    pub(super) goes: bool,
    /// `--comment`.
    pub(super) comment: String,
    /// A rate for all sources together.
    pub(super) shared: bool,
    /// What counts like a rate, in other words.
    pub(super) like: Option<String>,
}

/// Modules whose options are read here.
const MODULES: [&str; 17] = [
    "tcp",
    "udp",
    "udplite",
    "sctp",
    "dccp",
    "multiport",
    "state",
    "conntrack",
    "comment",
    "limit",
    "hashlimit",
    "recent",
    "connlimit",
    "iprange",
    "icmp",
    "icmp6",
    "ipv6-icmp",
];

/// `--dport=22` and `-jDROP` as two words.
fn apart(word: &str) -> Vec<String> {
    let owned = |parts: [&str; 2]| parts.map(str::to_owned).to_vec();
    match word.split_once('=') {
        Some((option, value)) if option.starts_with("--") && !option.contains(' ') => {
            owned([option, value])
        }
        _ if word.len() > 2
            && word.is_char_boundary(2)
            && ["-j", "-s", "-d", "-p", "-i", "-g"].contains(&&word[..2]) =>
        {
            owned([&word[..2], &word[2..]])
        }
        _ => vec![word.to_owned()],
    }
}

/// Words of a rule that are read one after the other.
struct Reader<'w> {
    words: std::slice::Iter<'w, String>,
    spec: Spec,
    /// The numbers of a `recent`: seconds and hits, and whether it looks back.
    recent: (Option<u64>, Option<u32>, bool),
    burst: Option<u32>,
    rate: Option<(u32, Duration)>,
    /// `-m limit` stands there, with or without a number.
    limits: bool,
}

/// Reads what stands behind the chain's name.
///
/// # Errors
/// The word that means nothing.
pub(super) fn read(family: Family, words: &[String]) -> Result<Spec, String> {
    let spec = Spec {
        matching: Match::new(family),
        target: None,
        goes: false,
        comment: String::new(),
        shared: false,
        like: None,
    };
    let recent = (None, None, false);
    let apart: Vec<String> = words.iter().flat_map(|word| apart(word)).collect();
    let words = apart.iter();
    let mut reader = Reader { limits: false, words, spec, recent, burst: None, rate: None };
    while let Some(word) = reader.words.next() {
        let (not, option) =
            if word == "!" { (true, reader.value("!")?) } else { (false, word.clone()) };
        reader.option(&option, not)?;
    }
    reader.counted();
    Ok(reader.spec)
}

impl Reader<'_> {
    fn value(&mut self, option: &str) -> Result<String, String> {
        self.words.next().cloned().ok_or_else(|| option.to_owned())
    }

    /// The value of an option, and whether it is meant the other way round: `!` may stand before
    /// either.
    fn either(&mut self, option: &str, not: bool) -> Result<(bool, String), String> {
        let value = self.value(option)?;
        if value == "!" { Ok((!not, self.value(option)?)) } else { Ok((not, value)) }
    }

    fn option(&mut self, option: &str, not: bool) -> Result<(), String> {
        match option {
            "-p" | "--protocol" | "--proto" => {
                let (not, name) = self.either(option, not)?;
                self.proto(&name, not)?;
            }
            "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => {
                let (not, text) = self.either(option, not)?;
                self.addresses(option.starts_with("-s") || option.starts_with("--s"), &text, not);
            }
            "--src-range" | "--dst-range" => {
                let (not, text) = self.either(option, not)?;
                self.range(option == "--src-range", &text, not)?;
            }
            "-i" | "--in-interface" => {
                let (not, name) = self.either(option, not)?;
                let plain = sereno_core::gate::is_interface(&name);
                match not || !plain {
                    true if !not && name == "+" => {}
                    true => self.odd(option, not, &name),
                    false => self.spec.matching.on = Some(name),
                }
            }
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                let (not, text) = self.either(option, not)?;
                self.ports(&text, not)?;
            }
            "-m" | "--match" => {
                let name = self.value(option)?;
                self.limits |= name == "limit";
                // What others ask is known by their options, if they have any.
                if !MODULES.contains(&name.as_str()) {
                    self.odd("-m", not, &name);
                }
            }
            "--state" | "--ctstate" => {
                let (not, text) = self.either(option, not)?;
                self.states(&text, not);
            }
            "--icmp-type" | "--icmpv6-type" => {
                let (not, text) = self.either(option, not)?;
                self.icmp(option, &text, not);
            }
            "--syn" if !not => self.spec.matching.states &= state::NEW,
            "--syn" => self.odd(option, not, ""),
            "--tcp-flags" => {
                let (mask, set) = (self.value(option)?, self.value(option)?);
                if !not && set == "SYN" && mask.contains("SYN") {
                    self.spec.matching.states &= state::NEW;
                } else {
                    self.odd(option, not, &format!("{mask} {set}"));
                }
            }
            "-j" | "--jump" | "-g" | "--goto" => {
                self.spec.goes = option.contains('g');
                self.spec.target = Some(self.value(option)?);
            }
            "--comment" => self.spec.comment = self.value(option)?,
            _ => return self.counting(option, not),
        }
        Ok(())
    }

    /// Options of rates and limits, and those that change nothing.
    fn counting(&mut self, option: &str, not: bool) -> Result<(), String> {
        match option {
            "--limit" | "--hashlimit" | "--hashlimit-upto" | "--hashlimit-above" => {
                let text = self.value(option)?;
                self.rate = Some(rate(&text).ok_or(text)?);
                self.spec.shared |= option == "--limit";
                self.spec.matching.over |= (option == "--hashlimit-above") != not;
            }
            "--limit-burst" | "--hashlimit-burst" => self.burst = self.value(option)?.parse().ok(),
            "--hashlimit-mode" => self.spec.shared |= self.value(option)? != "srcip",
            "--connlimit-above" | "--connlimit-upto" => {
                let text = self.value(option)?;
                let count: u32 = text.parse().map_err(|_| text)?;
                self.spec.matching.limit = Some(count.max(1));
                self.spec.matching.over |= (option == "--connlimit-above") != not;
            }
            "--seconds" => self.recent.0 = self.value(option)?.parse().ok(),
            "--hitcount" => self.recent.1 = self.value(option)?.parse().ok(),
            "--update" | "--rcheck" if !not => self.recent.2 = true,
            "--update" | "--rcheck" | "--remove" => self.odd(option, not, ""),
            "--set" | "--rsource" | "--rttl" | "--connlimit-saddr" => {}
            "--connlimit-mask" => self.spec.shared |= self.value(option)? == "0",
            "--name"
            | "--mask"
            | "--hashlimit-name"
            | "--hashlimit-htable-size"
            | "--hashlimit-htable-max"
            | "--hashlimit-htable-expire"
            | "--hashlimit-htable-gcinterval"
            | "--hashlimit-srcmask"
            | "--reject-with"
            | "--log-prefix"
            | "--log-level"
            | "--nflog-prefix"
            | "--nflog-group"
            | "--ulog-prefix"
            | "-c"
            | "--set-counters" => {
                self.value(option)?;
                if option == "-c" || option == "--set-counters" {
                    self.value(option)?;
                }
            }
            "--log-tcp-sequence" | "--log-tcp-options" | "--log-ip-options" | "--log-uid"
            | "-w" | "--wait" => {}
            _ if option.starts_with('-') => {
                // Nobody knows how many values it has: up to the next option.
                let mut values = Vec::new();
                while let Some(value) =
                    self.words.as_slice().first().filter(|w| !w.starts_with('-') && *w != "!")
                {
                    values.push(value.clone());
                    self.words.next();
                }
                self.odd(option, not, &values.join(" "));
            }
            _ => return Err(option.to_owned()),
        }
        Ok(())
    }

    fn odd(&mut self, option: &str, not: bool, value: &str) {
        let words = format!("{}{option} {value}", if not { "! " } else { "" });
        self.spec.matching.odd.push(words.trim_end().to_owned());
    }

    fn proto(&mut self, name: &str, not: bool) -> Result<(), String> {
        let number = match name {
            "all" | "0" => return Ok(()),
            "icmp" => 1,
            "icmpv6" | "ipv6-icmp" | "58" => 58,
            _ => match Services::default().find(name).as_deref() {
                Some([What::Protocol(number)]) => *number,
                Some([What::Ports(range)]) if range.is_whole() => range.proto().number(),
                _ => name.parse().map_err(|_| name.to_owned())?,
            },
        };
        if not {
            self.odd("-p", not, name);
        } else {
            self.spec.matching.proto = Some(number);
        }
        Ok(())
    }

    fn addresses(&mut self, from: bool, text: &str, not: bool) {
        let family = self.spec.matching.family;
        let found: Option<Vec<Prefix>> = text.split(',').map(|one| network(family, one)).collect();
        let found = match found {
            Some(found) if not && found.len() == 1 => Some(all_but(found[0])),
            Some(found) if !not => Some(found),
            _ => None,
        };
        match found {
            Some(all) if all.iter().any(|network| network.bits() == 0) => {}
            Some(networks) => self.networks(from, networks, from && not),
            None => self.odd(if from { "-s" } else { "-d" }, not, text),
        }
    }

    fn range(&mut self, from: bool, text: &str, not: bool) -> Result<(), String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ends: [Result<IpAddr, _>; 2] = [first.parse(), last.parse()];
        let [Ok(first), Ok(last)] = ends else { return Err(text.to_owned()) };
        let found = networks(first, last);
        match not || found.is_empty() {
            true => self.odd(if from { "--src-range" } else { "--dst-range" }, not, text),
            false => self.networks(from, found, false),
        }
        Ok(())
    }

    fn ports(&mut self, text: &str, not: bool) -> Result<(), String> {
        let proto = self.spec.matching.proto.and_then(Proto::of);
        let one = |text: &str| port(proto, text).ok_or_else(|| text.to_owned());
        let spans: Vec<Span> = text
            .split(',')
            .map(|part| {
                let (first, last) = part.split_once(':').unwrap_or((part, part));
                let first = if first.is_empty() { 0 } else { one(first)? };
                let last = if last.is_empty() { u16::MAX } else { one(last)? };
                if first <= last { Ok((first, last)) } else { Err(part.to_owned()) }
            })
            .collect::<Result<_, String>>()?;
        let spans = if not { other_ports(&spans) } else { spans };
        self.also(&Match { ports: Some(spans), ..Match::new(self.spec.matching.family) });
        Ok(())
    }

    /// Asks this besides; what cannot be true together is nobody's.
    fn also(&mut self, other: &Match) {
        match self.spec.matching.and(other) {
            Some(both) => self.spec.matching = both,
            None => self.odd("-", false, ""),
        }
    }

    fn networks(&mut self, from: bool, networks: Vec<Prefix>, all_but: bool) {
        let mut also = Match { all_but, ..Match::new(self.spec.matching.family) };
        *(if from { &mut also.from } else { &mut also.to }) = Some(networks);
        self.also(&also);
    }

    fn states(&mut self, text: &str, not: bool) {
        let mut states = 0;
        for one in text.split(',') {
            states |= match one {
                "NEW" => state::NEW,
                "ESTABLISHED" => state::ESTABLISHED,
                "RELATED" => state::RELATED,
                "INVALID" => state::INVALID,
                "UNTRACKED" => state::UNTRACKED,
                // A packet whose address was translated: no state of its own.
                _ => return self.odd("--ctstate", not, text),
            };
        }
        self.spec.matching.states &= if not { state::ANY & !states } else { states };
    }

    fn icmp(&mut self, option: &str, text: &str, not: bool) {
        // `type/code`: a policy knows types only.
        let kind = match text {
            "any" => return,
            "echo-request" | "ping" => {
                Some(if self.spec.matching.family == Family::V4 { 8 } else { 128 })
            }
            "echo-reply" | "pong" => {
                Some(if self.spec.matching.family == Family::V4 { 0 } else { 129 })
            }
            "destination-unreachable" => {
                Some(if self.spec.matching.family == Family::V4 { 3 } else { 1 })
            }
            "time-exceeded" | "ttl-exceeded" => {
                Some(if self.spec.matching.family == Family::V4 { 11 } else { 3 })
            }
            "parameter-problem" => {
                Some(if self.spec.matching.family == Family::V4 { 12 } else { 4 })
            }
            "packet-too-big" => Some(2),
            "router-solicitation" => Some(133),
            "router-advertisement" => Some(134),
            "neighbour-solicitation" | "neighbor-solicitation" => Some(135),
            "neighbour-advertisement" | "neighbor-advertisement" => Some(136),
            _ => text.parse().ok(),
        };
        match kind.filter(|_| !not) {
            Some(kind) => self.spec.matching.icmp = Some(kind),
            None => self.odd(option, not, text),
        }
    }

    /// What was said of rates, put together.
    fn counted(&mut self) {
        if self.limits && self.rate.is_none() {
            // As it is where nobody says.
            self.rate = Some((3, Duration::from_secs(3600)));
            self.spec.shared = true;
        }
        if self.recent.2 && (self.recent.0.is_none() || self.recent.1.is_none()) {
            // Whether somebody was ever seen, or lately: a knock, or a trap.
            self.odd("--rcheck", false, "");
        }
        if self.spec.matching.icmp.is_some() && !matches!(self.spec.matching.proto, Some(1 | 58)) {
            self.odd("--icmp-type", false, "");
        }
        if let Some((count, per)) = self.rate {
            let burst = self.burst.unwrap_or(5).max(1);
            self.spec.matching.rate = Some(Rate { count, per, burst });
        }
        if let (Some(seconds), Some(hits), true) = self.recent {
            // The hit that fills the count is the first that is refused.
            let burst = hits.saturating_sub(1).max(1);
            let minute = u64::from(burst) * 60 / seconds.max(1);
            let (count, per) = match u32::try_from(minute) {
                Ok(count @ 1..) => (count, 60),
                _ => ((u64::from(burst) * 3600 / seconds.max(1)).clamp(1, 1 << 20) as u32, 3600),
            };
            self.spec.matching.rate = Some(Rate { count, per: Duration::from_secs(per), burst });
            self.spec.matching.over = true;
            self.spec.like = Some(format!("recent {hits}/{seconds}"));
        }
    }
}

/// `10/min` and its like.
fn rate(text: &str) -> Option<(u32, Duration)> {
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let units = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];
    let (_, seconds) =
        units.into_iter().find(|(name, _)| !unit.is_empty() && name.starts_with(unit))?;
    Some((count.parse().ok().filter(|count| *count > 0)?, Duration::from_secs(seconds)))
}

/// A network, with the length of its prefix or its mask.
fn network(family: Family, text: &str) -> Option<Prefix> {
    let (addr, len) = text.split_once('/').unwrap_or((text, ""));
    let addr: IpAddr = if matches!(addr, "any" | "anywhere") && len.is_empty() {
        return None;
    } else {
        addr.parse().ok()?
    };
    let full = if addr.is_ipv4() { 32 } else { 128 };
    let bits = match len {
        "" => full,
        len => match len.parse::<IpAddr>() {
            Ok(IpAddr::V4(mask)) => {
                let ones = mask.to_bits().leading_ones();
                (mask.to_bits().checked_shl(ones).unwrap_or(0) == 0).then_some(ones as u8)?
            }
            _ => len.parse().ok()?,
        },
    };
    Prefix::new(addr, bits).filter(|network| Family::of(*network) == family)
}

/// A port by its number, or by the name of a service that has but one of this protocol.
fn port(proto: Option<Proto>, text: &str) -> Option<u16> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let found = Services::default().find(text)?;
    let mut ports = found.iter().filter_map(|what| match what {
        What::Ports(range) if Some(range.proto()) == proto && range.first() == range.last() => {
            Some(range.first())
        }
        _ => None,
    });
    ports.next().filter(|_| ports.next().is_none())
}
