//! Rule files: those that come with Sereno, and the administrator's.

use crate::Document;
use crate::problem::{Notes, Wrong};
use serde::Deserialize;
use sereno_core::rule::spec::{PatternSpec, RuleSpec};
use sereno_core::rule::{Rule, RuleError, prove};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// The rules that come with Sereno, as text.
#[must_use]
pub fn shipped_rules() -> Vec<Document> {
    let document =
        |name: &str, text: &str| Document { name: name.to_owned(), text: text.to_owned() };
    vec![
        document("rules/asterisk.toml", include_str!("../../../rules/asterisk.toml")),
        document("rules/sshd.toml", include_str!("../../../rules/sshd.toml")),
    ]
}

/// A rule that compiles, and the document it stands in.
pub(crate) struct Good {
    pub(crate) rule: Arc<Rule>,
    pub(crate) text: Document,
}

/// Reads rule documents; a later one replaces an earlier one of the same name whole. `first` is
/// the index of the first among all documents.
pub(crate) fn rules(docs: &[Document], first: usize, notes: &mut Notes) -> Vec<Good> {
    let shipped = shipped_rules();
    let mut good: BTreeMap<String, Good> = BTreeMap::new();
    for (at, document) in docs.iter().enumerate() {
        // The sample lines of shipped rules are tried when Sereno is built.
        let is_own = !shipped.contains(document);
        if let Some(rule) = rule(document, first + at, is_own, notes) {
            let text = document.clone();
            good.insert(rule.name.clone(), Good { rule: Arc::new(rule), text });
        }
    }
    good.into_values().collect()
}

fn rule(document: &Document, doc: usize, is_own: bool, notes: &mut Notes) -> Option<Rule> {
    let before = notes.errors();
    let written = crate::written::Written::parse(doc, document, notes);
    let patterns = Places::of(&written.table);
    let spec = spec(&document.text, written.table, doc, notes)?;
    if notes.errors() > before {
        return None;
    }
    match Rule::compile(&spec) {
        Ok(rule) => {
            let failures = if is_own { prove(&spec).failures } else { Vec::new() };
            for failure in failures {
                let remedy =
                    "correct the sample line or the pattern, so that they prove each other";
                notes.warn(doc, patterns.wrong(&failure).remedy(remedy));
            }
            Some(rule)
        }
        Err(errors) => {
            for error in errors {
                let remedy = "correct the pattern; docs/guide/rules.md describes what it may hold";
                notes.error(doc, patterns.wrong(&error).remedy(remedy));
            }
            None
        }
    }
}

/// Reads the head and every pattern apart, so that each can be wrong for itself.
fn spec(text: &str, mut table: DeTable<'_>, doc: usize, notes: &mut Notes) -> Option<RuleSpec> {
    let mut patterns = Vec::new();
    let list = table.remove("pattern").map(Spanned::into_inner);
    let list = match list {
        Some(DeValue::Array(list)) => list,
        _ => toml::de::DeArray::new(),
    };
    for element in list {
        let span = element.span();
        let DeValue::Table(inner) = element.into_inner() else {
            let wrong = Wrong::new(span, "a pattern is a section of its own");
            notes.error(
                doc,
                wrong
                    .remedy("write [[pattern]] on a line of its own, and id, kind, regex below it"),
            );
            continue;
        };
        match PatternSpec::deserialize(Deserializer::from(Spanned::new(span.clone(), inner))) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => notes.error(doc, unreadable(&error, span)),
        }
    }
    match RuleSpec::deserialize(Deserializer::from(Spanned::new(0..text.len(), table))) {
        Ok(head) => Some(RuleSpec { patterns, ..head }),
        Err(error) => {
            notes.error(doc, unreadable(&error, 0..0));
            None
        }
    }
}

/// What serde says, at the place it says it of.
fn unreadable(error: &toml::de::Error, around: Range<usize>) -> Wrong {
    let said = error.message().trim();
    let remedy = if said.starts_with("unknown field") {
        "use one of the names listed"
    } else if said.starts_with("missing field") {
        "add it"
    } else {
        "docs/guide/rules.md describes what belongs here"
    };
    let span = error.span().unwrap_or(around);
    // A whole section is meant: its first line is enough.
    Wrong::new(span, said).remedy(remedy)
}

/// Where the patterns of a rule are.
struct Places {
    patterns: BTreeMap<String, Range<usize>>,
    name: Range<usize>,
}

impl Places {
    fn of(table: &DeTable<'_>) -> Self {
        let mut patterns = BTreeMap::new();
        if let Some(DeValue::Array(list)) = table.get("pattern").map(Spanned::get_ref) {
            for pattern in list {
                let DeValue::Table(inner) = pattern.get_ref() else { continue };
                let Some(DeValue::String(id)) = inner.get("id").map(Spanned::get_ref) else {
                    continue;
                };
                let at = inner.get("regex").map_or_else(|| pattern.span(), Spanned::span);
                patterns.insert(id.to_string(), at);
            }
        }
        let name = table.get("name").map_or(0..0, Spanned::span);
        Self { patterns, name }
    }

    fn wrong(&self, error: &RuleError) -> Wrong {
        let span = self.patterns.get(&error.pattern).unwrap_or(&self.name).clone();
        Wrong::new(span, error.to_string())
    }
}
