//! What compiling and searching cost at worst.

use crate::oracle::Oracle;
use crate::stock::{Dice, stock};
use rustix::time::{ClockId, clock_gettime};
use sereno_core::filter::regex::{Exhausted, Options, Regex, Room};
use std::time::Duration;

/// What it costs the processor: what else the machine does is not counted.
fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let spent = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let start = spent();
    let result = work();
    (spent().saturating_sub(start), result)
}

/// The least of a few times.
fn least(mut work: impl FnMut()) -> Duration {
    (0..3).map(|_| time(&mut work).0).min().unwrap()
}

/// KiB that this process holds; of one test only if it runs alone.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

fn compile(text: &str, multiline: bool) -> Regex {
    Regex::compile(text, Options { multiline, raw_or_dns: true }).unwrap()
}

fn pumped(head: &str, pump: &str, times: usize, tail: &str) -> String {
    format!("{head}{}{tail}\n", pump.repeat(times))
}

/// Lines on which fail2ban takes seconds, or took them: its GHSA-33wh-ccjc-p397 for dovecot and
/// domino-smtp, and what was found by measuring the others.
fn known() -> Vec<(&'static str, String)> {
    let bans = |blank: usize| pumped("fail2ban.actions [1]: NOTICE", "\t", blank, "[x] Ban");
    vec![
        (
            "dovecot",
            pumped("Disconnected: Inactivity", ": a(b) c", 24, " (auth failed, 1 attempts): x"),
        ),
        ("dovecot", pumped("Aborted login:", " a:", 24, " (no auth attempts): rip=")),
        ("dovecot", pumped("Aborted login", ": a:", 2000, " (no auth attempts): rip=")),
        ("domino-smtp", pumped("smtp: ", "a ", 30, "[192.0.2.1 authentication")),
        ("domino-smtp", pumped("smtp: ", "a ", 3000, "[192.0.2.1 authentication")),
        ("freeswitch", pumped("", "\t", 2000, "x")),
        ("freeswitch", pumped("a", "\t", 2000, "[WARNING] sofia_reg.c:1")),
        ("recidive", pumped("", "\t", 2000, "x")),
        ("recidive", bans(2000)),
        ("grafana", pumped(" msg=\"Invalid username or password\"", " a=\"b\"", 2000, " remote")),
        ("grafana", pumped(" msg=\"Invalid username or password\"", " a=", 4000, "\"x\" r")),
        ("slapd", {
            let head = "conn=1 fd=2 ACCEPT from IP=192.0.2.1:3 (IP=x)\nconn=1 op=2 RESULT";
            pumped(head, " a=b", 3000, " err=50")
        }),
        ("slapd", pumped("", " conn=1", 1700, " fd=2 ACCEPT from IP=192.0.2.1")),
    ]
}

#[test]
fn lines_that_stall_fail2ban_cost_little() {
    let Some(mut oracle) = Oracle::start() else { return };
    let (expressions, _) = stock(&mut oracle);
    let mut room = Room::new();
    for (name, text) in known() {
        let own = expressions.iter().filter(|(filter, ..)| filter == name);
        for (_, expression, multiline) in own {
            let regex = compile(expression, *multiline);
            let took =
                least(|| assert!(regex.search(&text, &mut room).is_ok() || !regex.is_linear()));
            assert!(
                took < Duration::from_millis(5),
                "{took:?}: {expression}\n{:?}",
                &text[..80.min(text.len())]
            );
        }
    }
}

