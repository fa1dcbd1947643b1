//! What matters of `fwknopd.conf`.

use super::line::{is_name, lines};
use super::said::Slips;
use crate::problem::{Notes, Wrong};
use sereno_core::gate::{Snat, is_host};
use sereno_spa::Access;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

/// Where packets come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// The interfaces; all of them if none is named.
    pub interfaces: Vec<String>,
    /// The UDP port.
    pub port: u16,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { interfaces: Vec::new(), port: 62201 }
    }
}

/// What holds for all stanzas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) max_age: Duration,
    pub(super) forwarding: bool,
    pub(super) local_nat: bool,
    /// Under which address what is forwarded goes on, where a stanza does not say.
    pub(super) snat: Option<Snat>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { max_age: Access::MAX_AGE, forwarding: false, local_nat: false, snat: None }
    }
}

/// Options that are read.
const READ: [&str; 10] = [
    "PCAP_INTF",
    "PCAP_FILTER",
    "UDPSERV_PORT",
    "ENABLE_UDP_SERVER",
    "ENABLE_SPA_PACKET_AGING",
    "MAX_SPA_PACKET_AGE",
    "ENABLE_IPT_FORWARDING",
    "ENABLE_IPT_LOCAL_NAT",
    "ENABLE_IPT_SNAT",
    "SNAT_TRANSLATE_IP",
];

/// Options that switch on what there is not here, and what to know about it.
const ABSENT: [(&str, &str); 4] = [
    ("ENABLE_SPA_OVER_HTTP", "send packets over UDP"),
    ("ENABLE_TCP_SERVER", "send packets over UDP"),
    ("ENABLE_X_FORWARDED_FOR", "send packets over UDP"),
    ("ENABLE_IPT_OUTPUT", "answers of open ports are let out without it"),
];

/// Options that mean nothing here, because packets are received, doors opened, and things
/// remembered in another way.
const IDLE: [&str; 44] = [
    "ACCESS_FILE",
    "ACCESS_FOLDER",
    "CMD_EXEC_TIMEOUT",
    "CONFIG_FILE",
    "DIGEST_FILE",
    "DIGEST_DB_FILE",
    "ENABLE_DESTINATION_RULE",
    "ENABLE_DIGEST_PERSISTENCE",
    "ENABLE_IPT_COMMENT_CHECK",
    "ENABLE_NAT_DNS",
    "ENABLE_PCAP_ANY_DIRECTION",
    "ENABLE_PCAP_PROMISC",
    "ENABLE_RULE_PREPEND",
    "EXIT_AT_INTF_DOWN",
    "FAULT_INJECTION_TAG",
    "FIREWALL_EXE",
    "FIREWD_INPUT_ACCESS",
    "FLUSH_IPT_AT_EXIT",
    "FLUSH_IPT_AT_INIT",
    "FWKNOP_CONF_DIR",
    "FWKNOP_PID_FILE",
    "FWKNOP_RUN_DIR",
    "GPG_EXE",
    "GPG_HOME_DIR",
    "IPT_DNAT_ACCESS",
    "IPT_FORWARD_ACCESS",
    "IPT_INPUT_ACCESS",
    "IPT_MASQUERADE_ACCESS",
    "IPT_OUTPUT_ACCESS",
    "IPT_SNAT_ACCESS",
    "LOCALE",
    "MAX_SNIFF_BYTES",
    "NFQ_CHAIN",
    "NFQ_INTERFACE",
    "NFQ_PORT",
    "NFQ_TABLE",
    "PCAP_DISPATCH_COUNT",
    "PCAP_FILE",
    "PCAP_LOOP_SLEEP",
    "RULES_CHECK_THRESHOLD",
    "SUDO_EXE",
    "SYSLOG_FACILITY",
    "SYSLOG_IDENTITY",
    "VERBOSE",
];

/// Oldest packet that can be configured to be taken, in seconds: a day.
const OLDEST: u64 = 86_400;

/// Whether there is an option of that name. None of them is a key.
pub(super) fn is_option(name: &str) -> bool {
    READ.contains(&name)
        || IDLE.contains(&name)
        || ABSENT.iter().any(|(absent, _)| *absent == name)
        || matches!(name, "UDPSERV_SELECT_TIMEOUT" | "TCPSERV_PORT")
}

