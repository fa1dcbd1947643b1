//! The engine: inputs in, actions out, time as an argument.
//!
//! The shell feeds blocks of lines, commands and the passing of time, and carries out what
//! comes back. Nothing in here waits, reads or writes.

mod asked;
mod court;
mod filters;
mod message;
mod porter;
mod source;

pub use court::MOST_HEARD;
pub use message::{Action, Input, Lifted, Notice, PolicyStep, SourceId};
pub use porter::{DoorMemory, DoorPolicy, Entry, Knock, Porter, Shut};
pub use source::SourceHealth;

use crate::addr::Prefix;
use crate::filter::{Counts, Filter};
use crate::gate::Name;
use crate::jail::{Friends, Jail, JailCounts, JailPolicy, Known, Track};
use crate::ledger::{Ban, Ledger, Recollection};
use crate::line::{Dates, Record};
use crate::rule::Rule;
use crate::rule::scan::{Behind, Scan};
use crate::rule::session::{Desk, Verdict};
use crate::time::Time;
use court::Court;
use source::{Moment, OPEN, Source};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Scope of jails that close every port.
const ALL_PORTS: &str = "all";

/// Inputs may come out of order by so much; more, and the clock was set back.
const SET_BACK: Duration = Duration::from_secs(1);

/// How the engine's clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// By the time given with every input.
    Wall,
    /// By the times in the lines: a replay of old logs.
    Log,
}

/// What jails remember differently than before; `None` for who is forgotten. Where somebody
/// stands twice, the last counts.
#[derive(Debug, Default)]
pub struct Changes {
    /// Of strangers.
    pub tracks: Vec<((Name, Prefix), Option<Track>)>,
    /// Of addresses that logged in well.
    pub known: Vec<((Name, IpAddr), Known)>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    clock: Clock,
    sources: BTreeMap<SourceId, Source>,
    court: Court,
    porter: Option<Porter>,
}

