//! The two halves of what chan_sip writes of one attempt: a security event, which happened but
//! has the address that the stranger claims, and a notice, which has the true address but can be
//! imitated.
//!
//! Halves with the same address and port count at once. What is left after a moment is decided
//! here. A stranger who claims another's address leaves as many lonely events (with the claimed
//! address) as lonely notices (with his own): then the notices count, and the claimed address is
//! remembered as framed. More notices than events means that some were made up, and none of
//! them counts. That is asked for each account by itself, so that a made-up notice takes only
//! those of its own account with it; and once more for what then is left, for a stranger can
//! write his account in two ways. (He who can do that, and make up a notice that is not seen to
//! be made up, gains nothing by it: he can have events without a notice anyway, from a call that
//! claims another address at its second try.)

use super::verdict::verdict;
use super::{Challenge, Desk, FRAMED_FOR, HOLD, Verdict};
use crate::rule::scan::Hit;
use crate::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Halves of one kind that wait at one address and port.
const MOST: usize = 64;

/// The halves at one address and port that wait for their other half.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    pub(super) since: Time,
    pub(super) twins: VecDeque<Verdict<'static>>,
    /// The accounts of the events.
    pub(super) vouchers: VecDeque<u64>,
}

impl Pair {
    /// An event waits for its notice.
    pub(super) fn vouch(&mut self, account: u64) {
        if self.vouchers.len() >= MOST {
            self.vouchers.pop_front();
        }
        self.vouchers.push_back(account);
    }

    /// A notice waits for its event; not if too many do.
    pub(super) fn wait(&mut self, twin: &Verdict<'_>) -> bool {
        let room = self.twins.len() < MOST;
        if room {
            self.twins.push_back(twin.to_owned());
        }
        room
    }
}

/// The halves of one moment whose other half did not come.
#[derive(Debug, Default)]
pub(super) struct Lonely {
    twins: BTreeMap<u64, Vec<Verdict<'static>>>,
    /// How many events name an account.
    vouchers: BTreeMap<u64, usize>,
    claimed: Vec<IpAddr>,
}

impl Lonely {
    /// Adds what waited at an address.
    pub(super) fn add(&mut self, addr: IpAddr, pair: Pair) {
        for twin in pair.twins {
            self.twins.entry(twin.account).or_default().push(twin);
        }
        if !pair.vouchers.is_empty() {
            self.claimed.push(addr);
        }
        for account in pair.vouchers {
            *self.vouchers.entry(account).or_default() += 1;
        }
    }

    /// The notices that count, and the addresses that somebody else used as his own. Adds the
    /// notices that do not count to `unvouched`.
    pub(super) fn settle(mut self, unvouched: &mut u64) -> (Vec<Verdict<'static>>, Vec<IpAddr>) {
        // Who speaks under an address as his own is not framed by using it.
        let own = |addr: &IpAddr| self.twins.values().flatten().any(|twin| twin.addr == *addr);
        self.claimed.retain(|addr| !own(addr));
        let alone = self.twins.is_empty();
        let (mut count, mut left) = (Vec::new(), Vec::new());
        for (account, twins) in self.twins {
            let events = self.vouchers.entry(account).or_default();
            if account != 0 && twins.len() <= *events {
                *events -= twins.len();
                count.extend(twins);
            } else {
                left.extend(twins);
            }
        }
        if left.len() <= self.vouchers.values().sum() {
            count.append(&mut left);
        }
        *unvouched += left.len() as u64;
        // Events alone: a log in which the notices are not written, or a framed address.
        let framed = alone || !count.is_empty();
        (count, if framed { self.claimed } else { Vec::new() })
    }
}

impl Desk {
    /// A security event whose address is the stranger's claim. It lets its twin count.
    pub(super) fn vouch(
        &mut self,
        hit: &Hit<'_>,
        at: Time,
        answered: Option<&Challenge>,
        out: &mut dyn FnMut(&Verdict<'_>),
    ) {
        let Some(addr) = hit.found.addr else { return };
        // A call's refusal has no twin. It counts when it answers a challenge that went to the
        // same address, and nobody was caught using that address as his own.
        if answered.is_some_and(|c| c.call) {
            if self.is_framed(addr, at) {
                self.kept.unvouched += 1;
            } else {
                self.count(hit, at, out);
            }
            return;
        }
        let (pair, _) = self.pairs.entry((addr, hit.found.port.unwrap_or(0)));
        match pair.twins.pop_front() {
            Some(verdict) => out(&verdict),
            None => {
                pair.vouch(
                    verdict(hit, at, None, &mut self.accounts).map_or(0, |verdict| verdict.account),
                );
                pair.since = at;
            }
        }
    }

    /// A line whose address is true and which waits for its security event.
    pub(super) fn twin(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let Some(verdict) = verdict(hit, at, None, &mut self.accounts) else { return };
        let (pair, gone) = self.pairs.entry((verdict.addr, hit.found.port.unwrap_or(0)));
        self.kept.overrun += u64::from(gone.is_some());
        if pair.vouchers.pop_front().is_some() {
            out(&verdict);
        } else if pair.wait(&verdict) {
            pair.since = at;
        } else {
            self.kept.overrun += 1;
        }
    }

    /// Decides about the halves that found no other half within a moment.
    pub(super) fn settle_pairs(&mut self, now: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let Some(until) = self.pairs.oldest().map(|(_, pair)| pair.since.plus(HOLD)) else {
            return;
        };
        let mut lonely = Lonely::default();
        while self.pairs.oldest().is_some_and(|(_, pair)| pair.since <= until) {
            let Some(((addr, _), pair)) = self.pairs.pop_oldest() else { break };
            lonely.add(addr, pair);
        }
        let (true_ones, claimed) = lonely.settle(&mut self.kept.unvouched);
        claimed.into_iter().for_each(|addr| self.frame(addr, now));
        true_ones.iter().for_each(out);
    }

    /// Remembers an address that somebody else used as his own. If too many are, claims are
    /// believed of nobody for as long: making us forget one must not help.
    pub(super) fn frame(&mut self, addr: IpAddr, now: Time) {
        let (until, gone) = self.framed.entry(addr);
        *until = now.plus(FRAMED_FOR);
        if let Some((_, until)) = gone.filter(|(_, until)| *until > now) {
            self.all_framed = self.all_framed.max(until);
            self.kept.overrun += 1;
        }
    }

    pub(super) fn is_framed(&self, addr: IpAddr, now: Time) -> bool {
        self.all_framed > now || self.framed.peek(&addr).is_some_and(|until| *until > now)
    }
}
