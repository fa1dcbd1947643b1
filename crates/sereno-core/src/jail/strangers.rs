//! The strangers a jail remembers: bounded, fair between networks, and with a list of what
//! changed since it was last written down.
//!
//! Whoever can put false source addresses on his packets could fill the memory with strangers
//! who do not exist, and be forgotten himself between two tries. So those of whom nothing is
//! known but one such packet leave first: they have a list of their own, and the others leave
//! theirs only when it has grown to three quarters of the room.

use super::Track;
use crate::addr::Prefix;
use crate::cap::Capped;
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
    quarters: Vec<Quarter>,
    /// Random odd numbers.
    shuffle: (u64, u64),
    /// Who changed since the last look, each once unless he left and came again meanwhile.
    changed: Vec<Prefix>,
    /// Who is written down and is not remembered any more.
    dropped: Vec<Prefix>,
    most: usize,
}

/// The strangers of some networks.
#[derive(Debug)]
struct Quarter {
    /// Those whom anybody may have made up.
    faint: Capped<Prefix, Watched>,
    /// The others.
    firm: Capped<Prefix, Watched>,
    room: usize,
}

impl Quarter {
    fn new(room: usize) -> Self {
        Self { faint: Capped::new(room), firm: Capped::new(room), room }
    }

    fn len(&self) -> usize {
        self.faint.len() + self.firm.len()
    }

    fn peek(&self, who: Prefix) -> Option<&Watched> {
        self.firm.peek(&who).or_else(|| self.faint.peek(&who))
    }

    fn peek_mut(&mut self, who: Prefix) -> Option<&mut Watched> {
        match self.firm.peek_mut(&who) {
            Some(watched) => Some(watched),
            None => self.faint.peek_mut(&who),
        }
    }

    /// The stranger, touched, made when absent; who had to leave for him; and whether he is one of
    /// the firm.
    fn entry(&mut self, who: Prefix) -> (&mut Watched, Option<(Prefix, Watched)>, bool) {
        if let Some(at) = self.firm.find(&who) {
            return (self.firm.found(at), None, true);
        }
        if let Some(at) = self.faint.find(&who) {
            return (self.faint.found(at), None, false);
        }
        let full = self.len() >= self.room;
        let gone = full.then(|| self.faint.pop_oldest().or_else(|| self.firm.pop_oldest()));
        (self.faint.entry(who).0, gone.flatten(), false)
    }

    fn remove(&mut self, who: Prefix) -> Option<Watched> {
        self.firm.remove(&who).or_else(|| self.faint.remove(&who))
    }

    /// Puts a stranger on the list to which he belongs by now. He stays on it until he leaves.
    fn settle(&mut self, who: Prefix) {
        if !self.faint.peek(&who).is_some_and(|watched| watched.track.firm()) {
            return;
        }
        let Some(watched) = self.faint.remove(&who) else { return };
        *self.firm.entry(who).0 = watched;
        if self.firm.len() * 4 > self.room * 3
            && let Some((left, watched)) = self.firm.pop_oldest()
        {
            *self.faint.entry(left).0 = watched;
        }
    }
}

#[derive(Debug, Default)]
struct Watched {
    track: Track,
    /// Some state of it is written down.
    stored: bool,
    /// It is on the list of changes.
    listed: bool,
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
        let each = (most / QUARTERS).max(4);
        Self {
            quarters: (0..QUARTERS).map(|_| Quarter::new(each)).collect(),
            shuffle: (RandomState::new().hash_one(1) | 1, RandomState::new().hash_one(2) | 1),
            changed: Vec::new(),
            dropped: Vec::new(),
            most: each * QUARTERS,
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.quarters.iter().map(Quarter::len).sum()
    }

    /// How many did something at `since` or later.
    pub(super) fn busy(&self, since: Time) -> usize {
        let lists = self.quarters.iter().flat_map(|quarter| [&quarter.faint, &quarter.firm]);
        let all = lists.flat_map(Capped::iter);
        all.filter(|(_, watched)| watched.track.newest() >= Some(since)).count()
    }

    /// The stranger's track, to be changed, and whether another had to be forgotten for it. Whoever is
    /// not firm yet may have to settle then.
    pub(super) fn entry(&mut self, who: Prefix) -> Entry<'_> {
        let quarter = self.quarter(who);
        if self.changed.len() > 2 * self.most {
            self.tidy();
        }
        let (watched, gone, firm) = self.quarters[quarter].entry(who);
        let forgot = gone.is_some();
        if let Some((left, Watched { stored: true, .. })) = gone {
            self.dropped.push(left);
        }
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        Entry { track: &mut watched.track, forgot, firm }
    }

    /// The track of a stranger who is remembered, to be changed.
    pub(super) fn get(&mut self, who: Prefix) -> Option<&mut Track> {
        let quarter = self.quarter(who);
        let watched = self.quarters[quarter].peek_mut(who)?;
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        Some(&mut watched.track)
    }

    /// Looks without changing anything.
    pub(super) fn peek(&self, who: Prefix) -> Option<&Track> {
        self.quarters[self.quarter(who)].peek(who).map(|watched| &watched.track)
    }

    /// Forgets a stranger.
    pub(super) fn remove(&mut self, who: Prefix) -> Option<Track> {
        let quarter = self.quarter(who);
        let watched = self.quarters[quarter].remove(who)?;
        if watched.stored {
            self.dropped.push(who);
        }
        Some(watched.track)
    }

    /// Puts back what is written down.
    pub(super) fn recall(&mut self, who: Prefix, track: Track) {
        let quarter = self.quarter(who);
        let (watched, gone, _) = self.quarters[quarter].entry(who);
        *watched = Watched { track, stored: true, listed: false };
        if let Some((left, Watched { stored: true, .. })) = gone {
            self.dropped.push(left);
        }
        self.settle(who);
    }

    /// To be called when what is known of a stranger has changed.
    pub(super) fn settle(&mut self, who: Prefix) {
        let quarter = self.quarter(who);
        self.quarters[quarter].settle(who);
    }

    /// What changed since the last call, to be written down; `None` for who is to be struck
    /// out. Who is on it twice is last as he is now.
    pub(super) fn take_changes(&mut self) -> Vec<(Prefix, Option<Track>)> {
        let mut changes: Vec<_> =
            std::mem::take(&mut self.dropped).into_iter().map(|who| (who, None)).collect();
        for who in std::mem::take(&mut self.changed) {
            let quarter = self.quarter(who);
            let Some(watched) = self.quarters[quarter].peek_mut(who) else { continue };
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
