//! What goes into the engine and what comes out of it.

use crate::addr::Prefix;
use crate::gate::Name;
use crate::jail::Friends;
use crate::ledger::Ban;
use crate::line::Record;
use crate::rule::session::Verdict;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A source of lines, as the shell numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u32);

/// What happens to the engine.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are called what they are")]
pub enum Input<'a> {
    /// Whole lines of a source. `live`: they were written just now, not found in an old file.
    Block { source: SourceId, bytes: &'a [u8], live: bool },
    /// A record of the journal, with its trusted time.
    Record { source: SourceId, record: &'a Record<'a>, when: Time },
    /// An administrator bans; `jail` names whose ports close.
    Ban { jail: Name, prefix: Prefix, length: Option<Duration>, why: String },
    /// An administrator lifts what touches a prefix, or everything.
    Lift { prefix: Option<Prefix> },
    /// An administrator lifts the bans of one jail: that of exactly this prefix, or all. The jail
    /// forgets what it knows of them, and, where `forget`, that they were banned.
    Pardon { jail: Name, prefix: Option<Prefix>, forget: bool },
    /// An administrator reports failures of somebody, with the lines that say so; none is one
    /// failure.
    Attempt { jail: Name, prefix: Prefix, lines: &'a [String] },
    /// The hands carried out a ban.
    Applied { jail: Name, prefix: Prefix },
    /// The hands could not; they will be asked again.
    Refused { jail: Name, prefix: Prefix, why: String },
    /// What was said of somebody that [`Action::Ask`] was about: whether he is left alone.
    Answer { jail: Name, prefix: Prefix, spare: bool },
    /// The friends changed: an administrator logged in, an address was added.
    Friends(Friends),
    /// Time passes.
    Tick,
}

/// What the shell is to do.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop somebody. The kernel's timeout is the ban's end.
    Ban(Ban),
    /// Say by an [`Input::Answer`] whether this ban is to be.
    Ask(Ban),
    /// Let somebody in again.
    Lift { ban: Ban, why: Lifted },
    /// Tell the administrator.
    Tell(Notice),
    /// Something was counted; only while somebody watches.
    Saw { jail: Name, verdict: Verdict<'static> },
}

/// Why a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifted {
    /// Its time was over.
    Expired,
    /// An administrator said so.
    Manual,
    /// An administrator said so, and that it shall not count later.
    Pardoned,
    /// It would hit a friend.
    Friend,
    /// There were too many, and it would have been the next to end.
    Room,
}

/// Something the administrator should know. Its written form outlives a restart in the ledger.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A friend failed often enough to be banned; he was not.
    Spared { jail: Name, prefix: Prefix, friend: String, count: u32 },
    /// Lines of a source carry times far from now; they are taken as now.
    FarTimes { source: SourceId, off: Duration },
    /// A ban could not be enforced.
    Refused { jail: Name, prefix: Prefix, why: String },
    /// A banned address still reaches a service.
    StillTalking { jail: Name, prefix: Prefix },
}
