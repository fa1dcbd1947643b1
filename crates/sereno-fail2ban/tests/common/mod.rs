//! Real trees and the real program.

use sereno_fail2ban::{Files, Tree, commands};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// The files of this machine.
pub(crate) struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(_) if Path::new(path).is_dir() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// What `fail2ban-client -d` prints for a directory, or why it cannot be asked.
pub(crate) fn real(directory: &Path) -> Result<Vec<String>, String> {
    // Tags that contain each other make it ask for memory without end.
    let line = "ulimit -v 400000; exec timeout 20 fail2ban-client -c \"$0\" -d";
    let output = Command::new("sh").arg("-c").arg(line).arg(directory).output();
    let output = output.map_err(|error| format!("fail2ban-client: {error}"))?;
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(reasonless).collect();
    if output.status.success() {
        return Ok(lines);
    }
    // Two lines of Python's say why, among many.
    let told = String::from_utf8_lossy(&output.stderr);
    let why = told.lines().filter(|line| line.contains("ERROR") || line.contains("Error"));
    Err(why.collect::<Vec<_>>().join("\n"))
}

/// Whether the program is there; says so if not.
pub(crate) fn installed() -> bool {
    let found = Command::new("fail2ban-client").arg("--version").output();
    let right = found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("1.0.2"));
    if !right {
        println!("skipped: fail2ban-client 1.0.2 is not installed");
    }
    right
}

/// What we make of it, as lines.
pub(crate) fn ours(tree: &Tree) -> Vec<String> {
    commands(tree, &files).iter().map(|command| reasonless(&command.to_string())).collect()
}

/// A line without the words in which a jail is refused.
fn reasonless(line: &str) -> String {
    match line.split_once(" skipped, because of wrong configuration: ") {
        Some((jail, _)) => jail.replace(['\\', '"'], "'").replace("''", "'"),
        None => line.to_owned(),
    }
}

/// The files of a pattern.
pub(crate) fn files(pattern: &str) -> Vec<String> {
    let paths = glob::glob(pattern).into_iter().flatten().flatten();
    paths.filter_map(|path| path.to_str().map(ToOwned::to_owned)).collect()
}

/// Lines in an order that does not depend on the directory's: the files of a log path follow each
/// other.
pub(crate) fn ordered(mut lines: Vec<String>) -> Vec<String> {
    let logs = |line: &String| line.contains("', 'addlogpath', '");
    let mut at = 0;
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| logs(line)).count();
        lines[at..at + run].sort();
        at += run.max(1);
    }
    lines
}

/// The first difference of two lists of lines.
pub(crate) fn difference(ours: &[String], real: &[String]) -> Option<String> {
    let long = ours.len().max(real.len());
    let at = (0..long).find(|at| ours.get(*at) != real.get(*at))?;
    let cut = |lines: &[String]| match lines.get(at) {
        Some(line) => {
            let other = if std::ptr::eq(lines, ours) { real.get(at) } else { ours.get(at) };
            let same = other.map_or(0, |other| {
                line.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
            });
            line.chars().skip(same.saturating_sub(60)).take(200).collect()
        }
        None => "(nothing)".to_owned(),
    };
    Some(format!("line {}:\n  ours: {}\n  real: {}", at + 1, cut(ours), cut(real)))
}
