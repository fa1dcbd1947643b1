//! A tree as the commands that fail2ban's client would send its server, written as
//! `fail2ban-client -d` writes them: one list of Python on each line.

use crate::dict::Dict;
use crate::files::join;
use crate::options::{self, FILTER, GLOBAL, JAIL, Kind};
use crate::text::Text;
use crate::tree::{Action, Jail, Tree};
use crate::words;
use std::fmt;

/// A value of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// Several.
    List(Vec<Value>),
    /// Names and their values.
    Map(Vec<(String, Value)>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quoted(text, f),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(true) => f.write_str("True"),
            Self::Flag(false) => f.write_str("False"),
            Self::List(list) => {
                f.write_str("[")?;
                for (at, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (at, (name, value)) in map.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    quoted(name, f)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text as Python writes it.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    write!(f, "{mark}")?;
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if c == mark => write!(f, "\\{c}")?,
            _ if printable(c) => write!(f, "{c}")?,
            _ if code < 0x100 => write!(f, "\\x{code:02x}")?,
            _ if code < 0x1_0000 => write!(f, "\\u{code:04x}")?,
            _ => write!(f, "\\U{code:08x}")?,
        }
    }
    write!(f, "{mark}")
}

/// What Python prints as it is, as far as configurations have it: no control characters, no
/// blanks but the ordinary one, nothing invisible.
fn printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn words_of(words: &[&str]) -> Vec<Value> {
    words.iter().map(|word| text(word)).collect()
}

/// The commands of a tree. `glob` gives the files of a log path.
#[must_use]
pub fn commands(tree: &Tree, glob: &dyn Fn(&str) -> Vec<String>) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(size) = tree.global.get("thread.stacksize") {
        let size = number(size);
        let thread = Value::Map(vec![("stacksize".to_owned(), size)]);
        all.push(Value::List([words_of(&["set", "thread"]), vec![thread]].concat()));
    }
    for (name, kind, _) in GLOBAL {
        if let Some(value) = tree.global.get(name) {
            let value = if kind == Kind::Number { number(value) } else { text(value.as_str()) };
            all.push(Value::List([words_of(&["set", name]), vec![value]].concat()));
        }
    }
    let told = |jail: &&Jail| jail.enabled && (!jail.set_aside || jail.refusal.is_some());
    let jails: Vec<&Jail> = tree.jails.iter().filter(told).collect();
    for jail in &jails {
        match &jail.refusal {
            Some(why) => {
                let name = &jail.name;
                let why = format!("Jail '{name}' skipped, because of wrong configuration: {why}");
                all.push(Value::List(words_of(&["config-error", &why])));
            }
            None => all.extend(jail_commands(jail, &tree.base, glob).into_iter().map(Value::List)),
        }
    }
    let standing = jails.iter().filter(|jail| jail.refusal.is_none());
    all.extend(standing.map(|jail| Value::List(words_of(&["start", &jail.name]))));
    all
}

fn number(value: &Text) -> Value {
    words::integer(value.as_str()).map_or_else(|| text(value.as_str()), Value::Number)
}

fn jail_commands(jail: &Jail, base: &str, glob: &dyn Fn(&str) -> Vec<String>) -> Vec<Vec<Value>> {
    let mut stream = Vec::new();
    let set = |words: &[&str]| [words_of(&["set", &jail.name]), words_of(words)].concat();
    if let Some(filter) = &jail.filter {
        filter_commands(&mut stream, &jail.name, &filter.options);
    }
    let mut own = Dict::default();
    for name in options::jail().map(|(name, _)| name) {
        if let Some(value) = jail.options.get(name) {
            own.insert(name, value.clone());
        }
    }
    filter_commands(&mut stream, &jail.name, &own);
    let listed = ["enabled", "backend", "filter", "action", "logpath", "ignoreip"];
    for (name, kind) in JAIL {
        let Some(value) = jail.options.get(name) else { continue };
        if name == "ignoreip" {
            let words: Vec<&str> = jail.settings.ignoreip.iter().map(Text::as_str).collect();
            stream.push(set(&[&["addignoreip"], &words[..]].concat()));
        } else if !listed.contains(&name) {
            let value = match kind {
                Kind::Number => number(value),
                Kind::Flag => Value::Flag(words::yes(value.as_str())),
                Kind::Text => text(value.as_str()),
            };
            stream.push([set(&[name]), vec![value]].concat());
        }
    }
    if !jail.settings.backend.as_str().starts_with("systemd") {
        for path in &jail.settings.logpath {
            let tail = if path.tail { "tail" } else { "head" };
            for file in glob(path.pattern.as_str()) {
                stream.push(set(&["addlogpath", &file, tail]));
            }
        }
    }
    for action in &jail.actions {
        action_commands(&mut stream, &jail.name, base, action);
    }
    stream.insert(0, words_of(&["add", &jail.name, jail.settings.backend.as_str()]));
    stream
}

