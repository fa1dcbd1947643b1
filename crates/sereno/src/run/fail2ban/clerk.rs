//! The guard as `fail2ban-client` sees it: every question answered, every change carried out.
//!
//! On purpose different from fail2ban's server, besides what the client's own module says:
//!
//! - Friends are not banned, whoever asks, and own addresses are always left alone.
//! - What is wrong with an expression, a date or an action that is set is said in our words.
//! - A jail cannot rest (`idle on`); it can be stopped.
//! - An action that changes is told of the bans in force, as after a reload.
//! - `reload JAIL` reads the whole configuration, and brings back a jail that was stopped.
//! - Bans that ended with `stop JAIL` do not come back with the jail.
//! - `get JAIL failregex` shows tags such as `<HOST>` as they are written.
//! - Addresses of version 6 are out together with their network.
//! - Members of the socket's group name no files (`set logtarget PATH`, `addlogpath`) and no commands
//!   (actions, `ignorecommand`), and make no jails.

use super::log::Target;
use super::{local_seconds, settings, view};
use crate::run::{After, Reload, Shell, clock, setup};
use crate::words;
use sereno_config::{Lang, Policy};
use sereno_core::addr::Prefix;
use sereno_core::engine::{Input, scope};
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_fail2ban::client::{
    Banned, Change, Host, Id, JailView, Server, ServerSetting, Setting, Source, rewrite, run,
};
use sereno_wire::control::Reply;
use std::collections::BTreeSet;

use crate::fail2ban::House;

/// What an administrator's ban says for its reason.
const BY_HAND: &str = "fail2ban-client";

impl Shell {
    /// Answers `fail2ban-client`.
    pub(in crate::run) fn fail2ban(&mut self, client: usize, words: &[String]) -> After {
        if self.guard.house.is_none() {
            let why = words::to(Lang::English, words::no_tree);
            self.guard.control.answer(client, &Reply::Refused { why });
            return After::GoOn;
        }
        let trusted = self.guard.control.trusts(client);
        let mut clerk = Clerk { shell: self, now: clock(), stop: false, trusted };
        // It speaks to programs.
        let printed = words::to(Lang::English, || run(words, &mut clerk));
        let stop = clerk.stop;
        for reply in Reply::fail2ban(&printed.out, &printed.err, printed.code) {
            self.guard.control.answer(client, &reply);
        }
        self.guard.notes.extend(self.guard.office.send());
        if stop { After::Stop } else { After::GoOn }
    }
}

/// Who carries out one command.
struct Clerk<'s> {
    shell: &'s mut Shell,
    now: Time,
    stop: bool,
    /// He may name files.
    trusted: bool,
}

