//! A guard that only remembers: enough to answer every command, and to be compared with the real
//! one.

use sereno_fail2ban::Value;
use sereno_fail2ban::client::view::Dates;
use sereno_fail2ban::client::{
    ActionView, Banned, Change, Host, Id, JailView, Server, ServerSetting, Setting, Source,
};
use std::collections::BTreeMap;

pub(crate) struct Jail {
    pub(crate) name: String,
    pub(crate) view: JailView,
    pub(crate) bans: Vec<Banned>,
    failures: BTreeMap<Id, usize>,
}

pub(crate) struct Model {
    pub(crate) server: Server,
    pub(crate) jails: Vec<Jail>,
}

/// What a jail is before anything is said about it.
pub(crate) fn empty(source: Source) -> JailView {
    JailView {
        idle: false,
        backend: "polling".to_owned(),
        dates: if matches!(source, Source::Files(_)) { Dates::Default } else { Dates::None },
        source,
        failed: 0,
        failed_total: 0,
        banned: 0,
        banned_total: 0,
        logencoding: "UTF-8".to_owned(),
        logtimezone: None,
        prefregex: String::new(),
        failregex: Vec::new(),
        ignoreregex: Vec::new(),
        maxlines: 1,
        usedns: "warn".to_owned(),
        ignoreself: true,
        ignoreip: Vec::new(),
        ignorecommand: None,
        ignorecache: None,
        maxretry: 3,
        maxmatches: 5,
        findtime: 600,
        bantime: 600,
        extra: Vec::new(),
        actions: Vec::new(),
    }
}

impl Model {
    pub(crate) fn add(&mut self, name: &str, view: JailView) {
        let (name, bans) = (name.to_owned(), Vec::new());
        self.jails.push(Jail { name, view, bans, failures: BTreeMap::new() });
    }

    fn find(&mut self, name: &str) -> &mut Jail {
        self.jails.iter_mut().find(|jail| jail.name == name).unwrap()
    }
}

impl Jail {
    fn ban(&mut self, id: &Id) -> u64 {
        if self.bans.iter().any(|ban| ban.id == *id) {
            return 0;
        }
        let length = u64::try_from(self.view.bantime).ok();
        self.bans.push(Banned { id: id.clone(), since: 0, length });
        self.view.banned_total += 1;
        self.view.banned += 1;
        1
    }

    fn attempt(&mut self, id: &Id, lines: usize) {
        let count = self.failures.entry(id.clone()).or_default();
        *count += lines.max(1);
        let full = *count as i64 >= self.view.maxretry;
        if full {
            self.failures.remove(id);
            self.ban(id);
        }
        self.view.failed_total += 1;
        self.view.failed = self.failures.len() as u64;
    }

    fn lift(&mut self, ids: &[Id]) {
        self.bans.retain(|ban| !ids.contains(&ban.id));
        self.view.banned = self.bans.len() as u64;
    }

    fn set(&mut self, setting: Setting) {
        let view = &mut self.view;
        let text = Value::Text;
        match setting {
            Setting::Idle(idle) => view.idle = idle,
            Setting::IgnoreSelf(own) => view.ignoreself = own,
            // fail2ban has addresses behind everything else.
            Setting::AddIgnoreIp(ids) => {
                view.ignoreip.extend(ids);
                view.ignoreip.sort_by_key(|id| id.is_net() == Some(false));
            }
            Setting::DropIgnoreIp(id) => view.ignoreip.retain(|known| *known != id),
            Setting::IgnoreCommand(command) => view.ignorecommand = Some(command),
            Setting::IgnoreCache(cache) => view.ignorecache = cache,
            Setting::AddLogPath { path, .. } => match &mut view.source {
                Source::Files(paths) => paths.push(path),
                Source::Journal(_) => panic!("a file for the journal"),
            },
            Setting::DropLogPath(path) => match &mut view.source {
                Source::Files(paths) => paths.retain(|known| *known != path),
                Source::Journal(_) => panic!("a file for the journal"),
            },
            Setting::LogEncoding(name) => {
                view.logencoding = if name == "auto" { "UTF-8".to_owned() } else { name };
            }
            Setting::AddJournalMatch(more) => match &mut view.source {
                Source::Journal(matches) => matches.extend(more),
                Source::Files(_) => panic!("a match for files"),
            },
            Setting::DropJournalMatch(words) => match &mut view.source {
                Source::Journal(matches) => matches.retain(|known| *known != words),
                Source::Files(_) => panic!("a match for files"),
            },
            Setting::PrefRegex(regex) => view.prefregex = regex,
            Setting::AddFailRegex(regex) => view.failregex.push(regex),
            Setting::DropFailRegex(at) => drop(view.failregex.remove(at)),
            Setting::AddIgnoreRegex(regex) => view.ignoreregex.push(regex),
            Setting::DropIgnoreRegex(at) => drop(view.ignoreregex.remove(at)),
            Setting::UseDns(how) => view.usedns = how,
            Setting::FindTime(seconds) => view.findtime = seconds,
            Setting::DatePattern(pattern) if pattern.is_empty() => view.dates = Dates::Default,
            Setting::DatePattern(pattern) if pattern == "EPOCH" => {
                view.dates = Dates::Named("Epoch".to_owned());
            }
            Setting::DatePattern(pattern) => {
                let words = pattern.replace("%Y", "Year").replace("%m", "Month");
                view.dates = Dates::Pattern(pattern, words);
            }
            Setting::LogTimeZone(zone) => view.logtimezone = Some(zone),
            Setting::MaxMatches(count) => view.maxmatches = count,
            Setting::MaxRetry(count) => view.maxretry = count,
            Setting::MaxLines(count) => view.maxlines = count,
            Setting::BanTime(seconds) => view.bantime = seconds,
            Setting::BanTimeExtra(name, value) => {
                view.extra.retain(|(known, _)| *known != name);
                view.extra.extend(value.map(|value| (name, value)));
            }
            Setting::AddAction(name) => {
                view.actions.push(ActionView { name, properties: Vec::new() });
            }
            Setting::DropAction(name) => view.actions.retain(|action| action.name != name),
            Setting::ActionProperty { action, name, value } => {
                let action = view.actions.iter_mut().find(|known| known.name == action).unwrap();
                action.properties.retain(|(known, _)| *known != name);
                action.properties.push((name, text(value)));
            }
        }
    }
}

