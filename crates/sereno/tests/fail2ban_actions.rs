//! The actions of a fail2ban configuration, in the real program, in a network of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod program;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::house::{House, fail};
use program::{Guard, Home, PATIENCE, now, own_network};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// An action that notes what it is told.
const TELL: &str = "[Definition]
actionstart = echo start <name> >> @DIR@/told
actionstop = echo stop <name> >> @DIR@/told
actionreload = echo reload <name> >> @DIR@/told
actionban = printf 'ban %%s|%%s|%%s|%%s|%%s|%%s\\n' <ip> <family> <failures> <bantime> <restored> <jail.found_total> >> @DIR@/told
    printf '%%s\\n' \"<matches>\" >> @DIR@/matches
actionunban = echo unban <ip> <restored> >> @DIR@/told
";

/// An action that sends letters, written as those are that come with fail2ban.
const LETTER: &str = "[Definition]
norestored = 1
actionstart = printf %%b \"Subject: <name>: started\\nTo: <dest>\\n\" | <mailcmd>
actionban = printf %%b \"Subject: [<sendername>] <name>: banned <ip>
    Date: `LC_ALL=C date +\"%%a, %%d %%h %%Y %%T %%z\"`
    To: <dest>\\n
    After <failures> attempts:\\n`echo whois of <ip>`\\n\" | <mailcmd>
[Init]
mailcmd = /usr/sbin/sendmail -f \"<sender>\" \"<dest>\"
dest = root
sender = fail2ban
sendername = Guard
";

fn text(home: &Home, name: &str) -> String {
    fs::read_to_string(home.path(name)).unwrap_or_default()
}

fn told(home: &Home) -> Vec<String> {
    text(home, "told").lines().map(str::to_owned).collect()
}

