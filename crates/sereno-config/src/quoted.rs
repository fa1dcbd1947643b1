//! Places within the strings of TOML.

use crate::value::{self, Read, Value};
use std::ops::Range;

/// A text of a file, and its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// With its quotes.
    pub(crate) span: Range<usize>,
    /// Where each byte of it is written is known by this: it, with its quotes.
    raw: String,
}

impl Said {
    /// The text `value` of a file.
    pub(crate) fn new(value: &Value<'_>, file: &str) -> Read<Self> {
        let (text, span) = (value::text(value)?.to_owned(), value.span());
        let raw = file.get(span.clone()).unwrap_or_default().to_owned();
        Ok(Self { text, span, raw })
    }

    /// The place of `width` characters from byte `at` on.
    pub(crate) fn within(&self, at: usize, width: usize) -> Range<usize> {
        let meant = self.text.get(at..).unwrap_or_default();
        let end = at + meant.chars().take(width).map(char::len_utf8).sum::<usize>();
        let place = |at| self.span.start + inside(&self.raw, at);
        place(at)..place(end)
    }
}

/// The byte of `raw`, a string of TOML as it is written, that byte `at` of its meaning comes
/// from; its end if there is none.
fn inside(raw: &str, at: usize) -> usize {
    let literal = raw.starts_with('\'');
    let several = ["'''", "\"\"\""].iter().any(|quotes| raw.starts_with(quotes) && raw.len() >= 6);
    let mut from = if several { 3 } else { 1 };
    let rest = raw.get(from..).unwrap_or_default();
    if several {
        // The line break behind the quotes is none of the text.
        let skipped = ["\r\n", "\n"].into_iter().find(|line_break| rest.starts_with(line_break));
        from += skipped.map_or(0, str::len);
    }
    let mut read = 0;
    while read < at && from < raw.len() {
        let (long, meant) = step(&raw[from..], literal);
        from += long;
        read += meant;
    }
    from.min(raw.len())
}

/// The next piece of a text: its bytes as written, and as meant.
fn step(rest: &str, literal: bool) -> (usize, usize) {
    let mut chars = rest.chars();
    let first = chars.next().map_or(1, char::len_utf8);
    if literal || !rest.starts_with('\\') {
        return (first, first);
    }
    match chars.next() {
        Some('u') => code(rest, 4),
        Some('U') => code(rest, 8),
        Some('x') => code(rest, 2),
        // A line that goes on on the next one.
        Some(c) if c.is_whitespace() => {
            (rest.len() - rest[1..].trim_start_matches([' ', '\t', '\r', '\n']).len(), 0)
        }
        Some(c) => (1 + c.len_utf8(), 1),
        None => (1, 1),
    }
}

/// A character by its number of so many digits.
fn code(rest: &str, digits: usize) -> (usize, usize) {
    let number = rest.get(2..2 + digits).and_then(|text| u32::from_str_radix(text, 16).ok());
    let long = if number.is_some() { 2 + digits } else { 2 };
    (long, number.and_then(char::from_u32).map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::{DeTable, DeValue};

    /// What is written where the meaning has `mark`.
    fn at(raw: &str, mark: &str) -> String {
        let text = format!("x = {raw}");
        let table = DeTable::parse(&text).unwrap();
        let value = &table.get_ref()["x"];
        let DeValue::String(meant) = value.get_ref() else { panic!("{raw}") };
        let found = meant.find(mark).unwrap_or(meant.len());
        assert_eq!(&text[value.span()], raw);
        raw[inside(raw, found)..].to_owned()
    }

    #[test]
    fn every_kind_of_string_leads_back_to_what_is_written() {
        assert_eq!(at("'a\\b*c'", "*"), "*c'");
        assert_eq!(at("\"a\\\\b*c\"", "*"), "*c\"");
        assert_eq!(at("\"\\u00e9\\n\\\"ñ*c\"", "*"), "*c\"");
        assert_eq!(at("'''\nit's*'''", "*"), "*'''");
        assert_eq!(at("\"\"\"\na\\\n   b\\U0001F600*\"\"\"", "*"), "*\"\"\"");
        assert_eq!(at("''", "*"), "'");
        assert_eq!(at("'ab'", "none"), "'");
    }
}
