//! The doors of a knockd.conf.

use super::{Reader, disk};
use sereno_config::{Document, knockd};
use sereno_core::door::{Deed, Manner};
use sereno_core::engine::DoorPolicy;
use sereno_core::gate::Ports;
use std::path::{Path, PathBuf};

impl Reader {
    pub(super) fn knockd(&mut self, path: &Path, closed: bool) {
        let remedy = &crate::words::door_knockd_fix();
        let Some(text) = self.text(path, disk::foreign, remedy) else { return };
        let document = Document { name: path.display().to_string(), text };
        let once = |path: &str| disk::text(Path::new(path)).ok();
        let outcome = knockd::read(&document, &once);
        self.problems.extend(outcome.problems);
        for section in outcome.doors {
            let name = self.name(&section.door.name);
            // Whoever opens everything means another firewall.
            let all =
                |deed: &Deed| matches!(deed, Deed::Open(Ports::All) | Deed::Close(Ports::All));
            let deeds = [&section.door.v4, &section.door.v6];
            let all = deeds.iter().any(|deeds| all(&deeds.start) || all(&deeds.stop));
            if let Some(once) = section.once {
                self.warn_of_shared(Path::new(&once.path));
                self.doors.once.insert(name, PathBuf::from(once.path));
            }
            let (door, free) = (section.door, Vec::new());
            let closed = closed && !all;
            self.doors.policies.push(DoorPolicy { name, door, closed, cut: false, free });
        }
        self.doors.log = outcome.options.log_file.map(PathBuf::from);
        if self.doors.manner == Manner::Strict {
            self.doors.interfaces.extend(outcome.options.interface);
        }
    }
}
