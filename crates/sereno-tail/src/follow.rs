//! Following a set of files: the public face, and the reading in turns.

use crate::pattern::{Glob, Pattern};
use crate::place::{Checkpoint, FINGER, Key, modified};
use crate::sink::{FileId, Notice, Sink};
use crate::state::{Open, Options, Retry, Slot, Status, longer};
use crate::tail::Got;
use crate::watch::{Event, Watch};
use sereno_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a read costs at least, in bytes of the budget: a flood of tiny reads ends too.
const READ_COST: usize = 1024;

/// Follows files. Single-threaded and non-blocking: poll [`Follow::as_fd`] for reading,
/// call [`Follow::wake`] when it is readable, when [`Follow::next_wake`] has come, and again
/// as long as it returns true.
#[derive(Debug)]
pub struct Follow {
    pub(crate) opts: Options,
    pub(crate) globs: Vec<Glob>,
    pub(crate) watch: Watch,
    pub(crate) slots: BTreeMap<PathBuf, Slot>,
    pub(crate) files: BTreeMap<FileId, Open>,
    pub(crate) by_key: BTreeMap<Key, FileId>,
    pub(crate) ready: VecDeque<FileId>,
    /// Files without a name.
    pub(crate) leaving: BTreeSet<FileId>,
    /// Files that have cut lines to report.
    cutting: BTreeSet<FileId>,
    pub(crate) retries: BTreeSet<(Time, Retry)>,
    pub(crate) last_id: u64,
    pub(crate) buf: Vec<u8>,
    /// Checkpoints not taken up yet.
    pub(crate) left: Vec<Checkpoint>,
    pub(crate) planned: bool,
    pub(crate) replan: bool,
    pub(crate) rewatch: bool,
    pub(crate) dirty: BTreeSet<PathBuf>,
    /// Directories the patterns look into.
    pub(crate) dirs: BTreeSet<PathBuf>,
    pub(crate) told_many: BTreeSet<u32>,
    pub(crate) told_unwatched: BTreeSet<PathBuf>,
    rescan_at: Time,
}

impl Follow {
    /// Prepares to follow `patterns`, going on from `checkpoints`. Files are opened by the
    /// first [`Follow::wake`].
    ///
    /// # Errors
    /// A pattern that cannot be followed (kind `InvalidInput`, naming it), or no inotify
    /// instance to be had. Missing or unreadable files are no errors but notices.
    pub fn open(
        patterns: &[Pattern],
        checkpoints: &[Checkpoint],
        mut opts: Options,
    ) -> io::Result<Self> {
        opts.buffer = opts.buffer.max(FINGER + 2 * (opts.line_cap + 1));
        Ok(Self {
            globs: patterns.iter().map(Glob::parse).collect::<io::Result<_>>()?,
            watch: Watch::new()?,
            slots: BTreeMap::new(),
            files: BTreeMap::new(),
            by_key: BTreeMap::new(),
            ready: VecDeque::new(),
            leaving: BTreeSet::new(),
            cutting: BTreeSet::new(),
            retries: BTreeSet::new(),
            last_id: FileId::STDIN.0,
            buf: vec![0; opts.buffer],
            left: checkpoints.to_vec(),
            planned: false,
            replan: true,
            rewatch: false,
            dirty: BTreeSet::new(),
            dirs: BTreeSet::new(),
            told_many: BTreeSet::new(),
            told_unwatched: BTreeSet::new(),
            rescan_at: Time::MIN,
            opts,
        })
    }

    /// The descriptor that becomes readable when something changed (inotify).
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// Does what there is to do, reading about [`Options::budget`] bytes in turns over the
    /// files that have something. Returns whether there is more to read now.
    pub fn wake(&mut self, now: Time, sink: &mut dyn Sink) -> bool {
        self.take_events(sink);
        if now >= self.rescan_at {
            self.rescan_at = now.plus(self.opts.rescan_every);
            self.look_everywhere();
        }
        self.take_retries(now);
        self.settle(now, sink);
        self.read_in_turns(now, sink);
        self.close_quiet(now, sink);
        self.report_cuts(now, sink);
        !self.ready.is_empty()
    }

