//! Packets that the kernel's log hands over, as far as doors are concerned.
//!
//! Pure and total: any bytes give a value or nothing. The kernel made the attributes; everything
//! in the packet was chosen by strangers.

use crate::decode::{Message, attributes, text};
use crate::numbers::*;
use sereno_core::door::{Flags, Protocol};
use sereno_core::time::Time;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Headers between that of IPv6 and that of the protocol, at most. Honest packets have two or
/// three.
const EXTENSIONS: usize = 8;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Why a packet was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It begins something, and either hits a knock port, or its source did so lately, or all is
    /// heard.
    Begins,
    /// It hits a knock port, whatever it is: other than a SYN, or anything in knockd's manner.
    Hit,
    /// It begins something and hits a knock port, but its source is not followed: there was no
    /// room.
    Full,
    /// It is a datagram to a port where those are heard whole.
    Datagram,
    /// It begins something, at a port that is closed to its source.
    Closed,
}

impl Why {
    fn of(prefix: &[u8]) -> Option<Self> {
        match prefix {
            b"n" => Some(Self::Begins),
            b"h" => Some(Self::Hit),
            b"f" => Some(Self::Full),
            b"s" => Some(Self::Datagram),
            b"c" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// A packet that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard<'a> {
    /// Why.
    pub why: Why,
    /// When it arrived, if the kernel says so.
    pub at: Option<Time>,
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
    /// What a [`Why::Datagram`] carries, whole; nothing of others.
    pub payload: &'a [u8],
}

/// Reads a message of the kernel's log.
#[must_use]
pub fn heard<'a>(message: &Message<'a>) -> Option<Heard<'a>> {
    if message.kind != ulog_kind(NFULNL_MSG_PACKET) {
        return None;
    }
    let bytes = message.attributes();
    let why = Why::of(text(bytes, NFULA_PREFIX)?)?;
    let mut at = None;
    let mut packet = None;
    for (kind, value) in attributes(bytes) {
        match kind {
            NFULA_TIMESTAMP => at = stamp(value),
            NFULA_PAYLOAD => packet = Some(value),
            _ => (),
        }
    }
    let packet = packet?;
    let transport = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    transport.read(why, at)
}

/// The number of the packet among those of its group: the next is one more, unless some were lost.
pub(crate) fn number(message: &Message<'_>) -> Option<u32> {
    if message.kind != ulog_kind(NFULNL_MSG_PACKET) {
        return None;
    }
    crate::decode::u32_attribute(message.attributes(), NFULA_SEQ)
}

/// The type of a message of the kernel's log.
pub(crate) fn ulog_kind(kind: u8) -> u16 {
    u16::from(NFNL_SUBSYS_ULOG) << 8 | u16::from(kind)
}

/// Seconds and microseconds, 64 bits each.
fn stamp(value: &[u8]) -> Option<Time> {
    let secs = i64::from_be_bytes(value.get(..8)?.try_into().ok()?);
    let micros = u64::from_be_bytes(value.get(8..16)?.try_into().ok()?);
    Some(Time::from_secs(secs).plus(Duration::from_micros(micros)))
}

/// What is above IP.
struct Transport<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    bytes: &'a [u8],
}

impl<'a> Transport<'a> {
    fn read(&self, why: Why, at: Option<Time>) -> Option<Heard<'a>> {
        let port = u16::from_be_bytes(self.bytes.get(2..4)?.try_into().ok()?);
        let (protocol, flags, payload) = match self.protocol {
            // RFC 9293, 3.1. Two bits above these six are of congestion control.
            TCP => (Protocol::Tcp, Flags(self.bytes.get(13)? & 0x3f), &[][..]),
            UDP => (Protocol::Udp, Flags::default(), self.datagram(why)?),
            _ => return None,
        };
        if why == Why::Datagram && protocol != Protocol::Udp {
            return None;
        }
        let (source, destination) = (self.source, self.destination);
        Some(Heard { why, at, source, destination, protocol, port, flags, payload })
    }

    /// What a datagram carries (RFC 768), if that was asked for. Its own length counts, so that
    /// padding is no part of it; what is cut off is no datagram.
    fn datagram(&self, why: Why) -> Option<&'a [u8]> {
        let len = usize::from(u16::from_be_bytes(self.bytes.get(4..6)?.try_into().ok()?));
        match why {
            Why::Datagram => self.bytes.get(8..len),
            _ if len >= 8 => Some(&[]),
            _ => None,
        }
    }
}

