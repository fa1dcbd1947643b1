//! What the gate does for doors.

use super::{Name, Ports, Proto};
use crate::addr::Prefix;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Somebody let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// What is open to him.
    pub to: Through,
    /// Who.
    pub addr: IpAddr,
    /// When it closes by itself.
    pub until: Option<Time>,
}

/// What is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Through {
    /// The ports of an [`Opening`].
    Opening(Name),
    /// A single port.
    Port(Proto, u16),
}

/// Ports that open to those who were let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Unique among openings.
    pub name: Name,
    /// Which.
    pub ports: Ports,
    /// Closed to everybody else by us; otherwise others close it.
    pub closed: bool,
    /// Connections end with the opening; otherwise what is established goes on.
    pub cut: bool,
    /// Who needs no opening.
    pub free: Vec<Prefix>,
}
