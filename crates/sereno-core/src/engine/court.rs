//! The court: what follows from verdicts and commands. Jails count, the ledger remembers who
//! is out, friends are spared.

use super::asked::Asked;
use super::{ALL_PORTS, Action, Lifted, Notice, scope};
use crate::addr::Prefix;
use crate::gate::{Name, Pass, Through};
use crate::jail::{Because, Friends, Jail, JailPolicy, Trip};
use crate::ledger::{Ban, Captures, Ledger, Recollection};
use crate::rule::session::{Line, Verdict};
use crate::time::Time;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a refused ban waits for its next try.
const RETRY: Duration = Duration::from_secs(5);
/// Bans in force at most.
const MOST_BANS: usize = 250_000;

/// Bans in force at most of a jail that hears packets: they can be sent in anybody's name, and who is
/// searched by more than this within ten minutes is searched by nobody.
pub const MOST_HEARD: usize = 256;

/// Who judges.
#[derive(Debug)]
pub(super) struct Court {
    pub(super) now: Time,
    /// Time comes with the lines: their verdicts move the clock.
    pub(super) log_time: bool,
    pub(super) jails: Vec<Jail>,
    pub(super) friends: Friends,
    pub(super) ledger: Ledger,
    /// Bans that the hands could not carry out: when they are tried again, and since when they
    /// are to be in force.
    pub(super) waiting: BTreeMap<(Name, Prefix), (Time, Time)>,
    /// Bans that a command is asked about.
    pub(super) asked: BTreeMap<(Name, Prefix), Asked>,
    /// Whether somebody wants [`Action::Saw`].
    pub(super) watched: bool,
    /// For how long who logged in well is known at the gate; `None`: nobody has to be.
    pub(super) greets: Option<Duration>,
    /// Whether bans are carried out; otherwise the banned go on talking, and that is no news.
    pub(super) enforced: bool,
    /// Of whom it was said that he is banned and still talks.
    talking: BTreeSet<(Name, Prefix)>,
    dice: u64,
}

impl Court {
    pub(super) fn new(
        policies: Vec<JailPolicy>,
        friends: Friends,
        log_time: bool,
        seed: u64,
    ) -> Self {
        Self {
            now: Time::MIN,
            log_time,
            jails: policies.into_iter().map(Jail::new).collect(),
            friends,
            ledger: Ledger::default(),
            waiting: BTreeMap::new(),
            asked: BTreeMap::new(),
            watched: false,
            greets: None,
            enforced: false,
            talking: BTreeSet::new(),
            dice: seed | 1,
        }
    }

    fn jail(&self, name: Name) -> Option<&Jail> {
        self.jails.iter().find(|jail| jail.policy().name == name)
    }

    /// Jails are about to hear of these addresses, in this order.
    pub(super) fn expect(&self, about: &[(usize, IpAddr)]) {
        for (index, jail) in self.jails.iter().enumerate() {
            let all =
                || about.iter().filter(move |(jail, _)| *jail == index).map(|(_, addr)| *addr);
            jail.expect(all);
        }
    }

    /// Lets a jail weigh a verdict.
    pub(super) fn weigh(&mut self, index: usize, verdict: &Verdict<'_>, actions: &mut Vec<Action>) {
        if self.log_time {
            self.now = self.now.max(verdict.at);
            self.expire(actions);
        }
        let Some(jail) = self.jails.get_mut(index) else { return };
        let name = jail.policy().name;
        if self.watched && (verdict.good || verdict.weight > 0) {
            actions.push(Action::Saw { jail: name, verdict: verdict.to_owned() });
        }
        if verdict.good {
            if jail.success(verdict)
                && let Some(span) = self.greets
            {
                let until = Some(verdict.at.plus(span));
                let (to, addr) = (Through::Known, verdict.addr);
                actions.push(Action::Open(Pass { to, addr, until }));
            }
            return;
        }
        if jail.policy().ignore.iter().any(|prefix| prefix.contains(verdict.addr)) {
            return;
        }
        let stranger = jail.policy().accused(verdict);
        // Who forges a friend's packets is no news of the friend.
        if jail.policy().heard && self.friends.hit_by(stranger).is_some() {
            return;
        }
        if let Some(ban) = self.ledger.holding(name, stranger) {
            // What was on its way when the ban fell is no sign; what comes later is.
            let late = verdict.at.since(ban.since) > Duration::from_secs(30);
            let now = self.now.since(verdict.at) < RETRY;
            if self.enforced && late && now && self.talking.insert((name, stranger)) {
                actions.push(Action::Tell(Notice::StillTalking { jail: name, prefix: stranger }));
            }
            return;
        }
        for trip in jail.failure(verdict) {
            self.convict(index, trip, actions);
        }
    }

