//! What follows from a packet.
//!
//! The order is that of cost and trust: length and characters, whether any stanza is for this
//! source, how much was computed lately, whether the very same came before; then the signature,
//! and only of what is signed the cipher; then the digest, the fields, whether it came before in
//! another spelling, its age, and what the stanza allows. A packet is remembered once it is known
//! to be made with a key, whatever follows, and never before.

use crate::Refusal;
use crate::cycle::Blank;
use crate::limit::Limits;
use crate::message::{Ask, Message, Nat, Who};
use crate::packet::{Wire, sha256};
use crate::replay::{Replay, Unnoted};
use crate::stanza::{Access, Stanza};
use crate::translate::{is_allowed, through};
use sereno_core::addr::canonical;
use sereno_core::gate::{PortRange, Through};
use sereno_core::time::Time;
use std::net::IpAddr;
use std::time::Duration;

/// A packet as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'p> {
    /// What it carries.
    pub payload: &'p [u8],
    /// Who sent it, by its header.
    pub source: IpAddr,
    /// Where it was sent.
    pub destination: IpAddr,
}

/// What follows from a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something is to be done.
    Granted(Grant),
    /// Nothing is.
    Refused(Refusal),
}

/// What is to be done, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// By which stanza, as a place in [`Access::stanzas`].
    pub stanza: usize,
    /// Who sent it, by his own word: printable, but not checked unless the stanza names him.
    pub user: String,
    /// To whom it is opened.
    pub address: IpAddr,
    /// What is to be done.
    pub deed: Deed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Open these ports.
    Open {
        /// Single ports.
        ports: Vec<PortRange>,
        /// For how long.
        time: Duration,
    },
    /// Let through by translation.
    Translate {
        /// Where.
        to: Through,
        /// For how long.
        time: Duration,
    },
    /// Run the stanza's command once for each port, with its blanks filled so, and the closing one
    /// later.
    Cycle {
        /// What fills the blanks, a port each.
        blanks: Vec<Blank>,
        /// When to run the closing command, if there is one.
        close_after: Duration,
    },
    /// Run a command line that came in the packet, as the stanza's `commands` say.
    Command {
        /// The line.
        line: String,
    },
}

/// What is remembered from packet to packet.
#[derive(Debug, Default)]
pub struct Memory {
    /// Which packets came before.
    pub replay: Replay,
    /// How much was computed lately.
    pub limits: Limits,
    granted: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Memory {
    /// How many packets were granted something.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted
    }

    /// How many were refused, by reason, in the order of [`Refusal::ALL`].
    pub fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(self.refused)
    }

    fn count(&mut self, verdict: &Verdict) {
        let count = match verdict {
            Verdict::Granted(_) => Some(&mut self.granted),
            Verdict::Refused(refusal) => self.refused.get_mut(*refusal as usize),
        };
        count.into_iter().for_each(|count| *count = count.saturating_add(1));
    }
}

/// Says what follows from a packet, and remembers it.
pub fn judge(datagram: &Datagram<'_>, now: Time, access: &Access, memory: &mut Memory) -> Verdict {
    let verdict = match weigh(datagram, now, access, memory) {
        Ok(grant) => Verdict::Granted(grant),
        Err(refusal) => Verdict::Refused(refusal),
    };
    memory.count(&verdict);
    verdict
}

fn weigh(
    datagram: &Datagram<'_>,
    now: Time,
    access: &Access,
    memory: &mut Memory,
) -> Result<Grant, Refusal> {
    let wire = Wire::parse(datagram.payload)?;
    let (source, destination) = (canonical(datagram.source), canonical(datagram.destination));
    let place = Place { source, destination, now, access };
    let fits = |stanza: &Stanza| stanza.source.has(source) && stanza.destination.has(destination);
    let fitting = access.stanzas.iter().filter(|stanza| fits(stanza)).count();
    if fitting == 0 {
        return Err(Refusal::Source);
    }
    memory.limits.take(source, fitting, now)?;
    let mark = wire.digest();
    if memory.replay.knows(&mark) {
        return Err(Refusal::Replay);
    }
    // Of several stanzas the first that grants counts; if none does, the reason that came furthest.
    let mut furthest = Refusal::Hmac;
    let mut noted = false;
    for (at, stanza) in access.stanzas.iter().enumerate().filter(|(_, stanza)| fits(stanza)) {
        let message = match wire.open(&stanza.keys) {
            Ok(message) => message,
            Err(refusal) => {
                furthest = furthest.max(refusal);
                continue;
            }
        };
        if !noted {
            note(memory, mark, &message, &place)?;
            noted = true;
        }
        match place.allow(stanza, &message) {
            Ok((address, deed)) => {
                return Ok(Grant { stanza: at, user: message.user, address, deed });
            }
            Err(refusal) => furthest = furthest.max(refusal),
        }
    }
    Err(furthest)
}

