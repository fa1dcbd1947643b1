//! What the ears hear in a real kernel, and what they do not.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::Net;
use sereno_core::door::{Flags, Hit, Protocol};
use sereno_core::gate::{Contents, Doorway, Draft, Ears as Wanted, Gate};
use sereno_core::time::Time;
use sereno_nft::{Ears, Kernel, Seen, Watch, Why};
use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

const GROUP: u16 = 4242;
const MOMENT: Duration = Duration::from_millis(60);

fn gate(change: impl FnOnce(&mut Wanted)) -> Gate {
    let mut ears = Wanted::of(GROUP);
    change(&mut ears);
    let doorway = Doorway { ears: Some(ears), ..Doorway::default() };
    Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap()
}

/// The server with its kernel and its ears.
struct Post {
    net: Net,
    gate: Gate,
    kernel: Kernel,
    ears: Ears,
}

impl Post {
    fn new(change: impl FnOnce(&mut Wanted), hits: &[Hit]) -> Option<Self> {
        let net = Net::new()?;
        let gate = gate(change);
        let (kernel, ears) = net.serve(|| {
            let mut kernel = Kernel::open().unwrap();
            let contents = Contents { hits, ..Contents::default() };
            kernel.install(&gate, contents, Time::default()).unwrap();
            (kernel, Ears::open(GROUP).unwrap())
        });
        Some(Self { net, gate, kernel, ears })
    }

    /// What was heard of `work`: why, from whom, to which port.
    fn told(&mut self, work: impl FnOnce(&Net)) -> Vec<(Why, String, u16)> {
        work(&self.net);
        sleep(MOMENT);
        let mut told = Vec::new();
        let drained = self.ears.drain(10_000, |heard| {
            assert_eq!(heard.destination.is_ipv4(), heard.source.is_ipv4());
            told.push((heard.why, heard.source.to_string(), heard.port));
        });
        let drained = drained.unwrap();
        assert_eq!((drained.heard, drained.lost, drained.more), (told.len(), 0, false));
        told
    }

    /// What a SYN is told as.
    fn syn(&mut self, from: &str, port: u16) -> Option<Why> {
        let told = self.told(|net| net.syn(from, port));
        told.first().map(|(why, source, heard)| {
            assert_eq!((told.len(), source.as_str(), *heard), (1, from, port));
            *why
        })
    }

    /// What a TCP packet with these flags is told as.
    fn tcp(&mut self, from: Ipv4Addr, port: u16, flags: Flags) -> Option<Why> {
        let told = self.told(|net| net.forger().tcp(from, port, flags.0));
        told.first().map(|told| told.0)
    }
}

#[test]
fn hits_are_heard_and_of_strangers_nothing_else() {
    let hits = [Hit::tcp(7000), Hit::udp(8000)];
    let Some(mut post) = Post::new(|_| (), &hits) else { return };
    for (who, other) in [("10.9.0.2", "10.9.0.3"), ("fd09::2", "fd09:0:0:1::2")] {
        assert_eq!(post.syn(who, 9000), None, "{who} is a stranger");
        assert_eq!(post.syn(who, 7000), Some(Why::Begins));
        assert_eq!(post.syn(who, 9000), Some(Why::Begins), "{who} is followed");
        assert_eq!(post.syn(other, 9000), None, "{other} still is a stranger");
        let datagram = post.told(|net| {
            net.speak(other.parse().unwrap())
                .send_to(b"x", net::server(other.parse().unwrap(), 8000))
                .unwrap();
        });
        assert_eq!(datagram, [(Why::Begins, other.to_owned(), 8000)]);
        assert_eq!(post.syn(other, 9000), Some(Why::Begins));
    }
    // Neighbours in a /64 are followed together.
    assert_eq!(post.syn("fd09::3", 9000), Some(Why::Begins));
    post.kernel.hear(&post.gate, &[Hit::tcp(7001)]).unwrap();
    let forged: Ipv4Addr = "10.9.3.1".parse().unwrap();
    assert_eq!(post.tcp(forged, 7000, Flags::SYN), None, "not a knock port any more");
    assert_eq!(post.tcp(forged, 7001, Flags::SYN), Some(Why::Begins));
    let text = post.net.nft(&["list", "set", "inet", "sereno", "knock_udp"], "");
    assert!(!text.contains("elements"), "{text}");
}

