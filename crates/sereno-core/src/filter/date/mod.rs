//! Dates anywhere in a line, found as fail2ban finds them.
//!
//! A [`Detector`] holds the templates of one `datepattern` and the zone; a [`State`] what is
//! remembered of one reader's lines. [`Detector::find`] says which part of a line is its date
//! (a jail's expressions see the line without it), [`Detector::time`] what it means. The peer
//! is fail2ban 1.0.2 (`server/datedetector.py`, `datetemplate.py`, `strptime.py`), whose
//! answers these are, second by second, with these exceptions, all on purpose:
//!
//! * Digits are ASCII, and so are the letters of names: a date in Arabic digits, or `ſep` with
//!   a long s, is none. No log has them, only attackers' text does.
//! * Where fail2ban stumbles over an exception of Python's (an unknown zone's name, a month
//!   without a day, an hour of a clock with twelve whose half was not written, a year before 1
//!   by its zone, a TAI64N label after 9999) the date has no time, as a thirteenth hour has none.
//! * Of the hour that happens twice when summer time ends, fail2ban takes one or the other by
//!   what was asked before; here it is the later, unless that has not come yet.
//! * `%ExY` takes the years from 2000 to the decade three years from the detector's making, as
//!   in a fail2ban started then.
//! * `{DEFAULT}` beside other lines adds fail2ban's own templates, as its manual has it; in
//!   1.0.2 the line is without effect, by a slip.
//! * Expressions that look around elsewhere than at their ends, refer back to more than one
//!   character or repeat possessively are refused.

mod bounds;
mod chars;
mod civil;
mod custom;
mod detect;
mod epoch;
mod expression;
mod fields;
mod glance;
mod meaning;
mod pattern;
mod pieces;
mod scan;
mod search;
mod shape;
mod stamp;
mod template;
mod zone;

pub use detect::State;
pub use zone::Zone;

use crate::time::Time;
pub use crate::wrong::Wrong;
use glance::Shapes;
use search::Searcher;
use stamp::{Decades, Stamp};
use std::ops::Range;
use template::{Matcher, Template};

/// All templates of one `datepattern`, and where dates without a zone are at home.
#[derive(Debug)]
pub struct Detector {
    templates: Vec<Template>,
    anywhere: Shapes,
    decades: Decades,
    zone: Zone,
}

/// A date in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes to cut out of the line. Empty when the template finds lines that need no
    /// date (`{NONE}`): they happened now, or when the line before them did.
    pub range: Range<usize>,
    /// Which template found it; see [`Detector::templates`].
    pub template: usize,
    /// What a custom template read; shapes are read when they are asked for.
    stamp: Option<Box<Stamp>>,
}

/// A template and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing<'a> {
    /// As fail2ban prints it.
    pub name: &'a str,
    /// As it was written, its fields unreplaced; `None` for Epoch and TAI64N.
    pub pattern: Option<&'a str>,
    /// Which template it is, whatever its place in the order.
    pub template: usize,
    /// How many lines' dates it found.
    pub hits: u32,
    /// What a hit counts for when templates are ordered: 100 or 1.
    pub weight: f64,
}

impl Detector {
    /// The templates of a `datepattern`, one per line; fail2ban's own without one. `now` says
    /// which years are near enough for `%ExY`.
    ///
    /// # Errors
    /// When a line is no pattern, or two are the same.
    pub fn new(datepattern: Option<&str>, zone: Zone, now: Time) -> Result<Self, Wrong> {
        let decades = Decades::from(now);
        let templates = pattern::templates(datepattern.unwrap_or_default(), decades)?;
        let anywhere = templates.iter().fold(Shapes::default(), |all, one| one.anywhere(all));
        Ok(Self { templates, anywhere, decades, zone })
    }

    /// The date of a line (without its line end) that is read at `now`.
    pub fn find(&self, state: &mut State, line: &str, now: Time) -> Option<Found> {
        let mut searcher = Searcher::new(line, self.anywhere, self.decades);
        detect::find(&self.templates, &mut searcher, state, now)
    }

    /// When a date that was found in `line`, read at `now`, was; `None` for one no calendar
    /// has, and for an empty one. Whole seconds, except of an epoch with a fraction.
    pub fn time(&self, state: &mut State, found: &Found, line: &str, now: Time) -> Option<Time> {
        if found.range.is_empty() {
            return None;
        }
        let stamp = match (&found.stamp, &self.templates.get(found.template)?.matcher) {
            (Some(stamp), _) => **stamp,
            (None, Matcher::Shape(shape, _)) => {
                let text = line.get(..found.range.end)?;
                shape::read(*shape, text, found.range.start, self.decades)?
            }
            (None, Matcher::Custom(_)) => return None,
        };
        meaning::time(&stamp, &self.zone, &mut state.memory, now)
    }

