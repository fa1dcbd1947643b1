//! The gate by the real programs: what they accept, and what becomes of packets. In both forms of
//! iptables, where they are there.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../sereno-nft/tests/net/mod.rs"]
mod net;
#[path = "../../sereno-nft/tests/random/mod.rs"]
mod random;

use net::Net;
use random::{gate, leaving, lines, now, policy, zone};
use sereno_core::addr::Prefix;
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{
    Block, Contents, Doorway, Draft, Ears, Gate, Hold, Left, Nat, Opening, Scope,
};
use sereno_iptables::Tables;
use sereno_nft::{Change, Doing};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Policies that are tried in each form: programs take longer than netlink.
const POLICIES: u32 = 60;

/// The programs in one form, or the reason printed why not.
fn tables(net: &Net, old: bool) -> Option<Tables> {
    let form = if old { "iptables-legacy-restore" } else { "ipset" };
    if !Path::new("/usr/sbin").join(form).exists() {
        println!("skipped: there is no {form} (packages iptables and ipset)");
        return None;
    }
    Some(net.serve(|| Tables::open(old).unwrap()))
}

#[test]
fn the_model_and_the_kernel_agree() {
    for old in [false, true] {
        let mut kept = None;
        random::agree(POLICIES, &[], |net, gate, contents| {
            if kept.is_none() {
                kept = tables(net, old);
            }
            let Some(tables) = &mut kept else { return };
            net.serve(|| tables.install(gate, contents, now()).unwrap());
            assert!(net.serve(|| tables.exists(gate).unwrap()));
        });
    }
}

/// A gate with a part of every kind.
fn whole(policy: Policy, trying: Option<Policy>) -> Gate {
    let mut sip =
        Scope::new("sip", "udp/5060-5061, tcp/5060, sctp/7-9, dccp/5, udplite/7").unwrap();
    sip.block = Some(Block::Reset);
    let opening = |name: &str, ports: &str, cut| Opening {
        name: name.parse().unwrap(),
        ports: ports.parse().unwrap(),
        closed: name != "other",
        cut,
        free: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
    };
    let doorway = Doorway {
        openings: vec![
            opening("ssh", "tcp/2222", false),
            opening("iax", "tcp/5061, udp/4569", true),
            opening("other", "all", false),
        ],
        single: true,
        trial: vec!["iax".parse().unwrap()],
        ears: Some(Ears {
            interfaces: vec!["ppp0".to_owned()],
            datagrams: vec![62201],
            ..Ears::of(42)
        }),
        mark: Some(0x100),
        nat: None,
    };
    let scopes = vec![sip, Scope::new("all", "all").unwrap()];
    let draft = Draft { policy: Some(policy), trying, doorway, ..Draft::of(scopes) };
    Gate::try_from(draft).unwrap()
}

#[test]
fn the_programs_take_every_word() {
    for old in [false, true] {
        let Some(net) = Net::new() else { return };
        let Some(mut tables) = tables(&net, old) else { continue };
        let first = lines(&[
            "allow ssh from 203.0.113.0/25 203.0.113.128/25 2001:db8::/32 rate 10/minute burst 20 limit 5",
            "allow sip, rtp, udplite/7, dccp/5, sctp/9-11 until 2090-01-01",
            "allow smtp until 2027-01-01 rate 1/day",
            "reject tcp/113, esp",
            "drop all from world on cable to 10.9.0.1 10.8.0.0/24 fd09::1",
            "allow esp, ping, udp, ip/47 from local",
        ]);
        let out = [
            "allow dns, sctp/7, udplite/9 to local 203.0.113.0/25 2001:db8::/32 until 2090-01-01",
            "reject smtp, esp on cable",
            "drop ping to world",
        ];
        let first = leaving(first, &out);
        let trying = Policy { asymmetric: true, ping: false, ..lines(&["allow ssh"]) };
        let gate = whole(first.clone(), Some(leaving(trying, &out[1..])));
        net.serve(|| {
            let none = Contents::default();
            tables.install(&gate, none, now()).unwrap();
            assert!(tables.exists(&gate).unwrap());
            // Once more, with something else, and away.
            let next = whole(first, None);
            tables.install(&next, none, now()).unwrap();
            assert!(tables.exists(&next).unwrap() && !tables.exists(&gate).unwrap());
            let plain = next.without_policy().without_doorway();
            tables.install(&plain, none, now()).unwrap();
            assert!(tables.exists(&plain).unwrap() && Tables::are_left(&plain));
            tables.remove(&plain).unwrap();
            assert!(!tables.exists(&plain).unwrap() && !Tables::are_left(&plain));
        });
    }
}

