//! The gate in the tables of iptables: installed whole, changed by batches, read back.

use crate::form::{Programs, good, said};
use crate::found::Inside;
use crate::program;
use sereno_core::door::Hit;
use sereno_core::gate::iptables::{Entries, Found, Layout, Part, Rules, Unsaid};
use sereno_core::gate::{Contents, Counts, Family, Gate, Left, Switch};
use sereno_core::time::Time;
use sereno_nft::{Cause, Change, Doing, Installed, Refusal};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The way to the tables of iptables, in the network namespace of the thread that uses it.
#[derive(Debug)]
pub struct Tables {
    pub(crate) programs: Programs,
    /// Those of the other form, if it is there.
    other: Option<Programs>,
    /// Counters that begin anew with the next installation.
    forgotten: Vec<String>,
    /// What was counted before, where a program did not take it up: ip6tables 1.8.9 does not in its
    /// newer form.
    pub(crate) carried: Counts,
    /// The gate that stands, in the words of iptables.
    written: Option<(Gate, Arc<Layout>)>,
    /// What was put into its sets, and when that ends.
    pub(crate) inside: Inside,
    pub(crate) renewed: Instant,
}

impl Tables {
    /// Finds the programs, and asks each a question. With `old` those of iptables in its old form are
    /// asked first, which is no part of nftables.
    ///
    /// # Errors
    /// Which is not there, or what it says, for each of the forms.
    pub fn open(old: bool) -> Result<Self, Refusal> {
        let usable = |old| {
            let programs = Programs::find(old)?;
            programs.try_out().map(|()| (programs, old))
        };
        let usable = usable(old).or_else(|first: String| {
            let both = |second| if first == second { second } else { format!("{first}; {second}") };
            usable(!old).map_err(both)
        });
        let (programs, old) = usable.map_err(|why| said(Doing::Open, why))?;
        let other = Programs::find(!old).ok().filter(|other| !other.is_same(&programs));
        Ok(Self {
            programs,
            other,
            forgotten: Vec::new(),
            carried: Counts::new(),
            written: None,
            inside: Inside::default(),
            renewed: Instant::now(),
        })
    }

    /// Why nothing of IPv6 is guarded, where this machine has IPv6.
    #[must_use]
    pub fn without_six(&self) -> Option<&str> {
        self.programs.without_six.as_deref()
    }

    /// Whether sets of a gate are left behind, as by a Sereno that was told to use iptables. No module
    /// is loaded for the question.
    #[must_use]
    pub fn are_left(gate: &Gate) -> bool {
        if !Path::new("/sys/module/ip_set").exists() {
            return false;
        }
        let layout = Layout::empty(gate.table());
        let ipset = program::find("ipset");
        let there = ipset.and_then(|ipset| program::ask(&ipset, &["list", "-n"], "").ok());
        there.is_some_and(|ran| ran.printed.lines().any(|set| layout.owns(set)))
    }

    /// Has these counters begin anew with the next installation: they are to count something else.
    pub fn forget(&mut self, counters: Vec<String>) {
        self.forgotten.extend(counters);
    }

