//! What is done with a line that passed the gate: finding the record around it, and out whether
//! that is one.

use super::ear::Out;
use super::frame::{
    RECORD_BYTES, TEXT_BYTES, end_of_record, framed, framing, head_of_record, line_end, seam,
};
use super::stitch::Open;
use super::{Behind, Place, Scan};
use crate::line::{Record, Style, parse, without_colours};
use crate::time::Time;
use std::borrow::Cow;

/// Where reading goes on.
pub(super) enum Step {
    /// At this byte.
    On(usize),
    /// The record that starts at this byte is not whole: when there is more.
    Open(usize),
}

impl Scan {
    /// Looks at the record around the line at `start`.
    pub(super) fn candidate<'b>(
        &mut self,
        block: &'b [u8],
        start: usize,
        behind: Behind,
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> Step {
        let end = line_end(block, start);
        if let Some(missed) = self.missed.take()
            && missed.position == self.position + start as u64
        {
            self.not_matched(missed.kind, missed.ours);
            return Step::On(end + 1);
        }
        if self.multiline && self.frame.is_none() {
            self.frame = framing(&block[start..end]);
        }
        if !self.multiline || self.frame == Some(Style::Json) || start < self.loose {
            self.one(block, (start, end), now, false, out);
            return Step::On(end + 1);
        }
        let frame = self.frame;
        // Most records are one line and have no colours: then they are taken apart once.
        let line = &block[start..end];
        let plain = !line.ends_with(b"\r") && memchr::memchr(0x1b, line).is_none();
        let record = plain.then(|| self.headers.parse(line));
        let record = record.filter(|record| Some(record.style) == frame);
        let head = if record.is_some() {
            start
        } else {
            head_of_record(block, start, frame, &self.headers)
        };
        let first = end;
        let end = end_of_record(block, end, frame, &self.headers);
        if end - head > TEXT_BYTES
            && let Some(seam) = seam(block, head, frame, &self.headers)
        {
            return self.seamed(block, (head, seam), now, out);
        }
        if end - head > RECORD_BYTES {
            return self.endless(block, (head, start, first, end), now, out);
        }
        let next = Step::On(end + 1);
        let matches = match record {
            Some(record) if end == first => self.record(record, (line, start), now, false, out),
            _ => self.one(block, (head, end), now, false, out),
        };
        if matches {
            return next;
        }
        match self.opened(&block[head..end]) {
            Some(open) => self.stitch(block, (head, end), open, behind, now, out),
            None => next,
        }
    }

    /// Reads a line that begins as the line before it did, though the gate was not asked: where
    /// attacks come one behind the other, asking costs more than it saves. Says where the next line
    /// begins if it matched; otherwise the gate has to be asked whether it counts as a candidate.
    pub(super) fn alike<'b>(
        &mut self,
        block: &'b [u8],
        start: usize,
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> Option<usize> {
        if self.multiline || self.gate.is_none() {
            return None;
        }
        let known = self.headers.again(&block[start..])?;
        // The gate sees what was written, colours and all.
        let end = memchr::memchr2(b'\n', 0x1b, &block[start..]).map_or(block.len(), |i| start + i);
        let line = &block[start..end];
        if line.ends_with(b"\r") || block.get(end) == Some(&0x1b) {
            return None;
        }
        let mut record = Record::default();
        self.headers.rest(line, known, &mut record)?;
        let place = Place { gated: false, ..self.place(&mut record, (line, start), now, false) };
        if !self.placed(&record, place, out) {
            return None;
        }
        out.keep(record, &self.rules);
        Some(end + 1)
    }

    /// A record that was cut for its length. The next follows on the same line.
    fn seamed<'b>(
        &mut self,
        block: &'b [u8],
        (head, seam): (usize, usize),
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> Step {
        if !self.one(block, (head, seam), now, false, out) {
            let open = self.opened(&block[head..seam]);
            self.cut(block, head, seam, open, now, out);
        }
        Step::On(seam)
    }

    /// Lines without headers, more than any record has.
    fn endless<'b>(
        &mut self,
        block: &'b [u8],
        (head, start, first, end): (usize, usize, usize, usize),
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> Step {
        let open = self.opened(&block[head..first]);
        if open.is_some() {
            self.cut(block, head, end, open, now, out);
            return Step::On(end + 1);
        }
        // Nobody knows where it began: its lines are read for what they are.
        self.loose = end;
        self.one(block, (start, first), now, false, out);
        Step::On(first + 1)
    }

