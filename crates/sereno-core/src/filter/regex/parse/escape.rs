//! What a backslash means.

use super::super::ast::{At, Node};
use super::super::set::{Builder, Kind};
use super::{Flags, Parser, Result, literal, no_such_group};

/// A backslash and what follows it, in and outside of sets.
pub(super) enum Escaped {
    /// A code point; half of a surrogate pair is none that a text has.
    Code(u32),
    Kind(Kind, bool),
}

impl Parser<'_> {
    /// Behind a backslash outside of a set.
    pub(super) fn escape(&mut self, flags: Flags) -> Result<Node> {
        let from = self.at - 1;
        let boundary = |negated| At::Boundary { ascii: flags.ascii, negated };
        let at = match self.peek() {
            Some('A') => Some(At::Start),
            Some('Z') => Some(At::End),
            Some('b') => Some(boundary(false)),
            Some('B') => Some(boundary(true)),
            _ => None,
        };
        if let Some(at) = at {
            self.at += 1;
            return Ok(Node::At(at));
        }
        let code = match self.peek() {
            Some('0') => {
                let digits = self.take(3, |c| c.is_digit(8));
                u32::from_str_radix(digits, 8).unwrap_or(0)
            }
            Some('1'..='9') => match self.octal_or_group(from)? {
                Ok(code) => code,
                Err(group) => return self.backreference(group, from, flags),
            },
            _ => match self.escaped(from)? {
                Escaped::Code(code) => code,
                Escaped::Kind(kind, negated) => {
                    let mut set = Builder::default();
                    set.kind(kind, negated, flags.ascii);
                    return Ok(Node::Set(set.finish(false, flags.fold())));
                }
            },
        };
        // A code that is no character is a set without members.
        Ok(char::from_u32(code).map_or_else(
            || Node::Set(Builder::default().finish(false, flags.fold())),
            |c| literal(c, flags),
        ))
    }

    /// Three octal digits are a character; fewer are a group.
    fn octal_or_group(&mut self, from: usize) -> Result<std::result::Result<u32, u32>> {
        let digits = self.take(3, |c| c.is_digit(8));
        if digits.len() == 3 {
            let code = u32::from_str_radix(digits, 8).unwrap_or(0);
            return self.octal(code, from).map(Ok);
        }
        self.at = from + 1;
        let digits = self.take(2, |c| c.is_ascii_digit());
        Ok(Err(digits.parse().unwrap_or(0)))
    }

    fn octal(&self, code: u32, from: usize) -> Result<u32> {
        if code > 0o377 {
            let message = "an octal escape ends at \\377";
            return Err(self.fault(
                from,
                message,
                r"write the character itself, or \u and four hexadecimal digits",
            ));
        }
        Ok(code)
    }

    /// `\1`, `(?P=name)`: what group `group` matched, once more.
    pub(super) fn backreference(&mut self, group: u32, from: usize, flags: Flags) -> Result<Node> {
        match self.groups.get(group as usize) {
            None => return Err(no_such_group(group, (from, self.at))),
            Some(None) => return Err(self.open_group(from)),
            Some(Some(_)) => self.outside_behind(group, from)?,
        }
        Ok(Node::Backreference { group, fold: flags.fold() })
    }

    pub(super) fn open_group(&self, from: usize) -> super::Fault {
        let remedy = "move it behind the ) of that group";
        self.fault(from, "this refers to a group that is still open here", remedy)
    }

    /// Behind a backslash: what is the same in and outside of sets.
    pub(super) fn escaped(&mut self, from: usize) -> Result<Escaped> {
        let Some(c) = self.next() else { return Err(self.lone_backslash()) };
        let code = match c {
            'd' => return Ok(Escaped::Kind(Kind::Digit, false)),
            'D' => return Ok(Escaped::Kind(Kind::Digit, true)),
            's' => return Ok(Escaped::Kind(Kind::Space, false)),
            'S' => return Ok(Escaped::Kind(Kind::Space, true)),
            'w' => return Ok(Escaped::Kind(Kind::Word, false)),
            'W' => return Ok(Escaped::Kind(Kind::Word, true)),
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            'x' => self.hex(2, from)?,
            'u' => self.hex(4, from)?,
            'U' => self.hex(8, from)?,
            'N' => return Err(self.name_of_character(from)),
            c if c.is_ascii_alphanumeric() => return Err(self.bad_escape(from, c)),
            c => u32::from(c),
        };
        Ok(Escaped::Code(code))
    }

    /// In sets digits are octal, and `\b` is a backspace.
    pub(super) fn escaped_in_set(&mut self, from: usize) -> Result<Escaped> {
        match self.peek() {
            Some('0'..='7') => {
                let digits = self.take(3, |c| c.is_digit(8));
                let code = u32::from_str_radix(digits, 8).unwrap_or(0);
                self.octal(code, from).map(Escaped::Code)
            }
            Some('b') => {
                self.at += 1;
                Ok(Escaped::Code(8))
            }
            _ => self.escaped(from),
        }
    }

    fn hex(&mut self, digits: usize, from: usize) -> Result<u32> {
        let found = self.take(digits, |c| c.is_ascii_hexdigit());
        let code = if found.len() == digits { u32::from_str_radix(found, 16).ok() } else { None };
        code.filter(|code| *code <= 0x10_ffff).ok_or_else(|| {
            let message = format!("this escape needs {digits} hexadecimal digits of a character");
            self.fault(from, message, r"write \x and two, \u and four or \U and eight digits")
        })
    }

    fn name_of_character(&mut self, from: usize) -> super::Fault {
        self.take(usize::MAX, |c| c != '}' && c != ')');
        self.eat('}');
        let remedy = r"write the character itself, or \u and its four hexadecimal digits";
        self.fault(from, r"characters by name, \N{...}, are not known here", remedy)
    }

    fn bad_escape(&self, from: usize, c: char) -> super::Fault {
        let remedy = if c.is_ascii_digit() {
            "write the digit without the backslash".to_owned()
        } else {
            let lower = c.to_ascii_lowercase();
            match c {
                'z' | 'G' => r"\Z is the end of the text".to_owned(),
                'h' | 'R' | 'K' | 'p' | 'P' | 'X' | 'Q' | 'E' => {
                    format!("Python has no \\{c}; write a set such as [ \\t] instead")
                }
                _ => format!("write {c} for the letter, or \\\\{c} for a backslash and {lower}"),
            }
        };
        self.fault(from, format!("\\{c} means nothing"), remedy)
    }
}
