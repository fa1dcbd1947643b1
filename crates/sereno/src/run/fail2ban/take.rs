//! The bans that fail2ban left behind, taken over once.

use crate::fail2ban::House;
use crate::run::guard::Guard;
use crate::run::setup;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Action, Lifted, scope};
use sereno_core::gate::Name;
use sereno_core::jail::{Because, JailPolicy};
use sereno_core::ledger::{Ban, Captures, Past};
use sereno_core::time::Time;
use sereno_fail2ban::Tree;
use sereno_store::fail2ban::{Length, Taken, take};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Bans in force at most.
const MOST: usize = 200_000;

/// What the ledger marks a tree with whose bans were given back.
pub(super) const GIVEN: &str = "given back";

const KEY: &str = "fail2ban ";

/// Under what the ledger marks a tree.
pub(super) fn key(tree: &Tree) -> String {
    let base = std::fs::canonicalize(&tree.base);
    let base = base.map_or_else(|_| tree.base.clone(), |path| path.display().to_string());
    format!("{KEY}{base}")
}

/// Whether the ledger marks a tree under this.
pub(super) fn is_key(key: &str) -> bool {
    key.starts_with(KEY)
}

/// Takes over the bans of the tree's database, if the ledger has never heard of the tree, or if
/// all were given back: then those that the ledger still has are fail2ban's.
pub(super) fn over(guard: &mut Guard, house: &House, now: Time) {
    let key = key(&house.tree);
    let marks = &guard.office.marks;
    let known = marks.iter().find(|(known, _)| *known == key).map(|(_, word)| word.as_str());
    if known.is_some_and(|word| word != GIVEN) {
        return;
    }
    let before = if known.is_some() { let_go(guard, house) } else { Vec::new() };
    let read = all(guard, house, now);
    for ban in before {
        if !read {
            guard.engine.recall(ban);
        } else if guard.engine.ledger().get(ban.jail, ban.prefix).is_none() {
            guard.keeper.note(Action::Lift { ban, why: Lifted::Manual }, now);
        }
    }
}

/// Takes the bans of the tree's jails off the ledger; gives them.
fn let_go(guard: &mut Guard, house: &House) -> Vec<Ban> {
    let own = |ban: &Ban| house.jails.iter().any(|jail| jail.name == ban.jail);
    let bans: Vec<Ban> = guard.engine.ledger().bans().filter(own).collect();
    for ban in &bans {
        guard.engine.ledger_mut().lift(ban.jail, ban.prefix);
    }
    bans
}

/// Takes over the bans of the tree's database that are not known; says whether it could be read.
pub(super) fn all(guard: &mut Guard, house: &House, now: Time) -> bool {
    if guard.keeper.trouble().is_some() {
        return false;
    }
    let file = super::view::option(&house.tree, "dbfile");
    let path = Path::new(&file);
    if path.is_absolute() && path.exists() {
        let mut heir = Heir::new(house, now);
        let read = take(path, &mut |taken| heir.take(guard, &taken));
        if let Err(e) = read {
            guard.notes.push(words::not_taken_over(e));
            return false;
        }
        if heir.bans + heir.pasts > 0 {
            guard.notes.push(words::taken_over(
                words::bans(heir.bans as u64),
                heir.pasts,
                path.display(),
            ));
        }
        if heir.friends > 0 {
            guard.notes.push(words::taken_friends(heir.friends));
        }
    }
    let (key, word) = (key(&house.tree), now.to_string());
    guard.office.marks.retain(|(known, _)| *known != key);
    guard.office.marks.push((key.clone(), word.clone()));
    guard.keeper.mark(key, word);
    true
}

/// Who takes over.
pub(super) struct Heir {
    /// Jails by fail2ban's names.
    pub(super) jails: BTreeMap<String, Name>,
    /// Which lengths of networks each jail can ban, by family.
    forms: BTreeMap<(Name, bool, u8), bool>,
    now: Time,
    bans: usize,
    pasts: usize,
    friends: usize,
}

impl Heir {
    pub(super) fn new(house: &House, now: Time) -> Self {
        let named = |g: &crate::fail2ban::Guarded| {
            Some((house.tree.jails.get(g.place)?.name.clone(), g.name))
        };
        let jails = house.jails.iter().filter_map(named).collect();
        Self { jails, forms: BTreeMap::new(), now, bans: 0, pasts: 0, friends: 0 }
    }

