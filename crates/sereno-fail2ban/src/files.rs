//! Which files there are, and in which order they are laid over each other.
//!
//! For a name `X` these are read, later ones over earlier ones (`jail.conf(5)`, "Configuration
//! files format"): `X.conf`, `X.d/*.conf`, `X.local`, `X.d/*.local`. Each may have a section
//! `[INCLUDES]` with `before` and `after`: paths, one on a line, from the file's own directory. A
//! file that is included brings its `.local` along. What an option had before it was overridden
//! stays known under `KNOWN/section`. `[section?condition]` puts `option?condition` into `section`.

use crate::budget::Budget;
use crate::dict::Dict;
use crate::ini::{self, Config, Entry, Section};
use crate::interpolate::{self, Fault, Scope};
use crate::problem::{Notes, Wrong, quote};
use crate::text::{Place, Text};
use crate::unknown;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Files of one configuration at most, counted as often as they are included.
const FILES: usize = 1000;
/// How deep includes go.
const DEPTH: usize = 64;

/// Where files come from. Paths are those of the tree's base directory with names added, and
/// whatever `[INCLUDES]` says.
pub trait Files {
    /// The bytes of a file; `None` if there is none. A directory is no file.
    ///
    /// # Errors
    /// A sentence about why it cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// The names of what is in a directory, in any order; none if there is no such directory.
    fn list(&self, directory: &str) -> Vec<String>;

    /// Who may change a file besides root and whoever guards by it, in words; `None` if nobody, or
    /// if that is not known.
    fn open_to(&self, _path: &str) -> Option<String> {
        None
    }
}

/// Reads files, each once.
pub(crate) struct Loader<'f> {
    files: &'f dyn Files,
    pub(crate) notes: Notes,
    pub(crate) budget: Budget,
    parsed: BTreeMap<String, Option<Rc<Config>>>,
    orders: BTreeMap<Vec<String>, Rc<Vec<String>>>,
    configs: BTreeMap<String, Option<Rc<Config>>>,
    /// Every name that any text refers to.
    pub(crate) referred: BTreeSet<String>,
}

impl<'f> Loader<'f> {
    pub(crate) fn new(files: &'f dyn Files) -> Self {
        Self {
            files,
            notes: Notes::default(),
            budget: Budget::new(),
            parsed: BTreeMap::new(),
            orders: BTreeMap::new(),
            configs: BTreeMap::new(),
            referred: BTreeSet::new(),
        }
    }

    /// Everything that counts for `stem` (a path without `.conf`); `None` if there is no file.
    pub(crate) fn config(&mut self, stem: &str) -> Option<Rc<Config>> {
        if let Some(known) = self.configs.get(stem) {
            return known.clone();
        }
        let tops = self.tops(stem);
        let mut room = FILES;
        let order = self.order(&tops, &[], &mut room);
        let mut merged = Config::default();
        let mut any = false;
        for path in order.iter() {
            if let Some(one) = self.parse(path) {
                merge(&mut merged, &one);
                any = true;
            }
        }
        self.referred.append(&mut unknown::referred(&merged));
        let config = any.then(|| Rc::new(merged));
        self.configs.insert(stem.to_owned(), config.clone());
        config
    }

    /// The names of the files `*.conf` and `*.local` in a directory, without their ends.
    pub(crate) fn stems(&self, directory: &str) -> Vec<String> {
        let end = |name: &str| {
            let stem = name.strip_suffix(".conf").or_else(|| name.strip_suffix(".local"));
            stem.map(ToOwned::to_owned)
        };
        self.files.list(directory).iter().filter_map(|name| end(name)).collect()
    }

