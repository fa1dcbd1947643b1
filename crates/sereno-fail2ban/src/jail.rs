//! The reading of one jail: its options, its filter, its actions.

use crate::definition::Definition;
use crate::dict::Dict;
use crate::files::{Loader, join, meant};
use crate::ini::{Config, Entry};
use crate::interpolate::{self, Fault, Scope};
use crate::options::{self, Kind};
use crate::params::{self, Call};
use crate::problem::{Wrong, quote};
use crate::remark;
use crate::settings;
use crate::text::Text;
use crate::tree::{Action, Filter, Jail, KEPT};
use crate::unknown;

/// Reads the jail `name` of `config`. What its filter says is put into `config` as `known/...`, so
/// that the jail, and others after it, can refer to it.
pub(crate) fn read(loader: &mut Loader<'_>, base: &str, config: &mut Config, name: &str) -> Jail {
    let mut reader = Reader { loader, base, config, name, silent: false, refusal: None };
    let before = reader.loader.notes.errors();
    let mut jail = reader.jail();
    let broken = config.sections.get(name).is_some_and(|section| section.broken);
    jail.set_aside = broken || loader.notes.errors() > before || jail.refusal.is_some();
    jail
}

struct Reader<'r, 'f> {
    loader: &'r mut Loader<'f>,
    base: &'r str,
    config: &'r mut Config,
    name: &'r str,
    /// What refers to the filter is not said, as the filter's own problem was.
    silent: bool,
    refusal: Option<String>,
}

impl Reader<'_, '_> {
    fn jail(&mut self) -> Jail {
        let mut first = Dict::default();
        for option in ["enabled", "backend", "filter"] {
            if let Some(value) = self.option(option) {
                first.insert(option, value);
            }
        }
        let enabled = first.get("enabled").is_some_and(settings::yes);
        if !enabled {
            self.silent = true;
        }
        let filter = if enabled { self.filter(&first) } else { None };
        let mut found = Dict::default();
        for name in options::jail().map(|(name, _)| name).chain(options::NEWER) {
            if let Some(value) = self.option(name) {
                found.insert(name, value);
            }
        }
        let settings = settings::read(&found, &mut self.loader.notes);
        let vars = vars(&found);
        let filter = filter.and_then(|filter| self.effective(filter, &found, &vars));
        let actions = if enabled { self.actions(&found, &vars) } else { Vec::new() };
        if enabled {
            unknown::check(self.loader, self.config, self.name);
        }
        Jail {
            name: self.name.to_owned(),
            enabled,
            set_aside: false,
            refusal: self.refusal.take(),
            options: found,
            settings,
            filter,
            actions,
        }
    }

    /// An option of the jail, put together.
    fn option(&mut self, option: &str) -> Option<Text> {
        let none = Dict::default();
        let scope = Scope { config: self.config, section: self.name, vars: &none };
        match interpolate::get(&scope, option, &mut self.loader.budget) {
            Ok(value) => Some(value),
            Err(Fault::Absent) => default(option).map(Text::plain),
            Err(Fault::Wrong(wrong)) => {
                if !self.silent {
                    self.loader.notes.error(wrong);
                }
                None
            }
        }
    }

    /// What fail2ban would pass over this jail for.
    fn refuse(&mut self, wrong: Wrong) {
        self.refusal.get_or_insert_with(|| wrong.message.clone());
        self.loader.notes.error(wrong);
    }

    /// The file of a filter or action, opened.
    fn open(&mut self, call: &Call, directory: &str, what: &str) -> Option<Definition> {
        let name = call.name.as_str();
        if name.starts_with("./") {
            let message = format!(
                "where {} is depends on the directory fail2ban was started in",
                quote(name)
            );
            self.refuse(Wrong::of(&call.name, message, "write the whole path, from / on"));
            return None;
        }
        let stem = join(self.base, &join(directory, name));
        let Some(config) = self.loader.config(&stem) else {
            let known = self.loader.stems(&join(self.base, directory));
            let message = format!("there is no {what} called {}", quote(name));
            let remedy = meant(name, &known, &format!("a file in {directory}"));
            self.refuse(Wrong::of(&call.name, message, remedy));
            return None;
        };
        if config.broken {
            let message = format!("the {what} {name} has errors");
            let remedy = "correct its file; the problems of it are told at their places";
            self.loader.notes.error(Wrong::of(&call.name, message, remedy));
        }
        let template: &'static [(&str, Kind)] =
            if what == "filter" { &options::FILTER } else { &options::ACTION };
        let definition = Definition::new(config, template, call.params.clone());
        if !definition.has_definition() {
            let message = format!("the {what} {name} has no [Definition]");
            let remedy = "write [Definition] above its options";
            self.loader.notes.error(Wrong::of(&call.name, message, remedy));
        }
        Some(definition)
    }

