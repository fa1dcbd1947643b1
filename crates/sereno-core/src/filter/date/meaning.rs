//! From a date's fields to a point in time, guessing what it does not say.
//!
//! Everything is reckoned in local seconds ("naive" times in Python's words), because that is
//! where fail2ban's guesses are made; a zone is asked once per quarter of an hour.

use super::civil;
use super::stamp::{Civil, Offset, Stamp};
use super::zone::{Log, Zone};
use crate::time::Time;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const DAY: i64 = 86_400;
/// The seconds of the years 1 to 9999.
const CALENDAR: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

/// Zones change their offset at whole quarters of an hour, on either clock, since this day.
const QUARTERS_SINCE: i64 = 3 * 365 * DAY;
const QUARTER: i64 = 900;

/// The last answers of the machine's zone; lines come in runs of the same quarter of an hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    now: Option<(i64, i64)>,
    local: Option<(i64, i64)>,
}

/// The time `stamp` means when it is read at `now`; `None` for one no calendar has.
pub(super) fn time(stamp: &Stamp, zone: &Zone, memory: &mut Memory, now: Time) -> Option<Time> {
    match stamp {
        Stamp::At(time) => Some(*time).filter(|time| CALENDAR.contains(&time.secs())),
        Stamp::Civil(civil) => Reader { zone, memory, now: now.secs() }.time(civil),
        Stamp::Senseless => None,
    }
}

struct Reader<'a> {
    zone: &'a Zone,
    memory: &'a mut Memory,
    /// Seconds since the epoch.
    now: i64,
}

impl Reader<'_> {
    fn time(&mut self, said: &Civil) -> Option<Time> {
        let fixed = match (said.offset, &self.zone.log) {
            (Offset::Unknown, _) => return None,
            (Offset::Minutes(minutes), _) | (Offset::Unsaid, &Log::Fixed(minutes)) => {
                Some(i64::from(minutes) * 60)
            }
            (Offset::Unsaid, _) => None,
        };
        let guessing = said.year.is_none() || said.month == 0;
        let now = if guessing { self.local_now()? } else { 0 };
        let day = Day::of(said, now)?;
        if said.hour > 23 || said.minute > 59 || said.second > 59 {
            return None;
        }
        let clock =
            i64::from(said.hour) * 3600 + i64::from(said.minute) * 60 + i64::from(said.second);
        let mut local = day.number()? * DAY + clock - fixed.unwrap_or(0);
        if day.today && local > now {
            local -= DAY;
        }
        if said.year.is_none() && local > now + DAY {
            let last = civil::days(day.year - 1, day.month, day.day)?;
            local = last * DAY + local.rem_euclid(DAY);
        }
        let secs = if fixed.is_some() { local } else { self.resolve(local)? };
        Some(Time::from_secs(secs))
    }

    fn home(&self) -> &TimeZone {
        match &self.zone.log {
            Log::Named(zone) => zone,
            Log::Machine | Log::Fixed(_) => &self.zone.machine,
        }
    }

    /// Now, as the clock on the wall shows it.
    fn local_now(&mut self) -> Option<i64> {
        let block = self.now.div_euclid(QUARTER);
        if let Some((known, offset)) = self.memory.now
            && known == block
        {
            return Some(self.now + offset);
        }
        let stamp = jiff::Timestamp::from_second(self.now).ok()?;
        let offset = i64::from(self.home().to_offset(stamp).seconds());
        self.memory.now = (self.now >= QUARTERS_SINCE).then_some((block, offset));
        Some(self.now + offset)
    }

    /// Local seconds as seconds since the epoch. Of the hour that happens twice when summer
    /// ends, the later one unless that is still to come; of the one that never happens, what
    /// the clock would show had it not been put forward.
    fn resolve(&mut self, local: i64) -> Option<i64> {
        let block = local.div_euclid(QUARTER);
        if let Some((known, offset)) = self.memory.local
            && known == block
        {
            return Some(local - offset);
        }
        let (year, month, day) = civil::date(local.div_euclid(DAY));
        let clock = local.rem_euclid(DAY);
        let civil = DateTime::new(
            i16::try_from(year).ok()?,
            month as i8,
            day as i8,
            (clock / 3600) as i8,
            (clock / 60 % 60) as i8,
            (clock % 60) as i8,
            0,
        )
        .ok()?;
        let ambiguous = self.home().to_ambiguous_timestamp(civil);
        if !ambiguous.is_ambiguous() {
            let secs = ambiguous.earlier().ok()?.as_second();
            self.memory.local = (local >= QUARTERS_SINCE).then_some((block, local - secs));
            return Some(secs);
        }
        let later = ambiguous.later().ok()?.as_second();
        let earlier = ambiguous.earlier().ok()?.as_second();
        let passed = |secs: i64| civil_of(self.home(), secs) == Some(local);
        let twice = passed(later) && passed(earlier);
        Some(if twice && later > self.now + 60 { earlier.min(later) } else { later })
    }
}

/// Local seconds of a point in time.
fn civil_of(zone: &TimeZone, secs: i64) -> Option<i64> {
    let stamp = jiff::Timestamp::from_second(secs).ok()?;
    Some(secs + i64::from(zone.to_offset(stamp).seconds()))
}

/// The day of a date, guessed where it is not said.
struct Day {
    year: i32,
    month: u8,
    day: u8,
    today: bool,
}

impl Day {
    fn of(said: &Civil, now: i64) -> Option<Self> {
        let current = || civil::date(now.div_euclid(DAY));
        let mut year = said.year.map_or_else(|| current().0, i32::from);
        let (mut month, mut day) = (said.month, said.day);
        if (month == 0 || day == 0)
            && let Some(number) = of_year(said, year)?
        {
            (year, month, day) = civil::date(number);
        }
        let today = month == 0 && day == 0;
        if today {
            (_, month, day) = current();
        }
        Some(Self { year, month, day, today })
    }

    fn number(&self) -> Option<i64> {
        civil::days(self.year, self.month, self.day)
    }
}

/// The day a day of the year, or a week and a weekday, name; `Some(None)` when neither is said.
fn of_year(said: &Civil, year: i32) -> Option<Option<i64>> {
    let (day, week) = (said.julian, said.week.zip(said.weekday));
    if day.is_none() && week.is_none() {
        return Some(None);
    }
    let first = civil::days(year, 1, 1)?;
    let from_first = match (day, week) {
        (Some(day), _) => i64::from(day) - 1,
        (None, Some((week, weekday))) => {
            let shift = i64::from(!said.monday);
            let first_weekday = (civil::weekday(first) + shift) % 7;
            let weekday = (i64::from(weekday) + shift) % 7;
            if week == 0 {
                weekday - first_weekday
            } else {
                (7 - first_weekday) % 7 + 7 * (i64::from(week) - 1) + weekday
            }
        }
        (None, None) => return Some(None),
    };
    Some(Some(first + from_first))
}
