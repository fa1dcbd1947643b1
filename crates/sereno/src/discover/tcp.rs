//! The kernel's list of TCP sockets: `/proc/net/tcp` and `tcp6` (proc_net(5)).

use super::{net, text};
use sereno_core::addr::canonical;
use sereno_core::gate::Stream;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The states `ESTABLISHED` and `LISTEN`.
pub(super) const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// Every TCP port that is listened on.
#[must_use]
pub fn listening(root: &Path) -> Vec<u16> {
    rows(root, LISTEN).into_iter().map(|(local, _)| local.port()).collect()
}

/// What is under way, but for what stays on this machine.
#[must_use]
pub fn streams(root: &Path) -> Vec<Stream> {
    let stream = |(local, remote): (SocketAddr, SocketAddr)| Stream {
        from: canonical(remote.ip()),
        port: remote.port(),
        to: local.port(),
    };
    let streams = rows(root, ESTABLISHED).into_iter().map(stream);
    streams.filter(|stream| !stream.from.is_loopback()).collect()
}

/// Both ends of each socket in that state: `sl local_address rem_address st ...`.
pub(super) fn rows(root: &Path, state: &str) -> Vec<(SocketAddr, SocketAddr)> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, st) = (fields.next()?, fields.next()?, fields.next()?);
        if st == state { Some((end(local)?, end(remote)?)) } else { None }
    };
    let table = |name: &str| text(root, &format!("proc/net/{name}")).unwrap_or_default();
    let tables = ["tcp", "tcp6"].map(table);
    tables.iter().flat_map(|table| table.lines().filter_map(row)).collect()
}

/// An end: the address as words of 32 bits in the machine's order, and the port, in hexadecimal.
fn end(text: &str) -> Option<SocketAddr> {
    let (addr, port) = text.split_once(':')?;
    let addr: IpAddr = match addr.len() {
        8 => Ipv4Addr::from(u32::from_str_radix(addr, 16).ok()?.to_ne_bytes()).into(),
        _ => {
            let mut octets = net::addr6(addr)?.octets();
            for word in octets.chunks_exact_mut(4) {
                let read: [u8; 4] = word.try_into().ok()?;
                word.copy_from_slice(&u32::from_be_bytes(read).to_ne_bytes());
            }
            octets.into()
        }
    };
    Some(SocketAddr::new(addr, u16::from_str_radix(port, 16).ok()?))
}
