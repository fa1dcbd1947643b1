//! Random histories of one log, and of whoever rotates it, against a model of what was
//! written: every line that can be had is delivered once and in order.
//!
//! A line is `<generation> <number> <padding>`; a generation is what one file holds between
//! two emptyings. A restart goes back to the last saved checkpoints; what was delivered after
//! them is expected again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod common;

use common::{Dir, Seen};
use proptest::prelude::*;
use sereno_core::time::Time;
use sereno_tail::{Checkpoint, Follow, Options, Pattern, Start};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

const GRACE: u64 = 1000;

#[derive(Clone, Debug)]
enum Op {
    Write {
        lines: usize,
        pad: usize,
    },
    /// Half a line; the next write through the same handle completes it.
    Half,
    /// Rename away; whether a new file is made at once, and whether the writer keeps the old.
    Rename {
        create: bool,
        hold: bool,
    },
    Reopen,
    CopyTruncate,
    DeleteRecreate,
    Truncate,
    /// The oldest rotated file is replaced by a compressed one.
    Compress,
    Wake,
    WakeAll,
    /// Longer than the grace.
    Sleep,
    Save,
    Stop,
    Rescan,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1usize..30, 0usize..100).prop_map(|(lines, pad)| Op::Write { lines, pad }),
        3 => Just(Op::Half),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(create, hold)| Op::Rename { create, hold }),
        2 => Just(Op::Reopen),
        2 => Just(Op::CopyTruncate),
        1 => Just(Op::DeleteRecreate),
        1 => Just(Op::Truncate),
        1 => Just(Op::Compress),
        6 => Just(Op::Wake),
        3 => Just(Op::WakeAll),
        1 => Just(Op::Sleep),
        3 => Just(Op::Save),
        2 => Just(Op::Stop),
        1 => Just(Op::Rescan),
    ]
}

