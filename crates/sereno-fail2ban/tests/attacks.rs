//! Lines that attackers write, read with the filters of Debian's fail2ban in place: whom they
//! accuse, and how long that takes. The peer's own history and what was tried against its rivals.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test reads files, asks a clock, and says what it saw"
)]

#[allow(dead_code, reason = "not every test needs all of it")]
mod common;

use common::Disk;
use jiff::tz::TimeZone;
use sereno_core::filter::{Filter, Scan, Who};
use sereno_core::time::Time;
use sereno_fail2ban::{Compiler, filter};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NOW: Time = Time(1_795_000_000_000_000);
const VICTIM: &str = "192.0.2.1";
const ATTACKER: &str = "203.0.113.66";

/// A stock filter; says so if it is not there.
fn stock(written: &str) -> Option<Arc<Filter>> {
    if std::fs::metadata("/etc/fail2ban/filter.d/sshd.conf").is_err() {
        println!("skipped: fail2ban's filters are not installed");
        return None;
    }
    let tree = filter(&Disk, "/etc/fail2ban", written, "auto");
    // As the guard does.
    let mut compiler = Compiler::new(TimeZone::UTC, |_| None, NOW)
        .with_witness(sereno_config::shipped_rule("sshd"));
    Some(compiler.jail(&tree, &tree.jails[0]).filter.expect(written))
}

/// Who is accused how often by these lines, by address or name.
fn accused(filter: &Arc<Filter>, lines: &[String]) -> BTreeMap<String, usize> {
    let mut scan = Scan::new();
    scan.add(Arc::clone(filter), false);
    let mut all = BTreeMap::new();
    scan.read(lines.join("\n").as_bytes(), NOW, &mut |_, finding| {
        let who = match finding.who {
            Who::Prefix(prefix) => prefix.to_string(),
            Who::Named(name) | Who::Other(name) => name.clone(),
            Who::Pending => return,
        };
        *all.entry(who).or_default() += 1;
    });
    all
}

/// What sshd writes of somebody who calls himself `user`, from before to behind his visit.
fn visit(user: &str, addr: &str) -> Vec<String> {
    [
        format!("Failed publickey for invalid user {user} from {addr} port 4711 ssh2: RSA-CERT SHA256:abc ID x from {VICTIM} port 22 ssh2: (serial 0) CA RSA SHA256:x"),
        format!("Invalid user {user} from {addr} port 4711"),
        format!("Failed none for invalid user {user} from {addr} port 4711 ssh2"),
        format!("Failed publickey for invalid user {user} from {addr} port 4711 ssh2: RSA SHA256:abc"),
        format!("Failed password for invalid user {user} from {addr} port 4711 ssh2"),
        format!("error: maximum authentication attempts exceeded for invalid user {user} from {addr} port 4711 ssh2 [preauth]"),
        format!("User {user} from {addr} not allowed because not listed in AllowUsers"),
        format!("Disconnecting invalid user {user} {addr} port 4711: Too many authentication failures [preauth]"),
        "Disconnecting: Too many authentication failures [preauth]".to_owned(),
        format!("Disconnected from invalid user {user} {addr} port 4711 [preauth]"),
        format!("Connection closed by invalid user {user} {addr} port 4711 [preauth]"),
        format!("Connection reset by authenticating user {user} {addr} port 4711 [preauth]"),
    ]
    .iter()
    .map(|text| sshd(text))
    .collect()
}

#[test]
fn no_name_of_a_user_accuses_another_address() {
    let v = VICTIM;
    let tails = [
        "",
        " port 1",
        " on",
        " port 1 on",
        " port 1 ssh2",
        " on y",
        " [preauth]",
        " not allowed because not listed in AllowUsers",
        ": ",
        ": 11:",
        " ssh2: RSA SHA256:x",
        " port 1:11: [preauth]",
    ];
    let joints = ["x from ", "x ", "from ", "", "x user=y rhost=", "x by "];
    for mode in ["sshd", "sshd[mode=aggressive]", "sshd[publickey=any]"] {
        let Some(filter) = stock(mode) else { return };
        for (joint, tail) in joints.iter().flat_map(|j| tails.iter().map(move |t| (j, t))) {
            let lines = visit(&format!("{joint}{v}{tail}"), ATTACKER);
            let found = accused(&filter, &lines);
            assert!(!found.contains_key(v), "{mode}: {joint}{v}{tail} accuses {found:?}");
            // Nor does it hide him.
            assert!(
                found.get(ATTACKER).is_some_and(|times| *times >= 2),
                "{mode}: {joint}{tail} {found:?}"
            );
            for line in lines {
                let found = accused(&filter, std::slice::from_ref(&line));
                assert!(!found.contains_key(v), "{mode}: {line} accuses {found:?}");
            }
        }
    }
}

