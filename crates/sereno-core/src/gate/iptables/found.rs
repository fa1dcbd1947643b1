//! What stands in the kernel, as `iptables-save -c` prints it.

use super::Table;
use super::name::Names;
use crate::gate::Counts;
use std::collections::BTreeMap;

/// What is ours in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ours {
    /// Our chains, and how many rules each has.
    pub(super) chains: BTreeMap<String, usize>,
    /// Built-in chains and those of ours they jump to, in their order.
    pub(super) jumps: Vec<(String, String)>,
}

/// What of ours stands in the kernel, for one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub(super) tables: BTreeMap<String, Ours>,
    /// What our rules counted.
    pub counts: Counts,
}

impl Found {
    /// Reads what `iptables-save -c` printed, and takes what belongs to a table of ours.
    #[must_use]
    pub fn read(text: &str, table: &str) -> Self {
        let names = Names::of(table);
        let mut found = Self::default();
        let mut current = String::new();
        let mut quoted = false;
        for line in text.lines() {
            // A comment of somebody's may have line breaks: what follows is no rule.
            let within = quoted;
            quoted ^= opens_quote(line);
            if within {
                continue;
            }
            if let Some(name) = line.strip_prefix('*') {
                name.clone_into(&mut current);
            } else if let Some(chain) = line.strip_prefix(':') {
                let name = chain.split(' ').next().unwrap_or_default();
                if name.starts_with(names.prefix()) {
                    let ours = found.tables.entry(current.clone()).or_default();
                    ours.chains.insert(name.to_owned(), 0);
                }
            } else if let Some((count, rule)) = counted(line) {
                found.rule(&current, rule, count, names.prefix());
            }
        }
        found
    }

    fn rule(&mut self, table: &str, rule: &str, count: (u64, u64), prefix: &str) {
        let Some((chain, words)) = rule.split_once(' ') else { return };
        if chain.starts_with(prefix) {
            let ours = self.tables.entry(table.to_owned()).or_default();
            *ours.chains.entry(chain.to_owned()).or_default() += 1;
            if let Some((_, rest)) = words.split_once("--comment ") {
                let name = rest.split(' ').next().unwrap_or_default().trim_matches('"');
                let sum = self.counts.entry(name.to_owned()).or_default();
                *sum = (sum.0.saturating_add(count.0), sum.1.saturating_add(count.1));
            }
        } else if let Some(to) = words.strip_prefix("-j ").filter(|to| to.starts_with(prefix)) {
            let ours = self.tables.entry(table.to_owned()).or_default();
            ours.jumps.push((chain.to_owned(), to.trim_end().to_owned()));
        }
    }

    /// How many jumps there are from a built-in chain to ours.
    #[must_use]
    pub fn jumps(&self, table: &str, builtin: &str) -> usize {
        let jumps = self.tables.get(table).map(|ours| ours.jumps.iter());
        jumps.into_iter().flatten().filter(|(at, _)| at == builtin).count()
    }

    /// Whether all that is wanted stands there, and nothing else of ours.
    #[must_use]
    pub fn is_whole(&self, tables: &[Table]) -> bool {
        let none = Ours::default();
        tables.iter().all(|table| {
            let ours = self.tables.get(table.name).unwrap_or(&none);
            let wanted = table.chains.iter().map(|(name, lines)| (name.clone(), lines.len()));
            ours.chains == wanted.collect() && ours.jumps_as(table)
        })
    }
}

impl Ours {
    /// Whether every built-in chain jumps as it should.
    pub(super) fn jumps_as(&self, table: &Table) -> bool {
        let mut builtins: Vec<&str> = table.hooks.iter().map(|(builtin, _)| *builtin).collect();
        builtins.extend(self.jumps.iter().map(|(builtin, _)| builtin.as_str()));
        builtins.into_iter().all(|builtin| {
            let wanted = table.hooks.iter().filter(|(at, _)| *at == builtin).map(|(_, to)| to);
            let there = self.jumps.iter().filter(|(at, _)| at == builtin).map(|(_, to)| to);
            wanted.eq(there)
        })
    }
}

/// Whether a quote begins in a line, or ends, that does not do the other too.
fn opens_quote(line: &str) -> bool {
    let (mut open, mut escaped) = (false, false);
    for byte in line.bytes() {
        open ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
    }
    open
}

/// `[PACKETS:BYTES] -A RULE`, or without the counts.
fn counted(line: &str) -> Option<((u64, u64), &str)> {
    if let Some(rule) = line.strip_prefix("-A ") {
        return Some(((0, 0), rule));
    }
    let (counts, rule) = line.strip_prefix('[')?.split_once("] -A ")?;
    let (packets, bytes) = counts.split_once(':')?;
    Some(((packets.parse().ok()?, bytes.parse().ok()?), rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_comment_is_no_rule() {
        let text = "*filter\n:INPUT ACCEPT [0:0]\n[0:0] -A x -m comment --comment \"a \\\"b\n\
                    [0:0] -A INPUT -j sereno.gone\n\" -j RETURN\n[0:0] -A INPUT -j sereno.input\nCOMMIT\n";
        let found = Found::read(text, "sereno");
        assert_eq!(found.tables["filter"].jumps, [("INPUT".to_owned(), "sereno.input".to_owned())]);
    }

    #[test]
    fn what_is_ours_is_told_from_what_is_others() {
        let text = "*filter\n:INPUT DROP [7:8]\n:sereno.input - [0:0]\n:sereno_lists.x - [0:0]\n\
                    [1:2] -A INPUT -j sereno.input\n[1:2] -A INPUT -s 10.0.0.1/32 -j sereno.input\n\
                    [3:4] -A sereno.input -m comment --comment rule_1 -j RETURN\n\
                    [5:6] -A sereno.input -p tcp -m comment --comment \"rule_1\" -j DROP\n\
                    [5:6] -A ufw-x -m comment --comment rule_1 -j DROP\nCOMMIT\n";
        let found = Found::read(text, "sereno");
        let ours = &found.tables["filter"];
        assert_eq!(ours.chains, BTreeMap::from([("sereno.input".to_owned(), 2)]));
        assert_eq!(ours.jumps, [("INPUT".to_owned(), "sereno.input".to_owned())]);
        assert_eq!(found.counts, Counts::from([("rule_1".to_owned(), (8, 10))]));
        assert_eq!(Found::read("*raw\n[x] -A\n:\n-A\n[1:2 -A x y", "sereno"), Found::default());
    }
}
