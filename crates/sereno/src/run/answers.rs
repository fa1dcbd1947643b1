//! Answers to clients, each in his language.

use super::moments::{let_in, moment, tell};
use super::{After, Reload, Shell, clock, setup, status};
use crate::words;
use sereno_config::Lang;
use sereno_core::addr::{Prefix, canonical};
use sereno_core::engine::{Action, Input, Notice, Porter};
use sereno_core::gate::{Name, Scope};
use sereno_core::rule::session::Line;
use sereno_core::time::Time;
use sereno_store::Event;
use sereno_wire::control::{Ask, Moment, Reply, Standing};
use std::net::IpAddr;
use std::time::Duration;

impl Shell {
    /// Answers a client in his language; what follows besides is said in ours.
    pub(super) fn answer(&mut self, client: usize, lang: Lang, ask: Ask) -> After {
        let now = clock();
        let reply = match ask {
            Ask::Status => {
                let status = words::to(lang, || status::status(&mut self.guard, now));
                Reply::Status(Box::new(status))
            }
            Ask::Bans => {
                let bans = self.guard.engine.ledger().bans().collect();
                let observing = words::to(lang, || self.guard.hands.observing());
                self.guard.control.answer_bans(client, bans, observing);
                return After::GoOn;
            }
            Ask::Ban { prefix, jail, seconds, why } => {
                let length = seconds.map(Duration::from_secs);
                let done = self.ban(prefix, jail, length, &why, lang);
                done.unwrap_or_else(|why| Reply::Refused { why })
            }
            Ask::Unban { prefix } => {
                let actions = self.guard.command(Input::Lift { prefix }, now);
                let lifts = actions.iter().filter(|a| matches!(a, Action::Lift { .. }));
                Reply::Done { count: lifts.count() as u64, notes: Vec::new() }
            }
            Ask::LetIn { .. } | Ask::PutOut { .. } | Ask::Guard { .. } | Ask::Confirm { .. } => {
                words::to(lang, || self.door(&ask, now))
            }
            Ask::Lists(ask) => words::to(lang, || self.guard.answer_lists(&ask)),
            Ask::Gate(ask) => words::to(lang, || self.gate(ask, now)),
            Ask::Why { prefix } => {
                self.guard.flush(now);
                words::to(lang, || self.why(prefix))
            }
            Ask::Watch => {
                self.guard.control.watch(client);
                return After::GoOn;
            }
            Ask::Reload => {
                let became = self.reload();
                became.words().iter().for_each(|note| super::say(note));
                let notes = words::to(lang, || became.words());
                match became {
                    Reload::Done { .. } => Reply::Done { count: 0, notes },
                    Reload::Refused(_) => Reply::Refused { why: notes.join("\n") },
                }
            }
            Ask::Fail2ban { words } => return self.fail2ban(client, &words),
            Ask::GiveBack => match words::to(lang, || self.give_back(now)) {
                Ok((count, notes)) => {
                    self.guard.control.answer(client, &Reply::Done { count, notes });
                    return After::Stop;
                }
                Err(why) => Reply::Refused { why },
            },
            Ask::Stop => {
                self.guard.control.answer(client, &Reply::Done { count: 0, notes: Vec::new() });
                return After::Stop;
            }
        };
        self.guard.control.answer(client, &reply);
        After::GoOn
    }

    /// # Errors
    /// Why not.
    fn ban(
        &mut self,
        prefix: Prefix,
        jail: Option<Name>,
        length: Option<Duration>,
        why: &str,
        lang: Lang,
    ) -> Result<Reply, String> {
        if let Some(jail) = jail
            && self.guard.engine.jail(jail).is_none()
        {
            return Err(words::to(lang, || words::unknown_jail(jail)));
        }
        let jail = jail.map_or_else(|| Name::new("all"), Ok)?;
        let scope =
            self.guard.engine.jail(jail).map_or(jail, |j| sereno_core::engine::scope(j.policy()));
        words::to(lang, || setup::fits(&self.guard.draft, scope, prefix))?;
        let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
        let actions = self.guard.command(Input::Ban { jail, prefix, length, why }, clock());
        words::to(lang, || {
            if let Some(Action::Tell(Notice::Spared { friend, .. })) = actions.first() {
                return Err(words::is_friend(prefix, friend));
            }
            let mut notes = Vec::new();
            notes.extend(self.guard.hands.observing().map(words::noted_only));
            notes.extend(self.guard.engine.is_waiting(jail, prefix).then(words::not_taken_yet));
            Ok(Reply::Done { count: 1, notes })
        })
    }

