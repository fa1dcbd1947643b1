//! Machines made of a few files, and this one.

use super::*;
use proptest::prelude::*;
use sereno_config::SourceConf;
use sereno_config::facts::{AsteriskNote, LogPlace};
use sereno_core::gate::{Proto, Stream};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::{fs, slice};

/// A root directory with these files.
/// A machine that has these files.
pub(super) fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn addrs(list: &[IpAddr]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_machine_has_nothing() {
    assert_eq!(gather(machine(&[]).path()), Facts::default());
}

#[test]
fn sshd_is_found_by_its_files() {
    let root = machine(&[
        (
            "etc/ssh/sshd_config",
            "# Port 1\nInclude sshd_config.d/*.conf\nport=2222\nMatch User x\nPort 9\n",
        ),
        (
            "etc/ssh/sshd_config.d/10-a.conf",
            "Port 22\nListenAddress 10.0.0.1\nListenAddress ::1\nListenAddress 10.0.0.1:2022\n",
        ),
        ("etc/ssh/sshd_config.d/b.txt", "Port 7\n"),
        ("var/log/secure", ""),
    ]);
    let sshd = gather(root.path()).sshd.unwrap();
    assert_eq!(sshd.ports, [22, 2022, 2222]);
    assert_eq!(sshd.logs, LogPlace::File("/var/log/secure".to_owned()));

    let root = machine(&[
        (
            "etc/ssh/sshd_config",
            "ListenAddress [::]:2200\nListenAddress 0.0.0.0:2201\nPort 5\nInclude sshd_config\n",
        ),
        ("usr/bin/journalctl", ""),
        ("run/log/journal/x", ""),
        ("run/systemd/journal/socket", ""),
    ]);
    let sshd = gather(root.path()).sshd.unwrap();
    assert_eq!(sshd.ports, [2200, 2201]);
    assert!(matches!(sshd.logs, LogPlace::Journal(_)));
}

#[test]
fn sshd_tells_its_effective_ports() {
    let told = "port 22\nlistenaddress [::]:2222\nlistenaddress 0.0.0.0:2222\nusepam yes\n";
    assert_eq!(sshd::effective(told), [2222, 2222]);
    assert_eq!(sshd::effective("port 22\nport 23\n"), [22, 23]);
}

#[test]
fn the_true_sshd_is_asked() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/sbin/sshd").exists() {
        println!("skipped: needs root and /usr/sbin/sshd");
        return;
    }
    match sshd::tell("usr/sbin/sshd") {
        Some(told) if !told.is_empty() => assert!(!sshd::effective(&told).is_empty(), "{told}"),
        _ => println!("skipped: sshd -T tells nothing here (no host keys?)"),
    }
}

/// `ssh.socket`, as Debian and Ubuntu have it: the port is in the unit, and sshd has no say.
#[test]
fn systemd_may_hold_the_port() {
    let listening = "  sl  local_address                         remote_address                        st\n   \
        0: 00000000000000000000000000000000:0976 00000000000000000000000000000000:0000 0A 0 0 0\n   \
        1: 00000000000000000000000000000000:1388 00000000000000000000000000000000:0000 01 0 0 0\n";
    let ports = |files: &[(&str, &str)]| {
        let both = [("etc/ssh/sshd_config", "UsePAM yes\n"), ("proc/net/tcp6", listening)];
        gather(machine(&[&both, files].concat()).path()).sshd.unwrap().ports
    };
    let unit = ("lib/systemd/system/ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n");
    assert_eq!(ports(&[unit]), [22], "installed, but nobody listens: sshd's own port");
    let moved = "[Socket]\nListenStream=\nListenStream = 0.0.0.0:2422\nListenStream=[::]:5000\n";
    assert_eq!(ports(&[unit, ("etc/systemd/system/ssh.socket.d/port.conf", moved)]), [2422]);
    let generated = ("run/systemd/generator/ssh.socket.d/addresses.conf", moved);
    let later = ("etc/systemd/system/ssh.socket.d/z.conf", "ListenStream=\n");
    assert_eq!(ports(&[unit, generated, later]), [22], "the last word counts");
    assert_eq!(ports(&[("usr/lib/systemd/system/sshd.socket", "ListenStream=2422\n")]), [2422]);
}

