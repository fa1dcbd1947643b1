//! Lists of addresses in a real kernel: who is in them does not arrive, others do, and a million fit.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::Net;
use sereno_core::addr::Prefix;
use sereno_core::gate::list::{List, Listed, Roster, Use, ends};
use sereno_core::gate::{Contents, Draft, Gate, Hold, Name, Scope};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const TABLE: &str = "sereno_lists";
const NOW: Time = Time::from_secs(1_700_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn list(networks: &[&str]) -> List {
    networks.iter().map(|text| ends(text.parse().unwrap())).collect()
}

fn roster(lists: &[(&str, &str)]) -> Roster {
    let listed = |(title, ports): &(&str, &str)| Listed {
        name: name(title),
        to: Use::Closes,
        ports: ports.parse().unwrap(),
    };
    Roster { lists: lists.iter().map(listed).collect(), mark: Some(1 << 20) }
}

#[test]
fn who_is_listed_does_not_arrive() {
    let Some(net) = Net::new() else { return };
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    let roster = roster(&[("bad", "all"), ("dull", "udp/22")]);
    let bad = list(&["10.9.0.2", "10.9.1.0/24", "fd09:0:0:1::/64", "fd09::2"]);
    let dull = list(&["10.9.0.3", "fd09::3"]);
    let hit = |from: &str, port| net.arrives(from, port);
    assert!(!kernel.has_lists(TABLE, &roster).unwrap());
    kernel.put_lists(TABLE, &roster, &[(name("bad"), &bad), (name("dull"), &dull)]).unwrap();
    assert!(kernel.has_lists(TABLE, &roster).unwrap());
    for (from, ssh, web) in [
        ("10.9.0.2", false, false),
        ("10.9.1.2", false, false),
        ("10.9.1.3", false, false),
        ("10.9.0.3", false, true),
        ("fd09::2", false, false),
        ("fd09:0:0:1::3", false, false),
        ("fd09::3", false, true),
    ] {
        assert_eq!((hit(from, 22), hit(from, 80)), (ssh, web), "{from}");
    }
    // One list alone is replaced; the other and what was counted stay.
    let counted = kernel.listed(TABLE, &roster).unwrap();
    assert!(counted[0].1 >= 10 && counted[1].1 >= 2, "{counted:?}");
    kernel.put_list(TABLE, name("bad"), &list(&["10.9.1.2"])).unwrap();
    assert!(hit("10.9.0.2", 22) && hit("10.9.1.3", 22) && hit("fd09:0:0:1::3", 22));
    assert!(!hit("10.9.1.2", 80) && !hit("10.9.0.3", 22));
    kernel.put_lists(TABLE, &roster, &[(name("bad"), &bad)]).unwrap();
    // What stays the same of it is no hindrance, nor is a network around it.
    for more in ["fd09:0:0:2::/64", "10.9.1.128/25", "10.9.0.0/16"] {
        let bad = list(&["10.9.0.2", "10.9.1.0/24", "fd09:0:0:1::/64", more]);
        kernel.put_list(TABLE, name("bad"), &bad).unwrap();
        assert!(!hit("10.9.1.2", 80) && !hit("10.9.0.2", 80), "{more}");
    }
    kernel.put_list(TABLE, name("bad"), &bad).unwrap();
    assert!(kernel.listed(TABLE, &roster).unwrap()[0].1 > counted[0].1);
    assert!(hit("10.9.0.3", 22) && !hit("10.9.0.2", 22));
    net.nft(&["flush", "ruleset"], "");
    assert!(!kernel.has_lists(TABLE, &roster).unwrap() && hit("10.9.0.2", 22));
    kernel.remove_lists(TABLE).unwrap();
}

#[test]
fn what_is_under_way_goes_on() {
    let Some(net) = Net::new() else { return };
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    let roster = roster(&[("bad", "all")]);
    kernel.put_lists(TABLE, &roster, &[]).unwrap();
    let from: IpAddr = "10.9.0.2".parse().unwrap();
    let (ours, theirs) = (net.listen(from, 5060), net.speak(from));
    theirs.set_read_timeout(Some(net::PATIENCE)).unwrap();
    let say = |text: &[u8]| theirs.send_to(text, net::server(from, 5060)).unwrap();
    let mut heard = [0; 16];
    say(b"one");
    let (_, peer) = ours.recv_from(&mut heard).unwrap();
    ours.send_to(b"yes", peer).unwrap();
    theirs.recv_from(&mut heard).unwrap();
    kernel.put_list(TABLE, name("bad"), &list(&["10.9.0.0/24"])).unwrap();
    say(b"two");
    assert_eq!(ours.recv_from(&mut heard).unwrap().0, 3, "a call goes on");
    assert!(!net.arrives("10.9.0.2", 80));
}

/// Addresses that are neither in a row nor all in the same place.
fn scattered(count: u32) -> List {
    let addr = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(0x2000_0000 + n * 631));
    let visitor = IpAddr::from([10, 9, 0, 2]);
    (1..count).map(|n| (addr(n), addr(n))).chain([(visitor, visitor)]).collect()
}

