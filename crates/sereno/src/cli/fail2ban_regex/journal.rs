//! The journal as a log: entries as `journalctl` gives them, as lines.

use crate::run::sources::{pid, record};
use jiff::tz::TimeZone;
use sereno_core::filter::entry_line;
use sereno_core::time::Time;
use sereno_fail2ban::shell_words;
use sereno_tail::JournalEntry;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// What a log is called that is the journal; options in brackets may follow.
const NAME: &str = "systemd-journal";
/// Bytes of an entry's JSON at most; longer ones are passed over.
const LONGEST: u64 = 16 << 20;

/// Where to read, as `fail2ban-regex` is told.
#[derive(Debug)]
pub(super) struct Source {
    args: Vec<String>,
}

/// An entry as a line: when it was, and what it says behind that.
pub(super) struct Entry {
    pub(super) when: Time,
    pub(super) line: Vec<u8>,
}

impl Entry {
    /// As it is shown.
    pub(super) fn shown(&self) -> String {
        let stamp = jiff::Timestamp::from_microsecond(self.when.0).unwrap_or_default();
        let when = stamp.to_zoned(TimeZone::system());
        let micros = if self.when.0.rem_euclid(1_000_000) == 0 { "" } else { "%.6f" };
        let when = when.strftime(&format!("%Y-%m-%dT%H:%M:%S{micros}%:z")).to_string();
        format!("{when} {}", String::from_utf8_lossy(&self.line))
    }
}

impl Source {
    /// The journal, if `log` is that.
    ///
    /// # Errors
    /// What is wrong with its options.
    pub(super) fn of(log: &str) -> Option<Result<Self, String>> {
        let options = log.strip_prefix(NAME)?;
        let mut args = Vec::new();
        let inside = options.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if inside.is_none() && !options.is_empty() {
            return Some(Err(format!("Error: {log:?} is not {NAME}[option=value, ...]")));
        }
        let parts = inside.unwrap_or_default().split(',').map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches(['"', '\'']);
            match name.trim() {
                "journalpath" => args.push(format!("--directory={value}")),
                "journalfiles" => {
                    args.extend(value.split(' ').map(|file| format!("--file={file}")));
                }
                "namespace" => args.push(format!("--namespace={value}")),
                // Which of the journals; the one of the system and those of users are read.
                "journalflags" | "rotated" => {}
                other => return Some(Err(format!("Error: {NAME} has no option {other}"))),
            }
        }
        Some(Ok(Self { args }))
    }

    /// Reads what is there that has these fields.
    ///
    /// # Errors
    /// `journalctl` cannot be run or fails, or `each` does.
    pub(super) fn read(
        &self,
        matches: &[String],
        mut each: impl FnMut(&Entry) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut child = Command::new("journalctl")
            .args(["--output=json", "--no-pager", "--quiet", "--all"])
            .args(&self.args)
            .arg("--")
            .args(matches)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(out) = child.stdout.take() {
            let mut out = BufReader::new(out);
            let mut json = Vec::new();
            loop {
                json.clear();
                if (&mut out).take(LONGEST).read_until(b'\n', &mut json)? == 0 {
                    break;
                }
                if let Ok(entry) = JournalEntry::parse(&json) {
                    let (mut line, pid) = (Vec::new(), pid(&entry));
                    entry_line(&record(&entry, &pid), &mut line);
                    each(&Entry { when: entry.time, line })?;
                }
            }
        }
        let end = child.wait_with_output()?;
        if end.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&end.stderr).trim().to_owned();
        Err(io::Error::other(format!("journalctl: {said}")))
    }
}

/// What to ask for: what the command line says, or else what the filter does.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn matches(written: Option<&str>, own: &[Vec<String>]) -> Result<Vec<String>, String> {
    match written {
        Some(written) => {
            shell_words(written).ok_or_else(|| "Error: a quote is not closed in -m".to_owned())
        }
        // Several are alternatives.
        None => Ok(own.join(&"+".to_owned())),
    }
}
