//! From a tree to files: what is taken over, how, and what is not.

use super::jail::{Section, list, round, settings};
use super::origin::Origin;
use super::rule::{self, Choice, Rules};
use crate::cli::failure::Failure;
use crate::fail2ban::{Guarded, House};
use crate::{policy, words};
use serde::Serialize;
use sereno_config::{Document, JailConf, Outcome, Policy, Problem, Severity};
use sereno_core::filter::{Encoding, Named};
use sereno_core::jail::JailPolicy;
use sereno_fail2ban::Jail;
use sereno_fail2ban::act::Kind;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file with the jails; rules stand beside it in a folder.
pub(super) const MAIN: &str = "sereno.toml";
/// The folder with the rules.
pub(super) const RULES: &str = "rules.d";

/// What becomes of a tree.
pub(super) struct Plan {
    /// The files, below the folder they are written into; that with the jails last. None if
    /// nothing is taken over.
    pub(super) files: Vec<Document>,
    /// What becomes of each jail that is switched on.
    pub(super) fates: Vec<Fate>,
    /// What is wrong with the tree, or not quite the same here.
    pub(super) problems: Vec<Problem>,
}

/// What becomes of a jail.
#[derive(Serialize)]
pub(super) struct Fate {
    /// What fail2ban calls it.
    pub(super) jail: String,
    /// What it is called here; `None` if it is not taken over.
    pub(super) name: Option<String>,
    /// The rule that reads for it.
    pub(super) rule: Option<String>,
    /// What is different, and why; or why it is not taken over.
    pub(super) notes: Vec<Note>,
}

/// Something to know about a jail.
#[derive(Serialize)]
pub(super) struct Note {
    pub(super) text: String,
    /// Whether something is missing now.
    pub(super) left: bool,
}

impl Note {
    fn left(text: String) -> Self {
        Self { text, left: true }
    }

    fn changed(text: String) -> Self {
        Self { text, left: false }
    }
}

/// A jail that is taken over.
pub(super) struct Taken<'t> {
    pub(super) jail: &'t Jail,
    pub(super) conf: JailConf,
    pub(super) choice: Choice,
    pub(super) notes: Vec<Note>,
}

/// A plan in the making.
pub(super) struct Planner<'t> {
    house: &'t House,
    problems: &'t [Problem],
    /// The folder of the tree, as it was given.
    pub(super) dir: &'t str,
    keep: bool,
    pub(super) rules: Rules,
    /// What holds without a word, by what reads.
    pub(super) usual: BTreeMap<Option<&'static str>, JailPolicy>,
}

/// Plans the files for the tree under `dir`. With `keep`, all its filters stay in use.
///
/// # Errors
/// When what was written here does not mean what fail2ban's files do: a mistake of Sereno's.
pub(super) fn plan(dir: &Path, keep: bool) -> Result<Plan, Failure> {
    let mut theirs = Policy::default();
    let (house, problems) = crate::fail2ban::add(dir, &mut theirs, crate::run::clock());
    let dir = dir.to_string_lossy();
    let mut planner = Planner {
        house: &house,
        problems: &problems,
        dir: &dir,
        keep,
        rules: Rules::default(),
        usual: usual(),
    };
    let (mut taken, mut fates) = (Vec::new(), Vec::new());
    for (place, jail) in house.tree.jails.iter().enumerate().filter(|(_, jail)| jail.enabled) {
        let guarded = house.jails.iter().find(|guarded| guarded.place == place);
        let conf = guarded.and_then(|guarded| {
            let conf = theirs.jails.iter().find(|conf| conf.policy.name == guarded.name)?;
            Some((guarded, conf.clone()))
        });
        let one = match conf {
            Some((guarded, conf)) => planner.take(jail, guarded, conf),
            None => Err(planner.why(jail)),
        };
        let notes = match one {
            Ok(one) => {
                taken.push((fates.len(), one));
                Vec::new()
            }
            Err(why) => vec![Note::left(why)],
        };
        fates.push(Fate { jail: jail.name.clone(), name: None, rule: None, notes });
    }
    let files = planner.files(&mut taken, &mut fates)?;
    Ok(Plan { files, fates, problems })
}

/// What holds for jails without a word, with the rules of Sereno's own and with fail2ban's
/// expressions: the configuration itself is asked.
fn usual() -> BTreeMap<Option<&'static str>, JailPolicy> {
    let rule = "name = 'f'\nformat = 'fail2ban'\nfailregex = '<HOST>'\n";
    let rules = [sereno_config::shipped_rules(), vec![document("f", rule)]].concat();
    let jail = |name: &str| format!("[jail.{name}]\nlogpath = '-'\n");
    let config: String = ["f", "sshd", "asterisk"].into_iter().map(jail).collect();
    let jails = policy::read(&[document("", &config)], &rules).policy.jails.into_iter();
    let known = jails.map(|jail| {
        let own = ["sshd", "asterisk"].into_iter().find(|name| *name == jail.policy.rule);
        (own, jail.policy)
    });
    known.collect()
}

pub(super) fn document(name: &str, text: &str) -> Document {
    Document { name: name.to_owned(), text: text.to_owned() }
}

/// The first thing that sets something aside.
pub(super) fn error(outcome: &Outcome) -> Option<&Problem> {
    outcome.problems.iter().find(|problem| problem.severity == Severity::Error)
}

