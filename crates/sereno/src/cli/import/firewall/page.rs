//! A policy as the `[gate]` of a file.

use super::toml;
use sereno_core::gate::policy::{Policy, Rule, TRUSTED, Zone};
use std::fmt::Write as _;

/// Zones that are options of their own.
const NAMED: [&str; 2] = [TRUSTED, "local"];

/// The file, with these words at its head.
pub(in crate::cli) fn page(policy: &Policy, head: &str) -> String {
    let mut text: String = head.lines().map(|line| format!("# {}\n", toml::remark(line))).collect();
    text.push_str("[gate]\n");
    let members = |zone: &Zone| {
        let networks = zone.networks.iter().map(|network| format!("\"{network}\""));
        let interfaces = zone.interfaces.iter().map(|name| toml::plain(name));
        toml::list(&networks.chain(interfaces).collect::<Vec<_>>())
    };
    let is_named = |zone: &&Zone| NAMED.contains(&zone.name.as_str());
    for zone in policy.zones.iter().filter(is_named) {
        let _ = writeln!(text, "{} = {}", zone.name, members(zone));
    }
    let others: Vec<String> = policy
        .zones
        .iter()
        .filter(|zone| !is_named(zone))
        .map(|zone| format!("{} = {}", zone.name, members(zone)))
        .collect();
    if !others.is_empty() {
        let _ = writeln!(text, "zones = {{ {} }}", others.join(", "));
    }
    let _ = writeln!(text, "ping = {}", policy.ping);
    if policy.asymmetric {
        text.push_str("asymmetric = true\n");
    }
    for (name, rules) in [("rules", Some(&policy.rules)), ("out", policy.out.as_ref())] {
        let lines = |rules: &Vec<Rule>| rules.iter().map(|rule| toml::plain(&rule.text)).collect();
        let lines: Option<Vec<String>> = rules.map(lines);
        text.extend(lines.map(|lines| format!("{name} = {}\n", toml::lines(&lines))));
    }
    text
}
