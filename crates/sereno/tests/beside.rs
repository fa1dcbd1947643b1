//! fail2ban's server and Sereno, with the same configuration on the same growing logs: they ban the
//! same addresses.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on says where")]

mod program;

use program::Home;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What each log gets for a failure of `ADDR`, and the jail that reads it. `%..` is the time.
const SERVICES: [(&str, &str, &str); 8] = [
    ("sshd", "auth.log", "%b %e %T pbx sshd[PID]: Failed password for root from ADDR port 5 ssh2"),
    (
        "asterisk",
        "full",
        "[%F %T] NOTICE[PID] chan_sip.c: Registration from '\"1\" <sip:1@h>' failed for 'ADDR:5060' - Wrong password",
    ),
    (
        "asterisk",
        "full",
        "[%F %T] SECURITY[PID] res_security_log.c: SecurityEvent=\"InvalidPassword\",EventTV=\"2026-11-18T11:06:40.123+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"2\",AccountID=\"1\",SessionID=\"s\",LocalAddress=\"IPV4/UDP/10.0.0.1/5060\",RemoteAddress=\"IPV4/UDP/ADDR/5060\",Challenge=\"c\",ReceivedChallenge=\"c\",ReceivedHash=\"h\"",
    ),
    (
        "postfix",
        "mail.log",
        "%b %e %T m postfix/smtpd[PID]: NOQUEUE: reject: RCPT from unknown[ADDR]: 554 5.7.1 <x@y>: Relay access denied; from=<a@b> to=<x@y> proto=ESMTP helo=<h>",
    ),
    (
        "dovecot",
        "mail.log",
        "%b %e %T m dovecot: imap-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<u>, method=PLAIN, rip=ADDR, lip=10.0.0.1, session=<s>",
    ),
    (
        "nginx-http-auth",
        "nginx.log",
        "%Y/%m/%d %T [error] PID#PID: *1 user \"x\" was not found in \"/p\", client: ADDR, server: s, request: \"GET / HTTP/1.1\", host: \"h\"",
    ),
    (
        "apache-auth",
        "apache.log",
        "[%a %b %d %T.123456 %Y] [auth_basic:error] [pid PID] [client ADDR:50999] AH01618: user x not found: /p",
    ),
    ("recidive", "bans.log", "%F %T,123 fail2ban.actions        [PID]: NOTICE  [sshd] Ban ADDR"),
];

const JAILS: &str = "[DEFAULT]
backend = polling
bantime = 1h
findtime = 10m
maxretry = 4
banaction = nothing
banaction_allports = nothing
action = nothing
ignoreip = 198.18.7.7
";

/// fail2ban's server in a folder, stopped at the end.
struct Server<'h>(&'h Home, Child);

impl Server<'_> {
    fn ask(&self, words: &[&str]) -> String {
        let out = client(self.0).args(words).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.ask(&["stop"]);
        let _ = self.1.kill();
        let _ = self.1.wait();
    }
}

fn client(home: &Home) -> Command {
    let mut command = Command::new("fail2ban-client");
    command.arg("-c").arg(home.path("tree")).arg("-s").arg(home.path("f2b.sock"));
    command.arg("-p").arg(home.path("f2b.pid"));
    command
}

/// The same random numbers each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn the_same_addresses_are_banned() {
    if Command::new("fail2ban-server").arg("--version").output().is_err() {
        println!("skipped: fail2ban is not installed");
        return;
    }
    let home = Home::new("");
    tree(&home);
    let run = home.run(&[]).arg("--observe").arg("--fail2ban").arg(home.path("tree")).spawn();
    let guard = program::Guard::wait_for(home, run.unwrap());
    let mut server = client(&guard);
    server.args(["-f", "start"]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server(&guard, server.spawn().unwrap());
    guard.until(|_| server.ask(&["ping"]).contains("pong"));
    guard.until(|_| server.ask(&["status"]).contains("recidive"));
    let attackers = attack(&guard);

    let start = Instant::now();
    let mut before = None;
    loop {
        let (theirs, ours) = (theirs(&server), ours(&guard));
        let settled = before.as_ref() == Some(&theirs);
        if theirs == ours && settled {
            println!("{} bans of {attackers} attackers in {} jails", ours.len(), jails().len());
            assert!(ours.len() > 100, "{ours:?}");
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(25),
            "only fail2ban: {:?}\nonly Sereno: {:?}",
            theirs.difference(&ours).collect::<Vec<_>>(),
            ours.difference(&theirs).collect::<Vec<_>>()
        );
        before = Some(theirs);
        std::thread::sleep(Duration::from_millis(2_500));
    }
}

