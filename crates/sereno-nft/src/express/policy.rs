//! What the base policy asks of a packet.

use super::{
    address, bits, compare, destination, expression, family, look_up, mask, meta, payload, source,
    state,
};
use crate::encode::Attributes;
use crate::numbers::*;
use sereno_core::gate::Family;
use sereno_core::gate::plan::{Source, Test, memory};
use sereno_core::gate::policy::Rate;
use sereno_core::time::Time;

/// Where what UDP carries begins, in its header (RFC 768).
const DATA: u32 = 8;
/// A flag of TCP (RFC 9293, 3.1).
const PSH: u8 = 8;

/// Writes a test.
pub(super) fn put(a: &mut Attributes<'_>, test: &Test) {
    match test {
        Test::Of(of) => family(a, *of),
        Test::FamilyIn(set) => {
            meta(a, NFT_META_NFPROTO);
            look_up(a, set, 0);
        }
        Test::On(name) => link(a, NFT_META_IIFNAME, name),
        Test::Leaves(name) => link(a, NFT_META_OIFNAME, name),
        Test::WayBack => way_back(a),
        Test::ToAddr(prefix) => super::within(a, *prefix, destination),
        Test::Number(number) => {
            meta(a, NFT_META_L4PROTO);
            compare(a, NFT_CMP_EQ, &[*number]);
        }
        Test::Icmp(of, kind) => {
            icmp(a, *of);
            compare(a, NFT_CMP_EQ, &[*kind]);
        }
        Test::IcmpIn(of, set) => {
            icmp(a, *of);
            look_up(a, set, 0);
        }
        Test::Marked(bits) => {
            meta(a, NFT_META_MARK);
            mask(a, &bits.to_ne_bytes(), &[0; 4]);
            compare(a, NFT_CMP_EQ, &bits.to_ne_bytes());
        }
        Test::Before(time) => before(a, *time),
        Test::ToLoopback => {
            meta(a, NFT_META_OIF);
            compare(a, NFT_CMP_EQ, &1u32.to_ne_bytes());
        }
        Test::Begun => super::direction(a, IP_CT_DIR_ORIGINAL),
        Test::SipAnswer => {
            payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, DATA, 4, NFT_REG_1);
            compare(a, NFT_CMP_EQ, b"SIP/");
        }
        Test::MiniFrame => mini_frame(a),
        Test::Rush(rate) => expression(a, "limit", |a| limit(a, rate)),
        Test::New => state(a, STATE_NEW),
        Test::Pushed => super::flagged(a, PSH),
        Test::MidStream => super::opening(a, NFT_CMP_NEQ),
        Test::Foreign => super::address_type(a, NFTA_FIB_F_SADDR, NFT_CMP_NEQ, RTN_LOCAL),
        Test::Acks => super::flags(a, super::SYN | super::RST | super::ACK, NFT_CMP_EQ, super::ACK),
        Test::Breaks => super::flagged(a, super::RST),
        Test::Heard => heard(a),
        Test::Stream(of, set) => stream(a, (*of, address), [0, 2], set),
        Test::StreamBack(of, set) => stream(a, (*of, goal), [2, 0], set),
        Test::FromPorts(range) => super::port(a, *range, 0),
        Test::FromRange(of, set) => within(a, *of, address, set),
        Test::ToRange(of, set) => within(a, *of, goal, set),
        Test::Going => state(a, STATE_ESTABLISHED | STATE_RELATED),
        Test::Invalid => bits(a, NFT_CT_STATE, STATE_INVALID),
        Test::Over(from, set, rate) => over(a, *from, set, rate),
        Test::Crowded(from, set, most) => crowded(a, *from, set, *most),
    }
}

/// The first bit is set in full frames.
fn mini_frame(a: &mut Attributes<'_>) {
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, DATA, 1, NFT_REG_1);
    mask(a, &[0x80], &[0]);
    compare(a, NFT_CMP_EQ, &[0]);
}

/// The interface it came in by, or leaves by, has this name; the kernel compares all of its field.
fn link(a: &mut Attributes<'_>, which: u32, name: &str) {
    let mut field = [0; IFNAMSIZ];
    field.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    meta(a, which);
    compare(a, NFT_CMP_EQ, &field);
}

/// The address that is loaded by `load` is in the set.
fn within(a: &mut Attributes<'_>, of: Family, load: fn(&mut Attributes<'_>, Family), set: &str) {
    load(a, of);
    look_up(a, set, 0);
}

