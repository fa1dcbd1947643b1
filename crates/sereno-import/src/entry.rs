//! What a packet meets in another firewall, in its order.

use crate::matching::Match;
use crate::remark::Place;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It gets in.
    Accept,
    /// It is dropped without a word.
    Drop,
    /// It is refused.
    Reject,
}

/// A rule that decides about packets.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) matching: Match,
    pub(crate) verdict: Verdict,
    /// What stood behind it for people.
    pub(crate) comment: String,
    /// Its rate is for all sources together.
    pub(crate) shared: bool,
    /// Its rate was written as this.
    pub(crate) like: Option<String>,
    pub(crate) place: Place,
    /// The line it came from.
    pub(crate) text: String,
}

/// All entries of a family, and what becomes of what none is about.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) entries: Vec<Entry>,
    pub(crate) rest: Verdict,
}
