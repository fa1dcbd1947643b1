//! Why a packet opens nothing.

use std::fmt;

/// Why a packet opens nothing, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Fewer bytes than the shortest packet has.
    Short,
    /// More bytes than the longest packet has.
    Long,
    /// Other characters than those of base64 without padding; also anything at or behind `=`.
    Characters,
    /// It begins with what is never sent: somebody put together what a client had encrypted.
    Prefix,
    /// No stanza is for this source and destination.
    Source,
    /// So many packets that none can be looked at.
    Busy,
    /// Many packets, and more than its share of them from this source.
    Flood,
    /// It came before.
    Replay,
    /// Not signed with the key of any stanza for this source.
    Hmac,
    /// Signed, but encrypted with another key or mode, or damaged.
    Decrypt,
    /// The digest inside is not that of the rest.
    Digest,
    /// A field inside breaks the rules of the format.
    Fields,
    /// Too many packets are remembered to tell whether this one came before.
    Full,
    /// The stanza's time is over (`ACCESS_EXPIRE`).
    Lapsed,
    /// It was made too long ago.
    Expired,
    /// It was made in the future: one of the clocks is wrong.
    Future,
    /// The packet names no address, and one is required (`REQUIRE_SOURCE_ADDRESS`).
    Address,
    /// Another user than the one required (`REQUIRE_USERNAME`).
    User,
    /// It asks for address translation, which is not allowed.
    Nat,
    /// It asks for translation to where nothing may lead: a name, this machine itself, no single
    /// machine.
    Target,
    /// It is a command, and commands are not allowed (`ENABLE_CMD_EXEC`).
    Command,
    /// It asks for a port that may not be opened (`OPEN_PORTS`, `RESTRICT_PORTS`).
    Ports,
}

impl Refusal {
    /// All of them, in order.
    pub const ALL: [Self; 22] = [
        Self::Short,
        Self::Long,
        Self::Characters,
        Self::Prefix,
        Self::Source,
        Self::Busy,
        Self::Flood,
        Self::Replay,
        Self::Hmac,
        Self::Decrypt,
        Self::Digest,
        Self::Fields,
        Self::Full,
        Self::Lapsed,
        Self::Expired,
        Self::Future,
        Self::Address,
        Self::User,
        Self::Nat,
        Self::Target,
        Self::Command,
        Self::Ports,
    ];

    /// A word to count by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
            Self::Characters => "characters",
            Self::Prefix => "prefix",
            Self::Busy => "busy",
            Self::Flood => "flood",
            Self::Source => "source",
            Self::Replay => "replay",
            Self::Hmac => "hmac",
            Self::Decrypt => "decrypt",
            Self::Digest => "digest",
            Self::Fields => "fields",
            Self::Full => "full",
            Self::Lapsed => "lapsed",
            Self::Expired => "expired",
            Self::Future => "future",
            Self::Address => "address",
            Self::User => "user",
            Self::Nat => "nat",
            Self::Target => "target",
            Self::Command => "command",
            Self::Ports => "ports",
        }
    }

    /// Whether the packet was made by somebody who has a key. Such a refusal is worth a line of
    /// its own; the others are worth a count.
    #[must_use]
    pub fn is_of_a_key_holder(self) -> bool {
        self >= Self::Full || self == Self::Fields
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_word_of_its_own_and_its_place() {
        for (at, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, at);
            let same = Refusal::ALL.iter().filter(|other| other.as_str() == refusal.as_str());
            assert_eq!(same.count(), 1, "{refusal}");
        }
    }
}
