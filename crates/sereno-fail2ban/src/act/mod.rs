//! What the actions of a jail come to: ports that the gate closes, commands that are run, or
//! something that cannot be done here.
//!
//! [`acts`] judges all actions of a jail. An action that does what a stock file of fail2ban does
//! with iptables, nft, firewalld, ufw, shorewall or routes becomes a [`Closing`]; one that differs
//! from it in a single word is run as it is written. Commands become [`Script`]s in which nothing
//! that a log line says is program text; a [`Ticket`] is what they are told.

mod closing;
mod code;
mod commands;
mod script;
mod shell;
#[cfg(test)]
mod tests;
mod values;
mod variable;

pub use commands::{Commands, Operation};
pub use script::{Script, Unfit};
pub use values::{Ticket, Value};
pub use variable::Variable;

use crate::problem::{Problem, Severity};
use crate::text::Text;
use crate::tree::{Action, Jail, Tree};
use closing::{Differs, Seen};
use commands::Both;
use script::Fault;
use sereno_core::gate::{Block, Ports};

/// Programs of other systems than Linux, and what to take instead.
const ELSEWHERE: [(&str, &str); 5] = [
    ("pfctl", "nftables-multiport"),
    ("ipfw", "nftables-multiport"),
    ("ipf", "nftables-allports"),
    ("npfctl", "nftables-allports"),
    ("afctl", "nftables-allports"),
];
/// Programs in Python that come with fail2ban, and what to take instead.
const PYTHON: [(&str, &str); 2] = [("smtp.py", "sendmail-whois-lines"), ("badips.py", "abuseipdb")];

/// What an action is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It closes ports, and the gate does that.
    Gate(Closing),
    /// It cannot be done here.
    Refused(Refused),
    /// Its commands are run.
    Command(Box<Commands>),
}

/// Ports that are closed to those who are banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Which.
    pub ports: Ports,
    /// Where the action would have put its rules: `INPUT`, `f2b-chain`, `ufw`, ... The gate stops
    /// packets before any of these.
    pub chain: String,
    /// What happens to their packets.
    pub block: Block,
}

/// Why an action is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A sentence.
    pub why: String,
    /// An action that does something like it; empty if there is none.
    pub instead: String,
}

/// The actions of a jail.
#[derive(Clone, Debug, PartialEq)]
pub struct Acts {
    /// Each by its name.
    pub actions: Vec<(String, Kind)>,
    /// What all of them close together, if any closes anything.
    pub closing: Option<Closing>,
    /// What is wrong, or not quite the same here.
    pub problems: Vec<Problem>,
}

/// Judges the actions of a jail.
#[must_use]
pub fn acts(tree: &Tree, jail: &Jail) -> Acts {
    let mut acts = Acts { actions: Vec::new(), closing: None, problems: Vec::new() };
    for action in &jail.actions {
        let (kind, problems) = kind(tree, action);
        acts.problems.extend(problems);
        if let Kind::Gate(closing) = &kind {
            acts.closing = Some(match acts.closing.take() {
                None => closing.clone(),
                Some(before) => together(tree, jail, &before, closing, &mut acts.problems),
            });
        }
        acts.actions.push((action.name.clone(), kind));
    }
    acts
}

/// The command that a jail asks about everybody it would ban, if it asks one (`ignorecommand`).
///
/// # Errors
/// What is wrong with it.
pub fn question(tree: &Tree, jail: &Jail) -> Result<Option<Script>, Vec<Problem>> {
    let Some(text) = &jail.settings.ignorecommand else { return Ok(None) };
    let script = script::take(text).map_err(|wrong| vec![wrong]).and_then(|taken| {
        let of = |fault: Fault| (taken.text.clone(), fault);
        script::make(&taken).map_err(|faults| faults.into_iter().map(of).collect())
    });
    match script {
        Ok(script) => Ok(Some(script).filter(|script| !script.is_empty())),
        Err(faults) => {
            let problem = |(text, fault): &(Text, Fault)| {
                let message = format!("ignorecommand: {}", fault.message);
                let place = (text, fault.at, fault.width);
                tree.problem(Severity::Error, place, &message, &fault.remedy)
            };
            Err(faults.iter().map(problem).collect())
        }
    }
}

/// Two closings of one jail as one.
fn together(
    tree: &Tree,
    jail: &Jail,
    first: &Closing,
    second: &Closing,
    problems: &mut Vec<Problem>,
) -> Closing {
    let ports = match (&first.ports, &second.ports) {
        (Ports::Only(a), Ports::Only(b)) => {
            Ports::only(a.iter().chain(b).copied().collect()).unwrap_or(Ports::All)
        }
        _ => Ports::All,
    };
    let place = jail.options.get("action").cloned().unwrap_or_default();
    let mut warn = |message: String, remedy: &str| {
        problems.push(tree.problem(Severity::Warning, (&place, 0, 1), &message, remedy));
    };
    if first.block != second.block {
        let message = format!(
            "two actions of this jail stop the same packets in different ways; {} counts",
            said(first.block)
        );
        warn(message, "keep one of them, or give both the same blocktype");
    }
    if first.ports != second.ports && (ports == first.ports || ports == second.ports) {
        let message = "one action of this jail closes all that another one closes".to_owned();
        warn(message, "keep only the one that closes more");
    }
    Closing { ports, chain: first.chain.clone(), block: first.block }
}

fn said(block: Block) -> &'static str {
    match block {
        Block::Drop => "silence",
        Block::Reject => "an ICMP error",
        Block::Reset => "a TCP reset",
    }
}

