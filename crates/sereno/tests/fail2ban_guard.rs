//! What a guard by a fail2ban configuration says of itself, and where that is named.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod program;

use program::house::{House, fail};
use program::{Guard, Home, now, own_network};
use std::fs;
use std::process::Command;
use std::time::Duration;

fn write(home: &Home, name: &str, text: &str) {
    let text = text.replace("@DIR@", home.folder().to_str().unwrap());
    fs::create_dir_all(home.path(name).parent().unwrap()).unwrap();
    fs::write(home.path(name), text).unwrap();
}

/// The jails that guard, by name.
fn jails(home: &Home) -> Vec<String> {
    let status = home.json(&["status", "--json"]);
    let all = status["jails"].as_array().unwrap().iter();
    all.map(|jail| jail["name"].as_str().unwrap().to_owned()).collect()
}

const OWN: &str = "[jail.sshd]\nlogpath = [\"@DIR@/auth.log\"]\n";

#[test]
fn the_configuration_names_a_tree() {
    let house = House::new("[one]\n[two]\n", &[]);
    let import = format!("{OWN}[import]\nfail2ban = \"@DIR@/f2b\"\n");
    house.0.append("auth.log", "");
    house.0.configure(&import);
    let checked = |config: &[&str]| {
        let path = house.0.path("sereno.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
        command.arg("check").arg("--config").arg(path).args(config).arg("--json");
        let out = command.env("LC_ALL", "C").output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    assert_eq!(checked(&[])["jails"], serde_json::json!(["one", "sshd", "two"]));
    let other = tempfile::tempdir().unwrap();
    let text =
        "[DEFAULT]\nenabled = true\nbackend = polling\nlogpath = /nowhere\nfilter = f\n[three]\n";
    fs::create_dir(other.path().join("filter.d")).unwrap();
    fs::write(other.path().join("jail.conf"), text).unwrap();
    fs::write(other.path().join("filter.d/f.conf"), "[Definition]\nfailregex = ^x <HOST>$\n")
        .unwrap();
    let named = checked(&["--fail2ban", other.path().to_str().unwrap()]);
    assert_eq!(named["jails"], serde_json::json!(["sshd", "three"]), "the command line wins");

    let child = house.0.run(&[]).arg("--observe").spawn().unwrap();
    let guard = Guard::wait_for(house.0, child);
    assert_eq!(jails(&guard), ["one", "sshd", "two"]);
    // Without an action that a firewall could do.
    let closing = "jail one: 1 failure in 10 min, out for 1 h, commands only\n";
    assert!(guard.said().contains(closing), "{}", guard.said());
    let status = String::from_utf8_lossy(&guard.ask(&["status"]).stdout).into_owned();
    assert!(status.contains("out for 1 h, commands only\n"), "{status}");
    let asked = || guard.ask(&["fail2ban-client", "status"]);
    assert!(String::from_utf8_lossy(&asked().stdout).contains("one, two"));
    fail(&guard, "two", "203.0.113.71", "x");
    guard.until(|home| home.said().contains("203.0.113.71 banned by two"));

    // A reload lets it go, and takes it up again.
    guard.configure(OWN);
    assert!(guard.ask(&["reload"]).status.success());
    assert_eq!(jails(&guard), ["sshd"]);
    let gone = asked();
    assert!(String::from_utf8_lossy(&gone.stderr).contains("not guarding a fail2ban tree"));
    guard.configure(&import.replace("f2b\"", "nowhere\""));
    let refused = guard.ask(&["reload"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no jail.conf"), "{refused:?}");
    guard.configure(&import);
    assert!(guard.ask(&["reload"]).status.success());
    assert!(String::from_utf8_lossy(&asked().stdout).contains("one, two"));
    fail(&guard, "one", "203.0.113.72", "x");
    guard.until(|home| home.said().contains("203.0.113.72 banned by one"));
}

#[test]
fn searches_that_take_too_long_are_counted_and_said() {
    if !own_network() {
        return;
    }
    let house = House::new("[one]\nfilter = slow\n[two]\n", &[]);
    let slow = "[Definition]\nfailregex = ^\\s*((?:a|aa)+)\\1? fail from <HOST>$\n";
    write(&house.0, "f2b/filter.d/slow.conf", slow);
    let guard = house.start();
    guard.until_it_raises(&[]);
    guard.append("one.log", &format!("{} {}! fail from 192.0.2.1\n", now(), "a".repeat(200)));
    let alarm = "jail one: 1 search of the last 24 h given up after too many steps";
    guard.until_it_raises(&[alarm]);
    guard.until_it_says("ALARM: ", alarm);
    let status = guard.json(&["status", "--json"]);
    let of = |jail: usize, what: &str| status["jails"][jail][what].clone();
    assert_eq!((of(0, "exhausted"), of(1, "exhausted")), (1.into(), 0.into()), "{status}");
    assert_eq!(
        (of(0, "exhausted_day"), of(0, "lost"), of(0, "lost_day")),
        (1.into(), 0.into(), 0.into())
    );
    let text = String::from_utf8_lossy(&guard.ask(&["status"]).stdout).into_owned();
    assert_eq!(text.matches("1 search given up after too many steps, 0 sessions").count(), 1);
    // What comes next is read as ever; the alarm is not said again.
    guard.append("one.log", &format!("{} {}! fail from 192.0.2.1\n", now(), "a".repeat(200)));
    guard.append("one.log", &format!("{} aaa fail from 192.0.2.2\n", now()));
    guard.until(|home| home.bans() == ["192.0.2.2"]);
    guard.until_it_raises(&["jail one: 2 searches of the last 24 h"]);
    assert_eq!(guard.said().matches("of the last 24 h given up").count(), 1, "{}", guard.said());
}

/// Commands, fail2ban's log and its client name the address; the gate stops its network.
#[test]
fn an_address_of_version_6_is_told_and_its_network_is_out() {
    if !own_network() {
        return;
    }
    let tell = "[Definition]\nactionban = echo ban <ip> <fid> <family> <restored> >> @DIR@/told\n\
                actionunban = echo unban <ip> >> @DIR@/told\n";
    let house = House::new("[one]\naction = iptables-allports\n    tell\n", &[("tell", tell)]);
    if !house.with_stock_actions() {
        return;
    }
    let main = "[Definition]\nlogtarget = @DIR@/fail2ban.log\nloglevel = INFO\n";
    write(&house.0, "f2b/fail2ban.conf", main);
    let mut guard = house.start();
    let told = |home: &Home| fs::read_to_string(home.path("told")).unwrap_or_default();
    let asked = |home: &Home, words: &str| {
        let words: Vec<&str> = ["fail2ban-client"].into_iter().chain(words.split(' ')).collect();
        String::from_utf8_lossy(&home.ask(&words).stdout).into_owned()
    };
    let in_force = |home: &Home| home.bans() == ["2001:db8:5::/64"];
    fail(&guard, "one", "2001:db8:5::9", "x");
    guard.until(|home| told(home) == "ban 2001:db8:5::9 2001:db8:5::9 inet6 0\n");
    assert!(in_force(&guard));
    let table = Command::new("nft").args(["list", "table", "inet", "sereno"]).output().unwrap();
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("2001:db8:5:: timeout") && !table.contains("5::9"), "{table}");
    let status = asked(&guard, "status one");
    assert!(status.contains("Banned IP list:\t2001:db8:5::9\n"), "{status}");
    assert_eq!(asked(&guard, "banned 2001:db8:5::9"), "[['one']]\n");
    let log = |home: &Home| fs::read_to_string(home.path("fail2ban.log")).unwrap();
    guard.until(|home| log(home).contains("NOTICE  [one] Ban 2001:db8:5::9\n"));
    assert!(log(&guard).contains("INFO    [one] Found 2001:db8:5::9 - "), "{}", log(&guard));

    // It is remembered over a restart, and lifted by either name.
    let process = nix::unistd::Pid::from_raw(guard.child.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
    guard.child.wait().unwrap();
    let mut command = guard.run(&[]);
    guard.child = command.arg("--fail2ban").arg(guard.path("f2b")).spawn().unwrap();
    guard.until(|home| told(home).ends_with("ban 2001:db8:5::9 2001:db8:5::9 inet6 1\n"));
    assert!(in_force(&guard));
    guard.until(|home| log(home).contains("NOTICE  [one] Restore Ban 2001:db8:5::9\n"));
    for (words, count) in [
        ("set one unbanip 2001:db8:5::9", "1\n"),
        ("set one unbanip 2001:db8:5::/64", "1\n"),
        ("unban 2001:db8:5::9", "1\n"),
        // A neighbour was not banned, but he is let in.
        ("set one unbanip 2001:db8:5::a", "0\n"),
    ] {
        assert!(in_force(&guard), "{words}");
        assert_eq!(asked(&guard, words), count, "{words}");
        guard.until(|home| told(home).ends_with("unban 2001:db8:5::9\n"));
        assert!(guard.bans().is_empty(), "{words}");
        fail(&guard, "one", "2001:db8:5::9", "x");
        guard.until(|home| told(home).ends_with("ban 2001:db8:5::9 2001:db8:5::9 inet6 0\n"));
    }
    for prefix in ["2001:db8:5::9", "2001:db8:5::/64"] {
        assert!(guard.ask(&["unban", prefix]).status.success(), "{prefix}");
        guard.until(|home| told(home).ends_with("unban 2001:db8:5::9\n"));
        fail(&guard, "one", "2001:db8:5::9", "x");
        guard.until(|home| told(home).ends_with("inet6 0\n"));
    }
    let log = log(&guard);
    assert!(log.contains("NOTICE  [one] Unban 2001:db8:5::9\n") && !log.contains("::/64"), "{log}");
}

#[test]
fn a_ban_that_the_kernel_refuses_is_told_once() {
    if !own_network() {
        return;
    }
    let house = House::new("[one]\nfilter = nets\naction = iptables-allports\n", &[]);
    if !house.with_stock_actions() {
        return;
    }
    write(&house.0, "f2b/filter.d/nets.conf", "[Definition]\nfailregex = ^\\s*net <SUBNET>$\n");
    let main = "[Definition]\nlogtarget = @DIR@/fail2ban.log\nloglevel = INFO\n";
    write(&house.0, "f2b/fail2ban.conf", main);
    let guard = house.start();
    // The gate has no set for networks of this size.
    guard.append("one.log", &format!("{} net 198.18.0.0/16\n", now()));
    guard.until(|home| home.said().contains("ban not in force"));
    guard.until_it_raises(&["not in force yet: 1 ban"]);
    // It is asked for again every five seconds.
    std::thread::sleep(Duration::from_secs(11));
    let log = fs::read_to_string(guard.path("fail2ban.log")).unwrap();
    assert_eq!(log.matches("[one] Ban 198.18.0.0/16").count(), 1, "{log}");
    assert_eq!(log.matches("already banned").count(), 0, "{log}");
    assert_eq!(guard.said().matches("198.18.0.0/16 banned by one").count(), 1, "{}", guard.said());
    let status = String::from_utf8_lossy(&guard.ask(&["fail2ban-client", "status", "one"]).stdout)
        .into_owned();
    assert!(status.contains("Total banned:\t1\n"), "{status}");
}
