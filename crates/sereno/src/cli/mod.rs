//! The command line: each command reads its arguments, asks whom it must, and prints.

pub mod args;
pub mod check;
pub mod client;
pub mod door;
pub mod fail2ban;
pub mod fail2ban_regex;
pub mod failure;
pub mod gate;
pub mod import;
pub mod init;
pub mod knock;
pub mod lists;
pub mod pages;
pub mod paint;
pub mod progress;
pub mod read;
pub mod replay;
pub mod rules;
pub mod scan;
pub mod show;
mod talk;

use args::{Cli, Command};
use clap::Parser;
use failure::Outcome;
use sereno_fail2ban::client::args::Program;
use sereno_wire::control::Ask;
use std::io::{BufWriter, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reads the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (called, regex) = (fail2ban::called(), fail2ban_regex::called());
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    let outcome = match (called, regex) {
        (Some((program, args)), _) => fail2ban::run(program, &args, socket().as_deref(), &mut out),
        (None, Some(words)) => fail2ban_regex::run(&words, &mut out),
        (None, None) => run(&Cli::parse(), &mut out),
    };
    let outcome = outcome.and_then(|code| Ok(out.flush().map(|()| code)?));
    outcome.unwrap_or_else(|failure| failure.report(&mut stderr()))
}

/// What the environment says about the control socket; clap reads it for every other name.
fn socket() -> Option<PathBuf> {
    std::env::var_os("SERENO_SOCKET").map(PathBuf::from)
}

fn run(cli: &Cli, out: &mut impl Write) -> Outcome {
    let socket = cli.socket.as_deref();
    match &cli.command {
        Command::Scan(args) => scan::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::Rules(command) => rules::run(command, out),
        Command::Check(args) => check::run(args, out),
        Command::Init(args) => init::run(args, out),
        Command::Knock(args) => knock::run(args, out),
        Command::Import(command) => import::run(command, out),
        Command::Completion { shell } => pages::completion(*shell, out),
        Command::Man { to } => pages::man(to.as_deref(), out),
        Command::Run(args) => crate::run::run(args, socket),
        Command::Status(how) => client::status(socket, *how, out),
        Command::Bans(how) => client::bans(socket, *how, out),
        Command::Ban(args) => client::ban(socket, args, out),
        Command::Unban(args) => client::unban(socket, args, out),
        Command::Door(command) => door::run(socket, command, out),
        Command::Gate(command) => gate::run(socket, command, out),
        Command::Lists(command) => lists::run(socket, command, out),
        Command::Panic { force, json } => gate::panic(socket, *force, *json, out),
        Command::Resume(how) => gate::resume(socket, *how, out),
        Command::Why(args) => client::why(socket, args, out),
        Command::Watch(how) => client::watch(socket, *how, out),
        Command::Reload(how) => client::order(socket, Ask::Reload, *how, out),
        Command::Stop(args) => {
            let ask = if args.give_back { Ask::GiveBack } else { Ask::Stop };
            client::order(socket, ask, args.json, out)
        }
        Command::Fail2banClient { words } => fail2ban::run(Program::Client, words, socket, out),
        Command::Fail2banRegex { words } => fail2ban_regex::run(words, out),
        Command::Fail2banServer { words } => fail2ban::run(Program::Server, words, socket, out),
    }
}
