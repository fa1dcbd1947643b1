//! `sereno rules`: prove rules by their sample lines, and list what they know.

use super::args::RulesCommand;
use super::failure::{Failure, Outcome};
use super::paint::{self, Column, Paint};
use crate::{policy, words};
use serde::Serialize;
use sereno_config::{Document, Policy, Problem};
use sereno_core::rule::Rule;
use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs one of the commands.
///
/// # Errors
/// When a file cannot be read, or the output not be written.
pub fn run(command: &RulesCommand, out: &mut impl Write) -> Outcome {
    match command {
        RulesCommand::Test { files, json } => test(files, json.json, out),
        RulesCommand::List { json } => list(json.json, out),
    }
}

/// A rule, as `--json` gives it.
#[derive(Serialize)]
struct Listed<'a> {
    rule: &'a str,
    file: &'a str,
    patterns: Vec<ListedPattern<'a>>,
}

#[derive(Serialize)]
struct ListedPattern<'a> {
    pattern: &'a str,
    kind: &'static str,
    weight: u16,
}

impl<'a> Listed<'a> {
    fn new(rule: &'a Rule, file: &'a str) -> Self {
        let listed = |pattern: &'a sereno_core::rule::Pattern| ListedPattern {
            pattern: &pattern.id,
            kind: pattern.kind.word(),
            weight: pattern.weight,
        };
        Self { rule: &rule.name, file, patterns: rule.patterns.iter().map(listed).collect() }
    }
}

/// What `rules test --json` gives.
#[derive(Serialize)]
struct Tested<'a> {
    rules: Vec<Listed<'a>>,
    problems: Vec<Told<'a>>,
}

/// A problem, as `--json` gives it.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    severity: &'static str,
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
    remedy: &'a str,
}

impl<'a> Told<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let severity = match problem.severity {
            sereno_config::Severity::Error => "error",
            sereno_config::Severity::Warning => "warning",
        };
        let Problem { file, line, column, message, remedy, .. } = problem;
        Self { severity, file, line: *line, column: *column, message, remedy }
    }
}

/// The folder in which the configuration is when nobody says.
fn home() -> &'static Path {
    Path::new(policy::DEFAULT).parent().unwrap_or(Path::new("/"))
}

/// Reading rules as the administrator's own makes every sample line a question.
fn test(files: &[PathBuf], json: bool, out: &mut impl Write) -> Outcome {
    let documents: Vec<Document> = if files.is_empty() {
        policy::rules(None, home())?
    } else {
        files.iter().map(|path| policy::document(path)).collect::<Result<_, _>>()?
    };
    let outcome = sereno_config::read(&[], &documents);
    let tested: Vec<Listed<'_>> = named(&outcome.policy)
        .filter(|(_, file)| documents.iter().any(|document| document.name == *file))
        .map(|(rule, file)| Listed::new(rule, file))
        .collect();
    if json {
        let problems = outcome.problems.iter().map(Told::new).collect();
        write_json(&Tested { rules: tested, problems }, out)?;
    } else {
        for problem in &outcome.problems {
            writeln!(out, "{problem}\n")?;
        }
        for rule in &tested {
            let bad =
                outcome.problems.iter().filter(|problem| problem.file == rule.file).count() as u64;
            let patterns = words::patterns(rule.patterns.len() as u64);
            let verdict = if bad == 0 { words::proven(patterns) } else { words::problems(bad) };
            writeln!(out, "{} ({}): {verdict}", rule.rule, rule.file)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(!outcome.problems.is_empty())))
}

fn list(json: bool, out: &mut impl Write) -> Outcome {
    let outcome = sereno_config::read(&[], &policy::rules(None, home())?);
    let rules: Vec<Listed<'_>> =
        named(&outcome.policy).map(|(rule, file)| Listed::new(rule, file)).collect();
    if json {
        write_json(&rules, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::on(&stdout());
    let mut text = String::new();
    for rule in &rules {
        let _ = writeln!(
            text,
            "{}  {}",
            paint.style(paint::HEAD, rule.rule),
            paint.style(paint::FAINT, rule.file)
        );
        let row = |pattern: &ListedPattern<'_>| {
            vec![
                String::new(),
                pattern.pattern.to_owned(),
                pattern.kind.to_owned(),
                pattern.weight.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = rule.patterns.iter().map(row).collect();
        let style = anstyle::Style::new();
        let columns = [
            Column::left("", style),
            Column::left(words::pattern(), style),
            Column::left(words::meaning(), style),
            Column::right(words::weight()),
        ];
        text.push_str(&paint::table(paint, &columns, &rows));
        text.push('\n');
    }
    text.pop();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The rules with the names of the documents they stand in.
fn named(policy: &Policy) -> impl Iterator<Item = (&Rule, &str)> {
    policy.rules.iter().zip(&policy.rule_texts).map(|(rule, text)| (&**rule, text.name.as_str()))
}

/// Writes one JSON value and a line break.
pub(super) fn write_json(value: &impl Serialize, out: &mut impl Write) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::io(error.into()))?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
