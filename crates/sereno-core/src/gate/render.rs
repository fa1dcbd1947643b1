//! The gate as nft text: for people to read, and for tests to check against the real `nft`.

use super::contents::fill;
use super::plan::{
    Base, Chain, Hook, Kind, Part, Plan, Rule, Shape, Source, Test, Translate, memory,
};
use super::policy::Rate;
use super::{Contents, Family, Gate, Handshake, Left, Member, PortRange, Snat, Verdict};
use crate::addr::Prefix;
use crate::time::Time;
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The whole gate with `contents` in it, as text that `nft -f` loads in one transaction,
/// replacing an older table of the same name. Ended and misplaced ones are left out.
#[must_use]
pub fn render(gate: &Gate, contents: Contents<'_>, now: Time) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_gate(&mut out, gate, contents, now);
    out
}

fn write_gate(out: &mut String, gate: &Gate, contents: Contents<'_>, now: Time) -> fmt::Result {
    let table = gate.table();
    let mut filled = fill(gate, contents, now);
    // Creating it first makes the deletion succeed whether or not the table existed.
    writeln!(out, "table inet {table}")?;
    writeln!(out, "delete table inet {table}")?;
    writeln!(out, "table inet {table} {{")?;
    let plans = gate.plans();
    let all = |of: fn(&Plan) -> usize| plans.iter().map(of).sum::<usize>();
    for counter in plans.iter().flat_map(|plan| &plan.counters) {
        writeln!(out, "\tcounter {counter} {{\n\t\tpackets 0 bytes 0\n\t}}\n")?;
    }
    for shape in plans.iter().flat_map(|plan| &plan.sets) {
        let fixed = shape.fixed.iter().map(|member| (member.clone(), Left::Ever));
        let list = fixed.chain(filled.remove(&shape.name).unwrap_or_default()).collect::<Vec<_>>();
        write_set(out, shape, &list)?;
    }
    let last = all(|plan| plan.chains.len()) - 1;
    for (index, chain) in plans.iter().flat_map(|plan| &plan.chains).enumerate() {
        write_chain(out, chain)?;
        out.push_str(if index == last { "}\n" } else { "\n" });
    }
    Ok(())
}

fn write_set(out: &mut String, shape: &Shape, list: &[(Member, Left)]) -> fmt::Result {
    let what = if shape.kind == Kind::Dnat { "map" } else { "set" };
    writeln!(out, "\t{what} {} {{\n\t\ttype {}", shape.name, kind(shape.kind))?;
    match (shape.grows, shape.ends) {
        (Some(most), true) => writeln!(out, "\t\tsize {most}\n\t\tflags dynamic,timeout")?,
        (Some(most), false) => writeln!(out, "\t\tsize {most}\n\t\tflags dynamic")?,
        (None, _) if matches!(shape.kind, Kind::Range(_)) => writeln!(out, "\t\tflags interval")?,
        (None, true) => writeln!(out, "\t\tflags timeout")?,
        (None, false) => (),
    }
    for (index, (member, left)) in list.iter().enumerate() {
        let lead = if index == 0 { "\t\telements = { " } else { ",\n\t\t\t     " };
        write!(out, "{lead}{member}")?;
        if let Left::For(span) = left {
            write!(out, " timeout {}", span_text(*span))?;
        }
        if let Member::Dnat(.., to) = member {
            write!(out, " : {} . {}", to.ip(), to.port())?;
        }
    }
    if !list.is_empty() {
        writeln!(out, " }}")?;
    }
    writeln!(out, "\t}}\n")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Addr(Family::V4) | Kind::Range(Family::V4) => "ipv4_addr",
        Kind::Addr(Family::V6) | Kind::Range(Family::V6) => "ipv6_addr",
        Kind::Port => "inet_service",
        Kind::Proto => "inet_proto",
        Kind::Interface => "ifname",
        Kind::Family => "nf_proto",
        Kind::Icmp(Family::V4) => "icmp_type",
        Kind::Icmp(Family::V6) => "icmpv6_type",
        Kind::Single(Family::V4) => "ipv4_addr . inet_proto . inet_service",
        Kind::Single(Family::V6) => "ipv6_addr . inet_proto . inet_service",
        Kind::Dnat => "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
        Kind::Stream(Family::V4) => "ipv4_addr . inet_service . inet_service",
        Kind::Stream(Family::V6) => "ipv6_addr . inet_service . inet_service",
        Kind::Flow => "ipv4_addr . ipv4_addr . inet_proto . inet_service",
    }
}

