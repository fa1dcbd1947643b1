//! What an action still has to do, and whom it holds.
//!
//! Two kinds of actions. A **lasting** one has something to lift: for each address at most one
//! thing is pending, and what comes later changes it, so that the end is right whatever overtook
//! what, and a queue cannot grow past the bans there are. A **message** is sent once and forgotten:
//! these wait in line, and when there are too many, the oldest goes.

use sereno_fail2ban::act::Ticket;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Addresses for which something can be pending.
pub(super) const LASTING: usize = 65_536;
/// Messages that can wait.
pub(super) const MESSAGES: usize = 1_000;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Job {
    Start,
    Ban(Arc<Ticket>),
    Unban(Arc<Ticket>),
    /// Lifts, then bans again.
    Again(Arc<Ticket>),
    Prolong(Arc<Ticket>),
    Flush,
    Reload,
}

/// What is known of somebody who was banned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) ticket: Arc<Ticket>,
    /// Whether the command went well. If not, part of it may have been done.
    pub(super) sure: bool,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The queue of one action.
#[derive(Debug)]
pub(super) struct Queue {
    lasting: bool,
    limit: usize,
    order: VecDeque<Entry>,
    /// What is pending for each address, of a lasting action; `None` if that came to nothing. Each
    /// has its entry in `order`.
    pending: BTreeMap<String, Option<Job>>,
    /// Whom the action holds; of a lasting one.
    pub(super) held: BTreeMap<String, Held>,
    /// Who is being dealt with, and whether to be held.
    running: Option<(String, bool)>,
    /// Messages that had to go.
    dropped: u64,
}

#[derive(Debug)]
enum Entry {
    /// What is pending for somebody, if it still is.
    Of(String),
    Job(Job),
}

impl Queue {
    pub(super) fn new(lasting: bool, limit: usize) -> Self {
        Self {
            lasting,
            limit,
            order: VecDeque::new(),
            pending: BTreeMap::new(),
            held: BTreeMap::new(),
            running: None,
            dropped: 0,
        }
    }

    /// Adds a job.
    pub(super) fn push(&mut self, job: Job) -> Result<(), Full> {
        let ticket = match &job {
            Job::Start | Job::Reload => {
                self.order.push_back(Entry::Job(job));
                return Ok(());
            }
            Job::Flush => {
                // What is pending is lifted by it, or need not begin.
                self.pending.clear();
                self.order.retain(|entry| matches!(entry, Entry::Job(_)));
                self.order.push_back(Entry::Job(job));
                return Ok(());
            }
            Job::Ban(ticket) | Job::Unban(ticket) | Job::Again(ticket) | Job::Prolong(ticket) => {
                ticket.clone()
            }
        };
        if self.lasting { self.push_lasting(&ticket, job) } else { self.push_message(job) }
    }

    fn push_message(&mut self, job: Job) -> Result<(), Full> {
        if !matches!(job, Job::Ban(_)) {
            // There is nothing to lift or to prolong.
            return Ok(());
        }
        if self.order.len() >= self.limit {
            let ban = |entry: &Entry| matches!(entry, Entry::Job(Job::Ban(_)));
            if let Some(oldest) = self.order.iter().position(ban) {
                self.order.remove(oldest);
                self.dropped += 1;
            }
        }
        self.order.push_back(Entry::Job(job));
        Ok(())
    }

    fn push_lasting(&mut self, ticket: &Arc<Ticket>, job: Job) -> Result<(), Full> {
        let id = ticket.id.as_str();
        let held = self.held.get(id);
        let (there, begun) = match &self.running {
            Some((running, holds)) if running == id => (*holds, *holds),
            _ => (held.is_some_and(|held| held.sure), held.is_some()),
        };
        let (slot, ticket) = (self.pending.get(id), ticket.clone());
        let before = slot.and_then(Option::as_ref);
        let next = match (before, job) {
            // It has not begun, so there is nothing to lift.
            (Some(Job::Ban(_)), Job::Unban(_)) if !begun => {
                self.pending.insert(id.to_owned(), None);
                return Ok(());
            }
            (Some(Job::Ban(_)), Job::Ban(_) | Job::Prolong(_)) => Job::Ban(ticket),
            (
                Some(Job::Unban(_) | Job::Again(_)),
                Job::Ban(_) | Job::Prolong(_) | Job::Again(_),
            ) => Job::Again(ticket),
            (Some(Job::Prolong(_)), Job::Ban(_)) => Job::Prolong(ticket),
            (Some(_), job) => job,
            (None, Job::Ban(_)) if there => Job::Prolong(ticket),
            (None, Job::Ban(_)) if slot.is_none() && self.pending.len() >= self.limit => {
                return Err(Full);
            }
            (None, Job::Unban(_) | Job::Prolong(_)) if !begun => return Ok(()),
            (None, job) => job,
        };
        if slot.is_none() {
            self.order.push_back(Entry::Of(id.to_owned()));
        }
        self.pending.insert(id.to_owned(), Some(next));
        Ok(())
    }

