use super::*;
use crate::gate::policy::zone::{self, spans};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::net::IpAddr;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn zone(title: &str, networks: &[&str], interfaces: &[&str]) -> Zone {
    Zone {
        name: name(title),
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
        interfaces: interfaces.iter().map(|text| (*text).to_owned()).collect(),
        open: title == TRUSTED,
    }
}

fn parse(line: &str) -> Result<Rule, String> {
    parse_for(Side::In, line)
}

fn parse_for(side: Side, line: &str) -> Result<Rule, String> {
    let mut services = Services::default();
    services.add("zulu", vec!["tcp/8002".parse().unwrap()]);
    let zones = [name("trusted"), name("local"), name("world")];
    let zone = TimeZone::get("Europe/Madrid").unwrap();
    let known = Known { services: &services, zones: &zones, zone: &zone };
    Rule::parse_for(side, line, known).map_err(|wrong| {
        let about: String = line[wrong.at..].chars().take(wrong.width).collect();
        format!("{about}: {}; {}", wrong.message, wrong.remedy)
    })
}

#[test]
fn a_line_says_who_may_reach_what() {
    let rule = parse("allow ssh").unwrap();
    assert_eq!((rule.deed, &rule.from), (Deed::Allow, &Who::Anybody));
    assert_eq!(rule.what, [What::Ports("tcp/22".parse().unwrap())]);
    let text = "allow sip,zulu, udp/10000-20000 from local 192.0.2.0/24 2001:db8::/32 on eth0 eth0.7 \
                to 198.51.100.1 rate 10/minute burst 20 limit 5 until 2026-12-04  # the fair, tú";
    let rule = parse(text).unwrap();
    assert_eq!(rule.text, text);
    assert_eq!(rule.what.len(), 4);
    let networks = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    assert_eq!(rule.from, Who::Those { zones: vec![name("local")], networks });
    assert_eq!(rule.on, ["eth0", "eth0.7"]);
    assert_eq!(rule.to, ["198.51.100.1".parse().unwrap()]);
    let minute = Duration::from_secs(60);
    assert_eq!(rule.rate, Some(Rate { count: 10, per: minute, burst: 20 }));
    assert_eq!(rule.limit, Some(5));
    // The whole day counts, where the machine is.
    assert_eq!(rule.until, Some("2026-12-04T23:00:00Z".parse().unwrap()));
    let until = |text: &str| parse(&format!("allow all until {text}")).unwrap().until;
    assert_eq!(until("2026-12-04T18:30"), Some("2026-12-04T17:30:00Z".parse().unwrap()));
    assert_eq!(parse("drop all from any").unwrap().from, Who::Anybody);
    assert_eq!(parse("reject ping on wg0 from world").unwrap().what, [What::Ping]);
}

#[test]
fn a_line_about_what_goes_out_says_to_whom() {
    let out = |line: &str| parse_for(Side::Out, line);
    let rule =
        out("reject sip, zulu on eth0 to local 192.0.2.0/24 until 2026-12-04  # why").unwrap();
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    assert_eq!(rule.toward, Who::Those { zones: vec![name("local")], networks });
    assert_eq!((rule.from, rule.to, rule.on), (Who::Anybody, vec![], vec!["eth0".to_owned()]));
    assert_eq!(out("allow all to any").unwrap().toward, Who::Anybody);
    for (line, said) in [
        (
            "allow dns from local",
            "from: what goes out comes from this machine; write to whom it goes, such as to local or to 192.0.2.0/24",
        ),
        (
            "allow smtp rate 3/minute",
            "rate: a rate counts who comes in; take it out: what goes out is allowed or not",
        ),
        (
            "allow smtp limit 3",
            "limit: a limit counts who comes in; take it out: what goes out is allowed or not",
        ),
        (
            "allow smtp to",
            "to: nothing stands behind to; write a zone or a network, such as to local or to 192.0.2.0/24",
        ),
        (
            "allow smtp to relay",
            "relay: \"relay\" is no address and no network; write a zone (trusted, local, world) or a network such as 192.0.2.0/24",
        ),
    ] {
        assert_eq!(out(line).unwrap_err(), said, "{line}");
    }
    for line in ["allow ntp, rtp", "allow smtp on eth0 to local 198.51.100.25   # the relay"] {
        let rule = out(line).unwrap();
        let written = rule.clone().written(line.split('#').nth(1).unwrap_or_default());
        assert_eq!(out(&written.text).unwrap(), written);
        assert_eq!(written, rule, "{line}");
    }
}

