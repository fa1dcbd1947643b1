//! How everything is: the chain from a log to the kernel, link by link, and what is wrong.

use super::guard::Guard;
use sereno_core::time::Time;
use sereno_wire::control::{GateStatus, JailStatus, SourceStatus, Status};
use std::time::Duration;

/// A log that gave lines and then nothing for so long is worth a look.
const SILENT: Duration = Duration::from_secs(24 * 3600);
/// So many lines that could matter, none of which is known: the format changed.
const STRANGE: u64 = 20;
/// So many lines not believed: somebody is at it.
const DISBELIEVED: u64 = 50;
/// Bytes behind, above which reading does not keep up.
const BEHIND: u64 = 64 << 20;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Stays the same as long as it lasts, whatever the numbers in the text do.
    pub about: String,
    /// For people.
    pub text: String,
}

impl Alarm {
    fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { about: about.into(), text: text.into() }
    }
}

/// The state of the whole chain, and its alarms.
#[must_use]
pub fn status(guard: &mut Guard, now: Time) -> Status {
    let status = chain(guard);
    let alarms = raised(guard, &status, now).into_iter().map(|alarm| alarm.text).collect();
    Status { alarms, ..status }
}

/// The alarms alone.
#[must_use]
pub fn alarms(guard: &mut Guard, now: Time) -> Vec<Alarm> {
    let status = chain(guard);
    raised(guard, &status, now)
}

fn raised(guard: &Guard, status: &Status, now: Time) -> Vec<Alarm> {
    let trouble = guard.book.trouble().into_iter().map(|why| Alarm::new(why.clone(), why));
    let unkept = guard.keeper.trouble().map(|why| format!("nothing is recorded: {why}"));
    let mut all = from_numbers(status, now);
    all.extend(trouble);
    all.extend(unkept.map(|text| Alarm::new("ledger", text)));
    all
}

fn chain(guard: &mut Guard) -> Status {
    let files = guard.follow.as_ref().map(sereno_tail::Follow::status).unwrap_or_default();
    let mut jails = Vec::new();
    for (policy, counts) in guard.engine.jails() {
        let name = policy.name;
        jails.push(JailStatus {
            name,
            rule: policy.rule.clone(),
            ports: policy.ports.to_string(),
            maxretry: policy.maxretry,
            findtime: policy.findtime.as_secs(),
            bantime: policy.bantime.map(|t| t.as_secs()),
            failures: counts.failures,
            patient: counts.patient,
            successes: counts.successes,
            watching: guard.engine.jail(name).map_or(0, |jail| jail.watching() as u64),
            forgotten: counts.forgotten,
            in_force: guard.engine.ledger().count(name) as u64,
            last_failure: counts.last,
            sources: guard.book.status(name, &guard.engine, &files),
        });
    }
    let gate = GateStatus {
        table: guard.draft.table.to_string(),
        present: guard.hands.stands(),
        in_force: guard.engine.ledger().len() as u64,
        pending: guard.engine.pending() as u64,
        dropped: guard.hands.dropped(),
        mended: guard.mended,
    };
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        since: guard.since,
        observing: guard.hands.observing().map(str::to_owned),
        jails,
        gate,
        alarms: Vec::new(),
        memory: memory(),
    }
}

/// What is wrong, from the numbers alone.
fn from_numbers(status: &Status, now: Time) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Some(why) = &status.observing {
        alarms.push(Alarm::new("observing", format!("nobody is banned: {why}")));
    } else if !status.gate.present {
        let table = &status.gate.table;
        let text = format!("the table {table} is not in the kernel: bans are not in force");
        alarms.push(Alarm::new("gate", text));
    }
    if status.gate.pending > 0 {
        let text = format!("{} bans are not in force yet", status.gate.pending);
        alarms.push(Alarm::new("pending", text));
    }
    if status.jails.is_empty() {
        alarms.push(Alarm::new("jails", "no jail is set up: nothing is watched"));
    }
    for jail in &status.jails {
        let name = jail.name;
        if jail.sources.iter().all(|source| source.files == 0) {
            alarms.push(Alarm::new(format!("{name} files"), format!("jail {name} reads nothing")));
        }
        for source in jail.sources.iter().filter(|source| source.files > 0) {
            alarms.extend(of_source(source, status.since, now).map(|(kind, text)| Alarm {
                about: format!("{name} {} {kind}", source.what),
                text: format!("jail {name}: {}: {text}", source.what),
            }));
        }
    }
    alarms
}

/// What kind of thing is wrong with a source that has been read since `since`, and in words.
fn of_source(source: &SourceStatus, since: Time, now: Time) -> Option<(&'static str, String)> {
    if source.lag > BEHIND {
        return Some(("behind", format!("{} MB unread", source.lag >> 20)));
    }
    if source.candidates >= STRANGE && source.matched == 0 {
        let n = source.candidates;
        let text = format!("{n} lines look like this service's, and none is understood");
        return Some(("strange", text));
    }
    if source.streak >= STRANGE {
        let n = source.streak;
        let text = format!(
            "the last {n} lines of this service were not understood: did its format change?"
        );
        return Some(("strange", text));
    }
    if source.disbelieved >= DISBELIEVED {
        let n = source.disbelieved;
        let text = format!("{n} lines were not believed: somebody writes into this log");
        return Some(("disbelieved", text));
    }
    // A log that died before the start is as dead as one that dies behind it.
    let last = source.last_line.unwrap_or(since);
    (now.since(last) > SILENT).then(|| ("silent", format!("silent since {last}")))
}

/// Resident memory in bytes, from `/proc/self/statm`.
fn memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    resident.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_does_not_look_like_peace() {
        let (start, day) = (Time::from_secs(1), Time::from_secs(200_000));
        let alarm = |source: &SourceStatus| of_source(source, start, day).map(|(_, text)| text);
        let line = |last_line| SourceStatus { last_line, ..SourceStatus::default() };
        assert!(alarm(&line(Some(start))).unwrap().contains("silent"));
        assert!(alarm(&line(None)).unwrap().contains("silent"), "never a line since the start");
        let strange = SourceStatus { candidates: 20, ..line(Some(day)) };
        assert!(alarm(&strange).unwrap().contains("none is understood"));
        assert_eq!(alarm(&SourceStatus { matched: 1, ..strange.clone() }), None);
        let changed = SourceStatus { matched: 9, streak: 20, ..strange };
        assert!(alarm(&changed).unwrap().contains("format change"));
        let empty = Status {
            gate: GateStatus { present: true, ..GateStatus::default() },
            ..Status::default()
        };
        let texts: Vec<String> = from_numbers(&empty, day).into_iter().map(|a| a.text).collect();
        assert_eq!(texts, ["no jail is set up: nothing is watched"]);
    }
}
