//! The headers of log lines: syslog (RFC 3164, RFC 5424, ISO dates), Asterisk's `[default]`,
//! `[plain]` and syslog forms, and a bare date.

use super::{Record, Style, json, stamp};
use std::borrow::Cow;

/// Takes a line (without its line break) apart. Never fails: what is not understood is text.
#[must_use]
pub fn parse(line: &[u8]) -> Record<'_> {
    match line.first() {
        Some(b'{') => json::parse(line).unwrap_or_else(|| bare(line)),
        Some(b'[') => bracketed(line).unwrap_or_else(|| bare(line)),
        Some(b'<') => priority(line).unwrap_or_else(|| bare(line)),
        Some(b'0'..=b'9' | b'A'..=b'Z') => dated(line).unwrap_or_else(|| bare(line)),
        _ => bare(line),
    }
}

fn bare(line: &[u8]) -> Record<'_> {
    Record { text: Cow::Borrowed(line), ..Record::default() }
}

/// `<133>` and, for RFC 5424, the version digit; then a dated line.
fn priority(line: &[u8]) -> Option<Record<'_>> {
    let end = line.iter().take(5).position(|b| *b == b'>')?;
    if end < 2 || !line[1..end].iter().all(u8::is_ascii_digit) {
        return None;
    }
    match line.get(end + 1..) {
        Some([b'1', b' ', rest @ ..]) => rfc5424(rest),
        Some(rest) => dated(rest),
        None => None,
    }
}

/// RFC 5424 after the version: `DATE HOST APP PROCID MSGID STRUCTURED-DATA MSG`.
fn rfc5424(rest: &[u8]) -> Option<Record<'_>> {
    let (date, used) = stamp(rest)?;
    let rest = rest.get(used..)?.strip_prefix(b" ")?;
    let (host, rest) = word(rest)?;
    let (program, rest) = word(rest)?;
    let (pid, rest) = word(rest)?;
    let (_, rest) = word(rest)?;
    let text = after_structured_data(rest)?;
    let record =
        Record { stamp: Some(date), host, program, pid, style: Style::Syslog, ..Record::default() };
    Some(inner_asterisk(record, text))
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
fn dated(line: &[u8]) -> Option<Record<'_>> {
    let (date, used) = stamp(line)?;
    let rest = line.get(used..)?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let plain = Record {
        stamp: Some(date),
        style: Style::Dated,
        text: Cow::Borrowed(rest),
        ..Record::default()
    };
    Some(syslog(date, rest).unwrap_or(plain))
}

fn syslog(date: super::Stamp, rest: &[u8]) -> Option<Record<'_>> {
    let (host, rest) = word(rest)?;
    let (program, pid, text) = tag(rest)?;
    let record =
        Record { stamp: Some(date), host, program, pid, style: Style::Syslog, ..Record::default() };
    Some(inner_asterisk(record, text))
}

/// `PROGRAM[PID]: `, `PROGRAM: ` or `PROGRAM[PID] `. A program's name has no blank, quote or
/// bracket in it.
fn tag(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = rest.iter().take(128).position(|b| matches!(b, b'[' | b':' | b' '))?;
    let program = &rest[..end];
    if program.is_empty() || program.iter().any(|b| matches!(b, b'"' | b'\'' | b'(' | b'<')) {
        return None;
    }
    let (pid, rest) = match rest.get(end..)? {
        [b'[', inner @ ..] => {
            let close = inner.iter().take(12).position(|b| *b == b']')?;
            let pid = &inner[..close];
            if pid.is_empty() || !pid.iter().all(u8::is_ascii_digit) {
                return None;
            }
            (pid, &inner[close + 1..])
        }
        rest => (&[][..], rest),
    };
    let text = rest.strip_prefix(b":")?;
    Some((program, pid, text.strip_prefix(b" ").unwrap_or(text)))
}

/// The record of a journal entry, whose syslog header came as fields: what header of its own the
/// program put before the text is taken off.
#[must_use]
pub fn within<'a>(entry: &'a Record<'_>) -> Record<'a> {
    let Record { stamp, host, program, pid, style, .. } = *entry;
    inner_asterisk(Record { stamp, host, program, pid, style, ..Record::default() }, &entry.text)
}

/// Asterisk through syslog puts its own level, thread and place before the message.
fn inner_asterisk<'a>(mut record: Record<'a>, text: &'a [u8]) -> Record<'a> {
    record.text = Cow::Borrowed(text);
    if record.program == b"asterisk"
        && let Some(place) = place(text)
    {
        record.level = Cow::Borrowed(place.level);
        record.thread = Cow::Borrowed(place.thread);
        record.file = Cow::Borrowed(place.file);
        record.text = Cow::Borrowed(place.text);
    }
    record
}

/// `[DATE] LEVEL[lwp][C-xxxxxxxx] file.c: text`, or `[DATE] text` of something else.
fn bracketed(line: &[u8]) -> Option<Record<'_>> {
    let (date, used) = stamp(line.get(1..)?)?;
    let rest = line.get(used + 1..)?.strip_prefix(b"]")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let mut record = Record {
        stamp: Some(date),
        style: Style::Dated,
        text: Cow::Borrowed(rest),
        ..Record::default()
    };
    if let Some(place) = place(rest) {
        record.style = Style::Asterisk;
        record.level = Cow::Borrowed(place.level);
        record.thread = Cow::Borrowed(place.thread);
        record.file = Cow::Borrowed(place.file);
        record.text = Cow::Borrowed(place.text);
    }
    Some(record)
}

struct Place<'a> {
    level: &'a [u8],
    thread: &'a [u8],
    file: &'a [u8],
    text: &'a [u8],
}

const LEVELS: [&[u8]; 9] =
    [b"SECURITY", b"NOTICE", b"VERBOSE", b"WARNING", b"ERROR", b"DEBUG", b"DTMF", b"FAX", b"TRACE"];

/// `LEVEL[lwp]` with an optional `[C-call]` and colon, then where in Asterisk it was written:
/// `file.c: `, `file.c:LINE function: ` or `file.c:LINE in function: ` (main/logger.c).
fn place(text: &[u8]) -> Option<Place<'_>> {
    let level = LEVELS
        .into_iter()
        .find(|level| text.starts_with(level) && text.get(level.len()) == Some(&b'['))?;
    let rest = &text[level.len() + 1..];
    let close = rest.iter().take(12).position(|b| *b == b']')?;
    let thread = &rest[..close];
    if thread.is_empty() || !thread.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut rest = &rest[close + 1..];
    if let Some(call) = rest.strip_prefix(b"[C-") {
        let close = call.iter().take(16).position(|b| *b == b']')?;
        rest = &call[close + 1..];
    }
    rest = rest.strip_prefix(b":").unwrap_or(rest);
    rest = rest.strip_prefix(b" ")?;
    // The dialplan's Log() writes as `Ext. EXTENSION`.
    let (file, rest) = match rest.strip_prefix(b"Ext. ") {
        Some(said) => {
            let colon = said.iter().take(128).position(|b| *b == b':')?;
            (&b"Ext."[..], &said[colon + 1..])
        }
        None => {
            let end = rest.iter().take(128).position(|b| matches!(b, b':' | b' '))?;
            (&rest[..end], rest.get(end..)?.strip_prefix(b":")?)
        }
    };
    let text = match rest.first()? {
        b'0'..=b'9' => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let rest = rest[digits..].strip_prefix(b" ")?;
            let colon = rest.iter().take(128).position(|b| *b == b':')?;
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
