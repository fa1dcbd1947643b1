//! The SSH server: its ports and its log.

use super::{exists, has_journal, matching, socket, text};
use rustix::event::{PollFd, PollFlags, Timespec};
use sereno_config::facts::{LogPlace, Sshd};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the program is.
const PROGRAMS: [&str; 3] = ["usr/sbin/sshd", "usr/local/sbin/sshd", "sbin/sshd"];
/// Its configuration.
const CONFIG: &str = "/etc/ssh/sshd_config";
/// How long it may take to tell its settings, and how many bytes they may be.
const PATIENCE: (Duration, usize) = (Duration::from_secs(3), 256 << 10);
/// Includes within includes, as sshd_config(5) has them.
const DEPTH: usize = 16;
/// Files read at most.
const FILES: usize = 256;

/// Finds the server.
pub(super) fn gather(root: &Path) -> Option<Sshd> {
    let program = PROGRAMS.iter().find(|path| exists(root, path));
    if program.is_none() && !exists(root, CONFIG) {
        return None;
    }
    let asked = program.filter(|_| root == Path::new("/") && rustix::process::geteuid().is_root());
    let mut ports =
        asked.and_then(|path| tell(path)).map(|told| effective(&told)).unwrap_or_default();
    if ports.is_empty() {
        ports = written(root);
    }
    ports.extend(socket::ports(root));
    if ports.is_empty() {
        ports.push(22);
    }
    ports.sort_unstable();
    ports.dedup();
    Some(Sshd { ports, logs: logs(root) })
}

/// Where its lines are. The journal comes first: the kernel vouches for who wrote them.
fn logs(root: &Path) -> LogPlace {
    if has_journal(root) {
        // By process and not by unit, whose name differs from system to system; of root, as
        // any user can give a process any name.
        let matches = ["_COMM=sshd", "_COMM=sshd-session", "_COMM=sshd-auth", "_UID=0"];
        return LogPlace::Journal(matches.map(str::to_owned).to_vec());
    }
    let files = ["/var/log/auth.log", "/var/log/secure", "/var/log/messages"];
    files
        .iter()
        .find(|path| exists(root, path))
        .map_or(LogPlace::Nowhere, |path| LogPlace::File((*path).to_owned()))
}

/// Asks `sshd -T` for its effective settings.
pub(super) fn tell(program: &str) -> Option<String> {
    let mut child = Command::new(format!("/{program}"))
        .arg("-T")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let told = child.stdout.take().and_then(|mut out| {
        let end = Instant::now() + PATIENCE.0;
        let mut told = Vec::new();
        let mut piece = [0; 8192];
        loop {
            let left = end.checked_duration_since(Instant::now())?;
            let left = Timespec::try_from(left).ok()?;
            let ready = rustix::event::poll(&mut [PollFd::new(&out, PollFlags::IN)], Some(&left));
            if ready.ok()? == 0 {
                return None;
            }
            match out.read(&mut piece).ok()? {
                0 => return String::from_utf8(told).ok(),
                count => told.extend_from_slice(&piece[..count]),
            }
            if told.len() > PATIENCE.1 {
                return None;
            }
        }
    });
    // It has said everything, or took too long; either way it is not waited for.
    let _ = child.kill();
    let _ = child.wait();
    told
}

/// The ports of `sshd -T`: those of `listenaddress`, or of `port` when there is none.
pub(super) fn effective(told: &str) -> Vec<u16> {
    let of = |key: &str| -> Vec<&str> {
        told.lines().filter_map(|line| line.strip_prefix(key)).collect()
    };
    let listens: Vec<u16> = of("listenaddress ").into_iter().filter_map(port_of).collect();
    if listens.is_empty() {
        of("port ").into_iter().filter_map(|p| p.trim().parse().ok()).collect()
    } else {
        listens
    }
}

/// The port behind the last colon of `1.2.3.4:22` or `[::1]:22`; a bare IPv6 address has none.
pub(super) fn port_of(address: &str) -> Option<u16> {
    let address = address.split_whitespace().next()?;
    let (host, port) = address.rsplit_once(':')?;
    let is_whole = host.ends_with(']') || !host.contains(':');
    port.parse().ok().filter(|_| is_whole)
}

/// The ports of the configuration files.
fn written(root: &Path) -> Vec<u16> {
    let mut ports = Ports::default();
    ports.read(root, CONFIG, 0);
    // `Port` is for the addresses that have none of their own.
    if ports.listens.is_empty() || ports.bare {
        ports.listens.append(&mut ports.ports);
    }
    ports.listens
}

/// What the files say about ports.
#[derive(Default)]
struct Ports {
    files: usize,
    ports: Vec<u16>,
    /// Of `ListenAddress` with a port.
    listens: Vec<u16>,
    /// Whether there is a `ListenAddress` without one.
    bare: bool,
}

impl Ports {
    fn read(&mut self, root: &Path, path: &str, depth: usize) {
        self.files += 1;
        if depth > DEPTH || self.files > FILES {
            return;
        }
        let Some(text) = text(root, path) else { return };
        for line in text.lines() {
            let Some((key, value)) = setting(line) else { continue };
            match key.as_str() {
                // What follows holds for some connections, and ports are not among it.
                "match" => break,
                "port" => self.ports.extend(value.parse::<u16>().ok()),
                "listenaddress" => match port_of(value) {
                    Some(port) => self.listens.push(port),
                    None => self.bare = true,
                },
                "include" => {
                    for pattern in value.split_whitespace().map(|word| word.trim_matches('"')) {
                        let whole = if pattern.starts_with('/') {
                            pattern.to_owned()
                        } else {
                            format!("/etc/ssh/{pattern}")
                        };
                        matching(root, &whole)
                            .iter()
                            .for_each(|path| self.read(root, path, depth + 1));
                    }
                }
                _ => {}
            }
        }
    }
}

/// `Keyword value` or `Keyword=value`; comments fill their line.
fn setting(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
    let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    Some((key.to_ascii_lowercase(), value.trim().trim_matches('"')))
}
