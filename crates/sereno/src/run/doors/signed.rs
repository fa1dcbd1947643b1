//! Signed packets: judged here, and what was granted handed on.

use super::commands::{AGAIN, As};
use crate::doors::{Doors, Signed, SignedDoor};
use crate::run::guard::Guard;
use crate::words;
use serde::{Deserialize, Serialize};
use sereno_core::door::When;
use sereno_core::engine::Input;
use sereno_core::gate::{Name, Pass, PortRange, Ports, Proto, Through};
use sereno_core::time::Time;
use sereno_nft::Heard;
use sereno_spa::{Blank, Datagram, Deed, Grant, Memory, Refusal, Seen, Verdict, judge};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Closing commands that wait at most; who would need one more has nothing opened.
const MOST: usize = 4096;

/// A closing command that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Closing {
    door: Name,
    addr: IpAddr,
    script: String,
}

/// What is kept over a restart: of packets, and the closing commands that wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    seen: Seen,
    closings: Vec<(Time, Closing)>,
}

/// What a packet was granted, and at which door.
#[derive(Debug)]
pub(super) struct Granted {
    door: Name,
    /// What is opened instead of what it asks for.
    ports: Option<Ports>,
    grant: Grant,
}

/// Judges packets.
#[derive(Debug, Default)]
pub(super) struct Gatekeeper {
    signed: Signed,
    memory: Memory,
    closings: BTreeMap<(Time, u64), Closing>,
    last: u64,
    changed: bool,
}

impl Gatekeeper {
    pub(super) fn take_up(&mut self, doors: &Doors) {
        self.signed = doors.signed.clone();
        self.moved(&super::locals());
    }

    /// Takes over the addresses of this machine.
    pub(super) fn moved(&mut self, locals: &[IpAddr]) {
        let four = |addr: &IpAddr| match addr {
            IpAddr::V4(addr) => Some(*addr),
            IpAddr::V6(_) => None,
        };
        self.signed.access.own = locals.iter().filter_map(four).collect();
    }

    pub(super) fn recall(&mut self, kept: Kept) {
        self.memory.replay.import(&kept.seen);
        for (at, closing) in kept.closings.into_iter().take(MOST) {
            self.wait(at, closing);
        }
    }

    pub(super) fn kept(&self) -> Kept {
        let closings = self.closings.iter().map(|((at, _), closing)| (*at, closing.clone()));
        Kept { seen: self.memory.replay.export(), closings: closings.collect() }
    }

    /// The clock was set back by so much.
    pub(super) fn set_back(&mut self, by: Duration) {
        let closings = std::mem::take(&mut self.closings).into_iter();
        self.closings = closings.map(|((at, n), closing)| ((at.minus(by), n), closing)).collect();
        self.changed = true;
    }

    /// Whether there is something new to be kept, since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        let fresh = !self.memory.replay.take_fresh().is_empty();
        std::mem::take(&mut self.changed) || fresh
    }

    /// Packets that were granted something, and those refused, by the reason.
    pub(super) fn counts(&self) -> (u64, impl Iterator<Item = (Refusal, u64)>) {
        (self.memory.granted(), self.memory.refused())
    }

    /// When a closing command is due.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.closings.keys().next().map(|(at, _)| *at)
    }

    /// What a packet is granted.
    ///
    /// # Errors
    /// It is refused; a sentence, where whoever has a key should know why.
    pub(super) fn judge(
        &mut self,
        heard: &Heard<'_>,
        now: Time,
    ) -> Result<Option<Granted>, Option<String>> {
        let (payload, source) = (heard.payload, heard.source);
        let datagram = Datagram { payload, source, destination: heard.destination };
        match judge(&datagram, now, &self.signed.access, &mut self.memory) {
            Verdict::Granted(grant) => {
                let door = self.signed.doors.get(grant.stanza);
                let granted = |door: &SignedDoor| Granted {
                    door: door.name,
                    ports: door.ports.clone(),
                    grant,
                };
                Ok(door.map(granted))
            }
            Verdict::Refused(Refusal::Nat) => Err(Some(words::signed_nat(source))),
            Verdict::Refused(Refusal::Target) => Err(Some(words::signed_target(source))),
            Verdict::Refused(_) => Err(None),
        }
    }

    fn wait(&mut self, at: Time, closing: Closing) {
        self.last += 1;
        self.closings.insert((at, self.last), closing);
        self.changed = true;
    }

    /// What opens for a grant, and what closes and when.
    fn cycle(&self, stanza: usize, blank: &Blank) -> Option<(String, Option<String>)> {
        let cycle = self.signed.access.stanzas.get(stanza)?.cycle.as_ref()?;
        Some((cycle.open.fill(blank), cycle.close.as_ref().map(|close| close.fill(blank))))
    }

    fn due(&mut self, now: Time) -> Option<Closing> {
        let first = self.closings.first_entry().filter(|first| first.key().0 <= now)?;
        self.changed = true;
        Some(first.remove())
    }
}

