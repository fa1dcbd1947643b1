//! What was stopped, by what.

use crate::run::guard::Guard;
use sereno_core::gate::policy::Deed;
use sereno_core::gate::{Reason, policy_reason};

impl Guard {
    /// Packets that were stopped since the counters began, by bans, closed doors, lists, and the lines of
    /// the policy that decides. Lines that let in count what they let in too, and are not among them.
    pub(super) fn stopped(&mut self) -> Vec<(Reason, u64)> {
        let bans = self.hands.dropped().into_iter().map(|(scope, n)| (Reason::Ban(scope), n));
        let doors = self.hands.closed().into_iter().map(|(door, n)| (Reason::Closed(door), n));
        let lists = self.lists.stopped().into_iter().map(|(list, n)| (Reason::List(list), n));
        let floods = self.hands.measured();
        let all: Vec<(Reason, u64)> = bans.chain(doors).chain(lists).chain(floods).collect();
        let counts = self.hands.policy_counts();
        let policy = self.draft.trying.as_ref().or(self.draft.policy.as_ref());
        let of_policy = policy.into_iter().flat_map(|policy| {
            let counted = counts.iter().map(|(name, n)| (policy_reason(policy, name), *n));
            counted.filter_map(|(reason, n)| {
                let reason = reason?;
                let stops = match &reason {
                    Reason::Rule(number, _) => {
                        policy.rules.get(number - 1).is_some_and(|rule| rule.deed != Deed::Allow)
                    }
                    Reason::Out(number, _) => {
                        policy.out().get(number - 1).is_some_and(|rule| rule.deed != Deed::Allow)
                    }
                    Reason::Rest(zone) => !policy.is_open(*zone),
                    _ => true,
                };
                stops.then_some((reason, n))
            })
        });
        all.into_iter().chain(of_policy).collect()
    }
}
