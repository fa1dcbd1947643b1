//! Single packets, by a stanza of `.fwknoprc`.

use super::args::KnockArgs;
use super::trouble::{failure, unusable};
use super::{Errand, Said};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::paint::safe;
use crate::words;
use serde::Serialize;
use sereno_config::fwknop::{Allow, Client, nat_place, port, read_client};
use sereno_config::{Problem, Severity};
use sereno_core::time::Time;
use sereno_knock::{Family, Spa, What, addresses, choose_port, rc_path, read, user};
use sereno_spa::Ask;
use std::io::{Write, stderr};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::SystemTime;

/// Who is asked, and how.
pub(super) fn errand(args: &KnockArgs) -> Result<Errand, Failure> {
    let (host, server, spa, _) = asked(args)?;
    let wait = spa.answering(server.ip()).map_err(|trouble| failure(&trouble))?;
    let said = Said { wait, ..Said::default() };
    let plan = args.plan(server, What::Packet(Box::new(spa)), &said);
    Ok(Errand { host, door: None, plan })
}

/// The server as it is named, its address, what to ask it, and what is wrong with the file.
fn asked(args: &KnockArgs) -> Result<(String, SocketAddr, Spa, Vec<Problem>), Failure> {
    let given = args.host.as_deref().or(args.packet.destination.as_deref());
    let (mut client, problems) = stanza(args, given)?;
    adjust(&mut client, args)?;
    let host = given.map(str::to_owned).or_else(|| client.server.clone());
    let host = host.ok_or_else(|| Failure::usage(words::knock_no_server(safe(&client.name))))?;
    let server = args.server(&host, client.only_ipv4)?;
    let who = who(&client, server.ip())?;
    choose_port(&mut client).map_err(|trouble| failure(&trouble))?;
    let keys = client.keys.clone();
    let keys = keys.ok_or_else(|| Failure::refused(words::knock_no_keys(safe(&client.name))))?;
    if client.access.is_empty() {
        return Err(Failure::usage(words::knock_no_access(safe(&client.name))));
    }
    if client.translates() && client.nat_port.is_some() && client.access.len() > 1 {
        return Err(Failure::usage(words::knock_nat_ports()));
    }
    let names = ["SPOOF_USER", "LOGNAME", "USER", "USERNAME"];
    let names = names.into_iter().filter_map(|name| std::env::var(name).ok());
    let user = user(client.user.clone().into_iter().chain(names));
    Ok((host, server, Spa { client, keys, who, user }, problems))
}

/// The stanza that is meant, and the problems of its file.
fn stanza(args: &KnockArgs, host: Option<&str>) -> Result<(Client, Vec<Problem>), Failure> {
    let rc = args.packet.rc.clone().or_else(|| rc_path(&|name| std::env::var_os(name)));
    let rc = rc.ok_or_else(|| Failure::refused(words::knock_no_home()))?;
    let document = read(&rc).map_err(|trouble| failure(&trouble))?;
    let mut read = read_client(&document);
    sereno_spa::wipe(document.text);
    let for_host = |client: &Client| {
        host.is_some() && (client.server.as_deref() == host || Some(client.name.as_str()) == host)
    };
    let at = match &args.packet.name {
        Some(name) => read.clients.iter().position(|client| client.name == *name),
        None => match read.clients.iter().position(for_host) {
            None if read.clients.len() == 1 => Some(0),
            found => found,
        },
    };
    if let Some(at) = at {
        return Ok((read.clients.swap_remove(at), read.problems));
    }
    // What is meant may be what was set aside.
    if read.problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(unusable(&read.problems));
    }
    let names: Vec<_> = read.clients.iter().map(|client| safe(&client.name)).collect();
    let names = if names.is_empty() { words::none() } else { names.join(", ") };
    Err(Failure::usage(match &args.packet.name {
        Some(name) => words::knock_no_stanza(safe(name), rc.display(), names),
        None => words::knock_which_stanza(rc.display(), names),
    }))
}

/// What the command line says counts before the stanza.
fn adjust(client: &mut Client, args: &KnockArgs) -> Result<(), Failure> {
    let packet = &args.packet;
    if let Some(access) = &packet.access {
        let bad = |word: &str| Failure::usage(words::knock_bad_access(safe(word)));
        let ports = access.split(',').map(|word| port(word.trim()).ok_or_else(|| bad(word)));
        client.access = ports.collect::<Result<_, Failure>>()?;
    }
    if packet.source {
        client.allow = Allow::Source;
    }
    if packet.resolve {
        client.allow = Allow::Resolve;
    }
    if let Some(addr) = packet.allow_ip {
        client.allow = Allow::Addr(addr.to_canonical());
    }
    translate(client, args)?;
    client.port = packet.server_port.unwrap_or(client.port);
    client.timeout = packet.fw_timeout.or(client.timeout);
    Ok(())
}

