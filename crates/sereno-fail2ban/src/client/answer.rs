//! What is printed, to the letter: trees with `|-` and `` `- ``, lists, and Python's way of writing
//! values. All without the line break at the end.

use super::command::{Flavor, Listing};
use super::options::{Field, ServerField};
use super::view::{ActionView, Banned, Dates, Host, JailView, Server, Source};
use crate::dump::Value;

/// What every action has besides the properties that were set.
const PROPERTIES: [(&str, Option<&str>); 13] = [
    ("ESCAPE_CRE", None),
    ("ESCAPE_VN_CRE", None),
    ("actionban", Some("")),
    ("actioncheck", Some("")),
    ("actionflush", Some("")),
    ("actionreban", Some("")),
    ("actionreload", Some("")),
    ("actionrepair", Some("")),
    ("actionstart", Some("")),
    ("actionstop", Some("")),
    ("actionunban", Some("")),
    ("banEpoch", Some("0")),
    ("timeout", Some("60")),
];

/// The methods of an action.
pub(crate) const METHODS: [&str; 15] = [
    "ban",
    "clearAllParams",
    "consistencyCheck",
    "escapeTag",
    "executeCmd",
    "flush",
    "invalidateBanEpoch",
    "prolong",
    "reban",
    "reload",
    "replaceDynamicTags",
    "replaceTag",
    "start",
    "stop",
    "unban",
];

/// A value as Python prints it.
pub(crate) fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "None".to_owned(),
    }
}

fn flag(value: bool) -> String {
    Value::Flag(value).to_string()
}

/// Texts as Python's list.
pub(crate) fn python_list(texts: impl Iterator<Item = String>) -> Value {
    Value::List(texts.map(Value::Text).collect())
}

pub(crate) fn status(mut jails: Vec<String>) -> String {
    // By code point, as Python sorts.
    jails.sort();
    let (count, list) = (jails.len(), jails.join(", "));
    format!("Status\n|- Number of jail:\t{count}\n`- Jail list:\t{list}")
}

pub(crate) fn jail_status(name: &str, jail: &JailView, bans: &[Banned], flavor: Flavor) -> String {
    let (what, read) = match &jail.source {
        Source::Files(paths) => ("File list", paths.join(" ")),
        Source::Journal(matches) => ("Journal matches", journal(matches)),
    };
    let banned = if flavor == Flavor::Short { jail.banned } else { bans.len() as u64 };
    let filter = [
        ("Currently failed", jail.failed.to_string()),
        ("Total failed", jail.failed_total.to_string()),
        (what, read),
    ];
    let mut actions = vec![
        ("Currently banned", banned.to_string()),
        ("Total banned", jail.banned_total.to_string()),
    ];
    if flavor != Flavor::Short {
        actions.push(("Banned IP list", joined(bans, " ")));
    }
    if flavor == Flavor::Cymru {
        // What fail2ban says where it cannot ask.
        let lists = ["Banned ASN list", "Banned Country list", "Banned RIR list"];
        actions.extend(lists.map(|list| (list, "error".to_owned())));
    }
    let mut text = format!("Status for the jail: {name}");
    branch(&mut text, "|-", "|  ", "Filter", &filter);
    branch(&mut text, "`-", "   ", "Actions", &actions);
    text
}

fn branch(text: &mut String, mark: &str, indent: &str, name: &str, leaves: &[(&str, String)]) {
    text.push_str(&format!("\n{mark} {name}"));
    for (at, (name, value)) in leaves.iter().enumerate() {
        let mark = if at + 1 == leaves.len() { "`-" } else { "|-" };
        text.push_str(&format!("\n{indent}{mark} {name}:\t{value}"));
    }
}

fn journal(matches: &[Vec<String>]) -> String {
    matches.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" + ")
}

fn joined(bans: &[Banned], separator: &str) -> String {
    bans.iter().map(|ban| ban.id.to_string()).collect::<Vec<_>>().join(separator)
}

/// The bans of a jail in the order in which they end.
pub(crate) fn bans(mut bans: Vec<Banned>, listing: &Listing, host: &dyn Host) -> String {
    let end = |ban: &Banned| ban.length.map(|length| ban.since.saturating_add_unsigned(length));
    // Those that never end are the last ones.
    bans.sort_by_key(|ban| end(ban).unwrap_or(i64::MAX));
    let separator = match listing {
        Listing::Separated(separator) => separator,
        Listing::WithTime => {
            let line = |ban: &Banned| {
                let (id, since) = (&ban.id, host.local(ban.since));
                match (ban.length, end(ban)) {
                    (Some(length), Some(end)) => {
                        format!("{id} \t{since} + {length} = {}", host.local(end))
                    }
                    _ => format!("{id} \t{since} + -1 = 9999-12-31 23:59:59"),
                }
            };
            return bans.iter().map(line).collect::<Vec<_>>().join("\n");
        }
    };
    joined(&bans, separator)
}

