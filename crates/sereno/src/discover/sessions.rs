//! Where those who are logged in came from.
//!
//! Only what is written after somebody proved who he is counts: login records, logind's
//! sessions, and the environment sshd gives a session. A mere connection to the SSH port does
//! not: whoever is guessing passwords has one too.

use super::{ENTRIES, bytes, distinct, inside, text};
use sereno_core::addr::parse_addr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Ancestors looked at, at most.
const DEPTH: usize = 32;

/// Reads all there is.
pub(super) fn gather(root: &Path) -> Vec<IpAddr> {
    let mut found = ancestors(root, "self");
    let records =
        ["run/utmp", "var/run/utmp"].iter().find_map(|path| bytes(&inside(root, path), 4 << 20));
    found.extend(logged_in(&records.unwrap_or_default(), RECORD));
    found.extend(logind(root));
    distinct(found.into_iter().filter(|addr| !addr.is_loopback() && !addr.is_unspecified()))
}

/// The layout of a login record (utmp(5), glibc's `bits/utmp.h`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes of a record.
    pub(super) size: usize,
    /// Where `ut_addr_v6` is: 16 bytes, of which IPv4 uses the first four.
    pub(super) addr: usize,
}

/// Machines whose 64-bit records are those of their 32-bit brothers (x86-64), and 32-bit ones:
/// type, pid, line[32], id[4], user[32], host[256], exit, session and time in 32 bits, address.
pub(super) const SHORT: Layout = Layout { size: 384, addr: 348 };
/// Other 64-bit machines (aarch64): session and both halves of the time have 64 bits.
pub(super) const LONG: Layout = Layout { size: 400, addr: 360 };

const RECORD: Layout =
    if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) { LONG } else { SHORT };

/// `ut_type` of a session of a user.
const USER_PROCESS: u16 = 7;

/// The addresses of user sessions in login records.
pub(super) fn logged_in(records: &[u8], layout: Layout) -> Vec<IpAddr> {
    let session = |record: &[u8]| {
        if u16::from_ne_bytes(record[..2].try_into().ok()?) != USER_PROCESS {
            return None;
        }
        let raw: [u8; 16] = record.get(layout.addr..layout.addr + 16)?.try_into().ok()?;
        let [a, b, c, d, rest @ ..] = raw;
        let addr = if rest == [0; 12] {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from(raw))
        };
        (!addr.is_unspecified()).then_some(addr)
    };
    records.chunks_exact(layout.size).filter_map(session).collect()
}

/// systemd-logind's sessions: `KEY=value` files, of which `REMOTE_HOST` is an address unless
/// sshd looked up its name.
fn logind(root: &Path) -> Vec<IpAddr> {
    let Ok(entries) = std::fs::read_dir(inside(root, "run/systemd/sessions")) else {
        return Vec::new();
    };
    let paths = entries.take(ENTRIES).filter_map(|entry| Some(entry.ok()?.path()));
    let session = |path: std::path::PathBuf| {
        let text = String::from_utf8_lossy(&bytes(&path, 64 << 10)?).into_owned();
        let field = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(str::to_owned)
        };
        let is_open =
            field("REMOTE").as_deref() == Some("1") && field("STATE").as_deref() != Some("closing");
        parse_addr(field("REMOTE_HOST").filter(|_| is_open)?.as_bytes())
    };
    paths.filter_map(session).collect()
}

/// What sshd told this process and those it descends from.
fn ancestors(root: &Path, pid: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut pid = pid.to_owned();
    for _ in 0..DEPTH {
        let environ =
            bytes(&inside(root, &format!("proc/{pid}/environ")), 1 << 20).unwrap_or_default();
        found.extend(client(&environ));
        let status = text(root, &format!("proc/{pid}/status")).unwrap_or_default();
        match status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim) {
            Some(parent)
                if !matches!(parent, "0" | "1") && parent.bytes().all(|b| b.is_ascii_digit()) =>
            {
                parent.clone_into(&mut pid);
            }
            _ => break,
        }
    }
    found
}

/// The client's address in `SSH_CONNECTION` or `SSH_CLIENT` (ssh(1)): the first word.
pub(super) fn client(environ: &[u8]) -> Option<IpAddr> {
    environ.split(|&b| b == 0).find_map(|variable| {
        let value = variable
            .strip_prefix(b"SSH_CONNECTION=")
            .or_else(|| variable.strip_prefix(b"SSH_CLIENT="))?;
        parse_addr(value.split(|&b| b == b' ').next()?)
    })
}
