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

/// The state of the whole chain.
#[must_use]
pub fn status(guard: &mut Guard, now: Time) -> Status {
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
            in_force: guard.engine.ledger().bans().filter(|ban| ban.jail == name).count() as u64,
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
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        since: guard.since,
        observing: guard.hands.observing().map(str::to_owned),
        jails,
        gate,
        alarms: Vec::new(),
        memory: memory(),
    };
    status.alarms = alarms(&status, now);
    status.alarms.extend(guard.book.trouble());
    status.alarms.extend(guard.keeper.trouble().map(|why| format!("nothing is recorded: {why}")));
    status
}

/// What is wrong, from the numbers alone.
fn alarms(status: &Status, now: Time) -> Vec<String> {
    let mut alarms = Vec::new();
    if let Some(why) = &status.observing {
        alarms.push(format!("nobody is banned: {why}"));
    } else if !status.gate.present {
        alarms.push(format!(
            "the table {} is not in the kernel: bans are not in force",
            status.gate.table
        ));
    }
    if status.gate.pending > 0 {
        alarms.push(format!("{} bans are not in force yet", status.gate.pending));
    }
    if status.jails.is_empty() {
        alarms.push("no jail is set up: nothing is watched".to_owned());
    }
    for jail in &status.jails {
        if jail.sources.iter().all(|source| source.files == 0) {
            alarms.push(format!("jail {} reads nothing", jail.name));
        }
        alarms.extend(
            jail.sources.iter().filter_map(|source| {
                alarm(source, now).map(|w| format!("jail {}: {w}", jail.name))
            }),
        );
    }
    alarms
}

fn alarm(source: &SourceStatus, now: Time) -> Option<String> {
    let what = &source.what;
    if source.lag > BEHIND {
        return Some(format!("{what}: {} MB unread", source.lag >> 20));
    }
    if source.candidates >= STRANGE && source.matched == 0 {
        return Some(format!(
            "{what}: {} lines look like this service's, and none is understood",
            source.candidates
        ));
    }
    if source.streak >= STRANGE {
        return Some(format!(
            "{what}: the last {} lines of this service were not understood: did its format change?",
            source.streak
        ));
    }
    if source.disbelieved >= DISBELIEVED {
        let n = source.disbelieved;
        return Some(format!("{what}: {n} lines were not believed: somebody writes into this log"));
    }
    let silent = source.last_line.filter(|last| now.since(*last) > SILENT)?;
    Some(format!("{what}: silent since {silent}"))
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
        let day = Time::from_secs(200_000);
        let quiet = SourceStatus {
            what: "f".into(),
            last_line: Some(Time::from_secs(1)),
            ..SourceStatus::default()
        };
        assert!(alarm(&quiet, day).unwrap().contains("silent"));
        let strange =
            SourceStatus { candidates: 20, last_line: Some(day), ..SourceStatus::default() };
        assert!(alarm(&strange, day).unwrap().contains("none is understood"));
        assert_eq!(alarm(&SourceStatus { matched: 1, ..strange.clone() }, day), None);
        let changed = SourceStatus { matched: 9, streak: 20, ..strange };
        assert!(alarm(&changed, day).unwrap().contains("format change"));
        let empty = Status {
            gate: GateStatus { present: true, ..GateStatus::default() },
            ..Status::default()
        };
        assert_eq!(alarms(&empty, day), ["no jail is set up: nothing is watched"]);
    }
}
