//! The chains of the base policy.
//!
//! `input` hangs at the hook for what is for this machine, behind bans, doors and translation. What
//! is under way goes through first, being the most; what begins something goes to the chain of its
//! zone, which has the rules that can be about it, in their order. `out` has what is about the other way.

use super::{Base, Chain, Hook, Kind, Part, Plan, Rule, SOURCES, Shape, Test, out, portscan};
use crate::addr::Prefix;
use crate::gate::policy::{Deed, Policy, Rate, Rule as Line, Side, What, Who};
use crate::gate::{Family, Gate, Member, Name, PortRange, Proto, Reason, Switch, Verdict, older};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The priority `filter`.
const FILTER: i32 = 0;
/// Sources of one rule that are counted, for each family: 100 bytes each.
const COUNTED: u32 = 65_536;

/// What ICMP needs to be told, whoever it comes from: unreachable, time exceeded, parameter problem.
const NEEDED_V4: [u8; 3] = [3, 11, 12];
/// What IPv6 does not work without (RFC 4890, 4.4): errors, listener and router discovery, neighbour
/// discovery and its certificates. A redirect (137) is not among it.
const NEEDED_V6: [u8; 17] =
    [1, 2, 3, 4, 130, 131, 132, 133, 134, 135, 136, 143, 148, 149, 151, 152, 153];
/// Echo requests.
const PING: [(Family, u8); 2] = [(Family::V4, 8), (Family::V6, 128)];

/// The switch: families of packets that the policy on trial decides about.
pub(in crate::gate) const TRIAL: &str = "policy_trial";

/// One side of one of two policies: that in force, and one on trial.
#[derive(Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) policy: &'a Policy,
    pub(super) side: Side,
    /// The lines about that side.
    pub(super) lines: &'a [Line],
    /// What the names of its chains, sets and counters begin with.
    pub(super) prefix: &'static str,
    /// Where the kernel answers SYNs by itself.
    pub(super) proxied: &'a [PortRange],
    /// Whether what the world tries in vain is told.
    pub(super) tells: bool,
}

impl Gate {
    /// Who may reach what. A policy on trial decides as long as there is something in the set of
    /// [`Gate::policy_trial`], and that in force else.
    #[must_use]
    pub fn policy_plan(&self) -> Plan {
        let mut plan = Plan::default();
        let (mut come, mut leave): (Vec<Rule>, Vec<Rule>) = (Vec::new(), Vec::new());
        let (side, proxied) = (Side::In, self.proxied());
        if let Some(policy) = self.trying() {
            let lines = &policy.rules;
            let draft = Draft { policy, side, lines, prefix: "try_", proxied, tells: false };
            plan.sets.push(Shape::new(TRIAL, Kind::Family).ending());
            let tried = || Part::If(Test::FamilyIn(TRIAL.to_owned()));
            let chain = draft.write(&mut plan, self.doorway().mark);
            come.push(vec![tried(), Part::Goto(chain)]);
            let end = draft.write_out(&mut plan).map_or(Part::Accept, Part::Goto);
            leave.push(vec![tried(), end]);
        }
        if let Some(policy) = self.policy() {
            let (lines, tells) = (&policy.rules, self.tells_of_ports());
            let draft = Draft { policy, side, lines, prefix: "", proxied, tells };
            let chain = draft.write(&mut plan, self.doorway().mark);
            come.push(vec![Part::Goto(chain)]);
            leave.extend(draft.write_out(&mut plan).map(|chain| vec![Part::Goto(chain)]));
        }
        let mut hang = |name: &str, hook, rules: Vec<Rule>| {
            let base = Some(Base { hook, nat: false, priority: FILTER });
            plan.chains.push(Chain { name: name.to_owned(), base, rules });
        };
        if !come.is_empty() {
            hang("input", Hook::Input, come);
        }
        // Where everything may leave, nothing is asked.
        if leave.iter().flatten().any(|part| matches!(part, Part::Goto(_))) {
            hang("output", Hook::Output, leave);
        }
        plan
    }

    /// The set whose members let the policy on trial decide, and those members; `None` if none is on
    /// trial.
    #[must_use]
    pub fn policy_trial(&self) -> Option<Switch> {
        self.trying().map(|_| (TRIAL, Family::BOTH.map(Member::Family)))
    }
}

