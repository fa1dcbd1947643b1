//! Where in a line dates of the built-in shapes begin, in one pass for all shapes.
//!
//! Every shape but three holds a clock (`1:02:03`), so the scan runs from colon to colon and
//! looks back from each clock at what stands before it; that names the few places where a date
//! could begin, and [`shape::at`] decides. A line without clocks costs a search for bytes.

use super::chars::{word_at, word_before};
use super::glance::Shapes;
use super::shape::{self, SHAPES, Shape};
use super::stamp::Decades;

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
    /// Where the leftmost date of each shape found begins and ends.
    at: [(usize, usize); SHAPES],
    /// The first byte not looked at; a multiple of eight.
    next: usize,
}

impl<'a> Scan<'a> {
    /// A scan for dates of the wanted shapes that begin at `from` or later.
    pub(super) fn new(text: &'a str, from: usize, wanted: Shapes, decades: Decades) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            from,
            decades,
            open: wanted,
            found: Shapes::default(),
            at: [(0, 0); SHAPES],
            next: from & !7,
        }
    }

    /// Where the first date of `shape` begins and ends.
    pub(super) fn first(&mut self, shape: Shape) -> Option<(usize, usize)> {
        if self.open.has(shape) {
            match shape {
                Shape::Tai64n => self.tai64n(),
                Shape::Epoch | Shape::LongEpoch => self.epoch(shape),
                _ => {
                    while self.next < self.bytes.len() && self.open.has(shape) {
                        self.step(self.bytes.len());
                    }
                }
            }
        }
        self.found.has(shape).then(|| self.at[shape as usize])
    }

    /// The shapes there are dates of that begin before `limit`, and perhaps others.
    pub(super) fn all(&mut self, limit: usize) -> Shapes {
        for shape in [Shape::Tai64n, Shape::Epoch, Shape::LongEpoch] {
            self.first(shape);
        }
        let end = limit.saturating_add(REACH).min(self.bytes.len());
        while self.next < end && self.open != Shapes::default() {
            self.step(end);
        }
        self.found
    }

    fn tai64n(&mut self) {
        for at in memchr::memchr_iter(b'@', self.bytes) {
            self.one(Shape::Tai64n, Some(at));
        }
        self.open = self.open.without(Shape::Tai64n);
    }

    /// At the beginning, in brackets there, and as SELinux writes them:
    /// `audit(1138049999.555:101)`.
    fn epoch(&mut self, shape: Shape) {
        match self.bytes.first() {
            Some(b'0'..=b'9') => self.one(shape, Some(0)),
            Some(b'[') => self.one(shape, Some(1)),
            _ => {}
        }
        for at in memchr::memchr_iter(b'(', self.bytes) {
            if self.bytes[..at].ends_with(b"audit") && !word_before(self.text, at - 5) {
                self.one(shape, Some(at + 1));
            }
        }
        self.open = self.open.without(shape);
    }

    /// Goes to the next eight bytes that could be part of a date, or to `end`, and looks there.
    fn step(&mut self, end: usize) {
        let rest = &self.bytes[self.next..];
        let (eights, tail) = rest.as_chunks::<8>();
        for eight in eights {
            let at = self.next;
            if at >= end {
                return;
            }
            self.next += 8;
            let (digits, colons) = marks(*eight);
            if digits || colons != 0 {
                return self.look(at, digits, colons);
            }
        }
        let mut eight = [0; 8];
        eight[..tail.len()].copy_from_slice(tail);
        let at = self.next;
        self.next = self.bytes.len();
        self.look(at, false, marks(eight).1);
    }

    /// Looks at eight bytes that are mostly digits, or that hold colons.
    fn look(&mut self, at: usize, digits: bool, mut colons: u64) {
        if digits {
            for start in at.saturating_sub(8)..at + 8 {
                if self.bytes[start..].starts_with(b"20") {
                    self.one(Shape::Compact, Some(start));
                }
            }
        }
        while colons != 0 {
            self.clock(at + colons.trailing_zeros() as usize / 8);
            colons &= colons - 1;
        }
    }

    /// Asks for a shape at a place that need not exist.
    fn one(&mut self, shape: Shape, start: Option<usize>) {
        let Some(start) = start.filter(|start| *start >= self.from) else { return };
        if !self.open.has(shape) || (shape.begins_with_a_word() && !self.begins(start)) {
            return;
        }
        if let Some(end) = shape::end(shape, self.text, start, self.decades) {
            self.open = self.open.without(shape);
            self.found = self.found.with(shape);
            self.at[shape as usize] = (start, end);
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

    /// `at` is a colon; if it is the first of a clock, whatever stands before it may be a date.
    fn clock(&mut self, at: usize) {
        let digit = |ahead: usize| self.bytes.get(at + ahead).is_some_and(u8::is_ascii_digit);
        let colon = |ahead: usize| self.bytes.get(at + ahead) == Some(&b':');
        let minutes = digit(1) && (colon(2) && digit(3) || digit(2) && colon(3) && digit(4));
        if !minutes || !self.back(at, 1).is_ascii_digit() {
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

/// Whether at most two of eight bytes are no digits (the one shape without colons,
/// `20050123T215959`, has an aligned eight of that kind wherever it stands), and the high bits
/// of the colons that may follow a digit.
const fn marks(eight: [u8; 8]) -> (bool, u64) {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const COLONS: u64 = u64::from_le_bytes([b':'; 8]);
    let value = u64::from_le_bytes(eight);
    let digit = value ^ 0x3030_3030_3030_3030;
    // Adding 0x76 carries 10 and more into the high bit of the byte; digits stay below.
    let others = (((digit & !HIGH) + 0x7676_7676_7676_7676) | digit) & HIGH;
    let fewer = others & others.wrapping_sub(1);
    let colon = value ^ COLONS;
    let colons = !(((colon & !HIGH) + !HIGH) | colon) & HIGH;
    // The byte before the first is not seen here.
    let after_digit = (!others & HIGH) << 8 | 0x80;
    (fewer & fewer.wrapping_sub(1) == 0, colons & after_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Shape; 15] = [
        Shape::Iso,
        Shape::Asctime,
        Shape::AsctimeYear,
        Shape::DayMonthYear,
        Shape::Apache,
        Shape::CPanel,
        Shape::MonthDayYear,
        Shape::Epoch,
        Shape::MySql,
        Shape::Tomcat,
        Shape::Compact,
        Shape::ZoneName,
        Shape::ZoneOffset,
        Shape::Tai64n,
        Shape::LongEpoch,
    ];

    /// Every place asked in turn.
    fn naive(text: &str, from: usize, shape: Shape) -> Option<(usize, usize)> {
        let decades = Decades(202);
        let may_begin = |at: &usize| match shape {
            Shape::Epoch | Shape::LongEpoch => {
                let head = &text[..*at];
                let audit = head.strip_suffix("audit(").is_some_and(|_| !word_before(text, at - 6));
                head.is_empty() || head == "[" || audit
            }
            Shape::Tai64n => true,
            _ => !(word_at(text, *at) && word_before(text, *at)),
        };
        text.char_indices()
            .map(|(at, _)| at)
            .filter(|at| *at >= from)
            .filter(may_begin)
            .find_map(|at| Some((at, shape::end(shape, text, at, decades)?)))
    }

    /// Pieces of dates, so that many lines hold some and more hold nearly some.
    const PIECES: &str = "(2026|2005|26|05|1|3|15|31|00|Jan|oct|Mon|sat|Z|UTC|from|CET|\\+01|-0500|\
                          AM|pm|audit\\(|@|:|:|:|/|/|-|-|\\.| | | |  |,|T|T|\\[|\\]|<|>|x|é|\
                          15:22:38|1:2:3|22/Nov/2026|2026-11-22|Nov 22|20050123|215959|050123|\
                          1138049999|1138049999123|4000000041f4104f00000000|Jan 3, 2005)";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn the_scan_finds_what_asking_everywhere_finds(
            pieces in proptest::collection::vec(PIECES, 1..14),
            from in 0usize..20,
        ) {
            let text = pieces.concat();
            let from = from.saturating_sub(10).min(text.len());
            let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let wanted = ALL.iter().fold(Shapes::default(), |all, one| all.with(*one));
            for limit in [0, 10, usize::MAX] {
                let mut scan = Scan::new(&text, from, wanted, Decades(202));
                let found = scan.all(limit);
                for shape in ALL {
                    let (naive, here) = (naive(&text, from, shape), scan.first(shape));
                    prop_assert_eq!(here, naive, "{:?} in {:?} from {}", shape, text, from);
                    let near = naive.is_some_and(|(start, _)| start < limit);
                    prop_assert!(!near || found.has(shape), "{shape:?} in {text:?}");
                }
            }
        }
    }
}
