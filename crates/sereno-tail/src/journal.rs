//! The systemd journal, read by a `journalctl` child process.
//!
//! The child does what would otherwise need systemd's C library in this process: decompression
//! and the file format. It is started again when it ends, behind the last entry delivered.
//!
//! `journalctl --follow` shows the current boot only, so what is already there is first read
//! without `--follow`; when that child has ended well, a following one goes on behind it.
//!
//! A child begins at the last known entry, which is left out here. `--after-cursor` would be the
//! option for that, but systemd 252 then leaves out the next entry when the known one is gone
//! (vacuumed away, pushed out by a flood), and says nothing.

use crate::entry::JournalEntry;
use crate::lines::{Cut, Lines};
use crate::sink::{FileId, Notice};
use rustix::fs::OFlags;
use rustix::io::Errno;
use sereno_core::time::Time;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Longest JSON object taken, in bytes.
const MAX_OBJECT: usize = 64 * 1024;
/// Bytes read in one wake, about.
const BUDGET: usize = 1024 * 1024;
/// Bytes of the child's complaints that are kept.
const MAX_COMPLAINT: usize = 512;
/// How many milliseconds a child that has closed its output gets to exit.
const REAP_TRIES: usize = 20;
/// First and longest pause before the child is started again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Where journals are: those that stay, and those of this boot (systemd-journald.service(8)).
const HOMES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// Machines (directories in there) looked at, at most.
const MACHINES: usize = 64;

/// What is read.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The program: `journalctl`, found by `PATH`, or a path.
    pub program: PathBuf,
    /// Matches (`_SYSTEMD_UNIT=ssh.service`, `+`, ...) and options such as `--directory=...`,
    /// each one argument; no shell sees them.
    pub args: Vec<String>,
    /// Go on behind this cursor.
    pub after: Option<String>,
    /// Without a cursor: begin with the oldest entry, instead of the next new one.
    pub from_oldest: bool,
}

impl Default for JournalOptions {
    fn default() -> Self {
        let program = PathBuf::from("journalctl");
        Self { program, args: Vec::new(), after: None, from_oldest: false }
    }
}

/// Receives entries.
pub trait JournalSink {
    /// The next entry.
    fn entry(&mut self, entry: JournalEntry);
    /// Something happened to the source.
    fn notice(&mut self, notice: Notice);
}

/// Reads the journal. Poll [`Journal::as_fd`] for reading and hang-up.
#[derive(Debug)]
pub struct Journal {
    opts: JournalOptions,
    running: Option<Running>,
    lines: Lines,
    /// Unread bytes are at its front.
    buf: Vec<u8>,
    filled: usize,
    /// Of the entry delivered last, or of the last one that was there when reading began.
    cursor: Option<String>,
    /// What the running child may begin with, although it is known already.
    known: Option<String>,
    /// The running child only tells where the journal ends.
    seeks: bool,
    /// When reading began: without a cursor, a restart goes on from there.
    began: Option<Time>,
    /// The next (or running) child follows.
    following: bool,
    wait: Duration,
    start_at: Time,
    /// It ended, and its successor has not caught up yet.
    down: bool,
    /// Complained about an unreadable object since the last good one.
    told: bool,
}

#[derive(Debug)]
struct Running {
    child: Child,
    out: ChildStdout,
    err: ChildStderr,
    complaint: Vec<u8>,
}

impl Journal {
    /// Prepares to read; the child is started by the first [`Journal::wake`].
    #[must_use]
    pub fn new(opts: JournalOptions) -> Self {
        Self {
            running: None,
            lines: Lines::new(MAX_OBJECT),
            buf: vec![0; 2 * MAX_OBJECT],
            filled: 0,
            cursor: opts.after.clone(),
            known: None,
            seeks: false,
            began: None,
            following: false,
            wait: Duration::ZERO,
            start_at: Time::MIN,
            down: false,
            told: false,
            opts,
        }
    }

