//! Doors in a real kernel: who is let in gets through, and nobody else.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;
mod text;

use net::{Net, PATIENCE};
use rustix::net::netdevice::name_to_index;
use sereno_core::door::Hit;
use sereno_core::gate::{
    Contents, Doorway, Draft, Ears, Gate, Hold, Opening, Pass, Proto, Scope, Stream, Through,
};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::io::{Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket,
};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

fn now() -> Time {
    let span = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(i64::try_from(span.as_micros()).unwrap())
}

fn opening(name: &str, ports: &str) -> Opening {
    Opening {
        name: name.parse().unwrap(),
        ports: ports.parse().unwrap(),
        closed: true,
        cut: false,
        free: Vec::new(),
    }
}

fn gate(doorway: Doorway) -> Gate {
    let scopes = vec![Scope::new("all", "all").unwrap()];
    Gate::try_from(Draft { doorway, ..Draft::of(scopes) }).unwrap()
}

fn open_only(openings: Vec<Opening>) -> Gate {
    gate(Doorway { openings, ..Doorway::default() })
}

fn installed(net: &Net, gate: &Gate) -> Kernel {
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    let done = kernel.install(gate, Contents::default(), now()).unwrap();
    assert_eq!((done.admitted, done.transactions), (0, 1));
    assert!(kernel.exists(gate).unwrap());
    kernel
}

fn through(name: &str) -> Through {
    Through::Opening(name.parse().unwrap())
}

/// A pass that ends in so many milliseconds; 0: never.
fn pass(to: Through, addr: &str, millis: u64) -> Pass {
    let until = (millis > 0).then(|| now().plus(Duration::from_millis(millis)));
    Pass { to, addr: addr.parse().unwrap(), until }
}

fn apply(kernel: &mut Kernel, gate: &Gate, changes: &[Change]) {
    for result in kernel.apply(gate, changes, now()) {
        result.unwrap();
    }
}

fn let_in(kernel: &mut Kernel, gate: &Gate, to: Through, addr: &str, millis: u64) {
    apply(kernel, gate, &[Change::Open(pass(to, addr, millis))]);
}

fn close(kernel: &mut Kernel, gate: &Gate, to: Through, addr: &str) {
    let addr = addr.parse().unwrap();
    apply(kernel, gate, &[Change::Close { to, addr }, Change::Close { to, addr }]);
}

#[test]
fn a_door_is_closed_to_everybody_but_who_was_let_in() {
    let Some(net) = Net::new() else { return };
    let gate = open_only(vec![opening("sip", "tcp/7000, udp/7000-7001"), opening("b", "udp/7001")]);
    let mut kernel = installed(&net, &gate);
    for (who, other) in [("10.9.0.2", "10.9.0.3"), ("fd09::2", "fd09::3")] {
        assert!(!net.arrives(who, 7000) && !net.arrives(who, 7001) && net.arrives(who, 7002));
        let_in(&mut kernel, &gate, through("sip"), who, 60_000);
        assert!(net.arrives(who, 7000) && net.arrives(who, 7001), "{who}");
        drop(net.connect(who, 7000));
        assert!(!net.arrives(other, 7000), "{other}");
        close(&mut kernel, &gate, through("sip"), who);
        assert!(!net.arrives(who, 7000) && !net.arrives(who, 7001), "{who}");
        // Openings overlap: one of them is enough.
        let_in(&mut kernel, &gate, through("b"), who, 60_000);
        assert!(!net.arrives(who, 7000) && net.arrives(who, 7001), "{who}");
    }
    let closed = kernel.closed(&gate).unwrap();
    assert_eq!((closed[0].0.as_str(), closed[1].0.as_str()), ("sip", "b"));
    assert!(closed[0].1 >= 10 && closed[0].2 >= 10 * 33, "{closed:?}");
}

