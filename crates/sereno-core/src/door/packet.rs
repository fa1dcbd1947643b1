//! What the capture tells of a packet.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What can be knocked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, usually the SYN.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// TCP's flags, as the bits of the header (RFC 9293, 3.1): FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data.
    pub const FIN: Self = Self(1);
    /// A connection begins.
    pub const SYN: Self = Self(2);
    /// A connection is broken off.
    pub const RST: Self = Self(4);
    /// Data to be handed over.
    pub const PSH: Self = Self(8);
    /// Something is acknowledged.
    pub const ACK: Self = Self(16);
    /// Urgent data.
    pub const URG: Self = Self(32);

    /// The flags and others.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether they are those of the first packet of a connection.
    #[must_use]
    pub const fn begin(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0) == Self::SYN.0
    }
}

/// Which flags must be there, and which must not. Others do not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlagTest {
    /// These must all be set.
    pub set: Flags,
    /// None of these may be set.
    pub clear: Flags,
}

impl FlagTest {
    /// SYN must be set.
    pub const SYN: Self = Self { set: Flags::SYN, clear: Flags(0) };

    /// Whether a packet with these flags counts.
    #[must_use]
    pub const fn accepts(self, flags: Flags) -> bool {
        flags.0 & self.set.0 == self.set.0 && flags.0 & self.clear.0 == 0
    }
}

/// A packet, as far as knocks are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it arrived.
    pub at: Time,
    /// Whom it says it is from.
    pub source: IpAddr,
    /// Whom it is to.
    pub destination: IpAddr,
    /// How.
    pub protocol: Protocol,
    /// The port it is to.
    pub port: u16,
    /// TCP's flags; none for UDP.
    pub flags: Flags,
    /// Whether it begins something: a SYN without ACK, or a datagram that belongs to no exchange
    /// that is under way. Only such a packet spoils an attempt at a door it does not belong to.
    pub fresh: bool,
}

impl Packet {
    /// A TCP packet. It is fresh if its flags say so.
    #[must_use]
    pub fn tcp(at: Time, source: IpAddr, destination: IpAddr, port: u16, flags: Flags) -> Self {
        let protocol = Protocol::Tcp;
        Self { at, source, destination, protocol, port, flags, fresh: flags.begin() }
    }

    /// A UDP datagram that belongs to nothing under way.
    #[must_use]
    pub fn udp(at: Time, source: IpAddr, destination: IpAddr, port: u16) -> Self {
        let (protocol, flags) = (Protocol::Udp, Flags::default());
        Self { at, source, destination, protocol, port, flags, fresh: true }
    }
}

impl Packet {
    /// The port it hits.
    #[must_use]
    pub const fn hit(&self) -> super::Hit {
        super::Hit { protocol: self.protocol, port: self.port }
    }
}
