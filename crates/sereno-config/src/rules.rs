//! Rules made of rule files: those that come with Sereno, and the administrator's.

use crate::Document;
use crate::filter_file::FilterFile;
use crate::machine::Dates;
use crate::near::nearest;
use crate::policy::FilterRule;
use crate::problem::{Notes, Wrong};
use crate::rule_file::{Part, Places, RuleFile};
use sereno_core::rule::spec::{ExtensionSpec, PatternSpec, RuleSpec};
use sereno_core::rule::{Rule, RuleError, prove};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules that come with Sereno, as text.
#[must_use]
pub fn shipped_rules() -> Vec<Document> {
    let document =
        |name: &str, text: &str| Document { name: name.to_owned(), text: text.to_owned() };
    vec![
        document("rules/asterisk.toml", include_str!("../../../rules/asterisk.toml")),
        document(
            "rules/asterisk-notices.toml",
            include_str!("../../../rules/asterisk-notices.toml"),
        ),
        document("rules/asterisk-rest.toml", include_str!("../../../rules/asterisk-rest.toml")),
        document("rules/portscan.toml", include_str!("../../../rules/portscan.toml")),
        document("rules/sshd.toml", include_str!("../../../rules/sshd.toml")),
    ]
}

/// A shipped rule by its name, compiled; `None` if there is none of this name in a file called so.
#[must_use]
pub fn shipped_rule(name: &str) -> Option<Arc<Rule>> {
    let own = |document: &Document| document.name == format!("rules/{name}.toml");
    let documents: Vec<Document> = shipped_rules().into_iter().filter(own).collect();
    crate::read(&[], &documents).policy.rules.into_iter().find(|rule| rule.name == name)
}

/// A rule that compiles, and the documents it stands in, that with its name first.
pub(crate) struct Good {
    pub(crate) rule: Arc<Rule>,
    pub(crate) texts: Vec<Document>,
    /// The index of the first of them among all documents.
    doc: usize,
}

/// The rules there are.
pub(crate) struct Found {
    pub(crate) good: Vec<Good>,
    /// Those of fail2ban's expressions, by name.
    pub(crate) filters: Vec<FilterRule>,
}

/// Whose sample lines are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prove {
    /// The administrator's: those of shipped rules were tried when Sereno was built.
    Own,
    All,
}

type Base<'d> = Part<'d, RuleSpec>;
type More<'d> = Part<'d, ExtensionSpec>;

/// What all documents say, before anything is compiled.
#[derive(Default)]
struct Read<'d> {
    by_name: BTreeMap<String, (Vec<Base<'d>>, Vec<More<'d>>)>,
    filters: BTreeMap<String, Vec<FilterFile<'d>>>,
}

/// Reads rule documents. A later rule replaces an earlier one of the same name, and a rule of
/// the administrator's the shipped extensions as well; his extensions go with whatever rule is
/// in force. `first` is the index of the first among all documents.
pub(crate) fn rules(
    docs: &[Document],
    first: usize,
    whose: Prove,
    dates: &mut Dates<'_>,
    notes: &mut Notes,
) -> Found {
    let Read { by_name, filters } = read(docs, first, whose, notes);
    let mut filters: BTreeMap<String, (usize, FilterRule)> = filters
        .into_iter()
        .filter_map(|(name, files)| Some((name, expressions(&files, dates, notes)?)))
        .collect();
    let there = by_name.iter().filter(|(_, (bases, _))| !bases.is_empty());
    let names: Vec<String> = there.map(|(name, _)| name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut good = Vec::new();
    for (name, (bases, more)) in by_name {
        let rule = in_force(&bases, &more, whose, notes);
        let later = filters.get(&name).map(|(doc, _)| *doc);
        match (rule, later) {
            (Some(rule), later) if later.is_none_or(|later| later < rule.doc) => {
                filters.remove(&name);
                good.push(rule);
            }
            (_, Some(_)) => more.iter().filter(|more| !more.places.is_shipped).for_each(|more| {
                notes.error(more.places.doc, not_extended(&more.places, &name));
            }),
            (_, None) => more.iter().for_each(|more| {
                notes.error(more.places.doc, without_rule(&more.places, &name, &names));
            }),
        }
    }
    Found { good, filters: filters.into_values().map(|(_, rule)| rule).collect() }
}

fn read<'d>(docs: &'d [Document], first: usize, whose: Prove, notes: &mut Notes) -> Read<'d> {
    let shipped = shipped_rules();
    let mut all = Read::default();
    for (at, document) in docs.iter().enumerate() {
        let is_shipped = shipped.contains(document);
        // Who names a shipped file among his own means no second one.
        if is_shipped && docs[..at].contains(document) {
            continue;
        }
        let is_tried = whose == Prove::All || !is_shipped;
        match RuleFile::read(document, first + at, is_shipped, notes) {
            Some(RuleFile::Rule(mut base)) => {
                forget_samples(&mut base.spec.patterns, is_tried);
                all.by_name.entry(base.spec.name.clone()).or_default().0.push(base);
            }
            Some(RuleFile::Extension(mut more)) => {
                forget_samples(&mut more.spec.patterns, is_tried);
                all.by_name.entry(more.spec.extends.clone()).or_default().1.push(more);
            }
            Some(RuleFile::Filter(file)) => {
                all.filters.entry(file.name.clone()).or_default().push(file);
            }
            None => {}
        }
    }
    all
}

