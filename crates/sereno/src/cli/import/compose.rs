//! The files for the jails that are taken over.

use super::jail::{Section, Setting, settings};
use super::plan::{Fate, MAIN, Planner, RULES, Taken, document, error};
use super::rule::Choice;
use super::toml;
use crate::cli::failure::Failure;
use crate::{policy, words};
use sereno_config::{Document, Outcome};
use sereno_core::addr::Prefix;
use std::collections::BTreeMap;

impl<'t> Planner<'t> {
    /// The files for all jails that are taken over; what became of each goes to its fate.
    pub(super) fn files(
        &self,
        taken: &mut Vec<(usize, Taken<'t>)>,
        fates: &mut [Fate],
    ) -> Result<Vec<Document>, Failure> {
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let named = self.rules.named();
        let mut files: Vec<Document> = named
            .iter()
            .map(|(number, name)| {
                document(&format!("{RULES}/{name}.toml"), &self.rules.text(*number, name))
            })
            .collect();
        let friends = friends(taken.iter().map(|(_, one)| &one.conf.policy.ignore));
        let common = self.common(taken);
        let mut sections = Vec::new();
        for (at, one) in taken.iter_mut() {
            let rule = match &one.choice {
                Choice::Own(name) => *name,
                Choice::Kept(number) => {
                    let known = named.iter().find(|(known, _)| known == number);
                    known.map(|(_, name)| name.as_str()).unwrap_or_default()
                }
            };
            one.conf.policy.ignore.retain(|prefix| !friends.contains(prefix));
            let section = Section {
                origin: self.origin(),
                jail: one.jail,
                conf: &one.conf,
                rule,
                ignored: &one.conf.policy.ignore,
                settings: self.differing(one, &common),
            };
            sections.push(section.text());
            let fate = &mut fates[*at];
            fate.name = Some(one.conf.policy.name.to_string());
            fate.rule = Some(rule.to_owned());
            fate.notes = std::mem::take(&mut one.notes);
        }
        let main = self.main(&friends, &common, &sections);
        files.push(document(MAIN, &main));
        let rules = [&sereno_config::shipped_rules(), &files[..files.len() - 1]].concat();
        let outcome = policy::read(&files[files.len() - 1..], &rules);
        same(&outcome, taken.iter().map(|(_, one)| one))?;
        Ok(files)
    }

    /// What most jails have in common and is not usual.
    fn common(&self, taken: &[(usize, Taken<'t>)]) -> Vec<Setting> {
        let mut counts: BTreeMap<Setting, usize> = BTreeMap::new();
        let mut order: Vec<&'static str> = Vec::new();
        for (key, value) in taken.iter().flat_map(|(_, one)| settings(&one.conf.policy)) {
            if !order.contains(&key) {
                order.push(key);
            }
            *counts.entry((key, value)).or_default() += 1;
        }
        // Ports belong to a service.
        order.retain(|key| *key != "ports");
        let most = |key: &'static str| {
            let values = counts.iter().filter(|((own, _), count)| *own == key && **count > 1);
            values.max_by_key(|(_, count)| **count).map(|(setting, _)| setting.clone())
        };
        let usual = |one: &Taken<'_>| self.usual.get(&one.choice.own()).map(settings);
        let needed = |setting: &Setting| {
            taken.iter().any(|(_, one)| usual(one).is_none_or(|usual| !usual.contains(setting)))
        };
        order.into_iter().filter_map(most).filter(needed).collect()
    }

    /// What a jail has to say.
    fn differing(&self, one: &Taken<'_>, common: &[Setting]) -> Vec<Setting> {
        let usual = self.usual.get(&one.choice.own()).map(settings).unwrap_or_default();
        let holds = |setting: &Setting| {
            let common = common.iter().find(|(key, _)| *key == setting.0);
            let usual = usual.iter().find(|(key, _)| *key == setting.0);
            common.or(usual).is_some_and(|(_, value)| *value == setting.1)
        };
        settings(&one.conf.policy).into_iter().filter(|setting| !holds(setting)).collect()
    }

    fn main(&self, friends: &[Prefix], common: &[Setting], sections: &[String]) -> String {
        let mut text = format!("# {}\n", words::import_made_of(toml::remark(self.dir)));
        if !friends.is_empty() {
            let values: Vec<String> = friends.iter().map(|p| format!("\"{p}\"")).collect();
            text += &format!("ignoreip = {}\n", toml::list(&values));
        }
        if !common.is_empty() {
            text += &format!("\n# {}\n[defaults]\n", words::import_in_common());
            let line = |(key, value): &Setting| format!("{} = {value}\n", toml::key(key));
            text.extend(common.iter().map(line));
        }
        for section in sections {
            text.push('\n');
            text += section;
        }
        text
    }
}

/// Those whom all leave alone.
fn friends<'p>(mut all: impl Iterator<Item = &'p Vec<Prefix>>) -> Vec<Prefix> {
    let mut friends = all.next().cloned().unwrap_or_default();
    for other in all {
        friends.retain(|prefix| other.contains(prefix));
    }
    friends
}

/// Whether files mean what they were written for.
fn same<'a, 't: 'a>(
    outcome: &Outcome,
    taken: impl Iterator<Item = &'a Taken<'t>>,
) -> Result<(), Failure> {
    if let Some(problem) = error(outcome) {
        return Err(Failure::refused(words::import_reads_badly(problem)));
    }
    for one in taken {
        let name = one.conf.policy.name;
        let read = outcome.policy.jails.iter().find(|jail| jail.policy.name == name);
        let equal = read.is_some_and(|read| {
            settings(&read.policy) == settings(&one.conf.policy)
                && read.policy.ignore == one.conf.policy.ignore
                && read.sources == one.conf.sources
        });
        if !equal {
            return Err(Failure::refused(words::import_reads_badly(name)));
        }
    }
    Ok(())
}
