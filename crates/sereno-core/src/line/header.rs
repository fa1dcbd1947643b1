//! The headers of log lines: syslog (RFC 3164, RFC 5424, ISO dates), Asterisk's `[default]`,
//! `[plain]` and syslog forms, and a bare date.

use super::headers::{Memory, date, learn, remember};
use super::{Record, Style, json, stamp};
use crate::bytes;
use std::borrow::Cow;

/// Takes a line (without its line break) apart. Never fails: what is not understood is text.
#[must_use]
pub fn parse(line: &[u8]) -> Record<'_> {
    read(line, &mut None)
}

/// The same, with a memory.
pub(super) fn read<'a>(line: &'a [u8], memory: &mut Memory<'_>) -> Record<'a> {
    // A record is large. It is filled where it stands, by whoever understands the whole header.
    let mut record = Record { text: Cow::Borrowed(line), ..Record::default() };
    // What is not understood is text, all of it.
    let _ = match line.first() {
        Some(b'{') => json::parse(line).map(|found| record = found),
        Some(b'[') => bracketed(line, memory, &mut record),
        Some(b'<') => priority(line, &mut record),
        Some(b'0'..=b'9' | b'A'..=b'Z') => dated(line, memory, &mut record),
        _ => None,
    };
    record
}

/// `<133>` and, for RFC 5424, the version digit; then a dated line.
fn priority<'a>(line: &'a [u8], record: &mut Record<'a>) -> Option<()> {
    let end = line.iter().take(5).position(|b| *b == b'>')?;
    if end < 2 || !line[1..end].iter().all(u8::is_ascii_digit) {
        return None;
    }
    match line.get(end + 1..) {
        Some([b'1', b' ', rest @ ..]) => rfc5424(rest, record),
        Some(rest) => dated(rest, &mut None, record),
        None => None,
    }
}

/// RFC 5424 after the version: `DATE HOST APP PROCID MSGID STRUCTURED-DATA MSG`.
fn rfc5424<'a>(rest: &'a [u8], record: &mut Record<'a>) -> Option<()> {
    let (date, used) = stamp(rest)?;
    let rest = rest.get(used..)?.strip_prefix(b" ")?;
    let (host, rest) = word(rest)?;
    let (program, rest) = word(rest)?;
    let (pid, rest) = word(rest)?;
    let (_, rest) = word(rest)?;
    let text = after_structured_data(rest)?;
    record.stamp = Some(date);
    (record.host, record.program, record.pid) = (host, program, pid);
    record.style = Style::Syslog;
    inner_asterisk(record, text);
    Some(())
}

fn after_structured_data(rest: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = rest.strip_prefix(b"- ") {
        return Some(rest);
    }
    let (mut quoted, mut escaped) = (false, false);
    for (i, &byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && rest.get(i + 1) != Some(&b'[') => {
                return rest.get(i + 1..).map(|r| r.strip_prefix(b" ").unwrap_or(r));
            }
            _ => {}
        }
    }
    None
}

/// A date without brackets, then (if it looks like it) `HOST PROGRAM[PID]: TEXT`.
fn dated<'a>(line: &'a [u8], memory: &mut Memory<'_>, record: &mut Record<'a>) -> Option<()> {
    let (date, used) = date(line, memory)?;
    let rest = line.get(used..)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    record.stamp = Some(date);
    syslog(rest, memory, record).or_else(|| {
        (record.style, record.text) = (Style::Dated, Cow::Borrowed(rest));
        Some(())
    })
}

fn syslog<'a>(rest: &'a [u8], memory: &mut Memory<'_>, record: &mut Record<'a>) -> Option<()> {
    let seen = memory.as_ref().and_then(|headers| headers.seen.as_ref());
    let known = seen.filter(|seen| bytes::has(rest, 0, &seen.bytes));
    let (host, program, rest) = match known.and_then(|seen| Some((seen, seen.host?))) {
        Some((seen, host)) => {
            let end = seen.bytes.len() - 1;
            (&rest[..host], &rest[host + 1..end], &rest[end..])
        }
        None => {
            let (host, rest) = word(rest)?;
            let (program, rest) = program(rest)?;
            if rest.first() == Some(&b'[') {
                learn(memory, |seen| {
                    for part in [host, b" ", program, b"["] {
                        seen.bytes.extend_from_slice(part);
                    }
                    seen.host = Some(host.len());
                });
            }
            (host, program, rest)
        }
    };
    process(program, rest, record)?;
    record.host = host;
    Some(())
}

