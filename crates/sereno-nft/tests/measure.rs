//! What is measured of floods, in a real kernel.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod net;
mod text;

use net::Net;
use sereno_core::gate::policy::{Policy, Rate, Zone};
use sereno_core::gate::{
    Contents, Doorway, Draft, Excess, Flood, Gate, Opening, Pass, PortRange, Reason, Through,
};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOUR: Duration = Duration::from_secs(3600);
const SIP: u16 = 5060;
const IAX: u16 = 4569;
/// The first bytes of an answer and of a request of SIP, of a full frame and of a mini frame of IAX2.
const ANSWER: &[u8] = b"SIP/2.0 401 Unauthorized\r\n";
const REQUEST: &[u8] = b"OPTIONS sip:a SIP/2.0\r\n";
const FULL: &[u8] = &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 13];
const MINI: &[u8] = &[0x00, 1, 0, 20, 0xff, 0xff];

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_micros()).unwrap())
}

/// So many at once, and hardly any later.
fn once(burst: u32) -> Rate {
    Rate { count: 1, per: HOUR, burst }
}

fn ports(text: &str) -> Vec<PortRange> {
    text.split(' ').map(|range| range.parse().unwrap()).collect()
}

fn flood() -> Flood {
    Flood {
        ports: ports("udp/5060-5061 tcp/5060 udp/4569"),
        voice: ports("udp/4569"),
        stranger: once(5),
        strangers: once(8),
        known: once(12),
        friends: vec!["10.9.1.3".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
    }
}

fn gate(doorway: Doorway, policy: Option<Policy>) -> Gate {
    let draft = Draft { flood: Some(flood()), doorway, policy, ..Draft::of(Vec::new()) };
    Gate::try_from(draft).unwrap()
}

fn known(addr: &str) -> Pass {
    Pass { to: Through::Known, addr: addr.parse().unwrap(), until: Some(now().plus(HOUR)) }
}

struct House {
    net: Net,
    kernel: Kernel,
    gate: Gate,
}

impl House {
    fn new(doorway: Doorway) -> Option<Self> {
        let net = Net::new()?;
        let gate = gate(doorway, None);
        let mut kernel = net.serve(|| Kernel::open().unwrap());
        kernel.install(&gate, Contents::default(), now()).unwrap();
        Some(Self { net, kernel, gate })
    }

    fn know(&mut self, addr: &str) {
        let changes = [Change::Open(known(addr))];
        assert_eq!(self.kernel.apply(&self.gate, &changes, now()), [Ok(())]);
    }

    fn listen(&self, port: u16) -> UdpSocket {
        let any = SocketAddr::from(([0_u16; 8], port));
        let socket = self.net.serve(|| UdpSocket::bind(any).unwrap());
        socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
        socket
    }

    /// How many of twenty packets from there are heard.
    fn heard(&self, from: &str, at: &UdpSocket, packet: &[u8]) -> usize {
        let from: IpAddr = from.parse().unwrap();
        let speaking = self.net.speak(from);
        let to = net::server(from, at.local_addr().unwrap().port());
        for _ in 0..20 {
            speaking.send_to(packet, to).unwrap();
        }
        std::iter::from_fn(|| at.recv(&mut [0; 64]).ok()).count()
    }

    fn too_many(&mut self) -> Vec<(Excess, u64)> {
        let measured = self.kernel.measured(&self.gate).unwrap().into_iter();
        let excess = |(reason, count)| match reason {
            Reason::Flood(excess) => (excess, count),
            other => panic!("{other:?}"),
        };
        measured.map(excess).collect()
    }

    fn called(&self) -> String {
        let set = |family: &str| {
            let name = format!("flood_called_{family}");
            self.net.nft(&["list", "set", "inet", "sereno", &name], "")
        };
        set("v4") + &set("v6")
    }
}

/// The addresses in a listing.
fn addresses(listing: &str) -> Vec<IpAddr> {
    let words = listing.split([' ', ',', '\t', '\n']);
    let mut all: Vec<IpAddr> = words.filter_map(|word| word.parse().ok()).collect();
    all.sort_unstable();
    all
}

#[test]
fn who_is_known_is_bounded() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let addr = |n: u32| IpAddr::from(Ipv4Addr::from(0x0b00_0000 + n)).to_string();
    let open = |n| Change::Open(known(&addr(n)));
    let all: Vec<Change> = (0..65_536).map(open).collect();
    for some in all.chunks(8192) {
        let done = house.kernel.apply(&house.gate, some, now());
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
    let done = house.kernel.apply(&house.gate, &[open(65_536)], now());
    assert!(done[0].is_err(), "one too many");
    // As after a restart.
    let passes: Vec<Pass> = (0..49_152).map(|n| known(&addr(n))).collect();
    let contents = Contents { passes: &passes, ..Contents::default() };
    house.kernel.install(&house.gate, contents, now()).unwrap();
    assert_eq!(house.kernel.apply(&house.gate, &[open(65_536)], now()), [Ok(())]);
}

#[test]
fn strangers_share_what_is_for_all_of_them() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let sip = house.listen(SIP);
    assert_eq!(house.heard("10.9.0.2", &sip, REQUEST), 5);
    assert_eq!(house.heard("10.9.0.3", &sip, REQUEST), 3, "what the first left");
    assert_eq!(house.heard("10.9.1.2", &sip, REQUEST), 0);
    let free = house.listen(5070);
    assert_eq!(house.heard("10.9.1.2", &free, REQUEST), 20, "there nothing is measured");
    use Excess::{Known, Source, Strangers};
    assert_eq!(house.too_many(), [(Known, 0), (Source, 45), (Strangers, 7)]);
}

