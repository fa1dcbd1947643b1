//! Files pasted from a page as it is printed: a tutorial of 2012 for fail2ban and Asterisk, with
//! its lines broken, its remarks behind values, and the faults of its expressions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    dead_code,
    reason = "a test reads real files"
)]

mod common;

use common::Disk;
use sereno_core::filter::{Filter, Scan, Who};
use sereno_core::time::Time;
use sereno_fail2ban::act::acts;
use sereno_fail2ban::{Compiler, Files, Length, Problem, Severity, Tree, read};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-11-22 15:30:00 UTC.
const NOW: Time = Time(1_795_361_400_000_000);
const BASE: &str = "/etc/fail2ban";
const JAILS: &str = include_str!("guide/jail.local");
const FILTER: &str = include_str!("guide/asterisk.conf");

/// Pasted files, in a tree of few others, or over the one of this machine.
struct Pasted {
    files: BTreeMap<String, String>,
    over: bool,
}

impl Pasted {
    fn new(jails: &str, filter: &str) -> Self {
        let action = "[Definition]\nactionban = echo <ip> <name>\n";
        let files = [
            ("jail.local", jails),
            ("filter.d/asterisk.conf", filter),
            ("filter.d/sshd.conf", "[Definition]\nfailregex = ^x <HOST>$\n"),
            ("action.d/iptables.conf", action),
            ("action.d/iptables-allports.conf", action),
            ("action.d/sendmail-whois.conf", action),
        ];
        let named = |(path, text): (&str, &str)| (format!("{BASE}/{path}"), text.to_owned());
        Self { files: files.into_iter().map(named).collect(), over: false }
    }
}

impl Files for Pasted {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match self.files.get(path) {
            Some(text) => Ok(Some(text.clone().into_bytes())),
            None if self.over => Disk.read(path),
            None => Ok(None),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        if self.over { Disk.list(directory) } else { Vec::new() }
    }
}

/// All that is said of a tree and its filters, and the filters of the jails that stand.
fn judged(files: &Pasted) -> (Tree, Vec<Problem>, BTreeMap<String, Arc<Filter>>) {
    let tree = read(files, BASE);
    let mut problems = tree.problems.clone();
    let mut compiler = Compiler::new(jiff::tz::TimeZone::UTC, |_| None, NOW);
    let mut filters = BTreeMap::new();
    for jail in tree.standing() {
        let compiled = compiler.jail(&tree, jail);
        problems.extend(compiled.problems);
        filters.extend(compiled.filter.map(|filter| (jail.name.clone(), filter)));
    }
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    (tree, problems, filters)
}

fn shown(problem: &Problem) -> String {
    let file = problem.file.rsplit('/').next().unwrap();
    let level = if problem.severity == Severity::Error { "error" } else { "warning" };
    let Problem { line, column, message, remedy, .. } = problem;
    format!("{file}:{line}:{column}: {level}: {message} | {remedy}\n")
}

/// Whom a filter accuses for a line.
fn accused(filter: &Arc<Filter>, line: &str) -> Vec<Who> {
    let mut scan = Scan::new();
    scan.add(Arc::clone(filter), false);
    let mut all = Vec::new();
    scan.line(line.as_bytes(), NOW, &mut |_, finding| all.push(finding.who.clone()));
    all
}

/// A jail's name, failures, length of bans in seconds, and log.
fn settings(tree: &Tree) -> Vec<String> {
    let of = |jail: &sereno_fail2ban::Jail| {
        let set = &jail.settings;
        let paths: Vec<&str> = set.logpath.iter().map(|path| path.pattern.as_str()).collect();
        let (Some(maxretry), Some(Length::For(bantime))) = (set.maxretry, set.bantime) else {
            panic!("{set:?}");
        };
        format!("{}: {maxretry}, {}, {}", jail.name, bantime.as_secs(), paths.join(" "))
    };
    tree.standing().map(of).collect()
}

