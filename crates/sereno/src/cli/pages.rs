//! `sereno completion` and `sereno man`: what the shell and the manual know of the command line.

use super::args::Cli;
use super::failure::{Failure, Outcome};
use clap::CommandFactory;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints the completion script for a shell.
///
/// # Errors
/// When it cannot be written.
pub fn completion(shell: clap_complete::Shell, out: &mut impl Write) -> Outcome {
    // The generator cannot fail politely, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sereno", &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page of the program, or writes the pages of all commands into a folder, which
/// is made if it is not there.
///
/// # Errors
/// When they cannot be written.
pub fn man(to: Option<&Path>, out: &mut impl Write) -> Outcome {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = to else {
        clap_mangen::Man::new(command).render(&mut *out)?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
    write_pages(&command, folder)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `sereno.1`, `sereno-scan.1`, `sereno-rules-test.1`, ...
fn write_pages(command: &clap::Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(&name).render(&mut page)?;
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page).map_err(|error| Failure::file(&path, &error))?;
    command.get_subcommands().try_for_each(|sub| write_pages(sub, folder))
}