#[test]
fn in_the_other_form_nothing_is_left() {
    let Some(net) = Net::new() else { return };
    let (Some(mut usual), Some(mut old)) = (tables(&net, false), tables(&net, true)) else {
        return;
    };
    let gate = gate(lines(&["allow ssh"]));
    net.serve(|| {
        usual.install(&gate, Contents::default(), now()).unwrap();
        old.install(&gate, Contents::default(), now()).unwrap();
        old.clear_other_form(&gate).unwrap();
        assert!(old.exists(&gate).unwrap() && !usual.exists(&gate).unwrap());
        usual.install(&gate, Contents::default(), now()).unwrap();
        usual.clear_other_form(&gate).unwrap();
        assert!(usual.exists(&gate).unwrap());
        assert!(!old.exists(&gate).unwrap());
        old.remove(&gate).unwrap();
        assert!(!usual.exists(&gate).unwrap() && !Tables::are_left(&gate));
    });
}

#[test]
fn what_iptables_cannot_say_is_refused_by_its_part() {
    let Some(net) = Net::new() else { return };
    let Some(mut tables) = tables(&net, false) else { return };
    let nat = Nat { here: true, elsewhere: false, snats: Vec::new(), forwards: Vec::new() };
    let doorway = Doorway { single: true, nat: Some(nat), ..Doorway::default() };
    let gate = Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap();
    let refusal = net.serve(|| tables.install(&gate, Contents::default(), now()).unwrap_err());
    assert!(
        refusal.doing == Doing::InstallNat && refusal.to_string().contains("iptables"),
        "{refusal}"
    );
    let fast = self::gate(lines(&["allow ssh rate 99999/second"]));
    let refusal = net.serve(|| tables.install(&fast, Contents::default(), now()).unwrap_err());
    assert!(refusal.doing == Doing::InstallPolicy, "{refusal}");
    let syn_proxy = random::proxy(&["tcp/22"]);
    let draft = Draft { syn_proxy, policy: Some(lines(&["allow ssh"])), ..Draft::of(Vec::new()) };
    let gate = Gate::try_from(draft).unwrap();
    let refusal = net.serve(|| tables.install(&gate, Contents::default(), now()).unwrap_err());
    let said =
        "cannot install the SYN proxy: iptables cannot do it: SYNs are answered by nftables only";
    assert!(refusal.doing == Doing::InstallProxy && refusal.to_string() == said, "{refusal}");
    net.serve(|| tables.install(&gate.without_syn_proxy(), Contents::default(), now()).unwrap());
}

#[test]
fn a_policy_on_trial_ends_by_itself() {
    for old in [false, true] {
        let Some(net) = Net::new() else { return };
        let Some(mut tables) = tables(&net, old) else { continue };
        let (open, shut) = (lines(&["allow udp/7000"]), lines(&["drop all"]));
        let draft = Draft { policy: Some(open), trying: Some(shut), ..Draft::of(Vec::new()) };
        let gate = Gate::try_from(draft).unwrap();
        net.serve(|| tables.install(&gate, Contents::default(), now()).unwrap());
        let visitor = "10.9.1.2";
        assert!(net.arrives(visitor, 7000));
        net.serve(|| {
            tables.for_a_while(&gate, gate.policy_trial(), Duration::from_secs(3)).unwrap();
        });
        // Who puts it in place anew takes no trial away, not for a moment.
        net.serve(|| tables.install(&gate, Contents::default(), now()).unwrap());
        drop(tables);
        assert!(!net.arrives(visitor, 7000) && !net.arrives("fd09::2", 7000), "it is on trial");
        std::thread::sleep(Duration::from_millis(3000));
        assert!(net.arrives(visitor, 7000) && net.arrives("fd09::2", 7000), "nobody did anything");
    }
}