/// What counters are called: of a rule, of what no rule of a zone is about, of what is invalid.
pub(in crate::gate) fn rule_counter(rule: usize) -> String {
    format!("rule_{}", rule + 1)
}

pub(in crate::gate) fn rest_counter(zone: Name) -> String {
    format!("rest_{zone}")
}

pub(in crate::gate) const INVALID: &str = "invalid";

/// The chains that decide, and that sort by zones where that is asked for twice.
const DECIDE: &str = "decide";
const SORT: &str = "sort";

/// What a counter of a policy counts.
#[must_use]
pub fn policy_reason(policy: &Policy, counter: &str) -> Option<Reason> {
    if counter == INVALID {
        return Some(Reason::Invalid);
    }
    if let Some(counter) = counter.strip_prefix(out::PREFIX) {
        return out::reason(policy, counter);
    }
    let line = policy.rules.iter().enumerate().find(|(at, _)| rule_counter(*at) == counter);
    let line = line.map(|(at, line)| Reason::Rule(at + 1, line.text.clone()));
    let mut zones = policy.names();
    line.or_else(|| zones.find(|zone| rest_counter(*zone) == counter).map(Reason::Rest))
}

const DROP: Part = Part::Stop(Verdict::Drop, Family::V4);

pub(super) fn asks(test: Test) -> Part {
    Part::If(test)
}

/// A test, and letting in, or out, who passes it.
pub(super) fn accept(test: Part) -> Rule {
    vec![test, Part::Accept]
}