impl Engine {
    /// An engine with these jails. `seed` varies `bantime.rndtime`.
    #[must_use]
    pub fn new(policies: Vec<JailPolicy>, friends: Friends, clock: Clock, seed: u64) -> Self {
        let court = Court::new(policies, friends, clock == Clock::Log, seed);
        Self { clock, sources: BTreeMap::new(), court, porter: None }
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
            self.court
                .jails
                .iter()
                .enumerate()
                .filter(|(_, jail)| wanted(jail))
                .map(|(i, _)| i)
                .collect()
        };
        let desks = rules.iter().map(|rule| (Desk::default(), listening(rule))).collect();
        let source = Source::new(scan, desks);
        self.sources.insert(id, source);
        Ok(())
    }

    /// Lets fail2ban's filters read a source besides, each for the jail it stands with.
    pub fn add_filters(&mut self, id: SourceId, filters: &[(Name, Arc<Filter>)]) {
        let Self { sources, court, .. } = self;
        let Some(source) = sources.get_mut(&id) else { return };
        for (name, filter) in filters {
            let jail = court.jails.iter().position(|jail| jail.policy().name == *name);
            if let Some(jail) = jail {
                let captures = court.jails[jail].policy().captures;
                source.filters.add(Arc::clone(filter), jail, captures);
            }
        }
    }

    /// Puts a porter at the doors, in place of the one that was there.
    pub fn post(&mut self, porter: Porter) {
        self.porter = Some(porter);
    }

    /// The porter, where there are doors.
    #[must_use]
    pub fn porter(&self) -> Option<&Porter> {
        self.porter.as_ref()
    }

    /// The porter, to put back what he remembered or to write it down.
    pub fn porter_mut(&mut self) -> Option<&mut Porter> {
        self.porter.as_mut()
    }

    /// Takes an input that happened at `now`; adds what follows from it to `actions`.
    pub fn handle(&mut self, input: Input<'_>, now: Time, actions: &mut Vec<Action>) {
        if self.clock == Clock::Wall {
            self.set_clock(now, actions);
            self.court.expire(actions);
        }
        match input {
            Input::Block { source, bytes, live } => self.block(source, bytes, live, now, actions),
            Input::Record { source, record, when } => self.record(source, record, when, actions),
            Input::Ban { jail, prefix, length, why } => {
                self.court.ban_by_hand(jail, prefix, length, why, actions);
            }
            Input::Lift { prefix } => self.court.lift(prefix, Lifted::Manual, actions),
            Input::Pardon { jail, prefix, forget } => {
                self.court.pardon(jail, prefix, forget, actions);
            }
            Input::Attempt { jail, prefix, lines } => {
                self.court.attempt(jail, prefix, lines, actions);
            }
            Input::Applied { jail, prefix } => drop(self.court.waiting.remove(&(jail, prefix))),
            Input::Refused { jail, prefix, why } => self.court.refused(jail, prefix, why, actions),
            Input::Answer { jail, prefix, spare } => {
                self.court.answered(jail, prefix, spare, actions);
            }
            Input::Friends(friends) => self.court.befriend(friends, actions),
            Input::Packet(packet) => self.at_doors(|porter, _| porter.packet(packet, actions)),
            Input::LetIn { door, addr, length } => {
                self.at_doors(|porter, now| porter.let_in(door, addr, length, now, actions));
            }
            Input::Grant { door, addr, ports, until } => {
                self.at_doors(|porter, now| porter.grant(door, addr, ports, until, now, actions));
            }
            Input::Admit { door, pass } => {
                self.at_doors(|porter, now| porter.admit(door, pass, now, actions));
            }
            Input::PutOut { door, addr } => {
                self.at_doors(|porter, now| porter.put_out(door, addr, now, actions));
            }
            Input::Moved(locals) => self.at_doors(|porter, _| porter.moved(locals)),
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
        let end = self.court.ledger.next_end().map(|at| (at, "ban ends"));
        let retry = self.court.waiting.values().min().map(|(at, _)| (*at, "refused ban"));
        let asked = self.court.asked.values().map(|asked| asked.until).min();
        let asked = asked.map(|at| (at, "an answer is late"));
        let door = self.porter.as_ref().and_then(Porter::next_wake);
        [desk, open, end, retry, asked, door].into_iter().flatten().min()
    }

    /// The bans in force and the past.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.court.ledger
    }

    /// The bans in force and the past, to be put back after a restart.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.court.ledger
    }

    /// A jail by name.
    #[must_use]
    pub fn jail(&self, name: Name) -> Option<&Jail> {
        self.court.jails.iter().find(|jail| jail.policy().name == name)
    }

    /// A jail by name, to put back what it remembered.
    pub fn jail_mut(&mut self, name: Name) -> Option<&mut Jail> {
        self.court.jails.iter_mut().find(|jail| jail.policy().name == name)
    }

    /// Changes what was decided about a jail, from its next decision on; says whether there is
    /// such a jail. Its name, its rule and how much it remembers stay as they are.
    pub fn adjust(&mut self, name: Name, change: impl FnOnce(&mut JailPolicy)) -> bool {
        let jail = self.jail_mut(name);
        jail.map(|jail| jail.adjust(change)).is_some()
    }

    /// All jails, and what they counted.
    pub fn jails(&self) -> impl Iterator<Item = (&JailPolicy, JailCounts)> {
        self.court.jails.iter().map(|jail| (jail.policy(), jail.counts()))
    }

    /// The friends.
    #[must_use]
    pub fn friends(&self) -> &Friends {
        &self.court.friends
    }

    /// How a source is doing.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<SourceHealth> {
        self.sources.get(&id).map(Source::health)
    }

    /// What fail2ban's filters have seen for a jail.
    #[must_use]
    pub fn filtered(&self, jail: Name) -> Counts {
        let place = self.court.jails.iter().position(|j| j.policy().name == jail);
        let all = self.sources.values().filter(|_| place.is_some());
        all.map(|source| source.filters.counts(place)).fold(Counts::default(), filters::sum)
    }

    /// Whether a jail listens to a source.
    #[must_use]
    pub fn listens(&self, id: SourceId, jail: Name) -> bool {
        let Some(source) = self.sources.get(&id) else { return false };
        let named = |i: &usize| self.court.jails.get(*i).is_some_and(|j| j.policy().name == jail);
        source.desks.iter().any(|(_, jails)| jails.iter().any(named))
            || source.filters.jails().any(named)
    }

    /// Has the gate be told of who logs in well, for so long each; `None`: it need not know.
    pub fn greet(&mut self, span: Option<Duration>) {
        self.court.greets = span;
    }

    /// Whether [`Action::Saw`] is wanted.
    pub fn watch(&mut self, watched: bool) {
        self.court.watched = watched;
    }

    /// Whether bans are carried out.
    pub fn enforce(&mut self, enforced: bool) {
        self.court.enforced = enforced;
    }

    /// Takes over what another engine remembers: all bans, and what jails of the same name
    /// know, and who was let in. For a change of policy.
    pub fn inherit(&mut self, old: Self) {
        let last = old.court.now;
        self.court.inherit(old.court);
        if let (Some(porter), Some(old)) = (&mut self.porter, &old.porter) {
            porter.inherit(old, self.court.now.max(last));
        }
    }

    /// Puts back a ban. It holds where its jail's bans hold now; that of a jail that is gone
    /// closes every port.
    pub fn recall(&mut self, ban: Ban) {
        self.court.recall(ban);
    }

    /// As [`Engine::recall`], many at once, with the past.
    pub fn recall_all(&mut self, all: Recollection) {
        self.court.recall_all(all);
    }

    /// What jails remember differently since the last call, for the store.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for jail in &mut self.court.jails {
            let name = jail.policy().name;
            let mut tracks = jail.take_changed();
            // What anybody can send counts for minutes, and may be much: that is not for a disk.
            tracks.retain(|_| !jail.policy().heard);
            let tracks = tracks.into_iter();
            changes.tracks.extend(tracks.map(|(prefix, track)| ((name, prefix), track)));
            let known = jail.take_greeted().into_iter();
            changes.known.extend(known.map(|(addr, known)| ((name, addr), known)));
        }
        changes
    }

    /// Whether the hands could not carry out this ban yet.
    #[must_use]
    pub fn is_waiting(&self, jail: Name, prefix: Prefix) -> bool {
        self.court.waiting.contains_key(&(jail, prefix))
    }

    /// Whether this ban was decided before, and the hands are only asked for it again.
    #[must_use]
    pub fn is_again(&self, ban: &Ban) -> bool {
        let waiting = self.court.waiting.get(&(ban.jail, ban.prefix));
        waiting.is_some_and(|(_, since)| *since == ban.since)
    }

    /// How many bans the hands could not carry out yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.court.waiting.len()
    }

    fn block(
        &mut self,
        id: SourceId,
        bytes: &[u8],
        live: bool,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Self { clock, sources, court, .. } = self;
        let Some(source) = sources.get_mut(&id) else { return };
        let moment = Moment { now, live, clock: *clock };
        let open = std::mem::take(&mut source.open);
        let whole =
            if open.is_empty() { Cow::Borrowed(bytes) } else { [&open, bytes].concat().into() };
        let (used, far) =
            source.read(&whole, Behind::Perhaps, moment, &mut Judge { court, actions });
        let far = source.read_filters(bytes, moment, &mut Judge { court, actions }).or(far);
        source.keep(&whole[used..], now);
        if let Some(off) = far
            && !std::mem::replace(&mut source.far_said, true)
        {
            actions.push(Action::Tell(Notice::FarTimes { source: id, off }));
        }
        source.last_line = Some(if *clock == Clock::Wall { now } else { source.last });
    }

    fn record(&mut self, id: SourceId, record: &Record<'_>, when: Time, actions: &mut Vec<Action>) {
        let Self { clock, sources, court, .. } = self;
        let Some(source) = sources.get_mut(&id) else { return };
        let when = if *clock == Clock::Wall { when.min(court.now) } else { when };
        source.read_record(record, when, &mut Judge { court, actions });
        source.read_entry(record, when, &mut Judge { court, actions });
    }

    fn tick(&mut self, actions: &mut Vec<Action>) {
        let now = self.court.now;
        let due: Vec<SourceId> = self.sources.keys().copied().collect();
        for id in due {
            self.settle(id, now, actions);
        }
        self.court.retry(actions);
        self.court.unanswered(actions);
        self.at_doors(|porter, now| porter.tick(now, actions));
    }

    /// Time goes on; but a clock that was ahead and is put right is followed, or all that happens
    /// until it is there again would seem to happen then.
    fn set_clock(&mut self, now: Time, actions: &mut Vec<Action>) {
        let by = self.court.now.since(now);
        if by <= SET_BACK {
            self.court.now = self.court.now.max(now);
            return;
        }
        self.court.now = now;
        self.at_doors(|porter, now| porter.set_back(by, now));
        actions.push(Action::Tell(Notice::ClockBack { by }));
    }

    fn at_doors(&mut self, work: impl FnOnce(&mut Porter, Time)) {
        if let Some(porter) = &mut self.porter {
            work(porter, self.court.now);
        }
    }

    /// Lets the desks of a source decide what waited until `now`. A replay calls it at the end
    /// of a log, with the time of the last line and a bit.
    pub fn settle(&mut self, id: SourceId, now: Time, actions: &mut Vec<Action>) {
        let Self { clock, sources, court, .. } = self;
        if let Some(source) = sources.get_mut(&id) {
            source.settle(now, *clock, &mut Judge { court, actions });
        }
    }
}

/// Hands verdicts to the jails that listen.
struct Judge<'a> {
    court: &'a mut Court,
    actions: &'a mut Vec<Action>,
}

impl Judge<'_> {
    fn weigh(&mut self, jails: &[usize], verdict: &Verdict<'_>) {
        jails.iter().for_each(|jail| self.court.weigh(*jail, verdict, self.actions));
    }

    /// Something is about to be said of these.
    fn expect(&self, about: &[(usize, IpAddr)]) {
        self.court.expect(about);
    }
}

/// Where a jail's bans hold: jails that close all ports in the usual way share a scope, others have
/// their own, as have those that stop only what begins.
#[must_use]
pub fn scope(policy: &JailPolicy) -> Name {
    match policy.ports {
        crate::gate::Ports::All if policy.block.is_none() && policy.closes && !policy.heard => {
            Name::new(ALL_PORTS).unwrap_or(policy.name)
        }
        _ => policy.name,
    }
}
