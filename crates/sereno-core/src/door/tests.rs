//! What doors do, by example and against a plain model.

use super::*;
use crate::gate::Ports;
use crate::time::Time;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const START: i64 = 1_800_000_000_000_000;

fn source(number: u32) -> IpAddr {
    Ipv4Addr::from(0xC633_6400 + number).into()
}

fn at(millis: i64) -> Time {
    Time(START + millis * 1000)
}

fn syn(from: u32, port: u16, millis: i64) -> Packet {
    Packet::tcp(at(millis), source(from), HERE, port, Flags::SYN)
}

fn sequence(ports: &[u16]) -> Sequence {
    Sequence::new(ports.iter().map(|port| Hit::tcp(*port)).collect()).unwrap()
}

fn door(name: &str, ports: &[u16], seconds: u64) -> Door {
    let mut door = Door::new(name, Sequences::Fixed(sequence(ports)));
    door.within = Duration::from_secs(seconds);
    door.flags = FlagTest::SYN;
    door.v4 = Deeds::open(Ports::All);
    door
}

fn knocks(doors: Vec<Door>) -> Knocks {
    Knocks::new(doors, [HERE], Manner::Fair, at(0)).unwrap()
}

/// Who is let in by which door.
fn opened(knocks: &mut Knocks, packets: &[Packet]) -> Vec<(DoorId, IpAddr)> {
    let mut actions = Vec::new();
    packets.iter().for_each(|packet| knocks.packet(packet, &mut actions));
    let opened = actions.into_iter().filter_map(|action| match action {
        Action::Open { door, addr, .. } => Some((door, addr)),
        _ => None,
    });
    opened.collect()
}

fn knock(from: u32, ports: &[u16], begin: i64, apart: i64) -> Vec<Packet> {
    (0i64..).zip(ports).map(|(n, port)| syn(from, *port, begin + n * apart)).collect()
}

#[test]
fn an_opening_ends_by_itself_and_is_extended() {
    let mut knocks = knocks(vec![door("a", &[7000, 9000, 8000], 5)]);
    let mut actions = Vec::new();
    for begin in [0, 3000] {
        let packets = knock(1, &[7000, 9000, 8000], begin, 10);
        packets.iter().for_each(|packet| knocks.packet(packet, &mut actions));
    }
    actions.retain(|action| matches!(action, Action::Open { .. }));
    let open =
        |until| Action::Open { door: 0, addr: source(1), ports: Ports::All, until: Some(until) };
    assert_eq!(actions, [open(at(10_020)), open(at(13_020))]);
    assert_eq!(knocks.next_wake(), None);
}

#[test]
fn mapped_addresses_are_those_they_mean() {
    let mut knocks = knocks(vec![door("a", &[7000, 9000], 5)]);
    let mut packets = knock(1, &[7000, 9000], 0, 10);
    packets[1].source = "::ffff:198.51.100.1".parse().unwrap();
    packets[1].destination = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(opened(&mut knocks, &packets), [(0, source(1))]);
}

#[test]
fn a_trap_bars() {
    let mut trapped = door("a", &[7000, 9000, 8000], 5);
    trapped.traps = vec![Hit::tcp(23)];
    let mut knocks = knocks(vec![trapped]);
    let whole = |begin| knock(1, &[7000, 9000, 8000], begin, 10);
    assert_eq!(opened(&mut knocks, &whole(0)).len(), 1);
    assert_eq!(opened(&mut knocks, &[syn(1, 23, 1000)]), []);
    assert_eq!(opened(&mut knocks, &whole(30_000)), []);
    assert_eq!(opened(&mut knocks, &whole(61_001)).len(), 1);
    assert!(knocks.ports().contains(&Hit::tcp(23)));
}

