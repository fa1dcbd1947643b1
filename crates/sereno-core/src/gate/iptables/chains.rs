//! The plan's chains in the tables of one family.
//!
//! Where the plan accepts, a packet leaves our chains: what another program's rules drop stays
//! dropped. What is jumped to and could accept is written in the place of the jump.

use super::name::Names;
use super::words::{ANSWERS, BELIEVED, Grammar, MEASURES, Said, Way, is_late, stop};
use super::{Line, Part as Topic, Table, Unsaid};
use crate::gate::Verdict;
use crate::gate::plan::{Base, Chain, Hook, PLANS, Part, Plan, Rule, Test};
use std::collections::{BTreeMap, BTreeSet};

/// The tables we write in, in the order in which they are: what others ask stands before who asks.
pub(super) const TABLES: [&str; 3] = ["raw", "mangle", "filter"];
const PRE: &str = "PREROUTING";
/// Where those are rejected whom `raw` cannot reject.
const REJECTING: [&str; 2] = ["INPUT", "FORWARD"];

/// What each of the gate's plans is about.
const TOPICS: [Topic; PLANS] = [
    Topic::Bans,
    Topic::Doors,
    Topic::Doors,
    Topic::Nat,
    Topic::PortScan,
    Topic::Policy,
    Topic::Floods,
    Topic::Proxy,
];

/// Which rules of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Portion {
    All,
    /// Those that reject nobody.
    Silent,
    /// Those that reject, and what is before them.
    Loud,
}

/// Where a base chain stands.
fn place(base: Base) -> Option<(usize, &'static str)> {
    match (base.hook, base.priority) {
        _ if base.nat => None,
        (Hook::Prerouting, ..-200) => Some((0, PRE)),
        (Hook::Prerouting, _) => Some((1, PRE)),
        (Hook::Input, ..0) => Some((1, "INPUT")),
        (Hook::Input, _) => Some((2, "INPUT")),
        (Hook::Output, ..0) => Some((1, "OUTPUT")),
        (Hook::Output, _) => Some((2, "OUTPUT")),
        (Hook::Postrouting, _) => None,
    }
}

/// A chain in a table, before it is written.
#[derive(Debug)]
struct Wanted<'a> {
    table: usize,
    hooks: Vec<&'static str>,
    chain: &'a Chain,
    portion: Portion,
    topic: Topic,
}

