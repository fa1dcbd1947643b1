//! Lines to sections with their entries, and broken lines put together.

use crate::problem::{Notes, Wrong};
use std::ops::Range;

/// Bytes of a line at most.
const LONGEST: usize = 4095;
/// Keys whose values a page breaks, for they are long.
const COMMANDS: [&str; 6] =
    ["command", "start_command", "command_6", "start_command_6", "stop_command", "stop_command_6"];

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// A line with a key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// In lower case.
    pub(super) key: String,
    /// `None` if there is no `=`.
    pub(super) value: Option<Value>,
    pub(super) span: Range<usize>,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) entries: Vec<Entry>,
    /// Whether there is an error in its lines.
    pub(super) broken: bool,
}

/// What stands above a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Above {
    Nothing,
    Remark,
    Entry,
}

/// Takes a file apart.
pub(super) fn parts(text: &str, notes: &mut Notes) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut above = Above::Nothing;
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        let begin = at + (whole.len() - whole.trim_start().len());
        at += whole.len();
        // A byte order mark is no part of the first line.
        let line = whole.trim().trim_start_matches('\u{feff}');
        let span = begin..begin + whole.trim().len();
        if line.is_empty() {
            above = Above::Nothing;
        } else if line.starts_with('#') {
            above = Above::Remark;
        } else if whole.len() > LONGEST {
            let message =
                format!("a line of more than {LONGEST} bytes, which knockd takes for two");
            notes.error(0, Wrong::new(span, message).remedy("put the command into a script"));
            parts.iter_mut().last().into_iter().for_each(|part| part.broken = true);
            above = Above::Nothing;
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let broken = name.is_empty();
            if broken {
                let wrong = Wrong::new(span.clone(), "a section without a name");
                notes.error(0, wrong.remedy("write a name between the brackets: [openSSH]"));
            }
            parts.push(Part { name: name.to_owned(), span, entries: Vec::new(), broken });
            above = Above::Nothing;
        } else {
            above = below(line, span, above, parts.last_mut(), notes);
        }
    }
    parts
}

/// A line that is neither a remark nor a section's beginning.
fn below(
    line: &str,
    span: Range<usize>,
    above: Above,
    part: Option<&mut Part>,
    notes: &mut Notes,
) -> Above {
    let Some(part) = part else {
        let wrong = Wrong::new(span, "a line that stands in no section");
        let remedy = "write [options] or a door's name in brackets above it; remarks begin with #";
        notes.error(0, wrong.remedy(remedy));
        return Above::Nothing;
    };
    let (key, value) = match line.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (line, None),
    };
    let word = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let alone = value.is_none() && !key.eq_ignore_ascii_case("usesyslog");
    if !word || alone {
        let stands = part.entries.iter().map(|entry| entry.span.start).max();
        if above == Above::Entry
            && stands.is_some()
            && let Some(entry) = part.entries.last_mut()
            && goes_on(entry, line)
        {
            join(entry, line, span, notes);
            return Above::Entry;
        }
        if above == Above::Remark && alone {
            let wrong = Wrong::new(span, "this is taken for the end of the remark above");
            notes.warn(0, wrong.remedy("begin the line with # as well"));
            return Above::Remark;
        }
    }
    if !word {
        let wrong = Wrong::new(span, "this is neither a section nor key = value");
        let remedy = match line.chars().next() {
            Some(';') => "begin remarks with #",
            Some('[') => "end the section's name with ]",
            _ => "if it belongs to the line above, write both on one line",
        };
        notes.error(0, wrong.remedy(remedy));
        part.broken = true;
        return Above::Nothing;
    }
    let end = span.end;
    let value = value.map(|text| Value { text: text.to_owned(), span: end - text.len()..end });
    part.entries.push(Entry { key: key.to_ascii_lowercase(), value, span });
    Above::Entry
}

/// Whether a line is the rest of the one above it, which a page broke.
fn goes_on(entry: &Entry, line: &str) -> bool {
    let Some(value) = &entry.value else { return false };
    let list = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b", :".contains(&b));
    match entry.key.as_str() {
        "sequence" => (value.text.ends_with(',') || line.starts_with(',')) && list(line),
        key => COMMANDS.contains(&key) && !value.text.is_empty() && !line.starts_with([';', '[']),
    }
}

fn join(entry: &mut Entry, line: &str, span: Range<usize>, notes: &mut Notes) {
    let Some(value) = &mut entry.value else { return };
    if !value.text.ends_with(',') {
        value.text.push(' ');
    }
    value.text.push_str(line);
    value.span.end = span.end;
    let whole: String = value.text.chars().take(300).collect();
    let message = "this is taken for the end of the line above, which a page broke";
    let remedy = format!("write it on one line: {} = {whole}", entry.key);
    notes.warn(0, Wrong::new(span, message).remedy(remedy));
}
