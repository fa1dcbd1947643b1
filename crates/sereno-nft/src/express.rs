//! Rules as the expressions that `nft` itself would send for the text of
//! `sereno_core::gate::render`, so that `nft list table` shows that text again.

mod nat;
mod policy;

use crate::encode::Attributes;
use crate::members::octets;
use crate::numbers::*;
use sereno_core::addr::Prefix;
use sereno_core::gate::plan::{Part, Source};
use sereno_core::gate::{Family, Handshake, PortRange, Proto, Verdict};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Writes one test or deed.
pub(crate) fn put_part(a: &mut Attributes<'_>, part: &Part) {
    match part {
        Part::Loopback => {
            meta(a, NFT_META_IIF);
            // The loopback interface has index 1 in every network namespace; host order.
            compare(a, NFT_CMP_EQ, &1u32.to_ne_bytes());
        }
        Part::NotOn(set) => {
            meta(a, NFT_META_IIFNAME);
            look_up(a, set, NFT_LOOKUP_F_INV);
        }
        Part::Elsewhere => address_type(a, NFTA_FIB_F_DADDR, NFT_CMP_NEQ, RTN_LOCAL),
        Part::Here => address_type(a, NFTA_FIB_F_DADDR, NFT_CMP_EQ, RTN_LOCAL),
        Part::Passing => address_type(a, NFTA_FIB_F_DADDR, NFT_CMP_EQ, RTN_UNICAST),
        Part::Neighbour => neighbour(a),
        Part::Protocol(proto) => protocol(a, *proto),
        Part::ProtocolIn(set) => {
            meta(a, NFT_META_L4PROTO);
            look_up(a, set, 0);
        }
        Part::To(range) => port(a, *range, 2),
        Part::ToAnyOf(proto, set) => {
            protocol(a, *proto);
            payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
            look_up(a, set, 0);
        }
        Part::From(prefix) => within(a, *prefix, source),
        Part::FromAnyOf(from, set) => {
            source(a, *from);
            look_up(a, set, 0);
        }
        Part::Single(family, set) => {
            joined(a, *family);
            look_up(a, set, 0);
        }
        Part::Syn => opening(a, NFT_CMP_EQ),
        Part::Translate(part) => nat::put_part(a, part),
        Part::Fresh => state(a, STATE_NEW | STATE_UNTRACKED),
        Part::Known => state(a, STATE_ESTABLISHED),
        Part::Answer => direction(a, IP_CT_DIR_REPLY),
        Part::Remember(from, set, span) => {
            source(a, *from);
            remember(a, set, *span);
        }
        Part::RememberSingle(family, set, span) => remember_single(a, *family, set, *span),
        Part::RememberTo(to, set, span) => {
            destination(a, *to);
            remember(a, set, *span);
        }
        Part::Count(counter) => count(a, counter),
        Part::Mark(bits) => mark(a, *bits, *bits),
        Part::Unmark(bits) => mark(a, *bits, 0),
        Part::Log { prefix, group, bytes } => log(a, prefix, *group, *bytes),
        Part::Accept => verdict(a, NF_ACCEPT, None),
        Part::Jump(chain) => verdict(a, NFT_JUMP, Some(chain)),
        Part::Goto(chain) => verdict(a, NFT_GOTO, Some(chain)),
        Part::Undate => undate(a),
        Part::SynProxy(family, handshake) => syn_proxy(a, *family, handshake),
        Part::Stop(what, family) => stop(a, *what, *family),
        Part::If(test) => policy::put(a, test),
    }
}

