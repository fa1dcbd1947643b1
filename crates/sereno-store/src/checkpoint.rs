//! Brings the write-ahead log to the medium and carries it over into the file, on a thread of
//! its own: both wait for the disk, and the writer must not.
//!
//! - Every few seconds what is new in the log is synced. Commits go on beside that.
//! - When there is enough of it, or after a while, a passive checkpoint copies it. After a
//!   complete one the next commit begins the log anew, and SQLite has it wait for the log's
//!   header; that is why this is not done every few seconds.
//! - Only when commits come so thick that no checkpoint is ever complete, and the log has grown
//!   large, is it cut back under the write lock. If somebody is in the way, it is tried later.
//!
//! Source: <https://www.sqlite.org/c3ref/wal_checkpoint_v2.html>, <https://www.sqlite.org/wal.html>.

use crate::store::PAGE;
use crate::{Options, StoreError, dir, schema};
use rusqlite::{Connection, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The thread; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path, options: &Options) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let trouble = Arc::new(Mutex::new(None));
        let mut round = Round {
            path: path.to_owned(),
            conn: None,
            wal: dir::with_suffix(path, "-wal"),
            synced: 0,
            carried: Instant::now(),
            options: options.clone(),
            trouble: Arc::clone(&trouble),
        };
        let thread =
            Builder::new().name("checkpoints".to_owned()).spawn(move || round.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread), trouble })
    }

    /// What the last checkpoint failed with, if it did.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends without a result; a panic there has nothing for us to save.
            let _ = thread.join();
        }
    }
}

struct Round {
    path: PathBuf,
    wal: PathBuf,
    conn: Option<Connection>,
    options: Options,
    /// Frames of the log that are on the medium.
    synced: i64,
    /// When the last checkpoint was.
    carried: Instant,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Round {
    fn run(&mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(self.options.sync_every) == Err(RecvTimeoutError::Timeout) {
            let trouble = self.round().err().map(|e| e.to_string());
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        }
    }

    fn round(&mut self) -> Result<(), StoreError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(&self.path).map_err(|e| StoreError::sqlite(&self.path, e))?,
        };
        let result = self.carry(&conn);
        self.conn = Some(conn);
        if result.map_err(|e| StoreError::sqlite(&self.path, e))? {
            // SQLite's locks are on its other two files; closing this one releases none.
            File::open(&self.wal)
                .and_then(|wal| wal.sync_data())
                .map_err(|e| StoreError::io("bring to the disk", &self.wal, e))?;
        }
        Ok(())
    }

    /// Carries the log over if it is time; says whether the log has to be synced instead.
    fn carry(&mut self, conn: &Connection) -> Result<bool> {
        let large = i64::try_from(self.options.wal_large / PAGE).unwrap_or(i64::MAX);
        let log = checkpoint(conn, "NOOP")?;
        let waiting = log.frames - log.carried;
        let due = self.carried.elapsed() >= self.options.checkpoint_every;
        if waiting > large / 4 || due && waiting > 0 {
            let log = checkpoint(conn, "PASSIVE")?;
            if log.frames > large && log.carried < log.frames {
                checkpoint(conn, "TRUNCATE")?;
            }
            self.carried = Instant::now();
            self.synced = log.carried;
            return Ok(false);
        }
        let new = waiting > 0 && log.frames != self.synced;
        self.synced = log.frames;
        Ok(new)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let conn = schema::connect(path, true)?;
    conn.busy_timeout(Duration::ZERO)?;
    conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64;")?;
    Ok(conn)
}

/// The write-ahead log: frames in it, and how many of them are in the file too.
struct Log {
    frames: i64,
    carried: i64,
}

fn checkpoint(conn: &Connection, mode: &str) -> Result<Log> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(Log { frames: row.get(1)?, carried: row.get(2)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_at_the_log_carries_nothing() {
        let dir = std::env::temp_dir().join(format!("sereno-store-log-{}", std::process::id()));
        let mut store = crate::Store::open(&dir).unwrap();
        let mut batch = crate::Batch::default();
        batch.checkpoints.insert("a".to_owned(), Some("b".to_owned()));
        store.commit(&batch).unwrap();
        let conn = connect(&std::fs::canonicalize(&dir).unwrap().join("ledger.sqlite3")).unwrap();
        let before = checkpoint(&conn, "NOOP").unwrap();
        assert!(before.frames > 0 && before.carried == 0, "{} {}", before.frames, before.carried);
        assert_eq!(checkpoint(&conn, "NOOP").unwrap().carried, 0);
        let after = checkpoint(&conn, "PASSIVE").unwrap();
        assert_eq!((after.frames, after.carried), (before.frames, before.frames));
        drop((store, conn));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