#[test]
fn what_is_right_guards_and_what_is_wrong_is_said() {
    let (tree, problems, filters) = judged(&Pasted::new(JAILS, FILTER));
    let told: String = problems.iter().map(shown).collect();
    assert_eq!(told, include_str!("guide/problems.txt"), "{told}");
    assert_eq!(
        settings(&tree),
        [
            "ssh-iptables: 3, 36000, /var/log/secure",
            "asterisk-iptables: 4, 18000, /var/log/asterisk/full",
        ]
    );
    for jail in tree.standing() {
        let names: Vec<&str> = jail.actions.iter().map(|action| action.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let sender = jail.actions[1].properties.get("sender").unwrap();
        assert!(sender.as_str().starts_with("guard@"), "{sender:?}");
    }
    // One of ten is left out.
    assert_eq!(filters["asterisk-iptables"].len(), 9);
}

#[test]
fn lines_of_asterisk_are_counted_unless_advice_says_that_they_are_not() {
    let (_, problems, filters) = judged(&Pasted::new(JAILS, FILTER));
    let filter = &filters["asterisk-iptables"];
    let advised = |line: usize, words: &str| {
        let here = |p: &&Problem| p.file.ends_with("asterisk.conf") && p.line == line;
        assert!(problems.iter().filter(here).any(|p| p.message.contains(words)), "{line} {words}");
    };
    let notice = |said: &str| format!("[2026-11-22 15:22:38] NOTICE[4108] chan_x.c: {said}");
    let registration = |from: &str, why: &str| {
        notice(&format!("Registration from '<sip:1@h>' failed for '{from}' - {why}"))
    };
    let stranger = [Who::Prefix("203.0.113.9".parse().unwrap())];
    for (line, why) in [
        (20, "Wrong password"),
        (22, "No matching peer found"),
        (24, "Username/auth name mismatch"),
    ] {
        assert_eq!(accused(filter, &registration("203.0.113.9", why)), stranger);
        assert_eq!(accused(filter, &registration("203.0.113.9:5060", why)), []);
        advised(line, "with a port");
    }
    for said in [
        "203.0.113.9 failed to authenticate as 'admin'",
        "Host 203.0.113.9 failed MD5 authentication for '700' (a1 != b2)",
        "No registration for peer '700' from 203.0.113.9",
    ] {
        assert_eq!(accused(filter, &notice(said)), stranger, "{said}");
    }
    // The parentheses of the line, unlike those of the expression.
    assert_eq!(accused(filter, &notice("No registration for peer '700' (from 203.0.113.9)")), []);
    advised(27, "a group");
    assert_eq!(accused(filter, &registration("203.0.113.9", "ACL error (permit/deny)")), []);
    advised(33, "a group");
    advised(32, "with a port");
    advised(30, "never closed");
    // The PBX, and whomever a stranger names.
    let pbx = "[2026-11-22 15:22:38] VERBOSE[4117][C-0000004a] pbx.c: Executing [s@x:1] NoOp(\
               \"SIP/192.0.2.1-00000001\", \"Received incoming SIP connection from unknown peer\")";
    assert_eq!(accused(filter, pbx), [Who::Prefix("192.0.2.1".parse().unwrap())]);
    advised(34, "bans the PBX");
    let named = notice("Failed to authenticate user <sip:1@192.0.2.1>;tag=x");
    assert_eq!(accused(filter, &named), [Who::Prefix("192.0.2.1".parse().unwrap())]);
    advised(31, "bans the PBX");
    let forged = registration("203.0.113.9:5060", "Wrong password")
        .replace("<sip:1@h>", "\"x' failed for '192.0.2.66' - Wrong password\" <sip:1@h>");
    assert_eq!(accused(filter, &forged), [Who::Prefix("192.0.2.66".parse().unwrap())]);
    advised(20, "chooses who is banned");
}

/// Quotes, dashes and blanks as word processors make them.
#[test]
fn what_a_page_bends_is_said_and_the_rest_guards() {
    let bent = FILTER.replacen("'<HOST>' -\nWrong", "‘<HOST>’ –\nWrong", 1).replacen(
        "\n          ",
        "\n\u{a0}\u{a0}",
        1,
    );
    let jails = JAILS.replacen("maxretry = 4", "maxretry =\u{a0}4", 1);
    let (tree, problems, filters) = judged(&Pasted::new(&jails, &bent));
    assert_eq!(tree.standing().count(), 2);
    assert_eq!(filters["asterisk-iptables"].len(), 9);
    let told: String = problems.iter().map(shown).collect();
    assert!(
        told.contains("asterisk.conf:20:60: warning: U+2018 is a typographic apostrophe"),
        "{told}"
    );
    assert!(
        told.contains(
            "asterisk.conf:20:61: warning: failregex: this does not match an address with"
        )
    );
    assert!(told.contains("| write ' in its place, and look for others in this line"), "{told}");
}

#[test]
fn over_the_files_of_this_machine_it_is_the_same() {
    if std::fs::metadata(format!("{BASE}/action.d/sendmail-whois.conf")).is_err() {
        println!("skipped: fail2ban's files are not installed");
        return;
    }
    let mut files = Pasted::new(JAILS, FILTER);
    files.files.retain(|path, _| path.ends_with("jail.local") || path.ends_with("asterisk.conf"));
    files.over = true;
    let (tree, problems, filters) = judged(&files);
    let told: String = problems.iter().map(shown).collect();
    assert_eq!(told, include_str!("guide/problems.txt"), "{told}");
    for jail in tree.standing().filter(|jail| jail.name.ends_with("-iptables")) {
        assert!(filters.contains_key(&jail.name));
        let acts = acts(&tree, jail);
        let told: String = acts.problems.iter().map(shown).collect();
        assert!(acts.problems.iter().all(|p| p.severity != Severity::Error), "{told}");
        assert!(acts.closing.is_some());
    }
}

/// Nothing is read differently than fail2ban reads it: it does not.
#[test]
fn fail2ban_itself_guards_nothing_of_it() {
    if !common::installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in Pasted::new(JAILS, FILTER).files {
        let path = folder.path().join(path.trim_start_matches("/etc/fail2ban/"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.path().join("fail2ban.conf"), "[Definition]\n").unwrap();
    let told = common::real(folder.path());
    println!("{told:?}");
    assert!(told.is_err() || !told.unwrap().iter().any(|line| line.contains("'start'")));
}
