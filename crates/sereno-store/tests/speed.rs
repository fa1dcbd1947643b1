//! How long it takes. `cargo test --release -p sereno-store --test speed -- --nocapture`
//! prints it and, since the machine may have other things to do, asserts on processor time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Dir, Load, NOW, bans, name, prefix, stranger};
use sereno_core::addr::Prefix;
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// Processor time of this thread so far; exact to a few milliseconds, the scheduler's tick.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn allow(what: &str, spent: Duration, limit: Duration) {
    assert!(cfg!(debug_assertions) || spent < limit, "{what} took {spent:?}, allowed {limit:?}");
}

fn timed<T>(what: &str, limit: Duration, run: impl FnOnce() -> T) -> T {
    let (start, busy) = (Instant::now(), cpu());
    let value = run();
    let (took, busy) = (start.elapsed(), cpu() - busy);
    println!("{what}: {took:.2?} ({busy:.2?} of processor)");
    allow(what, busy, limit);
    value
}

fn memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    println!("{what}: {rss}");
}

/// Single commits of one ban and one checkpoint.
fn singles(what: &str, store: &mut Store, first: u32, count: u32, pause: Duration) {
    let one = |n: u32| {
        let mut batch = bans(n..n + 1);
        batch
            .checkpoints
            .insert("/var/log/auth.log".to_owned(), Some(format!("{{\"offset\":{n}}}")));
        std::thread::sleep(pause);
        let start = Instant::now();
        store.commit(&batch).unwrap();
        start.elapsed()
    };
    let mut times: Vec<Duration> = (first..first + count).map(one).collect();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 1000];
    let (median, p99, most, worst) = (at(500), at(990), at(999), at(1000));
    println!("{what}: median {median:.1?}, p99 {p99:.1?}, p99.9 {most:.1?}, worst {worst:.1?}");
    // A quiet machine needs about 60; a crowded one, with its caches full of others, thrice that.
    allow(what, median, Duration::from_micros(400));
}

fn open(dir: &Path, every: Duration) -> Store {
    Store::open_with(dir, Options { sync_every: every, ..Options::default() }).unwrap()
}

#[test]
fn as_fast_as_promised() {
    let dir = Dir::new();
    write(dir.path());
    let mut store =
        timed("open, 105,000 bans", HALF_A_SECOND, || open(dir.path(), Duration::from_millis(200)));
    let loaded = timed("load, 105,000 bans", HALF_A_SECOND, || store.load(NOW)).unwrap();
    assert_eq!(loaded.bans.len(), 105_000);
    memory("with all of it loaded");
    drop(loaded);
    singles("one ban per commit, synced 5/s", &mut store, 200_000, 20_000, Duration::ZERO);
    singles("one ban per commit, 1 ms apart", &mut store, 300_000, 1_000, Duration::from_millis(1));
    ask(&store);
    grow_old(store);
    println!("file: {} KiB", std::fs::metadata(dir.file()).unwrap().len() >> 10);
}

fn write(dir: &Path) {
    let mut store = open(dir, Duration::from_secs(3600));
    memory("empty store");
    let batch = bans(0..10_000);
    timed("10,000 bans in one commit, empty file", HALF_A_SECOND, || store.commit(&batch)).unwrap();
    singles("one ban per commit, never synced", &mut store, 10_000, 5_000, Duration::ZERO);
    for n in 2..10 {
        store.commit(&bans(n * 10_000..(n + 1) * 10_000)).unwrap();
    }
    let batch = bans(100_000..110_000);
    timed("10,000 bans in one commit, among 100,000", HALF_A_SECOND, || store.commit(&batch))
        .unwrap();
    drop(batch);
    memory("after 105,000 bans");
    timed("close, 105,000 bans not carried over yet", HALF_A_SECOND, || drop(store));
}

fn ask(store: &Store) {
    let ask = |what, who: Prefix, millis| {
        let once = || {
            let start = Instant::now();
            let found = store.history(Some(who), 50).unwrap().len();
            (start.elapsed(), found)
        };
        let (took, found) = (0..10).map(|_| once()).min().unwrap();
        println!("{what}: {took:.2?}, the best of ten");
        allow(what, took, Duration::from_millis(millis));
        found
    };
    assert_eq!(ask("history of an address", stranger(55_000), 5), 1);
    ask("history of an IPv6 address", prefix("2001:db8::1"), 5);
    assert_eq!(ask("history of everybody", prefix("0.0.0.0/0"), 100), 50);
}

fn grow_old(mut store: Store) {
    timed("purge, nothing to do", HALF_A_SECOND, || store.purge(NOW)).unwrap();
    let late = Time(NOW.0 + 91 * 86_400 * 1_000_000);
    timed("purge, everything to do, one round", HALF_A_SECOND, || store.purge(late)).unwrap();
    let event = |n| Event::Evidence {
        jail: name("sshd"),
        prefix: stranger(n),
        at: NOW,
        line: "Failed password for root from somewhere port 51234 ssh2".to_owned(),
    };
    let lines = |n: u32| {
        let mut batch = Batch::default();
        batch.events = (n * 10_000..(n + 1) * 10_000).map(event).collect();
        batch
    };
    for n in 0..12 {
        store.commit(&lines(n)).unwrap();
    }
    let batch = lines(13);
    timed("10,000 lines of evidence, shelf full", HALF_A_SECOND, || store.commit(&batch)).unwrap();
}
