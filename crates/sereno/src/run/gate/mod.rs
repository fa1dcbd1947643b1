//! Who may reach what: the policy in force, one on trial, and those that were.
//!
//! The files say what is wanted. In force is what an administrator tried and confirmed; that is
//! kept in the ledger, so it holds after a restart whatever the files say by then.

mod approach;
mod copy;
mod differ;
mod lockout;
mod outward;
mod panic;
mod stopped;

pub(super) use lockout::LATELY;

use super::Shell;
use super::guard::Guard;
use crate::words;
use sereno_config::Severity;
use sereno_core::engine::{Action, Notice, PolicyStep, Porter};
use sereno_core::gate::iptables::{self, Unsaid};
use sereno_core::gate::list::Use;
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{
    Contents, Gate, Hold, Judgement, Pass, PortRange, Reason, reasons, render, walk,
};
use sereno_core::jail::Friend;
use sereno_core::time::Time;
use sereno_wire::control::Reply;
use sereno_wire::gate::{Accepted, Former, GateAsk, Past, PolicyStatus, Probe, Trying};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Under what the ledger keeps it.
const KEY: &str = "gate";
/// How many of those that were in force are kept.
const HISTORY: usize = 10;
/// A trial lasts at least and at most so many seconds.
const TRIAL: (u64, u64) = (5, 3600);

/// What is known of policies.
#[derive(Debug, Default)]
pub(super) struct Warden {
    /// Those that were in force, the present one last.
    past: Vec<Past>,
    /// One on trial, and until when.
    trial: Option<Trying>,
    /// Since when nothing comes in.
    panic: Option<Time>,
    /// Where the ledger is, and a copy of this beside it.
    folder: PathBuf,
    /// That of the files, when they were last read.
    pub(super) files: Option<Policy>,
}

impl Warden {
    /// What was kept in the ledger, or beside it: whichever of the two is newer.
    pub(super) fn recall(folder: &Path, marks: &[(String, String)]) -> Self {
        let ledger = Self::said(marks);
        let copy = copy::read(folder).map(|marks| Self::said(&marks));
        let newer = copy.filter(|copy| copy.number() >= ledger.number());
        Self { folder: folder.to_owned(), ..newer.unwrap_or(ledger) }
    }

    /// What words under keys say.
    fn said(marks: &[(String, String)]) -> Self {
        let kept = marks.iter().find(|(key, _)| key == KEY);
        let past = kept.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { past, panic: panic::recall(marks), ..Self::default() }
    }

    /// That of the policy in force.
    fn number(&self) -> u64 {
        self.past.last().map_or(0, |past| past.number)
    }

    /// What is in force and was, as it is kept.
    fn word(&self) -> String {
        serde_json::to_string(&self.past).unwrap_or_default()
    }

    /// Since when nothing comes in, as it is kept.
    fn panic_word(&self) -> String {
        self.panic.map(|since| since.0.to_string()).unwrap_or_default()
    }

    /// Whether the files have a policy, and nobody ever applied one.
    pub(super) fn is_unapplied(&self) -> bool {
        let none = self.past.is_empty() && self.trial.is_none();
        none && self.files.is_some() && !self.panics()
    }

    fn accepted(&self) -> Option<&Policy> {
        self.past.last().and_then(|past| past.policy.as_ref())
    }

    /// How many rules the policy in force has.
    pub(super) fn rules(&self) -> Option<u64> {
        self.accepted().map(|policy| policy.rules.len() as u64)
    }

    /// When the one on trial ends.
    pub(super) fn trial_ends(&self) -> Option<Time> {
        self.trial.as_ref().map(|trying| trying.until)
    }

    fn accept(&mut self, policy: Option<Policy>, since: Time) {
        self.past.push(Past { number: self.number() + 1, since, policy });
        let old = self.past.len().saturating_sub(HISTORY);
        self.past.drain(..old);
    }

    /// Whether somebody had no policy any more, after there was one.
    pub(super) fn is_flushed(&self) -> bool {
        self.past.last().is_some_and(|past| past.policy.is_none()) && self.trial.is_none()
    }

    /// When the trial ends.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.trial.as_ref().map(|trial| trial.until)
    }

    /// Whether nothing comes in.
    pub(super) fn panics(&self) -> bool {
        self.panic.is_some()
    }

    /// The clock was set back by so much: the kernel ends the trial after as long as before.
    pub(super) fn set_back(&mut self, by: Duration) {
        if let Some(trial) = &mut self.trial {
            trial.until = trial.until.minus(by);
        }
    }

    /// Whether the files want another one than is in force.
    pub(super) fn differs(&self) -> bool {
        self.files.is_some() && self.files.as_ref() != self.accepted()
    }
}

