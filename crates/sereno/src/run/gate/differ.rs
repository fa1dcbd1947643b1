//! Who listens, from where he is reached, and what is open though nobody listens.

use super::approach::Ground;
use crate::run::guard::Guard;
use sereno_config::facts::Listener;
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::{Deed, Policy, WORLD, What, Who, is_delicate};
use sereno_core::gate::walk::Model;
use sereno_core::gate::{Contents, Draft, Family, Gate, Name, PortRange};
use sereno_core::time::Time;
use sereno_wire::gate::{Probe, Reachable, Reached};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Addresses of nobody (RFC 5737, RFC 3849): one of them is in no zone.
const STRANGERS: [&str; 6] = [
    "203.0.113.1",
    "198.51.100.1",
    "192.0.2.1",
    "2001:db8::1",
    "2001:db8:8000::1",
    "2001:db8:f000::1",
];
/// Networks of lines that are told for each port at most.
const NAMED: usize = 20;
/// Of ranges wider than this it is usual that nobody listens on a port just now.
const WIDE: u16 = 100;

impl Guard {
    /// Looks at a policy, or at there being none.
    pub(super) fn reachable(
        &self,
        policy: Option<&Policy>,
        of_files: bool,
        now: Time,
    ) -> Result<Reachable, String> {
        let draft = Draft { policy: policy.cloned(), trying: None, ..self.draft.clone() };
        let gate = Model::new(&Gate::try_from(draft)?, Contents::default(), now);
        let ground = Ground::look();
        let none = Policy::default();
        let zones = policy.unwrap_or(&none);
        let found = crate::discover::listeners(Path::new("/"));
        let listeners =
            found.iter().map(|one| reached((&gate, &ground), zones, one, now)).collect();
        let idle = policy.map(|policy| idle(policy, &found)).unwrap_or_default();
        let kept = policy.map(|policy| self.kept_in(policy, now)).unwrap_or_default();
        Ok(Reachable { of_files, listeners, idle, kept })
    }
}

fn reached(
    (gate, ground): (&Model, &Ground),
    policy: &Policy,
    one: &Listener,
    now: Time,
) -> Reached {
    let let_in = |(from, on): (IpAddr, Option<String>)| {
        let to = (!one.addr.is_unspecified()).then_some(one.addr);
        let probe = Probe { proto: Some(one.proto), from, port: one.port, to, on, out: false };
        gate.walk(&ground.seen(&probe, now)).stopped.is_none()
    };
    let families = families(one.addr);
    let enters = |zone: &Name| families.iter().any(|family| let_in(from(policy, *zone, *family)));
    let zones: Vec<Name> = policy.names().filter(enters).collect();
    // Whom a line names, where not everybody is let in.
    let alone = |network: &Prefix| {
        families.contains(&Family::of(*network)) && let_in((network.addr(), None))
    };
    let networks: Vec<Prefix> = match zones.iter().any(|zone| zone.as_str() == WORLD) {
        true => Vec::new(),
        false => named(policy, Deed::Allow).filter(alone).take(NAMED).collect(),
    };
    Reached {
        proto: one.proto,
        port: one.port,
        addr: one.addr,
        program: one.program.clone(),
        zones,
        networks,
        delicate: is_delicate(one.proto, one.port),
    }
}

/// The networks that lines of a deed name, but those that are everybody.
fn named(policy: &Policy, deed: Deed) -> impl Iterator<Item = Prefix> + '_ {
    let rules = policy.rules.iter().filter(move |rule| rule.deed == deed);
    let networks = rules.flat_map(|rule| match &rule.from {
        Who::Those { networks, .. } => networks.as_slice(),
        Who::Anybody => &[],
    });
    networks.filter(|network| network.bits() > 0).copied()
}

/// Who listens at `::` usually listens at `0.0.0.0` as well.
fn families(addr: IpAddr) -> &'static [Family] {
    match addr {
        IpAddr::V4(_) => &[Family::V4],
        IpAddr::V6(addr) if addr.is_unspecified() => &Family::BOTH,
        IpAddr::V6(_) => &[Family::V6],
    }
}

/// Somebody of a zone, and the interface by which he comes if that is what makes him one.
fn from(policy: &Policy, zone: Name, family: Family) -> (IpAddr, Option<String>) {
    let zone = policy.zones.iter().find(|known| known.name == zone);
    let networks = zone.map(|zone| zone.networks.as_slice()).unwrap_or_default();
    if let Some(network) = networks.iter().find(|network| Family::of(**network) == family) {
        return (network.addr(), None);
    }
    let on = zone.and_then(|zone| zone.interfaces.first().cloned());
    let zones = policy.zones.iter().flat_map(|zone| &zone.networks).copied();
    let rules = [Deed::Allow, Deed::Drop, Deed::Reject].into_iter().flat_map(|d| named(policy, d));
    let known: Vec<Prefix> = zones.chain(rules).collect();
    let taken = |addr: &IpAddr| known.iter().any(|network| network.contains(*addr));
    let usual = STRANGERS.iter().filter_map(|text| text.parse().ok());
    let others = (1..=223_u8).flat_map(|n| {
        [IpAddr::from([n, 1, 2, 3]), IpAddr::from([0x2a00 | u16::from(n), 0, 0, 0, 0, 0, 0, 1])]
    });
    let own = usual.chain(others).filter(|addr| Family::of(Prefix::host(*addr)) == family);
    let mut free = own.filter(|addr| !taken(addr));
    (free.next().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), on)
}

/// The lines that let in to single ports on none of which anybody listens.
fn idle(policy: &Policy, found: &[Listener]) -> Vec<(usize, String)> {
    let heard = |range: &PortRange| {
        let own = |one: &Listener| PortRange::new(one.proto, one.port, one.port);
        range.last() - range.first() > WIDE
            || found.iter().filter_map(own).any(|one| one.meets(*range))
    };
    let rules = policy.rules.iter().enumerate().filter(|(_, rule)| {
        let silent = |what: &What| matches!(what, What::Ports(range) if !heard(range));
        rule.deed == Deed::Allow && rule.what.iter().all(silent)
    });
    rules.map(|(at, rule)| (at + 1, rule.text.clone())).collect()
}
