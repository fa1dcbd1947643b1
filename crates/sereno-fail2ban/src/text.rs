//! Text that knows which line of which file each piece of it was written in.

use std::fmt;
use std::ops::Range;

/// Where a character was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which file; [`crate::Tree::problem`] knows its name.
    pub(crate) file: u32,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The column, from 1, in characters.
    pub(crate) column: u32,
}

/// Characters from mark to mark in a long line, so that a place in it is found without counting
/// from its beginning.
const STRETCH: usize = 256;

/// A text put together from pieces of files. It behaves like its characters; two of them are
/// equal if their characters are.
#[derive(Clone, Default)]
pub struct Text {
    text: String,
    /// Offset in bytes, and where the character there was written. In ascending order; what is
    /// before the first mark, or behind one without a place, was written by nobody.
    marks: Vec<(usize, Option<Place>)>,
}

impl Text {
    /// Text that stands in no file.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), marks: Vec::new() }
    }

    pub(crate) fn at(text: &str, place: Place) -> Self {
        let mut marks = vec![(0, Some(place))];
        for (column, (at, _)) in text.char_indices().enumerate().skip(STRETCH).step_by(STRETCH) {
            let column = place.column + column as u32;
            marks.push((at, Some(Place { column, ..place })));
        }
        Self { text: text.to_owned(), marks }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the character at byte `at` was written.
    #[must_use]
    pub fn place(&self, at: usize) -> Option<Place> {
        let next = self.marks.partition_point(|(begin, _)| *begin <= at);
        let (begin, place) = self.marks.get(next.checked_sub(1)?)?;
        let mut place = (*place)?;
        let between = self.text.get(*begin..at.min(self.text.len())).unwrap_or("");
        place.column += between.chars().count() as u32;
        Some(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn push(&mut self, other: &Text, range: Range<usize>) {
        let Some(piece) = other.text.get(range.clone()) else { return };
        if piece.is_empty() {
            return;
        }
        let base = self.text.len();
        self.marks.push((base, other.place(range.start)));
        let first = other.marks.partition_point(|(begin, _)| *begin <= range.start);
        let inside = other.marks.iter().skip(first).take_while(|(begin, _)| *begin < range.end);
        self.marks.extend(inside.map(|(begin, place)| (base + begin - range.start, *place)));
        self.text.push_str(piece);
    }

    pub(crate) fn push_all(&mut self, other: &Text) {
        self.push(other, 0..other.len());
    }

    pub(crate) fn push_str(&mut self, piece: &str) {
        self.push_asked(piece, None);
    }

    /// Adds what stands in no file; `place` is where it is asked for.
    pub(crate) fn push_asked(&mut self, piece: &str, place: Option<Place>) {
        self.marks.push((self.text.len(), place));
        self.text.push_str(piece);
    }

    /// A piece of it.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut out = Self::default();
        out.push(self, range.clone());
        if out.text.is_empty() {
            // Where something is missing is a place too.
            out.marks = vec![(0, self.place(range.start))];
        }
        out
    }

    /// A piece without the blanks around it.
    pub(crate) fn trimmed(&self, range: Range<usize>) -> Self {
        let Some(piece) = self.text.get(range.clone()) else { return Self::default() };
        let begin = range.start + (piece.len() - piece.trim_start_matches(is_blank).len());
        let end = range.start + piece.trim_end_matches(is_blank).len();
        self.slice(begin..end.max(begin))
    }

    /// The pieces between line breaks.
    #[must_use]
    pub fn lines(&self) -> Vec<Self> {
        self.split(|c| c == '\n')
    }

    /// The pieces between the characters for which `cut` holds, empty ones too.
    pub(crate) fn split(&self, cut: impl Fn(char) -> bool) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut begin = 0;
        for (at, c) in self.text.char_indices() {
            if cut(c) {
                pieces.push(self.slice(begin..at));
                begin = at + c.len_utf8();
            }
        }
        pieces.push(self.slice(begin..self.text.len()));
        pieces
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

/// What Python's `str.isspace` and its regular expressions' `\s` take for a blank: Unicode's, and
/// the four separators of ASCII.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `\w` of Python's regular expressions.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_remember_where_they_were_written() {
        let first = Text::at("año = x", Place { file: 0, line: 3, column: 1 });
        let second = Text::at("second", Place { file: 1, line: 9, column: 5 });
        let mut both = first.slice(1.."año = x".len());
        both.push_str("\n");
        both.push(&second, 3..6);
        let lines = both.lines();
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("ño = x", "ond"));
        assert_eq!(lines[0].place(3), Some(Place { file: 0, line: 3, column: 4 }));
        assert_eq!(lines[1].place(1), Some(Place { file: 1, line: 9, column: 9 }));
        assert_eq!(Text::plain("x").place(0), None);
    }

    #[test]
    fn blanks_are_pythons() {
        assert!(['\u{1f}', '\u{a0}', '\u{85}', '\u{2028}', '\t'].into_iter().all(is_blank));
        assert!(!is_blank('\u{200b}'));
        let text = Text::at(" \u{a0}x y ", Place { file: 0, line: 1, column: 1 });
        let trimmed = text.trimmed(0..text.len());
        assert_eq!((trimmed.as_str(), trimmed.place(0).map(|p| p.column)), ("x y", Some(3)));
    }
}
