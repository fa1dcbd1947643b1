//! What a filter captured of a failure.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Values at most, bytes of each, and bytes of all together.
const MOST: usize = 32;
const LONG: usize = 1024;
const ALL: usize = 4096;

/// Names and values, few and short, in one piece that many can share. All of it may be what a
/// stranger wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String)>", into = "Vec<(String, String)>")]
pub struct Captures(Option<Arc<[Capture]>>);

/// A name and a value.
type Capture = (Box<str>, Box<str>);

impl Captures {
    /// Those that fit; of long values their beginning.
    pub fn of<'t>(all: impl Iterator<Item = (&'t str, &'t str)>) -> Self {
        let mut room = ALL;
        let fitting = all.take(MOST).map_while(|(name, value)| {
            room = room.checked_sub(name.len()).filter(|room| *room > 0)?;
            let mut end = value.len().min(LONG).min(room);
            while !value.is_char_boundary(end) {
                end -= 1;
            }
            room -= end;
            Some((name.into(), value.get(..end).unwrap_or_default().into()))
        });
        let kept: Arc<[_]> = fitting.collect();
        Self(Some(kept).filter(|kept| !kept.is_empty()))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|all| all.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Vec<(String, String)>> for Captures {
    fn from(all: Vec<(String, String)>) -> Self {
        Self::of(all.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl From<Captures> for Vec<(String, String)> {
    fn from(captures: Captures) -> Self {
        captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_short_ones_are_kept() {
        assert!(Captures::of(std::iter::empty()).is_empty());
        let long = "\u{f1}".repeat(LONG);
        let names: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
        for value in [long.as_str(), "x", ""] {
            let kept = Captures::of(names.iter().map(|name| (name.as_str(), value)));
            let bytes: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
            assert!(bytes <= ALL && kept.iter().count() <= MOST);
            assert!(kept.iter().next().is_some_and(|(_, one)| one.len() <= LONG));
            let written = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<Captures>(&written).unwrap(), kept);
        }
    }
}
