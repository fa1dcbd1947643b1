//! A file and those that it includes.

use crate::document::Document;
use crate::line::{Directive, Header, Says, Setting, Wrong};
use crate::section::{Condition, Section, Variable, trim};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Files within files: what is deeper is passed over.
const DEPTH: usize = 11;
/// Lines, and variables that are inherited, at most: templates of templates can make a few lines into any
/// number, and so can files that include each other.
const MOST: usize = 1_000_000;
/// Bytes at most, of all files together, and of all that sections have.
const BYTES: usize = 64 << 20;
/// Steps at most that looking for sections and names takes.
const STEPS: usize = 30_000_000;
/// Files at most, each time they are read.
const FILES: usize = 2_000;

/// Where files come from.
pub trait Files {
    /// The paths of the files that a name means, in their order. It is relative to Asterisk's folder unless
    /// it begins with a slash, and may have `*`, `?`, `[...]` and `{a,b}` in it.
    fn matching(&self, name: &[u8]) -> Vec<String>;

    /// What is in a file; `None` if it cannot be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's path.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why Asterisk refuses a file: the module goes on with what it had, or does not load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No such file.
    Missing,
    /// A line that cannot be read.
    Line(Wrong),
    /// A line stands before any section.
    NoSection,
    /// What is to be continued, or inherited from, is not there.
    NoSuch(Vec<u8>),
    /// A section inherits from itself: Asterisk does not come to an end with it.
    Itself(Vec<u8>),
    /// A file that is included is not there.
    Include(Vec<u8>),
    /// It is more than anybody means.
    TooMuch,
}

impl Invalid {
    /// Whether it is so for the files that include this one, too.
    fn ends_all(&self) -> bool {
        matches!(self, Self::TooMuch | Self::Itself(_))
    }
}

/// What Asterisk passes over, or should have been told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A line is passed over.
    Line(Wrong),
    /// What follows is a comment that does not end.
    Unended,
    /// `#exec`: whether it is carried out is said in `asterisk.conf`. What it prints is not known here.
    Exec,
    /// A directive that no version knows.
    Directive(Vec<u8>),
    /// A directive without what it is about.
    NoArgument,
    /// A file that is asked for with `#tryinclude` is not there.
    NotThere(Vec<u8>),
    /// The rest of a file that is included is passed over.
    Refused(Invalid),
}

/// What a file means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// All sections, templates too, as they begin.
    pub sections: Vec<Section>,
    /// The files, in their order; one that was included twice stands there twice.
    pub documents: Vec<(Arc<str>, Arc<Document>)>,
    /// What there is to say of them.
    pub remarks: Vec<(Place, Remark)>,
}

/// Reads a file of Asterisk's folder, such as `sip.conf`.
///
/// # Errors
/// Why Asterisk refuses it, and where; with what was read until then.
pub fn load(
    files: &dyn Files,
    name: &str,
) -> Result<Config, Box<(Option<Place>, Invalid, Config)>> {
    let mut loading = Loading {
        files,
        config: Config::default(),
        current: None,
        level: 0,
        count: 0,
        bytes: 0,
        steps: 0,
        named: BTreeMap::new(),
    };
    match loading.load(name.as_bytes()) {
        Ok(true) => Ok(loading.config),
        Ok(false) => Err(Box::new((None, Invalid::Missing, loading.config))),
        Err((place, why)) => Err(Box::new((Some(place), why, loading.config))),
    }
}

type Refused = (Place, Invalid);

struct Loading<'f> {
    files: &'f dyn Files,
    config: Config,
    /// The section that a file which is included goes on with.
    current: Option<usize>,
    level: usize,
    /// Lines and variables so far.
    count: usize,
    /// Bytes so far.
    bytes: usize,
    /// Steps so far.
    steps: usize,
    /// Sections by their names, in small letters.
    named: BTreeMap<Vec<u8>, Vec<usize>>,
}

