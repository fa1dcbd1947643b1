//! The gate in the kernel: installed whole, changed by batches, read back.

use crate::decode;
use crate::encode::Batch;
use crate::exchange::{Exchange, Fault};
use crate::members::{Key, key, octets, put_all, put_flush, put_in, put_out};
use crate::numbers::*;
use crate::structure::{put_plan, put_removal, put_table, room_of_bans};
use crate::words::{Cause, Doing, Refusal};
use sereno_core::addr::Prefix;
use sereno_core::door::Hit;
use sereno_core::gate::plan::{PLANS, Plan};
use sereno_core::gate::{
    Contents, Gate, Hold, Left, Member, Misplaced, Name, Pass, Proto, Switch, Through,
};
use sereno_core::time::Time;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Changes of one batch: small enough that all answers of a refused one fit the buffer.
const CHANGES_PER_BATCH: usize = 1000;

/// What each of the gate's plans is refused as.
const DOING: [Doing; PLANS] = [
    Doing::Install,
    Doing::InstallDoors,
    Doing::InstallDoors,
    Doing::InstallNat,
    Doing::InstallPortScan,
    Doing::InstallPolicy,
    Doing::InstallFlood,
    Doing::InstallProxy,
];

/// One change to who is out and who is let in.
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
    /// Lets somebody in, or sets a new end to that; an end in the past lets him in no longer.
    Open(Pass),
    /// Lets somebody in no longer; success also when he was not.
    Close {
        /// Where he was let in.
        to: Through,
        /// Who.
        addr: IpAddr,
    },
}

/// What a change comes to: members of sets with a time, or without them if that is over.
struct Step {
    keys: Vec<(String, Key)>,
    left: Left,
}

impl Change {
    /// The members of sets that it is about, and the time they have left.
    ///
    /// # Errors
    /// When the gate has no place for it.
    pub fn members(
        &self,
        gate: &Gate,
        now: Time,
    ) -> Result<(Vec<(String, Member)>, Left), Misplaced> {
        let of_ban = |scope, prefix: Prefix, left| {
            let set = gate.set_for(scope, prefix)?.to_string();
            Ok((vec![(set, Member::Addr(prefix.addr()))], left))
        };
        let of_pass = |to, addr, left| Ok((gate.ways(to, addr)?, left));
        match *self {
            Self::Ban(hold) => of_ban(hold.scope, hold.prefix, hold.left(now)),
            Self::Lift { scope, prefix } => of_ban(scope, prefix, Left::Over),
            Self::Open(pass) => of_pass(pass.to, pass.addr, pass.left(now)),
            Self::Close { to, addr } => of_pass(to, addr, Left::Over),
        }
    }

    fn step(&self, gate: &Gate, now: Time) -> Result<Step, Misplaced> {
        let (members, left) = self.members(gate, now)?;
        let keys = members.into_iter().map(|(set, member)| (set, key(&member))).collect();
        Ok(Step { keys, left })
    }

    /// That it was refused, and why.
    #[must_use]
    pub fn refused(&self, cause: Cause) -> Refusal {
        let doing = match *self {
            Self::Ban(hold) => Doing::Ban(hold.scope, hold.prefix),
            Self::Lift { scope, prefix } => Doing::Lift(scope, prefix),
            Self::Open(pass) => Doing::Let(pass.to, pass.addr),
            Self::Close { to, addr } => Doing::Close(to, addr),
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
    /// Passes in force now; those that had ended are left out.
    pub admitted: usize,
    /// Passes left out because the gate has no place for them, and why.
    pub stray: Vec<(Pass, Misplaced)>,
    /// In how many transactions: one, unless the send buffer could not be raised. The first
    /// always holds the whole structure, the passes and the knock ports.
    pub transactions: usize,
}

/// A set and its members, on their way from one table to the next.
type Lasting<'p> = (&'p str, Vec<(Key, Left)>);

/// The way to the kernel's firewall, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Kernel {
    exchange: Exchange,
    /// Counters that begin anew with the next installation.
    forgotten: Vec<String>,
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
        let mut this = Self { exchange, forgotten: Vec::new(), send_limit: usize::MAX };
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

    /// Has these counters begin anew with the next installation: they are to count something else.
    pub fn forget(&mut self, counters: Vec<String>) {
        self.forgotten.extend(counters);
    }