/// Every stock expression on lines of 64 KiB made of one piece over and over.
#[test]
fn long_lines_cost_milliseconds() {
    let Some(mut oracle) = Oracle::start() else { return };
    let (expressions, samples) = stock(&mut oracle);
    let mut dice = Dice(0x10_4601);
    let pumps = [
        "a", " ", "\t", "a ", "a: ", "[", "1.", "<a", "\"", "=\" a", "a(b)", ": a", "é ", "a.b ",
        "1 ",
    ];
    let (mut room, mut worst) = (Room::new(), Vec::new());
    for (_, expression, multiline) in &expressions {
        let regex = compile(expression, *multiline);
        let fit: Vec<&String> = samples
            .iter()
            .filter(|text| regex.search(&format!("{text}\n"), &mut room) == Ok(true))
            .take(4)
            .collect();
        for pump in pumps {
            // By itself, and in the middle of a line that matches.
            let (head, tail) = match fit.get(dice.roll(5)) {
                Some(text) => {
                    let at = dice.roll(text.len());
                    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                    text.split_at(at)
                }
                None => ("", "x"),
            };
            let text = pumped(head, pump, (64 << 10) / pump.len(), tail);
            let (mut took, found) = time(|| regex.search(&text, &mut room));
            if took > Duration::from_millis(20) {
                took = least(|| {
                    let _ = regex.search(&text, &mut room);
                });
            }
            assert!(found.is_ok() || !regex.is_linear(), "{expression}");
            worst.push((took, found, expression, pump, head.to_owned()));
        }
    }
    worst.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    println!("{} searches of 64 KiB: the longest", worst.len());
    for (took, found, expression, pump, head) in worst.iter().take(8) {
        println!("  {took:?} {found:?} {pump:?} behind {head:?}: {expression}");
    }
    assert!(worst[0].0 < Duration::from_millis(100), "{:?}", worst[0]);
}

/// Where a search is not linear it ends all the same.
#[test]
fn the_budget_of_steps_is_small() {
    let mut room = Room::new();
    let lines = [
        pumped("", "a", 64 << 10, "bc"),
        pumped("", "a ", 32 << 10, "bc"),
        pumped("", "é", 32 << 10, "bc"),
        pumped("x", "\t", 64 << 10, "bc"),
    ];
    // The sieve lets them pass, and they do not match.
    let expressions = [
        r"((?:\w+\s*)+)b\1c",
        r"^(.*)(.*)(.*)(.*)(?!\4)\3\2\1cx?$(?<!c)",
        r"(?:(a|aa|é|\s)+)+b\1c",
        r"(?=.*b\n|.*c)\wcb|(?=.*bb).",
        r"(?>(?:a|aa|\s)*)a(?:b|)",
        r"(?i:(.+)b\1.+c)",
        r"(.{0,60000})(?!.*bc)c",
        r"(?!(?:.*)*b)[^a]",
        r"(.*)(?<!b.{100})b\1c(?<!.)",
        r"(?:(?:(?:[aé]?)*)*)*(.)\1bc(?<!c)",
        r"(?:(?:(?:[aé]?)*)*)*b(?<!b)c",
        r"(?:a{0,250}b?){30}(?!.)bc",
    ];
    let mut longest = Duration::ZERO;
    for expression in expressions {
        let regex = compile(expression, false);
        for line in &lines {
            let mut found = Ok(false);
            let took = least(|| found = regex.search(line, &mut room));
            println!("{took:?} {found:?} {expression} {}", &line[..2]);
            longest = longest.max(took);
        }
    }
    let regex = compile(expressions[0], false);
    assert!(!regex.is_linear());
    assert_eq!(regex.search(&lines[0], &mut room), Err(Exhausted));
    println!("the longest: {longest:?}");
    // 5 ms where the compiler does its best.
    assert!(longest < Duration::from_millis(60), "{longest:?}");
}

