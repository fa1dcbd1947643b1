//! Who is banned: an address, a network, or any other name; as fail2ban writes them.

use crate::words;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Somebody. The order is that of addresses, so that who is in a network stands together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// An address or network of version 4: bits outside of the length are 0.
    V4(u32, u8),
    /// One of version 6.
    V6(u128, u8),
    /// Anything else.
    Name(String),
}

impl Id {
    /// Reads one as fail2ban does: brackets around version 6 are taken off, `/24` and
    /// `/255.255.255.0` make a network, addresses of version 4 that are written as version 6 are
    /// those of version 4.
    ///
    /// # Errors
    /// A sentence, if what follows a `/` is no mask.
    pub fn read(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let text = bare.filter(|bare| !bare.is_empty()).unwrap_or(text);
        let Some((addr, mask)) = text.split_once('/') else {
            return Ok(match text.parse::<IpAddr>().map(|addr| addr.to_canonical()) {
                Ok(IpAddr::V4(addr)) => Self::V4(addr.to_bits(), 32),
                Ok(IpAddr::V6(addr)) => Self::V6(addr.to_bits(), 128),
                Err(_) => Self::Name(text.to_owned()),
            });
        };
        let Ok(addr) = addr.parse() else { return Ok(Self::Name(text.to_owned())) };
        let length = if mask.contains(['.', ':']) { mask_length(mask)? } else { number(mask)? };
        let most = if matches!(addr, IpAddr::V4(_)) { 32 } else { 128 };
        let length = u8::try_from(length).ok().filter(|length| *length <= most);
        let Some(length) = length else {
            return Err(format!("{text} is no network: its mask is longer than the address"));
        };
        Ok(match addr {
            IpAddr::V4(addr) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self::V4(addr.to_bits() & mask, length)
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self::V6(addr.to_bits() & mask, length)
            }
        })
    }

    /// Whether it is a network rather than one address; `None` for a name.
    #[must_use]
    pub fn is_net(&self) -> Option<bool> {
        match self {
            Self::V4(_, length) => Some(*length < 32),
            Self::V6(_, length) => Some(*length < 128),
            Self::Name(_) => None,
        }
    }

    /// The first and last that could be inside: everything between them whose address is in this
    /// network.
    pub(crate) fn inside(&self) -> (Self, Self) {
        match self {
            Self::V4(addr, length) => {
                let host = u32::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
                (Self::V4(*addr, 0), Self::V4(addr | host, 32))
            }
            Self::V6(addr, length) => {
                let host = u128::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
                (Self::V6(*addr, 0), Self::V6(addr | host, 128))
            }
            Self::Name(_) => (self.clone(), self.clone()),
        }
    }
}

fn number(mask: &str) -> Result<i64, String> {
    words::integer(mask).ok_or_else(|| super::refusal::no_integer(mask))
}

/// The length of a mask that is written as an address.
fn mask_length(mask: &str) -> Result<i64, String> {
    let (bits, length) = match mask.parse() {
        Ok(IpAddr::V4(addr)) => (u128::from(addr.to_bits()) << 96, 32),
        Ok(IpAddr::V6(addr)) => (addr.to_bits(), 128),
        Err(_) => (1, 0),
    };
    let ones = bits.leading_ones();
    if ones == bits.count_ones() && ones <= length {
        Ok(i64::from(ones))
    } else {
        let mask = crate::dump::Value::Text(mask.to_owned());
        Err(format!("invalid mask {mask}, no plen representation"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(addr, 32) => write!(f, "{}", Ipv4Addr::from_bits(*addr)),
            Self::V4(addr, length) => write!(f, "{}/{length}", Ipv4Addr::from_bits(*addr)),
            Self::V6(addr, 128) => write!(f, "{}", Ipv6Addr::from_bits(*addr)),
            Self::V6(addr, length) => write!(f, "{}/{length}", Ipv6Addr::from_bits(*addr)),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_read_and_written() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("127.0.0.1/8", "127.0.0.0/8"),
            ("10.1.2.3/255.255.0.0", "10.1.0.0/16"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:DB8:0:0::1/32", "2001:db8::/32"),
            ("2001:db8::1/ffff:ffff::", "2001:db8::/32"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("example.org", "example.org"),
            ("192.0.2.01", "192.0.2.01"),
            ("some/8", "some/8"),
            ("some/thing", "some/thing"),
            ("", ""),
            ("[]", "[]"),
        ] {
            assert_eq!(Id::read(text).map(|id| id.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in ["192.0.2.1/x", "192.0.2.1/33", "192.0.2.1/255.0.255.0", "::/129", "::/-1"] {
            assert!(Id::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_is_in_a_network_lies_between() {
        let read = |text: &str| Id::read(text).unwrap();
        let within = |id: &str, net: &str| {
            let (first, last) = read(net).inside();
            (first..=last).contains(&read(id))
        };
        assert!(within("10.0.0.0", "10.0.0.0/8") && within("10.255.255.255", "10.0.0.0/8"));
        assert!(within("10.2.0.0/16", "10.0.0.0/8") && within("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!within("11.0.0.0", "10.0.0.0/8") && !within("::a00:0", "10.0.0.0/8"));
        assert!(within("2001:db8::1", "2001:db8::/32") && !within("2001:db9::", "2001:db8::/32"));
        assert!(within("ffff::", "::/0") && within("255.255.255.255", "0.0.0.0/0"));
    }
}
