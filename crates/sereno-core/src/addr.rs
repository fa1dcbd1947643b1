//! Addresses and prefixes, in one canonical form.
//!
//! `::ffff:a.b.c.d` is `a.b.c.d` before anything else sees it, and zone ids (`fe80::1%eth0`)
//! are refused: they name an interface of this machine, not a stranger.

use crate::bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Folds an IPv4-mapped IPv6 address into the IPv4 address it stands for.
#[must_use]
pub fn canonical(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(addr, IpAddr::V4),
        IpAddr::V4(_) => addr,
    }
}

/// Parses an address as logs write it: bare, or IPv6 in square brackets. No zone id, no port.
#[must_use]
pub fn parse_addr(text: &[u8]) -> Option<IpAddr> {
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        other => other,
    };
    if text.len() > 45 {
        return None;
    }
    if let Some(v4) = parse_v4(text) {
        return Some(IpAddr::V4(v4));
    }
    let text = std::str::from_utf8(text).ok()?;
    Ipv6Addr::from_str(text).ok().map(|v6| canonical(IpAddr::V6(v6)))
}

/// Dotted quad, written for the hot path: four decimal bytes without leading zeros.
fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let front = bytes::sixteen(text, 0);
    let quad = Quad::of(front)?;
    if quad.ends[3] != text.len() {
        return None;
    }
    quad.value(front)
}

/// The address that stands between these places of a text; the same as [`parse_addr`] of that part.
pub(crate) fn parse_addr_within(text: &[u8], start: usize, end: usize) -> Option<IpAddr> {
    let front = bytes::sixteen(text, start);
    match Quad::of(front).filter(|quad| Some(quad.ends[3]) == end.checked_sub(start)) {
        Some(quad) => quad.value(front).map(IpAddr::V4),
        None => parse_addr(text.get(start..end)?),
    }
}

/// How long the dotted quad is that begins at `at`, of one to three digits each, whatever its value
/// and whatever follows it.
#[inline]
pub(crate) fn dotted(text: &[u8], at: usize) -> Option<usize> {
    Quad::of(bytes::sixteen(text, at)).map(|quad| quad.ends[3])
}

/// Where the numbers of a dotted quad end. All is found out of sixteen bytes at once: a loop over
/// them would be guessed wrongly by the processor at every other number.
struct Quad {
    ends: [usize; 4],
}

impl Quad {
    /// A quad at the front of these bytes, the first of which is in the lowest place.
    #[inline]
    fn of(front: u128) -> Option<Self> {
        const EACH: u128 = u128::MAX / 0xff;
        // The upper bit of each byte that is no digit: digits are 0 to 9 then, and the others more.
        let odd = front ^ (EACH * 0x30);
        let mut others = (((odd & (EACH * 0x7f)) + EACH * 0x76) | odd) & (EACH * 0x80);
        let (mut ends, mut start) = ([0; 4], 0);
        for (place, end) in ends.iter_mut().enumerate() {
            let at = others.trailing_zeros() as usize / 8;
            let digits = at - start;
            if digits == 0 {
                return None;
            }
            if place == 3 {
                *end = start + digits.min(3);
                break;
            }
            if digits > 3 || at >= 16 || (front >> (8 * at)) as u8 != b'.' {
                return None;
            }
            *end = at;
            start = at + 1;
            others &= others - 1;
        }
        Some(Self { ends })
    }

    /// Its value; `None` where a number is too large, or has a zero in front.
    #[inline]
    fn value(&self, front: u128) -> Option<Ipv4Addr> {
        let bytes = front.to_le_bytes();
        let (mut value, mut start, mut sane) = (0u32, 0, true);
        for end in self.ends {
            let digits = end - start;
            let text = u32::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
            // The last digit goes to the third place, with zeros before the first one.
            let number = (text & 0x000f_0f0f) << (8 * (3 - digits)) & 0x00ff_ffff;
            let number = (number & 0xff) * 100 + (number >> 8 & 0xff) * 10 + (number >> 16);
            let zero = text as u8 == b'0';
            sane &= number <= 255 && !(zero && digits > 1);
            value = value << 8 | number & 0xff;
            start = end + 1;
        }
        sane.then(|| Ipv4Addr::from_bits(value))
    }
}

/// A block of addresses: an address with the bits after `len` cleared, canonical.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

