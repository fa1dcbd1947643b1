//! `[gate]`: what it means, and what is said about mistakes.
#![allow(clippy::unwrap_used)]

use sereno_config::facts::{Facts, Listener};
use sereno_config::{
    Backend, Document, Lang, Machine, Net, Outcome, Severity, read, read_where, shipped_rules,
    suggest_gate,
};
use sereno_core::gate::policy::{Deed, What, Who};
use sereno_core::gate::{PortRange, Proto};
use sereno_core::time::Time;
use std::net::Ipv4Addr;
use std::path::Path;

fn outcome(texts: &[&str]) -> Outcome {
    let document =
        |text: &&str| Document { name: "sereno.toml".to_owned(), text: (*text).to_owned() };
    let documents: Vec<Document> = texts.iter().map(document).collect();
    read(&documents, &[])
}

/// What is said of these lines: place, message and remedy.
fn said(lines: &str) -> Vec<String> {
    let outcome = outcome(&[&format!("[gate]\n{lines}\n")]);
    assert!(outcome.policy.gate.is_none());
    let line = |p: &sereno_config::Problem| {
        format!("{}:{} {} / {}", p.line, p.column, p.message, p.remedy)
    };
    let errors = outcome.problems.iter().filter(|p| p.severity == Severity::Error);
    errors.map(line).collect()
}

#[test]
fn the_firewall_is_one_of_three_words() {
    let of = |text: &str| outcome(&[text]);
    assert_eq!(of("").policy.settings.backend, Backend::Auto);
    let words = [("auto", Backend::Auto), ("nft", Backend::Nft), ("iptables", Backend::Iptables)];
    for (word, backend) in words {
        let found = of(&format!("[sereno]\nbackend = \"{word}\"\n"));
        assert!(found.problems.is_empty() && found.policy.settings.backend == backend, "{word}");
    }
    let wrong = of("[sereno]\nbackend = \"ipchains\"\n");
    assert!(wrong.problems[0].remedy.contains("iptables"), "{:?}", wrong.problems);
}

#[test]
fn what_goes_out_is_said_by_lines_of_its_own() {
    let gate = |text: &str| outcome(&[text]).policy.gate.unwrap();
    assert_eq!(gate("[gate]\nrules = [\"allow ssh\"]\n").out, None);
    assert_eq!(gate("[gate]\nout = []\n").out, Some(Vec::new()));
    let text = "[gate]\nlocal = \"10.8.0.0/16\"\nout = [\"allow dns to local\", \"drop zulu\"]\n\
        [gate.services]\nzulu = \"tcp/8002\"\n";
    let out = gate(text).out.unwrap();
    assert_eq!(
        out[0].toward,
        Who::Those { zones: vec!["local".parse().unwrap()], networks: vec![] }
    );
    assert_eq!(out[1].deed, Deed::Drop);
    assert_eq!(
        said("out = [\"allow dns\", \"allow smtp from local\"]"),
        [
            "2:33 what goes out comes from this machine / write to whom it goes, such as to local or to 192.0.2.0/24"
        ]
    );
    let doubted = outcome(&["[gate]\nout = [\"allow tcp\", \"drop smtp to 192.0.2.1\"]\n"]);
    let doubts: Vec<_> =
        doubted.problems.iter().map(|p| (p.severity, p.message.as_str())).collect();
    let hidden = "this rule never decides: \"allow tcp\" above it does, about all of it";
    assert_eq!(doubts, [(Severity::Warning, hidden)]);
}

