//! Runs of characters, and the marks where a search was.

use super::program::{Key, Op};
use super::room::{Exhausted, Frame, NONE};
use super::run::Run;
use super::set::Set;

impl Run<'_> {
    /// The place behind a character of the set.
    #[inline]
    pub(super) fn take(&self, set: &Set, at: u32) -> Option<u32> {
        let byte = *self.bytes.get(at as usize)?;
        if byte < 0x80 {
            return set.has_ascii(byte).then_some(at + 1);
        }
        let c = self.text.get(at as usize..)?.chars().next()?;
        set.has(c).then(|| at + c.len_utf8() as u32)
    }

    /// The place before a character.
    #[inline]
    pub(super) fn before(&self, at: u32) -> u32 {
        let mut at = at - 1;
        while !self.text.is_char_boundary(at as usize) {
            at -= 1;
        }
        at
    }

    /// The place after at least `min` characters.
    pub(super) fn must(
        &mut self,
        set: &Set,
        min: u32,
        mut at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        self.spend(u64::from(min))?;
        for _ in 0..min {
            match self.take(set, at) {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// As far as a greedy run comes.
    pub(super) fn greedy(
        &mut self,
        op: u32,
        (set, min, max, mark): (&Set, u32, u32, u32),
        at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let Some(low) = self.must(set, min, at)? else { return Ok(None) };
        let mut at = low;
        if max == NONE {
            // Whoever was here in this run tried everything from here on.
            if !self.test_and_set(mark, low) {
                return Ok(None);
            }
            while let Some(next) = self.take(set, at)
                && self.test_and_set(mark, next)
            {
                at = next;
            }
            if self.program.marks[mark as usize].inner {
                self.room.frames.push(Frame::Marked { mark, from: low, to: at });
            }
        } else {
            for _ in min..max {
                match self.take(set, at) {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
        self.spend(u64::from(at - low))?;
        if at > low {
            self.room.frames.push(Frame::Run { op, low, at });
        }
        Ok(Some(at))
    }

    /// As little as a lazy run must take.
    pub(super) fn lazy(
        &mut self,
        op: u32,
        (set, min, max, mark): (&Set, u32, u32, u32),
        at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let Some(at) = self.must(set, min, at)? else { return Ok(None) };
        if max == NONE && !self.mark(mark, at) {
            return Ok(None);
        }
        if max > min {
            let more = if max == NONE { NONE } else { max - min };
            self.room.frames.push(Frame::More { op, at, more });
        }
        Ok(Some(at))
    }

    /// One character more for a lazy run.
    pub(super) fn more(&mut self, op: u32, at: u32, more: u32) -> Option<u32> {
        let program = self.program;
        let Op::Run { set, mark, .. } = &program.ops[op as usize] else { return None };
        let at = self.take(&program.sets[*set as usize], at)?;
        if more == NONE {
            if !self.mark(*mark, at) {
                return None;
            }
            self.room.frames.push(Frame::More { op, at, more });
        } else if more > 1 {
            self.room.frames.push(Frame::More { op, at, more: more - 1 });
        }
        Some(at)
    }

    /// Marks a place. Whether nobody was there before.
    #[inline]
    pub(super) fn mark(&mut self, mark: u32, at: u32) -> bool {
        let new = self.test_and_set(mark, at);
        if new && self.program.marks[mark as usize].inner {
            self.room.frames.push(Frame::Marked { mark, from: at, to: at });
        }
        new
    }

    #[inline]
    pub(super) fn test_and_set(&mut self, mark: u32, at: u32) -> bool {
        let mark = &self.program.marks[mark as usize];
        let Some(row) = mark.row.filter(|_| self.width > 0) else { return true };
        let mut row = row as usize;
        for (i, key) in mark.keys.iter().enumerate() {
            let set = match key {
                Key::Moved(register) => self.room.registers[*register as usize] != at,
                Key::Took(group) => self.took(*group),
            };
            row += usize::from(set) << i;
        }
        let bit = row * self.width + at as usize;
        let word = &mut self.room.table[bit / 64];
        let new = *word >> (bit % 64) & 1 == 0;
        *word |= 1 << (bit % 64);
        new
    }

    pub(super) fn unmark(&mut self, mark: u32, from: u32, to: u32) {
        let mark = &self.program.marks[mark as usize];
        let Some(row) = mark.row.filter(|_| self.width > 0) else { return };
        for row in row as usize..row as usize + (1 << mark.keys.len()) {
            for at in from as usize..=to as usize {
                let bit = row * self.width + at;
                self.room.table[bit / 64] &= !(1 << (bit % 64));
            }
        }
    }
}
