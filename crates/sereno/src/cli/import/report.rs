//! What became of every jail.

use super::args::ImportArgs;
use super::plan::{Fate, Plan};
use crate::cli::failure::Failure;
use crate::cli::paint::{self, Column, Paint};
use crate::cli::rules::{Told, write_json};
use crate::words;
use serde::Serialize;
use sereno_config::Document;
use std::fmt::Write as _;
use std::io::{Write, stdout};

/// What `--json` gives.
#[derive(Serialize)]
struct Report<'a> {
    from: String,
    into: String,
    /// Whether the files were written.
    written: bool,
    files: Vec<File<'a>>,
    jails: Vec<Jail<'a>>,
    problems: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    /// What it says, if it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> File<'a> {
    fn new(file: &'a Document, args: &ImportArgs, written: bool) -> Self {
        let path = args.into.join(&file.name).display().to_string();
        Self { path, text: (!written).then_some(file.text.as_str()) }
    }
}

#[derive(Serialize)]
struct Jail<'a> {
    /// `taken`, `changed` or `left`.
    outcome: &'static str,
    #[serde(flatten)]
    fate: &'a Fate,
}

/// Whether something of the jail is missing now.
pub(super) fn is_left(fate: &Fate) -> bool {
    fate.name.is_none() || fate.notes.iter().any(|note| note.left)
}

fn outcome(fate: &Fate) -> &'static str {
    match fate {
        Fate { name: None, .. } => "left",
        Fate { notes, .. } if notes.is_empty() => "taken",
        Fate { .. } => "changed",
    }
}

/// Tells what was done, or would be.
pub(super) fn tell(plan: &Plan, args: &ImportArgs, out: &mut impl Write) -> Result<(), Failure> {
    let written = !args.dry_run && !plan.files.is_empty();
    if args.json.json {
        let report = Report {
            from: args.dir.display().to_string(),
            into: args.into.display().to_string(),
            written,
            files: plan.files.iter().map(|file| File::new(file, args, written)).collect(),
            jails: plan.fates.iter().map(|fate| Jail { outcome: outcome(fate), fate }).collect(),
            problems: plan.problems.iter().map(Told::new).collect(),
        };
        return write_json(&report, out);
    }
    if !written {
        out.write_all(super::shown(plan, &args.into).as_bytes())?;
    }
    for problem in &plan.problems {
        writeln!(out, "{problem}\n")?;
    }
    out.write_all(page(plan, Paint::on(&stdout())).as_bytes())?;
    if written {
        writeln!(
            out,
            "{}",
            words::import_written(words::files(plan.files.len() as u64), args.into.display())
        )?;
    }
    out.flush()?;
    Ok(())
}

/// The report for people: a line for each jail, and what there is to know below it.
fn page(plan: &Plan, paint: Paint) -> String {
    let rows: Vec<Vec<String>> = plan.fates.iter().map(row).collect();
    let columns = [
        Column::left(words::jail(), paint::WHO),
        Column::left(words::import_becomes(), anstyle::Style::new()),
        Column::left(words::import_rule(), anstyle::Style::new()),
    ];
    let table = paint::table(paint, &columns, &rows);
    let mut lines = table.lines();
    let mut text = String::new();
    if let Some(head) = lines.next() {
        let _ = writeln!(text, "{head}");
    }
    for (line, fate) in lines.zip(&plan.fates) {
        let _ = writeln!(text, "{line}");
        for note in &fate.notes {
            let mark = if note.left { paint.style(paint::BAD, "!") } else { "-".to_owned() };
            let _ = writeln!(text, "  {mark} {}", paint::safe(&note.text));
        }
    }
    let count = |wanted| plan.fates.iter().filter(|fate| outcome(fate) == wanted).count();
    let (taken, changed, left) = (count("taken"), count("changed"), count("left"));
    let all = words::jails(plan.fates.len() as u64);
    let total = words::import_total(all, taken, changed, left);
    let style = if plan.fates.iter().any(is_left) { paint::ODD } else { paint::GOOD };
    let _ = writeln!(text, "\n{}", paint.style(style, &total));
    text
}

fn row(fate: &Fate) -> Vec<String> {
    let becomes = match outcome(fate) {
        "taken" => words::import_taken(),
        "changed" => words::import_changed(),
        _ => words::import_left(),
    };
    let rule = fate.rule.clone().unwrap_or_default();
    vec![paint::safe(&fate.jail).into_owned(), becomes, rule]
}
