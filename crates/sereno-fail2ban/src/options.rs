//! The options that fail2ban reads, in its order (`jail.conf(5)`, `fail2ban.conf`, and the output
//! of `fail2ban-client -d`, whose order this is).

/// What kind of value an option has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
}

/// A jail's own options; those of [`FILTER`] may stand in a jail too, and come behind these.
pub(crate) const JAIL: [(&str, Kind); 22] = [
    ("enabled", Kind::Flag),
    ("backend", Kind::Text),
    ("maxretry", Kind::Number),
    ("maxmatches", Kind::Number),
    ("findtime", Kind::Text),
    ("bantime", Kind::Text),
    ("bantime.increment", Kind::Flag),
    ("bantime.factor", Kind::Text),
    ("bantime.formula", Kind::Text),
    ("bantime.multipliers", Kind::Text),
    ("bantime.maxtime", Kind::Text),
    ("bantime.rndtime", Kind::Text),
    ("bantime.overalljails", Kind::Flag),
    ("ignorecommand", Kind::Text),
    ("ignoreself", Kind::Flag),
    ("ignoreip", Kind::Text),
    ("ignorecache", Kind::Text),
    ("filter", Kind::Text),
    ("logtimezone", Kind::Text),
    ("logencoding", Kind::Text),
    ("logpath", Kind::Text),
    ("action", Kind::Text),
];

/// Options of a jail that newer releases than 1.0 have.
pub(crate) const NEWER: [&str; 2] = ["skip_if_nologs", "systemd_if_nologs"];

/// A filter's options.
pub(crate) const FILTER: [(&str, Kind); 7] = [
    ("usedns", Kind::Text),
    ("prefregex", Kind::Text),
    ("ignoreregex", Kind::Text),
    ("failregex", Kind::Text),
    ("maxlines", Kind::Number),
    ("datepattern", Kind::Text),
    ("journalmatch", Kind::Text),
];

/// An action's options; all others are tags for them.
pub(crate) const ACTION: [(&str, Kind); 13] = [
    ("actionstart", Kind::Text),
    ("actionstart_on_demand", Kind::Flag),
    ("actionstop", Kind::Text),
    ("actionflush", Kind::Text),
    ("actionreload", Kind::Text),
    ("actioncheck", Kind::Text),
    ("actionrepair", Kind::Text),
    ("actionrepair_on_unban", Kind::Flag),
    ("actionban", Kind::Text),
    ("actionprolong", Kind::Text),
    ("actionreban", Kind::Text),
    ("actionunban", Kind::Text),
    ("norestored", Kind::Flag),
];

/// Options of `fail2ban.conf`, what they are if they are not written, and whether they are
/// numbers. In the order in which the server is told.
pub(crate) const GLOBAL: [(&str, Kind, Option<&str>); 7] = [
    ("syslogsocket", Kind::Text, Some("auto")),
    ("loglevel", Kind::Text, Some("INFO")),
    ("logtarget", Kind::Text, Some("/var/log/fail2ban.log")),
    ("allowipv6", Kind::Text, Some("auto")),
    ("dbfile", Kind::Text, Some("/var/lib/fail2ban/fail2ban.sqlite3")),
    ("dbmaxmatches", Kind::Number, None),
    ("dbpurgeage", Kind::Text, Some("1d")),
];

/// Options of `fail2ban.conf` that its client reads.
pub(crate) const GLOBAL_CLIENT: [(&str, &str); 2] =
    [("socket", "/var/run/fail2ban/fail2ban.sock"), ("pidfile", "/var/run/fail2ban/fail2ban.pid")];

/// What the stock `jail.conf` builds its actions from. Nothing reads these by name, but everybody
/// sets them.
pub(crate) const CUSTOMARY: [&str; 13] = [
    "mode",
    "port",
    "protocol",
    "chain",
    "banaction",
    "banaction_allports",
    "blocktype",
    "destemail",
    "sender",
    "sendername",
    "mta",
    "fail2ban_agent",
    "before",
];

/// All options that may stand in a jail.
pub(crate) fn jail() -> impl Iterator<Item = (&'static str, Kind)> {
    JAIL.into_iter().chain(FILTER)
}

/// The kind of an option in a list.
pub(crate) fn kind(list: &[(&str, Kind)], name: &str) -> Option<Kind> {
    list.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}
