//! Programs that commands of doors and actions start, and that are not there.

use crate::cli::paint::safe;
use crate::policy::Loaded;
use crate::words;
use serde::Serialize;
use sereno_core::door::Deed;
use sereno_fail2ban::act::Kind;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What the shell does itself; `test` and the like are programs as well.
const BUILT_IN: [&str; 43] = [
    "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fc", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read",
    "readonly", "return", "set", "shift", "source", "test", "times", "trap", "true", "type",
    "ulimit", "umask", "unalias", "unset", "wait", "function", ".", ":", "for", "select", "case",
];

/// A program that is not installed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Absent {
    /// The jail and its action whose command starts it, or the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<String>,
    program: String,
}

impl Absent {
    pub(super) fn words(&self) -> String {
        let what = match (&self.action, &self.jail, &self.door) {
            (Some(action), Some(jail), _) => words::action_of(safe(action), safe(jail)),
            (_, _, door) => words::command_of(door.as_deref().unwrap_or_default()),
        };
        words::program_missing(what, safe(&self.program))
    }
}

/// The programs that are not there, each once for each place.
pub(super) fn absent(loaded: &Loaded) -> Vec<Absent> {
    let mut all = BTreeSet::new();
    for policy in &loaded.doors.policies {
        let deeds = [&policy.door.v4, &policy.door.v6];
        for deed in deeds.iter().flat_map(|deeds| [&deeds.start, &deeds.stop]) {
            if let Deed::Run(text) = deed
                && let Some(program) = first_word(text).filter(|name| is_absent(name))
            {
                let (door, program) = (Some(policy.name.to_string()), program.to_owned());
                all.insert(Absent { jail: None, action: None, door, program });
            }
        }
    }
    for guarded in loaded.fail2ban.iter().flat_map(|house| &house.jails) {
        for (action, kind) in &guarded.acts.actions {
            let Kind::Command(commands) = kind else { continue };
            let programs = commands.scripts().flat_map(|script| &script.programs);
            all.extend(programs.filter(|name| is_absent(name)).map(|program| Absent {
                jail: Some(guarded.name.to_string()),
                action: Some(action.clone()),
                door: None,
                program: program.clone(),
            }));
        }
    }
    all.into_iter().collect()
}

/// The program that a command of a door begins with, if its name stands there as it is.
fn first_word(text: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/+-".contains(c);
    text.split_ascii_whitespace().next().filter(|word| word.chars().all(plain))
}

/// Whether there is no such program, neither in the shell nor in a folder of PATH or the usual ones,
/// which services have.
fn is_absent(name: &str) -> bool {
    if name.contains('/') {
        return !is_program(Path::new(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let mut folders = std::env::split_paths(&path).chain(usual.iter().map(PathBuf::from));
    !BUILT_IN.contains(&name) && !folders.any(|folder| is_program(&folder.join(name)))
}

fn is_program(path: &Path) -> bool {
    let found = path.metadata();
    found.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
