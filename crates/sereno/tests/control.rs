//! The commands that speak to a running program, against one that observes (no root needed).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Guard {
    dir: tempfile::TempDir,
    child: Child,
}

impl Guard {
    fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("auth.log"), "").unwrap();
        let mut guard = Self { child: Command::new("true").spawn().unwrap(), dir };
        guard.configure(config);
        guard.child = guard.spawn();
        let started = Instant::now();
        while !guard.socket().exists() || guard.ask(&["status"]).status.code() == Some(3) {
            assert!(started.elapsed() < Duration::from_secs(10), "it does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        guard
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    fn configure(&self, config: &str) {
        let text = config.replace("@LOG@", self.path("auth.log").to_str().unwrap());
        std::fs::write(self.path("sereno.toml"), text).unwrap();
    }

    fn spawn(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_sereno"))
            .args(["run", "--observe", "--config"])
            .arg(self.path("sereno.toml"))
            .arg("--state")
            .arg(self.path("state"))
            .arg("--socket")
            .arg(self.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.path("said")).unwrap())
            .spawn()
            .unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
        command.arg("--socket").arg(self.socket()).args(words).env("LC_ALL", "C").env("TZ", "UTC");
        command
    }

    fn ask(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let out = self.ask(words);
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {out:?}"))
    }

    fn log(&self, line: &str) {
        let mut file =
            std::fs::OpenOptions::new().append(true).open(self.path("auth.log")).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn until(&self, what: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !what(self) {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "it did not happen: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("said")).unwrap()
    }

    fn bans(&self) -> Vec<String> {
        let bans = self.json(&["bans", "--json"]);
        bans.as_array().unwrap().iter().map(|b| b["addr"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str =
    "ignoreip = [\"10.20.30.0/24\"]\n[jail.sshd]\nlogpath = [\"@LOG@\"]\nmaxretry = 2\n";

fn failure(pid: u32, addr: &str) -> String {
    format!(
        "{} pbx sshd[{pid}]: Failed password for root from {addr} port 5 ssh2",
        jiff::Timestamp::now()
    )
}

#[test]
fn bans_by_hand_and_by_lines() {
    let guard = Guard::start(CONFIG);
    let mode = std::fs::metadata(guard.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "strangers may not connect");
    assert!(guard.ask(&["ban", "203.0.113.5", "--for", "1h", "--why", "a test"]).status.success());
    assert_eq!(guard.bans(), ["203.0.113.5"]);
    let friend = guard.ask(&["ban", "10.20.30.9"]);
    assert_eq!(friend.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&friend.stderr).contains("a friend: ignoreip"), "{friend:?}");
    let wide = guard.ask(&["ban", "198.51.0.0/16"]);
    assert!(String::from_utf8_lossy(&wide.stderr).contains("networks can be /32, /24"), "{wide:?}");
    let nobody = guard.ask(&["ban", "203.0.113.6", "--jail", "none"]);
    assert!(
        String::from_utf8_lossy(&nobody.stderr).contains("there is no jail none"),
        "{nobody:?}"
    );
    guard.log(&failure(1, "203.0.113.7"));
    guard.log(&failure(2, "203.0.113.7"));
    guard.until(|g| g.bans().len() == 2);
    let why = guard.json(&["why", "203.0.113.7", "--json"]);
    let kinds: Vec<&str> =
        why["timeline"].as_array().unwrap().iter().map(|m| m["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["evidence", "evidence", "ban"]);
    assert!(guard.ask(&["unban", "203.0.113.7"]).status.success());
    assert_eq!(guard.ask(&["unban", "203.0.113.7"]).status.code(), Some(1), "nobody was out");
    let why = guard.json(&["why", "203.0.113.7", "--json"]);
    assert_eq!(why["timeline"].as_array().unwrap().len(), 4, "the evidence outlives the ban");
    assert!(guard.ask(&["unban", "--all"]).status.success());
    assert!(guard.bans().is_empty());
}

#[test]
fn a_reload_keeps_bans_and_refuses_mistakes() {
    let guard = Guard::start(CONFIG);
    assert!(guard.ask(&["ban", "203.0.113.5"]).status.success());
    guard.log(&failure(1, "203.0.113.7"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    guard.configure("[jail.sshd]\nlogpath = [\"@LOG@\"]\nmaxretri = 3\n");
    let refused = guard.ask(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("did you mean maxretry"),
        "{refused:?}"
    );
    assert_eq!(
        guard.json(&["status", "--json"])["jails"][0]["maxretry"],
        2,
        "the old policy stands"
    );
    guard.configure(&CONFIG.replace("maxretry = 2", "maxretry = 2\nbantime = \"5m\""));
    let pid = rustix::process::Pid::from_child(&guard.child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["bantime"] == 300);
    assert_eq!(guard.bans(), ["203.0.113.5"]);
    guard.log(&failure(2, "203.0.113.7"));
    guard.until(|g| g.bans().len() == 2);
}

#[test]
fn one_at_a_time_and_a_clean_end() {
    let mut guard = Guard::start(CONFIG);
    let mut second = guard.spawn();
    assert!(!second.wait().unwrap().success());
    assert!(guard.said().contains("another Sereno listens"), "{}", guard.said());
    assert!(guard.ask(&["stop"]).status.success());
    assert!(guard.child.wait().unwrap().success());
    assert!(!guard.socket().exists());
    assert_eq!(guard.ask(&["status"]).status.code(), Some(3));
}

#[test]
fn watching_shows_what_happens() {
    let guard = Guard::start(CONFIG);
    let mut watch = guard.command(&["watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    guard.log(&failure(1, "203.0.113.7"));
    guard.log(&failure(2, "203.0.113.7"));
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let kinds: Vec<String> = lines
        .take(3)
        .map(|line| {
            serde_json::from_str::<Value>(&line.unwrap()).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(kinds, ["failure", "failure", "ban"]);
}

#[test]
fn nonsense_on_the_socket_ends_only_its_own_conversation() {
    let guard = Guard::start(CONFIG);
    for bytes in [&[0xff; 64][..], b"\0\0\0\x05hello", b"\0\0\0\x10{\"v\":9,\"ask\":1}}"] {
        let mut stream = UnixStream::connect(guard.socket()).unwrap();
        stream.write_all(bytes).unwrap();
    }
    let idle: Vec<UnixStream> =
        (0..80).filter_map(|_| UnixStream::connect(guard.socket()).ok()).collect();
    drop(idle);
    guard.until(|g| g.ask(&["bans"]).status.success());
    assert!(Path::new(&guard.socket()).exists());
}
