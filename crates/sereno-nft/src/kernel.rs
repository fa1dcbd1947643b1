//! The gate in the kernel: installed whole, changed by batches, read back.

use crate::decode;
use crate::encode::{Attributes, Batch};
use crate::exchange::{Exchange, Fault};
use crate::numbers::*;
use crate::structure::{
    Counts, put_all, put_ban, put_lift, put_removal, put_structure, rule_counts,
};
use crate::words::{Cause, Doing, Refusal};
use sereno_core::addr::Prefix;
use sereno_core::gate::{Gate, Hold, Misplaced, Name, Set};
use sereno_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Changes of one batch: small enough that all answers of a refused one fit the buffer.
const CHANGES_PER_BATCH: usize = 1000;

/// One change to the bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Bans, or sets a new end to a ban; an end in the past lifts it.
    Ban(Hold),
    /// Lifts a ban; success also when there was none.
    Lift {
        /// The scope it holds in.
        scope: Name,
        /// Who was stopped.
        prefix: Prefix,
    },
}

impl Change {
    fn place(&self) -> (Name, Prefix) {
        match *self {
            Self::Ban(hold) => (hold.scope, hold.prefix),
            Self::Lift { scope, prefix } => (scope, prefix),
        }
    }

    fn refused(&self, cause: Cause) -> Refusal {
        let (scope, prefix) = self.place();
        let doing = match self {
            Self::Ban(_) => Doing::Ban(scope, prefix),
            Self::Lift { .. } => Doing::Lift(scope, prefix),
        };
        Refusal { doing, cause }
    }
}

/// What an installation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Bans in force now.
    pub placed: usize,
    /// Bans left out because they had ended.
    pub over: usize,
    /// Bans left out because the gate has no place for them, and why.
    pub misplaced: Vec<(Hold, Misplaced)>,
    /// In how many transactions: one, unless the send buffer could not be raised. The first
    /// always holds the whole structure.
    pub transactions: usize,
}

/// The way to the kernel's firewall, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Kernel {
    exchange: Exchange,
    /// Tests make this small, to do without raised buffers.
    send_limit: usize,
}

impl Kernel {
    /// Opens a netlink socket and asks one question, so that a missing right or a kernel
    /// without nf_tables shows here.
    ///
    /// # Errors
    /// A sentence for the administrator.
    pub fn open() -> Result<Self, Refusal> {
        let exchange = Exchange::open().map_err(|why| Fault::from(why).refusal(Doing::Open))?;
        let mut this = Self { exchange, send_limit: usize::MAX };
        this.exchange
            .ask(GETGEN, NFPROTO_UNSPEC, NLM_F_ACK, |_| (), |_| ())
            .map_err(|why| Fault { index: None, ..why }.refusal(Doing::Open))?;
        Ok(this)
    }

