//! Sequences of ports.

use super::packet::Protocol;
use super::timed::Timed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Ports in a sequence at most.
pub const MOST_HITS: usize = 32;
/// Ports this near to each other are met one after the other by who tries ports in their order.
const NEAR: i32 = 64;

/// A port and how it is knocked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hit {
    /// How.
    pub protocol: Protocol,
    /// Where. knockd takes port 0 too.
    pub port: u16,
}

impl Hit {
    /// A TCP port.
    #[must_use]
    pub const fn tcp(port: u16) -> Self {
        Self { protocol: Protocol::Tcp, port }
    }

    /// A UDP port.
    #[must_use]
    pub const fn udp(port: u16) -> Self {
        Self { protocol: Protocol::Udp, port }
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol.as_str(), self.port)
    }
}

/// Ports in their order: 1 to [`MOST_HITS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence(Vec<Hit>);

impl Sequence {
    /// A sequence; `None` if it is empty or too long.
    #[must_use]
    pub fn new(hits: Vec<Hit>) -> Option<Self> {
        (1..=MOST_HITS).contains(&hits.len()).then_some(Self(hits))
    }

    /// Its ports.
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.0
    }

    /// The port it begins with.
    #[must_use]
    pub fn first(&self) -> Hit {
        self.0.first().copied().unwrap_or(Hit::tcp(0))
    }

    /// Whether a port of it is knocked at in this way.
    #[must_use]
    pub fn uses(&self, protocol: Protocol) -> bool {
        self.0.iter().any(|hit| hit.protocol == protocol)
    }

    /// Whether who tries ports in their order, upwards or downwards, may meet it without another
    /// port in between: one port, or neighbours in one direction.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let steps = self.0.windows(2).map(|two| {
            let by = i32::from(two[1].port) - i32::from(two[0].port);
            if two[0].protocol == two[1].protocol && by.abs() <= NEAR { by.signum() } else { 0 }
        });
        let steps: Vec<i32> = steps.collect();
        steps.iter().all(|step| *step > 0) || steps.iter().all(|step| *step < 0)
    }
}

/// The knocks that open a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sequences {
    /// Always the same.
    Fixed(Sequence),
    /// Each once, in this order. The first one is in force until it was used.
    Once(Vec<Sequence>),
    /// Others all the time, made of a secret. Each is used once.
    Timed(Timed),
}
