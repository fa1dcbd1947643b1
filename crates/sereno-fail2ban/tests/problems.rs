//! What is wrong is said, with its place and a remedy; and what is right stands.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::too_many_lines,
    dead_code,
    reason = "a test reads real files, asks the real program, and looks at the clock"
)]

use proptest::prelude::*;
use sereno_core::time::Time;
use sereno_fail2ban::{Compiler, Family, Files, Length, Severity, Tree, commands, read};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Files in memory.
struct Shelf(BTreeMap<String, String>);

impl Shelf {
    /// Files one after another; each begins with a line `== path`.
    fn new(files: &str) -> Self {
        let files = files.split("== ").skip(1).filter_map(|file| file.split_once('\n'));
        Self(files.map(|(path, text)| (format!("/f/{path}"), text.to_owned())).collect())
    }
}

impl Files for Shelf {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let inside = |path: &String| {
            let name = path.strip_prefix(directory)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        self.0.keys().filter_map(inside).collect()
    }
}

const BASE: &str = "== filter.d/good.conf\n[Definition]\nfailregex = ^x <HOST>$\n\
    == action.d/do.conf\n[Definition]\nactionban = echo <ip> <blocktype> <port>\n\
    [Init]\nblocktype = drop\nport = 1\n[Init?family=inet6]\nblocktype = drop6\n";
const JAIL: &str = "enabled = true\nfilter = good\naction = do\n";

fn tree(files: &str) -> Tree {
    read(&Shelf::new(&format!("{BASE}{files}")), "/f/")
}

/// A tree with a good jail and one with these lines.
fn with(lines: &str) -> Tree {
    tree(&format!("== jail.conf\n[good]\n{JAIL}[bad]\n{JAIL}== jail.local\n[bad]\n{lines}"))
}

fn shown(tree: &Tree) -> Vec<String> {
    let place = |p: &sereno_fail2ban::Problem| {
        format!(
            "{}:{}:{}: {} | {}",
            p.file.trim_start_matches("/f/"),
            p.line,
            p.column,
            p.message,
            p.remedy
        )
    };
    tree.problems.iter().map(place).collect()
}

#[test]
fn what_fail2bans_own_test_lets_pass_is_found() {
    for (line, place, message, remedy) in [
        ("bantime = 10q", "2:13", "\"q\" is not a unit of time", "write bantime = 600, 10m"),
        ("findtime = abc", "2:12", "is no length of time", "write findtime = 600"),
        ("maxretry = x", "2:12", "\"x\" is not a whole number", "write maxretry = 5"),
        ("maxretry = x # three", "2:12", "is not a whole number", "behind a ; with a blank"),
        ("maxretry = 0", "2:12", "maxretry is at least 1", "write maxretry = 5"),
        ("datepattern = %%Q", "2:15", "\"%Q\" stands for no part of a date", "strptime"),
        ("ignoreip = ::1 999.1.1.1/99", "2:16", "\"999.1.1.1/99\" is no address", "192.0.2.0/24"),
        ("usedns = maybe", "2:10", "nothing that usedns can be", "yes, warn, no, raw"),
        ("filter = godo", "2:10", "there is no filter called \"godo\"", "did you mean good?"),
        ("action = d0", "2:10", "there is no action called \"d0\"", "did you mean do?"),
        ("backend = poling", "2:11", "there is no backend \"poling\"", "did you mean polling?"),
        ("bantime.multipliers = 1  2", "2:25", "is not a whole number", "1 2 4 8"),
        ("bantime.maxtime = -1", "2:19", "cannot be negative", "write 600"),
        ("logpath = /var/log/x # tail", "2:11", "# begins no remark", "behind a ;"),
        ("logpath = /var/log/my app.log", "2:11", "head or tail is expected", "put head behind"),
        ("enabled = “true”", "2:11", "is neither true nor false", "typographic"),
        ("action = do[name=x", "2:12", "this [ is not closed", "write ]"),
        ("action = do do", "2:13", "an action called \"do\" already", "actname="),
        (
            "ignorecommand = %(filtr)s",
            "2:17",
            "there is no option \"filtr\"",
            "did you mean %(filter)s?",
        ),
        ("ignorecommand = 5%", "2:18", "a % has to be followed", "write %%"),
        ("ignorecache = max-count=1", "2:15", "has no key", "write ignorecache = key="),
        ("journalmatch = 'a", "2:16", "a quote is not closed", "close the quote"),
        ("two\n", "2:1", "is no option: it has no =", "write name = value"),
    ] {
        let tree = with(line);
        let problems = shown(&tree);
        let found = problems
            .iter()
            .find(|p| p.contains(message))
            .unwrap_or_else(|| panic!("{line}: {problems:?}"));
        assert!(found.starts_with(&format!("jail.local:{place}: ")), "{line}: {problems:?}");
        assert!(found.contains(remedy), "{line}: {problems:?}");
        assert!(tree.has_errors());
        let standing: Vec<&str> = tree.standing().map(|jail| jail.name.as_str()).collect();
        assert_eq!(standing, ["good"], "{line}");
    }
}

