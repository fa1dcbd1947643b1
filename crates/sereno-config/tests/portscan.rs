//! A jail that listens to the gate: what holds for it, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use sereno_config::{Document, Outcome, Severity, SourceConf, read, shipped_rules};
use sereno_core::gate::Ports;
use std::time::Duration;

fn outcome(text: &str) -> Outcome {
    let document = Document { name: "sereno.toml".to_owned(), text: text.to_owned() };
    read(&[document], &shipped_rules())
}

/// Problems, each as its severity, its line and its text with the remedy.
fn problems(text: &str) -> Vec<(Severity, usize, String)> {
    let problems = outcome(text).problems.into_iter();
    problems.map(|p| (p.severity, p.line, format!("{} {}", p.message, p.remedy))).collect()
}

#[test]
fn nothing_has_to_be_said_of_it_and_defaults_of_logs_are_not_its_own() {
    let defaults = "[defaults]\nmaxretry = 1\nbantime = \"1w\"\n\"bantime.increment\" = true\n";
    for text in ["[jail.portscan]\n".to_owned(), format!("{defaults}[jail.portscan]\n")] {
        let outcome = outcome(&text);
        assert_eq!(outcome.problems, []);
        let [jail] = outcome.policy.jails.as_slice() else { panic!("one jail") };
        let policy = &jail.policy;
        assert!(policy.heard && policy.ports == Ports::All && !policy.increment.increment);
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let numbers = (policy.maxretry, policy.findtime, policy.bantime);
        assert_eq!(numbers, (6, minutes(5), Some(minutes(10))));
        let [SourceConf::Gate(quiet)] = jail.sources.as_slice() else { panic!("the gate") };
        let quiet: Vec<String> = quiet.iter().map(ToString::to_string).collect();
        assert_eq!(quiet, ["udp/10000-20000", "udp/33434-33534"]);
    }
}

#[test]
fn it_can_be_changed() {
    let text = "[jail.searchers]\nrule = \"portscan\"\nmaxretry = 10\nfindtime = \"1h\"\n\
                bantime = \"20m\"\nports = \"tcp/22\"\nignoreports = [\"rtp\", \"tcp/113\"]\n";
    let outcome = outcome(text);
    assert_eq!(outcome.problems, []);
    let jail = &outcome.policy.jails[0];
    assert_eq!((jail.policy.maxretry, jail.policy.ports.to_string()), (10, "tcp/22".to_owned()));
    let [SourceConf::Gate(quiet)] = jail.sources.as_slice() else { panic!("the gate") };
    assert_eq!(quiet.len(), 2);
    let none = of_jail("ignoreports = []");
    let [SourceConf::Gate(quiet)] = none.policy.jails[0].sources.as_slice() else { panic!() };
    assert!(quiet.is_empty() && none.problems.is_empty());
}

fn of_jail(line: &str) -> Outcome {
    outcome(&format!("[jail.portscan]\n{line}\n"))
}

#[test]
fn what_cannot_be_meant_is_said_with_a_remedy() {
    let said = |line: &str| {
        let found = problems(&format!("[jail.portscan]\n{line}\n"));
        let [(severity, 2, text)] = found.as_slice() else { panic!("{line}: {found:?}") };
        (*severity, text.clone())
    };
    for (line, severity, text) in [
        ("logpath = \"/var/log/kern.log\"", Severity::Error, "take logpath out"),
        ("journal = [\"_TRANSPORT=kernel\"]", Severity::Error, "reads no log"),
        ("ignoreports = [\"zulu\"]", Severity::Error, "no service"),
        ("maxaccounts = 3", Severity::Warning, "does nothing"),
        ("patience = \"1h\"", Severity::Warning, "does nothing"),
        ("bantime = \"1d\"", Severity::Warning, "in the name of anybody"),
        ("bantime = \"permanent\"", Severity::Warning, "in the name of anybody"),
        ("\"bantime.increment\" = true", Severity::Warning, "in the name of anybody"),
        ("maxretry = 2", Severity::Warning, "maxretry = 6"),
    ] {
        let (found, words) = said(line);
        assert!(found == severity && words.contains(text), "{line}: {words}");
    }
    let two = problems("[jail.a]\nrule = \"portscan\"\n[jail.portscan]\n");
    assert!(two.len() == 1 && two[0].2.contains("another jail listens"), "{two:?}");
    let other = problems("[jail.sshd]\nlogpath = \"/l\"\nignoreports = [\"rtp\"]\n");
    assert!(other.len() == 1 && other[0].2.contains("[jail.portscan]"), "{other:?}");
}
