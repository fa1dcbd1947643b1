//! Rules: what the lines of a service's log mean.
//!
//! A [`spec::RuleSpec`] is what a rule file says; a [`Rule`] is the same, compiled; a
//! [`scan::Scan`] reads one source with the rules that care about it. [`session`] joins the
//! lines of one login attempt.

mod fast;
pub(crate) mod literal;
mod partial;
mod pattern;
mod prove;
pub mod scan;
mod sender;
pub mod session;
pub mod spec;
pub(crate) mod starts;

pub use pattern::{Found, Pattern};
pub use prove::{Proof, prove};

use crate::bytes;
use crate::line::{Record, Style};
use regex_automata::util::captures::Captures;
use spec::{Format, Kind, RuleSpec};
use starts::{Mask, Starts};

/// A rule ready to read lines.
#[derive(Debug)]
pub struct Rule {
    /// The name jails call it by.
    pub name: String,
    /// The framing of its lines.
    pub format: Format,
    programs: Vec<Vec<u8>>,
    /// The patterns, in the order in which they are tried.
    pub patterns: Vec<Pattern>,
    /// Which of the first patterns a text can match, by the way it begins.
    starts: Starts,
    /// Those of them that begin with fixed text.
    fixed: Mask,
    /// The gate's literals; empty when some pattern has none, and every line must be looked at.
    literals: Vec<Vec<u8>>,
}

/// A mistake in a rule: which pattern, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// The pattern's id; empty when the rule itself is wrong.
    pub pattern: String,
    /// A sentence for the administrator.
    pub why: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pattern.as_str() {
            "" => write!(f, "rule {}: {}", self.rule, self.why),
            pattern => write!(f, "rule {}, pattern {pattern}: {}", self.rule, self.why),
        }
    }
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// Every pattern that is wrong, each with its reason.
    pub fn compile(spec: &RuleSpec) -> Result<Self, Vec<RuleError>> {
        let fail = |pattern: &str, why: String| RuleError {
            rule: spec.name.clone(),
            pattern: pattern.to_owned(),
            why,
        };
        let mut errors = Vec::new();
        let mut patterns: Vec<Pattern> = Vec::with_capacity(spec.patterns.len());
        for one in &spec.patterns {
            if patterns.iter().any(|p| *p.id == *one.id) {
                errors.push(fail(&one.id, "two patterns have this id".to_owned()));
            }
            match Pattern::compile(one, &spec.define) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => errors.push(fail(&one.id, why)),
            }
        }
        if spec.format == Format::Syslog && spec.programs.is_empty() {
            errors.push(fail("", "format = \"syslog\" needs programs = [...]".to_owned()));
        }
        if patterns.is_empty() && errors.is_empty() {
            errors.push(fail("", "it has no pattern".to_owned()));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let required: Option<Vec<_>> = patterns.iter().map(|p| p.required.clone()).collect();
        let mut literals: Vec<Vec<u8>> =
            required.unwrap_or_default().into_iter().flatten().collect();
        reduce(&mut literals);
        let programs = spec.programs.iter().map(|p| p.as_bytes().to_vec()).collect();
        let (mut starts, mut fixed) = (Starts::default(), 0);
        for (index, pattern) in patterns.iter().enumerate().take(Mask::BITS as usize) {
            pattern.starts.iter().for_each(|start| starts.add(start, 1 << index));
            fixed |= Mask::from(pattern.starts.iter().all(|start| !start.is_empty())) << index;
        }
        Ok(Self {
            name: spec.name.clone(),
            format: spec.format,
            programs,
            patterns,
            starts,
            fixed,
            literals,
        })
    }

    /// Whether a record is this rule's business, by its header alone.
    #[must_use]
    pub fn cares(&self, record: &Record<'_>) -> bool {
        match self.format {
            Format::Syslog => {
                record.style == Style::Syslog
                    && self.programs.iter().any(|p| bytes::same(p, record.program))
            }
            // What has no level is no record of Asterisk's, but may be the end of one.
            Format::Asterisk => true,
            Format::Plain => true,
        }
    }

    /// The first pattern that matches the record's whole text.
    pub fn find<'r, 't>(
        &'r self,
        record: &'t Record<'_>,
        memory: &mut Memory,
    ) -> Option<(&'r Pattern, Found<'t>)> {
        let (index, found) = self.matched(record, &record.text, memory).1?;
        Some((self.patterns.get(index)?, found))
    }

    /// The place of the first pattern that matches the text of a record; and which patterns begin
    /// with the fixed text that this one begins with.
    fn matched<'t>(
        &self,
        record: &Record<'_>,
        text: &'t [u8],
        memory: &mut Memory,
    ) -> (Mask, Option<(usize, Found<'t>)>) {
        if memory.0.len() < self.patterns.len() {
            memory.0.resize_with(self.patterns.len(), Default::default);
        }
        let headless = self.format == Format::Asterisk && record.level.is_empty();
        let candidates = self.starts.of(text);
        let found = self.listed(candidates).find_map(|(index, pattern)| {
            if headless && pattern.kind != Kind::Forgery || !pattern.is_of(&record.file) {
                return None;
            }
            let captures = &mut memory.0.get_mut(index)?.captures;
            pattern.find(text, captures).map(|found| (index, found))
        });
        (candidates & self.fixed, found)
    }

    /// The patterns of a mask, and those that are in none.
    fn listed(&self, mut mask: Mask) -> impl Iterator<Item = (usize, &Pattern)> {
        let first = std::iter::from_fn(move || {
            let index = mask.trailing_zeros();
            mask &= mask.wrapping_sub(1);
            (index < Mask::BITS).then_some(index as usize)
        });
        let others = Mask::BITS as usize..self.patterns.len();
        first.chain(others).filter_map(|index| Some((index, self.patterns.get(index)?)))
    }

    /// The pattern that stands for signs of forgery.
    pub(crate) fn sign(&self) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| pattern.kind == Kind::Forgery)
    }

    /// The patterns that a record of Asterisk's, cut off by a line break, may be the beginning of,
    /// by the way it begins.
    pub(crate) fn beginnings(
        &self,
        record: &Record<'_>,
    ) -> impl Iterator<Item = (usize, &Pattern)> {
        let ours = self.format == Format::Asterisk && !record.level.is_empty();
        let mask = if ours { self.starts.of(&record.text) } else { 0 };
        self.listed(mask).filter(move |(_, pattern)| ours && pattern.begins(&record.file))
    }
}

/// Room for one pattern's captures and states, so that matching does not allocate.
#[derive(Debug, Default)]
struct Room {
    captures: Option<Captures>,
    states: partial::Room,
}

/// Room for each pattern of a rule.
#[derive(Debug, Default)]
pub struct Memory(Vec<Room>);

impl Memory {
    /// The room for a pattern's states.
    fn room(&mut self, pattern: usize) -> &mut partial::Room {
        if self.0.len() <= pattern {
            self.0.resize_with(pattern + 1, Default::default);
        }
        &mut self.0[pattern].states
    }
}

#[cfg(test)]
mod tests;

/// Drops literals that contain another one: the shorter is found wherever the longer is.
fn reduce(literals: &mut Vec<Vec<u8>>) {
    literals.sort_by_key(Vec::len);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for literal in literals.drain(..) {
        if !kept.iter().any(|k| memchr::memmem::find(&literal, k).is_some()) {
            kept.push(literal);
        }
    }
    *literals = kept;
}
