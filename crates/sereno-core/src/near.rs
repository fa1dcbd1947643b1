//! Names that somebody may have meant.

/// Longest name compared; longer ones are no slip of the pen.
const LONGEST: usize = 48;
/// Candidates looked at; a list that is longer was made to take long.
const MOST: usize = 1000;

/// The candidate nearest to `word`, if it is near enough to be what was meant.
#[must_use]
pub fn nearest<'c>(word: &str, all: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let room = (word.chars().count() / 3).max(1);
    // Lengths alone rule most names out.
    let alike = |name: &&str| name.len().abs_diff(word.len()) <= room;
    let near =
        all.into_iter().take(MOST).filter(alike).map(|name| (distance(word, name), name)).min()?;
    (near.0 <= room).then_some(near.1)
}

/// How many letters must be inserted, dropped, replaced or swapped with their neighbour
/// (optimal string alignment). Case does not count, nor whether words are joined by `-`, `_`
/// or `.`.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > LONGEST || right.len() > LONGEST {
        return usize::MAX;
    }
    let fold = |c: char| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
    let left: Vec<char> = left.chars().map(fold).collect();
    let right: Vec<char> = right.chars().map(fold).collect();
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let changed = old[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = changed.min(old[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(older[j - 2] + 1);
            }
            row.push(best);
        }
        older = std::mem::replace(&mut old, row);
    }
    old.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_small_for_small_slips() {
        let pairs = [("", "", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("a", "", 1)];
        for (left, right, steps) in pairs {
            assert_eq!(distance(left, right), steps, "{left} {right}");
            assert_eq!(distance(right, left), steps, "{right} {left}");
        }
    }
}
