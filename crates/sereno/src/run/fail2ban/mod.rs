//! Guarding by a fail2ban configuration: what its client sees, its log, and its bans.
//!
//! The jails themselves are jails like all others; here is what fail2ban's users have besides.

mod clerk;
mod give;
pub mod log;
mod rival;
mod settings;
mod take;
mod view;

use super::guard::Guard;
use super::setup::Place;
use crate::fail2ban::House;
use crate::words;
use log::{Level, Log, Target};
use rival::Rival;
pub(super) use rival::look;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Engine, Notice};
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::rule::session::Verdict;
use sereno_core::time::Time;
use sereno_fail2ban::VERSION;
use sereno_fail2ban::client::{JailView, Server};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use sereno_config::Policy;

/// What fail2ban's users see besides the guard.
#[derive(Debug, Default)]
pub struct Office {
    /// Whether it guards by a tree.
    open: bool,
    server: Server,
    desks: BTreeMap<Name, Desk>,
    /// Since when who is out: whom the log told of.
    out: HashMap<(Name, Prefix), Time>,
    /// Jails that were stopped, by their own names.
    stopped: BTreeSet<String>,
    /// Why nothing is enforced, if nothing is.
    observing: Option<String>,
    /// Who else guards by the tree.
    rival: Option<Rival>,
    /// Whether he did when this began, and its log and its actions are still his.
    waits: bool,
    /// Our own control socket.
    socket: PathBuf,
    /// What the ledger marked of trees.
    marks: Vec<(String, String)>,
    log: Log,
}

/// A jail.
#[derive(Debug)]
struct Desk {
    /// What fail2ban calls it.
    title: String,
    /// Its options, as they are by now.
    view: JailView,
    /// Bans since the start, those that were restored then included.
    total: u64,
}

/// Begins, with the bans in force: `marks` is what the ledger marked.
pub(super) fn begin(guard: &mut Guard, marks: &[(String, String)], place: &Place, now: Time) {
    guard.office = Office {
        observing: guard.hands.observing(),
        socket: place.socket.clone(),
        marks: marks.iter().filter(|(key, _)| take::is_key(key)).cloned().collect(),
        ..Office::default()
    };
    take_up(guard, now);
}

/// Takes up a tree, if it guards by one.
fn take_up(guard: &mut Guard, now: Time) {
    let Some(house) = guard.house.take() else { return };
    guard.office.rival = Rival::find(&house.tree, &guard.office.socket);
    match (guard.hands.observing(), guard.office.rival()) {
        // Beside it is where one tries it out.
        (Some(_), Some(other)) => guard.notes.push(words::fail2ban_runs(other)),
        (Some(_), None) => {}
        (None, other) => {
            guard.office.waits = other.is_some();
            if guard.office.waits {
                guard.look_at = now;
            }
            take::over(guard, &house, now);
        }
    }
    let office = &mut guard.office;
    office.open = true;
    office.read(&house, &guard.engine);
    office.open_log(&mut guard.notes);
    office.introduce();
    guard.engine.ledger().bans().for_each(|ban| office.restored(&ban));
    guard.engine.watch(office.listens());
    guard.notes.extend(office.log.send().iter().map(words::fail2ban_log));
    guard.house = Some(house);
}

/// Takes note that from now on something is enforced.
pub(super) fn seize(guard: &mut Guard, now: Time) {
    guard.office.observing = None;
    take_up(guard, now);
}

/// Takes note of a configuration that was read anew.
pub(super) fn renew(guard: &mut Guard, now: Time) {
    let Some(house) = &guard.house else { return guard.office.leave() };
    if !guard.office.open {
        return take_up(guard, now);
    }
    let office = &mut guard.office;
    let before: BTreeSet<String> = office.desks.values().map(|desk| desk.title.clone()).collect();
    let target = office.server.logtarget.clone();
    office.read(house, &guard.engine);
    office.log.set_level(&office.server.loglevel);
    if office.server.logtarget != target {
        office.open_log(&mut guard.notes);
    }
    let titles: BTreeSet<String> = office.desks.values().map(|desk| desk.title.clone()).collect();
    for title in titles.symmetric_difference(&before) {
        let what = if titles.contains(title) { "started" } else { "stopped" };
        office.info("jail", &format!("Jail '{title}' {what}"));
    }
    guard.engine.watch(office.listens());
}

impl Office {
    /// Reads the options; what was counted of jails that are still there stays.
    fn read(&mut self, house: &House, engine: &Engine) {
        self.server = view::server(&house.tree);
        let mut old = std::mem::take(&mut self.desks);
        for guarded in &house.jails {
            let known = engine.jail(guarded.name).zip(house.tree.jails.get(guarded.place));
            let Some((jail, theirs)) = known else { continue };
            let view = view::jail(theirs, jail.policy(), guarded.reads_journal);
            let total = old.remove(&guarded.name).map_or(0, |desk| desk.total);
            self.desks.insert(guarded.name, Desk { title: theirs.name.clone(), view, total });
        }
        self.out.retain(|(jail, _), _| self.desks.contains_key(jail));
    }

