//! What signed packets have translated, through the engine: grants in, passes out, with a scripted
//! clock.
#![allow(clippy::unwrap_used)]

use sereno_core::door::{Deeds, Door, Manner, Sequences};
use sereno_core::engine::{Action, Clock, DoorPolicy, Engine, Input, Notice, Porter};
use sereno_core::gate::{Dnat, Forward, Name, Nat, Pass, Proto, Snat, Through};
use sereno_core::jail::Friends;
use sereno_core::time::Time;
use std::net::IpAddr;
use std::time::Duration;

const WHO: &str = "192.0.2.1";
const START: Time = Time::from_secs(1_000_000);

fn name() -> Name {
    Name::new("spa").unwrap()
}

/// Both ways, and under the interface's address.
fn both() -> Nat {
    let forwards = vec![Forward { to: None, snat: None }];
    Nat { here: true, elsewhere: true, snats: vec![Snat::Masquerade], forwards }
}

fn porter(nat: Option<Nat>) -> Porter {
    let deeds = Deeds::default();
    let door =
        Door { v4: deeds.clone(), v6: deeds, ..Door::new("spa", Sequences::Once(Vec::new())) };
    let policy = DoorPolicy { name: name(), door, closed: false, cut: false, free: Vec::new() };
    Porter::new(vec![policy], [], Manner::Fair, START).unwrap().translating(nat)
}

struct Scene {
    engine: Engine,
    now: Time,
}

