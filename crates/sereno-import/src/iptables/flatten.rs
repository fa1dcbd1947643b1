//! A chain and those it jumps to as one list.

use super::ruleset::{Raw, Ruleset, verdict};
use super::spec::{self, Spec};
use crate::entry::{Entry, Verdict, Way};
use crate::matching::Match;
use crate::policy::Outward;
use crate::policy::out::is_whole;
use crate::remark::{Notes, Place, Remark};

/// Jumps within jumps at most; the kernel knows no loops, a file may have one.
const DEEPEST: usize = 16;
/// Rules that are looked at, and entries that are made of them, at most.
const MOST_STEPS: usize = 100_000;
const MOST_ENTRIES: usize = 2000;
/// What names of chains begin with that other programs fill with the banned.
const BANS: [&str; 6] = ["f2b-", "fail2ban", "sshguard", "CROWDSEC", "crowdsec", "sereno"];
/// Targets that say what happened, and no more.
const LOGS: [&str; 4] = ["LOG", "NFLOG", "ULOG", "AUDIT"];

struct Walk<'a> {
    set: &'a Ruleset,
    entries: Vec<Entry>,
    steps: usize,
    notes: &'a mut Notes,
}

/// The entries of a chain of the kernel.
pub(crate) fn flatten(set: &Ruleset, chain: &str, notes: &mut Notes) -> Way {
    let forward = set.chains.get("FORWARD");
    if let Some(rule) = forward.and_then(|chain| chain.rules.first()) {
        notes.say(rule.place, &rule.text, Remark::Forwarded);
    }
    way(set, chain, notes)
}

/// What leaves, by the chain `OUTPUT`; `None` if nothing was said of it.
pub(crate) fn outward(set: &Ruleset) -> Option<Outward> {
    let chain = set.chains.get("OUTPUT").filter(|_| set.says_something("OUTPUT"))?;
    let mut notes = Notes::default();
    let way = way(set, "OUTPUT", &mut notes);
    let first = chain.rules.first().map(|rule| (rule.place, rule.text.clone()));
    let first = first.unwrap_or((Place { source: 0, line: 1 }, String::new()));
    Some(Outward { way, first, whole: is_whole(&notes.into_told()) })
}

fn way(set: &Ruleset, chain: &str, notes: &mut Notes) -> Way {
    let rest = set.chains.get(chain).and_then(|chain| chain.policy).unwrap_or(Verdict::Accept);
    let mut walk = Walk { set, entries: Vec::new(), steps: 0, notes };
    walk.chain(chain, &Match::new(set.family), 0);
    Way { entries: walk.entries, rest }
}

impl Walk<'_> {
    /// Adds the entries of a chain for packets that are `given`.
    fn chain(&mut self, name: &str, given: &Match, depth: usize) {
        let set = self.set;
        // Who left the chain, or went on in another for good, is not here any more.
        let mut gone: Vec<Match> = Vec::new();
        for raw in set.chains.get(name).map_or(&[][..], |chain| &chain.rules) {
            self.steps += 1;
            if self.steps > MOST_STEPS || self.entries.len() >= MOST_ENTRIES {
                self.notes.say(raw.place, &raw.text, Remark::TooMany);
                return;
            }
            match spec::read(set.family, &raw.words) {
                Ok(spec) => {
                    let before = self.entries.len();
                    if self.rule(raw, &spec, given, depth) {
                        return;
                    }
                    for entry in &mut self.entries[before..] {
                        if gone.iter().any(|gone| gone.and(&entry.matching).is_some()) {
                            entry.matching.odd.push("RETURN, -g".to_owned());
                        }
                    }
                    if spec.goes || spec.target.as_deref() == Some("RETURN") {
                        gone.extend(given.and(&spec.matching));
                    }
                }
                Err(word) => self.notes.say(raw.place, &raw.text, Remark::Word(word)),
            }
        }
    }

    /// Adds the entries of a rule. Whether the chain ends with it.
    fn rule(&mut self, raw: &Raw, spec: &Spec, given: &Match, depth: usize) -> bool {
        let Some(target) = spec.target.as_deref() else {
            if !spec.matching.odd.is_empty() {
                let words = spec.matching.odd.join(", ");
                self.notes.say(raw.place, &raw.text, Remark::Condition { words, opens: false });
            }
            return false;
        };
        let Some(matching) = given.and(&spec.matching) else { return false };
        if let Some(verdict) = verdict(target) {
            self.entries.push(Entry {
                matching,
                verdict,
                comment: spec.comment.clone(),
                shared: spec.shared,
                like: spec.like.clone(),
                place: raw.place,
                text: raw.text.clone(),
            });
            return false;
        }
        let remark = match target {
            "RETURN" if spec.matching.is_all() => return true,
            // What stands behind is told, if it is about the same.
            "RETURN" => return false,
            _ if BANS.iter().any(|start| target.starts_with(start)) => {
                Remark::Bans(target.to_owned())
            }
            _ if LOGS.contains(&target) => Remark::Target(target.to_owned()),
            _ if self.set.chains.contains_key(target) && depth < DEEPEST => {
                self.chain(target, &matching, depth + 1);
                return spec.goes && spec.matching.is_all();
            }
            _ => Remark::Target(target.to_owned()),
        };
        self.notes.say(raw.place, &raw.text, remark);
        false
    }
}
