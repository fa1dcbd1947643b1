//! The layout of the file, how it came to be, and whether a file is sound.

use crate::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;

/// `SRNO`, at bytes 68..72 of the file, so that `file(1)` and we know whose it is.
const APPLICATION_ID: i64 = 0x5352_4E4F;

/// The layout, step by step; `PRAGMA user_version` counts the steps taken. A step that was
/// once released is never changed again, only followed by another.
///
/// In the tables with an `id`, rows are in order of their last writing, so that the oldest
/// are found without another index. `place` is the sortable key of a prefix, see `place.rs`.
/// Times are microseconds since the epoch, `until` NULL is for ever.
const STEPS: &[&str] = &[
    "
    CREATE TABLE bans (
        id INTEGER PRIMARY KEY, prefix TEXT NOT NULL, jail TEXT NOT NULL, scope TEXT NOT NULL,
        since INTEGER NOT NULL, until INTEGER, count INTEGER NOT NULL, because TEXT NOT NULL,
        before INTEGER NOT NULL, UNIQUE (prefix, jail)
    ) STRICT;
    CREATE TABLE history (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, place BLOB,
        prefix TEXT, jail TEXT, scope TEXT, until INTEGER, count INTEGER, because TEXT,
        before INTEGER, body TEXT
    ) STRICT;
    CREATE INDEX history_place ON history (place);
    CREATE TABLE evidence (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, place BLOB NOT NULL, prefix TEXT NOT NULL,
        jail TEXT NOT NULL, line TEXT NOT NULL
    ) STRICT;
    CREATE INDEX evidence_place ON evidence (place);
    CREATE TABLE pasts (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, jail TEXT NOT NULL,
        bans INTEGER NOT NULL, UNIQUE (who, jail)
    ) STRICT;
    CREATE TABLE tracks (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, jail TEXT NOT NULL,
        body TEXT NOT NULL, UNIQUE (who, jail)
    ) STRICT;
    CREATE TABLE known (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, jail TEXT NOT NULL,
        body TEXT NOT NULL, UNIQUE (who, jail)
    ) STRICT;
    CREATE TABLE checkpoints (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE bans ADD COLUMN offender TEXT;
    ALTER TABLE history ADD COLUMN offender TEXT;
",
];

/// The tables that are kept to a size, the oldest rows leaving first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    History,
    Evidence,
    Pasts,
    Tracks,
    Known,
}

impl Shelf {
    pub(crate) const ALL: [Self; 5] =
        [Self::History, Self::Evidence, Self::Pasts, Self::Tracks, Self::Known];

    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Evidence => "evidence",
            Self::Pasts => "pasts",
            Self::Tracks => "tracks",
            Self::Known => "known",
        }
    }
}

/// Rows per [`Shelf`].
pub(crate) type Tally = [u64; Shelf::ALL.len()];

/// Opens a connection that trusts nothing in the file and follows no symbolic link.
pub(crate) fn connect(path: &Path, write: bool) -> rusqlite::Result<Connection> {
    let access =
        if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(conn)
}

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing in it yet.
    Blank,
    /// A sound ledger of this layout.
    Layout(i64),
    /// Beyond use; why.
    Damaged(String),
}

/// Looks at a file without changing it. Reads all of it: damage must show now, not when a ban
/// is to be written.
pub(crate) fn examine(conn: &Connection, path: &Path) -> Result<Found, StoreError> {
    match glance(conn, path)? {
        Found::Layout(found) => look_over(conn, path, found),
        other => Ok(other),
    }
}

/// Whose file it is and of which layout, by its first pages.
pub(crate) fn glance(conn: &Connection, path: &Path) -> Result<Found, StoreError> {
    match try_examine(conn) {
        Ok((0, 0, 0)) => Ok(Found::Blank),
        Ok((id, ..)) if id != APPLICATION_ID => Err(StoreError::Foreign { path: path.to_owned() }),
        Ok((_, found, _)) if found > known() => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: known() })
        }
        Ok((_, found, _)) => Ok(Found::Layout(found)),
        Err(e) => damaged(e, path),
    }
}

/// Reads all of a file of this layout.
pub(crate) fn look_over(conn: &Connection, path: &Path, found: i64) -> Result<Found, StoreError> {
    match check(conn) {
        Ok(verdict) if verdict == "ok" => Ok(Found::Layout(found)),
        Ok(verdict) => Ok(Found::Damaged(verdict)),
        Err(e) => damaged(e, path),
    }
}

fn try_examine(conn: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let number = |sql| conn.query_row(sql, [], |row| row.get(0));
    let id = number("PRAGMA application_id")?;
    Ok((id, number("PRAGMA user_version")?, number("SELECT count(*) FROM sqlite_schema")?))
}

fn check(conn: &Connection) -> rusqlite::Result<String> {
    conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// Sorts what SQLite says into damage and other trouble (no memory, no permission).
fn damaged(error: rusqlite::Error, path: &Path) -> Result<Found, StoreError> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
            Ok(Found::Damaged(error.to_string()))
        }
        _ => Err(StoreError::sqlite(path, error)),
    }
}

/// The layout this version writes.
pub(crate) fn known() -> i64 {
    STEPS.len() as i64
}

/// Takes the steps that are missing, all or none.
pub(crate) fn migrate(conn: &mut Connection, found: i64) -> rusqlite::Result<()> {
    take_steps(conn, found, STEPS)
}

fn take_steps(conn: &mut Connection, found: i64, steps: &[&str]) -> rusqlite::Result<()> {
    let missing = steps.get(usize::try_from(found).unwrap_or(0)..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let tx = Transaction::new(conn, TransactionBehavior::Immediate)?;
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", steps.len() as i64)?;
    tx.commit()
}

/// Counts the rows of every shelf.
pub(crate) fn tally(conn: &Connection) -> rusqlite::Result<Tally> {
    let mut tally = Tally::default();
    for shelf in Shelf::ALL {
        let sql = format!("SELECT count(*) FROM {}", shelf.table());
        tally[shelf as usize] = conn.query_row(&sql, [], |row| row.get(0))?;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(conn: &Connection) -> i64 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_file_goes_through_every_missing_step_and_keeps_its_rows() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps =
            ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y DEFAULT 7", "CREATE TABLE b (z)"];
        take_steps(&mut conn, 0, &steps[..1]).unwrap();
        assert_eq!(version(&conn), 1);
        conn.execute("INSERT INTO a VALUES (1)", []).unwrap();
        take_steps(&mut conn, 1, &steps).unwrap();
        assert_eq!(version(&conn), 3);
        let row: (i64, i64) =
            conn.query_row("SELECT x, y FROM a", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        assert_eq!(row, (1, 7));
        take_steps(&mut conn, 3, &steps).unwrap();
    }

    #[test]
    fn a_step_that_fails_takes_the_others_with_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(take_steps(&mut conn, 0, &["CREATE TABLE a (x)", "no such words"]).is_err());
        assert_eq!(try_examine(&conn).unwrap(), (0, 0, 0));
    }

    #[test]
    fn the_layout_is_taken_to_memory_and_found_again() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(examine(&conn, Path::new("x")).unwrap(), Found::Blank);
        migrate(&mut conn, 0).unwrap();
        assert_eq!(examine(&conn, Path::new("x")).unwrap(), Found::Layout(known()));
        assert_eq!(tally(&conn).unwrap(), Tally::default());
    }
}
