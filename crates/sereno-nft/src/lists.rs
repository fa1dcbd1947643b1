//! Lists of addresses in the kernel: a table of their own, filled whole, each list replaced at once.

use crate::exchange::Fault;
use crate::kernel::Kernel;
use crate::members::{keys, octets, put_all, put_flush};
use crate::structure::{put_plan, put_removal, put_table};
use crate::words::{Doing, Refusal};
use sereno_core::gate::list::{List, Roster, counter, nets, set};
use sereno_core::gate::{Family, Left, Member, Name};
use std::collections::BTreeMap;

/// A set is made for half as many again as it has at first: a list grows.
const GROWTH: (usize, usize) = (3, 2);
/// And for so many at least.
const LEAST: usize = 1024;

/// For how many single addresses a list's sets are made.
#[must_use]
fn room_for(hosts: usize) -> u32 {
    let room = (hosts.max(LEAST) / GROWTH.1).saturating_mul(GROWTH.0);
    u32::try_from(room).unwrap_or(u32::MAX)
}

impl Kernel {
    /// Puts the table of lists in place with all that is in them, replacing one of the same name. What
    /// was counted goes on. One transaction, where the send buffer can be raised.
    ///
    /// # Errors
    /// When the kernel refuses it; then what was in force still is.
    pub fn put_lists(
        &mut self,
        table: &str,
        roster: &Roster,
        lists: &[(Name, &List)],
    ) -> Result<(), Refusal> {
        let counts = self.counts(table).map_err(|why| why.refusal(Doing::InstallLists))?;
        let mut rooms = BTreeMap::new();
        for (name, list) in lists {
            for family in Family::BOTH {
                rooms.insert(set(*name, family), room_for(list.hosts(family).count()));
            }
        }
        let batch = self.exchange().begin();
        put_removal(batch, table);
        put_table(batch, table);
        let mut id = 0;
        put_plan(batch, table, &roster.plan(), &counts, &mut id, |set| rooms.get(set).copied());
        let together = batch.count();
        for (name, list) in lists {
            self.fill(table, *name, list);
        }
        self.hand_over_lists(together)
    }

    /// Replaces what is in one list, in one transaction where the send buffer can be raised.
    ///
    /// # Errors
    /// When the kernel refuses it, as where the list outgrew its sets; then the old one is in force.
    pub fn put_list(&mut self, table: &str, name: Name, list: &List) -> Result<(), Refusal> {
        let batch = self.exchange().begin();
        for family in Family::BOTH {
            put_flush(batch, table, &set(name, family));
            put_flush(batch, table, &nets(name, family));
        }
        let together = batch.count();
        self.fill(table, name, list);
        self.hand_over_lists(together)
    }

    fn fill(&mut self, table: &str, name: Name, list: &List) {
        let batch = &mut self.exchange().batch;
        for family in Family::BOTH {
            let hosts = list.hosts(family).map(|addr| (octets(addr), Left::Ever));
            put_all(batch, table, &set(name, family), hosts);
            let networks: Vec<Member> =
                list.networks(family).map(|(first, last)| Member::Range(first, last)).collect();
            let ends = keys(&networks).map(|key| (key, Left::Ever));
            put_all(batch, table, &nets(name, family), ends);
        }
    }

    fn hand_over_lists(&mut self, together: usize) -> Result<(), Refusal> {
        let room = self.exchange().make_room();
        for part in self.exchange().batch.parts(room, together) {
            self.exchange().carry_out(part, |_| Doing::InstallLists)?;
        }
        // A million addresses are tens of megabytes.
        self.exchange().batch = crate::encode::Batch::default();
        Ok(())
    }

    /// Takes the table of lists away; success also when there was none.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn remove_lists(&mut self, table: &str) -> Result<(), Refusal> {
        let batch = self.exchange().begin();
        put_removal(batch, table);
        let all = 0..batch.count();
        self.exchange().carry_out(all, |_| Doing::Remove)
    }

    /// Whether the table of lists is in force with all its sets and rules.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn has_lists(&mut self, table: &str, roster: &Roster) -> Result<bool, Refusal> {
        match self.has_all(table, &[roster.plan()]) {
            Err(Fault { errno: libc::ENOENT, .. }) => Ok(false),
            other => other.map_err(|why| why.refusal(Doing::Look)),
        }
    }

    /// Packets that each list stopped.
    ///
    /// # Errors
    /// When the kernel refuses to say.
    pub fn listed(&mut self, table: &str, roster: &Roster) -> Result<Vec<(Name, u64)>, Refusal> {
        let counts = self.counts(table).map_err(|why| why.refusal(Doing::Look))?;
        let of = |name| counts.get(&counter(name)).map_or(0, |(packets, _)| *packets);
        Ok(roster.lists.iter().map(|list| (list.name, of(list.name))).collect())
    }
}
