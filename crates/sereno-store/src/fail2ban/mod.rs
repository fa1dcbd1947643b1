//! The bans in a database of fail2ban (`fail2ban.sqlite3`), for whoever takes its place.
//!
//! The layout is that of fail2ban 0.9 to 1.1 (table `fail2banDb`, versions 1 to 4): `bips` has the
//! last ban of each id in each jail, `bans` the history of them. The file is only read: beside a
//! running fail2ban under SQLite's own locks, and, if it has a write-ahead log, from a copy; only
//! [`give`] writes into it. What
//! it says is not believed: no view, virtual table or computed column is looked at, and rows that
//! are too large or not what they should be are passed over and counted.

mod file;
mod give;

pub use give::{Gift, Given, Position, Receipt, give};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::Value;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The newest layout that is known.
const VERSION: i64 = 4;
/// The first fail2ban that writes it.
const VERSION_OF: &str = "0.11";
/// Rows read at most.
const ROWS: u64 = 1_000_000;
/// Bytes of a jail's name, of an id, and of what is known of a ban.
const NAME: usize = 256;
const ID: usize = 512;
const DATA: usize = 1 << 20;
/// Lines kept of a ban: the last ones, and of each its beginning.
const LINES: usize = 10;
const LINE: usize = 1024;
/// How long fail2ban may be writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Seconds since it began.
    For(u64),
    /// Until somebody lifts it.
    Forever,
    /// As long as its jail bans; databases of before fail2ban 0.11 do not say.
    Usual,
}

/// The last ban of somebody in a jail, in force or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The jail.
    pub jail: String,
    /// Who: an address, a network such as `192.0.2.0/24`, or any other text.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// How long it lasts. When fail2ban starts it shortens bans to what their jail allows by then.
    pub length: Length,
    /// How often this jail banned him, this time included. fail2ban counts upwards only where
    /// `bantime.increment` is on; elsewhere it is as often as its history still knows.
    pub count: u32,
    /// Failures that led to it; 0 if it was made by hand.
    pub failures: u32,
    /// The lines that led to it, the last ten.
    pub matches: Vec<String>,
}

