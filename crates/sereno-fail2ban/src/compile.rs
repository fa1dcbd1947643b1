//! What a jail looks for, compiled for the engine.

use crate::advice::{self, Advice};
use crate::check;
use crate::problem::{Problem, Severity};
use crate::text::Text;
use crate::tree::{Filter, Jail, Tree};
use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::filter::{self, Encoding, Named, Part, Spec};
use sereno_core::rule::Rule;
use sereno_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Wrong expressions of a jail that are told at most.
const TOLD: usize = 100;

/// What came of compiling what a jail looks for.
#[derive(Debug)]
pub struct Compiled {
    /// The filter; `None` if no failregex is left, or if its prefregex, an ignoreregex, its dates
    /// or its zone are wrong: without those it would take for failures what is none.
    pub filter: Option<Arc<filter::Filter>>,
    /// What is wrong with it (errors), and what had better be written otherwise (warnings).
    pub problems: Vec<Problem>,
}

/// Compiles filters; those that look for the same dates share what finds them.
#[derive(Debug)]
pub struct Compiler {
    machine: TimeZone,
    /// Finds a zone by its name.
    zones: fn(&str) -> Option<TimeZone>,
    now: Time,
    witness: Option<Arc<Rule>>,
    /// Of logs of which nobody says it.
    encoding: Encoding,
    known: BTreeMap<(String, String), Arc<Detector>>,
}

impl Compiler {
    /// For logs written in the zone `machine`, at `now`; `zones` knows other zones by name.
    #[must_use]
    pub fn new(machine: TimeZone, zones: fn(&str) -> Option<TimeZone>, now: Time) -> Self {
        let (witness, encoding) = (None, Encoding::default());
        Self { machine, zones, now, witness, encoding, known: BTreeMap::new() }
    }

    /// The same, with filters that ask a rule of ours whom a line is about: see
    /// [`filter::Filter::with_witness`].
    #[must_use]
    pub fn with_witness(self, rule: Option<Arc<Rule>>) -> Self {
        Self { witness: rule, ..self }
    }

    /// The same, on a machine whose texts are in this encoding: what `logencoding = auto` means.
    #[must_use]
    pub fn with_encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// Compiles what a jail looks for. A failregex that is wrong is left out, and said.
    pub fn jail(&mut self, tree: &Tree, jail: &Jail) -> Compiled {
        let nothing = Filter::default();
        let written = jail.filter.as_ref().unwrap_or(&nothing);
        let dates = match self.dates(tree, written.datepattern.as_ref(), jail) {
            Ok(dates) => dates,
            Err(problems) => return Compiled { filter: None, problems },
        };
        let mut failregex: Vec<&Text> = written.failregex.iter().collect();
        let (encoding, mut problems) = match self.encoding(tree, jail) {
            Ok(encoding) => encoding,
            Err(problem) => return Compiled { filter: None, problems: vec![*problem] },
        };
        loop {
            let spec = spec(written, &failregex);
            let wrong = match filter::Filter::compile(&spec, Arc::clone(&dates)) {
                Ok(filter) => {
                    let advice = advice::all(&spec, &dates, self.now);
                    problems.extend(advice.iter().map(|one| advised(tree, &failregex, one)));
                    let filter = filter.with_encoding(encoding);
                    let filter = match &self.witness {
                        Some(rule) => filter.with_witness(Arc::clone(rule)),
                        None => filter,
                    };
                    return Compiled { filter: Some(Arc::new(filter)), problems };
                }
                Err(wrong) => wrong,
            };
            let refused: BTreeSet<usize> = wrong
                .iter()
                .filter_map(|(part, _)| match part {
                    Part::Failure(at) => Some(*at),
                    _ => None,
                })
                .collect();
            let left: Vec<&Text> = (0..failregex.len())
                .filter(|at| !refused.contains(at))
                .filter_map(|at| failregex.get(at).copied())
                .collect();
            let others = wrong.iter().any(|(part, _)| !matches!(part, Part::Failure(_)));
            let stands = !others && !left.is_empty() && left.len() < failregex.len();
            problems.extend(wrong.iter().take(TOLD).map(|(part, wrong)| {
                let text = match part {
                    Part::Prefix => written.prefregex.as_ref(),
                    Part::Failure(at) => failregex.get(*at).copied(),
                    Part::Ignore(at) => written.ignoreregex.get(*at),
                };
                refusal(tree, text, *part, wrong, stands)
            }));
            if !stands {
                return Compiled { filter: None, problems };
            }
            failregex = left;
        }
    }

