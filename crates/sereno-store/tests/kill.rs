//! A process that is killed, at any moment, has lost nothing it was told is kept, and has left
//! nothing half done.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Dir, Load, NOW, ban, name, stranger, track};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Opened, Options, Store};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const STATE: &str = "SERENO_TEST_STATE";
const ROUNDS: u32 = 30;
/// Bans per batch.
const BANS: u32 = 5;

/// Checkpoints all the time, so that kills hit those as well.
fn busy() -> Options {
    Options {
        sync_every: Duration::from_millis(2),
        checkpoint_every: Duration::from_millis(2),
        wal_large: 256 << 10,
        ..Options::default()
    }
}

/// Everything in batch `n` says so. It also lifts what batch `n - 20` banned.
fn numbered(n: u32) -> Batch {
    let mut batch = Batch::default();
    let banned = |n: u32| (0..BANS).map(move |i| stranger(n * BANS + i));
    for prefix in banned(n) {
        let mut ban = ban(prefix);
        ban.count = n;
        batch.events.push(Event::Ban(ban));
    }
    if let Some(old) = n.checked_sub(20) {
        let why = sereno_core::engine::Lifted::Manual;
        let lift = |prefix| Event::Lift { jail: name("sshd"), prefix, at: Time(NOW.0 + 1), why };
        batch.events.extend(banned(old).map(lift));
    }
    batch.checkpoints.insert("batch".to_owned(), Some(n.to_string()));
    batch.tracks.insert((name("sshd"), stranger(0)), Some(track(NOW, &n.to_string())));
    batch
}

fn last(store: &Store) -> Option<u32> {
    let checkpoints: BTreeMap<_, _> = store.load(NOW).unwrap().checkpoints.into_iter().collect();
    checkpoints.get("batch").map(|n| n.parse().unwrap())
}

/// Not a test of its own: the process that gets killed.
#[test]
fn child() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let mut store = Store::open_with(Path::new(&state), busy()).unwrap();
    for n in last(&store).map_or(0, |n| n + 1).. {
        store.commit(&numbered(n)).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "kept {n}").and_then(|()| out.flush()).unwrap();
    }
}

/// Lets a child write for a while; the last number it was sure of.
fn write_and_die(state: &Path, after: Duration) -> Option<u32> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("kept ").and_then(|n| n.parse().ok())).last()
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn nothing_kept_is_lost_and_nothing_is_half_there() {
    let dir = Dir::new();
    let (mut promised, mut unsaid) = (None, 0);
    for round in 0..ROUNDS {
        let after = Duration::from_micros(RandomState::new().hash_one(round) % 80_000);
        promised = write_and_die(dir.path(), after).max(promised);
        let store = Store::open(dir.path()).unwrap();
        assert!(matches!(store.opened(), Opened::Existing | Opened::Fresh), "{:?}", store.opened());
        let memory = store.load(NOW).unwrap();
        assert_eq!(memory.unreadable, 0);
        let found = last(&store);
        assert!(found >= promised, "round {round}: promised {promised:?}, found {found:?}");
        unsaid += u32::from(found > promised);
        let Some(found) = found else { continue };
        assert_eq!(memory.tracks[0].2.evidence().next().unwrap().1.to_string(), found.to_string());
        let mut per_batch = BTreeMap::new();
        for ban in &memory.bans {
            *per_batch.entry(ban.count).or_insert(0) += 1;
        }
        let expected = (found.saturating_sub(19)..=found).map(|n| (n, BANS));
        assert_eq!(per_batch, expected.collect(), "round {round}");
        let events = store.history(None, usize::MAX).unwrap();
        let banned = events.iter().filter(|event| matches!(event, Event::Ban(_))).count() as u32;
        let lifted = events.len() as u32 - banned;
        let whole = (found + 1) * BANS;
        assert!(
            events.len() == 100_000 || (banned, lifted) == (whole, whole.saturating_sub(20 * BANS))
        );
    }
    println!("{ROUNDS} kills, {promised:?} promised at last, {unsaid} times one more was there");
    assert!(promised.is_some());
}
