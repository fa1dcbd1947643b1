//! Which file a path means now: opening it, and what came before it.
//!
//! Events only say *where* to look. What is done follows from comparing the path with the
//! file that is open for it, so that it does not matter which events came, in which order, or
//! whether the kernel dropped some.

use crate::follow::Follow;
use crate::place::{Fit, Key, Place};
use crate::siblings::{self, Sibling, homes};
use crate::sink::{FileId, Notice, Sink};
use crate::state::{Open, Retry, longer};
use crate::tail::{Refusal, Start, Tail, look};
use sereno_core::time::Time;
use std::path::Path;
use std::time::Duration;

impl Follow {
    pub(crate) fn reconcile(&mut self, path: &Path, now: Time, sink: &mut dyn Sink) {
        let homes = homes(path);
        let Some(slot) = self.slots.get_mut(path) else { return };
        if slot.homes != homes {
            slot.homes = homes;
            self.rewatch = true;
            self.dirty.insert(path.to_path_buf());
        }
        let live = slot.live.and_then(|id| self.files.get(&id)).map(|open| open.tail.key);
        let done = match look(path) {
            Ok(meta) if live == Some(Key::of(&meta)) => Ok(()),
            Ok(meta) => match self.by_key.get(&Key::of(&meta)) {
                Some(id) => {
                    self.name(path, *id, now, sink);
                    Ok(())
                }
                None => self.adopt(path, now, sink),
            },
            Err(refusal) => Err(refusal),
        };
        match done {
            Ok(()) => {
                if let Some(slot) = self.slots.get_mut(path) {
                    (slot.early, slot.told, slot.wait) = (false, None, Duration::ZERO);
                }
            }
            Err(refusal) => self.refused(path, &refusal, now, sink),
        }
        if let Some(slot) = self.slots.get_mut(path).filter(|slot| slot.seen == 0 && !slot.early) {
            let reading = |key| self.by_key.contains_key(&key);
            slot.seen = siblings::baseline(&siblings::siblings(path), reading);
        }
    }

    fn refused(&mut self, path: &Path, refusal: &Refusal, now: Time, sink: &mut dyn Sink) {
        let why = match refusal {
            Refusal::Missing => "it does not exist".to_owned(),
            Refusal::Kind(kind) => (*kind).to_owned(),
            Refusal::Failed(e) => e.to_string(),
        };
        if !matches!(refusal, Refusal::Failed(_)) {
            self.leave(path, now, sink);
            self.take_up(path, &[], now, sink);
        }
        let busy = self.is_busy(path);
        let Some(slot) = self.slots.get_mut(path) else { return };
        if matches!(refusal, Refusal::Failed(_)) {
            slot.wait = longer(slot.wait);
            self.retries.insert((now.plus(slot.wait), Retry::Path(path.to_path_buf())));
        } else {
            slot.early = false;
        }
        let (told, literal) = (slot.told.replace(why.clone()), slot.literal);
        let missing = matches!(refusal, Refusal::Missing);
        if missing && !literal && !busy {
            self.slots.remove(path);
        } else if told.as_ref() != Some(&why) && (literal || !missing) {
            let path = path.to_path_buf();
            sink.notice(match refusal {
                Refusal::Missing => Notice::Waiting { path },
                _ => Notice::Unreadable { path, why },
            });
        }
    }

    /// Whether any file is open for the slot.
    pub(crate) fn is_busy(&self, path: &Path) -> bool {
        self.leaving.iter().any(|id| self.files.get(id).is_some_and(|open| open.home == path))
            || self.slots.get(path).is_some_and(|slot| slot.live.is_some())
    }

    /// The path leads to a file that is already open under another name.
    fn name(&mut self, path: &Path, id: FileId, now: Time, sink: &mut dyn Sink) {
        self.leave(path, now, sink);
        let (Some(slot), Some(open)) = (self.slots.get_mut(path), self.files.get_mut(&id)) else {
            return;
        };
        slot.live = Some(id);
        if open.names.is_empty() {
            open.home = path.to_path_buf();
            self.leaving.remove(&id);
        }
        open.names.insert(path.to_path_buf());
        let patterns = self.files.get(&id).map(|open| self.patterns_of(open)).unwrap_or_default();
        sink.notice(Notice::Named { file: id, path: path.to_path_buf(), patterns });
        self.take_up(path, &[], now, sink);
    }

