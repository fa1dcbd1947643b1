//! iptables: what `iptables-save` prints, and scripts of commands.

mod flatten;
mod ruleset;
mod shell;
mod spec;
#[cfg(test)]
mod tests;

use crate::entry::Way;
use crate::remark::{Notes, Remark};
use crate::{Imported, Source, policy};
pub(crate) use flatten::{flatten, outward};
use ruleset::Ruleset;
pub(crate) use ruleset::Tables;
use sereno_core::gate::Family;
use shell::{Kind, Said};

/// Reads rules of iptables: those of IPv4, those of IPv6, or both, in one source or in several.
///
/// A source that does not say which family it is of (`ip6tables` in its commands or its first lines,
/// a `6` in its name) is of IPv4.
#[must_use]
pub fn read(sources: &[Source<'_>]) -> Imported {
    let mut notes = Notes::default();
    let mut tables = Tables::default();
    for (at, source) in sources.iter().enumerate() {
        let of = family(source);
        let said = shell::lines(source.text, at, &mut notes);
        let end = ruleset::end(&said);
        if let Some(said) = said.get(end) {
            notes.say(said.place, &said.text, Remark::Flushed);
        }
        for said in &said[..end] {
            tables.take(of, said, &mut notes);
        }
    }
    let [v4, v6] =
        Family::BOTH.map(|family| tables.of(family).and_then(|set| way(set, &mut notes)));
    let out = Family::BOTH.map(|family| tables.of(family).and_then(outward));
    policy::compose(v4, v6, out, notes)
}

/// What comes in, by the chain `INPUT`; `None` if nothing was said of it.
fn way(set: &Ruleset, notes: &mut Notes) -> Option<Way> {
    set.says_something("INPUT").then(|| flatten(set, "INPUT", notes))
}

/// The family of lines that do not say it.
fn family(source: &Source<'_>) -> Family {
    let head = source.text.lines().take(3).any(|line| line.contains("ip6tables-save"));
    let file = source.name.rsplit('/').next().unwrap_or_default();
    let six = ["v6", "ip6", "6.rules"].iter().any(|mark| file.contains(mark));
    if head || six { Family::V6 } else { Family::V4 }
}

/// Reads the rules of one family into chains; for the files of other programs that are written so.
pub(crate) fn chains(
    text: &str,
    source: usize,
    family: Family,
    tables: &mut Tables,
    notes: &mut Notes,
) {
    for said in shell::lines(text, source, notes) {
        tables.take(family, &said, notes);
    }
}

/// Only what the module's parts share.
type Command<'a> = (&'a Said, &'a [String]);

fn command(said: &Said) -> Option<(Option<Family>, Command<'_>)> {
    match &said.kind {
        Kind::Command(family, words) => Some((*family, (said, words))),
        _ => None,
    }
}
