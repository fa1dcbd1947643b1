//! knockd.conf, as knockd 0.8 reads it: `knockd.conf(5)`, and what the program was seen to do.
//!
//! Everything that knockd takes is taken, with a warning where it takes something for a number that
//! is none. What knockd refuses is an error; it refuses the whole file then, here the door with the
//! error is set aside. Different on purpose: lines that a page broke are put together again.

mod command;
mod lines;
mod values;

use crate::near::nearest;
use crate::problem::{Notes, Wrong};
use crate::{Document, Problem, Severity};
use lines::{Entry, Part};
use sereno_core::door::{Deed, Deeds, Door, Sequence, Sequences};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

/// Bytes of a section's name that count.
const NAME: usize = 127;
/// Keys of `[options]`.
const OPTIONS: [&str; 4] = ["usesyslog", "logfile", "pidfile", "interface"];
/// Keys of doors.
const KEYS: [&str; 14] = [
    "sequence",
    "one_time_sequences",
    "seq_timeout",
    "timeout",
    "cmd_timeout",
    "tcpflags",
    "target",
    "command",
    "start_command",
    "command_6",
    "start_command_6",
    "stop_command",
    "stop_command_6",
    "usesyslog",
];

/// What `[options]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether the log goes to syslog.
    pub syslog: bool,
    /// The log.
    pub log_file: Option<String>,
    /// Where the process id is written.
    pub pid_file: Option<String>,
    /// The interface that is listened on.
    pub interface: Option<String>,
}

/// A door, and the file of its one-time sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The door.
    pub door: Door,
    /// The file its sequences are from, if they are used once.
    pub once: Option<Once>,
    /// The line of its section, from 1.
    pub line: usize,
}

/// A file of one-time sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Its path, as it was written.
    pub path: String,
    /// For each of the door's sequences, in their order, the byte of its line's beginning: `#` is
    /// written there once the sequence was used.
    pub places: Vec<usize>,
}

/// What a file means, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What `[options]` says.
    pub options: Options,
    /// The doors, in their order, without those that have an error.
    pub doors: Vec<Section>,
    /// All problems, in the order of their places.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Whether knockd would refuse the file, and something was set aside here.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads a knockd.conf. `file` gives the text of a file of one-time sequences.
#[must_use]
pub fn read(document: &Document, file: &dyn Fn(&str) -> Option<String>) -> Outcome {
    let mut reader = Reader { file, notes: Notes::default(), options: Options::default() };
    let mut doors = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for part in lines::parts(&document.text, &mut reader.notes) {
        if part.name == "options" {
            part.entries.iter().for_each(|entry| reader.option(entry));
            continue;
        }
        if names.contains(&part.name) {
            let message = format!("a second section [{}]: these are two doors", part.name);
            let remedy = "give it another name, so that the log tells them apart";
            reader.notes.warn(0, Wrong::new(part.span.clone(), message).remedy(remedy));
        }
        names.push(part.name.clone());
        let errors = reader.notes.errors();
        let found = reader.door(&part);
        if let Some((door, once)) =
            found.filter(|_| reader.notes.errors() == errors && !part.broken)
        {
            let before = document.text.get(..part.span.start).unwrap_or("");
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            doors.push((part.span, Section { door, once, line }));
        }
    }
    never_closed(&doors, &mut reader.notes);
    let doors = doors.into_iter().map(|(_, section)| section).collect();
    let problems = reader.notes.into_problems(&[document]);
    Outcome { options: reader.options, doors, problems }
}

/// The sequences of a file of one-time sequences that are still good, and where the line of each
/// begins.
///
/// # Errors
/// What is wrong, with its line, and what to write instead.
#[allow(clippy::type_complexity, reason = "each part is said above")]
pub fn once(text: &str) -> Result<(Vec<Sequence>, Vec<usize>), Vec<(String, String)>> {
    let mut wrongs = Vec::new();
    let found = values::good_once(text, &mut |line, wrong| {
        wrongs.push((format!("line {line}: {}", wrong.message), wrong.remedy));
    });
    if wrongs.is_empty() { Ok(found) } else { Err(wrongs) }
}

