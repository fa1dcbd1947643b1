//! The doors of all files: those of the configuration, of a knockd.conf, and of an access.conf.

mod disk;
mod fwknop;
mod knockd;
mod own;

pub use disk::text_of;

use crate::words;
use sereno_config::{Policy, Problem, Severity};
use sereno_core::door::{Manner, Sequence, Sequences};
use sereno_core::engine::DoorPolicy;
use sereno_core::gate::{Forward, NAME_MAX, Name, Nat, PortRange, Ports};
use sereno_spa::Access;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// All doors, with nothing left to interpret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// Those that stand.
    pub policies: Vec<DoorPolicy>,
    /// How knocks are matched.
    pub manner: Manner,
    /// The files of one-time sequences, by the door.
    pub once: BTreeMap<Name, PathBuf>,
    /// Who may open what with a signed packet.
    pub signed: Signed,
    /// The UDP ports at which signed packets come in.
    pub datagrams: Vec<u16>,
    /// The only interfaces that are listened on, where there are such.
    pub interfaces: Vec<String>,
    /// Whether the ports of imported doors are left to another firewall, which closes them.
    pub left: bool,
    /// A log in knockd's form.
    pub log: Option<PathBuf>,
}

/// Who may open what with a signed packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The stanzas of all access.conf files.
    pub access: Access,
    /// The door of each, in their order.
    pub doors: Vec<SignedDoor>,
}

/// The door of a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDoor {
    /// What it is called.
    pub name: Name,
    /// What a packet opens, if not what it asks for: the ports of the door.
    pub ports: Option<Ports>,
}

impl Signed {
    /// What packets may have translated; `None` if nothing.
    #[must_use]
    pub fn nat(&self) -> Option<Nat> {
        let mut nat = Nat::default();
        for translation in self.access.stanzas.iter().map(|stanza| &stanza.translation) {
            // Where a stanza forces packets to, this machine may be.
            let forced = translation.force.is_some();
            nat.here |= translation.local || forced;
            nat.elsewhere |= translation.forwarding || forced;
            if translation.all {
                let to = translation.force.map(|to| *to.ip()).filter(|_| !translation.as_sent);
                nat.forwards.push(Forward { to, snat: translation.snat });
            }
            nat.snats.extend(translation.snat);
        }
        (nat.here || nat.elsewhere).then_some(nat)
    }
}

impl Doors {
    /// Whether there is anything to be heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// A one-time sequence by its place in its door's list, and the file it is from.
    #[must_use]
    pub fn once(&self, door: Name, number: u64) -> Option<(&Path, &Sequence)> {
        let policy = self.policies.iter().find(|policy| policy.name == door)?;
        let Sequences::Once(list) = &policy.door.sequences else { return None };
        Some((self.once.get(&door)?, list.get(usize::try_from(number).ok()?)?))
    }
}

/// Where the doors of other programs are, if not where the configuration says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Imports<'a> {
    /// A knockd.conf.
    pub knockd: Option<&'a Path>,
    /// An access.conf; a fwknopd.conf is looked for beside it.
    pub fwknop: Option<&'a Path>,
}

/// Reads the doors; says what is wrong with their files.
#[must_use]
pub fn read(policy: &Policy, imports: Imports<'_>) -> (Doors, Vec<Problem>) {
    let mut reader = Reader { doors: Doors::default(), problems: Vec::new() };
    let settings = &policy.settings;
    if settings.knockd_strict {
        reader.doors.manner = Manner::Strict;
    }
    let others = || crate::discover::is_closed(settings.table.as_str());
    let closed = settings.closed.unwrap_or_else(|| !others());
    reader.doors.left = settings.closed.is_none() && !closed;
    policy.doors.iter().for_each(|conf| reader.own(conf));
    if let Some(path) = imports.knockd.or(settings.knockd.as_deref()) {
        reader.knockd(path, closed);
    }
    if let Some(path) = imports.fwknop.or(settings.fwknop.as_deref()) {
        reader.fwknop(path, closed);
    }
    reader.doors.datagrams.sort_unstable();
    reader.doors.datagrams.dedup();
    (reader.doors, reader.problems)
}

struct Reader {
    doors: Doors,
    problems: Vec<Problem>,
}

impl Reader {
    /// A short name that no door has yet, made of what a file calls it.
    fn name(&self, title: &str) -> Name {
        let plain = |c: char| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_' | '-') => c,
            _ => '-',
        };
        let text: String = title.chars().map(plain).collect();
        let base = if text.is_empty() { "door" } else { &text };
        let taken = |name: &Name| self.doors.policies.iter().any(|policy| policy.name == *name);
        let numbered = (1..).filter_map(|n: u32| {
            let number = if n == 1 { String::new() } else { format!("-{n}") };
            let base = &base[..base.len().min(NAME_MAX - number.len())];
            Name::new(&format!("{base}{number}")).ok()
        });
        let mut free = numbered.filter(|name| !taken(name));
        free.next().unwrap_or(Name::SERENO)
    }

    /// The text of a file; that it cannot be had is told, with this remedy.
    fn text(
        &mut self,
        path: &Path,
        read: fn(&Path) -> io::Result<String>,
        remedy: &str,
    ) -> Option<String> {
        read(path).map_err(|e| self.problem(path, e.to_string(), remedy)).ok()
    }

    /// A problem of a file as a whole.
    fn problem(&mut self, file: &Path, message: String, remedy: &str) {
        self.note(Severity::Error, file, message, remedy);
    }

    /// Who can read the sequences of a file can knock.
    fn warn_of_shared(&mut self, path: &Path) {
        if let Some(mode) = disk::is_shared(path) {
            let what = words::door_shared(format!("{mode:o}"));
            self.note(Severity::Warning, path, what, &words::door_shared_fix());
        }
    }

    fn note(&mut self, severity: Severity, file: &Path, message: String, remedy: &str) {
        self.problems.push(Problem {
            severity,
            file: file.display().to_string(),
            line: 0,
            column: 1,
            cited: String::new(),
            indent: 0,
            width: 1,
            message,
            remedy: remedy.to_owned(),
        });
    }
}

/// Single ports, as a set of ports; `None` without any.
fn set(ranges: &[PortRange]) -> Option<Ports> {
    Ports::only(ranges.to_vec()).ok()
}
