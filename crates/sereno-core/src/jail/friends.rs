//! Friends: whom no path may ban.

use crate::addr::Prefix;
use serde::{Deserialize, Serialize};

/// A network that is never banned, and why it is a friend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friend {
    /// Who.
    pub prefix: Prefix,
    /// In words: `loopback`, `own address`, `ignoreip`, `logged in`, ...
    pub why: String,
}

/// The one list of friends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friends(Vec<Friend>);

impl Friends {
    /// The list, with what is always on it: loopback, the unspecified address, and link-local
    /// addresses, without which IPv6 neighbours cannot find each other.
    #[must_use]
    pub fn new(mut list: Vec<Friend>) -> Self {
        let always = [
            ("loopback", "127.0.0.0/8"),
            ("loopback", "::1"),
            ("nobody", "0.0.0.0/8"),
            ("nobody", "::"),
        ];
        for (why, text) in always.into_iter().chain([("link-local", "fe80::/10")]) {
            if let Ok(prefix) = text.parse()
                && !list.iter().any(|friend| friend.prefix == prefix)
            {
                list.push(Friend { prefix, why: why.to_owned() });
            }
        }
        Self(list)
    }

    /// The friend whom a ban of `prefix` would hit.
    #[must_use]
    pub fn hit_by(&self, prefix: Prefix) -> Option<&Friend> {
        self.0.iter().find(|friend| friend.prefix.overlaps(prefix))
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Friend] {
        &self.0
    }
}
