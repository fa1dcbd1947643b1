//! Bans that wait for a word: a jail may ask a command of everybody it would ban whether to leave
//! him alone (fail2ban's `ignorecommand`). Whoever the command says nothing of in time is banned.

use super::court::Court;
use super::{Action, Notice};
use crate::addr::Prefix;
use crate::gate::Name;
use crate::ledger::Ban;
use crate::time::Time;
use std::time::Duration;

/// How long an answer may take: the command has a minute, and may have to wait for others.
const PATIENCE: Duration = Duration::from_secs(90);
/// Questions at most that are open. Beyond, nobody is asked: a flood must not hold up all bans.
const MOST: usize = 1024;

/// A ban that waits.
#[derive(Debug)]
pub(super) struct Asked {
    ban: Ban,
    /// When it falls without an answer.
    pub(super) until: Time,
}

impl Court {
    /// Imposes a ban, or asks first where its jail does.
    pub(super) fn propose(&mut self, ban: Ban, asks: bool, actions: &mut Vec<Action>) {
        if !asks || !self.enforced || self.asked.len() >= MOST {
            return self.impose(ban, actions);
        }
        actions.push(Action::Ask(ban.clone()));
        let until = self.now.plus(PATIENCE);
        self.asked.insert((ban.jail, ban.prefix), Asked { ban, until });
    }

    /// What the command said; nothing if nobody waits for it any more.
    pub(super) fn answered(
        &mut self,
        jail: Name,
        prefix: Prefix,
        spare: bool,
        actions: &mut Vec<Action>,
    ) {
        let Some(Asked { ban, .. }) = self.asked.remove(&(jail, prefix)) else { return };
        let friend = self.friends.hit_by(prefix).map(|friend| friend.why.clone());
        let count = ban.count;
        let notice = match friend {
            Some(friend) => Notice::Spared { jail, prefix, friend, count },
            None if spare => Notice::Excused { jail, prefix, count },
            None => return self.impose(ban, actions),
        };
        if let Some(jail) = self.jails.iter_mut().find(|one| one.policy().name == jail) {
            jail.forget(prefix);
        }
        actions.push(Action::Tell(notice));
    }

    /// Bans those of whom nothing was said in time.
    pub(super) fn unanswered(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        let late = self.asked.iter().filter(|(_, asked)| asked.until <= now);
        for (jail, prefix) in late.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.answered(jail, prefix, false, actions);
        }
    }

    /// Drops the questions about whoever is let in: about this prefix, or all; of one jail, or all.
    pub(super) fn ask_no_more(&mut self, jail: Option<Name>, prefix: Option<Prefix>) {
        self.asked.retain(|(of, about), _| {
            jail.is_some_and(|jail| jail != *of)
                || prefix.is_some_and(|prefix| !prefix.overlaps(*about))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Clock, Engine, Input};
    use crate::jail::{Friend, Friends, JailPolicy};

    const SECOND: Duration = Duration::from_secs(1);

    struct Scene {
        engine: Engine,
        jail: Name,
        now: Time,
    }

    impl Scene {
        fn new(enforced: bool) -> Self {
            let jail = Name::new("web").unwrap();
            let policy = JailPolicy { maxretry: 3, asks: true, ..JailPolicy::new(jail, "web") };
            let mut engine = Engine::new(vec![policy], Friends::default(), Clock::Wall, 1);
            engine.enforce(enforced);
            Self { engine, jail, now: Time::from_secs(1_000) }
        }

        fn handle(&mut self, input: Input<'_>) -> Vec<String> {
            let mut actions = Vec::new();
            self.now = self.now.plus(SECOND);
            self.engine.handle(input, self.now, &mut actions);
            let told = |action: &Action| match action {
                Action::Ban(ban) => format!("ban {}", ban.prefix),
                Action::Ask(ban) => format!("ask {}", ban.prefix),
                Action::Tell(Notice::Excused { prefix, .. }) => format!("excused {prefix}"),
                Action::Tell(Notice::Spared { prefix, friend, .. }) => {
                    format!("spared {prefix}: {friend}")
                }
                other => format!("{other:?}"),
            };
            actions.iter().map(told).collect()
        }

        fn fail(&mut self, who: &str, times: usize) -> Vec<String> {
            let lines = vec!["x".to_owned(); times];
            let (jail, prefix) = (self.jail, who.parse().unwrap());
            self.handle(Input::Attempt { jail, prefix, lines: &lines })
        }

        fn answer(&mut self, who: &str, spare: bool) -> Vec<String> {
            let (jail, prefix) = (self.jail, who.parse().unwrap());
            self.handle(Input::Answer { jail, prefix, spare })
        }
    }

    #[test]
    fn who_is_spared_begins_anew_and_others_are_banned() {
        let mut scene = Scene::new(true);
        assert!(scene.fail("192.0.2.1", 2).is_empty());
        assert_eq!(scene.fail("192.0.2.1", 1), ["ask 192.0.2.1"]);
        assert!(scene.fail("192.0.2.1", 3).is_empty(), "it is asked already");
        assert_eq!(scene.answer("192.0.2.1", true), ["excused 192.0.2.1"]);
        assert!(scene.fail("192.0.2.1", 2).is_empty());
        assert_eq!(scene.fail("192.0.2.1", 1), ["ask 192.0.2.1"]);
        assert_eq!(scene.answer("192.0.2.1", false), ["ban 192.0.2.1"]);
        assert!(scene.answer("192.0.2.1", true).is_empty(), "nobody waits for it");
        assert_eq!(scene.engine.ledger().len(), 1);
    }

    #[test]
    fn no_answer_is_a_no() {
        let mut scene = Scene::new(true);
        assert_eq!(scene.fail("192.0.2.1", 3), ["ask 192.0.2.1"]);
        assert_eq!(scene.engine.next_wake().unwrap().1, "an answer is late");
        scene.now = scene.now.plus(PATIENCE - 2 * SECOND);
        assert!(scene.handle(Input::Tick).is_empty());
        assert_eq!(scene.handle(Input::Tick), ["ban 192.0.2.1"]);
    }

    #[test]
    fn who_is_let_in_or_a_friend_by_now_is_not_banned() {
        let mut scene = Scene::new(true);
        scene.fail("192.0.2.1", 3);
        scene.handle(Input::Lift { prefix: Some("192.0.2.0/24".parse().unwrap()) });
        assert!(scene.answer("192.0.2.1", false).is_empty());
        scene.fail("192.0.2.2", 3);
        let friend = Friend { prefix: "192.0.2.2".parse().unwrap(), why: "mine".to_owned() };
        scene.handle(Input::Friends(Friends::new(vec![friend])));
        assert_eq!(scene.answer("192.0.2.2", false), ["spared 192.0.2.2: mine"]);
    }

    #[test]
    fn where_nothing_runs_and_in_a_flood_nobody_is_asked() {
        assert_eq!(Scene::new(false).fail("192.0.2.1", 3), ["ban 192.0.2.1"]);
        let mut scene = Scene::new(true);
        for n in 0..MOST {
            let who = format!("10.0.{}.{}", n / 256, n % 256);
            assert_eq!(scene.fail(&who, 3), [format!("ask {who}")]);
        }
        assert_eq!(scene.fail("192.0.2.1", 3), ["ban 192.0.2.1"]);
    }
}
