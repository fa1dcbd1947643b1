//! An expression as a program for [`super::run`].
//!
//! Where ways through the expression come together the program has a [`Op::Mark`]: whoever comes
//! there a second time at the same place of the text, in the same state, can turn back at once,
//! since the first one did not arrive. Between two marks there is one way only, so the marks bound
//! the whole search by the length of the program times that of the text.
//!
//! The state is what later steps ask for beside the place: whether an iteration took anything yet
//! (where one may take nothing) and whether a group took part (where a condition asks). Each is a
//! bit, and a mark has a row of the table for every combination. What a back-reference asks for is
//! no bit; from where one can still be reached nothing is marked.

use super::ast::At;
use super::heads::Heads;
use super::set::{Fold, Set};

/// Marks and jumps that are passed over at once, at most.
const FAR: usize = 16;

/// A step.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Takes the bytes `from..to` of [`Program::bytes`].
    Literal {
        from: u32,
        to: u32,
    },
    /// Takes a character.
    Set(u32),
    /// Takes characters of one set and goes on behind them.
    Run(Repeat),
    /// Two ways, the first is better; and what they begin with.
    Split {
        ways: [u32; 2],
        heads: [u32; 2],
    },
    Jump(u32),
    Save(u32),
    At(At),
    /// Goes on where nobody was.
    Mark(u32),
    /// Remembers in a register where an iteration begins, or that none began.
    Begin {
        register: u32,
        none: bool,
    },
    /// Goes elsewhere if the iteration took nothing.
    Moved {
        register: u32,
        otherwise: u32,
    },
    /// Looks whether the bytes `from..to` of [`Program::bytes`] stand here.
    Peek {
        from: u32,
        to: u32,
        negated: bool,
    },
    /// Goes on where this one of [`Program::needs`] stands here or somewhere behind.
    Ahead(u32),
    /// Looks whether the steps up to `end` arrive.
    Look {
        behind: Option<u32>,
        negated: bool,
        end: u32,
    },
    /// Takes what the steps up to `end` take, for good.
    Atomic {
        end: u32,
    },
    Backreference {
        group: u32,
        fold: Fold,
    },
    Condition {
        group: u32,
        otherwise: u32,
    },
    Done,
    Fail,
}

/// Characters of one set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) set: u32,
    pub(super) min: u32,
    /// The last value means any number.
    pub(super) max: u32,
    pub(super) lazy: bool,
    pub(super) mark: u32,
    /// What comes behind begins with.
    pub(super) next: u32,
    /// And with these of [`Program::bytes`], if they are known.
    pub(super) then: (u32, u32),
    /// The step behind them, if nothing else is done before; 0: none.
    pub(super) leap: u32,
    /// What comes behind may begin with one of these characters.
    pub(super) gives: bool,
    /// The only character that it does not take.
    pub(super) until: Option<u8>,
}

/// A bit of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The iteration of this register took something.
    Moved(u32),
    /// This group took part.
    Took(u32),
}

/// A place where ways come together.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Its first row in the table; `None`: it cannot be marked.
    pub(super) row: Option<u32>,
    /// Each doubles its rows.
    pub(super) keys: Box<[Key]>,
    /// It stands inside of something that may arrive without the whole arriving.
    pub(super) inner: bool,
}

impl Program {
    /// The first step from `op` on that neither marks nor jumps. Loops have others in them.
    pub(super) fn plain(&self, mut op: u32) -> u32 {
        for _ in 0..FAR {
            match self.ops.get(op as usize) {
                Some(Op::Mark(_)) => op += 1,
                Some(Op::Jump(to)) => op = *to,
                _ => break,
            }
        }
        op
    }
}

/// A program.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) ops: Box<[Op]>,
    pub(super) bytes: Box<[u8]>,
    pub(super) sets: Box<[Set]>,
    pub(super) marks: Box<[Mark]>,
    pub(super) heads: Box<[Heads]>,
    /// What ways through the expression need somewhere behind.
    pub(super) needs: Box<[Box<[u8]>]>,
    /// Where each step leads that neither marks nor jumps: itself, or one behind.
    pub(super) plain: Box<[u32]>,
    pub(super) rows: u32,
    pub(super) registers: u32,
    /// Everything outside of look-arounds and atomic groups is marked.
    pub(super) marked: bool,
    /// The whole search is linear.
    pub(super) linear: bool,
}