/// Asks it to end, and waits; gives how long that took.
fn stop(guard: &mut Guard) -> Duration {
    let began = Instant::now();
    kill(Pid::from_raw(guard.child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(guard.child.wait().unwrap().success());
    began.elapsed()
}

fn ruleset() -> String {
    let out = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn an_action_starts_bans_lifts_and_stops() {
    if !own_network() {
        return;
    }
    let house = House::new("[one]\nbantime = 3\naction = tell[name=one]\n", &[("tell", TELL)]);
    let mut guard = house.start();
    let evil = "`touch @/canary`$(touch @/canary)\"';touch @/canary;#<ip>${f2bV_ip}\\n%s|&";
    let evil = evil.replace('@', guard.folder().to_str().unwrap());
    fail(&guard, "one", "192.0.2.1", &evil);
    guard.until(|home| told(home).len() == 3);
    assert_eq!(told(&guard), ["start one", "ban 192.0.2.1|inet4|1|3|0|1", "unban 192.0.2.1 0"]);
    fail(&guard, "one", "2001:db8::1", "x");
    fail(&guard, "one", "192.0.2.2", "x");
    guard.until(|home| told(home).len() >= 5);
    // Bans of commands alone close nothing.
    assert!(!ruleset().contains("192.0.2.2"), "{}", ruleset());
    stop(&mut guard);
    let mut rest = told(&guard).split_off(5);
    assert_eq!(rest.pop().unwrap(), "stop one");
    rest.sort();
    assert_eq!(rest, ["unban 192.0.2.2 0", "unban 2001:db8::1 0"]);
    assert!(text(&guard, "matches").contains(&format!(" user={evil}\n")));
    let canary = |path: &Path| assert!(!path.exists(), "{}", guard.said());
    canary(&guard.path("canary"));
    assert!(!guard.said().contains("ALARM"), "{}", guard.said());
}

#[test]
fn what_the_filter_captured_reaches_commands_and_questions() {
    const USER: &str =
        "[Definition]\nactionban = printf '%%s says %%s\\n' <ip> \"<F-USER>\" >> @DIR@/told\n";
    if !own_network() {
        return;
    }
    let ask = "ignorecommand = printf '%%s asks %%s\\n' <ip> \"<F-USER>\" >> @DIR@/asked; exit 1\n";
    let jails = format!("[one]\naction = user\n[two]\naction = user\n{ask}");
    let guard = House::new(&jails, &[("user", USER)]).start();
    let evil = "$(touch @/canary) `id` \"'; %s".replace('@', guard.folder().to_str().unwrap());
    fail(&guard, "one", "192.0.2.1", &evil);
    fail(&guard, "two", "192.0.2.2", "carlos");
    guard.until(|home| told(home).len() == 2);
    let mut all = told(&guard);
    all.sort();
    assert_eq!(all, [format!("192.0.2.1 says {evil}"), "192.0.2.2 says carlos".to_owned()]);
    assert_eq!(text(&guard, "asked"), "192.0.2.2 asks carlos\n");
    assert!(!guard.path("canary").exists(), "{}", guard.said());
}

#[test]
fn letters_are_sent_and_not_repeated_after_a_restart() {
    if !own_network() {
        return;
    }
    let jails = "[one]\naction = tell[name=one]\n    letter[name=one, dest=me@example.org, \
                 mailcmd='\"@DIR@/sendmail\" -f x \"<dest>\"']\n";
    let house = House::new(jails, &[("tell", TELL), ("letter", LETTER)]);
    let stub = house.0.path("sendmail");
    let script =
        "#!/bin/sh\ncd \"${0%/*}\"\necho \"$@\" >> args\ncat >> letters\necho == >> letters\n";
    fs::write(&stub, script).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    let mut guard = house.start();
    fail(&guard, "one", "192.0.2.1", "x");
    guard.until(|home| text(home, "letters").matches("==").count() == 2);
    let letters = text(&guard, "letters");
    assert!(letters.contains("Subject: [Guard] one: banned 192.0.2.1\nDate: "), "{letters}");
    assert!(letters.contains("After 1 attempts:\nwhois of 192.0.2.1\n"), "{letters}");
    assert_eq!(text(&guard, "args"), "-f x me@example.org\n".repeat(2));
    stop(&mut guard);
    let mut command = guard.run(&[]);
    let child = command.arg("--fail2ban").arg(guard.path("f2b")).spawn().unwrap();
    guard.child = child;
    guard.until(|home| told(home).len() == 6);
    fail(&guard, "one", "192.0.2.2", "x");
    guard.until(|home| text(home, "letters").matches("==").count() == 4);
    let all = told(&guard);
    assert_eq!(
        all[..4],
        ["start one", "ban 192.0.2.1|inet4|1|3600|0|1", "unban 192.0.2.1 0", "stop one"]
    );
    assert_eq!(all[4..6], ["start one", "ban 192.0.2.1|inet4|1|3600|1|0"]);
    let letters = text(&guard, "letters");
    assert_eq!(letters.matches("banned 192.0.2.1").count(), 1, "{letters}");
    assert_eq!(letters.matches("banned 192.0.2.2").count(), 1, "{letters}");
}

/// Waits until the gate has an address; gives how long it took.
fn in_force(addr: &str, since: Instant) -> Duration {
    loop {
        let seen = ruleset().contains(addr);
        let spent = since.elapsed();
        if seen {
            return spent;
        }
        assert!(spent < PATIENCE, "{addr} is not out: {}", ruleset());
    }
}

#[test]
fn what_fails_or_hangs_is_said_and_holds_up_nobody() {
    if !own_network() {
        return;
    }
    let fails = "[Definition]\nactionban = test ! -e @DIR@/broken || { printf 'no \\033[1mway\\nx' >&2; exit 3; }\n\
                 actionunban = true\n";
    let hangs = "[Definition]\nactionban = echo > @DIR@/hanging; exec sleep 20\n";
    let jails = "[bad]\naction = iptables-allports\n    fails\n\
                 [slow]\naction = hangs\n[good]\naction = iptables-multiport[port=22]\n";
    let house = House::new(jails, &[("fails", fails), ("hangs", hangs)]);
    if !house.with_stock_actions() {
        return;
    }
    house.0.append("broken", "");
    let mut guard = house.start();
    fail(&guard, "bad", "192.0.2.1", "x");
    in_force("192.0.2.1", Instant::now());
    let alarm = "action fails of jail bad fails: actionban: exit code 3: no \u{fffd}[1mway";
    guard.until_it_says("ALARM: ", alarm);
    guard.until_it_raises(&[alarm]);
    fail(&guard, "slow", "192.0.2.3", "x");
    guard.until(|home| home.path("hanging").exists());
    let mut times: Vec<Duration> = (0..9)
        .map(|i| {
            let (addr, since) = (format!("198.51.100.1{i}"), Instant::now());
            fail(&guard, "good", &addr, "x");
            in_force(&addr, since)
        })
        .collect();
    times.sort();
    println!("written to in force beside a command that hangs: {times:?}");
    assert!(times[4] < Duration::from_millis(100), "{times:?}");
    fs::remove_file(guard.path("broken")).unwrap();
    fail(&guard, "bad", "192.0.2.4", "x");
    guard.until_it_raises(&[]);
    guard.until_it_says("over: ", alarm);
    assert_eq!(guard.said().matches("ALARM").count(), 1, "{}", guard.said());
    // The program's end does not wait longer than it says.
    let spent = stop(&mut guard);
    assert!(spent < Duration::from_secs(24), "{spent:?}");
    assert!(ruleset().contains("192.0.2.1"), "the gate's bans stay");
}

/// A client in a network of his own, with a cable to ours.
struct Client(String);

impl Client {
    fn new() -> Option<Self> {
        let client = Self(format!("f2bact{}", std::process::id()));
        let ip = |line: String| {
            let out = Command::new("ip").args(line.split(' ')).output();
            out.is_ok_and(|out| out.status.success())
        };
        let name = &client.0;
        let able = ip(format!("netns add {name}"))
            && ip(format!("link add cable type veth peer name cable netns {name}"))
            && ip("addr add 198.51.100.1/24 dev cable".to_owned())
            && ip("link set cable up".to_owned())
            && ip("link set lo up".to_owned())
            && ip(format!("-n {name} addr add 198.51.100.2/24 dev cable"))
            && ip(format!("-n {name} link set cable up"));
        if !able {
            println!("skipped: there can be no second network here");
        }
        able.then_some(client)
    }

    /// Connects to a port of ours; gives the error and how long it took.
    fn connect(&self, port: u16) -> (Option<std::io::ErrorKind>, Duration) {
        let path = format!("/run/netns/{}", self.0);
        std::thread::spawn(move || {
            let net = fs::File::open(path).unwrap();
            nix::sched::setns(&net, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let began = Instant::now();
            let to = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), port));
            let tried = TcpStream::connect_timeout(&to, Duration::from_secs(2));
            (tried.err().map(|e| e.kind()), began.elapsed())
        })
        .join()
        .unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn blocktype_says_what_the_banned_hear() {
    if !own_network() {
        return;
    }
    let Some(client) = Client::new() else { return };
    let jails = "[reset]\naction = iptables-multiport[port=\"2201\", blocktype=\"REJECT --reject-with tcp-reset\"]\n\
                 [reject]\naction = iptables[port=\"2202\"]\n\
                 [silent]\naction = nftables-multiport[port=\"2203\", blocktype=drop]\n\
                 [everything]\naction = iptables-allports[blocktype=DROP]\n";
    let house = House::new(jails, &[]);
    if !house.with_stock_actions() {
        return;
    }
    let open: Vec<TcpListener> =
        (2201..2204).map(|port| TcpListener::bind(("0.0.0.0", port)).unwrap()).collect();
    let guard = house.start();
    assert!(!guard.said().contains("are run as they are written"), "{}", guard.said());
    let before: Vec<_> = (2201..2204).map(|port| client.connect(port).0).collect();
    assert_eq!(before, [None, None, None], "{}", ruleset());
    for jail in ["reset", "reject", "silent"] {
        fail(&guard, jail, "198.51.100.2", "x");
    }
    guard.until(|home| home.bans().len() == 3);
    let rules = ruleset();
    assert!(rules.contains("reject with tcp reset"), "{rules}");
    assert!(
        rules.lines().any(|line| line.contains("reject") && !line.contains("tcp reset")),
        "{rules}"
    );
    use std::io::ErrorKind::{ConnectionRefused, TimedOut};
    for (port, error, at_once) in
        [(2201, ConnectionRefused, true), (2202, ConnectionRefused, true), (2203, TimedOut, false)]
    {
        let (met, spent) = client.connect(port);
        assert_eq!(
            (met, spent < Duration::from_secs(1)),
            (Some(error), at_once),
            "{port}: {rules}"
        );
    }
    fail(&guard, "everything", "198.51.100.3", "x");
    guard.until(|home| home.bans().len() == 4);
    drop(open);
}

#[test]
fn a_reload_changes_what_changed() {
    if !own_network() {
        return;
    }
    let jails = |actions: &str| format!("[one]\naction = tell[name=same]\n{actions}\n");
    let (gone, other) = ("    tell[name=gone, actname=gone]", "    other[name=b]");
    let changed = |word: &str| {
        format!(
            "[Definition]\nactionban = echo {word} <ip> <restored> >> @DIR@/told\n\
             actionunban = echo {word}-un <ip> >> @DIR@/told\n"
        )
    };
    let house = House::new(
        &jails(&format!("{gone}\n{other}")),
        &[("tell", TELL), ("other", &changed("first"))],
    );
    let guard = house.start();
    fail(&guard, "one", "192.0.2.1", "x");
    guard.until(|home| told(home).len() == 5);
    let house_path = guard.path("f2b");
    let here = guard.folder().to_str().unwrap().to_owned();
    let jail = fs::read_to_string(house_path.join("jail.conf")).unwrap();
    fs::write(house_path.join("jail.conf"), jail.replace(gone, "    refused.py")).unwrap();
    fs::write(house_path.join("action.d/refused.py"), "class Action: pass\n").unwrap();
    let new = changed("second").replace("@DIR@", &here);
    fs::write(house_path.join("action.d/other.conf"), new).unwrap();
    let reloaded = guard.ask(&["reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    guard.until(|home| told(home).len() == 10);
    let mut after = told(&guard).split_off(5);
    after.sort();
    assert_eq!(
        after,
        [
            "first-un 192.0.2.1",
            "reload same",
            "second 192.0.2.1 1",
            "stop gone",
            "unban 192.0.2.1 0"
        ],
        "{}",
        guard.said()
    );
    guard.until_it_raises(&["action refused of jail one is not done: refused.py is a program"]);
    assert!(guard.ask(&["unban", "192.0.2.1"]).status.success());
    guard.until(|home| told(home).len() == 12);
    let mut last = told(&guard).split_off(10);
    last.sort();
    assert_eq!(last, ["second-un 192.0.2.1", "unban 192.0.2.1 0"]);
}

/// Nothing runs where nothing is to be enforced.
#[test]
fn observing_says_what_would_have_run() {
    let house = House::new("[one]\naction = tell[name=one]\n", &[("tell", TELL)]);
    let child = house.spawn(&["--observe"]);
    let guard = Guard::wait_for(house.0, child);
    fail(&guard, "one", "203.0.113.77", "x");
    let said = "observed only: would have run tell of jail one for 203.0.113.77";
    guard.until(|home| home.said().contains(said));
    sleep(Duration::from_millis(100));
    assert!(told(&guard).is_empty());
}

/// More bans than an action can have waiting: they are asked for again, and lifted as the others.
#[test]
fn what_an_action_has_no_room_for_waits() {
    if !own_network() {
        return;
    }
    let hangs = "[Definition]\nactionban = echo ban <ip> >> @DIR@/told; while ! test -e @DIR@/go; do sleep 0.1; done\n\
                 actionunban = echo unban <ip> >> @DIR@/told\n";
    let house = House::new("[one]\naction = hangs\n", &[("hangs", hangs)]);
    let guard = house.start();
    // It answers once it reads: of a log that was there before, it would take the end only.
    guard.until_it_raises(&[]);
    let line = |i: u32| format!("{} fail from {} user=x\n", now(), Ipv4Addr::from(0x0a00_0100 + i));
    guard.append("one.log", &(0..70_000).map(line).collect::<String>());
    guard.until_it_says("ALARM: ", "action hangs of jail one does not keep up");
    guard.until_it_raises(&["action hangs of jail one does not keep up: 4,463 bans waiting"]);
    let done = guard.ask(&["unban", "--all"]);
    assert!(done.status.success(), "{done:?}");
    guard.append("go", "");
    guard.until_it_raises(&[]);
    fail(&guard, "one", "192.0.2.1", "x");
    // The one that was being banned may have to be lifted first.
    let first = told(&guard)[0].replace("ban ", "unban ");
    guard.until(|home| told(home).last().is_some_and(|line| line == "ban 192.0.2.1"));
    assert!(told(&guard).len() <= 4 && told(&guard).contains(&first), "{:?}", told(&guard));
}

/// A command says whom to leave alone. What it does not answer is no reprieve, and while one hangs
/// others are asked and banned.
#[test]
fn a_command_says_whom_to_leave_alone() {
    if !own_network() {
        return;
    }
    let jails = "[one]\nbantime = 60\naction = iptables-allports\n\
                 ignorecommand = @DIR@/friend <ip>\n\
                 [two]\naction = iptables-allports\n\
                 ignorecommand = echo \"no idea\" >&2; exit 7\n";
    let house = House::new(jails, &[]);
    if !house.with_stock_actions() {
        return;
    }
    let script = "#!/bin/sh\necho \"$1\" >> @/asked\ncase $1 in\n192.0.2.1) exit 0;;\n\
                  192.0.2.9) touch @/hanging; exec sleep 30;;\nesac\nexit 1\n";
    house.0.append("friend", &script.replace('@', house.0.folder().to_str().unwrap()));
    fs::set_permissions(house.0.path("friend"), fs::Permissions::from_mode(0o755)).unwrap();
    let guard = house.start();
    fail(&guard, "one", "192.0.2.1", "x");
    guard.until(|home| text(home, "asked").contains("192.0.2.1\n"));
    fail(&guard, "one", "192.0.2.9", "x");
    guard.until(|home| home.path("hanging").exists());
    let spent = {
        let since = Instant::now();
        fail(&guard, "one", "192.0.2.2", "$(touch @/canary)");
        in_force("192.0.2.2", since)
    };
    println!("asked, and in force after {spent:?}");
    assert!(spent < Duration::from_secs(2), "{spent:?}");
    let alarm = "the ignorecommand of jail two gives no answer, so whoever it would leave alone is \
                 banned: exit code 7: no idea";
    fail(&guard, "two", "192.0.2.3", "x");
    in_force("192.0.2.3", Instant::now());
    guard.until_it_raises(&[alarm]);
    let rules = ruleset();
    assert!(!rules.contains("192.0.2.1") && !rules.contains("192.0.2.9"), "{rules}");
    let why = guard.ask(&["why", "192.0.2.1"]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("ignorecommand"), "{why}");
    // He is asked about each time.
    fail(&guard, "one", "192.0.2.1", "x");
    guard.until(|home| text(home, "asked").matches("192.0.2.1\n").count() == 2);
}
