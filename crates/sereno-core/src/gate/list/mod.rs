//! Lists of addresses: what others publish, countries, names. A [`List`] is what one says, a
//! [`Roster`] the lists of a machine and the ports they close.
//!
//! They stand in a table of their own, so that a gate that is put in place anew does not wait for a
//! million addresses, and the other way round.

mod read;

pub use read::{Skipped, nobody, read};

use super::plan::{Base, Chain, Hook, Kind, Part, Plan, Rule, Shape, Source, Test};
use super::{Family, Name, Ports, Verdict};
use crate::addr::{Prefix, canonical};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Behind the doors, which mark whom they let in, and before translation.
const PRIORITY: i32 = -120;
/// A range of at most so many addresses is kept as single ones: they are found at once, in a list of
/// any length.
const FEW: u32 = 2;

/// Addresses, as ranges of each family that neither overlap nor touch, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl FromIterator<(IpAddr, IpAddr)> for List {
    /// Ranges, first and last; one that runs backwards or from one family to the other is nothing.
    fn from_iter<I: IntoIterator<Item = (IpAddr, IpAddr)>>(ranges: I) -> Self {
        let mut list = Self::default();
        for (first, last) in ranges {
            match (canonical(first), canonical(last)) {
                (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => {
                    list.v4.push((a.to_bits(), b.to_bits()));
                }
                (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => {
                    list.v6.push((a.to_bits(), b.to_bits()));
                }
                _ => {}
            }
        }
        list.v4.sort_unstable();
        list.v6.sort_unstable();
        merge(&mut list.v4, |n| n.checked_add(1));
        merge(&mut list.v6, |n| n.checked_add(1));
        list.v4.shrink_to_fit();
        list.v6.shrink_to_fit();
        list
    }
}

/// Joins sorted ranges that overlap or touch.
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, next: impl Fn(T) -> Option<T>) {
    let mut kept = 0;
    for at in 0..ranges.len() {
        let (first, last) = ranges[at];
        match ranges[..kept].last_mut() {
            // Nothing comes behind what ends with the last address.
            Some(before) if next(before.1).is_none_or(|after| first <= after) => {
                before.1 = before.1.max(last);
            }
            _ => {
                ranges[kept] = (first, last);
                kept += 1;
            }
        }
    }
    ranges.truncate(kept);
}

/// Sorted ranges without others.
fn without<T: Copy + Ord>(
    ranges: &[(T, T)],
    holes: &[(T, T)],
    next: impl Fn(T) -> Option<T>,
    previous: impl Fn(T) -> Option<T>,
) -> Vec<(T, T)> {
    let mut rest = Vec::with_capacity(ranges.len());
    let mut from = 0;
    for &(first, last) in ranges {
        while holes.get(from).is_some_and(|hole| hole.1 < first) {
            from += 1;
        }
        let mut begin = Some(first);
        for &(a, b) in holes[from..].iter().take_while(|hole| hole.0 <= last) {
            if let (Some(at), Some(before)) = (begin, previous(a))
                && at <= before
            {
                rest.push((at, before));
            }
            begin = next(b);
        }
        if let Some(at) = begin.filter(|at| *at <= last) {
            rest.push((at, last));
        }
    }
    rest
}

impl List {
    /// Every address of a list that is in no other network: those whom nothing may shut out.
    #[must_use]
    pub fn without(&self, networks: &[Prefix]) -> Self {
        let holes: Self = networks.iter().map(|network| ends(*network)).collect();
        Self {
            v4: without(&self.v4, &holes.v4, |n| n.checked_add(1), |n| n.checked_sub(1)),
            v6: without(&self.v6, &holes.v6, |n| n.checked_add(1), |n| n.checked_sub(1)),
        }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        fn find<T: Ord>(ranges: &[(T, T)], n: &T) -> bool {
            let at = ranges.partition_point(|range| range.0 <= *n);
            at.checked_sub(1).is_some_and(|at| ranges[at].1 >= *n)
        }
        match canonical(addr) {
            IpAddr::V4(addr) => find(&self.v4, &addr.to_bits()),
            IpAddr::V6(addr) => find(&self.v6, &addr.to_bits()),
        }
    }

