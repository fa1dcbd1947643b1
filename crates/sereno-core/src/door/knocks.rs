//! Packets in, actions out.

use super::fair::Fair;
use super::packet::Packet;
use super::sequence::{Hit, Sequence, Sequences};
use super::strict::Strict;
use super::timed::Window;
use super::{Deed, Door, firsts};
use crate::addr::canonical;
use crate::gate::Ports;
use crate::time::Time;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

/// Doors at most.
pub const MOST_DOORS: usize = 1024;
/// Stops that wait for their time at most; who would need one more is not let in. A stop that is not
/// done leaves open what nobody closes.
const MOST_WAITING: usize = 8192;

/// A window that was used and is further ahead than this was used under a wrong clock. Up to here
/// those before it stay used: somebody may have heard them.
const AHEAD: Duration = Duration::from_secs(3600);

/// Addresses of this machine.
pub(super) type Locals = HashSet<IpAddr>;
/// A door by its place in the list that was given to [`Knocks::new`].
pub type DoorId = usize;

/// How packets are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As knockd 0.8 does, in every detail.
    Strict,
    /// As is described in the guide.
    #[default]
    Fair,
}

/// Which of a door's two deeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// That for who knocked.
    Start,
    /// That which follows after the door's `hold`.
    Stop,
}

/// What follows from packets and time.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody has made `stage` hits. Fair: told only of those who made two.
    Stage { door: DoorId, addr: IpAddr, stage: usize },
    /// An attempt took too long.
    TimedOut { door: DoorId, addr: IpAddr, stage: usize },
    /// Somebody knocked in the agreed way. What is done about it follows.
    Knocked { door: DoorId, addr: IpAddr },
    /// Open ports to an address, until then or until they are closed. Opened before, it is extended.
    Open { door: DoorId, addr: IpAddr, ports: Ports, until: Option<Time> },
    /// Close ports to an address, whichever door opened them.
    Close { door: DoorId, addr: IpAddr, ports: Ports },
    /// Run the door's command for this address.
    Run { door: DoorId, addr: IpAddr, when: When },
    /// Somebody knocked in the agreed way who had touched a trap; nothing is done.
    Barred { door: DoorId, addr: IpAddr },
    /// A sequence was used, and is not good for anything any more: its place in the list, or its
    /// window. To be remembered, and said again with [`Knocks::use_up`] after a restart.
    Used { door: DoorId, sequence: u64 },
    /// A door has no sequence left.
    Exhausted { door: DoorId },
    /// Somebody knocked in the agreed way, and nothing is done: too many stops wait for their time.
    NoRoom { door: DoorId, addr: IpAddr },
}

impl Action {
    /// The door it is about.
    #[must_use]
    pub const fn door(&self) -> DoorId {
        match self {
            Self::Stage { door, .. }
            | Self::TimedOut { door, .. }
            | Self::Knocked { door, .. }
            | Self::Open { door, .. }
            | Self::Close { door, .. }
            | Self::Run { door, .. }
            | Self::Barred { door, .. }
            | Self::Used { door, .. }
            | Self::NoRoom { door, .. }
            | Self::Exhausted { door } => *door,
        }
    }
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were given.
    pub packets: u64,
    /// Knocks that were right.
    pub knocked: u64,
    /// Attempts that somebody else pushed out.
    pub pushed: u64,
    /// Attempts that another packet of the same source spoiled.
    pub spoiled: u64,
}

/// What a manner of matching says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) door: usize,
    pub(super) source: IpAddr,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Stage(usize),
    TimedOut(usize),
    Barred,
    /// With the sequence it was.
    Done(u64),
}

/// A door and what opens it now.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) door: Door,
    /// Each with its number; in their order.
    pub(super) lanes: Vec<(u64, Sequence)>,
    /// One-time sequences and windows up to this are used up.
    used: Option<u64>,
}

impl Live {
    fn new(door: Door, now: Time) -> Self {
        let mut live = Self { door, lanes: Vec::new(), used: None };
        live.choose(now);
        live
    }

