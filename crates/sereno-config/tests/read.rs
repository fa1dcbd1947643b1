//! Files as administrators write them, right and wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use sereno_config::{Document, Outcome, Severity, SourceConf, read, shipped_rules};
use sereno_core::gate::Ports;
use std::path::Path;
use std::time::Duration;

fn documents(texts: &[&str]) -> Vec<Document> {
    let name = |at| format!("{at}.toml");
    texts
        .iter()
        .enumerate()
        .map(|(at, text)| Document { name: name(at), text: (*text).to_owned() })
        .collect()
}

fn outcome(texts: &[&str]) -> Outcome {
    read(&documents(texts), &shipped_rules())
}

/// All problems, as shown.
fn shown(texts: &[&str]) -> String {
    outcome(texts).problems.iter().map(|problem| format!("{problem}\n")).collect()
}

const LOG: &str = "logpath = \"/var/log/auth.log\"\n";

#[test]
fn a_short_file_means_what_the_guide_says() {
    let text = format!("[jail.sshd]\n{LOG}[jail.asterisk]\nlogpath = \"/var/log/asterisk/full\"\n");
    let outcome = outcome(&[&text]);
    assert_eq!(outcome.problems, []);
    let [asterisk, sshd] = outcome.policy.jails.as_slice() else { panic!("two jails") };
    assert_eq!((sshd.policy.maxretry, sshd.policy.bantime), (3, Some(Duration::from_secs(36_000))));
    assert_eq!(sshd.policy.ports.to_string(), "tcp/22");
    assert_eq!(sshd.sources, [SourceConf::Files(vec!["/var/log/auth.log".to_owned()])]);
    assert_eq!((asterisk.policy.maxretry, &asterisk.policy.ports), (4, &Ports::All));
    assert_eq!(asterisk.policy.bantime, Some(Duration::from_secs(18_000)));
    let names: Vec<&str> = outcome.policy.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["asterisk", "portscan", "sshd"]);
}

const EVERY: &str = r#"
ignoreip = ["192.168.0.0/24", "2001:db8::/32"]
[sereno]
state = "/srv/sereno"
socket = "/run/s.sock"
group = "adm"
timezone = "America/Argentina/Buenos_Aires"
line-cap = "16KiB"
table = "guard"
observe = true
[jail.door]
rule = "sshd"
journal = ["_SYSTEMD_UNIT=ssh.service", "+", "_COMM=sshd"]
ports = ["tcp/22", "udp/5060-5061"]
maxretry = 7
findtime = "1h 30m"
bantime = "permanent"
"bantime.increment" = true
"bantime.factor" = 2
"bantime.multipliers" = [1, 2.5]
"bantime.maxtime" = "5w"
"bantime.rndtime" = 60
"bantime.overalljails" = true
v4-prefix = 31
v6-prefix = 56
maxaccounts = 3
accounttime = "2h"
maxhosts = 9
nethosts = 4
net4-prefix = 20
net6-prefix = 40
patience = 0
memory = 2048
"#;

#[test]
fn every_option_arrives() {
    let outcome = outcome(&[EVERY]);
    assert_eq!(outcome.problems, []);
    let settings = &outcome.policy.settings;
    assert_eq!(
        (settings.state.as_path(), settings.socket.as_path()),
        (Path::new("/srv/sereno"), Path::new("/run/s.sock"))
    );
    assert_eq!(
        (settings.group.as_str(), settings.line_cap, settings.observe),
        ("adm", 16_384, true)
    );
    assert_eq!(settings.timezone.as_deref(), Some("America/Argentina/Buenos_Aires"));
    assert_eq!(settings.table.as_str(), "guard");
    assert_eq!(outcome.policy.friends.len(), 2);
    let jail = &outcome.policy.jails[0].policy;
    assert_eq!((jail.maxretry, jail.findtime.as_secs(), jail.bantime), (7, 5400, None));
    assert_eq!(jail.increment.multipliers, [1.0, 2.5]);
    assert_eq!((jail.increment.factor, jail.increment.overalljails), (2.0, true));
    assert_eq!(jail.increment.maxtime, Some(Duration::from_secs(5 * 7 * 86_400)));
    assert_eq!(jail.increment.rndtime.as_secs(), 60);
    assert_eq!((jail.v4_bits, jail.v6_bits, jail.net4_bits, jail.net6_bits), (31, 56, 20, 40));
    assert_eq!(
        (jail.maxaccounts, jail.accounttime.as_secs(), jail.maxhosts, jail.nethosts),
        (3, 7200, 9, 4)
    );
    assert_eq!((jail.patience, jail.memory), (Duration::ZERO, 2048));
    assert_eq!(jail.ports.to_string(), "tcp/22, udp/5060-5061");
}

