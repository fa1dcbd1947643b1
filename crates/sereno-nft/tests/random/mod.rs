//! Random policies and packets in a real kernel, beside the model that explains them: whatever it is
//! that puts the gate in place.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

mod out;

use crate::net::{self, Net};
use jiff::tz::TimeZone;
use rustix::net::{AddressFamily, SendFlags, SocketType, sendto, socket};
use sereno_core::gate::policy::{Known, Policy, Rule, Services, Side, TRUSTED, Zone, shadow};
use sereno_core::gate::walk::{Seen, State, Toward, Walk, walk};
use sereno_core::gate::{
    Contents, Draft, Gate, Handshake, Hold, Name, PortRange, PortScan, Scope, SynProxy, render,
};
use sereno_core::time::Time;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Packets that are sent to each policy.
const PACKETS: u32 = 60;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const ESP: u8 = 50;

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_micros()).unwrap())
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The same numbers in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.roll(of.len())]
    }

    /// Up to so many of them, in no order.
    fn some<'t>(&mut self, of: &[&'t str], most: usize) -> Vec<&'t str> {
        let count = 1 + self.roll(most);
        let picked: BTreeSet<&str> = (0..count).map(|_| self.one(of)).collect();
        picked.into_iter().collect()
    }

    fn often(&mut self, in_ten: usize) -> bool {
        self.roll(10) < in_ten
    }
}

const NETWORKS: [&str; 14] = [
    "10.9.0.0/16",
    "10.9.0.0/24",
    "10.9.0.0/28",
    "10.9.1.0/24",
    "10.9.1.2",
    "10.8.0.0/24",
    "203.0.113.0/24",
    "203.0.113.128/25",
    "fd09::/32",
    "fd09::/64",
    "fd09:0:0:1::/64",
    "fd09::2",
    "2001:db8::/32",
    "10.0.0.0/7",
];
const SERVICES: [&str; 14] = [
    "ssh",
    "sip",
    "iax2",
    "rtp",
    "http, https",
    "tcp/1000-2000",
    "udp/1000-2000",
    "tcp",
    "udp",
    "ping",
    "icmp",
    "esp",
    "all",
    "icmpv6",
];
const SOURCES: [&str; 14] = [
    "10.9.0.2",
    "10.9.0.3",
    "10.9.0.77",
    "10.9.1.2",
    "10.9.1.3",
    "10.9.200.1",
    "10.8.0.9",
    "203.0.113.5",
    "203.0.113.200",
    "198.51.100.7",
    "fd09::2",
    "fd09::3",
    "fd09:0:0:1::2",
    "2001:db8::7",
];
const PORTS: [u16; 10] = [22, 5060, 4569, 10_000, 80, 443, 1000, 1500, 2001, 68];

pub(crate) fn zone(title: &str, members: &[&str]) -> Zone {
    let (networks, interfaces): (Vec<&str>, Vec<&str>) =
        members.iter().partition(|member| member.contains(['.', ':']));
    Zone {
        name: name(title),
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        interfaces: interfaces.iter().map(|text| (*text).to_owned()).collect(),
        open: title == TRUSTED,
    }
}

fn zones(dice: &mut Dice) -> Vec<Zone> {
    let mut left: Vec<&str> = NETWORKS.to_vec();
    left.extend(["cable", "room"]);
    let mut zones = Vec::new();
    for title in ["trusted", "local", "guests"] {
        if dice.often(7) {
            let members = dice.some(&left, 4);
            left.retain(|one| !members.contains(one));
            zones.push(zone(title, &members));
        }
    }
    zones
}

fn line(dice: &mut Dice, zones: &[Name]) -> String {
    let deed = dice.one(&["allow", "allow", "allow", "drop", "reject"]);
    let mut line = format!("{deed} {}", dice.some(&SERVICES, 3).join(", "));
    if dice.often(5) {
        let mut from: Vec<&str> = zones.iter().map(Name::as_str).collect();
        from.extend(NETWORKS);
        line += &format!(" from {}", dice.some(&from, 3).join(" "));
    }
    if dice.often(2) {
        line += &format!(" on {}", dice.some(&["cable", "room", "ppp0"], 2).join(" "));
    }
    if dice.often(2) {
        line += &format!(" to {}", dice.some(&["10.9.0.1", "10.8.0.0/24", "fd09::1"], 2).join(" "));
    }
    if dice.often(2) {
        line += dice.one(&[" until 2020-01-01", " until 2090-01-01"]);
    }
    line
}

/// A policy of such lines, with two zones.
pub(crate) fn lines(lines: &[&str]) -> Policy {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let zones = vec![
        zone("trusted", &["10.9.0.0/24", "fd09::/64"]),
        zone("local", &["10.9.0.0/16", "10.8.0.0/24", "room", "wg0"]),
    ];
    Policy { ping: true, ..policy(&lines, zones) }
}

