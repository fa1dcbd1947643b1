//! What a packet says, and how it is written down.
//!
//! ```text
//! digits16 ":" b64(user) ":" seconds ":" version ":" kind ":" b64(message)
//!     [":" b64(nat)] [":" b64(server auth)] [":" timeout]
//! ```
//!
//! The message is `address,tcp/22,udp/53` or `address,command line`. `0.0.0.0` stands for whoever
//! sent the packet. fwknop knows IPv4 addresses only; an extension of ours allows an IPv6 address
//! in the same place, as RFC 5952 writes it, and `::` for the sender.

use base64ct::{Base64Unpadded, Encoding};
use sereno_core::addr::parse_addr;
use sereno_core::gate::{PortRange, Proto};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Characters of a user in base64, at most.
const USER: usize = 64;
/// Characters of a message or translation in base64, at most.
const TEXT: usize = 256;
/// Characters of a version, at most.
const VERSION: usize = 8;
/// Seconds a client may ask for, at most.
const TIMEOUT: u32 = 65_536;
/// What no user has in his name.
const NOT_IN_USER: &str = "\"/\\[]:;|=,+*?<>";

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Whoever sends the packet, as IPv4 clients say it (`0.0.0.0`).
    Sender,
    /// Whoever sends the packet, written as `::`; an extension of ours.
    Sender6,
    /// This address, whoever sends the packet. IPv6 is an extension of ours.
    Addr(IpAddr),
}

/// Where to translate to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nat {
    /// An address, or a name.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// On the server itself, rather than on a machine behind it.
    pub local: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// To run a command line.
    Command {
        /// On whose behalf.
        who: Who,
        /// The line; printable, without meaning here.
        line: String,
    },
    /// To open ports.
    Access {
        /// To whom.
        who: Who,
        /// Single ports, at least one.
        ports: Vec<PortRange>,
        /// Where to translate to.
        nat: Option<Nat>,
        /// For how many seconds; the server's own time if `None` or zero.
        timeout: Option<u32>,
    },
}

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Sixteen random decimal digits: no two packets are the same.
    pub digits: [u8; 16],
    /// Who sends it, by his own word.
    pub user: String,
    /// When it was made, in seconds since 1970 (UTC).
    pub sent: u64,
    /// The version of the format; nobody compares it.
    pub version: String,
    /// What is asked for.
    pub ask: Ask,
    /// For servers that ask for a further proof; not used by any.
    pub server_auth: Option<String>,
}

/// A field breaks the rules of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField(pub(crate) &'static str);

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadField {}

impl Who {
    fn parse(text: &str) -> Option<Self> {
        // Brackets are for URLs and logs, not for here.
        let addr = parse_addr(text.as_bytes()).filter(|_| !text.starts_with('['))?;
        Some(match addr {
            IpAddr::V4(v4) if v4.is_unspecified() => Self::Sender,
            IpAddr::V6(v6) if v6.is_unspecified() => Self::Sender6,
            addr => Self::Addr(addr),
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sender => Ipv4Addr::UNSPECIFIED.fmt(f),
            Self::Sender6 => Ipv6Addr::UNSPECIFIED.fmt(f),
            Self::Addr(addr) => addr.fmt(f),
        }
    }
}

impl Message {
    /// What the version field says.
    pub const VERSION: &'static str = "3.0.0";

    /// The number of what is asked for, on the wire.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match &self.ask {
            Ask::Command { .. } => 0,
            Ask::Access { nat: None, timeout: None, .. } => 1,
            Ask::Access { nat: None, timeout: Some(_), .. } => 3,
            Ask::Access { nat: Some(nat), timeout, .. } => match (nat.local, timeout) {
                (false, None) => 2,
                (false, Some(_)) => 4,
                (true, None) => 5,
                (true, Some(_)) => 6,
            },
        }
    }

    /// The text of everything but the digest.
    ///
    /// # Errors
    /// The field that cannot be written so that a server would take it.
    pub fn write(&self) -> Result<String, BadField> {
        let digits = std::str::from_utf8(&self.digits).map_err(|_| BadField("the digits"))?;
        let (message, nat, timeout) = match &self.ask {
            Ask::Command { who, line } => (format!("{who},{line}"), None, None),
            Ask::Access { who, ports, nat, timeout } => {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                let nat = nat.as_ref().map(|nat| format!("{},{}", nat.host, nat.port));
                (format!("{who},{}", ports.join(",")), nat, *timeout)
            }
        };
        let b64 = |text: &str| Base64Unpadded::encode_string(text.as_bytes());
        let (user, version, kind) = (b64(&self.user), &self.version, self.kind());
        let mut text = format!("{digits}:{user}:{}:{version}:{kind}:{}", self.sent, b64(&message));
        for part in [nat.as_deref(), self.server_auth.as_deref()].into_iter().flatten() {
            text.push(':');
            text.push_str(&b64(part));
        }
        if let Some(timeout) = timeout {
            text.push_str(&format!(":{timeout}"));
        }
        // What would not be read as it is meant is not written.
        match Self::read(&text) {
            Ok(read) if read == *self => Ok(text),
            Ok(_) => Err(BadField("the message has a second meaning")),
            Err(bad) => Err(bad),
        }
    }

    /// Reads the text of everything but the digest.
    ///
    /// # Errors
    /// The field that breaks the rules of the format.
    pub fn read(text: &str) -> Result<Self, BadField> {
        if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(BadField("characters that cannot be printed"));
        }
        let mut fields = text.split(':');
        let mut field = |what: &'static str| fields.next().ok_or(BadField(what));
        let digits = digits(field("the digits")?)?;
        let user = user(field("the user")?)?;
        let sent = number(field("the time")?, 12).ok_or(BadField("the time"))?;
        let version = field("the version")?;
        if version.is_empty() || version.len() > VERSION {
            return Err(BadField("the version"));
        }
        let kind = match field("the kind")?.as_bytes() {
            [byte @ b'0'..=b'6'] => byte - b'0',
            _ => return Err(BadField("the kind")),
        };
        let message = decode(field("the message")?, TEXT, "the message")?;
        let rest: Vec<&str> = fields.collect();
        let (ask, server_auth) = ask(kind, &message, &rest)?;
        Ok(Self { digits, user, sent, version: version.to_owned(), ask, server_auth })
    }
}

