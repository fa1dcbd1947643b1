//! One script, run by `sh` in a process group of its own.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Bytes of output that are kept.
const KEPT: usize = 64 << 10;
/// How often it is looked whether waiting is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How long a process group has to end by itself when it is told to.
const GRACE: Duration = Duration::from_millis(200);
/// What a command finds of our own environment. A path that nobody set is the usual one.
const INHERITED: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_TIME",
    "TZ",
    "TMPDIR",
];
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended with this status.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// It took longer than this, and was killed with all it had started.
    Timeout(Duration),
    /// It could not be started, or not be waited for.
    System(String),
    /// A value it needs cannot be put where it would stand.
    Unfit(String),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it went well.
    pub result: Result<(), Failure>,
    /// The beginning of what it printed on both outputs, up to 64 KiB.
    pub output: String,
    /// How long it took.
    pub spent: Duration,
}

/// When everything has to be over, for all commands of an action.
#[derive(Debug)]
pub struct Stop {
    began: Instant,
    wanted: AtomicBool,
    /// Milliseconds after `began`.
    by: AtomicU64,
}

impl Default for Stop {
    fn default() -> Self {
        Self { began: Instant::now(), wanted: AtomicBool::new(false), by: AtomicU64::new(0) }
    }
}

impl Stop {
    /// Everything has to be over within `patience`.
    pub(super) fn ask(&self, patience: Duration) {
        let by = self.began.elapsed().saturating_add(patience).as_millis();
        self.by.store(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Release);
        self.wanted.store(true, Ordering::Release);
    }

    /// The time left, if somebody asked.
    pub(super) fn left(&self) -> Option<Duration> {
        let by = Duration::from_millis(self.by.load(Ordering::Acquire));
        let asked = self.wanted.load(Ordering::Acquire);
        asked.then(|| by.saturating_sub(self.began.elapsed()))
    }
}

/// Runs a script with `values` in its environment.
pub fn run(script: &str, values: &[(String, String)], timeout: Duration, stop: &Stop) -> Ended {
    let began = Instant::now();
    let mut output = Vec::new();
    if stop.left().is_some_and(|left| left.is_zero()) {
        let result = Err(Failure::Timeout(Duration::ZERO));
        return Ended { result, output: String::new(), spent: Duration::ZERO };
    }
    let result = start(script, values).map_err(|e| Failure::System(e.to_string()));
    let result = result.and_then(|(mut child, mut pipe)| {
        let waited = wait(&mut child, &mut pipe, &mut output, (began, timeout), stop);
        match waited {
            Ok(Some(status)) => judged(status),
            Ok(None) => {
                kill(&mut child, &mut pipe, &mut output);
                Err(Failure::Timeout(began.elapsed()))
            }
            Err(e) => {
                kill(&mut child, &mut pipe, &mut output);
                Err(Failure::System(e.to_string()))
            }
        }
    });
    let output = String::from_utf8_lossy(&output).into_owned();
    Ended { result, output, spent: began.elapsed() }
}

fn judged(status: ExitStatus) -> Result<(), Failure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Failure::Exit(code)),
        (None, signal) => Err(Failure::Signal(signal.unwrap_or(0))),
    }
}

fn start(script: &str, values: &[(String, String)]) -> io::Result<(Child, PipeReader)> {
    let (pipe, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(script)
        .env_clear()
        .env("PATH", PATH)
        .envs(inherited)
        .envs(values.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    // The command holds the pipe's other end until it is dropped.
    Ok((command.spawn()?, pipe))
}

/// Waits for the end of the process, not of its output: what it left in the background may hold
/// that for ever. `None` if the time is over.
fn wait(
    child: &mut Child,
    pipe: &mut PipeReader,
    output: &mut Vec<u8>,
    (began, timeout): (Instant, Duration),
    stop: &Stop,
) -> io::Result<Option<ExitStatus>> {
    let end: Option<OwnedFd> = pid(child).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let mut open = true;
    loop {
        open = open && drain(pipe, output);
        if let Some(status) = child.try_wait()? {
            drain(pipe, output);
            return Ok(Some(status));
        }
        let own = timeout.saturating_sub(began.elapsed());
        let left = stop.left().map_or(own, |left| left.min(own));
        if left.is_zero() {
            return Ok(None);
        }
        let mut fds = Vec::with_capacity(2);
        fds.extend(end.as_ref().map(|end| PollFd::new(end, PollFlags::IN)));
        if open {
            fds.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        }
        // Without a descriptor of the process (before Linux 5.3) its end is seen later.
        let slice = if end.is_some() { LOOK } else { LOOK / 5 };
        let slice = Timespec::try_from(left.min(slice)).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&slice)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Reads what is there, for a while; says whether more can come.
fn drain(pipe: &mut PipeReader, output: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 8192];
    for _ in 0..64 {
        match pipe.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let room = KEPT.saturating_sub(output.len());
                output.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(e) => return e.kind() != io::ErrorKind::BrokenPipe,
        }
    }
    true
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Ends the process and everything it started in its group. The process is not waited for before
/// the last signal: while it is there, nobody else has its number.
fn kill(child: &mut Child, pipe: &mut PipeReader, output: &mut Vec<u8>) {
    if let Some(pid) = pid(child) {
        let _ = kill_process_group(pid, Signal::TERM);
        sleep(GRACE);
        let _ = kill_process_group(pid, Signal::KILL);
    }
    drain(pipe, output);
    // One that hangs in the kernel stays a while longer; we do not.
    for _ in 0..20 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        sleep(LOOK);
    }
}
