//! What holds for any packet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs real programs"
)]

mod common;

use common::{access, from, stanza};
use proptest::prelude::*;
use sereno_core::time::Time;
use sereno_spa::{
    Access, Ask, Commands, Deed, Digest, Keys, Memory, Message, Mode, Nat, Refusal, Secret, Source,
    Verdict, Who, Wire, judge, seal,
};
use std::net::IpAddr;
use std::time::Duration;

const NOW: u64 = 1_795_361_723;

fn whos() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Sender),
        Just(Who::Sender6),
        (1u32..u32::MAX).prop_map(|bits| Who::Addr(IpAddr::V4(bits.into()))),
        (1u128 << 96..u128::MAX).prop_map(|bits| Who::Addr(IpAddr::V6(bits.into()))),
    ]
}

fn asks() -> impl Strategy<Value = Ask> {
    let port = (any::<bool>(), 1u16..).prop_map(|(tcp, port)| {
        format!("{}/{port}", if tcp { "tcp" } else { "udp" }).parse().unwrap()
    });
    let nat = ("10\\.[1-9]\\.[0-9]\\.[0-9]", 1u16.., any::<bool>());
    let nat = nat.prop_map(|(host, port, local)| Nat { host, port, local });
    let ports = prop::collection::vec(port, 1..6);
    let access = (whos(), ports, prop::option::of(nat), prop::option::of(0u32..=65_536));
    prop_oneof![
        access.prop_map(|(who, ports, nat, timeout)| {
            // For IPv6 nothing is translated.
            let nat = nat.filter(|_| !matches!(who, Who::Addr(IpAddr::V6(_))));
            Ask::Access { who, ports, nat, timeout }
        }),
        (whos(), "[!-~][ -~]{0,100}").prop_map(|(who, line)| Ask::Command { who, line }),
    ]
}

prop_compose! {
    fn messages()(
        digits in "[0-9]{16}",
        user in "[a-zA-Z0-9._ -]{1,48}",
        late in 0u64..240,
        ask in asks(),
        server_auth in prop::option::of("[!-~]{1,20}"),
    ) -> Message {
        let digits = digits.into_bytes().try_into().unwrap();
        let version = Message::VERSION.to_owned();
        Message { digits, user, sent: NOW - 120 + late, version, ask, server_auth }
    }
}

prop_compose! {
    fn any_keys()(
        key in prop::collection::vec(any::<u8>(), 1..33),
        hmac in prop::collection::vec(any::<u8>(), 1..129),
        mode in prop::sample::select(Mode::ALL.to_vec()),
        digest in prop::option::of(prop::sample::select(Digest::ALL.to_vec())),
    ) -> Keys {
        let hmac = digest.map(|digest| (Secret::new(hmac), digest));
        Keys { key: Secret::new(key), mode, hmac }
    }
}

fn open_access(keys: &Keys) -> Access {
    let mut stanza = stanza(keys.clone());
    stanza.commands = Some(Commands::default());
    access(vec![stanza])
}

fn say(payload: &[u8], now: u64, access: &Access, memory: &mut Memory) -> Result<Deed, Refusal> {
    match judge(&from(payload, "198.51.100.7"), Time::from_secs(now as i64), access, memory) {
        Verdict::Granted(grant) => Ok(grant.deed),
        Verdict::Refused(refusal) => Err(refusal),
    }
}