/// Somebody who asks to have a policy tried.
struct Trial {
    span: Duration,
    force: bool,
    session: Option<(SocketAddr, SocketAddr)>,
    /// Those of the configuration.
    friends: Vec<Friend>,
}

impl Shell {
    /// Does what is asked about the policy.
    pub(super) fn gate(&mut self, ask: GateAsk, now: Time) -> Reply {
        let span = |seconds: u64| Duration::from_secs(seconds.clamp(TRIAL.0, TRIAL.1));
        if self.guard.warden.panic.is_some() && ask.changes() {
            return Reply::Refused { why: words::gate_panics() };
        }
        match ask {
            GateAsk::Panic { begins } => self.guard.panic(begins, now),
            GateAsk::Apply { seconds, force, session } => match self.wanted() {
                Ok(policy) => {
                    let friends = self.policy.friends.clone();
                    let trial = Trial { span: span(seconds), force, session, friends };
                    self.guard.try_policy(policy, &trial, now)
                }
                Err(why) => Reply::Refused { why },
            },
            GateAsk::Confirm => self.guard.confirm_policy(now),
            GateAsk::Revert { number, seconds } => {
                self.guard.revert_policy(number, span(seconds), now)
            }
            GateAsk::Flush => self.guard.flush_policy(now),
            GateAsk::Show => Reply::Gate(Box::new(self.guard.policy_status())),
            GateAsk::Diff => self.gate_diff(now),
            GateAsk::Text => self.guard.gate_text(|gate, contents| Ok(render(gate, contents, now))),
            GateAsk::Iptables => self.guard.gate_text(|gate, contents| {
                let said = |unsaid: Vec<Unsaid>| {
                    unsaid.first().map_or_else(String::new, ToString::to_string)
                };
                iptables::render(gate, contents, now).map_err(said)
            }),
            GateAsk::Explain(probe) => self.guard.explain(&probe, now),
            GateAsk::Stopped => Reply::Stopped(self.guard.stopped()),
        }
    }

    /// Of the policy of the files, if they have one, else of that in force.
    fn gate_diff(&mut self, now: Time) -> Reply {
        let files = match self.wanted() {
            Ok(policy) => Some(policy),
            Err(why) if why == words::gate_unwritten() => None,
            Err(why) => return Reply::Refused { why },
        };
        let policy = files.as_ref().or(self.guard.warden.accepted());
        match self.guard.reachable(policy, files.is_some(), now) {
            Ok(reachable) => Reply::Reachable(Box::new(reachable)),
            Err(why) => Reply::Refused { why },
        }
    }

    /// What the files say now.
    fn wanted(&mut self) -> Result<Policy, String> {
        let loaded = crate::policy::load(&self.args.config).map_err(|e| e.to_string())?;
        let outcome = loaded.outcome;
        let errors = outcome.problems.iter().filter(|p| p.severity == Severity::Error);
        let errors: Vec<String> = errors.map(ToString::to_string).collect();
        if !errors.is_empty() {
            return Err(errors.join("\n"));
        }
        self.guard.warden.files = outcome.policy.gate.clone();
        outcome.policy.gate.ok_or_else(words::gate_unwritten)
    }
}

impl Guard {
    /// Puts what is in force, and what is tried, into the wanted gate.
    pub(super) fn draw_policy(&mut self) {
        self.draft.policy = self.warden.accepted().cloned();
        self.draft.trying = self.warden.trial.as_ref().map(|trial| trial.policy.clone());
        if self.warden.panic.is_some() {
            let nothing = panic::nothing(self.warden.accepted());
            (self.draft.policy, self.draft.trying) = (Some(nothing), None);
        }
    }

    fn try_policy(&mut self, policy: Policy, trial: &Trial, now: Time) -> Reply {
        if let Some(why) = self.hands.observing() {
            return Reply::Refused { why: words::gate_observing(why) };
        }
        if self.warden.trial.is_none() && self.warden.accepted() == Some(&policy) {
            return Reply::Done { count: 0, notes: vec![words::gate_same()] };
        }
        let cut = self.cut_off(&policy, trial, now);
        if !cut.is_empty() && !trial.force {
            return Reply::Refused { why: words::gate_cuts(cut.join("\n  ")) };
        }
        let mut notes = difference(self.warden.accepted(), &policy);
        notes.extend(outward::doubts(&policy));
        notes.extend(cut.iter().map(words::gate_cuts_anyway));
        let until = now.plus(trial.span);
        self.warden.trial = Some(Trying { policy, until });
        self.put_policy(now);
        if let Some(why) = self.unlawful() {
            self.warden.trial = None;
            self.put_policy(now);
            return Reply::Refused { why };
        }
        self.announce_policy(PolicyStep::Trial(until), now);
        Reply::Done { count: 1, notes }
    }

