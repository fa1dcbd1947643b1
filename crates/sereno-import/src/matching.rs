//! What a rule of another firewall is about.

use sereno_core::addr::Prefix;
use sereno_core::gate::Family;
use sereno_core::gate::policy::Rate;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// States of connection tracking, as bits.
pub(crate) mod state {
    /// The first packet of something.
    pub(crate) const NEW: u8 = 1;
    /// Of something that both sides know of.
    pub(crate) const ESTABLISHED: u8 = 2;
    /// Of something that goes with another connection.
    pub(crate) const RELATED: u8 = 4;
    /// Of nothing.
    pub(crate) const INVALID: u8 = 8;
    /// That nobody looked at.
    pub(crate) const UNTRACKED: u8 = 16;
    /// Whatever it is.
    pub(crate) const ANY: u8 = 31;
}

/// Networks that are compared with each other at most.
const MOST: usize = 65_536;

/// A range of ports.
pub(crate) type Span = (u16, u16);

/// What all has to be true of a packet. `None` asks nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) family: Family,
    /// By its number.
    pub(crate) proto: Option<u8>,
    /// Where it goes to.
    pub(crate) ports: Option<Vec<Span>>,
    /// The type of ICMP.
    pub(crate) icmp: Option<u8>,
    pub(crate) from: Option<Vec<Prefix>>,
    pub(crate) to: Option<Vec<Prefix>>,
    pub(crate) on: Option<String>,
    pub(crate) states: u8,
    pub(crate) rate: Option<Rate>,
    pub(crate) limit: Option<u32>,
    /// Matches what goes over the rate or the limit, not what is within.
    pub(crate) over: bool,
    /// `from` is everybody but somebody.
    pub(crate) all_but: bool,
    /// Conditions that a policy does not have.
    pub(crate) odd: Vec<String>,
}

impl Match {
    pub(crate) fn new(family: Family) -> Self {
        Self {
            family,
            proto: None,
            ports: None,
            icmp: None,
            from: None,
            to: None,
            on: None,
            states: state::ANY,
            rate: None,
            limit: None,
            over: false,
            all_but: false,
            odd: Vec::new(),
        }
    }

    /// What both are about; `None` if that is nothing.
    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        let product = |a: &Option<Vec<Prefix>>, b: &Option<Vec<Prefix>>| {
            a.as_ref().map_or(1, Vec::len).saturating_mul(b.as_ref().map_or(1, Vec::len))
        };
        if product(&self.from, &other.from).max(product(&self.to, &other.to)) > MOST {
            // Lists of lists of lists: nobody means that.
            let odd = [&self.odd[..], &["too many networks".to_owned()]].concat();
            return Some(Self { odd, ..self.clone() });
        }
        let both = Self {
            family: self.family,
            proto: same(self.proto, other.proto)?,
            ports: meet(self.ports.as_deref(), other.ports.as_deref(), |a, b| {
                let (first, last) = (a.0.max(b.0), a.1.min(b.1));
                (first <= last).then_some((first, last))
            })?,
            icmp: same(self.icmp, other.icmp)?,
            from: meet(self.from.as_deref(), other.from.as_deref(), inner)?,
            to: meet(self.to.as_deref(), other.to.as_deref(), inner)?,
            on: same(self.on.clone(), other.on.clone())?,
            states: self.states & other.states,
            rate: other.rate.or(self.rate),
            limit: other.limit.or(self.limit),
            over: self.over || other.over,
            all_but: self.all_but || other.all_but,
            odd: [&self.odd[..], &other.odd[..]].concat(),
        };
        (both.states != 0).then_some(both)
    }

    /// Whether it asks nothing of a packet.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::new(self.family)
    }

    /// Whether it is about nothing but an interface, and about which.
    pub(crate) fn only_on(&self) -> Option<&str> {
        let on = self.on.as_deref()?;
        (Self { on: None, ..self.clone() }).is_all().then_some(on)
    }

    /// Whether every packet of the other is one of these, as far as that can be seen.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let certain = self.rate.is_none() && self.limit.is_none() && self.odd.is_empty();
        certain && self.and(other).is_some_and(|both| both.asks_as(other))
    }

    fn asks_as(&self, other: &Self) -> bool {
        let plain = |one: &Self| {
            let mut one =
                Self { odd: Vec::new(), rate: None, limit: None, all_but: false, ..one.clone() };
            for list in [&mut one.from, &mut one.to].into_iter().flatten() {
                list.sort_unstable_by_key(|prefix| (prefix.addr(), prefix.bits()));
                list.dedup();
            }
            one.ports.iter_mut().for_each(|ports| ports.sort_unstable());
            one
        };
        plain(self) == plain(other)
    }
}

fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (Some(a), Some(b)) => (a == b).then_some(Some(a)),
        (a, b) => Some(a.or(b)),
    }
}

/// What is in both lists; `None` if that is nothing.
fn meet<T: Copy + PartialEq>(
    a: Option<&[T]>,
    b: Option<&[T]>,
    both: impl Fn(T, T) -> Option<T>,
) -> Option<Option<Vec<T>>> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let met: Vec<T> =
                a.iter().flat_map(|a| b.iter().filter_map(|b| both(*a, *b))).collect();
            let mut once: Vec<T> = Vec::with_capacity(met.len());
            for one in met {
                if once.last() != Some(&one) {
                    once.push(one);
                }
            }
            (!once.is_empty()).then_some(Some(once))
        }
        (a, b) => Some(a.or(b).map(<[T]>::to_vec)),
    }
}

/// The smaller of two networks of which one lies in the other.
fn inner(a: Prefix, b: Prefix) -> Option<Prefix> {
    a.overlaps(b).then(|| if a.bits() >= b.bits() { a } else { b })
}

/// All addresses of the family that are not in the network.
pub(crate) fn all_but(network: Prefix) -> Vec<Prefix> {
    let flipped = |bits: u8| -> Option<Prefix> {
        let addr = match network.addr() {
            IpAddr::V4(v4) => {
                let bit = 1_u32.checked_shl(u32::from(32_u8.checked_sub(bits)?))?;
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() ^ bit))
            }
            IpAddr::V6(v6) => {
                let bit = 1_u128.checked_shl(u32::from(128_u8.checked_sub(bits)?))?;
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() ^ bit))
            }
        };
        Prefix::new(addr, bits)
    };
    (1..=network.bits()).filter_map(flipped).collect()
}

/// The ports that are in none of the ranges.
pub(crate) fn other_ports(ranges: &[Span]) -> Vec<Span> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut rest = Vec::new();
    let mut next: u32 = 0;
    for (first, last) in sorted {
        if let Ok(end) = u16::try_from(u32::from(first).wrapping_sub(1))
            && u32::from(first) > next
        {
            rest.push((next as u16, end));
        }
        next = next.max(u32::from(last) + 1);
    }
    if let Ok(first) = u16::try_from(next) {
        rest.push((first, u16::MAX));
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_left_of_everything() {
        assert_eq!(all_but(prefix("128.0.0.0/1")), [prefix("0.0.0.0/1")]);
        assert_eq!(all_but(prefix("0.0.0.0/0")), []);
        assert_eq!(all_but(prefix("::1")).len(), 128);
        assert_eq!(other_ports(&[(22, 22), (80, 90)]), [(0, 21), (23, 79), (91, 65535)]);
        assert_eq!(other_ports(&[(0, 5), (3, 65535)]), []);
    }

    proptest! {
        #[test]
        fn a_network_and_the_rest_are_everything(bits: u32, len in 0_u8..=32, probe: u32) {
            let network = Prefix::new(IpAddr::V4(bits.into()), len).unwrap();
            let probe = IpAddr::V4(probe.into());
            let around = all_but(network).iter().filter(|one| one.contains(probe)).count();
            prop_assert_eq!(around, usize::from(!network.contains(probe)));
        }

        #[test]
        fn ports_and_the_rest_are_all(ranges in prop::collection::vec((0_u16.., 0_u16..), 0..6), probe: u16) {
            let ranges: Vec<Span> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let has = |ranges: &[Span]| ranges.iter().any(|(a, b)| (*a..=*b).contains(&probe));
            prop_assert_ne!(has(&ranges), has(&other_ports(&ranges)));
        }
    }
}
