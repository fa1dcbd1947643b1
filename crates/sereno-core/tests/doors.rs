//! Doors through the engine: packets and commands in, openings out, with a scripted clock.
#![allow(clippy::unwrap_used)]

use sereno_core::door::{
    Deed, Deeds, Door, Flags, Hit, Manner, Packet, Protocol, Sequence, Sequences, Timed,
};
use sereno_core::engine::{Action, Clock, DoorPolicy, Engine, Input, Knock, Notice, Porter, Shut};
use sereno_core::gate::{Name, Pass, PortRange, Ports};
use sereno_core::jail::Friends;
use sereno_core::time::Time;
use std::net::IpAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HERE: &str = "198.51.100.1";
const MAY: &str = "192.0.2.1";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn ports(text: &str) -> Ports {
    text.parse().unwrap()
}

/// A door at 7000, 8000, 9000 that does this.
fn door(title: &str, hits: &[u16], deeds: Deeds) -> DoorPolicy {
    let hits = hits.iter().map(|port| Hit::tcp(*port)).collect();
    let sequences = Sequences::Fixed(Sequence::new(hits).unwrap());
    let door = Door { v4: deeds.clone(), v6: deeds, ..Door::new(title, sequences) };
    DoorPolicy { name: name(title), door, closed: true, cut: false, free: Vec::new() }
}

struct Scene {
    engine: Engine,
    now: Time,
}

