//! A directory that removes itself, and a sink that remembers.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use sereno_core::time::Time;
use sereno_tail::{Block, Checkpoint, FileId, Follow, Notice, Options, Pattern, Sink, Start};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tail-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn append(&self, name: &str, text: &str) -> File {
        append(&self.path(name), text)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn append(path: &Path, text: &str) -> File {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Remembers lines and notices, and checks what every block must be.
#[derive(Default)]
pub struct Seen {
    pub lines: Vec<String>,
    pub notices: Vec<Notice>,
    ends: BTreeMap<FileId, u64>,
}

impl Sink for Seen {
    fn block(&mut self, file: FileId, block: Block<'_>) {
        assert_eq!(block.bytes.last(), Some(&b'\n'));
        let end = self.ends.insert(file, block.offset + block.bytes.len() as u64);
        if block.continues_previous {
            assert_eq!(end, Some(block.offset));
        }
        let text = String::from_utf8_lossy(&block.bytes[..block.bytes.len() - 1]).into_owned();
        self.lines.extend(text.split('\n').map(str::to_owned));
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}

impl Seen {
    /// The lines since the last call.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub fn has(&self, test: impl Fn(&Notice) -> bool) -> bool {
        self.notices.iter().any(test)
    }
}

/// A follower with a clock of its own.
pub struct Rig {
    pub follow: Follow,
    pub now: Time,
    pub seen: Seen,
}

pub fn options() -> Options {
    Options { start: Start::Beginning, ..Options::default() }
}

impl Rig {
    pub fn new(paths: &[PathBuf], opts: Options) -> Self {
        Self::resume(paths, &[], opts)
    }

    pub fn resume(paths: &[PathBuf], points: &[Checkpoint], opts: Options) -> Self {
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let patterns: Vec<Pattern> =
            (0..).zip(paths).map(|(id, path)| Pattern { id, path: text(path) }).collect();
        let follow = Follow::open(&patterns, points, opts).unwrap();
        let mut rig = Self { follow, now: Time::from_secs(1000), seen: Seen::default() };
        rig.run();
        rig
    }

    /// Wakes until there is nothing more to read.
    pub fn run(&mut self) -> Vec<String> {
        let mut turns = 0;
        while self.follow.wake(self.now, &mut self.seen) {
            turns += 1;
            assert!(turns < 100_000, "never ends");
        }
        self.seen.take()
    }

    pub fn pass(&mut self, secs: u64) -> Vec<String> {
        self.now = self.now.plus(std::time::Duration::from_secs(secs));
        self.run()
    }
}
