//! What a jail's options mean, and which of them mean nothing.
//!
//! fail2ban's own test of a configuration (`fail2ban-client -t`) looks at none of these values: a
//! wrong number becomes no number, and a wrong length of time stops all jails when the server
//! starts.

use crate::check;
use crate::dict::Dict;
use crate::params;
use crate::problem::{Notes, Wrong, quote};
use crate::remark;
use crate::text::Text;
use crate::time;
use crate::tree::Filter;
use crate::words;
use sereno_core::filter::MOST_LINES;
use std::time::Duration;

/// How long a ban lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As long as this.
    For(Duration),
    /// Until somebody lifts it; written as a negative number.
    Forever,
}

/// A log file's pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPath {
    /// A path, perhaps with `*`, `?` and `[...]`.
    pub pattern: Text,
    /// Whether only what is written from now on counts.
    pub tail: bool,
}

/// How the answers of `ignorecommand` are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreCache {
    /// What an answer is kept for; has tags.
    pub key: Text,
    /// How many answers at most.
    pub count: u32,
    /// For how long.
    pub time: Duration,
}

/// A jail's options as values; `None` or empty where the jail says nothing, or nothing that means
/// anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `auto`, `polling`, `pyinotify`, `systemd[...]`, ...
    pub backend: Text,
    /// Failures until a ban.
    pub maxretry: Option<u32>,
    /// Lines that are kept of each.
    pub maxmatches: Option<u32>,
    /// How long failures count.
    pub findtime: Option<Duration>,
    /// How long a ban lasts.
    pub bantime: Option<Length>,
    /// Whether bans become longer for those who come back.
    pub increment: bool,
    /// `bantime.factor`.
    pub factor: Option<f64>,
    /// `bantime.formula`, a term of Python.
    pub formula: Option<Text>,
    /// `bantime.multipliers`.
    pub multipliers: Vec<u32>,
    /// `bantime.maxtime`.
    pub maxtime: Option<Duration>,
    /// `bantime.rndtime`.
    pub rndtime: Option<Duration>,
    /// `bantime.overalljails`.
    pub overalljails: bool,
    /// Whether own addresses are left alone; `true` if the jail does not say.
    pub ignoreself: Option<bool>,
    /// Who is left alone: addresses, networks, names, `file:PATH`.
    pub ignoreip: Vec<Text>,
    /// What is asked whether to leave somebody alone; has tags.
    pub ignorecommand: Option<Text>,
    /// How its answers are kept.
    pub ignorecache: Option<IgnoreCache>,
    /// The zone of dates that name none.
    pub logtimezone: Option<Text>,
    /// What characters the log is written in; `auto` is the machine's.
    pub logencoding: Option<Text>,
    /// What to read.
    pub logpath: Vec<LogPath>,
    /// Whether a jail without any log is passed over.
    pub skip_if_nologs: bool,
    /// Whether a jail without any log reads the journal; `true` if the jail does not say.
    pub systemd_if_nologs: Option<bool>,
}

