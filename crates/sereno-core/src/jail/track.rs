//! What is remembered of one stranger.

use super::{Because, JailPolicy};
use crate::rule::session::{Line, Verdict};
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// Evidence lines kept per stranger, the newest.
const EVIDENCE: usize = 3;

/// One failure in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When, by the log.
    pub at: Time,
    /// How much it counts.
    pub weight: u32,
    /// The account's hash; 0 for none.
    pub account: u64,
}

/// The failures of one stranger, and the accounts he tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    marks: Vec<Mark>,
    accounts: Vec<(u64, Time)>,
    evidence: Vec<Line>,
}

impl Track {
    /// Adds a failure; says which limit it reached.
    pub(super) fn count(
        &mut self,
        verdict: &Verdict,
        policy: &JailPolicy,
    ) -> Option<(Because, u32)> {
        let newest = self.marks.iter().map(|m| m.at).max().unwrap_or(Time::MIN).max(verdict.at);
        let start = newest.minus(policy.findtime);
        self.marks.retain(|mark| mark.at >= start);
        self.marks.push(Mark { at: verdict.at, weight: verdict.weight, account: verdict.account });
        if self.evidence.len() >= EVIDENCE {
            self.evidence.remove(0);
        }
        self.evidence.push(verdict.line.clone());
        let count = self.marks.iter().map(|m| m.weight).fold(0, u32::saturating_add);
        if count >= policy.maxretry {
            return Some((Because::Failures, count));
        }
        self.tried(verdict, policy).map(|tried| (Because::Accounts, tried))
    }

    fn tried(&mut self, verdict: &Verdict, policy: &JailPolicy) -> Option<u32> {
        if policy.maxaccounts == 0 || verdict.account == 0 {
            return None;
        }
        let start = verdict.at.minus(policy.accounttime);
        self.accounts.retain(|(account, at)| *at >= start && *account != verdict.account);
        self.accounts.push((verdict.account, verdict.at));
        let tried = self.accounts.len() as u32;
        (tried >= policy.maxaccounts).then_some(tried)
    }

    /// Takes back what was counted on an account, now that somebody proved it is his.
    pub(super) fn forgive(&mut self, account: u64) {
        self.marks.retain(|mark| mark.account != account);
        self.accounts.retain(|(tried, _)| *tried != account);
    }

    pub(super) fn into_evidence(self) -> Vec<String> {
        self.evidence.iter().map(Line::to_string).collect()
    }

    /// The failures in the window.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The newest lines.
    #[must_use]
    pub fn evidence(&self) -> &[Line] {
        &self.evidence
    }
}
