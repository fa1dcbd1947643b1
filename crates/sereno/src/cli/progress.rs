//! A line on standard error that shows how far a long reading has come.

use super::paint;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Readings shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is drawn anew.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 24;

/// How far the reading of one file has come.
#[derive(Debug)]
pub struct Progress {
    name: String,
    total: u64,
    started: Instant,
    next: Instant,
    drawn: bool,
}

impl Progress {
    /// For a file of `total` bytes; `None` when nobody would see it: standard error is no
    /// terminal, or the size is not known.
    #[must_use]
    pub fn new(name: &str, total: Option<u64>) -> Option<Self> {
        let total = total.filter(|total| *total > 0 && std::io::stderr().is_terminal())?;
        let started = Instant::now();
        let name = paint::shortened(&paint::safe(name), 30).into_owned();
        Some(Self { name, total, started, next: started + PATIENCE, drawn: false })
    }

    /// Shows that `done` bytes are read, if it is time to.
    pub fn show(&mut self, done: u64) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + EVERY;
        self.drawn = true;
        let share = done.min(self.total);
        let full = (share * WIDTH / self.total) as usize;
        let percent = share * 100 / self.total;
        let speed = done * 1000 / now.duration_since(self.started).as_millis().max(1) as u64;
        let bar = format!("{:<width$}", "#".repeat(full), width = WIDTH as usize);
        let speed = paint::bytes(speed);
        // Nobody is hurt when it cannot be shown.
        let _ = write!(std::io::stderr(), "\r{} [{bar}] {percent:3} % {speed}/s\x1b[K", self.name);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
