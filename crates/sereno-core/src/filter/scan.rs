//! One source read with one or several filters, which share the work of finding dates and of
//! passing over what matters to none of them.

use super::date::{Detector, State};
use super::reader::{Counts, Cut, Finding, Reader};
use super::trial::{Manner, Trace};
use super::{Encoding, Filter, gate};
use crate::line::Record;
use crate::time::Time;
use aho_corasick::AhoCorasick;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How long the last date stands in for one that is missing.
const RECENT: Duration = Duration::from_secs(60);

/// The reader of one source.
#[derive(Debug, Default)]
pub struct Scan {
    /// Filters that look for the same dates, together.
    clocks: Vec<Clock>,
    filters: usize,
    lines: u64,
}

/// Filters with the same dates, and the same characters.
#[derive(Debug)]
struct Clock {
    dates: Arc<Detector>,
    encoding: Encoding,
    state: State,
    last: Option<Time>,
    gate: Option<AhoCorasick>,
    /// With its place among all filters.
    readers: Vec<(usize, Reader)>,
    /// Room for a line without its date.
    rest: String,
}

impl Scan {
    /// A reader without filters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a filter; gives its place. With `every`, all expressions are tried on each line, and
    /// what is no failure is told as well: for those who test filters.
    pub fn add(&mut self, filter: Arc<Filter>, every: bool) -> usize {
        self.add_as(filter, if every { Manner::Every } else { Manner::Guard })
    }

    /// Adds a filter that looks at lines in this manner; gives its place.
    pub fn add_as(&mut self, filter: Arc<Filter>, manner: Manner) -> usize {
        let place = self.filters;
        self.filters += 1;
        let (dates, encoding) = (Arc::clone(&filter.dates), filter.encoding);
        let alike =
            |clock: &&mut Clock| Arc::ptr_eq(&clock.dates, &dates) && clock.encoding == encoding;
        let same = self.clocks.iter_mut().find(alike);
        let reader = (place, Reader::new(filter, manner));
        match same {
            Some(clock) => clock.readers.push(reader),
            None => self.clocks.push(Clock {
                dates,
                encoding,
                state: State::default(),
                last: None,
                gate: None,
                readers: vec![reader],
                rest: String::new(),
            }),
        }
        for clock in &mut self.clocks {
            clock.gate = gate::union(clock.readers.iter().map(|(_, reader)| reader.gate()));
        }
        place
    }

