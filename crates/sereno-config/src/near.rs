//! Names that somebody may have meant.

pub(crate) use sereno_core::near::nearest;

/// Jail options of fail2ban that are called otherwise here, or are not needed, and what to do.
const FAIL2BAN: [(&str, &str); 33] = [
    ("filter", "write rule = \"sshd\""),
    ("port", "write ports = \"tcp/22\""),
    ("protocol", "the protocol stands in ports: ports = [\"tcp/5060\", \"udp/5060\"]"),
    ("backend", "leave it out: logpath reads files, journal reads the systemd journal"),
    ("journalmatch", "write journal = [\"_SYSTEMD_UNIT=ssh.service\"]"),
    ("action", "leave it out: Sereno bans in its own nftables table"),
    ("banaction", "leave it out: Sereno bans in its own nftables table"),
    ("banaction_allports", "write ports = \"all\""),
    ("chain", "leave it out: Sereno bans in its own nftables table"),
    ("blocktype", "write block = \"reject\", or leave it out for silence"),
    ("ignoreself", "leave it out: own addresses are never banned"),
    ("ignorecommand", "list the networks in ignoreip, at the top of the file"),
    ("ignorecache", "leave it out: no command is asked, so nothing is cached"),
    ("usedns", "leave it out: host names are never looked up"),
    ("mode", "leave it out: the rule has all patterns"),
    ("maxlines", "leave it out: rules join the lines of one login by themselves"),
    ("logencoding", "leave it out: lines are read as bytes"),
    ("logtimezone", "write timezone = \"Europe/Madrid\" under [sereno]"),
    ("datepattern", "leave it out: dates are recognised"),
    ("prefregex", "write a rule file; docs/guide/rules.md shows how"),
    ("failregex", "write a rule file; docs/guide/rules.md shows how"),
    ("ignoreregex", "write a rule file; docs/guide/rules.md shows how"),
    ("skip_if_nologs", "leave it out: a log that is not there yet is waited for"),
    ("systemd_if_nologs", "write journal = [...] instead of logpath"),
    ("bantime.formula", "write \"bantime.multipliers\" = [1, 2, 4, 8]"),
    ("destemail", "leave it out: Sereno sends no mail"),
    ("sender", "leave it out: Sereno sends no mail"),
    ("sendername", "leave it out: Sereno sends no mail"),
    ("mta", "leave it out: Sereno sends no mail"),
    ("dbfile", "write state = \"/var/lib/sereno\" under [sereno]"),
    ("dbpurgeage", "leave it out: old bans are forgotten by themselves"),
    ("allowipv6", "leave it out: IPv6 is always guarded"),
    ("fail2ban_agent", "leave it out"),
];

/// What to do about an unknown option: a word for a slip of the pen, for a name of fail2ban's,
/// or the list of what there is.
pub(crate) fn remedy(word: &str, known: &[&str]) -> String {
    let foreign = |name: &str| FAIL2BAN.iter().find(|(f2b, _)| *f2b == name).map(|(_, what)| *what);
    if let Some(what) = foreign(&word.to_ascii_lowercase()) {
        return what.to_owned();
    }
    let all = known.iter().copied().chain(FAIL2BAN.iter().map(|(name, _)| *name));
    match nearest(word, all) {
        Some(name) => match foreign(name) {
            Some(what) => format!("if you meant fail2ban's {name}: {what}"),
            None => format!("did you mean {}?", key(name)),
        },
        None => format!("leave it out; there are: {}", known.join(", ")),
    }
}

/// A key as TOML wants it: in quotes if it has a dot.
pub(crate) fn key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_found() {
        let known = ["maxretry", "findtime", "bantime", "bantime.maxtime", "logpath", "ports"];
        assert_eq!(remedy("maxretri", &known), "did you mean maxretry?");
        assert_eq!(remedy("max_retry", &known), "did you mean maxretry?");
        assert_eq!(remedy("MAXRETRY", &known), "did you mean maxretry?");
        assert_eq!(remedy("fnidtime", &known), "did you mean findtime?");
        assert_eq!(remedy("bantime_maxtime", &known), "did you mean \"bantime.maxtime\"?");
        assert_eq!(remedy("port", &known), "write ports = \"tcp/22\"");
        assert!(
            remedy("journalmach", &known).starts_with("if you meant fail2ban's journalmatch: ")
        );
        assert!(remedy("colour", &known).starts_with("leave it out; there are: maxretry,"));
        assert!(remedy(&"x".repeat(100_000), &known).starts_with("leave it out"));
    }
}
