//! The ledger for the one process that writes it.

use crate::checkpoint::Checkpointer;
use crate::dir::{self, Owner};
use crate::schema::{self, Found, Shelf, Tally};
use crate::write::Writer;
use crate::{Batch, Event, Options, Reader, Remembered, StoreError, read};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use sereno_core::addr::Prefix;
use sereno_core::engine::Lifted;
use sereno_core::time::Time;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::{self, Builder};

/// Bytes of a page of the file.
pub(crate) const PAGE: u64 = 4096;
/// Rows of a kind that one purge takes at most, so that it does not stall its caller.
const PURGE: usize = 5_000;

/// What [`Store::open`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing; an empty ledger was made.
    Fresh,
    /// A sound ledger.
    Existing,
    /// A damaged one. It was moved aside and an empty one made.
    Replaced {
        /// The damaged file's new name.
        moved_to: PathBuf,
        /// What was wrong with it.
        why: String,
    },
}

/// The ledger. Only one can be open on a directory at a time.
// The fields are dropped in this order: the thread ends before the connection closes (which
// carries the rest of the log over), and the lock is given back last.
#[derive(Debug)]
pub struct Store {
    checkpointer: Checkpointer,
    conn: Connection,
    path: PathBuf,
    options: Options,
    tally: Tally,
    opened: Opened,
    _lock: File,
}

impl Store {
    /// Opens the ledger in `dir`, making both where they are missing.
    ///
    /// # Errors
    /// When the directory or file belongs to somebody else or is writable for others, when
    /// another process has it, when it is of a newer version or another program, or when the
    /// disk refuses. A damaged file is no error, see [`Opened::Replaced`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Options::default())
    }

    /// As [`Store::open`], keeping more or less.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let dir = dir::prepare(dir)?;
        let lock = dir::lock(&dir)?;
        Self::open_locked(&dir, options, lock)
    }

    /// Opens the ledger in `dir` as [`Store::open`] does, and recalls all as [`Store::recall`] does,
    /// while another thread reads the file for damage. Nothing that was taken out of a file is given
    /// back before that file is known to be sound; what was taken out of a damaged one is let go.
    /// Where reading fails, what was read until then is given with the error.
    pub fn open_recalling<T: Default>(
        dir: &Path,
        now: Time,
        take: impl Fn(&mut T, Remembered),
    ) -> (Result<Self, StoreError>, T) {
        let mut all = T::default();
        let store = Self::recalling(dir, now, &mut all, &take);
        (store, all)
    }

    fn recalling<T: Default>(
        dir: &Path,
        now: Time,
        all: &mut T,
        take: &impl Fn(&mut T, Remembered),
    ) -> Result<Self, StoreError> {
        let (dir, options) = (dir::prepare(dir)?, Options::default());
        let lock = dir::lock(&dir)?;
        let beside = read_beside(&dir, now, &mut |one| take(all, one));
        if let Ok(Some((path, conn, tally))) = beside {
            return Self::of(path, conn, Opened::Existing, tally, options, lock);
        }
        *all = T::default();
        beside?;
        let store = Self::open_locked(&dir, options, lock)?;
        store.recall(now, &mut |one| take(all, one))?;
        Ok(store)
    }

    fn open_locked(dir: &Path, options: Options, lock: File) -> Result<Self, StoreError> {
        let (path, conn, opened) = sound(dir)?;
        let tally = schema::tally(&conn).map_err(|e| StoreError::sqlite(&path, e))?;
        Self::of(path, conn, opened, tally, options, lock)
    }

    fn of(
        path: PathBuf,
        conn: Connection,
        opened: Opened,
        tally: Tally,
        options: Options,
        lock: File,
    ) -> Result<Self, StoreError> {
        let checkpointer = Checkpointer::start(&path, &options)
            .map_err(|e| StoreError::io("start a thread for", &path, e))?;
        Ok(Self { checkpointer, conn, path, options, tally, opened, _lock: lock })
    }

    /// Opens the ledger in `dir` for reading only; needs no lock.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn read_only(dir: &Path) -> Result<Reader, StoreError> {
        Reader::open(dir)
    }

    /// What was found at opening.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// What the last checkpoint failed with, if it did. Commits work regardless, but the
    /// write-ahead log grows meanwhile.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.checkpointer.trouble()
    }

    /// What a restart begins with: the bans in force at `now`, and all that is remembered,
    /// piece by piece, for it can be much. Says how many rows could not be understood and were
    /// passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recall(&self, now: Time, take: &mut dyn FnMut(Remembered)) -> Result<u64, StoreError> {
        read::recall(&self.conn, now, take).map_err(|e| self.error(e))
    }

    /// What happened to `who`, or to everybody: the last `limit` events, the newest last.
    /// Finds whatever shares an address with the prefix, wider and narrower.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self, who: Option<Prefix>, limit: usize) -> Result<Vec<Event>, StoreError> {
        read::history(&self.conn, who, limit).map_err(|e| self.error(e))
    }

    /// Writes a batch, whole or not at all.
    ///
    /// # Errors
    /// When the disk is full or refuses: nothing of the batch was written, and a later commit
    /// of the same batch (or of one merged with it) works once there is space again. After
    /// [`StoreError::Damaged`], open anew.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.transact(|writer| writer.batch(batch))
    }

    /// Lets go what is older than the options say, and notes the end of bans that ended while
    /// nobody ran. Takes a bounded number of rows; gives back how many, so that a caller with
    /// time on its hands can go on until nothing is left.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn purge(&mut self, now: Time) -> Result<usize, StoreError> {
        let over = self.over(now).map_err(|e| self.error(e))?;
        let options = self.options.clone();
        let mut gone = over.len();
        self.transact(|writer| {
            for (jail, prefix, until) in &over {
                if let (Ok(jail), Ok(prefix)) = (jail.parse(), prefix.parse()) {
                    writer.lift(jail, prefix, Time(*until), Lifted::Expired)?;
                }
            }
            for shelf in Shelf::ALL {
                let keep = match shelf {
                    Shelf::History | Shelf::Evidence => options.keep_history,
                    Shelf::Pasts => options.keep_pasts,
                    Shelf::Tracks => options.keep_tracks,
                    Shelf::Known => options.keep_known,
                };
                gone += writer.drop_before(shelf, now.minus(keep), PURGE)?;
            }
            Ok(())
        })?;
        Ok(gone)
    }

    /// The bans that ended by `now`, as they are written.
    fn over(&self, now: Time) -> rusqlite::Result<Vec<(String, String, i64)>> {
        let sql = "SELECT jail, prefix, until FROM bans WHERE until <= ?1 LIMIT ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(rusqlite::params![now.0, PURGE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.collect()
    }

    /// Runs `work` in one transaction. The tally changes only if that holds.
    fn transact(
        &mut self,
        work: impl FnOnce(&Writer<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let Self { conn, options, tally, path, .. } = self;
        let run = || {
            let tx = Transaction::new(conn, TransactionBehavior::Immediate)?;
            let writer = Writer::new(&tx, options, *tally);
            work(&writer)?;
            let after = writer.tally();
            tx.commit()?;
            Ok(after)
        };
        *tally = run().map_err(|e| StoreError::sqlite(path, e))?;
        Ok(())
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }
}

