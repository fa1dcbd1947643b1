//! `sereno door show --invite`: what a guest needs to come in. It is made of the configuration's
//! files, which hold the secrets; the running program is not asked.

use crate::cli::args::ConfigArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::paint::Paint;
use crate::doors::Doors;
use crate::invite::Invitation;
use crate::{policy, words};
use sereno_config::fwknop::{Allow, Client, PORT};
use sereno_config::invited::{Invited, Knock, TimedKnock};
use sereno_config::{DoorConf, Way};
use sereno_core::door::{Deed, Door, Sequences};
use sereno_core::gate::{Name, PortRange, Ports, Proto};
use sereno_spa::{Digest, Secret, Stanza};
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

/// Prints an invitation to a door at `host`.
///
/// # Errors
/// There is no such door, nobody can be invited to it, or its files cannot be read.
pub(super) fn run(name: Name, host: &str, config: &ConfigArgs, out: &mut impl Write) -> Outcome {
    let loaded = policy::load(config)?;
    let doors = &loaded.doors;
    let conf = loaded.outcome.policy.doors.iter().find(|door| door.name == name);
    let Some(policy) = doors.policies.iter().find(|policy| policy.name == name) else {
        return Err(Failure::refused(words::unknown_door(name)));
    };
    let invitation = match signed(doors, name) {
        Some(stanza) => Invitation::Packet(Box::new(client(name, host, stanza, doors))),
        None => {
            let knock = knock(&policy.door, conf)?;
            let wait = port(&policy.door);
            let door = Invited { host: host.to_owned(), wait, delay: None, knock };
            Invitation::Door { name: name.to_string(), door }
        }
    };
    let text = invitation.text(Paint::on(&stdout())).map_err(Failure::usage)?;
    write!(out, "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// The first stanza that opens a door.
fn signed(doors: &Doors, name: Name) -> Option<&Stanza> {
    let place = doors.signed.doors.iter().position(|door| door.name == name)?;
    doors.signed.access.stanzas.get(place)
}

/// How to knock there.
fn knock(door: &Door, conf: Option<&DoorConf>) -> Result<Knock, Failure> {
    let none = || Failure::refused(words::invite_nobody(&door.name));
    match (&door.sequences, conf.map(|conf| &conf.way)) {
        (Sequences::Fixed(sequence), _) => {
            Ok(Knock::Fixed { sequence: sequence.clone(), once: false })
        }
        (Sequences::Once(list), _) => {
            let sequence = list.first().ok_or_else(none)?.clone();
            Ok(Knock::Fixed { sequence, once: true })
        }
        (Sequences::Timed(_), Some(Way::Timed { secret, step, length, range })) => {
            let secret = read(secret)?;
            Ok(Knock::Timed(TimedKnock { secret, step: *step, length: *length, range: *range }))
        }
        (Sequences::Timed(_), _) => Err(none()),
    }
}

fn read(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::refused(format!("{}: {e}", path.display())))?;
    let bad = || Failure::refused(format!("{}: {}", path.display(), words::no_base64()));
    Secret::from_base64(text.trim()).ok_or_else(bad)
}

/// The first TCP port behind a door.
fn port(door: &Door) -> Option<u16> {
    let (Deed::Open(Ports::Only(list)) | Deed::Close(Ports::Only(list))) = &door.v4.start else {
        return None;
    };
    list.iter().find(|range| range.proto() == Proto::Tcp).map(|range| range.first())
}

/// The stanza for the guest's file.
fn client(name: Name, host: &str, stanza: &Stanza, doors: &Doors) -> Client {
    let behind = doors.policies.iter().find(|policy| policy.name == name);
    let ports = behind.and_then(|policy| match &policy.door.v4.start {
        Deed::Open(Ports::Only(list)) => Some(list.clone()),
        _ => None,
    });
    let single = |range: &PortRange| range.first() == range.last();
    let mut access = if stanza.open_ports.is_empty() {
        ports.unwrap_or_default()
    } else {
        stanza.open_ports.clone()
    };
    access.retain(single);
    access.extend(access.is_empty().then(|| PortRange::new(Proto::Tcp, 22, 22)).flatten());
    Client {
        name: name.to_string(),
        server: Some(host.to_owned()),
        port: doors.datagrams.first().copied().unwrap_or(PORT),
        source_port: None,
        only_ipv4: false,
        access,
        allow: Allow::Source,
        keys: Some(stanza.keys.clone()),
        digest: Digest::default(),
        timeout: None,
        time_offset: 0,
        user: stanza.user.clone(),
        nat_access: None,
        nat_local: false,
        nat_port: None,
        nat_random: false,
    }
}