    /// Bans whom a jail has had enough of, unless that would hit a friend.
    fn convict(&mut self, index: usize, mut trip: Trip, actions: &mut Vec<Action>) {
        let Some(jail) = self.jails.get(index) else { return };
        let policy = jail.policy();
        let knows = |jail: &Jail| jail.knows_within(trip.prefix, trip.at).is_some();
        if trip.because == Because::Network && knows(jail)
            || policy.heard && (self.is_crowded(policy.name) || self.jails.iter().any(knows))
            || self.ledger.holding(policy.name, trip.prefix).is_some()
            || self.asked.contains_key(&(policy.name, trip.prefix))
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
            // What anybody can have had done to anybody is no past.
            let believed = self.jails.iter().map(Jail::policy).filter(|p| !p.heard || policy.heard);
            believed.map(|other| self.ledger.before(other.name, trip.prefix)).sum()
        } else {
            self.ledger.before(policy.name, trip.prefix)
        };
        let (base, increment) = (policy.bantime, policy.increment.clone());
        let (jail, scope, asks) = (policy.name, scope(policy), policy.asks);
        let chance = self.chance();
        let until = base.map(|base| trip.at.plus(increment.length(base, before, chance)));
        let ban = Ban {
            jail,
            scope,
            prefix: trip.prefix,
            offender: trip.by.filter(|_| !trip.prefix.is_host()),
            since: trip.at,
            until,
            count: trip.count,
            because: trip.because,
            before,
            evidence: std::mem::take(&mut trip.evidence),
            captures: std::mem::take(&mut trip.captures),
        };
        self.propose(ban, asks, actions);
    }

    /// Whether so many are out at the word of packets that somebody makes them up.
    fn is_crowded(&self, jail: Name) -> bool {
        self.ledger.count(jail) >= MOST_HEARD
    }

    pub(super) fn impose(&mut self, ban: Ban, actions: &mut Vec<Action>) {
        self.make_room(actions);
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

    pub(super) fn ban_by_hand(
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
            offender: self.ledger.get(jail, prefix).and_then(|ban| ban.offender),
            since: self.now,
            until: length.map(|length| self.now.plus(length)),
            count: 0,
            because: Because::Manual,
            before: self.ledger.before(jail, prefix),
            evidence: std::iter::once(why).filter(|why| !why.is_empty()).collect(),
            captures: Captures::default(),
        };
        self.impose(ban, actions);
    }

    pub(super) fn lift(&mut self, prefix: Option<Prefix>, why: Lifted, actions: &mut Vec<Action>) {
        self.ask_no_more(None, prefix);
        let hit: Vec<(Name, Prefix)> = match prefix {
            Some(prefix) => self.ledger.touching(prefix).map(|b| (b.jail, b.prefix)).collect(),
            None => self.ledger.bans().map(|b| (b.jail, b.prefix)).collect(),
        };
        for (jail, prefix) in hit {
            self.waiting.remove(&(jail, prefix));
            if let Some(jail) = self.jails.iter_mut().find(|j| j.policy().name == jail) {
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
            }
        }
    }

    /// Lifts the ban of exactly this prefix in one jail, or all of its bans; as if they had never
    /// been, where `forget`.
    pub(super) fn pardon(
        &mut self,
        jail: Name,
        prefix: Option<Prefix>,
        forget: bool,
        actions: &mut Vec<Action>,
    ) {
        self.ask_no_more(Some(jail), prefix);
        let why = if forget { Lifted::Pardoned } else { Lifted::Manual };
        let hit: Vec<Prefix> = match prefix {
            Some(prefix) => vec![prefix],
            None => {
                self.ledger.bans().filter(|ban| ban.jail == jail).map(|ban| ban.prefix).collect()
            }
        };
        for prefix in hit {
            if let Some(jail) = self.jails.iter_mut().find(|j| j.policy().name == jail) {
                jail.forget(prefix);
            }
            if let Some(ban) = self.ledger.lift(jail, prefix) {
                self.forget_about(&ban);
                actions.push(Action::Lift { ban, why });
            }
            if forget {
                self.ledger.forget(jail, prefix);
            }
        }
    }

    /// Weighs what an administrator reports, as one event that weighs as much as he has lines; the
    /// last of them is shown.
    pub(super) fn attempt(
        &mut self,
        jail: Name,
        prefix: Prefix,
        lines: &[String],
        actions: &mut Vec<Action>,
    ) {
        let Some(index) = self.jails.iter().position(|j| j.policy().name == jail) else { return };
        let verdict = Verdict {
            at: self.now,
            addr: prefix.addr(),
            network: (!prefix.is_host()).then_some(prefix),
            good: false,
            weight: u32::try_from(lines.len()).unwrap_or(u32::MAX).max(1),
            proved: 0,
            account: 0,
            spoofable: false,
            pattern: Cow::Owned(Arc::from("attempt")),
            line: Line::new(lines.last().map(|line| line.as_bytes()).unwrap_or_default()),
            captures: Captures::default(),
        };
        self.weigh(index, &verdict, actions);
    }

    pub(super) fn refused(
        &mut self,
        jail: Name,
        prefix: Prefix,
        why: String,
        actions: &mut Vec<Action>,
    ) {
        // One that was over already is not missed.
        let Some(ban) = self.ledger.get(jail, prefix) else { return };
        let again = (self.now.plus(RETRY), ban.since);
        if self.waiting.insert((jail, prefix), again).is_none() {
            actions.push(Action::Tell(Notice::Refused { jail, prefix, why }));
        }
    }

    pub(super) fn befriend(&mut self, friends: Friends, actions: &mut Vec<Action>) {
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

    pub(super) fn expire(&mut self, actions: &mut Vec<Action>) {
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

    /// Puts back a ban. It holds where its jail's bans hold now; that of a jail that is gone
    /// closes every port.
    pub(super) fn recall(&mut self, mut ban: Ban) {
        ban.scope = self.scope_of(ban.jail).unwrap_or(ban.scope);
        self.ledger.recall(ban);
    }

    /// As [`Court::recall`], many at once.
    pub(super) fn recall_all(&mut self, mut all: Recollection) {
        all.hold_where(|jail| self.scope_of(jail));
        self.ledger.recall_all(all);
    }

    fn scope_of(&self, jail: Name) -> Option<Name> {
        let here = self.jail(jail).map(|jail| scope(jail.policy()));
        here.or_else(|| Name::new(ALL_PORTS).ok())
    }

    /// Takes over all bans, and what jails of the same name know.
    pub(super) fn inherit(&mut self, old: Self) {
        let bans: Vec<Ban> = old.ledger.bans().collect();
        self.ledger = old.ledger;
        bans.into_iter().for_each(|ban| self.recall(ban));
        self.waiting = old.waiting;
        self.asked = old.asked;
        self.asked.retain(|(name, _), _| self.jails.iter().any(|j| j.policy().name == *name));
        self.enforced = old.enforced;
        for jail in old.jails {
            let name = jail.policy().name;
            if let Some(heir) = self.jails.iter_mut().find(|j| j.policy().name == name) {
                heir.inherit(jail);
            }
        }
    }

    /// Asks again for bans that were refused, when it is time.
    pub(super) fn retry(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let again: Vec<_> =
            self.waiting.iter().filter(|(_, (at, _))| *at <= now).map(|(key, _)| *key).collect();
        for (jail, prefix) in again {
            if let Some(ban) = self.ledger.get(jail, prefix) {
                self.waiting.insert((jail, prefix), (now.plus(RETRY), ban.since));
                actions.push(Action::Ban(ban));
            } else {
                self.waiting.remove(&(jail, prefix));
            }
        }
    }
}