/// A connection to a sound file of the current layout, all that it remembers having been given to
/// `take`, and its rows. `None` where there is no such file, or it cannot be said.
fn read_beside(
    dir: &Path,
    now: Time,
    take: &mut dyn FnMut(Remembered),
) -> Result<Option<(PathBuf, Connection, Tally)>, StoreError> {
    let Some(path) = dir::file(dir, Owner::Us)? else { return Ok(None) };
    let mut conn = writable(&path)?;
    let layout = schema::known();
    if schema::glance(&conn, &path)? != Found::Layout(layout) {
        return Ok(None);
    }
    let look = || {
        let conn = schema::connect(&path, false).ok()?;
        let found = schema::look_over(&conn, &path, layout).ok()?;
        (found == Found::Layout(layout)).then(|| schema::tally(&conn).ok()).flatten()
    };
    let (read, tally) = thread::scope(|scope| {
        let looking = Builder::new().name("soundness".to_owned()).spawn_scoped(scope, look);
        let read = read::recall(&conn, now, take);
        (read, looking.ok().and_then(|thread| thread.join().ok()).flatten())
    });
    let (Ok(_), Some(tally)) = (read, tally) else { return Ok(None) };
    prepare(&mut conn, layout).map_err(|e| StoreError::sqlite(&path, e))?;
    Ok(Some((path, conn, tally)))
}

/// A connection to a sound file of the current layout, whatever it takes.
fn sound(dir: &Path) -> Result<(PathBuf, Connection, Opened), StoreError> {
    let mut opened = Opened::Existing;
    let path = match dir::file(dir, Owner::Us)? {
        Some(path) => path,
        None => dir::create(dir)?,
    };
    let mut conn = writable(&path)?;
    let mut found = schema::examine(&conn, &path)?;
    if let Found::Damaged(why) = found {
        drop(conn);
        opened = Opened::Replaced { moved_to: dir::move_aside(&path)?, why };
        dir::create(dir)?;
        conn = writable(&path)?;
        found = schema::examine(&conn, &path)?;
    }
    let layout = match found {
        Found::Layout(layout) => layout,
        Found::Blank => 0,
        Found::Damaged(why) => return Err(StoreError::Damaged { path, why }),
    };
    if layout == 0 && opened == Opened::Existing {
        opened = Opened::Fresh;
    }
    prepare(&mut conn, layout).map_err(|e| StoreError::sqlite(&path, e))?;
    Ok((path, conn, opened))
}

fn writable(path: &Path) -> Result<Connection, StoreError> {
    schema::connect(path, true).map_err(|e| StoreError::sqlite(path, e))
}

/// Sets what SQLite forgets between connections, and brings the layout up to date.
fn prepare(conn: &mut Connection, layout: i64) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -2048;
         PRAGMA temp_store = MEMORY;"
    ))?;
    schema::migrate(conn, layout)
}
