//! One filter with one set of options, and what it remembers.

use super::{NOW, Options, Suite};
use jiff::tz::TimeZone;
use serde_json::Value;
use sereno_core::addr::Prefix;
use sereno_core::filter::{Finding, Scan, Who};
use sereno_core::time::Time;
use sereno_fail2ban::{Compiler, Jail, Text};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The zone the suite sets.
const ZONE: &str = "CET-01CEST-02,M3.5.0,M10.5.0";

pub(super) struct Instance {
    jail: Jail,
    /// As the suite tries it: every expression on every line.
    scan: Scan,
    /// As a guard does.
    guard: Scan,
    hit: BTreeSet<usize>,
}

/// What was found in a line.
struct Found {
    regex: usize,
    who: Who,
    when: Option<Time>,
    attempts: usize,
    users: BTreeSet<String>,
    fields: Vec<(String, String)>,
}

impl Found {
    fn of(one: &Finding<'_>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            regex: one.regex,
            who: one.who.clone(),
            when: one.when,
            attempts: one.story.attempts(),
            users: one.story.users.iter().cloned().collect(),
            fields: one.story.fields.iter().map(own).collect(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Instance {
    pub(super) fn open(suite: &Suite, base: &Path, name: &str, options: &Options) -> Self {
        let params = options.iter().map(|(key, value)| format!("[{key}=\"{}\"]", text(value)));
        let written = format!("{name}{}", params.collect::<String>());
        let tree = sereno_fail2ban::filter(suite, base.to_str().unwrap(), &written, "auto");
        let problems: Vec<String> = tree.problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{written}: {}", problems.join("\n"));
        let zone = TimeZone::posix(ZONE).unwrap();
        // Which years `%ExY` takes is a matter of the real time in the suite, too.
        let today = jiff::Timestamp::now().as_second();
        let mut compiler = Compiler::new(zone, |_| None, Time::from_secs(today));
        let compiled = compiler.jail(&tree, &tree.jails[0]);
        let filter = compiled.filter.unwrap_or_else(|| {
            let problems: Vec<String> = compiled.problems.iter().map(ToString::to_string).collect();
            panic!("{written}: {}", problems.join("\n"));
        });
        let (mut scan, mut guard) = (Scan::new(), Scan::new());
        scan.add(Arc::clone(&filter), true);
        guard.add(filter, false);
        Self { jail: tree.jails[0].clone(), scan, guard, hit: BTreeSet::new() }
    }

    pub(super) fn regexes(&self) -> impl Iterator<Item = &str> {
        self.jail.filter.iter().flat_map(|filter| &filter.failregex).map(Text::as_str)
    }

    /// The expressions that have matched anything.
    pub(super) fn hit(&self) -> impl Iterator<Item = &str> {
        let hit = |(at, regex)| self.hit.contains(&at).then_some(regex);
        self.regexes().enumerate().filter_map(hit)
    }

    /// Reads a line; says what is other than wanted.
    pub(super) fn line(
        &mut self,
        line: &str,
        journal: bool,
        wanted: &Options,
    ) -> Result<(), String> {
        let now = Time::from_secs(NOW);
        let (mut found, mut wanting) = (Vec::new(), Vec::new());
        let hit = &mut self.hit;
        let mut take = |_: usize, one: &Finding<'_>| {
            hit.insert(one.regex);
            // Outside of a session fail2ban counts as a failure what is marked as none.
            let quiet = one.story.is_no_failure() && one.story.fields.get("mlfid").is_some();
            if *one.who != Who::Pending && !quiet {
                wanting.push(one.who.clone());
            }
            if *one.who != Who::Pending && !one.story.is_no_failure() {
                found.push(Found::of(one));
            }
        };
        let mut guarded = Vec::new();
        let mut guard = |_: usize, one: &Finding<'_>| guarded.push(one.who.clone());
        if journal {
            self.scan.entry(line.as_bytes(), now, &mut take);
            self.guard.entry(line.as_bytes(), now, &mut guard);
        } else {
            self.scan.line(line.as_bytes(), now, &mut take);
            self.guard.line(line.as_bytes(), now, &mut guard);
        }
        if wanting != guarded {
            return Err(format!("a guard would see {guarded:?} instead of {wanting:?}"));
        }
        let should = wanted.get("match").is_some_and(|wanted| wanted == true);
        match (found.as_slice(), should) {
            ([], false) => Ok(()),
            ([], true) => Err("it should match".to_owned()),
            ([one], true) => compare(one, wanted),
            ([one, ..], false) => Err(format!("it matched expression {}", one.regex)),
            (several, true) => {
                let which: Vec<usize> = several.iter().map(|one| one.regex).collect();
                Err(format!("several expressions matched it: {which:?}"))
            }
        }
    }
}

/// Compares what was found with what was wanted.
fn compare(found: &Found, wanted: &Options) -> Result<(), String> {
    let differ = |what: &str, ours: &dyn std::fmt::Debug, theirs: &Value| {
        Err(format!("{what}: {ours:?} instead of {theirs}"))
    };
    for (name, value) in wanted {
        let same = match name.as_str() {
            "match" | "desc" | "constraint" => true,
            "time" => value.is_null() || found.when == Some(moment(value.as_str().unwrap())),
            "attempts" => value.as_u64() == Some(found.attempts as u64),
            "users" => {
                let theirs = value.as_array().unwrap().iter().map(text);
                found.users == theirs.collect()
            }
            "host" => is(&found.who, value.as_str().unwrap()),
            name => found.field(name) == value.as_str(),
        };
        if !same {
            return match name.as_str() {
                "time" => differ(name, &found.when, value),
                "attempts" => differ(name, &found.attempts, value),
                "users" => differ(name, &found.users, value),
                "host" => differ(name, &found.who, value),
                name => differ(name, &found.field(name), value),
            };
        }
    }
    Ok(())
}

/// Whether it is the one meant.
fn is(who: &Who, meant: &str) -> bool {
    match who {
        Who::Prefix(prefix) => meant.parse::<Prefix>().is_ok_and(|meant| meant == *prefix),
        Who::Named(name) => name == meant,
        Who::Other(id) => id == meant,
        Who::Pending => false,
    }
}

/// A local time as the suite writes it: months and days may have one digit.
fn moment(text: &str) -> Time {
    let local = jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%M:%S%.f", text);
    let local = local.unwrap_or_else(|error| panic!("when is {text}? {error}"));
    let zoned = local.to_zoned(TimeZone::posix(ZONE).unwrap()).unwrap();
    Time::from_secs(zoned.timestamp().as_second())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
