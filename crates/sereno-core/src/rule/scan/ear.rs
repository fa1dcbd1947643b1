//! Who takes the hits of a scan, and how they are handed over.
//!
//! What a hit is joined with (its session, its stranger) is somewhere in memory that the processor
//! has not near, and waiting for it costs more than all the reading. Waits for things that do not
//! depend on each other overlap. So hits are gathered, shown all at once, and then given one by one.

use super::{Hit, Place};
use crate::line::Record;
use crate::rule::{Found, Rule};
use std::sync::Arc;

/// Hits that are gathered at most.
const BURST: usize = 32;

/// Takes the hits of a scan.
pub trait Ear {
    /// These come next, in this order: an occasion to look up what they are about. Nothing is to be
    /// changed yet.
    fn expect(&mut self, hits: &mut [Hit<'_>]);

    /// A hit.
    fn hear(&mut self, hit: &Hit<'_>);
}

/// Where hits go.
enum To<'e> {
    /// Each when it is found.
    Each(&'e mut dyn FnMut(Hit<'_>)),
    /// Many at once.
    Bursts(&'e mut dyn Ear),
}

/// A hit without its record.
pub(super) struct Waiting<'b> {
    pub(super) rule: usize,
    /// The place of the pattern in its rule.
    pub(super) pattern: usize,
    pub(super) found: Found<'b>,
    pub(super) place: Place<'b>,
}

impl<'b> Waiting<'b> {
    /// The hit.
    pub(super) fn hit<'a>(self, rules: &'a [Arc<Rule>], record: &'a Record<'a>) -> Option<Hit<'a>>
    where
        'b: 'a,
    {
        let pattern = rules.get(self.rule)?.patterns.get(self.pattern)?;
        Some(self.place.hit(self.rule, pattern, self.found, record))
    }
}

/// Hands hits over, in order.
pub(super) struct Out<'b, 'e> {
    to: To<'e>,
    /// Each with the place of its record.
    waiting: Vec<(usize, Waiting<'b>)>,
    records: Vec<Record<'b>>,
}

impl<'b, 'e> Out<'b, 'e> {
    /// Each when it is found.
    pub(super) fn at_once(emit: &'e mut dyn FnMut(Hit<'_>)) -> Self {
        Self { to: To::Each(emit), waiting: Vec::new(), records: Vec::new() }
    }

    /// Many at once.
    pub(super) fn in_bursts(ear: &'e mut dyn Ear) -> Self {
        Self { to: To::Bursts(ear), waiting: Vec::new(), records: Vec::new() }
    }

    /// Whether hits may wait.
    pub(super) fn gathers(&self) -> bool {
        matches!(self.to, To::Bursts(_))
    }

    /// A hit that may wait, of the next record to be kept.
    pub(super) fn gather(&mut self, waiting: Waiting<'b>) {
        self.waiting.push((self.records.len(), waiting));
    }

    /// Keeps a record, if hits of it wait; hands all over when they are enough.
    #[inline(always)]
    pub(super) fn keep(&mut self, record: Record<'b>, rules: &[Arc<Rule>]) {
        if self.waiting.last().is_none_or(|(of, _)| *of != self.records.len()) {
            return;
        }
        self.records.push(record);
        if self.waiting.len() >= BURST {
            self.flush(rules);
        }
    }

    /// A hit that cannot wait.
    pub(super) fn give(&mut self, hit: Hit<'_>, rules: &[Arc<Rule>]) {
        self.flush(rules);
        match &mut self.to {
            To::Each(emit) => emit(hit),
            To::Bursts(ear) => ear.hear(&hit),
        }
    }

    /// Hands over what waits.
    pub(super) fn flush(&mut self, rules: &[Arc<Rule>]) {
        let To::Bursts(ear) = &mut self.to else { return };
        if self.waiting.is_empty() {
            return;
        }
        let records = &self.records;
        let hit =
            |(record, waiting): (usize, Waiting<'b>)| waiting.hit(rules, records.get(record)?);
        let mut hits: Vec<Hit<'_>> = Vec::with_capacity(self.waiting.len());
        hits.extend(self.waiting.drain(..).filter_map(hit));
        ear.expect(&mut hits);
        hits.iter().for_each(|hit| ear.hear(hit));
        self.records.clear();
    }
}
