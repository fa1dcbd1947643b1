//! Remarks behind values.
//!
//! A remark stands behind a `;` with a blank before it, or on a line of its own. Many write `#`
//! behind a value, as shells have it; that is a part of the value then, and fail2ban takes the
//! whole for no number, for no path, for a filter that is not there, or for `false`.

use crate::problem::{Notes, Wrong};
use crate::text::{Text, is_blank};

/// What to write instead.
const REMEDY: &str =
    "a remark stands behind a ; with a blank before it, or on a line of its own behind #";

/// Places of one value that are tried.
const MOST: usize = 8;

/// What is said of a remark that begins at byte `at` of `value`.
pub(crate) fn wrong(value: &Text, at: usize) -> Wrong {
    let text = value.as_str().get(at..).unwrap_or("");
    let width = text.lines().next().unwrap_or("").chars().count();
    Wrong::new(value.place(at), width, "here # begins no remark, but it is taken for one", REMEDY)
}

/// Where remarks with `#` may begin.
fn candidates(text: &str) -> impl Iterator<Item = usize> {
    let mut blank = true;
    text.char_indices().filter_map(move |(at, c)| {
        let found = c == '#' && blank;
        blank = is_blank(c);
        found.then_some(at)
    })
}

/// Where a remark with `#` begins, if there is one.
pub(crate) fn begin(value: &Text) -> Option<usize> {
    candidates(value.as_str()).next()
}

/// Where the remark begins without which a value is good, if it is not good with it.
fn end(value: &Text, is_good: impl Fn(&Text) -> bool) -> Option<usize> {
    if value.as_str().contains('\n') || is_good(value) {
        return None;
    }
    candidates(value.as_str()).take(MOST).find(|at| is_good(&value.trimmed(0..*at)))
}

/// A value without the remark behind it, if it is good without and not with it.
pub(crate) fn cut(value: &Text, is_good: impl Fn(&Text) -> bool) -> Option<Text> {
    end(value, is_good).map(|at| value.trimmed(0..at))
}

/// The same; says so, and gives the value itself if there is nothing to cut off.
pub(crate) fn without(value: Text, notes: &mut Notes, is_good: impl Fn(&Text) -> bool) -> Text {
    match end(&value, is_good) {
        None => value,
        Some(at) => {
            notes.warn(wrong(&value, at));
            value.trimmed(0..at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_cut_off_what_is_good_without_them() {
        let number = |value: &Text| value.as_str().parse::<u8>().is_ok();
        for (text, expected) in [
            ("3 #three", Some("3")),
            ("3\t# three", Some("3")),
            ("3", None),
            ("3#three", None),
            ("x #three", None),
            ("3 #x\ny", None),
            ("#3", None),
        ] {
            let found = cut(&Text::plain(text), number);
            assert_eq!(found.as_ref().map(Text::as_str), expected, "{text}");
        }
        assert_eq!(cut(&Text::plain("3 #three"), |_| true), None);
    }
}