/// Judges one action; also says what is wrong, or not quite the same here.
#[must_use]
pub fn kind(tree: &Tree, action: &Action) -> (Kind, Vec<Problem>) {
    if action.python {
        return python(tree, action);
    }
    let both = match commands::take(action) {
        Ok(both) => both,
        Err(wrong) => return broken(tree, action, &[wrong]),
    };
    if let Some((program, instead)) = elsewhere(&both) {
        let why = format!("{program} is a program of other systems than Linux");
        return (Kind::Refused(Refused { why, instead: (*instead).to_owned() }), Vec::new());
    }
    let mut problems = Vec::new();
    if closing::is_known(&action.file) {
        match gate(tree, action, &both) {
            Ok((closing, notes)) => return (Kind::Gate(closing), notes),
            Err(problem) => problems.push(*problem),
        }
    }
    match commands::make(action, &both) {
        Ok(commands) => (Kind::Command(Box::new(commands)), problems),
        Err(faults) => {
            let (kind, faults) = broken(tree, action, &faults);
            problems.extend(faults);
            (kind, problems)
        }
    }
}

fn python(tree: &Tree, action: &Action) -> (Kind, Vec<Problem>) {
    let known = PYTHON.iter().find(|(file, _)| *file == action.file);
    let instead = known.map_or("", |(_, instead)| instead).to_owned();
    let why = format!("{} is a program in Python for fail2ban's own process", action.file);
    let place = action.properties.iter().next().map(|(_, value)| value.clone());
    let remedy = match instead.as_str() {
        "" => "write an action with actionban = ... that starts a program".to_owned(),
        instead => format!("write action = {instead}"),
    };
    let place = place.unwrap_or_default();
    let problem = tree.problem(Severity::Warning, (&place, 0, 1), &why, &remedy);
    (Kind::Refused(Refused { why, instead }), vec![problem])
}

fn elsewhere(both: &Both) -> Option<&'static (&'static str, &'static str)> {
    let commands = both.iter().flatten().flat_map(|taken| &taken.parsed.commands);
    let mut programs = commands.filter_map(|command| {
        let program = command.words.get(code::program(command))?;
        Some(code::base(&program.text))
    });
    programs.find_map(|name| ELSEWHERE.iter().find(|(known, _)| *known == name))
}

fn broken(tree: &Tree, action: &Action, faults: &[(Text, Fault)]) -> (Kind, Vec<Problem>) {
    let mut problems: Vec<Problem> = Vec::new();
    for (text, fault) in faults {
        let message = format!("{}: {}", action.name, fault.message);
        let place = (text, fault.at, fault.width);
        let problem = tree.problem(Severity::Error, place, &message, &fault.remedy);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    let why = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
    (Kind::Refused(Refused { why, instead: String::new() }), problems)
}

/// What the gate does for an action, or why it does not.
fn gate(
    tree: &Tree,
    action: &Action,
    both: &Both,
) -> Result<(Closing, Vec<Problem>), Box<Problem>> {
    let at = |operation: Operation| operation as usize;
    let see = |taken: &[script::Taken]| {
        let (Some(start), Some(ban)) =
            (taken.get(at(Operation::Start)), taken.get(at(Operation::Ban)))
        else {
            return Err("no commands".into());
        };
        let others: Vec<&script::Taken> = taken.iter().collect();
        closing::closing(start, ban, &others)
    };
    let ban = both[0].get(at(Operation::Ban)).map(|taken| taken.text.clone()).unwrap_or_default();
    // What is written for this ban, not what a tag was filled in with.
    let usual = (ban.clone(), ban.as_str().find("<ip>").unwrap_or(0));
    let differs = |differs: Differs| {
        let what = differs.what;
        let (text, at) = differs.place.unwrap_or_else(|| usual.clone());
        let message = format!(
            "{}: these commands are not what {} is known for ({what}); they are run as they are \
             written, and the gate closes nothing for them",
            action.name, action.file
        );
        let remedy = "keep the stock commands, and put what is yours into an action of its own";
        Box::new(tree.problem(Severity::Warning, (&text, at, 1), &message, remedy))
    };
    let seen: Seen = see(&both[0]).map_err(differs)?;
    let other = see(&both[1]).map_err(differs)?;
    // What happens to the packets may differ: fail2ban 1.0 forgets a jail's blocktype for IPv6,
    // where the file has one of its own. Later releases take it for both, as is done here.
    if seen.targets != other.targets {
        return Err(differs("IPv4 and IPv6 differ".into()));
    }
    let ports = closing::ports(&seen.targets).map_err(|bad| Box::new(no_port(tree, both, &bad)))?;
    let warning = |note: &String| {
        let message = format!("{}: done by the gate, where {note}", action.name);
        tree.problem(Severity::Warning, (&usual.0, usual.1, 1), &message, "nothing has to be done")
    };
    let notes = seen.notes.iter().map(warning).collect();
    Ok((Closing { ports, chain: seen.chain, block: seen.block }, notes))
}

/// The place of a word that is no port.
fn no_port(tree: &Tree, both: &Both, bad: &closing::BadPort) -> Problem {
    let texts = both.iter().flatten().map(|taken| &taken.text);
    let mut found = texts
        .filter(|_| !bad.word.is_empty())
        .filter_map(|text| Some((text, text.as_str().find(&bad.word)?, bad.word.chars().count())));
    let nowhere = Text::default();
    let place = found.next().unwrap_or((&nowhere, 0, 1));
    let remedy = "write port = ssh,2222,6000:6010 and protocol = tcp or tcp,udp";
    let message =
        format!("{}; the gate closes nothing for this action, whose commands are run", bad.message);
    tree.problem(Severity::Error, place, &message, remedy)
}
