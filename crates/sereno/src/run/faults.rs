//! Which actions fail, and since when nothing shows that they work again.

use super::commands::Failure;
use crate::words;
use sereno_fail2ban::act::{Operation, Refused};
use std::collections::BTreeMap;

/// An action: its jail's name in the configuration, and its own.
pub(super) type Key = (String, String);

/// Characters of a command's output that are shown.
const SHOWN: usize = 200;

/// What is wrong with actions.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Those that are not done here.
    pub(super) refused: Vec<(Key, Refused)>,
    /// The last failure of each command that did not go well since.
    failing: BTreeMap<Key, BTreeMap<Operation, (Failure, String)>>,
    /// Messages that were not sent, since that was said.
    dropped: BTreeMap<Key, u64>,
}

impl Faults {
    /// A command of an action failed.
    pub(super) fn failed(&mut self, key: Key, operation: Operation, why: Failure, output: &str) {
        let fault = (why, first_line(output));
        self.failing.entry(key).or_default().insert(operation, fault);
    }

    /// A command of an action went well.
    pub(super) fn succeeded(&mut self, key: &Key, operation: Operation) {
        let Some(faults) = self.failing.get_mut(key) else { return };
        faults.remove(&operation);
        if matches!(operation, Operation::Start | Operation::Ban) {
            // What was about the action as a whole is over; what is about somebody need not be.
            let own = [Operation::Ban, Operation::Unban, Operation::Reban, Operation::Prolong];
            faults.retain(|operation, _| own.contains(operation));
        }
        if faults.is_empty() {
            self.failing.remove(key);
        }
    }

    /// Messages of an action were not sent.
    pub(super) fn dropped(&mut self, key: Key, count: u64) {
        *self.dropped.entry(key).or_default() += count;
    }

    /// What was not sent since the last call, in words.
    pub(super) fn take_dropped(&mut self) -> Vec<String> {
        let all = std::mem::take(&mut self.dropped).into_iter();
        all.map(|((jail, action), count)| words::action_dropped(action, jail, words::bans(count)))
            .collect()
    }

    /// The action begins anew, or ends.
    pub(super) fn forget(&mut self, key: &Key) {
        self.failing.remove(key);
    }

    /// What is wrong: what it is about, and in words.
    pub(super) fn alarms(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (key, refused) in &self.refused {
            let text = words::action_refused(&key.1, &key.0, &refused.why);
            let instead = Some(&refused.instead).filter(|instead| !instead.is_empty());
            let instead = instead.map(words::take_instead);
            all.push((about(key), instead.into_iter().fold(text, words::and_also)));
        }
        for (key, faults) in &self.failing {
            let what =
                faults.iter().map(|(operation, (why, line))| words::failed(*operation, why, line));
            let what = what.reduce(words::and_also).unwrap_or_default();
            all.push((about(key), words::action_fails(&key.1, &key.0, what)));
        }
        all
    }
}

/// What an alarm of an action is about.
pub(super) fn about((jail, action): &Key) -> String {
    format!("action {action} {jail}")
}

/// The first line of what a command printed, as much of it as is shown. Log lines may have a say in
/// it.
pub(super) fn first_line(output: &str) -> String {
    let line = output.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    line.chars().take(SHOWN).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_until_the_same_command_goes_well() {
        let key = ("sshd".to_owned(), "mail".to_owned());
        let mut faults = Faults::default();
        let exit = Failure::Exit(3);
        faults.failed(key.clone(), Operation::Unban, exit.clone(), "");
        faults.failed(key.clone(), Operation::Stop, exit.clone(), "");
        faults.failed(key.clone(), Operation::Ban, exit, "\n \u{1b}[1mno\u{0}\nmore");
        let texts = |faults: &Faults| faults.alarms().into_iter().map(|(_, text)| text).collect();
        let all: Vec<String> = texts(&faults);
        assert_eq!(
            all,
            ["action mail of jail sshd fails: actionstop: exit code 3; actionban: exit code 3: \
              \u{fffd}[1mno\u{fffd}; actionunban: exit code 3"]
        );
        faults.succeeded(&key, Operation::Ban);
        let all: Vec<String> = texts(&faults);
        assert_eq!(all, ["action mail of jail sshd fails: actionunban: exit code 3"]);
        faults.succeeded(&key, Operation::Unban);
        assert!(faults.alarms().is_empty());
        faults.dropped(key.clone(), 2);
        faults.dropped(key, 1);
        assert!(faults.take_dropped()[0].contains('3') && faults.take_dropped().is_empty());
    }
}
