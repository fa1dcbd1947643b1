//! The keeper: what has to survive a restart, written in one transaction with the places in
//! the logs, so that every line counts exactly once.
//!
//! The store has a thread of its own (`scribe`): a slow disk holds up neither reading nor
//! bans. There is one batch on its way at most; what comes meanwhile gathers for the next. How
//! often that is follows from how long the last took, so that no flood of strangers makes
//! writing the main occupation. Nothing is lost by waiting: after a crash, reading goes on
//! from the places that were saved with the batch, and the same follows again.

use super::health::Health;
use super::scribe::{Done, Scribe};
use super::sources::Book;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Engine};
use sereno_core::gate::Name;
use sereno_core::jail::{Friends, Known, Track};
use sereno_core::ledger::{Past, Recollection};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Opened, Remembered, Store};
use sereno_tail::{Checkpoint, Follow, Journal};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// The key under which the places in files are kept.
const FILES: &str = "files";
/// And that of how the logs usually go.
const HEALTH: &str = "health";
/// Where reading stands.
#[derive(Debug, Default)]
pub struct Places {
    /// In files, in the order in which they were saved.
    pub files: Vec<Checkpoint>,
    /// In journals, by [`cursor_key`]; and what else was marked.
    pub cursors: Vec<(String, String)>,
    /// How the logs usually go.
    pub health: Health,
}

/// Of the time, this part at most is spent on writing: one in so many.
const SHARE: u32 = 20;
/// How long a batch without a ban waits for more, at least.
const CALM: Duration = Duration::from_secs(3);
/// And any batch at most, however slow the disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a command waits for its record to be written.
const FLUSH: Duration = Duration::from_secs(5);

/// What was kept, on its way to the engine.
#[derive(Default)]
struct Kept {
    bans: Recollection,
    tracks: Vec<(Name, Prefix, Track)>,
    known: Vec<(Name, IpAddr, Known)>,
    places: Places,
}

impl Kept {
    fn take(&mut self, remembered: Remembered, friends: &Friends) {
        match remembered {
            Remembered::Ban(ban) => {
                if friends.hit_by(ban.prefix).is_none() {
                    self.bans.ban(ban);
                }
            }
            Remembered::Past(jail, prefix, past) => self.bans.past(jail, prefix, past),
            Remembered::Track(jail, prefix, track) => self.tracks.push((jail, prefix, track)),
            Remembered::Known(jail, addr, known) => self.known.push((jail, addr, known)),
            Remembered::Place(key, text) if key == FILES => {
                self.places.files = serde_json::from_str(&text).unwrap_or_default();
            }
            Remembered::Place(key, text) if key == HEALTH => {
                self.places.health = serde_json::from_str(&text).unwrap_or_default();
            }
            Remembered::Place(key, text) => self.places.cursors.push((key, text)),
        }
    }
}

/// Opens the store, and puts what was kept back into the engine; gives the places in files, and the
/// cursors; or what is wrong with the store. What could be read until then is in the engine.
pub fn restore(dir: &Path, engine: &mut Engine, now: Time) -> (Result<Store, String>, Places) {
    let friends = engine.friends();
    let take = |kept: &mut Kept, one| kept.take(one, friends);
    let (store, kept) = Store::open_recalling(dir, now, take);
    engine.recall_all(kept.bans);
    for (jail, prefix, track) in kept.tracks {
        if let Some(jail) = engine.jail_mut(jail) {
            jail.recall(prefix, track);
        }
    }
    for (jail, addr, known) in kept.known {
        if let Some(jail) = engine.jail_mut(jail) {
            jail.recall_known(addr, known);
        }
    }
    match store {
        Ok(store) => (Ok(store), kept.places),
        Err(why) => (Err(why.to_string()), Places::default()),
    }
}

/// Gathers what is to be written, and says when.
pub struct Keeper {
    scribe: Result<Scribe, String>,
    batch: Batch,
    dirty: bool,
    urgent: bool,
    trouble: Option<String>,
    /// That what was kept before is lost, in words.
    lost: Option<String>,
    /// When the last batch was handed over.
    began: Time,
    /// From when the next may be.
    free: Time,
}

impl Keeper {
    /// With a store, or with the reason why there is none. `wake` is called when a batch is done.
    #[must_use]
    pub fn new(store: Result<Store, String>, wake: impl Fn() + Send + 'static, now: Time) -> Self {
        let lost = store.as_ref().ok().and_then(|store| match store.opened() {
            Opened::Replaced { moved_to, why } => {
                Some(words::alarm_ledger_lost(moved_to.display(), why))
            }
            Opened::Fresh | Opened::Existing => None,
        });
        let scribe = store.and_then(|store| Scribe::start(store, wake).map_err(|e| e.to_string()));
        Self {
            trouble: scribe.as_ref().err().cloned(),
            lost,
            scribe,
            batch: Batch::default(),
            dirty: false,
            urgent: false,
            began: now,
            free: now,
        }
    }

