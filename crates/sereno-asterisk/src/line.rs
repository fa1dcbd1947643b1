//! What a line says.

use crate::document::Kept;
use std::ops::Range;

/// What a line says, and where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It is empty, or a comment.
    Nothing,
    /// It begins or continues a section.
    Header(Header),
    /// It is about other files.
    Directive(Directive),
    /// It gives a name a value.
    Setting(Setting),
    /// It is not understood.
    Wrong(Wrong),
}

/// `[name](options)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, with all blanks.
    pub name: Vec<u8>,
    /// What stands in the parentheses, between commas, with all blanks: `!`, `+`, names of templates.
    pub options: Vec<Vec<u8>>,
}

/// `#include file` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// `include`, `tryinclude`, `exec`, or what no version knows.
    pub word: Vec<u8>,
    /// What stands behind it, without quotes.
    pub argument: Option<Vec<u8>>,
}

/// `name = value`, `name => value`, `name += value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name.
    pub name: Vec<u8>,
    /// The value. Of one that is appended, with the blanks before it.
    pub value: Vec<u8>,
    /// Where the value stands in the file; nothing else but comments and backslashes stand between.
    pub at: Range<usize>,
    /// Whether it is appended.
    pub appends: bool,
    /// Whether it was written with `=>`.
    pub object: bool,
}

/// Why a line is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has more than 8191 bytes, with its end: it is passed over.
    Long,
    /// It has no `=`: it is passed over.
    NoEquals,
    /// It has no name: it is passed over.
    NoName,
    /// More comments are open than Asterisk can have.
    Nested,
    /// A `[` is not closed: the file is refused.
    Bracket,
    /// A `(` is not closed: the file is refused.
    Parenthesis,
    /// What stands behind a backslash at the beginning is no character: the file is refused.
    Escape,
}

/// Blanks to Asterisk: what is up to the space.
fn is_blank(byte: u8) -> bool {
    byte < 33
}

fn strip(mut kept: &[Kept]) -> &[Kept] {
    while let [(b, _), rest @ ..] = kept
        && is_blank(*b)
    {
        kept = rest;
    }
    while let [rest @ .., (b, _)] = kept
        && is_blank(*b)
    {
        kept = rest;
    }
    kept
}

fn bytes(kept: &[Kept]) -> Vec<u8> {
    kept.iter().map(|(b, _)| *b).collect()
}

fn find(kept: &[Kept], byte: u8) -> Option<usize> {
    kept.iter().position(|(b, _)| *b == byte)
}

/// What is left of a line without comments, taken apart.
pub(crate) fn says(kept: &[Kept]) -> Says {
    let kept = strip(kept);
    let done = match kept {
        [] => return Says::Nothing,
        [(b'[', _), rest @ ..] => header(rest).map(Says::Header),
        [(b'#', _), rest @ ..] => Ok(Says::Directive(directive(rest))),
        _ => setting(kept).map(Says::Setting),
    };
    done.unwrap_or_else(Says::Wrong)
}

fn header(rest: &[Kept]) -> Result<Header, Wrong> {
    let end = find(rest, b']').ok_or(Wrong::Bracket)?;
    let name = bytes(&rest[..end]);
    let mut options = Vec::new();
    // Nothing may stand between them.
    if let [(b'(', _), inside @ ..] = &rest[end + 1..] {
        let end = find(inside, b')').ok_or(Wrong::Parenthesis)?;
        options = inside[..end].split(|(b, _)| *b == b',').map(bytes).collect();
    }
    Ok(Header { name, options })
}

fn directive(rest: &[Kept]) -> Directive {
    let end = rest.iter().position(|(b, _)| is_blank(*b)).unwrap_or(rest.len());
    let (word, argument) = (bytes(&rest[..end]), bytes(strip(&rest[end..])));
    let argument = match argument.as_slice() {
        [] => None,
        [b'"', inside @ .., b'"'] | [b'<', inside @ .., b'>'] => Some(inside.to_vec()),
        plain => Some(plain.to_vec()),
    };
    Directive { word, argument }
}

fn setting(kept: &[Kept]) -> Result<Setting, Wrong> {
    let (kept, escaped) = match kept {
        [(b'\\', _), rest @ ..] => (rest, 1),
        all => (all, 0),
    };
    // A byte is a signed number there: those of other alphabets are below all blanks.
    let is_character = |b: u8| !is_blank(b) && b.is_ascii();
    if escaped == 1 && !kept.first().is_some_and(|(b, _)| is_character(*b)) {
        return Err(Wrong::Escape);
    }
    let equals = find(&kept[escaped..], b'=').map(|n| n + escaped).ok_or(Wrong::NoEquals)?;
    let appends = equals > escaped && kept[equals - 1].0 == b'+';
    let name = bytes(strip(&kept[..equals - usize::from(appends)]));
    let mut rest = &kept[equals + 1..];
    let object = !appends && rest.first().is_some_and(|(b, _)| *b == b'>');
    if object {
        rest = &rest[1..];
    }
    if name.is_empty() {
        return Err(Wrong::NoName);
    }
    let value = strip(rest);
    let at = match (value.first(), value.last()) {
        (Some((_, first)), Some((_, last))) => *first..*last + 1,
        _ => kept[equals].1 + 1 + usize::from(object)..kept[equals].1 + 1 + usize::from(object),
    };
    let value = if appends { bytes(rest) } else { bytes(value) };
    Ok(Setting { name, value, at, appends, object })
}
