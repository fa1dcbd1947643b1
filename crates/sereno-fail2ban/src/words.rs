//! Lists of words.

use crate::text::{Text, is_blank};

/// Words between blanks, commas and line breaks, as `ignoreip` has them. Only the ordinary blank
/// separates.
pub(crate) fn list(text: &Text) -> Vec<Text> {
    let cut = |c: char| matches!(c, ' ' | ',' | '\n');
    let words = text.split(cut).into_iter().map(|word| word.trimmed(0..word.len()));
    words.filter(|word| !word.as_str().is_empty()).collect()
}

/// Words as a POSIX shell cuts them, without its substitutions (`journalmatch` is given so to
/// `journalctl(1)`). `None` if a quote is not closed, or nothing follows a backslash.
#[must_use]
pub fn shell(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if matches!(c, ' ' | '\t' | '\r' | '\n') => words.extend(word.take()),
            '\'' => loop {
                match chars.next()? {
                    '\'' => break word.get_or_insert_default().push_str(""),
                    c => word.get_or_insert_default().push(c),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break word.get_or_insert_default().push_str(""),
                    '\\' => {
                        let next = chars.next()?;
                        let word = word.get_or_insert_default();
                        if !matches!(next, '"' | '\\') {
                            word.push('\\');
                        }
                        word.push(next);
                    }
                    c => word.get_or_insert_default().push(c),
                }
            },
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Whether a text says yes. fail2ban takes everything else for no.
pub fn yes(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "1" | "on" | "true" | "yes")
}

/// Whether a text says no, in a way that was meant.
pub(crate) fn no(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "0" | "off" | "false" | "no" | "")
}

/// A whole number as Python's `int` reads it: blanks around it, a sign, `_` between digits.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(is_blank);
    let (minus, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let groups = digits.split('_');
    if !groups.clone().all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let number: i64 = groups.collect::<String>().parse().ok()?;
    Some(if minus { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut() {
        let words = list(&Text::plain("a, b\n c,,d\u{a0}e "));
        assert_eq!(words.iter().map(Text::as_str).collect::<Vec<_>>(), ["a", "b", "c", "d\u{a0}e"]);
        assert_eq!(
            shell("A=1 + 'B=x y' \"C=\\\"\" \\' ''").unwrap(),
            ["A=1", "+", "B=x y", "C=\"", "'", ""]
        );
        assert_eq!((shell("'a"), shell("a\\"), shell("\"")), (None, None, None));
    }

    #[test]
    fn numbers_are_pythons() {
        for (text, expected) in [
            ("5", Some(5)),
            (" -05 ", Some(-5)),
            ("1_000", Some(1000)),
            ("5.0", None),
            ("", None),
            ("_1", None),
            ("--1", None),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
        assert!(yes("On") && no("") && !yes("oui") && !no("oui"));
    }
}
