//! Why a packet is stopped or gets in: a walk, told by what people wrote.

use super::plan::{ANSWERED, flood_reason, is_of_proxy, policy_reason};
use super::walk::Walk;
use super::{Gate, Name};
use serde::{Deserialize, Serialize};

/// What a rule of the kernel stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A ban in this scope.
    Ban(Name),
    /// A list shuts its source out.
    List(Name),
    /// A list lets it in.
    Listed(Name),
    /// It is let in by this opening of a door.
    Door(Name),
    /// The opening of a door closes it to all others.
    Closed(Name),
    /// A line of the policy: its number from 1, and what it says.
    Rule(usize, String),
    /// No line is about it; what holds for the rest of this zone.
    Rest(Name),
    /// A line about what goes out: its number from 1, and what it says.
    Out(usize, String),
    /// No line lets it out.
    OutRest,
    /// Connection tracking can make nothing of it.
    Invalid,
    /// It is answered in place of the program, and the connection begins once that answer is answered.
    Proxied,
    /// More came than may.
    Flood(Excess),
    /// What networks need, or what is under way.
    Needed,
}

/// Whose measure is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// That of one source that is known.
    Known,
    /// That of one source that is not.
    Source,
    /// That of all who are not known.
    Strangers,
}

impl Excess {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Known, Self::Source, Self::Strangers];

    /// The counter object: packets and bytes that were too many.
    #[must_use]
    pub fn counter(self) -> &'static str {
        match self {
            Self::Known => "flood_known",
            Self::Source => "flood_source",
            Self::Strangers => "flood_strangers",
        }
    }
}

/// What became of a packet, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Whether it gets in, or out.
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
    let mut before = walk.steps.iter().rev().skip_while(|step| is_of_proxy(&step.chain));
    let decided = before.next().is_some_and(|step| step.chain.ends_with("decide"));
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
    if counter == ANSWERED {
        return Some(Reason::Proxied);
    }
    if let Some(reason) = flood_reason(counter) {
        return Some(reason);
    }
    let tried = counter.strip_prefix("try_");
    let policy = if tried.is_some() { gate.trying() } else { gate.policy() }?;
    policy_reason(policy, tried.unwrap_or(counter))
}
