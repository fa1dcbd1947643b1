//! What was found on a machine, as plain data.

use serde::{Deserialize, Serialize};
use sereno_core::addr::Prefix;
use sereno_core::gate::{PortRange, Proto};
use std::net::IpAddr;

/// Everything a suggestion is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The SSH server, if there is one.
    pub sshd: Option<Sshd>,
    /// Asterisk, if there is one.
    pub asterisk: Option<Asterisk>,
    /// Addresses of this machine, without loopback.
    pub own_addrs: Vec<IpAddr>,
    /// Default gateways.
    pub gateways: Vec<IpAddr>,
    /// Where those who are logged in now came from.
    pub sessions: Vec<IpAddr>,
    /// Networks this machine is in, without loopback and link-local.
    pub networks: Vec<Prefix>,
}

/// Somebody who listens where others can reach him.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// With which protocol.
    pub proto: Proto,
    /// On which port.
    pub port: u16,
    /// At which address; the unspecified one for all.
    pub addr: IpAddr,
    /// The program's name; empty if that cannot be seen.
    pub program: String,
}

/// An SSH server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// TCP ports it listens on.
    pub ports: Vec<u16>,
    /// Where its lines are.
    pub logs: LogPlace,
}

/// Where a service's lines are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPlace {
    /// In the systemd journal, found by these matches.
    Journal(Vec<String>),
    /// In this file.
    File(String),
    /// Nowhere that was looked.
    Nowhere,
}

/// A telephone exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asterisk {
    /// As the first line of its log tells it, e.g. `22.5.2`.
    pub version: Option<String>,
    /// The files its `logger.conf` writes.
    pub logs: Vec<LogFile>,
    /// What it says to syslog, where the journal keeps that.
    pub journal: Option<JournalLog>,
    /// The ports it is configured to listen on, e.g. `udp/5060`.
    pub ports: Vec<String>,
    /// What keeps attacks out of its log.
    pub notes: Vec<AsteriskNote>,
}

impl Asterisk {
    /// The ports of its telephones: the manager has one of TCP too, while SIP is spoken over TCP where it
    /// is over UDP, and with TLS mostly at 5061.
    #[must_use]
    pub fn phones(&self) -> Vec<PortRange> {
        let all: Vec<PortRange> = self.ports.iter().filter_map(|port| port.parse().ok()).collect();
        let is_phone = |range: &&PortRange| {
            let udp = PortRange::new(Proto::Udp, range.first(), range.last());
            range.first() == 5061 || udp.is_some_and(|udp| all.contains(&udp))
        };
        all.iter().filter(is_phone).copied().collect()
    }
}

/// What Asterisk's entries in the journal are found by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLog {
    /// As `journalctl(1)` takes them: `FIELD=value`.
    pub matches: Vec<String>,
    /// The levels that get there, in lower case: `notice`, `security`, ..., `*` for all.
    pub levels: Vec<String>,
}

/// A file that Asterisk writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Its absolute path.
    pub path: String,
    /// The levels written to it, in lower case: `notice`, `security`, ..., `*` for all.
    pub levels: Vec<String>,
    /// Whether it has one JSON object per line (`[json]`).
    pub json: bool,
}

impl LogFile {
    /// Whether lines of a level are in it.
    #[must_use]
    pub fn has(&self, level: &str) -> bool {
        has(&self.levels, level)
    }
}

impl JournalLog {
    /// Whether lines of a level are in it.
    #[must_use]
    pub fn has(&self, level: &str) -> bool {
        has(&self.levels, level)
    }
}

fn has(levels: &[String], level: &str) -> bool {
    levels.iter().any(|known| known == level || known == "*")
}

/// A setting of Asterisk that keeps attacks out of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AsteriskNote {
    /// `iax.conf` without `authdebug = yes`: wrong IAX2 passwords are not logged (from 10 on).
    IaxSilent,
    /// `pjsip.conf` without `unidentified_request_count = 1`: the first requests of a stranger
    /// are not logged.
    FirstRequestsSilent,
}