    /// Puts the gate and its contents in place: sets first, filled aside and swapped in; then the
    /// rules, a table in one step; then what nothing asks any more goes. Counters go on.
    ///
    /// # Errors
    /// What iptables cannot do, or a program says. What was in force still is then, but for what is in
    /// the sets. [`Refusal::without`] says what may be fine.
    pub fn install(
        &mut self,
        gate: &Gate,
        contents: Contents<'_>,
        now: Time,
    ) -> Result<Installed, Refusal> {
        let layout = Arc::new(Layout::of(gate).map_err(|unsaid| unable(&unsaid))?);
        let entries = layout.entries(gate, contents, now);
        let ran = self.ask_ipset(&["-exist", "restore"], &layout.sets_text(&entries));
        ran.map_err(|why| blame_set(gate, &layout, why))?;
        let mut texts = Vec::new();
        for family in Family::BOTH {
            let Some(restore) = self.programs.restore(family) else { continue };
            let found = self.found(family, gate.table(), Doing::Install)?;
            let mut counts = found.counts.clone();
            counts.retain(|name, _| !self.forgotten.contains(name));
            let rules = Rules { found: &found, counts };
            let text = rules.text(layout.tables(family));
            if let Err(why) = good(program::ask(restore, &["--noflush", "--test"], &text)) {
                return Err(self.blame_rule(gate, &found, family, why));
            }
            let text = text + &rules.tidying(layout.tables(family));
            texts.push((family, restore.to_owned(), text, rules.counts));
        }
        self.carried.retain(|name, _| !self.forgotten.contains(name));
        for (family, restore, text, counts) in texts {
            let ran = program::ask(&restore, &["--noflush", "--counters"], &text);
            good(ran).map_err(|why| said(Doing::Install, why))?;
            self.carry(&counts, &self.found(family, gate.table(), Doing::Install)?.counts);
        }
        self.sweep(&layout);
        self.forgotten.clear();
        self.inside = Inside::of(&entries);
        self.written = Some((gate.clone(), layout));
        let (placed, admitted) =
            (gate.place(contents.holds, now), gate.admit(contents.passes, now));
        Ok(Installed {
            placed: placed.sets.values().map(Vec::len).sum(),
            over: placed.over,
            misplaced: placed.misplaced,
            admitted: admitted.count,
            stray: admitted.misplaced,
            transactions: 1,
        })
    }

    /// Keeps what was counted and is not there any more.
    fn carry(&mut self, before: &Counts, after: &Counts) {
        for (name, (packets, bytes)) in before {
            let (p, b) = after.get(name).copied().unwrap_or_default();
            if p < *packets {
                add(&mut self.carried, name, (packets - p, bytes.saturating_sub(b)));
            }
        }
    }

    pub(crate) fn ask_ipset(
        &self,
        args: &[&str],
        input: &str,
    ) -> Result<String, (String, Option<String>)> {
        let ran = match program::ask(&self.programs.ipset, args, input) {
            Ok(ran) if ran.good => return Ok(ran.printed),
            Ok(ran) => ran,
            Err(error) => return Err((error.to_string(), None)),
        };
        let line = ran.line().and_then(|at| input.lines().nth(at.checked_sub(1)?));
        Err((ran.complaint(), line.map(str::to_owned)))
    }

    /// Which part of the gate a program does not understand: that without which it does.
    fn blame_rule(&self, gate: &Gate, found: &Found, family: Family, why: String) -> Refusal {
        let fine = |gate: &Gate| {
            let (Ok(layout), Some(restore)) = (Layout::of(gate), self.programs.restore(family))
            else {
                return false;
            };
            let text = Rules { found, counts: Counts::new() }.text(layout.tables(family));
            good(program::ask(restore, &["--noflush", "--test"], &text)).is_ok()
        };
        let has_policy = gate.policy().or(gate.trying()).is_some();
        let has_doors = !gate.doorway().is_empty();
        let plain = gate.without_policy();
        let doing = match () {
            () if gate.tells_of_ports() && fine(&gate.without_portscan()) => Doing::InstallPortScan,
            () if has_policy && fine(&plain) => Doing::InstallPolicy,
            () if has_doors && fine(&gate.without_doorway()) => Doing::InstallDoors,
            // Both, one after the other.
            () if has_policy && has_doors && fine(&plain.without_doorway()) => Doing::InstallPolicy,
            () => Doing::Install,
        };
        said(doing, why)
    }

    pub(crate) fn found(
        &self,
        family: Family,
        table: &str,
        doing: Doing,
    ) -> Result<Found, Refusal> {
        self.programs.found(family, table).map_err(|why| said(doing, why))
    }

    /// Takes away our sets that no rule asks any more.
    fn sweep(&self, layout: &Layout) {
        let there = self.ask_ipset(&["list", "-n"], "").unwrap_or_default();
        for set in layout.stale_sets(&there) {
            // One that somebody else's rule asks stays.
            let _ = self.ask_ipset(&["destroy", &set], "");
        }
    }

