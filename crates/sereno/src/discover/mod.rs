//! What runs on this machine: services, their logs, its addresses, who is logged in.
//!
//! Everything here tolerates absence: what cannot be read is simply not found. What is read is
//! bounded, and files that could block or never end are not opened for reading.

mod asterisk;
mod conf;
mod goal;
mod handshake;
mod listen;
mod net;
mod sessions;
mod socket;
mod sshd;
mod tcp;
mod way;

pub use asterisk::rtp;
pub use goal::{Goal, GoalKind, asks_the_time, goals};
pub use handshake::{handshake, is_newer};
pub use listen::listeners;
use rustix::fs::OFlags;
use sereno_config::facts::Facts;
use sereno_core::addr::{Prefix, canonical};
use sereno_core::jail::Friend;
use std::fs::OpenOptions;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
pub use tcp::{listening, streams};
pub use way::Ways;

/// Bytes of a file read at most. The routing tables of a big router are the largest.
const LONGEST: u64 = 16 << 20;
/// Entries of a directory looked at, at most.
const ENTRIES: usize = 4096;

/// Looks at the machine whose root directory is `root`; programs are asked only at `/`.
#[must_use]
pub fn gather(root: &Path) -> Facts {
    let net = net::gather(root);
    Facts {
        sshd: sshd::gather(root),
        asterisk: asterisk::gather(root),
        own_addrs: net.own,
        gateways: net.gateways,
        sessions: sessions::gather(root),
        networks: net.networks,
    }
}

/// The interfaces and addresses of this machine at this moment; `None` where they cannot be seen.
#[must_use]
pub fn net() -> Option<sereno_config::Net> {
    let root = Path::new("/");
    let interfaces = net::interfaces(&text(root, "proc/net/dev")?);
    Some(sereno_config::Net { interfaces, addrs: net::gather(root).own })
}

/// The addresses of this machine at this moment.
#[must_use]
pub fn own() -> Vec<IpAddr> {
    net::gather(Path::new("/")).own
}

/// Whether another firewall turns away what nobody asked for; `false` where that cannot be seen.
/// `ours` is the table that is no other's.
#[must_use]
pub fn is_closed(ours: &str) -> bool {
    let kernel = sereno_nft::Kernel::open();
    let old = has_legacy() && !sereno_iptables::is_alone(ours);
    old || kernel.and_then(|mut kernel| kernel.is_closed_by_others(ours)).unwrap_or(false)
}

/// Whether iptables filters in its old form, which is no part of nftables.
#[must_use]
pub fn has_legacy() -> bool {
    let tables = std::fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    tables.lines().any(|table| table == "filter")
}

/// Whether the kernel sends on what is for other machines (IPv4).
#[must_use]
pub fn forwards() -> bool {
    let set = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
    set.trim() != "0"
}

/// Who is a friend of this machine at this moment: itself, its gateways, and the addresses of
/// those who are logged in.
#[must_use]
pub fn friends() -> Vec<Friend> {
    let root = Path::new("/");
    let net = net::gather(root);
    let mut friends: Vec<Friend> = Vec::new();
    let lists = [
        (net.own, "own address"),
        (net.gateways, "gateway"),
        (sessions::gather(root), "logged in"),
    ];
    for (list, why) in lists {
        for prefix in list.into_iter().map(Prefix::host) {
            if !friends.iter().any(|friend| friend.prefix == prefix) {
                friends.push(Friend { prefix, why: why.to_owned() });
            }
        }
    }
    friends
}

/// A path inside the root.
fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn exists(root: &Path, path: &str) -> bool {
    inside(root, path).exists()
}

/// Whether the systemd journal keeps what is said on this machine, and can be read.
fn has_journal(root: &Path) -> bool {
    let any = |paths: &[&str]| paths.iter().any(|path| exists(root, path));
    any(&["usr/bin/journalctl", "bin/journalctl"])
        && any(&["var/log/journal", "run/log/journal"])
        // Its directory may be left over; this one is there only while the journal runs.
        && exists(root, "run/systemd/journal")
}

/// The first bytes of a regular file.
fn bytes(path: &Path, most: u64) -> Option<Vec<u8>> {
    // A FIFO in a log directory must not make us wait.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file =
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A file's text; what is not UTF-8 is replaced.
fn text(root: &Path, path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&bytes(&inside(root, path), LONGEST)?).into_owned())
}

/// The files a pattern names, sorted: `*` and `?` in the last component.
fn matching(root: &Path, pattern: &str) -> Vec<String> {
    let Some((folder, last)) = pattern.rsplit_once('/') else { return Vec::new() };
    if !last.contains(['*', '?']) {
        return vec![pattern.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(inside(root, folder)) else { return Vec::new() };
    let names =
        entries.take(ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .filter(|name| !name.starts_with('.') && is_like(name.as_bytes(), last.as_bytes()))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    found.sort();
    found
}

/// Whether a name is what a pattern of `*` and `?` describes; in time of their product at most.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0, 0);
    // Where the last star was, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                n += 1;
                p += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// Addresses without repetition, in the order found.
fn distinct(addrs: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = Vec::new();
    for addr in addrs.into_iter().map(canonical) {
        if !seen.contains(&addr) {
            seen.push(addr);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
