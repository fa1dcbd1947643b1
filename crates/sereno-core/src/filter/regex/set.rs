//! Sets of characters as Python 3 has them.
//!
//! `\w` is letters, numbers of all kinds and `_`; no combining marks. `\s` is Unicode's white space
//! and U+001C to U+001F. Without case means: the same when made small and then large, which joins
//! `i` with `İ` and `ı`, `s` with `ſ` and `k` with the Kelvin sign.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use std::sync::OnceLock;

/// What letters count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Only equal ones.
    Exact,
    /// `i` with `a`.
    Ascii,
    /// `i`.
    Unicode,
}

/// `\d`, `\s`, `\w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Digit,
    Space,
    Word,
}

impl Kind {
    fn ascii(self) -> u128 {
        let bits = |from: u8, to: u8| range_bits(u32::from(from), u32::from(to));
        match self {
            Self::Digit => bits(b'0', b'9'),
            Self::Space => bits(9, 13) | bits(0x1c, b' '),
            Self::Word => bits(b'0', b'9') | bits(b'a', b'z') | bits(b'A', b'Z') | bits(b'_', b'_'),
        }
    }

    /// The members beyond ASCII; read from the tables once.
    fn high(self) -> &'static [(char, char)] {
        static TABLES: [OnceLock<Vec<(char, char)>>; 3] = [const { OnceLock::new() }; 3];
        let (table, pattern) = match self {
            Self::Digit => (&TABLES[0], r"[\p{Nd}&&[^\x00-\x7f]]"),
            Self::Space => (&TABLES[1], r"[\s&&[^\x00-\x7f]]"),
            Self::Word => (&TABLES[2], r"[[\p{L}\p{N}]&&[^\x00-\x7f]]"),
        };
        table.get_or_init(|| {
            let class = regex_syntax::parse(pattern).ok().map(regex_syntax::hir::Hir::into_kind);
            match class {
                Some(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(
                    class,
                ))) => class.iter().map(|range| (range.start(), range.end())).collect(),
                _ => Vec::new(),
            }
        })
    }
}

/// Members beyond ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum High {
    None,
    All,
    Kind { kind: Kind, negated: bool },
    Ranges(Box<[(char, char)]>),
}

/// A set of characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Set {
    ascii: u128,
    high: High,
}

impl Set {
    /// `.`: everything but a line break, or everything.
    pub(super) fn dot(all: bool) -> Self {
        let ascii = if all { u128::MAX } else { !(1 << b'\n') };
        Self { ascii, high: High::All }
    }

    /// One character and what counts as the same.
    pub(super) fn of(c: char, fold: Fold) -> Self {
        let mut builder = Builder::default();
        builder.range(u32::from(c), u32::from(c));
        builder.finish(false, fold)
    }

    #[inline]
    pub(super) fn has_ascii(&self, byte: u8) -> bool {
        let half = if byte < 0x40 { self.ascii as u64 } else { (self.ascii >> 64) as u64 };
        byte < 0x80 && half >> (byte & 0x3f) & 1 == 1
    }

    /// The only character that is no member, if it is just one, of ASCII.
    pub(super) fn all_but(&self) -> Option<u8> {
        let others = !self.ascii;
        (others.count_ones() == 1 && self.high == High::All).then(|| others.trailing_zeros() as u8)
    }

    pub(super) fn has(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.has_ascii(c as u8);
        }
        match &self.high {
            High::None => false,
            High::All => true,
            High::Kind { kind, negated } => within(kind.high(), c) != *negated,
            High::Ranges(ranges) => within(ranges, c),
        }
    }

    /// Whether it has members beyond ASCII; in doubt it has.
    pub(super) fn has_high(&self) -> bool {
        self.high != High::None
    }

    /// The members, if they are no more than four.
    pub(super) fn few(&self) -> Option<Vec<char>> {
        let mut all: Vec<char> =
            (0..0x80u8).filter(|byte| self.has_ascii(*byte)).map(char::from).take(5).collect();
        match &self.high {
            High::None => {}
            High::Ranges(ranges) => all.extend(ranges.iter().flat_map(|r| r.0..=r.1).take(5)),
            _ => return None,
        }
        (all.len() <= 4).then_some(all)
    }

    /// The only member, if there is just one.
    pub(super) fn single(&self) -> Option<char> {
        match &self.high {
            High::None if self.ascii.count_ones() == 1 => {
                Some(char::from(self.ascii.trailing_zeros() as u8))
            }
            High::Ranges(ranges) if self.ascii == 0 => match **ranges {
                [(from, to)] if from == to => Some(from),
                _ => None,
            },
            _ => None,
        }
    }
}

fn within(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|range| range.0 <= c);
    after > 0 && c <= ranges[after - 1].1
}

fn range_bits(from: u32, to: u32) -> u128 {
    let upto = |n: u32| if n > 127 { u128::MAX } else { (1 << n) - 1 };
    upto(to.saturating_add(1)) & !upto(from)
}

/// A set being put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    ascii: u128,
    kinds_ascii: u128,
    ranges: Vec<ClassUnicodeRange>,
    kinds: Vec<(Kind, bool)>,
    all_high: bool,
}