    fn take(&mut self, guard: &mut Guard, taken: &Taken) {
        let Some(jail) = self.jails.get(&taken.jail).copied() else { return };
        let Some(policy) = guard.engine.jail(jail).map(|jail| jail.policy().clone()) else {
            return;
        };
        let Ok(named) = taken.id.parse::<Prefix>() else { return };
        let prefix = widened(guard, &policy, taken, named);
        // A network as no jail bans would stay a ban that the kernel never takes.
        let form = (jail, prefix.addr().is_ipv6(), prefix.bits());
        let fits = || setup::fits(&guard.draft, scope(&policy), prefix).is_ok();
        if policy.closes && !*self.forms.entry(form).or_insert_with(fits) {
            return;
        }
        let since = Time::from_secs(taken.since);
        let known = guard.engine.ledger().before(jail, prefix);
        let times = taken.count.max(known);
        let own = guard.engine.ledger().get(jail, prefix);
        if let Some(until) = self.end(taken, &policy)
            && own.as_ref().is_none_or(|own| ends_before(own.until, until))
            && (own.is_some() || guard.engine.ledger().len() < MOST)
        {
            let friend = guard.engine.friends().hit_by(named).is_some();
            if friend || policy.ignore.iter().any(|own| own.contains(named.addr())) {
                self.friends += 1;
            } else {
                let offender = (named != prefix).then(|| named.addr());
                let span = (since, until, times.saturating_sub(1));
                self.keep(guard, taken, (jail, prefix, offender), span);
            }
        }
        let in_force = u32::from(guard.engine.ledger().get(jail, prefix).is_some());
        let earlier = times.saturating_sub(in_force);
        if earlier > known {
            self.pasts += 1;
            guard.keeper.note_past(jail, prefix, Past { bans: earlier, last: since });
        }
        let bans = earlier.saturating_add(in_force);
        guard.engine.ledger_mut().recall_past(jail, prefix, Past { bans, last: since });
    }

    /// When a ban ends, if it is in force and is to stay so, by what fail2ban does at its start: a
    /// jail's bans last no longer than it bans by now. `Some(None)`: never.
    pub(super) fn end(&self, taken: &Taken, policy: &JailPolicy) -> Option<Option<Time>> {
        let (since, now) = (Time::from_secs(taken.since), self.now);
        let usual = policy.bantime;
        let most = if policy.increment.increment { policy.increment.maxtime } else { usual };
        if !policy.increment.increment && usual.is_some_and(|usual| since.plus(usual) <= now) {
            return None;
        }
        let length = match taken.length {
            Length::For(seconds) => Some(Duration::from_secs(seconds)),
            Length::Forever => None,
            Length::Usual => usual,
        };
        let length = match (length, most) {
            (Some(length), Some(most)) => Some(length.min(most)),
            (length, most) => length.or(most),
        };
        let until = length.map(|length| since.plus(length));
        until.is_none_or(|until| until > now).then_some(until)
    }

    fn keep(
        &mut self,
        guard: &mut Guard,
        taken: &Taken,
        (jail, prefix, offender): (Name, Prefix, Option<IpAddr>),
        (since, until, before): (Time, Option<Time>, u32),
    ) {
        let because = if taken.failures > 0 { Because::Failures } else { Because::Manual };
        let ban = Ban {
            jail,
            // Where the jail's bans hold is filled in by whoever recalls it.
            scope: jail,
            prefix,
            offender,
            since: since.min(self.now),
            until,
            count: taken.failures,
            because,
            before,
            evidence: taken.matches.iter().collect(),
            captures: Captures::default(),
        };
        self.bans += 1;
        guard.engine.recall(ban);
        if let Some(ban) = guard.engine.ledger().get(jail, prefix) {
            guard.keeper.note(Action::Ban(ban), self.now);
        }
    }
}

/// Whom the jail bans for what this address did: from its next lines it would be the network, and
/// he would be out twice. Who was named by hand, or has a friend beside him, stays alone.
fn widened(guard: &Guard, policy: &JailPolicy, taken: &Taken, named: Prefix) -> Prefix {
    let wide = policy.stranger(named.addr());
    let beside = || {
        let friends = guard.engine.friends().hit_by(wide).is_some();
        friends || policy.ignore.iter().any(|own| own.overlaps(wide))
    };
    if taken.failures == 0 || !named.is_host() || beside() { named } else { wide }
}

/// Whether what ends at `one` ends before the other; `None` is never.
fn ends_before(one: Option<Time>, other: Option<Time>) -> bool {
    one.is_some_and(|one| other.is_none_or(|other| one < other))
}