    /// Puts the gate and its contents in place, replacing a table of the same name, in one
    /// atomic transaction: there is no moment without bans. The counters go on from their old
    /// values, and whom this machine called is known still. Who knocks is followed anew.
    ///
    /// # Errors
    /// When the kernel refuses it; then what was in force still is. [`Refusal::without`] says what may
    /// be fine.
    pub fn install(
        &mut self,
        gate: &Gate,
        contents: Contents<'_>,
        now: Time,
    ) -> Result<Installed, Refusal> {
        let mut counts = self.counts(gate.table()).map_err(|why| why.refusal(Doing::Install))?;
        counts.retain(|name, _| !self.forgotten.contains(name));
        let plans = gate.plans();
        let lasting =
            self.lasting(gate.table(), &plans).map_err(|why| why.refusal(Doing::Install))?;
        let placed = gate.place(contents.holds, now);
        let room = |name: &str| {
            let mut sets = placed.sets.iter();
            let list = sets.find(|(set, _)| set.to_string() == name).map(|(_, list)| list.len());
            list.and_then(room_of_bans)
        };
        let admitted = gate.admit(contents.passes, now);
        let table = gate.table();
        let batch = self.exchange.begin();
        put_removal(batch, table);
        put_table(batch, table);
        let mut id = 0;
        let mut ends = Vec::with_capacity(PLANS);
        for (plan, doing) in plans.iter().zip(DOING) {
            put_plan(batch, table, plan, &counts, &mut id, room);
            ends.push((batch.count(), doing));
        }
        for (set, list) in lasting {
            put_all(batch, table, set, list.into_iter());
        }
        let older = gate.older(contents.streams);
        for (set, list) in gate.listen_for(contents.hits).into_iter().chain(older) {
            put_all(batch, table, &set, list.iter().map(|member| (key(member), Left::Ever)));
        }
        for (set, list) in &admitted.sets {
            put_all(batch, table, set, list.iter().map(|(member, left)| (key(member), *left)));
        }
        let together = batch.count();
        for (set, list) in &placed.sets {
            let list = list.iter().map(|(prefix, left)| (octets(prefix.addr()), *left));
            put_all(batch, table, &set.to_string(), list);
        }
        let limit = self.exchange.make_room().min(self.send_limit);
        let parts = self.exchange.batch.parts(limit, together);
        let transactions = parts.len();
        for part in parts {
            self.exchange.carry_out(part, |at| {
                let at = at.filter(|at| *at < together);
                let of = |at| ends.iter().find(|(end, _)| at < *end).map(|(_, doing)| *doing);
                // What comes and goes is of doors, but for bans.
                at.map_or(Doing::Install, |at| of(at).unwrap_or(Doing::InstallDoors))
            })?;
        }
        // A hundred thousand bans are megabytes; single changes need a few hundred bytes.
        self.exchange.batch = Batch::default();
        self.forgotten.clear();
        Ok(Installed {
            placed: placed.sets.values().map(Vec::len).sum(),
            over: placed.over,
            misplaced: placed.misplaced,
            admitted: admitted.count,
            stray: admitted.misplaced,
            transactions,
        })
    }

