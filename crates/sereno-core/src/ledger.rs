//! Who is out, until when, and why: the state that follows from bans and lifts.
//!
//! The store keeps the same on disk; this is what the engine answers from.

mod captures;
mod recollection;

pub use captures::Captures;
pub use recollection::Recollection;

use crate::addr::Prefix;
use crate::cap::Capped;
use crate::gate::{Hold, Name};
use crate::jail::Because;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

/// A ban, as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The jail that decided.
    pub jail: Name,
    /// Where it holds.
    pub scope: Name,
    /// Who.
    pub prefix: Prefix,
    /// The address that did it, where it is banned with its network; else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offender: Option<IpAddr>,
    /// From when.
    pub since: Time,
    /// Until when; `None` for ever.
    pub until: Option<Time>,
    /// How much had been counted.
    pub count: u32,
    /// Which limit was reached.
    pub because: Because,
    /// How many bans the jail (or all, with `bantime.overalljails`) knew of him before.
    pub before: u32,
    /// The newest lines, each behind its time ([`Evidence::dated`]), or the administrator's
    /// reason.
    pub evidence: Evidence,
    /// What the filter captured of the first failure that counted, if anybody wants to know. Not
    /// written down.
    #[serde(skip)]
    pub captures: Captures,
}

/// Lines, none of which holds a line break, in one piece that many can share: in a burst, a
/// hundred thousand bans wait to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Evidence(Option<Arc<str>>);

impl Evidence {
    /// Lines that each begin with their time (RFC 3339) and a space: what a log's lines say
    /// themselves may be in any form, and those of the journal say nothing.
    pub fn dated<T: Display>(lines: impl IntoIterator<Item = (Time, T)>) -> Self {
        lines.into_iter().map(|(at, line)| format!("{at} {line}")).collect()
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().flat_map(|all| all.split('\n'))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Evidence {
    fn from_iter<I: IntoIterator<Item = S>>(lines: I) -> Self {
        let mut all: Option<String> = None;
        for line in lines {
            let all = match &mut all {
                None => all.insert(String::new()),
                Some(all) => {
                    all.push('\n');
                    all
                }
            };
            all.extend(line.as_ref().chars().map(|c| if c == '\n' { '\u{fffd}' } else { c }));
        }
        Self(all.map(Arc::from))
    }
}

impl From<Vec<String>> for Evidence {
    fn from(lines: Vec<String>) -> Self {
        lines.into_iter().collect()
    }
}

impl From<Evidence> for Vec<String> {
    fn from(evidence: Evidence) -> Self {
        evidence.lines().map(str::to_owned).collect()
    }
}

impl Ban {
    /// Whom it is about, for who counts addresses alone: the address that did it, or else all who
    /// are banned.
    #[must_use]
    pub fn who(&self) -> Prefix {
        self.offender.map_or(self.prefix, Prefix::host)
    }

    /// The ban as the kernel holds it.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold { scope: self.scope, prefix: self.prefix, until: self.until }
    }

    /// The lines it was decided on, oldest first, and when each was written, where that is
    /// known. An administrator's reason is what he wrote, whatever it begins with.
    pub fn dated_lines(&self) -> impl Iterator<Item = (Option<Time>, &str)> {
        let by_hand = self.because == Because::Manual;
        self.evidence.lines().map(move |line| {
            let dated = line.split_once(' ').filter(|_| !by_hand);
            match dated.and_then(|(at, text)| Some((at.parse().ok()?, text))) {
                Some((at, text)) => (Some(at), text),
                None => (None, line),
            }
        })
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What is known of earlier bans of a stranger by one jail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// How many.
    pub bans: u32,
    /// When the last one began.
    pub last: Time,
}

/// Strangers who are not out and whose past is remembered in memory.
const PASTS: usize = 200_000;

/// A jail's or scope's name, as its place in [`Ledger::names`]: a hundred thousand bans carry
/// two of them each.
type NameId = u16;

/// A ban without what the key says, as small as it goes.
#[derive(Debug)]
struct Kept {
    since: Time,
    /// [`FOR_EVER`] for ever.
    until: Time,
    count: u32,
    before: u32,
    /// How often the jail banned him so far, this one included.
    bans: u32,
    scope: NameId,
    because: Because,
    /// Few have one.
    offender: Option<Box<IpAddr>>,
    evidence: Evidence,
    captures: Captures,
}

impl Kept {
    fn new(ban: Ban, scope: NameId, bans: u32) -> Self {
        Self {
            since: ban.since,
            until: ban.until.unwrap_or(FOR_EVER),
            count: ban.count,
            before: ban.before,
            bans,
            scope,
            because: ban.because,
            offender: ban.offender.map(Box::new),
            evidence: ban.evidence,
            captures: ban.captures,
        }
    }
}

const FOR_EVER: Time = Time(i64::MAX);

type Key = (Prefix, NameId);

/// The bans in force, by prefix and jail, and the past.
#[derive(Debug)]
pub struct Ledger {
    /// Names, and how many bans in force are theirs as a jail.
    names: Vec<(Name, usize)>,
    bans: BTreeMap<Key, Kept>,
    /// When bans end, those for ever left out.
    ends: BTreeSet<(Time, Key)>,
    /// The past of who is not out.
    past: Capped<Key, Past>,
    /// Lengths of the prefixes that are or were out: most questions need one look only.
    lengths: BTreeSet<(bool, u8)>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            bans: BTreeMap::new(),
            ends: BTreeSet::new(),
            past: Capped::new(PASTS),
            lengths: BTreeSet::new(),
        }
    }
}

