//! The results, in the layout that scripts read.

use super::args::Options;
use super::source::Sought;
use super::trial::{Found, Kept, Trial};
use jiff::tz::TimeZone;
use sereno_core::time::Time;
use sereno_fail2ban::Value;
use std::io::{self, Write};

/// Prints the results.
pub(super) fn print(
    options: &Options,
    sought: &Sought,
    trial: &Trial<'_>,
    now: Time,
    seconds: f64,
    out: &mut impl Write,
) -> io::Result<()> {
    let tally = &trial.tally;
    writeln!(out, "\nResults\n=======")?;
    if let Some(prefix) = &sought.prefix {
        writeln!(out, "\nPrefregex: {} total", tally.prefix)?;
        let mut rows = vec![prefix.clone()];
        rows.extend(tally.prefixes.iter().map(|fields| {
            let text = |text: &str| Value::Text(text.to_owned());
            let all = fields.iter().map(|(name, value)| (name.to_owned(), text(value)));
            format!("    {}", Value::Map(all.collect()))
        }));
        list(&rows, None, out)?;
    }
    let verbose = options.verbose > 0;
    let found = |index: usize| tally.found.get(index).map(Vec::as_slice).unwrap_or_default();
    let failures = (sought.failures.as_slice(), tally.failures.as_slice());
    expressions("Failregex", failures, verbose, &|index| shown(found(index), now), out)?;
    let ignores = (sought.ignored.as_slice(), tally.ignores.as_slice());
    expressions("Ignoreregex", ignores, verbose, &|_| Vec::new(), out)?;
    dates(options, trial, out)?;
    let (matched, ignored, missed) = (&tally.matched, &tally.ignored, &tally.missed);
    writeln!(
        out,
        "\nLines: {} lines, {} ignored, {} matched, {} missed",
        tally.tested, ignored.count, matched.count, missed.count
    )?;
    writeln!(out, "[processed in {seconds:.2} sec]\n")?;
    let each = [
        ("Matched", matched, options.all_matched, options.all_matched),
        ("Ignored", ignored, !options.no_ignored, options.all_ignored),
        ("Missed", missed, !options.no_missed, options.all_missed),
    ];
    for (name, kept, wanted, always) in each {
        if wanted && kept.count > 0 {
            let few = (kept.count as usize) < trial.shown;
            lines(name, kept, few || always, options.debuggex.then_some(sought), out)?;
        }
    }
    Ok(())
}

fn expressions(
    title: &str,
    (texts, hits): (&[String], &[u64]),
    verbose: bool,
    more: &dyn Fn(usize) -> Vec<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "\n{title}: {} total", hits.iter().sum::<u64>())?;
    let mut rows = Vec::new();
    for (index, (text, hits)) in texts.iter().zip(hits).enumerate() {
        if verbose || *hits > 0 {
            rows.push(format!("{:>2}) [{hits}] {text}", index + 1));
            rows.extend(more(index));
        }
    }
    list(&rows, Some(" #) [# of hits] regular expression"), out)
}

/// Whom an expression found, and when.
fn shown(all: &[Found], now: Time) -> Vec<String> {
    let row = |found: &Found| {
        let when = jiff::Timestamp::from_second(found.when.unwrap_or(now).secs());
        let when = when.unwrap_or_default().to_zoned(TimeZone::system());
        let when = when.strftime("%a %b %d %H:%M:%S %Y");
        let several = if found.several { " (multiple regex matched)" } else { "" };
        format!("    {}  {when}{several}", found.id())
    };
    all.iter().map(row).collect()
}

fn dates(options: &Options, trial: &Trial<'_>, out: &mut impl Write) -> io::Result<()> {
    let Some((detector, state)) = trial.dates() else { return Ok(()) };
    writeln!(out, "\nDate template hits:")?;
    let mut rows = Vec::new();
    for one in detector.templates(state) {
        if options.verbose > 0 || one.hits > 0 {
            rows.push(format!("[{}] {}", one.hits, one.name));
            if options.verbose_date {
                let pattern = one.pattern.unwrap_or_default();
                rows.push(format!("    # weight: {:.3}, pattern: {pattern}", one.weight));
            }
        }
    }
    list(&rows, Some("[# of hits] date format"), out)
}

/// Rows behind a bar; nothing without rows.
fn list(rows: &[String], head: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if let Some(head) = head {
        writeln!(out, "|- {head}")?;
    }
    writeln!(out, "|  {}\n`-", rows.join("\n|  "))
}

/// The lines of a kind; for debuggex.com, each with each expression.
fn lines(
    name: &str,
    kept: &Kept,
    print: bool,
    debuggex: Option<&Sought>,
    out: &mut impl Write,
) -> io::Result<()> {
    if !print {
        let kind = name.to_lowercase();
        return writeln!(
            out,
            "{name} line(s): too many to print.  Use --print-all-{kind} to print all {} lines",
            kept.count
        );
    }
    let rows: Vec<String> = match debuggex {
        None => kept.lines.iter().map(|line| line.trim_end().to_owned()).collect(),
        Some(sought) => {
            let all = if name == "Ignored" { &sought.ignored } else { &sought.failures };
            let with = |line: &String| {
                let row = |regex: &String| format!("{line} | {regex} |  {}", link(line, regex));
                all.iter().map(row).collect::<Vec<_>>()
            };
            kept.lines.iter().flat_map(with).collect()
        }
    };
    list(&rows, Some(&format!("{name} line(s):")), out)
}

/// Where an expression can be looked at.
fn link(line: &str, regex: &str) -> String {
    let (regex, line) = (escaped(regex), escaped(line));
    format!("https://www.debuggex.com/?re={regex}&str={line}&flavor=python")
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' | b'-' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
