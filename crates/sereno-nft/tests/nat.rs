//! Translation for doors in a real kernel: a port leads on for who was let in, and for nobody else.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;
mod text;

use net::{Lodger, Net, PATIENCE};
use sereno_core::gate::{
    Contents, Dnat, Doorway, Draft, Ears, Forward, Gate, Nat, Opening, Pass, Proto, Snat, Through,
};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// Who is let in, and somebody else.
const WHO: &str = "10.9.0.2";
const OTHER: &str = "10.9.0.3";
/// The machine behind the server.
const INNER: &str = "10.8.0.2:9000";
const MARK: u32 = 0x1000_0000;
/// Another firewall, without a rule for what is under way.
const DROPS: &str = "table inet other {
    chain input { type filter hook input priority 0; policy drop; meta l4proto { icmp, ipv6-icmp } accept; }
    chain forward { type filter hook forward priority 0; policy drop; }
}";

fn now() -> Time {
    let span = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(i64::try_from(span.as_micros()).unwrap())
}

fn gate(nat: Nat, openings: Vec<Opening>) -> Gate {
    let doorway =
        Doorway { openings, single: true, mark: Some(MARK), nat: Some(nat), ..Doorway::default() };
    Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap()
}

/// Both ways, and under these addresses.
fn nat(snats: &[Snat]) -> Nat {
    Nat { here: true, elsewhere: true, snats: snats.to_vec(), forwards: Vec::new() }
}

fn closed(ports: &str) -> Vec<Opening> {
    let (name, ports) = ("shut".parse().unwrap(), ports.parse().unwrap());
    vec![Opening { name, ports, closed: true, cut: false, free: Vec::new() }]
}

fn installed(net: &Net, gate: &Gate) -> Kernel {
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    assert_eq!(kernel.install(gate, Contents::default(), now()).unwrap().transactions, 1);
    assert!(kernel.exists(gate).unwrap());
    kernel
}

/// A port of UDP or TCP that leads there.
fn leads(proto: Proto, port: u16, to: &str, snat: Option<Snat>) -> Through {
    Through::Dnat(Dnat { proto, port, to: to.parse().unwrap(), here: false, snat })
}

fn udp(port: u16, to: &str) -> Through {
    leads(Proto::Udp, port, to, None)
}

fn pass(to: Through, millis: u64) -> Pass {
    Pass { to, addr: WHO.parse().unwrap(), until: Some(now().plus(Duration::from_millis(millis))) }
}

fn let_in(kernel: &mut Kernel, gate: &Gate, to: Through, millis: u64) {
    apply(kernel, gate, Change::Open(pass(to, millis)));
}

fn close(kernel: &mut Kernel, gate: &Gate, to: Through) {
    apply(kernel, gate, Change::Close { to, addr: WHO.parse().unwrap() });
}

fn apply(kernel: &mut Kernel, gate: &Gate, change: Change) {
    for result in kernel.apply(gate, &[change, change], now()) {
        result.unwrap();
    }
}

/// Somebody who listens, at the lodger's or at the server's.
struct Listener(UdpSocket);

impl Listener {
    fn at(lodger: &Lodger, at: &str) -> Self {
        Self::of(lodger.at_home(|| UdpSocket::bind(at).unwrap()))
    }

    fn of(socket: UdpSocket) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// Whether a word from `from` to that port of the server arrives here, as from whom, and whether
    /// the answer arrives there.
    fn hears(&self, net: &Net, from: &str, to: &str) -> Option<(SocketAddr, bool)> {
        let speaking = net.speak(from.parse().unwrap());
        speaking.set_read_timeout(Some(PATIENCE)).unwrap();
        // A connected socket hears nobody but whom it spoke to.
        speaking.connect(to).unwrap();
        speaking.send(b"word").unwrap();
        let (_, peer) = self.0.recv_from(&mut [0; 16]).ok()?;
        // Without a way back it cannot be sent.
        let _ = self.0.send_to(b"answer", peer);
        Some((peer, speaking.recv(&mut [0; 16]).is_ok()))
    }

    fn answers(&self, net: &Net, from: &str, to: &str) -> bool {
        self.hears(net, from, to).is_some_and(|(_, answered)| answered)
    }
}

