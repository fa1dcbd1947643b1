//! The chains that measure what comes to the ports of telephones.
//!
//! `flood` hangs behind bans, doors and lists, so that what those stop is not counted here, and before
//! destination NAT, so that ports published for containers are measured too. Connection tracking has seen the
//! packet by then; it writes down nothing of what is dropped here.

use super::{Base, Chain, Hook, Kind, Part, Plan, Rule, SOURCES, Shape, Test};
use crate::addr::Prefix;
use crate::gate::doorway::single;
use crate::gate::flood::known;
use crate::gate::policy::{Rate, ranges};
use crate::gate::{Excess, Family, Flood, Gate, Member, Proto, Reason, Verdict};
use std::time::Duration;

/// Just behind the lists.
const FLOOD: i32 = -119;
/// Behind connection tracking, which knows what begins something.
const CALLS: i32 = -149;

/// Sources that are counted, for each family and measure: 100 bytes each.
const COUNTED: u32 = 65_536;
/// Others whom this machine called, for each family.
const CALLED: u32 = 16_384;
/// How long they are known for that.
const REMEMBERED: Duration = Duration::from_secs(3600);

const BY_NAME: &str = "flood_named";
const BY_CALL: &str = "flood_called";
const WHO: &str = "flood_who";
const WHOSE: &str = "flood_whose";
const OF_KNOWN: &str = "flood_of_known";
const OF_CALLED: &str = "flood_of_called";
const OF_STRANGERS: &str = "flood_of_strangers";
const OF_STREAMS: &str = "flood_of_streams";
/// Segments of a connection for each packet that a stranger may send: it has to be begun, acknowledged and
/// ended, and a certificate takes several.
const SEGMENTS: u32 = 5;

const DROP: Part = Part::Stop(Verdict::Drop, Family::V4);

/// What the counters of floods count.
#[must_use]
pub fn flood_reason(counter: &str) -> Option<Reason> {
    Excess::ALL.into_iter().find(|excess| excess.counter() == counter).map(Reason::Flood)
}

fn of(what: &str, family: Family) -> String {
    format!("{what}_{}", family.as_str())
}

fn asks(test: Test) -> Part {
    Part::If(test)
}

impl Gate {
    /// What measures how much comes.
    #[must_use]
    pub fn flood_plan(&self) -> Plan {
        let Some(flood) = self.flood() else { return Plan::default() };
        let mut plan = Plan {
            counters: Excess::ALL.map(|excess| excess.counter().to_owned()).to_vec(),
            ..Plan::default()
        };
        let networks = self.named(flood);
        for source in SOURCES {
            let family = source.family;
            let set = |name: String| Shape::new(name, Kind::Addr(family)).ending();
            plan.sets.push(set(known(family)).growing(COUNTED));
            plan.sets.push(set(of(BY_CALL, family)).growing(CALLED).lasting());
            for chain in [OF_KNOWN, OF_STRANGERS, OF_STREAMS] {
                plan.sets.push(set(of(chain, family)).growing(COUNTED));
            }
            let named = ranges(&networks, family).into_iter();
            let named = named.map(|(first, last)| Member::Range(first, last)).collect();
            plan.sets.push(Shape::new(of(BY_NAME, family), Kind::Range(family)).with(named));
        }
        let chain = |name: &str, rules| Chain { name: name.to_owned(), base: None, rules };
        plan.chains.push(chain(OF_KNOWN, of_known(flood)));
        plan.chains.push(chain(OF_STRANGERS, of_strangers(flood)));
        plan.chains.push(chain(OF_CALLED, of_called(flood)));
        plan.chains.push(chain(OF_STREAMS, of_streams(flood)));
        plan.chains.push(chain(WHO, self.who(OF_STRANGERS)));
        plan.chains.push(chain(WHOSE, self.who(OF_STREAMS)));
        let base = Base::prerouting(FLOOD);
        plan.chains.push(Chain { name: "flood".to_owned(), base, rules: come(flood) });
        let base = Base { hook: Hook::Output, nat: false, priority: CALLS };
        let rules = calls(flood);
        plan.chains.push(Chain { name: "calls".to_owned(), base: Some(base), rules });
        plan
    }

    /// Networks that an administrator named.
    fn named(&self, flood: &Flood) -> Vec<Prefix> {
        let policies = self.policy().into_iter().chain(self.trying());
        let zones = policies.flat_map(|policy| &policy.zones);
        let networks = zones.flat_map(|zone| &zone.networks);
        let networks = networks.chain(&flood.friends);
        networks.filter(|network| network.bits() > 0).copied().collect()
    }

    /// Tests of whom a door or a list let in.
    pub(super) fn guests(&self) -> Vec<Part> {
        let doorway = self.doorway();
        let mut tests: Vec<Part> =
            doorway.mark.map(|bits| asks(Test::Marked(bits))).into_iter().collect();
        for opening in &doorway.openings {
            let host = |family| super::Source::host(family);
            tests.extend(Family::BOTH.map(|f| Part::FromAnyOf(host(f), opening.set(f))));
        }
        if doorway.single {
            tests.extend(Family::BOTH.map(|f| Part::Single(f, single(f))));
        }
        tests
    }

