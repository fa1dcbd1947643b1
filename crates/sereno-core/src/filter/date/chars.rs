//! Classes of characters as Python's `re` has them for text, and positions counted in characters.

use regex_syntax::hir::{Class, ClassUnicode, HirKind};
use std::sync::LazyLock;

/// What Python's `\w` holds beyond ASCII: letters and numbers, but no combining marks.
static LETTERS_AND_NUMBERS: LazyLock<Option<ClassUnicode>> = LazyLock::new(|| {
    let parsed = regex_syntax::parse(r"[\p{L}\p{N}]").ok()?;
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        _ => None,
    }
});

/// Python's `str.isalnum` for one character.
pub(super) fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    let Some(class) = LETTERS_AND_NUMBERS.as_ref() else { return c.is_alphanumeric() };
    let ranges = class.ranges();
    let below = ranges.partition_point(|range| range.end() < c);
    ranges.get(below).is_some_and(|range| range.start() <= c)
}

/// Python's `\w`.
fn is_word(c: char) -> bool {
    c == '_' || is_alphanumeric(c)
}

/// Python's `\s`: Unicode's white space and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the character that starts at `at` is a word's; false at the end.
pub(super) fn word_at(text: &str, at: usize) -> bool {
    match text.as_bytes().get(at) {
        Some(&byte) if byte.is_ascii() => is_word_byte(byte),
        Some(_) => text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is_word),
        None => false,
    }
}

/// Whether the character that ends at `at` is a word's; false at the beginning.
pub(super) fn word_before(text: &str, at: usize) -> bool {
    match at.checked_sub(1).and_then(|last| text.as_bytes().get(last)) {
        Some(&byte) if byte.is_ascii() => is_word_byte(byte),
        Some(_) => text.get(..at).and_then(|head| head.chars().next_back()).is_some_and(is_word),
        None => false,
    }
}

/// The place after the character at `at`.
pub(super) fn after(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8())
}

/// A byte offset as a count of characters.
pub(super) fn count(text: &str, at: usize) -> usize {
    text.get(..at).map_or(at, |head| if head.is_ascii() { at } else { head.chars().count() })
}

/// The byte offset of the character with this number, or of the text's end after the last;
/// `None` when there are fewer.
pub(super) fn offset(text: &str, count: usize) -> Option<usize> {
    match text.as_bytes().get(..count) {
        Some(head) if head.is_ascii() => Some(count),
        _ => text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(count),
    }
}
