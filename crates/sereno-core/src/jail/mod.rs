//! Jails: verdicts to bans.
//!
//! A jail counts what strangers do within a true sliding window of log time, per prefix, and
//! says when somebody has had enough chances. What it remembers is bounded; who leaves first
//! is decided per network, so that no network can push the others out of memory.

mod because;
pub mod escalate;
mod formula;
mod friends;
mod known;
mod lines;
mod strangers;
mod track;

pub use because::Because;
pub use escalate::Escalation;
pub use formula::Formula;
pub use friends::{Friend, Friends};
pub use known::Known;
pub use track::Track;

use crate::addr::Prefix;
use crate::cap::Capped;
use crate::gate::{Block, Name, Ports};
use crate::ledger::{Captures, Evidence};
use crate::rule::session::Verdict;
use crate::time::Time;
use known::Company;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use strangers::{Entry, Strangers};

/// What an administrator decided about a jail. Option names are fail2ban's where it has them.
#[derive(Clone, Debug, PartialEq)]
pub struct JailPolicy {
    /// Its name.
    pub name: Name,
    /// The rule that reads for it.
    pub rule: String,
    /// The ports that a ban closes.
    pub ports: Ports,
    /// What happens to the packets of the banned, if not what the gate does with everybody's.
    pub block: Option<Block>,
    /// Whether bans close anything at all; without, they are only told.
    pub closes: bool,
    /// Who is never counted here. Friends are nowhere.
    pub ignore: Vec<Prefix>,
    /// Whether a command is asked of everybody before he is banned.
    pub asks: bool,
    /// Whether it hears of closed ports at the gate, instead of failures in a log. Then `maxretry` are
    /// different ports within `findtime`, and as packets can be sent in anybody's name, nobody is counted whom
    /// any jail knows, and a ban stops nothing that is under way.
    pub heard: bool,
    /// Failures until a ban.
    pub maxretry: u32,
    /// The window in which they must fall.
    pub findtime: Duration,
    /// How long a ban lasts; `None` for ever.
    pub bantime: Option<Duration>,
    /// How bans grow for those who come back.
    pub increment: Escalation,
    /// Leading bits of an IPv4 address that count as one stranger.
    pub v4_bits: u8,
    /// The same for IPv6.
    pub v6_bits: u8,
    /// Ban who fails on this many different accounts within `accounttime`; 0 for never.
    pub maxaccounts: u32,
    /// The window for different accounts.
    pub accounttime: Duration,
    /// Ban those who fail on the same account as this many addresses within `hosttime`; 0 for
    /// never.
    pub maxhosts: u32,
    /// The window for many addresses at one account.
    pub hosttime: Duration,
    /// Ban the whole network when this many of its addresses failed within `findtime`; 0 for never.
    pub nethosts: u32,
    /// The size of such a network.
    pub net4_bits: u8,
    /// The same for IPv6.
    pub net6_bits: u8,
    /// How long an address that logged in well is treated with patience.
    pub patience: Duration,
    /// Strangers remembered at most.
    pub memory: usize,
    /// Lines of evidence kept of each, the newest.
    pub evidence: usize,
    /// Whether what the filter captured is kept of each.
    pub captures: bool,
}

impl JailPolicy {
    /// The guide's numbers: 4 failures within 10 minutes, 5 hours, all ports.
    #[must_use]
    pub fn new(name: Name, rule: &str) -> Self {
        Self {
            name,
            rule: rule.to_owned(),
            ports: Ports::All,
            block: None,
            closes: true,
            ignore: Vec::new(),
            asks: false,
            heard: false,
            maxretry: 4,
            findtime: Duration::from_secs(600),
            bantime: Some(Duration::from_secs(18_000)),
            increment: Escalation::default(),
            v4_bits: 32,
            v6_bits: 64,
            maxaccounts: 6,
            accounttime: Duration::from_secs(6 * 3600),
            maxhosts: 5,
            hosttime: Duration::from_secs(60),
            nethosts: 0,
            net4_bits: 24,
            net6_bits: 48,
            patience: Duration::from_secs(24 * 3600),
            memory: 65_536,
            evidence: 3,
            captures: false,
        }
    }

    /// The stranger an address belongs to.
    #[must_use]
    #[inline]
    pub fn stranger(&self, addr: IpAddr) -> Prefix {
        let bits = if addr.is_ipv4() { self.v4_bits } else { self.v6_bits };
        if addr.is_ipv4() && bits == 32 {
            return Prefix::host(addr);
        }
        Prefix::new(addr, bits).unwrap_or_else(|| Prefix::host(addr))
    }

    /// The stranger a verdict is about.
    pub(crate) fn accused(&self, verdict: &Verdict<'_>) -> Prefix {
        verdict.network.unwrap_or_else(|| self.stranger(verdict.addr))
    }

    /// How many different accounts, or ports, are too many, and within which time; 0 for none.
    fn different(&self) -> (Because, u32, Duration) {
        if self.heard {
            (Because::Ports, self.maxretry, self.findtime)
        } else {
            (Because::Accounts, self.maxaccounts, self.accounttime)
        }
    }

