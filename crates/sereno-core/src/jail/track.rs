//! What is remembered of one stranger.

use super::lines::Lines;
use super::{Because, JailPolicy};
use crate::ledger::{Captures, Evidence};
use crate::rule::session::{Line, Verdict};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hint::black_box;
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

impl Mark {
    /// Takes in another that is not older: of the same moment and account, or within `step`.
    fn takes(&mut self, new: &Self, step: Duration) -> bool {
        let same = (self.at, self.account) == (new.at, new.account);
        let near = same || new.at.since(self.at) < step;
        if near {
            self.weight = self.weight.saturating_add(new.weight);
            if self.account != new.account {
                self.account = 0;
            }
        }
        near
    }
}

/// The failures of one stranger, and the accounts he tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Track {
    /// In order of time, all but the newest: what is seldom looked at stays out of the way.
    older: VecDeque<Mark>,
    newest: Option<Mark>,
    /// When the oldest mark was.
    first: Time,
    /// What the marks weigh together, so that a failure costs the same however many there are.
    sum: u32,
    accounts: Vec<(u64, Time)>,
    evidence: Lines,
    /// Of the first failure in the window, as fail2ban has it.
    captures: Captures,
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
    #[serde(default, skip_serializing_if = "Captures::is_empty")]
    captures: Captures,
    #[serde(default)]
    proved: bool,
}

impl From<Track> for Written {
    fn from(track: Track) -> Self {
        let marks = track.marks().map(|mark| (mark.at, mark.weight, mark.account)).collect();
        let evidence = track.evidence().map(|(at, line)| (at, line.to_owned())).collect();
        let Track { accounts, captures, proved, .. } = track;
        Self { marks, accounts, evidence, captures, proved }
    }
}

impl From<Written> for Track {
    fn from(written: Written) -> Self {
        let mark = |(at, weight, account)| Mark { at, weight, account };
        let mut marks: Vec<Mark> = written.marks.into_iter().map(mark).collect();
        marks.sort_by_key(|mark| mark.at);
        let Written { accounts, evidence, captures, proved, .. } = written;
        let evidence = evidence.iter().fold(Lines::default(), |mut lines, (at, line)| {
            lines.note(*at, line, usize::MAX);
            lines
        });
        let mut older = VecDeque::from(marks);
        let newest = older.pop_back();
        let mut track = Self {
            older,
            newest,
            first: Time::default(),
            sum: 0,
            accounts,
            evidence,
            captures,
            proved,
        };
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
        let fine = policy.maxretry <= MARKS && !policy.heard;
        let step = if fine { Duration::ZERO } else { policy.findtime / MARKS };
        self.mark(Mark { at: verdict.at, weight, account: verdict.account }, step);
        self.slide(policy);
        self.evidence.note(verdict.at, &verdict.line, policy.evidence);
        if policy.captures && self.sum == weight {
            self.captures = verdict.captures.clone();
        }
        if self.sum >= policy.maxretry && !policy.heard {
            return Some((Because::Failures, self.sum));
        }
        self.tried(verdict, policy)
    }

    fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.older.iter().chain(&self.newest)
    }

    /// Puts a mark in its place: nearly always the end, for logs are written in order.
    /// Within `step` of another it is added to that, so that it is counted for no longer than it
    /// should be.
    fn mark(&mut self, new: Mark, step: Duration) {
        self.sum = self.sum.saturating_add(new.weight);
        let Some(last) = &mut self.newest else {
            (self.first, self.newest) = (new.at, Some(new));
            return;
        };
        if last.at > new.at {
            self.late(new, step);
        } else if !last.takes(&new, step) {
            self.older.push_back(std::mem::replace(last, new));
        }
    }

    /// Puts in its place a mark that is not the newest.
    fn late(&mut self, new: Mark, step: Duration) {
        let place = self.older.iter().rposition(|mark| mark.at <= new.at).map_or(0, |i| i + 1);
        let before = place.checked_sub(1).and_then(|i| self.older.get_mut(i));
        if !before.is_some_and(|before| before.takes(&new, step)) {
            self.older.insert(place, new);
        }
        self.first = self.first.min(new.at);
    }

    /// Drops what is older than the window before the newest mark.
    fn slide(&mut self, policy: &JailPolicy) {
        let Some(newest) = self.newest() else { return };
        let start = newest.minus(policy.findtime);
        while self.first < start {
            let Some(gone) = self.older.pop_front() else { break };
            self.sum = self.sum.saturating_sub(gone.weight);
            self.first = self.older.front().map_or(newest, |mark| mark.at);
        }
    }

    fn weigh(&mut self) {
        self.sum = self.marks().map(|mark| mark.weight).fold(0, u32::saturating_add);
        let first = self.marks().next().map_or(Time::default(), |mark| mark.at);
        self.first = first;
    }

    fn tried(&mut self, verdict: &Verdict<'_>, policy: &JailPolicy) -> Option<(Because, u32)> {
        let (because, most, span) = policy.different();
        if most == 0 || verdict.account == 0 {
            return None;
        }
        let start = verdict.at.minus(span);
        self.accounts.retain(|(account, at)| *at >= start && *account != verdict.account);
        self.accounts.push((verdict.account, verdict.at));
        let tried = self.accounts.len() as u32;
        (tried >= most).then_some((because, tried))
    }

    /// Touches what stands in it itself.
    #[inline]
    pub(super) fn glance(&self) {
        black_box((self.newest.is_some(), self.sum, self.older.len(), self.accounts.len()));
    }

    /// Touches what it leads to, and what the next failure is written over.
    #[inline]
    pub(super) fn glance_behind(&self) {
        black_box(self.older.back().map(|mark| mark.weight));
        self.evidence.glance();
    }

    /// Whether it is worth more than that of somebody whose address was seen once, and whom
    /// anybody may have made up.
    pub(super) fn firm(&self) -> bool {
        self.proved || !self.older.is_empty()
    }

    /// Takes back what was counted on an account, now that somebody proved it is his.
    pub(super) fn forgive(&mut self, account: u64) {
        self.older.retain(|mark| mark.account != account);
        if self.newest.is_some_and(|mark| mark.account == account) {
            self.newest = self.older.pop_back();
        }
        self.accounts.retain(|(tried, _)| *tried != account);
        self.weigh();
    }

    pub(super) fn into_evidence(self) -> (Evidence, Captures) {
        (Evidence::dated(self.evidence()), self.captures)
    }

    /// When the newest failure in the window was.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        self.newest.map(|mark| mark.at)
    }

    /// The newest lines, and when each was written, the oldest first.
    pub fn evidence(&self) -> impl Iterator<Item = (Time, Line<'_>)> {
        self.evidence.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Name;
    use crate::jail::tests::verdict;
    use proptest::prelude::*;

    proptest! {
        /// Marks and lines against lists that are put in order and cut at every failure; and what is
        /// written down and read again is the same.
        #[test]
        fn a_track_is_a_list_in_order(
            failures in proptest::collection::vec((0i64..40, 0u64..3, 0u8..8), 1..60),
            lines in 0usize..5,
        ) {
            let findtime = Duration::from_secs(20);
            let policy = JailPolicy { evidence: lines, findtime, ..JailPolicy::new(Name::SERENO, "") };
            let policy = JailPolicy { maxretry: 999, maxaccounts: 0, ..policy };
            let (mut track, mut marks, mut said) = (Track::default(), Vec::<Mark>::new(), Vec::new());
            for (second, account, what) in failures {
                if what == 0 {
                    track.forgive(account);
                    marks.retain(|mark| mark.account != account);
                } else {
                    let verdict = verdict(second, "192.0.2.7", account);
                    track.count(&verdict, 1, &policy);
                    let place = marks.partition_point(|mark| mark.at <= verdict.at);
                    let before = place.checked_sub(1).map(|i| &mut marks[i]);
                    match before.filter(|b| (b.at, b.account) == (verdict.at, account)) {
                        Some(same) => same.weight += 1,
                        None => marks.insert(place, Mark { at: verdict.at, weight: 1, account }),
                    }
                    let newest = marks.iter().map(|mark| mark.at).max().unwrap();
                    marks.retain(|mark| mark.at >= newest.minus(findtime));
                    said.push((verdict.at, verdict.line));
                }
                prop_assert!(track.marks().eq(&marks));
                prop_assert_eq!(track.sum, marks.iter().map(|mark| mark.weight).sum::<u32>());
                prop_assert_eq!(track.newest(), marks.last().map(|mark| mark.at));
                prop_assert_eq!(track.first, marks.first().map_or(Time::default(), |mark| mark.at));
                let newest = said[said.len().saturating_sub(lines)..].iter().cloned();
                prop_assert!(track.evidence().eq(newest));
                let written = serde_json::to_string(&track).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Track>(&written).unwrap(), &track);
            }
        }
    }

    #[test]
    fn a_patient_jail_keeps_little_of_each() {
        let policy = JailPolicy {
            maxretry: 50_000,
            findtime: Duration::from_secs(40_000),
            ..JailPolicy::new(Name::SERENO, "")
        };
        let mut track = Track::default();
        let mut failure = |second: i64| {
            let verdict = verdict(second, "192.0.2.7", (second % 3) as u64);
            let tripped = track.count(&verdict, 1, &policy);
            (track.marks().count(), track.sum, tripped)
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
