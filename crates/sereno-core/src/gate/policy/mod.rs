//! The base policy: who may reach what on this machine, and what this machine may reach.
//!
//! Where a packet comes from is a [`Zone`]; [`Rule`]s are read in their order, and the first that is
//! about a packet decides. What none is about is let in from a zone that is open, and dropped from
//! all others. What belongs to something that is under way passes before any rule, as does what
//! networks need to work at all.
//!
//! What this machine begins leaves, unless the policy has lines about that ([`Policy::out`]): then what
//! none of them is about is refused.

mod line;
mod service;
mod shadow;
#[cfg(test)]
mod tests;
mod write;
mod zone;

pub use line::{Known, Side};
pub use service::{Services, What, is_delicate};
pub use shadow::shadow;
pub use zone::{Origin, Span, TRUSTED, WORLD, Zone};

use super::{Family, Name};
use crate::addr::Prefix;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// Rules at most: the kernel walks them one by one.
const MOST_RULES: usize = 1000;
/// Networks of all zones at most.
const MOST_NETWORKS: usize = 4096;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Lets it in, or out.
    Allow,
    /// Drops it without a word.
    Drop,
    /// Refuses it: TCP is reset, everything else gets an ICMP "port unreachable".
    Reject,
}

/// Whom a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Everybody.
    #[default]
    Anybody,
    /// Those in these zones, or in these networks.
    Those {
        /// By zone.
        zones: Vec<Name>,
        /// By address.
        networks: Vec<Prefix>,
    },
}

impl Who {
    /// Whether it is everybody.
    #[must_use]
    pub fn is_anybody(&self) -> bool {
        *self == Self::Anybody
    }
}

/// How many new connections one source may begin. A source is an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many,
    pub count: u32,
    /// in so long,
    pub per: Duration,
    /// and so many at once.
    pub burst: u32,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// As somebody wrote it.
    pub text: String,
    /// What it does.
    pub deed: Deed,
    /// What it is about; never empty.
    pub what: Vec<What>,
    /// Whom it is about, if it is about what comes in.
    pub from: Who,
    /// Interfaces it is about; all if there are none.
    pub on: Vec<String>,
    /// Addresses of this machine it is about; all if there are none.
    pub to: Vec<Prefix>,
    /// Whom it is about, if it is about what goes out.
    #[serde(default, skip_serializing_if = "Who::is_anybody")]
    pub toward: Who,
    /// What one source may begin; more is dropped.
    pub rate: Option<Rate>,
    /// How many connections one source may have; more are dropped.
    pub limit: Option<u32>,
    /// Until when it holds (`None`: for good).
    pub until: Option<Time>,
}

/// Who may reach what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Where packets come from; [`WORLD`] is what is left, and not among them.
    pub zones: Vec<Zone>,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// What this machine may begin with others, in the order of the lines. `None`: everything. What no
    /// line is about is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Vec<Rule>>,
    /// Whether echo requests are answered that no rule is about.
    pub ping: bool,
    /// Whether a source is believed that we would answer by another interface than it came from.
    pub asymmetric: bool,
    /// Whether what is under way ends, answers to this machine among it. No file says that.
    #[serde(default)]
    pub cut: bool,
}

/// Networks of one family as ranges that do not overlap, in their order.
pub(super) fn ranges(networks: &[Prefix], family: Family) -> Vec<(IpAddr, IpAddr)> {
    zone::ranges(networks, family == Family::V4)
}

impl Policy {
    /// Refuses what cannot be meant, in sentences.
    ///
    /// # Errors
    /// Zones of the same name or with the same network or interface, too many of anything.
    pub fn check(&self) -> Result<(), String> {
        zone::check(&self.zones)?;
        let networks: usize = self.zones.iter().map(|zone| zone.networks.len()).sum();
        if networks > MOST_NETWORKS {
            return Err(format!("{networks} networks are too many; {MOST_NETWORKS} are the most"));
        }
        for rules in [&self.rules[..], self.out()] {
            if rules.len() > MOST_RULES {
                let count = rules.len();
                return Err(format!("{count} rules are too many; {MOST_RULES} are the most"));
            }
        }
        Ok(())
    }

    /// The lines about what goes out; none also where everything may.
    #[must_use]
    pub fn out(&self) -> &[Rule] {
        self.out.as_deref().unwrap_or_default()
    }

    /// The names of all zones, [`WORLD`] last.
    pub fn names(&self) -> impl Iterator<Item = Name> + '_ {
        self.zones.iter().map(|zone| zone.name).chain([zone::world()])
    }

    /// The zone a packet comes from.
    #[must_use]
    pub fn zone(&self, origin: &Origin<'_>) -> Name {
        zone::of(&self.zones, self.asymmetric, origin)
    }

    /// The networks of all zones as ranges that do not overlap, in their order: what a kernel's map
    /// of ranges wants.
    #[must_use]
    pub fn spans(&self, family: Family) -> Vec<Span> {
        zone::spans(&self.zones, family == Family::V4)
    }

    /// Whether everything is let in from a zone that no rule is about.
    #[must_use]
    pub fn is_open(&self, zone: Name) -> bool {
        self.zones.iter().any(|known| known.name == zone && known.open)
    }
}
