//! The journal source against the real `journalctl`, on a journal made by
//! `systemd-journal-remote` (Debian: a package of its own).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::Dir;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sereno_core::time::Time;
use sereno_tail::{Journal, JournalEntry, JournalOptions, JournalSink, Notice};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const REMOTE: [&str; 2] =
    ["/usr/lib/systemd/systemd-journal-remote", "/lib/systemd/systemd-journal-remote"];

#[derive(Default)]
struct Seen {
    entries: Vec<JournalEntry>,
    notices: Vec<Notice>,
}

impl JournalSink for Seen {
    fn entry(&mut self, entry: JournalEntry) {
        self.entries.push(entry);
    }
    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}

/// One entry in systemd's export format.
fn export(n: u64, message: &[u8]) -> Vec<u8> {
    // The first entries are from an earlier boot.
    let boot = if n < 3 { "1" } else { "2" };
    let mut out = format!(
        "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={n}\n_HOSTNAME=pbx\n_PID=42\n_UID=0\n\
         _BOOT_ID={boot}123456789abcdef0123456789abcdef\n_COMM=sshd\n\
         _SYSTEMD_UNIT=ssh.service\nSYSLOG_IDENTIFIER=sshd-session\nMESSAGE\n",
        1_700_000_000_000_000 + n
    )
    .into_bytes();
    out.extend((message.len() as u64).to_le_bytes());
    out.extend(message);
    out.extend(b"\n\n");
    out
}

/// Adds entries to a new journal file in `dir`; false when the program is missing.
fn make_journal(dir: &Path, name: &str, entries: &[u8]) -> bool {
    let Some(program) = REMOTE.iter().find(|path| Path::new(path).exists()) else {
        println!("skipped: systemd-journal-remote is not installed");
        return false;
    };
    fs::create_dir_all(dir).unwrap();
    let mut child = Command::new(program)
        .arg("-o")
        .arg(dir.join(name))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(entries).unwrap();
    child.wait().unwrap().success()
}

/// Polls and wakes until `done`, or for ten seconds.
fn run(journal: &mut Journal, seen: &mut Seen, done: impl Fn(&Seen) -> bool) {
    let begin = Instant::now();
    while !done(seen) && begin.elapsed() < Duration::from_secs(10) {
        let now = Time::from_secs(1000).plus(begin.elapsed());
        if journal.wake(now, seen) {
            continue;
        }
        let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        if let Some(fd) = journal.as_fd() {
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            poll(&mut fds, Some(&wait)).unwrap();
        } else {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn options(dir: &Path) -> JournalOptions {
    let args = vec![format!("--directory={}", dir.display()), "_SYSTEMD_UNIT=ssh.service".into()];
    JournalOptions { args, from_oldest: true, ..JournalOptions::default() }
}

#[test]
fn reads_what_is_there_and_goes_on_behind_the_cursor() {
    let dir = Dir::new();
    let long = [b'x'; 5000];
    let huge = [b'y'; 100_000];
    let messages: [&[u8]; 6] =
        [b"Failed password for root", b"two\nlines", b"\xff\0\x1b", &huge, &long, b"last"];
    let mut entries = Vec::new();
    for (n, message) in (1..).zip(messages) {
        entries.extend(export(n, message));
    }
    if !make_journal(&dir.0, "a.journal", &entries) {
        return;
    }
    let (mut journal, mut seen) = (Journal::new(options(&dir.0)), Seen::default());
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 5);
    let got: Vec<&[u8]> = seen.entries.iter().map(|entry| &entry.message[..]).collect();
    assert_eq!(got, [messages[0], messages[1], messages[2], messages[4], messages[5]]);
    let cut = |n: &Notice| matches!(n, Notice::LineCut { count: 1, longest: 65_537.., .. });
    assert!(seen.notices.iter().any(cut), "{:?}", seen.notices);
    let entry = &seen.entries[0];
    assert_eq!(entry.time, Time(1_700_000_000_000_001));
    assert_eq!(entry.identifier.as_deref(), Some("sshd-session"));
    assert_eq!(entry.trusted.comm.as_deref(), Some("sshd"));
    assert_eq!(entry.trusted.unit.as_deref(), Some("ssh.service"));
    assert_eq!(entry.trusted.hostname.as_deref(), Some("pbx"));
    assert_eq!((entry.trusted.pid, entry.trusted.uid), (Some(42), Some(0)));

    // A restart from the middle.
    let mut opts = options(&dir.0);
    opts.after = Some(seen.entries[0].cursor.clone());
    let (mut journal, mut seen) = (Journal::new(opts), Seen::default());
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 4);
    assert_eq!(seen.entries[2].message, long);

    // The following child is killed; another one goes on, and sees what comes now.
    let begin = Instant::now();
    run(&mut journal, &mut seen, |_| begin.elapsed() > Duration::from_millis(500));
    assert!(seen.notices.iter().all(|n| matches!(n, Notice::LineCut { .. })));
    let pid = journal.child().unwrap();
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    make_journal(&dir.0, "b.journal", &export(100, b"while away"));
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 5);
    assert_eq!(seen.entries[4].message, b"while away");
    assert!(seen.notices.iter().any(|n| matches!(n, Notice::Ended { .. })));
}