impl fmt::Display for Member {
    /// As nft writes it; where something leads stands behind its time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => write!(f, "{addr}"),
            Self::Port(port) => write!(f, "{port}"),
            Self::Proto(proto) => f.write_str(proto.as_str()),
            Self::Interface(name) => write!(f, "\"{name}\""),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Icmp(_, kind) => write!(f, "{kind}"),
            Self::Family(family) => f.write_str(nfproto(*family)),
            Self::Single(addr, proto, port) => write!(f, "{addr} . {} . {port}", proto.as_str()),
            Self::Dnat(addr, proto, port, _) => write!(f, "{addr} . {} . {port}", proto.as_str()),
            Self::Stream(s) => write!(f, "{} . {} . {}", s.from, s.port, s.to),
            Self::Flow(from, to, proto) => {
                write!(f, "{from} . {} . {} . {}", to.ip(), proto.as_str(), to.port())
            }
        }
    }
}

fn write_chain(out: &mut String, chain: &Chain) -> fmt::Result {
    writeln!(out, "\tchain {} {{", chain.name)?;
    if let Some(base) = chain.base {
        writeln!(out, "\t\ttype {}; policy accept;", place(base))?;
    }
    for rule in &chain.rules {
        writeln!(out, "\t\t{}", words(rule))?;
    }
    writeln!(out, "\t}}")
}

fn place(base: Base) -> String {
    let (kind, hook) = (if base.nat { "nat" } else { "filter" }, hook(base.hook));
    let priority = match (base.priority, base.hook) {
        (-300, _) => "raw".to_owned(),
        (-150, _) => "mangle".to_owned(),
        (-149, _) => "mangle + 1".to_owned(),
        (-105, Hook::Prerouting) => "dstnat - 5".to_owned(),
        (95, Hook::Postrouting) => "srcnat - 5".to_owned(),
        (0, _) => "filter".to_owned(),
        (other, _) => other.to_string(),
    };
    format!("{kind} hook {hook} priority {priority}")
}

fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Prerouting => "prerouting",
        Hook::Input => "input",
        Hook::Output => "output",
        Hook::Postrouting => "postrouting",
    }
}

fn either(family: Family, four: &'static str, six: &'static str) -> &'static str {
    match family {
        Family::V4 => four,
        Family::V6 => six,
    }
}

fn nfproto(family: Family) -> &'static str {
    either(family, "ipv4", "ipv6")
}

fn icmp(family: Family) -> &'static str {
    either(family, "icmp", "icmpv6")
}

fn unit(per: Duration) -> &'static str {
    match per.as_secs() {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        _ => "day",
    }
}

/// As nft reads it where the machine's zone is UTC.
fn date(time: Time) -> String {
    let text = Time::from_secs(time.secs()).to_string();
    text.trim_end_matches('Z').replace('T', " ")
}

fn words(rule: &Rule) -> String {
    rule.iter().map(part).collect::<Vec<_>>().join(" ")
}

