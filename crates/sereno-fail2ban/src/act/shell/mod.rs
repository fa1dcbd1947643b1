//! The shell's language, as far as needed to know what a value inside a script would be: a word,
//! a part of a quoted text, or program text.
//!
//! Follows POSIX.1-2017, "Shell Command Language", chapters 2.2 (quoting), 2.3 (tokens), 2.6
//! (expansions), 2.7 (redirection, here-documents) and 2.9 (commands). Compound commands are not
//! built into a tree: which commands are piped into which is all that matters here.

mod lex;
mod word;

use std::fmt;

/// How deep substitutions may stand in each other.
const DEEPEST: usize = 40;

/// Stands before a variable's name in [`Word::text`], [`VAR_END`] behind it.
pub(super) const VAR: char = '\u{1}';
/// See [`VAR`].
pub(super) const VAR_END: char = '\u{2}';
/// Stands in [`Word::text`] for what a command prints.
pub(super) const PRINTED: char = '\u{3}';

/// One character of a script, or one tag.
#[derive(Clone, Copy, Debug)]
struct Item {
    c: char,
    /// Byte in the script.
    at: usize,
    tag: Option<usize>,
}

/// A tag in a script.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    /// Byte of the `<`.
    pub(super) at: usize,
    /// Bytes, brackets included.
    pub(super) len: usize,
    /// Without the brackets.
    pub(super) name: String,
}

/// What the shell makes of the place where a tag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Between blanks, or beside something in a word.
    Bare,
    /// In `"..."`.
    Double,
    /// In `'...'`.
    Single,
    /// In a here-document that is expanded.
    Here,
    /// In `$((...))`.
    Arithmetic,
    /// In `${...}`.
    Parameter,
    /// Behind `#`.
    Comment,
    /// Where a value cannot be put; with what to write instead.
    Nowhere(&'static str),
}

/// Which part of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A word, by number; 0 is the command's name.
    Word(usize),
    /// The value of an assignment.
    Assignment,
    /// The file of a redirection.
    File,
    /// What it reads from a here-document.
    Here,
}

/// A tag at its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) tag: usize,
    pub(super) quoting: Quoting,
    /// The command, by number, and the part of it.
    pub(super) within: Option<(usize, Part)>,
}

/// A word, quotes removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Byte in the script.
    pub(super) at: usize,
    /// Tags as they were written.
    pub(super) text: String,
    /// Whether nothing in it was quoted or expanded.
    pub(super) plain: bool,
    /// The commands whose output is a part of it.
    pub(super) prints: Vec<usize>,
}

/// A simple command.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// Name and value of each variable set in front of it, or instead of it.
    pub(super) assignments: Vec<(String, Word)>,
    /// Operator and file of each redirection.
    pub(super) files: Vec<(&'static str, Word)>,
    /// Whether it reads what another one prints.
    pub(super) piped: bool,
    /// The first use of a tag in its pipeline, and in itself.
    pub(super) pipeline: usize,
    pub(super) first: usize,
    /// What its output becomes a part of.
    pub(super) parent: Option<(usize, Part)>,
}

/// What a script consists of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) uses: Vec<Use>,
    pub(super) commands: Vec<Command>,
}

/// Why a script is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Byte in the script.
    pub(super) at: usize,
    pub(super) why: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

/// A here-document that has not begun yet.
#[derive(Debug)]
struct Awaited {
    end: String,
    /// `<<-`: tabs at the beginnings of lines are none.
    tabs: bool,
    quoted: bool,
    command: usize,
}

struct Lexer {
    items: Vec<Item>,
    pos: usize,
    depth: usize,
    parent: Option<(usize, Part)>,
    awaited: Vec<Awaited>,
    script: Parsed,
    /// Names of the tags, brackets included.
    tags: Vec<String>,
}

/// Takes a script apart; `tags` are in the order of their places.
pub(super) fn parse(text: &str, tags: &[Tag]) -> Result<Parsed, Broken> {
    let mut items = Vec::with_capacity(text.len());
    let mut next = 0;
    let mut behind = 0;
    for (at, c) in text.char_indices() {
        if at < behind {
            continue;
        }
        let tag = tags.get(next).filter(|tag| tag.at == at).map(|tag| {
            behind = at + tag.len;
            next += 1;
            next - 1
        });
        items.push(Item { c, at, tag });
    }
    let mut lexer = Lexer {
        items,
        pos: 0,
        depth: 0,
        parent: None,
        awaited: Vec::new(),
        script: Parsed::default(),
        tags: tags.iter().map(|tag| format!("<{}>", tag.name)).collect(),
    };
    lexer.list(None)?;
    Ok(lexer.script)
}

impl Lexer {
    /// The next character, unless it is a tag.
    fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<char> {
        self.items.get(self.pos + by).filter(|item| item.tag.is_none()).map(|item| item.c)
    }

    /// The number of the tag that comes next, if one does.
    fn tag(&self) -> Option<usize> {
        self.items.get(self.pos)?.tag
    }

    fn ended(&self) -> bool {
        self.pos >= self.items.len()
    }

    /// Byte of what comes next.
    fn at(&self) -> usize {
        let last = || self.items.last().map_or(0, |item| item.at);
        self.items.get(self.pos).map_or_else(last, |item| item.at)
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.pos += usize::from(found);
        found
    }

    fn broken<T>(&self, why: &'static str) -> Result<T, Broken> {
        Err(Broken { at: self.at(), why })
    }

    /// Notes the tag that comes next, and gives its name.
    fn used(&mut self, tag: usize, quoting: Quoting, within: Option<(usize, Part)>) -> String {
        self.pos += 1;
        self.script.uses.push(Use { tag, quoting, within });
        self.tags.get(tag).cloned().unwrap_or_default()
    }

    /// Passes over blanks and continued lines.
    fn blanks(&mut self) {
        loop {
            match (self.peek(), self.ahead(1)) {
                (Some(' ' | '\t' | '\r'), _) => self.pos += 1,
                (Some('\\'), Some('\n')) => self.pos += 2,
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        while let Some(item) = self.items.get(self.pos) {
            match item.tag {
                Some(tag) => drop(self.used(tag, Quoting::Comment, None)),
                None if item.c == '\n' => return,
                None => self.pos += 1,
            }
        }
    }
}
