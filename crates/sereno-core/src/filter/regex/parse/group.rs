//! Parentheses.

use super::super::ast::Node;
use super::super::wrong::Fault;
use super::{Flags, Parser, Result, no_such_group};

/// The greatest group number that is read.
const GREATEST: u32 = 1 << 20;

/// What the sign after `(?` says about the inside.
enum Opened {
    Capture(Option<String>),
    Plain(Flags),
    Atomic,
    Look { behind: bool, negated: bool },
}

impl Parser<'_> {
    /// Behind `(`. `None`: flags of the whole expression or a comment. `first`: nothing stands
    /// before it.
    pub(super) fn group(&mut self, flags: Flags, depth: u32, first: bool) -> Result<Option<Node>> {
        let from = self.at - 1;
        let opened = if self.eat('?') {
            match self.next() {
                None => return Err(self.unclosed(from)),
                Some('P') if self.eat('=') => return self.named_reference(from, flags).map(Some),
                Some('P') if self.eat('<') => Opened::Capture(Some(self.new_name(from)?)),
                Some(':') => Opened::Plain(flags),
                Some('>') => Opened::Atomic,
                Some('#') => return self.comment(from).map(|()| None),
                Some('=') => Opened::Look { behind: false, negated: false },
                Some('!') => Opened::Look { behind: false, negated: true },
                Some('<') if self.eat('=') => Opened::Look { behind: true, negated: false },
                Some('<') if self.eat('!') => Opened::Look { behind: true, negated: true },
                Some('(') => return self.condition(from, flags, depth).map(Some),
                Some(c) if "iLmstuxa-".contains(c) => match self.flags(c, from, flags, first)? {
                    Some(flags) => Opened::Plain(flags),
                    None => return Ok(None),
                },
                Some(_) => return Err(self.unknown_extension(from)),
            }
        } else {
            Opened::Capture(None)
        };
        self.inside(opened, from, flags, depth + 1).map(Some)
    }

    fn inside(&mut self, opened: Opened, from: usize, flags: Flags, depth: u32) -> Result<Node> {
        match opened {
            Opened::Plain(flags) => self.closed(from, flags, depth),
            Opened::Atomic => Ok(Node::Atomic(Box::new(self.closed(from, flags, depth)?))),
            Opened::Capture(name) => {
                let index = self.groups.len() as u32;
                self.groups.push(None);
                if let Some(name) = name {
                    self.names.insert(name, index);
                }
                let node = self.closed(from, flags, depth)?;
                self.groups[index as usize] = Some(node.width(&self.groups));
                Ok(Node::Group { index, node: Box::new(node) })
            }
            Opened::Look { behind, negated } => {
                let outer = self.behind;
                if behind && outer.is_none() {
                    self.behind = Some(self.groups.len() as u32);
                }
                let node = self.closed(from, flags, depth)?;
                self.behind = outer;
                let (low, high) = node.width(&self.groups);
                if behind && low != high {
                    let message = "what a look-behind looks for must have one fixed length";
                    let remedy = "leave * + ? and branches of different length out of it, or write one look-behind per length";
                    return Err(self.fault(from, message, remedy));
                }
                Ok(Node::Look { behind: behind.then_some(low), negated, node: Box::new(node) })
            }
        }
    }

    /// Up to and with the `)` of the group that was opened at `from`.
    fn closed(&mut self, from: usize, flags: Flags, depth: u32) -> Result<Node> {
        let node = self.choice(flags, depth)?;
        if self.eat(')') { Ok(node) } else { Err(self.unclosed(from)) }
    }

    pub(super) fn unclosed(&self, from: usize) -> Fault {
        let remedy = r"write the ), or \( for the character";
        self.fault(from, "this ( is never closed by a )", remedy).narrow(1)
    }

    fn unknown_extension(&mut self, from: usize) -> Fault {
        if self.text[from..].starts_with("(?<") || self.text[from..].starts_with("(?P>") {
            let remedy = "write (?P<name>...) for a group with a name, (?P=name) to refer to it";
            return self.fault(from, "Python has no such parentheses", remedy);
        }
        let remedy = r"write (?:...) for a group that remembers nothing, or \( for the character";
        self.fault(from, "Python has no such parentheses", remedy)
    }

    fn comment(&mut self, from: usize) -> Result<()> {
        loop {
            match self.skip()? {
                Some(')') => return Ok(()),
                Some(_) => {}
                None => return Err(self.unclosed(from)),
            }
        }
    }

    /// A name up to `end`, which is passed over.
    fn name(&mut self, from: usize, end: char) -> Result<String> {
        let name = self.take(usize::MAX, |c| c != end).to_owned();
        if !self.eat(end) {
            let remedy = format!("write {end} behind the name");
            return Err(self.fault(from, "this name has no end", remedy).narrow(3));
        }
        if name.is_empty() {
            return Err(self.fault(
                from,
                "here a name is missing",
                "write a name of letters, digits and _",
            ));
        }
        Ok(name)
    }

    fn new_name(&mut self, from: usize) -> Result<String> {
        let start = self.at;
        let name = self.name(from, '>')?;
        if !identifier(&name) {
            return Err(Self::bad_name(start, &name));
        }
        if self.names.contains_key(&name) {
            let message = format!("there is a group called {name} already");
            let remedy = "give it another name; fail2ban puts <F-ALT_X_1>, <F-ALT_X_2> and so on together with <F-X>";
            return Err(Fault::new((start, start + name.len()), message, remedy));
        }
        Ok(name)
    }

    fn bad_name(start: usize, name: &str) -> Fault {
        let message = format!("{name} cannot be the name of a group");
        let remedy = "use letters, digits and _, and no digit first";
        Fault::new((start, start + name.len()), message, remedy)
    }

    fn unknown_name(&self, start: usize, name: &str) -> Fault {
        let near = self.names.keys().find(|known| known.eq_ignore_ascii_case(name));
        let remedy = match near {
            Some(near) => format!("write {near}"),
            None => format!("name a group before it: (?P<{name}>...)"),
        };
        let message = format!("no group before this is called {name}");
        Fault::new((start, start + name.len()), message, remedy)
    }

    fn named_reference(&mut self, from: usize, flags: Flags) -> Result<Node> {
        let start = self.at;
        let name = self.name(from, ')')?;
        if !identifier(&name) {
            return Err(Self::bad_name(start, &name));
        }
        match self.names.get(&name) {
            Some(group) => self.backreference(*group, from, flags),
            None => Err(self.unknown_name(start, &name)),
        }
    }

    /// What is inside a look-behind cannot be looked at from there.
    pub(super) fn outside_behind(&self, group: u32, from: usize) -> Result<()> {
        let Some(before) = self.behind else { return Ok(()) };
        if self.groups.get(group as usize).is_none_or(Option::is_none) {
            return Err(self.open_group(from));
        }
        if group >= before {
            let message = "this refers to a group of the same look-behind";
            return Err(self.fault(from, message, "take the look-behind apart"));
        }
        Ok(())
    }

    /// Behind `(?(`: `(?(group)yes|no)`.
    fn condition(&mut self, from: usize, flags: Flags, depth: u32) -> Result<Node> {
        let start = self.at;
        let name = self.name(from, ')')?;
        let group = if identifier(&name) {
            match self.names.get(&name) {
                Some(group) => *group,
                None => return Err(self.unknown_name(start, &name)),
            }
        } else {
            // Python still takes " 1" and "+1".
            let Ok(number) = name.trim().parse() else { return Err(Self::bad_name(start, &name)) };
            let span = (start, start + name.len());
            if number == 0 || number >= GREATEST {
                return Err(no_such_group(number, span));
            }
            self.asked.push((number, span));
            number
        };
        self.outside_behind(group, start)?;
        if depth > super::DEEPEST {
            return Err(self.fault(
                from,
                "groups stand too deep in each other",
                "take the expression apart",
            ));
        }
        let yes = self.sequence(flags, depth + 1, false)?;
        let no = if self.eat('|') {
            self.sequence(flags, depth + 1, false)?
        } else {
            Node::Sequence(Vec::new())
        };
        if self.peek() == Some('|') {
            let message = "a condition has two branches at most";
            return Err(self.fault(self.at, message, "put (?:...) around one of them"));
        }
        if !self.eat(')') {
            return Err(self.unclosed(from));
        }
        Ok(Node::Condition { group, yes: Box::new(yes), no: Box::new(no) })
    }
}

/// Whether Python takes it for a name.
fn identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}
