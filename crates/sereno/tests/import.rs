//! `sereno import fail2ban` by the real program, on real and on hostile trees.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test that cannot go on fails"
)]

mod program;

use program::{Guard, Home};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const STOCK: &str = "/etc/fail2ban";
/// 2026-11-23T00:00:00Z.
const NOW: &str = "1795392000";

fn sereno(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sereno"));
    command.args(words).env("LC_ALL", "C").env("TZ", "UTC").output().unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a tree.
struct House {
    folder: tempfile::TempDir,
}

impl House {
    /// A tree of these files.
    fn of(files: &[(&str, &str)]) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            let path = house.tree().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("@DIR@", text_of(&house))).unwrap();
        }
        house
    }

    /// Debian's tree with all jails at work, and a log for each.
    fn stock(defaults: &str) -> Option<Self> {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        if !Path::new(STOCK).join("jail.conf").exists() {
            println!("skipped: there is no {STOCK}/jail.conf");
            return None;
        }
        let logs = house.path("log");
        copy(Path::new(STOCK), &house.tree(), text(&logs));
        let conf = fs::read_to_string(house.tree().join("jail.conf")).unwrap();
        let heads = conf.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
        let names = heads.filter(|name| !matches!(*name, "INCLUDES" | "DEFAULT"));
        let mut local = format!("[DEFAULT]\n{defaults}\n");
        for name in names {
            let _ = write!(local, "[{name}]\nenabled = true\n");
        }
        fs::write(house.tree().join("jail.local"), local).unwrap();
        Some(house)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tree(&self) -> PathBuf {
        self.path("f2b")
    }

    /// Imports, and gives the report and the exit code.
    fn import(&self, words: &[&str]) -> (Value, i32) {
        let (tree, into) = (self.tree(), self.path("out"));
        let all = [&["import", "fail2ban", text(&tree), "--into", text(&into), "--json"], words];
        let out = sereno(&all.concat());
        let report = serde_json::from_slice(&out.stdout);
        (report.unwrap_or_else(|e| panic!("{e}: {}", said(&out))), out.status.code().unwrap())
    }

    fn config(&self) -> PathBuf {
        self.path("out/sereno.toml")
    }

    fn check(&self) -> Output {
        sereno(&["check", "--config", text(&self.config())])
    }
}

fn text_of(house: &House) -> &str {
    text(house.folder.path())
}

fn copy(from: &Path, to: &Path, logs: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target, logs);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(target, text.replace("/var/log", logs)).unwrap();
        }
    }
}