/// The tables of one family.
pub(super) struct Writer<'a> {
    pub(super) grammar: Grammar<'a>,
    pub(super) chains: BTreeMap<&'a str, &'a Chain>,
    pub(super) unsaid: Vec<Unsaid>,
    pub(super) remarks: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn tables(&mut self, plans: &'a [Plan; PLANS]) -> Vec<Table> {
        let mut bases: Vec<(i32, Wanted<'a>)> = Vec::new();
        let mut trusts = false;
        for (plan, topic) in plans.iter().zip(TOPICS) {
            for chain in &plan.chains {
                let parts = chain.rules.iter().flatten();
                trusts |= parts.clone().any(|part| *part == Part::If(Test::WayBack));
                if let Some(base) = chain.base {
                    bases.extend(self.hang(chain, base, topic).map(|one| (base.priority, one)));
                }
            }
        }
        bases.sort_by_key(|(priority, _)| *priority);
        let mut tables = TABLES.map(Table::named);
        for (_, wanted) in bases {
            for builtin in &wanted.hooks {
                let chain = self.grammar.names.chain(&wanted.chain.name);
                tables[wanted.table].hooks.push((builtin, chain));
            }
            self.write(&mut tables[wanted.table], &wanted, wanted.chain);
        }
        if trusts {
            believe(&mut tables[1], self.grammar.names);
        }
        tables.into()
    }

    /// Where a base chain stands: what rejects does so in another table.
    fn hang(
        &mut self,
        chain: &'a Chain,
        base: Base,
        topic: Topic,
    ) -> impl Iterator<Item = Wanted<'a>> + use<'a> {
        let Some((table, builtin)) = place(base) else {
            let text = format!("{} translates, which is not done by iptables", chain.name);
            self.unsaid.push(Unsaid { part: topic, text });
            return Vec::new().into_iter();
        };
        let one = |table, hooks, portion| Wanted { table, hooks, chain, portion, topic };
        let rejects = self.has(chain, Portion::Loud);
        if !rejects || table == 2 {
            return vec![one(table, vec![builtin], Portion::All)].into_iter();
        }
        self.remarks.insert(
            "iptables cannot reject before connection tracking: who is banned is rejected at INPUT and \
             FORWARD of the table filter where a scope says so, and dropped in raw where it does not"
                .to_owned(),
        );
        let silent = one(table, vec![builtin], Portion::Silent);
        let loud = one(2, REJECTING.to_vec(), Portion::Loud);
        vec![silent, loud].into_iter()
    }

    /// Whether a portion of a chain, or of one that it leads to, stops anything.
    fn has(&self, chain: &Chain, portion: Portion) -> bool {
        let ends = |part: &Part| match part {
            Part::Stop(Verdict::Drop, _) => portion != Portion::Loud,
            Part::Stop(..) => portion != Portion::Silent,
            Part::Jump(to) | Part::Goto(to) => {
                self.chains.get(to.as_str()).is_some_and(|next| self.has(next, portion))
            }
            _ => false,
        };
        chain.rules.iter().flatten().any(ends)
    }

    /// Whether a rule belongs to a portion.
    fn is_of(&self, rule: &Rule, portion: Portion) -> bool {
        rule.last().is_none_or(|last| match last {
            _ if portion == Portion::All => true,
            Part::Stop(Verdict::Drop, _) => portion == Portion::Silent,
            Part::Stop(..) => portion == Portion::Loud,
            Part::Jump(to) | Part::Goto(to) => {
                self.chains.get(to.as_str()).is_some_and(|next| self.has(next, portion))
            }
            _ => true,
        })
    }

    /// Writes a chain and those it leads to, those first.
    fn write(&mut self, table: &mut Table, wanted: &Wanted<'a>, chain: &'a Chain) {
        let name = self.grammar.names.chain(&chain.name);
        if table.chains.iter().any(|(known, _)| *known == name) {
            return;
        }
        let rules: Vec<Rule> = chain
            .rules
            .iter()
            .filter(|rule| self.is_of(rule, wanted.portion))
            .flat_map(|rule| self.inlined(rule))
            .collect();
        for part in rules.iter().flatten() {
            if let Part::Jump(to) | Part::Goto(to) = part
                && let Some(next) = self.chains.get(to.as_str())
            {
                self.write(table, wanted, next);
            }
        }
        let mut lines = Vec::new();
        for rule in &rules {
            match self.lines(rule) {
                Ok(all) => lines.extend(all),
                Err(why) => {
                    let text = match why.as_str() {
                        // One reason for all of them.
                        MEASURES => why,
                        _ if wanted.topic == Topic::Proxy => ANSWERS.to_owned(),
                        _ => format!("chain {}: {why}", chain.name),
                    };
                    self.unsaid.push(Unsaid { part: wanted.topic, text });
                }
            }
        }
        table.chains.push((name, lines));
    }

    /// A rule with the rules of the chain it jumps to in place of the jump, if those can accept: that
    /// would end the chain they are in only.
    fn inlined(&self, rule: &Rule) -> Vec<Rule> {
        let Some((Part::Jump(to), head)) = rule.split_last() else { return vec![rule.clone()] };
        let Some(next) = self.chains.get(to.as_str()) else { return vec![rule.clone()] };
        if !next.rules.iter().flatten().any(|part| *part == Part::Accept) {
            return vec![rule.clone()];
        }
        let rules = next.rules.iter().map(|tail| [head, tail].concat());
        rules.flat_map(|rule| self.inlined(&rule)).collect()
    }

    /// The lines of a rule.
    fn lines(&mut self, rule: &Rule) -> Result<Vec<Line>, String> {
        let family = self.grammar.family;
        let mut drafts = vec![Draft::default()];
        let (mut lines, mut counter) = (Vec::new(), None);
        let mut all = |drafts: &[Draft], target: &str, counter: Option<&String>| {
            lines.extend(drafts.iter().map(|draft| draft.line(target, counter)));
        };
        for part in rule {
            self.remark(part);
            match self.grammar.part(part)? {
                Said::Ways(ways) => {
                    let next = |draft: &Draft| {
                        ways.iter().filter_map(|way| draft.and(way)).collect::<Vec<_>>()
                    };
                    drafts = drafts.iter().flat_map(next).collect();
                }
                Said::Target(target) => all(&drafts, &target, None),
                Said::Tried(target, done) => {
                    all(&drafts, &target, None);
                    let done = Way { proto: None, words: done };
                    drafts = drafts.iter().filter_map(|draft| draft.and(&done)).collect();
                }
                Said::Count(name) => counter = Some(name),
                Said::Leave => all(&drafts, "-j RETURN", counter.as_ref()),
                Said::Jump(to) => {
                    all(
                        &drafts,
                        &format!("-j {}", self.grammar.names.chain(&to)),
                        counter.as_ref(),
                    );
                }
                Said::Goto(to) => {
                    all(
                        &drafts,
                        &format!("-g {}", self.grammar.names.chain(&to)),
                        counter.as_ref(),
                    );
                }
                Said::Stop(verdict) => all(&drafts, stop(verdict, family), counter.as_ref()),
            }
        }
        Ok(lines)
    }

    /// Says what is not quite the same.
    fn remark(&mut self, part: &Part) {
        let text = match part {
            Part::If(test) if is_late(test) => {
                "iptables knows no time after 2038-01-19: a line that ends later does not end by itself"
            }
            Part::If(Test::Over(..)) => {
                "a line with a rate refuses new sources while more than 65536 are counted"
            }
            Part::If(Test::Stream(..)) => {
                "connections older than the gate are known by their source and its port, and by all \
                 ports such connections are to"
            }
            Part::If(Test::WayBack) => {
                "packets that are answered by the way they came have 0x20000000 in their mark; rules of \
                 others in mangle that take it away make trusted networks the world"
            }
            _ => return,
        };
        self.remarks.insert(text.to_owned());
    }
}

