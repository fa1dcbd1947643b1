//! Alarms: which there are, and a clock that makes them wait less.

use super::{Home, PATIENCE};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

impl Home {
    /// Whether `status` raises exactly these alarms (each given by a part of it), in every form.
    pub(crate) fn raises(&self, expected: &[&str]) -> bool {
        let status = self.json(&["status", "--json"]);
        let alarms: Vec<String> = status["alarms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alarm| alarm.as_str().unwrap().to_owned())
            .collect();
        let alike = alarms.len() == expected.len()
            && expected.iter().all(|part| alarms.iter().any(|alarm| alarm.contains(part)));
        if !alike {
            return false;
        }
        let shown = self.ask(&["status"]);
        let text = String::from_utf8_lossy(&shown.stdout);
        assert_eq!(shown.status.code(), Some(i32::from(!expected.is_empty())), "{text}");
        assert_eq!(text.matches("ALARM: ").count(), expected.len(), "{text}");
        assert_eq!(text.contains("All is well"), expected.is_empty(), "{text}");
        alarms.iter().all(|alarm| text.contains(alarm))
    }

    /// Waits until it raises these and no other.
    pub(crate) fn until_it_raises(&self, expected: &[&str]) {
        let started = Instant::now();
        while !self.raises(expected) {
            let alarms = &self.json(&["status", "--json"])["alarms"];
            assert!(started.elapsed() < PATIENCE, "{expected:?}, but there is {alarms}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the program has said by itself that an alarm is raised, or is over.
    pub(crate) fn until_it_says(&self, how: &str, alarm: &str) {
        self.until(|home| home.said().lines().any(|l| l.starts_with(how) && l.contains(alarm)));
    }
}

/// A clock of the program's own, ahead of the true one by what the file says.
pub(crate) struct Clock(String);

impl Clock {
    pub(crate) fn new() -> Option<Self> {
        // It does not start where a killed program of the same number left its memory behind.
        let library = (0..5).find_map(|_| {
            let words = ["-f", "+0", "printenv", "LD_PRELOAD"];
            let asked = Command::new("faketime").args(words).output();
            asked.ok().filter(|out| out.status.success())
        });
        if library.is_none() {
            println!("skipped: there is no faketime");
        }
        Some(Self(String::from_utf8(library?.stdout).unwrap().trim().to_owned()))
    }

    /// Words that start a program with this clock. What waits goes by the true one.
    pub(crate) fn words(&self, home: &Home) -> Vec<String> {
        let clock = format!("FAKETIME_TIMESTAMP_FILE={}", home.path("clock").display());
        let rest = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        let first = ["env".to_owned(), format!("LD_PRELOAD={}", self.0), clock];
        first.into_iter().chain(rest.map(str::to_owned)).collect()
    }

    /// Starts a program with this clock.
    pub(crate) fn start(&self, home: &Home) -> Child {
        let words = self.words(home);
        let through: Vec<&str> = words.iter().map(String::as_str).collect();
        home.run(&through).spawn().unwrap()
    }
}

impl Home {
    /// Sets the program's clock ahead.
    pub(crate) fn later(&self, hours: u32) {
        std::fs::write(self.path("clock.new"), format!("+{hours}h\n")).unwrap();
        std::fs::rename(self.path("clock.new"), self.path("clock")).unwrap();
    }
}
