//! Debian's own tree, all jails at once and each alone, beside `fail2ban-client -d`.
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

use common::{Disk, difference, files, installed, ordered, ours, real};
use sereno_fail2ban::{Files, Tree, read};
use std::fs;
use std::path::{Path, PathBuf};

const STOCK: &str = "/etc/fail2ban";

/// Copies a tree, with its logs under `logs`.
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

/// Makes a file for every log path of every jail.
fn make_logs(tree: &Tree) {
    for path in tree.jails.iter().flat_map(|jail| &jail.settings.logpath) {
        let path = path.pattern.as_str().replace('*', "x");
        if path.starts_with("/tmp/") {
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
        }
    }
}

/// Compares a tree with the real reading of it, and counts its commands.
fn compare(base: &Path, local: &str) -> usize {
    fs::write(base.join("jail.local"), local).unwrap();
    let tree = read(&Disk, base.to_str().unwrap());
    make_logs(&tree);
    let told = ordered(ours(&tree));
    let wanted = ordered(real(base).unwrap());
    assert_eq!(difference(&told, &wanted), None);
    let problems: Vec<String> = tree.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    wanted.len()
}

/// A copy of the stock tree, if there is one.
fn stock(folder: &Path) -> Option<PathBuf> {
    let there = installed() && Path::new(STOCK).join("jail.conf").exists();
    let base = folder.join("f2b");
    there.then(|| copy(Path::new(STOCK), &base, folder.join("log").to_str().unwrap()))?;
    Some(base)
}

#[test]
fn all_stock_jails_read_as_fail2ban_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = stock(folder.path()) else { return };
    let plain = read(&Disk, base.to_str().unwrap());
    let names: Vec<&str> = plain.jails.iter().map(|jail| jail.name.as_str()).collect();
    assert!(names.len() > 80, "{}", names.len());
    let all: String = names.iter().map(|name| format!("[{name}]\nenabled = true\n")).collect();
    for defaults in [
        "backend = polling",
        "backend = systemd\nbanaction = nftables\nmode = normal",
        "backend = auto\nmode = aggressive\naction = %(action_mwl)s\nusedns = no",
        "backend = systemd[journalflags=1]\nmode = extra\nbanaction = iptables-ipset-proto6\nbantime = 1w",
    ] {
        let commands = compare(&base, &format!("[DEFAULT]\n{defaults}\n{all}"));
        println!("{commands} commands of {} jails with {defaults:?}", names.len());
    }
    let tree = read(&Disk, base.to_str().unwrap());
    let logs = tree.jails.iter().flat_map(|jail| &jail.settings.logpath);
    let found = logs.filter(|path| !files(path.pattern.as_str()).is_empty()).count();
    assert!(found > 70, "{found}");
}

#[test]
fn all_stock_filters_and_actions_read_as_fail2ban_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = stock(folder.path()) else { return };
    let mut local = String::new();
    let names = |directory: &str| {
        let mut names: Vec<String> = Disk.list(base.join(directory).to_str().unwrap());
        names.retain(|name| name.ends_with(".conf") && !name.contains("common"));
        names.sort();
        names.into_iter().map(|name| name.trim_end_matches(".conf").to_owned())
    };
    for name in names("action.d") {
        local += &format!(
            "[a-{name}]\nenabled = 1\nfilter = sshd\naction = {name}\n  {name}[name=two, port=\"1,2\", blocktype=X]\n"
        );
    }
    for name in names("filter.d") {
        local += &format!(
            "[f-{name}]\nenabled = 1\nfilter = {name}[logtype=short, mode=more]\naction = dummy\n"
        );
    }
    println!("{} commands", compare(&base, &local));
}
