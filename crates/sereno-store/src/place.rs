//! Prefixes as keys of an index, in which what overlaps a prefix is found by a few seeks.
//!
//! Two prefixes of a family either lie apart or one holds the other. So all that overlaps one
//! is: what begins inside it (one range of keys) and the shorter ones around it (one key per
//! length). No comparison of every row's first and last address is needed.

use sereno_core::addr::Prefix;
use std::net::IpAddr;

/// A prefix as bytes that sort by family, first address, length.
pub(crate) fn key(prefix: Prefix) -> Vec<u8> {
    join(prefix.addr(), prefix.bits())
}

/// First and last key of the prefixes that are `prefix` or lie inside it.
pub(crate) fn inside(prefix: Prefix) -> (Vec<u8>, Vec<u8>) {
    (key(prefix), join(last(prefix), u8::MAX))
}

/// The keys of the prefixes that `prefix` lies inside of, itself not among them.
pub(crate) fn around(prefix: Prefix) -> impl Iterator<Item = Vec<u8>> {
    (0..prefix.bits()).filter_map(move |bits| Prefix::new(prefix.addr(), bits)).map(key)
}

fn join(addr: IpAddr, bits: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    match addr {
        IpAddr::V4(v4) => {
            key.push(4);
            key.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            key.push(6);
            key.extend(v6.octets());
        }
    }
    key.push(bits);
    key
}

fn last(prefix: Prefix) -> IpAddr {
    let bits = u32::from(prefix.bits());
    match prefix.addr() {
        IpAddr::V4(v4) => {
            IpAddr::V4((v4.to_bits() | u32::MAX.checked_shr(bits).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            IpAddr::V6((v6.to_bits() | u128::MAX.checked_shr(bits).unwrap_or(0)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Prefixes close to each other, so that many overlap.
    fn near() -> impl Strategy<Value = Prefix> {
        let v4 =
            (any::<u8>(), 16u8..=32).prop_map(|(low, bits)| ([10, 0, low & 3, low].into(), bits));
        let v6 = (any::<u8>(), 48u8..=128).prop_map(|(low, bits)| {
            let low = u16::from(low);
            ([0x2001, 0xdb8, 0, low & 3, 0, 0, 0, low].into(), bits)
        });
        prop_oneof![v4, v6].prop_map(|(addr, bits): (IpAddr, u8)| Prefix::new(addr, bits).unwrap())
    }

    proptest! {
        #[test]
        fn a_range_and_a_few_keys_are_all_that_overlaps(a in near(), b in near()) {
            let (from, to) = inside(a);
            let ranged = (from..=to).contains(&key(b));
            let around = around(a).filter(|k| *k == key(b)).count();
            prop_assert_eq!(usize::from(ranged) + around, usize::from(a.overlaps(b)));
        }
    }
}
