//! Lists of addresses: `[list.NAME]` of all files. Of a name that stands in several files, later ones
//! have the last word on each option.

use crate::machine::Machine;
use crate::near;
use crate::policy::{ListConf, Origin};
use crate::problem::{Notes, Wrong};
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::gate::list::Use;
use sereno_core::gate::{Name, Ports};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// The options of `[list.NAME]`, each with a right value.
const OPTIONS: [(&str, &str); 8] = [
    ("enabled", "true"),
    ("from", "[\"https://example.org/bad.txt\", \"/etc/sereno/bad.txt\"]"),
    ("database", "\"/var/lib/GeoIP/GeoLite2-Country.mmdb\""),
    ("closes", "\"all\""),
    ("opens", "\"tcp/22\""),
    ("friends", "false"),
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
        Self {
            name,
            from: Vec::new(),
            database: Vec::new(),
            deed: None,
            friends: false,
            every: Duration::ZERO,
            most: MOST.0,
        }
    }
}

/// A list while its options are read: whether it is enabled, and the place of its name.
struct Draft {
    conf: ListConf,
    enabled: bool,
    wrong: bool,
    place: (usize, Range<usize>),
}

/// Reads the lists of all files.
pub(crate) fn lists(
    files: &[Written<'_>],
    machine: Machine<'_>,
    notes: &mut Notes,
) -> Vec<ListConf> {
    let mut drafts: Vec<Draft> = Vec::new();
    for file in files {
        for (key, value) in file.section("list", notes).into_iter().flatten() {
            let Some(name) = title(file, key, value, notes) else { continue };
            let at = drafts.iter().position(|draft| draft.conf.name == name);
            let at = at.unwrap_or_else(|| {
                let (conf, place) = (ListConf::new(name), (file.doc, key.span()));
                drafts.push(Draft { conf, enabled: true, wrong: false, place });
                drafts.len() - 1
            });
            let before = notes.errors();
            options(&mut drafts[at], file, value, machine, notes);
            drafts[at].wrong |= notes.errors() != before || file.broken(value.span().start);
        }
    }
    if let Some(Draft { place: (doc, span), .. }) = drafts.get(LISTS) {
        let what = format!("{} lists are too many; {LISTS} are the most", drafts.len());
        let remedy = "put the sources of several into one";
        notes.error(*doc, Wrong::new(span.clone(), what).remedy(remedy));
        drafts.truncate(LISTS);
    }
    drafts.into_iter().filter_map(|draft| finish(draft, notes)).collect()
}

fn title(
    file: &Written<'_>,
    key: &toml::Spanned<toml::de::DeString<'_>>,
    value: &Value<'_>,
    notes: &mut Notes,
) -> Option<Name> {
    let text: &str = key.get_ref();
    let (what, remedy) = match (text.parse::<Name>(), value.get_ref()) {
        (Ok(name), DeValue::Table(_)) => return Some(name),
        (Err(why), _) => (why, "write a short name of a-z, 0-9, _ and -, such as [list.bad]"),
        _ => (
            format!("{text} stands where the name of a list is expected"),
            "write [list.NAME] on a line of its own, and the options below it",
        ),
    };
    notes.error(file.doc, Wrong::new(key.span(), what).remedy(remedy));
    None
}

/// What nobody said is as usual; a list that cannot be meant is set aside.
fn finish(draft: Draft, notes: &mut Notes) -> Option<ListConf> {
    let Draft { mut conf, enabled, wrong, place: (doc, span) } = draft;
    if wrong || !enabled {
        return None;
    }
    if conf.deed.is_none() && !conf.friends {
        conf.deed = Some((Use::Closes, Ports::All));
    }
    let has_name = conf.from.iter().any(|origin| matches!(origin, Origin::Name(_)));
    if conf.every.is_zero() {
        conf.every = if has_name { EVERY.1 } else { EVERY.0 };
    }
    let closes = matches!(conf.deed, Some((Use::Closes, _)));
    let (what, remedy) = if conf.from.is_empty() {
        let remedy = format!("add from = {}", OPTIONS[1].1);
        ("this list does not say where its addresses come from", remedy)
    } else if has_name && closes {
        let what = "whoever owns a name could shut out anybody by it";
        (what, "write addresses, or opens = \"tcp/22\" to let in who has the name".to_owned())
    } else if conf.friends && closes {
        let what = "friends are not shut out";
        (what, "take out closes or friends".to_owned())
    } else {
        return Some(conf);
    };
    notes.error(doc, Wrong::new(span, what).remedy(remedy));
    None
}

fn options(
    draft: &mut Draft,
    file: &Written<'_>,
    value: &Value<'_>,
    machine: Machine<'_>,
    notes: &mut Notes,
) {
    let DeValue::Table(table) = value.get_ref() else { return };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((_, example)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            let names = OPTIONS.map(|(option, _)| option);
            let message = format!("[list.{}] has no option {name}", draft.conf.name);
            notes.error(
                file.doc,
                Wrong::new(key.span(), message).remedy(near::remedy(name, &names)),
            );
            continue;
        };
        if !file.whole(&value.span()) {
            continue;
        }
        for mut wrong in take(draft, name, value).err().into_iter().flatten() {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write for example {name} = {example}");
            }
            notes.error(file.doc, wrong);
        }
        if name == "from" {
            doubts(&draft.conf, file.doc, value.span(), machine, notes);
        }
    }
}

