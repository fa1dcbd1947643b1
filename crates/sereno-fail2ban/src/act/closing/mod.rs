//! Whether an action of fail2ban does nothing but close ports, so that the gate can do it instead.
//!
//! The name of its file has to be one of fail2ban's own, and its commands have to do what they are
//! known for: they are taken apart with all tags filled in, and what is not understood to the last
//! word is run as it is written. The gate stops packets before connection tracking and on all
//! interfaces; rules that are about new connections only are taken for the same.

mod iptables;
mod nft;
mod ports;
mod words;

pub(super) use ports::{BadPort, ports};

use super::code::base;
use super::script::Taken;
use crate::text::Text;
use iptables::Source;
use sereno_core::gate::Block;
use words::{Run, runs};

/// Protocols and ports, as they are written; no ports are all.
pub(super) type Target = (String, Option<String>);

/// The files whose actions close ports.
const FILES: [&str; 21] = [
    "iptables",
    "iptables-allports",
    "iptables-multiport",
    "iptables-multiport-log",
    "iptables-new",
    "iptables-ipset",
    "iptables-ipset-proto4",
    "iptables-ipset-proto6",
    "iptables-ipset-proto6-allports",
    "iptables-xt_recent-echo",
    "nftables",
    "nftables-multiport",
    "nftables-allports",
    "firewallcmd-new",
    "firewallcmd-multiport",
    "firewallcmd-allports",
    "firewallcmd-ipset",
    "firewallcmd-rich-rules",
    "firewallcmd-rich-logging",
    "ufw",
    "shorewall",
];
/// Programs that may stand beside those that close ports, as they change nothing else.
const BESIDE: [&str; 18] = [
    "echo",
    "sed",
    "grep",
    "tr",
    "for",
    "test",
    "[",
    "true",
    ":",
    "id",
    "while",
    "read",
    "expr",
    "if",
    "ss",
    "conntrack",
    "case",
    "sleep",
];
/// Those of them that may stand in a ban without deciding whether there is one.
const BESIDE_BAN: [&str; 6] = ["echo", "for", "true", ":", "ss", "conntrack"];
/// Chains that packets come to by themselves.
const BUILT_IN: [&str; 4] = ["INPUT", "FORWARD", "PREROUTING", "DOCKER-USER"];

/// What an action closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) targets: Vec<Target>,
    pub(super) chain: String,
    pub(super) block: Block,
    pub(super) notes: Vec<String>,
}

/// Why an action is more than a closing of ports.
#[derive(Clone, Debug)]
pub(super) struct Differs {
    /// What is there.
    pub(super) what: String,
    /// The command, and the byte in it, if that is known.
    pub(super) place: Option<(Text, usize)>,
}

impl From<String> for Differs {
    fn from(what: String) -> Self {
        Self { what, place: None }
    }
}

