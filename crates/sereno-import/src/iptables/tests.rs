use crate::{Grade, Imported, Remark, Source, iptables};
use sereno_core::gate::Name;
use sereno_core::gate::policy::{Known, Rule, Services};

/// The script of a page, with its prompts and where it breaks lines.
const PAGE: &str = include_str!("../../tests/data/page.txt");

fn read(texts: &[(&str, &str)]) -> Imported {
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let imported = iptables(&sources);
    // What is written is what a file would say.
    let names: Vec<Name> = imported.policy.names().collect();
    let zone = jiff::tz::TimeZone::UTC;
    let services = Services::default();
    for rule in &imported.policy.rules {
        let known = Known { services: &services, zones: &names, zone: &zone };
        assert_eq!(Rule::parse(&rule.text, known).unwrap(), *rule);
    }
    imported.policy.check().unwrap();
    imported
}

fn rules(imported: &Imported) -> Vec<&str> {
    imported.policy.rules.iter().map(|rule| rule.text.as_str()).collect()
}

/// Remarks of a grade, with their lines.
fn told(imported: &Imported, grade: Grade) -> Vec<(usize, &Remark)> {
    let of = imported.remarks.iter().filter(|told| told.remark.grade() == grade);
    of.map(|told| (told.place.map_or(0, |place| place.line), &told.remark)).collect()
}

fn one(text: &str) -> Imported {
    read(&[("rules", text)])
}

#[test]
fn a_page_becomes_a_policy() {
    let imported = one(PAGE);
    let zone = &imported.policy.zones[0];
    assert_eq!((zone.name.as_str(), zone.open), ("trusted", true));
    assert_eq!(zone.networks, ["192.168.0.0/24".parse().unwrap()]);
    let expected = [
        "allow udp/5060 on eth0",
        "allow iax2 on eth0",
        "allow rtp on eth0",
        "allow udp/2727 on eth0",
        "allow tcp/9090 on eth0",
        "allow smtp on eth0",
        "allow pop3 on eth0",
        "allow imap on eth0",
        "allow http on eth0",
        "allow tcp/443 on eth0",
        "allow ssh on eth0",
    ];
    assert_eq!(rules(&imported), expected);
    let weak = told(&imported, Grade::Weak);
    let port = |text: &str| text.parse().unwrap();
    let lan = "192.168.0.0/24".parse().unwrap();
    for remark in [
        (2, &Remark::Spoofed(lan)),
        (8, &Remark::Wide(port("udp/10000-20000"))),
        (13, &Remark::Delicate(port("tcp/9090"))),
        (16, &Remark::Clear(port("tcp/110"))),
        (17, &Remark::Clear(port("tcp/143"))),
        (21, &Remark::RepliesLate(11)),
        (26, &Remark::OnlyOn("eth0".to_owned())),
        (0, &Remark::V6Open),
    ] {
        assert!(weak.contains(&remark), "{remark:?} in {weak:?}");
    }
    assert_eq!(weak.len(), 8, "{weak:?}");
    assert_eq!(told(&imported, Grade::Left), []);
    let changed = [(26, &Remark::Closed("eth0".to_owned())), (30, &Remark::Flushed)];
    assert_eq!(told(&imported, Grade::Changed), changed);
}

#[test]
fn both_families_are_one_list() {
    let v4 = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
              -A INPUT -p icmp -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -p udp -m udp --dport 5060 -j ACCEPT\n\
              -A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment \"the web\" -j ACCEPT\nCOMMIT\n";
    let v6 = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
              -A INPUT -p ipv6-icmp -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 25 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp6-port-unreachable\nCOMMIT\n";
    let imported = read(&[("/etc/iptables/rules.v4", v4), ("/etc/iptables/rules.v6", v6)]);
    let expected = [
        "allow ip/1",
        "allow ssh from 0.0.0.0/0",
        "allow udp/5060 from 10.0.0.0/8",
        "allow ip/58",
        "allow http, tcp/443   # the web",
        "allow smtp from ::/0",
    ];
    assert_eq!(rules(&imported), expected);
    assert_eq!(imported.remarks, []);
}

