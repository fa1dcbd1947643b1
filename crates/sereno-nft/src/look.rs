//! What stands in the kernel, read back: whether it is whole, and what it counted.

use crate::decode;
use crate::encode::Attributes;
use crate::exchange::Fault;
use crate::kernel::Kernel;
use crate::numbers::*;
use crate::structure::{rule_counts, set_names};
use crate::words::{Doing, Refusal};
use sereno_core::gate::plan::Plan;
use sereno_core::gate::{Counts, Gate, Name, Reason, flood_reason};
use std::collections::BTreeMap;

impl Kernel {
    /// Whether the table is in force as wanted: there, not dormant, with all its sets, and as
    /// many rules in each chain as the gate has.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn exists(&mut self, gate: &Gate) -> Result<bool, Refusal> {
        match self.is_whole(gate) {
            Err(why) if why.errno == libc::ENOENT => Ok(false),
            other => other.map_err(|why| why.refusal(Doing::Look)),
        }
    }

    fn is_whole(&mut self, gate: &Gate) -> Result<bool, Fault> {
        self.has_all(gate.table(), &gate.plans())
    }

    /// Whether a table has all sets and rules of its plans.
    pub(crate) fn has_all(&mut self, table: &str, plans: &[Plan]) -> Result<bool, Fault> {
        let mut dormant = false;
        let ask = |a: &mut Attributes<'_>| a.text(NFTA_TABLE, table);
        self.exchange().ask(GETTABLE, NFPROTO_INET, NLM_F_ACK, ask, |message| {
            let flags = decode::u32_attribute(message.attributes(), NFTA_TABLE_FLAGS).unwrap_or(0);
            dormant |= flags & NFT_TABLE_F_DORMANT != 0;
        })?;
        if dormant {
            return Ok(false);
        }
        let sets = self.names(GETSET, NEWSET, NFTA_SET_NAME, table)?;
        if set_names(plans).any(|set| !sets.contains_key(&set)) {
            return Ok(false);
        }
        Ok(self.names(GETRULE, NEWRULE, NFTA_RULE_CHAIN, table)? == rule_counts(plans))
    }

    /// How often each value of a string attribute occurs in a dump of our table.
    fn names(
        &mut self,
        question: u8,
        reply: u8,
        attribute: u16,
        table: &str,
    ) -> Result<BTreeMap<String, usize>, Fault> {
        let found = self.exchange().dump(question, 0, table, "", |message, out| {
            // Old kernels send every table's.
            if message.nft() == Some(reply) && message.is_about(table) {
                out.extend(decode::text(message.attributes(), attribute).map(decode::printable));
            }
        })?;
        let mut counts = BTreeMap::new();
        for name in found {
            *counts.entry(name).or_default() += 1;
        }
        Ok(counts)
    }

    /// Packets and bytes stopped so far in each scope, in the gate's order.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn dropped(&mut self, gate: &Gate) -> Result<Vec<(Name, u64, u64)>, Refusal> {
        let counts = self.counts(gate.table()).map_err(|why| why.refusal(Doing::Look))?;
        Ok(gate.dropped(&counts))
    }

    /// Packets that each counter of the policy that decides counted, by its name without what marks
    /// one on trial.
    ///
    /// # Errors
    /// When the kernel refuses, or the table is missing.
    pub fn policy_counts(&mut self, gate: &Gate) -> Result<Vec<(String, u64)>, Refusal> {
        let counts = self.counts(gate.table()).map_err(|why| why.refusal(Doing::Look))?;
        Ok(gate.policy_counts(&counts))
    }

    /// Packets that were too many, by whose measure was full.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn measured(&mut self, gate: &Gate) -> Result<Vec<(Reason, u64)>, Refusal> {
        let counts = self.counts(gate.table()).map_err(|why| why.refusal(Doing::Look))?;
        let names = gate.flood_plan().counters.into_iter();
        let of = |name: &str| counts.get(name).map_or(0, |(packets, _)| *packets);
        Ok(names.filter_map(|name| Some((flood_reason(&name)?, of(&name)))).collect())
    }

    /// Packets and bytes that met each closed opening so far, in the gate's order.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn closed(&mut self, gate: &Gate) -> Result<Vec<(Name, u64, u64)>, Refusal> {
        let counts = self.counts(gate.table()).map_err(|why| why.refusal(Doing::Look))?;
        Ok(gate.closed(&counts))
    }

    pub(crate) fn counts(&mut self, table: &str) -> Result<Counts, Fault> {
        let found = self.exchange().dump(GETOBJ, 0, table, "", |message, out| {
            if message.nft() == Some(NEWOBJ) && message.is_about(table) {
                out.extend(
                    decode::counter(message)
                        .map(|(name, packets, bytes)| (decode::printable(name), (packets, bytes))),
                );
            }
        });
        match found {
            Err(why) if why.errno == libc::ENOENT => Ok(Counts::new()),
            other => Ok(other?.into_iter().collect()),
        }
    }
}
