//! The chains that tell of closed ports that strangers try, and those that stop who tried many.
//!
//! `portscan` stands at the end of the world's zone, in place of the drop: what comes to it is dropped in
//! any case, and first told, if it begins something, answers nothing, and is no knock. Each source and port is
//! told once; a source that made an exchange of data over TCP, or that this machine itself turned to, is not.
//! Nobody forges either: the one takes an answer that arrived, the other is sent by this machine.
//!
//! `scanners` stops who is banned for it: what begins something only, for his address may be forged, and who
//! has it may be at work here, or be somebody this machine asks.

use super::doors::{DATAGRAMS, KNOCKED, hits, log};
use super::{Base, Chain, Hook, Kind, Part, Plan, Rule, SOURCES, Shape, Test, jumps};
use crate::gate::policy::Rate;
use crate::gate::{Family, Gate, PortScan, Proto, Scope, Verdict};
use std::time::Duration;

/// Just behind the doors, which mark whom they let in.
const STOPS: i32 = -148;
/// Before the policy, which lets pass what is under way.
const EXCHANGES: i32 = -1;
/// Behind connection tracking, which knows what begins something.
const ASKS: i32 = -148;

/// What is told at most. Together with how long it is remembered it is below what the set has room for:
/// made-up sources cannot fill it.
const TOLD: Rate = Rate { count: 200, per: Duration::from_secs(1), burst: 250 };
/// Sources with their ports that were told, for each family; 100 bytes each.
const REMEMBERED: u32 = 65_536;
/// Sources that made an exchange, and others that this machine turned to, for each family.
const MET: u32 = 65_536;
/// For how long that counts, from the last time on.
const LATELY: Duration = Duration::from_secs(3600);

const DROP: Part = Part::Stop(Verdict::Drop, Family::V4);

/// Where what is dropped for good goes first.
pub(super) const CHAIN: &str = "portscan";
const TELL: &str = "portscan_tell";
const BY_EXCHANGE: &str = "scan_met";
const BY_ASKING: &str = "scan_asked";

/// Tests of what begins a connection of TCP, or an exchange of UDP.
fn begins() -> [Vec<Part>; 2] {
    [vec![Part::Syn], vec![Part::Protocol(Proto::Udp), Part::If(Test::New)]]
}

fn of(what: &str, family: Family) -> String {
    format!("{what}_{}", family.as_str())
}

fn told(family: Family) -> String {
    of("scan_told", family)
}

impl Gate {
    /// What tells of closed ports, and stops who tried many.
    #[must_use]
    pub fn portscan_plan(&self) -> Plan {
        let Some(scan) = self.portscan() else { return Plan::default() };
        let mut plan = Plan::default();
        let stopped: Vec<&Scope> = self.scopes().iter().filter(|scope| scope.begins).collect();
        if !stopped.is_empty() {
            let base = Base::prerouting(STOPS);
            let rules = self.stops(&stopped);
            plan.chains.push(Chain { name: "scanners".to_owned(), base, rules });
        }
        if !self.tells_of_ports() {
            return plan;
        }
        for source in SOURCES {
            let family = source.family;
            plan.sets
                .push(Shape::new(told(family), Kind::Single(family)).ending().growing(REMEMBERED));
            for set in [BY_EXCHANGE, BY_ASKING] {
                let shape = Shape::new(of(set, family), Kind::Addr(family));
                plan.sets.push(shape.ending().growing(MET));
            }
        }
        let mut chain = |name: &str, at: Option<(Hook, i32)>, rules| {
            let base = at.map(|(hook, priority)| Base { hook, nat: false, priority });
            plan.chains.push(Chain { name: name.to_owned(), base, rules });
        };
        chain(TELL, None, self.tells(scan));
        chain(CHAIN, None, begun());
        chain("exchanges", Some((Hook::Input, EXCHANGES)), exchanges());
        chain("asks", Some((Hook::Output, ASKS)), asks());
        plan
    }

    /// Whom a door let in may go there, whatever is told of his address.
    fn stops(&self, scopes: &[&Scope]) -> Vec<Rule> {
        let mut rules = vec![vec![Part::Loopback, Part::Accept]];
        rules.extend(
            self.doorway().mark.map(|bits| vec![Part::If(Test::Marked(bits)), Part::Accept]),
        );
        for begins in begins() {
            for jump in scopes.iter().flat_map(|scope| jumps(scope)) {
                rules.push(begins.iter().cloned().chain(jump).collect());
            }
        }
        rules
    }

