//! The gate as messages: table, counters, sets, chains, rules, elements.
//!
//! Rules are the expressions that `nft` itself would send for the text of
//! `sereno_core::gate::render`, so that `nft list table` shows that text again.

use crate::encode::{Attributes, Batch};
use crate::numbers::*;
use sereno_core::addr::Prefix;
use sereno_core::gate::{
    BASE_CHAIN, Family, Gate, Hold, Left, PortRange, Ports, Proto, Scope, Set, Verdict,
};
use sereno_core::time::Time;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Elements of one message. The list's length field has 16 bits, an IPv6 element with a
/// timeout 40 bytes.
const ELEMENTS_PER_MESSAGE: usize = 1600;

/// Packets and bytes stopped so far, by the counter's name.
pub(crate) type Counts = BTreeMap<String, (u64, u64)>;

/// Removes the table, whether it is there or not.
pub(crate) fn put_removal(batch: &mut Batch, table: &str) {
    batch.push(NEWTABLE, NLM_F_CREATE, |a| a.text(NFTA_TABLE, table));
    batch.push(DELTABLE, 0, |a| a.text(NFTA_TABLE, table));
}

/// Creates everything but the elements; `counts` are the counters' first values.
pub(crate) fn put_structure(batch: &mut Batch, gate: &Gate, counts: &Counts) {
    let table = gate.table();
    batch.push(NEWTABLE, NLM_F_CREATE, |a| a.text(NFTA_TABLE, table));
    for scope in gate.scopes() {
        put_counter(batch, table, &scope.counter(), counts);
    }
    for (id, set) in (1..).zip(gate.sets()) {
        put_set(batch, table, set, id);
    }
    for scope in gate.scopes() {
        put_scope(batch, gate, scope);
    }
    put_base(batch, gate);
}

fn put_counter(batch: &mut Batch, table: &str, name: &str, counts: &Counts) {
    let (packets, bytes) = counts.get(name).copied().unwrap_or_default();
    batch.push(NEWOBJ, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_OBJ_NAME, name);
        a.u32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
        a.nest(NFTA_OBJ_DATA, |a| {
            a.u64(NFTA_COUNTER_BYTES, bytes);
            a.u64(NFTA_COUNTER_PACKETS, packets);
        });
    });
}

fn put_set(batch: &mut Batch, table: &str, set: Set, id: u32) {
    let (kind, len) = match set.family {
        Family::V4 => (TYPE_IPADDR, 4),
        Family::V6 => (TYPE_IP6ADDR, 16),
    };
    batch.push(NEWSET, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_SET_NAME, &set.to_string());
        // No size: a full set would refuse bans, and expired elements count until collected.
        a.u32(NFTA_SET_FLAGS, NFT_SET_TIMEOUT);
        a.u32(NFTA_SET_KEY_TYPE, kind);
        a.u32(NFTA_SET_KEY_LEN, len);
        a.u32(NFTA_SET_ID, id);
    });
}

fn put_scope(batch: &mut Batch, gate: &Gate, scope: &Scope) {
    let chain = scope.chain();
    batch.push(NEWCHAIN, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, gate.table());
        a.text(NFTA_CHAIN_NAME, &chain);
    });
    for set in gate.sets_of(scope) {
        for &verdict in gate.block(scope).verdicts() {
            put_rule(batch, gate.table(), &chain, |a| {
                if verdict == Verdict::Reset {
                    meta(a, NFT_META_L4PROTO);
                    compare(a, NFT_CMP_EQ, &[Proto::Tcp.number()]);
                }
                source(a, set);
                expression(a, "lookup", |a| {
                    a.text(NFTA_LOOKUP_SET, &set.to_string());
                    a.u32(NFTA_LOOKUP_SREG, NFT_REG_1);
                });
                expression(a, "objref", |a| {
                    a.u32(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
                    a.text(NFTA_OBJREF_IMM_NAME, &scope.counter());
                });
                block(a, verdict, set.family);
            });
        }
    }
}

fn put_base(batch: &mut Batch, gate: &Gate) {
    batch.push(NEWCHAIN, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, gate.table());
        a.text(NFTA_CHAIN_NAME, BASE_CHAIN);
        a.nest(NFTA_CHAIN_HOOK, |a| {
            a.u32(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
            a.i32(NFTA_HOOK_PRIORITY, NF_IP_PRI_RAW);
        });
        a.i32(NFTA_CHAIN_POLICY, NF_ACCEPT);
        a.text(NFTA_CHAIN_TYPE, "filter");
    });
    put_rule(batch, gate.table(), BASE_CHAIN, |a| {
        meta(a, NFT_META_IIF);
        // The loopback interface has index 1 in every network namespace; host order.
        compare(a, NFT_CMP_EQ, &1u32.to_ne_bytes());
        verdict(a, NF_ACCEPT, None);
    });
    for scope in gate.scopes() {
        let jump = |a: &mut Attributes<'_>| verdict(a, NFT_JUMP, Some(&scope.chain()));
        match &scope.ports {
            Ports::All => put_rule(batch, gate.table(), BASE_CHAIN, jump),
            Ports::Only(ranges) => {
                for &range in ranges {
                    put_rule(batch, gate.table(), BASE_CHAIN, |a| {
                        destination(a, range);
                        jump(a);
                    });
                }
            }
        }
    }
}

