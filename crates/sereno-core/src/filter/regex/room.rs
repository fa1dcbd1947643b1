//! Where searches work, and what they found.

use super::program::Program;

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// Frames that are kept for the next search, and words of marks. A long line needs more for a
/// moment; many readers must not keep that.
const KEPT: usize = 8 << 10;

/// A search took more steps than it may. Whether the text matches is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the search took too many steps")
    }
}

impl std::error::Error for Exhausted {}

/// What to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// Another way.
    Way {
        op: u32,
        at: u32,
    },
    /// A run that may give back down to `low`.
    Run {
        op: u32,
        low: u32,
        at: u32,
    },
    /// A run that may take more, `more` at most.
    More {
        op: u32,
        at: u32,
        more: u32,
    },
    /// What a group's end was.
    Slot {
        slot: u32,
        was: u32,
    },
    Register {
        register: u32,
        was: u32,
    },
    /// Places `from..=to` were marked inside of something.
    Marked {
        mark: u32,
        from: u32,
        to: u32,
    },
}

/// Room for searches, to be used again; and what the last one found.
#[derive(Debug, Default)]
pub struct Room {
    pub(super) slots: Vec<u32>,
    pub(super) registers: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    /// Where each of a program's needs stands last, and one more; [`NONE`]: not looked for yet.
    pub(super) lasts: Vec<u32>,
    /// A bit for every place in every row.
    pub(super) table: Vec<u64>,
}

impl Room {
    /// Room for any expression.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where group `index` of the last search is; 0 is the whole match. `None` if it took no part
    /// or nothing matched.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<std::ops::Range<usize>> {
        match self.slots.get(index.checked_mul(2)?..)? {
            [from, to, ..] if *from != NONE && *to != NONE && from <= to => {
                Some(*from as usize..*to as usize)
            }
            _ => None,
        }
    }

    /// Empties it for a program that has so many slots and bits to mark.
    pub(super) fn clear(&mut self, slots: usize, program: &Program, bits: usize) {
        for (list, length) in [
            (&mut self.slots, slots),
            (&mut self.registers, program.registers as usize),
            (&mut self.lasts, program.needs.len()),
        ] {
            list.clear();
            list.resize(length, NONE);
        }
        self.frames.clear();
        self.frames.shrink_to(KEPT);
        self.table.clear();
        self.table.shrink_to(KEPT);
        self.table.resize(bits.div_ceil(64), 0);
    }
}