fn jail<'r>(report: &'r Value, name: &str) -> &'r Value {
    let jails = report["jails"].as_array().unwrap();
    jails.iter().find(|jail| jail["jail"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// Lines of services whose jails are in every tree, from some strangers each, a second apart.
fn log() -> String {
    let mut log = String::new();
    for second in 0..600u32 {
        let (minute, rest) = (second / 60, second % 60);
        let time = format!("10:{minute:02}:{rest:02}");
        let (syslog, web) = (format!("Nov 22 {time} mx"), format!("22/Nov/2026:{time} +0000"));
        let who = |service: u32| format!("203.0.{service}.{}", second % (7 + service) + 1);
        let pid = 1000 + second;
        let lines = [
            format!("{syslog} sshd[{pid}]: Failed password for root from {} port 5 ssh2", who(1)),
            format!(
                "{syslog} postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{}]: 554 5.7.1 <a@b.org>: Relay access denied; from=<x@y.org> to=<a@b.org> proto=SMTP helo=<z>",
                who(2)
            ),
            format!(
                "{syslog} postfix/smtpd[{pid}]: warning: unknown[{}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
                who(3)
            ),
            format!(
                "{syslog} dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip={}, lip=192.0.2.1, TLS",
                who(4)
            ),
            format!(
                "2026/11/22 {time} [error] 5#5: *{pid} user \"bob\": password mismatch, client: {}, server: x, request: \"GET / HTTP/1.1\", host: \"x\"",
                who(5)
            ),
            format!(
                "[Sun Nov 22 {time}.000000 2026] [auth_basic:error] [pid {pid}] [client {}:55] AH01617: user bob: authentication failure for \"/\": Password Mismatch",
                who(6)
            ),
            format!(
                "{} - - [{web}] \"GET /phpmyadmin/scripts/setup.php HTTP/1.1\" 404 5 \"-\" \"-\"",
                who(7)
            ),
            format!(
                "[2026-11-22 {time}] NOTICE[{pid}] chan_sip.c: Registration from '<sip:9@192.0.2.1>' failed for '{}:5060' - Wrong password",
                who(8)
            ),
            format!(
                "{syslog} sshd[{pid}]: Accepted publickey for ana from 198.51.100.7 port 5 ssh2"
            ),
        ];
        log += &(lines.join("\n") + "\n");
    }
    log
}

fn bans(words: &[&str], log: &Path) -> Vec<String> {
    let out = sereno(&[&["replay", "--json", "--now", NOW], words, &[text(log)]].concat());
    assert!(out.status.success(), "{}", said(&out));
    let mut bans: Vec<String> =
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
    bans.sort();
    bans
}

#[test]
fn all_stock_jails_become_files_that_ban_the_same() {
    let Some(house) = House::stock("backend = polling\nignoreip = 127.0.0.1/8 ::1 203.0.1.3")
    else {
        return;
    };
    let (report, code) = house.import(&["--keep-filters"]);
    let jails = report["jails"].as_array().unwrap();
    assert!(jails.len() > 80, "{}", jails.len());
    let left: Vec<&Value> = jails.iter().filter(|jail| jail["outcome"] == "left").collect();
    // It opens a port to those it finds, with a chain of its own.
    assert_eq!(left.iter().map(|jail| &jail["jail"]).collect::<Vec<_>>(), ["pass2allow-ftp"]);
    assert_eq!(code, 1);
    assert_eq!(jail(&report, "sshd")["outcome"], "taken");
    assert_eq!(jail(&report, "sshd")["rule"], "fail2ban-sshd");
    let check = house.check();
    assert!(check.status.success(), "{}", said(&check));

    let log_file = house.path("all.log");
    fs::write(&log_file, log()).unwrap();
    let tree = house.tree();
    let theirs = bans(&["--fail2ban", text(&tree)], &log_file);
    let config = house.config();
    let ours = bans(&["--config", text(&config)], &log_file);
    let of = |jail: &str| theirs.iter().filter(|ban| ban.contains(&format!("\"{jail}\""))).count();
    for name in
        ["sshd", "postfix", "postfix-sasl", "dovecot", "nginx-http-auth", "apache-auth", "asterisk"]
    {
        assert!(of(name) > 5, "{name}: {}", of(name));
    }
    assert!(!theirs.iter().any(|ban| ban.contains("\"203.0.1.3\"")));
    assert_eq!(ours, theirs);
    println!("{} bans", ours.len());
}

#[test]
fn rules_of_serenos_own_take_over_unless_somebody_wrote_his_own_expressions() {
    let Some(house) = House::stock("backend = polling") else { return };
    let (report, _) = house.import(&[]);
    for name in ["sshd", "asterisk"] {
        let jail = jail(&report, name);
        assert_eq!((&jail["outcome"], &jail["rule"]), (&"changed".into(), &name.into()));
        assert!(jail["notes"][0]["text"].as_str().unwrap().contains("--keep-filters"));
    }
    assert!(house.check().status.success(), "{}", said(&house.check()));
    let local = house.tree().join("filter.d/sshd.local");
    fs::write(local, "[Definition]\nfailregex = ^bad <HOST>$\n").unwrap();
    let (report, _) = house.import(&["--force"]);
    assert_eq!(jail(&report, "sshd")["rule"], "fail2ban-sshd");
    let note = jail(&report, "sshd")["notes"][0]["text"].as_str().unwrap();
    assert!(note.contains("filter.d/sshd.local:2"), "{note}");
}

#[test]
fn the_journal_reads_for_jails_that_ask_it() {
    let Some(house) = House::stock("backend = systemd") else { return };
    let (report, _) = house.import(&["--keep-filters"]);
    assert!(jail(&report, "sshd")["name"].is_string());
    assert!(house.check().status.success(), "{}", said(&house.check()));
    let main = fs::read_to_string(house.config()).unwrap();
    assert!(main.contains("journal = [\"_SYSTEMD_UNIT=sshd.service\", \"+\", \"_COMM=sshd\"]"));
    assert!(main.contains("journal = \"all\""));
}

/// A small tree: one jail that closes a port, with what is asked for besides.
fn small(options: &str, failregex: &str) -> House {
    let conf = format!(
        "[web]\nenabled = true\nfilter = web\nlogpath = @DIR@/web.log\naction = iptables-multiport[port=\"80,443\", name=web]\n{options}"
    );
    let filter = format!("[Definition]\nfailregex = {failregex}\n");
    let house = House::of(&[("jail.conf", &conf), ("filter.d/web.conf", &filter)]);
    copy(&Path::new(STOCK).join("action.d"), &house.tree().join("action.d"), "/var/log");
    fs::write(house.path("web.log"), "").unwrap();
    house
}

fn has_stock() -> bool {
    let there = Path::new(STOCK).join("action.d/iptables-multiport.conf").exists();
    if !there {
        println!("skipped: there is no {STOCK}/action.d");
    }
    there
}

#[test]
fn options_come_over() {
    if !has_stock() {
        return;
    }
    let house = small(
        "maxretry = 7\nfindtime = 90\nbantime = 1d\nbantime.increment = true\nbantime.factor = 2\nbantime.maxtime = 5w\nbantime.multipliers = 1 5 30\nignoreip = 192.0.2.0/24 localhost\nlogtimezone = UTC+0200\nusedns = no\nmaxlines = 3\ndatepattern = ^%%Y-%%m-%%d %%H:%%M:%%S\n",
        "^ no <HOST>$",
    );
    let (report, code) = house.import(&[]);
    assert_eq!(code, 0, "{report}");
    let main = fs::read_to_string(house.config()).unwrap();
    for line in [
        "ignoreip = [",
        "\"192.0.2.0/24\"",
        "ports = [\"tcp/80\", \"tcp/443\"]  # jail.conf:5",
        "block = \"reject\"",
        "maxretry = 7  # jail.conf:6",
        "findtime = 90",
        "bantime = \"1d\"",
        "\"bantime.multipliers\" = [1.0, 5.0, 30.0]",
        "\"bantime.maxtime\" = \"5w\"",
    ] {
        assert!(main.contains(line), "{line}\n{main}");
    }
    let rule = fs::read_to_string(house.path("out/rules.d/web.toml")).unwrap();
    for line in ["'^ no <HOST>$',", "usedns = \"no\"", "maxlines = 3", "timezone = 'UTC+0200'"] {
        assert!(rule.contains(line), "{line}\n{rule}");
    }
    assert!(jail(&report, "web")["notes"][0]["text"].as_str().unwrap().contains("localhost"));
    let mode = |path: &str| fs::metadata(house.path(path)).unwrap().permissions().mode() & 0o777;
    let modes = ["out", "out/rules.d", "out/sereno.toml", "out/rules.d/web.toml"].map(mode);
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o644]);
}

