//! What can be seen of the program from outside, with times told from a beginning.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use super::{BRIEF, BUSY, CALLER, CAREFUL, Home, PARDONED, PATIENT, ROTATED, SHY, UNLOVED};
use crate::program::now;
use serde_json::Value;
use sereno_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// How far the kernel's end of a ban may be from the ledger's, in seconds: it was asked for at
/// different moments, and answers in whole seconds.
const NEARLY: i64 = 3;

/// The state of the world.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// One line for each ban in force, as `sereno bans` has it.
    bans: BTreeSet<String>,
    /// The elements of the sets in the kernel.
    kernel: BTreeSet<String>,
    /// How often each thing happened, by kind, jail, address, and time if that was a line's.
    history: BTreeMap<String, usize>,
    /// Failures remembered of those who are not banned.
    failures: BTreeMap<&'static str, usize>,
}

impl State {
    /// As it is now; `None` when the program does not answer.
    pub(crate) fn of(home: &Home, base: Time) -> Option<Self> {
        let mut history = BTreeMap::new();
        for who in ["203.0.113.0/24", "2001:db8:bad::/48"] {
            let why = asked(home, &["why", who, "--json"])?;
            why["timeline"].as_array()?.iter().filter_map(|m| moment(m, base)).for_each(|moment| {
                *history.entry(moment).or_default() += 1;
            });
        }
        let mut failures = BTreeMap::new();
        for who in [CAREFUL, SHY] {
            let why = asked(home, &["why", who, "--json"])?;
            let all = why["timeline"].as_array()?.iter().filter(|m| m["kind"] == "failure");
            failures.insert(who, all.count());
        }
        // Last: `why` would ask a ledger if the program were gone, `bans` asks nobody else.
        let rows = asked(home, &["bans", "--json"])?;
        let rows = rows.as_array()?;
        let bans = rows.iter().map(|row| ban(row, base)).collect();
        Some(Self { bans, kernel: kernel(rows), history, failures })
    }

    /// What is different in the other, if anything is.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let lines = |state: &Self| -> BTreeSet<String> {
            format!("{state:#?}").lines().map(str::to_owned).collect()
        };
        let (mine, theirs) = (lines(self), lines(other));
        let gone = mine.difference(&theirs).map(|line| format!("  - {line}"));
        let new = theirs.difference(&mine).map(|line| format!("  + {line}"));
        Some(gone.chain(new).collect::<Vec<_>>().join("\n"))
    }

    /// Checks what the scenario is meant to come to.
    pub(crate) fn is_as_told(&self) {
        let out: BTreeMap<&str, usize> = self.bans.iter().fold(BTreeMap::new(), |mut out, ban| {
            *out.entry(ban.split(' ').next().unwrap()).or_default() += 1;
            out
        });
        let expected = [
            (PATIENT, 1),
            (ROTATED, 1),
            (PARDONED, 1),
            (BUSY, 2),
            (UNLOVED, 1),
            (CALLER, 1),
            ("2001:db8:bad::/64", 1),
        ];
        assert_eq!(out, expected.into_iter().collect(), "{self:#?}");
        assert_eq!(self.kernel.len(), 8, "{self:#?}");
        assert_eq!(self.failures.values().sum::<usize>(), 4, "{self:#?}");
        let told = |start: &str| -> usize {
            self.history.iter().filter(|(m, _)| m.starts_with(start)).map(|(_, n)| n).sum()
        };
        assert_eq!((told("ban "), told("lift ")), (10, 1), "{self:#?}");
        assert_eq!(told(&format!("ban {BRIEF} ")), 1, "{self:#?}");
    }
}

fn asked(home: &Home, words: &[&str]) -> Option<Value> {
    let out = home.ask(words);
    out.status.success().then(|| serde_json::from_slice(&out.stdout).unwrap())
}

fn time(value: &Value) -> Option<Time> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Time(at.as_microsecond()))
}

/// A ban as one line. When somebody bans by hand is up to him.
fn ban(row: &Value, base: Time) -> String {
    let since = time(&row["time"]).unwrap();
    let length = time(&row["until"]).map(|until| until.since(since));
    let at = if row["because"] == "manual" { None } else { Some(since.since(base)) };
    let text = |key: &str| row[key].to_string().replace('"', "");
    let [addr, jail, count, because, before] =
        ["addr", "jail", "count", "because", "before"].map(text);
    format!("{addr} {jail} at {at:?} for {length:?}: {count} {because}, {before} before")
}

/// What happened, as one line. The end of a ban whose time is over is noted when the program is
/// there to see it; that is no part of the state.
fn moment(moment: &Value, base: Time) -> Option<String> {
    let text = moment["text"].as_str()?;
    let [kind, addr, jail] =
        ["kind", "addr", "jail"].map(|key| moment[key].as_str().unwrap_or("-"));
    let at = time(&moment["time"])?;
    // `BRIEF` has lines of his own time.
    let by_line = kind != "lift" && addr != BRIEF && addr != UNLOVED;
    let at = by_line.then(|| at.since(base));
    let what = if kind == "evidence" { text.split(": ").last()? } else { "" };
    (!text.contains("its time is over")).then(|| format!("{kind} {addr} {jail} at {at:?} {what}"))
}

/// The elements of all sets of the table, each checked to end when its ban does.
fn kernel(rows: &[Value]) -> BTreeSet<String> {
    let out = Command::new("nft").args(["-j", "list", "table", "inet", "sereno"]).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let listed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let sets = listed["nftables"].as_array().unwrap().iter().filter_map(|o| o.get("set"));
    let mut elements = BTreeSet::new();
    for set in sets {
        for element in set["elem"].as_array().into_iter().flatten() {
            let (name, element) = (set["name"].as_str().unwrap(), &element["elem"]);
            let addr = element["val"].as_str().unwrap();
            ends_in_time(addr, element["expires"].as_i64().unwrap(), rows);
            elements.insert(format!("{name} {addr}"));
        }
    }
    elements
}

/// One of the bans of this address ends when its element does.
fn ends_in_time(addr: &str, expires: i64, rows: &[Value]) {
    let off = |row: &Value| {
        let left = time(&row["until"]).map_or(0, |until| until.0 - now().0) / 1_000_000;
        (left - expires).abs()
    };
    let mine =
        rows.iter().filter(|row| row["addr"].as_str().unwrap().trim_end_matches("/64") == addr);
    let best = mine.map(off).min();
    assert!(best.is_some_and(|off| off <= NEARLY), "{addr} ends in {expires} s: {rows:?}");
}
