//! One rule file: what it says, and where it says it.

use crate::Document;
use crate::filter_file::FilterFile;
use crate::problem::{Notes, Wrong};
use crate::written::Written;
use serde::Deserialize;
use sereno_core::rule::RuleError;
use sereno_core::rule::spec::{ExtensionSpec, PatternSpec, RuleSpec};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// What an extension takes from the rule it extends.
const OF_THE_RULE: [&str; 3] = ["name", "format", "programs"];

/// A rule file that could be read.
pub(crate) enum RuleFile<'d> {
    Rule(Part<'d, RuleSpec>),
    Extension(Part<'d, ExtensionSpec>),
    Filter(FilterFile<'d>),
}

/// What a file says, and where.
pub(crate) struct Part<'d, Spec> {
    pub(crate) spec: Spec,
    pub(crate) places: Places<'d>,
}

/// Where a file says what.
pub(crate) struct Places<'d> {
    /// Its index among all documents.
    pub(crate) doc: usize,
    pub(crate) document: &'d Document,
    /// Whether it came with Sereno.
    pub(crate) is_shipped: bool,
    /// Of every pattern: its id, and its expression.
    patterns: BTreeMap<String, (Range<usize>, Range<usize>)>,
    /// The name of the rule that it is or extends.
    name: Range<usize>,
}

impl<'d> RuleFile<'d> {
    /// Reads a file; what is wrong with it is noted, and then there is none.
    pub(crate) fn read(
        document: &'d Document,
        doc: usize,
        is_shipped: bool,
        notes: &mut Notes,
    ) -> Option<Self> {
        let before = notes.errors();
        let table = Written::parse(doc, document, notes).table;
        if FilterFile::is_one(&table) {
            let file = FilterFile::read(document, doc, &table, notes);
            return (notes.errors() == before).then_some(Self::Filter(file));
        }
        let patterns = patterns_at(&table);
        let span = |key: &str| table.get(key).map(Spanned::span);
        let (name, extends) = (span("name").unwrap_or(0..0), span("extends"));
        let places = |name| Places { doc, document, is_shipped, patterns, name };
        let file = match extends {
            Some(extends) => {
                let spec = extension(document, table, doc, &extends, notes)?;
                Self::Extension(Part { spec, places: places(extends) })
            }
            None => {
                let spec = rule(document, table, doc, notes)?;
                Self::Rule(Part { spec, places: places(name) })
            }
        };
        (notes.errors() == before).then_some(file)
    }
}

impl Places<'_> {
    /// The ids of its patterns.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.patterns.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.patterns.contains_key(id)
    }

    /// A problem at the name of the rule.
    pub(crate) fn at_name(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.name.clone(), message)
    }

    /// A problem at the id of a pattern.
    pub(crate) fn at_id(&self, id: &str, message: impl Into<String>) -> Wrong {
        let place = self.patterns.get(id).map_or(&self.name, |(id, _)| id);
        Wrong::new(place.clone(), message)
    }

    /// A problem at the expression it is about.
    pub(crate) fn at(&self, error: &RuleError) -> Wrong {
        let place = self.patterns.get(&error.pattern).map_or(&self.name, |(_, regex)| regex);
        Wrong::new(place.clone(), error.to_string())
    }

    /// The file and the line of a pattern's id.
    pub(crate) fn place_of(&self, id: &str) -> String {
        let text = self.document.text.as_bytes();
        let before = self.patterns.get(id).and_then(|(id, _)| text.get(..id.start));
        let breaks = before.unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count();
        format!("{}:{}", self.document.name, breaks + 1)
    }
}

fn rule(
    document: &Document,
    mut table: DeTable<'_>,
    doc: usize,
    notes: &mut Notes,
) -> Option<RuleSpec> {
    let patterns = patterns(&mut table, doc, notes);
    let spec: RuleSpec = head(document, table, doc, notes)?;
    Some(RuleSpec { patterns, ..spec })
}

fn extension(
    document: &Document,
    mut table: DeTable<'_>,
    doc: usize,
    extends: &Range<usize>,
    notes: &mut Notes,
) -> Option<ExtensionSpec> {
    for key in OF_THE_RULE {
        if let Some((key, _)) = table.remove_entry(key) {
            let message = format!("{} comes from the rule that this file extends", key.get_ref());
            let remedy = "drop it; or drop extends, to replace that rule whole";
            notes.error(doc, Wrong::new(key.span(), message).remedy(remedy));
        }
    }
    let before = notes.errors();
    let patterns = patterns(&mut table, doc, notes);
    if patterns.is_empty() && notes.errors() == before {
        let wrong = Wrong::new(extends.clone(), "it adds no pattern");
        notes.error(doc, wrong.remedy("add [[pattern]], as docs/guide/rules.md describes it"));
    }
    let spec: ExtensionSpec = head(document, table, doc, notes)?;
    Some(ExtensionSpec { patterns, ..spec })
}

/// Reads every pattern apart, so that each can be wrong for itself.
fn patterns(table: &mut DeTable<'_>, doc: usize, notes: &mut Notes) -> Vec<PatternSpec> {
    let list = match table.remove("pattern").map(Spanned::into_inner) {
        Some(DeValue::Array(list)) => list,
        _ => DeArray::new(),
    };
    let mut patterns = Vec::new();
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
    patterns
}

/// Reads what is left when the patterns are out.
fn head<T: for<'a> Deserialize<'a>>(
    document: &Document,
    table: DeTable<'_>,
    doc: usize,
    notes: &mut Notes,
) -> Option<T> {
    match T::deserialize(Deserializer::from(Spanned::new(0..document.text.len(), table))) {
        Ok(head) => Some(head),
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

/// Where the patterns are: id and expression.
fn patterns_at(table: &DeTable<'_>) -> BTreeMap<String, (Range<usize>, Range<usize>)> {
    let Some(DeValue::Array(list)) = table.get("pattern").map(Spanned::get_ref) else {
        return BTreeMap::new();
    };
    let place = |pattern: &Spanned<DeValue<'_>>| {
        let DeValue::Table(inner) = pattern.get_ref() else { return None };
        let id = inner.get("id")?;
        let DeValue::String(name) = id.get_ref() else { return None };
        let regex = inner.get("regex").map_or_else(|| pattern.span(), Spanned::span);
        Some((name.to_string(), (id.span(), regex)))
    };
    list.iter().filter_map(place).collect()
}