fn digits(text: &str) -> Result<[u8; 16], BadField> {
    let digits: [u8; 16] = text.as_bytes().try_into().map_err(|_| BadField("the digits"))?;
    let all = digits.iter().all(u8::is_ascii_digit);
    if all { Ok(digits) } else { Err(BadField("the digits")) }
}

fn user(text: &str) -> Result<String, BadField> {
    let user = decode(text, USER, "the user")?;
    if user.contains(|c| NOT_IN_USER.contains(c)) { Err(BadField("the user")) } else { Ok(user) }
}

/// Base64 of printable text of at least one character.
fn decode(text: &str, most: usize, what: &'static str) -> Result<String, BadField> {
    let bytes = match text.len() {
        0 => None,
        chars if chars > most => None,
        _ => Base64Unpadded::decode_vec(text).ok(),
    };
    let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let printable = |text: &String| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    plain.filter(printable).ok_or(BadField(what))
}

/// Digits only, at most so many.
fn number(text: &str, most: usize) -> Option<u64> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// What is asked for, from the message and the fields behind it.
fn ask(kind: u8, message: &str, rest: &[&str]) -> Result<(Ask, Option<String>), BadField> {
    let (who, what) = message.split_once(',').ok_or(BadField("the message"))?;
    let who = Who::parse(who).ok_or(BadField("the address"))?;
    let mut rest = rest.iter().copied();
    let nat = match kind {
        2 | 4 | 5 | 6 => Some(nat(rest.next().ok_or(BadField("the translation"))?, kind >= 5)?),
        _ => None,
    };
    let timed = matches!(kind, 3 | 4 | 6);
    // The timeout is the last field, and the proof in front of it may be left out.
    let timeout = match timed.then(|| rest.next_back()) {
        None => None,
        Some(text) => {
            let seconds = text.and_then(|text| number(text, 5)).unwrap_or(u64::MAX);
            let seconds = u32::try_from(seconds).ok().filter(|&seconds| seconds <= TIMEOUT);
            Some(seconds.ok_or(BadField("the timeout"))?)
        }
    };
    let server_auth = rest.next().map(|text| decode(text, TEXT, "the proof")).transpose()?;
    if rest.next().is_some() {
        return Err(BadField("too many fields"));
    }
    if kind == 0 {
        let line = what.to_owned();
        let ask = Ask::Command { who, line };
        return if what.trim().is_empty() {
            Err(BadField("the command"))
        } else {
            Ok((ask, server_auth))
        };
    }
    let ports = what.split(',').map(port).collect::<Option<Vec<_>>>();
    let ports = ports.ok_or(BadField("the ports"))?;
    Ok((Ask::Access { who, ports, nat, timeout }, server_auth))
}

fn port(text: &str) -> Option<PortRange> {
    let (proto, port) = text.split_once('/')?;
    let proto = match proto {
        "tcp" => Proto::Tcp,
        "udp" => Proto::Udp,
        _ => return None,
    };
    let port = u16::try_from(number(port, 5)?).ok().filter(|&port| port > 0)?;
    PortRange::new(proto, port, port)
}

