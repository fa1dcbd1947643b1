//! Which template's date is taken: fail2ban's stateful search (`matchTime` of 1.0.2).
//!
//! The template that matched last is asked first, in the same place when what surrounds that
//! place has not changed. A match elsewhere is only kept in reserve while all others are asked
//! in their order, so that a date an attacker writes further right does not win. Templates that
//! match move up the order.

use super::search::{Match, Searcher};
use super::shape::Shape;
use super::template::{Beginning, Template};
use super::{Found, chars};
use crate::time::Time;
use std::time::Duration;

/// A template unused for so long gives way to any other.
const UNUSED: Duration = Duration::from_secs(300);

/// What a detector remembers of one reader's lines: some forty bytes per template.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The templates in their current order; empty before the first line.
    pub(super) slots: Vec<Slot>,
    last: Option<Last>,
    first_unused: usize,
    pub(super) memory: super::meaning::Memory,
}

/// One template's standing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) template: usize,
    /// The template's shape, to skip it without a look at the template.
    shape: Option<(Shape, Beginning)>,
    pub(super) hits: u32,
    used: Time,
    /// Characters before its last date.
    distance: usize,
}

/// The last date found; places count characters.
#[derive(Clone, Copy, Debug)]
struct Last {
    slot: usize,
    start: usize,
    end: usize,
    before: Option<char>,
    first: Option<char>,
    last: Option<char>,
    after: Option<char>,
}

impl State {
    /// Takes the detector's order on the first line.
    fn prepare(&mut self, templates: &[Template]) {
        if self.slots.is_empty() {
            let unused = |(template, known): (usize, &Template)| Slot {
                template,
                shape: known.matcher.shape(),
                hits: 0,
                used: Time(0),
                distance: 0x7fff_ffff,
            };
            self.slots = templates.iter().enumerate().map(unused).collect();
        }
    }
}

/// A match, its distance in characters and its slot.
type Reserve = (Match, usize, usize);

/// Finds a line's date and remembers it.
pub(super) fn find(
    templates: &[Template],
    searcher: &mut Searcher<'_>,
    state: &mut State,
    now: Time,
) -> Option<Found> {
    state.prepare(templates);
    let line = searcher.line();
    let mut round = Round { templates, searcher, state };
    let (won, distance, slot) = match round.again() {
        Again::Won(won, distance) => {
            let slot = round.state.last.map_or(0, |last| last.slot);
            (won, distance, slot)
        }
        Again::Search { reserve, skip } => round.all(reserve, skip)?,
    };
    let template = state.slots.get(slot)?.template;
    state.remember(templates, line, &won, (distance, slot), now);
    Some(Found { range: won.date, template, stamp: won.stamp })
}

enum Again {
    Won(Match, usize),
    Search { reserve: Option<Reserve>, skip: Option<usize> },
}

struct Round<'a, 'l> {
    templates: &'a [Template],
    searcher: &'a mut Searcher<'l>,
    state: &'a mut State,
}

impl Round<'_, '_> {
    /// Asks the template that matched last.
    fn again(&mut self) -> Again {
        let Some(last) = self.state.last else {
            return Again::Search { reserve: None, skip: None };
        };
        let template = &self.templates[self.state.slots[last.slot].template];
        let line = self.searcher.line();
        if template.anchored {
            return match self.searcher.whole(template) {
                // Where an anchored date begins is counted only to compare it with others.
                Some(found) => {
                    let distance = chars::count(line, found.start);
                    Again::Won(found, distance)
                }
                None => Again::Search { reserve: None, skip: Some(last.slot) },
            };
        }
        let (start, end) = (chars::offset(line, last.start), chars::offset(line, last.end));
        let same = last.same_place(line, start, end);
        let found = if same {
            let length = line.len();
            self.searcher.part(template, start.unwrap_or(length), end.unwrap_or(length))
        } else {
            self.searcher.whole(template)
        };
        let skip = (!same).then_some(last.slot);
        let Some(found) = found else { return Again::Search { reserve: None, skip } };
        let distance = chars::count(line, found.start);
        let there = Some(found.start) == start && Some(found.end) == end;
        if self.templates.len() == 1 || there {
            return Again::Won(found, distance);
        }
        Again::Search { reserve: Some((found, distance, last.slot)), skip }
    }