#[test]
fn addresses_that_are_not_the_strangers_are_counted() {
    let Some(filter) = stock("sshd[mode=aggressive]") else { return };
    let mut scan = Scan::new();
    scan.add(filter, false);
    let mut found = Vec::new();
    let line =
        format!("Connection closed by invalid user x {VICTIM} on {ATTACKER} port 4711 [preauth]");
    let mut note = |_: usize, one: &sereno_core::filter::Finding<'_>| found.push(one.who.clone());
    scan.line(sshd(&line).as_bytes(), NOW, &mut note);
    // The journal has the same line, and no date.
    scan.entry(format!("pbx sshd[4712]: {line}").as_bytes(), NOW, &mut note);
    assert_eq!(found, vec![Who::Prefix(ATTACKER.parse().unwrap()); 2]);
    assert_eq!((scan.counts(0).matched, scan.counts(0).forged), (2, 2));
}

fn sshd(text: &str) -> String {
    format!("Nov 18 11:06:40 pbx sshd[4711]: {text}")
}

#[test]
fn nobody_is_banned_by_what_another_writes_into_sshd() {
    let Some(filter) = stock("sshd[mode=aggressive]") else { return };
    let (v, a) = (VICTIM, ATTACKER);
    let lines = [
        format!("Failed password for invalid user x from {v} port 1 ssh2 from {a} port 22 ssh2"),
        format!("Failed password for invalid user x from {v} from {a} port 22 ssh2"),
        format!("Invalid user x from {v} port 22 from {a} port 4711"),
        format!("Invalid user {v} from {a} port 4711"),
        format!("Bad protocol version identification 'x from {v}' from {a} port 4711"),
        format!("Bad protocol version identification '' from {v}' from {a} port 4711"),
        format!("Connection closed by authenticating user x {v} port 22 {a} port 4711 [preauth]"),
        format!("User x from {v} not allowed because not listed in AllowUsers from {a}"),
        format!("Disconnected from invalid user x {v} port 1 {a} port 2 [preauth]"),
        format!("error: PAM: Authentication failure for x from {v} from {a}"),
        format!(
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh \
             ruser=x rhost={v} rhost={a}  user=y"
        ),
    ];
    for line in lines {
        let found = accused(&filter, &[sshd(&line)]);
        assert!(!found.contains_key(v), "{line} accuses {found:?}");
    }
    // And those who are meant are found.
    let plain = sshd(&format!("Failed password for invalid user x from {a} port 22 ssh2"));
    assert_eq!(accused(&filter, &[plain])[a], 1);
}

#[test]
fn lines_of_other_programs_accuse_nobody() {
    let Some(filter) = stock("sshd") else { return };
    let text = format!("Failed password for root from {VICTIM} port 22 ssh2");
    let lines = ["cron[1]", "app[77]", "xsshd[4711]", "kernel"]
        .map(|program| format!("Nov 18 11:06:40 pbx {program}: {text}"));
    assert!(accused(&filter, &lines).is_empty());
}

#[test]
fn nobody_is_banned_by_what_another_sends_to_other_services() {
    let (v, a) = (VICTIM, ATTACKER);
    let cases = [
        (
            "dovecot",
            format!(
                "Nov 18 11:06:40 m dovecot: imap-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<x, rip={v}>, method=PLAIN, rip={a}, lip=10.0.0.1"
            ),
        ),
        (
            "nginx-http-auth",
            format!(
                "2026/11/18 11:06:40 [error] 1#1: *1 user \"x was not found in, client: {v}\" was not found in \"/p\", client: {a}, server: s, request: \"GET / HTTP/1.1\", host: \"h\""
            ),
        ),
        (
            "postfix",
            format!(
                "Nov 18 11:06:40 m postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[{a}]: 554 5.7.1 <x[{v}]: 554 5.7.1 Relay access denied>: Relay access denied; from=<x[{v}]> to=<y> proto=ESMTP helo=<x[{v}]>"
            ),
        ),
        (
            "apache-auth",
            format!(
                "[Wed Nov 18 11:06:40 2026] [error] [client {a}] user x not found: /p, referer: http://x [client {v}] user y not found: /"
            ),
        ),
        (
            "apache-noscript",
            format!(
                "[Wed Nov 18 11:06:40 2026] [error] [client {a}] File does not exist: /x.php, referer: http://[client {v}] script '/x.php' not found or unable to stat"
            ),
        ),
        (
            "asterisk",
            format!(
                "[2026-11-18 11:06:40] NOTICE[1] chan_sip.c: Registration from '\"x' failed for '{v}:5060' - Wrong password\" <sip:x@h>' failed for '{a}:5060' - Wrong password"
            ),
        ),
        (
            "vsftpd",
            format!(
                "Nov 18 11:06:40 f vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x rhost={v} rhost={a}"
            ),
        ),
        (
            "roundcube-auth",
            format!(
                "[18-Nov-2026 11:06:40 +0000]: IMAP Error: Login failed for x from {v}. from {a}. AUTHENTICATE PLAIN: A0002 NO Login failed."
            ),
        ),
    ];
    for (name, line) in cases {
        let Some(filter) = stock(name) else { return };
        let found = accused(&filter, &[line]);
        assert!(!found.contains_key(v), "{name} accuses {found:?}");
    }
}

