//! Configuration and rule files.

use sereno_config::{Document, Problem, read};

/// A rule small enough to be compiled each time.
const RULE: &str = r#"name = "sshd"
format = "plain"
[[pattern]]
id = "p"
kind = "failure"
regex = "from <addr>"
[[pattern.match]]
line = "from 192.0.2.7"
addr = "192.0.2.7"
"#;

/// Up to two configuration files and a rule file, with zeros between them. What holds for any:
/// problems are at places that there are, in order, and can be shown; reading again says the
/// same; and no jail is without a log or without its rule.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let document =
        |(name, text): (&str, &str)| Document { name: name.to_owned(), text: text.to_owned() };
    let names = ["a.toml", "b.toml", "rule.toml"];
    let mut docs: Vec<Document> =
        names.into_iter().zip(text.splitn(3, '\0')).map(document).collect();
    let own = docs.split_off(docs.len().min(2));
    let rules: Vec<Document> = std::iter::once(document(("sshd.toml", RULE))).chain(own).collect();
    let outcome = read(&docs, &rules);
    let all: Vec<&Document> = docs.iter().chain(&rules).collect();
    let places: Vec<_> = outcome.problems.iter().map(|problem| place(problem, &all)).collect();
    assert!(places.is_sorted());
    for jail in &outcome.policy.jails {
        assert!(!jail.sources.is_empty());
        assert!(outcome.policy.rule(&jail.policy.rule).is_some());
    }
    let again = read(&docs, &rules);
    assert_eq!((again.policy == outcome.policy, again.problems), (true, outcome.problems));
}

/// Where a problem is: document, line, column, all of them there.
fn place(problem: &Problem, docs: &[&Document]) -> (usize, usize, usize) {
    let doc = docs.iter().position(|doc| doc.name == problem.file);
    assert!(doc.is_some(), "no file {}", problem.file);
    let doc = doc.unwrap_or_default();
    assert!(problem.line >= 1 && problem.column >= 1);
    let line = docs[doc].text.split('\n').nth(problem.line - 1);
    // A place behind the last character is meant where something is missing.
    let room = line.map(|line| line.chars().count() + 1);
    assert!(room.is_some_and(|room| problem.column <= room), "{problem:?} is not in the text");
    assert!(problem.width >= 1 && problem.indent <= problem.cited.chars().count());
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
    let shown = problem.to_string();
    // Names that are cited may not write on the terminal.
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    (doc, problem.line, problem.column)
}
