//! The line that says what is going on, as it goes on; or one object at the end, for programs.

use super::Errand;
use crate::cli::args::Json;
use crate::cli::failure::Failure;
use crate::cli::paint::safe;
use crate::words;
use serde::Serialize;
use sereno_config::invited::short;
use sereno_knock::{Outcome, Progress, What};
use std::io::Write;

/// How it ended, for programs.
#[derive(Serialize)]
struct Told<'a> {
    host: &'a str,
    address: String,
    door: Option<&'a str>,
    rounds: u32,
    port: Option<u16>,
    open: Option<bool>,
    refused: bool,
    milliseconds: u128,
}

/// The line.
pub(super) struct Line<'w> {
    out: &'w mut dyn Write,
    json: bool,
    /// Ports are not shown: the door has a name.
    named: bool,
    knocks: u32,
    begun: bool,
}

impl<'w> Line<'w> {
    /// Begins it.
    pub(super) fn begin(
        errand: &Errand,
        how: Json,
        out: &'w mut dyn Write,
    ) -> Result<Self, Failure> {
        let address = errand.plan.server.ip().to_string();
        let named = errand.door.is_some();
        let mut line = Self { out, json: how.json, named, knocks: 0, begun: false };
        let host = match errand.host == address {
            true => address,
            false => format!("{} ({address})", safe(&errand.host)),
        };
        line.say(&match &errand.door {
            Some(door) => words::knocking_at_door(door, host),
            None => words::knocking_at(host),
        })?;
        Ok(line)
    }

    /// Says how far it is.
    pub(super) fn tell(&mut self, progress: Progress) {
        let text = match progress {
            Progress::Knocked(_) if self.named => return,
            Progress::Knocked(hit) => {
                let comma = if self.knocks > 0 { "," } else { "" };
                self.knocks += 1;
                format!("{comma} {}", short(hit))
            }
            Progress::Sent(port) => format!(" {}", words::knock_packet(port)),
            Progress::Waiting(_) => {
                self.knocks = 0;
                " ...".to_owned()
            }
        };
        // If nobody reads it, knocking goes on.
        let _ = self.say(&text);
    }

    /// Ends a line that has no end.
    pub(super) fn broken(&mut self) {
        if self.begun {
            let _ = self.say("\n");
        }
    }

    /// Says how it ended.
    pub(super) fn end(&mut self, errand: &Errand, outcome: &Outcome) -> Result<(), Failure> {
        let port = errand.plan.wait;
        if self.json {
            let told = Told {
                host: &errand.host,
                address: errand.plan.server.ip().to_string(),
                door: errand.door.as_deref(),
                rounds: outcome.rounds,
                port,
                open: outcome.open,
                refused: outcome.refused,
                milliseconds: outcome.took.as_millis(),
            };
            serde_json::to_writer(&mut *self.out, &told).map_err(|e| Failure::io(e.into()))?;
            return writeln!(self.out).map_err(Failure::io);
        }
        let ended = match (outcome.open, port) {
            (Some(true), Some(port)) => format!(" {}", words::knock_open(port)),
            (Some(false), Some(port)) if outcome.refused => {
                format!(" {}\n{}", words::knock_refused(port), words::knock_refused_why(port))
            }
            (Some(false), Some(port)) => {
                let hint = match errand.plan.what {
                    What::Fixed(_) => words::knock_closed_why(),
                    What::Timed(_) | What::Packet(_) => words::knock_closed_clock(),
                };
                format!(" {}\n{hint}", words::knock_closed(port))
            }
            _ => String::new(),
        };
        self.say(&format!("{ended}\n"))
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        self.begun = true;
        self.out.write_all(text.as_bytes()).map_err(Failure::io)?;
        self.out.flush().map_err(Failure::io)
    }
}
