//! `fail2ban-regex`: called by this name, beside the real one on the same logs.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SAMPLES: &str = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs";
const AUTH: &str = "\
Nov 22 10:00:00 pbx systemd[1]: Started Session 7 of User deploy.
Nov 22 10:00:01 pbx sshd[101]: Failed password for root from 203.0.113.9 port 51001 ssh2
Nov 22 10:00:02 pbx sshd[102]: Failed password for invalid user admin from 203.0.113.9 port 51002 ssh2
Nov 22 10:00:03 pbx sshd[103]: Accepted publickey for deploy from 198.51.100.4 port 51003 ssh2: ED25519 SHA256:abc
Nov 22 10:00:04 pbx sshd[104]: Invalid user test from 192.0.2.7 port 51004
Nov 22 10:00:05 pbx sshd[104]: Connection closed by invalid user test 192.0.2.7 port 51004 [preauth]
Nov 22 10:00:06 pbx sshd[105]: Invalid user x from 2001:db8::7 port 51005

# a remark
Nov 22 10:00:07 pbx sshd[106]: error: maximum authentication attempts exceeded for root from 192.0.2.8 port 5 ssh2 [preauth]
";

/// What a program says that is the same whenever it is called: not how long it took, not the
/// prefregex, which the real one shows translated, and not what that captured.
fn steady(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = Vec::new();
    let mut prefix = false;
    for line in said.lines() {
        if line.starts_with("[processed in ") || prefix {
            prefix &= line != "`-";
            continue;
        }
        lines.push(line);
        prefix = line.starts_with("Prefregex: ");
    }
    lines.join("\n")
}

struct Pair {
    folder: tempfile::TempDir,
}

impl Pair {
    fn new() -> Option<Self> {
        let real = Command::new("fail2ban-regex").arg("--version").output();
        if !real.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("1.0.2")) {
            println!("skipped: fail2ban-regex 1.0.2 is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_sereno"), folder.path().join("fail2ban-regex")).unwrap();
        fs::write(folder.path().join("auth.log"), AUTH).unwrap();
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn ask(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command
            .args(args)
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.folder.path());
        command.output().unwrap()
    }

    fn ours(&self, args: &[&str]) -> Output {
        self.ask(&self.folder.path().join("fail2ban-regex"), args)
    }

    fn compare(&self, args: &[&str]) {
        let (ours, real) = (self.ours(args), self.ask(Path::new("fail2ban-regex"), args));
        let told = String::from_utf8_lossy(&real.stderr).into_owned();
        assert!(!told.contains("Traceback"), "{args:?}\n{told}");
        assert_eq!(steady(&ours), steady(&real), "{args:?}");
        assert_eq!(ours.status.code(), real.status.code(), "{args:?}");
    }
}

/// Entries of a journal, in systemd's export format, as `systemd-journal-remote` takes them.
const ENTRIES: [(&str, u32, &str); 5] = [
    ("sshd", 42, "Failed password for root from 203.0.113.9 port 51001 ssh2"),
    ("sshd", 43, "Accepted publickey for deploy from 198.51.100.4 port 51003 ssh2"),
    ("sshd", 44, "Invalid user test from 192.0.2.7 port 51004"),
    ("cron", 9, "started"),
    ("sshd", 45, "Failed password for x from 2001:db8::7 port 5 ssh2"),
];

