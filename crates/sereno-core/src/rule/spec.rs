//! A rule as its file says it: which programs it listens to, and the patterns with the sample
//! lines that prove them. The file format is described in `docs/guide/rules.md`.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A file with a rule: what Sereno knows about one service's log, or the better part of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleSpec {
    /// The name jails call it by.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// Which framing its lines have.
    pub format: Format,
    /// The syslog programs whose lines it reads; for `format = "syslog"`.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Pieces of expressions: `<name>` in a pattern stands for `define.name`.
    #[serde(default)]
    pub define: BTreeMap<String, String>,
    /// The patterns, tried in this order; the first that matches decides.
    #[serde(rename = "pattern", default)]
    pub patterns: Vec<PatternSpec>,
}

/// A file that adds to a rule: it has patterns and nothing else of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExtensionSpec {
    /// The name of the rule.
    pub extends: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// Pieces of its expressions, beside those of the rule.
    #[serde(default)]
    pub define: BTreeMap<String, String>,
    /// The patterns, tried in this order behind those of the rule.
    #[serde(rename = "pattern", default)]
    pub patterns: Vec<PatternSpec>,
}

impl RuleSpec {
    /// Adds the patterns of an extension behind those that are here. What it defines holds for
    /// its own patterns alone, so that no file can change the meaning of another one.
    pub fn extend(&mut self, more: &ExtensionSpec) {
        self.patterns.extend(more.patterns.iter().cloned().map(|mut pattern| {
            pattern.regex = super::pattern::defined(&pattern.regex, &more.define);
            pattern
        }));
    }
}

/// The framing of a service's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `DATE HOST PROGRAM[PID]: TEXT`, or the journal.
    Syslog,
    /// Asterisk's own formats: default, plain, `[json]`, or through syslog.
    Asterisk,
    /// A date at the start (or none), then text; or the whole line, as in a web server's log.
    Plain,
}

/// One pattern: what a line must be, whole, and what it means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PatternSpec {
    /// Its name within the rule; `why` and `scan` show it.
    pub id: String,
    /// What the line tells.
    pub kind: Kind,
    /// The whole text after the header, as a linear-time regular expression with placeholders
    /// `<addr>`, `<port>`, `<user>`, `<session>`, `<times>`, `<text>`.
    pub regex: String,
    /// Asterisk: the source files that write it. Empty: any.
    #[serde(default)]
    pub files: Vec<String>,
    /// Fixed text that must stand in the line exactly once. A line that a stranger writes on both
    /// sides of its address is ambiguous as soon as he writes this too.
    #[serde(default)]
    pub once: Option<String>,
    /// How much one such line counts towards `maxretry`.
    #[serde(default = "one")]
    pub weight: u16,
    /// What joins the lines of one login attempt.
    #[serde(default)]
    pub session: SessionKey,
    /// At which step of an attempt the line is written.
    #[serde(default)]
    pub step: Step,
    /// How far the line may be believed by itself.
    #[serde(default)]
    pub trust: Trust,
    /// Whether a packet with a false source address is enough to cause it.
    #[serde(default)]
    pub spoofable: bool,
    /// Lines that must match, with what must be found in them.
    #[serde(rename = "match", default)]
    pub matches: Vec<Sample>,
    /// Lines that must not match this pattern.
    #[serde(default)]
    pub reject: Vec<String>,
}

fn one() -> u16 {
    1
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody was refused.
    Failure,
    /// Somebody proved who he is.
    Success,
    /// The server asked for proof; silence is an answer too.
    Challenge,
    /// Known, and of no weight.
    Neutral,
    /// The session is over.
    End,
    /// Such a line is only left where a stranger wrote line breaks into the log: nothing near
    /// it is believed that is not sure.
    Forgery,
}

impl Kind {
    /// The word for it in rule files and in output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Success => "success",
            Self::Challenge => "challenge",
            Self::Neutral => "neutral",
            Self::End => "end",
            Self::Forgery => "forgery",
        }
    }
}

/// What joins the lines of one login attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionKey {
    /// Nothing: every line stands alone.
    #[default]
    None,
    /// The process that wrote it (host and pid), as sshd forks one per connection.
    Process,
    /// The stranger's address and port.
    Peer,
    /// The stranger's address.
    Addr,
    /// What `<session>` captured.
    Field,
}

/// At which step of an attempt a line is written: the several lines of one attempt are counted
/// once by counting each step apart and taking the largest count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The stranger's answer was judged.
    #[default]
    Answer,
    /// A second witness of the judgement (another module's line about the same).
    Echo,
    /// A third witness.
    Echo2,
    /// The stranger made himself known; written again when he answers a challenge.
    Contact,
    /// The second witness of the same.
    ContactEcho,
}

/// How far a line may be believed by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Fully: no stranger can write it or its address.
    #[default]
    Sure,
    /// Its address is true, but a stranger can make other lines look like it: it counts when
    /// its voucher (the security event of the same attempt) is there too.
    Twin,
    /// It happened, but its address is what the stranger claimed: it vouches for a twin, and
    /// counts by itself only when the challenge it answers was sent to the same address. Of a
    /// success: not believed of an address that somebody else used as his own. Of a neutral
    /// line: it lost its address, and vouches for a spare one of the same session.
    Voucher,
    /// It repeats what a sure line says: it counts only in a log without sure lines.
    Spare,
    /// It counts, but only after a moment in which no forgery was seen near it.
    Weak,
}

/// A sample line and what must be found in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sample {
    /// The whole line as the program wrote it, with its header.
    pub line: String,
    /// The stranger's address.
    #[serde(default)]
    pub addr: Option<String>,
    /// The account he tried.
    #[serde(default)]
    pub user: Option<String>,
}