    /// Makes the next wake look at everything, as after an overflow of the event queue.
    pub fn rescan(&mut self) {
        self.rescan_at = Time::MIN;
    }

    /// When to wake at the latest, and why.
    #[must_use]
    pub fn next_wake(&self) -> (Time, &'static str) {
        if !self.ready.is_empty() {
            return (Time::MIN, "more to read");
        }
        let retry = self.retries.first().map(|(at, _)| (*at, "try a file again"));
        let close = self.leaving.iter().filter_map(|id| self.close_at(*id));
        let close = close.min().map(|at| (at, "leave a rotated file"));
        let cuts = self.cutting.iter().filter_map(|id| self.files.get(id)?.tail.lines.report_at());
        let cuts = cuts.min().map(|at| (at, "report cut lines"));
        let rescan = (self.rescan_at, "look at all files");
        [retry, close, cuts]
            .into_iter()
            .flatten()
            .fold(rescan, |a, b| if b.0 < a.0 { b } else { a })
    }

    /// Where reading stands after the last delivered block, for all files: what to give to
    /// [`Follow::open`] at the next start, in this order.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let mut out = self.left.clone();
        let by_age = |rotated: bool| {
            self.files.values().filter(move |open| open.names.is_empty() == rotated)
        };
        for open in by_age(true).chain(by_age(false)) {
            out.push(Checkpoint {
                path: open.home.to_string_lossy().into_owned(),
                dev: open.tail.key.dev,
                ino: open.tail.key.ino,
                seen: self.slots.get(&open.home).map_or(0, |slot| slot.seen),
                place: open.tail.place(),
            });
        }
        let empty = |slot: &Slot| slot.literal && !slot.early && slot.live.is_none();
        for (path, slot) in self.slots.iter().filter(|(_, slot)| empty(slot)) {
            let path = path.to_string_lossy().into_owned();
            let place = crate::place::Place::default();
            out.push(Checkpoint { path, dev: 0, ino: 0, seen: slot.seen, place });
        }
        out
    }

    /// How every open file stands.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        let status = |(id, open): (&FileId, &Open)| Status {
            file: *id,
            path: open.home.clone(),
            patterns: self.patterns_of(open),
            size: open.tail.file().metadata().map_or(0, |meta| meta.len()),
            offset: open.tail.offset,
            last_read: open.last_read,
            rotated: open.names.is_empty(),
        };
        self.files.iter().map(status).collect()
    }

    /// Every pattern (its id and text) with the files it has now.
    #[must_use]
    pub fn patterns(&self) -> Vec<(u32, &str, Vec<FileId>)> {
        let of = |id: u32| {
            let has = |open: &Open| self.patterns_of(open).contains(&id);
            self.files.iter().filter(|(_, open)| has(open)).map(|(id, _)| *id).collect()
        };
        self.globs.iter().map(|glob| (glob.id, glob.text.as_str(), of(glob.id))).collect()
    }

    pub(crate) fn patterns_of(&self, open: &Open) -> Vec<u32> {
        let paths = open.names.iter().chain([&open.home]);
        let ids = paths.filter_map(|path| self.slots.get(path)).flat_map(|slot| &slot.patterns);
        ids.copied().collect::<BTreeSet<u32>>().into_iter().collect()
    }

    fn take_events(&mut self, sink: &mut dyn Sink) {
        let mut events = Vec::new();
        let done = self.watch.drain(|event| {
            // One writer's many writes are one event here too.
            if events.last() != Some(&event) {
                events.push(event);
            }
        });
        for event in events {
            match event {
                Event::Written(id) => self.enqueue(id),
                Event::Moved(id) => {
                    let names = self.files.get(&id).map(|open| open.names.clone());
                    self.dirty.extend(names.into_iter().flatten());
                    self.enqueue(id);
                }
                Event::Entry(path) => self.take_entry(&path),
                Event::DirGone => self.replan = true,
                Event::Overflow => {
                    sink.notice(Notice::Overflow);
                    self.rescan();
                }
            }
        }
        if done.is_err() {
            self.rescan();
        }
    }

    fn take_entry(&mut self, path: &Path) {
        let homes = |slot: &Slot| slot.homes.iter().any(|home| home.starts_with(path));
        let slots = self.slots.iter().filter(|(own, slot)| own.starts_with(path) || homes(slot));
        self.dirty.extend(slots.map(|(own, _)| own.clone()));
        if !self.slots.contains_key(path) && self.globs.iter().any(|glob| glob.touches(path)) {
            self.replan = true;
        }
    }

    fn look_everywhere(&mut self) {
        self.replan = true;
        self.rewatch = true;
        self.dirty.extend(self.slots.keys().cloned());
        let all: Vec<FileId> = self.files.keys().copied().collect();
        all.into_iter().for_each(|id| self.enqueue(id));
    }

    fn take_retries(&mut self, now: Time) {
        while self.retries.first().is_some_and(|(at, _)| *at <= now) {
            match self.retries.pop_first() {
                Some((_, Retry::Path(path))) => drop(self.dirty.insert(path)),
                Some((_, Retry::File(id))) => self.enqueue(id),
                None => {}
            }
        }
    }

    pub(crate) fn enqueue(&mut self, id: FileId) {
        if let Some(open) = self.files.get_mut(&id).filter(|open| !open.queued) {
            open.queued = true;
            self.ready.push_back(id);
        }
    }

    fn read_in_turns(&mut self, now: Time, sink: &mut dyn Sink) {
        let mut buf = std::mem::take(&mut self.buf);
        let mut budget = self.opts.budget;
        while budget > 0 {
            let Some(id) = self.ready.pop_front() else { break };
            let Some(open) = self.files.get_mut(&id) else { continue };
            open.queued = false;
            if !open.after.is_empty() {
                continue;
            }
            let got = open.tail.read(&mut buf, &mut |block| sink.block(id, block));
            let bytes = matches!(got, Ok(Got::More(1..) | Got::End(1..)));
            if bytes {
                open.last_read = Some(now);
                open.quiet_since = now;
            }
            if open.tail.lines.report_at().is_some() {
                self.cutting.insert(id);
            }
            match got {
                Ok(Got::More(n)) => {
                    budget = budget.saturating_sub(n.max(READ_COST));
                    self.enqueue(id);
                }
                Ok(Got::End(n)) => {
                    budget = budget.saturating_sub(n.max(READ_COST));
                    self.reached_end(id);
                }
                Ok(Got::Moved) => self.truncated(id, now, sink),
                Err(e) => self.failed(id, &e, now, sink),
            }
        }
        self.buf = buf;
    }

    fn reached_end(&mut self, id: FileId) {
        let Some(open) = self.files.get_mut(&id) else { return };
        open.wait = Duration::ZERO;
        if !open.names.is_empty() {
            let slot = self.slots.get_mut(&open.home);
            if let (Some(slot), Ok(meta)) = (slot, open.tail.file().metadata()) {
                slot.seen = slot.seen.max(modified(&meta));
            }
        }
        if !std::mem::replace(&mut open.drained, true) {
            self.release(id);
        }
    }

    /// Lets the files read that were waiting for `id`.
    pub(crate) fn release(&mut self, id: FileId) {
        let mut free = Vec::new();
        for (other, open) in &mut self.files {
            let before = open.after.len();
            open.after.retain(|older| *older != id);
            if before > 0 && open.after.is_empty() {
                free.push(*other);
            }
        }
        free.into_iter().for_each(|id| self.enqueue(id));
    }

    fn failed(&mut self, id: FileId, error: &io::Error, now: Time, sink: &mut dyn Sink) {
        let Some(open) = self.files.get_mut(&id) else { return };
        if open.wait.is_zero() {
            let (path, why) = (open.home.clone(), error.to_string());
            sink.notice(Notice::Unreadable { path, why });
        }
        open.wait = longer(open.wait);
        open.drained = true;
        self.retries.insert((now.plus(open.wait), Retry::File(id)));
        self.release(id);
    }

    fn report_cuts(&mut self, now: Time, sink: &mut dyn Sink) {
        let files = &mut self.files;
        self.cutting.retain(|id| {
            let Some(open) = files.get_mut(id) else { return false };
            if let Some((count, longest)) = open.tail.lines.report(now) {
                sink.notice(Notice::LineCut { file: *id, count, longest });
            }
            open.tail.lines.report_at().is_some()
        });
    }
}
