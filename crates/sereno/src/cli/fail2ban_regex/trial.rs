//! Lines tried one by one, and what is counted of them.

use super::args::Options;
use super::source::Sought;
use sereno_core::filter::date::Detector;
use sereno_core::filter::{Fields, Filter, Finding, Manner, Scan, Who};
use sereno_core::time::Time;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

/// Lines of a kind that are shown without being asked for.
const SHOWN: usize = 20;

/// What a line's failure is.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) regex: usize,
    who: Who,
    id: String,
    pub(super) when: Option<Time>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) matches: Vec<Arc<str>>,
    nofail: bool,
    /// Not the first of its line.
    pub(super) several: bool,
}

impl Found {
    fn of(finding: &Finding<'_>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            regex: finding.regex,
            who: finding.who.clone(),
            id: match finding.who {
                Who::Prefix(prefix) => prefix.to_string(),
                Who::Named(text) | Who::Other(text) => text.clone(),
                Who::Pending => "None".to_owned(),
            },
            when: finding.when,
            fields: finding.story.fields.iter().map(own).collect(),
            matches: finding.story.matches().to_vec(),
            nofail: finding.story.is_no_failure(),
            several: false,
        }
    }

    /// Whom it is about.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The address, if whom it is about is something else.
    pub(super) fn ip(&self) -> &str {
        let addr = self.field("ip4").or_else(|| self.field("ip6"));
        addr.filter(|_| matches!(self.who, Who::Other(_))).unwrap_or(&self.id)
    }

    pub(super) fn family(&self) -> &'static str {
        match self.ip().parse() {
            Ok(IpAddr::V4(_)) => "inet4",
            Ok(IpAddr::V6(_)) => "inet6",
            Err(_) => "None",
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The failures of the addresses that a name has; none if it has none.
    fn resolved(self) -> Vec<Self> {
        let Who::Named(name) = &self.who else { return vec![self] };
        let mut all: Vec<IpAddr> = (name.as_str(), 0)
            .to_socket_addrs()
            .map(|found| found.map(|addr| addr.ip()).collect())
            .unwrap_or_default();
        all.sort();
        all.dedup();
        all.into_iter().map(|addr| Self { id: addr.to_string(), ..self.clone() }).collect()
    }
}

/// Lines of one kind: how many, and those that are shown.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) count: u64,
    pub(super) lines: Vec<String>,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) tested: u64,
    pub(super) matched: Kept,
    pub(super) ignored: Kept,
    pub(super) missed: Kept,
    pub(super) prefix: u64,
    /// What the prefregex captured, if that is asked for.
    pub(super) prefixes: Vec<Fields>,
    pub(super) failures: Vec<u64>,
    /// The failures of each expression, if that is asked for.
    pub(super) found: Vec<Vec<Found>>,
    pub(super) ignores: Vec<u64>,
}

/// A filter that is tried.
pub(super) struct Trial<'o> {
    options: &'o Options,
    pub(super) scan: Scan,
    place: usize,
    now: Time,
    /// Whether dates are looked for.
    pub(super) dated: bool,
    /// Whether a prefregex is asked.
    pub(super) prefixed: bool,
    /// How many lines are looked at together.
    together: usize,
    pub(super) tally: Tally,
    /// Lines of a kind that are shown without being asked for: as in fail2ban, `-L` says it too.
    pub(super) shown: usize,
}

impl<'o> Trial<'o> {
    pub(super) fn new(options: &'o Options, sought: &Sought, filter: Filter, now: Time) -> Self {
        let manner = match (&options.out, options.first) {
            (Some(_), _) => Manner::Keep,
            (None, true) => Manner::First,
            (None, false) => Manner::Every,
        };
        let mut scan = Scan::new();
        let place = scan.add_as(Arc::new(filter), manner);
        let failures = sought.failures.len();
        Self {
            options,
            scan,
            place,
            now,
            dated: true,
            prefixed: sought.prefix.is_some(),
            together: lines(options, sought) as usize,
            tally: Tally {
                failures: vec![0; failures],
                found: vec![Vec::new(); failures],
                ignores: vec![0; sought.ignored.len()],
                ..Tally::default()
            },
            shown: if options.maxlines > 0 { options.maxlines as usize } else { SHOWN },
        }
    }

