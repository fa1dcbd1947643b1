//! Writes the program of an expression.

use super::ast::{Greed, Node};
use super::heads;
use super::program::{Key, Mark, Op, Program, Repeat};
use super::set::{Fold, Set};
use super::wrong::Fault;
use std::collections::HashMap;

/// Steps of a program at most.
const LONGEST: usize = 20_000;

/// A bounded run of more characters is not taken for a small piece.
const LONG: u32 = 256;

/// Parts that are gone through to write them, repetitions counted out.
const WORK: u32 = 100_000;

/// Steps from one place of a text at most, those of bounded runs counted one by one, for a search
/// that is not counted: a line of 64 KiB takes some hundred million then.
const WIDEST: u32 = 3_000;

/// Bits of state that are told apart at most.
const KEYS: usize = 4;

/// With more the number of states is no small factor.
const FEW_KEYS: usize = 2;

struct Compiler {
    ops: Vec<Op>,
    bytes: Vec<u8>,
    sets: Vec<Set>,
    marks: Vec<Mark>,
    rows: u32,
    registers: u32,
    /// The state to tell apart here.
    keys: Vec<Key>,
    /// Groups, and what must come somewhere behind once they took part.
    asked: Vec<(u32, u32)>,
    needs: Vec<Box<[u8]>>,
    /// In how many look-arounds and atomic groups this is.
    inner: u32,
    /// The last step is a mark that more ways may join.
    joint: Option<u32>,
    /// The state cannot be told apart by bits.
    unmarked: bool,
    known: HashMap<Set, u32>,
    work: u32,
    /// Characters that bounded runs may take and give back, of all of them together.
    wide: u32,
    /// Something inside of a look-around or an atomic group, or outside, is gone through again
    /// from many places.
    repeats_inside: bool,
    repeats_outside: bool,
}

/// At least and at most how often.
type Bounds = (u32, Option<u32>);

type Result<T> = std::result::Result<T, Fault>;

/// Compiles `node`; `Err` if it gets too long.
pub(super) fn compile(node: &Node) -> Result<Program> {
    let mut this = Compiler {
        ops: Vec::new(),
        bytes: Vec::new(),
        sets: Vec::new(),
        marks: Vec::new(),
        rows: 0,
        registers: 0,
        keys: Vec::new(),
        asked: Vec::new(),
        needs: Vec::new(),
        inner: 0,
        joint: None,
        unmarked: false,
        known: HashMap::new(),
        work: 0,
        wide: 0,
        repeats_inside: false,
        repeats_outside: false,
    };
    this.conditions(node, &mut Vec::new());
    this.node(node)?;
    this.push(Op::Done)?;
    this.unmark_before_backreferences();
    let bounds = |mark: &Mark| mark.row.is_some() && mark.keys.len() <= FEW_KEYS;
    let small = this.wide.saturating_add(this.here()) <= WIDEST;
    let marked = small && !this.repeats_outside && this.marks.iter().all(bounds);
    let mut program = Program {
        ops: this.ops.into(),
        bytes: this.bytes.into(),
        sets: this.sets.into(),
        marks: this.marks.into(),
        needs: this.needs.into(),
        rows: this.rows,
        registers: this.registers,
        marked,
        linear: marked && !this.repeats_inside,
        heads: Box::default(),
        plain: Box::default(),
    };
    program.plain = (0..program.ops.len() as u32).map(|op| program.plain(op)).collect();
    heads::fill(&mut program);
    Ok(program)
}

impl Compiler {
    fn here(&self) -> u32 {
        self.ops.len() as u32
    }

    /// Notes which groups are asked for by conditions. Inside of the group itself the answer
    /// depends on more than a bit.
    fn conditions(&mut self, node: &Node, open: &mut Vec<u32>) {
        match node {
            Node::Group { index, node } => {
                open.push(*index);
                self.conditions(node, open);
                open.pop();
                return;
            }
            Node::Condition { group, .. } => {
                self.unmarked |= open.contains(group);
                let key = Key::Took(*group);
                if !self.keys.contains(&key) && self.keys.len() <= KEYS {
                    self.keys.push(key);
                }
            }
            _ => {}
        }
        for part in node.parts() {
            self.conditions(part, open);
        }
    }

