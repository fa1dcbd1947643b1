//! knockd.conf: files as people have them, and what is said about those that are wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use sereno_config::{Document, Severity, knockd};
use sereno_core::door::{
    Action, Deed, Deeds, FlagTest, Flags, Hit, Knocks, Manner, Packet, Sequences,
};
use sereno_core::gate::Ports;
use sereno_core::time::Time;
use std::net::IpAddr;
use std::time::Duration;

/// Four doors as a guide prints them, with the lines that its page broke.
const PRINTED: &str = include_str!("../../../tests/data/knockd/printed.conf");

fn read(text: &str) -> knockd::Outcome {
    let document = Document { name: "knockd.conf".to_owned(), text: text.to_owned() };
    knockd::read(&document, &|path: &str| {
        (path == "/etc/ots").then(|| "# 1,2\n 7000,8000\r\n\n 9000\n".to_owned())
    })
}

fn ports(text: &str) -> Ports {
    text.parse().unwrap()
}

#[test]
fn a_printed_file_is_read_and_its_doors_open_and_close() {
    let outcome = read(PRINTED);
    assert_eq!(outcome.problems.len(), 4, "{:#?}", outcome.problems);
    assert!(outcome.problems.iter().all(|problem| problem.severity == Severity::Warning));
    let said = outcome.problems[0].to_string();
    let expected = "knockd.conf:9:1: warning: this is taken for the end of the line above, which a page broke\n  \
                    ACCEPT\n  ^~~~~~\n  remedy: write it on one line: command = iptables -A INPUT -s %IP% -p \
                    tcp --dport 22 -j ACCEPT";
    assert_eq!(said, expected);
    assert_eq!(outcome.options.log_file.as_deref(), Some("/var/log/knockd.log"));
    let deeds: Vec<&Deed> = outcome.doors.iter().map(|section| &section.door.v4.start).collect();
    let (ssh, https) = (ports("tcp/22"), ports("tcp/443"));
    let expected = [
        Deed::Open(ssh.clone()),
        Deed::Close(ssh.clone()),
        Deed::Open(https.clone()),
        Deed::Close(https),
    ];
    assert_eq!(deeds, expected.iter().collect::<Vec<_>>());

    let (here, guest): (IpAddr, IpAddr) =
        ("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap());
    for manner in [Manner::Strict, Manner::Fair] {
        let doors = outcome.doors.iter().map(|section| section.door.clone()).collect();
        let mut knocks = Knocks::new(doors, [here], manner, Time(0)).unwrap();
        let mut actions = Vec::new();
        for (number, port) in (1i64..).zip([7000, 8000, 9000, 9000, 8000, 7000]) {
            let packet = Packet::tcp(Time(number * 100_000), guest, here, port, Flags::SYN);
            knocks.packet(&packet, &mut actions);
        }
        actions.retain(|action| matches!(action, Action::Open { .. } | Action::Close { .. }));
        let expected = [
            Action::Open { door: 0, addr: guest, ports: ssh.clone(), until: None },
            Action::Close { door: 1, addr: guest, ports: ssh.clone() },
        ];
        assert_eq!(actions, expected, "{manner:?}");
    }
}

#[test]
fn every_key_is_read() {
    let outcome = read(
        "[options]\n UseSyslog\n Interface = eth1\n PidFile = /run/k.pid\n[a]\n Sequence = 1:udp , 20000 :TCP,3\n \
         Timeout = 7\n Cmd_Timeout = 20\n TCPFlags = SYN,!ack\n Target = 192.0.2.9\n \
         Start_Command = /sbin/iptables -I INPUT -s %IP% -p udp --dport 5060 -j ACCEPT\n \
         Stop_Command = /sbin/iptables -D INPUT -s %IP% -p udp --dport 5060 -j ACCEPT\n \
         Start_Command_6 = logger %IP%\n stop_command_6 =\n[b]\none_time_sequences = /etc/ots\ncommand = logger %IP%\n",
    );
    assert_eq!(outcome.problems, []);
    assert!(outcome.options.syslog);
    assert_eq!(outcome.options.interface.as_deref(), Some("eth1"));
    let door = &outcome.doors[0].door;
    let Sequences::Fixed(sequence) = &door.sequences else { panic!("{door:?}") };
    assert_eq!(sequence.hits(), [Hit::udp(1), Hit::tcp(20000), Hit::tcp(3)]);
    assert_eq!((door.within, door.hold), (Duration::from_secs(7), Duration::from_secs(20)));
    assert_eq!(door.flags, FlagTest { set: Flags::SYN, clear: Flags::ACK });
    assert_eq!(door.target, Some("192.0.2.9".parse().unwrap()));
    assert_eq!(door.v4, Deeds::open(ports("udp/5060")));
    assert_eq!(door.v6, Deeds { start: Deed::Run("logger %IP%".into()), stop: Deed::Nothing });
    let once = outcome.doors[1].once.as_ref().unwrap();
    assert_eq!((once.path.as_str(), once.places.as_slice()), ("/etc/ots", &[6, 19][..]));
}

#[test]
fn all_problems_are_told_at_once() {
    let outcome = read(
        "sequence = 1\n[options]\ncommand = x\n[a]\nsequence = 7000,70000,5:icmp\nsec_timeout = 5\n\
         tcpflags = syn, ack\n; remark\n[b]\nseq_timeout = ten\n[c]\nsequence = 7000,8000,3000\ncommand = true\n\
         [open]\nsequence = 1,2,3\ncommand = iptables -I INPUT -s %IP% -j ACCEPT\n",
    );
    let said: Vec<String> = outcome
        .problems
        .iter()
        .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message))
        .collect();
    let expected = [
        "1:1: a line that stands in no section",
        "3:1: command is a key of doors, not of [options]",
        "5:17: 70000 is no port",
        "5:23: a port is knocked at over tcp or udp",
        "6:1: there is no key \"sec_timeout\" in a door",
        "7:16: \" ack\" is no flag of TCP",
        "8:1: this is neither a section nor key = value",
        "9:1: the door b has no sequence",
        "10:15: seq_timeout is read as 0 seconds",
        "14:1: nothing ever closes what [open] opens",
        "15:1: who tries all ports in their order knocks at this door",
    ];
    assert_eq!(said, expected);
    assert_eq!(outcome.problems[4].remedy, "did you mean seq_timeout?");
    let doors: Vec<&str> = outcome.doors.iter().map(|section| section.door.name.as_str()).collect();
    assert_eq!(doors, ["c", "open"]);
}

#[test]
fn commands_that_do_little_are_warned_of() {
    let said = |lines: &str| -> Vec<String> {
        let outcome = read(&format!("[door]\nsequence = 7000,9000,8000\n{lines}"));
        assert!(!outcome.has_errors(), "{:?}", outcome.problems);
        outcome.problems.iter().map(|problem| problem.message.clone()).collect()
    };
    assert_eq!(said(""), ["the door door has no command: a knock does nothing"]);
    assert_eq!(said("command = light $IP\n"), ["$IP is a variable of the shell, and empty"]);
    let never = ["nothing ever takes back what [door] allows"];
    let allow = "start_command = /usr/sbin/ufw insert 1 allow from %IP% to any port 22\n";
    assert_eq!(said(allow), never);
    let delete = "ufw delete allow from %IP% to any port 22\n";
    assert!(said(&format!("{allow}cmd_timeout = 10\nstop_command = {delete}")).is_empty());
    let other = format!("{allow}[close]\nsequence = 8000,7000,9000\ncommand = {delete}");
    assert!(said(&other).is_empty());
}
