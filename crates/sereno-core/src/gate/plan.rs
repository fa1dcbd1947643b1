//! The gate's sets, chains and rules as values. [`super::render`] writes them as text, the
//! netlink crate as messages; the layout itself is decided here and in `plan/doors.rs` only.

mod doors;
mod flood;
mod nat;
mod out;
mod policy;
mod portscan;
mod proxy;
mod test;

pub(super) use doors::{ALL, KNOCKED, TRIAL, hits};
pub use flood::flood_reason;
pub use nat::Translate;
pub use policy::memory;
pub use policy::policy_reason;
pub(super) use proxy::{ANSWERED, is_of_proxy};
pub use test::Test;

use super::{
    BASE_CHAIN, Family, Gate, Handshake, Member, PortRange, Ports, Proto, Scope, Set, Verdict,
};
use crate::addr::Prefix;
use std::time::Duration;

/// How many plans a gate has.
pub const PLANS: usize = 8;
/// The priority `raw`, before connection tracking.
const RAW: i32 = -300;

/// A chain. Its policy is to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What it is called.
    pub name: String,
    /// Where it hangs; `None`: it is only jumped to.
    pub base: Option<Base>,
    /// Its rules, in their order.
    pub rules: Vec<Rule>,
}

/// Where a chain hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// At which hook.
    pub hook: Hook,
    /// Whether it translates: packets that begin a connection alone go through it then.
    pub nat: bool,
    /// Its priority there: what is lower comes first.
    pub priority: i32,
}

/// A hook of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// All that comes in.
    Prerouting,
    /// What is for this machine.
    Input,
    /// What this machine itself sends.
    Output,
    /// All that goes out.
    Postrouting,
}

impl Base {
    fn prerouting(priority: i32) -> Option<Self> {
        Some(Self { hook: Hook::Prerouting, nat: false, priority })
    }
}

/// The tests and deeds of a rule, in their order: each is reached only if those before it held.
pub type Rule = Vec<Part>;

/// A test or a deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It comes from this machine itself.
    Loopback,
    /// What the base policy asks.
    If(Test),
    /// It comes from an interface that is not in the set.
    NotOn(String),
    /// It is to an address that is not this machine's.
    Elsewhere,
    /// It is to an address of this machine.
    Here,
    /// It is on its way to one other machine, through this one.
    Passing,
    /// It asks or says where a neighbour on the wire is (IPv6; RFC 4861).
    Neighbour,
    /// It is of this protocol.
    Protocol(Proto),
    /// It is of a protocol in the set.
    ProtocolIn(String),
    /// It is to these ports.
    To(PortRange),
    /// It is to a port in the set.
    ToAnyOf(Proto, String),
    /// Its source is in this network.
    From(Prefix),
    /// Its source, masked, is in the set.
    FromAnyOf(Source, String),
    /// Source, protocol and port together are in the set.
    Single(Family, String),
    /// A test or deed of translation.
    Translate(Translate),
    /// A SYN without an ACK.
    Syn,
    /// It belongs to nothing that connection tracking knows.
    Fresh,
    /// It belongs to what is under way; what is only related to that does not.
    Known,
    /// It answers what this machine began.
    Answer,
    /// Puts the masked source into the set for so long. The rule ends here if there is no room.
    Remember(Source, String, Duration),
    /// Puts source, protocol and port together into the set for so long. The rule ends here if there is
    /// no room.
    RememberSingle(Family, String, Duration),
    /// Puts the masked destination into the set for so long. The rule ends here if there is no room.
    RememberTo(Source, String, Duration),
    /// Counts it in the counter object of that name.
    Count(String),
    /// Sets these bits of its mark.
    Mark(u32),
    /// Clears them.
    Unmark(u32),
    /// Hands it to the group of the kernel's log.
    Log {
        /// What is told with it.
        prefix: &'static str,
        /// Which group.
        group: u16,
        /// How many bytes of it; `None`: all.
        bytes: Option<u32>,
    },
    /// Done with it in this base chain.
    Accept,
    /// Goes through another chain, and comes back.
    Jump(String),
    /// Goes through another chain, and does not come back.
    Goto(String),
    /// Takes the timestamp of TCP out of it.
    Undate,
    /// Answers it in place of the program, or begins the connection to that.
    SynProxy(Family, Handshake),
    /// Stops it.
    Stop(Verdict, Family),
}

/// A masked source address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Of this family only.
    pub family: Family,
    /// How many leading bits count.
    pub bits: u8,
}

impl Source {
    /// The whole address.
    #[must_use]
    pub fn host(family: Family) -> Self {
        Self { family, bits: family.width() }
    }
}