/// What the command line says of translation.
fn translate(client: &mut Client, args: &KnockArgs) -> Result<(), Failure> {
    let packet = &args.packet;
    if let Some(place) = &packet.nat_access {
        let bad = || Failure::usage(words::knock_bad_nat(safe(place)));
        (client.nat_access, client.nat_local) = (Some(nat_place(place).ok_or_else(bad)?), false);
    }
    if packet.nat_local {
        (client.nat_access, client.nat_local) = (None, true);
    }
    if let Some(port) = packet.nat_port {
        (client.nat_port, client.nat_random) = (Some(port), false);
    }
    client.nat_random |= packet.nat_rand_port;
    let port = packet.nat_port.is_some() || packet.nat_rand_port;
    if port && !client.translates() {
        return Err(Failure::usage(words::knock_nat_where()));
    }
    if client.nat_random && client.translates() && args.no_wait {
        return Err(Failure::usage(words::knock_nat_unseen()));
    }
    Ok(())
}

/// For whom it is asked: nobody for who sends the packet. No stranger is asked.
fn who(client: &Client, server: IpAddr) -> Result<Option<IpAddr>, Failure> {
    match &client.allow {
        Allow::Source => Ok(None),
        Allow::Addr(addr) => Ok(Some(*addr)),
        Allow::Resolve => Err(Failure::usage(words::knock_no_resolving())),
        Allow::Name(name) => {
            let family = if server.is_ipv4() { Family::V4 } else { Family::V6 };
            let found = addresses(name, family).map_err(|trouble| failure(&trouble))?;
            Ok(found.first().map(SocketAddr::ip))
        }
    }
}

/// What a packet would say, for `--json`.
#[derive(Serialize)]
struct Fields {
    host: String,
    server: String,
    user: String,
    time: String,
    version: String,
    kind: u8,
    who: String,
    ports: Vec<String>,
    nat: Option<String>,
    timeout: Option<u32>,
    digest: String,
    mode: String,
    hmac: Option<String>,
    bytes: usize,
}

/// `--test`: prints what a packet would say, and sends nothing.
pub(super) fn test(args: &KnockArgs, out: &mut impl Write) -> Outcome {
    let (host, mut server, spa, problems) = asked(args)?;
    for problem in problems {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(stderr(), "{problem}\n");
    }
    server.set_port(spa.client.port);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let made = spa.packet(server.ip(), Time::default().plus(since));
    let (message, packet) = made.map_err(|trouble| failure(&trouble))?;
    let kind = message.kind();
    let Ask::Access { who, ports, nat, timeout } = message.ask else {
        return Err(Failure::usage(words::knock_no_access(safe(&spa.client.name))));
    };
    let fields = Fields {
        host,
        server: server.to_string(),
        user: message.user,
        time: Time::from_secs(message.sent.cast_signed()).to_string(),
        version: message.version,
        kind,
        who: who.to_string(),
        ports: ports.iter().map(ToString::to_string).collect(),
        nat: nat.map(|nat| format!("{},{}", nat.host, nat.port)),
        timeout,
        digest: spa.client.digest.to_string(),
        mode: spa.keys.mode.as_str().to_owned(),
        hmac: spa.keys.hmac.map(|(_, digest)| digest.to_string()),
        bytes: packet.len(),
    };
    if args.json.json {
        crate::cli::rules::write_json(&fields, out)?;
    } else {
        show(&fields, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(fields: &Fields, out: &mut impl Write) -> Result<(), Failure> {
    let dash = || "-".to_owned();
    let rows = [
        (words::knock_server(), format!("{} ({})", safe(&fields.host), fields.server)),
        (words::knock_user(), fields.user.clone()),
        (words::time(), fields.time.clone()),
        (words::knock_kind(), fields.kind.to_string()),
        (words::knock_for_whom(), fields.who.clone()),
        (words::knock_ports(), fields.ports.join(", ")),
        (words::knock_nat(), fields.nat.clone().unwrap_or_else(dash)),
        (words::knock_seconds(), fields.timeout.map_or_else(dash, |n| n.to_string())),
        (words::knock_digest(), fields.digest.clone()),
        (words::knock_mode(), fields.mode.clone()),
        (words::knock_hmac(), fields.hmac.clone().unwrap_or_else(words::none)),
    ];
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        writeln!(out, "{name:<width$}  {value}")?;
    }
    writeln!(out, "{}", words::knock_not_sent(fields.bytes))?;
    Ok(())
}
