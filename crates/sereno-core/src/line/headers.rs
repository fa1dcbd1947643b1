//! Headers of a log's lines, each read beside the one before: most are the same but for the date,
//! and many to the last byte.

use super::header::{Place, behind_brackets, place, process, read};
use super::{Record, Stamp, Style, parse, stamp};
use crate::bytes;

/// Takes the lines of one log apart. What stands between the date and the text is mostly the same
/// as in the line before, and then taken from there.
#[derive(Debug, Default)]
pub struct Headers {
    /// The last date as it was written, and what it says.
    date: Option<(Vec<u8>, Stamp)>,
    pub(super) seen: Option<Seen>,
}

impl Headers {
    /// The same as [`parse`].
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        read(line, &mut Some(self))
    }

    /// How a line is framed, as [`parse`] says.
    #[must_use]
    pub(crate) fn style(&self, line: &[u8]) -> Style {
        if line.first() != Some(&b'[') {
            return parse(line).style;
        }
        let Some(text) = line.get(1..) else { return Style::Bare };
        let Some((_, used)) = self.date(text).or_else(|| stamp(text)) else { return Style::Bare };
        match behind_brackets(text, used) {
            Some(rest) if self.place(rest).or_else(|| place(rest)).is_some() => Style::Asterisk,
            Some(_) => Style::Dated,
            None => Style::Bare,
        }
    }

    /// How long the date, the host and the program are that a text begins with, if they are those of
    /// the last line that had them.
    #[inline]
    pub(crate) fn again(&self, text: &[u8]) -> Option<usize> {
        let (date, _) = self.date.as_ref()?;
        let seen = self.seen.as_ref().filter(|seen| seen.host.is_some())?;
        let known = bytes::has(text, 0, date)
            && is_all(text, date.len())
            && text.get(date.len()) == Some(&b' ')
            && bytes::has(text, date.len() + 1, &seen.bytes);
        known.then_some(date.len() + seen.bytes.len())
    }

    /// Fills an empty record as [`parse`] would, from a line of which [`Headers::again`] said this;
    /// `None` where what follows is no process and text.
    #[inline]
    pub(crate) fn rest<'a>(
        &self,
        line: &'a [u8],
        known: usize,
        record: &mut Record<'a>,
    ) -> Option<()> {
        let (date, stamp) = self.date.as_ref()?;
        let (names, rest) = line.split_at_checked(known)?;
        let names = names.get(date.len() + 1..)?;
        let (host, program) = names.split_at_checked(self.seen.as_ref()?.host?)?;
        (record.stamp, record.host) = (Some(*stamp), host);
        process(program.get(1..)?, rest, record)
    }

    pub(super) fn place<'a>(&self, rest: &'a [u8]) -> Option<Place<'a>> {
        self.seen.as_ref()?.place(rest)
    }

    /// The same date again, and its length.
    fn date(&self, text: &[u8]) -> Option<(Stamp, usize)> {
        let (bytes, stamp) = self.date.as_ref()?;
        (bytes::has(text, 0, bytes) && is_all(text, bytes.len())).then_some((*stamp, bytes.len()))
    }

    fn learn_date(&mut self, text: &[u8], (stamp, used): (Stamp, usize)) {
        let Some(written) = text.get(..used).filter(|_| is_all(text, used)) else { return };
        let mut room = self.date.take().map(|(bytes, _)| bytes).unwrap_or_default();
        room.clear();
        room.extend_from_slice(written);
        self.date = Some((room, stamp));
    }
}

/// Whether what stands behind a date can be no part of it, in any style: a bracket, or a blank and
/// neither a year nor a zone.
#[inline]
fn is_all(text: &[u8], used: usize) -> bool {
    match text.get(used) {
        Some(b']') => true,
        Some(b' ') => !matches!(text.get(used + 1), None | Some(b'0'..=b'9' | b'+' | b'-' | b'Z')),
        _ => false,
    }
}

/// The date at the front of a text, and its length.
#[inline]
pub(super) fn date(text: &[u8], memory: &mut Memory<'_>) -> Option<(Stamp, usize)> {
    let Some(headers) = memory else { return stamp(text) };
    if let Some(known) = headers.date(text) {
        return Some(known);
    }
    let found = stamp(text)?;
    headers.learn_date(text, found);
    Some(found)
}

/// What stood behind a date, and how it was taken apart: the same bytes again mean the same, for
/// nothing behind them had a say in it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) bytes: Vec<u8>,
    /// `HOST PROGRAM[`: where the host's name ends. `LEVEL[lwp] file.c: `: none.
    pub(super) host: Option<usize>,
    /// Ends of the level and the thread, and both ends of the file.
    level: usize,
    thread: usize,
    file: (usize, usize),
}

