//! A door as its guest knows it: the file that an invitation gives, and `sereno knock` reads. The
//! words are those of `[door.NAME]` at the server.
//!
//! ```toml
//! host = "srv.example.org"   # where the door is
//! wait = 22                  # the TCP port that answers once it is open; may be left out
//! knock = [7311, "udp/2904"] # what to knock at; or, for ports that change with the time:
//! secret = "..."             # base64
//! ```

use crate::problem::{Notes, Problem, Severity, Wrong};
use crate::value::{self, Read, Value};
use crate::written::Written;
use crate::{Document, door, near};
use sereno_core::door::{Hit, MOST_HITS, Protocol, Sequence, Timed};
use sereno_spa::Secret;
use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;
use toml::de::DeTable;

/// What stands in such a file, each with a right value.
const OPTIONS: [(&str, &str); 9] = [
    ("host", "\"srv.example.org\""),
    ("wait", "22"),
    ("delay", "50"),
    ("knock", "[7311, 2904, 5127]"),
    ("once", "true"),
    ("secret", "\"...\", the one that the invitation has"),
    ("step", "\"30s\""),
    ("length", "4"),
    ("range", "\"20000-60999\""),
];
/// Milliseconds between two knocks, at most.
const LONGEST_DELAY: i64 = 60_000;

/// A door as its guest knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Where it is: a name or an address.
    pub host: String,
    /// The TCP port that answers once it is open.
    pub wait: Option<u16>,
    /// Time between two knocks, in whole milliseconds; the client's own if `None`.
    pub delay: Option<Duration>,
    /// What to knock at.
    pub knock: Knock,
}

/// What to knock at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// The same ports always.
    Fixed {
        /// The ports.
        sequence: Sequence,
        /// They open once only: nobody knocks at them twice.
        once: bool,
    },
    /// Others all the time.
    Timed(TimedKnock),
}

/// What [`Timed`] is made of, with its secret wiped when it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedKnock {
    /// What both sides know, at least 16 bytes.
    pub secret: Secret,
    /// How long a sequence holds, in whole seconds.
    pub step: Duration,
    /// How many ports it has.
    pub length: u8,
    /// The first and last of the ports it is chosen from.
    pub range: (u16, u16),
}

impl TimedKnock {
    /// With what stands where nothing is said, here and at the server.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self { secret, step: door::STEP, length: door::LENGTH, range: door::RANGE }
    }

    /// The sequences: over TCP, as the server listens.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn timed(&self) -> Result<Timed, String> {
        let (secret, length) = (self.secret.bytes().to_vec(), usize::from(self.length));
        Timed::new(secret, self.step, length, self.range, Protocol::Tcp)
    }
}

/// Reads the file of a door; `None` when there is an error among the problems. They cite lines, but
/// never a secret.
#[must_use]
pub fn read_invited(document: &Document) -> (Option<Invited>, Vec<Problem>) {
    let mut notes = Notes::default();
    let file = Written::parse(0, document, &mut notes);
    let read = Reader { table: &file.table, notes: &mut notes }.invited();
    let hidden = hidden(document);
    let mut problems = notes.into_problems(&[&hidden]);
    // What stands there instead of a text in quotes may be the secret.
    for problem in problems.iter_mut().filter(|problem| problem.cited.contains('*')) {
        if problem.remedy.starts_with("write \"") {
            "write the text in quotes".clone_into(&mut problem.remedy);
        }
    }
    let stands = problems.iter().all(|problem| problem.severity != Severity::Error);
    (read.filter(|_| stands), problems)
}

/// The options of a file, and what is wrong with them.
struct Reader<'f, 'd> {
    table: &'f DeTable<'d>,
    notes: &'f mut Notes,
}

impl<'f, 'd> Reader<'f, 'd> {
    /// Where an option is written, if it is.
    fn place(&self, name: &str) -> Option<Range<usize>> {
        self.table.get(name).map(Value::span)
    }

    fn wrong(&mut self, place: Range<usize>, message: &str, remedy: &str) {
        self.notes.error(0, Wrong::new(place, message).remedy(remedy));
    }

    /// A value, if one is there and right.
    fn take<T>(&mut self, name: &str, read: impl FnOnce(&'f Value<'d>) -> Read<T>) -> Option<T> {
        let wrongs = match read(self.table.get(name)?) {
            Ok(value) => return Some(value),
            Err(wrongs) => wrongs,
        };
        let example = OPTIONS.iter().find(|(option, _)| *option == name).map_or("", |one| one.1);
        for mut wrong in wrongs {
            if wrong.remedy.is_empty() {
                wrong.remedy = format!("write {name} = {example}");
            }
            self.notes.error(0, wrong);
        }
        None
    }

