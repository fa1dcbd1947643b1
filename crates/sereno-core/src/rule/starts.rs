//! Which patterns a text can match, by the way it begins.
//!
//! Most patterns of a rule begin with a literal, and many with nearly the same one
//! (`SecurityEvent="...`). A tree of these literals is walked once per text; what is left to be
//! matched is a pattern or two.

use crate::bytes;

/// One bit per pattern; patterns beyond the last bit are not in it.
pub(crate) type Mask = u128;

/// A tree of literals. What two of them share stands in it once.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    label: Vec<u8>,
    /// The patterns whose literal ends here.
    ends: Mask,
    /// First bytes of the labels of `next`.
    firsts: Vec<u8>,
    next: Vec<Self>,
}

impl Starts {
    /// Adds a literal that texts of the patterns in `mask` can begin with.
    pub(crate) fn add(&mut self, literal: &[u8], mask: Mask) {
        let Some(first) = literal.first() else {
            self.ends |= mask;
            return;
        };
        let Some(at) = memchr::memchr(*first, &self.firsts) else {
            self.firsts.push(*first);
            self.next.push(Self { label: literal.to_vec(), ends: mask, ..Self::default() });
            return;
        };
        let child = &mut self.next[at];
        let shared = child.label.iter().zip(literal).take_while(|(a, b)| a == b).count();
        if shared < child.label.len() {
            child.split(shared);
        }
        child.add(&literal[shared..], mask);
    }

    /// Cuts the label, and hangs everything below the cut.
    fn split(&mut self, at: usize) {
        let tail = self.label.split_off(at);
        let lower = Self {
            ends: std::mem::take(&mut self.ends),
            firsts: std::mem::take(&mut self.firsts),
            next: std::mem::take(&mut self.next),
            label: tail,
        };
        self.firsts.extend(lower.label.first());
        self.next.push(lower);
    }

    /// The patterns that a text may match.
    pub(crate) fn of(&self, text: &[u8]) -> Mask {
        let (mut node, mut rest, mut found) = (self, text, self.ends);
        // There are few, and looking at them costs less than a call.
        let place = |node: &Self, byte| node.firsts.iter().position(|first| *first == byte);
        while let Some(at) = rest.first().and_then(|first| place(node, *first)) {
            node = &node.next[at];
            if !bytes::has(rest, 0, &node.label) {
                break;
            }
            rest = &rest[node.label.len()..];
            found |= node.ends;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The tree against asking every literal.
        #[test]
        fn says_what_every_literal_says(
            literals in proptest::collection::vec("[ab]{0,5}", 0..20),
            text in "[abc]{0,8}",
        ) {
            let mut starts = Starts::default();
            let mut plain = 0;
            for (index, literal) in literals.iter().enumerate() {
                starts.add(literal.as_bytes(), 1 << index);
                plain |= Mask::from(text.starts_with(literal.as_str())) << index;
            }
            prop_assert_eq!(starts.of(text.as_bytes()), plain);
        }
    }
}