/// The last of the files of a name that is right, and its index among all documents.
fn expressions(
    files: &[FilterFile<'_>],
    dates: &mut Dates<'_>,
    notes: &mut Notes,
) -> Option<(usize, FilterRule)> {
    let mut found = None;
    for file in files.iter().rev() {
        let Some(filter) = file.compile(dates, notes) else { continue };
        if found.is_none() {
            file.prove(&filter, dates, notes);
            let rule = FilterRule { name: file.name.clone(), text: file.document.clone(), filter };
            found = Some((file.doc, rule));
        }
    }
    found
}

/// What an extension of fail2ban's expressions is told.
fn not_extended(places: &Places<'_>, name: &str) -> Wrong {
    let message = format!("the rule {name} is made of fail2ban's expressions; nothing extends it");
    places.at_name(message).remedy("write what is missing into its failregex")
}

/// Sample lines that are not tried are most of what a rule would keep in memory.
fn forget_samples(patterns: &mut [PatternSpec], is_tried: bool) {
    for pattern in patterns.iter_mut().filter(|_| !is_tried) {
        pattern.matches = Vec::new();
        pattern.reject = Vec::new();
    }
}

/// What an extension is told whose rule is not there.
fn without_rule(places: &Places<'_>, name: &str, names: &[&str]) -> Wrong {
    if names.contains(&name) {
        let wrong = places.at_name(format!("the rule {name} was set aside, and so is this"));
        return wrong.remedy("correct the rule first");
    }
    let remedy = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write the name of a rule: {}", names.join(", ")),
    };
    places.at_name(format!("there is no rule {name}")).remedy(remedy)
}

/// The last of the rules of a name that is right, with what extends it.
fn in_force(
    bases: &[Base<'_>],
    more: &[More<'_>],
    whose: Prove,
    notes: &mut Notes,
) -> Option<Good> {
    let mut found = None;
    for base in bases.iter().rev() {
        if found.is_none() {
            let goes_with = |more: &&More<'_>| base.places.is_shipped || !more.places.is_shipped;
            found = join(base, more.iter().filter(goes_with).collect(), whose, notes);
        } else if let Err(errors) = Rule::compile(&base.spec) {
            // It is not in force, and wrong all the same.
            note_all(&base.places, &errors, notes);
        }
    }
    found
}

/// Compiles a rule with what extends it. A wrong extension is noted and left out; when the rule
/// itself is wrong, that is noted, and there is none.
fn join(base: &Base<'_>, more: Vec<&More<'_>>, whose: Prove, notes: &mut Notes) -> Option<Good> {
    let (mut more, clashes) = distinct(base, more);
    loop {
        let mut spec = base.spec.clone();
        more.iter().for_each(|more| spec.extend(&more.spec));
        let errors = match Rule::compile(&spec) {
            Err(errors) => errors,
            Ok(rule) => {
                clashes.into_iter().for_each(|(doc, wrong)| notes.error(doc, wrong));
                let files = || std::iter::once(&base.places).chain(more.iter().map(|m| &m.places));
                let tried = files().filter(|file| whose == Prove::All || !file.is_shipped);
                try_samples(&spec, &tried.collect::<Vec<_>>(), notes);
                let texts = files().map(|file| file.document.clone()).collect();
                return Some(Good { rule: Arc::new(rule), texts, doc: base.places.doc });
            }
        };
        let of_more = |error: &RuleError| more.iter().any(|m| m.places.has(&error.pattern));
        let (of_more, of_base): (Vec<_>, Vec<_>) = errors.into_iter().partition(of_more);
        if !of_base.is_empty() {
            note_all(&base.places, &of_base, notes);
            return None;
        }
        let is_right = |more: &&More<'_>| note_all(&more.places, &of_more, notes) == 0;
        more.retain(is_right);
    }
}

/// The extensions that repeat no id of a file before them, and what is to be said of the others.
fn distinct<'f, 'd>(
    base: &'f Base<'d>,
    all: Vec<&'f More<'d>>,
) -> (Vec<&'f More<'d>>, Vec<(usize, Wrong)>) {
    let mut taken: BTreeMap<&str, &Places<'_>> =
        base.places.ids().map(|id| (id, &base.places)).collect();
    let (mut kept, mut clashes) = (Vec::new(), Vec::new());
    for more in all {
        let (places, before) = (&more.places, clashes.len());
        for (id, other) in places.ids().filter_map(|id| Some((id, taken.get(id)?))) {
            let message = format!("pattern {id} is also in {}", other.place_of(id));
            let remedy = format!("give it an id of its own, such as \"my-{id}\"");
            clashes.push((places.doc, places.at_id(id, message).remedy(remedy)));
        }
        if clashes.len() == before {
            taken.extend(places.ids().map(|id| (id, places)));
            kept.push(more);
        }
    }
    (kept, clashes)
}

/// Tries the sample lines of these files on the whole rule.
fn try_samples(spec: &RuleSpec, files: &[&Places<'_>], notes: &mut Notes) {
    if files.is_empty() {
        return;
    }
    let of = |id: &str| files.iter().find(|file| file.has(id));
    for failure in prove(spec).failures {
        if let Some(file) = of(&failure.pattern) {
            let remedy = "correct the sample line or the pattern, so that they prove each other";
            notes.warn(file.doc, file.at(&failure).remedy(remedy));
        }
    }
}

/// Notes the errors that are about a file's patterns, or about its rule; how many there are.
fn note_all(file: &Places<'_>, errors: &[RuleError], notes: &mut Notes) -> usize {
    let mine = errors.iter().filter(|e| e.pattern.is_empty() || file.has(&e.pattern));
    let remedy = "correct the pattern; docs/guide/rules.md describes what it may hold";
    mine.map(|error| notes.error(file.doc, file.at(error).remedy(remedy))).count()
}
