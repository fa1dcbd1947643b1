//! The commands that speak to a running program, against one that observes (no root needed).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod program;

use program::{Guard, Home, wrong_password};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const CONFIG: &str =
    "ignoreip = [\"10.20.30.0/24\"]\n[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 2\n";

fn failure(pid: u32, addr: &str) -> String {
    wrong_password(program::now(), pid, addr)
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
fn why_says_who_somebody_is_too() {
    let guard = Guard::start(CONFIG);
    let at = program::now();
    guard.log(&wrong_password(at, 1, "203.0.113.7").replace("Failed", "Accepted"));
    guard.until(|g| g.json(&["why", "203.0.113.7", "--json"])["known"].is_string());
    let said = |addr: &str| String::from_utf8(guard.ask(&["why", addr]).stdout).unwrap();
    assert!(said("203.0.113.7").contains("last logged in well from there at 20"));
    assert!(said("10.20.30.9").contains("a friend, never banned: ignoreip"));
    assert!(said("203.0.113.8").contains("Nothing is known of 203.0.113.8."));
    let friend = guard.json(&["why", "10.20.30.9", "--json"]);
    assert_eq!((friend["friend"].as_str(), &friend["known"]), (Some("ignoreip"), &Value::Null));
    assert_eq!(friend["lists"], Value::Array(Vec::new()));
}

#[test]
fn what_is_only_observed_says_so() {
    let guard = Guard::start(CONFIG);
    let said = |words: &[&str]| String::from_utf8(guard.ask(words).stdout).unwrap();
    let head = "OBSERVING ONLY, nobody is banned: asked to observe only\n";
    assert!(guard.ask(&["ban", "203.0.113.5"]).status.success());
    for words in [&["bans"][..], &["why", "203.0.113.5"]] {
        assert!(said(words).starts_with(head), "{words:?}");
        assert_eq!(said(words).matches("OBSERVING").count(), 1);
    }
    assert_eq!(guard.json(&["bans", "--json"])[0]["enforced"], false);
    let why = guard.json(&["why", "203.0.113.5", "--json"]);
    assert_eq!(why["observing"], "asked to observe only");
    // Who was not banned, and what a reload does, is said once.
    let nobody = guard.ask(&["unban", "203.0.113.9"]);
    assert_eq!(String::from_utf8_lossy(&nobody.stdout), "203.0.113.9 is not banned\n");
    assert_eq!(nobody.status.code(), Some(1));
    assert_eq!(said(&["unban", "--all"]), "Done: 1 ban.\n");
    assert_eq!(said(&["unban", "--all"]), "Nobody is out.\n");
    assert_eq!(said(&["reload"]), "reloaded\n");
    guard.until(|g| g.said().lines().any(|line| line == "reloaded"));
}

#[test]
fn a_socket_that_cannot_be_made_is_named() {
    let home = Home::new(CONFIG);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sereno"));
    let config = home.path("sereno.toml");
    command.args(["--socket", "/dev/null/s", "run", "--observe", "--config"]).arg(config);
    let out = command.env("LC_ALL", "C").output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("no control socket can be made at /dev/null/s: "), "{said}");
}

#[test]
fn a_reload_keeps_bans_and_refuses_mistakes() {
    let guard = Guard::start(CONFIG);
    assert!(guard.ask(&["ban", "203.0.113.5"]).status.success());
    guard.log(&failure(1, "203.0.113.7"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    guard.configure("[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretri = 3\n");
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
fn every_line_of_a_ban_has_its_own_time() {
    let guard = Guard::start(CONFIG);
    let at = |seconds: u64| program::now().minus(Duration::from_secs(seconds));
    let (first, second) = (at(90), at(30));
    guard.log(&wrong_password(first, 1, "203.0.113.7"));
    guard.until(|g| g.json(&["status", "--json"])["jails"][0]["failures"] == 1);
    let times = |guard: &Guard| -> Vec<String> {
        let why = guard.json(&["why", "203.0.113.7", "--json"]);
        let all = why["timeline"].as_array().unwrap();
        all.iter().map(|m| m["time"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(times(&guard), [first.to_string()]);
    guard.log(&wrong_password(second, 2, "203.0.113.7"));
    guard.until(|g| g.bans().len() == 1);
    let [first, second] = [first, second].map(|at| at.to_string());
    assert_eq!(times(&guard), [first, second.clone(), second]);
    let why = guard.json(&["why", "203.0.113.7", "--json"]);
    let text = why["timeline"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("20") && text.contains(" pbx sshd[1]: Failed"),
        "the line as it was: {text}"
    );
}

#[test]
fn a_reload_says_what_waits_for_a_restart() {
    let guard = Guard::start(CONFIG);
    let plain = guard.ask(&["reload"]);
    assert!(!String::from_utf8_lossy(&plain.stdout).contains("restart"), "{plain:?}");
    guard.configure(&format!(
        "[sereno]\ngroup = \"root\"\n{}[jail.in]\nrule = \"sshd\"\nlogpath = [\"-\"]\n",
        CONFIG.replace("ignoreip = [\"10.20.30.0/24\"]\n", "")
    ));
    for _ in 0..2 {
        let out = guard.ask(&["reload"]);
        assert!(out.status.success(), "{out:?}");
        let text = String::from_utf8_lossy(&out.stdout);
        let line = text.lines().find(|line| line.contains("restart")).unwrap();
        assert!(line.contains("group") && line.contains("standard input"), "{text}");
        assert!(!line.contains("socket") && !line.contains("state"), "{text}");
    }
    let status = guard.json(&["status", "--json"]);
    assert_eq!(status["jails"][0]["sources"][0]["files"], 0, "nothing reads it yet");
    assert!(status["alarms"].to_string().contains("jail in reads nothing"));
}

#[test]
fn a_reload_says_of_every_setting_that_it_waits() {
    let mut guard = Guard::start(CONFIG);
    assert!(guard.ask(&["stop"]).status.success());
    guard.child.wait().unwrap();
    // Without options on the command line, the file decides.
    let own = "[sereno]\nobserve = true\nstate = \"@DIR@/state\"\nsocket = \"@DIR@/socket\"\n";
    let rest = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\n";
    guard.configure(&format!("{own}{rest}"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sereno"));
    command.arg("run").arg("--config").arg(guard.path("sereno.toml")).stderr(Stdio::null());
    guard.child = command.spawn().unwrap();
    guard.until(Home::answers);
    let other =
        own.replace("/socket", "/other").replace("/state", "/there").replace("true", "false");
    guard.configure(&format!("{other}{rest}"));
    let out = guard.ask(&["reload"]);
    let text = String::from_utf8_lossy(&out.stdout);
    let line =
        text.lines().find(|line| line.contains("restart")).unwrap_or_else(|| panic!("{out:?}"));
    assert!(["state", "socket", "observe"].iter().all(|name| line.contains(name)), "{text}");
    assert!(!line.contains("group"), "{text}");
}

#[test]
fn one_at_a_time_and_a_clean_end() {
    let mut guard = Guard::start(CONFIG);
    let mut second = guard.run(&[]).arg("--observe").spawn().unwrap();
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

#[test]
fn no_answer_is_no_success() {
    let home = Home::new(CONFIG);
    // Somebody who hangs up at once, as a program does that is killed just then.
    let listener = UnixListener::bind(home.socket()).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    for _ in 0..50 {
        let out = home.ask(&["ban", "203.0.113.5"]);
        assert_eq!(out.status.code(), Some(3), "{out:?}");
        assert!(!out.stderr.is_empty());
    }
}
