//! Sections, as a module of Asterisk sees them.

use crate::load::Place;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// `name = value`, in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name, as it is written. Most modules do not look at its case.
    pub name: Vec<u8>,
    /// The value, without blanks around it.
    pub value: Vec<u8>,
    /// Whether it was written with `=>`.
    pub object: bool,
    /// Where it was written; of a value that was appended to, its beginning.
    pub place: Place,
    /// Whether it came from a template, or another section.
    pub inherited: bool,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it is there for others only: modules do not see it.
    pub template: bool,
    /// From which it took what they had.
    pub inherits: Vec<Vec<u8>>,
    /// What it has, that of others first.
    pub variables: Vec<Variable>,
    /// Where it begins.
    pub place: Place,
}

impl Section {
    /// Bytes that it takes to hold what it has.
    pub(crate) fn weight(&self) -> usize {
        self.variables.iter().map(|one| one.name.len() + one.value.len()).sum()
    }

    /// Appends to the value that a name was given last; says whether there is one. As it is found by its
    /// value, an earlier one with the same value is taken for it.
    pub(crate) fn append(&mut self, name: &[u8], more: &[u8], object: bool) -> bool {
        let Some(last) = self.variables.iter().rev().find(|one| one.name == name) else {
            return false;
        };
        let old = last.value.clone();
        let value = [old.as_slice(), more].concat();
        let same = |one: &&mut Variable| {
            let named = one.name.eq_ignore_ascii_case(name);
            named && (old.is_empty() || one.value.eq_ignore_ascii_case(&old))
        };
        if let Some(one) = self.variables.iter_mut().find(same) {
            one.value = trim(&value).to_vec();
            one.object |= object;
        }
        true
    }
}

/// Without what Asterisk takes for blanks around it.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [0..33, rest @ ..] | [rest @ .., 0..33] = text {
        text = rest;
    }
    text
}

/// What a section has to be, such as `x=2&y=3`: expressions that a name and its value match. Without any it may
/// be every section but a template.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    parts: Vec<(Regex, Regex)>,
    /// Whether it may be a template, and whether it has to be one.
    templates: (bool, bool),
    /// Nothing is like that.
    never: bool,
}

impl Condition {
    /// Parts of one, at most.
    const MOST: usize = 16;

    pub(crate) fn read(text: &[u8], parting: u8) -> Self {
        let mut condition = Self::default();
        if text.is_empty() {
            return condition;
        }
        for part in text.split(|b| *b == parting).map(<[u8]>::trim_ascii) {
            let mut halves = part.split(|b| *b == b'=').map(<[u8]>::trim_ascii);
            let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
                condition.never = true;
                break;
            };
            if name == b"TEMPLATES" {
                let restrict = value.eq_ignore_ascii_case(b"restrict");
                condition.never |= !restrict && !value.eq_ignore_ascii_case(b"include");
                condition.templates = (true, condition.templates.1 || restrict);
            } else if let (Some(name), Some(value)) = (expression(name), expression(value))
                && condition.parts.len() < Self::MOST
            {
                condition.parts.push((name, value));
            } else {
                condition.never = true;
            }
        }
        condition
    }

    /// Whether a section is like that.
    pub(crate) fn holds(&self, section: &Section) -> bool {
        let (may, must) = self.templates;
        let kind = if section.template { may } else { !must };
        let has = |(name, value): &(Regex, Regex)| {
            let mut all = section.variables.iter();
            all.any(|one| name.is_match(&one.name) && value.is_match(&one.value))
        };
        !self.never && kind && self.parts.iter().all(has)
    }

    /// The steps that it takes to make it, and to ask it of a section.
    pub(crate) fn price(&self, section: Option<&Section>) -> usize {
        let Some(section) = section else { return 1 + self.parts.len() * 10_000 };
        if self.parts.is_empty() {
            return 1;
        }
        1 + self.parts.len() * (section.variables.len() + section.weight())
    }
}

/// An expression of POSIX, as far as another engine reads it the same way; none that grows large.
fn expression(text: &[u8]) -> Option<Regex> {
    let text = std::str::from_utf8(text).ok()?;
    let config = Regex::config().utf8_empty(false).nfa_size_limit(Some(1 << 16));
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    Regex::builder().configure(config).syntax(syntax).build(text).ok()
}
