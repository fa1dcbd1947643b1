//! The kernel's lists of sockets: `/proc/net/tcp`, `tcp6` and the like (proc_net(5)).

use super::{net, text};
use sereno_core::addr::canonical;
use sereno_core::gate::Stream;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The lists of TCP.
const TCP: [&str; 2] = ["tcp", "tcp6"];
/// The states `ESTABLISHED` and `LISTEN`.
const ESTABLISHED: &str = "01";
pub(super) const LISTEN: &str = "0A";

/// Every TCP port that is listened on.
#[must_use]
pub fn listening(root: &Path) -> Vec<u16> {
    rows(root, TCP, LISTEN).into_iter().map(|row| row.local.port()).collect()
}

/// What is under way, but for what stays on this machine.
#[must_use]
pub fn streams(root: &Path) -> Vec<Stream> {
    let stream = |row: Row| Stream {
        from: canonical(row.remote.ip()),
        port: row.remote.port(),
        to: row.local.port(),
    };
    let streams = rows(root, TCP, ESTABLISHED).into_iter().map(stream);
    streams.filter(|stream| !stream.from.is_loopback()).collect()
}

/// A socket.
pub(super) struct Row {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// Its inode.
    pub(super) inode: u64,
}

/// The sockets in that state:
/// `sl local_address rem_address st queues timer retransmits uid timeout inode ...`.
pub(super) fn rows(root: &Path, tables: [&str; 2], state: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote, st) = (fields.next()?, fields.next()?, fields.next()?);
        if st != state {
            return None;
        }
        let inode = fields.nth(5).and_then(|inode| inode.parse().ok()).unwrap_or(0);
        Some(Row { local: end(local)?, remote: end(remote)?, inode })
    };
    let table = |name: &str| text(root, &format!("proc/net/{name}")).unwrap_or_default();
    let tables = tables.map(table);
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