/// Nanoseconds that sending one of so many packets takes, on this machine all the way to the other side.
fn pace(count: u32, mut send: impl FnMut(u32)) -> u64 {
    let start = Instant::now();
    (0..count).for_each(&mut send);
    (start.elapsed() / count).as_nanos() as u64
}

/// A server with a gate and a list, and somebody who talks to it.
struct Side {
    // Its namespaces last as long as this does.
    _net: Net,
    _ours: UdpSocket,
    theirs: UdpSocket,
    forger: net::Forger,
    to: SocketAddr,
}

impl Side {
    fn new(holds: &[Hold], list: &List) -> Option<Self> {
        let net = Net::new()?;
        let mut kernel = net.serve(|| Kernel::open().unwrap());
        kernel.install(&gate(), Contents::bans(holds), NOW).unwrap();
        kernel.put_lists(TABLE, &roster(&[("big", "all")]), &[(name("big"), list)]).unwrap();
        let from: IpAddr = "10.9.0.3".parse().unwrap();
        let (ours, theirs, forger) = (net.listen(from, 5060), net.speak(from), net.forger());
        let to = net::server(from, 5060);
        theirs.send_to(b"one", to).unwrap();
        let (_, peer) = ours.recv_from(&mut [0; 16]).unwrap();
        ours.send_to(b"yes", peer).unwrap();
        Some(Self { _net: net, _ours: ours, theirs, forger, to })
    }

    /// Nanoseconds for a packet of a conversation, and for one that begins something.
    fn paces(&self, round: u32) -> [u64; 2] {
        let under_way = pace(2000, |_| drop(self.theirs.send_to(b"go on", self.to)));
        let begins = pace(200, |n| {
            // Another source each, none of which was seen before or is in the list.
            let source = 0x0a0a_0000 + round * 200 + n;
            self.forger.udp(Ipv4Addr::from_bits(source), 5061, b"begin");
        });
        [under_way, begins]
    }
}

/// Who is in no list is as quick beside a million, and a hundred thousand bans, as beside none: two servers
/// take turns, and the median of what one takes of the other is told.
#[test]
fn packets_pass_as_quickly_beside_a_million() {
    let holds: Vec<Hold> = (0..100_000).map(held).collect();
    let Some(none) = Side::new(&[], &List::default()) else { return };
    let Some(all) = Side::new(&holds, &scattered(1_000_000)) else { return };
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 0..300 {
        // Who is second finds a warm machine.
        let (one, other) = if round % 2 == 0 {
            let one = none.paces(round);
            (one, all.paces(round))
        } else {
            let other = all.paces(round);
            (none.paces(round), other)
        };
        for (of, (one, other)) in ratios.iter_mut().zip(one.into_iter().zip(other)) {
            of.push(one as f64 / other as f64);
        }
    }
    for (what, mut all) in ["under way", "begins"].into_iter().zip(ratios) {
        all.sort_unstable_by(f64::total_cmp);
        let at = |part: usize| all[all.len() * part / 100];
        println!(
            "{what}: the rate beside a million is {:.3} of that beside none, {:.3} to {:.3} in the middle half",
            at(50),
            at(25),
            at(75)
        );
        assert!(at(50) > 0.5, "a bound for a busy machine");
    }
}

/// The hosts that are out.
fn held(n: u32) -> Hold {
    Hold {
        scope: name("all"),
        prefix: Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n))),
        until: Some(NOW.plus(Duration::from_secs(3600))),
    }
}

fn gate() -> Gate {
    Gate::try_from(Draft::of(vec![Scope::new("all", "all").unwrap()])).unwrap()
}

#[test]
fn a_million_fit_beside_bans() {
    let Some(net) = Net::new() else { return };
    let gate = gate();
    let (mut kernel, mut keeper) = net.serve(|| (Kernel::open().unwrap(), Kernel::open().unwrap()));
    let holds: Vec<Hold> = (0..100_000).map(held).collect();
    let million = scattered(1_000_000);
    let roster = roster(&[("million", "all")]);
    let lists = [(name("million"), &million)];
    assert_eq!(million.addresses(), 1_000_000);
    let start = Instant::now();
    kernel.install(&gate, Contents::bans(&holds), NOW).unwrap();
    keeper.put_lists(TABLE, &roster, &lists).unwrap();
    println!("100,000 bans and a list of 1,000,000: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(90), "a bound for a busy machine");
    let start = Instant::now();
    keeper.put_list(TABLE, name("million"), &million).unwrap();
    println!("replaced: {:?}", start.elapsed());
    assert!(!net.arrives("10.9.0.2", 80) && net.arrives("10.9.0.3", 80));
    let start = Instant::now();
    for n in 0..10_000 {
        kernel.apply(&gate, &[Change::Ban(held(200_000 + n))], NOW).remove(0).unwrap();
    }
    println!("a ban beside them: {:?}", start.elapsed() / 10_000);
    assert!(start.elapsed() < Duration::from_secs(20));
    let start = Instant::now();
    keeper.remove_lists(TABLE).unwrap();
    println!("taken away: {:?}", start.elapsed());
}
