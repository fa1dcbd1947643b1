//! SYNs that the kernel answers in place of programs, in a real kernel.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod net;
mod random;
mod text;

use net::{Net, server};
use random::{name, now, policy, proxy, zone};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_reuseaddr, socket_error};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket, socket_with,
};
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{
    Contents, Doorway, Draft, Gate, Handshake, Hold, Opening, Pass, Scope, Stream, SynProxy,
    Through,
};
use sereno_nft::Kernel;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const PORT: u16 = 8000;
const OTHER: u16 = 9000;
const BOTH: [&str; 2] = ["10.9.0.2", "fd09::2"];
const STRANGER: &str = "10.9.1.2";
const SOON: Duration = Duration::from_millis(400);

/// A policy without zones.
fn alone(lines: &[&str]) -> Policy {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    policy(&lines, Vec::new())
}

/// How a connection began.
#[derive(Debug)]
enum Begun {
    Well(TcpStream),
    Refused,
    /// Nobody answered.
    Silence,
}

impl Begun {
    fn well(self) -> TcpStream {
        match self {
            Self::Well(stream) => stream,
            other => panic!("it began otherwise: {other:?}"),
        }
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Silence)
    }
}

struct House {
    net: Net,
    kernel: Kernel,
}

impl House {
    fn new() -> Option<Self> {
        let net = Net::new()?;
        let kernel = net.serve(|| Kernel::open().unwrap());
        Some(Self { net, kernel })
    }

    fn install(&mut self, draft: Draft) -> Gate {
        self.install_with(draft, Contents::default())
    }

    fn install_with(&mut self, draft: Draft, contents: Contents<'_>) -> Gate {
        let gate = Gate::try_from(draft).unwrap();
        self.kernel.install(&gate, contents, now()).unwrap();
        gate
    }

    /// A program that listens, on the address that a visitor from there uses.
    fn program(&self, from: &str, port: u16) -> TcpListener {
        let listener =
            self.net.serve(|| TcpListener::bind(server(from.parse().unwrap(), port)).unwrap());
        listener.set_nonblocking(true).unwrap();
        listener
    }

    /// A visitor who wants to connect, and waits that long for an answer.
    fn visit(&self, from: &str, port: u16) -> Begun {
        let from: IpAddr = from.parse().unwrap();
        self.net.visit(|| {
            let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket =
                socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
            bind(&socket, &std::net::SocketAddr::new(from, 0)).unwrap();
            assert_eq!(connect(&socket, &server(from, port)), Err(Errno::INPROGRESS));
            let mut waiting = [rustix::event::PollFd::new(&socket, rustix::event::PollFlags::OUT)];
            let pause = rustix::time::Timespec::try_from(SOON).unwrap();
            if rustix::event::poll(&mut waiting, Some(&pause)).unwrap() == 0 {
                return Begun::Silence;
            }
            if socket_error(&socket).unwrap().is_err() {
                return Begun::Refused;
            }
            let stream = TcpStream::from(socket);
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            Begun::Well(stream)
        })
    }

    fn write(&self, setting: &str, value: &str) {
        self.net.serve(|| std::fs::write(format!("/proc/sys/net/{setting}"), value).unwrap());
    }

    /// SYNs that were answered, as the gate counted.
    fn answered(&self) -> u64 {
        let text = self.net.nft(&["list", "counter", "inet", "sereno", "syn_answered"], "");
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse().unwrap()
    }

    /// Entries of connection tracking.
    fn tracked(&self) -> usize {
        let read = || std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
        self.net.serve(read).unwrap().trim().parse().unwrap()
    }

    /// Whether connection tracking takes what came from this port for under way.
    fn goes_on(&self, port: u16) -> bool {
        let list = || std::fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap();
        let port = format!(" sport={port} ");
        let text = self.net.serve(list);
        text.lines().any(|line| line.contains(&port) && line.contains(" ESTABLISHED "))
    }

    /// Connections that the host itself keeps half open.
    fn half_open(&self) -> usize {
        let list = || std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        self.net
            .serve(list)
            .lines()
            .filter(|line| line.split_whitespace().nth(3) == Some("03"))
            .count()
    }
}

/// The end of a program's, once it has one.
fn accepted(program: &TcpListener) -> Option<TcpStream> {
    for _ in 0..20 {
        match program.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                return Some(stream);
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(SOON / 20);
            }
            Err(why) => panic!("{why}"),
        }
    }
    None
}

