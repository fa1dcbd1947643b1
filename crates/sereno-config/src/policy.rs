//! What the files say once nothing is left to interpret.

use sereno_core::filter::Filter;
use sereno_core::gate::Name;
use sereno_core::jail::{Friend, JailPolicy};
use sereno_core::rule::Rule;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the administrator decided.
///
/// Two policies are equal when their files said the same; compiled rules are compared by their
/// text.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What concerns the program as a whole.
    pub settings: Settings,
    /// `ignoreip`: who is never banned.
    pub friends: Vec<Friend>,
    /// All rules that can be used, sorted by name.
    pub rules: Vec<Arc<Rule>>,
    /// The documents each of the rules was made of, in the same order; that with its name first.
    pub rule_texts: Vec<Vec<crate::Document>>,
    /// The jails that are enabled, sorted by name.
    pub jails: Vec<JailConf>,
    /// The rules that are made of fail2ban's expressions, sorted by name.
    pub filter_rules: Vec<FilterRule>,
    /// fail2ban's filters, each for the jail of this name. Its rule is one of [`filter_rules`], or
    /// none that is here.
    ///
    /// [`filter_rules`]: Self::filter_rules
    pub filters: Vec<(Name, Arc<Filter>)>,
}

impl Policy {
    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.friends == other.friends
            && self.rule_texts == other.rule_texts
            && self.filter_rules == other.filter_rules
            && self.jails == other.jails
    }
}

/// A rule that is made of fail2ban's expressions.
#[derive(Clone, Debug)]
pub struct FilterRule {
    /// What jails call it by.
    pub name: String,
    /// The document it stands in.
    pub text: crate::Document,
    /// What it looks for.
    pub filter: Arc<Filter>,
}

impl PartialEq for FilterRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The sections `[sereno]` and `[import]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory in which bans and places in logs outlive a restart.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The group whose members may use the control socket.
    pub group: String,
    /// The IANA name of the time zone logs are written in; `None` for the machine's.
    pub timezone: Option<String>,
    /// Bytes of a line at most; longer ones are skipped.
    pub line_cap: usize,
    /// The nftables table (family `inet`) that is ours alone.
    pub table: Name,
    /// Watch and tell, but ban nobody.
    pub observe: bool,
    /// `[import] fail2ban`: the directory of a fail2ban configuration to guard by besides.
    pub fail2ban: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state: PathBuf::from("/var/lib/sereno"),
            socket: PathBuf::from("/run/sereno/control.sock"),
            group: "sereno".to_owned(),
            timezone: None,
            line_cap: 64 << 10,
            table: Name::SERENO,
            observe: false,
            fail2ban: None,
        }
    }
}

/// A jail, and where its lines come from.
#[derive(Clone, Debug, PartialEq)]
pub struct JailConf {
    /// What counts, and what follows from it.
    pub policy: JailPolicy,
    /// Its logs; never empty.
    pub sources: Vec<SourceConf>,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceConf {
    /// Absolute paths and shell patterns of files; `-` is standard input.
    Files(Vec<String>),
    /// Matches of `journalctl(1)`: `FIELD=value`, and `+` for "or".
    Journal(Vec<String>),
}