#[test]
fn a_port_leads_on_for_who_was_let_in_until_its_time_is_over() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let inner = Listener::at(&lodger, INNER);
    let gate = gate(nat(&[]), closed("udp/7000, tcp/7000"));
    let mut kernel = installed(&net, &gate);
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None);
    let_in(&mut kernel, &gate, udp(7000, INNER), 1500);
    let (peer, answered) = inner.hears(&net, WHO, "10.9.0.1:7000").unwrap();
    assert_eq!((peer.ip().to_string().as_str(), answered), (WHO, true));
    assert_eq!(inner.hears(&net, OTHER, "10.9.0.1:7000"), None);
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7001"), None, "another port");
    assert_eq!(inner.hears(&net, WHO, "10.8.0.1:7000").map(|heard| heard.1), Some(true));
    sleep(Duration::from_millis(1500));
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None, "over");
    let_in(&mut kernel, &gate, udp(7000, INNER), 60_000);
    assert!(inner.answers(&net, WHO, "10.9.0.1:7000"));
    close(&mut kernel, &gate, udp(7000, INNER));
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None, "closed");
}

#[test]
fn what_is_connected_goes_on() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let gate = gate(nat(&[]), closed("tcp/7000"));
    let mut kernel = installed(&net, &gate);
    let listener = lodger.at_home(|| TcpListener::bind(INNER).unwrap());
    let to = leads(Proto::Tcp, 7000, INNER, None);
    let_in(&mut kernel, &gate, to, 60_000);
    let mut here = net.visit(|| {
        let server = "10.9.0.1:7000".parse().unwrap();
        std::net::TcpStream::connect_timeout(&server, Duration::from_secs(3)).unwrap()
    });
    let (mut there, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip().to_string(), WHO);
    close(&mut kernel, &gate, to);
    there.set_read_timeout(Some(PATIENCE)).unwrap();
    here.set_read_timeout(Some(PATIENCE)).unwrap();
    here.write_all(b"word").unwrap();
    assert!(there.read(&mut [0; 16]).is_ok());
    there.write_all(b"word").unwrap();
    assert!(here.read(&mut [0; 16]).is_ok());
}

#[test]
fn another_firewall_lets_it_pass_both_ways_and_nothing_else() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let inner = Listener::at(&lodger, INNER);
    let other = Listener::at(&lodger, "10.8.0.2:7000");
    net.nft(&["-f", "-"], DROPS);
    let masked = Some(Snat::Masquerade);
    let gate = gate(nat(&[Snat::Masquerade]), Vec::new());
    let mut kernel = installed(&net, &gate);
    let_in(&mut kernel, &gate, udp(7000, INNER), 60_000);
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None, "it drops");
    assert_eq!(kernel.let_pass("sereno", MARK, false).unwrap(), 1);
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None, "nobody told its forward chain");
    assert_eq!(kernel.let_pass("sereno", MARK, true).unwrap(), 1);
    assert_eq!(kernel.let_pass("sereno", MARK, true).unwrap(), 0);
    assert!(inner.answers(&net, WHO, "10.9.0.1:7000"));
    assert_eq!(inner.hears(&net, OTHER, "10.9.0.1:7000"), None);
    // The way to the same machine past the door, to the same ports.
    assert_eq!(inner.hears(&net, WHO, INNER), None);
    assert_eq!(other.hears(&net, WHO, "10.8.0.2:7000"), None);
    let_in(&mut kernel, &gate, leads(Proto::Udp, 7001, INNER, masked), 60_000);
    let (peer, answered) = inner.hears(&net, WHO, "10.9.0.1:7001").unwrap();
    assert_eq!((peer.ip().to_string().as_str(), answered), ("10.8.0.1", true));
}

