//! The real program on files of its own: what it prints and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Three guesses by one stranger, a success, a quiet line, and what a stranger might write.
const LOG: &str = "\
Nov 22 10:00:00 pbx systemd[1]: Started Session 7 of User deploy.
Nov 22 10:00:01 pbx sshd[101]: Failed password for root from 203.0.113.9 port 51001 ssh2
Nov 22 10:00:02 pbx sshd[102]: Failed password for invalid user admin from 203.0.113.9 port 51002 ssh2
Nov 22 10:00:03 pbx sshd[103]: Accepted publickey for deploy from 198.51.100.4 port 51003 ssh2: ED25519 SHA256:abc
Nov 22 10:00:04 pbx sshd[104]: Failed password for root from 203.0.113.9 port 51004 ssh2
Nov 22 10:00:05 pbx sshd[105]: Failed password for invalid user a\u{7}\u{202e}b from 2001:db8::7 port 51005 ssh2
";
/// 2026-11-23T00:00:00Z.
const NOW: &str = "1795392000";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn sereno(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
    command
        .args(args)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    sereno(args).output().unwrap()
}

/// Standard output, and the exit code.
fn says(args: &[&str]) -> (String, i32) {
    let output = run(args);
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code().unwrap())
}

/// Standard error, and the exit code.
fn complains(args: &[&str]) -> (String, i32) {
    let output = run(args);
    let text = String::from_utf8(output.stderr).unwrap();
    (text, output.status.code().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn scan_shows_the_lines_that_count() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let (said, code) = says(&["scan", text(&log), "--now", NOW]);
    let expected =
        "      2  2026-11-22 10:00:01  203.0.113.9      root                  sshd/failed
      3  2026-11-22 10:00:02  203.0.113.9      admin                 sshd/failed
      5  2026-11-22 10:00:04  203.0.113.9      root                  sshd/failed
      6  2026-11-22 10:00:05  2001:db8::7      a\\u{7}\\u{202e}b       sshd/failed

4 of 6 lines count
Also understood: 1 success

By pattern
  4  sshd/failed

By address (2 addresses)
  3  203.0.113.9
  1  2001:db8::7
";
    assert_eq!((said.as_str(), code), (expected, 0));
    assert_eq!(says(&["scan", "--count", text(&log)]), ("4\n".to_owned(), 0));
    assert_eq!(says(&["scan", "--count", "--rule", "asterisk", text(&log)]), ("0\n".to_owned(), 0));
}

#[test]
fn scan_as_json_is_one_object_a_line() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let (said, code) = says(&["scan", "--json", "--rule", "sshd", text(&log), "--now", NOW]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), code), (4, 0));
    let first = r#"{"line":2,"time":"2026-11-22T10:00:01Z","addr":"203.0.113.9","user":"root","rule":"sshd","pattern":"failed","kind":"failure"}"#;
    assert_eq!(lines[0], first);
    let last: serde_json::Value = serde_json::from_str(lines[3]).unwrap();
    assert_eq!(last["user"], "a\u{7}\u{202e}b");
    assert_eq!(last["line"], 6);
}

#[test]
fn packed_logs_and_standard_input_read_like_plain_ones() {
    let folder = folder();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(LOG.as_bytes()).unwrap();
    // What a file is, its content says.
    let gz = put(folder.path(), "auth.log.1", gz.finish().unwrap());
    assert_eq!(says(&["scan", "--count", text(&gz)]), ("4\n".to_owned(), 0));
    let plain = put(folder.path(), "auth.log", LOG);
    match Command::new("xz").arg("-k").arg(&plain).status() {
        Ok(status) if status.success() => {
            let xz = folder.path().join("auth.log.xz");
            assert_eq!(says(&["scan", "--count", text(&xz)]), ("4\n".to_owned(), 0));
        }
        _ => println!("skipped: there is no xz to pack a log with"),
    }
    let mut child = sereno(&["scan", "--count", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(LOG.as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"4\n");
}

#[test]
fn a_cut_line_ends_like_no_line() {
    let folder = folder();
    // The stranger chose the name's length so that the cut falls behind an address of his choice.
    let head = "Nov 22 10:00:01 pbx sshd[101]: Failed password for invalid user ";
    let forged = " from 192.0.2.1 port 22 ssh2";
    let filler = "x".repeat((64 << 10) - head.len() - forged.len());
    let line = format!("{head}{filler}{forged} from 203.0.113.9 port 51001 ssh2\n{LOG}");
    let log = put(folder.path(), "auth.log", line);
    let output = run(&["scan", "--count", text(&log)]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Cut for being over 64 KiB: 1 line\n");
}

#[test]
fn a_reader_who_leaves_is_no_failure() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG.repeat(20_000));
    let mut child = sereno(&["scan", "--json", text(&log)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(0), "")
    );
}

#[test]
fn what_is_asked_for_must_exist() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let expected =
        ("sereno: there is no rule sshdd; there are: asterisk, portscan, sshd\n".to_owned(), 2);
    assert_eq!(complains(&["scan", "--rule", "sshdd", text(&log)]), expected);
    let expected =
        ("sereno: there is no enabled jail web; there are: asterisk, sshd\n".to_owned(), 2);
    let config = put(folder.path(), "c.toml", JAILS);
    assert_eq!(
        complains(&["replay", "--config", text(&config), "--jail", "web", text(&log)]),
        expected
    );
    let gone = folder.path().join("gone");
    let expected = (format!("sereno: {}: No such file or directory\n", gone.display()), 1);
    assert_eq!(complains(&["scan", text(&gone)]), expected);
    assert_eq!(complains(&["scan"]).1, 2);
}

