//! Nothing comes in any more, until somebody says that it is over: for the console.

use crate::run::guard::Guard;
use crate::words;
use sereno_core::engine::PolicyStep;
use sereno_core::gate::policy::{Policy, Zone};
use sereno_core::time::Time;
use sereno_wire::control::Reply;

/// Under what the ledger keeps it: an intruder shall not end it by a restart.
pub(super) const KEY: &str = "gate panic";

/// Since when, of what the ledger kept.
pub(super) fn recall(marks: &[(String, String)]) -> Option<Time> {
    let kept = marks.iter().find(|(key, _)| key == KEY)?;
    kept.1.parse::<i64>().ok().map(Time)
}

/// What is under way ends too. Doors let in all the same, and this machine talks to itself. What may go out
/// is no more than before.
pub(super) fn nothing(before: Option<&Policy>) -> Policy {
    let out = before.and_then(|policy| policy.out.clone());
    let zones = before.filter(|policy| policy.out.is_some()).map(|policy| policy.zones.as_slice());
    let zones = zones.unwrap_or_default().iter().cloned();
    // No zone is open; lines about what goes out name them.
    let zones = zones.map(|zone| Zone { open: false, ..zone }).collect();
    Policy { cut: true, zones, out, ..Policy::default() }
}

impl Guard {
    pub(super) fn panic(&mut self, begins: bool, now: Time) -> Reply {
        if let Some(why) = self.hands.observing() {
            return Reply::Refused { why: words::gate_observing(why) };
        }
        if begins == self.warden.panic.is_some() {
            let note = if begins { words::gate_panics() } else { words::gate_no_panic() };
            return Reply::Done { count: 0, notes: vec![note] };
        }
        self.warden.trial = None;
        self.warden.panic = begins.then_some(now);
        self.keeper.mark_now(KEY.to_owned(), self.warden.panic_word());
        self.put_policy(now);
        self.announce_policy(if begins { PolicyStep::Panic } else { PolicyStep::Resumed }, now);
        self.flush(now);
        let kept = self.keep_copy();
        if let Some(why) = self.unlawful().filter(|_| begins) {
            return Reply::Refused { why };
        }
        Reply::Done { count: 1, notes: kept.into_iter().collect() }
    }
}
