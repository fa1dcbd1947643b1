//! `*`, `+`, `?` and `{m,n}`.

use super::super::ast::{Greed, Node};
use super::{Last, Parser, Result};

/// More repetitions than this are refused; Python takes up to 2^32 - 2.
const MOST: u32 = 65_535;

type Bounds = (u32, Option<u32>);

impl Parser<'_> {
    /// The bounds of a quantifier whose first character was read at `from`; `None` if it is a `{`
    /// that stands for itself.
    pub(super) fn quantifier(&mut self, c: char, from: usize) -> Result<Option<Bounds>> {
        match c {
            '*' => return Ok(Some((0, None))),
            '+' => return Ok(Some((1, None))),
            '?' => return Ok(Some((0, Some(1)))),
            _ => {}
        }
        let inside = self.at;
        let digit = |c: char| c.is_ascii_digit();
        let low = self.take(usize::MAX, digit).to_owned();
        let high =
            if self.eat(',') { self.take(usize::MAX, digit).to_owned() } else { low.clone() };
        let empty = self.at == inside;
        if empty || !self.eat('}') {
            self.at = inside;
            return Ok(None);
        }
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(n) if n <= MOST => Ok(n),
            _ => {
                let remedy = format!("write at most {MOST}, or leave the upper bound out");
                Err(self.fault(from, format!("more than {MOST} repetitions"), remedy))
            }
        };
        let min = if low.is_empty() { 0 } else { number(&low)? };
        let max = if high.is_empty() { None } else { Some(number(&high)?) };
        if max.is_some_and(|max| max < min) {
            let message = "the lower bound of this repetition is above the upper one";
            return Err(self.fault(from, message, "write the smaller number first"));
        }
        Ok(Some((min, max)))
    }

    /// Whether what stands before a quantifier at `from` can be repeated.
    pub(super) fn repeatable(&self, last: Last, from: usize) -> Result<()> {
        let sign = &self.text[from..self.at];
        match last {
            Last::Other => Ok(()),
            Last::Nothing | Last::At => Err(self.fault(
                from,
                format!("there is nothing that {sign} could repeat"),
                format!(r"write what should be repeated before it, or \{sign} for the character"),
            )),
            Last::Repeat => Err(self.fault(
                from,
                format!("{sign} repeats what is repeated already"),
                "remove one of the two, or put (?:...) around what the first one belongs to",
            )),
        }
    }

    /// The repetition itself; `?` or `+` may follow.
    pub(super) fn repeat(&mut self, node: Node, (min, max): Bounds) -> Node {
        let greed = if self.eat('?') {
            Greed::Lazy
        } else if self.eat('+') {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        Node::Repeat { node: Box::new(node), min, max, greed }
    }
}
