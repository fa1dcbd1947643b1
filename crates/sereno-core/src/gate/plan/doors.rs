//! The chains for doors.
//!
//! `knocks` hangs just behind connection tracking, which knows what begins something, and behind
//! the bans. `doors` hangs before destination NAT, so that ports published for containers are
//! doors too.

use super::{Base, Chain, Hook, Kind, Part, Plan, Rule, SOURCES, Shape, Source, Test, nat};
use crate::gate::doorway::single;
use crate::gate::{Ears, Family, Gate, Member, Opening, Proto, Verdict, older};
use std::time::Duration;

/// Just behind connection tracking.
const KNOCKS: i32 = -199;
/// Just behind the priority `mangle`, where others put back marks that they keep with connections:
/// that would take ours off.
const DOORS: i32 = -149;

/// Enough of a packet for its headers.
const HEADERS: Option<u32> = Some(128);

/// How long what a source begins is heard after it hit a knock port.
const FOLLOWED: Duration = Duration::from_secs(60);

/// What the two protocols of knocks are called in the set of hits.
pub(in crate::gate) const KNOCKED: [Proto; 2] = [Proto::Tcp, Proto::Udp];

/// The switch: protocols of which everything that begins something is heard.
pub(in crate::gate) const ALL: &str = "knock_all";
/// Protocols of which the ports are closed that are so on trial.
pub(in crate::gate) const TRIAL: &str = "door_trial";
const BEGINS: &str = "begins";
pub(super) const DATAGRAMS: &str = "knock_datagrams";
const INTERFACES: &str = "knock_on";

impl Gate {
    /// What opens to those who were let in, and what hears those who knock.
    #[must_use]
    pub fn door_plan(&self) -> Plan {
        let doorway = self.doorway();
        let mut plan = Plan::default();
        if let Some(ears) = &doorway.ears {
            hear(&mut plan, ears);
        }
        if !doorway.openings.is_empty() || doorway.single || doorway.nat.is_some() {
            self.open(&mut plan);
        }
        plan
    }

    fn open(&self, plan: &mut Plan) {
        let doorway = self.doorway();
        for opening in &doorway.openings {
            if opening.closed {
                plan.counters.push(opening.counter());
            }
            for family in Family::BOTH {
                plan.sets.push(Shape::new(opening.set(family), Kind::Addr(family)).ending());
            }
            plan.chains.push(passes(opening, doorway.mark));
        }
        if !doorway.trial.is_empty() {
            plan.sets.push(Shape::new(TRIAL, Kind::Proto).ending());
        }
        if doorway.single {
            for family in Family::BOTH {
                plan.sets.push(Shape::new(single(family), Kind::Single(family)).ending());
            }
        }
        if let Some(nat) = &doorway.nat {
            plan.sets.extend(nat::guests(nat));
        }
        plan.chains.push(self.doors());
        plan.chains.extend(self.forgotten());
    }

    /// Who makes connection tracking forget his connection through a door that cuts, while the server
    /// still sends on it, would be taken for answering what this machine began.
    fn forgotten(&self) -> Option<Chain> {
        let doorway = self.doorway();
        let mut rules = vec![vec![Part::If(Test::ToLoopback), Part::Accept]];
        for opening in doorway.openings.iter().filter(|opening| opening.closed && opening.cut) {
            let trial = doorway.trial.contains(&opening.name);
            let trial = trial.then(|| Part::ProtocolIn(TRIAL.to_owned()));
            let ranges = opening.ranges().into_iter().flatten();
            for range in ranges.filter(|range| range.proto() == Proto::Tcp) {
                let tests = [Test::FromPorts(range), Test::New, Test::MidStream].map(Part::If);
                let stop = Part::Stop(Verdict::Drop, Family::V4);
                rules.push(tests.into_iter().chain(trial.clone()).chain([stop]).collect());
            }
        }
        let base = Base { hook: Hook::Output, nat: false, priority: DOORS };
        (rules.len() > 1).then(|| Chain { name: "cut".to_owned(), base: Some(base), rules })
    }

    /// All that lets through comes before anything that closes: openings may overlap.
    fn doors(&self) -> Chain {
        let doorway = self.doorway();
        let mut rules = vec![vec![Part::Loopback, Part::Accept]];
        // What comes out of a tunnel has the mark of the packet it was in, and was let in nowhere.
        let unmark = doorway.mark.map(|bits| vec![Part::Unmark(bits)]);
        let passing = [vec![Part::Passing, Part::Accept]];
        match &doorway.nat {
            // The mark of what only passes is of no importance to us, and may be somebody else's.
            None => rules.extend(passing.into_iter().chain(unmark)),
            Some(nat) => {
                rules.extend(unmark);
                rules.extend(nat::passes(nat, &let_in(doorway.mark).collect::<Vec<_>>()));
                rules.extend(passing);
            }
        }
        let mut passes: Vec<Rule> = Vec::new();
        for opening in &doorway.openings {
            passes.extend(at(opening, &[Part::Jump(opening.chain())]));
        }
        if doorway.single {
            passes.extend(Family::BOTH.map(|family| {
                let test = Part::Single(family, single(family));
                [test].into_iter().chain(let_in(doorway.mark)).collect()
            }));
        }
        let closed = |cut| {
            let those = doorway.openings.iter().filter(move |o| o.closed && o.cut == cut);
            those.flat_map(|opening| {
                // The family is of no importance to a drop.
                let stop = Part::Stop(Verdict::Drop, Family::V4);
                let trial = doorway.trial.contains(&opening.name);
                let trial = trial.then(|| Part::ProtocolIn(TRIAL.to_owned()));
                let deeds = trial.into_iter().chain([Part::Count(opening.counter()), stop]);
                at(opening, &deeds.collect::<Vec<_>>())
            })
        };
        let (cut, shut): (Vec<Rule>, Vec<Rule>) = (closed(true).collect(), closed(false).collect());
        let known = vec![Part::Known, Part::Accept];
        // What is under way passes first, being the most; but not where a connection ends with
        // its opening, and not where all packets of who was let in need a mark.
        if cut.is_empty() && doorway.mark.is_none() {
            rules.push(known);
            rules.extend(passes);
        } else {
            rules.extend(passes);
            if !cut.is_empty() {
                rules.push(vec![Part::Answer, Part::Accept]);
            }
            rules.extend(cut);
            if !shut.is_empty() {
                rules.push(known);
            }
        }
        if !shut.is_empty() {
            rules.extend(older::rules());
        }
        rules.extend(shut);
        Chain { name: "doors".to_owned(), base: Base::prerouting(DOORS), rules }
    }
}

