//! Dates at the beginning of log lines, in every common style.
//!
//! Two steps: [`stamp`] reads the digits (pure text), [`Dates`] turns them into a [`Time`],
//! guessing the year and the zone where the line does not say. The guess is the one an
//! administrator would make: the year that puts the line closest to now but not in the
//! future, and the zone of the machine.

use crate::time::Time;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A date as written: fields, and the offset from UTC where the line carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Seconds and microseconds since the epoch, written as a number.
    Epoch(Time),
    /// A calendar date. `year` is 0 where the style has none.
    #[allow(missing_docs, reason = "the fields are called what they are")]
    Civil {
        year: i16,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        second: u8,
        micros: u32,
        offset: Option<i32>,
    },
}

/// Reads a date at the start of `text`; returns it and how many bytes it took.
///
/// Styles: `Nov 22 15:22:38` with optional fraction or trailing year (RFC 3164, Asterisk's
/// default), ISO 8601 and RFC 5424 with `T` or a blank, comma or dot fraction and optional
/// zone, `22/Nov/2026:15:22:38 +0100` (Apache), `Sun Nov 22 15:22:38.123 2026` (asctime), and
/// epoch seconds of nine or more digits with an optional fraction.
#[must_use]
pub fn stamp(text: &[u8]) -> Option<(Stamp, usize)> {
    let mut cursor = Cursor { text, at: 0 };
    let found = match text.first()? {
        b'0'..=b'9' => numeric(&mut cursor)?,
        b'A'..=b'Z' => lettered(&mut cursor)?,
        _ => return None,
    };
    Some((found, cursor.at))
}

fn numeric(c: &mut Cursor<'_>) -> Option<Stamp> {
    let digits = c.text.iter().take_while(|b| b.is_ascii_digit()).count();
    match (digits, c.text.get(digits)) {
        (9..=11, _) => {
            let secs = c.number(digits)?;
            let micros = c.fraction();
            Some(Stamp::Epoch(Time(i64::from(secs).checked_mul(1_000_000)? + i64::from(micros))))
        }
        (4, Some(b'-' | b'/')) => iso(c),
        (1 | 2, Some(b'/')) => apache(c),
        _ => None,
    }
}

fn iso(c: &mut Cursor<'_>) -> Option<Stamp> {
    let text: &[u8; 11] = c.text.first_chunk()?;
    let (century, year) = (two(text, 0), two(text, 2));
    let (month, day) = (two(text, 5), two(text, 8));
    let dashes = matches!(text[4], b'-' | b'/') && text[7] == text[4];
    if (century | year | month | day) >= WRONG || !dashes || !matches!(text[10], b'T' | b' ') {
        return None;
    }
    c.at = 11;
    let year = i16::from(century) * 100 + i16::from(year);
    let (hour, minute, second) = c.clock()?;
    let micros = c.fraction();
    let offset = c.zone();
    checked(year, month, day, hour, minute, second, micros, offset)
}

fn apache(c: &mut Cursor<'_>) -> Option<Stamp> {
    let day = c.short_number()?;
    c.one(b'/')?;
    let month = c.month()?;
    c.one(b'/')?;
    let year = c.number(4)? as i16;
    c.any(b": ")?;
    let (hour, minute, second) = c.clock()?;
    let micros = c.fraction();
    let mark = c.at;
    let offset = c.one(b' ').and_then(|()| c.zone());
    if offset.is_none() {
        c.at = mark;
    }
    checked(year, month, day, hour, minute, second, micros, offset)
}

fn lettered(c: &mut Cursor<'_>) -> Option<Stamp> {
    let month = c.month().or_else(|| {
        // asctime: the weekday says nothing that the date does not say better.
        c.at = 0;
        const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
        let head = c.text.get(..3)?;
        DAYS.iter().find(|day| day.as_slice() == head)?;
        c.at = 3;
        c.one(b' ')?;
        c.month()
    })?;
    c.one(b' ')?;
    if c.peek() == Some(b' ') {
        c.at += 1;
    }
    let day = c.short_number()?;
    c.one(b' ')?;
    let mut year = 0;
    if c.text.get(c.at + 4) == Some(&b' ')
        && c.text.get(c.at..c.at + 4)?.iter().all(u8::is_ascii_digit)
    {
        year = c.number(4)? as i16;
        c.one(b' ')?;
    }
    let (hour, minute, second) = c.clock()?;
    let micros = c.fraction();
    if year == 0 {
        year = c.trailing_year().unwrap_or(0);
    }
    checked(year, month, day, hour, minute, second, micros, None)
}

#[allow(clippy::too_many_arguments, reason = "the fields of a date, each used once")]
fn checked(
    year: i16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
    offset: Option<i32>,
) -> Option<Stamp> {
    let sane = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    sane.then_some(Stamp::Civil {
        year,
        month,
        day,
        hour,
        minute,
        second: second.min(59),
        micros,
        offset,
    })
}

