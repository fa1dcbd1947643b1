//! One template against one line.

use super::chars::{after, word_at, word_before};
use super::scan::{self, Shapes, Starts};
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
    pub(super) stamp: Stamp,
}

/// A line and what is known of it. The scan for dates anywhere happens once, when asked for.
pub(super) struct Searcher<'l> {
    line: &'l str,
    anywhere: Shapes,
    decades: Decades,
    starts: Option<Starts>,
}

impl<'l> Searcher<'l> {
    /// `anywhere` are the shapes whose templates look beyond the line's beginning.
    pub(super) const fn new(line: &'l str, anywhere: Shapes, decades: Decades) -> Self {
        Self { line, anywhere, decades, starts: None }
    }

    pub(super) const fn line(&self) -> &'l str {
        self.line
    }

    /// A template's leftmost match.
    pub(super) fn whole(&mut self, template: &Template) -> Option<Match> {
        match &template.matcher {
            Matcher::Shape(shape, Beginning::Line) => self.beginning(*shape),
            Matcher::Shape(shape, Beginning::Exact) => self.found(*shape, 0, 0),
            Matcher::Shape(shape, Beginning::Anywhere) => {
                let (line, anywhere, decades) = (self.line, self.anywhere, self.decades);
                let starts =
                    self.starts.get_or_insert_with(|| scan::starts(line, 0, anywhere, decades));
                let start = starts.of(*shape)?;
                self.found(*shape, start, start)
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
                let part = Searcher { line: text, starts: None, ..*self };
                let cut = word_at(text, start) && word_before(text, start);
                // At `start` where everything is as it was; its place needs no scan.
                let there = (shape.begins_with_a_word() && !cut)
                    .then(|| part.found(*shape, start, start))
                    .flatten();
                there.or_else(|| {
                    let starts = scan::starts(text, start, Shapes::one(*shape), self.decades);
                    let start = starts.of(*shape)?;
                    part.found(*shape, start, start)
                })
            }
        }
    }

    /// After at most two characters that are no word's; the more the better.
    fn beginning(&self, shape: Shape) -> Option<Match> {
        let skip = |at: usize| {
            let next = if word_at(self.line, at) { at } else { after(self.line, at) };
            (next > at).then_some(next)
        };
        if let Some(one) = skip(0) {
            if let Some(found) = skip(one).and_then(|two| self.found(shape, 0, two)) {
                return Some(found);
            }
            if let Some(found) = self.found(shape, 0, one) {
                return Some(found);
            }
        }
        self.found(shape, 0, 0)
    }

    fn found(&self, shape: Shape, start: usize, at: usize) -> Option<Match> {
        let (end, stamp) = shape::at(shape, self.line, at, self.decades)?;
        Some(Match { start, end, date: at..end, stamp })
    }
}
