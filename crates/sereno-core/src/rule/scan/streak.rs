//! Whether the lines of a log are still understood.
//!
//! One kind of line may change its form while all others keep theirs. So lines are told apart by
//! the way they begin, and each kind has a window of its own.

use crate::rule::starts::Mask;

/// Lines of one kind that are looked back on.
const WINDOW: u32 = u128::BITS;
/// Kinds that are told apart; a rule has fewer beginnings.
const KINDS: usize = 64;

/// What became of the last lines of each kind.
#[derive(Debug, Default)]
pub(super) struct Streaks {
    kinds: Vec<Kind>,
    /// Lines that begin like no pattern and matched none, since the last line that did.
    others: u64,
}

#[derive(Debug)]
struct Kind {
    mask: Mask,
    /// One bit for each of the last lines: set where it was understood.
    understood: u128,
    seen: u32,
}

impl Streaks {
    /// Takes note of a line that begins like the patterns in `mask`.
    pub(super) fn note(&mut self, mask: Mask, understood: bool) {
        if understood {
            self.others = 0;
        }
        if mask == 0 {
            self.others += u64::from(!understood);
            return;
        }
        let at = match self.kinds.iter().position(|kind| kind.mask == mask) {
            // Lines come in runs of a kind. What was written just now is not moved, for that would
            // have to wait for the writing.
            Some(at) if at > 0 => {
                self.kinds.swap(at, at - 1);
                at - 1
            }
            Some(at) => at,
            None if self.kinds.len() < KINDS => {
                self.kinds.push(Kind { mask, understood: 0, seen: 0 });
                self.kinds.len() - 1
            }
            None => return,
        };
        if let Some(kind) = self.kinds.get_mut(at) {
            kind.understood = kind.understood << 1 | u128::from(understood);
            kind.seen = (kind.seen + 1).min(WINDOW);
        }
    }

    /// How many lines were not understood, of the kind of which the most were not: of its last
    /// 128, if fewer than one in ten was.
    pub(super) fn longest(&self) -> u64 {
        let of = |kind: &Kind| {
            let understood = kind.understood.count_ones();
            if understood * 10 >= kind.seen { 0 } else { u64::from(kind.seen - understood) }
        };
        self.kinds.iter().map(of).fold(self.others, u64::max)
    }
}