impl Host for Clerk<'_> {
    fn server(&self) -> Server {
        self.shell.guard.office.server.clone()
    }

    fn jails(&self) -> Vec<String> {
        let Some(house) = &self.shell.guard.house else { return Vec::new() };
        house
            .jails
            .iter()
            .filter_map(|g| Some(house.tree.jails.get(g.place)?.name.clone()))
            .collect()
    }

    fn jail(&self, name: &str) -> Option<JailView> {
        let guard = &self.shell.guard;
        let name = guard.office.named(name)?;
        let (desk, jail) = (guard.office.desks.get(&name)?, guard.engine.jail(name)?);
        let mut view = desk.view.clone();
        if let Source::Files(paths) = &mut view.source
            && !self.waits(name)
        {
            *paths = guard.book.files(name);
        }
        view.failed = jail.trying(self.now) as u64;
        view.failed_total = jail.counts().failures;
        view.banned = guard.engine.ledger().count(name) as u64;
        view.banned_total = desk.total;
        Some(view)
    }

    fn bans(&self, jail: &str) -> Vec<Banned> {
        let guard = &self.shell.guard;
        let Some(name) = guard.office.named(jail) else { return Vec::new() };
        let mut bans: Vec<Ban> =
            guard.engine.ledger().bans().filter(|ban| ban.jail == name).collect();
        bans.sort_by_key(|ban| ban.since);
        let banned = |ban: Ban| Banned {
            id: id(ban.who()),
            since: ban.since.secs(),
            length: ban.until.map(|until| until.since(ban.since).as_secs()),
        };
        bans.into_iter().map(banned).collect()
    }

    fn local(&self, time: i64) -> String {
        local_seconds(time)
    }

    fn change(&mut self, change: Change) -> Result<u64, String> {
        let now = self.now;
        if !self.trusted
            && let Some(what) = reserved(&change)
        {
            return Err(format!("only root may {what}: ask root, or use sudo"));
        }
        match change {
            Change::Ban { jail, ids } => return self.ban(&jail, &ids),
            Change::Unban { jail, ids } => self.unban(&jail, &ids)?,
            Change::UnbanAll { jail } => self.pardon(&[jail], true),
            Change::Attempt { jail, id, lines } => {
                let (jail, prefix) = (self.name(&jail)?, prefix(&id)?);
                self.shell.guard.command(Input::Attempt { jail, prefix, lines: &lines }, now);
            }
            Change::Set { jail, setting } => self.set(&jail, setting)?,
            Change::SetServer(setting) => self.set_server(setting)?,
            Change::AddJail { name, backend } => {
                let now = self.now;
                // One of this name may have been stopped.
                self.shell.guard.office.stopped.remove(&name);
                self.rebuild(|policy, house| match house {
                    Some(house) => house.add_jail(&name, &backend, policy, now),
                    None => Ok(()),
                })?;
            }
            Change::StartJail { jail } => self.start_jail(&jail)?,
            Change::StopJail { jail } => self.stop_jail(jail)?,
            Change::Reload { jail, unban, if_exists, .. } => {
                self.reload(jail.as_deref(), unban, if_exists)?;
            }
            Change::FlushLogs => self.shell.guard.office.reopen(),
            Change::Stop => self.stop = true,
        }
        Ok(0)
    }
}

