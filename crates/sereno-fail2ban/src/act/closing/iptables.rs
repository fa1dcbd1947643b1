//! Rules of iptables, as `iptables(8)` and `iptables-extensions(8)` describe them; `firewall-cmd
//! --direct` takes the same words.

use sereno_core::gate::Block;

/// Who a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    #[default]
    Everybody,
    Banned,
    /// Those in a set of ipset.
    Set(String),
    /// Those in a list of the module `recent`.
    Recent(String),
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// `I`, `A`, `N`, ...
    pub(super) verb: char,
    pub(super) chain: String,
    pub(super) protocol: String,
    pub(super) ports: Option<String>,
    pub(super) source: Source,
    pub(super) target: String,
    /// Behind `--reject-with`.
    pub(super) reject: Option<String>,
}

impl Rule {
    /// Whether it puts something in force.
    pub(super) fn adds(&self) -> bool {
        matches!(self.verb, 'I' | 'A') && !self.target.is_empty()
    }
}

/// What a target does to a packet, and what about it is not the same here.
pub(super) fn block(target: &str, with: Option<&str>) -> Option<(Block, Option<String>)> {
    Some(match (target, with) {
        ("DROP", _) => (Block::Drop, None),
        ("REJECT", None) => (Block::Reject, None),
        ("REJECT", Some("tcp-reset")) => (Block::Reset, None),
        ("REJECT", Some(with)) => {
            let usual = with.contains("port-unr");
            let note = format!("the ICMP error is \"port unreachable\", not {with}");
            (Block::Reject, (!usual).then_some(note))
        }
        _ => return None,
    })
}

/// Reads the words behind `iptables`.
pub(super) fn rule(words: &[String]) -> Result<Rule, String> {
    let mut rule = Rule::default();
    let mut words = words.iter().map(String::as_str).peekable();
    let next = |words: &mut std::iter::Peekable<_>| -> String {
        let word: Option<&str> = words.next();
        word.unwrap_or("").to_owned()
    };
    while let Some(word) = words.next() {
        match word {
            "-w" | "--wait" => {
                words.next_if(|word| word.bytes().all(|b| b.is_ascii_digit()));
            }
            "-n" | "--numeric" | "--update" | "--rcheck" | "--rsource" | "-m" | "-4" | "-6" => {
                if word == "-m" {
                    module(&next(&mut words))?;
                }
            }
            "-t" | "--table" => {
                let table = next(&mut words);
                if table != "filter" && table != "raw" {
                    return Err(format!("the table {table}"));
                }
            }
            "-I" | "-A" | "-D" | "-N" | "-X" | "-F" | "-C" | "-L" => {
                rule.verb = word.chars().nth(1).unwrap_or(' ');
                rule.chain = next(&mut words);
                words.next_if(|word| word.bytes().all(|b| b.is_ascii_digit()));
            }
            "-p" | "--protocol" => rule.protocol = next(&mut words),
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" => {
                rule.ports = Some(next(&mut words));
            }
            "-s" | "--source" | "--src" => match next(&mut words).as_str() {
                "<ip>" => rule.source = Source::Banned,
                other => return Err(format!("the source {other}")),
            },
            "--match-set" => {
                rule.source = Source::Set(next(&mut words));
                if words.next() != Some("src") {
                    return Err("a set of something else than sources".to_owned());
                }
            }
            "--name" => rule.source = Source::Recent(next(&mut words)),
            "--state" | "--ctstate" => {
                let states = next(&mut words);
                if !states.contains("NEW") {
                    return Err(format!("the states {states}"));
                }
            }
            "--comment" | "--limit" | "--limit-burst" | "--seconds" | "--log-prefix"
            | "--log-level" => drop(next(&mut words)),
            "-j" | "--jump" => rule.target = next(&mut words),
            "--reject-with" => rule.reject = Some(next(&mut words)),
            other => return Err(format!("{other:?} in a rule of iptables")),
        }
    }
    Ok(rule)
}

fn module(name: &str) -> Result<(), String> {
    let known =
        ["multiport", "set", "recent", "state", "conntrack", "tcp", "udp", "comment", "limit"];
    if known.contains(&name) { Ok(()) } else { Err(format!("the module {name:?} of iptables")) }
}