    /// The layout of a gate: that which stands, as a rule.
    pub(crate) fn layout(&self, gate: &Gate, doing: Doing) -> Result<Arc<Layout>, Refusal> {
        match &self.written {
            Some((written, layout)) if written == gate => Ok(layout.clone()),
            _ => Layout::of(gate).map(Arc::new).map_err(|unsaid| said(doing, unsaid_text(&unsaid))),
        }
    }

    /// Carries out changes in order. A refused change does not hinder the others. One result per
    /// change.
    pub fn apply(
        &mut self,
        gate: &Gate,
        changes: &[Change],
        now: Time,
    ) -> Vec<Result<(), Refusal>> {
        let layout = match self.layout(gate, Doing::Install) {
            Ok(layout) => layout,
            Err(why) => return changes.iter().map(|_| Err(why.clone())).collect(),
        };
        let mut results: Vec<Result<(), Refusal>> = changes.iter().map(|_| Ok(())).collect();
        let mut pending: Vec<(usize, String, String, Left)> = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            match change.members(gate, now) {
                Ok((members, left)) => {
                    let entries = members.iter().flat_map(|(set, m)| layout.entries_of(set, m));
                    pending.extend(entries.map(|(set, entry)| (at, set, entry, left)));
                }
                Err(why) => results[at] = Err(change.refused(Cause::Misplaced(why))),
            }
        }
        while let Err((why, line)) = self.put(&pending) {
            // The change whose line it is; or all of them.
            let lost = why.contains("does not exist");
            let guilty: BTreeSet<usize> = pending
                .iter()
                .filter(|(_, set, entry, left)| {
                    let own = Layout::change(set, entry, *left);
                    lost || line.as_deref().is_none_or(|line| own.trim_end() == line)
                })
                .map(|(at, ..)| *at)
                .collect();
            let all = guilty.is_empty();
            for (at, ..) in pending.iter().filter(|(at, ..)| all || guilty.contains(at)) {
                let cause = Cause::Program { said: why.clone(), lost };
                results[*at] = Err(changes[*at].refused(cause));
            }
            pending.retain(|(at, ..)| !all && !guilty.contains(at));
        }
        for (_, set, entry, left) in pending {
            self.inside.note(&set, &entry, left);
        }
        results
    }

    pub(crate) fn put(
        &self,
        pending: &[(usize, String, String, Left)],
    ) -> Result<(), (String, Option<String>)> {
        if pending.is_empty() {
            return Ok(());
        }
        let lines = pending.iter().map(|(_, set, entry, left)| Layout::change(set, entry, *left));
        let text: String = lines.collect();
        self.ask_ipset(&["-exist", "restore"], &text).map(|_| ())
    }

    /// Replaces the ports that are knocked at. Nothing if the gate does not listen.
    ///
    /// # Errors
    /// When ipset refuses it.
    pub fn hear(&mut self, gate: &Gate, hits: &[Hit]) -> Result<(), Refusal> {
        let layout = self.layout(gate, Doing::Hear)?;
        let mut entries = Entries::new();
        for (set, members) in gate.listen_for(hits) {
            entries.entry(layout.set_name(&set)).or_default();
            for (set, entry) in members.iter().flat_map(|member| layout.entries_of(&set, member)) {
                entries.entry(set).or_default().push((entry, Left::Ever));
            }
        }
        let ran = self.ask_ipset(&["-exist", "restore"], &layout.refill(&entries));
        ran.map_err(|why| lacking(Doing::Hear, why.0))?;
        self.inside.replace(&entries);
        Ok(())
    }

    /// Puts what a gate does for a while only ([`Gate::switch`], [`Gate::trial`],
    /// [`Gate::policy_trial`]) in force for so long from now; it ends by itself.
    ///
    /// # Errors
    /// When ipset refuses it.
    pub fn for_a_while(
        &mut self,
        gate: &Gate,
        switch: Option<Switch>,
        span: Duration,
    ) -> Result<(), Refusal> {
        let Some((set, members)) = switch else { return Ok(()) };
        let layout = self.layout(gate, Doing::Hear)?;
        let left = Left::of(Some(Time::default().plus(span)), Time::default());
        let entries = members.iter().flat_map(|member| layout.entries_of(set, member));
        let pending: Vec<_> = entries.map(|(set, entry)| (0, set, entry, left)).collect();
        self.put(&pending).map_err(|why| lacking(Doing::Hear, why.0))?;
        for (_, set, entry, left) in pending {
            self.inside.note(&set, &entry, left);
        }
        Ok(())
    }

    /// Removes all chains and sets of a gate; success also when there were none.
    ///
    /// # Errors
    /// When a program refuses it.
    pub fn remove(&mut self, gate: &Gate) -> Result<(), Refusal> {
        let nothing = Layout::empty(gate.table());
        let cleared = self.programs.clear(gate.table(), &nothing);
        self.clear_other_form(gate)?;
        self.sweep(&nothing);
        cleared.map_err(|why| said(Doing::Remove, why))
    }

    /// Takes away what stands in the other form of iptables, as where an administrator began or ended to
    /// use the old one: nobody would look after it.
    ///
    /// # Errors
    /// When a program refuses it.
    pub fn clear_other_form(&self, gate: &Gate) -> Result<(), Refusal> {
        let Some(other) = &self.other else { return Ok(()) };
        let nothing = Layout::empty(gate.table());
        let cleared = other.clear(gate.table(), &nothing);
        self.sweep(&nothing);
        cleared.map_err(|why| said(Doing::Remove, why))
    }
}

