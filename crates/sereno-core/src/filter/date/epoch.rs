//! Times written as numbers.

use crate::time::Time;

/// Seconds since 1970 with an optional fraction; with `long`, a number of 13 and more characters
/// counts milliseconds, of 16 and more without a point microseconds. `None` for what is no number.
pub(super) fn value(text: &str, long: bool) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (power, digits) = match (long, text.len()) {
        (true, 16..) if !text.contains('.') => (1, 0),
        (true, 13..) => (1_000, 3),
        _ => (1_000_000, 6),
    };
    if whole.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole = digits_of(whole)?.checked_mul(power)?;
    let small = (0..digits)
        .fold(0, |sum, i| sum * 10 + fraction.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0')));
    Some(Time(whole.checked_add(small)?))
}

fn digits_of(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The seconds of a TAI64N label's 24 hexadecimal digits.
pub(super) fn tai64n(label: &str) -> Option<Time> {
    i64::from_str_radix(label.get(1..16)?, 16).ok().map(Time::from_secs)
}
