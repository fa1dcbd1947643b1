//! A rule file that holds expressions of fail2ban's: `format = "fail2ban"`.
//!
//! The names and their meaning are those of fail2ban's `jail.conf(5)`; the expressions are
//! complete, without `%(names)s` of other files.

use crate::Document;
use crate::machine::Dates;
use crate::near;
use crate::problem::{Notes, Wrong};
use crate::quoted::Said;
use crate::rules::shipped_rule;
use crate::value::{self, Read, Value};
use sereno_core::filter::{Filter, MOST_LINES, Part, Scan, Spec, Who};
use sereno_core::rule::Rule;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Who is asked whom a line of sshd is about.
static WITNESS: LazyLock<Option<Arc<Rule>>> = LazyLock::new(|| shipped_rule("sshd"));

/// What stands in such a file, each with a right value.
const OPTIONS: [(&str, &str); 12] = [
    ("name", "\"web\""),
    ("format", "\"fail2ban\""),
    ("about", "\"Refused logins of our web application\""),
    ("prefregex", r"'^shop\[\d+\]: <F-CONTENT>.+</F-CONTENT>$'"),
    ("failregex", "['^refused <HOST>$']"),
    ("ignoreregex", "['^refused <HOST> as a test$']"),
    ("maxlines", "10"),
    ("datepattern", "'%Y-%m-%d %H:%M:%S'"),
    ("usedns", "\"no\""),
    ("timezone", "\"UTC+0200\""),
    ("match", "['Nov 22 15:22:38 www shop[77]: refused 203.0.113.9']"),
    ("reject", "['Nov 22 15:22:38 www shop[77]: welcome 203.0.113.9']"),
];

/// Such a file.
pub(crate) struct FilterFile<'d> {
    /// Its index among all documents.
    pub(crate) doc: usize,
    pub(crate) document: &'d Document,
    pub(crate) name: String,
    place: Range<usize>,
    prefregex: Option<Said>,
    failregex: Vec<Said>,
    ignoreregex: Vec<Said>,
    maxlines: u32,
    datepattern: Vec<Said>,
    names: bool,
    timezone: Option<Said>,
    matches: Vec<Said>,
    reject: Vec<Said>,
}

impl<'d> FilterFile<'d> {
    /// Whether a file says that it is one.
    pub(crate) fn is_one(table: &DeTable<'_>) -> bool {
        let format = table.get("format").map(Spanned::get_ref);
        matches!(format, Some(DeValue::String(format)) if format == "fail2ban")
            && !table.contains_key("extends")
    }