#[test]
fn later_files_have_the_last_word_and_friends_add_up() {
    let first = format!(
        "ignoreip = \"10.0.0.1\"\n[defaults]\nmaxretry = 9\n[jail.sshd]\n{LOG}bantime = 60\nfindtime = 70\n"
    );
    let second = "ignoreip = [\"10.0.0.2\", \"10.0.0.1\"]\n[jail.sshd]\nbantime = -1\n";
    let outcome = outcome(&[&first, second]);
    assert_eq!(outcome.problems, []);
    let jail = &outcome.policy.jails[0].policy;
    assert_eq!((jail.maxretry, jail.bantime, jail.findtime.as_secs()), (9, None, 70));
    assert_eq!(outcome.policy.friends.len(), 2);
    assert_eq!(outcome.policy, self::outcome(&[&first, second]).policy);
    assert_ne!(outcome.policy, self::outcome(&[&first]).policy);
    let off = self::outcome(&[&first, "[jail.sshd]\nenabled = false\n"]);
    assert_eq!((off.problems.len(), off.policy.jails.len()), (0, 0));
}

#[test]
fn a_broken_jail_is_set_aside_and_all_its_problems_are_told() {
    let text = "\
ignoreip = [\"192.168.0.0/24\", \"office.example.com\", \"10.0.0.0/99\"]
[jail.sshd]
logpath = [\"auth.log\", \"/var/log/x[\"]
maxretri = 3
maxretry = 0
findtime = \"10q\"
bantime = true
port = 22
ports = [\"tcp/22\", \"ssh\", 5060]
[jail.good]
rule = \"sshd\"
logpath = \"/var/log/secure\"
[jail.web]
logpath = \"/var/log/web\"
[jail.silent]
rule = \"sshd\"
[jail.UPPER]
rule = \"asterix\"
logpath = \"/a\"
[sshd]
enabled = true
";
    let outcome = outcome(&[text]);
    let names: Vec<&str> =
        outcome.policy.jails.iter().map(|jail| jail.policy.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    assert_eq!(outcome.policy.friends.len(), 1);
    let shown = shown(&[text]);
    for wanted in [
        "0.toml:1:31: \"office.example.com\" looks like a host name\n",
        "0.toml:1:53: \"10.0.0.0/99\" is not an address or a network\n",
        "0.toml:3:12: \"auth.log\" is not an absolute path\n",
        "0.toml:3:24: \"/var/log/x[\" has a [ that is not closed\n",
        "0.toml:4:1: [jail.sshd] has no option maxretri\n  maxretri = 3\n  ^~~~~~~~\n  remedy: did you mean maxretry?\n",
        "0.toml:5:12: a number from 1 to 100000 is needed here, not the number 0\n  maxretry = 0\n             ^\n  remedy: write for example maxretry = 3\n",
        "0.toml:6:12: \"q\" is not a unit of time\n",
        "0.toml:7:11: a length of time is needed here, not true\n",
        "0.toml:8:1: [jail.sshd] has no option port\n  port = 22\n  ^~~~\n  remedy: write ports = \"tcp/22\"\n",
        "0.toml:9:20: \"ssh\" is not a port with its protocol\n",
        "remedy: write \"tcp/5060\" or \"udp/5060\"\n",
        "0.toml:13:7: there is no rule \"web\"\n",
        "0.toml:15:7: this jail has no log to read\n",
        "0.toml:17:7: the name \"UPPER\" contains 'U'",
        "0.toml:18:8: there is no rule \"asterix\"\n  rule = \"asterix\"\n         ^~~~~~~~~\n  remedy: did you mean rule = \"asterisk\"?\n",
        "0.toml:20:2: there is no section [sshd]\n  [sshd]\n   ^~~~\n  remedy: if this is a jail, write [jail.sshd]\n",
    ] {
        assert!(shown.contains(wanted), "{wanted:?} is not in\n{shown}");
    }
    assert_eq!(outcome.problems.len(), 16, "{shown}");
}

#[test]
fn fail2bans_dotted_options_without_quotes_are_explained() {
    let wanted = "bantime.increment has a dot in it and stands in quotes";
    let remedy = "remedy: write \"bantime.increment\" = true";
    for text in [
        "[jail.sshd]\nlogpath = \"/a\"\nbantime = \"10h\"\nbantime.increment = true\n",
        "[jail.sshd]\nlogpath = \"/a\"\nbantime.increment = true\nbantime = \"10h\"\n",
        "[jail.sshd]\nlogpath = \"/a\"\nbantime.increment = true\n",
    ] {
        let shown = shown(&[text]);
        assert!(shown.contains(wanted) && shown.contains(remedy), "{text}{shown}");
        assert!(outcome(&[text]).policy.jails.is_empty());
    }
}

#[test]
fn syntax_errors_have_their_place_and_spare_the_other_jails() {
    let text = "[jail.sshd]\nlogpath = /var/log/auth.log\nenabled = yes\n[jail.b]\nrule = \"sshd\"\nlogpath = \"/b\"\n";
    let outcome = outcome(&[text]);
    assert_eq!(outcome.policy.jails.len(), 1);
    let shown = shown(&[text]);
    assert!(shown.contains("0.toml:2:11: text stands in quotes\n"), "{shown}");
    assert!(shown.contains("remedy: write \"/var/log/auth.log\"\n"), "{shown}");
    assert!(shown.contains("0.toml:3:11: text stands in quotes\n"), "{shown}");
    assert!(shown.contains("remedy: write true, or the text in quotes\n"), "{shown}");
    assert_eq!(outcome.problems.len(), 2, "{shown}");

    let printed = "[jail.sshd]\nlogpath = “/var/log/auth.log”\n[jail.b\nrule = \"sshd\"\n";
    let shown = self::shown(&[printed]);
    assert!(shown.contains("0.toml:2:11: “ is a quote of printed text\n"), "{shown}");
    assert!(shown.contains("remedy: this line was copied from a page: write an ordinary \""));
    assert!(shown.contains(": [jail.b has no ] at its end\n"), "{shown}");
    assert!(shown.contains("remedy: write [jail.b] on a line of its own"), "{shown}");

    let endless = "[jail.sshd]\nlogpath = [\"/a\"\n[jail.b]\nrule = \"sshd\"\nlogpath = \"/b\"\n";
    let shown = self::shown(&[endless]);
    assert_eq!(shown.matches("remedy").count(), 1, "{shown}");
    assert!(shown.contains("missing \" or ] or }"), "{shown}");
    assert!(self::outcome(&[endless]).has_errors());
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let text = format!(
        "[jail.sshd]\n{LOG}journal = \"_COMM=sshd\"\n\"bantime.factor\" = 2\n\
         [jail.b]\nrule = \"sshd\"\n{LOG}\"bantime.increment\" = true\n\"bantime.maxtime\" = \"1h\"\n"
    );
    let outcome = outcome(&[&text]);
    assert_eq!(outcome.policy.jails.len(), 2);
    assert!(outcome.problems.iter().all(|p| p.severity == Severity::Warning));
    let shown = shown(&[&text]);
    for wanted in [
        "lines that are in both count twice",
        "does nothing while bans do not grow",
        "shorter than the first one",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert_eq!(outcome.problems.len(), 3, "{shown}");
}

#[test]
fn misplaced_and_foreign_words_are_led_home() {
    for (text, wanted) in [
        ("maxretry = 3\n", "write it below [defaults] for all jails"),
        ("[DEFAULT]\nbantime = 3\n", "write [defaults]"),
        ("[defaults]\nignoreip = \"1.2.3.4\"\n", "write ignoreip at the top of the file"),
        ("[sereno]\nignoreip = \"1.2.3.4\"\n", "write ignoreip at the top of the file"),
        ("[sereno]\nsokcet = \"/a\"\n", "did you mean socket?"),
        ("[sereno]\ntable = \"9a\"\n", "begins with a letter"),
        ("[sereno]\ntimezone = \"../etc/passwd\"\n", "Europe/Madrid"),
        ("[jail]\nmaxretry = 3\n", "write [jail.NAME] on a line of its own"),
        ("jail = 3\n", "write [jail.sshd] on a line of its own"),
        (
            "ignoreip = \"127.0.0.1/8 10.0.0.1\"\n",
            "write ignoreip = [\"127.0.0.1/8\", \"10.0.0.1\"]",
        ),
        ("ignoreip = \"0.0.0.0/0\"\n", "observe = true"),
        ("[defaults]\nbanaction = \"nftables\"\n", "Sereno bans in its own nftables table"),
        ("[defaults]\nmaxhosts = 1\n", "0 for never, or 2 and more"),
        ("[defaults]\n\"bantime.multipliers\" = [1, 0]\n", "a number above zero"),
        ("[defaults]\nbantime = 0\n", "a length of time above zero"),
        ("[defaults]\nfindtime = -5\n", "a length of time"),
        ("[defaults]\njournal = \"--file=/etc/shadow\"\n", "is not a match of the journal"),
        ("[defaults]\nmaxretry = 99999999999999999999999\n", "a number from 1 to 100000"),
    ] {
        let shown = shown(&[text]);
        assert!(shown.contains(wanted), "{text}{shown}");
        assert_eq!(shown.matches("remedy: ").count(), 1, "{shown}");
    }
}

const WEB: &str = r#"
name = "web"
format = "plain"
[[pattern]]
id = "denied"
kind = "failure"
regex = 'denied <addr>'
[[pattern.match]]
line = "denied 203.0.113.9"
addr = "203.0.113.9"
"#;

#[test]
fn rules_of_the_administrator_add_and_replace() {
    let mut rules = shipped_rules();
    rules.extend(documents(&[WEB, &WEB.replace("\"web\"", "\"sshd\"")]));
    let config = documents(&["[jail.web]\nlogpath = \"/w\"\n"]);
    let outcome = read(&config, &rules);
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.policy.jails.len(), 1);
    assert_eq!(outcome.policy.rule("sshd").unwrap().patterns.len(), 1);
    assert_eq!(outcome.policy.rules.len(), 4);
}

#[test]
fn a_broken_rule_is_set_aside_and_every_pattern_has_its_say() {
    let wrong = r#"
name = "web"
format = "plain"
[[pattern]]
id = "a"
kind = "failure"
regex = 'denied ( <addr>'
[[pattern]]
id = "b"
kind = "failur"
regex = 'x'
[[pattern]]
id = "c"
kind = "neutral"
regexp = 'x'
"#;
    let mut rules = shipped_rules();
    rules.extend(documents(&[wrong]));
    let outcome = read(
        &documents(&["[jail.web]\nlogpath = \"/w\"\n[jail.sshd]\nlogpath = \"/s\"\n"]),
        &rules,
    );
    assert_eq!(outcome.policy.jails.len(), 1);
    let places: Vec<(usize, usize)> = outcome.problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places[1..], [(10, 8), (15, 1)], "{:#?}", outcome.problems);

    let unclosed = WEB.replace("denied <addr>", "denied ( <addr>");
    let outcome = read(&[], &documents(&[&unclosed]));
    assert_eq!((outcome.problems[0].line, outcome.problems[0].column), (7, 9));
    let unproven = WEB.replace("line = \"denied", "line = \"refused");
    let outcome = read(&[], &documents(&[&unproven]));
    assert_eq!(outcome.policy.rules.len(), 1);
    assert_eq!(outcome.problems[0].severity, Severity::Warning);
}

#[test]
fn shipped_rules_prove_themselves() {
    let outcome = sereno_config::test(&shipped_rules());
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.policy.rules.len(), 3);
    let changed = |document: Document| Document {
        text: document.text.replace("203.0.113.9", "203.0.113.8"),
        ..document
    };
    let broken: Vec<Document> = shipped_rules().into_iter().map(changed).collect();
    assert_eq!(read(&[], &broken).problems, [], "in the line and in the answer alike");
    let wrong = |document: Document| Document {
        text: document.text.replace("\naddr = \"203.0.113.9\"", "\naddr = \"203.0.113.8\""),
        ..document
    };
    let broken: Vec<Document> = shipped_rules().into_iter().map(wrong).collect();
    assert!(sereno_config::test(&broken).problems.len() > 20);
}

/// Adds to the rule `web`.
const MORE: &str = r#"extends = "web"
[define]
who = '<addr>(?: again)?'
[[pattern]]
id = "refused"
kind = "failure"
regex = 'refused <who>'
[[pattern.match]]
line = "refused 203.0.113.9 again"
addr = "203.0.113.9"
"#;

/// The ids of a rule's patterns.
fn ids(outcome: &Outcome, rule: &str) -> Vec<String> {
    outcome.policy.rule(rule).unwrap().patterns.iter().map(|p| p.id.to_string()).collect()
}

#[test]
fn a_file_adds_to_a_rule_of_another() {
    let second = MORE.replace("refused", "rejected");
    let outcome = read(&[], &documents(&[MORE, WEB, &second]));
    assert_eq!(outcome.problems, []);
    assert_eq!(ids(&outcome, "web"), ["denied", "refused", "rejected"]);
    let texts: Vec<&str> = outcome.policy.rule_texts[0].iter().map(|t| t.name.as_str()).collect();
    assert_eq!(texts, ["1.toml", "0.toml", "2.toml"], "that with the name first");
    // What one file defines is nobody else's: its own word comes first, and others do not see it.
    let blind = second
        .replace("who = '<addr>(?: again)?'", "")
        .replace("rejected 203", "rejected <who> 203");
    let outcome = read(&[], &documents(&[WEB, MORE, &blind]));
    assert_eq!(ids(&outcome, "web"), ["denied", "refused"]);
    assert_eq!((outcome.problems.len(), outcome.problems[0].file.as_str()), (1, "2.toml"));
}

#[test]
fn a_broken_extension_is_set_aside_and_the_rule_goes_on() {
    let clash = MORE.replace("\"refused\"", "\"denied\"");
    let unclosed = MORE.replace("'refused", "'( refused").replace("\"refused\"", "\"b\"");
    let own_head = MORE.replace("[define]", "format = \"plain\"\n[define]");
    let nobody = MORE.replace("\"web\"", "\"wab\"");
    let empty = "extends = \"web\"\n";
    let unproven = MORE
        .replace("\"refused\"", "\"c\"")
        .replace("'refused", "'gone")
        .replace("refused 203.0.113.9 again", "denied 203.0.113.9");
    let texts = [WEB, &clash, &unclosed, &own_head, &nobody, empty, &unproven, MORE];
    let outcome = read(&documents(&["[jail.web]\nlogpath = \"/w\"\n"]), &documents(&texts));
    assert_eq!(outcome.policy.jails.len(), 1);
    assert_eq!(ids(&outcome, "web"), ["denied", "c", "refused"]);
    let said: Vec<String> = outcome
        .problems
        .iter()
        .map(|p| format!("{}:{}:{} {} / {}", p.file, p.line, p.column, p.message, p.remedy))
        .collect();
    let expected = [
        "1.toml:5:6 pattern denied is also in 0.toml:5 / give it an id of its own",
        "2.toml:7:9 rule web, pattern b: ",
        "3.toml:2:1 format comes from the rule that this file extends / drop it; ",
        "4.toml:1:11 there is no rule wab / did you mean web?",
        "5.toml:1:11 it adds no pattern / ",
        "6.toml:7:9 rule web, pattern c: pattern denied takes the line first: denied 203.0.113.9",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
}

#[test]
fn extensions_go_with_the_rule_in_force() {
    let framed = |text: &str| {
        let header = "line = \"[Nov 22 15:22:38] NOTICE[4108] x.c: ";
        text.replace("\"web\"", "\"asterisk\"")
            .replace("\"plain\"", "\"asterisk\"")
            .replace("line = \"", header)
    };
    let (web, more) = (framed(WEB), framed(MORE));
    let rules = |own: &[&str]| [shipped_rules(), documents(own)].concat();
    let shipped = ids(&read(&[], &shipped_rules()), "asterisk");
    let outcome = read(&[], &rules(&[&more]));
    assert_eq!(outcome.problems, []);
    assert_eq!(ids(&outcome, "asterisk"), [shipped.as_slice(), &["refused".to_owned()]].concat());
    // A rule of the administrator's puts the shipped extensions aside as well, not his own.
    let outcome = read(&[], &rules(&[&more, &web]));
    assert_eq!(outcome.problems, []);
    assert_eq!(ids(&outcome, "asterisk"), ["denied", "refused"]);
    // If that one is broken, everything shipped stays on duty.
    let outcome = read(&[], &rules(&[&more, &web.replace("<addr>", "( <addr>")]));
    assert_eq!(outcome.problems.len(), 1, "{:#?}", outcome.problems);
    assert_eq!(ids(&outcome, "asterisk").len(), shipped.len() + 1);
    // Without a rule that could be used there is nothing to extend.
    let outcome = read(&[], &documents(&[&WEB.replace("<addr>", "( <addr>"), MORE]));
    assert_eq!(outcome.problems[1].message, "the rule web was set aside, and so is this");
    assert!(outcome.policy.rules.is_empty());
}
