//! `sereno door`: see and work the doors.

mod files;
mod guard;
mod invite;
mod keygen;

use super::args::{DoorCommand, Json};
use super::client::{done, json_status};
use super::failure::{Failure, Outcome};
use super::paint::{self, Column, Paint, moment, table};
use super::talk::{Talk, unexpected};
use crate::words;
use sereno_core::gate::Name;
use sereno_wire::control::{Ask, DoorStatus, HeardStatus, Reply, Status};
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When no Sereno answers, it refuses, or the output fails.
pub fn run(socket: Option<&Path>, command: &DoorCommand, out: &mut impl Write) -> Outcome {
    match command {
        DoorCommand::List(how) => list(socket, *how, out),
        DoorCommand::Show(args) => match &args.invite {
            Some(host) => invite::run(door(&args.name)?, host, &args.config, out),
            None => show(socket, &args.name, args.json, out),
        },
        DoorCommand::Open { name, addr, length, json } => {
            let length = length.as_deref().map(sereno_config::duration).transpose();
            let length = length.map_err(Failure::usage)?.flatten();
            let seconds = length.map(|length| length.as_secs());
            let ask = Ask::LetIn { door: door(name)?, addr: *addr, seconds };
            worked(Talk::begin(socket, *json)?.ask(ask)?, *json, out)
        }
        DoorCommand::Close { name, addr, json } => {
            let ask = Ask::PutOut { door: door(name)?, addr: *addr };
            let reply = Talk::begin(socket, *json)?.ask(ask)?;
            let nobody = matches!(reply, Reply::Done { count: 0, .. });
            worked(reply, *json, out)?;
            Ok(ExitCode::from(u8::from(nobody)))
        }
        DoorCommand::Guard(args) => guard::run(socket, args, out),
        DoorCommand::Confirm { name, open, json } => {
            let ask = Ask::Confirm { door: door(name)?, open: *open };
            worked(Talk::begin(socket, *json)?.ask(ask)?, *json, out)
        }
        DoorCommand::Keygen(args) => keygen::run(args, out),
    }
}

/// What came of it; a number of bans it is not.
fn worked(reply: Reply, how: Json, out: &mut impl Write) -> Outcome {
    match reply {
        Reply::Done { notes, .. } if !how.json => done(Reply::Done { count: 0, notes }, how, out),
        reply => done(reply, how, out),
    }
}

/// A door by its name; files of other programs may write it with capitals.
fn door(name: &str) -> Result<Name, Failure> {
    name.to_ascii_lowercase().parse().map_err(Failure::usage)
}

fn asked(socket: Option<&Path>, how: Json) -> Result<Status, Failure> {
    match Talk::begin(socket, how)?.ask(Ask::Status)? {
        Reply::Status(status) => Ok(*status),
        _ => Err(unexpected()),
    }
}

fn list(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Outcome {
    let status = asked(socket, how)?;
    if how.json {
        let all = serde_json::json!({ "doors": status.doors, "heard": status.heard });
        json_status(out, &all)?;
        return Ok(ExitCode::SUCCESS);
    }
    if status.doors.is_empty() {
        writeln!(out, "{}", words::no_doors())?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(out, "{}", doors(&status.doors))?;
    for door in &status.doors {
        entries(door, out)?;
    }
    if let Some(heard) = &status.heard {
        writeln!(out, "{}", said(heard))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Doors as a table.
fn doors(doors: &[DoorStatus]) -> String {
    let plain = anstyle::Style::new();
    let columns = [
        Column::left(words::door_head(), paint::WHO),
        Column::left(words::opened_by(), plain),
        Column::left(words::behind_it(), plain),
        Column::left(words::for_others(), plain),
        Column::right(words::holds()),
        Column::right(words::who_is_in()),
    ];
    let row = |door: &DoorStatus| {
        vec![
            door.name.to_string(),
            words::door_way(&door.way).to_owned(),
            behind(door),
            if door.closed { words::closed() } else { words::not_ours() },
            match door.hold {
                _ if door.closes => "-".to_owned(),
                Some(seconds) => words::seconds(seconds),
                None => words::for_ever(),
            },
            door.entries.len().to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = doors.iter().map(row).collect();
    table(Paint::on(&stdout()), &columns, &rows)
}

fn behind(door: &DoorStatus) -> String {
    match door.ports.as_str() {
        "" => words::a_command(),
        "asked" => words::what_is_asked(),
        ports if door.closes => words::shuts_ports(ports),
        ports => ports.to_owned(),
    }
}

fn entries(door: &DoorStatus, out: &mut impl Write) -> std::io::Result<()> {
    let paint = Paint::on(&stdout());
    for entry in &door.entries {
        let until =
            entry.until.map_or_else(words::for_ever, |until| words::until_time(moment(until)));
        let mut port = entry.port.as_deref().unwrap_or(&door.ports).to_owned();
        if let Some(to) = &entry.to {
            port = format!("{port} -> {}", paint::safe(to));
        }
        let who = paint.style(paint::WHO, &entry.addr.to_string());
        writeln!(out, "{}", words::is_in(who, door.name, port, until))?;
    }
    Ok(())
}

fn said(heard: &HeardStatus) -> String {
    let counts = words::doors_heard(
        words::packets(heard.packets),
        heard.knocked,
        heard.spoiled,
        heard.granted,
    );
    let refused: u64 = heard.refused.iter().map(|(_, count)| count).sum();
    let mut said = vec![counts];
    if refused > 0 {
        let each: Vec<String> =
            heard.refused.iter().map(|(why, count)| format!("{why} {count}")).collect();
        said.push(words::doors_refused(refused, each.join(", ")));
    }
    said.extend((heard.lost > 0).then(|| words::alarm_doors_lost(words::packets(heard.lost))));
    said.extend((!heard.listening).then(words::doors_not_heard));
    said.join("\n")
}

fn show(socket: Option<&Path>, name: &str, how: Json, out: &mut impl Write) -> Outcome {
    let name = door(name)?;
    let status = asked(socket, how)?;
    let Some(door) = status.doors.iter().find(|door| door.name == name) else {
        return Err(Failure::refused(words::unknown_door(name)));
    };
    if how.json {
        json_status(out, door)?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(out, "{}", doors(std::slice::from_ref(door)))?;
    if door.title != name.as_str() {
        writeln!(out, "{}", words::door_title(paint::safe(&door.title)))?;
    }
    entries(door, out)?;
    Ok(ExitCode::SUCCESS)
}
