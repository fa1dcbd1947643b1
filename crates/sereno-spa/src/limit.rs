//! How many packets are looked at, before anything is computed for them.
//!
//! While there is time for all, nobody is turned away: whoever counted packets per source from the
//! first one on could be made to turn away an honest client by packets in his name. When more than
//! half of what can be done is used up, each source has a share of its own.

use crate::Refusal;
use sereno_core::addr::Prefix;
use sereno_core::cap::Capped;
use sereno_core::time::Time;
use std::net::IpAddr;

/// Sources remembered at most, while there is a flood.
const SOURCES: usize = 16_384;

/// Budgets of work: one unit is a packet tried with the keys of one stanza.
#[derive(Debug)]
pub struct Limits {
    all: Rate,
    each: Rate,
    used: Bucket,
    sources: Capped<IpAddr, Bucket>,
}

/// So many a second, and as many seconds' worth at once.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Microseconds for a thousand units.
    step: i64,
    /// Microseconds of work that may be ahead of the clock.
    burst: i64,
}

/// Up to when work has been given out (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(Time);

impl Rate {
    fn new(per_second: u32, seconds: u32) -> Self {
        let step = 1_000_000_000 / i64::from(per_second.max(1));
        Self { step, burst: i64::from(seconds) * 1_000_000 }
    }

    fn cost(self, units: usize) -> i64 {
        (self.step.saturating_mul(i64::try_from(units).unwrap_or(i64::MAX)) / 1000).max(1)
    }
}

impl Bucket {
    /// Microseconds of work given out ahead of the clock. More than a burst is a clock that was set
    /// back, with which counting begins anew.
    fn ahead(self, rate: Rate, now: Time) -> i64 {
        let ahead = self.0.0.saturating_sub(now.0).max(0);
        if ahead > rate.burst { 0 } else { ahead }
    }

    /// Takes so many units if there is room for them; what is more than a burst needs a whole one.
    fn take(&mut self, rate: Rate, units: usize, now: Time) -> bool {
        let ahead = self.ahead(rate, now);
        let cost = rate.cost(units).min(rate.burst);
        let room = ahead + cost <= rate.burst;
        self.0 = Time(now.0.saturating_add(if room { ahead + cost } else { ahead }));
        room
    }
}

impl Default for Limits {
    /// 50,000 units a second, and 20 for each source when more than half of them are used.
    fn default() -> Self {
        Self::new(50_000, 20)
    }
}

impl Limits {
    /// So many units a second in all, and for each source (IPv6: each /64) when they are scarce.
    #[must_use]
    pub fn new(all: u32, each: u32) -> Self {
        let (all, each) = (Rate::new(all, 1), Rate::new(each, 5));
        Self { all, each, used: Bucket::default(), sources: Capped::new(SOURCES) }
    }

    pub(crate) fn take(&mut self, source: IpAddr, units: usize, now: Time) -> Result<(), Refusal> {
        if self.used.ahead(self.all, now) > self.all.burst / 2 {
            let bits = if source.is_ipv4() { 32 } else { 64 };
            let whose = Prefix::new(source, bits).map_or(source, Prefix::addr);
            let (bucket, _) = self.sources.entry(whose);
            if !bucket.take(self.each, units, now) {
                return Err(Refusal::Flood);
            }
        }
        if self.used.take(self.all, units, now) { Ok(()) } else { Err(Refusal::Busy) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn while_there_is_room_nobody_is_turned_away() {
        let mut limits = Limits::new(1000, 1);
        // 400 a second from one source, for ten seconds.
        for n in 0..4000 {
            assert_eq!(limits.take(addr(1), 1, Time(n * 2500)), Ok(()), "{n}");
        }
        assert!(limits.sources.is_empty());
    }

    #[test]
    fn who_floods_is_turned_away_and_others_are_not() {
        let mut limits = Limits::new(1000, 10);
        let (mut passed, mut flood) = (0, 0);
        for n in 0..20_000 {
            match limits.take(addr(1), 1, Time(n * 100)) {
                Ok(()) => passed += 1,
                Err(refusal) => flood += u32::from(refusal == Refusal::Flood),
            }
            if n % 2000 == 1999 {
                assert_eq!(limits.take(addr(2), 1, Time(n * 100)), Ok(()), "{n}");
            }
        }
        // Half a burst, then as fast as it is worked off, and never what is left for others.
        assert!((2000..2600).contains(&passed) && flood > 17_000, "{passed} {flood}");
    }

    #[test]
    fn from_everywhere_at_once_only_so_many_are_looked_at() {
        let mut limits = Limits::new(1000, 1);
        let taken =
            (0..100_000).filter(|n| limits.take(addr(*n), 1, Time(i64::from(*n) * 10)).is_ok());
        let taken = taken.count();
        assert!((1900..2200).contains(&taken), "{taken}");
        assert!(limits.sources.len() <= SOURCES);
        // A second later there is room again.
        assert_eq!(limits.take(addr(7), 1, Time(2_500_000)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_turns_nobody_away() {
        let mut limits = Limits::new(10, 1);
        let late = Time::from_secs(4_000_000_000);
        assert_eq!(limits.take(addr(1), 1, late), Ok(()));
        let now = Time::from_secs(1_000_000_000);
        assert_eq!(limits.take(addr(1), 1, now), Ok(()));
    }
}
