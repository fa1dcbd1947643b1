//! `set ..`.

use super::change::{ServerSetting, Setting};
use super::command::{Command, ids, integer, length, word};
use super::id::Id;
use super::refusal::{Refusal, quoted};
use super::view::Cache;
use crate::dump::Value;
use crate::params;
use crate::text::Text;
use crate::words;

/// Log levels by name; a number is one too.
const LEVELS: [&str; 12] = [
    "CRITICAL",
    "FATAL",
    "ERROR",
    "WARNING",
    "WARN",
    "MSG",
    "NOTICE",
    "INFO",
    "DEBUG",
    "TRACEDEBUG",
    "HEAVYDEBUG",
    "NOTSET",
];

pub(crate) fn read(rest: &[String]) -> Result<Command, Refusal> {
    let first = word(rest, 0)?;
    if let Some(command) = server(first, rest)? {
        return Ok(command);
    }
    let (jail, name) = (first.to_owned(), word(rest, 1)?);
    let values = rest.get(2..).unwrap_or_default();
    Ok(match name {
        "attempt" => {
            let (id, lines) = values.split_first().ok_or(Refusal::Incomplete)?;
            Command::Attempt { jail, id: Id::read(id)?, lines: lines.to_vec() }
        }
        "banip" => Command::Ban { jail, ids: ids(values)? },
        "unbanip" => {
            let report_absent = word(values, 0)? == "--report-absent";
            let named = values.iter().skip(usize::from(report_absent)).filter(|id| !id.is_empty());
            let named = named.map(|word| Ok((Id::read(word)?, word.clone())));
            Command::UnbanJail { jail, ids: named.collect::<Result<_, String>>()?, report_absent }
        }
        "delfailregex" => Command::DropFailRegex { jail, index: integer(word(values, 0)?)? },
        "delignoreregex" => Command::DropIgnoreRegex { jail, index: integer(word(values, 0)?)? },
        _ => match list(name, values)? {
            Some(setting) => Command::SetJail { jail, setting },
            None => {
                let setting = option(name, values)?;
                Command::SetJail { jail, setting }
            }
        },
    })
}

/// `set NAME VALUE`, if it is about the server.
fn server(name: &str, rest: &[String]) -> Result<Option<Command>, Refusal> {
    let value = || word(rest, 1).map(str::to_owned);
    let setting = match name {
        "loglevel" => ServerSetting::LogLevel(level(word(rest, 1)?)?),
        "logtarget" => ServerSetting::LogTarget(value()?),
        "syslogsocket" => ServerSetting::SyslogSocket(value()?),
        "allowipv6" => ServerSetting::AllowIpv6(value()?),
        "dbmaxmatches" => ServerSetting::DbMaxMatches(integer(word(rest, 1)?)?),
        "dbpurgeage" => ServerSetting::DbPurgeAge(length(word(rest, 1)?)?),
        "dbfile" => return Ok(Some(Command::SetDbFile(value()?))),
        "thread" => {
            value()?;
            return Err(Refusal::Said("there is nothing to set about threads".to_owned()));
        }
        _ => return Ok(None),
    };
    Ok(Some(Command::Set(setting)))
}

/// A log level in capitals.
pub(crate) fn level(word: &str) -> Result<String, String> {
    let level = word.to_uppercase();
    let number = !level.is_empty() && level.bytes().all(|b| b.is_ascii_digit());
    if number || LEVELS.contains(&level.as_str()) {
        Ok(level)
    } else {
        Err(format!("Invalid log level {}", quoted(&level)))
    }
}

/// Options that are lists, and grow or shrink.
fn list(name: &str, values: &[String]) -> Result<Option<Setting>, Refusal> {
    let one = || word(values, 0).map(str::to_owned);
    Ok(Some(match name {
        "addignoreip" => Setting::AddIgnoreIp(ids(values)?),
        "delignoreip" => Setting::DropIgnoreIp(Id::read(word(values, 0)?)?),
        "addlogpath" => {
            let path = one()?;
            let said = |text: &str| Refusal::Said(text.to_owned());
            let tail = match values.get(1).map(|word| word.to_lowercase()) {
                _ if values.len() > 2 => {
                    return Err(said("Only one file can be added at a time"));
                }
                None => false,
                Some(from) if from == "head" => false,
                Some(from) if from == "tail" => true,
                Some(_) => return Err(said("File option must be 'head' or 'tail'")),
            };
            Setting::AddLogPath { path, tail }
        }
        "dellogpath" => Setting::DropLogPath(one()?),
        "addjournalmatch" => {
            let matches = values.split(|word| word == "+").map(<[String]>::to_vec).collect();
            Setting::AddJournalMatch(matches)
        }
        "deljournalmatch" => Setting::DropJournalMatch(values.to_vec()),
        "addfailregex" => Setting::AddFailRegex(one()?),
        "addignoreregex" => Setting::AddIgnoreRegex(one()?),
        "addaction" => {
            if values.len() > 1 {
                let text = "actions in Python cannot be used here; write its commands in action.d";
                return Err(Refusal::Said(text.to_owned()));
            }
            Setting::AddAction(one()?)
        }
        "delaction" => Setting::DropAction(one()?),
        "action" => {
            let (action, name) = (one()?, word(values, 1)?.to_owned());
            if super::answer::METHODS.contains(&name.as_str()) {
                let text = format!("{name} is a method; it cannot be called here");
                return Err(Refusal::Said(text));
            }
            Setting::ActionProperty { action, name, value: word(values, 2)?.to_owned() }
        }
        _ => return Ok(None),
    }))
}

