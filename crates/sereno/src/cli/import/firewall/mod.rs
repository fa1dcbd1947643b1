//! `sereno import iptables`, `ufw`, `firewalld` and `csf`: another firewall's rules as a `[gate]`.

mod files;
mod page;
mod report;

pub(in crate::cli) use page::page;

use super::args::{FirewallArgs, FirewallKind};
use super::toml;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::init;
use crate::words;
use sereno_config::{Document, Lang, Severity};
use sereno_core::gate::policy::Policy;
use sereno_import::{Grade, Imported};
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs the command: exit code 1 when something could not be expressed.
///
/// # Errors
/// When there is nothing to read, a file is there already and nobody said to replace it, or one cannot
/// be written.
pub(super) fn run(kind: FirewallKind, args: &FirewallArgs, out: &mut impl Write) -> Outcome {
    // What programs read is never translated.
    if args.json.json {
        words::to(Lang::English, || import(kind, args, out))
    } else {
        import(kind, args, out)
    }
}

fn import(kind: FirewallKind, args: &FirewallArgs, out: &mut impl Write) -> Outcome {
    let sources = files::gather(kind, &args.from)?;
    let imported = files::read(kind, &sources);
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let head = words::import_firewall_head(files::place(kind, &args.from, &names), kind.as_str());
    let text = page(&imported.policy, &head);
    if !args.dry_run && !imported.empty {
        place(&text, &imported, args)?;
    }
    report::tell(
        &report::Done { kind, args, names: &names, imported: &imported, text: &text },
        out,
    )?;
    if imported.empty {
        return Err(Failure::refused(words::import_empty()));
    }
    let left = imported.remarks.iter().any(|told| told.remark.grade() == Grade::Left);
    Ok(ExitCode::from(u8::from(left)))
}

/// Reads the text as the program will, and writes the file.
fn place(text: &str, imported: &Imported, args: &FirewallArgs) -> Result<(), Failure> {
    let name = args.into.display().to_string();
    let read = sereno_config::read(&[Document { name, text: text.to_owned() }], &[]);
    if let Some(problem) = read.problems.iter().find(|one| one.severity == Severity::Error) {
        return Err(Failure::refused(words::import_reads_badly(problem)));
    }
    // The order of zones means nothing.
    let sorted = |mut policy: Policy| {
        policy.zones.sort_unstable_by_key(|zone| zone.name);
        policy
    };
    if read.policy.gate.map(sorted) != Some(sorted(imported.policy.clone())) {
        return Err(Failure::refused(words::import_reads_badly("[gate]")));
    }
    match init::put(&args.into, text.as_bytes(), args.force) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::refused(words::is_there(args.into.display())))
        }
        Err(error) => Err(Failure::file(&args.into, &error)),
    }
}
