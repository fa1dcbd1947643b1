//! fwknop's files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use jiff::tz::TimeZone;
use sereno_config::Document;
use sereno_config::fwknop::{Allow, Files, NoFiles, Server, read_client, read_server};
use sereno_core::gate::Snat;
use sereno_core::time::Time;
use sereno_spa::{Digest, Mode, Secret, Source, Translation};
use std::collections::BTreeMap;

const KEYS: &str = "KEY_BASE64 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n\
                    HMAC_KEY_BASE64 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

fn document(name: &str, text: &str) -> Document {
    Document { name: name.to_owned(), text: text.to_owned() }
}

struct Folder(BTreeMap<&'static str, String>);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let names = self.0.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }
}

fn read(access: &str, conf: &str) -> Server {
    let (access, conf) = (document("access.conf", access), document("fwknopd.conf", conf));
    read_server(&access, Some(&conf), &NoFiles, &TimeZone::UTC)
}

fn said(access: &str, conf: &str) -> String {
    let problems = read(access, conf).problems;
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn every_option_is_read() {
    let text = format!(
        "# stanzas\nSOURCE: 192.0.2.0/24, 198.51.100.7,10.0.0.0/255.255.0.0;\n{KEYS}\
         DESTINATION 203.0.113.1\nOPEN_PORTS tcp/22, udp/53 # two\nRESTRICT_PORTS tcp/23\n\
         HMAC_DIGEST_TYPE sha512\nENCRYPTION_MODE CFB\nFW_ACCESS_TIMEOUT 60;\nMAX_FW_TIMEOUT 600\n\
         ACCESS_EXPIRE 12/31/2027\nREQUIRE_USERNAME alice\nREQUIRE_SOURCE_ADDRESS Y\n\
         ENABLE_CMD_EXEC y\nCMD_EXEC_USER nobody\nCMD_EXEC_GROUP nogroup\nENABLE_CMD_SUDO_EXEC Y\n\
         CMD_SUDO_EXEC_USER bob\nFORCE_NAT 192.168.1.2 22\nFORCE_SNAT 192.168.1.1\nFORWARD_ALL Y\nDISABLE_DNAT Y\n\
         SOURCE ANY\nKEY a passphrase\nHMAC_KEY another one\nACCESS_EXPIRE_EPOCH 1800000000\n\
         CMD_CYCLE_OPEN /usr/sbin/ipset add x $IP # here\nCMD_CYCLE_CLOSE NONE\nCMD_CYCLE_TIMER 9\n\
         SOURCE ANY\nKEY abc\nREQUIRE_HMAC N\nENCRYPTION_MODE legacy\n"
    );
    let conf = "PCAP_INTF eth0;\nPCAP_FILTER udp port 4000;\nENABLE_IPT_FORWARDING Y;\n\
                MAX_SPA_PACKET_AGE 60;\nENABLE_DIGEST_PERSISTENCE Y;\n";
    let Server { access, daemon, problems } = read(&text, conf);
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!((daemon.interfaces, daemon.port), (vec!["eth0".to_owned()], 4000));
    assert_eq!(access.max_age.as_secs(), 60);
    let [first, second, third] = &access.stanzas[..] else { panic!("{access:?}") };
    assert_eq!(first.name, "access.conf:2");
    let prefixes = ["192.0.2.0/24", "198.51.100.7", "10.0.0.0/16"].map(|one| one.parse().unwrap());
    assert_eq!(first.source, Source::Of(prefixes.to_vec()));
    assert_eq!(first.destination, Source::Of(vec!["203.0.113.1".parse().unwrap()]));
    let ports = |ports: &[&str]| ports.iter().map(|port| port.parse().unwrap()).collect::<Vec<_>>();
    assert_eq!(first.open_ports, ports(&["tcp/22", "udp/53"]));
    assert_eq!(first.restrict_ports, ports(&["tcp/23"]));
    assert_eq!(first.keys.key, Secret::new((1..33).collect()));
    assert_eq!(first.keys.hmac, Some((Secret::new((0..32).collect()), Digest::Sha512)));
    assert_eq!(first.keys.mode, Mode::Cfb);
    assert_eq!((first.timeout.as_secs(), first.max_timeout.as_secs()), (60, 600));
    assert_eq!(first.expires, Some("2027-12-31T00:00:00Z".parse().unwrap()));
    assert_eq!((first.user.as_deref(), first.require_address), (Some("alice"), true));
    let commands = first.commands.as_ref().unwrap();
    assert_eq!(commands.user.as_deref(), Some("nobody"));
    assert_eq!(commands.sudo.as_ref().unwrap().user.as_deref(), Some("bob"));
    let force = Some("192.168.1.2:22".parse().unwrap());
    let snat = Some(Snat::To([192, 168, 1, 1].into()));
    let allowed = Translation { forwarding: true, ..Translation::default() };
    let said = Translation { force, all: true, as_sent: true, snat, ..allowed };
    assert_eq!((first.translation, second.translation), (said, allowed));
    assert_eq!(second.keys.key, Secret::new(b"a passphrase".to_vec()));
    assert_eq!(second.expires, Some(Time::from_secs(1_800_000_000)));
    let cycle = second.cycle.as_ref().unwrap();
    assert_eq!(cycle.open.as_str(), "/usr/sbin/ipset add x $IP # here");
    assert_eq!((&cycle.close, cycle.timer.unwrap().as_secs()), (&None, 9));
    assert_eq!((third.keys.mode, &third.keys.hmac), (Mode::Legacy, &None));
}

#[test]
fn what_is_wrong_is_said_all_at_once_and_without_keys() {
    let text = "OPEN_PORTS tcp/22\nSOURCE 192.0.2.0/99\nKEY hunter2\nKYE hunter2\nhunter2\n\
                SOURCE ANY\nKEY hunter2\nHMAC_KEY hunter2\n\
                SOURCE ANY\nKEY hunter2\nHMAC_KEY hunter3\nOPEN_PORT tcp/22\nOPEN_PORTS tcp/0,icmp/8\n\
                FW_ACCESS_TIMEOUT ten\nACCESS_EXPIRE 2027-12-31\nENCRYPTION_MODE xyz\nENABLE_CMD_EXEC maybe\n\
                SOURCE ANY\nGPG_DECRYPT_PW hunter2\n\
                SOURCE ANY\nKEY_BASE64 hunter2!\nHMAC_KEY_BASE64 __CHANGEME__\nFORCE_NAT 1.2.3.4\n\
                SOURCE ANY\nKEY 0123456789012345678901234567890123\nHMAC_KEY hunter2 \nCMD_CYCLE_OPEN x\n\
                REQUIRE_SOURCE\nWHATEVER hunter2\n";
    let server = read(text, "ENABLE_SPA_PACKET_AGING N;\nENABLE_TCP_SERVER Y;\nPCAP_INTFF x;\n");
    assert!(server.access.stanzas.is_empty(), "{:?}", server.access);
    let said = said(text, "ENABLE_SPA_PACKET_AGING N;\nENABLE_TCP_SERVER Y;\nPCAP_INTFF x;\n");
    assert!(!said.contains("hunter"), "{said}");
    for expected in [
        "access.conf:1:1: OPEN_PORTS stands before any SOURCE",
        "access.conf:2:8: \"192.0.2.0/99\" is not an address or a network",
        "access.conf:2:8: the stanza has no HMAC_KEY_BASE64",
        "access.conf:4:1: there is no such option KYE\n  KYE *******\n",
        "access.conf:5:1: warning: there is no such option\n  *******\n",
        "access.conf:8:10: the keys are the same",
        "remedy: did you mean OPEN_PORTS VALUE?",
        "\"tcp/0\" is not a port",
        "\"icmp/8\" is not a port",
        "this is no number of seconds",
        "this is no date",
        "\"xyz\" is none of the modes",
        "ENABLE_CMD_EXEC is Y or N",
        "GPG_DECRYPT_PW is not read: packets in OpenPGP's form are refused",
        "KEY_BASE64 is not base64",
        "HMAC_KEY_BASE64 was never set",
        "access.conf:23:11: this is no IPv4 address of one machine with a port",
        "the key has 34 bytes",
        "warning: HMAC_KEY is taken as it stands",
        "REQUIRE_SOURCE has no value",
        "there is no CMD_CYCLE_CLOSE",
        "fwknopd.conf:1:25: warning: old packets are refused all the same",
        "fwknopd.conf:2:1: warning: there is no ENABLE_TCP_SERVER here",
        "remedy: did you mean PCAP_INTF?",
    ] {
        assert!(said.contains(expected), "{expected}\n---\n{said}");
    }
}

#[test]
fn included_files_are_read_within_bounds() {
    let stanza = format!("SOURCE 192.0.2.1\n{KEYS}");
    let files = Folder(BTreeMap::from([
        ("/etc/fwknop/one.conf", stanza.clone()),
        ("/etc/fwknop/d/b.conf", stanza.replace("2.1", "2.3")),
        ("/etc/fwknop/d/a.conf", stanza.replace("2.1", "2.2")),
        ("/etc/fwknop/d/a.txt", "nonsense".to_owned()),
        ("/etc/fwknop/keys", format!("{KEYS}OPEN_PORTS tcp/1\n")),
        ("/etc/fwknop/loop", "%include /etc/fwknop/loop\n%include /etc/fwknop/loop\n".to_owned()),
    ]));
    let read =
        |text: &str| read_server(&document("access.conf", text), None, &files, &TimeZone::UTC);
    let text = "%include /etc/fwknop/one.conf\n%include_folder /etc/fwknop/d\nSOURCE 192.0.2.4\n\
                OPEN_PORTS tcp/22\n%include_keys /etc/fwknop/keys\nFW_ACCESS_TIMEOUT 9\n";
    let server = read(text);
    let sources = server.access.stanzas.iter().map(|stanza| format!("{:?}", stanza.source));
    let expected = [1, 2, 3, 4].map(|n| format!("Of([192.0.2.{n}])"));
    assert_eq!(sources.collect::<Vec<_>>(), expected);
    assert_eq!(server.access.stanzas[3].timeout.as_secs(), 9);
    assert_eq!(server.problems.len(), 1, "{:?}", server.problems);
    assert!(server.problems[0].message.contains("OPEN_PORTS is passed over"));
    let missing = read("%include /etc/missing\n").problems;
    assert_eq!(missing[0].message, "/etc/missing: no such file");
    let looped = read("%include /etc/fwknop/loop\n").problems;
    assert!(
        looped.iter().any(|problem| problem.message.contains("include each other")),
        "{looped:?}"
    );
    assert!(looped.len() <= 1000);
}

/// What the real client wrote, kept beside its packets.
#[test]
fn a_stanza_that_the_client_saved_is_read() {
    let kept = include_str!("../../sereno-spa/tests/fwknop/client.json");
    let (_, rc) = kept.split_once("\"rc\": ").unwrap();
    let rc: String = serde_json::Deserializer::from_str(rc).into_iter().next().unwrap().unwrap();
    let text = format!("[default]\nFW_TIMEOUT 30\nALLOW_IP source\nTIME_OFFSET -2m\n{rc}");
    let clients = read_client(&document(".fwknoprc", &text));
    assert!(clients.problems.is_empty(), "{:?}", clients.problems);
    let [client] = &clients.clients[..] else { panic!("{clients:?}") };
    assert_eq!((client.name.as_str(), client.server.as_deref()), ("home", Some("spa.example.org")));
    assert_eq!((client.port, client.timeout, client.time_offset), (62202, Some(120), -120));
    assert_eq!(client.allow, Allow::Addr([192, 0, 2, 7].into()));
    assert_eq!(client.access, ["tcp/22", "udp/5060"].map(|port| port.parse().unwrap()));
    let keys = client.keys.as_ref().unwrap();
    assert_eq!((keys.mode, keys.hmac.as_ref().unwrap().1), (Mode::Ctr, Digest::Sha512));
    assert_eq!(client.user.as_deref(), Some("alice"));
    // What is written is read as it was, and without any other stanza `[default]` is one.
    let again = read_client(&document("rc", &client.render()));
    assert_eq!((&again.clients[..], &again.problems[..]), (&[client.clone()][..], &[][..]));
    let alone = client.render().replace("[home]", "[default]");
    assert_eq!(read_client(&document("rc", &alone)).clients[0].keys, client.keys);
}

#[test]
fn a_stanza_with_everything_is_written_as_it_is_read() {
    let text = "[home]\nSPA_SERVER 192.0.2.1\nSPA_SOURCE_PORT 7\nSERVER_RESOLVE_IPV4 Y\nACCESS tcp/22\n\
                KEY_BASE64 AQID\nTIME_OFFSET -120\nDIGEST_TYPE SHA1\nNAT_LOCAL Y\nNAT_PORT 55000\nNAT_RAND_PORT Y\n\
                HMAC_KEY_BASE64 BQYH\nHMAC_DIGEST_TYPE SHA3_256\nALLOW_IP dyn.example.org\n";
    let first = read_client(&document("rc", text)).clients;
    assert_eq!(first[0].allow, Allow::Name("dyn.example.org".to_owned()));
    assert_eq!(read_client(&document("rc", &first[0].render())).clients, first);
    let resolve =
        text.replace("dyn.example.org", "resolve").replace("NAT_LOCAL Y", "NAT_ACCESS a:22");
    let first = read_client(&document("rc", &resolve)).clients;
    assert_eq!((&first[0].allow, first[0].nat_port), (&Allow::Resolve, Some(55_000)));
    assert_eq!(first[0].nat_access, Some(("a".to_owned(), Some(22))));
    assert_eq!(read_client(&document("rc", &first[0].render())).clients, first);
}

#[test]
fn a_clients_problems_have_no_keys_in_them() {
    let text = "KEY hunter2\n[a]\nKEY hunter2\nHMAC_KEY hunter2\n[b]\nKEY hunter2\nSPA_SERVER_PROTO tcp\n\
                USE_GPG Y\n[c]\nKEY = hunter2\nACCESS tcp/22-23\nKEYY hunter2\nTIME_OFFSET x\n[d]\nSPA_SERVER x\n";
    let clients = read_client(&document("rc", text));
    let said: String = clients.problems.iter().map(|problem| format!("{problem}\n")).collect();
    assert!(!said.contains("hunter"), "{said}");
    for expected in [
        "before any stanza",
        "the keys are the same",
        "over UDP only",
        "OpenPGP",
        "is not a port",
        "did you mean KEY VALUE?",
        "no time to add",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    let [client] = &clients.clients[..] else { panic!("{clients:?}") };
    assert_eq!((client.name.as_str(), &client.keys), ("d", &None));
}

#[test]
fn translation_is_what_both_files_say() {
    let of = |options: &str, conf: &str| {
        let server = read(&format!("SOURCE ANY\n{KEYS}{options}"), conf);
        assert!(!server.has_errors(), "{:?}", server.problems);
        server.access.stanzas[0].translation
    };
    let none = Translation::default();
    assert_eq!(of("", "ENABLE_IPT_FORWARDING N;\n"), none);
    let local = Translation { local: true, ..none };
    assert_eq!(of("", "ENABLE_IPT_LOCAL_NAT Y;\n"), local);
    let force = Some("10.0.0.2:22".parse().unwrap());
    assert_eq!(
        of("FORCE_NAT 10.0.0.2 22\n", "ENABLE_IPT_LOCAL_NAT Y;\n"),
        Translation { force, ..local }
    );
    let conf = "ENABLE_IPT_FORWARDING Y;\n";
    let forwarding = Translation { forwarding: true, ..none };
    for (options, more, snat) in [
        ("", "SNAT_TRANSLATE_IP 10.0.0.1;\n", None),
        ("", "ENABLE_IPT_SNAT Y;\n", Some(Snat::Masquerade)),
        ("", "ENABLE_IPT_SNAT Y;\nSNAT_TRANSLATE_IP __CHANGEME__;\n", Some(Snat::Masquerade)),
        (
            "",
            "SNAT_TRANSLATE_IP 10.0.0.1;\nENABLE_IPT_SNAT Y;\n",
            Some(Snat::To([10, 0, 0, 1].into())),
        ),
    ] {
        assert_eq!(of(options, &format!("{conf}{more}")), Translation { snat, ..forwarding });
    }
    let forced = "FORCE_NAT 10.0.0.2 22\nFORCE_SNAT 10.0.0.9\n";
    let snat = Some(Snat::To([10, 0, 0, 9].into()));
    let said = of(forced, &format!("{conf}ENABLE_IPT_SNAT Y;\n"));
    assert_eq!(said, Translation { force, snat, ..forwarding });
    let snat = Some(Snat::Masquerade);
    let said = of("FORWARD_ALL Y\nDISABLE_DNAT Y\nFORCE_MASQUERADE Y\n", conf);
    assert_eq!(said, Translation { all: true, as_sent: true, snat, ..forwarding });
}

#[test]
fn translation_that_cannot_be_meant_is_refused() {
    let conf = "ENABLE_IPT_FORWARDING Y;\n";
    for (options, conf, expected) in [
        ("FORCE_NAT 10.0.0.2 22", "", "translation is not allowed\n"),
        (
            "FORWARD_ALL Y\nDISABLE_DNAT Y",
            "ENABLE_IPT_LOCAL_NAT Y;\n",
            "translation is not allowed\n",
        ),
        ("FORWARD_ALL Y", conf, "where everything is to go is not said\n"),
        ("FORCE_NAT 10.0.0.2 22\nDISABLE_DNAT Y", conf, "without FORWARD_ALL there is nothing"),
        ("FORCE_MASQUERADE Y", conf, "there is no FORCE_NAT or FORWARD_ALL that this belongs to"),
        ("FORCE_SNAT fd00::1\nFORCE_NAT 10.0.0.2 22", conf, "this is no IPv4 address\n"),
        ("FORCE_NAT 10.0.0.2", conf, "this is no IPv4 address of one machine with a port"),
        ("FORCE_NAT inner.example.org 22", conf, "this is no IPv4 address of one machine"),
        ("FORCE_NAT 127.0.0.1 22", conf, "this is no IPv4 address of one machine"),
        ("FORCE_NAT 224.0.0.9 22", conf, "this is no IPv4 address of one machine"),
        ("FORCE_NAT 10.0.0.2 0", conf, "this is no IPv4 address of one machine"),
    ] {
        let text = format!("SOURCE ANY\n{KEYS}{options}\n");
        assert!(read(&text, conf).access.stanzas.is_empty(), "{options}");
        let said = said(&text, conf);
        assert!(said.contains(expected), "{options}\n{said}");
    }
    let said = said(&format!("SOURCE ANY\n{KEYS}"), "SNAT_TRANSLATE_IP fd00::1;\n");
    assert!(said.contains("fwknopd.conf:1:19: warning: this is no IPv4 address"), "{said}");
}
