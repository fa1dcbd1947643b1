//! What is remembered of one stranger.

use super::{Because, JailPolicy};
use crate::ledger::Evidence;
use crate::rule::session::{Line, Verdict};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// With a greater `maxretry`, failures within this part of `findtime` are one mark, so that no
/// stranger has more than twice as many.
const MARKS: u32 = 1024;

/// One failure in the window, or several of the same moment on the same account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// When, by the log.
    at: Time,
    /// How much it counts.
    weight: u32,
    /// The account's hash; 0 for none.
    account: u64,
}

/// The failures of one stranger, and the accounts he tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Track {
    /// In order of time.
    marks: VecDeque<Mark>,
    /// What the marks weigh together, so that a failure costs the same however many there are.
    sum: u32,
    accounts: Vec<(u64, Time)>,
    /// The newest lines, and when each was written.
    evidence: Vec<(Time, Line<'static>)>,
    /// Some of it no packet with a false source address can have caused.
    proved: bool,
}

/// A track as it is written down; a mark is its time (microseconds since the epoch), weight and
/// account; evidence is the time and the line.
#[derive(Serialize, Deserialize)]
struct Written {
    marks: Vec<(Time, u32, u64)>,
    accounts: Vec<(u64, Time)>,
    evidence: Vec<(Time, Line<'static>)>,
    #[serde(default)]
    proved: bool,
}

impl From<Track> for Written {
    fn from(track: Track) -> Self {
        let marks = track.marks.iter().map(|mark| (mark.at, mark.weight, mark.account)).collect();
        let Track { accounts, evidence, proved, .. } = track;
        Self { marks, accounts, evidence, proved }
    }
}

impl From<Written> for Track {
    fn from(written: Written) -> Self {
        let mark = |(at, weight, account)| Mark { at, weight, account };
        let mut marks: Vec<Mark> = written.marks.into_iter().map(mark).collect();
        marks.sort_by_key(|mark| mark.at);
        let Written { accounts, evidence, proved, .. } = written;
        let mut track = Self { marks: marks.into(), sum: 0, accounts, evidence, proved };
        track.weigh();
        track
    }
}

impl Track {
    /// Adds a failure; says which limit it reached.
    pub(super) fn count(
        &mut self,
        verdict: &Verdict<'_>,
        weight: u32,
        policy: &JailPolicy,
    ) -> Option<(Because, u32)> {
        self.proved |= !verdict.spoofable;
        let fine = policy.maxretry <= MARKS;
        let step = if fine { Duration::ZERO } else { policy.findtime / MARKS };
        self.mark(Mark { at: verdict.at, weight, account: verdict.account }, step);
        self.slide(policy);
        if self.evidence.len() < policy.evidence {
            self.evidence.push((verdict.at, verdict.line.to_owned()));
        } else if let Some((at, last)) = {
            self.evidence.rotate_left(1);
            self.evidence.last_mut()
        } {
            *at = verdict.at;
            last.copy(&verdict.line);
        }
        if self.sum >= policy.maxretry {
            return Some((Because::Failures, self.sum));
        }
        self.tried(verdict, policy).map(|tried| (Because::Accounts, tried))
    }

    /// Puts a mark in its place: nearly always the end, for logs are written in order.
    /// Within `step` of another it is added to that, so that it is counted for no longer than it
    /// should be.
    fn mark(&mut self, new: Mark, step: Duration) {
        self.sum = self.sum.saturating_add(new.weight);
        let place = self.marks.iter().rposition(|mark| mark.at <= new.at).map_or(0, |i| i + 1);
        let before = place.checked_sub(1).and_then(|i| self.marks.get_mut(i));
        let near = |mark: &&mut Mark| {
            (mark.at, mark.account) == (new.at, new.account) || new.at.since(mark.at) < step
        };
        if let Some(same) = before.filter(near) {
            same.weight = same.weight.saturating_add(new.weight);
            if same.account != new.account {
                same.account = 0;
            }
        } else {
            self.marks.insert(place, new);
        }
    }

    /// Drops what is older than the window before the newest mark.
    fn slide(&mut self, policy: &JailPolicy) {
        let Some(newest) = self.marks.back().map(|mark| mark.at) else { return };
        let start = newest.minus(policy.findtime);
        while let Some(first) = self.marks.front()
            && first.at < start
        {
            self.sum = self.sum.saturating_sub(first.weight);
            self.marks.pop_front();
        }
    }

    fn weigh(&mut self) {
        self.sum = self.marks.iter().map(|mark| mark.weight).fold(0, u32::saturating_add);
    }

    fn tried(&mut self, verdict: &Verdict<'_>, policy: &JailPolicy) -> Option<u32> {
        if policy.maxaccounts == 0 || verdict.account == 0 {
            return None;
        }
        let start = verdict.at.minus(policy.accounttime);
        self.accounts.retain(|(account, at)| *at >= start && *account != verdict.account);
        self.accounts.push((verdict.account, verdict.at));
        let tried = self.accounts.len() as u32;
        (tried >= policy.maxaccounts).then_some(tried)
    }

    /// Whether it is worth more than that of somebody whose address was seen once, and whom
    /// anybody may have made up.
    pub(super) fn firm(&self) -> bool {
        self.proved || self.marks.len() > 1
    }

    /// Takes back what was counted on an account, now that somebody proved it is his.
    pub(super) fn forgive(&mut self, account: u64) {
        self.marks.retain(|mark| mark.account != account);
        self.accounts.retain(|(tried, _)| *tried != account);
        self.weigh();
    }

    pub(super) fn into_evidence(self) -> Evidence {
        Evidence::dated(self.evidence)
    }

    /// When the newest failure in the window was.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        self.marks.back().map(|mark| mark.at)
    }

    /// The newest lines, and when each was written.
    #[must_use]
    pub fn evidence(&self) -> &[(Time, Line<'static>)] {
        &self.evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Name;

    #[test]
    fn a_patient_jail_keeps_little_of_each() {
        let policy = JailPolicy {
            maxretry: 50_000,
            findtime: Duration::from_secs(40_000),
            ..JailPolicy::new(Name::SERENO, "")
        };
        let mut track = Track::default();
        let mut failure = |second: i64| {
            let verdict = Verdict {
                at: Time::from_secs(second),
                addr: [192, 0, 2, 7].into(),
                network: None,
                good: false,
                weight: 1,
                proved: 0,
                account: (second % 3) as u64,
                spoofable: false,
                pattern: "p".into(),
                line: Line::new(b"x"),
            };
            let tripped = track.count(&verdict, 1, &policy);
            (track.marks.len(), track.sum, tripped)
        };
        for second in 0..100_000_i64 {
            // Some lines come late.
            let late = if second % 7 == 3 { 60 } else { 0 };
            let (marks, sum, tripped) = failure(second - late);
            // Never more than there were in the window, and not much less.
            let real = u32::try_from(second + 1).unwrap().min(40_001);
            assert!(marks <= 2 * MARKS as usize && tripped.is_none());
            // Those that come late are a few more at any moment.
            assert!(
                sum <= real + 9 && f64::from(sum) > f64::from(real) * 0.99 - 9.0,
                "{sum} of {real}"
            );
        }
    }
}