fn part(part: &Part) -> String {
    match part {
        Part::Loopback => "iif \"lo\"".to_owned(),
        Part::NotOn(set) => format!("iifname != @{set}"),
        Part::Elsewhere => "fib daddr type != local".to_owned(),
        Part::Here => "fib daddr type local".to_owned(),
        Part::Passing => "fib daddr type unicast".to_owned(),
        Part::If(test) => asked(test),
        Part::Neighbour => "icmpv6 type 135-136".to_owned(),
        Part::Protocol(proto) => format!("meta l4proto {}", proto.as_str()),
        Part::ProtocolIn(set) => format!("meta l4proto @{set}"),
        Part::To(range) => ports(*range),
        Part::ToAnyOf(proto, set) => format!("{} dport @{set}", proto.as_str()),
        Part::From(prefix) => format!("{} {prefix}", field(Family::of(*prefix))),
        Part::FromAnyOf(from, set) => format!("{} @{set}", source(*from)),
        Part::Single(family, set) => {
            format!("{} . meta l4proto . th dport @{set}", field(*family))
        }
        Part::Translate(part) => translate(part),
        Part::Syn => "tcp flags & (syn | ack) == syn".to_owned(),
        Part::Fresh => "ct state new,untracked".to_owned(),
        Part::Known => "ct state established".to_owned(),
        Part::Answer => "ct direction reply".to_owned(),
        Part::Remember(from, set, span) => {
            format!("update @{set} {{ {} timeout {} }}", source(*from), span_text(*span))
        }
        Part::RememberSingle(family, set, span) => {
            let key = format!("{} . meta l4proto . th dport", field(*family));
            format!("update @{set} {{ {key} timeout {} }}", span_text(*span))
        }
        Part::RememberTo(to, set, span) => {
            let key = source(*to).replace("saddr", "daddr");
            format!("update @{set} {{ {key} timeout {} }}", span_text(*span))
        }
        Part::Count(counter) => format!("counter name \"{counter}\""),
        Part::Mark(bits) => format!("meta mark set meta mark | {bits:#010x}"),
        Part::Unmark(bits) => format!("meta mark set meta mark & {:#010x}", !bits),
        Part::Log { prefix, group, bytes } => {
            let snap = bytes.map(|n| format!(" snaplen {n}")).unwrap_or_default();
            format!("log prefix \"{prefix}\" group {group}{snap}")
        }
        Part::Accept => "accept".to_owned(),
        Part::Jump(chain) => format!("jump {chain}"),
        Part::Goto(chain) => format!("goto {chain}"),
        Part::Undate => "reset tcp option timestamp".to_owned(),
        Part::SynProxy(family, handshake) => syn_proxy(*family, handshake),
        Part::Stop(verdict, family) => stop(*verdict, *family).to_owned(),
    }
}

fn asked(test: &Test) -> String {
    match test {
        Test::Of(family) => format!("meta nfproto {}", nfproto(*family)),
        Test::FamilyIn(set) => format!("meta nfproto @{set}"),
        Test::On(name) => format!("iifname \"{name}\""),
        Test::Leaves(name) => format!("oifname \"{name}\""),
        Test::WayBack => "fib saddr . iif oif exists".to_owned(),
        Test::ToAddr(prefix) => {
            format!("{} {prefix}", goal(Family::of(*prefix)))
        }
        Test::Number(number) => format!("meta l4proto {number}"),
        Test::Icmp(family, kind) => format!("{} type {kind}", icmp(*family)),
        Test::IcmpIn(family, set) => format!("{} type @{set}", icmp(*family)),
        Test::Marked(bits) => format!("meta mark & {bits:#010x} == {bits:#010x}"),
        Test::Before(time) => format!("meta time < \"{}\"", date(*time)),
        Test::ToLoopback => "oif \"lo\"".to_owned(),
        Test::Begun => "ct direction original".to_owned(),
        Test::SipAnswer => "@th,64,32 == 0x5349502f".to_owned(),
        Test::MiniFrame => "@th,64,8 & 0x80 == 0".to_owned(),
        Test::Rush(rate) => limit(rate),
        Test::New => "ct state new".to_owned(),
        Test::Foreign => "fib saddr type != local".to_owned(),
        Test::Acks => "tcp flags & (syn | rst | ack) == ack".to_owned(),
        Test::Breaks => "tcp flags & rst == rst".to_owned(),
        Test::Heard => "socket transparent <= 1".to_owned(),
        Test::MidStream => "tcp flags & (syn | ack) != syn".to_owned(),
        Test::Pushed => "tcp flags & psh == psh".to_owned(),
        Test::Stream(family, set) => {
            format!("{} . tcp sport . tcp dport @{set}", field(*family))
        }
        Test::StreamBack(family, set) => {
            format!("{} . tcp dport . tcp sport @{set}", goal(*family))
        }
        Test::FromPorts(range) => ports(*range).replace("dport", "sport"),
        Test::FromRange(family, set) => format!("{} @{set}", field(*family)),
        Test::ToRange(family, set) => format!("{} @{set}", goal(*family)),
        Test::Going => "ct state established,related".to_owned(),
        Test::Invalid => "ct state invalid".to_owned(),
        Test::Over(from, set, rate) => {
            format!(
                "update @{set} {{ {} timeout {} {} }}",
                source(*from),
                span_text(memory(rate)),
                limit(rate)
            )
        }
        Test::Crowded(from, set, most) => {
            format!("add @{set} {{ {} ct count over {most} }}", source(*from))
        }
    }
}