struct World {
    dir: Dir,
    follow: Option<Follow>,
    seen: Seen,
    now: Time,
    saved: (Vec<Checkpoint>, usize),
    writer: File,
    /// The writer still has a file that was renamed.
    holding: bool,
    /// Generation of the writer's file, and of every rotated name.
    generation: usize,
    rotated: Vec<usize>,
    next_generation: usize,
    half: Option<String>,
    number: usize,
    written: BTreeMap<usize, Vec<String>>,
    /// Lines that are nowhere on disk any more.
    gone: BTreeSet<String>,
    /// Lines that need not be delivered.
    excused: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let dir = Dir::new();
        let writer = dir.append("log", "");
        let mut world = Self {
            dir,
            follow: None,
            seen: Seen::default(),
            now: Time::from_secs(1_000_000),
            saved: (Vec::new(), 0),
            writer,
            holding: false,
            generation: 0,
            rotated: Vec::new(),
            next_generation: 1,
            half: None,
            number: 0,
            written: BTreeMap::new(),
            gone: BTreeSet::new(),
            excused: BTreeSet::new(),
        };
        world.wake();
        world.save();
        world
    }

    fn log(&self) -> PathBuf {
        self.dir.path("log")
    }

    fn wake(&mut self) -> bool {
        let follow = self.follow.get_or_insert_with(|| {
            let path = self.dir.path("log").to_str().unwrap().to_owned();
            let opts = Options {
                start: Start::Beginning,
                line_cap: 150,
                buffer: 0,
                budget: 1000,
                grace: Duration::from_secs(GRACE),
                orphan_grace: Duration::from_secs(GRACE),
                ..Options::default()
            };
            Follow::open(&[Pattern { id: 7, path }], &self.saved.0, opts).unwrap()
        });
        self.now = self.now.plus(Duration::from_secs(1));
        follow.wake(self.now, &mut self.seen)
    }

    fn wake_all(&mut self) {
        let mut turns = 0;
        while self.wake() {
            turns += 1;
            assert!(turns < 10_000, "never ends");
        }
    }

    fn save(&mut self) {
        if let Some(follow) = &self.follow {
            let points = follow.checkpoints();
            let json = serde_json::to_string(&points).unwrap();
            self.saved = (serde_json::from_str(&json).unwrap(), self.seen.lines.len());
        }
    }

    /// Without a warning, back to what was saved.
    fn stop(&mut self) {
        self.follow = None;
        self.seen.lines.truncate(self.saved.1);
        let have: BTreeSet<&String> = self.seen.lines.iter().collect();
        self.excused.extend(self.gone.iter().filter(|line| !have.contains(line)).cloned());
    }

    fn line(&mut self, pad: usize) -> String {
        self.number += 1;
        format!("{} {} {}", self.generation, self.number, "x".repeat(pad))
    }

    fn write(&mut self, lines: usize, pad: usize) {
        for _ in 0..lines {
            let line = self.half.take().unwrap_or_default() + &self.line(pad);
            // A completed half has the padding of both, and more than the cap sometimes.
            writeln!(self.writer, "{line}").unwrap_or_default();
            let line = line[..line.len().min(150)].to_owned();
            self.written.entry(self.generation).or_default().push(line);
        }
    }

    /// `write` gives the file `half + line`; so the half must be in the file only once.
    fn finish_half(&mut self) {
        if let Some(half) = self.half.take() {
            self.writer.write_all(b"|\n").unwrap();
            self.written.entry(self.generation).or_default().push(half + "|");
        }
    }

    fn start_half(&mut self) {
        self.finish_half();
        let half = self.line(20);
        self.writer.write_all(half.as_bytes()).unwrap();
        self.half = Some(half);
    }

    /// File times tick; a real rotation never happens twice in a tick.
    fn tick() {
        std::thread::sleep(Duration::from_millis(11));
    }

    fn shift(&mut self) {
        Self::tick();
        for n in (1..=self.rotated.len()).rev() {
            let from = self.dir.path(&format!("log.{n}"));
            fs::rename(from, self.dir.path(&format!("log.{}", n + 1))).unwrap();
        }
        self.rotated.insert(0, self.generation);
    }

    fn rename(&mut self, create: bool, hold: bool) {
        self.reopen();
        self.shift();
        fs::rename(self.log(), self.dir.path("log.1")).unwrap();
        self.holding = true;
        if create {
            File::create(self.log()).unwrap();
        }
        if !hold {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        if !std::mem::take(&mut self.holding) {
            return;
        }
        // What was begun in the old file stays unfinished there.
        if let Some(half) = self.half.take() {
            self.written.entry(self.generation).or_default().push(half);
        }
        Self::tick();
        self.writer = self.dir.append("log", "");
        self.begin_generation();
    }

    fn begin_generation(&mut self) {
        self.generation = self.next_generation;
        self.next_generation += 1;
    }

    /// The bytes of a generation are destroyed: what a reader without an open file, or any
    /// reader (`emptied`), has not read cannot be had.
    fn destroy(&mut self, generation: usize, emptied: bool) {
        let lines = self.written.get(&generation).cloned().unwrap_or_default();
        if emptied || self.follow.is_none() {
            let have: BTreeSet<&String> = self.seen.lines.iter().collect();
            self.excused.extend(lines.iter().filter(|line| !have.contains(line)).cloned());
        }
        self.gone.extend(lines);
    }

    fn copy_truncate(&mut self) {
        self.reopen();
        self.finish_half();
        // A file of which nothing was read yet can be emptied without anyone noticing.
        let unread = |f: &Follow| f.status().iter().any(|s| !s.rotated && s.offset == 0);
        if self.follow.as_ref().is_some_and(unread) {
            self.wake_all();
        }
        self.shift();
        fs::copy(self.log(), self.dir.path("log.1")).unwrap();
        self.writer.set_len(0).unwrap();
        Self::tick();
        self.begin_generation();
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { lines, pad } => {
                self.finish_half();
                self.write(*lines, *pad);
            }
            Op::Half => self.start_half(),
            Op::Rename { create, hold } => self.rename(*create, *hold),
            Op::Reopen => self.reopen(),
            Op::CopyTruncate => self.copy_truncate(),
            Op::DeleteRecreate => {
                self.reopen();
                self.finish_half();
                if self.follow.is_some() {
                    self.wake();
                }
                self.destroy(self.generation, false);
                fs::remove_file(self.log()).unwrap();
                Self::tick();
                self.writer = self.dir.append("log", "");
                self.begin_generation();
            }
            Op::Truncate => {
                self.reopen();
                self.finish_half();
                self.destroy(self.generation, true);
                Self::tick();
                self.writer.set_len(0).unwrap();
                self.begin_generation();
            }
            Op::Compress => self.compress(),
            Op::Wake => drop(self.wake()),
            Op::WakeAll => self.wake_all(),
            Op::Sleep => self.sleep(),
            Op::Save => self.save(),
            Op::Stop => self.stop(),
            Op::Rescan => self.follow.iter_mut().for_each(Follow::rescan),
        }
    }

    fn compress(&mut self) {
        if self.rotated.is_empty() {
            return;
        }
        self.reopen();
        if self.follow.is_some() {
            self.wake();
        }
        let path = self.dir.path(&format!("log.{}", self.rotated.len()));
        let generation = self.rotated.pop().unwrap();
        self.destroy(generation, false);
        let packed = path.with_extension(format!("{}.gz", self.rotated.len() + 1));
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(packed)
            .unwrap()
            .write_all(b"\x1f\x8b")
            .unwrap();
        fs::remove_file(path).unwrap();
    }

    fn sleep(&mut self) {
        self.reopen();
        if self.follow.is_some() {
            self.wake_all();
            self.now = self.now.plus(Duration::from_secs(GRACE));
            self.wake_all();
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let mut got: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for line in &self.seen.lines {
            let generation = line.split(' ').next().and_then(|n| n.parse().ok());
            prop_assert!(generation.is_some(), "{line:?}");
            got.entry(generation.unwrap_or_default()).or_default().push(line);
        }
        for (generation, written) in &self.written {
            let got = got.remove(generation).unwrap_or_default();
            let had: BTreeSet<&String> = got.iter().copied().collect();
            let want: Vec<&String> = written
                .iter()
                .filter(|line| had.contains(line) || !self.excused.contains(*line))
                .collect();
            prop_assert_eq!(got, want, "generation {}", generation);
        }
        prop_assert!(got.is_empty(), "never written: {got:?}");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(128),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn every_line_once_and_in_order(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in &ops {
            world.apply(op);
        }
        world.finish_half();
        world.sleep();
        world.wake_all();
        world.now = world.now.plus(Duration::from_secs(2 * GRACE));
        world.wake_all();
        let notices: Vec<String> = world.seen.notices.iter().map(|n| format!("{n:?}")).collect();
        world.check().map_err(|e| TestCaseError::fail(format!("{e}\n{}", notices.join("\n"))))?;
    }
}
