//! From files and the journal to the engine: which jail listens to which file.
//!
//! Files that the same jails read are one source to the engine, so that what it remembers of
//! a log (sessions, threads, challenges) outlives rotation.

use super::health::{Health, Loss};
use crate::words;
use sereno_config::{Policy, SourceConf};
use sereno_core::engine::{Action, Engine, Input, SourceId};
use sereno_core::filter::Filter;
use sereno_core::gate::Name;
use sereno_core::line::{Dates, Record, Style};
use sereno_core::rule::Rule;
use sereno_core::time::Time;
use sereno_tail::{Block, FileId, JournalEntry, JournalSink, Notice, Pattern, Sink};
use sereno_wire::control::SourceStatus;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The kind of a journal's trouble that is over when it is read again.
const ENDED: &str = "ended";
/// The path that means standard input.
pub const STDIN: &str = "-";
/// What `status` calls the gate as a source.
const GATE: &str = "closed ports at the gate";

/// Who reads what.
#[derive(Debug)]
pub struct Book {
    /// What each pattern id (its index) stands for.
    patterns: Vec<(Name, String)>,
    journals: Vec<(Vec<String>, SourceId)>,
    /// What the gate tells of closed ports.
    gate: Option<SourceId>,
    /// Who reads any of them.
    journal_jails: HashSet<Name>,
    rules: BTreeMap<Name, Arc<Rule>>,
    filters: Vec<(Name, Arc<Filter>)>,
    zone: jiff::tz::TimeZone,
    groups: BTreeMap<Vec<u32>, SourceId>,
    files: HashMap<FileId, Reading>,
    next: u32,
    /// Whether anything was read since this was last asked.
    fed: bool,
    /// Trouble with a path, by path: told once, gone when it is over.
    trouble: BTreeMap<String, Notice>,
    /// How its logs usually are; outlives it.
    pub health: Health,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    source: SourceId,
    /// Lines behind this offset are written while we watch.
    old_until: u64,
}

impl Book {
    /// Notes who reads what; adds the journals to the engine at once.
    ///
    /// # Errors
    /// When a rule cannot be put into a reader.
    pub fn new(
        policy: &Policy,
        engine: &mut Engine,
        zone: jiff::tz::TimeZone,
    ) -> Result<Self, String> {
        let mut book = Self {
            patterns: Vec::new(),
            journals: Vec::new(),
            gate: None,
            journal_jails: HashSet::new(),
            rules: BTreeMap::new(),
            filters: policy.filters.clone(),
            zone,
            groups: BTreeMap::new(),
            files: HashMap::new(),
            next: 0,
            fed: false,
            trouble: BTreeMap::new(),
            health: Health::default(),
        };
        let mut journals: BTreeMap<Vec<String>, Vec<Name>> = BTreeMap::new();
        for jail in &policy.jails {
            let name = jail.policy.name;
            if let Some(rule) = policy.rules.iter().find(|rule| rule.name == jail.policy.rule) {
                book.rules.insert(name, Arc::clone(rule));
            }
            for source in &jail.sources {
                match source {
                    SourceConf::Files(paths) => {
                        book.patterns.extend(paths.iter().map(|path| (name, path.clone())));
                    }
                    SourceConf::Journal(matches) => {
                        journals.entry(matches.clone()).or_default().push(name);
                        book.journal_jails.insert(name);
                    }
                    SourceConf::Gate(_) => book.gate = Some(book.add(engine, &[name])?),
                }
            }
        }
        for (matches, jails) in journals {
            let id = book.add(engine, &jails)?;
            book.journals.push((matches, id));
        }
        let stdin: Vec<Name> =
            book.patterns.iter().filter(|(_, path)| path == STDIN).map(|(jail, _)| *jail).collect();
        if !stdin.is_empty() {
            let source = book.add(engine, &stdin)?;
            book.files.insert(FileId::STDIN, Reading { source, old_until: 0 });
        }
        Ok(book)
    }

