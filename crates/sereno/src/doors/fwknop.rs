//! What signed packets open.

use super::{Reader, SignedDoor, disk, set};
use crate::words;
use jiff::tz::TimeZone;
use sereno_config::fwknop::{Server, read_server};
use sereno_config::{Document, Severity};
use sereno_core::door::{Deeds, Door, Sequences};
use sereno_core::engine::DoorPolicy;
use sereno_core::gate::{Name, PortRange, Ports};
use sereno_spa::Stanza;
use std::path::Path;

/// What a fwknopd.conf beside an access.conf is called.
const DAEMON: &str = "fwknopd.conf";

impl Reader {
    /// Every stanza of an access.conf is a door.
    pub(super) fn fwknop(&mut self, path: &Path, closed: bool) {
        let Some(server) = self.server(path) else { return };
        let mut names = Vec::new();
        let asked = |stanza: &Stanza| {
            let leads = stanza.translation.force.is_some();
            stanza.open_ports.is_empty() && stanza.cycle.is_none() && !leads
        };
        if closed && server.access.stanzas.iter().any(asked) {
            let (message, remedy) = (words::door_stanza_open(), words::door_stanza_open_fix());
            self.note(Severity::Warning, path, message, &remedy);
        }
        for stanza in &server.access.stanzas {
            let name = self.name("fwknop");
            let deeds = set(&stanza.open_ports).map(Deeds::open).unwrap_or_default();
            let mut door = signed_door(&stanza.name, deeds);
            door.hold = stanza.timeout;
            let (free, cut) = (Vec::new(), false);
            let closed = closed && stanza.cycle.is_none();
            self.doors.policies.push(DoorPolicy { name, door, closed, cut, free });
            names.push(SignedDoor { name, ports: None });
        }
        self.signed(server, names);
    }

    /// An access.conf whose packets open one door; gives what is behind it: its own ports, or all
    /// that the file names.
    pub(super) fn signed_by(
        &mut self,
        path: &Path,
        name: Name,
        ports: Option<Ports>,
    ) -> Option<Ports> {
        let server = self.server(path)?;
        let stanzas = &server.access.stanzas;
        let opened = stanzas.iter().filter(|stanza| stanza.cycle.is_none());
        let named: Vec<PortRange> = opened.flat_map(|stanza| stanza.open_ports.clone()).collect();
        let behind = ports.clone().or_else(|| set(&named));
        let doors = vec![SignedDoor { name, ports }; stanzas.len()];
        self.signed(server, doors);
        behind
    }

    fn signed(&mut self, server: Server, doors: Vec<SignedDoor>) {
        let Server { access, daemon, .. } = server;
        if access.stanzas.is_empty() {
            return;
        }
        let all = &mut self.doors.signed;
        let first = all.doors.is_empty();
        // What holds for all stanzas: the strictest of what the files say.
        all.access.max_age =
            if first { access.max_age } else { all.access.max_age.min(access.max_age) };
        all.access.stanzas.extend(access.stanzas);
        all.doors.extend(doors);
        self.doors.datagrams.push(daemon.port);
    }

    fn server(&mut self, path: &Path) -> Option<Server> {
        let remedy = &words::door_access_fix();
        let text = self.text(path, disk::secret, remedy)?;
        let access = Document { name: path.display().to_string(), text };
        let beside = path.with_file_name(DAEMON);
        let daemon = disk::text(&beside).ok();
        let daemon = daemon.map(|text| Document { name: beside.display().to_string(), text });
        let zone = TimeZone::system();
        let mut server = read_server(&access, daemon.as_ref(), &disk::Disk, &zone);
        self.problems.append(&mut server.problems);
        Some(server)
    }
}

/// A door that nobody knocks at.
pub(super) fn signed_door(title: &str, deeds: Deeds) -> Door {
    Door { v4: deeds.clone(), v6: deeds, ..Door::new(title, Sequences::Once(Vec::new())) }
}
