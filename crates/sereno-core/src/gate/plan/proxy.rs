//! The chains that answer who begins a connection, in place of the program.
//!
//! `syn_proxy` hangs at the input hook behind the policy and behind the chains of others: what any of
//! them drops is answered by nobody, and ports that lead elsewhere never come here. The connection that
//! the kernel then begins comes over loopback, and nobody asks it anything.
//!
//! SYNs are tracked as ever. Connection tracking writes nothing down of what does not go on to its last
//! hook, and the answer stands in for the packet. So nothing has to be said before connection
//! tracking, where nobody knows yet who may come in, nor where a port leads.

use super::{Base, Chain, Hook, Part, Plan, Rule, Test, Translate};
use crate::addr::Prefix;
use crate::gate::proxy::SynProxy;
use crate::gate::{Family, Gate, PortRange, older};
use std::net::{IpAddr, Ipv6Addr};

/// Behind the chains of others, which are at 0 and some way behind it; before `helper` (300).
const PROXY: i32 = 200;
/// The priority `mangle`, behind connection tracking.
const MANGLE: i32 = -150;
const ANSWER: &str = "syn_answer";
const CHAIN: &str = "syn_proxy";
const BEGUN: &str = "syn_begun";
/// SYNs that were answered.
pub(in crate::gate) const ANSWERED: &str = "syn_answered";

fn asks(test: Test) -> Part {
    Part::If(test)
}

impl Gate {
    /// What answers SYNs.
    #[must_use]
    pub fn proxy_plan(&self) -> Plan {
        let Some(proxy) = self.syn_proxy() else { return Plan::default() };
        // The kernel goes on with what was begun this way as long as there is a rule that begins such.
        let mut chains = vec![Chain { name: ANSWER.to_owned(), base: None, rules: answer(proxy) }];
        if !proxy.ports.is_empty() {
            let base = Base { hook: Hook::Input, nat: false, priority: PROXY };
            let rules = come(&proxy.ports);
            chains.push(Chain { name: CHAIN.to_owned(), base: Some(base), rules });
        }
        if !proxy.ports.is_empty() && proxy.undates {
            let base = Base { hook: Hook::Output, nat: false, priority: MANGLE };
            let rules = begun(&proxy.ports);
            chains.push(Chain { name: BEGUN.to_owned(), base: Some(base), rules });
        }
        Plan { counters: vec![ANSWERED.to_owned()], sets: Vec::new(), chains }
    }
}

/// Whether a chain is one of these.
pub(in crate::gate) fn is_of_proxy(chain: &str) -> bool {
    [ANSWER, CHAIN].contains(&chain)
}

fn come(ports: &[PortRange]) -> Vec<Rule> {
    let accept = |test| vec![test, Part::Accept];
    let mut rules = vec![accept(Part::Loopback), accept(asks(Test::Going))];
    rules.extend(older::rules());
    // What leads here from another port would be answered by the wrong one.
    rules.push(accept(Part::Translate(Translate::Translated)));
    // The kernel's answer would not know by which interface.
    let near = Prefix::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);
    rules.extend(near.map(|near| accept(Part::From(near))));
    rules.extend(ports.iter().map(|range| vec![Part::To(*range), Part::Goto(ANSWER.to_owned())]));
    rules
}

/// What the kernel says to the program when that has answered goes out to this machine with the address of
/// who began. Its timestamp is right, and is made wrong behind all rules, as if it came from outside. A host
/// that looks at that (newer Linux does) waits a second for something else, if its program is the first to
/// speak. Without a timestamp there is nothing to make wrong.
fn begun(ports: &[PortRange]) -> Vec<Rule> {
    let rule = |range: &PortRange| {
        let [own, foreign, acks] = [Test::ToLoopback, Test::Foreign, Test::Acks].map(asks);
        vec![own, foreign, Part::To(*range), acks, Part::Undate]
    };
    ports.iter().map(rule).collect()
}

/// A SYN where somebody listens is answered, and what gives the number back begins the connection. What
/// else comes goes on to the host, which knows what to say to it.
fn answer(proxy: &SynProxy) -> Vec<Rule> {
    let deed = |family| Part::SynProxy(family, proxy.handshake);
    let of = |family| asks(Test::Of(family));
    let count = || Part::Count(ANSWERED.to_owned());
    let syns = Family::BOTH
        .map(|family| vec![Part::Syn, of(family), asks(Test::Heard), count(), deed(family)]);
    let acks = Family::BOTH.map(|family| vec![asks(Test::Acks), of(family), deed(family)]);
    syns.into_iter().chain(acks).collect()
}