#[test]
fn where_no_more_can_be_counted_the_measure_of_all_holds() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let sip = house.listen(SIP);
    let forger = house.net.forger();
    for n in 0..70_000 {
        forger.udp(Ipv4Addr::from_bits(0x0b00_0000 + n), SIP, REQUEST);
    }
    assert_eq!(std::iter::from_fn(|| sip.recv(&mut [0; 64]).ok()).count(), 8);
    let before = house.too_many();
    assert_eq!(house.heard("10.9.0.2", &sip, REQUEST), 0);
    let after = house.too_many();
    assert_eq!(after[1], before[1], "he is not counted by himself");
    assert_eq!(after[2].1, before[2].1 + 20);
}

#[test]
fn who_is_known_has_a_measure_of_his_own() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let sip = house.listen(SIP);
    house.know("10.9.1.2");
    house.know("fd09:0:0:1::2");
    assert_eq!(house.heard("10.9.0.2", &sip, REQUEST), 5);
    assert_eq!(house.heard("10.9.1.2", &sip, REQUEST), 12);
    assert_eq!(house.heard("10.9.1.3", &sip, REQUEST), 12, "a friend");
    // Both are in one /64: one of them is known, and one measure is for both.
    assert_eq!(house.heard("fd09:0:0:1::2", &sip, REQUEST), 12);
    assert_eq!(house.heard("fd09:0:0:1::3", &sip, REQUEST), 0);
    assert_eq!(house.heard("fd09::2", &sip, REQUEST), 3, "what strangers have left");
    assert_eq!(house.too_many()[0], (Excess::Known, 8 + 8 + 8 + 20));
}

#[test]
fn a_network_is_known_only_where_it_is() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    // The way to that network is not the cable any more: who writes such a source there forges it.
    let away = ["route", "replace", "10.9.1.3/32", "dev", "lo"];
    assert!(house.net.serve(|| Command::new("ip").args(away).status().unwrap().success()));
    let forger = house.net.forger();
    for _ in 0..20 {
        forger.udp(Ipv4Addr::new(10, 9, 1, 3), SIP, REQUEST);
    }
    assert_eq!(
        house.too_many(),
        [(Excess::Known, 0), (Excess::Source, 15), (Excess::Strangers, 0)]
    );
}