    /// The next job. It is being done until the next call.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.running = None;
        while let Some(entry) = self.order.pop_front() {
            match entry {
                Entry::Job(job) => return Some(job),
                Entry::Of(id) => {
                    if let Some(Some(job)) = self.pending.remove(&id) {
                        self.running = Some((id, !matches!(job, Job::Unban(_))));
                        return Some(job);
                    }
                }
            }
        }
        None
    }

    /// How many messages had to go since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// How much is pending.
    pub(super) fn len(&self) -> usize {
        if self.lasting { self.pending.len() } else { self.order.len() }
    }

    /// Forgets what is pending; gives the number of bans among it that were not begun.
    pub(super) fn clear(&mut self) -> usize {
        let ban = |job: &&Option<Job>| matches!(job, Some(Job::Ban(_)));
        let waiting = self.pending.values().filter(ban).count();
        let messages = self.order.iter().filter(|e| matches!(e, Entry::Job(Job::Ban(_)))).count();
        self.pending.clear();
        self.order.clear();
        waiting + messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ticket(id: usize) -> Arc<Ticket> {
        Arc::new(Ticket { id: id.to_string(), ..Ticket::default() })
    }

    #[test]
    fn the_oldest_message_goes_and_is_counted() {
        let mut queue = Queue::new(false, 3);
        queue.push(Job::Start).unwrap();
        for id in 0..5 {
            queue.push(Job::Ban(ticket(id))).unwrap();
        }
        assert_eq!(queue.take_dropped(), 3);
        assert_eq!(queue.next(), Some(Job::Start));
        assert_eq!(queue.next(), Some(Job::Ban(ticket(3))));
        assert_eq!((queue.len(), queue.clear(), queue.next()), (1, 1, None));
    }

    #[test]
    fn a_lasting_ban_is_refused_rather_than_lost() {
        let mut queue = Queue::new(true, 2);
        for id in 0..2 {
            queue.push(Job::Ban(ticket(id))).unwrap();
        }
        assert_eq!(queue.push(Job::Ban(ticket(2))), Err(Full));
        queue.held.insert("9".to_owned(), Held { ticket: ticket(9), sure: true });
        assert_eq!(queue.push(Job::Unban(ticket(9))), Ok(()));
        assert_eq!(queue.push(Job::Unban(ticket(0))), Ok(()));
        assert_eq!(queue.next(), Some(Job::Ban(ticket(1))));
        assert_eq!(queue.next(), Some(Job::Unban(ticket(9))));
        assert_eq!(queue.next(), None);
    }

    /// What the commands of an action did, one after the other.
    #[derive(Default)]
    struct Done {
        banned: BTreeSet<String>,
        current: Option<Job>,
    }

    impl Done {
        /// Ends what is being done, or begins the next; says whether there was anything.
        fn step(&mut self, queue: &mut Queue) -> bool {
            let Some(job) = self.current.take() else {
                self.current = queue.next();
                return self.current.is_some();
            };
            let (lift, add, ticket) = match job {
                Job::Ban(ticket) => (false, true, ticket),
                Job::Unban(ticket) => (true, false, ticket),
                Job::Again(ticket) => (true, true, ticket),
                Job::Prolong(ticket) => {
                    assert!(self.banned.contains(&ticket.id));
                    return true;
                }
                _ => return true,
            };
            if lift {
                assert!(self.banned.remove(&ticket.id));
                queue.held.remove(&ticket.id);
            }
            if add {
                assert!(self.banned.insert(ticket.id.clone()));
                queue.held.insert(ticket.id.clone(), Held { ticket, sure: true });
            }
            true
        }
    }

    proptest! {
        /// Whatever comes in whatever order: in the end those are held who should be, and nobody
        /// is banned twice or lifted without a ban.
        #[test]
        fn the_end_is_right(steps in prop::collection::vec((0usize..3, 0usize..6), 0..80)) {
            let mut queue = Queue::new(true, 100);
            let (mut wanted, mut done) = (BTreeSet::new(), Done::default());
            for (who, step) in steps {
                let id = who.to_string();
                let job = match step {
                    0 | 1 => Job::Ban(ticket(who)),
                    2 => Job::Unban(ticket(who)),
                    3 if wanted.contains(&id) => Job::Prolong(ticket(who)),
                    _ => {
                        done.step(&mut queue);
                        continue;
                    }
                };
                if step == 2 { wanted.remove(&id) } else { wanted.insert(id) };
                queue.push(job).unwrap();
                prop_assert!(queue.order.len() == queue.pending.len());
            }
            while done.step(&mut queue) {}
            prop_assert_eq!(done.banned, wanted);
        }
    }
}
