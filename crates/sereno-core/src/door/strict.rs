//! knockd's own manner, as knockd 0.8 was seen to behave (the cases in `tests/data/knockd`):
//!
//! - Only packets to a port that some door lists are seen, with the flags that door wants. They are all
//!   that breaks an attempt.
//! - Attempts belong to a source. While it has one, no other begins.
//! - Time is counted in whole seconds from the first hit, and asked about when a packet is seen.
//! - When the oldest attempt ends, in whatever way, all others are forgotten.
//! - For IPv6, the ports are those from the start, whatever one-time sequences came later; and the
//!   addresses of this machine are those from the start for both.
//!
//! One thing is not the same: there are at most [`MOST`] attempts, and the oldest leaves.

use super::knocks::{Event, Live, Locals, What};
use super::packet::Packet;
use super::sequence::Hit;
use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

/// Attempts at most: all are looked at for each packet.
const MOST: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Attempt {
    source: IpAddr,
    door: usize,
    /// `None` once it failed.
    stage: Option<usize>,
    /// Whole seconds.
    since: i64,
}

#[derive(Debug)]
pub(super) struct Strict {
    attempts: VecDeque<Attempt>,
    locals: Locals,
    /// The ports of each door as they were at the start.
    six: Vec<HashSet<Hit>>,
}

impl Strict {
    pub(super) fn new(doors: &[Live], locals: Locals) -> Self {
        Self { attempts: VecDeque::new(), locals, six: doors.iter().map(ports).collect() }
    }

    pub(super) fn held(&self) -> usize {
        self.attempts.len()
    }

    pub(super) fn packet(&mut self, doors: &[Live], packet: &Packet, events: &mut Vec<Event>) {
        if !doors.iter().enumerate().any(|(at, door)| self.sees(at, door, packet)) {
            return;
        }
        self.clear(doors, packet, events);
        let mut found = false;
        for attempt in self.attempts.iter_mut().filter(|a| a.source == packet.source) {
            let Some(live) = doors.get(attempt.door) else { continue };
            if !live.is_at(packet, &self.locals) {
                continue;
            }
            found = true;
            if !live.accepts(packet) {
                continue;
            }
            let (hits, Some(stage)) = (live.hits(), attempt.stage) else { continue };
            attempt.stage = (hits.get(stage) == Some(&packet.hit())).then_some(stage + 1);
            if let Some(stage) = attempt.stage {
                live.reached(attempt.door, packet, stage, events);
            }
        }
        if !found {
            self.begin(doors, packet, events);
        }
    }

    fn sees(&self, at: usize, live: &Live, packet: &Packet) -> bool {
        let listed = match (packet.source, self.six.get(at)) {
            (IpAddr::V6(_), Some(ports)) => ports.contains(&packet.hit()),
            _ => live.hits().contains(&packet.hit()),
        };
        listed && live.is_at(packet, &self.locals) && live.accepts(packet)
    }

    /// Ends what is over.
    fn clear(&mut self, doors: &[Live], packet: &Packet, events: &mut Vec<Event>) {
        let now = packet.at.secs();
        let mut over = |attempt: &Attempt| {
            let Some(live) = doors.get(attempt.door) else { return true };
            let done = attempt.stage.is_some_and(|stage| stage >= live.hits().len());
            let within = i64::try_from(live.door.within.as_secs()).unwrap_or(i64::MAX);
            let late = !done && now - attempt.since >= within;
            if let (true, Some(stage)) = (late, attempt.stage) {
                let what = What::TimedOut(stage);
                events.push(Event { door: attempt.door, source: attempt.source, what });
            }
            done || late || attempt.stage.is_none()
        };
        let mut first = true;
        let mut lost = false;
        self.attempts.retain(|attempt| {
            let over = over(attempt);
            lost |= over && std::mem::take(&mut first);
            first = false;
            !over
        });
        if lost {
            self.attempts.clear();
        }
    }

    fn begin(&mut self, doors: &[Live], packet: &Packet, events: &mut Vec<Event>) {
        for (door, live) in doors.iter().enumerate() {
            let first = live.hits().first() == Some(&packet.hit());
            if !first || !live.accepts(packet) || !live.is_at(packet, &self.locals) {
                continue;
            }
            if self.attempts.len() >= MOST {
                self.attempts.pop_front();
            }
            let (source, since) = (packet.source, packet.at.secs());
            self.attempts.push_back(Attempt { source, door, stage: Some(1), since });
            live.reached(door, packet, 1, events);
        }
    }
}

fn ports(live: &Live) -> HashSet<Hit> {
    live.hits().iter().copied().collect()
}
