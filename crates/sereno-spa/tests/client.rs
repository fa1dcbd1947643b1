//! Packets of the real fwknop client, kept and new, and what the real fwknopd makes of ours.
//!
//! `SPA=write cargo test -p sereno-spa --test client` keeps what the programs answered anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs real programs"
)]

mod common;

use common::{OWN, access, from, here, kept, keys, real, sent, stanza};
use serde_json::{Value, json};
use sereno_core::gate::Through;
use sereno_core::time::Time;
use sereno_spa::{
    Ask, Commands, Deed, Digest, Keys, Memory, Message, Mode, Nat, Secret, Verdict, Who, Wire,
    judge, seal,
};
use std::fmt::Write;
use std::net::SocketAddrV4;

/// What the client was asked to say, read from its arguments.
fn wanted(args: &[&str]) -> (Ask, &'static str) {
    let after = |name: &str| {
        let at = args.iter().position(|arg| *arg == name)?;
        args.get(at + 1).copied()
    };
    let who = after("-a").map_or(Who::Sender, |addr| Who::Addr(addr.parse().unwrap()));
    let user = if args.contains(&"alice.b") { "alice.b" } else { "root" };
    if let Some(line) = after("-C") {
        return (Ask::Command { who, line: line.to_owned() }, user);
    }
    let ports = match after("--nat-port") {
        Some(port) => format!("tcp/{port}"),
        None => after("-A").unwrap().to_owned(),
    };
    let ports = ports.split(',').map(|port| port.parse().unwrap()).collect();
    let nat = match after("-N").and_then(|nat| nat.split_once(',')) {
        Some((host, port)) => {
            Some(Nat { host: host.to_owned(), port: port.parse().unwrap(), local: false })
        }
        None if args.contains(&"--nat-local") => {
            Some(Nat { host: "127.0.0.1".to_owned(), port: 22, local: true })
        }
        None => None,
    };
    let timeout = after("-f").map(|seconds| seconds.parse().unwrap());
    (Ask::Access { who, ports, nat, timeout }, user)
}

