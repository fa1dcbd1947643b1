//! A document as it is written: every key and value at its place, as far as it can be read.

use crate::Document;
use crate::problem::{Notes, Wrong};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A parsed configuration file.
pub(crate) struct Written<'d> {
    /// Its index among all documents.
    pub(crate) doc: usize,
    /// Its text.
    pub(crate) text: &'d str,
    /// What could be read.
    pub(crate) table: DeTable<'d>,
    /// Where it is no TOML, sorted.
    breaks: Vec<usize>,
    /// Where sections and jails begin, sorted.
    headers: Vec<usize>,
}

impl<'d> Written<'d> {
    /// Reads a document; what is no TOML is noted, and the rest is kept.
    pub(crate) fn parse(doc: usize, document: &'d Document, notes: &mut Notes) -> Self {
        let (table, errors) = DeTable::parse_recoverable(&document.text);
        let table = table.into_inner();
        let mut wrongs: Vec<Wrong> =
            errors.iter().map(|error| syntax(&document.text, error)).collect();
        wrongs.sort_by_key(|wrong| wrong.span.start);
        let breaks = wrongs.iter().map(|wrong| wrong.span.start).collect();
        for wrong in first_causes(&document.text, wrongs) {
            notes.error(doc, wrong);
        }
        let headers = headers(&table);
        Self { doc, text: &document.text, table, breaks, headers }
    }

    /// Whether a value was read as it was written.
    pub(crate) fn whole(&self, span: &Range<usize>) -> bool {
        let at = self.breaks.partition_point(|&at| at < span.start);
        self.breaks.get(at).is_none_or(|&at| at > span.end)
    }

    /// Whether the section whose header is at `start` has a place that is no TOML.
    pub(crate) fn broken(&self, start: usize) -> bool {
        let next = self.headers.partition_point(|&at| at <= start);
        let end = self.headers.get(next).copied().unwrap_or(usize::MAX);
        let first = self.breaks.partition_point(|&at| at < start);
        self.breaks.get(first).is_some_and(|&at| at < end)
    }

    /// A section, if there is one; something else of its name is noted.
    pub(crate) fn section(&self, name: &str, notes: &mut Notes) -> Option<&DeTable<'d>> {
        let (key, value) = self.table.get_key_value(name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                let message = format!("{name} is a section, not an option");
                let header = match name {
                    "jail" => "[jail.sshd]",
                    "door" => "[door.ssh]",
                    "list" => "[list.bad]",
                    _ => &format!("[{name}]"),
                };
                let remedy =
                    format!("write {header} on a line of its own, and the options below it");
                notes.error(self.doc, Wrong::new(key.span(), message).remedy(remedy));
                None
            }
        }
    }
}

/// Where the sections and jails of a file begin.
fn headers(table: &DeTable<'_>) -> Vec<usize> {
    let mut starts = Vec::new();
    for (key, value) in table {
        if let DeValue::Table(inner) = value.get_ref() {
            // `jail`, `door` and `list` have no header of their own: it is inside that of the first of them.
            if matches!(key.get_ref().as_ref(), "jail" | "door" | "list") {
                starts.extend(inner.values().map(|jail| jail.span().start));
            } else {
                starts.push(value.span().start);
            }
        }
    }
    starts.sort_unstable();
    starts
}

/// What the parser says, in our words.
fn syntax(text: &str, error: &toml::de::Error) -> Wrong {
    let span = error.span().unwrap_or(0..0);
    let start = crate::problem::floor(text, span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default().trim();
    let said = error.message();
    // What stands behind a # is nobody's business, but quotes may hold one.
    let printed = text[start..].lines().next().unwrap_or_default();
    let printed = printed.chars().find(|c| "“”„‟‘’‚«»".contains(*c));
    let (message, remedy) = if let Some(quote) = printed.filter(|_| !line.starts_with('#')) {
        (
            format!("{quote} is a quote of printed text"),
            "this line was copied from a page: write an ordinary \" in its place".to_owned(),
        )
    } else if let Some(header) = headless(line) {
        (
            format!("{header} has no ] at its end"),
            format!("write {header}] on a line of its own, and the options below it"),
        )
    } else if let Some(option) = dotted(line) {
        let value = option.1.unwrap_or("true");
        (
            format!("{} has a dot in it and stands in quotes", option.0),
            format!("write \"{}\" = {value}", option.0),
        )
    } else if said.starts_with("duplicate key") {
        ("this is written twice".to_owned(), "keep one of the two".to_owned())
    } else if said.starts_with("string values must be quoted") {
        let bare = text.get(span.clone()).unwrap_or_default();
        let remedy = match bare {
            "yes" | "on" | "True" | "TRUE" => "write true, or the text in quotes".to_owned(),
            "no" | "off" | "False" | "FALSE" => "write false, or the text in quotes".to_owned(),
            "" => "write a value after the = sign".to_owned(),
            bare => format!("write \"{}\"", bare.chars().take(60).collect::<String>()),
        };
        let what = if bare.is_empty() { "a value is missing" } else { "text stands in quotes" };
        (what.to_owned(), remedy)
    } else {
        let remedy = "write option = value: text in \"quotes\", lists in [ ], comments behind #";
        (format!("this is no TOML: {said}"), remedy.to_owned())
    };
    Wrong { span, message, remedy }
}

/// A section's name whose bracket is not closed.
fn headless(line: &str) -> Option<&str> {
    let name = line.split('#').next().unwrap_or_default().trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let inner = name.strip_prefix('[')?;
    (!inner.is_empty() && inner.chars().all(plain)).then_some(name)
}

/// The option of fail2ban that a line sets without the quotes its dot needs, and the value.
fn dotted(line: &str) -> Option<(&str, Option<&str>)> {
    let (key, value) =
        line.split_once('=').map_or((line, None), |(k, v)| (k.trim(), Some(v.trim())));
    let known = key.starts_with("bantime.") && crate::option::find(key).is_some();
    known.then_some((key, value.filter(|value| !value.is_empty())))
}

/// Of several complaints about one line the first; of a list that never ends, the first of all.
fn first_causes(text: &str, wrongs: Vec<Wrong>) -> Vec<Wrong> {
    let endless = wrongs.iter().any(|wrong| wrong.message.contains("unclosed"));
    let mut kept: Vec<Wrong> = Vec::new();
    for wrong in wrongs {
        let since = kept.last().map_or(0, |last| last.span.start);
        let start = wrong.span.start.min(text.len());
        let same_line = !text.as_bytes()[since.min(start)..start].contains(&b'\n');
        if !kept.is_empty() && (endless || same_line) {
            continue;
        }
        kept.push(wrong);
    }
    if endless && let Some(first) = kept.first_mut() {
        "close what was opened here or above: look for a missing \" or ] or }"
            .clone_into(&mut first.remedy);
    }
    kept
}