#[test]
fn who_comes_by_a_door_is_known() {
    let opening = Opening {
        name: "sip".parse().unwrap(),
        ports: "udp/5060".parse().unwrap(),
        closed: true,
        cut: false,
        free: Vec::new(),
    };
    let doorway = Doorway { openings: vec![opening], single: true, ..Doorway::default() };
    let Some(mut house) = House::new(doorway) else { return };
    let sip = house.listen(SIP);
    assert_eq!(house.heard("10.9.0.2", &sip, REQUEST), 0, "closed");
    let to = |to, addr: &str| Change::Open(Pass { to, ..known(addr) });
    let port = Through::Port(sereno_core::gate::Proto::Udp, SIP);
    let changes = [to(Through::Opening("sip".parse().unwrap()), "10.9.0.2"), to(port, "10.9.1.2")];
    assert_eq!(house.kernel.apply(&house.gate, &changes, now()), [Ok(()), Ok(())]);
    assert_eq!(house.heard("10.9.0.2", &sip, REQUEST), 12);
    assert_eq!(house.heard("10.9.1.2", &sip, REQUEST), 12);
}

#[test]
fn voice_of_those_who_are_known_is_not_measured() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let iax = house.listen(IAX);
    house.know("10.9.1.2");
    assert_eq!(house.heard("10.9.0.2", &iax, MINI), 5, "a stranger has no call");
    assert_eq!(house.heard("10.9.1.2", &iax, FULL), 12);
    assert_eq!(house.heard("10.9.1.2", &iax, MINI), 0, "nobody answered: no call");
    let from = house.net.speak("10.9.1.2".parse().unwrap());
    iax.send_to(FULL, from.local_addr().unwrap()).unwrap();
    from.recv(&mut [0; 64]).unwrap();
    for _ in 0..20 {
        from.send_to(MINI, ("10.9.0.1", IAX)).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| iax.recv(&mut [0; 64]).ok()).count(), 20);
}

#[test]
fn called_is_to_whom_this_machine_sends_a_request_of_its_own() {
    let Some(house) = House::new(Doorway::default()) else { return };
    let sip = house.listen(SIP);
    let mapped = |addr: &str| -> SocketAddr {
        match addr.parse().unwrap() {
            IpAddr::V4(addr) => (addr.to_ipv6_mapped(), 5099).into(),
            IpAddr::V6(addr) => (addr, 5099).into(),
        }
    };
    sip.send_to(ANSWER, mapped("10.9.0.2")).unwrap();
    sip.send_to(ANSWER, mapped("fd09::2")).unwrap();
    assert!(!house.called().contains("elements"), "{}", house.called());
    // Who sent something first, or in whose name somebody did: a request is one all the same.
    let asking = house.net.speak("10.9.0.3".parse().unwrap());
    asking.send_to(REQUEST, ("10.9.0.1", SIP)).unwrap();
    let (_, way) = sip.recv_from(&mut [0; 64]).unwrap();
    sip.send_to(ANSWER, way).unwrap();
    assert!(!house.called().contains("elements"), "{}", house.called());
    sip.send_to(REQUEST, way).unwrap();
    assert!(house.called().contains("10.9.0.3"), "{}", house.called());
    // Of frames nobody knows which is an answer.
    let iax = house.listen(IAX);
    asking.send_to(FULL, ("10.9.0.1", IAX)).unwrap();
    let (_, way) = iax.recv_from(&mut [0; 64]).unwrap();
    house.net.nft(&["flush", "set", "inet", "sereno", "flood_called_v4"], "");
    iax.send_to(FULL, way).unwrap();
    assert!(!house.called().contains("10.9.0.3"), "{}", house.called());
    sip.send_to(REQUEST, mapped("10.9.1.2")).unwrap();
    sip.send_to(REQUEST, mapped("fd09:0:0:1::2")).unwrap();
    let called = house.called();
    assert!(called.contains("10.9.1.2") && called.contains("fd09:0:0:1::"), "{called}");
    assert_eq!(house.heard("10.9.1.2", &sip, REQUEST), 12);
    // All of them together have what one has who is known; behind that they are strangers.
    assert_eq!(house.heard("fd09:0:0:1::3", &sip, REQUEST), 5);
    // And are no others after a restart.
    let before = addresses(&house.called());
    assert_eq!(before.len(), 2);
    let mut kernel = house.net.serve(|| Kernel::open().unwrap());
    kernel.install(&house.gate, Contents::default(), now()).unwrap();
    assert_eq!(addresses(&house.called()), before);
    assert!(house.called().contains("expires 59m"), "{}", house.called());
    assert_eq!(house.heard("fd09:0:0:1::3", &sip, REQUEST), 12);
}