/// Reads, judges and writes anew each packet of the client.
fn check(answer: &Value) {
    let packets = answer["packets"].as_array().unwrap();
    assert!(packets.len() > 30);
    for packet in packets {
        let name = packet["name"].as_str().unwrap();
        let args: Vec<&str> =
            packet["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let text = packet["packet"].as_str().unwrap();
        let keys = keys(packet);
        let wire = Wire::parse(text.as_bytes()).unwrap();
        let message = wire.open(&keys).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let (ask, user) = wanted(&args);
        assert_eq!((&message.ask, message.user.as_str()), (&ask, user), "{name}");
        assert_eq!(message.version, Message::VERSION, "{name}");

        let inner =
            args.iter().position(|arg| *arg == "-m").map(|at| args[at + 1].parse().unwrap());
        let inner = inner.unwrap_or(Digest::Sha256);
        assert_eq!(seal(&message, inner, &keys, salt(text)).unwrap(), text, "{name}");

        let mut memory = Memory::default();
        let mut stanza = stanza(keys.clone());
        stanza.commands = Some(Commands::default());
        let access = access(vec![stanza]);
        let datagram = from(text.as_bytes(), "198.51.100.77");
        let verdict = judge(&datagram, sent(text, &keys), &access, &mut memory);
        let Verdict::Granted(grant) = verdict else { panic!("{name}: {verdict:?}") };
        match (&ask, grant.deed) {
            (Ask::Command { line, .. }, Deed::Command { line: granted }) => {
                assert_eq!(*line, granted);
            }
            (Ask::Access { ports, nat: Some(nat), timeout, .. }, Deed::Translate { to, time }) => {
                let Through::Dnat(dnat) = to else { panic!("{name}: {to:?}") };
                let host = if nat.local { OWN.into() } else { nat.host.parse().unwrap() };
                let first = (ports[0].proto(), ports[0].first());
                assert_eq!((dnat.proto, dnat.port, dnat.here), (first.0, first.1, nat.local));
                assert_eq!(dnat.to, SocketAddrV4::new(host, nat.port), "{name}");
                assert_eq!(u64::from(timeout.unwrap_or(30)), time.as_secs(), "{name}");
            }
            (Ask::Access { ports, timeout, .. }, Deed::Open { ports: granted, time }) => {
                assert_eq!(
                    (ports, u64::from(timeout.unwrap_or(30))),
                    (&granted, time.as_secs()),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
        let who = if args.contains(&"-s") {
            "198.51.100.77"
        } else {
            args[args.iter().position(|arg| *arg == "-a").unwrap() + 1]
        };
        assert_eq!(grant.address.to_string(), who, "{name}");
    }
}

/// The salt of a packet: what stands behind `Salted__`, whose first ten characters are not sent.
fn salt(packet: &str) -> [u8; 8] {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits: String = packet.bytes().take(12).fold(String::new(), |mut bits, c| {
        write!(bits, "{:06b}", value(c)).unwrap();
        bits
    });
    std::array::from_fn(|at| u8::from_str_radix(&bits[4 + at * 8..12 + at * 8], 2).unwrap())
}

#[test]
fn kept_packets_of_the_real_client_are_read_judged_and_made_alike() {
    check(&kept("client.json"));
}

#[test]
fn new_packets_of_the_real_client_are_read_judged_and_made_alike() {
    match real("client", "") {
        Ok(answer) => {
            check(&answer);
            keep("client.json", &answer);
        }
        Err(why) => println!("skipped: fwknop cannot be asked: {why}"),
    }
}

fn keep(name: &str, answer: &Value) {
    if std::env::var("SPA").is_ok_and(|what| what == "write") {
        std::fs::write(here(name), serde_json::to_string_pretty(answer).unwrap() + "\n").unwrap();
    }
}

/// Keys for a number: no two stanzas can be mistaken for each other.
fn numbered(n: u8, mode: Mode, hmac: Option<Digest>) -> Keys {
    let hmac = hmac.map(|digest| (Secret::new(vec![n ^ 0x80; usize::from(n) + 20]), digest));
    Keys { key: Secret::new(vec![n; 32 - usize::from(n) % 20]), mode, hmac }
}

fn message(n: u8, now: u64, more: &str) -> Message {
    let who = Who::Addr([198, 51, 100, n].into());
    let ports = vec!["tcp/22".parse().unwrap(), "udp/53".parse().unwrap()];
    let timeout = (more == "timeout").then_some(77);
    let ask = Ask::Access { who, ports, nat: None, timeout };
    let digits = format!("{:016}", 1_234_567 * u64::from(n)).into_bytes().try_into().unwrap();
    let (user, version) = ("root".to_owned(), Message::VERSION.to_owned());
    Message { digits, user, sent: now, version, ask, server_auth: None }
}

/// A packet for the real server: name, last byte of the address, packet, and whether it opens.
type Case = (String, u8, String, bool);

/// Packets for the real server.
fn cases(now: u64) -> (Vec<Keys>, Vec<Case>) {
    let mut all: Vec<(String, Keys, Digest, &str)> = Vec::new();
    for digest in Digest::ALL {
        let n = all.len() as u8 + 1;
        all.push((
            format!("inner {digest}"),
            numbered(n, Mode::Cbc, Some(Digest::Sha256)),
            digest,
            "",
        ));
        let n = n + 1;
        all.push((
            format!("hmac {digest}"),
            numbered(n, Mode::Cbc, Some(digest)),
            Digest::Sha256,
            "",
        ));
    }
    for mode in Mode::ALL {
        let n = all.len() as u8 + 1;
        let hmac = (mode != Mode::Legacy).then_some(Digest::Sha256);
        all.push((
            format!("mode {}", mode.as_str()),
            numbered(n, mode, hmac),
            Digest::Sha256,
            "timeout",
        ));
    }
    let keys: Vec<Keys> = all.iter().map(|(_, keys, _, _)| keys.clone()).collect();
    let mut packets = Vec::new();
    for (at, (name, keys, digest, more)) in all.into_iter().enumerate() {
        let n = at as u8 + 1;
        let packet = seal(&message(n, now, more), digest, &keys, [n; 8]).unwrap();
        packets.push((name, n, packet, true));
    }
    let (_, _, first, _) = packets[0].clone();
    packets.push(("replayed".to_owned(), 1, first.clone(), false));
    let more =
        |n: u8, sent: u64| seal(&message(n, sent, ""), Digest::Sha256, &keys[0], [n; 8]).unwrap();
    let changed = |packet: String| {
        let flip = |(at, c)| if at == 60 { if c == 'A' { 'B' } else { 'A' } } else { c };
        packet.chars().enumerate().map(flip).collect::<String>()
    };
    packets.push(("changed".to_owned(), 101, changed(more(101, now)), false));
    packets.push(("unchanged".to_owned(), 101, more(101, now), true));
    packets.push(("expired".to_owned(), 102, more(102, now - 200), false));
    packets.push(("future".to_owned(), 103, more(103, now + 200), false));
    packets.push(("a little late".to_owned(), 104, more(104, now - 60), true));
    packets.push(("extended".to_owned(), 105, more(105, now) + "A", false));
    packets.push(("cut".to_owned(), 106, more(106, now)[1..].to_owned(), false));
    (keys, packets)
}

/// What we make of the same packets, sent in the same order.
fn ours(keys: &[Keys], packets: &[Case], now: u64) {
    let access = access(keys.iter().cloned().map(stanza).collect());
    let mut memory = Memory::default();
    for (name, n, packet, opens) in packets {
        let verdict = judge(
            &from(packet.as_bytes(), "127.0.0.1"),
            Time::from_secs(now as i64),
            &access,
            &mut memory,
        );
        match verdict {
            Verdict::Granted(grant) => {
                assert!(opens, "{name}");
                assert_eq!(grant.address.to_string(), format!("198.51.100.{n}"), "{name}");
            }
            Verdict::Refused(refusal) => assert!(!opens, "{name}: {refusal}"),
        }
    }
}

#[test]
fn the_real_server_opens_for_our_packets_and_refuses_what_we_refuse() {
    let path = |name: &str| std::path::Path::new("/usr/sbin").join(name).exists();
    if !path("fwknopd") || !path("iptables") {
        println!("skipped: fwknopd and iptables are not installed");
        return;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (keys, packets) = cases(now);
    let mut text = String::new();
    for keys in &keys {
        writeln!(text, "SOURCE ANY\nKEY_BASE64 {}\nFW_ACCESS_TIMEOUT 60", *keys.key.to_base64())
            .unwrap();
        writeln!(text, "ENCRYPTION_MODE {}", keys.mode.as_str()).unwrap();
        if let Some((key, digest)) = &keys.hmac {
            writeln!(text, "HMAC_KEY_BASE64 {}\nHMAC_DIGEST_TYPE {digest}", *key.to_base64())
                .unwrap();
        }
    }
    let conf = "PCAP_INTF lo;\nPCAP_LOOP_SLEEP 10000;\nENABLE_DIGEST_PERSISTENCE Y;\n";
    let sent: Vec<(String, String, &String)> = packets
        .iter()
        .map(|(name, n, packet, _)| (name.clone(), format!("198.51.100.{n}"), packet))
        .collect();
    let asked = json!({"access": text, "conf": conf, "packets": sent});
    let answer = match real("server", &asked.to_string()) {
        Ok(answer) => answer,
        Err(why) if why.contains("Operation not permitted") => {
            println!("skipped: no right to make a network namespace: {why}");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    for (name, n, _, opens) in &packets {
        let rules = answer[name].as_array().unwrap();
        assert_eq!(rules.len(), if *opens { 2 } else { 0 }, "{name}: {rules:?}");
        for rule in rules {
            assert!(rule.as_str().unwrap().contains(&format!("-s 198.51.100.{n}/32 ")), "{rule}");
        }
    }
    ours(&keys, &packets, now);
    let opened = |name: &String| !answer[name].as_array().unwrap().is_empty();
    let judged: Vec<Value> = packets
        .iter()
        .map(|(name, n, packet, _)| json!({"name": name, "address": n, "packet": packet, "opened": opened(name)}))
        .collect();
    keep("server.json", &json!({"now": now, "packets": judged}));
}

#[test]
fn kept_packets_that_the_real_server_judged_are_made_and_judged_alike() {
    let kept = kept("server.json");
    let now = kept["now"].as_u64().unwrap();
    let (keys, packets) = cases(now);
    let judged: Vec<Value> = packets
        .iter()
        .map(|(name, n, packet, opens)| json!({"name": name, "address": n, "packet": packet, "opened": opens}))
        .collect();
    assert_eq!(kept["packets"], Value::Array(judged));
    ours(&keys, &packets, now);
}
