//! A map that never holds more than it was told to: the least recently touched entry leaves.
//! Every operation is O(1), so that a flood of strangers costs the same per stranger.
//!
//! Who looks up many entries in a row waits for memory more than for anything else. So what is
//! needed to find an entry and to keep the order is small and stands apart, and an entry is
//! touched only when it is found.

mod index;
mod order;
mod scatter;
mod shelves;

pub use scatter::Scatter;
pub use shelves::{Found, Shelves};

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// A bounded map in order of last touch.
#[derive(Debug)]
pub struct Capped<K, V, S = RandomState> {
    shelves: Shelves<K, V, S>,
    cap: usize,
}

/// The only shelf.
const ONE: usize = 0;

/// The hasher for keys that are keyed hashes already: hashing them again buys nothing.
pub type Hashed = BuildHasherDefault<AsIs>;

/// Takes a `u64` as it is.
#[derive(Debug, Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl<K: Hash + Eq, V, S: BuildHasher + Default> Capped<K, V, S> {
    /// A map for at most `cap` entries (at least one).
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { shelves: Shelves::new(1), cap: cap.clamp(1, u32::MAX as usize - 1) }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelves.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These keys are about to be looked up: what that needs is brought near, of all at once,
    /// and what will have to leave.
    pub fn expect<'k>(&self, keys: impl Iterator<Item = &'k K> + Clone)
    where
        K: 'k,
    {
        keys.clone().for_each(|key| self.shelves.glance(key));
        let found = keys.clone().filter_map(|key| self.shelves.find(key)).count();
        if self.len() >= self.cap {
            self.shelves.glance_oldest(ONE, keys.count() - found);
        }
    }

    /// Looks without touching.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.shelves.find(key).map(|found| self.shelves.look(found))
    }

    /// Looks without touching, to change what is in it.
    pub fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.shelves.find(key).map(|found| self.shelves.look_mut(found))
    }

    /// The entry, touched.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        self.shelves.find(key).map(|found| self.shelves.touch(found, ONE))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V>
    where
        V: Default,
    {
        self.shelves.find(key).map(|found| self.shelves.take(found, ONE))
    }

    /// The entry, touched, made when absent; and who had to leave for it.
    pub fn entry(&mut self, key: K) -> (&mut V, Option<(K, V)>)
    where
        V: Default,
    {
        let hash = self.shelves.hash(&key);
        if let Some(found) = self.shelves.find_hashed(hash, &key) {
            return (self.shelves.touch(found, ONE), None);
        }
        if self.len() >= self.cap {
            let (found, gone) = self.shelves.renew_oldest(hash, key, ONE);
            return (self.shelves.look_mut(found), gone);
        }
        let found = self.shelves.add(hash, key, ONE);
        (self.shelves.look_mut(found), None)
    }

    /// The least recently touched entry.
    #[must_use]
    pub fn oldest(&self) -> Option<(&K, &V)> {
        self.shelves.oldest(ONE).map(|found| self.shelves.both(found))
    }

    /// Takes out the least recently touched entry.
    pub fn pop_oldest(&mut self) -> Option<(K, V)>
    where
        K: Clone,
        V: Default,
    {
        let found = self.shelves.oldest(ONE)?;
        Some(self.shelves.take_out(found, ONE))
    }

    /// All entries, the least recently touched first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shelves.iter(ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The map against the obvious one: a vector in order of touch.
        #[test]
        fn behaves_like_a_list(cap in 1usize..5, steps in proptest::collection::vec((0u8..4, 0u8..8), 0..60)) {
            let mut map: Capped<u8, u32> = Capped::new(cap);
            let mut model: Vec<(u8, u32)> = Vec::new();
            for (what, key) in steps {
                let found = model.iter().position(|(k, _)| *k == key);
                match what {
                    0 => {
                        let (value, gone) = map.entry(key);
                        *value += 1;
                        let entry = found.map_or((key, 0), |i| model.remove(i));
                        let left = (found.is_none() && model.len() == cap).then(|| model.remove(0));
                        prop_assert_eq!(gone, left);
                        model.push((key, entry.1 + 1));
                    }
                    1 => prop_assert_eq!(map.remove(&key), found.map(|i| model.remove(i).1)),
                    2 => {
                        let touched = found.map(|i| model.remove(i));
                        model.extend(touched);
                        prop_assert_eq!(map.get(&key).copied(), touched.map(|t| t.1));
                    }
                    _ => {
                        let touched = found.map(|i| model.remove(i));
                        model.extend(touched);
                        prop_assert_eq!(map.get(&key).copied(), touched.map(|t| t.1));
                    }
                }
                prop_assert_eq!(map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), model.clone());
                prop_assert_eq!(map.len(), model.len());
            }
        }
    }
}
