//! A log in knockd's form, where its configuration names one.

use crate::doors::Doors;
use sereno_core::door::{Deed, When};
use sereno_core::engine::{Action, Knock};
use sereno_core::gate::Name;
use sereno_core::time::Time;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The log, if there is one.
#[derive(Debug, Default)]
pub(super) struct Log {
    path: Option<PathBuf>,
    file: Option<File>,
    /// Whether it was said that it cannot be written.
    said: bool,
}

impl Log {
    pub(super) fn open(&mut self, path: Option<&Path>) {
        self.path = path.map(Path::to_owned);
        self.file = None;
        self.said = false;
    }

    /// Writes what knockd would; gives what kept it from that, once.
    pub(super) fn note(&mut self, action: &Action, doors: &Doors, now: Time) -> Option<String> {
        let path = self.path.as_deref()?;
        let lines = lines(action, doors);
        if lines.is_empty() {
            return None;
        }
        let time = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
        let time = time.to_zoned(jiff::tz::TimeZone::system());
        let stamp = time.strftime("%Y-%m-%d %H:%M").to_string();
        let text: String = lines.iter().map(|line| format!("[{stamp}] {line}\n")).collect();
        let written = open(&mut self.file, path).and_then(|file| file.write_all(text.as_bytes()));
        let error = written.err()?;
        self.file = None;
        let first = !std::mem::replace(&mut self.said, true);
        first.then(|| format!("{}: {error}", path.display()))
    }
}

/// Opened anew if it was moved away, as `logrotate` does.
fn open<'f>(file: &'f mut Option<File>, path: &Path) -> std::io::Result<&'f mut File> {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let there = std::fs::metadata(path).ok().map(place);
    let ours = file.as_ref().and_then(|file| file.metadata().ok()).map(place);
    if ours.is_none() || ours != there {
        *file = None;
    }
    match file {
        Some(file) => Ok(file),
        none => {
            let new = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
            Ok(none.insert(new))
        }
    }
}

/// Lines of knockd's, from behind the date on.
fn lines(action: &Action, doors: &Doors) -> Vec<String> {
    let door = |name: &Name| doors.policies.iter().find(|policy| policy.name == *name);
    let (Action::Knock { door: name, addr, .. } | Action::Run { door: name, addr, .. }) = action
    else {
        return Vec::new();
    };
    let Some(door) = door(name).map(|policy| &policy.door) else { return Vec::new() };
    let title = &door.name;
    match action {
        Action::Knock { what, .. } => vec![match what {
            Knock::Stage(stage) => format!("{addr}: {title}: Stage {stage}"),
            // Two of knockd's lines end twice.
            Knock::TimedOut(stage) => {
                format!("{addr}: {title}: sequence timeout (stage {stage})\n")
            }
            Knock::Done => format!("{addr}: {title}: OPEN SESAME"),
        }],
        Action::Run { when, .. } => {
            let deeds = door.deeds(*addr);
            let (over, deed) = match when {
                When::Start => (None, &deeds.start),
                When::Stop => (Some(format!("{addr}: {title}: command timeout")), &deeds.stop),
            };
            let command = match deed {
                Deed::Run(text) => Some(text.replace("%IP%", &addr.to_string())),
                _ => None,
            };
            let command = command.map(|text| format!("{title}: running command: {text}\n"));
            over.into_iter().chain(command).collect()
        }
        _ => Vec::new(),
    }
}