#[test]
fn passes_end_by_themselves_and_another_one_sets_a_new_end() {
    let Some(net) = Net::new() else { return };
    let gate = open_only(vec![opening("a", "udp/7000")]);
    let mut kernel = installed(&net, &gate);
    let a = through("a");
    for (who, first, second) in [
        ("10.9.0.2", 300, 300),
        ("10.9.0.3", 300, 60_000),
        ("10.9.1.2", 60_000, 300),
        ("10.9.1.3", 0, 300),
        ("fd09::2", 300, 0),
        ("fd09::3", 60_000, 300),
    ] {
        let_in(&mut kernel, &gate, a, who, first);
        let_in(&mut kernel, &gate, a, who, second);
    }
    assert!(net.arrives("10.9.0.2", 7000));
    sleep(Duration::from_millis(400));
    let mut listed = kernel.passes(&gate, now()).unwrap();
    listed.sort();
    let shown: Vec<_> = listed.iter().map(|pass| pass.addr.to_string()).collect();
    assert_eq!(shown, ["10.9.0.3", "fd09::2"]);
    assert!(listed[0].until.unwrap().since(now()) > Duration::from_secs(58));
    assert_eq!(listed[1].until, None);
    for (who, inside) in [
        ("10.9.0.2", false),
        ("10.9.0.3", true),
        ("10.9.1.2", false),
        ("10.9.1.3", false),
        ("fd09::2", true),
        ("fd09::3", false),
    ] {
        assert_eq!(net.arrives(who, 7000), inside, "{who}");
    }
    let_in(&mut kernel, &gate, a, "10.9.0.3", 1);
    sleep(Duration::from_millis(50));
    assert!(!net.arrives("10.9.0.3", 7000));
}

#[test]
fn a_thousand_passes_end_on_time_without_us() {
    let Some(net) = Net::new() else { return };
    let gate = open_only(vec![opening("a", "udp/7000")]);
    let from = |n: usize| Ipv4Addr::new(10, 9, 2 + (n / 250) as u8, 1 + (n % 250) as u8);
    let start = now();
    let end = |n: usize| start.plus(Duration::from_millis(800 + n as u64));
    {
        let mut kernel = installed(&net, &gate);
        let passes: Vec<_> = (0..1000)
            .map(|n| Pass { to: through("a"), addr: from(n).into(), until: Some(end(n)) })
            .collect();
        // One half by changes, the other at once: both are counted from now on.
        let changes: Vec<_> = passes[..500].iter().map(|pass| Change::Open(*pass)).collect();
        apply(&mut kernel, &gate, &changes);
        let contents = Contents { passes: &passes, ..Contents::default() };
        assert_eq!(kernel.install(&gate, contents, now()).unwrap().admitted, 1000);
    }
    let forger = net.forger();
    let listening = net.serve(|| UdpSocket::bind("10.9.0.1:7000").unwrap());
    listening.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut last = [Time::MIN; 1000];
    let until = end(1000).plus(Duration::from_millis(300));
    while now() < until {
        for (n, last) in last.iter_mut().enumerate() {
            forger.udp(from(n), 7000, b"x");
            // Nobody but us sends, and the cable is short: what arrives does so at once.
            listening.set_nonblocking(true).unwrap();
            if listening.recv(&mut [0; 4]).is_ok() {
                *last = now();
            }
        }
    }
    let late: Vec<_> = (0..1000).map(|n| (last[n].0 - end(n).0) / 1000).collect();
    let (least, most) = (late.iter().min().unwrap(), late.iter().max().unwrap());
    println!("last packets came {least} ms to {most} ms after the end of the pass");
    assert!(*least > -200 && *most < 200, "{least} {most}");
}

/// Speaks over an open connection: whether it arrives.
fn speaks(here: &mut TcpStream, there: &mut TcpStream) -> bool {
    there.write_all(b"word").unwrap();
    here.read(&mut [0; 64]).is_ok()
}

#[test]
fn connections_outlive_their_opening_unless_they_are_cut() {
    let Some(net) = Net::new() else { return };
    for who in ["10.9.0.2", "fd09::2"] {
        let cut = Opening { cut: true, ..opening("cut", "tcp/7000") };
        let gate =
            open_only(vec![opening("on", "tcp/7001"), cut, opening("both", "tcp/7000-7001")]);
        let mut kernel = installed(&net, &gate);
        for name in ["on", "cut"] {
            let_in(&mut kernel, &gate, through(name), who, 60_000);
        }
        let (mut here, mut there) = net.connect(who, 7001);
        let (mut here_cut, mut there_cut) = net.connect(who, 7000);
        assert!(speaks(&mut here, &mut there) && speaks(&mut here_cut, &mut there_cut));
        for name in ["on", "cut"] {
            close(&mut kernel, &gate, through(name), who);
        }
        assert!(speaks(&mut here, &mut there), "{who}");
        assert!(!speaks(&mut here_cut, &mut there_cut), "{who}");
        // All that lets through stands before all that closes.
        let_in(&mut kernel, &gate, through("both"), who, 60_000);
        here_cut.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(speaks(&mut here_cut, &mut there_cut), "{who}");
    }
}

