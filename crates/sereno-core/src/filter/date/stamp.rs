//! What a date says, before anyone asks what it means.

use crate::time::Time;

/// A date as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// A point in time, written as a number.
    At(Time),
    /// Fields of a calendar and a clock.
    Civil(Civil),
    /// Something that looks like a date and names no time: a thirteenth month's name.
    Senseless,
}

/// The fields of a date; what it does not say stays `None` or zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: Option<i16>,
    /// 1 to 12; 0 when not said.
    pub(super) month: u8,
    /// 1 to 31; 0 when not said.
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) offset: Offset,
    /// The day of the year, from 1.
    pub(super) julian: Option<i16>,
    /// The week of the year.
    pub(super) week: Option<u8>,
    /// Whether that week begins on Monday (`%W`), not on Sunday (`%U`).
    pub(super) monday: bool,
    /// 0 is Monday.
    pub(super) weekday: Option<u8>,
}

/// Where a date stands from UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Offset {
    /// Not said.
    #[default]
    Unsaid,
    /// Minutes east.
    Minutes(i16),
    /// A name no list has.
    Unknown,
}

/// The decades `%ExY` takes: from 2000 to the one three years from when the detector was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decades(pub(super) i16);

impl Decades {
    /// The last decade for a detector made at `now`.
    pub(super) fn from(now: Time) -> Self {
        let year = super::civil::date(now.secs().div_euclid(86_400)).0;
        Self(((year + 3) / 10).clamp(200, 999) as i16)
    }

    /// Whether a year of four digits is taken.
    pub(super) const fn holds(self, year: i16) -> bool {
        year >= 2000 && year / 10 <= self.0
    }
}
