//! A fail2ban configuration of a few files.

use jiff::tz::TimeZone;
use sereno_core::time::Time;
use sereno_fail2ban::act::{Kind, Operation, Ticket, Value, acts};
use sereno_fail2ban::{Compiler, Family, Files, Jail, Problem, Tree, commands, read};
use std::collections::BTreeMap;

/// 2026-11-22T18:00:00Z.
const NOW: Time = Time(1_795_370_400_000_000);
const NAMES: [&str; 7] = [
    "jail.conf",
    "jail.local",
    "jail.d/a.conf",
    "filter.d/f.conf",
    "filter.d/f.local",
    "action.d/a.conf",
    "fail2ban.conf",
];

/// The files of a tree, by their paths.
struct Given(BTreeMap<String, Vec<u8>>);

impl Files for Given {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let inside =
            |path: &String| path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned);
        self.0.keys().filter_map(inside).filter(|name| !name.contains('/')).collect()
    }
}

/// Up to seven files, with zeros between them. What holds for any: every problem can be shown, at
/// a place that there is; a jail that is set aside has one; what stands can be compiled and dumped;
/// and whatever a log line says, a script is given it as a value, or not at all.
pub fn check(data: &[u8]) {
    let parts = data.split(|byte| *byte == 0);
    let named = NAMES.iter().map(|name| format!("/f/{name}"));
    let files = Given(named.zip(parts.map(<[u8]>::to_vec)).collect());
    let tree = read(&files, "/f");
    let shown = |problem: &Problem| shown(problem, &files);
    tree.problems.iter().for_each(shown);
    assert!(tree.problems.len() <= 1000);
    let set_aside = tree.jails.iter().any(|jail| jail.enabled && jail.set_aside);
    assert!(!set_aside || tree.has_errors());
    let _ = commands(&tree, &|_| Vec::new()).iter().map(ToString::to_string).count();
    let mut compiler = Compiler::new(TimeZone::UTC, |_| None, NOW);
    for jail in tree.jails.iter().filter(|jail| jail.enabled) {
        let compiled = compiler.jail(&tree, jail);
        compiled.problems.iter().for_each(shown);
        assert!(compiled.filter.is_some() || !compiled.problems.is_empty() || tree.has_errors());
        deeds(&tree, jail, &shown);
    }
}

fn shown(problem: &Problem, files: &Given) {
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
    assert!(problem.width >= 1 && problem.indent <= problem.cited.chars().count());
    let text = problem.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    if let Some(bytes) = files.0.get(&problem.file) {
        // A carriage return alone ends a line too.
        let lines = String::from_utf8_lossy(bytes).split(['\n', '\r']).count();
        assert!(problem.line <= lines, "{problem:?}");
    }
}

/// What the jail's actions would be told by a log line that is as bad as one can be.
fn deeds(tree: &Tree, jail: &Jail, shown: &dyn Fn(&Problem)) {
    let acts = acts(tree, jail);
    acts.problems.iter().for_each(shown);
    const BAD: &str = "'\"`$(id)\\;\n~!id\0-x f2bBAD";
    let ticket = Ticket {
        jail: jail.name.clone(),
        id: "192.0.2.7".to_owned(),
        addr: "192.0.2.7".parse().ok(),
        matches: vec![BAD.to_owned()],
        captures: [("user".to_owned(), BAD.to_owned())].into(),
        ..Ticket::default()
    };
    for (_, kind) in &acts.actions {
        let Kind::Command(commands) = kind else { continue };
        for operation in Operation::ALL {
            for family in [Family::V4, Family::V6] {
                let script = commands.script(operation, family);
                assert!(!script.text.contains('\0'));
                let Ok(values) = ticket.environment(script) else { continue };
                for (name, value) in values {
                    assert!(name.starts_with("f2bV_") && !name.contains(['=', '\0']));
                    assert!(!matches!(value, Value::Text(text) if text.contains('\0')));
                }
            }
        }
    }
}
