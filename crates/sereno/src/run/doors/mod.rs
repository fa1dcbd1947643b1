//! Doors: what is heard of those who knock goes to the engine, and what follows is done.
//!
//! Packets come from the kernel's log ([`sereno_nft::Ears`]); the gate's own rules say which. A
//! signed packet is judged here, by [`sereno_spa`], and a grant is an input like any other.

mod commands;
mod log;
mod signed;
mod status;
mod trial;

use super::guard::Guard;
use super::portscan::open_ears;
use crate::doors::Doors;
use crate::words;
use status::Stuck;
pub(super) use status::{heard, status};

use commands::Commands;
use log::Log;
use mio::Token;
use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::door::{Deeds, Hit, Manner, Packet, When};
use sereno_core::engine::{Action, DoorMemory, Input, Notice, Porter};
use sereno_core::gate::{Doorway, Ears as Heard, Name, Nat};
use sereno_core::time::Time;
use sereno_nft::{Ears, Why};
use sereno_wire::orders::Order;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub(super) const EARS: Token = Token(6);
/// The key under which is kept what doors have to remember.
const KEY: &str = "doors";
/// The bit by which another firewall knows whom a door let in.
pub(super) const MARK: u32 = 0x1000_0000;
/// Packets taken in one round, before others have their turn.
const ROUND: usize = 4096;
/// How long everything is heard that begins something, after more came than the kernel can follow.
const FLOOD: Duration = Duration::from_secs(60);

/// Whoever knocks at this machine from itself.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// What is kept of doors over a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    porter: DoorMemory,
    signed: signed::Kept,
}

/// The doors and what is heard at them.
#[derive(Debug)]
pub struct Attendance {
    /// What the files say.
    pub(super) doors: Doors,
    ears: Option<Ears>,
    /// Why nothing is heard, where something should be.
    pub(super) deaf: Option<String>,
    /// The firewall that closed the doors of others' files is gone.
    bare: bool,
    /// Why nothing is translated, where something should be.
    pub(in crate::run) stuck: Option<Stuck>,
    /// What keeps another firewall from letting pass whom a door let in, as the system says it.
    pub(super) blocked: Option<String>,
    /// The ports that the gate was told of, and which turn of the sequences that was.
    hits: Vec<Hit>,
    turn: u64,
    signed: signed::Gatekeeper,
    commands: Commands,
    log: Log,
    /// The door that is closed on trial, and until when.
    trial: Option<(Name, Time)>,
    /// Until when everything is heard that begins something.
    flood: Time,
    /// Packets that were lost because they came too fast.
    lost: u64,
}

impl Attendance {
    /// Without any doors. `wake` is called, on any thread, when a command has ended.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            doors: Doors::default(),
            ears: None,
            deaf: None,
            bare: false,
            stuck: None,
            blocked: None,
            hits: Vec::new(),
            turn: 0,
            signed: signed::Gatekeeper::default(),
            commands: Commands::new(wake),
            log: Log::default(),
            trial: None,
            flood: Time::MIN,
            lost: 0,
        }
    }

    /// Doors that nobody closes: another firewall did, and is gone.
    pub(super) fn bare(&self, porter: &Porter) -> Vec<Name> {
        let open = porter.policies().iter().filter(|policy| !porter.is_shut(policy));
        let open = open.filter(|policy| policy.door.v4 != Deeds::default() && self.bare);
        open.map(|policy| policy.name).collect()
    }

    /// The clock was set back by so much: what waits goes on waiting as long as before.
    fn set_back(&mut self, by: Duration) {
        self.signed.set_back(by);
        self.trial = self.trial.map(|(door, until)| (door, until.minus(by)));
        self.flood = self.flood.minus(by);
    }

    /// When a command is due.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let trial = self.trial.map(|(_, until)| until);
        [self.signed.next_wake(), trial].into_iter().flatten().min()
    }
}

/// What the gate does for these doors.
fn doorway(porter: &Porter, doors: &Doors, group: u16) -> Doorway {
    if doors.is_empty() {
        return Doorway::default();
    }
    let strict = doors.manner == Manner::Strict;
    let ears = Heard {
        strict,
        all: !strict && porter.hears_all(),
        elsewhere: porter.hears_elsewhere(),
        interfaces: doors.interfaces.clone(),
        datagrams: doors.datagrams.clone(),
        ..Heard::of(group)
    };
    Doorway {
        openings: porter.openings().to_vec(),
        single: !doors.signed.doors.is_empty(),
        trial: porter.trials(),
        ears: Some(ears),
        // Another firewall may come later: at a boot either is first.
        mark: Some(MARK),
        nat: porter.nat().cloned(),
    }
}

