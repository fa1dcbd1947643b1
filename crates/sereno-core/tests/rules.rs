//! The shipped rules are proven by their own sample lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use sereno_core::rule::{prove, spec::RuleSpec};

#[test]
fn shipped_rules_do_what_they_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let spec: RuleSpec =
            toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let proof = prove(&spec);
        let failures: Vec<String> = proof.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(proof.passed >= spec.patterns.len());
        files += 1;
    }
    assert!(files >= 2);
}
