//! Text to policy.
//!
//! [`read`] takes the configuration and rule files as text and returns what they mean, together
//! with every problem at its place: file, line, column, the line itself, and what to write
//! instead. [`suggest`] goes the other way: from what was found on a machine to a commented
//! file. Nothing here touches a file, a clock or the network.

mod amount;
mod door;
mod doubts;
pub mod facts;
mod filter_file;
mod flood;
pub mod fwknop;
mod gate;
pub mod invited;
mod jail;
pub mod knockd;
mod list;
mod machine;
mod near;
mod option;
mod policy;
mod problem;
mod quoted;
mod rule_file;
mod rules;
mod settings;
mod suggest;
mod value;
mod written;

pub use machine::{Machine, Net};
pub use policy::{
    Backend, DoorConf, FilterRule, FloodConf, JailConf, ListConf, Origin, Policy, Settings,
    SourceConf, Way,
};
pub use problem::{Problem, Severity};
pub use rules::{shipped_rule, shipped_rules};
pub use suggest::{Lang, suggest, suggest_gate};

use machine::Dates;
use problem::Notes;
use rules::Prove;
use std::sync::Arc;
use std::time::Duration;
use written::Written;

/// A file's text, and the name messages call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Usually its path.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// What files mean, and what is wrong with them.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What stands. A jail or rule with an error in it is not in it.
    pub policy: Policy,
    /// All problems, in the order of files and lines (configuration first, then rules).
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Whether anything was set aside.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads configuration and rule documents.
///
/// Later configuration documents override earlier ones option by option; only `ignoreip` adds
/// up. Of rules with the same name the last one that is right counts, whole, with the files that
/// extend it: give [`shipped_rules`] first and the administrator's behind them.
#[must_use]
pub fn read(config: &[Document], rules: &[Document]) -> Outcome {
    read_where(config, rules, Machine::ANY)
}

/// As [`read`], for a machine of which something is known. Without, all time zones are known, and
/// all are UTC.
#[must_use]
pub fn read_where(config: &[Document], rules: &[Document], machine: Machine<'_>) -> Outcome {
    all(config, rules, Prove::Own, machine)
}

/// Reads rule documents and tries every sample line in them, those of shipped rules too.
#[must_use]
pub fn test(rules: &[Document]) -> Outcome {
    all(&[], rules, Prove::All, Machine::ANY)
}

fn all(config: &[Document], rules: &[Document], whose: Prove, machine: Machine<'_>) -> Outcome {
    let docs: Vec<&Document> = config.iter().chain(rules).collect();
    let mut notes = Notes::default();
    let parse = |(at, document)| Written::parse(at, document, &mut notes);
    let files: Vec<Written<'_>> = config.iter().enumerate().map(parse).collect();
    files.iter().for_each(|file| settings::check_top(file, &mut notes));
    let knows = |name: &str| (machine.zones)(name).is_some();
    let settings = settings::settings(&files, &knows, &mut notes);
    let friends = settings::friends(&files, &mut notes);
    let mut dates = Dates::new(machine, settings.timezone.as_deref());
    let found = rules::rules(rules, config.len(), whose, &mut dates, &mut notes);
    let jails = jail::jails(&files, &found, &mut notes);
    let doors = door::doors(&files, &mut notes);
    let gate = gate::gate(&files, &dates.zone, machine, &mut notes);
    let flood = flood::flood(&files, &mut notes);
    let lists = list::lists(&files, machine, &mut notes);
    let (rules, rule_texts) = found.good.into_iter().map(|good| (good.rule, good.texts)).unzip();
    let filter_rules = found.filters;
    let filters = jails.iter().filter_map(|jail| {
        let rule = filter_rules.iter().find(|rule| rule.name == jail.policy.rule)?;
        Some((jail.policy.name, Arc::clone(&rule.filter)))
    });
    let filters = filters.collect();
    let policy = Policy {
        settings,
        friends,
        rules,
        rule_texts,
        doors,
        lists,
        flood,
        gate,
        jails,
        filter_rules,
        filters,
    };
    Outcome { policy, problems: notes.into_problems(&docs) }
}

/// Reads a length of time as an administrator types it: `10m`, `1d12h`, seconds, or
/// `permanent` (also `-1`) for `None`.
///
/// # Errors
/// A sentence about what is wrong.
pub fn duration(text: &str) -> Result<Option<Duration>, String> {
    match text.trim() {
        "permanent" | "-1" => Ok(None),
        text => match amount::parse_duration(text)? {
            Duration::ZERO => Err("a length of time above zero is needed".to_owned()),
            length => Ok(Some(length)),
        },
    }
}