    /// What is asked about a door.
    fn door(&mut self, ask: &Ask, now: Time) -> Reply {
        match *ask {
            Ask::LetIn { door, addr, seconds } => {
                let length = seconds.map(Duration::from_secs);
                self.work_door(door, Input::LetIn { door, addr: canonical(addr), length })
            }
            Ask::PutOut { door, addr } => {
                self.work_door(door, Input::PutOut { door, addr: addr.map(canonical) })
            }
            Ask::Guard { door, session, seconds } => {
                let span = Duration::from_secs(seconds.clamp(5, 3600));
                self.guard.try_shut(door, session.map(canonical), span, now)
            }
            Ask::Confirm { door, open } => self.guard.settle_shut(door, open, now),
            _ => Reply::Refused { why: words::other_version() },
        }
    }

    /// Lets somebody in or out.
    fn work_door(&mut self, door: Name, input: Input<'_>) -> Reply {
        let policies = self.guard.engine.porter().map(Porter::policies).unwrap_or_default();
        if !policies.iter().any(|policy| policy.name == door) {
            return Reply::Refused { why: words::unknown_door(door) };
        }
        let barred = match input {
            Input::LetIn { addr, .. } => self.barred(door, addr),
            _ => None,
        };
        let actions = self.guard.command(input, clock());
        let counts = |action: &&Action| {
            let told =
                matches!(action, Action::Tell(Notice::Opened { .. } | Notice::Closed { .. }));
            told || matches!(action, Action::Run { .. })
        };
        let mut notes = Vec::new();
        for action in &actions {
            if let Action::Tell(notice @ (Notice::NoRoom { .. } | Notice::Unopened { .. })) = action
            {
                return Reply::Refused { why: tell(notice, clock()).text };
            }
        }
        notes.extend(self.guard.hands.observing().map(words::doors_noted_only));
        notes.extend(barred);
        notes.extend(self.guard.attendance.deaf.as_ref().map(words::doors_deaf));
        Reply::Done { count: actions.iter().filter(counts).count() as u64, notes }
    }

    /// That somebody is banned, and so does not come to a door.
    fn barred(&self, door: Name, addr: IpAddr) -> Option<String> {
        let policies = self.guard.engine.porter()?.policies();
        let behind = policies.iter().find(|policy| policy.name == door)?;
        let meets = |scope: &Scope| behind.ports().any(|ports| scope.ports.meets(ports));
        let scopes: Vec<Name> =
            self.guard.draft.scopes.iter().filter(|s| meets(s)).map(|s| s.name).collect();
        let bans = self.guard.engine.ledger().touching(Prefix::host(addr));
        let jails = bans.filter(|ban| scopes.contains(&ban.scope));
        let jails: Vec<String> = jails.map(|ban| ban.jail.to_string()).collect();
        (!jails.is_empty()).then(|| words::barred_by_ban(addr, jails.join(", ")))
    }

    fn why(&mut self, prefix: Prefix) -> Reply {
        /// Moments told at most.
        const MOST: usize = 500;
        let bans = self.guard.engine.ledger().touching(prefix).collect();
        let mut timeline = timed(&self.guard.keeper.history(prefix, MOST));
        for (policy, _) in self.guard.engine.jails() {
            let stranger = policy.stranger(prefix.addr());
            let Some(track) =
                self.guard.engine.jail(policy.name).and_then(|jail| jail.track(stranger))
            else {
                continue;
            };
            let moment = |(at, line): &(Time, Line<'_>)| Moment {
                time: *at,
                kind: "failure".to_owned(),
                jail: Some(policy.name),
                addr: Some(stranger),
                text: line.to_string(),
                ..Moment::default()
            };
            timeline.extend(track.evidence().map(|line| (line.0, moment(&line))));
        }
        let timeline = in_order(timeline);
        let (observing, standing) = (self.guard.hands.observing(), self.standing(prefix));
        Reply::Why { bans, timeline, observing, standing }
    }

