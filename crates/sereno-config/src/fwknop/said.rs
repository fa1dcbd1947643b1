//! Options as they are written.

use crate::near;
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

/// Looks for what unknown names may have meant, but only so often: it takes time, and whoever has
/// more slips of the pen has no file of fwknop's.
#[derive(Clone, Debug)]
pub(super) struct Slips(usize);

impl Default for Slips {
    fn default() -> Self {
        Self(100)
    }
}

impl Slips {
    /// Whether it was looked for, and what was found.
    pub(super) fn nearest<'o>(
        &mut self,
        word: &str,
        options: impl IntoIterator<Item = &'o str>,
    ) -> (bool, Option<&'o str>) {
        let Some(left) = self.0.checked_sub(1) else { return (false, None) };
        self.0 = left;
        (true, near::nearest(word, options))
    }
}
