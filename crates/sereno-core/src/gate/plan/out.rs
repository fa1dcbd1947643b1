//! The chains that say what may leave this machine.
//!
//! `output` hangs at the hook for what this machine itself sends; what only passes through never comes there.
//! It is built as the other side is, of the same lines: what is under way first, then what networks need,
//! then the chain of the zone it goes to. What is not let out is refused, so that a program fails at once.
//!
//! Nothing here asks more of a packet than connection tracking and its headers say. What leaves without a
//! line is nothing that a program without rights can fill with what it likes and send where it likes.

use super::policy::{Draft, accept, asks, rule_counter};
use super::{Chain, Part, Plan, Rule, Test};
use crate::addr::Prefix;
use crate::gate::policy::{Policy, Side};
use crate::gate::{Family, PortRange, Proto, Reason, Verdict, older};
use std::net::{IpAddr, Ipv6Addr};

/// What the names of its counters and chains begin with.
pub(super) const PREFIX: &str = "out_";
/// What no line is about.
const REST: &str = "rest";
/// The chain that refuses.
const REFUSE: &str = "refuse";
/// The chain that decides.
const DECIDE: &str = "decide";

/// What a counter counts; its name is without the prefix.
pub(super) fn reason(policy: &Policy, counter: &str) -> Option<Reason> {
    if counter == REST {
        return Some(Reason::OutRest);
    }
    let line = policy.out().iter().enumerate().find(|(at, _)| rule_counter(*at) == counter);
    line.map(|(at, line)| Reason::Out(at + 1, line.text.clone()))
}

impl Draft<'_> {
    /// Writes what is about what this machine sends; gives the chain that decides. `None`: everything may
    /// leave. The sets of zones are those of the other side.
    pub(super) fn write_out(self, plan: &mut Plan) -> Option<String> {
        let lines = self.policy.out.as_deref()?;
        let draft = Draft { side: Side::Out, lines, ..self };
        draft.prepare(plan);
        plan.counters.push(draft.own(REST));
        let chain = |plain: &str, rules| Chain { name: draft.own(plain), base: None, rules };
        plan.chains.push(chain(REFUSE, refuse()));
        for zone in self.policy.names() {
            let rest = vec![Part::Count(draft.own(REST)), draft.refusing()];
            plan.chains.push(draft.zone(zone, vec![rest]));
        }
        plan.chains.push(chain(DECIDE, draft.leaving()));
        Some(draft.own(DECIDE))
    }

    /// What refuses a packet.
    pub(super) fn refusing(self) -> Part {
        Part::Goto(self.own(REFUSE))
    }

    fn leaving(self) -> Vec<Rule> {
        let mut rules = vec![accept(asks(Test::ToLoopback)), accept(asks(Test::Going))];
        rules.extend(older::returns());
        // What is reset before connection tracking, as by a ban, belongs to nothing; there is nothing in it.
        rules.push(accept(asks(Test::Breaks)));
        rules.extend(self.needs());
        rules.extend(leases());
        // Refused, it would break the connection that it is taken not to belong to.
        rules.push(vec![asks(Test::Invalid), Part::Stop(Verdict::Drop, Family::V4)]);
        rules.extend(self.sorting());
        rules
    }
}

/// TCP is reset, everything else is told that it is not allowed.
fn refuse() -> Vec<Rule> {
    let reset = Part::Stop(Verdict::Reset, Family::V4);
    let stop = |family| vec![asks(Test::Of(family)), Part::Stop(Verdict::Prohibited, family)];
    let rest = Family::BOTH.map(stop);
    [vec![Part::Protocol(Proto::Tcp), reset]].into_iter().chain(rest).collect()
}

/// Who asks for an address, or for more time with one: from the port that only the system may take, to the
/// other alone (RFC 2131, 4.1), and over IPv6 no further than the wire (RFC 8415, 7.1 and 7.2).
fn leases() -> [Rule; 2] {
    let ports = |from, to| {
        let port = |port| PortRange::new(Proto::Udp, port, port).into_iter();
        let from = port(from).map(|range| asks(Test::FromPorts(range)));
        from.chain(port(to).map(Part::To)).chain([Part::Accept])
    };
    let near = Prefix::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);
    [ports(68, 67).collect(), near.map(Part::From).into_iter().chain(ports(546, 547)).collect()]
}

#[cfg(test)]
mod tests {
    use crate::gate::policy::{Known, Policy, Rule, Services, Side, Zone};
    use crate::gate::samples::segment;
    use crate::gate::walk::{Seen, State, Toward, walk};
    use crate::gate::{Contents, Draft, Gate, Judgement, Reason, reasons};
    use jiff::tz::TimeZone;