impl Loading<'_> {
    /// Reads what a name means; says whether there is anything.
    fn load(&mut self, name: &[u8]) -> Result<bool, Refused> {
        if self.level == DEPTH {
            return Ok(true);
        }
        self.level += 1;
        let done = self.load_all(name);
        self.level -= 1;
        match done {
            // Of a file that is included and refused, what stands before the mistake counts.
            Err((place, why)) if self.level > 0 && !why.ends_all() => {
                self.config.remarks.push((place, Remark::Refused(why)));
                Ok(true)
            }
            other => other,
        }
    }

    fn load_all(&mut self, name: &[u8]) -> Result<bool, Refused> {
        let mut found = false;
        // Each of them goes on where this one is.
        let mut section = self.current;
        for path in self.files.matching(name) {
            let file: Arc<str> = Arc::from(path);
            let document = self.document(&file);
            let first = || Place { file: file.clone(), line: 1 };
            let Some(document) = document.map_err(|why| (first(), why))? else { continue };
            found = true;
            self.config.documents.push((file.clone(), document.clone()));
            self.file(&file, &document, &mut section)?;
        }
        Ok(found)
    }

    /// A file taken apart; as it was before, if it was read before.
    fn document(&mut self, path: &str) -> Result<Option<Arc<Document>>, Invalid> {
        if self.config.documents.len() >= FILES {
            return Err(Invalid::TooMuch);
        }
        let before = self.config.documents.iter().find(|(file, _)| **file == *path);
        if let Some((_, document)) = before {
            return Ok(Some(document.clone()));
        }
        let Some(bytes) = self.files.read(path) else { return Ok(None) };
        self.hold(bytes.len())?;
        let lines = bytes.iter().filter(|b| **b == b'\n').count();
        if self.count + lines > MOST {
            return Err(Invalid::TooMuch);
        }
        Ok(Some(Arc::new(Document::read(bytes))))
    }

    fn file(
        &mut self,
        file: &Arc<str>,
        document: &Document,
        section: &mut Option<usize>,
    ) -> Result<(), Refused> {
        for line in document.lines() {
            let place = Place { file: file.clone(), line: line.number };
            self.grow(1).map_err(|why| (place.clone(), why))?;
            let done = match &line.says {
                Says::Nothing => Ok(()),
                Says::Header(header) => self.header(header, &place).map(|at| *section = Some(at)),
                Says::Directive(directive) => self.directive(directive, &place),
                Says::Setting(setting) => self.setting(setting, *section, &place),
                Says::Wrong(wrong) => self.wrong(*wrong, *section, &place),
            };
            done.map_err(|why| (place, why))?;
        }
        if let Some(line) = document.unended() {
            self.config.remarks.push((Place { file: file.clone(), line }, Remark::Unended));
        }
        Ok(())
    }

    fn wrong(
        &mut self,
        wrong: Wrong,
        section: Option<usize>,
        place: &Place,
    ) -> Result<(), Invalid> {
        match wrong {
            Wrong::NoEquals | Wrong::NoName | Wrong::Escape if section.is_none() => {
                return Err(Invalid::NoSection);
            }
            Wrong::Long | Wrong::NoEquals | Wrong::NoName => {}
            refused => return Err(Invalid::Line(refused)),
        }
        self.config.remarks.push((place.clone(), Remark::Line(wrong)));
        Ok(())
    }

    /// Takes note that there are so many more.
    fn grow(&mut self, more: usize) -> Result<(), Invalid> {
        self.count += more;
        if self.count > MOST { Err(Invalid::TooMuch) } else { Ok(()) }
    }

    /// Takes note of so many bytes more.
    fn hold(&mut self, more: usize) -> Result<(), Invalid> {
        self.bytes += more;
        if self.bytes > BYTES { Err(Invalid::TooMuch) } else { Ok(()) }
    }

    /// Takes note of so many steps more.
    fn work(&mut self, steps: usize) -> Result<(), Invalid> {
        self.steps += steps;
        if self.steps > STEPS { Err(Invalid::TooMuch) } else { Ok(()) }
    }

    /// The first section of a name that is like that; of any, if the name is empty.
    fn find(&mut self, name: &[u8], condition: &[u8], parting: u8) -> Result<usize, Invalid> {
        let condition = Condition::read(condition, parting);
        self.work(condition.price(None))?;
        let named = self.named.get(&name.to_ascii_lowercase()).map_or(0, Vec::len);
        let (any, count) = (name.is_empty(), self.config.sections.len());
        for nth in 0..if any { count } else { named } {
            let of_name = || self.named.get(&name.to_ascii_lowercase())?.get(nth).copied();
            let Some(at) = (if any { Some(nth) } else { of_name() }) else { break };
            let section = &self.config.sections[at];
            let (steps, holds) = (condition.price(Some(section)), condition.holds(section));
            self.work(steps)?;
            if holds {
                return Ok(at);
            }
        }
        Err(Invalid::NoSuch(name.to_vec()))
    }

    /// Which section is begun or continued.
    fn header(&mut self, header: &Header, place: &Place) -> Result<usize, Invalid> {
        self.hold(header.name.len())?;
        let mut new = Some(Section {
            name: header.name.clone(),
            template: false,
            inherits: Vec::new(),
            variables: Vec::new(),
            place: place.clone(),
        });
        let mut at = self.config.sections.len();
        for option in &header.options {
            match option.as_slice() {
                b"!" => {
                    new.as_mut().unwrap_or_else(|| &mut self.config.sections[at]).template = true;
                }
                [b'+', condition @ ..] => {
                    at = self.find(&header.name, condition, b'&')?;
                    if let Some(new) = new.take() {
                        let section = &mut self.config.sections[at];
                        section.template |= new.template;
                        section.variables.extend(new.variables);
                    }
                }
                name => {
                    let found = self.find(name, b"TEMPLATES=include", b',')?;
                    let itself = found == at;
                    let base = &self.config.sections[found];
                    if itself && !base.variables.is_empty() {
                        return Err(Invalid::Itself(base.name.clone()));
                    }
                    let (many, weight) = (base.variables.len(), base.name.len() + base.weight());
                    self.grow(many)?;
                    self.hold(weight)?;
                    let base = &self.config.sections[found];
                    let (name, all) = (base.name.clone(), base.variables.clone());
                    let heir = new.as_mut().unwrap_or_else(|| &mut self.config.sections[at]);
                    heir.inherits.push(name);
                    let inherited = |one| Variable { inherited: true, ..one };
                    heir.variables.extend(all.into_iter().map(inherited));
                }
            }
        }
        if let Some(new) = new {
            self.named.entry(new.name.to_ascii_lowercase()).or_default().push(at);
            self.config.sections.push(new);
        }
        self.current = Some(at);
        Ok(at)
    }

    fn directive(&mut self, directive: &Directive, place: &Place) -> Result<(), Invalid> {
        let is = |word: &str| directive.word.eq_ignore_ascii_case(word.as_bytes());
        let remark = match &directive.argument {
            _ if is("exec") => Remark::Exec,
            _ if !is("include") && !is("tryinclude") => Remark::Directive(directive.word.clone()),
            None => Remark::NoArgument,
            Some(name) => match self.load(name) {
                Ok(true) => return Ok(()),
                Ok(false) if is("tryinclude") => Remark::NotThere(name.clone()),
                Ok(false) => return Err(Invalid::Include(name.clone())),
                Err((_, why)) => return Err(why),
            },
        };
        self.config.remarks.push((place.clone(), remark));
        Ok(())
    }

    fn setting(
        &mut self,
        setting: &Setting,
        section: Option<usize>,
        place: &Place,
    ) -> Result<(), Invalid> {
        let at = section.ok_or(Invalid::NoSection)?;
        let Setting { name, value, appends, object, .. } = setting;
        self.hold(name.len() + value.len())?;
        if *appends {
            let section = &self.config.sections[at];
            let steps = section.variables.len() + section.weight();
            self.work(steps)?;
        }
        let section = &mut self.config.sections[at];
        if *appends && section.append(name, value, *object) {
            return Ok(());
        }
        section.variables.push(Variable {
            name: name.clone(),
            value: trim(value).to_vec(),
            object: *object,
            place: place.clone(),
            inherited: false,
        });
        Ok(())
    }
}