/// Warns of doors that nothing closes.
fn never_closed(doors: &[(Range<usize>, Section)], notes: &mut Notes) {
    let closed = |wanted| {
        let deeds = doors.iter().flat_map(|(_, s)| [&s.door.v4, &s.door.v6]);
        let mut deeds = deeds.flat_map(|deeds| [&deeds.start, &deeds.stop]);
        deeds.any(|deed| matches!(deed, Deed::Close(ports) if ports == wanted))
    };
    let deleted = doors.iter().any(|(_, section)| {
        let deeds = [&section.door.v4.start, &section.door.v4.stop];
        deeds.iter().any(|deed| matches!(deed, Deed::Run(text) if command::of_ufw(text, "delete")))
    });
    for (span, section) in doors {
        let deeds = &section.door.v4;
        if let Deed::Run(text) = &deeds.start
            && command::of_ufw(text, "allow")
            && !command::of_ufw(text, "delete")
            && !deleted
        {
            let message = format!("nothing ever takes back what [{}] allows", section.door.name);
            let remedy = "add stop_command with ufw delete allow, and cmd_timeout with the seconds until then";
            notes.warn(0, Wrong::new(span.clone(), message).remedy(remedy));
        }
        if let Deed::Open(ports) = &section.door.v4.start
            && section.door.v4.stop == Deed::Nothing
            && !closed(ports)
        {
            let message = format!("nothing ever closes what [{}] opens", section.door.name);
            let remedy =
                "add stop_command with iptables -D, and cmd_timeout with the seconds until then";
            notes.warn(0, Wrong::new(span.clone(), message).remedy(remedy));
        }
    }
}

struct Reader<'a> {
    file: &'a dyn Fn(&str) -> Option<String>,
    notes: Notes,
    options: Options,
}

/// The commands of a door, as far as they are given.
#[derive(Default)]
struct Commands<'e> {
    start: Option<&'e Entry>,
    start_6: Option<&'e Entry>,
    stop: Option<&'e Entry>,
    stop_6: Option<&'e Entry>,
}

