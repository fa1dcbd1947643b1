//! What a line's groups captured, as fail2ban's dictionary of a failure.

use super::cut;
use super::regex::{Regex, Room};
use crate::addr::parse_addr;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// A name, by its place among a filter's [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(u16);

impl Name {
    pub(super) const NOFAIL: Self = Self(0);
    pub(super) const GAINED: Self = Self(1);
    pub(super) const FORGET: Self = Self(2);
    pub(super) const USER: Self = Self(3);
    pub(super) const FID: Self = Self(4);
    pub(super) const IP4: Self = Self(5);
    pub(super) const IP6: Self = Self(6);
    pub(super) const DNS: Self = Self(7);
    pub(super) const CIDR: Self = Self(8);
    pub(super) const SESSION: Self = Self(9);
    const CONTENT: Self = Self(10);
}

/// How those that mean something are called, in the order of their places.
const KNOWN: [&str; 11] = [
    "nofail",
    "mlfgained",
    "mlfforget",
    "user",
    "fid",
    "ip4",
    "ip6",
    "dns",
    "cidr",
    "mlfid",
    "content",
];

/// What stands for who it was.
const NAMED: [Name; 3] = [Name::IP4, Name::IP6, Name::DNS];

/// The names of the groups of one filter, each once.
#[derive(Debug)]
pub(super) struct Names(Vec<Box<str>>);

impl Default for Names {
    fn default() -> Self {
        Self(KNOWN.map(Into::into).into())
    }
}

impl Names {
    fn name(&mut self, text: &str) -> Name {
        let known = self.0.iter().position(|name| &**name == text);
        let at = known.unwrap_or_else(|| {
            self.0.push(text.into());
            self.0.len() - 1
        });
        // An expression has fewer groups than this, and a filter fewer than a thousand expressions.
        Name(u16::try_from(at).unwrap_or(u16::MAX))
    }

    fn text(&self, name: Name) -> &str {
        self.0.get(usize::from(name.0)).map_or("", |text| text)
    }
}

/// The groups of one expression, and which of them complete others.
#[derive(Debug)]
pub(super) struct Groups {
    /// Each with its index.
    all: Vec<(Name, usize)>,
    /// What the prefregex passes on.
    content: Option<usize>,
    /// `alt_user_1`: what `user` is if it is empty.
    alternatives: Vec<(Name, Name)>,
    /// `tuple_fid_1`: what is put beside `fid`.
    tuples: Vec<(Name, Name)>,
}

impl Groups {
    pub(super) fn of(regex: &Regex, names: &mut Names) -> Self {
        let mut completing = |prefix: &str| {
            let mut found: Vec<(&str, String)> = regex
                .names()
                .filter_map(|(name, _)| Some((name, completed(name, prefix)?)))
                .collect();
            found.sort();
            found.iter().map(|(from, to)| (names.name(from), names.name(to))).collect()
        };
        let (alternatives, tuples) = (completing("alt_"), completing("tuple_"));
        let mut all: Vec<_> =
            regex.names().map(|(name, index)| (names.name(name), index)).collect();
        let content = all.iter().position(|(name, _)| *name == Name::CONTENT);
        let content = content.map(|at| all.remove(at).1);
        Self { all, content, alternatives, tuples }
    }

    /// The part of `text` to look at next, after a search with `room`; `None` for all of it.
    pub(super) fn content(&self, room: &Room) -> Option<Range<usize>> {
        room.get(self.content?).filter(|content| !content.is_empty())
    }

    /// What the groups are in `text` after a search with `room`, but for the content.
    pub(super) fn captured(&self, text: &str, room: &Room, fields: &mut Fields) {
        fields.clear();
        for (name, index) in &self.all {
            if let Some(found) = room.get(*index).and_then(|range| text.get(range)) {
                fields.push(*name, found);
            }
        }
        for (from, to) in &self.alternatives {
            if !fields.says(*to) && fields.says(*from) {
                let other = fields.value(*from).unwrap_or_default().to_owned();
                fields.set(*to, &other);
            }
        }
        for (from, to) in &self.tuples {
            let quoted = |value: Option<&str>| {
                value.map_or_else(|| "None".to_owned(), |value| format!("'{value}'"))
            };
            let (own, other) = (fields.value(*to), quoted(fields.value(*from)));
            let joined = match own.and_then(|own| own.strip_suffix(')')) {
                Some(open) if open.starts_with("('") => format!("{open}, {other})"),
                _ => format!("({}, {other})", quoted(own)),
            };
            fields.set(*to, &joined);
        }
    }

    /// What a prefregex captured, for those who want to see all of it.
    pub(super) fn everything(&self, text: &str, room: &Room, names: &Arc<Names>) -> Fields {
        let mut fields = Fields::new(names);
        self.captured(text, room, &mut fields);
        if let Some(content) = self.content.and_then(|index| text.get(room.get(index)?)) {
            fields.set(Name::CONTENT, content);
        }
        fields
    }
}

