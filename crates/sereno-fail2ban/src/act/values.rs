//! What a ban's variables are worth.

use super::script::{Script, Unfit};
use super::variable::Variable;
use crate::tree::Family;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Bytes of a value at most: Linux takes no variable longer than 128 KiB.
const LONGEST: usize = 64 << 10;

/// A ban, as actions are told of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ticket {
    /// The jail.
    pub jail: String,
    /// Who is banned: an address, a network such as `192.0.2.0/24`, or what the filter's `<F-ID>`
    /// found.
    pub id: String,
    /// The address, or the first of the network, if it is one.
    pub addr: Option<IpAddr>,
    /// Failures that led to it.
    pub failures: u32,
    /// When, in seconds since 1970.
    pub time: i64,
    /// For how long, in seconds; -1 for ever.
    pub bantime: i64,
    /// How often before.
    pub bancount: u32,
    /// The lines that led to it.
    pub matches: Vec<String>,
    /// The lines of all jails that led to bans of the same address, and how many failures; what is
    /// not known is what this ban says.
    pub ip_matches: Option<(Vec<String>, u32)>,
    /// The same of this jail.
    pub ip_jail_matches: Option<(Vec<String>, u32)>,
    /// Whether it was in force before a restart.
    pub restored: bool,
    /// What the filter captured, by name: `user`, `host`, ...
    pub captures: BTreeMap<String, String>,
    /// Bans in force and ever, and failures remembered and ever, of the jail.
    pub jail_counts: [u64; 4],
}

/// A value, or who has to be asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// This.
    Text(String),
    /// The name of an address, from the name service; the address itself, if it has none.
    HostOf(IpAddr),
    /// The name of this machine with its domain.
    OwnName,
    /// The name of this machine without it.
    OwnShortName,
}

impl Ticket {
    /// The family of the address. What is none counts as IPv4.
    #[must_use]
    pub fn family(&self) -> Family {
        if self.addr.is_some_and(|addr| addr.is_ipv6()) { Family::V6 } else { Family::V4 }
    }

    /// What a script needs in its environment: names and values.
    ///
    /// # Errors
    /// A variable that would be a part of a program's text, but has signs in it that are none of
    /// such values.
    pub fn environment(&self, script: &Script) -> Result<Vec<(String, Value)>, Unfit> {
        script.admits(|variable| match self.value(variable) {
            Value::Text(text) => Some(text),
            // Of the machine's own.
            Value::OwnName | Value::OwnShortName => None,
            Value::HostOf(_) => Some("?".to_owned()),
        })?;
        let value = |variable: &Variable| (variable.name(), self.value(variable));
        Ok(script.needs.iter().map(value).collect())
    }

    /// What of it a script could ask for: a copy without the rest, to be kept for long.
    #[must_use]
    pub fn kept_for<'s>(&self, scripts: impl Iterator<Item = &'s Script>) -> Self {
        let mut ticket = Self {
            matches: Vec::new(),
            ip_matches: None,
            ip_jail_matches: None,
            captures: BTreeMap::new(),
            ..self.clone()
        };
        for variable in scripts.flat_map(|script| &script.needs) {
            match variable.tag() {
                "matches" | "raw-ticket" => ticket.matches.clone_from(&self.matches),
                "ipmatches" | "ipfailures" => ticket.ip_matches.clone_from(&self.ip_matches),
                "ipjailmatches" | "ipjailfailures" => {
                    ticket.ip_jail_matches.clone_from(&self.ip_jail_matches);
                }
                _ if variable.capture().is_some() => ticket.captures.clone_from(&self.captures),
                _ => {}
            }
        }
        ticket
    }

    /// The value of a variable, as fail2ban computes it (`Actions.ActionInfo`); a capture that the
    /// filter does not have is empty.
    #[must_use]
    pub fn value(&self, variable: &Variable) -> Value {
        if let Some(name) = variable.capture() {
            let value = self.captures.get(&name).map_or("", String::as_str);
            return Value::Text(bounded(value.to_owned()));
        }
        let own = (&self.matches, self.failures);
        let all = self.ip_matches.as_ref().map_or(own, |(lines, count)| (lines, *count));
        let of_jail = self.ip_jail_matches.as_ref().map_or(own, |(lines, count)| (lines, *count));
        let [banned, banned_total, found, found_total] = self.jail_counts;
        Value::Text(match variable.tag() {
            "ip-host" => match self.addr {
                Some(addr) => return Value::HostOf(addr),
                None => bounded(self.id.clone()),
            },
            "fq-hostname" => return Value::OwnName,
            "sh-hostname" => return Value::OwnShortName,
            "ip" | "fid" => bounded(self.id.clone()),
            "family" => match self.addr {
                Some(IpAddr::V4(_)) => "inet4".to_owned(),
                Some(IpAddr::V6(_)) => "inet6".to_owned(),
                None => String::new(),
            },
            "ip-rev" => self.addr.map(reversed).unwrap_or_default(),
            "failures" => self.failures.to_string(),
            "time" => self.time.to_string(),
            "bantime" => self.bantime.to_string(),
            "bancount" => self.bancount.to_string(),
            "restored" => u8::from(self.restored).to_string(),
            "matches" => joined(&self.matches),
            "ipmatches" => joined(all.0),
            "ipjailmatches" => joined(of_jail.0),
            "ipfailures" => all.1.to_string(),
            "ipjailfailures" => of_jail.1.to_string(),
            "jail.banned" => banned.to_string(),
            "jail.banned_total" => banned_total.to_string(),
            "jail.found" => found.to_string(),
            "jail.found_total" => found_total.to_string(),
            "raw-ticket" => self.raw(),
            _ => String::new(),
        })
    }

    fn raw(&self) -> String {
        bounded(format!(
            "BanTicket: ip={} time={} bantime={} bancount={} #attempts={} matches={:?}",
            self.id, self.time, self.bantime, self.bancount, self.failures, self.matches
        ))
    }
}

