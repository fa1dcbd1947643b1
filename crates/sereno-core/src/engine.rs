//! The engine: inputs in, actions out, time as an argument.
//!
//! The shell feeds blocks of lines, commands and the passing of time, and carries out what
//! comes back. Nothing in here waits, reads or writes.

use crate::addr::Prefix;
use crate::gate::Name;
use crate::jail::{Because, Friends, Jail, JailCounts, JailPolicy, Trip};
use crate::ledger::{Ban, Ledger};
use crate::line::{Dates, Record};
use crate::rule::Rule;
use crate::rule::scan::{Behind, Counts, Scan};
use crate::rule::session::{Desk, Kept, Verdict};
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A line this far from now, in a log that is being written, has a wrong clock or zone.
const FAR: Duration = Duration::from_secs(600);
/// How long a record that began waits for its end.
const OPEN: Duration = Duration::from_secs(1);
/// How long a refused ban waits for its next try.
const RETRY: Duration = Duration::from_secs(5);
/// Scope of jails that close every port.
const ALL_PORTS: &str = "all";

/// A source of lines, as the shell numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// What happens to the engine.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are called what they are")]
pub enum Input<'a> {
    /// Whole lines of a source. `live`: they were written just now, not found in an old file.
    Block { source: SourceId, bytes: &'a [u8], live: bool },
    /// A record of the journal, with its trusted time.
    Record { source: SourceId, record: &'a Record<'a>, when: Time },
    /// An administrator bans; `jail` names whose ports close.
    Ban { jail: Name, prefix: Prefix, length: Option<Duration>, why: String },
    /// An administrator lifts what touches a prefix, or everything.
    Lift { prefix: Option<Prefix> },
    /// The hands carried out a ban.
    Applied { jail: Name, prefix: Prefix },
    /// The hands could not; they will be asked again.
    Refused { jail: Name, prefix: Prefix, why: String },
    /// The friends changed: an administrator logged in, an address was added.
    Friends(Friends),
    /// Time passes.
    Tick,
}

/// What the shell is to do.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop somebody. The kernel's timeout is the ban's end.
    Ban(Ban),
    /// Let somebody in again.
    Lift { ban: Ban, why: Lifted },
    /// Tell the administrator.
    Tell(Notice),
    /// Something was counted; only while somebody watches.
    Saw { jail: Name, verdict: Verdict },
}

/// Why a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifted {
    /// Its time was over.
    Expired,
    /// An administrator said so.
    Manual,
    /// It would hit a friend.
    Friend,
}

/// Something the administrator should know.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A friend failed often enough to be banned; he was not.
    Spared { jail: Name, prefix: Prefix, friend: String, count: u32 },
    /// Lines of a source carry times far from now; they are taken as now.
    FarTimes { source: SourceId, off: Duration },
    /// A ban could not be enforced.
    Refused { jail: Name, prefix: Prefix, why: String },
    /// A banned address still reaches a service.
    StillTalking { jail: Name, prefix: Prefix },
}

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
    touched: Vec<(Name, Prefix)>,
    greeted: Vec<(Name, IpAddr)>,
    dice: u64,
}

#[derive(Debug)]
struct Source {
    scan: Scan,
    /// One desk per rule of the scan, and the jails (by index) that listen to it.
    desks: Vec<(Desk, Vec<usize>)>,
    verdicts: Vec<(usize, Verdict)>,
    /// The beginning of a record whose end has not been written yet, and since when.
    open: Vec<u8>,
    open_since: Time,
    last: Time,
    last_line: Option<Time>,
    last_match: Option<Time>,
    far_said: bool,
}

impl Source {
    /// Reads lines; says how many bytes were used, and how far off their times were, if so.
    fn read(
        &mut self,
        bytes: &[u8],
        behind: Behind,
        live: bool,
        clock: Clock,
        now: Time,
    ) -> (usize, Option<Duration>) {
        let Self { scan, desks, verdicts, last, last_match, .. } = self;
        let mut far = None;
        let used = scan.read(bytes, behind, now, &mut |hit| {
            let at = match (hit.when, clock) {
                (None, Clock::Wall) => now,
                (None, Clock::Log) => *last,
                (Some(when), Clock::Log) => when,
                (Some(when), Clock::Wall) => {
                    let off = when.since(now).max(now.since(when));
                    if live && off > FAR {
                        far = Some(off);
                        now
                    } else {
                        when.min(now)
                    }
                }
            };
            *last = (*last).max(at);
            *last_match = Some(at);
            let rule = hit.rule;
            desks[rule].0.take(&hit, at, &mut |verdict| verdicts.push((rule, verdict)));
        });
        (used, far)
    }

    /// Keeps the beginning of a record; it is no longer than a record may be.
    fn keep(&mut self, rest: &[u8], now: Time) {
        if !rest.is_empty() {
            self.open = rest.to_vec();
            self.open_since = now;
        }
    }
}

/// The health of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// What its scan saw.
    pub counts: Counts,
    /// What its desks kept from counting.
    pub kept: Kept,
    /// When it last gave anything.
    pub last_line: Option<Time>,
    /// When a line last matched.
    pub last_match: Option<Time>,
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
        let source = Source {
            scan,
            desks,
            verdicts: Vec::new(),
            open: Vec::new(),
            open_since: Time::MIN,
            last: Time::MIN,
            last_line: None,
            last_match: None,
            far_said: false,
        };
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
                self.ban_by_hand(jail, prefix, length, why, actions)
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
        let source = self.sources.get(&id)?;
        let mut kept = Kept::default();
        for (desk, _) in &source.desks {
            kept.forged += desk.kept().forged;
            kept.unvouched += desk.kept().unvouched;
            kept.overrun += desk.kept().overrun;
        }
        let counts = source.scan.counts();
        Some(SourceHealth {
            counts,
            kept,
            last_line: source.last_line,
            last_match: source.last_match,
        })
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
        for (rule, verdict) in verdicts.drain(..) {
            let listeners = self
                .sources
                .get(&id)
                .and_then(|s| s.desks.get(rule))
                .map(|(_, jails)| jails.clone());
            for jail in listeners.unwrap_or_default() {
                self.weigh(jail, &verdict, actions);
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
            if late && self.clock == Clock::Wall && verdict.at.since(self.now) < RETRY {
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
        self.touched.push((ban.jail, ban.prefix));
        let over = ban.over(self.now);
        self.ledger.ban(ban.clone());
        actions.push(Action::Ban(ban));
        if over {
            self.expire(actions);
        }
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
            self.waiting.remove(&(ban.jail, ban.prefix));
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
