//! Standard output and standard error, as fail2ban writes them.

use std::io::{self, Write, stderr};

/// Where things are said.
pub(super) struct Say<'o, W> {
    out: &'o mut W,
}

impl<'o, W: Write> Say<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self { out }
    }

    /// On standard output, at once.
    pub(super) fn out(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// An error, with what stands before each line of a log.
    pub(super) fn error(&mut self, line: &str) {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f");
        let process = std::process::id();
        self.bare(&format!("{time} {:<24}[{process}]: {:<7} {line}\n", "fail2ban", "ERROR"));
    }

    /// On standard error, as it is.
    pub(super) fn bare(&mut self, text: &str) {
        // Standard error may be closed; the exit code says it all the same.
        let _ = stderr().write_all(text.as_bytes());
    }
}
