//! `sereno scan`: which lines of a log count, and what each means.

mod fail2ban;
mod page;

use super::args::ScanArgs;
use super::failure::{Failure, Outcome};
use super::read::{self, Block, Log};
use crate::{policy, words};
use jiff::tz::TimeZone;
use page::{Page, Row};
use serde::Serialize;
use sereno_core::filter::{self, Finding};
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
/// When a rule or filter does not exist or is wrong, the log cannot be read, or the output not be
/// written.
pub fn run(args: &ScanArgs, out: &mut impl Write) -> Outcome {
    let readers = match &args.fail2ban {
        Some(base) => fail2ban::readers(base, &args.filters)?,
        None => chosen(args)?,
    };
    let mut log = Log::open(&args.log)?;
    let now = log.seen_from(args.now);
    if args.count {
        let counted = count(readers, &mut log, now)?;
        writeln!(out, "{counted}")?;
    } else if args.json.json {
        as_json(readers.counting_lines(), &mut log, now, out)?;
    } else {
        for_people(readers.counting_lines(), &mut log, now, out)?;
    }
    out.flush()?;
    read::tell_of_cuts(log.cut());
    Ok(ExitCode::SUCCESS)
}

/// What reads a log: rules of Sereno's own, and fail2ban's filters.
struct Readers {
    scan: Scan,
    filters: filter::Scan,
    /// The names of the rules, and those of the filters behind them.
    names: Vec<String>,
}

/// What one of the readers made of a line.
enum Found<'a, 'l> {
    Rule(&'a Hit<'l>),
    /// By the filter at this place.
    Filter(usize, &'a Finding<'l>),
}

impl Readers {
    fn new(
        rules: Vec<Arc<Rule>>,
        filters: filter::Scan,
        theirs: Vec<String>,
    ) -> Result<Self, Failure> {
        let names = rules.iter().map(|rule| rule.name.clone()).chain(theirs).collect();
        let scan = Scan::new(rules, Dates::new(TimeZone::system())).map_err(Failure::refused)?;
        Ok(Self { scan, filters, names })
    }

    fn counting_lines(self) -> Self {
        Self { scan: self.scan.counting_lines(), ..self }
    }

    /// The place of a filter's name.
    fn place(&self, filter: usize) -> usize {
        self.scan.rules().len() + filter
    }

    /// Reads what of a block is complete; gives how many bytes that was.
    fn read(&mut self, block: Block<'_>, now: Time, mut emit: impl FnMut(Found<'_, '_>)) -> usize {
        let used = if self.scan.rules().is_empty() {
            block.bytes.len()
        } else {
            let behind = Behind::block(block.last);
            self.scan.read(block.bytes, behind, now, &mut |hit| emit(Found::Rule(&hit)))
        };
        if !self.filters.is_empty() {
            let found = &mut |place, finding: &Finding<'_>| emit(Found::Filter(place, finding));
            self.filters.read(&block.bytes[..used], now, found);
        }
        used
    }
}

/// The rules asked for.
fn chosen(args: &ScanArgs) -> Result<Readers, Failure> {
    let folder = Path::new(policy::DEFAULT).parent().unwrap_or(Path::new("/"));
    let outcome = policy::read(&[], &policy::rules(args.folder.as_deref(), folder)?);
    for problem in &outcome.problems {
        // Standard error may be closed; a rule that is missing is told of below.
        let _ = writeln!(stderr(), "{problem}");
    }
    let (mut rules, mut theirs) = (outcome.policy.rules, outcome.policy.filter_rules);
    let names =
        || rules.iter().map(|r| r.name.as_str()).chain(theirs.iter().map(|r| r.name.as_str()));
    for name in &args.rules {
        if !names().any(|known| known == name) {
            let names: Vec<&str> = names().collect();
            return Err(Failure::usage(words::no_such_rule(name, names.join(", "))));
        }
    }
    let wanted = |name: &String| args.rules.is_empty() || args.rules.contains(name);
    rules.retain(|rule| wanted(&rule.name));
    theirs.retain(|rule| wanted(&rule.name));
    let mut filters = filter::Scan::new();
    for rule in &theirs {
        filters.add(Arc::clone(&rule.filter), false);
    }
    Readers::new(rules, filters, theirs.into_iter().map(|rule| rule.name).collect())
}

fn count(mut readers: Readers, log: &mut Log, now: Time) -> Result<u64, Failure> {
    let mut counted = 0u64;
    log.for_each(|block| {
        Ok(readers.read(block, now, |found| {
            counted += match found {
                Found::Rule(hit) => u64::from(hit.pattern.kind == Kind::Failure),
                Found::Filter(..) => 1,
            };
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
    mut readers: Readers,
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut clock = Clock::new(|time| time.to_string());
    let (names, rules) = (readers.names.clone(), readers.place(0));
    log.for_each(|block| {
        let mut written = Ok(());
        let used = readers.read(block, now, |found| {
            if written.is_err() {
                return;
            }
            let row = match found {
                Found::Rule(hit) if hit.pattern.kind == Kind::Failure => {
                    let counted = counted(hit, &names[hit.rule], &mut clock);
                    serde_json::to_writer(&mut *out, &counted)
                }
                Found::Rule(_) => return,
                Found::Filter(place, finding) => {
                    fail2ban::write(finding, &names[rules + place], &mut clock, &mut *out)
                }
            };
            written = row.map_err(Into::into).and_then(|()| out.write_all(b"\n"));
        });
        written?;
        out.flush()?;
        Ok(used)
    })
}

fn counted<'a>(hit: &'a Hit<'_>, rule: &'a str, clock: &'a mut Clock) -> Counted<'a> {
    Counted {
        line: hit.number,
        time: hit.when.map(|when| clock.show(when)),
        addr: hit.found.addr,
        user: hit.found.user.map(String::from_utf8_lossy),
        rule,
        pattern: &hit.pattern.id,
        kind: hit.pattern.kind.word(),
    }
}

fn for_people(
    mut readers: Readers,
    log: &mut Log,
    now: Time,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut page = Page::new(readers.names.clone());
    let rules = readers.place(0);
    log.for_each(|block| {
        let used = readers.read(block, now, |found| match found {
            Found::Rule(hit) => show(&mut page, hit),
            Found::Filter(place, finding) => fail2ban::show(&mut page, rules + place, finding),
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
