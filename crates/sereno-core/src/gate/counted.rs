//! What a gate counted, read off its counters: however they are kept.

use super::{Gate, Name};
use std::collections::BTreeMap;

/// Packets and bytes of counters, by their names.
pub type Counts = BTreeMap<String, (u64, u64)>;

impl Gate {
    /// Packets and bytes stopped in each scope, in the gate's order.
    #[must_use]
    pub fn dropped(&self, counts: &Counts) -> Vec<(Name, u64, u64)> {
        let scopes = self.scopes().iter();
        scopes.map(|scope| row(scope.name, counts, &scope.counter())).collect()
    }

    /// Packets and bytes that met each closed opening, in the gate's order.
    #[must_use]
    pub fn closed(&self, counts: &Counts) -> Vec<(Name, u64, u64)> {
        let closed = self.doorway().openings.iter().filter(|opening| opening.closed);
        closed.map(|opening| row(opening.name, counts, &opening.counter())).collect()
    }

    /// Packets that each counter of the policy that decides counted, by its name without what marks
    /// one on trial.
    #[must_use]
    pub fn policy_counts(&self, counts: &Counts) -> Vec<(String, u64)> {
        let names = self.policy_plan().counters.into_iter();
        let trial = self.trying().is_some();
        let own = names.filter(|name| name.starts_with("try_") == trial);
        own.map(|name| {
            let packets = counts.get(&name).map_or(0, |(packets, _)| *packets);
            (name.strip_prefix("try_").unwrap_or(&name).to_owned(), packets)
        })
        .collect()
    }
}

fn row(name: Name, counts: &Counts, counter: &str) -> (Name, u64, u64) {
    let (packets, bytes) = counts.get(counter).copied().unwrap_or_default();
    (name, packets, bytes)
}
