//! Counting attempts: one login attempt is one count, however many lines it leaves.

use crate::rule::spec::Step;
use crate::time::Time;
use std::net::IpAddr;
use std::time::Duration;

/// How long a silent session is remembered.
const SESSION_IDLE: Duration = Duration::from_secs(600);

/// The lines of one session, counted per step. Small on purpose: with its key and place in the
/// list it fills a cache line, and every failure looks one up.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) steps: [u16; 5],
    pub(super) challenges: u16,
    pub(super) heaviest: u16,
    paid: u32,
    /// How much of that a packet with a false source address could have caused.
    doubted: u32,
    pub(super) addr: Option<IpAddr>,
    last: Time,
}

impl Tally {
    /// A session that was silent for long, or speaks from another address, is a new one.
    pub(super) fn refresh(&mut self, addr: Option<IpAddr>, at: Time) {
        let moved = matches!((addr, self.addr), (Some(new), Some(old)) if new != old);
        if moved || at.since(self.last) > SESSION_IDLE {
            *self = Self::default();
        }
        self.addr = addr.or(self.addr);
        self.last = at;
    }

    /// Counts lines of a step. Every step is written anew: a single one written and then all of them
    /// read would wait for each other.
    pub(super) fn add(&mut self, step: Step, times: u16) {
        let mut at = 0;
        self.steps = self.steps.map(|lines| {
            let more = if at == step as usize { times } else { 0 };
            at += 1;
            lines.saturating_add(more)
        });
    }

    fn contacts(&self) -> u16 {
        self.steps[Step::Contact as usize].max(self.steps[Step::ContactEcho as usize])
    }

    pub(super) fn at_the_door(&self) -> bool {
        self.contacts() > 0
    }

    /// Attempts so far: the most that any one witness saw. A stranger who is challenged makes
    /// contact twice for one attempt, so challenges are taken off the contacts; but each
    /// challenge of somebody unknown is at least an attempt.
    fn attempts(&self) -> u16 {
        let answers = self.steps[..3].iter().copied().max().unwrap_or(0);
        let unknown = if self.at_the_door() { self.challenges } else { 0 };
        answers.max(self.contacts().saturating_sub(self.challenges)).max(unknown)
    }

    /// What has to be counted now that was not counted before; and how much that was counted
    /// before, though it could have been spoofed, is proved by this line, which cannot.
    pub(super) fn due(&mut self, weight: u16, spoofable: bool) -> (u32, u32) {
        self.heaviest = self.heaviest.max(weight);
        let total = u32::from(self.attempts()) * u32::from(self.heaviest);
        let due = total.saturating_sub(self.paid);
        self.paid = self.paid.max(total);
        if spoofable {
            self.doubted = self.doubted.saturating_add(due);
            return (due, 0);
        }
        (due, std::mem::take(&mut self.doubted))
    }
}