#[test]
fn what_only_passes_is_not_measured() {
    let Some(house) = House::new(Doorway::default()) else { return };
    let lodger = house.net.lodger();
    let sip = lodger.at_home(|| UdpSocket::bind(("10.8.0.2", SIP)).unwrap());
    sip.set_read_timeout(Some(net::PATIENCE)).unwrap();
    let from = house.net.speak("10.9.0.2".parse().unwrap());
    for _ in 0..20 {
        from.send_to(REQUEST, ("10.8.0.2", SIP)).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| sip.recv(&mut [0; 64]).ok()).count(), 20);
    // What is published here for him is.
    let publish = "type nat hook prerouting priority dstnat; ip daddr 10.9.0.1 udp dport 5060 dnat to 10.8.0.2";
    house.net.nft(&["-f", "-"], &format!("table ip engine {{ chain publish {{ {publish}; }}; }}"));
    for _ in 0..20 {
        from.send_to(REQUEST, ("10.9.0.1", SIP)).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| sip.recv(&mut [0; 64]).ok()).count(), 5);
}

#[test]
fn what_comes_in_connections_is_measured() {
    let Some(mut house) = House::new(Doorway::default()) else { return };
    let arrived = |house: &House, from: &str| {
        let (mut end, mut way) = house.net.connect(from, SIP);
        way.set_nodelay(true).unwrap();
        for _ in 0..60 {
            way.write_all(&[b'x'; 10]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        let (mut all, mut room) = (0, [0; 4096]);
        while let Ok(some @ 1..) = end.read(&mut room) {
            all += some;
        }
        all
    };
    // Five segments for each packet, one of which acknowledged the handshake.
    assert_eq!(arrived(&house, "10.9.0.2"), 240);
    house.know("10.9.1.2");
    assert_eq!(arrived(&house, "10.9.1.2"), 100, "they count for who is known as packets do");
    let found = house.too_many();
    let count = |excess| found.iter().find(|(one, _)| *one == excess).map(|(_, count)| *count);
    assert!(count(Excess::Source) > Some(0) && count(Excess::Known) > Some(0), "{found:?}");
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let opening = Opening {
        name: "sip".parse().unwrap(),
        ports: "udp/5060".parse().unwrap(),
        closed: false,
        cut: false,
        free: Vec::new(),
    };
    let doorway =
        Doorway { openings: vec![opening], single: true, mark: Some(0x100), ..Doorway::default() };
    let zone = Zone {
        name: "local".parse().unwrap(),
        networks: vec!["10.9.0.0/24".parse().unwrap(), "fd09::/64".parse().unwrap()],
        interfaces: vec!["eth7".to_owned()],
        open: false,
    };
    let policy = Policy { zones: vec![zone], ..Policy::default() };
    let passes = [known("192.0.2.7"), known("2001:db8::7")];
    let contents = Contents { passes: &passes, ..Contents::default() };
    for gate in [gate(Doorway::default(), None), gate(doorway, Some(policy))] {
        text::agrees(&net, &gate, contents, &gate.without_flood());
    }
}
