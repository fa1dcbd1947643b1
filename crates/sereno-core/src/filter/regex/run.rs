//! Runs a [`Program`]: the first way that arrives, as Python's backtracking takes it.
//!
//! Every step counts against a budget where the search is not linear; see [`Program::linear`].

use super::ast::At;
use super::program::{Op, Program};
use super::room::{Exhausted, Frame, NONE, Room};
use super::set::Fold;

/// Steps at most where the search is not linear: a few milliseconds.
const STEPS: u64 = 600_000;

/// Steps for each byte of the text before marks are set.
const GLANCE: u64 = 8;

/// Ways to go back to at most: 64 MiB.
const FRAMES: usize = 4 << 20;

/// Bits of the table of marks at most: 4 MiB.
const TABLE: usize = 32 << 20;

/// A run of a program over a text; `MARKED` where every place that led nowhere is marked.
pub(super) struct Run<'r, const MARKED: bool> {
    pub(super) program: &'r Program,
    pub(super) text: &'r str,
    pub(super) bytes: &'r [u8],
    pub(super) room: &'r mut Room,
    /// Places per row; 0 if nothing is marked.
    pub(super) width: usize,
    /// Steps are not counted here: the marks bound them.
    free: bool,
    steps: u64,
}

/// A search: which program, where it works, and whether a match begins at the text's beginning.
pub(super) struct Search<'r, S> {
    pub(super) program: &'r Program,
    /// Two for every group.
    pub(super) slots: usize,
    pub(super) text: &'r str,
    /// The places where a match may begin.
    pub(super) starts: S,
}

