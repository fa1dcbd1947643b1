//! Entries on several shelves, each in order of last touch, found by one look whatever shelf they
//! stand on.

use super::index::Index;
use super::order::{Links, List};
use std::hash::{BuildHasher, Hash, RandomState};
use std::hint::black_box;

/// A map whose entries stand on shelves. The caller knows on which; how many there may be is his
/// business too.
#[derive(Debug)]
pub struct Shelves<K, V, S = RandomState> {
    hasher: S,
    index: Index,
    slots: Vec<(K, V)>,
    links: Links,
    lists: Box<[List]>,
    free: Vec<u32>,
}

/// Where an entry is, until it is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(u32);

impl<K: Hash + Eq, V, S: BuildHasher + Default> Shelves<K, V, S> {
    /// So many shelves without entries.
    #[must_use]
    pub fn new(shelves: usize) -> Self {
        Self {
            hasher: S::default(),
            index: Index::default(),
            slots: Vec::new(),
            links: Links::default(),
            lists: vec![List::default(); shelves].into(),
            free: Vec::new(),
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries a shelf has.
    #[must_use]
    pub fn count(&self, shelf: usize) -> usize {
        self.lists[shelf].len()
    }

    pub(super) fn hash(&self, key: &K) -> u32 {
        let hash = self.hasher.hash_one(key);
        (hash >> 32 ^ hash) as u32
    }

    pub(super) fn find_hashed(&self, hash: u32, key: &K) -> Option<Found> {
        self.index.find(hash, |place| self.slots[place as usize].0 == *key).map(Found)
    }

    /// Where the entry of a key is.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<Found> {
        if self.index.len() == 0 {
            return None;
        }
        self.find_hashed(self.hash(key), key)
    }

    /// Brings near what says where the entry of a key is. Loads of many keys in a row overlap; what
    /// then is found out one after the other does not wait.
    #[inline]
    pub fn glance(&self, key: &K) {
        self.index.glance(self.hash(key));
    }

    /// The same for the entries of a shelf that leave next: so many.
    pub fn glance_oldest(&self, shelf: usize, many: usize) {
        let oldest = || self.links.of(self.lists[shelf]).take(many);
        for place in oldest() {
            black_box(self.hash(&self.slots[place as usize].0));
        }
        for place in oldest() {
            self.index.glance(self.hash(&self.slots[place as usize].0));
        }
    }

    /// An entry, not touched.
    #[must_use]
    pub fn look(&self, found: Found) -> &V {
        &self.slots[found.0 as usize].1
    }

    /// The same, to be changed.
    pub fn look_mut(&mut self, found: Found) -> &mut V {
        &mut self.slots[found.0 as usize].1
    }

    pub(super) fn both(&self, found: Found) -> (&K, &V) {
        let (key, value) = &self.slots[found.0 as usize];
        (key, value)
    }

    /// An entry of this shelf, touched.
    pub fn touch(&mut self, found: Found, shelf: usize) -> &mut V {
        self.links.touch(&mut self.lists[shelf], found.0);
        &mut self.slots[found.0 as usize].1
    }

    /// Puts an entry from one shelf on another, as the newest there.
    pub fn shift(&mut self, found: Found, from: usize, to: usize) {
        self.links.unlink(&mut self.lists[from], found.0);
        self.links.link(&mut self.lists[to], found.0);
    }

    /// The least recently touched entry of a shelf.
    #[must_use]
    pub fn oldest(&self, shelf: usize) -> Option<Found> {
        self.lists[shelf].oldest().map(Found)
    }

    /// The entries of a shelf, the least recently touched first.
    pub fn iter(&self, shelf: usize) -> impl Iterator<Item = (&K, &V)> {
        self.links.of(self.lists[shelf]).map(|place| self.both(Found(place)))
    }
}

impl<K: Hash + Eq, V: Default, S: BuildHasher + Default> Shelves<K, V, S> {
    /// Puts the entry of a key that has none on a shelf.
    pub fn put(&mut self, key: K, shelf: usize) -> Found {
        let hash = self.hash(&key);
        self.add(hash, key, shelf)
    }

    pub(super) fn add(&mut self, hash: u32, key: K, shelf: usize) -> Found {
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = (key, V::default());
                place
            }
            None => {
                self.slots.push((key, V::default()));
                (self.slots.len() - 1) as u32
            }
        };
        self.index.add(hash, place);
        self.links.link(&mut self.lists[shelf], place);
        Found(place)
    }

    /// Takes an entry of this shelf out, with its key.
    pub fn take_out(&mut self, found: Found, shelf: usize) -> (K, V)
    where
        K: Clone,
    {
        let key = self.slots[found.0 as usize].0.clone();
        (key, self.take(found, shelf))
    }

    /// Takes an entry of this shelf out.
    pub fn take(&mut self, found: Found, shelf: usize) -> V {
        let hash = self.hash(&self.slots[found.0 as usize].0);
        self.index.remove(hash, found.0);
        self.links.unlink(&mut self.lists[shelf], found.0);
        self.free.push(found.0);
        std::mem::take(&mut self.slots[found.0 as usize].1)
    }

    /// Makes an entry in the place of the least recently touched one of a shelf, and gives that.
    pub(super) fn renew_oldest(
        &mut self,
        hash: u32,
        key: K,
        shelf: usize,
    ) -> (Found, Option<(K, V)>) {
        let Some(Found(place)) = self.oldest(shelf) else {
            return (self.add(hash, key, shelf), None);
        };
        self.index.remove(self.hash(&self.slots[place as usize].0), place);
        self.index.add(hash, place);
        self.links.touch(&mut self.lists[shelf], place);
        let gone = std::mem::replace(&mut self.slots[place as usize], (key, V::default()));
        (Found(place), Some(gone))
    }
}