#[test]
fn who_knows_no_way_back_answers_another_address() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    lodger.forget_the_way();
    let inner = Listener::at(&lodger, INNER);
    let snats = [Snat::Masquerade, Snat::To([10, 8, 0, 77].into())];
    let gate = gate(nat(&snats), Vec::new());
    let mut kernel = installed(&net, &gate);
    net.own("10.8.0.77/24", "room");
    for (port, snat, peer) in [
        (7000, None, None),
        (7001, Some(snats[0]), Some("10.8.0.1")),
        (7002, Some(snats[1]), Some("10.8.0.77")),
    ] {
        // Each to a port of its own: what leads to one place under two addresses goes under one.
        let (at, to) = (format!("10.8.0.2:{}", port + 2100), format!("10.9.0.1:{port}"));
        let inner = Listener::at(&lodger, &at);
        let_in(&mut kernel, &gate, leads(Proto::Udp, port, &at, snat), 60_000);
        let heard = inner.hears(&net, WHO, &to).unwrap();
        assert_eq!(heard.1, snat.is_some(), "{heard:?}");
        assert!(peer.is_none_or(|peer| heard.0.ip().to_string() == peer), "{heard:?}");
    }
    // What was not translated goes on under its own address.
    let (peer, _) = inner.hears(&net, WHO, INNER).unwrap();
    assert_eq!(peer.ip().to_string(), WHO);
}

#[test]
fn what_is_for_other_machines_does_not_end_here() {
    let Some(net) = Net::new() else { return };
    let _lodger = net.lodger();
    let gate = gate(nat(&[]), closed("udp/7000, udp/7002"));
    let mut kernel = installed(&net, &gate);
    let everywhere = Listener::of(net.serve(|| UdpSocket::bind("0.0.0.0:7002").unwrap()));
    everywhere.0.set_broadcast(true).unwrap();
    for own in ["10.9.0.1", "10.8.0.1", "10.8.0.255", "10.9.255.255", "127.0.0.1"] {
        let to = udp(7000, &format!("{own}:7002"));
        let_in(&mut kernel, &gate, to, 60_000);
        assert_eq!(everywhere.hears(&net, WHO, "10.9.0.1:7000"), None, "{own}");
        close(&mut kernel, &gate, to);
    }
    let here = Through::Dnat(Dnat {
        proto: Proto::Udp,
        port: 7000,
        to: "10.9.0.1:7002".parse().unwrap(),
        here: true,
        snat: None,
    });
    net.nft(&["-f", "-"], DROPS);
    kernel.let_pass("sereno", MARK, true).unwrap();
    let_in(&mut kernel, &gate, here, 60_000);
    let heard = everywhere.hears(&net, WHO, "10.9.0.1:7000").unwrap();
    assert_eq!(heard.0.ip().to_string(), WHO);
    assert_eq!(everywhere.hears(&net, WHO, "10.9.0.1:7002"), None, "by its own port");
    assert_eq!(everywhere.hears(&net, OTHER, "10.9.0.1:7000"), None);
}

#[test]
fn a_port_leads_to_one_place_and_what_is_shared_lasts_as_long_as_either() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let (first, second) = (Listener::at(&lodger, INNER), Listener::at(&lodger, "10.8.0.2:9001"));
    let gate = gate(nat(&[]), Vec::new());
    let mut kernel = installed(&net, &gate);
    let_in(&mut kernel, &gate, udp(7000, INNER), 60_000);
    let other = udp(7000, "10.8.0.2:9001");
    let refused = kernel.apply(&gate, &[Change::Open(pass(other, 60_000))], now());
    let why = refused[0].as_ref().unwrap_err();
    assert!(why.is_gate_lost(), "{why}");
    assert!(first.answers(&net, WHO, "10.9.0.1:7000"), "it stands");
    let both = [Change::Close { to: udp(7000, INNER), addr: WHO.parse().unwrap() }];
    let both = [both[0], Change::Open(pass(other, 60_000))];
    assert!(kernel.apply(&gate, &both, now()).iter().all(Result::is_ok));
    assert!(second.answers(&net, WHO, "10.9.0.1:7000"));
    assert_eq!(first.hears(&net, WHO, "10.9.0.1:7000"), None);
    // Installed at once: the same port twice, the same place twice.
    let passes = [
        pass(udp(7000, INNER), 60_000),
        pass(udp(7000, "10.8.0.2:9001"), 50_000),
        pass(udp(7001, INNER), 500),
    ];
    let contents = Contents { passes: &passes, ..Contents::default() };
    assert_eq!(kernel.install(&gate, contents, now()).unwrap().admitted, 3);
    sleep(Duration::from_millis(600));
    assert!(first.answers(&net, WHO, "10.9.0.1:7000"));
    assert_eq!(first.hears(&net, WHO, "10.9.0.1:7001"), None);
}