pub(crate) fn expression(
    a: &mut Attributes<'_>,
    name: &str,
    fill: impl FnOnce(&mut Attributes<'_>),
) {
    a.nest(NFTA_LIST_ELEM, |a| {
        a.text(NFTA_EXPR_NAME, name);
        a.nest(NFTA_EXPR_DATA, fill);
    });
}

fn meta_to(a: &mut Attributes<'_>, key: u32, register: u32) {
    expression(a, "meta", |a| {
        a.u32(NFTA_META_DREG, register);
        a.u32(NFTA_META_KEY, key);
    });
}

pub(crate) fn meta(a: &mut Attributes<'_>, key: u32) {
    meta_to(a, key, NFT_REG_1);
}

pub(crate) fn compare(a: &mut Attributes<'_>, op: u32, value: &[u8]) {
    expression(a, "cmp", |a| {
        a.u32(NFTA_CMP_SREG, NFT_REG_1);
        a.u32(NFTA_CMP_OP, op);
        a.nest(NFTA_CMP_DATA, |a| a.bytes(NFTA_DATA_VALUE, value));
    });
}

fn payload(a: &mut Attributes<'_>, base: u32, offset: u32, len: u32, register: u32) {
    expression(a, "payload", |a| {
        a.u32(NFTA_PAYLOAD_DREG, register);
        a.u32(NFTA_PAYLOAD_BASE, base);
        a.u32(NFTA_PAYLOAD_OFFSET, offset);
        a.u32(NFTA_PAYLOAD_LEN, len);
    });
}

/// Keeps the bits of `mask` of what is loaded, and flips those of `flip`.
pub(crate) fn mask(a: &mut Attributes<'_>, mask: &[u8], flip: &[u8]) {
    expression(a, "bitwise", |a| {
        a.u32(NFTA_BITWISE_SREG, NFT_REG_1);
        a.u32(NFTA_BITWISE_DREG, NFT_REG_1);
        a.u32(NFTA_BITWISE_LEN, mask.len() as u32);
        a.nest(NFTA_BITWISE_MASK, |a| a.bytes(NFTA_DATA_VALUE, mask));
        a.nest(NFTA_BITWISE_XOR, |a| a.bytes(NFTA_DATA_VALUE, flip));
    });
}

fn look_up(a: &mut Attributes<'_>, set: &str, flags: u32) {
    expression(a, "lookup", |a| {
        a.text(NFTA_LOOKUP_SET, set);
        a.u32(NFTA_LOOKUP_SREG, NFT_REG_1);
        if flags != 0 {
            a.u32(NFTA_LOOKUP_FLAGS, flags);
        }
    });
}

pub(crate) fn verdict(a: &mut Attributes<'_>, code: i32, chain: Option<&str>) {
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

/// What the routing table says the one or the other address is; a number of `linux/rtnetlink.h`, in host order.
fn address_type(a: &mut Attributes<'_>, which: u32, op: u32, kind: u32) {
    expression(a, "fib", |a| {
        a.u32(NFTA_FIB_DREG, NFT_REG_1);
        a.u32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        a.u32(NFTA_FIB_FLAGS, which);
    });
    compare(a, op, &kind.to_ne_bytes());
}

fn track(a: &mut Attributes<'_>, key: u32) {
    expression(a, "ct", |a| {
        a.u32(NFTA_CT_DREG, NFT_REG_1);
        a.u32(NFTA_CT_KEY, key);
    });
}

/// It goes the way in which its connection began, or the other.
fn direction(a: &mut Attributes<'_>, way: u8) {
    track(a, NFT_CT_DIRECTION);
    compare(a, NFT_CMP_EQ, &[way]);
}

/// Any of these states.
fn state(a: &mut Attributes<'_>, any: u32) {
    bits(a, NFT_CT_STATE, any);
}

/// Any of these bits of what is known of its connection.
fn bits(a: &mut Attributes<'_>, key: u32, any: u32) {
    track(a, key);
    mask(a, &any.to_ne_bytes(), &[0; 4]);
    compare(a, NFT_CMP_NEQ, &[0; 4]);
}

fn count(a: &mut Attributes<'_>, counter: &str) {
    expression(a, "objref", |a| {
        a.u32(NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
        a.text(NFTA_OBJREF_IMM_NAME, counter);
    });
}

fn log(a: &mut Attributes<'_>, prefix: &str, group: u16, bytes: Option<u32>) {
    expression(a, "log", |a| {
        a.text(NFTA_LOG_PREFIX, prefix);
        a.u16(NFTA_LOG_GROUP, group);
        if let Some(bytes) = bytes {
            a.u32(NFTA_LOG_SNAPLEN, bytes);
        }
    });
}

/// Clears `bits` of the mark, and sets `set`.
fn mark(a: &mut Attributes<'_>, bits: u32, set: u32) {
    meta(a, NFT_META_MARK);
    // Cleared, then flipped: set.
    mask(a, &(!bits).to_ne_bytes(), &set.to_ne_bytes());
    expression(a, "meta", |a| {
        a.u32(NFTA_META_KEY, NFT_META_MARK);
        a.u32(NFTA_META_SREG, NFT_REG_1);
    });
}

fn remember(a: &mut Attributes<'_>, set: &str, span: Duration) {
    expression(a, "dynset", |a| {
        a.u32(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
        a.u32(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        a.text(NFTA_DYNSET_SET_NAME, set);
        a.u64(NFTA_DYNSET_TIMEOUT, u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    });
}

/// Puts address, protocol and port into a set.
fn remember_single(a: &mut Attributes<'_>, of: Family, set: &str, span: Duration) {
    joined(a, of);
    remember(a, set, span);
}

/// Where the source address stands in the header of its family, in bytes: offset and length.
fn place(family: Family) -> (u8, u32, u32) {
    match family {
        Family::V4 => (NFPROTO_IPV4, SOURCE_V4, 4),
        Family::V6 => (NFPROTO_IPV6, 8, 16),
    }
}

/// Where the two addresses stand in the header of IPv4.
const SOURCE_V4: u32 = 12;
const DESTINATION_V4: u32 = 16;

/// It is of this family.
fn family(a: &mut Attributes<'_>, family: Family) {
    meta(a, NFT_META_NFPROTO);
    compare(a, NFT_CMP_EQ, &[place(family).0]);
}

fn address(a: &mut Attributes<'_>, of: Family) {
    let (_, offset, len) = place(of);
    family(a, of);
    payload(a, NFT_PAYLOAD_NETWORK_HEADER, offset, len, NFT_REG_1);
}

/// Loads the masked source address, of this family only.
fn source(a: &mut Attributes<'_>, from: Source) {
    address(a, from.family);
    if from.bits != from.family.width() {
        masked(a, from);
    }
}

/// The address that is loaded by `load` is in this network.
fn within(a: &mut Attributes<'_>, network: Prefix, load: fn(&mut Attributes<'_>, Source)) {
    load(a, Source { family: Family::of(network), bits: network.bits() });
    compare(a, NFT_CMP_EQ, octets(network.addr()).as_slice());
}

/// Loads the masked destination address, of this family only.
fn destination(a: &mut Attributes<'_>, to: Source) {
    let (_, offset, len) = place(to.family);
    family(a, to.family);
    // It stands right behind the source.
    payload(a, NFT_PAYLOAD_NETWORK_HEADER, offset + len, len, NFT_REG_1);
    if to.bits != to.family.width() {
        masked(a, to);
    }
}

/// Keeps the leading bits of an address that is loaded.
fn masked(a: &mut Attributes<'_>, from: Source) {
    let ones: IpAddr = match from.family {
        Family::V4 => Ipv4Addr::BROADCAST.into(),
        Family::V6 => Ipv6Addr::from_bits(u128::MAX).into(),
    };
    // The lengths of a gate are checked, so the prefix always exists.
    let ones = octets(Prefix::new(ones, from.bits).map_or(ones, Prefix::addr));
    mask(a, ones.as_slice(), &[0; 16][..ones.as_slice().len()]);
}

/// Loads address, protocol and port side by side. Registers of 4 bytes are numbered from 8 on;
/// number 1 is the same as 8 to 11, and 2 as 12 to 15.
fn joined(a: &mut Attributes<'_>, family: Family) {
    address(a, family);
    let (protocol, port) = match family {
        Family::V4 => (NFT_REG32_01, NFT_REG32_02),
        Family::V6 => (NFT_REG_2, NFT_REG32_05),
    };
    meta_to(a, NFT_META_L4PROTO, protocol);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, port);
}

fn protocol(a: &mut Attributes<'_>, proto: Proto) {
    meta(a, NFT_META_L4PROTO);
    compare(a, NFT_CMP_EQ, &[proto.number()]);
}

/// Neighbour solicitations and advertisements: the types 135 and 136 of ICMPv6 (RFC 4861, 4).
fn neighbour(a: &mut Attributes<'_>) {
    meta(a, NFT_META_NFPROTO);
    compare(a, NFT_CMP_EQ, &[NFPROTO_IPV6]);
    meta(a, NFT_META_L4PROTO);
    compare(a, NFT_CMP_EQ, &[IPPROTO_ICMPV6]);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
    compare(a, NFT_CMP_GTE, &[135]);
    compare(a, NFT_CMP_LTE, &[136]);
}

/// Compares with a SYN without an ACK.
fn opening(a: &mut Attributes<'_>, op: u32) {
    flags(a, SYN | ACK, op, SYN);
}

/// Bits of byte 13 of TCP's header (RFC 9293, 3.1).
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Compares some bits of TCP's flags.
fn flags(a: &mut Attributes<'_>, of: u8, op: u32, with: u8) {
    protocol(a, Proto::Tcp);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, NFT_REG_1);
    mask(a, &[of], &[0]);
    compare(a, op, &[with]);
}

/// It is TCP, and has these flags.
fn flagged(a: &mut Attributes<'_>, flags: u8) {
    protocol(a, Proto::Tcp);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, NFT_REG_1);
    mask(a, &[flags], &[0]);
    compare(a, NFT_CMP_EQ, &[flags]);
}

/// Matches the protocol and, unless all ports are meant, the port at this offset of its header: 0 for
/// that of the source, 2 for that of the destination.
fn port(a: &mut Attributes<'_>, range: PortRange, offset: u32) {
    protocol(a, range.proto());
    if range.is_whole() {
        return;
    }
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2, NFT_REG_1);
    if range.first() == range.last() {
        compare(a, NFT_CMP_EQ, &range.first().to_be_bytes());
    } else {
        compare(a, NFT_CMP_GTE, &range.first().to_be_bytes());
        compare(a, NFT_CMP_LTE, &range.last().to_be_bytes());
    }
}

/// An option of TCP is taken out by who neither reads nor writes it.
fn undate(a: &mut Attributes<'_>) {
    expression(a, "exthdr", |a| {
        a.bytes(NFTA_EXTHDR_TYPE, &[TCPOPT_TIMESTAMP]);
        a.u32(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
    });
}

fn syn_proxy(a: &mut Attributes<'_>, family: Family, handshake: &Handshake) {
    let said = [
        (true, NF_SYNPROXY_OPT_MSS),
        (handshake.scale.is_some(), NF_SYNPROXY_OPT_WSCALE),
        (handshake.sack, NF_SYNPROXY_OPT_SACK_PERM),
        (handshake.timestamps, NF_SYNPROXY_OPT_TIMESTAMP),
    ];
    let flags = said.into_iter().filter(|(said, _)| *said).fold(0, |all, (_, bit)| all | bit);
    expression(a, "synproxy", |a| {
        a.u16(NFTA_SYNPROXY_MSS, handshake.mss(family));
        a.bytes(NFTA_SYNPROXY_WSCALE, &[handshake.scale.unwrap_or(0)]);
        a.u32(NFTA_SYNPROXY_FLAGS, flags);
    });
}

fn stop(a: &mut Attributes<'_>, what: Verdict, family: Family) {
    match what {
        Verdict::Drop => verdict(a, NF_DROP, None),
        Verdict::Reset => expression(a, "reject", |a| {
            a.u32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
            // The kernel wants none; the nft program sends one.
            a.bytes(NFTA_REJECT_ICMP_CODE, &[0]);
        }),
        // Codes of ICMP (RFC 792; RFC 1812, 5.2.7.1) and of ICMPv6 (RFC 4443, 3.1).
        Verdict::Unreachable => unreachable(a, if family == Family::V4 { 3 } else { 4 }),
        Verdict::Prohibited => unreachable(a, if family == Family::V4 { 13 } else { 1 }),
    }
}

fn unreachable(a: &mut Attributes<'_>, code: u8) {
    expression(a, "reject", |a| {
        a.u32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
        a.bytes(NFTA_REJECT_ICMP_CODE, &[code]);
    });
}
