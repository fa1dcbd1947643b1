//! Every command beside the real `fail2ban-client` and `fail2ban-server`: standard output, standard
//! error and exit code, from the same state.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::too_many_lines,
    dead_code,
    reason = "a test starts the real program, and waits for it"
)]

mod common;
#[path = "common/model.rs"]
mod model;

use common::installed;
use model::{Model, empty, read_time};
use sereno_fail2ban::Value;
use sereno_fail2ban::client::view::{Cache, Dates};
use sereno_fail2ban::client::{ActionView, Id, Printed, Server, Source, args, run};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FAILURE: &str = r"^fail from (?P<fid>\S+)$";

/// A real server in a folder of its own; stopped at the end.
struct Real {
    folder: tempfile::TempDir,
    journal: bool,
}

impl Real {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = Command::new("python3").args(["-c", "import systemd.journal"]).output();
        let journal = python.is_ok_and(|out| out.status.success());
        if !journal {
            println!("without a jail that reads the journal: there is no python3-systemd");
        }
        let at = folder.path().display().to_string();
        for name in ["filter.d", "action.d", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let put = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text.replace("@", &at)).unwrap();
        };
        put("a.log", "");
        put("b.log", "");
        put(
            "fail2ban.conf",
            "[Definition]\nloglevel = INFO\nlogtarget = @/f2b.log\nsyslogsocket = auto\n\
             socket = @/run/sock\npidfile = @/run/pid\ndbfile = @/run/db\ndbpurgeage = 1d\n\
             dbmaxmatches = 10\nallowipv6 = auto\n",
        );
        put(
            "filter.d/one.conf",
            &format!(
                "[Definition]\nprefregex = ^p (?P<content>.+)$\nfailregex = {FAILURE}\n  ^again (?P<fid>\\S+)\n\
             ignoreregex = ^fail from 1\\.\n"
            ),
        );
        put(
            "filter.d/two.conf",
            &format!("[Definition]\nfailregex = {FAILURE}\ndatepattern = ^%%Y-%%m\n"),
        );
        put(
            "action.d/noop.conf",
            "[Definition]\nactionstart = true\nactionstop = true\nactioncheck =\nactionban = true\n\
             actionunban = true\nnorestored = 1\n",
        );
        let third = "[three]\nenabled = 1\nfilter = one\nbackend = systemd\n\
                     journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd\naction =\n";
        put(
            "jail.conf",
            &format!(
                "[DEFAULT]\nbackend = polling\nmaxretry = 3\nfindtime = 10m\nbantime = 1h\nusedns = no\n\
             [two]\nenabled = 1\nfilter = two\nlogpath = @/b.log\naction = noop\n\
             bantime = -1\nbantime.increment = true\nbantime.maxtime = 5w\nignorecommand = /bin/x <ip>\n\
             ignorecache = key=\"<ip>\",max-count=5\nlogtimezone = UTC+0100\nusedns = warn\nmaxlines = 3\n\
             [one]\nenabled = 1\nfilter = one\nlogpath = @/a.log\n  @/b.log\n\
             action = noop[word=x]\n  noop[actname=other, word=o]\n\
             ignoreip = 127.0.0.1/8 10.0.0.0/255.0.0.0 192.0.2.1\n{}",
                if journal { third } else { "" }
            ),
        );
        let real = Self { folder, journal };
        let (_, err, code) = real.ask(&["start"]);
        assert_eq!(code, 0, "{err}");
        real
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn ask(&self, words: &[&str]) -> (String, String, i32) {
        let conf = ["-c", self.at().to_str().unwrap()];
        let output = Command::new("fail2ban-client")
            .args(conf)
            .args(words)
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), logged(&text(&output.stderr)), output.status.code().unwrap())
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.ask(&["stop"]);
        // The pid file goes last.
        let started = Instant::now();
        while self.at().join("run/pid").exists() && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What is said behind time, name, process and `ERROR`; warnings of the reader of configurations
