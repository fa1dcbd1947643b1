//! `[gate]`: who may reach what on this machine, and what it may reach. Of several files, later ones have the last word on
//! each option.

use crate::doubts;
use crate::machine::Machine;
use crate::near;
use crate::problem::{Notes, Wrong};
use crate::quoted::Said;
use crate::value::{self, Read, Value};
use crate::written::Written;
use jiff::tz::TimeZone;
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::{Known, Policy, Rule, Services, Side, TRUSTED, Zone};
use sereno_core::gate::{Name, Ports};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The options of `[gate]`, each with a right value.
const OPTIONS: [(&str, &str); 8] = [
    ("trusted", "[\"192.168.0.0/24\", \"2001:db8::/48\", \"wg0\"]"),
    ("local", "[\"10.8.0.0/16\", \"eth1\"]"),
    ("zones", "{ guests = [\"192.168.50.0/24\", \"wlan0\"] }"),
    ("services", "{ zulu = \"tcp/8002\" }"),
    ("rules", "[\"allow ssh\", \"allow sip, rtp\"]"),
    ("out", "[\"allow dns, ntp\", \"allow sip to 203.0.113.10\"]"),
    ("ping", "true"),
    ("asymmetric", "false"),
];

/// Lines as they are written, each with its document.
type Lines = Vec<(usize, Said)>;

/// What the files say, in the order in which it has to be read.
#[derive(Default)]
struct Draft {
    zones: Vec<Zone>,
    services: Services,
    rules: Lines,
    out: Option<Lines>,
    ping: bool,
    asymmetric: bool,
    /// The interfaces in zones, and where they stand.
    interfaces: Vec<(usize, Range<usize>, String)>,
}

/// Reads `[gate]` of all files. Dates of rules are at home in `zone`.
pub(crate) fn gate(
    files: &[Written<'_>],
    zone: &TimeZone,
    machine: Machine<'_>,
    notes: &mut Notes,
) -> Option<Policy> {
    let before = notes.errors();
    let mut draft = Draft { ping: true, ..Draft::default() };
    let mut place = None;
    for file in files {
        let Some(table) = file.section("gate", notes) else { continue };
        let header = file.table.get_key_value("gate").map_or(0..0, |(key, _)| key.span());
        place = Some((file.doc, header));
        options(&mut draft, file, table, notes);
    }
    let (doc, header) = place?;
    let mut policy = Policy {
        zones: std::mem::take(&mut draft.zones),
        rules: Vec::new(),
        out: None,
        ping: draft.ping,
        asymmetric: draft.asymmetric,
        cut: false,
    };
    let names: Vec<Name> = policy.names().collect();
    let known = Known { services: &draft.services, zones: &names, zone };
    let (rules, said) = lines(&draft.rules, Side::In, known, notes);
    let out = draft.out.as_ref().map(|out| lines(out, Side::Out, known, notes));
    policy.rules = rules;
    if let Some((rules, said)) = out {
        doubts::rules(&rules, &said, machine, notes);
        policy.out = Some(rules);
    }
    if let Err(why) = policy.check() {
        notes.error(doc, Wrong::new(header.clone(), why).remedy("look at [gate] and its zones"));
    }
    doubts::rules(&policy.rules, &said, machine, notes);
    for (doc, span, name) in draft.interfaces {
        if let Some(wrong) = doubts::interface(&name, machine) {
            notes.warn(doc, Wrong { span, ..wrong });
        }
    }
    (notes.errors() == before).then_some(policy)
}

/// The rules of lines that mean something, and those lines.
fn lines<'l>(
    written: &'l Lines,
    side: Side,
    known: Known<'_>,
    notes: &mut Notes,
) -> (Vec<Rule>, Vec<&'l (usize, Said)>) {
    let (mut rules, mut good) = (Vec::new(), Vec::new());
    for line @ (doc, said) in written {
        match Rule::parse_for(side, &said.text, known) {
            Ok(rule) => {
                rules.push(rule);
                good.push(line);
            }
            Err(wrong) => {
                let place = said.within(wrong.at, wrong.width);
                notes.error(*doc, Wrong::new(place, wrong.message).remedy(wrong.remedy));
            }
        }
    }
    (rules, good)
}

