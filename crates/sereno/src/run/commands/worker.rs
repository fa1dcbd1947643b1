//! The thread of one action: does one thing after the other, as fail2ban's `CommandAction` does.
//!
//! The start waits for the first ban if the action says so, for each family if they differ. A
//! command that failed is tried again once. Before that `actioncheck` is asked, if there is one;
//! if it says that something is missing, `actionrepair` puts it back, or a stop and a start, and
//! then all who are held are banned again.

use super::asks::told;
use super::process::{Ended, Failure, Stop};
use super::queue::{Held, Job, LASTING, Queue};
use super::{Outcome, Report, names::Names};
use sereno_fail2ban::Family;
use sereno_fail2ban::act::{Commands, Operation, Script, Ticket};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the thread and the others share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    /// Something came, or the end is wanted.
    pub(super) news: Condvar,
    pub(super) stop: Stop,
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nobody panics with it, and if somebody did, what is pending would still be pending.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Worker {
    pub(super) jail: String,
    pub(super) action: String,
    pub(super) commands: Commands,
    pub(super) shared: Arc<Shared>,
    pub(super) tell: Sender<Report>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
    pub(super) names: Names,
    /// By family; the first alone if they do not differ.
    pub(super) started: [bool; 2],
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Worker {
    /// Works until the end is wanted.
    pub(super) fn work(mut self) {
        let shared = self.shared.clone();
        loop {
            let (job, dropped) = {
                let mut queue = shared.queue();
                loop {
                    let over = self.shared.stop.left().is_some();
                    let dropped = queue.take_dropped();
                    let job = if over { None } else { queue.next() };
                    if over || job.is_some() || dropped > 0 {
                        break (job, dropped);
                    }
                    queue = shared.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            };
            if dropped > 0 {
                self.report(Operation::Ban, None, Outcome::Dropped(dropped), Duration::ZERO);
            }
            match job {
                Some(job) => self.job(job),
                None if shared.stop.left().is_some() => break,
                None => {}
            }
        }
        self.finish();
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::Start if self.commands.on_demand => {}
            Job::Start => {
                for family in self.units() {
                    self.start(family);
                }
            }

            Job::Ban(ticket) => self.ban(&ticket),
            Job::Unban(ticket) => self.unban(&ticket),
            Job::Again(ticket) => {
                self.unban(&ticket);
                self.ban(&ticket);
            }
            Job::Prolong(ticket) => {
                let held = self.shared.queue().held.get(&ticket.id).is_some_and(|held| held.sure);
                if !held {
                    // What it should prolong failed.
                    self.ban(&ticket);
                } else if self.processed(Operation::Prolong, &ticket) {
                    self.hold(&ticket, true);
                }
            }
            Job::Flush => self.flush(Duration::ZERO),
            Job::Reload => {
                for family in self.running() {
                    self.general(Operation::Reload, family);
                }
            }
        }
    }

    /// The families that are started and stopped: one, if they do not differ.
    fn units(&self) -> impl Iterator<Item = Family> + use<> {
        FAMILIES.into_iter().take(if self.by_family() { 2 } else { 1 })
    }

    fn by_family(&self) -> bool {
        let about = |operation| {
            let needs = &self.commands.script(operation, Family::V4).needs;
            needs.iter().any(|one| one.tag() == "family")
        };
        self.commands.by_family
            || (self.commands.on_demand && (about(Operation::Start) || about(Operation::Stop)))
    }

    /// The unit that a family belongs to.
    fn unit(&self, family: Family) -> Family {
        if self.by_family() { family } else { Family::V4 }
    }

    fn running(&self) -> Vec<Family> {
        self.units().filter(|family| self.started[*family as usize]).collect()
    }

    fn start(&mut self, family: Family) -> bool {
        let done = self.general(Operation::Start, family);
        self.started[family as usize] = done;
        done
    }

    /// Runs a command that is about nobody; says whether it went well.
    fn general(&mut self, operation: Operation, family: Family) -> bool {
        if self.commands.script(operation, family).is_empty() {
            return true;
        }
        let ticket = self.nobody(family);
        let ended = self.run(operation, family, &ticket);
        let done = ended.result.is_ok();
        self.ended(operation, None, ended);
        done
    }

    /// What commands that are about nobody are told.
    fn nobody(&self, family: Family) -> Ticket {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let addr: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ticket {
            jail: self.jail.clone(),
            time: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            addr: self.by_family().then_some(addr),
            ..Ticket::default()
        }
    }

    fn run(&mut self, operation: Operation, family: Family, ticket: &Ticket) -> Ended {
        let script: &Script = self.commands.script(operation, family);
        if script.is_empty() {
            return Ended { result: Ok(()), output: String::new(), spent: Duration::ZERO };
        }
        told(script, ticket, &mut self.names, self.commands.timeout, &self.shared.stop)
    }

    fn ban(&mut self, ticket: &Arc<Ticket>) {
        let unit = self.unit(ticket.family());
        if self.commands.on_demand && !self.started[unit as usize] && !self.start(unit) {
            let failure = Failure::System("the action could not be started".to_owned());
            let outcome = Outcome::Failed { failure, output: String::new() };
            self.report(Operation::Ban, Some(ticket), outcome, Duration::ZERO);
            return;
        }
        let sure = self.processed(Operation::Ban, ticket);
        self.hold(ticket, sure);
    }

    fn unban(&mut self, ticket: &Ticket) {
        let held = self.shared.queue().held.get(&ticket.id).map(|held| held.ticket.clone());
        if let Some(held) = held {
            // One that cannot be lifted is reported, and forgotten: it may be gone already.
            self.processed(Operation::Unban, &held);
            self.shared.queue().held.remove(&ticket.id);
        }
    }

    /// Remembers who is held, without what no later command asks for.
    fn hold(&mut self, ticket: &Ticket, sure: bool) {
        if !self.commands.lasting() {
            return;
        }
        let later = [Operation::Unban, Operation::Reban, Operation::Ban, Operation::Prolong];
        let family = ticket.family();
        // The ban's own command may be needed again after a repair, if that can be.
        let repairs = !self.commands.script(Operation::Check, family).is_empty();
        let later = later.into_iter().filter(|o| repairs || *o != Operation::Ban);
        let scripts = later.map(|operation| self.commands.script(operation, family));
        let kept = Arc::new(ticket.kept_for(scripts));
        let mut queue = self.shared.queue();
        // Bans that failed are kept to be lifted, as a part may have been done; but not without end.
        if sure || queue.held.len() < LASTING {
            queue.held.insert(ticket.id.clone(), Held { ticket: kept, sure });
        }
    }

    /// Runs a command about somebody, with everything that belongs to a failure; says whether it
    /// went well in the end.
    fn processed(&mut self, operation: Operation, ticket: &Ticket) -> bool {
        let family = ticket.family();
        let unit = self.unit(family);
        let first = self.run(operation, family, ticket);
        if first.result.is_ok() || matches!(first.result, Err(Failure::Unfit(_))) {
            let done = first.result.is_ok();
            self.ended(operation, Some(ticket), first);
            return done;
        }
        let check = !self.commands.script(Operation::Check, unit).is_empty();
        // What took too long once would hold up the others once more.
        let hopeless = matches!(first.result, Err(Failure::Timeout(_))) && !check;
        let mut repaired = false;
        if hopeless || (check && !self.sane(operation, unit, &mut repaired)) {
            self.ended(operation, Some(ticket), first);
            return false;
        }
        let second = self.run(operation, family, ticket);
        let done = second.result.is_ok();
        self.ended(operation, Some(ticket), second);
        if repaired {
            self.ban_again(unit, &ticket.id);
        }
        done
    }

    /// Whether what the start did is there, or could be put back.
    fn sane(&mut self, operation: Operation, unit: Family, repaired: &mut bool) -> bool {
        let nobody = self.nobody(unit);
        if self.run(Operation::Check, unit, &nobody).result.is_ok() {
            return true;
        }
        if operation == Operation::Unban && !self.commands.repair_on_unban {
            return false;
        }
        *repaired = true;
        if self.commands.script(Operation::Repair, unit).is_empty() {
            self.general(Operation::Stop, unit);
            self.start(unit);
        } else {
            self.started[unit as usize] = self.general(Operation::Repair, unit);
        }
        self.started[unit as usize] && self.general(Operation::Check, unit)
    }

    /// Bans all who are held again, but one.
    fn ban_again(&mut self, unit: Family, but: &str) {
        for ticket in self.held().iter().filter(|ticket| ticket.id != but) {
            if self.unit(ticket.family()) != unit {
                continue;
            }
            if self.shared.stop.left().is_some() {
                return;
            }
            let family = ticket.family();
            let own = !self.commands.script(Operation::Reban, family).is_empty();
            let operation = if own { Operation::Reban } else { Operation::Ban };
            let ended = self.run(operation, family, ticket);
            let sure = ended.result.is_ok();
            self.ended(Operation::Reban, Some(ticket), ended);
            if let Some(held) = self.shared.queue().held.get_mut(&ticket.id) {
                held.sure = sure;
            }
        }
    }

    fn held(&self) -> Vec<Arc<Ticket>> {
        self.shared.queue().held.values().map(|held| held.ticket.clone()).collect()
    }

    /// Lifts everything: at once, where there is a command for it. At the end, `reserve` of the
    /// time left is not used up.
    fn flush(&mut self, reserve: Duration) {
        for unit in self.units() {
            let holds = self.held().iter().any(|ticket| self.unit(ticket.family()) == unit);
            let at_once = !self.commands.script(Operation::Flush, unit).is_empty();
            if at_once && holds && self.general(Operation::Flush, unit) {
                let by_family = self.by_family();
                let other = |held: &mut Held| by_family && held.ticket.family() != unit;
                self.shared.queue().held.retain(|_, held| other(held));
            }
        }
        for ticket in self.held() {
            if self.shared.stop.left().is_some_and(|left| left <= reserve) {
                break;
            }
            self.unban(&ticket);
        }
    }

    /// The end: what is pending, then all bans, then the action itself.
    fn finish(&mut self) {
        let patience = self.shared.stop.left().unwrap_or_default();
        let half = patience / 2;
        while !self.commands.lasting() && self.shared.stop.left().is_some_and(|left| left > half) {
            let Some(job) = self.shared.queue().next() else { break };
            self.job(job);
        }
        let dropped = self.shared.queue().clear() as u64;
        if dropped > 0 {
            self.report(Operation::Ban, None, Outcome::Dropped(dropped), Duration::ZERO);
        }
        self.flush(patience / 5);
        let left = self.shared.queue().held.len();
        if left > 0 {
            self.report(Operation::Unban, None, Outcome::Left(left), Duration::ZERO);
        }
        for family in self.running() {
            self.general(Operation::Stop, family);
        }
    }

    fn ended(&self, operation: Operation, ticket: Option<&Ticket>, ended: Ended) {
        let outcome = match ended.result {
            Ok(()) => Outcome::Done,
            Err(failure) => Outcome::Failed { failure, output: ended.output },
        };
        self.report(operation, ticket, outcome, ended.spent);
    }

    fn report(
        &self,
        operation: Operation,
        ticket: Option<&Ticket>,
        outcome: Outcome,
        spent: Duration,
    ) {
        let (jail, action) = (self.jail.clone(), self.action.clone());
        let id = ticket.map(|ticket| ticket.id.clone());
        // Nobody listens any more when everything ends.
        let _ = self.tell.send(Report { jail, action, operation, id, outcome, spent });
        (self.wake)();
    }
}
