//! One file: sections, options, values of several lines.
//!
//! The format is that of Python's `configparser` as fail2ban sets it up (Python's documentation,
//! "Supported INI File Structure"; `jail.conf(5)`): `[section]`, `name = value` or `name: value`,
//! names in lower case, more lines of a value by indentation, whole lines of remarks with `#` or
//! `;`, remarks behind a value with `;` after a blank. A name or section that comes twice in one
//! file is an error there, as is a line that is none of these; fail2ban then reads nothing at all.
//! Here such a line is put where it plainly belongs ([`mend`]); otherwise it is left out, and what
//! it stands in is marked as broken. Both are said.

use crate::dict::Dict;
use crate::mend::{self, Above, Meant};
use crate::paste;
use crate::problem::{Notes, Wrong, quote};
use crate::text::{Place, Text, is_blank};

/// The section whose options all others have too.
pub(crate) const DEFAULT: &str = "DEFAULT";

/// Sections and their options, of one file or of many laid over each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) defaults: Dict<Entry>,
    pub(crate) sections: Dict<Section>,
    /// Something was left out.
    pub(crate) broken: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) place: Option<Place>,
    pub(crate) options: Dict<Entry>,
    /// Something was left out of this section.
    pub(crate) broken: bool,
}

/// An option's value, and where its name stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Option<Place>,
    pub(crate) value: Text,
}

impl Config {
    pub(crate) fn option(&self, section: &str, option: &str) -> Option<&Text> {
        self.sections.get(section)?.options.get(option).map(|entry| &entry.value)
    }

    pub(crate) fn common(&self, option: &str) -> Option<&Text> {
        self.defaults.get(option).map(|entry| &entry.value)
    }

    fn options(&mut self, section: &str) -> Option<&mut Dict<Entry>> {
        if section == DEFAULT {
            return Some(&mut self.defaults);
        }
        self.sections.get_mut(section).map(|section| &mut section.options)
    }
}

/// Reads a file's text; `file` is its number in `notes`.
pub(crate) fn read(file: u32, text: &str, notes: &mut Notes) -> Config {
    // What fail2ban accepts is read as it reads it, so whether it does has to be known first.
    let refused = pass(file, text, false, &mut Notes::default()).broken;
    pass(file, text, refused, notes)
}

fn pass(file: u32, text: &str, mending: bool, notes: &mut Notes) -> Config {
    let mut reader = Reader { file, mending, ..Reader::default() };
    for (line, text) in text.split('\n').enumerate() {
        reader.line(line as u32 + 1, text, notes);
    }
    reader.config
}

#[derive(Default)]
struct Reader {
    file: u32,
    /// fail2ban refuses this file, so it may be mended.
    mending: bool,
    config: Config,
    /// The section we are in.
    section: Option<String>,
    /// The option whose value may go on.
    option: Option<String>,
    /// The last option of this section that is called as options are.
    meant: Option<String>,
    /// How far its line was indented, in characters.
    indent: usize,
    /// Empty lines that belong to the value if it goes on.
    empty: usize,
    /// The line before was a remark.
    remark: bool,
}

impl Reader {
    fn line(&mut self, line: u32, text: &str, notes: &mut Notes) {
        let end = comment(text);
        let (indent, begin) = first(text);
        let value = text.get(begin..end.unwrap_or(text.len())).unwrap_or("");
        let value = value.trim_end_matches(is_blank);
        if value.is_empty() {
            if end.is_none() {
                self.empty += usize::from(self.option.is_some());
            }
            self.remark = end.is_some();
            return;
        }
        let place = Place { file: self.file, line, column: indent as u32 + 1 };
        let value = Text::at(value, place);
        let mut meant = None;
        if self.option.is_some() && indent > self.indent {
            self.go_on(&value);
        } else {
            self.indent = indent;
            meant = self.mend(&value, notes);
            if meant.is_none() {
                self.begin(&value, notes);
            }
        }
        self.remark = meant == Some(Meant::Remark);
        paste::look(&value, notes);
    }

