//! What the real knockd did (`tests/lab/knockd/record.py` wrote it down), and what the engine does
//! with the same file and the same packets: in knockd's manner the same, in the ordinary manner the
//! same or what the table below says.
//!
//! Cases of the same form from elsewhere: `KNOCK_CASES=FILE cargo test -p sereno-config --test
//! knockd_cases -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test"
)]

use serde_json::Value;
use sereno_config::{Document, knockd};
use sereno_core::door::{Action, Deed, Flags, Knocks, Manner, Packet, When};
use sereno_core::time::Time;
use std::net::IpAddr;

const FOREIGN: &str = "another new connection in between spoils a knock";
const REPEAT: &str = "a repeated hit is no mistake";
const AGAIN: &str = "who begins again before the end is let in";
const TIME: &str = "time is counted from the first hit, not in whole seconds";
const OTHERS: &str = "an attempt that ends takes no other with it";
const DOORS: &str = "an attempt at one door does not eat the first hit of another";
const EXTENDS: &str = "knocking again extends: one stop, after the last";
const SURVIVES: &str = "the other doors go on after the last one-time sequence of one";
const QUIET: &str = "neighbouring ports open only to who tried none before";

/// Cases in which the ordinary manner lets in others than knockd does: who is let in, and why.
const BETTER: &[(&str, &[&str], &str)] = &[
    ("foreign-between", &[], FOREIGN),
    ("foreign-after-start", &[], FOREIGN),
    ("first-twice", &["A start 192.0.2.2"], REPEAT),
    ("first-four-times", &["A start 192.0.2.2"], REPEAT),
    ("middle-twice", &["A start 192.0.2.2"], REPEAT),
    ("every-one-twice", &["A start 192.0.2.2"], REPEAT),
    ("late-repeat", &["A start 192.0.2.2"], REPEAT),
    ("restart-half-way", &["A start 192.0.2.2"], AGAIN),
    ("knock-missing-last", &["A start 192.0.2.2", "A start 192.0.2.2"], AGAIN),
    ("open-port-no-flags", &["A start 192.0.2.2"], REPEAT),
    ("one-second-across", &["A start 192.0.2.2"], TIME),
    ("two-seconds-too-late", &["A start 192.0.2.2"], TIME),
    ("timeout-counts-from-first", &["A start 192.0.2.2"], TIME),
    ("two-clients-first-done", &["A start 192.0.2.2", "A start 192.0.2.3"], OTHERS),
    ("two-clients-one-fails", &["A start 192.0.2.2"], OTHERS),
    ("three-clients", &["A start 192.0.2.2", "A start 192.0.2.3", "A start 192.0.2.4"], OTHERS),
    ("one-address-two-clients", &["A start 192.0.2.2"], REPEAT),
    ("spoofed-first", &["A start 192.0.2.2"], REPEAT),
    ("prefix-first", &["A start 192.0.2.2", "X start 192.0.2.2"], OTHERS),
    ("other-door-first-eaten", &["X start 192.0.2.2"], DOORS),
    ("overlap", &["A start 192.0.2.2", "X start 192.0.2.2"], DOORS),
    ("single-and-long", &["A start 192.0.2.2", "X start 192.0.2.2"], OTHERS),
    ("stop-twice", &["A start 192.0.2.2", "A start 192.0.2.2", "A stop 192.0.2.2"], EXTENDS),
    ("scan-upwards", &[], FOREIGN),
    ("scan-neighbours", &[], QUIET),
    ("flags-other-door-waits", &["X start 192.0.2.2"], DOORS),
    ("three-late-at-once", &["A start 192.0.2.4"], TIME),
    ("one-time-last", &["A start 192.0.2.2", "X start 192.0.2.2"], SURVIVES),
    ("one-time-reuse-and-later-clients", &["A start 192.0.2.3", "A start 192.0.2.4"], OTHERS),
];
/// Files that one of the two does not take.
const READ: &[(&str, bool, &str)] = &[
    ("parse-wrapped", true, "a line that a page broke is put together"),
    ("parse-target-name", false, "a door that nobody can ever knock at is an error"),
    ("parse-target-wrong", false, "a door that nobody can ever knock at is an error"),
];

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("")
}

fn list(value: &Value) -> Vec<String> {
    let strings = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    strings.map(ToOwned::to_owned).collect()
}

/// Microseconds, or seconds with a fraction.
fn time(value: &Value) -> Time {
    value.as_i64().map_or_else(|| Time((value.as_f64().unwrap() * 1e6).round() as i64), Time)
}