    fn network(&self, addr: IpAddr) -> Prefix {
        let bits = if addr.is_ipv4() { self.net4_bits } else { self.net6_bits };
        Prefix::new(addr, bits).unwrap_or_else(|| Prefix::host(addr))
    }
}

/// Who had enough chances, and what he did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The prefix to ban.
    pub prefix: Prefix,
    /// The address of the last straw, if one alone is to blame.
    pub by: Option<IpAddr>,
    /// When the last straw fell.
    pub at: Time,
    /// How much had been counted.
    pub count: u32,
    /// Which limit was reached.
    pub because: Because,
    /// The newest lines.
    pub evidence: Evidence,
    /// What the filter captured of the first failure that counted.
    pub captures: Captures,
}

/// What a jail has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailCounts {
    /// Failures counted.
    pub failures: u64,
    /// Successes seen.
    pub successes: u64,
    /// Failures met with patience: the address logged in well not long ago.
    pub patient: u64,
    /// Strangers forgotten because memory was full.
    pub forgotten: u64,
    /// When the last failure was counted.
    pub last: Option<Time>,
}

/// A jail at work.
#[derive(Debug)]
pub struct Jail {
    policy: JailPolicy,
    strangers: Strangers,
    networks: Capped<Prefix, Vec<(IpAddr, Time)>>,
    /// Who failed at an account; only what no spoofed packet can cause.
    besieged: Capped<u64, Vec<(IpAddr, Time)>>,
    company: Company,
    counts: JailCounts,
}

impl Jail {
    /// From where somebody logged in well since then.
    pub fn greeted_since(&self, then: Time) -> impl Iterator<Item = IpAddr> {
        self.greetings().filter(move |(_, at)| *at >= then).map(|(addr, _)| addr)
    }

    /// From where somebody logged in well, and when last.
    pub fn greetings(&self) -> impl Iterator<Item = (IpAddr, Time)> {
        self.company.greetings()
    }

    /// The same of those whose addresses nobody else can have written.
    pub fn proven(&self) -> impl Iterator<Item = (IpAddr, Time)> {
        self.company.proven()
    }

    /// A jail that has seen nothing yet.
    #[must_use]
    pub fn new(policy: JailPolicy) -> Self {
        Self {
            strangers: Strangers::new(policy.memory),
            networks: Capped::new(if policy.nethosts > 0 { 4096 } else { 1 }),
            besieged: Capped::new(if policy.maxhosts > 0 { 4096 } else { 1 }),
            company: Company::new(),
            counts: JailCounts::default(),
            policy,
        }
    }

    /// What was decided about it.
    #[must_use]
    pub fn policy(&self) -> &JailPolicy {
        &self.policy
    }

    /// Changes what was decided about it. Name, rule and memory stay.
    pub(crate) fn adjust(&mut self, change: impl FnOnce(&mut JailPolicy)) {
        let mut policy = self.policy.clone();
        change(&mut policy);
        let JailPolicy { name, rule, memory, .. } = self.policy.clone();
        self.policy = JailPolicy { name, rule, memory, ..policy };
    }

    /// What it has counted.
    #[must_use]
    pub fn counts(&self) -> JailCounts {
        self.counts
    }

    /// How many strangers it remembers.
    #[must_use]
    pub fn watching(&self) -> usize {
        self.strangers.len()
    }

    /// How many strangers have failures that count at `now`.
    #[must_use]
    pub fn trying(&self, now: Time) -> usize {
        self.strangers.busy(now.minus(self.policy.findtime))
    }

    /// Somebody logged in. His mistakes on the same account are forgiven; those on others are not. Says
    /// whether it said so of nobody at this address for a while.
    pub fn success(&mut self, verdict: &Verdict<'_>) -> bool {
        self.counts.successes += 1;
        let stranger = self.policy.accused(verdict);
        if let Some(track) = self.strangers.get(stranger) {
            track.forgive(verdict.account);
        }
        if let Some(hosts) = self.besieged.get(&verdict.account) {
            hosts.retain(|(host, _)| *host != verdict.addr);
        }
        self.company.welcome(verdict)
    }

    /// These are about to be heard of: what is known of them is brought near, of all at once.
    pub(crate) fn expect<I: Iterator<Item = IpAddr>>(&self, addrs: impl Fn() -> I) {
        self.strangers.expect(|| addrs().map(|addr| self.policy.stranger(addr)));
    }

