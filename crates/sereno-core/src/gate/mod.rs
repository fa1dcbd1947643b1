//! The wanted firewall as a value.
//!
//! A [`Gate`] is the structure: one table, and in it a [`Scope`] per place where bans hold, and
//! a [`Doorway`]. A [`Hold`] is one ban, a [`Pass`] lets one address in. [`plan`] turns the
//! structure to sets, chains and rules; [`render`] writes those as nft text for people, the
//! netlink crate writes the same values to the kernel.
//!
//! The layout, and why: one base chain at *prerouting*, priority *raw*, so that a banned
//! source is stopped before connection tracking spends anything on it, in the middle of an
//! established connection, and also on its way to a port forwarded to a container. The base
//! chain picks scopes by destination port and jumps to the scope's chain, which looks the
//! source up in one hash set per prefix length (masking the address first). Hash sets with
//! per-element timeouts cost the same at any size and lift bans by themselves.

mod contents;
mod counted;
mod doorway;
mod flood;
mod hold;
pub mod iptables;
pub mod list;
mod name;
mod nat;
mod older;
pub mod plan;
pub mod policy;
mod ports;
mod portscan;
mod proxy;
mod reason;
mod render;
#[cfg(test)]
mod samples;
pub mod walk;

pub use contents::{Admitted, Contents, Switch};
pub use counted::Counts;
pub use doorway::is_interface;
pub use doorway::{Doorway, Ears, Member, Opening, Pass, Through};
pub use flood::Flood;
pub use hold::{Hold, Left, Misplaced, Placed};
pub use name::{NAME_MAX, Name};
pub use nat::{Dnat, Forward, Nat, Snat, is_host};
pub use older::Stream;
pub use plan::{flood_reason, policy_reason};
pub use ports::{PortRange, Ports, Proto};
pub use portscan::PortScan;
pub use proxy::{Handshake, SynProxy};
pub use reason::{Excess, Judgement, Reason, reasons};
pub use render::render;

use crate::addr::Prefix;
use policy::Policy;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The base chain's name.
pub const BASE_CHAIN: &str = "bans";

/// A place where bans hold, such as `sshd` on `tcp/22`, or `all` on every port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What holds refer to.
    pub name: Name,
    /// Which packets it covers.
    pub ports: Ports,
    /// What happens to them, if not what the gate says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
    /// Whether it is only what begins a connection of TCP or UDP that is stopped: what is under way goes
    /// on, and so does what this machine began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins: bool,
}

impl Scope {
    /// A scope from its two texts, e.g. `("sip", "udp/5060-5061, tcp/5061")`.
    ///
    /// # Errors
    /// A sentence about the name or the ports.
    pub fn new(name: &str, ports: &str) -> Result<Self, String> {
        let (name, ports) = (name.parse()?, ports.parse()?);
        Ok(Self { name, ports, block: None, begins: false })
    }

    /// The scope's chain.
    #[must_use]
    pub fn chain(&self) -> String {
        // The leading word keeps names that start with a digit legal nft identifiers.
        format!("scope_{}", self.name)
    }

    /// The scope's counter object: packets and bytes stopped.
    #[must_use]
    pub fn counter(&self) -> String {
        format!("dropped_{}", self.name)
    }
}

/// What happens to a packet from a banned source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// Silence.
    #[default]
    Drop,
    /// An ICMP "port unreachable". Kernels before 5.9 refuse this at prerouting.
    Reject,
    /// TCP is reset, everything else gets an ICMP "port unreachable". Kernels before 5.9 refuse
    /// this at prerouting.
    Reset,
}

/// What one rule of the gate does to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Silence.
    Drop,
    /// A TCP reset; only for TCP, so what else comes goes on to the next rule.
    Reset,
    /// An ICMP "port unreachable".
    Unreachable,
    /// An ICMP "communication administratively prohibited".
    Prohibited,
}

impl Block {
    /// The rules it takes, in their order.
    #[must_use]
    pub fn verdicts(self) -> &'static [Verdict] {
        match self {
            Self::Drop => &[Verdict::Drop],
            Self::Reject => &[Verdict::Unreachable],
            Self::Reset => &[Verdict::Reset, Verdict::Unreachable],
        }
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// `v4` or `v6`, as in the names of sets.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }

