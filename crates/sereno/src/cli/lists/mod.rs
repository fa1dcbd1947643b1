//! `sereno lists`: lists of addresses that shut out.

pub mod args;

use super::args::Json;
use super::client::{did, json_status};
use super::failure::Outcome;
use super::paint::{self, Column, Paint, moment, table};
use super::talk::{Talk, unexpected};
use crate::words;
use args::ListsCommand;
use sereno_core::gate::list::Use;
use sereno_wire::control::{Ask, Reply};
use sereno_wire::gate::{ListAsk, ListStatus};
use std::io::{self, Write, stdout};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When no Sereno answers, it refuses, or the output fails.
pub fn run(socket: Option<&Path>, command: &ListsCommand, out: &mut impl Write) -> Outcome {
    match command {
        ListsCommand::Show(how) => {
            let lists = ask(socket, None, *how)?;
            if how.json {
                json_status(out, &lists)?;
            } else {
                show(&lists, out)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        ListsCommand::Find { addr, json } => {
            let lists = ask(socket, Some(*addr), *json)?;
            let holds = |list: &&ListStatus| list.holds == Some(true);
            let names: Vec<String> =
                lists.iter().filter(holds).map(|list| list.name.to_string()).collect();
            if json.json {
                json_status(out, &names)?;
            } else if names.is_empty() {
                writeln!(out, "{}", words::lists_holds_not(addr))?;
            } else {
                writeln!(out, "{}", words::lists_holds(addr, names.join(", ")))?;
            }
            Ok(ExitCode::from(u8::from(names.is_empty())))
        }
        ListsCommand::Refresh { name, json } => {
            let name = name.as_deref().map(str::parse).transpose();
            let name = name.map_err(super::failure::Failure::usage)?;
            let reply = Talk::begin(socket, *json)?.ask(Ask::Lists(ListAsk::Refresh { name }))?;
            did(reply, &words::lists_asked(), *json, out)
        }
    }
}

fn ask(
    socket: Option<&Path>,
    addr: Option<IpAddr>,
    how: Json,
) -> Result<Vec<ListStatus>, super::failure::Failure> {
    match Talk::begin(socket, how)?.ask(Ask::Lists(ListAsk::Show { addr }))? {
        Reply::Lists(lists) => Ok(lists),
        _ => Err(unexpected()),
    }
}

/// What a list does.
fn deed(list: &ListStatus) -> String {
    let deed = list.to.map(|to| match to {
        Use::Closes => words::lists_closes(&list.ports),
        Use::Opens => words::lists_opens(&list.ports),
    });
    let friends = list.friends.then(words::lists_friends);
    deed.into_iter().chain(friends).collect::<Vec<_>>().join(", ")
}

fn show(lists: &[ListStatus], out: &mut impl Write) -> io::Result<()> {
    if lists.is_empty() {
        return writeln!(out, "{}", words::lists_none());
    }
    let plain = anstyle::Style::new();
    let columns = [
        Column::left(words::lists_name(), paint::WHO),
        Column::left(words::lists_deed(), plain),
        Column::right(words::lists_ranges()),
        Column::right(words::lists_addresses()),
        Column::left(words::lists_fetched(), plain),
        Column::right(words::lists_packets()),
    ];
    let row = |list: &ListStatus| {
        let at = list.fetched.as_deref().and_then(|at| at.parse().ok());
        let fetched = match (list.read, at) {
            (false, _) => words::lists_reading(),
            (true, None) if list.far => words::lists_never(),
            (true, None) => words::lists_here(),
            (true, Some(at)) => moment(at),
        };
        let fetched = match list.in_force {
            true => fetched,
            false => words::lists_not_in_force(fetched),
        };
        let packets = list.packets.map_or_else(|| "-".to_owned(), paint::number);
        let counts = [list.ranges, list.addresses].map(paint::number);
        let [ranges, addresses] = counts;
        vec![list.name.to_string(), deed(list), ranges, addresses, fetched, packets]
    };
    let rows: Vec<Vec<String>> = lists.iter().map(row).collect();
    write!(out, "{}", table(Paint::on(&stdout()), &columns, &rows))?;
    for list in lists {
        let left = [
            (list.unknown, words::lists_unknown(list.unknown)),
            (list.wide, words::lists_wide(list.wide)),
            (list.private, words::lists_private(list.private)),
        ];
        let left: Vec<String> =
            left.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
        if !left.is_empty() {
            writeln!(out, "{}", words::lists_left(list.name, left.join(", ")))?;
        }
        for problem in &list.problems {
            writeln!(out, "{}", words::list_problem(list.name, paint::safe(problem)))?;
        }
    }
    Ok(())
}
