//! Who listens on what: sockets of `/proc/net` (proc_net(5)) and the programs that hold them.

use super::tcp::{LISTEN, Row, rows};
use super::{ENTRIES, inside, text};
use sereno_config::facts::Listener;
use sereno_core::addr::canonical;
use sereno_core::gate::Proto;
use std::collections::HashMap;
use std::path::Path;

/// The state of a UDP socket that belongs to no connection.
const UNBOUND: &str = "07";
/// Open files of all programs that are looked at, at most.
const FILES: usize = 200_000;

/// All who listen on an address that others can reach, by protocol and port.
#[must_use]
pub fn listeners(root: &Path) -> Vec<Listener> {
    let programs = programs(root);
    let listener = |proto| {
        let programs = &programs;
        move |row: Row| Listener {
            proto,
            addr: canonical(row.local.ip()),
            port: row.local.port(),
            program: programs.get(&row.inode).cloned().unwrap_or_default(),
        }
    };
    let tcp = rows(root, ["tcp", "tcp6"], LISTEN).into_iter().map(listener(Proto::Tcp));
    let udp = rows(root, ["udp", "udp6"], UNBOUND).into_iter();
    let udp = udp.filter(|row| row.remote.port() == 0).map(listener(Proto::Udp));
    let mut all: Vec<Listener> = tcp.chain(udp).filter(|l| !l.addr.is_loopback()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The name of the program that holds each socket, by the socket's inode.
fn programs(root: &Path) -> HashMap<u64, String> {
    let mut found = HashMap::new();
    let Ok(entries) = std::fs::read_dir(inside(root, "proc")) else { return found };
    let mut left = FILES;
    for entry in entries.take(ENTRIES * 8).flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|pid| pid.bytes().all(|b| b.is_ascii_digit())) else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let mut program = None;
        for file in files.take(left).flatten() {
            left -= 1;
            let Ok(link) = std::fs::read_link(file.path()) else { continue };
            let Some(inode) = link.to_str().and_then(socket) else { continue };
            let name = program.get_or_insert_with(|| {
                let name = text(root, &format!("proc/{pid}/comm")).unwrap_or_default();
                name.trim().chars().filter(|c| !c.is_control()).collect::<String>()
            });
            found.entry(inode).or_insert_with(|| name.clone());
        }
    }
    found
}

/// The inode in `socket:[12345]`.
fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
