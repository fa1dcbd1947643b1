//! What the ledger says.

use crate::dir::{self, Owner};
use crate::schema::{self, Found};
use crate::write::lifted_word;
use crate::{Event, StoreError, place};
use rusqlite::{Connection, Params, Result, Row, params};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use sereno_core::addr::Prefix;
use sereno_core::engine::Lifted;
use sereno_core::gate::Name;
use sereno_core::jail::{Because, Known, Track};
use sereno_core::ledger::{Ban, Captures, Evidence, Past};
use sereno_core::time::Time;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A piece of what a restart begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Remembered {
    /// A ban in force, without its evidence: that stays in the history.
    Ban(Ban),
    /// How often a jail banned somebody before.
    Past(Name, Prefix, Past),
    /// What a jail remembers of a stranger.
    Track(Name, Prefix, Track),
    /// What a jail remembers of an address that logged in well.
    Known(Name, IpAddr, Known),
    /// Where reading stands, by the caller's key.
    Place(String, String),
}

/// The ledger for those who only read, beside a running service or without.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the ledger in `dir`; makes and changes nothing.
    ///
    /// # Errors
    /// When there is none, when it is not safe to read, damaged, or of another version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir::find(dir, Owner::UsOrAnyForRoot)?;
        let Some(path) = dir::file(&dir, Owner::UsOrAnyForRoot)? else {
            return Err(StoreError::Missing { dir });
        };
        let conn = schema::connect(&path, false).map_err(|e| StoreError::sqlite(&path, e))?;
        match schema::examine(&conn, &path)? {
            Found::Blank => Err(StoreError::Missing { dir }),
            Found::Damaged(why) => Err(StoreError::Damaged { path, why }),
            Found::Layout(found) if found < schema::known() => {
                Err(StoreError::Older { path, found, known: schema::known() })
            }
            Found::Layout(_) => Ok(Self { conn, path }),
        }
    }

    /// As [`crate::Store::recall`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recall(&self, now: Time, take: &mut dyn FnMut(Remembered)) -> Result<u64, StoreError> {
        recall(&self.conn, now, take).map_err(|e| StoreError::sqlite(&self.path, e))
    }

    /// As [`crate::Store::history`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, who: Option<Prefix>, limit: usize) -> Result<Vec<Event>, StoreError> {
        history(&self.conn, who, limit).map_err(|e| StoreError::sqlite(&self.path, e))
    }
}

/// All that is in force or remembered at `now`, as of one moment, each kind in order of
/// writing; says how many rows could not be understood and were passed over.
pub(crate) fn recall(
    conn: &Connection,
    now: Time,
    take: &mut dyn FnMut(Remembered),
) -> Result<u64> {
    let tx = conn.unchecked_transaction()?;
    let mut bad = 0;
    let sql = "SELECT since, prefix, jail, scope, until, count, because, before, '[]', offender
               FROM bans WHERE until IS NULL OR until > ?1 ORDER BY id";
    each(&tx, sql, [now.0], &mut bad, |row| Some(Remembered::Ban(ban(row)?)), take)?;
    let sql = "SELECT who, jail, bans, at FROM pasts ORDER BY id";
    each(&tx, sql, [], &mut bad, past, take)?;
    let sql = "SELECT who, jail, body FROM tracks ORDER BY id";
    let track = |row: &Row<'_>| {
        let track = serde_json::from_str(text(row, 2)?).ok()?;
        Some(Remembered::Track(name(row, 1)?, prefix(row, 0)?, track))
    };
    each(&tx, sql, [], &mut bad, track, take)?;
    let sql = "SELECT who, jail, body FROM known ORDER BY id";
    let known = |row: &Row<'_>| {
        let addr = prefix(row, 0).filter(|prefix| prefix.is_host())?.addr();
        let known = serde_json::from_str(text(row, 2)?).ok()?;
        Some(Remembered::Known(name(row, 1)?, addr, known))
    };
    each(&tx, sql, [], &mut bad, known, take)?;
    let sql = "SELECT key, value FROM checkpoints ORDER BY key";
    let place =
        |row: &Row<'_>| Some(Remembered::Place(text(row, 0)?.to_owned(), text(row, 1)?.to_owned()));
    each(&tx, sql, [], &mut bad, place, take)?;
    tx.commit()?;
    conn.release_memory()?;
    Ok(bad)
}