#[test]
fn a_gate_means_what_it_says() {
    let text = r#"
[gate]
trusted = ["192.168.0.0/24", "2001:db8::/48", "wg0"]
local = "10.8.0.0/16"
ping = false
rules = [
    "allow sip, rtp",
    "allow zulu from guests",
    "drop all from 203.0.113.0/24  # scans us since May",
]

[gate.zones]
guests = ["192.168.50.0/24", "wlan0"]

[gate.services]
zulu = "tcp/8002"
ssh = ["tcp/2222"]
"#;
    let found = outcome(&[text]);
    let said: Vec<&str> = found.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(said, [""; 0]);
    let gate = found.policy.gate.unwrap();
    let names: Vec<String> = gate.names().map(|name| name.to_string()).collect();
    assert_eq!(names, ["local", "trusted", "guests", "world"]);
    let trusted = gate.zones.iter().find(|zone| zone.name.as_str() == "trusted").unwrap();
    assert_eq!(
        (trusted.networks.len(), &trusted.interfaces[..], trusted.open),
        (2, &["wg0".to_owned()][..], true)
    );
    assert!(gate.zones.iter().all(|zone| zone.open == (zone.name.as_str() == "trusted")));
    assert_eq!((gate.ping, gate.asymmetric), (false, false));
    assert_eq!(gate.rules[1].what, [What::Ports("tcp/8002".parse().unwrap())]);
    assert_eq!(gate.rules[2].deed, Deed::Drop);
    assert!(matches!(&gate.rules[2].from, Who::Those { networks, .. } if networks.len() == 1));
    assert_eq!(gate.rules[2].text, "drop all from 203.0.113.0/24  # scans us since May");
}

#[test]
fn without_a_gate_there_is_none_and_later_files_have_the_last_word() {
    assert_eq!(outcome(&["[sereno]\n"]).policy.gate, None);
    let first = "[gate]\nlocal = [\"10.0.0.0/8\"]\nrules = [\"allow ssh\", \"allow sip\"]\n";
    let second = "[gate]\nrules = [\"allow ssh from local\"]\n";
    let gate = outcome(&[first, second]).policy.gate.unwrap();
    assert_eq!((gate.rules.len(), gate.zones.len()), (1, 1));
    assert!(gate.ping);
    assert_ne!(outcome(&[first]).policy, outcome(&[second]).policy);
}

#[test]
fn mistakes_are_told_at_their_place() {
    for (lines, expected) in [
        ("rule = []", "2:1 [gate] has no option rule / did you mean rules?"),
        (
            "ping = 1",
            "2:8 true or false is needed here, not the number 1 / write for example ping = true",
        ),
        (
            "rules = [\"allow ssh\",\n  \"allow \\u0073ip from lokal\"]",
            "3:24 \"lokal\" is no address and no network / write a zone (world) or a network such as 192.0.2.0/24",
        ),
        ("rules = ['allow shs']", "2:17 \"shs\" is no service and no port / did you mean ssh?"),
        (
            "local = [\"10.0.0.0/33\"]",
            "2:10 \"10.0.0.0/33\" is no network / write for example local = [\"10.8.0.0/16\", \"eth1\"]",
        ),
        (
            "local = [\"10.0.0.1.5\"]",
            "2:10 \"10.0.0.1.5\" is no network / write for example local = [\"10.8.0.0/16\", \"eth1\"]",
        ),
        (
            "local = [\"0.0.0.0/0\"]",
            "1:2 0.0.0.0/0 in zone local would be everybody: that is world / look at [gate] and its zones",
        ),
        (
            "zones = [\"wlan0\"]",
            "2:9 names and their values are needed here / write for example zones = { guests = [\"192.168.50.0/24\", \"wlan0\"] }",
        ),
        (
            "services = { zulu = \"all\" }",
            "2:21 a service has ports; all is written in the rule / write for example services = { zulu = \"tcp/8002\" }",
        ),
    ] {
        assert_eq!(said(lines), [expected], "{lines}");
    }
    let both = said("zones = { A = [\"wlan0\"] }\nrules = [\"open ssh\", \"allow\"]");
    assert_eq!(both.len(), 3, "{both:?}");
    let outcome = outcome(&["gate = true\n"]);
    assert_eq!(outcome.problems[0].message, "gate is a section, not an option");
}

