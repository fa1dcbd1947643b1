//! Commands that are told of a ban: those of actions, and those that say of somebody who is to be
//! banned whether to leave him alone (`ignorecommand`).

use super::names::Names;
use super::process::{Ended, Failure, Stop, run};
use sereno_fail2ban::act::{Script, Ticket};
use std::time::Duration;

/// How long a question may take, as in fail2ban.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The exit code of a command that finds nothing to spare somebody for.
const NO: i32 = 1;

/// Asks a command whether somebody is to be left alone; or says what kept it from answering, with
/// what it printed.
pub fn ask(
    script: &Script,
    ticket: &Ticket,
    names: &mut Names,
    stop: &Stop,
) -> Result<bool, (Failure, String)> {
    let Ended { result, output, .. } = told(script, ticket, names, TIMEOUT, stop);
    match result {
        Ok(()) => Ok(true),
        Err(Failure::Exit(NO)) => Ok(false),
        Err(failure) => Err((failure, output)),
    }
}

/// Runs a script with what a ticket says in its environment.
pub(super) fn told(
    script: &Script,
    ticket: &Ticket,
    names: &mut Names,
    timeout: Duration,
    stop: &Stop,
) -> Ended {
    let values = match ticket.environment(script) {
        Ok(values) => values,
        Err(unfit) => {
            let result = Err(Failure::Unfit(unfit.to_string()));
            return Ended { result, output: String::new(), spent: Duration::ZERO };
        }
    };
    let values: Vec<(String, String)> =
        values.into_iter().map(|(name, value)| (name, names.text(value, stop))).collect();
    run(&script.text, &values, timeout, stop)
}
