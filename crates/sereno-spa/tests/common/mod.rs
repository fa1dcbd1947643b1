//! What the tests share: the real client's packets, and stanzas for them.
#![allow(dead_code, reason = "each test uses a part")]

use serde_json::Value;
use sereno_core::time::Time;
use sereno_spa::{Access, Datagram, Digest, Keys, Secret, Source, Stanza, Translation, Wire};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) fn here(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fwknop").join(name)
}

pub(crate) fn kept(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(here(name)).unwrap()).unwrap()
}

/// The answer of `real.py`.
pub(crate) fn real(what: &str, input: &str) -> Result<Value, String> {
    let mut child = Command::new("python3")
        .arg(here("real.py"))
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    let done = child.wait_with_output().map_err(|error| error.to_string())?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    eprint!("{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).map_err(|error| error.to_string())
}

/// A stanza for anybody and everything.
/// The address of the server.
pub(crate) const OWN: [u8; 4] = [192, 0, 2, 99];

pub(crate) fn stanza(keys: Keys) -> Stanza {
    Stanza {
        name: "test".to_owned(),
        source: Source::Any,
        destination: Source::Any,
        keys,
        open_ports: Vec::new(),
        restrict_ports: Vec::new(),
        timeout: Duration::from_secs(30),
        max_timeout: Duration::from_secs(300),
        expires: None,
        user: None,
        require_address: false,
        commands: None,
        cycle: None,
        translation: Translation { forwarding: true, local: true, ..Translation::default() },
    }
}

pub(crate) fn access(stanzas: Vec<Stanza>) -> Access {
    Access { stanzas, own: vec![OWN.into()], ..Access::default() }
}

/// The keys of a packet of `real.py`.
pub(crate) fn keys(packet: &Value) -> Keys {
    let text = |name: &str| packet[name].as_str();
    let hmac = text("hmac").map(|key| {
        let digest: Digest = text("digest").unwrap().parse().unwrap();
        (Secret::from_base64(key).unwrap(), digest)
    });
    let key = Secret::from_base64(text("key").unwrap()).unwrap();
    Keys { key, mode: text("mode").unwrap().parse().unwrap(), hmac }
}

pub(crate) fn from<'p>(payload: &'p [u8], source: &str) -> Datagram<'p> {
    Datagram { payload, source: source.parse().unwrap(), destination: OWN.into() }
}

/// When a packet was made.
pub(crate) fn sent(packet: &str, keys: &Keys) -> Time {
    let message = Wire::parse(packet.as_bytes()).unwrap().open(keys).unwrap();
    Time::from_secs(message.sent as i64)
}
