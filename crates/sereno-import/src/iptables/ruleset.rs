//! Chains as commands leave them behind.

use super::command;
use super::shell::{Kind, Said};
use crate::entry::Verdict;
use crate::remark::{Notes, Place, Remark};
use sereno_core::gate::Family;
use std::collections::BTreeMap;

/// Rules of all chains at most.
const MOST: usize = 50_000;

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) place: Place,
    pub(super) text: String,
    /// What stands behind the chain's name.
    pub(super) words: Vec<String>,
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// What becomes of what no rule is about; of the chains of the kernel only.
    pub(super) policy: Option<Verdict>,
    pub(super) rules: Vec<Raw>,
}

/// The chains of the table `filter`, of one family.
#[derive(Clone, Debug)]
pub(crate) struct Ruleset {
    pub(super) family: Family,
    pub(super) chains: BTreeMap<String, Chain>,
    rules: usize,
}

impl Ruleset {
    /// Whether a chain of the kernel has rules, or a policy that stops something.
    pub(super) fn says_something(&self, chain: &str) -> bool {
        let shut = |policy: Option<Verdict>| policy.is_some_and(|policy| policy != Verdict::Accept);
        self.chains.get(chain).is_some_and(|chain| !chain.rules.is_empty() || shut(chain.policy))
    }
}

/// Both families.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    sets: [Option<Ruleset>; 2],
    /// The table of the lines that follow, in what `iptables-save` prints.
    current: Option<String>,
}

impl Tables {
    /// The chains of a family; `None` if nobody spoke of it.
    pub(crate) fn of(&self, family: Family) -> Option<&Ruleset> {
        self.sets[family as usize].as_ref()
    }

    /// The chains of a family, to be completed.
    pub(crate) fn of_mut(&mut self, family: Family) -> &mut Ruleset {
        self.set(family)
    }

    /// Does what a line says. What does not say its family is of this one.
    pub(super) fn take(&mut self, family: Family, said: &Said, notes: &mut Notes) {
        match &said.kind {
            Kind::Table(name) => self.current = Some(name.clone()),
            Kind::Chain(name, policy)
                if self.current.as_deref().unwrap_or("filter") == "filter" =>
            {
                let chain = self.set(family).chains.entry(name.clone()).or_default();
                chain.policy = verdict(policy);
            }
            Kind::Chain(..) => {}
            Kind::Command(..) => {
                let Some((own, (said, words))) = command(said) else { return };
                let (table, words) = table(words);
                let table = table.or_else(|| self.current.clone().filter(|_| own.is_none()));
                match table.as_deref().unwrap_or("filter") {
                    "filter" => self.set(own.unwrap_or(family)).order(said, &words, notes),
                    other => said_of_table(said, &words, other, notes),
                }
            }
        }
    }

    fn set(&mut self, family: Family) -> &mut Ruleset {
        let kernel = ["INPUT", "FORWARD", "OUTPUT"];
        self.sets[family as usize].get_or_insert_with(|| {
            let open = || Chain { policy: Some(Verdict::Accept), rules: Vec::new() };
            let chains = kernel.map(|name| (name.to_owned(), open())).into();
            Ruleset { family, chains, rules: 0 }
        })
    }
}

/// How many lines count: a page that ends with how to be rid of all rules, or a script with a part that
/// stops, would leave none.
pub(super) fn end(said: &[Said]) -> usize {
    let has = |said: &Said, orders: &[&str]| match &said.kind {
        Kind::Command(_, words) => words.iter().any(|word| orders.contains(&word.as_str())),
        _ => false,
    };
    let added = said.iter().rposition(|said| has(said, &["-A", "-I", "--append", "--insert"]));
    let behind = added.map_or(said.len(), |at| at + 1);
    let flush = said[behind..].iter().position(|said| has(said, &["-F", "--flush"]));
    let opens = said[behind..].iter().position(|said| has(said, &["-P"]) && has(said, &["ACCEPT"]));
    // A policy that lets in is a part of it, if it stands before.
    let begin = flush.map(|flush| opens.map_or(flush, |opens| opens.min(flush)));
    begin.map_or(said.len(), |at| behind + at)
}

/// Rules of other tables stay where they are; that is said of those that do something.
fn said_of_table(said: &Said, words: &[String], table: &str, notes: &mut Notes) {
    let adds = ["-A", "-I", "--append", "--insert"];
    if words.iter().any(|word| adds.contains(&word.as_str())) {
        notes.say(said.place, &said.text, Remark::Table(table.to_owned()));
    }
}

/// A command without `-t TABLE`, and that table.
fn table(words: &[String]) -> (Option<String>, Vec<String>) {
    match words.iter().position(|word| word == "-t" || word == "--table") {
        Some(at) if at + 1 < words.len() => {
            let rest = words.iter().enumerate().filter(|(n, _)| *n != at && *n != at + 1);
            (Some(words[at + 1].clone()), rest.map(|(_, word)| word.clone()).collect())
        }
        _ => (None, words.to_vec()),
    }
}

pub(super) fn verdict(word: &str) -> Option<Verdict> {
    match word {
        "ACCEPT" => Some(Verdict::Accept),
        "DROP" => Some(Verdict::Drop),
        "REJECT" => Some(Verdict::Reject),
        _ => None,
    }
}

