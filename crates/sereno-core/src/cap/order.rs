//! Entries in order of last touch. What joins them stands apart from them: a touch changes three
//! entries, of which only one is wanted.

/// No place.
const NONE: u32 = u32::MAX;

/// The links of all entries, whatever lists they are on; an entry is on one.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<Link>);

#[derive(Clone, Copy, Debug)]
struct Link {
    newer: u32,
    older: u32,
}

/// One list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    newest: u32,
    oldest: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { newest: NONE, oldest: NONE, len: 0 }
    }
}

impl List {
    /// How many entries are on it.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The least recently touched one.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }
}

impl Links {
    /// Puts an entry at the new end.
    pub(super) fn link(&mut self, list: &mut List, place: u32) {
        let link = Link { newer: NONE, older: list.newest };
        match self.0.get_mut(place as usize) {
            Some(old) => *old = link,
            None => self.0.push(link),
        }
        match self.0.get_mut(list.newest as usize) {
            Some(before) => before.newer = place,
            None => list.oldest = place,
        }
        list.newest = place;
        list.len += 1;
    }

    /// Takes an entry off its list.
    pub(super) fn unlink(&mut self, list: &mut List, place: u32) {
        let Some(Link { newer, older }) = self.0.get(place as usize).copied() else { return };
        match self.0.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => list.newest = older,
        }
        match self.0.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => list.oldest = newer,
        }
        list.len -= 1;
    }

    /// Brings an entry to the new end.
    #[inline]
    pub(super) fn touch(&mut self, list: &mut List, place: u32) {
        if list.newest != place {
            self.unlink(list, place);
            self.link(list, place);
        }
    }

    /// The places of a list, the least recently touched first.
    pub(super) fn of(&self, list: List) -> impl Iterator<Item = u32> {
        let mut at = list.oldest;
        std::iter::from_fn(move || {
            let link = self.0.get(at as usize)?;
            Some(std::mem::replace(&mut at, link.newer))
        })
    }
}
