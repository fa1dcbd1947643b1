//! Killed at any moment, and nothing is lost or counted twice: `sereno run` is killed with
//! SIGKILL over and over while attackers are at it, and in the end the same strangers are out
//! as if it had never happened, each banned once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

mod program;

use program::{Home, PATIENCE, now, wrong_password};
use sereno_store::{Event, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

const ATTACKERS: u32 = 240;
const KILLS: u32 = 25;

fn start(home: &Home) -> Child {
    home.run(&[]).arg("--observe").spawn().unwrap()
}

/// Attacker `i` fails three times, or, every fourth, only twice.
fn tries(i: u32) -> u32 {
    if i.is_multiple_of(4) { 2 } else { 3 }
}

fn name(i: u32) -> String {
    format!("203.0.{}.{}", i / 250, i % 250 + 1)
}

#[test]
fn every_line_counts_once_whatever_is_killed() {
    let home =
        Home::new("[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 3\nbantime = \"1h\"\n");
    home.append("auth.log", "");
    let mut child = start(&home);
    let (mut written, lines) = (0u32, ATTACKERS * 3);
    // A small generator of "random" pauses, the same in every run.
    let mut dice = 7u64;
    let mut roll = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    for kill in 0..=KILLS {
        let until = if kill == KILLS { lines } else { written + lines / (KILLS + 1) };
        while written < until {
            let (round, i) = (written / ATTACKERS, written % ATTACKERS);
            if round < tries(i) {
                home.log(&wrong_password(now(), 1000 + written, &name(i)));
            }
            written += 1;
            if roll(5) == 0 {
                std::thread::sleep(Duration::from_micros(roll(3000)));
            }
        }
        if kill < KILLS {
            std::thread::sleep(Duration::from_micros(roll(60_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            child = start(&home);
        }
    }
    let expected = (0..ATTACKERS).filter(|i| tries(*i) == 3).count();
    let banned = wait_for(&home.path("state"), expected);
    child.kill().unwrap();
    child.wait().unwrap();
    for i in 0..ATTACKERS {
        let times = banned.get(&name(i)).copied().unwrap_or(0);
        assert_eq!(times, usize::from(tries(i) == 3), "{} was banned {times} times", name(i));
    }
}

/// How often each address was banned, once as many as expected are, and a moment later.
fn wait_for(state: &Path, expected: usize) -> BTreeMap<String, usize> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut banned: BTreeMap<String, usize> = BTreeMap::new();
        let reader = Store::read_only(state).unwrap();
        for event in reader.history(None, 100_000).unwrap() {
            if let Event::Ban(ban) = event {
                *banned.entry(ban.prefix.to_string()).or_default() += 1;
            }
        }
        if banned.len() >= expected || Instant::now() > deadline {
            std::thread::sleep(Duration::from_millis(300));
            return banned;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