#[test]
fn who_is_forgotten_by_connection_tracking_is_cut_too() {
    let Some(net) = Net::new() else { return };
    let who = "10.9.0.2";
    let gate = open_only(vec![Opening { cut: true, ..opening("cut", "tcp/7000") }]);
    let mut kernel = installed(&net, &gate);
    let_in(&mut kernel, &gate, through("cut"), who, 60_000);
    let (mut here, mut there) = net.connect(who, 7000);
    assert!(speaks(&mut here, &mut there));
    close(&mut kernel, &gate, through("cut"), who);
    net.forget_connections(|| there.write_all(b"lost").unwrap());
    // The server sends on, and is answered.
    here.write_all(b"more").unwrap();
    assert!(there.read(&mut [0; 8]).is_err(), "nothing comes out");
    assert!(!speaks(&mut here, &mut there));
    let_in(&mut kernel, &gate, through("cut"), who, 60_000);
    there.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    here.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(speaks(&mut here, &mut there), "who is let in again goes on");
}

#[test]
fn what_the_machine_itself_began_is_never_cut() {
    let Some(net) = Net::new() else { return };
    let gate = open_only(vec![Opening { cut: true, ..opening("cut", "tcp/7000, udp/7000") }]);
    let _kernel = installed(&net, &gate);
    let listener = net.visit(|| TcpListener::bind("10.9.0.2:9000").unwrap());
    let ours = net.serve(|| {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )
        .unwrap();
        let (from, to) = ("10.9.0.1:7000", "10.9.0.2:9000");
        rustix::net::bind(&socket, &from.parse::<SocketAddr>().unwrap()).unwrap();
        rustix::net::connect(&socket, &to.parse::<SocketAddr>().unwrap()).unwrap();
        TcpStream::from(socket)
    });
    let (theirs, _) = listener.accept().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(speaks(&mut { ours }, &mut { theirs }));
    assert!(!net.arrives("10.9.0.2", 7000));
}

#[test]
fn friends_need_no_opening() {
    let Some(net) = Net::new() else { return };
    let free = ["10.9.1.0/24", "fd09:0:0:1::/64", "10.9.0.3"].map(|p| p.parse().unwrap());
    let gate = open_only(vec![Opening { free: free.to_vec(), ..opening("a", "udp/7000") }]);
    let _kernel = installed(&net, &gate);
    for (who, inside) in [
        ("10.9.0.2", false),
        ("10.9.0.3", true),
        ("10.9.1.2", true),
        ("fd09::2", false),
        ("fd09:0:0:1::2", true),
    ] {
        assert_eq!(net.arrives(who, 7000), inside, "{who}");
    }
}

#[test]
fn single_ports_open_to_single_addresses() {
    let Some(net) = Net::new() else { return };
    let openings = vec![opening("a", "udp/7000-7002, tcp/7000")];
    let gate = gate(Doorway { openings, single: true, ..Doorway::default() });
    let mut kernel = installed(&net, &gate);
    let (udp, tcp) = (Through::Port(Proto::Udp, 7001), Through::Port(Proto::Tcp, 7001));
    for (who, other) in [("10.9.0.2", "10.9.0.3"), ("fd09::2", "fd09::3")] {
        let_in(&mut kernel, &gate, tcp, who, 60_000);
        assert!(!net.arrives(who, 7001), "another protocol");
        let_in(&mut kernel, &gate, udp, who, 1500);
        assert!(net.arrives(who, 7001));
        assert!(!net.arrives(who, 7000) && !net.arrives(who, 7002) && !net.arrives(other, 7001));
        let listed = kernel.passes(&gate, now()).unwrap();
        let of = |pass: &&Pass| pass.addr == who.parse::<IpAddr>().unwrap();
        let mut to: Vec<_> = listed.iter().filter(of).map(|pass| pass.to).collect();
        to.sort();
        assert_eq!(to, [tcp, udp]);
        sleep(Duration::from_millis(1000));
        assert!(!net.arrives(who, 7001), "over");
    }
    let plain = open_only(vec![opening("a", "udp/7000")]);
    let refused = kernel.apply(&plain, &[Change::Open(pass(udp, "10.9.0.2", 0))], now());
    let said = refused[0].as_ref().unwrap_err().to_string();
    let want =
        "cannot open udp/7001 to 10.9.0.2: the gate does not open single ports such as udp/7001";
    assert_eq!(said, want);
}

