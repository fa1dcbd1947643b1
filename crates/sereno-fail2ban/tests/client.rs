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

#[path = "common/commands.rs"]
mod commands;
mod common;
#[path = "common/model.rs"]
mod model;

use commands::{
    ACCIDENTS, ATTEMPTS, BANS, JAILS, JOURNAL, LISTS, QUESTIONS, SERVER, SETTINGS, UNBANS,
};
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
        let python =
            Command::new("/usr/bin/python3").args(["-c", "import systemd.journal"]).output();
        let journal = python.is_ok_and(|out| out.status.success());
        if !journal {
            println!("skipped: a jail that reads the journal: there is no python3-systemd");
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

/// Two servers ban a moment apart: their times may differ by two seconds, all else is the same.
fn same(ours: &Printed, real: &Printed) -> bool {
    let (our_words, our_times) = timeless(&ours.out);
    let (real_words, real_times) = timeless(&real.out);
    let near = our_times.iter().zip(&real_times).all(|(ours, real)| (ours - real).abs() <= 2);
    (our_words, &ours.err, ours.code) == (real_words, &real.err, real.code) && near
}

/// A text with `@` for each moment in it, and the moments.
fn timeless(text: &str) -> (String, Vec<i64>) {
    let is_moment = |word: &&str| {
        word.char_indices().all(|(at, c)| match at {
            4 | 7 => c == '-',
            10 => c == ' ',
            13 | 16 => c == ':',
            _ => c.is_ascii_digit(),
        })
    };
    let (mut words, mut moments, mut at) = (String::new(), Vec::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        if let Some(moment) = text.get(at..at + 19).filter(is_moment) {
            moments.push(read_time(moment));
            words.push('@');
            at += 19;
        } else {
            words.push(c);
            at += c.len_utf8();
        }
    }
    (words, moments)
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
        let agree = match alike {
            Alike::All => same(&ours, &real),
            Alike::Code => ours.code == real.code,
        };
        if !agree {
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

/// What release 1.1.1 answers to its own commands, seen there.
#[test]
fn all_jails_at_once_are_shown_as_release_1_1_shows_them() {
    let server = Server {
        loglevel: "INFO".to_owned(),
        logtarget: "STDOUT".to_owned(),
        syslogsocket: "auto".to_owned(),
        dbfile: None,
        dbmaxmatches: 10,
        dbpurgeage: 1,
    };
    let mut model = Model { server, jails: Vec::new() };
    let ask = |model: &mut Model, line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let printed = run(&words, model);
        assert_eq!((printed.err.as_str(), printed.code), ("", 0), "{line}");
        printed.out
    };
    assert_eq!(ask(&mut model, "stats"), "No jails found.\n");
    for jail in ["two", "one"] {
        model.add(jail, empty(Source::Files(vec!["/a.log".to_owned()])));
    }
    ask(&mut model, "set one banip 192.0.2.1 192.0.2.22");
    ask(&mut model, "set one attempt 192.0.2.7");
    let table = "          ║          ║ Filter    ║ Actions  \n \
                 Jail     ║ Backend  ╟───────────╫───────────\n          \
                 ║          ║ cur │ tot ║ cur │ tot\n\
                 ══════════╬══════════╬═══════════╬═══════════\n \
                 one      ║ polling  ║   1 │   1 ║   2 │   2\n \
                 two      ║ polling  ║   0 │   0 ║   0 │   0\n\
                 ══════════╩══════════╩═══════════╩═══════════\n";
    for line in ["stats", "statistics", "stats x"] {
        assert_eq!(ask(&mut model, line), table, "{line}");
    }
    let status = "Status
|- Number of jail:\t2
|- Jail list:\tone, two
`- Status for the jails:
   |- Jail: one
   |  |- Filter
   |  |  |- Currently failed:\t1
   |  |  |- Total failed:\t1
   |  |  `- File list:\t/a.log
   |  `- Actions
   |     |- Currently banned:\t2
   |     |- Total banned:\t2
   |     `- Banned IP list:\t192.0.2.1 192.0.2.22
   `- Jail: two
      |- Filter
      |  |- Currently failed:\t0
      |  |- Total failed:\t0
      |  `- File list:\t/a.log
      `- Actions
         |- Currently banned:\t0
         |- Total banned:\t0
         `- Banned IP list:\t
";
    assert_eq!(ask(&mut model, "status --all"), status);
    let short = status.lines().filter(|line| !line.contains("IP list")).collect::<Vec<_>>();
    let short = short.join("\n").replace("|- Total banned", "`- Total banned") + "\n";
    assert_eq!(ask(&mut model, "status --all short"), short);
    let words = ["status", "--all", "a", "b"].map(str::to_owned);
    assert_eq!(run(&words, &mut model).code, 255);
}

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
