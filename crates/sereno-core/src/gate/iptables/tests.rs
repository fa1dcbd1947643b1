use super::*;
use crate::door::Hit;
use crate::gate::policy::{Known, Policy, Rule, Services, Side, Zone};
use crate::gate::samples::doors;
use crate::gate::{Block, Doorway, Draft, Hold, Nat, Pass, Proto, Scope, Stream, Through};
use jiff::tz::TimeZone;
use std::time::Duration;

const NOW: Time = Time::from_secs(0);

fn policy(lines: &[&str]) -> Policy {
    let zone = |name: &str, networks: &[&str], interfaces: &[&str]| Zone {
        name: name.parse().unwrap(),
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        interfaces: interfaces.iter().map(|text| (*text).to_owned()).collect(),
        open: name == "trusted",
    };
    let zones = vec![
        zone("trusted", &["10.9.0.0/24", "fd09::/64"], &[]),
        zone("local", &["10.9.0.0/22"], &["wg0"]),
    ];
    let mut policy = Policy { zones, ping: true, ..Policy::default() };
    let names: Vec<_> = policy.names().collect();
    let known = Known { services: &Services::default(), zones: &names, zone: &TimeZone::UTC };
    policy.rules = lines.iter().map(|line| Rule::parse(line, known).unwrap()).collect();
    policy
}

fn leaving(policy: Policy, lines: &[&str]) -> Policy {
    let names: Vec<_> = policy.names().collect();
    let known = Known { services: &Services::default(), zones: &names, zone: &TimeZone::UTC };
    let out = lines.iter().map(|line| Rule::parse_for(Side::Out, line, known).unwrap());
    Policy { out: Some(out.collect()), ..policy }
}

fn whole() -> Gate {
    let mut sip = Scope::new("sip", "udp/5060-5061, tcp/5060, sctp/0-65535").unwrap();
    sip.block = Some(Block::Reset);
    let mut draft = Draft::of(vec![sip, Scope::new("all", "all").unwrap()]);
    (draft.v4_lengths, draft.v6_lengths) = (vec![32, 24], vec![64]);
    draft.policy = Some(policy(&[
        "allow ssh from 203.0.113.0/25 2001:db8::/32 rate 10/minute burst 20 limit 5",
        "allow sip until 2026-12-04",
        "allow http until 2099-01-01",
        "reject tcp/113 on eth0",
        "drop all from world to 10.9.0.1 fd09::1",
        "allow esp, udplite/7, ping from local",
    ]));
    draft.policy = draft.policy.map(|policy| {
        leaving(
            policy,
            &["allow dns to local", "reject smtp to 203.0.113.0/25 2001:db8::/32 on eth0"],
        )
    });
    draft.trying = Some(Policy { asymmetric: true, ping: false, ..policy(&["allow ssh"]) });
    Gate::try_from(draft).unwrap()
}

#[test]
fn bans_and_a_policy_read_well() {
    let hold = |scope: &str, prefix: &str, secs: u64| Hold {
        scope: scope.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        until: (secs > 0).then(|| NOW.plus(Duration::from_millis(secs * 1000 - 7))),
    };
    let holds = [
        hold("all", "192.0.2.7", 60),
        hold("all", "192.0.2.8", 0),
        hold("sip", "198.51.100.0/24", 9_000_000),
        hold("all", "2001:db8::/64", 60),
    ];
    let text = render(&whole(), Contents::bans(&holds), NOW).unwrap();
    assert_eq!(text, include_str!("policy.txt"), "{text}");
}

#[test]
fn doors_read_well() {
    let pass = |to, addr: &str, secs| Pass {
        to,
        addr: addr.parse().unwrap(),
        until: Some(NOW.plus(Duration::from_secs(secs))),
    };
    let ssh = Through::Opening("ssh".parse().unwrap());
    let single = Through::Port(Proto::Tcp, 443);
    let passes = [pass(ssh, "192.0.2.7", 60), pass(single, "2001:db8::7", 90)];
    let hits = [Hit::tcp(8000), Hit::udp(9000), Hit::tcp(7000)];
    let streams = [Stream { from: "192.0.2.9".parse().unwrap(), port: 40_000, to: 22 }];
    let contents =
        Contents { passes: &passes, hits: &hits, streams: &streams, ..Contents::default() };
    let text = render(&doors(), contents, NOW).unwrap();
    assert_eq!(text, include_str!("doors.txt"), "{text}");
}

