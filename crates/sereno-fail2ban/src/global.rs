//! The options of `fail2ban.conf`.

use crate::dict::Dict;
use crate::files::{Loader, join};
use crate::interpolate::{self, Fault, Scope};
use crate::near;
use crate::options::{GLOBAL, GLOBAL_CLIENT, Kind};
use crate::problem::{Notes, Wrong, quote};
use crate::text::Text;
use crate::time;
use crate::words;

const LEVELS: [&str; 11] = [
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
    "TRACEDEBUG",
    "HEAVYDEBUG",
    "MSG",
    "FATAL",
    "WARN",
];

/// Reads `fail2ban.conf` and what goes over it. What is not written has its default.
pub(crate) fn read(loader: &mut Loader<'_>, base: &str) -> Dict<Text> {
    let mut global = Dict::default();
    let config = loader.config(&join(base, "fail2ban"));
    let none = Dict::default();
    let numbers = |kind| kind == Kind::Number;
    let client = GLOBAL_CLIENT.into_iter().map(|(name, value)| (name, false, Some(value)));
    let own = GLOBAL.into_iter().map(|(name, kind, value)| (name, numbers(kind), value));
    for (name, number, default) in own.chain(client) {
        let written = config.as_ref().and_then(|config| {
            let scope = Scope { config, section: "Definition", vars: &none };
            value(interpolate::get(&scope, name, &mut loader.budget), &mut loader.notes)
        });
        let written = written.filter(|value| fits(name, number, value, &mut loader.notes));
        if let Some(value) = written.or_else(|| default.map(Text::plain)) {
            global.insert(name, value);
        }
    }
    let Some(config) = config else { return global };
    let scope = Scope { config: &config, section: "Thread", vars: &none };
    let stack = value(interpolate::get(&scope, "stacksize", &mut loader.budget), &mut loader.notes);
    if let Some(stack) = stack.filter(|value| fits("stacksize", true, value, &mut loader.notes)) {
        global.insert("thread.stacksize", stack);
    }
    if let Some(section) = config.sections.get("Definition") {
        let known = || GLOBAL.iter().map(|own| own.0).chain(GLOBAL_CLIENT.iter().map(|own| own.0));
        for (name, entry) in section.options.iter() {
            if known().any(|known| known == name) || loader.referred.contains(name) {
                continue;
            }
            let remedy = match near::nearest(name, known()) {
                Some(near) => format!("did you mean {near}?"),
                None => "take it out; a jail's options stand in jail.local".to_owned(),
            };
            let message = format!("nothing reads {} here", quote(name));
            loader.notes.warn(Wrong::new(entry.name, name.chars().count(), message, remedy));
        }
    }
    global
}

fn value(result: Result<Text, Fault>, notes: &mut Notes) -> Option<Text> {
    match result {
        Ok(value) => Some(value),
        Err(Fault::Absent) => None,
        Err(Fault::Wrong(wrong)) => {
            notes.error(wrong);
            None
        }
    }
}

/// Whether a value is one; if not, that is said.
fn fits(name: &str, number: bool, value: &Text, notes: &mut Notes) -> bool {
    let text = value.as_str();
    let (what, remedy) = if number && words::integer(text).is_none() {
        ("a whole number", format!("write {name} = 10"))
    } else if name == "loglevel" && !level(text) {
        ("a log level", format!("write one of {}", LEVELS[..8].join(", ")))
    } else if name == "dbpurgeage" && time::seconds(text).is_err() {
        ("a length of time", format!("write {name} = 1d"))
    } else {
        return true;
    };
    let message = format!("{} is not {what}; the default is used", quote(text));
    notes.error(Wrong::of(value, message, remedy));
    false
}

fn level(text: &str) -> bool {
    let upper = text.to_uppercase();
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) || LEVELS.contains(&upper.as_str())
}
