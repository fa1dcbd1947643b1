//! What a real kernel tells of closed ports that strangers try, and whom a ban for it stops.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod net;
#[allow(unreachable_pub)]
mod random;

use net::{Forger, Net};
use random::{name, now, zone};
use sereno_core::door::Hit;
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{
    Contents, Doorway, Draft, Ears as Wanted, Gate, Hold, Opening, Pass, PortScan, Scope, Through,
    render,
};
use sereno_nft::{Change, Ears, Kernel, Why};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

const GROUP: u16 = 4250;
const DOORS: u16 = 4251;
const MOMENT: Duration = Duration::from_millis(60);
const STRANGER: &str = "10.9.1.2";
const SIX: &str = "fd09:0:0:1::2";
const SYN: u8 = 2;
const NONE: [u16; 0] = [];

fn policy() -> Policy {
    let rules = ["allow udp/7000, tcp/8000", "drop tcp/8001"].map(str::to_owned);
    let zones = vec![zone("trusted", &["10.9.0.0/24"]), zone("local", &["10.9.1.3", "fd09::/64"])];
    let mut policy = random::policy(&rules, zones);
    policy.zones[0].open = false;
    policy
}

fn draft(memory: Duration) -> Draft {
    let quiet = vec!["udp/10000-20000".parse().unwrap(), "udp/33434-33534".parse().unwrap()];
    let scope = Scope { begins: true, ..Scope::new("portscan", "all").unwrap() };
    let portscan = Some(PortScan::new(GROUP, quiet, memory));
    let opening = Opening {
        name: name("ssh"),
        ports: "tcp/22".parse().unwrap(),
        closed: true,
        cut: false,
        free: Vec::new(),
    };
    let ears = Some(Wanted { datagrams: vec![62201], ..Wanted::of(DOORS) });
    let doorway =
        Doorway { openings: vec![opening], ears, mark: Some(0x100), ..Doorway::default() };
    Draft { portscan, doorway, policy: Some(policy()), ..Draft::of(vec![scope]) }
}

struct House {
    net: Net,
    gate: Gate,
    kernel: Kernel,
    ears: Ears,
}

impl House {
    fn of(draft: Draft) -> Option<Self> {
        let net = Net::new()?;
        let gate = Gate::try_from(draft).unwrap();
        let (kernel, ears) = net.serve(|| {
            let mut kernel = Kernel::open().unwrap();
            let hits = [Hit::tcp(7001), Hit::udp(7002)];
            let contents = Contents { hits: &hits, ..Contents::default() };
            kernel.install(&gate, contents, now()).unwrap();
            (kernel, Ears::open(GROUP).unwrap())
        });
        Some(Self { net, gate, kernel, ears })
    }

    fn new() -> Option<Self> {
        Self::of(draft(Duration::from_secs(300)))
    }

    /// Which ports were told, of whom.
    fn told(&mut self) -> Vec<(String, u16)> {
        sleep(MOMENT);
        let mut told = Vec::new();
        let drained = self.ears.drain(100_000, |heard| {
            assert_eq!(heard.why, Why::Closed);
            told.push((heard.source.to_string(), heard.port));
        });
        assert_eq!(drained.unwrap().lost, 0);
        told
    }

    fn ports(&mut self) -> Vec<u16> {
        self.told().into_iter().map(|(_, port)| port).collect()
    }

    fn datagram(&self, from: &str, port: u16) {
        let from = from.parse().unwrap();
        self.net.speak(from).send_to(b"hello", net::server(from, port)).unwrap();
    }

    fn change(&mut self, change: Change) {
        assert_eq!(self.kernel.apply(&self.gate, &[change], now()), [Ok(())]);
    }
}

fn addr() -> Ipv4Addr {
    STRANGER.parse().unwrap()
}

#[test]
fn each_closed_port_is_told_once() {
    let Some(mut house) = House::new() else { return };
    for _ in 0..3 {
        for from in [STRANGER, SIX] {
            house.net.syn(from, 23);
            house.datagram(from, 23);
            house.datagram(from, 161);
        }
    }
    let all = [STRANGER, SIX].map(|from| [23, 23, 161].map(|port| (from.to_owned(), port)));
    assert_eq!(house.told(), all.concat());
}

#[test]
fn it_is_told_again_when_it_is_forgotten() {
    let Some(mut house) = House::of(draft(Duration::from_secs(1))) else { return };
    for _ in 0..2 {
        house.net.syn(STRANGER, 23);
        assert_eq!(house.ports(), [23]);
        sleep(Duration::from_millis(2500));
    }
}

