//! Commands of actions, as fail2ban runs them: each action in a thread of its own, so that one that
//! hangs delays nobody else.
//!
//! Scripts run by `/bin/sh -c` in a process group of their own, from `/`, with standard input empty
//! and an environment that has nothing but the usual and the values of the ban. One that takes too
//! long is killed with all it started. Nothing that a log line says is part of a script
//! ([`sereno_fail2ban::act`]).

mod asks;
mod names;
mod pool;
mod process;
mod queue;
mod worker;

pub use asks::ask;
pub use names::Names;
pub use pool::Pool;
pub use process::{Ended, Failure, Stop, run};

use queue::{Job, LASTING, MESSAGES, Queue};
use sereno_fail2ban::act::{Commands, Operation, Ticket};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};
use worker::{Shared, Worker};

/// How long a killed command may take to be gone, beyond the patience of who waits.
const GRACE: Duration = Duration::from_secs(3);

/// What became of something that an action had to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The jail.
    pub jail: String,
    /// The action's name in it.
    pub action: String,
    /// What it was.
    pub operation: Operation,
    /// Whom it was about.
    pub id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// How long the command took.
    pub spent: Duration,
}

/// See [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went well; or there is no command for it.
    Done,
    /// It did not.
    Failed {
        /// Why.
        failure: Failure,
        /// The beginning of what it printed, up to 64 KiB. May contain what log lines say.
        output: String,
    },
    /// So much is pending already that a ban was not taken. It should be asked for again.
    Full,
    /// This many messages were not sent: too many were waiting, or it was the end.
    Dropped(u64),
    /// This many bans could not be lifted before the end.
    Left(usize),
}

/// Whether an action has just begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It knows of no bans yet.
    New,
    /// It was there with the same commands, and goes on.
    Same,
}

struct Running {
    commands: Commands,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

type Key = (String, String);

/// Runs the commands of all actions.
pub struct Runner {
    actions: BTreeMap<Key, Running>,
    /// Those that were told to stop.
    ending: Vec<(Key, JoinHandle<()>)>,
    tell: Sender<Report>,
    reports: Receiver<Report>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.actions.keys()).finish()
    }
}

