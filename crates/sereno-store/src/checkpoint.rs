//! Carries the write-ahead log over into the file, on a thread of its own.
//!
//! A checkpoint waits for the disk, and the writer must not. Passive checkpoints run beside
//! commits; only when the log has grown large is it cut back, which takes the write lock for
//! as long as the few frames take that came in since the passive one. A checkpoint that finds
//! somebody in its way gives up at once and comes again.
//! Source: <https://www.sqlite.org/c3ref/wal_checkpoint_v2.html>.

use crate::store::PAGE;
use crate::{Options, schema};
use rusqlite::{Connection, Result};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use std::{io, mem};

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
            every: options.checkpoint_every,
            large: i64::try_from(options.wal_large / PAGE).unwrap_or(i64::MAX),
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
    conn: Option<Connection>,
    every: Duration,
    large: i64,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Round {
    fn run(&mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(self.every) == Err(RecvTimeoutError::Timeout) {
            let trouble = self.checkpoint().err().map(|e| e.to_string());
            let mut shared = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = mem::replace(&mut *shared, trouble);
        }
    }

    fn checkpoint(&mut self) -> Result<()> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                let conn = schema::connect(&self.path, true)?;
                conn.busy_timeout(Duration::ZERO)?;
                conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64;")?;
                conn
            }
        };
        let frames: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if frames > self.large {
            // Once more for what came meanwhile, so that the lock is held for little.
            let _: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
            let _: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        }
        self.conn = Some(conn);
        Ok(())
    }
}
