//! `[flood]` as files have it.
#![allow(clippy::unwrap_used, reason = "a test")]

use sereno_config::{Document, FloodConf, read};
use sereno_core::gate::PortRange;
use std::time::Duration;

/// What a file says, and what is wrong with it: the line, the message and the remedy.
fn flood(text: &str) -> (Option<FloodConf>, Vec<String>) {
    let document = Document { name: "x.toml".to_owned(), text: text.to_owned() };
    let outcome = read(&[document], &[]);
    let told = outcome.problems.iter();
    let told =
        told.map(|problem| format!("{}: {}; {}", problem.line, problem.message, problem.remedy));
    (outcome.policy.flood, told.collect())
}

fn ports(words: &[&str]) -> Vec<PortRange> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn nothing_is_measured_that_nobody_asked_for() {
    assert_eq!(flood("").0, None);
    assert_eq!(flood("[flood]\nenabled = false\n"), (None, Vec::new()));
}

#[test]
fn what_is_not_said_is_as_usual() {
    let (found, told) = flood("[flood]\n");
    assert_eq!(told, [] as [String; 0]);
    let FloodConf { flood, memory, syn_proxy } = found.unwrap();
    assert_eq!(syn_proxy, []);
    assert_eq!(flood.ports, ports(&["udp/5060", "tcp/5060", "tcp/5061", "udp/4569"]));
    assert_eq!(flood.voice, ports(&["udp/4569"]));
    assert_eq!((flood.stranger.count, flood.stranger.burst), (10, 100));
    assert_eq!(memory, Duration::from_secs(30 * 86_400));
}

#[test]
fn everything_can_be_said() {
    let (found, told) = flood(
        "[flood]\nports = [\"sip\", \"udp/5160-5161\", \"udp/4570\"]\nvoice = \"udp/4570\"\nstranger = \"5/minute burst 20\"\n\
         strangers = \"100/second\"\nknown = \"50/second burst 60\"\nmemory = \"7d\"\n",
    );
    assert_eq!(told, [] as [String; 0]);
    let FloodConf { flood, memory, .. } = found.unwrap();
    assert_eq!(flood.ports, ports(&["udp/5060", "tcp/5060", "udp/5160-5161", "udp/4570"]));
    assert_eq!(flood.voice, ports(&["udp/4570"]));
    assert_eq!((flood.stranger.per, flood.stranger.burst), (Duration::from_secs(60), 20));
    assert_eq!((flood.strangers.count, flood.strangers.burst), (100, 100));
    assert_eq!(
        (flood.known.count, flood.known.burst, memory),
        (50, 60, Duration::from_secs(604_800))
    );
}

#[test]
fn mistakes_are_told_where_they_are() {
    let (found, told) = flood(
        "[flood]\nport = \"sip\"\nports = [\"spi\", \"all\", \"sctp/5060\"]\nstranger = \"10\"\nstrangers = \"10/second burst\"\n\
         known = \"x/second\"\nmemory = 0\nvoice = \"gre\"\n",
    );
    assert_eq!(found, None);
    let places: Vec<&str> = told.iter().map(|text| text.split(':').next().unwrap()).collect();
    assert_eq!(places, ["2", "3", "3", "3", "4", "5", "6", "7", "8"], "{told:#?}");
    assert!(told[0].contains("ports"), "{told:?}");
    assert!(told[1].contains("spi") && told[1].contains("write for example"), "{told:?}");
    let (found, told) = flood("[flood]\nports = []\n");
    assert!(found.is_none() && told.len() == 1, "{told:?}");
}

#[test]
fn syns_are_answered_at_ports_of_tcp() {
    let (found, told) = flood(
        "[flood]\nports = []\nsyn_proxy = [\"https\", \"sip\", \"tcp/8443-8444\", \"https\"]\n",
    );
    assert_eq!(told, [] as [String; 0]);
    let FloodConf { flood: measured, syn_proxy, .. } = found.unwrap();
    assert_eq!(syn_proxy, ports(&["tcp/443", "tcp/5060", "tcp/8443-8444"]));
    assert_eq!(measured.ports, [], "nothing is measured then");
    let (found, told) = flood("[flood]\nsyn_proxy = [\"iax2\", \"spi\", \"udp/443\", 443]\n");
    assert_eq!(found, None);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].contains("iax2") && told[0].contains("no port of tcp"), "{told:#?}");
    assert!(told.iter().all(|text| text.starts_with("2: ")), "{told:#?}");
    assert!(told[3].contains("tcp/8443"), "what to write: {told:#?}");
}
