//! What is right as it is written, and hardly meant: rules that have no effect, interfaces and addresses
//! that this machine does not have.

use crate::machine::Machine;
use crate::near;
use crate::problem::{Notes, Wrong};
use crate::quoted::Said;
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::{Rule, shadow};
use std::net::IpAddr;

/// Warns of the rules of one side of a policy; `said` is each of them as it is written, with its document.
pub(crate) fn rules(
    rules: &[Rule],
    said: &[&(usize, Said)],
    machine: Machine<'_>,
    notes: &mut Notes,
) {
    for (at, (rule, (doc, said))) in rules.iter().zip(said).enumerate() {
        let all = [shadowed(rules, at), over(rule, machine), elsewhere(rule, machine)];
        for (what, remedy) in all.into_iter().flatten() {
            notes.warn(*doc, Wrong::new(said.span.clone(), what).remedy(remedy));
        }
        for name in &rule.on {
            if let Some(wrong) = interface(name, machine) {
                notes.warn(*doc, Wrong { span: said.span.clone(), ..wrong });
            }
        }
    }
}

type Doubt = Option<(String, String)>;

fn shadowed(rules: &[Rule], at: usize) -> Doubt {
    let above = &rules.get(shadow(rules, at)?)?.text;
    let what = format!("this rule never decides: \"{above}\" above it does, about all of it");
    Some((what, "put it above that one, or take one of them out".to_owned()))
}

fn over(rule: &Rule, machine: Machine<'_>) -> Doubt {
    rule.until.filter(|until| *until <= machine.now)?;
    let remedy = "take it out, or give it another date".to_owned();
    Some(("this rule has ended, and has no effect".to_owned(), remedy))
}

fn elsewhere(rule: &Rule, machine: Machine<'_>) -> Doubt {
    // Before its network is up a machine has no addresses.
    let own: &[IpAddr] =
        machine.net.map(|net| net.addrs.as_slice()).filter(|own| !own.is_empty())?;
    let is_ours = |to: &Prefix| own.iter().any(|addr| to.contains(*addr));
    if rule.to.is_empty() || rule.to.iter().any(is_ours) {
        return None;
    }
    let all: Vec<String> = rule.to.iter().map(ToString::to_string).collect();
    let what = format!("{} is no address of this machine now", all.join(" "));
    Some((what, "from says who comes, and to says to which of this machine's addresses".to_owned()))
}

/// What is said of an interface that is not there. It may come yet, as those of tunnels do.
pub(crate) fn interface(name: &str, machine: Machine<'_>) -> Option<Wrong> {
    let there = &machine.net?.interfaces;
    if there.iter().any(|known| known == name) {
        return None;
    }
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    let what = format!("this machine has no interface {name} now");
    Some(Wrong::new(0..0, what).remedy(near::remedy(name, &names)))
}
