//! `sereno knock` on this machine's own loopback: what it says, and how it ends. Real servers are in
//! `tests/lab/knocking.py`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const DOOR: &str = "host = \"127.0.0.1\"\nknock = [7, \"9:udp\"]\n";
const RC: &str = "[home]\nSPA_SERVER 127.0.0.1\nACCESS tcp/22\nKEY_BASE64 AQIDBAUGBwg=\n\
                  HMAC_KEY_BASE64 CQoLDA0ODxA=\n";
const KEYS: [&str; 2] = ["AQIDBAUGBwg", "CQoLDA0ODxA"];

struct Guest(tempfile::TempDir);

impl Guest {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn door(&self, name: &str, text: &str) -> PathBuf {
        self.put(&format!("config/sereno/doors/{name}.toml"), text, 0o600)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
        command.arg("knock").args(words).env_clear().stdin(Stdio::null());
        command.env("HOME", self.0.path()).env("XDG_CONFIG_HOME", self.0.path().join("config"));
        command
    }

    fn knock(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Standard output, standard error, and the exit code.
    fn says(&self, words: &[&str]) -> (String, String, i32) {
        let Output { stdout, stderr, status } = self.knock(words);
        let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (out, err, status.code().unwrap())
    }
}

/// A port at which somebody listens, and one at which nobody does.
fn ports() -> (TcpListener, String, String) {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let [listens, silent] = [&open, &gone].map(|one| one.local_addr().unwrap().port().to_string());
    (open, listens, silent)
}

#[test]
fn what_it_did_is_told_to_people_and_to_programs() {
    let guest = Guest::new();
    let (_open, listens, silent) = ports();
    let (said, _, code) = guest.says(&["127.0.0.1", "7", "9:udp"]);
    assert_eq!((said.as_str(), code), ("knocking at 127.0.0.1: 7, 9:udp\n", 0));
    let (said, _, code) = guest.says(&["localhost", "-4", "-u", "7", "9:tcp", "-w", &listens]);
    let line = format!("knocking at localhost (127.0.0.1): 7:udp, 9 ... tcp/{listens} is open\n");
    assert_eq!((said, code), (line, 0));
    let (said, _, code) = guest.says(&["127.0.0.1", "7", "-w", &silent, "-t", "1"]);
    let line = format!("knocking at 127.0.0.1: 7 ... 7 ... tcp/{silent} refuses\nSomebody says no");
    assert!(said.starts_with(&line) && code == 4, "{said}");
    let (said, _, code) =
        guest.says(&["127.0.0.1", "7", "-w", &silent, "-t", "1", "--once", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["rounds"], &told["open"], code), (&1.into(), &false.into(), 4));
    assert_eq!(told["refused"], true);
}

#[test]
fn the_command_starts_when_the_port_answers_and_only_then() {
    let guest = Guest::new();
    let (_open, listens, silent) = ports();
    let run = |port: &str, command: &[&str]| {
        let words = ["127.0.0.1", "7", "-d", "0", "-t", "1", "-w", port, "--"];
        guest.says(&[&words[..], command].concat())
    };
    // No shell: nothing of this means anything.
    let (said, _, code) = run(&listens, &["printf", "%s|", "$HOME; exit 3", "a b"]);
    assert_eq!((said.as_str(), code), ("$HOME; exit 3|a b|", 0));
    assert_eq!(run(&listens, &["sh", "-c", "exit 7"]).2, 7);
    assert_eq!(
        run(&silent, &["printf", "no"]),
        (String::new(), run(&silent, &["printf", "no"]).1, 4)
    );
    let (said, why, code) = run(&listens, &["no-such-program"]);
    assert!(said.is_empty() && why.contains("no-such-program cannot be started") && code == 127);
    assert_eq!(run(&listens, &["/"]).2, 126);
    let (_, why, code) = guest.says(&["127.0.0.1", "7", "--", "true"]);
    assert!(why.contains("--wait 22") && code == 2, "{why}");
}

#[test]
fn what_is_asked_for_must_exist() {
    let guest = Guest::new();
    guest.door("office", DOOR);
    let long: Vec<String> = (1..=33).map(|port| port.to_string()).collect();
    let long: Vec<&str> =
        ["127.0.0.1"].into_iter().chain(long.iter().map(String::as_str)).collect();
    for (words, said, code) in [
        (&["127.0.0.1"][..], "at what?", 2),
        (&["127.0.0.1", "70000"], "70000 is no port to knock at", 2),
        (&["127.0.0.1", "0"], "0 is no port to knock at", 2),
        (&["127.0.0.1", "7000:sctp"], "7000:sctp is no port to knock at", 2),
        (&["127.0.0.1", "7000", "office"], "office is no port to knock at", 2),
        (&["127.0.0.1", "a\u{1b}[2J"], "a\\u{1b}[2J is no port", 2),
        (&long, "32 ports at most", 2),
        (&["127.0.0.1", "attic"], "there is no door attic", 2),
        (&["attic"], "there is no door attic", 2),
        (&["192.0.2.1", "office"], "is one of 127.0.0.1, not of 192.0.2.1", 2),
        (&["no.such.name.invalid", "7000"], "no.such.name.invalid: ", 1),
        (&["-6", "127.0.0.1", "7000"], "has no address of that kind", 1),
        (&["127.0.0.1", "7", "-w", "0"], "'0'", 2),
        (&["127.0.0.1", "7", "-T"], "--spa", 2),
        (&["--spa", "127.0.0.1", "7000"], "said with -A", 2),
        (&["127.0.0.1", "7", "-A", "tcp/22"], "--spa", 2),
        (&["127.0.0.1", "7", "-n", "home"], "--spa", 2),
        (&[], "HOST", 2),
    ] {
        let (out, why, ended) = guest.says(words);
        assert!(out.is_empty() && why.contains(said) && ended == code, "{words:?}: {ended} {why}");
    }
}

#[test]
fn a_door_is_a_file_that_is_right_and_nobody_elses() {
    let guest = Guest::new();
    let path = guest.door("office", DOOR);
    for words in [&["office"][..], &["127.0.0.1", "office"]] {
        let (said, _, code) = guest.says(words);
        assert_eq!((said.as_str(), code), ("knocking at door office of 127.0.0.1\n", 0));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (_, why, code) = guest.says(&["office"]);
    assert!(why.contains("(mode 644): chmod 600") && code == 1, "{why}");
    guest.door("attic", "host = \"127.0.0.1\"\nport = 7\nsecret = \"hunter2hunter2!\"\n");
    let (_, why, code) = guest.says(&["attic"]);
    assert!(why.contains("attic.toml:2:1: there is no such option") && code == 1, "{why}");
    assert!(why.contains("no base64") && !why.contains("hunter2"), "{why}");
    guest.door("cellar", "host = \"127.0.0.1\"\nsecret = \"MDEyMzQ1Njc4OWFiY2RlZg==\"\n");
    assert_eq!(guest.says(&["cellar", "-d", "0"]).2, 0);
}

fn hides_keys(said: &str) -> bool {
    KEYS.iter().all(|key| !said.contains(key))
}

#[test]
fn a_packet_says_what_the_stanza_and_the_command_line_say() {
    let guest = Guest::new();
    guest.put(".fwknoprc", RC, 0o600);
    let test = |words: &[&str]| {
        let (said, why, code) = guest.says(&[&["--spa", "--test", "--json"], words].concat());
        assert!(hides_keys(&said) && hides_keys(&why));
        assert_eq!(code, 0, "{why}");
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    let told = test(&[]);
    assert_eq!((&told["who"], &told["kind"]), (&"0.0.0.0".into(), &1.into()));
    assert_eq!((&told["server"], &told["hmac"]), (&"127.0.0.1:62201".into(), &"SHA256".into()));
    let told = test(&["::1", "-n", "home", "-A", "udp/53,tcp/443", "-f", "9", "-p", "7"]);
    assert_eq!((&told["who"], &told["kind"]), (&"::".into(), &3.into()));
    assert_eq!((&told["server"], &told["timeout"]), (&"[::1]:7".into(), &9.into()));
    assert_eq!(told["ports"], serde_json::json!(["udp/53", "tcp/443"]));
    assert_eq!(test(&["-a", "::ffff:192.0.2.7"])["who"], "192.0.2.7");
    let (said, _, code) = guest.says(&["--spa", "--no-wait"]);
    assert_eq!((said.as_str(), code), ("knocking at 127.0.0.1: a packet to udp/62201\n", 0));
}

#[test]
fn a_stanza_that_cannot_be_used_is_told_without_its_keys() {
    let guest = Guest::new();
    let more = |text: &str| format!("{RC}{text}");
    for (text, words, said, code) in [
        ("", &["-n", "attic"][..], "there is no stanza attic", 2),
        ("[b]\nSPA_SERVER b\n", &[], "there are: home, b", 2),
        ("ALLOW_IP resolve\n", &[], "ask a stranger's web page", 2),
        ("", &["-R"], "ask a stranger's web page", 2),
        ("", &["-A", "tcp/22-23"], "tcp/22-23 is nothing to open", 2),
        ("", &["-A", "icmp/8"], "icmp/8 is nothing to open", 2),
        ("KEYY AQIDBAUGBwg=\nFW_TIMEOUT x\n", &[], "rc:7:12: this is no number", 1),
        ("[b]\nSPA_SERVER 127.0.0.1\nACCESS tcp/22\n", &["-n", "b"], "b has no key", 1),
        ("[b]\nKEY_BASE64 AQIDBAUGBwg=\nACCESS tcp/22\n", &["-n", "b"], "no SPA_SERVER", 2),
        ("[b]\nKEY_BASE64 AQIDBAUGBwg=\nSPA_SERVER ::1\n", &["-n", "b"], "what to open", 2),
    ] {
        let rc = guest.put("rc", &more(text), 0o600);
        let words = [&["--spa", "--rc", rc.to_str().unwrap()], words].concat();
        let (out, why, ended) = guest.says(&words);
        assert!(out.is_empty() && why.contains(said) && ended == code, "{words:?}: {ended} {why}");
        assert!(hides_keys(&why), "{why}");
    }
    let open = guest.put("rc", RC, 0o640);
    let (_, why, code) = guest.says(&["--spa", "--rc", open.to_str().unwrap()]);
    assert!(why.contains("chmod 600") && code == 1, "{why}");
    let (_, why, code) = guest.says(&["--spa"]);
    assert!(why.contains(".fwknoprc: No such file") && code == 1, "{why}");
}

#[test]
fn people_are_spoken_to_in_their_language() {
    let guest = Guest::new();
    let said = |words: &[&str]| {
        let out = guest.command(words).env("LC_ALL", "es_AR.UTF-8").output().unwrap();
        String::from_utf8([out.stdout, out.stderr].concat()).unwrap()
    };
    let (_open, listens, silent) = ports();
    assert!(said(&["127.0.0.1", "7", "-w", &listens]).contains("tocando en 127.0.0.1: 7 ... tcp/"));
    assert!(said(&["127.0.0.1", "7", "-w", &silent, "-t", "1"]).contains("rechaza\nAllí alguien"));
    assert!(said(&["127.0.0.1", "x:y"]).contains("no es un puerto en el que tocar"));
    assert!(said(&["attic"]).contains("no hay ninguna puerta attic"));
}
