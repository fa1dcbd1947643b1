//! How a command ends when it cannot do what was asked.

use crate::words;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Not done, or problems found.
pub const NOT_DONE: u8 = 1;
/// Wrong usage: a name or a combination that does not exist.
pub const USAGE: u8 = 2;
/// No Sereno is running, or it does not answer.
pub const NOBODY: u8 = 3;
/// A door was knocked at, and the port behind it does not answer.
pub const CLOSED: u8 = 4;

/// Why a command did not do what was asked: a sentence for people and an exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Without the program's name and without a final dot; empty when there is nothing to say.
    pub message: String,
    /// The exit code: [`NOT_DONE`], [`USAGE`] or [`NOBODY`]; 0 when the reader left.
    pub code: u8,
}

/// What every command returns.
pub type Outcome = Result<ExitCode, Failure>;

impl Failure {
    /// It did not work.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: NOT_DONE }
    }

    /// What was asked does not exist.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: USAGE }
    }

    /// A file could not be read or written.
    #[must_use]
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::refused(format!("{}: {}", path.display(), reason(error)))
    }

    /// The output, or the conversation with the running program, broke off.
    #[must_use]
    pub fn io(error: io::Error) -> Self {
        error.into()
    }

    /// No Sereno listens at the socket.
    #[must_use]
    pub fn absent(socket: &Path, error: &io::Error) -> Self {
        let message = words::nobody_answers(socket.display(), reason(error));
        Self { message, code: NOBODY }
    }

    /// This one, and the one before it.
    #[must_use]
    pub fn behind(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before {
            self.message = words::and_also(before, &self.message);
        }
        self
    }

    /// Says it on `out` and gives the exit code.
    pub fn report(&self, out: &mut impl Write) -> ExitCode {
        if !self.message.is_empty() {
            // Standard error may be closed; the exit code says it all the same.
            let _ = writeln!(out, "sereno: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

/// The operating system's sentence without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl From<io::Error> for Failure {
    /// An error of the output. When who read it has left (`| head`), all is done.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { message: String::new(), code: 0 },
            _ => Self::refused(reason(&error)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
