//! `sereno import`: what other programs' files say, as files of Sereno's own. This module is about
//! fail2ban's, `firewall` about those of firewalls.

pub mod args;
mod compose;
mod firewall;
mod jail;
mod origin;
mod plan;
mod report;
mod rule;
mod toml;

use super::args::ConfigArgs;
use super::failure::{Failure, Outcome};
use super::init;
use crate::{policy, words};
use args::{FirewallKind, ImportArgs, ImportCommand};
use plan::{MAIN, Plan, RULES};
use sereno_config::{Document, Lang, Severity};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command: exit code 1 when something of the tree was left out.
///
/// # Errors
/// When there is no such tree, nothing of it can be taken over, a file is there already and nobody
/// said to replace it, or one cannot be written.
pub fn run(command: &ImportCommand, out: &mut impl Write) -> Outcome {
    let args = match command {
        ImportCommand::Fail2ban(args) => args,
        ImportCommand::Iptables(args) => return firewall::run(FirewallKind::Iptables, args, out),
        ImportCommand::Ufw(args) => return firewall::run(FirewallKind::Ufw, args, out),
        ImportCommand::Firewalld(args) => return firewall::run(FirewallKind::Firewalld, args, out),
        ImportCommand::Csf(args) => return firewall::run(FirewallKind::Csf, args, out),
    };
    // What programs read is never translated.
    if args.json.json { words::to(Lang::English, || import(args, out)) } else { import(args, out) }
}

fn import(args: &ImportArgs, out: &mut impl Write) -> Outcome {
    if !args.dir.is_dir() {
        return Err(Failure::usage(words::import_no_tree(args.dir.display())));
    }
    let plan = plan::plan(&args.dir, args.keep_filters)?;
    let done = if args.dry_run || plan.files.is_empty() {
        Ok(())
    } else {
        place(&plan.files, &args.into, args.force)
    };
    if done.is_ok() {
        report::tell(&plan, args, out)?;
    }
    done?;
    let left = plan.files.is_empty() || plan.fates.iter().any(report::is_left);
    Ok(ExitCode::from(u8::from(left)))
}

/// Writes the files, and reads them as the program will.
fn place(files: &[Document], into: &Path, force: bool) -> Result<(), Failure> {
    let there = |file: &&Document| into.join(&file.name).symlink_metadata().is_ok();
    if let Some(file) = files.iter().find(there).filter(|_| !force) {
        return Err(Failure::refused(words::is_there(into.join(&file.name).display())));
    }
    let rules = into.join(RULES);
    for folder in [into, &rules] {
        make(folder).map_err(|error| Failure::file(folder, &error))?;
    }
    for file in files {
        let path = into.join(&file.name);
        match init::put(&path, file.text.as_bytes(), force) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Failure::refused(words::is_there(path.display())));
            }
            Err(error) => return Err(Failure::file(&path, &error)),
        }
    }
    reads_back(files, into)
}

/// Makes a folder that everybody may look into; one that is there stays as it is.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// Whether what stands in the folder now is what was written, and says what it should.
fn reads_back(files: &[Document], into: &Path) -> Result<(), Failure> {
    let config = ConfigArgs { config: Some(into.join(MAIN)), ..ConfigArgs::default() };
    let read = policy::load(&config)?.outcome;
    let wrong = read.problems.iter().find(|problem| problem.severity == Severity::Error);
    if let Some(problem) = wrong {
        return Err(Failure::refused(words::import_reads_badly(problem)));
    }
    let ours = files.iter().filter(|file| file.name != MAIN);
    let in_force =
        |file: &&Document| read.policy.filter_rules.iter().any(|rule| rule.text.text == file.text);
    match ours.clone().find(|file| !in_force(file)) {
        Some(file) => {
            Err(Failure::refused(words::import_overruled(into.join(&file.name).display())))
        }
        None => Ok(()),
    }
}

/// What a plan's files are, for those who see them before they are written.
fn shown(plan: &Plan, into: &Path) -> String {
    let one = |file: &Document| format!("==> {}\n{}\n", into.join(&file.name).display(), file.text);
    plan.files.iter().map(one).collect()
}
