//! Packets that others collected and judged: `SPA_VECTORS=FILE cargo test -p sereno-spa --test given`.
//!
//! The file has `vectors`, judged in their order by a server for each `server`, and `real_client`,
//! packets with what was found in them.
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

use common::stanza;
use serde_json::Value;
use sereno_core::time::Time;
use sereno_spa::{
    Access, Datagram, Deed, Keys, Memory, Secret, Source, Stanza, Verdict, Wire, judge,
};
use std::collections::HashMap;

fn hex(text: &Value) -> Option<Secret> {
    let text = text.as_str()?;
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    Some(Secret::new((0..text.len()).step_by(2).map(byte).collect()))
}

fn keys(vector: &Value) -> Keys {
    let digest = || vector["hmac_type"].as_str().unwrap().parse().unwrap();
    let hmac = hex(&vector["hmac_key_hex"]).filter(|key| !key.is_empty());
    let mode = vector["mode"].as_str().unwrap().parse().unwrap();
    Keys { key: hex(&vector["key_hex"]).unwrap(), mode, hmac: hmac.map(|key| (key, digest())) }
}

/// The server's stanza: the keys of its first vector, and what its name says.
fn server(vector: &Value) -> Stanza {
    let name = vector["server"].as_str().unwrap();
    let mut stanza = stanza(keys(vector));
    stanza.open_ports = ["tcp/22", "udp/53"].map(|port| port.parse().unwrap()).to_vec();
    stanza.timeout = std::time::Duration::from_secs(5);
    stanza.require_address = name.contains("REQUIRE_SOURCE_ADDRESS");
    stanza.user = name.split_once("REQUIRE_USERNAME ").map(|(_, user)| user.to_owned());
    if let Some(prefix) = name.strip_prefix("SOURCE ") {
        stanza.source = Source::Of(vec![prefix.parse().unwrap()]);
    }
    stanza
}

/// Our words for theirs; what is stricter here is said.
fn words(id: &str, expect: &str) -> &'static [&'static str] {
    match (id, expect) {
        // Nothing is at or behind `=`.
        ("hmac-plus-equals" | "nohmac-replay-equals", _) => &["characters"],
        // Extended to IPv6.
        ("ipv6-allow-ip", _) => &["granted"],
        (_, "accept") => &["granted"],
        (_, "replay") => &["replay"],
        (_, "hmac") => &["hmac"],
        (_, "age") => &["expired", "future"],
        (_, "decrypt") => &["decrypt"],
        (_, "digest") => &["digest"],
        (_, "decode") => &["fields", "decrypt", "digest"],
        (_, "port") => &["ports"],
        (_, "cmd") => &["command"],
        (_, "nat") => &["nat"],
        (_, "source") => &["address"],
        (_, "user") => &["user"],
        (_, "src") => &["source"],
        (_, "length") => &["short", "long"],
        (_, "bad_data") => &["prefix", "characters"],
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs SPA_VECTORS=FILE"]
fn given_packets_are_judged_as_listed() {
    let path = std::env::var("SPA_VECTORS").expect("SPA_VECTORS names a file");
    let given: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut servers: HashMap<String, (Access, Memory)> = HashMap::new();
    let vectors = given["vectors"].as_array().unwrap();
    let mut wrong = Vec::new();
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let new =
            || (Access { stanzas: vec![server(vector)], ..Access::default() }, Memory::default());
        let name = vector["server"].as_str().unwrap().to_owned();
        let (access, memory) = servers.entry(name).or_insert_with(new);
        let payload = vector["packet"].as_str().unwrap().as_bytes();
        let source = vector["src_ip"].as_str().unwrap().parse().unwrap();
        let datagram = Datagram { payload, source, destination: [10, 77, 0, 1].into() };
        let now = Time::from_secs(vector["now"].as_i64().unwrap());
        let verdict = judge(&datagram, now, access, memory);
        let said = match &verdict {
            Verdict::Granted(_) => "granted",
            Verdict::Refused(refusal) => refusal.as_str(),
        };
        if !words(id, vector["expect"].as_str().unwrap()).contains(&said) {
            wrong.push(format!("{id}: {said}, not {}", vector["expect"]));
        }
        if let (Verdict::Granted(grant), Some(rules)) =
            (&verdict, vector["fwknopd_rules"].as_array())
            && !rules.is_empty()
        {
            let Deed::Open { ports, .. } = &grant.deed else { panic!("{id}: {grant:?}") };
            assert_eq!(ports.len(), rules.len(), "{id}");
            for rule in rules {
                assert!(
                    rule.as_str().unwrap().contains(&format!("-s {}/32", grant.address)),
                    "{id}"
                );
            }
        }
    }
    let clients = given["real_client"].as_array().unwrap();
    for packet in clients {
        let name = packet["name"].as_str().unwrap();
        let wire = Wire::parse(packet["packet"].as_str().unwrap().as_bytes()).unwrap();
        match wire.open(&keys(packet)) {
            Ok(message) => {
                let found = &packet["decoded"];
                assert_eq!(message.user, found["user"].as_str().unwrap(), "{name}");
                assert_eq!(message.sent, found["timestamp"].as_u64().unwrap(), "{name}");
                assert_eq!(message.digits, found["rand"].as_str().unwrap().as_bytes(), "{name}");
            }
            Err(refusal) => wrong.push(format!("{name}: {refusal}")),
        }
    }
    println!("{} vectors, {} packets of clients", vectors.len(), clients.len());
    assert_eq!(wrong, Vec::<String>::new());
}
