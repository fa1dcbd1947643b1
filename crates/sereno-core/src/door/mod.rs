//! Doors: who knocks in the agreed way is let in.
//!
//! [`Knocks`] takes [`Packet`]s and says what follows from them as [`Action`]s: openings and closings
//! for one address, commands of a door, and what a log would say. It sees packets as the
//! capture gives them; nothing here receives any, opens anything or reads a clock.
//!
//! There are two manners. [`Manner::Strict`] does what knockd 0.8 does, as it was measured. [`Manner::Fair`] is the ordinary one; `fair` says what is different.

mod deed;
mod fair;
mod firsts;
mod knocks;
mod packet;
mod sequence;
mod strict;
#[cfg(test)]
mod tests;
mod timed;

pub use deed::{Deed, Deeds};
pub use knocks::{Action, Counts, DoorId, Knocks, MOST_DOORS, Manner, When};
pub use packet::{FlagTest, Flags, Packet, Protocol};
pub use sequence::{Hit, MOST_HITS, Sequence, Sequences};
pub use timed::{Timed, Window};

use std::net::IpAddr;
use std::time::Duration;

/// What somebody can knock at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// What it is called; of any length, and not necessarily the only one of this name.
    pub name: String,
    /// The knocks that open it.
    pub sequences: Sequences,
    /// How long a knock may take, from its first packet to its last. knockd's manner takes whole
    /// seconds of it.
    pub within: Duration,
    /// Which TCP packets count as knocks. Does not matter for UDP.
    pub flags: FlagTest,
    /// The address that is to be knocked at, instead of any address of this machine.
    pub target: Option<IpAddr>,
    /// Ports that bar who touches them from this door, for [`Door::barred`]. Not in knockd's manner.
    pub traps: Vec<Hit>,
    /// How long a trap bars.
    pub barred: Duration,
    /// What happens for an IPv4 address.
    pub v4: Deeds,
    /// What happens for an IPv6 address.
    pub v6: Deeds,
    /// How long after its start the stop is done.
    pub hold: Duration,
}

impl Door {
    /// A door with knockd's defaults: 25 s for the knock, any TCP packet, 10 s until the stop.
    #[must_use]
    pub fn new(name: impl Into<String>, sequences: Sequences) -> Self {
        Self {
            name: name.into(),
            sequences,
            within: Duration::from_secs(25),
            flags: FlagTest::default(),
            target: None,
            traps: Vec::new(),
            barred: Duration::from_secs(60),
            v4: Deeds::default(),
            v6: Deeds::default(),
            hold: Duration::from_secs(10),
        }
    }

    /// What happens for this address.
    #[must_use]
    pub fn deeds(&self, addr: IpAddr) -> &Deeds {
        if addr.is_ipv4() { &self.v4 } else { &self.v6 }
    }
}
