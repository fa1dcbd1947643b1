//! Single values of a file, each checked and at its place.

use crate::amount::{parse_duration, parse_size, quote, seconds};
use crate::problem::Wrong;
use sereno_core::gate::{Block, Name, PortRange, Ports};
use std::fmt::Display;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

/// A value and its place.
pub(crate) type Value<'d> = Spanned<DeValue<'d>>;
/// What a reader of values returns: the value, or all that is wrong with it.
pub(crate) type Read<T> = Result<T, Vec<Wrong>>;

/// What a value is, in words.
fn found(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::String(text) => format!("the text {}", quote(text)),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => format!("{flag}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn wanted<T>(value: &Value<'_>, what: &str) -> Read<T> {
    Wrong::new(value.span(), format!("{what} is needed here, not {}", found(value))).alone()
}

/// A text.
pub(crate) fn text<'v>(value: &'v Value<'_>) -> Read<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => wanted(value, "a text in quotes"),
    }
}

/// `true` or `false`.
pub(crate) fn flag(value: &Value<'_>) -> Read<bool> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(*flag),
        _ => wanted(value, "true or false"),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A whole number between `least` and `most`.
pub(crate) fn whole<T: TryFrom<i64> + Display + Copy + PartialOrd>(
    value: &Value<'_>,
    least: T,
    most: T,
) -> Read<T> {
    let DeValue::Integer(number) = value.get_ref() else { return wanted(value, "a whole number") };
    let fits = |number: &T| (least..=most).contains(number);
    match integer(number).and_then(|number| T::try_from(number).ok()).filter(fits) {
        Some(number) => Ok(number),
        None => wanted(value, &format!("a number from {least} to {most}")),
    }
}

/// A number above zero, whole or not.
pub(crate) fn number(value: &Value<'_>) -> Read<f64> {
    let number = match value.get_ref() {
        DeValue::Integer(number) => integer(number).map(|number| number as f64),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => return wanted(value, "a number"),
    };
    match number.filter(|number| (1e-6..=1e9).contains(number)) {
        Some(number) => Ok(number),
        None => wanted(value, "a number above zero"),
    }
}

/// The elements of a list; a single value is a list of one.
fn elements<'v, 'd>(value: &'v Value<'d>) -> Vec<&'v Value<'d>> {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().collect(),
        _ => vec![value],
    }
}

/// Reads every element, and collects what is wrong with any of them.
pub(crate) fn each<'v, 'd, T>(
    value: &'v Value<'d>,
    read: impl Fn(&'v Value<'d>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut good = Vec::new();
    let mut wrongs = Vec::new();
    for element in elements(value) {
        match read(element) {
            Ok(one) => good.push(one),
            Err(more) => wrongs.extend(more),
        }
    }
    if wrongs.is_empty() { Ok(good) } else { Err(wrongs) }
}

/// A length of time: seconds, or a text such as `10m` or `1d12h`.
pub(crate) fn duration(value: &Value<'_>) -> Read<Duration> {
    let read = match value.get_ref() {
        DeValue::Integer(number) => match integer(number) {
            Some(count) if count < 0 => return wanted(value, "a length of time"),
            count => seconds(count.and_then(|count| u64::try_from(count).ok())),
        },
        DeValue::String(text) => parse_duration(text),
        _ => return wanted(value, "a length of time"),
    };
    read.or_else(|why| {
        Wrong::new(value.span(), why)
            .remedy("write seconds, or numbers with units: \"90s\", \"10m\", \"1h 30m\", \"1d12h\", \"5w\"")
            .alone()
    })
}

/// A length of time that is not zero.
pub(crate) fn lasting(value: &Value<'_>) -> Read<Duration> {
    match duration(value)? {
        Duration::ZERO => wanted(value, "a length of time above zero"),
        length => Ok(length),
    }
}

/// A length of time above zero; `None` for ever, written `"permanent"` or -1.
pub(crate) fn forever(value: &Value<'_>) -> Read<Option<Duration>> {
    let ever = match value.get_ref() {
        DeValue::Integer(number) => integer(number) == Some(-1),
        DeValue::String(text) => matches!(text.trim(), "permanent" | "-1"),
        _ => false,
    };
    if ever { Ok(None) } else { lasting(value).map(Some) }
}

/// A number of bytes.
pub(crate) fn size(value: &Value<'_>, least: u64, most: u64) -> Read<usize> {
    let bytes = match value.get_ref() {
        DeValue::Integer(number) => integer(number).and_then(|count| u64::try_from(count).ok()),
        DeValue::String(text) => parse_size(text),
        _ => None,
    };
    match bytes.filter(|bytes| (least..=most).contains(bytes)).and_then(|b| usize::try_from(b).ok())
    {
        Some(bytes) => Ok(bytes),
        None => wanted(value, &format!("a size from {least} to {most} bytes")),
    }
}

/// A name for a jail or table.
pub(crate) fn name(value: &Value<'_>) -> Read<Name> {
    text(value)?.parse().or_else(|why: String| Wrong::new(value.span(), why).alone())
}

/// Ports: `"all"`, `"tcp/22"`, or a list of such.
pub(crate) fn ports(value: &Value<'_>) -> Read<Ports> {
    let all: Vec<Ports> = each(value, one_ports)?;
    if all.contains(&Ports::All) {
        return Ok(Ports::All);
    }
    let ranges: Vec<PortRange> = all
        .into_iter()
        .flat_map(|ports| match ports {
            Ports::All => Vec::new(),
            Ports::Only(ranges) => ranges,
        })
        .collect();
    Ports::only(ranges).or_else(|why| Wrong::new(value.span(), why).alone())
}

fn one_ports(value: &Value<'_>) -> Read<Ports> {
    let bad = |text: &str, why: String| {
        let remedy = match text.parse::<u16>() {
            Ok(port) => format!("write \"tcp/{port}\" or \"udp/{port}\""),
            Err(_) => {
                "write \"all\", or protocol and number: \"tcp/22\", \"udp/5060-5061\"".to_owned()
            }
        };
        Wrong::new(value.span(), why).remedy(remedy).alone()
    };
    match value.get_ref() {
        DeValue::Integer(number) => bad(number.as_str(), format!("{number} has no protocol")),
        DeValue::String(text) => text
            .parse()
            .or_else(|_| bad(text, format!("{} is not a port with its protocol", quote(text)))),
        _ => wanted(value, "a text such as \"tcp/22\""),
    }
}

/// Whether a text is an absolute path without detours.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains(char::is_control)
        && !path.split('/').any(|part| matches!(part, "." | ".."))
}