    /// The dates' standing.
    pub(super) fn dates(&self) -> Option<(&Detector, &sereno_core::filter::date::State)> {
        self.scan.dates(self.place).filter(|_| self.dated)
    }

    /// Tries a line; gives its failures, unless the line is ignored.
    pub(super) fn line(&mut self, line: &str) -> Vec<Found> {
        self.try_out(line, None)
    }

    /// Tries an entry of the journal, of which is known when it was written; `shown` is how it is
    /// shown.
    pub(super) fn entry(&mut self, line: &[u8], when: Time, shown: &str) -> Vec<Found> {
        self.try_out(shown, Some((line, when)))
    }

    fn try_out(&mut self, line: &str, entry: Option<(&[u8], Time)>) -> Vec<Found> {
        let several = self.together > 1;
        let waiting = self.scan.waiting(self.place).filter(|_| several);
        let mut waiting: Vec<String> = waiting.map(str::to_owned).collect();
        if several && waiting.len() >= self.together {
            // It makes room for the new one.
            waiting.remove(0);
        }
        let mut told = Vec::new();
        let mut tell = |_: usize, one: &Finding<'_>| told.push(Found::of(one));
        match entry {
            Some((entry, when)) => self.scan.entry(entry, when, &mut tell),
            None => self.scan.line(line.as_bytes(), self.now, &mut tell),
        }
        if !self.options.raw {
            told = told.into_iter().flat_map(Found::resolved).collect();
        }
        if self.options.out.is_some() {
            return told;
        }
        let mut ignored = false;
        let mut all: Vec<Found> = Vec::new();
        for mut one in told {
            one.several = all.len() > 1;
            self.tally.failures[one.regex] += 1;
            if self.options.verbose > 0 {
                self.tally.found[one.regex].push(one.clone());
            }
            if one.nofail {
                ignored = true;
            } else {
                all.push(one);
            }
        }
        ignored |= self.traced();
        if several {
            self.joined(&waiting);
        }
        self.count(line, ignored, all.is_empty());
        all
    }

    /// Counts what the prefregex and the ignoreregex made of the line; whether it is ignored.
    fn traced(&mut self) -> bool {
        let Some(trace) = self.scan.trace(self.place) else { return false };
        if self.prefixed
            && let Some(fields) = &trace.prefix
        {
            self.tally.prefix += 1;
            if self.options.verbose > 0 && self.tally.prefixes.len() < self.shown {
                self.tally.prefixes.push(fields.clone());
            }
        }
        for index in &trace.ignored {
            self.tally.ignores[*index] += 1;
        }
        !trace.ignored.is_empty()
    }

    /// Lines that waited and wait no more were missed too early: they belong to a match.
    fn joined(&mut self, waiting: &[String]) {
        let left: Vec<&str> = self.scan.waiting(self.place).collect();
        for line in waiting.iter().filter(|line| !left.contains(&line.as_str())) {
            let tally = &mut self.tally;
            if let Some(at) = tally.missed.lines.iter().position(|missed| missed == line) {
                tally.missed.lines.remove(at);
            }
            if self.options.all_matched {
                tally.matched.lines.push(line.clone());
            }
            tally.matched.count += 1;
            tally.missed.count = tally.missed.count.saturating_sub(1);
        }
    }

    fn count(&mut self, line: &str, ignored: bool, none: bool) {
        let (options, tally) = (self.options, &mut self.tally);
        tally.tested += 1;
        let (kept, never, always) = match (ignored, none) {
            (true, _) => (&mut tally.ignored, options.no_ignored, options.all_ignored),
            (false, false) => (&mut tally.matched, !options.all_matched, true),
            (false, true) => (&mut tally.missed, options.no_missed, options.all_missed),
        };
        kept.count += 1;
        if !never && (always || kept.count <= self.shown as u64 + 1) {
            kept.lines.push(line.to_owned());
        }
    }
}

/// How many lines are looked at together.
pub(super) fn lines(options: &Options, sought: &Sought) -> u32 {
    if options.maxlines > 0 { options.maxlines } else { sought.maxlines.unwrap_or(1) }.max(1)
}