/// What the name service is asked for, without the domain behind it.
fn reversed(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(v4) => v4.octets().iter().rev().map(|byte| format!("{byte}.")).collect(),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect()
        }
    }
}

fn joined(lines: &[String]) -> String {
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if out.len() > LONGEST {
            break;
        }
        out.push_str(if index > 0 { "\n" } else { "" });
        out.push_str(line);
    }
    bounded(out)
}

/// A value that a process can be given: not too long, without the sign that ends it, and none that
/// a program takes for an option. (A line without a date may be all of a stranger's text.)
fn bounded(mut value: String) -> String {
    let mut end = value.len().min(LONGEST);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.truncate(end);
    if value.starts_with('-') {
        value.insert(0, ' ');
    }
    if value.contains('\0') { value.replace('\0', "\u{fffd}") } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ticket: &Ticket, tag: &str) -> String {
        match Variable::of(tag).map(|variable| ticket.value(&variable)) {
            Some(Value::Text(text)) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn values_are_fail2bans() {
        let mut ticket = Ticket {
            id: "192.0.2.7".to_owned(),
            addr: "192.0.2.7".parse().ok(),
            failures: 5,
            bantime: -1,
            matches: vec!["a".to_owned(), "b\0c".to_owned()],
            ..Ticket::default()
        };
        ticket.captures.insert("user".to_owned(), "<ip>".to_owned());
        for (tag, wanted) in [
            ("ip", "192.0.2.7"),
            ("ip-rev", "7.2.0.192."),
            ("family", "inet4"),
            ("failures", "5"),
            ("ipfailures", "5"),
            ("bantime", "-1"),
            ("restored", "0"),
            ("matches", "a\nb\u{fffd}c"),
            ("F-USER", "<ip>"),
            ("F-HOST", ""),
            ("ip-host", "Some(HostOf(192.0.2.7))"),
            ("fq-hostname", "Some(OwnName)"),
        ] {
            assert_eq!(text(&ticket, tag), wanted, "{tag}");
        }
        ticket.addr = "2001:db8::1".parse().ok();
        ticket.ip_matches = Some((vec!["z".to_owned()], 9));
        let rev = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.";
        assert_eq!(text(&ticket, "ip-rev"), rev);
        assert_eq!((text(&ticket, "family").as_str(), ticket.family()), ("inet6", Family::V6));
        assert_eq!(text(&ticket, "ipmatches") + &text(&ticket, "ipfailures"), "z9");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let ticket = Ticket { matches: vec!["ñ".repeat(60_000); 50], ..Ticket::default() };
        let value = text(&ticket, "matches");
        assert!(value.len() <= LONGEST && value.len() > LONGEST - 4);
        assert_eq!(ticket.kept_for(std::iter::empty()).matches.len(), 0);
    }
}
