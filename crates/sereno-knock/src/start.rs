//! The command that follows.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};

/// Starts a command, without a shell. On Unix it takes the place of this program, so that what comes
/// back is an error; elsewhere it is waited for, and its exit code is given.
///
/// # Errors
/// Why it could not be started.
pub fn start(program: &OsString, args: &[OsString]) -> io::Result<ExitCode> {
    let mut command = Command::new(program);
    command.args(args);
    carry_on(&mut command)
}

#[cfg(unix)]
fn carry_on(command: &mut Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn carry_on(command: &mut Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    // A code above 255, as Windows has them, is a failure whatever its last byte.
    let code = status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1));
    Ok(ExitCode::from(code))
}
