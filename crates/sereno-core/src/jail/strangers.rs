//! The strangers a jail remembers: bounded, fair between networks, and with a list of what
//! changed since it was last written down.

use super::Track;
use crate::addr::Prefix;
use crate::cap::Capped;
use std::hash::{BuildHasher, RandomState};

/// Neighbourhoods that share a part of the memory, and nothing else: no network can push the
/// others out.
const QUARTERS: usize = 256;

/// The strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    quarters: Vec<Capped<Prefix, Watched>>,
    shuffle: RandomState,
    /// Who changed since the last look, each once unless he left and came again meanwhile.
    changed: Vec<Prefix>,
    /// Who is written down and is not remembered any more.
    dropped: Vec<Prefix>,
    most: usize,
}

#[derive(Debug, Default)]
struct Watched {
    track: Track,
    /// Some state of it is written down.
    stored: bool,
    /// It is on the list of changes.
    listed: bool,
}

impl Strangers {
    /// Room for about `most` strangers.
    pub(super) fn new(most: usize) -> Self {
        let each = (most / QUARTERS).max(4);
        Self {
            quarters: (0..QUARTERS).map(|_| Capped::new(each)).collect(),
            shuffle: RandomState::new(),
            changed: Vec::new(),
            dropped: Vec::new(),
            most: each * QUARTERS,
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.quarters.iter().map(Capped::len).sum()
    }

    /// The stranger's track, to be changed; and whether another had to be forgotten for it.
    pub(super) fn entry(&mut self, who: Prefix) -> (&mut Track, bool) {
        let quarter = self.quarter(who);
        if self.changed.len() > 2 * self.most {
            self.tidy();
        }
        let (watched, gone) = self.quarters[quarter].entry(who);
        if let Some((left, Watched { stored: true, .. })) = gone {
            self.dropped.push(left);
        }
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        (&mut watched.track, gone.is_some())
    }

    /// The track of a stranger who is remembered, to be changed.
    pub(super) fn get(&mut self, who: Prefix) -> Option<&mut Track> {
        let quarter = self.quarter(who);
        let watched = self.quarters[quarter].get(&who)?;
        if !std::mem::replace(&mut watched.listed, true) {
            self.changed.push(who);
        }
        Some(&mut watched.track)
    }

    /// Looks without changing anything.
    pub(super) fn peek(&self, who: Prefix) -> Option<&Track> {
        self.quarters[self.quarter(who)].peek(&who).map(|watched| &watched.track)
    }

    /// Forgets a stranger.
    pub(super) fn remove(&mut self, who: Prefix) -> Option<Track> {
        let quarter = self.quarter(who);
        let watched = self.quarters[quarter].remove(&who)?;
        if watched.stored {
            self.dropped.push(who);
        }
        Some(watched.track)
    }

    /// Puts back what is written down.
    pub(super) fn recall(&mut self, who: Prefix, track: Track) {
        let quarter = self.quarter(who);
        let (watched, gone) = self.quarters[quarter].entry(who);
        *watched = Watched { track, stored: true, listed: false };
        if let Some((left, Watched { stored: true, .. })) = gone {
            self.dropped.push(left);
        }
    }

    /// What changed since the last call, to be written down; `None` for who is to be struck
    /// out. Who is on it twice is last as he is now.
    pub(super) fn take_changes(&mut self) -> Vec<(Prefix, Option<Track>)> {
        let mut changes: Vec<_> =
            std::mem::take(&mut self.dropped).into_iter().map(|who| (who, None)).collect();
        for who in std::mem::take(&mut self.changed) {
            let quarter = self.quarter(who);
            let Some(watched) = self.quarters[quarter].peek_mut(&who) else { continue };
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
        let wide = if who.addr().is_ipv4() { 16 } else { 32 };
        let network = Prefix::new(who.addr(), wide.min(who.bits())).unwrap_or(who);
        (self.shuffle.hash_one(network) % QUARTERS as u64) as usize
    }
}
