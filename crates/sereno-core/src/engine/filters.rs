//! fail2ban's filters at work on a source: what they find becomes verdicts for their jails.

use super::Judge;
use super::source::{Moment, Source};
use crate::addr::Prefix;
use crate::filter::{Counts, Filter, Finding, Scan, Story, Who, entry_line};
use crate::ledger::Captures;
use crate::line::Record;
use crate::rule::session::{Line, Verdict, account};
use crate::time::Time;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A jail that a filter reads for.
#[derive(Debug)]
struct Listener {
    /// Its index.
    jail: usize,
    /// What its expressions are called.
    labels: Vec<Arc<str>>,
    /// Whether it wants to know what was captured.
    captures: bool,
}

/// The filters of one source, each with the jail it reads for.
#[derive(Debug, Default)]
pub(super) struct Filters {
    scan: Scan,
    jails: Vec<Listener>,
    /// Room for an entry of the journal as a line.
    entry: Vec<u8>,
}

impl Filters {
    pub(super) fn add(&mut self, filter: Arc<Filter>, jail: usize, captures: bool) {
        let labels = (0..filter.len()).map(|at| format!("failregex {at}").into()).collect();
        self.scan.add(filter, false);
        self.jails.push(Listener { jail, labels, captures });
    }

    pub(super) fn jails(&self) -> impl Iterator<Item = &usize> {
        self.jails.iter().map(|listener| &listener.jail)
    }

    /// What all of them have seen, or those of one jail.
    pub(super) fn counts(&self, of: Option<usize>) -> Counts {
        let jails = self.jails.iter().enumerate();
        let wanted = jails.filter(|(_, listener)| of.is_none_or(|of| of == listener.jail));
        wanted.map(|(place, _)| self.scan.counts(place)).fold(Counts::default(), sum)
    }
}

/// What two have seen together.
pub(super) fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        candidates: a.candidates + b.candidates,
        matched: a.matched + b.matched,
        ignored: a.ignored + b.ignored,
        exhausted: a.exhausted + b.exhausted,
        lost: a.lost + b.lost,
        forged: a.forged + b.forged,
    }
}

impl Source {
    /// Reads lines with the filters; says how far off their times were, if so.
    pub(super) fn read_filters(
        &mut self,
        bytes: &[u8],
        moment: Moment,
        judge: &mut Judge<'_>,
    ) -> Option<Duration> {
        let Self { filters: Filters { scan, jails, .. }, last, last_match, .. } = self;
        if jails.is_empty() {
            return None;
        }
        let mut far = None;
        scan.read(bytes, moment.now, &mut |place, finding| {
            // Of an old line nobody knows when it was: now it was not.
            if finding.when.is_none() && !moment.live {
                return;
            }
            let at = moment.of(finding.when, *last, &mut far);
            *last = (*last).max(at);
            *last_match = Some(at);
            told(&jails[place], finding, at, judge);
        });
        far
    }

    /// Reads an entry of the journal with the filters: as the line it would be in a file, as
    /// fail2ban sees it.
    pub(super) fn read_entry(&mut self, record: &Record<'_>, when: Time, judge: &mut Judge<'_>) {
        let Self { filters: Filters { scan, jails, entry }, last_match, .. } = self;
        if jails.is_empty() {
            return;
        }
        entry_line(record, entry);
        scan.entry(entry, when, &mut |place, finding| {
            *last_match = Some(when);
            told(&jails[place], finding, when, judge);
        });
    }
}

/// A finding as a verdict, if it is about somebody with an address.
fn told(
    Listener { jail, labels, captures }: &Listener,
    finding: &Finding<'_>,
    at: Time,
    judge: &mut Judge<'_>,
) {
    let Who::Prefix(prefix) = finding.who else { return };
    let Some(pattern) = labels.get(finding.regex) else { return };
    let verdict = Verdict {
        at,
        addr: prefix.addr(),
        network: wide(*prefix),
        good: false,
        weight: 1,
        proved: 0,
        account: user(finding.story),
        spoofable: false,
        pattern: Cow::Borrowed(pattern),
        line: Line::new(finding.line.as_bytes()),
        captures: match captures {
            true => Captures::of(finding.story.fields.iter()),
            false => Captures::default(),
        },
    };
    judge.weigh(&[*jail], &verdict);
}

/// A network, if it is one.
fn wide(prefix: Prefix) -> Option<Prefix> {
    (!prefix.is_host()).then_some(prefix)
}

fn user(story: &Story) -> u64 {
    story.fields.get("user").map_or(0, |user| account(user.as_bytes()))
}
