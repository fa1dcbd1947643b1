//! The gate for machines without nftables: the same plan, as text for `ipset restore`,
//! `iptables-restore --noflush` and `ip6tables-restore --noflush`.
//!
//! Chains and sets have names that begin with that of the table. Each chain that hangs at a hook of
//! the kernel's is jumped to from one built-in chain: bans from `raw`, before connection tracking,
//! what hears and opens doors from `mangle`, the policy from `filter`. `words` knows what each test
//! and deed is called, `sets` what each set becomes.

mod chains;
mod found;
mod name;
mod sets;
mod text;
mod words;

pub use found::Found;
pub use sets::{IpSet, LONGEST, seconds};
pub use text::{Rules, render};
pub use words::BELIEVED;

use super::{Contents, Family, Gate, Left, Member};
use crate::gate::contents::fill;
use crate::time::Time;
use chains::Writer;
use name::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use words::Grammar;

/// A part of the gate, which the rest can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who is banned.
    Bans,
    /// Doors.
    Doors,
    /// What is translated for doors.
    Nat,
    /// Who may reach what.
    Policy,
    /// What measures floods.
    Floods,
    /// What answers SYNs.
    Proxy,
    /// What tells of port scans.
    PortScan,
}

/// What iptables has no words for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaid {
    /// What it belongs to.
    pub part: Part,
    /// Where it is, and why.
    pub text: String,
}

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iptables cannot do it: {}", self.text)
    }
}

/// A rule of iptables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What stands behind the name of its chain.
    pub words: String,
    /// What its packets are counted as.
    pub counter: Option<String>,
}

/// What is ours in a table of iptables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which table.
    pub name: &'static str,
    /// Built-in chains, and our chain each of them jumps to, in the order of the jumps.
    pub hooks: Vec<(&'static str, String)>,
    /// Our chains, each behind those it leads to.
    pub chains: Vec<(String, Vec<Line>)>,
}

impl Table {
    fn named(name: &'static str) -> Self {
        Self { name, hooks: Vec::new(), chains: Vec::new() }
    }
}

/// A gate in the words of iptables.
#[derive(Clone, Debug)]
pub struct Layout {
    names: Names,
    /// Its sets.
    pub sets: Vec<IpSet>,
    /// The tables of IPv4.
    pub v4: Vec<Table>,
    /// The tables of IPv6.
    pub v6: Vec<Table>,
    /// What is not quite as nftables does it.
    pub remarks: BTreeSet<String>,
}

/// The entries of sets, by the names that ipset knows the sets by.
pub type Entries = BTreeMap<String, Vec<(String, Left)>>;

impl Layout {
    /// The gate in the words of iptables.
    ///
    /// # Errors
    /// What it has no words for.
    pub fn of(gate: &Gate) -> Result<Self, Vec<Unsaid>> {
        let plans = gate.plans();
        let names = Names::of(gate.table());
        let uses = sets::Uses::of(&plans);
        let shapes = plans.iter().flat_map(|plan| &plan.sets);
        let shapes: BTreeMap<String, _> = shapes.map(|s| (s.name.clone(), s.clone())).collect();
        let all = plans.iter().flat_map(|plan| &plan.sets);
        let ipsets: Vec<(String, IpSet)> =
            all.flat_map(|shape| sets::ipsets(shape, &uses, &names)).collect();
        let known = ipsets.iter().map(|(plain, set)| (plain.clone(), set.name.clone())).collect();
        let (mut unsaid, mut remarks) = (Vec::new(), BTreeSet::new());
        let [v4, v6] = Family::BOTH.map(|family| {
            let chains = plans.iter().flat_map(|plan| &plan.chains);
            let mut writer = Writer {
                grammar: Grammar { family, names: &names, sets: &known, shapes: &shapes },
                chains: chains.map(|chain| (chain.name.as_str(), chain)).collect(),
                unsaid: Vec::new(),
                remarks: BTreeSet::new(),
            };
            let tables = writer.tables(&plans);
            unsaid.append(&mut writer.unsaid);
            remarks.append(&mut writer.remarks);
            tables
        });
        unsaid.dedup();
        if !unsaid.is_empty() {
            return Err(unsaid);
        }
        let sets = ipsets.into_iter().map(|(_, set)| set).collect();
        Ok(Self { names, sets, v4, v6, remarks })
    }

    /// A gate of this name with nothing in it: what is there of one is all stale then.
    #[must_use]
    pub fn empty(table: &str) -> Self {
        let none = || chains::TABLES.map(Table::named).into();
        let (names, remarks) = (Names::of(table), BTreeSet::new());
        Self { names, sets: Vec::new(), v4: none(), v6: none(), remarks }
    }

    /// The tables of a family.
    #[must_use]
    pub fn tables(&self, family: Family) -> &[Table] {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// What comes and goes, sorted into the sets. Ended and misplaced ones are left out.
    #[must_use]
    pub fn entries(&self, gate: &Gate, contents: Contents<'_>, now: Time) -> Entries {
        let mut entries = Entries::new();
        for (set, members) in fill(gate, contents, now) {
            for (member, left) in members {
                for (set, entry) in self.entries_of(&set, &member) {
                    entries.entry(set).or_default().push((entry, left));
                }
            }
        }
        entries.values_mut().for_each(|list| {
            list.sort_unstable();
            list.dedup_by(|a, b| a.0 == b.0);
        });
        entries
    }

    /// What a member of one of the plan's sets becomes: sets as ipset knows them, and the entries.
    #[must_use]
    pub fn entries_of(&self, set: &str, member: &Member) -> Vec<(String, String)> {
        let entries = sets::entries(set, member).into_iter();
        entries.map(|(plain, entry)| (self.names.set(&plain), entry)).collect()
    }

    /// The name ipset knows a set of the plan by whose contents come and go.
    #[must_use]
    pub fn set_name(&self, set: &str) -> String {
        self.names.set(set)
    }

    /// The name of the set in which what is to be in another is written down before.
    #[must_use]
    pub fn aside(&self, set: &str) -> String {
        self.names.aside(set)
    }

    /// Whether something by this name is ours.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        name.starts_with(self.names.prefix())
    }
}

#[cfg(test)]
mod tests;
