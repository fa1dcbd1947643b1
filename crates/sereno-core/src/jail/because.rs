//! Why somebody is banned.

use serde::{Deserialize, Serialize};

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Because {
    /// Too many failures.
    Failures,
    /// Too many different accounts.
    Accounts,
    /// Too many different closed ports.
    Ports,
    /// Too many addresses at one account.
    Hosts,
    /// Too many addresses of one network.
    Network,
    /// An administrator said so.
    Manual,
}

impl Because {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Accounts => "accounts",
            Self::Ports => "ports",
            Self::Hosts => "hosts",
            Self::Network => "network",
            Self::Manual => "manual",
        }
    }
}
