//! `sereno run`: guarding, in the foreground.

mod answers;
mod claim;
pub mod commands;
pub mod control;
pub mod deeds;
pub mod doors;
pub mod fail2ban;
mod faults;
mod firewall;
mod floods;
mod gate;
pub mod guard;
pub mod hands;
pub mod health;
pub mod keeper;
mod lists;
mod look;
mod moments;
mod notify;
mod portscan;
mod questions;
pub mod scribe;
pub mod setup;
mod signals;
pub mod sources;
pub mod status;

use crate::cli::args::{ConfigArgs, RunArgs};
use crate::cli::failure::Failure;
use crate::cli::paint::span;
use crate::words;
pub use answers::timeline;
use guard::Guard;
use mio::Events;
use sereno_config::{Policy, Severity};
use sereno_core::engine::Porter;
use sereno_core::time::Time;
use signal_hook::consts::{SIGHUP, SIGUSR1};
use signals::Signals;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

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
    let (mut flaws, mut warned) = (BTreeMap::<String, usize>::new(), BTreeMap::new());
    for problem in &loaded.outcome.problems {
        let file = problem.file.clone();
        if problem.severity == Severity::Error {
            say(&words::problem(problem));
            *flaws.entry(file).or_default() += 1;
        } else {
            *warned.entry(file).or_insert(0) += 1;
        }
    }
    for (file, n) in &warned {
        say(&words::warned(file, n, args.config.as_words()));
    }
    let policy = loaded.outcome.policy;
    if policy.jails.is_empty() && loaded.doors.is_empty() {
        say(&words::no_jails_yet());
    }
    let place = setup::place(&policy, args.state.as_deref(), socket, args.observe);
    let mut guard = setup::build(&policy, loaded.fail2ban, loaded.doors, &place, clock())
        .map_err(Failure::io)?;
    guard.flaws = flaws;
    guard.warden.files = policy.gate.clone();
    let mut shell = Shell {
        guard,
        policy,
        args: args.clone(),
        socket: socket.map(Path::to_owned),
        place,
        signals: Signals::new().map_err(Failure::io)?,
    };
    shell.greet();
    if let Err(e) = notify::ready() {
        say(&words::nobody_notified(e));
    }
    shell.guard_on().map_err(Failure::io)?;
    Ok(ExitCode::SUCCESS)
}

/// The guard with its surroundings: signals, clients, the configuration's files.
struct Shell {
    guard: Guard,
    policy: Policy,
    args: RunArgs,
    socket: Option<PathBuf>,
    place: setup::Place,
    signals: Signals,
}

/// What became of a reload.
enum Reload {
    /// The new policy holds, but for settings that wait for a restart.
    Done { waiting: Vec<&'static str>, stdin: bool },
    /// The old one stands.
    Refused(String),
}

impl Reload {
    fn words(&self) -> Vec<String> {
        match self {
            Self::Refused(why) => vec![words::not_reloaded(why)],
            Self::Done { waiting, stdin } => {
                let mut names: Vec<String> = waiting.iter().map(|name| name.to_string()).collect();
                names.extend(stdin.then(words::standard_input));
                let waits = (!names.is_empty()).then(|| words::after_restart(names.join(", ")));
                std::iter::once(words::reloaded()).chain(waits).collect()
            }
        }
    }
}

enum After {
    GoOn,
    Stop,
}

impl Shell {
    fn greet(&mut self) {
        for jail in &self.policy.jails {
            let p = &jail.policy;
            let length = p.bantime.map_or_else(words::for_ever, |t| words::for_span(span(t)));
            let failures = words::counted(p.heard, p.maxretry);
            let ports = if p.closes { p.ports.to_string() } else { String::new() };
            let shut = words::shut(&ports);
            say(&words::jail_guards(p.name, failures, span(p.findtime), length, shut));
        }
        for opening in self.guard.engine.porter().into_iter().flat_map(Porter::openings) {
            if opening.closed {
                say(&words::door_closes(&opening.ports, opening.name));
            }
        }
        match self.guard.hands.observing() {
            Some(why) => say(&words::observing(why)),
            None if self.guard.hands.by_iptables() => {
                say(&words::guarding_by_iptables(self.guard.draft.table));
            }
            None => say(&words::guarding_with(self.guard.draft.table)),
        }
        say(&words::listens_at(self.place.socket.display()));
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
                for (lang, ask) in self.guard.control.read(client) {
                    if let After::Stop = self.answer(client, lang, ask) {
                        after = After::Stop;
                    }
                }
            }
            let watched = self.guard.control.watched() || self.guard.office.listens();
            self.guard.engine.watch(watched);
            self.guard.control.flush();
            self.guard.take_notes().iter().for_each(|note| say(note));
            if let After::Stop = after {
                return self.stop();
            }
        }
    }

    /// Stops cleanly: everything is saved, the bans stay in the kernel; actions lift theirs.
    fn stop(&mut self) -> io::Result<()> {
        self.guard.flush(clock());
        self.guard.office.close();
        self.guard.control.flush();
        self.guard.end_deeds();
        self.guard.take_notes().iter().for_each(|note| say(note));
        match self.guard.hands.observing() {
            Some(_) => say(&words::stopped_observing()),
            None => say(&words::stopped()),
        }
        if self.guard.shuts() {
            say(&words::stopped_shut(self.guard.draft.table));
        }
        Ok(())
    }

    fn signalled(&mut self) -> After {
        match self.signals.take() {
            Some(SIGHUP) => {
                let became = self.reload();
                became.words().iter().for_each(|note| say(note));
                After::GoOn
            }
            Some(SIGUSR1) => {
                self.guard.office.reopen();
                After::GoOn
            }
            Some(_) => After::Stop,
            None => After::GoOn,
        }
    }

    /// Reads the configuration again. With any error in it the old one stands.
    fn reload(&mut self) -> Reload {
        let config: &ConfigArgs = &self.args.config;
        let (mut outcome, mut house, doors) = match crate::policy::load(config) {
            Ok(loaded) => (loaded.outcome, loaded.fail2ban, loaded.doors),
            Err(e) => return Reload::Refused(e.to_string()),
        };
        let errors = outcome.problems.iter().filter(|p| p.severity == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        if !errors.is_empty() {
            return Reload::Refused(format!("\n{}", errors.join("\n")));
        }
        self.guard.office.leave_out(&mut outcome.policy, &mut house);
        let policy = outcome.policy;
        self.guard.flush(clock());
        match setup::rebuild(&mut self.guard, &policy, house, doors, clock()) {
            Ok(()) => {
                let (state, socket) = (self.args.state.as_deref(), self.socket.as_deref());
                let new = setup::place(&policy, state, socket, self.args.observe);
                self.policy = policy;
                self.guard.flaws.clear();
                self.guard.warden.files = self.policy.gate.clone();
                let stdin = self.guard.book.lacks_stdin();
                Reload::Done { waiting: self.place.other_than(&new), stdin }
            }
            Err(e) => Reload::Refused(e.to_string()),
        }
    }
}

/// Says something on standard error, where the service manager listens. Control characters
/// are an attacker's, not ours.
pub fn say(text: &str) {
    let clean: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    let _ = writeln!(io::stderr().lock(), "{clean}");
}
