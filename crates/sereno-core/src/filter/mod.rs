//! fail2ban's filters: regular expressions of Python's that find failures in lines whose date was
//! cut out.
//!
//! A [`Filter`] is compiled once; a [`Scan`] reads one source with one or several of them. What a
//! line amounts to is what fail2ban 1.0.2 makes of it (`server/filter.py`, `server/failregex.py`,
//! and its own sample lines, which are in the tests), except that
//!
//! - thousands of sessions (`<F-MLFID>`) are remembered instead of a hundred;
//! - a search that takes too many steps is given up and counted, instead of holding up every jail;
//! - names in place of addresses are reported as names: nothing is asked of the network here;
//! - of a line that a rule of ours knows, the address counts that this rule finds ([`Filter::with_witness`]).
//!
//! [`regex`] understands the expressions, [`date`] finds the dates.

pub mod date;
mod encoding;
mod fields;
mod gate;
mod lines;
mod reader;
pub mod regex;
mod scan;
mod session;
mod trial;
mod witness;

pub use encoding::{Encoding, Named};
pub use fields::Fields;
pub use reader::{Counts, Finding, Who};
pub use scan::{Scan, entry_line};
pub use session::Story;
pub use trial::{Manner, Trace};

use crate::rule::Rule;
use date::Detector;
use fields::{Groups, Names};
use gate::Gate;
use memchr::memmem::{Finder, find};
use regex::{Options, Regex, Wrong};
use std::sync::Arc;

/// Lines looked at together at most, whatever `maxlines` says.
pub const MOST_LINES: u32 = 1_000;

/// What a filter's configuration says, put together.
#[derive(Clone, Debug, Default)]
pub struct Spec<'a> {
    /// What lines have to match first.
    pub prefregex: Option<&'a str>,
    /// What a failure looks like, each.
    pub failregex: Vec<&'a str>,
    /// What is none, each.
    pub ignoreregex: Vec<&'a str>,
    /// Lines looked at together, [`MOST_LINES`] at most; 0 and 1 mean one.
    pub maxlines: u32,
    /// Whether names are taken for addresses: `usedns` is not `no`.
    pub names: bool,
}

/// Which of a [`Spec`]'s expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `prefregex`.
    Prefix,
    /// A `failregex`, by its place.
    Failure(usize),
    /// An `ignoreregex`, by its place.
    Ignore(usize),
}

/// An expression and its groups.
#[derive(Debug)]
struct Expression {
    regex: Regex,
    groups: Groups,
    /// What matches is no failure and ends a session.
    ends: bool,
    /// One of these stands in every text that matches, where a look at its beginning does not show
    /// it; none: nothing is known.
    inside: Box<[Finder<'static>]>,
}

impl Expression {
    fn of(regex: Regex, names: &mut Names) -> Self {
        let ends = regex.always("mlfforget")
            && (regex.always("nofail") || regex.always("mlfgained"))
            && regex.group("mlfid").is_none();
        let required = regex.required().unwrap_or_default();
        let shown = |start: &Vec<u8>| required.iter().any(|one| find(start, one).is_some());
        let inside = match regex.starts() {
            Some(starts) if starts.iter().all(shown) => Box::default(),
            _ => required.iter().map(|one| Finder::new(one).into_owned()).collect(),
        };
        Self { groups: Groups::of(&regex, names), regex, ends, inside }
    }

    /// Whether it may match `text`.
    fn may(&self, text: &str) -> bool {
        let stands = |one: &Finder<'_>| one.find(text.as_bytes()).is_some();
        self.inside.is_empty() || self.inside.iter().any(stands)
    }
}

/// A filter, compiled.
#[derive(Debug)]
pub struct Filter {
    prefix: Option<Expression>,
    failures: Vec<Expression>,
    ignored: Vec<Expression>,
    maxlines: usize,
    gate: Gate,
    names: Arc<Names>,
    dates: Arc<Detector>,
    witness: Option<Arc<Rule>>,
    encoding: Encoding,
}

impl Filter {
    /// Compiles a filter that finds its dates with `dates`.
    ///
    /// # Errors
    /// Every expression that is wrong, and why.
    pub fn compile(spec: &Spec<'_>, dates: Arc<Detector>) -> Result<Self, Vec<(Part, Wrong)>> {
        let (mut wrong, mut names) = (Vec::new(), Names::default());
        let mut compile = |part: Part, text: &str| {
            // To the others several lines are one text.
            let multiline = spec.maxlines > 1 && matches!(part, Part::Failure(_));
            match Regex::compile(text, Options { multiline, raw_or_dns: spec.names }) {
                Ok(regex) => Some(Expression::of(regex, &mut names)),
                Err(why) => {
                    wrong.push((part, why));
                    None
                }
            }
        };
        let prefix = spec.prefregex.and_then(|text| compile(Part::Prefix, text));
        let named = spec.prefregex.is_some() && prefix.is_none();
        let named = named || prefix.as_ref().is_some_and(|prefix| prefix.regex.has_id());
        let ignored = spec.ignoreregex.iter().enumerate();
        let ignored = ignored.filter_map(|(at, text)| compile(Part::Ignore(at), text)).collect();
        let failures = spec.failregex.iter().enumerate();
        let failures: Vec<_> =
            failures.map(|(at, text)| compile(Part::Failure(at), text)).collect();
        for (at, one) in failures.iter().enumerate() {
            if one.as_ref().is_some_and(|one| !named && !one.regex.has_id()) {
                wrong.push((Part::Failure(at), nobody(spec.failregex[at])));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let failures: Vec<_> = failures.into_iter().flatten().collect();
        let maxlines = spec.maxlines.clamp(1, MOST_LINES) as usize;
        let gate = Gate::of(prefix.as_ref(), &failures, maxlines);
        let (names, witness, encoding) = (Arc::new(names), None, Encoding::default());
        Ok(Self { prefix, failures, ignored, maxlines, gate, names, dates, witness, encoding })
    }

    /// The same; of a line that `rule` knows, the address that it finds counts, whatever an
    /// expression takes for it. [`Counts::forged`] says how often they differed. Lines that are
    /// looked at together are not asked about.
    #[must_use]
    pub fn with_witness(self, rule: Arc<Rule>) -> Self {
        Self { witness: Some(rule), ..self }
    }

    /// The same, for logs that are written in these characters. Entries of the journal are UTF-8.
    #[must_use]
    pub fn with_encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// How many failregex it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// Whether every search of it ends by itself in linear time.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        let all = self.prefix.iter().chain(&self.failures).chain(&self.ignored);
        all.into_iter().all(|one| one.regex.is_linear())
    }
}

/// An expression that says nowhere whom to ban.
fn nobody(text: &str) -> Wrong {
    Wrong {
        at: 0,
        width: text.chars().count(),
        message: "it says nowhere whom to ban".to_owned(),
        remedy: "write <HOST> where the address stands".to_owned(),
    }
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