    /// The family of a prefix.
    #[must_use]
    pub fn of(prefix: Prefix) -> Self {
        if prefix.addr().is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bits of an address: 32 or 128.
    #[must_use]
    pub fn width(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// One kernel set: the banned prefixes of one scope, family and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// The scope it belongs to.
    pub scope: Name,
    /// The family of its keys.
    pub family: Family,
    /// The prefix length of its keys.
    pub bits: u8,
}

impl fmt::Display for Set {
    /// The set's name in the kernel, e.g. `ban_sshd_v4_32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ban_{}_{}_{}", self.scope, self.family.as_str(), self.bits)
    }
}

/// A gate as it is written down, not yet checked. `Gate::try_from` checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The nftables table (family `inet`) that is ours alone.
    pub table: Name,
    /// The places where bans hold.
    pub scopes: Vec<Scope>,
    /// What happens to banned packets where a scope does not say.
    pub block: Block,
    /// IPv4 prefix lengths that can be banned.
    pub v4_lengths: Vec<u8>,
    /// IPv6 prefix lengths that can be banned.
    pub v6_lengths: Vec<u8>,
    /// What it does for doors.
    #[serde(default, skip_serializing_if = "Doorway::is_empty")]
    pub doorway: Doorway,
    /// How much may come to the ports of telephones; `None`: it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<Flood>,
    /// Where the kernel itself answers who begins a connection; `None`: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syn_proxy: Option<SynProxy>,
    /// Of which closed ports it tells; `None`: of none.
    pub portscan: Option<PortScan>,
    /// Who may reach what; `None` leaves that to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// A policy that is tried: it decides for a while instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trying: Option<Policy>,
}

impl Draft {
    /// A gate of these scopes and otherwise of defaults: table `sereno`, dropping, IPv4 hosts
    /// and /24, IPv6 hosts, /64, /56 and /48.
    #[must_use]
    pub fn of(scopes: Vec<Scope>) -> Self {
        Self {
            table: Name::SERENO,
            scopes,
            block: Block::Drop,
            v4_lengths: vec![32, 24],
            v6_lengths: vec![128, 64, 56, 48],
            doorway: Doorway::default(),
            flood: None,
            syn_proxy: None,
            portscan: None,
            policy: None,
            trying: None,
        }
    }
}

/// A checked gate: scope names differ, and lengths are sorted (longest first), distinct and
/// possible for their family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Gate(Draft);

impl Gate {
    /// The nftables table (family `inet`) that is ours alone.
    #[must_use]
    pub fn table(&self) -> &str {
        self.0.table.as_str()
    }

    /// The places where bans hold.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    /// What happens to banned packets in a scope.
    #[must_use]
    pub fn block(&self, scope: &Scope) -> Block {
        scope.block.unwrap_or(self.0.block)
    }

    /// What it does for doors.
    #[must_use]
    pub fn doorway(&self) -> &Doorway {
        &self.0.doorway
    }

    /// Who may reach what, if that is ours to say.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.0.policy.as_ref()
    }

    /// A policy that is tried.
    #[must_use]
    pub fn trying(&self) -> Option<&Policy> {
        self.0.trying.as_ref()
    }

    /// The prefix lengths that can be banned, longest first.
    #[must_use]
    pub fn lengths(&self, family: Family) -> &[u8] {
        match family {
            Family::V4 => &self.0.v4_lengths,
            Family::V6 => &self.0.v6_lengths,
        }
    }

    /// The sets of one scope, hosts first.
    pub fn sets_of(&self, scope: &Scope) -> impl Iterator<Item = Set> + use<'_> {
        let scope = scope.name;
        Family::BOTH.into_iter().flat_map(move |family| {
            self.lengths(family).iter().map(move |&bits| Set { scope, family, bits })
        })
    }

    /// Every set of the gate, scope by scope.
    pub fn sets(&self) -> impl Iterator<Item = Set> + '_ {
        self.scopes().iter().flat_map(|scope| self.sets_of(scope))
    }

    /// The set where a ban of `prefix` in `scope` lives.
    ///
    /// # Errors
    /// When the gate has no such scope or no set for that length.
    pub fn set_for(&self, scope: Name, prefix: Prefix) -> Result<Set, Misplaced> {
        if !self.scopes().iter().any(|known| known.name == scope) {
            return Err(Misplaced::Scope(scope));
        }
        let (family, bits) = (Family::of(prefix), prefix.bits());
        if !self.lengths(family).contains(&bits) {
            return Err(Misplaced::Length(prefix));
        }
        Ok(Set { scope, family, bits })
    }
}

impl TryFrom<Draft> for Gate {
    type Error = String;