    /// What rules added to the sets that last, as far as they stand.
    fn lasting<'p>(&mut self, table: &str, plans: &'p [Plan]) -> Result<Vec<Lasting<'p>>, Fault> {
        let sets = plans.iter().flat_map(|plan| &plan.sets).filter(|shape| shape.lasts);
        let mut lasting = Vec::new();
        for shape in sets {
            let found = match self.elements(table, &shape.name) {
                Err(why) if why.errno == libc::ENOENT => continue,
                other => other?,
            };
            // A full set would refuse the whole gate, and what comes next has to have room.
            let most = shape.grows.map_or(usize::MAX, |most| most as usize / 4 * 3);
            let left = |one: &decode::Element| {
                Left::of(one.left.map(|left| Time::default().plus(left)), Time::default())
            };
            let list = found.iter().take(most).map(|one| (octets(one.addr), left(one)));
            lasting.push((shape.name.as_str(), list.collect()));
        }
        Ok(lasting)
    }

    /// Replaces the ports that are knocked at, in one transaction. Nothing if the gate does not
    /// listen.
    ///
    /// # Errors
    /// When the kernel refuses it; then the old ports stay.
    pub fn hear(&mut self, gate: &Gate, hits: &[Hit]) -> Result<(), Refusal> {
        let batch = self.exchange.begin();
        for (set, ports) in gate.listen_for(hits) {
            put_flush(batch, gate.table(), &set);
            put_all(batch, gate.table(), &set, ports.iter().map(|port| (key(port), Left::Ever)));
        }
        self.hand_over()
    }

    /// Puts what a gate does for a while only ([`Gate::switch`], [`Gate::trial`],
    /// [`Gate::policy_trial`]) in force for so long from now; it ends by itself. Nothing if the gate
    /// has no such thing.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn for_a_while(
        &mut self,
        gate: &Gate,
        switch: Option<Switch>,
        span: Duration,
    ) -> Result<(), Refusal> {
        let batch = self.exchange.begin();
        if let Some((set, members)) = switch {
            let left = Left::of(Some(Time::default().plus(span)), Time::default());
            for member in &members {
                put_in(batch, gate.table(), set, key(member), left);
            }
        }
        self.hand_over()
    }

    /// Carries out the batch, if there is anything in it.
    fn hand_over(&mut self) -> Result<(), Refusal> {
        match self.exchange.batch.count() {
            0 => Ok(()),
            count => self.exchange.carry_out(0..count, |_| Doing::Hear),
        }
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
        let mut pending: Vec<(usize, Step)> = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            match change.step(gate, now) {
                // Nobody has to be known where nothing is measured.
                Ok(step) if step.keys.is_empty() => results.push(Ok(())),
                Ok(step) => {
                    pending.push((index, step));
                    results.push(Ok(()));
                }
                Err(why) => results.push(Err(change.refused(Cause::Misplaced(why)))),
            }
        }
        // On kernels before 6.9 an element can expire between its two messages; once more
        // sets that right.
        let mut may_repeat = true;
        while !pending.is_empty() {
            let Err((faults, ends)) = self.try_changes(gate, &pending) else {
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
                for (index, _) in pending.get(named).unwrap_or(&pending) {
                    if guilty.insert(*index) {
                        results[start + index] = Err(changes[*index].refused(fault.cause()));
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
        pending: &[(usize, Step)],
    ) -> Result<(), (Vec<Fault>, Vec<usize>)> {
        let batch = self.exchange.begin();
        let mut ends = Vec::with_capacity(pending.len());
        for (_, step) in pending {
            for (set, key) in &step.keys {
                match step.left {
                    Left::Over => put_out(batch, gate.table(), set, *key),
                    left => put_in(batch, gate.table(), set, *key, left),
                }
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
            let found = self.members(gate, &set.to_string())?;
            holds.extend(found.iter().filter_map(|element| {
                let prefix = Prefix::new(element.addr, set.bits)?;
                let until = element.left.map(|left| now.plus(left));
                Some(Hold { scope: set.scope, prefix, until })
            }));
        }
        Ok(holds)
    }

    /// All who are let in without translation, but not who is only known, with the time each has left counted from `now`.
    ///
    /// # Errors
    /// When the kernel refuses, or the table or a set is missing.
    pub fn passes(&mut self, gate: &Gate, now: Time) -> Result<Vec<Pass>, Refusal> {
        let mut passes = Vec::new();
        for (set, through) in gate.pass_sets() {
            passes.extend(self.members(gate, &set)?.iter().filter_map(|element| {
                let to = match (through, element.port) {
                    (Some(through), _) => through,
                    (None, Some((proto, port))) => Through::Port(Proto::of(proto)?, port),
                    (None, None) => return None,
                };
                let until = element.left.map(|left| now.plus(left));
                Some(Pass { to, addr: element.addr, until })
            }));
        }
        Ok(passes)
    }

    fn members(&mut self, gate: &Gate, set: &str) -> Result<Vec<decode::Element>, Refusal> {
        self.elements(gate.table(), set).map_err(|why| why.refusal(Doing::Look))
    }

    fn elements(&mut self, table: &str, set: &str) -> Result<Vec<decode::Element>, Fault> {
        let (kind, narrow) = (GETSETELEM, NFTA_SET_ELEM_LIST_SET);
        self.exchange.dump(kind, narrow, table, set, |m, out| out.extend(decode::elements(m)))
    }

    pub(crate) fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// Removes the table and every ban with it; success also when there was none.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn remove(&mut self, gate: &Gate) -> Result<(), Refusal> {
        let batch = self.exchange.begin();
        put_removal(batch, gate.table());
        let all = 0..batch.count();
        self.exchange.carry_out(all, |_| Doing::Remove)
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
        let done = kernel.install(&gate, Contents::bans(&holds), Time::from_secs(0)).unwrap();
        assert_eq!((done.placed, done.transactions), (30_000, 5));
        assert_eq!(kernel.list(&gate, Time::from_secs(0)).unwrap().len(), 30_000);
        assert!(kernel.exists(&gate).unwrap());
    }
}
