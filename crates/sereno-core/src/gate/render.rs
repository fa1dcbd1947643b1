//! The gate as nft text: for people to read, and for tests to check against the real `nft`.

use super::{BASE_CHAIN, Family, Gate, Hold, Left, PortRange, Ports, Set, Verdict};
use crate::addr::Prefix;
use crate::time::Time;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The whole gate with `holds` in it, as text that `nft -f` loads in one transaction,
/// replacing an older table of the same name. Ended and misplaced holds are left out.
#[must_use]
pub fn render(gate: &Gate, holds: &[Hold], now: Time) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_gate(&mut out, gate, holds, now);
    out
}

fn write_gate(out: &mut String, gate: &Gate, holds: &[Hold], now: Time) -> std::fmt::Result {
    let table = gate.table();
    let placed = gate.place(holds, now);
    // Creating it first makes the deletion succeed whether or not the table existed.
    writeln!(out, "table inet {table}")?;
    writeln!(out, "delete table inet {table}")?;
    writeln!(out, "table inet {table} {{")?;
    for scope in gate.scopes() {
        writeln!(out, "\tcounter {} {{\n\t\tpackets 0 bytes 0\n\t}}\n", scope.counter())?;
    }
    for set in gate.sets() {
        let list = placed.sets.get(&set).map_or(&[][..], Vec::as_slice);
        write_set(out, set, list)?;
    }
    for scope in gate.scopes() {
        writeln!(out, "\tchain {} {{", scope.chain())?;
        for set in gate.sets_of(scope) {
            let source = source(set);
            let counter = scope.counter();
            for &verdict in gate.block(scope).verdicts() {
                let only = if verdict == Verdict::Reset { "meta l4proto tcp " } else { "" };
                let verdict = words(verdict, set.family);
                writeln!(out, "\t\t{only}{source} @{set} counter name \"{counter}\" {verdict}")?;
            }
        }
        writeln!(out, "\t}}\n")?;
    }
    writeln!(out, "\tchain {BASE_CHAIN} {{")?;
    writeln!(out, "\t\ttype filter hook prerouting priority raw; policy accept;")?;
    writeln!(out, "\t\tiif \"lo\" accept")?;
    for scope in gate.scopes() {
        match &scope.ports {
            Ports::All => writeln!(out, "\t\tjump {}", scope.chain())?,
            Ports::Only(ranges) => {
                for &range in ranges {
                    writeln!(out, "\t\t{} jump {}", ports(range), scope.chain())?;
                }
            }
        }
    }
    writeln!(out, "\t}}\n}}")
}

fn write_set(out: &mut String, set: Set, list: &[(Prefix, Left)]) -> std::fmt::Result {
    let kind = match set.family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    writeln!(out, "\tset {set} {{\n\t\ttype {kind}\n\t\tflags timeout")?;
    for (index, (prefix, left)) in list.iter().enumerate() {
        let lead = if index == 0 { "\t\telements = { " } else { ",\n\t\t\t     " };
        write!(out, "{lead}{}", prefix.addr())?;
        if let Left::For(span) = left {
            write!(out, " timeout {}", span_text(*span))?;
        }
    }
    if !list.is_empty() {
        writeln!(out, " }}")?;
    }
    writeln!(out, "\t}}\n")
}

fn source(set: Set) -> String {
    let field = match set.family {
        Family::V4 => "ip saddr",
        Family::V6 => "ip6 saddr",
    };
    if set.bits == set.family.width() {
        return field.to_owned();
    }
    let ones: IpAddr = match set.family {
        Family::V4 => Ipv4Addr::BROADCAST.into(),
        Family::V6 => Ipv6Addr::from_bits(u128::MAX).into(),
    };
    // The lengths of a gate are checked, so the prefix always exists.
    let mask = Prefix::new(ones, set.bits).map_or(ones, Prefix::addr);
    format!("{field} & {mask}")
}

fn words(verdict: Verdict, family: Family) -> &'static str {
    match (verdict, family) {
        (Verdict::Drop, _) => "drop",
        (Verdict::Reset, _) => "reject with tcp reset",
        (Verdict::Unreachable, Family::V4) => "reject with icmp port-unreachable",
        (Verdict::Unreachable, Family::V6) => "reject with icmpv6 port-unreachable",
    }
}

fn ports(range: PortRange) -> String {
    let (proto, first, last) = (range.proto().as_str(), range.first(), range.last());
    if range.is_whole() {
        format!("meta l4proto {proto}")
    } else if first == last {
        format!("{proto} dport {first}")
    } else {
        format!("{proto} dport {first}-{last}")
    }
}

/// A time span as nft writes it: `1d2h3m4s500ms`.
fn span_text(span: Duration) -> String {
    let secs = span.as_secs();
    let parts = [
        (secs / 86_400, "d"),
        (secs / 3600 % 24, "h"),
        (secs / 60 % 60, "m"),
        (secs % 60, "s"),
        (u64::from(span.subsec_millis()), "ms"),
    ];
    let shown: String =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Draft, Scope};

    #[test]
    fn a_small_gate_reads_well() {
        let mut draft = Draft::of(vec![
            Scope::new("sip", "udp/5060-5061, tcp/5060, sctp/0-65535").unwrap(),
            Scope::new("all", "all").unwrap(),
        ]);
        draft.v6_lengths = vec![64];
        let gate = Gate::try_from(draft).unwrap();
        let now = Time::from_secs(0);
        let hold = |prefix: &str, secs: u64| Hold {
            scope: "all".parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            until: (secs > 0).then(|| now.plus(Duration::from_millis(secs * 1000 + 7))),
        };
        let holds = [hold("192.0.2.7", 93_784), hold("192.0.2.8", 0), hold("2001:db8::/64", 60)];
        let text = render(&gate, &holds, now);
        assert_eq!(text, include_str!("render.nft"), "{text}");
    }
}
