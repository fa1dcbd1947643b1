//! What is in sets: as ipset says it, and as it should be.

use crate::program;
use sereno_core::gate::Left;
use sereno_core::gate::iptables::{Entries, Found};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What may have ended and is not counted any more, or has not and is.
const SLACK: Duration = Duration::from_secs(2);

/// Sets that are there, and how much is in each, as `ipset list -t` says.
#[derive(Debug, Default)]
pub(crate) struct Sets(BTreeMap<String, Option<usize>>);

impl Sets {
    pub(crate) fn read(text: &str) -> Self {
        let mut sets = Self::default();
        let mut last = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("Name: ") {
                last = Some(name.to_owned());
                sets.0.insert(name.to_owned(), None);
            } else if let Some(count) = line.strip_prefix("Number of entries: ")
                && let Some(name) = &last
            {
                sets.0.insert(name.clone(), count.trim().parse().ok());
            }
        }
        sets
    }

    /// Whether a set is there with at least so much in it. Old programs do not say how much.
    pub(crate) fn has(&self, set: &str, least: usize) -> bool {
        self.0.get(set).is_some_and(|count| count.is_none_or(|count| count >= least))
    }
}

/// Whether nobody but the gate of this table has rules for what comes in, in the old form of iptables.
/// `false` where that cannot be seen.
#[must_use]
pub fn is_alone(table: &str) -> bool {
    ["iptables-legacy-save", "ip6tables-legacy-save"].iter().all(|name| {
        let save = program::find(name);
        let ran = save.and_then(|save| program::ask(&save, &["-t", "filter"], "").ok());
        ran.is_some_and(|ran| ran.good && has_no_others(&ran.printed, table))
    })
}

fn has_no_others(printed: &str, table: &str) -> bool {
    let open = !printed.contains(":INPUT DROP");
    let rules = printed.lines().filter(|line| line.starts_with("-A INPUT ")).count();
    open && rules == Found::read(printed, table).jumps("filter", "INPUT")
}

/// What was put into sets, and when it ends by itself.
#[derive(Debug, Default)]
pub(crate) struct Inside(BTreeMap<String, BTreeMap<String, Option<Instant>>>);

fn end(left: Left) -> Option<Option<Instant>> {
    match left {
        Left::Over => None,
        Left::Ever => Some(None),
        // What ends behind the end of time does not end.
        Left::For(span) => Some(Instant::now().checked_add(span)),
    }
}

impl Inside {
    pub(crate) fn of(entries: &Entries) -> Self {
        let mut inside = Self::default();
        inside.replace(entries);
        inside
    }

    /// Takes what is in these sets for all that is in them.
    pub(crate) fn replace(&mut self, entries: &Entries) {
        for (set, list) in entries {
            let list = list.iter();
            let all = list.filter_map(|(entry, left)| Some((entry.clone(), end(*left)?)));
            self.0.insert(set.clone(), all.collect());
        }
    }

    /// Notes that something was put in or taken out.
    pub(crate) fn note(&mut self, set: &str, entry: &str, left: Left) {
        let members = self.0.entry(set.to_owned()).or_default();
        match end(left) {
            Some(end) => members.insert(entry.to_owned(), end),
            None => members.remove(entry),
        };
    }

    /// How much has to be in a set.
    pub(crate) fn count(&self, set: &str, now: Instant) -> usize {
        let lasts = |end: &&Option<Instant>| end.is_none_or(|end| end > now + SLACK);
        self.0.get(set).map_or(0, |members| members.values().filter(lasts).count())
    }

    pub(crate) fn forget_ended(&mut self, now: Instant) {
        for members in self.0.values_mut() {
            members.retain(|_, end| end.is_none_or(|end| end > now));
        }
    }

    /// What ends after more than a span, and how long it lasts.
    pub(crate) fn longer_than(
        &self,
        span: Duration,
        now: Instant,
    ) -> impl Iterator<Item = (&str, &str, Duration)> {
        let all = self.0.iter().flat_map(|(set, members)| {
            members.iter().map(move |(entry, end)| (set.as_str(), entry.as_str(), *end))
        });
        all.filter_map(move |(set, entry, end)| {
            let left = end?.saturating_duration_since(now);
            (left > span).then_some((set, entry, left))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_seen() {
        let text = "Name: a\nType: hash:ip\nHeader: x\nNumber of entries: 2\n\nName: b\nType: bitmap:port\n";
        let sets = Sets::read(text);
        assert!(sets.has("a", 2) && !sets.has("a", 3), "somebody took one out");
        assert!(sets.has("b", 7), "an old program does not say");
        assert!(!sets.has("c", 0), "it is gone");
    }

    #[test]
    fn other_rules_are_told_from_ours() {
        let ours =
            "*filter\n:INPUT ACCEPT [0:0]\n:sereno.input - [0:0]\n-A INPUT -j sereno.input\n";
        assert!(
            has_no_others(ours, "sereno")
                && has_no_others("*filter\n:INPUT ACCEPT [0:0]\n", "sereno")
        );
        assert!(!has_no_others(&ours.replace("INPUT ACCEPT", "INPUT DROP"), "sereno"));
        assert!(!has_no_others(&format!("{ours}-A INPUT -s 10.0.0.1/32 -j DROP\n"), "sereno"));
    }

    #[test]
    fn what_ended_is_not_missed() {
        let mut inside = Inside::default();
        let day = Duration::from_secs(86_400);
        inside.note("a", "192.0.2.1", Left::Ever);
        inside.note("a", "192.0.2.2", Left::For(day));
        inside.note("a", "192.0.2.3", Left::For(40 * day));
        inside.note("a", "192.0.2.4", Left::For(day));
        inside.note("a", "192.0.2.4", Left::Over);
        let now = Instant::now();
        assert_eq!((inside.count("a", now), inside.count("a", now + 2 * day)), (3, 2));
        let long: Vec<&str> = inside.longer_than(20 * day, now).map(|(_, who, _)| who).collect();
        assert_eq!(long, ["192.0.2.3"]);
        inside.forget_ended(now + 2 * day);
        assert_eq!(inside.count("a", now), 2);
    }
}
