//! The hands: those who do. They take orders, know the friends themselves, and touch nothing
//! but Sereno's own table.

use super::claim::claim;
use super::firewall::Firewall;
use crate::discover::streams;
use crate::words;
use sereno_config::Backend;
use sereno_core::addr::Prefix;
use sereno_core::door::Hit;
use sereno_core::gate::{Contents, Draft, Gate, Name, Nat, Reason, Switch};
use sereno_core::jail::Friends;
use sereno_core::time::Time;
use sereno_nft::{Change, Doing, Installed, Refusal, Watch};
use sereno_wire::orders::{Order, Report};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

/// Holds the firewall, or says why it cannot.
#[derive(Debug)]
pub struct Hands {
    grip: Result<Grip, Idle>,
    gate: Option<Gate>,
    friends: Friends,
    /// The tables that no other Sereno may have.
    claims: BTreeMap<Name, Option<File>>,
    left_out: LeftOut,
    /// The kernel's notices are not wanted just now.
    deaf: bool,
}

/// Why nothing is held.
#[derive(Debug)]
enum Idle {
    Asked,
    /// As one of them said when it was tried last; when it is tried again, and how long after that.
    Refused(Refusal, Backend, Time, Duration),
}

/// After so long what was refused is tried again, at first and at most: a program may have hung because
/// the machine was just coming up, and one that hangs holds up everything.
const AGAIN: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

#[derive(Debug)]
struct Grip {
    firewall: Firewall,
    /// Opened after the first installation: while somebody listens, the kernel tells of every
    /// element, and that is a good part of what restoring many costs.
    watch: Option<Watch>,
    /// Whether something of ours may stand in the other firewall, from before.
    moved: bool,
    /// Which one was asked for.
    backend: Backend,
}

/// What the kernel says of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// It has to be installed again.
    pub lost: bool,
    /// Who changed it, where that is known.
    pub by: Option<String>,
    /// There may be more to see at once.
    pub more: bool,
}

/// Parts of the gate that are left out of it, and why.
type LeftOut = Vec<(Doing, String)>;

impl Grip {
    fn take(backend: Backend) -> Result<Self, Refusal> {
        let grip = |firewall| Self { firewall, watch: None, moved: true, backend };
        Firewall::open(backend).map(grip)
    }

    /// Puts a gate in place; without the parts that cannot be done here, if the rest can.
    fn put(
        &mut self,
        gate: &mut Gate,
        contents: Contents<'_>,
        now: Time,
        out: &mut LeftOut,
    ) -> Result<Installed, Refusal> {
        let mut done = self.firewall.install(gate, contents, now);
        if let Err(refusal) = &done
            && refusal.is_lacking()
            && let Some(installed) = self.change_over(gate, contents, now)
        {
            return Ok(installed);
        }
        // The banned are stopped, whatever else cannot be done.
        while let Err(refusal) = &done
            && let Some(rest) = refusal.without(gate)
            && rest != *gate
        {
            out.push((refusal.doing, refusal.to_string()));
            *gate = rest;
            done = self.firewall.install(gate, contents, now);
        }
        done
    }

    /// Where the kernel's nftables is too old for something of the gate, and nobody chose it: puts all of
    /// it in place by iptables, if that can, once and for all.
    fn change_over(&mut self, gate: &Gate, contents: Contents<'_>, now: Time) -> Option<Installed> {
        if self.backend != Backend::Auto || !self.moved || self.firewall.is_iptables() {
            return None;
        }
        let mut other = Firewall::open(Backend::Iptables).ok()?;
        let installed = other.install(gate, contents, now).ok()?;
        self.firewall = other;
        Some(installed)
    }
}

impl Hands {
    /// Takes hold of the kernel's tables, or is asked only to `observe`.
    #[must_use]
    pub fn new(friends: Friends, observe: bool, backend: Backend, now: Time) -> Self {
        let grip = if observe {
            Err(Idle::Asked)
        } else {
            let refused = |why| Idle::Refused(why, backend, now.plus(AGAIN.0), AGAIN.0);
            Grip::take(backend).map_err(refused)
        };
        Self {
            grip,
            gate: None,
            friends,
            claims: BTreeMap::new(),
            left_out: LeftOut::new(),
            deaf: false,
        }
    }

