//! What the three programs read.

use super::found::{Found, Ours};
use super::{Entries, IpSet, Layout, Table, Unsaid, seconds};
use crate::gate::{Contents, Counts, Family, Gate, Left};
use crate::time::Time;
use std::collections::BTreeSet;
use std::fmt::Write;

const HEAD: &str = "\
# The gate for a machine without nftables, in three parts. Each begins with a line that names the
# program that reads it on its standard input; sets come before the rules that ask them:
#   sed -n '/^# == ipset/,/^# == iptables/p' FILE | ipset -exist restore
#   sed -n '/^# == iptables/,/^# == ip6tables/p' FILE | iptables-restore --noflush
#   sed -n '/^# == ip6tables/,$p' FILE | ip6tables-restore --noflush
# Rules of others stay. Who loads it twice has the jumps from built-in chains twice, which does no harm.
";

/// The whole gate with `contents` in it, as text in three parts for the three programs. Ended and
/// misplaced ones are left out.
///
/// # Errors
/// What iptables has no words for.
pub fn render(gate: &Gate, contents: Contents<'_>, now: Time) -> Result<String, Vec<Unsaid>> {
    // A firewall without it is worth more than none.
    let plain = gate.without_flood().without_syn_proxy();
    let layout = Layout::of(&plain)?;
    let entries = layout.entries(&plain, contents, now);
    let mut out = HEAD.to_owned();
    for remark in &layout.remarks {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# Note: {remark}.");
    }
    if gate.flood().is_some() {
        let _ = writeln!(out, "# Note: {}.", super::words::MEASURES);
    }
    if gate.syn_proxy().is_some() {
        let _ = writeln!(out, "# Note: {}.", super::words::ANSWERS);
    }
    out.push_str("\n# == ipset -exist restore\n");
    for set in &layout.sets {
        make(&mut out, &set.name, set);
        put(&mut out, &set.name, set, &entries);
    }
    for (family, program) in Family::BOTH.into_iter().zip(["iptables", "ip6tables"]) {
        let _ = writeln!(out, "\n# == {program}-restore --noflush");
        let rules = Rules { found: &Found::default(), counts: Counts::new() };
        out.push_str(&rules.text(layout.tables(family)));
    }
    Ok(out)
}

fn make(out: &mut String, name: &str, set: &IpSet) {
    let _ = writeln!(out, "create {name} {}", set.make);
}

/// Writes what is in a set under a name.
fn put(out: &mut String, name: &str, set: &IpSet, entries: &Entries) {
    for entry in &set.fixed {
        let _ = writeln!(out, "add {name} {entry}");
    }
    for (entry, left) in entries.get(&set.name).map(Vec::as_slice).unwrap_or_default() {
        add(out, name, entry, *left);
    }
}

fn add(out: &mut String, set: &str, entry: &str, left: Left) {
    // A set whose members do not end knows no time.
    let _ = match seconds(left) {
        None => Ok(()),
        Some(0) => writeln!(out, "add {set} {entry}"),
        Some(secs) => writeln!(out, "add {set} {entry} timeout {secs}"),
    };
}

impl Layout {
    /// What `ipset -exist restore` reads to have all sets with what is to be in them. Sets that are in
    /// use are filled aside and swapped in: there is no moment in which one lacks something.
    #[must_use]
    pub fn sets_text(&self, entries: &Entries) -> String {
        let mut out = String::new();
        self.sets.iter().for_each(|set| self.fill(&mut out, set, entries));
        out
    }

    /// As [`sets_text`](Self::sets_text), of those sets alone that are named in `entries`.
    #[must_use]
    pub fn refill(&self, entries: &Entries) -> String {
        let mut out = String::new();
        let named = self.sets.iter().filter(|set| entries.contains_key(&set.name));
        named.for_each(|set| self.fill(&mut out, set, entries));
        out
    }

    fn fill(&self, out: &mut String, set: &IpSet, entries: &Entries) {
        make(out, &set.name, set);
        if !set.moves || set.switch {
            return put(out, &set.name, set, entries);
        }
        let aside = self.names.aside(&set.name);
        make(out, &aside, set);
        let _ = writeln!(out, "flush {aside}");
        put(out, &aside, set, entries);
        let _ = writeln!(out, "swap {aside} {}\ndestroy {aside}", set.name);
    }

