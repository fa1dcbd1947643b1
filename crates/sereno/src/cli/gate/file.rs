//! Policies and files: `gate check` and `gate save`.

use super::status;
use crate::cli::args::{ConfigArgs, Json};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::import::firewall::page;
use crate::cli::init;
use crate::cli::paint::moment;
use crate::{policy, run, words};
use sereno_config::{Backend, Severity};
use sereno_core::gate::iptables::Layout;
use sereno_core::gate::policy::{Policy, Rule};
use sereno_core::gate::{Contents, Draft, Gate, render};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Checks the policy of the files, and has nft verify the text of the gate.
pub(super) fn check(config: &ConfigArgs, out: &mut impl Write) -> Outcome {
    let loaded = policy::load(config)?;
    let errors = loaded.outcome.problems.iter().filter(|p| p.severity == Severity::Error);
    let errors: Vec<String> = errors.map(words::problem).collect();
    if !errors.is_empty() {
        return Err(Failure::refused(errors.join("\n")));
    }
    let files = &loaded.outcome.policy;
    let wanted = files.gate.clone().ok_or_else(|| Failure::refused(words::gate_unwritten()))?;
    let rules = words::rules(wanted.rules.len() as u64);
    let draft = Draft { policy: Some(wanted), ..run::setup::draft(files) };
    let gate = Gate::try_from(draft).map_err(Failure::refused)?;
    if files.settings.backend == Backend::Iptables
        && let Err(unsaid) = Layout::of(&gate)
    {
        let all: Vec<String> = unsaid.iter().map(ToString::to_string).collect();
        return Err(Failure::refused(all.join("\n")));
    }
    let said = match verify(&render(&gate, Contents::default(), run::clock())) {
        Ok(None) => words::gate_check_good(rules),
        Ok(Some(said)) => return Err(Failure::refused(words::gate_check_bad(said))),
        Err(why) => words::gate_check_alone(rules, why),
    };
    writeln!(out, "{said}")?;
    Ok(ExitCode::SUCCESS)
}

/// What nft minds about a text, if anything.
///
/// # Errors
/// When it is not there, or may not look.
fn verify(text: &str) -> io::Result<Option<String>> {
    let mut nft = Command::new("nft")
        .args(["--check", "--file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = nft.stdin.take() {
        // Where it stops to listen it says why.
        let _ = stdin.write_all(text.as_bytes());
    }
    let mut said = String::new();
    if let Some(stderr) = nft.stderr.take() {
        stderr.take(4096).read_to_string(&mut said)?;
    }
    match nft.wait()?.success() {
        true => Ok(None),
        false if said.contains("Operation not permitted") => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        false => Ok(Some(said.trim().to_owned())),
    }
}

/// Writes the policy in force as a file.
pub(super) fn save(socket: Option<&Path>, to: &Path, force: bool, out: &mut impl Write) -> Outcome {
    let accepted = status(socket, Json { json: false })?.accepted;
    let accepted = accepted.ok_or_else(|| Failure::refused(words::gate_none()))?;
    let zone = jiff::tz::TimeZone::system();
    let portable =
        |rules: Vec<Rule>| rules.into_iter().map(|rule| rule.portable(&zone)).collect::<Vec<_>>();
    let policy = accepted.policy;
    let (rules, leaving) = (portable(policy.rules), policy.out.map(portable));
    let saved = Policy { rules, out: leaving, ..policy };
    let text = page(&saved, &words::gate_save_head(moment(accepted.since)));
    if to == Path::new("-") {
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    match init::put(to, text.as_bytes(), force) {
        Ok(()) => {
            writeln!(out, "{}", words::written(to.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::refused(words::is_there(to.display())))
        }
        Err(error) => Err(Failure::file(to, &error)),
    }
}
