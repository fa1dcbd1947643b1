//! Expressions of Python's with fail2ban's tags.

use jiff::tz::TimeZone;
use sereno_core::filter::date::{Detector, Zone};
use sereno_core::filter::regex::{Options, Regex, Room};
use sereno_core::filter::{Filter, Manner, Scan, Spec};
use sereno_core::time::Time;
use std::sync::Arc;

/// 2026-11-22T18:00:00Z.
const NOW: Time = Time(1_795_370_400_000_000);
/// Bytes of an expression and of a text.
const LONGEST: usize = 2048;

/// The first byte says how, and which of the two checks: of any expression on any text, or of an
/// expression that is made here, against a plain model of what Python does.
pub fn check(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else { return };
    if how & 4 != 0 {
        return model::check(how, rest);
    }
    let Some((pattern, text)) = split(rest) else { return };
    let options = Options { multiline: how & 1 != 0, raw_or_dns: how & 2 != 0 };
    match Regex::compile(&pattern, options) {
        Ok(regex) => found(&regex, &text),
        Err(wrong) => {
            assert!(pattern.is_char_boundary(wrong.at) && wrong.width > 0, "{wrong:?}");
            assert!(!wrong.message.is_empty() && !wrong.remedy.is_empty());
        }
    }
    gated(&pattern, &text, options);
}

/// An expression and a text, a zero between them.
fn split(data: &[u8]) -> Option<(String, String)> {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let mut part = || {
        let bytes = parts.next()?;
        Some(String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned())
    };
    Some((part()?, part()?))
}

/// What holds for any expression and text: groups stand in the text, one of the literals that are
/// required stands in what matches, and the same is found again, whatever was done before.
fn found(regex: &Regex, text: &str) {
    let mut room = Room::new();
    let first = regex.search(text, &mut room);
    if first.is_err() {
        assert!(!regex.is_linear(), "given up though it is linear");
    }
    let groups = |room: &Room| (0..40).map(|group| room.get(group)).collect::<Vec<_>>();
    let all = groups(&room);
    if first == Ok(true) {
        assert!(all[0].is_some());
        for range in all.iter().flatten() {
            assert!(text.get(range.clone()).is_some(), "{range:?} is no part of {text:?}");
        }
        let has = |one: &Vec<u8>| memchr::memmem::find(text.as_bytes(), one).is_some();
        assert!(regex.required().is_none_or(|all| all.iter().any(has)));
    } else {
        assert!(all.iter().all(Option::is_none));
    }
    let _ = regex.search("x", &mut room);
    assert_eq!((first, all), (regex.search(text, &mut room), groups(&room)));
}

/// The gate of a filter turns away no line that the filter without a gate matches.
fn gated(pattern: &str, text: &str, options: Options) {
    let Ok(dates) = Detector::new(Some("{NONE}"), Zone::machine(TimeZone::UTC), NOW) else {
        return;
    };
    let spec = Spec { failregex: vec![pattern], names: options.raw_or_dns, ..Spec::default() };
    let Ok(filter) = Filter::compile(&spec, Arc::new(dates)) else { return };
    let filter = Arc::new(filter);
    let findings = |manner| {
        let mut scan = Scan::new();
        scan.add_as(Arc::clone(&filter), manner);
        let mut all = Vec::new();
        scan.read(text.as_bytes(), NOW, &mut |_, one| {
            if *one.who != sereno_core::filter::Who::Pending {
                all.push((one.number, one.who.clone()));
            }
        });
        (all, scan.counts(0).matched)
    };
    assert_eq!(findings(Manner::Guard), findings(Manner::First), "{pattern:?} on {text:?}");
}

/// Small expressions, and what Python makes of them, by plain backtracking.
mod model {
    use sereno_core::filter::regex::{Options, Regex, Room};

    /// Steps of the model at most, and parts of an expression.
    const STEPS: u32 = 20_000;
    const PARTS: u32 = 14;
    /// Characters of a text.
    const TEXT: usize = 16;

