//! What goes in comes out: in force, as history, after years, and no more than was asked for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Dir, Load, NOW, ban, bans, bare, known, name, prefix, stranger, track};
use proptest::prelude::*;
use sereno_core::addr::Prefix;
use sereno_core::engine::Lifted;
use sereno_core::gate::Name;
use sereno_core::jail::{Because, Known, Track};
use sereno_core::ledger::{Ban, Captures, Ledger};
use sereno_core::time::Time;
use sereno_store::{Batch, Event, Options, Store};
use std::net::IpAddr;
use std::time::Duration;

fn batch(events: Vec<Event>) -> Batch {
    let mut batch = Batch::default();
    batch.events = events;
    batch
}

fn lift(who: Prefix, at: i64, why: Lifted) -> Event {
    Event::Lift { jail: name("sshd"), prefix: who, at: Time(at), why }
}

fn evidence(who: &str, at: i64, line: &str) -> Event {
    Event::Evidence { jail: name("sshd"), prefix: prefix(who), at: Time(at), line: line.to_owned() }
}

fn any_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (any::<[u8; 4]>(), 0u8..=32).prop_map(|(a, n)| Prefix::new(IpAddr::from(a), n));
    let v6 = (any::<[u16; 8]>(), 0u8..=128).prop_map(|(a, n)| Prefix::new(IpAddr::from(a), n));
    prop_oneof![v4, v6].prop_filter_map("too long", |p| p)
}

fn any_name() -> impl Strategy<Value = Name> {
    "[a-z0-9_-]{1,24}".prop_map(|text| Name::new(&text).unwrap())
}

prop_compose! {
    fn any_ban()(
        jail in any_name(), scope in any_name(), prefix in any_prefix(), since: i64,
        until in proptest::option::of(1i64..), count: u32, before: u32,
        offender in proptest::option::of(any::<IpAddr>()),
        because in prop_oneof![
            Just(Because::Failures), Just(Because::Accounts), Just(Because::Hosts),
            Just(Because::Network), Just(Because::Manual)
        ],
        evidence in proptest::collection::vec(any::<String>(), 0..4),
    ) -> Ban {
        let (since, until) = (Time(since), until.map(Time));
        Ban { jail, scope, prefix, offender, since, until, count, because, before, evidence: evidence.into(), captures: Captures::default() }
    }
}

