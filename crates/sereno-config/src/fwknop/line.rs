//! Lines of a name and a value, as fwknop takes them apart.

use crate::Document;
use std::ops::Range;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// The name, without the colon that may follow it.
    pub(super) name: &'t str,
    /// Its bytes.
    pub(super) key: Range<usize>,
    /// The bytes of the value: up to `;` or the end, with the blanks at its end, which belong to a
    /// key. Empty if there is none.
    pub(super) value: Range<usize>,
}

/// The lines of a text that are no comment.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split('\n').filter_map(move |whole| {
        let from = start;
        start += whole.len() + 1;
        let body = whole.split('\r').next().unwrap_or("");
        let blank = body.len() - body.trim_start().len();
        let said = &body[blank..];
        if said.is_empty() || said.starts_with(['#', ';']) {
            return None;
        }
        let at = from + blank;
        let end = said.find(char::is_whitespace).unwrap_or(said.len());
        let name = said[..end].trim_end_matches(':');
        let rest = said[end..].trim_start();
        let value = at + said.len() - rest.len();
        let rest = rest.split(';').next().unwrap_or("");
        Some(Line { name, key: at..at + name.len(), value: value..value + rest.len() })
    })
}

/// Whether a word looks like the name of an option, and not like a part of a key: `KEY=secret`,
/// and the second line of a key that was broken into two, are none.
pub(super) fn is_name(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let include = word.strip_prefix("%include").is_some_and(|rest| rest.len() < 10);
    include || (word.len() <= 32 && word.bytes().all(fits))
}

/// A copy to be cited from: values that may be keys are stars, and so are comments.
pub(super) fn hidden(document: &Document, is_open: &dyn Fn(&str) -> bool) -> Document {
    let mut bytes = document.text.clone().into_bytes();
    let mut open = vec![false; bytes.len()];
    for line in lines(&document.text) {
        // A section of the client's file is a name alone.
        let section = line.name.starts_with('[');
        let shown = if is_open(line.name) || section {
            line.key.start..line.value.end
        } else {
            line.key.clone()
        };
        if is_name(line.name) || section {
            open[shown].iter_mut().for_each(|open| *open = true);
        }
    }
    for (byte, open) in bytes.iter_mut().zip(open) {
        if !open && !byte.is_ascii_whitespace() {
            *byte = b'*';
        }
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    Document { name: document.name.clone(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_as_fwknop_does() {
        let text = "# no\n; no\n\n  SOURCE:\tANY;\nKEY a b;c \r\nKEY  x #y  \nNONE\nKEY=z";
        let found: Vec<_> = lines(text).map(|line| (line.name, &text[line.value])).collect();
        let expected =
            [("SOURCE", "ANY"), ("KEY", "a b"), ("KEY", "x #y  "), ("NONE", ""), ("KEY=z", "")];
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_are_not_cited() {
        let text = "SOURCE ANY; mine\nKEY hünter2 3\nKYE hunter2\nKEY=hunter2\n# hunter2\nhunter2\n[home]\nX";
        let document = Document { name: "a".to_owned(), text: text.to_owned() };
        let hidden = hidden(&document, &|name| name == "SOURCE");
        assert_eq!(hidden.text.len(), text.len());
        assert!(!hidden.text.contains("nter"), "{}", hidden.text);
        assert!(hidden.text.starts_with("SOURCE ANY* ****\nKEY ********"), "{}", hidden.text);
        assert!(hidden.text.ends_with("[home]\nX"), "{}", hidden.text);
    }
}
