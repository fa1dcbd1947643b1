//! Ports that systemd holds for sshd (systemd.socket(5)). Where `ssh.socket` is in use, `Port` in
//! sshd's own configuration has no effect.

use super::sshd::port_of;
use super::{exists, matching, text};
use std::collections::BTreeMap;
use std::path::Path;

/// The unit's name: Debian's, and that of most others.
const UNITS: [&str; 2] = ["ssh.socket", "sshd.socket"];
/// Where units are; the first counts (systemd.unit(5)).
const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The state `LISTEN` in `/proc/net/tcp` (proc_net(5)).
const LISTEN: &str = "0A";

/// The ports of the units that somebody listens on. The unit is often installed and not used, and
/// files do not tell for sure; one port too many does no harm to a ban.
pub(super) fn ports(root: &Path) -> Vec<u16> {
    let mut ports: Vec<u16> = UNITS.iter().flat_map(|unit| written(root, unit)).collect();
    if !ports.is_empty() {
        let open = listening(root);
        ports.retain(|port| open.contains(port));
    }
    ports
}

/// What a unit and its drop-ins say. An empty `ListenStream=` takes back what was said before.
fn written(root: &Path, unit: &str) -> Vec<u16> {
    let places = || FOLDERS.iter().map(|folder| format!("{folder}/{unit}"));
    // A link to /dev/null is a unit that is switched off.
    let Some(main) = places().find(|path| exists(root, path)) else { return Vec::new() };
    let mut files = BTreeMap::new();
    for path in places().flat_map(|path| matching(root, &format!("{path}.d/*.conf"))) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        files.entry(name).or_insert(path);
    }
    let mut ports = Vec::new();
    for path in std::iter::once(main).chain(files.into_values()) {
        for line in text(root, &path).unwrap_or_default().lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            match (key.trim(), value.trim()) {
                ("ListenStream", "") => ports.clear(),
                ("ListenStream", value) => {
                    ports.extend(value.parse().ok().or_else(|| port_of(value)));
                }
                _ => {}
            }
        }
    }
    ports
}

/// Every TCP port that is listened on: `sl local_address rem_address st ...`, where an address
/// ends in its port in hexadecimal.
fn listening(root: &Path) -> Vec<u16> {
    let port = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, port) = local.rsplit_once(':').filter(|_| state == LISTEN)?;
        u16::from_str_radix(port, 16).ok()
    };
    let table = |name: &str| text(root, &format!("proc/net/{name}")).unwrap_or_default();
    ["tcp", "tcp6"]
        .into_iter()
        .flat_map(|t| table(t).lines().filter_map(port).collect::<Vec<_>>())
        .collect()
}