impl Clerk<'_> {
    fn name(&self, jail: &str) -> Result<Name, String> {
        let name = self.shell.guard.office.named(jail);
        name.ok_or_else(|| format!("there is no jail {jail}"))
    }

    /// Bans, but for friends; says how many are out who were not.
    fn ban(&mut self, jail: &str, ids: &[Id]) -> Result<u64, String> {
        let jail = self.name(jail)?;
        let guard = &self.shell.guard;
        let Some(policy) = guard.engine.jail(jail).map(|jail| jail.policy()) else { return Ok(0) };
        let ledger = guard.engine.ledger();
        let (mut wanted, mut refused, mut seen) = (Vec::new(), None, BTreeSet::new());
        for id in ids {
            let prefix = prefix(id)?;
            if policy.closes {
                setup::fits(&guard.draft, scope(policy), prefix)?;
            }
            let before = ledger.before(jail, prefix);
            let length = policy.bantime.map(|base| policy.increment.length(base, before, 0.0));
            let until = length.map(|length| self.now.plus(length));
            let longer = |known: &Ban| known.until.is_some_and(|end| until.is_none_or(|u| u > end));
            if let Some(friend) = guard.engine.friends().hit_by(prefix) {
                refused = Some(words::is_friend(prefix, &friend.why));
            } else if ledger.get(jail, prefix).is_none_or(|known| longer(&known))
                && seen.insert(prefix)
            {
                wanted.push((prefix, length));
            }
        }
        let new = wanted.iter().filter(|(prefix, _)| ledger.get(jail, *prefix).is_none()).count();
        match refused {
            Some(why) if wanted.is_empty() => return Err(why),
            _ => {}
        }
        let why = || BY_HAND.to_owned();
        let input = |(prefix, length)| Input::Ban { jail, prefix, length, why: why() };
        self.shell.guard.commands(wanted.into_iter().map(input), self.now);
        Ok(new as u64)
    }

    fn unban(&mut self, jail: &str, ids: &[Id]) -> Result<(), String> {
        let jail = self.name(jail)?;
        let guard = &self.shell.guard;
        let mut all = Vec::new();
        for prefix in ids.iter().filter_map(|id| prefix(id).ok()) {
            // An address of version 6 is out with its neighbours.
            let policy = guard.engine.jail(jail).map(|jail| jail.policy());
            let around = policy.map(|policy| policy.stranger(prefix.addr()));
            let around = around.filter(|around| prefix.is_host() && around != &prefix);
            all.extend(around.into_iter().chain([prefix]));
        }
        let input = |prefix| Input::Pardon { jail, prefix: Some(prefix), forget: true };
        self.shell.guard.commands(all.into_iter().map(input), self.now);
        Ok(())
    }

    /// Lifts all bans of some jails.
    fn pardon(&mut self, jails: &[String], forget: bool) {
        let office = &self.shell.guard.office;
        let names: Vec<Name> = jails.iter().filter_map(|jail| office.named(jail)).collect();
        let input = |jail| Input::Pardon { jail, prefix: None, forget };
        self.shell.guard.commands(names.into_iter().map(input), self.now);
    }

    /// Lets a jail go until the configuration is read again.
    fn stop_jail(&mut self, jail: String) -> Result<(), String> {
        self.pardon(std::slice::from_ref(&jail), false);
        self.shell.guard.office.stopped.insert(jail);
        self.rebuild(|_, _| Ok(()))
    }

    /// Lets a jail that a client added read what it was told to; all others do.
    fn start_jail(&mut self, jail: &str) -> Result<(), String> {
        let name = self.name(jail)?;
        if !self.waits(name) {
            return Ok(());
        }
        self.rebuild(|policy, house| match house {
            Some(house) => house.start_jail(name, policy),
            None => Ok(()),
        })
    }

    fn waits(&self, name: Name) -> bool {
        let known = self.shell.guard.house.as_ref().and_then(|house| house.jail(name));
        known.is_some_and(|(_, guarded)| guarded.waits)
    }

    /// Reads the whole configuration again; jails that were stopped stay so, but for those named.
    fn reload(&mut self, jail: Option<&str>, unban: bool, if_exists: bool) -> Result<(), String> {
        let office = &mut self.shell.guard.office;
        match jail {
            Some(jail) => drop(office.stopped.remove(jail)),
            None => office.stopped.clear(),
        }
        if unban {
            let jails = jail.map_or_else(|| self.jails(), |jail| vec![jail.to_owned()]);
            self.pardon(&jails, true);
        }
        let what = jail.map_or_else(|| "all jails".to_owned(), |jail| format!("jail {jail}"));
        self.shell.guard.office.info("server", &format!("Reload {what}"));
        if let Reload::Refused(why) = self.shell.reload() {
            return Err(why);
        }
        self.shell.guard.office.info("server", "Reload finished.");
        let Some(jail) = jail else { return Ok(()) };
        let house = self.shell.guard.house.as_ref();
        if !house.is_some_and(|house| house.tree.jails.iter().any(|known| known.name == jail)) {
            return Err(format!("No section: '{jail}'"));
        }
        let guarded = if_exists || self.jails().iter().any(|known| known == jail);
        if guarded { Ok(()) } else { Err(format!("the jail {jail} is not switched on")) }
    }

    /// Guards by the policy as it is by now, changed; what clients have set stays.
    fn rebuild(
        &mut self,
        change: impl FnOnce(&mut Policy, &mut Option<House>) -> Result<(), String>,
    ) -> Result<(), String> {
        let guard = &mut self.shell.guard;
        let mut policy = self.shell.policy.clone();
        for conf in &mut policy.jails {
            if let Some(jail) = guard.engine.jail(conf.policy.name) {
                conf.policy = jail.policy().clone();
            }
        }
        let mut house: Option<House> = guard.house.clone();
        guard.office.leave_out(&mut policy, &mut house);
        change(&mut policy, &mut house)?;
        guard.flush(self.now);
        let (server, views) = guard.office.kept();
        let doors = guard.attendance.doors.clone();
        setup::rebuild(guard, &policy, house, doors, self.now).map_err(|e| e.to_string())?;
        guard.office.restore(server, views);
        self.shell.policy = policy;
        Ok(())
    }

    fn set(&mut self, jail: &str, setting: Setting) -> Result<(), String> {
        let name = self.name(jail)?;
        match setting {
            Setting::AddLogPath { .. } | Setting::DropLogPath(_) if self.waits(name) => {
                self.refit(name, &setting)
            }
            Setting::AddLogPath { path, .. } => {
                self.rebuild(|policy, _| settings::add_path(policy, name, path))
            }
            Setting::DropLogPath(path) => {
                self.rebuild(|policy, _| settings::drop_path(policy, name, &path))
            }
            setting if settings::is_count(&setting) => {
                settings::set(&mut self.shell.guard, name, setting, self.now)
            }
            setting => self.refit(name, &setting),
        }
    }

    /// Changes what a jail looks for, asks or does.
    fn refit(&mut self, name: Name, setting: &Setting) -> Result<(), String> {
        let now = self.now;
        self.rebuild(|policy, house| match house {
            Some(house) => house.refit(name, policy, now, |jail| rewrite(jail, setting)),
            None => Ok(()),
        })?;
        let guard = &mut self.shell.guard;
        let known = guard.house.as_ref().and_then(|house| house.jail(name));
        let known = known.zip(guard.engine.jail(name)).zip(guard.office.desks.get_mut(&name));
        if let Some((((jail, guarded), counts), desk)) = known {
            let fresh = view::jail(jail, counts.policy(), guarded.reads_journal);
            desk.view = view::refitted(&desk.view, fresh, setting);
        }
        Ok(())
    }

    fn set_server(&mut self, setting: ServerSetting) -> Result<(), String> {
        let guard = &mut self.shell.guard;
        match setting {
            ServerSetting::LogLevel(level) => {
                guard.office.log.set_level(&level);
                guard.office.server.loglevel = level;
            }
            ServerSetting::LogTarget(target) => {
                Target::read(&target).check().map_err(|e| format!("{target}: {e}"))?;
                guard.office.server.logtarget = target;
                guard.office.open_log(&mut guard.notes);
            }
            ServerSetting::SyslogSocket(path) => guard.office.server.syslogsocket = path,
            ServerSetting::AllowIpv6(_) => {}
            ServerSetting::DbMaxMatches(lines) => guard.office.server.dbmaxmatches = lines,
            ServerSetting::DbPurgeAge(seconds) => guard.office.server.dbpurgeage = seconds,
        }
        Ok(())
    }
}