/// How many rules each chain of the gate has.
pub(crate) fn rule_counts(gate: &Gate) -> BTreeMap<String, usize> {
    let mut base = 1;
    let mut counts = BTreeMap::new();
    for scope in gate.scopes() {
        base += match &scope.ports {
            Ports::All => 1,
            Ports::Only(ranges) => ranges.len(),
        };
        let each = gate.block(scope).verdicts().len();
        counts.insert(scope.chain(), gate.sets_of(scope).count() * each);
    }
    counts.insert(BASE_CHAIN.to_owned(), base);
    counts
}

fn put_rule(batch: &mut Batch, table: &str, chain: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    batch.push(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_RULE_CHAIN, chain);
        a.nest(NFTA_RULE_EXPRESSIONS, fill);
    });
}

fn expression(a: &mut Attributes<'_>, name: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    a.nest(NFTA_LIST_ELEM, |a| {
        a.text(NFTA_EXPR_NAME, name);
        a.nest(NFTA_EXPR_DATA, fill);
    });
}

fn meta(a: &mut Attributes<'_>, key: u32) {
    expression(a, "meta", |a| {
        a.u32(NFTA_META_DREG, NFT_REG_1);
        a.u32(NFTA_META_KEY, key);
    });
}

fn compare(a: &mut Attributes<'_>, op: u32, value: &[u8]) {
    expression(a, "cmp", |a| {
        a.u32(NFTA_CMP_SREG, NFT_REG_1);
        a.u32(NFTA_CMP_OP, op);
        a.nest(NFTA_CMP_DATA, |a| a.bytes(NFTA_DATA_VALUE, value));
    });
}

fn payload(a: &mut Attributes<'_>, base: u32, offset: u32, len: u32) {
    expression(a, "payload", |a| {
        a.u32(NFTA_PAYLOAD_DREG, NFT_REG_1);
        a.u32(NFTA_PAYLOAD_BASE, base);
        a.u32(NFTA_PAYLOAD_OFFSET, offset);
        a.u32(NFTA_PAYLOAD_LEN, len);
    });
}

fn verdict(a: &mut Attributes<'_>, code: i32, chain: Option<&str>) {
    expression(a, "immediate", |a| {
        a.u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        a.nest(NFTA_IMMEDIATE_DATA, |a| {
            a.nest(NFTA_DATA_VERDICT, |a| {
                a.i32(NFTA_VERDICT_CODE, code);
                if let Some(chain) = chain {
                    a.text(NFTA_VERDICT_CHAIN, chain);
                }
            });
        });
    });
}

/// Loads the masked source address, of this family only.
fn source(a: &mut Attributes<'_>, set: Set) {
    let (family, offset, ones): (u8, u32, IpAddr) = match set.family {
        Family::V4 => (NFPROTO_IPV4, 12, Ipv4Addr::BROADCAST.into()),
        Family::V6 => (NFPROTO_IPV6, 8, Ipv6Addr::from_bits(u128::MAX).into()),
    };
    meta(a, NFT_META_NFPROTO);
    compare(a, NFT_CMP_EQ, &[family]);
    let len = u32::from(set.family.width() / 8);
    payload(a, NFT_PAYLOAD_NETWORK_HEADER, offset, len);
    if set.bits == set.family.width() {
        return;
    }
    // The lengths of a gate are checked, so the prefix always exists.
    let mask = octets(Prefix::new(ones, set.bits).map_or(ones, Prefix::addr));
    expression(a, "bitwise", |a| {
        a.u32(NFTA_BITWISE_SREG, NFT_REG_1);
        a.u32(NFTA_BITWISE_DREG, NFT_REG_1);
        a.u32(NFTA_BITWISE_LEN, len);
        a.nest(NFTA_BITWISE_MASK, |a| a.bytes(NFTA_DATA_VALUE, mask.as_slice()));
        let zeros = &[0; 16][..mask.as_slice().len()];
        a.nest(NFTA_BITWISE_XOR, |a| a.bytes(NFTA_DATA_VALUE, zeros));
    });
}

