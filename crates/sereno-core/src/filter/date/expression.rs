//! Python's regular expressions in the words of `regex-automata`: the free part of a
//! datepattern.

use super::Wrong;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use std::iter::Peekable;
use std::str::CharIndices;

/// Bytes one compiled expression may take: searching a line takes time in proportion to it.
const SIZE: usize = 1 << 20;

/// Compiles Python expressions; of several the first that matches furthest left wins. Looking
/// around is limited to the boundaries fail2ban itself adds, and there are no back-references.
///
/// # Errors
/// What Python refuses, and what cannot be searched in linear time.
pub(super) fn expression(pythons: &[String]) -> Result<Regex, Wrong> {
    let rust = pythons.iter().map(|python| translate(python)).collect::<Result<Vec<_>, _>>()?;
    Regex::builder()
        .configure(Config::new().nfa_size_limit(Some(SIZE)).hybrid_cache_capacity(256 << 10))
        .syntax(syntax::Config::new().utf8(true))
        .build_many(&rust)
        .map_err(|error| {
            let reason = error
                .syntax_error()
                .map_or_else(|| error.to_string(), |error| last_line(&error.to_string()));
            Wrong::whole(
                &format!("this is no regular expression: {reason}"),
                "correct the expression",
            )
        })
}

/// The most bytes an expression can match; 0 for one that is none, or has no limit.
pub(super) fn longest(python: &str) -> usize {
    let rust = translate(python).unwrap_or_default();
    let most = regex_syntax::parse(&rust).ok().and_then(|hir| hir.properties().maximum_len());
    most.unwrap_or_default()
}

fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// What the last item was, for the quantifier that may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    /// Nothing, or a place between characters.
    Nothing,
    Something,
    Repeated,
}

struct Translator<'p> {
    python: &'p str,
    chars: Peekable<CharIndices<'p>>,
    out: String,
    item: Item,
    /// Whether flags for all may still stand here.
    beginning: bool,
}

fn translate(python: &str) -> Result<String, Wrong> {
    let mut t = Translator {
        python,
        chars: python.char_indices().peekable(),
        out: String::new(),
        item: Item::Nothing,
        beginning: true,
    };
    while let Some((at, c)) = t.chars.next() {
        t.next(at, c)?;
    }
    Ok(t.out)
}

impl<'p> Translator<'p> {
    fn next(&mut self, at: usize, c: char) -> Result<(), Wrong> {
        let first = std::mem::replace(&mut self.beginning, false);
        match c {
            '\\' => self.escape()?,
            '[' => self.class(at)?,
            '(' => self.open(at, first)?,
            ')' => self.put(")", Item::Something),
            '|' | '^' | '$' => self.put(c.encode_utf8(&mut [0; 4]), Item::Nothing),
            '.' => self.put(".", Item::Something),
            '*' | '+' | '?' => self.quantifier(&c.to_string())?,
            '{' => match self.bounds(at) {
                Some((length, bounds)) => {
                    self.skip(length);
                    self.quantifier(&bounds)?;
                }
                None => self.put(r"\{", Item::Something),
            },
            _ => {
                let mut buffer = [0; 4];
                self.out.push_str(&regex_syntax::escape(c.encode_utf8(&mut buffer)));
                self.item = Item::Something;
            }
        }
        Ok(())
    }

    fn put(&mut self, text: &str, item: Item) {
        self.out.push_str(text);
        self.item = item;
    }