    fn tops(&mut self, stem: &str) -> Vec<String> {
        let directory = format!("{stem}.d");
        let mut names = self.files.list(&directory);
        names.sort();
        let with = |end: &'static str| {
            let names =
                names.iter().filter(move |name| name.ends_with(end) && !name.starts_with('.'));
            names.map(|name| format!("{directory}/{name}")).collect::<Vec<_>>()
        };
        let (conf, local) = (with(".conf"), with(".local"));
        let first = std::iter::once(format!("{stem}.conf"));
        let tops = first.chain(conf).chain([format!("{stem}.local")]).chain(local);
        tops.filter(|path| self.parse(path).is_some()).collect()
    }

    /// The files and what they include. `seen` are those that led here.
    fn order(&mut self, paths: &[String], seen: &[String], room: &mut usize) -> Rc<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        for path in paths {
            all.push(path.clone());
            let local = format!("{}.local", stem(path));
            if !paths.contains(&local) && self.parse(&local).is_some() {
                all.push(local);
            }
        }
        if let Some(order) = self.orders.get(&all) {
            *room = room.saturating_sub(order.len());
            return order.clone();
        }
        let order: Vec<String> =
            all.iter().flat_map(|path| self.includes(path, seen, room)).collect();
        let order = Rc::new(order);
        self.orders.insert(all, order.clone());
        order
    }

    /// A file between what is before and after it.
    fn includes(&mut self, path: &str, seen: &[String], room: &mut usize) -> Vec<String> {
        let Some(config) = self.parse(path) else { return Vec::new() };
        let mut whole = Vec::new();
        for option in ["before", "after"] {
            for (target, written) in self.targets(path, &config, option) {
                if seen.contains(&target) {
                    continue;
                }
                if *room == 0 || seen.len() >= DEPTH {
                    let message = "these includes have no end: too many files include each other";
                    let remedy = "look which of them includes the one that includes it";
                    self.notes.error(Wrong::of(&written, message, remedy));
                    break;
                }
                *room -= 1;
                let mut seen = seen.to_vec();
                seen.push(path.to_owned());
                let order = self.order(std::slice::from_ref(&target), &seen, room);
                if order.is_empty() && !target.ends_with(".local") && !written.as_str().is_empty() {
                    let message = format!("there is no file {target} to include");
                    let remedy = "correct the name, or take it out; nothing is read in its place";
                    self.notes.warn(Wrong::of(&written, message, remedy));
                }
                whole.extend(order.iter().cloned());
            }
            if option == "before" {
                whole.push(path.to_owned());
            }
        }
        // A list that is copied at every level grows with the levels.
        whole.truncate(FILES);
        whole
    }

    /// What `before` or `after` of a file names, and the text that does.
    fn targets(&mut self, path: &str, config: &Config, option: &str) -> Vec<(String, Text)> {
        if !config.sections.contains("INCLUDES") {
            return Vec::new();
        }
        let none = Dict::default();
        let scope = Scope { config, section: "INCLUDES", vars: &none };
        let value = match interpolate::get(&scope, option, &mut self.budget) {
            Ok(value) => value,
            Err(Fault::Wrong(wrong)) => {
                self.notes.error(wrong);
                return Vec::new();
            }
            Err(Fault::Absent) => return Vec::new(),
        };
        let directory = path.rfind('/').map_or("", |end| &path[..end]);
        let lines = value.lines();
        lines.into_iter().map(|line| (join(directory, line.as_str()), line)).collect()
    }

    fn parse(&mut self, path: &str) -> Option<Rc<Config>> {
        if let Some(known) = self.parsed.get(path) {
            return known.clone();
        }
        let config = match self.files.read(path) {
            Ok(None) => None,
            Ok(Some(bytes)) => {
                if let Some(who) = self.files.open_to(path) {
                    let message = format!(
                        "{who} may change this file, and so run any command as whoever guards by it"
                    );
                    let remedy = "give it and its directory to root, and let nobody else write: chown root, chmod go-w";
                    self.whole_warning(path, "", &message, remedy);
                }
                Some(Rc::new(self.text(path, &bytes)))
            }
            Err(why) => {
                let remedy = "let it be read, or take it away; nothing of it counts";
                self.whole(path, format!("this file cannot be read: {why}"), remedy);
                None
            }
        };
        self.parsed.insert(path.to_owned(), config.clone());
        config
    }

    fn text(&mut self, path: &str, bytes: &[u8]) -> Config {
        self.budget.earn(bytes.len());
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if let Err(error) = std::str::from_utf8(bytes) {
            let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("line {line} is not UTF-8; fail2ban passes over the whole file");
            self.whole(path, message, "save the file as UTF-8");
            return Config { broken: true, ..Config::default() };
        }
        if bytes.starts_with("\u{feff}".as_bytes()) {
            let message = "this file begins with a byte order mark, which fail2ban stumbles over";
            let file = self.whole_warning(path, text, message, "save it as UTF-8 without BOM");
            return ini::read(file, text, &mut self.notes);
        }
        let file = self.notes.file(path, text);
        ini::read(file, text, &mut self.notes)
    }

    /// A problem of a whole file, or of one that is not there.
    pub(crate) fn whole(&mut self, path: &str, message: String, remedy: &str) {
        let file = self.notes.file(path, "");
        self.notes.error(Wrong::new(Some(Place { file, line: 0, column: 0 }), 0, message, remedy));
    }

    fn whole_warning(&mut self, path: &str, text: &str, message: &str, remedy: &str) -> u32 {
        let file = self.notes.file(path, text);
        self.notes.warn(Wrong::new(Some(Place { file, line: 0, column: 0 }), 0, message, remedy));
        file
    }
}