    /// Why nothing is enforced, when nothing is.
    #[must_use]
    pub fn observing(&self) -> Option<String> {
        self.grip.as_ref().err().map(|idle| match idle {
            Idle::Asked => words::asked_to_observe(),
            Idle::Refused(refusal, ..) => refusal.to_string(),
        })
    }

    /// Tries again what was refused, if it is time and may be another time another; says whether the firewall
    /// is held now, with this table.
    pub fn seize(&mut self, table: Name, now: Time) -> bool {
        let Err(Idle::Refused(why, backend, at, after)) = &mut self.grip else { return false };
        // A clock that is set back makes nobody wait for longer.
        let due = now >= *at || at.since(now) > *after;
        if why.is_not_permitted() || !due {
            return false;
        }
        match Grip::take(*backend) {
            Ok(grip) => {
                let idle = std::mem::replace(&mut self.grip, Ok(grip));
                if self.claim(table).is_ok() {
                    return true;
                }
                // Another Sereno came first.
                self.grip = idle;
            }
            Err(refusal) => *why = refusal,
        }
        if let Err(Idle::Refused(.., at, after)) = &mut self.grip {
            *after = (*after * 2).min(AGAIN.1);
            *at = now.plus(*after);
        }
        false
    }

    /// Why nothing of IPv6 is guarded, where this machine has IPv6.
    #[must_use]
    pub fn without_six(&self) -> Option<&str> {
        self.grip.as_ref().ok()?.firewall.without_six()
    }

    /// Whether it is iptables that is asked.
    #[must_use]
    pub fn by_iptables(&self) -> bool {
        self.grip.as_ref().is_ok_and(|grip| grip.firewall.is_iptables())
    }

    /// Takes a table for its own, until the end of the process.
    ///
    /// # Errors
    /// When another Sereno has it.
    pub fn claim(&mut self, table: Name) -> io::Result<()> {
        if self.grip.is_ok() && !self.claims.contains_key(&table) {
            self.claims.insert(table, claim(table)?);
        }
        Ok(())
    }

    /// Takes a new list of friends.
    pub fn befriend(&mut self, friends: Friends) {
        self.friends = friends;
    }

    /// Whether a ban would hit a friend.
    #[must_use]
    pub fn spare(&self, prefix: Prefix) -> bool {
        self.friends.hit_by(prefix).is_some()
    }

    /// Carries out orders, in order; gives a report for each.
    pub fn carry(&mut self, orders: &[Order], now: Time) -> Vec<Report> {
        let mut reports = Vec::with_capacity(orders.len());
        let mut rest = orders;
        while let Some(order) = rest.first() {
            if let Order::Install { gate, holds, passes, hits } = order {
                let contents = Contents { holds, passes, hits, streams: &[] };
                reports.push(self.install(gate, contents, now));
                rest = &rest[1..];
            } else {
                let until = rest.iter().position(|o| matches!(o, Order::Install { .. }));
                let (batch, tail) = rest.split_at(until.unwrap_or(rest.len()));
                self.change(batch, now, &mut reports);
                rest = tail;
            }
        }
        reports
    }

