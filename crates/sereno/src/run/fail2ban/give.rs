//! Giving back: the bans in force go into fail2ban's database, for it to go on with.

use super::take::{GIVEN, Heir, key};
use super::view;
use crate::run::Shell;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::Engine;
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_store::fail2ban::{Given, give};
use std::collections::BTreeMap;
use std::path::Path;

impl Shell {
    /// Writes the bans of the tree's jails into its database; says how many, and what else there
    /// is to say. The caller stops then.
    ///
    /// # Errors
    /// Why nothing was written.
    pub(in crate::run) fn give_back(&mut self, now: Time) -> Result<(u64, Vec<String>), String> {
        super::look(&mut self.guard, now);
        let Some(house) = &self.guard.house else { return Err(words::no_tree()) };
        if let Some(why) = self.guard.hands.observing() {
            return Err(words::not_given_back(why));
        }
        if let Some(rival) = self.guard.office.rival() {
            return Err(words::not_given_back(words::still_runs(rival)));
        }
        let file = view::option(&house.tree, "dbfile");
        if !Path::new(&file).is_absolute() {
            return Err(words::not_given_back(words::no_database(file)));
        }
        let heir = Heir::new(house, now);
        let engine = &self.guard.engine;
        let titles: BTreeMap<Name, &str> =
            heir.jails.iter().map(|(title, name)| (*name, title.as_str())).collect();
        let (mut bans, mut others) = (Vec::new(), 0);
        for ban in engine.ledger().bans() {
            match titles.get(&ban.jail) {
                Some(title) => bans.push(given(&ban, title, engine)),
                None => others += 1,
            }
        }
        let mut lifted = |taken: &sereno_store::fail2ban::Taken| {
            let known = heir.jails.get(&taken.jail).and_then(|name| engine.jail(*name));
            let Some((policy, who)) = known.map(|jail| jail.policy()).zip(taken.id.parse().ok())
            else {
                return false;
            };
            let held = |who: Prefix| engine.ledger().holding(policy.name, who).is_some();
            heir.end(taken, policy).is_some() && !held(who)
        };
        let receipt = give(Path::new(&file), &bans, now.secs(), &mut lifted);
        let receipt = receipt.map_err(words::not_given_back)?;
        let mut notes = vec![words::given_back(words::bans(receipt.given), &file)];
        let shorter = receipt.shortened > 0;
        notes.extend(shorter.then(|| words::given_shorter(words::bans(receipt.shortened))));
        notes
            .extend((receipt.dropped > 0).then(|| words::given_gone(words::bans(receipt.dropped))));
        notes.extend((others > 0).then(|| words::not_fail2bans(words::bans(others))));
        let key = key(&house.tree);
        self.guard.keeper.mark(key, GIVEN.to_owned());
        Ok((receipt.given, notes))
    }
}

/// A ban as fail2ban's database has it.
fn given(ban: &Ban, title: &str, engine: &Engine) -> Given {
    let policy = engine.jail(ban.jail).map(|jail| jail.policy());
    let longest = policy.and_then(|policy| {
        let most =
            if policy.increment.increment { policy.increment.maxtime } else { policy.bantime };
        most.map(|most| most.as_secs())
    });
    Given {
        jail: title.to_owned(),
        id: ban.who().to_string(),
        since: ban.since.secs(),
        until: ban.until.map(Time::secs),
        longest,
        count: ban.before.saturating_add(1),
        failures: ban.count,
    }
}
