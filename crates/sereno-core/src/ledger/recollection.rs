//! What a restart brings back, gathered first and put in place at once: a hundred thousand bans
//! one by one are a million looks into trees.

use super::{Ban, FOR_EVER, Kept, Key, Ledger, NameId, Past, length, whole};
use crate::addr::Prefix;
use crate::gate::Name;

/// How often somebody was banned, where his past was not told yet.
const UNTOLD: u32 = 0;

/// Bans and pasts for [`Ledger::recall_all`]; of each jail and prefix one of either.
#[derive(Debug, Default)]
pub struct Recollection {
    names: Vec<(Name, usize)>,
    bans: Vec<(Key, Kept)>,
    pasts: Vec<(Key, Past)>,
    /// The ban whose past is expected next.
    next: usize,
}

impl Recollection {
    /// Adds a ban.
    pub fn ban(&mut self, ban: Ban) {
        let Some((jail, scope)) = self.intern(ban.jail).zip(self.intern(ban.scope)) else { return };
        self.bans.push(((ban.prefix, jail), Kept::new(ban, scope, UNTOLD)));
    }

    /// Adds a past. Those of the banned go to their bans at once where they come in the same order.
    pub fn past(&mut self, jail: Name, prefix: Prefix, past: Past) {
        let Some(jail) = self.intern(jail) else { return };
        match self.bans.get_mut(self.next) {
            Some((key, kept)) if *key == (prefix, jail) && past.bans != UNTOLD => {
                kept.bans = past.bans;
                self.next += 1;
            }
            _ => self.pasts.push(((prefix, jail), past)),
        }
    }

    /// Says where the bans of each jail hold.
    pub(crate) fn hold_where(&mut self, scope: impl Fn(Name) -> Option<Name>) {
        let here: Vec<Option<NameId>> = (0..self.names.len())
            .map(|at| scope(self.names[at].0).and_then(|scope| self.intern(scope)))
            .collect();
        for ((_, jail), kept) in &mut self.bans {
            kept.scope = here.get(usize::from(*jail)).copied().flatten().unwrap_or(kept.scope);
        }
    }

    fn intern(&mut self, name: Name) -> Option<NameId> {
        super::intern(&mut self.names, name)
    }
}

impl Ledger {
    /// Puts back bans and pasts, as [`Ledger::recall`] and [`Ledger::recall_past`] would one by one.
    pub fn recall_all(&mut self, all: Recollection) {
        let Recollection { names, bans, pasts, .. } = all;
        let called =
            |id: NameId| names.get(usize::from(id)).map_or(Name::SERENO, |(name, _)| *name);
        if !self.is_blank() {
            for (key, kept) in &bans {
                self.recall(whole(&names, key, kept));
                if kept.bans != UNTOLD {
                    let past = Past { bans: kept.bans, last: kept.since };
                    self.recall_past(called(key.1), key.0, past);
                }
            }
        } else {
            self.names = names.clone();
            // What is put in order first makes a tree in one go.
            let told = |(key, kept): (Key, Kept)| (key, Kept { bans: kept.bans.max(1), ..kept });
            self.bans = bans.into_iter().map(told).collect();
            let end =
                |(key, kept): (&Key, &Kept)| (kept.until != FOR_EVER).then_some((kept.until, *key));
            self.ends = self.bans.iter().filter_map(end).collect();
            for (prefix, jail) in self.bans.keys() {
                self.lengths.insert(length(*prefix));
                if let Some((_, count)) = self.names.get_mut(usize::from(*jail)) {
                    *count += 1;
                }
            }
        }
        for ((prefix, jail), past) in pasts {
            self.recall_past(called(jail), prefix, past);
        }
    }

    fn is_blank(&self) -> bool {
        self.bans.is_empty() && self.past.is_empty() && self.names.is_empty()
    }
}