impl Reader<'_> {
    fn option(&mut self, entry: &Entry) {
        let value = entry.value.as_ref().map(|value| value.text.clone());
        match (entry.key.as_str(), value) {
            ("usesyslog", None) => self.options.syslog = true,
            ("logfile", Some(path)) => self.options.log_file = Some(path),
            ("pidfile", Some(path)) => self.options.pid_file = Some(path),
            ("interface", Some(name)) => self.options.interface = Some(name),
            _ => self.unknown(entry, &OPTIONS, "[options]"),
        }
    }

    /// Says that a key is none, or has a value it should not have or not the value it should.
    fn unknown(&mut self, entry: &Entry, keys: &[&str], place: &str) {
        let key = entry.key.as_str();
        let (message, remedy) = if key == "usesyslog" {
            ("UseSyslog takes no value".to_owned(), "write UseSyslog, alone".to_owned())
        } else if keys.contains(&key) {
            (format!("{key} has no value"), format!("write {key} = ..."))
        } else if OPTIONS.contains(&key) {
            (format!("{key} is no key of a door"), "put it into the section [options]".to_owned())
        } else if KEYS.contains(&key) {
            let remedy = "put it into the section of a door, such as [openSSH]".to_owned();
            (format!("{key} is a key of doors, not of [options]"), remedy)
        } else {
            let remedy = match nearest(key, keys.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the keys of {place} are: {}", keys.join(", ")),
            };
            (format!("there is no key {key:?} in {place}"), remedy)
        };
        self.notes.error(0, Wrong::new(entry.span.clone(), message).remedy(remedy));
    }

    fn door(&mut self, part: &Part) -> Option<(Door, Option<Once>)> {
        let errors = self.notes.errors();
        let mut door = Door::new(self.name(part), Sequences::Once(Vec::new()));
        let (mut found, mut once) = (None, None);
        let mut commands = Commands::default();
        for entry in &part.entries {
            let Some(value) = &entry.value else {
                match entry.key.as_str() {
                    "usesyslog" => self.options.syslog = true,
                    _ => self.unknown(entry, &KEYS, "a door"),
                }
                continue;
            };
            let notes = &mut self.notes;
            match entry.key.as_str() {
                "sequence" => {
                    found = values::sequence(value, notes).map(Sequences::Fixed).or(found);
                }
                "one_time_sequences" => {
                    if let Some((list, file)) = values::once(value, self.file, notes) {
                        found = Some(Sequences::Once(list));
                        once = Some(file);
                    }
                }
                "seq_timeout" | "timeout" => door.within = seconds(value, entry, notes),
                "cmd_timeout" => door.hold = seconds(value, entry, notes),
                "tcpflags" => {
                    door.flags = values::flags(value, notes).unwrap_or_default();
                }
                "target" => match value.text.parse::<IpAddr>() {
                    Ok(addr) => door.target = Some(addr),
                    Err(_) => {
                        let message =
                            "a target is one address; knockd never sees a knock at this door";
                        let remedy = "write an IPv4 or IPv6 address, or leave the line out";
                        notes.error(0, Wrong::new(value.span.clone(), message).remedy(remedy));
                    }
                },
                "command" | "start_command" => commands.start = Some(entry),
                "command_6" | "start_command_6" => commands.start_6 = Some(entry),
                "stop_command" => commands.stop = Some(entry),
                "stop_command_6" => commands.stop_6 = Some(entry),
                _ => self.unknown(entry, &KEYS, "a door"),
            }
        }
        self.commands(&commands, &mut door);
        let named = |key: &str| part.entries.iter().any(|entry| entry.key == key);
        if found.is_none() && !named("sequence") && !named("one_time_sequences") {
            let message = format!("the door {} has no sequence", door.name);
            let remedy = "add sequence = 7000,8000,9000, with other ports";
            self.notes.error(0, Wrong::new(part.span.clone(), message).remedy(remedy));
        }
        door.sequences = found?;
        self.idle(part, &door.name, &commands, errors);
        if let Sequences::Fixed(sequence) = &door.sequences {
            self.weak(part, sequence);
        }
        Some((door, once))
    }

    fn name(&mut self, part: &Part) -> String {
        let end = crate::problem::floor(&part.name, NAME);
        if end < part.name.len() {
            let message = format!("only {NAME} bytes of a door's name count");
            let wrong = Wrong::new(part.span.clone(), message).remedy("give it a shorter name");
            self.notes.warn(0, wrong);
        }
        part.name[..end].to_owned()
    }

    fn commands(&mut self, commands: &Commands<'_>, door: &mut Door) {
        let deed = |entry: Option<&Entry>, six: bool| -> Deed {
            let text =
                entry.and_then(|entry| entry.value.as_ref()).map(|value| value.text.as_str());
            text.map_or(Deed::Nothing, |text| command::deed(text, six))
        };
        door.v4 = Deeds { start: deed(commands.start, false), stop: deed(commands.stop, false) };
        door.v6 = Deeds {
            start: deed(commands.start_6.or(commands.start), true),
            stop: deed(commands.stop_6.or(commands.stop), true),
        };
        for entry in [commands.start, commands.start_6, commands.stop, commands.stop_6] {
            entry.into_iter().for_each(|entry| command::look(entry, &mut self.notes));
        }
        if let (None, None, Some(stop)) = (commands.start, commands.start_6, commands.stop) {
            let message = "a stop_command without a start_command is never run";
            let remedy = "add start_command, or call this one command in a door of its own";
            self.notes.warn(0, Wrong::new(stop.span.clone(), message).remedy(remedy));
        }
    }

    /// Warns of a door that does nothing, unless something is wrong with it since `errors`.
    fn idle(&mut self, part: &Part, name: &str, commands: &Commands<'_>, errors: usize) {
        let all = [commands.start, commands.start_6, commands.stop, commands.stop_6];
        if self.notes.errors() == errors && all.iter().all(Option::is_none) {
            let message = format!("the door {name} has no command: a knock does nothing");
            let remedy = "add start_command, such as iptables -I INPUT -s %IP% -p tcp --dport 22 -j \
                          ACCEPT";
            self.notes.warn(0, Wrong::new(part.span.clone(), message).remedy(remedy));
        }
    }

    fn weak(&mut self, part: &Part, sequence: &Sequence) {
        if !sequence.is_weak() {
            return;
        }
        let message = match sequence.hits().len() {
            1 => "one port is no secret: who tries all ports finds it",
            _ => "who tries all ports in their order knocks at this door",
        };
        let remedy = "take three ports or more that go up and down, such as 7311,2904,5127";
        let entry = part.entries.iter().rfind(|entry| entry.key == "sequence");
        let span = entry.map_or(part.span.clone(), |entry| entry.span.clone());
        self.notes.warn(0, Wrong::new(span, message).remedy(remedy));
    }
}

/// A number of seconds. What is below zero is zero: knockd ends such a knock at once.
fn seconds(value: &lines::Value, entry: &Entry, notes: &mut Notes) -> Duration {
    let number = values::number(value, &entry.key, notes);
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}
