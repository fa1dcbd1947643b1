//! The engine: inputs in, actions out, time as an argument.
//!
//! The shell feeds blocks of lines, commands and the passing of time, and carries out what
//! comes back. Nothing in here waits, reads or writes.

mod message;
mod source;

pub use message::{Action, Input, Lifted, Notice, SourceId};
pub use source::SourceHealth;

use crate::addr::Prefix;
use crate::gate::Name;
use crate::jail::{Because, Friends, Jail, JailCounts, JailPolicy, Trip};
use crate::ledger::{Ban, Ledger};
use crate::line::{Dates, Record};
use crate::rule::Rule;
use crate::rule::scan::{Behind, Scan};
use crate::rule::session::{Desk, Verdict};
use crate::time::Time;
use source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a record that began waits for its end.
const OPEN: Duration = Duration::from_secs(1);
/// How long a refused ban waits for its next try.
const RETRY: Duration = Duration::from_secs(5);
/// Bans in force at most.
const MOST_BANS: usize = 250_000;
/// Scope of jails that close every port.
const ALL_PORTS: &str = "all";

/// How the engine's clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// By the time given with every input.
    Wall,
    /// By the times in the lines: a replay of old logs.
    Log,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    clock: Clock,
    now: Time,
    jails: Vec<Jail>,
    sources: BTreeMap<SourceId, Source>,
    friends: Friends,
    ledger: Ledger,
    waiting: BTreeMap<(Name, Prefix), Time>,
    watched: bool,
    /// Whether bans are carried out; otherwise the banned go on talking, and that is no news.
    enforced: bool,
    /// Of whom it was said that he is banned and still talks.
    talking: BTreeSet<(Name, Prefix)>,
    touched: Vec<(Name, Prefix)>,
    greeted: Vec<(Name, IpAddr)>,
    dice: u64,
}

