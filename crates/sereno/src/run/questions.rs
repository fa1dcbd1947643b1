//! What the jails of a fail2ban configuration ask about everybody whom they would ban
//! (`ignorecommand`), and the jails that get no answer.

use super::commands::{Failure, Pool, ask};
use super::deeds::ticket;
use super::faults::first_line;
use crate::words;
use sereno_core::addr::Prefix;
use sereno_core::engine::{Engine, Input};
use sereno_core::gate::Name;
use sereno_core::ledger::Ban;
use sereno_fail2ban::act::Script;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a command said of somebody.
#[derive(Debug)]
struct Answer {
    /// Who asked about whom.
    key: (Name, Prefix),
    /// What its configuration calls the jail.
    jail: String,
    /// Whether he is left alone; or what kept the command from saying it, with what it printed.
    spare: Result<bool, (Failure, String)>,
}

/// The questions of all jails, and those that are open.
#[derive(Debug)]
pub(super) struct Questions {
    /// What is asked, by the jail, and what its configuration calls it.
    scripts: BTreeMap<Name, (String, Arc<Script>)>,
    asked: Pool<Answer>,
    /// Jails whose question got no answer the last time, and why.
    mute: BTreeMap<String, String>,
}

impl Questions {
    /// Without any. `wake` is called, on any thread, when there is an answer.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let asked = Pool::new("ignorecommand", wake);
        Self { scripts: BTreeMap::new(), asked, mute: BTreeMap::new() }
    }

    /// Forgets what is asked; what is open stays so.
    pub(super) fn clear(&mut self) {
        self.scripts.clear();
        self.mute.clear();
    }

    /// What a jail asks, and what its configuration calls it.
    pub(super) fn put(&mut self, jail: Name, title: String, asked: Arc<Script>) {
        self.scripts.insert(jail, (title, asked));
    }

    /// Asks whether a ban is to be; `false` if nobody can be asked.
    pub(super) fn ask(&mut self, ban: &Ban, engine: &Engine) -> bool {
        let Some((title, script)) = self.scripts.get(&ban.jail) else { return false };
        let (key, jail, script) = ((ban.jail, ban.prefix), title.clone(), Arc::clone(script));
        let ticket = ticket(title, 0, (ban, false), engine);
        self.asked.run(move |names, stop| {
            let spare = ask(&script, &ticket, names, stop);
            Answer { key, jail, spare }
        })
    }

    /// Who is to be left alone and who is not, by the answers that came. What cannot answer says
    /// nothing for him.
    pub(super) fn answers(&mut self) -> Vec<Input<'static>> {
        let mut inputs = Vec::new();
        for answer in self.asked.take() {
            let (jail, prefix) = answer.key;
            let spare = match answer.spare {
                Ok(spare) => {
                    self.mute.remove(&answer.jail);
                    spare
                }
                Err((failure, output)) => {
                    let text = words::question_fails(&answer.jail, &failure, &first_line(&output));
                    self.mute.insert(answer.jail, text);
                    false
                }
            };
            inputs.push(Input::Answer { jail, prefix, spare });
        }
        inputs
    }

    /// Who gets no answer: what it is about, and in words.
    pub(super) fn alarms(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.mute.iter().map(|(jail, text)| (format!("ignorecommand {jail}"), text.clone()))
    }
}
