//! Giving back: the bans in force go into fail2ban's database, for it to go on with.

use super::take::{GIVEN, Heir, key};
use super::view;
use crate::run::Shell;
use crate::run::guard::Guard;
use crate::words;
use md5::{Digest, Md5};
use rustix::fs::OFlags;
use sereno_core::addr::Prefix;
use sereno_core::engine::Engine;
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_core::time::Time;
use sereno_store::fail2ban::{Gift, Given, Position, give};
use sereno_tail::{Checkpoint, Follow};
use sha1::Sha1;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a first line that are looked at, at most.
const LINE: u64 = 1 << 20;

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
        let positions = positions(&self.guard, &heir, now);
        let gift = Gift { bans: &bans, positions: &positions };
        let receipt = give(Path::new(&file), gift, now.secs(), &mut lifted);
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

/// How far the jails have read. Who was unbanned here would be banned again there for what led to
/// it, and others for what has counted already.
fn positions(guard: &Guard, heir: &Heir, now: Time) -> Vec<Position> {
    let checkpoints = guard.follow.as_ref().map(Follow::checkpoints).unwrap_or_default();
    let mut positions = Vec::new();
    for (title, jail) in &heir.jails {
        for log in guard.book.files(*jail) {
            let place = |file: &File| {
                let meta = file.metadata().ok()?;
                let same = |c: &&Checkpoint| (c.dev, c.ino) == (meta.dev(), meta.ino());
                Some(checkpoints.iter().rfind(same)?.place.offset)
            };
            // Something else may stand there by now, such as a FIFO that nobody writes into.
            let wait = OFlags::NONBLOCK.bits().cast_signed();
            let open = OpenOptions::new().read(true).custom_flags(wait).open(&log);
            let Ok(mut file) = open else { continue };
            if let Some(at) = place(&file)
                && let Some(line) = first_line(&mut file)
            {
                positions.push(Position {
                    jail: title.clone(),
                    log,
                    marks: marks(&line),
                    at: at as f64,
                });
            }
        }
        if guard.book.reads_journal(*jail) {
            let (log, marks) = (Position::JOURNAL.to_owned(), vec![now.to_string()]);
            positions.push(Position { jail: title.clone(), log, marks, at: now.0 as f64 / 1e6 });
        }
    }
    positions
}

/// By this fail2ban knows a log again; `None` as long as it is not whole.
fn first_line(file: &mut File) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(LINE)).read_until(b'\n', &mut line).ok()?;
    line.ends_with(b"\n").then_some(line)
}

/// It means to take MD5, and takes SHA-1 where that fails: with Python 3 its trial of MD5 always does.
fn marks(line: &[u8]) -> Vec<String> {
    let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![hex(&Sha1::digest(line)), hex(&Md5::digest(line))]
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