/// Expressions of 64 KiB, or that stand for more.
fn hostile() -> Vec<String> {
    let long = |part: &str| part.repeat((64 << 10) / part.len());
    let nested = |open: &str, close: &str| {
        let n = 60_000 / (open.len() + close.len());
        format!("{}a{}", open.repeat(n), close.repeat(n))
    };
    let some = |open: &str, close: &str| format!("{}a{}", open.repeat(120), close.repeat(120));
    vec![
        long("a"),
        long("(a)"),
        long("a|"),
        long("[a-z]*"),
        long(r"\w"),
        long(r"[\wé]"),
        long(r"[^\Wé]{9}"),
        long("(?i:é)"),
        format!("(?i){}", long("[à-\u{ffff}]")),
        format!("(?i){}", long(r"[\x00-\U0010ffff]")),
        long("<HOST>"),
        long("<SKIPLINES>"),
        long("(?P<a>x)"),
        long(r"(?=a)"),
        long("(?:a*)*"),
        long("((?i)a)"),
        (0..6000).map(|i| format!("(?P<g{i}>)")).collect(),
        (0..9000).map(|i| format!("[a{}]", char::from_u32(0x4e00 + i).unwrap())).collect(),
        format!("(){}", long(r"(?(1)a|b)")),
        format!("(){}", long(r"\1")),
        nested("(", ")"),
        nested("(?:", ")*"),
        some("(?:", "){1000}"),
        some("(?:", "){0,1000}"),
        some("(", ")*"),
        some("(?:", "){2}+"),
        some("(?:", "|)*?"),
        some("(?=", ")"),
        some("(?:a|", ")"),
        some("(?>", "){3}"),
        "(?:(?:(?:){65535}){65535}){65535}".into(),
        "(?:abc){65535}".into(),
        ".{65535}".into(),
        "a{99999999999999999999}".into(),
        long("{"),
        long("["),
        long("("),
        long(")"),
        long(r"\"),
        long("<F-A>"),
        long("</F-A>"),
        long("<"),
        format!("{}{}", long("(?:a|b){1,9}"), "x"),
        long("(?#"),
        long("(?x:#\n)"),
        long("(?<=a)"),
        long(r"(?i:k|s|i)"),
    ]
}

#[test]
fn hostile_expressions_are_compiled_or_refused_at_once() {
    for text in hostile() {
        let (took, result) =
            time(|| Regex::compile(&text, Options { multiline: false, raw_or_dns: true }));
        let start: String = text.chars().take(20).collect();
        let result = match result {
            Ok(regex) => {
                let (took, found) = time(|| regex.search("aaab é\n", &mut Room::new()));
                assert!(took < Duration::from_millis(500), "{took:?} {start:?}");
                format!("compiled, {found:?} in {took:?}")
            }
            Err(wrong) => {
                assert!(text.is_char_boundary(wrong.at) && !wrong.remedy.is_empty());
                wrong.message
            }
        };
        println!("{took:?} {start:?}: {result}");
        assert!(took < Duration::from_millis(500), "{took:?} {start:?}");
    }
}

#[test]
fn stock_filters_compile_and_search_fast() {
    let Some(mut oracle) = Oracle::start() else { return };
    let (expressions, samples) = stock(&mut oracle);
    let texts: Vec<String> = samples.iter().map(|text| format!("{text}\n")).collect();
    let before = resident();
    let (took, all) = time(|| {
        expressions.iter().map(|(_, text, multiline)| compile(text, *multiline)).collect::<Vec<_>>()
    });
    let linear = all.iter().filter(|regex| regex.is_linear()).count();
    println!(
        "{} compiled in {took:?}, {linear} of them linear, {} KiB",
        all.len(),
        resident().saturating_sub(before)
    );
    assert!(took < Duration::from_millis(500), "{took:?}");
    let mut room = Room::new();
    let mut pairs = Vec::new();
    let (took, ()) = time(|| {
        for regex in &all {
            pairs.extend(
                texts
                    .iter()
                    .filter(|text| regex.search(text, &mut room) == Ok(true))
                    .map(|text| (regex, text)),
            );
        }
    });
    let searches = (all.len() * texts.len()) as u32;
    println!(
        "{} hits in {searches} searches, {:?} each, {} KiB then",
        pairs.len(),
        took / searches,
        resident().saturating_sub(before)
    );
    let (took, ()) = time(|| {
        pairs.iter().for_each(|(regex, text)| assert_eq!(regex.search(text, &mut room), Ok(true)));
    });
    println!("{:?} for each that matches", took / pairs.len() as u32);
}
