//! Where the old rules were weak.

use super::lines::Made;
use crate::remark::{Notes, Remark};
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::{Deed, WORLD, What, Who, is_delicate};
use sereno_core::gate::{PortRange, Proto};
use std::net::IpAddr;

/// From so many ports on, a range is said to be wide.
const WIDE: u16 = 1000;
/// Where passwords go in the clear: ftp, telnet, pop3, imap, ldap.
const CLEAR: [u16; 5] = [21, 23, 110, 143, 389];

/// Tells what everybody reached.
pub(crate) fn look(made: &[Made], notes: &mut Notes) {
    for made in
        made.iter().filter(|made| made.rule.deed == Deed::Allow && is_world(&made.rule.from))
    {
        for what in &made.rule.what {
            if let What::Ports(range) = what
                && let Some(remark) = of(*range)
            {
                notes.say(made.place, &made.text, remark);
            }
        }
    }
}

fn of(range: PortRange) -> Option<Remark> {
    let proto = range.proto();
    let mut ports = range.first()..=range.last();
    if range.last() - range.first() >= WIDE {
        Some(Remark::Wide(range))
    } else if proto == Proto::Tcp && ports.clone().any(|port| CLEAR.contains(&port)) {
        Some(Remark::Clear(range))
    } else {
        ports.any(|port| is_delicate(proto, port)).then_some(Remark::Delicate(range))
    }
}

fn is_world(from: &Who) -> bool {
    match from {
        Who::Anybody => true,
        Who::Those { zones, networks } => {
            let world = zones.iter().any(|zone| zone.as_str() == WORLD);
            world || networks.iter().any(|network| network.bits() == 0)
        }
    }
}

/// A network that is nobody else's (RFC 1918, RFC 4193).
pub(super) fn is_private(network: Prefix) -> bool {
    match network.addr() {
        IpAddr::V4(addr) => addr.is_private(),
        IpAddr::V6(addr) => addr.is_unique_local(),
    }
}
