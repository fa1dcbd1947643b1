//! fail2ban's own sample suite, read in place (`tests/samplestestcase.py` of 1.0.2 says what its
//! annotations mean).

mod instance;
mod note;

use crate::common::Disk;
use instance::Instance;
use note::Note;
use serde_json::{Map, Value, json};
use sereno_fail2ban::Files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What the suite takes for now: 2005-08-14 12:00:00 CEST.
pub(crate) const NOW: i64 = 1_124_013_600;

/// Where the suite is.
pub(crate) struct Suite {
    logs: PathBuf,
    config: PathBuf,
    tests: PathBuf,
}

/// What has been tried.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) filters: usize,
    pub(crate) instances: usize,
    pub(crate) cases: usize,
    pub(crate) matching: usize,
    pub(crate) failures: Vec<String>,
}

/// Options of a filter, and the suite's own.
type Options = Map<String, Value>;

impl Suite {
    /// The installed one, or where `SERENO_F2B_SAMPLES` (the logs) and `SERENO_F2B_CONFIG` say.
    pub(crate) fn find() -> Option<Self> {
        let place = |name: &str, usual: &str| {
            PathBuf::from(std::env::var(name).unwrap_or_else(|_| usual.to_owned()))
        };
        let usual = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs";
        let logs = place("SERENO_F2B_SAMPLES", usual);
        let config = place("SERENO_F2B_CONFIG", "/etc/fail2ban");
        let tests = logs.parent()?.parent()?.join("config");
        (logs.is_dir() && config.is_dir()).then_some(Self { logs, config, tests })
    }

    /// The names of filters, each with the tree it is in.
    pub(crate) fn filters(&self) -> Vec<(&Path, String)> {
        let mut all = Vec::new();
        for (base, kept) in [(&self.config, ""), (&self.tests, "zzz-")] {
            let mut names = Disk.list(base.join("filter.d").to_str().unwrap());
            names.sort();
            names.retain(|name| name.starts_with(kept) && !name.starts_with('.'));
            names.retain(|name| name.ends_with(".conf") && !name.ends_with("common.conf"));
            all.extend(
                names
                    .into_iter()
                    .map(|name| (base.as_path(), name.trim_end_matches(".conf").to_owned())),
            );
        }
        all
    }

    /// Tries one filter on its samples.
    pub(crate) fn run(&self, base: &Path, name: &str, tally: &mut Tally) {
        tally.filters += 1;
        let mut test = Test {
            suite: self,
            base,
            name,
            common: Options::new(),
            instances: BTreeMap::new(),
            chosen: None,
            ignoring: false,
            tally,
        };
        let mut files = vec![name.to_owned()];
        let mut at = 0;
        while let Some(file) = files.get(at).cloned() {
            test.file(&file, &mut files);
            at += 1;
        }
        test.finish();
    }
}

impl Files for Suite {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let found = Disk.read(path)?;
        // The suite's own filters include this by the way to it in a source tree.
        match path.ends_with("/config/filter.d/common.conf") && found.is_none() {
            true => Disk.read(self.config.join("filter.d/common.conf").to_str().unwrap()),
            false => Ok(found),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        Disk.list(directory)
    }
}

/// One filter's test.
struct Test<'s> {
    suite: &'s Suite,
    base: &'s Path,
    name: &'s str,
    /// Options of all instances from here on.
    common: Options,
    instances: BTreeMap<String, Instance>,
    /// The names of those that the next lines go to, with their options.
    chosen: Option<Vec<(String, Options)>>,
    ignoring: bool,
    tally: &'s mut Tally,
}

impl Test<'_> {
    fn file(&mut self, file: &str, files: &mut Vec<String>) {
        let bytes = fs::read(self.suite.logs.join(file))
            .unwrap_or_else(|error| panic!("no samples {file} for {}: {error}", self.name));
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split('\n').enumerate();
        self.ignoring = false;
        while let Some((at, line)) = lines.next() {
            let mut wanted = Options::new();
            let mut line = line;
            match Note::read(line) {
                Some(Note::FileOptions(options)) => {
                    self.common = options;
                    continue;
                }
                Some(Note::FilterOptions(sets)) => {
                    self.choose(sets);
                    continue;
                }
                Some(Note::AddFile(more)) => {
                    files.push(more);
                    continue;
                }
                Some(Note::Failure(fields)) => {
                    wanted = fields;
                    line = lines.next().expect("a line behind its annotation").1;
                }
                None if self.ignoring || line.starts_with('#') || line.trim().is_empty() => {
                    continue;
                }
                None => {}
            }
            if !self.ignoring {
                self.line(&format!("{file}:{}", at + 1), line.trim_end_matches('\r'), &wanted);
            }
        }
    }

    /// Chooses the instances that the next lines go to.
    fn choose(&mut self, sets: Vec<Options>) {
        self.ignoring = false;
        let mut chosen = Vec::new();
        for set in sets {
            let mut options = self.common.clone();
            options.extend(set);
            if let Some(condition) = options.get("test.condition").and_then(Value::as_str) {
                self.ignoring = !note::holds(condition, self.name, &options);
            }
            if self.ignoring {
                continue;
            }
            let mut own = options.clone();
            own.retain(|key, _| !key.starts_with("test."));
            let name = match options.get("test.filter-name").and_then(Value::as_str) {
                Some(name) => name.to_owned(),
                None if own.is_empty() => String::new(),
                None => json!(own).to_string(),
            };
            self.open(&name, &own);
            chosen.push((name, options));
        }
        self.chosen = Some(chosen);
    }

    fn open(&mut self, name: &str, options: &Options) {
        if !self.instances.contains_key(name) {
            let instance = Instance::open(self.suite, self.base, self.name, options);
            self.instances.insert(name.to_owned(), instance);
            self.tally.instances += 1;
        }
    }

    fn line(&mut self, place: &str, line: &str, wanted: &Options) {
        if self.chosen.as_ref().is_none_or(Vec::is_empty) {
            self.open("", &Options::new());
            self.chosen = Some(vec![(String::new(), Options::new())]);
        }
        let mut line = line.to_owned();
        for (name, options) in self.chosen.iter().flatten() {
            if let Some(constraint) = wanted.get("constraint").and_then(Value::as_str)
                && !note::holds(constraint, self.name, options)
            {
                continue;
            }
            let journal = options.get("logtype") == Some(&json!("journal"));
            if let Some(prefix) = options.get("test.prefix-line").filter(|_| journal) {
                line.insert_str(0, prefix.as_str().unwrap());
            }
            self.tally.cases += 1;
            self.tally.matching += usize::from(wanted.get("match") == Some(&json!(true)));
            let instance = self.instances.get_mut(name).unwrap();
            if let Err(why) = instance.line(&line, journal, wanted) {
                let what = format!("{}{name}: {place}: {why}\n  {line}", self.name);
                self.tally.failures.push(what);
            }
        }
    }

    /// Every expression of every instance needs a sample, here or in another instance.
    fn finish(self) {
        let all = self.instances.values().flat_map(Instance::hit);
        let hit: BTreeSet<&str> = all.collect();
        for (name, instance) in &self.instances {
            for regex in instance.regexes().filter(|regex| !hit.contains(regex)) {
                let what = format!("{}{name}: nothing matched {regex}", self.name);
                self.tally.failures.push(what);
            }
        }
    }
}
