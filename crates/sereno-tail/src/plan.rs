//! From patterns to paths: what is named, and which directories are watched for more.

use crate::follow::Follow;
use crate::sink::{Notice, Sink};
use crate::state::Slot;
use sereno_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How often directories are listed again because they changed meanwhile.
const PASSES: usize = 4;

impl Follow {
    /// Brings slots, watches and open files in line with the directories.
    pub(crate) fn settle(&mut self, now: Time, sink: &mut dyn Sink) {
        for _ in 0..PASSES {
            if std::mem::take(&mut self.replan) {
                self.plan(sink);
            }
            if std::mem::take(&mut self.rewatch) {
                self.set_watches(sink);
            }
            for path in std::mem::take(&mut self.dirty) {
                self.reconcile(&path, now, sink);
            }
            if !self.replan && !self.rewatch && self.dirty.is_empty() {
                break;
            }
        }
    }

    /// Lists what the patterns name.
    fn plan(&mut self, sink: &mut dyn Sink) {
        let first = !std::mem::replace(&mut self.planned, true);
        let mut dirs = BTreeSet::new();
        let mut named: BTreeMap<PathBuf, (BTreeSet<u32>, bool)> = BTreeMap::new();
        for glob in &self.globs {
            let found = glob.expand(self.opts.files_per_pattern);
            dirs.extend(found.dirs);
            if found.more && self.told_many.insert(glob.id) {
                let limit = self.opts.files_per_pattern;
                sink.notice(Notice::TooMany { pattern: glob.id, limit });
            }
            if first && found.paths.is_empty() {
                sink.notice(Notice::Waiting { path: PathBuf::from(&glob.text) });
            }
            let old = self.left.iter().map(|point| PathBuf::from(&point.path));
            let old = old.filter(|path| first && glob.matches(path));
            for path in found.paths.into_iter().chain(old) {
                let entry = named.entry(path).or_default();
                entry.0.insert(glob.id);
                entry.1 |= glob.literal().is_some();
            }
        }
        for (path, (patterns, literal)) in named {
            let fresh = || Slot { early: first, ..Slot::default() };
            let slot = self.slots.entry(path.clone()).or_insert_with(fresh);
            if slot.live.is_none() {
                self.dirty.insert(path);
            }
            slot.patterns.extend(patterns);
            slot.literal |= literal;
        }
        if first {
            let slots = &self.slots;
            self.left.retain(|point| slots.contains_key(Path::new(&point.path)));
        }
        // The same names can be other directories now, so they are always watched anew. What
        // appeared between listing and watching would not be noticed.
        self.rewatch = true;
        self.replan = dirs != self.dirs;
        self.dirs = dirs;
    }

    fn set_watches(&mut self, sink: &mut dyn Sink) {
        let mut dirs = self.dirs.clone();
        for home in self.slots.values().flat_map(|slot| &slot.homes) {
            dirs.extend(home.parent().map(Path::to_path_buf));
        }
        for (path, e) in self.watch.set_dirs(&dirs) {
            if self.told_unwatched.insert(path.clone()) {
                sink.notice(Notice::Unwatched { path, why: e.to_string() });
            }
        }
    }
}