#[test]
fn ports_published_for_others_are_doors_and_traffic_that_only_passes_is_not_ours() {
    let Some(net) = Net::new() else { return };
    let lodger = net.lodger();
    let gate = open_only(vec![opening("web", "udp/8080")]);
    let mut kernel = installed(&net, &gate);
    net.nft(
        &["-f", "-"],
        "table ip engine {
            chain publish {
                type nat hook prerouting priority dstnat;
                ip daddr 10.9.0.1 udp dport 8080 dnat to 10.8.0.2:7000
            }
        }",
    );
    let listening = [7000, 8080].map(|port| {
        let socket = lodger.at_home(|| UdpSocket::bind(("10.8.0.2", port)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let speak = |from: &str, to: &str| {
        let socket = net.speak(from.parse().unwrap());
        socket.send_to(b"x", to).unwrap();
    };
    speak("10.9.0.2", "10.9.0.1:8080");
    assert!(listening[0].recv(&mut [0; 4]).is_err());
    let_in(&mut kernel, &gate, through("web"), "10.9.0.2", 60_000);
    speak("10.9.0.2", "10.9.0.1:8080");
    assert!(listening[0].recv(&mut [0; 4]).is_ok());
    speak("10.9.0.3", "10.9.0.1:8080");
    assert!(listening[0].recv(&mut [0; 4]).is_err());
    // The same port of another machine, to which this one only is the way.
    speak("10.9.0.3", "10.8.0.2:8080");
    assert!(listening[1].recv(&mut [0; 4]).is_ok());
}

#[test]
fn neighbours_do_not_get_in_by_calling_everybody() {
    let Some(net) = Net::new() else { return };
    let gate = open_only(vec![opening("a", "udp/7000-7001")]);
    let mut kernel = installed(&net, &gate);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x77);
    let index = |socket: &UdpSocket| name_to_index(socket, "cable").unwrap();
    for (who, any, port) in [("10.9.0.2", "0.0.0.0", 7000), ("fd09::2", "::", 7001)] {
        let any: IpAddr = any.parse().unwrap();
        let listening = net.serve(|| UdpSocket::bind((any, port)).unwrap());
        listening.set_read_timeout(Some(PATIENCE)).unwrap();
        let speaking = net.speak(who.parse().unwrap());
        let everybody = if who.contains(':') {
            listening.join_multicast_v6(&group, index(&listening)).unwrap();
            SocketAddrV6::new(group, port, 0, index(&speaking)).into()
        } else {
            speaking.set_broadcast(true).unwrap();
            SocketAddr::from(([10, 9, 255, 255], port))
        };
        let called = || {
            // The way to a group is there a moment after the cable.
            let sent = || {
                sleep(Duration::from_millis(20));
                speaking.send_to(b"x", everybody).is_ok()
            };
            assert!((0..100).any(|_| sent()), "{who}");
            listening.recv(&mut [0; 4]).is_ok()
        };
        assert!(!called(), "{who}");
        let_in(&mut kernel, &gate, through("a"), who, 60_000);
        assert!(called(), "{who}");
    }
}

#[test]
fn another_firewall_knows_who_was_let_in_by_the_mark() {
    let Some(net) = Net::new() else { return };
    let free = vec!["10.9.1.0/24".parse().unwrap()];
    let openings = vec![Opening { closed: false, free, ..opening("a", "udp/7000") }];
    let gate = gate(Doorway { openings, single: true, mark: Some(0x100), ..Doorway::default() });
    net.nft(
        &["-f", "-"],
        "table inet other {
            chain early {
                type filter hook prerouting priority -190
                ip saddr 10.9.1.3 meta mark set 0x102 return
                meta mark set 0x2
            }
            chain input {
                type filter hook input priority filter;
                meta mark & 0x102 == 0x102 accept
                udp dport 7000-7001 drop
            }
        }",
    );
    let mut kernel = installed(&net, &gate);
    assert!(!net.arrives("10.9.0.2", 7000) && net.arrives("10.9.1.2", 7000));
    // Somebody else's mark lets nobody in: it may be that of a tunnel's packets.
    assert!(!net.arrives("10.9.1.3", 7001), "the mark was not given by a door");
    let_in(&mut kernel, &gate, through("a"), "10.9.0.2", 60_000);
    let_in(&mut kernel, &gate, Through::Port(Proto::Udp, 7001), "fd09::2", 60_000);
    assert!(net.arrives("10.9.0.2", 7000) && !net.arrives("10.9.0.3", 7000));
    assert!(net.arrives("fd09::2", 7001) && !net.arrives("fd09::2", 7000));
}

#[test]
fn what_is_closed_on_trial_opens_by_itself_without_us() {
    let Some(net) = Net::new() else { return };
    let openings = vec![opening("a", "udp/7000"), opening("b", "udp/7001")];
    let trial = vec!["a".parse().unwrap()];
    let gate = gate(Doorway { openings, trial, ..Doorway::default() });
    let mut kernel = installed(&net, &gate);
    assert!(net.arrives("10.9.0.2", 7000) && !net.arrives("10.9.0.2", 7001));
    kernel.for_a_while(&gate, gate.trial(), Duration::from_secs(2)).unwrap();
    let since = Instant::now();
    drop(kernel);
    assert!(!net.arrives("10.9.0.2", 7000) && since.elapsed() < Duration::from_secs(2));
    sleep(Duration::from_millis(2_200).saturating_sub(since.elapsed()));
    assert!(net.arrives("10.9.0.2", 7000) && !net.arrives("10.9.0.2", 7001));
}

#[test]
fn other_firewalls_that_turn_strangers_away_are_seen_and_told_once() {
    let Some(net) = Net::new() else { return };
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    let closes = [
        "table ip filter { chain INPUT { type filter hook input priority 0; policy drop; }; }",
        "table inet a { chain first { type filter hook input priority 0; tcp dport 80 accept; drop; }; }",
        "table ip6 b { chain first { type filter hook input priority 5; jump second; };
                       chain second { tcp dport 1 accept; reject; }; }",
        "table inet d { chain second { goto third; }; chain third { counter drop; };
                        chain first { type filter hook input priority 9; goto second; }; }",
    ];
    let open = [
        "table inet sereno { chain first { type filter hook input priority 0; policy drop; }; }",
        "table inet e { chain first { type filter hook input priority 0; tcp dport 22 drop;
                                   counter accept; }; }",
        "table inet f { chain leaving { type filter hook output priority 0; policy drop; }; }",
        "table inet g { chain round { jump second; }; chain second { counter; };
                        chain first { type filter hook input priority 0; jump round; }; }",
    ];
    for text in open {
        net.nft(&["-f", "-"], text);
        assert!(!kernel.is_closed_by_others("sereno").unwrap(), "{text}");
        assert_eq!(kernel.let_pass("sereno", 0x100, false).unwrap(), 0);
    }
    for text in closes {
        net.nft(&["-f", "-"], text);
        assert!(kernel.is_closed_by_others("sereno").unwrap(), "{text}");
        assert_eq!(kernel.let_pass("sereno", 0x100, false).unwrap(), 1, "{text}");
        assert_eq!(kernel.let_pass("sereno", 0x100, false).unwrap(), 0, "it is there");
    }
    let listing = net.nft(&["list", "chain", "ip", "filter", "INPUT"], "");
    assert!(
        listing.contains("0x00000100 == 0x00000100 counter packets 0 bytes 0 accept"),
        "{listing}"
    );
    net.nft(&["flush", "chain", "inet", "a", "first"], "");
    net.nft(&["add", "rule", "inet", "a", "first", "drop"], "");
    assert_eq!(kernel.let_pass("sereno", 0x100, false).unwrap(), 1, "it was forgotten");
}