    /// The value that may go on.
    fn open(&mut self) -> Option<&mut Text> {
        let options = self.config.options(self.section.as_ref()?)?;
        options.get_mut(self.option.as_ref()?).map(|entry| &mut entry.value)
    }

    /// One more line of a value.
    fn go_on(&mut self, line: &Text) {
        let breaks = "\n".repeat(self.empty + 1);
        let Some(value) = self.open() else { return };
        value.push_str(&breaks);
        value.push_all(line);
        self.empty = 0;
    }

    /// Puts a line that is not indented where it belongs, if it is plain where that is.
    fn mend(&mut self, line: &Text, notes: &mut Notes) -> Option<Meant> {
        let option = self.option.clone().unwrap_or_default();
        let (remark, gap, mending) = (self.remark, self.empty > 0, self.mending);
        let head = head(line.as_str()).is_some();
        let mut value = self.open();
        let above = value.as_ref().map(|value| (option.as_str(), value.as_str()));
        if above.is_some_and(|(name, list)| name == "action" && mend::belongs(line.as_str(), list))
        {
            notes.warn(paste::bracket(line));
            self.go_on(line);
            return Some(Meant::Element);
        }
        let above = Above { remark, gap, option: above };
        let meant = mend::meant(line.as_str(), above).filter(|_| mending && !head)?;
        match meant {
            Meant::Remark => notes.warn(paste::remark(line)),
            Meant::Element => {
                notes.warn(paste::element(line, &option));
                self.go_on(line);
            }
            Meant::Rest => {
                let value = value.as_mut()?;
                value.push_str(" ");
                value.push_all(line);
                let whole = value.as_str().rsplit('\n').next().unwrap_or("");
                notes.warn(paste::rest(line, whole));
            }
        }
        Some(meant)
    }

    /// A section's head, or an option.
    fn begin(&mut self, value: &Text, notes: &mut Notes) {
        self.empty = 0;
        let text = value.as_str();
        if let Some(head) = head(text) {
            return self.head(head, value, notes);
        }
        let Some(section) = self.section.clone() else {
            let message = "this stands before the first [section], so it belongs to no jail";
            let remedy = "write [DEFAULT] above it, or begin it with # if it is a remark";
            return self.wrong(Wrong::of(value, message, remedy), notes);
        };
        let Some(delimiter) = text.find(['=', ':']) else {
            let wrong = paste::stray(value, self.meant.as_deref(), self.remark);
            return self.wrong(wrong, notes);
        };
        let written = text[..delimiter].trim_end_matches(is_blank);
        if written.is_empty() {
            self.option = None;
            let wrong = Wrong::of(value, "a value without a name", "write name = value");
            return self.wrong(wrong, notes);
        }
        let name = written.to_lowercase();
        let odd = paste::is_odd(written);
        let width = written.chars().count();
        let twice = self.config.options(&section).and_then(|options| options.get(&name));
        if let Some(first) = twice.and_then(|first| first.name) {
            self.option = None;
            if odd {
                let wrong = paste::stray(value, self.meant.as_deref(), false);
                return self.wrong(wrong, notes);
            }
            let line = first.line;
            let message =
                format!("{} stands in [{section}] of this file twice (line {line})", quote(&name));
            let wrong = Wrong::new(value.place(0), width, message, "keep one of the two");
            return self.wrong(wrong, notes);
        }
        if odd {
            notes.warn(paste::odd(value, written, self.meant.as_deref()));
        } else {
            self.meant = Some(name.clone());
        }
        let entry = Entry { name: value.place(0), value: value.trimmed(delimiter + 1..text.len()) };
        if let Some(options) = self.config.options(&section) {
            options.insert(&name, entry);
        }
        self.option = Some(name);
    }

