//! Who may open what: the stanzas of an access.conf, with nothing left to interpret.

use crate::cycle::Template;
use crate::packet::Keys;
use sereno_core::addr::Prefix;
use sereno_core::gate::{PortRange, Snat};
use sereno_core::time::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// All stanzas, and what holds for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// In the order in which they are tried.
    pub stanzas: Vec<Stanza>,
    /// How far the clocks of a client and of this machine may be apart (`MAX_SPA_PACKET_AGE`).
    pub max_age: Duration,
    /// The addresses of this machine: to them nothing is forwarded, and what is translated on it
    /// ends at one of them.
    pub own: Vec<Ipv4Addr>,
}

impl Access {
    /// How far clocks may be apart where nothing is said.
    pub const MAX_AGE: Duration = Duration::from_secs(120);
}

impl Default for Access {
    fn default() -> Self {
        Self { stanzas: Vec::new(), max_age: Self::MAX_AGE, own: Vec::new() }
    }
}

/// Addresses a stanza is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Any, IPv4 and IPv6.
    Any,
    /// Those of these networks.
    Of(Vec<Prefix>),
}

impl Source {
    /// Whether an address is among them.
    #[must_use]
    pub fn has(&self, addr: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Of(prefixes) => prefixes.iter().any(|prefix| prefix.contains(addr)),
        }
    }
}

/// What one pair of keys may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// How to call it: file and line, or a name.
    pub name: String,
    /// From where packets may come.
    pub source: Source,
    /// Where they may go to.
    pub destination: Source,
    /// The keys.
    pub keys: Keys,
    /// The only ports that may be opened; any that is asked for if there are none.
    pub open_ports: Vec<PortRange>,
    /// Ports that may not be opened.
    pub restrict_ports: Vec<PortRange>,
    /// For how long a port is open if the client does not say.
    pub timeout: Duration,
    /// For how long at most if he does.
    pub max_timeout: Duration,
    /// When the stanza ends.
    pub expires: Option<Time>,
    /// The user a packet has to name.
    pub user: Option<String>,
    /// Whether a packet has to name an address.
    pub require_address: bool,
    /// Whether packets may be commands, and who runs them.
    pub commands: Option<Commands>,
    /// Commands to open and close, instead of the firewall.
    pub cycle: Option<Cycle>,
    /// What is translated.
    pub translation: Translation,
}

impl Stanza {
    /// Whether a port may be opened.
    #[must_use]
    pub fn opens(&self, port: PortRange) -> bool {
        let named = self.open_ports.is_empty() || self.open_ports.contains(&port);
        named && !self.restrict_ports.contains(&port)
    }
}

/// Who runs commands that come in packets; root where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// As which user (`CMD_EXEC_USER`).
    pub user: Option<String>,
    /// As which group (`CMD_EXEC_GROUP`).
    pub group: Option<String>,
    /// Through sudo, if asked for.
    pub sudo: Option<Sudo>,
}

/// As whom sudo runs a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sudo {
    /// Root if `None` (`CMD_SUDO_EXEC_USER`).
    pub user: Option<String>,
    /// Root if `None` (`CMD_SUDO_EXEC_GROUP`).
    pub group: Option<String>,
}

/// Commands to open and close (`CMD_CYCLE_*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// What opens.
    pub open: Template,
    /// What closes; nothing for `NONE`.
    pub close: Option<Template>,
    /// After how long it closes; after the access timeout if `None`.
    pub timer: Option<Duration>,
}

/// What a stanza says of translation, with what its fwknopd.conf says. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Whether packets may ask for another machine (`ENABLE_IPT_FORWARDING`).
    pub forwarding: bool,
    /// Whether packets may ask for another port of this one (`ENABLE_IPT_LOCAL_NAT`).
    pub local: bool,
    /// Where every packet leads, whatever it asks for (`FORCE_NAT`).
    pub force: Option<SocketAddrV4>,
    /// Everything goes on, not the port alone (`FORWARD_ALL`).
    pub all: bool,
    /// Where it was sent to (`DISABLE_DNAT`).
    pub as_sent: bool,
    /// Under which address (`FORCE_SNAT`, `FORCE_MASQUERADE`, `ENABLE_IPT_SNAT`).
    pub snat: Option<Snat>,
}
