//! The steps of a walk: literals, runs of a class, choices, groups.

use super::{GROUPS, Spans};
use crate::addr::dotted;
use crate::bytes;
use crate::rule::pattern::address;
use regex_syntax::hir::{Class, Hir, HirKind};

/// One step.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Literal),
    Class(Box<Bytes>, u32, u32),
    /// Every byte but one.
    Until(u8, u32, u32),
    Repeat(Box<Repeat>),
    Either(Vec<Vec<Self>>),
    Group(usize, Vec<Self>),
    /// The group of an address: most are dotted quads, which are read at once.
    Addr(usize, Vec<Self>),
}

/// Fixed text.
#[derive(Debug)]
pub(super) struct Literal {
    pub(super) bytes: Box<[u8]>,
    /// The first sixteen bytes at once, and which of them are of the text.
    front: u128,
    mask: u128,
}

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let short = 8 * bytes.len().min(16) as u32;
        let mask = u128::MAX.checked_shr(u128::BITS - short).unwrap_or(0);
        Self { bytes: bytes.into(), front: bytes::sixteen(bytes, 0), mask }
    }

    /// Where it ends, if it stands here.
    #[inline]
    fn at(&self, text: &[u8], at: usize) -> Option<usize> {
        let end = at + self.bytes.len();
        let front = bytes::sixteen(text, at) & self.mask == self.front;
        let whole = front && end <= text.len();
        (whole && (self.bytes.len() <= 16 || bytes::has(text, at, &self.bytes))).then_some(end)
    }
}

/// Whether a byte is one of a class.
type Bytes = [bool; 256];

/// Steps that are taken again and again.
#[derive(Debug)]
pub(super) struct Repeat {
    inner: Vec<Node>,
    min: u32,
    max: u32,
    /// The groups in it: the first, and how many up to the last.
    groups: Option<(usize, usize)>,
    /// Single bytes that its first choice takes: a run of them is taken at once.
    run: Option<Box<Bytes>>,
}

/// The steps of an expression; `None` when it has constructs that need the engine. `free` tells
/// free text.
pub(super) fn nodes(hir: &Hir, free: &impl Fn(&Hir) -> bool) -> Option<Vec<Node>> {
    Some(match hir.kind() {
        HirKind::Empty => Vec::new(),
        HirKind::Look(_) => return None,
        HirKind::Literal(literal) => vec![Node::Literal(Literal::new(&literal.0))],
        HirKind::Class(class) => vec![class_node(class, 1, 1)?],
        HirKind::Repetition(repetition) => {
            if !repetition.greedy || free(hir) {
                return None;
            }
            let (min, max) = (repetition.min, repetition.max.unwrap_or(u32::MAX));
            match repetition.sub.kind() {
                HirKind::Class(class) => vec![class_node(class, min, max)?],
                _ => vec![Repeat::node(nodes(&repetition.sub, free)?, min, max)],
            }
        }
        HirKind::Capture(capture) => {
            let index = capture.index as usize;
            if index >= GROUPS {
                return None;
            }
            let inner = nodes(&capture.sub, free)?;
            let ours = Some(&*capture.sub) == address();
            vec![if ours { Node::Addr(index, inner) } else { Node::Group(index, inner) }]
        }
        HirKind::Concat(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(nodes(part, free)?);
            }
            all
        }
        HirKind::Alternation(branches) => {
            let branches = branches.iter().map(|branch| nodes(branch, free));
            vec![Node::Either(branches.collect::<Option<_>>()?)]
        }
    })
}

fn class_node(class: &Class, min: u32, max: u32) -> Option<Node> {
    let Class::Bytes(class) = class else { return None };
    let mut table = Box::new([false; 256]);
    for range in class.ranges() {
        for byte in range.start()..=range.end() {
            table[usize::from(byte)] = true;
        }
    }
    let mut others = (0..=u8::MAX).filter(|byte| !table[usize::from(*byte)]);
    Some(match (others.next(), others.next()) {
        (Some(only), None) => Node::Until(only, min, max),
        _ => Node::Class(table, min, max),
    })
}

