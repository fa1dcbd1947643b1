//! Runs a [`Program`]: the first way that arrives, as Python's backtracking takes it.
//!
//! Every step counts against a budget where the search is not linear; see [`Program::linear`].

use super::ast::At;
use super::program::{Key, Op, Program};
use super::set::{Fold, Set};

/// No place.
const NONE: u32 = u32::MAX;

/// Steps at most where the search is not linear: a few milliseconds.
const STEPS: u64 = 1 << 20;

/// Bits of the table of marks at most: 4 MiB.
const TABLE: usize = 32 << 20;

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
enum Frame {
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
    registers: Vec<u32>,
    frames: Vec<Frame>,
    /// A bit for every place in every row.
    table: Vec<u64>,
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
}

/// A run of a program over a text.
struct Run<'r> {
    program: &'r Program,
    text: &'r str,
    bytes: &'r [u8],
    room: &'r mut Room,
    /// Places per row; 0 if nothing is marked.
    width: usize,
    steps: u64,
}

/// Searches from the places that `starts` gives. The groups are in `room` then.
pub(super) fn search(
    program: &Program,
    slots: usize,
    text: &str,
    starts: impl Iterator<Item = usize>,
    room: &mut Room,
) -> Result<bool, Exhausted> {
    room.slots.clear();
    room.slots.resize(slots, NONE);
    room.registers.clear();
    room.registers.resize(program.registers as usize, NONE);
    room.frames.clear();
    // The last value means "none".
    if text.len() >= NONE as usize {
        return Err(Exhausted);
    }
    let width = text.len() + 1;
    let bits = width.saturating_mul(program.rows as usize);
    let marked = bits <= TABLE;
    room.table.clear();
    room.table.resize(if marked { bits.div_ceil(64) } else { 0 }, 0);
    let width = if marked { width } else { 0 };
    let steps = if program.linear && marked { u64::MAX } else { STEPS };
    let mut run = Run { program, text, bytes: text.as_bytes(), room, width, steps };
    for start in starts {
        if let Some(end) = run.run(0, start as u32)? {
            run.room.slots[0] = start as u32;
            run.room.slots[1] = end;
            return Ok(true);
        }
    }
    Ok(false)
}

