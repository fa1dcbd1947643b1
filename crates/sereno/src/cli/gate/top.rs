//! `sereno gate top`: what is stopped, by what, and how much of it just now.

use super::show;
use crate::cli::args::Json;
use crate::cli::client::json_status;
use crate::cli::failure::Outcome;
use crate::cli::paint::{self, Column, Paint, number, table};
use crate::cli::talk::{Talk, unexpected};
use crate::words;
use sereno_core::gate::Reason;
use sereno_wire::control::{Ask, Reply};
use sereno_wire::gate::GateAsk;
use std::io::{self, IsTerminal, Write, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);
/// Clears a terminal and begins at its top (ECMA-48, ED and CUP).
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

type Counts = Vec<(Reason, u64)>;

/// Runs the command.
///
/// # Errors
/// When no Sereno answers, or the output fails.
pub(super) fn run(socket: Option<&Path>, once: bool, how: Json, out: &mut impl Write) -> Outcome {
    let mut before: Option<(Instant, Counts)> = None;
    loop {
        let counts = ask(socket, how)?;
        if how.json {
            json_status(out, &counts)?;
            return Ok(ExitCode::SUCCESS);
        }
        let live = !once && stdout().is_terminal();
        if live {
            write!(out, "{CLEAR}")?;
        }
        let now = Instant::now();
        show(&counts, before.as_ref().map(|(at, counts)| (now - *at, counts)), out)?;
        out.flush()?;
        if !live {
            return Ok(ExitCode::SUCCESS);
        }
        before = Some((now, counts));
        std::thread::sleep(EVERY);
    }
}

fn ask(socket: Option<&Path>, how: Json) -> Result<Counts, crate::cli::failure::Failure> {
    match Talk::begin(socket, how)?.ask(Ask::Gate(GateAsk::Stopped))? {
        Reply::Stopped(counts) => Ok(counts),
        _ => Err(unexpected()),
    }
}

fn show(
    counts: &Counts,
    before: Option<(Duration, &Counts)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let rate = |reason: &Reason, count: u64| {
        let (span, before) = before?;
        let (_, old) = before.iter().find(|(known, _)| known == reason)?;
        Some(count.saturating_sub(*old) as f64 / span.as_secs_f64().max(0.001))
    };
    let mut rows: Vec<(Option<f64>, u64, &Reason)> =
        counts.iter().map(|(reason, count)| (rate(reason, *count), *count, reason)).collect();
    rows.sort_by(|a, b| {
        let now = |rate: Option<f64>| rate.unwrap_or_default();
        now(b.0).total_cmp(&now(a.0)).then(b.1.cmp(&a.1))
    });
    if rows.is_empty() {
        return writeln!(out, "{}", words::top_nothing());
    }
    let columns = [
        Column::right(words::top_now()),
        Column::right(words::top_all()),
        Column::left(words::top_reason(), paint::WHO),
    ];
    let row = |(rate, count, reason): &(Option<f64>, u64, &Reason)| {
        let rate = rate.map_or_else(|| "-".to_owned(), |rate| number(rate.round() as u64));
        vec![rate, number(*count), show::reason(reason)]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    write!(out, "{}", table(Paint::on(&stdout()), &columns, &rows))
}