#[test]
fn other_packets_to_knock_ports_are_heard_but_not_those_under_way() {
    let hits = [Hit::tcp(7000)];
    let Some(mut post) = Post::new(|_| (), &hits) else { return };
    let forged: Ipv4Addr = "10.9.3.1".parse().unwrap();
    for flags in
        [Flags::ACK, Flags::FIN, Flags(0), Flags::RST, Flags::FIN.and(Flags::PSH).and(Flags::URG)]
    {
        assert_eq!(post.tcp(forged, 7000, flags), Some(Why::Hit), "{flags:?}");
        assert_eq!(post.tcp(forged, 7001, flags), None, "{flags:?}");
    }
    // One SYN; all else of the connection is nothing.
    let told = post.told(|net| {
        let (_here, mut there) = net.connect("10.9.0.2", 7000);
        std::io::Write::write_all(&mut there, b"words").unwrap();
    });
    assert_eq!(told, [(Why::Begins, "10.9.0.2".to_owned(), 7000)]);
}

#[test]
fn datagrams_that_nobody_tracks_begin_something() {
    let Some(mut post) = Post::new(|_| (), &[Hit::udp(8000)]) else { return };
    let rule = "udp dport 8000-8001 notrack";
    let chain = format!("chain c {{ type filter hook prerouting priority raw; {rule}; }}");
    post.net.nft(&["-f", "-"], &format!("table inet early {{ {chain}; }}"));
    let told = post.told(|net| {
        net.forger().udp([10, 9, 3, 1].into(), 8001, b"x");
        net.forger().udp([10, 9, 3, 1].into(), 8000, b"x");
        net.forger().udp([10, 9, 3, 1].into(), 8001, b"x");
    });
    assert_eq!(told.iter().map(|(_, _, port)| *port).collect::<Vec<_>>(), [8000, 8001]);
}

#[test]
fn in_the_strict_manner_every_packet_to_a_knock_port_is_heard_and_nothing_else() {
    let hits = [Hit::tcp(7000), Hit::udp(8000)];
    let Some(mut post) = Post::new(|ears| ears.strict = true, &hits) else { return };
    assert_eq!(post.syn("10.9.0.2", 7000), Some(Why::Hit));
    assert_eq!(post.syn("10.9.0.2", 9000), None);
    let told = post.told(|net| {
        let (_here, mut there) = net.connect("10.9.0.2", 7000);
        std::io::Write::write_all(&mut there, b"words").unwrap();
        net.forger().udp([10, 9, 0, 2].into(), 8000, b"x");
    });
    assert!(told.len() >= 4 && told.iter().all(|(why, ..)| *why == Why::Hit), "{told:?}");
    assert!(told.iter().any(|(_, _, port)| *port == 8000), "{told:?}");
    // There is no switch, and nobody minds.
    post.kernel.for_a_while(&post.gate, post.gate.switch(), Duration::from_secs(9)).unwrap();
}

#[test]
fn who_is_not_followed_for_want_of_room_is_told_apart() {
    let hits = [Hit::tcp(7000), Hit::udp(8000)];
    let Some(mut post) = Post::new(|ears| ears.followed = 2, &hits) else { return };
    let source = |n: u8| Ipv4Addr::new(10, 9, 3, n);
    assert_eq!(post.tcp(source(1), 7000, Flags::SYN), Some(Why::Begins));
    assert_eq!(post.tcp(source(2), 7000, Flags::SYN), Some(Why::Begins));
    assert_eq!(post.tcp(source(3), 7000, Flags::SYN), Some(Why::Full));
    let told = post.told(|net| net.forger().udp(source(4), 8000, b""));
    assert_eq!(told, [(Why::Full, source(4).to_string(), 8000)]);
    // Who is followed already stays so, and the other family has room of its own.
    assert_eq!(post.tcp(source(1), 7000, Flags::SYN), Some(Why::Begins));
    assert_eq!(post.syn("fd09::2", 7000), Some(Why::Begins));
    // The switch: everything that begins something, and no more of "full".
    post.kernel.for_a_while(&post.gate, post.gate.switch(), Duration::from_millis(700)).unwrap();
    post.kernel.for_a_while(&post.gate, post.gate.switch(), Duration::from_millis(700)).unwrap();
    assert_eq!(post.tcp(source(5), 9000, Flags::SYN), Some(Why::Begins));
    assert_eq!(post.tcp(source(6), 7000, Flags::SYN), Some(Why::Begins));
    assert_eq!(post.tcp(source(5), 9000, Flags::ACK), None);
    sleep(Duration::from_millis(700));
    assert_eq!(post.tcp(source(5), 9000, Flags::SYN), None);
    assert_eq!(post.tcp(source(6), 7000, Flags::SYN), Some(Why::Full));
}

