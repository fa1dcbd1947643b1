//! What is known about paths and files, and the options that rule it.

use crate::sink::FileId;
use crate::tail::{Start, Tail};
use sereno_core::time::Time;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// First and longest pause before something that failed is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How files are followed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to begin in files that exist at the first wake and have no checkpoint. Files
    /// that appear later are read from their beginning.
    pub start: Start,
    /// Longest line in bytes, without its newline.
    pub line_cap: usize,
    /// Bytes of one read; raised when too small for the cap.
    pub buffer: usize,
    /// Bytes read in one `Follow::wake`, about: who has more waits while what follows from
    /// these is done.
    pub budget: usize,
    /// Most files for one pattern.
    pub files_per_pattern: usize,
    /// A rotated file that has a successor is closed when nothing was written to it for so
    /// long: loggers write to the old file until they reopen.
    pub grace: Duration,
    /// The same while there is no successor: somebody removed the log of a running program.
    pub orphan_grace: Duration,
    /// Most fully read rotated files kept open for one path.
    pub rotated_kept: usize,
    /// How often everything is looked at, whatever events say: network file systems have none.
    pub rescan_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: Start::End,
            line_cap: 8 * 1024,
            buffer: 128 * 1024,
            budget: 128 * 1024,
            files_per_pattern: 256,
            grace: Duration::from_secs(60),
            orphan_grace: Duration::from_secs(3600),
            rotated_kept: 4,
            rescan_every: Duration::from_secs(10),
        }
    }
}

/// How one file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub file: FileId,
    /// The path it is (or was, when rotated) followed under.
    pub path: PathBuf,
    /// Patterns it belongs to.
    pub patterns: Vec<u32>,
    /// Size in bytes; the lag is the difference to `offset`.
    pub size: u64,
    /// Bytes delivered.
    pub offset: u64,
    /// When lines were last delivered.
    pub last_read: Option<Time>,
    /// It has lost its name and is read to its end.
    pub rotated: bool,
}

/// A path that is followed, whether or not there is a file.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) patterns: BTreeSet<u32>,
    /// Named by a pattern without wildcards: waited for when it is missing.
    pub(crate) literal: bool,
    pub(crate) live: Option<FileId>,
    /// See [`Checkpoint::seen`]; 0 while nothing was read.
    pub(crate) seen: i64,
    /// Known since the first wake and not successfully looked at yet: what is there now may
    /// be older than this process.
    pub(crate) early: bool,
    pub(crate) homes: Vec<PathBuf>,
    pub(crate) wait: Duration,
    /// The trouble last told about.
    pub(crate) told: Option<String>,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) tail: Tail,
    /// The slot it belongs to, or belonged to before it was rotated away.
    pub(crate) home: PathBuf,
    /// The slots whose live file it is; none: it is being left.
    pub(crate) names: BTreeSet<PathBuf>,
    pub(crate) wd: Option<i32>,
    pub(crate) queued: bool,
    /// Older generations that are to be read to their end first.
    pub(crate) after: Vec<FileId>,
    /// The end was reached since it lost its name.
    pub(crate) drained: bool,
    /// When it lost its name or was last read from after that.
    pub(crate) quiet_since: Time,
    pub(crate) last_read: Option<Time>,
    pub(crate) wait: Duration,
}

/// Something to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Retry {
    Path(PathBuf),
    File(FileId),
}

/// The next pause of a doubling series.
pub(crate) fn longer(wait: Duration) -> Duration {
    (wait * 2).clamp(RETRY.0, RETRY.1)
}
