//! Dates as fail2ban finds them.

use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Found, State, Zone};
use sereno_core::time::Time;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// 2026-11-22T15:22:38Z.
const NOW: i64 = 1_795_360_958_000_000;
/// The years that Python's calendar has, and a day more for zones.
const FIRST: i64 = -62_135_596_800 - 86_400;
const LAST: i64 = 253_402_300_800 + 86_400;
/// Compiled patterns that are kept: to compile takes longer than all the rest.
const KEPT: usize = 64;

thread_local! {
    static KNOWN: RefCell<BTreeMap<(u8, String), Option<Detector>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A byte for the zone, four for the clock; then a datepattern (none if empty) and lines, with a
/// zero between. What holds for any of them: a date stands in its line, at characters; what it
/// means is in the years there are, and the same twice; and a pattern is read or refused with a
/// place in it.
pub fn check(data: &[u8]) {
    let Some(([zone, clock @ ..], rest)) = data.split_first_chunk::<5>() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let mut part = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (pattern, lines) = (part(), part());
    let shift = i64::from(i32::from_le_bytes(*clock));
    KNOWN.with_borrow_mut(|known| {
        if known.len() > KEPT {
            known.clear();
        }
        let key = (zone % 4, pattern);
        let made = |key: &(u8, String)| detector(key.0, &key.1);
        let detector = known.entry(key.clone()).or_insert_with(|| made(&key));
        if let Some(detector) = detector {
            for now in [Time(NOW + shift * 1_000_000), Time(shift << 32)] {
                read(detector, &lines, now);
            }
        }
    });
}

fn detector(zone: u8, pattern: &str) -> Option<Detector> {
    let named = |name: &str| TimeZone::get(name).ok();
    let at_home = |name| Zone::machine(named(name).unwrap_or(TimeZone::UTC));
    let zone = match zone {
        0 => at_home("Europe/Madrid"),
        1 => at_home("Australia/Lord_Howe"),
        2 => at_home("UTC"),
        _ => at_home("UTC").log("CEST", named).ok()?,
    };
    let pattern = Some(pattern).filter(|pattern| !pattern.is_empty());
    match Detector::new(pattern, zone, Time(NOW)) {
        Ok(detector) => Some(detector),
        Err(wrong) => {
            let length = pattern.unwrap_or_default().len();
            assert!(wrong.at <= length && !wrong.message.is_empty(), "{wrong:?}");
            None
        }
    }
}

/// Reads the lines one after the other, and each of them alone.
fn read(detector: &Detector, lines: &str, now: Time) {
    let mut state = State::default();
    for line in lines.lines() {
        if let Some(found) = detector.find(&mut state, line, now) {
            dated(detector, &mut state, &found, line, now);
        }
        // Whatever was read before, one that has no date at all has none.
        let mut alone = State::default();
        let fresh = detector.find(&mut alone, line, now);
        if let Some(found) = fresh {
            dated(detector, &mut alone, &found, line, now);
        }
        let hits: u64 = detector.templates(&state).map(|one| u64::from(one.hits)).sum();
        assert!(hits <= lines.lines().count() as u64);
    }
}

fn dated(detector: &Detector, state: &mut State, found: &Found, line: &str, now: Time) {
    assert!(line.get(found.range.clone()).is_some(), "{found:?} is not in {line:?}");
    assert!(found.template < detector.templates(state).len());
    let time = detector.time(state, found, line, now);
    assert_eq!(detector.time(state, found, line, now), time, "the second time, of {line:?}");
    if let Some(time) = time {
        assert!((FIRST..LAST).contains(&time.secs()), "{time} is no time");
    }
}
