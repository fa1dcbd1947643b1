//! One ban, and where a list of bans goes.

use super::{Gate, Name, Proto, Set, Through};
use crate::addr::Prefix;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The shortest timeout handed to a kernel. Timeouts are kept in ticks of up to 10 ms, and one
/// that rounds down to no tick at all would mean "for ever".
const SHORTEST: Duration = Duration::from_millis(20);

/// Longer than this is for ever; keeps clear of the kernel's own limit of 584 years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// One ban: packets from `prefix` are stopped in `scope` until `until` (`None`: for ever).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The scope's name.
    pub scope: Name,
    /// Who is stopped.
    pub prefix: Prefix,
    /// When it ends by itself.
    pub until: Option<Time>,
}

impl Hold {
    /// What is left of the ban at `now`.
    #[must_use]
    pub fn left(&self, now: Time) -> Left {
        Left::of(self.until, now)
    }
}

/// How much longer something lasts, as a kernel can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Left {
    /// It has ended.
    Over,
    /// Whole milliseconds, at least 20 and at most a hundred years.
    For(Duration),
    /// It does not end by itself.
    Ever,
}

impl Left {
    /// What is left at `now` until a time.
    #[must_use]
    pub fn of(until: Option<Time>, now: Time) -> Self {
        let Some(until) = until else { return Self::Ever };
        let micros = until.since(now).as_micros();
        if micros == 0 {
            return Self::Over;
        }
        // Rounded up: a ban never ends early.
        let millis = u64::try_from(micros.div_ceil(1000)).unwrap_or(u64::MAX);
        let left = Duration::from_millis(millis).max(SHORTEST);
        if left > LONGEST { Self::Ever } else { Self::For(left) }
    }
}

/// Why a ban or a pass has no place in a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The gate has no scope of that name.
    Scope(Name),
    /// The gate has no set for prefixes of that length.
    Length(Prefix),
    /// The gate has no opening of that name.
    Opening(Name),
    /// The gate does not open single ports.
    Single(Proto, u16),
    /// The gate does not translate so, or not for such an address.
    Nat(Through),
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(name) => write!(f, "the gate has no scope named {name}"),
            Self::Length(prefix) => write!(
                f,
                "{prefix} cannot be banned: the gate has no set for prefixes of length /{}",
                prefix.bits()
            ),
            Self::Opening(name) => write!(f, "the gate has no opening named {name}"),
            Self::Single(proto, port) => {
                write!(f, "the gate does not open single ports such as {}/{port}", proto.as_str())
            }
            Self::Nat(to) => write!(f, "the gate does not translate so: {to}"),
        }
    }
}

/// A list of bans sorted into the sets of a gate.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// Per set, its prefixes in order, each once, with the time left.
    pub sets: BTreeMap<Set, Vec<(Prefix, Left)>>,
    /// How many bans had already ended.
    pub over: usize,
    /// The bans that fit nowhere, and why.
    pub misplaced: Vec<(Hold, Misplaced)>,
}

impl Gate {
    /// Sorts `holds` into the gate's sets. Where one prefix is held twice in a scope, the
    /// longer ban counts.
    #[must_use]
    pub fn place(&self, holds: &[Hold], now: Time) -> Placed {
        let mut placed = Placed::default();
        for hold in holds {
            let left = hold.left(now);
            match self.set_for(hold.scope, hold.prefix) {
                _ if left == Left::Over => placed.over += 1,
                Ok(set) => placed.sets.entry(set).or_default().push((hold.prefix, left)),
                Err(why) => placed.misplaced.push((*hold, why)),
            }
        }
        for list in placed.sets.values_mut() {
            list.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            list.dedup_by_key(|(prefix, _)| *prefix);
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Draft, Scope};

    const NOW: Time = Time::from_secs(1_000_000);

    fn hold(scope: &str, prefix: &str, until: Option<Time>) -> Hold {
        Hold { scope: scope.parse().unwrap(), prefix: prefix.parse().unwrap(), until }
    }

    #[test]
    fn what_is_left_never_rounds_to_nothing_or_for_ever() {
        let left = |micros| hold("a", "192.0.2.1", Some(Time(NOW.0 + micros))).left(NOW);
        assert_eq!(left(0), Left::Over);
        assert_eq!(left(-5), Left::Over);
        assert_eq!(left(1), Left::For(SHORTEST));
        assert_eq!(left(60_000_001), Left::For(Duration::from_millis(60_001)));
        assert_eq!(left(i64::MAX - NOW.0), Left::Ever);
        assert_eq!(hold("a", "192.0.2.1", None).left(NOW), Left::Ever);
        assert_eq!(hold("a", "192.0.2.1", Some(Time(i64::MAX))).left(Time::MIN), Left::Ever);
    }

    #[test]
    fn bans_are_sorted_once_each_and_the_longer_one_counts() {
        let gate = Gate::try_from(Draft::of(vec![Scope::new("a", "all").unwrap()])).unwrap();
        let later = |secs| Some(NOW.plus(Duration::from_secs(secs)));
        let placed = gate.place(
            &[
                hold("a", "192.0.2.9", later(60)),
                hold("a", "192.0.2.1", later(60)),
                hold("a", "192.0.2.1", None),
                hold("a", "192.0.2.1", later(600)),
                hold("a", "192.0.2.0/24", later(5)),
                hold("a", "192.0.2.3", later(0)),
                hold("b", "192.0.2.3", later(9)),
                hold("a", "2001:db8::/32", later(9)),
            ],
            NOW,
        );
        let shown: Vec<_> =
            placed.sets.iter().map(|(set, list)| format!("{set} {list:?}")).collect();
        assert_eq!(
            shown,
            [
                "ban_a_v4_24 [(192.0.2.0/24, For(5s))]",
                "ban_a_v4_32 [(192.0.2.1, Ever), (192.0.2.9, For(60s))]",
            ]
        );
        assert_eq!(placed.over, 1);
        assert_eq!(placed.misplaced.len(), 2);
    }
}
