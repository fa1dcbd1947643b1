//! The guard of a fail2ban configuration beside the real server: the same tree, the same lines,
//! the same commands.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it skips"
)]

mod host;
mod program;
mod starting;

use host::{ask, client, ours, quiet, real, tree};
use jiff::{SignedDuration, Zoned};
use program::Home;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// Three jails whose action does nothing.
const JAILS: &str = "[DEFAULT]
backend = polling
enabled = true
action = noop[name=%(__name__)s]
findtime = 10m
bantime = 1h
maxretry = 3
ignoreip = 127.0.0.1/8 203.0.113.9
[sshd]
filter = sshd
logpath = @DIR@/auth.log
[asterisk]
filter = asterisk
logpath = @DIR@/messages
maxretry = 4
[Web.Shop]
filter = shop
logpath = @DIR@/shop-a.log
          @DIR@/shop-b.log
bantime = -1
";

/// What is asked of both, in this order. Behind `~` the answers differ on purpose and are
/// not compared.
const COMMANDS: &str = "ping
version
echo a b
status
status sshd
status asterisk
status Web.Shop
status sshd short
status nix
banned
banned 198.51.100.7
banned 198.51.100.7 198.51.100.15 1.2.3.4
get sshd banned
get sshd banned 198.51.100.7
get sshd banip
get asterisk maxretry
get asterisk findtime
get asterisk bantime
get Web.Shop bantime
get sshd ignoreip
get sshd ignoreself
get sshd ignorecommand
get sshd logpath
get Web.Shop logpath
get sshd logencoding
get sshd usedns
get sshd maxlines
get sshd maxmatches
get sshd datepattern
get Web.Shop datepattern
~ get Web.Shop failregex
get sshd ignoreregex
get sshd journalmatch
get sshd actions
get sshd actionproperties noop
get sshd actionmethods noop
get sshd action noop actionban
get sshd action nix actionban
get loglevel
get logtarget
get syslogsocket
get dbfile
get dbpurgeage
get dbmaxmatches
get nix maxretry
set sshd maxretry 5
get sshd maxretry
set sshd findtime 20m
set sshd bantime 2h
set sshd bantime.increment true
get sshd bantime.increment
set sshd bantime.increment false
set sshd addignoreip 10.9.0.0/16
set sshd delignoreip 10.9.0.0/16
set sshd delignoreip 10.9.0.0/16
set sshd banip 203.0.113.1
set sshd banip 203.0.113.1 203.0.113.2
get sshd banip
get sshd banip ,
status sshd
banned 203.0.113.1
set sshd unbanip 203.0.113.2
set sshd unbanip 203.0.113.2
set sshd unbanip --report-absent 203.0.113.2
set Web.Shop banip 198.18.7.0/24 198.18.7.1
status Web.Shop
unban 198.18.7.0/24
unban 198.18.7.1
status Web.Shop
status sshd
set sshd attempt 203.0.113.50
status sshd
set asterisk attempt 203.0.113.51 a b c d
get asterisk banip
status asterisk
set sshd nix 1
nix
set nix banip 1.2.3.4
set loglevel NOTICE
set loglevel quatsch
get loglevel
set dbpurgeage 2d
flushlogs
start sshd
set asterisk idle off
set sshd usedns warn
set sshd logencoding auto
set sshd dellogpath /nowhere
set sshd maxmatches 7
unban --all
banned
status sshd
stop Web.Shop
status
status Web.Shop
reload
status
status sshd
get sshd maxretry
reload nix
reload --if-exists nix
restart asterisk
status
server-status
start
~ set sshd banip host.example
";

/// A moment so many seconds ago.
fn ago(seconds: i64, form: &str) -> String {
    let at = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    at.checked_sub(SignedDuration::from_secs(seconds)).unwrap().strftime(form).to_string()
}

fn sshd(addr: &str, seconds: i64) -> String {
    let time = ago(seconds, "%b %d %H:%M:%S");
    let process = 1000 + seconds;
    format!("{time} pbx sshd[{process}]: Failed password for root from {addr} port 5 ssh2\n")
}

