//! What a hit amounts to: who, when, how much, and the line that says so.

use crate::addr::Prefix;
use crate::bytes;
use crate::ledger::Captures;
use crate::rule::scan::Hit;
use crate::rule::spec::{Kind, Trust};
use crate::time::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

/// What the lines amounted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// When, by the log.
    pub at: Time,
    /// The stranger.
    pub addr: IpAddr,
    /// Where the line accuses a whole network: which.
    pub network: Option<Prefix>,
    /// Failure or success.
    pub good: bool,
    /// How much it counts.
    pub weight: u32,
    /// How much of what was counted before, and could have been spoofed, this line proves.
    pub proved: u32,
    /// The account's hash; 0 for none.
    pub account: u64,
    /// Whether a spoofed packet could have caused it.
    pub spoofable: bool,
    /// The pattern's id.
    pub pattern: Cow<'a, Arc<str>>,
    /// The line, cut to a bearable length.
    pub line: Line<'a>,
    /// What the filter captured, if its jail wants to know.
    pub captures: Captures,
}

impl Verdict<'_> {
    /// The same with a line of its own.
    #[must_use]
    pub fn to_owned(&self) -> Verdict<'static> {
        let captures = self.captures.clone();
        let pattern = Cow::Owned(Arc::clone(&self.pattern));
        Verdict { line: self.line.to_owned(), pattern, captures, ..*self }
    }
}

/// A line as it was written. Control characters are shown as U+FFFD, as is what is no UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line<'a>(Cow<'a, [u8]>);

impl<'a> Line<'a> {
    /// The first bytes of a line.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        /// Bytes of a line that are remembered.
        const MOST: usize = 400;
        Self(Cow::Borrowed(&text[..text.len().min(MOST)]))
    }

    /// The same line, to be kept.
    #[must_use]
    pub fn to_owned(&self) -> Line<'static> {
        Line(Cow::Owned(self.0.to_vec()))
    }

    /// Its bytes as they were written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        String::from_utf8_lossy(&self.0).chars().try_for_each(|c| f.write_char(shown(c)))
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Line<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Line::new(text.as_bytes()).to_owned())
    }
}

/// The hit as a verdict; `None` when nobody can be named.
pub(super) fn verdict<'a>(
    hit: &Hit<'a>,
    at: Time,
    known: Option<IpAddr>,
    accounts: &mut Accounts,
) -> Option<Verdict<'a>> {
    let addr = hit.found.addr.or(known)?;
    let user = hit.found.user.unwrap_or_default();
    Some(Verdict {
        at,
        addr,
        network: None,
        good: hit.pattern.kind == Kind::Success,
        weight: u32::from(hit.pattern.weight) * u32::from(hit.found.times),
        proved: 0,
        account: accounts.of(user),
        spoofable: spoofable(hit),
        pattern: Cow::Borrowed(&hit.pattern.id),
        line: Line::new(hit.line),
        captures: Captures::default(),
    })
}

/// Whether a packet with a false source address is enough to cause it. Over TCP, TLS and
/// WebSockets it is not, where the line has the true address.
pub(super) fn spoofable(hit: &Hit<'_>) -> bool {
    hit.pattern.spoofable && !(hit.found.stream && hit.pattern.trust == Trust::Sure)
}

/// The account's name as a number: `102`, `sip:102@host` and `"Ana" <sip:102@host>;tag=1` are
/// all account `102`.
pub(crate) fn account(user: &[u8]) -> u64 {
    // Few have a colon, and looking for it costs the least.
    let uri = memchr::memchr(b':', user).and_then(|_| {
        let sip = memchr::memmem::rfind(user, b"sip:");
        sip.or_else(|| memchr::memmem::rfind(user, b"sips:"))
    });
    let name = match uri {
        Some(at) => {
            let uri = &user[at..];
            let start = uri.iter().position(|b| *b == b':').map_or(0, |i| i + 1);
            let uri = &uri[start..];
            uri.split(|b| matches!(b, b'@' | b'>' | b';' | b' ')).next().unwrap_or(uri)
        }
        None => user,
    };
    if name.is_empty() || name == b"<unknown>" { 0 } else { hash(&(name,)).max(1) }
}

/// The numbers of accounts that were tried lately: the same few are tried again and again, and to
/// find a number costs less than to make it.
#[derive(Debug)]
pub(super) struct Accounts(Box<[(u128, u64); Self::MOST]>);

impl Default for Accounts {
    fn default() -> Self {
        Self(Box::new([(0, 0); Self::MOST]))
    }
}

impl Accounts {
    const MOST: usize = 64;

    /// The same as [`account`].
    fn of(&mut self, user: &[u8]) -> u64 {
        if !(1..16).contains(&user.len()) {
            return account(user);
        }
        // The name, and its length in the last place.
        let name = bytes::sixteen(user, 0) | (user.len() as u128) << 120;
        let mixed = (name as u64 ^ (name >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = &mut self.0[(mixed >> 32) as usize % Self::MOST];
        if slot.0 != name {
            *slot = (name, account(user));
        }
        slot.1
    }
}

/// A hash that is the same after a restart. It tells accounts apart, it does not defend: no map
/// is made of it.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_that_are_remembered_are_the_same(users in proptest::collection::vec("[ab:\\x00]{0,3}|sip:[a-c]{0,20}@?", 0..200)) {
            let mut accounts = Accounts::default();
            for user in &users {
                prop_assert_eq!(accounts.of(user.as_bytes()), account(user.as_bytes()));
            }
        }
    }
}
