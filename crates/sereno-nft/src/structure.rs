//! The gate as messages: table, counters, sets, chains and their rules.

use crate::encode::Batch;
use crate::express::put_part;
use crate::members::{keys, put_all};
use crate::numbers::*;
use sereno_core::gate::plan::{Chain, Hook, Kind, Plan, Rule, Shape};
use sereno_core::gate::{Counts, Family, Left};
use std::collections::BTreeMap;

/// A note of the nft program for itself, without which it shows no names of interfaces: the
/// order of a key's bytes (type 0, 4 bytes) is that of the machine (1).
const HOST_ORDER: [u8; 6] = {
    let [a, b, c, d] = 1u32.to_ne_bytes();
    [0, 4, a, b, c, d]
};

/// Removes the table, whether it is there or not.
pub(crate) fn put_removal(batch: &mut Batch, table: &str) {
    batch.push(NEWTABLE, NLM_F_CREATE, |a| a.text(NFTA_TABLE, table));
    batch.push(DELTABLE, 0, |a| a.text(NFTA_TABLE, table));
}

/// Creates the table, empty.
pub(crate) fn put_table(batch: &mut Batch, table: &str) {
    batch.push(NEWTABLE, NLM_F_CREATE, |a| a.text(NFTA_TABLE, table));
}

/// What a set that begins with many members has room for: half as many again as there can be bans,
/// for those that have ended are only swept out once a second. The kernel makes its table for as many
/// as the lower 16 bits say (lib/rhashtable.c), here the most; one that grows again and again while it
/// is filled takes twice the time.
const ROOM: u32 = 0x5_FFFF;
/// From so many members on.
const MANY: usize = 20_000;

/// How many members a set of bans is made for that is to have so many soon.
pub(crate) fn room_of_bans(first: usize) -> Option<u32> {
    (first >= MANY).then_some(ROOM)
}

/// Creates everything of a plan but what comes and goes; `counts` are the counters' first
/// values, `id` a number that no set of the batch has yet, `room` for how many members a set is made.
pub(crate) fn put_plan(
    batch: &mut Batch,
    table: &str,
    plan: &Plan,
    counts: &Counts,
    id: &mut u32,
    room: impl Fn(&str) -> Option<u32>,
) {
    for counter in &plan.counters {
        put_counter(batch, table, counter, counts);
    }
    for shape in &plan.sets {
        *id += 1;
        put_set(batch, table, shape, *id, shape.grows.or_else(|| room(&shape.name)));
        let fixed = keys(&shape.fixed).map(|key| (key, Left::Ever));
        put_all(batch, table, &shape.name, fixed);
    }
    for chain in &plan.chains {
        put_chain(batch, table, chain);
        for rule in &chain.rules {
            put_rule(batch, table, &chain.name, rule);
        }
    }
}

/// The names of all sets of plans.
pub(crate) fn set_names(plans: &[Plan]) -> impl Iterator<Item = String> {
    plans.iter().flat_map(|plan| &plan.sets).map(|shape| shape.name.clone())
}

/// How many rules each chain has that has any.
pub(crate) fn rule_counts(plans: &[Plan]) -> BTreeMap<String, usize> {
    let chains = plans.iter().flat_map(|plan| &plan.chains);
    chains.map(|chain| (chain.name.clone(), chain.rules.len())).collect()
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

/// The type as the nft program numbers it, and the length of a key in bytes.
fn key_type(kind: Kind) -> (u32, u32) {
    let joined = |first| (first << 6 | TYPE_INET_PROTOCOL) << 6 | TYPE_INET_SERVICE;
    match kind {
        Kind::Addr(Family::V4) => (TYPE_IPADDR, 4),
        Kind::Addr(Family::V6) => (TYPE_IP6ADDR, 16),
        Kind::Port => (TYPE_INET_SERVICE, 2),
        Kind::Proto => (TYPE_INET_PROTOCOL, 1),
        Kind::Range(family) => key_type(Kind::Addr(family)),
        Kind::Family => (TYPE_NFPROTO, 1),
        Kind::Icmp(Family::V4) => (TYPE_ICMP, 1),
        Kind::Icmp(Family::V6) => (TYPE_ICMPV6, 1),
        Kind::Interface => (TYPE_IFNAME, IFNAMSIZ as u32),
        Kind::Single(Family::V4) | Kind::Dnat => (joined(TYPE_IPADDR), 12),
        Kind::Stream(family) => {
            let (addr, len) = key_type(Kind::Addr(family));
            ((addr << 6 | TYPE_INET_SERVICE) << 6 | TYPE_INET_SERVICE, len + 8)
        }
        Kind::Flow => (joined(TYPE_IPADDR << 6 | TYPE_IPADDR), 16),
        Kind::Single(Family::V6) => (joined(TYPE_IP6ADDR), 24),
    }
}

fn put_set(batch: &mut Batch, table: &str, shape: &Shape, id: u32, most: Option<u32>) {
    let (kind, len) = key_type(shape.kind);
    let mut flags = if shape.ends { NFT_SET_TIMEOUT } else { 0 };
    if shape.grows.is_some() {
        flags |= NFT_SET_EVAL;
    }
    match shape.kind {
        Kind::Dnat => flags |= NFT_SET_MAP,
        Kind::Range(_) => flags |= NFT_SET_INTERVAL,
        _ => (),
    }
    batch.push(NEWSET, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_SET_NAME, &shape.name);
        a.u32(NFTA_SET_FLAGS, flags);
        a.u32(NFTA_SET_KEY_TYPE, kind);
        a.u32(NFTA_SET_KEY_LEN, len);
        a.u32(NFTA_SET_ID, id);
        if shape.kind == Kind::Dnat {
            // An address and a port, each on its own four bytes.
            a.u32(NFTA_SET_DATA_TYPE, TYPE_IPADDR << 6 | TYPE_INET_SERVICE);
            a.u32(NFTA_SET_DATA_LEN, 8);
        }
        if let Some(most) = most {
            a.nest(NFTA_SET_DESC, |a| a.u32(NFTA_SET_DESC_SIZE, most));
        }
        if shape.kind == Kind::Interface {
            a.bytes(NFTA_SET_USERDATA, &HOST_ORDER);
        }
    });
}

fn hook(hook: Hook) -> u32 {
    match hook {
        Hook::Prerouting => NF_INET_PRE_ROUTING,
        Hook::Input => NF_INET_LOCAL_IN,
        Hook::Output => NF_INET_LOCAL_OUT,
        Hook::Postrouting => NF_INET_POST_ROUTING,
    }
}

fn put_chain(batch: &mut Batch, table: &str, chain: &Chain) {
    batch.push(NEWCHAIN, NLM_F_CREATE, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_CHAIN_NAME, &chain.name);
        if let Some(base) = chain.base {
            a.nest(NFTA_CHAIN_HOOK, |a| {
                a.u32(NFTA_HOOK_HOOKNUM, hook(base.hook));
                a.i32(NFTA_HOOK_PRIORITY, base.priority);
            });
            a.i32(NFTA_CHAIN_POLICY, NF_ACCEPT);
            a.text(NFTA_CHAIN_TYPE, if base.nat { "nat" } else { "filter" });
        }
    });
}

fn put_rule(batch: &mut Batch, table: &str, chain: &str, rule: &Rule) {
    batch.push(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |a| {
        a.text(NFTA_TABLE, table);
        a.text(NFTA_RULE_CHAIN, chain);
        a.nest(NFTA_RULE_EXPRESSIONS, |a| {
            for part in rule {
                put_part(a, part);
            }
        });
    });
}
