//! Sets: `[...]`.

use super::super::ast::Node;
use super::super::set::Builder;
use super::escape::Escaped;
use super::{Flags, Parser, Result};

/// All sets of an expression together at most; see [`Builder::weight`].
const HEAVIEST: u32 = 1 << 21;

impl Parser<'_> {
    /// Behind `[`.
    pub(super) fn class(&mut self, flags: Flags) -> Result<Node> {
        let from = self.at - 1;
        let negated = self.eat('^');
        let mut set = Builder::default();
        let mut empty = true;
        // A ] that comes first is a character.
        while empty || self.peek() != Some(']') {
            empty = false;
            let start = self.at;
            let low = self.member(from)?;
            if !self.eat('-') {
                add(&mut set, &low, flags);
                continue;
            }
            if self.peek() == Some(']') {
                add(&mut set, &low, flags);
                set.range(u32::from('-'), u32::from('-'));
                break;
            }
            let high = self.member(from)?;
            match (low, high) {
                (Escaped::Code(low), Escaped::Code(high)) if low <= high => set.range(low, high),
                (Escaped::Code(_), Escaped::Code(_)) => {
                    let message = "this range of characters ends before it begins";
                    let remedy = r"write the smaller character first, or \- for the character";
                    return Err(self.fault(start, message, remedy));
                }
                _ => {
                    let message = "a range of characters goes from one character to another";
                    let remedy = r"write \- for the character, or put the - last";
                    return Err(self.fault(start, message, remedy));
                }
            }
        }
        self.at += 1;
        self.weight = self.weight.saturating_add(set.weight(flags.fold()));
        if self.weight > HEAVIEST {
            let message = "there are too many large sets of characters beyond ASCII";
            return Err(self.fault(from, message, "write fewer, or several expressions"));
        }
        let set = set.finish(negated, flags.fold());
        Ok(set.single().map_or(Node::Set(set), Node::Literal))
    }

    fn member(&mut self, from: usize) -> Result<Escaped> {
        let start = self.at;
        match self.next() {
            None => {
                let remedy = r"write the ], or \[ for the character";
                Err(self.fault(from, "this [ is never closed by a ]", remedy).narrow(1))
            }
            Some('\\') => self.escaped_in_set(start),
            Some(c) => Ok(Escaped::Code(u32::from(c))),
        }
    }
}

fn add(set: &mut Builder, member: &Escaped, flags: Flags) {
    match member {
        Escaped::Code(code) => set.range(*code, *code),
        Escaped::Kind(kind, negated) => set.kind(*kind, *negated, flags.ascii),
    }
}
