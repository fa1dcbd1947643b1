//! What is suggested reads back, whatever was found; and nothing that is read can panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use proptest::prelude::*;
use sereno_config::facts::{Asterisk, AsteriskNote, Facts, JournalLog, LogFile, LogPlace, Sshd};
use sereno_config::{Document, Lang, Outcome, SourceConf, read, shipped_rules, suggest};
use std::net::IpAddr;

fn log(path: &str, levels: &str, json: bool) -> LogFile {
    LogFile { path: path.to_owned(), levels: levels.split(',').map(str::to_owned).collect(), json }
}

/// Small rules of the shipped names: compiling the true ones hundreds of times says nothing new.
fn stand_ins() -> Vec<Document> {
    let rule = |name: &str| {
        let pattern = "[[pattern]]\nid = \"a\"\nkind = \"failure\"\nregex = 'no <addr>'\n";
        let sample = "[[pattern.match]]\nline = \"no 192.0.2.1\"\naddr = \"192.0.2.1\"\n";
        let text = format!("name = {name:?}\nformat = \"plain\"\n{pattern}{sample}");
        Document { name: name.to_owned(), text }
    };
    vec![rule("sshd"), rule("asterisk")]
}

fn back(facts: &Facts, lang: Lang) -> (String, Outcome) {
    let text = suggest(facts, lang);
    let config = [Document { name: "suggested".to_owned(), text: text.clone() }];
    let outcome = read(&config, &stand_ins());
    assert_eq!(outcome.problems, [], "{text}");
    (text, outcome)
}

fn exchange(logs: Vec<LogFile>) -> Facts {
    let version = Some("22.5.2".to_owned());
    let notes = vec![AsteriskNote::IaxSilent, AsteriskNote::FirstRequestsSilent];
    let ports = vec!["udp/5060".to_owned()];
    let asterisk = Asterisk { version, logs, journal: None, ports, notes };
    Facts { asterisk: Some(asterisk), ..Facts::default() }
}

/// The file the suggestion reads for Asterisk, and the text.
fn chosen(logs: Vec<LogFile>) -> (Option<String>, String) {
    let (text, outcome) = back(&exchange(logs), Lang::English);
    let source = outcome.policy.jails.first().map(|jail| jail.sources.clone());
    let file = source.map(|sources| {
        let [SourceConf::Files(files)] = sources.as_slice() else {
            return "not one list".to_owned();
        };
        files.join(" and ")
    });
    (file, text)
}

#[test]
fn the_best_log_is_chosen_and_only_one() {
    let messages = || log("/l/messages", "notice,warning,error", false);
    let full = || log("/l/full", "notice,warning,error,verbose,debug,security", false);
    let guard = || log("/l/guard", "notice,warning,error,security", false);
    let json = || log("/l/json", "*", true);
    let (file, text) = chosen(vec![messages(), full(), json(), guard()]);
    assert_eq!(file.as_deref(), Some("/l/json"));
    assert!(text.contains("would count twice: /l/messages, /l/full, /l/guard"), "{text}");
    assert_eq!(chosen(vec![messages(), full(), guard()]).0.as_deref(), Some("/l/guard"));
    assert_eq!(chosen(vec![messages(), full()]).0.as_deref(), Some("/l/full"));
    let (file, text) = chosen(vec![messages()]);
    assert_eq!(file.as_deref(), Some("/l/messages"));
    assert!(text.contains("guard => [json]notice,warning,error,security"), "{text}");
    assert!(text.contains("authdebug = yes") && text.contains("unidentified_request_count = 1"));
    let (file, text) = chosen(vec![log("/l/x", "debug", false)]);
    assert!(file.is_none() && text.contains("# [jail.asterisk]"), "{text}");
}

#[test]
fn the_journal_is_read_when_no_file_has_what_counts() {
    let chosen = |logs, levels: &str| {
        let mut facts = exchange(logs);
        let levels = levels.split(',').map(str::to_owned).collect();
        facts.asterisk.as_mut().unwrap().journal =
            Some(JournalLog { matches: vec!["_COMM=asterisk".to_owned()], levels });
        let (text, outcome) = back(&facts, Lang::Spanish);
        (outcome.policy.jails.first().map(|jail| jail.sources.clone()), text)
    };
    let journal = Some(vec![SourceConf::Journal(vec!["_COMM=asterisk".to_owned()])]);
    let (sources, text) = chosen(vec![log("/l/x", "verbose", false)], "notice,security");
    assert_eq!(sources, journal);
    assert!(!text.contains("guard => "), "all is there, and nothing can break its lines: {text}");
    let (sources, text) = chosen(vec![], "notice");
    assert!(sources == journal && text.contains("guard => "), "{text}");
    assert_eq!(chosen(vec![], "warning,error").0, None);
    let (sources, _) = chosen(vec![log("/l/messages", "notice", false)], "notice,security");
    assert_eq!(sources, Some(vec![SourceConf::Files(vec!["/l/messages".to_owned()])]));
}

