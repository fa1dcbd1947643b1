//! The inputs that fuzzing found worth keeping, and those that once broke something, through
//! the same checks (`fuzz/checks`, described in `docs/fuzzing.md`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

macro_rules! targets {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[path = $file]
        mod $name;

        #[test]
        fn $name() {
            replay(stringify!($name), $name::check);
        }
    )*};
}

targets! {
    access: "../../../fuzz/checks/access.rs",
    asterisk: "../../../fuzz/checks/asterisk.rs",
    line: "../../../fuzz/checks/line.rs",
    rule: "../../../fuzz/checks/rule.rs",
    pattern: "../../../fuzz/checks/pattern.rs",
    config: "../../../fuzz/checks/config.rs",
    control: "../../../fuzz/checks/control.rs",
    netlink: "../../../fuzz/checks/netlink.rs",
    heard: "../../../fuzz/checks/heard.rs",
    knock: "../../../fuzz/checks/knock.rs",
    knockd: "../../../fuzz/checks/knockd.rs",
    journal: "../../../fuzz/checks/journal.rs",
    spa: "../../../fuzz/checks/spa.rs",
    expression: "../../../fuzz/checks/expression.rs",
    date: "../../../fuzz/checks/date.rs",
    tree: "../../../fuzz/checks/tree.rs",
    filter: "../../../fuzz/checks/filter.rs",
    invited: "../../../fuzz/checks/invited.rs",
}

/// Checks every input of a target, and names those that fail.
fn replay(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let (mut checked, mut broken) = (0, Vec::new());
    for folder in ["corpus", "found"].map(|kind| fuzz.join(kind).join(target)) {
        // Not every target has found something.
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            checked += 1;
            if catch_unwind(AssertUnwindSafe(|| check(&data))).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(checked >= 10, "only {checked} inputs for {target}");
    assert!(broken.is_empty(), "{broken:#?}");
}
