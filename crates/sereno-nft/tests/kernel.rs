//! The gate in a real kernel: packets arrive, or they do not.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;

use net::{Net, PATIENCE, server};
use sereno_core::gate::{Block, Contents, Draft, Gate, Hold, Scope, render};
use sereno_core::time::Time;
use sereno_nft::{Change, Kernel};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

fn now() -> Time {
    let span = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(i64::try_from(span.as_micros()).unwrap())
}

fn gate(scopes: &[(&str, &str)]) -> Gate {
    Gate::try_from(draft(scopes)).unwrap()
}

fn draft(scopes: &[(&str, &str)]) -> Draft {
    Draft::of(scopes.iter().map(|(name, ports)| Scope::new(name, ports).unwrap()).collect())
}

fn everywhere() -> Gate {
    gate(&[("all", "all")])
}

/// A ban that ends in so many milliseconds; 0: never.
fn hold(scope: &str, prefix: &str, millis: u64) -> Hold {
    let until = (millis > 0).then(|| now().plus(Duration::from_millis(millis)));
    Hold { scope: scope.parse().unwrap(), prefix: prefix.parse().unwrap(), until }
}

fn lift(scope: &str, prefix: &str) -> Change {
    Change::Lift { scope: scope.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn apply(kernel: &mut Kernel, gate: &Gate, changes: &[Change]) {
    for result in kernel.apply(gate, changes, now()) {
        result.unwrap();
    }
}

/// The server's kernel with the gate installed.
fn installed(net: &Net, gate: &Gate) -> Kernel {
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    let done = kernel.install(gate, Contents::bans(&[]), now()).unwrap();
    assert_eq!((done.placed, done.transactions), (0, 1));
    kernel
}

/// What is banned, without times, sorted.
fn banned(kernel: &mut Kernel, gate: &Gate) -> Vec<String> {
    let holds = kernel.list(gate, now()).unwrap();
    let mut shown: Vec<_> = holds.iter().map(|h| format!("{} {}", h.scope, h.prefix)).collect();
    shown.sort();
    shown
}

#[test]
fn a_ban_stops_exactly_its_block_and_a_lift_opens_again() {
    let Some(net) = Net::new() else { return };
    let gate = everywhere();
    let mut kernel = installed(&net, &gate);
    for (prefix, inside, outside) in [
        ("10.9.0.2", &["10.9.0.2"][..], &["10.9.0.3", "fd09::2"][..]),
        ("10.9.1.0/24", &["10.9.1.2", "10.9.1.3"], &["10.9.0.2"]),
        ("fd09::2", &["fd09::2"], &["fd09::3", "10.9.0.2"]),
        ("fd09:0:0:1::/64", &["fd09:0:0:1::2", "fd09:0:0:1::3"], &["fd09::2"]),
        ("fd09::/48", &["fd09::2", "fd09:0:0:1::2"], &["10.9.0.2"]),
    ] {
        for from in inside.iter().chain(outside) {
            assert!(net.arrives(from, 7000), "{from} before {prefix}");
        }
        apply(&mut kernel, &gate, &[Change::Ban(hold("all", prefix, 60_000))]);
        assert_eq!(banned(&mut kernel, &gate), [format!("all {prefix}")]);
        for from in inside {
            assert!(!net.arrives(from, 7000), "{from} despite {prefix}");
        }
        for from in outside {
            assert!(net.arrives(from, 7000), "{from} beside {prefix}");
        }
        apply(&mut kernel, &gate, &[lift("all", prefix), lift("all", prefix)]);
        for from in inside {
            assert!(net.arrives(from, 7000), "{from} after {prefix}");
        }
    }
    let dropped = kernel.dropped(&gate).unwrap();
    // Neighbour discovery from banned addresses may be counted too.
    assert!(dropped[0].1 >= 7 && dropped[0].2 >= 7 * 33, "{dropped:?}");
}

#[test]
fn a_scope_with_ports_stops_only_those() {
    let Some(net) = Net::new() else { return };
    let gate = gate(&[("sip", "udp/7000-7001, tcp/7000"), ("web", "tcp/80")]);
    let mut kernel = installed(&net, &gate);
    apply(&mut kernel, &gate, &[Change::Ban(hold("sip", "10.9.0.2", 0))]);
    apply(&mut kernel, &gate, &[Change::Ban(hold("web", "10.9.0.3", 0))]);
    assert!(net.arrives("10.9.0.2", 6999));
    assert!(!net.arrives("10.9.0.2", 7000));
    assert!(!net.arrives("10.9.0.2", 7001));
    assert!(net.arrives("10.9.0.2", 7002));
    assert!(net.arrives("10.9.0.3", 7000));
    drop(net.connect("10.9.0.2", 7001));
    drop(net.connect("10.9.0.2", 80));
    let names: Vec<_> = kernel.dropped(&gate).unwrap();
    assert_eq!((names[0].0.as_str(), names[0].1), ("sip", 2));
    assert_eq!((names[1].0.as_str(), names[1].1), ("web", 0));
}

#[test]
fn a_ban_on_every_port_also_stops_an_open_connection() {
    let Some(net) = Net::new() else { return };
    let gate = everywhere();
    let mut kernel = installed(&net, &gate);
    for from in ["10.9.0.2", "fd09::2"] {
        let (mut here, mut there) = net.connect(from, 7000);
        let mut buffer = [0; 8];
        there.write_all(b"one").unwrap();
        assert_eq!(here.read(&mut buffer).unwrap(), 3);
        apply(&mut kernel, &gate, &[Change::Ban(hold("all", from, 60_000))]);
        there.write_all(b"two!").unwrap();
        assert!(here.read(&mut buffer).is_err(), "{from} still speaks");
        apply(&mut kernel, &gate, &[lift("all", from)]);
        here.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(here.read(&mut buffer).unwrap(), 4);
    }
}

#[test]
fn a_ban_also_stops_traffic_forwarded_to_a_container() {
    let Some(net) = Net::new() else { return };
    let gate = gate(&[("web", "tcp/8080, udp/8080")]);
    let mut kernel = installed(&net, &gate);
    // As container engines publish ports: the address and port change after our chain.
    net.nft(
        &["-f", "-"],
        "table ip engine {
            chain publish {
                type nat hook prerouting priority dstnat; udp dport 8080 redirect to :7000
            }
        }",
    );
    let reaches = |net: &Net| {
        let from: IpAddr = "10.9.0.2".parse().unwrap();
        let listening = net.listen(from, 7000);
        net.speak(from).send_to(b"x", server(from, 8080)).unwrap();
        listening.recv(&mut [0; 4]).is_ok()
    };
    assert!(reaches(&net));
    apply(&mut kernel, &gate, &[Change::Ban(hold("web", "10.9.0.2", 0))]);
    assert!(!reaches(&net));
}

#[test]
fn bans_end_by_themselves_and_a_second_ban_sets_a_new_end() {
    let Some(net) = Net::new() else { return };
    let gate = everywhere();
    let mut kernel = installed(&net, &gate);
    let ban = |prefix: &str, millis| Change::Ban(hold("all", prefix, millis));
    let changes = [
        ban("10.9.0.2", 400),
        ban("10.9.0.3", 400),
        ban("10.9.0.3", 60_000),
        ban("10.9.1.2", 60_000),
        ban("10.9.1.2", 400),
        ban("10.9.1.3", 0),
        ban("10.9.1.3", 400),
        ban("fd09::2", 400),
        ban("fd09::2", 0),
        ban("fd09::3", 1),
    ];
    let (long_ago, moment) = (hold("all", "fd09:0:0:1::2", 1), Duration::from_millis(20));
    apply(&mut kernel, &gate, &changes);
    sleep(moment);
    apply(&mut kernel, &gate, &[Change::Ban(long_ago)]);
    let listed = kernel.list(&gate, now()).unwrap();
    let until = |addr: &str| {
        let prefix = addr.parse().unwrap();
        listed.iter().find(|h| h.prefix == prefix).unwrap().until.map(|t| t.since(now()))
    };
    assert!(until("10.9.0.3").unwrap() > Duration::from_secs(58));
    assert!(until("10.9.1.2").unwrap() < Duration::from_secs(1));
    assert!(until("10.9.1.3").unwrap() < Duration::from_secs(1));
    assert_eq!(until("fd09::2"), None);
    sleep(Duration::from_millis(500));
    assert_eq!(banned(&mut kernel, &gate), ["all 10.9.0.3", "all fd09::2"]);
    for from in ["10.9.0.2", "10.9.1.2", "10.9.1.3", "fd09::3"] {
        assert!(net.arrives(from, 7000), "{from}");
    }
    assert!(!net.arrives("10.9.0.3", 7000));
    assert!(!net.arrives("fd09::2", 7000));
}

#[test]
fn installing_replaces_everything_of_ours_and_nothing_of_others() {
    let Some(net) = Net::new() else { return };
    let other = "table inet other {\n\tset x {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1 }\n\t}\n\n\tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tip saddr @x drop\n\t}\n}\n";
    net.nft(&["-f", "-"], other);
    let old = gate(&[("sip", "udp/7000"), ("old", "all")]);
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    assert!(!kernel.exists(&old).unwrap());
    assert_eq!(kernel.dropped(&old).unwrap()[0].1, 0);
    let holds = [hold("sip", "10.9.0.2", 60_000), hold("old", "10.9.0.3", 0)];
    assert_eq!(kernel.install(&old, Contents::bans(&holds), now()).unwrap().placed, 2);
    assert!(kernel.exists(&old).unwrap());
    assert!(!net.arrives("10.9.0.2", 7000));

    let new = gate(&[("sip", "udp/7001"), ("new", "all")]);
    assert!(!kernel.exists(&new).unwrap());
    let past = Hold { until: Some(now()), ..holds[0] };
    let holds = [holds[0], holds[1], past, hold("new", "10.9.0.0/16", 0)];
    let done = kernel.install(&new, Contents::bans(&holds), now()).unwrap();
    assert_eq!((done.placed, done.over, done.misplaced.len()), (1, 1, 2));
    assert_eq!(banned(&mut kernel, &new), ["sip 10.9.0.2"]);
    assert!(net.arrives("10.9.0.2", 7000));
    assert!(!net.arrives("10.9.0.2", 7001));
    assert!(net.arrives("10.9.0.3", 7000));
    // The counter went on from its old value.
    let dropped = kernel.dropped(&new).unwrap();
    assert_eq!((dropped[0].1, dropped[1].1), (2, 0));
    assert_eq!(net.nft(&["list", "table", "inet", "other"], ""), other);

    kernel.remove(&new).unwrap();
    kernel.remove(&new).unwrap();
    assert!(!kernel.exists(&new).unwrap());
    assert!(net.arrives("10.9.0.2", 7001));
    assert_eq!(net.nft(&["list", "ruleset"], ""), other);
    let refused = kernel.apply(&new, &[Change::Ban(hold("sip", "10.9.0.2", 0))], now());
    let refusal = refused[0].clone().unwrap_err();
    assert!(refusal.is_gate_lost(), "{refusal:?}");
    assert!(kernel.list(&new, now()).unwrap_err().is_gate_lost());
}

#[test]
fn no_packet_slips_through_while_the_gate_is_replaced() {
    let Some(net) = Net::new() else { return };
    let gate = everywhere();
    let mut kernel = installed(&net, &gate);
    let holds = [hold("all", "10.9.0.2", 0), hold("all", "10.9.1.0/24", 0)];
    kernel.install(&gate, Contents::bans(&holds), now()).unwrap();
    let from: IpAddr = "10.9.0.2".parse().unwrap();
    let (listening, speaking) = (net.listen(from, 7000), net.speak(from));
    std::thread::scope(|scope| {
        let flood = scope.spawn(move || {
            for _ in 0..20_000 {
                speaking.send_to(b"x", server(from, 7000)).unwrap();
            }
        });
        let mut rounds = 0;
        while !flood.is_finished() {
            kernel.install(&gate, Contents::bans(&holds), now()).unwrap();
            apply(&mut kernel, &gate, &[Change::Ban(hold("all", "10.9.0.2", 60_000))]);
            rounds += 1;
        }
        println!("replaced {rounds} times under 20,000 packets");
    });
    assert!(listening.recv(&mut [0; 4]).is_err());
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let scopes = [
        ("3proxy", "tcp/3128"),
        ("sip", "udp/5060-5061, tcp/5060, sctp/0-65535, dccp/9, udplite/7-8"),
        ("all", "all"),
    ];
    for (block, v4, v6) in [
        (Block::Drop, vec![32, 24], vec![128, 64, 56, 48]),
        (Block::Reject, vec![32, 31, 9, 1], vec![127, 33, 1]),
        (Block::Reset, vec![32], vec![128, 64]),
    ] {
        let (host, net64) = (!v4.contains(&31), v6.contains(&64));
        let mut gate = Draft { block, v4_lengths: v4, v6_lengths: v6, ..draft(&scopes) };
        gate.scopes[1].block = (block != Block::Drop).then_some(Block::Drop);
        gate.scopes[2].block = (block == Block::Drop).then_some(Block::Reset);
        let gate = Gate::try_from(gate).unwrap();
        let mut holds = vec![hold("sip", "192.0.2.8", 0), hold("all", "192.0.2.9", 93_784_500)];
        holds.extend(host.then(|| hold("all", "192.0.2.0/24", 3_600_000)));
        holds.extend(net64.then(|| hold("3proxy", "2001:db8::/64", 61_000)));
        let moment = now();
        let text = render(&gate, Contents::bans(&holds), moment);
        net.nft(&["-c", "-f", "-"], &text);
        net.nft(&["-f", "-"], &text);
        let by_text = net.listing();
        let mut kernel = net.serve(|| Kernel::open().unwrap());
        assert!(kernel.exists(&gate).unwrap());
        kernel.install(&gate, Contents::bans(&holds), moment).unwrap();
        assert_eq!(net.listing(), by_text);
        assert!(kernel.exists(&gate).unwrap());
    }
}

#[test]
fn a_refused_change_does_not_hinder_the_others() {
    let Some(net) = Net::new() else { return };
    let small = gate(&[("sip", "udp/7000")]);
    let mut kernel = installed(&net, &small);
    // The wanted gate knows a scope that the kernel does not have yet.
    let large = gate(&[("sip", "udp/7000"), ("web", "tcp/80")]);
    let mut changes = Vec::new();
    for n in 0..1500 {
        let scope = if n % 3 == 0 { "web" } else { "sip" };
        let prefix = format!("192.0.{}.{}", n / 250, n % 250);
        changes.push(Change::Ban(hold(scope, &prefix, 60_000)));
    }
    changes.push(lift("web", "192.0.2.1"));
    changes.push(Change::Ban(hold("sip", "10.0.0.0/8", 0)));
    changes.push(Change::Ban(hold("none", "10.0.0.1", 0)));
    let results = kernel.apply(&large, &changes, now());
    for (n, result) in results[..1500].iter().enumerate() {
        assert_eq!(result.is_err(), n % 3 == 0, "{n} {result:?}");
    }
    let said: Vec<_> = results[1500..].iter().map(|r| r.clone().unwrap_err().to_string()).collect();
    assert!(said[0].starts_with("cannot lift the ban of 192.0.2.1 in web: the table or its set"));
    assert!(said[1].contains("no set for prefixes of length /8"), "{said:?}");
    assert!(said[2].contains("no scope named none"), "{said:?}");
    assert_eq!(banned(&mut kernel, &small).len(), 1000);
}

#[test]
fn rejecting_tells_the_visitor() {
    let Some(net) = Net::new() else { return };
    let gate = Gate::try_from(Draft { block: Block::Reject, ..draft(&[("all", "all")]) }).unwrap();
    let mut kernel = installed(&net, &gate);
    for from in ["10.9.0.2", "fd09:0:0:1::2"] {
        let addr: IpAddr = from.parse().unwrap();
        let (listening, speaking) = (net.listen(addr, 7000), net.speak(addr));
        speaking.set_read_timeout(Some(PATIENCE)).unwrap();
        speaking.connect(server(addr, 7000)).unwrap();
        speaking.send(b"one").unwrap();
        assert!(listening.recv(&mut [0; 8]).is_ok());
        apply(&mut kernel, &gate, &[Change::Ban(hold("all", from, 0))]);
        // He has to say where he is before he can be told.
        net.forget_neighbours();
        speaking.send(b"two").unwrap();
        let answer = speaking.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(answer.kind(), std::io::ErrorKind::ConnectionRefused, "{from}");
        assert!(listening.recv(&mut [0; 8]).is_err());
    }
}

#[test]
fn each_scope_answers_in_its_own_way() {
    let Some(net) = Net::new() else { return };
    let mut draft = draft(&[("web", "tcp/80, udp/80"), ("ssh", "tcp/22"), ("sip", "udp/7000")]);
    draft.scopes[0].block = Some(Block::Reset);
    draft.scopes[2].block = Some(Block::Reject);
    let gate = Gate::try_from(draft).unwrap();
    let mut kernel = installed(&net, &gate);
    for from in ["10.9.0.2", "fd09:0:0:1::2"] {
        let addr: IpAddr = from.parse().unwrap();
        let (web, mut visitor) = net.connect(from, 80);
        let (ssh, mut silent) = net.connect(from, 22);
        let speaking = [80, 7000].map(|port| {
            let socket = net.speak(addr);
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.connect(server(addr, port)).unwrap();
            socket
        });
        let listening = [80, 7000].map(|port| net.listen(addr, port));
        let scopes = ["web", "ssh", "sip"];
        apply(&mut kernel, &gate, &scopes.map(|scope| Change::Ban(hold(scope, from, 0))));
        visitor.write_all(b"x").unwrap();
        let answer = visitor.read(&mut [0; 8]).unwrap_err();
        assert_eq!(answer.kind(), std::io::ErrorKind::ConnectionReset, "{from}");
        silent.write_all(b"x").unwrap();
        let answer = silent.read(&mut [0; 8]).unwrap_err();
        assert_ne!(answer.kind(), std::io::ErrorKind::ConnectionReset, "{from}");
        assert_ne!(answer.kind(), std::io::ErrorKind::ConnectionRefused, "{from}");
        for (socket, listening) in speaking.iter().zip(&listening) {
            socket.send(b"x").unwrap();
            let answer = socket.recv(&mut [0; 8]).unwrap_err();
            assert_eq!(answer.kind(), std::io::ErrorKind::ConnectionRefused, "{from}");
            assert!(listening.recv(&mut [0; 8]).is_err());
        }
        drop((web, ssh));
    }
    assert!(kernel.exists(&gate).unwrap());
}

#[test]
fn without_the_right_the_sentence_says_what_to_give() {
    let Some(net) = Net::new() else { return };
    let refusal = net.serve(|| {
        let nobody = rustix::process::Uid::from_raw(65534);
        // Of this thread alone; the capabilities go with the last root id.
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        Kernel::open().unwrap_err()
    });
    assert!(refusal.is_not_permitted());
    assert_eq!(
        refusal.to_string(),
        "cannot reach the kernel's firewall: this process may not change the firewall; run it \
         as root or give it CAP_NET_ADMIN (in a systemd unit: \
         AmbientCapabilities=CAP_NET_ADMIN)"
    );
}