/// Both ends of real connections, as the kernel tells them.
#[test]
fn what_is_under_way_is_known_by_both_its_ends() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(at).unwrap();
        let here = listener.local_addr().unwrap();
        let client = TcpStream::connect(here).unwrap();
        let ends = (here, client.local_addr().unwrap());
        let under_way = tcp::rows(Path::new("/"), ["tcp", "tcp6"], "01");
        assert!(under_way.iter().any(|row| (row.local, row.remote) == ends), "{ends:?}");
        assert!(listening(Path::new("/")).contains(&here.port()));
        assert!(streams(Path::new("/")).iter().all(|stream| !stream.from.is_loopback()));
    }
    let both = "  sl  local_address                         remote_address                        st\n   \
        0: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000096433C6:D431 01 0 0 0\n   \
        1: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000096433C6:D432 06 0 0 0\n   \
        2: 00:0016 0000:D433 01\n";
    let machine = machine(&[("proc/net/tcp6", both)]);
    let from = "198.51.100.9".parse().unwrap();
    let known = if cfg!(target_endian = "little") { streams(machine.path()) } else { return };
    assert_eq!(known, [Stream { from, port: 54321, to: 22 }]);
}

/// Sockets that others can reach, with the name of this very program.
#[test]
fn who_listens_is_known_by_his_program() {
    let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
    let udp = UdpSocket::bind("[::]:0").unwrap();
    let inner = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = text(Path::new("/"), "proc/self/comm").unwrap();
    let all = listeners(Path::new("/"));
    let find = |proto, at: SocketAddr| {
        all.iter().find(|one| (one.proto, one.port) == (proto, at.port())).cloned()
    };
    for (proto, at) in
        [(Proto::Tcp, tcp.local_addr().unwrap()), (Proto::Udp, udp.local_addr().unwrap())]
    {
        let found = find(proto, at).unwrap();
        assert_eq!((found.addr, found.program.as_str()), (at.ip(), own.trim()));
    }
    assert_eq!(find(Proto::Tcp, inner.local_addr().unwrap()), None);
}

const LOGGER: &str = "\
[general]
appendhostname = yes ; as in the guide
;-- full => debug
--;
[logfiles]
#include logger_files.conf
console => notice
syslog.local0 => notice
messages => notice,warning
";

#[test]
fn asterisk_is_found_by_its_files() {
    let root = machine(&[
        (
            "etc/asterisk/asterisk.conf",
            "[directories](!)\nastlogdir => /none\n[directories]\nastlogdir => /srv/log\n",
        ),
        ("etc/asterisk/logger.conf", LOGGER),
        (
            "etc/asterisk/logger_files.conf",
            "full => Notice,VERBOSE(3),security\n[x]\nguard => [json]*\n",
        ),
        ("etc/hostname", "pbx\n"),
        ("srv/log/full.pbx", "[Nov 22 15:00:00] Asterisk 22.5.2 built by root @ x on a x86_64\n"),
        ("srv/log/messages.pbx", ""),
        (
            "etc/asterisk/sip.conf",
            "[general]\nbindport=5070\ntlsenable=yes\ntlsbindaddr=[::]:5071\n",
        ),
        ("etc/asterisk/iax.conf", "[general]\nauthdebug=no\n"),
        ("etc/asterisk/manager.conf", "[general]\nenabled = yes\n"),
        (
            "etc/asterisk/pjsip.conf",
            "[t]\ntype=transport\nprotocol=tcp\nbind=0.0.0.0:5080\n[global]\nunidentified_request_count=1\n",
        ),
    ]);
    let found = gather(root.path()).asterisk.unwrap();
    assert_eq!(found.version.as_deref(), Some("22.5.2"));
    assert_eq!(found.ports, ["tcp/5038", "tcp/5071", "tcp/5080", "udp/4569", "udp/5070"]);
    assert_eq!(found.notes, [AsteriskNote::IaxSilent]);
    let logs: Vec<(&str, String)> =
        found.logs.iter().map(|l| (l.path.as_str(), l.levels.join(","))).collect();
    let full = ("/srv/log/full.pbx", "notice,verbose,security".to_owned());
    assert_eq!(logs, [full, ("/srv/log/messages.pbx", "notice,warning".to_owned())]);
}

