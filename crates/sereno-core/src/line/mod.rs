//! Bytes of a log line to a [`Record`]: when, who wrote it, and the text.
//!
//! A header is only ever read at the very start of a line and in its full form. What stands
//! anywhere else is text, whatever it looks like: that is the first fence against lines in
//! which an attacker wrote another line.

pub mod date;
mod header;
mod headers;
mod json;

pub use date::{Dates, Stamp, stamp};
pub use header::{parse, within};
pub use headers::Headers;

use std::borrow::Cow;

/// One log line, taken apart. Fields that its style does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// The date as written.
    pub stamp: Option<Stamp>,
    /// The host name a syslog line carries.
    pub host: &'a [u8],
    /// The program: syslog tag or identifier.
    pub program: &'a [u8],
    /// In the journal: what the program calls itself, which is not always its name.
    pub tag: &'a [u8],
    /// The process id, as digits.
    pub pid: &'a [u8],
    /// Asterisk: the level (`NOTICE`, `SECURITY`, ...).
    pub level: Cow<'a, [u8]>,
    /// Asterisk: the thread number, as digits.
    pub thread: Cow<'a, [u8]>,
    /// Asterisk: the source file that wrote the line.
    pub file: Cow<'a, [u8]>,
    /// The message.
    pub text: Cow<'a, [u8]>,
    /// How the line was framed.
    pub style: Style,
}

/// How a line was framed, which says how far its text can be trusted to be one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No header that we know; the whole line is text.
    #[default]
    Bare,
    /// A date, then text.
    Dated,
    /// Syslog in a file, or the journal.
    Syslog,
    /// Asterisk's own text formats: a message may hold line breaks that a stranger chose.
    Asterisk,
    /// Asterisk's `[json]` format: one record per line, whatever its message holds.
    Json,
}

/// Removes ANSI colours (`ESC [ 1;33 m`; ECMA-48, 8.3.117), and nothing else: a stranger who writes the
/// beginning of another sequence would take away what stands behind it. Borrows when there are none.
#[must_use]
pub fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let colour = colour(&rest[at + 1..]);
        out.extend_from_slice(&rest[..at + usize::from(colour.is_none())]);
        rest = &rest[at + 1 + colour.unwrap_or(0)..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// How many bytes behind the escape belong to a colour.
fn colour(rest: &[u8]) -> Option<usize> {
    let numbers = rest.strip_prefix(b"[")?;
    let end = numbers.iter().position(|b| !b.is_ascii_digit() && *b != b';')?;
    (numbers.get(end) == Some(&b'm')).then_some(end + 2)
}