fn options(draft: &mut Draft, file: &Written<'_>, table: &DeTable<'_>, notes: &mut Notes) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((_, example)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            let names = OPTIONS.map(|(option, _)| option);
            let message = format!("[gate] has no option {name}");
            let remedy = near::remedy(name, &names);
            notes.error(file.doc, Wrong::new(key.span(), message).remedy(remedy));
            continue;
        };
        if !file.whole(&value.span()) {
            continue;
        }
        for mut wrong in take(draft, file, name, value).err().into_iter().flatten() {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write for example {name} = {example}");
            }
            notes.error(file.doc, wrong);
        }
    }
}

fn take(draft: &mut Draft, file: &Written<'_>, name: &str, value: &Value<'_>) -> Read<()> {
    match name {
        "zones" => {
            for (key, value) in entries(value)? {
                let id = key.get_ref().parse();
                let id = id.or_else(|why: String| Wrong::new(key.span(), why).alone())?;
                put(draft, file.doc, zone(id, value)?);
            }
        }
        "services" => {
            for (key, value) in entries(value)? {
                let ports = match value::ports(value)? {
                    Ports::Only(ranges) => ranges,
                    Ports::All => {
                        let what = "a service has ports; all is written in the rule";
                        return Wrong::new(value.span(), what).alone();
                    }
                };
                draft.services.add(key.get_ref(), ports);
            }
        }
        "rules" | "out" => {
            let lines = value::each(value, |line| Said::new(line, file.text))?;
            let lines = lines.into_iter().map(|line| (file.doc, line)).collect();
            match name {
                "out" => draft.out = Some(lines),
                _ => draft.rules = lines,
            }
        }
        "ping" => draft.ping = value::flag(value)?,
        "asymmetric" => draft.asymmetric = value::flag(value)?,
        known => {
            let id = known.parse();
            let id = id.or_else(|why: String| Wrong::new(value.span(), why).alone())?;
            put(draft, file.doc, zone(id, value)?);
        }
    }
    Ok(())
}

fn put(draft: &mut Draft, doc: usize, (zone, places): (Zone, Vec<Range<usize>>)) {
    draft.zones.retain(|known| known.name != zone.name);
    let interfaces = zone.interfaces.iter().cloned().zip(places);
    draft.interfaces.extend(interfaces.map(|(name, place)| (doc, place, name)));
    draft.zones.push(zone);
}

/// The keys of a table within a section, and their values.
fn entries<'v, 'd>(
    value: &'v Value<'d>,
) -> Read<impl Iterator<Item = (&'v toml::Spanned<toml::de::DeString<'d>>, &'v Value<'d>)>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table.iter()),
        _ => Wrong::new(value.span(), "names and their values are needed here").alone(),
    }
}

/// Whether somebody meant an address: no interface is called so.
fn is_address(text: &str) -> bool {
    text.contains(['/', ':']) || text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Networks, and interfaces by name; where each interface stands.
fn zone(name: Name, value: &Value<'_>) -> Read<(Zone, Vec<Range<usize>>)> {
    let members = value::each(value, |one| {
        let text = value::text(one)?;
        let network: Result<Prefix, _> = text.parse();
        match network {
            Ok(prefix) => Ok(Ok(prefix)),
            Err(_) if is_address(text) => {
                let message = format!("{} is no network", crate::amount::quote(text));
                Wrong::new(one.span(), message).alone()
            }
            Err(_) => Ok(Err((text.to_owned(), one.span()))),
        }
    })?;
    let (mut networks, mut interfaces, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for member in members {
        match member {
            Ok(prefix) => networks.push(prefix),
            Err((interface, place)) => {
                interfaces.push(interface);
                places.push(place);
            }
        }
    }
    let open = name.as_str() == TRUSTED;
    Ok((Zone { name, networks, interfaces, open }, places))
}