    /// The netlink port all changes of this value come from.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.exchange.socket().port()
    }

    /// Puts the gate and the bans in place, replacing a table of the same name, in one atomic
    /// transaction: there is no moment without bans. The counters go on from their old values.
    ///
    /// # Errors
    /// When the kernel refuses it; then what was in force still is.
    pub fn install(
        &mut self,
        gate: &Gate,
        holds: &[Hold],
        now: Time,
    ) -> Result<Installed, Refusal> {
        let counts = self.counts(gate).map_err(|why| why.refusal(Doing::Install))?;
        let placed = gate.place(holds, now);
        let batch = self.exchange.begin();
        put_removal(batch, gate.table());
        put_structure(batch, gate, &counts);
        let together = batch.count();
        for (set, list) in &placed.sets {
            put_all(batch, gate.table(), *set, list);
        }
        let room = self.exchange.make_room().min(self.send_limit);
        let parts = self.exchange.batch.parts(room, together);
        let transactions = parts.len();
        for part in parts {
            self.exchange.carry_out(part, Doing::Install)?;
        }
        // A hundred thousand bans are megabytes; single changes need a few hundred bytes.
        self.exchange.batch = Batch::default();
        Ok(Installed {
            placed: placed.sets.values().map(Vec::len).sum(),
            over: placed.over,
            misplaced: placed.misplaced,
            transactions,
        })
    }

    /// Carries out changes in order, in as few transactions as possible. A refused change does
    /// not hinder the others. One result per change.
    pub fn apply(
        &mut self,
        gate: &Gate,
        changes: &[Change],
        now: Time,
    ) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(changes.len());
        for part in changes.chunks(CHANGES_PER_BATCH) {
            self.apply_part(gate, part, now, &mut results);
        }
        results
    }

    fn apply_part(
        &mut self,
        gate: &Gate,
        changes: &[Change],
        now: Time,
        results: &mut Vec<Result<(), Refusal>>,
    ) {
        let start = results.len();
        let mut pending: Vec<(usize, Set)> = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let (scope, prefix) = change.place();
            match gate.set_for(scope, prefix) {
                Ok(set) => {
                    pending.push((index, set));
                    results.push(Ok(()));
                }
                Err(why) => results.push(Err(change.refused(Cause::Misplaced(why)))),
            }
        }
        // On kernels before 6.9 an element can expire between its two messages; once more
        // sets that right.
        let mut may_repeat = true;
        while !pending.is_empty() {
            let Err((faults, ends)) = self.try_changes(gate, changes, &pending, now) else {
                return;
            };
            let lost = |fault: &Fault| fault.errno == libc::ENOENT && fault.index.is_some();
            if may_repeat && faults.iter().any(lost) {
                may_repeat = false;
                continue;
            }
            let mut guilty = BTreeSet::new();
            for fault in &faults {
                // The change whose messages end after the faulty one; or all of them.
                let position = fault.index.map(|at| ends.partition_point(|&end| end <= at));
                let named = position.map_or(0..pending.len(), |at| at..at + 1);
                for &(index, _) in pending.get(named).unwrap_or(&pending) {
                    if guilty.insert(index) {
                        results[start + index] = Err(changes[index].refused(fault.cause()));
                    }
                }
            }
            pending.retain(|(index, _)| !guilty.contains(index));
        }
    }

    /// One attempt at the pending changes; on failure the faults, and where in the batch each
    /// change ended.
    fn try_changes(
        &mut self,
        gate: &Gate,
        changes: &[Change],
        pending: &[(usize, Set)],
        now: Time,
    ) -> Result<(), (Vec<Fault>, Vec<usize>)> {
        let batch = self.exchange.begin();
        let mut ends = Vec::with_capacity(pending.len());
        for &(index, set) in pending {
            match &changes[index] {
                Change::Ban(hold) => put_ban(batch, gate.table(), set, hold, now),
                Change::Lift { prefix, .. } => put_lift(batch, gate.table(), set, *prefix),
            }
            ends.push(batch.count());
        }
        let all = 0..batch.count();
        // A thousand IPv6 changes with long names exceed the usual send buffer.
        if pending.len() > 100 {
            self.exchange.make_room();
        }
        self.exchange.transact(all).map_err(|faults| (faults, ends))
    }

    /// All bans in force, with the time each has left counted from `now`.
    ///
    /// For checks now and then: the kernel walks a set from its start for every 32 KiB of
    /// reply, so a hundred thousand bans take half a second and a million far longer.
    ///
    /// # Errors
    /// When the kernel refuses, or the table or a set is missing.
    pub fn list(&mut self, gate: &Gate, now: Time) -> Result<Vec<Hold>, Refusal> {
        let mut holds = Vec::new();
        for set in gate.sets() {
            let name = set.to_string();
            let (kind, narrow) = (GETSETELEM, NFTA_SET_ELEM_LIST_SET);
            let found = self
                .exchange
                .dump(kind, narrow, gate.table(), &name, |m, out| out.extend(decode::elements(m)))
                .map_err(|why| why.refusal(Doing::Look))?;
            holds.extend(found.iter().filter_map(|element| {
                let prefix = Prefix::new(element.addr, set.bits)?;
                let until = element.left.map(|left| now.plus(left));
                Some(Hold { scope: set.scope, prefix, until })
            }));
        }
        Ok(holds)
    }

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
        let mut dormant = false;
        let ask = |a: &mut Attributes<'_>| a.text(NFTA_TABLE, gate.table());
        self.exchange.ask(GETTABLE, NFPROTO_INET, NLM_F_ACK, ask, |message| {
            let flags = decode::u32_attribute(message.attributes(), NFTA_TABLE_FLAGS).unwrap_or(0);
            dormant |= flags & NFT_TABLE_F_DORMANT != 0;
        })?;
        if dormant {
            return Ok(false);
        }
        let sets = self.names(GETSET, NEWSET, NFTA_SET_NAME, gate)?;
        if gate.sets().any(|set| !sets.contains_key(&set.to_string())) {
            return Ok(false);
        }
        Ok(self.names(GETRULE, NEWRULE, NFTA_RULE_CHAIN, gate)? == rule_counts(gate))
    }

    /// How often each value of a string attribute occurs in a dump of our table.
    fn names(
        &mut self,
        question: u8,
        reply: u8,
        attribute: u16,
        gate: &Gate,
    ) -> Result<BTreeMap<String, usize>, Fault> {
        let found = self.exchange.dump(question, 0, gate.table(), "", |message, out| {
            // Old kernels send every table's.
            if message.nft() == Some(reply) && message.is_about(gate.table()) {
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
        let counts = self.counts(gate).map_err(|why| why.refusal(Doing::Look))?;
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        let row = |(name, (packets, bytes))| (name, packets, bytes);
        Ok(gate.scopes().iter().map(|s| row((s.name, of(&s.counter())))).collect())
    }

    fn counts(&mut self, gate: &Gate) -> Result<Counts, Fault> {
        let found = self.exchange.dump(GETOBJ, 0, gate.table(), "", |message, out| {
            if message.nft() == Some(NEWOBJ) && message.is_about(gate.table()) {
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

    /// Removes the table and every ban with it; success also when there was none.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn remove(&mut self, gate: &Gate) -> Result<(), Refusal> {
        let batch = self.exchange.begin();
        put_removal(batch, gate.table());
        let all = 0..batch.count();
        self.exchange.carry_out(all, Doing::Remove)
    }
}

#[cfg(test)]
#[path = "../tests/net/mod.rs"]
mod net;

#[cfg(test)]
mod tests {
    use super::net::Net;
    use super::*;
    use sereno_core::gate::{Draft, Scope};
    use std::net::Ipv6Addr;

    #[test]
    fn where_buffers_cannot_be_raised_the_gate_comes_in_parts() {
        let Some(net) = Net::new() else { return };
        let gate = Gate::try_from(Draft::of(vec![Scope::new("all", "all").unwrap()])).unwrap();
        let mut kernel = net.serve(|| Kernel::open().unwrap());
        kernel.send_limit = 200_000;
        let hold = |n: u128| Hold {
            scope: gate.scopes()[0].name,
            prefix: Prefix::host(Ipv6Addr::from_bits(0x2001_0db8 << 96 | n).into()),
            until: None,
        };
        let holds: Vec<_> = (0..30_000).map(hold).collect();
        let done = kernel.install(&gate, &holds, Time::from_secs(0)).unwrap();
        assert_eq!((done.placed, done.transactions), (30_000, 5));
        assert_eq!(kernel.list(&gate, Time::from_secs(0)).unwrap().len(), 30_000);
        assert!(kernel.exists(&gate).unwrap());
    }
}
