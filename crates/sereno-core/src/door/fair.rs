//! The ordinary manner of matching.
//!
//! A knock is right if its packets come in their order, within the door's time from the first to the
//! last. Between two of them:
//!
//! - A repeated hit does not matter. A repeated first hit is a new beginning as well.
//! - Another port of any door, out of turn, spoils the attempt, and so does every packet of the same
//!   source that begins something (`Packet::fresh`), to whatever port. Both only if the door is
//!   knocked at with that protocol at all: calls over UDP do not disturb knocks over TCP.
//! - Other sources do not matter.
//!
//! So whoever tries ports in any order meets a sequence only where its ports follow each other in that
//! order. Neighbours do ([`Sequence::is_weak`](super::Sequence::is_weak)): such a door, and one of a
//! single port, wants that the source was quiet before for as long as the knock may take.
//!
//! Memory is bounded, and what a stranger can make up does not push out who got further: first hits
//! are in a table of their own ([`Firsts`]), and those who made two, three, or more are in rooms of
//! their own, where the one who was heard of longest ago leaves.

use super::firsts::Firsts;
use super::knocks::{Event, Live, Locals, What};
use super::packet::{Packet, Protocol};
use super::sequence::{Hit, Sequence};
use crate::cap::Capped;
use crate::time::Time;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Rooms for those who made two hits, three, or more, and sources in each.
const ROOMS: usize = 3;
const ROOM: usize = 16_384;
/// Attempts of one source; of more, those that began first leave.
const MOST_TRIES: usize = 32;
/// Sources of which it is remembered that they were not quiet, or that they touched a trap.
const MOST_NOISY: usize = 16_384;
/// How many of a room are looked at for each packet, whether they are over.
const SWEPT: usize = 2;

/// A door and one of its sequences, by its place.
type Lane = (usize, usize);

/// Somebody on the way through a sequence, with two hits at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Try {
    door: usize,
    /// The sequence's number.
    lane: u64,
    stage: usize,
    start: Time,
}

#[derive(Debug)]
pub(super) struct Fair {
    firsts: Firsts,
    rooms: [Capped<IpAddr, Vec<Try>>; ROOMS],
    noise: Capped<(IpAddr, bool), Time>,
    barred: Capped<(IpAddr, usize), Time>,
    map: Map,
    spoiled: u64,
    pushed: u64,
}

/// What ports mean.
#[derive(Debug, Default)]
struct Map {
    /// Every port of a door or a trap, and the doors whose trap it is.
    listed: HashMap<Hit, Vec<usize>>,
    /// By their first port.
    starts: HashMap<Hit, Vec<Lane>>,
    /// By their first two ports.
    seconds: HashMap<(Hit, Hit), Vec<Lane>>,
    /// Whether quiet matters to any door.
    weak: bool,
    /// The longest that a knock may take.
    longest: Duration,
}

impl Map {
    fn new(doors: &[Live]) -> Self {
        let mut map = Self::default();
        for (door, live) in doors.iter().enumerate() {
            map.longest = map.longest.max(live.door.within);
            for trap in &live.door.traps {
                map.listed.entry(*trap).or_default().push(door);
            }
            for (lane, (_, sequence)) in live.lanes.iter().enumerate() {
                map.weak |= sequence.is_weak();
                for hit in sequence.hits() {
                    map.listed.entry(*hit).or_default();
                }
                map.starts.entry(sequence.first()).or_default().push((door, lane));
                if let [first, second, ..] = sequence.hits() {
                    map.seconds.entry((*first, *second)).or_default().push((door, lane));
                }
            }
        }
        map
    }
}

/// A packet and where it came from, while it is looked at.
#[derive(Clone, Copy)]
struct Now<'a> {
    packet: &'a Packet,
    hit: Hit,
    doors: &'a [Live],
    locals: &'a Locals,
    /// Whether some door lists the port.
    listed: bool,
}

impl Now<'_> {
    /// Whether the packet is a knock at this door.
    fn knocks(&self, live: &Live) -> bool {
        live.accepts(self.packet) && live.is_at(self.packet, self.locals)
    }

    /// Whether the packet spoils an attempt at this sequence, if it is not its next hit.
    fn spoils(&self, live: &Live, sequence: &Sequence) -> bool {
        let counts = self.packet.fresh || self.listed && self.knocks(live);
        counts && sequence.uses(self.packet.protocol)
    }

    fn late(&self, live: &Live, start: Time) -> bool {
        self.packet.at.since(start) > live.door.within
    }

    fn event(&self, door: usize, what: What, events: &mut Vec<Event>) {
        events.push(Event { door, source: self.packet.source, what });
    }
}