/// An option of the server.
pub(crate) fn server(server: &Server, field: ServerField) -> String {
    let disabled = || "Database currently disabled".to_owned();
    match field {
        ServerField::LogLevel => {
            let level = Value::Text(server.loglevel.clone());
            format!("Current logging level is {level}")
        }
        ServerField::LogTarget => format!("Current logging target is:\n`- {}", server.logtarget),
        ServerField::SyslogSocket => {
            format!("Current syslog socket is:\n`- {}", server.syslogsocket)
        }
        ServerField::DbFile => server
            .dbfile
            .as_ref()
            .map_or_else(disabled, |path| format!("Current database file is:\n`- {path}")),
        ServerField::DbMaxMatches => match &server.dbfile {
            Some(_) => server.dbmaxmatches.to_string(),
            None => plain(None),
        },
        ServerField::DbPurgeAge => match &server.dbfile {
            Some(_) => format!("Current database purge age is:\n`- {}seconds", server.dbpurgeage),
            None => disabled(),
        },
        ServerField::Thread => "{'stacksize': 0}".to_owned(),
    }
}

/// An option of a jail.
pub(crate) fn field(name: &str, jail: &JailView, field: &Field) -> String {
    match field {
        Field::Idle => flag(jail.idle),
        Field::LogPath => {
            let paths = match &jail.source {
                Source::Files(paths) => paths.as_slice(),
                Source::Journal(_) => &[],
            };
            list(paths, "No file is currently monitored", "Current monitored log file(s):")
        }
        Field::LogEncoding => format!("Current log encoding is set to:\n{}", jail.logencoding),
        Field::JournalMatch => match &jail.source {
            Source::Journal(matches) if !matches.is_empty() => {
                format!("Current match filter:\n{}", journal(matches))
            }
            _ => "No journal match filter set".to_owned(),
        },
        Field::IgnoreSelf => flag(jail.ignoreself),
        Field::IgnoreIp => {
            let all: Vec<String> = jail.ignoreip.iter().map(ToString::to_string).collect();
            let none = "No IP address/network is ignored";
            list(&all, none, "These IP addresses/networks are ignored:")
        }
        Field::IgnoreCommand => jail.ignorecommand.clone().unwrap_or_else(|| flag(false)),
        Field::IgnoreCache => jail.ignorecache.as_ref().map_or_else(
            || plain(None),
            |cache| {
                let (count, seconds) = (i64::from(cache.count), cache.seconds);
                let key = Value::Text(cache.key.clone());
                format!("[{key}, {count}, {seconds}]")
            },
        ),
        Field::PrefRegex => jail.prefregex.clone(),
        Field::FailRegex => expressions(&jail.failregex),
        Field::IgnoreRegex => expressions(&jail.ignoreregex),
        Field::UseDns => jail.usedns.clone(),
        Field::FindTime => jail.findtime.to_string(),
        Field::DatePattern => format!("Current date pattern set to: {}", dates(&jail.dates)),
        Field::LogTimeZone => jail.logtimezone.clone().unwrap_or_else(|| plain(None)),
        Field::MaxMatches => jail.maxmatches.to_string(),
        Field::MaxRetry => jail.maxretry.to_string(),
        Field::MaxLines => jail.maxlines.to_string(),
        Field::BanTime => jail.bantime.to_string(),
        Field::BanTimeExtra(name) => {
            plain(jail.extra.iter().find(|(known, _)| known == name).map(|(_, value)| value))
        }
        Field::Actions if jail.actions.is_empty() => format!("No actions for jail {name}"),
        Field::Actions => {
            let names: Vec<&str> = jail.actions.iter().map(|action| action.name.as_str()).collect();
            format!("The jail {name} has the following actions:\n{}", names.join(", "))
        }
    }
}

fn dates(dates: &Dates) -> String {
    match dates {
        Dates::Default => "Default Detectors".to_owned(),
        Dates::None => "Not set/required".to_owned(),
        Dates::Pattern(pattern, words) => format!("{pattern} ({words})"),
        Dates::Named(name) => name.clone(),
    }
}

fn list(all: &[String], none: &str, some: &str) -> String {
    let Some((last, others)) = all.split_last() else { return none.to_owned() };
    let others: String = others.iter().map(|one| format!("|- {one}\n")).collect();
    format!("{some}\n{others}`- {last}")
}

fn expressions(all: &[String]) -> String {
    let numbered = all.iter().enumerate().map(|(at, one)| format!("[{at}]: {one}"));
    let none = "No regular expression is defined";
    list(&numbered.collect::<Vec<_>>(), none, "The following regular expression are defined:")
}

/// The value of an action's property, if it has it.
pub(crate) fn property(action: &ActionView, name: &str) -> Option<String> {
    let own = action.properties.iter().find(|(known, _)| known == name);
    let common = || PROPERTIES.iter().find(|(known, _)| *known == name)?.1.map(str::to_owned);
    own.map(|(_, value)| plain(Some(value))).or_else(common)
}

/// The names of an action's properties.
pub(crate) fn properties(jail: &str, action: &ActionView) -> String {
    let mut names: Vec<&str> = PROPERTIES.iter().map(|(name, _)| *name).collect();
    names.extend(action.properties.iter().map(|(name, _)| name.as_str()));
    names.sort_unstable();
    names.dedup();
    let (names, action) = (names.join(", "), &action.name);
    format!("The jail {jail} action {action} has the following properties:\n{names}")
}

/// The names of an action's methods.
pub(crate) fn methods(jail: &str, action: &ActionView) -> String {
    let (names, action) = (METHODS.join(", "), &action.name);
    format!("The jail {jail} action {action} has the following methods:\n{names}")
}