#[test]
fn a_line_that_another_hides_is_told_on_either_side() {
    let rules = |side, lines: &[&str]| -> Vec<Rule> {
        lines.iter().map(|line| parse_for(side, line).unwrap()).collect()
    };
    let out = rules(Side::Out, &["allow tcp to local", "drop smtp", "reject ssh to local"]);
    let hidden: Vec<_> = (0..4).map(|at| shadow(&out, at)).collect();
    assert_eq!(hidden, [None, None, Some(0), None]);
    let lines = rules(Side::In, &["allow sip to 192.0.2.0/24", "drop udp/5060 to 192.0.2.1"]);
    assert_eq!(shadow(&lines, 1), Some(0));
}

#[test]
fn what_a_policy_of_before_says_is_read_as_it_was() {
    let policy = Policy { rules: vec![parse("allow ssh").unwrap()], ..Policy::default() };
    let text = serde_json::to_string(&policy).unwrap();
    assert!(!text.contains("toward") && !text.contains("\"out\""), "{text}");
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    let out = Some(vec![parse_for(Side::Out, "allow dns to local").unwrap()]);
    let strict = Policy { out, ..policy };
    let text = serde_json::to_string(&strict).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), strict);
}

#[test]
fn a_rule_is_written_as_it_is_read() {
    for line in [
        "allow ssh",
        "allow iax2, rtp on eth0 eth1   # the trunk",
        "drop all from local 192.0.2.0/24 2001:db8::/32 to 198.51.100.1",
        "reject ping, udp, tcp/70-80 from world",
        "allow tcp/9090, udp/5060 from 0.0.0.0/0 rate 3/second burst 9 limit 5",
        "allow ip/47 rate 3/day",
    ] {
        let rule = parse(line).unwrap();
        let written = rule.clone().written(line.split('#').nth(1).unwrap_or_default());
        let read = parse(&written.text).unwrap();
        assert_eq!(read, written);
        assert_eq!(Rule { text: line.to_owned(), ..read }, rule);
        assert_eq!(written.text.len(), line.len(), "{}", written.text);
    }
}

#[test]
fn a_rule_can_do_without_the_services_of_its_file() {
    let madrid = TimeZone::get("Europe/Madrid").unwrap();
    let portable = |line: &str| parse(line).unwrap().portable(&madrid).text;
    assert_eq!(
        portable("allow zulu, ssh from local   # why"),
        "allow ssh, tcp/8002 from local   # why"
    );
    for line in ["allow ssh until 2026-12-04   # x", "allow sip, rtp rate 3/minute"] {
        assert_eq!(portable(line), line, "it needs none");
    }
    let text = portable("allow zulu until 2026-12-04");
    assert_eq!(text, "allow tcp/8002 until 2026-12-05T00:00:00");
    assert_eq!(parse(&text).unwrap().until, parse("allow zulu until 2026-12-04").unwrap().until);
}