impl Draft<'_> {
    /// Writes everything of the policy; gives the chain that decides.
    fn write(self, plan: &mut Plan, mark: Option<u32>) -> String {
        plan.counters.push(self.name(INVALID));
        for family in Family::BOTH {
            let set = self.needed(family);
            let types = needed(family).iter().map(|kind| Member::Icmp(family, *kind)).collect();
            plan.sets.push(Shape::new(set, Kind::Icmp(family)).with(types));
        }
        self.zones(plan);
        self.prepare(plan);
        for zone in self.policy.names() {
            plan.counters.push(self.name(&rest_counter(zone)));
            plan.chains.push(self.chain(zone));
        }
        plan.chains.extend(self.deciding(mark));
        self.name(DECIDE)
    }

    /// What the rules of the lines count, and the sets they ask.
    pub(super) fn prepare(self, plan: &mut Plan) {
        for (at, line) in self.lines.iter().enumerate() {
            plan.counters.push(self.own(&rule_counter(at)));
            self.sets(at, line, plan);
        }
    }

    /// The name of what both sides ask.
    fn name(self, plain: &str) -> String {
        format!("{}{plain}", self.prefix)
    }

    /// The name of what this side alone has.
    pub(super) fn own(self, plain: &str) -> String {
        let side = if self.side == Side::Out { out::PREFIX } else { "" };
        format!("{}{side}{plain}", self.prefix)
    }

    fn zone_chain(self, zone: Name) -> String {
        self.own(&format!("zone_{zone}"))
    }

    fn zone_set(self, zone: Name, family: Family) -> String {
        format!("{}zone_{zone}_{}", self.prefix, family.as_str())
    }

    fn needed(self, family: Family) -> String {
        format!("{}icmp_{}", self.prefix, family.as_str())
    }

    /// The set of what a rule says of addresses, or counts of them.
    fn rule_set(self, what: &str, rule: usize, family: Family) -> String {
        self.own(&format!("{what}_{}_{}", rule + 1, family.as_str()))
    }

    /// The set of the networks that a rule names.
    fn who_set(self, rule: usize, family: Family) -> String {
        let what = if self.side == Side::In { "from" } else { "to" };
        self.rule_set(what, rule, family)
    }

    fn zones(self, plan: &mut Plan) {
        for family in Family::BOTH {
            let spans = self.policy.spans(family);
            for zone in &self.policy.zones {
                let of = spans.iter().filter(|(.., name)| *name == zone.name);
                let ranges: Vec<Member> = of.map(|(a, b, _)| Member::Range(*a, *b)).collect();
                if !ranges.is_empty() {
                    let set = self.zone_set(zone.name, family);
                    plan.sets.push(Shape::new(set, Kind::Range(family)).with(ranges));
                }
            }
        }
    }

    /// The chain that decides: at once about what needs no rule, and by the zone's about the rest.
    fn deciding(self, mark: Option<u32>) -> Vec<Chain> {
        let mut rules = vec![accept(Part::Loopback)];
        if !self.policy.cut {
            rules.push(accept(asks(Test::Going)));
            rules.extend(older::rules());
        }
        // Whom a door let in, and the rest by its zone.
        let let_in = mark.map(|bits| accept(asks(Test::Marked(bits))));
        let sort = Part::Goto(self.name(SORT));
        // What is there of a connection when its SYN was answered in place of the program. Connection
        // tracking may be told (`nf_conntrack_tcp_loose`) to make nothing of that.
        let unheard = |range: &PortRange| {
            vec![Part::To(*range), asks(Test::Acks), asks(Test::Invalid), sort.clone()]
        };
        rules.extend(self.proxied.iter().map(unheard));
        rules.push(vec![asks(Test::Invalid), Part::Count(self.name(INVALID)), DROP]);
        let needs = self.needs().into_iter().chain(leases());
        let decide = |rules| Chain { name: self.name(DECIDE), base: None, rules };
        if self.proxied.is_empty() {
            rules.extend(let_in);
            rules.extend(needs);
            rules.extend(self.sorting());
            return vec![decide(rules)];
        }
        rules.extend(needs);
        rules.push(vec![sort]);
        let sorting = let_in.into_iter().chain(self.sorting()).collect();
        vec![Chain { name: self.name(SORT), base: None, rules: sorting }, decide(rules)]
    }

    /// What ICMP needs to be told.
    pub(super) fn needs(self) -> [Rule; 2] {
        Family::BOTH.map(|family| accept(asks(Test::IcmpIn(family, self.needed(family)))))
    }

    /// That its other end is in a set of ranges.
    fn ranged(self, family: Family, set: String) -> Part {
        asks(match self.side {
            Side::In => Test::FromRange(family, set),
            Side::Out => Test::ToRange(family, set),
        })
    }

    /// That it comes from, or leaves by, this interface.
    fn on(self, name: &str) -> Part {
        asks(match self.side {
            Side::In => Test::On(name.to_owned()),
            Side::Out => Test::Leaves(name.to_owned()),
        })
    }

    /// Sends each packet to the chain of the zone of its other end. Only where it comes from can be made up.
    pub(super) fn sorting(self) -> Vec<Rule> {
        let believes = self.policy.asymmetric || self.side == Side::Out;
        let mut rules = Vec::new();
        for family in Family::BOTH {
            let spans = self.policy.spans(family);
            for zone in &self.policy.zones {
                if spans.iter().any(|(.., name)| *name == zone.name) {
                    let from = self.ranged(family, self.zone_set(zone.name, family));
                    let back = (!believes).then_some(asks(Test::WayBack));
                    let goto = Part::Goto(self.zone_chain(zone.name));
                    rules.push([from].into_iter().chain(back).chain([goto]).collect());
                }
            }
        }
        for zone in &self.policy.zones {
            let goto = Part::Goto(self.zone_chain(zone.name));
            let on = |on: &String| vec![self.on(on), goto.clone()];
            rules.extend(zone.interfaces.iter().map(on));
        }
        let world = self.policy.names().last().unwrap_or(Name::SERENO);
        rules.push(vec![Part::Goto(self.zone_chain(world))]);
        rules
    }

    /// The rules that can be about packets from a zone, or to it, with what is at their end.
    pub(super) fn zone(self, zone: Name, end: Vec<Rule>) -> Chain {
        let mut rules = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            self.expand(at, line, zone, &mut rules);
        }
        rules.extend(end);
        Chain { name: self.zone_chain(zone), base: None, rules }
    }

    /// The rules that can be about packets from a zone.
    fn chain(self, zone: Name) -> Chain {
        let mut rules = Vec::new();
        if self.policy.ping {
            rules.extend(PING.map(|(family, kind)| accept(asks(Test::Icmp(family, kind)))));
        }
        let tells = self.tells && self.policy.names().last() == Some(zone);
        let last = match self.policy.is_open(zone) {
            true => Part::Accept,
            false if tells => Part::Goto(portscan::CHAIN.to_owned()),
            false => DROP,
        };
        rules.push(vec![Part::Count(self.name(&rest_counter(zone))), last]);
        self.zone(zone, rules)
    }

    /// A line as rules of the kernel: one for each combination of what it names.
    fn expand(self, at: usize, line: &Line, zone: Name, rules: &mut Vec<Rule>) {
        let before = line.until.map(|until| asks(Test::Before(until)));
        for from in self.whom(at, line, zone) {
            for what in line.what.iter().flat_map(|what| about(*what)) {
                for on in alternatives(&line.on, |on| self.on(on)) {
                    for to in alternatives(&line.to, |to| asks(Test::ToAddr(*to))) {
                        let all = [&before, &from, &what, &on, &to];
                        let tests: Rule = all.into_iter().flatten().cloned().collect();
                        self.decide(at, line, &tests, rules);
                    }
                }
            }
        }
    }

    fn decide(self, at: usize, line: &Line, tests: &[Part], rules: &mut Vec<Rule>) {
        let count = Part::Count(self.own(&rule_counter(at)));
        let mut rule = |tests: &[Part], deeds: &[Part]| {
            let parts = [tests, deeds].concat();
            // What is of both families is nothing.
            let mut families = parts.iter().filter_map(family);
            let first = families.next();
            if families.all(|family| Some(family) == first) {
                rules.push(parts);
            }
        };
        if line.rate.is_some() || line.limit.is_some() {
            // A SYN that the kernel answers itself says nothing of who sent it: who gives its answer back is
            // counted.
            for tests in self.proxied.iter().filter_map(|range| narrowed(tests, *range)) {
                rule(&tests, &[Part::Syn, count.clone(), Part::Accept]);
            }
        }
        for source in SOURCES {
            if let Some(rate) = line.rate {
                let set = self.rule_set("rate", at, source.family);
                rule(tests, &[asks(Test::Over(source, set, rate)), count.clone(), DROP]);
            }
            if let Some(limit) = line.limit {
                let set = self.rule_set("limit", at, source.family);
                rule(tests, &[asks(Test::Crowded(source, set, limit)), count.clone(), DROP]);
            }
        }
        match line.deed {
            Deed::Allow => rule(tests, &[count, Part::Accept]),
            Deed::Drop => rule(tests, &[count, DROP]),
            Deed::Reject if self.side == Side::Out => rule(tests, &[count, self.refusing()]),
            Deed::Reject => {
                let reset = Part::Stop(Verdict::Reset, Family::V4);
                rule(tests, &[Part::Protocol(Proto::Tcp), count.clone(), reset]);
                for family in Family::BOTH {
                    let stop = Part::Stop(Verdict::Unreachable, family);
                    rule(tests, &[asks(Test::Of(family)), count.clone(), stop]);
                }
            }
        }
    }

    /// Whom a line is about.
    fn who(self, line: &Line) -> &Who {
        match self.side {
            Side::In => &line.from,
            Side::Out => &line.toward,
        }
    }

    /// Tests of whom a line is about, among those of a zone; none if it is about none of them.
    fn whom(self, at: usize, line: &Line, zone: Name) -> Vec<Option<Part>> {
        let Who::Those { zones, networks } = self.who(line) else { return vec![None] };
        if zones.contains(&zone) {
            return vec![None];
        }
        let has = |family| networks.iter().any(|prefix| Family::of(*prefix) == family);
        let families = Family::BOTH.into_iter().filter(|family| has(*family));
        let set = |family| self.who_set(at, family);
        families.map(|family| Some(self.ranged(family, set(family)))).collect()
    }

    /// The sets that the rules of a line ask.
    fn sets(self, at: usize, line: &Line, plan: &mut Plan) {
        for family in Family::BOTH {
            if let Who::Those { networks, .. } = self.who(line) {
                let ranges = crate::gate::policy::ranges(networks, family).into_iter();
                let ranges: Vec<Member> = ranges.map(|(a, b)| Member::Range(a, b)).collect();
                if !ranges.is_empty() {
                    let set = self.who_set(at, family);
                    plan.sets.push(Shape::new(set, Kind::Range(family)).with(ranges));
                }
            }
            let counts = |what| Shape::new(self.rule_set(what, at, family), Kind::Addr(family));
            plan.sets.extend(line.rate.map(|_| counts("rate").ending().growing(COUNTED)));
            plan.sets.extend(line.limit.map(|_| counts("limit").growing(COUNTED)));
        }
    }
}

