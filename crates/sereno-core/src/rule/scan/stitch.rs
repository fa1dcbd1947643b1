//! Records that were cut off by a line break: which patterns they may be the beginning of.

use crate::line::Record;
use crate::rule::{Found, Memory, Pattern, Rule};
use regex_automata::hybrid::LazyStateID;
use std::sync::Arc;

/// The patterns that a record may still become, by rule and index.
#[derive(Debug)]
pub(super) struct Open(Vec<(usize, usize, LazyStateID)>);

impl Open {
    /// Of a record that matched nothing and is followed by a line break.
    pub(super) fn of(
        rules: &[Arc<Rule>],
        memories: &mut [Memory],
        record: &Record<'_>,
    ) -> Option<Self> {
        let mut open = Vec::new();
        for (r, (rule, memory)) in rules.iter().zip(memories).enumerate() {
            for (p, pattern) in rule.beginnings(record) {
                let room = memory.room(p);
                let mut state = pattern.partial.start(room);
                for text in [&*record.text, b"\n"] {
                    state = state.and_then(|state| pattern.partial.read(room, state, text));
                }
                open.extend(state.map(|state| (r, p, state)));
            }
        }
        (!open.is_empty()).then_some(Self(open))
    }

    /// Reads on; says whether anything can still become of it.
    pub(super) fn read(
        &mut self,
        rules: &[Arc<Rule>],
        memories: &mut [Memory],
        text: &[u8],
    ) -> bool {
        self.0.retain_mut(|(r, p, state)| {
            let next = pattern(rules, *r, *p)
                .zip(memories.get_mut(*r))
                .and_then(|(pattern, memory)| pattern.partial.read(memory.room(*p), *state, text));
            next.is_some_and(|next| {
                *state = next;
                true
            })
        });
        !self.0.is_empty()
    }

    /// Whether it is whole now.
    pub(super) fn arrived(&self, rules: &[Arc<Rule>], memories: &mut [Memory]) -> bool {
        self.0.iter().any(|(r, p, state)| {
            pattern(rules, *r, *p)
                .zip(memories.get_mut(*r))
                .is_some_and(|(pattern, memory)| pattern.partial.arrived(memory.room(*p), *state))
        })
    }

    /// What is to be said of each rule's record whose end is not to be believed: who wrote it,
    /// where its beginning tells; else that it is there.
    pub(super) fn signs<'r>(
        &self,
        rules: &'r [Arc<Rule>],
        text: &[u8],
    ) -> Vec<(usize, &'r Pattern, Found<'static>)> {
        let mut signs: Vec<(usize, &Pattern, Found<'static>)> = Vec::new();
        for (r, p, _) in &self.0 {
            let told = pattern(rules, *r, *p).and_then(|p| Some((p, p.sender(text)?)));
            let sign = || Some((rules.get(*r)?.sign()?, Found { times: 1, ..Found::default() }));
            let known = signs.iter_mut().find(|(rule, ..)| rule == r);
            match (known, told) {
                (Some(known), Some((pattern, found))) if known.2.addr.is_none() => {
                    *known = (*r, pattern, found);
                }
                (Some(_), _) => {}
                (None, told) => {
                    signs.extend(told.or_else(sign).map(|(pattern, found)| (*r, pattern, found)));
                }
            }
        }
        signs
    }
}

fn pattern(rules: &[Arc<Rule>], rule: usize, pattern: usize) -> Option<&Pattern> {
    rules.get(rule)?.patterns.get(pattern)
}