/// A filter's options; what decides how expressions are read is told first.
fn filter_commands(stream: &mut Vec<Vec<Value>>, jail: &str, options: &Dict<Text>) {
    let mut first = 0;
    let set = |name: &str| words_of(&["set", jail, name]);
    for (name, value) in options.iter() {
        match name {
            "failregex" | "ignoreregex" => {
                let lines: Vec<Value> =
                    value.as_str().split('\n').filter(|line| !line.is_empty()).map(text).collect();
                let add = format!("add{name}");
                match lines.len() {
                    0 => {}
                    1 => stream.push([set(&add), lines].concat()),
                    _ => {
                        let head = words_of(&["multi-set", jail, &add]);
                        stream.push([head, vec![Value::List(lines)]].concat());
                    }
                }
            }
            "usedns" | "maxlines" | "prefregex" => {
                let kind = options::kind(&FILTER, name);
                let value =
                    if kind == Some(Kind::Number) { number(value) } else { text(value.as_str()) };
                let at = if name == "usedns" { 0 } else { first };
                stream.insert(at, [set(name), vec![value]].concat());
                first += 1;
            }
            "datepattern" => stream.push([set(name), vec![text(value.as_str())]].concat()),
            "journalmatch" => {
                for line in value.as_str().split('\n').filter(|line| !line.is_empty()) {
                    let words = words::shell(line).unwrap_or_default();
                    let words = words.iter().map(|word| text(word)).collect();
                    stream.push([set("addjournalmatch"), words].concat());
                }
            }
            _ => {}
        }
    }
}

fn action_commands(stream: &mut Vec<Vec<Value>>, jail: &str, base: &str, action: &Action) {
    if action.python {
        let path = join(base, &join("action.d", &action.file));
        let head = words_of(&["set", jail, "addaction", &action.name, &path]);
        stream.push([head, vec![text(&json(&action.properties))]].concat());
        return;
    }
    stream.push(words_of(&["set", jail, "addaction", &action.name]));
    let pair = |(name, value): (&str, &Text)| {
        let value = match options::kind(&options::ACTION, name) {
            Some(Kind::Flag) => Value::Flag(words::yes(value.as_str())),
            _ => text(value.as_str()),
        };
        vec![text(name), value]
    };
    let mut pairs: Vec<Vec<Value>> = action.properties.iter().map(pair).collect();
    let head = ["action", &action.name];
    if pairs.len() > 1 {
        let pairs = Value::List(pairs.into_iter().map(Value::List).collect());
        let head = [words_of(&["multi-set", jail]), words_of(&head)].concat();
        stream.push([head, vec![pairs]].concat());
    } else if let Some(pair) = pairs.pop() {
        stream.push([words_of(&["set", jail]), words_of(&head), pair].concat());
    }
}

/// An object of JSON, in ASCII, as Python's `json.dumps` writes it.
fn json(properties: &Dict<Text>) -> String {
    let one = |text: &str| {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                ' '..='~' => out.push(c),
                _ => {
                    let mut units = [0; 2];
                    c.encode_utf16(&mut units)
                        .iter()
                        .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
                }
            }
        }
        out + "\""
    };
    let pairs =
        properties.iter().map(|(name, value)| format!("{}: {}", one(name), one(value.as_str())));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}
