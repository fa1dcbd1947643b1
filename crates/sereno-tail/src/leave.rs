//! The end of a file: losing its name, being emptied, being closed.

use crate::follow::Follow;
use crate::place::{Key, modified};
use crate::siblings::{self, Sibling};
use crate::sink::{FileId, Notice, Sink};
use crate::state::{Open, Slot};
use sereno_core::time::Time;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

impl Follow {
    /// The path no longer leads to its live file. Returns [`Slot::seen`] as it stood.
    pub(crate) fn leave(&mut self, path: &Path, now: Time, sink: &mut dyn Sink) -> i64 {
        let Some(slot) = self.slots.get_mut(path) else { return 0 };
        let seen = slot.seen;
        let Some(id) = slot.live.take() else { return seen };
        let Some(open) = self.files.get_mut(&id) else { return seen };
        open.names.remove(path);
        if let Some(other) = open.names.first() {
            open.home = other.clone();
            return seen;
        }
        open.home = path.to_path_buf();
        open.drained = false;
        open.quiet_since = now;
        self.leaving.insert(id);
        sink.notice(Notice::Rotated { file: id, path: path.to_path_buf() });
        self.enqueue(id);
        seen
    }

    /// The bytes before the offset are gone.
    pub(crate) fn truncated(&mut self, id: FileId, now: Time, sink: &mut dyn Sink) {
        let Some(open) = self.files.get_mut(&id) else { return };
        let (place, unread, key) = (open.tail.place(), open.tail.known_unread(), open.tail.key);
        let path = open.home.clone();
        open.tail.begin_again();
        let newest = self.last_id;
        let all = siblings::siblings(&path);
        let copy = siblings::find(&all, Key { dev: 0, ino: 0 }, &place, &[]);
        let seen = self.slots.get(&path).map_or(0, |slot| slot.seen);
        let more = |copy: &&Sibling| copy.size > place.offset;
        if let Some(copy) = copy.filter(more).filter(|copy| !self.by_key.contains_key(&copy.key)) {
            self.open_left(copy, &path, place.offset, now, sink);
        }
        self.take_missed(&path, seen, key, &[place], now, sink);
        self.put_before(id, newest);
        let (rescued, lost) = (copy.is_some(), if copy.is_some() { 0 } else { unread });
        sink.notice(Notice::Truncated { file: id, path, lost, rescued });
        self.enqueue(id);
    }

    /// The files opened after `newest` hold what came before the present content of `id`:
    /// they wait for what it waits for, and it waits for them.
    fn put_before(&mut self, id: FileId, newest: u64) {
        let Some(open) = self.files.get(&id) else { return };
        let mut after = open.after.clone();
        for older in newest + 1..=self.last_id {
            if let Some(open) = self.files.get_mut(&FileId(older)) {
                open.after.clone_from(&after);
                after.push(FileId(older));
            }
        }
        if let Some(open) = self.files.get_mut(&id) {
            open.after = after;
        }
    }

    /// When a file without a name is closed; none while there is more to read.
    pub(crate) fn close_at(&self, id: FileId) -> Option<Time> {
        let open = self.files.get(&id).filter(|open| open.drained && !open.queued)?;
        let succeeded = self.slots.get(&open.home).is_some_and(|slot| slot.live.is_some());
        let grace = if succeeded { self.opts.grace } else { self.opts.orphan_grace };
        Some(open.quiet_since.plus(grace))
    }

    /// Closes rotated files that have been quiet for long enough, and of too many those that
    /// were written to the longest time ago.
    pub(crate) fn close_quiet(&mut self, now: Time, sink: &mut dyn Sink) {
        let done: Vec<(FileId, Time)> =
            self.leaving.iter().filter_map(|id| Some((*id, self.close_at(*id)?))).collect();
        for (id, _) in done.iter().filter(|(_, due)| *due <= now) {
            self.close(*id, sink);
        }
        if done.len() <= self.opts.rotated_kept {
            return;
        }
        let mut kept: BTreeMap<&Path, Vec<(i64, FileId)>> = BTreeMap::new();
        for (id, _) in done {
            if let Some(open) = self.files.get(&id) {
                let age = modified_of(open).unwrap_or(0);
                kept.entry(&open.home).or_default().push((age, id));
            }
        }
        let mut over = Vec::new();
        for of_path in kept.values_mut() {
            of_path.sort_unstable();
            let count = of_path.len().saturating_sub(self.opts.rotated_kept);
            over.extend(of_path.iter().take(count).map(|(_, id)| *id));
        }
        over.into_iter().for_each(|id| self.close(id, sink));
    }

    fn close(&mut self, id: FileId, sink: &mut dyn Sink) {
        let Some(mut open) = self.files.remove(&id) else { return };
        let cap = self.opts.line_cap;
        open.tail.finish(cap, &mut self.buf, &mut |block| sink.block(id, block));
        if let Some(wd) = open.wd {
            self.watch.remove(wd);
        }
        self.by_key.remove(&open.tail.key);
        self.leaving.remove(&id);
        if let (Some(slot), Ok(meta)) = (self.slots.get_mut(&open.home), modified_of(&open)) {
            slot.seen = slot.seen.max(meta);
        }
        self.release(id);
        let (path, offset) = (open.home, open.tail.offset);
        let gone = |slot: &Slot| slot.live.is_none() && !slot.literal;
        if self.slots.get(&path).is_some_and(gone) && !self.is_busy(&path) {
            self.slots.remove(&path);
        }
        sink.notice(Notice::Closed { file: id, path, offset });
    }
}

fn modified_of(open: &Open) -> io::Result<i64> {
    open.tail.file().metadata().map(|meta| modified(&meta))
}
