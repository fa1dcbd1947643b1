//! With what is written into its database, the real fail2ban goes on.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Dir;
use common::real::Real;
use rusqlite::Connection;
use sereno_store::fail2ban::{Gift, Given, Receipt, TakeError, give, take};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FOR_EVER: &str = "9999-12-31 23:59:59";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn given(jail: &str, id: &str, since: i64, until: Option<i64>, longest: Option<u64>) -> Given {
    let (jail, id) = (jail.to_owned(), id.to_owned());
    Given { jail, id, since, until, longest, count: 4, failures: 3 }
}

/// A time as fail2ban shows it.
fn shown(seconds: i64) -> String {
    let date = Command::new("date").arg(format!("-d@{seconds}")).arg("+%F %T").output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// Whom a jail of the running one holds, and until when, once there are so many.
fn held(real: &Real, jail: &str, count: usize) -> BTreeMap<String, String> {
    let started = Instant::now();
    loop {
        let said =
            String::from_utf8(real.ask(&["get", jail, "banip", "--with-time"]).stdout).unwrap();
        let row = |line: &str| {
            let (head, end) = line.split_once(" = ")?;
            Some((head.split_whitespace().next()?.to_owned(), end.to_owned()))
        };
        let all: BTreeMap<_, _> = said.lines().filter_map(row).collect();
        if all.len() == count {
            return all;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_real_one_goes_on_with_them() {
    let Some(real) = Real::start() else { return };
    real.ask(&["set", "plain", "banip", "192.0.2.1", "192.0.2.2"]);
    real.ask(&["set", "more", "banip", "192.0.2.3"]);
    held(&real, "plain", 2);
    real.stop();
    let now = now();
    let hour = Some(3600);
    let mut bans = vec![
        given("plain", "192.0.2.10", now - 600, Some(now + 900), hour),
        given("plain", "2001:db8::10", now - 600, Some(now + 3000), hour),
        // Longer than the jail bans, or from longer ago: they end when they are to end.
        given("plain", "192.0.2.11", now - 90_000, Some(now + 1200), hour),
        given("plain", "192.0.2.12", now - 600, None, hour),
        given("ever", "192.0.2.10", now - 90_000, None, None),
        given("more", "192.0.2.4", now - 90_000, Some(now + 90_000), None),
    ];
    // One that is fail2ban's own.
    let mut taken = BTreeMap::new();
    take(&real.file(), &mut |ban| drop(taken.insert(ban.id.clone(), ban))).unwrap();
    let known = taken["192.0.2.1"].since;
    bans.push(given("plain", "192.0.2.1", known, Some(known + 3600), hour));
    let receipt = give(&real.file(), Gift { bans: &bans, ..Gift::default() }, now, &mut |ban| {
        ban.id == "192.0.2.2"
    })
    .unwrap();
    assert_eq!(receipt, Receipt { given: 7, shortened: 1, dropped: 1 });

    real.go_on();
    let plain = held(&real, "plain", 5);
    let ends = [
        // It writes whole seconds, rounded; what it shows of a new ban is not.
        ("192.0.2.1", shown(known + 3600)),
        ("192.0.2.10", shown(now + 900)),
        ("192.0.2.11", shown(now + 1200)),
        ("192.0.2.12", shown(now + 3600)),
        ("2001:db8::10", shown(now + 3000)),
    ];
    assert_eq!(plain, ends.map(|(who, end)| (who.to_owned(), end)).into());
    assert_eq!(held(&real, "ever", 1)["192.0.2.10"], FOR_EVER);
    assert_eq!(held(&real, "more", 1)["192.0.2.4"], shown(now + 90_000));
    // Its own are there once, and of the others it knows how often they were banned.
    let conn = Connection::open(real.file()).unwrap();
    let rows = |id: &str| {
        let sql = "SELECT count(*), max(bancount) FROM bans WHERE ip = ?1";
        conn.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let own: (i64, i64) = rows("192.0.2.1");
    assert_eq!((own, rows("192.0.2.4")), ((1, 1), (1, 4)));
}

#[test]
fn what_cannot_be_written_stays_as_it_is() {
    let Some(real) = Real::start() else { return };
    real.stop();
    let dir = Dir::new();
    fs::create_dir_all(dir.path()).unwrap();
    let path = dir.path().join("db");
    let bans = [given("plain", "192.0.2.1", now(), None, None)];
    let tried = |change: &str| {
        fs::copy(real.file(), &path).unwrap();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let before = fs::read(&path).unwrap();
        let error =
            give(&path, Gift { bans: &bans, ..Gift::default() }, now(), &mut |_| true).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), before, "{change}");
        error
    };
    let version = |number| format!("UPDATE fail2banDb SET version = {number}");
    assert!(matches!(tried(&version(5)), TakeError::Newer { found: 5, .. }));
    let older = tried(&version(3));
    assert!(older.to_string().contains("start fail2ban 0.11 or newer once"), "{older}");
    let trigger = "CREATE TRIGGER x AFTER INSERT ON bips BEGIN DELETE FROM bips; END";
    assert!(matches!(tried(trigger), TakeError::Foreign { .. }));
    assert!(matches!(tried("DROP TABLE jails"), TakeError::Sqlite { .. }));
    let gift = Gift { bans: &bans, ..Gift::default() };
    assert!(matches!(give(dir.path(), gift, 0, &mut |_| true), Err(TakeError::Foreign { .. })));
    let nowhere = dir.path().join("nix");
    assert!(matches!(give(&nowhere, gift, 0, &mut |_| true), Err(TakeError::Io { .. })));
    assert!(!nowhere.exists());
}