/// Marks what would be answered by the way it came.
fn believe(table: &mut Table, names: &Names) {
    let name = names.chain("believe");
    let line = |words: String| Line { words, counter: None };
    table.hooks.push((PRE, name.clone()));
    table.chains.push((
        name,
        vec![
            line(format!("-j MARK --and-mark {:#x}", !BELIEVED)),
            line(format!("-m rpfilter -j MARK --or-mark {BELIEVED:#x}")),
        ],
    ));
}

/// A line that is being written.
#[derive(Clone, Debug, Default)]
struct Draft {
    proto: Option<u8>,
    tests: Vec<String>,
}

impl Draft {
    /// With one more test; `None` if no packet can pass both.
    fn and(&self, way: &Way) -> Option<Self> {
        if let (Some(one), Some(other)) = (self.proto, way.proto)
            && one != other
        {
            return None;
        }
        let mut next = self.clone();
        next.proto = next.proto.or(way.proto);
        next.tests.extend((!way.words.is_empty()).then(|| way.words.clone()));
        Some(next)
    }

    fn line(&self, target: &str, counter: Option<&String>) -> Line {
        let proto = self.proto.map(|number| format!("-p {}", protocol(number)));
        let comment = counter.map(|name| format!("-m comment --comment {name}"));
        let words = proto.iter().chain(&self.tests).chain(&comment).map(String::as_str);
        let words = words.chain([target]).collect::<Vec<_>>().join(" ");
        Line { words, counter: counter.cloned() }
    }
}

/// A protocol as every iptables knows it.
fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "ipv6-icmp".to_owned(),
        // The extension that reads ports wants these by name or number alike.
        other => other.to_string(),
    }
}
