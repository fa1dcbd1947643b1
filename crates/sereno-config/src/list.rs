//! Lists of addresses: `[list.NAME]` of all files. Of a name that stands in several files, later ones
//! have the last word on each option.

use crate::near;
use crate::policy::{ListConf, Origin};
use crate::problem::{Notes, Wrong};
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::gate::{Name, Ports};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// The options of `[list.NAME]`, each with a right value.
const OPTIONS: [(&str, &str); 5] = [
    ("enabled", "true"),
    ("from", "[\"https://example.org/bad.txt\", \"/etc/sereno/bad.txt\"]"),
    ("ports", "\"all\""),
    ("every", "\"1d\""),
    ("most", "2000000"),
];

/// Entries of a list: usually at most, and at most at all.
const MOST: (usize, usize) = (2_000_000, 4_000_000);
/// How often it is fetched: usually, and at most.
const EVERY: (Duration, Duration) = (Duration::from_secs(86_400), Duration::from_secs(300));
/// Lists at most: every packet that begins something is looked up in each.
const LISTS: usize = 32;

impl ListConf {
    /// What holds before any file has spoken.
    fn new(name: Name) -> Self {
        Self { name, from: Vec::new(), ports: Ports::All, every: EVERY.0, most: MOST.0 }
    }
}

/// Reads the lists of all files.
pub(crate) fn lists(files: &[Written<'_>], notes: &mut Notes) -> Vec<ListConf> {
    let mut lists: Vec<(ListConf, bool)> = Vec::new();
    let mut wrong: Vec<Name> = Vec::new();
    let mut last = None;
    for file in files {
        for (key, value) in file.section("list", notes).into_iter().flatten() {
            let text: &str = key.get_ref();
            let name = match (text.parse::<Name>(), value.get_ref()) {
                (Ok(name), DeValue::Table(_)) => name,
                (Err(why), _) => {
                    let remedy = "write a short name of a-z, 0-9, _ and -, such as [list.bad]";
                    notes.error(file.doc, Wrong::new(key.span(), why).remedy(remedy));
                    continue;
                }
                _ => {
                    let what = format!("{text} stands where the name of a list is expected");
                    let remedy = "write [list.NAME] on a line of its own, and the options below it";
                    notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
                    continue;
                }
            };
            let at = lists.iter().position(|(list, _)| list.name == name);
            let at = at.unwrap_or_else(|| {
                lists.push((ListConf::new(name), true));
                lists.len() - 1
            });
            let before = notes.errors();
            options(&mut lists[at], file, value, notes);
            if notes.errors() != before || file.broken(value.span().start) {
                wrong.push(name);
            }
            last = Some((file.doc, key.span()));
            if lists[at].1 && lists[at].0.from.is_empty() && !wrong.contains(&name) {
                let what = "this list does not say where its addresses come from";
                let remedy = format!("add from = {}", OPTIONS[1].1);
                notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
                wrong.push(name);
            }
        }
    }
    if let Some((doc, span)) = last.filter(|_| lists.len() > LISTS) {
        let what = format!("{} lists are too many; {LISTS} are the most", lists.len());
        notes.error(doc, Wrong::new(span, what).remedy("put the sources of several into one"));
        lists.truncate(LISTS);
    }
    let whole = |(list, enabled): (ListConf, bool)| {
        (enabled && !wrong.contains(&list.name)).then_some(list)
    };
    lists.into_iter().filter_map(whole).collect()
}

fn options(list: &mut (ListConf, bool), file: &Written<'_>, value: &Value<'_>, notes: &mut Notes) {
    let DeValue::Table(table) = value.get_ref() else { return };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((_, example)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            let names = OPTIONS.map(|(option, _)| option);
            let message = format!("[list.{}] has no option {name}", list.0.name);
            notes.error(
                file.doc,
                Wrong::new(key.span(), message).remedy(near::remedy(name, &names)),
            );
            continue;
        };
        if !file.whole(&value.span()) {
            continue;
        }
        for mut wrong in take(list, name, value).err().into_iter().flatten() {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write for example {name} = {example}");
            }
            notes.error(file.doc, wrong);
        }
        for origin in list.0.from.iter().filter(|_| name == "from") {
            if let Origin::Url(url) = origin
                && url.starts_with("http:")
            {
                let what = "whoever is on the way can put addresses into this list";
                let remedy = "fetch it by https:// if it is published so";
                notes.warn(file.doc, Wrong::new(value.span(), what).remedy(remedy));
            }
        }
    }
}

fn take((list, enabled): &mut (ListConf, bool), name: &str, value: &Value<'_>) -> Read<()> {
    match name {
        "enabled" => *enabled = value::flag(value)?,
        "from" => list.from = value::each(value, origin)?,
        "ports" => list.ports = value::ports(value)?,
        "every" => {
            let every = value::lasting(value)?;
            if every < EVERY.1 {
                return Wrong::new(
                    value.span(),
                    "who publishes a list is asked every 5 minutes at most",
                )
                .remedy("write \"5m\" or more")
                .alone();
            }
            list.every = every;
        }
        _ => list.most = value::whole(value, 1_u32, MOST.1 as u32)? as usize,
    }
    Ok(())
}

/// A file or an address of the web.
fn origin(value: &Value<'_>) -> Read<Origin> {
    let text = value::text(value)?;
    let is_url = ["https://", "http://"].iter().any(|start| text.starts_with(start));
    if !is_url {
        return Ok(Origin::File(PathBuf::from(value::path(value)?)));
    }
    // It becomes an argument of another program: nothing but what an address of the web has.
    let plain = |c: char| c.is_ascii_graphic() && !"\"'`\\<>{}^|".contains(c);
    let host = text.split("//").nth(1).unwrap_or_default();
    if text.len() > 2000 || !text.chars().all(plain) || host.is_empty() || host.starts_with('/') {
        return Wrong::new(value.span(), "this is no address of the web").alone();
    }
    Ok(Origin::Url(text.to_owned()))
}