/// What may be right, and is hardly meant.
fn doubts(
    conf: &ListConf,
    doc: usize,
    span: Range<usize>,
    machine: Machine<'_>,
    notes: &mut Notes,
) {
    for origin in &conf.from {
        let (what, remedy) = match origin {
            Origin::Url(url) if url.starts_with("http:") => (
                format!("whoever is on the way can put addresses into this list: {url}"),
                "fetch it by https:// if it is published so",
            ),
            Origin::File(path) if !(machine.has_file)(path) => (
                format!("there is no file {}", path.display()),
                "the list is empty until there is one",
            ),
            _ => continue,
        };
        notes.warn(doc, Wrong::new(span.clone(), what).remedy(remedy));
    }
}

fn take(draft: &mut Draft, name: &str, value: &Value<'_>) -> Read<()> {
    let list = &mut draft.conf;
    match name {
        "enabled" => draft.enabled = value::flag(value)?,
        "from" => list.from = value::each(value, origin)?,
        "database" => {
            list.database = value::each(value, |one| value::path(one).map(PathBuf::from))?;
        }
        "closes" | "opens" => {
            let to = if name == "opens" { Use::Opens } else { Use::Closes };
            if list.deed.as_ref().is_some_and(|(known, _)| *known != to) {
                return Wrong::new(value.span(), "a list lets in, or it shuts out")
                    .remedy("make two lists of it")
                    .alone();
            }
            list.deed = Some((to, value::ports(value)?));
        }
        "friends" => list.friends = value::flag(value)?,
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

/// A file, an address of the web, a name, a country, or an autonomous system.
fn origin(value: &Value<'_>) -> Read<Origin> {
    let text = value::text(value)?;
    if let Some((kind, what)) = text.split_once(':').filter(|(_, what)| !what.starts_with('/')) {
        let place = place(kind, what);
        return place.map_or_else(
            || {
                Wrong::new(value.span(), "this is no country and no autonomous system")
                    .remedy("write two letters or a number, such as country:ES or as:64500")
                    .alone()
            },
            Ok,
        );
    }
    if is_name(text) {
        return Ok(Origin::Name(text.to_owned()));
    }
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

/// Whether a text has the form of a name (RFC 1123, 2.1), and is no address.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split('.').all(label)
}

/// `country:ES`, `as:64500`.
fn place(kind: &str, what: &str) -> Option<Origin> {
    match kind {
        "country" if what.len() == 2 && what.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Some(Origin::Country(what.to_ascii_uppercase()))
        }
        "as" if what.bytes().all(|b| b.is_ascii_digit()) => what.parse().ok().map(Origin::System),
        _ => None,
    }
}
