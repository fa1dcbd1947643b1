//! Lines looked at together: `maxlines`.

use super::cut;
use super::regex::{Regex, Room};
use std::sync::Arc;

/// A line and what is left of it without its date.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) whole: Arc<str>,
    pub(super) rest: String,
}

impl Line {
    /// What is kept of a line, to be told with a ban.
    pub(super) fn kept(whole: &str) -> Arc<str> {
        /// As much as of lines for other jails.
        const MOST: usize = 400;
        cut(whole, MOST).into()
    }
}

/// Bytes that lines looked at together have at most; all of them are searched for each new one.
const BYTES: usize = 256 << 10;

/// Lets go of the oldest of more than `most` lines, or of more than so many bytes; the last one
/// stays in any case.
pub(super) fn keep(lines: &mut Vec<Line>, most: usize) {
    let mut room = BYTES;
    let fits = |line: &&Line| {
        let fits = room.checked_sub(line.rest.len() + 1);
        room = fits.unwrap_or(0);
        fits.is_some()
    };
    let few = lines.iter().rev().take(most).take_while(fits).count().max(1);
    lines.drain(..lines.len().saturating_sub(few));
}

/// The last lines, as one text with a line break behind each.
pub(super) fn text(lines: &[Line]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.rest.len() + 1).sum());
    for line in lines {
        text.push_str(&line.rest);
        text.push('\n');
    }
    if lines.is_empty() { "\n".to_owned() } else { text }
}

/// Sorts `lines`, whose [`text`] a search has just matched, into those that belong to the match and
/// the others: those before and behind it, and those that `<SKIPLINES>` passed over.
pub(super) fn sort(
    lines: &[Line],
    text: &str,
    regex: &Regex,
    room: &Room,
) -> (Vec<Line>, Vec<Line>) {
    let whole = room.get(0).unwrap_or(0..0);
    let before = &text.as_bytes()[..(whole.start + 1).min(text.len())];
    let first = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let from = whole.end.saturating_sub(1).min(text.len());
    let last =
        memchr::memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1);
    let count = |to: usize| memchr::memchr_iter(b'\n', &text.as_bytes()[..to]).count();
    let (first, last) = (count(first).min(lines.len()), count(last).min(lines.len()));
    let mut matched = lines[first..last.max(first)].to_vec();
    let mut others = lines[..first].to_vec();
    let mut at = 0;
    for skipped in skipped(text, regex, room).lines() {
        if let Some(found) = matched[at..].iter().position(|line| line.rest == skipped) {
            others.push(matched.remove(at + found));
            at += found;
        }
    }
    others.extend_from_slice(&lines[last.max(first)..]);
    (matched, others)
}

/// What `<SKIPLINES>` passed over.
fn skipped(text: &str, regex: &Regex, room: &Room) -> String {
    let names = (0..).map(|n| regex.group(&format!("skiplines{n}")));
    let found = names.map_while(|group| group).filter_map(|index| text.get(room.get(index)?));
    found.collect()
}
