//! A door as its guest knows it: the file that an invitation gives, and `sereno knock` reads.
//!
//! ```toml
//! host = "srv.example.org"     # where the door is
//! wait = 22                    # the TCP port that answers once it is open; may be left out
//! ports = ["7000", "8000:udp"] # what to knock at, or instead:
//!
//! [timed]
//! secret = "..."               # base64
//! ```

use crate::Document;
use crate::problem::{Notes, Problem, Severity, Wrong};
use crate::value::{self, Read, Value};
use crate::written::Written;
use sereno_core::door::{Hit, MOST_HITS, Protocol, Sequence, Timed};
use sereno_spa::Secret;
use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// What stands in such a file, each with a right value.
const OPTIONS: [(&str, &str); 6] = [
    ("host", "\"srv.example.org\""),
    ("wait", "22"),
    ("ports", "[\"7000\", \"8000:udp\", \"9000\"]"),
    ("delay", "50"),
    ("once", "true"),
    ("timed", "{ secret = \"...\" }"),
];
/// What stands in `[timed]`.
const TIMED: [(&str, &str); 5] = [
    ("secret", "\"...\", the one that the invitation has"),
    ("step", "30"),
    ("length", "4"),
    ("range", "[10000, 60000]"),
    ("protocol", "\"tcp\""),
];
/// Milliseconds between two knocks, at most.
const LONGEST_DELAY: u64 = 60_000;

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
    pub length: usize,
    /// The first and last of the ports it is chosen from.
    pub range: (u16, u16),
    /// How to knock.
    pub protocol: Protocol,
}

impl TimedKnock {
    /// What stands where nothing is said: four TCP ports from 10000 to 60000, others every 30
    /// seconds.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let (step, range) = (Duration::from_secs(30), (10_000, 60_000));
        Self { secret, step, length: 4, range, protocol: Protocol::Tcp }
    }

    /// The sequences.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn timed(&self) -> Result<Timed, String> {
        let secret = self.secret.bytes().to_vec();
        Timed::new(secret, self.step, self.length, self.range, self.protocol)
    }
}

/// Reads the file of a door; `None` when there is an error among the problems. They cite lines, but
/// never a secret.
#[must_use]
pub fn read_invited(document: &Document) -> (Option<Invited>, Vec<Problem>) {
    let mut notes = Notes::default();
    let file = Written::parse(0, document, &mut notes);
    let read = invited(&file.table, &mut notes);
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

/// What is said under a name.
fn said<'v, 'd>(table: &'v DeTable<'d>, name: &str) -> Option<&'v Value<'d>> {
    table.get(name)
}

/// A value, if one is there and right.
fn take<'v, T>(
    table: &'v DeTable<'_>,
    (name, example): (&str, &str),
    notes: &mut Notes,
    read: impl FnOnce(&'v Value<'_>) -> Read<T>,
) -> Option<T> {
    let wrongs = match read(said(table, name)?) {
        Ok(value) => return Some(value),
        Err(wrongs) => wrongs,
    };
    for mut wrong in wrongs {
        if wrong.remedy.is_empty() {
            wrong.remedy = format!("write {name} = {example}");
        }
        notes.error(0, wrong);
    }
    None
}

/// Names that are not known.
fn strangers(table: &DeTable<'_>, known: &[(&str, &str)], notes: &mut Notes) {
    for (key, _) in table {
        let name: &str = key.get_ref();
        if known.iter().all(|(known, _)| *known != name) {
            let names: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            let remedy = match crate::near::nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are: {}", names.join(", ")),
            };
            notes.error(0, Wrong::new(key.span(), "there is no such option").remedy(remedy));
        }
    }
}

