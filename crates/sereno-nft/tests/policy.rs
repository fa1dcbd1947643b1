//! The base policy in a real kernel, and beside the model that explains it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod net;
mod random;
mod text;

use net::Net;
use random::{gate, leaving, lines, now};
use sereno_core::gate::policy::Policy;
use sereno_core::gate::{Block, Contents, Draft, Gate, Hold, Scope};
use sereno_nft::Kernel;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

/// Policies that are tried.
const POLICIES: u32 = 220;

#[test]
fn the_model_and_the_kernel_agree() {
    let mut kernel = None;
    random::agree(POLICIES, &["tcp/22", "tcp/80-443", "tcp/1000-2000"], |net, gate, contents| {
        let kernel = kernel.get_or_insert_with(|| net.serve(|| Kernel::open().unwrap()));
        kernel.install(gate, contents, now()).unwrap();
    });
}

#[test]
fn the_kernel_shows_the_text_that_render_writes() {
    let Some(net) = Net::new() else { return };
    let first = lines(&[
        "allow ssh from 203.0.113.0/25 203.0.113.128/25 2001:db8::/32 rate 10/minute burst 20 limit 5",
        "allow sip, rtp until 2090-01-01",
        "reject tcp/113",
        "drop all from world on cable to 10.9.0.1 10.8.0.0/24 fd09::1",
        "allow esp, ping, udp from local",
    ]);
    let trying = Some(Policy { asymmetric: true, ping: false, ..lines(&["allow ssh"]) });
    let gate = |policy, trying: &Option<Policy>| {
        let trying = trying.clone();
        Gate::try_from(Draft { policy: Some(policy), trying, ..Draft::of(Vec::new()) }).unwrap()
    };
    let plain = gate(first.clone(), &trying);
    text::agrees(&net, &plain, Contents::default(), &plain.without_policy());
    let out = [
        "allow dns, ntp",
        "reject all to 203.0.113.0/25 203.0.113.128/25 2001:db8::/32 until 2090-01-01",
        "drop smtp to local 198.51.100.7 on cable",
        "allow ping, esp to world",
    ];
    let strict = gate(leaving(first.clone(), &out), &trying);
    text::agrees(&net, &strict, Contents::default(), &plain);
    let tried = gate(first, &trying.map(|policy| leaving(policy, &out[..2])));
    text::agrees(&net, &tried, Contents::default(), &strict);
}

#[test]
fn who_is_banned_hears_of_it_though_nothing_may_leave() {
    let Some(net) = Net::new() else { return };
    let all = Scope { block: Some(Block::Reset), ..Scope::new("all", "all").unwrap() };
    let banned = "10.9.0.2";
    let holds = [Hold { scope: all.name, prefix: banned.parse().unwrap(), until: None }];
    let policy = Some(leaving(lines(&[]), &[]));
    let gate = Gate::try_from(Draft { policy, ..Draft::of(vec![all.clone()]) }).unwrap();
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    kernel.install(&gate, Contents::bans(&holds), now()).unwrap();
    let to = net::server(banned.parse().unwrap(), 22);
    let why = net.visit(|| TcpStream::connect_timeout(&to, net::PATIENCE).unwrap_err());
    assert_eq!(why.kind(), ErrorKind::ConnectionRefused);
    let asking = net.speak(banned.parse().unwrap());
    asking.connect(to).unwrap();
    asking.set_read_timeout(Some(net::PATIENCE)).unwrap();
    asking.send(b"?").unwrap();
    assert_eq!(asking.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_policy_on_trial_ends_by_itself() {
    let Some(net) = Net::new() else { return };
    let (open, shut) = (lines(&["allow udp/7000"]), lines(&["drop all"]));
    let draft = Draft { policy: Some(open), trying: Some(shut), ..Draft::of(Vec::new()) };
    let gate = Gate::try_from(draft).unwrap();
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    kernel.install(&gate, Contents::default(), now()).unwrap();
    let visitor = "10.9.1.2";
    assert!(net.arrives(visitor, 7000));
    kernel.for_a_while(&gate, gate.policy_trial(), Duration::from_millis(1500)).unwrap();
    drop(kernel);
    assert!(!net.arrives(visitor, 7000) && !net.arrives("fd09::2", 7000), "it is on trial");
    std::thread::sleep(Duration::from_millis(1300));
    assert!(
        net.arrives(visitor, 7000) && net.arrives("fd09::2", 7000),
        "nobody had to do anything"
    );
}

#[test]
fn a_source_that_begins_too_much_is_dropped_and_others_are_not() {
    let Some(net) = Net::new() else { return };
    let rules = ["allow udp/7000 rate 3/hour", "allow tcp/8000 limit 2", "allow udp/9000"];
    let policy = Policy { zones: Vec::new(), ..lines(&[]) };
    let rules: Vec<String> = rules.iter().map(|line| (*line).to_owned()).collect();
    let policy = Policy { rules: random::policy(&rules, Vec::new()).rules, ..policy };
    let gate = gate(policy);
    let mut kernel = net.serve(|| Kernel::open().unwrap());
    kernel.install(&gate, Contents::default(), now()).unwrap();
    for visitor in ["10.9.0.2", "fd09::2"] {
        let came = (0..5).filter(|_| net.arrives(visitor, 7000)).count();
        assert_eq!(came, 3, "{visitor} begins three in an hour");
        assert!(net.arrives(visitor, 9000), "only the port of the rule");
    }
    assert!(net.arrives("10.9.0.3", 7000) && !net.arrives("fd09::3", 7000), "a /64 is one source");
    let (_one, _two) = (net.connect("10.9.0.2", 8000), net.connect("10.9.0.2", 8000));
    assert!(!net.reaches("10.9.0.2", 8000), "he has two");
    assert!(net.reaches("10.9.0.3", 8000));
}