fn limit(rate: &Rate) -> String {
    let unit = unit(rate.per);
    format!("limit rate over {}/{unit} burst {} packets", rate.count, rate.burst)
}

fn translate(part: &Translate) -> String {
    match part {
        Translate::BegunBy(set) => format!("ct original ip saddr @{set}"),
        Translate::Leads(set) => format!("ct original ip saddr . meta l4proto . th dport @{set}"),
        Translate::Returns(set) => {
            format!("ct original ip saddr . ip saddr . meta l4proto . th sport @{set}")
        }
        Translate::Flows(set) => format!("ip saddr . ip daddr . meta l4proto . th dport @{set}"),
        Translate::Translated => "ct status dnat".to_owned(),
        Translate::Dnat(map) => format!("dnat ip to ip saddr . meta l4proto . th dport map @{map}"),
        Translate::DnatTo(addr) => format!("dnat ip to {addr}"),
        Translate::Snat(Snat::Masquerade) => "masquerade".to_owned(),
        Translate::Snat(Snat::To(addr)) => format!("snat ip to {addr}"),
    }
}

fn field(family: Family) -> &'static str {
    either(family, "ip saddr", "ip6 saddr")
}

fn goal(family: Family) -> &'static str {
    either(family, "ip daddr", "ip6 daddr")
}

fn source(from: Source) -> String {
    let field = field(from.family);
    if from.bits == from.family.width() {
        return field.to_owned();
    }
    let ones: IpAddr = match from.family {
        Family::V4 => Ipv4Addr::BROADCAST.into(),
        Family::V6 => Ipv6Addr::from_bits(u128::MAX).into(),
    };
    // The lengths of a gate are checked, so the prefix always exists.
    let mask = Prefix::new(ones, from.bits).map_or(ones, Prefix::addr);
    format!("{field} & {mask}")
}

fn syn_proxy(family: Family, handshake: &Handshake) -> String {
    let mut words = format!("synproxy mss {}", handshake.mss(family));
    if let Some(bits) = handshake.scale {
        let _ = write!(words, " wscale {bits}");
    }
    if handshake.timestamps {
        words.push_str(" timestamp");
    }
    if handshake.sack {
        words.push_str(" sack-perm");
    }
    words
}