impl Ruleset {
    /// Lets a chain end with a jump, as a program does that is not in its files.
    pub(crate) fn jump(&mut self, chain: &str, to: &str) {
        let words = vec!["-j".to_owned(), to.to_owned()];
        let raw = Raw { place: Place { source: 0, line: 1 }, text: format!("-j {to}"), words };
        self.chains.entry(chain.to_owned()).or_default().rules.push(raw);
        self.chains.entry(to.to_owned()).or_default();
    }

    /// Leaves nothing in a chain.
    pub(crate) fn empty(&mut self, chain: &str) {
        self.chains.insert(chain.to_owned(), Chain::default());
    }

    /// Leaves no rule in a chain that only writes down what happens.
    pub(crate) fn without_logs(&mut self, chain: &str) {
        if let Some(chain) = self.chains.get_mut(chain) {
            chain.rules.retain(|rule| !rule.words.iter().any(|word| word == "LOG"));
        }
    }

    /// A command of iptables.
    fn order(&mut self, said: &Said, words: &[String], notes: &mut Notes) {
        let is_order = |word: &String| word.starts_with("--") || word.len() == 2;
        let at = words.iter().position(|word| {
            word.starts_with('-') && is_order(word) && ORDERS.contains(&word.as_str())
        });
        let Some(at) = at else {
            notes.say(said.place, &said.text, Remark::Shell);
            return;
        };
        let chain = words.get(at + 1).cloned().unwrap_or_default();
        let rest = words.get(at + 2..).unwrap_or_default();
        let number = rest.first().and_then(|word| word.parse::<usize>().ok()).filter(|n| *n > 0);
        let raw = |words: &[String]| Raw {
            place: said.place,
            text: said.text.clone(),
            words: words.to_vec(),
        };
        match words[at].as_str() {
            "-A" | "--append" => self.put(&chain, usize::MAX, raw(rest), notes),
            "-I" | "--insert" => {
                let from = usize::from(number.is_some());
                self.put(&chain, number.unwrap_or(1) - 1, raw(&rest[from..]), notes);
            }
            "-R" | "--replace" => {
                if let Some(at) = number {
                    let rules = self.chains.get_mut(&chain).map(|chain| &mut chain.rules);
                    if let Some(rule) = rules.and_then(|rules| rules.get_mut(at - 1)) {
                        *rule = raw(&rest[1..]);
                    }
                }
            }
            "-D" | "--delete" => self.delete(said, &chain, rest, number, notes),
            "-F" | "--flush" => self.flush(&chain),
            "-P" | "--policy" => {
                let policy = rest.first().and_then(|word| verdict(word));
                match (self.chains.get_mut(&chain), policy) {
                    (Some(chain), Some(policy)) => chain.policy = Some(policy),
                    _ => notes.say(said.place, &said.text, Remark::Word(chain)),
                }
            }
            "-N" | "--new-chain" => drop(self.chains.entry(chain).or_default()),
            "-X" | "--delete-chain" if chain.is_empty() => {
                self.chains.retain(|_, chain| chain.policy.is_some() || !chain.rules.is_empty());
            }
            "-X" | "--delete-chain" => drop(self.chains.remove(&chain)),
            // Shows or counts.
            _ => {}
        }
    }

    /// Takes a rule away: by its number, or one that means the same.
    fn delete(
        &mut self,
        said: &Said,
        chain: &str,
        rest: &[String],
        number: Option<usize>,
        notes: &mut Notes,
    ) {
        let family = self.family;
        let meant = super::spec::read(family, rest).ok();
        let is = |rule: &Raw| {
            let read = super::spec::read(family, &rule.words).ok();
            rule.words == rest || meant.is_some() && read == meant
        };
        let rules = self.chains.get_mut(chain).map(|chain| &mut chain.rules);
        let removed = rules.and_then(|rules| {
            let same = || rules.iter().position(is);
            let at = number.map(|n| n - 1).or_else(same).filter(|at| *at < rules.len())?;
            Some(rules.remove(at))
        });
        if removed.is_none() && chain == "INPUT" {
            notes.say(said.place, &said.text, Remark::Word("-D".to_owned()));
        }
    }

    fn put(&mut self, chain: &str, at: usize, raw: Raw, notes: &mut Notes) {
        if self.rules >= MOST {
            notes.say(raw.place, "", Remark::TooMany);
            return;
        }
        self.rules += 1;
        let rules = &mut self.chains.entry(chain.to_owned()).or_default().rules;
        rules.insert(at.min(rules.len()), raw);
    }

    fn flush(&mut self, chain: &str) {
        let all = self.chains.iter_mut().filter(|(name, _)| chain.is_empty() || *name == chain);
        all.for_each(|(_, chain)| chain.rules.clear());
    }
}

/// What commands begin with.
const ORDERS: [&str; 26] = [
    "-A",
    "--append",
    "-I",
    "--insert",
    "-R",
    "--replace",
    "-D",
    "--delete",
    "-F",
    "--flush",
    "-P",
    "--policy",
    "-N",
    "--new-chain",
    "-X",
    "--delete-chain",
    "-L",
    "--list",
    "-S",
    "--list-rules",
    "-Z",
    "--zero",
    "-E",
    "--rename-chain",
    "-C",
    "--check",
];
