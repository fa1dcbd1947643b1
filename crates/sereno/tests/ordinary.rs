//! What an ordinary user can do, and what is said to him where he cannot.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod program;

use program::{Guard, Home};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, Output, Stdio};

/// User and group, without rights anywhere.
const NOBODY: u32 = 65534;
/// Words that start a program as nobody.
const AS_NOBODY: [&str; 6] = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
/// Words that start a program with a `/run` and a `/var/lib` of its own.
const OWN_RUN: [&str; 5] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec \"$0\" \"$@\"",
];

/// Whether these words start a program here; says so if they do not.
fn can(words: &[&str]) -> bool {
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
    let can = tried.as_ref().is_ok_and(|out| out.status.success());
    if !can {
        println!("skipped: {words:?}: {tried:?}");
    }
    can
}

/// A home that is nobody's.
fn his_home(config: &str) -> Home {
    let home = Home::new(config);
    home.append("auth.log", "");
    chown(home.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
    home
}

/// The program with these words in front, his folders in the environment, and no socket named.
fn sereno(home: &Home, through: &[&str], words: &[&str]) -> Command {
    let all = [through, &[env!("CARGO_BIN_EXE_sereno")], words].concat();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]).env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
    command.env("XDG_RUNTIME_DIR", home.folder()).env("XDG_STATE_HOME", home.folder());
    command.env_remove("SERENO_SOCKET");
    command
}

fn complaint(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Starts a program that goes on; what it says is kept.
fn start(home: Home, mut command: Command) -> Guard {
    let said = std::fs::File::options().create(true).append(true).open(home.path("said"));
    let child = command.stdout(Stdio::null()).stderr(said.unwrap()).spawn().unwrap();
    Guard::just(home, child)
}

const CONFIG: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\nmaxretry = 2\n";

#[test]
fn who_is_not_in_the_group_observes_all_the_same() {
    if !can(&AS_NOBODY) {
        return;
    }
    let home = his_home(&format!("[sereno]\ngroup = \"root\"\n{CONFIG}"));
    let child = home.run(&AS_NOBODY).spawn().unwrap();
    let guard = Guard::wait_for(home, child);
    let meta = std::fs::symlink_metadata(guard.socket()).unwrap();
    assert_eq!((meta.permissions().mode() & 0o777, meta.uid()), (0o600, NOBODY));
    assert!(guard.ask(&["status"]).stdout.starts_with(b"Sereno"));
    guard.until(|home| home.said().contains("group root"));
    assert!(guard.said().contains("OBSERVING ONLY"), "{}", guard.said());
}

#[test]
fn a_member_of_the_group_finds_the_system() {
    if !can(&OWN_RUN) || !can(&AS_NOBODY) {
        return;
    }
    let home = his_home(&format!("[sereno]\ngroup = \"nogroup\"\n{CONFIG}"));
    let config = home.path("sereno.toml");
    let words = ["run", "--observe", "--config", config.to_str().unwrap()];
    let run = sereno(&home, &OWN_RUN, &words);
    let guard = start(home, run);
    let pid = guard.child.id().to_string();
    let inside = ["nsenter", "--target", &pid, "--mount"];
    let beside = [&inside[..], &AS_NOBODY].concat();
    guard.until(|home| sereno(home, &inside, &["bans"]).output().unwrap().status.success());
    let asked = sereno(&guard, &beside, &["status", "--json"]).output().unwrap();
    assert!(asked.stdout.starts_with(b"{\"alarms\""), "{asked:?}");
    let named = sereno(&guard, &beside, &["--socket", "/nowhere/socket", "bans"]).output().unwrap();
    assert_eq!(named.status.code(), Some(3), "the socket that is named, and no other");
    // Where none answers, both are named.
    let nobody = sereno(&guard, &AS_NOBODY, &["bans"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    let own = guard.path("sereno.sock");
    for place in [own.to_str().unwrap(), "/run/sereno/control.sock"] {
        assert!(complaint(&nobody).contains(place), "{nobody:?}");
    }
}

#[test]
fn why_looks_into_ones_own_ledger() {
    if !can(&OWN_RUN) || !can(&AS_NOBODY) {
        return;
    }
    let home = his_home(CONFIG);
    let why = ["why", "203.0.113.9"];
    let through = [&OWN_RUN[..], &AS_NOBODY].concat();
    let refused = sereno(&home, &through, &why).output().unwrap();
    let text = complaint(&refused);
    assert_eq!(refused.status.code(), Some(3), "{text}");
    assert!(!text.contains("cannot be trusted"), "{text}");
    assert!(text.contains("only root may read"), "{text}");
    assert!(text.contains(home.path("sereno").to_str().unwrap()), "{text}");
    // His own, when he has one.
    let config = home.path("sereno.toml");
    let run = sereno(&home, &AS_NOBODY, &["run", "--config", config.to_str().unwrap()]);
    let mut guard = start(home, run);
    let ask = |words: &[&str]| sereno(&guard, &AS_NOBODY, words).output().unwrap();
    guard.until(|_| ask(&["ban", "203.0.113.9"]).status.success());
    assert!(ask(&["stop"]).status.success());
    guard.child.wait().unwrap();
    let asked = sereno(&guard, &AS_NOBODY, &why).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    assert!(String::from_utf8_lossy(&asked.stdout).contains("banned by hand"), "{asked:?}");
}

#[test]
fn who_names_a_socket_hears_of_no_other_ledger() {
    if !can(&OWN_RUN) {
        return;
    }
    let home = Home::new(CONFIG);
    let elsewhere = home.path("elsewhere");
    let words = ["--socket", elsewhere.to_str().unwrap(), "why", "203.0.113.9"];
    let asked = sereno(&home, &OWN_RUN, &words).output().unwrap();
    assert_eq!(asked.status.code(), Some(3), "{asked:?}");
    assert!(complaint(&asked).contains("elsewhere"), "{asked:?}");
    let state = home.path("state");
    let words = [&words[..], &["--state", state.to_str().unwrap()]].concat();
    let asked = sereno(&home, &[], &words).output().unwrap();
    assert!(complaint(&asked).contains("there is no ledger in"), "{asked:?}");
}
