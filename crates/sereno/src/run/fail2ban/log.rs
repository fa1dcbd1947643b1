//! fail2ban's own log: the lines that its jail `recidive`, panels and people look for, in the form
//! that its server gives them.
//!
//! Each line is `2026-11-22 15:22:38,123 fail2ban.actions        [PID]: NOTICE  [sshd] Ban ..`:
//! local time, the part of the server, the level. A thread of its own writes them, so that a disk
//! that hangs holds up nobody.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Pieces that wait for the disk at most, and bytes of one.
const PIECES: usize = 64;
const PIECE: usize = 1 << 20;
/// How long the end waits for the last piece.
const PATIENCE: Duration = Duration::from_secs(2);

/// Levels as fail2ban numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are called what they are")]
pub enum Level {
    Info = 20,
    Notice = 25,
    Warning = 30,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    #[default]
    Nowhere,
    /// Standard error, where the service manager listens.
    Stderr,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// As `logtarget` says: a path, or one of fail2ban's words. What it calls the system's log is
    /// the service manager's here. Options in `[...]` are passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let bare = text.split('[').next().unwrap_or_default().trim();
        match bare.to_uppercase().as_str() {
            "" => Self::Nowhere,
            "STDOUT" | "STDERR" | "SYSLOG" | "SYSOUT" | "SYSTEMD-JOURNAL" | "INHERITED" => {
                Self::Stderr
            }
            _ => Self::File(PathBuf::from(bare)),
        }
    }

    /// Whether it can be written to.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> io::Result<()> {
        match self {
            Self::File(path) => append(path).map(drop),
            _ => Ok(()),
        }
    }
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    least: u32,
    waiting: Vec<u8>,
    lost: u64,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    jobs: SyncSender<Job>,
    trouble: Receiver<String>,
}

enum Job {
    Write(Vec<u8>),
    Open(Target),
    Reopen,
}

impl Log {
    /// A log that goes to `target` from `level` on, as fail2ban names levels.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn open(target: Target, level: &str) -> io::Result<Self> {
        let mut log = Self::default();
        log.set_level(level);
        if target == Target::Nowhere {
            return Ok(log);
        }
        let (jobs, todo) = sync_channel(PIECES);
        let (tell, trouble) = sync_channel(PIECES);
        let work = move || work(target, &todo, &tell);
        Builder::new().name("fail2ban.log".to_owned()).spawn(work)?;
        log.writer = Some(Writer { jobs, trouble });
        Ok(log)
    }

    /// Whether lines of this level are written at all.
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        self.writer.is_some() && level as u32 >= self.least
    }

    /// Writes only what is of this level or above from now on.
    pub fn set_level(&mut self, level: &str) {
        self.least = number(level);
    }

    /// Goes somewhere else from now on.
    pub fn set_target(&mut self, target: Target) {
        self.send();
        self.order(Job::Open(target));
    }

    /// Closes the file and opens it again, as after it was moved away.
    pub fn reopen(&mut self) {
        self.send();
        self.order(Job::Reopen);
    }

    /// Adds a line of a part of the server (`actions`, `filter`, ...).
    pub fn say(&mut self, part: &str, level: Level, text: &str) {
        if !self.wants(level) {
            return;
        }
        if self.waiting.len() > PIECE {
            self.lost += 1;
            return;
        }
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f");
        let (name, process) = (format!("fail2ban.{part}"), std::process::id());
        // What is in the lines of others must not become a line of ours.
        let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let clean: String = clean.collect();
        let line = format!("{time} {name:<24}[{process}]: {:<7} {clean}\n", level.word());
        self.waiting.extend_from_slice(line.as_bytes());
    }

    /// Hands over what waits; gives what went wrong since the last time.
    pub fn send(&mut self) -> Vec<String> {
        if !self.waiting.is_empty()
            && let Some(writer) = &self.writer
        {
            let piece = std::mem::take(&mut self.waiting);
            match writer.jobs.try_send(Job::Write(piece)) {
                // The disk hangs: it waits here, and beyond a size it is let go.
                Err(TrySendError::Full(Job::Write(piece))) => self.waiting = piece,
                _ if self.lost > 0 => {
                    let lost = std::mem::take(&mut self.lost);
                    return vec![format!("{lost} lines were not written: the disk is too slow")];
                }
                _ => {}
            }
        }
        self.writer.as_ref().map(|writer| writer.trouble.try_iter().collect()).unwrap_or_default()
    }

    fn order(&self, job: Job) {
        if let Some(writer) = &self.writer {
            // A disk that hangs takes no orders either; the file is looked at before each piece.
            let _ = writer.jobs.try_send(job);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.send();
        if let Some(Writer { jobs, trouble }) = self.writer.take() {
            drop(jobs);
            // It hangs up when it is done.
            while trouble.recv_timeout(PATIENCE).is_ok() {}
        }
    }
}

/// A level's number; a level can be one.
fn number(level: &str) -> u32 {
    match level.trim().to_uppercase().as_str() {
        "CRITICAL" | "FATAL" => 50,
        "ERROR" => 40,
        "WARNING" | "WARN" => 30,
        "NOTICE" => 25,
        "MSG" => 18,
        "DEBUG" => 10,
        "TRACEDEBUG" => 7,
        "HEAVYDEBUG" => 5,
        "NOTSET" => 0,
        other => other.parse().unwrap_or(20),
    }
}

/// What the thread does until nobody has anything to say any more.
fn work(mut target: Target, todo: &Receiver<Job>, tell: &SyncSender<String>) {
    let mut file: Option<File> = None;
    let mut told = false;
    for job in todo {
        let piece = match job {
            Job::Write(piece) => piece,
            Job::Open(other) => {
                (target, file, told) = (other, None, false);
                continue;
            }
            Job::Reopen => {
                (file, told) = (None, false);
                continue;
            }
        };
        let path = match &target {
            Target::Nowhere => continue,
            Target::Stderr => {
                let _ = io::stderr().lock().write_all(&piece);
                continue;
            }
            Target::File(path) => path,
        };
        match write(path, &mut file, &piece) {
            Ok(()) => told = false,
            Err(e) => {
                file = None;
                if !std::mem::replace(&mut told, true) {
                    let _ = tell.try_send(format!("{}: {e}", path.display()));
                }
            }
        }
    }
}

/// Appends to the file that has this name now.
fn write(path: &Path, file: &mut Option<File>, piece: &[u8]) -> io::Result<()> {
    let same = |file: &File| {
        let (open, named) = (file.metadata().ok()?, std::fs::metadata(path).ok()?);
        Some(open.dev() == named.dev() && open.ino() == named.ino())
    };
    let mut open = match file.take().filter(|file| same(file) == Some(true)) {
        Some(file) => file,
        None => append(path)?,
    };
    open.write_all(piece)?;
    *file = Some(open);
    Ok(())
}

/// Opens a file for appending: one that is a file, with no other name, behind no link but one that
/// root or this user made.
fn append(path: &Path) -> io::Result<File> {
    let denied = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let real = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            if meta.uid() != 0 && meta.uid() != rustix::process::geteuid().as_raw() {
                return denied("somebody else's link");
            }
            std::fs::canonicalize(path)?
        }
        _ => path.to_owned(),
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(flags.bits() as i32);
    let file = options.open(real)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.nlink() > 1 {
        return denied("no file, or one with several names");
    }
    Ok(file)
}
