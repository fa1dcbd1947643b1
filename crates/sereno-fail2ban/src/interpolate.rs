//! `%(name)s` in values.
//!
//! As Python's `configparser` does it ("Interpolation of values": the section's own options, then
//! those of `[DEFAULT]`; `%%` is a percent sign; ten levels at most), with what fail2ban adds:
//! `%(__name__)s` is the section's name, `%(section/option)s` an option of another section,
//! `%(default/option)s` one of `[DEFAULT]`, `%(known/option)s` what the option said before it was
//! overridden (`jail.conf(5)`).

use crate::budget::Budget;
use crate::dict::Dict;
use crate::files::known_section;
use crate::ini::{Config, DEFAULT};
use crate::near;
use crate::problem::{Wrong, quote};
use crate::text::{Text, is_word};
use std::collections::BTreeMap;

/// How deep references go.
const DEPTH: usize = 10;

/// Where names are looked up.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) config: &'a Config,
    pub(crate) section: &'a str,
    /// What goes before everything else, by lower-case name.
    pub(crate) vars: &'a Dict<Text>,
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The option or the section is not there.
    Absent,
    /// The value cannot be put together.
    Wrong(Wrong),
}

/// References to other sections that were found on the way down.
#[derive(Default)]
struct Found<'a> {
    above: Option<&'a Found<'a>>,
    own: BTreeMap<String, &'a Text>,
}

impl Found<'_> {
    fn get(&self, name: &str) -> Option<&Text> {
        self.own.get(name).copied().or_else(|| self.above?.get(name))
    }
}

/// The value of an option, put together.
pub(crate) fn get(scope: &Scope<'_>, option: &str, budget: &mut Budget) -> Result<Text, Fault> {
    if scope.section != DEFAULT && !scope.config.sections.contains(scope.section) {
        return Err(Fault::Absent);
    }
    let value = scope.raw(&option.to_lowercase()).ok_or(Fault::Absent)?;
    let mut out = Text::default();
    expand(scope, value, &Found::default(), 1, &mut out, budget).map_err(Fault::Wrong)?;
    Ok(out)
}

/// The value of an option that may be called `section/option`.
pub(crate) fn get_named(
    scope: &Scope<'_>,
    option: &str,
    budget: &mut Budget,
) -> Result<Text, Fault> {
    let none = Dict::default();
    if let Some((section, name)) = split_name(option) {
        let known = known_section(scope.section);
        let sections: &[&str] = match section.to_lowercase().as_str() {
            "known" => &[&known, scope.section],
            "default" => &[DEFAULT],
            _ => &[section],
        };
        for section in sections {
            match get(&Scope { section, vars: &none, ..*scope }, name, budget) {
                Err(Fault::Absent) => {}
                other => return other,
            }
        }
    }
    get(scope, option, budget)
}

impl<'a> Scope<'a> {
    fn raw(&self, option: &str) -> Option<&'a Text> {
        let own = || self.config.option(self.section, option);
        self.vars.get(option).or_else(own).or_else(|| self.config.common(option))
    }

    /// The raw value of `section/option`.
    fn other(&self, section: &str, option: &str) -> Option<&'a Text> {
        let found = match section.to_lowercase().as_str() {
            "default" => None,
            "known" => self.config.option(&known_section(self.section), option),
            _ => {
                let section = self.config.sections.get(section)?;
                section.options.get(option).map(|entry| &entry.value)
            }
        };
        found.or_else(|| self.config.common(option))
    }
}

fn expand(
    scope: &Scope<'_>,
    value: &Text,
    above: &Found<'_>,
    depth: usize,
    out: &mut Text,
    budget: &mut Budget,
) -> Result<(), Wrong> {
    if depth > DEPTH {
        let message = "this refers to itself, or to others more than ten levels deep";
        return Err(Wrong::of(value, message, "break the circle of %(...)s"));
    }
    budget.pay(value.len() + 1, out.len(), value)?;
    let text = value.as_str();
    let found = Found { above: Some(above), own: others(scope, text, above) };
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|step| at + step) {
        out.push(value, at..percent);
        if text[percent + 1..].starts_with('%') {
            out.push(value, percent..percent + 1);
            at = percent + 2;
            continue;
        }
        let Some((name, end)) = reference(text, percent) else {
            return Err(lonely(value, percent));
        };
        let var = name.to_lowercase();
        budget.pay(var.len() + 1, out.len(), value)?;
        if var == "__name__" {
            out.push_asked(scope.section, value.place(percent));
        } else {
            let inner = found.get(&var).or_else(|| scope.raw(&var));
            let inner = inner.ok_or_else(|| missing(scope, value, percent, name))?;
            if inner.as_str().contains('%') {
                expand(scope, inner, &found, depth + 1, out, budget)?;
            } else {
                budget.pay(inner.len(), out.len(), inner)?;
                match inner.place(0) {
                    Some(_) => out.push_all(inner),
                    None => out.push_asked(inner.as_str(), value.place(percent)),
                }
            }
        }
        at = end;
    }
    out.push(value, at..text.len());
    budget.pay(0, out.len(), value)
}

