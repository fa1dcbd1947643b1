//! Configurations made to take long: eight times as much text may take about eight times as long.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test asks a clock, and says what it saw"
)]

use jiff::tz::TimeZone;
use sereno_core::time::Time;
use sereno_fail2ban::act::acts;
use sereno_fail2ban::{Compiler, Files, commands, read};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const NOW: Time = Time(1_795_000_000_000_000);

/// Files by their paths.
struct Given(BTreeMap<String, String>);

impl Files for Given {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// How long a tree takes: to be read, to be dumped, and to be compiled.
fn takes(jail: &str, filter: &str, action: &str) -> Duration {
    let jail = format!("[DEFAULT]\nlogpath = /l\nenabled = true\nfilter = f\naction = a\n{jail}");
    let (filter, action) = (format!("[Definition]\n{filter}"), format!("[Definition]\n{action}"));
    let files =
        [("/f/jail.conf", jail), ("/f/filter.d/f.conf", filter), ("/f/action.d/a.conf", action)];
    let files = Given(files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect());
    let start = Instant::now();
    let tree = read(&files, "/f");
    let read = start.elapsed();
    let shown: usize =
        commands(&tree, &|_| Vec::new()).iter().map(|one| one.to_string().len()).sum();
    let dumped = start.elapsed() - read;
    let mut compiler = Compiler::new(TimeZone::UTC, |_| None, NOW);
    let mut problems = tree.problems.len();
    for jail in tree.jails.iter().filter(|jail| jail.enabled) {
        problems += compiler.jail(&tree, jail).problems.len() + acts(&tree, jail).problems.len();
    }
    let all = start.elapsed();
    print!("[{read:?} {dumped:?} {:?} {shown} {problems}] ", all.saturating_sub(read + dumped));
    all
}

/// The file that a case is about.
#[derive(Clone, Copy)]
enum Place {
    Jail,
    Filter,
    Action,
}

fn many(n: usize, one: &str) -> String {
    one.repeat(n)
}

/// The same, each with its number in the place of `#`.
fn numbered(n: usize, one: &str) -> String {
    (0..n).map(|number| one.replace('#', &number.to_string())).collect()
}

/// What it is, how many of it, and what is written.
type Case = (&'static str, usize, Place, fn(usize) -> String);

const CASES: &[Case] = &[
    ("words of ignoreip", 10_000, Place::Jail, |n| format!("ignoreip = {}\n", many(n, "::1 "))),
    ("wrong words of ignoreip", 10_000, Place::Jail, |n| format!("ignoreip = {}\n", many(n, "! "))),
    ("wrong lines of ignoreip", 5000, Place::Jail, |n| format!("ignoreip ={}\n", many(n, "\n !"))),
    ("percent signs", 20_000, Place::Jail, |n| format!("maxretry = {}\n", many(n, "%%"))),
    ("references", 5000, Place::Jail, |n| format!("x = y\nmaxretry = {}\n", many(n, "%(x)s"))),
    ("open references", 10_000, Place::Jail, |n| format!("maxretry = {}\n", many(n, "%("))),
    ("stray lines", 10_000, Place::Jail, |n| many(n, "x\n")),
    ("options nobody reads", 5000, Place::Jail, |n| {
        numbered(n, "an-option-of-a-long-name-# = 1\n")
    }),
    ("twice", 5000, Place::Jail, |n| many(n, "maxretry = 1\n")),
    ("remarks", 10_000, Place::Jail, |n| format!("maxretry = 1\n{}", many(n, "# x\n"))),
    ("remark lines", 10_000, Place::Jail, |n| format!("# x\n{}", many(n, "y\n"))),
    ("blank lines", 10_000, Place::Jail, |n| format!("logpath = x\n{} y\n", many(n, "\n"))),
    ("actions", 500, Place::Jail, |n| format!("action ={}\n", numbered(n, "\n a[actname=n#]"))),
    ("actions of one name", 500, Place::Jail, |n| format!("action ={}\n", many(n, "\n a"))),
    ("actions that are not there", 1000, Place::Jail, |n| {
        format!("action ={}\n", numbered(n, "\n b#"))
    }),
    ("brackets", 10_000, Place::Jail, |n| format!("action = a[{}\n", many(n, "x=1,"))),
    ("parameters", 5000, Place::Jail, |n| format!("action = a[{}]\n", numbered(n, "x#=1,"))),
    ("open brackets", 10_000, Place::Jail, |n| format!("action = {}\n", many(n, "a["))),
    ("quotes", 10_000, Place::Jail, |n| format!("action = a[{}\n", many(n, "x=\"' "))),
    ("conditions", 10_000, Place::Jail, |n| format!("filter = f[{}=1]\n", many(n, "a?b"))),
    ("logs", 10_000, Place::Jail, |n| format!("logpath = {}\n", many(n, "/l head\n  "))),
    ("length of time", 10_000, Place::Jail, |n| format!("findtime = {}\n", many(n, "1d "))),
    ("sums", 10_000, Place::Jail, |n| format!("findtime = {}1\n", many(n, "1+"))),
    ("multipliers", 10_000, Place::Jail, |n| format!("bantime.multipliers = {}1\n", many(n, "1 "))),
    ("wrong multipliers", 10_000, Place::Jail, |n| {
        format!("bantime.multipliers = {}1\n", many(n, "x "))
    }),
    ("words of the journal", 10_000, Place::Filter, |n| {
        format!("failregex = <HOST>\njournalmatch = {}\n", many(n, "A=1 + "))
    }),
    ("expressions", 500, Place::Filter, |n| format!("failregex ={}\n", many(n, "\n ^x <HOST>$"))),
    ("wrong expressions", 2000, Place::Filter, |n| format!("failregex ={}\n", many(n, "\n ("))),
    ("some wrong expressions", 500, Place::Filter, |n| {
        format!("failregex ={}\n", many(n, "\n ^x <HOST>$\n ("))
    }),
    ("groups", 1000, Place::Filter, |n| format!("failregex = <HOST>{}\n", many(n, "(a b)"))),
    ("groups in each other", 10, Place::Filter, |n| {
        format!("failregex = <HOST>{}a b{}\n", many(n, "("), many(n, ")"))
    }),
    ("names of groups", 1000, Place::Filter, |n| {
        format!("failregex = <HOST>{}\n", numbered(n, "<F-N#>a</F-N#>"))
    }),
    ("open tags", 10_000, Place::Filter, |n| format!("failregex = <HOST>{}\n", many(n, "<"))),
    ("closed tags", 5000, Place::Filter, |n| format!("failregex = <HOST>{}\n", many(n, "</F-A>"))),
    ("tags", 1000, Place::Filter, |n| format!("failregex = <HOST>{}\nx = y\n", many(n, "<x>"))),
    ("tags that nobody knows", 5000, Place::Filter, |n| {
        format!("failregex = <HOST>{}\n", numbered(n, "<x#>"))
    }),
    ("sets", 2000, Place::Filter, |n| format!("failregex = <HOST>{}\n", many(n, "[^a-z]"))),
    ("braces of dates", 10_000, Place::Filter, |n| {
        format!("failregex = <HOST>\ndatepattern = {}\n", many(n, "{"))
    }),
    ("looks of dates", 5000, Place::Filter, |n| {
        format!("failregex = <HOST>\ndatepattern = {}\n", many(n, "(?="))
    }),
    ("lines of dates", 150, Place::Filter, |n| {
        format!("failregex = <HOST>\ndatepattern ={}\n", numbered(n, "\n %%Y x#"))
    }),
    ("references of dates", 2500, Place::Filter, |n| {
        format!("failregex = <HOST>\ndatepattern = (?P<_s>[-])%%Y{}\n", many(n, "(?P=_s)"))
    }),
    ("tags of actions", 1000, Place::Action, |n| format!("actionban = echo {}\n", many(n, "<ip>"))),
    ("tags beside others", 1000, Place::Action, |n| {
        format!("x = y\nactionban = echo {}\n", many(n, "<x><ip>"))
    }),
    ("substitutions", 10, Place::Action, |n| {
        format!("actionban = {}x{}\n", many(n, "$("), many(n, ")"))
    }),
    ("backticks", 2000, Place::Action, |n| format!("actionban = echo {}\n", many(n, "`x` "))),
    ("here-documents", 500, Place::Action, |n| format!("actionban = cat {}\n", many(n, "<<E "))),
    ("commands", 4000, Place::Action, |n| format!("actionban = {}\n", many(n, "x;"))),
    ("pipes", 4000, Place::Action, |n| format!("actionban = {}x\n", many(n, "sh|"))),
    ("pipes and tags", 1500, Place::Action, |n| format!("actionban = {}x\n", many(n, "sh <ip>|"))),
    ("assignments", 4000, Place::Action, |n| format!("actionban = {}x\n", many(n, "a=b "))),
    ("quoted", 4000, Place::Action, |n| format!("actionban = {}x\n", many(n, "\"$x\" "))),
    ("conditional options", 1000, Place::Action, |n| {
        format!(
            "actionban = true\n[Init]\n{}[Init?family=inet6]\n{}",
            numbered(n, "a#=1\n"),
            numbered(n, "a#=2\n")
        )
    }),
    ("jails", 100, Place::Jail, |n| numbered(n, "[j#]\n")),
    ("jails with options", 100, Place::Jail, |n| numbered(n, "[\u{e9}#]\nmaxretry = 3\n")),
];

/// How much more there is the second time.
const FACTOR: usize = 8;

#[test]
fn much_takes_no_longer_than_it_must() {
    let mut slow = Vec::new();
    for (name, n, place, make) in CASES {
        print!("{name:28} ");
        let times = [*n, n * FACTOR].map(|n| {
            let text = make(n);
            let (fine, none) = ("failregex = ^x <HOST>$\n", "actionban = true\n");
            let take = || match place {
                Place::Jail => takes(&format!("[a]\n{text}"), fine, none),
                Place::Filter => takes("[a]\n", &text, none),
                Place::Action => takes("[a]\n", fine, &text),
            };
            take().min(take())
        });
        let ratio = times[1].as_secs_f64() / times[0].as_secs_f64().max(0.002);
        println!("{ratio:.1}");
        // It would be 64 if each were compared with each.
        if ratio > 3.0 * FACTOR as f64 {
            slow.push((*name, times));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