fn packet(value: &Value, at: Time, port: u16) -> Packet {
    let (source, destination): (IpAddr, IpAddr) =
        (text(value, "src").parse().unwrap(), text(value, "dst").parse().unwrap());
    if text(value, "proto") == "udp" {
        return Packet::udp(at, source, destination, port);
    }
    let bits = text(value, "flags").chars().map(|c| match c {
        'F' => Flags::FIN,
        'S' => Flags::SYN,
        'R' => Flags::RST,
        'P' => Flags::PSH,
        'A' => Flags::ACK,
        'U' => Flags::URG,
        other => panic!("the flag {other}"),
    });
    let flags = bits.fold(Flags::default(), Flags::and);
    Packet::tcp(at, source, destination, port, flags)
}

/// The packets of a case; ports that follow each other stand there as the first and the last.
fn packets(case: &Value) -> Vec<Packet> {
    let mut packets = Vec::new();
    for value in case["packets"].as_array().into_iter().flatten() {
        let port = |key: &str| i64::try_from(value[key].as_u64().unwrap()).unwrap();
        let (first, begin) = (port("dport"), time(&value["t"]));
        if value.get("to").is_none() {
            packets.push(packet(value, begin, first as u16));
            continue;
        }
        let (last, end) = (port("to"), time(&value["until"]));
        let count = (last - first).abs();
        for at in 0..=count {
            let moment = Time(begin.0 + (end.0 - begin.0) * at / count);
            packets.push(packet(value, moment, (first + (last - first).signum() * at) as u16));
        }
    }
    for step in case["steps"].as_array().into_iter().flatten().filter(|s| text(s, "op") == "scan") {
        let ports = list_of_ports(&step["scan"]);
        let moment = |at: usize| Time(1_000_000_000 + at as i64 * 50);
        packets.extend(ports.iter().enumerate().map(|(at, port)| packet(step, moment(at), *port)));
    }
    packets
}

fn list_of_ports(scan: &Value) -> Vec<u16> {
    let ends: Vec<u16> = scan
        .as_array()
        .unwrap()
        .iter()
        .map(|v| u16::try_from(v.as_u64().unwrap()).unwrap())
        .collect();
    match ends[..] {
        [first, last] if first <= last => (first..=last).collect(),
        [first, last] => (last..=first).rev().collect(),
        _ => panic!("{scan}"),
    }
}

fn read(case: &Value) -> knockd::Outcome {
    let document =
        Document { name: "knockd.conf".to_owned(), text: text(case, "config").to_owned() };
    let ots = case["ots"].as_str().map(ToOwned::to_owned);
    knockd::read(&document, &|path: &str| ots.clone().filter(|_| path == "{OTS}"))
}