#[test]
fn what_is_suggested_reads_back() {
    let listener = |proto, port, program: &str| Listener {
        proto,
        port,
        addr: Ipv4Addr::UNSPECIFIED.into(),
        program: program.to_owned(),
    };
    let listeners = [
        listener(Proto::Tcp, 22, "sshd"),
        listener(Proto::Tcp, 443, "nginx \"]\\"),
        listener(Proto::Tcp, 5038, "asterisk"),
        listener(Proto::Udp, 5060, "asterisk"),
        listener(Proto::Udp, 10_500, "asterisk"),
        listener(Proto::Udp, 40_000, "asterisk"),
        listener(Proto::Udp, 68, "dhclient"),
    ];
    let rtp = PortRange::new(Proto::Udp, 10_000, 20_000);
    let lines = |networks: &[&str], lang| {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        let sessions = vec!["198.51.100.7".parse().unwrap()];
        let facts = Facts { networks, sessions, ..Facts::default() };
        let text = suggest_gate(&facts, &listeners, rtp, lang);
        let document = Document { name: "sereno.toml".to_owned(), text: text.clone() };
        let found = read(&[document], &shipped_rules());
        assert!(found.problems.is_empty(), "{text}");
        assert!(found.policy.jails.iter().any(|jail| jail.policy.heard), "{text}");
        let gate = found.policy.gate.unwrap();
        gate.rules.iter().map(|rule| rule.text.clone()).collect::<Vec<_>>()
    };
    let media = ["allow udp/5060", "allow udp/10000-20000"];
    let world = [&["allow tcp/22", "allow tcp/443"], &media[..]].concat();
    assert_eq!(lines(&["198.51.100.0/24"], Lang::Spanish), world);
    let local = [&["allow tcp/22", "allow tcp/443", "allow tcp/5038 from local"], &media[..]];
    assert_eq!(lines(&["192.168.1.0/24", "198.51.100.0/24"], Lang::English), local.concat());
}

#[test]
fn what_is_hardly_meant_is_doubted_and_holds() {
    let zone = jiff::tz::TimeZone::UTC;
    let net = Net {
        interfaces: vec!["lo".to_owned(), "eth0".to_owned()],
        addrs: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
    };
    let machine = |net| Machine {
        zone: &zone,
        zones: &|_| None,
        now: Time::from_secs(1_795_000_000),
        net,
        has_file: &|path: &Path| path.ends_with("there.txt"),
    };
    let text = "[gate]\nlocal = [\"192.0.2.0/24\", \"eth1\"]\nrules = [\n  \"allow ssh from local\",\n  \
         \"drop ssh from 203.0.113.0/24\",\n  \"drop tcp/22 from 203.0.113.7\",\n  \
         \"allow sip until 2026-01-01\",\n  \"allow http on eth2\",\n  \"allow https to 198.51.100.1\",\n  \
         \"allow https to 192.0.2.0/24\",\n  \"drop all from world\",\n  \"allow smtp from world\",\n]\n\
         [list.bad]\nfrom = [\"/etc/gone.txt\", \"/etc/there.txt\"]\n";
    let document = Document { name: "sereno.toml".to_owned(), text: text.to_owned() };
    let told = |net| {
        let outcome = read_where(std::slice::from_ref(&document), &[], machine(net));
        assert_eq!(outcome.policy.gate.unwrap().rules.len(), 9, "{:?}", outcome.problems);
        assert!(outcome.problems.iter().all(|p| p.severity == Severity::Warning));
        let line = |p: &sereno_config::Problem| format!("{}:{} {}", p.line, p.column, p.message);
        outcome.problems.iter().map(line).collect::<Vec<_>>()
    };
    let whatever = [
        "6:3 this rule never decides: \"drop ssh from 203.0.113.0/24\" above it does, about all of it",
        "7:3 this rule has ended, and has no effect",
        "12:3 this rule never decides: \"drop all from world\" above it does, about all of it",
        "15:8 there is no file /etc/gone.txt",
    ];
    assert_eq!(told(None), whatever);
    let mut here = whatever.to_vec();
    here.push("2:26 this machine has no interface eth1 now");
    here.push("8:3 this machine has no interface eth2 now");
    here.push("9:3 198.51.100.1 is no address of this machine now");
    let mut found = told(Some(&net));
    here.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, here);
}