    /// What is told of what begins something. What costs least is asked first.
    fn tells(&self, scan: &PortScan) -> Vec<Rule> {
        // What everybody hears is meant for nobody here.
        let mut quiet = vec![Part::Elsewhere];
        quiet.extend(scan.quiet.iter().copied().map(Part::To));
        if let Some(ears) = &self.doorway().ears {
            quiet.extend(KNOCKED.map(|proto| Part::ToAnyOf(proto, hits(proto))));
            let signed = Part::ToAnyOf(Proto::Udp, DATAGRAMS.to_owned());
            quiet.extend((!ears.datagrams.is_empty()).then_some(signed));
        }
        quiet.extend(self.guests());
        for source in SOURCES {
            let sets = [BY_EXCHANGE, BY_ASKING].map(|set| of(set, source.family));
            quiet.extend(sets.map(|set| Part::FromAnyOf(source, set)));
        }
        quiet.extend(Family::BOTH.map(|family| Part::Single(family, told(family))));
        quiet.push(Part::If(Test::Rush(TOLD)));
        let mut rules: Vec<Rule> = quiet.into_iter().map(|test| vec![test, DROP]).collect();
        rules.extend(Family::BOTH.map(|family| {
            let remember = Part::RememberSingle(family, told(family), scan.memory);
            vec![remember, log("c", scan.group), DROP]
        }));
        rules.push(vec![DROP]);
        rules
    }
}

/// What begins something may be told; the rest is an answer to somebody, or nothing.
fn begun() -> Vec<Rule> {
    let tell = |tests: Vec<Part>| tests.into_iter().chain([Part::Goto(TELL.to_owned())]).collect();
    let mut rules: Vec<Rule> = begins().map(tell).to_vec();
    rules.push(vec![DROP]);
    rules
}

/// Who sends data on a connection that he began has had our answer: what the kernel takes for a part of it
/// has the right numbers.
fn exchanges() -> Vec<Rule> {
    let mut rules = vec![vec![Part::Loopback, Part::Accept]];
    rules.extend(SOURCES.map(|source| {
        let tests = [Part::If(Test::Pushed), Part::Known, Part::If(Test::Begun)];
        let remember = Part::Remember(source, of(BY_EXCHANGE, source.family), LATELY);
        tests.into_iter().chain([remember]).collect()
    }));
    rules
}

/// Whom this machine turns to may answer late, or turn back. An answer of SIP is no such thing, even
/// where it goes to a port that whoever forged the request named.
fn asks() -> Vec<Rule> {
    let answer = vec![Part::Protocol(Proto::Udp), Part::If(Test::SipAnswer), Part::Accept];
    let mut rules = vec![vec![Part::If(Test::ToLoopback), Part::Accept], answer];
    for tests in begins() {
        rules.extend(SOURCES.map(|source| {
            let remember = Part::RememberTo(source, of(BY_ASKING, source.family), LATELY);
            tests.iter().cloned().chain([remember]).collect()
        }));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::portscan::LONGEST;
    use crate::gate::{Draft, policy::Policy};

    #[test]
    fn nobody_can_fill_the_set_of_what_was_told() {
        assert!(TOLD.per == Duration::from_secs(1));
        assert!(
            u64::from(TOLD.burst) + u64::from(TOLD.count) * LONGEST.as_secs() < REMEMBERED.into()
        );
    }

    #[test]
    fn where_no_policy_holds_nothing_is_told_but_bans_hold() {
        let scope = Scope { begins: true, ..Scope::new("portscan", "tcp/22, udp/5060").unwrap() };
        let portscan = Some(PortScan::new(7, Vec::new(), LONGEST * 9));
        let draft = Draft { portscan, ..Draft::of(vec![scope]) };
        let gate = Gate::try_from(draft.clone()).unwrap();
        let plan = gate.portscan_plan();
        assert_eq!((plan.sets.len(), plan.chains.len()), (0, 1));
        // Two ranges, and two ways to begin something.
        assert_eq!(plan.chains[0].rules.len(), 1 + 2 * 2);
        let bans = gate.ban_plan();
        let jumps =
            |chain: &Chain| chain.rules.iter().flatten().any(|part| matches!(part, Part::Jump(_)));
        assert!(!bans.chains.iter().any(jumps), "they stop only what begins");
        let gate = Gate::try_from(Draft { policy: Some(Policy::default()), ..draft }).unwrap();
        assert_eq!(gate.portscan_plan().sets.len(), 6);
        assert!(gate.without_portscan().portscan_plan().chains.is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let of = |scan: PortScan| {
            Gate::try_from(Draft { portscan: Some(scan), ..Draft::of(Vec::new()) })
        };
        let fine = PortScan::new(7, Vec::new(), Duration::ZERO);
        assert_eq!(fine.memory, Duration::from_secs(1));
        let long = PortScan { memory: LONGEST * 2, ..fine.clone() };
        assert!(of(long).unwrap_err().contains("300 seconds"));
        let port = "udp/5060".parse().unwrap();
        let many = PortScan { quiet: vec![port; 33], ..fine.clone() };
        assert!(of(many).unwrap_err().contains("32 ranges"));
        assert!(of(fine).is_ok());
    }
}
