//! How logs usually go, and what became of them: how long each says nothing in an ordinary week,
//! how many of its lines were not believed lately, and what of it was lost.
//!
//! No clock in here; time is an argument. What has to be known of yesterday survives a restart as
//! JSON:
//! `{"paces": {"/var/log/auth.log": [{"day": 20779, "longest": 1200000000, "seen":
//! 85000000000}]},
//! "lost": {"/var/log/auth.log": [1795392000000000, {"gone": {"read": 4096}}]}}`: days since 1970,
//! spans and times in microseconds.

use crate::words;
use serde::{Deserialize, Serialize};
use sereno_core::filter::Counts;
use sereno_core::gate::Name;
use sereno_core::time::Time;
use sereno_wire::control::SourceStatus;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Days remembered, today included: a Monday's line after a weekend is known until the next one.
const DAYS: i64 = 8;
/// A log that says nothing for so many times its longest pause is worth a look,
const FACTOR: u32 = 4;
/// but never before so long,
const LEAST: Duration = HOUR;
/// always after so long,
const MOST: Duration = Duration::from_secs(7 * 86_400);
/// and after so long while less than a day of pauses has been seen.
const UNKNOWN: Duration = DAY;
/// How long it is said that something was lost.
const LOST_FOR: Duration = DAY;
/// Losses remembered at most: whoever can make files must not fill the memory.
const LOSSES: usize = 64;

/// How all logs go, by what `status` calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    paces: BTreeMap<String, Pace>,
    lost: BTreeMap<String, (Time, Loss)>,
    /// Of each jail: searches given up, and sessions lost.
    #[serde(skip)]
    strain: BTreeMap<Name, [Doubts; 2]>,
}

/// How a part of a log was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The file is gone; so many of its bytes had been read.
    Gone {
        /// Bytes.
        read: u64,
    },
    /// It was emptied, and so many bytes or more had not been read.
    Emptied {
        /// Bytes.
        unread: u64,
    },
}

impl Loss {
    /// In words.
    #[must_use]
    pub fn text(self, path: &str) -> String {
        match self {
            Self::Gone { read } => words::source_lost(path, read),
            Self::Emptied { unread } => words::source_truncated(path, unread),
        }
    }
}

/// How a log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Pace {
    /// In order; only those with a pause that ended.
    days: VecDeque<Day>,
    /// What the reader last called the time of its last line.
    #[serde(skip)]
    told: Option<Time>,
    /// When a line last came. Pauses while nobody looked are unknown: not kept for a restart.
    #[serde(skip)]
    last: Option<Time>,
    /// Since when somebody looks, and when somebody last did.
    #[serde(skip)]
    looks: Option<(Time, Time)>,
    #[serde(skip)]
    doubts: Doubts,
}

/// The pauses that ended on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    /// Days since 1970-01-01.
    day: i64,
    /// The longest, in microseconds.
    longest: u64,
    /// All together, in microseconds.
    seen: u64,
}

/// What is counted by the hour, such as lines not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Doubts {
    hours: VecDeque<(i64, u64)>,
    /// What the reader counted so far.
    total: u64,
}

impl Health {
    /// Takes note of what a source is seen to have done, and adds what is usual to it.
    pub fn look(&mut self, source: &mut SourceStatus, now: Time) {
        let pace = self.paces.entry(source.what.clone()).or_default();
        pace.look(source.last_line, now);
        source.last_line = source.last_line.max(pace.last);
        source.quiet_since = pace.last.or(pace.looks.map(|(since, _)| since));
        source.longest_pause = pace.longest(now).map(|pause| pause.as_secs());
        source.silent_after = pace.limit(now).as_secs();
        source.disbelieved_day = pace.doubts.look(source.disbelieved, now);
    }

    /// Notes that a part of a log can no longer be read.
    pub fn lose(&mut self, path: String, loss: Loss, now: Time) {
        self.lost.retain(|_, (at, _)| now.since(*at) <= LOST_FOR);
        if self.lost.len() < LOSSES {
            self.lost.insert(path, (now, loss));
        }
    }

    /// What was lost lately, and where.
    pub fn lost(&self, now: Time) -> impl Iterator<Item = (&str, Loss)> {
        let lately = self.lost.iter().filter(move |(_, (at, _))| now.since(*at) <= LOST_FOR);
        lately.map(|(path, (_, loss))| (path.as_str(), *loss))
    }

    /// Searches given up and sessions lost in the last 24 h, now that a jail's filters have seen
    /// so much.
    pub fn strain(&mut self, jail: Name, filtered: &Counts, now: Time) -> (u64, u64) {
        let [exhausted, lost] = self.strain.entry(jail).or_default();
        (exhausted.look(filtered.exhausted, now), lost.look(filtered.lost, now))
    }

    /// Forgets logs that are read no more.
    pub fn keep_only(&mut self, wanted: impl Fn(&str) -> bool) {
        self.paces.retain(|what, _| wanted(what));
    }
}

impl Pace {
    fn look(&mut self, told: Option<Time>, now: Time) {
        let (since, looked) = self.looks.unwrap_or((now, now));
        self.looks = Some((since.min(now), now));
        // The clock may have been set back.
        self.last = self.last.map(|last| last.min(now));
        if let Some(line) = told
            && told != self.told
        {
            // It was read since the last look, whenever it was written: what is read late says
            // nothing of how the log goes.
            let at = line.max(looked).min(now);
            if let Some(last) = self.last.replace(at) {
                self.pause(at.since(last), day(at));
            }
        }
        self.told = told;
    }