/// Reads a jail's options. What is wrong is said if the jail is switched on.
pub(crate) fn read(options: &Dict<Text>, notes: &mut Notes) -> Settings {
    // Whether it is switched on has to be clear of every jail.
    let switched = Reader { options, notes }.flag("enabled");
    let mut nobody = Notes::default();
    let mut reader =
        Reader { options, notes: if switched == Some(true) { notes } else { &mut nobody } };
    let flag = |reader: &mut Reader<'_>, name| reader.flag(name).unwrap_or(false);
    let settings = Settings {
        backend: reader.word("backend", |backend| check::backend(backend).is_none()),
        maxretry: reader.number("maxretry", 1),
        maxmatches: reader.number("maxmatches", 0),
        findtime: reader.duration("findtime"),
        bantime: reader.length("bantime"),
        increment: flag(&mut reader, "bantime.increment"),
        factor: reader.factor(),
        formula: reader.text("bantime.formula"),
        multipliers: reader.multipliers(),
        maxtime: reader.duration("bantime.maxtime"),
        rndtime: reader.duration("bantime.rndtime"),
        overalljails: flag(&mut reader, "bantime.overalljails"),
        ignoreself: reader.flag("ignoreself"),
        ignoreip: reader.ignoreip(),
        ignorecommand: reader.text("ignorecommand"),
        ignorecache: reader.cache(),
        logtimezone: reader.name("logtimezone"),
        logencoding: reader.name("logencoding"),
        logpath: reader.logpath(),
        skip_if_nologs: flag(&mut reader, "skip_if_nologs"),
        systemd_if_nologs: reader.flag("systemd_if_nologs"),
    };
    settings.ignoreip.iter().filter_map(check::ignored).for_each(|wrong| reader.notes.error(wrong));
    check::backend(&settings.backend).into_iter().for_each(|wrong| reader.notes.error(wrong));
    settings
}

/// Whether a value says yes or no.
fn is_flag(value: &Text) -> bool {
    words::yes(value.as_str()) || words::no(value.as_str())
}

/// Whether a flag says yes, perhaps with a remark behind it.
pub(crate) fn yes(value: &Text) -> bool {
    words::yes(remark::cut(value, is_flag).as_ref().unwrap_or(value).as_str())
}

struct Reader<'r> {
    options: &'r Dict<Text>,
    notes: &'r mut Notes,
}

