//! What a line has to have in it, so that looking closer can be worth it: literals read off the
//! expressions' syntax trees.

use super::Expression;
use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Literals of one filter.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// One of these is in every line that can matter; `None` if that is not known.
    any: Option<Vec<Vec<u8>>>,
    /// They are those of all failregex.
    known: bool,
    /// One of these besides, for the prefregex.
    prefix: Option<AhoCorasick>,
    /// The literals of all failregex, and whose each is.
    each: Option<(AhoCorasick, Vec<Vec<usize>>)>,
    /// Which failregex need none.
    free: Vec<bool>,
}

impl Gate {
    /// The gate of a filter. Of several lines looked at together each matters.
    pub(super) fn of(
        prefix: Option<&Expression>,
        failures: &[Expression],
        maxlines: usize,
    ) -> Self {
        if maxlines > 1 {
            return Self { free: vec![true; failures.len()], ..Self::default() };
        }
        let own = |one: &Expression| one.regex.required().map(<[_]>::to_vec);
        let mut free = Vec::new();
        let mut owned = Vec::new();
        for (index, one) in failures.iter().enumerate() {
            let required = own(one).unwrap_or_default();
            free.push(required.is_empty());
            owned.extend(required.into_iter().map(|literal| (literal, index)));
        }
        let (literals, owners) = roots(owned);
        let each = automaton(&literals);
        let before = prefix.and_then(own);
        let known = each.is_some() && !free.contains(&true);
        if !known && each.is_none() {
            free.fill(true);
        }
        Self {
            prefix: before.as_deref().and_then(automaton),
            any: if known { Some(literals) } else { before },
            known,
            each: each.map(|each| (each, owners)),
            free,
        }
    }

    /// Says of each failregex whether it may match `text` or a part of it; `false` if none may.
    /// `from` is where the first literal of the gates' [`union`] stands.
    pub(super) fn choose(&self, text: &str, from: usize, chosen: &mut Vec<bool>) -> bool {
        chosen.clear();
        if self.prefix.as_ref().is_some_and(|gate| !gate.is_match(text)) {
            return false;
        }
        chosen.extend_from_slice(&self.free);
        if let Some((each, owners)) = &self.each {
            let mut at = if self.known { from } else { 0 };
            while let Some(found) = each.find(Input::new(text).range(at..)) {
                for owner in &owners[found.pattern().as_usize()] {
                    chosen[*owner] = true;
                }
                // Others may begin inside of it.
                at = found.start() + 1;
            }
        }
        chosen.contains(&true)
    }
}

/// The union of gates: what passes none of them passes not here. `None` if everything passes.
pub(super) fn union<'g>(gates: impl Iterator<Item = Option<&'g Gate>>) -> Option<AhoCorasick> {
    let each: Option<Vec<_>> = gates.map(|gate| gate?.any.clone()).collect();
    automaton(&each?.concat())
}

/// Each literal that begins like no shorter one, and whose it and all are that begin like it: of
/// these no two stand in one place.
fn roots(mut owned: Vec<(Vec<u8>, usize)>) -> (Vec<Vec<u8>>, Vec<Vec<usize>>) {
    owned.sort();
    let (mut roots, mut owners) = (Vec::<Vec<u8>>::new(), Vec::<Vec<usize>>::new());
    for (literal, owner) in owned {
        match (roots.last(), owners.last_mut()) {
            (Some(root), Some(all)) if literal.starts_with(root) => all.push(owner),
            _ => {
                roots.push(literal);
                owners.push(vec![owner]);
            }
        }
    }
    for all in &mut owners {
        all.sort_unstable();
        all.dedup();
    }
    (roots, owners)
}

fn automaton(literals: &[Vec<u8>]) -> Option<AhoCorasick> {
    if literals.is_empty() {
        return None;
    }
    // One that cannot be built lets everything pass.
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(literals).ok()
}
