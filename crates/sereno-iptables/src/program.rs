//! Programs: where they are, and how they are asked.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Where they may be. What an environment says of it is of no importance.
const PLACES: [&str; 2] = ["/usr/sbin", "/sbin"];
/// How long one may take: a hundred thousand bans take less than a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are read of what one prints. A machine may have thousands of rules of others.
const PRINTED: u64 = 64 << 20;
/// And of what it complains of.
const COMPLAINED: u64 = 64 << 10;
/// While another program holds the lock of the old iptables, it is asked again.
const LOCKED: i32 = 4;
const TRIES: u32 = 50;
const AGAIN: Duration = Duration::from_millis(100);
/// Characters of what a program said that are told.
const TOLD: usize = 400;

/// What a program printed, and whether it went well.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) good: bool,
    pub(crate) printed: String,
    /// On its standard error: warnings would stand in the middle of a line of the other.
    pub(crate) complained: String,
}

impl Ran {
    /// What it complained of, on one line.
    pub(crate) fn complaint(&self) -> String {
        let lines = self.complained.lines().map(str::trim);
        let lines = lines.filter(|line| {
            !line.is_empty() && !line.starts_with("Try `") && !line.starts_with("# Warning")
        });
        let said = lines.collect::<Vec<_>>().join("; ");
        let plain = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(TOLD).collect()
    }

    /// The line of its input that it names, counted from 1.
    pub(crate) fn line(&self) -> Option<usize> {
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        ["in line ", "at line: ", "line "]
            .iter()
            .find_map(|words| self.complained.split_once(words).and_then(|(_, rest)| digits(rest)))
    }
}

/// Where a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}

/// Asks a program, and asks again while it cannot have its lock.
///
/// # Errors
/// When it cannot be started, or takes too long.
pub(crate) fn ask(program: &Path, args: &[&str], input: &str) -> io::Result<Ran> {
    ask_within(PATIENCE, program, args, input)
}

/// As [`ask`], for one that may take so long at most.
pub(crate) fn ask_within(
    patience: Duration,
    program: &Path,
    args: &[&str],
    input: &str,
) -> io::Result<Ran> {
    for _ in 1..TRIES {
        match once(patience, program, args, input)? {
            (Some(LOCKED), _) => thread::sleep(AGAIN),
            (_, ran) => return Ok(ran),
        }
    }
    once(patience, program, args, input).map(|(_, ran)| ran)
}

fn once(
    patience: Duration,
    program: &Path,
    args: &[&str],
    input: &str,
) -> io::Result<(Option<i32>, Ran)> {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        // What it starts ends with it, or would keep its output open.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (done, wait) = channel::<()>();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It is not waited for before this thread is told, so the number is still its own.
    let guard = thread::spawn(move || {
        let late = wait.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        if let (true, Some(pid)) = (late, pid) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        late
    });
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let complaining = thread::spawn(move || read(err, COMPLAINED));
    if let Some(mut stdin) = child.stdin.take() {
        // Where it stops to listen it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let printed = read(out, PRINTED);
    let complained = complaining.join().unwrap_or_default();
    drop(done);
    let late = guard.join().unwrap_or_default();
    let status = child.wait()?;
    if late {
        let name = program.display();
        return Err(io::Error::other(format!("{name} took longer than {} s", patience.as_secs())));
    }
    Ok((status.code(), Ran { good: status.success(), printed, complained }))
}

/// The beginning of what comes, up to so many bytes.
fn read(from: Option<impl Read>, most: u64) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What cannot be read is missing, and then the program did not go well.
        let _ = from.take(most).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_told_on_one_line() {
        let ran =
            |text: &str| Ran { good: false, printed: String::new(), complained: text.to_owned() };
        let ipset = ran("ipset v7.17: Error in line 12: Set cannot be created\u{1b}[1m\n");
        assert_eq!(ipset.line(), Some(12));
        assert!(!ipset.complaint().contains('\u{1b}'));
        let legacy = ran(
            "iptables-restore v1.8.9 (legacy): no such set.\n\nError occurred at line: 21\nTry `iptables-restore -h' for more.\n",
        );
        assert_eq!(legacy.line(), Some(21));
        assert!(legacy.complaint().ends_with("no such set.; Error occurred at line: 21"));
        assert_eq!(ran("iptables-restore: line 7 failed\n").line(), Some(7));
        assert_eq!(ran("").line(), None);
    }

    #[test]
    fn programs_are_found_and_asked() {
        assert_eq!(find("no-such-program-here"), None);
        let shell = Path::new("/bin/sh");
        let ran = ask(shell, &["-c", "read x; echo $x $PATH; echo bad >&2; exit 3"], "word\n");
        let ran = ran.unwrap();
        assert!(
            !ran.good && ran.printed.starts_with("word /usr/sbin") && ran.complained == "bad\n"
        );
        assert!(ask(shell, &["-c", "exec true"], &"x".repeat(1 << 20)).unwrap().good);
    }

    #[test]
    fn one_that_hangs_ends_with_all_that_it_started() {
        let begun = std::time::Instant::now();
        let script = ["-c", "sleep 50 & sleep 50"];
        let why = ask_within(Duration::from_secs(1), Path::new("/bin/sh"), &script, "");
        assert!(why.unwrap_err().to_string().contains("longer than 1 s"));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
