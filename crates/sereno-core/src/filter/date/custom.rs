//! Templates an administrator writes: expressions with named groups for the fields.
//!
//! What the linear engine lacks is rewritten where dates use it: a back-reference to a class of
//! single characters (`(?P<_sep>[-/])..(?P=_sep)`) becomes one expression per character, and a
//! look behind at the very beginning or ahead at the very end becomes text that is matched and
//! not counted.

use super::Wrong;
use super::expression::{expression, longest};
use super::search::Match;
use super::stamp::{Civil, Stamp};
use super::{epoch, zone};
use regex_automata::{Input, meta::Regex};
use std::ops::Range;

/// Groups that mark where the match begins and ends when its surroundings are matched too.
const FROM: &str = "_from";
const TO: &str = "_to";

/// How many expressions the back-references of one template may become.
const MOST_VARIANTS: usize = 32;

/// A compiled template.
#[derive(Debug)]
pub(super) struct Custom {
    regex: Regex,
    /// The letter and the number of every group that is a field, in their order.
    fields: Vec<(u8, usize)>,
    from: Option<usize>,
    to: Option<usize>,
    /// Bytes a look behind may need before a match.
    behind: usize,
    /// Group 2 is an epoch; and whether in the long form.
    epoch: Option<bool>,
}

impl Custom {
    pub(super) fn new(python: &str) -> Result<Self, Wrong> {
        let (hoisted, behind) = hoist(python);
        let regex = expression(&variants(&hoisted)?)?;
        let names: Vec<_> =
            regex.group_info().pattern_names(regex_automata::PatternID::ZERO).collect();
        let named = |wanted| names.iter().position(|name| *name == Some(wanted));
        let field = |(group, name): (usize, &Option<&str>)| match name.map(str::as_bytes) {
            Some(&[letter]) => Some((letter, group)),
            _ => None,
        };
        let fields = names.iter().enumerate().filter_map(field).collect();
        Ok(Self { from: named(FROM), to: named(TO), fields, behind, epoch: None, regex })
    }

    pub(super) fn epoch(python: &str, long: bool) -> Result<Self, Wrong> {
        Ok(Self { epoch: Some(long), ..Self::new(python)? })
    }

    /// The leftmost match in `text` that begins at `from` or later.
    pub(super) fn search(&self, text: &str, from: usize, to: usize) -> Option<Match> {
        let to = to.min(text.len());
        let first = (0..=from.saturating_sub(self.behind))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .filter(|at| *at <= to)?;
        let mut slots = vec![None; self.regex.group_info().slot_len()];
        let input = Input::new(text).span(first..to);
        let pattern = self.regex.search_slots(&input, &mut slots)?;
        let group = |group: usize| -> Option<Range<usize>> {
            let slot = |slot: usize| Some(slots.get(slot).copied().flatten()?.get());
            let (start, end) = self.regex.group_info().slots(pattern, group)?;
            Some(slot(start)?..slot(end)?)
        };
        let whole = group(0)?;
        let start = self.from.and_then(group).map_or(whole.start, |at| at.start);
        let end = self.to.and_then(group).map_or(whole.end, |at| at.start);
        if start < from {
            return None;
        }
        // What was put in front has groups of its own.
        let first = self.from.map_or(1, |from| from + 1);
        let said = |number: usize| group(number).and_then(|range| text.get(range));
        let stamp = match self.epoch {
            Some(long) => said(first + 1).and_then(|text| epoch::value(text, long)).map(Stamp::At),
            None => self.civil(said).map(Stamp::Civil),
        };
        let date = group(first);
        Some(Match {
            start,
            end,
            date: date.unwrap_or(0..0),
            stamp: Some(Box::new(stamp.unwrap_or(Stamp::Senseless))),
        })
    }

    /// The fields of a match; `None` when one of them is no number or name it could be.
    fn civil<'t>(&self, said: impl Fn(usize) -> Option<&'t str>) -> Option<Civil> {
        let mut civil = Civil::default();
        let half = self.fields.iter().find(|(letter, _)| *letter == b'p');
        let half = half.and_then(|(_, group)| said(*group));
        for (letter, group) in &self.fields {
            if let Some(text) = said(*group) {
                field(&mut civil, *letter, text, half)?;
            }
        }
        Some(civil)
    }
}

/// Sets one field; `None` for a value it cannot have.
fn field(civil: &mut Civil, letter: u8, text: &str, half: Option<&str>) -> Option<()> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let number = || text.trim().parse::<i16>().ok().filter(|number| *number >= 0);
    let small = || number().and_then(|number| u8::try_from(number).ok());
    let nonzero = || small().filter(|number| *number > 0);
    let name = |names: &[&str], letters: usize| {
        let same = |name: &&str| name.get(..letters).unwrap_or(name).eq_ignore_ascii_case(text);
        names.iter().position(same).map(|at| at as u8)
    };
    match letter {
        b'y' => civil.year = Some(number().map(|y| if y <= 2000 { y + 2000 } else { y })?),
        b'Y' => civil.year = Some(number()?),
        b'm' => civil.month = nonzero()?,
        b'B' => civil.month = name(&MONTHS, usize::MAX)? + 1,
        b'b' => civil.month = name(&MONTHS, 3)? + 1,
        b'd' => civil.day = nonzero()?,
        b'H' => civil.hour = small()?,
        b'I' => civil.hour = twelve(small()?, half)?,
        b'M' => civil.minute = small()?,
        b'S' => civil.second = small()?,
        b'A' => civil.weekday = Some(name(&DAYS, usize::MAX)?),
        b'a' => civil.weekday = Some(name(&DAYS, 3)?),
        b'w' => civil.weekday = Some(small()?.checked_sub(1).unwrap_or(6)),
        b'j' => civil.julian = Some(number()?),
        b'U' | b'W' => {
            civil.week = Some(small()?);
            civil.monday = letter == b'W';
        }
        b'z' | b'Z' => civil.offset = zone::offset(text),
        _ => {}
    }
    Some(())
}