fn attack(home: &Home) {
    for (seconds, addr) in [(9, 7), (8, 7), (7, 7), (6, 8)] {
        home.append("auth.log", &sshd(&format!("198.51.100.{addr}"), seconds));
    }
    home.append("auth.log", &sshd("127.0.0.1", 5));
    home.append("auth.log", &sshd("203.0.113.9", 5));
    for (seconds, addr) in [(5, 15), (4, 15), (3, 15), (2, 15), (2, 16)] {
        let time = ago(seconds, "%Y-%m-%d %H:%M:%S");
        let line = format!(
            "[{time}] NOTICE[1] chan_sip.c: Registration from '\"1\" <sip:1@10.0.0.1>' failed for \
             '198.51.100.{addr}:5060' - Wrong password\n"
        );
        home.append("messages", &line);
    }
    for (seconds, log) in [(8, "shop-a.log"), (7, "shop-a.log"), (6, "shop-b.log")] {
        let time = ago(seconds, "%Y-%m-%d %H:%M:%S");
        home.append(log, &format!("{time} shop: bad login from 198.51.100.77\n"));
    }
}

fn home(jails: &str) -> Option<Home> {
    let home = Home::new("");
    for log in ["auth.log", "messages", "shop-a.log", "shop-b.log", "fail2ban.log"] {
        home.append(log, "");
    }
    tree(home.folder(), jails).map(|_| home)
}

#[test]
fn every_command_says_what_the_real_one_says() {
    let Some(home) = home(JAILS) else { return };
    let (_real, _ours) = (real(&home), ours(&home, &["--observe"]));
    home.until(|home| home.said().contains("nothing is written to"));
    let (theirs, client) = ("/usr/bin/fail2ban-client", client(&home));
    attack(&home);
    for (program, socket) in [(theirs, "f2b.sock"), (&client, "socket")] {
        home.until(|home| {
            let banned = ask(home, program, socket, "banned").0;
            ["100.7'", "100.15'", "100.77'"].iter().all(|who| banned.contains(who))
        });
    }
    let mut count = 0;
    for line in COMMANDS.lines() {
        let command = line.trim_start_matches("~ ");
        let both =
            || (ask(&home, theirs, "f2b.sock", command), ask(&home, &client, "socket", command));
        let (mut real, mut ours) = both();
        if line.starts_with('~') {
            continue;
        }
        // What has to happen first takes the real one up to a second.
        let shows = ["get", "status", "banned"].iter().any(|word| command.starts_with(word));
        for _ in 0..if shows { 20 } else { 0 } {
            if ours == real {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            (real, ours) = both();
        }
        assert_eq!(ours, real, "{command}");
        count += 1;
    }
    println!("{count} commands");
    let (out, _, code) = ask(&home, &client, "socket", "stop");
    assert_eq!((out.as_str(), code), ("Shutdown successful\n", 0));
    home.until(|home| !home.answers());
    std::thread::sleep(Duration::from_millis(10));
}

/// One jail whose bans end at once, and the stock jail that reads of them.
const RECIDIVE: &str = "[DEFAULT]
backend = polling
enabled = true
action = noop
findtime = 10m
[sshd]
filter = sshd
logpath = @DIR@/auth.log
maxretry = 1
bantime = 1
[recidive]
filter = recidive
logpath = @DIR@/fail2ban.log
maxretry = 5
bantime = 1w
findtime = 1d
";

fn log(home: &Home) -> String {
    fs::read_to_string(home.path("fail2ban.log")).unwrap_or_default()
}

#[test]
fn who_is_banned_again_and_again_is_banned_for_long() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(RECIDIVE) else { return };
    fs::remove_file(home.path("fail2ban.log")).unwrap();
    let guard = ours(&home, &[]);
    let client = client(&home);
    let ban = "NOTICE  [sshd] Ban 198.51.100.7\n";
    for count in 1..=5 {
        home.append("auth.log", &sshd("198.51.100.7", 0));
        home.until(|home| log(home).matches(ban).count() == count);
        let unban = "NOTICE  [sshd] Unban 198.51.100.7\n";
        home.until(|home| log(home).matches(unban).count() == count);
    }
    home.until(|home| log(home).contains("NOTICE  [recidive] Ban 198.51.100.7\n"));
    let status = ask(&home, &client, "socket", "status recidive").0;
    assert!(status.contains("Banned IP list:\t198.51.100.7\n"), "{status}");

    // Each line has the form of the real one's.
    let process = format!("[{}]", guard.0.id());
    for line in log(&home).lines() {
        let (time, rest) = line.split_at(23);
        assert!(time.bytes().all(|b| b.is_ascii_digit() || b"-:, ".contains(&b)), "{line}");
        let (name, rest) = rest.split_at(25);
        assert!(name.starts_with(" fail2ban.") && rest.starts_with(&process), "{line}");
    }
    let found = log(&home);
    let found = found.lines().find(|line| line.contains("Found")).unwrap();
    assert!(found.contains("fail2ban.filter         ["), "{found}");
    assert!(found.contains("]: INFO    [sshd] Found 198.51.100.7 - 20"), "{found}");

    // Moved away, it begins anew; a stranger's link is not followed.
    let mode = |home: &Home| fs::metadata(home.path("fail2ban.log")).unwrap().permissions().mode();
    assert_eq!(mode(&home) & 0o777, 0o640);
    fs::rename(home.path("fail2ban.log"), home.path("fail2ban.log.1")).unwrap();
    assert_eq!(ask(&home, &client, "socket", "flushlogs").0, "logs: rolled over\n");
    assert_eq!(ask(&home, &client, "socket", "set recidive banip 198.51.100.99").0, "1\n");
    home.until(|home| log(home).contains("[recidive] Ban 198.51.100.99"));
    fs::remove_file(home.path("fail2ban.log")).unwrap();
    std::os::unix::fs::symlink(home.path("victim"), home.path("fail2ban.log")).unwrap();
    std::os::unix::fs::lchown(home.path("fail2ban.log"), Some(65534), None).unwrap();
    assert_eq!(ask(&home, &client, "socket", "set recidive unbanip 198.51.100.99").0, "1\n");
    home.until(|home| home.said().contains("fail2ban's log: "));
    assert!(!home.path("victim").exists());
}

