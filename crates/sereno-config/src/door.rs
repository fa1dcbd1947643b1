//! Doors: `[door.NAME]` of all files. Of a name that stands in several files, later ones have the
//! last word on each option.

use crate::amount::quote;
use crate::near;
use crate::policy::{DoorConf, Way};
use crate::problem::{Notes, Wrong};
use crate::settings;
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::addr::Prefix;
use sereno_core::door::{Hit, MOST_HITS, Sequence};
use sereno_core::gate::Name;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// Ports of one timed sequence, and those they are taken from, where nobody says.
pub(crate) const LENGTH: u8 = 4;
pub(crate) const RANGE: (u16, u16) = (20_000, 60_999);
/// How long one timed sequence is good where nobody says: RFC 6238's step.
pub(crate) const STEP: Duration = Duration::from_secs(30);

/// One option: its name, a right value, and how it is taken.
struct DoorOption {
    name: &'static str,
    example: &'static str,
    take: fn(&mut Draft, &Value<'_>) -> Read<()>,
}

/// A door while its options are read.
struct Draft {
    conf: DoorConf,
    enabled: bool,
    /// What it says of how it is opened: the options, with their places.
    ways: Vec<(&'static str, Range<usize>)>,
    secret: Option<PathBuf>,
    step: Duration,
    length: u8,
    range: (u16, u16),
}

/// What one file says about a door: the file, the place of the door's name, the options.
type Layer<'t, 'd> = (usize, Range<usize>, &'t DeTable<'d>);

const fn option(
    name: &'static str,
    example: &'static str,
    take: fn(&mut Draft, &Value<'_>) -> Read<()>,
) -> DoorOption {
    DoorOption { name, example, take }
}

/// Sets a field of the draft to what was read.
macro_rules! sets {
    ($read:expr => $($field:ident).+) => {
        |draft, value| {
            draft.$($field).+ = $read(value)?;
            Ok(())
        }
    };
}

/// Every option, as the guide lists them.
const OPTIONS: [DoorOption; 18] = [
    option("enabled", "true", sets!(value::flag => enabled)),
    option("ports", "\"tcp/22\"", sets!(|v| value::ports(v).map(Some) => conf.ports)),
    option("knock", "[7311, 2904, 5127]", |draft, value| {
        draft.conf.way = Way::Knock(sequence(value)?);
        draft.ways.push(("knock", value.span()));
        Ok(())
    }),
    option("once", "\"/etc/sereno/doors/ssh.once\"", |draft, value| {
        draft.conf.way = Way::Once(value::path(value)?.into());
        draft.ways.push(("once", value.span()));
        Ok(())
    }),
    option("secret", "\"/etc/sereno/doors/ssh.secret\"", |draft, value| {
        draft.secret = Some(value::path(value)?.into());
        draft.ways.push(("secret", value.span()));
        Ok(())
    }),
    option("spa", "\"/etc/sereno/doors/ssh.access\"", |draft, value| {
        draft.conf.way = Way::Signed(value::path(value)?.into());
        draft.ways.push(("spa", value.span()));
        Ok(())
    }),
    option("within", "\"15s\"", sets!(value::lasting => conf.within)),
    option("open", "\"30s\"", sets!(value::lasting => conf.open)),
    option("step", "\"30s\"", sets!(value::lasting => step)),
    option("length", "4", sets!(|v| value::whole(v, 2, MOST_HITS as u8) => length)),
    option("range", "\"20000-60999\"", sets!(range => range)),
    option("traps", "[23, 3389]", sets!(|v| value::each(v, hit) => conf.traps)),
    option("barred", "\"1m\"", sets!(value::lasting => conf.barred)),
    option("closed", "true", sets!(value::flag => conf.closed)),
    option("cut", "false", sets!(value::flag => conf.cut)),
    option("free", "[\"192.168.1.0/24\"]", sets!(|v| value::each(v, network) => conf.free)),
    option(
        "command",
        "\"/usr/local/sbin/light-on %IP%\"",
        sets!(|v| value::text(v).map(|text| Some(text.to_owned())) => conf.command),
    ),
    option(
        "end-command",
        "\"/usr/local/sbin/light-off %IP%\"",
        sets!(|v| value::text(v).map(|text| Some(text.to_owned())) => conf.end_command),
    ),
];

/// Reads the doors of all files.
pub(crate) fn doors(files: &[Written<'_>], notes: &mut Notes) -> Vec<DoorConf> {
    let mut named: BTreeMap<&str, Vec<Layer<'_, '_>>> = BTreeMap::new();
    let mut broken: Vec<&str> = Vec::new();
    for file in files {
        for (key, value) in file.section("door", notes).into_iter().flatten() {
            let name: &str = key.get_ref();
            match value.get_ref() {
                DeValue::Table(table) => {
                    named.entry(name).or_default().push((file.doc, key.span(), table));
                }
                _ => {
                    let remedy = "write [door.NAME] on a line of its own, and the options below it";
                    let what = format!("{name} stands where the name of a door is expected");
                    notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
                }
            }
            if file.broken(value.span().start) {
                broken.push(name);
            }
        }
    }
    let mut doors = Vec::new();
    for (name, layers) in &named {
        let before = notes.errors();
        let door = door(name, layers, files, notes);
        if notes.errors() == before && !broken.contains(name) {
            doors.extend(door);
        }
    }
    doors
}

/// Reads one door; `None` if it is disabled or nothing comes of it.
fn door(
    name: &str,
    layers: &[Layer<'_, '_>],
    files: &[Written<'_>],
    notes: &mut Notes,
) -> Option<DoorConf> {
    let (doc, header, _) = layers.first()?;
    let id = match name.parse::<Name>() {
        Ok(id) => id,
        Err(why) => {
            let remedy = "write a short name of a-z, 0-9, _ and -, such as [door.ssh]";
            notes.error(*doc, Wrong::new(header.clone(), why).remedy(remedy));
            Name::SERENO
        }
    };
    let conf = DoorConf::new(id);
    let mut draft = Draft {
        conf,
        enabled: true,
        ways: Vec::new(),
        secret: None,
        step: STEP,
        length: LENGTH,
        range: RANGE,
    };
    let errors = notes.errors();
    for (doc, _, table) in layers {
        // What a later file says of how it is opened replaces what was said before.
        draft.ways.clear();
        let file = files.iter().find(|file| file.doc == *doc);
        for (key, value) in *table {
            if file.is_some_and(|file| file.whole(&value.span())) {
                take(&mut draft, name, key.get_ref(), (*doc, key.span()), value, notes);
            }
        }
        if let [_, (second, span), ..] = draft.ways.as_slice() {
            let message = format!("{second} is a second way to open this door");
            let remedy = "a door is opened in one way; make two doors of the same ports";
            notes.error(*doc, Wrong::new(span.clone(), message).remedy(remedy));
        }
    }
    if !draft.enabled || notes.errors() != errors {
        return None;
    }
    let conf = finish(draft);
    for (message, remedy) in lacks(&conf) {
        notes.error(*doc, Wrong::new(header.clone(), message).remedy(remedy));
    }
    if let Way::Knock(sequence) = &conf.way
        && sequence.is_weak()
    {
        let message = "who tries all ports in their order may knock at this door";
        let remedy = "take three ports or more that go up and down, such as [7311, 2904, 5127]";
        notes.warn(*doc, Wrong::new(header.clone(), message).remedy(remedy));
    }
    Some(conf)
}

fn take(
    draft: &mut Draft,
    door: &str,
    name: &str,
    (doc, span): (usize, Range<usize>),
    value: &Value<'_>,
    notes: &mut Notes,
) {
    let Some(option) = OPTIONS.iter().find(|option| option.name == name) else {
        let names = OPTIONS.map(|option| option.name);
        let message = format!("[door.{door}] has no option {name}");
        notes.error(doc, Wrong::new(span, message).remedy(near::remedy(name, &names)));
        return;
    };
    for mut wrong in (option.take)(draft, value).err().into_iter().flatten() {
        if wrong.remedy.is_empty() {
            wrong.remedy = format!("write for example {name} = {}", option.example);
        }
        notes.error(doc, wrong);
    }
}

fn finish(draft: Draft) -> DoorConf {
    let Draft { mut conf, secret, step, length, range, .. } = draft;
    if let Some(path) = secret {
        conf.way = Way::Timed { secret: path, step, length, range };
    }
    conf
}

/// What a door cannot do without.
fn lacks(conf: &DoorConf) -> impl Iterator<Item = (&'static str, &'static str)> {
    let signed = matches!(conf.way, Way::Signed(_));
    let nothing = conf.ports.is_none() && conf.command.is_none() && !signed;
    let both = conf.ports.is_some() && conf.command.is_some();
    [
        (conf.way == Way::Hand).then_some((
            "nothing opens this door",
            "add knock = [7311, 2904, 5127] with other ports, or secret, once or spa with the path \
             of a file",
        )),
        nothing.then_some(("nothing is behind this door", "add ports = \"tcp/22\", or a command")),
        both.then_some((
            "this door has ports and a command",
            "make two doors of the same knock: one with ports, one with the command",
        )),
        (conf.end_command.is_some() && conf.command.is_none())
            .then_some(("an end-command without a command is never run", "add a command")),
        (signed && conf.command.is_some()).then_some((
            "what a signed packet runs stands in its file",
            "leave the command out here, and write CMD_CYCLE_OPEN in the file",
        )),
    ]
    .into_iter()
    .flatten()
}

/// An address or network that needs no knock.
fn network(value: &Value<'_>) -> Read<Prefix> {
    let remedy = "write the network, for example free = [\"192.168.1.0/24\", \"2001:db8::/48\"]";
    let fill = |wrongs: Vec<Wrong>| wrongs.into_iter().map(|wrong| wrong.remedy(remedy)).collect();
    settings::prefix(value).map_err(fill)
}

/// Ports in their order.
pub(crate) fn sequence(value: &Value<'_>) -> Read<Sequence> {
    let hits = value::each(value, hit)?;
    Sequence::new(hits).map_or_else(
        || {
            let message = format!("a knock has 1 to {MOST_HITS} ports");
            Wrong::new(value.span(), message).alone()
        },
        Ok,
    )
}

/// A port to knock at: `7000`, `"tcp/7000"`, `"udp/7000"`, or knockd's `"7000:udp"`.
fn hit(value: &Value<'_>) -> Read<Hit> {
    let bad = || {
        Wrong::new(value.span(), "this is no port to knock at")
            .remedy("write 7000 or \"udp/7000\"")
            .alone()
    };
    let text = match value.get_ref() {
        DeValue::Integer(_) => {
            return value::whole(value, 1, u16::MAX).map(Hit::tcp);
        }
        DeValue::String(text) => text.as_ref(),
        _ => return bad(),
    };
    text.parse().or_else(|_| bad())
}

/// `"20000-60999"`.
pub(crate) fn range(value: &Value<'_>) -> Read<(u16, u16)> {
    let text = value::text(value)?;
    let parsed = text
        .split_once('-')
        .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    match parsed {
        Some((first, last)) if first > 0 && last >= first && last - first >= 999 => {
            Ok((first, last))
        }
        _ => {
            Wrong::new(value.span(), format!("{} is no range of at least 1000 ports", quote(text)))
                .alone()
        }
    }
}
