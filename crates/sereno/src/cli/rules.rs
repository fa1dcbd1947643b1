//! `sereno rules`: prove rules by their sample lines, and list what they know.

use super::args::RulesCommand;
use super::failure::{Failure, Outcome};
use super::paint::{self, Column, Paint};
use crate::{policy, words};
use serde::Serialize;
use sereno_config::{Document, FilterRule, Policy, Problem};
use sereno_core::rule::Rule;
use sereno_core::rule::spec::Kind;
use std::borrow::Cow;
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
    /// The file with its name, and those that extend it.
    files: Vec<&'a str>,
    patterns: Vec<ListedPattern<'a>>,
}

#[derive(Serialize)]
struct ListedPattern<'a> {
    pattern: Cow<'a, str>,
    kind: &'static str,
    weight: u16,
}

impl<'a> Listed<'a> {
    fn new(rule: &'a Rule, texts: &'a [Document]) -> Self {
        let listed = |pattern: &'a sereno_core::rule::Pattern| ListedPattern {
            pattern: Cow::Borrowed(&pattern.id),
            kind: pattern.kind.word(),
            weight: pattern.weight,
        };
        let files = texts.iter().map(|text| text.name.as_str()).collect();
        Self { rule: &rule.name, files, patterns: rule.patterns.iter().map(listed).collect() }
    }

    fn expressions(rule: &'a FilterRule) -> Self {
        let listed = |at| ListedPattern {
            pattern: format!("failregex {at}").into(),
            kind: Kind::Failure.word(),
            weight: 1,
        };
        let patterns = (0..rule.filter.len()).map(listed).collect();
        Self { rule: &rule.name, files: vec![rule.text.name.as_str()], patterns }
    }

    fn stands_in(&self, file: &str) -> bool {
        self.files.contains(&file)
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

fn test(files: &[PathBuf], json: bool, out: &mut impl Write) -> Outcome {
    let mut documents = match files {
        [] => policy::rules(None, home())?,
        // What they extend may be among those.
        _ => sereno_config::shipped_rules(),
    };
    let first = if files.is_empty() { 0 } else { documents.len() };
    for path in files {
        documents.push(policy::document(path)?);
    }
    let outcome = sereno_config::test(&documents);
    let asked = &documents[first..];
    let tested: Vec<Listed<'_>> = listed(&outcome.policy)
        .filter(|rule| asked.iter().any(|document| rule.stands_in(&document.name)))
        .collect();
    if json {
        let problems = outcome.problems.iter().map(Told::new).collect();
        write_json(&Tested { rules: tested, problems }, out)?;
    } else {
        for problem in &outcome.problems {
            writeln!(out, "{problem}\n")?;
        }
        for rule in &tested {
            let of_it = |problem: &&Problem| rule.stands_in(&problem.file);
            let bad = outcome.problems.iter().filter(of_it).count() as u64;
            let patterns = words::patterns(rule.patterns.len() as u64);
            let verdict = if bad == 0 { words::proven(patterns) } else { words::problems(bad) };
            writeln!(out, "{} ({}): {verdict}", rule.rule, rule.files.join(", "))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(!outcome.problems.is_empty())))
}

fn list(json: bool, out: &mut impl Write) -> Outcome {
    let outcome = sereno_config::read(&[], &policy::rules(None, home())?);
    let rules: Vec<Listed<'_>> = listed(&outcome.policy).collect();
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
            paint.style(paint::FAINT, &rule.files.join(", "))
        );
        let row = |pattern: &ListedPattern<'_>| {
            vec![
                String::new(),
                pattern.pattern.to_string(),
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

/// The rules with the documents they stand in.
fn listed(policy: &Policy) -> impl Iterator<Item = Listed<'_>> {
    let own = policy.rules.iter().zip(&policy.rule_texts);
    let own = own.map(|(rule, texts)| Listed::new(rule, texts));
    own.chain(policy.filter_rules.iter().map(Listed::expressions))
}

/// Writes one JSON value and a line break.
pub(super) fn write_json(value: &impl Serialize, out: &mut impl Write) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::io(error.into()))?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
