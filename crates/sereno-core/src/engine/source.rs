//! One source of lines inside the engine: its reader, its desks, and how it is doing.

use super::filters::Filters;
use super::{Clock, Judge};
use crate::line::Record;
use crate::rule::scan::{Behind, Counts, Ear, Hit, Scan};
use crate::rule::session::{Desk, Kept};
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// A line this far from now, in a log that is being written, has a wrong clock or zone.
const FAR: Duration = Duration::from_secs(600);

/// How long a record that began waits for its end.
pub(super) const OPEN: Duration = Duration::from_secs(1);

/// When lines are read, and how.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Time,
    /// They were written just now.
    pub(super) live: bool,
    pub(super) clock: Clock,
}

impl Moment {
    /// The time of a line that says `when`, in a log whose last said `last`. How far off it
    /// was, where it cannot be true, goes to `far`.
    pub(super) fn of(self, when: Option<Time>, last: Time, far: &mut Option<Duration>) -> Time {
        match (when, self.clock) {
            (None, Clock::Wall) => self.now,
            (None, Clock::Log) => last,
            (Some(when), Clock::Log) => when,
            (Some(when), Clock::Wall) => {
                let off = when.since(self.now).max(self.now.since(when));
                if self.live && off > FAR {
                    *far = Some(off);
                    self.now
                } else {
                    when.min(self.now)
                }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) scan: Scan,
    /// One desk per rule of the scan, and the jails (by index) that listen to it.
    pub(super) desks: Vec<(Desk, Arc<[usize]>)>,
    /// fail2ban's filters, which read it too.
    pub(super) filters: Filters,
    /// The beginning of a record whose end has not been written yet, and since when.
    pub(super) open: Vec<u8>,
    pub(super) open_since: Time,
    pub(super) last: Time,
    pub(super) last_line: Option<Time>,
    pub(super) last_match: Option<Time>,
    pub(super) far_said: bool,
}

impl Source {
    pub(super) fn new(scan: Scan, desks: Vec<(Desk, Arc<[usize]>)>) -> Self {
        Self {
            scan,
            desks,
            filters: Filters::default(),
            open: Vec::new(),
            open_since: Time::MIN,
            last: Time::MIN,
            last_line: None,
            last_match: None,
            far_said: false,
        }
    }

    /// How it is doing.
    pub(super) fn health(&self) -> SourceHealth {
        let mut kept = Kept::default();
        for (desk, _) in &self.desks {
            kept.forged += desk.kept().forged;
            kept.unvouched += desk.kept().unvouched;
            kept.overrun += desk.kept().overrun;
        }
        let (mut counts, filters) = (self.scan.counts(), self.filters.counts(None));
        counts.candidates += filters.candidates;
        counts.hits += filters.matched;
        kept.forged += filters.forged;
        SourceHealth { counts, kept, last_line: self.last_line, last_match: self.last_match }
    }

    /// Reads lines; says how many bytes were used, and how far off their times were, if so.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        behind: Behind,
        moment: Moment,
        judge: &mut Judge<'_>,
    ) -> (usize, Option<Duration>) {
        let Self { scan, desks, last, last_match, .. } = self;
        if scan.rules().is_empty() {
            return (bytes.len(), None);
        }
        let mut listener = Listener { desks, last, last_match, far: None, moment, judge };
        let used = scan.read_ahead(bytes, behind, moment.now, &mut listener);
        (used, listener.far)
    }

    /// Reads a record of the journal.
    pub(super) fn read_record(&mut self, record: &Record<'_>, when: Time, judge: &mut Judge<'_>) {
        let Self { scan, desks, last_match, .. } = self;
        if scan.rules().is_empty() {
            self.last_line = Some(when);
            return;
        }
        scan.read_record(record, when, &mut |hit| {
            *last_match = Some(when);
            let (desk, jails) = &mut desks[hit.rule];
            desk.take(&hit, when, &mut |verdict| judge.weigh(jails, verdict));
        });
        self.last_line = Some(when);
    }

    /// Decides what waited until `now`.
    pub(super) fn settle(&mut self, now: Time, clock: Clock, judge: &mut Judge<'_>) {
        let waited = clock == Clock::Log || self.open_since.plus(OPEN) <= now;
        if !self.open.is_empty() && waited {
            let open = std::mem::take(&mut self.open);
            let moment = Moment { now: self.open_since.max(self.last), live: true, clock };
            self.read(&open, Behind::Nothing, moment, judge);
        }
        for (desk, jails) in &mut self.desks {
            desk.advance(now, &mut |verdict| judge.weigh(jails, verdict));
        }
    }

    /// Keeps the beginning of a record; it is no longer than a record may be.
    pub(super) fn keep(&mut self, rest: &[u8], now: Time) {
        if !rest.is_empty() {
            self.open = rest.to_vec();
            self.open_since = now;
        }
    }
}

/// What hears the hits of a source.
struct Listener<'s, 'j> {
    desks: &'s mut [(Desk, Arc<[usize]>)],
    last: &'s mut Time,
    last_match: &'s mut Option<Time>,
    far: Option<Duration>,
    moment: Moment,
    judge: &'s mut Judge<'j>,
}

impl Ear for Listener<'_, '_> {
    fn expect(&mut self, hits: &mut [Hit<'_>]) {
        let mut about = Vec::with_capacity(hits.len());
        for (rule, (desk, jails)) in self.desks.iter_mut().enumerate() {
            desk.expect(rule, hits);
            let addrs = hits.iter().filter(|hit| hit.rule == rule).filter_map(|hit| hit.found.addr);
            for addr in addrs {
                about.extend(jails.iter().map(|jail| (*jail, addr)));
            }
        }
        self.judge.expect(&about);
    }

    fn hear(&mut self, hit: &Hit<'_>) {
        let at = self.moment.of(hit.when, *self.last, &mut self.far);
        *self.last = (*self.last).max(at);
        *self.last_match = Some(at);
        let (desk, jails) = &mut self.desks[hit.rule];
        desk.take(hit, at, &mut |verdict| self.judge.weigh(jails, verdict));
    }
}

/// The health of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// What its scan saw.
    pub counts: Counts,
    /// What its desks kept from counting.
    pub kept: Kept,
    /// When it last gave anything.
    pub last_line: Option<Time>,
    /// When a line last matched.
    pub last_match: Option<Time>,
}
