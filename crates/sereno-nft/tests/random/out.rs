//! Lines about what goes out, and packets that the server sends.

use super::{
    Dice, ESP, ICMP, ICMPV6, NETWORKS, PACKETS, SERVICES, Sender, TCP, UDP, arrived, bytes, now,
};
use crate::net::{Net, ip};
use rustix::io::Errno;
use rustix::net::{SendFlags, sendto};
use sereno_core::gate::walk::{Seen, State, Toward};
use sereno_core::gate::{Name, Proto};
use std::net::{IpAddr, SocketAddr};

/// How far what is sent here may go: by that the probe knows it.
pub(super) const HOPS: u8 = 77;

/// Notes the numbers of what leaves behind the gate, and lets nothing come of it.
pub(super) const PROBE: &str = "table inet probe {
    set left4 { typeof ip id; flags dynamic; size 65535; }
    set left6 { typeof ip6 flowlabel; flags dynamic; size 65535; }
    chain leaving { type filter hook output priority 250;
        ip ttl != 77 accept
        ip6 hoplimit != 77 accept
        update @left4 { ip id }
        update @left6 { ip6 flowlabel }
        drop
    }
}";

/// Those whom the server turns to; the last two are the server itself.
const GOALS: [&str; 15] = [
    "10.9.0.2",
    "10.9.0.3",
    "10.9.1.2",
    "10.9.200.1",
    "10.8.0.9",
    "203.0.113.5",
    "203.0.113.200",
    "198.51.100.7",
    "fd09::2",
    "fd09::3",
    "fd09:0:0:1::2",
    "2001:db8::7",
    "2001:db8:1::7",
    "10.9.0.1",
    "fd09::1",
];
const PORTS: [u16; 11] = [22, 5060, 4569, 10_000, 80, 443, 1000, 1500, 2001, 67, 547];

/// A way to everybody, for what is sent here alone: sources are believed by the ways back.
pub(super) fn ways(net: &Net) {
    for (family, gateway) in [("-4", "10.9.0.2"), ("-6", "fd09::2")] {
        let rule = ["rule", "add", "pref", "40000", "ipproto", "255", "lookup", "77"];
        let route = ["route", "add", "default", "via", gateway, "dev", "cable", "table", "77"];
        for words in [&rule[..], &route] {
            let words: Vec<&str> = [family].iter().chain(words).copied().collect();
            assert!(net.serve(|| ip(&words)), "{words:?}");
        }
    }
}

pub(super) fn line(dice: &mut Dice, zones: &[Name]) -> String {
    let deed = dice.one(&["allow", "allow", "allow", "drop", "reject"]);
    let mut line = format!("{deed} {}", dice.some(&SERVICES, 3).join(", "));
    if dice.often(6) {
        let mut to: Vec<&str> = zones.iter().map(Name::as_str).collect();
        to.extend(NETWORKS);
        line += &format!(" to {}", dice.some(&to, 3).join(" "));
    }
    if dice.often(2) {
        line += &format!(" on {}", dice.some(&["cable", "room", "ppp0"], 2).join(" "));
    }
    if dice.often(2) {
        line += dice.one(&[" until 2020-01-01", " until 2090-01-01"]);
    }
    line
}

/// A packet that the server sends, and what is known of it.
fn packet(dice: &mut Dice, number: u32) -> Seen {
    let destination: IpAddr = dice.one(&GOALS).parse().unwrap();
    let on = match destination.to_string().as_str() {
        "10.9.0.1" | "fd09::1" => "lo",
        "10.8.0.9" => "room",
        _ => "cable",
    };
    let (source, kinds): (&str, &[u8]) = match destination {
        IpAddr::V4(_) => ("10.9.0.1", &[8, 13, 3]),
        IpAddr::V6(_) if dice.often(3) => ("fe80::9", &[128, 133, 1]),
        IpAddr::V6(_) => ("fd09::1", &[128, 133, 1]),
    };
    let protocol = [TCP, TCP, UDP, UDP, UDP, ICMP, ESP][dice.roll(7)];
    let protocol = if protocol == ICMP && destination.is_ipv6() { ICMPV6 } else { protocol };
    let icmp = match protocol {
        ICMP | ICMPV6 => kinds[dice.roll(kinds.len())],
        _ => 0,
    };
    let broken = protocol == TCP && dice.often(2);
    let ack = protocol == TCP && !broken && dice.often(3);
    let from = match dice.roll(10) {
        0 => 68,
        1 => 546,
        _ => (2048 + number % 60_000) as u16,
    };
    let state = match protocol {
        TCP if broken => State::Invalid,
        ICMPV6 if icmp == 133 => State::Untracked,
        ICMP | ICMPV6 if icmp < 8 => State::Invalid,
        _ => State::New,
    };
    let with_ports = Proto::of(protocol).is_some();
    Seen {
        on: on.to_owned(),
        source: source.parse().unwrap(),
        destination,
        protocol,
        ports: if with_ports { (from, PORTS[dice.roll(PORTS.len())]) } else { (0, 0) },
        icmp,
        syn: protocol == TCP && !broken && !ack,
        state,
        reply: false,
        toward: Toward::Away,
        back: true,
        mark: 0,
        at: now(),
    }
}

/// What answers a packet: of the same, the other way.
pub(super) fn answer(seen: &Seen) -> Seen {
    Seen {
        source: seen.destination,
        destination: seen.source,
        ports: (seen.ports.1, seen.ports.0),
        toward: Toward::Away,
        reply: !seen.reply,
        ..seen.clone()
    }
}

/// Packets that are sent, with their numbers: new ones, and those of what is under way.
pub(super) fn packets(dice: &mut Dice, number: &mut u32, known: Vec<Seen>) -> Vec<(u32, Seen)> {
    let fresh: Vec<Seen> = (0..PACKETS / 2).map(|at| packet(dice, *number + at)).collect();
    let numbered = fresh.into_iter().chain(known).map(|seen| {
        *number += 1;
        (*number % 65_536, seen)
    });
    numbered.collect()
}

/// Sends it. The kernel may say at once that it does not leave.
pub(super) fn send(sender: &Sender, seen: &Seen, number: u32) {
    let socket = if seen.source.is_ipv4() { &sender.v4 } else { &sender.v6 };
    let to = SocketAddr::new(seen.destination, 0);
    let mut bytes = bytes(seen, number);
    bytes[if seen.source.is_ipv4() { 8 } else { 7 }] = HOPS;
    let sent = sendto(socket, &bytes, SendFlags::empty(), &to);
    assert!(sent.is_ok() || sent == Err(Errno::PERM), "{sent:?}: {seen:?}");
}

/// The numbers of those that left.
pub(super) fn left(net: &Net) -> std::collections::BTreeSet<u32> {
    arrived(net, ["left4", "left6"])
}
