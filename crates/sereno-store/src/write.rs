//! One batch into one transaction.

use crate::schema::{Shelf, Tally};
use crate::{Batch, Event, Options, place};
use rusqlite::{Connection, Result, params};
use serde::Serialize;
use sereno_core::addr::Prefix;
use sereno_core::engine::Lifted;
use sereno_core::gate::Name;
use sereno_core::jail::{Known, Track};
use sereno_core::ledger::{Ban, Evidence, Past};
use sereno_core::time::Time;
use std::cell::Cell;

/// Old rows that leave a shelf per new row, at most: catching up with a lowered limit must not
/// stall a commit.
const PER_ROW: u64 = 2;
/// And in any case.
const PER_COMMIT: u64 = 64;

/// Writes within a transaction; counts rows in its own copy of the tally, which counts only
/// once the transaction does.
pub(crate) struct Writer<'a> {
    conn: &'a Connection,
    options: &'a Options,
    rows: [Cell<u64>; Shelf::ALL.len()],
    before: Tally,
}

/// The words of [`Lifted`] in the file.
pub(crate) const fn lifted_word(why: Lifted) -> &'static str {
    match why {
        Lifted::Expired => "expired",
        Lifted::Manual => "manual",
        Lifted::Pardoned => "pardoned",
        Lifted::Friend => "friend",
        Lifted::Room => "room",
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn new(conn: &'a Connection, options: &'a Options, before: Tally) -> Self {
        Self { conn, options, rows: before.map(Cell::new), before }
    }

    /// The rows there are now.
    pub(crate) fn tally(&self) -> Tally {
        self.rows.each_ref().map(Cell::get)
    }

    pub(crate) fn batch(&self, batch: &Batch) -> Result<()> {
        for ((jail, prefix), past) in &batch.pasts {
            let who = prefix.to_string();
            self.forget(&who, *jail)?;
            self.put_past(&who, *jail, *past)?;
        }
        for event in &batch.events {
            self.event(event)?;
        }
        for (key, value) in &batch.checkpoints {
            self.checkpoint(key, value.as_deref())?;
        }
        for ((jail, prefix), track) in &batch.tracks {
            let memory = track.as_ref().map(|track| (track_at(track), track));
            self.remember(Shelf::Tracks, *jail, *prefix, memory)?;
        }
        for ((jail, addr), known) in &batch.known {
            let memory = known.as_ref().map(|known| (known_at(known), known));
            self.remember(Shelf::Known, *jail, Prefix::host(*addr), memory)?;
        }
        self.trim()
    }

    fn event(&self, event: &Event) -> Result<()> {
        match event {
            Event::Ban(ban) => self.ban(ban),
            Event::Lift { jail, prefix, at, why } => self.lift(*jail, *prefix, *at, *why),
            Event::Told { about, at, text } => self.told(*about, *at, text),
            Event::Evidence { jail, prefix, at, line } => self.evidence(*jail, *prefix, *at, line),
        }
    }

    /// A ban in force, the past of who is banned, and a line of history; nothing at all if the
    /// very same ban is in force already, as when the engine asks again for a refused one.
    fn ban(&self, ban: &Ban) -> Result<()> {
        let (who, jail) = (ban.prefix.to_string(), ban.jail.as_str());
        let (since, until) = (ban.since.0, ban.until.map(|until| until.0));
        let (scope, because) = (ban.scope.as_str(), ban.because.word());
        let lines = self.lines(&ban.evidence)?;
        let mut ban_row = self.conn.prepare_cached(
            "INSERT INTO bans (prefix, jail, scope, since, until, count, because, before, offender)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (prefix, jail) DO UPDATE SET scope = excluded.scope, since = excluded.since,
                until = excluded.until, count = excluded.count, because = excluded.because,
                before = excluded.before, offender = excluded.offender
             WHERE since IS NOT excluded.since OR until IS NOT excluded.until",
        )?;
        let offender = ban.offender.map(|addr| addr.to_string());
        let row = params![who, jail, scope, since, until, ban.count, because, ban.before, offender];
        if ban_row.execute(row)? == 0 {
            return Ok(());
        }
        self.past(&who, ban)?;
        let mut history = self.conn.prepare_cached(
            "INSERT INTO history
                (at, kind, place, prefix, jail, scope, until, count, because, before, body, offender)
             VALUES (?1, 'ban', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let key = place::key(ban.prefix);
        history.execute(params![
            since, key, who, jail, scope, until, ban.count, because, ban.before, lines, offender
        ])?;
        self.added(Shelf::History, 1);
        Ok(())
    }

    /// Counts as [`sereno_core::ledger::Ledger::ban`] does.
    fn past(&self, who: &str, ban: &Ban) -> Result<()> {
        let bans = self.forget(who, ban.jail)?.saturating_add(1);
        self.put_past(who, ban.jail, Past { bans, last: ban.since })
    }

    /// Takes a past off; gives how many bans it was.
    fn forget(&self, who: &str, jail: Name) -> Result<u32> {
        let mut take = self
            .conn
            .prepare_cached("DELETE FROM pasts WHERE who = ?1 AND jail = ?2 RETURNING bans")?;
        let mut bans = 0;
        let mut rows = take.query(params![who, jail.as_str()])?;
        while let Some(row) = rows.next()? {
            bans = row.get::<_, i64>(0)?;
            self.gone(Shelf::Pasts, 1);
        }
        Ok(u32::try_from(bans).unwrap_or(u32::MAX))
    }

    fn put_past(&self, who: &str, jail: Name, past: Past) -> Result<()> {
        let mut put = self
            .conn
            .prepare_cached("INSERT INTO pasts (at, who, jail, bans) VALUES (?1, ?2, ?3, ?4)")?;
        put.execute(params![past.last.0, who, jail.as_str(), past.bans])?;
        self.added(Shelf::Pasts, 1);
        Ok(())
    }

    /// Takes a ban off. The end of a ban that is not there was noted before (a purge came
    /// first); what a person did is noted in any case.
    pub(crate) fn lift(&self, jail: Name, prefix: Prefix, at: Time, why: Lifted) -> Result<()> {
        let who = prefix.to_string();
        let mut take =
            self.conn.prepare_cached("DELETE FROM bans WHERE prefix = ?1 AND jail = ?2")?;
        if take.execute(params![who, jail.as_str()])? == 0 && why == Lifted::Expired {
            return Ok(());
        }
        if why == Lifted::Pardoned {
            self.forget(&who, jail)?;
        }
        let mut history = self.conn.prepare_cached(
            "INSERT INTO history (at, kind, place, prefix, jail, because) VALUES (?1, 'lift', ?2, ?3, ?4, ?5)",
        )?;
        history.execute(params![at.0, place::key(prefix), who, jail.as_str(), lifted_word(why)])?;
        self.added(Shelf::History, 1);
        Ok(())
    }

    fn told(&self, about: Option<Prefix>, at: Time, text: &str) -> Result<()> {
        let mut history = self.conn.prepare_cached(
            "INSERT INTO history (at, kind, place, prefix, body) VALUES (?1, 'told', ?2, ?3, ?4)",
        )?;
        let who = about.map(|prefix| prefix.to_string());
        history.execute(params![at.0, about.map(place::key), who, self.cut(text)])?;
        self.added(Shelf::History, 1);
        Ok(())
    }

    fn evidence(&self, jail: Name, prefix: Prefix, at: Time, line: &str) -> Result<()> {
        let key = place::key(prefix);
        let mut put = self.conn.prepare_cached(
            "INSERT INTO evidence (at, place, prefix, jail, line) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        put.execute(params![at.0, key, prefix.to_string(), jail.as_str(), self.cut(line)])?;
        self.added(Shelf::Evidence, 1);
        let mut thin = self.conn.prepare_cached(
            "DELETE FROM evidence WHERE id IN
             (SELECT id FROM evidence WHERE place = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)",
        )?;
        let gone = thin.execute(params![key, self.options.evidence_each])?;
        self.gone(Shelf::Evidence, gone);
        Ok(())
    }

    fn checkpoint(&self, key: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self
                .conn
                .prepare_cached("INSERT OR REPLACE INTO checkpoints (key, value) VALUES (?1, ?2)")?
                .execute(params![key, value]),
            None => {
                self.conn.prepare_cached("DELETE FROM checkpoints WHERE key = ?1")?.execute([key])
            }
        }?;
        Ok(())
    }

    /// Puts a memory at the young end of its shelf, or takes it off.
    fn remember(
        &self,
        shelf: Shelf,
        jail: Name,
        prefix: Prefix,
        memory: Option<(Time, impl Serialize)>,
    ) -> Result<()> {
        let (take, put) = match shelf {
            Shelf::Known => (
                "DELETE FROM known WHERE who = ?1 AND jail = ?2",
                "INSERT INTO known (at, who, jail, body) VALUES (?1, ?2, ?3, ?4)",
            ),
            _ => (
                "DELETE FROM tracks WHERE who = ?1 AND jail = ?2",
                "INSERT INTO tracks (at, who, jail, body) VALUES (?1, ?2, ?3, ?4)",
            ),
        };
        let who = prefix.to_string();
        let gone = self.conn.prepare_cached(take)?.execute(params![who, jail.as_str()])?;
        self.gone(shelf, gone);
        if let Some((at, body)) = memory {
            let body = json(&body)?;
            self.conn.prepare_cached(put)?.execute(params![at.0, who, jail.as_str(), body])?;
            self.added(shelf, 1);
        }
        Ok(())
    }

    /// Lets the oldest rows go where there are too many, or where the file has grown too large.
    fn trim(&self) -> Result<()> {
        let large = self.used()? > self.options.bytes;
        for shelf in Shelf::ALL {
            let (limit, past) = match shelf {
                Shelf::History => (self.options.history, true),
                Shelf::Evidence => (self.options.evidence, true),
                Shelf::Pasts => (self.options.pasts, false),
                Shelf::Tracks => (self.options.tracks, false),
                Shelf::Known => (self.options.known, false),
            };
            let rows = self.rows[shelf as usize].get();
            let added = rows.saturating_sub(self.before[shelf as usize]);
            let most = added * PER_ROW + PER_COMMIT;
            let excess = if large && past { most } else { rows.saturating_sub(limit).min(most) };
            if excess > 0 {
                self.drop_oldest(shelf, excess)?;
            }
        }
        Ok(())
    }

    fn drop_oldest(&self, shelf: Shelf, rows: u64) -> Result<()> {
        let table = shelf.table();
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT ?1)"
        );
        let gone = self.conn.prepare_cached(&sql)?.execute([rows])?;
        self.gone(shelf, gone);
        Ok(())
    }

    /// Lets go what is older than `start`, at most `most` rows; says how many. Rows lie nearly
    /// in order of time, so the search ends at the first that is young enough.
    pub(crate) fn drop_before(&self, shelf: Shelf, start: Time, most: usize) -> Result<usize> {
        let table = shelf.table();
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id < coalesce(
             (SELECT id FROM {table} WHERE at >= ?1 ORDER BY id LIMIT 1), 9223372036854775807)
             ORDER BY id LIMIT ?2)"
        );
        let gone = self.conn.prepare_cached(&sql)?.execute(params![start.0, most])?;
        self.gone(shelf, gone);
        Ok(gone)
    }

    /// Bytes of the file in use.
    fn used(&self) -> Result<u64> {
        let number = |sql| self.conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, u64>(0));
        let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
        Ok(pages.saturating_mul(crate::store::PAGE))
    }

    fn added(&self, shelf: Shelf, rows: usize) {
        let count = &self.rows[shelf as usize];
        count.set(count.get() + rows as u64);
    }

    fn gone(&self, shelf: Shelf, rows: usize) {
        let count = &self.rows[shelf as usize];
        count.set(count.get().saturating_sub(rows as u64));
    }

    /// The newest lines, each cut, as JSON.
    fn lines(&self, lines: &Evidence) -> Result<String> {
        let newest = lines.lines().rev().take(self.options.evidence_each as usize);
        let mut lines: Vec<&str> = newest.map(|line| self.cut(line)).collect();
        lines.reverse();
        json(&lines)
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end =
            (0..=self.options.line.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        &text[..end.unwrap_or(0)]
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn track_at(track: &Track) -> Time {
    track.newest().unwrap_or_default()
}

fn known_at(known: &Known) -> Time {
    known.accounts.iter().map(|(_, at)| *at).max().unwrap_or_default()
}
