//! `[flood]`: how much may come to the ports of telephones. Of several files, later ones have the last
//! word on each option.

use crate::near;
use crate::policy::FloodConf;
use crate::problem::{Notes, Wrong};
use crate::quoted::Said;
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::gate::policy::{Rate, Services};
use sereno_core::gate::{Flood, PortRange, Proto};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The options of `[flood]`, each with a right value.
const OPTIONS: [(&str, &str); 8] = [
    ("enabled", "true"),
    ("ports", "[\"sip\", \"sips\", \"iax2\"]"),
    ("voice", "[\"iax2\"]"),
    ("stranger", "\"10/second burst 100\""),
    ("strangers", "\"200/second burst 250\""),
    ("known", "\"300/second burst 3000\""),
    ("memory", "\"30d\""),
    ("syn_proxy", "[\"https\", \"tcp/8443\"]"),
];

/// What holds before any file has spoken: about what 50 telephones behind one address send when they all
/// begin at once, what an exchange answers without an effort, and what a trunk of 30 calls a second sends.
pub(crate) fn usual() -> FloodConf {
    let rate = |count, burst| Rate { count, per: Duration::from_secs(1), burst };
    let flood = Flood {
        ports: Services::phones(),
        voice: Services::default().ports("iax2").unwrap_or_default(),
        stranger: rate(10, 100),
        strangers: rate(200, 250),
        known: rate(300, 3000),
        friends: Vec::new(),
    };
    FloodConf { flood, memory: Duration::from_secs(30 * 86_400), syn_proxy: Vec::new() }
}

/// Reads `[flood]` of all files; `None` if none has it, or it is not enabled.
pub(crate) fn flood(files: &[Written<'_>], notes: &mut Notes) -> Option<FloodConf> {
    let before = notes.errors();
    let (mut conf, mut enabled) = (None, true);
    let mut place = None;
    for file in files {
        let Some(table) = file.section("flood", notes) else { continue };
        let header = file.table.get_key_value("flood").map_or(0..0, |(key, _)| key.span());
        place = Some((file.doc, header));
        options(conf.get_or_insert_with(usual), &mut enabled, file, table, notes);
    }
    let idle = |conf: &FloodConf| conf.flood.ports.is_empty() && conf.syn_proxy.is_empty();
    if let (Some((doc, header)), Some(true)) = (place, conf.as_ref().map(idle)) {
        let wrong = Wrong::new(header, "there are no ports here, to measure or to answer at");
        let remedy = "write for example ports = [\"sip\"], or leave [flood] out";
        notes.error(doc, wrong.remedy(remedy));
    }
    conf.filter(|_| enabled && notes.errors() == before)
}

fn options(
    conf: &mut FloodConf,
    enabled: &mut bool,
    file: &Written<'_>,
    table: &DeTable<'_>,
    notes: &mut Notes,
) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((_, example)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            let names = OPTIONS.map(|(option, _)| option);
            let wrong = Wrong::new(key.span(), format!("[flood] has no option {name}"));
            notes.error(file.doc, wrong.remedy(near::remedy(name, &names)));
            continue;
        };
        if !file.whole(&value.span()) {
            continue;
        }
        for mut wrong in take(conf, enabled, file, name, value).err().into_iter().flatten() {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write for example {name} = {example}");
            }
            notes.error(file.doc, wrong);
        }
    }
}

fn take(
    conf: &mut FloodConf,
    enabled: &mut bool,
    file: &Written<'_>,
    name: &str,
    value: &Value<'_>,
) -> Read<()> {
    let flood = &mut conf.flood;
    match name {
        "enabled" => *enabled = value::flag(value)?,
        "ports" => flood.ports = if is_empty(value) { Vec::new() } else { places(value)? },
        "syn_proxy" => {
            conf.syn_proxy = if is_empty(value) { Vec::new() } else { streams(value)? };
        }
        "voice" => {
            flood.voice = any_places(value)?;
            // Voice of IAX2 comes over UDP.
            flood.voice.retain(|range| range.proto() == Proto::Udp);
        }
        "stranger" => flood.stranger = rate(value, file)?,
        "strangers" => flood.strangers = rate(value, file)?,
        "known" => flood.known = rate(value, file)?,
        _ => conf.memory = value::lasting(value)?,
    }
    Ok(())
}

fn is_empty(value: &Value<'_>) -> bool {
    matches!(value.get_ref(), DeValue::Array(list) if list.is_empty())
}

/// Services or ports, of TCP and UDP; perhaps none.
pub(crate) fn any_places(value: &Value<'_>) -> Read<Vec<PortRange>> {
    if is_empty(value) { Ok(Vec::new()) } else { places(value) }
}

/// Services or ports, of TCP and UDP.
fn places(value: &Value<'_>) -> Read<Vec<PortRange>> {
    let found = value::each(value, |one| {
        let text = value::text(one)?;
        let ranges = Services::default().ports(text).filter(|ranges| {
            ranges.iter().all(|range| matches!(range.proto(), Proto::Tcp | Proto::Udp))
        });
        let wrong = || {
            let message =
                format!("{} is no service, and no port of tcp or udp", crate::amount::quote(text));
            Wrong::new(one.span(), message).alone()
        };
        ranges.map_or_else(wrong, Ok)
    })?;
    match found.concat() {
        ranges if ranges.is_empty() => Wrong::new(value.span(), "there are no ports here").alone(),
        ranges if ranges.len() > MOST => {
            Wrong::new(value.span(), format!("{MOST} ranges of ports are the most")).alone()
        }
        ranges => Ok(ranges),
    }
}

/// The ports of TCP among services or ports; some of each.
fn streams(value: &Value<'_>) -> Read<Vec<PortRange>> {
    let found = value::each(value, |one| {
        let mut ranges = places(one)?;
        ranges.retain(|range| range.proto() == Proto::Tcp);
        if ranges.is_empty() {
            let message = format!("{} has no port of tcp", crate::amount::quote(value::text(one)?));
            return Wrong::new(one.span(), message).alone();
        }
        Ok(ranges)
    })?;
    let mut ranges = found.concat();
    ranges.sort_unstable();
    ranges.dedup();
    if ranges.len() > MOST {
        return Wrong::new(value.span(), format!("{MOST} ranges of ports are the most")).alone();
    }
    Ok(ranges)
}

/// Ranges of ports of one option at most.
const MOST: usize = 16;

/// `10/second burst 100`.
fn rate(value: &Value<'_>, file: &Written<'_>) -> Read<Rate> {
    let said = Said::new(value, file.text)?;
    Rate::parse(&said.text).or_else(|wrong| {
        let place = said.within(wrong.at, wrong.width);
        Wrong::new(place, wrong.message).remedy("write for example \"10/second burst 100\"").alone()
    })
}