    /// Finds out what opens it now.
    fn choose(&mut self, now: Time) {
        let free = |number: u64| self.used.is_none_or(|used| number > used);
        self.lanes = match &self.door.sequences {
            Sequences::Fixed(sequence) => vec![(0, sequence.clone())],
            Sequences::Once(list) => {
                let numbered = (0u64..).zip(list).filter(|(number, _)| free(*number));
                numbered.take(1).map(|(number, sequence)| (number, sequence.clone())).collect()
            }
            Sequences::Timed(timed) => {
                let window: Window = timed.window(now);
                let around = window.saturating_sub(1)..=window.saturating_add(1);
                // A knock under a clock that was far ahead does not lock the door until then.
                let ahead = timed.window(now.plus(AHEAD));
                let free = |w: u64| free(w) || self.used.is_some_and(|used| used > ahead);
                around.filter(|w| free(*w)).filter_map(|w| Some((w, timed.sequence(w)?))).collect()
            }
        };
    }

    /// The sequence in force, where there is one only.
    pub(super) fn hits(&self) -> &[Hit] {
        self.lanes.first().map_or(&[], |(_, sequence)| sequence.hits())
    }

    /// Whether a packet is to where this door is.
    pub(super) fn is_at(&self, packet: &Packet, locals: &Locals) -> bool {
        match self.door.target {
            Some(target) => target == packet.destination,
            None => locals.contains(&packet.destination),
        }
    }

    /// Whether a packet has the right flags.
    pub(super) fn accepts(&self, packet: &Packet) -> bool {
        packet.protocol == super::Protocol::Udp || self.door.flags.accepts(packet.flags)
    }

    /// Says how far somebody got with the first sequence.
    pub(super) fn reached(
        &self,
        door: usize,
        packet: &Packet,
        stage: usize,
        events: &mut Vec<Event>,
    ) {
        let source = packet.source;
        events.push(Event { door, source, what: What::Stage(stage) });
        if stage >= self.hits().len() {
            let number = self.lanes.first().map_or(0, |(number, _)| *number);
            events.push(Event { door, source, what: What::Done(number) });
        }
    }
}

#[derive(Debug)]
enum Matcher {
    Strict(Strict),
    Fair(Box<Fair>),
}

/// The doors and those who knock.
#[derive(Debug)]
pub struct Knocks {
    doors: Vec<Live>,
    matcher: Matcher,
    locals: Locals,
    /// Stops that wait, in their order, and by whom they are for.
    waiting: BTreeMap<(Time, u64), (DoorId, IpAddr)>,
    last: u64,
    /// When other sequences are in force.
    turn: Option<Time>,
    /// How often other sequences came into force.
    turns: u64,
    counts: Counts,
}

impl Knocks {
    /// Doors, the addresses of this machine, and how to match.
    ///
    /// # Errors
    /// More than [`MOST_DOORS`] doors; sequences that change with the time in knockd's manner.
    pub fn new(
        doors: Vec<Door>,
        locals: impl IntoIterator<Item = IpAddr>,
        manner: Manner,
        now: Time,
    ) -> Result<Self, String> {
        if doors.len() > MOST_DOORS {
            return Err(format!("{} doors are too many; {MOST_DOORS} are the most", doors.len()));
        }
        let timed = doors.iter().find(|door| matches!(door.sequences, Sequences::Timed(_)));
        if let (Manner::Strict, Some(door)) = (manner, timed) {
            let why = "has sequences that change with the time, which knockd's manner has not";
            return Err(format!("the door {} {why}", door.name));
        }
        let doors: Vec<Live> = doors.into_iter().map(|door| Live::new(door, now)).collect();
        let locals: Locals = locals.into_iter().map(canonical).collect();
        let matcher = match manner {
            Manner::Strict => Matcher::Strict(Strict::new(&doors, locals.clone())),
            Manner::Fair => Matcher::Fair(Box::new(Fair::new(&doors, firsts::SLOTS))),
        };
        let mut knocks = Self {
            doors,
            matcher,
            locals,
            waiting: BTreeMap::new(),
            last: 0,
            turn: None,
            turns: 0,
            counts: Counts::default(),
        };
        knocks.turn(now);
        Ok(knocks)
    }

