//! `[door.NAME]`: what it means, and what is said about mistakes.
#![allow(clippy::unwrap_used)]

use sereno_config::{Document, Outcome, Way, read};
use sereno_core::door::Hit;
use std::path::PathBuf;
use std::time::Duration;

fn outcome(text: &str) -> Outcome {
    let document = Document { name: "sereno.toml".to_owned(), text: text.to_owned() };
    read(&[document], &[])
}

/// What is said of a door with these lines: place, message and remedy.
fn said(lines: &str) -> Vec<String> {
    let outcome = outcome(&format!("[door.ssh]\n{lines}\n"));
    let line = |p: &sereno_config::Problem| {
        format!("{}:{} {} / {}", p.line, p.column, p.message, p.remedy)
    };
    outcome.problems.iter().map(line).collect()
}

#[test]
fn a_door_means_what_it_says() {
    let text = r#"
[door.ssh]
ports = ["tcp/22", "tcp/2222"]
knock = [7311, "udp/2904", "5127:udp", "tcp/80"]
within = "5s"
open = "2m"
traps = [23, "udp/161"]
barred = "10m"
cut = true
closed = false
free = ["192.0.2.0/24", "2001:db8::/48"]

[door.light]
command = "/usr/local/sbin/light on %IP%"
end-command = "/usr/local/sbin/light off %IP%"
knock = [1000, 999, 1001]

[door.timed]
ports = "all"
secret = "/etc/sereno/doors/timed.secret"
step = "1m"
length = 6
range = "30000-40000"

[door.off]
enabled = false
"#;
    let outcome = outcome(text);
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    let doors = &outcome.policy.doors;
    let names: Vec<&str> = doors.iter().map(|door| door.name.as_str()).collect();
    assert_eq!(names, ["light", "ssh", "timed"]);
    let ssh = &doors[1];
    let Way::Knock(sequence) = &ssh.way else { panic!("{ssh:?}") };
    assert_eq!(sequence.hits(), [Hit::tcp(7311), Hit::udp(2904), Hit::udp(5127), Hit::tcp(80)]);
    assert_eq!(ssh.ports.as_ref().unwrap().to_string(), "tcp/22, tcp/2222");
    assert_eq!((ssh.within, ssh.open), (Duration::from_secs(5), Duration::from_secs(120)));
    assert_eq!(ssh.traps, [Hit::tcp(23), Hit::udp(161)]);
    assert!(ssh.cut && !ssh.closed && ssh.free.len() == 2);
    assert!(doors[0].command.as_deref().unwrap().contains("%IP%"));
    let secret = PathBuf::from("/etc/sereno/doors/timed.secret");
    let (step, range) = (Duration::from_secs(60), (30_000, 40_000));
    assert_eq!(doors[2].way, Way::Timed { secret, step, length: 6, range });
}

#[test]
fn a_later_file_has_the_last_word_on_each_option() {
    let document = |text: &str| Document { name: "x".to_owned(), text: text.to_owned() };
    let first = document("[door.a]\nports = \"tcp/22\"\nknock = [9, 1, 5]\nopen = 5\n");
    let second = document("[door.a]\nonce = \"/etc/once\"\n");
    let outcome = read(&[first, second], &[]);
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    let door = &outcome.policy.doors[0];
    assert_eq!(door.way, Way::Once(PathBuf::from("/etc/once")));
    assert_eq!(door.open, Duration::from_secs(5));
}

#[test]
fn mistakes_are_told_at_their_place_with_a_remedy() {
    let behind = "ports = \"tcp/22\"\n";
    let knock = "knock = [9, 1, 5]\n";
    let cases = [
        (String::new(), "1:7 nothing opens this door / add knock"),
        (knock.to_owned(), "1:7 nothing is behind this door / add ports"),
        (format!("{behind}{knock}command = \"x\""), "1:7 this door has ports and a command"),
        (format!("{behind}knock = []"), "3:9 a knock has 1 to 32 ports"),
        (format!("{behind}knock = [0]"), "3:10"),
        (format!("{behind}knock = [\"icmp/1\"]"), "3:10 this is no port to knock at / write 7000"),
        (format!("{behind}knock = [\"udp/+5\"]"), "3:10 this is no port to knock at"),
        (format!("{behind}knok = [9, 1, 5]"), "3:1 [door.ssh] has no option knok / did you mean"),
        (format!("{behind}{knock}once = \"/a\""), "4:8 once is a second way to open this door"),
        (format!("{behind}once = \"a\""), "3:8 \"a\" is not an absolute path"),
        (format!("{behind}{knock}free = [\"0.0.0.0/0\"]"), "4:9 0.0.0.0/0 is everybody"),
        (format!("{behind}{knock}range = \"9-20\""), "4:9"),
        (format!("{behind}{knock}open = 0"), "4:8"),
        (format!("{behind}{knock}end-command = \"x\""), "1:7 an end-command without a command"),
        (
            "spa = \"/etc/a\"\ncommand = \"x\"".to_owned(),
            "1:7 what a signed packet runs stands in its file",
        ),
    ];
    for (lines, wanted) in cases {
        let all = said(&lines);
        assert!(all.iter().any(|one| one.contains(wanted)), "{lines:?}: {all:#?}");
        let outcome = outcome(&format!("[door.ssh]\n{lines}\n"));
        assert!(outcome.policy.doors.is_empty(), "{lines:?}: it is set aside");
    }
    let weak = said(&format!("{behind}knock = [7000, 7001, 7002]"));
    assert!(weak[0].contains("may knock at this door / take three ports or more"), "{weak:?}");
    assert!(outcome("[door.SSH]\nports = \"tcp/22\"\nknock = [9, 1, 5]\n").has_errors());
    assert!(outcome("[import]\nknockd = \"knockd.conf\"\n").has_errors());
}