impl Fair {
    pub(super) fn new(doors: &[Live], slots: usize) -> Self {
        Self {
            firsts: Firsts::new(slots),
            rooms: std::array::from_fn(|_| Capped::new(ROOM)),
            noise: Capped::new(MOST_NOISY),
            barred: Capped::new(MOST_NOISY),
            map: Map::new(doors),
            spoiled: 0,
            pushed: 0,
        }
    }

    /// Learns which sequences are in force now.
    pub(super) fn learn(&mut self, doors: &[Live]) {
        self.map = Map::new(doors);
    }

    pub(super) fn pushed(&self) -> u64 {
        self.pushed + self.firsts.pushed
    }

    pub(super) fn held(&self) -> usize {
        self.rooms.iter().map(Capped::len).sum()
    }

    pub(super) fn spoiled(&self) -> u64 {
        self.spoiled
    }

    pub(super) fn packet(
        &mut self,
        doors: &[Live],
        locals: &Locals,
        packet: &Packet,
        events: &mut Vec<Event>,
    ) {
        self.sweep(doors, packet.at, events);
        let hit = packet.hit();
        let listed = self.map.listed.contains_key(&hit);
        let here = locals.contains(&packet.destination)
            || doors.iter().any(|live| live.door.target == Some(packet.destination));
        if !here || !listed && !packet.fresh {
            return;
        }
        let now = Now { packet, hit, doors, locals, listed };
        self.spring(now);
        let mut tries = self.take(packet.source);
        let mut done = Vec::new();
        tries.retain_mut(|attempt| self.go_on(now, attempt, &mut done, events));
        self.second(now, &mut tries, &mut done, events);
        self.begin(now, &mut done, events);
        for (door, lane) in done {
            tries.retain(|attempt| attempt.door != door);
            let barred = self.barred.peek(&(packet.source, door));
            let what = match barred.is_some_and(|until| *until > packet.at) {
                true => What::Barred,
                false => What::Done(lane),
            };
            now.event(door, what, events);
        }
        self.keep(packet.source, tries);
        if self.map.weak && packet.fresh && !listed {
            *self.noise.entry((packet.source, packet.protocol == Protocol::Udp)).0 = packet.at;
        }
    }

    /// Bars who touches a trap.
    fn spring(&mut self, now: Now<'_>) {
        let Some(trapped) = self.map.listed.get(&now.hit) else { return };
        for door in trapped {
            let Some(live) = now.doors.get(*door) else { continue };
            let until = now.packet.at.plus(live.door.barred);
            *self.barred.entry((now.packet.source, *door)).0 = until;
        }
    }

    /// Takes out what a source has under way.
    fn take(&mut self, source: IpAddr) -> Vec<Try> {
        let mut rooms = self.rooms.iter_mut().filter(|room| !room.is_empty());
        rooms.find_map(|room| room.remove(&source)).unwrap_or_default()
    }

    /// Puts it into the room of who got as far.
    fn keep(&mut self, source: IpAddr, mut tries: Vec<Try>) {
        while tries.len() > MOST_TRIES {
            let oldest = (0..tries.len()).min_by_key(|at| tries[*at].start).unwrap_or(0);
            tries.remove(oldest);
        }
        let Some(stage) = tries.iter().map(|attempt| attempt.stage).max() else { return };
        let (place, gone) = self.rooms[stage.saturating_sub(2).min(ROOMS - 1)].entry(source);
        *place = tries;
        self.pushed += u64::from(gone.is_some());
    }

    /// What a packet means to an attempt; says whether it is still under way.
    fn go_on(
        &mut self,
        now: Now<'_>,
        attempt: &mut Try,
        done: &mut Vec<(usize, u64)>,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(live) = now.doors.get(attempt.door) else { return false };
        let lane = live.lanes.iter().find(|(number, _)| *number == attempt.lane);
        let Some((_, sequence)) = lane else { return false };
        if now.late(live, attempt.start) {
            now.event(attempt.door, What::TimedOut(attempt.stage), events);
            return false;
        }
        let (before, after) = sequence.hits().split_at(attempt.stage.min(sequence.hits().len()));
        if after.first() == Some(&now.hit) && now.knocks(live) {
            attempt.stage += 1;
            now.event(attempt.door, What::Stage(attempt.stage), events);
            if after.len() == 1 && !done.contains(&(attempt.door, attempt.lane)) {
                done.push((attempt.door, attempt.lane));
            }
            return after.len() > 1;
        }
        let spoiled = !before.contains(&now.hit) && now.spoils(live, sequence);
        self.spoiled += u64::from(spoiled);
        !spoiled
    }