#[test]
fn warnings_leave_the_jail_standing() {
    for (line, message) in [
        ("maxretri = 3", "nothing reads \"maxretri\" in [bad] | did you mean maxretry?"),
        ("maxretry = 3\u{a0}", ""),
        ("maxretry = 3 # three", "2:14: here # begins no remark, but it is taken for one"),
        ("enabled = yes # on", "2:15: here # begins no remark"),
        ("bantime = 1h #long", "2:14: here # begins no remark"),
        ("logpath = /a\n  /b #log", "3:6: here # begins no remark"),
        ("ignoreip = ::1 # my router", "2:16: here # begins no remark"),
        ("usedns = no # never", "2:13: here # begins no remark"),
        ("backend = polling # slow", "2:19: here # begins no remark"),
        ("logtimezone = UTC # all of us", "2:19: here # begins no remark"),
        ("filter = good # the best", "2:15: here # begins no remark"),
        ("filter = good[x=\"a #\"] # it", "2:24: here # begins no remark"),
        ("action = do # the [ best\n  do[name=two]", "2:13: here # begins no remark"),
        ("ignorecommand = a\u{a0}b", "U+00A0 is a blank of a web page"),
        ("bantime = 0", "a ban of no length"),
        ("action =", "[bad] has no action"),
        ("[INCLUDES]\nbefore = nothere.conf", "there is no file /f/nothere.conf to include"),
    ] {
        let tree = with(line);
        let problems = shown(&tree);
        assert!(!tree.has_errors() && tree.standing().count() == 2, "{line}: {problems:?}");
        assert!(message.is_empty() || problems[0].contains(message), "{line}: {problems:?}");
    }
    assert_eq!(shown(&with("include = 1\nbefore = %(include)s")), [""; 0]);
}

#[test]
fn values_mean_something() {
    let tree = with(
        "bantime = -1\nfindtime = 1h\nlogpath = /a*\n /b tail\nignoreip = ::1, h\nignorecache = key=\"<ip>\", max-time=1m\n",
    );
    let jail = tree.standing().nth(1).unwrap();
    assert_eq!(jail.settings.bantime, Some(Length::Forever));
    assert_eq!(jail.settings.findtime, Some(Duration::from_secs(3600)));
    let paths: Vec<(&str, bool)> =
        jail.settings.logpath.iter().map(|path| (path.pattern.as_str(), path.tail)).collect();
    assert_eq!(paths, [("/a*", false), ("/b", true)]);
    assert_eq!(jail.settings.ignorecache.as_ref().unwrap().time, Duration::from_secs(60));
    let filter = jail.filter.as_ref().unwrap();
    assert_eq!(
        (filter.failregex[0].as_str(), filter.logtype.as_ref().unwrap().as_str()),
        ("^x <HOST>$", "file")
    );
    let problem = tree.problem(Severity::Error, (&filter.failregex[0], 3, 6), "no", "yes");
    assert_eq!(
        (problem.file.as_str(), problem.line, problem.column),
        ("/f/filter.d/good.conf", 2, 16)
    );
    let action = &jail.actions[0];
    let ban = |family| action.filled(family).unwrap().get("actionban").unwrap().as_str().to_owned();
    assert_eq!(ban(Family::V4), "echo <ip> drop 1");
    assert_eq!(ban(Family::V6), "echo <ip> drop6 1");
    assert_eq!(action.property("blocktype", Family::V6).unwrap().as_str(), "drop6");
}