/// Reads `fwknopd.conf`.
pub(super) fn read(text: &str, doc: usize, notes: &mut Notes) -> (Daemon, Rules) {
    let (mut daemon, mut rules) = (Daemon::default(), Rules::default());
    let (mut filter, mut server) = (None, None);
    let (mut translates, mut under) = (false, None);
    let mut slips = Slips::default();
    for line in lines(text) {
        let value = text[line.value.clone()].trim();
        let yes = value.starts_with(['y', 'Y']);
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|&port| port > 0);
        let wrong = match line.name {
            "PCAP_INTF" => {
                daemon.interfaces = interfaces(value);
                continue;
            }
            "PCAP_FILTER" => {
                filter = value.strip_prefix("udp port ").and_then(port);
                let remedy = "write PCAP_FILTER udp port 62201";
                let wrong = || Wrong::new(line.value, "this filter is not read").remedy(remedy);
                filter.is_none().then(wrong)
            }
            "UDPSERV_PORT" => {
                server = port(value);
                let remedy = "write a number from 1 to 65535";
                server.is_none().then(|| Wrong::new(line.value, "this is no port").remedy(remedy))
            }
            "MAX_SPA_PACKET_AGE" => {
                rules.max_age = age(value).unwrap_or(rules.max_age);
                let why = format!("this is no number of seconds from 1 to {OLDEST}");
                let remedy = "write MAX_SPA_PACKET_AGE 120";
                age(value).is_none().then(|| Wrong::new(line.value, why).remedy(remedy))
            }
            "ENABLE_SPA_PACKET_AGING" => (!yes).then(|| {
                let why = "old packets are refused all the same, or they could be sent again";
                let remedy = "leave it out; set the clocks, or write MAX_SPA_PACKET_AGE 86400";
                Wrong::new(line.value, why).remedy(remedy)
            }),
            "ENABLE_IPT_FORWARDING" => {
                rules.forwarding = yes;
                continue;
            }
            "ENABLE_IPT_LOCAL_NAT" => {
                rules.local_nat = yes;
                continue;
            }
            "ENABLE_IPT_SNAT" => {
                translates = yes;
                continue;
            }
            "SNAT_TRANSLATE_IP" => {
                under = value.parse().ok().filter(|addr| is_host(*addr));
                no_address(under, value, line.value)
            }
            name => other(name, line.key, yes, &mut slips),
        };
        if let Some(wrong) = wrong {
            notes.warn(doc, wrong);
        }
    }
    rules.snat = translates.then_some(under.map_or(Snat::Masquerade, Snat::To));
    daemon.port = filter.or(server).unwrap_or(daemon.port);
    (daemon, rules)
}

/// `__CHANGEME__` is what stands in the file that fwknop comes with.
fn no_address(read: Option<Ipv4Addr>, value: &str, at: Range<usize>) -> Option<Wrong> {
    let wrong =
        || Wrong::new(at, "this is no IPv4 address").remedy("write SNAT_TRANSLATE_IP 192.0.2.7");
    (read.is_none() && value != "__CHANGEME__").then(wrong)
}

/// `PCAP_INTF`.
fn interfaces(value: &str) -> Vec<String> {
    let names = value.split(',').map(str::trim);
    names.filter(|name| !name.is_empty() && *name != "any").map(str::to_owned).collect()
}

fn age(value: &str) -> Option<Duration> {
    let seconds = value.parse().ok().filter(|seconds| (1..=OLDEST).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

/// An option that is not read: one that would switch on what there is not, or an unknown one.
fn other(name: &str, key: Range<usize>, yes: bool, slips: &mut Slips) -> Option<Wrong> {
    if let Some((_, remedy)) = ABSENT.iter().find(|(absent, _)| *absent == name) {
        return yes.then(|| Wrong::new(key, format!("there is no {name} here")).remedy(*remedy));
    }
    if is_option(name) {
        return None;
    }
    let shown = if is_name(name) { format!(" {name}") } else { String::new() };
    let near = slips.nearest(name, READ).1;
    let remedy = near.map_or("leave it out".to_owned(), |near| format!("did you mean {near}?"));
    Some(Wrong::new(key, format!("there is no such option{shown}")).remedy(remedy))
}