    /// Sends each packet to the measure of its source; those of strangers to that one.
    fn who(&self, strangers: &str) -> Vec<Rule> {
        let goto = || Part::Goto(OF_KNOWN.to_owned());
        let policies = || self.policy().into_iter().chain(self.trying());
        // A network is many addresses: who forges one of another interface would have all their measures.
        let asymmetric = policies().any(|policy| policy.asymmetric);
        let back = (!asymmetric).then_some(asks(Test::WayBack));
        // What only passes through is for others to measure.
        let mut rules: Vec<Rule> = vec![vec![Part::Elsewhere, Part::Accept]];
        for source in SOURCES {
            let family = source.family;
            rules.push(vec![Part::FromAnyOf(source, known(family)), goto()]);
            let called = Part::Goto(OF_CALLED.to_owned());
            rules.push(vec![Part::FromAnyOf(source, of(BY_CALL, family)), called]);
            let named = asks(Test::FromRange(family, of(BY_NAME, family)));
            rules.push([named].into_iter().chain(back.clone()).chain([goto()]).collect());
        }
        let zones = policies().flat_map(|policy| &policy.zones);
        let mut interfaces: Vec<&String> = zones.flat_map(|zone| &zone.interfaces).collect();
        interfaces.sort_unstable();
        interfaces.dedup();
        let on = |name: &String| vec![asks(Test::On(name.clone())), goto()];
        rules.extend(interfaces.into_iter().map(on));
        rules.extend(self.guests().into_iter().map(|test| vec![test, goto()]));
        rules.push(vec![Part::Goto(strangers.to_owned())]);
        rules
    }
}

fn come(flood: &Flood) -> Vec<Rule> {
    let mut rules = vec![vec![Part::Loopback, Part::Accept]];
    for range in &flood.ports {
        let to = |chain: &str| Part::Goto(chain.to_owned());
        if range.proto() == Proto::Tcp {
            rules.push(vec![Part::To(*range), Part::Syn, to(WHO)]);
            rules.push(vec![Part::To(*range), to(WHOSE)]);
        } else {
            rules.push(vec![Part::To(*range), to(WHO)]);
        }
    }
    rules
}

fn of_known(flood: &Flood) -> Vec<Rule> {
    let voice = |range| vec![Part::To(range), asks(Test::MiniFrame), Part::Known, Part::Accept];
    let mut rules: Vec<Rule> = flood.voice.iter().copied().map(voice).collect();
    rules.extend(each(OF_KNOWN, flood.known, Excess::Known));
    rules.push(vec![Part::Accept]);
    rules
}

/// Whom the exchange turns to may be whom somebody with one password had it turn to: all of them together
/// have no more than one who is known, and behind that they are strangers.
fn of_called(flood: &Flood) -> Vec<Rule> {
    let mut rules = of_known(flood);
    rules.pop();
    rules.push(vec![asks(Test::Rush(flood.known)), Part::Goto(OF_STRANGERS.to_owned())]);
    rules.push(vec![Part::Accept]);
    rules
}

/// What comes in connections of strangers. Who sends it has shown that his address is his own; a flood
/// of SYNs does not touch it.
fn of_streams(flood: &Flood) -> Vec<Rule> {
    let many = |rate: Rate| Rate {
        count: rate.count.saturating_mul(SEGMENTS),
        burst: rate.burst.saturating_mul(SEGMENTS),
        ..rate
    };
    let mut rules: Vec<Rule> = each(OF_STREAMS, many(flood.stranger), Excess::Source).to_vec();
    let count = Part::Count(Excess::Strangers.counter().to_owned());
    rules.push(vec![asks(Test::Rush(many(flood.strangers))), count, DROP]);
    rules.push(vec![Part::Accept]);
    rules
}

/// One source first, so that it does not use up what is for all.
fn of_strangers(flood: &Flood) -> Vec<Rule> {
    let mut rules: Vec<Rule> = each(OF_STRANGERS, flood.stranger, Excess::Source).to_vec();
    for proto in [Proto::Tcp, Proto::Udp] {
        let over = asks(Test::Rush(flood.strangers));
        let count = Part::Count(Excess::Strangers.counter().to_owned());
        rules.push(vec![Part::Protocol(proto), over, count, DROP]);
    }
    rules.push(vec![Part::Accept]);
    rules
}

fn each(set: &str, rate: Rate, excess: Excess) -> [Rule; 2] {
    SOURCES.map(|source| {
        let over = asks(Test::Over(source, of(set, source.family), rate));
        vec![over, Part::Count(excess.counter().to_owned()), DROP]
    })
}

/// Writes down whom this machine calls. What only answers is no call, even where connection tracking takes
/// it for a beginning: who forges a request says in it to which port the answer goes.
fn calls(flood: &Flood) -> Vec<Rule> {
    let mut rules = vec![vec![asks(Test::ToLoopback), Part::Accept]];
    for range in flood.ports.iter().filter(|range| range.proto() == Proto::Udp) {
        // What is no answer of SIP is a request, whoever sent the first packet: a provider may call before we
        // do, and somebody may forge that. Of frames that is not known.
        let frames = flood.voice.iter().any(|voice| voice.meets(*range));
        let tests = [Test::FromPorts(*range)].into_iter().chain(frames.then_some(Test::Begun));
        let begun: Vec<Part> = tests.map(asks).collect();
        rules.push(begun.iter().cloned().chain([asks(Test::SipAnswer), Part::Accept]).collect());
        for source in SOURCES {
            let remember = Part::RememberTo(source, of(BY_CALL, source.family), REMEMBERED);
            rules.push(begun.iter().cloned().chain([remember]).collect());
        }
    }
    rules
}
