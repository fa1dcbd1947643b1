//! What comes and goes in a gate: bans, passes, ports that are knocked at.

use super::plan::{ALL, KNOCKED, TRIAL, hits};
use super::{Gate, Hold, Left, Member, Misplaced, Pass, Proto, Stream};
use crate::door::{Hit, Protocol};
use crate::time::Time;
use std::collections::BTreeMap;

/// A set that is empty as a rule, and what has to be in it for something to be in force.
pub type Switch = (&'static str, [Member; 2]);

/// What is to be in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'a> {
    /// The bans.
    pub holds: &'a [Hold],
    /// Who was let in.
    pub passes: &'a [Pass],
    /// The ports that are knocked at.
    pub hits: &'a [Hit],
    /// The connections that are older than the gate.
    pub streams: &'a [Stream],
}

impl<'a> Contents<'a> {
    /// Bans alone.
    #[must_use]
    pub fn bans(holds: &'a [Hold]) -> Self {
        Self { holds, ..Self::default() }
    }
}

/// A list of passes sorted into the sets of a gate.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// Per set, its members in order, each once, with the time left.
    pub sets: BTreeMap<String, Vec<(Member, Left)>>,
    /// How many of them.
    pub count: usize,
    /// How many had already ended.
    pub over: usize,
    /// Those that fit nowhere, and why.
    pub misplaced: Vec<(Pass, Misplaced)>,
}

/// The members of each set that has any, with the time they have left.
pub(super) type Filled = BTreeMap<String, Vec<(Member, Left)>>;

pub(super) fn fill(gate: &Gate, contents: Contents<'_>, now: Time) -> Filled {
    let mut filled = gate.admit(contents.passes, now).sets;
    for (set, list) in gate.place(contents.holds, now).sets {
        let list = list.into_iter().map(|(prefix, left)| (Member::Addr(prefix.addr()), left));
        filled.insert(set.to_string(), list.collect());
    }
    let older = gate.older(contents.streams);
    for (set, list) in gate.listen_for(contents.hits).into_iter().chain(older) {
        filled.insert(set, list.into_iter().map(|member| (member, Left::Ever)).collect());
    }
    filled
}

impl Gate {
    /// Sorts `passes` into the gate's sets. Where one address is let in twice at the same place,
    /// the longer pass counts.
    #[must_use]
    pub fn admit(&self, passes: &[Pass], now: Time) -> Admitted {
        let mut admitted = Admitted::default();
        for pass in passes {
            let left = pass.left(now);
            match self.ways(pass.to, pass.addr) {
                _ if left == Left::Over => admitted.over += 1,
                Ok(ways) => {
                    for (set, member) in ways {
                        admitted.sets.entry(set).or_default().push((member, left));
                    }
                    admitted.count += 1;
                }
                Err(why) => admitted.misplaced.push((*pass, why)),
            }
        }
        for list in admitted.sets.values_mut() {
            list.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            list.dedup_by(|a, b| a.0.is_same_key(&b.0));
        }
        admitted
    }

    /// The members of the sets of knock ports; no sets if the gate does not listen.
    #[must_use]
    pub fn listen_for(&self, wanted: &[Hit]) -> Vec<(String, Vec<Member>)> {
        if self.doorway().ears.is_none() {
            return Vec::new();
        }
        let of = |proto| {
            let mut ports: Vec<u16> = wanted
                .iter()
                .filter(|hit| spoken(hit.protocol) == proto)
                .map(|hit| hit.port)
                .collect();
            ports.sort_unstable();
            ports.dedup();
            (hits(proto), ports.into_iter().map(Member::Port).collect())
        };
        KNOCKED.map(of).to_vec()
    }

    /// The set whose members keep closed what is closed on trial, and those members; `None` if
    /// nothing is.
    #[must_use]
    pub fn trial(&self) -> Option<Switch> {
        (!self.doorway().trial.is_empty()).then_some((TRIAL, KNOCKED.map(Member::Proto)))
    }

    /// The set that makes everything be heard that begins something, and its members; `None` if
    /// the gate does not listen, listens in knockd's manner, or hears all that anyway.
    #[must_use]
    pub fn switch(&self) -> Option<Switch> {
        let ears = self.doorway().ears.as_ref()?;
        (!ears.strict && !ears.all).then_some((ALL, KNOCKED.map(Member::Proto)))
    }
}

fn spoken(protocol: Protocol) -> Proto {
    match protocol {
        Protocol::Tcp => Proto::Tcp,
        Protocol::Udp => Proto::Udp,
    }
}
