//! Text to policy.
//!
//! [`read`] takes the configuration and rule files as text and returns what they mean, together
//! with every problem at its place: file, line, column, the line itself, and what to write
//! instead. [`suggest`] goes the other way: from what was found on a machine to a commented
//! file. Nothing here touches a file, a clock or the network.

mod amount;
pub mod facts;
mod jail;
mod near;
mod option;
mod policy;
mod problem;
mod rule_file;
mod rules;
mod settings;
mod suggest;
mod value;
mod written;

pub use policy::{JailConf, Policy, Settings, SourceConf};
pub use problem::{Problem, Severity};
pub use rules::shipped_rules;
pub use suggest::{Lang, suggest};

use problem::Notes;
use rules::Prove;
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
    read_where(config, rules, &|_| true)
}

/// As [`read`], on a machine that has zone files for the time zones that `knows` says it has
/// (by their IANA names).
#[must_use]
pub fn read_where(
    config: &[Document],
    rules: &[Document],
    knows: &dyn Fn(&str) -> bool,
) -> Outcome {
    all(config, rules, Prove::Own, knows)
}

/// Reads rule documents and tries every sample line in them, those of shipped rules too.
#[must_use]
pub fn test(rules: &[Document]) -> Outcome {
    all(&[], rules, Prove::All, &|_| true)
}

fn all(
    config: &[Document],
    rules: &[Document],
    whose: Prove,
    knows: &dyn Fn(&str) -> bool,
) -> Outcome {
    let docs: Vec<&Document> = config.iter().chain(rules).collect();
    let mut notes = Notes::default();
    let parse = |(at, document)| Written::parse(at, document, &mut notes);
    let files: Vec<Written<'_>> = config.iter().enumerate().map(parse).collect();
    files.iter().for_each(|file| settings::check_top(file, &mut notes));
    let settings = settings::settings(&files, knows, &mut notes);
    let friends = settings::friends(&files, &mut notes);
    let good = rules::rules(rules, config.len(), whose, &mut notes);
    let names: Vec<&str> = good.iter().map(|good| good.rule.name.as_str()).collect();
    let jails = jail::jails(&files, &names, &mut notes);
    let (rules, rule_texts) = good.into_iter().map(|good| (good.rule, good.texts)).unzip();
    let filters = Vec::new();
    let policy = Policy { settings, friends, rules, rule_texts, jails, filters };
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
