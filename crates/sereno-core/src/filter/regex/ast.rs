//! What an expression means, flags worked in.

use super::set::{Fold, Set};

/// Where a text is looked at without taking anything from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// `\A`, and `^` without `m`.
    Start,
    /// `^` with `m`.
    LineStart,
    /// `\Z`.
    End,
    /// `$` without `m`: the end, or before the line break there.
    LastLineEnd,
    /// `$` with `m`.
    LineEnd,
    /// `\b` or, negated, `\B`.
    Boundary { ascii: bool, negated: bool },
}

/// How a repetition takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greed {
    /// As much as it can, and gives back.
    Greedy,
    /// As little as it must.
    Lazy,
    /// As much as it can, for good.
    Possessive,
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(char),
    Set(Set),
    At(At),
    /// A group that remembers; group 0 is the whole match and has no node.
    Group {
        index: u32,
        node: Box<Self>,
    },
    Sequence(Vec<Self>),
    Choice(Vec<Self>),
    Repeat {
        node: Box<Self>,
        min: u32,
        max: Option<u32>,
        greed: Greed,
    },
    Atomic(Box<Self>),
    /// `behind`: how many characters back it begins.
    Look {
        behind: Option<u32>,
        negated: bool,
        node: Box<Self>,
    },
    Backreference {
        group: u32,
        fold: Fold,
    },
    Condition {
        group: u32,
        yes: Box<Self>,
        no: Box<Self>,
    },
}

/// How many characters a part takes, at least and at most; the greatest number is "any".
pub(super) type Width = (u32, u32);

impl Node {
    /// `groups`: the widths of the groups that are closed, for back-references.
    pub(super) fn width(&self, groups: &[Option<Width>]) -> Width {
        match self {
            Self::Literal(_) | Self::Set(_) => (1, 1),
            Self::At(_) | Self::Look { .. } => (0, 0),
            Self::Group { node, index } => {
                groups.get(*index as usize).copied().flatten().unwrap_or_else(|| node.width(groups))
            }
            Self::Atomic(node) => node.width(groups),
            Self::Sequence(parts) => parts.iter().map(|part| part.width(groups)).fold((0, 0), add),
            Self::Choice(branches) => {
                branches.iter().map(|b| b.width(groups)).reduce(either).unwrap_or((0, 0))
            }
            Self::Repeat { node, min, max, .. } => {
                let (low, high) = node.width(groups);
                (low.saturating_mul(*min), high.saturating_mul(max.unwrap_or(u32::MAX)))
            }
            Self::Backreference { group, .. } => {
                groups.get(*group as usize).copied().flatten().unwrap_or((0, u32::MAX))
            }
            Self::Condition { yes, no, .. } => either(yes.width(groups), no.width(groups)),
        }
    }

    /// Whether it can match without taking anything; in doubt it can.
    pub(super) fn nullable(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Set(_) => false,
            Self::At(_) | Self::Look { .. } | Self::Backreference { .. } => true,
            Self::Group { node, .. } | Self::Atomic(node) => node.nullable(),
            Self::Sequence(parts) => parts.iter().all(Self::nullable),
            Self::Choice(branches) => branches.iter().any(Self::nullable),
            Self::Repeat { node, min, .. } => *min == 0 || node.nullable(),
            Self::Condition { yes, no, .. } => yes.nullable() || no.nullable(),
        }
    }

    /// Whether every match of it has something in this group.
    pub(super) fn always(&self, group: u32) -> bool {
        match self {
            Self::Group { index, node } => {
                *index == group && !node.nullable() || node.always(group)
            }
            Self::Atomic(node) => node.always(group),
            Self::Repeat { node, min, .. } => *min > 0 && node.always(group),
            Self::Sequence(parts) => parts.iter().any(|part| part.always(group)),
            Self::Choice(branches) => branches.iter().all(|branch| branch.always(group)),
            Self::Condition { yes, no, .. } => yes.always(group) && no.always(group),
            Self::Literal(_)
            | Self::Set(_)
            | Self::At(_)
            | Self::Look { .. }
            | Self::Backreference { .. } => false,
        }
    }

    /// The parts it is made of.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Literal(_) | Self::Set(_) | Self::At(_) | Self::Backreference { .. } => {
                Vec::new()
            }
            Self::Group { node, .. }
            | Self::Atomic(node)
            | Self::Repeat { node, .. }
            | Self::Look { node, .. } => vec![node],
            Self::Sequence(parts) | Self::Choice(parts) => parts.iter().collect(),
            Self::Condition { yes, no, .. } => vec![yes, no],
        }
    }
}

fn add(one: Width, other: Width) -> Width {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

fn either(one: Width, other: Width) -> Width {
    (one.0.min(other.0), one.1.max(other.1))
}
