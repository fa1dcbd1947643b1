//! The chains for translation.
//!
//! Where a packet goes is decided at its connection's first packet, and connection tracking keeps
//! to it. `doors` has let it pass before that, and marked it for other firewalls. Ours come before
//! the translations of others, as who asked for them comes before everybody.

use super::{Base, Chain, Hook, Kind, Part, Plan, Rule, Shape, Source};
use crate::gate::nat::{FLOWS, PORTS, TARGETS, forward_set};
use crate::gate::{Family, Forward, Gate, Nat, Snat, Verdict};
use std::net::Ipv4Addr;

/// Just before the usual priorities, dstnat (-100) and srcnat (100).
const IN: i32 = -105;
const OUT: i32 = 95;
/// The priority `mangle`.
const END: i32 = -150;

/// A test or deed of translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translate {
    /// It belongs to what an address of the set began.
    BegunBy(String),
    /// It belongs to what an address began, which together with protocol and port is in the set.
    Leads(String),
    /// It answers what one address of a pair in the set sent to a port of the other.
    Returns(String),
    /// It is from one address of a pair in the set to a port of the other.
    Flows(String),
    /// It belongs to what was sent on to another destination.
    Translated,
    /// Sends it where the map says.
    Dnat(String),
    /// Sends it to this address.
    DnatTo(Ipv4Addr),
    /// Sends it on under another address.
    Snat(Snat),
}

const HOST: Source = Source { family: Family::V4, bits: 32 };

/// The sets of those who are let through, which the chain `doors` asks.
pub(super) fn guests(nat: &Nat) -> Vec<Shape> {
    let single = Kind::Single(Family::V4);
    let mut sets = vec![Shape::new(PORTS, single).ending()];
    sets.extend(nat.elsewhere.then(|| Shape::new(FLOWS, Kind::Flow).ending()));
    sets.extend(forwards(nat).map(|(set, _)| Shape::new(set, Kind::Addr(Family::V4)).ending()));
    sets
}

/// Lets those through, before anything that closes. What belongs to nothing that is tracked is not
/// translated either, and would end at the port itself.
pub(super) fn passes(nat: &Nat, let_in: &[Part]) -> Vec<Rule> {
    let rule = |tests: &[Part]| [tests, let_in].concat();
    let mut rules = vec![rule(&[Part::Here, Part::Translate(Translate::Leads(PORTS.to_owned()))])];
    if nat.elsewhere {
        // Another firewall may have no rule for answers.
        rules.push(rule(&[
            Part::Answer,
            Part::Translate(Translate::Translated),
            Part::Translate(Translate::Returns(FLOWS.to_owned())),
        ]));
    }
    for (set, forward) in forwards(nat) {
        let begun = Part::Translate(Translate::BegunBy(set));
        rules.push(rule(&[Part::Passing, begun.clone()]));
        if forward.snat.is_some() {
            // Answers to it are to this machine as yet.
            rules.push(rule(&[Part::Answer, begun.clone()]));
        }
        if forward.to.is_some() {
            rules.push(rule(&[Part::Here, begun]));
        }
    }
    rules
}

impl Gate {
    /// What translates. Kernels before 5.2 cannot.
    #[must_use]
    pub fn nat_plan(&self) -> Plan {
        let Some(nat) = &self.doorway().nat else { return Plan::default() };
        let snats = nat.snats.iter().map(|snat| Shape::new(snat.set(), Kind::Flow).ending());
        Plan {
            counters: Vec::new(),
            sets: [Shape::new(TARGETS, Kind::Dnat).ending()].into_iter().chain(snats).collect(),
            chains: [Some(into(nat)), out_of(nat), end(nat)].into_iter().flatten().collect(),
        }
    }
}

fn into(nat: &Nat) -> Chain {
    let mut rules = vec![vec![Part::Here, Part::Translate(Translate::Dnat(TARGETS.to_owned()))]];
    for (set, forward) in forwards(nat) {
        let from = Part::FromAnyOf(HOST, set);
        rules.extend(
            forward.to.map(|to| vec![Part::Here, from, Part::Translate(Translate::DnatTo(to))]),
        );
    }
    let base = Base { hook: Hook::Prerouting, nat: true, priority: IN };
    Chain { name: "nat_in".to_owned(), base: Some(base), rules }
}

fn out_of(nat: &Nat) -> Option<Chain> {
    let flows = |snat: &Snat| {
        vec![Part::Translate(Translate::Flows(snat.set())), Part::Translate(Translate::Snat(*snat))]
    };
    let mut rules: Vec<Rule> = nat.snats.iter().map(flows).collect();
    for (set, forward) in forwards(nat) {
        let from = Part::FromAnyOf(HOST, set);
        rules.extend(forward.snat.map(|snat| vec![from, Part::Translate(Translate::Snat(snat))]));
    }
    let base = Base { hook: Hook::Postrouting, nat: true, priority: OUT };
    (!rules.is_empty()).then(|| Chain { name: "nat_out".to_owned(), base: Some(base), rules })
}

/// What is to go on to another machine does not end at this one, which the target may be when
/// addresses change, or as one of everybody in a network.
fn end(nat: &Nat) -> Option<Chain> {
    let stop = Part::Stop(Verdict::Drop, Family::V4);
    let rules = vec![vec![Part::Translate(Translate::Flows(FLOWS.to_owned())), stop]];
    let base = Base { hook: Hook::Input, nat: false, priority: END };
    nat.elsewhere.then(|| Chain { name: "nat_end".to_owned(), base: Some(base), rules })
}

fn forwards(nat: &Nat) -> impl Iterator<Item = (String, Forward)> {
    nat.forwards.iter().enumerate().map(|(at, forward)| (forward_set(at), *forward))
}
