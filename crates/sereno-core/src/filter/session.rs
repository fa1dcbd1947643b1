//! Sessions: lines that share an `mlfid` tell one story.
//!
//! fail2ban's rules (`_mergeFailure` of 1.0.2): what earlier lines of a session captured completes
//! what later lines do; `nofail` is no failure yet; `mlfgained` is a success, unless a failure is
//! pending or several users were tried; `mlfforget` is the session's end; a failure without an
//! address is pending until a line brings one. fail2ban keeps 100 sessions for five minutes each
//! and loses the failures of the others; here it is thousands, and a session ends ten minutes after
//! its last line.

use super::cut;
use super::fields::{Fields, Name};
use crate::cap::{Capped, Hashed};
use crate::time::Time;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// Sessions remembered per reader.
const SESSIONS: usize = 8_192;
/// How long a silent session is remembered.
const IDLE: Duration = Duration::from_secs(600);
/// Lines kept of one session, the newest, and users.
const LINES: usize = 64;
/// Lines for which there is room without asking.
const FEW: usize = 4;
/// Bytes that all sessions of a reader may take; beyond, the one touched longest ago leaves.
const BYTES: usize = 16 << 20;
/// Bytes of a value that a session keeps.
const VALUE: usize = 1 << 10;

/// Lines: how many, and which, if anybody wants to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    count: usize,
    texts: Vec<Arc<str>>,
}

impl Lines {
    pub(super) fn new(count: usize, texts: Vec<Arc<str>>) -> Self {
        Self { count, texts }
    }

    fn clear(&mut self) {
        self.count = 0;
        self.texts.clear();
        self.texts.shrink_to(FEW);
    }

    /// Adds others, and lets the oldest of too many go.
    fn extend(&mut self, others: &Self) {
        self.count = (self.count + others.count).min(LINES);
        self.texts.extend_from_slice(&others.texts);
        self.texts.drain(..self.texts.len().saturating_sub(LINES));
    }
}

/// What is known of a failure: one line's captures, or all that a session's lines said.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What was captured.
    pub fields: Fields,
    /// Users that were tried in a session, in the order of their names.
    pub users: Vec<String>,
    /// The lines that speak of it.
    matches: Lines,
    /// Lines that were no failures, but belong to one if it comes.
    quiet: Lines,
    /// Room for the name of a user.
    spare: String,
    /// Something was said before.
    begun: bool,
    /// A failure without an address so far.
    pending: bool,
    last: Time,
    /// Bytes it takes, about, as it was kept last.
    size: usize,
}

impl Story {
    /// How many lines speak of it, 64 at most.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.matches.count
    }

    /// The lines themselves. A guard does not keep them.
    #[must_use]
    pub fn matches(&self) -> &[Arc<str>] {
        &self.matches.texts
    }

    /// The story of one line.
    pub(super) fn tell(&mut self, fields: &Fields, lines: &Lines) {
        self.clear();
        self.fields.update(fields, usize::MAX);
        self.matches.extend(lines);
    }

    /// Forgets all, but not the room it took.
    fn clear(&mut self) {
        self.fields.clear();
        self.spare = self.users.pop().unwrap_or_else(|| std::mem::take(&mut self.spare));
        self.users.clear();
        self.matches.clear();
        self.quiet.clear();
        (self.begun, self.pending, self.size) = (false, false, 0);
    }

    /// Bytes it takes, about.
    fn size(&self) -> usize {
        /// What a text takes besides itself.
        const EACH: usize = 64;
        let users = self.users.iter().map(String::capacity);
        let lines = self.matches.texts.iter().chain(&self.quiet.texts).map(|line| line.len());
        let texts = users.chain(lines).map(|bytes| bytes + EACH).sum::<usize>();
        EACH + self.fields.size() + self.spare.capacity() + texts
    }

    /// Whether it is no failure (yet).
    #[must_use]
    pub fn is_no_failure(&self) -> bool {
        self.fields.says(Name::NOFAIL)
    }

    /// Joins what a line captured to what is known.
    fn join(&mut self, new: &Fields, lines: &Lines, now: Time) {
        if !self.begun || now.since(self.last) > IDLE {
            self.clear();
        }
        let (gained, forget) = (new.says(Name::GAINED), new.says(Name::FORGET));
        let mut quiet = gained || new.says(Name::NOFAIL);
        let listed = self.begun || !forget;
        if self.begun {
            let was_quiet = [Name::NOFAIL, Name::GAINED].map(|name| self.fields.take(name));
            self.pending &= !gained;
            if was_quiet == [false; 2] && !self.pending {
                // They went with the failure that was told.
                self.matches.clear();
            }
            // fail2ban would blame the old one, were it of the first family.
            for (ours, other) in [(Name::IP4, Name::IP6), (Name::IP6, Name::IP4)] {
                if new.says(ours) {
                    self.fields.take(other);
                }
            }
        }
        self.fields.update(new, VALUE);
        self.fields.take(Name::FORGET);
        if gained && !new.says(Name::NOFAIL) {
            self.fields.set(Name::NOFAIL, cut(new.value(Name::GAINED).unwrap_or_default(), VALUE));
        }
        if listed && new.says(Name::USER) {
            self.tried(cut(new.value(Name::USER).unwrap_or_default(), VALUE));
        }
        let mut gained = gained;
        if std::mem::take(&mut self.pending) || self.users.len() > 1 {
            self.fields.take(Name::NOFAIL);
            self.fields.take(Name::GAINED);
            (quiet, gained) = (false, false);
        }
        if !quiet {
            if self.quiet.count > 0 {
                // They stand before what else speaks of it.
                self.quiet.extend(&self.matches);
                std::mem::swap(&mut self.quiet, &mut self.matches);
                self.quiet.clear();
            }
            if !gained {
                self.matches.extend(lines);
            }
        } else if !forget {
            self.quiet.extend(lines);
        }
        (self.begun, self.last) = (true, now);
    }

    fn tried(&mut self, user: &str) {
        if let Err(place) = self.users.binary_search_by(|known| known.as_str().cmp(user))
            && self.users.len() < LINES
        {
            let mut name = std::mem::take(&mut self.spare);
            name.clear();
            name.push_str(user);
            self.users.insert(place, name);
        }
    }
}

