//! What doors are to the porter, and what he remembers of them.

use crate::addr::Prefix;
use crate::door::Door;
use crate::gate::{Name, Pass};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// A door as it is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorPolicy {
    /// What it is called in the gate, and by who commands; unique.
    pub name: Name,
    /// What can be knocked at, and what follows.
    pub door: Door,
    /// Whether its ports are closed to all others.
    pub closed: bool,
    /// Whether connections end with the opening.
    pub cut: bool,
    /// Who needs no knock.
    pub free: Vec<Prefix>,
}

/// How far a knock came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// So many hits are made.
    Stage(usize),
    /// It took too long, after so many hits.
    TimedOut(usize),
    /// It was right.
    Done,
}

/// Whether the ports of a door are closed, other than its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// As the file says.
    AsSaid,
    /// On trial.
    Trial,
    /// For good.
    Confirmed,
}

/// An opening in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The door that opened it.
    pub door: Name,
    /// What is open to whom, and until when.
    pub pass: Pass,
    /// Since when.
    pub since: Time,
}

impl Entry {
    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        self.since = self.since.minus(by);
        self.pass.until = self.pass.until.map(|until| until.minus(by));
    }
}

/// What doors have to remember over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorMemory {
    /// The openings in force.
    pub entries: Vec<Entry>,
    /// Stops that are still to be done, and when.
    pub stops: Vec<(Name, IpAddr, Time)>,
    /// Doors that an administrator closed for good.
    #[serde(default)]
    pub shut: Vec<Name>,
    /// The last sequence of each door that was used, where sequences are used once: its window, or
    /// its [`crate::door::Sequence::mark`]. Its place in the list is another one when those before are gone.
    pub used: Vec<(Name, u64)>,
}