    /// Our sets that nothing asks any more, of those that are there: a name on each line.
    #[must_use]
    pub fn stale_sets(&self, there: &str) -> Vec<String> {
        let wanted: BTreeSet<&str> = self.sets.iter().map(|set| set.name.as_str()).collect();
        let ours = there.lines().filter(|name| self.owns(name) && !wanted.contains(name));
        ours.map(str::to_owned).collect()
    }

    /// What `ipset -exist restore` reads to put one entry in, with a new time if it is there; to take it
    /// out if it is over.
    #[must_use]
    pub fn change(set: &str, entry: &str, left: Left) -> String {
        let mut out = String::new();
        match left {
            Left::Over => {
                let _ = writeln!(out, "del {set} {entry}");
            }
            // One that is there would keep its time if none were said.
            Left::Ever => {
                let _ = writeln!(out, "add {set} {entry} timeout 0");
            }
            Left::For(_) => add(&mut out, set, entry, left),
        }
        out
    }
}

/// What is there, and what was counted.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What of ours stands in the kernel.
    pub found: &'a Found,
    /// What the counters begin with.
    pub counts: Counts,
}

impl Rules<'_> {
    /// What `iptables-restore --noflush --counters` reads to have these tables, whatever of ours is
    /// there. Each table changes in one step.
    #[must_use]
    pub fn text(&self, tables: &[Table]) -> String {
        let mut out = String::new();
        let none = Ours::default();
        let mut counts = self.counts.clone();
        for table in tables.iter().filter(|table| !table.chains.is_empty()) {
            let ours = self.found.tables.get(table.name).unwrap_or(&none);
            write_table(&mut out, table, ours, &mut counts);
        }
        out
    }

    /// What it reads behind that: what is there and no longer wanted goes. A program that is only to
    /// try both would not find the first done.
    #[must_use]
    pub fn tidying(&self, tables: &[Table]) -> String {
        let mut out = String::new();
        for table in tables {
            if let Some(ours) = self.found.tables.get(table.name) {
                tidy(&mut out, table, ours);
            }
        }
        out
    }
}

fn write_table(out: &mut String, table: &Table, ours: &Ours, counts: &mut Counts) {
    let _ = writeln!(out, "*{}", table.name);
    for (name, _) in &table.chains {
        let _ = writeln!(out, ":{name} - [0:0]");
    }
    for (name, lines) in &table.chains {
        for line in lines {
            // The first line of a counter takes up what it counted.
            let count = line.counter.as_ref().and_then(|name| counts.remove(name));
            let count = count.map(|(packets, bytes)| format!("[{packets}:{bytes}] "));
            let _ = writeln!(out, "{}-A {name} {}", count.unwrap_or_default(), line.words);
        }
    }
    if !ours.jumps_as(table) {
        for (builtin, to) in ours.jumps.iter().filter(|jump| is_wanted(table, jump)) {
            let _ = writeln!(out, "-D {builtin} -j {to}");
        }
        for (at, (builtin, to)) in table.hooks.iter().enumerate() {
            let before = table.hooks[..at].iter().filter(|(other, _)| other == builtin).count();
            let _ = writeln!(out, "-I {builtin} {} -j {to}", before + 1);
        }
    }
    out.push_str("COMMIT\n");
}

fn is_wanted(table: &Table, (builtin, to): &(String, String)) -> bool {
    table.hooks.iter().any(|(at, chain)| at == builtin && chain == to)
}

/// Takes away what is no longer wanted in a table.
fn tidy(out: &mut String, table: &Table, ours: &Ours) {
    let jumps = ours.jumps.iter().filter(|jump| !is_wanted(table, jump));
    let jumps: Vec<String> = jumps.map(|(builtin, to)| format!("-D {builtin} -j {to}")).collect();
    let wanted = |name: &str| table.chains.iter().any(|(known, _)| known == name);
    let stale: Vec<&String> = ours.chains.keys().filter(|name| !wanted(name)).collect();
    if jumps.is_empty() && stale.is_empty() {
        return;
    }
    let _ = writeln!(out, "*{}", table.name);
    for jump in jumps {
        let _ = writeln!(out, "{jump}");
    }
    // They may lead to each other: all are emptied first.
    for name in &stale {
        let _ = writeln!(out, ":{name} - [0:0]");
    }
    for name in &stale {
        let _ = writeln!(out, "-X {name}");
    }
    out.push_str("COMMIT\n");
}
