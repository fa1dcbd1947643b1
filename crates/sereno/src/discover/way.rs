//! By which interface an address is reached: the kernel's routing tables (proc_net(5)).

use super::{net, text};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The routing tables, as they were when they were read.
#[derive(Debug)]
pub struct Ways {
    four: String,
    six: String,
}

impl Ways {
    /// Reads them.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let read = |name: &str| text(root, &format!("proc/net/{name}")).unwrap_or_default();
        Self { four: read("route"), six: read("ipv6_route") }
    }

    /// The interface by which an address is reached; `None` where no route leads there.
    #[must_use]
    pub fn to(&self, addr: IpAddr) -> Option<String> {
        match addr {
            IpAddr::V4(addr) => longest(&self.four, |fields| four(fields, addr)),
            IpAddr::V6(addr) => longest(&self.six, |fields| six(fields, addr.to_bits())),
        }
    }
}

/// Of the routes that lead there, the interface of the one with the longest prefix.
fn longest<'a>(
    table: &'a str,
    leads: impl Fn(&[&'a str]) -> Option<(u32, &'a str)>,
) -> Option<String> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = rows.filter_map(|fields| leads(&fields));
    // Of two alike the first counts: the kernel lists by metric.
    let found = found.reduce(|best, next| if next.0 > best.0 { next } else { best });
    found.map(|(_, name)| name.to_owned())
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`, addresses as the raw 32 bits.
fn four<'a>(fields: &[&'a str], to: Ipv4Addr) -> Option<(u32, &'a str)> {
    let raw = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    let (net, mask) = (raw(1)?, raw(7)?);
    let inside = u32::from_ne_bytes(to.octets()) & mask == net;
    inside.then_some((mask.count_ones(), *fields.first()?))
}

/// `destination length source length next-hop metric references uses flags interface`; routes to
/// this machine itself and those that lead nowhere are on `lo`.
fn six<'a>(fields: &[&'a str], to: u128) -> Option<(u32, &'a str)> {
    let net = net::addr6(fields.first()?)?.to_bits();
    let length = u32::from_str_radix(fields.get(1)?, 16).ok().filter(|length| *length <= 128)?;
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let name = *fields.get(9)?;
    (to & mask == net && name != "lo").then_some((length, name))
}
