//! Silence does not look like peace: a log that falls silent, a format that is no longer
//! understood, a jail that reads nothing. Each is an alarm in `sereno status` (as text, as JSON,
//! and by its exit code) and in what the program says by itself, and it ends when it is mended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod program;

use program::{Guard, Home, PATIENCE, now, own_network, wrong_password};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const CONFIG: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 3\n";
/// Somebody is let out of a session; every server writes such lines, hour by hour.
const OTHER: &str = "Nov 22 15:17:01 pbx CRON[812]: pam_unix(cron:session): session closed";

/// Starts the program through these words, in a network of its own, where it may guard.
fn guard(config: &str, through: &[&str], logs: &[&str]) -> Option<Guard> {
    own_network().then(|| {
        let home = Home::new(config);
        logs.iter().for_each(|log| home.append(log, ""));
        let child = home.run(through).spawn().unwrap();
        Guard::wait_for(home, child)
    })
}

impl Home {
    /// Whether `status` raises exactly these alarms (each given by a part of it), in every form.
    fn raises(&self, expected: &[&str]) -> bool {
        let status = self.json(&["status", "--json"]);
        let alarms: Vec<String> = status["alarms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alarm| alarm.as_str().unwrap().to_owned())
            .collect();
        let alike = alarms.len() == expected.len()
            && expected.iter().all(|part| alarms.iter().any(|alarm| alarm.contains(part)));
        if !alike {
            return false;
        }
        let shown = self.ask(&["status"]);
        let text = String::from_utf8_lossy(&shown.stdout);
        assert_eq!(shown.status.code(), Some(i32::from(!expected.is_empty())), "{text}");
        assert_eq!(text.matches("ALARM: ").count(), expected.len(), "{text}");
        assert_eq!(text.contains("All is well"), expected.is_empty(), "{text}");
        alarms.iter().all(|alarm| text.contains(alarm))
    }

    /// Waits until it raises these and no other.
    fn until_it_raises(&self, expected: &[&str]) {
        let started = Instant::now();
        while !self.raises(expected) {
            let alarms = &self.json(&["status", "--json"])["alarms"];
            assert!(started.elapsed() < PATIENCE, "{expected:?}, but there is {alarms}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the program has said by itself that an alarm is raised, or is over.
    fn until_it_says(&self, how: &str, alarm: &str) {
        self.until(|home| home.said().lines().any(|l| l.starts_with(how) && l.contains(alarm)));
    }
}

/// A clock of the program's own, ahead of the true one by what the file says.
struct Clock(String);

impl Clock {
    fn new() -> Option<Self> {
        let asked = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let library = asked.ok().filter(|out| out.status.success());
        if library.is_none() {
            println!("skipped: there is no faketime");
        }
        Some(Self(String::from_utf8(library?.stdout).unwrap().trim().to_owned()))
    }

    /// Words that start a program with this clock. What waits goes by the true one.
    fn words(&self, home: &Home) -> Vec<String> {
        let clock = format!("FAKETIME_TIMESTAMP_FILE={}", home.path("clock").display());
        let rest = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        let first = ["env".to_owned(), format!("LD_PRELOAD={}", self.0), clock];
        first.into_iter().chain(rest.map(str::to_owned)).collect()
    }

    /// Starts a program with this clock.
    fn start(&self, home: &Home) -> Child {
        let words = self.words(home);
        let through: Vec<&str> = words.iter().map(String::as_str).collect();
        home.run(&through).spawn().unwrap()
    }
}

impl Home {
    /// Sets the program's clock ahead.
    fn later(&self, hours: u32) {
        std::fs::write(self.path("clock.new"), format!("+{hours}h\n")).unwrap();
        std::fs::rename(self.path("clock.new"), self.path("clock")).unwrap();
    }
}

/// With a clock of its own and an `auth.log` with one line.
fn timed_guard() -> Option<Guard> {
    let clock = Clock::new()?;
    own_network().then(|| {
        let home = Home::new(CONFIG);
        home.log(OTHER);
        home.later(0);
        let child = clock.start(&home);
        Guard::wait_for(home, child)
    })
}

#[test]
fn a_log_that_falls_silent() {
    let Some(guard) = timed_guard() else { return };
    guard.log(OTHER);
    guard
        .until(|g| !g.json(&["status", "--json"])["jails"][0]["sources"][0]["last_line"].is_null());
    guard.until_it_raises(&[]);
    guard.later(23);
    assert!(guard.raises(&[]), "a quiet night and day are no alarm");
    guard.later(25);
    guard.until_it_raises(&["auth.log: silent since"]);
    guard.until_it_says("ALARM: ", "auth.log: silent since");
    guard.log(OTHER);
    guard.until_it_raises(&[]);
    guard.later(26);
    guard.until_it_says("over: ", "auth.log: silent since");
}

#[test]
fn a_log_that_was_silent_from_the_start() {
    let Some(mut guard) = timed_guard() else { return };
    guard.until_it_raises(&[]);
    assert!(guard.ask(&["stop"]).status.success());
    assert!(guard.child.wait().unwrap().success());
    // Started again; what the log had was read long ago, and nothing comes any more.
    guard.child = Clock::new().unwrap().start(&guard);
    guard.until(Home::answers);
    guard.until_it_raises(&[]);
    guard.later(25);
    guard.until_it_raises(&["auth.log: silent since"]);
}

#[test]
fn other_words_than_before() {
    let Some(guard) = guard(CONFIG, &[], &["auth.log"]) else { return };
    guard.log(&wrong_password(now(), 1, "203.0.113.1"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    for pid in 2..22 {
        guard.log(&format!(
            "{} pbx sshd[{pid}]: Failed password for <root> by 203.0.113.{pid}",
            now()
        ));
    }
    guard.until_it_raises(&["auth.log: the last 20 lines of this service were not understood"]);
    guard.until_it_says("ALARM: ", "were not understood");
    guard.log(&wrong_password(now(), 30, "203.0.113.1"));
    guard.until_it_raises(&[]);
    guard.until_it_says("over: ", "were not understood");
}

/// As [`wrong_password`], with a date as some syslog daemons are told to write it.
fn in_another_format(pid: u32) -> String {
    let line = wrong_password(now(), pid, "203.0.113.9");
    format!("22.11.2026 15:22:38{}", &line[line.find(' ').unwrap()..])
}

#[test]
fn another_date_format() {
    let Some(guard) = guard(CONFIG, &[], &["auth.log"]) else { return };
    guard.log(&wrong_password(now(), 1, "203.0.113.1"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    for pid in 2..22 {
        guard.log(&in_another_format(pid));
    }
    guard.until_it_raises(&["auth.log: the last 20 lines of this service were not understood"]);
    guard.log(&wrong_password(now(), 30, "203.0.113.1"));
    guard.until_it_raises(&[]);
}

#[test]
fn never_understood() {
    let Some(guard) = guard(CONFIG, &[], &["auth.log"]) else { return };
    for pid in 1..21 {
        guard.log(&in_another_format(pid));
    }
    guard.until_it_raises(&["auth.log: "]);
    assert!(guard.raises(&["understood"]), "{}", guard.said());
    guard.log(&wrong_password(now(), 30, "203.0.113.1"));
    guard.until_it_raises(&[]);
}

#[test]
fn a_jail_that_reads_nothing() {
    let config = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\n\
        [jail.many]\nrule = \"sshd\"\nlogpath = [\"@DIR@/many*.log\"]\n";
    let Some(guard) = guard(config, &[], &[]) else { return };
    let all = [
        "jail sshd reads nothing",
        "jail many reads nothing",
        "auth.log does not exist",
        "many*.log does not exist",
    ];
    guard.until_it_raises(&all);
    all.iter().for_each(|alarm| guard.until_it_says("ALARM: ", alarm));
    guard.append("auth.log", "");
    guard.until_it_raises(&[all[1], all[3]]);
    guard.append("many1.log", "");
    guard.until_it_raises(&[]);
    all.iter().for_each(|alarm| guard.until_it_says("over: ", alarm));
    // Its writer may still hold it, so that it is read on; but nobody else will find it.
    std::fs::remove_file(guard.path("auth.log")).unwrap();
    guard.until_it_raises(&[all[2]]);
}

#[test]
fn a_log_that_may_not_be_read() {
    if !Command::new("setpriv").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return println!("skipped: there is no setpriv");
    }
    if !own_network() {
        return;
    }
    let home = Home::new(CONFIG);
    home.append("auth.log", "");
    let log = home.path("auth.log");
    let mode =
        |mode| std::fs::set_permissions(&log, std::fs::Permissions::from_mode(mode)).unwrap();
    // Somebody else's, and we are a root that may not read everything, as a hardened service is.
    std::os::unix::fs::chown(&log, Some(65534), None).unwrap();
    mode(0o600);
    let through = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
    let child = home.run(&through).spawn().unwrap();
    let guard = Guard::wait_for(home, child);
    guard.until_it_raises(&["jail sshd reads nothing", "cannot read"]);
    mode(0o644);
    guard.log(&wrong_password(now(), 1, "203.0.113.1"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    guard.until_it_raises(&[]);
}
