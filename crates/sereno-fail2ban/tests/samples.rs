//! fail2ban's own sample lines: every filter of the stock tree, with every set of options, line by
//! line, as fail2ban's tests have it. Another release's files are tried with `SERENO_F2B_SAMPLES`
//! (its directory `tests/files/logs`) and `SERENO_F2B_CONFIG` (its configuration).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    dead_code,
    reason = "a test reads real files and looks at the clock"
)]

mod common;
mod sample;

use sample::{NOW, Suite, Tally};
use sereno_core::time::Time;
use sereno_fail2ban::Compiler;
use std::time::Instant;

#[test]
fn every_sample_is_judged_as_fail2ban_judges_it() {
    let Some(suite) = Suite::find() else {
        println!("skipped: fail2ban's sample lines are not installed");
        return;
    };
    let mut tally = Tally::default();
    for (base, name) in suite.filters() {
        suite.run(base, &name, &mut tally);
    }
    let Tally { filters, instances, cases, matching, failures } = &tally;
    println!("{filters} filters, {instances} instances, {cases} cases, {matching} matching");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(*filters >= 91 && *instances >= 128 && *cases >= 1627);
}

#[test]
fn every_stock_filter_compiles() {
    let Some(suite) = Suite::find() else {
        println!("skipped: fail2ban's filters are not installed");
        return;
    };
    let zone = jiff::tz::TimeZone::UTC;
    let mut compiler = Compiler::new(zone, |_| None, Time::from_secs(NOW));
    let begin = Instant::now();
    let mut filters = 0;
    let mut bounded = Vec::new();
    let mut said = Vec::new();
    for (base, name) in suite.filters() {
        let tree = sereno_fail2ban::filter(&suite, base.to_str().unwrap(), &name, "auto");
        let compiled = compiler.jail(&tree, &tree.jails[0]);
        said.extend(compiled.problems.iter().map(|problem| format!("{name}: {problem}")));
        match compiled.filter {
            Some(filter) if filter.is_linear() => {}
            Some(_) => bounded.push(name),
            None => panic!("{name}: {}", said.join("\n")),
        }
        filters += 1;
    }
    println!("said of them:\n{}", said.join("\n"));
    // Advice is for others than these; but IAX2 does write a port behind the address, and this
    // filter passes over such failures.
    let expected = ["this does not match an address with a port, as in: chan_iax2.c: Host "];
    let known = said.iter().zip(expected).all(|(said, known)| said.contains(known));
    assert!(known && said.len() == expected.len(), "{}", said.join("\n"));
    println!("{filters} filters read and compiled in {:?}", begin.elapsed());
    println!("with a limit of steps: {}", bounded.join(" "));
    assert!(filters >= 91);
}
