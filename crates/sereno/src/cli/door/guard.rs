//! `sereno door guard`: a door that is made if it is not there, a knock that shows that its
//! administrator can get in, and a trial.

use super::files::{random, write};
use super::{asked, door};
use crate::cli::args::GuardArgs;
use crate::cli::client::json;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::talk::Talk;
use crate::words;
use sereno_core::door::{Hit, Sequence};
use sereno_core::gate::{Name, Ports};
use sereno_wire::control::{Ask, Reply};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ports of a knock that is made.
const HITS: usize = 4;
/// From which to which they are taken: above the services, below what Linux gives to connections.
const FROM: u16 = 2_000;
const TO: u16 = 32_000;
/// How often it is asked whether somebody knocked.
const LOOK: Duration = Duration::from_millis(500);

/// Closes a door on trial.
///
/// # Errors
/// No Sereno answers, there is no such door and none can be made, nobody knocked.
pub(super) fn run(socket: Option<&Path>, args: &GuardArgs, out: &mut impl Write) -> Outcome {
    let name = door(&args.name)?;
    let length = time(&args.length)?;
    let session = match args.console {
        true => None,
        false => Some(session().ok_or_else(|| Failure::usage(words::guard_who()))?),
    };
    let known = asked(socket, args.json)?.doors.iter().any(|door| door.name == name);
    if !known {
        make(socket, args, name, session, out)?;
    } else if let Some((addr, _)) = session.filter(|_| !args.json.json) {
        writeln!(out, "{}", words::guard_again(addr, name))?;
    }
    let ask = Ask::Guard { door: name, session: session.map(|(addr, _)| addr), seconds: length };
    let since = Instant::now();
    let wait = Duration::from_secs(time(&args.wait)?);
    if !args.json.json && session.is_some() {
        writeln!(out, "{}", words::guard_waits(wait.as_secs()))?;
        out.flush()?;
    }
    loop {
        // Whatever else it is refused for, it is refused for at the end too.
        match Talk::begin(socket, args.json)?.ask(ask.clone()) {
            Ok(Reply::Done { .. }) => break,
            Ok(_) => return Err(Failure::refused(words::other_version())),
            Err(refused) if session.is_none() || since.elapsed() >= wait => return Err(refused),
            Err(_) => sleep(LOOK),
        }
    }
    if args.json.json {
        json(out, &serde_json::json!({ "door": name, "seconds": length }))?;
    } else {
        writeln!(out, "{}", words::guard_on_trial(name, length))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(text: &str) -> Result<u64, Failure> {
    let length = sereno_config::duration(text).map_err(Failure::usage)?;
    Ok(length.map_or(u64::MAX, |length| length.as_secs()))
}

/// Where this session comes from, and the address of ours that it came to.
fn session() -> Option<(IpAddr, IpAddr)> {
    let text = std::env::var("SSH_CONNECTION").ok()?;
    let mut words = text.split(' ');
    Some((words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?))
}

/// Makes a door with a knock of its own, open to all until it is guarded.
fn make(
    socket: Option<&Path>,
    args: &GuardArgs,
    name: Name,
    session: Option<(IpAddr, IpAddr)>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let ports = match (&args.ports, args.name.as_str()) {
        (Some(ports), _) => ports.parse().map_err(Failure::usage)?,
        (None, "ssh" | "sshd") => sshd(),
        (None, "web") => "tcp/80, tcp/443".parse().map_err(Failure::usage)?,
        (None, _) => return Err(Failure::refused(words::guard_unknown(name))),
    };
    let hits = knock()?;
    let list: Vec<String> = hits.iter().map(u16::to_string).collect();
    let path = args.into.join(format!("door-{name}.toml"));
    let text = format!(
        "[door.{name}]\nports = {}\nknock = [{}]\nopen = \"30s\"\nclosed = false\n",
        toml(&ports),
        list.join(", ")
    );
    write(&path, &text)?;
    match Talk::begin(socket, args.json)?.ask(Ask::Reload) {
        Ok(Reply::Done { .. }) => {}
        Ok(_) => return Err(Failure::refused(words::other_version())),
        Err(refused) => {
            let _ = std::fs::remove_file(&path);
            return Err(refused);
        }
    }
    let known = asked(socket, args.json)?.doors.iter().any(|door| door.name == name);
    if !known {
        // It was told to read other files.
        let _ = std::fs::remove_file(&path);
        return Err(Failure::refused(words::guard_unread(path.display())));
    }
    if args.json.json {
        return Ok(());
    }
    let list = list.join(" ");
    let told = match session {
        Some((from, here)) => words::guard_knock(from, here, list),
        None => words::guard_knock_is(list),
    };
    writeln!(out, "{}\n{told}", words::guard_made(path.display())).map_err(Failure::io)?;
    out.flush().map_err(Failure::io)
}

/// The ports of the sshd that runs here; 22 if none is found.
fn sshd() -> Ports {
    let facts = crate::discover::gather(Path::new("/"));
    let ports = facts.sshd.map(|sshd| sshd.ports).unwrap_or_default();
    let list: Vec<String> = ports.iter().map(|port| format!("tcp/{port}")).collect();
    list.join(", ").parse().or_else(|_| "tcp/22".parse()).unwrap_or(Ports::All)
}

fn toml(ports: &Ports) -> String {
    let list: Vec<String> = ports.to_string().split(", ").map(|port| format!("{port:?}")).collect();
    format!("[{}]", list.join(", "))
}

/// Ports in an order that nobody meets by chance.
fn knock() -> io::Result<Vec<u16>> {
    loop {
        let bytes = random(HITS * 2)?;
        let span = u32::from(TO - FROM);
        let port = |two: &[u8]| {
            let number = u32::from(u16::from_be_bytes([two[0], two[1]]));
            FROM + u16::try_from(number * span / 65_536).unwrap_or(0)
        };
        let ports: Vec<u16> = bytes.bytes().chunks_exact(2).map(port).collect();
        let hits = ports.iter().map(|port| Hit::tcp(*port)).collect();
        let twice = (1..ports.len()).any(|at| ports[..at].contains(&ports[at]));
        if !twice && Sequence::new(hits).is_some_and(|sequence| !sequence.is_weak()) {
            return Ok(ports);
        }
    }
}