    /// How many ranges it consists of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many IPv4 addresses are in it.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        self.v4.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// All ranges, first and last, in their order.
    pub fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        let four = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(n));
        let six = |n: u128| IpAddr::V6(Ipv6Addr::from_bits(n));
        let v4 = self.v4.iter().map(move |(a, b)| (four(*a), four(*b)));
        v4.chain(self.v6.iter().map(move |(a, b)| (six(*a), six(*b))))
    }

    /// Its single addresses of a family, those of small ranges among them: what a set of addresses
    /// holds.
    pub fn hosts(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = if family == Family::V4 { &self.v4[..] } else { &[] };
        let v6 = if family == Family::V6 { &self.v6[..] } else { &[] };
        let v4 = v4.iter().filter(|range| is_small(u128::from(range.1 - range.0)));
        let v6 = v6.iter().filter(|range| is_small(range.1 - range.0));
        let four = v4.flat_map(|(a, b)| (*a..=*b).map(|n| IpAddr::V4(Ipv4Addr::from_bits(n))));
        let six = v6.flat_map(|(a, b)| (*a..=*b).map(|n| IpAddr::V6(Ipv6Addr::from_bits(n))));
        four.chain(six)
    }

    /// Its larger ranges of a family.
    pub fn networks(&self, family: Family) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        let of = move |range: &(IpAddr, IpAddr)| range.0.is_ipv4() == (family == Family::V4);
        let wide = |(first, last): &(IpAddr, IpAddr)| match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => !is_small(u128::from(b.to_bits() - a.to_bits())),
            (IpAddr::V6(a), IpAddr::V6(b)) => !is_small(b.to_bits() - a.to_bits()),
            _ => false,
        };
        self.ranges().filter(of).filter(wide)
    }
}

/// The networks that a range of addresses consists of; none if it runs backwards.
#[must_use]
pub fn networks(first: IpAddr, last: IpAddr) -> Vec<Prefix> {
    let (bits, mut at, end) = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (32_u8, u128::from(a.to_bits()), u128::from(b.to_bits())),
        (IpAddr::V6(a), IpAddr::V6(b)) => (128, a.to_bits(), b.to_bits()),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    while at <= end {
        // The largest block that begins here and does not reach beyond the end.
        let free = |host: &u8| {
            let size = 1_u128.checked_shl((*host).into());
            size.is_some_and(|size| at % size == 0 && size - 1 <= end - at)
        };
        let host = (0..=bits).rev().find(free).unwrap_or(0);
        let addr = match bits {
            32 => IpAddr::V4(Ipv4Addr::from_bits(at as u32)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(at)),
        };
        found.extend(Prefix::new(addr, bits - host));
        match 1_u128.checked_shl(host.into()).and_then(|size| at.checked_add(size)) {
            Some(next) => at = next,
            None => break,
        }
    }
    found
}

fn is_small(more: u128) -> bool {
    more < u128::from(FEW)
}

/// The first and the last address of a network.
#[must_use]
pub fn ends(network: Prefix) -> (IpAddr, IpAddr) {
    let bits = u32::from(network.bits());
    match network.addr() {
        IpAddr::V4(first) => {
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            (first.into(), Ipv4Addr::from_bits(first.to_bits() | rest).into())
        }
        IpAddr::V6(first) => {
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            (first.into(), Ipv6Addr::from_bits(first.to_bits() | rest).into())
        }
    }
}

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Those who are in it are shut out.
    Closes,
    /// They are let in, whatever the policy says.
    Opens,
}

/// A list, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub to: Use,
    /// Which ports.
    pub ports: Ports,
}

/// The lists of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Each with what it does. Those that let in come before those that shut out.
    pub lists: Vec<Listed>,
    /// The mark of whom a door let in.
    pub mark: Option<u32>,
}

impl Roster {
    /// Its table, without what is in the lists.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        let asks = |test| Part::If(test);
        let mut rules: Vec<Rule> = vec![vec![Part::Loopback, Part::Accept]];
        let (mut opens, mut closes) = (Vec::new(), Vec::new());
        for list in &self.lists {
            plan.counters.push(counter(list.name));
            for family in Family::BOTH {
                let (hosts, networks) = (set(list.name, family), nets(list.name, family));
                let one = Part::FromAnyOf(Source::host(family), hosts.clone());
                let many = asks(Test::FromRange(family, networks.clone()));
                plan.sets.push(Shape::new(hosts, Kind::Addr(family)));
                plan.sets.push(Shape::new(networks, Kind::Range(family)));
                let (rules, last) = match list.to {
                    Use::Closes => (&mut closes, vec![Part::Stop(Verdict::Drop, family)]),
                    Use::Opens => {
                        let mark = self.mark.map(Part::Mark).into_iter();
                        (&mut opens, mark.chain([Part::Accept]).collect())
                    }
                };
                for from in [one, many] {
                    let deeds = [&[from, Part::Count(counter(list.name))][..], &last].concat();
                    match &list.ports {
                        Ports::All => rules.push(deeds),
                        Ports::Only(ranges) => rules.extend(
                            ranges.iter().map(|range| [&[Part::To(*range)][..], &deeds].concat()),
                        ),
                    }
                }
            }
        }
        // All packets of who is let in have the mark: another firewall may not know what is under way.
        rules.append(&mut opens);
        rules.push(vec![asks(Test::Going), Part::Accept]);
        rules.extend(self.mark.map(|bits| vec![asks(Test::Marked(bits)), Part::Accept]));
        rules.append(&mut closes);
        let base = Base { hook: Hook::Prerouting, nat: false, priority: PRIORITY };
        plan.chains.push(Chain { name: "lists".to_owned(), base: Some(base), rules });
        plan
    }
}