    /// Who somebody is, whatever he did.
    fn standing(&self, who: Prefix) -> Standing {
        let engine = &self.guard.engine;
        let friends = engine.friends().list().iter();
        let friend =
            friends.filter(|friend| friend.prefix.overlaps(who)).map(|f| f.why.clone()).next();
        let jails = engine.jails().filter_map(|(policy, _)| engine.jail(policy.name));
        let known = jails.flat_map(|jail| jail.greetings());
        let known = known.filter(|(addr, _)| who.contains(*addr)).map(|(_, at)| at);
        let lists = self.guard.list_status(Some(who.addr())).into_iter();
        let lists = lists.filter(|list| list.holds == Some(true)).map(|list| list.name);
        Standing { friend, known: known.max(), lists: lists.collect() }
    }
}

/// Events and the lines that led to them, oldest first.
#[must_use]
pub fn timeline(events: &[Event]) -> Vec<Moment> {
    in_order(timed(events))
}

/// Moments by the time at which they are told.
fn in_order(mut moments: Vec<(Time, Moment)>) -> Vec<Moment> {
    moments.sort_by_key(|(at, _)| *at);
    moments.into_iter().map(|(_, moment)| moment).collect()
}

/// Events and the lines that led to them, with the time at which each is told.
fn timed(events: &[Event]) -> Vec<(Time, Moment)> {
    let mut before = None;
    let mut all = Vec::new();
    for event in events {
        let lines = lines_of(event);
        all.extend(lines.into_iter().map(|line| (line.time, line)));
        all.push((event.told_at(&mut before), told(event)));
    }
    all
}

fn lines_of(event: &Event) -> Vec<Moment> {
    let mut all = Vec::new();
    if let Event::Ban(ban) = event {
        let line = |(at, line): (Option<Time>, &str)| Event::Evidence {
            jail: ban.jail,
            prefix: ban.prefix,
            at: at.unwrap_or(ban.since),
            line: line.to_owned(),
        };
        all.extend(ban.dated_lines().map(|dated| told(&line(dated))));
    }
    all
}

/// What the store remembers, as a moment.
fn told(event: &Event) -> Moment {
    let at = event.at();
    match event {
        Event::Ban(ban) => moment(&Action::Ban(ban.clone()), at),
        Event::Lift { jail, prefix, why, .. } => let_in(*jail, *prefix, *why, at),
        // A notice in its written form, or what of it there was room for.
        Event::Told { about, text, .. } => match serde_json::from_str(text) {
            Ok(notice) => tell(&notice, at),
            Err(_) => Moment {
                time: at,
                kind: "note".to_owned(),
                addr: *about,
                text: text.clone(),
                ..Moment::default()
            },
        },
        Event::Evidence { jail, prefix, line, .. } => Moment {
            time: at,
            kind: "evidence".to_owned(),
            jail: Some(*jail),
            addr: Some(*prefix),
            text: line.clone(),
            ..Moment::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sereno_core::engine::Lifted;
    use sereno_core::jail::Because;
    use sereno_core::ledger::{Ban, Captures, Evidence};

    #[test]
    fn a_ban_by_a_line_of_the_same_second_is_told_behind_the_lift_before_it() {
        let (jail, prefix): (Name, Prefix) =
            ("sshd".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let ban = |since| {
            Event::Ban(Ban {
                jail,
                scope: jail,
                prefix,
                offender: None,
                since,
                until: None,
                count: 1,
                because: Because::Failures,
                before: 0,
                evidence: Evidence::dated([(since, "line")]),
                captures: Captures::default(),
            })
        };
        let (whole, later) = (Time::from_secs(5), Time(5_600_000));
        let lift = Event::Lift { jail, prefix, at: later, why: Lifted::Manual };
        let kinds = |events: &[Event]| -> Vec<String> {
            timeline(events).into_iter().map(|moment| moment.kind).collect()
        };
        let told = kinds(&[ban(whole), lift.clone(), ban(whole)]);
        assert_eq!(told, ["evidence", "ban", "evidence", "lift", "ban"]);
        let told = kinds(&[lift, ban(Time::from_secs(6))]);
        assert_eq!(told, ["lift", "evidence", "ban"]);
    }
}
