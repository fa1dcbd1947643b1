//! What of a log may belong to a record in which somebody wrote line breaks.
//!
//! Asterisk writes a record in one piece and cuts it at [`RECORD_BYTES`], so a stranger's lines are
//! that near to its beginning and to its end. Of a record whose beginning is known they stand
//! behind that; of one whose end is known, before. The other side needs no shadow: a sign that
//! he could have left out proves nothing by being there. And a record ends before a security
//! event of the thread that writes them, whose number he does not know.

use crate::rule::scan::{Hit, RECORD_BYTES};
use std::net::IpAddr;

/// So many bytes behind a sign of forgery the threads of security events are looked at closely:
/// whoever forges does not do it once.
const ALERT: u64 = 64 << 10;

/// Where a stranger may have written, in bytes of the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shadow {
    /// Up to here, behind the beginning of a record.
    until: u64,
    /// Who wrote that record, where its beginning tells.
    writer: Option<IpAddr>,
    /// The start of the last believed security event.
    event: u64,
    /// Up to here there was a sign not long ago.
    alert: u64,
}

impl Shadow {
    /// Whether a record may be a part of another, and say what is not true: what its writer
    /// writes of himself he could have done as well. If his address is a false one, that is so
    /// only for what a packet with a false address can cause.
    pub(super) fn over(self, hit: &Hit<'_>) -> bool {
        let himself = self.writer.is_some() && self.writer == hit.found.addr;
        hit.position < self.until && !(himself && hit.pattern.spoofable)
    }

    /// Whether there was a sign of forgery not long ago.
    pub(super) fn alert(self, position: u64) -> bool {
        position < self.alert
    }

    /// A record begins here whose end is not known.
    pub(super) fn before(&mut self, hit: &Hit<'_>) {
        let writer = hit.found.addr.filter(|_| hit.pattern.names_sender());
        let alone = hit.position >= self.until || self.writer == writer;
        self.writer = writer.filter(|_| alone);
        self.until = self.until.max(hit.reach);
        self.alert = self.alert.max(hit.position + ALERT);
    }

    /// A record ends here whose beginning is not known: the first byte that may be of it. The
    /// event that stands before it may be its beginning.
    pub(super) fn behind(&mut self, hit: &Hit<'_>) -> u64 {
        self.alert = self.alert.max(hit.position + ALERT);
        let end = hit.position + hit.line.len() as u64;
        end.saturating_sub(RECORD_BYTES as u64).max(self.event)
    }

    /// A believed security event: no record goes on from before it to behind it.
    pub(super) fn end(&mut self, position: u64) {
        self.event = self.event.max(position);
        self.until = self.until.min(position);
    }
}
