//! The strangers a jail remembers: bounded, fair between networks, and with a list of what
//! changed since it was last written down.
//!
//! Whoever can put false source addresses on his packets could fill the memory with strangers
//! who do not exist, and be forgotten himself between two tries. So those of whom nothing is
//! known but one such packet leave first: they have a list of their own, and the others leave
//! theirs only when it has grown to three quarters of the room.

use super::Track;
use crate::addr::Prefix;
use crate::cap::{Found, Scatter, Shelves};
use crate::time::Time;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Neighbourhoods that share a part of the memory, and nothing else: no network can push the
/// others out.
const QUARTERS: usize = 256;
/// Bits of a number below those that tell the quarter.
const QUARTER_BITS: u32 = u64::BITS - QUARTERS.ilog2();

/// The strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    /// Two shelves for each quarter: of those whom anybody may have made up, and of the others.
    all: Shelves<Prefix, Watched, Scatter>,
    /// How many there may be in a quarter.
    room: usize,
    /// Random odd numbers.
    shuffle: (u64, u64),
    /// Who changed since the last look, each once unless he left and came again meanwhile.
    changed: Vec<Prefix>,
    /// Who is written down and is not remembered any more.
    dropped: Vec<Prefix>,
}

/// The shelf of those of a quarter whom anybody may have made up.
fn faint(quarter: usize) -> usize {
    2 * quarter
}

/// The shelf of the others.
fn firm(quarter: usize) -> usize {
    2 * quarter + 1
}

#[derive(Debug, Default)]
struct Watched {
    track: Track,
    /// Some state of it is written down.
    stored: bool,
    /// It is on the list of changes.
    listed: bool,
    /// It stands on the shelf of the firm.
    firm: bool,
}

impl Watched {
    /// The shelf it stands on.
    fn shelf(&self, quarter: usize) -> usize {
        if self.firm { firm(quarter) } else { faint(quarter) }
    }
}

/// A stranger who did something.
pub(super) struct Entry<'a> {
    pub(super) track: &'a mut Track,
    /// Another had to be forgotten for him.
    pub(super) forgot: bool,
    /// He is on the list of the firm.
    pub(super) firm: bool,
}