#[test]
fn chains_are_followed_and_what_never_matches_is_told() {
    let imported = one(
        "iptables -P INPUT DROP\niptables -N LAN\niptables -A INPUT -i eth1 -s 10.0.0.0/8 -j LAN\n\
        iptables -A LAN -p tcp --dport 22 -j ACCEPT\niptables -A LAN -s 10.1.0.0/16 -j DROP\niptables -A LAN -s 172.16.0.1 -j ACCEPT\n\
        iptables -A LAN -j RETURN\niptables -A LAN -j ACCEPT\niptables -A INPUT -j LAN2\n\
        iptables -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\niptables -A INPUT -p tcp --dport 22 -i eth1 -s 10.2.0.0/16 -j DROP\n\
        iptables -A INPUT -p icmp --icmp-type echo-request -j ACCEPT\niptables -A INPUT -j DROP\niptables -A INPUT -p tcp --dport 443 -j ACCEPT\n",
    );
    let expected =
        ["allow ssh from 10.0.0.0/8 on eth1", "drop all from 10.1.0.0/16 on eth1", "allow ping"];
    assert_eq!(rules(&imported), expected);
    assert_eq!(told(&imported, Grade::Left), [(9, &Remark::Target("LAN2".to_owned()))]);
    let weak = told(&imported, Grade::Weak);
    let place = |line| crate::Place { source: 0, line };
    assert!(weak.contains(&(11, &Remark::Unreached(place(4)))), "{weak:?}");
    assert!(weak.contains(&(14, &Remark::Unreached(place(13)))), "{weak:?}");
}

#[test]
fn what_a_policy_cannot_say_is_told() {
    let imported = one(
        "iptables -A INPUT -m set --match-set bad src -j DROP\niptables -A INPUT -p tcp --dport 22 -m geoip --src-cc ES -j ACCEPT\n\
        iptables -A INPUT -s example.org -j ACCEPT\niptables -A INPUT -i eth+ -p udp -j ACCEPT\niptables -A INPUT -p tcp --tcp-flags ALL NONE -j DROP\n\
        iptables -A INPUT -j f2b-sshd\niptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 10.0.0.1\niptables -A OUTPUT -p udp -j DROP\n\
        iptables -A FORWARD -j ACCEPT\niptables -A INPUT -j LOG --log-prefix 'x y'\niptables -A INPUT -p tcp --dport 70000 -j ACCEPT\n\
        iptables -A INPUT -m state --state INVALID -j DROP\niptables -A INPUT ! -s 10.0.0.0/8 -p tcp --dport 3306 -j DROP\n\
        iptables -A INPUT -p tcp --dport 22 -j ACCEPT\niptables -A INPUT -j DROP\n",
    );
    let left = told(&imported, Grade::Left);
    let condition = |words: &str, opens| Remark::Condition { words: words.to_owned(), opens };
    for (line, remark) in [
        (1, condition("-m set, --match-set bad src", true)),
        (2, condition("-m geoip, --src-cc ES", false)),
        (3, condition("-s example.org", false)),
        (4, condition("-i eth+", false)),
        (5, condition("--tcp-flags ALL NONE", true)),
        (6, Remark::Bans("f2b-sshd".to_owned())),
        (7, Remark::Table("nat".to_owned())),
        (9, Remark::Forwarded),
        (10, Remark::Target("LOG".to_owned())),
        (11, Remark::Word("70000".to_owned())),
    ] {
        assert!(left.contains(&(line, &remark)), "{line} {remark:?} in {left:?}");
    }
    assert_eq!(left.len(), 10, "{left:?}");
    assert_eq!(imported.policy.rules.len(), 2);
    assert!(imported.policy.rules[0].text.starts_with("drop mysql from 128.0.0.0/1 64.0.0.0/2 "));
    assert_eq!(told(&imported, Grade::Weak), [(0, &Remark::V6Open), (0, &Remark::NoReplies)]);
}

