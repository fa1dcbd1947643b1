//! An expression as far as advice needs it: which of its characters are special, and where its
//! tags and groups are.

use crate::paste;
use std::ops::Range;

/// Tags that stand for an address.
const HOSTS: [&str; 2] = ["<HOST>", "<ADDR>"];
/// What a line of a log calls the channels of calls.
const CHANNELS: [&str; 2] = ["SIP/", "IAX2/"];
/// What chan_sip writes before the name that a caller gives himself.
const CALLERS: [&str; 2] = ["Failed to authenticate user", "Failed to authenticate device"];

/// An expression, taken apart.
pub(super) struct Shape<'t> {
    text: &'t str,
    hosts: Vec<Range<usize>>,
    /// Groups that remember, with their parentheses.
    groups: Vec<Range<usize>>,
    /// `.*` and `.+` that take as much as they can.
    greedy: Vec<usize>,
    /// `^` and `$`.
    anchors: Vec<usize>,
    /// A group is referred to, so it matters.
    refers: bool,
}

/// Takes an expression apart.
pub(super) fn of(text: &str) -> Shape<'_> {
    let mut shape = Shape {
        text,
        hosts: Vec::new(),
        groups: Vec::new(),
        greedy: Vec::new(),
        anchors: Vec::new(),
        refers: text.contains("(?(") || text.contains("(?P="),
    };
    let mut open = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or("");
        match byte {
            b'\\' => {
                shape.refers |= bytes.get(at + 1).is_some_and(|b| (b'1'..=b'9').contains(b));
                at += 1;
            }
            b'[' => at += class(rest).saturating_sub(1),
            b'<' => {
                let host = HOSTS.iter().find(|tag| rest.starts_with(*tag));
                shape.hosts.extend(host.map(|tag| at..at + tag.len()));
            }
            b'(' => open.push(at),
            b')' => shape.groups.extend(open.pop().map(|from| from..at + 1)),
            b'.' if is_greedy(rest) => shape.greedy.push(at),
            b'^' | b'$' => shape.anchors.push(at),
            _ => {}
        }
        at += 1;
    }
    shape
}

/// Whether a text begins with a `.*` or `.+` that takes as much as it can.
fn is_greedy(text: &str) -> bool {
    let behind = text.strip_prefix(".*").or_else(|| text.strip_prefix(".+"));
    behind.is_some_and(|behind| !behind.starts_with('?'))
}

/// How long the class of characters is that a text begins with.
fn class(text: &str) -> usize {
    let inner = text.strip_prefix("[^").or_else(|| text.strip_prefix('[')).unwrap_or(text);
    let mut at = text.len() - inner.len();
    // A `]` at the beginning stands for itself.
    at += usize::from(inner.starts_with(']'));
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b']' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

impl Shape<'_> {
    /// Where its tags for addresses are.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Range<usize>> {
        self.hosts.iter()
    }

    fn get(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or("")
    }

    /// Groups around words of the log: nothing is gained by remembering what never changes, so the
    /// parentheses were meant to be those of the line.
    pub(super) fn literal_groups(&self) -> impl Iterator<Item = Range<usize>> {
        let literal = |range: &&Range<usize>| {
            let inner = self.get(range.start + 1..range.end - 1);
            let behind = self.get(range.end..self.text.len());
            !self.refers && !behind.starts_with(['*', '+', '?', '{']) && is_text(inner)
        };
        self.groups.iter().filter(literal).cloned()
    }

    /// The name of a channel that a tag is a part of.
    pub(super) fn channel(&self, host: &Range<usize>) -> Option<Range<usize>> {
        let before = self.get(0..host.start);
        let open = before.trim_end_matches(['(', '?', ':']);
        let found = CHANNELS.iter().find(|channel| open.ends_with(*channel))?;
        let behind = self.get(host.end..self.text.len()).trim_start_matches(')');
        behind.starts_with('-').then(|| open.len() - found.len()..host.end)
    }

    /// The `@` and the tag, if the tag is the end of the name that a call to Asterisk goes by.
    pub(super) fn domain(&self, host: &Range<usize>) -> Option<Range<usize>> {
        let before = self.get(0..host.start);
        let asterisk = CALLERS.iter().any(|words| before.contains(words));
        (asterisk && before.ends_with('@')).then(|| host.start - 1..host.end)
    }

    /// The last `.*` before a tag, if text of a stranger can take the place of what is behind it:
    /// nothing ties it to the beginning of something, or the expression to the end of the line.
    pub(super) fn greedy(&self, host: &Range<usize>) -> Option<Range<usize>> {
        let last = *self.greedy.iter().rev().find(|at| **at < host.start)?;
        let tied = self.anchors.iter().any(|at| (last..host.start).contains(at));
        let loose = self.greedy.iter().any(|at| *at > host.end);
        let ended = self.anchors.last().is_some_and(|at| at + 1 == self.text.len());
        (!tied && (loose || !ended)).then_some(last..last + 2)
    }

    /// The expression with the parentheses and quotes of the line where they were meant, and with
    /// `port` behind its addresses.
    pub(super) fn meant(&self, port: &str) -> String {
        let groups: Vec<Range<usize>> = self.literal_groups().collect();
        let mut out = String::with_capacity(self.text.len() + 32);
        for (at, c) in self.text.char_indices() {
            if groups.iter().any(|group| group.start == at || group.end == at + 1) {
                out.push('\\');
            }
            match paste::plain(c) {
                Some(plain) => out.push_str(plain),
                None => out.push(c),
            }
            if self.hosts.iter().any(|host| host.end == at + 1) {
                out.push_str(port);
            }
        }
        out
    }
}

