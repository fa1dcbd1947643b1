//! Which ports a ban covers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
    /// Datagram Congestion Control Protocol.
    Dccp,
    /// UDP with partial checksums.
    UdpLite,
}

impl Proto {
    const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Dccp, Self::UdpLite];

    /// The protocol number of the IP header (IANA protocol-numbers).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Dccp => 33,
            Self::UdpLite => 136,
        }
    }

    /// The protocol of that number, if it is one with ports.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|proto| proto.number() == number)
    }

    /// The name as nft and `/etc/protocols` write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
            Self::UdpLite => "udplite",
        }
    }
}

impl FromStr for Proto {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|proto| proto.as_str() == text).ok_or_else(|| {
            format!("{text:?} is not a protocol with ports; use tcp, udp, sctp, dccp or udplite")
        })
    }
}

/// Ports `first..=last` of one protocol; written `tcp/22` or `udp/5060-5061`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    proto: Proto,
    first: u16,
    last: u16,
}

impl PortRange {
    /// The range; `None` when it is reversed.
    #[must_use]
    pub fn new(proto: Proto, first: u16, last: u16) -> Option<Self> {
        (first <= last).then_some(Self { proto, first, last })
    }

    /// The protocol.
    #[must_use]
    pub fn proto(self) -> Proto {
        self.proto
    }

    /// The lowest port inside.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port inside.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether a port is in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.proto == other.proto && self.first <= other.last && other.first <= self.last
    }

    /// The ports that are in both.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        let both = Self::new(self.proto, self.first.max(other.first), self.last.min(other.last));
        both.filter(|_| self.proto == other.proto)
    }

    /// Whether every port of the protocol is inside.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.first == 0 && self.last == u16::MAX
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.proto.as_str(), self.first)?;
        if self.first == self.last { Ok(()) } else { write!(f, "-{}", self.last) }
    }
}

/// A number of digits only: `parse` would take a sign.
pub(super) fn number<T: FromStr>(digits: &str) -> Option<T> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a port such as tcp/22 or udp/5060-5061");
        let (proto, ports) = text.split_once('/').ok_or_else(bad)?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (Some(first), Some(last)) = (number(first), number(last)) else { return Err(bad()) };
        Self::new(proto.parse()?, first, last)
            .ok_or_else(|| format!("{text:?} runs backwards; write the lower port first"))
    }
}

crate::text::as_text!(PortRange);

/// The ports a scope covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Ports {
    /// Every packet, of any protocol.
    All,
    /// Only these, sorted and merged; never empty.
    Only(Vec<PortRange>),
}

impl Ports {
    /// Whether a port is in both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (Self::Only(own), Self::Only(others)) = (self, other) else { return true };
        own.iter().any(|one| others.iter().any(|other| one.meets(*other)))
    }

    /// Sorts and merges `ranges`, so that equal coverage is an equal value.
    ///
    /// # Errors
    /// When the list is empty: a scope that covers nothing protects nothing.
    pub fn only(mut ranges: Vec<PortRange>) -> Result<Self, String> {
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(open)
                    if open.proto == range.proto && range.first <= open.last.saturating_add(1) =>
                {
                    open.last = open.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        if merged.is_empty() {
            return Err("no port is given; write ports such as tcp/22, or all".to_owned());
        }
        Ok(Self::Only(merged))
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(ranges) = self else { return f.write_str("all") };
        for (index, range) in ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{range}")?;
        }
        Ok(())
    }
}

impl FromStr for Ports {
    type Err = String;

    /// `all`, or ranges separated by commas or blanks.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        Self::only(words.map(str::parse).collect::<Result<_, _>>()?)
    }
}

crate::text::as_text!(Ports);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        text.parse::<Ports>().map_or_else(|why| why, |ports| ports.to_string())
    }

    #[test]
    fn ports_are_read_merged_and_shown() {
        assert_eq!(shown("all"), "all");
        assert_eq!(shown("tcp/22"), "tcp/22");
        assert_eq!(shown("udp/5060-5061,tcp/5060"), "tcp/5060, udp/5060-5061");
        assert_eq!(shown("tcp/3-9 tcp/1-2, tcp/9-12 udp/12"), "tcp/1-12, udp/12");
        assert_eq!(shown("tcp/0-65535, tcp/65535"), "tcp/0-65535");
    }

    #[test]
    fn refusals_say_what_to_write() {
        assert!(shown("").contains("write ports such as"));
        assert!(shown("22").contains("such as tcp/22"));
        assert!(shown("icmp/3").contains("use tcp, udp"));
        assert!(shown("tcp/9-3").contains("runs backwards"));
        for bad in ["tcp/65536", "tcp/+2", "tcp/", "tcp/1-", "tcp/-1", "tcp/1-2-3"] {
            assert!(shown(bad).contains("is not a port"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn merging_keeps_coverage(list in prop::collection::vec((0usize..2, 0u16..40, 0u16..8), 1..12)) {
            let ranges: Vec<_> = list
                .iter()
                .map(|&(p, first, more)| PortRange::new(Proto::ALL[p], first, first + more).unwrap())
                .collect();
            let covers = |ranges: &[PortRange], proto, port| {
                ranges.iter().any(|r| r.proto == proto && r.first <= port && port <= r.last)
            };
            let ports = Ports::only(ranges.clone()).unwrap();
            prop_assert_eq!(&ports.to_string().parse::<Ports>().unwrap(), &ports);
            let Ports::Only(merged) = ports else { panic!("a list stays a list") };
            for proto in [Proto::Tcp, Proto::Udp] {
                for port in 0..50 {
                    prop_assert_eq!(covers(&ranges, proto, port), covers(&merged, proto, port));
                }
            }
        }
    }
}
