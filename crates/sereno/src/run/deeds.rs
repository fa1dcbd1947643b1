//! Deeds: what the jails of a fail2ban configuration do besides closing the gate. Their commands
//! are told of bans and of their ends, and what fails is said.
//!
//! They run in threads of their own ([`super::commands`]): here they are only handed on, behind the
//! gate's own orders, so that no command holds up a ban.

use super::commands::{Begun, Failure, Outcome, Runner};
use super::faults::{Faults, Key, about, first_line};
use super::guard::Guard;
use super::questions::Questions;
use crate::fail2ban::House;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Engine, Input};
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_fail2ban::act::{Commands, Kind, Operation, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long all actions together have at the end of the program: whoever stops it waits for them.
const LAST: Duration = Duration::from_secs(20);
/// How long an action has that a reload takes away. Nobody waits for it.
const LEAVING: Duration = Duration::from_secs(60);

/// The commands of all jails, and how they do.
#[derive(Debug)]
pub struct Deeds {
    runner: Runner,
    /// The jails that have commands; no other costs anything.
    jails: BTreeMap<Name, Doer>,
    /// Bans for which an action had no room yet, by whom they are about.
    owed: BTreeMap<(Name, String), BTreeSet<Prefix>>,
    questions: Questions,
    faults: Faults,
    /// Nothing runs.
    observing: bool,
    /// Nothing runs yet: fail2ban does what is to be done.
    waiting: bool,
    /// When the configuration was taken up.
    since: Time,
}

/// A jail with commands.
#[derive(Debug)]
struct Doer {
    /// What its configuration calls it.
    title: String,
    /// Its actions that are commands.
    actions: Vec<String>,
    /// Bans told so far.
    banned: u64,
}

impl Doer {
    fn ticket(&self, ban: &Ban, engine: &Engine, restored: bool) -> Ticket {
        ticket(&self.title, self.banned, (ban, restored), engine)
    }
}

/// A ban as a jail's commands are told of it, with the jail's name in the configuration, how many
/// bans it told of before, and whether this one is from before.
pub(super) fn ticket(
    title: &str,
    banned: u64,
    (ban, restored): (&Ban, bool),
    engine: &Engine,
) -> Ticket {
    let seconds = |length: Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    let counts = engine.jails().find(|(policy, _)| policy.name == ban.jail);
    let watching = engine.jail(ban.jail).map_or(0, |jail| jail.watching() as u64);
    let found = counts.map_or(0, |(_, counts)| counts.failures);
    let lines = || ban.dated_lines().map(|(_, line)| line);
    let captures = ban.captures.iter();
    Ticket {
        failures: ban.count,
        time: ban.since.0.div_euclid(1_000_000),
        bantime: ban.until.map_or(-1, |until| seconds(until.since(ban.since))),
        bancount: ban.before,
        matches: lines().map(str::to_owned).collect(),
        captures: captures.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        restored,
        jail_counts: [engine.ledger().count(ban.jail) as u64, banned, watching, found],
        ..end(title, ban.who())
    }
}

/// What is needed to end a ban: the action knows the rest.
fn end(title: &str, who: Prefix) -> Ticket {
    let (jail, id) = (title.to_owned(), who.to_string());
    Ticket { jail, id, addr: Some(who.addr()), ..Ticket::default() }
}

impl Deeds {
    /// Without any. `wake` is called, on any thread, when there is something to
    /// settle.
    pub fn new(wake: impl Fn() + Clone + Send + Sync + 'static) -> Self {
        Self {
            questions: Questions::new(wake.clone()),
            runner: Runner::new(wake),
            jails: BTreeMap::new(),
            owed: BTreeMap::new(),
            faults: Faults::default(),
            observing: true,
            waiting: false,
            since: Time::MIN,
        }
    }

    /// Starts the actions of a configuration; those that go on as they are go on, those that are
    /// gone end and lift their bans. New ones are told of the bans in force.
    fn adopt(&mut self, house: Option<&House>, engine: &Engine, now: Time) {
        self.since = now;
        let before = std::mem::take(&mut self.jails);
        self.faults.refused.clear();
        self.questions.clear();
        let mut new = Vec::new();
        for guarded in house.iter().flat_map(|house| &house.jails) {
            let Some((jail, _)) = house.and_then(|house| house.jail(guarded.name)) else {
                continue;
            };
            if let Some(script) = &guarded.question {
                self.questions.put(guarded.name, jail.name.clone(), Arc::clone(script));
            }
            let banned = before.get(&guarded.name).map_or(0, |doer| doer.banned);
            let mut doer = Doer { title: jail.name.clone(), actions: Vec::new(), banned };
            for (action, kind) in &guarded.acts.actions {
                let key = (doer.title.clone(), action.clone());
                match kind {
                    Kind::Gate(_) => {}
                    Kind::Refused(refused) => self.faults.refused.push((key, refused.clone())),
                    Kind::Command(commands) => {
                        doer.actions.push(action.clone());
                        if self.begin(&key, commands) {
                            new.push((guarded.name, action.clone()));
                        }
                    }
                }
            }
            if !doer.actions.is_empty() {
                self.jails.insert(guarded.name, doer);
            }
        }
        self.dismiss(&before);
        self.catch_up(&new, engine);
    }

    /// Ends the actions of `before` that are no more.
    fn dismiss(&mut self, before: &BTreeMap<Name, Doer>) {
        for doer in before.values() {
            for action in &doer.actions {
                let key = (doer.title.clone(), action.clone());
                if !self.has(&key) {
                    self.runner.stop(&key.0, &key.1, LEAVING);
                    self.faults.forget(&key);
                }
            }
        }
        let jails = &self.jails;
        let there = |(name, action): &(Name, String)| {
            jails.get(name).is_some_and(|doer| doer.actions.contains(action))
        };
        self.owed.retain(|key, _| there(key));
    }

    /// Starts an action, or goes on with it; says whether it knows of no bans yet.
    fn begin(&mut self, key: &Key, commands: &Commands) -> bool {
        if self.observing || self.waiting {
            return false;
        }
        match self.runner.start(&key.0, &key.1, commands.clone(), LEAVING) {
            Ok(Begun::Same) => false,
            Ok(Begun::New) => {
                self.faults.forget(key);
                true
            }
            Err(e) => {
                let failure = Failure::System(e.to_string());
                self.faults.failed(key.clone(), Operation::Start, failure, "");
                false
            }
        }
    }

    /// Tells new actions of the bans there are already.
    fn catch_up(&mut self, new: &[(Name, String)], engine: &Engine) {
        if new.is_empty() {
            return;
        }
        for ban in engine.ledger().bans() {
            let Some(doer) = self.jails.get_mut(&ban.jail) else { continue };
            let mut told = false;
            for (_, action) in new.iter().filter(|(name, _)| *name == ban.jail) {
                self.runner.ban_by(action, &doer.ticket(&ban, engine, true));
                told = true;
            }
            doer.banned += u64::from(told);
        }
    }

    fn has(&self, key: &Key) -> bool {
        self.jails.values().any(|doer| doer.title == key.0 && doer.actions.contains(&key.1))
    }

    /// Passes on what happened; gives what would have run, if nothing does.
    fn heed(&mut self, action: &Action, engine: &Engine) -> Option<String> {
        match action {
            Action::Ban(ban) => {
                let doer = self.jails.get_mut(&ban.jail).filter(|_| !self.waiting)?;
                if self.observing {
                    let actions = doer.actions.join(", ");
                    let text = words::would_run(actions, &doer.title, ban.who());
                    return Some(words::observed_only(text));
                }
                doer.banned += 1;
                self.runner.ban(&doer.ticket(ban, engine, false));
            }
            Action::Lift { ban, .. } => {
                let doer = self.jails.get(&ban.jail)?;
                self.runner.unban(&end(&doer.title, ban.who()));
                for (_, owed) in self.owed.iter_mut().filter(|((name, _), _)| *name == ban.jail) {
                    owed.remove(&ban.who());
                }
            }
            _ => {}
        }
        None
    }

    /// Takes note of what became of everything; gives the actions that fail now.
    fn settle(&mut self, notes: &mut Vec<String>) -> Vec<Key> {
        let mut failing = Vec::new();
        for report in self.runner.take_reports() {
            let key: Key = (report.jail, report.action);
            match report.outcome {
                Outcome::Done => self.faults.succeeded(&key, report.operation),
                Outcome::Failed { failure, output } if self.has(&key) => {
                    self.faults.failed(key.clone(), report.operation, failure, &output);
                    failing.push(key);
                }
                // It is ending: nothing will ever show that it works again.
                Outcome::Failed { failure, output } => {
                    let what = words::failed(report.operation, &failure, &first_line(&output));
                    notes.push(words::action_fails(&key.1, &key.0, what));
                }
                Outcome::Full => self.owe(key, report.id.as_deref()),
                Outcome::Dropped(count) => self.faults.dropped(key, count),
                Outcome::Left(count) => {
                    notes.push(words::action_left(key.1, key.0, words::bans(count as u64)));
                }
            }
        }
        failing
    }

    fn owe(&mut self, (title, action): Key, id: Option<&str>) {
        let name = self.jails.iter().find(|(_, doer)| doer.title == title).map(|(name, _)| *name);
        let who = id.and_then(|id| id.parse().ok());
        if let (Some(name), Some(who)) = (name, who) {
            self.owed.entry((name, action)).or_default().insert(who);
        }
    }

    /// Asks again for what there was no room for; says what was lost.
    fn remind(&mut self, engine: &Engine, notes: &mut Vec<String>) {
        for ((name, action), owed) in &mut self.owed {
            let Some(doer) = self.jails.get(name) else { continue };
            for _ in 0..self.runner.room(&doer.title, action) {
                let Some(who) = owed.pop_first() else { break };
                let mut bans = engine.ledger().touching(who);
                if let Some(ban) = bans.find(|ban| ban.jail == *name && ban.who() == who) {
                    let restored = ban.since < self.since;
                    self.runner.ban_by(action, &doer.ticket(&ban, engine, restored));
                }
            }
        }
        self.owed.retain(|_, owed| !owed.is_empty());
        notes.extend(self.faults.take_dropped());
    }

    /// What is wrong with actions: what it is about, and in words.
    pub(super) fn alarms(&self) -> Vec<(String, String)> {
        let mut all = self.faults.alarms();
        all.extend(self.questions.alarms());
        for ((name, action), owed) in &self.owed {
            let Some(doer) = self.jails.get(name) else { continue };
            let text = words::action_behind(action, &doer.title, words::bans(owed.len() as u64));
            all.push((format!("action {action} {} behind", doer.title), text));
        }
        all
    }
}

impl Guard {
    /// Takes up the actions of the configuration it guards by.
    pub(super) fn take_up_deeds(&mut self, now: Time) {
        self.deeds.observing = self.hands.observing().is_some();
        self.deeds.waiting = self.office.waits();
        self.deeds.adopt(self.house.as_ref(), &self.engine, now);
    }

    /// Whether anybody is to hear of something: not if it is a ban that the kernel refused and is
    /// asked for again, of which all heard then.
    pub(super) fn is_news(&self, action: &Action) -> bool {
        match action {
            Action::Ban(ban) => !self.engine.is_again(ban),
            _ => true,
        }
    }

    /// Tells the actions of what happened, unless it hits a friend: the hands know best who is one.
    pub(super) fn do_deeds(&mut self, action: &Action) {
        if let Action::Ask(ban) = action
            && !self.deeds.questions.ask(ban, &self.engine)
        {
            let input = Input::Answer { jail: ban.jail, prefix: ban.prefix, spare: false };
            self.engine.handle(input, self.last, &mut self.actions);
        }
        if matches!(action, Action::Ban(ban) if self.hands.spare(ban.prefix)) {
            return;
        }
        self.notes.extend(self.deeds.heed(action, &self.engine));
    }

    /// Hears what became of commands. Who begins to fail is an alarm at once; whether it is over is
    /// seen at the next look, so that one that fails now and then does not fill the log.
    pub(super) fn settle_deeds(&mut self, now: Time) {
        for answer in self.deeds.questions.answers() {
            self.engine.handle(answer, now, &mut self.actions);
        }
        self.carry_out(now);
        let failing = self.deeds.settle(&mut self.notes);
        if failing.iter().any(|key| !self.is_raised(&about(key))) {
            self.raise(now);
        }
    }

    /// Asks actions again for what they had no room for; says what was lost.
    pub(super) fn remind_deeds(&mut self) {
        self.deeds.remind(&self.engine, &mut self.notes);
    }

    /// Ends all actions, within a bounded time: each lifts what it holds, as fail2ban does. Nobody
    /// else would: other than the gate, what commands closed knows no end by itself.
    pub fn end_deeds(&mut self) {
        self.deeds.runner.stop_all(LAST);
        self.end_doors(LAST);
        self.deeds.jails.clear();
        self.deeds.settle(&mut self.notes);
        self.notes.extend(self.deeds.faults.take_dropped());
    }
}