    fn install(&mut self, draft: &Draft, contents: Contents<'_>, now: Time) -> Report {
        let mut gate = match Gate::try_from(draft.clone()) {
            Ok(gate) => gate,
            Err(why) => return Report::Refused { why, gate_lost: false },
        };
        let welcome = contents.holds.iter().filter(|h| self.friends.hit_by(h.prefix).is_none());
        let welcome: Vec<_> = welcome.copied().collect();
        let streams = if gate.spares_streams() { streams(Path::new("/")) } else { Vec::new() };
        let contents = Contents { holds: &welcome, streams: &streams, ..contents };
        self.left_out.clear();
        let report = match &mut self.grip {
            Err(_) => Report::Observed,
            Ok(grip) => {
                if let Some(old) = self.gate.as_ref().filter(|old| old.policy() != gate.policy()) {
                    grip.firewall.forget(old.policy_plan().counters);
                }
                let done = grip.put(&mut gate, contents, now, &mut self.left_out);
                done.map_or_else(|refusal| refused(&refusal), |_| Report::Done)
            }
        };
        if let Ok(grip) = &mut self.grip
            && grip.watch.is_none()
            && !self.deaf
        {
            grip.watch = grip.firewall.watch();
        }
        if let Ok(grip) = &mut self.grip
            && grip.moved
            && report == Report::Done
        {
            grip.moved = false;
            grip.firewall.clear_other(&gate);
        }
        // A table of another name has had its day.
        let old = self.gate.replace(gate);
        if let (Ok(grip), Some(old), Some(new)) = (&mut self.grip, old, &self.gate)
            && old.table() != new.table()
        {
            let _ = grip.firewall.remove(&old);
        }
        report
    }

