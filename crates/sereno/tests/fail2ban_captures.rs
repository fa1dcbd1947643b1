//! What a filter captured, as commands are told it: beside the real server, from the same lines.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a test that cannot go on fails, and says what it skips"
)]

mod host;
mod program;

use host::{ours, real, tree};
use program::Home;
use std::collections::BTreeSet;
use std::fs;

const JAILS: &str = "[DEFAULT]
backend = polling
enabled = true
action = tell
findtime = 10m
bantime = 1h
maxretry = 2
[sshd]
filter = sshd
logpath = @DIR@/auth.log
[shop]
filter = shop
logpath = @DIR@/shop.log
maxmatches = 1
[pair]
filter = pair
logpath = @DIR@/pair.log
";
// In one write: two jails may tell at the same time.
const TELL: &str = "[Definition]
actionban = printf '%%s|%%s|%%s|%%s|%%s|%%s|%%s|%%s|%%s|%%s|\\n' '<name>' \"<ip>\" \"<F-USER>\" \"<F-PORT>\" \"<F-IP4>\" \"<F-IP6>\" \"<F-DNS>\" \"<F-WHAT>\" \"<F-NIX>\" \"<F-ALT_USER>\" >> @DIR@/told
";
const SHOP: &str = "[Definition]
failregex = ^\\s*shop: <F-WHAT>\\w+</F-WHAT> login of '<F-USER>.*</F-USER>'(?: or '<F-ALT_USER>.*</F-ALT_USER>')? from <HOST>(?: port <F-PORT/>)?$
datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S
";
const PAIR: &str = "[Definition]
failregex = ^\\s*begin (?P<user>\\S+)<SKIPLINES>^\\s*end <HOST>$
maxlines = 3
datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S
";

fn home() -> Option<Home> {
    let home = Home::new("");
    for log in ["auth.log", "shop.log", "pair.log", "fail2ban.log"] {
        home.append(log, "");
    }
    tree(home.folder(), JAILS)?;
    let write = |name: &str, text: &str| {
        let text = text.replace("@DIR@", home.folder().to_str().unwrap());
        fs::write(home.path("f2b").join(name), text).unwrap();
    };
    write("action.d/tell.conf", TELL);
    write("filter.d/shop.conf", SHOP);
    write("filter.d/pair.conf", PAIR);
    Some(home)
}

/// Whoever is banned fails twice, and says something else the second time.
fn attack(home: &Home) {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let at = now.strftime("%b %d %H:%M:%S").to_string();
    let ssh =
        |pid: u32, text: &str| home.append("auth.log", &format!("{at} pbx sshd[{pid}]: {text}\n"));
    for (pid, user) in [(1, "first"), (2, "root")] {
        ssh(pid, &format!("Failed password for {user} from 192.0.2.1 port 4{pid} ssh2"));
    }
    // The name stands in another line of the session.
    for pid in [11, 12] {
        ssh(pid, &format!("Invalid user name{pid} from 192.0.2.2 port 5{pid}"));
        ssh(pid, "Connection closed by 192.0.2.2 port 555 [preauth]");
    }
    for pid in [21, 22] {
        ssh(pid, "Accepted publickey for good from 192.0.2.9 port 7 ssh2");
        ssh(
            pid,
            &format!("Failed password for invalid user x{pid} from 2001:db8:7::1 port 9{pid} ssh2"),
        );
    }
    let at = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
    for line in [
        "bad login of 'anna' from 192.0.2.3 port 99",
        "worse login of 'b c' from 192.0.2.3",
        "bad login of '' or 'other' from 192.0.2.4",
        "bad login of '' or 'other' from 192.0.2.4",
        "bad login of '$(id)`id`;\"\\n<ip> <F-WHAT>' from 192.0.2.5",
        "bad login of '$(id)`id`;\"\\n<ip> <F-WHAT> ñ %s' from 192.0.2.5",
    ] {
        home.append("shop.log", &format!("{at} shop: {line}\n"));
    }
    for user in ["one", "two"] {
        home.append("pair.log", &format!("{at} begin {user}\n{at} other\n{at} end 192.0.2.6\n"));
    }
}

fn told(home: &Home) -> BTreeSet<String> {
    let text = fs::read_to_string(home.path("told")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn commands_are_told_what_the_real_one_tells_them() {
    if !program::own_network() {
        return;
    }
    let (Some(theirs), Some(own)) = (home(), home()) else { return };
    let _servers = (real(&theirs), ours(&own, &[]));
    attack(&theirs);
    attack(&own);
    for home in [&theirs, &own] {
        home.until(|home| told(home).len() >= 7);
    }
    assert_eq!(told(&own), told(&theirs));
    println!("{:#?}", told(&own));
}

/// A capture is never an option of a program, however long, and never too long for one.
#[test]
fn captures_are_data_and_bounded() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home() else { return };
    let _ours = ours(&home, &[]);
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let at = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let long = "x".repeat(20_000);
    for user in ["-rf /", "--", &long] {
        let line = format!("{at} shop: bad login of '{user}' from 192.0.2.{}\n", user.len() % 100);
        home.append("shop.log", &line.repeat(2));
    }
    home.until(|home| told(home).len() == 3);
    let told = told(&home);
    let user = |line: &String| line.split('|').nth(2).unwrap().to_owned();
    let users: BTreeSet<String> = told.iter().map(user).collect();
    assert!(users.contains(" -rf /") && users.contains(" --"), "{users:?}");
    let longest = users.iter().map(String::len).max().unwrap();
    assert!(longest > 100 && longest <= 64 << 10, "{longest}");
}
