//! The words behind the options of `fail2ban-client`, as a command.

use super::change::{ServerSetting, Setting};
use super::id::Id;
use super::refusal::{Refusal, no_integer, quoted};
use super::{get, set};
use crate::time;
use crate::words;

pub use super::options::{Field, ServerField};

/// How much of a jail's status is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Counts only.
    Short,
    /// With the list of bans.
    Basic,
    /// With what the DNS of Team Cymru knows of them. Nobody asks it here.
    Cymru,
}

/// How a list of bans is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// On one line, with this between them.
    Separated(String),
    /// Each on a line, with its time.
    WithTime,
}

/// What of an action is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfAction {
    /// The value of a property.
    Property(String),
    /// The names of its properties.
    Properties,
    /// The names of its methods.
    Methods,
}

/// A command.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `ping [TIMEOUT]`.
    Ping,
    /// `version`.
    Version,
    /// `echo WORD..`.
    Echo(Vec<String>),
    /// `sleep SECONDS`: the caller waits; whoever guards does not.
    Sleep(f64),
    /// `server-status`.
    Ready,
    /// `flushlogs`.
    FlushLogs,
    /// `status`.
    Status,
    /// `status --all [FLAVOR]`, of release 1.1.
    StatusAll(Flavor),
    /// `statistics`, of release 1.1.
    Statistics,
    /// `status JAIL [FLAVOR]`.
    JailStatus { jail: String, flavor: Flavor },
    /// `start`: of the server, which answers that it runs already.
    Start,
    /// `start JAIL`.
    StartJail(String),
    /// `stop`.
    Stop,
    /// `stop --all`.
    StopAll,
    /// `stop JAIL`.
    StopJail(String),
    /// `add JAIL [BACKEND]`.
    AddJail { name: String, backend: String },
    /// `restart`.
    Restart,
    /// `reload ..` and `restart .. JAIL`.
    Reload { jail: Option<String>, restart: bool, unban: bool, if_exists: bool },
    /// `unban --all`.
    UnbanAll,
    /// `unban IP..`.
    Unban(Vec<Id>),
    /// `banned [IP..]`.
    Banned(Vec<Id>),
    /// `get NAME`.
    Get(ServerField),
    /// `set NAME VALUE`.
    Set(ServerSetting),
    /// `set dbfile PATH`.
    SetDbFile(String),
    /// `get JAIL NAME`.
    GetJail { jail: String, field: Field },
    /// `get JAIL banned [IP..]`.
    JailBanned { jail: String, ids: Vec<Id> },
    /// `get JAIL banip ..`.
    JailBans { jail: String, listing: Listing },
    /// `get JAIL action ACTION NAME` and such.
    GetAction { jail: String, action: String, what: OfAction },
    /// `set JAIL NAME VALUE`.
    SetJail { jail: String, setting: Setting },
    /// `set JAIL delfailregex INDEX`: from the end if negative.
    DropFailRegex { jail: String, index: i64 },
    /// `set JAIL delignoreregex INDEX`.
    DropIgnoreRegex { jail: String, index: i64 },
    /// `set JAIL attempt IP [LINE..]`.
    Attempt { jail: String, id: Id, lines: Vec<String> },
    /// `set JAIL banip IP..`.
    Ban { jail: String, ids: Vec<Id> },
    /// `set JAIL unbanip [--report-absent] IP..`; with the words, for the report.
    UnbanJail { jail: String, ids: Vec<(Id, String)>, report_absent: bool },
}

/// Reads a command.
///
/// # Errors
/// When it is none, or a value means nothing.
pub fn read(words: &[String]) -> Result<Command, Refusal> {
    let invalid = || Err(Refusal::Said("Invalid command".to_owned()));
    let (name, rest) = words.split_first().ok_or(Refusal::Incomplete)?;
    Ok(match name.as_str() {
        "ping" => {
            if let Some(wait) = rest.first() {
                seconds_to_wait(wait).map_err(Refusal::Client)?;
            }
            Command::Ping
        }
        "version" => Command::Version,
        "echo" => Command::Echo(rest.to_vec()),
        "sleep" => Command::Sleep(seconds_to_wait(word(rest, 0)?)?),
        "server-status" => Command::Ready,
        "flushlogs" => Command::FlushLogs,
        "status" => return status(rest),
        "statistics" | "stats" => Command::Statistics,
        "start" => match rest.first() {
            Some(jail) => Command::StartJail(jail.clone()),
            None => Command::Start,
        },
        "stop" => match rest.first() {
            Some(all) if all == "--all" => Command::StopAll,
            Some(jail) => Command::StopJail(jail.clone()),
            None => Command::Stop,
        },
        "add" => return add(rest),
        "restart" if rest.is_empty() => Command::Restart,
        "restart" => return reload(rest, true),
        "reload" => return reload(rest, false),
        "unban" => match rest {
            [] => return invalid(),
            [all] if all == "--all" => Command::UnbanAll,
            _ => Command::Unban(ids(rest)?),
        },
        "banned" => Command::Banned(ids(rest)?),
        "get" => return get::read(rest),
        "set" => return set::read(rest),
        _ => return invalid(),
    })
}

