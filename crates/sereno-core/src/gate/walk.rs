//! What happens to a packet at a gate, and by which rule: the plan, walked as the kernel does.

use super::plan::{Base, Chain, Hook, Part, Plan, Rule, Source, Test, Translate};
use super::{Contents, Family, Gate, Left, Member, Proto, Stream, Verdict};
use crate::addr::Prefix;
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What connection tracking says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It begins something.
    New,
    /// It belongs to something that is under way.
    Established,
    /// It is related to that.
    Related,
    /// It belongs to nothing, and begins nothing.
    Invalid,
    /// It is not tracked.
    Untracked,
}

/// Where a packet is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// To this machine alone.
    Here,
    /// To many, this machine among them.
    Many,
    /// On to another machine.
    Elsewhere,
    /// Away from this machine, which sends it.
    Away,
}

/// A packet, as far as a gate looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The interface it came in by, or leaves by.
    pub on: String,
    /// Where it says it comes from.
    pub source: IpAddr,
    /// Where it is going.
    pub destination: IpAddr,
    /// Its protocol's number (IANA protocol-numbers).
    pub protocol: u8,
    /// Its ports, from and to; none where its protocol has none.
    pub ports: (u16, u16),
    /// Its type, if it is of ICMP or ICMPv6.
    pub icmp: u8,
    /// Whether it is a SYN without an ACK.
    pub syn: bool,
    /// What connection tracking says.
    pub state: State,
    /// Whether it answers what this machine began.
    pub reply: bool,
    /// Where it is going.
    pub toward: Toward,
    /// Whether an answer would leave by the interface it came from.
    pub back: bool,
    /// Its mark.
    pub mark: u32,
    /// When it comes.
    pub at: Time,
}

/// A rule that was about the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The chain it stands in.
    pub chain: String,
    /// Its place there.
    pub rule: usize,
    /// The counter that counts it, if it has one.
    pub counter: Option<String>,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// How it was stopped; `None`: it was not.
    pub stopped: Option<Verdict>,
    /// The rules that were about it, in their order. The last one decided, if it was stopped.
    pub steps: Vec<Step>,
}

/// How a chain ended.
enum End {
    /// With its last rule.
    Over,
    Accepted,
    Stopped(Verdict),
}

/// A gate and what is in it, for packets to be walked through.
#[derive(Clone, Debug)]
pub struct Model {
    plans: Vec<Plan>,
    sets: BTreeMap<String, Vec<Member>>,
}

impl Model {
    /// The gate with what is in its sets then.
    #[must_use]
    pub fn new(gate: &Gate, contents: Contents<'_>, now: Time) -> Self {
        let plans = gate.plans().to_vec();
        let filled = super::contents::fill(gate, contents, now).into_iter();
        let members = |list: Vec<(Member, Left)>| list.into_iter().map(|(member, _)| member);
        let mut sets: BTreeMap<String, Vec<Member>> =
            filled.map(|(set, list)| (set, members(list).collect())).collect();
        for shape in plans.iter().flat_map(|plan| &plan.sets) {
            sets.entry(shape.name.clone()).or_default().extend(shape.fixed.iter().cloned());
        }
        for (set, members) in [gate.trial(), gate.policy_trial()].into_iter().flatten() {
            sets.entry(set.to_owned()).or_default().extend(members);
        }
        Self { plans, sets }
    }

    /// Walks a packet through it. How often something may come is not walked: a packet that a rate
    /// or a limit may stop is taken as the first.
    #[must_use]
    pub fn walk(&self, seen: &Seen) -> Walk {
        let chains = || self.plans.iter().flat_map(|plan| &plan.chains);
        let mut bases: Vec<(Base, &Chain)> = chains()
            .filter_map(|chain| Some((chain.base.filter(|base| !base.nat)?, chain)))
            .collect();
        bases.sort_by_key(|(base, _)| (base.hook as u8, base.priority));
        let chains = chains().map(|chain| (chain.name.as_str(), chain)).collect();
        let mut walker = Walker { chains, sets: &self.sets, seen: seen.clone(), steps: Vec::new() };
        for (base, chain) in bases {
            let passes_here = match base.hook {
                Hook::Prerouting => seen.toward != Toward::Away,
                Hook::Input => matches!(seen.toward, Toward::Here | Toward::Many),
                Hook::Output => seen.toward == Toward::Away,
                Hook::Postrouting => false,
            };
            if !passes_here {
                continue;
            }
            if let End::Stopped(verdict) = walker.chain(chain) {
                return Walk { stopped: Some(verdict), steps: walker.steps };
            }
        }
        Walk { stopped: None, steps: walker.steps }
    }
}