impl<'t> Planner<'t> {
    pub(super) fn origin(&self) -> Origin<'t> {
        Origin { tree: &self.house.tree }
    }

    /// Why a jail could not be read.
    fn why(&self, jail: &Jail) -> String {
        let own = format!("[{}]: ", jail.name);
        let named = self.problems.iter().find_map(|one| one.message.strip_prefix(&own));
        if let Some(why) = named.map(str::to_owned).or_else(|| jail.refusal.clone()) {
            return why;
        }
        let problem = self.origin().error(jail, self.problems);
        problem.map_or_else(words::import_broken, |problem| {
            format!("{}:{}: {}", problem.file, problem.line, problem.message)
        })
    }

    /// Takes a jail over, if it can be.
    fn take(
        &mut self,
        jail: &'t Jail,
        guarded: &Guarded,
        mut conf: JailConf,
    ) -> Result<Taken<'t>, String> {
        if guarded.acts.closing.is_none() {
            let names: Vec<&str> = guarded.acts.actions.iter().map(|(name, _)| &**name).collect();
            return Err(words::import_closes_nothing(names.join(", "), self.dir));
        }
        if conf.policy.ignore.iter().any(|prefix| prefix.bits() == 0) {
            return Err(words::import_ignores_all());
        }
        let mut notes = self.notes(jail, guarded);
        if list(&mut conf.policy) {
            notes.push(Note::changed(words::import_listed()));
        }
        if round(&mut conf.policy) {
            notes.push(Note::changed(words::import_rounded()));
        }
        let choice = self.choose(jail, &conf, &mut notes);
        self.tried(jail, &conf, &choice, &mut notes)?;
        if let Choice::Kept(number) = &choice {
            self.rules.keep(*number);
        }
        Ok(Taken { jail, conf, choice, notes })
    }

    /// What reads for a jail.
    fn choose(&mut self, jail: &Jail, conf: &JailConf, notes: &mut Vec<Note>) -> Choice {
        let origin = self.origin();
        match rule::own(origin, jail).filter(|_| !self.keep) {
            Some(Ok(name)) => {
                notes.push(Note::changed(words::import_own_rule(name)));
                return Choice::Own(name);
            }
            Some(Err(place)) => notes.push(Note::changed(words::import_custom(place))),
            None => {}
        }
        Choice::Kept(self.rules.add(origin, jail, conf.policy.name))
    }

    /// What is different for a jail that is taken over.
    fn notes(&self, jail: &Jail, guarded: &Guarded) -> Vec<Note> {
        let mut notes = Vec::new();
        if guarded.name.as_str() != jail.name {
            notes.push(Note::changed(words::import_renamed(guarded.name)));
        }
        for (name, kind) in &guarded.acts.actions {
            match kind {
                Kind::Gate(_) => {}
                Kind::Command(_) => {
                    notes.push(Note::left(words::import_command(name, self.dir)));
                }
                Kind::Refused(refused) => {
                    notes.push(Note::left(words::import_refused(name, &refused.why)));
                }
            }
        }
        let written = jail.settings.logencoding.as_ref().map(|name| name.as_str());
        if let Some(name) = written
            && matches!(Encoding::named(name), Named::Known(known) if known != Encoding::default())
        {
            notes.push(Note::left(words::import_encoding(name)));
        }
        for option in ["ignorecommand", "bantime.formula", "logencoding"] {
            let text = jail.options.get(option).filter(|text| !text.as_str().is_empty());
            let Some(text) = text else { continue };
            let at = self.house.tree.problem(Severity::Warning, (text, 0, 1), "", "");
            let place = |one: &&Problem| (&one.file, one.line) == (&at.file, at.line);
            let own = format!("{option}: ");
            let said = self.problems.iter().filter(place);
            let said = said.filter(|one| one.message.starts_with(&own));
            notes.extend(said.map(|one| Note::left(one.message.clone())));
        }
        let words = jail.settings.ignoreip.iter().map(|text| text.as_str());
        let named = words.filter(|word| !word.contains(':') && word.contains(char::is_alphabetic));
        let files = jail.settings.ignoreip.iter().map(|text| text.as_str());
        let files = files.filter(|word| word.starts_with("file:"));
        let frozen: Vec<&str> = named.chain(files).collect();
        if !frozen.is_empty() {
            notes.push(Note::changed(words::import_frozen(frozen.join(", "))));
        }
        notes
    }

    /// Reads a jail alone, as it would be written; says why if it cannot be.
    fn tried(
        &self,
        jail: &Jail,
        conf: &JailConf,
        choice: &Choice,
        notes: &mut Vec<Note>,
    ) -> Result<(), String> {
        let (rule, rules) = match choice {
            Choice::Own(name) => ((*name).to_owned(), sereno_config::shipped_rules()),
            Choice::Kept(number) => {
                let name = "on-trial".to_owned();
                let text = self.rules.text(*number, &name);
                (name, vec![Document { name: String::new(), text }])
            }
        };
        let settings = settings(&conf.policy);
        let ignored = &conf.policy.ignore;
        let section = Section { origin: self.origin(), jail, conf, rule: &rule, ignored, settings };
        let outcome = policy::read(&[document("", &section.text())], &rules);
        if let Some(problem) = error(&outcome) {
            return Err(problem.message.clone());
        }
        notes.extend(outcome.problems.into_iter().map(|one| Note::changed(one.message)));
        Ok(())
    }
}
