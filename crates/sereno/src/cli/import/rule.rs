//! A filter of fail2ban's as a rule file.

use super::origin::Origin;
use super::toml;
use crate::words;
use sereno_core::gate::{NAME_MAX, Name};
use sereno_fail2ban::{Filter, Jail, Text};
use std::fmt::Write as _;

/// The rules of Sereno's own that take the place of a filter of this name.
const OWN: [&str; 2] = ["sshd", "asterisk"];

/// Filters that were put together differently, each once.
#[derive(Default)]
pub(super) struct Rules {
    all: Vec<Rule>,
}

/// One of them.
struct Rule {
    filter: String,
    jail: Name,
    body: String,
    /// Whether a jail that was taken over uses it.
    used: bool,
}

/// What reads for a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A rule of Sereno's own.
    Own(&'static str),
    /// The filter's expressions: which of [`Rules`].
    Kept(usize),
}

impl Choice {
    /// The rule of Sereno's own, if it is one.
    pub(super) fn own(&self) -> Option<&'static str> {
        match self {
            Self::Own(name) => Some(name),
            Self::Kept(_) => None,
        }
    }
}

impl Rules {
    /// Takes in what a jail looks for; the number of it.
    pub(super) fn add(&mut self, origin: Origin<'_>, jail: &Jail, name: Name) -> usize {
        let nothing = Filter::default();
        let filter = jail.filter.as_ref().unwrap_or(&nothing);
        let body = body(origin, filter, jail.settings.logtimezone.as_ref());
        if let Some(known) = self.all.iter().position(|rule| rule.body == body) {
            return known;
        }
        self.all.push(Rule { filter: filter.name.clone(), jail: name, body, used: false });
        self.all.len() - 1
    }

    /// What a file says that calls this rule `name`.
    pub(super) fn text(&self, number: usize, name: &str) -> String {
        let Some(rule) = self.all.get(number) else { return String::new() };
        let mut text = String::new();
        for line in [words::import_rule_of(toml::remark(&rule.filter)), words::import_licence()] {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "name = {}\nformat = \"fail2ban\"", toml::plain(name));
        text + &rule.body
    }

    /// Notes that a jail that is taken over uses it.
    pub(super) fn keep(&mut self, number: usize) {
        if let Some(rule) = self.all.get_mut(number) {
            rule.used = true;
        }
    }

    /// The rules that are used, by their numbers, and what they are called: as the filter, or, if
    /// that is the name of several, or of one of Sereno's own, as the filter and a jail.
    pub(super) fn named(&self) -> Vec<(usize, String)> {
        let mut taken: Vec<String> = OWN.map(str::to_owned).to_vec();
        let mut named = Vec::new();
        for (number, rule) in self.all.iter().enumerate().filter(|(_, rule)| rule.used) {
            let clean = clean(&rule.filter);
            let both = match rule.jail.as_str().strip_prefix(clean.as_str()) {
                Some("") => format!("fail2ban-{clean}"),
                Some(_) => rule.jail.to_string(),
                None => format!("{clean}-{}", rule.jail),
            };
            let numbered = (2..).map(|n| format!("{both}-{n}"));
            let names = [clean, both.clone()].into_iter().chain(numbered);
            let mut free = names.filter(|name| !taken.contains(name));
            let name = free.next().unwrap_or(both);
            taken.push(name.clone());
            named.push((number, name));
        }
        named
    }
}

/// A name that can be one of a file.
fn clean(name: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '_' | '-') => c,
        _ => '-',
    };
    let clean: String = name.chars().map(plain).take(NAME_MAX).collect();
    if clean.is_empty() { "filter".to_owned() } else { clean }
}

/// The rule of Sereno's own for what a jail looks for. `Err` with a place if there would be one, but
/// somebody wrote expressions of his own there.
pub(super) fn own(origin: Origin<'_>, jail: &Jail) -> Option<Result<&'static str, String>> {
    let filter = jail.filter.as_ref()?;
    let name = OWN.into_iter().find(|name| filter.name == *name)?;
    let texts = filter.failregex.iter().chain(&filter.ignoreregex);
    let texts = texts.chain(&filter.prefregex).chain(&filter.datepattern);
    let stock = [format!("filter.d/{name}.conf"), "filter.d/common.conf".to_owned()];
    let foreign = |text: &Text| {
        let (file, line) = origin.of(text)?;
        (!stock.contains(&file)).then(|| format!("{file}:{line}"))
    };
    Some(texts.into_iter().find_map(foreign).map_or(Ok(name), Err))
}

/// What the file says below its name.
fn body(origin: Origin<'_>, filter: &Filter, zone: Option<&Text>) -> String {
    let mut body = String::new();
    let one = |text: &Text| toml::text(text.as_str());
    let mut put = |key: &str, value: String, from: Option<&Text>| {
        let from = origin.said(from);
        let _ = if from.is_empty() {
            writeln!(body, "{key} = {value}")
        } else {
            writeln!(body, "# {from}\n{key} = {value}")
        };
    };
    if let Some(text) = &filter.prefregex {
        put("prefregex", one(text), Some(text));
    }
    for (key, all) in [("failregex", &filter.failregex), ("ignoreregex", &filter.ignoreregex)] {
        if !all.is_empty() || key == "failregex" {
            let values: Vec<String> = all.iter().map(one).collect();
            put(key, toml::lines(&values), all.first());
        }
    }
    if let Some(lines) = filter.maxlines.filter(|lines| *lines > 1) {
        put("maxlines", lines.to_string(), None);
    }
    if let Some(text) = &filter.datepattern {
        let lines: Vec<String> = text.as_str().split('\n').map(toml::text).collect();
        put("datepattern", toml::list(&lines), Some(text));
    }
    if filter.usedns.as_ref().is_some_and(|text| text.as_str() == "no") {
        put("usedns", "\"no\"".to_owned(), filter.usedns.as_ref());
    }
    if let Some(text) = zone {
        put("timezone", one(text), Some(text));
    }
    body
}
