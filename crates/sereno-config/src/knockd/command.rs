//! What a command does, as far as the gate can do it instead: rules of `iptables(8)` that accept all
//! packets of the address, or those to some ports.

use super::lines::Entry;
use crate::problem::{Notes, Wrong};
use sereno_core::door::Deed;
use sereno_core::gate::{PortRange, Ports, Proto};

/// Bytes of a command at most; knockd runs no longer one.
const LONGEST: usize = 4095;
/// Names of ports that are written instead of numbers.
const SERVICES: [(&str, u16); 12] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("imap2", 143),
    ("https", 443),
    ("imaps", 993),
    ("mysql", 3306),
    ("sip", 5060),
];

/// What a command is to us. `six` says that it is for IPv6 addresses; iptables, which would refuse
/// them, opens for them as well.
pub(super) fn deed(text: &str, six: bool) -> Deed {
    if text.is_empty() {
        return Deed::Nothing;
    }
    rule(text, six).unwrap_or_else(|| Deed::Run(text.to_owned()))
}

/// Warns of what a command can hardly mean.
pub(super) fn look(entry: &Entry, notes: &mut Notes) {
    let Some(value) = &entry.value else { return };
    let disguised = value.text.chars().find(|c| "–—−‐“”„‘’\u{a0}".contains(*c));
    let (message, remedy) = if value.text.len() > LONGEST {
        ("a command of more than 4095 bytes is not run".to_owned(), "put it into a script")
    } else if let Some(c) = disguised {
        let message = format!("U+{:04X} is no character of a command", u32::from(c));
        (message, "this line was copied from a page: write an ordinary -, \" or blank in its place")
    } else if value.text.contains("$IP") || value.text.contains("${IP}") {
        let message = "$IP is a variable of the shell, and empty".to_owned();
        (message, "write %IP%, in whose place knockd puts the address")
    } else {
        return;
    };
    notes.warn(0, Wrong::new(value.span.clone(), message).remedy(remedy));
}

/// Whether a command has this verb of `ufw(8)`.
pub(super) fn of_ufw(text: &str, verb: &str) -> bool {
    let mut words = text.split_whitespace();
    let is_ufw = |word: &str| word.rsplit('/').next() == Some("ufw");
    words.any(is_ufw) && words.any(|word| word == verb)
}

/// A rule of iptables, while its words are read.
#[derive(Default)]
struct Rule<'t> {
    verb: Option<char>,
    source: bool,
    accepts: bool,
    proto: Option<Proto>,
    ports: Option<&'t str>,
}

fn rule(text: &str, six: bool) -> Option<Deed> {
    let words = words(text)?;
    let mut words = words.iter().map(String::as_str).peekable();
    let program = words.next()?;
    let name = ["", "/sbin/", "/usr/sbin/", "/bin/", "/usr/bin/"];
    let base = name
        .iter()
        .find_map(|folder| program.strip_prefix(folder).filter(|base| !base.contains('/')))?;
    match base.trim_end_matches("-nft").trim_end_matches("-legacy") {
        "iptables" => {}
        "ip6tables" if six => {}
        _ => return None,
    }
    let mut rule = Rule::default();
    while let Some(word) = words.next() {
        option(&mut rule, word, &mut words)?;
    }
    if !rule.source || !rule.accepts {
        return None;
    }
    let ports = match (rule.proto, rule.ports) {
        (None, None) => Ports::All,
        (Some(proto), Some(list)) => ports(proto, list)?,
        (Some(proto), None) => Ports::only(vec![PortRange::new(proto, 0, u16::MAX)?]).ok()?,
        (None, Some(_)) => return None,
    };
    Some(if rule.verb? == 'D' { Deed::Close(ports) } else { Deed::Open(ports) })
}

