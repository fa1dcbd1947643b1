//! Random rules of iptables, evaluated one by one as its manual says, beside the policy that they are
//! taken over as. And random text, which is read or told, whatever it is.
#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use sereno_core::addr::Prefix;
use sereno_core::gate::walk::{Model, Seen, State, Toward};
use sereno_core::gate::{Contents, Draft, Gate};
use sereno_core::time::Time;
use sereno_import::{Imported, Remark, Source};
use std::net::IpAddr;

/// Chains that a rule may jump to, each with those behind it.
const CHAINS: [&str; 3] = ["INPUT", "ONE", "TWO"];
const PORTS: [u16; 5] = [22, 80, 5060, 10_000, 20_000];
const V4: [&str; 4] = ["10.20.30.1", "10.20.31.1", "203.0.113.9", "198.51.100.1"];
const V6: [&str; 3] = ["2001:db8:900d::1", "2001:db8:900d:1::1", "2001:db8:bad::9"];
const NETWORKS: [&str; 4] = ["10.20.30.0/24", "10.20.0.0/16", "203.0.113.0/24", "10.20.31.1"];
const NETWORKS6: [&str; 3] = ["2001:db8:900d::/64", "2001:db8::/32", "2001:db8:bad::9"];

/// A rule: what it asks, and where it goes.
#[derive(Clone, Debug)]
struct Rule {
    proto: Option<u8>,
    ports: Option<(u16, u16)>,
    from: Option<(bool, usize)>,
    on: Option<bool>,
    /// 0..=2 are verdicts, 3 and 4 the chains `ONE` and `TWO`, 5 returns.
    target: usize,
}

/// The rules of a family: a policy of `INPUT`, and three chains.
#[derive(Clone, Debug)]
struct Rules {
    six: bool,
    open: bool,
    chains: Vec<Vec<Rule>>,
}

impl Rules {
    fn networks(&self) -> &'static [&'static str] {
        if self.six { &NETWORKS6 } else { &NETWORKS }
    }

    /// As `iptables-save` prints them.
    fn text(&self) -> String {
        let mut text = format!(
            "*filter\n:INPUT {} [0:0]\n:ONE - [0:0]\n:TWO - [0:0]\n",
            if self.open { "ACCEPT" } else { "DROP" }
        );
        for (chain, rules) in CHAINS.iter().zip(&self.chains) {
            for rule in rules {
                text.push_str(&format!("-A {chain}"));
                if let Some((not, at)) = rule.from {
                    let network = self.networks()[at % self.networks().len()];
                    text.push_str(&format!("{} -s {network}", if not { " !" } else { "" }));
                }
                if let Some(first) = rule.on {
                    text.push_str(&format!(" -i eth{}", u8::from(!first)));
                }
                if let Some(proto) = rule.proto {
                    text.push_str(&format!(" -p {}", if proto == 6 { "tcp" } else { "udp" }));
                    if let Some((first, last)) = rule.ports {
                        text.push_str(&format!(" --dport {first}:{last}"));
                    }
                }
                let targets = ["ACCEPT", "DROP", "REJECT", "ONE", "TWO", "RETURN"];
                text.push_str(&format!(" -j {}\n", targets[rule.target]));
            }
        }
        text + "COMMIT\n"
    }

    /// The same rules, about what goes out to where it came from.
    fn outward(&self) -> String {
        let text = self.text().replace(" -s ", " -d ").replace(" -i ", " -o ");
        text.replace("INPUT", "OUTPUT").replacen("*filter\n", "*filter\n:INPUT DROP [0:0]\n", 1)
    }

    /// Whether nothing was said.
    fn are_silent(&self) -> bool {
        self.open && self.chains[0].is_empty()
    }

    /// Whether a packet gets in.
    fn passes(&self, seen: &Seen) -> bool {
        self.chain(0, seen).unwrap_or(self.open)
    }

    fn chain(&self, at: usize, seen: &Seen) -> Option<bool> {
        for rule in self.chains[at].iter().filter(|rule| self.is_about(rule, seen)) {
            let verdict = match rule.target {
                0 => Some(true),
                1 | 2 => Some(false),
                5 => return None,
                chain => self.chain(chain - 2, seen),
            };
            if verdict.is_some() {
                return verdict;
            }
        }
        None
    }

    fn is_about(&self, rule: &Rule, seen: &Seen) -> bool {
        let from = rule.from.is_none_or(|(not, at)| {
            let network: Prefix = self.networks()[at % self.networks().len()].parse().unwrap();
            network.contains(seen.source) != not
        });
        let on = rule.on.is_none_or(|first| seen.on == if first { "eth0" } else { "eth1" });
        let proto = rule.proto.is_none_or(|proto| proto == seen.protocol);
        let ports = rule.proto.and(rule.ports);
        from && on && proto && ports.is_none_or(|(a, b)| (a..=b).contains(&seen.ports.1))
    }
}

