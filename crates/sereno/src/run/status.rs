//! How everything is: the chain from a log to the kernel, link by link, and what is wrong.

use super::guard::Guard;
use crate::cli::paint::{bytes, moment};
use crate::words;
use sereno_core::time::Time;
use sereno_wire::control::{GateStatus, JailStatus, SourceStatus, Status};
use std::time::Duration;

/// So many lines that could matter, none of which is known: the format changed.
const STRANGE: u64 = 20;
/// So many lines not believed within a day: somebody is at it.
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
    let status = chain(guard, now);
    let alarms = raised(guard, &status, now).into_iter().map(|alarm| alarm.text).collect();
    Status { alarms, ..status }
}

/// The alarms alone.
#[must_use]
pub fn alarms(guard: &mut Guard, now: Time) -> Vec<Alarm> {
    let status = chain(guard, now);
    raised(guard, &status, now)
}

fn raised(guard: &Guard, status: &Status, now: Time) -> Vec<Alarm> {
    let trouble = guard.book.trouble().map(|(about, text)| Alarm::new(about, text));
    let lost = guard.book.health.lost(now);
    let lost = lost.map(|(path, loss)| Alarm::new(format!("lost {path}"), loss.text(path)));
    let unkept = guard.keeper.trouble().map(words::alarm_unrecorded);
    let mut all = from_numbers(status, now);
    all.extend(trouble);
    all.extend(lost);
    let flaws = guard.flaws.iter();
    let flaws =
        flaws.map(|(file, n)| Alarm::new(format!("flaws {file}"), words::alarm_flaws(file, n)));
    all.extend(flaws);
    all.extend(unkept.map(|text| Alarm::new("ledger", text)));
    all.extend(guard.keeper.lost().map(|text| Alarm::new("ledger lost", text)));
    let rival = guard.office.rival().filter(|_| status.observing.is_none());
    all.extend(rival.map(|rival| Alarm::new("fail2ban", words::fail2ban_runs(rival))));
    let deaf = guard.attendance.deaf.as_ref().map(words::doors_deaf);
    all.extend(deaf.map(|text| Alarm::new("doors", text)));
    let bare = guard.engine.porter().map(|porter| guard.attendance.bare(porter));
    let bare = bare.filter(|doors| !doors.is_empty()).map(|doors| {
        let names: Vec<String> = doors.iter().map(ToString::to_string).collect();
        Alarm::new("doors bare", words::doors_bare(names.join(", ")))
    });
    all.extend(bare);
    let without_six = guard.hands.without_six().map(words::alarm_without_six);
    all.extend(without_six.map(|text| Alarm::new("ipv6", text)));
    let lawless = guard.hands.lawless().map(words::alarm_lawless);
    all.extend(lawless.map(|text| Alarm::new("policy", text)));
    let unmeasured = guard.hands.unmeasured().map(words::alarm_unmeasured);
    all.extend(unmeasured.map(|text| Alarm::new("flood", text)));
    let unproxied = guard.hands.unproxied().map(words::alarm_unproxied);
    all.extend(unproxied.map(|text| Alarm::new("syn proxy", text)));
    all.extend(guard.slow_proxy().map(|text| Alarm::new("syn proxy slow", text)));
    all.extend(guard.scan_alarms().into_iter().map(|(about, text)| Alarm::new(about, text)));
    let panic = guard.warden.panics().then(words::policy_panic);
    all.extend(panic.map(|text| Alarm::new("panic", text)));
    let open = guard.warden.is_flushed().then(words::alarm_policy_open);
    all.extend(open.map(|text| Alarm::new("policy open", text)));
    let unapplied = guard.warden.is_unapplied().then(words::alarm_policy_unapplied);
    all.extend(unapplied.map(|text| Alarm::new("policy unapplied", text)));
    all.extend(guard.attendance.stuck.iter().map(|stuck| Alarm::new("doors stuck", stuck.words())));
    all.extend(guard.attendance.blocked().map(|text| Alarm::new("doors blocked", text)));
    all.extend(guard.lists.alarms().into_iter().map(|(about, text)| Alarm::new(about, text)));
    all.extend(guard.deeds.alarms().into_iter().map(|(about, text)| Alarm::new(about, text)));
    all
}

