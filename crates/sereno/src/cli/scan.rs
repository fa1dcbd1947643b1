//! `sereno scan`: which lines of a log count, and what each means.

use super::args::ScanArgs;
use super::failure::{Failure, Outcome};
use super::paint::{self, Column, Paint};
use super::read::{self, Log};
use crate::{policy, words};
use jiff::tz::TimeZone;
use serde::Serialize;
use sereno_core::cap::Capped;
use sereno_core::line::Dates;
use sereno_core::rule::Rule;
use sereno_core::rule::scan::{Behind, Hit, Scan};
use sereno_core::rule::spec::Kind;
use sereno_core::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stderr, stdout};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Addresses counted for the summary; beyond it the one not seen for longest is left out.
const ADDRESSES: usize = 1 << 18;
/// Addresses shown in the summary.
const TOP: usize = 10;
/// Characters of an account shown in its column.
const USER: usize = 20;

/// Runs the command.
///
/// # Errors
/// When a rule does not exist, the log cannot be read, or the output not be written.
pub fn run(args: &ScanArgs, out: &mut impl Write) -> Outcome {
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
        Page::new(&rules).read(scan.counting_lines(), &mut log, now, out)?;
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

/// The output for people: the counted lines as they come, and a summary.
struct Page<'a> {
    rules: &'a [Arc<Rule>],
    paint: Paint,
    clock: Clock,
    lines: u64,
    kinds: BTreeMap<Kind, u64>,
    /// Per rule, the counts of its patterns.
    patterns: Vec<BTreeMap<String, u64>>,
    addrs: Capped<IpAddr, u64>,
}

impl<'a> Page<'a> {
    fn new(rules: &'a [Arc<Rule>]) -> Self {
        Self {
            rules,
            paint: Paint::on(&stdout()),
            clock: Clock::new(paint::moment),
            lines: 0,
            kinds: BTreeMap::new(),
            patterns: vec![BTreeMap::new(); rules.len()],
            addrs: Capped::new(ADDRESSES),
        }
    }

    fn read(
        mut self,
        mut scan: Scan,
        log: &mut Log,
        now: Time,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut rows = String::new();
        log.for_each(|block| {
            let used = scan.read(block.bytes, Behind::block(block.last), now, &mut |hit| {
                self.take(&hit, &mut rows);
            });
            self.lines += memchr::memchr_iter(b'\n', &block.bytes[..used]).count() as u64;
            self.lines += u64::from(block.last && !block.bytes.ends_with(b"\n"));
            out.write_all(rows.as_bytes())?;
            out.flush()?;
            rows.clear();
            Ok(used)
        })?;
        out.write_all(self.summary().as_bytes())?;
        Ok(())
    }

    fn take(&mut self, hit: &Hit<'_>, rows: &mut String) {
        *self.kinds.entry(hit.pattern.kind).or_default() += 1;
        if hit.pattern.kind != Kind::Failure {
            return;
        }
        let patterns = &mut self.patterns[hit.rule];
        match patterns.get_mut(&*hit.pattern.id) {
            Some(n) => *n += 1,
            None => drop(patterns.insert(hit.pattern.id.to_string(), 1)),
        }
        if let Some(addr) = hit.found.addr {
            *self.addrs.entry(addr).0 += 1;
        }
        let time = hit.when.map_or("", |when| self.clock.show(when));
        let addr = hit.found.addr.map(|addr| addr.to_string()).unwrap_or_default();
        let user = String::from_utf8_lossy(hit.found.user.unwrap_or_default());
        let user = paint::safe(&user);
        let user = paint::shortened(&user, USER);
        let number = self.paint.style(paint::FAINT, &format!("{:>7}", hit.number));
        let addr = self.paint.style(paint::WHO, &format!("{addr:<15}"));
        let name = format!("{}/{}", self.rules[hit.rule].name, hit.pattern.id);
        let _ = writeln!(rows, "{number}  {time:<19}  {addr}  {user:<USER$}  {name}");
    }

    fn summary(&self) -> String {
        let of = |kind| self.kinds.get(&kind).copied().unwrap_or(0);
        let counted = of(Kind::Failure);
        let mut out = String::new();
        if counted > 0 {
            out.push('\n');
        }
        let total = words::lines_counted(paint::number(counted), words::lines(self.lines));
        let _ = writeln!(out, "{}", self.paint.style(paint::HEAD, &total));
        let others: Vec<String> = [Kind::Success, Kind::Challenge, Kind::Neutral, Kind::End]
            .into_iter()
            .filter(|kind| of(*kind) > 0)
            .map(|kind| format!("{} {}", paint::number(of(kind)), words::kind(kind)))
            .collect();
        if !others.is_empty() {
            let _ = writeln!(out, "{}", words::also_understood(others.join(", ")));
        }
        let mut patterns: Vec<(u64, String)> = Vec::new();
        for (rule, counts) in self.rules.iter().zip(&self.patterns) {
            patterns.extend(counts.iter().map(|(id, n)| (*n, format!("{}/{id}", rule.name))));
        }
        patterns.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.list(&mut out, &words::by_pattern(), patterns, anstyle::Style::new());
        let mut addrs: Vec<(u64, IpAddr)> =
            self.addrs.iter().map(|(addr, n)| (*n, *addr)).collect();
        addrs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let head = words::by_address(words::addresses(addrs.len() as u64));
        addrs.truncate(TOP);
        let addrs = addrs.into_iter().map(|(n, addr)| (n, addr.to_string())).collect();
        self.list(&mut out, &head, addrs, paint::WHO);
        out
    }

    fn list(
        &self,
        out: &mut String,
        head: &str,
        counts: Vec<(u64, String)>,
        style: anstyle::Style,
    ) {
        if counts.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}", self.paint.style(paint::HEAD, head));
        let rows: Vec<Vec<String>> =
            counts.into_iter().map(|(n, what)| vec![paint::number(n), what]).collect();
        let columns = [Column::right(""), Column::left("", style)];
        for row in paint::table(self.paint, &columns, &rows).lines() {
            let _ = writeln!(out, "  {row}");
        }
    }
}