    fn confirm_policy(&mut self, now: Time) -> Reply {
        let Some(Trying { policy, .. }) = self.warden.trial.take() else {
            return Reply::Refused { why: words::gate_no_trial() };
        };
        self.warden.accept(Some(policy), now);
        self.settle_accepted(PolicyStep::Confirmed, now)
    }

    /// Ends a trial; without one, puts the policy before this one on trial.
    fn revert_policy(&mut self, number: Option<u64>, span: Duration, now: Time) -> Reply {
        if self.warden.trial.is_some() && number.is_none() {
            self.end_policy_trial(now);
            return Reply::Done { count: 1, notes: Vec::new() };
        }
        let past = &self.warden.past;
        let found = match number {
            Some(number) => past.iter().find(|past| past.number == number),
            None => past.len().checked_sub(2).and_then(|at| past.get(at)),
        };
        match found.map(|past| past.policy.clone()) {
            Some(Some(policy)) => {
                let (session, friends) = (None, Vec::new());
                self.try_policy(policy, &Trial { span, force: true, session, friends }, now)
            }
            Some(None) => self.flush_policy(now),
            None => Reply::Refused { why: words::gate_no_past() },
        }
    }

    fn flush_policy(&mut self, now: Time) -> Reply {
        if self.warden.accepted().is_none() && self.warden.trial.is_none() {
            return Reply::Done { count: 0, notes: vec![words::gate_none()] };
        }
        self.warden.trial = None;
        self.warden.accept(None, now);
        self.settle_accepted(PolicyStep::Opened, now)
    }

    /// Writes down what is in force now, and puts it in place.
    fn settle_accepted(&mut self, step: PolicyStep, now: Time) -> Reply {
        self.keeper.mark_now(KEY.to_owned(), self.warden.word());
        self.put_policy(now);
        self.announce_policy(step, now);
        self.flush(now);
        Reply::Done { count: 1, notes: self.keep_copy().into_iter().collect() }
    }

    /// Puts what is in force now on the disk. Says what went wrong, and whether the ledger has it at least.
    pub(super) fn keep_copy(&self) -> Option<String> {
        let why = copy::write(&self.warden).err()?;
        if self.keeper.trouble().is_some() {
            return Some(words::gate_unkept(why));
        }
        copy::remove(&self.warden.folder);
        Some(words::gate_uncopied(why))
    }

    /// Ends a trial whose time is over: the kernel has done so by itself.
    pub(super) fn settle_policy(&mut self, now: Time) {
        if self.warden.next_wake().is_some_and(|until| until <= now) {
            self.end_policy_trial(now);
        }
    }

    fn end_policy_trial(&mut self, now: Time) {
        self.warden.trial = None;
        self.put_policy(now);
        self.announce_policy(PolicyStep::TakenBack, now);
    }

    fn put_policy(&mut self, now: Time) {
        self.draw_policy();
        self.install(now);
    }

    /// Has the kernel go on with what is on trial, after the gate was put in place anew.
    pub(super) fn go_on_trying(&mut self, now: Time) -> Result<(), String> {
        match self.warden.next_wake() {
            Some(until) => self.hands.try_policy(until.since(now)),
            None => Ok(()),
        }
    }

    /// Why the kernel does not have what is wanted.
    fn unlawful(&self) -> Option<String> {
        let refused = || words::gate_not_installed();
        self.hands.lawless().map(str::to_owned).or_else(|| (!self.stands).then(refused))
    }

    fn announce_policy(&mut self, step: PolicyStep, now: Time) {
        self.actions.push(Action::Tell(Notice::Policy { step }));
        self.carry_out(now);
    }

    fn policy_status(&mut self) -> PolicyStatus {
        let warden = &self.warden;
        let current = warden.past.last();
        let accepted = current
            .and_then(|past| Some(Accepted { policy: past.policy.clone()?, since: past.since }));
        PolicyStatus {
            accepted,
            trying: warden.trial.clone(),
            panic: warden.panic,
            differs: warden.differs(),
            refused: self.hands.lawless().map(str::to_owned),
            history: warden.past.iter().map(former).collect(),
            table: Some(self.draft.table),
            counts: self.hands.policy_counts(),
        }
    }