    /// Notes what happened.
    pub fn note(&mut self, action: Action, now: Time) {
        let event = match action {
            Action::Ban(ban) => Event::Ban(ban),
            Action::Lift { ban, why } => {
                Event::Lift { jail: ban.jail, prefix: ban.prefix, at: now, why }
            }
            Action::Tell(notice) => {
                let about = super::moments::tell(&notice, now).addr;
                let text = serde_json::to_string(&notice).unwrap_or_default();
                Event::Told { about, at: now, text }
            }
            _ => return,
        };
        self.urgent |= !matches!(event, Event::Told { .. });
        self.dirty = true;
        if self.scribe.is_ok() {
            self.batch.push(event);
        }
    }

    /// Notes what another program knew of somebody's past, before anything that was noted here.
    pub fn note_past(&mut self, jail: Name, prefix: Prefix, past: Past) {
        self.batch.pasts.insert((jail, prefix), past);
        self.dirty = true;
    }

    /// Notes a word under a key, to be read again by [`restore`] among [`Places::cursors`].
    pub fn mark(&mut self, key: String, word: String) {
        self.batch.checkpoints.insert(key, Some(word));
        self.dirty = true;
    }

    /// As [`Keeper::mark`], but written as soon as a ban would be.
    pub fn mark_now(&mut self, key: String, word: String) {
        self.urgent = true;
        self.mark(key, word);
    }

    /// Something was read.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// When the next batch is to be written, if one waits.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        let busy = self.scribe.as_ref().is_ok_and(Scribe::busy);
        let calm = self.free.max(self.began.plus(CALM));
        let urgent = self.urgent && self.trouble.is_none();
        (self.dirty && !busy).then_some(if urgent { self.free } else { calm })
    }

    /// The clock was set back: what waits for a later hour waits no longer.
    pub fn set_back(&mut self, now: Time) {
        self.began = self.began.min(now);
        self.free = self.free.min(now);
    }

    /// That what was kept before is lost, in words.
    #[must_use]
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// What is wrong with the store, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Hands over everything that changed, as one transaction, unless one is on its way. What
    /// cannot be saved is kept for the next time: a full disk stops recording, not guarding.
    pub fn save(
        &mut self,
        engine: &mut Engine,
        follow: Option<&Follow>,
        journals: &[Journal],
        book: &Book,
        now: Time,
    ) {
        if self.scribe.as_ref().is_ok_and(Scribe::busy) {
            // A disk that hangs: what changed waits in the jails, what happened in the batch.
            return;
        }
        self.dirty = false;
        self.urgent = false;
        self.began = now;
        let changes = engine.take_changes();
        let Ok(scribe) = &mut self.scribe else { return };
        let mut newer = Batch::default();
        newer.tracks.extend(changes.tracks);
        newer.known.extend(changes.known.into_iter().map(|(who, known)| (who, Some(known))));
        if let Some(follow) = follow
            && let Ok(text) = serde_json::to_string(&follow.checkpoints())
        {
            newer.checkpoints.insert(FILES.to_owned(), Some(text));
        }
        if let Ok(text) = serde_json::to_string(&book.health) {
            newer.checkpoints.insert(HEALTH.to_owned(), Some(text));
        }
        for (journal, (matches, _)) in journals.iter().zip(book.journals()) {
            if let Some(cursor) = journal.cursor() {
                newer.checkpoints.insert(cursor_key(matches), Some(cursor.to_owned()));
            }
        }
        self.batch.merge(newer);
        scribe.commit(std::mem::take(&mut self.batch));
    }

    /// Takes note of what became of the last batch.
    pub fn collect(&mut self, engine: &mut Engine, now: Time) {
        let Ok(scribe) = &mut self.scribe else { return };
        if let Some(done) = scribe.done(Duration::ZERO) {
            self.settle(done, engine, now);
        }
    }

    /// Waits for the batch on its way, a few seconds at most.
    pub fn wait(&mut self, engine: &mut Engine, now: Time) {
        let Ok(scribe) = &mut self.scribe else { return };
        if let Some(done) = scribe.done(FLUSH) {
            self.settle(done, engine, now);
        }
    }

    fn settle(&mut self, done: Done, engine: &mut Engine, now: Time) {
        self.free = now.plus((done.spent * SHARE).min(PATIENCE));
        for (jail, prefix) in done.written {
            engine.ledger_mut().drop_evidence(jail, prefix);
        }
        self.trouble = done.trouble;
        if let Some(mut refused) = done.refused {
            refused.merge(std::mem::take(&mut self.batch));
            self.batch = refused;
            self.dirty = true;
        }
    }

    /// Lets go of what is old, as the store's limits say.
    pub fn purge(&mut self, now: Time) {
        if let Ok(scribe) = &mut self.scribe {
            scribe.purge(now);
        }
    }

    /// What is written down of somebody, oldest first.
    #[must_use]
    pub fn history(&self, who: Prefix, most: usize) -> Vec<Event> {
        self.scribe.as_ref().map(|scribe| scribe.history(who, most, FLUSH)).unwrap_or_default()
    }
}

/// The key of a journal's cursor.
#[must_use]
pub fn cursor_key(matches: &[String]) -> String {
    format!("journal {}", matches.join(" "))
}
