//! Addresses and prefixes, in one canonical form.
//!
//! `::ffff:a.b.c.d` is `a.b.c.d` before anything else sees it, and zone ids (`fe80::1%eth0`)
//! are refused: they name an interface of this machine, not a stranger.

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
    if text.len() < 7 || text.len() > 15 {
        return None;
    }
    let mut octets = [0u8; 4];
    let (mut index, mut value, mut digits) = (0usize, 0u32, 0usize);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                if digits > 0 && value == 0 {
                    return None;
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && index < 3 => {
                octets[index] = value as u8;
                index += 1;
                value = 0;
                digits = 0;
            }
            _ => return None,
        }
    }
    if index != 3 || digits == 0 {
        return None;
    }
    octets[3] = value as u8;
    Some(Ipv4Addr::from(octets))
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

    proptest! {
        #[test]
        fn v4_parser_agrees_with_std(text in "[0-9.]{0,16}") {
            let std = text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
            prop_assert_eq!(parse_addr(text.as_bytes()), std);
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
