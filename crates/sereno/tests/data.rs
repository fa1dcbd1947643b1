//! Logs of real servers under real attacks (`tests/data`, made by `tests/lab/make-corpus`),
//! through the real program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Deserialize)]
struct Label {
    ip: Option<String>,
    kind: Option<String>,
    attack: Option<bool>,
}

#[derive(Deserialize)]
struct Banned {
    addr: String,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

/// The prefixes that a replay of `logs` bans with this configuration.
fn replay(config: &str, logs: &[PathBuf]) -> Vec<sereno_core::addr::Prefix> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_sereno"))
        .args(["replay", "--json", "--config"])
        .arg(file.path())
        .args(logs)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Banned>(line).unwrap().addr.parse().unwrap())
        .collect()
}

fn labels(path: &Path) -> Vec<Label> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    lzma_rust2::XzReader::new(file, true).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kinds of attack of which at least one address is banned, of all that left a line; phones
/// that were banned.
fn score(log: &str, config: &str) -> (BTreeSet<String>, BTreeSet<String>, Vec<String>) {
    let bans = replay(config, &[data().join(format!("{log}.log.xz"))]);
    let mut kinds: BTreeMap<String, bool> = BTreeMap::new();
    let mut phones = BTreeSet::new();
    for label in labels(&data().join(format!("{log}.labels.jsonl.xz"))) {
        let Some(ip) = label.ip else { continue };
        let hit = bans.iter().any(|ban| ban.contains(ip.parse().unwrap()));
        match (label.attack, label.kind) {
            (Some(true), Some(kind)) => *kinds.entry(kind).or_default() |= hit,
            (Some(false), _) if hit => drop(phones.insert(ip)),
            _ => {}
        }
    }
    let all = kinds.keys().cloned().collect();
    let hit = kinds.into_iter().filter(|(_, hit)| *hit).map(|(kind, _)| kind).collect();
    (hit, all, phones.into_iter().collect())
}

const ASTERISK: &str = "[jail.asterisk]\nlogpath = [\"/var/log/asterisk/full\"]\nmaxretry = 4\n";

#[test]
fn most_attacks_on_asterisk_are_banned_and_no_phone() {
    for (log, least) in [
        ("asterisk/ast16-full", 80),
        ("asterisk/ast16-guard", 80),
        ("asterisk/ast22-full", 80),
        ("asterisk/ast22-guard", 80),
    ] {
        let (hit, all, phones) = score(log, ASTERISK);
        let missed: Vec<_> = all.difference(&hit).collect();
        println!("{log}: {} of {} kinds; missed {missed:?}", hit.len(), all.len());
        assert!(phones.is_empty(), "{log}: phones banned: {phones:?}");
        assert!(hit.len() * 100 >= all.len() * least, "{log}: missed {missed:?}");
    }
}

#[test]
fn attacks_on_sshd_are_banned_in_both_date_styles() {
    let config = "[jail.sshd]\nlogpath = [\"/var/log/auth.log\"]\nmaxretry = 3\n";
    for log in ["sshd/auth-bsd", "sshd/auth-iso"] {
        let (hit, all, phones) = score(log, config);
        println!("{log}: {hit:?} of {all:?}");
        assert!(!hit.is_empty());
        assert!(phones.is_empty(), "{log}: {phones:?}");
    }
}

/// At one failure until a ban, nothing that a stranger can write bans the address he writes.
#[test]
fn no_forgery_bans_its_victim() {
    let victim = "192.0.2.66".parse().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(data().join("injection")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "log") {
            continue;
        }
        files += 1;
        for jail in ["asterisk", "sshd"] {
            let config = format!("[jail.{jail}]\nlogpath = [\"/var/log/x\"]\nmaxretry = 1\n");
            let bans = replay(&config, std::slice::from_ref(&path));
            println!("{} {jail}: {} banned", path.display(), bans.len());
            assert!(
                !bans.iter().any(|ban| ban.contains(victim)),
                "{}: the victim is banned",
                path.display()
            );
        }
    }
    assert!(files >= 5);
}
