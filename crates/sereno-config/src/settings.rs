//! The sections `[sereno]` and `[import]`, and the friends.

use crate::near;
use crate::option;
use crate::policy::{Backend, Settings};
use crate::problem::{Notes, Wrong};
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::addr::Prefix;
use sereno_core::jail::Friend;
use std::path::PathBuf;
use toml::de::DeValue;

/// The keys at the top of a file.
const TOP: [&str; 9] =
    ["ignoreip", "sereno", "import", "defaults", "jail", "door", "list", "flood", "gate"];

/// The options of `[sereno]`, each with a right value.
const OPTIONS: [(&str, &str); 9] = [
    ("state", "\"/var/lib/sereno\""),
    ("socket", "\"/run/sereno/control.sock\""),
    ("group", "\"sereno\""),
    ("timezone", "\"Europe/Madrid\""),
    ("line-cap", "\"64KiB\""),
    ("table", "\"sereno\""),
    ("observe", "false"),
    ("backend", "\"iptables\""),
    ("log-group", "7311"),
];

/// The options of `[import]`, each with a right value.
const IMPORTS: [(&str, &str); 5] = [
    ("fail2ban", "\"/etc/fail2ban\""),
    ("knockd", "\"/etc/knockd.conf\""),
    ("knockd-strict", "false"),
    ("fwknop", "\"/etc/fwknop/access.conf\""),
    ("closed", "true"),
];

/// Notes keys at the top that mean nothing there.
pub(crate) fn check_top(file: &Written<'_>, notes: &mut Notes) {
    for (key, value) in &file.table {
        let name: &str = key.get_ref();
        if TOP.contains(&name) {
            continue;
        }
        let is_table = matches!(value.get_ref(), DeValue::Table(_));
        let lower = name.to_ascii_lowercase();
        let remedy = if is_table && matches!(lower.as_str(), "default" | "init") {
            "write [defaults]".to_owned()
        } else if is_table && lower == "definition" {
            "a rule is a file of its own; docs/guide/rules.md shows how".to_owned()
        } else if let Some(near) = near::nearest(name, TOP) {
            format!("did you mean {near}?")
        } else if is_table {
            format!("if this is a jail, write [jail.{name}]")
        } else if option::find(name).is_some() {
            "write it below [defaults] for all jails, or below [jail.NAME] for one".to_owned()
        } else {
            near::remedy(name, &TOP)
        };
        let what = if is_table {
            format!("there is no section [{name}]")
        } else {
            format!("there is no option {name} here")
        };
        notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
    }
}

/// Reads `[sereno]` and `[import]` of all files; later ones have the last word. `knows` says
/// whether there is a time zone of that name.
pub(crate) fn settings(
    files: &[Written<'_>],
    knows: &dyn Fn(&str) -> bool,
    notes: &mut Notes,
) -> Settings {
    let mut settings = Settings::default();
    for file in files {
        let mut own = |name: &str, value: &Value<'_>| take(&mut settings, name, value, knows);
        section(file, "sereno", &OPTIONS, &mut own, notes);
        let mut import = |name: &str, value: &Value<'_>| import(&mut settings, name, value);
        section(file, "import", &IMPORTS, &mut import, notes);
    }
    settings
}

/// Reads a section of options that `take` takes; each has an example of a right value.
fn section(
    file: &Written<'_>,
    section: &str,
    options: &[(&str, &str)],
    take: &mut dyn FnMut(&str, &Value<'_>) -> Read<()>,
    notes: &mut Notes,
) {
    let Some(table) = file.section(section, notes) else { return };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((_, example)) = options.iter().find(|(option, _)| *option == name) else {
            let wrong = match section {
                "sereno" => unknown(key.span(), name),
                _ => {
                    let names: Vec<&str> = options.iter().map(|(option, _)| *option).collect();
                    let message = format!("[{section}] has no option {name}");
                    Wrong::new(key.span(), message).remedy(near::remedy(name, &names))
                }
            };
            notes.error(file.doc, wrong);
            continue;
        };
        if !file.whole(&value.span()) {
            continue;
        }
        for mut wrong in take(name, value).err().into_iter().flatten() {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write for example {name} = {example}");
            }
            notes.error(file.doc, wrong);
        }
    }
}

fn unknown(span: std::ops::Range<usize>, name: &str) -> Wrong {
    let names = OPTIONS.map(|(option, _)| option);
    let remedy = match name {
        "ignoreip" => "write ignoreip at the top of the file, above the first [section]".to_owned(),
        _ if option::find(name).is_some() => {
            "write it below [defaults] for all jails, or below [jail.NAME] for one".to_owned()
        }
        _ => near::remedy(name, &names),
    };
    Wrong::new(span, format!("[sereno] has no option {name}")).remedy(remedy)
}

fn take(
    settings: &mut Settings,
    name: &str,
    value: &Value<'_>,
    knows: &dyn Fn(&str) -> bool,
) -> Read<()> {
    match name {
        "state" => settings.state = PathBuf::from(value::path(value)?),
        "socket" => settings.socket = PathBuf::from(socket(value)?),
        "group" => group(value)?.clone_into(&mut settings.group),
        "timezone" => settings.timezone = Some(timezone(value, knows)?.to_owned()),
        "line-cap" => settings.line_cap = value::size(value, 1024, 1 << 20)?,
        "table" => settings.table = table(value)?,
        "backend" => settings.backend = backend(value)?,
        "log-group" => settings.ears = value::whole(value, 1, u16::MAX)?,
        _ => settings.observe = value::flag(value)?,
    }
    Ok(())
}

