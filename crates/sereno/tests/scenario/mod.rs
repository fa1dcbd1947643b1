//! A small scenario for the real program, and the state of the world at its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of a test")]

mod state;

pub(crate) use state::State;

use crate::program::{Home, PATIENCE, now, wrong_password};
use crate::tracer::{GATE, Traced};
use sereno_core::time::Time;
use std::process::Child;
use std::time::{Duration, Instant};

const CONFIG: &str = r#"
[jail.sshd]
logpath = ["@DIR@/auth.log"]
maxretry = 3
bantime = "1h"
[jail.pbx]
rule = "asterisk"
logpath = ["@DIR@/full"]
maxretry = 3
bantime = "2h"
[jail.back]
rule = "sshd"
logpath = ["@DIR@/back.log"]
maxretry = 2
ports = "tcp/2222"
bantime = "1m"
"#;

/// Tries before the rotation and behind it; the third is one too many.
const PATIENT: &str = "203.0.113.1";
/// Tries for the third time in the old file, after it was renamed.
const ROTATED: &str = "203.0.113.2";
/// Banned by lines, let in by hand, and banned again after three more.
const PARDONED: &str = "203.0.113.3";
/// Banned in two jails.
const BUSY: &str = "203.0.113.4";
/// Twice only.
const CAREFUL: &str = "203.0.113.5";
/// Banned by hand.
const UNLOVED: &str = "203.0.113.6";
/// Of an IPv6 network; three different addresses in it.
const WIDE: [&str; 3] = ["2001:db8:bad::1", "2001:db8:bad::2", "2001:db8:bad::3"];
/// At the telephones, for the third time at the very end.
const CALLER: &str = "203.0.113.7";
/// At the telephones, twice only.
const SHY: &str = "203.0.113.8";
/// His ban ends during the scenario.
const BRIEF: &str = "203.0.113.9";

/// What a run came to.
pub(crate) struct End {
    pub(crate) state: State,
    /// What the program did until it ended or was killed.
    pub(crate) effects: Vec<String>,
    pub(crate) killed: bool,
}

/// The program and those around it.
pub(crate) struct Scenario {
    home: Home,
    /// All times in the state are told from here.
    base: Time,
    lines: u32,
    traced: Option<Traced>,
    /// Started normally after the kill.
    again: Option<Child>,
    effects: Vec<String>,
    killed: bool,
}

impl Scenario {
    /// Runs it in the network of this thread, killing the program at its `nth` effect.
    pub(crate) fn run(nth: usize) -> End {
        let home = Home::new(CONFIG);
        for log in ["auth.log", "full", "back.log"] {
            home.append(log, "");
        }
        let traced = Traced::start(home.run(&GATE), nth);
        // All lines are of the last seconds, so that no line is of the future.
        let base = Time(now().minus(Duration::from_secs(20)).0 / 1000 * 1000);
        let mut all = Self {
            home,
            base,
            lines: 0,
            traced: Some(traced),
            again: None,
            effects: Vec::new(),
            killed: false,
        };
        all.play();
        let before = all.look();
        all.stop();
        all.again = Some(all.home.run(&[]).spawn().unwrap());
        all.home.until(Home::answers);
        let state = all.look();
        assert_eq!(before.difference(&state), None, "a clean restart changes nothing");
        all.stop();
        End { state, effects: std::mem::take(&mut all.effects), killed: all.killed }
    }

    fn play(&mut self) {
        self.wait("control socket", |_| true);
        let first = [PATIENT, ROTATED, CAREFUL, PARDONED, WIDE[0], ROTATED, PARDONED, PARDONED];
        self.ssh("auth.log", &[&first[..], &[PATIENT, BUSY, BUSY, WIDE[1]]].concat());
        self.until_banned(PARDONED, 1);
        self.calls(&[CALLER, SHY, BUSY, BUSY, BUSY, CALLER]);
        self.until_banned(BUSY, 1);
        let gone = |home: &Home| home.bans().contains(&UNLOVED.to_owned());
        self.order(&["ban", UNLOVED, "--for", "1h", "--why", "a test"], gone);
        self.rotate();
        self.until_banned(WIDE[2], 1);
        self.brief();
        let back = |home: &Home| !home.bans().contains(&PARDONED.to_owned());
        self.order(&["unban", PARDONED], back);
        self.ssh("auth.log", &[PATIENT, CAREFUL, PARDONED, PARDONED, BUSY]);
        self.until_banned(BUSY, 2);
        self.calls(&[SHY, CALLER]);
        self.ssh("auth.log", &[PARDONED]);
        self.until_banned(CALLER, 1);
        self.until_banned(PARDONED, 2);
    }

    /// The time of the next line: of the past, and the same in every run.
    fn next(&mut self) -> Time {
        self.lines += 1;
        self.base.plus(Duration::from_millis(10 * u64::from(self.lines)))
    }

    fn ssh(&mut self, log: &str, who: &[&str]) {
        let mut text = String::new();
        for addr in who {
            let at = self.next();
            text.push_str(&wrong_password(at, 1000 + self.lines, addr));
            text.push('\n');
        }
        self.home.append(log, &text);
    }