/// Tests that hold for those only that go to these ports besides; `None` if there are none such.
fn narrowed(tests: &[Part], ports: PortRange) -> Option<Rule> {
    let (mut common, mut rest) = (Some(ports), Rule::new());
    for part in tests {
        match part {
            Part::To(range) => common = range.common(ports),
            Part::If(Test::Number(number)) if *number == ports.proto().number() => (),
            Part::If(Test::Number(_) | Test::Icmp(..)) => return None,
            other => rest.push(other.clone()),
        }
    }
    common.map(|range| [rest, vec![Part::To(range)]].concat())
}

/// The family a test is about, if it is about one.
fn family(part: &Part) -> Option<Family> {
    let Part::If(test) = part else { return None };
    match test {
        Test::Of(family)
        | Test::FromRange(family, _)
        | Test::ToRange(family, _)
        | Test::Icmp(family, _)
        | Test::IcmpIn(family, _)
        | Test::Stream(family, _)
        | Test::StreamBack(family, _) => Some(*family),
        Test::ToAddr(prefix) => Some(Family::of(*prefix)),
        Test::Over(source, ..) | Test::Crowded(source, ..) => Some(source.family),
        Test::FamilyIn(_)
        | Test::On(_)
        | Test::Leaves(_)
        | Test::WayBack
        | Test::Number(_)
        | Test::Marked(_)
        | Test::Before(_)
        | Test::FromPorts(_)
        | Test::ToLoopback
        | Test::Foreign
        | Test::New
        | Test::Begun
        | Test::SipAnswer
        | Test::MiniFrame
        | Test::Rush(_)
        | Test::MidStream
        | Test::Acks
        | Test::Breaks
        | Test::Heard
        | Test::Pushed
        | Test::Going
        | Test::Invalid => None,
    }
}

