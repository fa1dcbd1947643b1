//! Which packets came before.
//!
//! A packet is known by two marks: the SHA-256 of what was sent, and a digest of its random digits
//! and its time, so that the same packet written differently is known too. A mark is kept until
//! the packet is too old to be taken anyway. Only packets made with a key are remembered: strangers
//! can neither fill the memory nor burn a packet that they saw.

use serde::{Deserialize, Serialize};
use sereno_core::time::Time;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// Marks kept where nothing is said: ten thousand packets within the age window.
const MARKS: usize = 20_000;

/// What a packet is known by.
pub(crate) type Mark = [u8; 32];

/// What is remembered, to be kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// No packet made at or before this time, in seconds since 1970, is taken: there may have been
    /// marks of it that were dropped.
    pub forgotten: u64,
    /// When packets were made, in seconds since 1970, and their marks.
    pub marks: Vec<(u64, [u8; 32])>,
}

/// The memory.
#[derive(Debug)]
pub struct Replay {
    known: HashMap<Mark, u64>,
    by_time: BTreeSet<(u64, Mark)>,
    forgotten: u64,
    fresh: VecDeque<(u64, Mark)>,
    cap: usize,
}

/// Why a packet cannot be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unnoted {
    /// It came before.
    Known,
    /// So old that its marks may have been dropped.
    Forgotten,
    /// There is no room.
    Full,
}

impl Default for Replay {
    fn default() -> Self {
        Self::new(MARKS)
    }
}

