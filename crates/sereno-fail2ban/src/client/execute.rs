//! From a command to its answer, by way of who guards.

use super::answer;
use super::change::{Change, Setting};
use super::command::{Command, Flavor, OfAction};
use super::id::Id;
use super::options::{Field, ServerField};
use super::overview;
use super::refusal::{Refusal, quoted};
use super::settle;
use super::view::{ActionView, Host, JailView};
use crate::VERSION;
use crate::dump::Value;
use std::collections::BTreeSet;

pub(crate) type Answer = Result<String, Refusal>;

/// Carries a command out, and gives what is printed.
pub(crate) fn execute(command: Command, host: &mut dyn Host) -> Answer {
    Ok(match command {
        Command::Ping => "Server replied: pong".to_owned(),
        Command::Version => VERSION.to_owned(),
        Command::Echo(words) => words.join(" "),
        Command::Sleep(_) => answer::plain(None),
        Command::Ready => "Server ready".to_owned(),
        Command::FlushLogs => {
            let target = host.server().logtarget;
            let plain = ["STDERR", "STDOUT", "SYSLOG", "SYSTEMD-JOURNAL"].contains(&&*target);
            host.change(Change::FlushLogs)?;
            format!("logs: {}", if plain { "flushed" } else { "rolled over" })
        }
        Command::Status => answer::status(host.jails()),
        Command::StatusAll(flavor) => overview::status(host, flavor),
        Command::Statistics => overview::statistics(host),
        Command::JailStatus { jail, flavor } => {
            let view = view(host, &jail)?;
            let bans = if flavor == Flavor::Short { Vec::new() } else { host.bans(&jail) };
            answer::jail_status(&jail, &view, &bans, flavor)
        }
        Command::Banned(ids) => banned(&ids, host),
        Command::Get(field) => answer::server(&host.server(), field),
        Command::GetJail { jail, field } => answer::field(&jail, &view(host, &jail)?, &field),
        Command::JailBanned { jail, ids } => jail_banned(&jail, &ids, host)?,
        Command::JailBans { jail, listing } => {
            known(host, &jail)?;
            answer::bans(host.bans(&jail), &listing, host)
        }
        Command::GetAction { jail, action, what } => of_action(&jail, &action, &what, host)?,
        command => return change(command, host),
    })
}

/// The commands that change something.
fn change(command: Command, host: &mut dyn Host) -> Answer {
    Ok(match command {
        Command::UnbanAll => {
            let mut count = 0;
            for jail in host.jails() {
                count += host.bans(&jail).len();
                host.change(Change::UnbanAll { jail })?;
            }
            count.to_string()
        }
        Command::Unban(ids) => {
            let mut count = 0;
            for jail in host.jails() {
                count += unban(&jail, &ids, host)?.0;
            }
            count.to_string()
        }
        Command::Set(setting) => settle::set_server(setting, host)?,
        Command::SetDbFile(path) => {
            let server = host.server();
            let none = server.dbfile.is_none() && path.eq_ignore_ascii_case("none");
            if !none && server.dbfile.as_ref() != Some(&path) {
                let text = "Cannot change database when there are jails present";
                return Err(Refusal::Said(text.to_owned()));
            }
            answer::server(&server, ServerField::DbFile)
        }
        command => return turn(command, host),
    })
}

/// The commands by which jails come, begin anew and go.
fn turn(command: Command, host: &mut dyn Host) -> Answer {
    Ok(match command {
        Command::Start => return Err(Refusal::Client("Server already running".to_owned())),
        Command::StartJail(jail) => {
            known(host, &jail)?;
            host.change(Change::StartJail { jail })?;
            "Jail started".to_owned()
        }
        Command::Stop => {
            host.change(Change::Stop)?;
            "Shutdown successful".to_owned()
        }
        Command::StopAll => {
            for jail in host.jails() {
                host.change(Change::StopJail { jail })?;
            }
            "Jail stopped".to_owned()
        }
        Command::StopJail(jail) => {
            known(host, &jail)?;
            host.change(Change::StopJail { jail })?;
            "Jail stopped".to_owned()
        }
        Command::AddJail { name, backend } => {
            if host.jail(&name).is_some() {
                return Err(Refusal::DuplicateJail(name));
            }
            let text = format!("Added jail {name}");
            host.change(Change::AddJail { name, backend })?;
            text
        }
        Command::Restart => {
            let all = Change::Reload { jail: None, restart: true, unban: false, if_exists: false };
            host.change(all)?;
            "Shutdown successful\nServer ready".to_owned()
        }
        Command::Reload { jail, restart, unban, if_exists } => {
            // The client reads the configuration itself, and says so if that goes wrong.
            let failed = |why| Refusal::Client(format!("Failed during configuration: {why}"));
            let reload = Change::Reload { jail, restart, unban, if_exists };
            host.change(reload).map_err(failed)?;
            "OK".to_owned()
        }
        command => return change_jail(command, host),
    })
}