/// Lines that mean nothing, and what is said of them.
const WRONG: [(&str, &str); 20] = [
    ("", ": there is no rule here; write one, such as allow ssh"),
    ("  # later", ": there is no rule here; write one, such as allow ssh"),
    ("accept ssh", "accept: a rule begins with what it does; write allow, drop or reject"),
    (
        "allow",
        "allow: the rule does not say what it is about; write a service or ports: allow ssh, allow tcp/8443, or all",
    ),
    (
        "allow from local",
        "allow: the rule does not say what it is about; write a service or ports: allow ssh, allow tcp/8443, or all",
    ),
    ("allow shs", "shs: \"shs\" is no service and no port; did you mean ssh?"),
    (
        "allow tcp/70000",
        "tcp/70000: \"tcp/70000\" is no service and no port; write a service such as ssh or sip, or ports such as tcp/8443 or udp/10000-20000",
    ),
    (
        "allow ssh from",
        "from: nothing stands behind from; write a zone or a network, such as from local or from 192.0.2.0/24",
    ),
    (
        "allow ssh from lokal",
        "lokal: \"lokal\" is no address and no network; write a zone (trusted, local, world) or a network such as 192.0.2.0/24",
    ),
    (
        "allow ssh to local",
        "local: \"local\" is no address and no network; write one such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
    ),
    (
        "allow ssh on eth*",
        "eth*: \"eth*\" is no name of an interface; write one as `ip link` shows it, such as eth0",
    ),
    ("allow ssh from local from world", "from: from stands here twice; keep one of them"),
    (
        "allow ssh rate 10",
        "10: \"10\" is no rate; write how many new connections one source may begin, such as rate 10/minute",
    ),
    (
        "allow ssh rate 0/minute",
        "0/minute: \"0/minute\" is no rate; write how many new connections one source may begin, such as rate 10/minute",
    ),
    (
        "allow ssh rate 1/minute often",
        "often: this word belongs to nothing; a rate is written as in rate 10/minute burst 20",
    ),
    (
        "allow ssh limit none",
        "none: a limit is a number of connections; write how many connections one source may have, such as limit 20",
    ),
    (
        "allow ssh limit 3 4",
        "4: this word belongs to nothing; take it out, or put # before what is a remark",
    ),
    (
        "allow ssh until friday",
        "friday: \"friday\" is no day; write a day, such as until 2026-12-04, or a time of it: 2026-12-04T18:00",
    ),
    (
        "drop ssh rate 3/minute",
        "drop: a rate or a limit says how much is allowed; write allow here",
    ),
    ("allow añ ssh", "añ: \"añ\" is no service and no port; did you mean ah?"),
];

#[test]
fn what_a_line_cannot_mean_is_told_at_its_place() {
    for (line, said) in WRONG {
        assert_eq!(parse(line).unwrap_err(), said, "{line}");
    }
    assert!(parse(&format!("allow {}", "x".repeat(5000))).is_err());
    assert!(parse("allow ssh\u{1b}[2J").is_err());
}

#[test]
fn zones_that_cannot_be_told_apart_are_refused() {
    let policy = |zones: Vec<Zone>| Policy { zones, ..Policy::default() }.check();
    assert_eq!(policy(vec![zone("local", &["10.0.0.0/8"], &["eth1"])]), Ok(()));
    for (zones, said) in [
        (vec![zone("world", &[], &[])], "world is what is in no other zone; it has no networks"),
        (vec![zone("a", &[], &[]), zone("a", &[], &[])], "there are two zones named a"),
        (
            vec![zone("a", &["0.0.0.0/0"], &[])],
            "0.0.0.0/0 in zone a would be everybody: that is world",
        ),
        (
            vec![zone("a", &["10.0.0.0/8"], &[]), zone("b", &["10.0.0.0/8"], &[])],
            "10.0.0.0/8 is in the zones a and b; keep one",
        ),
        (
            vec![zone("a", &[], &["eth0"]), zone("b", &[], &["eth0"])],
            "eth0 is in the zones a and b; keep one",
        ),
        (vec![zone("a", &[], &["eth*"])], "\"eth*\" in zone a is no name of an interface"),
        (vec![zone("a", &[], &["eth+"])], "\"eth+\" in zone a is no name of an interface"),
    ] {
        assert_eq!(policy(zones).unwrap_err(), said);
    }
    let rule = parse("allow ssh").unwrap();
    let many = Policy { rules: vec![rule.clone(); 1001], ..Policy::default() };
    let out = Policy { out: Some(vec![rule; 1001]), ..Policy::default() };
    for policy in [many, out] {
        assert_eq!(policy.check().unwrap_err(), "1001 rules are too many; 1000 are the most");
    }
}

