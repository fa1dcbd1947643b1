//! Questions: commands that say of somebody who is to be banned whether to leave him alone
//! (`ignorecommand`). A few threads ask; who waits for an answer is the engine's business.

use super::names::Names;
use super::process::{Ended, Failure, Stop, run};
use sereno_fail2ban::act::{Script, Ticket};
use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// How long a command may take, as in fail2ban.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Commands at most that run at the same time.
const THREADS: usize = 4;
/// Questions that wait at most.
const MOST: usize = 1024;
/// The exit code of a command that finds nothing to spare somebody for.
const NO: i32 = 1;

/// What a command said of somebody.
#[derive(Debug)]
pub struct Answer<K> {
    /// Who asked about whom.
    pub key: K,
    /// What its configuration calls the jail.
    pub jail: String,
    /// Whether he is left alone; or what kept the command from saying it, with what it printed.
    pub spare: Result<bool, (Failure, String)>,
}

struct Question<K> {
    key: K,
    script: Arc<Script>,
    ticket: Ticket,
}

struct Queue<K> {
    waiting: VecDeque<Question<K>>,
    /// Threads that have nothing to do.
    idle: usize,
}

struct Shared<K> {
    queue: Mutex<Queue<K>>,
    news: Condvar,
    stop: Stop,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl<K> Shared<K> {
    fn queue(&self) -> MutexGuard<'_, Queue<K>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever asks.
pub struct Asks<K> {
    shared: Arc<Shared<K>>,
    tell: Sender<Answer<K>>,
    answers: Receiver<Answer<K>>,
    threads: usize,
}

impl<K> fmt::Debug for Asks<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asks").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl<K: Send + 'static> Asks<K> {
    /// Without any questions. `wake` is called, on any thread, whenever there is an answer.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (tell, answers) = channel();
        let shared = Shared {
            queue: Mutex::new(Queue { waiting: VecDeque::new(), idle: 0 }),
            news: Condvar::new(),
            stop: Stop::default(),
            wake: Arc::new(wake),
        };
        Self { shared: Arc::new(shared), tell, answers, threads: 0 }
    }

    /// Asks a command about somebody; says whether it will be asked. Without room it is not.
    pub fn ask(&mut self, key: K, script: &Arc<Script>, ticket: Ticket) -> bool {
        let mut queue = self.shared.queue();
        if queue.waiting.len() >= MOST {
            return false;
        }
        queue.waiting.push_back(Question { key, script: Arc::clone(script), ticket });
        let busy = queue.waiting.len() > queue.idle;
        drop(queue);
        self.shared.news.notify_one();
        if busy && self.threads < THREADS {
            let (shared, tell) = (Arc::clone(&self.shared), self.tell.clone());
            let name = "ignorecommand".to_owned();
            if Builder::new().name(name).spawn(move || work(&shared, &tell)).is_ok() {
                self.threads += 1;
            }
        }
        self.threads > 0
    }

    /// The answers that came.
    pub fn take(&mut self) -> Vec<Answer<K>> {
        self.answers.try_iter().collect()
    }
}

impl<K> Drop for Asks<K> {
    fn drop(&mut self) {
        self.shared.queue().waiting.clear();
        self.shared.stop.ask(Duration::ZERO);
        self.shared.news.notify_all();
    }
}

fn work<K>(shared: &Shared<K>, tell: &Sender<Answer<K>>) {
    let mut names = Names::default();
    loop {
        let mut queue = shared.queue();
        let question = loop {
            if shared.stop.left().is_some() {
                return;
            }
            if let Some(question) = queue.waiting.pop_front() {
                break question;
            }
            queue.idle += 1;
            queue = shared.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        };
        drop(queue);
        let Question { key, script, ticket } = question;
        let spare = answer(&script, &ticket, &mut names, &shared.stop);
        if tell.send(Answer { key, jail: ticket.jail, spare }).is_err() {
            return;
        }
        (shared.wake)();
    }
}

fn answer(
    script: &Script,
    ticket: &Ticket,
    names: &mut Names,
    stop: &Stop,
) -> Result<bool, (Failure, String)> {
    let Ended { result, output, .. } = told(script, ticket, names, TIMEOUT, stop);
    match result {
        Ok(()) => Ok(true),
        Err(Failure::Exit(NO)) => Ok(false),
        Err(failure) => Err((failure, output)),
    }
}

/// Runs a script with what a ticket says in its environment.
pub(super) fn told(
    script: &Script,
    ticket: &Ticket,
    names: &mut Names,
    timeout: Duration,
    stop: &Stop,
) -> Ended {
    let values = match ticket.environment(script) {
        Ok(values) => values,
        Err(unfit) => {
            let result = Err(Failure::Unfit(unfit.to_string()));
            return Ended { result, output: String::new(), spent: Duration::ZERO };
        }
    };
    let values: Vec<(String, String)> =
        values.into_iter().map(|(name, value)| (name, names.text(value, stop))).collect();
    run(&script.text, &values, timeout, stop)
}
