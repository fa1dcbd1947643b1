//! Why a packet is stopped or gets in: a walk, told by what people wrote.

use super::plan::policy_counter;
use super::walk::Walk;
use super::{Gate, Name};
use serde::{Deserialize, Serialize};

/// What a rule of the kernel stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A ban in this scope.
    Ban(Name),
    /// A list holds its source.
    List(Name),
    /// It is let in by this opening of a door.
    Door(Name),
    /// The opening of a door closes it to all others.
    Closed(Name),
    /// A line of the policy: its number from 1, and what it says.
    Rule(usize, String),
    /// No line is about it; what holds for the rest of this zone.
    Rest(Name),
    /// Connection tracking can make nothing of it.
    Invalid,
    /// What networks need, or what is under way.
    Needed,
}

/// What became of a packet, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Whether it gets in.
    pub passes: bool,
    /// Why, in the order of the rules. None: nobody minds it.
    pub reasons: Vec<Reason>,
}

/// Tells a walk through `gate` by what people wrote.
#[must_use]
pub fn reasons(gate: &Gate, walk: &Walk) -> Judgement {
    let passes = walk.stopped.is_none();
    let mut reasons: Vec<Reason> = Vec::new();
    for step in &walk.steps {
        let counted = step.counter.as_deref().and_then(|counter| by_counter(gate, counter));
        let let_in = step.chain.strip_prefix("door_").and_then(|name| name.parse().ok());
        reasons.extend(counted.or(let_in.map(Reason::Door)));
    }
    let decided = walk.steps.last().is_some_and(|step| step.chain.ends_with("decide"));
    if passes && decided && !reasons.iter().any(|reason| matches!(reason, Reason::Door(_))) {
        reasons.push(Reason::Needed);
    }
    Judgement { passes, reasons }
}

fn by_counter(gate: &Gate, counter: &str) -> Option<Reason> {
    if let Some(scope) = gate.scopes().iter().find(|scope| scope.counter() == counter) {
        return Some(Reason::Ban(scope.name));
    }
    let openings = &gate.doorway().openings;
    if let Some(opening) = openings.iter().find(|opening| opening.counter() == counter) {
        return Some(Reason::Closed(opening.name));
    }
    let tried = counter.strip_prefix("try_");
    let policy = if tried.is_some() { gate.trying() } else { gate.policy() }?;
    policy_counter(policy, tried.unwrap_or(counter))
}
