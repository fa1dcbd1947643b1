//! Rules of nft, as `nft(8)` describes them.

use super::Target;
use sereno_core::gate::Block;

/// A rule that stops those in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) set: String,
    pub(super) target: Target,
    pub(super) block: Block,
    pub(super) note: Option<String>,
}

/// Reads the words behind `add rule FAMILY TABLE CHAIN`.
pub(super) fn rule(words: &[String]) -> Result<Rule, String> {
    let text = words.join(" ").replace('{', " { ").replace('}', " } ");
    let mut words = text.split_whitespace().peekable();
    let (mut protocol, mut ports, mut set) = (String::new(), None, None);
    while let Some(word) = words.next() {
        match (word, words.peek().copied()) {
            ("tcp" | "udp" | "sctp" | "dccp", Some("dport")) => {
                words.next();
                (protocol, ports) = (word.to_owned(), Some(list(&mut words)));
            }
            // The header of whatever protocol it is.
            ("th", Some("dport")) => {
                words.next();
                (protocol, ports) = ("all".to_owned(), Some(list(&mut words)));
            }
            ("meta", Some("l4proto")) => {
                words.next();
                protocol = list(&mut words);
            }
            ("ip" | "ip6", Some("saddr")) => {
                words.next();
                let name = words.next().and_then(|word| word.strip_prefix('@'));
                set = Some(name.ok_or("a source that is no set")?.to_owned());
            }
            ("counter", _) => {}
            ("drop" | "reject", _) => {
                let (block, note) = verdict(word, words)?;
                let set = set.ok_or("a rule of nft without a set")?;
                return Ok(Rule { set, target: (protocol, ports), block, note });
            }
            (other, _) => return Err(format!("{other:?} in a rule of nft")),
        }
    }
    Err("a rule of nft without drop or reject".to_owned())
}

/// One value, or those in braces.
fn list<'w>(words: &mut impl Iterator<Item = &'w str>) -> String {
    match words.next() {
        Some("{") => words.take_while(|word| *word != "}").collect::<Vec<_>>().join(" "),
        other => other.unwrap_or("").to_owned(),
    }
}

fn verdict<'w>(
    verdict: &str,
    words: impl Iterator<Item = &'w str>,
) -> Result<(Block, Option<String>), String> {
    let rest: Vec<&str> = words.filter(|word| *word != "type").collect();
    match (verdict, rest.as_slice()) {
        ("drop", []) => Ok((Block::Drop, None)),
        ("reject", []) => Ok((Block::Reject, None)),
        ("reject", ["with", "tcp", "reset"]) => Ok((Block::Reset, None)),
        ("reject", ["with", "icmp" | "icmpx" | "icmpv6", code]) => {
            let note = format!("the ICMP error is \"port unreachable\", not {code}");
            Ok((Block::Reject, (*code != "port-unreachable").then_some(note)))
        }
        _ => Err(format!("{:?} behind {verdict}", rest.join(" "))),
    }
}
