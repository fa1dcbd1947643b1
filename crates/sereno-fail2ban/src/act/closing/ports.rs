//! Protocols and ports as iptables and nft write them.

use sereno_core::gate::{PortRange, Ports, Proto};

/// Names of services that people close ports by, from IANA's list of service names and what
/// Debian's `/etc/services` adds.
const SERVICES: [(&str, u16); 78] = [
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("mail", 25),
    ("time", 37),
    ("domain", 53),
    ("bootps", 67),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("pop2", 109),
    ("pop3", 110),
    ("pop-3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("irc", 194),
    ("imap3", 220),
    ("ldap", 389),
    ("https", 443),
    ("microsoft-ds", 445),
    ("kpasswd", 464),
    ("urd", 465),
    ("ssmtp", 465),
    ("smtps", 465),
    ("submissions", 465),
    ("isakmp", 500),
    ("syslog", 514),
    ("printer", 515),
    ("nntps", 563),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("tinc", 655),
    ("silc", 706),
    ("rsync", 873),
    ("domain-s", 853),
    ("ftps-data", 989),
    ("ftps", 990),
    ("telnets", 992),
    ("imaps", 993),
    ("ircs", 994),
    ("pop3s", 995),
    ("socks", 1080),
    ("openvpn", 1194),
    ("ms-sql-s", 1433),
    ("ms-sql-m", 1434),
    ("radius", 1812),
    ("nfs", 2049),
    ("cvspserver", 2401),
    ("mysql", 3306),
    ("svn", 3690),
    ("epmd", 4369),
    ("sieve", 4190),
    ("ipsec-nat-t", 4500),
    ("sip", 5060),
    ("sips", 5061),
    ("sip-tls", 5061),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("postgresql", 5432),
    ("vnc", 5900),
    ("x11", 6000),
    ("ircs-u", 6697),
    ("http-alt", 8080),
    ("webmin", 10000),
];

/// A word that is no port or protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::act) struct BadPort {
    /// The word as it is written.
    pub(in crate::act) word: String,
    pub(in crate::act) message: String,
}

/// The ports of a list of protocols and ports, each as it is written; no ports are all.
pub(in crate::act) fn ports(list: &[(String, Option<String>)]) -> Result<Ports, BadPort> {
    let mut ranges = Vec::new();
    for (protocols, ports) in list {
        let words = protocols.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
        let names: Vec<String> = words.map(str::to_lowercase).collect();
        let any = names.is_empty()
            || names.iter().any(|name| matches!(name.as_str(), "all" | "any" | "ip" | "0"));
        if any && ports.is_none() {
            return Ok(Ports::All);
        }
        let protocols = if any { vec![Proto::Tcp, Proto::Udp] } else { protos(&names)? };
        let numbers = match ports {
            Some(ports) => numbers(ports)?,
            None => vec![(0, u16::MAX)],
        };
        for proto in protocols {
            let all = numbers.iter();
            ranges.extend(all.filter_map(|(first, last)| PortRange::new(proto, *first, *last)));
        }
    }
    let none = || BadPort { word: String::new(), message: "there is no port to close".to_owned() };
    Ports::only(ranges).map_err(|_| none())
}

fn protos(names: &[String]) -> Result<Vec<Proto>, BadPort> {
    let proto = |name: &String| {
        let by_number = match name.as_str() {
            "6" => "tcp",
            "17" => "udp",
            "132" => "sctp",
            name => name,
        };
        by_number.parse().map_err(|message| BadPort { word: name.clone(), message })
    };
    names.iter().map(proto).collect()
}

fn numbers(list: &str) -> Result<Vec<(u16, u16)>, BadPort> {
    let words = list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
    words.map(range).collect()
}

fn range(word: &str) -> Result<(u16, u16), BadPort> {
    if let Some(port) = port(word) {
        return Ok((port, port));
    }
    let bad = |message: String| Err(BadPort { word: word.to_owned(), message });
    let Some((first, last)) = word.split_once([':', '-']) else {
        return bad(format!("{word:?} is no port and no service known here"));
    };
    // Both ends may be left out, as iptables allows.
    let first = if first.is_empty() { Some(0) } else { port(first) };
    let last = if last.is_empty() { Some(u16::MAX) } else { port(last) };
    match (first, last) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        (Some(_), Some(_)) => bad(format!("the range {word:?} runs backwards")),
        _ => bad(format!("{word:?} is no range of ports")),
    }
}

fn port(word: &str) -> Option<u16> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    SERVICES.iter().find(|(name, _)| *name == word).map(|(_, port)| *port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(protocol: &str, list: Option<&str>) -> String {
        let list = [(protocol.to_owned(), list.map(ToOwned::to_owned))];
        ports(&list).map_or_else(|bad| bad.message, |ports| ports.to_string())
    }

    #[test]
    fn ports_are_read_as_iptables_reads_them() {
        assert_eq!(shown("tcp", Some("ssh")), "tcp/22");
        assert_eq!(shown("tcp,udp", Some("sip,5061:5062")), "tcp/5060-5062, udp/5060-5062");
        assert_eq!(shown("tcp", Some("0:65535")), "tcp/0-65535");
        assert_eq!(shown("udp", Some("1024:")), "udp/1024-65535");
        assert_eq!(shown("tcp", None), "tcp/0-65535");
        assert_eq!(shown("all", None), "all");
        assert_eq!(shown("", Some("http, https")), "tcp/80, tcp/443, udp/80, udp/443");
    }

    #[test]
    fn what_is_no_port_is_said() {
        assert!(shown("tcp", Some("shh")).contains("\"shh\" is no port and no service"));
        assert!(shown("tcp", Some("9:3")).contains("backwards"));
        assert!(shown("tcp", Some("70000")).contains("70000"));
        assert!(shown("icmp", None).contains("icmp"));
        assert!(shown("tcp", Some("")).contains("no port"));
        assert!(shown("tcp", Some("!22")).contains("no port"));
    }

    #[test]
    fn every_service_is_there_once() {
        let mut names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