impl Scene {
    fn new(policies: Vec<DoorPolicy>) -> Self {
        let now = Time::from_secs(1_000_000);
        Self { engine: engine(policies, now), now }
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<String> {
        let mut actions = Vec::new();
        self.engine.handle(input, self.now, &mut actions);
        actions.iter().filter_map(|action| self.told(action)).collect()
    }

    fn told(&self, action: &Action) -> Option<String> {
        let left = |until: Option<Time>| match until {
            Some(until) => format!("{} s", until.since(self.now).as_secs()),
            None => "ever".to_owned(),
        };
        Some(match action {
            Action::Open(Pass { to, addr, until }) => {
                format!("open {to} to {addr} for {}", left(*until))
            }
            Action::Close { to, addr } => format!("close {to} to {addr}"),
            Action::Run { door, addr, when } => format!("run {door} {addr} {when:?}"),
            Action::Used { door, sequence } => format!("used {door} {sequence}"),
            Action::Knock { what: Knock::Done, door, .. } => format!("knocked {door}"),
            Action::Knock { .. } | Action::Tell(Notice::Opened { .. }) => return None,
            Action::Tell(Notice::Closed { door, prefix, over }) => {
                format!("closed {door} {prefix}{}", if *over { " over" } else { "" })
            }
            other => format!("{other:?}"),
        })
    }

    fn knock(&mut self, who: &str, hits: &[u16]) -> Vec<String> {
        let (source, here): (IpAddr, IpAddr) = (who.parse().unwrap(), HERE.parse().unwrap());
        let here = if source.is_ipv4() { here } else { "2001:db8::1".parse().unwrap() };
        let mut said = Vec::new();
        for hit in hits {
            self.now = self.now.plus(SECOND / 10);
            let packet = Packet::tcp(self.now, source, here, *hit, Flags::SYN);
            said.extend(self.handle(Input::Packet(&packet)));
        }
        said
    }

    fn wait(&mut self, seconds: u32) -> Vec<String> {
        self.now = self.now.plus(SECOND * seconds);
        self.handle(Input::Tick)
    }
}

fn engine(policies: Vec<DoorPolicy>, now: Time) -> Engine {
    let locals: [IpAddr; 2] = [HERE.parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let mut engine = Engine::new(Vec::new(), Friends::default(), Clock::Wall, 1);
    engine.post(Porter::new(policies, locals, Manner::Fair, now).unwrap());
    engine
}

fn ssh() -> DoorPolicy {
    door("ssh", &[7000, 8000, 9000], Deeds::open(ports("tcp/22")))
}

#[test]
fn who_knocks_is_in_for_as_long_as_the_door_holds() {
    let mut scene = Scene::new(vec![ssh()]);
    assert_eq!(scene.engine.next_wake(), None);
    let opened = ["knocked ssh", "open ssh to 192.0.2.1 for 10 s"];
    assert_eq!(scene.knock(MAY, &[7000, 8000, 9000]), opened);
    assert_eq!(scene.engine.next_wake().unwrap().1, "a door closes");
    assert!(scene.wait(9).is_empty());
    assert_eq!(scene.wait(1), ["closed ssh 192.0.2.1 over"]);
    assert_eq!(scene.engine.next_wake(), None);
}

#[test]
fn a_second_knock_extends_and_a_shorter_word_does_not_shorten() {
    let mut scene = Scene::new(vec![ssh()]);
    scene.knock(MAY, &[7000, 8000, 9000]);
    scene.wait(5);
    let again = ["knocked ssh", "open ssh to 192.0.2.1 for 10 s"];
    assert_eq!(scene.knock(MAY, &[7000, 8000, 9000]), again);
    let let_in = |length| Input::LetIn { door: name("ssh"), addr: MAY.parse().unwrap(), length };
    assert_eq!(scene.handle(let_in(Some(SECOND))), ["open ssh to 192.0.2.1 for 10 s"]);
    assert_eq!(scene.handle(let_in(Some(SECOND * 60))), ["open ssh to 192.0.2.1 for 60 s"]);
    assert_eq!(scene.engine.porter().unwrap().entries().count(), 1);
    assert!(scene.wait(59).is_empty());
    assert_eq!(scene.wait(1), ["closed ssh 192.0.2.1 over"]);
}

#[test]
fn doors_of_the_same_ports_share_an_opening() {
    let open = Deeds { start: Deed::Open(ports("tcp/22")), stop: Deed::Nothing };
    let close = Deeds { start: Deed::Close(ports("tcp/22")), stop: Deed::Nothing };
    let doors = vec![
        door("openssh", &[7000, 8000, 9000], open),
        door("closessh", &[9000, 8000, 7000], close),
        door("web", &[1, 1000, 5], Deeds::open(ports("tcp/80, tcp/443"))),
    ];
    let mut scene = Scene::new(doors);
    let openings = scene.engine.porter().unwrap().openings();
    assert_eq!(openings.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), ["openssh", "web"]);
    let opened = ["knocked openssh", "open openssh to 192.0.2.1 for ever"];
    assert_eq!(scene.knock(MAY, &[7000, 8000, 9000]), opened);
    assert!(scene.wait(100_000).is_empty());
    let closed = ["knocked closessh", "close openssh to 192.0.2.1", "closed closessh 192.0.2.1"];
    assert_eq!(scene.knock(MAY, &[9000, 8000, 7000]), closed);
}

#[test]
fn a_trial_opens_nothing_that_another_door_closes_and_closes_nothing_for_good() {
    let mut both = door("both", &[1, 500, 2], Deeds::open(ports("tcp/22")));
    both.door.v6 = Deeds::open(ports("tcp/23"));
    both.closed = false;
    let scene = |policies| Scene::new(policies);
    let tried = |mut scene: Scene| {
        let porter = scene.engine.porter_mut().unwrap();
        assert!(porter.shut(name("both"), Shut::Trial));
        let openings = porter.openings().iter().filter(|opening| opening.closed);
        let closed: Vec<String> = openings.map(|opening| opening.ports.to_string()).collect();
        assert_eq!(closed, ["tcp/22", "tcp/23"]);
        porter.trials().len()
    };
    assert_eq!(tried(scene(vec![both.clone()])), 2, "IPv6 has ports of its own");
    assert_eq!(tried(scene(vec![ssh(), both])), 1, "the other door is closed anyway");
}

#[test]
fn commands_are_named_never_told() {
    let deeds = Deeds { start: Deed::Run("up %IP%".into()), stop: Deed::Run("down %IP%".into()) };
    let mut scene = Scene::new(vec![door("light", &[7000, 8000, 9000], deeds)]);
    let run = ["knocked light", "run light 192.0.2.1 Start"];
    assert_eq!(scene.knock(MAY, &[7000, 8000, 9000]), run);
    assert_eq!(scene.wait(10), ["run light 192.0.2.1 Stop"]);
    scene.knock(MAY, &[7000, 8000, 9000]);
    let out = Input::PutOut { door: name("light"), addr: None };
    assert_eq!(scene.handle(out), ["run light 192.0.2.1 Stop"]);
    assert!(scene.wait(10).is_empty(), "it is done once");
}

#[test]
fn what_is_open_or_used_outlives_a_reload_and_a_restart() {
    let once = |text: &str| {
        let hits = text.split(' ').map(|port| Hit::tcp(port.parse().unwrap())).collect();
        Sequence::new(hits).unwrap()
    };
    let doors = || {
        let list = Sequences::Once(vec![once("11 501 1001"), once("21 601 2001")]);
        let deeds = Deeds::open(ports("tcp/443"));
        let door = Door { v4: deeds.clone(), v6: deeds, ..Door::new("once", list) };
        let once =
            DoorPolicy { name: name("once"), door, closed: true, cut: false, free: Vec::new() };
        vec![ssh(), once]
    };
    let mut scene = Scene::new(doors());
    scene.knock(MAY, &[7000, 8000, 9000]);
    let used = ["knocked once", "used once 0", "open once to 192.0.2.1 for 10 s"];
    assert_eq!(scene.knock(MAY, &[11, 501, 1001]), used);
    let memory = scene.engine.porter_mut().unwrap().take_memory().unwrap();
    assert!(scene.engine.porter_mut().unwrap().take_memory().is_none(), "nothing is new");
    let memory: sereno_core::engine::DoorMemory =
        serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
    let mut fresh = engine(doors(), scene.now);
    fresh.porter_mut().unwrap().recall(memory.clone(), scene.now);
    // The file was marked, and is read without what was used.
    let mut marked = doors();
    marked[1].door.sequences = Sequences::Once(vec![once("21 601 2001")]);
    let mut shorter = engine(marked, scene.now);
    shorter.porter_mut().unwrap().recall(memory.clone(), scene.now);
    let mut shorter = Scene { engine: shorter, now: scene.now };
    assert!(shorter.knock(MAY, &[21, 601, 2001]).contains(&"used once 0".to_owned()));
    for mut next in [Scene { engine: fresh, now: scene.now }, {
        let mut reloaded = engine(doors(), scene.now);
        reloaded.inherit(scene.engine);
        Scene { engine: reloaded, now: scene.now }
    }] {
        assert!(next.knock(MAY, &[11, 501, 1001]).is_empty(), "it was used");
        assert_eq!(next.engine.porter().unwrap().entries().count(), 2);
        let ended = ["closed ssh 192.0.2.1 over", "closed once 192.0.2.1 over"];
        assert_eq!(next.wait(10), ended);
        assert!(next.knock(MAY, &[21, 601, 2001]).contains(&"used once 1".to_owned()));
    }
}

#[test]
fn signed_packets_open_single_ports() {
    let mut scene = Scene::new(vec![ssh()]);
    let ports: Vec<PortRange> = vec!["tcp/22".parse().unwrap(), "udp/5060-5061".parse().unwrap()];
    let until = scene.now.plus(SECOND * 30);
    let (door, addr) = (name("spa"), MAY.parse().unwrap());
    let said = scene.handle(Input::Grant { door, addr, ports: &ports, until });
    let opened = ["tcp/22", "udp/5060", "udp/5061"];
    assert_eq!(said, opened.map(|port| format!("open {port} to 192.0.2.1 for 30 s")));
    let out = Input::PutOut { door, addr: Some("192.0.2.2".parse().unwrap()) };
    assert!(scene.handle(out).is_empty());
    assert_eq!(scene.wait(30).len(), 3);
}

#[test]
fn so_many_are_in_and_no_more() {
    let mut scene = Scene::new(vec![ssh()]);
    let mut refused = 0;
    for n in 0..16_400_u32 {
        let addr = IpAddr::V4((0x0a00_0000 + n).into());
        let said = scene.handle(Input::LetIn { door: name("ssh"), addr, length: None });
        refused += said.iter().filter(|said| said.contains("NoRoom")).count();
    }
    assert_eq!(refused, 16);
    let first = IpAddr::V4(0x0a00_0000.into());
    let again = Input::LetIn { door: name("ssh"), addr: first, length: Some(SECOND * 20) };
    assert_eq!(scene.handle(again), ["open ssh to 10.0.0.0 for 20 s"], "who is in is extended");
}

#[test]
fn who_fills_one_door_does_not_lock_another() {
    let web = door("web", &[1, 500, 2], Deeds::open(ports("tcp/80")));
    let mut scene = Scene::new(vec![ssh(), web]);
    for n in 0..16_384_u32 {
        let addr = IpAddr::V4((0x0a00_0000 + n).into());
        scene.handle(Input::LetIn { door: name("web"), addr, length: None });
    }
    let want = [
        "knocked ssh",
        "close web to 10.0.0.0",
        "closed web 10.0.0.0",
        "open ssh to 192.0.2.1 for 10 s",
    ];
    assert_eq!(scene.knock(MAY, &[7000, 8000, 9000]), want);
    let addr = "192.0.2.9".parse().unwrap();
    let said = scene.handle(Input::LetIn { door: name("web"), addr, length: None });
    assert!(said.iter().any(|said| said.contains("NoRoom")), "{said:?}");
    assert_eq!(scene.engine.porter().unwrap().entries().count(), 16_384);
    assert_eq!(scene.wait(10).len(), 16_384);
    assert_eq!(scene.knock(MAY, &[1, 500, 2]).len(), 2, "there is room again");
}

#[test]
fn over_ipv6_too() {
    let mut scene = Scene::new(vec![ssh()]);
    let opened = ["knocked ssh", "open ssh to 2001:db8::7 for 10 s"];
    assert_eq!(scene.knock("2001:db8::7", &[7000, 8000, 9000]), opened);
}

fn timed_door(timed: &Timed) -> DoorPolicy {
    let mut policy = ssh();
    policy.door.sequences = Sequences::Timed(timed.clone());
    policy
}

#[test]
fn a_clock_that_is_set_back_keeps_no_door_open_and_locks_none() {
    let step = SECOND * 30;
    let timed = Timed::new(vec![7; 16], step, 3, (10_000, 60_000), Protocol::Tcp).unwrap();
    let hits = |scene: &Scene| {
        let sequence = timed.sequence(timed.window(scene.now)).unwrap();
        sequence.hits().iter().map(|hit| hit.port).collect::<Vec<u16>>()
    };
    let command = Deeds { start: Deed::Run("up".into()), stop: Deed::Run("down".into()) };
    let light = door("light", &[1, 500, 2], command);
    let mut scene = Scene::new(vec![timed_door(&timed), light]);
    let opened = "open ssh to 192.0.2.1 for 10 s".to_owned();
    let right = scene.now;
    scene.now = right.plus(SECOND * 86_400 * 365);
    let ahead = hits(&scene);
    assert!(scene.knock(MAY, &ahead).contains(&opened));
    scene.knock(MAY, &[1, 500, 2]);
    let memory = scene.engine.porter().unwrap().memory();
    let wrong = scene.now;
    scene.now = right;
    let back = wrong.since(right);
    assert_eq!(scene.wait(0), [format!("{:?}", Action::Tell(Notice::ClockBack { by: back }))]);
    assert!(scene.wait(9).is_empty());
    let over = ["run light 192.0.2.1 Stop", "closed ssh 192.0.2.1 over"];
    let mut ended = scene.wait(1);
    ended.sort_unstable();
    assert_eq!(ended, [over[1], over[0]]);
    let now = hits(&scene);
    assert!(scene.knock(MAY, &now).contains(&opened), "not locked until next year");
    scene.wait(10);
    assert!(scene.knock(MAY, &now).is_empty(), "used");
    scene.now = scene.now.minus(SECOND * 60);
    scene.wait(0);
    let before = hits(&scene);
    assert!(scene.knock(MAY, &before).is_empty(), "somebody may have heard it");
    // The same over a restart.
    let mut next = engine(vec![timed_door(&timed)], right);
    next.porter_mut().unwrap().recall(memory, right);
    let ends: Vec<Time> =
        next.porter().unwrap().entries().filter_map(|entry| entry.pass.until).collect();
    assert_eq!(ends, [right.plus(SECOND * 10)]);
}

#[test]
fn what_a_door_opened_that_is_gone_is_closed() {
    let mut scene = Scene::new(vec![ssh(), door("spa", &[1, 500, 2], Deeds::default())]);
    let ports: Vec<PortRange> = vec!["tcp/22".parse().unwrap()];
    let until = scene.now.plus(SECOND * 30);
    let (door, addr) = (name("spa"), MAY.parse().unwrap());
    scene.handle(Input::Grant { door, addr, ports: &ports, until });
    let memory = scene.engine.porter().unwrap().memory();
    for (policies, left) in
        [(scene.engine.porter().unwrap().policies().to_vec(), 1), (vec![ssh()], 0)]
    {
        let mut next = engine(policies, scene.now);
        next.porter_mut().unwrap().recall(memory.clone(), scene.now);
        assert_eq!(next.porter().unwrap().entries().count(), left);
    }
}
