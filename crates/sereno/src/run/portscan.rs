//! Closed ports that strangers try: what the gate tells of them goes to the jail that listens.
//!
//! Each packet becomes a line, so that a jail reads it like a log. It comes by a group of the kernel's log of
//! its own: however many come, no knock is lost.

use super::guard::Guard;
use crate::words;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use sereno_config::{Policy, SourceConf};
use sereno_core::door::Protocol;
use sereno_core::engine::{Input, MOST_HEARD};
use sereno_core::gate::PortScan;
use sereno_core::line::{Record, Style};
use sereno_core::time::Time;
use sereno_nft::{Ears, Heard, Why};
use std::borrow::Cow;
use std::os::fd::{AsFd, AsRawFd};

const TOLD: Token = Token(7);
/// Packets taken in one round, before others have their turn.
const ROUND: usize = 512;

/// Who listens to what the gate tells.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    ears: Option<Ears>,
    /// Why nothing is heard, where something should be.
    deaf: Option<String>,
}

/// The group in which the gate tells, beside that of the doors.
fn group(doors: u16) -> u16 {
    if doors < u16::MAX { doors + 1 } else { doors - 1 }
}

/// Has the guard wait for what a group of the kernel's log tells; goes on with `ears` that listen to it already.
///
/// # Errors
/// Why nothing can be heard.
pub(super) fn open_ears(
    registry: &Registry,
    token: Token,
    ears: Option<Ears>,
    group: u16,
) -> Result<Ears, String> {
    if let Some(ears) = ears.filter(|ears| ears.group() == group) {
        return Ok(ears);
    }
    let ears = Ears::open(group).map_err(|refusal| refusal.to_string())?;
    let fd = ears.as_fd().as_raw_fd();
    let registered = registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
    registered.map_err(|e| e.to_string()).map(|()| ears)
}

impl Guard {
    /// Takes over what the files say.
    pub(super) fn take_up_portscan(&mut self, policy: &Policy) {
        let told = |source: &SourceConf| match source {
            SourceConf::Gate(quiet) => Some(quiet.clone()),
            SourceConf::Files(_) | SourceConf::Journal(_) => None,
        };
        let listens = policy.jails.iter().find_map(|jail| {
            let quiet = jail.sources.iter().find_map(told)?;
            let findtime = jail.policy.findtime;
            Some(PortScan::new(group(policy.settings.ears), quiet, findtime))
        });
        self.draft.portscan = listens;
    }

    /// Listens, if a jail does and something is enforced.
    pub(super) fn listen_for_scans(&mut self) {
        let wanted = self.draft.portscan.as_ref().map(|scan| scan.group);
        let lookout = &mut self.lookout;
        lookout.deaf = self.hands.unheard().map(str::to_owned);
        let able = self.hands.observing().is_none() && lookout.deaf.is_none();
        let Some(group) = wanted.filter(|_| able) else {
            lookout.ears = None;
            return;
        };
        let heard = open_ears(self.poll.registry(), TOLD, lookout.ears.take(), group);
        match heard {
            Ok(ears) => lookout.ears = Some(ears),
            Err(why) => lookout.deaf = Some(why),
        }
        if let Some(why) = &self.lookout.deaf {
            self.notes.push(words::portscan_deaf(why));
        }
    }

    /// Takes what was told; says whether there is more at once.
    pub(super) fn hear_scans(&mut self, now: Time) -> bool {
        let Self { lookout, engine, actions, book, .. } = self;
        let (Some(ears), Some(source)) = (&mut lookout.ears, book.gate()) else { return false };
        let drained = ears.drain(ROUND, |heard| {
            if heard.why == Why::Closed {
                let text = line(heard);
                let record = Record {
                    program: b"gate",
                    text: Cow::Borrowed(text.as_bytes()),
                    style: Style::Syslog,
                    ..Record::default()
                };
                let input = Input::Record { source, record: &record, when: now };
                engine.handle(input, now, actions);
            }
        });
        match drained {
            Ok(drained) => {
                if drained.heard > 0 {
                    book.feed();
                }
                drained.more
            }
            Err(refusal) => {
                lookout.deaf = Some(refusal.to_string());
                lookout.ears = None;
                false
            }
        }
    }

    /// What keeps a jail that listens from hearing or banning: what it is about, and in words.
    pub(super) fn scan_alarms(&self) -> Vec<(&'static str, String)> {
        if self.draft.portscan.is_none() || self.hands.observing().is_some() {
            return Vec::new();
        }
        let deaf = self.lookout.deaf.as_ref().map(|why| ("portscan", words::portscan_deaf(why)));
        let open = self.draft.policy.is_none() && self.draft.trying.is_none();
        let open = open.then(|| ("portscan open", words::portscan_open()));
        let ledger = self.engine.ledger();
        let heard = self.engine.jails().filter(|(policy, _)| policy.heard);
        let mut crowded = heard.filter(|(policy, _)| ledger.count(policy.name) >= MOST_HEARD);
        let crowded = crowded.next().map(|_| ("portscan crowd", words::portscan_crowd(MOST_HEARD)));
        deaf.into_iter().chain(open).chain(crowded).collect()
    }
}

/// A line that the rule knows.
fn line(heard: &Heard<'_>) -> String {
    let proto = match heard.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let Heard { port, destination, source, .. } = heard;
    format!("closed {proto}/{port} at {destination} from {source}")
}
