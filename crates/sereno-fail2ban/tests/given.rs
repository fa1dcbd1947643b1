//! What programs are given by the stock actions: by us, by fail2ban itself, and with values that
//! want to be more than values.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs real programs"
)]

mod acts;

use acts::{EXPECTED, installed, judged};
use sereno_fail2ban::Family;
use sereno_fail2ban::act::{Commands, Kind, Operation, Ticket, Value};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A folder with programs that note what they are given and read.
fn stubs(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        // Two of them may run at once.
        let text = "#!/bin/sh\nname=${0##*/}\n{ printf '%s: ' \"$name\"; printf '[%s]' \"$@\"; cat; echo; } \
                    > part.$$; cat part.$$ >> told-$name; rm part.$$; [ $name = date ] && echo 17 || echo \"$name says\"\n";
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    folder
}

fn shell(script: &str, options: &[&str], folder: &Path, values: Vec<(String, String)>) -> Output {
    Command::new("/bin/sh")
        .args(options)
        .arg("-c")
        .arg(script)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .envs(values)
        .stdin(Stdio::null())
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn stock_commands_do_nothing_else_whatever_the_log_says() {
    if !installed() {
        return;
    }
    let programs = ["mail", "sendmail", "curl", "wget", "whois", "dig", "apprise", "geoiplookup"];
    let evil =
        "x\n~! touch canary\n`touch canary`$(touch canary)\\n\\176! id\n'\";touch canary;\n.\n";
    for (file, kind) in EXPECTED.iter().filter(|(_, kind)| !kind.starts_with("refused")) {
        let mailcmd = "mailcmd=\"mail -s\", mta=mail, file=/dev/null, tmpfile=./t, target=./d";
        let acts = judged(&format!("action = {file}[{mailcmd}, sender=a, dest=b]"), &[]);
        let Kind::Command(commands) = &acts.actions[0].1 else { continue };
        let folder = stubs(&programs);
        for (operation, family) in
            Operation::ALL.iter().flat_map(|o| [(*o, Family::V4), (*o, Family::V6)])
        {
            let script = commands.script(operation, family);
            let checked = shell(&script.text, &["-n"], folder.path(), Vec::new());
            assert!(checked.status.success(), "{file} {operation:?}: {checked:?}\n{}", script.text);
        }
        if *kind != "message" {
            continue;
        }
        let mut ticket = Ticket {
            id: "192.0.2.7".to_owned(),
            addr: "192.0.2.7".parse().ok(),
            matches: vec![evil.to_owned()],
            ..Ticket::default()
        };
        ticket.captures.insert("user".to_owned(), evil.to_owned());
        let script = commands.script(Operation::Ban, Family::V4);
        let values = ticket.environment(script).unwrap().into_iter();
        let values = values.map(|(name, value)| match value {
            Value::Text(text) => (name, text),
            Value::HostOf(_) => (name, evil.to_owned()),
            _ => (name, "host".to_owned()),
        });
        let output = shell(&script.text, &[], folder.path(), values.collect());
        assert!(!folder.path().join("canary").exists(), "{file}: {output:?}");
        let told = told(folder.path());
        if script.text.contains("f2bV_mail") {
            assert!(!told.contains("\n~"), "{file}: {told}");
        }
        if script.needs.iter().any(|one| one.tag() == "matches") {
            assert!(told.contains("`touch canary`$(touch canary)"), "{file}: {told}");
        }
    }
}

/// Runs an action's start and ban in fail2ban's own process.
const REAL: &str = r"
import sys, json
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from fail2ban.client.actionreader import ActionReader
from fail2ban.server.action import CommandAction, CallingMap
file, options, info = json.loads(sys.argv[1])
reader = ActionReader(file, 'j', options, share_config={}, basedir='/etc/fail2ban')
reader.read()
reader.getOptions({})
action = CommandAction(None, file)
for command in reader.convert()[1:]:
    pairs = command[4] if command[0] == 'multi-set' else [command[4:]]
    for name, value in pairs:
        setattr(action, name, value)
def quietly(what):
    try:
        what()
    except RuntimeError:
        pass
quietly(action.start)
quietly(lambda: action.ban(CallingMap(info)))
quietly(lambda: action.unban(CallingMap(info)))
";

fn told(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let left = ["t", "t.buffer", "t.first", "t.lastsent", "d", "hosts"];
    let mut paths: Vec<_> = files
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            name.starts_with("told-") || left.contains(&name)
        })
        .collect();
    paths.sort();
    let mut all = String::new();
    for path in paths {
        all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        std::fs::remove_file(path).unwrap();
    }
    all
}

