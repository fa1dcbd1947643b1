//! Services by name.
//!
//! Ports are those of the IANA registry (service-names-port-numbers) where it has the name, and
//! else the defaults of the programs that telephone exchanges run.

use crate::gate::ports::number;
use crate::gate::{PortRange, Proto};
use serde::{Deserialize, Serialize};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Every packet.
    All,
    /// These ports.
    Ports(PortRange),
    /// A protocol by its number (IANA protocol-numbers).
    Protocol(u8),
    /// Echo requests of ICMP and ICMPv6.
    Ping,
}

/// Services of the house, sorted by name.
const SERVICES: [(&str, &str); 55] = [
    ("ami", "tcp/5038"),
    ("ami-tls", "tcp/5039"),
    ("ari", "tcp/8088"),
    ("ari-tls", "tcp/8089"),
    ("cockpit", "tcp/9090"),
    ("dhcp", "udp/67"),
    ("dhcpv6", "udp/547"),
    ("dns", "tcp/53, udp/53"),
    ("ftp", "tcp/21"),
    ("h323", "tcp/1720"),
    ("http", "tcp/80"),
    ("https", "tcp/443, udp/443"),
    ("iax2", "udp/4569"),
    ("imap", "tcp/143"),
    ("imaps", "tcp/993"),
    ("ipsec", "udp/500, udp/4500"),
    ("l2tp", "udp/1701"),
    ("ldap", "tcp/389"),
    ("ldaps", "tcp/636"),
    ("mdns", "udp/5353"),
    ("mgcp", "udp/2427, udp/2727"),
    ("mysql", "tcp/3306"),
    ("nfs", "tcp/2049"),
    ("ntp", "udp/123"),
    ("openfire", "tcp/9090-9091"),
    ("openvpn", "udp/1194"),
    ("pop3", "tcp/110"),
    ("pop3s", "tcp/995"),
    ("postgresql", "tcp/5432"),
    ("provisioning", "udp/69, tcp/80"),
    ("rdp", "tcp/3389"),
    ("rtp", "udp/10000-20000"),
    ("sccp", "tcp/2000"),
    ("sip", "udp/5060, tcp/5060"),
    ("sips", "tcp/5061"),
    ("smb", "tcp/139, tcp/445, udp/137-138"),
    ("smtp", "tcp/25"),
    ("smtps", "tcp/465"),
    ("snmp", "udp/161"),
    ("snmptrap", "udp/162"),
    ("ssh", "tcp/22"),
    ("stun", "udp/3478, tcp/3478"),
    ("submission", "tcp/587"),
    ("syslog", "udp/514"),
    ("t38", "udp/4000-4999"),
    ("telnet", "tcp/23"),
    ("tftp", "udp/69"),
    ("turns", "tcp/5349, udp/5349"),
    ("unistim", "udp/5000"),
    ("vnc", "tcp/5900"),
    ("webmin", "tcp/10000"),
    ("wireguard", "udp/51820"),
    ("wss", "tcp/8089"),
    ("xmpp", "tcp/5222"),
    ("xmpp-server", "tcp/5269"),
];

/// What the world should not reach: who gets in there owns the machine, its data or its calls, or
/// uses it against others.
const DELICATE: [&str; 24] = [
    "tcp/23",
    "tcp/53",
    "udp/53",
    "udp/69",
    "tcp/111",
    "udp/111",
    "udp/137-138",
    "tcp/139",
    "tcp/445",
    "udp/161",
    "udp/514",
    "tcp/631",
    "tcp/2049",
    "tcp/3306",
    "tcp/3389",
    "tcp/5038-5039",
    "tcp/5432",
    "tcp/5900",
    "tcp/6379",
    "tcp/8088",
    "tcp/9090-9091",
    "tcp/10000",
    "tcp/11211",
    "udp/11211",
];

/// The services that telephones register with.
const PHONES: [&str; 3] = ["sip", "sips", "iax2"];

/// Whether the world should not reach a port.
#[must_use]
pub fn is_delicate(proto: Proto, port: u16) -> bool {
    let ranges = DELICATE.iter().filter_map(|text| text.parse::<PortRange>().ok());
    let one = PortRange::new(proto, port, port);
    one.is_some_and(|one| ranges.into_iter().any(|range| range.meets(one)))
}

/// Protocols without ports that have a name, and their numbers.
const PROTOCOLS: [(&str, u8); 10] = [
    ("ah", 51),
    ("esp", 50),
    ("gre", 47),
    ("icmp", 1),
    ("icmpv6", 58),
    ("igmp", 2),
    ("ipip", 4),
    ("ospf", 89),
    ("sit", 41),
    ("vrrp", 112),
];