    /// Opens the file that is at `path` now.
    fn adopt(&mut self, path: &Path, now: Time, sink: &mut dyn Sink) -> Result<(), Refusal> {
        let mut tail = Tail::open(path, self.opts.line_cap)?;
        if let Some(id) = self.by_key.get(&tail.key) {
            self.name(path, *id, now, sink);
            return Ok(());
        }
        let early = self.slots.get(path).is_some_and(|slot| slot.early);
        let shrunk = if early { self.resume(path, &mut tail)? } else { None };
        let known = [tail.place()];
        let seen = self.leave(path, now, sink);
        if !self.take_up(path, &known, now, sink) {
            self.take_missed(path, seen, tail.key, &known, now, sink);
        }
        let file = self.insert(tail, path, true, now, sink);
        if let Some(lost) = shrunk {
            let path = path.to_path_buf();
            sink.notice(Notice::Truncated { file, path, lost, rescued: false });
        }
        Ok(())
    }

    /// Finds where to begin in a file that may be older than this process. Returns how much
    /// was lost when it has shrunk but kept its beginning (a crash of the machine).
    fn resume(&mut self, path: &Path, tail: &mut Tail) -> Result<Option<u64>, Refusal> {
        let cap = self.opts.line_cap;
        let fit = |p: &crate::Checkpoint| p.place.fit(tail.file()).unwrap_or(Fit::Other);
        let same = |p: &crate::Checkpoint| p.key() == tail.key && fit(p) != Fit::Other;
        // Device numbers can change when the machine starts again, and a restored backup has
        // other inodes: the same bytes under the same name are the same file.
        let alike = |p: &crate::Checkpoint| {
            Path::new(&p.path) == path && p.place.offset > 0 && fit(p) == Fit::Exact
        };
        let real = |p: &&crate::Checkpoint| p.ino != 0;
        let points = || self.left.iter().enumerate().filter(|(_, p)| real(p));
        let own = points().find(|(_, p)| same(p)).or_else(|| points().find(|(_, p)| alike(p)));
        let own = own.map(|(at, _)| at);
        let Some(at) = own else {
            let followed = self.left.iter().any(|p| Path::new(&p.path) == path);
            let start = if followed { Start::Beginning } else { self.opts.start };
            tail.start(start, cap, &mut self.buf)?;
            return Ok(None);
        };
        let (place, seen) = (self.left[at].place.clone(), self.left[at].seen);
        let size = tail.file().metadata().map_err(Refusal::Failed)?.len();
        let whole = matches!(place.fit(tail.file()), Ok(Fit::Exact));
        if size < place.offset {
            tail.start(Start::End, cap, &mut self.buf)?;
        } else {
            tail.go_to(place.offset)?;
        }
        self.left.remove(at);
        if let Some(slot) = self.slots.get_mut(path) {
            slot.seen = slot.seen.max(seen);
        }
        Ok((!whole).then(|| place.offset.saturating_sub(size)))
    }

    /// Takes up the checkpoints of files that were rotated away from `path` while nobody
    /// was reading, and what came between them and now. Returns whether there were any.
    fn take_up(&mut self, path: &Path, known: &[Place], now: Time, sink: &mut dyn Sink) -> bool {
        let of_path = |p: &crate::Checkpoint| Path::new(&p.path) == path;
        let (own, rest) = std::mem::take(&mut self.left).into_iter().partition(of_path);
        self.left = rest;
        let (own, mut known): (Vec<crate::Checkpoint>, _) = (own, known.to_vec());
        if own.is_empty() {
            return false;
        }
        known.extend(own.iter().map(|point| point.place.clone()));
        let all = siblings::siblings(path);
        let live = std::fs::metadata(path).map(|meta| Key::of(&meta));
        let live = live.unwrap_or(Key { dev: 0, ino: 0 });
        let mut seen = self.slots.get(path).map_or(0, |slot| slot.seen);
        for point in own {
            seen = seen.max(point.seen);
            if point.ino == 0 {
                continue;
            }
            let (key, place) = (point.key(), &point.place);
            match siblings::find(&all, key, place, &known) {
                Some(found) if self.by_key.contains_key(&found.key) => {}
                Some(found) => self.open_left(found, path, place.offset, now, sink),
                None => {
                    let path = path.to_path_buf();
                    sink.notice(Notice::Lost { path, offset: place.offset });
                }
            }
            let anew = siblings::find_anew(&all, key, place, &known).filter(|new| new.key != live);
            if let Some(anew) = anew.filter(|anew| !self.by_key.contains_key(&anew.key)) {
                self.open_left(anew, path, 0, now, sink);
            }
        }
        if let Some(slot) = self.slots.get_mut(path) {
            slot.seen = slot.seen.max(seen);
        }
        self.take_missed(path, seen, live, &known, now, sink);
        true
    }