/// The `%(section/option)s` of a text that have no value yet.
fn others<'a>(scope: &Scope<'a>, text: &str, above: &Found<'_>) -> BTreeMap<String, &'a Text> {
    let mut own = BTreeMap::new();
    let (mut at, mut close) = (0, 0);
    while let Some(begin) = text[at..].find("%(").map(|step| at + step) {
        at = begin + 2;
        // Looked for once for all names before it: a text may have many beginnings and one end.
        if close < at {
            let Some(step) = text[at..].find(')') else { break };
            close = at + step;
        }
        let slash = at + text[at..].find(|c| !in_section(c)).unwrap_or(0);
        let named = slash > at && slash + 1 < close && text[slash..].starts_with('/');
        if !named || !text[close + 1..].starts_with('s') {
            continue;
        }
        let (name, section, option) = (&text[at..close], &text[at..slash], &text[slash + 1..close]);
        at = close + 2;
        if above.get(name).is_some() || scope.raw(name).is_some() {
            continue;
        }
        if let Some(value) = scope.other(section, option) {
            own.insert(name.to_owned(), value);
        }
    }
    own
}

/// The name of a `%(name)s` that begins at `percent`, and where it ends.
fn reference(text: &str, percent: usize) -> Option<(&str, usize)> {
    let inside = text[percent..].strip_prefix("%(")?;
    let close = inside.find(')').filter(|close| *close > 0)?;
    inside[close + 1..].starts_with('s').then(|| (&inside[..close], percent + close + 4))
}

fn in_section(c: char) -> bool {
    is_word(c) || c == '-'
}

/// `section/option` in two.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let (section, option) = name.split_once('/')?;
    let fine = !section.is_empty() && section.chars().all(in_section);
    let whole = !option.is_empty() && !option.contains(|c| c == '>' || crate::text::is_blank(c));
    (fine && whole).then_some((section, option))
}

fn lonely(value: &Text, percent: usize) -> Wrong {
    let message = "a % has to be followed by (name)s, or by another %";
    Wrong::new(value.place(percent), 1, message, "write %% for a percent sign")
}

fn missing(scope: &Scope<'_>, value: &Text, percent: usize, name: &str) -> Wrong {
    let own = scope.config.sections.get(scope.section);
    let own = own.into_iter().flat_map(|section| section.options.keys());
    let remedy = match near::nearest(name, own.chain(scope.config.defaults.keys())) {
        Some(near) if near != name => format!("did you mean %({near})s?"),
        _ => "give it a value here or in [DEFAULT]; for a percent sign write %%".to_owned(),
    };
    let message = format!("there is no option {} that this could stand for", quote(name));
    Wrong::new(value.place(percent), name.chars().count() + 4, message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ini;
    use crate::problem::Notes;

    fn shown(text: &str, section: &str, option: &str) -> String {
        let mut notes = Notes::default();
        let config = ini::read(notes.file("x", text), text, &mut notes);
        let vars = Dict::default();
        match get(&Scope { config: &config, section, vars: &vars }, option, &mut Budget::new()) {
            Ok(value) => value.as_str().to_owned(),
            Err(Fault::Absent) => "absent".to_owned(),
            Err(Fault::Wrong(wrong)) => {
                let place = wrong.place.map_or((0, 0), |place| (place.line, place.column));
                format!("{place:?} {} | {}", wrong.message, wrong.remedy)
            }
        }
    }

    #[test]
    fn names_are_looked_up_in_order() {
        let text = "[DEFAULT]\na = 1\nb = %(a)s\n[s]\na = 2\nc = %(b)s %% %(__name__)s %(A)s\n\
                    d = %(default/a)s %(t/x)s %(known/a)s\n[t]\nx = 5\n";
        assert_eq!(shown(text, "s", "C"), "2 % s 2");
        assert_eq!(shown(text, "s", "d"), "1 5 1");
        assert_eq!(shown(text, "t", "b"), "1");
        assert_eq!(shown(text, "t", "c"), "absent");
        assert_eq!(shown(text, "nowhere", "a"), "absent");
        assert_eq!(shown(text, DEFAULT, "b"), "1");
    }

    #[test]
    fn what_cannot_be_put_together_is_said() {
        let text = "[DEFAULT]\nmode = 1\n[s]\na = x %(mod)s\nb = 5%\nc = %(c)s\nd = %(t/q)s\n";
        let a = shown(text, "s", "a");
        assert!(a.starts_with("(4, 7) there is no option \"mod\""), "{a}");
        assert!(a.ends_with("did you mean %(mode)s?"), "{a}");
        assert!(shown(text, "s", "b").starts_with("(5, 6) a % has to be followed"));
        assert!(shown(text, "s", "c").starts_with("(6, 5) this refers to itself"));
        assert!(shown(text, "s", "d").starts_with("(7, 5) there is no option \"t/q\""));
    }

    #[test]
    fn a_bomb_is_an_error() {
        let mut text = "[s]\na0 = xxxxxxxxxxxxxxxx\n".to_owned();
        for level in 1..10 {
            text += &format!("a{level} = {}\n", format!("%(a{})s", level - 1).repeat(20));
        }
        assert!(shown(&text, "s", "a9").contains("1 MiB"), "{}", shown(&text, "s", "a9"));
    }
}
