//! The shapes of fail2ban's own date templates, each read by hand.
//!
//! [`at`] asks whether a date of one shape stands exactly at a place, and reads it as Python's
//! backtracking would: the alternatives of a field exclude each other once the literal after it
//! is known, so that one look ahead replaces the backtracking. Digits and letters are ASCII.

use super::pieces::{Case, Cursor, Hours};
use super::stamp::{Civil, Decades, Offset, Stamp};
use super::{epoch, zone};

/// A shape; the order is fail2ban's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Iso,
    Asctime,
    AsctimeYear,
    DayMonthYear,
    Apache,
    CPanel,
    MonthDayYear,
    Epoch,
    Clock,
    Angle,
    MySql,
    Tomcat,
    Assp,
    Compact,
    ZoneName,
    ZoneOffset,
    Tai64n,
    LongEpoch,
    /// ISO dates as the filters of nginx write them, with one `T` or blank.
    IsoStrict,
}

/// How many shapes there are.
pub(super) const SHAPES: usize = 19;

impl Shape {
    /// Whether only templates for a line's beginning have it; no scan finds it elsewhere.
    pub(super) const fn is_for_beginnings(self) -> bool {
        matches!(self, Self::Clock | Self::Angle | Self::Assp | Self::IsoStrict)
    }

    /// Whether fail2ban's template asks for the beginning of a word.
    pub(super) const fn begins_with_a_word(self) -> bool {
        !matches!(self, Self::Epoch | Self::LongEpoch | Self::Tai64n)
    }
}

/// Where a date of `shape` that starts at `at` ends. The boundaries of words on both sides are
/// part of the question; the text ends where `text` ends.
pub(super) fn end(shape: Shape, text: &str, at: usize, decades: Decades) -> Option<usize> {
    let mut c = Cursor { text, bytes: text.as_bytes(), at, decades };
    match shape {
        Shape::Epoch | Shape::LongEpoch => c.epoch(shape == Shape::LongEpoch)?,
        Shape::Tai64n => c.tai64n()?,
        // Read into a place nobody looks at: moving it would cost more than reading it.
        _ => c.civil(shape, &mut Civil::default())?,
    }
    Some(c.at)
}

/// What a date of `shape` says that starts at `at`, as [`end`] understood it.
pub(super) fn read(shape: Shape, text: &str, at: usize, decades: Decades) -> Option<Stamp> {
    let mut c = Cursor { text, bytes: text.as_bytes(), at, decades };
    match shape {
        Shape::Epoch | Shape::LongEpoch => {
            let long = shape == Shape::LongEpoch;
            c.epoch(long)?;
            epoch::value(text.get(at..c.at)?, long).map(Stamp::At)
        }
        Shape::Tai64n => {
            c.tai64n()?;
            epoch::tai64n(text.get(at + 1..c.at)?).map(Stamp::At)
        }
        _ => {
            let mut said = Civil::default();
            c.civil(shape, &mut said)?;
            Some(Stamp::Civil(said))
        }
    }
}