#[test]
fn both_languages_say_the_same_policy() {
    let facts = Facts {
        sshd: Some(Sshd {
            ports: vec![2222, 22],
            logs: LogPlace::Journal(vec!["_COMM=sshd".to_owned()]),
        }),
        sessions: ["198.51.100.7", "::ffff:192.168.0.9"].map(|a| a.parse().unwrap()).to_vec(),
        networks: ["192.168.0.0/24", "203.0.113.0/24", "fd00::/64"]
            .map(|n| n.parse().unwrap())
            .to_vec(),
        ..exchange(vec![log("/var/log/asterisk/full", "notice,security", false)])
    };
    let (english, first) = back(&facts, Lang::English);
    let (spanish, second) = back(&facts, Lang::Spanish);
    assert_ne!(english, spanish);
    assert_eq!(first.policy, second.policy);
    let friends: Vec<String> = first.policy.friends.iter().map(|f| f.prefix.to_string()).collect();
    assert_eq!(friends, ["192.168.0.0/24", "fd00::/64", "198.51.100.7"]);
    let sshd = &first.policy.jails[1].policy;
    assert_eq!((sshd.ports.to_string().as_str(), sshd.maxretry), ("tcp/22, tcp/2222", 3));
    back(&Facts::default(), Lang::Spanish);
}

fn facts() -> impl Strategy<Value = Facts> {
    let wild = || {
        prop_oneof![
            "\\PC{0,12}",
            "/[a-z\"\\\\*\\[\n\t/.]{0,12}",
            "(?s).{0,8}",
            "_[A-Z]{1,4}=.{0,4}"
        ]
    };
    let place = prop_oneof![
        prop::collection::vec(wild(), 0..3).prop_map(LogPlace::Journal),
        wild().prop_map(LogPlace::File),
        Just(LogPlace::Nowhere),
    ];
    let level = prop_oneof!["notice", "security", "\\*", "\\PC{0,3}"];
    let log = (wild(), prop::collection::vec(level.clone(), 0..4), any::<bool>())
        .prop_map(|(path, levels, json)| LogFile { path, levels, json });
    let sshd = (prop::collection::vec(any::<u16>(), 0..3), place)
        .prop_map(|(ports, logs)| Sshd { ports, logs });
    let journal = (prop::collection::vec(wild(), 0..3), prop::collection::vec(level, 0..4))
        .prop_map(|(matches, levels)| JournalLog { matches, levels });
    let asterisk = (
        prop::option::of(wild()),
        prop::collection::vec(log, 0..4),
        prop::option::of(journal),
        prop::collection::vec(wild(), 0..3),
    )
        .prop_map(|(version, logs, journal, ports)| Asterisk {
            version,
            logs,
            journal,
            ports,
            notes: vec![AsteriskNote::IaxSilent],
        });
    let nets = prop::collection::vec((any::<IpAddr>(), 0u8..=32), 0..4);
    (
        prop::option::of(sshd),
        prop::option::of(asterisk),
        prop::collection::vec(any::<IpAddr>(), 0..4),
        nets,
    )
        .prop_map(|(sshd, asterisk, sessions, nets)| {
            let networks = nets
                .into_iter()
                .filter_map(|(a, n)| sereno_core::addr::Prefix::new(a, n))
                .collect();
            Facts { sshd, asterisk, sessions, networks, ..Facts::default() }
        })
}

const VALID: &str = include_str!("../../../docs/guide/configuration.md");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_was_found_reads_back(facts in facts(), spanish: bool) {
        back(&facts, if spanish { Lang::Spanish } else { Lang::English });
    }

    #[test]
    fn random_text_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        panics_not(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_files_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), "(?s).{0,3}", 0usize..9), 1..6)) {
        let mut text: Vec<char> = examples(VALID).concat().chars().collect();
        for (at, new, gone) in edits {
            let at = at.index(text.len());
            let end = (at + gone).min(text.len());
            text.splice(at..end, new.chars());
        }
        panics_not(&text.into_iter().collect::<String>());
    }

    #[test]
    fn pieces_in_any_order_never_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        panics_not(&pieces.concat());
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\[\\]{}=\"'\n,.#é\\\\ ]{1,3}",
        "(jail|sereno|defaults|ignoreip|pattern|bantime|increment|rule|logpath|name|id|regex)",
        "(1|true|-1|1e9|1979-05-27|\"10m\"|'x')"
    ]
}

fn panics_not(text: &str) {
    let one = [Document { name: "x".to_owned(), text: text.to_owned() }];
    for problem in read(&one, &stand_ins()).problems.into_iter().chain(read(&[], &one).problems) {
        assert!(!problem.remedy.is_empty() && !problem.message.is_empty(), "{problem}");
        assert!(problem.to_string().lines().count() >= 4);
    }
}

/// The ```toml blocks of a page.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_example_of_the_guide_is_right() {
    let scans = examples(include_str!("../../../docs/guide/scans.md"));
    let found = examples(VALID);
    assert!(found.len() >= 4 && !scans.is_empty());
    for text in found.into_iter().chain(scans) {
        let outcome =
            read(&[Document { name: "guide".to_owned(), text: text.clone() }], &shipped_rules());
        assert_eq!(outcome.problems, [], "{text}");
    }
    let found = examples(include_str!("../../../docs/guide/rules.md"));
    assert!(found.iter().any(|text| text.starts_with("extends")));
    for text in found {
        let own = Document { name: "guide".to_owned(), text: text.clone() };
        let outcome = read(&[], &[shipped_rules(), vec![own.clone()]].concat());
        assert_eq!(outcome.problems, [], "{text}");
        let mut texts = outcome.policy.rule_texts.iter().flatten();
        let expressions = outcome.policy.filter_rules.iter().map(|rule| &rule.text);
        assert!(texts.any(|t| *t == own) || expressions.into_iter().any(|t| *t == own), "{text}");
    }
}

#[test]
fn large_files_take_linear_time() {
    let mut text = String::new();
    for number in 0..20_000 {
        text.push_str(&format!(
            "[jail.j{number}]\nrule = \"sshd\"\nlogpath = \"/l\"\nmaxretri = {number}\nx = yes\n"
        ));
    }
    let begun = std::time::Instant::now();
    panics_not(&text);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