#[test]
fn json_logs_are_recognised_and_modules_can_be_out() {
    let root = machine(&[
        (
            "etc/asterisk/logger.conf",
            "[logfiles]\nguard => [JSON]notice, security\n/l/plain => [plain]error\n",
        ),
        ("etc/asterisk/modules.conf", "[modules]\nnoload => chan_iax2.so\nnoload=chan_sip.so\n"),
        ("etc/asterisk/iax.conf", ""),
        ("etc/asterisk/sip.conf", ""),
    ]);
    let found = gather(root.path()).asterisk.unwrap();
    assert!(
        found.logs[0].json
            && found.logs[0].has("security")
            && found.logs[0].path == "/var/log/asterisk/guard"
    );
    assert_eq!((found.logs[1].path.as_str(), found.logs[1].json), ("/l/plain", false));
    assert!(found.ports.is_empty() && found.notes.is_empty());
    let line = r#"{"logmsg":{"message":"Asterisk certified/18.9-cert1 built by a"}}"#;
    assert_eq!(asterisk::version(line).as_deref(), Some("certified/18.9-cert1"));
    assert_eq!(asterisk::version("Asterisk \u{1b}[2J built by x"), None);
}

/// What the machine is guarded by without a configuration.
fn guarded(root: &Path) -> Vec<Vec<SourceConf>> {
    let text = sereno_config::suggest(&gather(root), sereno_config::Lang::English);
    let config = [sereno_config::Document { name: "suggested".to_owned(), text }];
    let outcome = sereno_config::read(&config, &sereno_config::shipped_rules());
    assert_eq!(outcome.problems, []);
    outcome.policy.jails.into_iter().map(|jail| jail.sources).collect()
}

#[test]
fn asterisk_may_say_it_to_syslog_only() {
    let syslog = "syslog.local0 = notice,warning,error,security\n";
    let logger = |more: &str| format!("[logfiles]\nconsole => notice\n{syslog}{more}");
    let machine = |logger: &str, more: &[(&str, &str)]| {
        machine(&[&[("etc/asterisk/logger.conf", logger)], more].concat())
    };
    let systemd =
        [("usr/bin/journalctl", ""), ("run/log/journal/x", ""), ("run/systemd/journal/socket", "")];
    let journal = vec![SourceConf::Journal(vec!["_COMM=asterisk".to_owned()])];
    assert_eq!(guarded(machine(&logger(""), &systemd).path()), slice::from_ref(&journal));
    let useless = machine(&logger("full => verbose,debug\n"), &systemd);
    assert_eq!(guarded(useless.path()), [journal]);
    let both = machine(&logger("messages => notice\n"), &systemd);
    let file = vec![SourceConf::Files(vec!["/var/log/asterisk/messages".to_owned()])];
    assert_eq!(guarded(both.path()), [file], "one of the two, or lines would count twice");
    assert!(guarded(machine(&logger(""), &[]).path()).is_empty(), "no journal, no jail");
    let json = "[logfiles]\nsyslog.local0 => [json]security\nsyslog.local1 => error\n";
    assert!(guarded(machine(json, &systemd).path()).is_empty(), "nothing there that is understood");
}

#[test]
fn the_kernels_tables_are_understood() {
    let raw = |addr: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(addr));
    let route = format!(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
         eth0\t{}\t{}\t0003\t0\t0\t0\t{}\t0\t0\t0\neth0\t{}\t{}\t0001\t0\t0\t0\t{}\t0\t0\t0\n",
        raw([0; 4]),
        raw([192, 0, 2, 1]),
        raw([0; 4]),
        raw([192, 0, 2, 0]),
        raw([0; 4]),
        raw([255, 255, 255, 0]),
    );
    let root = machine(&[
        ("proc/net/route", &route),
        (
            "proc/net/fib_trie",
            "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.5\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n",
        ),
        (
            "proc/net/if_inet6",
            "20010db8000000000000000000000002 04 40 00 82 eth0\nfe8000000000000000fc00fffe000001 04 40 20 80 eth0\n",
        ),
        (
            "proc/net/ipv6_route",
            "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000002 00000000 00000003 eth0\n00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n",
        ),
    ]);
    let facts = gather(root.path());
    assert_eq!(addrs(&facts.own_addrs), ["192.0.2.5", "2001:db8::2", "fe80::fc:ff:fe00:1"]);
    assert_eq!(addrs(&facts.gateways), ["192.0.2.1", "2001:db8::1"]);
    let networks: Vec<String> = facts.networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::/64"]);
}