/// Matches the protocol and, unless all ports are meant, the destination port.
fn destination(a: &mut Attributes<'_>, range: PortRange) {
    meta(a, NFT_META_L4PROTO);
    compare(a, NFT_CMP_EQ, &[range.proto().number()]);
    if range.is_whole() {
        return;
    }
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    if range.first() == range.last() {
        compare(a, NFT_CMP_EQ, &range.first().to_be_bytes());
    } else {
        compare(a, NFT_CMP_GTE, &range.first().to_be_bytes());
        compare(a, NFT_CMP_LTE, &range.last().to_be_bytes());
    }
}

fn block(a: &mut Attributes<'_>, what: Verdict, family: Family) {
    match what {
        Verdict::Drop => verdict(a, NF_DROP, None),
        Verdict::Reset => expression(a, "reject", |a| {
            a.u32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
            // The kernel wants none; the nft program sends one.
            a.bytes(NFTA_REJECT_ICMP_CODE, &[0]);
        }),
        Verdict::Unreachable => expression(a, "reject", |a| {
            a.u32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
            // "Port unreachable" is code 3 of ICMP (RFC 792) and 4 of ICMPv6 (RFC 4443).
            let code = if family == Family::V4 { 3 } else { 4 };
            a.bytes(NFTA_REJECT_ICMP_CODE, &[code]);
        }),
    }
}

/// An address's bytes, kept inline.
struct Octets([u8; 16], usize);

impl Octets {
    fn as_slice(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

fn octets(addr: IpAddr) -> Octets {
    match addr {
        IpAddr::V4(v4) => {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&v4.octets());
            Octets(all, 4)
        }
        IpAddr::V6(v6) => Octets(v6.octets(), 16),
    }
}

fn put_elements(batch: &mut Batch, kind: u8, table: &str, set: &str, list: &[(Prefix, Left)]) {
    let flags = if kind == NEWSETELEM { NLM_F_CREATE } else { 0 };
    batch.push(kind, flags, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_SET_ELEM_LIST_SET, set);
        a.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |a| {
            for (prefix, left) in list {
                let key = octets(prefix.addr());
                a.nest(NFTA_LIST_ELEM, |a| {
                    a.nest(NFTA_SET_ELEM_KEY, |a| a.bytes(NFTA_DATA_VALUE, key.as_slice()));
                    if let Left::For(span) = left {
                        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                        a.u64(NFTA_SET_ELEM_TIMEOUT, millis);
                    }
                });
            }
        });
    });
}

/// Fills a new set.
pub(crate) fn put_all(batch: &mut Batch, table: &str, set: Set, list: &[(Prefix, Left)]) {
    let name = set.to_string();
    for part in list.chunks(ELEMENTS_PER_MESSAGE) {
        put_elements(batch, NEWSETELEM, table, &name, part);
    }
}

/// Puts one ban in, whether or not it was there: add, delete, add.
///
/// A second add alone would leave the old timeout on kernels before 6.12, silently.
pub(crate) fn put_ban(batch: &mut Batch, table: &str, set: Set, hold: &Hold, now: Time) {
    let left = hold.left(now);
    put_lift(batch, table, set, hold.prefix);
    if left != Left::Over {
        put_elements(batch, NEWSETELEM, table, &set.to_string(), &[(hold.prefix, left)]);
    }
}

/// Takes one ban out, whether or not it was there: add, delete. A deletion alone of what has
/// just expired would sink the whole batch.
pub(crate) fn put_lift(batch: &mut Batch, table: &str, set: Set, prefix: Prefix) {
    let name = set.to_string();
    let element = [(prefix, Left::Ever)];
    put_elements(batch, NEWSETELEM, table, &name, &element);
    put_elements(batch, DELSETELEM, table, &name, &element);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{elements, messages};
    use std::time::Duration;

    #[test]
    fn long_lists_are_cut_below_the_limit_of_the_length_field() {
        let list: Vec<_> = (0..4000u128)
            .map(|n| {
                (
                    Prefix::host(Ipv6Addr::from_bits(1 << 96 | n).into()),
                    Left::For(Duration::from_secs(9)),
                )
            })
            .collect();
        let set = Set { scope: "a".parse().unwrap(), family: Family::V6, bits: 128 };
        let mut batch = Batch::default();
        batch.restart(0);
        put_all(&mut batch, "sereno", set, &list);
        assert_eq!(batch.count(), 3);
        let bytes = batch.slice(0..3);
        let read: Vec<_> = messages(bytes).flat_map(|m| elements(&m).collect::<Vec<_>>()).collect();
        assert_eq!(read.len(), 4000);
        for (element, (prefix, _)) in read.iter().zip(&list) {
            assert_eq!(element.addr, prefix.addr());
            assert_eq!(element.left, Some(Duration::from_secs(9)));
        }
    }
}
