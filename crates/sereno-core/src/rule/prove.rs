//! Proving a rule by its own sample lines.

use super::scan::{Behind, Scan};
use super::spec::{RuleSpec, Sample};
use super::{Rule, RuleError};
use crate::line::Dates;
use crate::time::Time;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// The outcome of proving a rule.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// How many sample lines did what the rule says of them.
    pub passed: usize,
    /// What went wrong, a sentence each.
    pub failures: Vec<RuleError>,
}

/// Runs every sample line of a rule through the same reader that reads logs.
#[must_use]
pub fn prove(spec: &RuleSpec) -> Proof {
    let rule = match Rule::compile(spec) {
        Ok(rule) => Arc::new(rule),
        Err(failures) => return Proof { passed: 0, failures },
    };
    let mut proof = Proof::default();
    let mut note = |pattern: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => proof.passed += 1,
        Err(why) => {
            proof.failures.push(RuleError {
                rule: spec.name.clone(),
                pattern: pattern.to_owned(),
                why,
            });
        }
    };
    for pattern in &spec.patterns {
        if pattern.matches.is_empty() {
            note(&pattern.id, Err("no sample line proves it".to_owned()));
        }
        for sample in &pattern.matches {
            note(&pattern.id, check(&rule, &pattern.id, sample));
        }
        for line in &pattern.reject {
            let found = read(&rule, line).into_iter().find(|(id, ..)| *id == pattern.id);
            note(
                &pattern.id,
                found.map_or(Ok(()), |_| Err(format!("matches a line it must reject: {line}"))),
            );
        }
    }
    proof
}

fn check(rule: &Arc<Rule>, id: &str, sample: &Sample) -> Result<(), String> {
    let found = read(rule, &sample.line);
    let Some((got, addr, user)) = found.into_iter().next() else {
        return Err(format!("does not match: {}", sample.line));
    };
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    if got != id {
        return Err(format!("pattern {got} takes the line first: {}", sample.line));
    }
    if addr != sample.addr {
        return Err(format!(
            "found address {}, not {}: {}",
            shown(&addr),
            shown(&sample.addr),
            sample.line
        ));
    }
    if sample.user.is_some() && user != sample.user {
        return Err(format!(
            "found user {}, not {}: {}",
            shown(&user),
            shown(&sample.user),
            sample.line
        ));
    }
    Ok(())
}

type Read = (String, Option<String>, Option<String>);

fn read(rule: &Arc<Rule>, line: &str) -> Vec<Read> {
    let Ok(mut scan) = Scan::new(vec![Arc::clone(rule)], Dates::new(TimeZone::UTC)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    scan.read(line.as_bytes(), Behind::Nothing, Time::default(), &mut |hit| {
        found.push((
            hit.pattern.id.to_string(),
            hit.found.addr.map(|a| a.to_string()),
            hit.found.user.map(text),
        ));
    });
    found
}