/// aside.
fn logged(err: &str) -> String {
    let lines = err.lines().filter(|line| !line.contains(": WARNING "));
    let text = |line: &str| match line.split_once("]: ERROR   ") {
        Some((_, text)) => text.to_owned() + "\n",
        None => line.to_owned() + "\n",
    };
    lines.map(text).collect()
}

/// The same state as the real one's, in our words.
fn model(real: &Real) -> Model {
    let at = real.at().display().to_string();
    let path = |name: &str| format!("{at}/{name}");
    let text = |text: &str| Value::Text(text.to_owned());
    let action = |name: &str, jail: &str, own: &[(&str, &str)]| ActionView {
        name: name.to_owned(),
        properties: [("actionban", "true"), ("actname", name), ("name", jail)]
            .iter()
            .chain(own)
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .chain([("norestored".to_owned(), Value::Flag(true))])
            .collect(),
    };
    let server = Server {
        loglevel: "INFO".to_owned(),
        logtarget: path("f2b.log"),
        syslogsocket: "auto".to_owned(),
        dbfile: Some(path("run/db")),
        dbmaxmatches: 10,
        dbpurgeage: 86_400,
    };
    let mut model = Model { server, jails: Vec::new() };
    let mut two = empty(Source::Files(vec![path("b.log")]));
    two.failregex = vec![FAILURE.to_owned()];
    two.dates = Dates::Pattern("^%Y-%m".to_owned(), "^Year-Month".to_owned());
    two.bantime = -1;
    two.extra = vec![
        ("increment".to_owned(), Value::Flag(true)),
        ("maxtime".to_owned(), Value::Number(5 * 7 * 86_400)),
    ];
    two.ignorecommand = Some("/bin/x <ip>".to_owned());
    two.ignorecache = Some(Cache { key: "<ip>".to_owned(), count: 5, seconds: 300 });
    two.logtimezone = Some("UTC+0100".to_owned());
    two.maxlines = 3;
    two.actions = vec![action("noop", "two", &[])];
    model.add("two", two);
    let mut one = empty(Source::Files(vec![path("a.log"), path("b.log")]));
    one.prefregex = "^p (?P<content>.+)$".to_owned();
    one.failregex = vec![FAILURE.to_owned(), r"^again (?P<fid>\S+)".to_owned()];
    one.ignoreregex = vec![r"^fail from 1\.".to_owned()];
    one.usedns = "no".to_owned();
    one.bantime = 3600;
    // fail2ban has networks before addresses.
    let ids = ["127.0.0.0/8", "10.0.0.0/8", "192.0.2.1"];
    one.ignoreip = ids.iter().map(|id| Id::read(id).unwrap()).collect();
    one.actions =
        vec![action("noop", "one", &[("word", "x")]), action("other", "one", &[("word", "o")])];
    model.add("one", one.clone());
    if real.journal {
        let unit = |word: &str| vec![word.to_owned()];
        let matches = vec![unit("_SYSTEMD_UNIT=ssh.service"), unit("_COMM=sshd")];
        one.source = Source::Journal(matches);
        one.dates = Dates::None;
        one.ignoreip.clear();
        one.actions.clear();
        model.add("three", one);
    }
    model
}

/// How much has to be alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alike {
    All,
    /// What Python says by accident is said otherwise.
    Code,
}

struct Both {
    real: Real,
    model: Model,
    asked: usize,
    wrong: Vec<String>,
}

impl Both {
    fn ask(&mut self, line: &str, alike: Alike) {
        let line = line.replace('@', self.real.at().to_str().unwrap());
        // A word may have blanks if `~` is written for them, and be empty.
        let words: Vec<String> = line
            .split(' ')
            .map(|word| if word == "''" { String::new() } else { word.replace('~', " ") })
            .collect();
        let plain: Vec<&str> = words.iter().map(String::as_str).collect();
        let (out, err, code) = self.real.ask(&plain);
        let ours = run(&words, &mut self.model);
        self.asked += 1;
        let real = Printed { out, err, code: u8::try_from(code).unwrap() };
        let same = match alike {
            Alike::All => ours == real,
            Alike::Code => ours.code == real.code,
        };
        if !same {
            self.wrong.push(format!("## {line}\nours: {ours:#?}\nreal: {real:#?}"));
        }
    }