    fn rest(&mut self) -> &'p str {
        self.chars.peek().map_or("", |(at, _)| &self.python[*at..])
    }

    fn skip(&mut self, chars: usize) {
        for _ in 0..chars {
            self.chars.next();
        }
    }

    fn quantifier(&mut self, text: &str) -> Result<(), Wrong> {
        match self.item {
            Item::Nothing => {
                return Err(Wrong::whole("there is nothing to repeat", "remove the mark"));
            }
            Item::Repeated => {
                return Err(Wrong::whole("a repetition is repeated", "put the first in a group"));
            }
            Item::Something => {}
        }
        self.put(text, Item::Repeated);
        match self.rest().chars().next() {
            Some('?') => {
                self.skip(1);
                self.out.push('?');
            }
            Some('+') => return Err(unsupported("a possessive repetition")),
            _ => {}
        }
        Ok(())
    }

    /// `{m}`, `{m,}`, `{,n}` or `{m,n}` at `at`: how many characters follow the brace, and the
    /// bounds as Rust writes them; anything else is a plain brace.
    fn bounds(&self, at: usize) -> Option<(usize, String)> {
        let inner = self.python[at + 1..].split_once('}')?.0;
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let bounds = match inner.split_once(',') {
            Some((least, most)) if number(least) && number(most) => {
                format!("{{{},{most}}}", if least.is_empty() { "0" } else { least })
            }
            None if number(inner) && !inner.is_empty() => format!("{{{inner}}}"),
            _ => return None,
        };
        Some((inner.len() + 1, bounds))
    }

    fn open(&mut self, at: usize, first: bool) -> Result<(), Wrong> {
        let here = &self.python[at..];
        // The boundaries of words: one on either side of them is no word's character.
        for (look, place) in
            [(r"(?=^|\b|\W)", r"(?:^|\b|\b{end-half})"), (r"(?=\b|\W|$)", r"(?:\b|\b{end-half})")]
        {
            if here.starts_with(look) {
                self.skip(look.len() - 1);
                self.put(place, Item::Something);
                return Ok(());
            }
        }
        let Some(kind) = here.strip_prefix("(?") else {
            self.put("(", Item::Nothing);
            return Ok(());
        };
        let letters = kind.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'-').count();
        match kind.as_bytes() {
            [b':', ..] => self.group("(?:"),
            [b'P', b'<', ..] => self.group("(?P<"),
            [b'#', ..] => {
                let length =
                    here.find(')').ok_or_else(|| Wrong::whole("a comment is not closed", ""))?;
                self.skip(here[..length].chars().count());
            }
            _ if letters > 0 && matches!(kind.as_bytes().get(letters), Some(b':' | b')')) => {
                self.flags(&kind[..letters], kind.as_bytes()[letters] == b')', first)?;
            }
            _ => return Err(unsupported("looking around, or a condition,")),
        }
        Ok(())
    }

    /// Copies a group's opening, and its name where it has one.
    fn group(&mut self, opening: &str) {
        self.put(opening, Item::Nothing);
        self.skip(opening.len() - 1);
        if opening.ends_with('<') {
            for (_, c) in self.chars.by_ref() {
                self.out.push(c);
                if c == '>' {
                    break;
                }
            }
        }
    }

    fn flags(&mut self, letters: &str, all: bool, first: bool) -> Result<(), Wrong> {
        if all && !first {
            return Err(Wrong::whole(
                "flags for the whole expression stand in its middle",
                "move them to the beginning, or write (?i:..)",
            ));
        }
        if !letters.bytes().all(|b| b"imsu-".contains(&b)) {
            return Err(unsupported(&format!("the flag '{letters}'")));
        }
        let known: String = letters.chars().filter(|c| *c != 'u').collect();
        let end = if all { ")" } else { ":" };
        if !(all && known.is_empty()) {
            self.out.push_str(&format!("(?{known}{end}"));
        }
        self.item = Item::Nothing;
        self.beginning = all;
        self.skip(letters.len() + 2);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Wrong> {
        let Some((_, c)) = self.chars.next() else {
            return Err(Wrong::whole("a backslash ends the expression", "write \\\\"));
        };
        match c {
            'b' | 'B' | 'A' => self.put(&format!("\\{c}"), Item::Nothing),
            'Z' => self.put(r"\z", Item::Nothing),
            '1'..='9' => return Err(unsupported("a reference to a group's number")),
            _ => {
                let text = self.escaped(c)?;
                self.put(&text, Item::Something);
            }
        }
        Ok(())
    }

    /// An escape that stands for characters, inside and outside of classes.
    fn escaped(&mut self, c: char) -> Result<String, Wrong> {
        Ok(match c {
            'd' | 'D' | 'S' | 's' | 'w' | 'W' => class_of(c).to_owned(),
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => format!("\\{c}"),
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0' => {
                let digits: String =
                    self.rest().chars().take(2).take_while(|c| c.is_digit(8)).collect();
                self.skip(digits.len());
                let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
                format!("\\x{{{code:x}}}")
            }
            _ if c.is_ascii_alphanumeric() => {
                return Err(Wrong::whole(
                    &format!("'\\{c}' means nothing"),
                    "remove the backslash",
                ));
            }
            _ => regex_syntax::escape(c.encode_utf8(&mut [0; 4])),
        })
    }

    fn code(&mut self, digits: usize) -> Result<String, Wrong> {
        let code: String =
            self.rest().chars().take(digits).take_while(char::is_ascii_hexdigit).collect();
        if code.len() != digits {
            return Err(Wrong::whole("a character's code is cut short", "write all its digits"));
        }
        self.skip(digits);
        Ok(format!("\\x{{{code}}}"))
    }

    /// A class; what Rust reads as nested classes and set operations is plain in Python.
    fn class(&mut self, at: usize) -> Result<(), Wrong> {
        self.out.push('[');
        let mut inside = &self.python[at + 1..];
        if inside.starts_with('^') {
            self.skip(1);
            self.out.push('^');
            inside = &inside[1..];
        }
        if inside.starts_with(']') {
            self.skip(1);
            self.out.push_str(r"\]");
        }
        while let Some((at, c)) = self.chars.next() {
            match c {
                ']' => {
                    self.put("]", Item::Something);
                    return Ok(());
                }
                '\\' => match self.chars.next() {
                    Some((_, 'b')) => self.out.push_str(r"\x08"),
                    Some((_, c)) => {
                        let text = self.escaped(c)?;
                        self.out.push_str(&text);
                    }
                    None => break,
                },
                '-' => {
                    // A dash between two items is a range, at either end it is itself.
                    let last = self.rest().starts_with(']');
                    let first = matches!(self.python[..at].chars().last(), Some('[' | '^'))
                        && self.out.ends_with(['[', '^']);
                    self.out.push_str(if first || last { r"\-" } else { "-" });
                }
                _ => self.out.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4]))),
            }
        }
        Err(Wrong::whole("a class of characters is not closed", "write the ']'"))
    }
}

/// Python's classes of characters; they can stand inside brackets too.
const fn class_of(c: char) -> &'static str {
    match c {
        'd' => r"\d",
        'D' => r"\D",
        's' => r"[\s\x1c-\x1f]",
        'S' => r"[^\s\x1c-\x1f]",
        'w' => r"[\p{L}\p{N}_]",
        _ => r"[^\p{L}\p{N}_]",
    }
}

fn unsupported(what: &str) -> Wrong {
    Wrong::whole(&format!("{what} is not read in datepatterns"), "write the expression without it")
}
