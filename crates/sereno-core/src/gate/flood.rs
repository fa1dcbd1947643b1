//! How much may come to the ports of telephones, from whom.
//!
//! Over UDP anybody writes whatever source he likes, so no count of packets says who somebody is. What
//! does is that he logged in well, that this machine itself called him, or that an administrator named
//! him. Such a source is *known* and has a measure of its own. All others share one measure beside that
//! which each of them has: ten thousand made-up sources get no more than one.

use super::plan::SOURCES;
use super::policy::Rate;
use super::{Family, Gate, Member, PortRange};
use crate::addr::{Prefix, canonical};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Ranges of ports at most: the kernel walks them for every packet.
const MOST_PORTS: usize = 32;
/// Networks that are known by their name at most.
const MOST_NETWORKS: usize = 4096;

/// How much may come, from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// Where it is measured: of UDP every packet, of TCP what begins a connection.
    pub ports: Vec<PortRange>,
    /// Those of them at which IAX2 is spoken (RFC 5456): voice comes there too, and of who is known it is
    /// not measured.
    #[serde(default)]
    pub voice: Vec<PortRange>,
    /// What one source may send that is not known.
    pub stranger: Rate,
    /// What all of those may send together, for each of UDP and TCP.
    pub strangers: Rate,
    /// What one source may send that is known.
    pub known: Rate,
    /// Networks that are known.
    #[serde(default)]
    pub friends: Vec<Prefix>,
}

impl Flood {
    /// Refuses what cannot be meant, in sentences.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.ports.is_empty() {
            return Err("a flood comes to ports; name some".to_owned());
        }
        if self.ports.len() + self.voice.len() > MOST_PORTS {
            return Err(format!("these are too many ports; {MOST_PORTS} ranges are the most"));
        }
        if self.friends.len() > MOST_NETWORKS {
            return Err(format!("these are too many friends; {MOST_NETWORKS} are the most"));
        }
        Ok(())
    }
}

/// The set of those who logged in well.
pub(super) fn known(family: Family) -> String {
    format!("flood_known_{}", family.as_str())
}

impl Gate {
    /// How much may come to the ports of telephones, if that is measured.
    #[must_use]
    pub fn flood(&self) -> Option<&Flood> {
        self.0.flood.as_ref()
    }

    /// The set, and the member of it, by which somebody is known; `None` if nothing is measured.
    pub(super) fn knows(&self, addr: IpAddr) -> Option<(String, Member)> {
        self.flood()?;
        let addr = canonical(addr);
        let family = Family::of(Prefix::host(addr));
        let source = SOURCES.into_iter().find(|source| source.family == family)?;
        let network = Prefix::new(addr, source.bits)?.addr();
        Some((known(family), Member::Addr(network)))
    }
}
