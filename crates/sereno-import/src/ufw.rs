//! ufw: `/etc/ufw` and `/etc/default/ufw`.
//!
//! Its files are rules of iptables in chains that ufw-init hangs into one another: `before.rules`, then what
//! `ufw allow` wrote into `user.rules`, then `after.rules` (ufw-framework(8)).

use crate::entry::{Verdict, Way};
use crate::iptables::{self, Tables};
use crate::policy::Outward;
use crate::remark::{Notes, Place, Remark};
use crate::{Imported, Source, policy};
use sereno_core::gate::Family;

/// The files of a family in their order, and what its chains begin with.
const FILES: [(Family, &str, [&str; 3]); 2] = [
    (Family::V4, "ufw", ["before.rules", "user.rules", "after.rules"]),
    (Family::V6, "ufw6", ["before6.rules", "user6.rules", "after6.rules"]),
];

/// Reads the files of ufw, each known by the end of its name: `ufw.conf`, `default/ufw`, `user.rules`,
/// `user6.rules`, and those beginning with `before` and `after`.
#[must_use]
pub fn ufw(sources: &[Source<'_>]) -> Imported {
    let mut notes = Notes::default();
    let find = |name: &str| {
        let mut named = sources.iter().enumerate();
        named.find(|(_, source)| source.name == name || source.name.ends_with(&format!("/{name}")))
    };
    let setting = |file: &str, key: &str| {
        let (at, source) = find(file)?;
        let lines = source.text.lines().enumerate();
        let said = lines.filter_map(|(line, text)| Some((line, text, value(text, key)?)));
        said.last().map(|(line, text, value)| (Place { source: at, line: line + 1 }, text, value))
    };
    if let Some((place, text, _)) =
        setting("ufw.conf", "ENABLED").filter(|(.., value)| value != "yes")
    {
        notes.say(place, text, Remark::Off);
    }
    let rest =
        match setting("default/ufw", "DEFAULT_INPUT_POLICY").map(|(.., value)| value).as_deref() {
            Some("ACCEPT") => Verdict::Accept,
            Some("REJECT") => Verdict::Reject,
            _ => Verdict::Drop,
        };
    let six = setting("default/ufw", "IPV6").is_none_or(|(.., value)| value == "yes");
    let leaves = setting("default/ufw", "DEFAULT_OUTPUT_POLICY");
    let mut out = [None, None];
    let [v4, v6] = FILES.map(|(family, prefix, files)| {
        if family == Family::V6 && !six {
            // Nothing of it gets in then.
            return Some(Way { entries: Vec::new(), rest: Verdict::Drop });
        }
        let mut tables = Tables::default();
        for (at, source) in files.iter().filter_map(|file| find(file)) {
            iptables::chains(&commented(source.text), at, family, &mut tables, &mut notes);
        }
        let set = tables.of_mut(family);
        for chain in ["before", "user", "after"] {
            set.jump("INPUT", &format!("{prefix}-{chain}-input"));
            set.jump("OUTPUT", &format!("{prefix}-{chain}-output"));
        }
        // What stands in these logs, or asks whether a packet is for this machine at all.
        let passes = ["skip-to-policy-input", "skip-to-policy-output"];
        for chain in ["not-local", "logging-deny", "logging-allow"].into_iter().chain(passes) {
            set.empty(&format!("{prefix}-{chain}"));
        }
        for chain in ["user-limit", "user-limit-accept"] {
            set.without_logs(&format!("{prefix}-{chain}"));
        }
        out[usize::from(family == Family::V6)] =
            iptables::outward(set).map(|outward| left(outward, leaves.as_ref()));
        Some(Way { rest, ..iptables::flatten(set, "INPUT", &mut notes) })
    });
    policy::compose(v4, v6, out, notes)
}

/// A line of a setting: where it stands, all of it, and its value.
type Setting<'a> = (Place, &'a str, String);

/// What leaves, with what becomes of what no rule is about.
fn left(outward: Outward, setting: Option<&Setting<'_>>) -> Outward {
    let rest = match setting.map(|(.., value)| value.as_str()) {
        Some("DROP") => Verdict::Drop,
        Some("REJECT") => Verdict::Reject,
        _ => Verdict::Accept,
    };
    let first = setting.filter(|_| rest != Verdict::Accept);
    let first = first.map(|(place, text, _)| (*place, (*text).to_owned()));
    let way = Way { rest, ..outward.way };
    Outward { way, first: first.unwrap_or(outward.first), ..outward }
}

/// The value of `KEY=value`, without quotes.
fn value(line: &str, key: &str) -> Option<String> {
    let (name, value) = line.trim().split_once('=')?;
    let value = value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (name.trim() == key).then(|| value.to_owned())
}

/// The rules with the remarks that `ufw allow ... comment` put before them, in hexadecimal.
fn commented(text: &str) -> String {
    let mut comment = None;
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("### tuple ###") {
            comment = line.split_once("comment=").and_then(|(_, hex)| unhex(hex.trim()));
        }
        out.push_str(line);
        match &comment {
            Some(comment) if line.starts_with("-A") => {
                out.push_str(" -m comment --comment '");
                out.extend(comment.chars().filter(|c| *c != '\'' && !c.is_control()));
                out.push('\'');
            }
            _ => {}
        }
        out.push('\n');
    }
    out
}

fn unhex(text: &str) -> Option<String> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}
