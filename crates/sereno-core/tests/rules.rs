//! The shipped rules are proven by their own sample lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

mod shipped;

use sereno_core::rule::{
    prove,
    spec::{ExtensionSpec, RuleSpec},
};

#[test]
fn shipped_rules_do_what_they_say() {
    let rules = shipped::rules();
    assert!(rules.len() >= 2);
    for spec in rules {
        let proof = prove(&spec);
        let failures: Vec<String> = proof.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(proof.passed >= spec.patterns.len());
    }
}
