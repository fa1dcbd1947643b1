//! Runs of characters, and the marks where a search was.

use super::program::{Key, Op, Repeat};
use super::room::{Exhausted, Frame, NONE};
use super::run::Run;
use super::set::Set;

impl<const MARKED: bool> Run<'_, MARKED> {
    /// The place behind a character of the set.
    #[inline(always)]
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

    /// Whether what begins so may stand at `at`.
    #[inline(always)]
    pub(super) fn may(&self, heads: u32, at: u32) -> bool {
        self.program.heads[heads as usize].may(self.bytes, at)
    }

    /// Whether what comes behind a run may stand at `at`.
    #[inline(always)]
    fn follows(&self, run: &Repeat, at: u32) -> bool {
        let (from, to) = run.then;
        // The first byte is what can come next.
        self.may(run.next, at)
            && (to <= from + 1
                || self.bytes[at as usize + 1..]
                    .starts_with(&self.program.bytes[from as usize + 1..to as usize]))
    }

    /// The step behind a run that ended at `at`, and where; behind the text that follows, too,
    /// which was seen.
    #[inline(always)]
    pub(super) fn behind(&self, op: u32, at: u32) -> (u32, u32) {
        match &self.program.ops[op as usize] {
            Op::Run(run) if !MARKED && run.leap > 0 => (run.leap, at + run.then.1 - run.then.0),
            _ => (op + 1, at),
        }
    }

    /// The place after at least `min` characters.
    #[inline(always)]
    fn must(&mut self, set: &Set, min: u32, mut at: u32) -> Result<Option<u32>, Exhausted> {
        self.spend(u64::from(min))?;
        for _ in 0..min {
            match self.take(set, at) {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// As far as a greedy run comes, or back to where what follows can begin.
    #[inline]
    pub(super) fn greedy(
        &mut self,
        op: u32,
        run: &Repeat,
        at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let program = self.program;
        let (set, Repeat { min, max, mark, .. }) = (&program.sets[run.set as usize], *run);
        let Some(low) = self.must(set, min, at)? else { return Ok(None) };
        let mut at = low;
        if max == NONE {
            // Whoever was here in this run tried everything from here on.
            if !self.test_and_set(mark, low) {
                return Ok(None);
            }
            at = if MARKED { self.unknown(set, mark, low) } else { self.span(set, run.until, low) };
            if MARKED && program.marks[mark as usize].inner {
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
        if !self.follows(run, at) {
            return if run.gives { self.fewer(op, low, at) } else { Ok(None) };
        }
        if at > low && run.gives {
            self.room.frames.push(Frame::Run { op, low, at });
        }
        Ok(Some(at))
    }

    /// The next place before `at`, but not before `low`, where what follows the run can stand.
    pub(super) fn fewer(
        &mut self,
        op: u32,
        low: u32,
        mut at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let program = self.program;
        let Op::Run(run) = &program.ops[op as usize] else { return Ok(None) };
        while at > low {
            at = self.before(at);
            if self.follows(run, at) {
                if at > low {
                    self.room.frames.push(Frame::Run { op, low, at });
                }
                return Ok(Some(at));
            }
            self.spend(1)?;
        }
        Ok(None)
    }

    /// The end of what the set takes from `at` on.
    #[inline(always)]
    fn span(&self, set: &Set, until: Option<u8>, at: u32) -> u32 {
        if let Some(end) = until {
            let rest = &self.bytes[at as usize..];
            return at + memchr::memchr(end, rest).unwrap_or(rest.len()) as u32;
        }
        let mut end = at;
        loop {
            let rest = &self.bytes[end as usize..];
            let run = rest.iter().position(|byte| !set.has_ascii(*byte)).unwrap_or(rest.len());
            end += run as u32;
            // Beyond ASCII a byte is not all of a character.
            match self.take(set, end) {
                Some(next) => end = next,
                None => return end,
            }
        }
    }

    /// The end of what the set takes from `at` on, where this run did not come yet.
    fn unknown(&mut self, set: &Set, mark: u32, at: u32) -> u32 {
        let mut end = at;
        while let Some(next) = self.take(set, end)
            && self.test_and_set(mark, next)
        {
            end = next;
        }
        end
    }

    /// As little as a lazy run must take.
    pub(super) fn lazy(
        &mut self,
        op: u32,
        run: &Repeat,
        at: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let Repeat { min, max, mark, .. } = *run;
        let Some(at) = self.must(&self.program.sets[run.set as usize], min, at)? else {
            return Ok(None);
        };
        if max == NONE && !self.mark(mark, at) {
            return Ok(None);
        }
        if max > min {
            let more = if max == NONE { NONE } else { max - min };
            self.room.frames.push(Frame::More { op, at, more });
        }
        Ok(Some(at))
    }

    /// Characters more for a lazy run, up to where what follows can begin.
    pub(super) fn more(
        &mut self,
        op: u32,
        mut at: u32,
        mut more: u32,
    ) -> Result<Option<u32>, Exhausted> {
        let program = self.program;
        let Op::Run(run) = &program.ops[op as usize] else { return Ok(None) };
        let set = &program.sets[run.set as usize];
        while more > 0
            && let Some(next) = self.take(set, at)
        {
            at = next;
            if more != NONE {
                more -= 1;
            } else if !self.mark(run.mark, at) {
                break;
            }
            if self.follows(run, at) {
                if more > 0 {
                    self.room.frames.push(Frame::More { op, at, more });
                }
                return Ok(Some(at));
            }
            self.spend(1)?;
        }
        Ok(None)
    }

    /// Marks a place. Whether nobody was there before.
    #[inline]
    pub(super) fn mark(&mut self, mark: u32, at: u32) -> bool {
        let new = self.test_and_set(mark, at);
        if MARKED && new && self.program.marks[mark as usize].inner {
            self.room.frames.push(Frame::Marked { mark, from: at, to: at });
        }
        new
    }

    #[inline]
    pub(super) fn test_and_set(&mut self, mark: u32, at: u32) -> bool {
        if !MARKED {
            return true;
        }
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
