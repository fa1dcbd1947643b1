//! What happened, in words, for whoever watches or asks why.

use crate::cli::paint;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::door::When;
use sereno_core::engine::{Action, Knock, Lifted, Notice, PolicyStep};
use sereno_core::gate::{Name, Through};
use sereno_core::time::Time;
use sereno_wire::control::Moment;

/// An action as something that happened.
pub(super) fn moment(action: &Action, now: Time) -> Moment {
    match action {
        Action::Ban(ban) => {
            let until = until(ban.until);
            let text = words::banned(ban.jail, until, ban.count, ban.because);
            in_jail("ban", ban.jail, ban.prefix, text, now)
        }
        Action::Lift { ban, why } => let_in(ban.jail, ban.prefix, *why, now),
        Action::Saw { jail, verdict } => {
            let kind = if verdict.good { "success" } else { "failure" };
            let addr = Prefix::host(verdict.addr);
            let text = format!("{} {}", verdict.pattern, verdict.line);
            in_jail(kind, *jail, addr, text, verdict.at)
        }
        Action::Tell(notice) => tell(notice, now),
        Action::Ask(ban) => {
            in_jail("ask", ban.jail, ban.prefix, words::asked(ban.jail, ban.count), now)
        }
        Action::Knock { door, addr, what } => {
            let text = match what {
                Knock::Stage(stage) => words::knock_stage(door, stage),
                Knock::TimedOut(stage) => words::knock_late(door, stage),
                Knock::Done => words::knock_right(door),
            };
            at_door("knock", *door, Some(Prefix::host(*addr)), text, now)
        }
        Action::Run { door, addr, when } => {
            let text = match when {
                When::Start => words::door_runs(door),
                When::Stop => words::door_runs_end(door),
            };
            at_door("run", *door, Some(Prefix::host(*addr)), text, now)
        }
        Action::Open(pass) => {
            let text = pass.to.to_string();
            Moment { addr: Some(Prefix::host(pass.addr)), ..said("open", text, now) }
        }
        Action::Close { to, addr } => {
            Moment { addr: Some(Prefix::host(*addr)), ..said("close", to.to_string(), now) }
        }
        Action::Used { door, .. } => at_door("note", *door, None, words::knock_used(door), now),
    }
}

/// Whether something is told of: not what only carries out what is told anyway.
pub(super) fn is_told(action: &Action) -> bool {
    !matches!(action, Action::Open(_) | Action::Close { .. } | Action::Used { .. })
}

/// The end of a ban as something that happened.
pub(super) fn let_in(jail: Name, prefix: Prefix, why: Lifted, at: Time) -> Moment {
    let why = match why {
        Lifted::Expired => words::time_over(),
        Lifted::Manual | Lifted::Pardoned => words::by_hand(),
        Lifted::Friend => words::a_friend(),
        Lifted::Room => words::for_room(),
    };
    in_jail("lift", jail, prefix, words::let_in(jail, why), at)
}

/// A notice in words.
pub(super) fn tell(notice: &Notice, now: Time) -> Moment {
    let note = |jail: &Name, prefix: &Prefix, text| in_jail("note", *jail, *prefix, text, now);
    let door =
        |kind, door: &Name, prefix: &Prefix, text| at_door(kind, *door, Some(*prefix), text, now);
    match notice {
        Notice::Spared { jail, prefix, friend, count } => {
            note(jail, prefix, words::spared_friend(count, friend))
        }
        Notice::Excused { jail, prefix, count } => note(jail, prefix, words::excused(count)),
        Notice::FarTimes { off, .. } => said("note", words::far_times(off.as_secs()), now),
        Notice::ClockBack { by } => said("note", words::clock_back(by.as_secs()), now),
        Notice::Refused { jail, prefix, why } => note(jail, prefix, words::not_in_force(why)),
        Notice::StillTalking { jail, prefix } => note(jail, prefix, words::still_talking()),
        Notice::Opened { door: name, prefix, to, until: end } => {
            let text = match to {
                Through::Opening(_) => words::door_open(name, until(*end)),
                to => words::door_open_port(name, to, until(*end)),
            };
            door("open", name, prefix, text)
        }
        Notice::Closed { door: name, prefix, over } => {
            let why = if *over { words::time_over() } else { words::before_time() };
            door("close", name, prefix, words::door_closed(name, why))
        }
        Notice::Barred { door: name, prefix } => door("note", name, prefix, words::barred(name)),
        Notice::NoRoom { door: name, prefix } => {
            door("note", name, prefix, words::doors_full(name))
        }
        Notice::Unopened { door: name, prefix, why } => {
            door("note", name, prefix, words::not_opened(name, why))
        }
        Notice::Shut { door, until: None } => {
            at_door("note", *door, None, words::door_shut(door), now)
        }
        Notice::Shut { door, until: Some(end) } => {
            at_door("note", *door, None, words::door_on_trial(door, until(Some(*end))), now)
        }
        Notice::Unshut { door } => at_door("note", *door, None, words::door_unshut(door), now),
        Notice::Policy { step } => said("note", policy(*step), now),
        Notice::UsedUp { door } => at_door("note", *door, None, words::knocks_used_up(door), now),
    }
}

fn policy(step: PolicyStep) -> String {
    match step {
        PolicyStep::Trial(end) => words::policy_on_trial(until(Some(end))),
        PolicyStep::Confirmed => words::policy_confirmed(),
        PolicyStep::TakenBack => words::policy_taken_back(),
        PolicyStep::Opened => words::policy_opened(),
        PolicyStep::Panic => words::policy_panic(),
        PolicyStep::Resumed => words::policy_resumed(),
    }
}

fn until(end: Option<Time>) -> String {
    end.map_or_else(words::for_ever, |end| words::until_time(paint::moment(end)))
}

fn said(kind: &str, text: String, time: Time) -> Moment {
    Moment { time, kind: kind.to_owned(), text, ..Moment::default() }
}

fn in_jail(kind: &str, jail: Name, addr: Prefix, text: String, time: Time) -> Moment {
    Moment { jail: Some(jail), addr: Some(addr), ..said(kind, text, time) }
}

fn at_door(kind: &str, door: Name, addr: Option<Prefix>, text: String, time: Time) -> Moment {
    Moment { door: Some(door), addr, ..said(kind, text, time) }
}
