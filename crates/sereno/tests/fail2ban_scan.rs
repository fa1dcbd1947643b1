//! `sereno scan --fail2ban`: the real program with filters of its own, and with the stock ones
//! beside fail2ban's own tool.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILTER: &str = "\
[Definition]
prefregex = ^ demo\\[<F-MLFID>\\d+</F-MLFID>\\]: <F-CONTENT>.+</F-CONTENT>$
failregex = ^wrong password for <F-USER>\\S*</F-USER> from <HOST>$
            ^too many from <HOST> in <known>$
ignoreregex = from 192\\.0\\.2\\.99
known = net<extra>
extra =
";
const LOG: &str = "\
Nov 22 10:00:00 demo[1]: hello
Nov 22 10:00:01 demo[2]: wrong password for root from 203.0.113.9
Nov 22 10:00:02 demo[3]: wrong password for admin from 192.0.2.99
Nov 22 10:00:03 demo[4]: too many from host.example.org in net
Nov 22 10:00:04 demo[2]: wrong password for a\"b from 2001:db8::7
";
/// 2026-11-23T00:00:00Z.
const NOW: &str = "1795392000";

/// Runs the program in English and UTC: standard output, standard error, exit code.
fn sereno(args: &[&str], input: &[u8]) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
    command.args(args).env("LC_ALL", "C").env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// A tree with the filter `demo`, and a log.
