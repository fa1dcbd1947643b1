//! `sereno scan`: which lines of a log count, and what each means.

mod fail2ban;
mod page;

use super::args::ScanArgs;
use super::failure::{Failure, Outcome};
use super::read::{self, Log};
use crate::{policy, words};
use jiff::tz::TimeZone;
use page::{Page, Row};
use serde::Serialize;
use sereno_core::line::Dates;
use sereno_core::rule::Rule;
use sereno_core::rule::scan::{Behind, Hit, Scan};
use sereno_core::rule::spec::Kind;
use sereno_core::time::Time;
use std::borrow::Cow;
use std::io::{Write, stderr};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the command.
///
/// # Errors
/// When a rule does not exist, the log cannot be read, or the output not be written.
pub fn run(args: &ScanArgs, out: &mut impl Write) -> Outcome {
    if let Some(base) = &args.fail2ban {
        return fail2ban::run(base, args, out);
    }
    let rules = chosen(args)?;
    let mut log = Log::open(&args.log)?;
    let now = log.seen_from(args.now);
    let scan =
        Scan::new(rules.clone(), Dates::new(TimeZone::system())).map_err(Failure::refused)?;
    if args.count {
        let counted = count(scan, &mut log, now)?;
        writeln!(out, "{counted}")?;
    } else if args.json.json {
        as_json(scan.counting_lines(), &rules, &mut log, now, out)?;
    } else {
        let names = rules.iter().map(|rule| rule.name.clone()).collect();
        for_people(scan.counting_lines(), Page::new(names), &mut log, now, out)?;
    }
    out.flush()?;
    read::tell_of_cuts(log.cut());
    Ok(ExitCode::SUCCESS)
}

/// The rules asked for.
fn chosen(args: &ScanArgs) -> Result<Vec<Arc<Rule>>, Failure> {
    let folder = Path::new(policy::DEFAULT).parent().unwrap_or(Path::new("/"));
    let outcome = sereno_config::read(&[], &policy::rules(args.folder.as_deref(), folder)?);
    for problem in &outcome.problems {
        // Standard error may be closed; a rule that is missing is told of below.
        let _ = writeln!(stderr(), "{problem}");
    }
    let mut rules = outcome.policy.rules;
    for name in &args.rules {
        if !rules.iter().any(|rule| rule.name == *name) {
            let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
            return Err(Failure::usage(words::no_such_rule(name, names.join(", "))));
        }
    }
    rules.retain(|rule| args.rules.is_empty() || args.rules.contains(&rule.name));
    Ok(rules)
}

fn count(mut scan: Scan, log: &mut Log, now: Time) -> Result<u64, Failure> {
    let mut counted = 0u64;
    log.for_each(|block| {
        Ok(scan.read(block.bytes, Behind::block(block.last), now, &mut |hit| {
            counted += u64::from(hit.pattern.kind == Kind::Failure);
        }))
    })?;
    Ok(counted)
}

/// A counted line, as `--json` gives it.
#[derive(Serialize)]
struct Counted<'a> {
    line: u64,
    time: Option<&'a str>,
    addr: Option<IpAddr>,
    user: Option<Cow<'a, str>>,
    rule: &'a str,
    pattern: &'a str,
    kind: &'static str,
}

fn as_json(
    mut scan: Scan,
    rules: &[Arc<Rule>],
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut clock = Clock::new(|time| time.to_string());
    log.for_each(|block| {
        let mut written = Ok(());
        let used = scan.read(block.bytes, Behind::block(block.last), now, &mut |hit| {
            if hit.pattern.kind != Kind::Failure || written.is_err() {
                return;
            }
            let counted = Counted {
                line: hit.number,
                time: hit.when.map(|when| clock.show(when)),
                addr: hit.found.addr,
                user: hit.found.user.map(String::from_utf8_lossy),
                rule: &rules[hit.rule].name,
                pattern: &hit.pattern.id,
                kind: hit.pattern.kind.word(),
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
    mut scan: Scan,
    mut page: Page,
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    log.for_each(|block| {
        let used = scan.read(block.bytes, Behind::block(block.last), now, &mut |hit| {
            show(&mut page, &hit);
        });
        page.lines(&block.bytes[..used], block.last);
        page.write(out)?;
        Ok(used)
    })?;
    page.end(out)
}

fn show(page: &mut Page, hit: &Hit<'_>) {
    if hit.pattern.kind != Kind::Failure {
        return page.other(hit.pattern.kind);
    }
    page.row(&Row {
        number: hit.number,
        when: hit.when,
        addr: hit.found.addr,
        who: hit.found.addr.map(|addr| addr.to_string()).unwrap_or_default().into(),
        user: String::from_utf8_lossy(hit.found.user.unwrap_or_default()),
        rule: hit.rule,
        pattern: &hit.pattern.id,
    });
}

/// Times as text; lines come in runs of the same second.
struct Clock {
    last: Option<Time>,
    shown: String,
    render: fn(Time) -> String,
}

impl Clock {
    fn new(render: fn(Time) -> String) -> Self {
        Self { last: None, shown: String::new(), render }
    }

    fn show(&mut self, time: Time) -> &str {
        if self.last.replace(time) != Some(time) {
            self.shown = (self.render)(time);
        }
        &self.shown
    }
}
