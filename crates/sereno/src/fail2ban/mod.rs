//! A fail2ban configuration as a policy: its jails become jails of the engine.
//!
//! What the tree says is read by [`sereno_fail2ban`]; here it meets this machine: its logs, its
//! names, its zone.

mod ignored;
mod jails;
mod refit;

use crate::cli::fail2ban::config::Disk;
use sereno_config::{Policy, Problem, Severity, SourceConf};
use sereno_core::filter::{Encoding, Filter, Named};
use sereno_core::gate::Name;
use sereno_core::time::Time;
use sereno_fail2ban::act::{Acts, Kind, Script, acts, question};
use sereno_fail2ban::{Compiler, Jail, Tree};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A tree that is guarded by, besides what of it went into the policy.
#[derive(Clone, Debug)]
pub struct House {
    /// What was read.
    pub tree: Tree,
    /// What each jail that is guarded does.
    pub jails: Vec<Guarded>,
}

/// A jail of the tree that is guarded.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// What it is called here.
    pub name: Name,
    /// Its place in [`Tree::jails`].
    pub place: usize,
    /// What it does.
    pub acts: Acts,
    /// What it asks about everybody it would ban.
    pub question: Option<Arc<Script>>,
    /// What it looks for.
    pub filter: Arc<Filter>,
    /// Whether it reads the journal rather than files.
    pub reads_journal: bool,
    /// Whether a client added it, and it does not read yet.
    pub waits: bool,
}

impl House {
    /// The jail of the tree that is called `name` here.
    #[must_use]
    pub fn jail(&self, name: Name) -> Option<(&Jail, &Guarded)> {
        let guarded = self.jails.iter().find(|guarded| guarded.name == name)?;
        Some((self.tree.jails.get(guarded.place)?, guarded))
    }
}

/// Reads the tree under `dir` and adds its jails to `policy`; says what is wrong with it.
pub fn add(dir: &Path, policy: &mut Policy, now: Time) -> (House, Vec<Problem>) {
    let tree = sereno_fail2ban::read(&Disk, &dir.to_string_lossy());
    let mut problems = tree.problems.clone();
    let mut compiler = compiler(policy, now);
    let mut guarded = Vec::new();
    let mut ignored = ignored::Ignored::default();
    let mut taken: BTreeSet<Name> = policy.jails.iter().map(|jail| jail.policy.name).collect();
    for (place, jail) in tree.jails.iter().enumerate() {
        if !jail.enabled {
            continue;
        }
        let acts = acts(&tree, jail);
        problems.extend(acts.problems.iter().cloned());
        let compiled = compiler.jail(&tree, jail);
        problems.extend(compiled.problems);
        let Some(filter) = compiled.filter else { continue };
        if jail.set_aside || acts.problems.iter().any(|one| one.severity == Severity::Error) {
            continue;
        }
        let question = match question(&tree, jail) {
            Ok(question) => question.map(Arc::new),
            Err(faults) => {
                problems.extend(faults);
                continue;
            }
        };
        let name = jails::name(&jail.name, &taken);
        let reads_journal = match jails::conf(jail, name, &acts, &mut ignored) {
            Ok(mut conf) => {
                conf.policy.asks = question.is_some();
                conf.policy.captures = captures(&acts, question.as_deref());
                let reads = |source: &SourceConf| matches!(source, SourceConf::Journal(_));
                let reads_journal = conf.sources.iter().any(reads);
                policy.jails.push(conf);
                taken.insert(name);
                reads_journal
            }
            Err(why) => {
                problems.push(said(&tree, jail, Severity::Error, &why));
                continue;
            }
        };
        problems.extend(jails::left_out(jail).iter().map(|(option, wrong)| {
            let text = jail.options.get(option).cloned().unwrap_or_default();
            let place = (&text, wrong.at, wrong.width);
            tree.problem(Severity::Warning, place, &wrong.message, &wrong.remedy)
        }));
        policy.filters.push((name, Arc::clone(&filter)));
        let waits = false;
        guarded.push(Guarded { name, place, acts, question, filter, reads_journal, waits });
    }
    policy.friends.extend(ignored.everywhere(guarded.len()));
    policy.jails.sort_by_key(|jail| jail.policy.name);
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems.dedup();
    (House { tree, jails: guarded }, problems)
}

/// What the machine's texts are written in, by its locale; UTF-8 where that does not say.
#[must_use]
pub fn encoding() -> Encoding {
    let set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find(set).and_then(std::env::var_os);
    let locale = locale.unwrap_or_default().to_string_lossy().into_owned();
    let set = locale.split_once('.').map(|(_, set)| set.split('@').next().unwrap_or_default());
    match set.map(Encoding::named) {
        Some(Named::Known(encoding)) => encoding,
        _ => Encoding::default(),
    }
}

/// Whether any command of a jail is told what the filter captured.
fn captures(acts: &Acts, question: Option<&Script>) -> bool {
    let told = acts.actions.iter().any(|(_, kind)| match kind {
        Kind::Command(commands) => commands.captures(),
        Kind::Gate(_) | Kind::Refused(_) => false,
    });
    told || question.is_some_and(Script::captures)
}

/// What compiles filters for this machine.
fn compiler(policy: &Policy, now: Time) -> Compiler {
    let zone = crate::run::setup::zone(policy);
    Compiler::new(zone, |name| jiff::tz::TimeZone::get(name).ok(), now)
        .with_witness(sereno_config::shipped_rule("sshd"))
        .with_encoding(encoding())
}

/// A problem of a jail as a whole, at the line where its filter is named.
fn said(tree: &Tree, jail: &Jail, severity: Severity, message: &str) -> Problem {
    let text = jail.options.get("filter").cloned().unwrap_or_default();
    let message = format!("[{}]: {message}", jail.name);
    tree.problem(severity, (&text, 0, 1), &message, "see docs/guide/from-fail2ban.md")
}
