//! Commands, pipelines and here-documents.

use super::{Awaited, Broken, Command, DEEPEST, Lexer, Part, Quoting, Word};

/// Where a list of commands stands.
struct List {
    /// The first use of a tag in the pipeline at hand.
    pipeline: usize,
    piped: bool,
    /// The pipelines around the compound commands that are open.
    frames: Vec<usize>,
    /// How many of these are `case`.
    cases: usize,
}

/// What a word at the beginning of a command is.
enum Reserved {
    /// Something opens, and a command follows.
    Open,
    /// A command follows, in a pipeline of its own.
    Next,
    /// A command follows.
    Transparent,
    Close,
    For,
    Case,
    /// No reserved word.
    None,
}

fn reserved(word: &str) -> Reserved {
    match word {
        "if" | "while" | "until" | "{" => Reserved::Open,
        "then" | "else" | "elif" | "do" => Reserved::Next,
        "!" | "time" => Reserved::Transparent,
        "fi" | "done" | "}" | "esac" => Reserved::Close,
        "for" | "select" => Reserved::For,
        "case" => Reserved::Case,
        _ => Reserved::None,
    }
}

impl Lexer {
    /// Commands up to `closed_by`, or to the end.
    pub(super) fn list(&mut self, closed_by: Option<char>) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.broken("commands stand too deep in each other here");
        }
        let (open, pipeline) = (self.pos, self.script.uses.len());
        let awaited = self.awaited.len();
        let mut list = List { pipeline, piped: false, frames: Vec::new(), cases: 0 };
        loop {
            self.blanks();
            match self.peek() {
                None if self.ended() => match closed_by {
                    None => break,
                    Some(_) => return self.unclosed(open, "no ) closes what begins here"),
                },
                Some(')') => {
                    if closed_by != Some(')') {
                        return self.broken("this ) closes nothing");
                    }
                    if self.awaited.len() > awaited {
                        return self.broken("a here-document has to be read before this )");
                    }
                    self.pos += 1;
                    break;
                }
                Some('(') => {
                    self.pos += 1;
                    self.list(Some(')'))?;
                }
                Some('#') => self.comment(),
                Some('\n' | ';' | '&' | '|') => self.operator(&mut list)?,
                _ => self.command(&mut list)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn operator(&mut self, list: &mut List) -> Result<(), Broken> {
        let c = self.peek();
        self.pos += 1;
        let twice = self.peek() == c && c != Some('\n');
        self.pos += usize::from(twice);
        if c == Some('|') && !twice {
            list.piped = true;
            return Ok(());
        }
        self.fresh(list);
        if c == Some('\n') {
            self.here_documents()?;
        }
        if c == Some(';') && twice && list.cases > 0 {
            self.pattern(list)?;
        }
        Ok(())
    }

    /// A new pipeline begins.
    fn fresh(&self, list: &mut List) {
        list.pipeline = self.script.uses.len();
        list.piped = false;
    }

    /// A simple command, or one piece of a compound one.
    fn command(&mut self, list: &mut List) -> Result<(), Broken> {
        let id = self.script.commands.len();
        let first = self.script.uses.len();
        let (piped, pipeline, parent) = (list.piped, list.pipeline, self.parent);
        let command = Command { piped, pipeline, first, parent, ..Command::default() };
        self.script.commands.push(command);
        loop {
            self.blanks();
            let count = self.script.commands.get(id).map_or(0, |command| command.words.len());
            match self.peek() {
                None if self.ended() => return Ok(()),
                Some('\n' | ';' | '&' | '|' | ')') => return Ok(()),
                Some('(') if count == 1 && self.ahead(1) == Some(')') => {
                    // A function's name; its body is a command like others.
                    self.pos += 2;
                    self.script.commands[id].words.clear();
                    return Ok(());
                }
                Some('(') if count > 0 => return self.broken("a ( is not expected here"),
                Some('(') => return Ok(()),
                Some('#') => self.comment(),
                Some('<' | '>') => self.redirection(id)?,
                _ if count == 0 && self.assigns() => self.assignment(id)?,
                _ => {
                    let word = self.word((id, Part::Word(count)))?;
                    let number = word.plain && word.text.bytes().all(|b| b.is_ascii_digit());
                    if number && matches!(self.peek(), Some('<' | '>')) {
                        continue;
                    }
                    if count > 0 || !word.plain || !self.special(id, &word.text, list)? {
                        self.script.commands[id].words.push(word);
                    } else if self.script.commands.len() > id + 1 {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Deals with a reserved word; says whether it was one that is no word of the command.
    fn special(&mut self, id: usize, word: &str, list: &mut List) -> Result<bool, Broken> {
        match reserved(word) {
            Reserved::None => return Ok(false),
            Reserved::For => {
                list.frames.push(list.pipeline);
                return Ok(false);
            }
            Reserved::Open => {
                list.frames.push(list.pipeline);
                self.fresh(list);
            }
            Reserved::Next => self.fresh(list),
            Reserved::Transparent => {}
            Reserved::Close => {
                list.cases -= usize::from(word == "esac" && list.cases > 0);
                list.pipeline = list.frames.pop().unwrap_or(list.pipeline);
                return Ok(true);
            }
            Reserved::Case => {
                list.frames.push(list.pipeline);
                list.cases += 1;
                self.blanks();
                let subject = self.word((id, Part::Word(1)))?;
                let name = Word { text: "case".to_owned(), ..Word::default() };
                self.script.commands[id].words = vec![name, subject];
                self.separators()?;
                self.word((id, Part::Word(2)))?;
                self.pattern(list)?;
                // What follows is another command.
                self.script.commands.push(Command { first: usize::MAX, ..Command::default() });
                return Ok(true);
            }
        }
        let first = self.script.uses.len();
        let command = &mut self.script.commands[id];
        (command.piped, command.pipeline, command.first) = (list.piped, list.pipeline, first);
        Ok(true)
    }

    /// Passes over blanks, line breaks and comments.
    fn separators(&mut self) -> Result<(), Broken> {
        loop {
            self.blanks();
            match self.peek() {
                Some('\n') => {
                    self.pos += 1;
                    self.here_documents()?;
                }
                Some('#') => self.comment(),
                _ => return Ok(()),
            }
        }
    }

    /// The next pattern of a `case`, or its end.
    fn pattern(&mut self, list: &mut List) -> Result<(), Broken> {
        self.separators()?;
        let id = self.script.commands.len();
        self.script.commands.push(Command { first: usize::MAX, ..Command::default() });
        self.take('(');
        loop {
            self.separators()?;
            let before = self.pos;
            let word = self.word((id, Part::Word(1)))?;
            if word.plain && word.text == "esac" {
                self.special(id, "esac", list)?;
                return Ok(());
            }
            self.blanks();
            if self.take(')') {
                self.fresh(list);
                return Ok(());
            }
            if !self.take('|') && self.pos == before {
                return self.broken("a pattern of this case has no )");
            }
        }
    }

    /// Whether `name=` comes next.
    fn assigns(&self) -> bool {
        let mut by = 0;
        while let Some(c) = self.ahead(by) {
            match c {
                '=' => return by > 0,
                c if c == '_' || c.is_ascii_alphabetic() || (by > 0 && c.is_ascii_digit()) => {
                    by += 1;
                }
                _ => return false,
            }
        }
        false
    }

    fn assignment(&mut self, id: usize) -> Result<(), Broken> {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            self.pos += 1;
            if c == '=' {
                break;
            }
            name.push(c);
        }
        let value = self.word((id, Part::Assignment))?;
        self.script.commands[id].assignments.push((name, value));
        Ok(())
    }

    fn redirection(&mut self, id: usize) -> Result<(), Broken> {
        let ops = ["<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">|", ">&", ">"];
        let matches = |op: &&str| op.chars().enumerate().all(|(by, c)| self.ahead(by) == Some(c));
        let op = ops.into_iter().find(matches).unwrap_or("<");
        self.pos += op.len();
        self.blanks();
        if self.peek() == Some('(') {
            return self.broken("sh knows no <(...) and no >(...)");
        }
        let (begin, part) = (self.pos, if op == "<<<" { Part::Here } else { Part::File });
        let word = self.word((id, part))?;
        if matches!(op, "<<" | "<<-") {
            let written = self.items.get(begin..self.pos).unwrap_or(&[]);
            let quoted = written.iter().any(|item| "'\"\\".contains(item.c));
            let tabs = op == "<<-";
            self.awaited.push(Awaited { end: word.text, tabs, quoted, command: id });
        } else {
            self.script.commands[id].files.push((op, word));
        }
        Ok(())
    }

    /// Reads what the redirections of the last line promised.
    fn here_documents(&mut self) -> Result<(), Broken> {
        for here in std::mem::take(&mut self.awaited) {
            let begin = self.pos;
            let mut end = begin;
            // The end is looked for line by line, whatever the lines say.
            while !self.ended() && !self.ends(&here) {
                self.line();
                end = self.pos;
            }
            let (behind, body) = (self.pos, self.items.get(begin..end).unwrap_or(&[]).to_vec());
            let items = std::mem::replace(&mut self.items, body);
            self.pos = 0;
            self.here_document(&here)?;
            (self.items, self.pos) = (items, behind);
        }
        Ok(())
    }

    /// Passes over a line.
    fn line(&mut self) {
        while !self.ended() && !self.take('\n') {
            self.pos += 1;
        }
    }

    /// Whether the next line is the end; then it is passed over.
    fn ends(&mut self, here: &Awaited) -> bool {
        let mut at = self.pos;
        let plain = |at: usize| self.items.get(at).filter(|item| item.tag.is_none()).map(|i| i.c);
        while here.tabs && plain(at) == Some('\t') {
            at += 1;
        }
        for c in here.end.chars() {
            if plain(at) != Some(c) {
                return false;
            }
            at += 1;
        }
        if at < self.items.len() && plain(at) != Some('\n') {
            return false;
        }
        self.pos = at + 1;
        true
    }

    /// The text of a here-document.
    fn here_document(&mut self, here: &Awaited) -> Result<(), Broken> {
        let place = (here.command, Part::Here);
        let remedy = "write the word behind << without quotes, and \\$ and \\` for $ and `";
        let mut text = Word::default();
        while !self.ended() {
            match self.tag() {
                Some(tag) if here.quoted => {
                    self.used(tag, Quoting::Nowhere(remedy), Some(place));
                }
                None if here.quoted => self.pos += 1,
                _ if self.peek() == Some('\\') && self.ahead(1) == Some('\n') => {
                    return self.broken("shells differ in what they make of this backslash");
                }
                _ => self.expanded(&mut text, place, Quoting::Here)?,
            }
        }
        Ok(())
    }
}