impl Builder {
    /// Adds code points. Those that no text has, halves of surrogate pairs, are left out.
    pub(super) fn range(&mut self, from: u32, to: u32) {
        if from < 0x80 {
            self.ascii |= range_bits(from, to.min(0x7f));
        }
        let from = if (0xd800..0xe000).contains(&from) { 0xe000 } else { from.max(0x80) };
        let to = if (0xd800..0xe000).contains(&to) { 0xd7ff } else { to };
        if let (Some(from), Some(to)) = (char::from_u32(from), char::from_u32(to))
            && from <= to
        {
            self.ranges.push(ClassUnicodeRange::new(from, to));
        }
    }

    /// Adds `\d`, `\s`, `\w` or, negated, `\D`, `\S`, `\W`.
    pub(super) fn kind(&mut self, kind: Kind, negated: bool, ascii_only: bool) {
        let mut ascii = kind.ascii();
        if kind == Kind::Space && ascii_only {
            // The separators of files, groups, records and units are space in Unicode only.
            ascii &= !range_bits(0x1c, 0x1f);
        }
        self.kinds_ascii |= if negated { !ascii } else { ascii };
        if !ascii_only {
            if !self.kinds.contains(&(kind, negated)) {
                self.kinds.push((kind, negated));
            }
        } else if negated {
            self.all_high = true;
        }
    }

    /// How much work [`Builder::finish`] has with it, in code points it goes through.
    pub(super) fn weight(&self, fold: Fold) -> u32 {
        let width = |range: &ClassUnicodeRange| range.end() as u32 - range.start() as u32 + 1;
        let folded = if fold == Fold::Unicode { self.ranges.iter().map(width).sum() } else { 0 };
        let mixed = self.kinds.len() + usize::from(!self.ranges.is_empty()) > 1;
        self.ranges.len() as u32 + folded + if mixed { 1500 } else { 0 }
    }

    pub(super) fn finish(mut self, negated: bool, fold: Fold) -> Set {
        self.fold(fold);
        let ascii = self.ascii | self.kinds_ascii;
        let high = self.high();
        if !negated {
            return Set { ascii, high };
        }
        let high = match high {
            High::None => High::All,
            High::All => High::None,
            High::Kind { kind, negated } => High::Kind { kind, negated: !negated },
            High::Ranges(ranges) => {
                let mut class =
                    ClassUnicode::new(ranges.iter().map(|r| ClassUnicodeRange::new(r.0, r.1)));
                class.negate();
                narrow(class)
            }
        };
        Set { ascii: !ascii, high }
    }

    /// Adds what counts as the same.
    fn fold(&mut self, fold: Fold) {
        if fold == Fold::Exact {
            return;
        }
        let small = range_bits(u32::from(b'a'), u32::from(b'z'));
        // A capital stands 32 places before its small letter.
        self.ascii |= (self.ascii & small) >> 32 | (self.ascii & small >> 32) << 32;
        if fold == Fold::Ascii {
            return;
        }
        if !self.ranges.is_empty() {
            let mut class = ClassUnicode::new(self.ranges.iter().copied());
            // It fails only without its tables, and then letters of ASCII are all there is.
            let _ = class.try_case_fold_simple();
            let dotted = |range: &ClassUnicodeRange| range.start() <= 'ı' && 'İ' <= range.end();
            if class.iter().any(dotted) {
                self.ascii |= range_bits(u32::from(b'i'), u32::from(b'i'));
                self.ascii |= range_bits(u32::from(b'I'), u32::from(b'I'));
            }
            self.ranges.clear();
            for range in class.iter() {
                self.range(u32::from(range.start()), u32::from(range.end()));
            }
        }
        for (letter, other) in [('i', 'İ'), ('i', 'ı'), ('s', 'ſ'), ('k', '\u{212a}')] {
            if self.ascii >> (letter as u8) & 1 == 1 {
                self.ranges.push(ClassUnicodeRange::new(other, other));
            }
        }
    }

    fn high(&self) -> High {
        if self.all_high {
            return High::All;
        }
        match (self.ranges.is_empty(), self.kinds.as_slice()) {
            (true, []) => return High::None,
            (true, [(kind, negated)]) => return High::Kind { kind: *kind, negated: *negated },
            _ => {}
        }
        let mut class = ClassUnicode::new(self.ranges.iter().copied());
        for (kind, negated) in &self.kinds {
            let ranges = kind.high().iter().map(|r| ClassUnicodeRange::new(r.0, r.1));
            let mut other = ClassUnicode::new(ranges);
            if *negated {
                other.negate();
            }
            class.union(&other);
        }
        narrow(class)
    }
}

/// What of a class is beyond ASCII.
fn narrow(mut class: ClassUnicode) -> High {
    class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\u{80}', char::MAX)]));
    let ranges: Box<[_]> = class.iter().map(|range| (range.start(), range.end())).collect();
    match *ranges {
        [] => High::None,
        [('\u{80}', char::MAX)] => High::All,
        _ => High::Ranges(ranges),
    }
}

/// Whether `\w` has it.
pub(super) fn is_word(c: char, ascii_only: bool) -> bool {
    if c.is_ascii() {
        return Kind::Word.ascii() >> c as u32 & 1 == 1;
    }
    !ascii_only && within(Kind::Word.high(), c)
}