#[test]
fn all_but_some_is_so_for_both_families() {
    let imported = one(
        "iptables -P INPUT DROP\niptables -A INPUT -p udp --dport 5060 ! -s 192.0.2.0/25 -j DROP\n\
        iptables -A INPUT -p udp --dport 5060 -j ACCEPT\n",
    );
    assert!(imported.policy.rules[0].text.ends_with(" ::/0"), "{}", imported.policy.rules[0].text);
    assert_eq!(imported.policy.rules[1].text, "allow udp/5060");
    assert!(!imported.empty && one("echo hello\n").empty && one("*filter\nCOMMIT\n").empty);
}

/// The beginning of rules that shut all.
const SHUT: &str =
    "iptables -P INPUT DROP\niptables -A INPUT -m state --state ESTABLISHED -j ACCEPT\n";

/// What would let in more than the old rules did, had it been read carelessly.
#[test]
fn what_is_not_understood_lets_nobody_in() {
    for rule in [
        "-p tcp --dport 22 -m recent --rcheck --seconds 30 --name KNOCK --rsource -j ACCEPT",
        "-m recent ! --rcheck --seconds 60 --name bad -j ACCEPT",
        "-m socket -j ACCEPT",
        "-m icmp --icmp-type 8 -j ACCEPT",
        "-p udp --dport 22 -s 10.0.0.0/8 -m iprange --src-range 192.0.2.1-192.0.2.9 -j ACCEPT",
    ] {
        let imported = one(&format!("{SHUT}iptables -A INPUT {rule}\n"));
        assert!(imported.policy.rules.is_empty() && imported.policy.zones.is_empty(), "{rule}");
        assert_eq!(told(&imported, Grade::Left).len(), 1, "{rule}");
    }
}

#[test]
fn nothing_is_let_in_that_was_not() {
    for (rules, wanted) in [
        ("-m recent --rcheck --seconds 86400 --name scan -j DROP", &[][..]),
        (
            "-p tcp --dport 22 -jDROP\niptables -A INPUT -p tcp --dport=22:23 -j ACCEPT",
            &["drop ssh", "allow tcp/22-23"],
        ),
        ("-p udp -m limit -j ACCEPT", &["allow udp rate 3/hour burst 5"]),
        (
            "-i eth1 -m hashlimit --hashlimit-upto 9/min --hashlimit-mode srcip --hashlimit-name x -j ACCEPT",
            &["allow all on eth1 rate 9/minute burst 5"],
        ),
        (
            "-p tcp --dport 1024:65535 -m multiport ! --dports 3306 -j ACCEPT",
            &["allow tcp/1024-3305, tcp/3307-65535"],
        ),
        (
            "-p tcp --dport 22 -m connlimit --connlimit-above 3 -j DROP\niptables -A INPUT -p tcp -s 192.0.2.1 --dport 22 -j ACCEPT\n\
          iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
            &["allow ssh from 192.0.2.1 limit 3", "allow ssh limit 3"],
        ),
        ("-p tcp -m tcp --dport 23 -j ACCEPT\niptables -D INPUT -p tcp --dport 23 -j ACCEPT", &[]),
        (
            "-s 203.0.113.0/24 -g Q\niptables -A Q -p icmp -j ACCEPT\niptables -A INPUT -p tcp --dport 443 -j ACCEPT",
            &["allow ip/1 from 203.0.113.0/24"],
        ),
        ("-j W\niptables -A W -s 203.0.113.0/24 -j RETURN\niptables -A W -p tcp -j ACCEPT", &[]),
        ("-p tcp --dport 80 -j ACCEPT\nexit 0\niptables -A INPUT -j ACCEPT", &["allow http"]),
        ("-p tcp --dport 80 -j ACCEPT\niptables -P INPUT ACCEPT\niptables -F", &["allow http"]),
        (
            "-p tcp --dport 80 -j ACCEPT\nX=1.2.3.4\nX=`cat f`\niptables -A INPUT -s $X -j ACCEPT",
            &["allow http"],
        ),
        (
            "-p tcp --dport 80 -j ACCEPT\nX=1; iptables -A INPUT -s 192.0.2.7 -j DROP",
            &["allow http", "drop all from 192.0.2.7"],
        ),
    ] {
        let imported =
            one(&format!("{SHUT}iptables -N Q\niptables -N W\niptables -A INPUT {rules}\n"));
        let found: Vec<&str> = self::rules(&imported);
        assert_eq!(found, wanted, "{rules}\n{:?}", imported.remarks);
        let lost = wanted.is_empty() && told(&imported, Grade::Left).is_empty();
        assert!(!lost || rules.contains("-D INPUT"), "{rules}: nothing is said");
    }
}

