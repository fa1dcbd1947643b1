//! Where in a line dates of the built-in shapes begin, in one pass for all shapes.
//!
//! Every shape but three holds a clock (`1:02:03`), so the scan runs from colon to colon and
//! looks back from each clock at what stands before it; that names the few places where a date
//! could begin, and [`shape::at`] decides. A line without clocks costs a search for bytes.

use super::chars::{word_at, word_before};
use super::shape::{self, SHAPES, Shape};
use super::stamp::Decades;

/// A set of shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shapes(u32);

impl Shapes {
    pub(super) const fn one(shape: Shape) -> Self {
        Self(1 << shape as u32)
    }

    pub(super) const fn with(self, shape: Shape) -> Self {
        Self(self.0 | Self::one(shape).0)
    }

    pub(super) const fn has(self, shape: Shape) -> bool {
        self.0 & Self::one(shape).0 != 0
    }
}

/// More bytes than lie between the beginning of any date and the first colon of its clock.
pub(super) const REACH: usize = 48;

/// A scan from left to right that goes as far as it is asked to.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Nothing that begins before this counts.
    from: usize,
    decades: Decades,
    /// Shapes that are wanted and not found yet.
    open: Shapes,
    found: Shapes,
    /// The leftmost beginning of each shape found.
    at: [usize; SHAPES],
    /// The first byte not looked at; a multiple of eight.
    next: usize,
}

impl<'a> Scan<'a> {
    /// A scan for dates of the wanted shapes that begin at `from` or later.
    pub(super) fn new(text: &'a str, from: usize, wanted: Shapes, decades: Decades) -> Self {
        let mut scan = Self {
            text,
            bytes: text.as_bytes(),
            from,
            decades,
            open: wanted,
            found: Shapes::default(),
            at: [0; SHAPES],
            next: from & !7,
        };
        scan.epochs_of_the_beginning();
        scan
    }

    /// Where the first date of `shape` begins, in the whole text.
    pub(super) fn first(&mut self, shape: Shape) -> Option<usize> {
        if shape == Shape::Tai64n && self.open.has(shape) {
            // Nearly no line has its mark, and this is the fastest way to know.
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            memchr::memchr(b'@', rest)?;
        }
        while self.open.has(shape) && self.step() {}
        self.of(shape)
    }

    /// Where the first date of `shape` begins, if that is before `limit`; perhaps also if not.
    pub(super) fn before(&mut self, shape: Shape, limit: usize) -> Option<usize> {
        let end = limit.saturating_add(REACH);
        while self.next < end && self.open != Shapes::default() && self.step() {}
        self.of(shape)
    }

    fn of(&self, shape: Shape) -> Option<usize> {
        self.found.has(shape).then(|| self.at[shape as usize])
    }

