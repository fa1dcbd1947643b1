//! The basics of Asterisk's configuration files: sections, settings, comments, includes.
//!
//! Templates and additions of sections are read as plain sections; that is enough for the few
//! settings looked at here.

use super::{matching, text};
use std::path::Path;

/// Includes within includes, as Asterisk allows them.
const DEPTH: usize = 10;
/// Files and settings read at most.
const MOST: (usize, usize) = (200, 100_000);
/// Where the files are.
const FOLDER: &str = "/etc/asterisk";

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The section it stands in, in lower case.
    pub(super) section: String,
    /// Its name, as written.
    pub(super) key: String,
    /// Its value, as written.
    pub(super) value: String,
}

/// A file with what it includes.
#[derive(Debug, Default)]
pub(super) struct Conf(pub(super) Vec<Setting>);

impl Conf {
    /// Reads a file of `/etc/asterisk`; `None` when it is not there.
    pub(super) fn read(root: &Path, name: &str) -> Option<Self> {
        let first = text(root, &format!("{FOLDER}/{name}"))?;
        let mut conf = Self::default();
        conf.take(root, &first, String::new(), 0, &mut 0);
        Some(conf)
    }

    fn take(
        &mut self,
        root: &Path,
        text: &str,
        mut section: String,
        depth: usize,
        files: &mut usize,
    ) {
        for statement in statements(text) {
            match statement {
                Statement::Section(name) => section = name,
                Statement::Set(key, value) if self.0.len() < MOST.1 => {
                    self.0.push(Setting { section: section.clone(), key, value });
                }
                Statement::Set(..) => return,
                Statement::Include(path) if depth < DEPTH => {
                    let whole =
                        if path.starts_with('/') { path } else { format!("{FOLDER}/{path}") };
                    for path in matching(root, &whole) {
                        *files += 1;
                        if *files > MOST.0 {
                            return;
                        }
                        // A section opened in there ends there.
                        let Some(inner) = self::text(root, &path) else { continue };
                        self.take(root, &inner, section.clone(), depth + 1, files);
                    }
                }
                Statement::Include(_) => {}
            }
        }
    }

    /// The settings of a section, by its name in lower case.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = &Setting> {
        self.0.iter().filter(move |setting| setting.section == name)
    }

    /// The last value of a setting; names do not depend on case.
    pub(super) fn value(&self, section: &str, key: &str) -> Option<&str> {
        let all = self.section(section).filter(|setting| setting.key.eq_ignore_ascii_case(key));
        all.last().map(|setting| setting.value.as_str())
    }

    /// Whether a setting is one of Asterisk's words for yes; every other word is no.
    pub(super) fn is_on(&self, section: &str, key: &str) -> bool {
        let words = ["yes", "true", "y", "t", "1", "on"];
        self.value(section, key).is_some_and(|v| words.iter().any(|w| v.eq_ignore_ascii_case(w)))
    }
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `[name]`, in lower case.
    Section(String),
    /// `key = value` or `key => value`.
    Set(String, String),
    /// `#include file` or `#tryinclude file`.
    Include(String),
}

/// Takes a text apart.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut depth = 0;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = uncommented(line, &mut depth);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            if let Some((name, _)) = rest.split_once(']') {
                found.push(Statement::Section(name.to_ascii_lowercase()));
            }
        } else if let Some(rest) = line.strip_prefix('#') {
            let Some((word, path)) = rest.split_once(char::is_whitespace) else { continue };
            let path = path.trim().trim_matches(['"', '<', '>']);
            if matches!(word, "include" | "tryinclude") && !path.is_empty() {
                found.push(Statement::Include(path.to_owned()));
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.strip_prefix('>').unwrap_or(value);
            found.push(Statement::Set(key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// A line without its comments: `;` to its end, `;-- ... --;` over lines and nested; `\;` is a
/// semicolon. `depth` says how many of the latter are open.
fn uncommented(line: &str, depth: &mut usize) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if *depth > 0 && rest.starts_with("--;") {
            *depth -= 1;
            rest = &rest[3..];
        } else if rest.starts_with(";--") && !rest[3..].starts_with('-') {
            *depth += 1;
            rest = &rest[3..];
        } else if *depth > 0 {
            rest = &rest[c.len_utf8()..];
        } else if let Some(after) = rest.strip_prefix("\\;") {
            kept.push(';');
            rest = after;
        } else if c == ';' {
            break;
        } else {
            kept.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    kept
}
