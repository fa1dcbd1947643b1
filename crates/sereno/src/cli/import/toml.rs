//! Values as TOML has them.

use std::fmt::Write as _;
use std::time::Duration;

/// A text, as it reads best: literal where it can be.
pub(super) fn text(text: &str) -> String {
    let strange = |c: char| c.is_control() && c != '\t';
    let edge = text.starts_with('\'') || text.ends_with('\'');
    if text.contains(strange) || text.contains("'''") || edge {
        escaped(text)
    } else if text.contains('\'') {
        format!("'''{text}'''")
    } else {
        format!("'{text}'")
    }
}

/// A text of plain characters, in the usual quotes; a literal one if there is more in it.
pub(super) fn plain(words: &str) -> String {
    let usual = |c: char| !c.is_control() && !matches!(c, '"' | '\\');
    if words.chars().all(usual) { format!("\"{words}\"") } else { text(words) }
}

fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list on one line.
pub(super) fn list(values: &[String]) -> String {
    format!("[{}]", values.join(", "))
}

/// A list with every value on a line of its own.
pub(super) fn lines(values: &[String]) -> String {
    let lines: String = values.iter().map(|value| format!("    {value},\n")).collect();
    format!("[\n{lines}]")
}

/// A key.
pub(super) fn key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

/// A length of time, in the largest unit that has no rest.
pub(super) fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)];
    let unit = units.into_iter().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| seconds.to_string(), |(name, unit)| format!("\"{}{name}\"", seconds / unit))
}

/// A length of time, or for ever.
pub(super) fn ever(time: Option<Duration>) -> String {
    time.map_or_else(|| "\"permanent\"".to_owned(), length)
}

/// Words for a remark: what would end it is taken out.
pub(super) fn remark(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> String {
        let table: toml::Table = format!("x = {value} # {}\n", remark("a\nb")).parse().unwrap();
        table["x"].as_str().unwrap().to_owned()
    }

    #[test]
    fn texts_read_best_as_they_are() {
        assert_eq!(text(r"^\d+ <HOST>$"), r"'^\d+ <HOST>$'");
        assert_eq!(text("it's"), "'''it's'''");
        assert_eq!(text("'''\u{7f}\n"), "\"'''\\u007F\\n\"");
        assert_eq!(plain("/var/log/x"), "\"/var/log/x\"");
        assert_eq!(length(Duration::from_secs(36_000)), "\"10h\"");
        assert_eq!(length(Duration::from_secs(61)), "61");
        assert_eq!(ever(None), "\"permanent\"");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(words in "(?s).{0,12}", quotes in "['\"\\\\\n\r\t\u{0}\u{7f}\u{85}é]{0,8}") {
            for words in [&words, &quotes, &format!("{words}{quotes}"), &format!("{quotes}{words}")] {
                prop_assert_eq!(&read(&text(words)), words);
                prop_assert_eq!(&read(&plain(words)), words);
            }
        }

        #[test]
        fn every_length_reads_back(seconds in 1u64..4_000_000_000) {
            let written = length(Duration::from_secs(seconds));
            let read = sereno_config::duration(written.trim_matches('"'));
            prop_assert_eq!(read.is_ok_and(|l| l == Some(Duration::from_secs(seconds))), seconds <= 3_155_760_000);
        }
    }
}