    /// Somebody failed. Says whom to ban, if that was enough.
    pub fn failure(&mut self, verdict: &Verdict<'_>) -> Vec<Trip> {
        let Some(weight) = self.company.weight(verdict, &self.policy) else {
            self.counts.patient += 1;
            return Vec::new();
        };
        if weight == 0 {
            return Vec::new();
        }
        self.counts.failures += 1;
        self.counts.last = self.counts.last.max(Some(verdict.at));
        let stranger = self.policy.accused(verdict);
        let Entry { track, forgot, firm } = self.strangers.entry(stranger);
        self.counts.forgotten += u64::from(forgot);
        let tripped = track.count(verdict, weight, &self.policy);
        if !firm {
            self.strangers.settle(stranger);
        }
        let alone = self.policy.maxhosts == 0 && self.policy.nethosts == 0;
        if tripped.is_none() && alone {
            return Vec::new();
        }
        let mut trips = self.siege(verdict);
        if let Some((because, count)) = tripped {
            trips.retain(|trip| trip.prefix != stranger);
            let by = verdict.network.is_none().then_some(verdict.addr);
            trips.push(self.trip((stranger, by), verdict.at, count, because));
        } else {
            trips.extend(self.spread(verdict));
        }
        trips
    }

    fn trip(
        &mut self,
        (stranger, by): (Prefix, Option<IpAddr>),
        at: Time,
        count: u32,
        because: Because,
    ) -> Trip {
        let track = self.strangers.remove(stranger);
        let (evidence, captures) = track.map(Track::into_evidence).unwrap_or_default();
        Trip { prefix: stranger, by, at, count, because, evidence, captures }
    }

    /// Whether many are at the same account at once: a siege shares its tries among its hosts.
    /// All of them are meant, and who joins while it lasts.
    fn siege(&mut self, verdict: &Verdict<'_>) -> Vec<Trip> {
        /// Hosts of one siege remembered at most; each is dealt with as it comes.
        const MOST: usize = 64;
        let wanted = self.policy.maxhosts as usize;
        if wanted == 0 || verdict.account == 0 || verdict.spoofable {
            return Vec::new();
        }
        let (hosts, _) = self.besieged.entry(verdict.account);
        let start = verdict.at.minus(self.policy.hosttime);
        hosts.retain(|(host, at)| *at >= start && *host != verdict.addr);
        if hosts.len() >= MOST {
            hosts.remove(0);
        }
        hosts.push((verdict.addr, verdict.at));
        if hosts.len() < wanted {
            return Vec::new();
        }
        let count = hosts.len() as u32;
        let mut strangers: Vec<(Prefix, Option<IpAddr>)> =
            hosts.iter().map(|(host, _)| (self.policy.stranger(*host), Some(*host))).collect();
        strangers.dedup_by_key(|(stranger, _)| *stranger);
        strangers.into_iter().map(|s| self.trip(s, verdict.at, count, Because::Hosts)).collect()
    }

    /// Whether the stranger's neighbours have failed too.
    fn spread(&mut self, verdict: &Verdict<'_>) -> Option<Trip> {
        let wanted = self.policy.nethosts as usize;
        if wanted == 0 || verdict.spoofable {
            return None;
        }
        let prefix = self.policy.network(verdict.addr);
        let (hosts, _) = self.networks.entry(prefix);
        let start = verdict.at.minus(self.policy.findtime);
        hosts.retain(|(host, at)| *at >= start && *host != verdict.addr);
        hosts.push((verdict.addr, verdict.at));
        if hosts.len() < wanted {
            return None;
        }
        let count = hosts.len() as u32;
        let evidence = Evidence::dated(hosts.iter().map(|(host, at)| (*at, host)));
        self.networks.remove(&prefix);
        let because = Because::Network;
        let captures = Captures::default();
        Some(Trip { prefix, by: None, at: verdict.at, count, because, evidence, captures })
    }

    /// Whether somebody at a known address would be hit by a ban of `prefix`.
    #[must_use]
    pub fn knows_within(&self, prefix: Prefix, now: Time) -> Option<IpAddr> {
        self.company.within(prefix, now.minus(self.policy.patience))
    }

    /// The memory of a stranger.
    #[must_use]
    pub fn track(&self, stranger: Prefix) -> Option<&Track> {
        self.strangers.peek(stranger)
    }

    /// Forgets what a stranger did, as after an unban.
    pub fn forget(&mut self, stranger: Prefix) {
        self.strangers.remove(stranger);
    }

    /// Puts back what was remembered before a restart.
    pub fn recall(&mut self, stranger: Prefix, track: Track) {
        self.strangers.recall(stranger, track);
    }

    /// The strangers who changed since the last call, for the store; `None` for the forgotten.
    pub fn take_changed(&mut self) -> Vec<(Prefix, Option<Track>)> {
        self.strangers.take_changes()
    }

    /// The addresses whose good logins changed since the last call, for the store.
    pub fn take_greeted(&mut self) -> Vec<(IpAddr, Known)> {
        self.company.take_changed()
    }

    /// Takes over what another jail remembers.
    pub fn inherit(&mut self, old: Self) {
        self.strangers = old.strangers;
        self.company = old.company;
        self.besieged = old.besieged;
        self.networks = old.networks;
        self.counts = old.counts;
    }

    /// The memory of a good address.
    #[must_use]
    pub fn known(&self, addr: IpAddr) -> Option<&Known> {
        self.company.known(addr)
    }

    /// Puts back a good address remembered before a restart.
    pub fn recall_known(&mut self, addr: IpAddr, known: Known) {
        self.company.recall(addr, known);
    }
}

#[cfg(test)]
mod tests;
