//! Which literals a pattern cannot match without, read off its syntax tree.
//!
//! A line is looked at only if it holds one of these. The tree is the authority: a literal
//! taken from the pattern's text by eye or by string tricks is how whole classes of attacks
//! get lost. A property test (`super::tests`) holds gate and plain regex together.

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of literals of which every matching text holds at least one.
pub(crate) type Required = Vec<Vec<u8>>;

/// How many alternatives are worth carrying.
const WIDEST: usize = 24;

/// Fewer bytes are in too many texts.
const SHORTEST: usize = 3;

/// More bytes make none rarer.
const LONGEST: usize = 256;

/// What literals are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Bytes that may be in one.
    plain: fn(u8) -> bool,
    /// A place where at most so many characters may stand is written out with each of them.
    choices: usize,
    /// Bytes beyond which a literal is as rare as it gets.
    rare: usize,
}

/// Bytes that look the same in JSON and in plain text, as they stand in the pattern.
const RULES: Reader = Reader {
    plain: |byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\',
    choices: 1,
    rare: 12,
};

/// All bytes of a line, in small letters and capitals where these count as the same.
pub(crate) const LINES: Reader = Reader { plain: |byte| byte != b'\n', choices: 4, rare: 40 };

/// What may stand at one place of a literal.
type Choices = Vec<Vec<u8>>;

/// The best set of required literals of `hir`, or `None` when there is none worth having.
/// Only bytes that look the same in JSON and in plain text take part.
pub(super) fn required(hir: &Hir) -> Option<Required> {
    RULES.required(hir)
}

/// The same of what stands behind the first part for which `is` holds: many texts begin like the
/// pattern and end otherwise.
pub(super) fn required_behind(hir: &Hir, is: &impl Fn(&Hir) -> bool) -> Option<Required> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let at = parts.iter().position(is)?;
    RULES.concat(parts.get(at + 1..)?)
}

impl Reader {
    /// The best set of required literals of `hir`, or `None` when there is none worth having.
    pub(crate) fn required(self, hir: &Hir) -> Option<Required> {
        match hir.kind() {
            HirKind::Literal(literal) => self.best_run(&bytes(&literal.0)),
            HirKind::Capture(capture) => self.required(&capture.sub),
            HirKind::Repetition(repetition) if repetition.min >= 1 => {
                self.required(&repetition.sub)
            }
            HirKind::Alternation(branches) => {
                let mut all = Required::new();
                for branch in branches {
                    all.extend(self.required(branch)?);
                    if all.len() > 4 * WIDEST {
                        return None;
                    }
                }
                all.sort();
                all.dedup();
                (all.len() <= WIDEST).then_some(all)
            }
            HirKind::Concat(parts) => self.concat(parts),
            HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
        }
    }

    /// Longer is better, fewer is better.
    fn score(self, literals: &[Vec<u8>]) -> usize {
        self.score_of(literals.iter().map(Vec::len).min().unwrap_or(0), literals.len())
    }

    fn score_of(self, shortest: usize, literals: usize) -> usize {
        (shortest.min(self.rare) * 8).saturating_sub(literals)
    }

    /// Neighbouring literals (and classes of few bytes) of a sequence are one literal; of all the
    /// candidates in a sequence, the best one decides.
    fn concat(self, parts: &[Hir]) -> Option<Required> {
        let mut best: Option<Required> = None;
        let mut run = Vec::new();
        let mut consider = |candidate: Option<Required>| {
            if let Some(candidate) = candidate
                && best.as_ref().is_none_or(|best| self.score(&candidate) > self.score(best))
            {
                best = Some(candidate);
            }
        };
        for part in parts {
            match self.places(part) {
                Some(places) => run.extend(places),
                None => {
                    consider(self.best_run(&run));
                    run.clear();
                    consider(self.required(part));
                }
            }
        }
        consider(self.best_run(&run));
        best
    }

    /// The places of a part that is a literal, or one of few.
    fn places(self, hir: &Hir) -> Option<Vec<Choices>> {
        if let Some(literal) = single(hir) {
            return Some(bytes(&literal));
        }
        let options: Choices = match hir.kind() {
            HirKind::Class(Class::Bytes(class)) => {
                let all = class.ranges().iter().flat_map(|range| range.start()..=range.end());
                all.take(self.choices + 1).map(|byte| vec![byte]).collect()
            }
            HirKind::Class(Class::Unicode(class)) => {
                let all = class.ranges().iter().flat_map(|range| range.start()..=range.end());
                let utf8 = |c: char| c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                all.take(self.choices + 1).map(utf8).collect()
            }
            HirKind::Concat(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(|part| self.places(part)).collect();
                return all.map(|all| all.concat());
            }
            HirKind::Alternation(branches) if branches.len() <= self.choices => {
                let mut all = Choices::new();
                for branch in branches {
                    let places = self.places(branch)?;
                    let ways = places.iter().try_fold(1, |ways: usize, place| {
                        ways.checked_mul(place.len()).filter(|ways| *ways <= self.choices)
                    });
                    ways?;
                    all.extend(fill(&places));
                }
                all
            }
            _ => return None,
        };
        // What nothing can fill is no place of a literal.
        (1..=self.choices).contains(&options.len()).then(|| vec![options])
    }

