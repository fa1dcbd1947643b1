//! What a text must at least look like: a plain regular expression that matches wherever the
//! expression does, and maybe elsewhere.
//!
//! It is the linear sieve before [`super::run`], and the required literals are read off it.
//! Look-arounds are left out, a back-reference is anything, a condition is one of its branches,
//! and of a character beyond ASCII only that it is one counts, unless it is written out.

use super::ast::{At, Node};
use super::set::Set;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};

/// Repetitions beyond this are not counted.
const COUNTED: u32 = 40;

/// The expression for `node`, on bytes.
pub(super) fn over(node: &Node) -> Hir {
    match node {
        Node::Literal(c) => Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()),
        Node::Set(set) => character(set),
        Node::At(at) => place(*at),
        Node::Group { node, .. } | Node::Atomic(node) => over(node),
        Node::Sequence(parts) => Hir::concat(parts.iter().map(over).collect()),
        Node::Choice(branches) => Hir::alternation(branches.iter().map(over).collect()),
        Node::Repeat { node, min, max, .. } => {
            let few = |n: &u32| *n <= COUNTED;
            let max = max.filter(few);
            // In a row of any length it does not matter where a character ends.
            let sub = match &**node {
                Node::Set(set) if max.is_none() => bytes(set),
                node => over(node),
            };
            repetition(sub, (*min).min(COUNTED), max)
        }
        Node::Look { .. } => Hir::empty(),
        Node::Backreference { .. } => anything(),
        Node::Condition { yes, no, .. } => Hir::alternation(vec![over(yes), over(no)]),
    }
}

fn repetition(sub: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(sub) })
}

fn class(ranges: impl IntoIterator<Item = (u8, u8)>) -> Hir {
    let ranges = ranges.into_iter().map(|(from, to)| ClassBytesRange::new(from, to));
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}

fn anything() -> Hir {
    repetition(class([(0, 0xff)]), 0, None)
}

/// The bytes that a member of the set is made of.
fn bytes(set: &Set) -> Hir {
    let ascii = (0..0x80).filter(|byte| set.has_ascii(*byte)).map(|byte| (byte, byte));
    class(ascii.chain(set.has_high().then_some((0x80, 0xff))))
}

/// One member of the set.
fn character(set: &Set) -> Hir {
    if let Some(few) = set.few() {
        let one = |c: char| Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes());
        return Hir::alternation(few.into_iter().map(one).collect());
    }
    let ascii = (0..0x80).filter(|byte| set.has_ascii(*byte)).map(|byte| (byte, byte));
    let ascii = class(ascii);
    if !set.has_high() {
        return ascii;
    }
    let high =
        Hir::concat(vec![class([(0xc2, 0xf4)]), repetition(class([(0x80, 0xbf)]), 1, Some(3))]);
    Hir::alternation(vec![ascii, high])
}

fn place(at: At) -> Hir {
    match at {
        At::Start => Hir::look(Look::Start),
        At::LineStart => Hir::look(Look::StartLF),
        At::End => Hir::look(Look::End),
        At::LastLineEnd | At::LineEnd => Hir::look(Look::EndLF),
        // Where it is depends on what is a letter; the sieve does without.
        At::Boundary { .. } => Hir::empty(),
    }
}

/// The bytes that a match of such an expression can begin with; `None` if it may be empty.
pub(super) fn first(hir: &Hir) -> Option<Box<[bool; 256]>> {
    let mut first = Box::new([false; 256]);
    let taken = begins(hir, &mut first);
    // No character begins with these; a row of bytes may.
    first[0x80..=0xbf].fill(false);
    taken.then_some(first)
}

/// Returns whether a match takes anything for sure.
fn begins(hir: &Hir, first: &mut [bool; 256]) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.first().is_some_and(|byte| {
            first[usize::from(*byte)] = true;
            true
        }),
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.ranges() {
                first[usize::from(range.start())..=usize::from(range.end())].fill(true);
            }
            true
        }
        HirKind::Class(Class::Unicode(class)) => {
            // The first bytes are in the order of the characters.
            let lead = |c: char| usize::from(c.encode_utf8(&mut [0; 4]).as_bytes()[0]);
            for range in class.ranges() {
                first[lead(range.start())..=lead(range.end())].fill(true);
            }
            true
        }
        HirKind::Repetition(repetition) => begins(&repetition.sub, first) && repetition.min > 0,
        HirKind::Capture(capture) => begins(&capture.sub, first),
        HirKind::Concat(parts) => parts.iter().any(|part| begins(part, first)),
        HirKind::Alternation(branches) => {
            // All of them, whatever the first ones say.
            branches.iter().filter(|branch| !begins(branch, first)).count() == 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;
    use regex_automata::meta;

    #[test]
    fn it_matches_wherever_the_expression_may() {
        let matches = |pattern: &str, text: &str| {
            let hir = over(&parse(pattern, false).unwrap().node);
            meta::Builder::new().build_from_hir(&hir).unwrap().is_match(text)
        };
        assert!(matches(r"^\w(?!b)c$", "éc\n"));
        assert!(matches(r"(a)\1b", "aab"));
        assert!(matches(r"\bé{3}(?(1)x|y)()", "éééy"));
        assert!(!matches(r"^\d+ (?=x)y", "1 z"));
    }
}
