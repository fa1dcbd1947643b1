//! Options that are set: checked against what is, carried out, and shown as they are then.

use super::answer;
use super::change::{Change, ServerSetting, Setting};
use super::execute::{Answer, action, view};
use super::id::Id;
use super::options::{Field, ServerField};
use super::refusal::Refusal;
use super::view::{Host, JailView, Source};
use std::collections::BTreeSet;

pub(crate) fn set_server(setting: ServerSetting, host: &mut dyn Host) -> Answer {
    let field = match &setting {
        ServerSetting::LogLevel(_) => ServerField::LogLevel,
        ServerSetting::LogTarget(_) => ServerField::LogTarget,
        ServerSetting::SyslogSocket(_) => ServerField::SyslogSocket,
        ServerSetting::DbMaxMatches(_) => ServerField::DbMaxMatches,
        ServerSetting::DbPurgeAge(_) => ServerField::DbPurgeAge,
        ServerSetting::AllowIpv6(value) => {
            let value = value.clone();
            host.change(Change::SetServer(setting))?;
            return Ok(value);
        }
    };
    let disabled = host.server().dbfile.is_none();
    if disabled && matches!(field, ServerField::DbMaxMatches | ServerField::DbPurgeAge) {
        return Ok(answer::server(&host.server(), field));
    }
    let failed = |why: String| match field {
        ServerField::LogTarget => "Failed to change log target".to_owned(),
        ServerField::SyslogSocket => "Failed to change syslog socket".to_owned(),
        _ => why,
    };
    host.change(Change::SetServer(setting)).map_err(failed)?;
    Ok(answer::server(&host.server(), field))
}

/// Sets an option of a jail, and shows what it is then.
pub(crate) fn set(jail: &str, setting: Setting, host: &mut dyn Host) -> Answer {
    let before = view(host, jail)?;
    let shown = shown(&setting);
    let property = match &setting {
        Setting::ActionProperty { action, name, .. } => Some((action.clone(), name.clone())),
        _ => None,
    };
    let told = match &setting {
        Setting::AddAction(name) => Some(name.clone()),
        Setting::DropAction(_) => Some(answer::plain(None)),
        _ => None,
    };
    if let Some(setting) = checked(setting, &before)? {
        host.change(Change::Set { jail: jail.to_owned(), setting })?;
    }
    let after = view(host, jail)?;
    Ok(match (shown, property, told) {
        (Some(field), ..) => answer::field(jail, &after, &field),
        (_, Some((name, property)), _) => {
            let value = answer::property(action(&after, &name)?, &property);
            value.unwrap_or_else(|| answer::plain(None))
        }
        (.., told) => told.unwrap_or_default(),
    })
}

/// A setting if it has to be carried out, against what a jail is now.
fn checked(setting: Setting, jail: &JailView) -> Result<Option<Setting>, Refusal> {
    Ok(Some(match setting {
        Setting::AddIgnoreIp(mut ids) => {
            let mut seen: BTreeSet<Id> = jail.ignoreip.iter().cloned().collect();
            ids.retain(|id| seen.insert(id.clone()));
            if ids.is_empty() {
                return Ok(None);
            }
            Setting::AddIgnoreIp(ids)
        }
        Setting::DropIgnoreIp(id) if !jail.ignoreip.contains(&id) => {
            return Err(Refusal::Said("list.remove(x): x not in list".to_owned()));
        }
        Setting::AddLogPath { .. } | Setting::DropLogPath(_)
            if matches!(jail.source, Source::Journal(_)) =>
        {
            return Ok(None);
        }
        Setting::AddLogPath { path, .. } if reads(jail, &path) => return Ok(None),
        Setting::DropLogPath(path) if !reads(jail, &path) => return Ok(None),
        Setting::AddJournalMatch(_) | Setting::DropJournalMatch(_)
            if matches!(jail.source, Source::Files(_)) =>
        {
            return Ok(None);
        }
        Setting::DropJournalMatch(words) if !has_match(jail, &words) => {
            let words = answer::python_list(words.into_iter());
            return Err(Refusal::Said(format!("Match {words} not found")));
        }
        Setting::AddJournalMatch(mut matches) => {
            matches.retain(|words| !words.is_empty());
            if matches.is_empty() {
                return Err(Refusal::Incomplete);
            }
            if !matches.iter().flatten().all(|word| is_match(word)) {
                return Err(Refusal::Said("Invalid match".to_owned()));
            }
            Setting::AddJournalMatch(matches)
        }
        Setting::AddAction(name) if jail.actions.iter().any(|action| action.name == name) => {
            return Err(Refusal::Said(format!("Action {name} already exists")));
        }
        Setting::DropAction(name) => {
            action(jail, &name)?;
            Setting::DropAction(name)
        }
        Setting::ActionProperty { action: name, .. } if action(jail, &name).is_err() => {
            return Err(Refusal::Key(format!("Invalid Action name: {name}")));
        }
        setting => setting,
    }))
}

/// Whether a word is a match of the journal: a field's name and a value (`systemd.journal-fields(7)`).
/// What it is not, `journalctl` might take for an option.
fn is_match(word: &str) -> bool {
    let field = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    word.split_once('=').is_some_and(|(name, _)| field(name))
}

fn reads(jail: &JailView, path: &str) -> bool {
    matches!(&jail.source, Source::Files(paths) if paths.iter().any(|known| known == path))
}

fn has_match(jail: &JailView, words: &[String]) -> bool {
    matches!(&jail.source, Source::Journal(matches) if matches.iter().any(|known| known == words))
}

/// What is shown after an option was set.
fn shown(setting: &Setting) -> Option<Field> {
    Some(match setting {
        Setting::Idle(_) => Field::Idle,
        Setting::IgnoreSelf(_) => Field::IgnoreSelf,
        Setting::AddIgnoreIp(_) | Setting::DropIgnoreIp(_) => Field::IgnoreIp,
        Setting::IgnoreCommand(_) => Field::IgnoreCommand,
        Setting::IgnoreCache(_) => Field::IgnoreCache,
        Setting::AddLogPath { .. } | Setting::DropLogPath(_) => Field::LogPath,
        Setting::LogEncoding(_) => Field::LogEncoding,
        Setting::AddJournalMatch(_) | Setting::DropJournalMatch(_) => Field::JournalMatch,
        Setting::PrefRegex(_) => Field::PrefRegex,
        Setting::AddFailRegex(_) | Setting::DropFailRegex(_) => Field::FailRegex,
        Setting::AddIgnoreRegex(_) | Setting::DropIgnoreRegex(_) => Field::IgnoreRegex,
        Setting::UseDns(_) => Field::UseDns,
        Setting::FindTime(_) => Field::FindTime,
        Setting::DatePattern(_) => Field::DatePattern,
        Setting::LogTimeZone(_) => Field::LogTimeZone,
        Setting::MaxMatches(_) => Field::MaxMatches,
        Setting::MaxRetry(_) => Field::MaxRetry,
        Setting::MaxLines(_) => Field::MaxLines,
        Setting::BanTime(_) => Field::BanTime,
        Setting::BanTimeExtra(name, _) => Field::BanTimeExtra(name.clone()),
        Setting::AddAction(_) | Setting::DropAction(_) | Setting::ActionProperty { .. } => {
            return None;
        }
    })
}