    fn all(&mut self, lines: &str) {
        for line in lines.lines().filter(|line| !line.is_empty()) {
            self.ask(line, Alike::All);
        }
    }

    fn codes(&mut self, lines: &str) {
        for line in lines.lines().filter(|line| !line.is_empty()) {
            self.ask(line, Alike::Code);
        }
    }

    /// Waits until the real one has as many bans as the model, and takes their times from it.
    fn sync(&mut self) {
        let started = Instant::now();
        for jail in &mut self.model.jails {
            loop {
                let (out, _, _) = self.real.ask(&["get", &jail.name, "banip", "--with-time"]);
                let lines: Vec<&str> = out.lines().filter(|line| !line.is_empty()).collect();
                if lines.len() == jail.bans.len() {
                    for line in lines {
                        let (id, times) = line.split_once(" \t").unwrap();
                        let id = Id::read(id).unwrap();
                        let ban = jail.bans.iter_mut().find(|ban| ban.id == id).unwrap();
                        ban.since = read_time(times.get(..19).unwrap());
                    }
                    break;
                }
                assert!(started.elapsed() < Duration::from_secs(20), "{out}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

#[test]
fn every_command_is_answered_as_fail2ban_answers_it() {
    if !installed() {
        return;
    }
    let real = Real::start();
    let (model, journal) = (model(&real), real.journal);
    let mut both = Both { real, model, asked: 0, wrong: Vec::new() };
    both.all(QUESTIONS);
    both.all(SETTINGS);
    both.all(SERVER);
    if journal {
        both.all(JOURNAL);
    }
    both.codes(ACCIDENTS);
    both.all(ATTEMPTS);
    both.sync();
    both.all(BANS);
    both.sync();
    both.all(LISTS);
    both.all(UNBANS);
    both.sync();
    both.all(LISTS);
    both.all(JAILS);
    both.all("start\nreload a b\nreload nix\nunban --all\nstatus one short\nbanned");
    println!("{} commands, journal: {journal}", both.asked);
    assert!(both.wrong.is_empty(), "{}", both.wrong.join("\n"));
}

const QUESTIONS: &str = "\
status
status one
status two short
status one cymru
status one nix
status nix
status --all
status one a b
statistics
stats
ping
ping 3
ping x
echo a b~c
echo
version
version x
sleep
sleep 0.1
server-status
flushlogs
help
nix
nix x
get
get loglevel
get logtarget
get syslogsocket
get dbfile
get dbmaxmatches
get dbpurgeage
get thread
get allowipv6
get nix nix
get nix bantime
get one nix
get one idle
get one bantime
get two bantime
get one findtime
get one maxretry
get one maxmatches
get one maxlines
get two maxlines
get one usedns
get two usedns
get one logpath
get one logencoding
get one journalmatch
get one ignoreself
get one ignoreip
get two ignoreip
get one ignorecommand
get two ignorecommand
get one ignorecache
get two ignorecache
get one prefregex
get two prefregex
get one failregex
get two failregex
get one ignoreregex
get two ignoreregex
get one datepattern
get two datepattern
get one logtimezone
get two logtimezone
get one actions
get two actions
get one action noop actionban
get one action noop actioncheck
get one action noop timeout
get one action noop name
get one action other name
get one action other word
get one action noop norestored
get one action noop banEpoch
get one action noop nix
get one action nix actionban
get one action noop
get one action
get one actionproperties other
get one actionproperties nix
get one actionproperties
get one actionmethods noop
get two bantime.increment
get two bantime.maxtime
get two bantime.nix
get one bantime.increment
get one banip
get one banip --with-time
get one banned
get one banned 192.0.2.9
get one banned 192.0.2.9 192.0.2.10
get nix banned
get nix banip
banned
banned 192.0.2.9
banned 192.0.2.9 192.0.2.10
set
set one
set one nix
set one nix x
set nix nix x
set nix bantime 5
set nix
unban
";

const SETTINGS: &str = "\
set one idle on
set one idle off
set one idle x
set one idle
set one ignoreself false
set one ignoreself yes
set one addignoreip 198.51.100.7/24 192.0.2.1
set one addignoreip
set one addignoreip 192.0.2.1/x
set one addignoreip 192.0.2.1/255.0.255.0
set one delignoreip 10.0.0.1
set one delignoreip 10.0.0.5/8
set one delignoreip nix
set one delignoreip
set one ignorecommand x~<ip>
set one ignorecommand ''
set one ignorecache key=<ip>,max-count=7,max-time=1m
set one ignorecache ''
set one addlogpath @/a.log tail
set one addlogpath @/a.log x
set one addlogpath @/a.log tail x
set one dellogpath @/b.log
set one dellogpath /nix
set one addlogpath @/b.log
set one logencoding ascii
set one logencoding nix
set one logencoding auto
set one addjournalmatch _A=b
set one prefregex ^x~(?P<content>.*)
set one prefregex ''
set two addfailregex ^more~(?P<fid>\\S+)
set two addfailregex ^more
set two delfailregex 1
set two delfailregex 7
set two delfailregex x
set two delfailregex -2
set two delfailregex -1
set two addignoreregex ^a
set two delignoreregex 0
set two usedns Yes
set two usedns x
set two findtime 1h
set two findtime -1
set two datepattern %Y~%m
set two datepattern EPOCH
set two datepattern ''
set two logtimezone UTC-0230
set two logtimezone ''
set two maxmatches 3
set two maxmatches x
set two maxretry 7
set two maxretry -1
set two maxlines 2
set two maxlines 0
set two bantime 1d
set two bantime 1.5
set two bantime -1
set two bantime.increment false
set two bantime.factor 2
set two bantime.maxtime 1w
set two bantime.rndtime 8m
set two bantime.multipliers 1~2~4
set two bantime.multipliers 1~x
set two bantime.overalljails yes
set two bantime.formula ban.Time
set two bantime.nix x
set two bantime.nix ''
set two bantime.factor ''
get two bantime.rndtime
set two addaction act
set two addaction act
get two actions
get two actionproperties act
set two action act actionban echo~<ip>
get two action act actionban
set two action act name x
set two action act name
set two action act timeout 5
set two action nix name x
get two actionproperties act
set two actions
set two delaction act
set two delaction act
";

const SERVER: &str = "\
set loglevel debug
set loglevel nix
set loglevel 20
get loglevel
set loglevel INFO
set loglevel
set logtarget
set logtarget /nix/nix
set logtarget STDOUT
flushlogs
set logtarget @/f2b.log
flushlogs
set syslogsocket /dev/log
set syslogsocket auto
set dbfile /tmp/nix
set dbfile @/run/db
set dbmaxmatches 5
set dbmaxmatches x
set dbpurgeage 2d
set allowipv6 yes
set allowipv6 auto
";

const JOURNAL: &str = "\
status three
get three logpath
get three journalmatch
get three datepattern
set three addlogpath @/a.log
set three dellogpath @/a.log
set three addjournalmatch _A=b + _C=d _E=f
set three addjournalmatch nix
set three deljournalmatch _A=b
set three deljournalmatch _C=d _E=f
set three deljournalmatch _X=b
";

/// Refused by both, in other words.
const ACCIDENTS: &str = "\
set two findtime x
set two findtime 10q
set two bantime x
set dbpurgeage x
sleep x
set thread 5
set one attempt
set one ignorecache x
set one addlogpath /nix
get one action noop ban
set one action noop ban x
multi-set one
server-stream
add --all
";

const ATTEMPTS: &str = "\
set one attempt 192.0.2.77 a b
set one attempt 192.0.2.77
set one attempt 192.0.2.78
";

const BANS: &str = "\
set one banip 203.0.113.1 203.0.113.2 2001:DB8::5 198.51.100.9/24 some-id
set one banip some-id
set one banip
set two banip 203.0.113.1 192.0.2.200/255.255.255.0
set nix banip 192.0.2.1
";

const LISTS: &str = "\
status
status one
status one short
status two
get one banip ,
get one banip --with-time
get two banip --with-time
get one banned
get one banned 203.0.113.1
get one banned 203.0.113.1 192.0.2.9 198.51.100.0/24
banned
banned 203.0.113.1
banned 203.0.113.1 some-id 192.0.2.9
";

const UNBANS: &str = "\
set one unbanip 192.0.2.9
set one unbanip 192.0.2.9 203.0.113.1
set one unbanip --report-absent 192.0.2.9
set one unbanip --report-absent 192.0.2.9 203.0.113.2 192.0.2.10
set one unbanip
set one unbanip --report-absent
set one banip 203.0.113.1 203.0.113.2 203.0.113.3
set one unbanip 203.0.113.0/31
set one unbanip 2001:db8::/32
set one unbanip some-id
set nix unbanip 192.0.2.1
unban 203.0.113.1
unban 192.0.2.9
unban --all x
";

const JAILS: &str = "\
add five polling
status five
start five
start five
get five failregex
start nix
start a b
add six nix
add
stop five
stop nix
stop a b
status
";

#[test]
fn options_are_taken_as_fail2ban_takes_them() {
    if !installed() {
        return;
    }
    for line in [
        "-V",
        "--version",
        "-vV",
        "-Vz",
        "-z",
        "--nix",
        "--l x",
        "--str2sec 1d12h",
        "--str2sec 1mo",
        "--str2sec x",
        "--str2sec",
        "--str2s 1y~6mo",
        "--str2sec=3600/1h",
        "--test=3",
        "--conf",
        "--loglevel nix -V",
        "-h",
        "",
    ] {
        let words: Vec<String> =
            line.split(' ').filter(|w| !w.is_empty()).map(|w| w.replace('~', " ")).collect();
        let output = Command::new("fail2ban-client").args(&words).output().unwrap();
        let ours = args::read(args::Program::Client, &words).expect_err(line);
        assert_eq!(i32::from(ours.code), output.status.code().unwrap(), "{line}");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(ours.err, err, "{line}");
        let out = String::from_utf8_lossy(&output.stdout);
        let first = |text: &str| text.lines().next().map(str::to_owned);
        if out.starts_with("Usage") {
            assert_eq!(first(&ours.out), first(&out), "{line}");
        } else if !out.starts_with("ERROR") {
            assert_eq!(ours.out, out, "{line}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_words_are_answered(
        first in "get|set|status|unban|banned|reload|add|stop|[a-z]{0,3}",
        second in "one|two|--all|[!-~]{0,3}",
        third in "banip|unbanip|banned|addignoreip|delfailregex|ignorecache|bantime.x|addjournalmatch|action|[a-z]{0,5}",
        rest in proptest::collection::vec("[ -~]{0,12}|[0-9./:\\[\\]-]{0,20}", 0..4),
        many in proptest::collection::vec(".{0,6}", 0..4),
    ) {
        let server = Server {
            loglevel: "INFO".to_owned(),
            logtarget: "SYSLOG".to_owned(),
            syslogsocket: "auto".to_owned(),
            dbfile: None,
            dbmaxmatches: 10,
            dbpurgeage: 1,
        };
        let mut model = Model { server, jails: Vec::new() };
        model.add("one", empty(Source::Files(Vec::new())));
        model.add("two", empty(Source::Journal(Vec::new())));
        for tail in [&rest, &many] {
            let words = [&[first.clone(), second.clone(), third.clone()][..], tail].concat();
            let printed = run(&words, &mut model);
            assert!(printed.code == 0 || !printed.err.is_empty(), "{words:?}");
            let _ = args::read(args::Program::Client, tail);
        }
    }
}