    /// The wanted gate as text, with the bans and passes in force; connections are of the moment.
    fn gate_text(&self, render: impl Fn(&Gate, Contents<'_>) -> Result<String, String>) -> Reply {
        match Gate::try_from(self.draft.clone()) {
            Ok(gate) => {
                let (holds, passes) = self.holds_and_passes();
                let contents = Contents { holds: &holds, passes: &passes, ..Contents::default() };
                match render(&gate, contents) {
                    Ok(text) => Reply::Text(text),
                    Err(why) => Reply::Refused { why },
                }
            }
            Err(why) => Reply::Refused { why },
        }
    }

    /// Lists are asked behind bans and doors, and before the policy.
    fn listed(&self, judged: Judgement, probe: &Probe) -> Judgement {
        let before = |reason: &Reason| {
            matches!(reason, Reason::Ban(_) | Reason::Door(_) | Reason::Closed(_))
        };
        let port = probe.proto.and_then(|proto| PortRange::new(proto, probe.port, probe.port));
        let enforced = !self.hands.by_iptables();
        match self.lists.holding(probe.from, port).filter(|_| enforced) {
            Some((list, to)) if !probe.out && !judged.reasons.iter().any(before) => {
                let passes = to == Use::Opens;
                let reason = if passes { Reason::Listed(list) } else { Reason::List(list) };
                Judgement { passes, reasons: vec![reason] }
            }
            _ => judged,
        }
    }

    fn holds_and_passes(&self) -> (Vec<Hold>, Vec<Pass>) {
        let holds = self.engine.ledger().bans().map(|ban| ban.hold()).collect();
        let passes = self.engine.porter().into_iter().flat_map(Porter::entries);
        (holds, passes.map(|entry| entry.pass).collect())
    }

    /// What would become of a packet that begins something.
    fn explain(&self, probe: &Probe, now: Time) -> Reply {
        let gate = match Gate::try_from(self.draft.clone()) {
            Ok(gate) => gate,
            Err(why) => return Reply::Refused { why },
        };
        let (holds, passes) = self.holds_and_passes();
        let contents = Contents { holds: &holds, passes: &passes, ..Contents::default() };
        let seen = approach::Ground::look().seen(probe, now);
        let judged = reasons(&gate, &walk::walk(&gate, contents, &seen));
        Reply::Explained(self.listed(judged, probe))
    }
}

fn former(past: &Past) -> Former {
    let rules = past.policy.as_ref().map(|policy| policy.rules.len());
    Former { number: past.number, since: past.since, rules }
}

/// What a policy has that another one has not, line by line.
fn difference(old: Option<&Policy>, new: &Policy) -> Vec<String> {
    let lines = |policy: &Policy| -> Vec<String> {
        let rules = policy.rules.iter().map(|rule| rule.text.clone());
        let out = policy.out().iter().map(|rule| words::gate_out_line(&rule.text));
        let rest = policy.out.iter().map(|_| words::gate_out_rest());
        rules.chain(out).chain(rest).collect()
    };
    let old: Vec<String> = old.map(lines).unwrap_or_default();
    let new: Vec<String> = lines(new);
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept_and_numbers_go_on() {
        let at = Time::from_secs;
        let mut warden = Warden::default();
        for second in 1..=15 {
            warden.accept(Some(Policy::default()), at(second));
        }
        let kept = [(KEY.to_owned(), serde_json::to_string(&warden.past).unwrap())];
        let mut warden = Warden::recall(Path::new("/nowhere"), &kept);
        let numbers: Vec<u64> = warden.past.iter().map(|past| past.number).collect();
        assert_eq!(numbers, (6..=15).collect::<Vec<_>>());
        assert!(warden.accepted().is_some() && !warden.is_flushed());
        warden.accept(None, at(16));
        assert!(warden.accepted().is_none() && warden.is_flushed());
        assert_eq!(warden.past.last().unwrap().number, 16);
        assert_eq!(
            Warden::recall(Path::new("/nowhere"), &[(KEY.to_owned(), "[{".to_owned())]).past,
            []
        );
    }

    #[test]
    fn a_trial_lasts_no_longer_when_the_clock_is_set_back() {
        let at = Time::from_secs;
        let mut warden = Warden {
            trial: Some(Trying { policy: Policy::default(), until: at(5000) }),
            ..Warden::default()
        };
        warden.set_back(Duration::from_secs(3600));
        assert_eq!(warden.next_wake(), Some(at(1400)));
    }
}