impl Taken {
    /// When it ends, in seconds since 1970, `None` for never; `usual` is how many seconds its jail
    /// bans, `None` for ever.
    #[must_use]
    pub fn until(&self, usual: Option<u64>) -> Option<i64> {
        let length = match self.length {
            Length::For(seconds) => Some(seconds),
            Length::Forever => None,
            Length::Usual => usual,
        };
        length.map(|length| self.since.saturating_add_unsigned(length))
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The version of the layout.
    pub version: i64,
    /// Bans given.
    pub taken: u64,
    /// Rows passed over because they are no bans.
    pub skipped: u64,
    /// Bans given without their lines, because these are too large or not to be understood.
    pub bare: u64,
    /// Whether there are more rows than are read.
    pub cut: bool,
}

/// Why a database could not be read.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Debug)]
pub enum TakeError {
    /// The file cannot be opened, or not be copied.
    Io { path: PathBuf, source: io::Error },
    /// It is no database of fail2ban.
    Foreign { path: PathBuf },
    /// It was written by a newer fail2ban.
    Newer { path: PathBuf, found: i64 },
    /// It was written by an older fail2ban, and is to be written.
    Older { path: PathBuf, found: i64 },
    /// Whoever wrote it was interrupted, and only he may mend it.
    Unfinished { path: PathBuf },
    /// It changes too fast, or is too large, to be copied.
    Unsteady { path: PathBuf },
    /// It is damaged, or SQLite has another reason.
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Foreign { path } => write!(f, "{} is no database of fail2ban", path.display()),
            Self::Newer { path, found } => write!(
                f,
                "{} has layout {found} of a newer fail2ban; up to {VERSION} is known",
                path.display()
            ),
            Self::Older { path, found } => write!(
                f,
                "{} has layout {found} of an older fail2ban; start fail2ban {VERSION_OF} or newer once, and stop it",
                path.display()
            ),
            Self::Unfinished { path } => write!(
                f,
                "{} was left in the middle of a change; start fail2ban and stop it once",
                path.display()
            ),
            Self::Unsteady { path } => {
                write!(f, "{} cannot be copied to be read; stop fail2ban", path.display())
            }
            Self::Sqlite { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for TakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Sqlite { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Gives every ban that the database at `path` knows as the last one of its kind, in the order of
/// writing.
///
/// # Errors
/// When the file cannot be read, or is none of fail2ban's. Some bans may have been given by then.
pub fn take(path: &Path, take: &mut dyn FnMut(Taken)) -> Result<Summary, TakeError> {
    let file = file::open(path)?;
    let sqlite = |source| TakeError::Sqlite { path: path.to_owned(), source };
    let version = version(&file.conn).map_err(sqlite)?;
    let Some(version) = version else { return Err(TakeError::Foreign { path: path.to_owned() }) };
    if version > VERSION {
        return Err(TakeError::Newer { path: path.to_owned(), found: version });
    }
    read(&file.conn, version, take).map_err(sqlite)
}

/// The version of the layout, if all its tables are there and nothing but tables.
fn version(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    if !is_table(conn, "fail2banDb")? || !is_table(conn, "bans")? {
        return Ok(None);
    }
    let mut query = conn.prepare("SELECT version FROM fail2banDb LIMIT 1")?;
    let mut rows = query.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let version = match row.get_ref(0)? {
        ValueRef::Integer(version @ 1..) => version,
        _ => return Ok(None),
    };
    Ok(Some(version).filter(|version| *version != VERSION || is_table(conn, "bips") == Ok(true)))
}

/// Whether there is a table of this name whose rows stand in the file.
fn is_table(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) = 1 AND (SELECT total(hidden) = 0 FROM pragma_table_xinfo(?1))
               FROM sqlite_schema WHERE name = ?1 AND type = 'table' AND rootpage > 0";
    conn.query_row(sql, [name], |row| row.get(0))
}

/// Columns of a row, in the order in which [`taken`] reads them, if they are not too large. Only
/// their sizes are looked at, so that nothing large is read at all.
fn columns(from: &str, length: &str, count: &str, times: &str) -> String {
    let short = |column: &str, most: usize| {
        format!("CASE WHEN octet_length({from}.{column}) <= {most} THEN {from}.{column} END")
    };
    let (jail, id, data) = (short("jail", NAME), short("ip", ID), short("data", DATA));
    let large = format!("octet_length({from}.data) > {DATA}");
    format!("SELECT {jail}, {id}, {from}.timeofban, {length}, {count}, {times}, {data}, {large}")
}

fn read(conn: &Connection, version: i64, take: &mut dyn FnMut(Taken)) -> rusqlite::Result<Summary> {
    let small = format!("octet_length(jail) <= {NAME} AND octet_length(ip) <= {ID}");
    let sql = if version == VERSION {
        // How often somebody was banned is in the history, too.
        let columns = columns("b", "b.bantime", "b.bancount", "c.times");
        format!(
            "{columns} FROM bips b LEFT JOIN
             (SELECT jail, ip, count(*) AS times FROM bans WHERE {small} GROUP BY jail, ip) c
             ON c.jail = b.jail AND c.ip = b.ip ORDER BY b.rowid"
        )
    } else {
        // With one max(), SQLite takes the other columns from the row that has it.
        let known = version == 3;
        let (length, count) = if known { ("b.bantime", "b.bancount") } else { ("-2", "1") };
        let columns = columns("b", length, count, "count(*)");
        format!(
            "{columns}, max(b.timeofban) AS last FROM bans b GROUP BY b.jail, b.ip ORDER BY last"
        )
    };
    let tx = conn.unchecked_transaction()?;
    let mut query = tx.prepare(&sql)?;
    let mut rows = query.query([])?;
    let mut summary = Summary { version, ..Summary::default() };
    while let Some(row) = rows.next()? {
        if summary.taken + summary.skipped == ROWS {
            summary.cut = true;
            break;
        }
        match taken(row) {
            Some((ban, bare)) => {
                summary.taken += 1;
                summary.bare += u64::from(bare);
                take(ban);
            }
            None => summary.skipped += 1,
        }
    }
    Ok(summary)
}

/// A row as a ban, and whether its lines are missing though there is something.
fn taken(row: &Row<'_>) -> Option<(Taken, bool)> {
    let jail = text(row, 0)?;
    let id = text(row, 1)?;
    let since = number(row, 2).filter(|since| (0..253_402_300_800).contains(since))?;
    let length = match number(row, 3)? {
        -2 => Length::Usual,
        seconds => u64::try_from(seconds).map_or(Length::Forever, Length::For),
    };
    let count = |at| number(row, at).and_then(|count| u32::try_from(count).ok());
    let count = count(4).max(count(5)).unwrap_or(1).max(1);
    let data = match row.get_ref(6).ok()? {
        ValueRef::Text(data) | ValueRef::Blob(data) => Some(data),
        _ => None,
    };
    let data = data.and_then(|data| {
        // fail2ban writes its own character set, mostly UTF-8.
        let value = serde_json::from_str::<Value>(&String::from_utf8_lossy(data)).ok();
        value.filter(Value::is_object)
    });
    let bare = data.is_none() && (!matches!(row.get_ref(6), Ok(ValueRef::Null)) || large(row));
    let failures = data.as_ref().and_then(|data| data["failures"].as_u64()).unwrap_or(0);
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    let matches = data.as_ref().and_then(|data| data["matches"].as_array());
    let matches = matches.map(|all| {
        all.iter().skip(all.len().saturating_sub(LINES)).filter_map(line).collect::<Vec<_>>()
    });
    let matches = matches.unwrap_or_default();
    Some((Taken { jail, id, since, length, count, failures, matches }, bare))
}

fn large(row: &Row<'_>) -> bool {
    number(row, 7) == Some(1)
}

/// A text that is one, and not empty.
fn text(row: &Row<'_>, at: usize) -> Option<String> {
    let text = row.get_ref(at).ok()?.as_str().ok()?;
    (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

/// A number, without its fraction: random lengths of bans have one.
fn number(row: &Row<'_>, at: usize) -> Option<i64> {
    match row.get_ref(at).ok()? {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Real(number) if number.abs() < 9e15 => Some(number as i64),
        _ => None,
    }
}

/// A line: a text, or the pieces before, of and behind its date.
fn line(value: &Value) -> Option<String> {
    let mut line = match value {
        Value::String(line) => line.clone(),
        Value::Array(pieces) => pieces.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let mut end = LINE.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    Some(line)
}
