//! Reading one source: blocks of lines in, hits out.
//!
//! The literal gate runs over the whole block at memory speed; only the lines it stops at are
//! taken apart. Asterisk writes messages with line breaks that a stranger chose, so for its
//! text formats a *record* is a line with a header and the lines without one that follow it.
//! A record that begins like a pattern but does not end like one is stitched to the records
//! behind it, as long as an automaton says that it can still become whole: if it does, what lies
//! inside was written by the stranger.

mod candidate;
mod ear;
mod frame;
mod stitch;
mod streak;

pub use ear::Ear;
pub(super) use frame::RECORD_BYTES;

use super::spec::Format;
use super::starts::Mask;
use super::{Found, Memory, Pattern, Rule};
use crate::line::{Dates, Headers, Record, Style, within};
use crate::time::Time;
use aho_corasick::{AhoCorasick, Input, MatchKind};
use candidate::Step;
use ear::{Out, Waiting};
use frame::{breaks, last_record};
use std::sync::Arc;
use streak::Streaks;

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
    /// The byte of the source up to which its text may go on, if a line break cut it.
    pub reach: u64,
    /// Whether it cannot be a part of another: an entry of the journal, or a line of JSON.
    pub alone: bool,
    /// What joins it to the lines of its session, once somebody worked that out.
    pub(in crate::rule) session: Option<u64>,
}

/// Bytes that are read in one block to find out whether records were cut: beyond it, those that
/// may have been are taken for it.
const STITCHED: usize = 2 << 20;

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
    /// How many of these are of one kind of lines that is not understood any more: of the last 128
    /// that begin alike, if fewer than one in ten matched.
    pub streak: u64,
}

/// The reader of one source.
#[derive(Debug)]
pub struct Scan {
    rules: Vec<Arc<Rule>>,
    memories: Vec<Memory>,
    gate: Option<AhoCorasick>,
    multiline: bool,
    headers: Headers,
    dates: Dates,
    counts: Counts,
    streaks: Streaks,
    number: Option<u64>,
    /// Bytes read before the current block.
    position: u64,
    /// How this log frames its records, by its first candidate. A line framed otherwise is
    /// text that somebody wrote.
    frame: Option<Style>,
    /// What is left of [`STITCHED`] in this block.
    stitches: usize,
    /// Up to this byte of the block no line has a header.
    loose: usize,
    /// The last line that was read before the gate was asked, and did not match.
    missed: Option<Missed>,
}

/// A line that nothing matched.
#[derive(Clone, Copy, Debug)]
struct Missed {
    position: u64,
    /// The patterns that begin as it does.
    kind: Mask,
    /// Whether it is of a program that rules care about.
    ours: bool,
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
            headers: Headers::default(),
            dates,
            counts: Counts::default(),
            streaks: Streaks::default(),
            number: None,
            position: 0,
            frame: None,
            stitches: STITCHED,
            loose: 0,
            missed: None,
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
        Counts { streak: self.streaks.longest(), ..self.counts }
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
        self.read_lines(block, behind, now, &mut Out::at_once(emit))
    }

    /// The same for somebody who wants to know what comes: hits are given in bursts.
    pub fn read_ahead(
        &mut self,
        block: &[u8],
        behind: Behind,
        now: Time,
        ear: &mut dyn Ear,
    ) -> usize {
        self.read_lines(block, behind, now, &mut Out::in_bursts(ear))
    }

    fn read_lines<'b>(
        &mut self,
        block: &'b [u8],
        behind: Behind,
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> usize {
        let end = if behind == Behind::More && self.multiline {
            last_record(block, self.frame, &self.headers)
        } else {
            block.len()
        };
        let block = &block[..end];
        (self.stitches, self.loose) = (STITCHED, 0);
        let (mut at, mut counted, mut used) = (0, 0, end);
        while at < block.len() {
            self.count_lines(block, &mut counted, at);
            if let Some(next) = self.alike(block, at, now, out) {
                self.counts.candidates += 1;
                at = next;
                continue;
            }
            let Some(hit) = self.next_candidate(block, at) else { break };
            let start = memchr::memrchr(b'\n', &block[at..hit]).map_or(at, |i| at + i + 1);
            self.counts.candidates += 1;
            self.count_lines(block, &mut counted, start);
            match self.candidate(block, start, behind, now, out) {
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
        out.flush(&self.rules);
        used
    }

    /// Counts the lines of a block before `start`, if lines are counted.
    fn count_lines(&mut self, block: &[u8], counted: &mut usize, start: usize) {
        if let Some(number) = &mut self.number {
            *number += breaks(&block[*counted..start]);
            *counted = start;
        }
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
        let place = Place {
            line: &record.text,
            when: Some(when),
            position: self.position,
            alone: true,
            gated: true,
            ..Place::default()
        };
        let record = within(record);
        self.matched(&record, &record.text, place, &mut |rules, found| {
            found.hit(rules, &record).into_iter().for_each(&mut *emit);
        });
    }

    fn next_candidate(&self, block: &[u8], at: usize) -> Option<usize> {
        match &self.gate {
            Some(gate) => gate.find(Input::new(block).span(at..block.len())).map(|m| m.start()),
            None => (at < block.len()).then_some(at),
        }
    }

    /// Matches the text of a record; says whether anything did.
    fn matched<'t>(
        &mut self,
        record: &Record<'_>,
        text: &'t [u8],
        place: Place<'t>,
        take: &mut dyn FnMut(&[Arc<Rule>], Waiting<'t>),
    ) -> bool {
        let place = Place { number: self.number.unwrap_or(0), ..place };
        let (mut any, mut cared, mut kind) = (false, false, 0);
        for (index, (rule, memory)) in self.rules.iter().zip(&mut self.memories).enumerate() {
            if !rule.cares(record) {
                continue;
            }
            cared = true;
            let (begins, hit) = rule.matched(record, text, memory);
            kind |= begins;
            if let Some((pattern, mut found)) = hit {
                any = true;
                found.times = found.times.saturating_mul(place.repeated.max(1));
                take(&self.rules, Waiting { rule: index, pattern, found, place });
            }
        }
        // A line whose program cannot be told might be ours: a header of another form.
        let ours = cared || record.program.is_empty() && record.style != Style::Json;
        if any {
            self.counts.hits += 1;
            self.streaks.note(kind, true);
        } else if place.gated {
            self.not_matched(kind, ours && !place.stitched);
        } else {
            self.missed = Some(Missed { position: place.position, kind, ours });
        }
        any
    }

    /// Counts a line that passed the gate, and that nothing matched.
    fn not_matched(&mut self, kind: Mask, ours: bool) {
        self.counts.unknown += u64::from(ours);
        if ours {
            self.streaks.note(kind, false);
        }
    }
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
    reach: u64,
    alone: bool,
    /// Whether the gate let it through.
    gated: bool,
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
        let Self { line, when, position, number, stitched, reach, alone, .. } = self;
        Hit {
            rule,
            pattern,
            found,
            record,
            when,
            line,
            number,
            position,
            stitched,
            reach,
            alone,
            session: None,
        }
    }
}
