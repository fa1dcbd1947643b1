//! Trying filters out: more is told than a guard wants to know.

use super::{Fields, Filter, Scan, Who};
use crate::addr::Prefix;
use crate::time::Time;
use std::cell::Cell;
use std::sync::Arc;

/// How closely lines are looked at, and what is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Lines that cannot matter are passed over; failures are told, the first of each line.
    #[default]
    Guard,
    /// The same, and the lines that speak of a failure are kept.
    Keep,
    /// All lines are looked at; failures whose address is still unknown are told as well.
    First,
    /// All expressions are tried on all lines; what is no failure is told as well.
    Every,
}

/// What became of the last line.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What the prefregex captured, when it was asked last and if it matched.
    pub prefix: Option<Fields>,
    /// The ignoreregex that matched, as often as they did.
    pub ignored: Vec<usize>,
}

/// What a filter captures of lines that led to a ban of `who`, in their order; `now` is when that
/// was. Of several failures the last one counts. What stood in lines that were not kept is missing.
#[must_use]
pub fn captured<'l>(
    filter: &Arc<Filter>,
    lines: impl IntoIterator<Item = &'l str>,
    who: Prefix,
    now: Time,
) -> Vec<(String, String)> {
    let (mut dated, mut bare) = (Scan::new(), Scan::new());
    dated.add(Arc::clone(filter), false);
    bare.add(Arc::clone(filter), false);
    let mut last = Vec::new();
    for line in lines {
        let found = Cell::new(false);
        let mut keep = |_: usize, finding: &super::Finding<'_>| {
            let about = matches!(finding.who, Who::Prefix(prefix) if prefix.overlaps(who));
            if about {
                let fields = finding.story.fields.iter();
                last = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
                found.set(true);
            }
        };
        dated.line(line.as_bytes(), now, &mut keep);
        // Lines of the journal have no date.
        if !found.get() {
            bare.entry(line.as_bytes(), now, &mut keep);
        }
    }
    last
}