/// Cuts a line into words, as a POSIX shell does; `None` if a quote is not closed.
#[must_use]
pub fn split(line: &str) -> Option<Vec<String>> {
    words::shell(line)
}

/// A word that has to be there.
pub(crate) fn word(words: &[String], at: usize) -> Result<&str, Refusal> {
    words.get(at).map(String::as_str).ok_or(Refusal::Incomplete)
}

/// Everybody who is named. An empty word names nobody.
pub(crate) fn ids(words: &[String]) -> Result<Vec<Id>, Refusal> {
    let named = words.iter().filter(|word| !word.is_empty());
    Ok(named.map(|word| Id::read(word)).collect::<Result<_, _>>()?)
}

/// A whole number.
pub(crate) fn integer(word: &str) -> Result<i64, Refusal> {
    Ok(words::integer(word).ok_or_else(|| no_integer(word))?)
}

/// A length of time, in whole seconds.
pub(crate) fn length(word: &str) -> Result<i64, Refusal> {
    match time::seconds(word) {
        Ok(seconds) => Ok(seconds as i64),
        Err(error) => {
            Err(Refusal::Said(format!("{} is no length of time: {}", quoted(word), error.message)))
        }
    }
}

fn seconds_to_wait(word: &str) -> Result<f64, String> {
    let seconds = word.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite());
    seconds.ok_or_else(|| format!("could not convert string to float: {}", quoted(word)))
}

fn status(rest: &[String]) -> Result<Command, Refusal> {
    let (jail, flavor) = match rest {
        [] => return Ok(Command::Status),
        [jail] => (jail, Flavor::Basic),
        [jail, flavor] => match flavor.as_str() {
            "short" => (jail, Flavor::Short),
            "cymru" => (jail, Flavor::Cymru),
            _ => (jail, Flavor::Basic),
        },
        _ => return Err(Refusal::Said("Invalid command (no status)".to_owned())),
    };
    Ok(match jail.as_str() {
        "--all" => Command::StatusAll(flavor),
        _ => Command::JailStatus { jail: jail.clone(), flavor },
    })
}

fn add(rest: &[String]) -> Result<Command, Refusal> {
    const BACKENDS: [&str; 4] = ["pyinotify", "gamin", "polling", "systemd"];
    let name = word(rest, 0)?;
    if name == "--all" {
        return Err(Refusal::Said(format!("Reserved name {}", quoted(name))));
    }
    let backend = rest.get(1).map_or("auto", String::as_str);
    let bare = backend.split('[').next().unwrap_or("").to_lowercase();
    if bare != "auto" && !BACKENDS.contains(&bare.as_str()) {
        let list = BACKENDS.map(quoted).join(", ");
        let text = format!("Unknown backend {bare}. Must be among [{list}] or 'auto'");
        return Err(Refusal::Said(text));
    }
    Ok(Command::AddJail { name: name.to_owned(), backend: backend.to_owned() })
}

fn reload(rest: &[String], restart: bool) -> Result<Command, Refusal> {
    let is_option =
        |word: &&String| matches!(word.as_str(), "--restart" | "--unban" | "--if-exists");
    let options = rest.iter().take_while(is_option).count();
    let (options, names) = rest.split_at(options);
    if names.len() > 1 {
        let list = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        return Err(Refusal::Client(format!("Unexpected argument(s) for reload: [{list}]")));
    }
    let has = |option: &str| options.iter().any(|word| word == option);
    Ok(Command::Reload {
        jail: names.first().filter(|name| *name != "--all").cloned(),
        restart: restart || has("--restart"),
        unban: has("--unban"),
        if_exists: has("--if-exists"),
    })
}
