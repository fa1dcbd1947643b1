//! What the steps from some place on can begin with, so that no way is tried that the next byte
//! rules out.

use super::ast::At;
use super::program::{Op, Program};
use std::collections::HashMap;

/// Steps gone through for one answer at most; whoever needs more is not asked.
const FAR: usize = 64;

/// The bytes that can come next. It may have too many, never too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Heads {
    bytes: [u64; 4],
    /// Nothing need come.
    end: bool,
}

impl Heads {
    const ALL: Self = Self { bytes: [u64::MAX; 4], end: true };

    /// Whether they can come at `at`.
    #[inline(always)]
    pub(super) fn may(&self, bytes: &[u8], at: u32) -> bool {
        match bytes.get(at as usize) {
            Some(byte) => self.bytes[usize::from(byte >> 6)] >> (byte & 0x3f) & 1 == 1,
            None => self.end,
        }
    }

    fn add(&mut self, byte: u8) {
        self.bytes[usize::from(byte >> 6)] |= 1 << (byte & 0x3f);
    }

    fn meets(&self, other: &Self) -> bool {
        self.bytes.iter().zip(other.bytes).any(|(ours, theirs)| ours & theirs != 0)
    }

    fn set(&mut self, set: &super::set::Set) {
        (0..0x80).filter(|byte| set.has_ascii(*byte)).for_each(|byte| self.add(byte));
        if set.has_high() {
            self.bytes[2..].fill(u64::MAX);
        }
    }
}

/// Fills in what each way of a program begins with.
pub(super) fn fill(program: &mut Program) {
    let mut known = HashMap::new();
    let mut all = Vec::new();
    let mut index = |heads: Heads| {
        *known.entry(heads).or_insert_with(|| {
            all.push(heads);
            all.len() as u32 - 1
        })
    };
    for at in 0..program.ops.len() {
        match program.ops[at] {
            Op::Split { ways, .. } => {
                let heads = ways.map(|way| index(of(program, way)));
                program.ops[at] = Op::Split { ways, heads };
            }
            Op::Run(mut run) => {
                let next = of(program, at as u32 + 1);
                let mut own = Heads::default();
                own.set(&program.sets[run.set as usize]);
                run.next = index(next);
                run.gives = own.meets(&next);
                (run.then, run.leap) = text(program, at as u32 + 1);
                program.ops[at] = Op::Run(run);
            }
            _ => {}
        }
    }
    program.heads = all.into();
}

/// The text that all ways from `from` on begin with, empty if it is not known; and the step behind
/// it, if nothing is done before but to mark places.
fn text(program: &Program, from: u32) -> ((u32, u32), u32) {
    let (mut at, mut idle) = (from, true);
    for _ in 0..FAR {
        match program.ops.get(at as usize) {
            Some(Op::Mark(_)) => at += 1,
            Some(Op::Jump(to)) => at = *to,
            Some(Op::Save(_) | Op::Ahead(_)) => (at, idle) = (at + 1, false),
            Some(Op::Literal { from, to }) => return ((*from, *to), if idle { at + 1 } else { 0 }),
            _ => break,
        }
    }
    ((0, 0), 0)
}

/// What the steps from `from` on can begin with.
fn of(program: &Program, from: u32) -> Heads {
    let (mut heads, mut seen, mut open) = (Heads::default(), Vec::new(), vec![from]);
    while let Some(at) = open.pop() {
        if seen.contains(&at) {
            continue;
        }
        if seen.len() == FAR {
            return Heads::ALL;
        }
        seen.push(at);
        match &program.ops[at as usize] {
            Op::Literal { from, .. } => heads.add(program.bytes[*from as usize]),
            Op::Set(set) => heads.set(&program.sets[*set as usize]),
            Op::Run(run) => {
                heads.set(&program.sets[run.set as usize]);
                if run.min == 0 {
                    open.push(at + 1);
                }
            }
            Op::Split { ways, .. } => open.extend(ways),
            Op::Jump(to) => open.push(*to),
            Op::At(At::End | At::LastLineEnd | At::LineEnd) => {
                heads.add(b'\n');
                heads.end = true;
            }
            // What is looked at may forbid, but brings nothing new.
            Op::Peek { .. } | Op::Ahead(_) => open.push(at + 1),
            Op::Look { end, .. } => open.push(*end),
            Op::Save(_) | Op::At(_) | Op::Mark(_) | Op::Begin { .. } => open.push(at + 1),
            Op::Moved { otherwise, .. } | Op::Condition { otherwise, .. } => {
                open.extend([at + 1, *otherwise]);
            }
            Op::Atomic { .. } => open.push(at + 1),
            // Behind the end of something inside anything can come.
            Op::Done | Op::Backreference { .. } => return Heads::ALL,
            Op::Fail => {}
        }
    }
    heads
}
