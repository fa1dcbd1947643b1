//! Who writes Asterisk's security events.

use std::collections::BTreeSet;

/// Asterisk's security events come from one thread for as long as it runs. Somebody who writes
/// a line of his own does not know its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Warden {
    thread: Vec<u8>,
    rival: Vec<u8>,
    rival_seen: u8,
    /// Threads that spoke up in the current shadow: somebody is guessing.
    guesses: BTreeSet<Vec<u8>>,
}

/// How often a new thread must speak, unanswered by the old one, to be believed.
const ENOUGH: u8 = 5;
/// So many wrong threads in one shadow, and the right one may be a guess.
const GUESSES: usize = 3;

impl Warden {
    /// Whether a line of this thread is believed. In the shadow of a forgery no new thread is,
    /// and not even the known one once somebody guesses.
    pub(super) fn admits(&mut self, thread: &[u8], shadow: bool) -> bool {
        if shadow {
            if self.thread != thread && self.guesses.len() < GUESSES {
                self.guesses.insert(thread.to_vec());
            }
            return self.thread == thread && self.guesses.len() < GUESSES;
        }
        self.guesses.clear();
        if self.thread.is_empty() {
            self.thread = thread.to_vec();
        }
        if self.thread == thread {
            self.rival_seen = 0;
            return true;
        }
        if self.rival != thread {
            self.rival = thread.to_vec();
            self.rival_seen = 0;
        }
        self.rival_seen += 1;
        if self.rival_seen >= ENOUGH {
            self.thread = thread.to_vec();
            self.rival_seen = 0;
            return true;
        }
        false
    }
}
