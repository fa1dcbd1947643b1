//! A second opinion on whom a line accuses.
//!
//! Expressions of fail2ban's leave room for what a stranger writes into a line: with a name that
//! reads like the rest of it, some take the address in the name for his. Where a rule of ours knows
//! the line, and names another address, that is the one that counts: our patterns match the whole
//! text, so that the last address is the true one. A line of the same program that the rule does not
//! know, and in which two could be meant, accuses nobody.

use crate::line::{Record, Style, parse};
use crate::rule::{Memory, Rule};
use memchr::memmem;
use std::net::IpAddr;
use std::sync::Arc;

/// An entry of the journal has no date; with one it is a line that rules know.
const DATE: &[u8] = b"Jan  1 00:00:00 ";

/// What a rule says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// Nothing.
    None,
    /// It is about this address.
    Is(IpAddr),
    /// More than one could be meant, and nobody knows which.
    Doubtful,
}

/// Who is asked.
#[derive(Debug)]
pub(super) struct Witness {
    rule: Arc<Rule>,
    memory: Memory,
    /// Room for a line with a date.
    dated: Vec<u8>,
}

impl Witness {
    pub(super) fn new(rule: Arc<Rule>) -> Self {
        Self { rule, memory: Memory::default(), dated: Vec::new() }
    }

    /// What the rule says of a line.
    pub(super) fn opinion(&mut self, line: &str) -> Opinion {
        let record = parse(line.as_bytes());
        if record.style == Style::Syslog {
            return opinion(&self.rule, &record, &mut self.memory);
        }
        self.dated.clear();
        self.dated.extend_from_slice(DATE);
        self.dated.extend_from_slice(line.as_bytes());
        opinion(&self.rule, &parse(&self.dated), &mut self.memory)
    }
}

fn opinion(rule: &Rule, record: &Record<'_>, memory: &mut Memory) -> Opinion {
    if !rule.cares(record) {
        return Opinion::None;
    }
    match rule.find(record, memory).map(|(_, found)| found.addr) {
        Some(Some(addr)) => Opinion::Is(addr),
        // A line that strangers may have put together says nothing.
        _ if memmem::find_iter(&record.text, b" from ").nth(1).is_some() => Opinion::Doubtful,
        _ => Opinion::None,
    }
}
