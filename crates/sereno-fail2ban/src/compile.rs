//! What a jail looks for, compiled for the engine.

use crate::problem::{Problem, Severity};
use crate::text::Text;
use crate::tree::{Filter, Jail, Tree};
use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::filter::{self, Part, Spec};
use sereno_core::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiles filters; those that look for the same dates share what finds them.
#[derive(Debug)]
pub struct Compiler {
    machine: TimeZone,
    /// Finds a zone by its name.
    zones: fn(&str) -> Option<TimeZone>,
    now: Time,
    known: BTreeMap<(String, String), Arc<Detector>>,
}

impl Compiler {
    /// For logs written in the zone `machine`, at `now`; `zones` knows other zones by name.
    #[must_use]
    pub fn new(machine: TimeZone, zones: fn(&str) -> Option<TimeZone>, now: Time) -> Self {
        Self { machine, zones, now, known: BTreeMap::new() }
    }

    /// Compiles what a jail looks for.
    ///
    /// # Errors
    /// Everything that is wrong with its expressions, its dates and its zone.
    pub fn jail(&mut self, tree: &Tree, jail: &Jail) -> Result<Arc<filter::Filter>, Vec<Problem>> {
        let nothing = Filter::default();
        let written = jail.filter.as_ref().unwrap_or(&nothing);
        let dates = self.dates(tree, written.datepattern.as_ref(), jail)?;
        let names = written.usedns.as_ref().is_none_or(|usedns| usedns.as_str() != "no");
        let spec = Spec {
            prefregex: written.prefregex.as_ref().map(Text::as_str),
            failregex: written.failregex.iter().map(Text::as_str).collect(),
            ignoreregex: written.ignoreregex.iter().map(Text::as_str).collect(),
            maxlines: written.maxlines.unwrap_or(1),
            names,
        };
        let problem = |(part, wrong): (Part, filter::regex::Wrong)| {
            let (text, what) = match part {
                Part::Prefix => (written.prefregex.as_ref(), "prefregex"),
                Part::Failure(at) => (written.failregex.get(at), "failregex"),
                Part::Ignore(at) => (written.ignoreregex.get(at), "ignoreregex"),
            };
            let text = text.cloned().unwrap_or_default();
            let message = format!("{what}: {}", wrong.message);
            tree.problem(Severity::Error, (&text, wrong.at, wrong.width), &message, &wrong.remedy)
        };
        let compiled = filter::Filter::compile(&spec, dates);
        compiled.map(Arc::new).map_err(|wrong| wrong.into_iter().map(problem).collect())
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
        let dates = Detector::new(pattern_text, meant, self.now)
            .map_err(|wrong| problem(pattern, "datepattern", wrong))?;
        let dates = Arc::new(dates);
        self.known.insert(key, Arc::clone(&dates));
        Ok(dates)
    }
}
