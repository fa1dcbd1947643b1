//! Packets at doors.

use sereno_core::door::{
    Action, Deed, Deeds, Door, FlagTest, Flags, Hit, Knocks, Manner, Packet, Protocol, Sequence,
    Sequences, Timed,
};
use sereno_core::gate::Ports;
use sereno_core::time::Time;
use std::net::IpAddr;
use std::time::Duration;

/// Where the clock begins: a time with a fraction of a second.
const START: i64 = 1_800_000_000_700_000;

/// The manner, then six bytes for each packet: source and protocol, port (2), flags, time since
/// the last (2, of 1/8 ms). What holds for any: who is let in sent every port of a sequence of that
/// door, in their order and within its time, the last of them just now; nothing is opened or run
/// for anybody else, but for the stop of what was; and time that was asked for is not asked for again.
pub fn check(data: &[u8]) {
    let Some((manner, rest)) = data.split_first() else { return };
    let strict = manner % 2 == 1;
    let manner = if strict { Manner::Strict } else { Manner::Fair };
    let doors = doors(strict);
    let here: IpAddr = "192.0.2.1".parse().unwrap_or(IpAddr::from([0; 4]));
    let made = Knocks::new(doors.clone(), [here], manner, Time(START));
    let Ok(mut knocks) = made.map(|knocks| knocks.with_room(64)) else { panic!("no doors") };
    let mut seen: Vec<Packet> = Vec::new();
    let mut now = Time(START);
    for bytes in rest.chunks_exact(6) {
        now = now.plus(Duration::from_micros(u64::from(u16::from_be_bytes([bytes[4], bytes[5]])) * 125));
        let source = IpAddr::from([198, 51, 100, bytes[0] & 7]);
        let port = match u16::from_be_bytes([bytes[1], bytes[2]]) {
            few if few < 4096 => 7000 + few % 8,
            any => any,
        };
        let flags = if bytes[3] & 0x80 == 0 { Flags::SYN } else { Flags(bytes[3] & 63) };
        let packet = match bytes[0] & 8 {
            0 => Packet::tcp(now, source, here, port, flags),
            _ => Packet { fresh: bytes[3] & 1 == 0, ..Packet::udp(now, source, here, port) },
        };
        seen.push(packet);
        let mut actions = Vec::new();
        knocks.packet(&packet, &mut actions);
        let mut knocked = Vec::new();
        for action in actions {
            match action {
                Action::Knocked { door, addr } => {
                    assert_eq!(addr, source);
                    assert!(was_met(&doors[door], &seen, strict), "{door}: {seen:?}");
                    knocked.push(door);
                }
                Action::Open { door, addr, until, .. } => {
                    assert!(addr == source && knocked.contains(&door));
                    assert_eq!(until, Some(now.plus(doors[door].hold)));
                }
                Action::Run { door, addr, .. } => {
                    let sent = |packet: &Packet| packet.source == addr;
                    assert!(matches!(doors[door].v4.start, Deed::Run(_)) && seen.iter().any(sent));
                }
                Action::Used { door, .. } | Action::Exhausted { door } => {
                    assert!(!matches!(doors[door].sequences, Sequences::Fixed(_)));
                }
                Action::Barred { door, addr } => assert!(addr == source && !doors[door].traps.is_empty()),
                Action::Stage { .. } | Action::TimedOut { .. } => {}
                Action::NoRoom { .. } => panic!("there is room for all of these"),
                Action::Close { .. } => panic!("nothing is closed here"),
            }
        }
        assert!(knocks.next_wake().is_none_or(|(at, _)| at > now));
    }
    assert!(knocks.held() <= seen.len() * doors.len() && knocks.counts().packets == seen.len() as u64);
}

/// Whether the source of the last packet sent a sequence of a door, of which this is the last port.
fn was_met(door: &Door, seen: &[Packet], strict: bool) -> bool {
    let Some(last) = seen.last() else { return false };
    let sequences: Vec<Sequence> = match &door.sequences {
        Sequences::Fixed(sequence) => vec![sequence.clone()],
        Sequences::Once(list) => list.clone(),
        Sequences::Timed(timed) => {
            let window = timed.window(last.at);
            (window.saturating_sub(1)..=window + 1).filter_map(|w| timed.sequence(w)).collect()
        }
    };
    sequences.iter().any(|sequence| {
        let mut hits = sequence.hits().iter().rev().peekable();
        let mut begin = None;
        for packet in seen.iter().rev().filter(|packet| packet.source == last.source) {
            let flags = packet.protocol == Protocol::Udp || door.flags.accepts(packet.flags);
            if flags && hits.next_if(|hit| **hit == packet.hit()).is_some() {
                begin = Some(packet.at);
            } else if std::ptr::eq(packet, last) {
                return false;
            }
        }
        let Some(begin) = begin.filter(|_| hits.peek().is_none()) else { return false };
        // First hits are remembered to the millisecond.
        let spare = Duration::from_millis(if strict { 1000 } else { 1 });
        last.at.since(begin) <= door.within + spare
    })
}

fn doors(strict: bool) -> Vec<Door> {
    let tcp = |ports: &[u16]| Sequence::new(ports.iter().map(|port| Hit::tcp(*port)).collect());
    let mixed = || Sequence::new(vec![Hit::tcp(7001), Hit::udp(7001), Hit::tcp(7002)]);
    let step = Duration::from_secs(1);
    let timed = || Timed::new(vec![7; 16], step, 2, (7000, 8000), Protocol::Tcp);
    let sequences = [
        tcp(&[7000, 7002, 7001]).map(Sequences::Fixed),
        tcp(&[7000, 7002, 7001, 7000, 7003]).map(Sequences::Fixed),
        tcp(&[7004]).map(Sequences::Fixed),
        mixed().map(Sequences::Fixed),
        tcp(&[7005, 7003]).zip(tcp(&[7003, 7005])).map(|(a, b)| Sequences::Once(vec![a, b])),
        if strict { None } else { timed().ok().map(Sequences::Timed) },
    ];
    let doors = sequences.into_iter().flatten().enumerate().map(|(number, sequences)| {
        let mut door = Door::new("d", sequences);
        door.within = Duration::from_secs(3);
        door.hold = Duration::from_secs(2);
        door.flags = if number == 2 { FlagTest::default() } else { FlagTest::SYN };
        door.traps = if number == 1 { vec![Hit::tcp(7007)] } else { Vec::new() };
        door.v4 = match number {
            3 => Deeds { start: Deed::Run("on".into()), stop: Deed::Run("off".into()) },
            _ => Deeds::open(Ports::All),
        };
        door
    });
    doors.collect()
}