/// Walks one packet through a gate with these contents, as [`Model::walk`] does.
#[must_use]
pub fn walk(gate: &Gate, contents: Contents<'_>, seen: &Seen) -> Walk {
    Model::new(gate, contents, seen.at).walk(seen)
}

struct Walker<'a> {
    chains: BTreeMap<&'a str, &'a Chain>,
    sets: &'a BTreeMap<String, Vec<Member>>,
    seen: Seen,
    steps: Vec<Step>,
}

impl Walker<'_> {
    fn chain(&mut self, chain: &Chain) -> End {
        for (at, rule) in chain.rules.iter().enumerate() {
            match self.rule(chain, at, rule) {
                End::Over => (),
                end => return end,
            }
        }
        End::Over
    }

    fn rule(&mut self, chain: &Chain, at: usize, rule: &Rule) -> End {
        let mut noted = false;
        for part in rule {
            match self.test(part) {
                Some(true) => continue,
                Some(false) => return End::Over,
                None => (),
            }
            if !noted {
                noted = true;
                let counter = rule.iter().find_map(|part| match part {
                    Part::Count(counter) => Some(counter.clone()),
                    _ => None,
                });
                self.steps.push(Step { chain: chain.name.clone(), rule: at, counter });
            }
            match part {
                Part::Accept => return End::Accepted,
                Part::Stop(verdict, _) => return End::Stopped(*verdict),
                // Numbers that were given out are not walked: what comes without a SYN gives back none.
                Part::SynProxy(..) if self.seen.syn => return End::Accepted,
                Part::SynProxy(..) => return End::Stopped(Verdict::Drop),
                Part::Mark(bits) => self.seen.mark |= bits,
                Part::Unmark(bits) => self.seen.mark &= !bits,
                Part::Jump(name) => match self.called(name) {
                    End::Over => (),
                    end => return end,
                },
                // Nothing comes behind that, in a chain that is jumped to as in a base chain: all of
                // ours end there.
                Part::Goto(name) => {
                    return match self.called(name) {
                        End::Over => End::Accepted,
                        end => end,
                    };
                }
                _ => (),
            }
        }
        End::Over
    }

    fn called(&mut self, name: &str) -> End {
        let chain = self.chains.get(name).copied();
        chain.map_or(End::Over, |chain| self.chain(chain))
    }

    fn has(&self, set: &str, member: &Member) -> bool {
        self.sets.get(set).is_some_and(|list| list.iter().any(|known| known.is_same_key(member)))
    }

    fn is_in(&self, set: &str, addr: IpAddr) -> bool {
        let around = |member: &Member| matches!(member, Member::Range(first, last) if (*first..=*last).contains(&addr));
        self.sets.get(set).is_some_and(|list| list.iter().any(around))
    }

    fn is_of(&self, family: Family) -> bool {
        Family::of(Prefix::host(self.seen.source)) == family
    }

    fn masked(&self, from: &Source) -> Option<Member> {
        let prefix = Prefix::new(self.seen.source, from.bits)?;
        self.is_of(from.family).then_some(Member::Addr(prefix.addr()))
    }

    /// Whether a test holds; `None` for a deed.
    fn test(&self, part: &Part) -> Option<bool> {
        let seen = &self.seen;
        Some(match part {
            Part::If(test) => self.asked(test),
            Part::Loopback => seen.on == "lo",
            Part::NotOn(set) => !self.has(set, &Member::Interface(seen.on.clone())),
            Part::Elsewhere => seen.toward != Toward::Here,
            Part::Here => seen.toward == Toward::Here,
            Part::Passing => seen.toward == Toward::Elsewhere,
            Part::Neighbour => seen.protocol == 58 && (135..=136).contains(&seen.icmp),
            Part::Protocol(proto) => self.is(*proto),
            Part::ProtocolIn(set) => {
                self.proto().is_some_and(|proto| self.has(set, &Member::Proto(proto)))
            }
            Part::To(range) => {
                let inside = (range.first()..=range.last()).contains(&seen.ports.1);
                self.is(range.proto()) && (range.is_whole() || inside)
            }
            Part::ToAnyOf(proto, set) => {
                self.is(*proto) && self.has(set, &Member::Port(seen.ports.1))
            }
            Part::From(prefix) => prefix.contains(seen.source),
            Part::FromAnyOf(from, set) => {
                self.masked(from).is_some_and(|member| self.has(set, &member))
            }
            Part::Single(family, set) => self.is_of(*family) && self.leads(set),
            Part::Translate(part) => return self.translated(part),
            Part::Syn => self.is(Proto::Tcp) && seen.syn,
            Part::Fresh => matches!(seen.state, State::New | State::Untracked),
            Part::Known => seen.state == State::Established,
            Part::Answer => seen.reply,
            // That decides about nothing.
            Part::RememberTo(..) => false,
            Part::Remember(from, ..) => self.is_of(from.family),
            Part::RememberSingle(family, ..) => self.is_of(*family),
            Part::Count(_)
            | Part::Mark(_)
            | Part::Unmark(_)
            | Part::Log { .. }
            | Part::Accept
            | Part::Jump(_)
            | Part::Goto(_)
            | Part::Undate
            | Part::SynProxy(..)
            | Part::Stop(..) => return None,
        })
    }

    /// What was translated before is not walked, and tests of it do not hold.
    fn translated(&self, part: &Translate) -> Option<bool> {
        match part {
            Translate::Leads(set) => Some(self.leads(set)),
            Translate::BegunBy(set) => Some(self.has(set, &Member::Addr(self.seen.source))),
            Translate::Returns(_) | Translate::Flows(_) | Translate::Translated => Some(false),
            Translate::Dnat(_) | Translate::DnatTo(_) | Translate::Snat(_) => None,
        }
    }

    fn asked(&self, test: &Test) -> bool {
        let seen = &self.seen;
        match test {
            Test::Of(family) => self.is_of(*family),
            Test::FamilyIn(set) => {
                let family = Family::of(Prefix::host(seen.source));
                self.has(set, &Member::Family(family))
            }
            Test::On(name) => seen.on == *name && seen.toward != Toward::Away,
            Test::Leaves(name) => self.leaves(name),
            Test::WayBack => seen.back,
            Test::ToAddr(prefix) => prefix.contains(seen.destination),
            Test::Number(number) => seen.protocol == *number,
            Test::Icmp(family, kind) => self.is_icmp(*family) && seen.icmp == *kind,
            Test::IcmpIn(family, set) => {
                self.is_icmp(*family) && self.has(set, &Member::Icmp(*family, seen.icmp))
            }
            Test::Marked(bits) => seen.mark & bits == *bits,
            Test::Before(time) => seen.at.secs() < time.secs(),
            Test::ToLoopback => self.leaves("lo"),
            // Nor is what the kernel sends for others.
            Test::Foreign => false,
            Test::Begun => !seen.reply,
            // What is in a packet is not walked.
            Test::SipAnswer | Test::MiniFrame | Test::Pushed => false,
            Test::New => seen.state == State::New,
            Test::MidStream | Test::Acks => self.is(Proto::Tcp) && !seen.syn,
            // What breaks off is not walked.
            Test::Breaks => false,
            // If nobody does, nobody answers, whatever the gate says.
            Test::Heard => true,
            Test::Stream(family, set) => {
                let (port, to) = seen.ports;
                let stream = Stream { from: seen.source, port, to };
                self.is_of(*family) && self.is(Proto::Tcp) && self.has(set, &Member::Stream(stream))
            }
            Test::StreamBack(family, set) => {
                let (to, port) = seen.ports;
                let stream = Stream { from: seen.destination, port, to };
                self.is_of(*family) && self.is(Proto::Tcp) && self.has(set, &Member::Stream(stream))
            }
            Test::FromPorts(range) => {
                self.is(range.proto()) && (range.first()..=range.last()).contains(&seen.ports.0)
            }
            Test::FromRange(family, set) => self.is_of(*family) && self.is_in(set, seen.source),
            Test::ToRange(family, set) => self.is_of(*family) && self.is_in(set, seen.destination),
            Test::Going => matches!(seen.state, State::Established | State::Related),
            Test::Invalid => seen.state == State::Invalid,
            // Those before it are not walked.
            Test::Over(..) | Test::Crowded(..) | Test::Rush(_) => false,
        }
    }

    fn leaves(&self, name: &str) -> bool {
        self.seen.toward == Toward::Away && self.seen.on == name
    }

    fn proto(&self) -> Option<Proto> {
        Proto::of(self.seen.protocol)
    }

    fn is(&self, proto: Proto) -> bool {
        self.proto() == Some(proto)
    }

    /// Whether source, protocol and port together are in a set.
    fn leads(&self, set: &str) -> bool {
        let (source, port) = (self.seen.source, self.seen.ports.1);
        let member = self.proto().map(|proto| Member::Single(source, proto, port));
        member.is_some_and(|member| self.has(set, &member))
    }

    fn is_icmp(&self, family: Family) -> bool {
        let number = if family == Family::V4 { 1 } else { 58 };
        self.is_of(family) && self.seen.protocol == number
    }
}
