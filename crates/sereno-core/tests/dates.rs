//! The date detector against fail2ban's own, over the lines and patterns both come with and
//! over random ones. Needs the Debian package; says so and passes where it is missing.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the oracle is a process, and its pipe needs a thread"
)]

use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, State, Zone};
use sereno_core::time::Time;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Asks everything over one pipe; `None` without fail2ban.
fn oracle(requests: &[Value]) -> Option<Vec<Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dates_oracle.py");
    let probe = Command::new("/usr/bin/python3")
        .args(["-c", "import fail2ban.server.datedetector, fail2ban.tests"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: fail2ban and its tests are not installed for /usr/bin/python3");
        return None;
    }
    let mut child = Command::new("/usr/bin/python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = requests.iter().fold(String::new(), |mut text, request| {
        writeln!(text, "{request}").unwrap();
        text
    });
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers: Vec<Value> =
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), requests.len());
    Some(answers)
}

/// A list of texts the oracle knows.
fn known(what: &str) -> Option<Vec<Value>> {
    oracle(&[json!({"do": what})])?[0].as_array().cloned()
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// The zones machines are in here, in words both sides know without a database.
const ZONES: [&str; 5] = [
    "UTC0",
    "CET-01CEST-02,M3.5.0,M10.5.0",
    "EST5EDT,M3.2.0,M11.1.0",
    "IST-5:30",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
];

/// One detector and the lines it is given, each with the time it is read at.
struct Run {
    pattern: Option<String>,
    zone: &'static str,
    log: Option<&'static str>,
    lines: Vec<(String, f64)>,
}

impl Run {
    fn new(pattern: Option<&str>, lines: impl IntoIterator<Item = String>) -> Self {
        // As fail2ban's own tests have it: noon of the 14th of August 2005.
        let lines = lines.into_iter().map(|line| (line, 1_124_013_600.0)).collect();
        Self { pattern: pattern.map(str::to_owned), zone: ZONES[1], log: None, lines }
    }

    fn requests(&self) -> Vec<Value> {
        let make = json!({
            "do": "make", "pattern": self.pattern, "zone": self.zone, "log": self.log,
        });
        let ask = |(line, now): &(String, f64)| json!({"do": "ask", "line": line, "now": now});
        let lines = self.lines.iter().map(ask);
        std::iter::once(make).chain(lines).chain([json!({"do": "hits"})]).collect()
    }

    fn machine(&self) -> TimeZone {
        TimeZone::posix(self.zone).unwrap()
    }

    fn detector(&self, start: Time) -> Result<Detector, String> {
        let wrong = |wrong: sereno_core::filter::date::Wrong| format!("{wrong:?}");
        let zone = Zone::machine(self.machine());
        let zone = match self.log {
            Some(log) => zone.log(log, |_| None).map_err(wrong)?,
            None => zone,
        };
        Detector::new(self.pattern.as_deref(), zone, start).map_err(wrong)
    }

    /// Compares; pushes what differs.
    fn check(&self, answers: &[Value], start: Time, wrong: &mut Vec<String>) {
        let refused = answers[0].get("refused");
        let detector = match (self.detector(start), refused) {
            (Err(_), Some(_)) => return,
            (Ok(detector), None) => detector,
            (Err(ours), None) => {
                return wrong.push(format!("{:?}: only we refuse: {ours}", self.pattern));
            }
            (Ok(_), Some(theirs)) => {
                return wrong.push(format!("{:?}: only they refuse: {theirs}", self.pattern));
            }
        };
        let mut state = State::default();
        let names: Vec<Value> =
            detector.templates(&state).map(|one| Value::from(one.name)).collect();
        if Value::from(names.clone()) != answers[0]["templates"] {
            wrong.push(format!("{:?}: names {names:?} {}", self.pattern, answers[0]["templates"]));
            return;
        }
        for ((line, now), answer) in self.lines.iter().zip(&answers[1..]) {
            if answer.get("fault").is_some() {
                // Python's own exception, after which its state is half written.
                return;
            }
            let now = Time((now * 1e6) as i64);
            let ours = self.ask(&detector, &mut state, line, now);
            if !self.same(&ours, answer) {
                wrong.push(format!(
                    "{:?} zone {} log {:?} now {now}\n  line   {line:?}\n  ours   {ours}\n  theirs {answer}",
                    self.pattern, self.zone, self.log
                ));
                return;
            }
        }
        let hits: Vec<Value> =
            detector.templates(&state).map(|one| json!([one.name, one.hits])).collect();
        if Value::from(hits.clone()) != answers[answers.len() - 1] {
            wrong.push(format!("{:?}: order {hits:?}", self.pattern));
        }
    }

    fn ask(&self, detector: &Detector, state: &mut State, line: &str, now: Time) -> Value {
        let Some(found) = detector.find(state, line, now) else { return json!({}) };
        let count = |at: usize| line[..at].chars().count();
        let time = detector.time(state, &found, now).map(|time| time.0 as f64 / 1e6);
        let name = detector.templates(state).find(|one| one.template == found.template);
        json!({
            "start": count(found.range.start), "end": count(found.range.end),
            "name": name.unwrap().name, "time": time,
        })
    }

    /// The same answer; a date cut out empty has no time, and one in an hour that the change of
    /// summer time doubles or skips may be an hour off.
    fn same(&self, ours: &Value, theirs: &Value) -> bool {
        if ours == &json!({}) || theirs == &json!({}) {
            return ours == theirs;
        }
        let (start, end) = (&theirs["start"], &theirs["end"]);
        if start == end || start == -1 {
            return ours["name"] == theirs["name"] && ours["start"] == ours["end"];
        }
        let parts = ["start", "end", "name"].iter().all(|part| ours[part] == theirs[part]);
        parts
            && match (ours["time"].as_f64(), theirs["time"].as_f64()) {
                (Some(a), Some(b)) if (a - b).abs() < 1e-3 * b.abs().max(1.0).log10() => true,
                (Some(a), Some(b)) => ((a - b).abs() - 3600.0).abs() < 1e-3 && self.changes(a),
                (a, b) => a.is_none() && b.is_none(),
            }
    }

    /// Whether the zone's offset changes around this time.
    fn changes(&self, secs: f64) -> bool {
        let zone = self.machine();
        let offset = |secs: i64| {
            zone.to_offset(jiff::Timestamp::from_second(secs).unwrap()).seconds()
        };
        offset(secs as i64 - 10_800) != offset(secs as i64 + 10_800)
    }
}

/// Runs all and fails with the first differences.
fn compare(runs: &[Run]) {
    let mut requests = vec![json!({"do": "now"})];
    requests.extend(runs.iter().flat_map(Run::requests));
    let Some(answers) = oracle(&requests) else { return };
    let start = Time((answers[0].as_f64().unwrap() * 1e6) as i64);
    let mut rest = &answers[1..];
    let mut wrong = Vec::new();
    for run in runs {
        let (here, there) = rest.split_at(run.lines.len() + 2);
        run.check(here, start, &mut wrong);
        rest = there;
    }
    let lines: usize = runs.iter().map(|run| run.lines.len()).sum();
    let dated = answers.iter().filter(|answer| answer.get("start").is_some()).count();
    eprintln!("{} detectors, {lines} lines, {dated} of them with a date", runs.len());
    assert!(
        wrong.is_empty(),
        "{} runs differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

#[test]
fn the_sample_logs_with_every_stock_pattern() {
    let (Some(logs), Some(stock)) = (known("logs"), known("stock")) else { return };
    let logs: Vec<Vec<String>> =
        logs.iter().map(|log| texts(log.as_array().unwrap())).collect();
    let all: Vec<String> = logs.iter().flatten().cloned().collect();
    let mut runs: Vec<Run> = logs.iter().map(|log| Run::new(None, log.clone())).collect();
    runs.push(Run::new(None, all.clone()));
    for pattern in texts(&stock) {
        runs.push(Run::new(Some(&pattern), all.clone()));
    }
    compare(&runs);
}

#[test]
fn the_patterns_and_lines_of_fail2bans_own_tests() {
    let Some(strings) = known("strings") else { return };
    let strings = texts(&strings);
    let pattern = |text: &&String| text.contains(['%', '{', '*']) || text.contains("EPOCH");
    let runs: Vec<Run> = strings
        .iter()
        .filter(pattern)
        .map(|pattern| Run::new(Some(pattern), strings.clone()))
        .chain([Run::new(None, strings.clone())])
        .collect();
    compare(&runs);
}