const PROGRAMS: [&str; 14] = [
    "mail",
    "sendmail",
    "curl",
    "wget",
    "whois",
    "dig",
    "apprise",
    "geoiplookup",
    "nsupdate",
    "date",
    "apf",
    "ip",
    "uname",
    "notify",
];
const OPTIONS: [(&str, &str); 8] = [
    ("mailcmd", "sendmail -f a"),
    ("mailargs", "x y"),
    ("tmpfile", "./t"),
    ("target", "./d"),
    ("file", "./hosts"),
    ("lines", "1"),
    ("nsupdatecmd", "nsupdate"),
    ("debug", "0"),
];
const LINES: &str =
    "Failed password for `id` from 192.0.2.7 $HOME (\"x\") 'y' \\d; a  b\nline two *";
/// They keep their lists in the machine's own files.
const ELSEWHERE: [&str; 3] =
    ["symbiosis-blacklist-allports", "shorewall-ipset-proto6", "nginx-block-map"];

/// What programs are told when we run an action.
fn ours(commands: &Commands, folder: &Path) -> String {
    let ticket = Ticket {
        jail: "j".to_owned(),
        id: "192.0.2.7".to_owned(),
        addr: "192.0.2.7".parse().ok(),
        failures: 5,
        time: 1_700_000_000,
        bantime: 600,
        matches: LINES.split('\n').map(ToOwned::to_owned).collect(),
        ..Ticket::default()
    };
    for operation in [Operation::Start, Operation::Ban, Operation::Unban] {
        let script = commands.script(operation, Family::V4);
        let values = ticket.environment(script).unwrap().into_iter();
        let values = values.map(|(name, value)| match value {
            Value::Text(text) => (name, text),
            _ => (name, "host".to_owned()),
        });
        let values: Vec<(String, String)> = values.collect();
        let output = shell(&script.text, &[], folder, values.clone());
        if operation != Operation::Start && !output.status.success() {
            // As fail2ban does with what failed.
            shell(&script.text, &[], folder, values);
        }
    }
    told(folder)
}

/// What programs are told when fail2ban runs it.
fn real(file: &str, folder: &Path) -> String {
    let options: Vec<String> = OPTIONS.iter().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
    let text = format!("{LINES:?}").replace("\\'", "'");
    let info = format!(
        "{{\"ip\":\"192.0.2.7\",\"fid\":\"192.0.2.7\",\"family\":\"inet4\",\"failures\":5,\
         \"time\":1700000000,\"bantime\":600,\"bancount\":0,\"restored\":0,\"ip-rev\":\"7.2.0.192.\",\
         \"ipfailures\":5,\"ipjailfailures\":5,\"ip-host\":\"host\",\"fq-hostname\":\"host\",\
         \"sh-hostname\":\"host\",\"matches\":{text},\"ipmatches\":{text},\"ipjailmatches\":{text}}}"
    );
    let output = Command::new("/usr/bin/python3")
        .args(["-c", REAL, &format!("[\"{file}\",{{{}}},{info}]", options.join(","))])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{file}: {output:?}");
    // fail2ban puts the name of the machine into the command before anybody can say another one.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    told(folder).replace(name.trim(), "host")
}

#[test]
fn programs_are_given_what_fail2ban_gives_them() {
    if !installed() || !Path::new("/usr/lib/python3/dist-packages/fail2ban").exists() {
        println!("skipped: fail2ban is not installed as a package");
        return;
    }
    let mut seen = 0;
    for (file, kind) in EXPECTED {
        let ours_alone = file.ends_with("-common") || ELSEWHERE.contains(&file);
        if !["command", "message"].contains(&kind) || ours_alone {
            continue;
        }
        let folder = stubs(&PROGRAMS);
        let given: Vec<String> = OPTIONS.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let acts = judged(&format!("action = {file}[{}]", given.join(", ")), &[]);
        let Kind::Command(commands) = &acts.actions[0].1 else { panic!("{file}") };
        let ours = ours(commands, folder.path());
        assert_eq!(ours, real(file, folder.path()), "{file}");
        seen += usize::from(!ours.is_empty());
    }
    assert!(seen >= 20, "{seen}");
}