    /// Looks at the next eight bytes; false when there are none.
    fn step(&mut self) -> bool {
        let at = self.next;
        let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) else {
            return false;
        };
        self.next += 8;
        let (eight, whole) = match rest.first_chunk() {
            Some(eight) => (*eight, true),
            None => {
                let mut eight = [0; 8];
                eight[..rest.len()].copy_from_slice(rest);
                (eight, false)
            }
        };
        let value = u64::from_le_bytes(eight);
        let others = not_digits(value);
        // The one shape without colons, `20050123T215959`: wherever it stands, an aligned eight
        // of its bytes has no more than two blanks among digits.
        let fewer = others & others.wrapping_sub(1);
        if fewer & fewer.wrapping_sub(1) == 0 && whole {
            self.compact(at);
        }
        let digit_before = at > 0 && self.bytes[at - 1].is_ascii_digit();
        let after_digit = (!others & HIGH) << 8 | if digit_before { 0x80 } else { 0 };
        let mut marks = equal(value, b':') & after_digit | equal(value, b'@') | equal(value, b'(');
        while marks != 0 {
            let mark = at + marks.trailing_zeros() as usize / 8;
            match self.bytes[mark] {
                b':' => self.clock(mark),
                b'@' => self.one(Shape::Tai64n, Some(mark)),
                _ => self.audit(mark),
            }
            marks &= marks - 1;
        }
        true
    }

    /// Asks for a shape at a place that need not exist.
    fn one(&mut self, shape: Shape, start: Option<usize>) {
        let Some(start) = start.filter(|start| *start >= self.from) else { return };
        if !self.open.has(shape) || (shape.begins_with_a_word() && !self.begins(start)) {
            return;
        }
        if shape::end(shape, self.text, start, self.decades).is_some() {
            self.open.0 &= !Shapes::one(shape).0;
            self.found = self.found.with(shape);
            self.at[shape as usize] = start;
        }
    }

    /// Whether no word is cut in two here.
    fn begins(&self, at: usize) -> bool {
        !(word_at(self.text, at) && word_before(self.text, at))
    }

    fn byte(&self, at: Option<usize>) -> u8 {
        at.and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    /// The byte so many before `at`; 0 before the beginning.
    fn back(&self, at: usize, by: usize) -> u8 {
        self.byte(at.checked_sub(by))
    }

    fn epochs_of_the_beginning(&mut self) {
        let start = match self.bytes.first() {
            Some(b'0'..=b'9') => 0,
            Some(b'[') => 1,
            _ => return,
        };
        for shape in [Shape::Epoch, Shape::LongEpoch] {
            self.one(shape, Some(start));
        }
    }

    /// SELinux: `audit(1138049999.555:101)`.
    fn audit(&mut self, at: usize) {
        if self.bytes[..at].ends_with(b"audit") && !word_before(self.text, at - 5) {
            self.one(Shape::Epoch, Some(at + 1));
            self.one(Shape::LongEpoch, Some(at + 1));
        }
    }

    /// Around eight bytes that are mostly digits.
    fn compact(&mut self, eight: usize) {
        for start in eight.saturating_sub(8)..eight + 8 {
            if self.bytes[start..].starts_with(b"20") {
                self.one(Shape::Compact, Some(start));
            }
        }
    }

    /// `at` is a colon after a digit; if it is the first of a clock, whatever stands before it may be a date.
    fn clock(&mut self, at: usize) {
        let digit = |ahead: usize| self.bytes.get(at + ahead).is_some_and(u8::is_ascii_digit);
        let colon = |ahead: usize| self.bytes.get(at + ahead) == Some(&b':');
        if !(digit(1) && (colon(2) && digit(3) || digit(2) && colon(3) && digit(4))) {
            return;
        }
        let hour = at - if self.back(at, 2).is_ascii_digit() { 2 } else { 1 };
        let Some(before) = hour.checked_sub(1) else { return };
        match self.bytes[before] {
            b'T' => self.separated(before, &[Shape::Iso]),
            b' ' => self.spaced(before),
            b':' => self.coloned(before),
            b'0'..=b'9' => {
                self.apache(at.checked_sub(6));
                self.apache(at.checked_sub(5));
            }
            _ => {}
        }
    }

    /// A date of three parts between `-`, `/` or `.`; its last part ends at `end`.
    fn separated(&mut self, end: usize, shapes: &[Shape]) {
        let near = |byte: &u8| matches!(byte, b'-' | b'/' | b'.');
        let last = end.saturating_sub(5);
        let Some(second) = self.bytes[last..end].iter().rposition(near).map(|i| last + i) else {
            return;
        };
        let separator = self.bytes[second];
        let middle = second.saturating_sub(4);
        let same = self.bytes[middle..second].iter().rposition(|byte| *byte == separator);
        let Some(first) = same.map(|i| middle + i) else { return };
        for &shape in shapes {
            if shape == Shape::Iso {
                self.one(shape, first.checked_sub(4));
            } else {
                self.one(shape, first.checked_sub(2));
                self.one(shape, first.checked_sub(1));
            }
        }
    }

    /// One or two blanks, the second at `blank`, between a date and its clock.
    fn spaced(&mut self, blank: usize) {
        let end = if self.back(blank, 1) == b' ' { blank - 1 } else { blank };
        let digits =
            self.bytes[..end].iter().rev().take(6).take_while(|b| b.is_ascii_digit()).count();
        let Some(before) = end.checked_sub(digits + 1).filter(|_| digits > 0) else {
            self.one(Shape::MySql, end.checked_sub(6));
            return;
        };
        match (digits, self.bytes[before]) {
            (6, _) => self.one(Shape::MySql, end.checked_sub(6)),
            (1 | 2 | 4, b'-' | b'/' | b'.') => self.separated(
                end,
                &[Shape::Iso, Shape::DayMonthYear, Shape::Apache, Shape::MonthDayYear],
            ),
            (1 | 2, b' ') => {
                let wide = digits == 1 && self.back(before, 1) == b' ';
                self.named(if wide { before - 1 } else { before });
                if digits == 1 && matches!(self.back(before, 1), b'-' | b'/' | b'.') {
                    self.separated(end, &[Shape::Iso]);
                }
            }
            (4, b' ') => self.before_year(before),
            _ => {}
        }
    }

    /// `at` is the blank between a day (with or without a comma) and a year.
    fn before_year(&mut self, at: usize) {
        let comma = self.back(at, 1) == b',';
        let end = if comma { at - 1 } else { at };
        let digits =
            self.bytes[..end].iter().rev().take(3).take_while(|b| b.is_ascii_digit()).count();
        let Some(mut month) = end.checked_sub(digits + 1) else { return };
        if digits == 1 && self.back(month, 1) == b' ' {
            month -= 1;
        }
        if comma {
            self.one(Shape::Tomcat, month.checked_sub(3));
        } else {
            self.one(Shape::AsctimeYear, month.checked_sub(7));
            self.one(Shape::AsctimeYear, month.checked_sub(3));
        }
    }

    /// A month's name that ends at `end`, perhaps after a weekday, perhaps after a zone.
    fn named(&mut self, end: usize) {
        if !self.back(end, 1).is_ascii_alphabetic() {
            return;
        }
        let (month, weekday) = (end.checked_sub(3), end.checked_sub(7));
        for token in [weekday, month].into_iter().flatten().filter_map(|at| at.checked_sub(1)) {
            if self.bytes[token] == b' ' {
                self.zoned(token);
            }
        }
        for shape in [Shape::Asctime, Shape::ZoneName, Shape::ZoneOffset] {
            self.one(shape, weekday);
            self.one(shape, month);
        }
    }

    /// A zone that ends at `end`.
    fn zoned(&mut self, end: usize) {
        let head = &self.bytes[..end];
        let letters = head.iter().rev().take(6).take_while(|b| b.is_ascii_alphabetic()).count();
        if letters > 0 {
            self.one(Shape::ZoneName, Some(end - letters));
        }
        for length in [6, 5, 3, 1] {
            self.one(Shape::ZoneOffset, end.checked_sub(length));
        }
    }

    /// `at` is the colon between a year and a clock.
    fn coloned(&mut self, at: usize) {
        self.apache(at.checked_sub(4));
        if self.back(at, 5) == b'/' {
            self.separated(at, &[Shape::CPanel]);
        }
    }

    /// `22/Nov/` before a year.
    fn apache(&mut self, year: Option<usize>) {
        let Some(first) = year.and_then(|year| year.checked_sub(5)) else { return };
        if matches!(self.bytes[first], b'-' | b'/') && self.bytes[first] == self.bytes[first + 4] {
            self.one(Shape::Apache, first.checked_sub(2));
            self.one(Shape::Apache, first.checked_sub(1));
        }
    }
}