fn stop(verdict: Verdict, family: Family) -> &'static str {
    match (verdict, family) {
        (Verdict::Drop, _) => "drop",
        (Verdict::Reset, _) => "reject with tcp reset",
        (Verdict::Unreachable, Family::V4) => "reject with icmp port-unreachable",
        (Verdict::Unreachable, Family::V6) => "reject with icmpv6 port-unreachable",
        (Verdict::Prohibited, Family::V4) => "reject with icmp admin-prohibited",
        (Verdict::Prohibited, Family::V6) => "reject with icmpv6 admin-prohibited",
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
    use crate::door::Hit;
    use crate::gate::samples::doors;
    use crate::gate::{
        Dnat, Doorway, Draft, Forward, Hold, Nat, Pass, Proto, Scope, Stream, Through,
    };

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
        let text = render(&gate, Contents::bans(&holds), now);
        assert_eq!(text, include_str!("render.nft"), "{text}");
    }

    #[test]
    fn a_gate_with_doors_reads_well() {
        let gate = doors();
        let now = Time::from_secs(0);
        let pass = |to, addr: &str, secs| Pass {
            to,
            addr: addr.parse().unwrap(),
            until: Some(now.plus(Duration::from_secs(secs))),
        };
        let ssh = Through::Opening("ssh".parse().unwrap());
        let single = Through::Port(Proto::Tcp, 443);
        let passes = [
            pass(ssh, "192.0.2.7", 30),
            pass(ssh, "192.0.2.7", 60),
            pass(ssh, "192.0.2.8", 0),
            pass(single, "192.0.2.7", 90),
            pass(single, "2001:db8::7", 90),
        ];
        let hits = [Hit::tcp(8000), Hit::udp(9000), Hit::tcp(7000), Hit::tcp(8000)];
        let stream = |from: &str, to| Stream { from: from.parse().unwrap(), port: 40_000, to };
        // The last two are to ports that nothing closes, or that are cut.
        let streams =
            [("192.0.2.9", 22), ("2001:db8::9", 22), ("192.0.2.9", 80), ("192.0.2.9", 5061)];
        let streams = streams.map(|(from, to)| stream(from, to));
        let contents =
            Contents { passes: &passes, hits: &hits, streams: &streams, ..Contents::default() };
        let text = render(&gate, contents, now);
        assert_eq!(text, include_str!("doors.nft"), "{text}");
    }

    #[test]
    fn a_gate_that_translates_reads_well() {
        let here = Snat::To(Ipv4Addr::new(10, 0, 0, 1));
        let ways = [(None, Some(Snat::Masquerade)), (Some(Ipv4Addr::new(10, 0, 0, 9)), None)];
        let forwards = ways.map(|(to, snat)| Forward { to, snat });
        let nat = Nat {
            here: true,
            elsewhere: true,
            snats: vec![here, Snat::Masquerade],
            forwards: forwards.to_vec(),
        };
        let doorway =
            Doorway { single: true, mark: Some(0x1000_0000), nat: Some(nat), ..Doorway::default() };
        let gate = Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap();
        let now = Time::from_secs(0);
        let dnat = |port, to: &str, here, snat| {
            Through::Dnat(Dnat { proto: Proto::Tcp, port, to: to.parse().unwrap(), here, snat })
        };
        let pass = |to, secs| Pass {
            to,
            addr: "192.0.2.7".parse().unwrap(),
            until: Some(now.plus(Duration::from_secs(secs))),
        };
        let passes = [
            pass(dnat(5555, "10.0.0.2:22", false, Some(here)), 30),
            // Two ports that lead to the same: what they share lasts as long as either.
            pass(dnat(5556, "10.0.0.2:22", false, None), 60),
            pass(dnat(5557, "198.51.100.1:22", true, None), 60),
            pass(Through::Forward(forwards[0]), 90),
        ];
        let text = render(&gate, Contents { passes: &passes, ..Contents::default() }, now);
        assert_eq!(text, include_str!("nat.nft"), "{text}");
        let plain = gate.without_nat();
        assert_eq!(plain.admit(&passes, now).misplaced.len(), 4);
        assert!(!render(&plain, Contents::default(), now).contains("nat"));
    }
}