    fn too_large() -> Fault {
        let remedy = "write smaller numbers of repetitions, or several expressions";
        Fault::new((0, usize::MAX), "the expression is too large", remedy)
    }

    fn push(&mut self, op: Op) -> Result<u32> {
        if self.ops.len() >= LONGEST {
            return Err(Self::too_large());
        }
        self.joint = None;
        self.ops.push(op);
        Ok(self.here() - 1)
    }

    fn new_mark(&mut self) -> u32 {
        let keys: Box<[Key]> = self.keys.as_slice().into();
        let row = (keys.len() <= KEYS && !self.unmarked).then_some(self.rows);
        if row.is_some() {
            self.rows += 1 << keys.len();
        }
        self.marks.push(Mark { row, keys, inner: self.inner > 0 });
        self.marks.len() as u32 - 1
    }

    /// Two ways. What they begin with is known when all is written.
    fn split(first: u32, second: u32) -> Op {
        Op::Split { ways: [first, second], heads: [0; 2] }
    }

    /// A mark here, to which several ways lead.
    fn join(&mut self) -> Result<u32> {
        if let Some(at) = self.joint {
            return Ok(at);
        }
        let mark = self.new_mark();
        let at = self.push(Op::Mark(mark))?;
        self.joint = Some(at);
        Ok(at)
    }

    fn set(&mut self, set: &Set) -> u32 {
        if let Some(known) = self.known.get(set) {
            return *known;
        }
        self.sets.push(set.clone());
        let index = self.sets.len() as u32 - 1;
        self.known.insert(set.clone(), index);
        index
    }