/// Adds to a counter.
pub(crate) fn add(counts: &mut Counts, name: &str, (packets, bytes): (u64, u64)) {
    let sum = counts.entry(name.to_owned()).or_default();
    *sum = (sum.0.saturating_add(packets), sum.1.saturating_add(bytes));
}

fn unsaid_text(unsaid: &[Unsaid]) -> String {
    unsaid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What of a gate iptables has no words for: of one part at a time.
fn unable(unsaid: &[Unsaid]) -> Refusal {
    let has = |part| unsaid.iter().any(|one| one.part == part);
    let (part, doing) = match () {
        () if has(Part::Proxy) => (Part::Proxy, Doing::InstallProxy),
        () if has(Part::Floods) => (Part::Floods, Doing::InstallFlood),
        () if has(Part::PortScan) => (Part::PortScan, Doing::InstallPortScan),
        () if has(Part::Policy) => (Part::Policy, Doing::InstallPolicy),
        () if has(Part::Nat) => (Part::Nat, Doing::InstallNat),
        () if has(Part::Doors) => (Part::Doors, Doing::InstallDoors),
        () => (Part::Bans, Doing::Install),
    };
    let own: Vec<Unsaid> = unsaid.iter().filter(|one| one.part == part).cloned().collect();
    said(doing, unsaid_text(&own))
}

/// A set that is gone is a part of the gate that is missing.
fn lacking(doing: Doing, why: String) -> Refusal {
    let lost = why.contains("does not exist");
    Refusal { doing, cause: Cause::Program { said: why, lost } }
}

/// Which part of the gate the set belongs to that ipset refused.
fn blame_set(gate: &Gate, layout: &Layout, (why, line): (String, Option<String>)) -> Refusal {
    let words: Vec<&str> = line.as_deref().unwrap_or_default().split(' ').collect();
    let named = |set: &str| words.iter().any(|word| *word == set || *word == layout.aside(set));
    let guilty = layout.sets.iter().find(|set| named(&set.name));
    let lacks = |gate: Gate| {
        let (Some(guilty), Ok(less)) = (guilty, Layout::of(&gate)) else { return false };
        !less.sets.iter().any(|set| set.name == guilty.name)
    };
    let doing = match () {
        () if lacks(gate.without_portscan()) => Doing::InstallPortScan,
        () if lacks(gate.without_policy()) => Doing::InstallPolicy,
        () if lacks(gate.without_doorway()) => Doing::InstallDoors,
        () => Doing::Install,
    };
    said(doing, why)
}
