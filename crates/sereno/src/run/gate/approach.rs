//! The first packet of something, as a gate sees it.

use crate::discover::Ways;
use sereno_core::addr::{Prefix, canonical};
use sereno_core::gate::walk::{Seen, State, Toward};
use sereno_core::gate::{Family, Proto};
use sereno_core::time::Time;
use sereno_wire::gate::Probe;
use std::net::IpAddr;
use std::path::Path;

/// Numbers of protocols (IANA protocol-numbers), and types of echo requests in them.
const ICMP: (u8, u8) = (1, 8);
const ICMPV6: (u8, u8) = (58, 128);

/// Where this machine is, as far as it matters to who comes.
pub(super) struct Ground {
    own: Vec<IpAddr>,
    ways: Ways,
}

impl Ground {
    pub(super) fn look() -> Self {
        Self { own: crate::discover::own(), ways: Ways::read(Path::new("/")) }
    }

    /// It comes by the interface by which it would be answered, if none is named; what is sent leaves by that.
    pub(super) fn seen(&self, probe: &Probe, now: Time) -> Seen {
        let source = canonical(probe.from);
        let family = Family::of(Prefix::host(source));
        let alike = |addr: &&IpAddr| Family::of(Prefix::host(**addr)) == family;
        let own = || self.own.iter().find(alike).copied();
        // What goes to this machine itself does not leave it.
        let stays = probe.out && (source.is_loopback() || self.own.contains(&source));
        let way = if stays { Some("lo".to_owned()) } else { self.ways.to(source) };
        let back = probe.on.is_none() || probe.on == way;
        let (number, icmp) = match (probe.proto, family) {
            (Some(proto), _) => (proto.number(), 0),
            (None, Family::V4) => ICMP,
            (None, Family::V6) => ICMPV6,
        };
        let here = probe.to.map(canonical).or_else(own).unwrap_or(source);
        let (source, destination) = if probe.out { (here, source) } else { (source, here) };
        Seen {
            on: probe.on.clone().or(way).unwrap_or_default(),
            source,
            destination,
            protocol: number,
            ports: (40_000, if probe.proto.is_some() { probe.port } else { 0 }),
            icmp,
            syn: probe.proto == Some(Proto::Tcp),
            state: State::New,
            reply: false,
            toward: if probe.out { Toward::Away } else { Toward::Here },
            back,
            mark: 0,
            at: now,
        }
    }
}