impl Guard {
    /// Takes up the doors of a policy with their porter, and writes into the draft of the gate what
    /// it does for them. `kept` is what was kept of them.
    pub(super) fn take_up_doors(
        &mut self,
        (doors, mut porter): (Doors, Porter),
        group: u16,
        kept: Option<&str>,
        now: Time,
    ) {
        self.attendance.signed.take_up(&doors);
        if let Some(kept) = kept.and_then(|text| serde_json::from_str::<Kept>(text).ok()) {
            porter.recall(kept.porter, now);
            self.attendance.signed.recall(kept.signed);
        }
        self.attendance.trial = None;
        self.attendance.log.open(doors.log.as_deref());
        self.attendance.commands.take_up(&doors);
        self.attendance.doors = doors;
        self.engine.post(porter);
        self.draw_doors(group);
    }

    /// Writes into the draft of the gate what it does for the doors as the porter has them now: once
    /// more whenever he remembers something else.
    pub(super) fn draw_doors(&mut self, group: u16) {
        if let Some(porter) = self.engine.porter() {
            self.draft.doorway = doorway(porter, &self.attendance.doors, group);
        }
        self.draw_mark();
    }

    /// Listens, if there are doors and the gate stands.
    pub(super) fn listen_at_doors(&mut self) {
        let at = &mut self.attendance;
        at.deaf = self.hands.shut().map(str::to_owned);
        at.hits = self.engine.porter().map(Porter::heard).unwrap_or_default();
        at.turn = self.engine.porter().map(Porter::turns).unwrap_or_default();
        self.have_pass();
        let at = &mut self.attendance;
        let able = self.hands.observing().is_none() && at.deaf.is_none();
        let wanted = self.draft.doorway.ears.as_ref().map(|ears| ears.group);
        let Some(group) = wanted.filter(|_| able) else {
            at.ears = None;
            return;
        };
        match open_ears(self.poll.registry(), EARS, at.ears.take(), group) {
            Ok(ears) => at.ears = Some(ears),
            Err(why) => at.deaf = Some(why),
        }
        if let Some(why) = &self.attendance.deaf {
            self.notes.push(words::doors_deaf(why));
        }
    }

    /// Takes over the addresses of this machine.
    pub(super) fn move_doors(&mut self, now: Time) {
        if self.engine.porter().is_some() {
            let locals = locals();
            self.attendance.signed.moved(&locals);
            self.engine.handle(Input::Moved(locals), now, &mut self.actions);
        }
    }

    /// Whether a door is closed to those who do not knock.
    pub(super) fn shuts(&self) -> bool {
        let porter = self.engine.porter().filter(|_| self.hands.observing().is_none());
        porter.is_some_and(|porter| porter.openings().iter().any(|opening| opening.closed))
    }

    /// Has other firewalls let pass whom a door let in: now and again, for they forget.
    pub(super) fn have_pass(&mut self) {
        let at = &mut self.attendance;
        let lets_in = !at.doors.is_empty() || self.lists.opens();
        let acts = lets_in && self.hands.observing().is_none();
        // Closing what another firewall closed may lock out whoever took it away: he is told.
        at.bare = acts && at.doors.left && !crate::discover::is_closed(self.draft.table.as_str());
        let forwards = self.draft.doorway.nat.as_ref().is_some_and(Nat::forwards) && acts;
        if acts && crate::discover::has_legacy() {
            at.commands.let_pass_legacy(MARK, forwards);
        }
        let unable = self.hands.untranslated().filter(|_| acts);
        let unable = unable.map(|why| Stuck::Unable(why.to_string()));
        let idle = || forwards && !crate::discover::forwards();
        at.stuck = unable.or_else(|| idle().then_some(Stuck::NotForwarding));
        match self.hands.let_pass() {
            Ok(count) => {
                at.blocked = None;
                if count > 0 {
                    self.notes.push(words::doors_pass(format!("{MARK:#x}")));
                }
            }
            Err(why) => at.blocked = Some(why.to_string()),
        }
    }

    /// Takes what came to the doors; says whether there is more at once.
    pub(super) fn hear(&mut self, now: Time) -> bool {
        let Self { attendance: at, engine, actions, notes, .. } = self;
        let Some(ears) = &mut at.ears else { return false };
        let (mut full, mut signed) = (false, Vec::new());
        let heard = ears.drain(ROUND, |heard| match heard.why {
            Why::Datagram => match at.signed.judge(heard, now) {
                Ok(granted) => signed.extend(granted),
                Err(refused) => notes.extend(refused),
            },
            Why::Full => full = true,
            why => {
                let fresh = why == Why::Begins;
                let packet = Packet {
                    at: now,
                    source: heard.source,
                    destination: heard.destination,
                    protocol: heard.protocol,
                    port: heard.port,
                    flags: heard.flags,
                    fresh,
                };
                engine.handle(Input::Packet(&packet), now, actions);
            }
        });
        for grant in signed {
            self.grant(grant, now);
        }
        let at = &mut self.attendance;
        let more = match heard {
            Ok(drained) => {
                at.lost += u64::from(drained.lost);
                drained.more
            }
            Err(refusal) => {
                at.deaf = Some(refusal.to_string());
                at.ears = None;
                false
            }
        };
        if full && now >= at.flood.minus(FLOOD / 2) {
            at.flood = now.plus(FLOOD);
            self.hands.flood(FLOOD);
        }
        more
    }