/// Whether an expression is words and tags only: more than one word, or what joins them.
fn is_text(inner: &str) -> bool {
    let mut letters = false;
    let mut joined = false;
    let mut at = 0;
    while let Some(c) = inner[at..].chars().next() {
        let tag = HOSTS.iter().find(|tag| inner[at..].starts_with(**tag));
        match (tag, c) {
            (Some(tag), _) => {
                joined = true;
                at += tag.len();
                continue;
            }
            (None, ' ' | '/' | '\'' | '"' | ':' | ',' | ';' | '=' | '!' | '@') => joined = true,
            (None, '-' | '_') => {}
            (None, c) if c.is_alphanumeric() => letters |= c.is_alphabetic(),
            _ => return false,
        }
        at += c.len_utf8();
    }
    letters && joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Vec<&str> {
        of(text).literal_groups().map(|group| &text[group]).collect()
    }

    #[test]
    fn parentheses_of_the_line_are_found() {
        assert_eq!(groups("peer (from <HOST>) x"), ["(from <HOST>)"]);
        assert_eq!(groups(r"error (permit/deny) [(a b)]"), ["(permit/deny)"]);
        for fine in [
            r"\(from <HOST>\)",
            "(a b|c)",
            "(a b)?",
            "(?:a b)",
            "(user)",
            r"(a b) \1",
            "(.* b)",
            "(<HOST>)",
            "(?P<x>a b)",
        ] {
            assert_eq!(groups(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn what_strangers_may_choose_is_found() {
        for (text, expected) in [
            ("from '.*' for '<HOST>' - no", Some(6)),
            ("from '.*' for '<HOST>' - no$", None),
            ("from '.*' for '<HOST>' .*$", Some(6)),
            ("from '.*?' for '<HOST>' - no", None),
            (r"from \.* for <HOST>", None),
            ("from [.*] for <HOST>", None),
            ("from .* x$ for <HOST>", None),
            ("from <HOST> for .*", None),
        ] {
            let shape = of(text);
            let found = shape.greedy(&shape.hosts[0]);
            assert_eq!(found.map(|range| range.start), expected, "{text}");
        }
    }

    #[test]
    fn names_of_channels_and_callers_are_found() {
        for (text, channel, domain) in [
            ("VERBOSE.*SIP/<HOST>-.* x", Some("SIP/<HOST>"), None),
            ("IAX2/(?:<HOST>)-", Some("IAX2/(?:<HOST>"), None),
            ("SIP/<HOST> x", None, None),
            ("Failed to authenticate user .*@<HOST>.*", None, Some("@<HOST>")),
            ("login of .+@<HOST>", None, None),
        ] {
            let shape = of(text);
            let host = shape.hosts[0].clone();
            assert_eq!(shape.channel(&host).map(|range| &text[range]), channel, "{text}");
            assert_eq!(shape.domain(&host).map(|range| &text[range]), domain, "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_written() {
        let shape = of("no ‘ñ’ (from <HOST>)");
        assert_eq!(shape.meant("(?::x)?"), r"no 'ñ' \(from <HOST>(?::x)?\)");
        assert_eq!(shape.meant(""), r"no 'ñ' \(from <HOST>\)");
    }
}
