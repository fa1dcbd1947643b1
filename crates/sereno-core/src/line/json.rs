//! Asterisk's `[json]` log format (main/logger.c, Asterisk 14 and later): one object per line
//! with `timestamp`, `identifiers.lwp` and `logmsg.{location.filename, level, message}`.

use super::{Record, Style, stamp};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(default)]
    identifiers: Identifiers,
    #[serde(borrow)]
    logmsg: Message<'a>,
}

#[derive(Deserialize, Default)]
struct Identifiers {
    #[serde(default)]
    lwp: u64,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    location: Location<'a>,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
}

/// Reads a JSON line; `None` when it is not one of Asterisk's.
pub(super) fn parse(line: &[u8]) -> Option<Record<'_>> {
    let found: Line<'_> = serde_json::from_slice(line).ok()?;
    let mut text = bytes(found.logmsg.message);
    if text.last() == Some(&b'\n') {
        match &mut text {
            Cow::Borrowed(text) => *text = &text[..text.len() - 1],
            Cow::Owned(text) => drop(text.pop()),
        }
    }
    Some(Record {
        stamp: stamp(found.timestamp.as_bytes()).map(|(stamp, _)| stamp),
        level: bytes(found.logmsg.level),
        thread: Cow::Owned(found.identifiers.lwp.to_string().into_bytes()),
        file: bytes(found.logmsg.location.filename),
        text,
        style: Style::Json,
        ..Record::default()
    })
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
