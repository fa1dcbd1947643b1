//! Where log lines come from: followed files, the systemd journal, standard input.
//!
//! Nothing here blocks, starts a thread or knows an async runtime. Every source has a file
//! descriptor to poll and a `wake` that takes what is there, a bounded amount at a time, and
//! hands it to a [`Sink`] as [`Block`]s of whole lines.
//!
//! - [`Follow`] reads files through rotation, truncation, deletion and restarts. In `follow`
//!   is the reading, in `rotate` the question which file a path means now, in `siblings` where
//!   older generations are found, in `place` how a position is recognised again.
//! - [`Journal`] reads the systemd journal through a `journalctl` child process.
//! - [`Stdin`] reads standard input or any pipe.

mod entry;
mod follow;
mod journal;
mod leave;
mod lines;
mod pattern;
mod place;
mod plan;
mod rotate;
mod siblings;
mod sink;
mod state;
mod stdin;
mod tail;
mod watch;

pub use entry::{JournalEntry, Trusted};
pub use follow::Follow;
pub use journal::{Journal, JournalOptions, JournalSink};
pub use pattern::Pattern;
pub use place::{Checkpoint, Place};
pub use sink::{Block, FileId, Notice, Sink};
pub use state::{Options, Status};
pub use stdin::Stdin;
pub use tail::Start;
