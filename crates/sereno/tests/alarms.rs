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

use program::{Guard, Home, now, own_network, wrong_password};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const CONFIG: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 3\n";

/// Starts the program through these words, in a network of its own, where it may guard.
fn guard(config: &str, through: &[&str], logs: &[&str]) -> Option<Guard> {
    own_network().then(|| {
        let home = Home::new(config);
        logs.iter().for_each(|log| home.append(log, ""));
        let child = home.run(through).spawn().unwrap();
        Guard::wait_for(home, child)
    })
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
    guard.until_it_raises(&["auth.log: 20 of the last lines of a kind were not understood"]);
    guard.until_it_says("ALARM: ", "were not understood");
    // More than a tenth of them is understood again.
    for pid in 30..33 {
        guard.log(&wrong_password(now(), pid, &format!("203.0.113.{pid}")));
    }
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
    guard.until_it_raises(&["auth.log: 20 of the last lines of a kind were not understood"]);
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

#[test]
fn what_a_mistake_sets_aside_is_missed_until_it_is_mended() {
    let broken = format!("{CONFIG}[jail.web]\nrule = \"asterisk\"\nlogpath = [\"var/log/web\"]\n");
    let Some(guard) = guard(&broken, &[], &["auth.log"]) else { return };
    guard.until_it_raises(&["1; what they are about is not in force"]);
    guard.configure(CONFIG);
    guard.ask(&["reload"]);
    guard.until_it_raises(&[]);
}