    /// Tells the gate which ports are heard, if others are now.
    fn hear_elsewhere(&mut self, now: Time) {
        let Some(porter) = self.engine.porter().filter(|_| self.attendance.ears.is_some()) else {
            return;
        };
        let turn = porter.turns();
        if turn == self.attendance.turn {
            return;
        }
        let hits = porter.heard();
        self.attendance.turn = turn;
        if hits != self.attendance.hits {
            self.attendance.hits.clone_from(&hits);
            self.hands.carry(&[Order::Hear(hits)], now);
        }
    }

    /// What follows from an action besides what the gate does; `false` if that is put off.
    pub(super) fn at_doors(&mut self, action: &Action, now: Time) -> bool {
        let at = &mut self.attendance;
        if let Action::Run { door, addr, when } = action
            && self.hands.observing().is_none()
            && !at.commands.run(*door, *addr, *when)
        {
            // What was opened has to be closed.
            if let (When::Stop, Some(porter)) = (when, self.engine.porter_mut()) {
                porter.put_off(*door, *addr, now.plus(commands::AGAIN));
                return false;
            }
            self.notes.push(words::door_busy(door));
        }
        if let Action::Tell(Notice::ClockBack { by }) = action {
            at.set_back(*by);
            self.warden.set_back(*by);
        }
        let note = at.log.note(action, &at.doors, now);
        self.notes.extend(note);
        if let Action::Used { door, sequence } = action
            && let Some((path, sequence)) = at.doors.once(*door, *sequence)
            && let Err(e) = commands::use_up(path, sequence)
        {
            self.notes.push(words::not_marked(path.display(), e));
        }
        true
    }

    /// The gate could not open or close a door.
    pub(super) fn not_opened(&mut self, action: &Action, why: String) {
        if let Action::Open(pass) = action {
            let entries = self.engine.porter().into_iter().flat_map(Porter::entries);
            let mut entries = entries.filter(|entry| entry.pass == *pass);
            let Some(door) = entries.next().map(|entry| entry.door) else { return };
            let prefix = Prefix::host(pass.addr);
            self.actions.push(Action::Tell(Notice::Unopened { door, prefix, why }));
        }
    }

    /// Has commands of doors end, in `patience` at most.
    pub(in crate::run) fn end_doors(&mut self, patience: Duration) {
        let commands = &mut self.attendance.commands;
        commands.finish(patience);
        self.notes.extend(commands.settle());
    }

    /// Does what is due, hears what became of commands, tells the gate which ports are heard now,
    /// and keeps what is to be remembered.
    pub(super) fn settle_doors(&mut self, now: Time) {
        self.end_trial(now);
        self.close_cycles(now);
        self.hear_elsewhere(now);
        let at = &mut self.attendance;
        self.notes.extend(at.commands.settle());
        let porter = self.engine.porter_mut().and_then(Porter::take_memory);
        let changed = at.signed.take_changed();
        if porter.is_none() && !changed {
            return;
        }
        let porter = porter.or_else(|| self.engine.porter().map(Porter::memory));
        let kept = Kept { porter: porter.unwrap_or_default(), signed: at.signed.kept() };
        if let Ok(text) = serde_json::to_string(&kept) {
            self.keeper.mark_now(KEY.to_owned(), text);
        }
    }
}

/// A porter for these doors.
///
/// # Errors
/// What is wrong with them as a whole.
pub(super) fn porter(doors: &Doors, now: Time) -> io::Result<Porter> {
    let policies = doors.policies.clone();
    let porter = Porter::new(policies, locals(), doors.manner, now).map_err(io::Error::other)?;
    Ok(porter.translating(doors.signed.nat()))
}

/// The addresses of this machine at this moment.
pub(super) fn locals() -> Vec<IpAddr> {
    crate::discover::own().into_iter().chain(LOOPBACK).collect()
}

/// What was kept of doors, among the marks of the ledger.
pub(super) fn kept(marks: &[(String, String)]) -> Option<&str> {
    marks.iter().find(|(key, _)| key == KEY).map(|(_, text)| text.as_str())
}
