//! One template against one line.

use super::chars::{after, word_at, word_before};
use super::scan::{self, Scan, Shapes};
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
    heads: Option<([usize; 3], Shapes)>,
}

impl<'l> Searcher<'l> {
    /// `anywhere` are the shapes whose templates look beyond the line's beginning.
    pub(super) const fn new(line: &'l str, anywhere: Shapes, decades: Decades) -> Self {
        Self { line, anywhere, decades, scan: None, heads: None }
    }

    pub(super) const fn line(&self) -> &'l str {
        self.line
    }

    /// A template's leftmost match.
    pub(super) fn whole(&mut self, template: &Template) -> Option<Match> {
        self.before(template, usize::MAX)
    }

    /// A template's leftmost match; perhaps none when that begins at `limit` or later.
    pub(super) fn before(&mut self, template: &Template, limit: usize) -> Option<Match> {
        match &template.matcher {
            Matcher::Shape(shape, Beginning::Line) => self.beginning(*shape),
            Matcher::Shape(shape, Beginning::Exact) => {
                self.heads().1.has(*shape).then(|| self.found(*shape, 0, 0))?
            }
            Matcher::Shape(shape, Beginning::Anywhere) => {
                let (line, anywhere, decades) = (self.line, self.anywhere, self.decades);
                let scan = self.scan.get_or_insert_with(|| Scan::new(line, 0, anywhere, decades));
                let start = if limit == usize::MAX {
                    scan.first(*shape)?
                } else {
                    scan.before(*shape, limit)?
                };
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
                let part = Searcher::new(text, self.anywhere, self.decades);
                let cut = word_at(text, start) && word_before(text, start);
                // At `start` where everything is as it was; its place needs no scan.
                let there = (shape.begins_with_a_word() && !cut)
                    .then(|| part.found(*shape, start, start))
                    .flatten();
                there.or_else(|| {
                    let wanted = Shapes::one(*shape);
                    let start = Scan::new(text, start, wanted, self.decades).first(*shape)?;
                    part.found(*shape, start, start)
                })
            }
        }
    }

    /// The line's beginning, the places after one and two characters that are no word's, and
    /// the shapes that could be there.
    fn heads(&mut self) -> ([usize; 3], Shapes) {
        *self.heads.get_or_insert_with(|| {
            let skip = |at| if word_at(self.line, at) { at } else { after(self.line, at) };
            let one = skip(0);
            let two = if one > 0 { skip(one) } else { 0 };
            let skips = [0, one, two];
            (skips, scan::heads(self.line, skips))
        })
    }

    /// After at most two characters that are no word's; the more the better.
    fn beginning(&mut self, shape: Shape) -> Option<Match> {
        let ([_, one, two], heads) = self.heads();
        if !heads.has(shape) {
            return None;
        }
        if two > one
            && let Some(found) = self.found(shape, 0, two)
        {
            return Some(found);
        }
        if one > 0
            && let Some(found) = self.found(shape, 0, one)
        {
            return Some(found);
        }
        self.found(shape, 0, 0)
    }

    fn found(&self, shape: Shape, start: usize, at: usize) -> Option<Match> {
        let end = shape::end(shape, self.line, at, self.decades)?;
        Some(Match { start, end, date: at..end, stamp: None })
    }
}
