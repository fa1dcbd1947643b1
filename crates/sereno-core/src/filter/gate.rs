//! What a line has to have in it, so that looking closer can be worth it: literals read off the
//! expressions' syntax trees.

use super::Expression;
use crate::rule::starts::{Mask, Starts};
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
    /// How texts begin that a failregex can match, if all of them say that.
    starts: Option<Starts>,
    /// Which failregex need no literal.
    free: Vec<usize>,
}

impl Gate {
    /// The gate of a filter. Of several lines looked at together each matters.
    pub(super) fn of(
        prefix: Option<&Expression>,
        failures: &[Expression],
        maxlines: usize,
    ) -> Self {
        if maxlines > 1 {
            return Self { free: (0..failures.len()).collect(), ..Self::default() };
        }
        let own = |one: &Expression| one.regex.required().map(<[_]>::to_vec);
        let mut free = Vec::new();
        let mut owned = Vec::new();
        for (index, one) in failures.iter().enumerate() {
            let required = own(one).unwrap_or_default();
            if required.is_empty() {
                free.push(index);
            }
            owned.extend(required.into_iter().map(|literal| (literal, index)));
        }
        let (literals, owners) = roots(owned);
        let each = automaton(&literals);
        let before = prefix.and_then(own);
        let known = each.is_some() && free.is_empty();
        if !known && each.is_none() {
            free = (0..failures.len()).collect();
        }
        Self {
            prefix: before.as_deref().and_then(automaton),
            any: if known { Some(literals) } else { before },
            known,
            each: each.map(|each| (each, owners)),
            starts: if known { starts(failures) } else { None },
            free,
        }
    }

    /// Whether a line may matter. `from` is where the first literal of the gates' [`union`] stands;
    /// where this is the only one of them, it is its own.
    pub(super) fn passes(&self, text: &str, from: usize, only: bool) -> bool {
        self.prefix.as_ref().is_none_or(|gate| gate.is_match(text))
            && match &self.each {
                Some((each, _)) if self.known && !only => {
                    each.is_match(Input::new(text).range(from..))
                }
                _ => true,
            }
    }

    /// Which failregex may match `text`, what is left of a line that passes, in their order.
    pub(super) fn choose(&self, text: &str, chosen: &mut Vec<usize>) {
        chosen.clear();
        if let Some(starts) = &self.starts {
            let mut mask = starts.of(text.as_bytes());
            while mask != 0 {
                chosen.push(mask.trailing_zeros() as usize);
                mask &= mask - 1;
            }
            return;
        }
        chosen.extend_from_slice(&self.free);
        if let Some((each, owners)) = &self.each {
            let mut at = 0;
            while let Some(found) = each.find(Input::new(text).range(at..)) {
                chosen.extend_from_slice(&owners[found.pattern().as_usize()]);
                // Others may begin inside of it.
                at = found.start() + 1;
            }
            chosen.sort_unstable();
            chosen.dedup();
        }
    }
}

/// How texts begin that any of the failregex can match; `None` if one of them does not say it.
fn starts(failures: &[Expression]) -> Option<Starts> {
    let mut all = Starts::default();
    for (index, one) in failures.iter().enumerate() {
        let bit = Mask::checked_shl(1, index as u32)?;
        one.regex.starts()?.iter().for_each(|start| all.add(start, bit));
    }
    Some(all)
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