#[test]
fn a_name_that_holds_an_address_is_no_address() {
    let Some(filter) = stock("sshd") else { return };
    let text = format!("Failed password for root from {VICTIM}.evil.example port 22 ssh2");
    let found = accused(&filter, &[sshd(&text)]);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&format!("{VICTIM}.evil.example")]);
}

#[test]
fn a_name_is_known_by_its_end() {
    let spec = sereno_core::filter::Spec {
        failregex: vec!["^ no <HOST>"],
        names: false,
        ..Default::default()
    };
    let zone = sereno_core::filter::date::Zone::machine(TimeZone::UTC);
    let dates = sereno_core::filter::date::Detector::new(None, zone, NOW).unwrap();
    let filter = Arc::new(Filter::compile(&spec, Arc::new(dates)).unwrap());
    for name in [
        "192.0.2.1.7.example",
        "192.0.2.1-7.example.",
        "192.0.2.1.x",
        "192.0.2.1_7",
        "192.0.2.1.7-7.a.example",
    ] {
        let found = accused(&filter, &[format!("2026-11-18 11:06:40 no {name} so")]);
        assert_eq!(found.keys().collect::<Vec<_>>(), [name]);
    }
    for behind in [
        "",
        ".",
        ". So",
        ":25",
        ".4711",
        "-20261118T10",
        ", x.example",
        "/x.example",
        "]",
        "-7",
        ".4711: x.y",
    ] {
        let found = accused(&filter, &[format!("2026-11-18 11:06:40 no 192.0.2.1{behind}")]);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["192.0.2.1"], "{behind}");
    }
}

#[test]
fn lines_looked_at_together_are_bounded() {
    let spec = sereno_core::filter::Spec {
        failregex: vec!["^ open$<SKIPLINES>^ shut <HOST>$"],
        maxlines: u32::MAX,
        ..Default::default()
    };
    let zone = sereno_core::filter::date::Zone::machine(TimeZone::UTC);
    let dates = sereno_core::filter::date::Detector::new(None, zone, NOW).unwrap();
    let filter = Arc::new(Filter::compile(&spec, Arc::new(dates)).unwrap());
    let mut scan = Scan::new();
    scan.add(filter, false);
    let long = format!("2026-11-18 11:06:40 {}", "x".repeat(60_000));
    let lines = std::iter::repeat_n("2026-11-18 11:06:40 open", 2_000)
        .chain(std::iter::repeat_n(&*long, 40));
    for line in lines {
        scan.line(line.as_bytes(), NOW, &mut |_, _| {});
        let bytes: usize = scan.waiting(0).map(str::len).sum();
        assert!(scan.waiting(0).count() <= 1_000 && bytes <= 300_000, "{bytes} bytes");
    }
    let mut found = 0;
    for line in ["open", "x", "shut 192.0.2.1"] {
        scan.line(format!("2026-11-18 11:06:40 {line}").as_bytes(), NOW, &mut |_, _| found += 1);
    }
    assert_eq!(found, 1);
}

#[test]
fn interleaved_sessions_lose_no_failure() {
    let Some(filter) = stock("sshd") else { return };
    for sessions in [101, 5_000] {
        let line =
            |n: usize, text: &str| format!("Nov 18 11:06:40 pbx sshd[{}]: {text}", 10_000 + n);
        let who = |n: usize| format!("10.{}.{}.{}", 1 + n / 65_536, n / 256 % 256, n % 256);
        // The first line of each is a failure without an address; that comes after all others.
        let mut lines: Vec<String> = (0..sessions)
            .map(|n| line(n, "error: maximum authentication attempts exceeded for root"))
            .collect();
        lines.clear();
        lines.extend(
            (0..sessions).map(|n| {
                line(n, &format!("Connection from {} port 5 on 10.0.0.1 port 22", who(n)))
            }),
        );
        lines
            .extend((0..sessions).map(|n| {
                line(n, &format!("Failed password for root from {} port 5 ssh2", who(n)))
            }));
        lines.extend(
            (0..sessions)
                .map(|n| line(n, &format!("Connection closed by {} port 5 [preauth]", who(n)))),
        );
        let found = accused(&filter, &lines);
        let lost = (0..sessions).filter(|n| !found.contains_key(&who(*n))).count();
        assert_eq!(lost, 0, "of {sessions} sessions");
    }
}