    /// What a packet means to who made one hit.
    fn second(
        &mut self,
        now: Now<'_>,
        tries: &mut Vec<Try>,
        done: &mut Vec<(usize, u64)>,
        events: &mut Vec<Event>,
    ) {
        let source = now.packet.source;
        let Some((first, start)) = self.firsts.take(source, now.packet.at) else { return };
        let mut used = false;
        for (door, at) in self.map.seconds.get(&(first, now.hit)).into_iter().flatten() {
            let Some(live) = now.doors.get(*door) else { continue };
            let Some((lane, sequence)) = live.lanes.get(*at) else { continue };
            let loud = sequence.is_weak() && self.loud(now, live, sequence, start);
            if !now.knocks(live) || now.late(live, start) || loud {
                continue;
            }
            used = true;
            now.event(*door, What::Stage(1), events);
            now.event(*door, What::Stage(2), events);
            let attempt = Try { door: *door, lane: *lane, stage: 2, start };
            if sequence.hits().len() == 2 {
                done.push((*door, *lane));
                continue;
            }
            // One that was as far is the older one.
            tries.retain(|old| (old.door, old.lane, old.stage) != (*door, *lane, 2));
            tries.push(attempt);
        }
        if used {
            return;
        }
        let lanes = self.map.starts.get(&first).into_iter().flatten();
        let spoils = |(door, at): &Lane| {
            let live = now.doors.get(*door)?;
            Some(now.spoils(live, &live.lanes.get(*at)?.1))
        };
        let mut spoils = lanes.filter_map(spoils);
        // Who began at which of these doors is not known. What begins something is a scan for all of
        // them; another packet is a mistake only if it is one whichever it was.
        let spoiled = match now.packet.fresh {
            true => spoils.any(|spoils| spoils),
            false => spoils.all(|spoils| spoils),
        };
        if now.hit != first && spoiled {
            self.spoiled += 1;
        } else {
            self.firsts.put(source, first, start, self.map.longest);
        }
    }

    /// Begins an attempt at each door whose first port this is.
    fn begin(&mut self, now: Now<'_>, done: &mut Vec<(usize, u64)>, events: &mut Vec<Event>) {
        let at = now.packet.at;
        let mut begins = false;
        for (door, lane) in self.map.starts.get(&now.hit).into_iter().flatten() {
            let Some(live) = now.doors.get(*door).filter(|live| now.knocks(live)) else { continue };
            let Some((lane, sequence)) = live.lanes.get(*lane) else { continue };
            begins |= sequence.hits().len() > 1;
            if sequence.hits().len() == 1 && !self.loud(now, live, sequence, at) {
                now.event(*door, What::Stage(1), events);
                done.push((*door, *lane));
            }
        }
        if begins {
            self.firsts.put(now.packet.source, now.hit, at, self.map.longest);
        }
    }

    /// Whether a source began something else shortly before.
    fn loud(&self, now: Now<'_>, live: &Live, sequence: &Sequence, start: Time) -> bool {
        [Protocol::Tcp, Protocol::Udp].into_iter().any(|protocol| {
            let key = (now.packet.source, protocol == Protocol::Udp);
            let noise = self.noise.peek(&key).filter(|_| sequence.uses(protocol));
            noise.is_some_and(|noise| start.since(*noise) < live.door.within)
        })
    }

    /// Ends some of what is over, so that it is said, and takes no memory.
    fn sweep(&mut self, doors: &[Live], now: Time, events: &mut Vec<Event>) {
        for room in &mut self.rooms {
            for _ in 0..SWEPT {
                let late = |attempt: &Try| {
                    let live = doors.get(attempt.door);
                    live.is_none_or(|live| now.since(attempt.start) > live.door.within)
                };
                let Some((_, tries)) = room.oldest() else { break };
                if !tries.iter().all(late) {
                    break;
                }
                let Some((source, tries)) = room.pop_oldest() else { break };
                events.extend(tries.iter().map(|attempt| {
                    let what = What::TimedOut(attempt.stage);
                    Event { door: attempt.door, source, what }
                }));
            }
        }
    }
}