    /// The patterns to follow.
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let numbered = self.patterns.iter().enumerate().filter(|(_, (_, path))| path != STDIN);
        numbered.map(|(id, (_, path))| Pattern { id: id as u32, path: path.clone() }).collect()
    }

    /// Where it goes what the gate tells of closed ports, if a jail listens.
    #[must_use]
    pub fn gate(&self) -> Option<SourceId> {
        self.gate
    }

    /// Something was read that no sink saw.
    pub fn feed(&mut self) {
        self.fed = true;
    }

    /// The matches of each journal, in the order of the journals.
    #[must_use]
    pub fn journals(&self) -> &[(Vec<String>, SourceId)] {
        &self.journals
    }

    /// The files of a jail that are there.
    #[must_use]
    pub fn files(&self, jail: Name) -> Vec<String> {
        let own = self.patterns.iter().filter(|(owner, path)| *owner == jail && path != STDIN);
        let found = own.flat_map(|(_, path)| glob::glob(path).into_iter().flatten().flatten());
        found.filter_map(|path| path.to_str().map(str::to_owned)).collect()
    }

    /// Whether a jail reads the journal.
    #[must_use]
    pub fn reads_journal(&self, jail: Name) -> bool {
        self.journal_jails.contains(&jail)
    }

    /// Whether standard input is read.
    #[must_use]
    pub fn reads_stdin(&self) -> bool {
        self.files.contains_key(&FileId::STDIN)
    }

    /// Standard input is not read, whoever wants it: it can be opened at the start only.
    pub fn leave_stdin(&mut self) {
        self.files.remove(&FileId::STDIN);
    }

    /// Whether somebody wants standard input, and it is not read.
    #[must_use]
    pub fn lacks_stdin(&self) -> bool {
        !self.reads_stdin() && self.patterns.iter().any(|(_, path)| path == STDIN)
    }

    fn add(&mut self, engine: &mut Engine, jails: &[Name]) -> Result<SourceId, String> {
        let mut rules: Vec<Arc<Rule>> = Vec::new();
        for rule in jails.iter().filter_map(|jail| self.rules.get(jail)) {
            if !rules.iter().any(|r| r.name == rule.name) {
                rules.push(Arc::clone(rule));
            }
        }
        let id = SourceId(self.next);
        self.next += 1;
        engine.add_source(id, &rules, jails, Dates::new(self.zone.clone()))?;
        let theirs = self.filters.iter().filter(|(jail, _)| jails.contains(jail));
        engine.add_filters(id, &theirs.cloned().collect::<Vec<_>>());
        Ok(id)
    }

    fn opened(&mut self, engine: &mut Engine, file: FileId, patterns: &[u32], old_until: u64) {
        let mut group = patterns.to_vec();
        group.sort_unstable();
        let source = match self.groups.get(&group) {
            Some(id) => *id,
            None => {
                let jails: Vec<Name> = group
                    .iter()
                    .filter_map(|id| self.patterns.get(*id as usize))
                    .map(|(jail, _)| *jail)
                    .collect();
                let Ok(id) = self.add(engine, &jails) else { return };
                self.groups.insert(group, id);
                id
            }
        };
        self.files.insert(file, Reading { source, old_until });
    }

    /// How the sources of a jail are. Looking is what teaches how they usually are.
    pub fn status(
        &mut self,
        jail: Name,
        engine: &Engine,
        files: &[sereno_tail::Status],
        now: Time,
    ) -> Vec<SourceStatus> {
        let mut all = Vec::new();
        for (id, (_, path)) in
            self.patterns.iter().enumerate().filter(|(_, (owner, _))| *owner == jail)
        {
            let id = id as u32;
            let mine: Vec<_> = files.iter().filter(|f| f.patterns.contains(&id)).collect();
            let lag = mine.iter().map(|f| f.size.saturating_sub(f.offset)).sum();
            let groups = self
                .groups
                .iter()
                .filter(|(group, _)| group.contains(&id))
                .map(|(_, source)| *source);
            let stdin =
                (path == STDIN).then(|| self.files.get(&FileId::STDIN).map(|r| r.source)).flatten();
            let files = mine.len() + usize::from(stdin.is_some());
            let base = SourceStatus {
                what: path.clone(),
                files: files as u64,
                lag,
                ..SourceStatus::default()
            };
            all.push(health(base, groups.chain(stdin), engine));
        }
        let wants = |id: SourceId| engine.listens(id, jail);
        for (matches, id) in self.journals.iter().filter(|(_, id)| wants(*id)) {
            let what = journal_name(matches);
            let base = SourceStatus { what, files: 1, ..SourceStatus::default() };
            all.push(health(base, std::iter::once(*id), engine));
        }
        let read = all.iter_mut().filter(|source| source.files > 0);
        read.for_each(|source| self.health.look(source, now));
        // That nobody tries closed ports is no sign of anything.
        for id in self.gate.into_iter().filter(|id| wants(*id)) {
            let base = SourceStatus { what: GATE.to_owned(), files: 1, ..SourceStatus::default() };
            all.push(health(base, std::iter::once(id), engine));
        }
        all
    }

    /// Whether anything was read since the last call.
    pub fn take_fed(&mut self) -> bool {
        std::mem::take(&mut self.fed)
    }

    /// What is wrong with sources: with which, and in words.
    pub fn trouble(&self) -> impl Iterator<Item = (&str, String)> {
        self.trouble.iter().map(|(about, notice)| (about.as_str(), words::notice(notice)))
    }

    /// Takes over what is known of how logs usually go, of those that are still read.
    pub fn adopt(&mut self, mut health: Health) {
        let what = self.patterns.iter().map(|(_, path)| path.clone());
        let what: HashSet<String> =
            what.chain(self.journals.iter().map(|(matches, _)| journal_name(matches))).collect();
        health.keep_only(|log| what.contains(log));
        self.health = health;
    }

    fn note(&mut self, notice: &Notice, now: Time) {
        match notice {
            Notice::Waiting { path } | Notice::Unreadable { path, .. } => {
                self.trouble.insert(path.display().to_string(), notice.clone());
            }
            Notice::Lost { path, offset: read } => {
                self.health.lose(path.display().to_string(), Loss::Gone { read: *read }, now);
            }
            Notice::Truncated { path, lost: unread @ 1.., .. } => {
                let loss = Loss::Emptied { unread: *unread };
                self.health.lose(path.display().to_string(), loss, now);
            }
            Notice::TooMany { pattern, .. } => {
                drop(self.trouble.insert(format!("pattern {pattern}"), notice.clone()));
            }
            Notice::Ended { .. } => drop(self.trouble.insert(STDIN.to_owned(), notice.clone())),
            Notice::Opened { path, patterns, .. } | Notice::Named { path, patterns, .. } => {
                self.trouble.remove(&path.display().to_string());
                // What waits for any of many waits under its pattern.
                for (_, pattern) in patterns.iter().filter_map(|id| self.patterns.get(*id as usize))
                {
                    self.trouble.remove(pattern);
                }
            }
            _ => {}
        }
    }
}

