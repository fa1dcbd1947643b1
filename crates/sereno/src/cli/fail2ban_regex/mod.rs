//! `fail2ban-regex`: called by this name, Sereno tries out expressions and filters as it does, with
//! its options, its layout and its exit codes.
//!
//! Other than there, an expression behind the filter's name that says what to ignore takes the
//! place of the filter's own (as in fail2ban 1.1), and a prefregex is shown as it is written.

mod args;
mod journal;
mod out;
mod report;
mod source;
mod trial;

use super::failure::Outcome;
use super::read::Log;
use args::{Options, Stop};
use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::filter::{Encoding, Filter, Named, Part, Spec};
use sereno_core::time::Time;
use sereno_fail2ban::VERSION;
use sereno_fail2ban::client::FAILED;
use source::{Sought, short};
use std::ffi::OsString;
use std::io::{Write, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use trial::Trial;

/// The program's name.
pub const NAME: &str = "fail2ban-regex";

/// The words behind the program's name, if this program was called by it.
#[must_use]
pub fn called() -> Option<Vec<OsString>> {
    let mut args = std::env::args_os();
    let name = args.next()?;
    let own = Path::new(&name).file_name().is_some_and(|name| name == NAME);
    own.then(|| args.collect())
}

/// Runs the program.
///
/// # Errors
/// When the log cannot be read, or the output not be written.
pub fn run(words: &[OsString], out: &mut impl Write) -> Outcome {
    let words: Vec<String> = words.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let options = match args::read(&words) {
        Ok(options) => options,
        Err(Stop::Help) => {
            write!(out, "{HELP}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(Stop::Version { short: true }) => {
            writeln!(out, "{VERSION}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(Stop::Version { short: false }) => {
            writeln!(out, "{NAME} {VERSION}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(Stop::Wrong(message)) => {
            complain(&format!("{USAGE}\n\n{NAME}: error: {message}\n"));
            return Ok(ExitCode::from(2));
        }
    };
    let both = "are mutually exclusive.";
    let wrong = [
        (
            options.no_missed && options.all_missed,
            format!("--print-no-missed and --print-all-missed {both}"),
        ),
        (
            options.no_ignored && options.all_ignored,
            format!("--print-no-ignored and --print-all-ignored {both}"),
        ),
        (!matches!(options.words.len(), 2 | 3), "provide both <LOG> and <REGEX>.".to_owned()),
    ];
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter(|(wrong, _)| *wrong)
        .map(|(_, message)| format!("ERROR: {message}"))
        .collect();
    if !wrong.is_empty() {
        write!(out, "{HELP}")?;
        out.flush()?;
        complain(&format!("\n{}\n", wrong.join("\n")));
        return Ok(ExitCode::from(FAILED));
    }
    let mut session = Session { options: &options, out };
    session.run()
}

fn complain(text: &str) {
    // Standard error may be closed; the exit code says it all the same.
    let _ = stderr().write_all(text.as_bytes());
}

struct Session<'o, W> {
    options: &'o Options,
    out: &'o mut W,
}

impl<W: Write> Session<'_, W> {
    /// Says something, unless only failures are asked for.
    fn say(&mut self, line: &str) -> std::io::Result<()> {
        if self.options.out.is_none() { writeln!(self.out, "{line}") } else { Ok(()) }
    }

    fn fail(&mut self, message: &str) -> Outcome {
        writeln!(self.out, "{message}")?;
        Ok(ExitCode::from(FAILED))
    }

    fn run(&mut self) -> Outcome {
        self.say("\nRunning tests\n=============\n")?;
        let options = self.options;
        let (log, regex) = (&options.words[0], &options.words[1]);
        let now = Time::from_secs(jiff::Timestamp::now().as_second());
        if options.maxlines > 0 {
            self.say(&format!("Use         maxlines : {}", options.maxlines))?;
        }
        if let Some(pattern) = &options.datepattern
            && let Err(message) = self.dates(Some(pattern), now)?
        {
            return self.fail(&message);
        }
        let mut sought = match Sought::failures(regex, options) {
            Ok(sought) => sought,
            Err(message) => return self.fail(&message),
        };
        for line in std::mem::take(&mut sought.told) {
            self.say(&line)?;
        }
        if let (Some(lines), 0) = (sought.maxlines, options.maxlines) {
            self.say(&format!("Use         maxlines : {lines}"))?;
        }
        let dates = match (&options.datepattern, &sought.datepattern) {
            (None, Some(pattern)) => self.dates(Some(pattern), now)?,
            (own, _) => detector(own.as_deref(), options, now),
        };
        if let Some(ignore) = options.words.get(2) {
            self.say(&format!("Use ignoreregex line : {}", short(ignore)))?;
            // Instead of the filter's own.
            sought.ignored = vec![ignore.clone()];
        }
        let filter = dates.and_then(|dates| compile(&sought, options, dates));
        let filter = match filter {
            Ok(filter) => filter,
            Err(message) => return self.fail(&message),
        };
        let mut trial = Trial::new(options, &sought, filter, now);
        let begin = Instant::now();
        if let Some(code) = self.lines(log, &sought, &mut trial)? {
            return Ok(code);
        }
        if options.out.is_none() {
            let seconds = begin.elapsed().as_secs_f64();
            report::print(options, &sought, &trial, now, seconds, self.out)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Finds dates by a pattern, and tells of it.
    fn dates(
        &mut self,
        pattern: Option<&str>,
        now: Time,
    ) -> std::io::Result<Result<Arc<Detector>, String>> {
        let dates = detector(pattern, self.options, now);
        if let Ok(dates) = &dates {
            let state = sereno_core::filter::date::State::default();
            let mut templates = dates.templates(&state);
            let name = match (templates.len(), templates.next()) {
                (1 | 2, Some(first)) => first.name.to_owned(),
                _ => "Default Detectors".to_owned(),
            };
            let pattern = pattern.unwrap_or_default();
            self.say(&format!("Use      datepattern : {pattern} : {name}"))?;
        }
        Ok(dates)
    }

    /// Tries all lines. An exit code if there are none to try.
    fn lines(
        &mut self,
        log: &str,
        sought: &Sought,
        trial: &mut Trial<'_>,
    ) -> Result<Option<ExitCode>, super::failure::Failure> {
        let options = self.options;
        if Path::new(log).is_file() {
            let encoding = options.encoding.as_deref().unwrap_or("UTF-8");
            let characters = match Encoding::named(encoding) {
                Named::Known(characters) => characters,
                Named::Wide | Named::Unreadable | Named::Unknown => {
                    return self.fail(&format!("unknown encoding: {encoding}")).map(Some);
                }
            };
            let mut file = Log::open(Path::new(log))?;
            self.say(&format!("Use         log file : {log}"))?;
            self.say(&format!("Use         encoding : {encoding}\n"))?;
            file.for_each(|block| {
                for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
                    self.line(&characters.text(line), trial)?;
                }
                Ok(block.bytes.len())
            })?;
            return Ok(None);
        }
        if let Some(source) = journal::Source::of(log) {
            let read = source.and_then(|source| {
                let own = options.journalmatch.as_deref();
                Ok((source, journal::matches(own, &sought.journalmatch)?))
            });
            // The journal says when its entries were written.
            trial.dated = options.datepattern.is_some() || sought.datepattern.is_some();
            return match read {
                Ok((source, matches)) => self.journal(&source, &matches, trial),
                Err(message) => self.fail(&message).map(Some),
            };
        }
        if trial::lines(options, sought) <= 1 && !log.contains('\n') {
            self.say(&format!("Use      single line : {}\n", short(log)))?;
            self.line(log, trial)?;
            return Ok(None);
        }
        let lines: Vec<&str> = log.split('\n').collect();
        self.say(&format!("Use      multi line : {} line(s)", lines.len()))?;
        for (at, line) in lines.iter().take(5).enumerate() {
            self.say(&format!("| {:>2}: {}", at + 1, short(line)))?;
        }
        if lines.len() > 5 {
            self.say("| ...")?;
        }
        self.say("`-\n")?;
        for line in lines {
            self.line(line, trial)?;
        }
        Ok(None)
    }

    /// Tries all entries of the journal that have these fields.
    fn journal(
        &mut self,
        source: &journal::Source,
        matches: &[String],
        trial: &mut Trial<'_>,
    ) -> Result<Option<ExitCode>, super::failure::Failure> {
        let encoding = self.options.encoding.as_deref().unwrap_or("UTF-8");
        self.say("Use         systemd journal")?;
        self.say(&format!("Use         encoding : {encoding}"))?;
        if !matches.is_empty() {
            self.say(&format!("Use    journal match : {}", matches.join(" ")))?;
        }
        self.say("")?;
        let read = source.read(matches, |entry| {
            let found = trial.entry(&entry.line, entry.when, &entry.shown());
            match &self.options.out {
                Some(format) => out::print(format, &found, self.out),
                None => Ok(()),
            }
        });
        match read {
            Ok(()) => Ok(None),
            Err(e) => self.fail(&format!("Error: {e}")).map(Some),
        }
    }

    fn line(&mut self, line: &str, trial: &mut Trial<'_>) -> std::io::Result<()> {
        let line = line.trim_end_matches(['\r', '\n']);
        // Remarks, as in files of sample lines.
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let found = trial.line(line);
        match &self.options.out {
            Some(format) => out::print(format, &found, self.out),
            None => Ok(()),
        }
    }
}

fn detector(pattern: Option<&str>, options: &Options, now: Time) -> Result<Arc<Detector>, String> {
    let told = |wrong: sereno_core::filter::date::Wrong| {
        format!("ERROR: {}; {}", wrong.message, wrong.remedy)
    };
    let mut zone = Zone::machine(TimeZone::system());
    if let Some(name) = &options.timezone {
        zone = zone.log(name, |name| TimeZone::get(name).ok()).map_err(told)?;
    }
    Detector::new(pattern, zone, now).map(Arc::new).map_err(told)
}

fn compile(sought: &Sought, options: &Options, dates: Arc<Detector>) -> Result<Filter, String> {
    let spec = Spec {
        prefregex: sought.prefix.as_deref(),
        failregex: sought.failures.iter().map(String::as_str).collect(),
        ignoreregex: sought.ignored.iter().map(String::as_str).collect(),
        maxlines: trial::lines(options, sought),
        names: options.usedns.as_deref() != Some("no"),
    };
    Filter::compile(&spec, dates).map_err(|all| {
        let told = |(part, wrong): &(Part, sereno_core::filter::regex::Wrong)| {
            let text = match part {
                Part::Prefix => sought.prefix.as_deref(),
                Part::Failure(at) => sought.failures.get(*at).map(String::as_str),
                Part::Ignore(at) => sought.ignored.get(*at).map(String::as_str),
            };
            let text = text.unwrap_or_default();
            let behind = text.get(..wrong.at).map_or(0, |before| before.chars().count());
            format!(
                "ERROR: Unable to compile regular expression '{text}':\n{} at position {behind}; {}",
                wrong.message, wrong.remedy
            )
        };
        all.iter().map(told).collect::<Vec<_>>().join("\n")
    })
}

const USAGE: &str = "Usage: fail2ban-regex [OPTIONS] <LOG> <REGEX> [IGNOREREGEX]";

const HELP: &str = "\
Usage: fail2ban-regex [OPTIONS] <LOG> <REGEX> [IGNOREREGEX]

Tries out what a filter of fail2ban finds in a log, the way fail2ban-regex does.

LOG:
  string                a line of a log, or several
  filename              a log: /var/log/auth.log, plain or packed (.gz, .xz)

REGEX:
  string                an expression, as in failregex
  filter                a filter's name, with options or without: sshd[mode=aggressive]
  filename              a filter's file: filter.d/sshd.conf

IGNOREREGEX:
  string                an expression, as in ignoreregex


Options:
  --version             show the version
  -V                    show the version, short
  -h, --help            show this help
  -c DIR, --config=DIR  where the configuration is, if not in /etc/fail2ban
  -d PATTERN, --datepattern=PATTERN
                        what dates look like
  --timezone=ZONE, --TZ=ZONE
                        where dates without a zone are from
  -e NAME, --encoding=NAME
                        what the log's letters are encoded in: UTF-8, latin1
  -r, --raw             leave names as they are, ask no DNS
  --usedns=WORD         'no': <HOST> takes addresses only
  -L NUMBER, --maxlines=NUMBER
                        how many lines are looked at together
  -m MATCH, --journalmatch=MATCH
                        which entries of the journal, if the log is systemd-journal
  -l LEVEL, --log-level=LEVEL
                        taken and not used
  -v, --verbose         show all expressions, and what each found
  --verbosity=NUMBER    the same by number
  --verbose-date, --VD  show more about dates
  -D, --debuggex        give links to debuggex.com
  --no-check-all        stop at the first expression that matches
  -o WHAT, --out=WHAT   print only this of each failure: id, ip, msg, row, a name (user), or
                        a text with tags: '<ip> <F-USER>'
  --print-no-missed     do not print missed lines
  --print-no-ignored    do not print ignored lines
  --print-all-matched   print all matched lines
  --print-all-missed    print all missed lines, however many
  --print-all-ignored   print all ignored lines, however many
  -t, --log-traceback   taken and not used
  --full-traceback      taken and not used
";
