//! Sets of shapes, and which a glance at the beginning of a line leaves possible.

use super::pieces::names_a_day;
use super::shape::Shape;

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

    pub(super) const fn without(self, shape: Shape) -> Self {
        Self(self.0 & !Self::one(shape).0)
    }

    #[inline]
    pub(super) const fn has(self, shape: Shape) -> bool {
        self.0 & Self::one(shape).0 != 0
    }
}

/// The shapes that could stand at `at`, judged by what a glance shows.
pub(super) fn glance(bytes: &[u8], at: usize) -> Shapes {
    use Shape::*;
    let all = |shapes: &[Shape]| shapes.iter().fold(Shapes::default(), |all, one| all.with(*one));
    let Some(rest) = bytes.get(at..) else { return Shapes::default() };
    let digits = rest.iter().take(18).take_while(|b| b.is_ascii_digit()).count();
    match (digits, rest.get(digits)) {
        (0, Some(b'a'..=b'z' | b'A'..=b'Z')) => {
            let letters = rest.iter().take(6).take_while(|b| b.is_ascii_alphabetic()).count();
            if names_a_day(rest) {
                all(&[Asctime, AsctimeYear, Tomcat, ZoneName, ZoneOffset, Assp])
            } else if matches!((letters, rest.get(letters)), (1 | 3..=5, Some(b' '))) {
                all(&[ZoneName, ZoneOffset])
            } else {
                Shapes::default()
            }
        }
        (0, Some(b' ')) => all(&[DayMonthYear, Apache]),
        (0, Some(b'+' | b'-')) => Shapes::one(ZoneOffset),
        (0, Some(b'@')) => Shapes::one(Tai64n),
        (0, Some(b'<')) => Shapes::one(Angle),
        (1 | 2, Some(b'-' | b'/')) => all(&[DayMonthYear, Apache, CPanel, MonthDayYear]),
        (1 | 2, Some(b':')) => Shapes::one(Clock),
        (4, Some(b'-' | b'/' | b'.')) => all(&[Iso, IsoStrict]),
        (6, Some(b' ')) => Shapes::one(MySql),
        (8, Some(b' ' | b'T')) => Shapes::one(Compact),
        (10.., _) => all(&[Epoch, LongEpoch]),
        _ => Shapes::default(),
    }
}

/// The shapes that could stand at the beginning of a line, or after one or two characters that
/// are no word's; `skips` are the places after them.
pub(super) fn heads(text: &str, skips: [usize; 2]) -> Shapes {
    let bytes = text.as_bytes();
    let mut heads = glance(bytes, 0);
    for (place, before) in [(skips[0], 0), (skips[1], skips[0])] {
        if place > before {
            heads.0 |= glance(bytes, place).0;
        }
    }
    heads
}
