//! Sessions: lines that share an `mlfid` tell one story.
//!
//! fail2ban's rules (`_mergeFailure` of 1.0.2): what earlier lines of a session captured completes
//! what later lines do; `nofail` is no failure yet; `mlfgained` is a success, unless a failure is
//! pending or several users were tried; `mlfforget` is the session's end; a failure without an
//! address is pending until a line brings one. fail2ban keeps 100 sessions for five minutes each
//! and loses the failures of the others; here it is thousands, and a session ends ten minutes after
//! its last line.

use super::cut;
use super::fields::Fields;
use crate::cap::Capped;
use crate::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Sessions remembered per reader.
const SESSIONS: usize = 8_192;
/// How long a silent session is remembered.
const IDLE: Duration = Duration::from_secs(600);
/// Lines kept of one session, the newest, and users.
const LINES: usize = 64;
/// Bytes that all sessions of a reader may take; beyond, the one touched longest ago leaves.
const BYTES: usize = 16 << 20;
/// Bytes of a value that a session keeps.
const VALUE: usize = 1 << 10;

/// What is known of a failure: one line's captures, or all that a session's lines said.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What was captured.
    pub fields: Fields,
    /// Users that were tried in a session.
    pub users: BTreeSet<String>,
    /// The lines that speak of it.
    pub matches: Vec<Arc<str>>,
    /// Lines that were no failures, but belong to one if it comes.
    quiet: Vec<Arc<str>>,
    /// A failure without an address so far.
    pending: bool,
    last: Time,
}

impl Story {
    pub(super) fn of(fields: Fields, lines: &[Arc<str>]) -> Self {
        Self { fields, matches: lines.to_vec(), ..Self::default() }
    }

    /// Bytes it takes, about.
    fn size(&self) -> usize {
        /// What a value takes besides its text.
        const EACH: usize = 64;
        let texts = self.fields.iter().map(|(_, value)| value.len());
        let users = self.users.iter().map(String::len);
        let lines = self.matches.iter().chain(&self.quiet).map(|line| line.len());
        texts.chain(users).chain(lines).map(|bytes| bytes + EACH).sum()
    }

    /// Whether it is no failure (yet).
    #[must_use]
    pub fn is_no_failure(&self) -> bool {
        self.fields.says("nofail")
    }
}

/// The sessions of one reader.
#[derive(Debug)]
pub(super) struct Sessions {
    known: Capped<String, Story>,
    nofail: Arc<str>,
    bytes: usize,
    pub(super) lost: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { known: Capped::new(SESSIONS), nofail: "nofail".into(), bytes: 0, lost: 0 }
    }
}

impl Sessions {
    /// Joins what a line of session `id` captured to what is known; gives all of it.
    pub(super) fn merge(
        &mut self,
        id: &str,
        mut new: Fields,
        lines: &[Arc<str>],
        now: Time,
    ) -> Story {
        new.shorten(VALUE);
        let gained = new.says("mlfgained");
        if gained && !new.says("nofail") {
            let value = new.get("mlfgained").unwrap_or_default().to_owned();
            new.set(&self.nofail, value);
        }
        let mut quiet = new.says("nofail");
        let forget = new.take("mlfforget").is_some_and(|value| !value.is_empty());
        let user = new.get("user").filter(|user| !user.is_empty()).map(str::to_owned);
        let mut listed = !forget;
        let id = cut(id, VALUE);
        let old = self.known.get(&id.to_owned()).map(std::mem::take);
        self.bytes -= old.as_ref().map_or(0, Story::size);
        let mut story = match old.filter(|story| now.since(story.last) <= IDLE) {
            Some(mut story) => {
                let was = [story.fields.take("nofail"), story.fields.take("mlfgained")];
                let was_quiet = was.iter().flatten().any(|value| !value.is_empty());
                story.pending &= !gained;
                if !was_quiet && !story.pending {
                    // They went with the failure that was told.
                    story.matches.clear();
                }
                // fail2ban would blame the old one, were it of the first family.
                for (ours, other) in [("ip4", "ip6"), ("ip6", "ip4")] {
                    if new.says(ours) {
                        story.fields.take(other);
                    }
                }
                story.fields.update(new);
                listed = true;
                story
            }
            None => Story { fields: new, ..Story::default() },
        };
        if let Some(user) = user.filter(|_| listed)
            && story.users.len() < LINES
        {
            story.users.insert(user);
        }
        let mut gained = gained;
        if std::mem::take(&mut story.pending) || story.users.len() > 1 {
            story.fields.take("nofail");
            story.fields.take("mlfgained");
            (quiet, gained) = (false, false);
        }
        if !quiet {
            let mut matches = std::mem::take(&mut story.quiet);
            matches.append(&mut story.matches);
            if !gained {
                matches.extend_from_slice(lines);
            }
            story.matches = matches;
        } else if !forget {
            story.quiet.extend_from_slice(lines);
        }
        for kept in [&mut story.matches, &mut story.quiet] {
            kept.drain(..kept.len().saturating_sub(LINES));
        }
        story.last = now;
        self.keep(id, &story, forget);
        story
    }

    fn keep(&mut self, id: &str, story: &Story, forget: bool) {
        if forget {
            self.known.remove(&id.to_owned());
            return;
        }
        let (kept, gone) = self.known.entry(id.to_owned());
        *kept = story.clone();
        self.bytes += story.size();
        gone.into_iter().for_each(|(_, story)| self.left(&story));
        while self.bytes > BYTES
            && let Some((_, story)) = self.known.pop_oldest()
        {
            self.left(&story);
        }
    }

    /// A session had to leave.
    fn left(&mut self, story: &Story) {
        self.bytes -= story.size();
        self.lost += u64::from(story.pending);
    }

    /// The failure that was just told of has no address yet.
    pub(super) fn pend(&mut self, id: &str) {
        let id = cut(id, VALUE);
        if let Some(story) = self.known.peek_mut(&id.to_owned()) {
            story.pending = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_take_only_so_much_room() {
        let mut sessions = Sessions::default();
        let line: Arc<str> = "x".repeat(400).into();
        let user: Arc<str> = "user".into();
        for n in 0..40_000 {
            let mut fields = Fields::default();
            fields.set(&user, format!("{n}{}", "y".repeat(60_000)));
            let id = format!("{}{}", n % 3_000, "z".repeat(3_000 * (n % 2)));
            sessions.merge(&id, fields, std::slice::from_ref(&line), Time::from_secs(5));
            assert!(sessions.bytes <= BYTES);
        }
        let real: usize = sessions.known.iter().map(|(_, story)| story.size()).sum();
        assert_eq!(sessions.bytes, real);
        assert!(real > BYTES / 2);
    }
}