    fn try_from(mut draft: Draft) -> Result<Self, String> {
        if !draft.table.as_str().starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(format!("the table name {} must start with a letter", draft.table));
        }
        let mut names: Vec<Name> = draft.scopes.iter().map(|scope| scope.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("there are two scopes named {}", twice[0]));
        }
        tidy(&mut draft.v4_lengths, Family::V4)?;
        tidy(&mut draft.v6_lengths, Family::V6)?;
        draft.doorway.check()?;
        draft.flood.as_ref().map_or(Ok(()), Flood::check)?;
        draft.syn_proxy.as_ref().map_or(Ok(()), SynProxy::check)?;
        draft.portscan.as_ref().map_or(Ok(()), PortScan::check)?;
        draft.policy.iter().chain(&draft.trying).try_for_each(Policy::check)?;
        Ok(Self(draft))
    }
}

/// Sorts lengths longest first; refuses none at all and impossible ones. Length 0 would be a
/// ban of everybody.
fn tidy(lengths: &mut Vec<u8>, family: Family) -> Result<(), String> {
    let width = family.width();
    if let Some(bad) = lengths.iter().find(|&&bits| bits == 0 || bits > width) {
        return Err(format!("/{bad} is not a prefix length that can be banned; use 1 to {width}"));
    }
    if lengths.is_empty() {
        return Err(format!("no prefix length is given; the usual one for hosts is {width}"));
    }
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.dedup();
    Ok(())
}

impl From<Gate> for Draft {
    fn from(gate: Gate) -> Self {
        gate.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(scopes: &[(&str, &str)]) -> Result<Gate, String> {
        let scopes = scopes.iter().map(|(n, p)| Scope::new(n, p).unwrap()).collect();
        Gate::try_from(Draft::of(scopes))
    }

    #[test]
    fn impossible_gates_are_refused_with_a_reason() {
        assert!(gate(&[("a", "all"), ("a", "tcp/1")]).unwrap_err().contains("two scopes named a"));
        let with = |change: fn(&mut Draft)| {
            let mut draft = Draft::of(vec![]);
            change(&mut draft);
            Gate::try_from(draft).unwrap_err()
        };
        assert!(with(|d| d.table = "3x".parse().unwrap()).contains("start with a letter"));
        assert!(with(|d| d.v4_lengths = vec![33]).contains("/33"));
        assert!(with(|d| d.v6_lengths = vec![0]).contains("/0"));
        assert!(with(|d| d.v6_lengths.clear()).contains("128"));
    }

    #[test]
    fn a_gate_that_comes_over_the_wire_is_checked_again() {
        let gate = gate(&[("sip", "udp/5060-5061"), ("all", "all")]).unwrap();
        let text = serde_json::to_string(&gate).unwrap();
        assert_eq!(serde_json::from_str::<Gate>(&text).unwrap(), gate);
        assert!(!text.contains("\"block\":null"), "as it was before scopes had a block: {text}");
        let own = text.replace("\"sip\",", "\"sip\",\"block\":\"reset\",");
        let own = serde_json::from_str::<Gate>(&own).unwrap();
        let blocks: Vec<_> = own.scopes().iter().map(|scope| own.block(scope)).collect();
        assert_eq!(blocks, [Block::Reset, Block::Drop]);
        let forged = text.replace("\"sip\"", "\"all\"");
        assert!(serde_json::from_str::<Gate>(&forged).is_err());
    }

    #[test]
    fn sets_are_named_by_scope_family_and_length() {
        let gate = gate(&[("3proxy", "tcp/3128")]).unwrap();
        let names: Vec<_> = gate.sets().map(|set| set.to_string()).collect();
        assert_eq!(
            names,
            [
                "ban_3proxy_v4_32",
                "ban_3proxy_v4_24",
                "ban_3proxy_v6_128",
                "ban_3proxy_v6_64",
                "ban_3proxy_v6_56",
                "ban_3proxy_v6_48",
            ]
        );
    }

    #[test]
    fn a_ban_goes_where_its_length_is_or_says_why_not() {
        let gate = gate(&[("sshd", "tcp/22")]).unwrap();
        let (sshd, other) = (Name::new("sshd").unwrap(), Name::new("other").unwrap());
        let set = |scope, prefix: &str| gate.set_for(scope, prefix.parse().unwrap());
        assert_eq!(set(sshd, "192.0.2.0/24").unwrap().to_string(), "ban_sshd_v4_24");
        assert!(set(sshd, "192.0.0.0/16").unwrap_err().to_string().contains("/16"));
        assert!(set(other, "192.0.2.1").unwrap_err().to_string().contains("other"));
    }
}