    /// The filter's file, read for the first time: everything it says becomes `known/...`.
    fn filter(&mut self, first: &Dict<Text>) -> Option<(Text, Definition)> {
        let written = first.get("filter").filter(|value| !value.as_str().is_empty());
        let Some(written) = written else {
            self.no_filter();
            return None;
        };
        let opened = self.open_filter(written, first);
        if opened.is_none() {
            self.silent = true;
        }
        opened
    }

    fn open_filter(&mut self, written: &Text, first: &Dict<Text>) -> Option<(Text, Definition)> {
        let is_call =
            |value: &Text| params::parse(value).is_ok_and(|call| !call.name.as_str().contains(' '));
        let written = &remark::without(written.clone(), &mut self.loader.notes, is_call);
        let call = match params::parse(written) {
            Ok(call) => call,
            Err(wrong) => {
                self.refuse(wrong);
                return None;
            }
        };
        let mut definition = self.open(&call, "filter.d", "filter")?;
        let logtype = definition.given.get("logtype");
        if logtype.is_none_or(|value| value.as_str().is_empty()) && !definition.defines("logtype") {
            let backend = first.get("backend").map_or("auto", Text::as_str);
            let kind = if backend.starts_with("systemd") { "journal" } else { "file" };
            definition.given.insert("logtype", Text::plain(kind));
        }
        let budget = &mut self.loader.budget;
        let known = definition
            .read(&vars(first), true, budget)
            .and_then(|()| definition.combined(&[], budget));
        match known {
            Ok(known) => self.remember(&known),
            Err(wrong) => {
                self.loader.notes.error(wrong);
                return None;
            }
        }
        Some((call.name, definition))
    }

    fn remember(&mut self, known: &Dict<Text>) {
        let Some(section) = self.config.sections.get_mut(self.name) else { return };
        for (name, value) in known.iter().filter(|(name, _)| !name.starts_with("known/")) {
            let entry = Entry { name: None, value: value.clone() };
            section.options.insert(&format!("known/{name}"), entry);
        }
    }

    fn no_filter(&mut self) {
        let place = self.config.sections.get(self.name).and_then(|section| section.place);
        let message = format!("[{}] has no filter", self.name);
        let remedy = "write filter = name of a file in filter.d";
        self.loader.notes.warn(Wrong::new(place, self.name.chars().count() + 2, message, remedy));
    }

    /// The filter as it is used: its file's options where the jail has none of its own.
    fn effective(
        &mut self,
        (name, mut definition): (Text, Definition),
        jail: &Dict<Text>,
        vars: &Dict<Text>,
    ) -> Option<Filter> {
        let budget = &mut self.loader.budget;
        let combined =
            definition.read(vars, false, budget).and_then(|()| definition.combined(&[], budget));
        let options = match combined {
            Ok(options) => options,
            Err(wrong) => {
                self.loader.notes.error(wrong);
                return None;
            }
        };
        let mut filter = Filter { name: name.as_str().to_owned(), ..Filter::default() };
        settings::filter(&mut filter, &options, &mut self.loader.notes);
        settings::filter(&mut filter, jail, &mut self.loader.notes);
        if filter.failregex.is_empty() {
            let message = format!(
                "the filter {} has no failregex, so it never sees anything",
                quote(name.as_str())
            );
            self.loader.notes.warn(Wrong::of(
                &name,
                message,
                "write failregex = ... into its file",
            ));
        }
        filter.logtype = options.get("logtype").cloned();
        filter.options = options;
        Some(filter)
    }

