//! The porter: who is let in through which door, and until when.

mod memory;
mod nat;
mod openings;
mod policy;

pub use policy::{DoorMemory, DoorPolicy, Entry, Knock, Shut};

use super::{Action, Notice};
use crate::addr::Prefix;
use crate::cap::Capped;
use crate::door::{self, Counts, DoorId, Hit, Knocks, Manner, Packet, Sequence, Sequences};
use crate::gate::{Name, Nat, Opening, Pass, PortRange, Ports, Through};
use crate::time::Time;
use openings::{is_shut, openings, ports};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Openings at most that are in force. One more is refused: whoever opens so many knows a door's
/// secret, and makes up addresses.
const MOST_PASSES: usize = 16_384;

/// Those who knocked in the right way that are remembered.
const MOST_LATELY: usize = 1024;

/// Knows the doors and those who are in.
#[derive(Debug)]
pub struct Porter {
    policies: Vec<DoorPolicy>,
    openings: Vec<Opening>,
    knocks: Knocks,
    entries: BTreeMap<(IpAddr, Through), Entry>,
    /// The same by their end.
    ends: BTreeSet<(Time, IpAddr, Through)>,
    /// How many each door let in.
    guests: BTreeMap<Name, usize>,
    used: BTreeMap<DoorId, u64>,
    /// Who knocked in the right way lately, and when.
    lately: Capped<(Name, IpAddr), Time>,
    shut: BTreeMap<Name, Shut>,
    /// What may be translated.
    nat: Option<Nat>,
    /// Whether what is to be remembered has changed.
    changed: bool,
}

impl Porter {
    /// With these doors; `locals` are the addresses of this machine.
    ///
    /// # Errors
    /// Too many doors, two of one name, or sequences that knockd's manner does not know.
    pub fn new(
        policies: Vec<DoorPolicy>,
        locals: impl IntoIterator<Item = IpAddr>,
        manner: Manner,
        now: Time,
    ) -> Result<Self, String> {
        let mut names: Vec<Name> = policies.iter().map(|policy| policy.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            return Err(format!("there are two doors named {}", twice[0]));
        }
        let doors = policies.iter().map(|policy| policy.door.clone()).collect();
        Ok(Self {
            openings: openings(&policies, &BTreeMap::new()),
            knocks: Knocks::new(doors, locals, manner, now)?,
            policies,
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
            guests: BTreeMap::new(),
            used: BTreeMap::new(),
            lately: Capped::new(MOST_LATELY),
            shut: BTreeMap::new(),
            nat: None,
            changed: false,
        })
    }

    /// The doors.
    #[must_use]
    pub fn policies(&self) -> &[DoorPolicy] {
        &self.policies
    }

    /// What the gate opens and closes for them.
    #[must_use]
    pub fn openings(&self) -> &[Opening] {
        &self.openings
    }

    /// The openings that are closed on trial, and would be open without.
    #[must_use]
    pub fn trials(&self) -> Vec<Name> {
        let on_trial = |policy: &&DoorPolicy| self.shut.get(&policy.name) == Some(&Shut::Trial);
        // Another door may have closed the same ports for good.
        let others = || self.policies.iter().filter(|policy| !on_trial(policy));
        let stays = |wanted: &&Ports| {
            let mut shut = others().filter(|policy| self.is_shut(policy));
            shut.any(|policy| ports(&policy.door).any(|ports| ports == *wanted))
        };
        let doors = self.policies.iter().filter(on_trial);
        let ports = doors.flat_map(|policy| ports(&policy.door)).filter(|ports| !stays(ports));
        let names = ports.filter_map(|ports| match self.opening(ports)? {
            Through::Opening(name) => Some(name),
            _ => None,
        });
        names.collect::<BTreeSet<Name>>().into_iter().collect()
    }

