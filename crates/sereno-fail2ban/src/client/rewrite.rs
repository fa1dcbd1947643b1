//! Options that clients set of what a jail looks for and does, written into the jail as its files
//! would have said them.

use super::change::Setting;
use super::refusal::quoted;
use super::view::Cache;
use crate::check;
use crate::settings::{IgnoreCache, LogPath};
use crate::text::Text;
use crate::tree::{Action, Filter, Jail};
use sereno_core::filter::regex::{Options, Regex, Wrong};
use sereno_core::filter::{Encoding, Named};
use std::time::Duration;

/// Expressions of a jail at most, where clients add some: each line is held against all of them.
const MOST: usize = 1000;

/// Writes an option into a jail. Those that are no part of its filter, its questions or its actions
/// leave it as it is.
///
/// # Errors
/// What is wrong with the value; what only a compiler sees is not looked at.
pub fn rewrite(jail: &mut Jail, setting: &Setting) -> Result<(), String> {
    let settings = &mut jail.settings;
    match setting {
        Setting::LogEncoding(name) => {
            let auto = name.is_empty() || name.eq_ignore_ascii_case("auto");
            match Encoding::named(name) {
                Named::Known(_) => {}
                _ if auto => {}
                Named::Wide | Named::Unreadable => {
                    return Err(format!(
                        "{name} is not read here; take one of single bytes, or utf-8"
                    ));
                }
                Named::Unknown => return Err(format!("unknown encoding: {name}")),
            }
            settings.logencoding = named(name).filter(|_| !auto);
        }
        Setting::LogTimeZone(zone) => settings.logtimezone = named(zone),
        Setting::IgnoreCommand(command) => settings.ignorecommand = named(command),
        Setting::IgnoreCache(cache) => settings.ignorecache = cache.as_ref().map(kept),
        Setting::AddLogPath { path, tail } => {
            settings.logpath.push(LogPath { pattern: Text::plain(path), tail: *tail });
        }
        Setting::DropLogPath(path) => {
            settings.logpath.retain(|known| known.pattern.as_str() != path);
        }
        Setting::AddAction(name) => jail.actions.push(Action {
            name: name.clone(),
            file: String::new(),
            python: false,
            properties: Default::default(),
        }),
        Setting::DropAction(name) => jail.actions.retain(|action| action.name != *name),
        Setting::ActionProperty { action, name, value } => {
            let own = jail.actions.iter_mut().find(|known| known.name == *action);
            let own = own.ok_or_else(|| format!("Invalid Action name: {action}"))?;
            if own.python {
                return Err(format!("{action} is a program in Python; it is not run here"));
            }
            own.properties.insert(name, Text::plain(value));
        }
        setting => look_for(jail.filter.get_or_insert_default(), setting)?,
    }
    Ok(())
}

/// What belongs to the filter.
fn look_for(filter: &mut Filter, setting: &Setting) -> Result<(), String> {
    let several = |list: &[Text]| match list.len() {
        MOST.. => Err(format!("a jail has {MOST} expressions at most")),
        _ => Ok(()),
    };
    match setting {
        Setting::PrefRegex(regex) => {
            if !regex.is_empty() {
                compiled(filter, regex)?;
            }
            filter.prefregex = named(regex);
        }
        Setting::AddFailRegex(regex) => {
            several(&filter.failregex)?;
            let prefix = filter.prefregex.as_ref().map(|prefix| compiled(filter, prefix.as_str()));
            let named = prefix.and_then(Result::ok).is_some_and(|prefix| prefix.has_id());
            if !compiled(filter, regex)?.has_id() && !named {
                return Err(format!("No failure-id group in {}", quoted(regex)));
            }
            filter.failregex.push(Text::plain(regex));
        }
        Setting::DropFailRegex(at) => drop_at(&mut filter.failregex, *at),
        Setting::AddIgnoreRegex(regex) => {
            several(&filter.ignoreregex)?;
            compiled(filter, regex)?;
            filter.ignoreregex.push(Text::plain(regex));
        }
        Setting::DropIgnoreRegex(at) => drop_at(&mut filter.ignoreregex, *at),
        Setting::UseDns(how) => filter.usedns = named(how),
        Setting::DatePattern(pattern) => {
            let pattern = named(pattern);
            if let Some(wrong) = pattern.as_ref().and_then(check::datepattern) {
                let pattern = quoted(pattern.as_ref().map_or("", Text::as_str));
                return Err(format!(
                    "Failed to set datepattern {pattern}: {}; {}",
                    wrong.message, wrong.remedy
                ));
            }
            filter.datepattern = pattern;
        }
        Setting::MaxLines(lines) => filter.maxlines = Some(*lines),
        Setting::AddJournalMatch(more) => {
            filter.journalmatch = matches(filter);
            filter.journalmatch.extend(more.iter().cloned());
        }
        Setting::DropJournalMatch(words) => {
            filter.journalmatch = matches(filter);
            filter.journalmatch.retain(|known| known != words);
        }
        _ => {}
    }
    Ok(())
}

/// An expression, as this filter has it.
fn compiled(filter: &Filter, regex: &str) -> Result<Regex, String> {
    let raw_or_dns = filter.usedns.as_ref().is_none_or(|usedns| usedns.as_str() != "no");
    let options = Options { multiline: filter.maxlines > Some(1), raw_or_dns };
    let told = |wrong: Wrong| {
        let column = regex.get(..wrong.at).map_or(1, |before| before.chars().count() + 1);
        format!(
            "Unable to compile regular expression {}: column {column}: {}; {}",
            quoted(regex),
            wrong.message,
            wrong.remedy
        )
    };
    Regex::compile(regex, options).map_err(told)
}

/// What the journal is asked for, each match for itself.
fn matches(filter: &Filter) -> Vec<Vec<String>> {
    let all = filter.journalmatch.iter().flat_map(|words| words.split(|word| word == "+"));
    all.filter(|words| !words.is_empty()).map(<[String]>::to_vec).collect()
}

fn drop_at(list: &mut Vec<Text>, at: usize) {
    if at < list.len() {
        list.remove(at);
    }
}

/// A value, unless it is empty: that is how one is taken away.
fn named(value: &str) -> Option<Text> {
    Some(Text::plain(value)).filter(|value| !value.as_str().is_empty())
}

fn kept(cache: &Cache) -> IgnoreCache {
    IgnoreCache {
        key: Text::plain(&cache.key),
        count: cache.count,
        time: Duration::from_secs(cache.seconds),
    }
}
