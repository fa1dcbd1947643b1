//! How long a ban lasts for somebody who comes back: fail2ban's `bantime.*` options.

use super::Formula;
use std::time::Duration;

/// The `bantime.*` options.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// `bantime.increment`: whether bans grow at all.
    pub increment: bool,
    /// `bantime.factor`.
    pub factor: f64,
    /// `bantime.formula`: used instead of doubling.
    pub formula: Option<Formula>,
    /// `bantime.multipliers`: used instead of doubling; the last one repeats.
    pub multipliers: Vec<f64>,
    /// `bantime.maxtime`.
    pub maxtime: Option<Duration>,
    /// `bantime.rndtime`: at most this much is added at random, against clever timing.
    pub rndtime: Duration,
    /// `bantime.overalljails`: bans of all jails count.
    pub overalljails: bool,
}

impl Default for Escalation {
    fn default() -> Self {
        Self {
            increment: false,
            factor: 1.0,
            formula: None,
            multipliers: Vec::new(),
            maxtime: None,
            rndtime: Duration::ZERO,
            overalljails: false,
        }
    }
}

impl Escalation {
    /// The length of a ban after `before` earlier ones; `chance` is between 0 and 1.
    #[must_use]
    pub fn length(&self, base: Duration, before: u32, chance: f64) -> Duration {
        let mut length = base;
        if self.increment && before > 0 {
            let times = |times: f64| base.as_secs_f64() * times * self.factor;
            let grown = match (self.multipliers.as_slice(), &self.formula) {
                // What cannot be worked out grows nothing, as in fail2ban.
                ([], Some(formula)) => {
                    formula.seconds(base.as_secs(), before, self.factor).unwrap_or_default()
                }
                ([], None) => times(f64::from(1u32 << before.min(20))),
                (some, _) => times(some[(before as usize).min(some.len() - 1)]),
            };
            let endless = if grown > 0.0 { Duration::MAX } else { base };
            length = Duration::try_from_secs_f64(grown).unwrap_or(endless).max(base);
        }
        if self.increment
            && let Some(most) = self.maxtime
        {
            length = length.min(most);
        }
        length.saturating_add(self.rndtime.mul_f64(chance.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_grow_as_fail2ban_says() {
        let hour = Duration::from_secs(3600);
        let doubling = Escalation { increment: true, ..Escalation::default() };
        assert_eq!(doubling.length(hour, 0, 0.0), hour);
        assert_eq!(doubling.length(hour, 3, 0.0), hour * 8);
        let listed = Escalation { multipliers: vec![1.0, 2.0, 24.0], ..doubling.clone() };
        assert_eq!(listed.length(hour, 1, 0.0), hour * 2);
        assert_eq!(listed.length(hour, 9, 0.0), hour * 24);
        let capped = Escalation { maxtime: Some(hour * 5), rndtime: hour, ..doubling };
        assert_eq!(capped.length(hour, 30, 0.5), hour * 5 + hour / 2);
        assert_eq!(Escalation::default().length(hour, 9, 0.0), hour);
    }

    #[test]
    fn bans_grow_by_a_formula() {
        let hour = Duration::from_secs(3600);
        let by = |formula: &str| Escalation {
            increment: true,
            factor: 2.0,
            formula: Formula::parse(formula).ok(),
            ..Escalation::default()
        };
        let linear = by("ban.Time * (1 + ban.Count * banFactor)");
        assert_eq!((linear.length(hour, 0, 0.0), linear.length(hour, 3, 0.0)), (hour, hour * 7));
        let capped = Escalation { maxtime: Some(hour * 5), ..linear.clone() };
        assert_eq!(capped.length(hour, 3, 0.0), hour * 5);
        let listed = Escalation { multipliers: vec![1.0, 3.0], ..linear };
        assert_eq!(listed.length(hour, 1, 0.0), hour * 6);
        // Never shorter, and not longer for what cannot be worked out.
        for formula in ["1", "-ban.Time", "1/0", "1<<0.5", "math.inf - math.inf"] {
            assert_eq!(by(formula).length(hour, 3, 0.0), hour, "{formula}");
        }
        assert_eq!(by("1 << 10**9").length(hour, 3, 0.0), Duration::MAX);
    }
}