impl<S: Iterator<Item = usize> + Clone> Search<'_, S> {
    /// Searches without marks, which is quicker where little is tried in vain. It may end
    /// [`Exhausted`] although [`Search::run`] would not. The groups are in `room` then.
    pub(super) fn glance(&self, room: &mut Room) -> Result<bool, Exhausted> {
        self.begin::<false>(room, GLANCE * (self.text.len() as u64 + 64))
    }

    /// Searches as long as it takes, up to the budget where there is one.
    pub(super) fn run(&self, room: &mut Room) -> Result<bool, Exhausted> {
        self.begin::<true>(room, STEPS)
    }

    fn begin<const MARKED: bool>(&self, room: &mut Room, steps: u64) -> Result<bool, Exhausted> {
        let Self { program, text, .. } = *self;
        // The last value means "none".
        if text.len() >= u32::MAX as usize {
            return Err(Exhausted);
        }
        let width = text.len() + 1;
        let bits = width.saturating_mul(program.rows as usize);
        let marked = MARKED && bits <= TABLE;
        room.clear(self.slots, program, if marked { bits } else { 0 });
        let width = if marked { width } else { 0 };
        let free = program.marked && marked;
        let bytes = text.as_bytes();
        let mut run = Run::<MARKED> { program, text, bytes, room, width, free, steps };
        for start in self.starts.clone() {
            if let Some(end) = run.run(0, start as u32)? {
                run.room.slots[0] = start as u32;
                run.room.slots[1] = end;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<const MARKED: bool> Run<'_, MARKED> {
    /// From step `op` at place `at` to a [`Op::Done`]: the place where it arrived. What can be
    /// gone back to stays on the frames; if it does not arrive, everything is as it was.
    fn run(&mut self, mut op: u32, mut at: u32) -> Result<Option<u32>, Exhausted> {
        let base = self.room.frames.len();
        let program = self.program;
        loop {
            self.spend(1)?;
            if matches!(program.ops[op as usize], Op::Done) {
                return Ok(Some(at));
            }
            (op, at) = match self.step(op, at)? {
                Some(next) => next,
                None => match self.back(base)? {
                    Some(next) => next,
                    None => return Ok(None),
                },
            };
            if !MARKED {
                op = program.plain[op as usize];
            }
        }
    }

    /// Goes one step; `None` if it leads nowhere.
    #[inline(always)]
    fn step(&mut self, op: u32, at: u32) -> Result<Option<(u32, u32)>, Exhausted> {
        let program = self.program;
        Ok(match &program.ops[op as usize] {
            Op::Literal { from, to } => {
                let wanted = &program.bytes[*from as usize..*to as usize];
                let rest = &self.bytes[at as usize..];
                // Most differ at once; then nothing need be called.
                let found = match wanted {
                    [one] => rest.first() == Some(one),
                    _ => rest.first() == wanted.first() && rest.starts_with(wanted),
                };
                found.then(|| (op + 1, at + wanted.len() as u32))
            }
            Op::Set(set) => self.take(&program.sets[*set as usize], at).map(|next| (op + 1, next)),
            Op::Run(run) => {
                if run.lazy {
                    self.lazy(op, run, at)?.map(|end| (op + 1, end))
                } else {
                    self.greedy(op, run, at)?.map(|end| self.behind(op, end))
                }
            }
            Op::Split { .. } => self.split(op, at)?,
            Op::Jump(to) => Some((*to, at)),
            Op::Save(slot) => {
                self.save(*slot, at);
                Some((op + 1, at))
            }
            Op::At(look) => self.looks(*look, at as usize).then_some((op + 1, at)),
            Op::Mark(mark) => self.mark(*mark, at).then_some((op + 1, at)),
            Op::Begin { register, none } => {
                self.begin(*register, if *none { NONE } else { at });
                Some((op + 1, at))
            }
            Op::Moved { register, otherwise } => {
                let moved = self.room.registers[*register as usize] != at;
                Some((if moved { op + 1 } else { *otherwise }, at))
            }
            Op::Peek { from, to, negated } => {
                let looked_for = &program.bytes[*from as usize..*to as usize];
                let found = self.bytes[at as usize..].starts_with(looked_for);
                (found != *negated).then_some((op + 1, at))
            }
            Op::Ahead(need) => self.comes(*need, at).then_some((op + 1, at)),
            Op::Look { behind, negated, end } => {
                self.look(op + 1, at, *behind, *negated)?.then_some((*end, at))
            }
            Op::Atomic { end } => self.inside(op + 1, at)?.map(|at| (*end, at)),
            Op::Backreference { group, fold } => {
                self.again(*group, *fold, at)?.map(|next| (op + 1, next))
            }
            Op::Condition { group, otherwise } => {
                Some((if self.took(*group) { op + 1 } else { *otherwise }, at))
            }
            // Where it ends is seen before.
            Op::Done | Op::Fail => None,
        })
    }

    #[inline(always)]
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        if MARKED && self.free {
            return Ok(());
        }
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }

    /// Runs something inside, where marks bound less. If it arrives, there is no way back into it.
    fn inside(&mut self, op: u32, at: u32) -> Result<Option<u32>, Exhausted> {
        let free = self.free;
        self.free &= self.program.linear;
        let base = self.room.frames.len();
        let arrived = self.run(op, at)?;
        if arrived.is_some() {
            self.keep(base)?;
        }
        self.free = free;
        Ok(arrived)
    }

    /// The way to take at a split, and at those that follow at once.
    #[inline(always)]
    fn split(&mut self, mut op: u32, at: u32) -> Result<Option<(u32, u32)>, Exhausted> {
        let program = self.program;
        while let Op::Split { ways: [first, second], heads: [begins, otherwise] } =
            &program.ops[op as usize]
        {
            let other = self.may(*otherwise, at);
            if self.may(*begins, at) {
                if other {
                    self.way(*second, at)?;
                }
                return Ok(Some((*first, at)));
            }
            if !other {
                return Ok(None);
            }
            op = if MARKED { *second } else { program.plain[*second as usize] };
            self.spend(1)?;
        }
        Ok(Some((op, at)))
    }

    /// The next way to try, down to frame `base`.
    fn back(&mut self, base: usize) -> Result<Option<(u32, u32)>, Exhausted> {
        while self.room.frames.len() > base {
            match self.room.frames.pop() {
                Some(Frame::Way { op, at }) => return Ok(Some((op, at))),
                Some(Frame::Run { op, low, at }) => {
                    if let Some(at) = self.fewer(op, low, at)? {
                        return Ok(Some(self.behind(op, at)));
                    }
                }
                Some(Frame::More { op, at, more }) => {
                    if let Some(at) = self.more(op, at, more)? {
                        return Ok(Some((op + 1, at)));
                    }
                }
                Some(Frame::Slot { slot, was }) => self.room.slots[slot as usize] = was,
                Some(Frame::Register { register, was }) => {
                    self.room.registers[register as usize] = was;
                }
                Some(Frame::Marked { .. }) | None => {}
            }
            self.spend(1)?;
        }
        Ok(None)
    }

    fn way(&mut self, op: u32, at: u32) -> Result<(), Exhausted> {
        if self.room.frames.len() >= FRAMES {
            return Err(Exhausted);
        }
        self.room.frames.push(Frame::Way { op, at });
        Ok(())
    }

    fn begin(&mut self, register: u32, value: u32) {
        let was = std::mem::replace(&mut self.room.registers[register as usize], value);
        self.room.frames.push(Frame::Register { register, was });
    }

    fn save(&mut self, slot: u32, at: u32) {
        let was = std::mem::replace(&mut self.room.slots[slot as usize], at);
        self.room.frames.push(Frame::Slot { slot, was });
    }

    /// Something inside arrived: what it set stays to be undone, the ways inside are given up,
    /// and its marks are no dead ends.
    fn keep(&mut self, base: usize) -> Result<(), Exhausted> {
        self.spend((self.room.frames.len() - base) as u64)?;
        let mut kept = base;
        for i in base..self.room.frames.len() {
            let frame = self.room.frames[i];
            match frame {
                Frame::Slot { .. } | Frame::Register { .. } => {
                    self.room.frames[kept] = frame;
                    kept += 1;
                }
                Frame::Marked { mark, from, to } => {
                    self.spend(u64::from(to - from))?;
                    self.unmark(mark, from, to);
                }
                _ => {}
            }
        }
        self.room.frames.truncate(kept);
        Ok(())
    }

    /// Whether a look-around whose steps begin at `op` holds.
    fn look(
        &mut self,
        op: u32,
        at: u32,
        behind: Option<u32>,
        negated: bool,
    ) -> Result<bool, Exhausted> {
        let mut from = at;
        for _ in 0..behind.unwrap_or(0) {
            if from == 0 {
                return Ok(negated);
            }
            from = self.before(from);
            self.spend(1)?;
        }
        let base = self.room.frames.len();
        let arrived = self.inside(op, from)?.is_some();
        if arrived && negated {
            self.back(base)?;
        }
        Ok(arrived != negated)
    }

    pub(super) fn took(&self, group: u32) -> bool {
        let slot = group as usize * 2;
        let (from, to) = (self.room.slots[slot], self.room.slots[slot + 1]);
        from != NONE && to != NONE && from <= to
    }

    /// The place behind what a group matched, once more.
    fn again(&mut self, group: u32, fold: Fold, at: u32) -> Result<Option<u32>, Exhausted> {
        let Some(range) = self.room.get(group as usize) else { return Ok(None) };
        let (wanted, rest) = (&self.text[range], &self.text[at as usize..]);
        self.spend(wanted.len() as u64 / 4)?;
        if fold == Fold::Exact {
            return Ok(rest.starts_with(wanted).then(|| at + wanted.len() as u32));
        }
        let mut rest = rest.chars();
        for c in wanted.chars() {
            match rest.next() {
                Some(found) if same(c, found, fold) => {}
                _ => return Ok(None),
            }
        }
        Ok(Some((self.text.len() - rest.as_str().len()) as u32))
    }

    /// Whether one of the program's needs stands at `at` or behind it.
    fn comes(&mut self, need: u32, at: u32) -> bool {
        let last = &mut self.room.lasts[need as usize];
        if *last == NONE {
            let found = memchr::memmem::rfind(self.bytes, &self.program.needs[need as usize]);
            *last = found.map_or(0, |found| found as u32 + 1);
        }
        at < *last
    }

    fn looks(&self, look: At, at: usize) -> bool {
        let (bytes, end) = (self.bytes, self.bytes.len());
        let breaks = |at: usize| bytes.get(at) == Some(&b'\n');
        match look {
            At::Start => at == 0,
            At::LineStart => at == 0 || breaks(at - 1),
            At::End => at == end,
            At::LastLineEnd => at == end || at + 1 == end && breaks(at),
            At::LineEnd => at == end || breaks(at),
            // In a text without characters there is no boundary and no place without one.
            At::Boundary { .. } if end == 0 => false,
            At::Boundary { ascii, negated } => {
                let before = self.text[..at].chars().next_back();
                let after = self.text[at..].chars().next();
                let word = |c: Option<char>| c.is_some_and(|c| super::set::is_word(c, ascii));
                (word(before) != word(after)) != negated
            }
        }
    }
}

/// Whether Python's back-references take one for the other.
fn same(one: char, other: char, fold: Fold) -> bool {
    let small = |c: char| match fold {
        Fold::Exact => c,
        Fold::Ascii => c.to_ascii_lowercase(),
        // Only İ has more than one small letter; the first one is it.
        Fold::Unicode => c.to_lowercase().next().unwrap_or(c),
    };
    small(one) == small(other)
}
