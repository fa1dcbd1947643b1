//! Bans written into a database of fail2ban's, for it to go on with at its next start.
//!
//! A row is what fail2ban's own `addBan` writes. At its start it takes up the bans of each jail
//! that began less than the jail's `bantime` ago, and none longer than that; so a ban that began
//! earlier, or is longer, is written as the longest that ends at the same moment.

use super::{PATIENCE, ROWS, TakeError, Taken, VERSION, columns, file, taken, version};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeSet;
use std::path::Path;

/// A ban to be gone on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The jail, as fail2ban calls it.
    pub jail: String,
    /// Who: an address or a network.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// When it ends; `None` for never.
    pub until: Option<i64>,
    /// The longest ban of its jail, in seconds; `None` if there is none.
    pub longest: Option<u64>,
    /// How often the jail banned him, this time included.
    pub count: u32,
    /// Failures that led to it.
    pub failures: u32,
}

impl Given {
    /// When it began and how long it is, in seconds (-1 for ever), so that fail2ban lets it end
    /// when it is to end; and whether that is too late for it, so that it ends earlier.
    fn fitted(&self, now: i64) -> (i64, i64, bool) {
        let Some(longest) = self.longest.and_then(|most| i64::try_from(most).ok()) else {
            let length = self.until.map_or(-1, |until| until.saturating_sub(self.since));
            return (self.since, length, false);
        };
        let Some(until) = self.until else { return (now, longest, true) };
        if until.saturating_sub(self.since) <= longest && self.since.saturating_add(longest) > now {
            return (self.since, until.saturating_sub(self.since), false);
        }
        let since = until.saturating_sub(longest);
        (since.min(now), longest, since > now)
    }
}

/// How far a jail has read a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The jail, as fail2ban calls it.
    pub jail: String,
    /// The log's path, or [`Position::JOURNAL`].
    pub log: String,
    /// By what the log is known again: hashes of its first line with its end, in hexadecimal, the
    /// usual one first, of which one as long as that already in the database is taken; of the
    /// journal, the time in words.
    pub marks: Vec<String>,
    /// Bytes read; of the journal, seconds since 1970. A whole number is stored as one.
    pub at: f64,
}

impl Position {
    /// What fail2ban calls the journal among the logs.
    pub const JOURNAL: &str = "systemd-journal";
}

/// What fail2ban is to go on with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gift<'a> {
    /// The bans in force.
    pub bans: &'a [Given],
    /// Where to read on: what was read here would count a second time there.
    pub positions: &'a [Position],
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Bans in the file now.
    pub given: u64,
    /// Those of them that end earlier, because their jail bans for no longer.
    pub shortened: u64,
    /// Bans that fail2ban would have gone on with, and that were taken out.
    pub dropped: u64,
}

/// Writes bans and positions into the database at `path`, whole or not at all. Of the bans that are there, those
/// that `drop` says yes to are taken out.
///
/// fail2ban must not run: it reads them at its start only.
///
/// # Errors
/// When the file cannot be written, or is none of a fail2ban whose layout is known.
pub fn give(
    path: &Path,
    gift: Gift<'_>,
    now: i64,
    drop: &mut dyn FnMut(&Taken) -> bool,
) -> Result<Receipt, TakeError> {
    let mut conn = file::open_to_write(path)?;
    let sqlite = |source| TakeError::Sqlite { path: path.to_owned(), source };
    conn.busy_timeout(PATIENCE).map_err(sqlite)?;
    match version(&conn).map_err(sqlite)? {
        Some(VERSION) if is_plain(&conn).map_err(sqlite)? => {}
        Some(found) if found > VERSION => {
            return Err(TakeError::Newer { path: path.to_owned(), found });
        }
        Some(found) if found < VERSION => {
            return Err(TakeError::Older { path: path.to_owned(), found });
        }
        _ => return Err(TakeError::Foreign { path: path.to_owned() }),
    }
    write(&mut conn, gift, now, drop).map_err(sqlite)
}

/// Whether writing into the tables does nothing else.
fn is_plain(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) = 0 FROM sqlite_schema WHERE type = 'trigger'";
    conn.query_row(sql, [], |row| row.get(0))
}

