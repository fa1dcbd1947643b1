//! Rules that hold fail2ban's expressions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use sereno_config::{Document, Machine, Outcome, read, read_where, shipped_rules, test};
use sereno_core::filter::{Scan, Who};
use sereno_core::gate::Block;
use sereno_core::time::Time;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn document(name: &str, text: &str) -> Document {
    Document { name: name.to_owned(), text: text.to_owned() }
}

fn said(outcome: &Outcome) -> Vec<String> {
    outcome.problems.iter().map(|p| format!("{}:{}: {}", p.line, p.column, p.message)).collect()
}

fn rule(body: &str) -> Document {
    document("web.toml", &format!("name = 'web'\nformat = 'fail2ban'\n{body}"))
}

const JAIL: &str = "[jail.web]\nlogpath = '/var/log/web'\n";

#[test]
fn a_jail_reads_with_expressions() {
    let rules = [rule("failregex = '^ no <HOST>$'\nusedns = 'no'\n")];
    let config = document(
        "c",
        &format!(
            "{JAIL}block = 'reset'\nignoreip = '192.0.2.0/24'\nmaxmatches = 7\n[jail.own]\nrule = 'web'\njournal = 'all'\n"
        ),
    );
    let outcome = read(&[config], &rules);
    assert_eq!(outcome.problems, []);
    let policy = &outcome.policy;
    let names: Vec<&str> = policy.filters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["own", "web"]);
    assert!(Arc::ptr_eq(&policy.filters[0].1, &policy.filter_rules[0].filter));
    let web = &policy.jails[1].policy;
    assert_eq!((web.block, web.evidence, web.ignore.len()), (Some(Block::Reset), 7, 1));
    // Nothing in such an expression tells who logged in.
    assert_eq!((web.maxaccounts, web.maxhosts, web.patience), (0, 0, Duration::ZERO));
    let wrong = read(
        &[document(
            "c",
            "[defaults]\nblock = 'dorp'\n[jail.web]\nlogpath = '/x'\nignoreip = 'x'\n",
        )],
        &rules,
    );
    assert_eq!(wrong.problems.len(), 2, "{:?}", said(&wrong));
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let body = "prefregex = \"^\\u00e9\\\\d(<F-CONTENT>.+</F-CONTENT>$\"\nfailregex = [\n  '^fine <HOST>$',\n  \'\'\'\n^bad [<HOST>$\'\'\',\n  '^nobody$',\n]\ndatepattern = ['%Y', '%Q']\n";
    // The dates come first: without them nothing is compiled.
    assert_eq!(said(&read(&[], &[rule(body)]))[0].split(": ").next(), Some("10:23"));
    let outcome = read(&[], &[rule(&body.replace(", '%Q'", ""))]);
    let places: Vec<String> =
        said(&outcome).iter().map(|s| s.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(places, ["3:24", "7:7"], "{:?}", said(&outcome));
    for (body, what) in [
        ("", "failregex is missing"),
        ("failregex = []\n", "without any it never sees anything"),
        ("failregex = '<HOST>'\nfailregexp = 1\n", "has no failregexp"),
        ("failregex = '<HOST>'\nusedns = 'maybe'\n", "usedns is"),
        ("failregex = '<HOST>'\nmaxlines = 0\n", "a number from 1 to 1000"),
        ("failregex = '<HOST>'\ntimezone = 'Mars/Crater'\n", "there is no time zone"),
        ("failregex = 7\n", "a text in quotes is needed"),
        ("failregex = '<HOST>'\n[[pattern]]\nid = 'x'\n", "has no pattern"),
    ] {
        let zone = jiff::tz::TimeZone::UTC;
        let has_file = &|_: &Path| true;
        let machine = Machine { zone: &zone, zones: &|_| None, now: Time(0), net: None, has_file };
        let outcome = read_where(&[], &[rule(body)], machine);
        assert!(said(&outcome).iter().any(|s| s.contains(what)), "{body}: {:?}", said(&outcome));
        assert!(outcome.policy.filter_rules.is_empty(), "{body}");
    }
}