pub(crate) fn policy(lines: &[String], zones: Vec<Zone>) -> Policy {
    let mut policy = Policy { zones, ..Policy::default() };
    let names: Vec<Name> = policy.names().collect();
    let known = Known { services: &Services::default(), zones: &names, zone: &TimeZone::UTC };
    policy.rules = lines.iter().map(|line| Rule::parse(line, known).unwrap()).collect();
    policy
}

/// The same with lines about what goes out.
pub(crate) fn leaving(policy: Policy, lines: &[&str]) -> Policy {
    let names: Vec<Name> = policy.names().collect();
    let known = Known { services: &Services::default(), zones: &names, zone: &TimeZone::UTC };
    let out = lines.iter().map(|line| Rule::parse_for(Side::Out, line, known).unwrap());
    Policy { out: Some(out.collect()), ..policy }
}

fn random(dice: &mut Dice) -> Policy {
    let zones = zones(dice);
    let mut names: Vec<Name> = zones.iter().map(|zone| zone.name).collect();
    names.push(name("world"));
    let lines: Vec<String> = (0..dice.roll(9)).map(|_| line(dice, &names)).collect();
    let mut policy = policy(&lines, zones);
    policy.ping = dice.often(5);
    policy.asymmetric = dice.often(3);
    policy.cut = dice.often(2);
    if dice.often(3) {
        return policy;
    }
    let lines: Vec<String> = (0..dice.roll(7)).map(|_| out::line(dice, &names)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    leaving(policy, &lines)
}

pub(crate) fn gate(policy: Policy) -> Gate {
    gate_with(policy, &[])
}

fn gate_with(policy: Policy, proxied: &[&str]) -> Gate {
    let scanners = Scope { begins: true, ..Scope::new("portscan", "all").unwrap() };
    let scopes = [Scope::new("all", "all").unwrap(), Scope::new("sip", "udp/5060").unwrap()];
    let scopes = scopes.into_iter().chain([scanners]).collect();
    let quiet = vec!["udp/10000-20000".parse().unwrap()];
    let portscan = Some(PortScan::new(4250, quiet, net::PATIENCE));
    let syn_proxy = proxy(proxied).filter(|proxy| !proxy.ports.is_empty());
    let draft = Draft { policy: Some(policy), syn_proxy, portscan, ..Draft::of(scopes) };
    Gate::try_from(draft).unwrap()
}

/// What answers SYNs at these ports.
pub(crate) fn proxy(ports: &[&str]) -> Option<SynProxy> {
    let ports: Vec<PortRange> = ports.iter().map(|range| range.parse().unwrap()).collect();
    Some(SynProxy { ports, handshake: Handshake::default(), undates: true })
}

/// That no rule decided of which it is said that it never does.
fn not_shadowed(gate: &Gate, walk: &Walk) {
    let counters = walk.steps.iter().filter_map(|step| step.counter.as_deref());
    let policy = gate.policy().unwrap();
    for counter in counters {
        let (rules, number) = match counter.strip_prefix("out_") {
            Some(counter) => (policy.out(), counter),
            None => (&policy.rules[..], counter),
        };
        let number = number.strip_prefix("rule_").and_then(|number| number.parse::<usize>().ok());
        if let Some(number) = number {
            assert_eq!(shadow(rules, number - 1), None, "{walk:?}");
        }
    }
}

/// A packet to be sent, and what is known of it.
fn packet(dice: &mut Dice, number: u32) -> Seen {
    let source: IpAddr = dice.one(&SOURCES).parse().unwrap();
    let (to, icmp_types): (&[&str], &[u8]) = match source {
        IpAddr::V4(_) => (&["10.9.0.1", "10.9.0.1", "10.8.0.1"], &[8, 13]),
        IpAddr::V6(_) => (&["fd09::1"], &[128, 133]),
    };
    let protocol = [TCP, TCP, UDP, UDP, UDP, ICMP, ESP][dice.roll(7)];
    let protocol = if protocol == ICMP && source.is_ipv6() { ICMPV6 } else { protocol };
    let is_icmp = matches!(protocol, ICMP | ICMPV6);
    let icmp = if is_icmp { icmp_types[dice.roll(icmp_types.len())] } else { 0 };
    let rst = protocol == TCP && dice.often(2);
    let ack = protocol == TCP && !rst && dice.often(3);
    let from = if dice.often(1) { 67 } else { (2048 + number % 60_000) as u16 };
    let near = source.to_string().starts_with("10.9.") || source.to_string().starts_with("fd09:");
    let state = match protocol {
        TCP if rst => State::Invalid,
        ICMPV6 if icmp == 133 => State::Untracked,
        UDP if near && from > 67 && dice.often(2) => State::Established,
        _ => State::New,
    };
    let with_ports = matches!(protocol, TCP | UDP);
    Seen {
        on: "cable".to_owned(),
        source,
        destination: dice.one(to).parse().unwrap(),
        protocol,
        ports: if with_ports { (from, PORTS[dice.roll(PORTS.len())]) } else { (0, 0) },
        icmp,
        syn: protocol == TCP && !rst && !ack,
        state,
        reply: state == State::Established,
        toward: Toward::Here,
        back: near,
        mark: 0,
        at: now(),
    }
}

/// The sum of RFC 1071.
fn sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// The bytes of it, `number` among them: the identification of IPv4, the flow label of IPv6.
fn bytes(seen: &Seen, number: u32) -> Vec<u8> {
    let (from, to) = seen.ports;
    let mut inner = match seen.protocol {
        TCP => {
            let flags = match seen.state {
                _ if seen.syn => 0x02,
                // A FIN alone, of nothing.
                State::Invalid if seen.toward == Toward::Away => 0x01,
                State::Invalid => 0x04,
                // Of something of which nobody saw the beginning.
                _ => 0x10,
            };
            [
                &from.to_be_bytes()[..],
                &to.to_be_bytes(),
                &[0; 8],
                &[0x50, flags, 0xff, 0xff],
                &[0; 4],
            ]
            .concat()
        }
        UDP => [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0, 12, 0, 0], b"walk"].concat(),
        ICMP => [&[seen.icmp, 0, 0, 0][..], &(number as u16).to_be_bytes(), &[0; 14]].concat(),
        ICMPV6 => [&[seen.icmp, 0, 0, 0][..], &(number as u16).to_be_bytes(), &[0, 1]].concat(),
        _ => vec![0; 16],
    };
    let place = match seen.protocol {
        TCP => 16,
        UDP => 6,
        ICMP | ICMPV6 => 2,
        _ => 0,
    };
    let octets = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    let (source, destination) = (octets(seen.source), octets(seen.destination));
    let len = inner.len() as u16;
    if place > 0 {
        let pseudo = [&source[..], &destination, &[0, seen.protocol], &len.to_be_bytes()].concat();
        let head = if seen.protocol == ICMP { &[][..] } else { &pseudo };
        let sum = sum(&[head, &inner]);
        inner[place..place + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let id = (number as u16).to_be_bytes();
    let head = if seen.source.is_ipv4() {
        let total = (20 + len).to_be_bytes();
        [&[0x45, 0][..], &total, &id, &[0, 0, 64, seen.protocol, 0, 0], &source, &destination]
            .concat()
    } else {
        let first = [0x60, 0, id[0], id[1]];
        let hops = [seen.protocol, 255];
        [&first[..], &len.to_be_bytes(), &hops, &source, &destination].concat()
    };
    [head, inner].concat()
}

struct Sender {
    v4: OwnedFd,
    v6: OwnedFd,
}

impl Sender {
    /// In the namespace it is called in.
    fn new() -> Self {
        let raw = Some(rustix::net::ipproto::RAW);
        let open = |family| socket(family, SocketType::RAW, raw).unwrap();
        Self { v4: open(AddressFamily::INET), v6: open(AddressFamily::INET6) }
    }

    fn send(&self, seen: &Seen, number: u32) {
        let socket = if seen.source.is_ipv4() { &self.v4 } else { &self.v6 };
        let to = SocketAddr::new(seen.destination, 0);
        sendto(socket, &bytes(seen, number), SendFlags::empty(), &to).unwrap();
    }
}

/// Notes the numbers of what comes behind the gate, and lets nothing come of it.
const PROBE: &str = "table inet probe {
    set four { typeof ip id; flags dynamic; size 65535; }
    set six { typeof ip6 flowlabel; flags dynamic; size 65535; }
    chain behind { type filter hook input priority 250;
        iifname != \"cable\" accept
        icmpv6 type { 135, 136 } accept
        update @four { ip id }
        update @six { ip6 flowlabel }
        drop
    }
}";

/// The numbers that were noted in these sets since it was asked.
fn arrived(net: &Net, sets: [&str; 2]) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for set in sets {
        let text = net.nft(&["list", "set", "inet", "probe", set], "");
        let list = text.split_once("elements = {").map_or("", |(_, rest)| rest);
        let list = list.split('}').next().unwrap_or_default();
        numbers.extend(list.split(',').filter_map(|word| word.trim().parse::<u32>().ok()));
        net.nft(&["flush", "set", "inet", "probe", set], "");
    }
    numbers
}