/// There is a socket for it. The kernel looks for one, and ends the rule if it finds none; what it then
/// says of that socket is of no importance.
fn heard(a: &mut Attributes<'_>) {
    expression(a, "socket", |a| {
        a.u32(NFTA_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
        a.u32(NFTA_SOCKET_DREG, NFT_REG_1);
    });
    compare(a, NFT_CMP_LTE, &[1]);
}

/// An answer would leave by the interface it came from.
fn way_back(a: &mut Attributes<'_>) {
    expression(a, "fib", |a| {
        a.u32(NFTA_FIB_DREG, NFT_REG_1);
        a.u32(NFTA_FIB_RESULT, NFT_FIB_RESULT_OIF);
        a.u32(NFTA_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
    });
    compare(a, NFT_CMP_EQ, &[1, 0, 0, 0]);
}

/// Loads the type of a message of ICMP (RFC 792) or ICMPv6 (RFC 4443).
fn icmp(a: &mut Attributes<'_>, of: Family) {
    let number = match of {
        Family::V4 => IPPROTO_ICMP,
        Family::V6 => IPPROTO_ICMPV6,
    };
    family(a, of);
    meta(a, NFT_META_L4PROTO);
    compare(a, NFT_CMP_EQ, &[number]);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
}

/// Loads the whole destination address.
fn goal(a: &mut Attributes<'_>, of: Family) {
    destination(a, Source::host(of));
}

/// Looks up an address and both ports, its own first, side by side; what comes before says that it is TCP.
/// The ports begin the header, at these places.
fn stream(
    a: &mut Attributes<'_>,
    (of, load): (Family, fn(&mut Attributes<'_>, Family)),
    [there, here]: [u32; 2],
    set: &str,
) {
    load(a, of);
    let (from, to) = match of {
        Family::V4 => (NFT_REG32_01, NFT_REG32_02),
        Family::V6 => (NFT_REG_2, NFT_REG32_05),
    };
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, there, 2, from);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, here, 2, to);
    look_up(a, set, 0);
}

/// The kernel's clock has nanoseconds since 1970.
fn before(a: &mut Attributes<'_>, time: Time) {
    let nanos = u64::try_from(time.secs()).unwrap_or(0).saturating_mul(1_000_000_000);
    meta(a, NFT_META_TIME_NS);
    expression(a, "byteorder", |a| {
        a.u32(NFTA_BYTEORDER_SREG, NFT_REG_1);
        a.u32(NFTA_BYTEORDER_DREG, NFT_REG_1);
        a.u32(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
        a.u32(NFTA_BYTEORDER_LEN, 8);
        a.u32(NFTA_BYTEORDER_SIZE, 8);
    });
    compare(a, NFT_CMP_LT, &nanos.to_be_bytes());
}

fn over(a: &mut Attributes<'_>, from: Source, set: &str, rate: &Rate) {
    source(a, from);
    let span = memory(rate);
    expression(a, "dynset", |a| {
        a.u32(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
        a.u32(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        a.text(NFTA_DYNSET_SET_NAME, set);
        a.u64(NFTA_DYNSET_TIMEOUT, u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        a.nest(NFTA_DYNSET_EXPR, |a| {
            a.text(NFTA_EXPR_NAME, "limit");
            a.nest(NFTA_EXPR_DATA, |a| limit(a, rate));
        });
    });
}

/// Holds for what comes besides the rate.
fn limit(a: &mut Attributes<'_>, rate: &Rate) {
    a.u64(NFTA_LIMIT_RATE, rate.count.into());
    a.u64(NFTA_LIMIT_UNIT, rate.per.as_secs());
    a.u32(NFTA_LIMIT_BURST, rate.burst);
    a.u32(NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
    a.u32(NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);
}

fn crowded(a: &mut Attributes<'_>, from: Source, set: &str, most: u32) {
    source(a, from);
    expression(a, "dynset", |a| {
        a.u32(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
        a.u32(NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
        a.text(NFTA_DYNSET_SET_NAME, set);
        a.nest(NFTA_DYNSET_EXPR, |a| {
            a.text(NFTA_EXPR_NAME, "connlimit");
            a.nest(NFTA_EXPR_DATA, |a| {
                a.u32(NFTA_CONNLIMIT_COUNT, most);
                a.u32(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
            });
        });
    });
}
