//! A rule as a line: `allow ssh, sip from 192.0.2.0/24 on eth0 until 2026-12-04  # why`. One about what
//! goes out names with `to` whom it is for: `allow smtp to 198.51.100.25`.

use super::{Deed, Rate, Rule, Services, What, Who};
use crate::addr::Prefix;
use crate::gate::Name;
use crate::gate::ports::number;
use crate::time::Time;
use crate::wrong::Wrong;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::time::Duration;

/// What begins the parts of a line behind what it is about.
const PARTS: [&str; 6] = ["from", "on", "to", "rate", "limit", "until"];
/// Units of a rate.
const UNITS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];
/// Bytes of a line at most.
const LONGEST: usize = 4096;

/// What a line may name.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Services.
    pub services: &'a Services,
    /// Zones, the world among them.
    pub zones: &'a [Name],
    /// Where dates are at home.
    pub zone: &'a TimeZone,
}

/// What lines are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What comes in.
    In,
    /// What this machine sends.
    Out,
}

/// A word and the byte it begins at.
type Word<'a> = (usize, &'a str);

impl Rule {
    /// Reads a line about what comes in. What stands behind `#` says why.
    ///
    /// # Errors
    /// The first word that cannot be understood, with what to write.
    pub fn parse(line: &str, known: Known<'_>) -> Result<Self, Wrong> {
        Self::parse_for(Side::In, line, known)
    }

    /// Reads a line about that side.
    ///
    /// # Errors
    /// As [`Rule::parse`].
    pub fn parse_for(side: Side, line: &str, known: Known<'_>) -> Result<Self, Wrong> {
        if line.len() > LONGEST || line.chars().any(char::is_control) {
            return Err(Wrong::whole(
                "this is no line of text",
                "write one rule, such as allow ssh",
            ));
        }
        let words = words(line);
        let Some(((first, deed), rest)) = words.split_first().map(|(head, rest)| (*head, rest))
        else {
            return Err(Wrong::whole("there is no rule here", "write one, such as allow ssh"));
        };
        let deed = match deed {
            "allow" => Deed::Allow,
            "drop" => Deed::Drop,
            "reject" => Deed::Reject,
            _ => {
                return Err(wrong(
                    (first, deed),
                    "a rule begins with what it does",
                    "write allow, drop or reject",
                ));
            }
        };
        let cut = rest.iter().position(|(_, word)| PARTS.contains(word)).unwrap_or(rest.len());
        let (what, parts) = rest.split_at(cut);
        let mut rule = Self {
            text: line.trim().to_owned(),
            deed,
            what: what_of(what, known.services, (first, words[0].1))?,
            from: Who::Anybody,
            on: Vec::new(),
            to: Vec::new(),
            toward: Who::Anybody,
            rate: None,
            limit: None,
            until: None,
        };
        let mut seen = Vec::new();
        for part in parts.chunk_by(|_, (_, next)| !PARTS.contains(next)) {
            let (head, values) = (part[0], &part[1..]);
            if seen.contains(&head.1) {
                return Err(wrong(
                    head,
                    format!("{} stands here twice", head.1),
                    "keep one of them",
                ));
            }
            seen.push(head.1);
            rule.take(side, head, values, known)?;
        }
        if rule.deed != Deed::Allow && (rule.rate.is_some() || rule.limit.is_some()) {
            let what = "a rate or a limit says how much is allowed";
            return Err(wrong((first, words[0].1), what, "write allow here"));
        }
        Ok(rule)
    }

    /// Whether a word ends what a rule is about.
    pub(super) fn begins_a_part(word: &str) -> bool {
        PARTS.contains(&word)
    }

    fn take(
        &mut self,
        side: Side,
        head: Word<'_>,
        values: &[Word<'_>],
        known: Known<'_>,
    ) -> Result<(), Wrong> {
        if side == Side::Out {
            only_of_what_comes(head)?;
        }
        let Some(first) = values.first().copied() else {
            let remedy = example(side, head.1);
            return Err(wrong(head, format!("nothing stands behind {}", head.1), remedy));
        };
        match head.1 {
            "from" => self.from = who(values, known.zones)?,
            "on" => {
                for value in values {
                    if !crate::gate::is_interface(value.1) {
                        return Err(wrong(
                            *value,
                            format!("{:?} is no name of an interface", value.1),
                            "write one as `ip link` shows it, such as eth0",
                        ));
                    }
                    self.on.push(value.1.to_owned());
                }
            }
            "to" if side == Side::Out => self.toward = who(values, known.zones)?,
            "to" => {
                self.to = values.iter().map(|value| prefix(*value)).collect::<Result<_, _>>()?;
            }
            "rate" => self.rate = Some(rate(first, &values[1..])?),
            "limit" => {
                let count = number(alone(values)?.1).filter(|count| *count > 0);
                let count = count.ok_or_else(|| {
                    wrong(first, "a limit is a number of connections", example(side, "limit"))
                })?;
                self.limit = Some(count);
            }
            _ => self.until = Some(until(alone(values)?, known.zone)?),
        }
        Ok(())
    }
}

impl Rate {
    /// Reads what stands behind `rate` in a line: `10/minute`, `10/minute burst 20`.
    ///
    /// # Errors
    /// The first word that cannot be understood, with what to write.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let words = words(text);
        let none = || Wrong::whole("there is no rate here", "write one, such as 10/minute");
        let (first, rest) = words.split_first().ok_or_else(none)?;
        rate(*first, rest)
    }
}