/// Whether both ends hear each other.
fn talk(ours: &mut TcpStream, theirs: &mut TcpStream) -> bool {
    let mut said = [0; 4];
    let mut tell = |from: &mut TcpStream, to: &mut TcpStream, word: &[u8; 4]| {
        from.write_all(word).is_ok() && to.read_exact(&mut said).is_ok() && said == *word
    };
    tell(theirs, ours, b"ping") && tell(ours, theirs, b"pong")
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let handshake = Handshake { mss: [1452, 1220], scale: None, timestamps: false, sack: false };
    for (handshake, undates) in [(Handshake::default(), true), (handshake, false)] {
        let ports = ["tcp/22", "tcp/8000-8010"].map(|range| range.parse().unwrap()).to_vec();
        let first = alone(&["allow ssh, sip rate 10/minute limit 3", "allow all limit 7"]);
        let draft = Draft {
            doorway: Doorway { mark: Some(0x100), single: true, ..Doorway::default() },
            policy: Some(Policy { zones: vec![zone("trusted", &["10.9.0.0/24"])], ..first }),
            trying: Some(alone(&["allow tcp rate 1/hour"])),
            syn_proxy: Some(SynProxy { ports, handshake, undates }),
            ..Draft::of(Vec::new())
        };
        let gate = Gate::try_from(draft).unwrap();
        text::agrees(&net, &gate, Contents::default(), &gate.without_syn_proxy());
    }
}

#[test]
fn connections_go_through_whole_whatever_tracking_makes_of_their_middle() {
    let Some(mut house) = House::new() else { return };
    let policy = Some(alone(&["allow tcp/8000"]));
    house.install(Draft { policy, syn_proxy: proxy(&["tcp/8000"]), ..Draft::of(Vec::new()) });
    let mut begun = 0;
    for loose in ["1", "0"] {
        house.write("netfilter/nf_conntrack_tcp_loose", loose);
        for from in BOTH {
            let program = house.program(from, PORT);
            let mut visitor = house.visit(from, PORT).well();
            begun += 1;
            assert_eq!(house.answered(), begun, "{from}, loose {loose}: nobody answered for it");
            let mut ours = accepted(&program).unwrap();
            assert_eq!(ours.peer_addr().unwrap().ip(), from.parse::<IpAddr>().unwrap());
            let port = visitor.local_addr().unwrap().port();
            assert!(house.goes_on(port), "who says nothing for a while would be forgotten");
            assert!(talk(&mut ours, &mut visitor));
            let sent: Vec<u8> = (0..30_000_000u32).map(|n| (n ^ n >> 9) as u8).collect();
            for down in [true, false] {
                let (mut from, mut to) = if down {
                    (ours.try_clone().unwrap(), visitor.try_clone().unwrap())
                } else {
                    (visitor.try_clone().unwrap(), ours.try_clone().unwrap())
                };
                let mut came = vec![0; sent.len()];
                std::thread::scope(|scope| {
                    scope.spawn(|| from.write_all(&sent).unwrap());
                    to.read_exact(&mut came).unwrap();
                });
                assert!(came == sent, "down: {down}");
            }
        }
    }
}

