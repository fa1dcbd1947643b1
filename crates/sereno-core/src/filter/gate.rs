//! What a line has to have in it, so that looking closer can be worth it: literals read off the
//! expressions' syntax trees.

use super::Expression;
use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Literals of one filter.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// One of these is in every line that can matter; `None` if that is not known.
    pub(super) any: Option<Vec<Vec<u8>>>,
    all: Option<AhoCorasick>,
    /// One of these besides.
    prefix: Option<AhoCorasick>,
}

impl Gate {
    /// The gate of a filter. Of several lines looked at together each matters.
    pub(super) fn of(
        prefix: Option<&Expression>,
        failures: &[Expression],
        maxlines: usize,
    ) -> Self {
        if maxlines > 1 {
            return Self::default();
        }
        let own = |one: &Expression| one.regex.required().map(<[_]>::to_vec);
        let each: Option<Vec<_>> = failures.iter().map(own).collect();
        let before = prefix.and_then(own);
        let (any, besides) = match each.map(|each| each.concat()) {
            Some(any) => (Some(any), before),
            None => (before, None),
        };
        let any = any.filter(|any| !any.is_empty());
        let build = |literals: &Vec<Vec<u8>>| automaton(literals);
        Self {
            all: any.as_ref().and_then(build),
            prefix: besides.as_ref().filter(|b| !b.is_empty()).and_then(build),
            any,
        }
    }

    pub(super) fn lets_pass(&self, text: &[u8]) -> bool {
        let passes = |gate: &Option<AhoCorasick>| {
            gate.as_ref().is_none_or(|gate| gate.is_match(Input::new(text)))
        };
        passes(&self.all) && passes(&self.prefix)
    }
}

/// The union of gates: what passes none of them passes not here. `None` if everything passes.
pub(super) fn union<'g>(gates: impl Iterator<Item = &'g Gate>) -> Option<AhoCorasick> {
    let each: Option<Vec<_>> = gates.map(|gate| gate.any.clone()).collect();
    automaton(&each?.concat())
}

fn automaton(literals: &[Vec<u8>]) -> Option<AhoCorasick> {
    if literals.is_empty() {
        return None;
    }
    // One that cannot be built lets everything pass.
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(literals).ok()
}
