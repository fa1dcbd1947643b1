//! Joining lines into attempts: one login attempt is one count, whatever it leaves in the log.
//!
//! Three questions are asked of every hit before it counts:
//! - *Which attempt is it about?* Lines of one session are counted per step, and the attempt
//!   count is the largest of them (`Tally`).
//! - *Was it answered?* A challenge without an answer is a count of its own, later.
//! - *Who says so?* A line whose address a stranger could have chosen needs a voucher, or a
//!   moment without any sign of forgery near it ([`super::spec::Trust`]).

mod attempt;
mod verdict;
mod warden;

pub use verdict::{Line, Verdict};

use super::scan::Hit;
use super::spec::{Kind, SessionKey, Trust};
use crate::cap::{Capped, Hashed};
use crate::line::Style;
use crate::time::Time;
use attempt::Tally;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;
use verdict::verdict;
use warden::Warden;

/// Sessions remembered per source.
const SESSIONS: usize = 8_192;
/// How long a challenge may wait for its answer. Phones answer within a second; SIP gives up
/// a transaction after 32 s, but whoever needs so long is no phone that works.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long a line waits for its twin or for a sign of forgery.
const HOLD: Duration = Duration::from_secs(1);
/// Lines held at once; beyond it the oldest is let go unheard, and counted.
const HELD: usize = 4_096;
/// How long a log that had security events is expected to have more.
const SURE_FOR: Duration = Duration::from_secs(86_400);
/// So many bytes before and behind a forgery are in its shadow: more than one packet can hold.
const SHADOW: u64 = 64 << 10;
/// How long an address that somebody else used as his own is not believed by claim alone.
const FRAMED_FOR: Duration = Duration::from_secs(3600);

/// What the desk kept from counting, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Lines dropped because they were, or stood beside, a forgery.
    pub forged: u64,
    /// Lines that nobody vouched for.
    pub unvouched: u64,
    /// Lines let go because too many waited.
    pub overrun: u64,
}

/// Joins the hits of one source and one rule.
#[derive(Debug)]
pub struct Desk {
    tallies: Capped<u64, Tally, Hashed>,
    challenges: Capped<u64, Challenge, Hashed>,
    shuffle: RandomState,
    pairs: Capped<(IpAddr, u16), Pair>,
    held: VecDeque<Held>,
    framed: Capped<IpAddr, Time>,
    warden: Warden,
    /// When a security event was last seen: `sure` for a day, then the log may have lost them.
    sure_at: Option<Time>,
    /// Up to this byte of the source nothing is believed that is not sure.
    shadow_until: u64,
    kept: Kept,
}

#[derive(Clone, Debug, Default)]
struct Challenge {
    verdict: Option<Verdict<'static>>,
    claimed: bool,
    call: bool,
}

/// Lines that wait for their other half.
#[derive(Clone, Debug, Default)]
struct Pair {
    since: Time,
    twins: VecDeque<Verdict<'static>>,
    vouchers: u32,
}

#[derive(Clone, Debug)]
struct Held {
    verdict: Verdict<'static>,
    position: u64,
    spare: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            tallies: Capped::new(SESSIONS),
            challenges: Capped::new(SESSIONS),
            shuffle: RandomState::new(),
            pairs: Capped::new(HELD),
            held: VecDeque::new(),
            framed: Capped::new(1024),
            warden: Warden::default(),
            sure_at: None,
            shadow_until: 0,
            kept: Kept::default(),
        }
    }
}