#[test]
fn who_may_not_come_in_gets_no_answer() {
    let Some(mut house) = House::new() else { return };
    let opening = Opening {
        name: name("ssh"),
        ports: "tcp/2222".parse().unwrap(),
        closed: true,
        cut: false,
        free: Vec::new(),
    };
    let draft = Draft {
        doorway: Doorway { openings: vec![opening], mark: Some(0x100), ..Doorway::default() },
        policy: Some(alone(&["drop tcp/8000 from 10.9.0.3 fd09::3", "allow tcp/8000"])),
        // More than the policy lets in.
        syn_proxy: proxy(&["tcp/1-65535"]),
        ..Draft::of(vec![Scope::new("all", "all").unwrap()])
    };
    let hold =
        |prefix: &str| Hold { scope: name("all"), prefix: prefix.parse().unwrap(), until: None };
    let holds = [hold("10.9.1.3"), hold("fd09:0:0:1::/64")];
    let pass = |addr: &str| Pass {
        to: Through::Opening(name("ssh")),
        addr: addr.parse().unwrap(),
        until: Some(now().plus(Duration::from_secs(60))),
    };
    let passes = BOTH.map(pass);
    let contents = Contents { holds: &holds, passes: &passes, ..Contents::default() };
    house.install_with(draft.clone(), contents);
    let ports = [PORT, OTHER, 2222];
    let _programs: Vec<TcpListener> =
        BOTH.iter().flat_map(|from| ports.map(|port| house.program(from, port))).collect();
    for (from, port) in [
        ("10.9.1.3", PORT),
        ("fd09:0:0:1::2", PORT),
        ("10.9.0.3", PORT),
        ("fd09::3", PORT),
        (STRANGER, OTHER),
        (STRANGER, 2222),
    ] {
        assert!(house.visit(from, port).is_silence(), "{from} at {port} was answered");
    }
    assert_eq!(house.answered(), 0);
    for from in BOTH {
        assert!(house.visit(from, 2222).well().peer_addr().is_ok(), "he was let in by the door");
        house.visit(from, PORT).well();
    }
    assert_eq!(house.answered(), 4);
    // Others say no, behind the policy.
    house.net.nft(
        &["-f", "-"],
        "table inet other { chain late { type filter hook input priority 10; ip saddr 10.9.1.2 drop; }; }",
    );
    assert!(house.visit(STRANGER, PORT).is_silence(), "what others drop is dropped");
    house.net.nft(&["delete", "table", "inet", "other"], "");
    house.visit(STRANGER, PORT).well();
}

#[test]
fn where_nobody_listens_it_is_said_as_ever() {
    let Some(mut house) = House::new() else { return };
    house.install(Draft { syn_proxy: proxy(&["tcp/8000"]), ..Draft::of(Vec::new()) });
    for from in BOTH {
        assert!(matches!(house.visit(from, PORT), Begun::Refused));
    }
    assert_eq!(house.answered(), 0);
}

#[test]
fn rates_and_limits_count_who_answers_and_not_who_forges() {
    let policy = Some(alone(&["allow tcp/8000 rate 3/hour", "allow all limit 2"]));
    let draft =
        Draft { policy, syn_proxy: proxy(&["tcp/8000", "tcp/9000"]), ..Draft::of(Vec::new()) };
    for loose in ["1", "0"] {
        let Some(mut house) = House::new() else { return };
        house.install(draft.clone());
        house.write("netfilter/nf_conntrack_tcp_loose", loose);
        let forger = house.net.forger();
        for _ in 0..20 {
            forger.tcp("10.9.0.2".parse().unwrap(), PORT, 0x02);
        }
        for from in BOTH {
            let program = house.program(from, PORT);
            let visits: Vec<TcpStream> = (0..5).map(|_| house.visit(from, PORT).well()).collect();
            let came = std::iter::from_fn(|| accepted(&program)).count();
            assert_eq!((visits.len(), came), (5, 3), "{from}, loose {loose}: three in an hour");
            let program = house.program(from, OTHER);
            // What is over counts for a while in connection tracking.
            let mut kept: Vec<(TcpStream, TcpStream)> = Vec::new();
            for _ in 0..4 {
                let visit = house.visit(from, OTHER).well();
                kept.extend(accepted(&program).map(|ours| (ours, visit)));
            }
            assert_eq!(kept.len(), 2, "{from}, loose {loose}: two at once");
            assert!(kept.iter_mut().all(|(ours, theirs)| talk(ours, theirs)));
        }
    }
}

#[test]
fn what_was_under_way_before_and_after_goes_on() {
    let Some(mut house) = House::new() else { return };
    let mut older: Vec<(TcpStream, TcpStream)> = Vec::new();
    let mut streams = Vec::new();
    // Nothing has asked for connection tracking yet.
    for from in BOTH {
        let program = house.program(from, PORT);
        let visitor = house.visit(from, PORT).well();
        let port = visitor.local_addr().unwrap().port();
        streams.push(Stream { from: from.parse().unwrap(), port, to: PORT });
        older.push((accepted(&program).unwrap(), visitor));
    }
    let draft = Draft { syn_proxy: proxy(&["tcp/8000"]), ..Draft::of(Vec::new()) };
    let contents = Contents { streams: &streams, ..Contents::default() };
    house.install_with(draft.clone(), contents);
    for (ours, theirs) in &mut older {
        assert!(talk(ours, theirs), "it is older than the proxy");
    }
    // Whether something is missed when the kernel lets go of them is a matter of chance, for each.
    for from in [BOTH; 3].concat() {
        let program = house.program(from, PORT);
        let visitor = house.visit(from, PORT).well();
        older.push((accepted(&program).unwrap(), visitor));
    }
    assert_eq!(house.answered(), 6);
    // It is put in place again, is to answer nobody any more, and does once more.
    for ports in [&["tcp/8000"][..], &[], &["tcp/8000"]] {
        house.install(Draft { syn_proxy: proxy(ports), ..draft.clone() });
        // The kernel takes away in its own time what is there no more.
        std::thread::sleep(SOON);
        for (ours, theirs) in &mut older {
            assert!(talk(ours, theirs), "at {ports:?}");
        }
    }
    house.install(Draft { syn_proxy: proxy(&[]), ..draft });
    let _program = house.program(BOTH[0], PORT);
    house.visit(BOTH[0], PORT).well();
    assert_eq!(house.answered(), 6, "nobody asked for it");
}

