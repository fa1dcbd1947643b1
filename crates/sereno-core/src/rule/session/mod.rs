//! Joining lines into attempts: one login attempt is one count, whatever it leaves in the log.
//!
//! Three questions are asked of every hit before it counts:
//! - *Which attempt is it about?* Lines of one session are counted per step, and the attempt
//!   count is the largest of them (`Tally`).
//! - *Was it answered?* A challenge without an answer is a count of its own, later.
//! - *Who says so?* A line whose address a stranger could have chosen needs a voucher, or a
//!   moment without any sign of forgery near it ([`super::spec::Trust`]).

mod attempt;
mod pair;
mod shadow;
mod verdict;
mod warden;

pub(crate) use verdict::account;
pub use verdict::{Line, Verdict};

use super::scan::Hit;
use super::spec::{Kind, SessionKey, Trust};
use crate::bytes;
use crate::cap::{Capped, Hashed};
use crate::line::Style;
use crate::time::Time;
use attempt::Tally;
use pair::Pair;
use shadow::Shadow;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;
use verdict::{Accounts, spoofable, verdict};
use warden::{Belief, Warden};

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
/// Framed addresses remembered.
const FRAMED: usize = 4_096;
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
    /// A random odd number.
    factor: u64,
    /// The host of the last line that had one, and its hash.
    host: (Vec<u8>, u64),
    accounts: Accounts,
    pairs: Capped<(IpAddr, u16), Pair>,
    held: VecDeque<Held>,
    /// Sessions of which a security event lost its address, and how many did.
    cut: Capped<u64, u32, Hashed>,
    framed: Capped<IpAddr, Time>,
    /// Until when everybody counts as framed.
    all_framed: Time,
    warden: Warden,
    /// When a security event was last seen: `sure` for a day, then the log may have lost them.
    sure_at: Option<Time>,
    shadow: Shadow,
    kept: Kept,
}

#[derive(Clone, Debug, Default)]
struct Challenge {
    verdict: Option<Verdict<'static>>,
    claimed: bool,
    call: bool,
}

#[derive(Clone, Debug)]
struct Held {
    verdict: Verdict<'static>,
    position: u64,
    spare: bool,
    /// The hash of the session's name.
    session: u64,
}