impl Desk {
    /// What was kept from counting so far.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// When [`Desk::advance`] next has something to say.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let held = self.held.front().map(|h| h.verdict.at.plus(HOLD));
        let pair = self.pairs.oldest().map(|(_, p)| p.since.plus(HOLD));
        let challenge = self
            .challenges
            .oldest()
            .and_then(|(_, c)| c.verdict.as_ref())
            .map(|v| v.at.plus(ANSWER_WITHIN));
        [held, pair, challenge].into_iter().flatten().min()
    }

    /// Takes a hit that happened at `at`; gives what it amounts to.
    pub fn take(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        self.advance(at, out);
        if hit.stitched || hit.pattern.kind == Kind::Forgery {
            self.forgery(hit.position);
            self.kept.forged += 1;
            return;
        }
        let security = hit.record.level.as_ref() == b"SECURITY";
        let shadow = hit.position < self.shadow_until;
        if security
            && hit.record.style != Style::Json
            && !self.warden.admits(&hit.record.thread, shadow)
        {
            self.kept.forged += 1;
            return;
        }
        if security {
            self.sure_at = Some(at);
        }
        match hit.pattern.kind {
            Kind::Neutral | Kind::Forgery => {}
            Kind::End => drop(self.tallies.remove(&session_key(&self.shuffle, hit))),
            Kind::Success => {
                self.challenges.remove(&challenge_key(&self.shuffle, hit));
                if let Some(verdict) = verdict(hit, at, None) {
                    out(&verdict);
                }
            }
            Kind::Challenge => self.challenged(hit, at, out),
            Kind::Failure => self.failed(hit, at, out),
        }
    }

    /// Lets time pass: what waited long enough is decided.
    pub fn advance(&mut self, now: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        while self.held.front().is_some_and(|h| h.verdict.at.plus(HOLD) < now) {
            let Some(held) = self.held.pop_front() else { break };
            if !(held.spare && self.sure(now)) {
                out(&held.verdict);
            }
        }
        while self.pairs.oldest().is_some_and(|(_, p)| p.since.plus(HOLD) < now) {
            self.settle_pairs(now, out);
        }
        while self
            .challenges
            .oldest()
            .is_some_and(|(_, c)| c.verdict.as_ref().is_none_or(|v| v.at.plus(ANSWER_WITHIN) < now))
        {
            let Some((_, challenge)) = self.challenges.pop_oldest() else { break };
            let Some(verdict) = challenge.verdict else { continue };
            if challenge.claimed && self.is_framed(verdict.addr, now) {
                self.kept.unvouched += 1;
            } else {
                out(&verdict);
            }
        }
    }

    fn failed(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        // Services without challenges have none to look for.
        let answered = if self.challenges.is_empty() {
            None
        } else {
            self.challenges.remove(&challenge_key(&self.shuffle, hit))
        };
        if hit.position < self.shadow_until
            && !matches!(hit.pattern.trust, Trust::Sure | Trust::Voucher)
        {
            self.kept.forged += 1;
            return;
        }
        match hit.pattern.trust {
            Trust::Sure => self.count(hit, at, out),
            Trust::Voucher => self.vouch(hit, at, answered.as_ref(), out),
            Trust::Twin if self.sure(at) => self.twin(hit, at, out),
            Trust::Twin | Trust::Weak => self.hold(hit, at, false, out),
            Trust::Spare => self.hold(hit, at, true, out),
        }
    }

    /// Counts what is new of an attempt.
    fn count(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        if let Some(verdict) = self.tally(hit, at) {
            out(&verdict);
        }
    }

    fn tally<'a>(&mut self, hit: &Hit<'a>, at: Time) -> Option<Verdict<'a>> {
        if hit.pattern.session == SessionKey::None {
            return verdict(hit, at, None);
        }
        let (tally, _) = self.tallies.entry(session_key(&self.shuffle, hit));
        tally.refresh(hit.found.addr, at);
        let step = &mut tally.steps[hit.pattern.step as usize];
        *step = step.saturating_add(hit.found.times);
        let weight = tally.due(hit.pattern.weight);
        let addr = tally.addr;
        (weight > 0).then(|| verdict(hit, at, addr)).flatten().map(|v| Verdict { weight, ..v })
    }

    fn challenged(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let key = session_key(&self.shuffle, hit);
        if let Some(tally) = self.tallies.get(&key)
            && tally.at_the_door()
        {
            tally.challenges = tally.challenges.saturating_add(1);
            let heaviest = tally.heaviest;
            let weight = tally.due(heaviest);
            if weight > 0 {
                out_some(verdict(hit, at, None).map(|v| Verdict { weight, ..v }), out);
            }
            return;
        }
        let claimed = hit.pattern.trust == Trust::Voucher;
        let call = hit.found.user.is_some_and(|user| user.starts_with(b"sip"));
        let (challenge, gone) = self.challenges.entry(challenge_key(&self.shuffle, hit));
        self.kept.overrun += u64::from(gone.is_some());
        let Some(fresh) = verdict(hit, at, None) else { return };
        let fresh = Verdict { good: false, ..fresh }.to_owned();
        challenge.claimed = claimed;
        challenge.call = call;
        match challenge.verdict.take() {
            // The same request sent again: it waits since the first time.
            Some(first) if at.since(first.at) <= HOLD && first.account == fresh.account => {
                challenge.verdict = Some(first);
            }
            // Another request: the first one was never answered.
            Some(first) => {
                challenge.verdict = Some(fresh);
                if !claimed {
                    out(&first);
                }
            }
            None => challenge.verdict = Some(fresh),
        }
    }

    /// A security event whose address is the stranger's claim. It lets its twin count.
    fn vouch(
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
                pair.vouchers = pair.vouchers.saturating_add(1);
                pair.since = at;
            }
        }
    }

    /// A line whose address is true and which waits for its security event.
    fn twin(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let Some(verdict) = verdict(hit, at, None) else { return };
        let (pair, gone) = self.pairs.entry((verdict.addr, hit.found.port.unwrap_or(0)));
        self.kept.overrun += u64::from(gone.is_some());
        if pair.vouchers > 0 {
            pair.vouchers -= 1;
            out(&verdict);
        } else if pair.twins.len() < 64 {
            pair.twins.push_back(verdict.to_owned());
            pair.since = at;
        } else {
            self.kept.overrun += 1;
        }
    }

    /// Decides about the halves that found no other half. A stranger who claims another's
    /// address leaves as many lonely vouchers (with the claimed address) as lonely twins (with
    /// his own): then the twins count, and the claimed address is remembered as framed. More
    /// twins than vouchers means that some were made up: none counts.
    fn settle_pairs(&mut self, now: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let (mut twins, mut claimed, mut vouchers) = (Vec::new(), Vec::new(), 0usize);
        let Some(until) = self.pairs.oldest().map(|(_, pair)| pair.since.plus(HOLD)) else {
            return;
        };
        // What belongs together came within a moment.
        while self.pairs.oldest().is_some_and(|(_, pair)| pair.since <= until) {
            let Some(((addr, _), pair)) = self.pairs.pop_oldest() else { break };
            twins.extend(pair.twins);
            if pair.vouchers > 0 {
                vouchers += pair.vouchers as usize;
                claimed.push(addr);
            }
        }
        // Who speaks under an address as his own is not framed by using it.
        claimed.retain(|addr| twins.iter().all(|twin: &Verdict<'_>| twin.addr != *addr));
        if twins.is_empty() {
            // Vouchers alone: a log in which the twins are not written, or a framed address.
            claimed.into_iter().for_each(|addr| self.frame(addr, now));
            return;
        }
        if twins.len() <= vouchers {
            claimed.into_iter().for_each(|addr| self.frame(addr, now));
            twins.iter().for_each(out);
        } else {
            self.kept.unvouched += twins.len() as u64;
        }
    }

    fn hold(&mut self, hit: &Hit<'_>, at: Time, spare: bool, out: &mut dyn FnMut(&Verdict<'_>)) {
        if matches!(hit.record.style, Style::Syslog | Style::Json) && !spare {
            return self.count(hit, at, out);
        }
        if let Some(verdict) = self.tally(hit, at) {
            if self.held.len() >= HELD {
                self.held.pop_front();
                self.kept.overrun += 1;
            }
            self.held.push_back(Held {
                verdict: verdict.to_owned(),
                position: hit.position,
                spare,
            });
        }
    }

    /// Somebody wrote line breaks: what stands near it and is not sure is not heard. Nearness is
    /// counted in bytes: the dates of such lines are the stranger's.
    fn forgery(&mut self, position: u64) {
        let before = self.held.len();
        self.held.retain(|h| h.position + SHADOW < position);
        self.kept.forged += (before - self.held.len()) as u64;
        self.shadow_until = position + SHADOW;
    }

    /// Whether the log has security events, which say more than notices do.
    fn sure(&self, now: Time) -> bool {
        self.sure_at.is_some_and(|seen| now.since(seen) < SURE_FOR)
    }

    fn frame(&mut self, addr: IpAddr, now: Time) {
        *self.framed.entry(addr).0 = now.plus(FRAMED_FOR);
    }

    fn is_framed(&self, addr: IpAddr, now: Time) -> bool {
        self.framed.peek(&addr).is_some_and(|until| *until > now)
    }
}

fn out_some(verdict: Option<Verdict<'_>>, out: &mut dyn FnMut(&Verdict<'_>)) {
    if let Some(verdict) = verdict {
        out(&verdict);
    }
}

/// What joins the lines of one attempt, as a number.
fn session_key(shuffle: &RandomState, hit: &Hit<'_>) -> u64 {
    let found = &hit.found;
    match hit.pattern.session {
        SessionKey::None => 0,
        SessionKey::Process => shuffle.hash_one((1u8, hit.record.host, hit.record.pid)),
        SessionKey::Peer => shuffle.hash_one((2u8, found.addr, found.port)),
        SessionKey::Addr => shuffle.hash_one((3u8, found.addr)),
        SessionKey::Field => shuffle.hash_one((4u8, found.addr, found.session)),
    }
}

/// What joins a challenge to its answer, as a number.
fn challenge_key(shuffle: &RandomState, hit: &Hit<'_>) -> u64 {
    shuffle.hash_one((5u8, hit.found.addr, hit.found.session))
}
