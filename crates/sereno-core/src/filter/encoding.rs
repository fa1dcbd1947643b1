//! What characters a log is written in (`logencoding`).

mod tables;

use std::borrow::Cow;
use tables::TABLES;

/// How bytes are characters. All of them have ASCII in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoding(
    /// What stands for the bytes from 128 on; none of that is UTF-8.
    Option<&'static Table>,
);

/// An encoding in which each byte is a character.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    /// What Python calls it, without signs and in small letters.
    names: &'static [&'static str],
    /// The bytes from 128 on, in order.
    upper: &'static str,
}

/// What an encoding that Python knows is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is read.
    Known(Encoding),
    /// Its ASCII is read; it has characters of several bytes, and those count as unknown ones.
    Wide,
    /// Nothing of it can be read: its lines do not even end in the byte that ends lines.
    Unreadable,
    /// Nobody has heard of it.
    Unknown,
}

const UTF8: [&str; 7] = ["cp65001", "u8", "utf", "utf8", "utf8sig", "utf8ucs2", "utf8ucs4"];
/// Begin like these whose ASCII is not one byte each.
const UNREADABLE: [&str; 6] = ["utf16", "utf32", "utf7", "u16", "u32", "u7"];
/// And like these whose characters beyond ASCII are of several bytes.
const WIDE: [&str; 15] = [
    "big5", "cp932", "cp936", "cp949", "cp950", "euc", "gb", "hz", "iso2022", "johab", "ms9",
    "shiftjis", "sjis", "uhc", "ujis",
];

impl Encoding {
    /// The encoding of a name, written as Python takes it: `latin-1`, `ISO_8859-15`, `cp1252`.
    #[must_use]
    pub fn named(name: &str) -> Named {
        let sign = |c: &char| c.is_ascii_alphanumeric() || *c == '.';
        let name: String = name.chars().filter(sign).collect::<String>().to_ascii_lowercase();
        let is = |known: &&str| **known == *name;
        if UTF8.iter().any(is) {
            return Named::Known(Self(None));
        }
        match TABLES.iter().find(|table| table.names.iter().any(is)) {
            Some(table) => Named::Known(Self(Some(table))),
            None if WIDE.iter().any(|known| name.starts_with(known)) => Named::Wide,
            None if UNREADABLE.iter().any(|known| name.starts_with(known)) => Named::Unreadable,
            None => Named::Unknown,
        }
    }

    /// Bytes as text: what is no character is U+FFFD.
    #[must_use]
    pub fn text(self, bytes: &[u8]) -> Cow<'_, str> {
        let plain = std::str::from_utf8(bytes);
        match (self.0, plain) {
            (None, Ok(text)) => Cow::Borrowed(text),
            (None, Err(_)) => String::from_utf8_lossy(bytes),
            (Some(_), Ok(text)) if text.is_ascii() => Cow::Borrowed(text),
            (Some(table), _) => {
                let upper: Vec<char> = table.upper.chars().collect();
                let one = |byte: &u8| match byte.checked_sub(128) {
                    Some(at) => upper.get(usize::from(at)).copied().unwrap_or('\u{fffd}'),
                    None => char::from(*byte),
                };
                Cow::Owned(bytes.iter().map(one).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_python_takes_them() {
        let known = |name: &str| match Encoding::named(name) {
            Named::Known(encoding) => encoding.text(b"\xe9\xa4\x80").into_owned(),
            other => format!("{other:?}"),
        };
        for (name, text) in [
            ("UTF-8", "\u{9900}"),
            ("latin-1", "\u{e9}\u{a4}\u{80}"),
            ("ISO_8859-1", "\u{e9}\u{a4}\u{80}"),
            ("L1", "\u{e9}\u{a4}\u{80}"),
            ("iso-8859-15", "\u{e9}\u{20ac}\u{80}"),
            ("Windows-1252", "\u{e9}\u{a4}\u{20ac}"),
            ("cp1252", "\u{e9}\u{a4}\u{20ac}"),
            ("US-ASCII", "\u{fffd}\u{fffd}\u{fffd}"),
            ("gbk", "Wide"),
            ("utf-16le", "Unreadable"),
            ("nix", "Unknown"),
            ("", "Unknown"),
        ] {
            assert_eq!(known(name), text, "{name}");
        }
    }

    #[test]
    fn tables_are_whole() {
        for table in &TABLES {
            assert!(matches!(table.upper.chars().count(), 0 | 128), "{:?}", table.names);
        }
    }
}
