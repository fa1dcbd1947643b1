//! A log line: header, date, colours.

use jiff::tz::TimeZone;
use sereno_core::line::{Dates, Record, Stamp, Style, parse, stamp, without_colours};
use sereno_core::time::Time;
use std::cell::RefCell;

/// 2026-11-22T15:22:38Z.
const NOW: i64 = 1_795_360_958_000_000;

thread_local! {
    /// Zones whose clocks jump (forward and back, by an hour and by less), and one that does not.
    static DATES: RefCell<Vec<Dates>> = RefCell::new(
        ["Europe/Madrid", "Australia/Lord_Howe", "UTC"]
            .into_iter()
            .map(|name| Dates::new(TimeZone::get(name).unwrap_or(TimeZone::UTC)))
            .collect(),
    );
}

/// What holds for any line: the parts of a record stand in the line, a date takes no more than
/// there is, its time is near the day that is written, and nothing but colours is taken out of it.
pub fn check(data: &[u8]) {
    let Some((head, line)) = data.split_first_chunk::<4>() else { return };
    // The clock of the reader: within some 68 years of now, or anything at all.
    let shift = i64::from(i32::from_le_bytes(*head));
    for now in [Time(NOW + shift * 1_000_000), Time(shift << 32)] {
        if let Some((found, used)) = stamp(line) {
            assert!(used <= line.len());
            DATES.with_borrow_mut(|dates| dates.iter_mut().for_each(|d| dated(d, found, now)));
        }
    }
    parts(&parse(line), line);
    let clean = without_colours(line);
    // Only colours go: what is left stands in the line in its order, and all but escapes with what
    // belongs to a colour is left.
    let mut rest = line.iter();
    assert!(clean.iter().all(|byte| rest.any(|other| other == byte)));
    let belongs = |byte: &u8| byte.is_ascii_digit() || b"\x1b[;m".contains(byte);
    let others = |text: &[u8]| text.iter().filter(|byte| !belongs(byte)).count();
    assert_eq!(others(&clean), others(line));
    parts(&parse(&clean), &clean);
}

/// The same stamp means the same time twice (the second answer comes from memory), and a date
/// that says its year and zone means it, whenever it is read.
fn dated(dates: &mut Dates, found: Stamp, now: Time) {
    let time = dates.resolve(found, now);
    assert_eq!(dates.resolve(found, now), time);
    let Stamp::Civil { year, month, day, hour, minute, second, micros, offset } = found else {
        return;
    };
    assert!((1..=12).contains(&month) && (1..=31).contains(&day));
    assert!(hour < 24 && minute < 60 && second < 60 && micros < 1_000_000);
    let Some(time) = time else { return };
    if offset.is_some() {
        assert_eq!(dates.resolve(found, Time(0)), Some(time));
    } else if year == 0 && now.0.checked_add(86_460_000_000).is_some() {
        // A guessed year is not in the future: not more than a day, and not another minute.
        assert!(time <= Time(now.0 + 86_460_000_000), "{time} guessed at {now}");
    }
}

/// Whatever a record says stands in its line; only JSON may write it in other bytes.
fn parts(record: &Record<'_>, line: &[u8]) {
    if record.style == Style::Json {
        return;
    }
    let text = record.text.as_ref();
    assert!(line.ends_with(text));
    for part in
        [record.host, record.program, record.pid, &record.level, &record.thread, &record.file]
    {
        // Asterisk's dialplan has a fixed name for its place.
        assert!(part.is_empty() || part == b"Ext." || line.windows(part.len()).any(|w| w == part));
    }
    assert!(record.pid.is_empty() || record.style == Style::Syslog);
    assert!(record.thread.iter().all(u8::is_ascii_digit));
    if record.style == Style::Bare {
        assert_eq!(text, line);
    }
}