#[test]
fn remarks_are_no_part_of_values() {
    let tree = with(
        "maxretry = 7 # x\nignoreip = ::1 # a b\nenabled = off # x\n[good]\nlogpath = /a # x\nusedns = raw # x\n",
    );
    let [good, bad] = &tree.jails[..] else { panic!("{:?}", tree.jails) };
    assert!(good.enabled && !bad.enabled);
    assert_eq!(good.settings.logpath[0].pattern.as_str(), "/a");
    assert_eq!(good.filter.as_ref().unwrap().usedns.as_ref().unwrap().as_str(), "raw");
    assert_eq!((bad.settings.maxretry, bad.settings.ignoreip.len()), (Some(7), 1));
}

#[test]
fn a_broken_filter_takes_down_only_its_jails() {
    let tree = tree(&format!(
        "== filter.d/torn.conf\n[Definition]\nfailregex = ^a <HOST> -\n\nwrong\n  ^b: <HOST>\n^c: <HOST>\n\
         == jail.conf\nlost = 1\n[DEFAULT]\nstray\n[good]\n{JAIL}[torn]\n{JAIL}== jail.local\n[torn]\nfilter = torn\n"
    ));
    let problems = shown(&tree);
    assert_eq!(tree.standing().map(|jail| jail.name.as_str()).collect::<Vec<_>>(), ["good"]);
    for begin in [
        "filter.d/torn.conf:4:1: this is no option, and not indented, so it is no part of failregex",
        "filter.d/torn.conf:6:1: this is not indented; it is taken for one more line of failregex",
        "jail.conf:1:1: this stands before the first [section]",
        "jail.conf:3:1: \"stray\" is no option",
        "jail.local:2:10: the filter torn has errors",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(begin)), "{begin} {problems:?}");
    }
    // What is right of it is there for whoever wants to go on with it.
    let torn = tree.jails.iter().find(|jail| jail.name == "torn").unwrap();
    assert!(torn.set_aside && torn.filter.as_ref().unwrap().failregex.len() == 3);
}

/// What a jail says is wrong in what only its compiler sees, and what of it is left.
fn compiled(lines: &str) -> (Vec<String>, Option<usize>) {
    let tree = with(lines);
    let mut compiler = Compiler::new(jiff::tz::TimeZone::UTC, |_| None, Time(0));
    let compiled = compiler.jail(&tree, &tree.jails[1]);
    let told = compiled.problems.iter().map(|p| {
        let file = p.file.trim_start_matches("/f/");
        format!("{file}:{}:{}: {:?} {}", p.line, p.column, p.severity, p.message)
    });
    (told.collect(), compiled.filter.map(|filter| filter.len()))
}