/// Reads an option with its value; `None` if it changes what the rule means.
fn option<'t>(
    rule: &mut Rule<'t>,
    word: &str,
    words: &mut std::iter::Peekable<impl Iterator<Item = &'t str>>,
) -> Option<()> {
    let digits = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    match word {
        "-A" | "--append" | "-I" | "--insert" | "-D" | "--delete" if rule.verb.is_none() => {
            rule.verb = word.trim_start_matches('-').chars().next().map(|c| c.to_ascii_uppercase());
            (words.next()? == "INPUT").then_some(())?;
            if rule.verb == Some('I') {
                words.next_if(digits);
            }
        }
        "-s" | "--source" | "--src" if !rule.source => {
            rule.source = ["%IP%", "%IP%/32", "%IP%/128"].contains(&words.next()?);
            rule.source.then_some(())?;
        }
        "-p" | "--protocol" | "--proto" if rule.proto.is_none() => {
            match words.next()?.to_ascii_lowercase().as_str() {
                "tcp" | "6" => rule.proto = Some(Proto::Tcp),
                "udp" | "17" => rule.proto = Some(Proto::Udp),
                "all" | "0" => {}
                _ => return None,
            }
        }
        "--dport" | "--destination-port" | "--dports" | "--destination-ports"
            if rule.ports.is_none() =>
        {
            rule.ports = Some(words.next()?);
        }
        "-j" | "--jump" if !rule.accepts => {
            rule.accepts = words.next()? == "ACCEPT";
            rule.accepts.then_some(())?;
        }
        "-m" | "--match" => {
            let known = ["tcp", "udp", "state", "conntrack", "comment", "multiport"];
            known.contains(&words.next()?).then_some(())?;
        }
        // What the gate opens, it opens for new connections; those that stand are let through anyway.
        "--state" | "--ctstate" => {
            words.next()?.split(',').any(|state| state == "NEW").then_some(())?;
        }
        "--comment" => drop(words.next()?),
        "-t" | "--table" => (words.next()? == "filter").then_some(())?,
        "-w" | "--wait" => drop(words.next_if(digits)),
        _ => return None,
    }
    Some(())
}

fn ports(proto: Proto, list: &str) -> Option<Ports> {
    let port = |text: &str| {
        let named = || SERVICES.iter().find(|(name, _)| *name == text).map(|(_, port)| *port);
        text.parse::<u16>().ok().or_else(named)
    };
    let ranges = list.split(',').map(|part| match part.split_once(':') {
        Some((first, last)) => PortRange::new(proto, port(first)?, port(last)?),
        None => PortRange::new(proto, port(part)?, port(part)?),
    });
    Ports::only(ranges.collect::<Option<_>>()?).ok()
}

/// A command's words; `None` if the shell would do more than to cut it into words.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '$' | '`' | '\\' | '!') => return None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, c) if "|&;<>()$`\\*?[]#~{}!\n".contains(c) => return None,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match deed(text, false) {
            Deed::Nothing => "nothing".to_owned(),
            Deed::Open(ports) => format!("open {ports}"),
            Deed::Close(ports) => format!("close {ports}"),
            Deed::Run(text) => format!("run {text}"),
        }
    }

    #[test]
    fn rules_of_iptables_are_openings() {
        for (text, expected) in [
            ("iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "open tcp/22"),
            (
                "/usr/sbin/iptables -w 5 -I INPUT 1 -s %IP%/32 -p TCP --dport ssh -j ACCEPT",
                "open tcp/22",
            ),
            (
                "/sbin/iptables -D INPUT -p udp --dport 5060:5061 -s %IP% -j ACCEPT",
                "close udp/5060-5061",
            ),
            ("iptables -I INPUT -s %IP% -j ACCEPT", "open all"),
            ("iptables -I INPUT -s %IP% -p tcp -j ACCEPT", "open tcp/0-65535"),
            (
                "iptables -A INPUT -p tcp -m tcp -m state --state NEW -m multiport --dports 80,https \
              -m comment --comment 'by \"knock\"' -s %IP% -j ACCEPT",
                "open tcp/80, tcp/443",
            ),
            ("", "nothing"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        assert!(matches!(
            deed("ip6tables -I INPUT -s %IP% -j ACCEPT", true),
            Deed::Open(Ports::All)
        ));
        assert!(matches!(
            deed("iptables -I INPUT -s %IP% -j ACCEPT", true),
            Deed::Open(Ports::All)
        ));
    }

    #[test]
    fn other_commands_are_commands() {
        for text in [
            "iptables -A FORWARD -s %IP% -j ACCEPT",
            "iptables -A INPUT -s %IP% -j DROP",
            "iptables -A INPUT -s 192.0.2.1 -p tcp --dport 22 -j ACCEPT",
            "iptables -A INPUT ! -s %IP% -j ACCEPT",
            "iptables -A INPUT -s %IP% -i eth0 -j ACCEPT",
            "iptables -A INPUT -s %IP% -p icmp -j ACCEPT",
            "iptables -A INPUT -s %IP% --dport 22 -j ACCEPT",
            "iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT; id",
            "iptables -A INPUT -s %IP% -p tcp --dport $PORT -j ACCEPT",
            "iptables -D INPUT 3",
            "/tmp/iptables -I INPUT -s %IP% -j ACCEPT",
            "ip6tables -I INPUT -s %IP% -j ACCEPT",
            "echo %IP%",
        ] {
            assert_eq!(said(text), format!("run {text}"));
        }
    }
}