    fn actions(&mut self, jail: &Dict<Text>, vars: &Dict<Text>) -> Vec<Action> {
        let mut actions: Vec<Action> = Vec::new();
        let written = jail.get("action").cloned().unwrap_or_default();
        // The line of a file on which everything that follows is a remark.
        let mut rest = None;
        for piece in params::split(&written) {
            let line = piece.place(0).map(|place| (place.file, place.line));
            if rest.is_some() && rest == line {
                continue;
            }
            if line.is_some() && piece.as_str().starts_with('#') {
                self.loader.notes.warn(remark::wrong(&piece, 0));
                rest = line;
                continue;
            }
            let action = match params::parse(&piece) {
                Ok(call) => self.action(call, vars),
                Err(wrong) => {
                    self.refuse(wrong);
                    // Where one ends is not known, so what follows may be a part of it.
                    break;
                }
            };
            let Some(action) = action else { continue };
            if actions.iter().any(|other| other.name == action.name) {
                let message =
                    format!("this jail has an action called {} already", quote(&action.name));
                let remedy = format!("write {}[actname=another-name, ...]", action.file);
                self.loader.notes.error(Wrong::of(&piece, message, remedy));
                continue;
            }
            actions.push(action);
        }
        let place = self.config.sections.get(self.name).and_then(|section| section.place);
        // A jail without a place was not written: somebody asks for a filter alone.
        if place.is_some() && actions.is_empty() && self.refusal.is_none() {
            let message = format!("[{}] has no action, so it does nothing", self.name);
            let remedy = "write action = name of a file in action.d";
            let width = self.name.chars().count() + 2;
            self.loader.notes.warn(Wrong::new(place, width, message, remedy));
        }
        actions
    }

    fn action(&mut self, mut call: Call, vars: &Dict<Text>) -> Option<Action> {
        let file = call.name.as_str().to_owned();
        if let Some(stem) = file.strip_suffix(".py") {
            let name = call.params.get("actname").map_or(stem, Text::as_str).to_owned();
            let mut properties = Dict::default();
            for (key, value) in call.params.iter().filter(|(key, _)| *key != "actname") {
                properties.insert(key, value.clone());
            }
            return Some(Action { name, file, python: true, properties });
        }
        let name = name_action(&mut call, self.name);
        let mut definition = self.open(&call, "action.d", "action")?;
        let budget = &mut self.loader.budget;
        let kept: Vec<&str> = KEPT.into_iter().chain(["timeout", "bantime"]).collect();
        let combined =
            definition.read(vars, false, budget).and_then(|()| definition.combined(&kept, budget));
        let combined = match combined {
            Ok(combined) => combined,
            Err(wrong) => {
                self.loader.notes.error(wrong);
                return None;
            }
        };
        let mut properties = Dict::default();
        let own = |name: &str| options::kind(&options::ACTION, name).is_some();
        for (key, value) in combined.iter().filter(|(key, _)| own(key)) {
            properties.insert(key, value.clone());
        }
        // Values for tags stay as they are: what they refer to may depend on the ban.
        let given = definition.given.iter();
        for (key, value) in given.filter(|(key, _)| !own(key) && !key.starts_with("known/")) {
            properties.insert(key, value.clone());
        }
        Some(Action { name, file, python: false, properties })
    }
}

/// What a jail's option is if nobody wrote it.
fn default(option: &str) -> Option<&'static str> {
    match option {
        "enabled" => Some("false"),
        "backend" => Some("auto"),
        "filter" | "action" => Some(""),
        _ => None,
    }
}

/// The name an action goes by, from its parameters, which get a name each.
fn name_action(call: &mut Call, jail: &str) -> String {
    if !call.params.contains("name") {
        call.params.insert("name", Text::plain(jail));
    }
    if let Some(name) = call.params.get("actname") {
        return name.as_str().to_owned();
    }
    let own = call.params.get("name").map_or(jail, Text::as_str);
    let mut name = call.name.as_str().to_owned();
    match own.strip_prefix(jail) {
        Some(rest) => name.push_str(rest),
        None => {
            name.push('-');
            name.push_str(own);
        }
    }
    call.params.insert("actname", Text::plain(&name));
    name
}

/// A jail's options as its filter and actions see them: numbers and flags as Python writes them.
fn vars(jail: &Dict<Text>) -> Dict<Text> {
    let mut vars = Dict::default();
    for (name, value) in jail.iter() {
        let kind = options::kind(&options::JAIL, name).or(options::kind(&options::FILTER, name));
        let value = match kind {
            None => continue,
            Some(Kind::Text) => value.clone(),
            Some(Kind::Flag) => Text::plain(if settings::yes(value) { "True" } else { "False" }),
            Some(Kind::Number) => match settings::integer(value) {
                Some(number) => Text::plain(&number.to_string()),
                None => continue,
            },
        };
        vars.insert(name, value);
    }
    vars
}