proptest! {
    #[test]
    fn what_was_made_is_read(
        message in messages(),
        keys in any_keys(),
        salt: [u8; 8],
        inner in prop::sample::select(Digest::ALL.to_vec()),
    ) {
        let packet = seal(&message, inner, &keys, salt).unwrap();
        let wire = Wire::parse(packet.as_bytes());
        if packet.len() < 140 {
            prop_assert_eq!(wire.err(), Some(Refusal::Short));
        } else {
            prop_assert_eq!(wire.unwrap().open(&keys), Ok(message));
        }
    }

    /// No byte can be changed, with a signature or without; and the real one still counts after.
    #[test]
    fn a_packet_with_a_byte_changed_is_refused(
        message in messages(),
        keys in any_keys(),
        salt: [u8; 8],
        at: prop::sample::Index,
        byte: u8,
    ) {
        let packet = seal(&message, Digest::Sha256, &keys, salt).unwrap().into_bytes();
        prop_assume!(packet.len() >= 140);
        let mut changed = packet.clone();
        let at = at.index(packet.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let access = open_access(&keys);
        let mut memory = Memory::default();
        let refused = say(&changed, NOW, &access, &mut memory).unwrap_err();
        let with_a_letter = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        prop_assert_eq!(refused == Refusal::Characters, !with_a_letter);
        if with_a_letter && keys.hmac.is_some() {
            prop_assert_eq!(refused, Refusal::Hmac);
        }
        prop_assert!(memory.replay.is_empty());
        prop_assert!(say(&packet, NOW, &access, &mut memory).is_ok());
        prop_assert_eq!(say(&packet, NOW, &access, &mut memory), Err(Refusal::Replay));
    }

    #[test]
    fn a_cut_or_extended_packet_is_refused(
        message in messages(),
        keys in any_keys(),
        cut in 1usize..100,
        more in "[A-Za-z0-9+/]{1,50}",
        padding in "=[A-Za-z0-9+/=]{0,9}",
    ) {
        let packet = seal(&message, Digest::Sha256, &keys, [7; 8]).unwrap();
        prop_assume!(packet.len() >= 140);
        let access = open_access(&keys);
        let mut memory = Memory::default();
        let mut refused = |text: &str| say(text.as_bytes(), NOW, &access, &mut memory).unwrap_err();
        let damaged = if keys.hmac.is_some() {
            &[Refusal::Hmac][..]
        } else {
            &[Refusal::Decrypt, Refusal::Digest, Refusal::Fields]
        };
        let shorter = &packet[..packet.len() - cut];
        let short = if shorter.len() < 140 { &[Refusal::Short][..] } else { damaged };
        prop_assert!(short.contains(&refused(shorter)));
        let extended = packet.clone() + &more;
        prop_assert!(damaged.contains(&refused(&extended)));
        prop_assert_eq!(refused(&format!("{packet}{padding}")), Refusal::Characters);
        prop_assert_eq!(refused(&format!("U2FsdGVkX1{packet}")), Refusal::Prefix);
        prop_assert_eq!(refused(&format!("{packet:A<1501}")), Refusal::Long);
    }

    /// Whatever comes, in any order and at any time: no packet is granted twice, none without its
    /// key, and the memory stays as small as it was told to.
    #[test]
    fn no_packet_is_granted_twice(
        steps in prop::collection::vec((0usize..12, 0u64..400, any::<bool>()), 1..60),
    ) {
        let keys = Keys { key: Secret::new(vec![1; 32]), mode: Mode::Cbc, hmac: Some((Secret::new(vec![2; 32]), Digest::Sha256)) };
        let packets: Vec<String> = (0..12).map(|n| {
            let ask = Ask::Access { who: Who::Sender, ports: vec!["tcp/22".parse().unwrap()], nat: None, timeout: None };
            let digits = format!("{n:016}").into_bytes().try_into().unwrap();
            let (user, version) = ("root".to_owned(), "3.0.0".to_owned());
            let message = Message { digits, user, sent: NOW + n * 30, version, ask, server_auth: None };
            seal(&message, Digest::Sha256, &keys, [9; 8]).unwrap()
        }).collect();
        let access = open_access(&keys);
        let mut memory = Memory::default();
        let mut granted = [false; 12];
        for (which, at, restart) in steps {
            if restart {
                let seen = memory.replay.export();
                memory = Memory::default();
                memory.replay.import(&seen);
            }
            let made = NOW + which as u64 * 30;
            let now = NOW + at;
            match say(packets[which].as_bytes(), now, &access, &mut memory) {
                Ok(_) => {
                    prop_assert!(!granted[which] && now.abs_diff(made) <= 120);
                    granted[which] = true;
                }
                Err(refusal) => prop_assert!(matches!(refusal, Refusal::Replay | Refusal::Expired | Refusal::Future)),
            }
            prop_assert!(memory.replay.len() <= 24);
        }
    }
}

fn keys() -> Keys {
    let hmac = Some((Secret::new(b"signs".to_vec()), Digest::Sha256));
    Keys { key: Secret::new(b"hides".to_vec()), mode: Mode::Cbc, hmac }
}

fn asking(n: u64, ask: Ask, sent: u64) -> String {
    let digits = format!("{n:016}").into_bytes().try_into().unwrap();
    let (user, version) = ("root".to_owned(), Message::VERSION.to_owned());
    let message = Message { digits, user, sent, version, ask, server_auth: None };
    seal(&message, Digest::Sha256, &keys(), [3; 8]).unwrap()
}

fn ports(who: Who, ports: &[&str], timeout: Option<u32>) -> Ask {
    let ports = ports.iter().map(|port| port.parse().unwrap()).collect();
    Ask::Access { who, ports, nat: None, timeout }
}

#[test]
fn the_window_is_that_of_the_configuration_and_each_side_has_its_word() {
    let access = open_access(&keys());
    let mut memory = Memory::default();
    let mut at = |n: u64, sent: u64| {
        let packet = asking(n, ports(Who::Sender, &["tcp/22"], None), sent);
        say(packet.as_bytes(), NOW, &access, &mut memory).map(|_| ())
    };
    assert_eq!(at(1, NOW - 120), Ok(()));
    assert_eq!(at(2, NOW - 121), Err(Refusal::Expired));
    assert_eq!(at(3, NOW + 120), Ok(()));
    assert_eq!(at(4, NOW + 121), Err(Refusal::Future));
    assert_eq!(at(5, 0), Err(Refusal::Expired));
    assert_eq!(at(6, 999_999_999_999), Err(Refusal::Future));
    // What was refused as of the future does not open anything when its time has come.
    let packet = asking(4, ports(Who::Sender, &["tcp/22"], None), NOW + 121);
    assert_eq!(say(packet.as_bytes(), NOW + 60, &access, &mut memory), Err(Refusal::Replay));
}

#[test]
fn a_stanza_allows_what_it_says() {
    let mut access = open_access(&keys());
    access.stanzas[0].open_ports = ["tcp/22", "udp/53"].map(|port| port.parse().unwrap()).to_vec();
    access.stanzas[0].restrict_ports = vec!["udp/53".parse().unwrap()];
    access.stanzas[0].commands = None;
    access.stanzas[0].source = Source::Of(vec!["198.51.100.0/24".parse().unwrap()]);
    let who = Who::Addr([192, 0, 2, 9].into());
    let command = Ask::Command { who, line: "id".to_owned() };
    let (host, port) = ("192.0.2.1".to_owned(), 22);
    let nat_for = |who, local| Ask::Access {
        who,
        ports: vec!["tcp/22".parse().unwrap()],
        nat: Some(Nat { host: host.clone(), port, local }),
        timeout: None,
    };
    let nat = |local| nat_for(who, local);
    let mut n = 0;
    let mut of = |access: &Access, ask: Ask| {
        n += 1;
        let packet = asking(n, ask, NOW);
        say(packet.as_bytes(), NOW, access, &mut Memory::default())
    };
    let time = |deed: Result<Deed, Refusal>| match deed.unwrap() {
        Deed::Open { time, .. } => time.as_secs(),
        other => panic!("{other:?}"),
    };
    assert_eq!(time(of(&access, ports(who, &["tcp/22"], None))), 30);
    assert_eq!(time(of(&access, ports(who, &["tcp/22"], Some(0)))), 30);
    assert_eq!(time(of(&access, ports(who, &["tcp/22"], Some(60)))), 60);
    assert_eq!(time(of(&access, ports(who, &["tcp/22"], Some(65_536)))), 300);
    assert_eq!(of(&access, ports(who, &["tcp/22", "tcp/23"], None)), Err(Refusal::Ports));
    assert_eq!(of(&access, ports(who, &["udp/53"], None)), Err(Refusal::Ports));
    assert_eq!(of(&access, command), Err(Refusal::Command));
    assert!(of(&access, nat(false)).is_ok() && of(&access, nat(true)).is_ok());
    let six = Who::Addr("2001:db8::9".parse().unwrap());
    assert_eq!(of(&access, nat_for(six, false)), Err(Refusal::Target));
    access.stanzas[0].translation.local = false;
    assert_eq!(of(&access, nat(true)), Err(Refusal::Nat));
    access.stanzas[0].translation.forwarding = false;
    assert_eq!(of(&access, nat(false)), Err(Refusal::Nat));
    access.stanzas[0].require_address = true;
    assert_eq!(of(&access, ports(Who::Sender, &["tcp/22"], None)), Err(Refusal::Address));
    assert_eq!(of(&access, ports(Who::Sender6, &["tcp/22"], None)), Err(Refusal::Address));
    access.stanzas[0].user = Some("alice".to_owned());
    assert_eq!(of(&access, ports(who, &["tcp/22"], None)), Err(Refusal::User));
    access.stanzas[0].expires = Some(Time::from_secs(NOW as i64 - 1));
    assert_eq!(of(&access, ports(who, &["tcp/22"], None)), Err(Refusal::Lapsed));
    access.stanzas[0].source = Source::Of(vec!["203.0.113.0/24".parse().unwrap()]);
    assert_eq!(of(&access, ports(who, &["tcp/22"], None)), Err(Refusal::Source));
}

#[test]
fn of_several_stanzas_with_one_key_the_first_that_allows_it_counts() {
    let mut first = stanza(keys());
    first.open_ports = vec!["tcp/80".parse().unwrap()];
    let other = Keys { key: Secret::new(b"other".to_vec()), ..keys() };
    let mut last = stanza(keys());
    last.timeout = Duration::from_secs(99);
    let access = access(vec![first, stanza(other), last]);
    let packet = asking(1, ports(Who::Sender6, &["tcp/22"], None), NOW);
    let datagram = from(packet.as_bytes(), "2001:db8::7");
    let now = Time::from_secs(NOW as i64);
    let mut memory = Memory::default();
    let Verdict::Granted(grant) = judge(&datagram, now, &access, &mut memory) else { panic!() };
    assert_eq!((grant.stanza, grant.address.to_string().as_str()), (2, "2001:db8::7"));
    assert_eq!(judge(&datagram, now, &access, &mut memory), Verdict::Refused(Refusal::Replay));
    let counted: Vec<_> = memory.refused().filter(|(_, count)| *count > 0).collect();
    assert_eq!((memory.granted(), counted), (1, vec![(Refusal::Replay, 1)]));
}

#[test]
fn junk_in_the_name_of_a_client_does_not_stop_him() {
    let access = open_access(&keys());
    let mut memory = Memory::default();
    let junk = "A".repeat(200);
    // Five thousand a second for ten seconds, and a packet each second among them.
    for n in 0..50_000u64 {
        let now = Time(NOW as i64 * 1_000_000 + n as i64 * 200);
        let verdict = judge(&from(junk.as_bytes(), "198.51.100.7"), now, &access, &mut memory);
        assert_eq!(verdict, Verdict::Refused(Refusal::Hmac));
        if n % 5000 == 2500 {
            let packet = asking(n, ports(Who::Sender, &["tcp/22"], None), NOW);
            let verdict =
                judge(&from(packet.as_bytes(), "198.51.100.7"), now, &access, &mut memory);
            assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
        }
    }
    assert_eq!((memory.granted(), memory.replay.len()), (10, 20));
}
