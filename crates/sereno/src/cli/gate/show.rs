//! Policies and reasons for people.

use crate::cli::paint::{self, Column, Paint, moment, table};
use crate::words;
use sereno_core::gate::policy::{Policy, Rule, WORLD, Zone};
use sereno_core::gate::{Excess, Reason};
use sereno_wire::gate::{Accepted, PolicyStatus, Reachable, Reached, Trying};
use std::io::{self, Write, stdout};

/// The policy in force, and one on trial.
pub(super) fn policy(status: &PolicyStatus, out: &mut impl Write) -> io::Result<()> {
    if status.panic.is_some() {
        writeln!(out, "{}\n", words::policy_panic())?;
    }
    // Only one of them decides, and is counted.
    let trying = status.trying.is_some();
    match &status.accepted {
        Some(Accepted { policy, since }) => {
            writeln!(out, "{}", words::gate_in_force(moment(*since)))?;
            rules(policy, if trying { &[] } else { &status.counts }, out)?;
        }
        None if status.panic.is_some() => {}
        None => writeln!(out, "{}", words::gate_all_open())?,
    }
    if let Some(Trying { policy, until }) = &status.trying {
        writeln!(out, "\n{}", words::gate_trying(moment(*until)))?;
        rules(policy, &status.counts, out)?;
    }
    if let Some(why) = &status.refused {
        writeln!(out, "\n{}", words::alarm_lawless(why))?;
    }
    if status.differs && !trying {
        writeln!(out, "\n{}", words::gate_differs())?;
    }
    Ok(())
}

fn rules(policy: &Policy, counts: &[(String, u64)], out: &mut impl Write) -> io::Result<()> {
    for zone in &policy.zones {
        writeln!(out, "  {}", members(zone))?;
    }
    let plain = anstyle::Style::new();
    let columns = [
        Column::right(words::gate_packets()),
        Column::right(words::gate_line()),
        Column::left("", plain),
    ];
    let count = |name: &str| {
        let found = counts.iter().find(|(known, _)| known == name);
        found.map_or_else(|| "-".to_owned(), |(_, packets)| packets.to_string())
    };
    let row = |counter: &str, at: usize, rule: &Rule| {
        let number = (at + 1).to_string();
        vec![count(&format!("{counter}_{number}")), number, paint::safe(&rule.text).into_owned()]
    };
    let lines = policy.rules.iter().enumerate().map(|(at, rule)| row("rule", at, rule));
    let rests = policy.names().map(|zone| {
        let open = policy.is_open(zone);
        let text = if open { words::gate_rest_open(zone) } else { words::gate_rest(zone) };
        vec![count(&format!("rest_{zone}")), String::new(), text]
    });
    let invalid = [vec![count("invalid"), String::new(), words::gate_invalid()]];
    let rows: Vec<Vec<String>> = lines.chain(rests).chain(invalid).collect();
    write!(out, "{}", table(Paint::on(&stdout()), &columns, &rows))?;
    if policy.out.is_some() {
        writeln!(out, "  {}", words::gate_out())?;
        let lines = policy.out().iter().enumerate().map(|(at, rule)| row("out_rule", at, rule));
        let rest = [vec![count("out_rest"), String::new(), words::gate_out_rest()]];
        let rows: Vec<Vec<String>> = lines.chain(rest).collect();
        write!(out, "{}", table(Paint::on(&stdout()), &columns, &rows))?;
    }
    Ok(())
}

fn members(zone: &Zone) -> String {
    let networks = zone.networks.iter().map(ToString::to_string);
    let all: Vec<String> = networks.chain(zone.interfaces.iter().cloned()).collect();
    let all = all.join(", ");
    let all = paint::safe(&all);
    if zone.open { words::gate_zone_open(zone.name, all) } else { words::gate_zone(zone.name, all) }
}

/// The policies that were in force.
pub(super) fn history(status: &PolicyStatus, out: &mut impl Write) -> io::Result<()> {
    for past in &status.history {
        let what = past.rules.map_or_else(words::gate_past_open, words::gate_past_rules);
        writeln!(out, "{:>4}  {}  {what}", past.number, moment(past.since))?;
    }
    Ok(())
}

/// Whether the world reaches what it should not.
pub(super) fn is_bad(one: &Reached) -> bool {
    one.delicate && one.zones.iter().any(|zone| zone.as_str() == WORLD)
}

/// Who listens, and what is open to nobody.
pub(super) fn reachable(found: &Reachable, out: &mut impl Write) -> io::Result<()> {
    let about = if found.of_files { words::diff_of_files() } else { words::diff_in_force() };
    writeln!(out, "{about}")?;
    let plain = anstyle::Style::new();
    let columns = [
        Column::left(words::diff_port(), paint::WHO),
        Column::left(words::diff_program(), plain),
        Column::left(words::diff_from(), plain),
        Column::left("", paint::BAD),
    ];
    let row = |one: &Reached| {
        let zones = one.zones.iter().map(ToString::to_string);
        let zones: Vec<String> =
            zones.chain(one.networks.iter().map(ToString::to_string)).collect();
        let zones = if zones.is_empty() { words::diff_closed() } else { zones.join(", ") };
        let at = if one.addr.is_unspecified() { String::new() } else { format!(" {}", one.addr) };
        let bad = if is_bad(one) { words::diff_bad() } else { String::new() };
        let port = format!("{}/{}{at}", one.proto.as_str(), one.port);
        vec![port, paint::safe(&one.program).into_owned(), zones, bad]
    };
    let rows: Vec<Vec<String>> = found.listeners.iter().map(row).collect();
    write!(out, "{}", table(Paint::on(&stdout()), &columns, &rows))?;
    for (number, text) in &found.idle {
        writeln!(out, "{}", words::diff_idle(number, paint::safe(text)))?;
    }
    for text in &found.kept {
        writeln!(out, "{}", words::diff_kept(paint::safe(text)))?;
    }
    Ok(())
}

/// A reason in words.
pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Ban(scope) => words::reason_ban(scope),
        Reason::List(list) => words::reason_list(list),
        Reason::Listed(list) => words::reason_listed(list),
        Reason::Door(door) => words::reason_door(door),
        Reason::Closed(door) => words::reason_closed(door),
        Reason::Rule(number, text) => words::reason_rule(number, paint::safe(text)),
        Reason::Rest(zone) => words::reason_rest(zone),
        Reason::Out(number, text) => words::reason_out(number, paint::safe(text)),
        Reason::OutRest => words::reason_out_rest(),
        Reason::Invalid => words::gate_invalid(),
        Reason::Proxied => words::reason_proxied(),
        Reason::Flood(Excess::Known) => words::reason_flood_known(),
        Reason::Flood(Excess::Source) => words::reason_flood_source(),
        Reason::Flood(Excess::Strangers) => words::reason_flood_strangers(),
        Reason::Needed => words::reason_needed(),
    }
}
