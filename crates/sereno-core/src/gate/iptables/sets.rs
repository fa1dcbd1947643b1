//! The plan's sets as those of ipset, and their members as its entries.
//!
//! What comes and goes with time stands in a set of a constant name, whose contents are replaced by
//! a swap. What is fixed stands in a set that is named by its contents: rules of before and of after
//! never see each other's, and change over in one step.

use super::name::{Names, hash};
use crate::addr::Prefix;
use crate::gate::list::{ends, networks};
use crate::gate::plan::{Kind, Part, Plan, Shape, Test};
use crate::gate::{Family, Left, Member, Proto};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest time ipset keeps, in seconds: 24 days.
pub const LONGEST: u64 = 2_147_483;
/// Members of a set whose number nobody knows beforehand; memory is taken as they come.
const MOST: u32 = 1 << 24;
/// How long a source that rules put in stays if they say nothing: they always do.
const REMEMBERED: u32 = 60;

/// A set of ipset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSet {
    /// What ipset knows it by.
    pub name: String,
    /// What stands behind its name where it is made.
    pub make: String,
    /// What is always in it. Nothing else ever is then.
    pub fixed: Vec<String>,
    /// Whether its contents come and go by orders: not where they are fixed, nor where rules alone
    /// put something in.
    pub moves: bool,
    /// Whether it is switched on for a while: what is in it outlasts that the gate is put in place anew.
    pub switch: bool,
}

/// The ending of a set's name for a family, where the plan's set is for both.
pub(super) fn per_family(set: &str, family: Family) -> String {
    format!("{set}_{}", family.as_str())
}

/// As [`per_family`], where it holds protocols.
pub(super) fn per_proto(set: &str, proto: Proto, family: Family) -> String {
    per_family(&format!("{set}_{}", proto.as_str()), family)
}

/// The set of the ports that belong to the connections of another.
pub(super) fn ports_of(set: &str) -> String {
    format!("{set}_to")
}

/// What rules say of sets: how much of an address counts, and which sets only count.
#[derive(Debug, Default)]
pub(super) struct Uses {
    bits: BTreeMap<String, u8>,
    meters: BTreeSet<String>,
}

impl Uses {
    pub(super) fn of(plans: &[Plan]) -> Self {
        let mut uses = Self::default();
        let chains = plans.iter().flat_map(|plan| &plan.chains);
        for part in chains.flat_map(|chain| chain.rules.iter().flatten()) {
            match part {
                Part::FromAnyOf(source, set) | Part::Remember(source, set, _) => {
                    uses.bits.insert(set.clone(), source.bits);
                }
                Part::If(Test::Over(_, set, _) | Test::Crowded(_, set, _)) => {
                    uses.meters.insert(set.clone());
                }
                _ => {}
            }
        }
        uses
    }
}