#[test]
fn what_searches_for_nothing_is_not_told() {
    let Some(mut house) = House::new() else { return };
    let forger: Forger = house.net.forger();
    // Answers and ends of something, and what no connection begins with.
    for flags in [0x12, 0x10, 0x18, 0x11, 0x01, 0x04, 0x14, 0x29, 0x00] {
        forger.tcp(addr(), 23, flags);
    }
    // What has rules, or is heard at the doors; a closed door; media of calls and traceroute.
    house.net.syn(STRANGER, 8001);
    house.net.syn(STRANGER, 7001);
    house.net.syn(STRANGER, 22);
    for port in [7000, 7002, 62201, 10_000, 16_002, 20_000, 33_434, 33_534] {
        house.datagram(STRANGER, port);
    }
    // Those who have a zone.
    for from in ["10.9.0.2", "10.9.1.3", "fd09::2"] {
        house.net.syn(from, 23);
        house.datagram(from, 161);
    }
    // What everybody hears.
    let from: SocketAddr = (addr(), 0).into();
    let all = house.net.visit(|| UdpSocket::bind(from).unwrap());
    all.set_broadcast(true).unwrap();
    for to in ["10.9.255.255:137", "255.255.255.255:67", "224.0.0.251:5353"] {
        all.send_to(b"who", to).unwrap();
    }
    assert_eq!(house.ports(), NONE);
    // The next ports are.
    for port in [9999, 20_001, 33_433, 33_535] {
        house.datagram(STRANGER, port);
    }
    forger.tcp(addr(), 23, SYN | 0xc0);
    assert_eq!(house.ports(), [9999, 20_001, 33_433, 33_535, 23]);
}

#[test]
fn who_exchanged_data_is_not_told_and_who_only_connected_is() {
    let Some(mut house) = House::new() else { return };
    for from in [STRANGER, SIX] {
        let (mut served, mut visitor) = house.net.connect(from, 8000);
        house.net.syn(from, 23);
        assert_eq!(house.ports(), [23], "he only connected");
        // Who is sent something did nothing for it.
        served.write_all(b"welcome").unwrap();
        visitor.read_exact(&mut [0; 7]).unwrap();
        house.net.syn(from, 24);
        assert_eq!(house.ports(), [24]);
        visitor.write_all(b"hello").unwrap();
        served.read_exact(&mut [0; 5]).unwrap();
        house.net.syn(from, 25);
        assert_eq!(house.ports(), NONE);
        drop((served, visitor));
        house.datagram(from, 161);
        assert_eq!(house.ports(), NONE, "nor when it is over");
    }
    // Nobody who only sends makes an exchange of it.
    let forger = house.net.forger();
    let other = Ipv4Addr::new(10, 9, 200, 7);
    forger.tcp(other, 8000, SYN);
    forger.tcp(other, 8000, 0x18);
    forger.tcp(other, 26, SYN);
    assert_eq!(house.ports(), [26]);
}

#[test]
fn what_this_machine_turned_to_may_answer_late_and_from_elsewhere() {
    let Some(mut house) = House::new() else { return };
    let (asked, answered) = ("10.9.1.2", "10.9.0.77");
    let send = |house: &House, to: &str, what: &[u8]| {
        house.net.serve(|| {
            let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
            socket.send_to(what, (to, 53)).unwrap();
        });
    };
    send(&house, asked, b"?");
    for port in 40_000..40_010 {
        house.datagram(asked, port);
    }
    house.net.syn(asked, 113);
    assert_eq!(house.ports(), NONE);
    // An answer of SIP goes where somebody said who may not be there.
    let policy = Policy { zones: Vec::new(), ..policy() };
    let other = Draft { policy: Some(policy), ..draft(Duration::from_secs(300)) };
    house.gate = Gate::try_from(other).unwrap();
    house.kernel.install(&house.gate, Contents::default(), now()).unwrap();
    send(&house, answered, b"SIP/2.0 401 Unauthorized\r\n");
    let forger = house.net.forger();
    forger.tcp(answered.parse().unwrap(), 23, SYN);
    assert_eq!(house.ports(), [23]);
    send(&house, answered, b"OPTIONS sip:a SIP/2.0\r\n");
    forger.tcp(answered.parse().unwrap(), 24, SYN);
    assert_eq!(house.ports(), NONE);
    // So does a connection that it begins.
    house.net.serve(|| {
        let to: SocketAddr = "10.9.1.3:25".parse().unwrap();
        let _ = std::net::TcpStream::connect_timeout(&to, MOMENT);
    });
    house.net.syn("10.9.1.3", 113);
    assert_eq!(house.ports(), NONE);
}

#[test]
fn whom_a_door_let_in_is_not_told() {
    let Some(mut house) = House::new() else { return };
    let until = Some(now().plus(Duration::from_secs(60)));
    let (to, addr) = (Through::Opening(name("ssh")), STRANGER.parse().unwrap());
    house.change(Change::Open(Pass { to, addr, until }));
    house.net.syn(STRANGER, 23);
    assert_eq!(house.ports(), NONE);
    house.change(Change::Close { to, addr });
    house.net.syn(STRANGER, 23);
    assert_eq!(house.ports(), [23]);
}

