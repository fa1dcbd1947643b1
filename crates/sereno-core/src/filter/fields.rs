//! What a line's groups captured, as fail2ban's dictionary of a failure.

use super::cut;
use super::regex::{Regex, Room};
use crate::addr::parse_addr;
use std::net::IpAddr;
use std::sync::Arc;

/// What stands for who it was.
const NAMED: [&str; 3] = ["ip4", "ip6", "dns"];

/// A group's name and what it means besides capturing.
#[derive(Debug)]
struct Group {
    name: Arc<str>,
    index: usize,
}

/// The groups of one expression, and which of them complete others.
#[derive(Debug)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// `alt_user_1`: what `user` is if it is empty.
    alternatives: Vec<(Arc<str>, Arc<str>)>,
    /// `tuple_fid_1`: what is put beside `fid`.
    tuples: Vec<(Arc<str>, Arc<str>)>,
}

impl Groups {
    pub(super) fn of(regex: &Regex) -> Self {
        let all: Vec<Group> =
            regex.names().map(|(name, index)| Group { name: name.into(), index }).collect();
        let completing = |prefix: &str| {
            let mut found: Vec<(Arc<str>, Arc<str>)> = all
                .iter()
                .filter_map(|group| {
                    Some((Arc::clone(&group.name), completed(&group.name, prefix)?))
                })
                .collect();
            found.sort();
            found
        };
        Self { alternatives: completing("alt_"), tuples: completing("tuple_"), all }
    }

    /// What the groups are in `text` after a search with `room`.
    pub(super) fn captured(&self, text: &str, room: &Room) -> Fields {
        let value = |group: &Group| {
            let found = text.get(room.get(group.index)?)?;
            Some((Arc::clone(&group.name), found.to_owned()))
        };
        let mut fields = Fields(self.all.iter().filter_map(value).collect());
        for (from, to) in &self.alternatives {
            let empty = fields.get(to).is_none_or(str::is_empty);
            if let Some(other) = fields.get(from).filter(|other| !other.is_empty() && empty) {
                let other = other.to_owned();
                fields.set(to, other);
            }
        }
        for (from, to) in &self.tuples {
            let quoted = |value: Option<&str>| {
                value.map_or_else(|| "None".to_owned(), |value| format!("'{value}'"))
            };
            let (own, other) = (fields.get(to), quoted(fields.get(from)));
            let joined = match own.and_then(|own| own.strip_suffix(')')) {
                Some(open) if open.starts_with("('") => format!("{open}, {other})"),
                _ => format!("({}, {other})", quoted(own)),
            };
            fields.set(to, joined);
        }
        fields
    }
}

impl Groups {
    /// The whole word, if what was taken for an address is only how a host's name begins:
    /// `192.0.2.1.example.org`. Whoever owns a name may choose such a one, to have others banned.
    pub(super) fn name<'t>(&self, text: &'t str, room: &Room) -> Option<&'t str> {
        let own = |group: &&Group| matches!(&*group.name, "ip4" | "ip6");
        let found = self.all.iter().filter(own).find_map(|group| room.get(group.index))?;
        let behind = text.get(found.end..)?;
        let mut next = behind.bytes();
        let letter = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let goes_on = match next.next() {
            Some(b'.' | b'-') => letter(next.next()),
            first => letter(first),
        };
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let more = behind.bytes().take_while(|byte| part(*byte)).count();
        // `192.0.2.1-7.example.org`: names end in a word, addresses do not.
        let last = behind.as_bytes().get(..more)?.rsplit(|b| *b == b'.');
        let word = |label: &&[u8]| !label.is_empty();
        let last = last.into_iter().find(word).and_then(|label| label.first().copied());
        let dotted = behind.get(..more)?.trim_end_matches('.').contains('.');
        let named = goes_on || dotted && letter(last);
        if named { text.get(found.start..found.end + more) } else { None }
    }
}

/// The group that `name` completes, if it begins with `prefix`: `alt_user_1` completes `user`.
fn completed(name: &str, prefix: &str) -> Option<Arc<str>> {
    let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let base = if digits.len() < rest.len() { digits.strip_suffix('_') } else { None };
    let base = base.unwrap_or(rest);
    Some(match base {
        "id" => "fid".into(),
        "port" => "fport".into(),
        other => other.into(),
    })
}

/// Names and values of groups that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Arc<str>, String)>);

impl Fields {
    /// The value of a group that took part.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.as_str())
    }

    /// All values of groups that took part.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Whether there is a value that is not empty.
    pub(super) fn says(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Cuts values to so many bytes.
    pub(super) fn shorten(&mut self, most: usize) {
        for (_, value) in &mut self.0 {
            let end = cut(value, most).len();
            value.truncate(end);
        }
    }

    /// What was an address is a name.
    pub(super) fn rename(&mut self, name: &str) {
        self.take("ip4");
        self.take("ip6");
        self.set(&"dns".into(), name.to_owned());
    }

    pub(super) fn set(&mut self, name: &Arc<str>, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Arc::clone(name), value)),
        }
    }

    /// Whether somebody is named, by address or by name.
    pub(super) fn accuses(&self) -> bool {
        NAMED.iter().any(|name| self.get(name).is_some())
    }

    /// Lets them be about `addr`; says whether they were about somebody else.
    pub(super) fn accuse(&mut self, addr: IpAddr) -> bool {
        let named = self.get("ip4").or_else(|| self.get("ip6")).map(str::to_owned);
        if named.as_deref().is_some_and(|named| parse_addr(named.as_bytes()) == Some(addr)) {
            return false;
        }
        // An id may be the same.
        if self.get("fid") == named.as_deref() {
            self.take("fid");
        }
        for name in NAMED {
            self.take(name);
        }
        self.take("cidr");
        let name = if addr.is_ipv4() { "ip4" } else { "ip6" };
        self.set(&name.into(), addr.to_string());
        true
    }

    /// Takes a value off.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| &**known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes over what another says. (fail2ban 1.0.2 also takes over from a failregex that a group
    /// took no part, and forgets what the prefregex said; 1.1.1 does as it is done here.)
    pub(super) fn update(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.set(&name, value);
        }
    }
}
