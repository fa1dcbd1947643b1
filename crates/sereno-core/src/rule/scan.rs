//! Reading one source: blocks of lines in, hits out.
//!
//! The literal gate runs over the whole block at memory speed; only the lines it stops at are
//! taken apart. Asterisk writes messages with line breaks that a stranger chose, so for its
//! text formats a *record* is a line with a header and the lines without one that follow it.
//! A record that begins like a pattern but does not end like one is stitched to the records
//! behind it: if that makes it whole, what lies inside was written by the stranger.

use super::spec::Format;
use super::{Found, Memory, Pattern, Rule};
use crate::line::{Dates, Record, Style, parse, within, without_colours};
use crate::time::Time;
use aho_corasick::{AhoCorasick, Input, MatchKind};
use std::borrow::Cow;
use std::sync::Arc;

/// A record is at most this long and has at most this many lines.
const RECORD_BYTES: usize = 8 << 10;
const RECORD_LINES: usize = 32;

/// A line that matched.
#[derive(Debug)]
pub struct Hit<'a> {
    /// Which of the scan's rules.
    pub rule: usize,
    /// The rule's pattern.
    pub pattern: &'a Pattern,
    /// What it captured.
    pub found: Found<'a>,
    /// The record.
    pub record: &'a Record<'a>,
    /// When the line says it happened; `None` when it does not say or cannot mean it.
    pub when: Option<Time>,
    /// The record's bytes, without the last line break.
    pub line: &'a [u8],
    /// The number of its first line in the source, from 1; 0 unless lines are counted.
    pub number: u64,
    /// Where the record starts, in bytes read from this source.
    pub position: u64,
    /// Whether the record had to be stitched together: a stranger wrote line breaks.
    pub stitched: bool,
}

/// Tries in one block to make a record whole out of several: each costs as much as many lines.
const STITCHES: u32 = 256;

/// What comes behind a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Nothing: everything is read.
    Nothing,
    /// More, at once: the last record is held back, for it may go on.
    More,
    /// Perhaps more, some time: the last record is held back only when it began like one of
    /// ours and is not whole yet.
    Perhaps,
}

impl Behind {
    /// For a file that is read from one end to the other.
    #[must_use]
    pub fn block(last: bool) -> Self {
        if last { Self::Nothing } else { Self::More }
    }
}

/// What a scan has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that passed the gate.
    pub candidates: u64,
    /// Lines that matched a pattern.
    pub hits: u64,
    /// Lines that a rule cares about, pass the gate, and match nothing: a format that changed?
    pub unknown: u64,
    /// How many such lines came since the last that matched.
    pub streak: u64,
}

/// The reader of one source.
#[derive(Debug)]
pub struct Scan {
    rules: Vec<Arc<Rule>>,
    memories: Vec<Memory>,
    gate: Option<AhoCorasick>,
    multiline: bool,
    dates: Dates,
    counts: Counts,
    number: Option<u64>,
    /// Bytes read before the current block.
    position: u64,
    /// How this log frames its records, by its first candidate. A line framed otherwise is
    /// text that somebody wrote.
    frame: Option<Style>,
    /// Tries left in this block to make a record whole out of several.
    stitches: u32,
}

