//! Gates that several tests write down.

use super::walk::{Seen, State, Toward};
use super::{Doorway, Draft, Ears, Gate, Opening};
use crate::time::Time;

/// Doors of each kind.
pub(super) fn doors() -> Gate {
    let opening = |name: &str, ports: &str, cut, free: &[&str]| Opening {
        name: name.parse().unwrap(),
        ports: ports.parse().unwrap(),
        closed: name != "other",
        cut,
        free: free.iter().map(|prefix| prefix.parse().unwrap()).collect(),
    };
    let doorway = Doorway {
        openings: vec![
            opening("ssh", "tcp/22", false, &["10.0.0.0/8", "2001:db8::/32"]),
            opening("sip", "tcp/5061, udp/5060-5061", true, &[]),
            opening("other", "all", false, &[]),
        ],
        single: true,
        trial: vec!["sip".parse().unwrap()],
        ears: Some(Ears {
            interfaces: vec!["eth0".to_owned()],
            datagrams: vec![62201],
            ..Ears::of(42)
        }),
        mark: Some(0x100),
        nat: None,
    };
    Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap()
}

/// A packet of TCP from 192.0.2.9 to this machine.
pub(super) fn segment(ports: (u16, u16), syn: bool, state: State) -> Seen {
    Seen {
        on: "eth0".to_owned(),
        source: "192.0.2.9".parse().unwrap(),
        destination: "192.0.2.1".parse().unwrap(),
        protocol: 6,
        ports,
        icmp: 0,
        syn,
        state,
        reply: false,
        toward: Toward::Here,
        back: true,
        mark: 0,
        at: Time::from_secs(0),
    }
}