#[test]
fn the_last_right_rule_of_a_name_counts() {
    let theirs = document("a", "name = 'sshd'\nformat = 'fail2ban'\nfailregex = '^x <HOST>$'\n");
    let broken = document("b", "name = 'sshd'\nformat = 'fail2ban'\nfailregex = '^(x <HOST>$'\n");
    let config = [document("c", "[jail.sshd]\nlogpath = '/x'\n")];
    let kept = |rules: &[Document]| {
        let outcome = read(&config, &[shipped_rules(), rules.to_vec()].concat());
        let own = outcome.policy.rule("sshd").is_some();
        let jail = &outcome.policy.jails[0].policy;
        (own, outcome.policy.filters.len(), jail.ports.to_string(), outcome.problems.len())
    };
    assert_eq!(kept(&[]), (true, 0, "tcp/22".to_owned(), 0));
    assert_eq!(kept(std::slice::from_ref(&theirs)), (false, 1, "all".to_owned(), 0));
    assert_eq!(kept(&[theirs.clone(), broken.clone()]), (false, 1, "all".to_owned(), 1));
    assert_eq!(kept(&[broken]), (true, 0, "tcp/22".to_owned(), 1));
    let more = document(
        "d",
        "extends = 'sshd'\n[[pattern]]\nid = 'p'\nkind = 'neutral'\nregex = 'x'\nmatch = [{line = 'Nov 22 15:22:38 h sshd[7]: x'}]\n",
    );
    let outcome = read(&config, &[shipped_rules(), vec![more, theirs]].concat());
    assert!(said(&outcome)[0].contains("nothing extends it"), "{:?}", said(&outcome));
}

#[test]
fn samples_prove_expressions_and_zones_count() {
    let good = "failregex = '^ no <HOST>$'\nmatch = ['2026-11-22 10:00:00 no 203.0.113.9']\nreject = ['Nov 22 10:00:00 yes 203.0.113.9']\n";
    assert_eq!(test(&[rule(good)]).problems, []);
    let bad = good.replace("yes", "no").replacen("no 203", "na 203", 1);
    let outcome = test(&[rule(&bad)]);
    assert_eq!(outcome.problems.len(), 2, "{:?}", said(&outcome));
    assert!(!outcome.has_errors());

    let timezone = rule("failregex = '^ no <HOST>$'\ntimezone = 'UTC+0200'\n");
    let outcome = read(&[], &[timezone]);
    assert_eq!(outcome.problems, []);
    let policy = outcome.policy;
    let mut scan = Scan::new();
    scan.add(Arc::clone(&policy.filter_rules[0].filter), false);
    let (mut when, now) = (None, Time(1_795_392_000_000_000));
    scan.line(b"2026-11-22 10:00:00 no 203.0.113.9", now, &mut |_, found| {
        assert!(matches!(found.who, Who::Prefix(_)));
        when = found.when;
    });
    assert_eq!(when.map(|at| at.to_string()).as_deref(), Some("2026-11-22T08:00:00Z"));
}

proptest! {
    #[test]
    fn no_file_panics(body in "(?s)([ '\"\\[\\]=\\\\,é\n#]|failregex|match|datepattern|prefregex|<HOST>|\\^|%Y){0,30}") {
        for problem in test(&[rule(&body)]).problems {
            prop_assert!(!problem.remedy.is_empty() && problem.line > 0, "{problem}");
        }
    }

    #[test]
    fn every_place_is_inside(text in "[\\^(\\[\\\\é\"a<>]{1,12}") {
        let quoted = format!("{text:?}").replace("\\'", "'");
        let outcome = test(&[rule(&format!("failregex = {quoted}\n"))]);
        for problem in outcome.problems {
            prop_assert!(problem.line == 3 && problem.column > 12, "{problem}");
        }
    }
}
