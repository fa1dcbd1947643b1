//! Passes that translate.

use super::{Action, Porter};
use crate::gate::{Dnat, Name, Nat, Pass, Snat, Through};
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl Porter {
    /// Has these translations be possible.
    #[must_use]
    pub fn translating(mut self, nat: Option<Nat>) -> Self {
        self.nat = nat;
        self
    }

    /// What may be translated.
    #[must_use]
    pub fn nat(&self) -> Option<&Nat> {
        self.nat.as_ref()
    }

    /// Somebody is let in as a signed packet asked for.
    pub(in crate::engine) fn admit(
        &mut self,
        door: Name,
        pass: Pass,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        if self.place(door).is_none() || !self.stands(pass.to) {
            return;
        }
        *self.lately.entry((door, pass.addr)).0 = now;
        self.open(door, pass, now, actions);
    }

    /// Whether a pass has a place in the gate.
    pub(super) fn stands(&self, to: Through) -> bool {
        match to {
            Through::Opening(name) => self.openings.iter().any(|one| one.name == name),
            Through::Port(..) | Through::Known => true,
            Through::Dnat(dnat) => self.nat.as_ref().is_some_and(|nat| nat.allows(&dnat)),
            Through::Forward(forward) => {
                self.nat.as_ref().is_some_and(|nat| nat.forwards.contains(&forward))
            }
        }
    }

    /// A port leads to one place at a time: what it led to before is closed.
    pub(super) fn replace(&mut self, pass: Pass, actions: &mut Vec<Action>) {
        let Through::Dnat(dnat) = pass.to else { return };
        let [first, last] = dnat.rivals().map(|dnat| (pass.addr, Through::Dnat(dnat)));
        let rivals = self.entries.range(first..=last).map(|(_, entry)| *entry);
        let rivals: Vec<_> = rivals.filter(|entry| entry.pass.to != pass.to).collect();
        for rival in rivals {
            self.close(rival.door, pass.addr, rival.pass.to, actions);
        }
    }

    /// Ports of one address that lead to the same place share what the gate knows of it. After a
    /// change to one of them, that is put in place again as the one has it that lasts longest.
    pub(super) fn restore(&self, addr: IpAddr, to: Through, actions: &mut Vec<Action>) {
        let Through::Dnat(changed) = to else { return };
        let [first, _] = Dnat { port: 0, ..changed }.rivals();
        let of_proto = self.entries.range((addr, Through::Dnat(first))..);
        let mut longest: BTreeMap<Option<Snat>, Pass> = BTreeMap::new();
        for ((other, to), entry) in of_proto {
            let Through::Dnat(dnat) = to else { break };
            if *other != addr || dnat.proto != changed.proto {
                break;
            }
            if dnat.port != changed.port && dnat.to == changed.to && !dnat.here {
                let most = longest.entry(dnat.snat).or_insert(entry.pass);
                if ends(entry.pass) > ends(*most) {
                    *most = entry.pass;
                }
            }
        }
        let mut passes: Vec<Pass> = longest.into_values().collect();
        let changed = self.entries.get(&(addr, to)).map(|entry| entry.pass);
        passes.retain(|pass| changed.is_none_or(|changed| ends(*pass) > ends(changed)));
        passes.sort_unstable_by_key(|pass| ends(*pass));
        actions.extend(passes.into_iter().map(Action::Open));
    }
}

fn ends(pass: Pass) -> Time {
    pass.until.unwrap_or(Time(i64::MAX))
}
