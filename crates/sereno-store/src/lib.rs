//! The ledger on disk: bans and what came of them, what the jails remember, where reading
//! stands. One SQLite file; every [`Batch`] is in it whole or not at all.
//!
//! [`Store::open`] gives the one process that writes its [`Store`]; anybody who may read the
//! file gets a [`Reader`], with or without a writer beside it. A commit is in the operating
//! system's hands when it returns (a killed process loses nothing) and on the medium a
//! few seconds later (a power cut loses those seconds, never more).
//!
//! Nothing here grows without end: [`Options`] says how much is kept of each kind, and the
//! oldest leaves first. Bans in force are the exception, they stay until lifted.
#![forbid(unsafe_code)]

mod batch;
mod checkpoint;
mod dir;
mod error;
pub mod fail2ban;
mod place;
mod read;
mod schema;
mod store;
mod write;

pub use batch::{Batch, Event};
pub use error::StoreError;
pub use read::{Reader, Remembered};
pub use store::{Opened, Store};

use std::time::Duration;

/// How much is kept, and for how long. Numbers of rows, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bans, lifts and notices of the past.
    pub history: u64,
    /// Lines of evidence outside of bans. Counted apart from `history`, so that no amount of
    /// noise pushes the bans out.
    pub evidence: u64,
    /// Lines of evidence per prefix.
    pub evidence_each: u32,
    /// Bytes of one line of evidence or of one notice; the rest is cut off.
    pub line: usize,
    /// Pasts (how often a jail banned somebody before).
    pub pasts: u64,
    /// Memories of strangers.
    pub tracks: u64,
    /// Memories of addresses that logged in well.
    pub known: u64,
    /// Bytes of the file in use. Beyond, history and evidence shrink, whatever their rows.
    pub bytes: u64,
    /// How long [`Store::purge`] keeps history and evidence.
    pub keep_history: Duration,
    /// How long it keeps pasts, since the last ban began.
    pub keep_pasts: Duration,
    /// How long it keeps memories of strangers, since their last failure.
    pub keep_tracks: Duration,
    /// How long it keeps memories of good addresses, since their last login.
    pub keep_known: Duration,
    /// How often the write-ahead log is brought to the medium: what a power cut can cost.
    pub sync_every: Duration,
    /// How often the write-ahead log is carried over into the file, if it is small.
    pub checkpoint_every: Duration,
    /// Bytes of the write-ahead log beyond which it is cut back; it is carried over when a
    /// quarter of that is reached.
    pub wal_large: u64,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            history: 100_000,
            evidence: 100_000,
            evidence_each: 20,
            line: 1024,
            pasts: 200_000,
            tracks: 131_072,
            known: 65_536,
            bytes: 256 << 20,
            keep_history: DAY * 90,
            keep_pasts: DAY * 90,
            keep_tracks: DAY * 2,
            keep_known: DAY * 30,
            sync_every: Duration::from_secs(3),
            checkpoint_every: Duration::from_secs(60),
            wal_large: 16 << 20,
        }
    }
}
