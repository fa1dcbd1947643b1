//! Who writes Asterisk's security events.

use std::collections::BTreeSet;

/// Asterisk's security events come from one thread for as long as it runs. Somebody who writes
/// a line of his own does not know its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Warden {
    thread: Vec<u8>,
    rival: Vec<u8>,
    rival_seen: u8,
    /// Threads that spoke up since the last quiet moment: somebody is guessing.
    guesses: BTreeSet<Vec<u8>>,
}

/// How often a new thread must speak, unanswered by the old one, to be believed.
const ENOUGH: u8 = 5;
/// So many wrong threads near forgeries, and the right one may be a guess.
const GUESSES: usize = 3;

/// How far a thread is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// It is the one.
    Whole,
    /// It may be a guess: what it says counts if no sign of forgery follows.
    Held,
    /// It is another.
    No,
}

impl Warden {
    /// How far a line of this thread is believed. Near a forgery no new thread is, and the known
    /// one not at once when somebody guesses.
    pub(super) fn judge(&mut self, thread: &[u8], alert: bool) -> Belief {
        if alert {
            let known = self.thread == thread;
            if !known && self.guesses.len() < GUESSES {
                self.guesses.insert(thread.to_vec());
            }
            return match known {
                true if self.guesses.len() < GUESSES => Belief::Whole,
                true => Belief::Held,
                false => Belief::No,
            };
        }
        self.guesses.clear();
        if self.thread.is_empty() {
            self.thread = thread.to_vec();
        }
        if self.thread == thread {
            self.rival_seen = 0;
            return Belief::Whole;
        }
        if self.rival != thread {
            self.rival = thread.to_vec();
            self.rival_seen = 0;
        }
        self.rival_seen += 1;
        if self.rival_seen >= ENOUGH {
            self.thread = thread.to_vec();
            self.rival_seen = 0;
            return Belief::Whole;
        }
        Belief::No
    }
}
