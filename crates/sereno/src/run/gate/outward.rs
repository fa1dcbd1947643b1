//! What this machine does with others that a policy would end.

use super::approach::Ground;
use super::lockout::LATELY;
use crate::discover::{self, Goal, GoalKind};
use crate::run::guard::Guard;
use crate::words;
use sereno_core::gate::policy::{Deed, Policy, Services, What};
use sereno_core::gate::walk::Model;
use sereno_core::gate::{Contents, Draft, Gate, PortRange, Proto};
use sereno_core::time::Time;
use sereno_wire::gate::Probe;
use std::net::IpAddr;
use std::path::Path;

/// What asks for the time (RFC 5905).
const NTP: u16 = 123;

/// Somebody to whom this machine turns.
struct Wanted {
    to: IpAddr,
    /// The ways to him that it may use: one that is left is enough.
    ways: Vec<Probe>,
    /// What he is, in words.
    who: String,
}

impl Guard {
    /// Those whom this machine reaches now and would not under this policy, in words: name servers, those
    /// at the other end of what it began, and phones and trunks that registered lately.
    pub(super) fn kept_in(&self, policy: &Policy, now: Time) -> Vec<String> {
        if policy.out.is_none() {
            return Vec::new();
        }
        let gate = |policy: Option<&Policy>| {
            let draft = Draft { policy: policy.cloned(), trying: None, ..self.draft.clone() };
            Some(Model::new(&Gate::try_from(draft).ok()?, Contents::default(), now))
        };
        let (Some(old), Some(new)) = (gate(self.warden.accepted()), gate(Some(policy))) else {
            return Vec::new();
        };
        let ground = Ground::look();
        let leaves =
            |gate: &Model, probe: &Probe| gate.walk(&ground.seen(probe, now)).stopped.is_none();
        let mut kept = Vec::new();
        for wanted in self.wanted(now) {
            let ways: Vec<&Probe> =
                wanted.ways.iter().filter(|probe| leaves(&old, probe)).collect();
            if ways.is_empty() || ways.iter().any(|probe| leaves(&new, probe)) {
                continue;
            }
            let ports = ways.iter().filter_map(|probe| Some((probe.proto?, probe.port)));
            let ports = ports.map(|(proto, port)| format!("{}/{port}", proto.as_str()));
            let ports = ports.collect::<Vec<_>>().join(", ");
            kept.push(words::gate_keeps_from(wanted.to, ports, wanted.who));
        }
        kept
    }

    fn wanted(&self, now: Time) -> Vec<Wanted> {
        let goals = discover::goals(Path::new("/")).into_iter();
        let mut all: Vec<Wanted> = goals.map(turned_to).collect();
        for (jail, _) in self.engine.jails() {
            let Some(jail) = self.engine.jail(jail.name) else { continue };
            if jail.policy().rule.as_str() != "asterisk" {
                continue;
            }
            // Who registered here is called from here.
            let phones = jail.greeted_since(now.minus(LATELY)).map(|to| Wanted {
                to,
                ways: Services::phones().into_iter().map(|range| probe(to, range)).collect(),
                who: words::gate_known_phone(),
            });
            all.extend(phones);
        }
        all
    }
}

/// What is not refused, and said: that nobody may ask for the time.
pub(super) fn doubts(policy: &Policy) -> Vec<String> {
    let asks = |what: &What| match what {
        What::All => true,
        What::Ports(range) => {
            range.proto() == Proto::Udp && (range.first()..=range.last()).contains(&NTP)
        }
        What::Protocol(_) | What::Ping => false,
    };
    let lets =
        policy.out().iter().any(|rule| rule.deed == Deed::Allow && rule.what.iter().any(asks));
    let silent = policy.out.is_some() && !lets && discover::asks_the_time(Path::new("/"));
    silent.then(words::gate_no_time).into_iter().collect()
}

fn turned_to(goal: Goal) -> Wanted {
    let who = match goal.kind {
        GoalKind::Resolver => words::gate_resolver(),
        GoalKind::Connection => words::gate_begun(),
    };
    let range = PortRange::new(goal.proto, goal.at.port(), goal.at.port());
    let ways = range.into_iter().map(|range| probe(goal.at.ip(), range)).collect();
    Wanted { to: goal.at.ip(), ways, who }
}

fn probe(to: IpAddr, range: PortRange) -> Probe {
    let (proto, port) = (Some(range.proto()), range.first());
    Probe { proto, from: to, port, to: None, on: None, out: true }
}
