//! Databases made by the real fail2ban, and such as it never makes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it skips"
)]

mod common;

use common::Dir;
use common::real::Real;
use rusqlite::Connection;
use sereno_store::fail2ban::{Length, Summary, TakeError, Taken, take};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn all(path: &Path) -> Result<(Vec<Taken>, Summary), TakeError> {
    let mut bans = Vec::new();
    let summary = take(path, &mut |ban| bans.push(ban))?;
    Ok((bans, summary))
}

/// What is in a folder: names, and the bytes of files.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).ok())).collect()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Waits until there are as many bans in the real one's file, and gives them.
fn until(real: &Real, count: usize) -> Vec<Taken> {
    let started = Instant::now();
    loop {
        let (bans, _) = all(&real.file()).unwrap();
        if bans.len() == count {
            return bans;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{bans:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn bans_of_the_real_fail2ban_are_read() {
    let Some(real) = Real::start() else { return };
    let begun = now();
    real.ask(&["set", "plain", "banip", "192.0.2.1", "198.51.100.9/24", "2001:DB8::5", "some id"]);
    real.ask(&["set", "ever", "banip", "192.0.2.1"]);
    for line in ["first ñ", "second", "third"] {
        real.ask(&["set", "more", "attempt", "192.0.2.7", line]);
    }
    let running = until(&real, 6);
    // Who comes back is banned for longer.
    for count in 1..=2 {
        real.ask(&["set", "more", "banip", "192.0.2.8"]);
        let started = Instant::now();
        while until(&real, 7).last().unwrap().count < count
            || real.ask(&["get", "more", "banned", "192.0.2.8"]).stdout != b"0\n"
        {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    real.stop();

    let before = contents(real.file().parent().unwrap());
    let (bans, summary) = all(&real.file()).unwrap();
    assert_eq!(contents(real.file().parent().unwrap()), before, "reading leaves nothing behind");
    assert_eq!(summary, Summary { version: 4, taken: 7, ..Summary::default() });
    assert_eq!(bans.get(..6), Some(running.as_slice()), "beside the running one, too");
    let of = |jail: &str, id: &str| {
        bans.iter().find(|ban| ban.jail == jail && ban.id == id).unwrap_or_else(|| panic!("{id}"))
    };
    for id in ["192.0.2.1", "198.51.100.0/24", "2001:db8::5", "some id"] {
        let ban = of("plain", id);
        assert_eq!((ban.length, ban.count, ban.failures), (Length::For(3600), 1, 0));
        assert!(ban.since >= begun - 1 && ban.since <= now(), "{ban:?}");
        assert_eq!(ban.until(None), Some(ban.since + 3600));
    }
    assert_eq!(of("ever", "192.0.2.1").length, Length::Forever);
    assert_eq!(of("ever", "192.0.2.1").until(Some(1)), None);
    let again = of("more", "192.0.2.8");
    assert_eq!(again.count, 2);
    assert!(matches!(again.length, Length::For(2..=4)), "{again:?}");
    let failed = of("more", "192.0.2.7");
    assert_eq!((failed.failures, failed.matches.join("|")), (3, "first ñ|second|third".to_owned()));
}

/// A database of a layout, as fail2ban made it.
fn made(version: i64, rows: &str) -> (Dir, PathBuf) {
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).unwrap();
    let path = dir.path().join("fail2ban.sqlite3");
    let more =
        if version > 2 { "bantime INTEGER NOT NULL, bancount INTEGER NOT NULL," } else { "" };
    let bans = format!(
        "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, {more} data JSON)"
    );
    let last = "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL,
        bantime INTEGER NOT NULL, bancount INTEGER NOT NULL default 1, data JSON,
        PRIMARY KEY(ip, jail))";
    let last = if version > 3 { last } else { "" };
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(&format!(
        "CREATE TABLE fail2banDb(version INTEGER); INSERT INTO fail2banDb VALUES ({version});
         {bans}; {last}; {rows}"
    ))
    .unwrap();
    (dir, path)
}

#[test]
fn older_layouts_are_read() {
    for version in [1, 2] {
        let (_dir, path) = made(
            version,
            "INSERT INTO bans VALUES
             ('a', '192.0.2.1', 200, '{\"matches\": [\"new\"], \"failures\": 2}'),
             ('a', '192.0.2.1', 100, '{\"matches\": [\"old\"], \"failures\": 1}'),
             ('b', '192.0.2.1', 50, NULL)",
        );
        let (bans, summary) = all(&path).unwrap();
        let told = |ban: &Taken| (ban.jail.clone(), ban.since, ban.count, ban.failures, ban.length);
        assert_eq!(
            bans.iter().map(told).collect::<Vec<_>>(),
            [("b".into(), 50, 1, 0, Length::Usual), ("a".into(), 200, 2, 2, Length::Usual)]
        );
        assert_eq!(bans[1].matches, ["new"]);
        assert_eq!(bans[0].until(Some(10)), Some(60));
        assert_eq!((summary.version, summary.taken, summary.bare), (version, 2, 0));
    }
    let (_dir, path) = made(
        3,
        "INSERT INTO bans VALUES ('a', '192.0.2.1', 100, 60, 1, '{}'),
         ('a', '192.0.2.1', 200, 120, 4, '{}'), ('a', '192.0.2.2', 90, -1, 1, '{}')",
    );
    let (bans, _) = all(&path).unwrap();
    let told = |ban: &Taken| (ban.id.clone(), ban.since, ban.count, ban.length);
    assert_eq!(
        bans.iter().map(told).collect::<Vec<_>>(),
        [
            ("192.0.2.2".into(), 90, 1, Length::Forever),
            ("192.0.2.1".into(), 200, 4, Length::For(120))
        ]
    );
}

#[test]
fn the_history_counts_where_fail2ban_did_not() {
    let (_dir, path) = made(
        4,
        "INSERT INTO bips VALUES ('192.0.2.1', 'a', 300, 60.7, 1, '{}');
         INSERT INTO bans VALUES ('a', '192.0.2.1', 100, 60, 1, '{}'),
         ('a', '192.0.2.1', 200, 60, 1, '{}'), ('a', '192.0.2.1', 300, 60, 1, '{}'),
         ('b', '192.0.2.1', 300, 60, 1, '{}')",
    );
    let (bans, _) = all(&path).unwrap();
    assert_eq!((bans.len(), bans[0].count, bans[0].length), (1, 3, Length::For(60)));
}

#[test]
fn rows_that_are_no_bans_are_passed_over() {
    let (_dir, path) = made(
        4,
        "INSERT INTO bips VALUES
         ('192.0.2.1', 'a', 'never', 60, 1, '{}'), ('192.0.2.2', 'a', 300, 'x', 1, '{}'),
         ('', 'a', 300, 60, 1, '{}'), (x'ff', 'a', 300, 60, 1, '{}'),
         ('192.0.2.3', 'a', -5, 60, 1, '{}'), ('192.0.2.4', 'a', 1e300, 60, 1, '{}'),
         (printf('%600s', 'x'), 'a', 300, 60, 1, '{}'), ('192.0.2.5', printf('%300s', 'x'), 300, 60, 1, '{}'),
         ('y'||char(0)||'z', 'a', 300, 60, 1, '{}');
         INSERT INTO bips VALUES
         ('192.0.2.10', 'a', 300, 60, 'x', '{}'), ('192.0.2.11', 'a', 300, 60, -1, 'nonsense'),
         ('192.0.2.12', 'a', 300, 60, 1, zeroblob(100000000)),
         ('192.0.2.13', 'a', 300, 60, 99999999999, replace(hex(zeroblob(100000)), '0', '[')),
         ('192.0.2.14', 'a', 300, 60, 1, '{\"matches\": {}, \"failures\": -3}'),
         ('192.0.2.15', 'a', 300, 60, 1, CAST('{\"matches\": [[\"a\",\"b\",\"c\"], 5, \"\u{ff}\"]}' AS BLOB)),
         ('192.0.2.16', 'a', 300, 9223372036854775807, 1, NULL),
         ('192.0.2.17', 'a', 300, 60, 1, '{\"matches\": [\"'||replace(hex(zeroblob(1000)), '0', 'é')||'\"'||
             replace(hex(zeroblob(10)), '0', ',\"x\"')||']}')",
    );
    let (bans, summary) = all(&path).unwrap();
    assert_eq!((summary.taken, summary.skipped, summary.bare), (8, 9, 3));
    assert!(bans.iter().all(|ban| ban.count == 1), "{bans:?}");
    let lines: Vec<usize> = bans.iter().map(|ban| ban.matches.len()).collect();
    assert_eq!(lines, [0, 0, 0, 0, 0, 2, 0, 10]);
    assert_eq!(bans[5].matches, ["abc", "ÿ"]);
    assert_eq!(bans[6].until(None), Some(i64::MAX));
}

#[test]
fn long_lines_are_cut() {
    let (_dir, path) = made(
        4,
        "INSERT INTO bips VALUES ('192.0.2.1', 'a', 300, 60, 1,
         '{\"matches\": [\"x'||replace(hex(zeroblob(1000)), '0', 'é')||'\"]}')",
    );
    let (bans, _) = all(&path).unwrap();
    assert_eq!(bans[0].matches[0].len(), 1023);
}

#[test]
fn what_is_none_of_fail2bans_is_refused() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).unwrap();
    let path = dir.path().join("x");
    let foreign = |path: &Path| matches!(all(path), Err(TakeError::Foreign { .. }));
    assert!(matches!(all(&path), Err(TakeError::Io { .. })) && foreign(dir.path()));
    for bytes in [&b""[..], b"SQLite format 3", &[b'x'; 5000]] {
        fs::write(&path, bytes).unwrap();
        assert!(foreign(&path), "{bytes:?}");
    }
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bans(x)").unwrap();
    assert!(foreign(&path));
    for statement in [
        "DROP TABLE bips; CREATE VIEW bips AS SELECT * FROM bans",
        "DROP TABLE bips",
        "DROP TABLE bans",
        "DROP TABLE bans; CREATE TABLE bans(jail, ip, timeofban, bantime, bancount, n AS (1), data)",
        "DELETE FROM fail2banDb",
        "UPDATE fail2banDb SET version = 'x'",
        "UPDATE fail2banDb SET version = 0",
        "DROP TABLE fail2banDb",
    ] {
        let (_dir, path) = made(4, statement);
        assert!(foreign(&path), "{statement}");
    }
    let (_dir, path) = made(4, "UPDATE fail2banDb SET version = 5");
    let error = all(&path).unwrap_err();
    assert!(matches!(error, TakeError::Newer { found: 5, .. }));
    assert!(error.to_string().contains("up to 4 is known"), "{error}");
    let (_dir, path) = made(4, "DROP TABLE bips; CREATE TABLE bips(x)");
    assert!(matches!(all(&path), Err(TakeError::Sqlite { .. })));
}

#[test]
fn a_damaged_file_is_an_error_and_no_end() {
    let rows = "INSERT INTO bips SELECT '192.0.2.' || value, 'a', 300, 60, 1, '{}'
                FROM (WITH RECURSIVE n(value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n LIMIT 2000)
                SELECT value FROM n)";
    let (dir, path) = made(4, rows);
    let sound = fs::read(&path).unwrap();
    assert_eq!(all(&path).unwrap().0.len(), 2000);
    let broken = dir.path().join("broken");
    let mut refused = 0;
    for step in 0..200 {
        let mut bytes = sound.clone();
        let at = 100 + (step * 7919) % (bytes.len() - 200);
        bytes[at..at + 64].fill(0xa5 ^ step as u8);
        if step % 10 == 0 {
            bytes.truncate(at);
        }
        fs::write(&broken, bytes).unwrap();
        refused += usize::from(all(&broken).is_err());
    }
    println!("{refused} of 200 refused");
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_write_ahead_log_is_read_from_a_copy() {
    let (dir, path) = made(4, "INSERT INTO bips VALUES ('192.0.2.1', 'a', 300, 60, 1, '{}')");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; INSERT INTO bips VALUES ('192.0.2.2', 'a', 300, 60, 1, '{}')",
    )
    .unwrap();
    let before = contents(dir.path());
    assert!(before.keys().any(|path| path.ends_with("fail2ban.sqlite3-wal")));
    assert_eq!(all(&path).unwrap().0.len(), 2);
    assert_eq!(contents(dir.path()), before);
    drop(conn);
    // The log is gone, but the file would bring one forth.
    let before = contents(dir.path());
    assert_eq!(before.len(), 1);
    assert_eq!(all(&path).unwrap().0.len(), 2);
    assert_eq!(contents(dir.path()), before);
    // Through a link; and left in the middle of a change.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(all(&link).unwrap().0.len(), 2);
    fs::write(dir.path().join("fail2ban.sqlite3-journal"), "x").unwrap();
    assert!(matches!(all(&path), Err(TakeError::Unfinished { .. })));
    let own = format!("sereno-import-{}-", std::process::id());
    let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count();
    assert_eq!(left, 0, "copies go");
}

#[test]
fn a_hundred_thousand_bans_are_read_in_little_time() {
    let (_dir, path) = made(
        4,
        "WITH RECURSIVE n(v) AS (VALUES (1) UNION ALL SELECT v + 1 FROM n LIMIT 100000)
         INSERT INTO bips SELECT 'id' || v, 'a', 300, 60, 1, '{\"matches\": [\"a line\"]}' FROM n;
         INSERT INTO bans SELECT jail, ip, timeofban, bantime, bancount, data FROM bips",
    );
    let started = Instant::now();
    let mut count = 0;
    take(&path, &mut |_| count += 1).unwrap();
    println!("{count} bans in {:?}", started.elapsed());
    assert_eq!(count, 100_000);
    assert!(started.elapsed() < Duration::from_secs(20));
}
