//! Configurations made to take long: twice as much text may take about twice as long, no more.
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
    print!("[{read:?} {dumped:?} {:?} {shown} {problems}] ", all - read - dumped);
    all
}

#[test]
fn twice_as_much_takes_twice_as_long() {
    const J: &str = "[a]\n";
    let many = |n: usize, one: &str| one.repeat(n);
    let numbered =
        |n: usize, one: &str| (0..n).map(|i| one.replace('#', &i.to_string())).collect::<String>();
    type Make<'m> = Box<dyn Fn(usize) -> (String, String, String) + 'm>;
    let fine = "failregex = ^x <HOST>$\n";
    let none = "actionban = true\n";
    let jail = |make: Box<dyn Fn(usize) -> String>| -> Make<'_> {
        Box::new(move |n| (format!("{J}{}", make(n)), fine.into(), none.into()))
    };
    let filter = |make: Box<dyn Fn(usize) -> String>| -> Make<'_> {
        Box::new(move |n| (J.into(), make(n), none.into()))
    };
    let action = |make: Box<dyn Fn(usize) -> String>| -> Make<'_> {
        Box::new(move |n| (J.into(), fine.into(), make(n)))
    };
    let cases: Vec<(&str, usize, Make<'_>)> = vec![
        (
            "words of ignoreip",
            20_000,
            jail(Box::new(move |n| format!("ignoreip = {}\n", many(n, "::1 ")))),
        ),
        (
            "wrong words of ignoreip",
            20_000,
            jail(Box::new(move |n| format!("ignoreip = {}\n", many(n, "! ")))),
        ),
        (
            "wrong lines of ignoreip",
            10_000,
            jail(Box::new(move |n| format!("ignoreip ={}\n", many(n, "\n !")))),
        ),
        (
            "percent signs",
            40_000,
            jail(Box::new(move |n| format!("maxretry = {}\n", many(n, "%%")))),
        ),
        (
            "references",
            10_000,
            jail(Box::new(move |n| format!("x = y\nmaxretry = {}\n", many(n, "%(x)s")))),
        ),
        (
            "open references",
            20_000,
            jail(Box::new(move |n| format!("maxretry = {}\n", many(n, "%(")))),
        ),
        ("stray lines", 20_000, jail(Box::new(move |n| many(n, "x\n")))),
        ("options nobody reads", 10_000, jail(Box::new(move |n| numbered(n, "o# = 1\n")))),
        ("twice", 10_000, jail(Box::new(move |n| many(n, "maxretry = 1\n")))),
        ("remarks", 20_000, jail(Box::new(move |n| format!("maxretry = 1\n{}", many(n, "# x\n"))))),
        ("remark lines", 20_000, jail(Box::new(move |n| format!("# x\n{}", many(n, "y\n"))))),
        (
            "blank lines",
            20_000,
            jail(Box::new(move |n| format!("logpath = x\n{} y\n", many(n, "\n")))),
        ),
        ("jails", 300, Box::new(move |n| (numbered(n, "[j#]\n"), fine.into(), none.into()))),
        (
            "jails of one letter",
            300,
            Box::new(move |n| (numbered(n, "[é#]\nmaxretry=3\n"), fine.into(), none.into())),
        ),
        (
            "actions",
            1_000,
            jail(Box::new(move |n| format!("action ={}\n", numbered(n, "\n a[actname=n#]")))),
        ),
        (
            "actions of one name",
            1_000,
            jail(Box::new(move |n| format!("action ={}\n", many(n, "\n a")))),
        ),
        (
            "actions that are not there",
            2_000,
            jail(Box::new(move |n| format!("action ={}\n", numbered(n, "\n b#")))),
        ),
        ("brackets", 20_000, jail(Box::new(move |n| format!("action = a[{}\n", many(n, "x=1,"))))),
        (
            "parameters",
            10_000,
            jail(Box::new(move |n| format!("action = a[{}]\n", numbered(n, "x#=1,")))),
        ),
        ("open brackets", 20_000, jail(Box::new(move |n| format!("action = {}\n", many(n, "a["))))),
        ("quotes", 20_000, jail(Box::new(move |n| format!("action = a[{}\n", many(n, "x=\"' "))))),
        (
            "conditions",
            20_000,
            jail(Box::new(move |n| format!("filter = f[{}=1]\n", many(n, "a?b")))),
        ),
        (
            "logs",
            20_000,
            jail(Box::new(move |n| format!("logpath = {}\n", many(n, "/l head\n  ")))),
        ),
        (
            "length of time",
            20_000,
            jail(Box::new(move |n| format!("findtime = {}\n", many(n, "1d ")))),
        ),
        ("sums", 20_000, jail(Box::new(move |n| format!("findtime = {}1\n", many(n, "1+"))))),
        (
            "multipliers",
            20_000,
            jail(Box::new(move |n| format!("bantime.multipliers = {}1\n", many(n, "1 ")))),
        ),
        (
            "wrong multipliers",
            20_000,
            jail(Box::new(move |n| format!("bantime.multipliers = {}1\n", many(n, "x ")))),
        ),
        (
            "words of the journal",
            20_000,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>\njournalmatch = {}\n", many(n, "A=1 + "))
            })),
        ),
        (
            "expressions",
            1_000,
            filter(Box::new(move |n| format!("failregex ={}\n", many(n, "\n ^x <HOST>$")))),
        ),
        (
            "wrong expressions",
            4_000,
            filter(Box::new(move |n| format!("failregex ={}\n", many(n, "\n (")))),
        ),
        (
            "some wrong expressions",
            1_000,
            filter(Box::new(move |n| format!("failregex ={}\n", many(n, "\n ^x <HOST>$\n (")))),
        ),
        (
            "groups",
            2_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\n", many(n, "(a b)")))),
        ),
        (
            "groups in each other",
            20,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>{}a b{}\n", many(n, "("), many(n, ")"))
            })),
        ),
        (
            "names of groups",
            2_000,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>{}\n", numbered(n, "<F-N#>a</F-N#>"))
            })),
        ),
        (
            "open tags",
            20_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\n", many(n, "<")))),
        ),
        (
            "closed tags",
            10_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\n", many(n, "</F-A>")))),
        ),
        (
            "tags",
            2_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\nx = y\n", many(n, "<x>")))),
        ),
        (
            "tags that nobody knows",
            10_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\n", numbered(n, "<x#>")))),
        ),
        (
            "options with tags",
            500,
            filter(Box::new(move |n| {
                format!(
                    "failregex = <HOST>\n{}",
                    (0..n).map(|i| format!("x{i} = <x{}>\n", i + 1)).collect::<String>()
                )
            })),
        ),
        (
            "sets",
            4_000,
            filter(Box::new(move |n| format!("failregex = <HOST>{}\n", many(n, "[^a-z]")))),
        ),
        (
            "braces of dates",
            20_000,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>\ndatepattern = {}\n", many(n, "{"))
            })),
        ),
        (
            "looks of dates",
            10_000,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>\ndatepattern = {}\n", many(n, "(?="))
            })),
        ),
        (
            "lines of dates",
            300,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>\ndatepattern ={}\n", numbered(n, "\n %%Y x#"))
            })),
        ),
        (
            "references of dates",
            5_000,
            filter(Box::new(move |n| {
                format!("failregex = <HOST>\ndatepattern = (?P<_s>[-])%%Y{}\n", many(n, "(?P=_s)"))
            })),
        ),
        (
            "tags of actions",
            2_000,
            action(Box::new(move |n| format!("actionban = echo {}\n", many(n, "<ip>")))),
        ),
        (
            "tags beside others",
            2_000,
            action(Box::new(move |n| format!("x = y\nactionban = echo {}\n", many(n, "<x><ip>")))),
        ),
        (
            "substitutions",
            10,
            action(Box::new(move |n| format!("actionban = {}x{}\n", many(n, "$("), many(n, ")")))),
        ),
        (
            "backticks",
            4_000,
            action(Box::new(move |n| format!("actionban = echo {}\n", many(n, "`x` ")))),
        ),
        (
            "here-documents",
            1_000,
            action(Box::new(move |n| format!("actionban = cat {}\n", many(n, "<<E ")))),
        ),
        ("commands", 8_000, action(Box::new(move |n| format!("actionban = {}\n", many(n, "x;"))))),
        ("pipes", 8_000, action(Box::new(move |n| format!("actionban = {}x\n", many(n, "sh|"))))),
        (
            "pipes and tags",
            3_000,
            action(Box::new(move |n| format!("actionban = {}x\n", many(n, "sh <ip>|")))),
        ),
        (
            "assignments",
            8_000,
            action(Box::new(move |n| format!("actionban = {}x\n", many(n, "a=b ")))),
        ),
        (
            "quoted",
            8_000,
            action(Box::new(move |n| format!("actionban = {}x\n", many(n, "\"$x\" ")))),
        ),
        (
            "conditional options",
            2_000,
            action(Box::new(move |n| {
                format!(
                    "actionban = true\n[Init]\n{}[Init?family=inet6]\n{}",
                    numbered(n, "a#=1\n"),
                    numbered(n, "a#=2\n")
                )
            })),
        ),
    ];
    let mut slow = Vec::new();
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, n, make) in cases.iter().filter(|case| case.0.contains(&only)) {
        print!("{name:28} ");
        let times = [1, 4].map(|factor| {
            let (jail, filter, action) = make(n * factor);
            takes(&jail, &filter, &action)
        });
        let ratio = times[1].as_secs_f64() / times[0].as_secs_f64().max(0.002);
        println!("{ratio:.1}");
        if ratio > 10.0 {
            slow.push((*name, times));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
