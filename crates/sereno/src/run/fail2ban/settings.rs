//! Options of a jail that `fail2ban-client` sets while it guards. They hold until the
//! configuration is read again.

use super::clerk::prefix;
use super::view;
use crate::run::guard::Guard;
use sereno_config::{Policy, SourceConf};
use sereno_core::addr::Prefix;
use sereno_core::engine::Input;
use sereno_core::gate::Name;
use sereno_core::jail::{Escalation, Formula, Friends, JailPolicy};
use sereno_core::time::Time;
use sereno_fail2ban::Value;
use sereno_fail2ban::client::{Id, Setting};
use std::time::Duration;

/// What is said of everything that belongs into files.
pub(super) const WRITE: &str =
    "this cannot be changed while it guards; write it into jail.local, and reload";

/// Sets an option of a jail, for what it decides from now on.
///
/// # Errors
/// Why not.
pub(super) fn set(
    guard: &mut Guard,
    name: Name,
    setting: Setting,
    now: Time,
) -> Result<(), String> {
    match setting {
        Setting::AddIgnoreIp(ids) => return ignore(guard, name, ids),
        Setting::DropIgnoreIp(id) => return heed(guard, name, &id, now),
        _ => {}
    }
    let Some(desk) = guard.office.desks.get_mut(&name) else { return Ok(()) };
    let view = &mut desk.view;
    let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    match setting {
        Setting::MaxRetry(times) => {
            view.maxretry = times;
            let times = u32::try_from(times.max(1)).unwrap_or(u32::MAX);
            guard.engine.adjust(name, |policy| policy.maxretry = times);
        }
        Setting::FindTime(time) => {
            view.findtime = time;
            guard.engine.adjust(name, |policy| policy.findtime = seconds(time.max(0)));
        }
        Setting::BanTime(time) => {
            view.bantime = time;
            let time = (time >= 0).then(|| seconds(time));
            guard.engine.adjust(name, |policy| policy.bantime = time);
        }
        Setting::MaxMatches(lines) => {
            view.maxmatches = lines;
            let lines = usize::try_from(lines).unwrap_or(0).min(50);
            guard.engine.adjust(name, |policy| policy.evidence = lines);
        }
        Setting::BanTimeExtra(option, value) => {
            let grow = grown(&option, value.as_ref())?;
            view.extra.retain(|(known, _)| *known != option);
            view.extra.extend(value.map(|value| (option, value)));
            guard.engine.adjust(name, |policy: &mut JailPolicy| grow(&mut policy.increment));
        }
        Setting::Idle(true) => {
            return Err("a jail cannot rest here; stop it, and reload it later".to_owned());
        }
        Setting::IgnoreSelf(false) => return Err("own addresses are left alone always".to_owned()),
        _ => {}
    }
    Ok(())
}

/// Whether an option is about counting and sparing, rather than about what a jail looks for, asks or
/// does.
pub(super) fn is_count(setting: &Setting) -> bool {
    matches!(
        setting,
        Setting::Idle(_)
            | Setting::IgnoreSelf(_)
            | Setting::AddIgnoreIp(_)
            | Setting::DropIgnoreIp(_)
            | Setting::MaxRetry(_)
            | Setting::FindTime(_)
            | Setting::BanTime(_)
            | Setting::MaxMatches(_)
            | Setting::BanTimeExtra(..)
    )
}

/// A change of how bans grow.
type Growth = Box<dyn FnOnce(&mut Escalation)>;

/// The change that an option of `bantime.*` is.
fn grown(option: &str, value: Option<&Value>) -> Result<Growth, String> {
    let text = match value {
        Some(Value::Text(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let time = text.parse().ok().map(Duration::from_secs);
    Ok(match option {
        "increment" => Box::new(move |all| all.increment = text == "True"),
        "overalljails" => {
            let yes = matches!(text.to_lowercase().as_str(), "1" | "on" | "true" | "yes");
            Box::new(move |all| all.overalljails = yes)
        }
        "factor" => {
            let factor = if text.is_empty() { Some(1.0) } else { text.trim().parse().ok() };
            let factor = factor.filter(|f: &f64| f.is_finite() && *f >= 0.0);
            let factor = factor.ok_or_else(|| format!("{text} is no number"))?;
            Box::new(move |all| all.factor = factor)
        }
        "formula" => {
            let formula = Some(text.as_str()).filter(|text| !text.is_empty()).map(Formula::parse);
            let formula = formula.transpose().map_err(|wrong| {
                format!("column {}: {}; {}", wrong.at + 1, wrong.message, wrong.remedy)
            })?;
            Box::new(move |all| all.formula = formula)
        }
        "multipliers" => {
            let times = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            Box::new(move |all| all.multipliers = times)
        }
        "maxtime" => Box::new(move |all| all.maxtime = time),
        "rndtime" => Box::new(move |all| all.rndtime = time.unwrap_or_default()),
        _ => return Err(format!("there is no option bantime.{option}")),
    })
}

/// Leaves somebody alone.
fn ignore(guard: &mut Guard, name: Name, ids: Vec<Id>) -> Result<(), String> {
    let more = ids.iter().map(prefix).collect::<Result<Vec<Prefix>, _>>()?;
    guard.engine.adjust(name, |policy| policy.ignore.extend(more));
    if let Some(desk) = guard.office.desks.get_mut(&name) {
        desk.view.ignoreip.extend(ids);
        view::sort(&mut desk.view.ignoreip);
    }
    Ok(())
}

/// Leaves somebody alone no longer. Whom all jails left alone is a friend; he is none any more.
fn heed(guard: &mut Guard, name: Name, id: &Id, now: Time) -> Result<(), String> {
    let prefix = prefix(id)?;
    guard.engine.adjust(name, |policy| policy.ignore.retain(|known| *known != prefix));
    if let Some(desk) = guard.office.desks.get_mut(&name) {
        desk.view.ignoreip.retain(|known| known != id);
    }
    let list = guard.engine.friends().list();
    let named = |why: &str| why == "ignoreip";
    if list.iter().any(|friend| friend.prefix == prefix && named(&friend.why)) {
        let others = list.iter().filter(|f| f.prefix != prefix || !named(&f.why)).cloned();
        let friends = Friends::new(others.collect());
        guard.hands.befriend(friends.clone());
        guard.command(Input::Friends(friends), now);
    }
    Ok(())
}

/// Lets a jail read one more file.
pub(super) fn add_path(policy: &mut Policy, name: Name, path: String) -> Result<(), String> {
    if !std::path::Path::new(&path).is_file() {
        return Err(format!("{path} is no file"));
    }
    match paths(policy, name) {
        Some(paths) => paths.push(path),
        None => return Err(WRITE.to_owned()),
    }
    Ok(())
}

/// Lets a jail read a file no longer.
pub(super) fn drop_path(policy: &mut Policy, name: Name, path: &str) -> Result<(), String> {
    let Some(paths) = paths(policy, name) else { return Err(WRITE.to_owned()) };
    let before = paths.len();
    paths.retain(|known| known != path);
    if paths.len() == before {
        return Err(format!("{path} is one of several that a logpath with wildcards means"));
    }
    Ok(())
}

fn paths(policy: &mut Policy, name: Name) -> Option<&mut Vec<String>> {
    let conf = policy.jails.iter_mut().find(|conf| conf.policy.name == name)?;
    conf.sources.iter_mut().find_map(|source| match source {
        SourceConf::Files(paths) => Some(paths),
        SourceConf::Journal(_) | SourceConf::Gate(_) => None,
    })
}