#[test]
fn made_up_sources_are_told_in_measure_and_knocks_are_heard() {
    let Some(mut house) = House::new() else { return };
    let mut doors = house.net.serve(|| Ears::open(DOORS).unwrap());
    let forger = house.net.forger();
    let begun = Instant::now();
    let mut told = 0;
    for at in 0..60_000_u32 {
        forger.tcp(Ipv4Addr::from(0x0b00_0000 + at), 1000 + (at % 5000) as u16, SYN);
        if at % 20_000 == 19_999 {
            told += house.told().len();
        }
    }
    let most = 250 + 200 * (begun.elapsed().as_secs() as usize + 1);
    assert!((250..=most).contains(&told), "{told} of 60,000");
    let set = house.net.nft(&["list", "set", "inet", "sereno", "scan_told_v4"], "");
    assert!(set.matches(" . tcp . ").count() <= told, "what is not told takes no room");
    house.net.syn(STRANGER, 7001);
    sleep(MOMENT);
    let mut knocks = Vec::new();
    doors.drain(1000, |heard| knocks.push((heard.why, heard.port))).unwrap();
    assert_eq!(knocks, [(Why::Begins, 7001)]);
    sleep(Duration::from_secs(2));
    house.net.syn(STRANGER, 23);
    assert_eq!(house.ports(), [23], "and it goes on afterwards");
}

#[test]
fn a_ban_stops_what_begins_and_nothing_that_is_under_way() {
    let Some(mut house) = House::new() else { return };
    for from in [STRANGER, SIX] {
        let (mut served, mut visitor) = house.net.connect(from, 8000);
        let addr = from.parse().unwrap();
        let to = SocketAddr::new(addr, 5353);
        let asked = house.net.visit(|| UdpSocket::bind(to).unwrap());
        let asks = house.net.serve(|| UdpSocket::bind(net::server(addr, 0)).unwrap());
        asks.set_read_timeout(Some(net::PATIENCE)).unwrap();
        let bits = if addr.is_ipv4() { 32 } else { 64 };
        let prefix = sereno_core::addr::Prefix::new(addr, bits).unwrap();
        let hold = Hold { scope: name("portscan"), prefix, until: None };
        assert!(house.net.reaches(from, 8000) && house.net.arrives(from, 7000));
        house.change(Change::Ban(hold));
        assert!(!house.net.reaches(from, 8000) && !house.net.arrives(from, 7000));
        visitor.write_all(b"still").unwrap();
        served.read_exact(&mut [0; 5]).unwrap();
        asks.send_to(b"?", to).unwrap();
        let (_, back) = asked.recv_from(&mut [0; 16]).unwrap();
        asked.send_to(b"an answer", back).unwrap();
        assert_eq!(asks.recv(&mut [0; 16]).unwrap(), 9, "what this machine began goes on");
        house.net.syn(from, 23);
        // A door lets in who knocks, whoever used his address.
        let until = Some(now().plus(Duration::from_secs(60)));
        assert!(!house.net.reaches(from, 22));
        house.change(Change::Open(Pass { to: Through::Opening(name("ssh")), addr, until }));
        assert_eq!(house.ports(), NONE);
    }
}

#[test]
fn nothing_is_told_on_trial_nor_where_nothing_comes_in() {
    let trying = Draft {
        trying: Some(policy()),
        policy: Some(random::policy(&["allow all".to_owned()], Vec::new())),
        ..draft(Duration::from_secs(300))
    };
    let Some(mut house) = House::of(trying) else { return };
    let trial = house.gate.policy_trial();
    house.kernel.for_a_while(&house.gate, trial, Duration::from_secs(60)).unwrap();
    house.net.syn(STRANGER, 23);
    assert_eq!(house.ports(), NONE);
    let cut = Policy { cut: true, ..Policy::default() };
    let panic = Draft { policy: Some(cut), ..draft(Duration::from_secs(300)) };
    house.kernel.install(&Gate::try_from(panic).unwrap(), Contents::default(), now()).unwrap();
    house.net.syn(STRANGER, 23);
    assert_eq!(house.ports(), NONE);
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let gate = Gate::try_from(draft(Duration::from_secs(300))).unwrap();
    let text = render(&gate, Contents::default(), now());
    net.nft(&["-f", "-"], &text);
    let by_nft = net.listing();
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    kernel.install(&gate, Contents::default(), now()).unwrap();
    for (ours, nfts) in net.listing().lines().zip(by_nft.lines()) {
        assert_eq!(ours, nfts);
    }
    assert_eq!(net.listing().lines().count(), by_nft.lines().count());
    assert!(kernel.exists(&gate).unwrap() && !kernel.exists(&gate.without_portscan()).unwrap());
}