/// Who is counted together: somebody with an IPv6 network of his own is one, not 2^64.
pub(super) const SOURCES: [Source; 2] =
    [Source { family: Family::V4, bits: 32 }, Source { family: Family::V6, bits: 64 }];

/// What the members of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses.
    Addr(Family),
    /// Ports.
    Port,
    /// Protocols.
    Proto,
    /// Interfaces.
    Interface,
    /// Ranges of addresses that do not overlap.
    Range(Family),
    /// Types of ICMP or ICMPv6.
    Icmp(Family),
    /// Families of addresses.
    Family,
    /// An address, a protocol and a port.
    Single(Family),
    /// The same, and where that leads: a map.
    Dnat,
    /// Two addresses, a protocol and a port of the second.
    Flow,
    /// An address, its port and one of ours.
    Stream(Family),
}

/// A set as it is made: without what comes and goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub kind: Kind,
    /// Whether its members may end by themselves.
    pub ends: bool,
    /// Whether rules add to it, and up to how many members. No other set has a limit: a full set
    /// would refuse bans, and expired members count until they are collected.
    pub grows: Option<u32>,
    /// Whether what rules added is still in it when the gate is put in place anew.
    pub lasts: bool,
    /// What is always in it.
    pub fixed: Vec<Member>,
}

impl Shape {
    pub(super) fn new(name: impl Into<String>, kind: Kind) -> Self {
        let (ends, grows, lasts, fixed) = (false, None, false, Vec::new());
        Self { name: name.into(), kind, ends, grows, lasts, fixed }
    }

    fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    fn growing(self, most: u32) -> Self {
        Self { grows: Some(most), ..self }
    }

    fn lasting(self) -> Self {
        Self { lasts: true, ..self }
    }

    fn with(self, fixed: Vec<Member>) -> Self {
        Self { fixed, ..self }
    }
}

/// A part of the gate, ready to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its counter objects.
    pub counters: Vec<String>,
    /// Its sets.
    pub sets: Vec<Shape>,
    /// Its chains, each behind those it jumps to.
    pub chains: Vec<Chain>,
}

impl Gate {
    /// The whole gate, in the order in which its parts are written.
    #[must_use]
    pub fn plans(&self) -> [Plan; PLANS] {
        let [bans, doors, nat] = [self.ban_plan(), self.door_plan(), self.nat_plan()];
        let [scans, policy, flood] = [self.portscan_plan(), self.policy_plan(), self.flood_plan()];
        [bans, self.older_plan(), doors, nat, scans, policy, flood, self.proxy_plan()]
    }

    /// What stops those who are banned.
    #[must_use]
    pub fn ban_plan(&self) -> Plan {
        let mut chains: Vec<Chain> = self.scopes().iter().map(|scope| self.scope(scope)).collect();
        chains.push(self.base());
        Plan {
            counters: self.scopes().iter().map(Scope::counter).collect(),
            sets: self
                .sets()
                .map(|set| Shape::new(set.to_string(), Kind::Addr(set.family)).ending())
                .collect(),
            chains,
        }
    }

    fn scope(&self, scope: &Scope) -> Chain {
        let mut rules = Vec::new();
        for set in self.sets_of(scope) {
            for &verdict in self.block(scope).verdicts() {
                rules.push(stop(set, verdict, scope.counter()));
            }
        }
        Chain { name: scope.chain(), base: None, rules }
    }

    fn base(&self) -> Chain {
        let mut rules = vec![vec![Part::Loopback, Part::Accept]];
        // A neighbour who cannot say where he is could not be told that he is rejected, and takes
        // the way with him where he is the router. From further away nothing of this arrives.
        if self.scopes().iter().any(|scope| scope.ports == Ports::All && !scope.begins) {
            rules.push(vec![Part::Neighbour, Part::Accept]);
        }
        rules.extend(self.scopes().iter().filter(|scope| !scope.begins).flat_map(jumps));
        Chain { name: BASE_CHAIN.to_owned(), base: Base::prerouting(RAW), rules }
    }
}

/// The rules that lead to a scope's chain.
fn jumps(scope: &Scope) -> Vec<Rule> {
    let jump = Part::Jump(scope.chain());
    match &scope.ports {
        Ports::All => vec![vec![jump]],
        Ports::Only(ranges) => ranges.iter().map(|&r| vec![Part::To(r), jump.clone()]).collect(),
    }
}

fn stop(set: Set, verdict: Verdict, counter: String) -> Rule {
    let source = Source { family: set.family, bits: set.bits };
    // Nothing but TCP can be reset.
    let only = (verdict == Verdict::Reset).then_some(Part::Protocol(Proto::Tcp));
    let rest = [
        Part::FromAnyOf(source, set.to_string()),
        Part::Count(counter),
        Part::Stop(verdict, set.family),
    ];
    only.into_iter().chain(rest).collect()
}