#[test]
fn a_formula_comes_over_as_multipliers() {
    if !has_stock() {
        return;
    }
    let options = "bantime = 1h\nbantime.increment = true\nbantime.factor = 2\n\
                   bantime.formula = min(ban.Time * (1 + ban.Count * banFactor), 86400)\n\
                   logencoding = latin-1\n";
    let house = small(options, "^ no <HOST>$");
    let (report, code) = house.import(&[]);
    // What could not come over is said with the exit code, too.
    assert_eq!(code, 1, "{report}");
    let main = fs::read_to_string(house.config()).unwrap();
    let ends = |from: &str, to: &str| main.contains(from) && main.contains(to);
    assert!(ends("1.0, 3.0, 5.0, 7.0", "23.0, 24.0, 24.0"), "{main}");
    let notes = jail(&report, "web")["notes"].to_string();
    assert!(notes.contains("multipliers") && notes.contains("latin-1 is not taken"), "{notes}");
}

#[test]
fn what_cannot_come_over_is_said() {
    if !has_stock() {
        return;
    }
    let house = small(
        "action = dummy\n[two]\nenabled = true\nfilter = web\nlogpath = @DIR@/web.log\naction = iptables-multiport[port=1]\n  dummy\n[three]\nenabled = true\nfilter = web\nlogpath = relative.log\naction = iptables-multiport[port=1]\n[four]\nenabled = true\nfilter = missing\nlogpath = @DIR@/web.log\n",
        "^ no <HOST>$",
    );
    let conf = fs::read_to_string(house.tree().join("jail.conf")).unwrap();
    let conf = conf.replacen("action = iptables-multiport[port=\"80,443\", name=web]\n", "", 1);
    let conf = conf.replace("@DIR@", text_of(&house));
    fs::write(house.tree().join("jail.conf"), conf).unwrap();
    let (report, code) = house.import(&[]);
    assert_eq!(code, 1);
    let why = |name: &str| jail(&report, name)["notes"][0]["text"].as_str().unwrap().to_owned();
    assert!(why("web").contains("close nothing here (dummy)"), "{}", why("web"));
    assert!(why("two").contains("action dummy is not converted; sereno run --fail2ban"));
    assert_eq!(jail(&report, "two")["outcome"], "changed");
    assert!(why("three").contains("not an absolute path"), "{}", why("three"));
    assert!(why("four").contains("missing"), "{}", why("four"));
    assert!(house.check().status.success());
    // Nothing at all is left of this one.
    fs::write(house.tree().join("jail.local"), "[two]\nenabled = false\n").unwrap();
    let (report, code) = house.import(&["--force"]);
    assert_eq!((code, &report["written"]), (1, &false.into()));
}

