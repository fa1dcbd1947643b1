//! What a tree says: the result of reading it.

use crate::budget::Budget;
use crate::dict::Dict;
use crate::problem::{Notes, Problem, Severity, Wrong};
use crate::settings::Settings;
use crate::tags;
use crate::text::Text;
use std::collections::BTreeSet;

/// A fail2ban configuration tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The directory it was read from.
    pub base: String,
    /// The options of `fail2ban.conf`, with their defaults; `stacksize` of `[Thread]` is there as
    /// `thread.stacksize`.
    pub global: Dict<Text>,
    /// All jails that are not switched off, and those that are; in the order of the files.
    pub jails: Vec<Jail>,
    /// All problems, in the order of files and lines.
    pub problems: Vec<Problem>,
    pub(crate) notes: Notes,
}

impl Tree {
    /// Whether anything was left out or set aside.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The jails to guard: those that are switched on and without an error.
    pub fn standing(&self) -> impl Iterator<Item = &Jail> {
        self.jails.iter().filter(|jail| jail.enabled && !jail.set_aside)
    }

    /// A problem of something that was read, at the character at byte `at` of a text of this tree
    /// and `width` characters wide; for those who look deeper into it, such as a compiler of
    /// regular expressions.
    #[must_use]
    pub fn problem(
        &self,
        severity: Severity,
        (text, at, width): (&Text, usize, usize),
        message: &str,
        remedy: &str,
    ) -> Problem {
        self.notes.place(severity, &Wrong::new(text.place(at), width, message, remedy))
    }
}

/// One jail.
#[derive(Clone, Debug)]
pub struct Jail {
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// There is an error in it or in what it uses. Everything else here is what is left of it.
    pub set_aside: bool,
    /// Why fail2ban itself would pass over this jail alone. Other errors stop all of fail2ban.
    pub refusal: Option<String>,
    /// Its options as they are written, put together. Of a jail that is switched off those that
    /// can be put together without its filter.
    pub options: Dict<Text>,
    /// What they mean.
    pub settings: Settings,
    /// What it looks for.
    pub filter: Option<Filter>,
    /// What it does.
    pub actions: Vec<Action>,
}

/// What a jail looks for: its filter's options, and what the jail says instead.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The name of its file, without `.conf`.
    pub name: String,
    /// What lines have to match first.
    pub prefregex: Option<Text>,
    /// What a failure looks like, each.
    pub failregex: Vec<Text>,
    /// What is none, each.
    pub ignoreregex: Vec<Text>,
    /// How many lines are looked at together.
    pub maxlines: Option<u32>,
    /// What dates look like.
    pub datepattern: Option<Text>,
    /// What to ask the journal for: words, `+` for "or".
    pub journalmatch: Vec<Vec<String>>,
    /// `yes`, `warn`, `no` or `raw`.
    pub usedns: Option<Text>,
    /// `file` or `journal`: what the log's lines look like.
    pub logtype: Option<Text>,
    /// Everything its file says for this jail.
    pub options: Dict<Text>,
}

/// Internet protocol version, as actions tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `family=inet4`.
    V4,
    /// `family=inet6`.
    V6,
}

impl Family {
    fn condition(self) -> &'static str {
        match self {
            Self::V4 => "family=inet4",
            Self::V6 => "family=inet6",
        }
    }
}

/// Something a jail does.
#[derive(Clone, Debug)]
pub struct Action {
    /// The name it goes by in its jail.
    pub name: String,
    /// The name of its file, without `.conf`; with `.py` if it is a program in Python.
    pub file: String,
    /// Whether it is a program in Python.
    pub python: bool,
    /// Its commands and all values for their tags; a name may end in a condition
    /// (`blocktype?family=inet6`).
    pub properties: Dict<Text>,
}

impl Action {
    /// A property, for a family if there is one of its own.
    #[must_use]
    pub fn property(&self, name: &str, family: Family) -> Option<&Text> {
        let special = self.properties.get(&format!("{name}?{}", family.condition()));
        special.or_else(|| self.properties.get(name))
    }

    /// All properties with all tags filled in that do not depend on a ban.
    ///
    /// # Errors
    /// A sentence, if they contain each other without end.
    pub fn filled(&self, family: Family) -> Result<Dict<Text>, String> {
        let mut own = Dict::default();
        for (name, value) in self.properties.iter().filter(|(name, _)| !name.contains('?')) {
            own.insert(name, self.property(name, family).unwrap_or(value).clone());
        }
        let kept = KEPT.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let none = &mut |_: &str, _: &mut Budget| Ok(None);
        tags::substitute(&own, None, &kept, none, &mut Budget::new()).map_err(|wrong| wrong.message)
    }
}

/// Tags that come from log lines: they are never filled in as text.
pub(crate) const KEPT: [&str; 3] = ["matches", "ipmatches", "ipjailmatches"];
