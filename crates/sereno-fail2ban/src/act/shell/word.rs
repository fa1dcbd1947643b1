//! Words, quotes and expansions.

use super::{Broken, DEEPEST, Item, Lexer, PRINTED, Part, Quoting, VAR, VAR_END, Word};

const BEHIND_BACKSLASH: &str = "remove the backslash before the tag";
const BEHIND_DOLLAR: &str = "remove the $ before the tag";
const ANSI: &str = "write '...' or \"...\" instead of $'...'";

type Place = (usize, Part);

impl Lexer {
    /// A word of a command; ends where the shell's would.
    pub(super) fn word(&mut self, place: Place) -> Result<Word, Broken> {
        let mut word = Word { at: self.at(), plain: true, ..Word::default() };
        loop {
            if let Some(tag) = self.tag() {
                word.plain = false;
                let name = self.used(tag, Quoting::Bare, Some(place));
                word.text.push_str(&name);
                continue;
            }
            let Some(c) = self.peek() else { return Ok(word) };
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => {
                    return Ok(word);
                }
                '\'' => self.single(&mut word, place)?,
                '"' => self.double(&mut word, place)?,
                '\\' => self.escaped(&mut word, place),
                '$' => self.dollar(&mut word, place, false)?,
                '`' => self.backtick(&mut word, place, false)?,
                c => {
                    self.pos += 1;
                    word.text.push(c);
                    continue;
                }
            }
            word.plain = false;
        }
    }

    fn escaped(&mut self, word: &mut Word, place: Place) {
        self.pos += 1;
        if let Some(tag) = self.tag() {
            let name = self.used(tag, Quoting::Nowhere(BEHIND_BACKSLASH), Some(place));
            word.text.push_str(&name);
        } else if let Some(c) = self.peek() {
            self.pos += 1;
            word.text.extend((c != '\n').then_some(c));
        }
    }

    fn single(&mut self, word: &mut Word, place: Place) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 1;
        loop {
            if let Some(tag) = self.tag() {
                let name = self.used(tag, Quoting::Single, Some(place));
                word.text.push_str(&name);
                continue;
            }
            let c = self.peek();
            self.pos += 1;
            match c {
                Some('\'') => return Ok(()),
                Some(c) => word.text.push(c),
                None => return self.unclosed(open, "this ' has no other one to close it"),
            }
        }
    }

    fn double(&mut self, word: &mut Word, place: Place) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 1;
        while !self.ended() {
            if self.take('"') {
                return Ok(());
            }
            self.expanded(word, place, Quoting::Double)?;
        }
        self.unclosed(open, "this \" has no other one to close it")
    }

    /// One piece of text in which only `$`, backticks and backslashes mean something.
    pub(super) fn expanded(
        &mut self,
        word: &mut Word,
        place: Place,
        quoting: Quoting,
    ) -> Result<(), Broken> {
        if let Some(tag) = self.tag() {
            let name = self.used(tag, quoting, Some(place));
            word.text.push_str(&name);
            return Ok(());
        }
        match self.peek() {
            Some('$') => self.dollar(word, place, true),
            Some('`') => self.backtick(word, place, true),
            Some('\\') => {
                match self.ahead(1) {
                    Some(c) if "$`\"\\\n".contains(c) => {}
                    _ => word.text.push('\\'),
                }
                self.escaped(word, place);
                Ok(())
            }
            Some(c) => {
                self.pos += 1;
                word.text.push(c);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// An expansion; with `double` inside `"..."`, where quotes are none.
    fn dollar(&mut self, word: &mut Word, place: Place, double: bool) -> Result<(), Broken> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.broken("expansions stand too deep in each other here");
        }
        self.expansion(word, place, double)?;
        self.depth -= 1;
        Ok(())
    }

    fn expansion(&mut self, word: &mut Word, place: Place, double: bool) -> Result<(), Broken> {
        self.pos += 1;
        if let Some(tag) = self.tag() {
            let name = self.used(tag, Quoting::Nowhere(BEHIND_DOLLAR), Some(place));
            word.text.push('$');
            word.text.push_str(&name);
            return Ok(());
        }
        match (self.peek(), self.ahead(1)) {
            (Some('('), Some('(')) => self.arithmetic(word, place),
            (Some('('), _) => {
                self.pos += 1;
                self.printed(word, place, Some(')'))
            }
            (Some('{'), _) => self.parameter(word, place, double),
            (Some('\''), _) if !double => self.ansi(word, place),
            (Some(c), _) if c == '_' || c.is_ascii_alphabetic() => {
                word.text.push(VAR);
                while let Some(c) = self.peek().filter(|c| *c == '_' || c.is_ascii_alphanumeric()) {
                    self.pos += 1;
                    word.text.push(c);
                }
                word.text.push(VAR_END);
                Ok(())
            }
            (Some(c), _) if c.is_ascii_digit() || "@*#?$!-".contains(c) => {
                self.pos += 1;
                word.text.extend([VAR, c, VAR_END]);
                Ok(())
            }
            _ => {
                word.text.push('$');
                Ok(())
            }
        }
    }

    /// Commands whose output is a part of the word.
    fn printed(
        &mut self,
        word: &mut Word,
        place: Place,
        closed_by: Option<char>,
    ) -> Result<(), Broken> {
        let outer = self.parent.replace(place);
        let first = self.script.commands.len();
        self.list(closed_by)?;
        let inner = self.script.commands.iter().enumerate().skip(first);
        let own = inner.filter(|(_, command)| command.parent == Some(place));
        word.prints.extend(own.map(|(id, _)| id));
        self.parent = outer;
        word.text.push(PRINTED);
        Ok(())
    }

    fn arithmetic(&mut self, word: &mut Word, place: Place) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 2;
        let mut inner = Word::default();
        let mut depth = 2;
        while depth > 0 && !self.ended() {
            match self.peek() {
                Some('(') => depth += 1,
                Some(')') => depth -= 1,
                _ => {
                    self.expanded(&mut inner, place, Quoting::Arithmetic)?;
                    continue;
                }
            }
            self.pos += 1;
        }
        word.text.extend([VAR, '(', VAR_END]);
        word.prints.append(&mut inner.prints);
        if depth > 0 { self.unclosed(open, "this $(( has no )) to close it") } else { Ok(()) }
    }

    fn parameter(&mut self, word: &mut Word, place: Place, double: bool) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 1;
        let mut inner = Word::default();
        let mut single = false;
        while !self.ended() {
            match self.peek() {
                Some('}') if !single => {
                    self.pos += 1;
                    word.text.push(VAR);
                    word.text.push_str(&inner.text);
                    word.text.push(VAR_END);
                    word.prints.append(&mut inner.prints);
                    return Ok(());
                }
                Some('\'') if !double => {
                    single = !single;
                    self.pos += 1;
                }
                Some(c) if single => {
                    self.pos += 1;
                    inner.text.push(c);
                }
                _ => self.expanded(&mut inner, place, Quoting::Parameter)?,
            }
        }
        self.unclosed(open, "this ${ has no } to close it")
    }

    /// `$'...'`, which some shells take for a quote, and some for a `$` before one.
    fn ansi(&mut self, word: &mut Word, place: Place) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 1;
        while !self.ended() {
            if let Some(tag) = self.tag() {
                let name = self.used(tag, Quoting::Nowhere(ANSI), Some(place));
                word.text.push_str(&name);
            } else if self.take('\\') {
                self.pos += 1;
            } else if self.take('\'') {
                return Ok(());
            } else {
                word.text.extend(self.peek());
                self.pos += 1;
            }
        }
        self.unclosed(open, "this $' has no ' to close it")
    }

    /// Commands in backticks. A backslash there is one of them only before some characters.
    fn backtick(&mut self, word: &mut Word, place: Place, double: bool) -> Result<(), Broken> {
        let open = self.pos;
        self.pos += 1;
        let mut inner: Vec<Item> = Vec::new();
        loop {
            let Some(item) = self.items.get(self.pos).copied() else {
                return self.unclosed(open, "this backtick has no other one to close it");
            };
            self.pos += 1;
            match item.c {
                '`' if item.tag.is_none() => break,
                '\\' if item.tag.is_none() => {
                    let special = |c: char| matches!(c, '`' | '\\' | '$') || (double && c == '"');
                    if self.peek().is_some_and(special) {
                        inner.extend(self.items.get(self.pos).copied());
                        self.pos += 1;
                    } else {
                        inner.push(item);
                    }
                }
                _ => inner.push(item),
            }
        }
        let (items, pos) = (std::mem::replace(&mut self.items, inner), self.pos);
        let awaited = std::mem::take(&mut self.awaited);
        self.pos = 0;
        let result = self.printed(word, place, None);
        (self.items, self.pos, self.awaited) = (items, pos, awaited);
        result
    }

    pub(super) fn unclosed<T>(&self, open: usize, why: &'static str) -> Result<T, Broken> {
        Err(Broken { at: self.items.get(open).map_or(0, |item| item.at), why })
    }
}
