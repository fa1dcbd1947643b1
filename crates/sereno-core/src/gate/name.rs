//! Names of scopes and tables: short, plain, and safe inside any firewall syntax.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes.
pub const NAME_MAX: usize = 24;

/// One to 24 bytes of `a-z`, `0-9`, `_` and `-`.
///
/// Kept inline and `Copy`, because every one of a hundred thousand holds carries one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name([u8; NAME_MAX]);

impl Name {
    /// The table's default name.
    pub const SERENO: Self = Self(*b"sereno\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a name is missing".to_owned());
        }
        if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')) {
            return Err(format!(
                "the name {text:?} contains {bad:?}; use only a-z, 0-9, '_' and '-'"
            ));
        }
        if text.len() > NAME_MAX {
            return Err(format!(
                "the name {text:?} has {} characters; at most {NAME_MAX} fit",
                text.len()
            ));
        }
        let mut bytes = [0; NAME_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(bytes))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(NAME_MAX);
        // The constructor let only ASCII in, so the fallback is never taken.
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

crate::text::as_text!(Name);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_say_what_is_wrong() {
        let why = |text: &str| Name::new(text).unwrap_err();
        assert_eq!(why(""), "a name is missing");
        assert!(why("SSHD").contains("'S'"));
        assert!(why("a b").contains("' '"));
        assert!(why("x\"; drop").contains("'\"'"));
        assert!(why(&"x".repeat(25)).contains("25 characters"));
        assert_eq!(Name::new(&"x".repeat(24)).unwrap().as_str().len(), 24);
    }

    proptest! {
        #[test]
        fn names_round_trip_and_sort_as_text(a in "[a-z0-9_-]{1,24}", b in "[a-z0-9_-]{1,24}") {
            let (x, y) = (Name::new(&a).unwrap(), Name::new(&b).unwrap());
            prop_assert_eq!(x.as_str(), a.as_str());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