/// Makes a journal in a folder; false when the program for it is missing.
fn journal(folder: &Path) -> bool {
    const REMOTE: &str = "/usr/lib/systemd/systemd-journal-remote";
    if !Path::new(REMOTE).exists() {
        println!("skipped: systemd-journal-remote is not installed");
        return false;
    }
    let entry = |(at, (name, pid, message)): (usize, &(&str, u32, &str))| {
        let micros = 1_700_000_000_000_000 + at * 1_000_000;
        format!(
            "__REALTIME_TIMESTAMP={micros}\n__MONOTONIC_TIMESTAMP={at}\n_HOSTNAME=pbx\n_PID={pid}\n\
             _BOOT_ID=2123456789abcdef0123456789abcdef\n_COMM={name}\n_UID=0\n\
             _SYSTEMD_UNIT={name}.service\nSYSLOG_IDENTIFIER={name}\nMESSAGE={message}\n\n"
        )
    };
    let entries: String = ENTRIES.iter().enumerate().map(entry).collect();
    let mut child = Command::new(REMOTE)
        .args(["-o", "system.journal", "-"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_journal() {
    let Some(pair) = Pair::new() else { return };
    let folder = pair.folder.path().join("journal");
    fs::create_dir(&folder).unwrap();
    if !journal(&folder) {
        return;
    }
    let log = format!("systemd-journal[journalpath={}, journalflags=0]", folder.display());
    let regex = "^\\s*\\S+ \\S+ Invalid user \\S+ from <HOST>";
    for (options, sought) in [
        (&["--print-all-matched", "--print-all-missed"][..], "sshd"),
        (&["-m", "_SYSTEMD_UNIT=sshd.service + _COMM='cron'", "--print-all-missed"], "sshd"),
        (&["-m", "_COMM=nobody"], "sshd"),
        (&["-v"], regex),
        (&["-o", "<time> <ip> <F-USER>"], "sshd"),
    ] {
        let args: Vec<&str> = options.iter().copied().chain([log.as_str(), sought]).collect();
        pair.compare(&args);
    }
    let all = pair.ours(&["--print-all-matched", &log, "sshd"]);
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(all.contains("\nLines: 4 lines, 1 ignored, 3 matched, 0 missed\n"), "{all}");
    for wrong in ["systemd-journal[nix=1]", "systemd-journalx"] {
        assert!(!pair.ours(&[wrong, "sshd"]).status.success(), "{wrong}");
    }
}

#[test]
fn characters() {
    let Some(pair) = Pair::new() else { return };
    let line = b"2024-03-01 10:00:00 usuario \xf1and\xfa \xa4\x80\x81 de 203.0.113.5\n";
    fs::write(pair.folder.path().join("bytes.log"), line).unwrap();
    for encoding in ["latin-1", "ISO_8859-15", "Windows-1252", "cp437", "koi8-r", "ascii", "utf-8"]
    {
        for regex in ["usuario ñandú ¤\\S+ de <HOST>$", "usuario ñandú €\\S+ de <HOST>$", "<HOST>$"]
        {
            pair.compare(&[
                "-e",
                encoding,
                "--print-all-matched",
                "--print-all-missed",
                "bytes.log",
                regex,
            ]);
        }
    }
    let failed = |args: &[&str]| !pair.ours(args).status.success();
    assert!(failed(&["-e", "nix", "bytes.log", "<HOST>"]));
}

#[test]
fn filters_and_logs() {
    let Some(pair) = Pair::new() else { return };
    for options in [
        &[][..],
        &["-v"],
        &["--verbosity=1", "-r"],
        &["--print-all-matched", "--print-all-missed"],
        &["--print-all-ignored", "--print-no-missed"],
        &["--print-no-ig"],
        &["--no-check-all", "--usedns=no"],
        &["-l", "error", "-t"],
        &["-L1"],
        &["-L", "2", "--print-all-matched"],
        &["-o", "id"],
        &["-o", "ip"],
        &["-omsg"],
        &["--out=user"],
        &["-o", "nix"],
        &["-o", "<ip> <F-USER> <time> <F-NIX> <nix> <fid>"],
        &["-o", "<ip> <msg>"],
        &["-o", "<family>|<matches>|<br>"],
        &["-d", "%b %d %H:%M:%S"],
        &["-d", "{NONE}", "-v"],
        &["-e", "latin-1"],
        &["-m", "_A=b"],
    ] {
        for filter in ["sshd", "sshd[mode=aggressive]"] {
            pair.compare(&[options, &["auth.log", filter]].concat());
        }
    }
    pair.compare(&["auth.log", "sshd", "from 203\\.0\\.113\\.9", "--print-all-ignored"]);
}

#[test]
fn sample_logs() {
    let Some(pair) = Pair::new() else { return };
    for filter in [
        "asterisk",
        "sshd[mode=aggressive]",
        "dovecot",
        "postfix[mode=aggressive]",
        "recidive",
        "apache-auth",
        "named-refused",
        "mongodb-auth",
        "ejabberd-auth",
        "guacamole",
        "exim",
        "nginx-http-auth",
    ] {
        let log = format!("{SAMPLES}/{}", filter.split('[').next().unwrap());
        pair.compare(&["-r", &log, filter]);
        pair.compare(&["-r", "--print-all-missed", "--print-all-matched", &log, filter]);
    }
}

#[test]
fn expressions_and_lines() {
    let Some(pair) = Pair::new() else { return };
    let line = "Nov 22 10:00:01 pbx demo: wrong password for root from 203.0.113.9";
    fs::write(pair.path("own.conf"), "[Definition]\nfailregex = ^ pbx demo: .* from <HOST>$\n")
        .unwrap();
    for args in [
        &[line, "wrong password for <F-USER>\\S+</F-USER> from <HOST>$"][..],
        &[line, "nothing <HOST>"],
        &[line, "from <HOST>", "for root"],
        &[line, "from <HOST>", "for root", "--print-all-ignored"],
        &[line, "^ pbx demo", "-v"],
        &[line, "(x <HOST>"],
        &["a\nb from 192.0.2.1\nc", "from <HOST>"],
        &["a\nb\nc\nd\ne\nf from 192.0.2.1", "^e<SKIPLINES>f from <HOST>", "-L", "3"],
        &[
            "x from 192.0.2.1 at some time in a line that is longer than what is shown",
            "from <HOST>",
        ],
        &[line, "own.conf"],
        &[line, "./own.conf"],
        &[line, "nix[a=b]"],
        &[],
        &["-x", "a", "b"],
        &["--print", "a", "b"],
        &["-L", "x", "a", "b"],
        &["a", "b", "-o"],
        &["--version"],
        &["-V"],
    ] {
        let (ours, real) = (pair.ours(args), pair.ask(Path::new("fail2ban-regex"), args));
        assert_eq!(ours.status.code(), real.status.code(), "{args:?}");
        let prose = !matches!(ours.status.code(), Some(0));
        if !prose {
            assert_eq!(steady(&ours), steady(&real), "{args:?}");
        }
    }
}

#[test]
fn links_for_debugging() {
    let Some(pair) = Pair::new() else { return };
    let said = steady(&pair.ours(&["-D", "x from 192.0.2.1", "y <HOST>"]));
    let row = "|  x from 192.0.2.1 | y <HOST> |  https://www.debuggex.com/?re=y+%3CHOST%3E&str=x+from+192.0.2.1&flavor=python";
    assert!(said.contains(row), "{said}");
}
