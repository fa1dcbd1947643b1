//! The annotations of sample files.

use super::Options;
use serde_json::Value;

/// What a line of remarks says.
pub(super) enum Note {
    /// What the next line amounts to.
    Failure(Options),
    /// Options of all that follows in the file.
    FileOptions(Options),
    /// The options with which to try what follows.
    FilterOptions(Vec<Options>),
    /// Another file of samples.
    AddFile(String),
}

impl Note {
    pub(super) fn read(line: &str) -> Option<Self> {
        let text = line.strip_prefix('#')?.trim_start_matches('#');
        let text = text.strip_prefix(' ').unwrap_or(text);
        let names = ["failJSON:", "fileOptions:", "filterOptions:", "addFILE:"];
        let (kind, json) = names.iter().find_map(|name| Some((*name, text.strip_prefix(name)?)))?;
        let value: Value =
            serde_json::from_str(json).unwrap_or_else(|error| panic!("what is {json:?}? {error}"));
        let one = |value: Value| match value {
            Value::Object(map) => map,
            other => panic!("no object: {other}"),
        };
        Some(match (kind, value) {
            ("failJSON:", value) => Self::Failure(one(value)),
            ("fileOptions:", value) => Self::FileOptions(one(value)),
            ("filterOptions:", Value::Array(all)) => {
                Self::FilterOptions(all.into_iter().map(one).collect())
            }
            ("filterOptions:", value) => Self::FilterOptions(vec![one(value)]),
            (_, value) => Self::AddFile(value.as_str().unwrap().to_owned()),
        })
    }
}

/// Whether a condition holds. They are terms of Python's; of these three kinds are in use.
pub(super) fn holds(condition: &str, filter: &str, options: &Options) -> bool {
    let written: String = condition.chars().filter(|c| *c != ' ').collect();
    let written = written.replace('"', "'");
    let words: Vec<&str> = written.split('\'').collect();
    match words.as_slice() {
        ["name==", name, ""] => filter == *name,
        ["opts.get(", key, sign @ (")==" | ")!="), value, ""] => {
            let same = options.get(*key).and_then(Value::as_str) == Some(value);
            same == (*sign == ")==")
        }
        _ => panic!("what does {condition:?} mean?"),
    }
}
