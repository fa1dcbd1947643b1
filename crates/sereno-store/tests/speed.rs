//! How long it takes. Run with `--release -- --nocapture`; asserts only there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Dir, NOW, ban, bans, prefix, stranger};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

fn timed<T>(what: &str, limit: Duration, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = run();
    let took = start.elapsed();
    println!("{what}: {took:.2?}");
    assert!(cfg!(debug_assertions) || took < limit, "{what} took {took:?}, allowed {limit:?}");
    value
}

fn memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    println!("{what}: {rss}");
}

fn one(n: u32) -> Batch {
    let mut batch = bans(n..n + 1);
    batch.checkpoints.insert("/var/log/auth.log".to_owned(), Some(format!("{{\"offset\":{n}}}")));
    batch
}

/// Median, 99th percentile and worst of single commits.
fn singles(
    what: &str,
    store: &mut Store,
    first: u32,
    count: u32,
    pause: Duration,
) -> [Duration; 3] {
    let mut times: Vec<Duration> = (first..first + count)
        .map(|n| {
            let batch = one(n);
            std::thread::sleep(pause);
            let start = Instant::now();
            store.commit(&batch).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 1000];
    println!(
        "{what}: median {:.1?}, p99 {:.1?}, p99.9 {:.1?}, worst {:.1?}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    [at(500), at(990), at(1000)]
}

fn open(dir: &Path, every: Duration) -> Store {
    Store::open_with(dir, Options { checkpoint_every: every, ..Options::default() }).unwrap()
}

#[test]
fn as_fast_as_promised() {
    let dir = Dir::new();
    let never = Duration::from_secs(3600);
    let mut store = open(dir.path(), never);
    memory("empty store");
    let batch = bans(0..10_000);
    timed("10,000 bans in one commit, empty file", Duration::from_millis(500), || {
        store.commit(&batch)
    })
    .unwrap();
    let quiet =
        singles("one ban per commit, no checkpoints", &mut store, 10_000, 5_000, Duration::ZERO);
    for n in 2..10 {
        store.commit(&bans(n * 10_000..(n + 1) * 10_000)).unwrap();
    }
    let batch = bans(100_000..110_000);
    timed("10,000 bans in one commit, among 100,000", Duration::from_millis(500), || {
        store.commit(&batch)
    })
    .unwrap();
    memory("after 105,000 bans");
    drop(store);

    let mut store = timed("open, 105,000 bans", Duration::from_millis(500), || {
        open(dir.path(), Duration::from_millis(200))
    });
    let loaded =
        timed("load, 105,000 bans", Duration::from_millis(500), || store.load(NOW)).unwrap();
    assert_eq!(loaded.bans.len(), 105_000);
    drop(loaded);
    memory("after loading and dropping it");
    let busy =
        singles("one ban per commit, checkpoints 5/s", &mut store, 200_000, 20_000, Duration::ZERO);
    singles("one ban per commit, 1 ms apart", &mut store, 300_000, 1_000, Duration::from_millis(1));
    assert!(cfg!(debug_assertions) || quiet[0] < Duration::from_micros(100), "{quiet:?}");
    assert!(cfg!(debug_assertions) || busy[0] < Duration::from_micros(100), "{busy:?}");

    let who = stranger(55_000);
    timed("history of one address", Duration::from_millis(5), || store.history(Some(who), 50))
        .unwrap();
    timed("history of an IPv6 address", Duration::from_millis(5), || {
        store.history(Some(prefix("2001:db8::1")), 50)
    })
    .unwrap();
    timed("history of everybody", Duration::from_millis(500), || {
        store.history(Some(prefix("0.0.0.0/0")), 50)
    })
    .unwrap();
    timed("purge, nothing to do", Duration::from_millis(100), || store.purge(NOW)).unwrap();
    let late = Time(NOW.0 + 90 * 86_400 * 1_000_000);
    timed("purge, everything to do, one round", Duration::from_millis(500), || store.purge(late))
        .unwrap();

    let lines = |n: u32| {
        let mut batch = Batch::default();
        let event = |i| Event::Evidence {
            jail: ban(stranger(i)).jail,
            prefix: stranger(i),
            at: NOW,
            line: "Failed password for root from somewhere port 51234 ssh2".to_owned(),
        };
        batch.events = (n * 10_000..(n + 1) * 10_000).map(event).collect();
        batch
    };
    for n in 0..12 {
        store.commit(&lines(n)).unwrap();
    }
    let batch = lines(13);
    timed("10,000 lines of evidence, shelf full", Duration::from_millis(500), || {
        store.commit(&batch)
    })
    .unwrap();
    println!("file: {} KiB", std::fs::metadata(dir.file()).unwrap().len() >> 10);
    timed("close", Duration::from_secs(2), || drop(store));
}