/// The commands that change something in a jail.
fn change_jail(command: Command, host: &mut dyn Host) -> Answer {
    Ok(match command {
        Command::SetJail { jail, setting } => settle::set(&jail, setting, host)?,
        Command::DropFailRegex { jail, index } => {
            let place = place(&view(host, &jail)?.failregex, index);
            if let Some(place) = place {
                let setting = Setting::DropFailRegex(place);
                host.change(Change::Set { jail: jail.clone(), setting })?;
            }
            answer::field(&jail, &view(host, &jail)?, &Field::FailRegex)
        }
        Command::DropIgnoreRegex { jail, index } => {
            let place = place(&view(host, &jail)?.ignoreregex, index);
            if let Some(place) = place {
                let setting = Setting::DropIgnoreRegex(place);
                host.change(Change::Set { jail: jail.clone(), setting })?;
            }
            answer::field(&jail, &view(host, &jail)?, &Field::IgnoreRegex)
        }
        Command::Attempt { jail, id, lines } => {
            known(host, &jail)?;
            host.change(Change::Attempt { jail, id, lines })?;
            "1".to_owned()
        }
        Command::Ban { jail, ids } => {
            known(host, &jail)?;
            let made = if ids.is_empty() { 0 } else { host.change(Change::Ban { jail, ids })? };
            made.to_string()
        }
        Command::UnbanJail { jail, ids, report_absent } => {
            known(host, &jail)?;
            let (ids, words): (Vec<Id>, Vec<String>) = ids.into_iter().unzip();
            let (count, absent) = unban(&jail, &ids, host)?;
            if report_absent && !absent.is_empty() {
                let absent = absent.iter().filter_map(|at| words.get(*at).cloned());
                let text = format!("not banned: {}", answer::python_list(absent));
                return Err(Refusal::Said(text));
            }
            count.to_string()
        }
        _ => return Err(Refusal::Said("Invalid command".to_owned())),
    })
}

pub(crate) fn view(host: &dyn Host, jail: &str) -> Result<JailView, Refusal> {
    host.jail(jail).ok_or_else(|| Refusal::UnknownJail(jail.to_owned()))
}

fn known(host: &dyn Host, jail: &str) -> Result<(), Refusal> {
    let known = host.jails().iter().any(|known| known == jail);
    if known { Ok(()) } else { Err(Refusal::UnknownJail(jail.to_owned())) }
}

/// The place of an index in Python: from the end if it is negative.
fn place(list: &[String], index: i64) -> Option<usize> {
    let length = i64::try_from(list.len()).ok()?;
    let place = if index < 0 { index + length } else { index };
    usize::try_from(place).ok().filter(|place| *place < list.len())
}

fn ids_of(jail: &str, host: &dyn Host) -> BTreeSet<Id> {
    host.bans(jail).into_iter().map(|ban| ban.id).collect()
}

fn texts_of(jail: &str, host: &dyn Host) -> Value {
    answer::python_list(host.bans(jail).into_iter().map(|ban| ban.id.to_string()))
}

fn banned(ids: &[Id], host: &dyn Host) -> String {
    let jails = host.jails();
    if ids.is_empty() {
        let map = |jail: &String| Value::Map(vec![(jail.clone(), texts_of(jail, host))]);
        return Value::List(jails.iter().map(map).collect()).to_string();
    }
    let bans: Vec<(&String, BTreeSet<Id>)> =
        jails.iter().map(|jail| (jail, ids_of(jail, host))).collect();
    let of = |id: &Id| {
        let jails = bans.iter().filter(|(_, bans)| bans.contains(id));
        answer::python_list(jails.map(|(jail, _)| (*jail).clone()))
    };
    Value::List(ids.iter().map(of).collect()).to_string()
}

fn jail_banned(jail: &str, ids: &[Id], host: &dyn Host) -> Answer {
    known(host, jail)?;
    if ids.is_empty() {
        return Ok(texts_of(jail, host).to_string());
    }
    let bans = ids_of(jail, host);
    let number = |id: &Id| Value::Number(i64::from(bans.contains(id)));
    Ok(match ids {
        [id] => number(id).to_string(),
        _ => Value::List(ids.iter().map(number).collect()).to_string(),
    })
}

/// Lifts those named, and those in the networks named. Gives how many were in force, and the
/// places of those named who were not.
fn unban(jail: &str, ids: &[Id], host: &mut dyn Host) -> Result<(usize, Vec<usize>), Refusal> {
    let mut bans = ids_of(jail, host);
    let (mut named, mut absent, before) = (Vec::new(), Vec::new(), bans.len());
    for (at, id) in ids.iter().enumerate() {
        let mut inside: Vec<Id> = match id.is_net() {
            _ if bans.contains(id) => vec![id.clone()],
            Some(true) => {
                let (first, last) = id.inside();
                bans.range(first..=last).cloned().collect()
            }
            _ => Vec::new(),
        };
        for id in &inside {
            bans.remove(id);
        }
        if inside.is_empty() {
            absent.push(at);
            // What is remembered of somebody who is not out goes too.
            inside.push(id.clone());
        }
        named.append(&mut inside);
    }
    if !named.is_empty() {
        host.change(Change::Unban { jail: jail.to_owned(), ids: named })?;
    }
    Ok((before - bans.len(), absent))
}

fn of_action(jail: &str, name: &str, what: &OfAction, host: &dyn Host) -> Answer {
    let view = view(host, jail)?;
    let action = action(&view, name)?;
    Ok(match what {
        OfAction::Properties => answer::properties(jail, action),
        OfAction::Methods => answer::methods(jail, action),
        OfAction::Property(property) => answer::property(action, property).ok_or_else(|| {
            format!("'CommandAction' object has no attribute {}", quoted(property))
        })?,
    })
}

pub(crate) fn action<'v>(view: &'v JailView, name: &str) -> Result<&'v ActionView, Refusal> {
    let found = view.actions.iter().find(|action| action.name == name);
    found.ok_or_else(|| Refusal::Key(format!("Invalid Action name: {name}")))
}