    fn head(&mut self, head: &str, value: &Text, notes: &mut Notes) {
        (self.option, self.meant) = (None, None);
        self.section = Some(head.to_owned());
        if head == DEFAULT {
            return;
        }
        let first = self.config.sections.get(head).and_then(|section| section.place);
        match first {
            Some(first) => {
                let message = format!("[{head}] stands in this file twice (line {})", first.line);
                let remedy = "move its lines to the first one, and keep each option once";
                self.wrong(Wrong::of(value, message, remedy), notes);
            }
            None => {
                let section = Section { place: value.place(0), ..Section::default() };
                self.config.sections.insert(head, section);
            }
        }
    }

    fn wrong(&mut self, wrong: Wrong, notes: &mut Notes) {
        notes.error(wrong);
        self.config.broken = true;
        let section = self.section.as_deref();
        if let Some(section) = section.and_then(|section| self.config.sections.get_mut(section)) {
            section.broken = true;
        }
    }
}

/// The name in the head of a section.
fn head(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('[')?;
    rest.rfind(']').map(|end| &rest[..end]).filter(|head| !head.is_empty())
}

/// Where a remark begins, if there is one: at the first character of the line if that is `#` or
/// `;`, or at a `;` behind a blank.
fn comment(text: &str) -> Option<usize> {
    if text.trim_start_matches(is_blank).starts_with(['#', ';']) {
        return Some(0);
    }
    let mut blank = true;
    for (at, c) in text.char_indices() {
        if c == ';' && blank {
            return Some(at);
        }
        blank = is_blank(c);
    }
    None
}

/// The first character that is no blank: how many blanks are before it, and its offset.
fn first(text: &str) -> (usize, usize) {
    let found = text.char_indices().enumerate().find(|(_, (_, c))| !is_blank(*c));
    found.map_or((0, text.len()), |(indent, (at, _))| (indent, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (Vec<String>, Vec<String>) {
        let mut notes = Notes::default();
        let file = notes.file("x.conf", text);
        let config = read(file, text, &mut notes);
        let mut lines = Vec::new();
        let defaults = config.defaults.iter().map(|(name, entry)| (DEFAULT, name, entry));
        let own = config.sections.iter().flat_map(|(section, body)| {
            body.options.iter().map(move |(name, entry)| (section, name, entry))
        });
        for (section, name, entry) in defaults.chain(own) {
            lines.push(format!("{section}.{name}={}", entry.value.as_str()));
        }
        let problem = |p: &crate::Problem| format!("{}:{} {}", p.line, p.column, p.message);
        (lines, notes.problems().iter().map(problem).collect())
    }

    #[test]
    fn values_go_on_by_indentation() {
        let text =
            "[A]\nX = 1 ; one\n  two;2\n\n  # no\n\tthree\n[DEFAULT]\ny : a=b\nz=\n e\n; no\n\n";
        let (lines, problems) = shown(text);
        assert_eq!(lines, ["DEFAULT.y=a=b", "DEFAULT.z=\ne", "A.x=1\ntwo;2\n\nthree"]);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn broken_lines_are_left_out() {
        let text = "a = 1\n[A] # remark ]\n[A]\nx = 1\nnothing\n= 2\nx = 3\n";
        let (lines, problems) = shown(text);
        assert_eq!(lines, ["A.x=1"]);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("1:1 this stands before the first [section]"));
        assert!(problems[3].starts_with("7:1 \"x\" stands in [A] of this file twice (line 4)"));
    }

    #[test]
    fn every_line_knows_its_place() {
        let text = "[A]\nx = one\n   two\n";
        let mut notes = Notes::default();
        let config = read(notes.file("x", text), text, &mut notes);
        let value = config.option("A", "x").unwrap();
        assert_eq!(value.place(0), Some(Place { file: 0, line: 2, column: 5 }));
        assert_eq!(value.place(5), Some(Place { file: 0, line: 3, column: 5 }));
    }
}
