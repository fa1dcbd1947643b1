//! What stands in the tables, read back: whether it is whole, and what it counted.

use crate::form::said;
use crate::found::Sets;
use crate::tables::{Tables, add};
use sereno_core::gate::{Counts, Family, Gate, Left, Name};
use sereno_nft::{Doing, Refusal};
use std::time::{Duration, Instant};

/// How often those who are out for longer than ipset knows are put in again.
const RENEWED: Duration = Duration::from_secs(86_400);
/// Whoever is out for longer than this is among them.
const LONG: Duration = Duration::from_secs(20 * 86_400);

impl Tables {
    /// Whether the gate stands as wanted: all its chains with as many rules as they should have, the
    /// jumps to them, and its sets with as much in them as was put there. Nobody tells when somebody
    /// changes them, so this is asked every few seconds.
    ///
    /// # Errors
    /// When a program refuses to say.
    pub fn exists(&mut self, gate: &Gate) -> Result<bool, Refusal> {
        let layout = self.layout(gate, Doing::Look)?;
        for family in Family::BOTH {
            let has = self.programs.restore(family).is_some();
            if has
                && !self.found(family, gate.table(), Doing::Look)?.is_whole(layout.tables(family))
            {
                return Ok(false);
            }
        }
        let text = self.ask_ipset(&["list", "-t"], "").map_err(|why| said(Doing::Look, why.0))?;
        let now = Instant::now();
        self.inside.forget_ended(now);
        if now.duration_since(self.renewed) > RENEWED {
            self.renewed = now;
            self.renew(now);
        }
        let sets = Sets::read(&text);
        Ok(layout.sets.iter().all(|set| {
            let least = if set.moves { self.inside.count(&set.name, now) } else { set.fixed.len() };
            sets.has(&set.name, least)
        }))
    }

    /// Puts in again who is out for longer than ipset can know.
    fn renew(&self, now: Instant) {
        let long = self
            .inside
            .longer_than(LONG, now)
            .map(|(set, entry, span)| (0, set.to_owned(), entry.to_owned(), Left::For(span)));
        // What fails now is tried again tomorrow, days before it matters.
        let _ = self.put(&long.collect::<Vec<_>>());
    }

    /// Packets and bytes of all counters, of both families.
    fn counts(&self, table: &str) -> Result<Counts, Refusal> {
        let mut counts = self.carried.clone();
        for family in Family::BOTH {
            for (name, count) in self.found(family, table, Doing::Look)?.counts {
                add(&mut counts, &name, count);
            }
        }
        Ok(counts)
    }

    /// Packets and bytes stopped so far in each scope, in the gate's order.
    ///
    /// # Errors
    /// When a program refuses to say.
    pub fn dropped(&mut self, gate: &Gate) -> Result<Vec<(Name, u64, u64)>, Refusal> {
        Ok(gate.dropped(&self.counts(gate.table())?))
    }

    /// Packets that each counter of the policy that decides counted.
    ///
    /// # Errors
    /// When a program refuses to say.
    pub fn policy_counts(&mut self, gate: &Gate) -> Result<Vec<(String, u64)>, Refusal> {
        Ok(gate.policy_counts(&self.counts(gate.table())?))
    }

    /// Packets and bytes that met each closed opening so far, in the gate's order.
    ///
    /// # Errors
    /// When a program refuses to say.
    pub fn closed(&mut self, gate: &Gate) -> Result<Vec<(Name, u64, u64)>, Refusal> {
        Ok(gate.closed(&self.counts(gate.table())?))
    }
}