prop_compose! {
    fn any_track()(
        marks in proptest::collection::vec(any::<(i64, u32, u64)>(), 0..5),
        accounts in proptest::collection::vec(any::<(u64, i64)>(), 0..5),
        evidence in proptest::collection::vec(any::<(i64, String)>(), 0..4),
    ) -> Track {
        let whole = serde_json::json!({"marks": marks, "accounts": accounts, "evidence": evidence});
        serde_json::from_value(whole).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_back_after_a_restart(
        all in proptest::collection::vec((any_ban(), any_track(), any::<[u8; 16]>(), any::<(u64, i64)>()), 1..8)
    ) {
        let dir = Dir::new();
        let mut batch = Batch::default();
        let mut expected = Ledger::default();
        for (ban, track, addr, account) in all {
            let key = (ban.jail, ban.prefix);
            let addr = Prefix::host(IpAddr::from(addr)).addr();
            let known: Known = serde_json::from_value(serde_json::json!({"accounts": [account]})).unwrap();
            expected.ban(ban.clone());
            batch.events.push(Event::Ban(ban));
            batch.checkpoints.insert(key.1.to_string(), Some("{\"offset\":1}".to_owned()));
            batch.tracks.insert(key, Some(track));
            batch.known.insert((key.0, addr), Some(known));
        }
        Store::open(dir.path()).unwrap().commit(&batch).unwrap();

        let store = Store::open(dir.path()).unwrap();
        let memory = store.load(Time::MIN).unwrap();
        prop_assert_eq!(memory.unreadable, 0);
        let mut bans = memory.bans;
        bans.sort_by_key(|ban| (ban.prefix, ban.jail));
        let mut kept: Vec<Ban> = expected.bans().map(|ban| bare(&ban)).collect();
        kept.sort_by_key(|ban| (ban.prefix, ban.jail));
        prop_assert_eq!(bans, kept);
        for (jail, prefix, past) in memory.pasts {
            prop_assert_eq!(past.bans, expected.before(jail, prefix));
        }
        let tracks = memory.tracks.into_iter().map(|(jail, prefix, track)| ((jail, prefix), Some(track)));
        prop_assert_eq!(tracks.collect::<std::collections::BTreeMap<_, _>>(), batch.tracks);
        let known = memory.known.into_iter().map(|(jail, addr, known)| ((jail, addr), Some(known)));
        prop_assert_eq!(known.collect::<std::collections::BTreeMap<_, _>>(), batch.known);
        let checkpoints = memory.checkpoints.into_iter().map(|(key, value)| (key, Some(value)));
        prop_assert_eq!(checkpoints.collect::<std::collections::BTreeMap<_, _>>(), batch.checkpoints);
        let mut told: Vec<Event> = batch.events.clone();
        told.sort_by_key(Event::at);
        let read = store.history(None, 100).unwrap();
        prop_assert_eq!(read.len(), told.len());
        prop_assert!(read.iter().all(|event| told.contains(event)));
    }

    #[test]
    fn history_is_whatever_shares_an_address(
        all in proptest::collection::vec((0u8..4, 0u8..4, 20u8..=32), 1..30), ask in (0u8..4, 0u8..4, 20u8..=32)
    ) {
        let near = |(a, b, len): (u8, u8, u8)| Prefix::new(IpAddr::from([10, 0, a, b * 64]), len).unwrap();
        let dir = Dir::new();
        let mut store = Store::open(dir.path()).unwrap();
        let events: Vec<Event> = all.into_iter().enumerate().map(|(i, what)| match i % 3 {
            0 => evidence(&near(what).to_string(), i as i64, "x"),
            1 => lift(near(what), i as i64, Lifted::Manual),
            _ => Event::Told { about: Some(near(what)), at: Time(i as i64), text: "y".to_owned() },
        }).collect();
        store.commit(&batch(events.clone())).unwrap();
        let ask = near(ask);
        let expected: Vec<Event> =
            events.into_iter().filter(|e| e.about().is_some_and(|p| p.overlaps(ask))).collect();
        let tail = expected.len().saturating_sub(5);
        prop_assert_eq!(&store.history(Some(ask), 5).unwrap(), &expected[tail..]);
        prop_assert_eq!(store.history(Some(ask), 1000).unwrap(), expected);
    }
}

#[test]
fn a_ban_lasts_until_lifted_or_over_and_a_retry_is_no_second_ban() {
    let dir = Dir::new();
    let mut store = Store::open(dir.path()).unwrap();
    let (one, two) = (ban(stranger(1)), ban(stranger(2)));
    let both = batch(vec![Event::Ban(one.clone()), Event::Ban(two.clone())]);
    store.commit(&both).unwrap();
    store.commit(&both).unwrap();
    assert_eq!(store.load(NOW).unwrap().bans, [bare(&one), bare(&two)]);
    assert_eq!(store.load(NOW).unwrap().pasts.iter().map(|p| p.2.bans).collect::<Vec<_>>(), [1, 1]);
    store.commit(&batch(vec![lift(one.prefix, NOW.0 + 5, Lifted::Manual)])).unwrap();
    assert_eq!(store.load(NOW).unwrap().bans, [bare(&two)]);

    let end = two.until.unwrap();
    assert!(store.load(end).unwrap().bans.is_empty());
    assert_eq!(store.purge(Time(end.0 - 1)).unwrap(), 0);
    assert_eq!(store.purge(end).unwrap(), 1);
    // The engine notices the end as well, a little later; it is noted once.
    store.commit(&batch(vec![lift(two.prefix, end.0 + 9, Lifted::Expired)])).unwrap();
    let story = store.history(Some(two.prefix), 10).unwrap();
    assert_eq!(story, [Event::Ban(two.clone()), lift(two.prefix, end.0, Lifted::Expired)]);

    let mut again = two;
    again.since = end;
    again.until = None;
    again.before = 1;
    store.commit(&batch(vec![Event::Ban(again.clone())])).unwrap();
    assert_eq!(store.load(Time(i64::MAX)).unwrap().bans, [bare(&again)]);
    assert_eq!(store.load(NOW).unwrap().pasts[1].2.bans, 2);
}

#[test]
fn noise_pushes_neither_bans_nor_other_evidence_out() {
    let dir = Dir::new();
    let small =
        Options { history: 50, evidence: 100, evidence_each: 5, line: 10, ..Options::default() };
    let mut store = Store::open_with(dir.path(), small.clone()).unwrap();
    store.commit(&bans(0..10)).unwrap();
    store.commit(&batch(vec![evidence("198.51.100.9", 1, "a quiet one")])).unwrap();
    for i in 0..400 {
        store
            .commit(&batch(vec![evidence("192.0.2.1", i, &format!("loud {i} äöü and more"))]))
            .unwrap();
    }
    let quiet = store.history(Some(prefix("198.51.100.0/24")), 10).unwrap();
    assert_eq!(quiet, [evidence("198.51.100.9", 1, "a quiet on")], "cut to ten bytes");
    let loud = store.history(Some(prefix("192.0.2.1")), 100).unwrap();
    assert_eq!(loud.len(), 5);
    assert_eq!(loud[4], evidence("192.0.2.1", 399, "loud 399 "), "no half letter");

    // Far more strangers than rows: the oldest leave, the bans' history is untouched.
    for i in 0..40 {
        let lines = (0..20).map(|j| evidence(&stranger(i * 20 + j).to_string(), i64::from(i), "x"));
        store.commit(&batch(lines.collect())).unwrap();
    }
    let all = store.history(None, 10_000).unwrap();
    let lines = all.iter().filter(|e| matches!(e, Event::Evidence { .. })).count();
    let banned = all.iter().filter(|e| matches!(e, Event::Ban(_))).count();
    assert_eq!((lines, banned), (100, 10));
    for i in 0..30 {
        store.commit(&bans(10 + i * 10..20 + i * 10)).unwrap();
    }
    assert_eq!(store.history(None, 10_000).unwrap().len(), 150);
    assert_eq!(store.load(NOW).unwrap().bans.len(), 310, "in force means in force");
    drop(store);
    // A limit that was lowered is reached bit by bit.
    let mut store = Store::open_with(dir.path(), Options { evidence: 3, ..small }).unwrap();
    for i in 0..4 {
        store.commit(&batch(vec![evidence("192.0.2.1", i, "x")])).unwrap();
    }
    let left = store.history(None, 10_000).unwrap();
    assert_eq!(left.iter().filter(|e| matches!(e, Event::Evidence { .. })).count(), 3);
}

#[test]
fn memories_are_replaced_taken_out_and_the_least_recent_leave() {
    let dir = Dir::new();
    let mut store =
        Store::open_with(dir.path(), Options { tracks: 10, ..Options::default() }).unwrap();
    let jail = name("sshd");
    for n in 0..30 {
        let mut one = Batch::default();
        one.tracks.insert((jail, stranger(0)), Some(track(Time(n), "always there")));
        one.tracks.insert((jail, stranger(n as u32 + 1)), Some(track(Time(n), "x")));
        one.known.insert((jail, stranger(0).addr()), Some(known(Time(n))));
        store.commit(&one).unwrap();
    }
    let memory = store.load(NOW).unwrap();
    assert_eq!(memory.tracks.len(), 10);
    assert!(memory.tracks.contains(&(jail, stranger(0), track(Time(29), "always there"))));
    assert_eq!(memory.known, [(jail, stranger(0).addr(), known(Time(29)))]);
    let mut gone = Batch::default();
    gone.tracks.extend((0..40).map(|n| ((jail, stranger(n)), None)));
    gone.known.insert((jail, stranger(0).addr()), None);
    store.commit(&gone).unwrap();
    let memory = store.load(NOW).unwrap();
    assert!(memory.tracks.is_empty() && memory.known.is_empty());
}

#[test]
fn what_is_old_is_let_go() {
    let dir = Dir::new();
    let day = Duration::from_secs(86_400);
    let keep =
        Options { keep_history: day, keep_pasts: day, keep_tracks: day, ..Options::default() };
    let mut store = Store::open_with(dir.path(), keep).unwrap();
    let mut old = bans(0..7_000);
    old.tracks.insert((name("sshd"), stranger(0)), Some(track(NOW, "x")));
    store.commit(&old).unwrap();
    let later = NOW.plus(day * 2);
    let mut rounds = 0;
    while store.purge(later).unwrap() > 0 {
        rounds += 1;
    }
    assert!((2..=6).contains(&rounds), "{rounds} rounds");
    let mut young = ban(stranger(9_000));
    young.since = later;
    young.until = None;
    store.commit(&batch(vec![Event::Ban(young.clone())])).unwrap();
    assert_eq!(store.purge(later).unwrap(), 0);
    let memory = store.load(later).unwrap();
    assert_eq!((memory.bans.len(), memory.pasts.len(), memory.tracks.len()), (1, 1, 0));
    let lifts = (0..7_000).filter(|n| {
        let story = store.history(Some(stranger(*n)), 9).unwrap();
        story.iter().any(|e| matches!(e, Event::Lift { .. }))
    });
    assert_eq!(lifts.count(), 0, "ends of two days ago are as old as their bans");
    assert_eq!(store.history(None, 9).unwrap(), [Event::Ban(young)]);
}

#[test]
fn the_file_stops_growing_at_its_limit() {
    let dir = Dir::new();
    let limit = 2 << 20;
    let mut store =
        Store::open_with(dir.path(), Options { bytes: limit, ..Options::default() }).unwrap();
    let line = "x".repeat(900);
    for i in 0..400u32 {
        let lines =
            (0..20).map(|j| evidence(&stranger(i * 20 + j).to_string(), i64::from(i), &line));
        store.commit(&batch(lines.collect())).unwrap();
    }
    drop(store);
    let size = std::fs::metadata(dir.file()).unwrap().len();
    println!("{size} bytes after 8000 lines of 900");
    assert!(size < limit * 3 / 2, "{size}");
}

#[test]
fn a_waiting_batch_is_bounded_and_keeps_who_is_out() {
    let mut waiting = Batch::default();
    let mut dropped = 0;
    for round in 0..40u32 {
        let mut newer = bans(0..100);
        for event in &mut newer.events {
            if let Event::Ban(ban) = event {
                ban.since = Time(i64::from(round));
            }
        }
        newer.events.extend((0..4000).map(|i| evidence(&stranger(i).to_string(), 1, "x")));
        newer.checkpoints.insert("auth.log".to_owned(), Some(round.to_string()));
        dropped += waiting.merge(newer);
    }
    assert!(waiting.events.len() < 110_000 && dropped > 50_000);
    assert_eq!(waiting.checkpoints.len(), 1);
    let dir = Dir::new();
    let mut store = Store::open(dir.path()).unwrap();
    store.commit(&waiting).unwrap();
    let memory = store.load(NOW).unwrap();
    assert_eq!(memory.bans.len(), 100);
    assert!(memory.bans.iter().all(|ban| ban.since == Time(39)));
    assert_eq!(memory.checkpoints, [("auth.log".to_owned(), "39".to_owned())]);
}

/// A ban has the time of a log's line, which says whole seconds; a lift the time of the clock.
#[test]
fn within_a_second_what_was_written_first_is_told_first() {
    let dir = Dir::new();
    let mut store = Store::open(dir.path()).unwrap();
    let who = stranger(1);
    let at = |micros: i64| NOW.0 + micros;
    let since = |micros: i64| Event::Ban(Ban { since: Time(at(micros)), ..ban(who) });
    let events = vec![
        since(0),
        lift(who, at(600_000), Lifted::Manual),
        since(0),
        lift(who, at(300_000), Lifted::Manual),
    ];
    store.commit(&batch(events)).unwrap();
    let kinds = |events: Vec<Event>| -> Vec<bool> {
        let all = events.iter().filter(|event| !matches!(event, Event::Evidence { .. }));
        all.map(|event| matches!(event, Event::Ban(_))).collect()
    };
    assert_eq!(kinds(store.history(Some(who), 10).unwrap()), [true, false, true, false]);
}
