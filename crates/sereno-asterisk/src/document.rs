//! One file: its lines, without comments, and what they say.

use crate::line::{Says, Wrong, says};
use std::ops::Range;

/// Bytes that Asterisk takes in at once: those of its buffer without the closing zero.
const CHUNK: usize = 8191;
/// Comments within comments at most (`MAX_NESTED_COMMENTS`).
const NESTED: i32 = 128;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    unended: Option<usize>,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which one it is, from 1.
    pub number: usize,
    /// Where it stands in the file, its end of line included.
    pub range: Range<usize>,
    /// What it says.
    pub says: Says,
}

/// A byte that counts, and where it stands in the file.
pub(crate) type Kept = (u8, usize);

impl Document {
    /// Takes a file apart.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Self {
        let mut reading = Reading { bytes: &bytes, comment: 0, opened: Vec::new() };
        let mut lines = Vec::new();
        let (mut at, mut number, mut number_at) = (0, 1, 0);
        while at < bytes.len() {
            let range = chunk(&bytes, at);
            number += breaks(&bytes[number_at..range.start]);
            number_at = range.start;
            let (range, says) = reading.line(range, number);
            at = range.end;
            lines.push(Line { number, range, says });
        }
        // What was opened first hides all that follows.
        let unended = (reading.comment != 0).then(|| reading.opened.first().copied().unwrap_or(1));
        Self { bytes, lines, unended }
    }

    /// The file, as it was read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The line from which on all is a comment that does not end.
    #[must_use]
    pub fn unended(&self) -> Option<usize> {
        self.unended
    }
}

fn breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

/// What is taken in at once from there on.
fn chunk(bytes: &[u8], at: usize) -> Range<usize> {
    let most = bytes.len().min(at + CHUNK);
    let end = bytes[at..most].iter().position(|b| *b == b'\n').map_or(most, |n| at + n + 1);
    at..end
}

struct Reading<'b> {
    bytes: &'b [u8],
    /// How many comments of several lines are open. Less than none after an end without a beginning.
    comment: i32,
    /// The lines in which they began.
    opened: Vec<usize>,
}

impl Reading<'_> {
    /// What a chunk says, and up to where it was taken in with it.
    fn line(&mut self, range: Range<usize>, number: usize) -> (Range<usize>, Says) {
        if self.is_long(&range) {
            return (range.start..self.skip(range.end), Says::Wrong(Wrong::Long));
        }
        match self.uncommented(range.clone(), number) {
            Ok(Some(kept)) => (range, says(&kept)),
            Ok(None) => (range, Says::Nothing),
            Err(wrong) => (range, Says::Wrong(wrong)),
        }
    }

    /// What Asterisk sees of a chunk: a zero ends it.
    fn seen(&self, range: &Range<usize>) -> Range<usize> {
        let zero = self.bytes[range.clone()].iter().position(|b| *b == 0);
        range.start..zero.map_or(range.end, |n| range.start + n)
    }

    fn is_long(&self, range: &Range<usize>) -> bool {
        let seen = self.seen(range);
        seen.len() == CHUNK && self.bytes.get(seen.end - 1) != Some(&b'\n')
    }

    /// Up to where a line goes that does not fit in a chunk.
    fn skip(&self, mut at: usize) -> usize {
        while at < self.bytes.len() {
            let range = chunk(self.bytes, at);
            at = range.end;
            if !self.is_long(&range) {
                break;
            }
        }
        at
    }

    /// What is left of a line without its comments; `None`: nothing. `;` begins one to the end of the line,
    /// `;--` one to `--;`, and those nest; `\;` is a semicolon.
    fn uncommented(
        &mut self,
        range: Range<usize>,
        number: usize,
    ) -> Result<Option<Vec<Kept>>, Wrong> {
        let seen = self.seen(&range);
        let mut line: Vec<Kept> = seen.map(|at| (self.bytes[at], at)).collect();
        if range.start == 0 && self.bytes.starts_with(MARK) {
            line.drain(..MARK.len().min(line.len()));
        }
        let byte = |line: &[Kept], at: usize| line.get(at).map_or(0, |(b, _)| *b);
        let mut kept = (self.comment == 0).then(Vec::new);
        // Where the text begins that is not in `kept` yet.
        let mut open = (self.comment == 0).then_some(0);
        let mut from = 0;
        while let Some(at) = line[from..].iter().position(|(b, _)| *b == b';').map(|n| from + n) {
            let before = |n: usize| at >= from + n && byte(&line, at - n) == b'-';
            let begins = byte(&line, at + 1) == b'-' && byte(&line, at + 2) == b'-';
            if at > from && byte(&line, at - 1) == b'\\' {
                line.remove(at - 1);
                from = at;
            } else if begins && byte(&line, at + 3) != b'-' {
                if self.comment >= NESTED {
                    return Err(Wrong::Nested);
                }
                take(&mut kept, &line, open.take(), at);
                self.comment += 1;
                self.opened.push(number);
                from = at + 3;
            } else if before(1) && before(2) {
                self.comment -= 1;
                self.opened.pop();
                from = at + 1;
                if self.comment == 0 {
                    kept.get_or_insert_default();
                    open = Some(from);
                }
            } else if self.comment == 0 {
                take(&mut kept, &line, open.take(), at);
                break;
            } else {
                from = at + 1;
            }
        }
        take(&mut kept, &line, open, line.len());
        Ok(kept)
    }
}

/// Keeps what was open up to there.
fn take(kept: &mut Option<Vec<Kept>>, line: &[Kept], open: Option<usize>, end: usize) {
    if let (Some(kept), Some(open)) = (kept, open) {
        kept.extend_from_slice(&line[open.min(end)..end]);
    }
}