fn chain(guard: &mut Guard, now: Time) -> Status {
    let files = guard.follow.as_ref().map(sereno_tail::Follow::status).unwrap_or_default();
    let mut jails = Vec::new();
    for (policy, counts) in guard.engine.jails() {
        let name = policy.name;
        let sources = guard.book.status(name, &guard.engine, &files, now);
        let filtered = guard.engine.filtered(name);
        let (exhausted_day, lost_day) = guard.book.health.strain(name, &filtered, now);
        jails.push(JailStatus {
            name,
            rule: policy.rule.clone(),
            ports: if policy.closes { policy.ports.to_string() } else { String::new() },
            heard: policy.heard,
            maxretry: policy.maxretry,
            findtime: policy.findtime.as_secs(),
            bantime: policy.bantime.map(|t| t.as_secs()),
            failures: counts.failures,
            patient: counts.patient,
            successes: counts.successes,
            watching: guard.engine.jail(name).map_or(0, |jail| jail.watching() as u64),
            forgotten: counts.forgotten,
            exhausted: filtered.exhausted,
            exhausted_day,
            lost: filtered.lost,
            lost_day,
            in_force: guard.engine.ledger().count(name) as u64,
            last_failure: counts.last,
            sources,
        });
    }
    let gate = GateStatus {
        table: guard.draft.table.to_string(),
        present: guard.hands.stands(),
        in_force: guard.engine.ledger().len() as u64,
        pending: guard.engine.pending() as u64,
        dropped: guard.hands.dropped(),
        mended: guard.mended,
        rules: guard.warden.rules(),
        trial: guard.warden.trial_ends(),
    };
    Status {
        doors: super::doors::status(guard),
        heard: super::doors::heard(guard),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        since: guard.since,
        observing: guard.hands.observing(),
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
        alarms.push(Alarm::new("observing", words::alarm_observing(why)));
    } else if !status.gate.present {
        alarms.push(Alarm::new("gate", words::alarm_gate(&status.gate.table)));
    }
    if status.gate.pending > 0 {
        alarms.push(Alarm::new("pending", words::alarm_pending(words::bans(status.gate.pending))));
    }
    if status.jails.is_empty() && status.doors.is_empty() {
        alarms.push(Alarm::new("jails", words::alarm_no_jail()));
    }
    for jail in &status.jails {
        let name = jail.name;
        if jail.sources.iter().all(|source| source.files == 0) {
            alarms.push(Alarm::new(format!("{name} files"), words::alarm_unread(name)));
        }
        if jail.exhausted_day > 0 {
            let text = words::alarm_exhausted(name, words::searches(jail.exhausted_day));
            alarms.push(Alarm::new(format!("{name} exhausted"), text));
        }
        if jail.lost_day > 0 {
            let text = words::alarm_sessions(name, words::sessions(jail.lost_day));
            alarms.push(Alarm::new(format!("{name} sessions"), text));
        }
        for source in jail.sources.iter().filter(|source| source.files > 0) {
            alarms.extend(of_source(source, now).map(|(kind, text)| Alarm {
                about: format!("{name} {} {kind}", source.what),
                text: words::alarm_source(name, &source.what, text),
            }));
        }
    }
    alarms
}

/// What kind of thing is wrong with a source, and in words.
fn of_source(source: &SourceStatus, now: Time) -> Option<(&'static str, String)> {
    if source.lag > BEHIND {
        return Some(("behind", words::alarm_behind(bytes(source.lag))));
    }
    if source.candidates >= STRANGE && source.matched == 0 {
        return Some(("strange", words::alarm_never(source.candidates)));
    }
    if source.streak >= STRANGE {
        return Some(("strange", words::alarm_streak(source.streak)));
    }
    if source.disbelieved_day >= DISBELIEVED {
        return Some(("disbelieved", words::alarm_doubts(source.disbelieved_day)));
    }
    // A log that died before the start is as dead as one that dies behind it.
    let since = source.quiet_since?;
    if now.since(since) <= Duration::from_secs(source.silent_after) {
        return None;
    }
    let text = match source.longest_pause {
        None => words::alarm_silent(moment(since)),
        Some(pause) => words::alarm_silent_unlike(moment(since), words::seconds(pause)),
    };
    Some(("silent", text))
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
        let alarm = |source: &SourceStatus| of_source(source, day).map(|(_, text)| text);
        let quiet = |since| SourceStatus {
            quiet_since: Some(since),
            silent_after: 86_400,
            ..SourceStatus::default()
        };
        let local = moment(start);
        assert_eq!(alarm(&quiet(start)).unwrap(), format!("silent since {local}"));
        let usual = SourceStatus { longest_pause: Some(5400), ..quiet(start) };
        assert!(alarm(&usual).unwrap().ends_with("usually a line at least every 1 h 30 min"));
        let strange = SourceStatus { candidates: 20, ..quiet(day) };
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
