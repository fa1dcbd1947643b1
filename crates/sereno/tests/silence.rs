//! What falls silent, and what is lost: how long a log may say nothing follows from how long it
//! usually does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod program;

use program::alarms::Clock;
use program::{Guard, Home, now, own_network};
use std::process::Command;

const CONFIG: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 3\n";
/// Somebody is let out of a session; every server writes such lines, hour by hour.
const OTHER: &str = "Nov 22 15:17:01 pbx CRON[812]: pam_unix(cron:session): session closed";

/// A guard with a clock of its own and an `auth.log` with one line.
fn timed_guard() -> Option<Guard> {
    timed_guard_of(CONFIG)
}

fn timed_guard_of(config: &str) -> Option<Guard> {
    let clock = Clock::new()?;
    own_network().then(|| {
        let home = Home::new(config);
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

impl Home {
    /// At this hour a line is written, and read.
    fn line_at(&self, hours: u32) {
        self.later(hours);
        let last =
            || self.json(&["status", "--json"])["jails"][0]["sources"][0]["last_line"].clone();
        let before = last();
        self.log(OTHER);
        self.until(|_| last() != before);
    }
}

impl Guard {
    /// Stops and starts again, with this clock.
    fn restart(&mut self, clock: &Clock) {
        assert!(self.ask(&["stop"]).status.success());
        assert!(self.child.wait().unwrap().success());
        self.child = clock.start(self);
        self.until(Home::answers);
    }
}

#[test]
fn a_busy_log_that_dies() {
    let Some(mut guard) = timed_guard() else { return };
    // Never longer than two hours without a line, a day and a night long.
    (1..=13).for_each(|n| guard.line_at(2 * n));
    guard.until_it_raises(&[]);
    guard.restart(&Clock::new().unwrap());
    guard.line_at(27);
    guard.later(34);
    assert!(guard.raises(&[]), "less than four times as long");
    guard.later(36);
    guard.until_it_raises(&["a line at least every 2 h"]);
    let source = &guard.json(&["status", "--json"])["jails"][0]["sources"][0];
    let [pause, after] = ["longest_pause", "silent_after"].map(|key| source[key].as_u64().unwrap());
    assert_eq!((pause / 60, after / 240), (120, 120), "{source}");
    guard.log(OTHER);
    guard.until_it_raises(&[]);
}

#[test]
fn closed_over_the_weekend() {
    let Some(guard) = timed_guard() else { return };
    (1..=9).for_each(|n| guard.line_at(8 * n));
    // The first time that is news.
    guard.later(72 + 33);
    guard.until_it_raises(&["silent since"]);
    guard.line_at(72 + 62);
    (1..=13).for_each(|n| guard.line_at(134 + 8 * n));
    guard.later(238 + 61);
    assert!(guard.raises(&[]), "as on the last weekend");
}

#[test]
fn a_reload_is_no_silence() {
    let Some(guard) = timed_guard() else { return };
    (1..=13).for_each(|n| guard.line_at(2 * n));
    assert!(guard.ask(&["reload"]).status.success());
    assert!(guard.raises(&[]), "the last line was read a moment ago");
}

/// A file that was read in part is gone: its place is known, and it is not.
#[test]
fn a_part_of_a_log_that_was_lost() {
    let Some(mut guard) = timed_guard() else { return };
    guard.line_at(1);
    let clock = Clock::new().unwrap();
    assert!(guard.ask(&["stop"]).status.success());
    assert!(guard.child.wait().unwrap().success());
    guard.append("auth.log.new", "Nov 23 15:17:01 pbx CRON[9]: another file\n");
    std::fs::rename(guard.path("auth.log.new"), guard.path("auth.log")).unwrap();
    guard.child = clock.start(&guard);
    guard.until(Home::answers);
    let lost = ["the rest cannot be had"];
    guard.until_it_raises(&lost);
    guard.line_at(2);
    assert!(guard.raises(&lost), "the new file says nothing of the old one");
    assert!(guard.ask(&["reload"]).status.success());
    assert!(guard.raises(&lost));
    guard.restart(&clock);
    guard.until_it_raises(&lost);
    (1..=5).for_each(|n| guard.line_at(2 + 5 * n));
    guard.until_it_raises(&[]);
}

#[test]
fn lines_not_believed_are_old_news_the_next_day() {
    let Some(guard) = timed_guard_of("[jail.asterisk]\nlogpath = [\"@DIR@/auth.log\"]\n") else {
        return;
    };
    let at = now().secs();
    // In the shadow of a forgery nothing is believed that a stranger could have written.
    for n in 0..60 {
        guard.log(&format!(
            "[{at}] NOTICE[1] chan_iax2.c: Host 203.0.113.{n} failed to authenticate as 700"
        ));
    }
    guard.log(&format!("[{at}] NOTICE[1] chan_iax2.c: x requirecalltoken=no"));
    guard.until_it_raises(&["lines of the last 24 h were not believed"]);
    guard.until_it_raises(&["or its dateformat changed"]);
    guard.later(23);
    assert!(guard.raises(&["lines of the last 24 h"]));
    guard.line_at(26);
    guard.until_it_raises(&[]);
}

#[test]
fn a_journal_that_is_read_again() {
    if !Command::new("journalctl").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return println!("skipped: there is no journalctl");
    }
    if !own_network() {
        return;
    }
    let home = Home::new("[jail.sshd]\njournal = [\"SYSLOG_IDENTIFIER=sereno-test-nobody\"]\n");
    let child = home.run(&[]).spawn().unwrap();
    let guard = Guard::wait_for(home, child);
    let pid = guard.child.id();
    let children = || {
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let following = |child: &&str| {
            let words = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("--follow")
        };
        list.split_whitespace().find(following).map(|child| child.parse::<i32>().unwrap())
    };
    guard.until(|_| children().is_some());
    let child = rustix::process::Pid::from_raw(children().unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    guard.until_it_raises(&["journalctl ended: signal: 9"]);
    guard.until(|_| children().is_some());
    guard.until_it_raises(&[]);
}
