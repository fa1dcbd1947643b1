//! Keys, which are wiped when they go and never shown.

use base64ct::{Base64, Base64Unpadded, Encoding};
use std::fmt;
use zeroize::Zeroizing;

/// A key: its bytes as they are, not yet stretched.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A key from its bytes, of which no other copy should be kept.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key from standard base64, with its padding or without; `None` if it is none.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let read = Base64::decode_vec(text).or_else(|_| Base64Unpadded::decode_vec(text));
        read.ok().map(Self::new)
    }

    /// The key in standard base64, as `KEY_BASE64` and `HMAC_KEY_BASE64` are written.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(Base64::encode_string(&self.0))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, for who makes something of them. They are not to be shown.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Wipes a text that has keys in it.
pub fn wipe(mut text: String) {
    zeroize::Zeroize::zeroize(&mut text);
}

/// Whether two texts are the same, in a time that depends on their lengths alone.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    let differ =
        left.iter().zip(right).fold(0, |differ, (l, r)| std::hint::black_box(differ | (l ^ r)));
    left.len() == right.len() && std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_compared_but_not_shown() {
        let key = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{key:?}"), "Secret(..)");
        assert_eq!(key, Secret::from_base64(&key.to_base64()).unwrap());
        assert_eq!(key, Secret::from_base64("aHVudGVyMg").unwrap());
        assert_ne!(key, Secret::new(b"hunter3".to_vec()));
        assert_ne!(key, Secret::new(b"hunter".to_vec()));
        assert!(Secret::from_base64("a b").is_none());
        assert_eq!(key.len(), 7);
    }
}