fn invited(table: &DeTable<'_>, notes: &mut Notes) -> Option<Invited> {
    strangers(table, &OPTIONS, notes);
    let [host, wait, ports, delay, once, timed] = OPTIONS;
    let host = take(table, host, notes, self::host);
    if said(table, "host").is_none() {
        let wrong = Wrong::new(0..0, "it is not said where the door is");
        notes.error(0, wrong.remedy("write host = \"srv.example.org\""));
    }
    let wait = take(table, wait, notes, |value| value::whole::<u16>(value, 1, u16::MAX));
    let delay =
        take(table, delay, notes, |value| value::whole::<i64>(value, 0, LONGEST_DELAY as i64));
    let once = take(table, once, notes, value::flag).unwrap_or(false);
    let fixed = take(table, ports, notes, sequence);
    let knock = match (said(table, "ports"), said(table, "timed")) {
        (Some(_), None) => Knock::Fixed { sequence: fixed?, once },
        (None, Some(value)) => {
            let section = take(table, timed, notes, |value| match value.get_ref() {
                DeValue::Table(section) => Ok(section),
                _ => Wrong::new(value.span(), "timed is a section, not an option").alone(),
            });
            Knock::Timed(self::timed(section?, &value.span(), notes)?)
        }
        (both, _) => {
            let place = both.map_or(0..0, Value::span);
            let wrong = Wrong::new(place, "a door has either ports or [timed]");
            notes.error(
                0,
                wrong.remedy("write ports = [\"7000\", \"8000\"], or [timed] with a secret"),
            );
            return None;
        }
    };
    let delay = delay.and_then(|delay| u64::try_from(delay).ok()).map(Duration::from_millis);
    Some(Invited { host: host?, wait, delay, knock })
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

fn sequence(value: &Value<'_>) -> Read<Sequence> {
    let hits = value::each(value, |value| {
        let hit = value::text(value)?.parse::<Hit>();
        hit.or_else(|why| Wrong::new(value.span(), why).alone())
    })?;
    let wrong = Wrong::new(value.span(), format!("1 to {MOST_HITS} ports are needed"));
    Sequence::new(hits).ok_or_else(|| vec![wrong])
}

fn timed(table: &DeTable<'_>, place: &Range<usize>, notes: &mut Notes) -> Option<TimedKnock> {
    strangers(table, &TIMED, notes);
    let [secret, step, length, range, protocol] = TIMED;
    let read = take(table, secret, notes, |value| {
        let secret = value::text(value).ok().and_then(Secret::from_base64);
        secret.ok_or_else(|| vec![Wrong::new(value.span(), "the secret is no base64 in quotes")])
    });
    if said(table, "secret").is_none() {
        let wrong = Wrong::new(place.clone(), "there is no secret");
        notes.error(0, wrong.remedy("write secret = and the text that the invitation has"));
    }
    let mut knock = TimedKnock::new(read?);
    let whole = |value: &Value<'_>| value::whole::<i64>(value, 1, 86_400);
    if let Some(step) = take(table, step, notes, whole) {
        knock.step = Duration::from_secs(step.unsigned_abs());
    }
    let most = i64::try_from(MOST_HITS).unwrap_or(32);
    if let Some(length) = take(table, length, notes, |value| value::whole::<i64>(value, 2, most)) {
        knock.length = usize::try_from(length).unwrap_or(4);
    }
    if let Some(range) = take(table, range, notes, |value| {
        let ends = value::each(value, |value| value::whole::<u16>(value, 1, u16::MAX))?;
        let two = <[u16; 2]>::try_from(ends);
        two.map_err(|_| vec![Wrong::new(value.span(), "the first and the last port are needed")])
    }) {
        knock.range = (range[0], range[1]);
    }
    if let Some(protocol) = take(table, protocol, notes, |value| match value::text(value)? {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Wrong::new(value.span(), "a port is knocked at over tcp or udp").alone(),
    }) {
        knock.protocol = protocol;
    }
    match knock.timed() {
        Ok(_) => Some(knock),
        Err(why) => {
            notes.error(0, Wrong::new(place.clone(), why).remedy("write what the invitation has"));
            None
        }
    }
}

/// A copy to be cited from: what may be a secret is stars.
fn hidden(document: &Document) -> Document {
    let open = |line: &str| {
        let name = line.split('=').next().unwrap_or("").trim();
        let known = OPTIONS.iter().chain(&TIMED).any(|(known, _)| *known == name);
        (known && !matches!(name, "secret" | "timed")) || line.trim() == "[timed]"
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
                let hits: Vec<String> =
                    sequence.hits().iter().map(|hit| format!("\"{}\"", short(*hit))).collect();
                let _ = writeln!(text, "ports = [{}]", hits.join(", "));
                if *once {
                    text.push_str("once = true\n");
                }
            }
            Knock::Timed(timed) => {
                let (first, last) = timed.range;
                let _ = write!(
                    text,
                    "\n[timed]\nsecret = \"{}\"\nstep = {}\nlength = {}\nrange = [{first}, {last}]\nprotocol = \"{}\"\n",
                    *timed.secret.to_base64(),
                    timed.step.as_secs(),
                    timed.length,
                    timed.protocol.as_str(),
                );
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

fn toml_text(text: &str) -> String {
    // Names and addresses have no character that has to be escaped.
    format!("\"{}\"", text.escape_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

    fn read(text: &str) -> (Option<Invited>, Vec<Problem>) {
        read_invited(&Document { name: "office.toml".to_owned(), text: text.to_owned() })
    }

    fn right(text: &str) -> Invited {
        let (read, problems) = read(text);
        assert_eq!(problems, [], "{text}");
        read.unwrap()
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let hits = vec![Hit::tcp(7000), Hit::udp(8000), Hit::tcp(9000)];
        let fixed = Knock::Fixed { sequence: Sequence::new(hits).unwrap(), once: true };
        let secret = Secret::from_base64(SECRET).unwrap();
        let timed = Knock::Timed(TimedKnock { length: 5, ..TimedKnock::new(secret) });
        for (knock, wait) in [(fixed, Some(22)), (timed, None)] {
            let delay = wait.map(|_| Duration::from_millis(70));
            let door = Invited { host: "srv.example.org".to_owned(), wait, delay, knock };
            assert_eq!(right(&door.render()), door, "{}", door.render());
        }
        let short =
            right(&format!("host = \"2001:db8::1\"\ntimed = {{ secret = \"{SECRET}\" }}\n"));
        assert!(matches!(short.knock, Knock::Timed(timed) if timed.length == 4));
    }

    #[test]
    fn every_mistake_is_named_at_its_place() {
        for (text, line, said) in [
            ("ports = [\"7000\"]", 1, "where the door is"),
            ("host = \"-oProxy\"\nports = [\"7000\"]", 1, "no name and no address"),
            ("host = \"a b\"\nports = [\"7000\"]", 1, "no name and no address"),
            ("host = \"a\"", 1, "either ports or [timed]"),
            ("host = \"a\"\nports = []", 2, "1 to 32 ports"),
            ("host = \"a\"\nports = [\"70000\"]", 2, "not a port"),
            ("host = \"a\"\nports = [\"7000\"]\nwait = 0", 3, "from 1 to 65535"),
            ("host = \"a\"\nport = [\"7000\"]", 2, "no such option"),
            ("host = \"a\"\n[timed]\nstep = 30", 2, "there is no secret"),
            ("host = \"a\"\n[timed]\nsecret = \"c2hvcnQ=\"", 2, "at least 16 bytes"),
        ] {
            let (read, problems) = read(text);
            assert!(read.is_none(), "{text}");
            let found = problems.iter().any(|p| p.line == line && p.message.contains(said));
            assert!(found, "{text}: {problems:?}");
            assert!(problems.iter().all(|problem| !problem.remedy.is_empty()), "{problems:?}");
        }
    }

    #[test]
    fn secrets_are_not_cited() {
        for text in [
            "host = \"a\"\n[timed]\nsecret = hunter2hunter2hunter2",
            "host = \"a\"\n[timed]\nsecret = \"hunter2!\"",
            "host = \"a\"\n[timed]\nsecert = \"hunter2\"",
            "host = \"a\"\ntimed = { secret = hunter2 }",
            "host = \"a\"\nsecret = \"\"\"\nhunter2\n\"\"\"",
            "host = \"a\"\ntimed = \"hunter2\"",
            "host = \"a\"\n[timed]\nsecret = \"hunter2",
        ] {
            let (read, problems) = read(text);
            assert!(read.is_none() && !problems.is_empty(), "{text}");
            assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused(
            lines in proptest::collection::vec(
                prop_oneof![
                    "(host|wait|ports|delay|once|timed|secret|step|length|range|protocol) = [\\[\"0-9a-z:,=\\] {}']{0,24}",
                    Just("[timed]".to_owned()),
                    "\\PC{0,30}",
                ],
                0..4,
            ),
            whole in any::<bool>(),
        ) {
            let start = if whole { "host = \"a\"\nports = [\"7\"]\n" } else { "" };
            let (door, problems) = read(&[start, &lines.join("\n")].concat());
            prop_assert!(door.is_some() || !problems.is_empty());
            if let Some(door) = door {
                let (again, problems) = read(&door.render());
                prop_assert_eq!((again.as_ref(), problems.len()), (Some(&door), 0));
            }
        }
    }
}