#[test]
fn what_cannot_be_said_is_refused_by_its_part() {
    let nat = Nat { here: true, elsewhere: false, snats: Vec::new(), forwards: Vec::new() };
    let doorway = Doorway { single: true, nat: Some(nat), ..Doorway::default() };
    let gate = Gate::try_from(Draft { doorway, ..Draft::of(Vec::new()) }).unwrap();
    let unsaid = Layout::of(&gate).unwrap_err();
    assert!(unsaid.iter().any(|one| one.part == Part::Nat), "{unsaid:?}");
    assert!(Layout::of(&gate.without_nat()).is_ok());
    let with = |line| {
        let policy = Some(policy(&[line]));
        let draft = Draft { policy, ..Draft::of(Vec::new()) };
        Layout::of(&Gate::try_from(draft).unwrap()).unwrap_err().remove(0)
    };
    let fast = with("allow ssh rate 20000/second");
    assert_eq!(fast.part, Part::Policy);
    assert!(fast.to_string().contains("smaller rate than 20000/second"), "{fast}");
}

#[test]
fn what_stands_there_is_known_again_and_only_what_changed_is_written() {
    let (layout, other) = (Layout::of(&whole()).unwrap(), Layout::of(&doors()).unwrap());
    let load = |layout: &Layout, found: &Found| {
        let counts = found.counts.clone();
        let rules = Rules { found, counts };
        rules.text(&layout.v4) + &rules.tidying(&layout.v4)
    };
    let fresh = load(&layout, &Found::default());
    // What the program prints of it: jumps are rules of the built-in chain.
    let printed = fresh
        .replace("-I PREROUTING 1", "-A PREROUTING")
        .replace("-I PREROUTING 2", "-A PREROUTING");
    let printed = printed.replace("-I INPUT 1", "-A INPUT").replace("-I INPUT 2", "-A INPUT");
    let printed = printed.replace("-I FORWARD 1", "-A FORWARD");
    let printed = printed.replace("-I OUTPUT 1", "-A OUTPUT");
    let counted = printed.replacen("-A sereno.zone_world", "[7:70] -A sereno.zone_world", 1);
    let found = Found::read(&counted, "sereno");
    assert!(
        found.is_whole(&layout.v4) && !found.is_whole(&layout.v6) && !found.is_whole(&other.v4)
    );
    let again = load(&layout, &found);
    assert!(!again.contains("-I ") && !again.contains("-D ") && !again.contains("-X "), "{again}");
    assert!(again.contains("[7:70] -A sereno."), "{again}");
    let changed = load(&other, &found);
    for word in
        ["-D INPUT -j sereno.input", "-X sereno.zone_world", "-I PREROUTING 1 -j sereno.knocks"]
    {
        assert!(changed.contains(word), "{word}\n{changed}");
    }
    assert!(!changed.contains("-D PREROUTING -j sereno.bans"), "bans hold throughout: {changed}");
    let foreign = Found::read(&printed.replace("-A INPUT -j sereno.input\n", ""), "sereno");
    assert!(!foreign.is_whole(&layout.v4), "somebody took a jump away");
}

#[test]
fn sets_are_filled_aside_and_fixed_ones_are_named_by_what_is_in_them() {
    let (gate, layout) = (whole(), Layout::of(&whole()).unwrap());
    let text = layout.sets_text(&layout.entries(&gate, Contents::default(), NOW));
    let swap = text
        .lines()
        .position(|line| line.ends_with(" sereno.ban_all_v4_32") && line.starts_with("swap"));
    assert!(swap.is_some(), "{text}");
    assert!(!text.contains(" sereno.policy_trial_v4\n"), "who is tried stays on trial: {text}");
    let zones = |gate: &Gate| -> Vec<String> {
        let layout = Layout::of(gate).unwrap();
        let names = layout.sets.into_iter().map(|set| set.name);
        names.filter(|name| name.contains("zone_trusted_v4")).collect()
    };
    let mut draft = Draft::from(gate.clone());
    let before = zones(&gate);
    draft.policy.as_mut().unwrap().zones[0].networks.remove(0);
    draft.policy.as_mut().unwrap().zones[0].networks.push("10.9.1.0/24".parse().unwrap());
    let after = zones(&Gate::try_from(draft).unwrap());
    assert!(before != after && before.len() == after.len(), "{before:?} {after:?}");
    let there = format!("{}\nsereno.gone\nothers\nsereno_x.a\n", before.join("\n"));
    assert_eq!(layout.stale_sets(&there), ["sereno.gone"]);
}
