//! Made-up trees, beside `fail2ban-client -d`, until two hundred of them were read by both.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::too_many_lines,
    dead_code,
    reason = "a test reads real files, asks the real program, and looks at the clock"
)]

mod common;

use common::{Disk, difference, installed, ours, real};
use sereno_fail2ban::read;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Trees that both read, and trees that are made for it at most.
const TREES: usize = 200;
const TRIES: u64 = 500;

/// A small generator of numbers (xorshift), so that every run makes the same trees.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// Options that refer to those behind them, so that few of them go in circles.
const NAMES: [&str; 8] = ["alpha", "beta", "gamma", "delta", "known-x", "_eps", "zeta", "last.one"];
const WORDS: [&str; 12] = [
    "x",
    "^fail <HOST>",
    "tcp,udp",
    "ä“",
    "a=b",
    "it's",
    "\"q\"",
    "<ip> ",
    "[a-z]+",
    "<matches>",
    "\\d{3}",
    "a;b",
];

/// A value, for the option at `level` of [`NAMES`]; `tags` where tags are filled in.
fn value(dice: &mut Dice, level: usize, tags: bool) -> String {
    let mut out = String::new();
    for piece in 0..=dice.roll(4) {
        if piece > 0 && dice.roll(4) == 0 {
            out += dice.pick(&["\n   ", "\n\t# no\n  ", "\n\n  ", " ; remark\n  "]);
        } else if piece > 0 {
            out.push(' ');
        }
        let later = NAMES.get(level + 1 + dice.roll(4)).copied();
        match (dice.roll(12), later) {
            (0 | 1, Some(name)) => write!(out, "%({name})s").unwrap(),
            (2, Some(name)) if tags => write!(out, "<{name}>").unwrap(),
            (4, Some(name)) => write!(out, "%(default/{name})s").unwrap(),
            (5, Some(name)) if !tags => write!(out, "%(j{}/{name})s", dice.roll(3)).unwrap(),
            (6, Some(name)) if tags => write!(out, "<known/{name}>").unwrap(),
            (7, Some(name)) if tags => write!(out, "<tag-<{name}>>").unwrap(),
            (8, Some(name)) => write!(out, "%(known/{name})s").unwrap(),
            (9, _) => out += dice.pick(&["%(__name__)s", "x"]),
            (10, _) if dice.roll(20) == 0 => out += "%%",
            _ => out += dice.pick(&WORDS),
        }
    }
    out
}

/// Some of the names with values.
fn names(dice: &mut Dice, often: usize, tags: bool) -> String {
    let mut out = String::new();
    for (level, name) in NAMES.iter().enumerate() {
        if dice.roll(10) < often {
            let value = value(dice, level, tags);
            writeln!(out, "{name} {} {value}", dice.pick(&["=", ":"])).unwrap();
        }
    }
    out
}

/// Some of a section's options, each with a value from a list or a made-up one.
fn options(dice: &mut Dice, often: usize, tags: bool, of: &[(&str, &[&str])]) -> String {
    let mut out = String::new();
    for (name, values) in of {
        if dice.roll(10) < often {
            let made = value(dice, 0, tags);
            let value = if values.is_empty() { made.as_str() } else { dice.pick(values) };
            writeln!(out, "{name} = {value}").unwrap();
        }
    }
    out
}

const FILTER: [(&str, &[&str]); 7] = [
    ("usedns", &["yes", "no", "raw"]),
    ("prefregex", &[]),
    ("failregex", &[]),
    ("ignoreregex", &[]),
    ("maxlines", &["1", " 7 ", "+2"]),
    ("datepattern", &["{^LN-BEG}", "^%%Y"]),
    ("journalmatch", &["A=1 + B=2", "'x y'\n  C=3", "\\\\ \"a\\\"\""]),
];
const ACTION: [(&str, &[&str]); 7] = [
    ("actionstart", &[]),
    ("actionstop", &[]),
    ("actionban", &[]),
    ("actionunban", &[]),
    ("norestored", &["1", "yes", "no"]),
    ("port", &["1", "ssh,http"]),
    ("logtype", &["file", "x"]),
];
const JAIL: [(&str, &[&str]); 12] = [
    ("maxretry", &["3", "5"]),
    ("bantime", &["1h", "-1", "%(findtime)s"]),
    ("findtime", &["10m", "1d 2h", "600"]),
    ("bantime.increment", &["true", "no"]),
    ("bantime.factor", &["1", "2.5"]),
    ("ignorecommand", &[]),
    ("ignoreself", &["false"]),
    ("ignoreip", &["127.0.0.1/8 ::1", "host,10.0.0.1\n  ::2", ""]),
    ("backend", &["polling", "auto", "systemd", "systemd[journalflags=1]"]),
    ("logpath", &["/etc/passwd", "/etc/hosts tail\n  /nowhere/x"]),
    ("logencoding", &["utf-8"]),
    ("maxmatches", &["%(maxretry)s"]),
];