/// Lays a file over what was read before.
fn merge(all: &mut Config, one: &Config) {
    all.broken |= one.broken;
    for (name, entry) in one.defaults.iter() {
        all.defaults.insert(name, entry.clone());
    }
    for (name, section) in one.sections.iter() {
        let (name, condition) = conditional(name);
        let renamed = |option: &str| format!("{option}{condition}");
        let new: Vec<(String, Entry)> = section
            .options
            .iter()
            .map(|(option, entry)| (renamed(option), entry.clone()))
            .collect();
        if all.sections.contains(name) {
            remember(all, name, &new);
        } else {
            all.sections.insert(name, Section { place: section.place, ..Section::default() });
        }
        let Some(target) = all.sections.get_mut(name) else { continue };
        target.broken |= section.broken;
        for (option, entry) in new {
            target.options.insert(&option, entry);
        }
    }
}

/// Keeps the values that are about to be overridden.
fn remember(all: &mut Config, name: &str, new: &[(String, Entry)]) {
    let Some(old) = all.sections.get(name) else { return };
    let known: Vec<(&str, Entry)> = new
        .iter()
        .filter_map(|(option, _)| Some((option.as_str(), old.options.get(option)?.clone())))
        .collect();
    let shadow = known_section(name);
    let mut section = all.sections.get(&shadow).cloned().unwrap_or_default();
    for (option, entry) in known {
        section.options.insert(option, entry);
    }
    all.sections.insert(&shadow, section);
}

/// Where the overridden options of a section are.
pub(crate) fn known_section(name: &str) -> String {
    format!("KNOWN/{name}")
}

/// `Init?family=inet6` is `Init` and `?family=inet6`.
pub(crate) fn conditional(name: &str) -> (&str, &str) {
    match name.find('?') {
        Some(at)
            if at > 0 && name.len() > at + 1 && name[..at].chars().all(crate::text::is_word) =>
        {
            name.split_at(at)
        }
        _ => (name, ""),
    }
}

/// A path without the end of its name, as Python's `splitext` cuts it.
fn stem(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    match path[name..].rfind('.') {
        Some(dot) if path[name..name + dot].chars().any(|c| c != '.') => &path[..name + dot],
        _ => path,
    }
}

/// A path from a directory, as Python's `join` does it: one that begins with `/` stands alone.
pub(crate) fn join(directory: &str, path: &str) -> String {
    match directory {
        _ if path.starts_with('/') => path.to_owned(),
        "" => path.to_owned(),
        _ if directory.ends_with('/') => format!("{directory}{path}"),
        _ => format!("{directory}/{path}"),
    }
}

/// What an unknown name may have been meant for.
pub(crate) fn meant(name: &str, all: &[String], what: &str) -> String {
    match crate::near::nearest(name.trim(), all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write the name of {what} without .conf; {} is not there", quote(name)),
    }
}
