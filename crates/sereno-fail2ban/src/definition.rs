//! The reading of a filter's or action's file for one jail.
//!
//! `[Definition]` goes below `[Init]`, and `[Init]` below what the jail says in brackets. What
//! `[Init]` said is `<known/option>` besides. `%(...)s` knows the jail's options and the brackets
//! too, before the file's own (except in `[Init]`). An option with a condition
//! (`blocktype?family=inet6`) keeps its name from being filled in now, as it is the ban that
//! decides.

use crate::budget::Budget;
use crate::dict::Dict;
use crate::files::conditional;
use crate::ini::Config;
use crate::interpolate::{self, Fault, Scope};
use crate::options::Kind;
use crate::problem::Wrong;
use crate::tags;
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const DEFINITION: &str = "Definition";
const INIT: &str = "Init";

pub(crate) struct Definition {
    pub(crate) config: Rc<Config>,
    template: &'static [(&'static str, Kind)],
    /// What `[Definition]` says.
    options: Dict<Text>,
    /// What the jail says in brackets, and `[Init]` where it does not.
    pub(crate) given: Dict<Text>,
    /// The jail's options and the brackets, by lower-case name.
    vars: Dict<Text>,
    /// Tags that were looked up. As in fail2ban they keep the first answer.
    answers: BTreeMap<String, Option<Text>>,
}

impl Definition {
    pub(crate) fn new(
        config: Rc<Config>,
        template: &'static [(&'static str, Kind)],
        given: Dict<Text>,
    ) -> Self {
        let (options, vars, answers) = (Dict::default(), Dict::default(), BTreeMap::new());
        Self { config, template, options, given, vars, answers }
    }

    /// Whether the file says this itself, under `[Definition]`.
    pub(crate) fn defines(&self, option: &str) -> bool {
        self.config.option(DEFINITION, option).is_some()
    }

    pub(crate) fn has_definition(&self) -> bool {
        self.config.sections.contains(DEFINITION)
    }

    /// Reads for a jail with these options; with `all`, also options that are not the template's.
    pub(crate) fn read(
        &mut self,
        jail: &Dict<Text>,
        all: bool,
        budget: &mut Budget,
    ) -> Result<(), Wrong> {
        self.vars = Dict::default();
        for (name, value) in jail.iter().chain(self.given.iter()) {
            budget.pay(value.len(), 0, value)?;
            self.vars.insert(&name.to_lowercase(), value.clone());
        }
        self.options = Dict::default();
        let scope = Scope { config: &self.config, section: DEFINITION, vars: &self.vars };
        for (name, _) in self.template {
            if jail.contains(name) || self.given.contains(name) {
                continue;
            }
            if let Some(value) = present(interpolate::get(&scope, name, budget))? {
                self.options.insert(name, value);
            }
        }
        self.read_init(budget)?;
        if all { self.read_rest(budget) } else { Ok(()) }
    }

    fn read_init(&mut self, budget: &mut Budget) -> Result<(), Wrong> {
        let none = Dict::default();
        let scope = Scope { config: &self.config, section: INIT, vars: &none };
        let Some(section) = self.config.sections.get(INIT) else { return Ok(()) };
        for name in section.options.keys() {
            let Some(value) = present(interpolate::get(&scope, name, budget))? else { continue };
            if !name.starts_with("known/") {
                self.given.insert(&format!("known/{name}"), value.clone());
            }
            if !self.given.contains(name) {
                self.given.insert(name, value);
            }
        }
        Ok(())
    }

    fn read_rest(&mut self, budget: &mut Budget) -> Result<(), Wrong> {
        let none = Dict::default();
        let scope = Scope { config: &self.config, section: DEFINITION, vars: &none };
        let Some(section) = self.config.sections.get(DEFINITION) else { return Ok(()) };
        for name in section.options.keys() {
            if self.options.contains(name) {
                continue;
            }
            if let Some(value) = present(interpolate::get(&scope, name, budget))? {
                self.options.insert(name, value);
            }
        }
        Ok(())
    }

    /// All options, with their tags filled in except those named in `ignore`.
    pub(crate) fn combined(
        &mut self,
        ignore: &[&str],
        budget: &mut Budget,
    ) -> Result<Dict<Text>, Wrong> {
        let mut all = self.options.clone();
        for (name, value) in self.given.iter() {
            all.insert(name, value.clone());
        }
        let mut kept: BTreeSet<String> = ignore.iter().map(|name| (*name).to_owned()).collect();
        for name in all.keys() {
            let (base, condition) = conditional(name);
            if !condition.is_empty() {
                kept.insert(base.to_owned());
            }
        }
        let scope = Scope { config: &self.config, section: DEFINITION, vars: &self.vars };
        let answers = &mut self.answers;
        let mut lookup = |tag: &str, budget: &mut Budget| {
            if let Some(known) = answers.get(tag) {
                return Ok(known.clone());
            }
            let answer = present(interpolate::get_named(&scope, tag, budget))?;
            answers.insert(tag.to_owned(), answer.clone());
            Ok(answer)
        };
        tags::substitute(&all, None, &kept, &mut lookup, budget)
    }
}

fn present(result: Result<Text, Fault>) -> Result<Option<Text>, Wrong> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Absent) => Ok(None),
        Err(Fault::Wrong(wrong)) => Err(wrong),
    }
}