/// What follows the program: the process and the text.
#[inline]
pub(super) fn process<'a>(
    program: &'a [u8],
    rest: &'a [u8],
    record: &mut Record<'a>,
) -> Option<()> {
    let (pid, text) = pid(rest)?;
    (record.program, record.pid) = (program, pid);
    record.style = Style::Syslog;
    inner_asterisk(record, text);
    Some(())
}

/// How far it is to the first byte of a kind, among so many.
#[inline]
fn find(text: &[u8], most: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    text[..text.len().min(most)].iter().position(|byte| wanted(*byte))
}

/// `PROGRAM[PID]: `, `PROGRAM: ` or `PROGRAM[PID] `: the first part. A program's name has no blank,
/// quote or bracket in it.
fn program(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = find(rest, 128, |b| matches!(b, b'[' | b':' | b' '))?;
    let (program, rest) = rest.split_at(end);
    let odd = |b: &u8| matches!(b, b'"' | b'\'' | b'(' | b'<');
    (!program.is_empty() && !program.iter().any(odd)).then_some((program, rest))
}

/// The other parts: the process and the text.
fn pid(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (pid, rest) = match rest {
        [b'[', inner @ ..] => digits_in_brackets(inner)?,
        rest => (&[][..], rest),
    };
    let text = rest.strip_prefix(b":")?;
    Some((pid, text.strip_prefix(b" ").unwrap_or(text)))
}

/// The digits before the bracket that closes, eleven at most, and what follows it.
#[inline]
fn digits_in_brackets(inner: &[u8]) -> Option<(&[u8], &[u8])> {
    let close = find(inner, 12, |b| !b.is_ascii_digit())?;
    if close == 0 || inner[close] != b']' {
        return None;
    }
    Some((&inner[..close], &inner[close + 1..]))
}

/// The record of a journal entry, whose syslog header came as fields: what header of its own the
/// program put before the text is taken off.
#[must_use]
pub fn within<'a>(entry: &'a Record<'_>) -> Record<'a> {
    let Record { stamp, host, program, pid, style, .. } = *entry;
    let mut record = Record { stamp, host, program, pid, style, ..Record::default() };
    inner_asterisk(&mut record, &entry.text);
    record
}

/// Asterisk through syslog puts its own level, thread and place before the message.
fn inner_asterisk<'a>(record: &mut Record<'a>, text: &'a [u8]) {
    record.text = Cow::Borrowed(text);
    if record.program == b"asterisk"
        && let Some(place) = place(text)
    {
        put(record, &place);
    }
}

/// What follows a date in brackets.
#[inline]
pub(super) fn behind_brackets(text: &[u8], used: usize) -> Option<&[u8]> {
    let rest = text.get(used..)?.strip_prefix(b"]")?;
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

/// `[DATE] LEVEL[lwp][C-xxxxxxxx] file.c: text`, or `[DATE] text` of something else.
fn bracketed<'a>(line: &'a [u8], memory: &mut Memory<'_>, record: &mut Record<'a>) -> Option<()> {
    let text = line.get(1..)?;
    let (date, used) = date(text, memory)?;
    let rest = behind_brackets(text, used)?;
    record.stamp = Some(date);
    let place = match memory.as_ref().and_then(|headers| headers.place(rest)) {
        Some(place) => Some(place),
        None => {
            let place = place(rest);
            place.as_ref().into_iter().for_each(|place| remember(memory, rest, place));
            place
        }
    };
    match place {
        Some(place) => {
            record.style = Style::Asterisk;
            put(record, &place);
        }
        None => (record.style, record.text) = (Style::Dated, Cow::Borrowed(rest)),
    }
    Some(())
}