    /// The best stretch of places of which all ways to fill them are few.
    fn best_run(self, run: &[Choices]) -> Option<Required> {
        let plain = |place: &Choices| place.iter().flatten().all(|byte| (self.plain)(*byte));
        let (mut best, mut best_score) = (None, 0);
        for stretch in run.split(|place| !plain(place)) {
            let (mut from, mut ways, mut length) = (0, 1, 0);
            for (to, place) in stretch.iter().enumerate() {
                ways *= place.len();
                length += shortest(place);
                while from < to && (ways > WIDEST || length > LONGEST) {
                    ways /= stretch[from].len();
                    length -= shortest(&stretch[from]);
                    from += 1;
                }
                let score = self.score_of(length, ways);
                // Of the windows that grow into each other the longest.
                if length >= SHORTEST && (score, length) >= best_score_of(best_score, &best) {
                    (best, best_score) = (Some(&stretch[from..=to]), score);
                }
            }
        }
        best.map(fill)
    }
}

fn best_score_of(score: usize, best: &Option<&[Choices]>) -> (usize, usize) {
    (score, best.map_or(0, |best| best.iter().map(shortest).sum()))
}

/// The bytes of what may stand at a place, at least.
fn shortest(place: &Choices) -> usize {
    place.iter().map(Vec::len).min().unwrap_or(0)
}

/// Each byte a place of its own.
fn bytes(literal: &[u8]) -> Vec<Choices> {
    literal.iter().map(|byte| vec![vec![*byte]]).collect()
}

/// All ways to fill the places.
fn fill(places: &[Choices]) -> Required {
    let mut all = vec![Vec::new()];
    for place in places {
        let longer = |head: &Vec<u8>| {
            place.iter().map(|tail| [head.as_slice(), tail].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn single(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Class(Class::Bytes(class)) => class.literal(),
        HirKind::Class(Class::Unicode(class)) => class.literal(),
        _ => None,
    }
}

/// Literals of which every matching text starts with one; an empty one when nothing is known.
pub(crate) fn starts(hir: &Hir) -> Vec<Vec<u8>> {
    let prefix = prefix(hir);
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_total(32).limit_literal_len(64);
    let found = extractor.extract(hir);
    let all = found.literals().unwrap_or_default();
    let shortest = all.iter().map(|literal| literal.len()).min().unwrap_or(0);
    if shortest <= prefix.len() {
        return vec![prefix];
    }
    all.iter().map(|literal| literal.as_bytes().to_vec()).collect()
}

/// The literal that every matching text starts with.
pub(super) fn prefix(hir: &Hir) -> Vec<u8> {
    let mut found = Vec::new();
    walk_prefix(hir, &mut found);
    found
}

/// Returns whether the walk may go on behind `hir`.
fn walk_prefix(hir: &Hir, found: &mut Vec<u8>) -> bool {
    if let Some(bytes) = single(hir) {
        found.extend_from_slice(&bytes);
        return true;
    }
    match hir.kind() {
        HirKind::Look(_) | HirKind::Empty => true,
        HirKind::Concat(parts) => parts.iter().all(|part| walk_prefix(part, found)),
        HirKind::Capture(capture) => walk_prefix(&capture.sub, found),
        _ => false,
    }
}

/// Whether what a part matches has no line break in it.
pub(super) fn within_line(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => !literal.0.contains(&b'\n'),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| !(range.start()..=range.end()).contains(&b'\n'))
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().all(|range| !(range.start()..=range.end()).contains(&'\n'))
        }
        HirKind::Repetition(repetition) => within_line(&repetition.sub),
        HirKind::Capture(capture) => within_line(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(within_line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .unicode(false)
            .build()
            .parse(pattern)
            .unwrap();
        required(&hir)
            .map(|all| all.iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect())
    }

    #[test]
    fn alternations_need_one_of_all_branches() {
        assert_eq!(
            of("x(?:InvalidPassword|FailedACL)y").unwrap(),
            ["FailedACL", "InvalidPassword"]
        );
        assert_eq!(of("(?:abcd|e*)f"), None);
        assert_eq!(of("auth (?:failed-long|bad) x").unwrap(), ["auth "]);
    }

    #[test]
    fn branches_of_few_words_are_written_out() {
        let lines = |pattern: &str| {
            let mut hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
            let found = LINES.required(&hir.parse(pattern).unwrap()).unwrap();
            found.iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect::<Vec<_>>()
        };
        let all = ["illegal user ", "invalid user ", "Illegal user ", "Invalid user "];
        let mut found = lines(r"^[iI](?:llegal|nvalid) user \S");
        found.sort();
        assert_eq!(found, [all[2], all[3], all[0], all[1]]);
        assert_eq!(lines("user=(?:failed|failure|)x"), ["user="]);
    }

    #[test]
    fn optional_parts_are_not_required() {
        assert_eq!(of("(?:Failed password )?from x").unwrap(), ["from x"]);
        assert_eq!(of("[0-9]+"), None);
        assert_eq!(of("(?:abcdef)+").unwrap(), ["abcdef"]);
    }

    #[test]
    fn bytes_that_json_escapes_are_left_out() {
        assert_eq!(of("SecurityEvent=\"FailedACL\",x").unwrap(), ["SecurityEvent="]);
    }
}
