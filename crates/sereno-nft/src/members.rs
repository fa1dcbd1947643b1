//! The members of sets as messages: put in, taken out, renewed.

use crate::encode::Batch;
use crate::numbers::*;
use sereno_core::gate::{Family, Left, Member};
use std::net::IpAddr;

/// Members of one message. The list's length field has 16 bits; the largest, an IPv6 address
/// with protocol, port and timeout, takes 48 bytes.
const MEMBERS_PER_MESSAGE: usize = 1300;

/// The longest key: an IPv6 address, a protocol and a port, each on its own 4 bytes.
const KEY_MAX: usize = 24;
/// What a key leads to: an IPv4 address and a port, each on its own 4 bytes.
const DATA: usize = 8;

/// A key's bytes, kept inline; and what it leads to in a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    bytes: [u8; KEY_MAX],
    len: usize,
    data: Option<[u8; DATA]>,
    /// A range ends just before it.
    end: bool,
}

impl Key {
    fn new() -> Self {
        Self { bytes: [0; KEY_MAX], len: 0, data: None, end: false }
    }

    /// Adds a field, filled up to a multiple of `unit` bytes.
    fn with(mut self, field: &[u8], unit: usize) -> Self {
        let end = self.len + field.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(field);
            self.len = end.next_multiple_of(unit).min(KEY_MAX);
        }
        self
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// An address's bytes.
pub(crate) fn octets(addr: IpAddr) -> Key {
    match addr {
        IpAddr::V4(v4) => Key::new().with(&v4.octets(), 1),
        IpAddr::V6(v6) => Key::new().with(&v6.octets(), 1),
    }
}

/// A family as the kernel numbers it.
pub(crate) fn nfproto(family: Family) -> u8 {
    match family {
        Family::V4 => NFPROTO_IPV4,
        Family::V6 => NFPROTO_IPV6,
    }
}

/// The key of any member.
pub(crate) fn key(member: &Member) -> Key {
    match member {
        Member::Addr(addr) => octets(*addr),
        Member::Port(port) => Key::new().with(&port.to_be_bytes(), 1),
        Member::Range(first, _) => octets(*first),
        Member::Family(family) => Key::new().with(&[nfproto(*family)], 1),
        Member::Icmp(_, kind) => Key::new().with(&[*kind], 1),
        Member::Proto(proto) => Key::new().with(&[proto.number()], 1),
        // As long as the kernel's field for a name.
        Member::Interface(name) => Key::new().with(name.as_bytes(), IFNAMSIZ),
        Member::Single(addr, proto, port) => {
            octets(*addr).with(&[proto.number()], 4).with(&port.to_be_bytes(), 4)
        }
        Member::Dnat(addr, proto, port, to) => {
            let single = Member::Single((*addr).into(), *proto, *port);
            let ([a, b, c, d], [high, low]) = (to.ip().octets(), to.port().to_be_bytes());
            Key { data: Some([a, b, c, d, high, low, 0, 0]), ..key(&single) }
        }
        Member::Flow(from, to, proto) => octets((*from).into())
            .with(&to.ip().octets(), 4)
            .with(&[proto.number()], 4)
            .with(&to.port().to_be_bytes(), 4),
    }
}

/// The keys of members; a range has two.
pub(crate) fn keys(members: &[Member]) -> impl Iterator<Item = Key> + '_ {
    // As the nft program writes it: what comes before the first range is in none.
    let before = members.first().and_then(|first| match first {
        Member::Range(IpAddr::V4(first), _) if first.to_bits() != 0 => Some(IpAddr::from([0; 4])),
        Member::Range(IpAddr::V6(first), _) if first.to_bits() != 0 => Some(IpAddr::from([0; 16])),
        _ => None,
    });
    let both = |member| [Some(key(member)), end_of(member)].into_iter().flatten();
    before.map(end).into_iter().chain(members.iter().flat_map(both))
}

fn end(addr: IpAddr) -> Key {
    Key { end: true, ..octets(addr) }
}

