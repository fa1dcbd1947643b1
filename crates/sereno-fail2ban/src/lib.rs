//! A fail2ban configuration tree, read in fail2ban's order and with its precedence.
//!
//! [`read`] takes a directory such as `/etc/fail2ban` and gives its [`Tree`]: the global options,
//! and the jails with everything put together: their options, the filter's regular expressions,
//! the actions' commands. Whatever is wrong is said with its file, line, column, the line itself
//! and what to write instead; a jail with an error is set aside, the others stand. [`commands`]
//! gives what `fail2ban-client -d` would print, and [`act`] what a jail's actions come to.
//!
//! Nothing here touches a file, a clock or the network: files come through [`Files`]. Time and
//! memory grow with the size of what was read, whatever it says.
//!
//! The format is that of fail2ban 1.0, as its manual page `jail.conf(5)`, its own files, the output
//! of its client and, where these are silent, what its program does show it. Each module names what
//! it follows. Where this reading differs on purpose:
//!
//! - What is wrong stops the jail it stands in. fail2ban passes over a jail alone if its filter or
//!   action is missing or its brackets are wrong, takes a wrong number for none, and reads nothing
//!   at all after anything else.
//! - Everything that `fail2ban-client -t` lets pass and that can be seen here is an error or a
//!   warning: lengths of time, numbers, flags, `ignoreip`, `usedns`, `backend`, `datepattern`,
//!   `logpath`, two actions of one name, options that nothing reads, includes that are not there.
//! - Of a file that fail2ban refuses, lines that a page broke are put together again where it is
//!   plain how; so are the brackets of an `action`. Each is a warning.
//! - A remark with `#` behind a value is cut off where the value is good without it, with a
//!   warning. fail2ban takes the whole for a wrong value, a path, or a name; or `enabled` for no.
//! - A failregex that is wrong is left out, and the others stand; fail2ban's server ends there.
//! - A file that begins with a byte order mark is read; fail2ban refuses it.
//! - A parameter may have a condition, as in newer releases: `name[key?family=inet6=value]`.
//! - A quote that is not closed in brackets is an error; fail2ban makes it a part of the value.
//! - A filter called `./name` is refused: it would depend on the directory one stands in.
//! - Of Python's terms, lengths of time may have `+ - * /` and parentheses.

#![forbid(unsafe_code)]

pub mod act;
mod advice;
mod budget;
mod check;
pub mod client;
mod compile;
mod definition;
mod dict;
mod dump;
mod files;
mod global;
mod ini;
mod interpolate;
mod jail;
mod mend;
pub(crate) use sereno_core::near;
mod options;
mod params;
mod paste;
mod problem;
mod remark;
mod settings;
mod tags;
mod text;
mod time;
mod tree;
mod unknown;
mod words;

pub use compile::{Compiled, Compiler};
pub use dict::Dict;
pub use dump::{Value, commands};
pub use files::Files;
pub use problem::{Problem, Severity};
pub use settings::{IgnoreCache, Length, LogPath, Settings};
pub use text::{Place, Text};
pub use time::{TimeError, seconds};
pub use tree::{Action, Family, Filter, Jail, Tree};
pub use words::shell as shell_words;
pub use words::yes as is_yes;

use files::{Loader, join};
use ini::{Config, Entry, Section};

/// The release whose reading this follows; `%(fail2ban_version)s` in jails.
pub const VERSION: &str = "1.0.2";

/// Reads the tree under the directory `base`.
#[must_use]
pub fn read(files: &dyn Files, base: &str) -> Tree {
    let base = if base.len() > 1 { base.trim_end_matches('/') } else { base };
    let mut loader = Loader::new(files);
    let global = global::read(&mut loader, base);
    let config = loader.config(&join(base, "jail"));
    if config.is_none() {
        let message = "there is no jail.conf and no jail.local, so there are no jails".to_owned();
        loader.whole(
            &join(base, "jail.conf"),
            message,
            "give the directory that has jail.conf in it",
        );
    }
    let mut config = config.map(|config| Config::clone(&config)).unwrap_or_default();
    begin(&mut config, base);
    unknown::check_defaults(&mut loader, &config);
    let shadow = |name: &str| name.starts_with("KNOWN/") || name == "INCLUDES";
    let names = config.sections.keys().filter(|name| !shadow(name)).map(ToOwned::to_owned);
    let names: Vec<String> = names.collect();
    let jails = names.iter().map(|name| jail::read(&mut loader, base, &mut config, name)).collect();
    let problems = loader.notes.problems();
    Tree { base: base.to_owned(), global, jails, problems, notes: loader.notes }
}

/// Reads one filter of the tree under `base` as a jail without other options would that says
/// `filter = written` and `backend = backend`: `sshd[mode=aggressive]`, `auto`. It is the filter of
/// the only jail.
#[must_use]
pub fn filter(files: &dyn Files, base: &str, written: &str, backend: &str) -> Tree {
    /// Nobody reads what the jail is called.
    const NAME: &str = "jail";
    let base = if base.len() > 1 { base.trim_end_matches('/') } else { base };
    let mut loader = Loader::new(files);
    let mut config = Config::default();
    begin(&mut config, base);
    let mut section = Section::default();
    for (name, value) in [("enabled", "true"), ("filter", written), ("backend", backend)] {
        section.options.insert(name, Entry { name: None, value: Text::plain(value) });
    }
    config.sections.insert(NAME, section);
    let jails = vec![jail::read(&mut loader, base, &mut config, NAME)];
    let problems = loader.notes.problems();
    Tree { base: base.to_owned(), global: Dict::default(), jails, problems, notes: loader.notes }
}

/// What every configuration knows.
fn begin(config: &mut Config, base: &str) {
    for (name, value) in [("fail2ban_version", VERSION), ("fail2ban_confpath", base)] {
        config.defaults.insert(name, Entry { name: None, value: Text::plain(value) });
    }
}