const JAILS: &str = r#"
[jail.asterisk]
logpath = ["/var/log/asterisk/full"]

[jail.sshd]
logpath = ["/var/log/auth.log"]
maxretry = 3
bantime = "10h"
"#;

#[test]
fn replay_shows_who_would_have_been_banned() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let config = put(folder.path(), "c.toml", JAILS);
    let args = ["replay", "--config", text(&config), text(&log), "--now", NOW];
    let (said, code) = says(&args);
    let expected = "\
time                 address             jail          for             count  because of
2026-11-22 10:00:04  203.0.113.9         sshd          10 h                3  failures

1 ban of 1 address
  asterisk: 0 bans, 0 failures
  sshd: 1 ban, 4 failures
";
    assert!(said.starts_with(expected), "{said}");
    assert!(said[expected.len()..].starts_with("Read 6 lines, "), "{said}");
    assert_eq!(code, 0);
    let (said, code) = says(&[&args[..], &["--json"]].concat());
    let expected = concat!(
        r#"{"time":"2026-11-22T10:00:04Z","addr":"203.0.113.9","jail":"sshd","#,
        r#""until":"2026-11-22T20:00:04Z","count":3,"because":"failures"}"#,
        "\n"
    );
    assert_eq!((said.as_str(), code), (expected, 0));
    let (said, _) = says(&[&args[..], &["--json", "--jail", "asterisk"]].concat());
    assert_eq!(said, "");
}

#[test]
fn a_rotated_set_is_one_log_and_friends_are_spared() {
    let folder = folder();
    let (old, new) = LOG.split_at(LOG.find("Nov 22 10:00:03").unwrap());
    let old = put(folder.path(), "auth.log.1", old);
    let new = put(folder.path(), "auth.log", new);
    let config = put(folder.path(), "c.toml", JAILS);
    let args =
        ["replay", "--json", "--config", text(&config), "--now", NOW, text(&old), text(&new)];
    assert_eq!(says(&args).0.lines().count(), 1);
    let friendly =
        put(folder.path(), "f.toml", format!("ignoreip = [\"203.0.113.0/24\"]\n{JAILS}"));
    let (said, _) =
        says(&["replay", "--config", text(&friendly), "--now", NOW, text(&old), text(&new)]);
    assert!(said.starts_with("Nobody would have been banned.\n"), "{said}");
    assert!(
        said.contains("Spared 203.0.113.9 (sshd): a friend (ignoreip), with 3 failures\n"),
        "{said}"
    );
}

#[test]
fn people_are_spoken_to_in_their_language_and_programs_are_not() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let spanish = |args: &[&str]| {
        let output = sereno(args).env("LC_ALL", "es_AR.UTF-8").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(
        spanish(&["scan", text(&log)])
            .contains("\nCuentan 4 de 6 líneas\nTambién se entiende: 1 acceso\n")
    );
    assert_eq!(spanish(&["scan", "--json", text(&log)]), says(&["scan", "--json", text(&log)]).0);
}