/// The set of a list's single addresses.
#[must_use]
pub fn set(name: Name, family: Family) -> String {
    format!("list_{name}_{}", family.as_str())
}

/// The set of a list's networks.
#[must_use]
pub fn nets(name: Name, family: Family) -> String {
    format!("nets_{name}_{}", family.as_str())
}

/// What counts the packets that a list stopped.
#[must_use]
pub fn counter(name: Name) -> String {
    format!("listed_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(ranges: &[(u8, u8)]) -> List {
        let addr = |n: u8| IpAddr::V4(Ipv4Addr::new(0, 0, 0, n));
        ranges.iter().map(|(a, b)| (addr(*a), addr(*b))).collect()
    }

    #[test]
    fn ends_of_networks() {
        let text = |network: &str| {
            let (first, last) = ends(network.parse().unwrap());
            format!("{first} {last}")
        };
        assert_eq!(text("192.0.2.7"), "192.0.2.7 192.0.2.7");
        assert_eq!(text("192.0.2.0/24"), "192.0.2.0 192.0.2.255");
        assert_eq!(text("0.0.0.0/0"), "0.0.0.0 255.255.255.255");
        assert_eq!(text("2001:db8::/127"), "2001:db8:: 2001:db8::1");
        assert_eq!(text("::/0").split(' ').next_back().unwrap().len(), 39);
    }

    #[test]
    fn what_is_in_the_sets_is_what_is_in_the_list() {
        let list: List = ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "::2", "2001:db8::/64"]
            .map(|text| ends(text.parse().unwrap()))
            .into_iter()
            .collect();
        let hosts: Vec<String> =
            Family::BOTH.iter().flat_map(|f| list.hosts(*f)).map(|addr| addr.to_string()).collect();
        assert_eq!(hosts, ["192.0.2.1", "192.0.2.2", "::2"]);
        let networks: Vec<IpAddr> =
            Family::BOTH.iter().flat_map(|f| list.networks(*f)).map(|(first, _)| first).collect();
        assert_eq!(networks, ["198.51.100.0", "2001:db8::"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert_eq!((list.len(), list.addresses()), (4, 258));
    }

    #[test]
    fn ranges_as_networks() {
        let range = networks("192.0.2.5".parse().unwrap(), "192.0.2.8".parse().unwrap());
        let text: Vec<String> = range.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["192.0.2.5", "192.0.2.6/31", "192.0.2.8"]);
        let all = networks("::".parse().unwrap(), Ipv6Addr::from_bits(u128::MAX).into());
        assert_eq!(all.len(), 2, "no shift takes 128 bits at once");
    }

    proptest! {
        #[test]
        fn networks_are_the_range(a: u32, b: u32, probe: u32) {
            let (first, last) = (a.min(b), a.max(b));
            let found = networks(IpAddr::V4(first.into()), IpAddr::V4(last.into()));
            let within = found.iter().filter(|one| one.contains(IpAddr::V4(probe.into()))).count();
            prop_assert_eq!(within, usize::from((first..=last).contains(&probe)));
        }

        #[test]
        fn lists_are_sets(
            ranges in prop::collection::vec((0_u8.., 0_u8..), 0..20),
            holes in prop::collection::vec((0_u8.., 0_u8..=8), 0..8),
        ) {
            let list = list(&ranges);
            let networks: Vec<Prefix> = holes
                .iter()
                .filter_map(|(n, host)| Prefix::new(Ipv4Addr::new(0, 0, 0, *n).into(), 32 - host))
                .collect();
            let rest = list.without(&networks);
            for n in 0..=255 {
                let addr = IpAddr::V4(Ipv4Addr::new(0, 0, 0, n));
                let is_in = ranges.iter().any(|(a, b)| (*a..=*b).contains(&n));
                prop_assert_eq!(list.contains(addr), is_in);
                let hole = networks.iter().any(|network| network.contains(addr));
                prop_assert_eq!(rest.contains(addr), is_in && !hole, "{}", n);
                let hosts = rest.hosts(Family::V4).filter(|host| *host == addr).count();
                let nets = rest.networks(Family::V4).filter(|(a, b)| (a..=b).contains(&&addr)).count();
                prop_assert_eq!(hosts + nets, usize::from(rest.contains(addr)));
            }
            for pair in rest.v4.windows(2) {
                prop_assert!(pair[0].1 < pair[1].0);
            }
            for pair in list.v4.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "they do not touch");
            }
        }
    }
}