    fn change(&mut self, batch: &[Order], now: Time, reports: &mut Vec<Report>) {
        let mut waiting = Vec::with_capacity(batch.len());
        let mut changes = Vec::with_capacity(batch.len());
        for order in batch {
            let change = match order {
                Order::Ban(hold) => match self.friends.hit_by(hold.prefix) {
                    Some(friend) => {
                        reports.push(Report::Friend { why: friend.why.clone() });
                        continue;
                    }
                    None => Change::Ban(*hold),
                },
                Order::Lift { scope, prefix } => Change::Lift { scope: *scope, prefix: *prefix },
                Order::Open(pass) => Change::Open(*pass),
                Order::Close { to, addr } => Change::Close { to: *to, addr: *addr },
                Order::Hear(hits) => {
                    reports.push(self.hear(hits));
                    continue;
                }
                Order::Install { .. } => continue,
            };
            waiting.push(reports.len());
            reports.push(Report::Observed);
            changes.push(change);
        }
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return };
        let outcomes = grip.firewall.apply(gate, &changes, now);
        for (at, outcome) in waiting.into_iter().zip(outcomes) {
            reports[at] = outcome.map_or_else(|refusal| refused(&refusal), |()| Report::Done);
        }
    }

    fn hear(&mut self, hits: &[Hit]) -> Report {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Report::Observed };
        let done = grip.firewall.hear(gate, hits);
        done.map_or_else(|refusal| refused(&refusal), |()| Report::Done)
    }

    /// Has everything heard that begins something, for a while: more sources are at the doors than
    /// the kernel can follow.
    pub fn flood(&mut self, span: Duration) {
        if let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) {
            // Without it a scan goes unseen, and packets that may be part of one are no knocks.
            let _ = grip.firewall.for_a_while(gate, gate.switch(), span);
        }
    }

    /// Has other firewalls let pass whom a door let in, where they turn strangers away; says how
    /// many of their chains had to be told.
    ///
    /// # Errors
    /// Why one of them was not.
    pub fn let_pass(&mut self) -> Result<usize, String> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Ok(0) };
        let Some(mark) = gate.doorway().mark else { return Ok(0) };
        let forwards = gate.doorway().nat.as_ref().is_some_and(Nat::forwards);
        let done = grip.firewall.let_pass(gate.table(), mark, forwards);
        done.map_err(|refusal| refusal.to_string())
    }

    /// Closes for so long what the gate closes on trial. The kernel opens it again by itself.
    ///
    /// # Errors
    /// Why not.
    pub fn try_closed(&mut self, span: Duration) -> Result<(), String> {
        self.try_out(Gate::trial, span)
    }

    /// Lets the policy on trial decide for so long. The kernel goes back by itself.
    ///
    /// # Errors
    /// Why not.
    pub fn try_policy(&mut self, span: Duration) -> Result<(), String> {
        self.try_out(Gate::policy_trial, span)
    }

    fn try_out(&mut self, what: fn(&Gate) -> Option<Switch>, span: Duration) -> Result<(), String> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Ok(()) };
        let done = grip.firewall.for_a_while(gate, what(gate), span);
        done.map_err(|refusal| refusal.to_string())
    }

    fn left_out(&self, part: Doing) -> Option<&str> {
        self.left_out.iter().find(|(doing, _)| *doing == part).map(|(_, why)| why.as_str())
    }

    /// Why the gate has no policy, where it should.
    #[must_use]
    pub fn lawless(&self) -> Option<&str> {
        self.left_out(Doing::InstallPolicy)
    }

    /// Packets that each counter of a policy counted, by its name.
    pub fn policy_counts(&mut self) -> Vec<(String, u64)> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Vec::new() };
        grip.firewall.policy_counts(gate).unwrap_or_default()
    }

    /// Packets that were too many, by whose measure was full.
    pub fn measured(&mut self) -> Vec<(Reason, u64)> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Vec::new() };
        grip.firewall.measured(gate).unwrap_or_default()
    }

    /// Why floods are not measured, where they should be.
    #[must_use]
    pub fn unmeasured(&self) -> Option<&str> {
        self.left_out(Doing::InstallFlood)
    }

    /// Why no SYNs are answered, where they should be.
    #[must_use]
    pub fn unproxied(&self) -> Option<&str> {
        self.left_out(Doing::InstallProxy)
    }

    /// Why nothing is told of closed ports, where it should be.
    #[must_use]
    pub fn unheard(&self) -> Option<&str> {
        self.left_out(Doing::InstallPortScan)
    }

    /// Why the gate does nothing for doors, where it should.
    #[must_use]
    pub fn shut(&self) -> Option<&str> {
        self.left_out(Doing::InstallDoors)
    }

    /// Why the gate translates nothing for doors, where it should.
    #[must_use]
    pub fn untranslated(&self) -> Option<&str> {
        self.left_out(Doing::InstallNat)
    }

    /// Packets that met a closed door, by opening.
    pub fn closed(&mut self) -> Vec<(Name, u64)> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Vec::new() };
        let counts = grip.firewall.closed(gate).unwrap_or_default();
        counts.into_iter().map(|(opening, packets, _)| (opening, packets)).collect()
    }

    /// What to poll for foreign changes.
    #[must_use]
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.grip.as_ref().ok()?.watch.as_ref().map(AsFd::as_fd)
    }

    /// Listens to the kernel no more, until [`hark`](Self::hark): who writes a million elements would
    /// have it prepare a notice for each.
    pub fn deafen(&mut self) {
        self.deaf = true;
        if let Ok(grip) = &mut self.grip {
            grip.watch = None;
        }
    }

    /// Listens again.
    pub fn hark(&mut self) {
        self.deaf = false;
        if let Ok(grip) = &mut self.grip {
            grip.watch = grip.firewall.watch();
        }
    }

    /// Takes away the table of lists that another run left behind.
    pub fn drop_lists(&mut self, table: &str) {
        if let Ok(grip) = &mut self.grip {
            // Where it cannot be done there is none.
            let _ = grip.firewall.remove_lists(table);
        }
    }

    /// Looks at what others did to the table.
    pub fn look(&mut self) -> Look {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Look::default() };
        let Some(watch) = &mut grip.watch else { return Look::default() };
        match watch.drain(gate) {
            Ok(seen) => Look {
                lost: seen.table_lost
                    || seen.structure_changed
                    || seen.elements_removed
                    || seen.overrun,
                by: seen.by.clone(),
                more: seen.more,
            },
            Err(_) => Look { lost: true, ..Look::default() },
        }
    }

    /// Whether the gate stands in the kernel as it should.
    pub fn stands(&mut self) -> bool {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return false };
        grip.firewall.exists(gate).unwrap_or(false)
    }

    /// Packets stopped, by scope.
    pub fn dropped(&mut self) -> Vec<(Name, u64)> {
        let (Ok(grip), Some(gate)) = (&mut self.grip, &self.gate) else { return Vec::new() };
        let counts = grip.firewall.dropped(gate).unwrap_or_default();
        counts.into_iter().map(|(scope, packets, _)| (scope, packets)).collect()
    }
}

fn refused(refusal: &Refusal) -> Report {
    Report::Refused { why: refusal.to_string(), gate_lost: refusal.is_gate_lost() }
}