#[test]
fn a_source_that_begins_too_much_is_dropped_and_others_are_not() {
    for old in [false, true] {
        let Some(net) = Net::new() else { return };
        let Some(mut tables) = tables(&net, old) else { continue };
        let rules = ["allow udp/7000 rate 3/hour", "allow tcp/8000 limit 2", "allow udp/9000"];
        let rules: Vec<String> = rules.iter().map(|line| (*line).to_owned()).collect();
        let gate = gate(policy(&rules, Vec::new()));
        net.serve(|| tables.install(&gate, Contents::default(), now()).unwrap());
        for visitor in ["10.9.0.2", "fd09::2"] {
            let came = (0..5).filter(|_| net.arrives(visitor, 7000)).count();
            assert_eq!(came, 3, "{visitor} begins three in an hour");
            assert!(net.arrives(visitor, 9000), "only the port of the rule");
        }
        assert!(
            net.arrives("10.9.0.3", 7000) && !net.arrives("fd09::3", 7000),
            "a /64 is one source"
        );
        let (_one, _two) = (net.connect("10.9.0.2", 8000), net.connect("10.9.0.2", 8000));
        assert!(!net.reaches("10.9.0.2", 8000), "he has two");
        assert!(net.reaches("10.9.0.3", 8000));
    }
}

#[test]
fn bans_come_and_go_and_are_counted() {
    let Some(net) = Net::new() else { return };
    let Some(mut tables) = tables(&net, false) else { return };
    let scope = Scope::new("all", "all").unwrap();
    let gate = Gate::try_from(Draft::of(vec![scope])).unwrap();
    let ban = |prefix: &str, secs: Option<u64>| Hold {
        scope: "all".parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        until: secs.map(|secs| now().plus(Duration::from_secs(secs))),
    };
    let held = [ban("10.9.0.3", None), ban("10.9.1.0/24", Some(9_000_000))];
    net.serve(|| tables.install(&gate, Contents::bans(&held), now()).unwrap());
    assert!(!net.arrives("10.9.0.3", 7000) && !net.arrives("10.9.1.2", 7000));
    assert!(net.arrives("10.9.0.2", 7000) && net.arrives("fd09:0:0:1::2", 7000));
    let odd = ban("10.9.0.0/17", None);
    let changes = [
        Change::Ban(ban("10.9.0.2", Some(2))),
        Change::Ban(odd),
        Change::Ban(ban("fd09:0:0:1::/64", Some(60))),
        Change::Lift { scope: odd.scope, prefix: "10.9.0.3".parse().unwrap() },
        Change::Lift { scope: odd.scope, prefix: "192.0.2.1".parse().unwrap() },
    ];
    let done = net.serve(|| tables.apply(&gate, &changes, now()));
    let good: Vec<bool> = done.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true, true, true], "{done:?}");
    assert!(net.arrives("10.9.0.3", 7000) && !net.arrives("fd09:0:0:1::3", 7000));
    assert!(!net.arrives("10.9.0.2", 7000));
    std::thread::sleep(Duration::from_millis(2300));
    assert!(net.arrives("10.9.0.2", 7000), "the kernel lifts it");
    let dropped = |tables: &mut Tables| net.serve(|| tables.dropped(&gate).unwrap()[0].1);
    let before = dropped(&mut tables);
    assert!(before >= 4, "{before}");
    net.serve(|| tables.install(&gate, Contents::bans(&held), now()).unwrap());
    let after = dropped(&mut tables);
    assert!(after >= before, "counters go on: {before}, {after}");
    assert!(net.serve(|| tables.exists(&gate).unwrap()));
    net.serve(|| {
        assert!(std::process::Command::new("ipset").arg("flush").status().unwrap().success());
    });
    assert!(!net.serve(|| tables.exists(&gate).unwrap()), "somebody emptied them");
    net.serve(|| {
        tables.remove(&gate).unwrap();
        let lost = tables.apply(&gate, &[Change::Ban(held[0])], now()).remove(0).unwrap_err();
        assert!(lost.is_gate_lost(), "{lost}");
    });
}

/// What arrives at the server's port 7000 from each source, until somebody says that it is enough.
fn count(listening: &UdpSocket, enough: &AtomicBool) -> BTreeMap<IpAddr, u32> {
    let mut came = BTreeMap::new();
    while !enough.load(Ordering::Relaxed) {
        if let Ok((_, from)) = listening.recv_from(&mut [0; 16]) {
            *came.entry(from.ip()).or_default() += 1;
        }
    }
    came
}

