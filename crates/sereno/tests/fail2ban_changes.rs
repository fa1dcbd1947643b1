//! What `fail2ban-client` changes of running jails, beside the real server: the same answers, and the
//! same addresses banned afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a test that cannot go on fails, and says what it skips"
)]

#[path = "../../sereno-fail2ban/tests/common/commands.rs"]
mod commands;
mod host;
mod program;

use host::{client, ours, quiet, real, tree};
use program::Home;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The jails that the lists of commands are about. Their failures have addresses.
const JAILS: &str = "[DEFAULT]
backend = polling
maxretry = 3
findtime = 10m
bantime = 1h
usedns = no
enabled = 1
[two]
filter = two
logpath = @DIR@/b.log
action = noop
bantime = -1
bantime.increment = true
bantime.maxtime = 5w
ignorecommand = /bin/false <ip>
ignorecache = key=\"<ip>\",max-count=5
logtimezone = UTC+0100
usedns = warn
maxlines = 3
[one]
filter = one
logpath = @DIR@/a.log
  @DIR@/b.log
action = noop[word=x]
  noop[actname=other, word=o]
ignoreip = 127.0.0.1/8 10.0.0.0/255.0.0.0 192.0.2.1
[three]
filter = one
backend = systemd
journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd
action =
";
const ONE: &str = r"^fail from (?:(?P<ip4>\d+\.\d+\.\d+\.\d+)|(?P<ip6>[0-9a-f:]+))$";

/// What is refused here and not there, each with what is said and why in the guide; the exit code is
/// that of a command that failed.
const REFUSED: [(&str, &str); 6] = [
    ("set one idle on", "a jail cannot rest here; stop it, and reload it later"),
    ("set one ignoreself false", "own addresses are left alone always"),
    ("set two bantime.nix x", "there is no option bantime.nix"),
    ("set two bantime.nix ''", "there is no option bantime.nix"),
    (
        "set one banip 203.0.113.1 some-id",
        "some-id is no address or network; names are not looked up",
    ),
    (
        "set one addignoreip example.org",
        "example.org is no address or network; names are not looked up",
    ),
];

/// Both, and how they are asked.
struct Both {
    home: Home,
    client: String,
}

impl Both {
    /// One of them: standard output, errors without their time, exit code. A word may have blanks if
    /// `~` is written for them, and be empty.
    fn say(&self, real: bool, line: &str) -> (String, String, i32) {
        let folder = self.home.folder().to_str().unwrap();
        let (program, socket) =
            if real { ("/usr/bin/fail2ban-client", "f2b.sock") } else { (&*self.client, "socket") };
        let word = |word: &str| match word {
            "''" => String::new(),
            word => word.replace('~', " ").replace('@', folder),
        };
        let mut client = Command::new(program);
        client.arg("-c").arg(self.home.path("f2b")).arg("-s").arg(self.home.path(socket));
        let output = quiet(client.args(line.split(' ').map(word))).stdout(Stdio::piped());
        let output = output.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let errors = text(&output.stderr);
        let errors = errors.lines().filter(|line| !line.contains(": WARNING "));
        let bare: Vec<&str> = errors.map(|l| l.split("]: ERROR   ").last().unwrap()).collect();
        (text(&output.stdout), bare.join("\n"), output.status.code().unwrap())
    }

    fn each(&self, line: &str) -> [(String, String, i32); 2] {
        [self.say(true, line), self.say(false, line)]
    }

    fn same(&self, line: &str) {
        let [real, ours] = self.each(line);
        // Expressions are shown as they are written, tags and all.
        if line.contains("regex") {
            let shown = |(out, err, code): (String, _, _)| (out.lines().count(), err, code);
            return assert_eq!(shown(ours), shown(real), "{line}");
        }
        assert_eq!(ours, real, "{line}");
    }

    /// Waits until both have banned somebody.
    fn has(&self, jail: &str, who: &str) {
        for real in [true, false] {
            let line = format!("get {jail} banned {who}");
            self.home.until(|_| self.say(real, &line).0 == "1\n");
        }
    }

