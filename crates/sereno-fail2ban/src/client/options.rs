//! The options of a jail that commands show, by their names.

/// What is shown of a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `idle`; only after it was set.
    Idle,
    /// `logpath`.
    LogPath,
    /// `logencoding`.
    LogEncoding,
    /// `journalmatch`.
    JournalMatch,
    /// `ignoreself`.
    IgnoreSelf,
    /// `ignoreip`.
    IgnoreIp,
    /// `ignorecommand`.
    IgnoreCommand,
    /// `ignorecache`.
    IgnoreCache,
    /// `prefregex`.
    PrefRegex,
    /// `failregex`.
    FailRegex,
    /// `ignoreregex`.
    IgnoreRegex,
    /// `usedns`.
    UseDns,
    /// `findtime`.
    FindTime,
    /// `datepattern`.
    DatePattern,
    /// `logtimezone`.
    LogTimeZone,
    /// `maxmatches`.
    MaxMatches,
    /// `maxretry`.
    MaxRetry,
    /// `maxlines`.
    MaxLines,
    /// `bantime`.
    BanTime,
    /// `bantime.NAME`.
    BanTimeExtra(String),
    /// `actions`.
    Actions,
}

impl Field {
    /// What `get JAIL NAME` shows, if there is anything of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "logpath" => Self::LogPath,
            "logencoding" => Self::LogEncoding,
            "journalmatch" => Self::JournalMatch,
            "ignoreself" => Self::IgnoreSelf,
            "ignoreip" => Self::IgnoreIp,
            "ignorecommand" => Self::IgnoreCommand,
            "ignorecache" => Self::IgnoreCache,
            "prefregex" => Self::PrefRegex,
            "failregex" => Self::FailRegex,
            "ignoreregex" => Self::IgnoreRegex,
            "usedns" => Self::UseDns,
            "findtime" => Self::FindTime,
            "datepattern" => Self::DatePattern,
            "logtimezone" => Self::LogTimeZone,
            "maxmatches" => Self::MaxMatches,
            "maxretry" => Self::MaxRetry,
            "maxlines" => Self::MaxLines,
            "bantime" => Self::BanTime,
            "actions" => Self::Actions,
            _ => Self::BanTimeExtra(name.strip_prefix("bantime.")?.to_owned()),
        })
    }
}

/// What is shown of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerField {
    /// `loglevel`.
    LogLevel,
    /// `logtarget`.
    LogTarget,
    /// `syslogsocket`.
    SyslogSocket,
    /// `dbfile`.
    DbFile,
    /// `dbmaxmatches`.
    DbMaxMatches,
    /// `dbpurgeage`.
    DbPurgeAge,
    /// `thread`.
    Thread,
}

impl ServerField {
    /// What `get NAME` shows, if there is anything of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "loglevel" => Self::LogLevel,
            "logtarget" => Self::LogTarget,
            "syslogsocket" => Self::SyslogSocket,
            "dbfile" => Self::DbFile,
            "dbmaxmatches" => Self::DbMaxMatches,
            "dbpurgeage" => Self::DbPurgeAge,
            "thread" => Self::Thread,
            _ => return None,
        })
    }
}