impl Default for Desk {
    fn default() -> Self {
        let shuffle = RandomState::new();
        Self {
            tallies: Capped::new(SESSIONS),
            challenges: Capped::new(SESSIONS),
            host: (Vec::new(), shuffle.hash_one((1u8, [0u8; 0].as_slice()))),
            factor: shuffle.hash_one(0u8) | 1,
            shuffle,
            accounts: Accounts::default(),
            pairs: Capped::new(HELD),
            held: VecDeque::new(),
            cut: Capped::new(FRAMED),
            framed: Capped::new(FRAMED),
            all_framed: Time::MIN,
            warden: Warden::default(),
            sure_at: None,
            shadow: Shadow::default(),
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

    /// Hits of this rule come next: finds out what sessions they are of, and brings those near.
    pub(crate) fn expect(&mut self, rule: usize, hits: &mut [Hit<'_>]) {
        let mine = |hit: &&mut Hit<'_>| {
            hit.rule == rule && hit.pattern.kind == Kind::Failure && !hit.stitched
        };
        for hit in hits.iter_mut().filter(mine) {
            hit.session = Some(self.session_key(hit));
        }
        let keys = hits.iter().filter(|hit| hit.rule == rule);
        self.tallies.expect(keys.filter_map(|hit| hit.session.as_ref()));
    }

    /// Takes a hit that happened at `at`; gives what it amounts to.
    pub fn take(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        self.advance(at, out);
        if hit.stitched || hit.pattern.kind == Kind::Forgery {
            // In a log whose records are one line each, or one entry, nobody writes two of them.
            if !hit.alone {
                self.forgery(hit, at, out);
            }
            return;
        }
        let shaded = self.shadow.over(hit);
        if hit.record.level.as_ref() == b"SECURITY" {
            match self.believed(hit) {
                Belief::Whole => {
                    self.sure_at = Some(at);
                    self.shadow.end(hit.position);
                }
                Belief::Held if hit.pattern.kind == Kind::Failure && !shaded => {
                    return self.failed(hit, at, Belief::Held, out);
                }
                Belief::Held | Belief::No => {
                    self.kept.forged += 1;
                    return;
                }
            }
        }
        let belief = if shaded { Belief::No } else { Belief::Whole };
        match hit.pattern.kind {
            Kind::Neutral if hit.pattern.trust == Trust::Voucher => self.cut_short(hit),
            Kind::Neutral | Kind::Forgery => {}
            Kind::End => {
                let key = self.session_key(hit);
                self.tallies.remove(&key);
            }
            Kind::Success => {
                // What was sent to this address arrived there.
                let answered = !self.challenges.is_empty()
                    && self.challenges.remove(&challenge_key(&self.shuffle, hit)).is_some();
                let claimed = hit.pattern.trust == Trust::Voucher;
                if claimed && hit.found.addr.is_some_and(|addr| self.is_framed(addr, at)) {
                    self.kept.unvouched += 1;
                } else if let Some(verdict) = verdict(hit, at, None, &mut self.accounts) {
                    out(&Verdict { spoofable: verdict.spoofable && !answered, ..verdict });
                }
            }
            Kind::Challenge => self.challenged(hit, at, out),
            Kind::Failure => self.failed(hit, at, belief, out),
        }
    }

    /// Lets time pass: what waited long enough is decided.
    #[inline]
    pub fn advance(&mut self, now: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        if !(self.held.is_empty() && self.pairs.is_empty() && self.challenges.is_empty()) {
            self.decide(now, out);
        }
    }

    fn decide(&mut self, now: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        while self.held.front().is_some_and(|h| h.verdict.at.plus(HOLD) < now) {
            let Some(held) = self.held.pop_front() else { break };
            if self.counts(&held, now) {
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

    /// How far a security event is believed, by who writes it.
    fn believed(&mut self, hit: &Hit<'_>) -> Belief {
        match hit.record.style {
            Style::Json => Belief::Whole,
            _ => self.warden.judge(&hit.record.thread, self.shadow.alert(hit.position)),
        }
    }

    fn failed(
        &mut self,
        hit: &Hit<'_>,
        at: Time,
        belief: Belief,
        out: &mut dyn FnMut(&Verdict<'_>),
    ) {
        // Services without challenges have none to look for.
        let answered = if self.challenges.is_empty() {
            None
        } else {
            self.challenges.remove(&challenge_key(&self.shuffle, hit))
        };
        // A record of syslog's has nobody else's lines in it, as a rule.
        let lines = matches!(hit.record.style, Style::Syslog | Style::Json);
        match (hit.pattern.trust, belief) {
            (Trust::Voucher, Belief::Held)
            | (Trust::Twin | Trust::Weak | Trust::Spare, Belief::No) => {
                self.kept.forged += 1;
            }
            (Trust::Sure, Belief::Held) => self.hold(hit, at, false),
            (Trust::Sure, _) => self.count(hit, at, out),
            (Trust::Voucher, _) => self.vouch(hit, at, answered.as_ref(), out),
            (Trust::Twin, _) if self.sure(at) => self.twin(hit, at, out),
            (Trust::Twin | Trust::Weak, _) if lines => self.count(hit, at, out),
            (Trust::Twin | Trust::Weak, _) => self.hold(hit, at, false),
            (Trust::Spare, _) => self.hold(hit, at, true),
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
            return verdict(hit, at, None, &mut self.accounts);
        }
        let key = self.session_key(hit);
        let (tally, _) = self.tallies.entry(key);
        tally.refresh(hit.found.addr, at);
        tally.add(hit.pattern.step, hit.found.times);
        let (weight, proved) = tally.due(hit.pattern.weight, spoofable(hit));
        let addr = tally.addr;
        if weight + proved == 0 {
            return None;
        }
        let mut verdict = verdict(hit, at, addr, &mut self.accounts)?;
        (verdict.weight, verdict.proved) = (weight, proved);
        Some(verdict)
    }

    fn challenged(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        let key = self.session_key(hit);
        if let Some(tally) = self.tallies.get(&key)
            && tally.at_the_door()
        {
            tally.challenges = tally.challenges.saturating_add(1);
            let heaviest = tally.heaviest;
            let (weight, _) = tally.due(heaviest, true);
            if weight > 0 {
                out_some(
                    verdict(hit, at, None, &mut self.accounts).map(|v| Verdict { weight, ..v }),
                    out,
                );
            }
            return;
        }
        let claimed = hit.pattern.trust == Trust::Voucher;
        let call = hit.found.user.is_some_and(|user| user.starts_with(b"sip"));
        let (challenge, gone) = self.challenges.entry(challenge_key(&self.shuffle, hit));
        self.kept.overrun += u64::from(gone.is_some());
        let Some(fresh) = verdict(hit, at, None, &mut self.accounts) else { return };
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

    /// Lets a line wait for signs of forgery behind it.
    fn hold(&mut self, hit: &Hit<'_>, at: Time, spare: bool) {
        if let Some(verdict) = self.tally(hit, at) {
            if self.held.len() >= HELD {
                self.held.pop_front();
                self.kept.overrun += 1;
            }
            self.held.push_back(Held {
                verdict: verdict.to_owned(),
                position: hit.position,
                spare,
                session: self.shuffle.hash_one((6u8, hit.found.session.unwrap_or_default())),
            });
        }
    }

    /// Somebody wrote line breaks. What may be of the same record and is not sure is not heard.
    fn forgery(&mut self, hit: &Hit<'_>, at: Time, out: &mut dyn FnMut(&Verdict<'_>)) {
        self.kept.forged += 1;
        if !hit.stitched && hit.pattern.ends {
            let (before, from) = (self.held.len(), self.shadow.behind(hit));
            self.held.retain(|held| held.position < from);
            self.kept.forged += (before - self.held.len()) as u64;
            return;
        }
        let shaded = self.shadow.over(hit);
        self.shadow.before(hit);
        // Who wrote it stands before all that he wrote: that much is as good as any line that
        // could be imitated.
        if hit.pattern.kind == Kind::Failure && hit.pattern.names_sender() && !shaded {
            match hit.pattern.trust {
                Trust::Twin if self.sure(at) => self.twin(hit, at, out),
                Trust::Spare => self.hold(hit, at, true),
                _ => self.hold(hit, at, false),
            }
        }
    }

    /// A security event that was too long for its address. It vouches for the spare line of the
    /// same session.
    fn cut_short(&mut self, hit: &Hit<'_>) {
        let Some(session) = hit.found.session else { return };
        let (events, _) = self.cut.entry(self.shuffle.hash_one((6u8, session)));
        *events += 1;
        self.kept.unvouched += 1;
    }

    /// Whether a line that waited counts.
    fn counts(&mut self, held: &Held, now: Time) -> bool {
        if !(held.spare && self.sure(now)) {
            return true;
        }
        match self.cut.get(&held.session) {
            Some(events) if *events > 0 => {
                *events -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether the log has security events, which say more than notices do.
    fn sure(&self, now: Time) -> bool {
        self.sure_at.is_some_and(|seen| now.since(seen) < SURE_FOR)
    }
}

fn out_some(verdict: Option<Verdict<'_>>, out: &mut dyn FnMut(&Verdict<'_>)) {
    if let Some(verdict) = verdict {
        out(&verdict);
    }
}

impl Desk {
    /// What joins the lines of one attempt, as a number.
    fn session_key(&mut self, hit: &Hit<'_>) -> u64 {
        if let Some(known) = hit.session {
            return known;
        }
        let (shuffle, found) = (&self.shuffle, &hit.found);
        match hit.pattern.session {
            SessionKey::None => 0,
            SessionKey::Process => {
                // Of a log most lines are of one host.
                if !bytes::same(&self.host.0, hit.record.host) {
                    self.host =
                        (hit.record.host.to_vec(), shuffle.hash_one((1u8, hit.record.host)));
                }
                let pid = hit.record.pid;
                match pid.len() {
                    0..=8 => self.scattered(self.host.1 ^ bytes::sixteen(pid, 0) as u64),
                    9..=16 => shuffle.hash_one((self.host.1, bytes::sixteen(pid, 0))),
                    _ => shuffle.hash_one((7u8, self.host.1, pid)),
                }
            }
            SessionKey::Peer => shuffle.hash_one((2u8, found.addr, found.port)),
            SessionKey::Addr => shuffle.hash_one((3u8, found.addr)),
            SessionKey::Field => shuffle.hash_one((4u8, found.addr, found.session)),
        }
    }

    /// Another number for each number, so that no two processes of a host are taken for one; which,
    /// nobody outside knows, so that nobody can choose processes that fall together. It costs a
    /// tenth of a hash.
    fn scattered(&self, number: u64) -> u64 {
        let mixed = number.wrapping_mul(self.factor);
        (mixed ^ mixed >> 32).wrapping_mul(self.factor)
    }
}

/// What joins a challenge to its answer, as a number.
fn challenge_key(shuffle: &RandomState, hit: &Hit<'_>) -> u64 {
    shuffle.hash_one((5u8, hit.found.addr, hit.found.session))
}