#[test]
fn a_table_that_is_somebodys_own_hinders_no_other() {
    let Some(net) = Net::new() else { return };
    let chain = "chain input { type filter hook input priority 0; policy drop; }";
    // The kernel lets nobody else change it, as long as its owner lives.
    let mut owner = net.serve(|| {
        Command::new("nft").arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    });
    let text = format!("table inet a {{ flags owner; {chain}; }}\n");
    owner.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    let owned = || net.nft(&["list", "ruleset"], "").contains("policy drop");
    assert!((0..50).any(|_| owned() || {
        sleep(Duration::from_millis(50));
        false
    }));
    net.nft(&["-f", "-"], &format!("table ip z {{ {chain}; }}"));
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    assert!(kernel.let_pass("sereno", 0x100, false).is_err());
    let listing = net.nft(&["list", "table", "ip", "z"], "");
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(listing.contains("sereno doors"), "{listing}");
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let free = ["10.0.0.0/8", "10.16.0.0/12", "192.0.2.1", "2001:db8::/61"];
    let free = free.map(|prefix| prefix.parse().unwrap()).to_vec();
    let openings = |cut, mark: Option<u32>| Doorway {
        nat: None,
        openings: vec![
            Opening { free: free.clone(), ..opening("3ssh", "tcp/22, sctp/0-65535") },
            Opening { cut, ..opening("sip", "udp/5060-5061, tcp/5061") },
            Opening { closed: false, ports: "all".parse().unwrap(), ..opening("all", "tcp/1") },
        ],
        single: true,
        trial: if cut { vec!["sip".parse().unwrap()] } else { Vec::new() },
        mark,
        ears: None,
    };
    let ears = |change: fn(&mut Ears)| {
        let mut ears = Ears::of(9);
        change(&mut ears);
        Doorway { ears: Some(ears), ..openings(true, None) }
    };
    let doorways = [
        openings(false, None),
        openings(true, Some(0x8000_0000)),
        ears(|_| ()),
        ears(|e| (e.strict, e.datagrams) = (true, vec![62201])),
        ears(|e| {
            (e.all, e.elsewhere, e.interfaces) =
                (true, true, vec!["eth0.7".into(), "ppp-0@x".into()]);
        }),
    ];
    let hits = [Hit::tcp(7000), Hit::tcp(0), Hit::udp(65535)];
    let passes = [
        pass(through("3ssh"), "192.0.2.7", 60_000),
        pass(through("3ssh"), "2001:db8::7", 0),
        pass(Through::Port(Proto::Udp, 9), "192.0.2.7", 60_000),
        pass(Through::Port(Proto::Sctp, 9), "2001:db8::7", 60_000),
    ];
    let stream = |from: &str, to| Stream { from: from.parse().unwrap(), port: 40_000, to };
    let streams = [("10.9.0.2", 22), ("fd09::2", 22), ("::ffff:10.9.0.3", 22), ("10.9.0.2", 1)];
    let streams = streams.map(|(from, to)| stream(from, to));
    let contents =
        Contents { passes: &passes, hits: &hits, streams: &streams, ..Contents::default() };
    for doorway in doorways {
        let gate = gate(doorway);
        text::agrees(&net, &gate, contents, &gate.without_doorway());
    }
}