impl Groups {
    /// The whole word, if what was taken for an address is only how a host's name begins:
    /// `192.0.2.1.example.org`. Whoever owns a name may choose such a one, to have others banned.
    pub(super) fn name<'t>(&self, text: &'t str, room: &Room) -> Option<&'t str> {
        let own = |(name, _): &&(Name, usize)| matches!(*name, Name::IP4 | Name::IP6);
        let found = self.all.iter().filter(own).find_map(|(_, index)| room.get(*index))?;
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
fn completed(name: &str, prefix: &str) -> Option<String> {
    let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let base = if digits.len() < rest.len() { digits.strip_suffix('_') } else { None };
    Some(match base.unwrap_or(rest) {
        "id" => "fid".to_owned(),
        "port" => "fport".to_owned(),
        other => other.to_owned(),
    })
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
struct Span {
    name: Name,
    from: u32,
    to: u32,
}

/// Names and values of groups that took part.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    names: Option<Arc<Names>>,
    /// The values, one behind the other, and some that were replaced.
    text: String,
    spans: Vec<Span>,
    /// Bytes of the latter.
    stale: usize,
}

/// Bytes of values that were replaced, at most, beside those that were not.
const STALE: usize = 512;

impl Fields {
    pub(super) fn new(names: &Arc<Names>) -> Self {
        Self { names: Some(Arc::clone(names)), ..Self::default() }
    }

    /// The value of a group that took part.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All values of groups that took part.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = |name| self.names.as_ref().map_or("", |names| names.text(name));
        self.spans.iter().map(move |span| (name(span.name), self.at(*span)))
    }

    fn at(&self, span: Span) -> &str {
        self.text.get(span.from as usize..span.to as usize).unwrap_or_default()
    }

    pub(super) fn value(&self, name: Name) -> Option<&str> {
        self.spans.iter().find(|span| span.name == name).map(|span| self.at(*span))
    }

    /// Whether there is a value that is not empty.
    pub(super) fn says(&self, name: Name) -> bool {
        self.value(name).is_some_and(|value| !value.is_empty())
    }

    /// Whether nothing is said of who it was.
    pub(super) fn nobody(&self) -> bool {
        let who = |name| matches!(name, Name::FID | Name::IP4 | Name::IP6 | Name::DNS);
        !self.spans.iter().any(|span| who(span.name))
    }

    /// Bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(STALE);
        self.spans.clear();
        self.stale = 0;
    }

    /// Adds a value under a name that is not there yet.
    fn push(&mut self, name: Name, value: &str) {
        // Texts longer than this are not searched.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let from = place(self.text.len());
        self.text.push_str(value);
        self.spans.push(Span { name, from, to: place(self.text.len()) });
    }

    pub(super) fn set(&mut self, name: Name, value: &str) {
        if self.stale > STALE + self.text.len() / 2 {
            self.tidy();
        }
        let old = self.spans.iter().position(|span| span.name == name);
        self.push(name, value);
        if let Some(old) = old {
            let gone = self.spans.swap_remove(old);
            self.stale += (gone.to - gone.from) as usize;
        }
    }

    /// Throws away what was replaced.
    fn tidy(&mut self) {
        self.stale = 0;
        let all = std::mem::take(&mut self.text);
        for span in std::mem::take(&mut self.spans) {
            self.push(span.name, all.get(span.from as usize..span.to as usize).unwrap_or_default());
        }
    }

    /// Takes a value off; whether there was one that is not empty.
    pub(super) fn take(&mut self, name: Name) -> bool {
        let Some(at) = self.spans.iter().position(|span| span.name == name) else { return false };
        let gone = self.spans.swap_remove(at);
        self.stale += (gone.to - gone.from) as usize;
        gone.to > gone.from
    }

    /// What was an address is a name.
    pub(super) fn rename(&mut self, name: &str) {
        self.take(Name::IP4);
        self.take(Name::IP6);
        self.set(Name::DNS, name);
    }

    /// Whether somebody is named, by address or by name.
    pub(super) fn accuses(&self) -> bool {
        NAMED.iter().any(|name| self.value(*name).is_some())
    }

    /// Lets them be about `addr`; says whether they were about somebody else.
    pub(super) fn accuse(&mut self, addr: IpAddr) -> bool {
        let named = self.value(Name::IP4).or_else(|| self.value(Name::IP6));
        if named.is_some_and(|named| parse_addr(named.as_bytes()) == Some(addr)) {
            return false;
        }
        // An id may be the same.
        if named.is_some() && self.value(Name::FID) == named {
            self.take(Name::FID);
        }
        for name in NAMED {
            self.take(name);
        }
        self.take(Name::CIDR);
        self.set(if addr.is_ipv4() { Name::IP4 } else { Name::IP6 }, &addr.to_string());
        true
    }

    /// Takes over what another says, so many bytes of each value. (fail2ban 1.0.2 also takes over
    /// from a failregex that a group took no part, and forgets what the prefregex said; 1.1.1 does
    /// as it is done here.)
    pub(super) fn update(&mut self, other: &Self, most: usize) {
        if self.names.is_none() {
            self.names.clone_from(&other.names);
        }
        for span in &other.spans {
            self.set(span.name, cut(other.at(*span), most));
        }
    }
}