/// Lists of lists of lists, and a line that never ends.
#[test]
fn what_grows_is_cut() {
    let many = "-s 128.0.0.0/1,".trim_end_matches(',').to_owned() + &",128.0.0.0/1".repeat(1200);
    let deep = format!(
        "iptables -N A\niptables -N B\niptables -A INPUT {many} -j A\niptables -A A {many} -j B\niptables -A B {many} -j ACCEPT\n"
    );
    one(&deep);
    one(&"a\\\n".repeat(300_000));
}

#[test]
fn rates_become_rates() {
    let imported = one(
        "iptables -P INPUT DROP\niptables -A INPUT -m state --state ESTABLISHED -j ACCEPT\n\
        iptables -A INPUT -p tcp --dport 22 -m state --state NEW -m recent --set --name SSH\n\
        iptables -A INPUT -p tcp --dport 22 -m state --state NEW -m recent --update --seconds 60 --hitcount 4 --name SSH -j DROP\n\
        iptables -A INPUT -p tcp --dport 22 -j ACCEPT\niptables -A INPUT -p tcp --syn --dport 80 -m connlimit --connlimit-above 20 -j REJECT --reject-with tcp-reset\n\
        iptables -A INPUT -p tcp --dport 80 -j ACCEPT\niptables -A INPUT -p icmp --icmp-type 8 -m limit --limit 5/sec -j ACCEPT\n\
        iptables -A INPUT -p udp --dport 5060 -m hashlimit --hashlimit-upto 30/min --hashlimit-burst 60 --hashlimit-mode srcip --hashlimit-name sip -j ACCEPT\n\
        iptables -A INPUT -p udp --dport 53 -m limit --limit 5/sec -j DROP\n",
    );
    let expected = [
        "allow ssh rate 3/minute",
        "allow http limit 20",
        "allow ping rate 5/second",
        "allow udp/5060 rate 30/minute burst 60",
    ];
    assert_eq!(rules(&imported), expected);
    let changed = told(&imported, Grade::Changed);
    assert_eq!(changed, [(4, &Remark::Rate("recent 4/60".to_owned())), (8, &Remark::PerSource)]);
    let limit = Remark::Condition { words: "limit".to_owned(), opens: true };
    assert_eq!(told(&imported, Grade::Left), [(10, &limit)]);
}

#[test]
fn commands_take_back_what_others_said() {
    let imported = one(
        "iptables -A INPUT -j DROP\niptables -F\niptables -X\niptables -P INPUT ACCEPT\n\
        iptables -A INPUT -p tcp --dport 80 -j ACCEPT\niptables -I INPUT -p tcp --dport 22 -j ACCEPT\niptables -A INPUT -p tcp --dport 81 -j ACCEPT\n\
        iptables -D INPUT -p tcp --dport 81 -j ACCEPT\niptables -R INPUT 2 -p tcp --dport 82 -j ACCEPT\niptables -I INPUT 2 -s 192.0.2.1 -j DROP\n",
    );
    let expected = ["allow ssh", "drop all from 192.0.2.1", "allow tcp/82", "allow all"];
    assert_eq!(rules(&imported), expected);
    assert!(told(&imported, Grade::Weak).contains(&(0, &Remark::OpenByDefault)));
}

#[test]
fn loops_and_floods_of_rules_end() {
    let mut text = "iptables -N A\niptables -N B\niptables -A A -j B\niptables -A B -j A\niptables -A A -j B\niptables -A INPUT -j A\n".to_owned();
    one(&text);
    for port in 0..3000 {
        text.push_str(&format!("iptables -A INPUT -p tcp --dport {port} -j ACCEPT\n"));
    }
    let imported = one(&text);
    assert_eq!(imported.policy.rules.len(), 1000);
    assert!(imported.remarks.iter().any(|told| told.remark == Remark::TooMany));
}
