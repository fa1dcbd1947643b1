//! `sereno check`: every problem of the configuration at once.

mod programs;

use super::args::CheckArgs;
use super::failure::Outcome;
use super::paint::{self, Paint};
use super::rules::{Told, write_json};
use crate::doors::Doors;
use crate::{policy, words};
use serde::Serialize;
use sereno_config::{JailConf, Lang, SourceConf};
use sereno_core::gate::Name;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

/// What `--json` gives.
#[derive(Serialize)]
struct Checked<'a> {
    files: Vec<String>,
    jails: Vec<&'a str>,
    doors: Vec<&'a str>,
    problems: Vec<Told<'a>>,
    /// Logs that are not there (yet).
    missing: Vec<Missing<'a>>,
    /// Programs that commands start and that are not installed.
    programs: Vec<programs::Absent>,
}

/// A log that a jail reads and that is not there.
#[derive(Serialize)]
struct Missing<'a> {
    jail: &'a str,
    logpath: &'a str,
}

/// Runs the command: exit code 1 when there is any error, or when nothing is left to guard. What can
/// be meant (a log that comes later) is a warning.
///
/// # Errors
/// When a file cannot be read, or the output not be written.
pub fn run(args: &CheckArgs, out: &mut impl Write) -> Outcome {
    // Programs are spoken to in English.
    let lang = if args.json.json { Lang::English } else { words::lang() };
    let loaded = words::to(lang, || policy::load(&args.config))?;
    let outcome = &loaded.outcome;
    let missing: Vec<Missing<'_>> = outcome.policy.jails.iter().flat_map(missing).collect();
    let policy = &outcome.policy;
    let nothing = policy.jails.is_empty() && policy.gate.is_none() && policy.lists.is_empty();
    let nothing = nothing && loaded.doors.is_empty();
    let failed = outcome.has_errors() || nothing && !outcome.problems.is_empty();
    let code = ExitCode::from(u8::from(failed));
    let absent = programs::absent(&loaded);
    let doors: Vec<&str> = loaded.doors.policies.iter().map(|door| door.name.as_str()).collect();
    if args.json.json {
        let checked = Checked {
            files: loaded.files.iter().map(|path| path.display().to_string()).collect(),
            jails: outcome.policy.jails.iter().map(|jail| jail.policy.name.as_str()).collect(),
            doors: doors.clone(),
            problems: outcome.problems.iter().map(Told::new).collect(),
            missing,
            programs: absent,
        };
        write_json(&checked, out)?;
        return Ok(code);
    }
    let paint = Paint::on(&stdout());
    for problem in &outcome.problems {
        writeln!(out, "{}\n", words::problem(problem))?;
    }
    for Missing { jail, logpath } in &missing {
        writeln!(out, "{}", words::log_missing(jail, paint::safe(logpath)))?;
    }
    for program in &absent {
        writeln!(out, "{}", program.words())?;
    }
    if loaded.found {
        writeln!(out, "{}", words::no_configuration(policy::DEFAULT))?;
    }
    let names: Vec<&str> =
        outcome.policy.jails.iter().map(|jail| jail.policy.name.as_str()).collect();
    let (style, verdict) = if !outcome.problems.is_empty() {
        (paint::BAD, words::problems(outcome.problems.len() as u64))
    } else if names.is_empty() && doors.is_empty() {
        (paint::ODD, words::nothing_guarded())
    } else {
        (paint::GOOD, words::all_fine(words::jails(names.len() as u64), names.join(", ")))
    };
    if !doors.is_empty() {
        writeln!(out, "{}", words::doors_are(doors.join(", ")))?;
        for (door, ports) in closing(&loaded.doors) {
            writeln!(out, "  {}", words::door_closes(ports, door))?;
        }
    }
    if nothing && !outcome.problems.is_empty() {
        writeln!(out, "{}", paint.style(paint::ODD, &words::nothing_guarded()))?;
    }
    writeln!(out, "{}", paint.style(style, &verdict))?;
    out.flush()?;
    Ok(code)
}

/// The doors that close ports to all others, and which; each ports once.
fn closing(doors: &Doors) -> Vec<(Name, String)> {
    let mut closing: Vec<(Name, String)> = Vec::new();
    for door in &doors.policies {
        for ports in door.closes().map(ToString::to_string) {
            if !closing.iter().any(|(_, known)| *known == ports) {
                closing.push((door.name, ports));
            }
        }
    }
    closing
}

/// The logs of a jail that are not there.
fn missing(jail: &JailConf) -> impl Iterator<Item = Missing<'_>> {
    let files = jail.sources.iter().flat_map(|source| match source {
        SourceConf::Files(paths) => paths.as_slice(),
        SourceConf::Journal(_) | SourceConf::Gate(_) => &[],
    });
    let gone = files.filter(|path| *path != crate::run::sources::STDIN && !could_name_a_file(path));
    gone.map(|path| Missing { jail: jail.policy.name.as_str(), logpath: path })
}

/// Whether a path is there, or, of one with wildcards, the folder in which they begin.
fn could_name_a_file(path: &str) -> bool {
    match path.find(['*', '?', '[']) {
        None => Path::new(path).exists(),
        Some(wild) => {
            let folder = path[..wild].rfind('/').map_or("/", |end| &path[..=end]);
            Path::new(folder).is_dir()
        }
    }
}