    fn calls(&mut self, who: &[&str]) {
        let mut text = String::new();
        for addr in who {
            let at = self.next().to_string().replace('T', " ");
            let at = at.trim_end_matches('Z');
            let n = self.lines;
            text.push_str(&format!(
                "[{at}] SECURITY[4132] res_security_log.c: SecurityEvent=\"ChallengeResponseFailed\",EventTV=\"2026-11-22T15:22:38.123+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"60{n}\",SessionID=\"41fe{n}\",LocalAddress=\"IPV4/UDP/198.51.100.16/5060\",RemoteAddress=\"IPV4/UDP/{addr}/49341\",Challenge=\"1795364311/0e28\",Response=\"7dd1\",ExpectedResponse=\"\"\n"
            ));
        }
        self.home.append("full", &text);
    }

    /// As logrotate does it; the old file gets one line more.
    fn rotate(&mut self) {
        let (log, old) = (self.home.path("auth.log"), self.home.path("auth.log.1"));
        std::fs::rename(log, old).unwrap();
        self.ssh("auth.log.1", &[ROTATED]);
        self.ssh("auth.log", &[WIDE[2]]);
        self.until_banned(ROTATED, 1);
    }

    /// A ban that ends: the lines are nearly as old as it is long.
    fn brief(&mut self) {
        let at = now().minus(Duration::from_millis(59_600));
        let line = wrong_password(at, 1, BRIEF);
        self.home.append("back.log", &format!("{line}\n{line}\n"));
        self.until_banned(BRIEF, 1);
        self.wait(&format!("lift {BRIEF} "), |home| !home.bans().contains(&BRIEF.to_owned()));
    }

    /// Waits until somebody was banned for the `times`-th time.
    fn until_banned(&mut self, addr: &str, times: usize) {
        let who = if addr.contains(':') { "2001:db8:bad::/64" } else { addr };
        let started = Instant::now();
        loop {
            let banned = if self.is_traced() {
                self.home.said().matches(&format!("ban {who} ")).count()
            } else {
                self.home.history(who).iter().filter(|m| m["kind"] == "ban").count()
            };
            if banned >= times {
                return;
            }
            self.pause(started, &format!("{who} is not banned"));
        }
    }

    /// Waits until the traced program has said something, or, after a kill, until `what`.
    fn wait(&mut self, said: &str, what: impl Fn(&Home) -> bool) {
        let started = Instant::now();
        while if self.is_traced() { !self.home.said().contains(said) } else { !what(&self.home) } {
            self.pause(started, said);
        }
    }

    fn pause(&self, started: Instant, what: &str) {
        let said = self.home.said();
        assert!(started.elapsed() < PATIENCE, "{what}; after {:?}: {said}", self.effects.last());
        // Asking costs the machine more than looking at what was said.
        let pause = if self.again.is_some() { 20 } else { 2 };
        std::thread::sleep(Duration::from_millis(pause));
    }

    /// An order of the administrator. If he gets no answer he looks whether it was done, and
    /// if not says it once more.
    fn order(&mut self, words: &[&str], done: impl Fn(&Home) -> bool) {
        loop {
            let traced = self.is_traced();
            let out = self.home.ask(words);
            if out.status.success() {
                return;
            }
            assert!(traced, "{words:?}: {out:?}");
            self.until_dead();
            if done(&self.home) {
                return;
            }
        }
    }

    /// Whether the traced program still runs. If it was killed, starts it again.
    fn is_traced(&mut self) -> bool {
        if self.again.is_some() {
            return false;
        }
        if self.traced.as_ref().is_some_and(|traced| !traced.over()) {
            return true;
        }
        self.mourn();
        self.again = Some(self.home.run(&[]).spawn().unwrap());
        self.home.until(Home::answers);
        false
    }

    /// Waits for the end that has begun.
    fn until_dead(&mut self) {
        let started = Instant::now();
        while self.is_traced() {
            self.pause(started, "it did not answer, and it lives");
        }
    }

    fn mourn(&mut self) {
        if let Some(traced) = self.traced.take() {
            let end = traced.end();
            assert!(end.killed, "it ended by itself: {}", self.home.said());
            self.effects = end.effects;
            self.killed = end.killed;
        }
    }

    /// The state, seen by whoever has time to wait: a kill while looking means looking again.
    fn look(&mut self) -> State {
        loop {
            let traced = self.is_traced();
            if let Some(state) = State::of(&self.home, self.base) {
                return state;
            }
            assert!(traced, "it does not answer");
            self.until_dead();
        }
    }

    /// Stops whoever runs. The traced program may be killed while it stops.
    fn stop(&mut self) {
        let out = self.home.ask(&["stop"]);
        if let Some(mut child) = self.again.take() {
            assert!(out.status.success() && child.wait().unwrap().success(), "{out:?}");
        } else {
            let traced = self.traced.take().unwrap().end();
            assert!(out.status.success() || traced.killed, "{out:?}");
            self.effects = traced.effects;
            self.killed = traced.killed;
        }
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if let Some(child) = &mut self.again {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Home {
    /// What happened to somebody, oldest first.
    fn history(&self, who: &str) -> Vec<serde_json::Value> {
        let why = self.json(&["why", who, "--json"]);
        why["timeline"].as_array().unwrap().clone()
    }
}
