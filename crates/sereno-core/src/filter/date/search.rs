//! One template against one line.

use super::chars::{after, word_at, word_before};
use super::glance::{self, Shapes};
use super::scan::Scan;
use super::shape::{self, Shape};
use super::stamp::{Decades, Stamp};
use super::template::{Beginning, Matcher, Template};
use std::ops::Range;

/// A template's match; places count bytes.
#[derive(Clone, Debug)]
pub(super) struct Match {
    /// The whole match.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What is cut out of the line.
    pub(super) date: Range<usize>,
    /// What a custom template read; a shape is read when it is asked for.
    pub(super) stamp: Option<Box<Stamp>>,
}

/// A line and what is known of it. What looks at more than one place happens once, when it is
/// asked for.
pub(super) struct Searcher<'l> {
    line: &'l str,
    anywhere: Shapes,
    decades: Decades,
    scan: Option<Scan<'l>>,
    heads: Option<Shapes>,
    bracket: Option<(usize, Shapes)>,
}

impl<'l> Searcher<'l> {
    /// `anywhere` are the shapes whose templates look beyond the line's beginning.
    pub(super) const fn new(line: &'l str, anywhere: Shapes, decades: Decades) -> Self {
        Self { line, anywhere, decades, scan: None, heads: None, bracket: None }
    }

    pub(super) const fn line(&self) -> &'l str {
        self.line
    }

    /// What the line could hold, without looking for dates anywhere that begin at `limit` or
    /// later.
    pub(super) fn possible(&mut self, limit: usize) -> Possible {
        let anywhere = self.scan().all(limit);
        Possible { line: self.heads(), bracket: self.bracket().1, anywhere }
    }

    fn scan(&mut self) -> &mut Scan<'l> {
        let (line, anywhere, decades) = (self.line, self.anywhere, self.decades);
        self.scan.get_or_insert_with(|| Scan::new(line, 0, anywhere, decades))
    }

    /// A template's leftmost match.
    pub(super) fn whole(&mut self, template: &Template) -> Option<Match> {
        match &template.matcher {
            Matcher::Shape(shape, Beginning::Line) => self.beginning(*shape),
            Matcher::Shape(shape, Beginning::Exact) => self.found(*shape, 0, 0),
            Matcher::Shape(shape, Beginning::Bracket) => {
                let (inside, shapes) = self.bracket();
                shapes.has(*shape).then(|| self.found(*shape, 0, inside))?
            }
            Matcher::Shape(shape, Beginning::Anywhere) => {
                let (start, end) = self.scan().first(*shape)?;
                Some(Match { start, end, date: start..end, stamp: None })
            }
            Matcher::Custom(custom) => custom.search(self.line, 0, self.line.len()),
        }
    }

    /// A template's leftmost match in a part of the line; what follows the part is not seen.
    pub(super) fn part(&self, template: &Template, start: usize, end: usize) -> Option<Match> {
        let text = self.line.get(..end)?;
        match &template.matcher {
            Matcher::Custom(custom) => custom.search(text, start, end),
            Matcher::Shape(shape, _) => {
                let part = Searcher::new(text, self.anywhere, self.decades);
                let cut = word_at(text, start) && word_before(text, start);
                // At `start` where everything is as it was; its place needs no scan.
                let there = (shape.begins_with_a_word() && !cut)
                    .then(|| part.found(*shape, start, start))
                    .flatten();
                there.or_else(|| {
                    let wanted = Shapes::one(*shape);
                    let mut scan = Scan::new(text, start, wanted, self.decades);
                    let (start, end) = scan.first(*shape)?;
                    Some(Match { start, end, date: start..end, stamp: None })
                })
            }
        }
    }

    /// The shapes that could be at the line's beginning.
    fn heads(&mut self) -> Shapes {
        *self.heads.get_or_insert_with(|| glance::heads(self.line, skips(self.line)))
    }

    /// The place after the line's first `[`, and the shapes that could be there.
    fn bracket(&mut self) -> (usize, Shapes) {
        *self.bracket.get_or_insert_with(|| {
            let bytes = self.line.as_bytes();
            match memchr::memchr(b'[', bytes) {
                Some(at) => (at + 1, glance::glance(bytes, at + 1)),
                None => (0, Shapes::default()),
            }
        })
    }

    /// After at most two characters that are no word's; the more the better.
    fn beginning(&self, shape: Shape) -> Option<Match> {
        let [one, two] = skips(self.line);
        let second = (two > one).then(|| self.found(shape, 0, two)).flatten();
        let first = || (one > 0).then(|| self.found(shape, 0, one)).flatten();
        second.or_else(first).or_else(|| self.found(shape, 0, 0))
    }

    fn found(&self, shape: Shape, start: usize, at: usize) -> Option<Match> {
        let end = shape::end(shape, self.line, at, self.decades)?;
        Some(Match { start, end, date: at..end, stamp: None })
    }
}

/// The shapes a line could hold, by where they would begin.
pub(super) struct Possible {
    line: Shapes,
    bracket: Shapes,
    anywhere: Shapes,
}

impl Possible {
    pub(super) const fn has(&self, shape: Shape, beginning: Beginning) -> bool {
        match beginning {
            Beginning::Line | Beginning::Exact => self.line.has(shape),
            Beginning::Bracket => self.bracket.has(shape),
            Beginning::Anywhere => self.anywhere.has(shape),
        }
    }
}

/// The places after one and two characters that are no word's; 0 and the first where there are
/// none.
fn skips(line: &str) -> [usize; 2] {
    let skip = |at| if word_at(line, at) { at } else { after(line, at) };
    let one = skip(0);
    [one, if one > 0 { skip(one) } else { 0 }]
}