#[test]
fn a_name_in_a_line_of_sshd_bans_nobody_else() {
    let Some(home) = home(&JAILS.replace("filter = sshd", "filter = sshd[mode=aggressive]")) else {
        return;
    };
    let _guard = ours(&home, &["--observe"]);
    let (victim, stranger) = ("203.0.113.77", "198.51.100.7");
    for seconds in 1..=6 {
        let head = format!("{} pbx sshd[{}]: ", ago(seconds, "%b %d %H:%M:%S"), 100 + seconds);
        for text in [
            format!("Invalid user x from {victim} on from {stranger} port 4711"),
            format!(
                "Failed none for invalid user x from {victim} on from {stranger} port 4711 ssh2"
            ),
            format!(
                "Connection closed by invalid user x {victim} on {stranger} port 4711 [preauth]"
            ),
        ] {
            home.append("auth.log", &format!("{head}{text}\n"));
        }
    }
    home.append("auth.log", &sshd("198.51.100.99", 0).repeat(3));
    home.until(|home| home.bans().contains(&"198.51.100.99".to_owned()));
    let bans = home.bans();
    assert!(bans.contains(&stranger.to_owned()) && !bans.contains(&victim.to_owned()), "{bans:?}");
    let status = home.json(&["status", "--json"]);
    let jails = status["jails"].as_array().unwrap().iter();
    let sources = jails.flat_map(|jail| jail["sources"].as_array().unwrap());
    let disbelieved: u64 = sources.filter_map(|source| source["disbelieved"].as_u64()).sum();
    assert!(disbelieved >= 6, "{status}");
}

#[test]
fn members_of_the_group_name_no_file() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(JAILS) else { return };
    home.configure("[sereno]\ngroup = \"nogroup\"\n");
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    let _guard = ours(&home, &[]);
    let (client, socket) = (client(&home), home.path("socket"));
    let member = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&client);
        let output = quiet(command.arg("-s").arg(&socket).args(words)).output().unwrap();
        output.status.code()
    };
    let target = home.path("profile.sh");
    let path = target.to_str().unwrap();
    assert_eq!(member(&["set", "sshd", "banip", "198.51.100.1"]), Some(0));
    assert_eq!(member(&["set", "logtarget", path]), Some(255));
    assert_eq!(member(&["reload", "$(id)"]), Some(255));
    assert_eq!(member(&["set", "sshd", "addlogpath", "/etc/shadow"]), Some(255));
    let command = format!("touch {path}");
    for words in [
        &["set", "sshd", "addaction", "mine"][..],
        &["set", "sshd", "delaction", "noop-sshd"],
        &["set", "sshd", "action", "noop", "actionban", &command],
        &["set", "sshd", "ignorecommand", &command],
        &["add", "mine"],
    ] {
        assert_eq!(member(words), Some(255), "{words:?}");
    }
    assert_eq!(member(&["set", "sshd", "banip", "198.51.100.3"]), Some(0));
    assert_eq!(member(&["set", "sshd", "addignoreregex", "^nobody$"]), Some(0));
    assert_eq!(member(&["set", "logtarget", "STDERR"]), Some(0));
    assert!(!target.exists());
    assert_eq!(ask(&home, &client, "socket", &format!("set logtarget {path}")).2, 0);
    assert_eq!(ask(&home, &client, "socket", "set sshd banip 198.51.100.2").2, 0);
    home.until(|_| fs::read_to_string(&target).is_ok_and(|log| log.contains("Ban 198.51.100.2")));
}