impl Scene {
    fn new(nat: Option<Nat>) -> Self {
        let mut engine = Engine::new(Vec::new(), Friends::default(), Clock::Wall, 1);
        engine.post(porter(nat));
        Self { engine, now: START }
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<String> {
        let mut actions = Vec::new();
        self.engine.handle(input, self.now, &mut actions);
        let told = |action: &Action| match action {
            Action::Open(Pass { to, until, .. }) => {
                Some(format!("open {to} for {} s", until.unwrap().since(self.now).as_secs()))
            }
            Action::Close { to, .. } => Some(format!("close {to}")),
            Action::Tell(Notice::Closed { over, .. }) => Some(format!("closed {over}")),
            Action::Tell(Notice::NoRoom { .. }) => Some("no room".to_owned()),
            _ => None,
        };
        actions.iter().filter_map(told).collect()
    }

    /// Who is let in is granted this for so many seconds.
    fn admit(&mut self, to: Through, seconds: u64) -> Vec<String> {
        self.admit_at(WHO.parse().unwrap(), to, seconds)
    }

    fn admit_at(&mut self, addr: IpAddr, to: Through, seconds: u64) -> Vec<String> {
        let until = Some(self.now.plus(Duration::from_secs(seconds)));
        self.handle(Input::Admit { door: name(), pass: Pass { to, addr, until } })
    }

    fn put_out(&mut self, addr: Option<&str>) -> Vec<String> {
        let addr = addr.map(|addr| addr.parse().unwrap());
        self.handle(Input::PutOut { door: name(), addr })
    }

    fn wait(&mut self, seconds: u64) -> Vec<String> {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.handle(Input::Tick)
    }

    fn count(&self) -> usize {
        self.engine.porter().unwrap().entries().count()
    }
}

fn leads(port: u16, to: &str) -> Through {
    dnat(port, to, false, None)
}

fn dnat(port: u16, to: &str, here: bool, snat: Option<Snat>) -> Through {
    Through::Dnat(Dnat { proto: Proto::Tcp, port, to: to.parse().unwrap(), here, snat })
}

#[test]
fn a_second_packet_extends_and_another_target_takes_its_place() {
    let mut scene = Scene::new(Some(both()));
    assert_eq!(scene.admit(leads(22, "10.0.0.2:22"), 30), ["open tcp/22 -> 10.0.0.2:22 for 30 s"]);
    scene.wait(20);
    assert_eq!(scene.admit(leads(22, "10.0.0.2:22"), 30), ["open tcp/22 -> 10.0.0.2:22 for 30 s"]);
    assert_eq!(scene.admit(leads(22, "10.0.0.2:22"), 10), ["open tcp/22 -> 10.0.0.2:22 for 30 s"]);
    assert_eq!(scene.count(), 1);
    let turned = scene.admit(leads(22, "10.0.0.3:80"), 10);
    let want =
        ["close tcp/22 -> 10.0.0.2:22", "closed false", "open tcp/22 -> 10.0.0.3:80 for 10 s"];
    assert_eq!(turned, want);
    // The same place, but under another address, or for this machine itself.
    let masked = dnat(22, "10.0.0.3:80", false, Some(Snat::Masquerade));
    assert_eq!(scene.admit(masked, 10).len(), 3);
    assert_eq!(scene.admit(dnat(22, "10.0.0.3:80", true, None), 10).len(), 3);
    assert_eq!(scene.count(), 1);
    // Others, and other ports of the same, stay as they are.
    assert_eq!(scene.admit_at("192.0.2.2".parse().unwrap(), leads(22, "10.0.0.3:80"), 9).len(), 1);
    assert_eq!(scene.admit(leads(23, "10.0.0.3:81"), 9).len(), 1);
    assert_eq!(scene.admit(Through::Port(Proto::Tcp, 22), 9), ["open tcp/22 for 9 s"]);
    assert_eq!(scene.count(), 4);
    assert_eq!(scene.wait(10), ["closed true"; 4]);
    assert_eq!((scene.count(), scene.engine.next_wake()), (0, None));
}

#[test]
fn ports_that_lead_to_the_same_place_do_not_end_each_other() {
    let mut scene = Scene::new(Some(both()));
    let (first, second) = (leads(5001, "10.0.0.2:22"), leads(5002, "10.0.0.2:22"));
    scene.admit(first, 300);
    let again = ["open tcp/5002 -> 10.0.0.2:22 for 30 s", "open tcp/5001 -> 10.0.0.2:22 for 300 s"];
    assert_eq!(scene.admit(second, 30), again);
    // The one that lasts longest needs nothing put back.
    assert_eq!(scene.admit(second, 400), ["open tcp/5002 -> 10.0.0.2:22 for 400 s"]);
    let other = dnat(5003, "10.0.0.2:22", false, Some(Snat::Masquerade));
    scene.admit(other, 200);
    let here = dnat(5004, "10.0.0.2:22", true, None);
    scene.admit(here, 500);
    scene.admit(leads(5005, "10.0.0.2:23"), 500);
    scene.admit_at("192.0.2.2".parse().unwrap(), leads(5006, "10.0.0.2:22"), 500);
    let closed = scene.put_out(Some(WHO));
    assert!(!closed.iter().any(|said| said.starts_with("open")), "{closed:?}");
    assert_eq!(scene.count(), 1);
    // Put out one by one: what remains is put back, the longest last.
    for (to, seconds) in [(first, 300), (second, 400), (other, 200)] {
        scene.admit(to, seconds);
    }
    let said = scene.admit(leads(5002, "10.0.0.9:22"), 30);
    let want = [
        "close tcp/5002 -> 10.0.0.2:22",
        "open tcp/5003 -> 10.0.0.2:22 for 200 s",
        "open tcp/5001 -> 10.0.0.2:22 for 300 s",
        "closed false",
        "open tcp/5002 -> 10.0.0.9:22 for 30 s",
    ];
    assert_eq!(said, want);
}

#[test]
fn what_may_not_be_translated_is_not() {
    let all = Through::Forward(Forward { to: None, snat: None });
    let turned = Through::Forward(Forward { to: Some([10, 0, 0, 9].into()), snat: None });
    let under = dnat(1, "10.0.0.2:22", false, Some(Snat::To([10, 0, 0, 1].into())));
    let (there, here) = (leads(1, "10.0.0.2:22"), dnat(1, "198.51.100.1:22", true, None));
    let local = Nat { here: true, ..Nat::default() };
    for (nat, allowed) in [
        (None, [false; 5]),
        (Some(local), [false, true, false, false, false]),
        (Some(both()), [true, true, false, true, false]),
    ] {
        let mut scene = Scene::new(nat);
        for (to, allowed) in [there, here, under, all, turned].into_iter().zip(allowed) {
            assert_eq!(!scene.admit(to, 30).is_empty(), allowed, "{to}");
        }
    }
}

#[test]
fn what_is_remembered_stands_as_long_as_it_is_allowed() {
    let mut scene = Scene::new(Some(both()));
    let all = Through::Forward(Forward { to: None, snat: None });
    for to in [leads(1, "10.0.0.2:22"), dnat(2, "198.51.100.1:22", true, None), all] {
        scene.admit(to, 300);
    }
    let memory = scene.engine.porter().unwrap().memory();
    let text = serde_json::to_string(&memory).unwrap();
    let local = Nat { here: true, ..Nat::default() };
    for (nat, count) in [(Some(both()), 3), (Some(local), 1), (None, 0)] {
        let mut porter = porter(nat);
        porter.recall(serde_json::from_str(&text).unwrap(), START);
        assert_eq!(porter.entries().count(), count);
        porter.recall(serde_json::from_str(&text).unwrap(), START);
        assert_eq!(porter.entries().count(), count, "not twice");
    }
    let mut porter = porter(Some(both()));
    porter.recall(memory, START.plus(Duration::from_secs(300)));
    assert_eq!(porter.entries().count(), 0, "over");
}

#[test]
fn one_address_has_as_many_ports_as_there_is_room() {
    let mut scene = Scene::new(Some(both()));
    for port in 1..=16_384 {
        // However many lead to one place, little is put back.
        assert!(scene.admit(leads(port, "10.0.0.2:22"), 300).len() <= 2);
    }
    assert_eq!(scene.admit(leads(16_385, "10.0.0.2:22"), 300), ["no room"]);
    assert_eq!(scene.count(), 16_384);
    assert_eq!(scene.put_out(None).len(), 2 * 16_384);
}
