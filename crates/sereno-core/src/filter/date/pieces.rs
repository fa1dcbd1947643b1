//! The pieces dates are made of: numbers, names, clocks, zones.

use super::chars::{is_space, word_at, word_before};
use super::stamp::{Civil, Decades, Offset};
use super::zone;

/// A reader; after `None` its place means nothing, except where a method says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) decades: Decades,
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
pub(super) enum Case {
    Matters,
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    /// 0 to 23.
    Plain,
    /// 0 to 29; what is over 23 is no time, but still a date.
    Loose,
    /// 1 to 12.
    Twelve,
}

/// The pieces of dates.
impl Cursor<'_> {
    /// As much white space as there is.
    pub(super) fn spaces(&mut self) {
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

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn digit(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).filter(|b| b.is_ascii_digit()).map(|b| b - b'0')
    }

    /// Takes nothing when it is another byte.
    pub(super) fn one(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Takes nothing when it is another byte.
    pub(super) fn any(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// One or two blanks.
    pub(super) fn blanks(&mut self) -> Option<()> {
        self.one(b' ')?;
        self.one(b' ');
        Some(())
    }

    /// How many digits stand here, at most `most`.
    pub(super) fn digits(&self, most: usize) -> usize {
        (0..most).take_while(|ahead| self.digit(*ahead).is_some()).count()
    }

    pub(super) fn number(&mut self, digits: usize) -> Option<i16> {
        let mut value = 0;
        for ahead in 0..digits {
            value = value * 10 + i16::from(self.digit(ahead)?);
        }
        self.at += digits;
        Some(value)
    }

    pub(super) fn year(&mut self) -> Option<i16> {
        self.number(4).filter(|year| self.decades.holds(*year))
    }

    pub(super) fn short_year(&mut self) -> Option<i16> {
        self.number(2).map(|year| year + 2000)
    }

    /// One digit, or two that start with one of `tens`; what follows is never a digit.
    pub(super) fn short(&mut self, tens: std::ops::RangeInclusive<u8>, most: u8) -> Option<u8> {
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
    pub(super) fn day(&mut self) -> Option<u8> {
        if self.peek() == Some(b' ') {
            let day = self.digit(1).filter(|day| *day > 0 && self.digit(2).is_none())?;
            self.at += 2;
            return Some(day);
        }
        self.short(0..=3, 31).filter(|day| *day > 0)
    }

    pub(super) fn month(&mut self) -> Option<u8> {
        self.short(0..=1, 12).filter(|month| *month > 0)
    }

    pub(super) fn month_name(&mut self) -> Option<u8> {
        let name = three_letters(self.bytes.get(self.at..)?)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        Some(month as u8 + 1)
    }

    pub(super) fn weekday(&mut self) -> Option<()> {
        let name = three_letters(self.bytes.get(self.at..)?)?;
        WEEKDAYS.contains(&name).then(|| self.at += 3)
    }

    pub(super) fn clock(&mut self, d: &mut Civil, hours: Hours) -> Option<()> {
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
    pub(super) fn fraction(&mut self, points: &[u8]) {
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
    pub(super) fn zone(&mut self, case: Case, fits: impl Fn(&Self) -> bool) -> Option<Offset> {
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

    pub(super) fn zone_letters(
        &mut self,
        case: Case,
        fits: impl Fn(&Self) -> bool,
    ) -> Option<Offset> {
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
    pub(super) fn ended(&self) -> bool {
        !(word_at(self.text, self.at) && word_before(self.text, self.at))
    }
}
