//! Python's regular expressions with fail2ban's tags, on engines that cannot be stalled.
//!
//! [`Regex::compile`] takes what fail2ban hands to its `FailRegex`: the tags `<HOST>`, `<ADDR>`,
//! `<F-USER>`, `<SKIPLINES>` and so on are resolved here as fail2ban 1.0 does, and the rest is read
//! as Python 3.11 reads a `str` pattern (`parse`). A search is `re.search`: the same texts match,
//! and the same groups are found.
//!
//! A search goes several ways down. A lazy automaton of a plain expression that matches more (`over`,
//! `sieve`) turns most texts away in linear time; an anchored expression does without, unless what
//! follows takes too long. Then comes a try that keeps no marks (`Search::glance`) and may take as
//! many steps as a text needs that leads nowhere twice; what an expression can begin with (`heads`)
//! rules out most of its ways by the next byte. What that try does not decide is matched step by
//! step in Python's order (`program`, `run`), where every place that led nowhere is marked and not
//! tried again: that is linear too, with look-arounds and conditions. Only where a back-reference
//! makes this impossible, or one of the rarer things [`Regex::is_linear`] tells, is there a budget
//! of steps, and [`Exhausted`] when it is used up.
//!
//! `fancy-regex` would be the usual engine for this. Its limit counts how often it turns back, and
//! between two turns it may read the whole line; and with it fail2ban's own expressions took eleven
//! times the memory and twenty times as long to compile.
//!
//! What fail2ban's own expressions take to compile, to search and to keep, and what the worst lines
//! cost that were made for the purpose, `tests/python_regex.rs` measures and prints.

mod ast;
mod compile;
mod heads;
mod over;
mod parse;
mod program;
mod room;
mod run;
mod set;
mod sieve;
mod span;
mod tags;
mod wrong;

#[cfg(test)]
mod tests;

pub use crate::wrong::Wrong;
pub use room::{Exhausted, Room};

use crate::rule::literal;
use ast::{At, Node};
use program::Program;
use sieve::Sieve;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// How an expression is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `maxlines` is more than 1: `^` and `$` are those of every line.
    pub multiline: bool,
    /// `usedns` is not `no`: `<HOST>` takes names too.
    pub raw_or_dns: bool,
}

/// The groups of which a failregex or its prefregex needs one, so that there is something to ban.
const IDS: [&str; 5] = ["fid", "ip4", "ip6", "dns", "mlfid"];

/// An expression, ready to search.
#[derive(Debug)]
pub struct Regex {
    names: BTreeMap<String, u32>,
    groups: u32,
    /// Those with names that every match has something in.
    always: Box<[u32]>,
    program: Program,
    anchored: bool,
    /// What a match can begin with; `None`: anything.
    first: Option<Box<[bool; 256]>>,
    required: Option<Vec<Vec<u8>>>,
    starts: Vec<Vec<u8>>,
    /// The expression, tags filled in, for the sieve: a third of what its tree would take.
    text: Box<str>,
    multiline: bool,
    sieve: OnceLock<Option<Sieve>>,
}

impl Regex {
    /// Compiles `text`, a line of `failregex`, `prefregex` or `ignoreregex` in which fail2ban's
    /// `<options>` are filled in.
    ///
    /// # Errors
    /// What Python refuses, what is larger than the limits here, and the few things that cannot be
    /// expressed: characters by name (`\N{...}`) and the flag `t`.
    pub fn compile(text: &str, options: Options) -> Result<Self, Wrong> {
        let filled = tags::fill(text, options.raw_or_dns)?;
        Self::build(&filled.text, options).map_err(|fault| filled.blame(text, fault))
    }

    fn build(text: &str, options: Options) -> Result<Self, wrong::Fault> {
        let parsed = parse::parse(text, options.multiline)?;
        let program = compile::compile(&parsed.node)?;
        let over = over::over(&parsed.node);
        let required = literal::LINES.required(&over);
        let named = parsed.names.values().copied();
        Ok(Self {
            always: named.filter(|group| parsed.node.always(*group)).collect(),
            names: parsed.names,
            groups: parsed.groups,
            program,
            anchored: anchored(&parsed.node),
            starts: literal::starts(&over),
            first: over::first(&over),
            required,
            text: text.into(),
            multiline: options.multiline,
            sieve: OnceLock::new(),
        })
    }