#[test]
fn everything_of_one_address_goes_on() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    lodger.forget_the_way();
    let (first, second) = (Listener::at(&lodger, INNER), Listener::at(&lodger, "10.8.0.2:7001"));
    let here = Listener::of(net.serve(|| UdpSocket::bind("10.9.0.1:7002").unwrap()));
    net.nft(&["-f", "-"], DROPS);
    let masked = Some(Snat::Masquerade);
    let through = Forward { to: None, snat: masked };
    let all = Forward { to: Some([10, 8, 0, 2].into()), snat: masked };
    let forwards = vec![through, all];
    let gate = gate(Nat { forwards, ..Nat::default() }, closed("udp/7001-7002"));
    let mut kernel = installed(&net, &gate);
    kernel.let_pass("sereno", MARK, true).unwrap();
    let reaches = || {
        let there = |who| first.answers(&net, who, INNER);
        let turned = second.answers(&net, WHO, "10.9.0.1:7001");
        (there(WHO), there(OTHER), turned, here.hears(&net, WHO, "10.9.0.1:7002").is_some())
    };
    assert_eq!(reaches(), (false, false, false, false));
    let_in(&mut kernel, &gate, Through::Forward(through), 60_000);
    assert_eq!(reaches(), (true, false, false, false));
    close(&mut kernel, &gate, Through::Forward(through));
    assert_eq!(reaches(), (false, false, false, false));
    let_in(&mut kernel, &gate, Through::Forward(all), 60_000);
    assert_eq!(reaches(), (true, false, true, false));
}

#[test]
fn what_is_not_tracked_is_not_let_through_either() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let inner = Listener::at(&lodger, INNER);
    let here = Listener::of(net.serve(|| UdpSocket::bind("10.9.0.1:7000").unwrap()));
    net.nft(
        &["-f", "-"],
        "table inet other { chain early { type filter hook prerouting priority -300; udp dport 7000 notrack; }; }",
    );
    let gate = gate(nat(&[]), closed("udp/7000"));
    let mut kernel = installed(&net, &gate);
    let_in(&mut kernel, &gate, udp(7000, INNER), 60_000);
    assert_eq!(here.hears(&net, WHO, "10.9.0.1:7000"), None);
    assert_eq!(inner.hears(&net, WHO, "10.9.0.1:7000"), None);
}

#[test]
fn the_kernel_shows_what_is_written_as_text() {
    let Some(net) = Net::new() else { return };
    let snats = vec![Snat::Masquerade, Snat::To([10, 0, 0, 1].into())];
    let forward = |to, snat| Forward { to, snat };
    let forwards = vec![forward(None, None), forward(Some([10, 0, 0, 9].into()), Some(snats[1]))];
    let wide = Nat { snats: snats.clone(), forwards: forwards.clone(), ..nat(&[]) };
    let ears = Some(Ears { datagrams: vec![62201], ..Ears::of(9) });
    for nat in [wide, Nat { here: true, ..Nat::default() }, nat(&[])] {
        let passes = [
            pass(leads(Proto::Tcp, 5555, "10.0.0.2:22", Some(snats[1])), 60_000),
            pass(leads(Proto::Sctp, 5555, "10.0.0.3:22", None), 60_000),
            pass(Through::Forward(forwards[1]), 60_000),
            Pass { addr: "2001:db8::7".parse().unwrap(), ..pass(udp(1, INNER), 60_000) },
        ];
        let doorway = Doorway {
            openings: closed("tcp/22"),
            single: true,
            ears: ears.clone(),
            mark: Some(MARK),
            nat: Some(nat),
            ..Doorway::default()
        };
        let gate = Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap();
        let contents = Contents { passes: &passes, ..Contents::default() };
        let done = text::agrees(&net, &gate, contents, &gate.without_nat());
        assert_eq!(done.admitted + done.stray.len(), 4);
    }
}