impl Ledger {
    /// Notes a ban. A ban that is already there is replaced.
    pub fn ban(&mut self, ban: Ban) {
        let bans = self.before(ban.jail, ban.prefix).saturating_add(1);
        self.put(ban, bans);
    }

    /// Puts back a ban that was in force before a restart.
    pub fn recall(&mut self, ban: Ban) {
        let bans = self.before(ban.jail, ban.prefix).max(1);
        self.put(ban, bans);
    }

    fn put(&mut self, ban: Ban, bans: u32) {
        // Beyond 65,535 names nothing is noted; a configuration cannot have so many jails.
        let Some((jail, scope)) = self.intern(ban.jail).zip(self.intern(ban.scope)) else { return };
        let key = (ban.prefix, jail);
        self.lengths.insert(length(ban.prefix));
        self.unlist(key);
        self.past.remove(&key);
        if let Some(until) = ban.until {
            self.ends.insert((until, key));
        }
        if self.bans.insert(key, Kept::new(ban, scope, bans)).is_none() {
            self.tally(jail, |count| count + 1);
        }
    }

    fn tally(&mut self, jail: NameId, change: impl Fn(usize) -> usize) {
        if let Some((_, count)) = self.names.get_mut(usize::from(jail)) {
            *count = change(*count);
        }
    }

    /// Takes a ban off; gives it back.
    pub fn lift(&mut self, jail: Name, prefix: Prefix) -> Option<Ban> {
        let key = (prefix, self.id(jail)?);
        self.lift_key(key)
    }

    fn lift_key(&mut self, key: Key) -> Option<Ban> {
        self.unlist(key);
        let kept = self.bans.remove(&key)?;
        self.tally(key.1, |count| count.saturating_sub(1));
        *self.past.entry(key).0 = Past { bans: kept.bans, last: kept.since };
        Some(self.whole(&key, &kept))
    }

    fn unlist(&mut self, key: Key) {
        if let Some(kept) = self.bans.get(&key) {
            self.ends.remove(&(kept.until, key));
        }
    }

    /// Takes off what has ended by `now`.
    pub fn expire(&mut self, now: Time) -> Vec<Ban> {
        let mut over = Vec::new();
        while let Some(&(until, key)) = self.ends.first()
            && until <= now
        {
            over.extend(self.lift_key(key));
            self.ends.remove(&(until, key));
        }
        over
    }

    /// Takes off the ban that would end first.
    pub fn lift_first(&mut self) -> Option<Ban> {
        let (_, key) = *self.ends.first()?;
        self.lift_key(key)
    }

    /// Lets go of the lines a ban was decided on, once they are written down elsewhere.
    pub fn drop_evidence(&mut self, jail: Name, prefix: Prefix) {
        if let Some(jail) = self.id(jail)
            && let Some(kept) = self.bans.get_mut(&(prefix, jail))
        {
            kept.evidence = Evidence::default();
        }
    }

    /// When the next ban ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Time> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// The ban of exactly this prefix by this jail.
    #[must_use]
    pub fn get(&self, jail: Name, prefix: Prefix) -> Option<Ban> {
        let key = (prefix, self.id(jail)?);
        self.bans.get(&key).map(|kept| self.whole(&key, kept))
    }

    /// The bans of exactly this prefix, by whichever jail.
    pub fn of(&self, prefix: Prefix) -> impl Iterator<Item = Ban> {
        let all = self.bans.range((prefix, NameId::MIN)..=(prefix, NameId::MAX));
        all.map(|(key, kept)| self.whole(key, kept))
    }

