//! How a client asks a server: a stanza of `.fwknoprc`.

use sereno_core::gate::PortRange;
use sereno_spa::{Ask, Digest, Keys, Mode, Nat, Who};
use std::fmt;
use std::net::IpAddr;

/// The UDP port of a server where nothing is said.
pub const PORT: u16 = 62201;

/// Whom a server is asked to let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Whoever sends the packet.
    #[default]
    Source,
    /// The address by which others see this machine, which has to be found out.
    Resolve,
    /// An address.
    Addr(IpAddr),
    /// A name.
    Name(String),
}

impl fmt::Display for Allow {
    /// As `ALLOW_IP` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Resolve => f.write_str("resolve"),
            Self::Addr(addr) => addr.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<&str> for Allow {
    /// From what `ALLOW_IP` says.
    fn from(text: &str) -> Self {
        if text.eq_ignore_ascii_case("source") || text == "0.0.0.0" {
            Self::Source
        } else if text.eq_ignore_ascii_case("resolve") {
            Self::Resolve
        } else {
            text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Addr)
        }
    }
}

/// How to ask a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The name of the stanza.
    pub name: String,
    /// The server: a name or an address.
    pub server: Option<String>,
    /// Its UDP port.
    pub port: u16,
    /// Where packets come from, if that matters.
    pub source_port: Option<u16>,
    /// Whether names of servers are looked up as IPv4 only.
    pub only_ipv4: bool,
    /// What to open.
    pub access: Vec<PortRange>,
    /// To whom.
    pub allow: Allow,
    /// The keys, if they are written here.
    pub keys: Option<Keys>,
    /// The digest inside packets.
    pub digest: Digest,
    /// For how many seconds; the server's own time if `None`.
    pub timeout: Option<u32>,
    /// Seconds to add to the clock.
    pub time_offset: i64,
    /// The user to be named, instead of the one who runs the client.
    pub user: Option<String>,
    /// Where the server is to translate to: a machine behind it, and the port there if it is
    /// another than what is opened (`NAT_ACCESS`).
    pub nat_access: Option<(String, Option<u16>)>,
    /// Whether the server is to translate to itself (`NAT_LOCAL`).
    pub nat_local: bool,
    /// The port of the server that is to lead there, instead of the first that is opened
    /// (`NAT_PORT`). Without translation it means nothing.
    pub nat_port: Option<u16>,
    /// Whether that is a port by chance, which whoever asks chooses (`NAT_RAND_PORT`).
    pub nat_random: bool,
}

impl Client {
    /// Whether the server is asked for translation.
    #[must_use]
    pub fn translates(&self) -> bool {
        self.nat_local || self.nat_access.is_some()
    }

    /// The stanza, as a `.fwknoprc` has it. It has the keys in it.
    #[must_use]
    pub fn render(&self) -> String {
        let mut lines = vec![format!("[{}]", self.name)];
        let mut say = |name: &str, value: Option<String>| {
            lines.extend(value.map(|value| format!("{name} {value}")));
        };
        let access: Vec<String> = self.access.iter().map(ToString::to_string).collect();
        say("SPA_SERVER", self.server.clone());
        say("SPA_SERVER_PORT", (self.port != PORT).then(|| self.port.to_string()));
        say("SPA_SOURCE_PORT", self.source_port.map(|port| port.to_string()));
        say("SERVER_RESOLVE_IPV4", self.only_ipv4.then(|| "Y".to_owned()));
        say("ACCESS", (!access.is_empty()).then(|| access.join(",")));
        say("ALLOW_IP", Some(self.allow.to_string()));
        if let Some(keys) = &self.keys {
            say("KEY_BASE64", Some(keys.key.to_base64().to_string()));
            say(
                "ENCRYPTION_MODE",
                (keys.mode != Mode::default()).then(|| keys.mode.as_str().into()),
            );
            if let Some((key, digest)) = &keys.hmac {
                say("HMAC_KEY_BASE64", Some(key.to_base64().to_string()));
                say("USE_HMAC", Some("Y".to_owned()));
                say("HMAC_DIGEST_TYPE", Some(digest.to_string()));
            }
        }
        say("DIGEST_TYPE", (self.digest != Digest::default()).then(|| self.digest.to_string()));
        say("FW_TIMEOUT", self.timeout.map(|seconds| seconds.to_string()));
        say("TIME_OFFSET", (self.time_offset != 0).then(|| self.time_offset.to_string()));
        say("SPOOF_USER", self.user.clone());
        let place = |(host, port): &(String, Option<u16>)| match port {
            Some(port) => format!("{host},{port}"),
            None => host.clone(),
        };
        say("NAT_ACCESS", self.nat_access.as_ref().map(place));
        say("NAT_LOCAL", self.nat_local.then(|| "Y".to_owned()));
        say("NAT_PORT", self.nat_port.map(|port| port.to_string()));
        say("NAT_RAND_PORT", self.nat_random.then(|| "Y".to_owned()));
        lines.join("\n") + "\n"
    }

    /// What to ask a server at `server` for, on behalf of `who`; nothing if no port is named.
    #[must_use]
    pub fn ask(&self, who: Who, server: IpAddr) -> Option<Ask> {
        let first = *self.access.first()?;
        let mut ports = self.access.clone();
        let (behind, local) = (self.nat_access.as_ref(), self.nat_local);
        let nat = self.translates().then(|| Nat {
            host: behind.map_or_else(|| server.to_string(), |(host, _)| host.clone()),
            port: behind.and_then(|(_, port)| *port).unwrap_or(first.first()),
            local,
        });
        if let Some(port) = self.nat_port.filter(|_| nat.is_some()) {
            ports = vec![PortRange::new(first.proto(), port, port)?];
        }
        Some(Ask::Access { who, ports, nat, timeout: self.timeout })
    }
}
