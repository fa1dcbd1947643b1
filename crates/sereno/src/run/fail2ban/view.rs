//! What `fail2ban-client` shows of a tree: the options of its server and of its jails.

use sereno_core::jail::JailPolicy;
use sereno_fail2ban::client::view::{Cache, Dates};
use sereno_fail2ban::client::{ActionView, Id, JailView, Server, Setting, Source};
use sereno_fail2ban::{Filter, Jail, Settings, Text, Tree, Value, is_yes, seconds};

/// The options of `fail2ban.conf`.
pub(super) fn server(tree: &Tree) -> Server {
    let text = |name| option(tree, name);
    let number = |name, usual: i64| tree_number(tree, name).unwrap_or(usual);
    let age = seconds(&text("dbpurgeage")).unwrap_or(86_400.0);
    Server {
        loglevel: text("loglevel").to_uppercase(),
        logtarget: text("logtarget"),
        syslogsocket: text("syslogsocket"),
        dbfile: Some(text("dbfile")).filter(|path| !path.eq_ignore_ascii_case("none")),
        dbmaxmatches: number("dbmaxmatches", 10),
        dbpurgeage: age as i64,
    }
}

/// An option of `fail2ban.conf`; all have a default.
pub(super) fn option(tree: &Tree, name: &str) -> String {
    tree.global.get(name).map(|text| text.as_str().to_owned()).unwrap_or_default()
}

fn tree_number(tree: &Tree, name: &str) -> Option<i64> {
    tree.global.get(name)?.as_str().trim().parse().ok()
}

/// A jail as it is when it begins; what it counted and which files it reads changes later.
pub(super) fn jail(jail: &Jail, policy: &JailPolicy, reads_journal: bool) -> JailView {
    let s = &jail.settings;
    let none = Filter::default();
    let filter = jail.filter.as_ref().unwrap_or(&none);
    let texts = |all: &[Text]| all.iter().map(|text| text.as_str().to_owned()).collect();
    let source = if reads_journal {
        Source::Journal(filter.journalmatch.iter().flat_map(|words| cut(words)).collect())
    } else {
        // Read are the files that there are; of a jail that does not read yet, those that were named.
        Source::Files(s.logpath.iter().map(|path| path.pattern.as_str().to_owned()).collect())
    };
    JailView {
        idle: false,
        backend: backend(s, reads_journal),
        dates: dates(filter.datepattern.as_ref(), reads_journal),
        source,
        failed: 0,
        failed_total: 0,
        banned: 0,
        banned_total: 0,
        logencoding: encoding(s),
        logtimezone: s.logtimezone.as_ref().map(|zone| zone.as_str().to_owned()),
        prefregex: filter.prefregex.as_ref().map(|t| t.as_str().to_owned()).unwrap_or_default(),
        failregex: texts(&filter.failregex),
        ignoreregex: texts(&filter.ignoreregex),
        maxlines: filter.maxlines.unwrap_or(1),
        usedns: filter.usedns.as_ref().map_or("warn", Text::as_str).to_lowercase(),
        ignoreself: s.ignoreself.unwrap_or(true),
        ignoreip: ignored(s),
        ignorecommand: s.ignorecommand.as_ref().map(|text| text.as_str().to_owned()),
        ignorecache: s.ignorecache.as_ref().map(|cache| Cache {
            key: cache.key.as_str().to_owned(),
            count: cache.count,
            seconds: cache.time.as_secs(),
        }),
        maxretry: policy.maxretry.into(),
        maxmatches: s.maxmatches.map_or(5, i64::from),
        findtime: policy.findtime.as_secs() as i64,
        bantime: policy.bantime.map_or(-1, |length| length.as_secs() as i64),
        extra: extra(jail),
        actions: jail.actions.iter().map(action).collect(),
    }
}

/// A jail whose filter, questions or actions were changed: what else clients have set stays. What is
/// empty was said to be so.
pub(super) fn refitted(before: &JailView, after: JailView, setting: &Setting) -> JailView {
    let mut view = JailView {
        maxmatches: before.maxmatches,
        ignoreip: before.ignoreip.clone(),
        extra: before.extra.clone(),
        ..after
    };
    match setting {
        Setting::IgnoreCommand(command) => view.ignorecommand = Some(command.clone()),
        Setting::LogTimeZone(zone) => view.logtimezone = Some(zone.clone()),
        _ => {}
    }
    view
}