    /// The templates in the order `state` has brought them into.
    pub fn templates<'a>(
        &'a self,
        state: &'a State,
    ) -> impl ExactSizeIterator<Item = Standing<'a>> + 'a {
        (0..self.templates.len()).map(|place| {
            let (template, hits) =
                state.slots.get(place).map_or((place, 0), |slot| (slot.template, slot.hits));
            let known = &self.templates[template];
            Standing {
                name: &known.name,
                pattern: known.pattern.as_deref(),
                template,
                hits,
                weight: known.weight,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    const NOW: Time = Time::from_secs(1_795_357_400);

    fn detector(pattern: Option<&str>) -> Result<Detector, Wrong> {
        Detector::new(pattern, Zone::machine(TimeZone::UTC), NOW)
    }

    fn date_and_time(pattern: Option<&str>, line: &str) -> Option<(String, Option<String>)> {
        let detector = detector(pattern).unwrap();
        let mut state = State::default();
        let found = detector.find(&mut state, line, NOW)?;
        let time = detector.time(&mut state, &found, line, NOW);
        Some((line[found.range].to_owned(), time.map(|time| time.to_string())))
    }

    #[test]
    fn dates_of_many_styles_are_cut_out_and_understood() {
        for (line, date, time) in [
            ("Nov 22 14:22:38 host", "Nov 22 14:22:38", "2026-11-22T14:22:38Z"),
            ("[Dec 31 14:22:38] host", "Dec 31 14:22:38", "2025-12-31T14:22:38Z"),
            (
                "2026-11-22T15:22:38.5+01:00 x",
                "2026-11-22T15:22:38.5+01:00",
                "2026-11-22T14:22:38Z",
            ),
            (
                "10.0.0.1 - [22/Nov/2026:15:22:38 +0100] x",
                "22/Nov/2026:15:22:38 +0100",
                "2026-11-22T14:22:38Z",
            ),
            ("type=A msg=audit(1795357358.123:9): x", "1795357358.123", "2026-11-22T14:22:38.123Z"),
            ("14:22:38 x", "14:22:38", "2026-11-22T14:22:38Z"),
            ("23:22:38 x", "23:22:38", "2026-11-21T23:22:38Z"),
        ] {
            let expected = Some((date.to_owned(), Some(time.to_owned())));
            assert_eq!(date_and_time(None, line), expected, "{line}");
        }
        assert_eq!(date_and_time(None, "no date at all"), None);
        let thirteenth = date_and_time(None, "2026-02-30 14:22:38 x");
        assert_eq!(thirteenth, Some(("2026-02-30 14:22:38".to_owned(), None)));
    }

    #[test]
    fn a_pattern_may_say_that_there_is_no_date() {
        for line in ["", "some text"] {
            assert_eq!(date_and_time(Some("{NONE}"), line), Some((String::new(), None)));
        }
    }

    #[test]
    fn the_default_templates_can_follow_ones_own() {
        let both = detector(Some("%H~%M\n{DEFAULT}")).unwrap();
        let count = |detector: &Detector| detector.templates(&State::default()).len();
        assert_eq!(count(&both), count(&detector(None).unwrap()) + 1);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let place = |text: &str| {
            let wrong = detector(Some(text)).unwrap_err();
            (text[wrong.at..wrong.at + wrong.width].to_owned(), wrong.message)
        };
        assert_eq!(
            place("%H:%M\n  50% %H"),
            ("%".into(), "this '%' begins no field of a date".into())
        );
        assert_eq!(place("%H:%M\n (%H\n").0, "(%H");
        assert_eq!(place("%H\n%H"), ("%H".into(), "this template is already there".into()));
    }

    #[test]
    fn detectors_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Detector>();
    }

    proptest! {
        #[test]
        fn no_line_and_no_pattern_break_it(
            lines in proptest::collection::vec(".{0,60}|[0-9A-Z:/ @\\[.+-]{0,60}", 1..6),
            pattern in proptest::option::of("[%{}()\\[\\]a-zE\\\\^$*?+|<=!:\n -]{0,20}"),
            now in any::<i64>(),
        ) {
            let Ok(detector) = detector(pattern.as_deref()) else { return Ok(()) };
            let mut state = State::default();
            for line in &lines {
                if let Some(found) = detector.find(&mut state, line, Time(now)) {
                    prop_assert!(line.get(found.range.clone()).is_some());
                    let _ = detector.time(&mut state, &found, line, Time(now));
                }
            }
        }
    }
}