fn jails() -> BTreeSet<&'static str> {
    SERVICES.iter().map(|(jail, _, _)| *jail).collect()
}

/// Debian's configuration with our jails, none of which does anything.
fn tree(home: &Home) {
    let tree = home.path("tree");
    let copied = Command::new("cp").args(["-r", "/etc/fail2ban"]).arg(&tree).status().unwrap();
    assert!(copied.success());
    let _ = fs::remove_dir_all(tree.join("jail.d"));
    fs::write(tree.join("action.d/nothing.conf"), "[Definition]\nactionban = true\n").unwrap();
    let folder = home.folder().display();
    fs::write(
        tree.join("fail2ban.local"),
        format!("[Definition]\nlogtarget = {folder}/f2b.log\ndbfile = None\n"),
    )
    .unwrap();
    let mut text = JAILS.to_owned();
    for jail in jails() {
        let log = SERVICES.iter().find(|(name, _, _)| *name == jail).unwrap().1;
        text += &format!("[{jail}]\nenabled = true\nlogpath = {folder}/{log}\n");
        if jail == "recidive" {
            text += "bantime = 1h\nfindtime = 10m\n";
        }
    }
    fs::write(tree.join("jail.local"), text).unwrap();
    for (_, log, _) in SERVICES {
        home.append(log, "");
    }
}

/// Hundreds of attackers, of whom some stop in time, all at once.
fn attack(home: &Home) -> usize {
    let mut dice = Dice(7);
    let attackers: Vec<String> = (0..60)
        .map(|n| format!("203.0.113.{}", n + 1))
        .chain((0..20).map(|n| format!("2001:db8:{n:x}:7::{:x}", n + 1)))
        .chain(["198.18.7.7".to_owned()])
        .collect();
    let mut tries: Vec<(usize, usize)> = Vec::new();
    for who in 0..attackers.len() {
        for service in 0..SERVICES.len() {
            let many = dice.roll(7);
            tries.extend((0..many).map(|_| (service, who)));
        }
    }
    for at in (1..tries.len()).rev() {
        tries.swap(at, dice.roll(at as u64 + 1) as usize);
    }
    for (round, some) in tries.chunks(tries.len() / 10 + 1).enumerate() {
        for (n, (service, who)) in some.iter().enumerate() {
            let (_, log, form) = SERVICES[*service];
            let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
            let text = form.replace("PID", &(1_000 + round * 1_000 + n).to_string());
            let text = now.strftime(&text).to_string();
            let addr = &attackers[*who];
            let bare = addr.contains(':') && text.contains("'ADDR:");
            let text = text.replace("ADDR", &if bare { format!("[{addr}]") } else { addr.clone() });
            home.append(log, &(text + "\n"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    attackers.len()
}

/// What fail2ban banned: jail and address. IPv6 as its network, which is what Sereno bans.
fn theirs(server: &Server<'_>) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for jail in jails() {
        for addr in server.ask(&["get", jail, "banip"]).split_whitespace() {
            let addr = match addr.split_once("::") {
                Some((network, _)) => format!("{network}::/64"),
                None => addr.to_owned(),
            };
            all.insert((jail.to_owned(), addr));
        }
    }
    all
}

fn ours(home: &Home) -> BTreeSet<(String, String)> {
    let bans = home.json(&["bans", "--json"]);
    let text = |ban: &serde_json::Value, key: &str| ban[key].as_str().unwrap().to_owned();
    bans.as_array().unwrap().iter().map(|ban| (text(ban, "jail"), text(ban, "addr"))).collect()
}