#[test]
fn a_wrong_expression_is_left_out_and_the_others_stand() {
    for (lines, told, left) in [
        (
            "failregex = ^(abc <HOST>\n  ^d <HOST>",
            "2:14: Error failregex: this ( is never closed by a ); this expression is left out",
            Some(1),
        ),
        ("failregex = ^abc\n  ^d <ADDR>$", "2:13: Error failregex: it says nowhere whom", Some(1)),
        ("failregex = (from <HOST>)", "2:13: Warning failregex: these parentheses make", Some(1)),
        ("failregex = (<HOST>", "2:13: Error failregex: this ( is never closed by a )", None),
        ("ignoreregex = ^(abc", "2:16: Error ignoreregex: this ( is never closed", None),
        ("prefregex = ^[a <F-CONTENT>.*</F-CONTENT>", "2:14: Error prefregex: this [ is", None),
        ("logtimezone = Europe/Nowhere", "2:15: Error logtimezone: ", None),
    ] {
        let (problems, filter) = compiled(lines);
        assert_eq!(filter, left, "{lines}");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("jail.local:{told}")), "{problems:?}");
        assert!(
            problems[0].contains("left out") == (told.contains("Error") && left.is_some()),
            "{problems:?}"
        );
    }
}

#[test]
fn bombs_and_circles_end() {
    let mut tags = "== filter.d/bomb.conf\n[Definition]\nfailregex = <a0>\n".to_owned();
    let mut names = String::new();
    for level in 0..24 {
        tags += &format!("a{level} = <a{0}><a{0}><a{0}>\n", level + 1);
        names += &format!("a{level} = {}\n", format!("%(a{})s", level + 1).repeat(9));
    }
    let mut includes = String::new();
    for level in 0..30 {
        includes += &format!(
            "== i{level}.conf\n[INCLUDES]\nbefore = i{0}.conf\n i{0}.conf\n i{0}.conf\n",
            level + 1
        );
    }
    let begin = Instant::now();
    for files in [
        format!(
            "{tags}a24 = xxxxxxxx\n== jail.conf\n[j]\n{JAIL}== jail.local\n[j]\nfilter = bomb\n"
        ),
        format!("== jail.conf\n[DEFAULT]\n{names}a24 = x\n[j]\n{JAIL}ignorecommand = %(a16)s\n"),
        format!("{includes}== jail.conf\n[INCLUDES]\nbefore = i0.conf\n[j]\n{JAIL}"),
    ] {
        let tree = tree(&files);
        assert!(tree.has_errors() && tree.problems.len() < 100, "{:?}", tree.problems.len());
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn nothing_at_all_is_said() {
    let tree = read(&Shelf(BTreeMap::new()), "/f");
    assert_eq!(
        tree.problems[0].to_string().lines().next(),
        Some("/f/jail.conf: there is no jail.conf and no jail.local, so there are no jails")
    );
}

/// Pieces that mean something, so that inputs get past the first line.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[j]\n",
        "[DEFAULT]\n",
        "[INCLUDES]\n",
        "[Definition]\n",
        "[Init]\n",
        "[Init?family=inet6]\n",
        "enabled=1\n",
        "filter = x\n",
        "filter = j[a=<b>,c=\"",
        "action = x[",
        "before = jail.conf\n",
        "after=",
        "failregex = ",
        "%(a)s",
        "%(known/a)s",
        "%(j/a)s",
        "%(",
        "%%",
        "<a>",
        "<a-<b>>",
        "<known/a>",
        "<",
        "a = ",
        "b = ",
        "c : ",
        "\n",
        "\n  ",
        " ; ",
        "# ",
        "]",
        "[",
        "\"",
        "'",
        ",",
        "=",
        "“",
        "\u{a0}",
        "bantime = ",
        "1d",
        "(",
        ")",
        "-",
        "maxretry = ",
        "ignoreip = ",
        "datepattern = %%",
        "journalmatch = '",
        "logpath = ",
        "ignorecache = ",
        "\\",
    ]);
    prop_oneof![8 => words.prop_map(ToOwned::to_owned), 1 => "\\PC{0,8}", 1 => "[ -~]{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_takes_long_or_panics(pieces in prop::collection::vec(piece(), 0..500)) {
        let mut text = pieces.concat();
        while text.len() > 4096 {
            text.pop();
        }
        let shelf = Shelf(["jail.conf", "jail.local", "filter.d/x.conf", "filter.d/j.conf", "action.d/x.conf", "fail2ban.conf"]
            .into_iter().map(|path| (format!("/f/{path}"), text.clone())).collect());
        let begin = Instant::now();
        let tree = read(&shelf, "/f");
        let lines = commands(&tree, &|path| vec![path.to_owned()]);
        let took = begin.elapsed();
        prop_assert!(tree.problems.iter().all(|problem| !problem.to_string().is_empty()));
        prop_assert!(lines.len() < 10_000 && took < Duration::from_secs(2), "{took:?}");
    }

    #[test]
    fn lengths_of_time_never_panic(text in "[0-9a-z+*/() .#_-]{0,4096}") {
        let _ = sereno_fail2ban::seconds(&text);
    }
}

