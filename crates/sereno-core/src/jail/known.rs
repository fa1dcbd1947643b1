//! Those who logged in well: from where, on which accounts, and what is borne with of them.

use super::JailPolicy;
use crate::addr::Prefix;
use crate::cap::{Capped, Scatter};
use crate::rule::session::Verdict;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Addresses with a good login remembered.
const KNOWN: usize = 16_384;
/// Addresses from which one account may log in well and be remembered. Who has one account must
/// not be able to push everybody else out of memory.
const HOMES: usize = 64;
/// Failures on an own account, as a multiple of `maxretry`, until patience ends.
const PATIENCE_FACTOR: u32 = 25;
/// Accounts of one address remembered.
const ACCOUNTS: usize = 8;
/// How often it is said of an address that somebody logged in there.
const TOLD: Duration = Duration::from_secs(3600);

/// An address from which somebody logged in well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The accounts, and when each last did; at most eight.
    pub accounts: Vec<(u64, Time)>,
    /// Whether any of them was sure to come from there: others can be sent in anybody's name.
    #[serde(default = "yes")]
    pub proven: bool,
    /// Failures on those accounts, in the current window.
    #[serde(skip)]
    own: u32,
    #[serde(skip)]
    since: Time,
    /// On the list of changes.
    #[serde(skip)]
    listed: bool,
    /// When it was last said that he is known.
    #[serde(skip)]
    told: Time,
}

/// What is not said of those of an older ledger.
fn yes() -> bool {
    true
}

impl Known {
    /// When somebody last logged in there.
    fn last(&self) -> Option<Time> {
        self.accounts.iter().map(|(_, at)| *at).max()
    }
}

/// All of a jail's.
#[derive(Debug)]
pub(super) struct Company {
    addrs: Capped<IpAddr, Known, Scatter>,
    /// From where an account logged in well, the latest last.
    homes: Capped<u64, VecDeque<IpAddr>>,
    /// Whose good logins changed since they were last written down.
    changed: Vec<IpAddr>,
}

impl Company {
    pub(super) fn new() -> Self {
        Self { addrs: Capped::new(KNOWN), homes: Capped::new(KNOWN), changed: Vec::new() }
    }

    /// From where somebody logged in well, and when last.
    pub(super) fn greetings(&self) -> impl Iterator<Item = (IpAddr, Time)> {
        self.addrs.iter().filter_map(|(addr, known)| Some((*addr, known.last()?)))
    }

    /// Those of whom it is proven.
    pub(super) fn proven(&self) -> impl Iterator<Item = (IpAddr, Time)> {
        let proven = self.addrs.iter().filter(|(_, known)| known.proven);
        proven.filter_map(|(addr, known)| Some((*addr, known.last()?)))
    }

    /// Somebody logged in. Says whether it is proven, and was said of nobody at this address for a while.
    pub(super) fn welcome(&mut self, verdict: &Verdict<'_>) -> bool {
        self.settle_in(verdict.account, verdict.addr);
        let (known, _) = self.addrs.entry(verdict.addr);
        known.accounts.retain(|(account, _)| *account != verdict.account);
        if known.accounts.len() >= ACCOUNTS {
            known.accounts.remove(0);
        }
        known.accounts.push((verdict.account, verdict.at));
        known.proven |= !verdict.spoofable;
        let news = !verdict.spoofable && verdict.at.since(known.told) > TOLD;
        if news {
            known.told = verdict.at;
        }
        if !std::mem::replace(&mut known.listed, true) {
            self.changed.push(verdict.addr);
            if self.changed.len() > 2 * KNOWN {
                self.changed.retain(|addr| self.addrs.peek(addr).is_some());
            }
        }
        news
    }

    /// An account is at home at one more address; at the one it left longest ago no more.
    fn settle_in(&mut self, account: u64, addr: IpAddr) {
        let (homes, _) = self.homes.entry(account);
        if let Some(at) = homes.iter().position(|home| *home == addr) {
            homes.remove(at);
        }
        homes.push_back(addr);
        if homes.len() <= HOMES {
            return;
        }
        let Some(left) = homes.pop_front() else { return };
        let Some(known) = self.addrs.peek_mut(&left) else { return };
        known.accounts.retain(|(one, _)| *one != account);
        if known.accounts.is_empty() {
            self.addrs.remove(&left);
        }
    }

    /// How much a failure counts; `None` where it is one to be patient with: on an account that
    /// logged in from the same address not long ago, or of a kind that anybody could fake in the
    /// name of an address where somebody did. What was borne as such counts when its session
    /// goes on to what nobody can fake: then it was no fake either.
    pub(super) fn weight(&mut self, verdict: &Verdict<'_>, policy: &JailPolicy) -> Option<u32> {
        let Some(known) = self.addrs.get(&verdict.addr) else { return Some(verdict.weight) };
        known.accounts.retain(|(_, at)| verdict.at.since(*at) <= policy.patience);
        if known.accounts.is_empty() {
            return Some(verdict.weight);
        }
        let own = verdict.account != 0
            && known.accounts.iter().any(|(account, _)| *account == verdict.account);
        if !own {
            return (!verdict.spoofable).then(|| verdict.weight.saturating_add(verdict.proved));
        }
        if verdict.at.since(known.since) > policy.findtime {
            known.since = verdict.at;
            known.own = 0;
        }
        known.own = known.own.saturating_add(verdict.weight);
        let enough = policy.maxretry.saturating_mul(PATIENCE_FACTOR);
        (known.own >= enough).then_some(verdict.weight)
    }

    /// Somebody of a network who logged in since then.
    pub(super) fn within(&self, prefix: Prefix, then: Time) -> Option<IpAddr> {
        let fresh = |known: &Known| known.last().is_some_and(|at| at >= then);
        if prefix.is_host() {
            let addr = prefix.addr();
            return self.addrs.peek(&addr).filter(|known| fresh(known)).map(|_| addr);
        }
        self.addrs
            .iter()
            .find(|(addr, known)| prefix.contains(**addr) && fresh(known))
            .map(|(addr, _)| *addr)
    }

    /// The addresses whose good logins changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<(IpAddr, Known)> {
        let changed = std::mem::take(&mut self.changed);
        let known = changed.into_iter().filter_map(|addr| {
            let known = self.addrs.peek_mut(&addr)?;
            std::mem::take(&mut known.listed).then(|| (addr, known.clone()))
        });
        known.collect()
    }

    pub(super) fn known(&self, addr: IpAddr) -> Option<&Known> {
        self.addrs.peek(&addr)
    }

    pub(super) fn recall(&mut self, addr: IpAddr, known: Known) {
        for (account, _) in &known.accounts {
            self.settle_in(*account, addr);
        }
        *self.addrs.entry(addr).0 = known;
    }
}