impl Run<'_> {
    /// From step `op` at place `at` to a [`Op::Done`]: the place where it arrived. What can be
    /// gone back to stays on the frames; if it does not arrive, everything is as it was.
    fn run(&mut self, mut op: u32, mut at: u32) -> Result<Option<u32>, Exhausted> {
        let base = self.room.frames.len();
        let program = self.program;
        loop {
            self.spend(1)?;
            let step = match &program.ops[op as usize] {
                Op::Literal { from, to } => {
                    let wanted = &program.bytes[*from as usize..*to as usize];
                    let found = self.bytes[at as usize..].starts_with(wanted);
                    found.then(|| (op + 1, at + wanted.len() as u32))
                }
                Op::Set(set) => {
                    self.take(&program.sets[*set as usize], at).map(|next| (op + 1, next))
                }
                Op::Run { set, min, max, lazy, mark } => {
                    let set = &program.sets[*set as usize];
                    let end = match lazy {
                        false => self.greedy(op, (set, *min, *max, *mark), at)?,
                        true => self.lazy(op, (set, *min, *max, *mark), at)?,
                    };
                    end.map(|end| (op + 1, end))
                }
                Op::Split(first, second) => {
                    self.room.frames.push(Frame::Way { op: *second, at });
                    Some((*first, at))
                }
                Op::Jump(to) => Some((*to, at)),
                Op::Save(slot) => {
                    self.save(*slot, at);
                    Some((op + 1, at))
                }
                Op::At(look) => self.looks(*look, at as usize).then_some((op + 1, at)),
                Op::Mark(mark) => self.mark(*mark, at).then_some((op + 1, at)),
                Op::Begin { register, none } => {
                    let register = *register;
                    let value = if *none { NONE } else { at };
                    let was = std::mem::replace(&mut self.room.registers[register as usize], value);
                    self.room.frames.push(Frame::Register { register, was });
                    Some((op + 1, at))
                }
                Op::Moved { register, otherwise } => {
                    let moved = self.room.registers[*register as usize] != at;
                    Some((if moved { op + 1 } else { *otherwise }, at))
                }
                Op::Look { behind, negated, end } => {
                    self.look(op + 1, at, *behind, *negated)?.then_some((*end, at))
                }
                Op::Atomic { end } => {
                    let inside = self.room.frames.len();
                    let arrived = self.run(op + 1, at)?;
                    if arrived.is_some() {
                        self.keep(inside);
                    }
                    arrived.map(|at| (*end, at))
                }
                Op::Backreference { group, fold } => {
                    self.again(*group, *fold, at)?.map(|next| (op + 1, next))
                }
                Op::Condition { group, otherwise } => {
                    Some((if self.took(*group) { op + 1 } else { *otherwise }, at))
                }
                Op::Done => return Ok(Some(at)),
                Op::Fail => None,
            };
            match step {
                Some(next) => (op, at) = next,
                None => match self.back(base)? {
                    Some(next) => (op, at) = next,
                    None => return Ok(None),
                },
            }
        }
    }

    #[inline]
    fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }

    /// The next way to try, down to frame `base`.
    fn back(&mut self, base: usize) -> Result<Option<(u32, u32)>, Exhausted> {
        while self.room.frames.len() > base {
            match self.room.frames.pop() {
                Some(Frame::Way { op, at }) => return Ok(Some((op, at))),
                Some(Frame::Run { op, low, at }) => {
                    let at = self.before(at);
                    if at > low {
                        self.room.frames.push(Frame::Run { op, low, at });
                    }
                    return Ok(Some((op + 1, at)));
                }
                Some(Frame::More { op, at, more }) => {
                    if let Some(at) = self.more(op, at, more) {
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

    fn save(&mut self, slot: u32, at: u32) {
        let was = std::mem::replace(&mut self.room.slots[slot as usize], at);
        self.room.frames.push(Frame::Slot { slot, was });
    }

    /// The place behind a character of the set.
    #[inline]
    fn take(&self, set: &Set, at: u32) -> Option<u32> {
        let byte = *self.bytes.get(at as usize)?;
        if byte < 0x80 {
            return set.has_ascii(byte).then_some(at + 1);
        }
        let c = self.text.get(at as usize..)?.chars().next()?;
        set.has(c).then(|| at + c.len_utf8() as u32)
    }

    /// The place before a character.
    #[inline]
    fn before(&self, at: u32) -> u32 {
        let mut at = at - 1;
        while !self.text.is_char_boundary(at as usize) {
            at -= 1;
        }
        at
    }

    /// The place after at least `min` characters.
    fn must(&mut self, set: &Set, min: u32, mut at: u32) -> Result<Option<u32>, Exhausted> {
        self.spend(u64::from(min / 4))?;
        for _ in 0..min {
            match self.take(set, at) {
                Some(next) => at = next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// As far as a greedy run comes.
    fn greedy(
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
        self.spend(u64::from(at - low) / 4)?;
        if at > low {
            self.room.frames.push(Frame::Run { op, low, at });
        }
        Ok(Some(at))
    }

    /// As little as a lazy run must take.
    fn lazy(
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
    fn more(&mut self, op: u32, at: u32, more: u32) -> Option<u32> {
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
    fn mark(&mut self, mark: u32, at: u32) -> bool {
        let new = self.test_and_set(mark, at);
        if new && self.program.marks[mark as usize].inner {
            self.room.frames.push(Frame::Marked { mark, from: at, to: at });
        }
        new
    }

    #[inline]
    fn test_and_set(&mut self, mark: u32, at: u32) -> bool {
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

    /// Something inside arrived: what it set stays to be undone, the ways inside are given up,
    /// and its marks are no dead ends.
    fn keep(&mut self, base: usize) {
        let mut kept = base;
        for i in base..self.room.frames.len() {
            let frame = self.room.frames[i];
            match frame {
                Frame::Slot { .. } | Frame::Register { .. } => {
                    self.room.frames[kept] = frame;
                    kept += 1;
                }
                Frame::Marked { mark, from, to } => self.unmark(mark, from, to),
                _ => {}
            }
        }
        self.room.frames.truncate(kept);
    }

    fn unmark(&mut self, mark: u32, from: u32, to: u32) {
        let mark = &self.program.marks[mark as usize];
        let Some(row) = mark.row.filter(|_| self.width > 0) else { return };
        for row in row as usize..row as usize + (1 << mark.keys.len()) {
            for at in from as usize..=to as usize {
                let bit = row * self.width + at;
                self.room.table[bit / 64] &= !(1 << (bit % 64));
            }
        }
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
        let arrived = self.run(op, from)?.is_some();
        if arrived {
            self.keep(base);
            if negated {
                self.back(base)?;
            }
        }
        Ok(arrived != negated)
    }

    fn took(&self, group: u32) -> bool {
        self.room.get(group as usize).is_some()
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