/// Journals are vacuumed, and a flood pushes the oldest files out.
#[test]
fn nothing_is_skipped_when_the_last_entry_read_is_gone() {
    let dir = Dir::new();
    if !make_journal(&dir.0, "a.journal", &[export(3, b"one"), export(4, b"two")].concat()) {
        return;
    }
    let (mut journal, mut seen) = (Journal::new(options(&dir.0)), Seen::default());
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 2);
    let mut opts = options(&dir.0);
    opts.after = journal.cursor().map(str::to_owned);
    drop(journal);
    fs::remove_file(dir.0.join("a.journal")).unwrap();
    // More than the ten lines that `--follow` begins with by itself.
    let many: Vec<u8> = (100..130).flat_map(|n| export(n, b"new")).collect();
    make_journal(&dir.0, "b.journal", &many);
    let (mut journal, mut seen) = (Journal::new(opts), Seen::default());
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 30);
    assert_eq!(seen.entries.len(), 30);
    assert_eq!(seen.notices, []);
}

/// A guard that is stopped before the first line must know where to go on.
#[test]
fn there_is_a_place_before_the_first_entry() {
    let dir = Dir::new();
    if !make_journal(&dir.0, "a.journal", &[export(3, b"old"), export(4, b"older")].concat()) {
        return;
    }
    let fresh = || JournalOptions { from_oldest: false, ..options(&dir.0) };
    let (mut journal, mut seen) = (Journal::new(fresh()), Seen::default());
    let begin = Instant::now();
    run(&mut journal, &mut seen, |_| begin.elapsed() > Duration::from_millis(500));
    assert!(seen.entries.is_empty() && seen.notices.is_empty(), "what was there is not ours");
    let after = journal.cursor().map(str::to_owned);
    assert!(after.is_some());
    drop(journal);
    make_journal(&dir.0, "b.journal", &export(100, b"while away"));
    let opts = JournalOptions { after, ..fresh() };
    let (mut journal, mut seen) = (Journal::new(opts), Seen::default());
    run(&mut journal, &mut seen, |seen| !seen.entries.is_empty());
    make_journal(&dir.0, "c.journal", &export(101, b"now"));
    run(&mut journal, &mut seen, |seen| seen.entries.len() == 2);
    let got: Vec<&[u8]> = seen.entries.iter().map(|entry| &entry.message[..]).collect();
    assert_eq!(got, [&b"while away"[..], b"now"]);
}

#[test]
fn a_child_that_fails_is_started_again_ever_more_slowly() {
    let dir = Dir::new();
    let mut opts = options(&dir.0);
    opts.program = "/nonexistent/journalctl".into();
    let (mut journal, mut seen) = (Journal::new(opts), Seen::default());
    let mut at = Time::from_secs(0);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        journal.wake(at, &mut seen);
        let (next, why) = journal.next_wake().unwrap();
        assert_eq!(why, "start journalctl");
        pauses.push(next.since(at).as_secs());
        at = next;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);

    if !make_journal(&dir.0, "a.journal", &export(1, b"one")) {
        return;
    }
    let mut opts = options(&dir.0);
    opts.after = Some("; touch /tmp/never".into());
    let (mut journal, mut seen) = (Journal::new(opts), Seen::default());
    run(&mut journal, &mut seen, |seen| !seen.notices.is_empty());
    let told = format!("{:?}", seen.notices[0]);
    assert!(told.contains("cursor"), "its own words are passed on: {told}");
    assert!(!Path::new("/tmp/never").exists());
}
