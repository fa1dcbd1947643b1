//! The whole of it: knock, wait, knock once more.

use crate::packet::Spa;
use crate::wait::{self, Answer};
use crate::{Trouble, send};
use sereno_core::door::{Hit, Timed};
use sereno_core::time::Time;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// How to ask.
#[derive(Clone, Debug)]
pub enum What {
    /// With the same knocks always.
    Fixed(Vec<Hit>),
    /// With the knocks of this time.
    Timed(Timed),
    /// With a packet.
    Packet(Box<Spa>),
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server; its port does not matter.
    pub server: SocketAddr,
    /// How to ask.
    pub what: What,
    /// Between two knocks, and before the port is tried.
    pub delay: Duration,
    /// The TCP port to wait for.
    pub wait: Option<u16>,
    /// How long to wait for it.
    pub timeout: Duration,
    /// Whether to ask a second time when half of that is over: not where one asks only once.
    pub again: bool,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A knock was sent.
    Knocked(Hit),
    /// A packet was sent to this UDP port.
    Sent(u16),
    /// A TCP port is tried.
    Waiting(u16),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How often was asked: once or twice.
    pub rounds: u32,
    /// Whether the port answers; `None` when none was waited for.
    pub open: Option<bool>,
    /// Whether it does not answer because somebody refuses: nobody listens, or a firewall says no.
    pub refused: bool,
    /// From the last knock or packet to the answer.
    pub took: Duration,
}

/// Does what a plan says; `tell` hears how far it is.
///
/// # Errors
/// What could not be sent, and why. That a port does not answer is an [`Outcome`].
pub fn carry_out(plan: &Plan, tell: &mut dyn FnMut(Progress)) -> Result<Outcome, Trouble> {
    let half = if plan.again { plan.timeout / 2 } else { plan.timeout };
    let first = plan.round(1, half, tell)?;
    if plan.again && first.open == Some(false) {
        return plan.round(2, plan.timeout.saturating_sub(half), tell);
    }
    Ok(first)
}

impl Plan {
    /// Asks once, and waits as long as patience lasts.
    fn round(
        &self,
        rounds: u32,
        patience: Duration,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, Trouble> {
        self.ask(tell)?;
        let Some(port) = self.wait else {
            return Ok(Outcome { rounds, open: None, refused: false, took: Duration::ZERO });
        };
        tell(Progress::Waiting(port));
        let begun = Instant::now();
        // The SYN must not overtake the last knock.
        sleep(self.delay);
        let mut server = self.server;
        server.set_port(port);
        let answer = wait::answer(server, begun + patience);
        let (open, refused) = (Some(answer == Answer::Open), answer == Answer::Refused);
        Ok(Outcome { rounds, open, refused, took: begun.elapsed() })
    }

    fn ask(&self, tell: &mut dyn FnMut(Progress)) -> Result<(), Trouble> {
        let hits = match &self.what {
            What::Fixed(hits) => hits.clone(),
            What::Timed(timed) => {
                let sequence = timed.sequence(timed.window(now()?)).ok_or(Trouble::NoPort)?;
                sequence.hits().to_vec()
            }
            What::Packet(spa) => {
                spa.send(self.server, now()?)?;
                tell(Progress::Sent(spa.client.port));
                return Ok(());
            }
        };
        send::knocks(self.server, &hits, self.delay, &mut |hit| tell(Progress::Knocked(hit)))
    }
}

fn now() -> Result<Time, Trouble> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map(|since| Time::default().plus(since)).map_err(|_| Trouble::Clock)
}