fn health(
    base: SourceStatus,
    ids: impl Iterator<Item = SourceId>,
    engine: &Engine,
) -> SourceStatus {
    ids.filter_map(|id| engine.source(id)).fold(base, |mut sum, health| {
        sum.last_line = sum.last_line.max(health.last_line);
        sum.last_match = sum.last_match.max(health.last_match);
        sum.candidates += health.counts.candidates;
        sum.matched += health.counts.hits;
        sum.unknown += health.counts.unknown;
        sum.streak += health.counts.streak;
        sum.disbelieved += health.kept.forged + health.kept.unvouched + health.kept.overrun;
        sum
    })
}

/// Takes what files and standard input give, and feeds the engine.
pub struct Feed<'a> {
    /// Who reads what.
    pub book: &'a mut Book,
    /// The engine.
    pub engine: &'a mut Engine,
    /// What follows.
    pub actions: &'a mut Vec<Action>,
    /// What the administrator should know.
    pub notes: &'a mut Vec<String>,
    /// The time of this round.
    pub now: Time,
}

impl Sink for Feed<'_> {
    fn block(&mut self, file: FileId, block: Block<'_>) {
        self.book.fed = true;
        if let Some(reading) = self.book.files.get(&file) {
            let live = block.offset >= reading.old_until;
            let input = Input::Block { source: reading.source, bytes: block.bytes, live };
            self.engine.handle(input, self.now, self.actions);
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.book.note(&notice, self.now);
        match &notice {
            Notice::Opened { file, patterns, size, .. } => {
                self.book.opened(self.engine, *file, patterns, *size);
            }
            Notice::Named { file, patterns, .. } => {
                let old_until = self.book.files.get(file).map_or(0, |r| r.old_until);
                self.book.opened(self.engine, *file, patterns, old_until);
            }
            Notice::Closed { file, .. } => drop(self.book.files.remove(file)),
            Notice::Truncated { file, .. } => {
                if let Some(reading) = self.book.files.get_mut(file) {
                    reading.old_until = 0;
                }
            }
            _ => {}
        }
        self.notes.push(words::notice(&notice));
    }
}