#[test]
fn a_hit_follows_its_source_anew() {
    let Some(mut post) = Post::new(|_| (), &[Hit::tcp(7000)]) else { return };
    let expires = |post: &Post| -> u64 {
        let text = post.net.nft(&["-j", "list", "set", "inet", "sereno", "knocking_v4"], "");
        let at = text.split("\"expires\": ").nth(1).unwrap();
        at.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    post.syn("10.9.0.2", 7000).unwrap();
    sleep(Duration::from_millis(2500));
    assert!(expires(&post) <= 57);
    post.syn("10.9.0.2", 7000).unwrap();
    assert!(expires(&post) >= 59);
}

#[test]
fn for_neighbouring_ports_everything_that_begins_is_heard_from_the_start() {
    let Some(mut post) = Post::new(|ears| ears.all = true, &[Hit::tcp(7000)]) else { return };
    for who in ["10.9.0.2", "fd09::2"] {
        assert_eq!(post.syn(who, 9000), Some(Why::Begins));
    }
    let told = post.told(|net| net.forger().udp([10, 9, 3, 1].into(), 9001, b"x"));
    assert_eq!(told, [(Why::Begins, "10.9.3.1".to_owned(), 9001)]);
    // The switch is on for ever, and a flood does not turn it off later.
    post.kernel.for_a_while(&post.gate, post.gate.switch(), Duration::from_millis(20)).unwrap();
    sleep(MOMENT);
    assert_eq!(post.syn("10.9.0.2", 9000), Some(Why::Begins));
}

#[test]
fn datagrams_are_heard_whole_with_their_time() {
    let listen = |ears: &mut Wanted| ears.datagrams = vec![62201];
    let Some(mut post) = Post::new(listen, &[]) else { return };
    let body: Vec<u8> = (0..1472u32).map(|n| (n * 7) as u8).collect();
    for from in ["10.9.0.2", "fd09::2"] {
        let addr: IpAddr = from.parse().unwrap();
        let speaking = post.net.speak(addr);
        let sizes = [0, 1, 700, if addr.is_ipv4() { 1472 } else { 1452 }];
        let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        for size in sizes {
            speaking.send_to(&body[..size], net::server(addr, 62201)).unwrap();
        }
        speaking.send_to(&body, net::server(addr, 62202)).unwrap();
        sleep(MOMENT);
        let mut heard = Vec::new();
        let drained = post.ears.drain(100, |packet| {
            assert_eq!((packet.why, packet.source), (Why::Datagram, addr));
            assert_eq!((packet.protocol, packet.port), (Protocol::Udp, 62201));
            if let Some(at) = packet.at {
                let at = Duration::from_micros(at.0.unsigned_abs());
                assert!(at >= start && at < start + Duration::from_secs(5), "{at:?} {start:?}");
            }
            heard.push((packet.at.is_some(), packet.payload.to_vec()));
        });
        assert_eq!(drained.unwrap().heard, 4);
        println!("from {from} with a time: {}", heard.iter().filter(|(timed, _)| *timed).count());
        for ((_, payload), size) in heard.iter().zip(sizes) {
            assert_eq!(payload, &body[..size]);
        }
    }
}

#[test]
fn only_the_named_interfaces_are_listened_to() {
    for (name, expected) in [("cable", Some(Why::Begins)), ("wire", None)] {
        let listen = |ears: &mut Wanted| ears.interfaces = vec![name.to_owned()];
        let Some(mut post) = Post::new(listen, &[Hit::tcp(7000)]) else { return };
        assert_eq!(post.syn("10.9.0.2", 7000), expected, "{name}");
    }
}

#[test]
fn what_only_passes_is_heard_if_that_is_asked_for() {
    for (elsewhere, count) in [(false, 0), (true, 1)] {
        let listen = |ears: &mut Wanted| ears.elsewhere = elsewhere;
        let Some(mut post) = Post::new(listen, &[Hit::udp(7000)]) else { return };
        let _lodger = post.net.lodger();
        let told = post.told(|net| {
            net.speak([10, 9, 0, 2].into()).send_to(b"x", "10.8.0.2:7000").unwrap();
        });
        assert_eq!(told.len(), count);
    }
}

#[test]
fn a_group_has_one_listener_and_the_next_is_told_so() {
    let Some(post) = Post::new(|_| (), &[]) else { return };
    let refusal = post.net.serve(|| Ears::open(GROUP).unwrap_err());
    assert_eq!(
        refusal.to_string(),
        "cannot listen to group 4242 of the kernel's log: another program listens to it; \
         choose another group, from 1 to 65535"
    );
    assert!(!refusal.is_not_permitted());
    let Post { net, ears, .. } = post;
    drop(ears);
    net.serve(|| Ears::open(GROUP).unwrap());
    let refusal = net.serve(|| {
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        Ears::open(GROUP).unwrap_err()
    });
    assert!(refusal.is_not_permitted(), "{refusal}");
}

#[test]
fn what_the_kernel_notes_by_itself_is_no_foreign_change() {
    let Some(mut post) = Post::new(|_| (), &[Hit::tcp(7000)]) else { return };
    let mut watch = post.net.serve(|| Watch::open(&post.kernel).unwrap());
    post.net.hush();
    let forger = post.net.forger();
    for n in 0..2000u32 {
        forger.tcp(Ipv4Addr::from_bits(0x0a09_1000 + n), 7000, Flags::SYN.0);
    }
    let told = post.told(|_| ());
    assert_eq!(told.len(), 2000);
    post.kernel.hear(&post.gate, &[Hit::udp(1)]).unwrap();
    post.kernel.for_a_while(&post.gate, post.gate.switch(), Duration::from_secs(1)).unwrap();
    assert_eq!(watch.drain(&post.gate).unwrap(), Seen::default());
    post.net.nft(&["flush", "set", "inet", "sereno", "knock_udp"], "");
    assert!(watch.drain(&post.gate).unwrap().elements_removed);
    post.net.nft(&["delete", "chain", "inet", "sereno", "knocks"], "");
    let seen = watch.drain(&post.gate).unwrap();
    assert!(seen.structure_changed && !post.kernel.exists(&post.gate).unwrap(), "{seen:?}");
}

#[test]
fn what_nobody_read_in_time_is_counted() {
    let hits = [Hit::tcp(7000)];
    let Some(mut post) = Post::new(|_| (), &hits) else { return };
    post.net.hush();
    let forger = post.net.forger();
    let start = Instant::now();
    let sent = 60_000;
    for n in 0..sent {
        forger.tcp(Ipv4Addr::from_bits(0x0a09_1000 + n % 50_000), 7000, Flags::SYN.0);
    }
    let span = start.elapsed();
    sleep(MOMENT);
    let (mut heard, mut lost) = (0, 0);
    let mut drain = |ears: &mut Ears| loop {
        let drained = ears.drain(1000, |_| ()).unwrap();
        (heard, lost) = (heard + drained.heard, lost + drained.lost);
        if !drained.more {
            return (heard, lost);
        }
    };
    let start = Instant::now();
    let (waited, _) = drain(&mut post.ears);
    let reading = start.elapsed() / waited as u32;
    forger.tcp([10, 9, 3, 1].into(), 7000, Flags::SYN.0);
    sleep(MOMENT);
    let (heard, lost) = drain(&mut post.ears);
    println!("{sent} sent in {span:?}; {waited} had room to wait, {reading:?} to read each");
    assert_eq!((heard, heard + lost as usize), (waited + 1, sent as usize + 1));
    assert!(lost > 0, "send more");
}