    /// Reads what the file says; what is wrong with it is noted.
    pub(crate) fn read(
        document: &'d Document,
        doc: usize,
        table: &DeTable<'_>,
        notes: &mut Notes,
    ) -> Self {
        let place = table.get("name").map_or(0..0, Spanned::span);
        let mut file = Self {
            doc,
            document,
            name: String::new(),
            place,
            prefregex: None,
            failregex: Vec::new(),
            ignoreregex: Vec::new(),
            maxlines: 1,
            datepattern: Vec::new(),
            names: true,
            timezone: None,
            matches: Vec::new(),
            reject: Vec::new(),
        };
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some((_, example)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
                notes.error(doc, unknown(key.span(), name));
                continue;
            };
            for mut wrong in file.take(name, value).err().into_iter().flatten() {
                if wrong.remedy.is_empty() {
                    wrong.remedy = format!("write for example {name} = {example}");
                }
                notes.error(doc, wrong);
            }
        }
        for name in ["name", "failregex"].into_iter().filter(|name| !table.contains_key(*name)) {
            let wrong = Wrong::new(file.place.clone(), format!("{name} is missing"));
            notes.error(doc, wrong.remedy("docs/guide/rules.md describes what belongs here"));
        }
        file
    }

    fn take(&mut self, name: &str, value: &Value<'_>) -> Read<()> {
        let document = self.document;
        let said = |value| Said::new(value, &document.text);
        let all = || value::each(value, |one| Said::new(one, &document.text));
        match name {
            "name" => self.name = called(value)?,
            "prefregex" => self.prefregex = Some(said(value)?),
            "failregex" => {
                self.failregex = all()?;
                if self.failregex.is_empty() {
                    return Wrong::new(value.span(), "without any it never sees anything").alone();
                }
            }
            "ignoreregex" => self.ignoreregex = all()?,
            "maxlines" => self.maxlines = value::whole(value, 1, MOST_LINES)?,
            "datepattern" => self.datepattern = all()?,
            "usedns" => self.names = usedns(value)?,
            "timezone" => self.timezone = Some(said(value)?),
            "match" => self.matches = all()?,
            "reject" => self.reject = all()?,
            // `format` brought us here, and `about` is for people.
            _ => drop(value::text(value)?),
        }
        Ok(())
    }

    /// Compiles it; what is wrong is noted, and then there is none.
    pub(crate) fn compile(&self, dates: &mut Dates<'_>, notes: &mut Notes) -> Option<Arc<Filter>> {
        let detector = match dates.detector(&self.datepattern, self.timezone.as_ref()) {
            Ok(detector) => Some(detector),
            Err(wrong) => {
                notes.error(self.doc, wrong);
                None
            }
        }?;
        let spec = Spec {
            prefregex: self.prefregex.as_ref().map(text),
            failregex: self.failregex.iter().map(text).collect(),
            ignoreregex: self.ignoreregex.iter().map(text).collect(),
            maxlines: self.maxlines,
            names: self.names,
        };
        match Filter::compile(&spec, detector) {
            Ok(filter) => Some(Arc::new(match &*WITNESS {
                Some(rule) => filter.with_witness(Arc::clone(rule)),
                None => filter,
            })),
            Err(wrongs) => {
                for (part, wrong) in wrongs {
                    let said = match part {
                        Part::Prefix => self.prefregex.as_ref(),
                        Part::Failure(at) => self.failregex.get(at),
                        Part::Ignore(at) => self.ignoreregex.get(at),
                    };
                    let place = said.map(|said| said.within(wrong.at, wrong.width));
                    let place = place.unwrap_or_else(|| self.place.clone());
                    notes.error(self.doc, Wrong::new(place, wrong.message).remedy(wrong.remedy));
                }
                None
            }
        }
    }

    /// Tries the sample lines.
    pub(crate) fn prove(&self, filter: &Arc<Filter>, dates: &Dates<'_>, notes: &mut Notes) {
        let remedy = "correct the sample line or the expressions, so that they prove each other";
        let mut say = |said: &Said, what: String| {
            notes.warn(self.doc, Wrong::new(said.span.clone(), what).remedy(remedy));
        };
        for said in &self.matches {
            match found(filter, said, dates) {
                Some(Who::Prefix(_)) => {}
                Some(Who::Named(name)) => {
                    say(said, format!("finds the name {name:?}; names are never looked up"));
                }
                Some(Who::Other(id)) => say(said, format!("finds {id:?}, which is no address")),
                Some(Who::Pending) | None => say(said, "nobody is found in this line".to_owned()),
            }
        }
        for said in &self.reject {
            if let Some(Who::Prefix(prefix)) = found(filter, said, dates) {
                say(said, format!("finds {prefix} in a line that it must reject"));
            }
        }
    }
}

fn text(said: &Said) -> &str {
    &said.text
}

/// Whom the last line of a sample is about.
fn found(filter: &Arc<Filter>, sample: &Said, dates: &Dates<'_>) -> Option<Who> {
    let mut scan = Scan::new();
    scan.add(Arc::clone(filter), false);
    let mut who = None;
    scan.read(sample.text.as_bytes(), dates.machine.now, &mut |_, finding| {
        who = Some(finding.who.clone());
    });
    who
}

fn called(value: &Value<'_>) -> Read<String> {
    let name = value::text(value)?;
    if name.trim().is_empty() || name.contains(char::is_control) {
        return Wrong::new(value.span(), "this is not the name of a rule").alone();
    }
    Ok(name.to_owned())
}

/// Whether names are taken for addresses where an expression allows both.
fn usedns(value: &Value<'_>) -> Read<bool> {
    match value::text(value)? {
        "no" => Ok(false),
        "yes" | "warn" | "raw" => Ok(true),
        _ => Wrong::new(value.span(), "usedns is \"yes\", \"warn\", \"no\" or \"raw\"").alone(),
    }
}

fn unknown(span: Range<usize>, name: &str) -> Wrong {
    let names = OPTIONS.map(|(option, _)| option);
    let remedy = match name {
        "pattern" | "define" | "programs" => {
            "it goes with the other formats: here failregex says what a failure is".to_owned()
        }
        "logtimezone" => "write timezone".to_owned(),
        _ => match near::nearest(name, names) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("leave it out; there are: {}", names.join(", ")),
        },
    };
    Wrong::new(span, format!("a rule of fail2ban's expressions has no {name}")).remedy(remedy)
}