impl Cursor<'_> {
    fn civil(&mut self, shape: Shape, d: &mut Civil) -> Option<()> {
        match shape {
            Shape::Iso => self.iso(d, 2)?,
            Shape::IsoStrict => self.iso(d, 1)?,
            Shape::Asctime => self.asctime(d, false)?,
            Shape::AsctimeYear => self.asctime(d, true)?,
            Shape::DayMonthYear => self.day_month_year(d)?,
            Shape::Apache => self.apache(d)?,
            Shape::CPanel => {
                self.month_day(d, b'/')?;
                d.year = Some(self.year()?);
                self.one(b':')?;
                self.clock(d, Hours::Plain)?;
            }
            Shape::MonthDayYear => {
                self.month_day(d, b'-')?;
                d.year = Some(self.year()?);
                self.blanks()?;
                self.clock(d, Hours::Loose)?;
                self.fraction(b".");
            }
            Shape::Clock => self.clock(d, Hours::Plain)?,
            Shape::Angle => return self.angle(d),
            Shape::MySql => self.my_sql(d)?,
            Shape::Tomcat => self.tomcat(d)?,
            Shape::Assp => self.assp(d)?,
            Shape::Compact => self.compact(d)?,
            Shape::ZoneName => return self.zone_name(d),
            Shape::ZoneOffset => return self.zone_offset(d),
            Shape::Epoch | Shape::LongEpoch | Shape::Tai64n => return None,
        }
        self.ended().then_some(())
    }

    fn iso(&mut self, d: &mut Civil, blanks: u8) -> Option<()> {
        d.year = Some(self.year()?);
        let separator = self.any(b"-/.")?;
        d.month = self.month()?;
        self.one(separator)?;
        d.day = self.day()?;
        self.one(b'T').or_else(|| if blanks > 1 { self.blanks() } else { self.one(b' ') })?;
        self.clock(d, Hours::Plain)?;
        self.fraction_and_zone(d);
        Some(())
    }

    /// What ISO dates may end with; nothing taken that leaves a word cut in two.
    fn fraction_and_zone(&mut self, d: &mut Civil) {
        self.fraction(b".,");
        let mut c = *self;
        c.spaces();
        if let Some(offset) = c.zone(Case::Matters, Cursor::ended) {
            d.offset = offset;
            self.at = c.at;
        }
    }

    fn asctime(&mut self, d: &mut Civil, year: bool) -> Option<()> {
        self.weekday_and_month(d)?;
        d.day = self.day()?;
        if year {
            self.one(b' ')?;
            d.year = Some(self.year()?);
        }
        self.blanks()?;
        self.clock(d, Hours::Loose)?;
        self.fraction(b".");
        if !year {
            self.trailing_year(d);
        }
        Some(())
    }

    /// An optional day of the week, which says nothing that the date does not, and a month's
    /// name; a blank after either.
    fn weekday_and_month(&mut self, d: &mut Civil) -> Option<()> {
        let name = self.month_name();
        d.month = match name {
            Some(month) => month,
            None => {
                self.weekday()?;
                self.one(b' ')?;
                self.month_name()?
            }
        };
        self.one(b' ')
    }

    fn trailing_year(&mut self, d: &mut Civil) {
        let mut c = *self;
        if let Some(year) = c.one(b' ').and_then(|()| c.year())
            && c.ended()
        {
            d.year = Some(year);
            self.at = c.at;
        }
    }

    fn day_month_year(&mut self, d: &mut Civil) -> Option<()> {
        d.day = self.day()?;
        let separator = self.any(b"-/")?;
        d.month = self.month()?;
        self.one(separator)?;
        let short = self.bytes.get(self.at + 2) == Some(&b' ');
        d.year = Some(if short { self.short_year()? } else { self.year()? });
        self.blanks()?;
        self.clock(d, Hours::Loose)
    }

    fn apache(&mut self, d: &mut Civil) -> Option<()> {
        d.day = self.day()?;
        let separator = self.any(b"-/")?;
        d.month = self.month_name()?;
        self.one(separator)?;
        d.year = Some(self.year()?);
        self.any(b" :");
        self.clock(d, Hours::Plain)?;
        self.fraction(b".");
        let mut c = *self;
        if c.one(b' ').is_some()
            && let Some(offset) = c.zone(Case::Ignored, Cursor::ended)
        {
            d.offset = offset;
            self.at = c.at;
        }
        Some(())
    }

    fn month_day(&mut self, d: &mut Civil, separator: u8) -> Option<()> {
        d.month = self.month()?;
        self.one(separator)?;
        d.day = self.day()?;
        self.one(separator)
    }

    fn angle(&mut self, d: &mut Civil) -> Option<()> {
        self.one(b'<')?;
        self.month_day(d, b'/')?;
        d.year = Some(self.short_year()?);
        self.one(b'@')?;
        self.clock(d, Hours::Plain)?;
        self.one(b'>')
    }

    fn my_sql(&mut self, d: &mut Civil) -> Option<()> {
        d.year = Some(self.short_year()?);
        d.month = self.number(2).filter(|month| (1..=12).contains(month))? as u8;
        d.day = self.number(2).filter(|day| (1..=31).contains(day))? as u8;
        self.blanks()?;
        self.clock(d, Hours::Plain)
    }

    fn tomcat(&mut self, d: &mut Civil) -> Option<()> {
        d.month = self.month_name()?;
        self.one(b' ')?;
        d.day = self.day()?;
        self.one(b',')?;
        self.one(b' ')?;
        d.year = Some(self.year()?);
        self.one(b' ')?;
        self.clock(d, Hours::Twelve)?;
        self.one(b' ')?;
        let half = self.any(b"aApP")?.to_ascii_lowercase();
        self.any(b"mM")?;
        d.hour = d.hour % 12 + if half == b'p' { 12 } else { 0 };
        Some(())
    }

    fn assp(&mut self, d: &mut Civil) -> Option<()> {
        d.month = self.month_name()?;
        self.one(b'-')?;
        d.day = self.day()?;
        self.one(b'-')?;
        d.year = Some(self.short_year()?);
        self.blanks()?;
        self.clock(d, Hours::Loose)
    }

    fn compact(&mut self, d: &mut Civil) -> Option<()> {
        d.year = Some(self.year()?);
        d.month = self.number(2).filter(|month| (1..=12).contains(month))? as u8;
        d.day = self.number(2).filter(|day| (1..=31).contains(day))? as u8;
        self.one(b'T').or_else(|| self.blanks())?;
        d.hour = self.number(2).filter(|hour| *hour < 24)? as u8;
        d.minute = self.number(2).filter(|minute| *minute < 60)? as u8;
        d.second = self.number(2).filter(|second| *second < 62)? as u8;
        self.fraction_and_zone(d);
        Some(())
    }

    /// Asctime after a zone's name, which may also be any word of its length ("from Jan 1");
    /// without one when that does not fit.
    fn zone_name(&mut self, d: &mut Civil) -> Option<()> {
        let letters = self.bytes.get(self.at..)?.iter().take(6);
        let letters = letters.take_while(|b| b.is_ascii_alphabetic()).count();
        let name = self.text.get(self.at..self.at + letters)?;
        let named = matches!(letters, 3..=5) || name.eq_ignore_ascii_case("z");
        let mut c = Self { at: self.at + letters, ..*self };
        if named && c.one(b' ').is_some() && c.zoned(d, zone::offset(name)).is_some() {
            self.at = c.at;
            return Some(());
        }
        self.zoned(d, Offset::Unsaid)
    }

    fn zone_offset(&mut self, d: &mut Civil) -> Option<()> {
        let mut c = *self;
        if let Some(offset) = c.zone(Case::Ignored, |c| c.peek() == Some(b' ')) {
            c.at += 1;
            if c.zoned(d, offset).is_some() {
                self.at = c.at;
                return Some(());
            }
        }
        self.zoned(d, Offset::Unsaid)
    }

    fn zoned(&mut self, d: &mut Civil, offset: Offset) -> Option<()> {
        *d = Civil { offset, ..Civil::default() };
        self.asctime(d, false)?;
        self.ended().then_some(())
    }

    /// A run of digits of a length seconds have, or with `long` also milli- and microseconds.
    /// fail2ban's looks at what surrounds it (`[..]`, `audit(..:1)`) never refuse one, because
    /// each has an alternative that does not look.
    fn epoch(&mut self, long: bool) -> Option<()> {
        let digits = self.digits(18);
        let (fraction, least) = match digits {
            10 | 11 if long => (false, 0),
            10 | 11 => (true, 3),
            13 | 14 if long => (true, 1),
            16 | 17 if long => (false, 0),
            _ => return None,
        };
        self.at += digits;
        if !self.ended() {
            return None;
        }
        if fraction && self.peek() == Some(b'.') {
            let mut c = Self { at: self.at + 1, ..*self };
            let digits = c.digits(7);
            c.at += digits;
            if (least..=6).contains(&digits) && c.ended() {
                self.at = c.at;
            }
        }
        Some(())
    }

    /// The label of D. J. Bernstein's TAI64N: the seconds are the 15 digits after the first,
    /// taken as Unix time as fail2ban does, leap seconds and all.
    fn tai64n(&mut self) -> Option<()> {
        self.one(b'@')?;
        let label = self.text.get(self.at..self.at + 24)?;
        if !label.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        self.at += 24;
        self.ended().then_some(())
    }
}
