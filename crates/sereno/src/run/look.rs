//! What the guard looks at again and again: whether the gate stands, who is a friend now, what is wrong.

use super::guard::{Guard, LOOK_EVERY, POLL_EVERY, PURGE_EVERY};
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::Input;
use sereno_core::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often while fail2ban is about to end, and the rest of its work to be taken over.
const WAIT_EVERY: Duration = Duration::from_millis(500);
/// How long the gate is left alone after it was put back, and how many times in a row is looked what
/// others did to it.
const PACE: Duration = Duration::from_millis(200);
const LOOKS: usize = 16;

impl Guard {
    /// Somebody changed tables: if it was ours, it is put back. Two who each put back theirs would
    /// have no time for anything else: what was just put back has to wait.
    pub(super) fn look(&mut self, now: Time) {
        let (mut lost, mut by) = (false, None);
        for _ in 0..LOOKS {
            let seen = self.hands.look();
            lost |= seen.lost;
            by = seen.by.or(by);
            if !seen.more {
                break;
            }
        }
        if !lost {
            return;
        }
        self.notes.push(by.map_or_else(words::gate_changed, words::gate_changed_by));
        if now < self.mend_at {
            self.stands = false;
            self.look_at = self.look_at.min(self.mend_at);
        } else {
            self.mend(now);
        }
    }

    /// Puts the gate back.
    fn mend(&mut self, now: Time) {
        self.mend_at = now.plus(PACE);
        self.mended += 1;
        self.install(now);
    }

    /// What is looked at every few seconds.
    pub(super) fn look_again(&mut self, now: Time) {
        super::setup::seize(self, now);
        super::fail2ban::look(self, now);
        self.look_at = now.plus(match () {
            () if self.office.waits() => WAIT_EVERY,
            () if self.hands.by_iptables() => POLL_EVERY,
            () => LOOK_EVERY,
        });
        if now >= self.purge_at {
            self.purge_at = now.plus(PURGE_EVERY);
            self.keeper.purge(now);
        }
        if self.hands.observing().is_none() && !(self.stands && self.hands.stands()) {
            self.notes.push(words::gate_gone());
            self.mend(now);
        }
        self.have_pass();
        self.move_doors(now);
        self.renew_friends(now);
        self.renew_proxy(now);
        self.want_lists();
        self.remind_deeds();
        // What the log's thread met after it was last asked.
        self.notes.extend(self.office.send());
        self.raise(now);
    }

    /// Takes as friends who is logged in now, and who is in a list of them.
    pub(super) fn renew_friends(&mut self, now: Time) {
        let listed = self.lists.friends();
        let sessions = crate::discover::friends();
        let known = self.engine.friends();
        if let Some(friends) = super::setup::merged_friends(known, sessions, listed) {
            let before: Vec<Prefix> = known.list().iter().map(|friend| friend.prefix).collect();
            self.hands.befriend(friends.clone());
            self.engine.handle(Input::Friends(friends), now, &mut self.actions);
            self.know_friends(&before, now);
            self.carry_out(now);
        }
    }

    /// Says which alarms are new and which are over: nobody asks for the status all day.
    pub(super) fn raise(&mut self, now: Time) {
        let all = super::status::alarms(self, now);
        let raised: BTreeMap<_, _> = all.into_iter().map(|a| (a.about, a.text)).collect();
        let before = std::mem::replace(&mut self.alarms, raised);
        let new = self.alarms.iter().filter(|(about, _)| !before.contains_key(*about));
        self.notes.extend(new.map(|(_, text)| words::alarm(text)));
        let over = before.iter().filter(|(about, _)| !self.alarms.contains_key(*about));
        self.notes.extend(over.map(|(_, text)| words::over(text)));
    }

    /// Whether an alarm about this was raised at the last look.
    pub(super) fn is_raised(&self, about: &str) -> bool {
        self.alarms.contains_key(about)
    }
}
