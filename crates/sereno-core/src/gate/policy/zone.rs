//! Where packets come from.

use crate::addr::Prefix;
use crate::gate::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The zone that is open unless it is said otherwise.
pub const TRUSTED: &str = "trusted";
/// The zone of all that is in no other.
pub const WORLD: &str = "world";

/// Networks and interfaces of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// What rules call it.
    pub name: Name,
    /// By source address; of several zones, the one with the longest prefix.
    pub networks: Vec<Prefix>,
    /// By interface, for sources in no network of a zone.
    pub interfaces: Vec<String>,
    /// Whether everything is let in that no rule is about.
    pub open: bool,
}

/// What is known of where a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its source address.
    pub source: IpAddr,
    /// The interface it came in by.
    pub on: &'a str,
    /// Whether an answer would leave by the same interface.
    pub back: bool,
}

/// [`WORLD`] as a name.
pub(super) fn world() -> Name {
    // The name is one; the fallback is never taken.
    Name::new(WORLD).unwrap_or(Name::SERENO)
}

/// The zone of a packet. A source whose answer would go elsewhere is not believed to be in a network:
/// whoever sends datagrams can write any source into them.
pub(super) fn of(zones: &[Zone], asymmetric: bool, origin: &Origin<'_>) -> Name {
    let near = zones.iter().filter_map(|zone| {
        let around = zone.networks.iter().filter(|prefix| prefix.contains(origin.source));
        Some((around.map(|prefix| prefix.bits()).max()?, zone.name))
    });
    let by_network = near.max_by_key(|(bits, _)| *bits).filter(|_| asymmetric || origin.back);
    let by_interface = || zones.iter().find(|zone| zone.interfaces.iter().any(|i| i == origin.on));
    by_network
        .map(|(_, name)| name)
        .or_else(|| by_interface().map(|zone| zone.name))
        .unwrap_or_else(world)
}

/// Refuses zones that cannot be told apart.
pub(super) fn check(zones: &[Zone]) -> Result<(), String> {
    let mut names = BTreeMap::new();
    let mut networks = BTreeMap::new();
    let mut interfaces = BTreeMap::new();
    for zone in zones {
        let name = zone.name;
        if name.as_str() == WORLD {
            return Err(format!("{WORLD} is what is in no other zone; it has no networks"));
        }
        if names.insert(name, ()).is_some() {
            return Err(format!("there are two zones named {name}"));
        }
        for prefix in &zone.networks {
            if prefix.bits() == 0 {
                return Err(format!("{prefix} in zone {name} would be everybody: that is {WORLD}"));
            }
            if let Some(other) = networks.insert(*prefix, name) {
                return Err(format!("{prefix} is in the zones {other} and {name}; keep one"));
            }
        }
        for interface in &zone.interfaces {
            if !crate::gate::is_interface(interface) {
                return Err(format!("{interface:?} in zone {name} is no name of an interface"));
            }
            if let Some(other) = interfaces.insert(interface, name) {
                return Err(format!("{interface} is in the zones {other} and {name}; keep one"));
            }
        }
    }
    Ok(())
}

/// Addresses `first..=last` of one zone.
pub type Span = (IpAddr, IpAddr, Name);

/// Networks of one family as ranges that do not overlap, in their order.
pub(crate) fn ranges(networks: &[Prefix], v4: bool) -> Vec<(IpAddr, IpAddr)> {
    let networks = networks.to_vec();
    let one = Zone { name: world(), networks, interfaces: Vec::new(), open: false };
    spans(&[one], v4).into_iter().map(|(first, last, _)| (first, last)).collect()
}

/// The networks of all zones as ranges of one family that do not overlap, in their order: what a
/// kernel's map of ranges wants. An address is in the range of its longest prefix.
pub(super) fn spans(zones: &[Zone], v4: bool) -> Vec<Span> {
    let mut networks: Vec<(Prefix, Name)> = zones
        .iter()
        .flat_map(|zone| zone.networks.iter().map(|prefix| (*prefix, zone.name)))
        .filter(|(prefix, _)| prefix.addr().is_ipv4() == v4)
        .collect();
    // Larger ones first where several begin at the same address.
    networks.sort_unstable_by_key(|(prefix, _)| (prefix.addr(), prefix.bits()));
    let mut spans: Vec<(u128, u128, Name)> = Vec::new();
    let mut open: Vec<(u128, Name)> = Vec::new();
    let mut at = 0;
    let close =
        |until: Option<u128>, open: &mut Vec<(u128, Name)>, at: &mut u128, spans: &mut Vec<_>| {
            while let Some((last, name)) = open.last().copied() {
                if until.is_some_and(|until| last >= until) {
                    break;
                }
                if *at <= last {
                    spans.push((*at, last, name));
                    *at = last.saturating_add(1);
                }
                open.pop();
            }
        };
    for (prefix, name) in networks {
        let (first, last) = ends(prefix);
        close(Some(first), &mut open, &mut at, &mut spans);
        if let Some((_, around)) = open.last()
            && at < first
        {
            spans.push((at, first - 1, *around));
        }
        at = first;
        open.push((last, name));
    }
    close(None, &mut open, &mut at, &mut spans);
    let mut joined: Vec<(u128, u128, Name)> = Vec::new();
    for (first, last, name) in spans {
        match joined.last_mut() {
            Some(before) if before.2 == name && before.1.checked_add(1) == Some(first) => {
                before.1 = last;
            }
            _ => joined.push((first, last, name)),
        }
    }
    let addr = |bits: u128| if v4 { v4_of(bits) } else { IpAddr::V6(bits.into()) };
    joined.into_iter().map(|(first, last, name)| (addr(first), addr(last), name)).collect()
}

fn v4_of(bits: u128) -> IpAddr {
    // Such numbers were made of IPv4 addresses.
    IpAddr::V4(u32::try_from(bits).unwrap_or(u32::MAX).into())
}

fn ends(prefix: Prefix) -> (u128, u128) {
    match prefix.addr() {
        IpAddr::V4(addr) => {
            let first = u128::from(addr.to_bits());
            (first, first + (1 << (32 - u32::from(prefix.bits()))) - 1)
        }
        IpAddr::V6(addr) => {
            let rest = u128::MAX.checked_shr(prefix.bits().into()).unwrap_or(0);
            (addr.to_bits(), addr.to_bits() | rest)
        }
    }
}