impl Shape {
    /// Whether fail2ban's template asks for the beginning of a word.
    pub(super) const fn begins_with_a_word(self) -> bool {
        !matches!(self, Self::Epoch | Self::LongEpoch | Self::Tai64n)
    }
}

/// The shapes that could stand at `at`, judged by what a glance shows.
fn glance(bytes: &[u8], at: usize) -> Shapes {
    use Shape::*;
    let all = |shapes: &[Shape]| shapes.iter().fold(Shapes::default(), |all, one| all.with(*one));
    let Some(rest) = bytes.get(at..) else { return Shapes::default() };
    let digits = rest.iter().take(18).take_while(|b| b.is_ascii_digit()).count();
    match (digits, rest.get(digits)) {
        (0, Some(b'a'..=b'z' | b'A'..=b'Z')) => {
            all(&[Asctime, AsctimeYear, Tomcat, ZoneName, ZoneOffset, Assp])
        }
        (0, Some(b' ')) => all(&[DayMonthYear, Apache]),
        (0, Some(b'+' | b'-')) => Shapes::one(ZoneOffset),
        (0, Some(b'@')) => Shapes::one(Tai64n),
        (0, Some(b'<')) => Shapes::one(Angle),
        (1 | 2, Some(b'-' | b'/')) => all(&[DayMonthYear, Apache, CPanel, MonthDayYear]),
        (1 | 2, Some(b':')) => Shapes::one(Clock),
        (4, Some(b'-' | b'/' | b'.')) => Shapes::one(Iso),
        (6, Some(b' ')) => Shapes::one(MySql),
        (8, Some(b' ' | b'T')) => Shapes::one(Compact),
        (10.., _) => all(&[Epoch, LongEpoch]),
        _ => Shapes::default(),
    }
}

/// The shapes that could stand at the beginning of a line, after as many as two characters
/// that are no word's; `skips` are the places after them.
pub(super) fn heads(text: &str, skips: [usize; 3]) -> Shapes {
    let bytes = text.as_bytes();
    let mut heads = glance(bytes, skips[0]);
    for (place, before) in [(skips[1], skips[0]), (skips[2], skips[1])] {
        if place > before {
            heads.0 |= glance(bytes, place).0;
        }
    }
    heads
}

const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bits of the bytes that are no digits.
const fn not_digits(value: u64) -> u64 {
    let value = value ^ 0x3030_3030_3030_3030;
    // Adding 0x76 carries 10 and more into the high bit of the byte; digits stay below.
    (((value & !HIGH) + 0x7676_7676_7676_7676) | value) & HIGH
}

/// The high bits of the bytes that are `byte`.
const fn equal(value: u64, byte: u8) -> u64 {
    let other = value ^ u64::from_le_bytes([byte; 8]);
    !(((other & !HIGH) + !HIGH) | other) & HIGH
}