/// A rule for each range of an opening's ports.
fn at(opening: &Opening, deeds: &[Part]) -> Vec<Rule> {
    let ranges = opening.ranges().into_iter();
    ranges
        .map(|range| range.map(Part::To).into_iter().chain(deeds.iter().cloned()).collect())
        .collect()
}

fn let_in(mark: Option<u32>) -> impl Iterator<Item = Part> {
    mark.map(Part::Mark).into_iter().chain([Part::Accept])
}

fn passes(opening: &Opening, mark: Option<u32>) -> Chain {
    let sets = Family::BOTH.map(|f| Part::FromAnyOf(Source::host(f), opening.set(f)));
    let free = opening.free.iter().copied().map(Part::From);
    let rules = sets.into_iter().chain(free);
    let rules = rules.map(|test| [test].into_iter().chain(let_in(mark)).collect()).collect();
    Chain { name: opening.chain(), base: None, rules }
}

/// The set of the ports that are knocked at with this protocol.
pub(in crate::gate) fn hits(proto: Proto) -> String {
    format!("knock_{}", proto.as_str())
}

fn hear(plan: &mut Plan, ears: &Ears) {
    plan.sets.extend(KNOCKED.map(|proto| Shape::new(hits(proto), Kind::Port)));
    if !ears.datagrams.is_empty() {
        let ports = ears.datagrams.iter().copied().map(Member::Port).collect();
        plan.sets.push(Shape::new(DATAGRAMS, Kind::Port).with(ports));
    }
    if !ears.interfaces.is_empty() {
        let names = ears.interfaces.iter().cloned().map(Member::Interface).collect();
        plan.sets.push(Shape::new(INTERFACES, Kind::Interface).with(names));
    }
    if !ears.strict {
        let always = if ears.all { KNOCKED.map(Member::Proto).to_vec() } else { Vec::new() };
        plan.sets.push(Shape::new(ALL, Kind::Proto).ending().with(always));
        for source in SOURCES {
            let shape = Shape::new(followed(source), Kind::Addr(source.family));
            plan.sets.push(shape.ending().growing(ears.followed));
        }
        plan.chains.push(begins(ears.group));
    }
    plan.chains.push(knocks(ears));
}

fn followed(source: Source) -> String {
    format!("knocking_{}", source.family.as_str())
}

pub(super) fn log(prefix: &'static str, group: u16) -> Part {
    Part::Log { prefix, group, bytes: HEADERS }
}

fn knocks(ears: &Ears) -> Chain {
    let group = ears.group;
    let hit = |proto| Part::ToAnyOf(proto, hits(proto));
    let mut rules = vec![vec![Part::Loopback, Part::Accept]];
    if !ears.interfaces.is_empty() {
        rules.push(vec![Part::NotOn(INTERFACES.to_owned()), Part::Accept]);
    }
    if !ears.elsewhere {
        rules.push(vec![Part::Elsewhere, Part::Accept]);
    }
    if !ears.datagrams.is_empty() {
        let whole = Part::Log { prefix: "s", group, bytes: None };
        rules.push(vec![Part::ToAnyOf(Proto::Udp, DATAGRAMS.to_owned()), whole]);
    }
    if ears.strict {
        rules.extend(KNOCKED.map(|proto| vec![hit(proto), log("h", group)]));
    } else {
        let begins = Part::Goto(BEGINS.to_owned());
        rules.push(vec![Part::Known, Part::Accept]);
        rules.push(vec![Part::Syn, begins.clone()]);
        rules.push(vec![Part::Protocol(Proto::Udp), Part::Fresh, begins]);
        rules.push(vec![hit(Proto::Tcp), log("h", group)]);
    }
    Chain { name: "knocks".to_owned(), base: Base::prerouting(KNOCKS), rules }
}

/// What begins something: all of it where the switch is on, else hits, and what those begin who
/// made one.
fn begins(group: u16) -> Chain {
    let told = |prefix| [log(prefix, group), Part::Accept];
    let rule = |tests: Vec<Part>, prefix| tests.into_iter().chain(told(prefix)).collect::<Rule>();
    let mut rules = vec![rule(vec![Part::ProtocolIn(ALL.to_owned())], "n")];
    for proto in KNOCKED {
        let hit = Part::ToAnyOf(proto, hits(proto));
        for source in SOURCES {
            let remember = Part::Remember(source, followed(source), FOLLOWED);
            rules.push(rule(vec![hit.clone(), remember], "n"));
        }
        // Of whatever family it was, there was no room.
        rules.push(rule(vec![hit], "f"));
    }
    for source in SOURCES {
        rules.push(rule(vec![Part::FromAnyOf(source, followed(source))], "n"));
    }
    Chain { name: BEGINS.to_owned(), base: None, rules }
}