/// What of a change is root's alone: members of the group may ban and lift, and neither read or write
/// as root wherever they like nor let commands run.
fn reserved(change: &Change) -> Option<&'static str> {
    let file = "name a file";
    Some(match change {
        Change::SetServer(ServerSetting::LogTarget(target)) => match Target::read(target) {
            Target::File(_) => file,
            _ => return None,
        },
        Change::AddJail { .. } => "add a jail",
        Change::Set { setting, .. } => match setting {
            Setting::AddLogPath { .. } => file,
            Setting::IgnoreCommand(_)
            | Setting::AddAction(_)
            | Setting::DropAction(_)
            | Setting::ActionProperty { .. } => "set commands",
            _ => return None,
        },
        _ => return None,
    })
}

/// Who is meant, if it is somebody with an address.
pub(super) fn prefix(id: &Id) -> Result<Prefix, String> {
    let prefix = match id {
        Id::V4(addr, bits) => Prefix::new(std::net::Ipv4Addr::from_bits(*addr).into(), *bits),
        Id::V6(addr, bits) => Prefix::new(std::net::Ipv6Addr::from_bits(*addr).into(), *bits),
        Id::Name(_) => None,
    };
    prefix.ok_or_else(|| format!("{id} is no address or network; names are not looked up"))
}

fn id(prefix: Prefix) -> Id {
    match prefix.addr() {
        std::net::IpAddr::V4(addr) => Id::V4(addr.to_bits(), prefix.bits()),
        std::net::IpAddr::V6(addr) => Id::V6(addr.to_bits(), prefix.bits()),
    }
}
