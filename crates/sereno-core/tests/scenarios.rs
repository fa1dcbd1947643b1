//! Scenarios: scripted lines and a scripted clock through the whole engine.
//!
//! A file of `tests/scenarios` holds, line by line, what happens, and behind `> ` what has to
//! follow from it:
//!
//! ```text
//! jail sshd rule=sshd maxretry=3 bantime=36000
//! friend 10.0.0.0/8
//! at 2026-11-22T15:00:00Z
//! log Nov 22 15:00:00 pbx sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2
//! ban all 203.0.113.0/24 3600
//! lift 203.0.113.9
//! > ban sshd 203.0.113.9 until 2026-11-23T01:00:00Z: 3 failures
//! ```
//!
//! `old` is a line found in an old file. With `SCENARIOS=write` the expectations are written
//! anew, to be read before they are committed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test")]

mod shipped;

use sereno_core::engine::{Action, Clock, Engine, Input, Lifted, Notice, SourceId};
use sereno_core::gate::Name;
use sereno_core::jail::{Friend, Friends, JailPolicy};
use sereno_core::line::Dates;
use sereno_core::rule::Rule;
use sereno_core::rule::spec::{ExtensionSpec, RuleSpec};
use sereno_core::time::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const SOURCE: SourceId = SourceId(1);

struct Stage {
    policies: Vec<JailPolicy>,
    friends: Vec<Friend>,
    engine: Option<Engine>,
    now: Time,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rule(name: &str) -> Arc<Rule> {
    let spec = shipped::rules().into_iter().find(|spec| spec.name == name).unwrap();
    Arc::new(Rule::compile(&spec).unwrap())
}

fn secs(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap())
}

fn policy(words: &str) -> JailPolicy {
    let mut words = words.split(' ');
    let name = words.next().unwrap();
    let mut policy = JailPolicy::new(Name::new(name).unwrap(), name);
    for word in words {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "rule" => policy.rule = value.to_owned(),
            "ports" => policy.ports = value.parse().unwrap(),
            "maxretry" => policy.maxretry = value.parse().unwrap(),
            "findtime" => policy.findtime = secs(value),
            "bantime" => policy.bantime = (value != "-1").then(|| secs(value)),
            "heard" => policy.heard = value == "true",
            "maxaccounts" => policy.maxaccounts = value.parse().unwrap(),
            "maxhosts" => policy.maxhosts = value.parse().unwrap(),
            "nethosts" => policy.nethosts = value.parse().unwrap(),
            "increment" => policy.increment.increment = value == "true",
            "overalljails" => policy.increment.overalljails = value == "true",
            other => panic!("no option {other}"),
        }
    }
    policy
}

impl Stage {
    fn engine(&mut self) -> &mut Engine {
        let (policies, friends) = (&self.policies, &self.friends);
        self.engine.get_or_insert_with(|| {
            let mut engine =
                Engine::new(policies.clone(), Friends::new(friends.clone()), Clock::Wall, 1);
            let mut rules: Vec<Arc<Rule>> = Vec::new();
            for policy in policies {
                if !rules.iter().any(|r| r.name == policy.rule) {
                    rules.push(rule(&policy.rule));
                }
            }
            let jails: Vec<Name> = policies.iter().map(|p| p.name).collect();
            engine.add_source(SOURCE, &rules, &jails, Dates::new(jiff::tz::TimeZone::UTC)).unwrap();
            engine
        })
    }

    fn step(&mut self, line: &str) -> Vec<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let now = self.now;
        let mut actions = Vec::new();
        match word {
            "jail" => self.policies.push(policy(rest)),
            "friend" => {
                self.friends.push(Friend { prefix: rest.parse().unwrap(), why: "ignoreip".into() });
            }
            "at" => {
                self.now = Time(rest.parse::<jiff::Timestamp>().unwrap().as_microsecond());
                let now = self.now;
                self.engine().handle(Input::Tick, now, &mut actions);
            }
            "log" | "old" => {
                let text = format!("{}\n", rest.replace("\\n", "\n").replace("\\t", "\t"));
                let input =
                    Input::Block { source: SOURCE, bytes: text.as_bytes(), live: word == "log" };
                self.engine().handle(input, now, &mut actions);
            }
            "ban" => {
                let mut words = rest.split(' ');
                let (jail, prefix) = (words.next().unwrap(), words.next().unwrap());
                let (jail, prefix) = (Name::new(jail).unwrap(), prefix.parse().unwrap());
                let input =
                    Input::Ban { jail, prefix, length: words.next().map(secs), why: String::new() };
                self.engine().handle(input, now, &mut actions);
            }
            "lift" => self.engine().handle(
                Input::Lift { prefix: Some(rest.parse().unwrap()) },
                now,
                &mut actions,
            ),
            "befriend" => {
                self.friends
                    .push(Friend { prefix: rest.parse().unwrap(), why: "logged in".into() });
                let friends = Friends::new(self.friends.clone());
                self.engine().handle(Input::Friends(friends), now, &mut actions);
            }
            other => panic!("no step {other}"),
        }
        actions.iter().map(shown).collect()
    }
}

fn shown(action: &Action) -> String {
    match action {
        Action::Ban(ban) => {
            let until = ban.until.map_or("for ever".to_owned(), |until| format!("until {until}"));
            format!("ban {} {} {until}: {} {}", ban.jail, ban.prefix, ban.count, ban.because.word())
        }
        Action::Lift { ban, why } => {
            let why = match why {
                Lifted::Expired => "expired",
                Lifted::Manual | Lifted::Pardoned => "by hand",
                Lifted::Friend => "friend",
                Lifted::Room => "room",
            };
            format!("lift {} {}: {why}", ban.jail, ban.prefix)
        }
        Action::Tell(Notice::Spared { jail, prefix, friend, count }) => {
            format!("spared {jail} {prefix}: {friend}, {count}")
        }
        Action::Tell(Notice::Excused { jail, prefix, count }) => {
            format!("excused {jail} {prefix}: {count}")
        }
        Action::Tell(Notice::FarTimes { off, .. }) => format!("far times: {} s", off.as_secs()),
        Action::Tell(Notice::Refused { jail, prefix, why }) => {
            format!("refused {jail} {prefix}: {why}")
        }
        Action::Tell(Notice::StillTalking { jail, prefix }) => {
            format!("still talking {jail} {prefix}")
        }
        Action::Ask(ban) => format!("ask {}", ban.prefix),
        Action::Saw { .. } => "saw".to_owned(),
        // Doors have tests of their own.
        other => format!("{other:?}"),
    }
}

#[test]
fn scenarios_come_out_as_written() {
    let write = std::env::var("SCENARIOS").is_ok_and(|v| v == "write");
    let mut failed = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("tests/scenarios"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "the main test suite is not there");
    for path in files {
        let script = std::fs::read_to_string(&path).unwrap();
        let mut stage = Stage {
            policies: Vec::new(),
            friends: Vec::new(),
            engine: None,
            now: Time::from_secs(0),
        };
        let mut played = String::new();
        for line in script.lines().filter(|l| !l.starts_with("> ")) {
            played.push_str(line);
            played.push('\n');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            for action in stage.step(line) {
                played.push_str(&format!("> {action}\n"));
            }
        }
        if write {
            std::fs::write(&path, &played).unwrap();
        } else if played != script {
            failed.push(format!("{}:\n{played}", path.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
