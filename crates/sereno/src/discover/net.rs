//! Addresses, gateways and networks, from `/proc/net` (proc_net(5)).

use super::{distinct, text};
use sereno_core::addr::Prefix;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Where this machine is in the network.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Net {
    /// Own addresses, without loopback.
    pub(super) own: Vec<IpAddr>,
    /// Default gateways.
    pub(super) gateways: Vec<IpAddr>,
    /// Networks directly attached, without loopback and link-local.
    pub(super) networks: Vec<Prefix>,
}

/// Reads the kernel's tables.
pub(super) fn gather(root: &Path) -> Net {
    let read = |name: &str| text(root, &format!("proc/net/{name}")).unwrap_or_default();
    let (mut gateways, mut networks) = routes(&read("route"));
    let (own6, networks6) = interfaces6(&read("if_inet6"));
    gateways.extend(gateways6(&read("ipv6_route")));
    networks.extend(networks6);
    networks.sort_unstable();
    networks.dedup();
    let own = own4(&read("fib_trie")).into_iter().chain(own6);
    Net {
        own: distinct(own.filter(|addr| !addr.is_loopback())),
        gateways: distinct(gateways),
        networks,
    }
}

/// `dev`: lines `NAME: counters` behind two of headings.
pub(super) fn interfaces(text: &str) -> Vec<String> {
    let names = text.lines().skip(2).filter_map(|line| line.rsplit_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// `fib_trie`: a leaf `|-- ADDRESS` with a line `/32 host LOCAL` below it is an own address.
fn own4(text: &str) -> Vec<IpAddr> {
    let mut own = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in text.lines().map(str::trim) {
        if let Some(addr) = line.strip_prefix("|-- ") {
            leaf = addr.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            own.extend(leaf.map(IpAddr::V4));
        }
    }
    own
}

/// `route`: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., addresses as the raw
/// 32 bits in hexadecimal. Returns default gateways and attached networks.
fn routes(text: &str) -> (Vec<IpAddr>, Vec<Prefix>) {
    let (mut gateways, mut networks) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let addr = |at: usize| {
            let raw = u32::from_str_radix(fields.get(at)?, 16).ok()?;
            Some(Ipv4Addr::from(raw.to_ne_bytes()))
        };
        let (Some(to), Some(by), Some(mask)) = (addr(1), addr(2), addr(7)) else { continue };
        if !by.is_unspecified() {
            if to.is_unspecified() && mask.is_unspecified() {
                gateways.push(IpAddr::V4(by));
            }
            continue;
        }
        let bits = mask.to_bits().leading_ones() as u8;
        if (1..32).contains(&bits) && !to.is_loopback() && !to.is_link_local() && !to.is_multicast()
        {
            networks.extend(Prefix::new(IpAddr::V4(to), bits));
        }
    }
    (gateways, networks)
}

pub(super) fn addr6(hex: &str) -> Option<Ipv6Addr> {
    let is_whole = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if is_whole { u128::from_str_radix(hex, 16).ok().map(Ipv6Addr::from_bits) } else { None }
}

/// `if_inet6`: address, interface index, prefix length, scope (00 global, 10 host, 20 link),
/// flags, name; numbers in hexadecimal.
fn interfaces6(text: &str) -> (Vec<IpAddr>, Vec<Prefix>) {
    let (mut own, mut networks) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [addr, _, bits, scope, ..] = fields.as_slice() else { continue };
        let Some(addr) = addr6(addr).map(IpAddr::V6) else { continue };
        own.push(addr);
        let bits = u8::from_str_radix(bits, 16).ok().filter(|bits| (1..128).contains(bits));
        if let (Some(bits), "00") = (bits, *scope) {
            networks.extend(Prefix::new(addr, bits));
        }
    }
    (own, networks)
}

/// `ipv6_route`: destination, length, source, length, next hop, metric, references, uses,
/// flags, interface. A default route with `RTF_GATEWAY` (2) and without `RTF_REJECT` (200) has
/// a gateway.
fn gateways6(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [to, "00", _, _, by, _, _, _, flags, ..] = fields.as_slice() else { return None };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let is_default = addr6(to)?.is_unspecified() && flags & 0x2 != 0 && flags & 0x200 == 0;
        addr6(by).filter(|by| is_default && !by.is_unspecified()).map(IpAddr::V6)
    };
    text.lines().filter_map(gateway).collect()
}
