//! Which parts of a command some program takes for program text of its own: `sh -c '...'`,
//! `awk '...'`, what is piped into `sh`. A value of a log line in there could say anything.

use super::shell::{Command, Parsed, Part};
use std::collections::BTreeMap;

/// Programs that run another one, named behind them.
const WRAPPERS: [&str; 28] = [
    "env",
    "sudo",
    "doas",
    "nice",
    "nohup",
    "setsid",
    "timeout",
    "ionice",
    "stdbuf",
    "command",
    "exec",
    "builtin",
    "time",
    "xargs",
    "chroot",
    "unshare",
    "nsenter",
    "ip",
    "flock",
    "busybox",
    "find",
    "docker",
    "podman",
    "lxc-attach",
    "systemd-run",
    "parallel",
    "watch",
    "strace",
];
const SHELLS: [&str; 10] =
    ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "su", "runuser", "fish"];
/// All words behind these are program text, and what they read as well.
const EVERYTHING: [&str; 26] = [
    "eval",
    "trap",
    ".",
    "source",
    "alias",
    "let",
    "[[",
    "ssh",
    "sqlite3",
    "mysql",
    "mariadb",
    "psql",
    "redis-cli",
    "nft",
    "at",
    "batch",
    "crontab",
    "bc",
    "dc",
    "ed",
    "ex",
    "expect",
    "nsupdate",
    "ftp",
    "sftp",
    "lftp",
];
/// Programs whose own text is a word: their names, the letters of the options it follows, and
/// whether it is the first word that is no option otherwise.
const LANGUAGES: [(&str, &str, bool); 16] = [
    ("awk", "", true),
    ("gawk", "e", true),
    ("mawk", "", true),
    ("nawk", "", true),
    ("original-awk", "", true),
    ("sed", "e", true),
    ("gsed", "e", true),
    ("perl", "eE", true),
    ("ruby", "e", true),
    ("python", "c", true),
    ("python2", "c", true),
    ("python3", "c", true),
    ("php", "rBRE", true),
    ("node", "ep", true),
    ("lua", "e", true),
    ("tclsh", "", true),
];
/// Options of these whose value is the next word and no program text.
const VALUES: [&str; 5] = ["-v", "-F", "-f", "--assign", "--field-separator"];

const MAIL: [&str; 8] =
    ["mail", "mailx", "Mail", "nail", "s-nail", "heirloom-mailx", "bsd-mailx", "mail.mailutils"];

/// What of a command is program text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Code {
    /// All words from this one on.
    from: Option<usize>,
    /// These words.
    words: Vec<usize>,
    /// What it reads.
    input: bool,
}

/// The last part of a path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn language(name: &str) -> Option<(&'static str, bool)> {
    let found = LANGUAGES.iter().find(|(known, ..)| *known == name);
    found.map(|(_, options, first)| (*options, *first))
}

fn known(name: &str) -> bool {
    // `find .` does not read a file of commands.
    SHELLS.contains(&name)
        || (EVERYTHING.contains(&name) && name != ".")
        || MAIL.contains(&name)
        || language(name).is_some()
}

/// Which word names the program that runs in the end.
pub(super) fn program(command: &Command) -> usize {
    let name = |at: usize| command.words.get(at).map_or("", |word| base(&word.text));
    if !WRAPPERS.contains(&name(0)) {
        return 0;
    }
    let words = 1..command.words.len();
    if let Some(at) = words.clone().find(|at| known(name(*at))) {
        return at;
    }
    // Options, settings and numbers stand before the program; the rest is a guess that only
    // decides whether a value may stand there.
    let before = |word: &str| {
        word.starts_with('-')
            || word.contains('=')
            || word.starts_with(|c: char| c.is_ascii_digit())
            || WRAPPERS.contains(&word)
    };
    words.clone().find(|at| !before(name(*at))).unwrap_or(0)
}

/// Whether it is a program that takes `~` at the beginning of a line for a command.
pub(super) fn is_mail(command: &Command) -> bool {
    let word = command.words.get(program(command));
    word.is_some_and(|word| MAIL.contains(&base(&word.text)))
}

fn code(command: &Command) -> Code {
    let at = program(command);
    let Some(word) = command.words.get(at) else { return Code::default() };
    let name = base(&word.text);
    let rest = || command.words.iter().enumerate().skip(at + 1);
    if EVERYTHING.contains(&name) {
        return Code { from: Some(at + 1), words: vec![at], input: true };
    }
    let short = |text: &str, letters: &str| {
        text.starts_with('-') && !text.starts_with("--") && text.contains(|c| letters.contains(c))
    };
    let is_option = |text: &str| text.len() > 1 && text.starts_with(['-', '+']);
    let mut code = Code { from: None, words: vec![at], input: true };
    let (letters, first) = match language(name) {
        Some(known) => known,
        None if SHELLS.contains(&name) => ("c", true),
        None => return Code { input: false, ..code },
    };
    let mut words = rest();
    let mut told = false;
    while let Some((index, word)) = words.next() {
        let text = word.text.as_str();
        if !letters.is_empty() && short(text, letters) {
            // `perl -ne '...'` and `sed -es/a/b/` both.
            code.words.push(index);
            code.words.extend(words.next().map(|(index, _)| index));
            (told, code.input) = (true, false);
        } else if VALUES.contains(&text) {
            words.next();
        } else if short(text, "s") && SHELLS.contains(&name) {
            told = true;
        } else if is_option(text) {
            // An option written by a value could be any.
            code.words.push(index);
        } else if first && !told {
            code.words.push(index);
            (told, code.input) = (true, false);
        }
    }
    // `xargs` makes words, and with `-I` program text, of what it reads.
    let before = command.words.iter().take(at);
    code.input |= before.into_iter().any(|word| matches!(base(&word.text), "xargs" | "parallel"));
    code
}

/// For each use of a tag, whether its value would be a part of some program's text or name.
pub(super) fn positions(parsed: &Parsed) -> Vec<bool> {
    let codes: Vec<Code> = parsed.commands.iter().map(code).collect();
    let is_code = |(id, part): (usize, Part)| {
        codes.get(id).is_some_and(|code| match part {
            Part::Word(at) => code.words.contains(&at) || code.from.is_some_and(|from| at >= from),
            Part::Here => code.input,
            Part::Assignment | Part::File => false,
        })
    };
    let mut fed = vec![false; parsed.uses.len()];
    let mut done = BTreeMap::new();
    for (command, code) in parsed.commands.iter().zip(&codes) {
        if code.input && command.piped {
            // What stands further left in the pipeline was seen to with the command before.
            let from = done.entry(command.pipeline).or_insert(command.pipeline);
            let to = command.first.min(fed.len());
            fed.get_mut(*from..to).into_iter().flatten().for_each(|fed| *fed = true);
            *from = to.max(*from);
        }
    }
    // What a command prints is a part of what is around it.
    let mut around = vec![false; parsed.commands.len()];
    for id in 0..around.len() {
        let parent = parsed.commands.get(id).and_then(|command| command.parent);
        around[id] = parent.is_some_and(|(outer, part)| {
            is_code((outer, part)) || around.get(outer).copied().unwrap_or(false)
        });
    }
    let uses = parsed.uses.iter().zip(fed);
    uses.map(|(one, fed)| {
        let within = one.within.is_some_and(|(id, part)| {
            is_code((id, part)) || around.get(id).copied().unwrap_or(false)
        });
        fed || within
    })
    .collect()
}