impl Replay {
    /// A memory of at most so many marks; a packet has two.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        let (known, by_time, fresh) = (HashMap::new(), BTreeSet::new(), VecDeque::new());
        Self { known, by_time, forgotten: 0, fresh, cap: cap.max(2) }
    }

    /// How many marks are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All that is remembered, in the order in which packets were made.
    #[must_use]
    pub fn export(&self) -> Seen {
        Seen { forgotten: self.forgotten, marks: self.by_time.iter().copied().collect() }
    }

    /// Takes in what was remembered; if it is more than there is room for, the youngest of it.
    pub fn import(&mut self, seen: &Seen) {
        self.forgotten = self.forgotten.max(seen.forgotten);
        for (sent, mark) in &seen.marks {
            self.insert(*sent, *mark);
        }
        while self.known.len() > self.cap {
            self.drop_oldest();
        }
    }

    /// The marks noted since this was last asked, for a store that writes as it goes. At most as
    /// many as there is room for are held back.
    pub fn take_fresh(&mut self) -> Vec<(u64, [u8; 32])> {
        self.fresh.drain(..).collect()
    }

    /// Drops the marks of packets that are too old to be taken.
    pub fn forget(&mut self, now: Time, max_age: Duration) {
        let now = u64::try_from(now.secs()).unwrap_or(0);
        let oldest = now.saturating_sub(max_age.as_secs());
        while self.by_time.first().is_some_and(|(sent, _)| *sent < oldest) {
            self.drop_oldest();
        }
    }

    pub(crate) fn knows(&self, mark: &Mark) -> bool {
        self.known.contains_key(mark)
    }

    /// Notes a packet made at `sent`, if none of its marks is known.
    pub(crate) fn note(
        &mut self,
        marks: [Mark; 2],
        sent: u64,
        now: Time,
        max_age: Duration,
    ) -> Result<(), Unnoted> {
        if marks.iter().any(|mark| self.knows(mark)) {
            return Err(Unnoted::Known);
        }
        self.forget(now, max_age);
        if sent <= self.forgotten {
            return Err(Unnoted::Forgotten);
        }
        if self.known.len() + marks.len() > self.cap {
            self.make_room(now, max_age, marks.len())?;
        }
        for mark in marks {
            self.insert(sent, mark);
            if self.fresh.len() >= self.cap {
                self.fresh.pop_front();
            }
            self.fresh.push_back((sent, mark));
        }
        Ok(())
    }

    /// Drops packets from far in the future, which are not taken for long yet, or fails.
    fn make_room(&mut self, now: Time, max_age: Duration, marks: usize) -> Result<(), Unnoted> {
        let far = u64::try_from(now.plus(max_age).plus(max_age).secs()).unwrap_or(0);
        for _ in 0..marks {
            match self.by_time.last() {
                Some(&(sent, mark)) if sent > far => {
                    self.by_time.remove(&(sent, mark));
                    self.known.remove(&mark);
                }
                _ => return Err(Unnoted::Full),
            }
        }
        Ok(())
    }

    fn insert(&mut self, sent: u64, mark: Mark) {
        if let Some(before) = self.known.insert(mark, sent) {
            self.by_time.remove(&(before, mark));
        }
        self.by_time.insert((sent, mark));
    }

    fn drop_oldest(&mut self) {
        if let Some((sent, mark)) = self.by_time.pop_first() {
            self.known.remove(&mark);
            self.forgotten = self.forgotten.max(sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(120);

    fn marks(n: u8) -> [Mark; 2] {
        [[n; 32], [n | 128; 32]]
    }

    fn note(replay: &mut Replay, n: u8, sent: u64, now: i64) -> Result<(), Unnoted> {
        replay.note(marks(n), sent, Time::from_secs(now), AGE)
    }

    #[test]
    fn each_mark_is_known_until_it_is_too_old() {
        let mut replay = Replay::default();
        assert_eq!(note(&mut replay, 1, 1000, 1000), Ok(()));
        assert_eq!(note(&mut replay, 1, 1000, 1100), Err(Unnoted::Known));
        let half = [[9; 32], marks(1)[1]];
        assert_eq!(replay.note(half, 1000, Time::from_secs(1000), AGE), Err(Unnoted::Known));
        assert_eq!(note(&mut replay, 2, 1120, 1120), Ok(()));
        assert_eq!(replay.len(), 4);
        assert_eq!(note(&mut replay, 3, 1121, 1121), Ok(()));
        assert_eq!(replay.len(), 4);
    }

    #[test]
    fn what_was_forgotten_does_not_come_back_with_an_older_clock() {
        let mut replay = Replay::default();
        assert_eq!(note(&mut replay, 1, 1000, 1000), Ok(()));
        replay.forget(Time::from_secs(5000), AGE);
        assert!(replay.is_empty());
        assert_eq!(note(&mut replay, 1, 1000, 1001), Err(Unnoted::Forgotten));
        assert_eq!(note(&mut replay, 2, 1001, 1001), Ok(()));
        // Nor when older packets are taken than before.
        let older = Duration::from_secs(100_000);
        assert_eq!(
            replay.note(marks(1), 1000, Time::from_secs(5001), older),
            Err(Unnoted::Forgotten)
        );
    }

    #[test]
    fn it_outlives_a_restart() {
        let mut replay = Replay::default();
        assert_eq!(note(&mut replay, 1, 1000, 1000), Ok(()));
        assert_eq!(note(&mut replay, 2, 1200, 1200), Ok(()));
        let text = serde_json::to_string(&replay.export()).unwrap();
        let mut again = Replay::default();
        again.import(&serde_json::from_str(&text).unwrap());
        assert_eq!(again.export(), replay.export());
        assert_eq!(note(&mut again, 2, 1200, 1201), Err(Unnoted::Known));
        assert_eq!(note(&mut again, 1, 1000, 1201), Err(Unnoted::Forgotten));
        // And the same written as it went.
        let fresh = Seen { forgotten: 0, marks: replay.take_fresh() };
        assert_eq!((fresh.marks.len(), replay.take_fresh().len()), (4, 0));
    }

    #[test]
    fn full_is_full_but_not_of_packets_from_the_future() {
        let mut replay = Replay::new(4);
        assert_eq!(note(&mut replay, 1, 9_000_000, 1000), Ok(()));
        assert_eq!(note(&mut replay, 2, 1000, 1000), Ok(()));
        assert_eq!(note(&mut replay, 3, 1000, 1000), Ok(()));
        assert_eq!(note(&mut replay, 4, 1000, 1000), Err(Unnoted::Full));
        assert_eq!(note(&mut replay, 2, 1000, 1000), Err(Unnoted::Known));
        assert_eq!(note(&mut replay, 4, 1121, 1121), Ok(()));
        let mut small = Replay::new(2);
        small.import(&replay.export());
        assert_eq!((small.len(), small.forgotten), (2, 1000));
    }
}