fn parameters(dice: &mut Dice) -> String {
    let mut out = String::new();
    for _ in 0..dice.roll(4) {
        let name = dice.pick(&NAMES);
        let value = dice.pick(&[
            "v",
            "\"a, b\"",
            "'[c]'",
            "<known/alpha>",
            "\"%(beta)s\"",
            " sp ",
            "",
            "\"<last.one>x\"",
        ]);
        let split = if out.is_empty() { "" } else { dice.pick(&[", ", ",", "][", ",\n   "]) };
        write!(out, "{split}{name}={value}").unwrap();
    }
    if out.is_empty() { out } else { format!("[{out}]") }
}

/// A filter's or action's file.
fn definition(dice: &mut Dice, often: usize, of: &[(&str, &[&str])]) -> String {
    let mut out = String::new();
    if dice.roll(3) == 0 {
        out +=
            dice.pick(&["[INCLUDES]\nbefore = common.conf\n", "[INCLUDES]\nafter = common.conf\n"]);
    }
    // Without these most trees would refer to something that is not there.
    let often = if dice.roll(20) == 0 { 5 } else { often };
    if often > 2 {
        write!(out, "[DEFAULT]\n{}", names(dice, 10, true)).unwrap();
    }
    write!(out, "[Definition]\n{}{}", names(dice, 5, true), options(dice, often, true, of))
        .unwrap();
    if dice.roll(2) == 0 {
        write!(out, "[Init]\n{}", names(dice, 4, true)).unwrap();
        if dice.roll(2) == 0 {
            write!(out, "[Init?family=inet6]\n{}", names(dice, 2, true)).unwrap();
        }
    }
    out
}

fn jail(dice: &mut Dice, name: &str, first: bool) -> String {
    let mut out = format!("[{name}]\n");
    if first {
        let filter = format!("f{}{}", dice.roll(3), parameters(dice));
        let mut action = String::new();
        for at in 0..=dice.roll(2) {
            write!(action, "a{at}{}\n   ", parameters(dice)).unwrap();
        }
        writeln!(out, "enabled = {}", dice.pick(&["true", "1", "yes", "no"])).unwrap();
        write!(out, "filter = {filter}\naction = {action}\n").unwrap();
    }
    out += &options(dice, 4, false, &JAIL);
    out += &options(dice, 1, false, &FILTER);
    out + &names(dice, 4, false)
}

fn tree(dice: &mut Dice, base: &Path) {
    let write = |path: &str, text: &str| {
        let path = base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("fail2ban.conf", "[Definition]\nloglevel = INFO\n");
    for (directory, of) in [("filter.d/f", &FILTER), ("action.d/a", &ACTION)] {
        for at in 0..3 {
            write(&format!("{directory}{at}.conf"), &definition(dice, 6, of));
            if dice.roll(3) == 0 {
                write(&format!("{directory}{at}.local"), &definition(dice, 2, of));
            }
        }
    }
    for directory in ["filter.d", "action.d"] {
        let text = format!("[DEFAULT]\n{}[Init]\n{}", names(dice, 8, true), names(dice, 3, true));
        write(&format!("{directory}/common.conf"), &text);
        if dice.roll(2) == 0 {
            write(
                &format!("{directory}/common.local"),
                &format!("[Init]\n{}", names(dice, 3, true)),
            );
        }
    }
    let mut conf = format!("[DEFAULT]\nfindtime = 5m\nmaxretry = 2\n{}", names(dice, 10, false));
    for at in 0..3 {
        conf += &jail(dice, &format!("j{at}"), true);
    }
    write("jail.conf", &conf);
    for path in ["jail.d/x.conf", "jail.local", "jail.d/y.local"] {
        if dice.roll(2) == 0 {
            let name = format!("j{}", dice.roll(3));
            write(
                path,
                &format!("[DEFAULT]\n{}{}", names(dice, 1, false), jail(dice, &name, false)),
            );
        }
    }
}

#[test]
fn made_up_trees_read_as_fail2ban_reads_them() {
    if !installed() {
        return;
    }
    let (mut commands, mut same, mut refused) = (0, 0, 0);
    for seed in 1..=TRIES {
        if same == TREES {
            break;
        }
        let folder = tempfile::tempdir().unwrap();
        tree(&mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), folder.path());
        let read = read(&Disk, folder.path().to_str().unwrap());
        let keep = |folder: tempfile::TempDir| folder.keep();
        match real(folder.path()) {
            Ok(wanted) => {
                let told = ours(&read);
                if let Some(difference) = difference(&told, &wanted) {
                    let errors: Vec<String> =
                        read.problems.iter().map(ToString::to_string).collect();
                    panic!(
                        "tree {seed} in {:?}: {difference}\n{}",
                        keep(folder),
                        errors.join("\n")
                    );
                }
                commands += wanted.len();
                same += 1;
            }
            Err(why) => {
                assert!(read.has_errors(), "tree {seed} in {:?}: {why}", keep(folder));
                refused += 1;
            }
        }
    }
    println!("{same} trees with {commands} commands are the same, {refused} are refused by both");
    assert_eq!(same, TREES);
}