/// The words before any `#`; commas part them too.
fn words(line: &str) -> Vec<Word<'_>> {
    let line = line.split('#').next().unwrap_or(line);
    let is_gap = |c: char| c == ',' || c.is_whitespace();
    let mut words = Vec::new();
    let mut at = 0;
    for word in line.split(is_gap) {
        if !word.is_empty() {
            words.push((at, word));
        }
        // What parts words is one character, of ASCII or not.
        at += word.len() + line[at + word.len()..].chars().next().map_or(0, char::len_utf8);
    }
    words
}

fn wrong((at, word): Word<'_>, message: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    Wrong { at, width: word.chars().count().max(1), message: message.into(), remedy: remedy.into() }
}

/// Refuses what a line about what this machine sends cannot say.
fn only_of_what_comes(head: Word<'_>) -> Result<(), Wrong> {
    match head.1 {
        "from" => Err(wrong(
            head,
            "what goes out comes from this machine",
            "write to whom it goes, such as to local or to 192.0.2.0/24",
        )),
        "rate" | "limit" => Err(wrong(
            head,
            format!("a {} counts who comes in", head.1),
            "take it out: what goes out is allowed or not",
        )),
        _ => Ok(()),
    }
}

fn example(side: Side, part: &str) -> &'static str {
    match part {
        "to" if side == Side::Out => {
            "write a zone or a network, such as to local or to 192.0.2.0/24"
        }
        "from" => "write a zone or a network, such as from local or from 192.0.2.0/24",
        "on" => "write an interface, such as on eth0",
        "to" => "write an address of this machine, such as to 192.0.2.1",
        "rate" => "write how many new connections one source may begin, such as rate 10/minute",
        "limit" => "write how many connections one source may have, such as limit 20",
        _ => "write a day, such as until 2026-12-04, or a time of it: 2026-12-04T18:00",
    }
}

fn what_of(words: &[Word<'_>], services: &Services, head: Word<'_>) -> Result<Vec<What>, Wrong> {
    if words.is_empty() {
        return Err(wrong(
            head,
            "the rule does not say what it is about",
            "write a service or ports: allow ssh, allow tcp/8443, or all",
        ));
    }
    let mut what = Vec::new();
    for word in words {
        let found = services.find(word.1).ok_or_else(|| {
            let near = crate::near::nearest(word.1, services.names());
            let remedy = near.map_or_else(
                || "write a service such as ssh or sip, or ports such as tcp/8443 or udp/10000-20000".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            wrong(*word, format!("{:?} is no service and no port", word.1), remedy)
        })?;
        what.extend(found);
    }
    what.sort_unstable();
    what.dedup();
    Ok(what)
}

fn who(values: &[Word<'_>], known: &[Name]) -> Result<Who, Wrong> {
    if let [(_, "any" | "anywhere")] = values {
        return Ok(Who::Anybody);
    }
    let (mut zones, mut networks) = (Vec::new(), Vec::new());
    for value in values {
        match known.iter().find(|zone| zone.as_str() == value.1) {
            Some(zone) => zones.push(*zone),
            None => networks.push(prefix(*value).map_err(|wrong| {
                let names: Vec<&str> = known.iter().map(Name::as_str).collect();
                Wrong {
                    remedy: format!(
                        "write a zone ({}) or a network such as 192.0.2.0/24",
                        names.join(", ")
                    ),
                    ..wrong
                }
            })?),
        }
    }
    Ok(Who::Those { zones, networks })
}

fn prefix(word: Word<'_>) -> Result<Prefix, Wrong> {
    let found: Result<Prefix, _> = word.1.parse();
    found.map_err(|_| {
        wrong(
            word,
            format!("{:?} is no address and no network", word.1),
            "write one such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
        )
    })
}

fn alone<'a>(values: &[Word<'a>]) -> Result<Word<'a>, Wrong> {
    match values {
        [one] => Ok(*one),
        [_, more, ..] => Err(wrong(
            *more,
            "this word belongs to nothing",
            "take it out, or put # before what is a remark",
        )),
        [] => Err(Wrong::whole("a value is missing", "write it behind its word")),
    }
}

fn rate(first: Word<'_>, rest: &[Word<'_>]) -> Result<Rate, Wrong> {
    let bad = || wrong(first, format!("{:?} is no rate", first.1), example(Side::In, "rate"));
    let (count, unit) = first.1.split_once('/').ok_or_else(bad)?;
    let count: u32 = number(count).filter(|count| *count > 0).ok_or_else(bad)?;
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1;
    let burst = match rest {
        [] => count,
        [(_, "burst"), burst] => number(burst.1).filter(|burst| *burst > 0).ok_or_else(|| {
            wrong(
                *burst,
                "a burst is a number of connections",
                "write it as in rate 10/minute burst 20",
            )
        })?,
        [more, ..] => {
            return Err(wrong(
                *more,
                "this word belongs to nothing",
                "a rate is written as in rate 10/minute burst 20",
            ));
        }
    };
    Ok(Rate { count, per: Duration::from_secs(seconds), burst })
}

/// The end of a day, or a time of it.
fn until(word: Word<'_>, zone: &TimeZone) -> Result<Time, Wrong> {
    let bad = || wrong(word, format!("{:?} is no day", word.1), example(Side::In, "until"));
    let day = |date: Date| date.checked_add(1.day()).map(|next| next.at(0, 0, 0, 0));
    let at: DateTime = match word.1.parse::<Date>() {
        Ok(date) if !word.1.contains(['T', 't']) => day(date).map_err(|_| bad())?,
        _ => word.1.parse::<DateTime>().map_err(|_| bad())?,
    };
    let zoned = at.to_zoned(zone.clone()).map_err(|_| bad())?;
    Ok(Time(zoned.timestamp().as_microsecond()))
}
