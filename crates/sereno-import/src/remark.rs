//! What there is to know of an import.

use serde::Serialize;
use sereno_core::addr::Prefix;
use sereno_core::gate::PortRange;

/// Remarks at most; the rest is counted in one.
pub(crate) const MOST: usize = 500;

/// A line of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Which of the sources.
    pub source: usize,
    /// From 1.
    pub line: usize,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// It is not in the policy.
    Left,
    /// It is in the policy, and means something else there.
    Changed,
    /// The old rules let in what they should not, or not as they were meant.
    Weak,
}

/// A remark about a line, or about all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What it is about, if it is about a line.
    pub place: Option<Place>,
    /// That line.
    pub text: String,
    /// What is said.
    pub remark: Remark,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// Rules for what goes out that cannot all be said: none of them is in the policy.
    Outgoing,
    /// Rules for what passes through: the policy leaves that alone.
    Forwarded,
    /// Another table of iptables: translation, marks. It stays where it is.
    Table(String),
    /// A rule with a condition that a policy does not have. Whether leaving it out opens something.
    Condition {
        /// The words of the condition.
        words: String,
        /// Whether the rule shut something.
        opens: bool,
    },
    /// A target that neither lets in nor stops.
    Target(String),
    /// A line for a shell, not for a firewall.
    Shell,
    /// A rule in a function, under a condition or in a loop. Whether leaving it out opens something.
    Conditional {
        /// Whether it shut something.
        opens: bool,
    },
    /// A chain of bans that a program keeps.
    Bans(String),
    /// A word that nobody understands, or a value that is none.
    Word(String),
    /// More rules than a policy may have, or chains that jump too often.
    TooMany,
    /// Further remarks of which there are too many.
    More(usize),
    /// A list of addresses by country, by name, or of another program.
    List(String),
    /// A file of the program that is not there.
    Missing(String),

    /// A rate for all together is one for each source now.
    PerSource,
    /// Something like a rate is a rate now.
    Rate(String),
    /// What came in by other interfaces than this got in, and does not now.
    Closed(String),
    /// This stops something that belongs to no connection, or is needed by networks: the gate does
    /// so, or lets it in, by itself.
    Needed,
    /// The program was switched off.
    Off,
    /// From this line on all is taken back, with nothing behind it: that was not done.
    Flushed,

    /// IPv6 was open: there were no rules for it.
    V6Open,
    /// IPv4 was.
    V4Open,
    /// What no rule was about got in.
    OpenByDefault,
    /// Nothing but this interface was closed.
    OnlyOn(String),
    /// An earlier line decides before this one.
    Unreached(Place),
    /// The line that lets in what is under way stands behind so many others.
    RepliesLate(usize),
    /// Answers to this machine were not let in.
    NoReplies,
    /// Many ports were open to everybody.
    Wide(PortRange),
    /// Everybody reached what the world should not.
    Delicate(PortRange),
    /// Passwords go over this port in the clear.
    Clear(PortRange),
    /// A private network was believed on every interface.
    Spoofed(Prefix),
}

impl Remark {
    /// How bad it is.
    #[must_use]
    pub fn grade(&self) -> Grade {
        match self {
            Self::Outgoing
            | Self::Forwarded
            | Self::Table(_)
            | Self::Condition { .. }
            | Self::Target(_)
            | Self::Shell
            | Self::Conditional { .. }
            | Self::Bans(_)
            | Self::Word(_)
            | Self::TooMany
            | Self::More(_)
            | Self::List(_)
            | Self::Missing(_) => Grade::Left,
            Self::PerSource
            | Self::Rate(_)
            | Self::Closed(_)
            | Self::Needed
            | Self::Off
            | Self::Flushed => Grade::Changed,
            Self::V6Open
            | Self::V4Open
            | Self::OpenByDefault
            | Self::OnlyOn(_)
            | Self::Unreached(_)
            | Self::RepliesLate(_)
            | Self::NoReplies
            | Self::Wide(_)
            | Self::Delicate(_)
            | Self::Clear(_)
            | Self::Spoofed(_) => Grade::Weak,
        }
    }
}

/// Remarks in the making.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    told: Vec<Told>,
    more: usize,
}

impl Notes {
    /// Says something about a line.
    pub(crate) fn say(&mut self, place: Place, text: &str, remark: Remark) {
        self.put(Told { place: Some(place), text: text.trim().to_owned(), remark });
    }

    /// Says something about all.
    pub(crate) fn say_of_all(&mut self, remark: Remark) {
        self.put(Told { place: None, text: String::new(), remark });
    }

    fn put(&mut self, told: Told) {
        if self.told.len() >= MOST {
            self.more += 1;
        } else if !self.told.contains(&told) {
            self.told.push(told);
        }
    }

    /// All of them, in the order of lines; what is about all comes last.
    pub(crate) fn into_told(mut self) -> Vec<Told> {
        let order = |told: &Told| (told.place.is_none(), told.place);
        self.told.sort_by_key(order);
        if self.more > 0 {
            let remark = Remark::More(self.more);
            self.told.push(Told { place: None, text: String::new(), remark });
        }
        self.told
    }
}