    /// Opens the generations between the last one read and `live` that nobody has seen.
    pub(crate) fn take_missed(
        &mut self,
        path: &Path,
        seen: i64,
        live: Key,
        known: &[Place],
        now: Time,
        sink: &mut dyn Sink,
    ) {
        if seen == 0 {
            return;
        }
        let mut known = known.to_vec();
        let own = self.files.values().filter(|open| open.home == path);
        known.extend(own.map(|open| open.tail.place()));
        let all = siblings::siblings(path);
        if let Some(slot) = self.slots.get_mut(path) {
            // All that is there now is judged here; later, only newer files are news.
            let reading = |key| self.by_key.contains_key(&key);
            slot.seen = slot.seen.max(siblings::baseline(&all, reading));
        }
        for missed in siblings::missed(&all, seen, &known) {
            let followed = self.slots.contains_key(&missed.path);
            if !followed && missed.key != live && !self.by_key.contains_key(&missed.key) {
                self.open_left(&missed, path, 0, now, sink);
            }
        }
    }

    /// Opens a file that has already been rotated away.
    pub(crate) fn open_left(
        &mut self,
        found: &Sibling,
        home: &Path,
        offset: u64,
        now: Time,
        sink: &mut dyn Sink,
    ) {
        let opened = Tail::open(&found.path, self.opts.line_cap).and_then(|mut tail| {
            if tail.key != found.key {
                return Err(Refusal::Missing);
            }
            tail.go_to(offset)?;
            Ok(tail)
        });
        match opened {
            Ok(tail) => drop(self.insert(tail, home, false, now, sink)),
            Err(Refusal::Failed(e)) => {
                let (path, why) = (found.path.clone(), e.to_string());
                sink.notice(Notice::Unreadable { path, why });
            }
            Err(_) => sink.notice(Notice::Lost { path: home.to_path_buf(), offset }),
        }
    }

    /// Begins to read a file: the live one of its slot, or one being left.
    fn insert(
        &mut self,
        tail: Tail,
        home: &Path,
        live: bool,
        now: Time,
        sink: &mut dyn Sink,
    ) -> FileId {
        self.last_id += 1;
        let id = FileId(self.last_id);
        let wd = match self.watch.add_file(id, tail.file(), home) {
            Ok(wd) => Some(wd),
            Err(e) => {
                if self.told_unwatched.insert(home.to_path_buf()) {
                    let (path, why) = (home.to_path_buf(), e.to_string());
                    sink.notice(Notice::Unwatched { path, why });
                }
                None
            }
        };
        self.by_key.insert(tail.key, id);
        let open = Open {
            after: self.undrained(home),
            names: live.then(|| home.to_path_buf()).into_iter().collect(),
            home: home.to_path_buf(),
            wd,
            queued: false,
            drained: false,
            quiet_since: now,
            last_read: None,
            wait: Duration::ZERO,
            tail,
        };
        match self.slots.get_mut(home).filter(|_| live) {
            Some(slot) => slot.live = Some(id),
            None => drop(self.leaving.insert(id)),
        }
        let size = open.tail.file().metadata().map_or(0, |meta| meta.len());
        let (patterns, start, path) =
            (self.patterns_of(&open), open.tail.offset, open.home.clone());
        self.files.insert(id, open);
        sink.notice(Notice::Opened { file: id, path, patterns, start, size, rotated: !live });
        self.enqueue(id);
        id
    }

    /// The files of a slot that are being left and not read to their end.
    pub(crate) fn undrained(&self, home: &Path) -> Vec<FileId> {
        let left = |id: &&FileId| {
            self.files.get(id).is_some_and(|open| open.home == home && !open.drained)
        };
        self.leaving.iter().filter(left).copied().collect()
    }
}
