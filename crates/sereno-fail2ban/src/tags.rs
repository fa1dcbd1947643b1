//! `<name>` in the options of filters and actions.
//!
//! Each option's tags are replaced by the options of that name (`jail.conf(5)`, "Tags"), again and
//! again: a tag may be made of others, as in `<a-<b>>`. A tag that no option is called stays: the
//! server fills it in for each ban (`<ip>`), or it is none (`cat <file`). With a condition such as
//! `family=inet6` the option `name?family=inet6` goes before `name`. An option that contains
//! itself, or one tag 25 times in turn, is an error.

use crate::budget::Budget;
use crate::dict::Dict;
use crate::problem::{Wrong, quote};
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How often one tag is replaced in one option.
const REPEATS: usize = 25;

/// Looks up what is no option of its own.
pub(crate) type Lookup<'l> = dyn FnMut(&str, &mut Budget) -> Result<Option<Text>, Wrong> + 'l;

/// The next tag at or after `from`, brackets included.
pub(crate) fn next(text: &str, from: usize) -> Option<Range<usize>> {
    let mut begin = None;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match (byte, begin) {
            (b'<', _) => begin = Some(at),
            (b' ', _) => begin = None,
            (b'>', Some(open)) if at > open + 1 => return Some(open..at + 1),
            (b'>', Some(_)) => begin = None,
            _ => {}
        }
    }
    None
}

/// Options with their tags replaced; those in `ignore` are neither changed nor put in.
pub(crate) fn substitute(
    options: &Dict<Text>,
    condition: Option<&str>,
    ignore: &BTreeSet<String>,
    lookup: &mut Lookup<'_>,
    budget: &mut Budget,
) -> Result<Dict<Text>, Wrong> {
    let mut tags = options.clone();
    let mut done = BTreeSet::new();
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    loop {
        let mut again = false;
        for name in options.keys() {
            if ignore.contains(name) || done.contains(name) {
                continue;
            }
            let Some(old) = tags.get(name) else { continue };
            let mut one = One {
                name,
                value: old.clone(),
                counts: counts.remove(name).unwrap_or_default(),
                changed: false,
            };
            one.replace(&tags, condition, ignore, lookup, budget)?;
            if one.changed && next(one.value.as_str(), 0).is_some() {
                again = true;
            }
            counts.insert(name.to_owned(), one.counts);
            if !one.value.as_str().contains('<') {
                done.insert(name.to_owned());
            }
            if one.changed {
                tags.insert(name, one.value);
            }
        }
        if !again {
            return Ok(tags);
        }
    }
}

/// One option at work.
struct One<'n> {
    name: &'n str,
    value: Text,
    /// How often each tag was replaced.
    counts: BTreeMap<String, usize>,
    changed: bool,
}

impl One<'_> {
    fn replace(
        &mut self,
        tags: &Dict<Text>,
        condition: Option<&str>,
        ignore: &BTreeSet<String>,
        lookup: &mut Lookup<'_>,
        budget: &mut Budget,
    ) -> Result<(), Wrong> {
        let before = self.value.clone();
        budget.pay(before.len(), 0, &before)?;
        let mut from = 0;
        while let Some(found) = next(self.value.as_str(), from) {
            let tag = self.value.as_str()[found.start + 1..found.end - 1].to_owned();
            budget.pay(found.end.saturating_sub(from), 0, &self.value)?;
            if ignore.contains(&tag) {
                from = found.end;
                continue;
            }
            if tag == self.name || self.counts.get(&tag).is_some_and(|count| *count > REPEATS) {
                return Err(self.circle(&tag, &found));
            }
            let special = condition.and_then(|condition| tags.get(&format!("{tag}?{condition}")));
            let text = match special.or_else(|| tags.get(&tag)) {
                Some(text) => Some(text.clone()),
                None => lookup(&tag, budget)?,
            };
            match text {
                None => from = found.end,
                Some(text) => {
                    self.put(&format!("<{tag}>"), &text, budget)?;
                    *self.counts.entry(tag).or_default() += 1;
                    from = found.start;
                }
            }
        }
        self.changed = self.value != before;
        Ok(())
    }

    /// Puts `text` in the place of every `tag`.
    fn put(&mut self, tag: &str, text: &Text, budget: &mut Budget) -> Result<(), Wrong> {
        let mut out = Text::default();
        let mut at = 0;
        for (begin, _) in self.value.as_str().match_indices(tag) {
            out.push(&self.value, at..begin);
            out.push_all(text);
            at = begin + tag.len();
            budget.pay(text.len() + tag.len(), out.len(), text)?;
        }
        out.push(&self.value, at..self.value.len());
        budget.pay(self.value.len(), out.len(), text)?;
        self.value = out;
        Ok(())
    }

    fn circle(&self, tag: &str, found: &Range<usize>) -> Wrong {
        let message = format!("{} contains itself through <{tag}>", quote(self.name));
        let remedy = "break the circle; what the option said before is <known/...>";
        Wrong::new(self.value.place(found.start), tag.chars().count() + 2, message, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(options: &[(&str, &str)], condition: Option<&str>) -> Result<Vec<String>, String> {
        let mut dict = Dict::default();
        for (name, value) in options {
            dict.insert(name, Text::plain(value));
        }
        let none = &mut |_: &str, _: &mut Budget| Ok(None);
        let ignore = BTreeSet::from(["matches".to_owned()]);
        let out = substitute(&dict, condition, &ignore, none, &mut Budget::new());
        let out = out.map_err(|wrong| wrong.message)?;
        Ok(out.iter().map(|(_, value)| value.as_str().to_owned()).collect())
    }

    #[test]
    fn tags_are_found() {
        for (text, tag) in [
            ("a <b> c", Some("<b>")),
            ("<a-<b>>", Some("<b>")),
            ("a < b> <c d> <e", None),
            ("<> <x\ny>", Some("<x\ny>")),
            ("<<a>", Some("<a>")),
        ] {
            assert_eq!(next(text, 0).map(|range| &text[range]), tag, "{text}");
        }
    }

    #[test]
    fn tags_are_filled_in() {
        let options = [("a", "<b>-<c-<d>> <HOST>"), ("b", "1"), ("c-x", "<b>2"), ("d", "x")];
        assert_eq!(filled(&options, None).unwrap(), ["1-12 <HOST>", "1", "12", "x"]);
        let options =
            [("a", "<b> <matches>"), ("b", "4"), ("b?family=inet6", "6"), ("matches", "m")];
        assert_eq!(filled(&options, Some("family=inet6")).unwrap()[0], "6 <matches>");
        assert_eq!(filled(&options, None).unwrap()[0], "4 <matches>");
    }

    #[test]
    fn circles_and_bombs_are_errors() {
        assert!(filled(&[("a", "<b>"), ("b", "<a>")], None).unwrap_err().contains("itself"));
        assert!(filled(&[("a", "x<a>")], None).unwrap_err().contains("itself"));
        let names: Vec<String> = (0..30).map(|level| format!("a{level}")).collect();
        let values: Vec<String> = (0..30).map(|level| format!("<a{0}><a{0}>", level + 1)).collect();
        let bomb: Vec<(&str, &str)> = names
            .iter()
            .zip(&values)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut bomb = bomb;
        bomb.push(("a30", "xxxxxxxxxxxxxxxx"));
        assert!(filled(&bomb, None).unwrap_err().contains("1 MiB"));
    }
}
