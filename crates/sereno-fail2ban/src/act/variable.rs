//! What a command may be told of a ban: the tags that fail2ban fills in for each one
//! (`jail.conf(5)`, "Action Tags"; its own source where the manual is silent).

use std::fmt;

/// One of these tags. Shown without brackets: `ip`, `F-USER`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable {
    tag: String,
}

/// How far a value can be trusted to be harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Made here, of digits, letters and a few signs. May be a part of a program's text, and is
    /// looked at again before it is.
    Checked,
    /// Whatever somebody put into a log or a name server.
    Free,
}

const CHECKED: [&str; 16] = [
    "ip",
    "fid",
    "family",
    "ip-rev",
    "failures",
    "time",
    "bantime",
    "bancount",
    "restored",
    "ipfailures",
    "ipjailfailures",
    "jail.banned",
    "jail.banned_total",
    "jail.found",
    "jail.found_total",
    "fq-hostname",
];
const FREE: [&str; 5] = ["matches", "ipmatches", "ipjailmatches", "ip-host", "raw-ticket"];

impl Variable {
    /// The variable of a tag, if it is one: not `<sender>`, which the configuration fills in, nor
    /// `<br>`, which stands for itself.
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let known = tag == "sh-hostname" || CHECKED.contains(&tag) || FREE.contains(&tag);
        let variable = Self { tag: tag.to_owned() };
        (known || variable.capture().is_some()).then_some(variable)
    }

    /// The tag, without brackets.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What of a filter's captures it is: `user` for `F-USER`, `fid` for `F-ID`.
    #[must_use]
    pub fn capture(&self) -> Option<String> {
        let name = self.tag.strip_prefix("F-").filter(|name| !name.is_empty())?;
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_-".contains(c);
        let lower = name.chars().all(upper).then(|| name.to_ascii_lowercase())?;
        Some(match lower.as_str() {
            "id" => "fid".to_owned(),
            "port" => "fport".to_owned(),
            _ => lower,
        })
    }

    /// Its name in a command's environment, as fail2ban calls it: `f2bV_ip`, `f2bV_F_user`.
    #[must_use]
    pub fn name(&self) -> String {
        let (prefix, name) = match self.capture() {
            Some(capture) => ("f2bV_F_", capture),
            None => ("f2bV_", self.tag.clone()),
        };
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        prefix.chars().chain(name.chars().map(word)).collect()
    }

    pub(super) fn trust(&self) -> Trust {
        let checked = self.tag == "sh-hostname" || CHECKED.contains(&self.tag.as_str());
        if checked { Trust::Checked } else { Trust::Free }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_names_that_a_shell_can_hold() {
        let name = |tag| Variable::of(tag).map(|variable| variable.name());
        assert_eq!(name("ip").as_deref(), Some("f2bV_ip"));
        assert_eq!(name("ip-rev").as_deref(), Some("f2bV_ip_rev"));
        assert_eq!(name("jail.found_total").as_deref(), Some("f2bV_jail_found_total"));
        assert_eq!(name("F-USER").as_deref(), Some("f2bV_F_user"));
        assert_eq!(name("F-ID").as_deref(), Some("f2bV_F_fid"));
        for tag in ["sender", "br", "F-user", "F-", "F-*", "f2bV_x", ""] {
            assert_eq!(name(tag), None, "{tag}");
        }
    }
}