    /// Cut by a line break and followed by lines that have headers: whose are they?
    fn stitch<'b>(
        &mut self,
        block: &'b [u8],
        (head, first): (usize, usize),
        mut open: Open,
        behind: Behind,
        now: Time,
        out: &mut Out<'b, '_>,
    ) -> Step {
        let mut end = first;
        loop {
            if end - head > RECORD_BYTES || self.stitches == 0 {
                let seam = seam(block, head, self.frame, &self.headers);
                if seam.is_some() || self.stitches == 0 {
                    let reach = seam.unwrap_or(head + RECORD_BYTES);
                    self.cut(block, head, reach, Some(open), now, out);
                }
                return Step::On(seam.unwrap_or(first + 1));
            }
            if end + 1 >= block.len() {
                let closed = behind == Behind::Nothing;
                return if closed { Step::On(first + 1) } else { Step::Open(head) };
            }
            let more = end_of_record(block, line_end(block, end + 1), self.frame, &self.headers);
            let text = without_colours(&block[end + 1..more]);
            self.stitches = self.stitches.saturating_sub(text.len());
            end = more;
            // As `one` takes the end of a record.
            let whole = text.strip_suffix(b"\r").unwrap_or(&text);
            let whole = whole.strip_suffix(b"\n").unwrap_or(whole);
            if !open.read(&self.rules, &mut self.memories, whole) {
                return Step::On(first + 1);
            }
            if open.arrived(&self.rules, &mut self.memories)
                && self.one(block, (head, end), now, true, out)
            {
                return Step::On(end + 1);
            }
            let rest = [&text[whole.len()..], b"\n"];
            if !rest.into_iter().all(|rest| open.read(&self.rules, &mut self.memories, rest)) {
                return Step::On(first + 1);
            }
        }
    }

    /// The patterns that a record may be the beginning of.
    fn opened(&mut self, line: &[u8]) -> Option<Open> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let clean = without_colours(line);
        let record = framed(self.headers.parse(&clean), self.frame, &clean);
        Open::of(&self.rules, &mut self.memories, &record)
    }

    /// Reports a record that was cut and whose end is not to be believed, up to `reach`.
    fn cut<'b>(
        &mut self,
        block: &'b [u8],
        head: usize,
        reach: usize,
        open: Option<Open>,
        now: Time,
        out: &mut Out<'b, '_>,
    ) {
        self.counts.unknown += 1;
        let Some(open) = open else { return };
        let line = &block[head..line_end(block, head).min(reach)];
        let clean = without_colours(line);
        let record = framed(parse(&clean), self.frame, &clean);
        let place = Place {
            line,
            when: record.stamp.and_then(|stamp| self.dates.resolve(stamp, now)),
            position: self.position + head as u64,
            number: self.number.unwrap_or(0),
            stitched: true,
            repeated: 1,
            reach: self.position + reach as u64,
            alone: false,
            gated: true,
        };
        for (rule, pattern, found) in open.signs(&self.rules, &record.text) {
            out.give(place.hit(rule, pattern, found, &record), &self.rules);
        }
    }

    /// Takes one record apart and matches it; says whether it matched.
    fn one<'b>(
        &mut self,
        block: &'b [u8],
        (start, end): (usize, usize),
        now: Time,
        stitched: bool,
        out: &mut Out<'b, '_>,
    ) -> bool {
        let line = &block[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let place = (line, start);
        match without_colours(line) {
            Cow::Borrowed(clean) => {
                let record = self.framed(clean);
                self.record(record, place, now, stitched, out)
            }
            Cow::Owned(clean) => {
                let mut record = self.framed(&clean);
                let place = self.place(&mut record, place, now, stitched);
                self.at_once(&record, place, out)
            }
        }
    }

    /// Takes a line apart that may be text in another's record.
    fn framed<'a>(&mut self, clean: &'a [u8]) -> Record<'a> {
        let record = self.headers.parse(clean);
        if self.frame.is_some() { framed(record, self.frame, clean) } else { record }
    }

    /// Matches a record that was taken apart, of the line that starts there; says whether it
    /// matched.
    #[inline]
    fn record<'b>(
        &mut self,
        mut record: Record<'b>,
        line: (&'b [u8], usize),
        now: Time,
        stitched: bool,
        out: &mut Out<'b, '_>,
    ) -> bool {
        let place = self.place(&mut record, line, now, stitched);
        let any = self.placed(&record, place, out);
        if any {
            out.keep(record, &self.rules);
        }
        any
    }

    /// Matches a record of which it is known where it stands.
    fn placed<'b>(&mut self, record: &Record<'b>, place: Place<'b>, out: &mut Out<'b, '_>) -> bool {
        match &record.text {
            Cow::Borrowed(text) if out.gathers() => {
                self.matched(record, text, place, &mut |_, waiting| out.gather(waiting))
            }
            _ => self.at_once(record, place, out),
        }
    }

    /// Matches a record that nobody can keep.
    fn at_once(&mut self, record: &Record<'_>, place: Place<'_>, out: &mut Out<'_, '_>) -> bool {
        self.matched(record, &record.text, place, &mut |rules, waiting| {
            let hit = waiting.hit(rules, record);
            hit.into_iter().for_each(|hit| out.give(hit, rules));
        })
    }

    /// What is known of a record besides itself. Takes off what does not belong to its text.
    fn place<'l>(
        &mut self,
        record: &mut Record<'_>,
        (line, start): (&'l [u8], usize),
        now: Time,
        stitched: bool,
    ) -> Place<'l> {
        if let Some(end) = record.text.strip_suffix(b"\n").map(<[u8]>::len) {
            record.text = Cow::Owned(record.text[..end].to_vec());
        }
        let repeated = unrepeat(record);
        let when = record.stamp.and_then(|stamp| self.dates.resolve(stamp, now));
        let position = self.position + start as u64;
        let reach = position + RECORD_BYTES as u64;
        let alone = self.frame == Some(Style::Json);
        Place { line, when, position, number: 0, stitched, repeated, reach, alone, gated: true }
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