/// What `status` calls a journal.
fn journal_name(matches: &[String]) -> String {
    format!("journal {}", matches.join(" "))
}

/// Takes what the journal gives.
pub struct JournalFeed<'a> {
    /// Where it goes.
    pub feed: Feed<'a>,
    /// Which journal.
    pub source: SourceId,
}

/// An entry's process, as text; empty if it is not known.
#[must_use]
pub fn pid(entry: &JournalEntry) -> String {
    entry.trusted.pid.map(|pid| pid.to_string()).unwrap_or_default()
}

/// An entry of the journal as a record. What the kernel calls the program beats what it calls itself:
/// anybody may say "sshd".
#[must_use]
pub fn record<'e>(entry: &'e JournalEntry, pid: &'e str) -> Record<'e> {
    let program = entry.trusted.comm.as_deref().or(entry.identifier.as_deref()).unwrap_or_default();
    Record {
        host: entry.trusted.hostname.as_deref().unwrap_or_default().as_bytes(),
        program: program.as_bytes(),
        tag: entry.identifier.as_deref().unwrap_or_default().as_bytes(),
        pid: pid.as_bytes(),
        text: Cow::Borrowed(&entry.message),
        style: Style::Syslog,
        ..Record::default()
    }
}

impl JournalSink for JournalFeed<'_> {
    fn entry(&mut self, entry: JournalEntry) {
        self.feed.book.fed = true;
        self.over("");
        let pid = pid(&entry);
        let record = record(&entry, &pid);
        let input = Input::Record { source: self.source, record: &record, when: entry.time };
        self.feed.engine.handle(input, self.feed.now, self.feed.actions);
    }

    /// Trouble with a journal is its own, of three kinds: it ended, it may not be read, an entry
    /// cannot be understood. Reading again ends the first, an entry all of them.
    fn notice(&mut self, notice: Notice) {
        match &notice {
            Notice::Ended { .. } => self.trouble(ENDED, &notice),
            Notice::Unreadable { path, .. } => self.trouble(&path.display().to_string(), &notice),
            Notice::Resumed => self.over(ENDED),
            _ => {}
        }
        self.feed.notes.push(words::notice(&notice));
    }
}

impl JournalFeed<'_> {
    fn key(&self, kind: &str) -> String {
        format!("journal {} {kind}", self.source.0)
    }

    fn trouble(&mut self, kind: &str, notice: &Notice) {
        self.feed.book.trouble.insert(self.key(kind), notice.clone());
    }

    /// The trouble of a kind is over; of every kind, if none is named.
    fn over(&mut self, kind: &str) {
        if !self.feed.book.trouble.is_empty() {
            let key = self.key(kind);
            self.feed.book.trouble.retain(|trouble, _| !trouble.starts_with(&key));
        }
    }
}
