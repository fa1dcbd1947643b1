//! Ports that systemd holds for sshd (systemd.socket(5)). Where `ssh.socket` is in use, `Port` in
//! sshd's own configuration has no effect.

use super::sshd::port_of;
use super::tcp::listening;
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