fn import(settings: &mut Settings, name: &str, value: &Value<'_>) -> Read<()> {
    match name {
        "fail2ban" => settings.fail2ban = Some(PathBuf::from(value::path(value)?)),
        "knockd" => settings.knockd = Some(PathBuf::from(value::path(value)?)),
        "knockd-strict" => settings.knockd_strict = value::flag(value)?,
        "fwknop" => settings.fwknop = Some(PathBuf::from(value::path(value)?)),
        _ => settings.closed = Some(value::flag(value)?),
    }
    Ok(())
}

fn socket<'v>(value: &'v Value<'_>) -> Read<&'v str> {
    let path = value::path(value)?;
    // `sun_path` of unix(7) has 108 bytes, one of them the closing zero.
    if path.len() > 107 {
        return Wrong::new(value.span(), "the path of a socket has 107 bytes at most").alone();
    }
    Ok(path)
}

fn group<'v>(value: &'v Value<'_>) -> Read<&'v str> {
    let name = value::text(value)?;
    let good = (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if good {
        Ok(name)
    } else {
        Wrong::new(value.span(), "this is not the name of a group").alone()
    }
}

/// An IANA zone name that the machine knows. Its shape comes first: it becomes part of a path.
fn timezone<'v>(value: &'v Value<'_>, knows: &dyn Fn(&str) -> bool) -> Read<&'v str> {
    let name = value::text(value)?;
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    if name.len() <= 64 && name.split('/').all(part) {
        if knows(name) {
            return Ok(name);
        }
        return Wrong::new(value.span(), format!("this machine knows no time zone {name}"))
            .remedy("write a name that is in /usr/share/zoneinfo (package tzdata), or leave it out for the machine's own zone")
            .alone();
    }
    Wrong::new(value.span(), "this is not the name of a time zone")
        .remedy("write a name such as \"Europe/Madrid\", \"America/Bogota\" or \"UTC\"")
        .alone()
}

fn backend(value: &Value<'_>) -> Read<Backend> {
    match value::text(value)? {
        "auto" => Ok(Backend::Auto),
        "nft" => Ok(Backend::Nft),
        "iptables" => Ok(Backend::Iptables),
        _ => Wrong::new(value.span(), "this is no firewall of the kernel's")
            .remedy("write \"nft\", \"iptables\", or \"auto\" for the first of them that is there")
            .alone(),
    }
}

fn table(value: &Value<'_>) -> Read<sereno_core::gate::Name> {
    let name = value::name(value)?;
    // nft identifiers begin with a letter.
    if name.as_str().starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(name);
    }
    Wrong::new(value.span(), "the name of a table begins with a letter").alone()
}

/// Reads `ignoreip` of all files: a friend named anywhere is a friend.
pub(crate) fn friends(files: &[Written<'_>], notes: &mut Notes) -> Vec<Friend> {
    let mut friends: Vec<Friend> = Vec::new();
    for file in files {
        let Some(value) = file.table.get("ignoreip") else { continue };
        let elements: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        for element in elements {
            if !file.whole(&element.span()) {
                continue;
            }
            match prefix(element) {
                Ok(prefix) if friends.iter().any(|f| f.prefix == prefix) => {}
                Ok(prefix) => friends.push(Friend { prefix, why: "ignoreip".to_owned() }),
                Err(wrongs) => wrongs.into_iter().for_each(|wrong| notes.error(file.doc, wrong)),
            }
        }
    }
    friends
}

/// An address or network to be left alone.
pub(crate) fn prefix(value: &Value<'_>) -> Read<Prefix> {
    let example = "write for example ignoreip = [\"192.168.0.0/24\", \"2001:db8::/32\"]";
    let fill = |wrongs: Vec<Wrong>| wrongs.into_iter().map(|wrong| wrong.remedy(example)).collect();
    let text = value::text(value).map_err::<Vec<Wrong>, _>(fill)?;
    let wrong = |what: String| Wrong::new(value.span(), what);
    match text.parse::<Prefix>() {
        Ok(prefix) if prefix.bits() == 0 => wrong(format!(
            "{text} is everybody: nobody could be banned"
        ))
        .remedy("write the networks you trust; to ban nobody, write observe = true below [sereno]")
        .alone(),
        Ok(prefix) => Ok(prefix),
        Err(_) if text.split([' ', ',']).filter(|word| !word.is_empty()).count() > 1 => {
            let words: Vec<String> = text
                .split([' ', ',', '\t', '\n'])
                .filter(|word| !word.is_empty())
                .take(8)
                .map(|word| format!("{word:?}"))
                .collect();
            wrong("several addresses in one text".to_owned())
                .remedy(format!("write ignoreip = [{}]", words.join(", ")))
                .alone()
        }
        Err(_) if text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains(':') => {
            wrong(format!("{} looks like a host name", crate::amount::quote(text)))
                .remedy("write its address: whoever controls a name could make himself a friend")
                .alone()
        }
        Err(_) => wrong(format!("{} is not an address or a network", crate::amount::quote(text)))
            .remedy(example)
            .alone(),
    }
}
