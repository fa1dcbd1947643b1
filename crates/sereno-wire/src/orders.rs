//! What the eyes may ask of the hands, and what the hands answer.
//!
//! This is the whole vocabulary: whoever reads what attackers write can say nothing else to
//! those who hold the firewall. The hands know the friends themselves.

use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::door::Hit;
use sereno_core::gate::{Draft, Hold, Name, Pass, Through};
use std::net::IpAddr;

/// An order to the hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Stop somebody until a time.
    Ban(Hold),
    /// Let somebody in again.
    Lift {
        /// Where the ban holds.
        scope: Name,
        /// Who.
        prefix: Prefix,
    },
    /// Put the whole gate in place, with these bans, as one change.
    Install {
        /// Its structure.
        gate: Draft,
        /// The bans in force.
        holds: Vec<Hold>,
        /// Who is let in.
        passes: Vec<Pass>,
    },
    /// Open something to somebody until a time.
    Open(Pass),
    /// Close it to him again.
    Close {
        /// What.
        to: Through,
        /// Who.
        addr: IpAddr,
    },
    /// Hear knocks at these ports, and at no others.
    Hear(Vec<Hit>),
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It was carried out.
    Done,
    /// Nobody may touch the firewall here: noted only.
    Observed,
    /// It would have hit a friend.
    Friend {
        /// Which.
        why: String,
    },
    /// The kernel refused.
    Refused {
        /// In words.
        why: String,
        /// Whether the whole gate is gone and must be installed again.
        gate_lost: bool,
    },
}