/// Four times the text takes not much more than four times as long, whatever it is made of.
#[test]
fn time_grows_with_the_text() {
    for pattern in [
        "a%N = %(a%N)s\n",
        "<",
        "%(",
        "[",
        "a%N = <b%N>\n",
        "x ",
        " ;",
        "[j%N]\nenabled=1\nfilter=x\n",
        "[x=1,",
        "“",
        "\n ",
        "before = i%N.conf\n",
        "%(x%N)s",
        "<x%N>",
        "]",
        "%(a/",
        "y%N = %(default/z)s\n",
        "'",
        "1 ",
        "\nword",
        "\nword <HOST>",
        "\n# r\nword",
        "a[x=1,\nx=2,\ny=3,",
        " #",
    ] {
        let made = |count: usize| {
            let text: String =
                (0..count).map(|at| pattern.replace("%N", &at.to_string())).collect();
            let definition = format!("[Definition]\nfailregex = {text}\n[Init]\nq = {text}\n");
            let jail = format!(
                "[INCLUDES]\nbefore = {text}\n[j]\n{JAIL}ignorecommand = {text}\nignoreip = {text}\nbantime = {text}\naction = {text}\n{text}\n"
            );
            let jail = jail.replacen("filter = good\naction = do\n", "filter = x\n", 1);
            let shelf =
                Shelf::new(&format!("== jail.conf\n{jail}== filter.d/x.conf\n{definition}"));
            let begin = Instant::now();
            let tree = read(&shelf, "/f");
            assert!(!commands(&tree, &|_| Vec::new()).is_empty());
            begin.elapsed()
        };
        let small = (0..3).map(|_| made(2000)).min().unwrap();
        let large = (0..3).map(|_| made(8000)).min().unwrap();
        println!("{pattern:?}: {small:?} {large:?}");
        let most = small * 10 + Duration::from_millis(30);
        assert!(large < most, "{pattern:?}: {small:?} {large:?}");
    }
}

#[test]
fn what_stands_in_no_file_has_the_place_where_it_is_asked_for() {
    let tree = with("ignorecommand = %(fail2ban_confpath)s/ask %(__name__)s <ip>\n");
    let jail = tree.jails.iter().find(|jail| jail.name == "bad").unwrap();
    let text = jail.settings.ignorecommand.clone().unwrap();
    assert_eq!(text.as_str(), "/f/ask bad <ip>");
    for (at, column) in [(0, 17), (text.as_str().find("bad").unwrap(), 43)] {
        let problem = tree.problem(Severity::Warning, (&text, at, 1), "x", "y");
        assert_eq!(
            (problem.file.as_str(), problem.line, problem.column),
            ("/f/jail.local", 2, column)
        );
    }
}

#[test]
fn a_long_list_is_no_circle() {
    let list: String =
        (0..100_000).map(|n| format!(" 10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect();
    let tree = with(&format!("ignoreip ={list}\n"));
    let said = shown(&tree).join("\n");
    assert!(said.contains("a value has 1 MiB at most, and this one more | write less: "), "{said}");
}
