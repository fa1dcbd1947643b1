//! `sereno gate`: try, keep, take back and explain who may reach what.

pub mod args;
mod file;
mod show;
mod top;

use super::client::{did, json_status};
use super::failure::{Failure, Outcome};
use super::talk::{Talk, unexpected};
use crate::cli::args::Json;
use crate::words;
use args::{ExplainArgs, Form, GateCommand};
use sereno_core::gate::Judgement;
use sereno_wire::control::{Ask, Reply};
use sereno_wire::gate::{GateAsk, PolicyStatus, Probe};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When no Sereno answers, it refuses, or the output fails.
pub fn run(socket: Option<&Path>, command: &GateCommand, out: &mut impl Write) -> Outcome {
    match command {
        GateCommand::Apply { length, force, json } => {
            let seconds = seconds(length)?;
            let ask = GateAsk::Apply { seconds, force: *force, session: session() };
            tried(socket, ask, seconds, *json, out)
        }
        GateCommand::Revert { number, length, json } => {
            let seconds = seconds(length)?;
            let on_trial = status(socket, *json)?.trying.is_some() && number.is_none();
            let ask = GateAsk::Revert { number: *number, seconds };
            if on_trial {
                return order(socket, ask, &words::gate_done_ended(), *json, out);
            }
            tried(socket, ask, seconds, *json, out)
        }
        GateCommand::Confirm(how) => {
            order(socket, GateAsk::Confirm, &words::gate_done_kept(), *how, out)
        }
        GateCommand::Flush(how) => {
            order(socket, GateAsk::Flush, &words::gate_done_open(), *how, out)
        }
        GateCommand::Show(how) => {
            let status = status(socket, *how)?;
            if how.json {
                json_status(out, &status)?;
            } else {
                show::policy(&status, out)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        GateCommand::History(how) => {
            let status = status(socket, *how)?;
            if how.json {
                json_status(out, &status.history)?;
            } else {
                show::history(&status, out)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        GateCommand::Diff(how) => match Talk::begin(socket, *how)?.ask(Ask::Gate(GateAsk::Diff))? {
            Reply::Reachable(found) => {
                if how.json {
                    json_status(out, &found)?;
                } else {
                    show::reachable(&found, out)?;
                }
                Ok(ExitCode::from(u8::from(found.listeners.iter().any(show::is_bad))))
            }
            _ => Err(unexpected()),
        },
        GateCommand::Suggest => suggest(out),
        GateCommand::Explain(args) => explain(socket, args, out),
        GateCommand::Top { once, json } => top::run(socket, *once, *json, out),
        GateCommand::Check { config } => file::check(config, out),
        GateCommand::Save { to, force } => file::save(socket, to, *force, out),
        GateCommand::Export { iptables: true, .. } => export(socket, Form::Iptables, out),
        GateCommand::Export { form, .. } => export(socket, *form, out),
    }
}

/// Lets nothing in any more.
///
/// # Errors
/// As [`run`]; and where it would cut off who says it.
pub fn panic(socket: Option<&Path>, force: bool, how: Json, out: &mut impl Write) -> Outcome {
    if session().is_some() && !force {
        return Err(Failure::refused(words::panic_console()));
    }
    order(socket, GateAsk::Panic { begins: true }, &words::policy_panic(), how, out)
}

/// Ends that.
///
/// # Errors
/// As [`run`].
pub fn resume(socket: Option<&Path>, how: Json, out: &mut impl Write) -> Outcome {
    order(socket, GateAsk::Panic { begins: false }, &words::policy_resumed(), how, out)
}

fn seconds(text: &str) -> Result<u64, Failure> {
    let length = sereno_config::duration(text).map_err(Failure::usage)?;
    Ok(length.map_or(u64::MAX, |length| length.as_secs()))
}

/// Both ends of the connection of this session, as sshd tells them.
fn session() -> Option<(SocketAddr, SocketAddr)> {
    let text = std::env::var("SSH_CONNECTION").ok()?;
    let mut words = text.split(' ');
    let mut end = || {
        let addr: IpAddr = words.next()?.parse().ok()?;
        Some(SocketAddr::new(addr, words.next()?.parse().ok()?))
    };
    Some((end()?, end()?))
}

fn status(socket: Option<&Path>, how: Json) -> Result<PolicyStatus, Failure> {
    match Talk::begin(socket, how)?.ask(Ask::Gate(GateAsk::Show))? {
        Reply::Gate(status) => Ok(*status),
        _ => Err(unexpected()),
    }
}

fn order(
    socket: Option<&Path>,
    ask: GateAsk,
    said: &str,
    how: Json,
    out: &mut impl Write,
) -> Outcome {
    did(Talk::begin(socket, how)?.ask(Ask::Gate(ask))?, said, how, out)
}

/// As [`order`]; and says how to keep what is on trial then.
fn tried(
    socket: Option<&Path>,
    ask: GateAsk,
    seconds: u64,
    how: Json,
    out: &mut impl Write,
) -> Outcome {
    let reply = Talk::begin(socket, how)?.ask(Ask::Gate(ask))?;
    let on_trial = status(socket, how)?.trying.is_some();
    let code = did(reply, "", how, out)?;
    if on_trial && !how.json {
        writeln!(out, "{}", words::gate_on_trial(seconds))?;
    }
    Ok(code)
}

fn explain(socket: Option<&Path>, args: &ExplainArgs, out: &mut impl Write) -> Outcome {
    let proto = match args.proto.as_str() {
        "ping" => None,
        proto => Some(proto.parse().map_err(Failure::usage)?),
    };
    let port = match (proto, args.port) {
        (Some(_), Some(port)) => port,
        (None, None) => 0,
        _ => return Err(Failure::usage(words::explain_port())),
    };
    let (from, to, on) = (args.from, args.to, args.on.clone());
    let probe = Probe { proto, from, port, to, on, out: args.out };
    match Talk::begin(socket, args.json)?.ask(Ask::Gate(GateAsk::Explain(probe)))? {
        Reply::Explained(judgement) => {
            if args.json.json {
                json_status(out, &judgement)?;
            } else {
                told(&judgement, args.out, out)?;
            }
            Ok(ExitCode::from(u8::from(!judgement.passes)))
        }
        _ => Err(unexpected()),
    }
}

fn suggest(out: &mut impl Write) -> Outcome {
    let root = Path::new("/");
    let (facts, listeners) = (crate::discover::gather(root), crate::discover::listeners(root));
    let rtp = facts.asterisk.as_ref().and_then(|_| crate::discover::rtp(root));
    let text = sereno_config::suggest_gate(&facts, &listeners, rtp, words::lang());
    out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn told(judgement: &Judgement, leaves: bool, out: &mut impl Write) -> std::io::Result<()> {
    let verdict = match (leaves, judgement.passes) {
        (false, true) => words::gate_passes(),
        (false, false) => words::gate_stopped(),
        (true, true) => words::gate_leaves(),
        (true, false) => words::gate_kept(),
    };
    let reasons: Vec<String> = judgement.reasons.iter().map(show::reason).collect();
    let reasons = if reasons.is_empty() { vec![words::reason_none()] } else { reasons };
    writeln!(out, "{verdict}: {}", reasons.join("; "))
}

fn export(socket: Option<&Path>, form: Form, out: &mut impl Write) -> Outcome {
    match form {
        Form::Json => {
            let status = status(socket, Json { json: true })?;
            json_status(out, &status.accepted.map(|accepted| accepted.policy))?;
        }
        Form::Nft | Form::Iptables => {
            let ask = if form == Form::Nft { GateAsk::Text } else { GateAsk::Iptables };
            match Talk::begin(socket, Json { json: false })?.ask(Ask::Gate(ask))? {
                Reply::Text(text) => out.write_all(text.as_bytes())?,
                _ => return Err(unexpected()),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