    /// Whom each of them banned in a jail, once they agree; whoever is named has to be among them.
    fn agree(&self, jail: &str, banned: &str) {
        let list = |real| {
            let mut all: Vec<String> = self
                .say(real, &format!("get {jail} banip"))
                .0
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            all.sort();
            all.join(" ")
        };
        for _ in 0..60 {
            if list(true) == banned && list(false) == banned {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!((list(true).as_str(), list(false).as_str()), (banned, banned), "{jail}");
    }
}

fn write(home: &Home, name: &str, text: &str) {
    fs::write(home.path("f2b").join(name), text).unwrap();
}

/// Both servers on one tree.
fn both(jails: &str) -> Option<(Both, [host::Server; 2])> {
    let home = Home::new("");
    for log in ["a.log", "b.log", "shop.log", "fail2ban.log"] {
        home.append(log, "");
    }
    tree(home.folder(), jails)?;
    let noop = "[Definition]\nactionstart = true\nactionstop = true\nactioncheck =\nactionban = true\n\
                actionunban = true\nnorestored = 1\n";
    write(&home, "action.d/noop.conf", noop);
    let one = format!(
        "[Definition]\nprefregex = ^p (?P<content>.+)$\nfailregex = {ONE}\n  ^again (?P<ip4>\\S+)\n\
         ignoreregex = ^fail from 1\\.\n"
    );
    write(&home, "filter.d/one.conf", &one);
    let two = format!("[Definition]\nfailregex = {ONE}\ndatepattern = ^%%Y-%%m\n");
    write(&home, "filter.d/two.conf", &two);
    let servers = [real(&home), ours(&home, &["--observe"])];
    let client = client(&home);
    Some((Both { home, client }, servers))
}

/// Every command of the real one's help, in every state: where ours is refused it says so, and
/// everything else is answered to the letter.
#[test]
fn every_command_is_answered_or_refused_with_a_reason() {
    let journal = Command::new("/usr/bin/python3").args(["-c", "import systemd.journal"]).output();
    if !journal.is_ok_and(|out| out.status.success()) {
        println!("skipped: there is no python3-systemd for the real server's journal");
        return;
    }
    let Some((both, _servers)) = both(JAILS) else { return };
    let (mut asked, mut wrong) = (0, Vec::new());
    let lists = [commands::QUESTIONS, commands::SETTINGS, commands::SERVER, commands::JOURNAL];
    let lines = lists.iter().flat_map(|list| list.lines()).filter(|line| !line.is_empty());
    // Where fail2ban's log goes is not shown: it is the real one's while that runs.
    for line in lines.filter(|line| !line.contains("/run/db")) {
        asked += 1;
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == line) {
            let (out, err, code) = both.say(false, line);
            assert_eq!((out.trim_end(), code), (*why, 255), "{line}");
            assert_eq!(err, format!("NOK: ({},)", quoted(why)), "{line}");
            continue;
        }
        let [real, ours] = both.each(line);
        if real != ours {
            wrong.push(format!("## {line}\nours: {ours:?}\nreal: {real:?}"));
        }
    }
    for line in commands::ACCIDENTS.lines().filter(|line| !line.is_empty()) {
        asked += 1;
        let [real, ours] = both.each(line);
        if (real.2, ours.1.is_empty()) != (ours.2, false) {
            wrong.push(format!("## {line}\nours: {ours:?}\nreal: {real:?}"));
        }
    }
    for (line, why) in REFUSED {
        let (out, _, code) = both.say(false, line);
        assert_eq!((out.trim_end(), code), (why, 255), "{line}");
    }
    commands::JAILS.lines().for_each(|line| both.same(line));
    println!("{asked} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

const SHOP: &str = "[DEFAULT]
backend = polling
enabled = 1
maxretry = 2
findtime = 10m
bantime = 1h
usedns = no
action = noop
[shop]
filter = shop
logpath = @DIR@/shop.log
[idle]
filter = shop
logpath = @DIR@/a.log
";

/// Lines of the shop's log, two each, at this moment.
fn lines(home: &Home, log: &str, texts: &[&str]) {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    for text in texts.iter().flat_map(|text| [text, text]) {
        home.append(log, &format!("{} {text}\n", now.strftime("%Y-%m-%d %H:%M:%S")));
    }
}

#[test]
fn what_is_changed_holds_from_then_on() {
    let Some((both, _servers)) = both(SHOP) else { return };
    let log = |texts: &[&str]| lines(&both.home, "shop.log", texts);
    both.same("set shop addfailregex ^\\s*shop:~no~such~user~<IP4>$");
    log(&["shop: no such user 203.0.113.1", "shop: what 203.0.113.2"]);
    both.agree("shop", "203.0.113.1");

    both.same("set shop addignoreregex 203\\.0\\.113\\.3$");
    both.same("get shop ignoreregex");
    log(&["shop: bad login from 203.0.113.3", "shop: bad login from 203.0.113.4"]);
    both.agree("shop", "203.0.113.1 203.0.113.4");

    both.same("set shop delfailregex 0");
    both.same("set shop delignoreregex 0");
    log(&["shop: bad login from 203.0.113.5", "shop: no such user 203.0.113.3"]);
    both.agree("shop", "203.0.113.1 203.0.113.3 203.0.113.4");

    both.same("set shop prefregex ^\\s*shop<F-CONTENT>.+</F-CONTENT>$");
    both.same("set shop addfailregex ^-a:~<IP4>$");
    both.same("get shop prefregex");
    log(&["shop-a: 203.0.113.6", "-a: 203.0.113.7"]);
    both.agree("shop", "203.0.113.1 203.0.113.3 203.0.113.4 203.0.113.6");
    both.same("set shop prefregex ''");

    // Two lines that are looked at together.
    both.same("set shop maxlines 2");
    both.same("set shop addfailregex ^\\s*one~<IP4>$<SKIPLINES>^\\s*two$");
    for _ in 0..2 {
        lines(&both.home, "x.log", &[]);
        let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
        let now = now.strftime("%Y-%m-%d %H:%M:%S");
        both.home.append("shop.log", &format!("{now} one 203.0.113.8\n{now} two\n"));
    }
    both.agree("shop", "203.0.113.1 203.0.113.3 203.0.113.4 203.0.113.6 203.0.113.8");

    // What is wrong changes nothing.
    for line in [
        "set shop addfailregex ^(x~<HOST>",
        "set shop addfailregex ^x$",
        "set shop addignoreregex (x",
        "set shop prefregex (x",
        "set shop datepattern %q",
        "set shop logtimezone xx",
        "set shop logencoding nix",
        "set idle addjournalmatch",
    ] {
        let [real, ours] = both.each(line);
        assert_eq!((ours.2, ours.1.is_empty()), (real.2, real.2 == 0), "{line}: {ours:?}");
    }
    log(&["shop: no such user 203.0.113.9"]);
    let all = "203.0.113.1 203.0.113.3 203.0.113.4 203.0.113.6 203.0.113.8 203.0.113.9";
    both.agree("shop", all);

    // It is all forgotten with a reload; there, what no file sets stays.
    both.same("set shop maxlines 1");
    both.same("reload");
    for what in ["failregex", "ignoreregex", "datepattern"] {
        both.same(&format!("get shop {what}"));
    }
    for (what, value) in [("maxlines", "1\n"), ("logtimezone", "None\n")] {
        assert_eq!(both.say(false, &format!("get idle {what}")).0, value);
    }
    log(&["shop: no such user 203.0.113.10", "shop: bad login from 203.0.113.11"]);
    both.agree("shop", &all.replace("113.1 ", "113.1 203.0.113.11 "));
}

#[test]
fn characters_dates_and_zones_are_changed() {
    let Some((both, _servers)) = both(SHOP) else { return };
    // Other characters.
    both.same("set shop addfailregex ^\\s*usuario~¡ñandú!~<IP4>$");
    for (encoding, bytes, who) in [
        ("latin-1", &b"usuario \xa1\xf1and\xfa! 203.0.113.20"[..], "203.0.113.20"),
        ("cp850", &b"usuario \xad\xa4and\xa3! 203.0.113.21"[..], "203.0.113.21"),
        ("UTF-8", "usuario ¡ñandú! 203.0.113.22".as_bytes(), "203.0.113.22"),
    ] {
        both.same(&format!("set shop logencoding {encoding}"));
        let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
        let head = now.strftime("%Y-%m-%d %H:%M:%S ").to_string();
        let line = [head.as_bytes(), bytes, b"\n"].concat().repeat(2);
        let mut log = fs::OpenOptions::new().append(true).open(both.home.path("shop.log")).unwrap();
        log.write_all(&line).unwrap();
        both.has("shop", who);
    }

    // Other dates, in another zone.
    both.same("set idle datepattern ^%d/%m/%Y~%H:%M:%S");
    both.same("set idle logtimezone UTC+0200");
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
    for _ in 0..2 {
        let now = now.strftime("%d/%m/%Y %H:%M:%S");
        both.home.append("a.log", &format!("{now} shop: bad login from 198.51.100.1\n"));
    }
    both.agree("idle", "198.51.100.1");
    assert!(both.say(false, "status idle").0.contains("Total failed:\t2\n"));
}

/// A jail made of nothing by commands, as the real client does it.
#[test]
fn a_jail_is_made_by_commands() {
    let Some((both, _servers)) = both(SHOP) else { return };
    for line in [
        "add new polling",
        "status new",
        "set new addlogpath @/b.log",
        "get new logpath",
        "set new addfailregex ^\\s*new:~<IP4>$",
        "set new maxretry 2",
        "set new bantime 300",
        "get new findtime",
        "get new actions",
        "status new",
    ] {
        both.same(line);
    }
    lines(&both.home, "b.log", &["new: 203.0.113.1"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(both.say(false, "get new banip").0, "\n");
    both.same("start new");
    both.agree("new", "203.0.113.1");
    both.same("get new banned 203.0.113.1");
    both.same("stop new");
    both.same("status new");
    both.same("status");
    // Once more, after it was stopped.
    for line in ["add new", "set new addfailregex ^new:~<IP4>$", "set new maxretry 1", "start new"]
    {
        both.same(line);
    }
    both.same("get new failregex");
    assert!(both.say(false, "status new").0.contains("Currently banned:\t0\n"));
}

/// Actions that clients add and change run.
#[test]
fn actions_are_made_by_commands() {
    if !program::own_network() {
        return;
    }
    let home = Home::new("");
    for log in ["shop.log", "a.log", "fail2ban.log"] {
        home.append(log, "");
    }
    let Some(_) = tree(home.folder(), SHOP) else { return };
    let _ours = ours(&home, &[]);
    let both = Both { client: client(&home), home };
    let done = |line: &str| assert_eq!(both.say(false, line).2, 0, "{line}");
    let out = both.home.path("out");
    let read = |out: &Path| fs::read_to_string(out).unwrap_or_default();
    for line in [
        "set shop addaction mine",
        "set shop action mine actionban echo~ban~<ip>~<word>~>>~@/out",
        "set shop action mine actionunban echo~unban~<ip>~>>~@/out",
        "set shop action mine word x",
        "set shop banip 203.0.113.1",
    ] {
        done(line);
    }
    both.home.until(|_| read(&out).contains("ban 203.0.113.1 x\n"));
    // What an action is told goes with it, and a part of a script that would be a stranger's is refused.
    let said = both.say(false, "set shop action mine actionban eval~<F-USER>");
    assert_eq!(said.2, 255, "{said:?}");
    done("set shop unbanip 203.0.113.1");
    both.home.until(|_| read(&out).contains("unban 203.0.113.1\n"));
    // Somebody is asked.
    done("set shop ignorecommand test~<ip>~=~203.0.113.2");
    lines(
        &both.home,
        "shop.log",
        &["shop: bad login from 203.0.113.2", "shop: bad login from 203.0.113.3"],
    );
    both.home.until(|_| read(&out).contains("ban 203.0.113.3 x\n"));
    assert!(!read(&out).contains("203.0.113.2"), "{}", read(&out));
    done("set shop delaction mine");
    done("set shop banip 203.0.113.4");
    both.home.until(|_| both.say(false, "get shop banip").0.contains("203.0.113.4"));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!read(&out).contains("203.0.113.4"));
}