#[test]
fn sequences_are_used_once() {
    let mut once = door("a", &[1], 5);
    let list = [[7000, 9000], [7100, 9100], [7200, 9200]];
    once.sequences = Sequences::Once(list.iter().map(|ports| sequence(ports)).collect());
    let mut knocks = knocks(vec![once]);
    knocks.use_up(0, 0, at(0));
    assert_eq!(
        opened(&mut knocks, &knock(1, &[7000, 9000, 7100, 9100, 7100, 9100], 0, 10)).len(),
        1
    );
    let mut actions = Vec::new();
    let last = knock(2, &[7200, 9200], 200, 10);
    last.iter().for_each(|packet| knocks.packet(packet, &mut actions));
    assert!(actions.contains(&Action::Used { door: 0, sequence: 2 }));
    assert!(actions.contains(&Action::Exhausted { door: 0 }));
    assert_eq!(knocks.ports(), []);
}

#[test]
fn timed_sequences_are_good_for_one_knock_and_a_while() {
    let step = Duration::from_secs(30);
    let secret = b"a secret of some bytes".to_vec();
    let timed = Timed::new(secret, step, 4, (10_000, 60_000), Protocol::Tcp).unwrap();
    let ports = |millis: i64| -> Vec<u16> {
        let sequence = timed.sequence(timed.window(at(millis))).unwrap();
        sequence.hits().iter().map(|hit| hit.port).collect()
    };
    let mut door = door("a", &[1], 5);
    door.sequences = Sequences::Timed(timed.clone());
    let mut knocks = knocks(vec![door]);
    let try_it = |knocks: &mut Knocks, from, of, millis| {
        opened(knocks, &knock(from, &ports(of), millis, 10)).len()
    };
    // A clock that is one window behind or ahead is good enough, two are not.
    assert_eq!(try_it(&mut knocks, 1, 0, 65_000), 0);
    assert_eq!(try_it(&mut knocks, 1, 0, 125_000), 0);
    assert_eq!(try_it(&mut knocks, 1, 120_000, 150_000), 1);
    // What was seen on the wire opens nothing any more, nor does what came before it.
    assert_eq!(try_it(&mut knocks, 2, 120_000, 150_100), 0);
    assert_eq!(try_it(&mut knocks, 2, 90_000, 150_200), 0);
    assert_eq!(try_it(&mut knocks, 2, 150_000, 151_000), 1);
    assert_eq!(knocks.next_wake(), Some((at(180_000), "other sequences")));
    assert!(Knocks::new(knocks.doors().cloned().collect(), [HERE], Manner::Strict, at(0)).is_err());
}

#[test]
fn commands_stop_after_their_time() {
    let mut command = door("a", &[7000, 9000], 5);
    command.v4 = Deeds { start: Deed::Run("on %IP%".into()), stop: Deed::Run("off %IP%".into()) };
    let mut knocks = knocks(vec![command]);
    let mut actions = Vec::new();
    for packet in knock(1, &[7000, 9000, 7000, 9000], 0, 1000) {
        knocks.packet(&packet, &mut actions);
    }
    assert_eq!(knocks.next_wake(), Some((at(13_000), "a door's stop")));
    actions.clear();
    knocks.tick(at(12_999), &mut actions);
    assert_eq!(actions, []);
    knocks.tick(at(13_000), &mut actions);
    assert_eq!(actions, [Action::Run { door: 0, addr: source(1), when: When::Stop }]);
}

/// Numbers that are always the same (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn shuffle(&mut self, ports: &mut [u16]) {
        for at in (1..ports.len()).rev() {
            ports.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}