impl Strangers {
    /// Room for about `most` strangers.
    pub(super) fn new(most: usize) -> Self {
        Self {
            all: Shelves::new(2 * QUARTERS),
            room: (most / QUARTERS).max(4),
            shuffle: (RandomState::new().hash_one(1) | 1, RandomState::new().hash_one(2) | 1),
            changed: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many did something at `since` or later.
    pub(super) fn busy(&self, since: Time) -> usize {
        let all = (0..2 * QUARTERS).flat_map(|shelf| self.all.iter(shelf));
        all.filter(|(_, watched)| watched.track.newest() >= Some(since)).count()
    }

    /// The stranger, touched, made when absent; and whether another had to leave for him.
    fn touched(&mut self, who: Prefix) -> (Found, bool) {
        let quarter = self.quarter(who);
        if let Some(found) = self.all.find(&who) {
            let shelf = self.all.look(found).shelf(quarter);
            self.all.touch(found, shelf);
            return (found, false);
        }
        let count = self.all.count(faint(quarter)) + self.all.count(firm(quarter));
        let gone = if count >= self.room {
            let shelves = [faint(quarter), firm(quarter)];
            shelves.into_iter().find_map(|shelf| Some((self.all.oldest(shelf)?, shelf)))
        } else {
            None
        };
        if let Some((found, shelf)) = gone {
            let (left, watched) = self.all.take_out(found, shelf);
            if watched.stored {
                self.dropped.push(left);
            }
        }
        (self.all.put(who, faint(quarter)), gone.is_some())
    }

    /// The stranger's track, to be changed, and whether another had to be forgotten for it. Whoever is
    /// not firm yet may have to settle then.
    pub(super) fn entry(&mut self, who: Prefix) -> Entry<'_> {
        if self.changed.len() > 2 * self.room * QUARTERS {
            self.tidy();
        }
        let (found, forgot) = self.touched(who);
        let watched = self.all.look_mut(found);
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        Entry { track: &mut watched.track, forgot, firm: watched.firm }
    }

    /// Brings near what is known of these: each step for all of them, so that the waits overlap.
    pub(super) fn expect<I: Iterator<Item = Prefix>>(&self, all: impl Fn() -> I) {
        all().for_each(|who| self.all.glance(&who));
        let mut found: Vec<Found> = Vec::with_capacity(all().size_hint().1.unwrap_or(0));
        found.extend(all().filter_map(|who| self.all.find(&who)));
        found.iter().for_each(|found| self.all.look(*found).track.glance());
        found.iter().for_each(|found| self.all.look(*found).track.glance_behind());
    }

    /// The track of a stranger who is remembered, to be changed.
    pub(super) fn get(&mut self, who: Prefix) -> Option<&mut Track> {
        let found = self.all.find(&who)?;
        let watched = self.all.look_mut(found);
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        Some(&mut watched.track)
    }

    /// Looks without changing anything.
    pub(super) fn peek(&self, who: Prefix) -> Option<&Track> {
        self.all.find(&who).map(|found| &self.all.look(found).track)
    }

    /// Forgets a stranger.
    pub(super) fn remove(&mut self, who: Prefix) -> Option<Track> {
        let found = self.all.find(&who)?;
        let shelf = self.all.look(found).shelf(self.quarter(who));
        let watched = self.all.take(found, shelf);
        if watched.stored {
            self.dropped.push(who);
        }
        Some(watched.track)
    }

    /// Puts back what is written down.
    pub(super) fn recall(&mut self, who: Prefix, track: Track) {
        let (found, _) = self.touched(who);
        let watched = self.all.look_mut(found);
        *watched = Watched { track, stored: true, listed: false, firm: watched.firm };
        self.settle(who);
    }

    /// To be called when what is known of a stranger has changed: puts him on the shelf to which he
    /// belongs by now. He stays on it until he leaves.
    pub(super) fn settle(&mut self, who: Prefix) {
        let quarter = self.quarter(who);
        let Some(found) = self.all.find(&who) else { return };
        let watched = self.all.look_mut(found);
        if watched.firm || !watched.track.firm() {
            return;
        }
        watched.firm = true;
        self.all.shift(found, faint(quarter), firm(quarter));
        if self.all.count(firm(quarter)) * 4 > self.room * 3
            && let Some(left) = self.all.oldest(firm(quarter))
        {
            self.all.look_mut(left).firm = false;
            self.all.shift(left, firm(quarter), faint(quarter));
        }
    }

    /// What changed since the last call, to be written down; `None` for who is to be struck
    /// out. Who is on it twice is last as he is now.
    pub(super) fn take_changes(&mut self) -> Vec<(Prefix, Option<Track>)> {
        let mut changes: Vec<_> =
            std::mem::take(&mut self.dropped).into_iter().map(|who| (who, None)).collect();
        for who in std::mem::take(&mut self.changed) {
            let Some(found) = self.all.find(&who) else { continue };
            let watched = self.all.look_mut(found);
            if std::mem::replace(&mut watched.listed, false) {
                watched.stored = true;
                changes.push((who, Some(watched.track.clone())));
            }
        }
        changes
    }

    /// Takes those off the list who left: a flood of strangers must not make it long.
    fn tidy(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let mut changed = std::mem::take(&mut self.changed);
        changed.retain(|who| self.peek(*who).is_some() && seen.insert(*who));
        self.changed = changed;
    }

    pub(super) fn quarter(&self, who: Prefix) -> usize {
        // Of a product with a random odd number the upper bits depend on all bits; nobody outside
        // knows how.
        let network = match who.addr() {
            IpAddr::V4(v4) => u64::from(v4.to_bits() >> 16),
            IpAddr::V6(v6) => 1 << 32 | (v6.to_bits() >> 96) as u64,
        };
        let (first, second) = self.shuffle;
        let mixed = first.wrapping_mul(network + 1);
        (second.wrapping_mul(mixed ^ mixed >> 32) >> QUARTER_BITS) as usize
    }
}
