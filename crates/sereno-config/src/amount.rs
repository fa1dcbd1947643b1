//! Lengths of time and sizes, as people write them.

use std::time::Duration;

/// A hundred years: longer is a mistake, and this much can be added to any date of a log.
pub(crate) const LONGEST: u64 = 100 * YEAR;

/// fail2ban's year: 365.25 days.
const YEAR: u64 = 31_557_600;

/// Seconds of a unit as fail2ban's `jail.conf(5)` names them.
fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "s" | "ss" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "mm" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hh" | "hour" | "hours" => 3600,
        "d" | "dd" | "day" | "days" => 86_400,
        "w" | "ww" | "week" | "weeks" => 7 * 86_400,
        "mo" | "mon" | "month" | "months" => YEAR / 12,
        "y" | "yy" | "year" | "years" => YEAR,
        _ => return None,
    })
}

/// Reads `600`, `10m`, `1d12h`, `1h 30m`, `1hour+30min`.
///
/// # Errors
/// A sentence about what is wrong.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{} is not a length of time", quote(text));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    if rest.bytes().all(|b| b.is_ascii_digit()) {
        return seconds(rest.parse().ok());
    }
    let mut total: Option<u64> = Some(0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, after) = after.split_at(letters);
        if number.is_empty() || name.is_empty() {
            return Err(bad());
        }
        let scale = unit(&name.to_ascii_lowercase())
            .ok_or_else(|| format!("{} is not a unit of time", quote(name)))?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        let next = after.trim_start();
        rest = next.strip_prefix('+').map_or(next, str::trim_start);
        if rest.is_empty() && next.starts_with('+') {
            return Err(bad());
        }
    }
    seconds(total)
}

/// Whether a number of seconds is a length of time we deal with.
pub(crate) fn seconds(count: Option<u64>) -> Result<Duration, String> {
    count
        .filter(|count| *count <= LONGEST)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is longer than a hundred years".to_owned())
}

/// Reads `8192`, `8KiB`, `1MiB` as bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// A text in quotes for a message, cut if long.
pub(crate) fn quote(text: &str) -> String {
    if text.chars().count() > 60 {
        format!("{:?}…", text.chars().take(60).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_read_as_fail2ban_reads_them() {
        for (text, wanted) in [
            ("600", 600),
            ("10m", 600),
            ("10h", 36_000),
            ("1d12h", 129_600),
            ("1h 30m", 5400),
            ("1hour+30min", 5400),
            ("5w", 3_024_000),
            ("1mo", 2_629_800),
            ("1y 6mo", 31_557_600 + 6 * 2_629_800),
            (" 2 Days ", 172_800),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(wanted)), "{text}");
        }
        for bad in [
            "",
            " ",
            "10q",
            "h",
            "10m5",
            "1h+",
            "+1h",
            "1.5h",
            "-1",
            "1h,30m",
            "99999999999999999999",
            "101y",
            "1h é",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("8KiB"), Some(8192));
        assert_eq!(parse_size("1 MiB"), Some(1 << 20));
        assert_eq!(parse_size("512"), Some(512));
        for bad in
            ["", "KiB", "8 kB", "8K", "-1", "99999999999999999999", "18446744073709551615KiB"]
        {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,20}") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
