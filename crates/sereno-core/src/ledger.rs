//! Who is out, until when, and why: the state that follows from bans and lifts.
//!
//! The store keeps the same on disk; this is what the engine answers from.

use crate::addr::Prefix;
use crate::cap::Capped;
use crate::gate::{Hold, Name};
use crate::jail::Because;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A ban, as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The jail that decided.
    pub jail: Name,
    /// Where it holds.
    pub scope: Name,
    /// Who.
    pub prefix: Prefix,
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
    /// The newest lines, or the administrator's reason.
    pub evidence: Vec<String>,
}

impl Ban {
    /// The ban as the kernel holds it.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold { scope: self.scope, prefix: self.prefix, until: self.until }
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

/// Strangers whose past is remembered in memory.
const PASTS: usize = 200_000;

/// The bans in force, by jail and prefix, and the past.
#[derive(Debug)]
pub struct Ledger {
    bans: BTreeMap<(Prefix, Name), Ban>,
    ends: BTreeSet<(Time, Prefix, Name)>,
    past: Capped<(Name, Prefix), Past>,
    /// Lengths of the prefixes that are or were out: most questions need one look only.
    lengths: BTreeSet<(bool, u8)>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
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
        let (past, _) = self.past.entry((ban.jail, ban.prefix));
        *past = Past { bans: past.bans.saturating_add(1), last: ban.since };
        self.recall(ban);
    }

    /// Puts back a ban that was in force before a restart.
    pub fn recall(&mut self, ban: Ban) {
        let key = (ban.prefix, ban.jail);
        self.lengths.insert((ban.prefix.addr().is_ipv4(), ban.prefix.bits()));
        self.unlist(key);
        if let Some(until) = ban.until {
            self.ends.insert((until, ban.prefix, ban.jail));
        }
        self.bans.insert(key, ban);
    }

    /// Takes a ban off; gives it back.
    pub fn lift(&mut self, jail: Name, prefix: Prefix) -> Option<Ban> {
        self.unlist((prefix, jail));
        self.bans.remove(&(prefix, jail))
    }

    fn unlist(&mut self, key: (Prefix, Name)) {
        if let Some(until) = self.bans.get(&key).and_then(|ban| ban.until) {
            self.ends.remove(&(until, key.0, key.1));
        }
    }

    /// Takes off what has ended by `now`.
    pub fn expire(&mut self, now: Time) -> Vec<Ban> {
        let mut over = Vec::new();
        while let Some(&(until, prefix, jail)) = self.ends.first() {
            if until > now {
                break;
            }
            over.extend(self.lift(jail, prefix));
            self.ends.remove(&(until, prefix, jail));
        }
        over
    }

    /// Takes off the ban that would end first.
    pub fn lift_first(&mut self) -> Option<Ban> {
        let (_, prefix, jail) = *self.ends.first()?;
        self.lift(jail, prefix)
    }

    /// Lets go of the lines a ban was decided on, once they are written down elsewhere.
    pub fn drop_evidence(&mut self, jail: Name, prefix: Prefix) {
        if let Some(ban) = self.bans.get_mut(&(prefix, jail)) {
            ban.evidence = Vec::new();
        }
    }

    /// When the next ban ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Time> {
        self.ends.first().map(|(until, ..)| *until)
    }

    /// The ban of exactly this prefix by this jail.
    #[must_use]
    pub fn get(&self, jail: Name, prefix: Prefix) -> Option<&Ban> {
        self.bans.get(&(prefix, jail))
    }

    /// The bans of exactly this prefix, by whichever jail.
    pub fn of(&self, prefix: Prefix) -> impl Iterator<Item = &Ban> {
        let from = self.bans.range((prefix, Name::FIRST)..);
        from.take_while(move |((of, _), _)| *of == prefix).map(|(_, ban)| ban)
    }

    /// The bans in force that touch a prefix: of the networks around it, of itself, and of what
    /// lies within.
    pub fn touching(&self, prefix: Prefix) -> impl Iterator<Item = &Ban> {
        let v4 = prefix.addr().is_ipv4();
        let wider = self.lengths.range((v4, 0)..(v4, prefix.bits()));
        let wider = wider.filter_map(move |(_, bits)| Prefix::new(prefix.addr(), *bits));
        let within = self.bans.range((prefix, Name::FIRST)..);
        let within =
            within.take_while(move |((of, _), _)| prefix.contains(of.addr())).map(|(_, ban)| ban);
        wider
            .flat_map(|wider| self.of(wider))
            .chain(within.filter(move |ban| ban.prefix.bits() >= prefix.bits()))
    }

    /// The bans of a jail that hold a prefix already, exactly or as part of a network.
    #[must_use]
    pub fn holding(&self, jail: Name, prefix: Prefix) -> Option<&Ban> {
        let v4 = prefix.addr().is_ipv4();
        let lengths = self.lengths.range((v4, 0)..=(v4, prefix.bits()));
        lengths
            .filter_map(|(_, bits)| Prefix::new(prefix.addr(), *bits))
            .find_map(|wider| self.get(jail, wider))
    }

    /// All bans in force.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.bans.values()
    }

    /// How many bans are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bans.len()
    }

    /// Whether nobody is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    /// How often a jail banned a prefix before.
    #[must_use]
    pub fn before(&self, jail: Name, prefix: Prefix) -> u32 {
        self.past.peek(&(jail, prefix)).map_or(0, |past| past.bans)
    }

    /// Puts back the past that the store remembers.
    pub fn recall_past(&mut self, jail: Name, prefix: Prefix, past: Past) {
        *self.past.entry((jail, prefix)).0 = past;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What touches a prefix, against asking every ban.
        #[test]
        fn touching_misses_nothing(bans in proptest::collection::vec((any::<u16>(), 0u8..5), 0..40), asked: (u16, u8)) {
            let prefix = |low: u16, length: u8| {
                let addr = std::net::IpAddr::from([10, 0, (low >> 8) as u8, low as u8]);
                Prefix::new(addr, [32, 31, 28, 24, 16][usize::from(length % 5)]).unwrap()
            };
            let mut ledger = Ledger::default();
            let jail = Name::new("test").unwrap();
            for (low, length) in bans {
                ledger.ban(Ban {
                    jail,
                    scope: jail,
                    prefix: prefix(low & 0x0f0f, length),
                    since: Time::default(),
                    until: None,
                    count: 1,
                    because: Because::Failures,
                    before: 0,
                    evidence: Vec::new(),
                });
            }
            let asked = prefix(asked.0 & 0x0f0f, asked.1);
            let mut quick: Vec<Prefix> = ledger.touching(asked).map(|ban| ban.prefix).collect();
            let mut slow: Vec<Prefix> = ledger.bans().map(|b| b.prefix).filter(|p| p.overlaps(asked)).collect();
            quick.sort();
            slow.sort();
            prop_assert_eq!(quick, slow);
            prop_assert!(ledger.of(asked).all(|ban| ban.prefix == asked));
        }
    }
}