#[test]
fn rules_prove_themselves() {
    let (said, code) = says(&["rules", "test"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.lines().all(|line| line.ends_with(", all proven")), "{said}");
    let folder = folder();
    let rule = r#"name = "web"
format = "plain"

[[pattern]]
id = "login"
kind = "failure"
regex = 'login failed from <addr>'
[[pattern.match]]
line = "2026-11-22T10:00:00Z login failed from 203.0.113.9"
addr = "203.0.113.9"
"#;
    let good = put(folder.path(), "web.toml", rule);
    let expected = (format!("web ({}): 1 pattern, all proven\n", good.display()), 0);
    assert_eq!(says(&["rules", "test", text(&good)]), expected);
    let bad = put(folder.path(), "bad.toml", rule.replace("addr = \"203", "addr = \"198"));
    let (said, code) = says(&["rules", "test", text(&bad)]);
    let expected = format!(
        "{}:7:9: warning: rule web, pattern login: found address 203.0.113.9, not 198.0.113.9: ",
        bad.display()
    );
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.ends_with(&format!("web ({}): 1 problem\n", bad.display())), "{said}");
    assert_eq!(code, 1);
    let (said, code) = says(&["rules", "test", "--json", text(&bad)]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["problems"][0]["line"], code), (&serde_json::json!(7), 1));
    let (said, code) = says(&["rules", "list"]);
    assert!(said.contains("  failed ") && said.contains("sshd  rules/sshd.toml\n"), "{said}");
    assert_eq!(code, 0);
}

