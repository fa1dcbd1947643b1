//! The shapes of fail2ban's own date templates, each read by hand.
//!
//! [`at`] asks whether a date of one shape stands exactly at a place, and reads it as Python's
//! backtracking would: the alternatives of a field exclude each other once the literal after it
//! is known, so that one look ahead replaces the backtracking. Digits and letters are ASCII.

use super::chars::{is_space, word_at, word_before};
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

/// A reader; after `None` its place means nothing, except where a method says otherwise.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    decades: Decades,
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

    /// As much white space as there is.
    fn spaces(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let space = match byte {
                b'!'..=b'~' => return,
                _ => self.text.get(self.at..).and_then(|rest| rest.chars().next()),
            };
            match space.filter(|space| is_space(*space)) {
                Some(space) => self.at += space.len_utf8(),
                None => return,
            }
        }
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

const MONTHS: [u32; 12] = letters([
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
]);
const WEEKDAYS: [u32; 7] = letters([b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"]);

/// Three bytes as one number, letters in lower case.
fn three_letters(bytes: &[u8]) -> Option<u32> {
    let [a, b, c] = *bytes.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]) | 0x20_2020)
}

/// Whether the first three letters are a month's or a weekday's.
pub(super) fn names_a_day(bytes: &[u8]) -> bool {
    three_letters(bytes).is_some_and(|name| MONTHS.contains(&name) || WEEKDAYS.contains(&name))
}

/// Names as [`three_letters`] reads them.
const fn letters<const N: usize>(names: [&[u8; 3]; N]) -> [u32; N] {
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        let [a, b, c] = *names[at];
        out[at] = u32::from_le_bytes([a, b, c, 0]);
        at += 1;
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Matters,
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hours {
    /// 0 to 23.
    Plain,
    /// 0 to 29; what is over 23 is no time, but still a date.
    Loose,
    /// 1 to 12.
    Twelve,
}

/// The pieces of dates.
impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn digit(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).filter(|b| b.is_ascii_digit()).map(|b| b - b'0')
    }

    /// Takes nothing when it is another byte.
    fn one(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Takes nothing when it is another byte.
    fn any(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// One or two blanks.
    fn blanks(&mut self) -> Option<()> {
        self.one(b' ')?;
        self.one(b' ');
        Some(())
    }

    /// How many digits stand here, at most `most`.
    fn digits(&self, most: usize) -> usize {
        (0..most).take_while(|ahead| self.digit(*ahead).is_some()).count()
    }

    fn number(&mut self, digits: usize) -> Option<i16> {
        let mut value = 0;
        for ahead in 0..digits {
            value = value * 10 + i16::from(self.digit(ahead)?);
        }
        self.at += digits;
        Some(value)
    }

    fn year(&mut self) -> Option<i16> {
        self.number(4).filter(|year| self.decades.holds(*year))
    }

    fn short_year(&mut self) -> Option<i16> {
        self.number(2).map(|year| year + 2000)
    }

    /// One digit, or two that start with one of `tens`; what follows is never a digit.
    fn short(&mut self, tens: std::ops::RangeInclusive<u8>, most: u8) -> Option<u8> {
        let first = self.digit(0)?;
        let Some(second) = self.digit(1) else {
            self.at += 1;
            return Some(first);
        };
        let value = first * 10 + second;
        if !tens.contains(&first) || value > most {
            return None;
        }
        self.at += 2;
        Some(value)
    }

    /// 1 to 31, with a zero or a blank before a single digit or nothing.
    fn day(&mut self) -> Option<u8> {
        if self.peek() == Some(b' ') {
            let day = self.digit(1).filter(|day| *day > 0 && self.digit(2).is_none())?;
            self.at += 2;
            return Some(day);
        }
        self.short(0..=3, 31).filter(|day| *day > 0)
    }

    fn month(&mut self) -> Option<u8> {
        self.short(0..=1, 12).filter(|month| *month > 0)
    }

    fn month_name(&mut self) -> Option<u8> {
        let name = three_letters(self.bytes.get(self.at..)?)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        Some(month as u8 + 1)
    }

    fn weekday(&mut self) -> Option<()> {
        let name = three_letters(self.bytes.get(self.at..)?)?;
        WEEKDAYS.contains(&name).then(|| self.at += 3)
    }

    fn clock(&mut self, d: &mut Civil, hours: Hours) -> Option<()> {
        d.hour = match hours {
            Hours::Plain => self.short(0..=2, 23)?,
            Hours::Loose => self.short(0..=2, 29)?,
            Hours::Twelve => self.short(0..=1, 12).filter(|hour| *hour > 0)?,
        };
        self.one(b':')?;
        d.minute = self.short(0..=5, 59)?;
        self.one(b':')?;
        d.second = self.short(0..=6, 61)?;
        Some(())
    }

    /// A point and one to six digits that end a word; nothing taken otherwise. Its value counts
    /// for nothing: fail2ban's times are whole seconds.
    fn fraction(&mut self, points: &[u8]) {
        if !self.peek().is_some_and(|point| points.contains(&point)) {
            return;
        }
        let mut c = Self { at: self.at + 1, ..*self };
        let digits = c.digits(7);
        c.at += digits;
        // What may follow without a word's end between is a zone's letter, which only ISO has.
        let ended = c.ended() || points.len() > 1 && c.zone(Case::Matters, Cursor::ended).is_some();
        if (1..=6).contains(&digits) && ended {
            self.at += 1 + digits;
        }
    }

    /// `Z`, `UTC`, `GMT` or an offset, of which `fits` says whether it may end there.
    fn zone(&mut self, case: Case, fits: impl Fn(&Self) -> bool) -> Option<Offset> {
        let sign = match self.peek()? {
            b'+' => 1,
            b'-' => -1,
            _ => return self.zone_letters(case, fits),
        };
        let (tens, hours) = (self.digit(1).filter(|tens| *tens < 2)?, self.digit(2)?);
        let hours = i16::from(tens * 10 + hours) * 60;
        let start = self.at;
        let colon = usize::from(self.bytes.get(start + 3) == Some(&b':'));
        if let (Some(tens), Some(minutes)) = (self.digit(3 + colon), self.digit(4 + colon)) {
            self.at = start + 5 + colon;
            if fits(self) {
                return Some(Offset::Minutes(sign * (hours + i16::from(tens * 10 + minutes))));
            }
        }
        self.at = start + 3;
        fits(self).then_some(Offset::Minutes(sign * hours))
    }

    fn zone_letters(&mut self, case: Case, fits: impl Fn(&Self) -> bool) -> Option<Offset> {
        let start = self.at;
        for name in ["Z", "UTC", "GMT"] {
            let Some(here) = self.text.get(start..start + name.len()) else { continue };
            if here == name || (case == Case::Ignored && here.eq_ignore_ascii_case(name)) {
                self.at = start + name.len();
                if fits(self) {
                    return Some(zone::offset(here));
                }
            }
        }
        None
    }

    /// Whether a word ends here, or the text, or something that is no word begins.
    fn ended(&self) -> bool {
        !(word_at(self.text, self.at) && word_before(self.text, self.at))
    }
}