/// What comes behind a range, unless it reaches to the end.
fn end_of(member: &Member) -> Option<Key> {
    let Member::Range(_, last) = member else { return None };
    let next = match last {
        IpAddr::V4(last) => IpAddr::V4(last.to_bits().checked_add(1)?.into()),
        IpAddr::V6(last) => IpAddr::V6(last.to_bits().checked_add(1)?.into()),
    };
    Some(end(next))
}

fn put(batch: &mut Batch, kind: u8, table: &str, set: &str, list: &[(Key, Left)]) {
    let flags = if kind == NEWSETELEM { NLM_F_CREATE } else { 0 };
    batch.push(kind, flags, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_SET_ELEM_LIST_SET, set);
        a.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |a| {
            for (key, left) in list {
                a.nest(NFTA_LIST_ELEM, |a| {
                    a.nest(NFTA_SET_ELEM_KEY, |a| a.bytes(NFTA_DATA_VALUE, key.as_slice()));
                    if key.end {
                        a.u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
                    }
                    if let Some(data) = &key.data {
                        a.nest(NFTA_SET_ELEM_DATA, |a| a.bytes(NFTA_DATA_VALUE, data));
                    }
                    if let Left::For(span) = left {
                        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                        a.u64(NFTA_SET_ELEM_TIMEOUT, millis);
                    }
                });
            }
        });
    });
}

/// Fills a set with what is not in it.
pub(crate) fn put_all(
    batch: &mut Batch,
    table: &str,
    set: &str,
    list: impl Iterator<Item = (Key, Left)>,
) {
    let mut part = Vec::with_capacity(MEMBERS_PER_MESSAGE.min(list.size_hint().0));
    for member in list {
        part.push(member);
        if part.len() == MEMBERS_PER_MESSAGE {
            put(batch, NEWSETELEM, table, set, &part);
            part.clear();
        }
    }
    if !part.is_empty() {
        put(batch, NEWSETELEM, table, set, &part);
    }
}

/// Empties a set.
pub(crate) fn put_flush(batch: &mut Batch, table: &str, set: &str) {
    batch.push(DELSETELEM, 0, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_SET_ELEM_LIST_SET, set);
    });
}

/// Puts one member in, whether or not it was there: add, delete, add.
///
/// A second add alone would leave the old timeout on kernels before 6.12, silently.
pub(crate) fn put_in(batch: &mut Batch, table: &str, set: &str, key: Key, left: Left) {
    put_out(batch, table, set, key);
    if left != Left::Over {
        put(batch, NEWSETELEM, table, set, &[(key, left)]);
    }
}

/// Takes one member out, whether or not it was there: add, delete. A deletion alone of what has
/// just expired would sink the whole batch.
pub(crate) fn put_out(batch: &mut Batch, table: &str, set: &str, key: Key) {
    let member = [(key, Left::Ever)];
    put(batch, NEWSETELEM, table, set, &member);
    put(batch, DELSETELEM, table, set, &member);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{elements, messages};
    use sereno_core::gate::Proto;
    use std::net::Ipv6Addr;
    use std::time::Duration;

    #[test]
    fn long_lists_are_cut_below_the_limit_of_the_length_field() {
        let addr = |n: u128| IpAddr::from(Ipv6Addr::from_bits(1 << 96 | n));
        let left = Left::For(Duration::from_secs(9));
        for port in [None, Some((Proto::Udp, 5060))] {
            let member = |n| match port {
                Some((proto, port)) => Member::Single(addr(n), proto, port),
                None => Member::Addr(addr(n)),
            };
            let mut batch = Batch::default();
            batch.restart(0);
            put_all(&mut batch, "sereno", "a", (0..3900).map(|n| (key(&member(n)), left)));
            assert_eq!(batch.count(), 3);
            let bytes = batch.slice(0..3);
            let read: Vec<_> =
                messages(bytes).flat_map(|m| elements(&m).collect::<Vec<_>>()).collect();
            assert_eq!(read.len(), 3900);
            for (n, element) in (0..).zip(&read) {
                assert_eq!(element.addr, addr(n));
                assert_eq!(element.port, port.map(|(proto, port)| (proto.number(), port)));
                assert_eq!(element.left, Some(Duration::from_secs(9)));
            }
        }
    }
}
