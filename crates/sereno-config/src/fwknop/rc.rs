//! The client's `.fwknoprc`: a stanza for each server, and `[default]` for all.

use super::client::{Allow, Client, PORT};
use super::line::{self, is_name};
use super::said::{Said, Slips, Stanza};
use super::stanza::port;
use super::{keys, shown, text};
use crate::Document;
use crate::problem::{Notes, Problem, Wrong};
use sereno_core::gate::PortRange;
use sereno_spa::Keys;

/// The options that are read.
const OPTIONS: [&str; 22] = [
    "SPA_SERVER",
    "SPA_SERVER_PORT",
    "SPA_SERVER_PROTO",
    "SPA_SOURCE_PORT",
    "ACCESS",
    "ALLOW_IP",
    "KEY",
    "KEY_BASE64",
    "HMAC_KEY",
    "HMAC_KEY_BASE64",
    "USE_HMAC",
    "HMAC_DIGEST_TYPE",
    "DIGEST_TYPE",
    "ENCRYPTION_MODE",
    "FW_TIMEOUT",
    "TIME_OFFSET",
    "SPOOF_USER",
    "NAT_ACCESS",
    "NAT_LOCAL",
    "NAT_PORT",
    "NAT_RAND_PORT",
    "SERVER_RESOLVE_IPV4",
];

/// Options that mean nothing here.
const IDLE: [&str; 15] = [
    "VERBOSE",
    "RAND_PORT",
    "NO_SAVE_ARGS",
    "SPOOF_SOURCE_IP",
    "RESOLVE_IP_HTTP",
    "RESOLVE_IP_HTTPS",
    "RESOLVE_HTTP_ONLY",
    "RESOLVE_URL",
    "USE_WGET_USER_AGENT",
    "WGET_CMD",
    "HTTP_USER_AGENT",
    "USE_GPG_AGENT",
    "KEY_FILE",
    "HMAC_KEY_FILE",
    "GPG_AGENT_INFO",
];

/// Stanzas at most.
const STANZAS: usize = 5000;

/// The stanzas of a client's file, and what is wrong with it.
#[derive(Debug)]
pub struct Clients {
    /// Those that stand, each with what `[default]` adds, in order. `[default]` itself is among them
    /// only where there is no other.
    pub clients: Vec<Client>,
    /// All problems, in the order of lines.
    pub problems: Vec<Problem>,
}

/// Reads a `.fwknoprc`.
#[must_use]
pub fn read_client(document: &Document) -> Clients {
    let docs = vec![document.clone()];
    let mut notes = Notes::default();
    let stanzas = stanzas(&document.text, &mut notes);
    let default = stanzas.iter().find(|(name, _)| name == "default").map(|(_, stanza)| stanza);
    let mut clients = Vec::new();
    let alone = stanzas.iter().all(|(name, _)| name == "default");
    for (name, stanza) in stanzas.iter().filter(|(name, _)| alone || name != "default") {
        let mut whole = default.cloned().unwrap_or_default();
        whole.said.extend(stanza.said.iter().map(|(name, said)| (*name, said.clone())));
        whole.head.clone_from(&stanza.head);
        whole.broken |= stanza.broken;
        clients.extend(client(name, &whole, &docs, &mut notes));
    }
    let is_open =
        |name: &str| !name.contains("KEY") && (OPTIONS.contains(&name) || IDLE.contains(&name));
    Clients { clients, problems: shown(docs, notes, &is_open) }
}