#[test]
fn bans_are_taken_over_once() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(JAILS) else { return };
    let theirs = "/usr/bin/fail2ban-client";
    let server = real(&home);
    for command in [
        "set sshd banip 198.51.100.1",
        "set sshd banip 203.0.113.9",
        "set Web.Shop banip 198.51.100.3",
        "set sshd bantime 5h",
        "set sshd banip 198.51.100.2",
        "set sshd bantime 1",
        "set sshd banip 198.51.100.4",
    ] {
        assert_eq!(ask(&home, theirs, "f2b.sock", command).2, 0, "{command}");
    }
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(ask(&home, theirs, "f2b.sock", "stop").2, 0);
    drop(server);

    let guard = ours(&home, &[]);
    let client = client(&home);
    assert_eq!(ask(&home, &client, "socket", "get sshd banip").0, "198.51.100.1 198.51.100.2\n");
    assert_eq!(ask(&home, &client, "socket", "get Web.Shop banip").0, "198.51.100.3\n");
    let times = ask(&home, &client, "socket", "get sshd banip --with-time").0;
    assert_eq!(times.matches(" + 3600 = ").count(), 2, "{times}");
    let status = ask(&home, &client, "socket", "status sshd").0;
    assert!(status.contains("Total banned:\t2\n"), "{status}");
    home.until(|home| log(home).contains("NOTICE  [sshd] Restore Ban 198.51.100.1\n"));
    assert_eq!(home.said().matches("3 bans in force and").count(), 1, "{}", home.said());
    assert_eq!(ask(&home, &client, "socket", "set sshd unbanip 198.51.100.1").0, "1\n");
    assert_eq!(ask(&home, &client, "socket", "stop").2, 0);
    home.until(|home| !home.answers());
    drop(guard);

    let _guard = ours(&home, &[]);
    assert_eq!(ask(&home, &client, "socket", "get sshd banip").0, "198.51.100.2\n");
    assert_eq!(home.said().matches("3 bans in force and").count(), 1, "{}", home.said());
}

#[test]
fn bans_are_given_back_or_it_goes_on() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(JAILS) else { return };
    let mut guard = ours(&home, &[]);
    let (theirs, client) = ("/usr/bin/fail2ban-client", client(&home));
    let refused = |why: &str| {
        let said = home.ask(&["stop", "--give-back"]);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(text.contains("nothing was given back") && text.contains(why), "{text}");
        assert!(home.answers());
    };
    refused("f2b.sqlite3: No such file");
    let server = real(&home);
    assert_eq!(ask(&home, theirs, "f2b.sock", "set sshd banip 198.51.100.6").2, 0);
    refused("fail2ban runs");
    let status = || String::from_utf8_lossy(&home.ask(&["status"]).stdout).into_owned();
    assert!(status().contains("ALARM: fail2ban itself guards"), "{}", status());
    assert_eq!(ask(&home, theirs, "f2b.sock", "stop").2, 0);
    drop(server);
    home.until(|home| home.said().contains("fail2ban has ended"));
    assert!(!status().contains("fail2ban itself guards"), "{}", status());
    // What it banned meanwhile is ours, too.
    assert_eq!(ask(&home, &client, "socket", "get sshd banip").0, "198.51.100.6\n");
    assert_eq!(ask(&home, &client, "socket", "set sshd banip 198.51.100.5").0, "1\n");
    let given = home.ask(&["stop", "--give-back"]);
    assert!(given.status.success(), "{given:?}");
    assert!(guard.0.wait().unwrap().success());
    let _server = real(&home);
    home.until(|home| {
        let banned = ask(home, theirs, "f2b.sock", "get sshd banip").0;
        banned.contains("198.51.100.5") && banned.contains("198.51.100.6")
    });
}