    fn pause(&mut self, length: Duration, today: i64) {
        self.days.retain(|day| (today - DAYS + 1..=today).contains(&day.day));
        if self.days.back().is_none_or(|last| last.day != today) {
            self.days.push_back(Day { day: today, longest: 0, seen: 0 });
        }
        if let Some(last) = self.days.back_mut() {
            let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
            last.longest = last.longest.max(length);
            last.seen = last.seen.saturating_add(length);
        }
    }

    /// The longest pause of the last week, once a day's worth has been seen.
    fn longest(&self, now: Time) -> Option<Duration> {
        let today = day(now);
        let week = || self.days.iter().filter(|d| (today - DAYS + 1..=today).contains(&d.day));
        let seen = week().map(|day| day.seen).fold(0, u64::saturating_add);
        let longest = week().map(|day| day.longest).max()?;
        (Duration::from_micros(seen) >= DAY).then(|| Duration::from_micros(longest))
    }

    /// How long it may say nothing.
    fn limit(&self, now: Time) -> Duration {
        self.longest(now)
            .map_or(UNKNOWN, |longest| longest.saturating_mul(FACTOR).clamp(LEAST, MOST))
    }
}

impl Doubts {
    /// How many there were in the last 24 h (to the hour), now that there are `total`.
    fn look(&mut self, total: u64, now: Time) -> u64 {
        // After a reload the reader counts anew.
        let new = total.checked_sub(self.total).unwrap_or(total);
        self.total = total;
        let hour = now.secs().div_euclid(3600);
        self.hours.retain(|(at, _)| (hour - 24..=hour).contains(at));
        match self.hours.back_mut() {
            Some((last, count)) if *last == hour => *count = count.saturating_add(new),
            _ if new > 0 => self.hours.push_back((hour, new)),
            _ => {}
        }
        self.hours.iter().map(|(_, count)| count).sum()
    }
}

fn day(at: Time) -> i64 {
    at.secs().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Time {
        Time::from_secs(20_000 * 86_400).plus(HOUR * u32::try_from(hours).unwrap())
    }

    /// Lines at these hours; then what is usual at the last of them.
    fn after(health: &mut Health, hours: impl IntoIterator<Item = u64>) -> SourceStatus {
        let mut source = SourceStatus { what: "log".to_owned(), ..SourceStatus::default() };
        for hour in hours {
            source.last_line = Some(at(hour));
            health.look(&mut source, at(hour));
        }
        source
    }

    fn hours(seconds: u64) -> u64 {
        seconds / 3600
    }

    #[test]
    fn a_limit_follows_from_the_longest_pause_of_a_week() {
        let mut health = Health::default();
        assert_eq!(hours(after(&mut health, 0..24).silent_after), 24, "less than a day");
        let busy = after(&mut health, 24..30);
        assert_eq!((hours(busy.silent_after), busy.longest_pause), (4, Some(3600)));
        // Nobody writes from hour 29 to 91: a weekend.
        assert_eq!(hours(after(&mut health, [91]).silent_after), 168, "never later than a week");
        let again = after(&mut health, 92..91 + 7 * 24);
        assert_eq!(hours(again.silent_after), 168, "remembered until the next weekend is over");
        assert_eq!(hours(after(&mut health, 259..259 + 48).silent_after), 4, "and no longer");
    }

    #[test]
    fn never_before_an_hour() {
        let mut health = Health::default();
        let mut source = SourceStatus { what: "log".to_owned(), ..SourceStatus::default() };
        for minute in 0..2000 {
            source.last_line = Some(at(0).plus(Duration::from_secs(60 * minute)));
            health.look(&mut source, at(0).plus(Duration::from_secs(60 * minute)));
        }
        assert_eq!((source.longest_pause, source.silent_after), (Some(60), 3600));
    }

    #[test]
    fn what_is_usual_outlives_a_restart_and_the_restart_is_no_pause() {
        let mut health = Health::default();
        after(&mut health, 0..30);
        let text = serde_json::to_string(&health).unwrap();
        let mut health: Health = serde_json::from_str(&text).unwrap();
        let later = after(&mut health, [50, 51]);
        assert_eq!((hours(later.silent_after), later.longest_pause), (4, Some(3600)));
        // What was written while nobody read, and is read now, was no pause either.
        let mut source = SourceStatus { last_line: Some(at(49)), ..later };
        health.look(&mut source, at(52));
        assert_eq!(source.longest_pause, Some(3600));
    }

    #[test]
    fn a_reload_is_no_silence_and_a_clock_set_back_no_pause() {
        let mut health = Health::default();
        after(&mut health, 0..30);
        let mut fresh = SourceStatus { what: "log".to_owned(), ..SourceStatus::default() };
        health.look(&mut fresh, at(30));
        assert_eq!((fresh.quiet_since, fresh.last_line), (Some(at(29)), Some(at(29))));
        health.look(&mut fresh, at(3));
        assert_eq!(fresh.quiet_since, Some(at(3)));
    }

    #[test]
    fn doubts_are_forgotten_after_a_day() {
        let mut doubts = Doubts::default();
        assert_eq!(doubts.look(30, at(0)), 30);
        assert_eq!(doubts.look(50, at(5)), 50);
        assert_eq!(doubts.look(50, at(26)), 20);
        assert_eq!(doubts.look(3, at(27)), 23, "counted anew since a reload");
        assert_eq!(doubts.look(3, at(200)), 0);
    }

    #[test]
    fn losses_are_few_and_old_ones_none() {
        let mut health = Health::default();
        for n in 0..1000 {
            health.lose(n.to_string(), Loss::Gone { read: 1 }, at(0));
        }
        assert_eq!((health.lost(at(24)).count(), health.lost(at(25)).count()), (LOSSES, 0));
    }
}