    /// Whether there is no filter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters == 0
    }

    /// What a filter has seen so far.
    #[must_use]
    pub fn counts(&self, place: usize) -> Counts {
        self.reader(place).map_or_else(Counts::default, Reader::counts)
    }

    fn reader(&self, place: usize) -> Option<&Reader> {
        let mut readers = self.clocks.iter().flat_map(|clock| &clock.readers);
        readers.find(|(own, _)| *own == place).map(|(_, reader)| reader)
    }

    /// What the filter at `place` made of the last line, if it does not look at lines as a guard.
    #[must_use]
    pub fn trace(&self, place: usize) -> Option<&Trace> {
        self.reader(place).map(Reader::trace)
    }

    /// The lines that wait for others to come, where the filter at `place` looks at several
    /// together.
    pub fn waiting(&self, place: usize) -> impl Iterator<Item = &str> {
        self.reader(place).into_iter().flat_map(Reader::waiting)
    }

    /// Lines read so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How often which template found dates, for the filter at `place`.
    #[must_use]
    pub fn dates(&self, place: usize) -> Option<(&Detector, &State)> {
        let own = |clock: &&Clock| clock.readers.iter().any(|(own, _)| *own == place);
        self.clocks.iter().find(own).map(|clock| (&*clock.dates, &clock.state))
    }

    /// Reads whole lines at `now`; tells what each filter found.
    pub fn read(&mut self, block: &[u8], now: Time, emit: &mut dyn FnMut(usize, &Finding<'_>)) {
        let mut rest = block;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.line(&rest[..end], now, emit);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// Reads one line, without its line break.
    pub fn line(&mut self, line: &[u8], now: Time, emit: &mut dyn FnMut(usize, &Finding<'_>)) {
        self.lines += 1;
        let plain = text(line);
        for clock in &mut self.clocks {
            if clock.encoding == Encoding::default() {
                clock.line(&plain, self.lines, now, emit);
            } else {
                clock.line(&clock.encoding.text(ended(line)), self.lines, now, emit);
            }
        }
    }

    /// Reads a line of which is known when it was written, such as an entry of the journal.
    pub fn entry(&mut self, line: &[u8], when: Time, emit: &mut dyn FnMut(usize, &Finding<'_>)) {
        self.lines += 1;
        let line = text(line);
        for clock in &mut self.clocks {
            clock.last = Some(when);
            let cut = Cut {
                whole: &line,
                rest: &line,
                first: 0,
                only: true,
                when: Some(when),
                now: when,
                number: self.lines,
            };
            clock.tell(cut, emit);
        }
    }
}

/// An entry of the journal as the line it would be in a file, without its date: what fail2ban makes of
/// it.
pub fn entry_line(record: &Record<'_>, line: &mut Vec<u8>) {
    let name = if record.tag.is_empty() { record.program } else { record.tag };
    line.clear();
    for (text, behind) in [(record.host, &b" "[..]), (name, b"")] {
        line.extend_from_slice(text);
        line.extend_from_slice(if text.is_empty() { b"" } else { behind });
    }
    if !record.pid.is_empty() {
        line.push(b'[');
        line.extend_from_slice(record.pid);
        line.push(b']');
    }
    line.extend_from_slice(if name.is_empty() { b"" } else { b": " });
    line.extend_from_slice(&record.text);
}

/// A line as Python reads it: what is no UTF-8 is replaced, and the line's end is off.
fn text(line: &[u8]) -> Cow<'_, str> {
    Encoding::default().text(ended(line))
}

/// A line without its end.
fn ended(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    line.get(..end).unwrap_or_default()
}

impl Clock {
    fn line(
        &mut self,
        line: &str,
        number: u64,
        now: Time,
        emit: &mut dyn FnMut(usize, &Finding<'_>),
    ) {
        let found = self.dates.find(&mut self.state, line, now);
        let recent = |last: &Time| now.since(*last) < RECENT;
        let Some(found) = found else {
            let when = self.last.filter(recent);
            return self.tell(
                Cut { whole: line, rest: line, first: 0, only: true, when, now, number },
                emit,
            );
        };
        if found.range.is_empty() {
            let when = self.last.filter(recent).or(Some(now));
            return self.tell(
                Cut { whole: line, rest: line, first: 0, only: true, when, now, number },
                emit,
            );
        }
        let (before, behind) = (&line[..found.range.start], &line[found.range.end..]);
        let mut joined = std::mem::take(&mut self.rest);
        let rest = if before.is_empty() {
            behind
        } else {
            joined.clear();
            joined.push_str(before);
            joined.push_str(behind);
            &joined
        };
        let passes = self.passes(rest);
        let when = self.dates.time(&mut self.state, &found, line, now);
        let when = when.or(self.last.filter(recent));
        self.last = when.or(self.last);
        if let Some(first) = passes {
            let only = self.readers.len() == 1;
            let cut = Cut { whole: line, rest, first, only, when, now, number };
            for (place, reader) in &mut self.readers {
                reader.take(cut, &mut |one| emit(*place, one));
            }
        }
        self.rest = joined;
    }

    fn tell(&mut self, cut: Cut<'_>, emit: &mut dyn FnMut(usize, &Finding<'_>)) {
        let Some(first) = self.passes(cut.rest) else { return };
        let only = self.readers.len() == 1;
        for (place, reader) in &mut self.readers {
            reader.take(Cut { first, only, ..cut }, &mut |one| emit(*place, one));
        }
    }

    /// Where what can matter begins; `None` if nothing can.
    fn passes(&self, rest: &str) -> Option<usize> {
        match &self.gate {
            Some(gate) => gate.find(rest).map(|found| found.start()),
            None => Some(0),
        }
    }
}