/// Protocols with ports, as a line names all of their ports.
const WHOLE: [&str; 5] = ["dccp", "sctp", "tcp", "udp", "udplite"];

/// What words of a line mean: the services of the house, and those of a configuration before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    own: Vec<(String, Vec<PortRange>)>,
}

impl Services {
    /// Adds one; it replaces one of the same name, also one of the house.
    pub fn add(&mut self, name: &str, ports: Vec<PortRange>) {
        self.own.retain(|(known, _)| known != name);
        self.own.push((name.to_owned(), ports));
    }

    /// What a word means.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Vec<What>> {
        if let Some((_, ports)) = self.own.iter().find(|(name, _)| name == word) {
            return Some(ports.iter().copied().map(What::Ports).collect());
        }
        if let Ok(at) = SERVICES.binary_search_by(|(name, _)| name.cmp(&word)) {
            let ports = SERVICES[at].1.split(", ").filter_map(|range| range.parse().ok());
            return Some(ports.map(What::Ports).collect());
        }
        let protocol = PROTOCOLS.iter().find(|(name, _)| *name == word);
        let what = match word {
            "all" => What::All,
            "ping" => What::Ping,
            _ if WHOLE.contains(&word) => {
                What::Ports(PortRange::new(word.parse().ok()?, 0, u16::MAX)?)
            }
            _ if word.starts_with("ip/") => What::Protocol(number(&word[3..])?),
            _ => match protocol {
                Some((_, number)) => What::Protocol(*number),
                None => What::Ports(word.parse().ok()?),
            },
        };
        Some(vec![what])
    }

    /// The ports that a word means, if it means ports only.
    #[must_use]
    pub fn ports(&self, word: &str) -> Option<Vec<PortRange>> {
        let range = |what| match what {
            What::Ports(range) => Some(range),
            What::All | What::Protocol(_) | What::Ping => None,
        };
        self.find(word)?.into_iter().map(range).collect()
    }

    /// The ports of telephones: SIP, SIP over TLS, IAX2.
    #[must_use]
    pub fn phones() -> Vec<PortRange> {
        let house = Self::default();
        PHONES.iter().filter_map(|name| house.ports(name)).flatten().collect()
    }

    /// The service of the house that is these ports, if no other of one range begins with the same.
    pub(super) fn of(range: PortRange) -> Option<&'static str> {
        let ranges = SERVICES.iter().filter_map(|(name, ports)| Some((*name, ports.parse().ok()?)));
        let begin = |range: PortRange| (range.proto(), range.first());
        let mut near = ranges.filter(|(_, ports)| begin(*ports) == begin(range));
        let (name, ports) = near.next()?;
        (ports == range && near.next().is_none()).then_some(name)
    }

    /// All names that mean something.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().map(|(name, _)| name.as_str());
        let house = SERVICES.iter().map(|(name, _)| *name);
        let protocols = PROTOCOLS.iter().map(|(name, _)| *name);
        own.chain(house).chain(protocols).chain(WHOLE).chain(["all", "ping"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_ports_and_its_place() {
        assert!(SERVICES.is_sorted_by(|a, b| a.0 < b.0));
        let services = Services::default();
        for name in services.names() {
            let parts = services.find(name).unwrap_or_default();
            assert!(!parts.is_empty(), "{name}");
        }
        assert!(DELICATE.iter().all(|text| text.parse::<PortRange>().is_ok()));
        assert!(is_delicate(Proto::Tcp, 9091) && !is_delicate(Proto::Udp, 9091));
        for (name, ports) in SERVICES {
            let found = services.find(name).unwrap().len();
            assert_eq!(found, ports.split(", ").count(), "{name}");
        }
    }

    #[test]
    fn own_services_come_first() {
        let mut services = Services::default();
        let port = |text: &str| What::Ports(text.parse().unwrap());
        assert_eq!(services.find("ssh").unwrap(), [port("tcp/22")]);
        services.add("ssh", vec!["tcp/2222".parse().unwrap()]);
        services.add("zulu", vec!["tcp/8002".parse().unwrap()]);
        assert_eq!(services.find("ssh").unwrap(), [port("tcp/2222")]);
        assert_eq!(services.find("zulu").unwrap(), [port("tcp/8002")]);
        assert_eq!(services.find("udp/10000-20000").unwrap(), [port("udp/10000-20000")]);
        assert_eq!(services.find("gre").unwrap(), [What::Protocol(47)]);
        assert_eq!(services.find("ip/47").unwrap(), [What::Protocol(47)]);
        for bad in ["", "ip/256", "ip/+4", "tcp/", "tcp/70000", "shs", "SSH"] {
            assert_eq!(services.find(bad), None, "{bad}");
        }
    }
}