impl From<&str> for Differs {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

/// Whether a file's actions are known to close ports.
pub(super) fn is_known(file: &str) -> bool {
    FILES.contains(&file) || file == "route"
}

/// What the commands close; `others` are all but `start` and `ban`.
pub(super) fn closing(start: &Taken, ban: &Taken, others: &[&Taken]) -> Result<Seen, Differs> {
    for taken in others.iter().copied().chain([start, ban]) {
        known_programs(taken)?;
    }
    unconditional(ban)?;
    let sure = |taken| -> Result<Vec<Run>, String> {
        let runs: Vec<Run> = runs(taken).into_iter().filter(|run| !beside(run)).collect();
        let unknown = || "a command whose words are not known before it runs".to_owned();
        if runs.iter().all(|run| run.known) { Ok(runs) } else { Err(unknown()) }
    };
    let (mut rules, ban) = (sure(start)?, sure(ban)?);
    choose(start, &mut rules);
    let start = rules;
    let mut seen: Vec<Seen> = Vec::new();
    for run in &ban {
        let one = effect(run, &start)?;
        seen.extend(one.filter(|one| !seen.contains(one)));
    }
    let mut seen = seen.into_iter();
    let mut first = seen.next().ok_or("nothing that closes a port")?;
    for other in seen {
        // One rule for each port.
        if (&other.chain, other.block) != (&first.chain, first.block) {
            return Err("two things at once".into());
        }
        first.targets.extend(other.targets);
    }
    Ok(first)
}

/// Since release 1.1 the stock file for nft has a rule for the protocols that are named and another for
/// all of them, and asks at the start which of the two it is. Where it asks as that file does, the
/// other one goes.
fn choose(start: &Taken, runs: &mut Vec<Run>) {
    let text = start.text.as_str();
    let one = |part: &str| text.matches(part).count() == 1;
    let asked =
        text.split_once("if [ '").and_then(|(_, rest)| rest.split_once("' != \"all\" ]; then\n"));
    let Some((protocol, _)) = asked.filter(|_| one("if [ ") && one("\nelse\n") && one("\nfi"))
    else {
        return;
    };
    runs.retain(|run| {
        let words: Vec<&str> = run.words.iter().map(String::as_str).collect();
        let for_all = match words.as_slice() {
            [_, "add", "rule", _, _, _, first, ..] => matches!(*first, "th" | "ip" | "ip6"),
            _ => return true,
        };
        for_all == (protocol == "all")
    });
}

fn beside(run: &Run) -> bool {
    let name = run.words.first().map_or("", |word| base(word));
    // What it prints into a file is an effect.
    BESIDE.contains(&name) && run.files.iter().all(|file| harmless(file))
}

fn harmless(file: &str) -> bool {
    matches!(file, "/dev/null" | "1" | "2")
}

fn known_programs(taken: &Taken) -> Result<(), Differs> {
    let closing = [
        "iptables",
        "ip6tables",
        "ipset",
        "nft",
        "firewall-cmd",
        "ufw",
        "shorewall",
        "shorewall6",
        "ip",
    ];
    for command in &taken.parsed.commands {
        let Some(word) = command.words.first() else { continue };
        let name = base(&word.text);
        if !closing.contains(&name) && !BESIDE.contains(&name) {
            let place = Some((taken.text.clone(), word.at));
            return Err(Differs { what: format!("the program {:?}", word.text), place });
        }
        let known = |file: &str| harmless(file) || file.starts_with("/proc/net/xt_recent/");
        if let Some((_, file)) = command.files.iter().find(|(_, file)| !known(&file.text)) {
            let place = Some((taken.text.clone(), file.at));
            return Err(Differs { what: format!("the file {:?}", file.text), place });
        }
    }
    Ok(())
}

/// A ban that depends on something is no ban of the gate's.
fn unconditional(ban: &Taken) -> Result<(), Differs> {
    for command in ban.parsed.commands.iter().filter(|command| command.parent.is_none()) {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        let name = words.first().map_or("", |word| base(word));
        // ufw's stock file asks whether an application is named.
        let empty = matches!(words.as_slice(), ["[", "-n", "", "]"]);
        if BESIDE.contains(&name) && !BESIDE_BAN.contains(&name) && !empty {
            let place = command.words.first().map(|word| (ban.text.clone(), word.at));
            return Err(Differs { what: format!("{:?}", words.join(" ")), place });
        }
    }
    Ok(())
}

/// What one command of a ban does.
fn effect(run: &Run, start: &[Run]) -> Result<Option<Seen>, String> {
    let words: Vec<&str> = run.words.iter().map(String::as_str).collect();
    let Some((program, rest)) = words.split_first() else { return Ok(None) };
    let owned = run.words.get(1..).unwrap_or(&[]);
    match (base(program), rest) {
        ("iptables" | "ip6tables", _) => by_rule(&iptables::rule(owned)?, start).map(Some),
        ("ipset", words) if has(words, &["test", "--test", "-T"]) => Ok(None),
        ("ipset", words) if has(words, &["add", "--add", "-A"]) && has(words, &["<ip>"]) => {
            let at = words.iter().position(|word| matches!(*word, "add" | "--add" | "-A"));
            by_set(words.get(at.unwrap_or(0) + 1).copied().unwrap_or(""), start).map(Some)
        }
        ("firewall-cmd", ["--direct", "--add-rule", _, "filter", ..]) => {
            by_rule(&iptables::rule(&direct(owned))?, start).map(Some)
        }
        ("firewall-cmd", [set, "--add-entry=<ip>"]) => {
            by_set(set.strip_prefix("--ipset=").unwrap_or(""), start).map(Some)
        }
        ("firewall-cmd", [rule]) => rich(rule.strip_prefix("--add-rich-rule=").unwrap_or("")),
        ("firewall-cmd", [zone, rule]) if zone.starts_with("--zone=") => {
            rich(rule.strip_prefix("--add-rich-rule=").unwrap_or(""))
        }
        ("nft", ["add", "element", _, _, set, "{", "<ip>", "}"]) => by_nft(set, start).map(Some),
        ("echo", ["+<ip>"]) if !run.files.is_empty() => {
            let list = run.files.first().and_then(|f| f.strip_prefix("/proc/net/xt_recent/"));
            let wanted = Source::Recent(list.unwrap_or("").to_owned());
            by_source(&wanted, start).map(Some)
        }
        // What is left of the branch for an application, if none is named.
        ("ufw", ["app", "info", ""] | [.., "app", ""] | [.., "app", "", "comment", _]) => Ok(None),
        ("ufw", words) => ufw(words).map(Some),
        ("shorewall" | "shorewall6", [verb, "<ip>"]) => match *verb {
            "drop" => Ok(Some(everything("shorewall", Block::Drop))),
            "reject" => Ok(Some(everything("shorewall", Block::Reset))),
            other => Err(format!("shorewall {other}")),
        },
        ("ip", ["route", "add", "unreachable" | "blackhole" | "prohibit", "<ip>"]) => {
            Ok(Some(everything("route", Block::Drop)))
        }
        _ => Err(format!("{:?}", run.words.join(" "))),
    }
}

fn has(words: &[&str], any: &[&str]) -> bool {
    words.iter().any(|word| any.contains(word))
}

fn everything(chain: &str, block: Block) -> Seen {
    Seen {
        targets: vec![("all".to_owned(), None)],
        chain: chain.to_owned(),
        block,
        notes: Vec::new(),
    }
}

/// `firewall-cmd --direct --add-rule FAMILY filter CHAIN PRIORITY ...` as words of iptables.
fn direct(words: &[String]) -> Vec<String> {
    let chain = words.get(4).cloned().unwrap_or_default();
    let rest = words.iter().skip(6).cloned();
    ["-A".to_owned(), chain].into_iter().chain(rest).collect()
}

/// The rules of iptables that the start puts in force.
fn rules(start: &[Run]) -> Result<Vec<iptables::Rule>, String> {
    let mut rules = Vec::new();
    for run in start {
        let words: Vec<&str> = run.words.iter().map(String::as_str).collect();
        let owned = run.words.get(1..).unwrap_or(&[]);
        match (words.first().map_or("", |word| base(word)), words.get(1..).unwrap_or(&[])) {
            ("iptables" | "ip6tables", _) => rules.push(iptables::rule(owned)?),
            ("firewall-cmd", ["--direct", "--add-rule", _, "filter", ..]) => {
                rules.push(iptables::rule(&direct(owned))?);
            }
            ("firewall-cmd", ["--direct", "--add-chain" | "--passthrough", ..]) => {}
            ("firewall-cmd", [.., _set]) if words.iter().any(|w| w.starts_with("--new-ipset=")) => {
            }
            ("ipset", _) => {}
            _ => return Err(format!("{:?} at the start", run.words.join(" "))),
        }
    }
    rules.retain(iptables::Rule::adds);
    Ok(rules)
}

/// A ban that is a rule of its own.
fn by_rule(ban: &iptables::Rule, start: &[Run]) -> Result<Seen, String> {
    if !ban.adds() || ban.source != Source::Banned {
        return Err("a rule that is not about the address".to_owned());
    }
    let rules = rules(start)?;
    // A jail may let in whom it bans, and stop everybody else.
    if rules.iter().any(|rule| rule.chain == ban.chain && rule.target != "RETURN") {
        return Err(format!("other rules in the chain {:?}", ban.chain));
    }
    let mut notes = Vec::new();
    let end = match iptables::block(&ban.target, ban.reject.as_deref()) {
        Some(end) => end,
        None => {
            let inside = || rules.iter().filter(|rule| rule.chain == ban.target);
            if inside().any(|rule| rule.target == "LOG") {
                notes.push("packets that are stopped are counted, but not logged".to_owned());
            }
            let mut ends =
                inside().filter_map(|rule| iptables::block(&rule.target, rule.reject.as_deref()));
            ends.next().ok_or_else(|| format!("the target {:?}", ban.target))?
        }
    };
    notes.extend(end.1);
    let here = (ban.protocol.clone(), ban.ports.clone());
    let leading: Vec<&iptables::Rule> =
        rules.iter().filter(|rule| rule.target == ban.chain).collect();
    let Some(first) = leading.first() else {
        if !BUILT_IN.contains(&ban.chain.as_str()) {
            return Err(format!("nothing leads to the chain {:?}", ban.chain));
        }
        return Ok(Seen { targets: vec![here], chain: ban.chain.clone(), block: end.0, notes });
    };
    if leading.iter().any(|rule| rule.source != Source::Everybody) || here != (String::new(), None)
    {
        return Err("rules about ports and sources in more than one place".to_owned());
    }
    let chain = first.chain.clone();
    let targets = leading.iter().map(|rule| (rule.protocol.clone(), rule.ports.clone())).collect();
    Ok(Seen { targets, chain, block: end.0, notes })
}

fn by_set(set: &str, start: &[Run]) -> Result<Seen, String> {
    by_source(&Source::Set(set.to_owned()), start)
}

/// A ban that puts the address into what a rule of the start looks at.
fn by_source(source: &Source, start: &[Run]) -> Result<Seen, String> {
    let rules = rules(start)?;
    let matching: Vec<&iptables::Rule> =
        rules.iter().filter(|rule| rule.source == *source).collect();
    let first = matching.first().ok_or("no rule looks at what the ban changes")?;
    let end = iptables::block(&first.target, first.reject.as_deref());
    let (block, note) = end.ok_or_else(|| format!("the target {:?}", first.target))?;
    let targets = matching.iter().map(|rule| (rule.protocol.clone(), rule.ports.clone())).collect();
    Ok(Seen { targets, chain: first.chain.clone(), block, notes: note.into_iter().collect() })
}

fn by_nft(set: &str, start: &[Run]) -> Result<Seen, String> {
    let mut seen: Option<Seen> = None;
    for run in start {
        let words: Vec<&str> = run.words.iter().map(String::as_str).collect();
        match words.get(1..).unwrap_or(&[]) {
            ["add", "table" | "set", ..] | ["--", "add", "chain", ..] | ["add", "chain", ..] => {}
            ["add", "rule", _, _, chain, ..] => {
                let rule = nft::rule(run.words.get(6..).unwrap_or(&[]))?;
                if rule.set != set {
                    continue;
                }
                let (chain, block) = ((*chain).to_owned(), rule.block);
                let notes = rule.note.into_iter().collect();
                let new = || Seen { targets: Vec::new(), chain, block, notes };
                let seen = seen.get_or_insert_with(new);
                seen.targets.push(rule.target);
            }
            _ => return Err(format!("{:?} at the start", run.words.join(" "))),
        }
    }
    let seen = seen.ok_or_else(|| "no rule looks at the set of the ban".to_owned())?;
    match seen.targets.iter().any(|(protocol, _)| protocol == "all") && seen.targets.len() > 1 {
        true => Err("rules for one protocol and for all of them".to_owned()),
        false => Ok(seen),
    }
}

/// `firewalld.richlanguage(5)`, as far as fail2ban uses it.
fn rich(rule: &str) -> Result<Option<Seen>, String> {
    let mut seen = everything("rich rule", Block::Drop);
    let mut section = "";
    let mut banned = false;
    let mut ended = false;
    for word in rule.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let value = value.trim_matches(['\'', '"']).to_owned();
        match (section, key) {
            (_, "rule" | "family") => {}
            (_, "source" | "limit") => section = "",
            (_, "port") if value.is_empty() => section = "port",
            (_, "log") => {
                section = "log";
                seen.notes.push("packets that are stopped are counted, but not logged".to_owned());
            }
            (_, "address") if value == "<ip>" => banned = true,
            ("port", "port") => seen.targets = vec![(String::new(), Some(value))],
            ("port", "protocol") => {
                seen.targets.first_mut().into_iter().for_each(|t| t.0.clone_from(&value));
            }
            ("log" | "", "prefix" | "level" | "value") => {}
            (_, "drop" | "reject") => {
                ended = true;
                section = "";
                seen.block = if key == "drop" { Block::Drop } else { Block::Reject };
            }
            (_, "type") if ended => {
                seen.notes.extend(iptables::block("REJECT", Some(&value)).and_then(|b| b.1));
            }
            _ => return Err(format!("{word:?} in a rich rule")),
        }
    }
    if banned && ended {
        Ok(Some(seen))
    } else {
        Err("a rich rule about something else".to_owned())
    }
}

/// `ufw(8)`: its `reject` resets TCP.
fn ufw(words: &[&str]) -> Result<Seen, String> {
    let from = words.iter().position(|word| *word == "from");
    let (verbs, rest) = words.split_at(from.unwrap_or(words.len()));
    let block = match verbs {
        ["prepend" | "insert", .., "deny"] | ["deny"] => Block::Drop,
        ["prepend" | "insert", .., "reject"] | ["reject"] => Block::Reset,
        _ => return Err(format!("ufw {}", verbs.join(" "))),
    };
    match rest {
        ["from", "<ip>", "to", "any"] | ["from", "<ip>", "to", "any", "comment", _] => {
            Ok(everything("ufw", block))
        }
        _ => Err(format!("ufw {}", rest.join(" "))),
    }
}