impl Scan {
    /// A reader with these rules; dates without a zone are read by `dates`.
    ///
    /// # Errors
    /// When the gate's automaton cannot be built.
    pub fn new(rules: Vec<Arc<Rule>>, dates: Dates) -> Result<Self, String> {
        let every = rules.iter().all(|rule| !rule.literals.is_empty());
        let literals: Vec<&[u8]> =
            rules.iter().flat_map(|r| &r.literals).map(Vec::as_slice).collect();
        let gate = if every && !literals.is_empty() {
            let built =
                AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&literals);
            Some(built.map_err(|e| e.to_string())?)
        } else {
            None
        };
        let multiline = rules.iter().any(|rule| rule.format == Format::Asterisk);
        let memories = rules.iter().map(|_| Memory::default()).collect();
        Ok(Self {
            rules,
            memories,
            gate,
            multiline,
            dates,
            counts: Counts::default(),
            number: None,
            position: 0,
            frame: None,
            stitches: STITCHES,
        })
    }

    /// The same reader, which also counts lines for [`Hit::number`].
    #[must_use]
    pub fn counting_lines(mut self) -> Self {
        self.number = Some(1);
        self
    }

    /// What has been seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The rules it reads with.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Reads whole lines. Returns how many bytes were used; the caller gives the rest again
    /// with what follows it, or with [`Behind::Nothing`].
    pub fn read(
        &mut self,
        block: &[u8],
        behind: Behind,
        now: Time,
        emit: &mut dyn FnMut(Hit<'_>),
    ) -> usize {
        let end = if behind == Behind::More && self.multiline {
            last_record(block, self.frame)
        } else {
            block.len()
        };
        let block = &block[..end];
        self.stitches = STITCHES;
        let (mut at, mut counted, mut used) = (0, 0, end);
        while at < block.len() {
            let Some(hit) = self.next_candidate(block, at) else { break };
            let start = memchr::memrchr(b'\n', &block[at..hit]).map_or(at, |i| at + i + 1);
            self.counts.candidates += 1;
            if let Some(number) = &mut self.number {
                *number += breaks(&block[counted..start]);
                counted = start;
            }
            match self.candidate(block, start, behind, now, emit) {
                Step::On(next) => at = next,
                Step::Open(head) => {
                    // Its lines are counted when they are given again.
                    if let Some(number) = &mut self.number {
                        *number -= breaks(&block[head..start]);
                    }
                    used = head;
                    break;
                }
            }
        }
        if let Some(number) = &mut self.number {
            let counted = counted.min(used);
            *number += breaks(&block[counted..used]);
        }
        self.position += used as u64;
        used
    }

    /// An entry of the journal: its fields are known, nothing has to be guessed, and whatever line
    /// breaks are in its text, it is one record.
    pub fn read_record(&mut self, record: &Record<'_>, when: Time, emit: &mut dyn FnMut(Hit<'_>)) {
        let gate = self.gate.as_ref();
        if gate.is_some_and(|gate| !gate.is_match(Input::new(&*record.text))) {
            return;
        }
        self.counts.candidates += 1;
        self.position += record.text.len() as u64;
        self.matched(
            &within(record),
            Place {
                line: &record.text,
                when: Some(when),
                position: self.position,
                ..Place::default()
            },
            emit,
        );
    }

    fn next_candidate(&self, block: &[u8], at: usize) -> Option<usize> {
        match &self.gate {
            Some(gate) => gate.find(Input::new(block).span(at..block.len())).map(|m| m.start()),
            None => (at < block.len()).then_some(at),
        }
    }

    /// Looks at the record around the line at `start`.
    fn candidate(
        &mut self,
        block: &[u8],
        start: usize,
        behind: Behind,
        now: Time,
        emit: &mut dyn FnMut(Hit<'_>),
    ) -> Step {
        let end = line_end(block, start);
        if self.multiline && self.frame.is_none() {
            self.frame = framing(&block[start..end]);
        }
        if !self.multiline || self.frame == Some(Style::Json) {
            self.one(block, (start, end), now, false, emit);
            return Step::On(end + 1);
        }
        let frame = self.frame;
        let head = head_of_record(block, start, frame);
        let (mut end, whole) = end_of_record(block, end, frame);
        let next = end + 1;
        if !whole {
            // Longer than any record is: who writes that much writes its end, too.
            self.counts.unknown += 1;
            self.forged(block, head, now, emit);
            return Step::On(next);
        }
        if self.one(block, (head, end), now, false, emit) || !self.begins(&block[head..end]) {
            return Step::On(next);
        }
        // Cut by a line break and followed by lines that have headers: whose are they?
        for _ in 0..RECORD_LINES {
            self.stitches = self.stitches.saturating_sub(1);
            if end - head > RECORD_BYTES || self.stitches == 0 {
                return Step::On(next);
            }
            if end + 1 >= block.len() {
                return if behind == Behind::Nothing { Step::On(next) } else { Step::Open(head) };
            }
            let (next_end, whole) = end_of_record(block, line_end(block, end + 1), frame);
            end = next_end;
            if !whole {
                return Step::On(next);
            }
            if self.one(block, (head, end), now, true, emit) {
                return Step::On(end + 1);
            }
        }
        Step::On(next)
    }

    /// Reports the first line of a record that is too long to be one, as a sign of forgery.
    fn forged(&mut self, block: &[u8], head: usize, now: Time, emit: &mut dyn FnMut(Hit<'_>)) {
        let line = &block[head..line_end(block, head)];
        let clean = without_colours(line);
        let record = parse(&clean);
        let when = record.stamp.and_then(|stamp| self.dates.resolve(stamp, now));
        let position = self.position + head as u64;
        let number = self.number.unwrap_or(0);
        let place = Place { line, when, position, number, stitched: true, repeated: 1 };
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(pattern) = rule.sign() {
                let found = Found { times: 1, ..Found::default() };
                emit(place.hit(index, pattern, found, &record));
            }
        }
    }

    fn begins(&self, line: &[u8]) -> bool {
        let line = without_colours(line);
        let record = parse(&line);
        self.rules.iter().any(|rule| rule.cares(&record) && rule.begins(&record))
    }

    /// Takes one record apart and matches it; says whether it matched.
    fn one(
        &mut self,
        block: &[u8],
        (start, end): (usize, usize),
        now: Time,
        stitched: bool,
        emit: &mut dyn FnMut(Hit<'_>),
    ) -> bool {
        let line = &block[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let clean = without_colours(line);
        let mut record = framed(parse(&clean), self.frame, &clean);
        if let Some(end) = record.text.strip_suffix(b"\n").map(<[u8]>::len) {
            record.text = Cow::Owned(record.text[..end].to_vec());
        }
        let repeated = unrepeat(&mut record);
        let when = record.stamp.and_then(|stamp| self.dates.resolve(stamp, now));
        let position = self.position + start as u64;
        self.matched(&record, Place { line, when, position, number: 0, stitched, repeated }, emit)
    }

    fn matched(
        &mut self,
        record: &Record<'_>,
        place: Place<'_>,
        emit: &mut dyn FnMut(Hit<'_>),
    ) -> bool {
        let place = Place { number: self.number.unwrap_or(0), ..place };
        let (mut any, mut cared) = (false, false);
        for (index, (rule, memory)) in self.rules.iter().zip(&mut self.memories).enumerate() {
            if !rule.cares(record) {
                continue;
            }
            cared = true;
            if let Some((pattern, mut found)) = rule.find(record, memory) {
                any = true;
                found.times = found.times.saturating_mul(place.repeated.max(1));
                emit(place.hit(index, pattern, found, record));
            }
        }
        self.counts.hits += u64::from(any);
        // A line whose program cannot be told might be ours: a header of another form.
        let ours = cared || record.program.is_empty() && record.style != Style::Json;
        let unknown = ours && !any && !place.stitched;
        self.counts.unknown += u64::from(unknown);
        self.counts.streak = if any { 0 } else { self.counts.streak + u64::from(unknown) };
        any
    }
}

/// Where reading goes on.
enum Step {
    /// At this byte.
    On(usize),
    /// The record that starts at this byte is not whole: when there is more.
    Open(usize),
}

/// What is known of a record besides itself.
#[derive(Clone, Copy, Debug, Default)]
struct Place<'a> {
    line: &'a [u8],
    when: Option<Time>,
    position: u64,
    number: u64,
    stitched: bool,
    repeated: u16,
}

impl<'a> Place<'a> {
    /// A hit at this place.
    fn hit(
        self,
        rule: usize,
        pattern: &'a Pattern,
        found: Found<'a>,
        record: &'a Record<'a>,
    ) -> Hit<'a> {
        let Self { line, when, position, number, stitched, .. } = self;
        Hit { rule, pattern, found, record, when, line, number, position, stitched }
    }
}

/// rsyslog folds equal lines into `message repeated N times: [ TEXT]`.
fn unrepeat(record: &mut Record<'_>) -> u16 {
    const HEAD: &[u8] = b"message repeated ";
    if record.style != Style::Syslog || !record.text.starts_with(HEAD) {
        return 1;
    }
    let rest = &record.text[HEAD.len()..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let times = std::str::from_utf8(&rest[..digits]).ok().and_then(|d| d.parse::<u16>().ok());
    let inner = rest[digits..].strip_prefix(b" times: [ ").and_then(|r| r.strip_suffix(b"]"));
    match (times, inner) {
        (Some(times), Some(inner)) => {
            record.text = Cow::Owned(inner.to_vec());
            times.clamp(1, 1000)
        }
        _ => 1,
    }
}

fn breaks(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The end of the line that starts at `start`, without its line break.
fn line_end(block: &[u8], start: usize) -> usize {
    let start = start.min(block.len());
    memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |i| start + i)
}

/// How a line of Asterisk's is framed; `None` when it is none.
fn framing(line: &[u8]) -> Option<Style> {
    let clean = without_colours(line);
    let record = parse(&clean);
    (!record.level.is_empty()).then_some(record.style)
}

/// The record, if it is framed as this log is; text otherwise.
fn framed<'a>(record: Record<'a>, frame: Option<Style>, line: &'a [u8]) -> Record<'a> {
    if frame.is_some_and(|frame| frame != record.style) {
        return Record { text: Cow::Borrowed(line), ..Record::default() };
    }
    record
}

/// Whether a line starts with a header of its own, as this log's lines do.
fn has_header(line: &[u8], frame: Option<Style>) -> bool {
    let clean;
    let line = match line.first() {
        Some(0x1b) => {
            clean = without_colours(line);
            &*clean
        }
        _ => line,
    };
    match line.first() {
        Some(b'[' | b'<' | b'{' | b'0'..=b'9' | b'A'..=b'Z') => {
            let style = parse(line).style;
            frame.map_or(style != Style::Bare, |frame| frame == style)
        }
        _ => false,
    }
}

/// Where the record starts to which the line at `start` belongs.
fn head_of_record(block: &[u8], start: usize, frame: Option<Style>) -> usize {
    let mut head = start;
    for _ in 0..RECORD_LINES {
        if head == 0
            || start - head > RECORD_BYTES
            || has_header(&block[head..line_end(block, head)], frame)
        {
            break;
        }
        head = memchr::memrchr(b'\n', &block[..head - 1]).map_or(0, |i| i + 1);
    }
    head
}

/// Where the record ends whose (so far) last line ends at `end`, and whether that is its end: a
/// record of too many lines or bytes is given up.
fn end_of_record(block: &[u8], mut end: usize, frame: Option<Style>) -> (usize, bool) {
    let limit = end.saturating_add(RECORD_BYTES);
    for _ in 0..RECORD_LINES {
        let next = end + 1;
        if next >= block.len() {
            return (end, true);
        }
        let next_end = line_end(block, next);
        if has_header(&block[next..next_end], frame) {
            return (end, true);
        }
        end = next_end;
        if end > limit {
            break;
        }
    }
    (end, false)
}

/// Where the last record of the block starts.
fn last_record(block: &[u8], frame: Option<Style>) -> usize {
    let body = block.strip_suffix(b"\n").unwrap_or(block);
    let start = memchr::memrchr(b'\n', body).map_or(0, |i| i + 1);
    let head = head_of_record(block, start, frame);
    // A block that is one record, or one without an end in sight, is read as it is.
    if head == 0 || block.len() - head > RECORD_BYTES { block.len() } else { head }
}
