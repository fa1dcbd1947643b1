//! What goes into the engine and what comes out of it.

use super::porter::Knock;
use crate::addr::Prefix;
use crate::door::{Packet, When};
use crate::gate::{Name, Pass, PortRange, Through};
use crate::jail::Friends;
use crate::ledger::Ban;
use crate::line::Record;
use crate::rule::session::Verdict;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
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
    /// A packet that may be part of a knock.
    Packet(&'a Packet),
    /// An administrator lets somebody in through a door, as long as it holds or for `length`.
    LetIn { door: Name, addr: IpAddr, length: Option<Duration> },
    /// A signed packet is granted this, by translation.
    Admit { door: Name, pass: Pass },
    /// A signed packet asked for these ports.
    Grant { door: Name, addr: IpAddr, ports: &'a [PortRange], until: Time },
    /// An administrator puts out who came in through a door: one, or all.
    PutOut { door: Name, addr: Option<IpAddr> },
    /// The addresses of this machine are these now.
    Moved(Vec<IpAddr>),
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
    /// Open something to somebody; opened before, this is its new end.
    Open(Pass),
    /// Close it to him again.
    Close { to: Through, addr: IpAddr },
    /// Run a door's command for an address.
    Run { door: Name, addr: IpAddr, when: When },
    /// A sequence of a door is not good for anything any more: its place in the file, or its
    /// window.
    Used { door: Name, sequence: u64 },
    /// Somebody knocks.
    Knock { door: Name, addr: IpAddr, what: Knock },
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

/// What became of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyStep {
    /// One is on trial until then.
    Trial(Time),
    /// The one on trial is in force for good.
    Confirmed,
    /// The one before holds again.
    TakenBack,
    /// There is none any more.
    Opened,
    /// Nothing comes in any more.
    Panic,
    /// That is over.
    Resumed,
}

/// Something the administrator should know. Its written form outlives a restart in the ledger.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A friend failed often enough to be banned; he was not.
    Spared { jail: Name, prefix: Prefix, friend: String, count: u32 },
    /// The command that a jail asks said to leave somebody alone.
    Excused { jail: Name, prefix: Prefix, count: u32 },
    /// Lines of a source carry times far from now; they are taken as now.
    FarTimes { source: SourceId, off: Duration },
    /// A ban could not be enforced.
    Refused { jail: Name, prefix: Prefix, why: String },
    /// A door was opened to somebody, or his time was extended.
    Opened { door: Name, prefix: Prefix, to: Through, until: Option<Time> },
    /// It was closed to him, by itself when his time was `over`.
    Closed { door: Name, prefix: Prefix, over: bool },
    /// He knocked in the right way, but had touched a trap.
    Barred { door: Name, prefix: Prefix },
    /// He was not let in: too many are.
    NoRoom { door: Name, prefix: Prefix },
    /// A door is closed to all others: on trial until then, or for good.
    Shut { door: Name, until: Option<Time> },
    /// Nobody confirmed it in time: it is as its file says again.
    Unshut { door: Name },
    /// Who may reach what was changed.
    Policy { step: PolicyStep },
    /// All one-time sequences of a door are used.
    UsedUp { door: Name },
    /// A door could not be opened; it is tried again with the next knock.
    Unopened { door: Name, prefix: Prefix, why: String },
    /// The clock was set back by so much. Who was let in stays as long as he had left.
    ClockBack { by: Duration },
    /// A banned address still reaches a service.
    StillTalking { jail: Name, prefix: Prefix },
}