impl Reader<'_> {
    /// An option's value, unless it is empty.
    fn text(&self, name: &str) -> Option<Text> {
        self.options.get(name).filter(|value| !value.as_str().is_empty()).cloned()
    }

    /// A value that is good or not as it stands.
    fn word(&mut self, name: &str, is_good: impl Fn(&Text) -> bool) -> Text {
        remark::without(self.text(name).unwrap_or_default(), self.notes, is_good)
    }

    /// A name, which has no blanks.
    fn name(&mut self, name: &str) -> Option<Text> {
        let is_name = |value: &Text| !value.as_str().is_empty() && !value.as_str().contains(' ');
        Some(self.word(name, is_name)).filter(|value| !value.as_str().is_empty())
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.text(name)?;
        let value = remark::without(value, self.notes, is_flag);
        if !is_flag(&value) {
            let message = format!(
                "{} is neither true nor false; fail2ban takes it for false",
                quote(value.as_str())
            );
            let remedy = format!("write {name} = true or {name} = false{}", check::remark(&value));
            self.notes.error(Wrong::of(&value, message, remedy));
        }
        Some(words::yes(value.as_str()))
    }

    fn number(&mut self, name: &str, least: u32) -> Option<u32> {
        number(self.options, name, least, self.notes)
    }

    fn seconds(&mut self, name: &str) -> Option<(Text, f64)> {
        let value = self.text(name)?;
        let value =
            remark::without(value, self.notes, |value| time::seconds(value.as_str()).is_ok());
        match time::seconds(value.as_str()) {
            Ok(seconds) => {
                if let Some(at) = value.as_str().find('#') {
                    self.notes.warn(remark::wrong(&value, at));
                }
                Some((value, seconds))
            }
            Err(error) => {
                let message =
                    format!("{} is no length of time: {}", quote(value.as_str()), error.message);
                let remedy =
                    format!("write {name} = 600, 10m, 1d12h or 1y 6mo{}", check::remark(&value));
                self.notes.error(Wrong::new(value.place(error.at), 1, message, remedy));
                None
            }
        }
    }

    fn duration(&mut self, name: &str) -> Option<Duration> {
        let (value, seconds) = self.seconds(name)?;
        let length = Duration::try_from_secs_f64(seconds).ok();
        if length.is_none() {
            let message = format!("{name} cannot be negative");
            self.notes.error(Wrong::of(&value, message, "write 600, 10m or 1d12h"));
        }
        length
    }

    fn length(&mut self, name: &str) -> Option<Length> {
        let (value, seconds) = self.seconds(name)?;
        if seconds < 0.0 {
            return Some(Length::Forever);
        }
        if seconds == 0.0 {
            let remedy = "write 600, 10m, 1d12h, or -1 for ever";
            self.notes.warn(Wrong::of(&value, "a ban of no length at all", remedy));
        }
        Duration::try_from_secs_f64(seconds).ok().map(Length::For)
    }

    fn factor(&mut self) -> Option<f64> {
        let value = self.text("bantime.factor")?;
        let factor = value.as_str().trim().parse::<f64>().ok();
        let factor =
            factor.or_else(|| time::seconds(value.as_str()).ok()).filter(|f| f.is_finite());
        if factor.is_none() {
            let message = format!("{} is not a number", quote(value.as_str()));
            self.notes.error(Wrong::of(&value, message, "write bantime.factor = 1"));
        }
        factor
    }

    fn multipliers(&mut self) -> Vec<u32> {
        let Some(value) = self.text("bantime.multipliers") else { return Vec::new() };
        let mut all = Vec::new();
        for word in value.split(|c| c == ' ') {
            match words::integer(word.as_str()).and_then(|number| u32::try_from(number).ok()) {
                Some(number) => all.push(number),
                None => {
                    let message = format!("{} is not a whole number", quote(word.as_str()));
                    let remedy = "write bantime.multipliers = 1 2 4 8, with one blank between them";
                    self.notes.error(Wrong::of(&word, message, remedy));
                }
            }
        }
        all
    }

    fn cache(&mut self) -> Option<IgnoreCache> {
        let value = self.text("ignorecache")?;
        let mut whole = Text::plain("cache[");
        whole.push_all(&value);
        whole.push_str("]");
        let remedy = "write ignorecache = key=\"<ip>\", max-count=100, max-time=5m";
        let call = match params::parse(&whole) {
            Ok(call) => call,
            Err(wrong) => {
                self.notes.error(Wrong { remedy: remedy.to_owned(), ..wrong });
                return None;
            }
        };
        let count = match number(&call.params, "max-count", 1, self.notes) {
            None if call.params.contains("max-count") => return None,
            count => count.unwrap_or(100),
        };
        let mut inside = Reader { options: &call.params, notes: self.notes };
        let time = match inside.duration("max-time") {
            None if call.params.contains("max-time") => return None,
            time => time.unwrap_or(Duration::from_secs(300)),
        };
        let Some(key) = call.params.get("key") else {
            self.notes.error(Wrong::of(&value, "ignorecache has no key", remedy));
            return None;
        };
        Some(IgnoreCache { key: key.clone(), count, time })
    }

    /// Words; those of a remark are none, though names they could be.
    fn ignoreip(&mut self) -> Vec<Text> {
        let Some(value) = self.options.get("ignoreip") else { return Vec::new() };
        let mut all = Vec::new();
        for line in value.lines() {
            let at = remark::begin(&line);
            at.into_iter().for_each(|at| self.notes.warn(remark::wrong(&line, at)));
            all.extend(words::list(&line.slice(0..at.unwrap_or(line.len()))));
        }
        all
    }

    fn logpath(&mut self) -> Vec<LogPath> {
        let Some(value) = self.text("logpath") else { return Vec::new() };
        let mut paths = Vec::new();
        // With head or tail behind it, a path may have blanks in it, and so `#` too.
        let is_path = |line: &Text| {
            let end = line.as_str().rsplit(' ').next().unwrap_or("");
            end.len() == line.len() || matches!(end, "head" | "tail")
        };
        for line in value.lines().into_iter().filter(|line| !line.as_str().is_empty()) {
            let line = remark::without(line, self.notes, is_path);
            if line.as_str().contains(" #") {
                let message = "here # begins no remark, but belongs to the path";
                let remedy = "a remark stands behind a ; with a blank before it";
                self.notes.error(Wrong::of(&line, message, remedy));
                continue;
            }
            let (end, tail) = match line.as_str().rfind(' ') {
                Some(blank) => (blank, line.as_str().get(blank + 1..).unwrap_or("")),
                None => (line.len(), "head"),
            };
            if !matches!(tail, "head" | "tail") {
                let message =
                    format!("behind the path head or tail is expected, not {}", quote(tail));
                let remedy = "write one path on each line; put head behind a path that has blanks";
                self.notes.error(Wrong::of(&line, message, remedy));
                continue;
            }
            paths.push(LogPath { tail: tail == "tail", pattern: line.slice(0..end) });
        }
        paths
    }
}