    /// Asks all templates in their order.
    fn all(&mut self, mut reserve: Option<Reserve>, skip: Option<usize>) -> Option<Reserve> {
        let near = self.state.last.map_or(1, |last| last.start);
        let line = self.searcher.line();
        // With something in reserve, what begins right of both it and the last date is refused,
        // except from the last template, which takes what there is.
        let limit = match &reserve {
            Some((kept, ..)) => {
                chars::offset(line, near).map_or(usize::MAX, |near| kept.start.max(near + 1))
            }
            None => usize::MAX,
        };
        let possible = self.searcher.possible(limit);
        let slots = self.state.slots.len();
        for (index, slot) in self.state.slots.iter().enumerate() {
            let ends = index + 1 == slots;
            let misses = |(shape, beginning)| !possible.has(shape, beginning);
            if skip == Some(index) || (!ends && slot.shape.is_some_and(misses)) {
                continue;
            }
            let template = &self.templates[slot.template];
            let Some(found) = self.searcher.whole(template) else { continue };
            let distance = chars::count(line, found.start);
            if ends || template.anchored || (distance <= slot.distance && distance <= near) {
                return Some((found, distance, index));
            }
            if reserve.as_ref().is_none_or(|(_, kept, _)| distance < *kept) {
                reserve = Some((found, distance, index));
            }
        }
        reserve
    }
}

impl State {
    fn remember(
        &mut self,
        templates: &[Template],
        line: &str,
        won: &Match,
        (distance, index): (usize, usize),
        now: Time,
    ) {
        let slot = &mut self.slots[index];
        slot.hits = slot.hits.saturating_add(1);
        slot.used = now;
        slot.distance = distance;
        let anchored = templates[slot.template].anchored;
        if self.first_unused == index {
            self.first_unused += 1;
        }
        let known = self.last.map(|last| last.slot);
        let moved =
            if index > 0 && known != Some(index) { self.reorder(templates, index) } else { index };
        self.last = Some(if anchored {
            // Its surroundings are never compared.
            Last { slot: moved, start: distance, ..Last::NOWHERE }
        } else {
            Last::of(line, won, distance, moved)
        });
    }

    fn weight(&self, templates: &[Template], index: usize) -> f64 {
        let slot = &self.slots[index];
        f64::from(slot.hits) * templates[slot.template].weight / slot.distance.max(1) as f64
    }

    /// Moves a template up: to the first unused place or half way, else by one, else not.
    fn reorder(&mut self, templates: &[Template], index: usize) -> usize {
        let weight = self.weight(templates, index);
        let unused_since = self.slots[index].used.minus(UNUSED);
        let gives_way = |state: &Self, to: usize| {
            weight > state.weight(templates, to) || unused_since > state.slots[to].used
        };
        let mut to = if self.first_unused < index { self.first_unused } else { index / 2 };
        if !gives_way(self, to) {
            if to + 1 == index {
                return index;
            }
            to = index - 1;
            if !gives_way(self, to) {
                return index;
            }
        }
        self.slots[to..=index].rotate_right(1);
        while self.slots.get(self.first_unused).is_some_and(|slot| slot.hits > 0) {
            self.first_unused += 1;
        }
        to
    }
}

impl Last {
    const NOWHERE: Self =
        Self { slot: 0, start: 0, end: 0, before: None, first: None, last: None, after: None };

    fn of(line: &str, won: &Match, distance: usize, slot: usize) -> Self {
        let around = Around::of(line, Some(won.start), Some(won.end));
        Self {
            slot,
            start: distance,
            end: distance + chars::count(&line[won.start..], won.end - won.start),
            before: around.before,
            first: around.first,
            // Python's index of -1: the last of the line stands before its beginning.
            last: if won.end == 0 { line.chars().next_back() } else { around.last },
            after: around.after,
        }
    }

    /// Whether what surrounds the place is what surrounded the last date: on either side the
    /// same character outside, or the same inside that is no letter and no digit.
    fn same_place(&self, line: &str, start: Option<usize>, end: Option<usize>) -> bool {
        let here = Around::of(line, start, end);
        let inside = |here: Option<char>, then: Option<char>| {
            here == then && then.is_none_or(|c| !chars::is_alphanumeric(c))
        };
        (here.before == self.before || inside(here.first, self.first))
            && (here.after == self.after || inside(here.last, self.last))
    }
}

/// The characters on both sides of a place's two ends.
struct Around {
    before: Option<char>,
    first: Option<char>,
    last: Option<char>,
    after: Option<char>,
}

impl Around {
    /// A place beyond the line's end has nothing around it.
    fn of(line: &str, start: Option<usize>, end: Option<usize>) -> Self {
        let ahead = |at: usize| line.get(at..)?.chars().next();
        let behind = |at: usize| line.get(..at)?.chars().next_back();
        Self {
            before: start.and_then(behind),
            first: start.and_then(ahead),
            last: end.and_then(behind),
            after: end.and_then(ahead),
        }
    }
}
