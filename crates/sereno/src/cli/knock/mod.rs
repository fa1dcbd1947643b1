//! `sereno knock`: asks at a door, waits until it is open, starts a command.

pub mod args;
mod doors;
mod line;
mod spa;
mod trouble;

use super::failure::{CLOSED, Failure, Outcome};
use crate::words;
use args::KnockArgs;
use line::Line;
use sereno_knock::{Family, Plan, What, addresses, carry_out};
use std::ffi::OsString;
use std::io::{ErrorKind, Write, stderr};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use trouble::failure;

/// Who is asked, and how.
struct Errand {
    /// The server as it was named.
    host: String,
    /// The door, if it has a name: its ports are nobody's business.
    door: Option<String>,
    plan: Plan,
}

/// Runs the command.
///
/// # Errors
/// When there is no such door or server, or nothing can be sent. That the port does not answer is an
/// exit code.
pub fn run(args: &KnockArgs, out: &mut impl Write) -> Outcome {
    if args.packet.spa && (args.udp || !args.knocks.is_empty()) {
        return Err(Failure::usage(words::knock_spa_ports()));
    }
    let errand = match args.packet.spa {
        true if args.packet.test => return spa::test(args, out),
        true => spa::errand(args)?,
        false => doors::errand(args)?,
    };
    if args.command.is_empty() {
        return knock(&errand, args, out).map(exit_code);
    }
    if errand.plan.wait.is_none() {
        return Err(Failure::usage(words::knock_wait_for_what()));
    }
    // Standard output is the command's.
    let open = knock(&errand, args, &mut stderr())?;
    match (open, args.command.split_first()) {
        (Some(true), Some((program, rest))) => start(program, rest, out),
        _ => Ok(exit_code(open)),
    }
}

fn exit_code(open: Option<bool>) -> ExitCode {
    if open == Some(false) { ExitCode::from(CLOSED) } else { ExitCode::SUCCESS }
}

/// Whether the port answers, if one was waited for.
fn knock(errand: &Errand, args: &KnockArgs, out: &mut dyn Write) -> Result<Option<bool>, Failure> {
    let plan = &errand.plan;
    let mut line = Line::begin(errand, args.json, out)?;
    let outcome = carry_out(plan, &mut |progress| line.tell(progress));
    let outcome = outcome.map_err(|trouble| {
        line.broken();
        failure(&trouble)
    })?;
    line.end(errand, &outcome)?;
    Ok(outcome.open)
}

/// Starts the command in place of this program.
fn start(program: &OsString, rest: &[OsString], out: &mut impl Write) -> Outcome {
    out.flush()?;
    sereno_knock::start(program, rest).map_err(|why| {
        let code = if why.kind() == ErrorKind::NotFound { 127 } else { 126 };
        let shown = program.to_string_lossy();
        Failure { message: words::knock_not_started(super::paint::safe(&shown), why), code }
    })
}

impl KnockArgs {
    /// The server's address, in the family that was asked for.
    fn server(&self, host: &str, only_ipv4: bool) -> Result<SocketAddr, Failure> {
        let family = match (self.v4 || only_ipv4 && !self.v6, self.v6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        };
        let found = addresses(host, family).map_err(|trouble| failure(&trouble))?;
        found.first().copied().ok_or_else(|| Failure::refused(words::knock_no_address(host)))
    }

    /// The plan, by what is asked and what a file says.
    fn plan(&self, server: SocketAddr, what: What, said: &Said) -> Plan {
        let delay = self.delay.map(Duration::from_millis).or(said.delay);
        Plan {
            server,
            what,
            delay: delay.unwrap_or(sereno_knock::DELAY),
            wait: self.wait.or(said.wait).filter(|_| !self.no_wait),
            timeout: Duration::from_secs(self.timeout),
            again: !self.once && !said.once,
        }
    }
}

/// What a file says beside the knocks.
#[derive(Default)]
struct Said {
    wait: Option<u16>,
    delay: Option<Duration>,
    once: bool,
}