/// A server with two links, which believes every source.
fn open_house() -> Option<(Net, net::Lodger)> {
    let net = Net::new()?;
    let lodger = net.lodger();
    net.serve(|| {
        for link in ["all", "default", "cable", "room"] {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{link}/rp_filter"), "0").unwrap();
        }
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    });
    net.nft(&["-f", "-"], PROBE);
    net.nft(&["-f", "-"], out::PROBE);
    out::ways(&net);
    Some((net, lodger))
}

/// Tries so many policies, each put in place by `install`: every packet goes where the model says. At some of
/// the ports of `proxied` SYNs are answered; nobody listens there.
pub(crate) fn agree(
    policies: u32,
    proxied: &[&str],
    mut install: impl FnMut(&Net, &Gate, Contents<'_>),
) {
    let Some((net, _lodger)) = open_house() else { return };
    let (sender, server) = (net.visit(Sender::new), net.serve(Sender::new));
    let mut dice = Dice(20_261_122);
    let (mut number, mut tally) = (1u32, Tally::default());
    for _ in 0..policies {
        let policy = random(&mut dice);
        let rules = policy.rules.iter().chain(policy.out());
        let lines: Vec<&str> = rules.map(|rule| rule.text.as_str()).collect();
        let lines = format!("{:?} {lines:#?} ping {}", policy.zones, policy.ping);
        let ports = if proxied.is_empty() { Vec::new() } else { dice.some(proxied, 3) };
        let gate = gate_with(policy, &ports);
        let banned = |prefix: &str, scope| Hold {
            scope: name(scope),
            prefix: prefix.parse().unwrap(),
            until: None,
        };
        let nets = [("10.9.0.77", "all"), ("10.9.1.0/24", "sip"), ("10.9.0.3", "portscan")];
        let holds = nets.map(|(prefix, scope)| banned(prefix, scope));
        let holds = &holds[..if dice.often(3) { 3 } else { 0 }];
        let contents = Contents::bans(holds);
        install(&net, &gate, contents);
        let (mut expected, mut known) = (Vec::new(), Vec::new());
        for _ in 0..PACKETS {
            let mut seen = packet(&mut dice, number);
            if seen.state == State::Established {
                let first = Seen { state: State::New, ..out::answer(&seen) };
                let leaves = walk(&gate, contents, &first).stopped.is_none();
                assert_eq!(begin(&net, &seen), leaves, "{first:?}\n{lines}");
                if leaves {
                    known.push(out::answer(&seen));
                } else {
                    (seen.state, seen.reply) = (State::New, false);
                }
            }
            sender.send(&seen, number % 65_536);
            expected.push((number % 65_536, seen));
            number += 1;
        }
        let came = settled(&gate, contents, &expected, || arrived(&net, ["four", "six"]));
        let sent = out::packets(&mut dice, &mut number, known);
        sent.iter().for_each(|(id, seen)| out::send(&server, seen, *id));
        let left = settled(&gate, contents, &sent, || out::left(&net));
        let both = expected.iter().map(|one| (&came, one));
        for (came, (id, seen)) in both.chain(sent.iter().map(|one| (&left, one))) {
            let walk = walk(&gate, contents, seen);
            let passes = walk.stopped.is_none();
            not_shadowed(&gate, &walk);
            assert_eq!(
                came.contains(id),
                passes,
                "{seen:?}\n{walk:?}\n{lines}\n{}",
                render(&gate, contents, now())
            );
            tally.count(seen, passes);
        }
    }
    tally.is_enough(policies);
}

/// How many packets went where.
#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    stopped: u32,
    left: u32,
    kept: u32,
}

