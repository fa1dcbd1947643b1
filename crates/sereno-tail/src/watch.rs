//! The kernel's change events (inotify(7)) for directories and files.

use crate::sink::FileId;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Room for a few hundred events.
const BUFFER: usize = 16 * 1024;
/// Most events taken in one go.
const MAX_EVENTS: usize = 8192;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file was written to or truncated.
    Written(FileId),
    /// A file was renamed, unlinked, or its mode changed.
    Moved(FileId),
    /// Something appeared or disappeared under that path.
    Entry(PathBuf),
    /// A watched directory is no longer where it was.
    DirGone,
    /// Events were dropped.
    Overflow,
}

#[derive(Debug)]
enum Target {
    File(FileId),
    /// More than one path can lead to one directory.
    Dir(BTreeSet<PathBuf>),
}

#[derive(Debug)]
pub(crate) struct Watch {
    fd: OwnedFd,
    targets: BTreeMap<i32, Target>,
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { fd, targets: BTreeMap::new() })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Watches exactly these directories. Asking again for one that is watched already makes
    /// sure that it is still the same one. Returns those that cannot be watched.
    pub(crate) fn set_dirs(&mut self, want: &BTreeSet<PathBuf>) -> Vec<(PathBuf, io::Error)> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut failed = Vec::new();
        let mut now: BTreeMap<i32, BTreeSet<PathBuf>> = BTreeMap::new();
        for dir in want {
            match inotify::add_watch(&self.fd, dir, flags) {
                Ok(wd) => {
                    now.entry(wd).or_default().insert(dir.clone());
                }
                // It was removed meanwhile; the directory above tells when it comes back.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(e) => failed.push((dir.clone(), e.into())),
            }
        }
        let is_old = |(wd, target): (&i32, &Target)| {
            (matches!(target, Target::Dir(_)) && !now.contains_key(wd)).then_some(*wd)
        };
        let old: Vec<i32> = self.targets.iter().filter_map(is_old).collect();
        for wd in old {
            self.remove(wd);
        }
        self.targets.extend(now.into_iter().map(|(wd, dirs)| (wd, Target::Dir(dirs))));
        failed
    }

    /// Watches an open file: the inode that is open, wherever its name has gone meanwhile,
    /// as long as /proc is there.
    pub(crate) fn add_file(&mut self, id: FileId, file: &File, path: &Path) -> io::Result<i32> {
        let flags = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
        let exact = format!("/proc/self/fd/{}", file.as_raw_fd());
        let wd = match inotify::add_watch(&self.fd, exact, flags) {
            Err(Errno::NOENT | Errno::ACCESS) => inotify::add_watch(&self.fd, path, flags)?,
            other => other?,
        };
        self.targets.insert(wd, Target::File(id));
        Ok(wd)
    }

    pub(crate) fn remove(&mut self, wd: i32) {
        self.targets.remove(&wd);
        // An error says that the kernel has already removed it.
        let _ = inotify::remove_watch(&self.fd, wd);
    }

    /// Takes the waiting events, a bounded number of them; what remains keeps the descriptor
    /// readable.
    pub(crate) fn drain(&mut self, mut event: impl FnMut(Event)) -> io::Result<()> {
        let mut buf = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.fd, &mut buf);
        for _ in 0..MAX_EVENTS {
            match reader.next() {
                Ok(raw) => {
                    let name = raw.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    tell(&mut self.targets, raw.wd(), raw.events(), name, &mut event);
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        // Events in the buffer are not in the kernel any more.
        while !reader.is_buffer_empty() {
            let Ok(raw) = reader.next() else { break };
            let name = raw.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            tell(&mut self.targets, raw.wd(), raw.events(), name, &mut event);
        }
        Ok(())
    }
}

fn tell(
    targets: &mut BTreeMap<i32, Target>,
    wd: i32,
    what: ReadFlags,
    name: Option<&OsStr>,
    event: &mut impl FnMut(Event),
) {
    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
        return event(Event::Overflow);
    }
    match targets.get(&wd) {
        Some(Target::File(id)) if what.contains(ReadFlags::MODIFY) => event(Event::Written(*id)),
        Some(Target::File(id)) => event(Event::Moved(*id)),
        Some(Target::Dir(dirs)) => match name {
            Some(name) => dirs.iter().for_each(|dir| event(Event::Entry(dir.join(name)))),
            None => event(Event::DirGone),
        },
        None => {}
    }
    if what.contains(ReadFlags::IGNORED) {
        targets.remove(&wd);
    }
}
