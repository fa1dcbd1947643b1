//! A map that keeps the order in which its keys came.

use std::collections::BTreeMap;

/// Keys in the order of their first arrival, as the order of options decides the order of what
/// is done with them. A later value of the same key takes the earlier one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dict<V> {
    entries: Vec<(String, V)>,
    index: BTreeMap<String, usize>,
}

impl<V> Default for Dict<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: BTreeMap::new() }
    }
}

impl<V> Dict<V> {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.index.get(key).and_then(|at| self.entries.get(*at)).map(|(_, value)| value)
    }

    /// Whether there is a value of `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// All keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.index.get(key).and_then(|at| self.entries.get_mut(*at)).map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, key: &str, value: V) {
        match self.index.get(key).and_then(|at| self.entries.get_mut(*at)) {
            Some(entry) => entry.1 = value,
            None => {
                self.index.insert(key.to_owned(), self.entries.len());
                self.entries.push((key.to_owned(), value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_arrival_decides_the_order_and_the_last_the_value() {
        let mut dict = Dict::default();
        for (key, value) in [("b", 1), ("a", 2), ("b", 3)] {
            dict.insert(key, value);
        }
        assert_eq!(dict.iter().collect::<Vec<_>>(), [("b", &3), ("a", &2)]);
        assert_eq!((dict.get("c"), dict.len(), dict.is_empty()), (None, 2, false));
    }
}