#[test]
fn no_scan_opens_a_door() {
    let doors = || {
        vec![
            door("three", &[17341, 52877, 30429], 15),
            door("up", &[7000, 8000, 9000], 25),
            door("down", &[9000, 8000, 7000], 25),
            door("neighbours", &[4000, 4001, 4002], 25),
            door("two", &[5000, 5001], 25),
            door("one", &[6000], 25),
        ]
    };
    let mut dice = Dice(7);
    let mut ports: Vec<u16> = (1..=65535).collect();
    let mut knocks = knocks(doors());
    let mut begin = 0;
    for number in 0..240u32 {
        dice.shuffle(&mut ports);
        // The whole scan is within the time of a knock. Every third is slow, every other again.
        let micros = if number % 3 == 0 { 2000 } else { 200 };
        let again = number % 2 == 0;
        let packets =
            ports.iter().flat_map(|port| std::iter::repeat_n(port, 1 + usize::from(again)));
        let packets: Vec<Packet> = (0i64..)
            .zip(packets)
            .map(|(n, port)| {
                let moment = Time(at(begin).0 + n * micros);
                Packet::tcp(moment, source(number), HERE, *port, Flags::SYN)
            })
            .collect();
        assert_eq!(opened(&mut knocks, &packets), [], "scan {number}");
        begin += 300_000;
    }
    // In their order, upwards and downwards, also one that leaves out ports.
    let orders: [Box<dyn Iterator<Item = u16>>; 4] = [
        Box::new(1..=65535),
        Box::new((1..=65535).rev()),
        Box::new((0..=65535).step_by(100)),
        Box::new((0..=65535).step_by(1000)),
    ];
    for (number, order) in (1000u32..).zip(orders) {
        let micros = 100;
        let scan: Vec<Packet> = (0i64..)
            .zip(order)
            .map(|(n, port)| {
                Packet::tcp(Time(at(begin).0 + n * micros), source(number), HERE, port, Flags::SYN)
            })
            .collect();
        let opened = opened(&mut knocks, &scan);
        // A thousand apart is the very knock of "up", with others before it.
        let expected: &[_] = if number == 1003 { &[(1, source(number))] } else { &[] };
        assert_eq!(opened, expected, "scan {number}");
        begin += 300_000;
    }
}

/// A flood of made-up sources at a first port, while somebody knocks.
#[test]
fn a_flood_of_first_hits_stops_nobody() {
    let mut knocks = knocks(vec![door("a", &[7000, 9000, 8000], 5)]);
    let mut dice = Dice(1);
    let mut actions = Vec::new();
    let mut micros = 0;
    let mut let_in = 0;
    for turn in 0..10u32 {
        for port in [7000, 9000, 8000] {
            let moment = Time(START + micros);
            knocks.packet(&Packet::tcp(moment, source(turn), HERE, port, Flags::SYN), &mut actions);
            // 30 ms of a hundred thousand a second.
            for _ in 0..3000 {
                micros += 10;
                let from = IpAddr::from(Ipv4Addr::from(dice.next() as u32));
                let packet = Packet::tcp(Time(START + micros), from, HERE, 7000, Flags::SYN);
                knocks.packet(&packet, &mut actions);
            }
        }
        let_in += usize::from(actions.contains(&Action::Knocked { door: 0, addr: source(turn) }));
        actions.retain(|action| !matches!(action, Action::Stage { .. } | Action::TimedOut { .. }));
    }
    assert_eq!((let_in, knocks.counts().pushed), (10, 0));
}

/// The table of first hits does not grow: 1 of 16 slots here, to fill it with less work. What
/// is left takes no memory for who made one hit, so ten million are as good as a hundred thousand.
#[test]
fn memory_is_flat_under_made_up_sources() {
    let mut knocks = knocks(vec![door("a", &[7000, 9000, 8000], 25)]).with_room(1 << 14);
    let mut actions = Vec::new();
    for number in 0..1_000_000u32 {
        let moment = Time(START + i64::from(number) * 10);
        let from = IpAddr::from(Ipv4Addr::from(number));
        knocks.packet(&Packet::tcp(moment, from, HERE, 7000, Flags::SYN), &mut actions);
    }
    assert_eq!(actions, []);
    assert_eq!(knocks.counts().pushed, 1_000_000 - (1 << 14));
    // Those who know two ports fill the next room, and no more.
    for number in 0..100_000u32 {
        let moment = Time(START + 20_000_000 + i64::from(number) * 10);
        let from = IpAddr::from(Ipv4Addr::from(number));
        for port in [7000, 9000] {
            knocks.packet(&Packet::tcp(moment, from, HERE, port, Flags::SYN), &mut actions);
        }
        actions.clear();
    }
    let held = knocks.held();
    assert_eq!(held, 16_384);
}