/// RFC 791, 3.1.
fn ipv4(packet: &[u8]) -> Option<Transport<'_>> {
    let field = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
    let addr = |at: usize| {
        let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(IpAddr::from(Ipv4Addr::from(octets)))
    };
    let header = usize::from(packet.first()? & 0xf) * 4;
    let total = usize::from(field(2)?);
    // The lower 13 bits say where in a datagram the fragment belongs; ports are in the first.
    if header < 20 || total < header || field(6)? & 0x1fff != 0 {
        return None;
    }
    Some(Transport {
        source: addr(12)?,
        destination: addr(16)?,
        protocol: *packet.get(9)?,
        bytes: packet.get(header..total.min(packet.len()))?,
    })
}

/// RFC 8200, 3 and 4.
fn ipv6(packet: &[u8]) -> Option<Transport<'_>> {
    let addr = |at: usize| {
        let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        let addr = Ipv6Addr::from(octets);
        // Such an address has no place in a packet: it would pass for that of an IPv4 packet.
        addr.to_ipv4_mapped().is_none().then_some(IpAddr::from(addr))
    };
    let (source, destination) = (addr(8)?, addr(24)?);
    let len = usize::from(u16::from_be_bytes(packet.get(4..6)?.try_into().ok()?));
    let mut bytes = packet.get(40..(40 + len).min(packet.len()))?;
    let mut protocol = *packet.get(6)?;
    for _ in 0..EXTENSIONS {
        let span = match protocol {
            TCP | UDP => return Some(Transport { source, destination, protocol, bytes }),
            // Hop-by-hop options, routing, destination options, mobility.
            0 | 43 | 60 | 135 => 8 + usize::from(*bytes.get(1)?) * 8,
            // A fragment; the upper 13 bits say where it belongs.
            44 if u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) >> 3 == 0 => 8,
            // Authentication (RFC 4302, 2.2).
            51 => 8 + usize::from(*bytes.get(1)?) * 4,
            _ => return None,
        };
        protocol = *bytes.first()?;
        bytes = bytes.get(span..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::messages;
    use crate::encode::packet;
    use proptest::prelude::*;

    const V4: [u8; 4] = [192, 0, 2, 7];

    /// A datagram to port 9 with its own idea of its length.
    fn udp(len: u16, body: &[u8]) -> Vec<u8> {
        let head = [1234u16, 9, len, 0].map(u16::to_be_bytes).concat();
        [&head, body].concat()
    }

    fn tcp(flags: u8) -> Vec<u8> {
        let mut bytes = vec![0; 20];
        bytes[2..4].copy_from_slice(&7000u16.to_be_bytes());
        bytes[12..14].copy_from_slice(&[0x50, flags]);
        bytes
    }

    fn v4(protocol: u8, options: usize, offset: u16, inner: &[u8]) -> Vec<u8> {
        let header = 20 + options;
        let mut bytes = vec![0; header];
        bytes[0] = 0x40 | (header / 4) as u8;
        bytes[2..4].copy_from_slice(&((header + inner.len()) as u16).to_be_bytes());
        bytes[6..8].copy_from_slice(&offset.to_be_bytes());
        bytes[9] = protocol;
        bytes[12..16].copy_from_slice(&V4);
        bytes[16..20].copy_from_slice(&[10, 9, 0, 1]);
        bytes.extend_from_slice(inner);
        bytes
    }

    fn v6(next: u8, source: &str, inner: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 40];
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&(inner.len() as u16).to_be_bytes());
        bytes[6] = next;
        bytes[8..24].copy_from_slice(&source.parse::<Ipv6Addr>().unwrap().octets());
        bytes[24..40].copy_from_slice(&"fd09::1".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend_from_slice(inner);
        bytes
    }

    /// Hands over what was heard of a packet, owned.
    fn told(prefix: &str, packet_bytes: &[u8]) -> Option<(Heard<'static>, Vec<u8>)> {
        let bytes = packet(prefix, Some((5, 70_000)), packet_bytes);
        let message = messages(&bytes).next().unwrap();
        let heard = heard(&message)?;
        let payload = heard.payload.to_vec();
        Some((Heard { payload: &[], ..heard }, payload))
    }

    #[test]
    fn a_syn_is_told_with_its_time_and_flags() {
        let (heard, payload) = told("n", &v4(TCP, 0, 0, &tcp(0xc2))).unwrap();
        let want = Heard {
            why: Why::Begins,
            at: Some(Time(5_070_000)),
            source: V4.into(),
            destination: [10, 9, 0, 1].into(),
            protocol: Protocol::Tcp,
            port: 7000,
            flags: Flags::SYN,
            payload: &[],
        };
        assert_eq!((heard, payload), (want, vec![]));
        let (six, _) = told("h", &v6(TCP, "fd09::2", &tcp(0x10))).unwrap();
        assert_eq!((six.why, six.flags, six.port), (Why::Hit, Flags::ACK, 7000));
        assert_eq!(six.source, "fd09::2".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn options_and_extension_headers_are_passed_over_up_to_a_limit() {
        assert_eq!(told("f", &v4(TCP, 40, 0, &tcp(2))).unwrap().0.port, 7000);
        let option = |next: u8| [vec![next, 1], vec![0; 14]].concat();
        let chain = |count: usize| {
            let mut inner = Vec::new();
            for index in 0..count {
                inner.extend(option(if index + 1 == count { TCP } else { 60 }));
            }
            [inner, tcp(2)].concat()
        };
        assert!(told("n", &v6(60, "fd09::2", &chain(EXTENSIONS - 1))).is_some());
        assert!(told("n", &v6(60, "fd09::2", &chain(EXTENSIONS))).is_none());
        let authenticated = [vec![TCP, 4], vec![0; 22], tcp(2)].concat();
        assert!(told("n", &v6(51, "fd09::2", &authenticated)).is_some());
    }

    #[test]
    fn of_fragments_only_the_first_says_where_it_goes() {
        assert!(told("n", &v4(TCP, 0, 0x2000, &tcp(2))).is_some());
        assert!(told("n", &v4(TCP, 0, 1, &tcp(2))).is_none());
        let part = |offset: u8| [vec![TCP, 0, 0, offset, 0, 0, 0, 1], tcp(2)].concat();
        assert!(told("n", &v6(44, "fd09::2", &part(1))).is_some());
        assert!(told("n", &v6(44, "fd09::2", &part(8))).is_none());
    }

    #[test]
    fn a_datagram_is_as_long_as_it_says_and_whole_or_nothing() {
        let body = b"sixteen bytes...";
        let payload = |len: u16| told("s", &v4(UDP, 0, 0, &udp(len, body))).map(|(_, body)| body);
        assert_eq!(payload(24).unwrap(), body);
        assert_eq!(payload(15).unwrap(), b"sixteen");
        assert_eq!(payload(8).unwrap(), b"");
        for wrong in [0, 7, 25, u16::MAX] {
            assert_eq!(payload(wrong), None, "{wrong}");
        }
        // Of others nothing is told, and the log may have cut them.
        assert_eq!(told("n", &v4(UDP, 0, 0, &udp(900, body))).unwrap().1, b"");
        assert!(told("n", &v4(UDP, 0, 0, &udp(7, body))).is_none());
        // Padding of the wire belongs to nobody.
        let padded = [v4(UDP, 0, 0, &udp(12, b"four")), vec![0; 9]].concat();
        assert_eq!(told("s", &padded).unwrap().1, b"four");
        let long = [v4(UDP, 0, 0, &udp(21, b"four")), vec![0; 9]].concat();
        assert!(told("s", &long).is_none());
    }

    #[test]
    fn what_is_not_right_is_nothing() {
        let good = v4(TCP, 0, 0, &tcp(2));
        assert!(told("x", &good).is_none() && told("", &good).is_none());
        assert!(told("s", &good).is_none(), "no datagram");
        assert!(told("n", &v4(1, 0, 0, &tcp(2))).is_none(), "of no such protocol");
        for len in 0..34 {
            assert!(told("n", &good[..len]).is_none(), "{len}");
        }
        assert!(told("n", &good[..34]).is_some());
        let mut short = good.clone();
        short[0] = 0x44;
        assert!(told("n", &short).is_none());
        let mut small = good;
        small[3] = 19;
        assert!(told("n", &small).is_none());
        assert!(told("n", &v6(TCP, "::ffff:192.0.2.7", &tcp(2))).is_none());
        assert!(told("n", &v6(59, "fd09::2", &tcp(2))).is_none());
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(
            prefix in prop::sample::select(vec!["n", "h", "f", "s", ""]),
            version in prop::sample::select(vec![0x45u8, 0x4f, 0x60, 0x40, 0x70]),
            body in prop::collection::vec(prop_oneof![Just(0u8), Just(6), Just(17), Just(60), any::<u8>()], 0..200),
        ) {
            let bytes = [vec![version], body].concat();
            if let Some((heard, payload)) = told(prefix, &bytes) {
                prop_assert!(payload.len() <= bytes.len());
                prop_assert!(payload.is_empty() || heard.why == Why::Datagram);
            }
        }
    }
}
