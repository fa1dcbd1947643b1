//! Sereno called as `fail2ban-client`, beside the real one where that is installed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it skips"
)]

mod program;

use program::Guard;
use sereno_wire::control::{Ask, Reply, Request};
use sereno_wire::frame::{Frames, REQUEST_CAP, receive, send};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const CONFIG: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\n";

/// A link to Sereno by another name, in a folder.
fn link(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sereno"), &path).unwrap();
    path
}

fn call(program: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env_remove("SERENO_SOCKET");
    command.stdin(Stdio::null()).output().unwrap()
}

/// Standard output, standard error without what a log puts before each line, and the exit code.
fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bare = |line: &str| match line.split_once("]: ERROR   ") {
        Some((before, text)) => {
            let name = before.get(23..).unwrap_or_default();
            assert!(name.starts_with(" fail2ban                ["), "{line}");
            format!("{text}\n")
        }
        None => format!("{line}\n"),
    };
    let err = text(&output.stderr);
    let err = err.lines().filter(|line| !line.contains(": WARNING ")).map(bare).collect();
    (text(&output.stdout), err, output.status.code().unwrap())
}

/// The real program, if it is there.
fn real() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/bin/fail2ban-client");
    let found = path.exists() && call(&path, &["-V"]).stdout == b"1.0.2\n";
    if !found {
        println!("skipped: fail2ban-client 1.0.2 is not installed");
    }
    found.then_some(path)
}

/// A small tree with two jails.
fn tree(folder: &Path) -> PathBuf {
    let base = folder.join("f2b");
    fs::create_dir_all(base.join("filter.d")).unwrap();
    let log = folder.join("a.log");
    fs::write(&log, "").unwrap();
    let log = log.display();
    fs::write(
        base.join("fail2ban.conf"),
        "[Definition]\nloglevel = INFO\nlogtarget = STDERR\nsyslogsocket = auto\nallowipv6 = auto\n\
         socket = /nowhere/sock\npidfile = /nowhere/pid\ndbfile = None\ndbpurgeage = 1d\n",
    )
    .unwrap();
    let jails = format!(
        "[DEFAULT]\nbackend = polling\nenabled = true\nfilter = x\nlogpath = {log}\naction = noop\n\
         [one]\n[two]\nbantime = 1d\n"
    );
    fs::write(base.join("jail.conf"), jails).unwrap();
    fs::create_dir_all(base.join("action.d")).unwrap();
    fs::write(base.join("action.d/noop.conf"), "[Definition]\nactionban = true\n").unwrap();
    fs::write(base.join("filter.d/x.conf"), "[Definition]\nfailregex = ^fail from <HOST>$\n")
        .unwrap();
    base
}

#[test]
fn what_needs_nobody_is_as_the_real_one_does_it() {
    let Some(real) = real() else { return };
    let folder = tempfile::tempdir().unwrap();
    let base = tree(folder.path());
    let (base, ours) = (base.to_str().unwrap(), link(folder.path(), "fail2ban-client"));
    for args in [
        &["-V"][..],
        &["--version"],
        &["--str2sec", "1d12h"],
        &["--loglevel", "nix", "ping"],
        &["-c", "/nowhere", "-t"],
        &["-c", "/nowhere", "status"],
        &["-c", base, "-d"],
        &["-c", base, "--dp"],
        &["-c", base, "-t"],
        &["-c", base, "-dt"],
        &["-c", base, "-s", "/nowhere/sock", "ping"],
        &["-c", base, "-s", "/nowhere/sock", "status"],
        &["-c", base, "-s", "/nowhere/sock", "reload"],
        &["-c", base, "-s", "/nowhere/sock", "restart", "one"],
        &["-c", base, "-s", "/nowhere/sock", "reload", "a", "b"],
        &["-c", base, "-s", "/nowhere/sock", "ping", "x"],
        &["-c", base, "-s", "/nowhere/sock", "-t", "ping"],
        &["-c", base, "-s", "/etc/hostname", "status"],
        &["-c", base, "-s", "/etc/hostname", "ping"],
    ] {
        let (ours, real) = (said(&call(&ours, args)), said(&call(&real, args)));
        assert_eq!(ours, real, "{args:?}");
    }
    let usage = said(&call(&ours, &[]));
    assert_eq!(
        (usage.2, usage.0.lines().next()),
        (255, Some("Usage: fail2ban-client [OPTIONS] <COMMAND>"))
    );
    assert!(usage.0.lines().all(|line| line.chars().count() <= 112), "{}", usage.0);
}

#[test]
fn a_broken_tree_is_shown_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let base = tree(folder.path());
    fs::write(base.join("jail.local"), "[two]\nbantime = 10q\n").unwrap();
    let ours = link(folder.path(), "fail2ban-client");
    let (out, err, code) = said(&call(&ours, &["-c", base.to_str().unwrap(), "-t"]));
    assert_eq!((out.as_str(), code), ("", 255));
    assert!(err.contains("jail.local:2:13: \"10q\" is no length of time"), "{err}");
    assert!(err.ends_with("ERROR: test configuration failed\n"), "{err}");
    let (out, _, code) = said(&call(&ours, &["-c", base.to_str().unwrap(), "-d"]));
    assert!(out.contains("['start', 'one']\n") && !out.contains("'two'"), "{out}");
    assert_eq!(code, 255);
}

