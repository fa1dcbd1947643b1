//! Which literals a pattern cannot match without, read off its syntax tree.
//!
//! A line is looked at only if it holds one of these. The tree is the authority: a literal
//! taken from the pattern's text by eye or by string tricks is how whole classes of attacks
//! get lost. A property test (`super::tests`) holds gate and plain regex together.

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of literals of which every matching text holds at least one.
pub(super) type Required = Vec<Vec<u8>>;

/// How many alternatives are worth carrying.
const WIDEST: usize = 24;

/// The best set of required literals of `hir`, or `None` when there is none worth having.
/// Only bytes that look the same in JSON and in plain text take part.
pub(super) fn required(hir: &Hir) -> Option<Required> {
    match hir.kind() {
        HirKind::Literal(literal) => best_run(&literal.0).map(|run| vec![run]),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min >= 1 => required(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut all = Required::new();
            for branch in branches {
                all.extend(required(branch)?);
            }
            all.sort();
            all.dedup();
            (all.len() <= WIDEST).then_some(all)
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Neighbouring literals (and classes of one byte) of a sequence are one literal; of all the
/// candidates in a sequence, the best one decides.
fn concat(parts: &[Hir]) -> Option<Required> {
    let mut best: Option<Required> = None;
    let mut run = Vec::new();
    let mut consider = |candidate: Option<Required>| {
        if let Some(candidate) = candidate
            && best.as_ref().is_none_or(|best| score(&candidate) > score(best))
        {
            best = Some(candidate);
        }
    };
    for part in parts {
        match single(part) {
            Some(bytes) => run.extend_from_slice(&bytes),
            None => {
                consider(best_run(&run).map(|run| vec![run]));
                run.clear();
                consider(required(part));
            }
        }
    }
    consider(best_run(&run).map(|run| vec![run]));
    best
}

fn single(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Class(Class::Bytes(class)) => class.literal(),
        HirKind::Class(Class::Unicode(class)) => class.literal(),
        _ => None,
    }
}

/// The longest stretch of bytes that JSON does not escape; at least three of them.
fn best_run(bytes: &[u8]) -> Option<Vec<u8>> {
    let plain = |b: &u8| (0x20..0x7f).contains(b) && *b != b'"' && *b != b'\\';
    bytes
        .split(|b| !plain(b))
        .map(<[u8]>::to_vec)
        .filter(|run| run.len() >= 3)
        .max_by_key(|run| score(std::slice::from_ref(run)))
}

/// Longer is better, fewer is better. Beyond some length a literal is as rare as it gets.
fn score(literals: &[Vec<u8>]) -> usize {
    let shortest = literals.iter().map(Vec::len).min().unwrap_or(0).min(12);
    (shortest * 8).saturating_sub(literals.len())
}

/// Literals of which every matching text starts with one; an empty one when nothing is known.
pub(super) fn starts(hir: &Hir) -> Vec<Vec<u8>> {
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
