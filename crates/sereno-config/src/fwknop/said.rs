//! Options as they are written.

use std::collections::BTreeMap;
use std::ops::Range;

/// An option: where it is written.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The document.
    pub(super) doc: usize,
    /// The bytes of its name.
    pub(super) key: Range<usize>,
    /// The bytes of its value.
    pub(super) value: Range<usize>,
}

/// The options of a stanza, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Stanza {
    /// What it begins with.
    pub(super) head: Option<Said>,
    /// The last of each option.
    pub(super) said: BTreeMap<&'static str, Said>,
    /// Something in it is wrong that is noted already.
    pub(super) broken: bool,
}