/// What the commands wrote, sorted; and the log.
fn run(
    case: &Value,
    outcome: &knockd::Outcome,
    manner: Manner,
    locals: &[IpAddr],
) -> (Vec<String>, Vec<String>) {
    let doors = outcome.doors.iter().map(|section| section.door.clone()).collect();
    let mut knocks = Knocks::new(doors, locals.iter().copied(), manner, Time(0)).unwrap();
    let mut actions = Vec::new();
    packets(case).iter().for_each(|packet| knocks.packet(packet, &mut actions));
    let last = packets(case).last().map_or(Time(0), |packet| packet.at);
    let end = case.get("end").map_or(last.plus(std::time::Duration::from_secs(20)), time);
    knocks.tick(end, &mut actions);
    let doors: Vec<_> = knocks.doors().collect();
    let (mut ran, mut log) = (Vec::new(), Vec::new());
    for action in actions {
        match action {
            Action::Run { door, addr, when } => {
                let deeds = doors[door].deeds(addr);
                let deed = if when == When::Start { &deeds.start } else { &deeds.stop };
                let Deed::Run(command) = deed else { panic!("{deed:?} is no command") };
                let said =
                    command.strip_prefix("echo \"").and_then(|text| text.split_once("\" >>"));
                let said =
                    said.unwrap_or_else(|| panic!("{command}")).0.replace(" $(date +%s.%N)", "");
                ran.push(said.replace("%IP%", &addr.to_string()));
            }
            Action::Stage { door, addr, stage } => {
                log.push(format!("{addr}: {}: Stage {stage}", doors[door].name));
            }
            Action::Knocked { door, addr } => {
                log.push(format!("{addr}: {}: OPEN SESAME", doors[door].name));
            }
            Action::TimedOut { door, addr, stage } => {
                log.push(format!("{addr}: {}: sequence timeout (stage {stage})", doors[door].name));
            }
            Action::Used { .. } | Action::Exhausted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    ran.sort();
    (ran, log)
}

fn own() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/knockd/cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn here() -> Vec<IpAddr> {
    ["192.0.2.1", "2001:db8::1"].into_iter().map(|addr| addr.parse().unwrap()).collect()
}

#[test]
fn files_are_taken_as_knockd_takes_them() {
    for case in own() {
        let id = text(&case, "id");
        let outcome = read(&case);
        let other = READ.iter().find(|(name, ..)| *name == id);
        let expected = other.map_or(case["starts"].as_bool().unwrap(), |(_, taken, _)| *taken);
        assert_eq!(!outcome.has_errors(), expected, "{id}: {:#?}", outcome.problems);
        assert!(outcome.problems.iter().all(|problem| !problem.remedy.is_empty()));
    }
}

#[test]
fn the_strict_manner_is_that_of_knockd() {
    // What knockd did not survive (case "one-time-last") is not copied.
    let cases = own();
    let survived = |case: &&Value| case["starts"] == true && case["crashed"] == false;
    for case in cases.iter().filter(survived) {
        let outcome = read(case);
        let (ran, log) = run(case, &outcome, Manner::Strict, &here());
        let mut expected = list(&case["ran"]);
        expected.sort();
        assert_eq!((ran, log), (expected, list(&case["log"])), "{}", text(case, "id"));
    }
}

#[test]
fn the_ordinary_manner_is_that_of_knockd_or_better() {
    let (mut wrong, mut used) = (Vec::new(), 0);
    for case in own().iter().filter(|case| case["starts"] == true) {
        let id = text(case, "id");
        let (ran, _) = run(case, &read(case), Manner::Fair, &here());
        let mut same = list(&case["ran"]);
        same.sort();
        let better = BETTER.iter().find(|(name, ..)| *name == id);
        used += usize::from(better.is_some());
        let expected: Vec<String> = match better {
            Some((_, ran, _)) => ran.iter().map(ToString::to_string).collect(),
            None => same.clone(),
        };
        assert!(better.is_none() || expected != same, "{id} is no different");
        if ran != expected {
            wrong.push(format!("{id}: {ran:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used, BETTER.len());
}

/// Cases recorded elsewhere. What belongs to the capture (interfaces, VLANs) or to the program
/// (signals) is passed over, and said.
#[test]
#[ignore = "wants KNOCK_CASES"]
fn cases_from_elsewhere() {
    let file: Value = serde_json::from_str(
        &std::fs::read_to_string(std::env::var("KNOCK_CASES").unwrap()).unwrap(),
    )
    .unwrap();
    let (mut wrong, mut strict, mut passed) = (0, 0, 0);
    for case in file["cases"].as_array().unwrap() {
        let id = text(case, "id");
        let outcome = read(case);
        let starts = case["expect_exit"].as_i64() != Some(1)
            || case["packets"].as_array().is_some_and(|p| !p.is_empty());
        if starts == outcome.has_errors() {
            println!("{id}: starts {starts}; {:?}", outcome.problems);
            wrong += 1;
        }
        let shell = [
            "vlan",
            "sighup-reload",
            "sighup-bad-config",
            "sighup-drops-attempt",
            "any-target-foreign-port",
        ];
        if outcome.has_errors() || shell.contains(&id) || text(case, "kind") == "parse" {
            println!("{id}: not run");
            passed += 1;
            continue;
        }
        let locals = list(&case["local_addresses"]);
        let locals: Vec<IpAddr> = locals.iter().map(|addr| addr.parse().unwrap()).collect();
        let sorted = |value: &Value| {
            let mut list = list(value);
            list.sort();
            list
        };
        let (ran, log) = run(case, &outcome, Manner::Strict, &locals);
        let mut expected = list(&case["observed"]["log"]);
        let kept = |line: &String| {
            line.contains(": Stage ")
                || line.contains("OPEN SESAME")
                || line.contains("sequence timeout")
        };
        expected.retain(kept);
        let crashed = case["expect_exit"].as_i64().is_some_and(|code| code < 0);
        if !crashed && (ran != sorted(&case["expect_knockd"]) || log != expected) {
            println!("{id}: strict {ran:?} {log:?}, not {} {expected:?}", case["expect_knockd"]);
            wrong += 1;
        }
        strict += 1;
        let (ran, _) = run(case, &outcome, Manner::Fair, &locals);
        let same = ran == sorted(&case["expect_knockd"]);
        if !same {
            let documented =
                case["expect_documented"].is_array() && ran == sorted(&case["expect_documented"]);
            println!(
                "{id}: fair {ran:?}, knockd {}, its manual {documented}",
                case["expect_knockd"]
            );
        }
    }
    println!("{strict} run, {passed} not run, {wrong} wrong");
    assert_eq!(wrong, 0);
}