/// The absolute path of a file or directory.
pub(crate) fn path<'v>(value: &'v Value<'_>) -> Read<&'v str> {
    let path = text(value)?;
    if is_path(path) {
        return Ok(path);
    }
    let remedy = "write the path from the root, without . and .. and without / at the end";
    Wrong::new(value.span(), format!("{} is not an absolute path", quote(path)))
        .remedy(remedy)
        .alone()
}

/// A path in which `*`, `?` and `[...]` stand for several files; `-` is standard input.
pub(crate) fn pattern(value: &Value<'_>) -> Read<String> {
    if text(value)? == "-" {
        return Ok("-".to_owned());
    }
    let path = path(value)?;
    let bad = |why: &str| {
        Wrong::new(value.span(), format!("{} {why}", quote(path)))
            .remedy("write * ? or [abc] within one name of the path: \"/var/log/auth*.log\"")
            .alone()
    };
    for part in path.split('/') {
        if part.contains("**") {
            return bad("has ** in it, which is not followed");
        }
        if unclosed(part) {
            return bad("has a [ that is not closed");
        }
    }
    Ok(path.to_owned())
}

/// Whether a shell pattern has a `[` without its `]`. The first character inside (after `!`)
/// may be a `]` itself.
fn unclosed(part: &str) -> bool {
    let mut rest = part;
    while let Some(open) = rest.find('[') {
        let inside = &rest[open + 1..];
        let inside = inside.strip_prefix('!').unwrap_or(inside);
        let first = inside.chars().next().map_or(0, char::len_utf8);
        let Some(close) = inside[first..].find(']') else { return true };
        rest = &inside[first + close + 1..];
    }
    false
}

/// Whether a text is `FIELD=value` as `journalctl(1)` takes it; never one of its options.
pub(crate) fn is_journal_match(text: &str) -> bool {
    text.split_once('=').is_some_and(|(field, value)| {
        field.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && field.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !value.is_empty()
            && !value.contains(char::is_control)
    })
}

/// A match of `journalctl(1)`: `FIELD=value`, or `+`.
pub(crate) fn journal(value: &Value<'_>) -> Read<String> {
    let text = text(value)?;
    if is_journal_match(text) || text == "+" {
        return Ok(text.to_owned());
    }
    Wrong::new(value.span(), format!("{} is not a match of the journal", quote(text)))
        .remedy("write a field and its value, such as \"_SYSTEMD_UNIT=ssh.service\"; \"+\" alone means: or")
        .alone()
}

/// Matches of the journal; `"all"` is all of it.
pub(crate) fn journals(value: &Value<'_>) -> Read<Option<Vec<String>>> {
    if matches!(value.get_ref(), DeValue::String(text) if text == "all") {
        return Ok(Some(Vec::new()));
    }
    each(value, journal).map(|matches| (!matches.is_empty()).then_some(matches))
}

/// What happens to the packets of the banned; `None` for what usually does.
pub(crate) fn block(value: &Value<'_>) -> Read<Option<Block>> {
    match text(value)? {
        "drop" => Ok(None),
        "reject" => Ok(Some(Block::Reject)),
        "reset" => Ok(Some(Block::Reset)),
        other => Wrong::new(value.span(), format!("{} is no way to stop a packet", quote(other)))
            .remedy(
                "write \"drop\" (silence), \"reject\" (an ICMP error) or \"reset\" (a TCP reset)",
            )
            .alone(),
    }
}
