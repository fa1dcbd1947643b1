//! Python's syntax of regular expressions, as `re` of Python 3.11 reads a `str`.
//!
//! The source is Python's library reference, section `re`, and where that is silent what Python
//! does. What Python warns about and means to change is read as 3.11 reads it: `[[` and `--` in
//! sets are characters. Python's C and `sre` limits are not copied; there are limits of our own.

mod class;
mod escape;
mod flags;
mod group;
mod repeat;

use super::ast::{At, Node, Width};
use super::set::{Fold, Set};
use super::wrong::Fault;
use std::collections::BTreeMap;

/// How deep groups may stand in each other.
const DEEPEST: u32 = 150;

/// An expression that was understood.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    /// How many groups there are, the whole match included.
    pub(super) groups: u32,
    pub(super) names: BTreeMap<String, u32>,
}

/// What `(?imsxa)` switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags {
    ignore_case: bool,
    multiline: bool,
    dot_all: bool,
    verbose: bool,
    ascii: bool,
    /// `u` was written; it only matters that it excludes `a`.
    unicode: bool,
}

impl Flags {
    fn fold(self) -> Fold {
        match (self.ignore_case, self.ascii) {
            (false, _) => Fold::Exact,
            (true, true) => Fold::Ascii,
            (true, false) => Fold::Unicode,
        }
    }
}

type Result<T> = std::result::Result<T, Fault>;

struct Parser<'t> {
    text: &'t str,
    at: usize,
    /// Flags for the whole expression.
    global: Flags,
    /// The width of each group that is closed.
    groups: Vec<Option<Width>>,
    names: BTreeMap<String, u32>,
    /// Inside a look-behind: how many groups there were before it.
    behind: Option<u32>,
    /// How much work the sets were.
    weight: u32,
    /// Groups asked for by number before they were seen, and where.
    asked: Vec<(u32, (usize, usize))>,
}

/// What stands before a quantifier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    At,
    Repeat,
    Other,
}

/// Reads `text`; `multiline` is Python's `re.MULTILINE`.
pub(super) fn parse(text: &str, multiline: bool) -> Result<Parsed> {
    let mut parser = Parser {
        text,
        at: 0,
        global: Flags { multiline, ..Flags::default() },
        groups: vec![None],
        names: BTreeMap::new(),
        behind: None,
        weight: 0,
        asked: Vec::new(),
    };
    let node = parser.choice(parser.global, 0)?;
    if parser.at < text.len() {
        return Err(parser.fault(
            parser.at,
            "this ) closes nothing: no ( is open here",
            r"remove it, add the ( it belongs to, or write \) for the character",
        ));
    }
    let groups = parser.groups.len() as u32;
    if let Some((group, span)) = parser.asked.iter().find(|(group, _)| *group >= groups) {
        return Err(no_such_group(*group, *span));
    }
    Ok(Parsed { node, groups, names: parser.names })
}

fn no_such_group(group: u32, span: (usize, usize)) -> Fault {
    Fault::new(
        span,
        format!("there is no group {group}"),
        "count the opening parentheses before it, or use a named group",
    )
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// As many of the wanted characters as there are, at most `most`.
    fn take(&mut self, most: usize, wanted: impl Fn(char) -> bool) -> &str {
        let from = self.at;
        for _ in 0..most {
            match self.peek() {
                Some(c) if wanted(c) => self.at += c.len_utf8(),
                _ => break,
            }
        }
        &self.text[from..self.at]
    }

    /// Something wrong from byte `from` to where the parser stands; with the character there if
    /// it has not moved.
    fn fault(&self, from: usize, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        let first = self.text[from..].chars().next().map_or(0, char::len_utf8);
        Fault::new((from, self.at.max(from + first)), message, remedy)
    }

    /// A backslash at the very end.
    fn lone_backslash(&self) -> Fault {
        let remedy = r"write \\ for the character, or what should come after it";
        self.fault(self.text.len().saturating_sub(1), r"there is nothing after this \", remedy)
    }

    /// Passes over what stands at `at`, an escaped character as one.
    fn skip(&mut self) -> Result<Option<char>> {
        match self.next() {
            Some('\\') if self.next().is_none() => Err(self.lone_backslash()),
            skipped => Ok(skipped),
        }
    }

    fn choice(&mut self, flags: Flags, depth: u32) -> Result<Node> {
        if depth > DEEPEST {
            let message = format!("groups stand deeper in each other than {DEEPEST}");
            return Err(self.fault(self.at, message, "take the expression apart"));
        }
        let mut branches = Vec::new();
        loop {
            let flags = if depth == 0 { self.global } else { flags };
            branches.push(self.sequence(flags, depth, branches.is_empty())?);
            if !self.eat('|') {
                break;
            }
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Choice(branches) })
    }

    /// What stands between `|`. `first`: nothing stands before it in its group.
    fn sequence(&mut self, mut flags: Flags, depth: u32, first: bool) -> Result<Node> {
        let mut parts = Vec::new();
        let mut last = Last::Nothing;
        while let Some(c) = self.peek().filter(|c| !matches!(c, '|' | ')')) {
            let from = self.at;
            if flags.verbose && self.skip_blank(c)? {
                continue;
            }
            self.at += c.len_utf8();
            let node = match c {
                '\\' => self.escape(flags)?,
                '[' => self.class(flags)?,
                '.' => Node::Set(Set::dot(flags.dot_all)),
                '^' => Node::At(if flags.multiline { At::LineStart } else { At::Start }),
                '$' => Node::At(if flags.multiline { At::LineEnd } else { At::LastLineEnd }),
                '(' => match self.group(flags, depth, first && depth == 0 && parts.is_empty())? {
                    Some(node) => node,
                    // Flags for the whole expression or a comment.
                    None => {
                        flags.verbose |= depth == 0 && self.global.verbose;
                        if depth == 0 {
                            flags = self.global;
                        }
                        continue;
                    }
                },
                '*' | '+' | '?' | '{' => match self.quantifier(c, from)? {
                    Some(bounds) => {
                        self.repeatable(last, from)?;
                        let node = parts.pop().unwrap_or(Node::Sequence(Vec::new()));
                        parts.push(self.repeat(node, bounds));
                        last = Last::Repeat;
                        continue;
                    }
                    None => literal('{', flags),
                },
                _ => literal(c, flags),
            };
            last = if matches!(node, Node::At(_)) && c != '(' { Last::At } else { Last::Other };
            parts.push(node);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Sequence(parts) })
    }

    /// Passes over white space and comments of verbose expressions.
    fn skip_blank(&mut self, c: char) -> Result<bool> {
        match c {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => {
                self.at += 1;
                Ok(true)
            }
            '#' => {
                while !matches!(self.skip()?, None | Some('\n')) {}
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// A character, or all that count as the same.
fn literal(c: char, flags: Flags) -> Node {
    let fold = flags.fold();
    if fold == Fold::Exact {
        return Node::Literal(c);
    }
    let set = Set::of(c, fold);
    set.single().map_or(Node::Set(set), Node::Literal)
}