/// What [`two`] gives for what is no number; more than any two digits make, and stays so where
/// others are added bit by bit.
const WRONG: u8 = 128;

/// The number that two digits make.
#[inline]
fn two(text: &[u8], at: usize) -> u8 {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { WRONG } else { tens * 10 + ones }
}

/// A reader over bytes; every method returns `None` and may leave `at` anywhere when the text
/// is not what it wants, except where it says otherwise.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn one(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn any(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek()?;
        wanted.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let mut value = 0u32;
        for &byte in self.text.get(self.at..self.at + digits)? {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
        }
        self.at += digits;
        Some(value)
    }

    fn short_number(&mut self) -> Option<u8> {
        let digits = if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 };
        self.number(digits).map(|n| n as u8)
    }

    /// `hh:mm:ss`, all at once: what is wrong with it does not matter.
    #[inline]
    fn clock(&mut self) -> Option<(u8, u8, u8)> {
        let text: &[u8; 8] = self.text.get(self.at..)?.first_chunk()?;
        let (hour, minute, second) = (two(text, 0), two(text, 3), two(text, 6));
        let sane = (hour | minute | second) < WRONG && text[2] == b':' && text[5] == b':';
        sane.then(|| {
            self.at += 8;
            (hour, minute, second)
        })
    }

    /// A fraction of a second after `.` or `,`; zero, and nothing taken, when there is none.
    fn fraction(&mut self) -> u32 {
        let digits = match self.peek() {
            Some(b'.' | b',') => {
                self.text[self.at + 1..].iter().take_while(|b| b.is_ascii_digit()).count()
            }
            _ => 0,
        };
        if digits == 0 {
            return 0;
        }
        let shown = &self.text[self.at + 1..=self.at + digits];
        let micros =
            (0..6).fold(0, |sum, i| sum * 10 + shown.get(i).map_or(0, |b| u32::from(b - b'0')));
        self.at += digits + 1;
        micros
    }

    /// `Z`, `+01:00`, `-0500` or `+01`, in seconds; nothing taken when there is none.
    fn zone(&mut self) -> Option<i32> {
        let mark = self.at;
        let found = match self.peek()? {
            b'Z' => {
                self.at += 1;
                Some(0)
            }
            sign @ (b'+' | b'-') => {
                self.at += 1;
                self.offset().map(|secs| if sign == b'-' { -secs } else { secs })
            }
            _ => None,
        };
        if found.is_none() {
            self.at = mark;
        }
        found
    }

    fn offset(&mut self) -> Option<i32> {
        let hours = self.number(2)? as i32;
        let mark = self.at;
        let colon = self.one(b':').is_some();
        let minutes = match self.number(2) {
            Some(minutes) => minutes as i32,
            None if colon => return None,
            None => {
                self.at = mark;
                0
            }
        };
        (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
    }

    #[inline]
    fn month(&mut self) -> Option<u8> {
        let name: &[u8; 3] = self.text.get(self.at..)?.first_chunk()?;
        let month = match name {
            b"Jan" => 1,
            b"Feb" => 2,
            b"Mar" => 3,
            b"Apr" => 4,
            b"May" => 5,
            b"Jun" => 6,
            b"Jul" => 7,
            b"Aug" => 8,
            b"Sep" => 9,
            b"Oct" => 10,
            b"Nov" => 11,
            b"Dec" => 12,
            _ => return None,
        };
        self.at += 3;
        Some(month)
    }

    fn trailing_year(&mut self) -> Option<i16> {
        let mark = self.at;
        let year =
            self.one(b' ').and_then(|()| self.number(4)).filter(|y| (1970..2200).contains(y));
        let ended =
            self.peek().is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'.' && b != b'-');
        if year.is_none() || !ended {
            self.at = mark;
            return None;
        }
        year.map(|y| y as i16)
    }
}

/// Turns stamps into times for one source: its zone, and a memory of the last minute.
#[derive(Debug)]
pub struct Dates {
    zone: TimeZone,
    /// The last minute resolved in the machine's zone, and the guess it was made under: lines
    /// come in runs of the same minute, and zone arithmetic costs more than the rest together.
    minute: Option<(Minute, i64, Time)>,
}

type Minute = (i16, u8, u8, u8, u8);

/// How old a guess (of the year, of summer time) may be before it is made anew.
const GUESS_GOOD_FOR_HOURS: i64 = 1;