impl Host for Model {
    fn server(&self) -> Server {
        self.server.clone()
    }

    fn jails(&self) -> Vec<String> {
        self.jails.iter().map(|jail| jail.name.clone()).collect()
    }

    fn jail(&self, name: &str) -> Option<JailView> {
        self.jails.iter().find(|jail| jail.name == name).map(|jail| jail.view.clone())
    }

    fn bans(&self, jail: &str) -> Vec<Banned> {
        let jail = self.jails.iter().find(|known| known.name == jail);
        jail.map(|jail| jail.bans.clone()).unwrap_or_default()
    }

    fn local(&self, time: i64) -> String {
        written(time)
    }

    fn change(&mut self, change: Change) -> Result<u64, String> {
        match change {
            Change::Ban { jail, ids } => {
                let jail = self.find(&jail);
                return Ok(ids.iter().map(|id| jail.ban(id)).sum());
            }
            Change::Unban { jail, ids } => self.find(&jail).lift(&ids),
            Change::UnbanAll { jail } => {
                let jail = self.find(&jail);
                jail.bans.clear();
                jail.view.banned = 0;
            }
            Change::Attempt { jail, id, lines } => self.find(&jail).attempt(&id, lines.len()),
            Change::Set { setting: Setting::LogEncoding(name), .. } if name == "nix" => {
                return Err("unknown encoding: nix".to_owned());
            }
            Change::Set { setting: Setting::AddLogPath { path, .. }, .. } if path == "/nix" => {
                return Err("no such file".to_owned());
            }
            Change::Set { setting: Setting::AddFailRegex(regex), .. }
                if !regex.contains("<fid>") =>
            {
                return Err(format!("No failure-id group in '{regex}'"));
            }
            Change::Set { jail, setting } => self.find(&jail).set(setting),
            Change::SetServer(setting) => match setting {
                ServerSetting::LogLevel(level) => self.server.loglevel = level,
                ServerSetting::LogTarget(target) if target.contains("nix") => {
                    return Err("no".to_owned());
                }
                ServerSetting::LogTarget(target) => self.server.logtarget = target,
                ServerSetting::SyslogSocket(socket) => self.server.syslogsocket = socket,
                ServerSetting::AllowIpv6(_) => {}
                ServerSetting::DbMaxMatches(count) => self.server.dbmaxmatches = count,
                ServerSetting::DbPurgeAge(seconds) => self.server.dbpurgeage = seconds,
            },
            Change::AddJail { name, .. } => {
                let mut view = empty(Source::Files(Vec::new()));
                view.maxretry = 3;
                self.add(&name, view);
            }
            Change::StopJail { jail } => self.jails.retain(|known| known.name != jail),
            Change::Reload { jail: Some(jail), .. } if !self.jails().contains(&jail) => {
                return Err(format!("No section: '{jail}'"));
            }
            Change::StartJail { .. } | Change::Reload { .. } | Change::FlushLogs | Change::Stop => {
            }
        }
        Ok(0)
    }
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

/// A moment of UTC as fail2ban writes it.
fn written(time: i64) -> String {
    let (day, second) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    let year = (1970..).take_while(|year| days(*year, 1, 1) <= day).last().unwrap();
    let month = (1..=12).take_while(|month| days(year, *month, 1) <= day).last().unwrap();
    let day = day - days(year, month, 1) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A moment as fail2ban writes it, in UTC.
pub(crate) fn read_time(text: &str) -> i64 {
    let numbers: Vec<i64> =
        text.split(['-', ' ', ':']).map(|number| number.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{text}") };
    days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
}
