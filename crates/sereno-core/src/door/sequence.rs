//! Sequences of ports.

use super::packet::Protocol;
use super::timed::Timed;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

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

impl FromStr for Hit {
    type Err = String;

    /// A port that somebody can knock at: `7000`, `7000:udp` as knock's users write it, or `udp/7000`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a port such as 7000, 7000:udp or udp/7000");
        let (port, how) = match (text.split_once(':'), text.split_once('/')) {
            (Some((port, how)), _) | (None, Some((how, port))) => (port, how),
            (None, None) => (text, "tcp"),
        };
        let protocol = [Protocol::Tcp, Protocol::Udp];
        let protocol = protocol.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(how));
        // `parse` would take a sign; nobody can send to port 0.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0);
        protocol.zip(port).map(|(protocol, port)| Self { protocol, port }).ok_or_else(bad)
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

    /// A number by which it is known again, wherever it stands in a list.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let text: String = self.0.iter().map(|hit| format!("{hit} ")).collect();
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        hash.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
    }

    /// Whether a port of it is knocked at in this way.
    #[must_use]
    pub fn uses(&self, protocol: Protocol) -> bool {
        self.0.iter().any(|hit| hit.protocol == protocol)
    }

    /// Whether who tries ports in their order, upwards or downwards, may meet it without another
    /// port in between: one port, or neighbours in one direction. Who gets no answer tries a port
    /// again, so that one which follows itself is one.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let mut hits = self.0.clone();
        hits.dedup();
        let steps = hits.windows(2).map(|two| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_follows_itself_is_met_by_who_tries_it_again() {
        let weak = |ports: &[u16]| {
            let hits = ports.iter().map(|port| Hit::tcp(*port)).collect();
            Sequence::new(hits).unwrap().is_weak()
        };
        assert!(weak(&[7000, 7000, 7000]) && weak(&[7000, 7001, 7001, 7002]) && weak(&[7000]));
        assert!(!weak(&[7000, 7001, 7000]) && !weak(&[7000, 7000, 9000]));
    }

    #[test]
    fn ports_are_read_as_people_write_them() {
        for (text, hit) in [
            ("7000", Hit::tcp(7000)),
            ("7000:tcp", Hit::tcp(7000)),
            ("7000:UDP", Hit::udp(7000)),
            ("udp/65535", Hit::udp(65535)),
            (&Hit::udp(9).to_string(), Hit::udp(9)),
        ] {
            assert_eq!(text.parse(), Ok(hit), "{text}");
        }
        for bad in
            ["", "0", "65536", "+7", "-1", "7000:", ":7000", "7000:sctp", "7:tcp:9", "ssh", "70 00"]
        {
            assert!(bad.parse::<Hit>().is_err(), "{bad}");
        }
    }
}