/// An hour of a clock with twelve; without a half of the day it is the morning.
fn twelve(hour: u8, half: Option<&str>) -> Option<u8> {
    let evening = half.is_some_and(|half| half.eq_ignore_ascii_case("pm"));
    match (hour, evening) {
        (12, false) => Some(0),
        (12, true) => Some(12),
        (_, true) => hour.checked_add(12),
        (_, false) => Some(hour),
    }
}

/// The boundaries fail2ban puts around an expression.
const BEGIN: &str = r"(?=^|\b|\W)";
const END: &str = r"(?=\b|\W|$)";

/// Makes a look behind at the very beginning and a look ahead at the very end text of the
/// match, and marks where the match proper begins and ends; with how many bytes are behind.
fn hoist(python: &str) -> (String, usize) {
    let flags = if python.starts_with("(?iu)") { "(?iu)" } else { "" };
    let body = &python[flags.len()..];
    let (begin, body) = body.strip_prefix(BEGIN).map_or(("", body), |body| (BEGIN, body));
    let (end, body) = body.strip_suffix(END).map_or(("", body), |body| (END, body));
    let opened = body.len() - body.trim_start_matches("(").len();
    let ahead = (0..=opened).find(|open| body[*open..].starts_with("(?<="));
    let (behind, body) = match ahead.and_then(|open| Some((open, closing(body, open)?))) {
        Some((open, close)) => {
            (&body[open + 4..close], format!("{}{}", &body[..open], &body[close + 1..]))
        }
        None => ("", body.to_owned()),
    };
    let tail = body.trim_end_matches(')').len();
    let closed = |(at, _)| Some((at, closing(&body, at)?));
    let look = body.match_indices("(?=").filter_map(closed).find(|(_, close)| *close >= tail);
    let (ahead, body) = match look {
        Some((at, close)) => {
            (body[at + 3..close].to_owned(), format!("{}{}", &body[..at], &body[close + 1..]))
        }
        None => (String::new(), body),
    };
    if behind.is_empty() && ahead.is_empty() {
        return (python.to_owned(), 0);
    }
    let width = longest(behind);
    let text = format!("{flags}(?:{behind})(?P<{FROM}>){begin}{body}{end}(?P<{TO}>)(?:{ahead})");
    (text, width)
}

/// The parenthesis that closes the one at `open`.
fn closing(regex: &str, open: usize) -> Option<usize> {
    let (mut depth, mut class, mut escaped) = (0u32, false, false);
    for (at, byte) in regex.bytes().enumerate().skip(open) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b']' if class => class = false,
            _ if class => {}
            b'[' => class = true,
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// One expression per character a back-reference may refer to.
fn variants(python: &str) -> Result<Vec<String>, Wrong> {
    let mut open = vec![python.to_owned()];
    let mut done = Vec::new();
    while let Some(text) = open.pop() {
        let Some(at) = text.find("(?P=") else {
            done.push(text);
            continue;
        };
        let name = text[at + 4..].split(')').next().unwrap_or_default();
        let group = format!("(?P<{name}>[");
        let class = text.find(&group).filter(|group| *group < at).and_then(|start| {
            let inner = start + group.len();
            let close = text[inner..].find("])")?;
            Some((inner, inner + close, characters(&text[inner..inner + close])?))
        });
        let Some((start, end, characters)) = class else {
            return Err(unsupported(
                &format!("(?P={name})"),
                "refer only to a group of one class of characters, as (?P<_sep>[-/])",
            ));
        };
        if open.len() + done.len() + characters.len() > MOST_VARIANTS {
            return Err(unsupported(&format!("(?P={name})"), "use a smaller class"));
        }
        // Last first, because `open` is a stack and the order is that of preference.
        for c in characters.iter().rev() {
            let text = format!("{}\\{c}{}", &text[..start], &text[end..]);
            open.push(text.replace(&format!("(?P={name})"), &format!("\\{c}")));
        }
    }
    Ok(done)
}

/// The characters of a class that lists marks one by one; `None` for ranges, letters and
/// complements.
fn characters(class: &str) -> Option<Vec<char>> {
    let plain = class.strip_prefix('-').unwrap_or(class);
    let plain = plain.strip_suffix('-').unwrap_or(plain);
    let simple = |c: char| c.is_ascii_punctuation() && !matches!(c, '\\' | '^' | '[' | ']' | '-');
    (!class.is_empty() && plain.chars().all(|c| simple(c) || c == ' '))
        .then(|| class.chars().collect())
}

fn unsupported(what: &str, remedy: &str) -> Wrong {
    Wrong::whole(&format!("'{what}' is not read here"), remedy)
}