#[test]
fn a_file_adds_a_pattern_to_a_shipped_rule() {
    let folder = folder();
    let more = r#"extends = "sshd"
[[pattern]]
id = "knock"
kind = "failure"
regex = 'unwelcome guest <addr>'
[[pattern.match]]
line = "Nov 22 10:00:00 pbx sshd[1]: unwelcome guest 203.0.113.9"
addr = "203.0.113.9"
"#;
    fs::create_dir(folder.path().join("rules.d")).unwrap();
    let own = put(folder.path(), "rules.d/sshd-more.toml", more);
    let (said, code) = says(&["rules", "test", text(&own)]);
    let patterns = says(&["rules", "test"]).0;
    let shipped = patterns.lines().find_map(|line| line.strip_prefix("sshd (rules/sshd.toml): "));
    let number: usize = shipped.unwrap().split(' ').next().unwrap().parse().unwrap();
    let both = format!("sshd (rules/sshd.toml, {})", own.display());
    assert_eq!((said, code), (format!("{both}: {} patterns, all proven\n", number + 1), 0));

    // What it knows counts beside what the rule knows.
    let log = "Nov 22 10:00:01 pbx sshd[1]: unwelcome guest 203.0.113.9\n\
        Nov 22 10:00:02 pbx sshd[2]: Failed password for root from 203.0.113.9 port 51001 ssh2\n";
    let log = put(folder.path(), "auth.log", log);
    let jail = format!("[jail.sshd]\nlogpath = [\"{}\"]\nmaxretry = 2\n", log.display());
    let config = put(folder.path(), "sereno.toml", jail);
    let (said, _) = says(&["replay", "--config", text(&config), "--now", NOW, text(&log)]);
    assert!(said.contains("\n1 ban of 1 address\n"), "{said}");

    // A mistake is told at its place, and the rule goes on without the file.
    fs::write(&own, more.replace("knock", "failed")).unwrap();
    let (said, code) = says(&["check", "--config", text(&config)]);
    let expected = format!("{}:3:6: pattern failed is also in rules/sshd.toml:", own.display());
    assert!(said.starts_with(&expected) && said.contains("  remedy: give it"), "{said}");
    assert_eq!(code, 1);
    let (said, code) = says(&["rules", "test", "--json", text(&own)]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let rules = said["rules"].as_array().unwrap().len();
    assert_eq!((rules, &said["problems"][0]["line"], code), (0, &3.into(), 1));
}

#[test]
fn check_shows_every_problem_at_its_place() {
    let folder = folder();
    let log = put(folder.path(), "auth.log", LOG);
    let jail = |more: &str| format!("[jail.sshd]\nlogpath = [\"{}\"]\n{more}", log.display());
    let good = put(folder.path(), "good.toml", jail("maxretry = 3\n"));
    assert_eq!(
        says(&["check", "--config", text(&good)]),
        ("No problems: 1 jail (sshd).\n".to_owned(), 0)
    );
    let bad = put(folder.path(), "bad.toml", jail("maxrety = 3\nbantime = \"10 parsecs\"\n"));
    let (said, code) = says(&["check", "--config", text(&bad)]);
    let name = bad.display();
    let expected = format!(
        "{name}:3:1: [jail.sshd] has no option maxrety
  maxrety = 3
  ^~~~~~~
  remedy: did you mean maxretry?

"
    );
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains(&format!("\n{name}:4:11: ")), "{said}");
    assert!(said.ends_with("\n2 problems\n"), "{said}");
    assert_eq!(code, 1);
    let said = complains(&["replay", "--config", text(&bad), text(&log)]);
    assert_eq!(
        said,
        ("sereno: 2 problems in the configuration; sereno check shows them\n".to_owned(), 1)
    );
    let gone = put(
        folder.path(),
        "gone.toml",
        "[jail.sshd]\nlogpath = [\"/no/such/log\", \"/no/such/*.log\"]\n",
    );
    let (said, code) = says(&["check", "--config", text(&gone)]);
    let expected = "\
warning: jail sshd: /no/such/log is not there (yet)
warning: jail sshd: /no/such/*.log is not there (yet)
No problems: 1 jail (sshd).
";
    assert_eq!((said.as_str(), code), (expected, 0));
    let (said, _) = says(&["check", "--json", "--config", text(&gone)]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["missing"][0],
        serde_json::json!({ "jail": "sshd", "logpath": "/no/such/log" })
    );
}

#[test]
fn check_warns_of_a_door_that_closes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let keys = "SOURCE ANY\nKEY_BASE64 AQIDBAUGBwg=\nHMAC_KEY_BASE64 CQoLDA0ODxA=\n";
    let access = put(folder.path(), "home.access", keys);
    fs::set_permissions(&access, fs::Permissions::from_mode(0o600)).unwrap();
    let door = |more: &str| {
        let conf = format!("[door.home]\nspa = \"{}\"\n{more}", access.display());
        let (said, code) = says(&["check", "--config", text(&put(folder.path(), "s.toml", conf))]);
        (said.contains("no OPEN_PORTS: nothing is closed for [door.home]"), code)
    };
    assert_eq!(door(""), (true, 0));
    assert_eq!(door("ports = \"tcp/22\"\n"), (false, 0));
    assert_eq!(door("closed = false\n"), (false, 0));
}

#[test]
fn check_names_programs_that_are_not_installed() {
    let folder = folder();
    let door = "[door.light]\nknock = [7311, 2904, 5127]\ncommand = \"no-such-program %IP%\"\n\
                end-command = \"echo %IP%; true\"\n";
    let conf = put(folder.path(), "s.toml", door);
    let (said, code) = says(&["check", "--config", text(&conf)]);
    let line = "warning: command of door light: no-such-program is not installed\n";
    assert!(said.starts_with(line) && !said.contains("echo"), "{said}");
    assert_eq!(code, 0);
    let jail =
        "[one]\nenabled = true\nbackend = polling\nfilter = f\nlogpath = /dev/null\naction = a\n";
    for part in ["f2b/filter.d", "f2b/action.d"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    put(folder.path(), "f2b/jail.conf", jail);
    put(folder.path(), "f2b/filter.d/f.conf", "[Definition]\nfailregex = ^x <HOST>$\n");
    let action =
        "[Definition]\nactionban = if [ -n \"<ip>\" ]; then no-such-tell <ip> | tr a b; fi\n";
    put(folder.path(), "f2b/action.d/a.conf", action);
    let tree = folder.path().join("f2b");
    let (said, _) = says(&["check", "--fail2ban", text(&tree)]);
    let line = "warning: action a of jail one: no-such-tell is not installed\n";
    assert!(said.contains(line) && said.matches("not installed").count() == 1, "{said}");
    let (said, _) = says(&["check", "--fail2ban", text(&tree), "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["programs"][0]["program"], "no-such-tell");
}

#[test]
fn check_is_no_success_when_nothing_would_be_guarded() {
    let folder = folder();
    let conf = put(folder.path(), "s.toml", "[jail.sshd]\n");
    let (said, code) = says(&["check", "--config", text(&conf)]);
    assert!(said.ends_with("No jail is enabled: nothing would be guarded.\n1 problem\n"), "{said}");
    assert_eq!(code, 1);
    let long = put(folder.path(), "long.toml", "# x\n".repeat(2 << 20));
    let (said, _) = complains(&["check", "--config", text(&long)]);
    assert!(said.contains("has more than 4 MiB; split it"), "{said}");
}

#[test]
fn keys_are_private_and_what_is_above_them_is_not() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let into = folder.path().join("etc/sereno/doors");
    let args = ["door", "keygen", "home", "--into", text(&into)];
    assert_eq!(says(&args).1, 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(into.parent().unwrap()), 0o755);
    assert_eq!((mode(&into), mode(&into.join("home.access"))), (0o700, 0o600));
    let (said, code) = complains(&args);
    assert!(said.contains("home.access is there already, and nothing that is there is"), "{said}");
    assert_eq!(code, 1);
}

#[test]
fn check_warns_of_sequences_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let once = put(folder.path(), "ssh.once", "7311,2904,5127\n");
    let conf = format!("[door.ssh]\nports = \"tcp/22\"\nonce = \"{}\"\n", once.display());
    let conf = put(folder.path(), "s.toml", conf);
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&once, fs::Permissions::from_mode(mode)).unwrap();
        let (said, code) = says(&["check", "--config", text(&conf)]);
        let found = said.contains("others can read or write these sequences (mode 644)");
        assert_eq!((found, code), (warned, 0), "{said}");
        let spanish = |more: &[&str]| {
            let mut command = sereno(&[&["check", "--config", text(&conf)], more].concat());
            let out = command.env("LC_ALL", "es_ES.UTF-8").output().unwrap();
            String::from_utf8(out.stdout).unwrap()
        };
        let found = spanish(&[])
            .contains("aviso: otros pueden leer o escribir estas secuencias (modo 644)");
        assert_eq!(found, warned && spanish(&[]).contains("remedio: chmod 600"));
        assert_eq!(spanish(&["--json"]).contains("others can read"), warned);
    }
}

#[test]
fn init_writes_what_check_accepts_and_replaces_nothing_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let to = folder.path().join("etc/sereno.toml");
    let args = ["init", "--root", text(folder.path()), "--to", text(&to)];
    let (said, code) = says(&args);
    let expected =
        format!("Wrote {}. sereno check proves it, sereno run starts guarding.\n", to.display());
    assert_eq!((said, code), (expected, 0));
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(says(&["check", "--config", text(&to)]).1, 0);
    fs::write(&to, "ignoreip = []\n").unwrap();
    let expected = (format!("sereno: {} is there already; --force replaces it\n", to.display()), 1);
    assert_eq!(complains(&args), expected);
    assert_eq!(fs::read_to_string(&to).unwrap(), "ignoreip = []\n");
    assert_eq!(says(&[&args[..], &["--force"]].concat()).1, 0);
    assert!(fs::read_to_string(&to).unwrap().starts_with("# Sereno"));
    assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
    let (said, code) = says(&["init", "--root", text(folder.path()), "--to", "-"]);
    assert!(said.starts_with("# Sereno") && code == 0);
    assert_eq!(says(&["init", "--root", text(folder.path())]).1, 0);
    assert!(folder.path().join("etc/sereno/sereno.toml").exists());
}

#[test]
fn the_shell_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (said, code) = says(&["completion", shell]);
        assert!(said.contains("replay") && code == 0, "{shell}");
    }
    let (said, code) = says(&["man"]);
    assert!(said.contains(".TH sereno 1") && code == 0, "{said}");
    let folder = folder();
    assert_eq!(says(&["man", "--to", text(folder.path())]), (String::new(), 0));
    for page in [
        "sereno",
        "sereno-scan",
        "sereno-replay",
        "sereno-rules-test",
        "sereno-why",
        "sereno-knock",
    ] {
        assert!(folder.path().join(format!("{page}.1")).exists(), "{page}");
    }
}

#[test]
fn check_knows_the_zones_of_this_machine() {
    let folder = folder();
    let jail = "[jail.sshd]\nlogpath = [\"/var/log/auth.log\"]\n";
    let config =
        put(folder.path(), "a.toml", format!("[sereno]\ntimezone = \"Nowhere/Land\"\n{jail}"));
    let (said, code) = says(&["check", "--config", text(&config)]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("a.toml:2:12: "), "{said}");
    assert!(said.contains("Nowhere/Land") && said.contains("remedy: "), "{said}");
    let config = put(folder.path(), "b.toml", format!("[sereno]\ntimezone = \"UTC\"\n{jail}"));
    assert_eq!(says(&["check", "--config", text(&config)]).1, 0);
}
