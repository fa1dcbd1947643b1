//! Short stretches of bytes, compared and looked at without a call: most words of a log line are
//! shorter than what a call costs.

/// Whether two stretches are the same.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && same_length(a, b)
}

/// Whether `text` has `word` at this place.
#[inline]
pub(crate) fn has(text: &[u8], at: usize, word: &[u8]) -> bool {
    text.get(at..)
        .and_then(|rest| rest.get(..word.len()))
        .is_some_and(|part| same_length(part, word))
}

/// Both ends are compared, which overlap in the middle.
#[inline]
fn same_length(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        0 => true,
        1..4 => a.iter().zip(b).all(|(a, b)| a == b),
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..16 => ends::<8>(a) == ends::<8>(b),
        16..32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

#[inline]
fn ends<const N: usize>(text: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((*text.first_chunk()?, *text.last_chunk()?))
}

/// The sixteen bytes from `at` on, the first in the lowest place; zeros behind the end.
#[inline]
pub(crate) fn sixteen(text: &[u8], at: usize) -> u128 {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return u128::from_le_bytes(*whole);
    }
    if rest.is_empty() {
        return 0;
    }
    match text.last_chunk() {
        Some(last) => u128::from_le_bytes(*last) >> (8 * (16 - rest.len())),
        None => fewer(rest),
    }
}

/// The same of a text that is shorter: both ends of it, which overlap in the middle.
#[inline(never)]
fn fewer(text: &[u8]) -> u128 {
    let both = |first: u64, last: u64, width: usize| {
        u128::from(first) | u128::from(last) << (8 * (text.len() - width))
    };
    match (text.first_chunk(), text.last_chunk(), text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last), ..) => {
            both(u64::from_le_bytes(*first), u64::from_le_bytes(*last), 8)
        }
        (_, _, Some(first), Some(last)) => {
            both(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into(), 4)
        }
        _ => text.iter().rev().fold(0, |all, byte| all << 8 | u128::from(*byte)),
    }
}

/// The number that these digits make; `None` where it is too large, or is none.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u16> {
    let (mut value, mut wrong) = (0u32, !(1..=5).contains(&digits.len()));
    for byte in digits.iter().take(5) {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        value = value * 10 + u32::from(digit);
    }
    if wrong {
        return std::str::from_utf8(digits).ok()?.parse().ok();
    }
    u16::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_slices_are_compared(a in "[ab]{0,40}", b in "[ab]{0,40}", at in 0usize..45) {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(same(a, b), a == b);
            prop_assert!(same(a, a));
            let there = a.get(at..).is_some_and(|rest| rest.starts_with(b));
            prop_assert_eq!(has(a, at, b), there);
            for cut in 0..a.len() {
                prop_assert!(has(a, cut, &a[cut..]));
                let mut other = a.to_vec();
                other[cut] ^= 1;
                prop_assert!(!same(a, &other));
            }
        }

        #[test]
        fn what_is_behind_the_end_is_zero(text in proptest::collection::vec(any::<u8>(), 0..40), at in 0usize..45) {
            let mut want = [0; 16];
            for (place, byte) in want.iter_mut().zip(text.iter().skip(at)) {
                *place = *byte;
            }
            prop_assert_eq!(sixteen(&text, at).to_le_bytes(), want);
        }

        #[test]
        fn numbers_are_those_of_std(digits in "[+]?[0-9]{0,7}:?") {
            prop_assert_eq!(number(digits.as_bytes()), digits.parse::<u16>().ok());
        }
    }
}
