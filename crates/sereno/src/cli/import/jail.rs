//! A jail as a section of a configuration file.

use super::origin::Origin;
use super::toml;
use sereno_config::{JailConf, SourceConf};
use sereno_core::addr::Prefix;
use sereno_core::gate::{Block, Ports};
use sereno_core::jail::JailPolicy;
use sereno_fail2ban::Jail;
use std::fmt::Write as _;
use std::time::Duration;

/// A list of more characters has a line for every value.
const SHORT: usize = 90;

/// An option and its value, as TOML has them.
pub(super) type Setting = (&'static str, String);

/// All options by which jails of fail2ban's differ, except whom they leave alone.
pub(super) fn settings(policy: &JailPolicy) -> Vec<Setting> {
    let ports = match &policy.ports {
        Ports::All => "\"all\"".to_owned(),
        Ports::Only(ranges) => {
            let ranges: Vec<String> = ranges.iter().map(|range| format!("\"{range}\"")).collect();
            toml::list(&ranges)
        }
    };
    let block = match policy.block {
        None | Some(Block::Drop) => "\"drop\"",
        Some(Block::Reject) => "\"reject\"",
        Some(Block::Reset) => "\"reset\"",
    };
    let grown = &policy.increment;
    let mut all = vec![
        ("ports", ports),
        ("block", block.to_owned()),
        ("maxretry", policy.maxretry.to_string()),
        ("findtime", toml::length(policy.findtime)),
        ("bantime", toml::ever(policy.bantime)),
        ("maxmatches", policy.evidence.to_string()),
        ("bantime.rndtime", toml::length(grown.rndtime)),
        ("bantime.increment", grown.increment.to_string()),
    ];
    // The others do nothing while bans do not grow.
    if grown.increment {
        let times: Vec<String> = grown.multipliers.iter().map(|n| format!("{n:?}")).collect();
        all.push(("bantime.factor", format!("{:?}", grown.factor)));
        all.push(("bantime.multipliers", toml::list(&times)));
        all.push(("bantime.maxtime", toml::ever(grown.maxtime)));
        all.push(("bantime.overalljails", grown.overalljails.to_string()));
    }
    all
}

/// Makes whole seconds of all lengths of time; whether any was not.
pub(super) fn round(policy: &mut JailPolicy) -> bool {
    let mut rounded = false;
    let mut up = |length: &mut Duration| {
        if length.subsec_nanos() > 0 {
            *length = Duration::from_secs(length.as_secs() + 1);
            rounded = true;
        }
    };
    up(&mut policy.findtime);
    policy.bantime.iter_mut().for_each(&mut up);
    up(&mut policy.increment.rndtime);
    policy.increment.maxtime.iter_mut().for_each(&mut up);
    rounded
}

/// Earlier bans that a list of multipliers knows of; the last one repeats.
const COUNTED: u32 = 20;
/// The largest multiplier.
const LARGEST: f64 = 1e6;

/// Makes multipliers of a formula, which a configuration of Sereno's own does not have; whether there
/// was one.
pub(super) fn list(policy: &mut JailPolicy) -> bool {
    let (grown, base) = (&mut policy.increment, policy.bantime.unwrap_or_default());
    if grown.formula.is_none() {
        return false;
    }
    let times = |count| grown.length(base, count, 0.0).as_secs_f64() / base.as_secs_f64().max(1.0);
    let times = (0..=COUNTED).map(|count| times(count).clamp(1.0, LARGEST)).collect();
    (grown.multipliers, grown.factor, grown.formula) = (times, 1.0, None);
    true
}

/// A section.
pub(super) struct Section<'t> {
    pub(super) origin: Origin<'t>,
    pub(super) jail: &'t Jail,
    pub(super) conf: &'t JailConf,
    /// What the section is called by which rule.
    pub(super) rule: &'t str,
    /// Who is left alone here, and is no friend of all.
    pub(super) ignored: &'t [Prefix],
    /// What differs from what holds without a word.
    pub(super) settings: Vec<Setting>,
}

impl Section<'_> {
    /// Its text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let name = toml::remark(&self.jail.name);
        let from = self.origin.said(self.jail.options.get("enabled"));
        let _ = writeln!(out, "# fail2ban [{name}] {from}");
        let _ = writeln!(out, "[jail.{}]", self.conf.policy.name);
        if self.rule != self.conf.policy.name.as_str() {
            self.put(&mut out, "rule", &toml::plain(self.rule), "filter");
        }
        for source in &self.conf.sources {
            let (key, list, from) = match source {
                SourceConf::Files(paths) => ("logpath", paths, "logpath"),
                SourceConf::Journal(matches) => ("journal", matches, "journalmatch"),
                SourceConf::Gate(_) => continue,
            };
            let values: Vec<String> = list.iter().map(|text| toml::plain(text)).collect();
            let value = match values.as_slice() {
                [] => "\"all\"".to_owned(),
                few if toml::list(few).len() < SHORT => toml::list(few),
                many => toml::lines(many),
            };
            self.put(&mut out, key, &value, from);
        }
        if !self.ignored.is_empty() {
            let values: Vec<String> = self.ignored.iter().map(|p| format!("\"{p}\"")).collect();
            self.put(&mut out, "ignoreip", &toml::list(&values), "ignoreip");
        }
        for (key, value) in &self.settings {
            let from = if matches!(*key, "ports" | "block") { "action" } else { key };
            self.put(&mut out, key, value, from);
        }
        out
    }

    fn put(&self, out: &mut String, key: &str, value: &str, option: &str) {
        let filter = self.jail.filter.as_ref();
        let text = self.jail.options.get(option).or_else(|| filter?.options.get(option));
        let from = self.origin.said(text);
        let remark = if from.is_empty() { String::new() } else { format!("  # {from}") };
        let _ = writeln!(out, "{} = {value}{remark}", toml::key(key));
    }
}
