//! Who writes Asterisk's security events.

/// Asterisk's security events come from one thread for as long as it runs. Somebody who writes
/// a line of his own does not know its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Warden {
    thread: Vec<u8>,
    rival: Vec<u8>,
    rival_seen: u8,
}

impl Warden {
    pub(super) fn admits(&mut self, thread: &[u8]) -> bool {
        /// How often a new thread must speak, unanswered by the old one, to be believed.
        const ENOUGH: u8 = 5;
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
