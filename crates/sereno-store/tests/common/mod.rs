//! A directory of its own per test, and things to put into a ledger.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

pub(crate) mod real;

use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::jail::{Because, Known, Track};
use sereno_core::ledger::{Ban, Captures, Evidence, Past};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Reader, Remembered, Store, StoreError};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes when the test does.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "sereno-store-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("ledger.sqlite3")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) const NOW: Time = Time(1_790_000_000_000_000);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// The `n`th stranger; scattered, as attackers are.
pub(crate) fn stranger(n: u32) -> Prefix {
    Prefix::host(Ipv4Addr::from_bits(n.wrapping_mul(2_654_435_761)).into())
}

pub(crate) fn ban(prefix: Prefix) -> Ban {
    let line = |i| {
        format!(
            "Mar  4 12:00:0{i} pbx sshd[4242]: Failed password for root from {prefix} port 51234 ssh2"
        )
    };
    Ban {
        jail: name("sshd"),
        scope: name("all"),
        prefix,
        offender: None,
        since: NOW,
        until: Some(Time(NOW.0 + 18_000_000_000)),
        count: 4,
        because: Because::Failures,
        before: 0,
        evidence: (0..3).map(line).collect(),
        captures: Captures::default(),
    }
}

pub(crate) fn bans(range: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::default();
    batch.events = range.map(|n| Event::Ban(ban(stranger(n)))).collect();
    batch
}

/// A track with one failure at `at`; only core makes them, so from its written form.
pub(crate) fn track(at: Time, line: &str) -> Track {
    let marks = serde_json::json!([[at.0, 1, u64::MAX]]);
    let body =
        serde_json::json!({"marks": marks, "accounts": [[7, at.0]], "evidence": [(at, line)]});
    serde_json::from_value(body).unwrap()
}

pub(crate) fn known(at: Time) -> Known {
    serde_json::from_value(serde_json::json!({"accounts": [[u64::MAX, at.0]]})).unwrap()
}

/// What a restart begins with, all at once.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) bans: Vec<Ban>,
    pub(crate) pasts: Vec<(Name, Prefix, Past)>,
    pub(crate) tracks: Vec<(Name, Prefix, Track)>,
    pub(crate) known: Vec<(Name, IpAddr, Known)>,
    pub(crate) checkpoints: Vec<(String, String)>,
    pub(crate) unreadable: u64,
}

impl Memory {
    pub(crate) fn take(&mut self, piece: Remembered) {
        match piece {
            Remembered::Ban(ban) => self.bans.push(ban),
            Remembered::Past(jail, prefix, past) => self.pasts.push((jail, prefix, past)),
            Remembered::Track(jail, prefix, track) => self.tracks.push((jail, prefix, track)),
            Remembered::Known(jail, addr, known) => self.known.push((jail, addr, known)),
            Remembered::Place(key, value) => self.checkpoints.push((key, value)),
        }
    }
}

/// [`Store::recall`] for those who want to look at all of it.
pub(crate) trait Load {
    fn load(&self, now: Time) -> Result<Memory, StoreError>;
}

impl Load for Store {
    fn load(&self, now: Time) -> Result<Memory, StoreError> {
        let mut memory = Memory::default();
        let unreadable = self.recall(now, &mut |piece| memory.take(piece))?;
        Ok(Memory { unreadable, ..memory })
    }
}

impl Load for Reader {
    fn load(&self, now: Time) -> Result<Memory, StoreError> {
        let mut memory = Memory::default();
        let unreadable = self.recall(now, &mut |piece| memory.take(piece))?;
        Ok(Memory { unreadable, ..memory })
    }
}

/// A ban as it comes back: its evidence stays in the history.
pub(crate) fn bare(ban: &Ban) -> Ban {
    Ban { evidence: Evidence::default(), ..ban.clone() }
}