fn put<'a>(record: &mut Record<'a>, place: &Place<'a>) {
    record.level = Cow::Borrowed(place.level);
    record.thread = Cow::Borrowed(place.thread);
    record.file = Cow::Borrowed(place.file);
    record.text = Cow::Borrowed(place.text);
}

/// Where in Asterisk a line was written, and what it says.
pub(super) struct Place<'a> {
    pub(super) level: &'a [u8],
    pub(super) thread: &'a [u8],
    pub(super) file: &'a [u8],
    pub(super) text: &'a [u8],
}

/// The level that a text begins with.
fn level(text: &[u8]) -> Option<&[u8]> {
    let level: &[u8] = match text.first()? {
        b'S' => b"SECURITY",
        b'N' => b"NOTICE",
        b'V' => b"VERBOSE",
        b'W' => b"WARNING",
        b'E' => b"ERROR",
        b'D' if text.get(1) == Some(&b'E') => b"DEBUG",
        b'D' => b"DTMF",
        b'F' => b"FAX",
        b'T' => b"TRACE",
        _ => return None,
    };
    bytes::has(text, 0, level).then(|| &text[..level.len()])
}

/// `LEVEL[lwp]` with an optional `[C-call]` and colon, then where in Asterisk it was written:
/// `file.c: `, `file.c:LINE function: ` or `file.c:LINE in function: ` (main/logger.c).
pub(super) fn place(text: &[u8]) -> Option<Place<'_>> {
    let level = level(text)?;
    let rest = text[level.len()..].strip_prefix(b"[")?;
    let (thread, mut rest) = digits_in_brackets(rest)?;
    if let Some(call) = rest.strip_prefix(b"[C-") {
        let close = find(call, 16, |b| b == b']')?;
        rest = &call[close + 1..];
    }
    rest = rest.strip_prefix(b":").unwrap_or(rest);
    rest = rest.strip_prefix(b" ")?;
    // The dialplan's Log() writes as `Ext. EXTENSION`.
    let (file, rest) = match rest.strip_prefix(b"Ext. ") {
        Some(said) => {
            let colon = find(said, 128, |b| b == b':')?;
            (&b"Ext."[..], &said[colon + 1..])
        }
        None => {
            let end = find(rest, 128, |b| matches!(b, b':' | b' '))?;
            (&rest[..end], rest.get(end..)?.strip_prefix(b":")?)
        }
    };
    let text = match rest.first()? {
        b'0'..=b'9' => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let rest = rest[digits..].strip_prefix(b" ")?;
            let colon = find(rest, 128, |b| b == b':')?;
            &rest[colon + 1..]
        }
        _ => rest,
    };
    Some(Place { level, thread, file, text: text.strip_prefix(b" ").unwrap_or(text) })
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    (end > 0).then(|| (&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::super::{Record, Style, without_colours};
    use super::{parse, within};
    use proptest::prelude::*;

    fn shown(line: &str) -> String {
        told(&parse(line.as_bytes()))
    }

    fn told(r: &Record<'_>) -> String {
        let s = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        format!(
            "{:?}|{}|{}|{}|{}|{}|{}|{}",
            r.style,
            s(r.host),
            s(r.program),
            s(r.pid),
            s(&r.level),
            s(&r.thread),
            s(&r.file),
            s(&r.text)
        )
    }

    #[test]
    fn syslog_in_its_forms() {
        for line in [
            "Nov 22 15:22:38 pbx sshd[42]: Failed password",
            "2026-11-22T15:22:38.000123+01:00 pbx sshd[42]: Failed password",
            "<34>Nov 22 15:22:38 pbx sshd[42]: Failed password",
            "<34>1 2026-11-22T15:22:38Z pbx sshd 42 - - Failed password",
            "<34>1 2026-11-22T15:22:38Z pbx sshd 42 ID1 [a@1 x=\"]\"][b y=\"z\"] Failed password",
        ] {
            assert_eq!(shown(line), "Syslog|pbx|sshd|42||||Failed password", "{line}");
        }
    }

    #[test]
    fn asterisk_in_its_forms() {
        let want = "Asterisk||||NOTICE|4108|chan_sip.c|Call from ''";
        assert_eq!(shown("[Nov 22 15:22:38] NOTICE[4108] chan_sip.c: Call from ''"), want);
        assert_eq!(
            shown("[2026-11-22 15:22:38.123] NOTICE[4108][C-0000011c] chan_sip.c: Call from ''"),
            want
        );
        assert_eq!(
            shown("[Nov 22 15:22:38] NOTICE[4108]: chan_sip.c:27 handle_request: Call from ''"),
            want
        );
        assert_eq!(
            shown(
                "<133>Nov 22 15:22:38 pbx asterisk[9]: NOTICE[4108]: chan_sip.c:27 in handle: Call from ''"
            ),
            "Syslog|pbx|asterisk|9|NOTICE|4108|chan_sip.c|Call from ''"
        );
        let json = r#"{"hostname":"pbx","timestamp":"2026-11-22 15:22:38.1","identifiers":{"lwp":4108,"callid":""},"logmsg":{"location":{"filename":"chan_sip.c","function":"f","line":1},"level":"NOTICE","message":"Call from ''\n"}}"#;
        assert_eq!(shown(json), "Json||||NOTICE|4108|chan_sip.c|Call from ''");
    }

    #[test]
    fn asterisk_in_the_journal() {
        let entry = |program: &'static [u8], text: &'static str| Record {
            host: b"pbx",
            program,
            pid: b"18500",
            text: text.as_bytes().into(),
            style: Style::Syslog,
            ..Record::default()
        };
        let text = "NOTICE[18600][C-00000003]: chan_sip.c:26826 in handle_request_invite: Call from '\n[x] NOTICE[9] chan_sip.c: y'";
        assert_eq!(
            told(&within(&entry(b"asterisk", text))),
            "Syslog|pbx|asterisk|18500|NOTICE|18600|chan_sip.c|Call from '\n[x] NOTICE[9] chan_sip.c: y'"
        );
        let text = "WARNING[18697]: pjproject:0 in <?>: \t sip_transport.c Dropping 64 bytes";
        assert_eq!(
            told(&within(&entry(b"asterisk", text))),
            "Syslog|pbx|asterisk|18500|WARNING|18697|pjproject|\t sip_transport.c Dropping 64 bytes"
        );
        let text = "WARNING[18612][C-00000002]: Ext. 510:1 in @ default: \"Rejecting\"";
        assert_eq!(
            told(&within(&entry(b"asterisk", text))),
            "Syslog|pbx|asterisk|18500|WARNING|18612|Ext.|\"Rejecting\""
        );
        // The kernel says who wrote it: another program's text is text.
        let text = "NOTICE[1]: chan_sip.c:1 in f: Call";
        assert_eq!(
            told(&within(&entry(b"logger", text))),
            "Syslog|pbx|logger|18500||||NOTICE[1]: chan_sip.c:1 in f: Call"
        );
    }

    #[test]
    fn a_header_in_the_middle_is_text() {
        let line = "@x> [Nov 22 15:22:38] NOTICE[1] chan_sip.c: Call";
        assert_eq!(parse(line.as_bytes()).style, Style::Bare);
        assert_eq!(
            shown("[Nov 22 15:22:38] NOTICE[abc] chan_sip.c: x").split('|').next(),
            Some("Dated")
        );
    }

    #[test]
    fn colours_go_away() {
        let line = b"[x] \x1b[1;33mNOTICE\x1b[0m[1] a.c: b\x1b[m";
        assert_eq!(without_colours(line).as_ref(), b"[x] NOTICE[1] a.c: b");
        // What a stranger wrote takes nothing with it.
        for line in [
            &b"'\x1b[' failed m"[..],
            b"'\x1b' failed",
            b"'\x1b[2J' failed",
            b"\x1b",
            b"a\x1b[",
            b"\x1b[1;3",
        ] {
            assert_eq!(without_colours(line).as_ref(), line);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(line in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&line);
            let _ = without_colours(&line);
        }

        #[test]
        fn text_is_always_a_tail_of_the_line(tail in "[ -~]{0,40}") {
            let line = format!("Nov 22 15:22:38 h sshd[1]: {tail}");
            let record = parse(line.as_bytes());
            prop_assert_eq!(record.text.as_ref(), tail.as_bytes());
        }
    }
}