/// What fail2ban would read with.
fn backend(s: &Settings, reads_journal: bool) -> String {
    match s.backend.as_str().split('[').next() {
        _ if reads_journal => "systemd",
        Some("polling") => "polling",
        _ => "pyinotify",
    }
    .to_owned()
}

/// Matches of the journal, cut at each `+`.
fn cut(words: &[String]) -> Vec<Vec<String>> {
    words.split(|word| word == "+").map(<[String]>::to_vec).collect()
}

fn encoding(s: &Settings) -> String {
    let named = s.logencoding.as_ref().map(Text::as_str).filter(|name| *name != "auto");
    named.unwrap_or("UTF-8").to_owned()
}

/// Networks and names first: fail2ban keeps addresses apart, behind them.
fn ignored(s: &Settings) -> Vec<Id> {
    let mut all: Vec<Id> = Vec::new();
    for id in s.ignoreip.iter().filter_map(|word| Id::read(word.as_str()).ok()) {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    sort(&mut all);
    all
}

/// Puts addresses behind networks and names.
pub(super) fn sort(ids: &mut [Id]) {
    ids.sort_by_key(|id| id.is_net() == Some(false));
}

/// `bantime.*`, those that are set.
fn extra(jail: &Jail) -> Vec<(String, Value)> {
    let options = jail.options.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("bantime.")?;
        let text = value.as_str();
        let value = match name {
            "increment" => Value::Flag(jail.settings.increment),
            _ if text.is_empty() => return None,
            "maxtime" | "rndtime" => Value::Number(seconds(text).ok()? as i64),
            _ => Value::Text(text.to_owned()),
        };
        Some((name.to_owned(), value))
    });
    options.collect()
}

fn action(action: &sereno_fail2ban::Action) -> ActionView {
    let value = |name: &str, value: &Text| match name {
        "norestored" => Value::Flag(is_yes(value.as_str())),
        _ => Value::Text(value.as_str().to_owned()),
    };
    let properties = action.properties.iter();
    let properties = properties.map(|(name, text)| (name.to_owned(), value(name, text)));
    ActionView { name: action.name.clone(), properties: properties.collect() }
}

fn dates(pattern: Option<&Text>, reads_journal: bool) -> Dates {
    let Some(pattern) = pattern.map(Text::as_str) else {
        return if reads_journal { Dates::None } else { Dates::Default };
    };
    let first = pattern.lines().next().unwrap_or_default().trim();
    let bare = ["{^LN-BEG}", "{UNB}", "{DATE}"]
        .iter()
        .fold(first.to_owned(), |text, mark| text.replace(mark, ""));
    match bare.as_str() {
        "" => Dates::Default,
        "EPOCH" | "Epoch" => Dates::Named("Epoch".to_owned()),
        "TAI64N" => Dates::Named("TAI64N".to_owned()),
        _ if first.contains("{DATE}") => Dates::Default,
        bare => Dates::Pattern(first.to_owned(), in_words(bare)),
    }
}

/// A pattern of dates in the words that fail2ban has for its parts.
fn in_words(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let after = match after.strip_prefix("Ex") {
            Some(after) => {
                out.push_str("Ex");
                after
            }
            None => after,
        };
        let mut chars = after.chars();
        out.push_str(match chars.next() {
            Some('a') => "DAY",
            Some('A') => "DAYNAME",
            Some('b') => "MON",
            Some('B') => "MONTH",
            Some('d') => "Day",
            Some('H') => "24hour",
            Some('I') => "12hour",
            Some('j') => "Yearday",
            Some('m') => "Month",
            Some('M') => "Minute",
            Some('p') => "AMPM",
            Some('S') => "Second",
            Some('U' | 'W') => "Yearweek",
            Some('w') => "Weekday",
            Some('y') => "Year2",
            Some('Y') => "Year",
            Some('z') => "Zone offset",
            Some('Z') => "Zone name",
            Some('f') => "Microseconds",
            _ => "%",
        });
        rest = chars.as_str();
    }
    out + rest
}