fn note(
    memory: &mut Memory,
    mark: [u8; 32],
    message: &Message,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    let max_age = place.access.max_age;
    let content = sha256(&[b"content", &message.digits, &message.sent.to_be_bytes()]);
    if memory.replay.knows(&content) {
        return Err(Refusal::Replay);
    }
    // It will never be taken, so that nothing need be remembered.
    if age(place.now, message.sent, max_age) == Err(Refusal::Expired) {
        return Err(Refusal::Expired);
    }
    memory.replay.note([mark, content], message.sent, place.now, max_age).map_err(|why| match why {
        Unnoted::Known => Refusal::Replay,
        Unnoted::Forgotten => Refusal::Expired,
        Unnoted::Full => Refusal::Full,
    })
}

/// In whole seconds, as fwknopd counts them.
fn age(now: Time, sent: u64, max_age: Duration) -> Result<(), Refusal> {
    let now = u64::try_from(now.secs()).unwrap_or(0);
    match max_age.as_secs() {
        most if now.saturating_sub(sent) > most => Err(Refusal::Expired),
        most if sent.saturating_sub(now) > most => Err(Refusal::Future),
        _ => Ok(()),
    }
}

/// Where and when a packet came in.
struct Place<'a> {
    source: IpAddr,
    destination: IpAddr,
    now: Time,
    access: &'a Access,
}

impl Place<'_> {
    /// What the stanza allows of what an authentic message asks for.
    fn allow(&self, stanza: &Stanza, message: &Message) -> Result<(IpAddr, Deed), Refusal> {
        if stanza.expires.is_some_and(|end| self.now > end) {
            return Err(Refusal::Lapsed);
        }
        age(self.now, message.sent, self.access.max_age)?;
        let who = match &message.ask {
            Ask::Command { who, .. } | Ask::Access { who, .. } => *who,
        };
        let address = match who {
            Who::Addr(addr) => addr,
            Who::Sender | Who::Sender6 if stanza.require_address => return Err(Refusal::Address),
            Who::Sender | Who::Sender6 => self.source,
        };
        if stanza.user.as_ref().is_some_and(|user| *user != message.user) {
            return Err(Refusal::User);
        }
        let deed = match &message.ask {
            Ask::Command { .. } if stanza.commands.is_none() => return Err(Refusal::Command),
            Ask::Command { line, .. } => Deed::Command { line: line.clone() },
            Ask::Access { ports, nat, timeout, .. } => {
                self.open(stanza, address, ports, nat.as_ref(), *timeout)?
            }
        };
        Ok((address, deed))
    }

    fn open(
        &self,
        stanza: &Stanza,
        address: IpAddr,
        ports: &[PortRange],
        nat: Option<&Nat>,
        timeout: Option<u32>,
    ) -> Result<Deed, Refusal> {
        if nat.is_some_and(|nat| !is_allowed(&stanza.translation, nat)) {
            return Err(Refusal::Nat);
        }
        if !ports.iter().all(|port| stanza.opens(*port)) {
            return Err(Refusal::Ports);
        }
        let asked = timeout.filter(|&seconds| seconds > 0);
        let asked =
            asked.map(|seconds| Duration::from_secs(seconds.into()).min(stanza.max_timeout));
        let time = asked.unwrap_or(stanza.timeout);
        if let Some(cycle) = &stanza.cycle {
            let until = self.now.plus(time).secs();
            let blanks = ports.iter().map(|port| self.blank(address, *port, until)).collect();
            return Ok(Deed::Cycle { blanks, close_after: cycle.timer.unwrap_or(time) });
        }
        let at = (self.destination, self.access.own.as_slice());
        Ok(match through(stanza, ports, nat, at)? {
            // Only IPv4 is translated.
            Some(_) if !address.is_ipv4() => return Err(Refusal::Target),
            Some(to) => Deed::Translate { to, time },
            None => Deed::Open { ports: ports.to_vec(), time },
        })
    }

    fn blank(&self, address: IpAddr, port: PortRange, until: i64) -> Blank {
        let (source, destination) = (self.source, self.destination);
        let (port, proto) = (port.first(), port.proto().number());
        Blank { address, source, destination, port, proto, until }
    }
}