#[test]
fn the_nearest_network_names_the_zone() {
    let zones = vec![
        zone("local", &["10.0.0.0/8"], &["eth1"]),
        zone("trusted", &["10.1.0.0/16", "2001:db8::/32"], &[]),
        zone("guests", &["10.1.2.0/24"], &["wlan0"]),
    ];
    let policy = Policy { zones, ..Policy::default() };
    let of = |policy: &Policy, source: &str, on, back| {
        policy.zone(&Origin { source: source.parse().unwrap(), on, back }).to_string()
    };
    for (source, on, back, expected) in [
        ("10.9.9.9", "eth0", true, "local"),
        ("10.1.9.9", "eth0", true, "trusted"),
        ("10.1.2.3", "eth0", true, "guests"),
        ("2001:db8::1", "eth0", true, "trusted"),
        ("192.0.2.1", "eth0", true, "world"),
        ("192.0.2.1", "eth1", true, "local"),
        // Somebody on the other side of the world writes our own addresses into his packets.
        ("10.1.9.9", "eth0", false, "world"),
        ("10.1.9.9", "wlan0", false, "guests"),
    ] {
        assert_eq!(of(&policy, source, on, back), expected, "{source} on {on}");
    }
    let believing = Policy { asymmetric: true, ..policy };
    assert_eq!(of(&believing, "10.1.9.9", "eth0", false), "trusted");
}

proptest! {
    /// The ranges for the kernel say of every address what the longest prefix says.
    #[test]
    fn ranges_are_the_longest_prefix(
        networks in proptest::collection::btree_map((any::<u8>(), 1u8..=32), 0usize..4, 0..12),
        tries in proptest::collection::vec(any::<u32>(), 40),
        six in any::<bool>(),
    ) {
        let names = ["a", "b", "c", "d"];
        let mut zones: Vec<Zone> = names.map(|title| zone(title, &[], &[])).into();
        let addr = |bits: u32| -> IpAddr {
            if six { (u128::from(bits) << 96).to_be_bytes().into() } else { bits.to_be_bytes().into() }
        };
        for ((high, len), of) in &networks {
            // Close together, so that they lie in each other.
            let bits = u32::from(*high) << 22;
            let prefix = Prefix::new(addr(bits), *len).unwrap();
            if !zones.iter().any(|zone| zone.networks.contains(&prefix)) {
                zones[*of].networks.push(prefix);
            }
        }
        let ranges = spans(&zones, !six);
        for pair in ranges.windows(2) {
            prop_assert!(pair[0].1 < pair[1].0, "{ranges:?}");
        }
        let edges = ranges.iter().flat_map(|(first, last, _)| [*first, *last]);
        let random = tries.iter().map(|bits| addr(if bits & 1 == 0 { bits & 0x3fff_ffff } else { *bits }));
        for source in edges.chain(random) {
            let inside = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&source));
            let found = inside.map_or(zone::world(), |(_, _, name)| *name);
            let origin = Origin { source, on: "eth0", back: true };
            prop_assert_eq!(found, zone::of(&zones, false, &origin), "{} in {:?}", source, ranges);
        }
    }

    /// No line makes it stumble.
    #[test]
    fn any_line_is_read_or_refused(words in proptest::collection::vec("allow|drop|ssh|sip,|from|on|to|rate|limit|until|#|local|[^ ]{0,6}|\\PC{0,4}", 0..12)) {
        let line = words.join(" ");
        for side in [Side::In, Side::Out] {
            match parse_for(side, &line) {
                Ok(rule) => prop_assert!(!rule.what.is_empty()),
                Err(said) => prop_assert!(!said.is_empty()),
            }
        }
    }
}
