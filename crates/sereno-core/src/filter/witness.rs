//! A second opinion on whom a line accuses.
//!
//! Expressions of fail2ban's leave room for what a stranger writes into a line: with a name that
//! reads like the rest of it, some take the address in the name for his. Where a rule of ours knows
//! the line, and names another address, that is the one that counts: our patterns match the whole
//! text, so that the last address is the true one.

use crate::line::{Style, parse};
use crate::rule::{Memory, Rule};
use std::net::IpAddr;
use std::sync::Arc;

/// An entry of the journal has no date; with one it is a line that rules know.
const DATE: &[u8] = b"Jan  1 00:00:00 ";

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

    /// Whom the line is about, if the rule knows it.
    pub(super) fn addr(&mut self, line: &str) -> Option<IpAddr> {
        let record = parse(line.as_bytes());
        if record.style == Style::Syslog {
            return self
                .rule
                .cares(&record)
                .then(|| self.rule.find(&record, &mut self.memory))??
                .1
                .addr;
        }
        self.dated.clear();
        self.dated.extend_from_slice(DATE);
        self.dated.extend_from_slice(line.as_bytes());
        let record = parse(&self.dated);
        self.rule.cares(&record).then(|| self.rule.find(&record, &mut self.memory))??.1.addr
    }
}
