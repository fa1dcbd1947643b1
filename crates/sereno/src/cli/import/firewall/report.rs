//! What became of the rules.

use crate::cli::failure::Failure;
use crate::cli::import::args::{FirewallArgs, FirewallKind};
use crate::cli::paint::{self, Paint};
use crate::cli::rules::write_json;
use crate::words;
use serde::Serialize;
use sereno_core::gate::policy::Policy;
use sereno_import::{Grade, Imported, Remark, Told};
use std::io::{Write, stdout};

/// What was done.
pub(super) struct Done<'a> {
    pub(super) kind: FirewallKind,
    pub(super) args: &'a FirewallArgs,
    /// The files that were read.
    pub(super) names: &'a [&'a str],
    pub(super) imported: &'a Imported,
    /// What was written, or would be.
    pub(super) text: &'a str,
}

/// What `--json` gives.
#[derive(Serialize)]
struct Report<'a> {
    kind: &'static str,
    from: &'a [&'a str],
    into: String,
    /// Whether the file was written.
    written: bool,
    text: &'a str,
    policy: &'a Policy,
    remarks: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    grade: Grade,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    text: &'a str,
    remark: &'a Remark,
    message: String,
}

/// Tells it.
pub(super) fn tell(done: &Done<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let Done { kind, args, names, imported, text } = done;
    if args.json.json {
        let report = Report {
            kind: kind.as_str(),
            from: names,
            into: args.into.display().to_string(),
            written: !args.dry_run,
            text,
            policy: &imported.policy,
            remarks: imported.remarks.iter().map(|told| line(told, names)).collect(),
        };
        return write_json(&report, out);
    }
    if args.dry_run {
        writeln!(out, "{text}")?;
    }
    let paint = Paint::on(&stdout());
    for grade in [Grade::Left, Grade::Changed, Grade::Weak] {
        let of: Vec<&Told> =
            imported.remarks.iter().filter(|told| told.remark.grade() == grade).collect();
        if of.is_empty() {
            continue;
        }
        let (title, style) = match grade {
            Grade::Left => (words::import_title_left(), paint::BAD),
            Grade::Changed => (words::import_title_changed(), paint::ODD),
            Grade::Weak => (words::import_title_weak(), paint::ODD),
        };
        writeln!(out, "{}", paint.style(style, &title))?;
        for told in of {
            let line = line(told, names);
            if let (Some(file), Some(number)) = (line.file, line.line) {
                writeln!(out, "  {}:{number}: {}", paint::safe(file), paint::safe(line.text))?;
                writeln!(out, "      {}", paint::safe(&line.message))?;
            } else {
                writeln!(out, "  {}", paint::safe(&line.message))?;
            }
        }
        writeln!(out)?;
    }
    let count = words::rules(imported.policy.rules.len() as u64);
    if args.dry_run {
        writeln!(out, "{}", words::import_gate_shown(count))?;
    } else {
        writeln!(out, "{}", words::import_gate_written(count, args.into.display()))?;
    }
    out.flush()?;
    Ok(())
}

fn line<'a>(told: &'a Told, names: &[&'a str]) -> Line<'a> {
    Line {
        grade: told.remark.grade(),
        file: told.place.and_then(|place| names.get(place.source).copied()),
        line: told.place.map(|place| place.line),
        text: &told.text,
        remark: &told.remark,
        message: message(&told.remark),
    }
}

/// A remark in words.
fn message(remark: &Remark) -> String {
    match remark {
        Remark::Outgoing => words::remark_outgoing(),
        Remark::Forwarded => words::remark_forwarded(),
        Remark::Table(name) => words::remark_table(name),
        Remark::Condition { words, opens: false } => words::remark_condition(words),
        Remark::Condition { words, opens: true } => words::remark_condition_opens(words),
        Remark::Target(name) => words::remark_target(name),
        Remark::Shell => words::remark_shell(),
        Remark::Conditional { opens: false } => words::remark_conditional(),
        Remark::Conditional { opens: true } => words::remark_conditional_opens(),
        Remark::Bans(name) => words::remark_bans(name),
        Remark::Word(word) => words::remark_word(word),
        Remark::TooMany => words::remark_too_many(),
        Remark::More(count) => words::remark_more(count),
        Remark::List(name) => words::remark_list(name),
        Remark::Missing(name) => words::remark_missing(name),
        Remark::PerSource => words::remark_per_source(),
        Remark::Rate(like) => words::remark_rate(like),
        Remark::Closed(on) => words::remark_closed(on),
        Remark::Needed => words::remark_needed(),
        Remark::Off => words::remark_off(),
        Remark::Flushed => words::remark_flushed(),
        Remark::V6Open => words::remark_family_open("IPv6"),
        Remark::V4Open => words::remark_family_open("IPv4"),
        Remark::OpenByDefault => words::remark_open_by_default(),
        Remark::OnlyOn(on) => words::remark_only_on(on),
        Remark::Unreached(place) => words::remark_unreached(place.line),
        Remark::RepliesLate(count) => words::remark_replies_late(count),
        Remark::NoReplies => words::remark_no_replies(),
        Remark::Wide(range) => words::remark_wide(range),
        Remark::Delicate(range) => words::remark_delicate(range),
        Remark::Clear(range) => words::remark_clear(range),
        Remark::Spoofed(network) => words::remark_spoofed(network),
    }
}