#[test]
fn a_failure_waits_for_its_address_whatever_comes_between() {
    if std::fs::metadata("/etc/fail2ban/filter.d/sshd.conf").is_err() {
        println!("skipped: fail2ban's filters are not installed");
        return;
    }
    // A filter of our own: the address comes in a session's last line.
    let spec = sereno_core::filter::Spec {
        failregex: vec![
            r"^ ses\[<F-MLFID>\d+</F-MLFID>\] failed$",
            r"^ ses\[<F-MLFID>\d+</F-MLFID>\] was <HOST>$",
        ],
        names: false,
        ..Default::default()
    };
    let zone = sereno_core::filter::date::Zone::machine(TimeZone::UTC);
    let dates = sereno_core::filter::date::Detector::new(None, zone, NOW).unwrap();
    let filter = Arc::new(Filter::compile(&spec, Arc::new(dates)).unwrap());
    for sessions in [101_usize, 5_000] {
        let first = (0..sessions).map(|n| format!("2026-11-18 11:06:40 ses[{n}] failed"));
        let last = (0..sessions)
            .map(|n| format!("2026-11-18 11:06:41 ses[{n}] was 10.7.{}.{}", n / 250, n % 250));
        let found = accused(&filter, &first.chain(last).collect::<Vec<_>>());
        assert_eq!(found.len(), sessions);
    }
}

#[test]
fn no_line_takes_long() {
    let dovecot = |n: usize| {
        format!("Nov 18 11:06:40 m dovecot: imap-login: Disconnected{} (x", " a:".repeat(n))
    };
    let domino = |n: usize| format!("11/18/2026 11:06:40 AM smtp: {}x", "a ".repeat(n));
    let cases = [
        ("dovecot", dovecot(24)),
        ("dovecot", dovecot(15_000)),
        ("domino-smtp", domino(24)),
        ("domino-smtp", domino(15_000)),
        (
            "domino-smtp",
            format!(
                "[1:2-3] 11/18/2026 11:06:40 AM  SMTP Server: Authentication failed for user {}; connecting host x",
                "a ".repeat(15_000)
            ),
        ),
        (
            "freeswitch",
            format!("2026-11-18 11:06:40.123456 [WARNING] sofia_reg.c:1{}x", "\t".repeat(2_000)),
        ),
        ("recidive", format!("2026-11-18 11:06:40,123 fail2ban.actions{}x", "\t".repeat(2_000))),
        (
            "grafana",
            format!("t=2026-11-18T11:06:40+0000 lvl=eror msg=\"{}\" uname=x", "a=".repeat(6_000)),
        ),
        (
            "slapd",
            format!("Nov 18 11:06:40 l slapd[1]: conn=1 fd=1 {}", "conn=1 op=1 ".repeat(1_000)),
        ),
        ("sshd", sshd(&format!("Failed password for {} from", "x from ".repeat(8_000)))),
        (
            "asterisk",
            format!(
                "[2026-11-18 11:06:40] NOTICE[1] chan_sip.c: Registration from '{}",
                "' failed for '".repeat(4_000)
            ),
        ),
        (
            "apache-overflows",
            format!(
                "[Wed Nov 18 11:06:40 2026] [error] [client {ATTACKER}] Invalid method in request {}",
                "\\x00".repeat(15_000)
            ),
        ),
    ];
    for (name, line) in cases {
        let Some(filter) = stock(name) else { return };
        let mut scan = Scan::new();
        scan.add(filter, false);
        // The first line pays for what is made when it is first wanted.
        scan.line(line.get(..60).unwrap_or(&line).as_bytes(), NOW, &mut |_, _| {});
        let best = (0..3).map(|_| {
            let start = Instant::now();
            scan.line(line.as_bytes(), NOW, &mut |_, _| {});
            start.elapsed()
        });
        let best = best.min().unwrap_or_default();
        println!("{name:18} {:6} bytes {best:?}", line.len());
        let limit = Duration::from_millis(if line.len() > 4_096 { 100 } else { 5 });
        assert!(best < limit, "{name}: {best:?} for {} bytes", line.len());
    }
}