impl Tally {
    fn count(&mut self, seen: &Seen, passes: bool) {
        *match (seen.toward == Toward::Away, passes) {
            (false, true) => &mut self.passed,
            (false, false) => &mut self.stopped,
            (true, true) => &mut self.left,
            (true, false) => &mut self.kept,
        } += 1;
    }

    fn is_enough(&self, policies: u32) {
        println!("as the model said: {self:?}");
        assert!(self.passed.min(self.stopped) > policies * PACKETS / 7);
        assert!(self.left.min(self.kept) > policies * PACKETS / 14);
    }
}

/// What arrived, once as much did as should, or after a while.
fn settled(
    gate: &Gate,
    contents: Contents<'_>,
    expected: &[(u32, Seen)],
    mut noted: impl FnMut() -> BTreeSet<u32>,
) -> BTreeSet<u32> {
    let passing = expected.iter().filter(|(_, seen)| walk(gate, contents, seen).stopped.is_none());
    let wanted = passing.count();
    let mut came = BTreeSet::new();
    for _ in 0..20 {
        came.extend(noted());
        if came.len() >= wanted {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    came
}

/// Has the server begin what the packet answers; whether that leaves.
fn begin(net: &Net, seen: &Seen) -> bool {
    net.serve(|| {
        let socket = UdpSocket::bind((seen.destination, seen.ports.1)).unwrap();
        socket.send_to(b"first", (seen.source, seen.ports.0)).is_ok()
    })
}
