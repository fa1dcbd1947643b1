//! Sessions: lines that share an `mlfid` tell one story.
//!
//! fail2ban's rules (`_mergeFailure` of 1.0.2): what earlier lines of a session captured completes
//! what later lines do; `nofail` is no failure yet; `mlfgained` is a success, unless a failure is
//! pending or several users were tried; `mlfforget` is the session's end; a failure without an
//! address is pending until a line brings one. fail2ban keeps 100 sessions for five minutes each
//! and loses the failures of the others; here it is thousands, and a session ends ten minutes after
//! its last line.

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
    pub(super) lost: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { known: Capped::new(SESSIONS), nofail: "nofail".into(), lost: 0 }
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
        let gained = new.says("mlfgained");
        if gained && !new.says("nofail") {
            let value = new.get("mlfgained").map(str::to_owned);
            new.set(&self.nofail, value);
        }
        let mut quiet = new.says("nofail");
        let forget = new.take("mlfforget").is_some_and(|value| !value.is_empty());
        let user = new.get("user").filter(|user| !user.is_empty()).map(str::to_owned);
        let mut listed = !forget;
        let old = self.known.get(&id.to_owned()).filter(|story| now.since(story.last) <= IDLE);
        let mut story = match old {
            Some(old) => {
                let mut story = std::mem::take(old);
                let was = [story.fields.take("nofail"), story.fields.take("mlfgained")];
                let was_quiet = was.iter().flatten().any(|value| !value.is_empty());
                story.pending &= !gained;
                if !was_quiet && !story.pending {
                    // They went with the failure that was told.
                    story.matches.clear();
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
        self.lost += u64::from(gone.is_some_and(|(_, story)| story.pending));
    }

    /// The failure that was just told of has no address yet.
    pub(super) fn pend(&mut self, id: &str) {
        if let Some(story) = self.known.peek_mut(&id.to_owned()) {
            story.pending = true;
        }
    }
}