/// The model: every packet of a source since the beginning is kept, and a door opens if, going back
/// from this packet, its sequence is met as the rules say. One sequence a door, SYNs only, all
/// ports of a protocol.
fn model(doors: &[(Vec<u16>, u64)], packets: &[Packet]) -> Vec<(usize, DoorId, IpAddr)> {
    let mut opened = Vec::new();
    // Per door and source: for each way that is under way, its stage and when it began.
    let mut ways: Vec<(DoorId, IpAddr, usize, Time)> = Vec::new();
    for (number, packet) in packets.iter().enumerate() {
        let mut next = Vec::new();
        let mut done = BTreeSet::new();
        for (door, who, stage, start) in std::mem::take(&mut ways) {
            let (ports, seconds) = &doors[door];
            if who != packet.source {
                next.push((door, who, stage, start));
            } else if packet.at.since(start) > Duration::from_secs(*seconds) {
            } else if ports[stage] == packet.port {
                match stage + 1 == ports.len() {
                    true => drop(done.insert(door)),
                    false => next.push((door, who, stage + 1, start)),
                }
            } else if ports[..stage].contains(&packet.port) {
                next.push((door, who, stage, start));
            }
        }
        next.retain(|(door, who, ..)| *who != packet.source || !done.contains(door));
        for (door, (ports, _)) in doors.iter().enumerate() {
            if ports[0] == packet.port {
                next.push((door, packet.source, 1, packet.at));
            }
        }
        opened.extend(done.into_iter().map(|door| (number, door, packet.source)));
        ways = next;
    }
    opened
}

fn some_doors() -> impl Strategy<Value = Vec<(Vec<u16>, u64)>> {
    // Ports far from each other, so that quiet does not matter.
    let ports = proptest::collection::vec((0u16..5).prop_map(|n| 1000 + n * 100), 2..5);
    let strong = ports.prop_filter("strong", |ports| !sequence(ports).is_weak());
    proptest::collection::vec((strong, 1u64..4), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Sources that do all kinds of things with few ports, against the model.
    #[test]
    fn knocks_are_as_in_the_model(
        doors in some_doors(),
        steps in proptest::collection::vec((0u32..3, 0u16..6, 0i64..900), 0..60),
    ) {
        let mut millis = 0;
        let packets: Vec<Packet> = steps.iter().map(|(from, port, wait)| {
            millis += wait * wait / 900;
            syn(*from, 1000 + port * 100, millis)
        }).collect();
        let made = doors.iter().map(|(ports, seconds)| door("d", ports, *seconds)).collect();
        let mut knocks = knocks(made);
        let mut found = Vec::new();
        for (number, packet) in packets.iter().enumerate() {
            for (door, addr) in opened(&mut knocks, std::slice::from_ref(packet)) {
                found.push((number, door, addr));
            }
        }
        found.sort_unstable();
        prop_assert_eq!(found, model(&doors, &packets));
    }

    /// What sources do to others is nothing.
    #[test]
    fn sources_do_not_disturb_each_other(
        doors in some_doors(),
        steps in proptest::collection::vec((0u32..4, 0u16..6, 0i64..500), 0..60),
    ) {
        let mut millis = 0;
        let packets: Vec<Packet> = steps.iter().map(|(from, port, wait)| {
            millis += wait;
            syn(*from, 1000 + port * 100, millis)
        }).collect();
        let made = || doors.iter().map(|(ports, seconds)| door("d", ports, *seconds)).collect();
        let mut together = opened(&mut knocks(made()), &packets);
        let mut alone = Vec::new();
        for from in 0..4 {
            let own: Vec<Packet> = packets.iter().filter(|p| p.source == source(from)).copied().collect();
            alone.extend(opened(&mut knocks(made()), &own));
        }
        together.sort_unstable();
        alone.sort_unstable();
        prop_assert_eq!(together, alone);
    }
}