/// The sessions of one reader.
#[derive(Debug)]
pub(super) struct Sessions {
    /// By a keyed hash of their ids.
    known: Capped<u64, Story, Hashed>,
    hash: RandomState,
    /// The one that just ended, or room for the next.
    ended: Story,
    bytes: usize,
    pub(super) lost: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        let known = Capped::new(SESSIONS);
        Self { known, hash: RandomState::new(), ended: Story::default(), bytes: 0, lost: 0 }
    }
}

impl Sessions {
    /// Joins what a line of session `id` captured to what is known; gives all of it. With `quiet`
    /// what is no failure waits for no address.
    pub(super) fn merge(
        &mut self,
        id: &str,
        new: &Fields,
        lines: &Lines,
        now: Time,
        quiet: bool,
    ) -> &Story {
        let key = self.hash.hash_one(id);
        if new.says(Name::FORGET) {
            match self.known.remove(&key) {
                Some(story) => {
                    self.bytes -= story.size;
                    self.ended = story;
                }
                None => self.ended.clear(),
            }
            self.ended.join(new, lines, now);
            return &self.ended;
        }
        let (story, gone) = self.known.entry(key);
        if !story.begun {
            // The room of the one that left last.
            self.ended.clear();
            std::mem::swap(story, &mut self.ended);
        }
        self.bytes -= story.size;
        story.join(new, lines, now);
        story.pending = story.fields.nobody() && !(quiet && story.is_no_failure());
        story.size = story.size();
        self.bytes += story.size;
        if let Some((_, story)) = gone {
            self.left(story);
        }
        while self.bytes > BYTES
            && let Some((_, story)) = self.known.pop_oldest()
        {
            self.left(story);
        }
        self.known.peek(&key).unwrap_or(&self.ended)
    }

    /// Whether something is known of session `id`.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.known.peek(&self.hash.hash_one(id)).is_some()
    }

    /// A session had to leave.
    fn left(&mut self, story: Story) {
        self.bytes -= story.size;
        self.lost += u64::from(story.pending);
        self.ended = story;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_take_only_so_much_room() {
        let mut sessions = Sessions::default();
        let lines = Lines::new(1, vec!["x".repeat(400).into()]);
        for n in 0..40_000 {
            let mut fields = Fields::default();
            fields.set(Name::USER, &format!("{n}{}", "y".repeat(60_000)));
            let id = format!("{}{}", n % 3_000, "z".repeat(3_000 * (n % 2)));
            sessions.merge(&id, &fields, &lines, Time::from_secs(5), true);
            assert!(sessions.bytes <= BYTES);
        }
        let real: usize = sessions.known.iter().map(|(_, story)| story.size()).sum();
        assert_eq!(sessions.bytes, real);
        assert!(real > BYTES / 2);
    }
}
