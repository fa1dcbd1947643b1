//! What clients may ask of the policy: who may reach what.

use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::gate::list::Use;
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{Name, Proto};
use sereno_core::time::Time;
use std::net::{IpAddr, SocketAddr};

/// A question or a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GateAsk {
    /// Put the policy of the files on trial.
    Apply {
        /// For how long, in seconds.
        seconds: u64,
        /// Also if it cuts somebody off.
        force: bool,
        /// The connection of who asks: his end, and ours.
        session: Option<(SocketAddr, SocketAddr)>,
    },
    /// The one on trial is right.
    Confirm,
    /// End the trial; without one, go back to what was in force before, or to this one of the
    /// history, on trial.
    Revert {
        /// Its number.
        number: Option<u64>,
        /// For how long on trial, in seconds.
        seconds: u64,
    },
    /// Have no policy any more: everything is open that nothing else closes.
    Flush,
    /// Nothing comes in any more but who comes by a door; or that is over.
    Panic {
        /// Whether it begins.
        begins: bool,
    },
    /// How it is.
    Show,
    /// Who listens, and who could reach him.
    Diff,
    /// The gate as text for the nft program.
    Text,
    /// The same for iptables, ip6tables and ipset.
    Iptables,
    /// What would happen to a packet.
    Explain(Probe),
    /// How many packets were stopped, by what.
    Stopped,
}

impl GateAsk {
    /// Whether it changes who may reach what, but for the end of a panic.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(self, Self::Apply { .. } | Self::Confirm | Self::Revert { .. } | Self::Flush)
    }
}

/// A question about lists of addresses, or a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ListAsk {
    /// How they are; and whether this address is in them.
    Show {
        /// Who.
        addr: Option<IpAddr>,
    },
    /// Read and fetch one now, or all.
    Refresh {
        /// Which.
        name: Option<Name>,
    },
}

/// How a list is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// Its name.
    pub name: Name,
    /// What it does; `None` if it only names friends.
    pub to: Option<Use>,
    /// To which ports.
    pub ports: String,
    /// Whether those who are in it are never banned.
    pub friends: bool,
    /// Whether it was read yet.
    pub read: bool,
    /// How many ranges it consists of.
    pub ranges: u64,
    /// How many IPv4 addresses are in it.
    pub addresses: u64,
    /// Whether something of it comes from the web.
    pub far: bool,
    /// When the oldest of what comes from the web was fetched (RFC 3339).
    pub fetched: Option<String>,
    /// Lines that are no addresses.
    pub unknown: u64,
    /// Networks that were left out because they are too wide to be meant.
    pub wide: u64,
    /// Addresses that were left out because they are nobody out there.
    pub private: u64,
    /// What did not work the last time.
    pub problems: Vec<String>,
    /// Whether the kernel has it as it was read last.
    pub in_force: bool,
    /// Packets it stopped.
    pub packets: Option<u64>,
    /// Whether the address that was asked for is in it.
    pub holds: Option<bool>,
}

/// The beginning of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its protocol; `None`: an echo request.
    pub proto: Option<Proto>,
    /// Where it comes from.
    pub from: IpAddr,
    /// To which port.
    pub port: u16,
    /// To which of our addresses, or from which.
    pub to: Option<IpAddr>,
    /// By which interface it comes, or leaves.
    pub on: Option<String>,
    /// Whether this machine sends it: it goes then where it would come from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out: bool,
}

/// How the policy is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// The one in force.
    pub accepted: Option<Accepted>,
    /// One on trial.
    pub trying: Option<Trying>,
    /// Packets that each line was about, and the rest of each zone, of the one that decides.
    pub counts: Vec<(String, u64)>,
    /// Whether that of the files is another one.
    pub differs: bool,
    /// Since when nothing comes in.
    pub panic: Option<Time>,
    /// Why it is not in force, where it should be.
    pub refused: Option<String>,
    /// Those that were in force, oldest first.
    pub history: Vec<Former>,
    /// The table it stands in.
    pub table: Option<Name>,
}

/// A policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// What it says.
    pub policy: Policy,
    /// Since when.
    pub since: Time,
}

/// A policy on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// What it says.
    pub policy: Policy,
    /// When it ends.
    pub until: Time,
}

/// Who listens, who could reach him, and what is open to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reachable {
    /// Whether it is about the policy of the files; else about that in force.
    pub of_files: bool,
    /// Who listens.
    pub listeners: Vec<Reached>,
    /// Lines of the policy that let in where nobody listens, by their number from 1.
    pub idle: Vec<(usize, String)>,
    /// Whom this machine reaches now and would not by it, in words.
    #[serde(default)]
    pub kept: Vec<String>,
}

/// Somebody who listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// With which protocol.
    pub proto: Proto,
    /// On which port.
    pub port: u16,
    /// At which address; the unspecified one for all.
    pub addr: IpAddr,
    /// The program; empty if that cannot be seen.
    pub program: String,
    /// The zones from which he is reached.
    pub zones: Vec<Name>,
    /// Networks besides, that a line lets in.
    pub networks: Vec<Prefix>,
    /// Whether the world should not reach him.
    pub delicate: bool,
}

/// A policy that was in force, by its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Its number.
    pub number: u64,
    /// Since when.
    pub since: Time,
    /// How many rules it has; `None`: there was no policy.
    pub rules: Option<usize>,
}

/// A policy that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub number: u64,
    /// Since when.
    pub since: Time,
    /// What it says; `None`: nothing, all was open.
    pub policy: Option<Policy>,
}