fn record(layout: sessions::Layout, kind: u16, addr: &[u8]) -> Vec<u8> {
    let mut record = vec![0; layout.size];
    record[..2].copy_from_slice(&kind.to_ne_bytes());
    record[layout.addr..layout.addr + addr.len()].copy_from_slice(addr);
    record
}

#[test]
fn who_is_logged_in_is_known() {
    for layout in [sessions::SHORT, sessions::LONG] {
        let v6: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
        let mut all = record(layout, 7, &[198, 51, 100, 7]);
        all.extend(record(layout, 8, &[198, 51, 100, 8]));
        all.extend(record(layout, 7, &[]));
        all.extend(record(layout, 7, &v6.octets()));
        all.extend([1, 2, 3]);
        assert_eq!(addrs(&sessions::logged_in(&all, layout)), ["198.51.100.7", "2001:db8::7"]);
    }
    let root = machine(&[
        ("run/systemd/sessions/1", "STATE=active\nREMOTE=1\nREMOTE_HOST=203.0.113.4\n"),
        ("run/systemd/sessions/2", "STATE=closing\nREMOTE=1\nREMOTE_HOST=203.0.113.5\n"),
        ("run/systemd/sessions/3", "STATE=active\nREMOTE=1\nREMOTE_HOST=name.example\n"),
        ("proc/self/status", "Name:\tx\nPPid:\t12\n"),
        ("proc/12/environ", "A=b\0SSH_CONNECTION=2001:db8::9 5 2001:db8::1 22\0"),
        ("proc/12/status", "PPid:\t12\n"),
    ]);
    assert_eq!(addrs(&gather(root.path()).sessions), ["2001:db8::9", "203.0.113.4"]);
    assert_eq!(
        sessions::client(b"X=1\0SSH_CLIENT=::ffff:192.0.2.1 1 2").unwrap().to_string(),
        "192.0.2.1"
    );
}

/// A connection to the SSH port is no proof of anything.
#[test]
fn whoever_merely_connects_is_no_friend() {
    let tcp =
        "  sl  local_address rem_address   st\n   0: 050200C0:0016 097100CB:C000 01 0 0 0 0 0 0\n";
    assert_eq!(gather(machine(&[("proc/net/tcp", tcp)]).path()).sessions, Vec::<IpAddr>::new());
}

#[test]
fn patterns_of_names() {
    for (name, pattern, wanted) in [
        ("a.conf", "*.conf", true),
        ("a.conf.bak", "*.conf", false),
        ("abc", "a?c", true),
        ("", "*", true),
        ("aXbXc", "a*b*c", true),
        ("ab", "a", false),
    ] {
        assert_eq!(is_like(name.as_bytes(), pattern.as_bytes()), wanted, "{name} {pattern}");
    }
}

#[test]
fn a_fifo_does_not_make_us_wait() {
    let root = machine(&[
        ("etc/asterisk/logger.conf", "[logfiles]\nfull => notice\n"),
        ("var/log/asterisk/x", ""),
    ]);
    let path = root.path().join("var/log/asterisk/full");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    assert_eq!(gather(root.path()).asterisk.unwrap().version, None);
}

#[test]
fn this_machine_is_looked_at() {
    let facts = gather(Path::new("/"));
    let text = sereno_config::suggest(&facts, sereno_config::Lang::Spanish);
    println!("{facts:#?}\n{text}");
    let config = [sereno_config::Document { name: "suggested".to_owned(), text }];
    assert_eq!(sereno_config::read(&config, &sereno_config::shipped_rules()).problems, []);
    let friends = friends();
    for addr in facts.own_addrs.iter().chain(&facts.gateways) {
        assert!(friends.iter().any(|friend| friend.prefix.contains(*addr)));
    }
    if facts.own_addrs.is_empty() {
        println!("skipped: no address beside loopback");
    }
}

proptest! {
    #[test]
    fn foreign_text_never_panics(text in "(?s).{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        let _ = (asterisk::version(&text), sshd::effective(&text));
        let _ = (sessions::client(&bytes), sessions::logged_in(&bytes, sessions::SHORT));
        let _ = is_like(text.as_bytes(), &bytes);
    }
}