    /// Closes the ports of a door to all others, or leaves that to what its file says; `false` if
    /// there is no such door, or nothing that can be closed.
    pub fn shut(&mut self, name: Name, shut: Shut) -> bool {
        let closes = |policy: &DoorPolicy| ports(&policy.door).any(|ports| *ports != Ports::All);
        if !self.policies.iter().any(|policy| policy.name == name && closes(policy)) {
            return false;
        }
        self.shut.insert(name, shut);
        self.openings = openings(&self.policies, &self.shut);
        self.changed = true;
        true
    }

    /// Whether a door's ports are closed to all others.
    #[must_use]
    pub fn is_shut(&self, policy: &DoorPolicy) -> bool {
        is_shut(policy, &self.shut)
    }

    /// When an address last knocked at a door in the right way, as long as that is remembered.
    #[must_use]
    pub fn knocked(&self, name: Name, addr: IpAddr) -> Option<Time> {
        self.lately.peek(&(name, addr)).copied()
    }

    /// The ports that are to be heard now; they change with the time and with what is used.
    #[must_use]
    pub fn heard(&self) -> Vec<Hit> {
        self.knocks.ports()
    }

    /// Grows whenever [`Porter::heard`] may be others than before.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.knocks.turns()
    }

    /// Whether everything that begins something is to be heard: there is a door that who tries
    /// ports in their order may meet.
    #[must_use]
    pub fn hears_all(&self) -> bool {
        let weak = |sequence: &Sequence| sequence.is_weak();
        self.policies.iter().any(|policy| match &policy.door.sequences {
            Sequences::Fixed(sequence) => weak(sequence),
            Sequences::Once(list) => list.iter().any(weak),
            Sequences::Timed(_) => false,
        })
    }

    /// Whether a door is at another address than this machine's.
    #[must_use]
    pub fn hears_elsewhere(&self) -> bool {
        self.policies.iter().any(|policy| policy.door.target.is_some())
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.knocks.counts()
    }

    /// The openings in force, by address.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// When `tick` is wanted next, and what for.
    #[must_use]
    pub fn next_wake(&self) -> Option<(Time, &'static str)> {
        let end = self.ends.first().map(|(at, ..)| (*at, "a door closes"));
        [end, self.knocks.next_wake()].into_iter().flatten().min()
    }

    /// Takes over what another one remembers. For a change of policy.
    pub(super) fn inherit(&mut self, old: &Self, now: Time) {
        self.recall(old.memory(), now);
    }

    /// Takes over the addresses of this machine.
    pub(super) fn moved(&mut self, locals: Vec<IpAddr>) {
        self.knocks.moved(locals);
    }

    /// The clock was set back by so much, to `now`: who is in stays as long as he had left, as in
    /// the kernel, which counts seconds.
    pub(super) fn set_back(&mut self, by: Duration, now: Time) {
        let entries: Vec<Entry> = std::mem::take(&mut self.entries).into_values().collect();
        self.ends.clear();
        self.guests.clear();
        for mut entry in entries {
            entry.set_back(by);
            self.put(entry);
        }
        self.lately = Capped::new(MOST_LATELY);
        self.knocks.set_back(by, now);
    }

    /// Takes a packet.
    pub(super) fn packet(&mut self, packet: &Packet, actions: &mut Vec<Action>) {
        let mut events = Vec::new();
        self.knocks.packet(packet, &mut events);
        self.follow(events, packet.at, actions);
    }

    /// Ends what is over and does what is due.
    pub(super) fn tick(&mut self, now: Time, actions: &mut Vec<Action>) {
        while let Some((_, addr, to)) = self.ends.first().filter(|(at, ..)| *at <= now).copied() {
            // The kernel closes by itself.
            if let Some(entry) = self.take(addr, to) {
                let (door, prefix) = (entry.door, Prefix::host(addr));
                actions.push(Action::Tell(Notice::Closed { door, prefix, over: true }));
            }
        }
        let mut events = Vec::new();
        self.knocks.tick(now, &mut events);
        self.follow(events, now, actions);
    }

    /// Somebody is let in by another way than knocking: by hand, as long as the door holds, or for
    /// `length`.
    pub(super) fn let_in(
        &mut self,
        name: Name,
        addr: IpAddr,
        length: Option<Duration>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(door) = self.place(name) else { return };
        let mut events = Vec::new();
        self.knocks.let_in(door, addr, now, &mut events);
        for event in &mut events {
            if let (door::Action::Open { until, .. }, Some(length)) = (event, length) {
                *until = Some(now.plus(length));
            }
        }
        self.follow(events, now, actions);
    }

    /// Somebody is let in at single ports.
    pub(super) fn grant(
        &mut self,
        door: Name,
        addr: IpAddr,
        ports: &[PortRange],
        until: Time,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        *self.lately.entry((door, addr)).0 = now;
        let until = Some(until);
        for range in ports {
            for port in range.first()..=range.last() {
                let to = Through::Port(range.proto(), port);
                self.open(door, Pass { to, addr, until }, now, actions);
            }
        }
    }

    /// Puts somebody out whom a door let in; everybody without an address.
    pub(super) fn put_out(
        &mut self,
        name: Name,
        addr: Option<IpAddr>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let of = |entry: &Entry| entry.door == name && addr.is_none_or(|a| a == entry.pass.addr);
        let keys = self.entries.iter().filter(|(_, entry)| of(entry)).map(|(key, _)| *key);
        let keys: Vec<(IpAddr, Through)> = keys.collect();
        // All of them first: of those who leave nothing is put back.
        for (addr, to) in &keys {
            self.take(*addr, *to);
        }
        keys.into_iter().for_each(|key| self.shut_out(name, key, true, actions));
        let Some(door) = self.place(name) else { return };
        let mut events = Vec::new();
        self.knocks.put_out(door, addr, &mut events);
        self.follow(events, now, actions);
    }

    /// A stop could not be done now, and is due again at that time.
    pub fn put_off(&mut self, name: Name, addr: IpAddr, at: Time) {
        if let Some(door) = self.place(name) {
            self.knocks.recall(door, addr, at);
            self.changed = true;
        }
    }

    fn place(&self, name: Name) -> Option<DoorId> {
        self.policies.iter().position(|policy| policy.name == name)
    }

    /// Makes of what the matching says what is to be done.
    fn follow(&mut self, events: Vec<door::Action>, now: Time, actions: &mut Vec<Action>) {
        for event in events {
            let door = event.door();
            let Some(name) = self.policies.get(door).map(|policy| policy.name) else { continue };
            let knock = |addr, what| Action::Knock { door: name, addr, what };
            match event {
                door::Action::Stage { addr, stage, .. } => {
                    actions.push(knock(addr, Knock::Stage(stage)));
                }
                door::Action::TimedOut { addr, stage, .. } => {
                    actions.push(knock(addr, Knock::TimedOut(stage)));
                }
                door::Action::Knocked { addr, .. } => {
                    *self.lately.entry((name, addr)).0 = now;
                    actions.push(knock(addr, Knock::Done));
                }
                door::Action::Open { addr, ports, until, .. } => {
                    if let Some(to) = self.opening(&ports) {
                        self.open(name, Pass { to, addr, until }, now, actions);
                    }
                }
                door::Action::Close { addr, ports, .. } => {
                    if let Some(to) = self.opening(&ports) {
                        self.close(name, addr, to, actions);
                    }
                }
                door::Action::Run { addr, when, .. } => {
                    self.changed = true;
                    actions.push(Action::Run { door: name, addr, when });
                }
                door::Action::Barred { addr, .. } => {
                    let prefix = Prefix::host(addr);
                    actions.push(Action::Tell(Notice::Barred { door: name, prefix }));
                }
                door::Action::Used { sequence, .. } => {
                    self.used.insert(door, sequence);
                    self.changed = true;
                    actions.push(Action::Used { door: name, sequence });
                }
                door::Action::NoRoom { addr, .. } => {
                    let prefix = Prefix::host(addr);
                    actions.push(Action::Tell(Notice::NoRoom { door: name, prefix }));
                }
                door::Action::Exhausted { .. } => {
                    actions.push(Action::Tell(Notice::UsedUp { door: name }));
                }
            }
        }
    }

    fn opening(&self, ports: &Ports) -> Option<Through> {
        let opening = self.openings.iter().find(|opening| opening.ports == *ports);
        opening.map(|opening| Through::Opening(opening.name))
    }

    /// Opens, or extends what is open: a second knock never shortens.
    fn open(&mut self, door: Name, mut pass: Pass, now: Time, actions: &mut Vec<Action>) {
        self.replace(pass, actions);
        let before = self.take(pass.addr, pass.to);
        let prefix = Prefix::host(pass.addr);
        let full = before.is_none() && self.entries.len() >= MOST_PASSES;
        if full && !self.make_room(door, actions) {
            actions.push(Action::Tell(Notice::NoRoom { door, prefix }));
            return;
        }
        if let Some(before) = before {
            pass.until = match (pass.until, before.pass.until) {
                (Some(new), Some(old)) => Some(new.max(old)),
                _ => None,
            };
        }
        let since = before.map_or(now, |before| before.since);
        self.put(Entry { door, pass, since });
        actions.push(Action::Open(pass));
        self.restore(pass.addr, pass.to, actions);
        actions.push(Action::Tell(Notice::Opened { door, prefix, to: pass.to, until: pass.until }));
    }

    fn close(&mut self, door: Name, addr: IpAddr, to: Through, actions: &mut Vec<Action>) {
        // Also where nothing is known to be open: the gate may know better.
        let known = self.take(addr, to).is_some();
        self.shut_out(door, (addr, to), known, actions);
    }

    /// What follows when a pass ends before its time.
    fn shut_out(
        &self,
        door: Name,
        (addr, to): (IpAddr, Through),
        known: bool,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Close { to, addr });
        self.restore(addr, to, actions);
        if known {
            let prefix = Prefix::host(addr);
            actions.push(Action::Tell(Notice::Closed { door, prefix, over: false }));
        }
    }

    /// Puts out who would be first to leave of the door that let in most, if that is another one and
    /// many more: who knows one door's knock and has many addresses does not lock the others.
    fn make_room(&mut self, door: Name, actions: &mut Vec<Action>) -> bool {
        let here = self.guests.get(&door).copied().unwrap_or(0);
        let most = self.guests.iter().max_by_key(|(_, count)| **count);
        let Some(crowd) = most.filter(|(_, count)| **count > here + 1).map(|(name, _)| *name)
        else {
            return false;
        };
        let of = |key: &(IpAddr, Through)| self.entries.get(key).map(|entry| entry.door);
        let mut leaving = self.ends.iter().map(|(_, addr, to)| (*addr, *to));
        let Some((addr, to)) = leaving.find(|key| of(key) == Some(crowd)) else { return false };
        self.close(crowd, addr, to, actions);
        true
    }

    fn put(&mut self, entry: Entry) {
        let Pass { to, addr, until } = entry.pass;
        self.take(addr, to);
        self.entries.insert((addr, to), entry);
        *self.guests.entry(entry.door).or_default() += 1;
        self.ends.extend(until.map(|until| (until, addr, to)));
        self.changed = true;
    }

    fn take(&mut self, addr: IpAddr, to: Through) -> Option<Entry> {
        let entry = self.entries.remove(&(addr, to))?;
        if let Some(count) = self.guests.get_mut(&entry.door) {
            *count -= 1;
            if *count == 0 {
                self.guests.remove(&entry.door);
            }
        }
        if let Some(until) = entry.pass.until {
            self.ends.remove(&(until, addr, to));
        }
        self.changed = true;
        Some(entry)
    }
}
