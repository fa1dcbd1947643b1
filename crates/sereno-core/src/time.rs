//! Points in time as the core sees them: microseconds since the Unix epoch, in UTC.
//!
//! A newtype over `i64` keeps the hot path free of calendar arithmetic; calendars and zones
//! live in [`crate::line`] (text to time) and at the edges (time to text).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The earliest representable time; older than any log line.
    pub const MIN: Self = Self(i64::MIN);

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time plus a span, saturating at the ends.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// This time minus a span, saturating at the ends.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// How long after `earlier` this time is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0))
            .map_or(Duration::ZERO, Duration::from_micros)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl FromStr for Time {
    type Err = jiff::Error;

    /// From RFC 3339, with any offset.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|stamp: jiff::Timestamp| Self(stamp.as_microsecond()))
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, with milliseconds where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) if self.0 % 1_000_000 == 0 => write!(f, "{stamp:.0}"),
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}