fn rule(chain: usize) -> impl Strategy<Value = Rule> {
    let port = || prop::sample::select(PORTS.to_vec());
    let span = (port(), port()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    // A rule returns only at the end of a chain: a policy cannot say "all but these".
    let target = match chain {
        0 => prop::sample::select(vec![0, 0, 0, 1, 2, 3, 4]),
        1 => prop::sample::select(vec![0, 0, 1, 2, 4]),
        _ => prop::sample::select(vec![0, 0, 1, 2]),
    };
    let from = prop::option::of((prop::bool::weighted(0.2), 0_usize..4));
    let on = prop::option::weighted(0.3, any::<bool>());
    let proto = prop::option::weighted(0.8, prop::sample::select(vec![6, 17]));
    (proto, prop::option::weighted(0.9, span), from, on, target)
        .prop_map(|(proto, ports, from, on, target)| Rule { proto, ports, from, on, target })
}

fn rules(six: bool) -> impl Strategy<Value = Rules> {
    let chain = |at| prop::collection::vec(rule(at), 0..7);
    let ended = |at| {
        (chain(at), any::<bool>()).prop_map(|(mut rules, returns)| {
            if returns {
                rules.push(Rule { proto: None, ports: None, from: None, on: None, target: 5 });
                rules.push(Rule { proto: None, ports: None, from: None, on: None, target: 0 });
            }
            rules
        })
    };
    let input = (chain(0), chain(0)).prop_map(|(a, b)| [a, b].concat());
    (any::<bool>(), input, ended(1), ended(2)).prop_map(move |(open, a, b, c)| Rules {
        six,
        open,
        chains: vec![a, b, c],
    })
}

fn packets(six: bool) -> impl Iterator<Item = Seen> {
    let sources = if six { &V6[..] } else { &V4[..] };
    let ports = PORTS.iter().flat_map(|port| [*port, *port + 1]);
    let all = sources.iter().flat_map(move |source| ports.clone().map(move |port| (*source, port)));
    let all = all.flat_map(|(source, port)| [6, 17, 47].map(|protocol| (source, port, protocol)));
    all.flat_map(|packet| ["eth0", "eth1"].map(|on| (packet, on))).map(
        |((source, port, protocol), on)| Seen {
            on: on.to_owned(),
            source: source.parse().unwrap(),
            destination: if source.contains(':') { "2001:db8::1" } else { "192.0.2.1" }
                .parse::<IpAddr>()
                .unwrap(),
            protocol,
            ports: (40_000, port),
            icmp: 0,
            syn: protocol == 6,
            state: State::New,
            reply: false,
            toward: Toward::Here,
            back: true,
            mark: 0,
            at: Time::from_secs(1_800_000_000),
        },
    )
}

fn model(imported: &Imported) -> Model {
    let draft = Draft { policy: Some(imported.policy.clone()), ..Draft::of(Vec::new()) };
    let now = Time::from_secs(1_800_000_000);
    Model::new(&Gate::try_from(draft).unwrap(), Contents::default(), now)
}

/// Whether it is told that the policy is meant otherwise: one interface was shut, or one family.
fn is_told(imported: &Imported) -> bool {
    let wide =
        |remark: &Remark| matches!(remark, Remark::Closed(_) | Remark::V4Open | Remark::V6Open);
    imported.remarks.iter().any(|told| wide(&told.remark))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_policy_does_what_the_rules_did(v4 in rules(false), v6 in rules(true)) {
        let texts = [v4.text(), v6.text()];
        let sources = [Source { name: "rules.v4", text: &texts[0] }, Source { name: "rules.v6", text: &texts[1] }];
        let imported = sereno_import::iptables(&sources);
        prop_assume!(!is_told(&imported));
        let model = model(&imported);
        for (rules, six) in [(&v4, false), (&v6, true)] {
            for seen in packets(six) {
                let passes = model.walk(&seen).stopped.is_none();
                prop_assert_eq!(passes, rules.passes(&seen), "{:?}\n{}\n{:#?}", seen, texts[usize::from(six)], imported.policy);
            }
        }
    }

    #[test]
    fn what_goes_out_is_what_went_out_before(v4 in rules(false), v6 in rules(true)) {
        // What only one of the families says holds for both.
        prop_assume!(!v4.are_silent() && !v6.are_silent());
        let texts = [v4.outward(), v6.outward()];
        let sources = [Source { name: "rules.v4", text: &texts[0] }, Source { name: "rules.v6", text: &texts[1] }];
        let imported = sereno_import::iptables(&sources);
        prop_assume!(!imported.remarks.iter().any(|told| told.remark == Remark::Outgoing));
        let model = model(&imported);
        for (rules, six) in [(&v4, false), (&v6, true)] {
            for seen in packets(six) {
                let (source, destination) = (seen.destination, seen.source);
                let away = Seen { source, destination, toward: Toward::Away, ..seen.clone() };
                let leaves = model.walk(&away).stopped.is_none();
                prop_assert_eq!(leaves, rules.passes(&seen), "{:?}\n{}\n{:#?}", away, texts[usize::from(six)], imported.policy);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_told(text in "(?s).{0,200}", words in prop::collection::vec(prop::sample::select(vec![
        "iptables", "ip6tables", "# ", "-A", "INPUT", "-I", "-D", "1", "-p", "tcp", "--dport", "22:80", "!", "-s", "10.0.0.0/8", "-j", "ACCEPT",
        "DROP", "\n", "*filter\n", ":INPUT DROP [0:0]\n", "-m", "recent", "--seconds", "0", "--hitcount", "'", "\"", "\\", "$X", "X=1\n", "limit",
        "--limit", "5/min", "-F", "-P", "FORWARD", "é\u{2013}", "<zone>", "</zone>", "<port port=\"1-2\" protocol=\"udp\"/>", "<!DOCTYPE x>",
        "TCP_IN = \"1,2:3\"\n", "tcp|in|d=1_2|s=1.2.3.4\n", "OUTPUT", "-o", "UDP_OUT = \"53\"\n", "udp|out|d=53\n", "### tuple ### comment=6g\n",
    ]), 0..60)) {
        let mixed = words.join(" ");
        for text in [&text, &mixed, &format!("{mixed}{text}{mixed}")] {
            let named = |name| [Source { name, text }];
            let _ = sereno_import::iptables(&named("x"));
            for name in ["user.rules", "before6.rules", "default/ufw", "ufw.conf"] {
                let _ = sereno_import::ufw(&named(name));
            }
            for name in ["zones/public.xml", "services/x.xml", "firewalld.conf"] {
                let _ = sereno_import::firewalld(&named(name));
            }
            for name in ["csf.conf", "csf.allow", "csf.deny", "csf.ignore"] {
                let _ = sereno_import::csf(&named(name));
            }
        }
    }
}

#[test]
fn deep_xml_ends() {
    let deep = "<zone>".repeat(100_000);
    let text = format!("{deep}{}", "</zone>".repeat(100_000));
    for text in [&deep, &text] {
        let _ = sereno_import::firewalld(&[Source { name: "zones/public.xml", text }]);
    }
    let loops = r#"<service><include service="a"/></service>"#;
    let zone = r#"<zone><service name="a"/></zone>"#;
    let sources = [
        Source { name: "zones/public.xml", text: zone },
        Source { name: "services/a.xml", text: loops },
    ];
    assert_eq!(sereno_import::firewalld(&sources).remarks.len(), 1);
}