#[test]
fn nothing_is_overwritten_and_twice_is_the_same() {
    if !has_stock() {
        return;
    }
    let house = small("", "^ no <HOST>$");
    let (report, _) = house.import(&["--dry-run"]);
    assert!(!house.path("out").exists());
    let shown = report["files"][1]["text"].as_str().unwrap().to_owned();
    house.import(&[]);
    assert_eq!(fs::read_to_string(house.config()).unwrap(), shown);
    fs::write(house.config(), "mine").unwrap();
    let (tree, into) = (house.tree(), house.path("out"));
    let again = sereno(&["import", "fail2ban", text(&tree), "--into", text(&into)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("--force"), "{}", said(&again));
    assert_eq!(fs::read_to_string(house.config()).unwrap(), "mine");
    house.import(&["--force"]);
    assert_eq!(fs::read_to_string(house.config()).unwrap(), shown);
    let nowhere = sereno(&["import", "fail2ban", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn hostile_names_and_expressions_stay_what_they_are() {
    if !has_stock() {
        return;
    }
    let house = small(
        "logpath = @DIR@/we\"b'.log\n[Über: \"x\" ]\nenabled = true\nfilter = web\nlogpath = @DIR@/web.log\naction = iptables-multiport[port=1, name=two]\n",
        "^ it's '''x''' \"\\d\\\\\" \\t# <HOST>$\n  ^'<HOST>'$\n  ^é \u{85}<HOST>]]\"\"\"$",
    );
    let conf = fs::read_to_string(house.tree().join("jail.conf")).unwrap();
    let conf = conf.replacen(&format!("logpath = {}/web.log\n", text_of(&house)), "", 1);
    let conf = conf.replace("@DIR@", text_of(&house));
    fs::write(house.tree().join("jail.conf"), conf).unwrap();
    let (report, code) = house.import(&[]);
    assert_eq!(code, 0, "{report}");
    assert!(house.check().status.success(), "{}", said(&house.check()));
    let rule = fs::read_to_string(house.path("out/rules.d/web.toml")).unwrap();
    let rule: toml::Table = rule.parse().unwrap();
    let regex: Vec<&str> =
        rule["failregex"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    let written = ["^ it's '''x''' \"\\d\\\\\" \\t# <HOST>$", "^'<HOST>'$"];
    assert_eq!(regex[..2], written);
    assert_eq!(report["jails"][1]["name"], "-ber---x--");
}

#[test]
fn expressions_are_proven_and_blamed_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.toml");
    let rule = "name = \"web\"\nformat = \"fail2ban\"\nfailregex = [\n    '^ no <HOST>$',\n    '^( never <HOST>$',\n]\n";
    fs::write(&path, rule).unwrap();
    let out = sereno(&["rules", "test", text(&path)]);
    assert!(said(&out).contains("web.toml:5:7: "), "{}", said(&out));
    let good = rule.replace("^( never", "^ never")
        + "match = ['Nov 22 10:00:00 no 203.0.113.9', 'yes']\nreject = ['Nov 22 10:00:00 never 203.0.113.9']\n";
    fs::write(&path, good).unwrap();
    let out = said(&sereno(&["rules", "test", text(&path)]));
    assert!(out.contains("nobody is found in this line"), "{out}");
    assert!(out.contains("finds 203.0.113.9 in a line that it must reject"), "{out}");
    assert!(out.contains("): 2 problems"), "{out}");
}

#[test]
fn the_guard_reads_with_expressions() {
    let home =
        Home::new("[jail.web]\nlogpath = \"@DIR@/auth.log\"\nmaxretry = 2\nports = \"tcp/80\"\n");
    fs::create_dir(home.path("rules.d")).unwrap();
    let rule = "name = \"web\"\nformat = \"fail2ban\"\nfailregex = '^ no <HOST>$'\n";
    fs::write(home.path("rules.d/web.toml"), rule).unwrap();
    home.append("auth.log", "");
    let child = home.run(&[]).arg("--observe").spawn().unwrap();
    let guard = Guard::wait_for(home, child);
    for _ in 0..2 {
        guard.log(&format!("{} no 203.0.113.9", program::now()));
    }
    guard.until(|home| home.said().contains("203.0.113.9 banned by web"));
    let status = guard.json(&["status", "--json"]).to_string();
    assert!(status.contains("\"web\""), "{status}");
    guard.json(&["reload", "--json"]);
}
