//! What a guard shows of itself, so that every question can be answered.

use super::change::Change;
use crate::dump::Value;

/// Who guards.
pub trait Host {
    /// The options of the server.
    fn server(&self) -> Server;

    /// The names of the jails, in the order in which they were added.
    fn jails(&self) -> Vec<String>;

    /// A jail, without its bans.
    fn jail(&self, name: &str) -> Option<JailView>;

    /// The bans of a jail that are in force, in the order in which they were made; none if there
    /// is no such jail.
    fn bans(&self, jail: &str) -> Vec<Banned>;

    /// A moment (seconds since 1970) as local time: `2026-11-23 00:59:08`.
    fn local(&self, time: i64) -> String;

    /// Carries out a change. Jails named in it exist, except by [`Change::AddJail`] and
    /// [`Change::Reload`]. Gives how many bans were made, for [`Change::Ban`]; else it does not
    /// matter.
    ///
    /// # Errors
    /// A sentence about why not.
    fn change(&mut self, change: Change) -> Result<u64, String>;
}

/// The options of the server, as in `fail2ban.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// In capitals: `INFO`, or a number.
    pub loglevel: String,
    /// A path, `STDOUT`, `STDERR`, `SYSLOG`, ...
    pub logtarget: String,
    /// `auto` or a path.
    pub syslogsocket: String,
    /// Where bans are kept; `None` if nowhere.
    pub dbfile: Option<String>,
    /// Lines kept of each ban.
    pub dbmaxmatches: i64,
    /// How long bans are kept, in seconds.
    pub dbpurgeage: i64,
}

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// Who: an address, a network, or any other name.
    pub id: Id,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// For how many seconds; `None` for ever.
    pub length: Option<u64>,
}

pub use super::id::Id;

/// What a jail reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files; paths without wildcards.
    Files(Vec<String>),
    /// The journal: matches, each the words that have to be met together.
    Journal(Vec<Vec<String>>),
}

/// What dates look like to a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dates {
    /// Nothing was said: all known forms.
    Default,
    /// Nobody looks at dates: the journal has its own.
    None,
    /// A pattern and what it is in words (`Year-Month-Day`).
    Pattern(String, String),
    /// A form that has no pattern (`Epoch`).
    Named(String),
}

/// How the answers of `ignorecommand` are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// What an answer is kept for; has tags.
    pub key: String,
    /// How many at most.
    pub count: u32,
    /// For how many seconds.
    pub seconds: u64,
}

/// A jail: its options, and what it has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct JailView {
    /// Whether it rests.
    pub idle: bool,
    /// What reads for it, as fail2ban calls it: `polling`, `pyinotify`, `systemd`.
    pub backend: String,
    /// What it reads.
    pub source: Source,
    /// Strangers with failures that count.
    pub failed: u64,
    /// Failures since it began.
    pub failed_total: u64,
    /// Bans in force.
    pub banned: u64,
    /// Bans since it began.
    pub banned_total: u64,
    /// The character set of its logs, such as `UTF-8`.
    pub logencoding: String,
    /// The zone of dates without one.
    pub logtimezone: Option<String>,
    /// What dates look like.
    pub dates: Dates,
    /// What lines must match first; empty for nothing.
    pub prefregex: String,
    /// What failures look like.
    pub failregex: Vec<String>,
    /// What is none.
    pub ignoreregex: Vec<String>,
    /// Lines looked at together.
    pub maxlines: u32,
    /// `yes`, `warn`, `no` or `raw`.
    pub usedns: String,
    /// Whether own addresses are left alone.
    pub ignoreself: bool,
    /// Who is left alone.
    pub ignoreip: Vec<Id>,
    /// What is asked whether to leave somebody alone.
    pub ignorecommand: Option<String>,
    /// How its answers are kept.
    pub ignorecache: Option<Cache>,
    /// Failures until a ban.
    pub maxretry: i64,
    /// Lines kept of each stranger.
    pub maxmatches: i64,
    /// How long failures count, in seconds.
    pub findtime: i64,
    /// How long bans last, in seconds; -1 for ever.
    pub bantime: i64,
    /// `bantime.increment` and such, without `bantime.`: those that were set.
    pub extra: Vec<(String, Value)>,
    /// What it does.
    pub actions: Vec<ActionView>,
}

/// An action of a jail.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionView {
    /// The name it goes by.
    pub name: String,
    /// What was set of it: commands, and values for their tags.
    pub properties: Vec<(String, Value)>,
}