#[test]
fn a_guard_of_no_tree_refuses() {
    // Observes only.
    let home = Guard::start(CONFIG);
    let ours = link(home.folder(), "fail2ban-client");
    let socket = home.socket();
    let (out, err, code) = said(&call(&ours, &["-s", socket.to_str().unwrap(), "status"]));
    assert_eq!((out.as_str(), err.as_str(), code), ("", "not guarding a fail2ban tree\n", 255));
    let started = said(&call(&ours, &["-s", socket.to_str().unwrap(), "start"]));
    assert_eq!(started, (String::new(), "Server already running\n".to_owned(), 255));
    // As a command of Sereno's, and by what the environment says.
    assert_eq!(home.ask(&["fail2ban-client", "status"]).status.code(), Some(255));
    let mut command = Command::new(&ours);
    let output = command.arg("ping").env("SERENO_SOCKET", &socket).output().unwrap();
    assert!(said(&output).1.contains("not guarding"), "{output:?}");
}

/// Answers each question with `code`, its words, and `lines` lines besides.
fn echo(listener: UnixListener, lines: usize, code: u8) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut frames) = (stream.unwrap(), Frames::new(REQUEST_CAP));
            while let Ok(Some(request)) = receive::<Request>(&mut stream, &mut frames) {
                let Ask::Fail2ban { words } = request.ask else { panic!("another question") };
                let out = format!("{words:?}\n{}", "x\t\n".repeat(lines));
                for reply in Reply::fail2ban(&out, "NOK: ('x',)\n", code) {
                    send(&mut stream, &reply).unwrap();
                }
            }
        }
    });
}

#[test]
fn what_comes_back_is_printed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    echo(UnixListener::bind(&socket).unwrap(), 1_000_000, 255);
    let ours = link(folder.path(), "fail2ban-client");
    let words = ["-s", socket.to_str().unwrap(), "get", "one", "banip", "--with-time", "a b"];
    let (out, err, code) = said(&call(&ours, &words));
    assert!(out.starts_with("[\"get\", \"one\", \"banip\", \"--with-time\", \"a b\"]\nx\t\n"));
    assert_eq!((out.lines().count(), err.as_str(), code), (1_000_001, "NOK: ('x',)\n", 255));
    // As a command of Sereno's, options go to the client.
    let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
    let output = command.arg("fail2ban-client").args(words).output().unwrap();
    assert_eq!(said(&output), (out, err, code));
}

#[test]
fn thousands_of_addresses_go_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut frames) = (stream.unwrap(), Frames::new(REQUEST_CAP));
            while let Some(request) = receive::<Request>(&mut stream, &mut frames).unwrap() {
                let Ask::Fail2ban { words } = request.ask else { panic!("another question") };
                assert!(words[0] == "unban" || words[..3] == ["set", "one", "banip"]);
                let count = words.iter().filter(|word| word.starts_with("10.")).count();
                let absent = words.iter().any(|word| word == "10.0.77.7");
                let (out, code) =
                    if absent { ("no\n".into(), 255) } else { (format!("{count}\n"), 0) };
                send(&mut stream, &Reply::fail2ban(&out, "", code)[0]).unwrap();
            }
        }
    });
    let ours = link(folder.path(), "fail2ban-client");
    let ids: Vec<String> = (0..15_000).map(|n| format!("10.1.{}.{}", n / 256, n % 256)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for head in [&["set", "one", "banip"][..], &["unban"]] {
        let words = [&["-s", socket.to_str().unwrap()], head, &ids].concat();
        assert_eq!(said(&call(&ours, &words)), ("15000\n".into(), String::new(), 0));
        let wrong = [&words[..], &["10.0.77.7"]].concat();
        assert_eq!(said(&call(&ours, &wrong)), ("no\n".into(), String::new(), 255));
    }
}

#[test]
fn commands_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    echo(UnixListener::bind(&socket).unwrap(), 0, 0);
    let ours = link(folder.path(), "fail2ban-client");
    for (input, code) in [("ping 1\n\nset one 'a b'\n'\nquit\nping\n", 0), ("ping 1\n", 255)] {
        let path = folder.path().join("input");
        fs::write(&path, input).unwrap();
        let mut command = Command::new(&ours);
        command.arg("-is").arg(&socket).stdin(fs::File::open(path).unwrap());
        let (out, err, ended) = said(&command.output().unwrap());
        assert!(out.contains("fail2ban> [\"ping\", \"1\"]\nfail2ban> "), "{out}");
        assert_eq!(out.contains("[\"set\", \"one\", \"a b\"]\n"), code == 0, "{out}");
        assert!(err.ends_with(if code == 0 { "quotation\n" } else { "a line\n" }), "{err}");
        assert_eq!(ended, code, "{err}");
    }
}