fn write(
    conn: &mut Connection,
    gift: Gift<'_>,
    now: i64,
    drop: &mut dyn FnMut(&Taken) -> bool,
) -> rusqlite::Result<Receipt> {
    let tx = Transaction::new(conn, TransactionBehavior::Immediate)?;
    let mut receipt = Receipt { dropped: take_out(&tx, drop)?, ..Receipt::default() };
    let jails = gift.bans.iter().map(|ban| &ban.jail);
    let jails: BTreeSet<&String> = jails.chain(gift.positions.iter().map(|p| &p.jail)).collect();
    for jail in jails {
        tx.execute(
            "INSERT INTO jails (name, enabled) SELECT ?1, 1
             WHERE NOT EXISTS (SELECT 1 FROM jails WHERE name = ?1)",
            [jail],
        )?;
    }
    for ban in gift.bans {
        receipt.shortened += u64::from(put(&tx, ban, now)?);
        receipt.given += 1;
    }
    for position in gift.positions {
        put_position(&tx, position)?;
    }
    tx.commit()?;
    Ok(receipt)
}

/// Writes a ban, and that it happened; says whether it ends too early.
fn put(tx: &Transaction<'_>, ban: &Given, now: i64) -> rusqlite::Result<bool> {
    let (since, length, shortened) = ban.fitted(now);
    let data = serde_json::json!({ "matches": [], "failures": ban.failures }).to_string();
    let mut known = tx.prepare_cached(
        "SELECT count(*) FROM bips WHERE ip = ?1 AND jail = ?2 AND timeofban = ?3 AND bantime = ?4",
    )?;
    let mark = params![ban.id, ban.jail, since, length];
    if known.query_row(mark, |row| row.get::<_, i64>(0))? > 0 {
        // It is fail2ban's own, with the lines that led to it.
        return Ok(shortened);
    }
    let row = params![ban.jail, ban.id, since, length, ban.count, data];
    for table in ["INSERT INTO bans", "INSERT OR REPLACE INTO bips"] {
        let sql = format!(
            "{table} (jail, ip, timeofban, bantime, bancount, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        );
        tx.prepare_cached(&sql)?.execute(row)?;
    }
    Ok(shortened)
}

fn put_position(tx: &Transaction<'_>, position: &Position) -> rusqlite::Result<()> {
    let Position { jail, log, marks, at } = position;
    let mut known = tx.prepare_cached(
        "SELECT ifnull(length(firstlinemd5), 0) FROM logs WHERE jail = ?1 AND path = ?2",
    )?;
    let length: Option<usize> = known.query_row([jail, log], |row| row.get(0)).optional()?;
    let alike = marks.iter().find(|mark| Some(mark.len()) == length);
    // What is there of the same jail and log is replaced: both are the key.
    tx.prepare_cached(
        "INSERT OR REPLACE INTO logs (jail, path, firstlinemd5, lastfilepos)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![jail, log, alike.or(marks.first()), at])?;
    Ok(())
}

/// Takes bans out as fail2ban does when it lets somebody in; says how many.
fn take_out(tx: &Transaction<'_>, drop: &mut dyn FnMut(&Taken) -> bool) -> rusqlite::Result<u64> {
    let columns = columns("b", "b.bantime", "b.bancount", "1");
    let mut query = tx.prepare(&format!("{columns} FROM bips b ORDER BY b.rowid"))?;
    let mut rows = query.query([])?;
    let (mut gone, mut seen) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen > ROWS {
            break;
        }
        if let Some((ban, _)) = taken(row)
            && drop(&ban)
        {
            gone.push((ban.jail, ban.id));
        }
    }
    for (jail, id) in &gone {
        for table in ["bips", "bans"] {
            let sql = format!("DELETE FROM {table} WHERE jail = ?1 AND ip = ?2");
            tx.prepare_cached(&sql)?.execute([jail, id])?;
        }
    }
    Ok(gone.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_when_it_is_to_end() {
        let ban = |since, until, longest| Given {
            jail: "sshd".to_owned(),
            id: "192.0.2.1".to_owned(),
            since,
            until,
            longest,
            count: 1,
            failures: 3,
        };
        for (since, until, longest, fitted) in [
            (900, Some(1500), Some(600), (900, 600, false)),
            (900, Some(1400), Some(600), (900, 500, false)),
            // It was for longer than the jail bans, or began too long ago to be looked at.
            (100, Some(1500), Some(600), (900, 600, false)),
            (100, Some(1001), Some(600), (401, 600, false)),
            // The rest of it is longer.
            (900, Some(9000), Some(600), (1000, 600, true)),
            (900, None, Some(600), (1000, 600, true)),
            (900, None, None, (900, -1, false)),
            (100, Some(9000), None, (100, 8900, false)),
        ] {
            assert_eq!(ban(since, until, longest).fitted(1000), fitted, "{since} {until:?}");
        }
    }
}