fn stanzas(text: &str, notes: &mut Notes) -> Vec<(String, Stanza)> {
    let mut stanzas: Vec<(String, Stanza)> = Vec::new();
    let mut slips = Slips::default();
    for line in line::lines(text) {
        let whole = &text[line.key.start..line.value.end];
        if let Some(name) = whole.trim_end().strip_prefix('[') {
            let name = name.strip_suffix(']').unwrap_or(name).trim().to_owned();
            if stanzas.len() < STANZAS {
                let head = Some(Said { doc: 0, key: line.key.clone(), value: line.key });
                stanzas.push((name, Stanza { head, ..Stanza::default() }));
            }
            continue;
        }
        let (name, key) = (line.name, line.key);
        // `NAME = value` is read as well.
        let equals = text[line.value.clone()]
            .strip_prefix('=')
            .map_or(0, |rest| 1 + rest.len() - rest.trim_start().len());
        let said =
            Said { doc: 0, key: key.clone(), value: line.value.start + equals..line.value.end };
        let Some((_, stanza)) = stanzas.last_mut() else {
            notes.error(
                0,
                Wrong::new(key, "this stands before any stanza").remedy("write [default] above it"),
            );
            continue;
        };
        if (name.starts_with("GPG_") && is_name(name))
            || (name == "USE_GPG" && text[said.value.clone()].starts_with(['y', 'Y']))
        {
            let message = format!("{name} is not read: packets in OpenPGP's form are not made");
            notes.error(0, Wrong::new(key, message).remedy("write KEY_BASE64 and HMAC_KEY_BASE64"));
            stanza.broken = true;
        } else if let Some(&known) = OPTIONS.iter().find(|known| **known == name) {
            stanza.said.insert(known, said);
        } else if !IDLE.contains(&name) && name != "USE_GPG" {
            let near = slips.nearest(name, OPTIONS).1;
            let remedy = near
                .map_or("leave it out".to_owned(), |near| format!("did you mean {near} VALUE?"));
            notes.warn(0, Wrong::new(key, "there is no such option").remedy(remedy));
        } else if name.ends_with("KEY_FILE") {
            let wrong = Wrong::new(key, format!("{name} is not read"));
            notes.warn(0, wrong.remedy("write KEY_BASE64 and HMAC_KEY_BASE64"));
        }
    }
    stanzas
}

fn client(name: &str, stanza: &Stanza, docs: &[Document], notes: &mut Notes) -> Option<Client> {
    let before = notes.errors();
    let value = |name: &str| stanza.said.get(name).map(|said| text(docs, said).trim());
    let yes = |name: &str| value(name).is_some_and(|value| value.starts_with(['y', 'Y']));
    let number = |notes: &mut Notes, name: &str, most: u32| {
        let said = stanza.said.get(name)?;
        let read = text(docs, said)
            .trim()
            .parse::<u32>()
            .ok()
            .filter(|number| (1..=most).contains(number));
        if read.is_none() {
            let wrong =
                Wrong::new(said.value.clone(), format!("this is no number from 1 to {most}"));
            notes.error(0, wrong.remedy(format!("write {name} and a number, or leave it out")));
        }
        read
    };
    let port_of =
        |notes: &mut Notes, name: &str| number(notes, name, 65_535).map(|port| port as u16);
    if let Some(said) = stanza.said.get("SPA_SERVER_PROTO")
        && !text(docs, said).trim().eq_ignore_ascii_case("udp")
    {
        let wrong = Wrong::new(said.value.clone(), "packets are sent over UDP only");
        notes.error(0, wrong.remedy("write SPA_SERVER_PROTO udp"));
    }
    let keys = client_keys(stanza, docs, notes);
    let client = Client {
        name: name.to_owned(),
        server: value("SPA_SERVER").map(str::to_owned),
        port: port_of(notes, "SPA_SERVER_PORT").unwrap_or(PORT),
        source_port: port_of(notes, "SPA_SOURCE_PORT"),
        only_ipv4: yes("SERVER_RESOLVE_IPV4"),
        access: access(stanza, docs, notes),
        allow: value("ALLOW_IP").map_or(Allow::Source, Allow::from),
        keys,
        digest: keys::named(stanza, "DIGEST_TYPE", docs, notes),
        timeout: number(notes, "FW_TIMEOUT", 65_536),
        time_offset: offset(stanza, docs, notes),
        user: value("SPOOF_USER").map(str::to_owned),
        nat_access: nat_access(stanza, docs, notes),
        nat_local: yes("NAT_LOCAL"),
        nat_port: port_of(notes, "NAT_PORT"),
        nat_random: yes("NAT_RAND_PORT"),
    };
    (!stanza.broken && notes.errors() == before).then_some(client)
}

