//! Names to addresses.

use crate::Trouble;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// Which addresses of a name will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Any; the system says which comes first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address is one of it.
    #[must_use]
    pub fn has(self, addr: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => addr.is_ipv4(),
            Self::V6 => addr.is_ipv6(),
        }
    }
}

/// The addresses of a name, or of an address as it is written (`192.0.2.1`, `2001:db8::1`,
/// `fe80::1%eth0`, with brackets or without), in the system's order; at least one. Their port is 0.
///
/// # Errors
/// [`Trouble::NoAddress`].
pub fn addresses(host: &str, family: Family) -> Result<Vec<SocketAddr>, Trouble> {
    let none = |why| Trouble::NoAddress { host: host.to_owned(), why };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let found = (bare, 0).to_socket_addrs().map_err(|why| none(Some(why)))?;
    let plain = |addr: SocketAddr| match addr.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, 0),
        // It may have a zone, which is kept.
        IpAddr::V6(_) => addr,
    };
    let fit: Vec<SocketAddr> = found.map(plain).filter(|addr| family.has(addr.ip())).collect();
    if fit.is_empty() { Err(none(None)) } else { Ok(fit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let first = |host, family| addresses(host, family).map(|all| all[0].ip().to_string());
        assert_eq!(first("192.0.2.1", Family::Any).unwrap(), "192.0.2.1");
        assert_eq!(first("[2001:db8::1]", Family::V6).unwrap(), "2001:db8::1");
        assert_eq!(first("::ffff:192.0.2.1", Family::V4).unwrap(), "192.0.2.1");
        assert!(matches!(
            first("192.0.2.1", Family::V6),
            Err(Trouble::NoAddress { why: None, host }) if host == "192.0.2.1"
        ));
        assert!(matches!(first("no such name", Family::Any), Err(Trouble::NoAddress { .. })));
    }
}
