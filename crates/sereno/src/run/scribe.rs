//! The store's own thread.

use sereno_core::addr::Prefix;
use sereno_core::gate::Name;
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Store};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

enum Job {
    Commit(Batch),
    Purge(Time),
    History { who: Prefix, most: usize, reply: Sender<Vec<Event>> },
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Done {
    /// The bans that are written down.
    pub written: Vec<(Name, Prefix)>,
    /// The batch, if it was refused.
    pub refused: Option<Batch>,
    /// What is wrong with the store.
    pub trouble: Option<String>,
    /// How long it took.
    pub spent: Duration,
}

/// Writes to the store, one batch after the other. Dropping it waits for the last one.
#[derive(Debug)]
pub struct Scribe {
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Starts the thread; `wake` is called on it whenever a batch is done.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(store: Store, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (jobs, todo) = channel();
        let (tell, done) = channel();
        let work = move || work(store, &todo, &tell, &wake);
        let thread = Builder::new().name("ledger".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), done, busy: false, thread: Some(thread) })
    }

    /// Whether a batch is on its way.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.busy
    }

    /// Hands over a batch. There must be none on its way.
    pub fn commit(&mut self, batch: Batch) {
        self.busy = true;
        self.send(Job::Commit(batch));
    }

    /// Has the store let go of what is old.
    pub fn purge(&self, now: Time) {
        self.send(Job::Purge(now));
    }

    /// What is written down of somebody; nothing if the store does not answer in time.
    #[must_use]
    pub fn history(&self, who: Prefix, most: usize, patience: Duration) -> Vec<Event> {
        let (reply, answer) = channel();
        self.send(Job::History { who, most, reply });
        answer.recv_timeout(patience).unwrap_or_default()
    }

    /// What became of the batch on its way, if that is known within `patience`.
    pub fn done(&mut self, patience: Duration) -> Option<Done> {
        let done = if self.busy { self.done.recv_timeout(patience).ok() } else { None };
        self.busy &= done.is_none();
        done
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only when this sender is gone.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut store: Store, todo: &Receiver<Job>, tell: &Sender<Done>, wake: &impl Fn()) {
    for job in todo {
        match job {
            Job::Commit(batch) => {
                let _ = tell.send(commit(&mut store, batch));
                wake();
            }
            // What cannot be let go now is tried again in an hour.
            Job::Purge(now) => drop(store.purge(now)),
            Job::History { who, most, reply } => {
                let _ = reply.send(store.history(Some(who), most).unwrap_or_default());
            }
        }
    }
}

fn commit(store: &mut Store, batch: Batch) -> Done {
    let began = Instant::now();
    let result = store.commit(&batch);
    let spent = began.elapsed();
    match result {
        Ok(()) => {
            let banned = |event: &Event| match event {
                Event::Ban(ban) => Some((ban.jail, ban.prefix)),
                _ => None,
            };
            let written = batch.events.iter().filter_map(banned).collect();
            Done { written, refused: None, trouble: store.trouble(), spent }
        }
        Err(e) => {
            Done { written: Vec::new(), refused: Some(batch), trouble: Some(e.to_string()), spent }
        }
    }
}