/// What was seen last, where somebody wants to remember it.
pub(super) type Memory<'m> = Option<&'m mut Headers>;

/// Headers longer than this are not remembered.
const LONGEST_SEEN: usize = 160;

/// Remembers what `note` writes, in the room that is there.
pub(super) fn learn(memory: &mut Memory<'_>, note: impl FnOnce(&mut Seen)) {
    let Some(headers) = memory else { return };
    let bytes = headers.seen.take().unwrap_or_default().bytes;
    let mut seen = Seen { bytes, ..Seen::default() };
    seen.bytes.clear();
    note(&mut seen);
    if seen.bytes.len() <= LONGEST_SEEN {
        headers.seen = Some(seen);
    }
}

impl Seen {
    /// The same place again.
    fn place<'a>(&self, rest: &'a [u8]) -> Option<Place<'a>> {
        if self.host.is_some() || !bytes::has(rest, 0, &self.bytes) {
            return None;
        }
        let (head, text) = rest.split_at(self.bytes.len());
        let (level, thread) = (self.level, self.thread);
        let file = head.get(self.file.0..self.file.1)?;
        Some(Place { level: head.get(..level)?, thread: head.get(level + 1..thread)?, file, text })
    }
}

/// Remembers a place that ends in a colon and a blank: what it means, the text has no say in.
pub(super) fn remember(memory: &mut Memory<'_>, rest: &[u8], place: &Place<'_>) {
    let head = &rest[..rest.len() - place.text.len()];
    let Some(before) = head.strip_suffix(b": ").filter(|_| head.len() <= LONGEST_SEEN) else {
        return;
    };
    // Only the plainest form: the file stands at its end.
    if !before.ends_with(place.file) {
        return;
    }
    learn(memory, |seen| {
        seen.bytes.extend_from_slice(head);
        seen.level = place.level.len();
        seen.thread = seen.level + 1 + place.thread.len();
        seen.file = (before.len() - place.file.len(), before.len());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMS: [&str; 13] = [
        "Nov 22 15:22:38 pbx sshd[42]: Failed",
        "Nov 22 15:22:38 2026 sshd[42]: Failed",
        "1795371571 2026 sshd[42]: Failed",
        "2026-11-22T15:22:38.000123+01:00 pbx sshd[4]: x",
        "<34>Nov 22 15:22:38 pbx sshd[42]: Failed",
        "Nov 22 15:22:38 pbx asterisk[9]: NOTICE[41]: a.c:1 in f: x",
        "[Nov 22 15:22:38] NOTICE[41] a.c: x",
        "[Nov 22 15:22:38] NOTICE[41][C-1c] a.c: 7 x",
        "[Nov 22 15:22:38] NOTICE[41]: a.c:27 a.c: x",
        "[Nov 22 15:22:38] WARNING[18][C-2]: Ext. 510:1 in @ default: x",
        "[2026-11-22 15:22:38.123] ERROR[4] pjproject: \t x: y",
        "[x] y",
        "22/Nov/2026:15:22:38 +0100 h p[1]: x",
    ];

    /// One of the forms, with a piece of another in the place of a piece.
    fn mixed() -> impl Strategy<Value = String> {
        let form = || 0..FORMS.len();
        (form(), form(), any::<(u8, u8, u8, u8)>()).prop_map(
            |(one, other, (from, to, start, end))| {
                let cut = |form: &str, a: u8, b: u8| {
                    let (a, b) =
                        (usize::from(a) % (form.len() + 1), usize::from(b) % (form.len() + 1));
                    (a.min(b), a.max(b))
                };
                let mut line = FORMS[one].to_owned();
                let ((a, b), (c, d)) = (cut(&line, from, to), cut(FORMS[other], start, end));
                // Most stay nearly as they are.
                if from < 128 {
                    line.replace_range(a..b.min(a + 4), &FORMS[other][c..d.min(c + 4)]);
                }
                line
            },
        )
    }

    proptest! {
        /// What was seen before changes nothing.
        #[test]
        fn remembered_headers_are_read_alike(lines in proptest::collection::vec(mixed(), 1..12)) {
            let mut headers = Headers::default();
            for line in &lines {
                let plain = parse(line.as_bytes());
                prop_assert_eq!(headers.style(line.as_bytes()), plain.style, "{}", line);
                let known = headers.again(line.as_bytes());
                let mut record = Record::default();
                if known.and_then(|known| headers.rest(line.as_bytes(), known, &mut record)).is_some() {
                    prop_assert_eq!(&record, &plain, "{}", line);
                }
                prop_assert_eq!(headers.parse(line.as_bytes()), plain, "{}", line);
            }
        }
    }
}