    /// What to poll, while the child runs. Another descriptor after each start, which
    /// happens in [`Journal::wake`] only: ask again when [`Journal::child`] has changed.
    #[must_use]
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.out.as_fd())
    }

    /// Process id of the running child.
    #[must_use]
    pub fn child(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Where reading stands: `after` of the next start. Known soon after the first start, also
    /// if nothing was delivered, unless the journal has no entry at all.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// When to wake at the latest, and why; none while the child runs and the descriptor
    /// tells.
    #[must_use]
    pub fn next_wake(&self) -> Option<(Time, &'static str)> {
        let cuts = self.lines.report_at().map(|at| (at, "report skipped journal entries"));
        if self.running.is_some() { cuts } else { Some((self.start_at, "start journalctl")) }
    }

    /// Starts the child when it is due, and delivers what is there. Returns whether there
    /// may be more now.
    pub fn wake(&mut self, now: Time, sink: &mut dyn JournalSink) -> bool {
        if self.running.is_none() && now >= self.start_at {
            if !self.following && self.opts.is_of_the_system() && is_closed(&HOMES.map(Path::new)) {
                let why = "this user may not; root may, and the group systemd-journal".to_owned();
                sink.notice(Notice::Unreadable { path: PathBuf::from("journal"), why });
            }
            match self.start(now) {
                Ok(running) => self.running = Some(running),
                Err(e) => {
                    let why = format!("{}: {e}", self.opts.program.display());
                    self.ended(why, now, sink);
                }
            }
        }
        let more = self.read(now, sink);
        if let Some((count, longest)) = self.lines.report(now) {
            sink.notice(Notice::LineCut { file: FileId::JOURNAL, count, longest });
        }
        more
    }

    fn start(&mut self, now: Time) -> io::Result<Running> {
        let fresh = self.began.is_none();
        let began = *self.began.get_or_insert(now);
        self.seeks = fresh && self.cursor.is_none() && !self.opts.from_oldest;
        self.known.clone_from(&self.cursor);
        let from = match &self.cursor {
            Some(cursor) => format!("--cursor={cursor}"),
            None if self.opts.from_oldest => "--no-tail".to_owned(),
            None if self.seeks => "--lines=1".to_owned(),
            None => format!("--since=@{}", began.secs()),
        };
        let mut child = Command::new(&self.opts.program)
            .args(["--output=json", "--all", "--no-pager", "--quiet", &from])
            .args(self.following.then_some("--follow"))
            .args(&self.opts.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at a terminal is meant for us; we end the child ourselves.
            .process_group(0)
            .spawn()?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let (out, err) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
        for fd in [out.as_fd(), err.as_fd()] {
            let flags = rustix::fs::fcntl_getfl(fd)?;
            rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
        }
        self.filled = 0;
        self.lines.restart(false);
        Ok(Running { child, out, err, complaint: Vec::new() })
    }

    fn read(&mut self, now: Time, sink: &mut dyn JournalSink) -> bool {
        let mut read = 0;
        while read < BUDGET {
            let Some(running) = &mut self.running else { return false };
            running.listen();
            match rustix::io::read(&running.out, &mut self.buf[self.filled..]) {
                Ok(n @ 1..) => {
                    self.filled += n;
                    read += n;
                    self.deliver(sink);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Ok(_) | Err(_) => return self.reap(now, sink),
            }
        }
        true
    }

    /// The child has closed its output. Returns whether the next one is due at once.
    fn reap(&mut self, now: Time, sink: &mut dyn JournalSink) -> bool {
        let Some(running) = self.running.take() else { return false };
        let (well, why) = running.reap();
        let caught_up = well && !self.following;
        self.following = caught_up;
        if caught_up {
            self.start_at = now;
            if std::mem::take(&mut self.down) {
                sink.notice(Notice::Resumed);
            }
        } else {
            self.ended(why, now, sink);
        }
        caught_up
    }

    fn deliver(&mut self, sink: &mut dyn JournalSink) {
        let mut at = 0;
        loop {
            let taken = match self.lines.cut(&self.buf[at..self.filled]) {
                Cut::Whole(n) => {
                    let block = at..at + n - 1;
                    for json in self.buf[block].split(|byte| *byte == b'\n') {
                        match JournalEntry::parse(json) {
                            Ok(entry) => {
                                let known = self.known.take();
                                self.cursor = Some(entry.cursor.clone());
                                self.told = false;
                                if !self.seeks && !known.is_some_and(|k| is_same(&k, &entry.cursor))
                                {
                                    self.wait = Duration::ZERO;
                                    sink.entry(entry);
                                }
                            }
                            Err(why) if !std::mem::replace(&mut self.told, true) => {
                                let path = PathBuf::from("journal entry");
                                sink.notice(Notice::Unreadable { path, why });
                            }
                            Err(_) => {}
                        }
                    }
                    n
                }
                // Half an object is no object: the entry is skipped, and reported.
                Cut::Long(n) | Cut::Drop(n) => n,
                Cut::Wait => break,
            };
            at += taken;
        }
        self.buf.copy_within(at..self.filled, 0);
        self.filled -= at;
    }

    fn ended(&mut self, why: String, now: Time, sink: &mut dyn JournalSink) {
        self.down = true;
        self.wait = (self.wait * 2).clamp(RETRY.0, RETRY.1);
        self.start_at = now.plus(self.wait);
        sink.notice(Notice::Ended { why });
    }
}

impl JournalOptions {
    /// Whether no option names another journal.
    fn is_of_the_system(&self) -> bool {
        !self.args.iter().any(|arg| arg.starts_with('-'))
    }
}

/// Whether two cursors are of one entry. The parts before the boot (`s=...;i=...;`) tell the
/// file and the place in it; journald copies entries from one file to another.
fn is_same(one: &str, other: &str) -> bool {
    let entry = |cursor: &'_ str| cursor.find(";b=").unwrap_or_default();
    one[entry(one)..] == other[entry(other)..]
}

/// Whether there are journals of the system and none may be read: `journalctl` then shows
/// nothing, and that would look like peace.
fn is_closed(homes: &[&Path]) -> bool {
    let mut closed = false;
    for home in homes {
        let machines = match std::fs::read_dir(home) {
            Ok(machines) => machines.take(MACHINES).flatten(),
            Err(e) => {
                closed |= e.kind() == ErrorKind::PermissionDenied;
                continue;
            }
        };
        for machine in machines {
            match File::open(machine.path().join("system.journal")) {
                Ok(_) => return false,
                Err(e) => closed |= e.kind() == ErrorKind::PermissionDenied,
            }
        }
    }
    closed
}

impl Running {
    /// Takes what the child complains about, so that it never waits for us to do so.
    fn listen(&mut self) {
        let mut buf = [0; MAX_COMPLAINT];
        while let Ok(n @ 1..) = rustix::io::read(&self.err, &mut buf) {
            let room = MAX_COMPLAINT - self.complaint.len();
            self.complaint.extend_from_slice(&buf[..n.min(room)]);
        }
    }

    /// Ends the child and says whether and why it ended well.
    fn reap(mut self) -> (bool, String) {
        // It has closed its output, so it is ending; give it a moment to do so by itself.
        for _ in 0..REAP_TRIES {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let status = self.child.wait();
        let well = status.as_ref().is_ok_and(|status| status.success());
        let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
        self.listen();
        let complaint = String::from_utf8_lossy(&self.complaint);
        (well, format!("journalctl ended: {status}; {}", complaint.trim()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
