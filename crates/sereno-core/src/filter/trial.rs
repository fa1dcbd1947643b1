//! Trying filters out: more is told than a guard wants to know.

use super::Fields;

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
