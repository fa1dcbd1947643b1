//! What goes into the ledger at once.

use sereno_core::addr::Prefix;
use sereno_core::engine::Lifted;
use sereno_core::gate::Name;
use sereno_core::jail::{Known, Track};
use sereno_core::ledger::{Ban, Past};
use sereno_core::time::Time;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// Something that happened. The same type is written and, as history, read.
#[allow(missing_docs, reason = "the fields are called what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody was banned. The same ban told twice (a retry) is noted once.
    Ban(Ban),
    /// A ban ended.
    Lift { jail: Name, prefix: Prefix, at: Time, why: Lifted },
    /// The administrator was told something.
    Told { about: Option<Prefix>, at: Time, text: String },
    /// A line that counted against somebody.
    Evidence { jail: Name, prefix: Prefix, at: Time, line: String },
}

impl Event {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Time {
        match self {
            Self::Ban(ban) => ban.since,
            Self::Lift { at, .. } | Self::Told { at, .. } | Self::Evidence { at, .. } => *at,
        }
    }

    /// When it is told, among those written down before: a ban has the time of a log's line, which
    /// mostly is a whole second, and a lift that of the clock. Within one second, what was written
    /// first is told first. `before` is what this gave for the last of them.
    #[must_use]
    pub fn told_at(&self, before: &mut Option<Time>) -> Time {
        let at = self.at();
        if matches!(self, Self::Evidence { .. }) {
            return at;
        }
        let same = before.filter(|before| before.secs() == at.secs());
        let told = same.map_or(at, |before| before.max(at));
        *before = Some(told);
        told
    }

    /// Whom it was about.
    #[must_use]
    pub fn about(&self) -> Option<Prefix> {
        match self {
            Self::Ban(Ban { prefix, .. })
            | Self::Lift { prefix, .. }
            | Self::Evidence { prefix, .. } => Some(*prefix),
            Self::Told { about, .. } => *about,
        }
    }
}

/// Events that wait for a full disk at most, before the less important ones are let go.
const EVENTS: usize = 50_000;
/// Memories that wait at most, of each kind.
const MEMORIES: usize = 131_072;

/// Changes that belong together. `None` takes an entry out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// How often jails banned somebody before all of these events, where others kept count; in
    /// place of what was known.
    pub pasts: BTreeMap<(Name, Prefix), Past>,
    /// Where reading stands, by the caller's keys; the values are the caller's business.
    pub checkpoints: BTreeMap<String, Option<String>>,
    /// What jails remember of strangers.
    pub tracks: BTreeMap<(Name, Prefix), Option<Track>>,
    /// What jails remember of addresses that logged in well.
    pub known: BTreeMap<(Name, IpAddr), Option<Known>>,
    /// Events at which to thin out next; doubles, so that merging stays linear.
    thin_at: usize,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.pasts.is_empty()
            && self.checkpoints.is_empty()
            && self.tracks.is_empty()
            && self.known.is_empty()
    }

    /// Adds an event that came later. Says how many were let go for it, see [`Batch::merge`].
    pub fn push(&mut self, event: Event) -> usize {
        self.events.push(event);
        self.thin_if_many()
    }

    /// Adds what came later: how a batch that could not be written waits for the next try.
    ///
    /// The wait is bounded. When too much gathers, evidence, notices and finished bans (also from
    /// the count of somebody's past) are let go; who is out and until when is kept. Says how
    /// many events were let go.
    pub fn merge(&mut self, newer: Self) -> usize {
        self.events.extend(newer.events);
        self.pasts.extend(newer.pasts);
        self.checkpoints.extend(newer.checkpoints);
        self.tracks.extend(newer.tracks);
        self.known.extend(newer.known);
        while self.pasts.len() > MEMORIES {
            self.pasts.pop_first();
        }
        while self.tracks.len() > MEMORIES {
            self.tracks.pop_first();
        }
        while self.known.len() > MEMORIES {
            self.known.pop_first();
        }
        self.thin_if_many()
    }

    fn thin_if_many(&mut self) -> usize {
        if self.events.len() <= self.thin_at.max(EVENTS) {
            return 0;
        }
        let before = self.events.len();
        self.thin();
        self.thin_at = self.events.len().saturating_mul(2);
        before - self.events.len()
    }

    /// Keeps of each ban only what happened last; of what is over by itself, nothing: a ban in
    /// the file ends by its own time too.
    fn thin(&mut self) {
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for event in self.events.drain(..).rev() {
            let keep = match &event {
                Event::Ban(ban) => seen.insert((ban.jail, ban.prefix)),
                Event::Lift { jail, prefix, why, .. } => {
                    seen.insert((*jail, *prefix)) && *why != Lifted::Expired
                }
                Event::Told { .. } | Event::Evidence { .. } => false,
            };
            if keep {
                kept.push(event);
            }
        }
        kept.reverse();
        self.events = kept;
    }
}
