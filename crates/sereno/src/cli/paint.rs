//! How things look: colours, columns, times and spans, and text that strangers wrote made safe
//! to show.

use crate::words;
use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use sereno_config::Lang;
use sereno_core::time::Time;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

/// Headings.
pub const HEAD: Style = Style::new().bold();
/// What is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What deserves a look.
pub const ODD: Style = AnsiColor::Yellow.on_default();
/// Who.
pub const WHO: Style = AnsiColor::Cyan.on_default();
/// What is there for those who look closer.
pub const FAINT: Style = Style::new().dimmed();

/// Whether and how an output shows colours.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether it shows colours.
    pub colours: bool,
}

impl Paint {
    /// Colours on a terminal, unless `NO_COLOR` (see no-color.org) or `TERM=dumb` says otherwise.
    #[must_use]
    pub fn on(output: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colours: output.is_terminal() && !set("NO_COLOR") && !dumb }
    }

    /// `text` in a style, or as it is.
    #[must_use]
    pub fn style(self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// One column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading; empty for none.
    pub head: String,
    /// Where its cells stand.
    pub side: Side,
    /// How they look.
    pub style: Style,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub fn left(head: impl Into<String>, style: Style) -> Self {
        Self { head: head.into(), side: Side::Left, style }
    }

    /// A column of numbers.
    #[must_use]
    pub fn right(head: impl Into<String>) -> Self {
        Self { head: head.into(), side: Side::Right, style: Style::new() }
    }
}

/// Rows in aligned columns, two blanks apart. Without a heading in any column it has no
/// heading line.
#[must_use]
pub fn table(paint: Paint, columns: &[Column], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = columns.iter().map(|column| column.head.clone()).collect();
    let headed = heads.iter().any(|head| !head.is_empty());
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).chain([&heads[i]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for (cells, head) in
        headed.then_some((&heads, true)).into_iter().chain(rows.iter().map(|row| (row, false)))
    {
        for (i, (cell, column)) in cells.iter().zip(columns).enumerate() {
            let style = if head { HEAD } else { column.style };
            let gap = widths[i].saturating_sub(cell.chars().count());
            let last = i + 1 == columns.len();
            let (before, after) = match column.side {
                Side::Left => (0, if last { 0 } else { gap }),
                Side::Right => (gap, 0),
            };
            let (between, shown) = (if i > 0 { "  " } else { "" }, paint.style(style, cell));
            let _ = write!(out, "{between}{:before$}{shown}{:after$}", "", "");
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

/// A line of text as a stranger wrote it, safe on a terminal: what would steer the terminal or
/// turn the reading direction is shown as an escape.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// At most `width` characters of a text; the last is an ellipsis when it was longer.
#[must_use]
pub fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
            out.push('…');
            Cow::Owned(out)
        }
    }
}

/// A span in its two largest units: `9 h 58 min`, `3 d`, `0 s`.
#[must_use]
pub fn span(length: Duration) -> String {
    let secs = length.as_secs();
    let units =
        [("d", secs / 86_400), ("h", secs / 3600 % 24), ("min", secs / 60 % 60), ("s", secs % 60)];
    let first = units.iter().position(|(_, n)| *n > 0).unwrap_or(units.len() - 1);
    let shown =
        units.iter().enumerate().skip(first).take(2).filter(|(i, (_, n))| *n > 0 || *i == first);
    shown.map(|(_, (unit, n))| format!("{n} {unit}")).collect::<Vec<_>>().join(" ")
}

/// A time in the zone of this machine: `2026-11-22 15:22:38`.
#[must_use]
pub fn moment(time: Time) -> String {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(TimeZone::system);
    match jiff::Timestamp::from_microsecond(time.0) {
        Ok(stamp) => {
            let at = stamp.to_zoned(zone.clone()).datetime();
            let (date, clock) = (at.date(), at.time());
            format!("{date} {:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second())
        }
        Err(_) => time.to_string(),
    }
}

/// A whole number with its thousands apart, as the language writes them.
#[must_use]
pub fn number(n: u64) -> String {
    let mark = match words::lang() {
        Lang::English => ',',
        Lang::Spanish => '.',
    };
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

/// Bytes in the largest decimal unit that leaves a whole number: `512 B`, `84 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let step =
        (0..units.len() - 1).find(|i| n < 1000u64.pow(*i as u32 + 1)).unwrap_or(units.len() - 1);
    format!("{} {}", number(n / 1000u64.pow(step as u32)), units[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let shown = |secs| span(Duration::from_secs(secs));
        assert_eq!(shown(0), "0 s");
        assert_eq!(shown(59), "59 s");
        assert_eq!(shown(60), "1 min");
        assert_eq!(shown(35_880), "9 h 58 min");
        assert_eq!(shown(3601), "1 h");
        assert_eq!(shown(7 * 86_400 + 3600), "7 d 1 h");
    }

    #[test]
    fn columns_are_aligned_and_lines_end_where_they_end() {
        let columns = [Column::right("n"), Column::left("who", WHO), Column::left("", FAINT)];
        let rows = [
            vec!["7".to_owned(), "a".to_owned(), "x".to_owned()],
            vec!["1000".to_owned(), "ñandú".to_owned(), String::new()],
        ];
        let plain = Paint { colours: false };
        assert_eq!(table(plain, &columns, &rows), "   n  who\n   7  a      x\n1000  ñandú\n");
        let coloured = table(Paint { colours: true }, &columns, &rows);
        assert!(coloured.contains("\u{1b}[36ma\u{1b}[0m      "), "{coloured:?}");
    }

    #[test]
    fn strangers_do_not_steer_the_terminal() {
        assert_eq!(safe("a\u{1b}[2Jb\u{202e}c\r"), "a\\u{1b}[2Jb\\u{202e}c\\r");
        assert!(matches!(safe("señor 用户"), Cow::Borrowed(_)));
    }

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1 kB");
        assert_eq!(bytes(84_999_999), "84 MB");
        assert_eq!(number(7).len(), 1);
        assert_eq!(number(1_234_567).len(), 9);
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
