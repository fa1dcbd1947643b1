//! Translation for doors: a port of this machine that leads to another place, for one address and
//! for a while. IPv4 only, as what asks for it is.

use super::{Member, Proto, Through};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The set of the ports that lead on.
pub(super) const PORTS: &str = "nat_ports";
/// The map of where they lead.
pub(super) const TARGETS: &str = "nat_targets";
/// The set of what goes on to other machines.
pub(super) const FLOWS: &str = "nat_flows";

/// The set of those for whom everything goes on, in a way known by its place.
pub(super) fn forward_set(at: usize) -> String {
    format!("nat_forward_{at}")
}

/// What is translated for doors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// Ports may lead to other ports of this machine.
    pub here: bool,
    /// Ports may lead to other machines.
    pub elsewhere: bool,
    /// The addresses under which connections may go on, besides their own.
    #[serde(default)]
    pub snats: Vec<Snat>,
    /// The ways in which everything of somebody may go on.
    #[serde(default)]
    pub forwards: Vec<Forward>,
}

/// Under which address a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Snat {
    /// That of the interface by which it leaves.
    Masquerade,
    /// This one.
    To(Ipv4Addr),
}

/// A port of this machine that leads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dnat {
    /// The protocol of both ports.
    pub proto: Proto,
    /// The port that is connected to. It leads to one place at a time.
    pub port: u16,
    /// Where it leads.
    pub to: SocketAddrV4,
    /// Whether that is this machine itself.
    pub here: bool,
    /// Under which address; under its own if `None`.
    pub snat: Option<Snat>,
}

/// Everything goes on: what passes this machine, and, where that is said, what is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Where what is to this machine goes; it stays here if `None`.
    pub to: Option<Ipv4Addr>,
    /// Under which address; under its own if `None`.
    pub snat: Option<Snat>,
}

impl Nat {
    /// Whether anything may go to other machines.
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.elsewhere || !self.forwards.is_empty()
    }

    /// Whether this may be translated.
    #[must_use]
    pub fn allows(&self, dnat: &Dnat) -> bool {
        let place = if dnat.here { self.here } else { self.elsewhere };
        place && dnat.snat.is_none_or(|snat| self.snats.contains(&snat))
    }

    /// The sets, and the member of each, by which an address is let through; `None` if it cannot be.
    pub(super) fn ways(&self, to: Through, addr: Ipv4Addr) -> Option<Vec<(String, Member)>> {
        match to {
            Through::Dnat(dnat) if self.allows(&dnat) => {
                let Dnat { proto, port, to, here, snat } = dnat;
                let mut ways = vec![
                    (PORTS.to_owned(), Member::Single(addr.into(), proto, port)),
                    (TARGETS.to_owned(), Member::Dnat(addr, proto, port, to)),
                ];
                if !here {
                    let flow = Member::Flow(addr, to, proto);
                    ways.push((FLOWS.to_owned(), flow.clone()));
                    ways.extend(snat.map(|snat| (snat.set(), flow)));
                }
                Some(ways)
            }
            Through::Forward(forward) => {
                let at = self.forwards.iter().position(|known| *known == forward)?;
                Some(vec![(forward_set(at), Member::Addr(addr.into()))])
            }
            _ => None,
        }
    }

    /// Sorts lists, and refuses what cannot be meant.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.snats.sort_unstable();
        self.snats.dedup();
        self.forwards.sort_unstable();
        self.forwards.dedup();
        let to = self.forwards.iter().filter_map(|forward| forward.to);
        let under = self.snats.iter().copied().chain(self.forwards.iter().filter_map(|f| f.snat));
        let under = under.filter_map(|snat| match snat {
            Snat::To(addr) => Some(addr),
            Snat::Masquerade => None,
        });
        match to.chain(under).find(|addr| !is_host(*addr)) {
            Some(bad) => Err(format!("{bad} is no address of one machine in a network")),
            None => Ok(()),
        }
    }
}

/// Whether an address can be that of one machine in a network: not this network (RFC 1122), loopback,
/// link-local (where clouds keep secrets), a group, reserved or everybody.
#[must_use]
pub fn is_host(addr: Ipv4Addr) -> bool {
    let [first, ..] = addr.octets();
    (1..224).contains(&first) && !addr.is_loopback() && !addr.is_link_local()
}

impl Dnat {
    /// Those that lead somewhere from the same port, as first and last of an order.
    pub(crate) fn rivals(&self) -> [Self; 2] {
        let end = |addr, port, here, snat| Self {
            to: SocketAddrV4::new(addr, port),
            here,
            snat,
            ..*self
        };
        [
            end(Ipv4Addr::UNSPECIFIED, 0, false, None),
            end(Ipv4Addr::BROADCAST, u16::MAX, true, Some(Snat::To(Ipv4Addr::BROADCAST))),
        ]
    }
}

impl Snat {
    /// The set of what goes on under it.
    pub(super) fn set(&self) -> String {
        format!("nat_as_{self}")
    }
}

impl fmt::Display for Snat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masquerade => f.write_str("masquerade"),
            Self::To(addr) => addr.fmt(f),
        }
    }
}

impl fmt::Display for Dnat {
    /// `tcp/5555 -> 10.0.0.2:22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} -> {}", self.proto.as_str(), self.port, self.to)
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "all -> {to}"),
            None => f.write_str("all"),
        }
    }
}
