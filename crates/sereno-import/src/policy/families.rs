//! The rules of both families as one list.

use super::lines::Made;
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::{Deed, Rule, What, Who};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Rules that are compared with each other at most; beyond, those of one family stand behind the
/// other's.
const MOST: usize = 2000;

/// The rules of the families, or of the one there is: that holds for both.
pub(super) fn merge(v4: Option<Vec<Made>>, v6: Option<Vec<Made>>) -> Vec<Made> {
    let (mut v4, mut v6) = match (v4, v6) {
        (Some(v4), Some(v6)) => (v4, v6),
        (one, other) => return one.or(other).unwrap_or_default().into_iter().map(both).collect(),
    };
    // No line is for the world of one family: what only one of them refuses, both drop.
    let refuses =
        |made: &[Made]| made.last().is_some_and(|made| made.last && made.rule.deed == Deed::Reject);
    if refuses(&v4) != refuses(&v6) {
        for family in [&mut v4, &mut v6] {
            family.pop_if(|made| made.last && made.rule.deed == Deed::Reject);
        }
    }
    let common = common(&v4, &v6);
    let mut merged = Vec::new();
    let mut v4 = v4.into_iter().enumerate().peekable();
    let mut v6 = v6.into_iter().enumerate().peekable();
    for (a, b) in common {
        while let Some((_, made)) = v4.next_if(|(at, _)| *at < a) {
            merged.push(of(made, IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        }
        while let Some((_, made)) = v6.next_if(|(at, _)| *at < b) {
            merged.push(of(made, IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        }
        v6.next();
        merged.extend(v4.next().map(|(_, made)| made));
    }
    merged.extend(v4.map(|(_, made)| of(made, IpAddr::V4(Ipv4Addr::UNSPECIFIED))));
    merged.extend(v6.map(|(_, made)| of(made, IpAddr::V6(Ipv6Addr::UNSPECIFIED))));
    merged
}

/// A rule of one family that is to hold for both: where it shuts out all but some, those of the other
/// family are none of them.
fn both(mut made: Made) -> Made {
    let shuts = made.rule.deed != Deed::Allow && made.all_but;
    if let Who::Those { networks, .. } = &mut made.rule.from
        && shuts
        && let Some(first) = networks.first()
    {
        let all = match first.addr() {
            IpAddr::V4(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        networks.extend(Prefix::new(all, 0));
    }
    made
}

/// The rule for one family only.
fn of(mut made: Made, all: IpAddr) -> Made {
    let icmp = matches!(made.rule.what[..], [What::Protocol(1 | 58)]);
    if made.rule.from == Who::Anybody && made.rule.to.is_empty() && !icmp {
        let networks = Prefix::new(all, 0).into_iter().collect();
        made.rule.from = Who::Those { zones: Vec::new(), networks };
    }
    made
}

/// Whether two rules say the same of their families.
fn same(a: &Rule, b: &Rule) -> bool {
    let icmp = |rule: &Rule| matches!(rule.what[..], [What::Protocol(1 | 58)]);
    let plain = |rule: &Rule| Rule { text: String::new(), ..rule.clone() };
    !icmp(a) && plain(a) == plain(b)
}

/// The longest sequence of rules that both have, by their numbers.
fn common(a: &[Made], b: &[Made]) -> Vec<(usize, usize)> {
    if a.len() > MOST || b.len() > MOST {
        return Vec::new();
    }
    let width = b.len() + 1;
    let mut longest = vec![0_u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if same(&a[i].rule, &b[j].rule) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if same(&a[i].rule, &b[j].rule) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}
