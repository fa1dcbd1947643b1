//! `sereno run`: guarding, in the foreground.

pub mod control;
pub mod guard;
pub mod hands;
pub mod keeper;
pub mod scribe;
pub mod setup;
mod signals;
pub mod sources;
pub mod status;

use crate::cli::args::{ConfigArgs, RunArgs};
use crate::cli::failure::Failure;
use guard::Guard;
use mio::Events;
use sereno_config::{Policy, Severity};
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Input, Notice};
use sereno_core::gate::Name;
use sereno_core::rule::session::Line;
use sereno_core::time::Time;
use sereno_store::Event;
use sereno_wire::control::{Ask, Moment, Reply};
use signal_hook::consts::SIGHUP;
use signals::Signals;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock on the wall.
#[must_use]
pub fn clock() -> Time {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Time(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Guards until told to stop.
///
/// # Errors
/// When there is nothing to guard with: a broken configuration, a taken socket.
pub fn run(args: &RunArgs, socket: Option<&Path>) -> Result<ExitCode, Failure> {
    let loaded = crate::policy::load(&args.config).map_err(Failure::io)?;
    for problem in &loaded.outcome.problems {
        say(&problem.to_string());
    }
    let policy = loaded.outcome.policy;
    if policy.jails.is_empty() {
        say("no jail is set up; `sereno init` shows what was found on this machine");
    }
    let place = setup::place(&policy, args.state.as_deref(), socket, args.observe);
    let guard = setup::build(&policy, &place, clock()).map_err(Failure::io)?;
    let mut shell = Shell {
        guard,
        policy,
        args: args.clone(),
        place,
        signals: Signals::new().map_err(Failure::io)?,
    };
    shell.greet();
    shell.guard_on().map_err(Failure::io)?;
    Ok(ExitCode::SUCCESS)
}

/// The guard with its surroundings: signals, clients, the configuration's files.
struct Shell {
    guard: Guard,
    policy: Policy,
    args: RunArgs,
    place: setup::Place,
    signals: Signals,
}

enum After {
    GoOn,
    Stop,
}

impl Shell {
    fn greet(&mut self) {
        for jail in &self.policy.jails {
            let p = &jail.policy;
            let bantime = p.bantime.map_or("for ever".to_owned(), |t| format!("{} s", t.as_secs()));
            say(&format!(
                "jail {}: {} failures in {} s, {bantime}, ports {}",
                p.name,
                p.maxretry,
                p.findtime.as_secs(),
                p.ports
            ));
        }
        match self.guard.hands.observing() {
            Some(why) => say(&format!("OBSERVING ONLY, nobody is banned: {why}")),
            None => say(&format!("guarding; table inet {}", self.guard.draft.table)),
        }
        say(&format!("control socket {}", self.place.socket.display()));
    }

    fn guard_on(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        self.signals.register(&self.guard.poll)?;
        loop {
            let woken = self.guard.round(&mut events, clock)?;
            let mut after = After::GoOn;
            if woken.signals {
                after = self.signalled();
            }
            for client in woken.clients {
                for ask in self.guard.control.read(client) {
                    if let After::Stop = self.answer(client, ask) {
                        after = After::Stop;
                    }
                }
            }
            let watched = self.guard.control.watched();
            self.guard.engine.watch(watched);
            self.guard.control.flush();
            self.guard.take_notes().iter().for_each(|note| say(note));
            if let After::Stop = after {
                return self.stop();
            }
        }
    }

    /// Stops cleanly: everything is saved, the bans stay in the kernel.
    fn stop(&mut self) -> io::Result<()> {
        self.guard.flush(clock());
        self.guard.control.flush();
        match self.guard.hands.observing() {
            Some(_) => say("stopped; nobody was banned"),
            None => say("stopped; the bans stay in force"),
        }
        Ok(())
    }

    fn signalled(&mut self) -> After {
        match self.signals.take() {
            Some(SIGHUP) => {
                let notes = self.reload();
                notes.iter().for_each(|note| say(note));
                After::GoOn
            }
            Some(_) => After::Stop,
            None => After::GoOn,
        }
    }

    /// Reads the configuration again. With any error in it the old one stands.
    fn reload(&mut self) -> Vec<String> {
        let config: &ConfigArgs = &self.args.config;
        let loaded = match crate::policy::load(config) {
            Ok(loaded) => loaded,
            Err(e) => return vec![format!("not reloaded: {e}")],
        };
        let errors: Vec<String> = loaded
            .outcome
            .problems
            .iter()
            .filter(|p| p.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        if !errors.is_empty() {
            return std::iter::once("not reloaded, the old configuration stands:".to_owned())
                .chain(errors)
                .collect();
        }
        let policy = loaded.outcome.policy;
        self.guard.flush(clock());
        match setup::rebuild(&mut self.guard, &policy, clock()) {
            Ok(()) => {
                self.policy = policy;
                vec!["reloaded".to_owned()]
            }
            Err(e) => vec![format!("not reloaded, the old configuration stands: {e}")],
        }
    }

    fn answer(&mut self, client: usize, ask: Ask) -> After {
        let now = clock();
        let reply = match ask {
            Ask::Status => Reply::Status(Box::new(status::status(&mut self.guard, now))),
            Ask::Bans => {
                let bans = self.guard.engine.ledger().bans().collect();
                self.guard.control.answer_bans(client, bans);
                return After::GoOn;
            }
            Ask::Ban { prefix, jail, seconds, why } => self.ban(prefix, jail, seconds, &why, now),
            Ask::Unban { prefix } => {
                let actions = self.guard.command(Input::Lift { prefix }, now);
                let count =
                    actions.iter().filter(|a| matches!(a, Action::Lift { .. })).count() as u64;
                Reply::Done { count, notes: Vec::new() }
            }
            Ask::Why { prefix } => self.why(prefix),
            Ask::Watch => {
                self.guard.control.watch(client);
                return After::GoOn;
            }
            Ask::Reload => {
                let notes = self.reload();
                match notes.first().map(String::as_str) {
                    Some("reloaded") => Reply::Done { count: 0, notes },
                    _ => Reply::Refused { why: notes.join("\n") },
                }
            }
            Ask::Stop => {
                self.guard.control.answer(client, &Reply::Done { count: 0, notes: Vec::new() });
                return After::Stop;
            }
        };
        self.guard.control.answer(client, &reply);
        After::GoOn
    }

    fn ban(
        &mut self,
        prefix: Prefix,
        jail: Option<Name>,
        seconds: Option<u64>,
        why: &str,
        now: Time,
    ) -> Reply {
        if let Some(jail) = jail
            && self.guard.engine.jail(jail).is_none()
        {
            return Reply::Refused { why: format!("there is no jail {jail}") };
        }
        let Some(jail) = jail.or_else(|| Name::new("all").ok()) else {
            return Reply::Refused { why: "no scope".to_owned() };
        };
        let scope =
            self.guard.engine.jail(jail).map_or(jail, |j| sereno_core::engine::scope(j.policy()));
        if let Err(why) = setup::fits(&self.guard.draft, scope, prefix) {
            return Reply::Refused { why };
        }
        let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
        let input = Input::Ban { jail, prefix, length: seconds.map(Duration::from_secs), why };
        let actions = self.guard.command(input, now);
        if let Some(Action::Tell(Notice::Spared { friend, .. })) = actions.first() {
            return Reply::Refused { why: format!("{prefix} is a friend: {friend}") };
        }
        let mut notes = Vec::new();
        if let Some(why) = self.guard.hands.observing() {
            notes.push(format!("noted only, nobody is banned: {why}"));
        }
        if self.guard.engine.is_waiting(jail, prefix) {
            notes.push("the kernel has not taken it yet; see `sereno status`".to_owned());
        }
        Reply::Done { count: 1, notes }
    }

    fn why(&mut self, prefix: Prefix) -> Reply {
        /// Moments told at most.
        const MOST: usize = 500;
        self.guard.flush(clock());
        let bans = self.guard.engine.ledger().touching(prefix).collect();
        let mut timeline: Vec<Moment> =
            self.guard.keeper.history(prefix, MOST).iter().flat_map(timeline).collect();
        for (policy, _) in self.guard.engine.jails() {
            let stranger = policy.stranger(prefix.addr());
            let Some(track) =
                self.guard.engine.jail(policy.name).and_then(|jail| jail.track(stranger))
            else {
                continue;
            };
            let last = track.newest().unwrap_or_default();
            let moment = |line: &Line<'static>| Moment {
                time: last,
                kind: "failure".to_owned(),
                jail: Some(policy.name),
                addr: Some(stranger),
                text: line.to_string(),
            };
            timeline.extend(track.evidence().iter().map(moment));
        }
        Reply::Why { bans, timeline }
    }
}

/// An event with its evidence, oldest first.
#[must_use]
pub fn timeline(event: &Event) -> Vec<Moment> {
    let mut all = Vec::new();
    if let Event::Ban(ban) = event {
        let line = |line: &str| Event::Evidence {
            jail: ban.jail,
            prefix: ban.prefix,
            at: ban.since,
            line: line.to_owned(),
        };
        all.extend(ban.evidence.lines().map(|text| told(&line(text))));
    }
    all.push(told(event));
    all
}

/// What the store remembers, as a moment.
#[must_use]
pub fn told(event: &Event) -> Moment {
    let at = event.at();
    match event {
        Event::Ban(ban) => guard::moment(&Action::Ban(ban.clone()), at),
        Event::Lift { jail, prefix, why, .. } => guard::let_in(*jail, *prefix, *why, at),
        Event::Told { about, text, .. } => Moment {
            time: at,
            kind: "note".to_owned(),
            jail: None,
            addr: *about,
            text: text.clone(),
        },
        Event::Evidence { jail, prefix, line, .. } => Moment {
            time: at,
            kind: "evidence".to_owned(),
            jail: Some(*jail),
            addr: Some(*prefix),
            text: line.clone(),
        },
    }
}

/// Says something on standard error, where the service manager listens. Control characters
/// are an attacker's, not ours.
pub fn say(text: &str) {
    let clean: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    let _ = writeln!(io::stderr().lock(), "{clean}");
}