/// An address of version 6 that fail2ban banned: our jail bans its network, once, and fail2ban
/// gets the addresses back.
#[test]
fn an_address_of_version_6_is_taken_over_once() {
    if !program::own_network() {
        return;
    }
    let jails = TWO.replace("[two]\n", "ignoreip = 2001:db8:b::1\n[two]\nenabled = false\n");
    let Some(home) = home(&jails) else { return };
    let theirs = "/usr/bin/fail2ban-client";
    let server = real(&home);
    let (far, near, befriended) = ("2001:db8:a::9", "2001:db8:a::a", "2001:db8:b::9");
    let banned = |home: &Home, who: &str| {
        ask(home, theirs, "f2b.sock", "get one banip").0.split_whitespace().any(|one| one == who)
    };
    for who in [far, near, befriended] {
        assert_eq!(
            ask(&home, theirs, "f2b.sock", &format!("set one attempt {who} 1 2 3 4 5")).2,
            0
        );
        home.until(|home| banned(home, who));
    }
    // By hand, whoever was named, and no more.
    assert_eq!(ask(&home, theirs, "f2b.sock", "set one banip 2001:db8:c::9").2, 0);
    home.until(|home| banned(home, "2001:db8:c::9"));
    assert_eq!(ask(&home, theirs, "f2b.sock", "stop").2, 0);
    drop(server);

    let guard = ours(&home, &[]);
    let mut bans = home.bans();
    bans.sort();
    assert_eq!(bans, ["2001:db8:a::/64", "2001:db8:b::9", "2001:db8:c::9"]);
    for _ in 0..8 {
        home.append("auth.log", &sshd(far, 1));
    }
    home.append("auth.log", &sshd("198.51.100.3", 1).repeat(8));
    home.until(|home| home.bans().contains(&"198.51.100.3".to_owned()));
    assert_eq!(home.bans().len(), 4, "{:?}", home.bans());
    assert!(home.ask(&["stop", "--give-back"]).status.success());
    home.until(|home| !home.answers());
    drop(guard);
    let _server = real(&home);
    for who in [far, near, befriended, "2001:db8:c::9"] {
        home.until(|home| banned(home, who));
    }
}

#[test]
fn the_longer_ban_wins_when_more_is_taken_over() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(JAILS) else { return };
    let _guard = ours(&home, &[]);
    let (theirs, client) = ("/usr/bin/fail2ban-client", client(&home));
    let server = real(&home);
    // Ours is the shorter one, and then the longer one.
    for (who, length) in [("198.51.100.6", "300"), ("198.51.100.7", "86400")] {
        for command in [format!("bantime {length}"), format!("banip {who}")] {
            assert_eq!(ask(&home, &client, "socket", &format!("set sshd {command}")).2, 0);
        }
        assert_eq!(ask(&home, theirs, "f2b.sock", &format!("set sshd banip {who}")).2, 0);
        home.until(|home| ask(home, theirs, "f2b.sock", "get sshd banip").0.contains(who));
    }
    assert_eq!(ask(&home, &client, "socket", "set sshd bantime 3600").2, 0);
    // Who asks sees it run.
    assert_eq!(home.ask(&["stop", "--give-back"]).status.code(), Some(1));
    assert_eq!(ask(&home, theirs, "f2b.sock", "stop").2, 0);
    drop(server);
    home.until(|home| home.said().contains("fail2ban has ended"));
    let times = ask(&home, &client, "socket", "get sshd banip --with-time").0;
    let warned = home.said().replace(&format!("{}", home.folder().display()), "");
    let line = "/f2b/filter.d/asterisk.conf: warnings: 1; `sereno check --config /sereno.toml --fail2ban /f2b` shows them\n";
    assert!(warned.contains(line) && !warned.contains("remedy: "), "{warned}");
    let of = |who: &str| times.lines().find(|line| line.starts_with(who)).unwrap().to_owned();
    assert!(of("198.51.100.6").contains(" + 3600 = "), "{times}");
    assert!(of("198.51.100.7").contains(" + 86400 = "), "{times}");
}

/// Two jails that close every port.
const TWO: &str = "[DEFAULT]
backend = polling
enabled = true
action = iptables-allports[name=%(__name__)s]
logpath = @DIR@/auth.log
filter = sshd
[one]
[two]
bantime = 1d
";

#[test]
fn each_jail_lets_in_its_own() {
    if !program::own_network() {
        return;
    }
    let Some(home) = home(TWO) else { return };
    let _guard = ours(&home, &[]);
    let client = client(&home);
    let out = || {
        let output = Command::new("nft").args(["list", "table", "inet", "sereno"]).output();
        String::from_utf8_lossy(&output.unwrap().stdout).contains("198.51.100.9")
    };
    let done = |command: &str| assert_eq!(ask(&home, &client, "socket", command).0, "1\n");
    for jails in [["one", "two"], ["two", "one"]] {
        for jail in jails {
            done(&format!("set {jail} banip 198.51.100.9"));
        }
        assert!(out());
        done(&format!("set {} unbanip 198.51.100.9", jails[0]));
        assert!(out(), "{jails:?}");
        done(&format!("set {} unbanip 198.51.100.9", jails[1]));
        assert!(!out(), "{jails:?}");
    }
    assert_eq!(home.said().matches("putting it back").count(), 0, "{}", home.said());
}