    /// Opens the log where the options say, unless it is not ours to write.
    fn open_log(&mut self, notes: &mut Vec<String>) {
        let mut target = Target::read(&self.server.logtarget);
        let others = self.observing.as_deref().or(self.rival().filter(|_| self.waits));
        if let (Some(why), Target::File(path)) = (others, &target) {
            notes.push(words::fail2ban_unlogged(path.display(), why));
            target = Target::Nowhere;
        }
        match Log::open(target, &self.server.loglevel) {
            Ok(log) => self.log = log,
            Err(e) => notes.push(words::fail2ban_log(e)),
        }
    }

    /// Whether every failure is to be told.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.log.wants(Level::Info)
    }

    /// Closes the log and opens it again.
    pub fn reopen(&mut self) {
        self.log.reopen();
    }

    /// What a jail of this title is called here.
    fn named(&self, title: &str) -> Option<Name> {
        self.desks.iter().find(|(_, desk)| desk.title == title).map(|(name, _)| *name)
    }

    /// Takes the jails that were stopped out of a policy.
    pub fn leave_out(&self, policy: &mut Policy, house: &mut Option<House>) {
        let Some(house) = house else { return };
        let tree = &house.tree;
        let stopped = |place: usize| {
            tree.jails.get(place).is_some_and(|jail| self.stopped.contains(&jail.name))
        };
        let gone = house.jails.iter().filter(|jail| stopped(jail.place)).map(|jail| jail.name);
        let gone: BTreeSet<Name> = gone.collect();
        policy.jails.retain(|conf| !gone.contains(&conf.policy.name));
        policy.filters.retain(|(name, _)| !gone.contains(name));
        house.jails.retain(|jail| !gone.contains(&jail.name));
    }

    /// What clients have set, to be put back by [`Office::restore`].
    fn kept(&self) -> (Server, BTreeMap<Name, JailView>) {
        let views = self.desks.iter().map(|(name, desk)| (*name, desk.view.clone()));
        (self.server.clone(), views.collect())
    }

    fn restore(&mut self, server: Server, views: BTreeMap<Name, JailView>) {
        self.server = server;
        for (name, view) in views {
            if let Some(desk) = self.desks.get_mut(&name) {
                desk.view = view;
            }
        }
    }

    /// Writes what stands at the beginning of a log.
    fn introduce(&mut self) {
        self.info("server", &"-".repeat(50));
        self.info("server", &format!("Starting Fail2ban v{VERSION}"));
        let titles: Vec<String> = self.desks.values().map(|desk| desk.title.clone()).collect();
        for title in &titles {
            self.info("jail", &format!("Creating new jail '{title}'"));
        }
        for title in &titles {
            self.info("jail", &format!("Jail '{title}' started"));
        }
    }

    /// It guards by no tree any more.
    fn leave(&mut self) {
        if self.open {
            self.close();
        }
        let kept = Self {
            observing: self.observing.take(),
            socket: std::mem::take(&mut self.socket),
            marks: std::mem::take(&mut self.marks),
            ..Self::default()
        };
        *self = kept;
    }

    fn info(&mut self, part: &str, text: &str) {
        self.say(part, Level::Info, text);
    }

    fn say(&mut self, part: &str, level: Level, text: &str) {
        self.log.say(part, level, text);
    }

    /// Tells the log what happened.
    pub fn note(&mut self, action: &Action, engine: &Engine, now: Time) {
        match action {
            Action::Ban(ban) => self.banned(ban, "Ban"),
            Action::Lift { ban, .. } => self.lifted(ban),
            Action::Saw { jail, verdict } => self.found(*jail, verdict, engine, now),
            Action::Tell(Notice::StillTalking { jail, prefix }) => {
                let Some(desk) = self.desks.get(jail) else { return };
                let ban = engine.ledger().holding(*jail, *prefix);
                let who = ban.map_or(*prefix, |ban| ban.who());
                let text = format!("[{}] {who} already banned", desk.title);
                self.say("actions", Level::Warning, &text);
            }
            Action::Tell(Notice::Spared { jail, prefix, .. }) => self.ignored(*jail, *prefix, "ip"),
            Action::Tell(Notice::Excused { jail, prefix, .. }) => {
                self.ignored(*jail, *prefix, "command");
            }
            _ => {}
        }
    }

    fn ignored(&mut self, jail: Name, prefix: Prefix, by: &str) {
        let Some(desk) = self.desks.get(&jail) else { return };
        let text = format!("[{}] Ignore {prefix} by {by}", desk.title);
        self.say("filter", Level::Info, &text);
    }

    /// Hands the lines over; gives what went wrong with them.
    pub fn send(&mut self) -> Vec<String> {
        self.log.send().iter().map(words::fail2ban_log).collect()
    }

    /// A ban that was in force before.
    fn restored(&mut self, ban: &Ban) {
        if !self.out.contains_key(&(ban.jail, ban.prefix)) {
            self.banned(ban, "Restore Ban");
        }
    }

    fn banned(&mut self, ban: &Ban, what: &str) {
        let Some(desk) = self.desks.get_mut(&ban.jail) else { return };
        let (title, who) = (desk.title.clone(), ban.who());
        match self.out.insert((ban.jail, ban.prefix), ban.since) {
            Some(_) => {
                self.say("actions", Level::Notice, &format!("[{title}] {who} already banned"));
            }
            None => {
                desk.total += 1;
                self.say("actions", Level::Notice, &format!("[{title}] {what} {who}"));
                self.increased(ban, &title);
            }
        }
    }

    /// Says that a ban is longer than the last one was.
    fn increased(&mut self, ban: &Ban, title: &str) {
        let increment = ("increment".to_owned(), sereno_fail2ban::Value::Flag(true));
        let grows = self.desks.get(&ban.jail).is_some_and(|d| d.view.extra.contains(&increment));
        let Some(until) = ban.until.filter(|_| grows && ban.before > 0) else { return };
        let (who, count) = (ban.who(), ban.before.saturating_add(1));
        let (length, until) = (length_in_words(until.since(ban.since).as_secs()), local(until));
        let text = format!("[{title}] Increase Ban {who} ({count} # {length} -> {until})");
        self.say("observer", Level::Notice, &text);
    }

    fn lifted(&mut self, ban: &Ban) {
        self.out.remove(&(ban.jail, ban.prefix));
        let Some(desk) = self.desks.get(&ban.jail) else { return };
        let text = format!("[{}] Unban {}", desk.title, ban.who());
        self.say("actions", Level::Notice, &text);
    }

    fn found(&mut self, jail: Name, verdict: &Verdict<'_>, engine: &Engine, now: Time) {
        let known = self.desks.get(&jail).zip(engine.jail(jail));
        let Some((desk, policy)) = known.map(|(desk, jail)| (desk, jail.policy())) else { return };
        // fail2ban does not look at lines that are too old to count.
        if verdict.good || now.since(verdict.at) > policy.findtime {
            return;
        }
        let (title, addr) = (&desk.title, verdict.addr);
        let who = verdict.network.unwrap_or(Prefix::host(addr));
        let spared = policy.ignore.iter().any(|prefix| prefix.contains(addr))
            || engine.friends().hit_by(who).is_some();
        let text = if spared {
            format!("[{title}] Ignore {who} by ip")
        } else {
            format!("[{title}] Found {who} - {}", local(verdict.at))
        };
        self.info("filter", &text);
    }

    /// Says that guarding ends.
    pub fn close(&mut self) {
        self.info("server", "Shutdown in progress...");
        let titles: Vec<String> = self.desks.values().map(|desk| desk.title.clone()).collect();
        for title in titles {
            self.info("jail", &format!("Jail '{title}' stopped"));
        }
        self.info("server", "Exiting Fail2ban");
        self.log.send();
    }
}

/// A moment as fail2ban writes it: local, to the second.
fn local(at: Time) -> String {
    local_seconds(at.secs())
}

/// The same of seconds since 1970.
fn local_seconds(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long a ban is, in the words of fail2ban: three units at most.
fn length_in_words(seconds: u64) -> String {
    const UNITS: [(u64, &str); 6] =
        [(31_536_000, "y"), (604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let first = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(5);
    // Beyond an hour, small units are not worth a word.
    let last = (first + 2).min(5);
    let smallest = UNITS[last].0;
    let mut rest = (seconds + smallest / 2) / smallest * smallest;
    let mut words = Vec::new();
    for (size, unit) in &UNITS[first..=last] {
        if rest >= *size {
            words.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn lengths_are_said_as_fail2ban_says_them() {
        for (seconds, words) in [
            (86_400 * 390, "1y 3w 4d"),
            (86_400 * 368, "1y 3d"),
            (86_400 * 2 + 3600 * 7 + 60 * 15, "2d 7h 15m"),
            (86_400 * 2 + 3599, "2d 1h"),
            (7200, "2h"),
            (59, "59s"),
        ] {
            assert_eq!(super::length_in_words(seconds), words);
        }
    }
}