fn needed(family: Family) -> &'static [u8] {
    match family {
        Family::V4 => &NEEDED_V4,
        Family::V6 => &NEEDED_V6,
    }
}

/// Answers of those who lend addresses are to nothing that connection tracking saw: the question went
/// to everybody (RFC 2131, 4.1; RFC 8415, 7.2).
fn leases() -> [Rule; 2] {
    let port = |port| PortRange::new(Proto::Udp, port, port).into_iter();
    let to = |number| port(number).map(Part::To);
    let near = Prefix::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);
    let four = port(67).map(|range| asks(Test::FromPorts(range))).chain(to(68));
    let six = near.map(Part::From).into_iter().chain(to(546));
    [four.chain([Part::Accept]).collect(), six.chain([Part::Accept]).collect()]
}

/// Tests of what a line is about.
fn about(what: What) -> Vec<Option<Part>> {
    match what {
        What::All => vec![None],
        What::Ports(range) => vec![Some(Part::To(range))],
        What::Protocol(number) => vec![Some(asks(Test::Number(number)))],
        What::Ping => PING.map(|(family, kind)| Some(asks(Test::Icmp(family, kind)))).into(),
    }
}

/// One test for each of a list; no test if the list is empty.
fn alternatives<T>(list: &[T], test: impl Fn(&T) -> Part) -> Vec<Option<Part>> {
    if list.is_empty() { vec![None] } else { list.iter().map(|one| Some(test(one))).collect() }
}

/// How long the count of a source is kept: until it may begin as much as at first.
#[must_use]
pub fn memory(rate: &Rate) -> Duration {
    let refill = rate.per.saturating_mul(rate.burst) / rate.count.max(1);
    refill.max(rate.per).max(Duration::from_secs(1))
}