impl Engine {
    /// An engine with these jails. `seed` varies `bantime.rndtime`.
    #[must_use]
    pub fn new(policies: Vec<JailPolicy>, friends: Friends, clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            now: Time::MIN,
            jails: policies.into_iter().map(Jail::new).collect(),
            sources: BTreeMap::new(),
            friends,
            ledger: Ledger::default(),
            waiting: BTreeMap::new(),
            watched: false,
            enforced: false,
            talking: BTreeSet::new(),
            touched: Vec::new(),
            greeted: Vec::new(),
            dice: seed | 1,
        }
    }

    /// Adds a source read with `rules`; jails listen to the rule they name.
    ///
    /// # Errors
    /// When the rules cannot be put into one reader.
    pub fn add_source(
        &mut self,
        id: SourceId,
        rules: &[Arc<Rule>],
        jails: &[Name],
        dates: Dates,
    ) -> Result<(), String> {
        let scan = Scan::new(rules.to_vec(), dates)?;
        let listening = |rule: &Rule| {
            let wanted = |jail: &Jail| {
                jail.policy().rule == rule.name && jails.contains(&jail.policy().name)
            };
            self.jails.iter().enumerate().filter(|(_, jail)| wanted(jail)).map(|(i, _)| i).collect()
        };
        let desks = rules.iter().map(|rule| (Desk::default(), listening(rule))).collect();
        let source = Source::new(scan, desks);
        self.sources.insert(id, source);
        Ok(())
    }

    /// Takes an input that happened at `now`; adds what follows from it to `actions`.
    pub fn handle(&mut self, input: Input<'_>, now: Time, actions: &mut Vec<Action>) {
        if self.clock == Clock::Wall {
            self.now = self.now.max(now);
            self.expire(actions);
        }
        match input {
            Input::Block { source, bytes, live } => self.block(source, bytes, live, now, actions),
            Input::Record { source, record, when } => self.record(source, record, when, actions),
            Input::Ban { jail, prefix, length, why } => {
                self.ban_by_hand(jail, prefix, length, why, actions);
            }
            Input::Lift { prefix } => self.lift(prefix, Lifted::Manual, actions),
            Input::Applied { jail, prefix } => drop(self.waiting.remove(&(jail, prefix))),
            Input::Refused { jail, prefix, why } => self.refused(jail, prefix, why, actions),
            Input::Friends(friends) => self.befriend(friends, actions),
            Input::Tick => self.tick(actions),
        }
    }

    /// When [`Input::Tick`] is wanted next, and what for.
    #[must_use]
    pub fn next_wake(&self) -> Option<(Time, &'static str)> {
        let desks = self.sources.values().flat_map(|s| &s.desks);
        let desk =
            desks.filter_map(|(desk, _)| desk.next_wake()).min().map(|at| (at, "held lines"));
        let waiting = self.sources.values().filter(|s| !s.open.is_empty());
        let open = waiting
            .map(|s| s.open_since.plus(OPEN))
            .min()
            .map(|at| (at, "a record without an end"));
        let end = self.ledger.next_end().map(|at| (at, "ban ends"));
        let retry = self.waiting.values().min().map(|at| (*at, "refused ban"));
        [desk, open, end, retry].into_iter().flatten().min()
    }

    /// The bans in force and the past.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The bans in force and the past, to be put back after a restart.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// A jail by name.
    #[must_use]
    pub fn jail(&self, name: Name) -> Option<&Jail> {
        self.jails.iter().find(|jail| jail.policy().name == name)
    }

    /// A jail by name, to put back what it remembered.
    pub fn jail_mut(&mut self, name: Name) -> Option<&mut Jail> {
        self.jails.iter_mut().find(|jail| jail.policy().name == name)
    }

    /// All jails, and what they counted.
    pub fn jails(&self) -> impl Iterator<Item = (&JailPolicy, JailCounts)> {
        self.jails.iter().map(|jail| (jail.policy(), jail.counts()))
    }

    /// The friends.
    #[must_use]
    pub fn friends(&self) -> &Friends {
        &self.friends
    }

    /// How a source is doing.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<SourceHealth> {
        self.sources.get(&id).map(Source::health)
    }

    /// Whether a jail listens to a source.
    #[must_use]
    pub fn listens(&self, id: SourceId, jail: Name) -> bool {
        let Some(source) = self.sources.get(&id) else { return false };
        let named = |i: &usize| self.jails.get(*i).is_some_and(|j| j.policy().name == jail);
        source.desks.iter().any(|(_, jails)| jails.iter().any(named))
    }

    /// Whether [`Action::Saw`] is wanted.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Whether bans are carried out.
    pub fn enforce(&mut self, enforced: bool) {
        self.enforced = enforced;
    }

    /// Takes over what another engine remembers: all bans, and what jails of the same name
    /// know. For a change of policy.
    pub fn inherit(&mut self, old: Self) {
        let bans: Vec<Ban> = old.ledger.bans().cloned().collect();
        self.ledger = old.ledger;
        bans.into_iter().for_each(|ban| self.recall(ban));
        self.waiting = old.waiting;
        self.enforced = old.enforced;
        self.touched = old.touched;
        self.greeted = old.greeted;
        for jail in old.jails {
            if let Some(heir) =
                self.jails.iter_mut().find(|j| j.policy().name == jail.policy().name)
            {
                heir.inherit(jail);
            }
        }
    }

    /// Puts back a ban. It holds where its jail's bans hold now; that of a jail that is gone
    /// closes every port.
    pub fn recall(&mut self, mut ban: Ban) {
        let here = self.jail(ban.jail).map(|jail| scope(jail.policy()));
        ban.scope = here.or_else(|| Name::new(ALL_PORTS).ok()).unwrap_or(ban.scope);
        self.ledger.recall(ban);
    }

    /// The strangers whose memory changed since the last call, for the store.
    pub fn take_touched(&mut self) -> Vec<(Name, Prefix)> {
        self.touched.sort_unstable();
        self.touched.dedup();
        std::mem::take(&mut self.touched)
    }

    /// The addresses whose good logins changed since the last call, for the store.
    pub fn take_greeted(&mut self) -> Vec<(Name, IpAddr)> {
        self.greeted.sort_unstable();
        self.greeted.dedup();
        std::mem::take(&mut self.greeted)
    }

    /// Whether the hands could not carry out this ban yet.
    #[must_use]
    pub fn is_waiting(&self, jail: Name, prefix: Prefix) -> bool {
        self.waiting.contains_key(&(jail, prefix))
    }

    /// How many bans the hands could not carry out yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.waiting.len()
    }

    fn block(
        &mut self,
        id: SourceId,
        bytes: &[u8],
        live: bool,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        let far = if source.open.is_empty() {
            let (used, far) = source.read(bytes, Behind::Perhaps, live, self.clock, now);
            source.keep(&bytes[used..], now);
            far
        } else {
            let mut whole = std::mem::take(&mut source.open);
            whole.extend_from_slice(bytes);
            let (used, far) = source.read(&whole, Behind::Perhaps, live, self.clock, now);
            source.keep(&whole[used..], now);
            far
        };
        if let Some(off) = far
            && !std::mem::replace(&mut source.far_said, true)
        {
            actions.push(Action::Tell(Notice::FarTimes { source: id, off }));
        }
        source.last_line = Some(if self.clock == Clock::Wall { now } else { source.last });
        self.judge(id, actions);
    }

    fn record(&mut self, id: SourceId, record: &Record<'_>, when: Time, actions: &mut Vec<Action>) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        let Source { scan, desks, verdicts, last_match, .. } = source;
        let when = if self.clock == Clock::Wall { when.min(self.now) } else { when };
        scan.read_record(record, when, &mut |hit| {
            *last_match = Some(when);
            let rule = hit.rule;
            desks[rule].0.take(&hit, when, &mut |verdict| verdicts.push((rule, verdict)));
        });
        source.last_line = Some(when);
        self.judge(id, actions);
    }

    /// Hands the verdicts of a source to the jails that listen.
    fn judge(&mut self, id: SourceId, actions: &mut Vec<Action>) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        let mut verdicts = std::mem::take(&mut source.verdicts);
        if verdicts.is_empty() {
            return;
        }
        let listeners: Vec<Arc<[usize]>> =
            source.desks.iter().map(|(_, jails)| Arc::clone(jails)).collect();
        for (rule, verdict) in verdicts.drain(..) {
            let Some(jails) = listeners.get(rule) else { continue };
            for jail in jails.iter() {
                self.weigh(*jail, &verdict, actions);
            }
        }
        if let Some(source) = self.sources.get_mut(&id) {
            source.verdicts = verdicts;
        }
    }

    fn weigh(&mut self, index: usize, verdict: &Verdict, actions: &mut Vec<Action>) {
        if self.clock == Clock::Log {
            self.now = self.now.max(verdict.at);
            self.expire(actions);
        }
        let Some(jail) = self.jails.get_mut(index) else { return };
        let name = jail.policy().name;
        if self.watched {
            actions.push(Action::Saw { jail: name, verdict: verdict.clone() });
        }
        if verdict.good {
            self.greeted.push((name, verdict.addr));
            return jail.success(verdict);
        }
        let stranger = jail.policy().stranger(verdict.addr);
        if let Some(ban) = self.ledger.holding(name, stranger) {
            // What was on its way when the ban fell is no sign; what comes later is.
            let late = verdict.at.since(ban.since) > Duration::from_secs(30);
            let now = self.now.since(verdict.at) < RETRY;
            if self.enforced && late && now && self.talking.insert((name, stranger)) {
                actions.push(Action::Tell(Notice::StillTalking { jail: name, prefix: stranger }));
            }
            return;
        }
        self.touched.push((name, stranger));
        for trip in jail.failure(verdict) {
            self.convict(index, trip, actions);
        }
    }

    /// Bans whom a jail has had enough of, unless that would hit a friend.
    fn convict(&mut self, index: usize, mut trip: Trip, actions: &mut Vec<Action>) {
        let Some(jail) = self.jails.get(index) else { return };
        let policy = jail.policy();
        if trip.because == Because::Network && jail.knows_within(trip.prefix, trip.at).is_some()
            || self.ledger.holding(policy.name, trip.prefix).is_some()
        {
            return;
        }
        if let Some(friend) = self.friends.hit_by(trip.prefix) {
            let spared = Notice::Spared {
                jail: policy.name,
                prefix: trip.prefix,
                friend: friend.why.clone(),
                count: trip.count,
            };
            actions.push(Action::Tell(spared));
            return;
        }
        let before = if policy.increment.overalljails {
            self.jails.iter().map(|j| self.ledger.before(j.policy().name, trip.prefix)).sum()
        } else {
            self.ledger.before(policy.name, trip.prefix)
        };
        let (base, increment) = (policy.bantime, policy.increment.clone());
        let (jail, scope) = (policy.name, scope(policy));
        let chance = self.chance();
        let until = base.map(|base| trip.at.plus(increment.length(base, before, chance)));
        let ban = Ban {
            jail,
            scope,
            prefix: trip.prefix,
            since: trip.at,
            until,
            count: trip.count,
            because: trip.because,
            before,
            evidence: std::mem::take(&mut trip.evidence),
        };
        self.impose(ban, actions);
    }

    fn impose(&mut self, ban: Ban, actions: &mut Vec<Action>) {
        self.make_room(actions);
        self.touched.push((ban.jail, ban.prefix));
        let over = ban.over(self.now);
        self.ledger.ban(ban.clone());
        actions.push(Action::Ban(ban));
        if over {
            self.expire(actions);
        }
    }

    /// Whoever can make up addresses can have them banned: beyond a number, the ban that would
    /// end first ends now.
    fn make_room(&mut self, actions: &mut Vec<Action>) {
        if self.ledger.len() < MOST_BANS {
            return;
        }
        if let Some(ban) = self.ledger.lift_first() {
            self.forget_about(&ban);
            actions.push(Action::Lift { ban, why: Lifted::Room });
        }
    }

    fn forget_about(&mut self, ban: &Ban) {
        self.waiting.remove(&(ban.jail, ban.prefix));
        self.talking.remove(&(ban.jail, ban.prefix));
    }

    fn ban_by_hand(
        &mut self,
        jail: Name,
        prefix: Prefix,
        length: Option<Duration>,
        why: String,
        actions: &mut Vec<Action>,
    ) {
        if let Some(friend) = self.friends.hit_by(prefix) {
            let friend = friend.why.clone();
            actions.push(Action::Tell(Notice::Spared { jail, prefix, friend, count: 0 }));
            return;
        }
        let scope = self.jail(jail).map_or(jail, |jail| scope(jail.policy()));
        let ban = Ban {
            jail,
            scope,
            prefix,
            since: self.now,
            until: length.map(|length| self.now.plus(length)),
            count: 0,
            because: Because::Manual,
            before: self.ledger.before(jail, prefix),
            evidence: if why.is_empty() { Vec::new() } else { vec![why] },
        };
        self.impose(ban, actions);
    }

    fn lift(&mut self, prefix: Option<Prefix>, why: Lifted, actions: &mut Vec<Action>) {
        let hit: Vec<(Name, Prefix)> = match prefix {
            Some(prefix) => self.ledger.touching(prefix).map(|b| (b.jail, b.prefix)).collect(),
            None => self.ledger.bans().map(|b| (b.jail, b.prefix)).collect(),
        };
        for (jail, prefix) in hit {
            self.waiting.remove(&(jail, prefix));
            self.touched.push((jail, prefix));
            if let Some(jail) = self.jail_mut(jail) {
                jail.forget(prefix);
            }
            if let Some(ban) = self.ledger.lift(jail, prefix) {
                actions.push(Action::Lift { ban, why });
            }
        }
        // Whoever was about to be banned starts anew, too.
        if let Some(prefix) = prefix {
            for jail in &mut self.jails {
                jail.forget(prefix);
                self.touched.push((jail.policy().name, prefix));
            }
        }
    }

    fn refused(&mut self, jail: Name, prefix: Prefix, why: String, actions: &mut Vec<Action>) {
        let first = self.waiting.insert((jail, prefix), self.now.plus(RETRY)).is_none();
        if first {
            actions.push(Action::Tell(Notice::Refused { jail, prefix, why }));
        }
    }

    fn befriend(&mut self, friends: Friends, actions: &mut Vec<Action>) {
        let hit: Vec<Prefix> = self
            .ledger
            .bans()
            .map(|b| b.prefix)
            .filter(|prefix| friends.hit_by(*prefix).is_some())
            .collect();
        self.friends = friends;
        for prefix in hit {
            self.lift(Some(prefix), Lifted::Friend, actions);
        }
    }

    fn tick(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let due: Vec<SourceId> = self.sources.keys().copied().collect();
        for id in due {
            self.settle(id, now, actions);
        }
        let again: Vec<_> =
            self.waiting.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        for (jail, prefix) in again {
            self.waiting.insert((jail, prefix), now.plus(RETRY));
            if let Some(ban) = self.ledger.get(jail, prefix) {
                actions.push(Action::Ban(ban.clone()));
            } else {
                self.waiting.remove(&(jail, prefix));
            }
        }
    }

    /// Lets the desks of a source decide what waited until `now`. A replay calls it at the end
    /// of a log, with the time of the last line and a bit.
    pub fn settle(&mut self, id: SourceId, now: Time, actions: &mut Vec<Action>) {
        let clock = self.clock;
        if let Some(source) = self.sources.get_mut(&id) {
            let waited = clock == Clock::Log || source.open_since.plus(OPEN) <= now;
            if !source.open.is_empty() && waited {
                let open = std::mem::take(&mut source.open);
                source.read(
                    &open,
                    Behind::Nothing,
                    true,
                    clock,
                    source.open_since.max(source.last),
                );
            }
            let Source { desks, verdicts, .. } = source;
            for (rule, (desk, _)) in desks.iter_mut().enumerate() {
                desk.advance(now, &mut |verdict| verdicts.push((rule, verdict)));
            }
        }
        self.judge(id, actions);
    }

    fn expire(&mut self, actions: &mut Vec<Action>) {
        if self.ledger.next_end().is_none_or(|end| end > self.now) {
            return;
        }
        for ban in self.ledger.expire(self.now) {
            self.forget_about(&ban);
            actions.push(Action::Lift { ban, why: Lifted::Expired });
        }
    }

    /// A number in 0..1 (xorshift64*), for `bantime.rndtime`; nothing depends on its quality.
    fn chance(&mut self) -> f64 {
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        (self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Where a jail's bans hold: jails for all ports share a scope, others have their own.
#[must_use]
pub fn scope(policy: &JailPolicy) -> Name {
    match policy.ports {
        crate::gate::Ports::All => Name::new(ALL_PORTS).unwrap_or(policy.name),
        crate::gate::Ports::Only(_) => policy.name,
    }
}
