//! Closing a door on trial: it opens again by itself, in the kernel, unless that is confirmed.

use crate::run::guard::Guard;
use crate::words;
use sereno_core::engine::{Action, Notice, Porter, Shut};
use sereno_core::gate::Name;
use sereno_core::time::Time;
use sereno_wire::control::Reply;
use std::net::IpAddr;
use std::time::Duration;

/// How long ago somebody may have knocked who says that he can.
const LATELY: Duration = Duration::from_secs(600);

impl Guard {
    /// Closes a door on trial, if whose session it is has shown that he can knock.
    pub(in crate::run) fn try_shut(
        &mut self,
        door: Name,
        session: Option<IpAddr>,
        span: Duration,
        now: Time,
    ) -> Reply {
        let refused = |why| Reply::Refused { why };
        let Some(porter) = self.engine.porter_mut() else {
            return refused(words::unknown_door(door));
        };
        let Some(policy) = porter.policies().iter().find(|policy| policy.name == door) else {
            return refused(words::unknown_door(door));
        };
        if porter.is_shut(policy) {
            return refused(words::door_shut_already(door));
        }
        if let Some(addr) = session
            && !can_enter(porter, door, addr, now)
        {
            return refused(words::door_knock_first(addr, door));
        }
        if !porter.shut(door, Shut::Trial) {
            return refused(words::door_unclosable(door));
        }
        if let Some((other, _)) = self.attendance.trial.take().filter(|(other, _)| *other != door) {
            self.unshut(other);
        }
        self.build_anew(now);
        if let Err(why) = self.hands.try_closed(span) {
            self.unshut(door);
            self.build_anew(now);
            return refused(why);
        }
        let until = now.plus(span);
        self.attendance.trial = Some((door, until));
        self.tell(Notice::Shut { door, until: Some(until) }, now);
        let notes = self.hands.observing().map(words::doors_noted_only).into_iter();
        Reply::Done { count: 1, notes: notes.collect() }
    }

    /// Keeps a door closed that is so on trial, or leaves it to its file.
    pub(in crate::run) fn settle_shut(&mut self, door: Name, open: bool, now: Time) -> Reply {
        let on_trial = self.attendance.trial.is_some_and(|(name, _)| name == door);
        let Some(porter) = self.engine.porter_mut().filter(|_| on_trial || open) else {
            return Reply::Refused { why: words::door_no_trial(door) };
        };
        let shut = if open { Shut::AsSaid } else { Shut::Confirmed };
        if !porter.shut(door, shut) {
            return Reply::Refused { why: words::unknown_door(door) };
        }
        if on_trial {
            self.attendance.trial = None;
        }
        self.build_anew(now);
        let notice =
            if open { Notice::Unshut { door } } else { Notice::Shut { door, until: None } };
        self.tell(notice, now);
        self.settle_doors(now);
        self.flush(now);
        Reply::Done { count: 1, notes: Vec::new() }
    }

    /// Ends a trial whose time is over.
    pub(super) fn end_trial(&mut self, now: Time) {
        let over = self.attendance.trial.take_if(|(_, until)| *until <= now);
        let Some((door, _)) = over else { return };
        self.unshut(door);
        self.build_anew(now);
        self.tell(Notice::Unshut { door }, now);
    }

    fn unshut(&mut self, door: Name) {
        if let Some(porter) = self.engine.porter_mut() {
            porter.shut(door, Shut::AsSaid);
        }
    }

    /// Puts the gate in place as the porter would have it now.
    fn build_anew(&mut self, now: Time) {
        let group = self.draft.doorway.ears.as_ref().map(|ears| ears.group);
        if let Some(group) = group {
            self.draw_doors(group);
        }
        self.install(now);
    }

    /// Has the kernel go on with what is closed on trial, after the gate was put in place anew.
    pub(in crate::run) fn go_on_closing(&mut self, now: Time) -> Result<(), String> {
        match self.attendance.trial {
            Some((_, until)) => self.hands.try_closed(until.since(now)),
            None => Ok(()),
        }
    }

    fn tell(&mut self, notice: Notice, now: Time) {
        self.actions.push(Action::Tell(notice));
        self.carry_out(now);
    }
}

/// Whether somebody is in by a door, or knocked there in the right way not long ago.
fn can_enter(porter: &Porter, door: Name, addr: IpAddr, now: Time) -> bool {
    let lately = porter.knocked(door, addr).is_some_and(|at| now.since(at) <= LATELY);
    lately || porter.entries().any(|entry| entry.door == door && entry.pass.addr == addr)
}