fn client_keys(stanza: &Stanza, docs: &[Document], notes: &mut Notes) -> Option<Keys> {
    let (mode, digest) = keys::how(stanza, docs, notes);
    let key = keys::key(stanza, ["KEY", "KEY_BASE64"], 32, docs, notes);
    let hmac = keys::key(stanza, ["HMAC_KEY", "HMAC_KEY_BASE64"], 128, docs, notes);
    let (key, said) = key?;
    if let Some((_, said)) = hmac.as_ref().filter(|(hmac, _)| *hmac == key) {
        let wrong =
            Wrong::new(said.value.clone(), "the keys are the same: who breaks one has both");
        notes.error(0, wrong.remedy(format!("{}, which makes two", keys::MAKE)));
    }
    if hmac.is_none() {
        let wrong = Wrong::new(said.key, "there is no HMAC_KEY_BASE64: packets are not signed");
        notes.warn(0, wrong.remedy("write the server's HMAC_KEY_BASE64 here"));
    }
    Some(Keys { key, mode, hmac: hmac.map(|(hmac, _)| (hmac, digest)) })
}

fn access(stanza: &Stanza, docs: &[Document], notes: &mut Notes) -> Vec<PortRange> {
    let Some(said) = stanza.said.get("ACCESS") else { return Vec::new() };
    let mut ports = Vec::new();
    for part in text(docs, said).trim().split(',').map(str::trim) {
        match port(part) {
            Some(port) => ports.push(port),
            None => {
                let wrong = Wrong::new(said.value.clone(), format!("{part:?} is not a port"));
                notes.error(0, wrong.remedy("write ACCESS tcp/22, udp/53"));
            }
        }
    }
    ports
}

/// Seconds, or `2m`, `1h`, `1d`, with a sign.
fn offset(stanza: &Stanza, docs: &[Document], notes: &mut Notes) -> i64 {
    let Some(said) = stanza.said.get("TIME_OFFSET") else { return 0 };
    let text = text(docs, said).trim();
    let (sign, rest) =
        text.strip_prefix('-').map_or((1, text.trim_start_matches('+')), |rest| (-1, rest));
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match rest[digits.len()..].chars().next() {
        None | Some('s' | 'S') => Some(1),
        Some('m' | 'M') => Some(60),
        Some('h' | 'H') => Some(3600),
        Some('d' | 'D') => Some(86_400),
        Some(_) => None,
    };
    let seconds =
        unit.zip(digits.parse::<u32>().ok()).map(|(unit, count)| sign * unit * i64::from(count));
    seconds.unwrap_or_else(|| {
        let wrong = Wrong::new(said.value.clone(), "this is no time to add to the clock");
        notes.error(0, wrong.remedy("write TIME_OFFSET 60, -60, 2m or 1h"));
        0
    })
}

fn nat_access(
    stanza: &Stanza,
    docs: &[Document],
    notes: &mut Notes,
) -> Option<(String, Option<u16>)> {
    let said = stanza.said.get("NAT_ACCESS")?;
    let place = nat_place(text(docs, said).trim());
    if place.is_none() {
        let wrong = Wrong::new(said.value.clone(), "this is no address with a port");
        notes.error(0, wrong.remedy("write NAT_ACCESS 192.0.2.7,22"));
    }
    place
}

/// Where to translate to, as fwknop writes it: `HOST`, `HOST:PORT` or `HOST,PORT`.
#[must_use]
pub fn nat_place(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rsplit_once([',', ':']) {
        None => (text, None),
        Some((host, port)) => (host, Some(port.trim().parse().ok().filter(|port| *port > 0)?)),
    };
    let host = host.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    (!host.is_empty() && host.chars().all(fits)).then(|| (host.to_owned(), port))
}
