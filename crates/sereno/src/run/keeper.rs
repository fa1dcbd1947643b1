//! The keeper: what has to survive a restart, written in one transaction with the places in
//! the logs, so that every line counts exactly once.

use super::sources::Book;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Engine};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Memory, Store};
use sereno_tail::{Checkpoint, Follow, Journal};

/// The key under which the places in files are kept.
const FILES: &str = "files";
/// Where reading stands.
#[derive(Debug, Default)]
pub struct Places {
    /// In files, in the order in which they were saved.
    pub files: Vec<Checkpoint>,
    /// In journals, by [`cursor_key`].
    pub cursors: Vec<(String, String)>,
}

/// Writes to the store, or goes on without one.
pub struct Keeper {
    store: Option<Store>,
    batch: Batch,
    dirty: bool,
    urgent: bool,
    trouble: Option<String>,
}

impl Keeper {
    /// With a store, or with the reason why there is none.
    #[must_use]
    pub fn new(store: Result<Store, String>) -> Self {
        let (store, trouble) = match store {
            Ok(store) => (Some(store), None),
            Err(why) => (None, Some(why)),
        };
        Self { store, batch: Batch::default(), dirty: false, urgent: false, trouble }
    }

    /// What was kept before. The trouble, if there is any, is in [`Keeper::trouble`].
    pub fn load(&mut self, now: Time) -> Memory {
        match self.store.as_ref().map(|store| store.load(now)) {
            Some(Ok(memory)) => memory,
            Some(Err(e)) => {
                self.trouble = Some(e.to_string());
                Memory::default()
            }
            None => Memory::default(),
        }
    }

    /// Puts what was kept back into the engine; gives the places in files, and the cursors.
    pub fn restore(&mut self, engine: &mut Engine, now: Time) -> Places {
        let memory = self.load(now);
        for (jail, prefix, past) in memory.pasts {
            engine.ledger_mut().recall_past(jail, prefix, past);
        }
        for mut ban in memory.bans {
            ban.evidence = Vec::new();
            if engine.friends().hit_by(ban.prefix).is_none() {
                engine.recall(ban);
            }
        }
        for (jail, prefix, track) in memory.tracks {
            if let Some(jail) = engine.jail_mut(jail) {
                jail.recall(prefix, track);
            }
        }
        for (jail, addr, known) in memory.known {
            if let Some(jail) = engine.jail_mut(jail) {
                jail.recall_known(addr, known);
            }
        }
        let (files, cursors): (Vec<_>, Vec<_>) =
            memory.checkpoints.into_iter().partition(|(key, _)| key == FILES);
        let files = files.into_iter().next().and_then(|(_, text)| serde_json::from_str(&text).ok());
        Places { files: files.unwrap_or_default(), cursors }
    }

    /// Notes what happened.
    pub fn note(&mut self, action: Action, now: Time) {
        let event = match action {
            Action::Ban(ban) => Event::Ban(ban),
            Action::Lift { ban, why } => {
                Event::Lift { jail: ban.jail, prefix: ban.prefix, at: now, why }
            }
            Action::Tell(notice) => {
                let told = super::guard::tell(&notice, now);
                Event::Told { about: told.addr, at: now, text: told.text }
            }
            Action::Saw { .. } => return,
        };
        self.urgent |= !matches!(event, Event::Told { .. });
        self.dirty = true;
        let mut newer = Batch::default();
        newer.events.push(event);
        self.batch.merge(newer);
    }

    /// Something was read.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// Whether there is something to save.
    #[must_use]
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// Whether it should be saved at once.
    #[must_use]
    pub fn urgent(&self) -> bool {
        self.urgent && self.trouble.is_none()
    }

    /// What is wrong with the store, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Saves everything that changed, as one transaction. What cannot be saved is kept for the
    /// next time: a full disk stops recording, not guarding.
    pub fn save(
        &mut self,
        engine: &mut Engine,
        follow: Option<&Follow>,
        journals: &[Journal],
        book: &Book,
    ) {
        self.dirty = false;
        self.urgent = false;
        let mut newer = Batch::default();
        for (name, prefix) in engine.take_touched() {
            let track = engine.jail(name).and_then(|jail| jail.track(prefix)).cloned();
            newer.tracks.insert((name, prefix), track);
        }
        for (name, addr) in engine.take_greeted() {
            let known = engine.jail(name).and_then(|jail| jail.known(addr)).cloned();
            newer.known.insert((name, addr), known);
        }
        if let Some(follow) = follow
            && let Ok(text) = serde_json::to_string(&follow.checkpoints())
        {
            newer.checkpoints.insert(FILES.to_owned(), Some(text));
        }
        for (journal, (matches, _)) in journals.iter().zip(book.journals()) {
            if let Some(cursor) = journal.cursor() {
                newer.checkpoints.insert(cursor_key(matches), Some(cursor.to_owned()));
            }
        }
        self.batch.merge(newer);
        let Some(store) = &mut self.store else {
            self.batch = Batch::default();
            return;
        };
        match store.commit(&self.batch) {
            Ok(()) => {
                for event in &self.batch.events {
                    if let Event::Ban(ban) = event {
                        engine.ledger_mut().drop_evidence(ban.jail, ban.prefix);
                    }
                }
                self.batch = Batch::default();
                self.trouble = store.trouble();
            }
            Err(e) => {
                self.trouble = Some(e.to_string());
                self.dirty = true;
            }
        }
    }

    /// Lets go of what is old, as the store's limits say.
    pub fn purge(&mut self, now: Time) {
        if let Some(store) = &mut self.store
            && let Err(e) = store.purge(now)
        {
            self.trouble = Some(e.to_string());
        }
    }

    /// What is remembered of somebody, oldest first.
    #[must_use]
    pub fn history(&self, who: Prefix, most: usize) -> Vec<Event> {
        self.store
            .as_ref()
            .and_then(|store| store.history(Some(who), most).ok())
            .unwrap_or_default()
    }
}

/// The key of a journal's cursor.
#[must_use]
pub fn cursor_key(matches: &[String]) -> String {
    format!("journal {}", matches.join(" "))
}
