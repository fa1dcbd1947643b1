//! What outlives a restart or a reload.

use super::{DoorMemory, MOST_PASSES, Porter, Shut};
use crate::door::{DoorId, Sequences};
use crate::gate::{Name, Through};
use crate::time::Time;

impl Porter {
    /// What is to be remembered, if it changed since the last call.
    pub fn take_memory(&mut self) -> Option<DoorMemory> {
        std::mem::take(&mut self.changed).then(|| self.memory())
    }

    /// What is to be remembered.
    #[must_use]
    pub fn memory(&self) -> DoorMemory {
        let name = |door: DoorId| self.policies.get(door).map(|policy| policy.name);
        let stops = self.knocks.waiting();
        DoorMemory {
            entries: self.entries.values().copied().collect(),
            shut: self.confirmed().collect(),
            stops: stops.filter_map(|(door, addr, at)| Some((name(door)?, addr, at))).collect(),
            used: self.used.iter().filter_map(|(door, n)| self.mark(*door, *n)).collect(),
        }
    }

    /// By what is remembered that a sequence was used.
    fn mark(&self, door: DoorId, number: u64) -> Option<(Name, u64)> {
        let policy = self.policies.get(door)?;
        let mark = match &policy.door.sequences {
            Sequences::Once(list) => list.get(usize::try_from(number).ok()?)?.mark(),
            Sequences::Fixed(_) | Sequences::Timed(_) => number,
        };
        Some((policy.name, mark))
    }

    /// Which sequence it is now; `None` if it is not there any more.
    fn marked(&self, door: DoorId, mark: u64) -> Option<u64> {
        let Sequences::Once(list) = &self.policies.get(door)?.door.sequences else {
            return Some(mark);
        };
        u64::try_from(list.iter().position(|sequence| sequence.mark() == mark)?).ok()
    }

    fn confirmed(&self) -> impl Iterator<Item = Name> {
        let confirmed = self.shut.iter().filter(|(_, shut)| **shut == Shut::Confirmed);
        confirmed.map(|(name, _)| *name)
    }

    /// Takes back what was remembered, of doors that are still there. Openings that have no place
    /// any more are left out.
    pub fn recall(&mut self, memory: DoorMemory, now: Time) {
        for name in memory.shut {
            self.shut(name, Shut::Confirmed);
        }
        for (name, mark) in memory.used {
            if let Some(door) = self.place(name)
                && let Some(number) = self.marked(door, mark)
            {
                self.knocks.use_up(door, number, now);
                self.used.insert(door, number);
            }
        }
        for (name, addr, at) in memory.stops {
            if let Some(policy) = self.policies.iter().find(|policy| policy.name == name)
                && let Some(door) = self.place(name)
            {
                let longest = now.plus(policy.door.hold);
                self.knocks.recall(door, addr, at.min(longest));
            }
        }
        for mut entry in memory.entries {
            // Doors that open the same share an opening; whatever else somebody was let in by is his
            // door's alone.
            let shared = matches!(entry.pass.to, Through::Opening(_));
            let stands = self.stands(entry.pass.to) && (shared || self.place(entry.door).is_some());
            // Nobody came in later than now: the clock was ahead then.
            entry.set_back(entry.since.since(now));
            let over = entry.pass.until.is_some_and(|until| until <= now);
            if stands && !over && self.entries.len() < MOST_PASSES {
                self.put(entry);
            }
        }
        self.changed = true;
    }
}