impl Dates {
    /// Dates without a zone are local times of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, minute: None }
    }

    /// The time a stamp means when it is read at `now`; `None` for a day that does not exist.
    pub fn resolve(&mut self, stamp: Stamp, now: Time) -> Option<Time> {
        let (year, month, day, hour, minute, second, micros, offset) = match stamp {
            Stamp::Epoch(time) => return Some(time),
            Stamp::Civil { year, month, day, hour, minute, second, micros, offset } => {
                (year, month, day, hour, minute, second, micros, offset)
            }
        };
        let key = (year, month, day, hour, minute);
        let within = i64::from(second) * 1_000_000 + i64::from(micros);
        if let Some(offset) = offset {
            let civil =
                DateTime::new(year, month as i8, day as i8, hour as i8, minute as i8, 0, 0).ok()?;
            let utc = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
            return Some(Time(utc - i64::from(offset) * 1_000_000 + within));
        }
        let era = now.secs().div_euclid(3600 * GUESS_GOOD_FOR_HOURS);
        if let Some((known, at, base)) = self.minute
            && known == key
            && at == era
        {
            return Some(Time(base.0 + within));
        }
        let base = self.guess(key, now)?;
        self.minute = Some((key, era, base));
        Some(Time(base.0 + within))
    }

    /// The year whose date lies closest to `now` without being more than a day ahead of it.
    fn guess(&self, (year, month, day, hour, minute): Minute, now: Time) -> Option<Time> {
        if year != 0 {
            return self.local(year, month, day, hour, minute, now);
        }
        let this =
            jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned(self.zone.clone()).year();
        let limit = now.plus(std::time::Duration::from_secs(86_400));
        [this + 1, this, this - 1, this - 2, this - 3, this - 4]
            .into_iter()
            .filter_map(|year| self.local(year, month, day, hour, minute, now))
            .find(|time| *time <= limit)
    }

    /// A local minute as a time. In the hour that happens twice when summer time ends, the
    /// later one, unless that would be in the future.
    fn local(
        &self,
        year: i16,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        now: Time,
    ) -> Option<Time> {
        let civil =
            DateTime::new(year, month as i8, day as i8, hour as i8, minute as i8, 0, 0).ok()?;
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        let earlier = Time(ambiguous.earlier().ok()?.as_microsecond());
        if !ambiguous.is_ambiguous() {
            return Some(earlier);
        }
        let later = Time(ambiguous.later().ok()?.as_microsecond());
        Some(if later > now.plus(std::time::Duration::from_secs(60)) { earlier } else { later })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str, zone: &str, now: &str) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        let now: jiff::Timestamp = now.parse().unwrap();
        let (found, _) = stamp(text.as_bytes())?;
        Dates::new(zone).resolve(found, Time(now.as_microsecond())).map(|t| t.to_string())
    }

    #[test]
    fn every_style_reads_as_the_same_second() {
        let now = "2026-11-22T18:00:00Z";
        for text in [
            "Nov 22 15:22:38 host",
            "Nov 22 2026 15:22:38 host",
            "2026-11-22T15:22:38+01:00 host",
            "2026-11-22T14:22:38Z host",
            "2026-11-22 15:22:38 text",
            "2026-11-22T15:22:38+0100 host",
            "22/Nov/2026:15:22:38 +0100]",
            "Sun Nov 22 15:22:38 2026]",
            "1795357358 text",
        ] {
            assert_eq!(
                at(text, "Europe/Madrid", now).as_deref(),
                Some("2026-11-22T14:22:38Z"),
                "{text}"
            );
        }
        assert_eq!(
            at("2026-11-22 15:22:38.123]", "Europe/Madrid", now).as_deref(),
            Some("2026-11-22T14:22:38.123Z")
        );
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_in_the_future() {
        assert_eq!(
            at("Dec 31 23:59:59 h", "UTC", "2027-01-01T00:00:05Z").unwrap(),
            "2026-12-31T23:59:59Z"
        );
        assert_eq!(
            at("Jan  1 00:00:10 h", "UTC", "2026-12-31T23:59:59Z").unwrap(),
            "2027-01-01T00:00:10Z"
        );
        assert_eq!(
            at("Feb 29 12:00:00 h", "UTC", "2026-03-01T00:00:00Z").unwrap(),
            "2024-02-29T12:00:00Z"
        );
    }

    #[test]
    fn the_hour_that_comes_twice_is_never_in_the_future() {
        let line = "Oct 25 02:30:00 h";
        assert_eq!(
            at(line, "Europe/Madrid", "2026-10-25T00:30:10Z").unwrap(),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            at(line, "Europe/Madrid", "2026-10-25T01:30:10Z").unwrap(),
            "2026-10-25T01:30:00Z"
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "Nov",
            "Nov 32 25:00:00",
            "2026-13-01 00:00:00",
            "12345 x",
            "99/99/9999",
            "Foo 1 00:00:00",
        ] {
            assert_eq!(stamp(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(text in proptest::collection::vec(any::<u8>(), 0..40), now in 0i64..4_000_000_000) {
            if let Some((found, used)) = stamp(&text) {
                prop_assert!(used <= text.len());
                let _ = Dates::new(TimeZone::UTC).resolve(found, Time::from_secs(now));
            }
        }
    }
}
