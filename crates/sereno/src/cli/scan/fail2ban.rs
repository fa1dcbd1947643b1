//! What `sereno scan` shows of fail2ban's filters: those of a tree, and rules of their kind.

use super::page::{Page, Row};
use super::{Clock, Readers, words};
use crate::cli::fail2ban::Disk;
use crate::cli::failure::Failure;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use sereno_core::filter::{Fields, Finding, Scan, Who};
use sereno_core::rule::spec::Kind;
use sereno_core::time::Time;
use sereno_fail2ban::{Compiler, Problem, Severity};
use std::io::{Write, stderr};
use std::net::IpAddr;
use std::path::Path;

/// Reads with filters of the tree under `base`.
///
/// # Errors
/// When a filter is wrong.
pub(super) fn readers(base: &Path, written: &[String]) -> Result<Readers, Failure> {
    let (mut scan, mut names) = (Scan::new(), Vec::new());
    filters(base, written, &mut scan, &mut names)?;
    Readers::new(Vec::new(), scan, names)
}

/// Compiles the filters asked for, and says what is wrong with them on standard error.
fn filters(
    base: &Path,
    written: &[String],
    scan: &mut Scan,
    names: &mut Vec<String>,
) -> Result<(), Failure> {
    let base = base.to_string_lossy();
    let today = Time::from_secs(jiff::Timestamp::now().as_second());
    let zones = |name: &str| TimeZone::get(name).ok();
    let mut compiler = Compiler::new(TimeZone::system(), zones, today);
    let mut wrong = 0;
    let mut tell = |problems: &[Problem]| {
        for problem in problems {
            // Standard error may be closed; the exit code says it all the same.
            let _ = writeln!(stderr(), "{problem}\n");
            wrong += u64::from(problem.severity == Severity::Error);
        }
    };
    for one in written {
        let tree = sereno_fail2ban::filter(&Disk, &base, one, "auto");
        tell(&tree.problems);
        let Some(jail) = tree.standing().next() else { continue };
        let compiled = compiler.jail(&tree, jail);
        tell(&compiled.problems);
        if let Some(filter) = compiled.filter {
            scan.add(filter, false);
            names.extend(jail.filter.as_ref().map(|filter| filter.name.clone()));
        }
    }
    if wrong > 0 { Err(Failure::refused(words::problems(wrong))) } else { Ok(()) }
}

/// A counted line, as `--json` gives it.
#[derive(Serialize)]
struct Counted<'a> {
    line: u64,
    time: Option<&'a str>,
    addr: Option<IpAddr>,
    user: Option<&'a str>,
    rule: &'a str,
    /// Which failregex, from 0.
    pattern: usize,
    kind: &'static str,
    host: &'a str,
    attempts: usize,
    captures: Captures<'a>,
}

struct Captures<'a>(&'a Fields);

impl Serialize for Captures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// Whom a failure is about: the address, if it is one, and how it is called.
fn whom(who: &Who) -> (Option<IpAddr>, String) {
    match who {
        Who::Prefix(prefix) => (prefix.is_host().then_some(prefix.addr()), prefix.to_string()),
        Who::Named(text) | Who::Other(text) => (None, text.clone()),
        Who::Pending => (None, String::new()),
    }
}

/// Writes what was found, as `--json` gives it.
pub(super) fn write(
    found: &Finding<'_>,
    rule: &str,
    clock: &mut Clock,
    out: &mut impl Write,
) -> serde_json::Result<()> {
    let (addr, host) = whom(found.who);
    let counted = Counted {
        line: found.number,
        time: found.when.map(|when| clock.show(when)),
        addr,
        user: found.story.fields.get("user"),
        rule,
        pattern: found.regex,
        kind: Kind::Failure.word(),
        host: &host,
        attempts: found.story.attempts(),
        captures: Captures(&found.story.fields),
    };
    serde_json::to_writer(out, &counted)
}

/// Shows what was found to people.
pub(super) fn show(page: &mut Page, rule: usize, found: &Finding<'_>) {
    let (addr, who) = whom(found.who);
    page.row(&Row {
        number: found.number,
        when: found.when,
        addr,
        who: who.into(),
        user: found.story.fields.get("user").unwrap_or_default().into(),
        rule,
        pattern: &found.regex.to_string(),
    });
}