#[test]
fn beside_a_hundred_thousand_bans_doors_are_installed_at_once() {
    let Some(net) = Net::new() else { return };
    let doorway = Doorway {
        openings: vec![opening("a", "udp/7000")],
        single: true,
        ears: Some(Ears::of(9)),
        ..Doorway::default()
    };
    let gate = gate(doorway);
    let mut kernel = installed(&net, &gate);
    let hold = |n: u32| Hold {
        scope: "all".parse().unwrap(),
        prefix: sereno_core::addr::Prefix::host(Ipv4Addr::from_bits(0x0b00_0000 + n).into()),
        until: Some(now().plus(Duration::from_secs(3600))),
    };
    let holds: Vec<_> = (0..100_000).map(hold).collect();
    let passes: Vec<_> = (0..1000)
        .map(|n| pass(through("a"), &format!("10.9.{}.{}", n / 250, n % 250), 60_000))
        .collect();
    let contents = Contents { holds: &holds, passes: &passes, hits: &[Hit::tcp(1)], streams: &[] };
    let start = Instant::now();
    let done = kernel.install(&gate, contents, now()).unwrap();
    println!("100,000 bans and 1,000 passes: {:?}", start.elapsed());
    assert_eq!((done.placed, done.admitted, done.transactions), (100_000, 1000, 1));
    assert!(net.arrives("10.9.0.2", 7000) && !net.arrives("fd09::2", 7000));
    // A banned address stays out, let in or not.
    let ban =
        Hold { scope: "all".parse().unwrap(), prefix: "10.9.0.2".parse().unwrap(), until: None };
    apply(&mut kernel, &gate, &[Change::Ban(ban), Change::Open(pass(through("a"), "10.9.0.2", 0))]);
    assert!(!net.arrives("10.9.0.2", 7000));
    let start = Instant::now();
    for _ in 0..1000 {
        let_in(&mut kernel, &gate, through("a"), "10.9.0.3", 60_000);
    }
    println!("1,000 times somebody was let in: {:?}", start.elapsed());
}