    /// The characters of a jail's logs, and what is to be said of them.
    fn encoding(&self, tree: &Tree, jail: &Jail) -> Result<(Encoding, Vec<Problem>), Box<Problem>> {
        let written = jail.settings.logencoding.as_ref();
        let name = written.map(Text::as_str).filter(|name| !name.eq_ignore_ascii_case("auto"));
        let Some((text, name)) = written.zip(name) else { return Ok((self.encoding, Vec::new())) };
        let problem = |severity, message: &str| {
            let place = (text, 0, name.chars().count());
            let remedy = "write logencoding = auto, utf-8, iso-8859-1, iso-8859-15, cp1252, koi8-r or \
                          another of single bytes";
            tree.problem(severity, place, &format!("logencoding: {message}"), remedy)
        };
        match Encoding::named(name) {
            Named::Known(encoding) => Ok((encoding, Vec::new())),
            Named::Wide => {
                let message =
                    format!("{name} is read as UTF-8: what is no ASCII counts as unknown");
                Ok((Encoding::default(), vec![problem(Severity::Warning, &message)]))
            }
            Named::Unreadable => {
                let message = format!("{name} is not read here: its lines end otherwise");
                Err(Box::new(problem(Severity::Error, &message)))
            }
            Named::Unknown => {
                let message = format!("there is no encoding {name} here");
                Err(Box::new(problem(Severity::Error, &message)))
            }
        }
    }

    fn dates(
        &mut self,
        tree: &Tree,
        pattern: Option<&Text>,
        jail: &Jail,
    ) -> Result<Arc<Detector>, Vec<Problem>> {
        let zone = jail.settings.logtimezone.as_ref();
        let text = |text: Option<&Text>| text.map(|t| t.as_str().to_owned()).unwrap_or_default();
        let key = (text(pattern), text(zone));
        if let Some(known) = self.known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let problem = |text: Option<&Text>, what: &str, wrong: filter::date::Wrong| {
            let message = format!("{what}: {}", wrong.message);
            let text = text.cloned().unwrap_or_default();
            let place = (&text, wrong.at, wrong.width);
            vec![tree.problem(Severity::Error, place, &message, &wrong.remedy)]
        };
        let mut meant = Zone::machine(self.machine.clone());
        if !key.1.is_empty() {
            meant = meant
                .log(&key.1, self.zones)
                .map_err(|wrong| problem(zone, "logtimezone", wrong))?;
        }
        let pattern_text = pattern.map(Text::as_str);
        // What the reading has said already is not said again.
        let said = pattern.is_some_and(|pattern| check::datepattern(pattern).is_some());
        let dates = Detector::new(pattern_text, meant, self.now).map_err(|wrong| match said {
            true => Vec::new(),
            false => problem(pattern, "datepattern", wrong),
        })?;
        let dates = Arc::new(dates);
        self.known.insert(key, Arc::clone(&dates));
        Ok(dates)
    }
}

/// What a filter looks for, with these failregex.
fn spec<'t>(written: &'t Filter, failregex: &[&'t Text]) -> Spec<'t> {
    Spec {
        prefregex: written.prefregex.as_ref().map(Text::as_str),
        failregex: failregex.iter().map(|text| text.as_str()).collect(),
        ignoreregex: written.ignoreregex.iter().map(Text::as_str).collect(),
        maxlines: written.maxlines.unwrap_or(1),
        names: written.usedns.as_ref().is_none_or(|usedns| usedns.as_str() != "no"),
    }
}

/// An expression that does not compile; `stands` if the jail does without it.
fn refusal(
    tree: &Tree,
    text: Option<&Text>,
    part: Part,
    wrong: &filter::regex::Wrong,
    stands: bool,
) -> Problem {
    let what = match part {
        Part::Prefix => "prefregex",
        Part::Failure(_) => "failregex",
        Part::Ignore(_) => "ignoreregex",
    };
    let left = if stands { "; this expression is left out" } else { "" };
    let message = format!("{what}: {}{left}", wrong.message);
    let text = text.cloned().unwrap_or_default();
    // The parenthesis of the line, and one more that nobody closes.
    let doubled = text.as_str().get(..wrong.at).is_some_and(|before| before.ends_with(r"\("))
        && text.as_str().get(wrong.at..).is_some_and(|rest| rest.starts_with('('));
    let remedy = match doubled {
        true => r"take this ( out: the \( before it stands for the parenthesis of the line",
        false => &wrong.remedy,
    };
    tree.problem(Severity::Error, (&text, wrong.at, wrong.width), &message, remedy)
}

fn advised(tree: &Tree, failregex: &[&Text], advice: &Advice) -> Problem {
    let text = failregex.get(advice.expression).copied().cloned().unwrap_or_default();
    let width = text.as_str().get(advice.range.clone()).unwrap_or("").chars().count();
    let place = (&text, advice.range.start, width);
    let message = format!("failregex: {}", advice.message);
    tree.problem(Severity::Warning, place, &message, &advice.remedy)
}