/// The last `limit` events about whatever shares an address with `who`, or about anybody,
/// the newest last.
pub(crate) fn history(conn: &Connection, who: Option<Prefix>, limit: usize) -> Result<Vec<Event>> {
    let conn = &conn.unchecked_transaction()?;
    let mut events = Vec::new();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    for (columns, read) in SOURCES {
        let select =
            |condition: &str| format!("SELECT {columns} {condition} ORDER BY id DESC LIMIT ?1");
        let mut bad = 0;
        let Some(who) = who else {
            events.extend(collect(conn, &select(""), [limit], &mut bad, read)?);
            continue;
        };
        let (from, to) = place::inside(who);
        let sql = select("WHERE place BETWEEN ?2 AND ?3");
        events.extend(collect(conn, &sql, params![limit, from, to], &mut bad, read)?);
        let sql = select("WHERE place = ?2");
        for key in place::around(who) {
            events.extend(collect(conn, &sql, params![limit, key], &mut bad, read)?);
        }
    }
    // Ids are in order of writing and tell equal times apart.
    events.sort_unstable_by_key(|(id, _)| *id);
    let mut before = None;
    let mut events: Vec<(Time, Event)> =
        events.into_iter().map(|(_, event)| (event.told_at(&mut before), event)).collect();
    events.sort_by_key(|(at, _)| *at);
    let skip = events.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(events.into_iter().skip(skip).map(|(_, event)| event).collect())
}

type Read = fn(&Row<'_>) -> Option<(i64, Event)>;

/// The tables that make up the timeline.
const SOURCES: [(&str, Read); 2] = [
    ("id, line, at, prefix, jail FROM evidence", evidence),
    (
        "at, prefix, jail, scope, until, count, because, before, body, offender, kind, id FROM history",
        past_event,
    ),
];

fn evidence(row: &Row<'_>) -> Option<(i64, Event)> {
    let (jail, line) = (name(row, 4)?, text(row, 1)?.to_owned());
    let event = Event::Evidence { jail, prefix: prefix(row, 3)?, at: time(row, 2)?, line };
    Some((row.get(0).ok()?, event))
}

fn past_event(row: &Row<'_>) -> Option<(i64, Event)> {
    let at = time(row, 0)?;
    let event = match text(row, 10)? {
        "ban" => Event::Ban(ban(row)?),
        "lift" => Event::Lift {
            jail: name(row, 2)?,
            prefix: prefix(row, 1)?,
            at,
            why: lifted(text(row, 6)?)?,
        },
        _ => Event::Told { about: prefix(row, 1), at, text: text(row, 8)?.to_owned() },
    };
    Some((row.get(11).ok()?, event))
}

/// From columns `since, prefix, jail, scope, until, count, because, before, evidence, offender`.
fn ban(row: &Row<'_>) -> Option<Ban> {
    Some(Ban {
        jail: name(row, 2)?,
        scope: name(row, 3)?,
        prefix: prefix(row, 1)?,
        offender: text(row, 9).and_then(|addr| addr.parse().ok()),
        since: time(row, 0)?,
        until: row.get::<_, Option<i64>>(4).ok()?.map(Time),
        count: row.get(5).ok()?,
        because: because(text(row, 6)?)?,
        before: row.get(7).ok()?,
        evidence: evidence_of(text(row, 8)?)?,
        captures: Captures::default(),
    })
}

/// Most rows are read without theirs.
fn evidence_of(text: &str) -> Option<Evidence> {
    if text == "[]" { Some(Evidence::default()) } else { serde_json::from_str(text).ok() }
}

fn past(row: &Row<'_>) -> Option<Remembered> {
    let past = Past { bans: row.get(2).ok()?, last: time(row, 3)? };
    Some(Remembered::Past(name(row, 1)?, prefix(row, 0)?, past))
}

fn collect<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    unreadable: &mut u64,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> Result<Vec<T>> {
    let mut all = Vec::new();
    each(conn, sql, params, unreadable, read, &mut |one| all.push(one))?;
    Ok(all)
}

fn each<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    unreadable: &mut u64,
    read: impl Fn(&Row<'_>) -> Option<T>,
    take: &mut dyn FnMut(T),
) -> Result<()> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Some(one) => take(one),
            None => *unreadable += 1,
        }
    }
    Ok(())
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Option<&'r str> {
    row.get_ref(column).ok()?.as_str().ok()
}

fn name(row: &Row<'_>, column: usize) -> Option<Name> {
    text(row, column)?.parse().ok()
}

fn prefix(row: &Row<'_>, column: usize) -> Option<Prefix> {
    text(row, column)?.parse().ok()
}

fn time(row: &Row<'_>, column: usize) -> Option<Time> {
    row.get(column).ok().map(Time)
}

fn because(word: &str) -> Option<Because> {
    let word: StrDeserializer<'_, WordError> = word.into_deserializer();
    Because::deserialize(word).ok()
}

fn lifted(word: &str) -> Option<Lifted> {
    use Lifted::{Expired, Friend, Manual, Pardoned, Room};
    [Expired, Manual, Pardoned, Friend, Room].into_iter().find(|why| lifted_word(*why) == word)
}
