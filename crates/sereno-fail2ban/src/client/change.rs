//! What commands want changed. This is all a guard has to be able to do.

use super::id::Id;
use super::view::Cache;
use crate::dump::Value;

/// A change. What can be checked beforehand is: jails exist, values mean something, what is to be
/// taken away is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Ban somebody in a jail, for as long as that jail bans. Who is out already stays out from
    /// now on for that long.
    Ban {
        /// The jail.
        jail: String,
        /// Who.
        ids: Vec<Id>,
    },
    /// Lift these bans of a jail, and forget that they were. Some of those named may not be in
    /// force.
    Unban {
        /// The jail.
        jail: String,
        /// Who; in force are those that are in [`super::Host::bans`].
        ids: Vec<Id>,
    },
    /// Lift all bans of a jail, and forget that they were.
    UnbanAll {
        /// The jail.
        jail: String,
    },
    /// Count failures of somebody.
    Attempt {
        /// The jail.
        jail: String,
        /// Who.
        id: Id,
        /// The lines they are, one for each; none is one failure.
        lines: Vec<String>,
    },
    /// Set an option of a jail.
    Set {
        /// The jail.
        jail: String,
        /// Which, and to what.
        setting: Setting,
    },
    /// Set an option of the server.
    SetServer(ServerSetting),
    /// Add an empty jail.
    AddJail {
        /// Its name; there is none of that name.
        name: String,
        /// `auto`, `polling`, `systemd[...]`, ...
        backend: String,
    },
    /// Let a jail guard, if it does not yet, or rests.
    StartJail {
        /// The jail.
        jail: String,
    },
    /// End a jail and take it away. Its bans end; they are not forgotten.
    StopJail {
        /// The jail.
        jail: String,
    },
    /// Read the configuration again.
    Reload {
        /// Which jail; `None` for all. It may be one that is not there yet.
        jail: Option<String>,
        /// Stop it before, rather than change what differs.
        restart: bool,
        /// Lift its bans before.
        unban: bool,
        /// That there is no such jail is no error.
        if_exists: bool,
    },
    /// Close the log and open it again.
    FlushLogs,
    /// Stop guarding, and end.
    Stop,
}

/// An option of a jail.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// Rest, or go on.
    Idle(bool),
    /// Whether own addresses are left alone.
    IgnoreSelf(bool),
    /// Leave these alone too; none of them is on the list.
    AddIgnoreIp(Vec<Id>),
    /// Leave this one alone no longer; it is on the list.
    DropIgnoreIp(Id),
    /// Ask this command; empty for none.
    IgnoreCommand(String),
    /// How its answers are kept.
    IgnoreCache(Option<Cache>),
    /// Read a file too; it is not read yet.
    AddLogPath {
        /// A path; no wildcards.
        path: String,
        /// Only what is written from now on.
        tail: bool,
    },
    /// Read this file no longer; it is read.
    DropLogPath(String),
    /// The character set of logs.
    LogEncoding(String),
    /// More matches, each the words that have to be met together. Only of a jail that reads the
    /// journal.
    AddJournalMatch(Vec<Vec<String>>),
    /// One match less; it is there.
    DropJournalMatch(Vec<String>),
    /// What lines must match first; empty for nothing.
    PrefRegex(String),
    /// One more.
    AddFailRegex(String),
    /// The one at this place; it is there.
    DropFailRegex(usize),
    /// One more.
    AddIgnoreRegex(String),
    /// The one at this place; it is there.
    DropIgnoreRegex(usize),
    /// `yes`, `warn`, `no` or `raw`.
    UseDns(String),
    /// How long failures count, in seconds.
    FindTime(i64),
    /// What dates look like, a pattern on each line; empty for all known forms.
    DatePattern(String),
    /// The zone of dates without one.
    LogTimeZone(String),
    /// Lines kept of each stranger.
    MaxMatches(i64),
    /// Failures until a ban.
    MaxRetry(i64),
    /// Lines looked at together; at least 1.
    MaxLines(u32),
    /// How long bans last, in seconds; -1 for ever.
    BanTime(i64),
    /// `bantime.NAME`; `None` takes it away.
    BanTimeExtra(String, Option<Value>),
    /// An action that does nothing yet; there is none of that name.
    AddAction(String),
    /// An action goes; it is there.
    DropAction(String),
    /// A property of an action that is there.
    ActionProperty {
        /// The action.
        action: String,
        /// Its property.
        name: String,
        /// The value.
        value: String,
    },
}

/// An option of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerSetting {
    /// In capitals: `INFO`, or a number.
    LogLevel(String),
    /// A path, `STDOUT`, `STDERR`, `SYSLOG`, ...
    LogTarget(String),
    /// `auto` or a path.
    SyslogSocket(String),
    /// `auto`, `yes`, `no`.
    AllowIpv6(String),
    /// Lines kept of each ban.
    DbMaxMatches(i64),
    /// How long bans are kept, in seconds.
    DbPurgeAge(i64),
}
