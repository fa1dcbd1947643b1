//! Problems of written files, each at its place.

use crate::text::{Place, Text};
pub use sereno_config::{Problem, Severity};

/// Problems kept at most; whoever has more of them starts with the first.
const MOST: usize = 1000;
/// Problems noted at most; of those behind only their number is known.
const NOTED: usize = 20_000;
/// Characters of a line that are cited at most.
const CITED: usize = 160;

/// What is wrong with a piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wrong {
    pub(crate) place: Option<Place>,
    /// Characters meant.
    pub(crate) width: usize,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Wrong {
    pub(crate) fn new(
        place: Option<Place>,
        width: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { place, width, message: message.into(), remedy: remedy.into() }
    }

    /// Of the whole of a text.
    pub(crate) fn of(text: &Text, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let first = text.as_str().lines().next().unwrap_or("");
        Self::new(text.place(0), first.chars().count(), message, remedy)
    }
}

/// The files that were read, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    files: Vec<Source>,
    list: Vec<(Severity, Wrong)>,
    errors: usize,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Where lines begin.
    starts: Vec<usize>,
}

impl Notes {
    /// Takes in a file, and gives its number.
    pub(crate) fn file(&mut self, name: &str, text: &str) -> u32 {
        let after = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after).collect();
        self.files.push(Source { name: name.to_owned(), text: text.to_owned(), starts });
        self.files.len() as u32 - 1
    }

    pub(crate) fn error(&mut self, wrong: Wrong) {
        self.errors += 1;
        self.note(Severity::Error, wrong);
    }

    pub(crate) fn warn(&mut self, wrong: Wrong) {
        self.note(Severity::Warning, wrong);
    }

    fn note(&mut self, severity: Severity, wrong: Wrong) {
        if self.list.len() < NOTED {
            self.list.push((severity, wrong));
        }
    }

    /// How many errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// All problems, once each, in the order of files and lines.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut list: Vec<&(Severity, Wrong)> = self.list.iter().collect();
        list.sort_by_key(|(severity, wrong)| (wrong.place, *severity, &wrong.message));
        // One value may be read for several options.
        list.dedup_by(|a, b| (a.0, a.1.place, &a.1.message) == (b.0, b.1.place, &b.1.message));
        list.iter().take(MOST).map(|(severity, wrong)| self.place(*severity, wrong)).collect()
    }

    pub(crate) fn place(&self, severity: Severity, wrong: &Wrong) -> Problem {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let source = wrong.place.and_then(|place| self.files.get(place.file as usize));
        let (line, column) = wrong.place.map_or((0, 0), |place| (place.line, place.column));
        let whole = source.map_or("", |source| source.line(line as usize));
        let before = (column as usize).saturating_sub(1);
        let room = whole.chars().count().saturating_sub(before);
        let width = wrong.width.min(room).max(1);
        // The part of a long line that has the place in it.
        let skipped = if before + width > CITED { before.saturating_sub(CITED / 4) } else { 0 };
        let cited: String = whole.chars().skip(skipped).take(CITED).map(plain).collect();
        Problem {
            severity,
            file: source.map_or_else(|| "configuration".to_owned(), |source| source.name.clone()),
            line: line as usize,
            column: column as usize,
            indent: (before - skipped).min(cited.chars().count()),
            cited,
            width: width.min(CITED - CITED / 4),
            message: wrong.message.chars().map(plain).collect(),
            remedy: wrong.remedy.chars().map(plain).collect(),
        }
    }
}

impl Source {
    fn line(&self, line: usize) -> &str {
        let Some(begin) = line.checked_sub(1).and_then(|at| self.starts.get(at)) else { return "" };
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        self.text.get(*begin..end).unwrap_or("")
    }
}

/// A text in quotes for a message, cut if long.
pub(crate) fn quote(text: &str) -> String {
    if text.chars().count() > 60 {
        format!("{:?}…", text.chars().take(60).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_marks_its_place() {
        let mut notes = Notes::default();
        let file = notes.file("jail.local", "a = 1\n\tñandú = 22\n");
        let place = Place { file, line: 2, column: 10 };
        notes.error(Wrong::new(Some(place), 2, "no", "yes"));
        notes.error(Wrong::new(Some(place), 2, "no", "yes"));
        notes.warn(Wrong::new(Some(Place { file, line: 0, column: 0 }), 0, "all", "none"));
        let shown: Vec<String> = notes.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "jail.local: warning: all\n  remedy: none",
                "jail.local:2:10: no\n   ñandú = 22\n           ^~\n  remedy: yes",
            ]
        );
    }

    #[test]
    fn long_lines_are_cited_around_the_place() {
        let mut notes = Notes::default();
        let file = notes.file("x", &format!("{}here{}", "x".repeat(5000), "y".repeat(5000)));
        notes.error(Wrong::new(Some(Place { file, line: 1, column: 5001 }), 4, "no", "yes"));
        let problem = notes.problems().remove(0);
        assert_eq!(problem.cited.get(problem.indent..problem.indent + 4), Some("here"));
    }
}