/// The sets that one of the plan becomes, with their plain names; none where matches keep their own
/// counts, nor where its members stand in rules.
pub(super) fn ipsets(shape: &Shape, uses: &Uses, names: &Names) -> Vec<(String, IpSet)> {
    if uses.meters.contains(&shape.name) {
        return Vec::new();
    }
    let one = |plain: String, make: String| {
        let fixed: Vec<String> = shape
            .fixed
            .iter()
            .flat_map(|member| entries(&shape.name, member))
            .filter(|(set, _)| *set == plain)
            .map(|(_, entry)| entry)
            .collect();
        let moves = fixed.is_empty() && shape.grows.is_none();
        let own = hash(&format!("{make}\n{}", fixed.join("\n")));
        let name = if moves { names.set(&plain) } else { names.set(&format!("{plain}.{own}")) };
        let switch = moves && matches!(shape.kind, Kind::Family | Kind::Proto);
        (plain, IpSet { name, make, fixed, moves, switch })
    };
    let hashed = |kind: &str, family: Family| {
        let inet = match family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        };
        let bits = uses.bits.get(&shape.name).filter(|bits| **bits < family.width());
        let mask = bits.map(|bits| format!(" netmask {bits}")).unwrap_or_default();
        let most = shape.grows.unwrap_or(MOST);
        let time = match (shape.ends, shape.grows) {
            (true, Some(_)) => format!(" timeout {REMEMBERED}"),
            (true, None) => " timeout 0".to_owned(),
            (false, _) => String::new(),
        };
        format!("{kind} family {inet}{mask} maxelem {most}{time}")
    };
    let plain = || shape.name.clone();
    let ports = "bitmap:port range 0-65535".to_owned();
    match shape.kind {
        Kind::Addr(family) => vec![one(plain(), hashed("hash:ip", family))],
        Kind::Range(family) => vec![one(plain(), hashed("hash:net", family))],
        Kind::Single(family) => vec![one(plain(), hashed("hash:ip,port", family))],
        Kind::Port => vec![one(plain(), ports)],
        Kind::Interface => Family::BOTH
            .map(|family| one(per_family(&plain(), family), hashed("hash:net,iface", family)))
            .to_vec(),
        Kind::Family => Family::BOTH
            .map(|family| one(per_family(&plain(), family), hashed("hash:net", family)))
            .to_vec(),
        Kind::Proto => Family::BOTH
            .into_iter()
            .flat_map(|family| [Proto::Tcp, Proto::Udp].map(|proto| (family, proto)))
            .map(|(family, proto)| {
                one(per_proto(&plain(), proto, family), hashed("hash:net", family))
            })
            .collect(),
        Kind::Stream(family) => {
            vec![one(plain(), hashed("hash:ip,port", family)), one(ports_of(&plain()), ports)]
        }
        Kind::Icmp(_) | Kind::Dnat | Kind::Flow => Vec::new(),
    }
}

/// Where a member of the plan's set goes: plain names of sets, and what is put into them.
pub(super) fn entries(set: &str, member: &Member) -> Vec<(String, String)> {
    let here = |entry: String| vec![(set.to_owned(), entry)];
    match member {
        Member::Addr(addr) => here(addr.to_string()),
        Member::Port(port) => here(port.to_string()),
        Member::Range(first, last) => {
            let blocks = networks(*first, *last).into_iter().flat_map(halves);
            blocks.map(|prefix| (set.to_owned(), prefix.to_string())).collect()
        }
        Member::Single(addr, proto, port) => here(format!("{addr},{}:{port}", proto.as_str())),
        Member::Interface(name) => vec![
            (per_family(set, Family::V4), format!("0.0.0.0/0,{name}")),
            (per_family(set, Family::V6), format!("::/0,{name}")),
        ],
        Member::Family(family) => whole(*family, &per_family(set, *family)),
        Member::Proto(proto) => Family::BOTH
            .into_iter()
            .flat_map(|family| whole(family, &per_proto(set, *proto, family)))
            .collect(),
        Member::Stream(stream) => vec![
            (set.to_owned(), format!("{},tcp:{}", stream.from, stream.port)),
            (ports_of(set), stream.to.to_string()),
        ],
        // Types stand in rules; what translates is refused.
        Member::Icmp(..) | Member::Dnat(..) | Member::Flow(..) => Vec::new(),
    }
}

/// Every address, as a set of networks can hold it: of no length 0.
fn whole(family: Family, set: &str) -> Vec<(String, String)> {
    let any = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let all = Prefix::new(any, 0).into_iter().flat_map(halves);
    all.map(|half| (set.to_owned(), half.to_string())).collect()
}

fn halves(prefix: Prefix) -> Vec<Prefix> {
    if prefix.bits() > 0 {
        return vec![prefix];
    }
    let (first, last) = ends(prefix);
    [first, last].into_iter().filter_map(|addr| Prefix::new(addr, 1)).collect()
}

/// A time as ipset takes it, in seconds: rounded up, and no longer than it can be.
#[must_use]
pub fn seconds(left: Left) -> Option<u64> {
    match left {
        Left::Ever => Some(0),
        Left::Over => None,
        Left::For(span) => {
            let up = span.as_secs() + u64::from(span.subsec_nanos() > 0);
            Some(up.clamp(1, LONGEST))
        }
    }
}