    /// Gives about so many first hits room, of 12 bytes each, and forgets those that were. 2^20
    /// without this: ten seconds of a flood of 100,000 a second.
    #[must_use]
    pub fn with_room(mut self, slots: usize) -> Self {
        if let Matcher::Fair(fair) = &mut self.matcher {
            **fair = Fair::new(&self.doors, slots);
        }
        self
    }

    /// The doors, in the order they were given.
    pub fn doors(&self) -> impl ExactSizeIterator<Item = &Door> {
        self.doors.iter().map(|live| &live.door)
    }

    /// The ports that open something now, and traps: what the capture must let through from
    /// everybody. Fair also wants to see every packet that begins something, of those who hit one of
    /// these ports just now at least. They change with [`Action::Used`] and with time.
    #[must_use]
    pub fn ports(&self) -> Vec<Hit> {
        let lanes = self.doors.iter().flat_map(|live| &live.lanes);
        let hits = lanes.flat_map(|(_, sequence)| sequence.hits());
        let mut ports: Vec<Hit> =
            hits.chain(self.doors.iter().flat_map(|live| &live.door.traps)).copied().collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Grows whenever [`Knocks::ports`] may be others than before.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Takes over the addresses of this machine; knockd's manner keeps those it began with.
    pub fn moved(&mut self, locals: impl IntoIterator<Item = IpAddr>) {
        self.locals = locals.into_iter().map(canonical).collect();
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Matcher::Fair(fair) = &self.matcher else { return self.counts };
        Counts { pushed: fair.pushed(), spoiled: fair.spoiled(), ..self.counts }
    }

    /// How many sources have made two hits or more and are still under way; bounded.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.matcher {
            Matcher::Fair(fair) => fair.held(),
            Matcher::Strict(strict) => strict.held(),
        }
    }

    /// Says that a sequence of a door was used before, with all before it.
    pub fn use_up(&mut self, door: DoorId, sequence: u64, now: Time) {
        let Some(live) = self.doors.get_mut(door) else { return };
        live.used = live.used.max(Some(sequence));
        live.choose(now);
        self.changed();
    }

    /// The clock was set back by so much, to `now`: what waits goes on waiting as long as before.
    pub fn set_back(&mut self, by: Duration, now: Time) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.waiting = waiting.map(|((at, n), whom)| ((at.minus(by), n), whom)).collect();
        self.turn(now);
    }

    /// Says that the stop of a door is still to be done for an address: what waited before a restart.
    pub fn recall(&mut self, door: DoorId, addr: IpAddr, at: Time) {
        if door < self.doors.len() {
            self.last += 1;
            self.waiting.insert((at, self.last), (door, addr));
        }
    }

    /// The stops that wait, and when they are due.
    pub fn waiting(&self) -> impl Iterator<Item = (DoorId, IpAddr, Time)> {
        self.waiting.iter().map(|((at, _), (door, addr))| (*door, *addr, *at))
    }

    /// Does for an address what follows from a right knock at a door.
    pub fn let_in(&mut self, door: DoorId, addr: IpAddr, now: Time, actions: &mut Vec<Action>) {
        self.start(door, canonical(addr), now, actions);
    }

    /// Does the stops of a door at once that wait for an address, or all of them.
    pub fn put_out(&mut self, door: DoorId, addr: Option<IpAddr>, actions: &mut Vec<Action>) {
        let addr = addr.map(canonical);
        let mut out = Vec::new();
        self.waiting.retain(|_, (of, about)| {
            let meant = *of == door && addr.is_none_or(|addr| addr == *about);
            out.extend(meant.then_some(*about));
            !meant
        });
        out.into_iter().for_each(|about| self.stop(door, about, actions));
    }

    /// When [`Knocks::tick`] is wanted next, and what for.
    #[must_use]
    pub fn next_wake(&self) -> Option<(Time, &'static str)> {
        let stop = self.waiting.keys().next().map(|(at, _)| (*at, "a door's stop"));
        let turn = self.turn.map(|at| (at, "other sequences"));
        [stop, turn].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time, actions: &mut Vec<Action>) {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= now) {
            let (door, addr) = first.remove();
            self.stop(door, addr, actions);
        }
        if self.turn.is_some_and(|turn| turn <= now) {
            self.turn(now);
        }
    }

    /// Takes a packet. Packets are to come in their order; `packet.at` is the time for all that is
    /// decided.
    pub fn packet(&mut self, packet: &Packet, actions: &mut Vec<Action>) {
        self.tick(packet.at, actions);
        self.counts.packets += 1;
        let packet = Packet {
            source: canonical(packet.source),
            destination: canonical(packet.destination),
            ..*packet
        };
        let mut events = Vec::new();
        match &mut self.matcher {
            Matcher::Strict(strict) => strict.packet(&self.doors, &packet, &mut events),
            Matcher::Fair(fair) => fair.packet(&self.doors, &self.locals, &packet, &mut events),
        }
        for Event { door, source: addr, what } in events {
            match what {
                What::Stage(stage) => actions.push(Action::Stage { door, addr, stage }),
                What::TimedOut(stage) => actions.push(Action::TimedOut { door, addr, stage }),
                What::Barred => actions.push(Action::Barred { door, addr }),
                What::Done(sequence) => self.done(door, addr, sequence, packet.at, actions),
            }
        }
    }

    fn done(
        &mut self,
        door: DoorId,
        addr: IpAddr,
        sequence: u64,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(live) = self.doors.get_mut(door) else { return };
        actions.push(Action::Knocked { door, addr });
        self.counts.knocked += 1;
        if !matches!(live.door.sequences, Sequences::Fixed(_)) {
            live.used = Some(sequence);
            live.choose(now);
            actions.push(Action::Used { door, sequence });
            let list = matches!(live.door.sequences, Sequences::Once(_));
            if list && live.lanes.is_empty() {
                actions.push(Action::Exhausted { door });
            }
            self.changed();
        }
        self.start(door, addr, now, actions);
    }

    fn start(&mut self, door: DoorId, addr: IpAddr, now: Time, actions: &mut Vec<Action>) {
        let Some(live) = self.doors.get(door) else { return };
        let deeds = live.door.deeds(addr);
        let until = now.plus(live.door.hold);
        let ends = deeds.ends().then_some(until);
        if deeds.start == Deed::Nothing {
            return;
        }
        let stops = deeds.stop != Deed::Nothing && ends.is_none();
        let waits = |waiting: &BTreeMap<_, _>| waiting.values().any(|waits| *waits == (door, addr));
        if stops && self.waiting.len() >= MOST_WAITING && !waits(&self.waiting) {
            actions.push(Action::NoRoom { door, addr });
            return;
        }
        push(&deeds.start, When::Start, (door, addr, ends), actions);
        if !stops {
            return;
        }
        if matches!(self.matcher, Matcher::Fair(_)) {
            // Knocking again extends. Those who wait are as many as knocked in a door's hold.
            self.waiting.retain(|_, waits| *waits != (door, addr));
        }
        self.recall(door, addr, until);
    }

    fn stop(&self, door: DoorId, addr: IpAddr, actions: &mut Vec<Action>) {
        let Some(live) = self.doors.get(door) else { return };
        push(&live.door.deeds(addr).stop, When::Stop, (door, addr, None), actions);
    }

    /// Puts the sequences of this time in force.
    fn turn(&mut self, now: Time) {
        self.turn = None;
        let mut timed = false;
        for live in &mut self.doors {
            if let Sequences::Timed(sequences) = &live.door.sequences {
                let next = sequences.next(now);
                self.turn = Some(self.turn.map_or(next, |turn| turn.min(next)));
                timed = true;
                live.choose(now);
            }
        }
        if timed {
            self.changed();
        }
    }

    fn changed(&mut self) {
        self.turns += 1;
        if let Matcher::Fair(fair) = &mut self.matcher {
            fair.learn(&self.doors);
        }
    }
}

fn push(
    deed: &Deed,
    when: When,
    (door, addr, until): (DoorId, IpAddr, Option<Time>),
    actions: &mut Vec<Action>,
) {
    actions.extend(match deed {
        Deed::Nothing => None,
        Deed::Open(ports) => Some(Action::Open { door, addr, ports: ports.clone(), until }),
        Deed::Close(ports) => Some(Action::Close { door, addr, ports: ports.clone() }),
        Deed::Run(_) => Some(Action::Run { door, addr, when }),
    });
}
