//! A jail of the tree, changed while it guards.

use super::ignored::Ignored;
use super::{Guarded, House, captures, compiler, jails};
use sereno_config::{JailConf, Policy, Problem, Severity, SourceConf};
use sereno_core::gate::Name;
use sereno_core::time::Time;
use sereno_fail2ban::act::{acts, question};
use sereno_fail2ban::{Dict, Jail, Settings, Text};
use std::sync::Arc;

impl House {
    /// Changes the jail that is called `name` here: what it looks for is compiled anew, what it does
    /// is judged anew, and both go into the policy. What was wrong with it before is no reason to
    /// refuse.
    ///
    /// # Errors
    /// The first thing that is wrong with it and was not before. Then nothing has changed.
    pub fn refit(
        &mut self,
        name: Name,
        policy: &mut Policy,
        now: Time,
        change: impl FnOnce(&mut Jail) -> Result<(), String>,
    ) -> Result<(), String> {
        let gone = || format!("there is no jail {name}");
        let at = self.jails.iter().position(|guarded| guarded.name == name).ok_or_else(gone)?;
        let before = self.tree.jails.get(self.jails[at].place).ok_or_else(gone)?;
        let mut jail = before.clone();
        change(&mut jail)?;
        let mut compiler = compiler(policy, now);
        let known = compiler.jail(&self.tree, before).problems;
        let compiled = compiler.jail(&self.tree, &jail);
        refuse(&known, &compiled.problems)?;
        let filter = compiled.filter.ok_or("nothing is left that it could look for")?;
        let done = acts(&self.tree, &jail);
        refuse(&acts(&self.tree, before).problems, &done.problems)?;
        let asked = match question(&self.tree, &jail) {
            Ok(asked) => asked.map(Arc::new),
            Err(problems) => return refuse(&[], &problems),
        };
        let conf = policy.jails.iter_mut().find(|conf| conf.policy.name == name);
        let conf = conf.ok_or_else(gone)?;
        if self.jails[at].reads_journal && !self.jails[at].waits {
            conf.sources = jails::sources(&jail)?;
        }
        jails::close(&mut conf.policy, &done);
        conf.policy.asks = asked.is_some();
        conf.policy.captures = captures(&done, asked.as_deref());
        policy.filters.retain(|(known, _)| *known != name);
        policy.filters.push((name, Arc::clone(&filter)));
        let guarded = &mut self.jails[at];
        (guarded.acts, guarded.question, guarded.filter) = (done, asked, filter);
        if let Some(place) = self.tree.jails.get_mut(guarded.place) {
            *place = jail;
        }
        Ok(())
    }

    /// Adds a jail that looks for nothing, reads nothing and does nothing, until it is told to.
    ///
    /// # Errors
    /// When nothing can be made of it.
    pub fn add_jail(
        &mut self,
        title: &str,
        backend: &str,
        policy: &mut Policy,
        now: Time,
    ) -> Result<(), String> {
        let jail = Jail {
            name: title.to_owned(),
            enabled: true,
            set_aside: false,
            refusal: None,
            options: Dict::default(),
            settings: Settings { backend: Text::plain(backend), ..Settings::default() },
            filter: None,
            actions: Vec::new(),
        };
        let taken = policy.jails.iter().map(|jail| jail.policy.name).collect();
        let name = jails::name(title, &taken);
        let acts = acts(&self.tree, &jail);
        let filter = compiler(policy, now).jail(&self.tree, &jail).filter;
        let filter = filter.ok_or("it cannot be made")?;
        let own = jails::policy(&jail, name, &acts, &mut Ignored::default());
        policy.jails.push(JailConf { policy: own, sources: Vec::new() });
        policy.filters.push((name, Arc::clone(&filter)));
        let (place, reads_journal) = (self.tree.jails.len(), backend.starts_with("systemd"));
        let (question, waits) = (None, true);
        self.jails.push(Guarded { name, place, acts, question, filter, reads_journal, waits });
        self.tree.jails.push(jail);
        Ok(())
    }

    /// Lets a jail that was added read what it was told to.
    ///
    /// # Errors
    /// When there is nothing to read.
    pub fn start_jail(&mut self, name: Name, policy: &mut Policy) -> Result<(), String> {
        let Some(at) = self.jails.iter().position(|one| one.name == name) else { return Ok(()) };
        let jail = self.tree.jails.get(self.jails[at].place);
        let conf = policy.jails.iter_mut().find(|conf| conf.policy.name == name);
        let Some((jail, conf)) = jail.zip(conf) else { return Ok(()) };
        // fail2ban starts a jail that has no log, too; it can be given one later.
        conf.sources = match jail.settings.logpath.is_empty() && !self.jails[at].reads_journal {
            true => vec![SourceConf::Files(Vec::new())],
            false => jails::sources(jail)?,
        };
        self.jails[at].waits = false;
        Ok(())
    }
}

/// Refuses for the first error of `after` that is none of `before`.
fn refuse(before: &[Problem], after: &[Problem]) -> Result<(), String> {
    let is_new = |one: &&Problem| one.severity == Severity::Error && !before.contains(one);
    after.iter().find(is_new).map_or(Ok(()), |one| Err(format!("{}; {}", one.message, one.remedy)))
}