/// In one piece, for most are hashed at every line.
impl Hash for Prefix {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.addr {
            IpAddr::V4(v4) => state.write_u64(u64::from(self.len) << 32 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => {
                state.write_u128(v6.to_bits());
                state.write_u8(self.len);
            }
        }
    }
}

impl Prefix {
    /// The block of exactly one address.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        let addr = canonical(addr);
        Self { addr, len: width(addr) }
    }

    /// The block of `len` leading bits around `addr`; `None` when `len` is too long for the family.
    #[must_use]
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let mapped = matches!(addr, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        let len = if mapped { len.checked_sub(96)? } else { len };
        let addr = canonical(addr);
        (len <= width(addr)).then(|| Self { addr: mask(addr, len), len })
    }

    /// The first address of the block.
    #[must_use]
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// How many leading bits are fixed: 0..=32 for IPv4, 0..=128 for IPv6.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.len
    }

    /// Whether the block is a single address.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.len == width(self.addr)
    }

    /// Whether `addr` (canonical or mapped) lies inside.
    #[must_use]
    pub fn contains(self, addr: IpAddr) -> bool {
        let addr = canonical(addr);
        addr.is_ipv4() == self.addr.is_ipv4() && mask(addr, self.len) == self.addr
    }

    /// Whether the two blocks share any address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        if self.len <= other.len { self.contains(other.addr) } else { other.contains(self.addr) }
    }
}

fn width(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn mask(addr: IpAddr, len: u8) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & keep))
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & keep))
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { self.addr.fmt(f) } else { write!(f, "{}/{}", self.addr, self.len) }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bad = || {
            format!("{text:?} is not an address or a network such as 192.0.2.7 or 2001:db8::/48")
        };
        match text.split_once('/') {
            None => parse_addr(text.as_bytes()).map(Self::host).ok_or_else(bad),
            Some((addr, len)) => {
                let addr = IpAddr::from_str(addr).map_err(|_| bad())?;
                let len = len.parse::<u8>().map_err(|_| bad())?;
                Self::new(addr, len).ok_or_else(bad)
            }
        }
    }
}

crate::text::as_text!(Prefix);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mapped_addresses_fold_and_zones_are_refused() {
        assert_eq!(parse_addr(b"::ffff:192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(
            parse_addr(b"[2001:db8::1]").map(|a| a.to_string()).as_deref(),
            Some("2001:db8::1")
        );
        for bad in
            ["fe80::1%eth0", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1..2.3", "", "a.b.c.d"]
        {
            assert_eq!(parse_addr(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!("::ffff:192.0.2.0/120".parse::<Prefix>().unwrap().to_string(), "192.0.2.0/24");
    }

    /// How long a dotted quad is, digit by digit.
    fn plain_dotted(text: &[u8]) -> Option<usize> {
        let mut at = 0;
        for place in 0..4 {
            let digits = text[at..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
            at += digits;
            if digits == 0 || place < 3 && text.get(at) != Some(&b'.') {
                return None;
            }
            at += usize::from(place < 3);
        }
        Some(at)
    }

    proptest! {
        #[test]
        fn v4_parser_agrees_with_std(text in "[0-9.]{0,16}") {
            let std = text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
            prop_assert_eq!(parse_addr(text.as_bytes()), std);
        }

        #[test]
        fn quads_are_found_in_any_text(
            text in "[a:]{0,20}([0-9.]{0,18}|([0-9]{1,4}[.]){3}[0-9]{1,4})[0-9a-f.:é]{0,20}",
            at in 0usize..24,
            length in 0usize..24,
        ) {
            let text = text.as_bytes();
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            prop_assert_eq!(dotted(text, at), plain_dotted(&text[at..]));
            let ends = [end, at + plain_dotted(&text[at..]).unwrap_or(0)];
            for end in ends {
                prop_assert_eq!(parse_addr_within(text, at, end), parse_addr(&text[at..end]));
                let std = std::str::from_utf8(&text[at..end]).ok().and_then(|t| t.parse::<Ipv4Addr>().ok());
                let ours = parse_addr(&text[at..end]).filter(IpAddr::is_ipv4);
                prop_assert!(std.is_none() || ours == std.map(IpAddr::V4));
            }
        }

        #[test]
        fn prefixes_round_trip(bits: u128, len in 0u8..=128) {
            let prefix = Prefix::new(IpAddr::V6(Ipv6Addr::from_bits(bits)), len);
            if let Some(prefix) = prefix {
                prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
                prop_assert!(prefix.contains(prefix.addr()));
            }
        }
    }
}