#[test]
fn while_it_changes_no_friend_is_cut_and_nobody_who_is_out_gets_in() {
    for old in [false, true] {
        let Some(net) = Net::new() else { return };
        let Some(mut tables) = tables(&net, old) else { continue };
        let with = |networks: &[&str], rules: &[&str]| {
            let rules: Vec<String> = rules.iter().map(|line| (*line).to_owned()).collect();
            gate(policy(&rules, vec![zone("trusted", networks)]))
        };
        let gates = [
            with(&["10.9.0.2", "10.9.0.3"], &["drop udp from world"]),
            with(&["10.9.0.0/28", "203.0.113.0/24"], &["allow ssh", "drop udp from world"]),
            with(&["10.9.0.0/16"], &[]),
        ];
        let hold = |prefix: &str| Hold {
            scope: "all".parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            until: None,
        };
        let holds = [hold("10.9.0.3"), hold("10.9.1.0/24")];
        let mut install = |gate: &Gate| {
            net.serve(|| tables.install(gate, Contents::bans(&holds), now()).unwrap());
        };
        install(&gates[1]);
        let (friend, out): (IpAddr, IpAddr) =
            ("10.9.0.2".parse().unwrap(), "10.9.0.3".parse().unwrap());
        let listening = net.listen(friend, 7000);
        let to = listening.local_addr().unwrap();
        let (enough, heard) = (AtomicBool::new(false), AtomicBool::new(false));
        let (sent, came) = std::thread::scope(|scope| {
            let counting = scope.spawn(|| count(&listening, &heard));
            let sending = scope.spawn(|| {
                let mut sent = 0u32;
                while !enough.load(Ordering::Relaxed) {
                    for from in [friend, out] {
                        // Another port each time: what is under way passes anyway.
                        net.speak(from).send_to(b"new", to).unwrap();
                    }
                    sent += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                sent
            });
            for gate in gates.iter().cycle().take(24) {
                install(gate);
            }
            enough.store(true, Ordering::Relaxed);
            let sent = sending.join().unwrap();
            std::thread::sleep(net::PATIENCE);
            heard.store(true, Ordering::Relaxed);
            (sent, counting.join().unwrap())
        });
        println!("{sent} datagrams each, during 24 installations, in the old form: {old}");
        assert!(sent > 100, "the test saw too little");
        assert_eq!(came, BTreeMap::from([(friend, sent)]));
    }
}

#[test]
fn a_hundred_thousand_bans_are_in_place_soon() {
    let Some(net) = Net::new() else { return };
    let Some(mut tables) = tables(&net, false) else { return };
    let gate = Gate::try_from(Draft::of(vec![Scope::new("all", "all").unwrap()])).unwrap();
    let hold = |n: u32| Hold {
        scope: gate.scopes()[0].name,
        prefix: Prefix::host(Ipv4Addr::from_bits(0xc600_0000 + n).into()),
        until: Some(now().plus(Duration::from_secs(3600))),
    };
    let holds: Vec<_> = (0..100_000).map(hold).collect();
    let span = |what: &str, begun: Instant| println!("{what}: {:?}", begun.elapsed());
    net.serve(|| {
        let begun = Instant::now();
        let done = tables.install(&gate, Contents::bans(&holds), now()).unwrap();
        span("100,000 bans put in place", begun);
        assert_eq!(done.placed, 100_000);
        let begun = Instant::now();
        assert!(tables.exists(&gate).unwrap());
        span("looked at", begun);
        let begun = Instant::now();
        for n in 0..50 {
            let change = Change::Ban(hold(200_000 + n));
            assert!(tables.apply(&gate, &[change], now())[0].is_ok());
        }
        span("50 single bans", begun);
        let many: Vec<Change> = (0..10_000).map(|n| Change::Ban(hold(300_000 + n))).collect();
        let begun = Instant::now();
        assert!(tables.apply(&gate, &many, now()).iter().all(Result::is_ok));
        span("10,000 bans in one go", begun);
    });
}

#[test]
fn nothing_but_the_time_of_a_ban_is_cut_short() {
    use sereno_core::gate::iptables::{LONGEST, seconds};
    let month = Left::For(Duration::from_secs(30 * 86_400));
    assert_eq!(seconds(month), Some(LONGEST));
    assert_eq!(seconds(Left::For(Duration::from_millis(20))), Some(1));
    assert_eq!((seconds(Left::Ever), seconds(Left::Over)), (Some(0), None));
}
