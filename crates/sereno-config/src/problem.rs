//! Problems of written files, each at its place.

use crate::Document;
use std::fmt;
use std::ops::Range;

/// Problems kept at most; whoever has more of them starts with the first.
const MOST: usize = 1000;
/// Characters of a line that are cited at most.
const CITED: usize = 160;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What it stands in is not used.
    Error,
    /// It is used, but hardly what was meant.
    Warning,
}

/// One problem: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The document's name.
    pub file: String,
    /// The line, from 1; 0 if a whole file is meant, or one that is not there.
    pub line: usize,
    /// The column of the first character meant, from 1, in characters of the line.
    pub column: usize,
    /// The line, or the part of a long one around the column; without control characters.
    pub cited: String,
    /// How far into `cited` the mark begins, in characters, from 0.
    pub indent: usize,
    /// How many characters of `cited` are meant; at least 1.
    pub width: usize,
    /// What is wrong; without control characters.
    pub message: String,
    /// What to write instead; without control characters.
    pub remedy: String,
}

impl Problem {
    /// The problem with what is written before a warning and before a remedy, in some language.
    #[must_use]
    pub fn labelled(&self, warning: &str, remedy: &str) -> String {
        let label = match self.severity {
            Severity::Error => String::new(),
            Severity::Warning => format!("{warning}: "),
        };
        let place = if self.line == 0 {
            format!("{}: {label}{}\n", self.file, self.message)
        } else {
            let (tail, indent) = ("~".repeat(self.width.saturating_sub(1)), self.indent);
            let head = format!("{}:{}:{}: {label}", self.file, self.line, self.column);
            format!("{head}{}\n  {}\n  {:indent$}^{tail}\n", self.message, self.cited, "")
        };
        format!("{place}  {remedy}: {}", self.remedy)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.labelled("warning", "remedy"))
    }
}

/// What is wrong with a piece of a document. An empty remedy is filled in by who knows the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The bytes meant.
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Wrong {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), remedy: String::new() }
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// The same as the only element of a list, as readers of values return it.
    pub(crate) fn alone<T>(self) -> Result<T, Vec<Self>> {
        Err(vec![self])
    }
}

/// Collects what is wrong, by document.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    list: Vec<(usize, Severity, Wrong)>,
    errors: usize,
}

impl Notes {
    pub(crate) fn error(&mut self, doc: usize, wrong: Wrong) {
        self.errors += 1;
        self.list.push((doc, Severity::Error, wrong));
    }

    pub(crate) fn warn(&mut self, doc: usize, wrong: Wrong) {
        self.list.push((doc, Severity::Warning, wrong));
    }

    /// How many errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Turns byte places into lines, in the order of documents and places.
    pub(crate) fn into_problems(mut self, docs: &[&Document]) -> Vec<Problem> {
        self.list.sort_by_key(|(doc, severity, wrong)| (*doc, wrong.span.start, *severity));
        self.list.truncate(MOST);
        let mut problems = Vec::with_capacity(self.list.len());
        let mut lines: (usize, Vec<usize>) = (usize::MAX, Vec::new());
        for (doc, severity, wrong) in self.list {
            let Some(document) = docs.get(doc) else { continue };
            if lines.0 != doc {
                lines = (doc, line_starts(&document.text));
            }
            problems.push(place(document, &lines.1, severity, wrong));
        }
        problems
    }
}

/// The nearest place at or before `at` where a character begins.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (at.saturating_sub(3)..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

fn line_starts(text: &str) -> Vec<usize> {
    let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after).collect()
}

fn place(
    document: &Document,
    starts: &[usize],
    severity: Severity,
    Wrong { span, message, remedy, .. }: Wrong,
) -> Problem {
    let text = document.text.as_str();
    let start = floor(text, span.start);
    let end = floor(text, span.end.max(start));
    let line = starts.partition_point(|&at| at <= start).saturating_sub(1);
    let from = starts.get(line).copied().unwrap_or_default();
    let till = starts.get(line + 1).map_or(text.len(), |&next| next - 1);
    let whole = text[from..till.max(from)].trim_end_matches('\r');
    let before = text[from..start].chars().count();
    let meant = text[start..end.min(till).max(start)].chars().count().max(1);
    // The part of a long line that has the place in it.
    let skipped = if before + meant > CITED { before.saturating_sub(CITED / 4) } else { 0 };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let cited: String = whole.chars().skip(skipped).take(CITED).map(plain).collect();
    Problem {
        severity,
        file: document.name.clone(),
        line: line + 1,
        column: before + 1,
        // The place may be in the line break.
        indent: (before - skipped).min(cited.chars().count()),
        cited,
        width: meant.min(CITED - CITED / 4),
        // Both may cite names from the file.
        message: message.chars().map(plain).collect(),
        remedy: remedy.chars().map(plain).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let document = Document { name: "a.toml".to_owned(), text: text.to_owned() };
        let mut notes = Notes::default();
        notes.error(0, Wrong::new(span, "no").remedy("yes"));
        notes.into_problems(&[&document])[0].to_string()
    }

    #[test]
    fn a_problem_shows_its_line_and_marks_its_place() {
        let text = "a = 1\r\n\tñandú = 22\n";
        let at = text.find("22").unwrap();
        let expected = "a.toml:2:10: no\n   ñandú = 22\n           ^~\n  remedy: yes";
        assert_eq!(shown(text, at..at + 2), expected);
        assert!(shown("", 0..0).starts_with("a.toml:1:1: no\n  \n  ^\n"));
        assert!(shown("x\n", 2..9).starts_with("a.toml:2:1: no\n"));
    }

    #[test]
    fn long_lines_are_cited_around_the_place() {
        let text = format!("{}here{}", "x".repeat(5000), "y".repeat(5000));
        let shown = shown(&text, 5000..5004);
        let cited: Vec<&str> = shown.lines().collect();
        assert_eq!(cited[1].trim_start().len(), CITED);
        let mark = cited[2].find('^').unwrap();
        assert_eq!(&cited[1][mark..mark + 4], "here");
    }
}
