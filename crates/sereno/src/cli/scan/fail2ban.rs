//! `sereno scan --fail2ban`: which lines of a log count by fail2ban's filters.

use super::page::{Page, Row};
use super::{Clock, words};
use crate::cli::args::ScanArgs;
use crate::cli::fail2ban::Disk;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::read::{self, Block, Log};
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use sereno_core::filter::{Fields, Finding, Scan, Who};
use sereno_core::rule::spec::Kind;
use sereno_core::time::Time;
use sereno_fail2ban::{Compiler, Problem, Severity};
use std::io::{Write, stderr};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command with the filters of the tree under `base`.
///
/// # Errors
/// When a filter is wrong, the log cannot be read, or the output not be written.
pub(super) fn run(base: &Path, args: &ScanArgs, out: &mut impl Write) -> Outcome {
    let mut names = Vec::new();
    let mut scan = Scan::new();
    filters(base, &args.filters, &mut scan, &mut names)?;
    let mut log = Log::open(&args.log)?;
    let now = log.seen_from(args.now);
    if args.count {
        let mut counted = 0u64;
        log.for_each(|block| Ok(judge(&mut scan, block, now, &mut |_, _| counted += 1)))?;
        writeln!(out, "{counted}")?;
    } else if args.json.json {
        as_json(&mut scan, &names, &mut log, now, out)?;
    } else {
        for_people(&mut scan, Page::new(names), &mut log, now, out)?;
    }
    out.flush()?;
    read::tell_of_cuts(log.cut());
    Ok(ExitCode::SUCCESS)
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

/// Reads a block; every filter says what it makes of its lines.
fn judge(
    scan: &mut Scan,
    block: Block<'_>,
    now: Time,
    emit: &mut dyn FnMut(usize, &Finding<'_>),
) -> usize {
    scan.read(block.bytes, now, emit);
    block.bytes.len()
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

fn as_json(
    scan: &mut Scan,
    names: &[String],
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut clock = Clock::new(|time| time.to_string());
    log.for_each(|block| {
        let mut written = Ok(());
        let used = judge(scan, block, now, &mut |filter, found| {
            if written.is_err() {
                return;
            }
            let (addr, host) = whom(found.who);
            let counted = Counted {
                line: found.number,
                time: found.when.map(|when| clock.show(when)),
                addr,
                user: found.story.fields.get("user"),
                rule: &names[filter],
                pattern: found.regex,
                kind: Kind::Failure.word(),
                host: &host,
                attempts: found.story.matches.len(),
                captures: Captures(&found.story.fields),
            };
            written = serde_json::to_writer(&mut *out, &counted)
                .map_err(Into::into)
                .and_then(|()| out.write_all(b"\n"));
        });
        written?;
        out.flush()?;
        Ok(used)
    })
}

fn for_people(
    scan: &mut Scan,
    mut page: Page,
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    log.for_each(|block| {
        let used = judge(scan, block, now, &mut |filter, found| {
            let (addr, who) = whom(found.who);
            page.row(&Row {
                number: found.number,
                when: found.when,
                addr,
                who: who.into(),
                user: found.story.fields.get("user").unwrap_or_default().into(),
                rule: filter,
                pattern: &found.regex.to_string(),
            });
        });
        page.lines(block.bytes, block.last);
        page.write(out)?;
        Ok(used)
    })?;
    page.end(out)
}