fn nat(text: &str, local: bool) -> Result<Nat, BadField> {
    let bad = BadField("the translation");
    let text = decode(text, TEXT, bad.0)?;
    let (host, port) = text.split_once(',').ok_or(bad)?;
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    let port = number(port, 5).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0);
    match port {
        Some(port) if !host.is_empty() && host.bytes().all(in_host) => {
            Ok(Nat { host: host.to_owned(), port, local })
        }
        _ => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &str, message: &str, more: &str) -> String {
        let b64 = |text: &str| Base64Unpadded::encode_string(text.as_bytes());
        format!("0123456789012345:{}:1795361723:3.0.0:{kind}:{}{more}", b64("root"), b64(message))
    }

    fn bad(text: &str) -> &'static str {
        Message::read(text).unwrap_err().0
    }

    #[test]
    fn every_kind_is_read_and_written_as_it_was() {
        let nat = format!(":{}", Base64Unpadded::encode_string(b"192.0.2.7,5000"));
        let proof = format!(":{}", Base64Unpadded::encode_string(b"proof"));
        for (kind, more) in [
            ("1", String::new()),
            ("1", proof.clone()),
            ("2", nat.clone()),
            ("3", ":60".to_owned()),
            ("3", format!("{proof}:60")),
            ("4", format!("{nat}:65536")),
            ("5", nat.clone()),
            ("6", format!("{nat}{proof}:0")),
        ] {
            let text = text(kind, "198.51.100.1,tcp/22,udp/53", &more);
            let message = Message::read(&text).unwrap();
            assert_eq!((message.kind().to_string().as_str(), message.write()), (kind, Ok(text)));
        }
        let text = text("0", "0.0.0.0,id > /tmp/x; echo a:b, c", "");
        let message = Message::read(&text).unwrap();
        assert_eq!(message.write(), Ok(text));
        let line = "id > /tmp/x; echo a:b, c".to_owned();
        assert_eq!(message.ask, Ask::Command { who: Who::Sender, line });
    }

    #[test]
    fn ipv6_stands_where_ipv4_stands() {
        let who = |message: &str| match Message::read(&text("1", message, "")).unwrap().ask {
            Ask::Access { who, .. } | Ask::Command { who, .. } => who,
        };
        assert_eq!(who("2001:db8::7,tcp/22"), Who::Addr("2001:db8::7".parse().unwrap()));
        // However it is spelled, nobody's address is the sender's.
        assert_eq!((who("::,tcp/22"), who("::0,tcp/22")), (Who::Sender6, Who::Sender6));
        assert_eq!(who("::ffff:0.0.0.0,tcp/22"), Who::Sender);
        for refused in ["[2001:db8::7],tcp/22", "fe80::1%eth0,tcp/22", "1.2.3,tcp/22"] {
            assert_eq!(bad(&text("1", refused, "")), "the address", "{refused}");
        }
    }

    #[test]
    fn fields_that_break_the_rules_are_named() {
        for (message, named) in [
            ("192.0.2.1", "the message"),
            ("192.0.2.1,", "the ports"),
            ("192.0.2.1,tcp/0", "the ports"),
            ("192.0.2.1,tcp/65536", "the ports"),
            ("192.0.2.1,tcp/+22", "the ports"),
            ("192.0.2.1,icmp/8", "the ports"),
            ("192.0.2.1,tcp/22,", "the ports"),
            ("192.0.2.1,tcp/22-23", "the ports"),
            ("192.0.2.1,tcp/22\n", "the message"),
        ] {
            assert_eq!(bad(&text("1", message, "")), named, "{message:?}");
        }
        assert_eq!(bad(&text("7", "192.0.2.1,tcp/22", "")), "the kind");
        assert_eq!(bad(&text("0", "192.0.2.1, ", "")), "the command");
        assert_eq!(bad(&text("2", "192.0.2.1,tcp/22", "")), "the translation");
        assert_eq!(bad(&text("3", "192.0.2.1,tcp/22", "")), "the timeout");
        assert_eq!(bad(&text("3", "192.0.2.1,tcp/22", ":65537")), "the timeout");
        assert_eq!(bad(&text("1", "192.0.2.1,tcp/22", ":YQ:YQ")), "too many fields");
        assert_eq!(bad(&text("1", &"1".repeat(193), "")), "the message");
        assert_eq!(bad("123"), "the digits");
        let good = text("1", "192.0.2.1,tcp/22", "");
        assert_eq!(bad(&good.replace("cm9vdA", "YTpi")), "the user");
        assert_eq!(bad(&good.replace("3.0.0", "3.0.0.0.0")), "the version");
        assert_eq!(bad(&good.replace("1795361723", "-1")), "the time");
    }

    #[test]
    fn what_would_mean_something_else_is_not_written() {
        let mut message = Message::read(&text("1", "192.0.2.1,tcp/22", "")).unwrap();
        message.user = "a:b".to_owned();
        assert_eq!(message.write(), Err(BadField("the user")));
        message.user = "a".repeat(48);
        assert!(message.write().is_ok());
        message.user = "a".repeat(49);
        assert_eq!(message.write(), Err(BadField("the user")));
        message.user = "root".to_owned();
        message.version = "3:0".to_owned();
        assert!(message.write().is_err());
    }
}
