//! The date detector against fail2ban's own, over the lines and patterns both come with and
//! over random ones. Needs the Debian package; says so and passes where it is missing.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of it is tests; the oracle is a process, and its pipe needs a thread"
)]

mod random;
mod speed;

use jiff::tz::TimeZone;
use random::{Random, STYLES, line};
use serde_json::{Value, json};
use sereno_core::filter::date::{Detector, State, Zone};
use sereno_core::time::Time;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Asks everything over one pipe; `None` without fail2ban.
fn oracle(requests: &[Value]) -> Option<Vec<Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dates/oracle.py");
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
            let theirs = answers[0]["templates"].as_array().unwrap();
            let first = names.iter().zip(theirs).find(|(a, b)| a != b);
            let counts = (names.len(), theirs.len());
            return wrong.push(format!("{:?}: names {counts:?} {first:?}", self.pattern));
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
        let time = detector.time(state, &found, line, now).map(|time| time.0 as f64 / 1e6);
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
                // Labels of years that no calendar has are no times here.
                (a, Some(b)) if b >= 253_402_300_800.0 => a.is_none(),
                (Some(a), Some(b)) if (a - b).abs() < 1e-3 * b.abs().max(1.0).log10() => true,
                (Some(a), Some(b)) => ((a - b).abs() - 3600.0).abs() < 1e-3 && self.changes(a),
                (a, b) => a.is_none() && b.is_none(),
            }
    }

    /// Whether the zone's offset changes around this time.
    fn changes(&self, secs: f64) -> bool {
        if secs < 0.0 {
            // The two sides do not agree on how far back a rule reaches.
            return true;
        }
        let zone = self.machine();
        let offset =
            |secs: i64| zone.to_offset(jiff::Timestamp::from_second(secs).unwrap()).seconds();
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
    let logs: Vec<Vec<String>> = logs.iter().map(|log| texts(log.as_array().unwrap())).collect();
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

/// Lines in blocks of a few styles, as logs are, with the clock going on.
fn random_run(random: &mut Random, pattern: Option<&str>, lines: usize) -> Run {
    const LOGS: [Option<&str>; 8] =
        [None, None, None, None, Some("UTC"), Some("CET+0130"), Some("-0400"), Some("PST")];
    let mut now = 1_000_000_000.0 + random.below(800_000_000) as f64;
    let mut run = Run::new(pattern, []);
    run.zone = ZONES[random.below(ZONES.len())];
    run.log = LOGS[random.below(LOGS.len())];
    while run.lines.len() < lines {
        let few: Vec<&str> = (0..1 + random.below(3)).map(|_| random.one(&STYLES)).collect();
        let styles = if random.below(5) == 0 { &STYLES[..] } else { &few };
        for _ in 0..1 + random.below(30) {
            let most = [2, 60, 400][random.below(3)];
            now += random.below(most) as f64 + 0.25;
            run.lines.push((line(random, styles), now));
        }
    }
    run
}

#[test]
fn random_lines_with_the_default_templates() {
    let mut random = Random(1);
    let patterns = [None, None, None, Some("{^LN-BEG}")];
    let runs: Vec<Run> = (0..120).map(|i| random_run(&mut random, patterns[i % 4], 250)).collect();
    compare(&runs);
}

#[test]
fn random_lines_with_patterns_of_ones_own() {
    let mut random = Random(2);
    let mut runs = Vec::new();
    for pattern in PATTERNS {
        for _ in 0..3 {
            runs.push(random_run(&mut random, Some(pattern), 120));
        }
    }
    compare(&runs);
}

const PATTERNS: [&str; 54] = [
    r"{^LN-BEG}%ExY(?P<_sep>[-/.])%m(?P=_sep)%d[T ]%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    r"^%ExY(?P<_sep>[-/.])%m(?P=_sep)%d[T ]%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    "{^LN-BEG}<%m/%d/%Exy@%H:%M:%S>",
    "<%m/%d/%Exy@%H:%M:%S>",
    "{^LN-BEG}%b-%d-%Exy %k:%M:%S",
    "^%H:%M:%S",
    "{NONE}",
    "{none}",
    "Epoch",
    "LEPOCH",
    "^Epoch",
    "{^LN-BEG}LEPOCH",
    "TAI64N",
    "^TAI64N",
    "{^LN-BEG}tai64n",
    "{DEFAULT}",
    "{^LN-BEG}Epoch\n{^ln-beg}",
    "%Y-%m-%d %H:%M:%S\n{^LN-BEG}",
    "^{DATE}",
    "{DATE}",
    "{^LN-BEG}{DATE}",
    r"\[{DATE}\]",
    r"^[^\[]*\[({date})",
    r"(?<=\[){EPOCH}(?=\])",
    r"^\[{EPOCH}\]",
    r"x{LEPOCH}**",
    "**%H:%M:%S**",
    "{UNB}%H:%M:%S",
    "{UNB}{^LN-BEG}%H:%M:%S",
    "%H:%M:%S$",
    "%H:%M:%S",
    "%b %d %H:%M:%S",
    "%B %d %I:%M:%S %p",
    "%y %U %A %H:%M:%S",
    "%y %W %A %H:%M:%S",
    "%Y-%j %H:%M:%S",
    "%Exy%Exm%Exd +%ExH:%ExM:%ExS",
    "%d(?P<_sep>[-/])%b(?P=_sep)%Y",
    "%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy)",
    "(?i)%Y%Exm%ExdT%ExH%ExM%ExS(?: ?%Exz)?",
    "%Z %a %b %d %H:%M:%S",
    "(?:%ExZ )?%b %d %H:%M:%S",
    r"^\W*(%H:%M):%S",
    r"host \w+\[\d{,3}\]: (%b %d %H:%M:%S)",
    "%m/%d %H:%M",
    "%d %H:%M:%S",
    "%x %X",
    "%c",
    "%%%H:%M",
    "%k:%M:%S\n%l:%M:%S %p",
    "(?P<H>[0-9]+):(?P<M>[0-9]+):(?P<S>[0-9]+)",
    "{^LN-BEG}%H:%M:%S\n{^LN-BEG}",
    "^(?:%a )?%b %d|%H:%M:%S",
    r"[-[\d\]]%b[^]-]%d",
];

#[test]
fn the_same_patterns_are_refused() {
    const WRONG: [&str; 29] = [
        "%Q",
        "100%",
        "50% %H",
        "(%H:%M",
        "%H:%M)",
        "[%H",
        "%H %H",
        "%H %k",
        "%Y %ExY",
        "%H:%M\n%H:%M",
        "{DEFAULT}\n{DEFAULT}",
        "{^LN-BEG}\n{^LN-BEG}",
        r"\{DATE}",
        "{DATE}{DATE}",
        "**",
        "a**b",
        "*%H",
        "^*%H",
        "%H{2}{3}",
        r"\q%H",
        "%H(?i)x(?s)",
        "(?P=no)%H",
        r"%H\",
        "%H{3,2}",
        "[z-a]%H",
        "[]%H",
        "%H{2",
        "(?P<1a>x)%H",
        "()%H",
    ];
    let line = "12:13:14 x 10 11";
    compare(&WRONG.map(|pattern| Run::new(Some(pattern), [line.to_owned()])));
}
