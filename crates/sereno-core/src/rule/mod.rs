//! Rules: what the lines of a service's log mean.
//!
//! A [`spec::RuleSpec`] is what a rule file says; a [`Rule`] is the same, compiled; a
//! [`scan::Scan`] reads one source with the rules that care about it. [`session`] joins the
//! lines of one login attempt.

mod fast;
mod literal;
mod pattern;
mod prove;
pub mod scan;
pub mod session;
pub mod spec;
mod starts;

pub use pattern::{Found, Pattern};
pub use prove::{Proof, prove};

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
        let mut starts = Starts::default();
        for (index, pattern) in patterns.iter().enumerate().take(Mask::BITS as usize) {
            pattern.starts.iter().for_each(|start| starts.add(start, 1 << index));
        }
        Ok(Self {
            name: spec.name.clone(),
            format: spec.format,
            programs,
            patterns,
            starts,
            literals,
        })
    }

    /// Whether a record is this rule's business, by its header alone.
    #[must_use]
    pub fn cares(&self, record: &Record<'_>) -> bool {
        match self.format {
            Format::Syslog => {
                record.style == Style::Syslog && self.programs.iter().any(|p| p == record.program)
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
        memory.0.resize_with(self.patterns.len(), || None);
        let headless = self.format == Format::Asterisk && record.level.is_empty();
        let mut candidates = self.starts.of(&record.text);
        let first = std::iter::from_fn(|| {
            let index = candidates.trailing_zeros();
            candidates &= candidates.wrapping_sub(1);
            (index < Mask::BITS).then_some(index as usize)
        });
        let others = Mask::BITS as usize..self.patterns.len();
        first.chain(others).find_map(|index| {
            let pattern = self.patterns.get(index)?;
            if headless && pattern.kind != Kind::Forgery
                || !pattern.may_match(&record.file, &record.text)
            {
                return None;
            }
            pattern.find(&record.text, memory.0.get_mut(index)?).map(|found| (pattern, found))
        })
    }

    /// The pattern that stands for signs of forgery.
    pub(crate) fn sign(&self) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| pattern.kind == Kind::Forgery)
    }

    /// Whether the record begins like one of the patterns without being one.
    pub(crate) fn begins(&self, record: &Record<'_>) -> bool {
        self.patterns.iter().any(|p| p.begins(&record.file, &record.text))
    }
}

/// Room for captures, one per pattern, so that matching does not allocate.
#[derive(Debug, Default)]
pub struct Memory(Vec<Option<Captures>>);

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