fn is_number(value: &Text) -> bool {
    words::integer(value.as_str()).is_some()
}

/// A whole number, perhaps with a remark behind it.
pub(crate) fn integer(value: &Text) -> Option<i64> {
    let bare = remark::cut(value, is_number);
    words::integer(bare.as_ref().unwrap_or(value).as_str())
}

fn number(options: &Dict<Text>, name: &str, least: u32, notes: &mut Notes) -> Option<u32> {
    let value = &remark::without(options.get(name)?.clone(), notes, is_number);
    let number = words::integer(value.as_str());
    let fits = number.and_then(|number| u32::try_from(number).ok()).filter(|n| *n >= least);
    if fits.is_none() {
        let message = match number {
            Some(_) => format!("{name} is at least {least}"),
            None => format!("{} is not a whole number", quote(value.as_str())),
        };
        let remedy = format!("write {name} = 5, without quotes{}", check::remark(value));
        notes.error(Wrong::of(value, message, remedy));
    }
    fits
}

/// Takes what options say about a filter. Later ones add regular expressions and journal matches,
/// and replace everything else, as the server does with what it is told.
pub(crate) fn filter(filter: &mut Filter, options: &Dict<Text>, notes: &mut Notes) {
    let lines = |name: &str| {
        let lines = options.get(name).map(Text::lines).unwrap_or_default();
        lines.into_iter().filter(|line| !line.as_str().is_empty())
    };
    filter.failregex.extend(lines("failregex"));
    filter.ignoreregex.extend(lines("ignoreregex"));
    for line in lines("journalmatch") {
        match words::shell(line.as_str()) {
            Some(words) => filter.journalmatch.push(words),
            None => {
                let remedy = "close the quote, or write \\\\ for a backslash";
                notes.error(Wrong::of(&line, "a quote is not closed in this journalmatch", remedy));
            }
        }
    }
    let is_usedns = |value: &Text| check::usedns(value).is_none();
    for (name, place) in [
        ("prefregex", &mut filter.prefregex),
        ("datepattern", &mut filter.datepattern),
        ("usedns", &mut filter.usedns),
    ] {
        if let Some(value) = options.get(name) {
            let value = match name {
                "usedns" => &remark::without(value.clone(), notes, is_usedns),
                _ => value,
            };
            *place = Some(value.clone()).filter(|value| !value.as_str().is_empty());
        }
    }
    if options.contains("maxlines") {
        filter.maxlines = number(options, "maxlines", 1, notes);
        if let Some(value) = options.get("maxlines").filter(|_| filter.maxlines > Some(MOST_LINES))
        {
            let message = format!("no more than {MOST_LINES} lines are looked at together");
            notes.warn(Wrong::of(
                value,
                message,
                format!("write maxlines = {MOST_LINES}, or less"),
            ));
        }
    }
    let usedns = filter.usedns.as_ref().filter(|_| options.contains("usedns"));
    usedns.and_then(check::usedns).into_iter().for_each(|wrong| notes.error(wrong));
    if let Some(value) = options.get("datepattern") {
        check::datepattern(value).into_iter().for_each(|wrong| notes.error(wrong));
    }
}