/// Options that have one value.
fn option(name: &str, values: &[String]) -> Result<Setting, Refusal> {
    let value = || word(values, 0);
    let text = || value().map(str::to_owned);
    Ok(match name {
        "idle" => Setting::Idle(match value()? {
            "on" => true,
            "off" => false,
            _ => {
                let text = "Invalid idle option, must be 'on' or 'off'";
                return Err(Refusal::Said(text.to_owned()));
            }
        }),
        "ignoreself" => Setting::IgnoreSelf(words::yes(value()?)),
        "ignorecommand" => Setting::IgnoreCommand(text()?),
        "ignorecache" => Setting::IgnoreCache(cache(value()?)?),
        "logencoding" => Setting::LogEncoding(text()?),
        "prefregex" => Setting::PrefRegex(text()?),
        "usedns" => {
            let value = value()?.to_lowercase();
            let known = ["yes", "warn", "no", "raw"].contains(&value.as_str());
            Setting::UseDns(if known { value } else { "no".to_owned() })
        }
        "findtime" => Setting::FindTime(length(value()?)?),
        "datepattern" => Setting::DatePattern(text()?),
        "logtimezone" => Setting::LogTimeZone(text()?),
        "maxmatches" => Setting::MaxMatches(integer(value()?)?),
        "maxretry" => Setting::MaxRetry(integer(value()?)?),
        "maxlines" => match u32::try_from(integer(value()?)?) {
            Ok(lines @ 1..) => Setting::MaxLines(lines),
            _ => {
                let text = "maxlines must be integer greater than zero";
                return Err(Refusal::Said(text.to_owned()));
            }
        },
        "bantime" => Setting::BanTime(length(value()?)?),
        _ => match name.strip_prefix("bantime.") {
            Some(extra) => Setting::BanTimeExtra(extra.to_owned(), increase(extra, value()?)?),
            None => {
                let name = quoted(name);
                let text = format!("Invalid command {name} (no set action or not yet implemented)");
                return Err(Refusal::Said(text));
            }
        },
    })
}

/// The value of `bantime.NAME`; none takes it away.
fn increase(name: &str, value: &str) -> Result<Option<Value>, Refusal> {
    if value.is_empty() {
        return Ok((name == "increment").then_some(Value::Flag(false)));
    }
    Ok(Some(match name {
        "increment" => Value::Flag(words::yes(value)),
        "maxtime" | "rndtime" => Value::Number(length(value)?),
        "multipliers" => {
            value.split(' ').try_for_each(|word| integer(word).map(drop))?;
            Value::Text(value.to_owned())
        }
        _ => Value::Text(value.to_owned()),
    }))
}

/// `key="..", max-count=.., max-time=..`; nothing is no cache.
fn cache(value: &str) -> Result<Option<Cache>, Refusal> {
    let call = params::parse(&Text::plain(&format!("cache[{value}]")));
    let params = call.map_err(|wrong| wrong.message)?.params;
    if params.is_empty() {
        return Ok(None);
    }
    let get = |name: &str| params.get(name).map(Text::as_str);
    let key = get("key").ok_or_else(|| Refusal::Key("key".to_owned()))?.to_owned();
    let count = get("max-count").map_or(Ok(100), integer)?;
    let seconds = get("max-time").map_or(Ok(300), length)?;
    let out_of_range = |_| "a number of ignorecache is out of range".to_owned();
    let count = u32::try_from(count).map_err(out_of_range)?;
    let seconds = u64::try_from(seconds).map_err(out_of_range)?;
    Ok(Some(Cache { key, count, seconds }))
}