    /// The bans in force that touch a prefix: of the networks around it, of itself, and of what
    /// lies within.
    pub fn touching(&self, prefix: Prefix) -> impl Iterator<Item = Ban> {
        let v4 = prefix.addr().is_ipv4();
        let wider = self.lengths.range((v4, 0)..(v4, prefix.bits()));
        let wider = wider.filter_map(move |(_, bits)| Prefix::new(prefix.addr(), *bits));
        let within = self.bans.range((prefix, NameId::MIN)..);
        let within = within.take_while(move |((of, _), _)| prefix.contains(of.addr()));
        let within = within.filter(move |((of, _), _)| of.bits() >= prefix.bits());
        wider
            .flat_map(|wider| self.of(wider))
            .chain(within.map(|(key, kept)| self.whole(key, kept)))
    }

    /// The ban of a jail that holds a prefix already, exactly or as part of a network.
    #[must_use]
    pub fn holding(&self, jail: Name, prefix: Prefix) -> Option<Ban> {
        let jail = self.id(jail)?;
        let v4 = prefix.addr().is_ipv4();
        let lengths = self.lengths.range((v4, 0)..=(v4, prefix.bits()));
        lengths.filter_map(|(_, bits)| Prefix::new(prefix.addr(), *bits)).find_map(|wider| {
            let key = (wider, jail);
            self.bans.get(&key).map(|kept| self.whole(&key, kept))
        })
    }

    /// All bans in force.
    pub fn bans(&self) -> impl Iterator<Item = Ban> {
        self.bans.iter().map(|(key, kept)| self.whole(key, kept))
    }

    /// How many bans are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bans.len()
    }

    /// How many of them are a jail's.
    #[must_use]
    pub fn count(&self, jail: Name) -> usize {
        self.names.iter().find(|(name, _)| *name == jail).map_or(0, |(_, count)| *count)
    }

    /// Whether nobody is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    /// How often a jail banned a prefix before.
    #[must_use]
    pub fn before(&self, jail: Name, prefix: Prefix) -> u32 {
        let Some(jail) = self.id(jail) else { return 0 };
        let key = (prefix, jail);
        let out = self.bans.get(&key).map(|kept| kept.bans);
        out.or_else(|| self.past.peek(&key).map(|past| past.bans)).unwrap_or(0)
    }

    /// Puts back the past that the store remembers.
    pub fn recall_past(&mut self, jail: Name, prefix: Prefix, past: Past) {
        let Some(jail) = self.intern(jail) else { return };
        let key = (prefix, jail);
        match self.bans.get_mut(&key) {
            Some(kept) => kept.bans = past.bans,
            None => *self.past.entry(key).0 = past,
        }
    }

    /// Forgets how often a jail banned somebody who is not out.
    pub fn forget(&mut self, jail: Name, prefix: Prefix) {
        if let Some(jail) = self.id(jail) {
            self.past.remove(&(prefix, jail));
        }
    }

    fn id(&self, name: Name) -> Option<NameId> {
        id_of(&self.names, name)
    }

    fn intern(&mut self, name: Name) -> Option<NameId> {
        intern(&mut self.names, name)
    }

    fn whole(&self, key: &Key, kept: &Kept) -> Ban {
        whole(&self.names, key, kept)
    }
}

fn length(prefix: Prefix) -> (bool, u8) {
    (prefix.addr().is_ipv4(), prefix.bits())
}

fn id_of(names: &[(Name, usize)], name: Name) -> Option<NameId> {
    names.iter().position(|(known, _)| *known == name).and_then(|i| NameId::try_from(i).ok())
}

fn intern(names: &mut Vec<(Name, usize)>, name: Name) -> Option<NameId> {
    let known = id_of(names, name);
    if known.is_none() && names.len() <= usize::from(NameId::MAX) {
        names.push((name, 0));
        return id_of(names, name);
    }
    known
}

fn whole(names: &[(Name, usize)], key: &Key, kept: &Kept) -> Ban {
    let name = |id: NameId| names.get(usize::from(id)).map_or(Name::SERENO, |(name, _)| *name);
    Ban {
        jail: name(key.1),
        scope: name(kept.scope),
        prefix: key.0,
        since: kept.since,
        until: (kept.until != FOR_EVER).then_some(kept.until),
        count: kept.count,
        because: kept.because,
        offender: kept.offender.as_deref().copied(),
        before: kept.before,
        evidence: kept.evidence.clone(),
        captures: kept.captures.clone(),
    }
}

#[cfg(test)]
mod tests;