/// Takes the first choice everywhere; `None` when that leads nowhere.
pub(super) fn walk(nodes: &[Node], text: &[u8], mut at: usize, spans: &mut Spans) -> Option<usize> {
    for node in nodes {
        at = match node {
            Node::Literal(literal) => literal.at(text, at)?,
            Node::Class(class, min, max) => at + run(class, text.get(at..)?, (*min, *max))?,
            Node::Until(byte, min, max) => {
                let rest = text.get(at..)?;
                let most = &rest[..rest.len().min(*max as usize)];
                let run = memchr::memchr(*byte, most).unwrap_or(most.len());
                if run < *min as usize {
                    return None;
                }
                at + run
            }
            Node::Repeat(repeat) => repeat.walk(text, at, spans)?,
            Node::Either(branches) => {
                branches.iter().find_map(|branch| enter(branch, text, at, spans))?
            }
            Node::Group(index, inner) => {
                let end = enter(inner, text, at, spans)?;
                spans[*index] = (at, end);
                end
            }
            Node::Addr(index, inner) => {
                let end = match dotted(text, at) {
                    Some(length) => at + length,
                    None => walk(inner, text, at, spans)?,
                };
                spans[*index] = (at, end);
                end
            }
        };
    }
    Some(at)
}

/// Walks on within a step; most are single steps, which need no walk of their own.
#[inline]
fn enter(nodes: &[Node], text: &[u8], at: usize, spans: &mut Spans) -> Option<usize> {
    match nodes {
        [Node::Literal(literal)] => literal.at(text, at),
        [Node::Class(class, min, max)] => Some(at + run(class, text.get(at..)?, (*min, *max))?),
        nodes => walk(nodes, text, at, spans),
    }
}

/// How many bytes of a class there are at the front, within these bounds.
#[inline]
fn run(class: &Bytes, rest: &[u8], (min, max): (u32, u32)) -> Option<usize> {
    let most = &rest[..rest.len().min(max as usize)];
    let run = most.iter().position(|b| !class[usize::from(*b)]).unwrap_or(most.len());
    (run >= min as usize).then_some(run)
}

impl Repeat {
    fn node(inner: Vec<Node>, min: u32, max: u32) -> Node {
        let run = match inner.as_slice() {
            [Node::Either(branches)] => match branches.first().map(Vec::as_slice) {
                Some([Node::Class(class, 1, 1)]) => Some(class.clone()),
                _ => None,
            },
            _ => None,
        };
        let mut all = Vec::new();
        inner.iter().for_each(|node| groups(node, &mut all));
        let first = all.iter().min().copied();
        let groups = first.zip(all.iter().max()).map(|(first, last)| (first, last + 1 - first));
        Node::Repeat(Box::new(Self { inner, min, max, groups, run }))
    }

    fn walk(&self, text: &[u8], mut at: usize, spans: &mut Spans) -> Option<usize> {
        let mut done = 0;
        while done < self.max {
            if let Some(class) = &self.run {
                let taken = run(class, text.get(at..)?, (0, self.max - done))?;
                (at, done) = (at + taken, done + taken as u32);
                if done >= self.max {
                    break;
                }
            }
            // What a try that fails had captured is no part of the match.
            let one = self.groups.filter(|(_, many)| *many == 1).map(|(first, _)| spans[first]);
            let all = self.groups.filter(|(_, many)| *many > 1).map(|_| *spans);
            match enter(&self.inner, text, at, spans) {
                Some(next) if next > at => at = next,
                Some(_) => break,
                None => {
                    match (self.groups, one, all) {
                        (Some((first, _)), Some(one), _) => spans[first] = one,
                        (_, _, Some(all)) => *spans = all,
                        _ => {}
                    }
                    break;
                }
            }
            done += 1;
        }
        (done >= self.min).then_some(at)
    }
}

/// The groups of a step.
fn groups(node: &Node, all: &mut Vec<usize>) {
    match node {
        Node::Literal(_) | Node::Class(..) | Node::Until(..) => {}
        Node::Repeat(repeat) => repeat.inner.iter().for_each(|node| groups(node, all)),
        Node::Either(branches) => branches.iter().flatten().for_each(|node| groups(node, all)),
        Node::Group(index, inner) | Node::Addr(index, inner) => {
            all.push(*index);
            inner.iter().for_each(|node| groups(node, all));
        }
    }
}