    enum Node {
        Char(char),
        Set(&'static str),
        Start,
        End,
        Boundary(bool),
        Group(usize, Box<Self>),
        Sequence(Vec<Self>),
        Choice(Vec<Self>),
        Repeat { node: Box<Self>, min: u32, max: Option<u32>, lazy: bool },
        Atomic(Box<Self>),
        Look { negated: bool, node: Box<Self> },
        Behind { negated: bool, c: char },
        Again(usize),
        If(usize, Box<Self>, Box<Self>),
    }

    /// Makes an expression of bytes.
    struct Maker<'d> {
        bytes: std::slice::Iter<'d, u8>,
        /// Groups that are closed, and all.
        closed: Vec<usize>,
        groups: usize,
        parts: u32,
    }

    impl Maker<'_> {
        fn byte(&mut self) -> u8 {
            self.bytes.next().copied().unwrap_or(0)
        }

        fn node(&mut self, depth: u32) -> Node {
            let byte = self.byte();
            self.parts += 1;
            if depth > 4 || self.parts > PARTS {
                return Node::Char(['a', 'b', '\n', 'é'][usize::from(byte) % 4]);
            }
            let inner = |this: &mut Self| Box::new(this.node(depth + 1));
            let odd = byte / 24 % 2 == 1;
            match byte % 24 {
                0..=3 => Node::Char('a'),
                4 => Node::Char('b'),
                5 => Node::Char(['\n', 'é', ' ', 'b'][usize::from(byte / 24) % 4]),
                6 => Node::Set(r"[ab]"),
                7 => Node::Set("."),
                8 => Node::Set([r"\w", r"[^a]", r"\s", r"[é\n]"][usize::from(byte / 24) % 4]),
                9 => [Node::Start, Node::End][usize::from(byte / 24) % 2..].remove_first(),
                10 => Node::Boundary(odd),
                11 | 12 => {
                    self.groups += 1;
                    let index = self.groups;
                    let node = inner(self);
                    self.closed.push(index);
                    Node::Group(index, node)
                }
                13 | 14 => Node::Sequence((0..2 + byte / 24 % 2).map(|_| *inner(self)).collect()),
                15 => Node::Choice((0..2 + byte / 24 % 2).map(|_| *inner(self)).collect()),
                16..=18 => {
                    let bounds = [(0, None), (1, None), (0, Some(1)), (2, Some(3)), (1, Some(2))];
                    let (min, max) = bounds[usize::from(byte / 24) % 5];
                    let lazy = byte % 24 == 18;
                    Node::Repeat { node: inner(self), min, max, lazy }
                }
                19 => Node::Atomic(inner(self)),
                20 => Node::Look { negated: odd, node: inner(self) },
                21 => Node::Behind { negated: odd, c: ['a', 'é'][usize::from(byte / 48) % 2] },
                22 if !self.closed.is_empty() => {
                    Node::Again(self.closed[usize::from(byte / 24) % self.closed.len()])
                }
                23 if !self.closed.is_empty() => {
                    let group = self.closed[usize::from(byte / 24) % self.closed.len()];
                    Node::If(group, inner(self), inner(self))
                }
                _ => Node::Sequence(Vec::new()),
            }
        }
    }

    trait First {
        fn remove_first(&self) -> Node;
    }

    impl First for [Node] {
        fn remove_first(&self) -> Node {
            match self.first() {
                Some(Node::End) => Node::End,
                _ => Node::Start,
            }
        }
    }

    /// The expression as it is written.
    fn written(node: &Node, out: &mut String) {
        let inside = |out: &mut String, open: &str, node: &Node| {
            out.push_str(open);
            written(node, out);
            out.push(')');
        };
        match node {
            Node::Char('\n') => out.push_str(r"\n"),
            Node::Char(c) => out.push(*c),
            Node::Set(set) => out.push_str(set),
            Node::Start => out.push('^'),
            Node::End => out.push('$'),
            Node::Boundary(negated) => out.push_str(if *negated { r"\B" } else { r"\b" }),
            Node::Group(_, node) => inside(out, "(", node),
            Node::Sequence(all) => {
                out.push_str("(?:");
                all.iter().for_each(|one| written(one, out));
                out.push(')');
            }
            Node::Choice(all) => {
                out.push_str("(?:");
                for (at, one) in all.iter().enumerate() {
                    out.push_str(if at > 0 { "|" } else { "" });
                    written(one, out);
                }
                out.push(')');
            }
            Node::Repeat { node, min, max, lazy } => {
                inside(out, "(?:", node);
                out.push_str(&match max {
                    Some(max) => format!("{{{min},{max}}}"),
                    None => format!("{{{min},}}"),
                });
                out.push_str(if *lazy { "?" } else { "" });
            }
            Node::Atomic(node) => inside(out, "(?>", node),
            Node::Look { negated, node } => inside(out, if *negated { "(?!" } else { "(?=" }, node),
            Node::Behind { negated, c } => {
                out.push_str(if *negated { "(?<!" } else { "(?<=" });
                out.push(*c);
                out.push(')');
            }
            Node::Again(group) => out.push_str(&format!("(?:\\{group})")),
            Node::If(group, yes, no) => {
                out.push_str(&format!("(?({group})"));
                written(yes, out);
                out.push('|');
                written(no, out);
                out.push(')');
            }
        }
    }

    type Slots = Vec<(Option<usize>, Option<usize>)>;

    /// The model at work: it goes on with `then`, and takes back what it set if that fails.
    struct Walk<'t> {
        text: &'t [char],
        multiline: bool,
        slots: Slots,
        left: u32,
    }

    type Then<'a, 't> = &'a mut dyn FnMut(&mut Walk<'t>, usize) -> bool;

    impl<'t> Walk<'t> {
        fn took(&self, group: usize) -> Option<(usize, usize)> {
            match self.slots[group] {
                (Some(from), Some(to)) if from <= to => Some((from, to)),
                _ => None,
            }
        }

        fn word(&self, at: Option<usize>) -> bool {
            let c = at.and_then(|at| self.text.get(at));
            c.is_some_and(|c| c.is_alphanumeric() || *c == '_')
        }

        fn go(&mut self, node: &Node, at: usize, then: Then<'_, 't>) -> bool {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let here = self.text.get(at).copied();
            match node {
                Node::Char(c) => here == Some(*c) && then(self, at + 1),
                Node::Set(set) => here.is_some_and(|c| is_in(set, c)) && then(self, at + 1),
                Node::Start => {
                    let first = at == 0 || self.multiline && self.text[at - 1] == '\n';
                    first && then(self, at)
                }
                Node::End => {
                    let last = at == self.text.len()
                        || here == Some('\n') && (self.multiline || at + 1 == self.text.len());
                    last && then(self, at)
                }
                Node::Boundary(negated) => {
                    let edge = self.word(at.checked_sub(1)) != self.word(Some(at));
                    !self.text.is_empty() && edge != *negated && then(self, at)
                }
                Node::Group(index, node) => self.group(*index, node, at, then),
                Node::Sequence(all) => self.all(all, at, then),
                Node::Choice(all) => all.iter().any(|one| self.go(one, at, then)),
                Node::Repeat { node, min, max, lazy } => {
                    self.times(node, *min, at, &mut |this, at| {
                        this.more(node, max.map(|max| max - min), *lazy, at, None, then)
                    })
                }
                Node::Atomic(node) => {
                    let Some((end, was)) = self.alone(node, at) else { return false };
                    self.kept(then, end, was)
                }
                Node::Look { negated, node } => match self.alone(node, at) {
                    Some((_, was)) if *negated => {
                        self.slots = was;
                        false
                    }
                    Some((_, was)) => self.kept(then, at, was),
                    None => *negated && self.left > 0 && then(self, at),
                },
                Node::Behind { negated, c } => {
                    let before = at.checked_sub(1).and_then(|at| self.text.get(at));
                    (before == Some(c)) != *negated && then(self, at)
                }
                Node::Again(group) => {
                    let Some((from, to)) = self.took(*group) else { return false };
                    let end = at + (to - from);
                    self.text.get(at..end) == self.text.get(from..to) && then(self, end)
                }
                Node::If(group, yes, no) => {
                    let node = if self.took(*group).is_some() { yes } else { no };
                    self.go(node, at, then)
                }
            }
        }

        fn group(&mut self, index: usize, node: &Node, at: usize, then: Then<'_, 't>) -> bool {
            let was = self.slots[index];
            self.slots[index].0 = Some(at);
            let done = self.go(node, at, &mut |this, end| {
                let before = this.slots[index];
                this.slots[index].1 = Some(end);
                let done = then(this, end);
                if !done {
                    this.slots[index] = before;
                }
                done
            });
            if !done {
                self.slots[index] = was;
            }
            done
        }

        /// Goes on with what was captured inside; if that fails it is as it was before.
        fn kept(&mut self, then: Then<'_, 't>, at: usize, was: Slots) -> bool {
            let done = then(self, at);
            if !done {
                self.slots = was;
            }
            done
        }

        fn all(&mut self, all: &[Node], at: usize, then: Then<'_, 't>) -> bool {
            match all.split_first() {
                None => then(self, at),
                Some((one, rest)) => self.go(one, at, &mut |this, at| this.all(rest, at, then)),
            }
        }

        fn times(&mut self, node: &Node, times: u32, at: usize, then: Then<'_, 't>) -> bool {
            if times == 0 {
                return then(self, at);
            }
            self.go(node, at, &mut |this, at| this.times(node, times - 1, at, then))
        }

        /// Up to `most` iterations more; one that took nothing is the last one. `last`: where the
        /// last one began.
        fn more(
            &mut self,
            node: &Node,
            most: Option<u32>,
            lazy: bool,
            at: usize,
            last: Option<usize>,
            then: Then<'_, 't>,
        ) -> bool {
            if lazy && then(self, at) {
                return true;
            }
            let may = most != Some(0) && last != Some(at);
            let less = most.map(|most| most.saturating_sub(1));
            if may
                && self
                    .go(node, at, &mut |this, end| this.more(node, less, lazy, end, Some(at), then))
            {
                return true;
            }
            !lazy && then(self, at)
        }

        /// The first way through `node` alone: where it ends, and what was captured before.
        fn alone(&mut self, node: &Node, at: usize) -> Option<(usize, Slots)> {
            let was = self.slots.clone();
            let mut end = None;
            self.go(node, at, &mut |_, at| {
                end = Some(at);
                true
            });
            end.map(|end| (end, was))
        }
    }

    fn is_in(set: &str, c: char) -> bool {
        match set {
            "[ab]" => c == 'a' || c == 'b',
            "." => c != '\n',
            r"\w" => c.is_alphanumeric() || c == '_',
            "[^a]" => c != 'a',
            r"\s" => c.is_whitespace(),
            _ => c == 'é' || c == '\n',
        }
    }

    pub fn check(how: u8, data: &[u8]) {
        let Some((&length, data)) = data.split_first() else { return };
        let (letters, data) = data.split_at(data.len().min(usize::from(length) % (TEXT + 1)));
        let letter = |byte: &u8| ['a', 'b', 'a', '\n', 'é', ' '][usize::from(*byte) % 6];
        let text: Vec<char> = letters.iter().map(letter).collect();
        let mut maker = Maker { bytes: data.iter(), closed: Vec::new(), groups: 0, parts: 0 };
        let node = Node::Sequence((0..3).map(|_| maker.node(0)).collect());
        let (mut pattern, groups) = (String::new(), maker.groups);
        written(&node, &mut pattern);
        let multiline = how & 1 != 0;
        let Ok(regex) = Regex::compile(&pattern, Options { multiline, raw_or_dns: false }) else {
            return;
        };
        let mut walk = Walk { text: &text, multiline, slots: Vec::new(), left: STEPS };
        let mut wanted = None;
        for start in 0..=text.len() {
            walk.slots = vec![(None, None); groups + 1];
            let mut end = None;
            walk.go(&node, start, &mut |_, at| {
                end = Some(at);
                true
            });
            if let Some(end) = end {
                walk.slots[0] = (Some(start), Some(end));
                wanted = Some((0..=groups).map(|group| walk.took(group)).collect::<Vec<_>>());
                break;
            }
        }
        if walk.left == 0 {
            return;
        }
        let string: String = text.iter().collect();
        let mut room = Room::new();
        let Ok(found) = regex.search(&string, &mut room) else { return };
        let place = |byte: usize| string[..byte].chars().count();
        let group = |at| room.get(at).map(|range| (place(range.start), place(range.end)));
        let found = found.then(|| (0..=groups).map(group).collect::<Vec<_>>());
        assert_eq!(found, wanted, "{pattern:?} on {string:?}");
    }
}