impl Runner {
    /// Without any actions. `wake` is called, on any thread, whenever there is a report.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (tell, reports) = channel();
        let (actions, ending) = (BTreeMap::new(), Vec::new());
        Self { actions, ending, tell, reports, wake: Arc::new(wake) }
    }

    /// Begins with an action, or goes on with it if its commands are the same (then `actionreload`
    /// runs). One with other commands under this name is stopped first, within `patience`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        &mut self,
        jail: &str,
        action: &str,
        commands: Commands,
        patience: Duration,
    ) -> io::Result<Begun> {
        let key = (jail.to_owned(), action.to_owned());
        if self.actions.get(&key).is_some_and(|running| running.commands == commands) {
            self.push(&key, Job::Reload);
            return Ok(Begun::Same);
        }
        self.stop(jail, action, patience);
        // Its predecessor takes down what this one puts up.
        let mut before = Vec::new();
        for at in (0..self.ending.len()).rev() {
            if self.ending[at].0 == key {
                before.push(self.ending.swap_remove(at).1);
            }
        }
        let lasting = commands.lasting();
        let limit = if lasting { LASTING } else { MESSAGES };
        let (queue, news) = (Mutex::new(Queue::new(lasting, limit)), Condvar::new());
        let shared = Arc::new(Shared { queue, news, stop: Stop::default() });
        let worker = Worker {
            jail: jail.to_owned(),
            action: action.to_owned(),
            commands: commands.clone(),
            shared: shared.clone(),
            tell: self.tell.clone(),
            wake: self.wake.clone(),
            names: Names::default(),
            started: [false; 2],
        };
        let work = move || {
            before.into_iter().for_each(|thread| drop(thread.join()));
            worker.work();
        };
        let thread = Builder::new().name("action".to_owned()).spawn(work)?;
        self.actions.insert(key.clone(), Running { commands, shared, thread });
        self.push(&key, Job::Start);
        Ok(Begun::New)
    }

    /// Somebody is banned: all actions of the jail.
    pub fn ban(&mut self, ticket: &Ticket) {
        self.all(ticket, Job::Ban);
    }

    /// Somebody is let in again. Of the ticket, jail and `id` count: the rest is what the action was
    /// told with the ban.
    pub fn unban(&mut self, ticket: &Ticket) {
        self.all(ticket, Job::Unban);
    }

    /// A ban ends later than it was told.
    pub fn prolong(&mut self, ticket: &Ticket) {
        self.all(ticket, Job::Prolong);
    }

    /// Everybody is let in again.
    pub fn flush(&mut self, jail: &str) {
        let of_jail = self.actions.keys().filter(|(of, _)| of == jail);
        for key in of_jail.cloned().collect::<Vec<_>>() {
            self.push(&key, Job::Flush);
        }
    }

    /// Somebody is banned, and one action of the jail has not heard of it.
    pub fn ban_by(&mut self, action: &str, ticket: &Ticket) {
        let key = (ticket.jail.clone(), action.to_owned());
        let heard = |running: &Running| ticket.restored && running.commands.norestored;
        if self.actions.get(&key).is_some_and(|running| !heard(running)) {
            self.push(&key, Job::Ban(Arc::new(ticket.clone())));
        }
    }

    fn all(&mut self, ticket: &Ticket, job: impl Fn(Arc<Ticket>) -> Job) {
        let ticket = Arc::new(ticket.clone());
        let of_jail = self.actions.iter().filter(|((of, _), running)| {
            *of == ticket.jail && !(ticket.restored && running.commands.norestored)
        });
        let keys: Vec<Key> = of_jail.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.push(&key, job(ticket.clone()));
        }
    }

    fn push(&self, key: &Key, job: Job) {
        let Some(running) = self.actions.get(key) else { return };
        let (operation, id) = match &job {
            Job::Ban(ticket) => (Operation::Ban, Some(ticket.id.clone())),
            _ => (Operation::Reload, None),
        };
        let pushed = running.shared.queue().push(job);
        running.shared.news.notify_one();
        if pushed.is_err() {
            let (jail, action) = key.clone();
            let (outcome, spent) = (Outcome::Full, Duration::ZERO);
            let _ = self.tell.send(Report { jail, action, operation, id, outcome, spent });
            (self.wake)();
        }
    }

    /// For how many more bans an action has room at least.
    #[must_use]
    pub fn room(&self, jail: &str, action: &str) -> usize {
        LASTING.saturating_sub(self.pending(jail, action))
    }

    /// How much is pending for an action.
    #[must_use]
    pub fn pending(&self, jail: &str, action: &str) -> usize {
        let running = self.actions.get(&(jail.to_owned(), action.to_owned()));
        running.map_or(0, |running| running.shared.queue().len())
    }

    /// Stops an action within `patience`: its bans are lifted (by `actionflush`, if there is one),
    /// then it is stopped. Does not wait for that.
    pub fn stop(&mut self, jail: &str, action: &str, patience: Duration) {
        let key = (jail.to_owned(), action.to_owned());
        if let Some(running) = self.actions.remove(&key) {
            Self::end(&running, patience);
            self.ending.push((key, running.thread));
        }
        self.ending.retain(|(_, thread)| !thread.is_finished());
    }

    fn end(running: &Running, patience: Duration) {
        // The lock makes sure that the thread either sees it or is waiting for the news.
        let queue = running.shared.queue();
        running.shared.stop.ask(patience);
        drop(queue);
        running.shared.news.notify_all();
    }

    /// Stops all actions at once, and waits until they have stopped, `patience` at most; commands
    /// that run longer are killed.
    pub fn stop_all(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience + GRACE;
        for (key, running) in std::mem::take(&mut self.actions) {
            Self::end(&running, patience);
            self.ending.push((key, running.thread));
        }
        while !self.ending.is_empty() && Instant::now() < deadline {
            self.ending.retain(|(_, thread)| !thread.is_finished());
            sleep(Duration::from_millis(5));
        }
    }

    /// What became of everything since the last call.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.reports.try_iter().collect()
    }
}
