//! What translation for doors asks and does.

use super::{
    DESTINATION_V4, SOURCE_V4, address, bits, expression, family, joined, look_up, meta_to, payload,
};
use crate::encode::Attributes;
use crate::numbers::*;
use sereno_core::gate::plan::Translate;
use sereno_core::gate::{Family, Snat};

/// Writes one test or deed of translation.
pub(super) fn put_part(a: &mut Attributes<'_>, part: &Translate) {
    match part {
        Translate::BegunBy(set) => {
            began(a);
            look_up(a, set, 0);
        }
        Translate::Leads(set) => {
            began(a);
            meta_to(a, NFT_META_L4PROTO, NFT_REG32_01);
            payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG32_02);
            look_up(a, set, 0);
        }
        Translate::Returns(set) => {
            family(a, Family::V4);
            began(a);
            pair(a, SOURCE_V4, 0);
            look_up(a, set, 0);
        }
        Translate::Flows(set) => {
            address(a, Family::V4);
            pair(a, DESTINATION_V4, 2);
            look_up(a, set, 0);
        }
        Translate::Translated => bits(a, NFT_CT_STATUS, IPS_DST_NAT),
        Translate::Dnat(map) => dnat(a, map),
        Translate::DnatTo(addr) => {
            load(a, &addr.octets());
            nat(a, NFT_NAT_DNAT, None);
        }
        Translate::Snat(Snat::Masquerade) => expression(a, "masq", |_| ()),
        Translate::Snat(Snat::To(addr)) => {
            load(a, &addr.octets());
            nat(a, NFT_NAT_SNAT, None);
        }
    }
}

/// The address of who began what it belongs to. Of IPv4 only; what is not tracked has none.
fn began(a: &mut Attributes<'_>) {
    expression(a, "ct", |a| {
        a.u32(NFTA_CT_DREG, NFT_REG_1);
        a.u32(NFTA_CT_KEY, NFT_CT_SRC_IP);
        a.bytes(NFTA_CT_DIRECTION, &[IP_CT_DIR_ORIGINAL]);
    });
}

/// Loads an IPv4 address, at this offset of the header, behind another one, and the protocol and a
/// port, at this offset of theirs, behind both.
fn pair(a: &mut Attributes<'_>, second: u32, port: u32) {
    payload(a, NFT_PAYLOAD_NETWORK_HEADER, second, 4, NFT_REG32_01);
    meta_to(a, NFT_META_L4PROTO, NFT_REG32_02);
    payload(a, NFT_PAYLOAD_TRANSPORT_HEADER, port, 2, NFT_REG32_03);
}

/// Sends it where the map says for source address, protocol and port.
fn dnat(a: &mut Attributes<'_>, map: &str) {
    joined(a, Family::V4);
    expression(a, "lookup", |a| {
        a.text(NFTA_LOOKUP_SET, map);
        a.u32(NFTA_LOOKUP_SREG, NFT_REG_1);
        a.u32(NFTA_LOOKUP_DREG, NFT_REG_1);
    });
    nat(a, NFT_NAT_DNAT, Some(NFT_REG32_01));
}

/// Translates to the address that is loaded, and to the port in that register.
fn nat(a: &mut Attributes<'_>, kind: u32, port: Option<u32>) {
    expression(a, "nat", |a| {
        a.u32(NFTA_NAT_TYPE, kind);
        a.u32(NFTA_NAT_FAMILY, u32::from(NFPROTO_IPV4));
        a.u32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
        if let Some(register) = port {
            a.u32(NFTA_NAT_REG_PROTO_MIN, register);
        }
    });
}

/// Loads a value.
fn load(a: &mut Attributes<'_>, value: &[u8]) {
    expression(a, "immediate", |a| {
        a.u32(NFTA_IMMEDIATE_DREG, NFT_REG_1);
        a.nest(NFTA_IMMEDIATE_DATA, |a| a.bytes(NFTA_DATA_VALUE, value));
    });
}
