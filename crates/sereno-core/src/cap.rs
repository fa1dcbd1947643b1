//! A map that never holds more than it was told to: the least recently touched entry leaves.
//! Every operation is O(1), so that a flood of strangers costs the same per stranger.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    newer: u32,
    older: u32,
}

/// A bounded map in order of last touch.
#[derive(Debug)]
pub struct Capped<K, V, S = RandomState> {
    index: HashMap<K, u32, S>,
    slots: Vec<Slot<K, V>>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    cap: usize,
}

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

impl<K: Hash + Eq + Clone, V: Default, S: BuildHasher + Default> Capped<K, V, S> {
    /// A map for at most `cap` entries (at least one).
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self {
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            cap: cap.clamp(1, NONE as usize - 1),
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
        self.index.is_empty()
    }

    /// Looks without touching.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.index.get(key).map(|&i| &self.slots[i as usize].value)
    }

    /// Looks without touching, to change what is in it.
    pub fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.index.get(key).map(|&i| &mut self.slots[i as usize].value)
    }

    /// The entry, touched.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        let i = *self.index.get(key)?;
        self.touch(i);
        Some(&mut self.slots[i as usize].value)
    }

    /// The entry, touched, made when absent; and who had to leave for it.
    pub fn entry(&mut self, key: K) -> (&mut V, Option<(K, V)>) {
        if let Some(&i) = self.index.get(&key) {
            self.touch(i);
            return (&mut self.slots[i as usize].value, None);
        }
        if self.index.len() >= self.cap {
            return self.renew_oldest(key);
        }
        (self.add(key), None)
    }

    /// Where an entry is, until it leaves.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// The entry that [`Capped::find`] found, touched.
    pub fn found(&mut self, at: u32) -> &mut V {
        self.touch(at);
        &mut self.slots[at as usize].value
    }

    /// Makes an entry for a key that has none, where there is room for it.
    fn add(&mut self, key: K) -> &mut V {
        let slot = Slot { key: key.clone(), value: V::default(), newer: NONE, older: NONE };
        let i = match self.free.pop() {
            Some(i) => {
                self.slots[i as usize] = slot;
                i
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.index.insert(key, i);
        self.link(i);
        &mut self.slots[i as usize].value
    }

    /// Makes an entry in the place of the least recently touched one.
    fn renew_oldest(&mut self, key: K) -> (&mut V, Option<(K, V)>) {
        let i = self.oldest;
        let slot = &mut self.slots[i as usize];
        let gone = std::mem::replace(&mut slot.key, key.clone());
        let gone = (gone, std::mem::take(&mut slot.value));
        self.index.remove(&gone.0);
        self.index.insert(key, i);
        self.touch(i);
        (&mut self.slots[i as usize].value, Some(gone))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let i = self.index.remove(key)?;
        self.unlink(i);
        self.free.push(i);
        Some(std::mem::take(&mut self.slots[i as usize].value))
    }

    /// The least recently touched entry.
    #[must_use]
    pub fn oldest(&self) -> Option<(&K, &V)> {
        self.slots.get(self.oldest as usize).map(|slot| (&slot.key, &slot.value))
    }

    /// Takes out the least recently touched entry.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let key = self.slots.get(self.oldest as usize)?.key.clone();
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// All entries, the least recently touched first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(at as usize)?;
            at = slot.newer;
            Some((&slot.key, &slot.value))
        })
    }

    fn touch(&mut self, i: u32) {
        if self.newest != i {
            self.unlink(i);
            self.link(i);
        }
    }

    fn link(&mut self, i: u32) {
        let before = self.newest;
        let slot = &mut self.slots[i as usize];
        slot.older = before;
        slot.newer = NONE;
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = i,
            None => self.oldest = i,
        }
        self.newest = i;
    }

    fn unlink(&mut self, i: u32) {
        let (newer, older) = (self.slots[i as usize].newer, self.slots[i as usize].older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
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
                        let at = map.find(&key);
                        prop_assert_eq!(at.map(|at| *map.found(at)), touched.map(|t| t.1));
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