    /// Notes bytes that are looked for; says where they are.
    fn text(&mut self, text: &str) -> (u32, u32) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text.as_bytes());
        (start, self.bytes.len() as u32)
    }

    fn literal(&mut self, c: char) -> Result<()> {
        let (start, end) = self.text(c.encode_utf8(&mut [0; 4]));
        // Where nothing joins, neighbours are one step.
        if self.joint.is_none()
            && let Some(Op::Literal { to, .. }) = self.ops.last_mut()
            && *to == start
        {
            *to = end;
            return Ok(());
        }
        self.push(Op::Literal { from: start, to: end }).map(drop)
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        self.work += 1;
        if self.work > WORK {
            return Err(Self::too_large());
        }
        match node {
            Node::Literal(c) => self.literal(*c),
            Node::Set(set) => {
                let set = self.set(set);
                self.push(Op::Set(set)).map(drop)
            }
            Node::At(at) => self.push(Op::At(*at)).map(drop),
            Node::Group { index, node } => {
                self.push(Op::Save(index * 2))?;
                self.node(node)?;
                self.push(Op::Save(index * 2 + 1)).map(drop)
            }
            Node::Sequence(parts) => self.sequence(parts),
            Node::Choice(branches) => self.choice(branches),
            Node::Repeat { node, min, max, greed: Greed::Possessive } => {
                let bounds = (*min, *max);
                self.atomic(|this| this.repeat(node, bounds, Greed::Possessive))
            }
            Node::Repeat { node, min, max, greed } => self.repeat(node, (*min, *max), *greed),
            Node::Atomic(node) => self.atomic(|this| this.node(node)),
            Node::Look { behind, negated, node } => self.look(*behind, *negated, node),
            Node::Backreference { group, fold } => {
                self.push(Op::Backreference { group: *group, fold: *fold }).map(drop)
            }
            Node::Condition { group, yes, no } => self.condition(*group, yes, no),
        }
    }

    fn look(&mut self, behind: Option<u32>, negated: bool, node: &Node) -> Result<()> {
        if let (None, Some(text)) = (behind, fixed(node)) {
            let (from, to) = self.text(&text);
            return self.push(Op::Peek { from, to, negated }).map(drop);
        }
        let at = self.push(Op::Fail)?;
        self.inner(|this| this.node(node))?;
        let end = self.here();
        self.ops[at as usize] = Op::Look { behind, negated, end };
        Ok(())
    }

    fn atomic(&mut self, inside: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let at = self.push(Op::Fail)?;
        self.inner(inside)?;
        self.ops[at as usize] = Op::Atomic { end: self.here() };
        Ok(())
    }

    /// The steps of something that arrives by itself.
    fn inner(&mut self, inside: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        // It may arrive where the whole does not.
        let asked = std::mem::take(&mut self.asked);
        self.inner += 1;
        inside(self)?;
        self.inner -= 1;
        self.asked = asked;
        self.push(Op::Done).map(drop)
    }

    /// A sequence that asks whether groups took part: who let them take part needs what follows
    /// then, and need not try where that does not come.
    fn sequence(&mut self, parts: &[Node]) -> Result<()> {
        let before = self.asked.len();
        let mut conditions = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            if let Node::Condition { group, yes, .. } = part
                && let Some(text) = fixed(yes)
                && conditions.len() < KEYS
            {
                conditions.push((place, (*group, self.needs.len() as u32)));
                self.needs.push(text.into_bytes().into());
            }
        }
        for (place, part) in parts.iter().enumerate() {
            self.asked.truncate(before);
            self.asked.extend(conditions.iter().filter(|(at, _)| *at > place).map(|(_, one)| one));
            self.node(part)?;
        }
        self.asked.truncate(before);
        Ok(())
    }

    fn branch(&mut self, branch: &Node) -> Result<()> {
        for at in 0..self.asked.len() {
            let (group, need) = self.asked[at];
            if branch.always(group) {
                self.push(Op::Ahead(need))?;
            }
        }
        self.node(branch)
    }

    fn choice(&mut self, branches: &[Node]) -> Result<()> {
        let mut jumps = Vec::with_capacity(branches.len());
        for (i, branch) in branches.iter().enumerate() {
            if i + 1 == branches.len() {
                self.branch(branch)?;
                break;
            }
            let split = self.push(Op::Fail)?;
            self.branch(branch)?;
            jumps.push(self.push(Op::Jump(0))?);
            self.ops[split as usize] = Self::split(split + 1, self.here());
        }
        let end = self.join()?;
        for jump in jumps {
            self.ops[jump as usize] = Op::Jump(end);
        }
        Ok(())
    }

    fn condition(&mut self, group: u32, yes: &Node, no: &Node) -> Result<()> {
        let at = self.push(Op::Fail)?;
        self.node(yes)?;
        let jump = self.push(Op::Jump(0))?;
        self.ops[at as usize] = Op::Condition { group, otherwise: self.here() };
        self.node(no)?;
        let end = self.join()?;
        self.ops[jump as usize] = Op::Jump(end);
        Ok(())
    }

    fn repeat(&mut self, node: &Node, (min, max): Bounds, greed: Greed) -> Result<()> {
        if max == Some(0) {
            return Ok(());
        }
        // From inside of a look-around the same run is gone through from every place of the
        // outside, and a long bounded one from every place of its own.
        let long = max.is_some_and(|max| max > LONG);
        self.repeats_inside |= self.inner > 0 && (max.is_none() || long);
        let set = match node {
            Node::Set(set) => Some(set.clone()),
            Node::Literal(c) => Some(Set::of(*c, Fold::Exact)),
            _ => None,
        };
        if let Some(set) = set {
            self.repeats_outside |= long;
            self.wide = self.wide.saturating_add(max.map_or(0, |max| max - min));
            let until = set.all_but();
            let set = self.set(&set);
            let mark = self.new_mark();
            let (max, lazy) = (max.unwrap_or(u32::MAX), greed == Greed::Lazy);
            let (next, then, leap, gives) = (0, (0, 0), 0, true);
            let run = Repeat { set, min, max, lazy, mark, next, then, leap, gives, until };
            self.push(Op::Run(run))?;
            return self.join().map(drop);
        }
        for _ in 0..min {
            self.iteration(node, greed)?;
        }
        match max {
            None => self.iterate(node, greed, None),
            Some(max) if max > min => self.iterate(node, greed, Some(max - min)),
            Some(_) => Ok(()),
        }
    }

    /// Once what is repeated. A possessive repetition takes each for good.
    fn iteration(&mut self, node: &Node, greed: Greed) -> Result<()> {
        if greed == Greed::Possessive {
            return self.atomic(|this| this.node(node));
        }
        self.node(node)
    }

    /// Any number of iterations, or up to `most`.
    ///
    /// As in Python an iteration that takes nothing is the last one.
    fn iterate(&mut self, node: &Node, greed: Greed, most: Option<u32>) -> Result<()> {
        let lazy = greed == Greed::Lazy;
        let register = node.nullable().then_some(self.registers);
        if let Some(register) = register {
            self.registers += 1;
            self.push(Op::Begin { register, none: true })?;
            self.keys.push(Key::Moved(register));
        }
        let mut ways_out = Vec::new();
        for _ in 0..most.unwrap_or(1) {
            let top = match most {
                None => self.top()?,
                Some(_) => self.here(),
            };
            if lazy {
                let split = self.push(Op::Fail)?;
                ways_out.push((split, true));
            }
            if let Some(register) = register {
                let moved = self.push(Op::Moved { register, otherwise: 0 })?;
                if lazy {
                    // Nothing more to try; the way out was tried first.
                    let otherwise = moved + 2;
                    self.ops[moved as usize] = Op::Moved { register, otherwise };
                    self.push(Op::Jump(moved + 3))?;
                    self.push(Op::Fail)?;
                } else {
                    ways_out.push((moved, false));
                }
            }
            if !lazy {
                let split = self.push(Op::Fail)?;
                ways_out.push((split, false));
            }
            if let Some(register) = register {
                self.push(Op::Begin { register, none: false })?;
            }
            self.iteration(node, greed)?;
            if most.is_none() {
                self.push(Op::Jump(top))?;
            }
        }
        if register.is_some() {
            self.keys.pop();
            // The next mark tells other states apart.
            self.joint = None;
        }
        let out = self.join()?;
        for (at, first) in ways_out {
            let op = &mut self.ops[at as usize];
            *op = match op {
                Op::Moved { register, .. } => Op::Moved { register: *register, otherwise: out },
                _ if first => Self::split(out, at + 1),
                _ => Self::split(at + 1, out),
            };
        }
        Ok(())
    }

    /// The mark at the top of a loop.
    fn top(&mut self) -> Result<u32> {
        let mark = self.new_mark();
        self.push(Op::Mark(mark))
    }

    /// Takes the rows from all marks from which a back-reference can be reached.
    fn unmark_before_backreferences(&mut self) {
        let Some(last) = self.ops.iter().rposition(|op| matches!(op, Op::Backreference { .. }))
        else {
            return;
        };
        // Steps go forward but for loops: whatever stands before it, or in a loop around it.
        let jumps_back = |(at, op): (usize, &Op)| match op {
            Op::Jump(to) if (*to as usize) < at => Some((*to as usize, at)),
            _ => None,
        };
        let loops = self.ops.iter().enumerate().filter_map(jumps_back);
        let around = loops.filter(|(top, _)| *top <= last).map(|(_, end)| end).max();
        let last = around.map_or(last, |end| end.max(last));
        for op in &self.ops[..=last] {
            if let Op::Mark(mark) | Op::Run(Repeat { mark, .. }) = op {
                self.marks[*mark as usize].row = None;
            }
        }
    }
}

/// The text of a part that is nothing else.
fn fixed(node: &Node) -> Option<String> {
    match node {
        Node::Literal(c) => Some(c.to_string()),
        Node::Sequence(parts) if !parts.is_empty() => parts.iter().map(fixed).collect(),
        _ => None,
    }
}
