//! `sereno replay`: the whole policy over old logs. The clock is the log's; nothing is touched.

use super::args::{ConfigArgs, ReplayArgs};
use super::failure::{Failure, Outcome};
use super::paint::{self, Paint};
use super::read::{self, Log};
use crate::{policy, words};
use serde::Serialize;
use sereno_config::{Document, Policy};
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Clock, Engine, Input, Notice, SourceId};
use sereno_core::gate::Name;
use sereno_core::jail::{Because, Friends};
use sereno_core::ledger::Ban;
use sereno_core::line::Dates;
use sereno_core::rule::Rule;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All logs are one source: a rotated set is one log, and different services do not meet.
const SOURCE: SourceId = SourceId(0);
/// What still waits after the last line is decided this much later.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// Makes `bantime.rndtime` say the same in every replay.
const SEED: u64 = 1;
/// Friends shown in the summary.
const SPARED: usize = 20;

/// Runs the command.
///
/// # Errors
/// When the configuration has errors, a jail does not exist, a log cannot be read, or the
/// output not be written.
pub fn run(args: &ReplayArgs, out: &mut impl Write) -> Outcome {
    let mut policy = policy_of(&args.config)?;
    choose(&mut policy, &args.jails)?;
    let zone = crate::run::setup::zone(&policy);
    let rules = rules_of(&policy);
    let names: Vec<Name> = policy.jails.iter().map(|jail| jail.policy.name).collect();
    let policies = policy.jails.into_iter().map(|jail| jail.policy).collect();
    let mut engine = Engine::new(policies, Friends::new(policy.friends), Clock::Log, SEED);
    engine.add_source(SOURCE, &rules, &names, Dates::new(zone)).map_err(Failure::refused)?;
    engine.add_filters(SOURCE, &policy.filters);
    let mut replay = Replay {
        engine,
        json: args.json.json,
        paint: Paint::on(&stdout()),
        clear: if stdout().is_terminal() { "\r\x1b[K" } else { "" },
        started: Instant::now(),
        actions: Vec::new(),
        lines: 0,
        bytes: 0,
        bans: BTreeMap::new(),
        banned: BTreeSet::new(),
        spared: BTreeMap::new(),
    };
    for path in &args.logs {
        replay.read(path, args.now, out)?;
    }
    replay.finish(out)?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration, or without one a jail for every shipped rule, with the usual numbers.
fn policy_of(args: &ConfigArgs) -> Result<Policy, Failure> {
    let folder = Path::new(policy::DEFAULT).parent().unwrap_or(Path::new("/"));
    let configured = args.config.is_some()
        || args.fail2ban.is_some()
        || Path::new(policy::DEFAULT).exists()
        || folder.join("conf.d").exists();
    let outcome = if configured {
        policy::load(args)?.outcome
    } else {
        let text = "[jail.asterisk]\nlogpath = [\"-\"]\n[jail.sshd]\nlogpath = [\"-\"]\n";
        let usual = Document { name: "the usual jails".to_owned(), text: text.to_owned() };
        sereno_config::read(&[usual], &policy::rules(args.rules.as_deref(), folder)?)
    };
    if outcome.has_errors() {
        return Err(Failure::refused(words::fix_first(words::problems(
            outcome.problems.len() as u64
        ))));
    }
    Ok(outcome.policy)
}

/// Keeps only the jails asked for.
fn choose(policy: &mut Policy, wanted: &[String]) -> Result<(), Failure> {
    let names: Vec<String> = policy.jails.iter().map(|jail| jail.policy.name.to_string()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        return Err(Failure::usage(words::no_such_jail(unknown, names.join(", "))));
    }
    policy.jails.retain(|jail| {
        wanted.is_empty() || wanted.iter().any(|name| *name == jail.policy.name.as_str())
    });
    Ok(())
}

/// The rules that the jails listen to, each once.
fn rules_of(policy: &Policy) -> Vec<Arc<Rule>> {
    let wanted: BTreeSet<&str> =
        policy.jails.iter().map(|jail| jail.policy.rule.as_str()).collect();
    wanted.into_iter().filter_map(|name| policy.rule(name).map(Arc::clone)).collect()
}

/// A ban, as `--json` gives it.
#[derive(Serialize)]
struct Banned {
    time: String,
    addr: Prefix,
    jail: Name,
    until: Option<String>,
    count: u32,
    because: Because,
}

struct Replay {
    engine: Engine,
    json: bool,
    paint: Paint,
    /// Takes a line of progress away before something else is shown where it stands.
    clear: &'static str,
    started: Instant,
    actions: Vec<Action>,
    lines: u64,
    bytes: u64,
    bans: BTreeMap<Name, u64>,
    banned: BTreeSet<Prefix>,
    /// Friends who would have been banned: by prefix and jail, why they are friends, and the
    /// highest count.
    spared: BTreeMap<(Prefix, Name), (String, u32)>,
}

impl Replay {
    fn read(&mut self, path: &Path, now: Option<i64>, out: &mut impl Write) -> Result<(), Failure> {
        let mut log = Log::open(path)?;
        if !self.json || self.clear.is_empty() {
            log = log.showing_progress();
        }
        let now = log.seen_from(now);
        log.for_each(|block| {
            self.lines += memchr::memchr_iter(b'\n', block.bytes).count() as u64;
            self.lines += u64::from(block.last && !block.bytes.ends_with(b"\n"));
            self.bytes += block.bytes.len() as u64;
            let input = Input::Block { source: SOURCE, bytes: block.bytes, live: false };
            self.engine.handle(input, now, &mut self.actions);
            self.tell(out)?;
            Ok(block.bytes.len())
        })?;
        read::tell_of_cuts(log.cut());
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        if let Some(last) = self.engine.source(SOURCE).and_then(|health| health.last_match) {
            self.engine.settle(SOURCE, last.plus(AFTERWARDS), &mut self.actions);
        }
        self.tell(out)?;
        if !self.json {
            out.write_all(self.summary().as_bytes())?;
        }
        out.flush()?;
        Ok(())
    }

    /// Tells what followed from the last block.
    fn tell(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        let mut said = false;
        for action in std::mem::take(&mut self.actions) {
            match action {
                Action::Ban(ban) => {
                    said = true;
                    self.ban(&ban, out)?;
                }
                Action::Tell(Notice::Spared { jail, prefix, friend, count }) => {
                    let spared = self.spared.entry((prefix, jail)).or_insert((friend, 0));
                    spared.1 = spared.1.max(count);
                }
                _ => {}
            }
        }
        if said {
            out.flush()?;
        }
        Ok(())
    }

    fn ban(&mut self, ban: &Ban, out: &mut impl Write) -> Result<(), Failure> {
        let first = self.bans.is_empty();
        *self.bans.entry(ban.jail).or_default() += 1;
        self.banned.insert(ban.prefix);
        if self.json {
            let banned = Banned {
                time: ban.since.to_string(),
                addr: ban.prefix,
                jail: ban.jail,
                until: ban.until.map(|until| until.to_string()),
                count: ban.count,
                because: ban.because,
            };
            serde_json::to_writer(&mut *out, &banned).map_err(|error| Failure::io(error.into()))?;
            out.write_all(b"\n")?;
            return Ok(());
        }
        let row = |time: &str, addr: &str, jail: &str, length: &str, count: &str, because: &str| {
            format!("{time:<19}  {addr:<18}  {jail:<12}  {length:<12}  {count:>7}  {because}")
        };
        if first {
            let (time, addr, jail) = (words::time(), words::address(), words::jail());
            let heads =
                row(&time, &addr, &jail, &words::length(), &words::count(), &words::because());
            writeln!(out, "{}{}", self.clear, self.paint.style(paint::HEAD, &heads))?;
        }
        let length =
            ban.until.map_or_else(words::for_ever, |until| paint::span(until.since(ban.since)));
        let time = paint::moment(ban.since);
        let (addr, count) = (ban.prefix.to_string(), ban.count.to_string());
        let because = words::reason(ban.because);
        let shown = row(&time, &addr, ban.jail.as_str(), &length, &count, because);
        writeln!(out, "{}{shown}", self.clear)?;
        Ok(())
    }

    fn summary(&self) -> String {
        let mut out = String::new();
        let total: u64 = self.bans.values().sum();
        if total > 0 {
            let who = words::addresses(self.banned.len() as u64);
            let head = words::would_ban(words::bans(total), who);
            let _ = writeln!(out, "\n{}", self.paint.style(paint::HEAD, &head));
        } else {
            let _ = writeln!(out, "{}", words::nobody_banned());
        }
        for (policy, counts) in self.engine.jails() {
            let bans = words::bans(self.bans.get(&policy.name).copied().unwrap_or(0));
            let _ = writeln!(
                out,
                "  {}",
                words::jail_bans(policy.name, bans, words::failures(counts.failures))
            );
        }
        for ((prefix, jail), (why, count)) in self.spared.iter().take(SPARED) {
            let spared =
                words::spared(prefix, jail, paint::safe(why), words::failures(u64::from(*count)));
            let _ = writeln!(out, "{}", self.paint.style(paint::GOOD, &spared));
        }
        let health = self.engine.source(SOURCE).unwrap_or_default();
        let odd = [
            (health.kept.forged, words::forged(words::lines(health.kept.forged))),
            (health.kept.unvouched, words::unvouched(words::lines(health.kept.unvouched))),
            (health.kept.overrun, words::overrun(words::lines(health.kept.overrun))),
            (health.counts.unknown, words::strangers(words::lines(health.counts.unknown))),
        ];
        for (_, text) in odd.iter().filter(|(n, _)| *n > 0) {
            let _ = writeln!(out, "{}", self.paint.style(paint::ODD, text));
        }
        let took = self.started.elapsed();
        let speed = (self.lines as f64 / took.as_secs_f64().max(0.001)) as u64;
        let time = format!("{:.2} s", took.as_secs_f64());
        let read = words::replayed(
            words::lines(self.lines),
            paint::bytes(self.bytes),
            time,
            paint::number(speed),
        );
        let _ = writeln!(out, "{}", self.paint.style(paint::FAINT, &read));
        out
    }
}