#[test]
fn what_leads_elsewhere_is_left_alone() {
    let Some(mut house) = House::new() else { return };
    let lodger = house.net.lodger();
    house.install(Draft { syn_proxy: proxy(&["tcp/8000", "tcp/8001"]), ..Draft::of(Vec::new()) });
    house.net.nft(
        &["-f", "-"],
        "table ip other { chain pre { type nat hook prerouting priority dstnat;
            tcp dport 7000 redirect to :8000; tcp dport 8001 dnat to 10.8.0.2:8001; }; }",
    );
    for loose in ["1", "0"] {
        house.write("netfilter/nf_conntrack_tcp_loose", loose);
        let program = house.program(BOTH[0], PORT);
        let mut visitor = house.visit(BOTH[0], 7000).well();
        assert!(talk(&mut accepted(&program).unwrap(), &mut visitor), "another port of ours");
        // There is a program at that port here too.
        let _here = house.program(BOTH[0], 8001);
        let there = lodger.at_home(|| TcpListener::bind("10.8.0.2:8001").unwrap());
        there.set_nonblocking(true).unwrap();
        let mut visitor = house.visit(BOTH[0], 8001).well();
        assert!(talk(&mut accepted(&there).unwrap(), &mut visitor), "another machine");
    }
    assert_eq!(house.answered(), 0);
}

/// Forged SYNs to a program with a short queue, which the host does not help with cookies of its own.
fn flood(house: &House, sent: u32) -> TcpListener {
    house.write("ipv4/tcp_syncookies", "0");
    let way = ["route", "replace", "default", "via", "10.9.0.2"];
    assert!(house.net.serve(|| Command::new("ip").args(way).status().unwrap().success()));
    let program = house.net.serve(|| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &server("10.9.0.2".parse().unwrap(), PORT)).unwrap();
        listen(&socket, 8).unwrap();
        TcpListener::from(socket)
    });
    program.set_nonblocking(true).unwrap();
    let forger = house.net.forger();
    for n in 0..sent {
        forger.tcp(Ipv4Addr::from_bits(0x0b00_0000 | n.wrapping_mul(0x9e37_79b1) >> 9), PORT, 0x02);
    }
    program
}

#[test]
fn a_flood_of_forged_syns_leaves_nothing_behind_and_shuts_nobody_out() {
    const SENT: u32 = 6000;
    let Some(mut house) = House::new() else { return };
    let draft = Draft { policy: Some(alone(&["allow tcp/8000"])), ..Draft::of(Vec::new()) };
    house.install(Draft { syn_proxy: proxy(&["tcp/8000"]), ..draft.clone() });
    let program = flood(&house, SENT);
    let (tracked, half) = (house.tracked(), house.half_open());
    assert!(tracked < 50 && half == 0, "{tracked} tracked, {half} half open");
    let mut visitor = house.visit(BOTH[0], PORT).well();
    assert!(talk(&mut accepted(&program).unwrap(), &mut visitor));
    assert!(house.answered() > u64::from(SENT) * 9 / 10, "{}", house.answered());
    drop((program, visitor));

    // Without it there is a flood.
    house.install(draft);
    let _program = flood(&house, SENT);
    let (tracked, half) = (house.tracked(), house.half_open());
    println!("without it: {tracked} tracked, {half} half open");
    assert!(tracked > SENT as usize * 9 / 10 && half > 4, "{tracked} tracked, {half} half open");
    assert!(house.visit(BOTH[0], PORT).is_silence(), "nobody is shut out without it");
}