    fn strangers(&mut self) {
        let names = OPTIONS.map(|(name, _)| name);
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !names.contains(&name) {
                let remedy = match near::nearest(name, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("leave it out; there are: {}", names.join(", ")),
                };
                let wrong = Wrong::new(key.span(), "there is no such option");
                self.notes.error(0, wrong.remedy(remedy));
            }
        }
    }

    fn invited(mut self) -> Option<Invited> {
        self.strangers();
        let host = self.take("host", host);
        if self.place("host").is_none() {
            self.wrong(
                0..0,
                "it is not said where the door is",
                "write host = \"srv.example.org\"",
            );
        }
        let wait = self.take("wait", |value| value::whole::<u16>(value, 1, u16::MAX));
        let delay = self.take("delay", |value| value::whole::<i64>(value, 0, LONGEST_DELAY));
        let delay = delay.map(|delay| Duration::from_millis(delay.unsigned_abs()));
        let knock = match (self.place("knock"), self.place("secret")) {
            (Some(_), None) => self.fixed(),
            (None, Some(place)) => self.timed(place),
            (both, _) => {
                let remedy = "write knock = [7311, 2904, 5127] with the door's ports, or secret";
                self.wrong(both.unwrap_or(0..0), "a door has either knock or secret", remedy);
                None
            }
        };
        Some(Invited { host: host?, wait, delay, knock: knock? })
    }

    fn fixed(&mut self) -> Option<Knock> {
        let sequence = self.take("knock", door::sequence);
        let once = self.take("once", value::flag).unwrap_or(false);
        sequence.map(|sequence| Knock::Fixed { sequence, once })
    }

    fn timed(&mut self, place: Range<usize>) -> Option<Knock> {
        let secret = self.take("secret", |value| {
            let secret = value::text(value).ok().and_then(Secret::from_base64);
            secret
                .ok_or_else(|| vec![Wrong::new(value.span(), "the secret is no base64 in quotes")])
        });
        let mut knock = TimedKnock::new(secret?);
        knock.step = self.take("step", value::lasting).unwrap_or(knock.step);
        let length = self.take("length", |value| value::whole(value, 2, MOST_HITS as u8));
        knock.length = length.unwrap_or(knock.length);
        knock.range = self.take("range", door::range).unwrap_or(knock.range);
        if let Err(why) = knock.timed() {
            self.wrong(place, &why, "write what the invitation has");
        }
        Some(Knock::Timed(knock))
    }
}

/// A name or an address, in characters that no shell knows.
fn host(value: &Value<'_>) -> Read<String> {
    let text = value::text(value)?;
    if is_host(text) {
        return Ok(text.to_owned());
    }
    Wrong::new(value.span(), "this is no name and no address").alone()
}

/// Whether a text may be a name or an address of a machine: letters, digits, `.`, `-`, `_`, and `:` and
/// `%` of IPv6; not an option of a command line.
#[must_use]
pub fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(['-', '.'])
}

/// A copy to be cited from: what may be a secret is stars.
fn hidden(document: &Document) -> Document {
    let open = |line: &str| {
        let name = line.split('=').next().unwrap_or("").trim();
        name != "secret" && OPTIONS.iter().any(|(known, _)| *known == name)
    };
    let star = |c: char| {
        if c.is_whitespace() || c == '=' { c.to_string() } else { "*".repeat(c.len_utf8()) }
    };
    let lines = document.text.split_inclusive('\n').map(|line| match open(line) {
        true => line.to_owned(),
        false => line.chars().map(star).collect(),
    });
    Document { name: document.name.clone(), text: lines.collect() }
}

impl Invited {
    /// The file's text, without remarks. It has the secret in it.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("host = {}\n", toml_text(&self.host));
        if let Some(port) = self.wait {
            let _ = writeln!(text, "wait = {port}");
        }
        if let Some(delay) = self.delay {
            let _ = writeln!(text, "delay = {}", delay.as_millis());
        }
        match &self.knock {
            Knock::Fixed { sequence, once } => {
                let hits: Vec<String> = sequence.hits().iter().map(toml_hit).collect();
                let _ = writeln!(text, "knock = [{}]", hits.join(", "));
                if *once {
                    text.push_str("once = true\n");
                }
            }
            Knock::Timed(timed) => {
                let (first, last) = timed.range;
                let (step, length) = (timed.step.as_secs(), timed.length);
                let _ = writeln!(text, "secret = \"{}\"", *timed.secret.to_base64());
                let _ =
                    writeln!(text, "step = {step}\nlength = {length}\nrange = \"{first}-{last}\"");
            }
        }
        text
    }
}

/// A port as knock's users write it: `7000`, `7000:udp`.
#[must_use]
pub fn short(hit: Hit) -> String {
    match hit.protocol {
        Protocol::Tcp => hit.port.to_string(),
        Protocol::Udp => format!("{}:udp", hit.port),
    }
}

fn toml_hit(hit: &Hit) -> String {
    match hit.protocol {
        Protocol::Tcp => hit.port.to_string(),
        Protocol::Udp => format!("\"{hit}\""),
    }
}

fn toml_text(text: &str) -> String {
    // Names and addresses have no character that has to be escaped.
    format!("\"{}\"", text.escape_default())
}

#[cfg(test)]
mod tests;