    fn policy(lines: &[&str]) -> Policy {
        let zones = vec![Zone {
            name: "trusted".parse().unwrap(),
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            interfaces: vec!["wg0".to_owned()],
            open: true,
        }];
        let names = ["trusted", "world"].map(|name| name.parse().unwrap());
        let known = Known { services: &Services::default(), zones: &names, zone: &TimeZone::UTC };
        let out = lines.iter().map(|line| Rule::parse_for(Side::Out, line, known).unwrap());
        Policy { zones, out: Some(out.collect()), ..Policy::default() }
    }

    /// A datagram that this machine begins.
    fn datagram(to: &str, on: &str, ports: (u16, u16)) -> Seen {
        let source = if to.contains(':') { "fe80::1" } else { "192.0.2.1" };
        Seen {
            source: source.parse().unwrap(),
            destination: to.parse().unwrap(),
            on: on.to_owned(),
            protocol: 17,
            toward: Toward::Away,
            ..segment(ports, false, State::New)
        }
    }

    fn judged(gate: &Gate, seen: &Seen) -> Judgement {
        reasons(gate, &walk(gate, Contents::default(), seen))
    }

    #[test]
    fn what_leaves_is_told_by_its_line() {
        let lines = ["allow dns to trusted", "reject all to 10.1.0.0/16", "allow sip on wg0"];
        let draft = Draft { policy: Some(policy(&lines)), ..Draft::of(Vec::new()) };
        let gate = Gate::try_from(draft).unwrap();
        let line = |number: usize| Reason::Out(number, lines[number - 1].to_owned());
        for (to, on, port, passes, reason) in [
            ("10.1.0.1", "eth0", 53, true, line(1)),
            ("203.0.113.1", "wg0", 53, true, line(1)),
            ("10.1.0.1", "wg0", 5060, false, line(2)),
            ("203.0.113.1", "wg0", 5060, true, line(3)),
            // The zone is open to who comes from there.
            ("10.2.0.1", "eth0", 5060, false, Reason::OutRest),
            ("203.0.113.1", "eth0", 53, false, Reason::OutRest),
            ("203.0.113.1", "lo", 53, true, Reason::Needed),
        ] {
            let told = judged(&gate, &datagram(to, on, (40_000, port)));
            assert_eq!((told.passes, told.reasons), (passes, vec![reason]), "{to} {on} {port}");
        }
        let going = Seen { state: State::Established, ..datagram("203.0.113.1", "eth0", (1, 2)) };
        assert_eq!(judged(&gate, &going).reasons, [Reason::Needed]);
    }

    #[test]
    fn who_asks_for_an_address_is_no_hole() {
        let draft = Draft { policy: Some(policy(&[])), ..Draft::of(Vec::new()) };
        let gate = Gate::try_from(draft).unwrap();
        let leaves = |to, ports| judged(&gate, &datagram(to, "eth0", ports)).passes;
        assert!(leaves("192.0.2.254", (68, 67)) && leaves("ff02::1:2", (546, 547)));
        for ports in [(68, 53), (40_000, 67), (67, 68)] {
            assert!(!leaves("192.0.2.254", ports), "{ports:?}");
        }
        assert!(!leaves("ff02::1:2", (40_000, 547)) && !leaves("ff02::1:2", (546, 53)));
        let mut far = datagram("2001:db8::1", "eth0", (546, 547));
        far.source = "2001:db8:1::1".parse().unwrap();
        assert!(!judged(&gate, &far).passes);
    }

    #[test]
    fn on_trial_decides_what_is_on_trial() {
        let (strict, free) = (policy(&["allow dns"]), Policy::default());
        let leaves = |policy: &Policy, trying: &Policy| {
            let (policy, trying) = (Some(policy.clone()), Some(trying.clone()));
            let gate = Gate::try_from(Draft { policy, trying, ..Draft::of(Vec::new()) }).unwrap();
            judged(&gate, &datagram("203.0.113.1", "eth0", (40_000, 5060))).passes
        };
        assert!(!leaves(&free, &strict), "the model takes it that the trial goes on");
        assert!(leaves(&strict, &free) && leaves(&free, &free));
        let gate = Gate::try_from(Draft { policy: Some(free), ..Draft::of(Vec::new()) }).unwrap();
        let chains = gate.plans().into_iter().flat_map(|plan| plan.chains);
        assert!(chains.map(|chain| chain.name).all(|name| name != "output"));
    }
}