fn tree(filter: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("filter.d")).unwrap();
    fs::write(folder.path().join("filter.d/demo.conf"), filter).unwrap();
    let log = folder.path().join("demo.log");
    fs::write(&log, LOG).unwrap();
    (folder, log)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn counted_lines_as_json() {
    let (folder, log) = tree(FILTER);
    let base = text(folder.path());
    let scan = ["scan", "--fail2ban", base, "--filter", "demo", "--json", "--now", NOW];
    let (said, complained, code) = sereno(&[&scan[..], &[text(&log)]].concat(), b"");
    assert_eq!((complained.as_str(), code), ("", 0));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    let first = concat!(
        r#"{"line":2,"time":"2026-11-22T10:00:01Z","addr":"203.0.113.9","user":"root","#,
        r#""rule":"demo","pattern":0,"kind":"failure","host":"203.0.113.9","attempts":1,"#,
        r#""captures":{"mlfid":"2","ip4":"203.0.113.9","user":"root"}}"#
    );
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    assert!(lines[0].starts_with(first.split(r#""captures""#).next().unwrap()), "{}", lines[0]);
    assert_eq!(value(lines[0]), value(first));
    let named = value(lines[1]);
    assert_eq!(named["line"], 4);
    assert!(named["addr"].is_null() && named["user"].is_null(), "{named}");
    assert_eq!((&named["host"], &named["pattern"]), (&"host.example.org".into(), &1.into()));
    let last = value(lines[2]);
    assert_eq!((&last["addr"], &last["user"]), (&"2001:db8::7".into(), &"a\"b".into()));
}

#[test]
fn counted_lines_for_people_and_their_number() {
    let (folder, log) = tree(FILTER);
    let scan = ["scan", "--fail2ban", text(folder.path()), "--filter"];
    let (said, _, code) =
        sereno(&[&scan[..], &["demo[extra=s]", "--now", NOW, text(&log)]].concat(), b"");
    let expected = "      2  2026-11-22 10:00:01  203.0.113.9      root                  demo/0
      5  2026-11-22 10:00:04  2001:db8::7      a\"b                   demo/0

2 of 5 lines count

By pattern
  2  demo/0

By address (2 addresses)
  1  203.0.113.9
  1  2001:db8::7
";
    assert_eq!((said.as_str(), code), (expected, 0));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(LOG.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let counted = |args: &[&str], input: &[u8]| sereno(&[&scan[..], args].concat(), input);
    assert_eq!(counted(&["demo", "--count", "-"], &packed), ("3\n".into(), String::new(), 0));
    let twice = ["demo", "--filter", "demo[extra=s]", "--count", "-"];
    assert_eq!(counted(&twice, LOG.as_bytes()), ("5\n".into(), String::new(), 0));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let (folder, log) = tree(&FILTER.replace("^too many", "^too (many"));
    let base = text(folder.path());
    let scan =
        |filter: &str| sereno(&["scan", "--fail2ban", base, "--filter", filter, text(&log)], b"");
    let (said, complained, code) = scan("demo");
    assert_eq!((said.as_str(), code), ("", 1));
    let place = format!("{base}/filter.d/demo.conf:4:18: failregex: ");
    assert!(complained.starts_with(&place), "{complained}");
    assert!(complained.contains("remedy: ") && complained.ends_with("sereno: 1 problem\n"));
    let (_, complained, code) = scan("demoo");
    assert!(complained.contains("demoo") && code == 1, "{complained}");
    for usage in [
        &["--filter", "demo"][..],
        &["--fail2ban", base],
        &["--fail2ban", base, "--filter", "demo", "--rule", "sshd"],
    ] {
        let (_, complained, code) = sereno(&[&["scan"], usage, &[text(&log)]].concat(), b"");
        assert_eq!(code, 2, "{complained}");
    }
}

#[test]
fn files_that_others_may_change_are_named() {
    let (folder, log) = tree(FILTER);
    let base = text(folder.path());
    let jail =
        format!("[demo]\nenabled = true\nfilter = demo\nlogpath = {}\naction = a\n", text(&log));
    fs::write(folder.path().join("jail.conf"), jail).unwrap();
    fs::create_dir(folder.path().join("action.d")).unwrap();
    let action = folder.path().join("action.d/a.conf");
    fs::write(&action, "[Definition]\nactionban = true\n").unwrap();
    let complaints = || {
        let (said, complained, _) = sereno(&["check", "--fail2ban", base], b"");
        format!("{said}{complained}").matches(" may change this file").count()
    };
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(complaints(), 0);
    mode(&action, 0o666);
    assert_eq!(complaints(), 1);
    mode(&action, 0o644);
    mode(&folder.path().join("filter.d"), 0o777);
    assert_eq!(complaints(), 1);
    // Files in a directory like /tmp are their owners'.
    mode(&folder.path().join("filter.d"), 0o1777);
    assert_eq!(complaints(), 0);
    if std::os::unix::fs::chown(&action, Some(65_534), None).is_ok() {
        assert_eq!(complaints(), 1);
    }
}

#[test]
fn stock_filters_find_what_fail2ban_finds() {
    let logs = Path::new("/usr/lib/python3/dist-packages/fail2ban/tests/files/logs");
    if !logs.is_dir() || !Path::new("/etc/fail2ban/filter.d").is_dir() {
        println!("skipped: fail2ban and its sample lines are not installed");
        return;
    }
    for (filter, log) in [
        ("sshd", "sshd"),
        ("sshd[mode=aggressive]", "sshd"),
        ("asterisk", "asterisk"),
        ("dovecot[mode=aggressive]", "dovecot"),
        ("postfix[mode=aggressive]", "postfix"),
        ("exim", "exim"),
        ("apache-auth", "apache-auth"),
        ("nginx-http-auth", "nginx-http-auth"),
        ("named-refused", "named-refused"),
        ("mongodb-auth", "mongodb-auth"),
        ("recidive", "recidive"),
    ] {
        let log = logs.join(log);
        let real = Command::new("fail2ban-regex")
            .args(["-r", "-o", "id", text(&log), filter])
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let real = String::from_utf8_lossy(&real.stdout).into_owned();
        let scan = ["scan", "--fail2ban", "/etc/fail2ban", "--filter", filter, "--json"];
        let (said, complained, _) = sereno(&[&scan[..], &[text(&log)]].concat(), b"");
        let host = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["host"].as_str().unwrap().to_owned()
        };
        let ours: Vec<String> = said.lines().map(host).collect();
        let theirs: Vec<&str> = real.lines().collect();
        assert_eq!(ours, theirs, "{filter}\n{complained}");
        println!("{filter}: {} lines count", ours.len());
    }
}

/// A rule that is made of fail2ban's expressions.
const RULE: &str = "name = \"web\"\nformat = \"fail2ban\"\n\
    failregex = ['^ shop: refused <HOST> for <F-USER>\\S+</F-USER>$']\n";

#[test]
fn rules_of_expressions_read_as_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let (log, rules) = (folder.path().join("log"), folder.path().join("rules"));
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("web.toml"), RULE).unwrap();
    let text = "Nov 22 12:00:01 pbx sshd[7]: Failed password for root from 203.0.113.1 port 5 ssh2\n\
                2026-11-22 12:00:02 shop: refused 203.0.113.2 for ana\n\
                2026-11-22 12:00:03 shop: welcome 203.0.113.2\n\
                Nov 22 12:00:04 pbx sshd[7]: Failed password for root from 203.0.113.1 port 5 ssh2\n";
    fs::write(&log, text).unwrap();
    let scan = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
        command.arg("scan").arg("--rules-folder").arg(&rules).args(words).arg(&log);
        let output = command.args(["--now", "1795392000"]).env("LC_ALL", "C").env("TZ", "UTC-2");
        let output = output.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
    };
    for (rules, count) in
        [(&["--rule", "web"][..], "1\n"), (&["--rule", "web", "--rule", "sshd"], "3\n")]
    {
        let counted = scan(&[rules, &["--count"]].concat());
        assert_eq!(counted, (count.to_owned(), String::new(), 0), "{rules:?}");
    }
    assert_eq!(scan(&["--count"]).0, "3\n", "all rules");
    let (rows, ..) = scan(&["--rule", "web", "--rule", "sshd", "--json"]);
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut short: Vec<_> = rows
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["rule"].as_str().unwrap()))
        .collect();
    short.sort_unstable();
    assert_eq!(short, [(1, "sshd"), (2, "web"), (4, "sshd")]);
    let web = rows.iter().find(|row| row["rule"] == "web").unwrap();
    assert_eq!((&web["addr"], &web["user"]), (&"203.0.113.2".into(), &"ana".into()));
    assert_eq!(web["time"], "2026-11-22T10:00:02Z", "the machine's zone");
    let (page, ..) = scan(&["--rule", "web"]);
    assert!(page.contains("1 of 4 lines count") && page.contains("web"), "{page}");
    let (_, error, code) = scan(&["--rule", "wbe"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("there is no rule wbe; there are: ") && error.contains("web"),
        "{error}"
    );
}