impl Guard {
    /// Does what a packet was granted.
    pub(super) fn grant(&mut self, granted: Granted, now: Time) {
        let Granted { door, ports, grant } = granted;
        let (addr, user) = (grant.address, grant.user);
        match grant.deed {
            Deed::Translate { to, time } => match (to, ports) {
                (Through::Dnat(dnat), Some(ports)) if !has_port(&ports, dnat.proto, dnat.port) => {
                    let asked = format!("{}/{}", dnat.proto.as_str(), dnat.port);
                    self.notes.push(words::signed_other(user, door, asked));
                }
                _ => {
                    let pass = Pass { to, addr, until: Some(now.plus(time)) };
                    self.engine.handle(Input::Admit { door, pass }, now, &mut self.actions);
                }
            },
            Deed::Open { ports: asked, time } => match ports {
                Some(ports) if asked.iter().all(|asked| has(&ports, *asked)) => {
                    let input = Input::LetIn { door, addr, length: Some(time) };
                    self.engine.handle(input, now, &mut self.actions);
                }
                Some(_) => {
                    let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
                    self.notes.push(words::signed_other(user, door, asked.join(", ")));
                }
                None => {
                    let (until, ports) = (now.plus(time), asked.as_slice());
                    let input = Input::Grant { door, addr, ports, until };
                    self.engine.handle(input, now, &mut self.actions);
                }
            },
            Deed::Cycle { blanks, close_after } => {
                self.notes.push(words::signed_runs(user, addr, door));
                for blank in &blanks {
                    self.cycle(door, (grant.stanza, blank), close_after, now);
                }
            }
            Deed::Command { line } => {
                self.notes.push(words::signed_runs(user, addr, door));
                let stanza = self.attendance.signed.signed.access.stanzas.get(grant.stanza);
                let Some(who) = stanza.and_then(|stanza| stanza.commands.as_ref()) else { return };
                let who = As::of(who);
                if self.hands.observing().is_none()
                    && !self.attendance.commands.run_as(door, addr, &who, &line)
                {
                    self.notes.push(words::door_busy(door));
                }
            }
        }
    }

    fn cycle(
        &mut self,
        door: Name,
        (stanza, blank): (usize, &Blank),
        close_after: Duration,
        now: Time,
    ) {
        let at = &mut self.attendance;
        let Some((open, close)) = at.signed.cycle(stanza, blank) else { return };
        if self.hands.observing().is_some() {
            return;
        }
        let addr = blank.address;
        let full = close.is_some() && at.signed.closings.len() >= MOST;
        if full || !at.commands.run_script(door, addr, When::Start, open) {
            self.notes.push(words::door_busy(door));
            return;
        }
        if let Some(script) = close {
            at.signed.wait(now.plus(close_after), Closing { door, addr, script });
        }
    }

    /// Runs the closing commands that are due.
    pub(super) fn close_cycles(&mut self, now: Time) {
        let at = &mut self.attendance;
        while let Some(closing) = at.signed.due(now) {
            let Closing { door, addr, ref script } = closing;
            if !at.commands.run_script(door, addr, When::Stop, script.clone()) {
                at.signed.wait(now.plus(AGAIN), closing);
            }
        }
    }
}

/// Whether a door has this port.
fn has_port(ports: &Ports, proto: Proto, port: u16) -> bool {
    PortRange::new(proto, port, port).is_some_and(|port| has(ports, port))
}

/// Whether a door has these ports.
fn has(ports: &Ports, asked: PortRange) -> bool {
    match ports {
        Ports::All => true,
        Ports::Only(list) => list.iter().any(|range| {
            range.proto() == asked.proto()
                && range.first() <= asked.first()
                && asked.last() <= range.last()
        }),
    }
}
