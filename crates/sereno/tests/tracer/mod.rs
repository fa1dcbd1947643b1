//! Runs a program under ptrace and kills it on entering the n-th system call by which it changes
//! anything outside itself, counted over all its threads. (strace counts its `when=N` for each
//! thread and each call by itself, so it cannot be told to stop at the n-th of several.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of a test")]

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

/// Put in front of a program, waits until the tracer is ready.
pub(crate) const GATE: [&str; 4] = ["sh", "-c", "read -r go; exec \"$@\" </dev/null", "sh"];

/// What became of a traced program.
pub(crate) struct End {
    /// The calls, as `name what-it-was-about`; the last one was not executed if it was killed.
    pub(crate) effects: Vec<String>,
    pub(crate) killed: bool,
}

/// A program that runs until its `nth` effect.
pub(crate) struct Traced(JoinHandle<End>);

impl Traced {
    /// Starts a command that begins with [`GATE`]. `nth` counts from 1.
    pub(crate) fn start(command: Command, nth: usize) -> Self {
        // The kernel takes orders from the thread that traces, from no other.
        Self(std::thread::spawn(move || trace(command, nth)))
    }

    pub(crate) fn over(&self) -> bool {
        self.0.is_finished()
    }

    pub(crate) fn end(self) -> End {
        self.0.join().unwrap()
    }
}

#[allow(clippy::zombie_processes, reason = "it is waited for by the calls for traced processes")]
fn trace(mut command: Command, nth: usize) -> End {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let leader = Pid::from_raw(child.id() as i32);
    let options = Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    ptrace::seize(leader, options).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut end = End { effects: Vec::new(), killed: false };
    // Children of this thread only: other tests run in other threads.
    let whose = Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD);
    loop {
        match waitpid(None, whose) {
            Ok(WaitStatus::PtraceSyscall(_)) if end.killed => {}
            Ok(WaitStatus::PtraceSyscall(pid)) => {
                end.effects.extend(effect(pid));
                if end.effects.len() == nth {
                    end.killed = true;
                    kill(leader, Signal::SIGKILL).unwrap();
                } else {
                    go_on(pid, None);
                }
            }
            Ok(WaitStatus::PtraceEvent(pid, ..)) => go_on(pid, None),
            Ok(WaitStatus::Stopped(pid, signal)) => go_on(pid, Some(signal)),
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) if pid == leader => {
                return end;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => panic!("waiting: {e}"),
        }
    }
}

fn go_on(pid: Pid, signal: Option<Signal>) {
    match ptrace::syscall(pid, signal) {
        // Gone with all the others meanwhile.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(e) => panic!("going on: {e}"),
    }
}

/// Calls that change what their descriptor stands for.
const ON_DESCRIPTORS: [(i64, &str); 13] = [
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_pwritev, "pwritev"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fallocate, "fallocate"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_sendmmsg, "sendmmsg"),
    (libc::SYS_bind, "bind"),
];
/// Calls that change names.
const ON_NAMES: [(i64, &str); 6] = [
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_fchmodat, "fchmodat"),
    (libc::SYS_fchownat, "fchownat"),
];
/// As above, where they have not been left out of the kernel.
#[cfg(target_arch = "x86_64")]
const OLD_ON_NAMES: [(i64, &str); 5] = [
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_chmod, "chmod"),
    (libc::SYS_chown, "chown"),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_ON_NAMES: [(i64, &str); 0] = [];

/// The effect a thread is about to have, if it is at the entry of such a call.
fn effect(pid: Pid) -> Option<String> {
    let info = ptrace::syscall_info(pid).ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    let (number, first, third) = call(pid)?;
    let named = |list: &[(i64, &'static str)]| {
        list.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
    };
    if let Some(name) = named(&ON_DESCRIPTORS) {
        let target = std::fs::read_link(format!("/proc/{pid}/fd/{first}")).unwrap_or_default();
        let target = target.to_string_lossy();
        let short = target.rsplit('/').next().unwrap_or_default();
        // What it says on standard error nobody remembers, and wake-up calls between its threads
        // stay inside.
        let inside = first <= 2 || target.starts_with("pipe:") || target.starts_with("anon_inode:");
        let short = short.split(':').next().unwrap_or_default();
        return (!inside).then(|| format!("{name} {short}"));
    }
    if number == libc::SYS_openat && third & libc::O_CREAT as u64 != 0 {
        return Some("openat O_CREAT".to_owned());
    }
    named(&ON_NAMES).or(named(&OLD_ON_NAMES)).map(str::to_owned)
}

/// Number, first, and third argument of the call.
#[cfg(target_arch = "x86_64")]
fn call(pid: Pid) -> Option<(i64, u64, u64)> {
    let regs = ptrace::getregs(pid).ok()?;
    Some((regs.orig_rax as i64, regs.rdi, regs.rdx))
}
#[cfg(target_arch = "aarch64")]
fn call(pid: Pid) -> Option<(i64, u64, u64)> {
    let regs = ptrace::getregs(pid).ok()?;
    Some((regs.regs[8] as i64, regs.regs[0], regs.regs[2]))
}