    /// The groups with names, and their indexes for [`Room::get`].
    pub fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names.iter().map(|(name, index)| (name.as_str(), *index as usize))
    }

    /// The index of the group with this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<usize> {
        self.names.get(name).map(|index| *index as usize)
    }

    /// Whether every match has something in the group with this name.
    #[must_use]
    pub fn always(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|index| self.always.contains(index))
    }

    /// Whether it has a group that says whom to ban, or ties lines together that do.
    #[must_use]
    pub fn has_id(&self) -> bool {
        IDS.iter().any(|name| self.names.contains_key(*name))
    }

    /// Whether every search of a text of up to 64 KiB ends by itself, in time linear in its length.
    /// It may not where there are back-references, unlimited repetitions in a look-around or an
    /// atomic group, sets repeated up to more than 256 times, more than two loops in each other that
    /// may take nothing, conditions on many groups or in the group itself, hundreds of branches, or bounded repetitions
    /// of some thousand characters together.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        self.program.linear && self.program.rows <= 500
    }

    /// Every text that matches has one of these in it, of three bytes at least; `None` if nothing
    /// is known.
    #[must_use]
    pub fn required(&self) -> Option<&[Vec<u8>]> {
        self.required.as_deref()
    }

    /// Where every text that matches begins with one of these: these. An empty one says nothing.
    #[must_use]
    pub(super) fn starts(&self) -> Option<&[Vec<u8>]> {
        self.anchored.then_some(&self.starts)
    }

    /// Searches `text`, which ends in the line break that fail2ban appends; the groups are in
    /// `room` then.
    ///
    /// # Errors
    /// It took too many steps; never if [`Regex::is_linear`].
    pub fn search(&self, text: &str, room: &mut Room) -> Result<bool, Exhausted> {
        let found = self.seek(text, room);
        if found != Ok(true) {
            room.slots.clear();
        }
        found
    }

    fn seek(&self, text: &str, room: &mut Room) -> Result<bool, Exhausted> {
        let bytes = text.as_bytes();
        let starts = if self.anchored { 0..1 } else { 0..bytes.len() + 1 };
        let may_start = |at: &usize| match (&self.first, bytes.get(*at)) {
            (Some(first), Some(byte)) => first[usize::from(*byte)],
            (Some(_), None) => false,
            (None, _) => text.is_char_boundary(*at),
        };
        let (slots, starts) = (self.groups as usize * 2, starts.filter(may_start));
        let search = run::Search { program: &self.program, slots, text, starts };
        // From one place a match or its absence is mostly found sooner than the sieve reads the text.
        if self.anchored
            && let Ok(found) = search.glance(room)
        {
            return Ok(found);
        }
        let sieve = self.sieve.get_or_init(|| self.sieve());
        if sieve.as_ref().is_some_and(|sieve| !sieve.lets_pass(text)) {
            return Ok(false);
        }
        if !self.anchored
            && let Ok(found) = search.glance(room)
        {
            return Ok(found);
        }
        search.run(room)
    }

    /// Made when it is first wanted: most expressions of a tree are never asked.
    fn sieve(&self) -> Option<Sieve> {
        let parsed = parse::parse(&self.text, self.multiline).ok()?;
        Sieve::new(&over::over(&parsed.node), self.anchored)
    }
}

/// Whether a match begins where the text does.
fn anchored(node: &Node) -> bool {
    match node {
        Node::At(at) => *at == At::Start,
        Node::Group { node, .. } | Node::Atomic(node) => anchored(node),
        Node::Sequence(parts) => {
            let before = parts.iter().take_while(|part| !anchored(part)).count();
            before < parts.len()
                && parts[..before].iter().all(|p| matches!(p, Node::At(_) | Node::Look { .. }))
        }
        Node::Choice(branches) => branches.iter().all(anchored),
        Node::Repeat { node, min, .. } => *min > 0 && anchored(node),
        _ => false,
    }
}
