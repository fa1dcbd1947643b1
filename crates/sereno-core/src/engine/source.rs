//! One source of lines inside the engine: its reader, its desks, and how it is doing.

use super::Clock;
use crate::rule::scan::{Behind, Counts, Scan};
use crate::rule::session::{Desk, Kept, Verdict};
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// A line this far from now, in a log that is being written, has a wrong clock or zone.
const FAR: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Source {
    pub(super) scan: Scan,
    /// One desk per rule of the scan, and the jails (by index) that listen to it.
    pub(super) desks: Vec<(Desk, Arc<[usize]>)>,
    pub(super) verdicts: Vec<(usize, Verdict)>,
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
            verdicts: Vec::new(),
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
        let counts = self.scan.counts();
        SourceHealth { counts, kept, last_line: self.last_line, last_match: self.last_match }
    }

    /// Reads lines; says how many bytes were used, and how far off their times were, if so.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        behind: Behind,
        live: bool,
        clock: Clock,
        now: Time,
    ) -> (usize, Option<Duration>) {
        let Self { scan, desks, verdicts, last, last_match, .. } = self;
        let mut far = None;
        let used = scan.read(bytes, behind, now, &mut |hit| {
            let at = match (hit.when, clock) {
                (None, Clock::Wall) => now,
                (None, Clock::Log) => *last,
                (Some(when), Clock::Log) => when,
                (Some(when), Clock::Wall) => {
                    let off = when.since(now).max(now.since(when));
                    if live && off > FAR {
                        far = Some(off);
                        now
                    } else {
                        when.min(now)
                    }
                }
            };
            *last = (*last).max(at);
            *last_match = Some(at);
            let rule = hit.rule;
            desks[rule].0.take(&hit, at, &mut |verdict| verdicts.push((rule, verdict)));
        });
        (used, far)
    }

    /// Keeps the beginning of a record; it is no longer than a record may be.
    pub(super) fn keep(&mut self, rest: &[u8], now: Time) {
        if !rest.is_empty() {
            self.open = rest.to_vec();
            self.open_since = now;
        }
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
