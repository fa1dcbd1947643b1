//! A few threads that run commands; who waits for what becomes of them is the engine's business.

use super::names::Names;
use super::process::Stop;
use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// Commands at most that run at the same time.
const THREADS: usize = 4;
/// Commands that wait at most.
const MOST: usize = 1024;

/// How often it is looked whether all are done.
const LOOK: Duration = Duration::from_millis(5);

/// A command and what becomes of it. It has to end when it is told to.
type Job<R> = Box<dyn FnOnce(&mut Names, &Stop) -> R + Send>;

struct Queue<R> {
    /// Each with whether it has to be done before the end.
    waiting: VecDeque<(bool, Job<R>)>,
    /// Threads that have nothing to do.
    idle: usize,
}

struct Shared<R> {
    queue: Mutex<Queue<R>>,
    news: Condvar,
    stop: Stop,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<R> Shared<R> {
    fn queue(&self) -> MutexGuard<'_, Queue<R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads, begun when there is work for them.
pub struct Pool<R> {
    name: &'static str,
    shared: Arc<Shared<R>>,
    tell: Sender<R>,
    results: Receiver<R>,
    threads: usize,
}

impl<R> fmt::Debug for Pool<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl<R: Send + 'static> Pool<R> {
    /// Without any work. Threads are called `name`; `wake` is called, on any of them, whenever
    /// there is a result.
    pub fn new(name: &'static str, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (tell, results) = channel();
        let shared = Shared {
            queue: Mutex::new(Queue { waiting: VecDeque::new(), idle: 0 }),
            news: Condvar::new(),
            stop: Stop::default(),
            wake: Arc::new(wake),
        };
        Self { name, shared: Arc::new(shared), tell, results, threads: 0 }
    }

    /// Has a command run; says whether it will be. Without room it is not.
    pub fn run(&mut self, job: impl FnOnce(&mut Names, &Stop) -> R + Send + 'static) -> bool {
        self.run_within(MOST, true, job)
    }

    /// The same, where half of the room is kept for others.
    pub fn run_behind(
        &mut self,
        job: impl FnOnce(&mut Names, &Stop) -> R + Send + 'static,
    ) -> bool {
        self.run_within(MOST / 2, false, job)
    }

    fn run_within(
        &mut self,
        most: usize,
        has_to_be: bool,
        job: impl FnOnce(&mut Names, &Stop) -> R + Send + 'static,
    ) -> bool {
        let mut queue = self.shared.queue();
        if queue.waiting.len() >= most {
            return false;
        }
        queue.waiting.push_back((has_to_be, Box::new(job)));
        let busy = queue.waiting.len() > queue.idle;
        drop(queue);
        self.shared.news.notify_one();
        if busy && self.threads < THREADS {
            let (shared, tell) = (Arc::clone(&self.shared), self.tell.clone());
            let thread = Builder::new().name(self.name.to_owned());
            if thread.spawn(move || work(&shared, &tell)).is_ok() {
                self.threads += 1;
            }
        }
        self.threads > 0
    }

    /// Waits until what runs is done, and what waits; not what was asked for to be run behind others,
    /// which is left out. `patience` at most.
    pub fn finish(&self, patience: Duration) {
        self.shared.queue().waiting.retain(|(has_to_be, _)| *has_to_be);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let queue = self.shared.queue();
            if queue.waiting.is_empty() && queue.idle == self.threads {
                return;
            }
            drop(queue);
            sleep(LOOK);
        }
    }

    /// What became of commands since the last call.
    pub fn take(&mut self) -> Vec<R> {
        self.results.try_iter().collect()
    }
}

impl<R> Drop for Pool<R> {
    fn drop(&mut self) {
        self.shared.queue().waiting.clear();
        self.shared.stop.ask(Duration::ZERO);
        self.shared.news.notify_all();
    }
}

fn work<R>(shared: &Shared<R>, tell: &Sender<R>) {
    let mut names = Names::default();
    loop {
        let mut queue = shared.queue();
        let job = loop {
            if shared.stop.left().is_some() {
                return;
            }
            if let Some((_, job)) = queue.waiting.pop_front() {
                break job;
            }
            queue.idle += 1;
            queue = shared.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        };
        drop(queue);
        if tell.send(job(&mut names, &shared.stop)).is_err() {
            return;
        }
        (shared.wake)();
    }
}
