//! `name[key=value, key="a, b"][key='..']`: what a jail says about its filter and its actions.
//!
//! The name is everything before the first `[`. A value in quotes may have commas and brackets in
//! it; one without ends at a comma or `]`. `][` separates as a comma does (`jail.conf(5)`, option
//! `action`). A key may have a condition: `blocktype?family=inet6="..."`.

use crate::dict::Dict;
use crate::paste;
use crate::problem::Wrong;
use crate::text::{Text, is_blank, is_word};

/// A name and what stands in its brackets.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: Text,
    pub(crate) params: Dict<Text>,
}

/// Reads one name with its brackets.
pub(crate) fn parse(text: &Text) -> Result<Call, Wrong> {
    let all = text.as_str();
    let open = all.find('[').unwrap_or(all.len());
    let name = text.slice(0..open);
    if open == 0 {
        return Err(Wrong::of(text, "a name is missing before the [", "write name[key=value]"));
    }
    let mut params = Dict::default();
    if open < all.len() {
        let trimmed = all.trim_end_matches(is_blank);
        if !trimmed.ends_with(']') || trimmed.len() < open + 2 {
            return Err(unclosed(text, open));
        }
        let mut reader = Reader { text, at: open + 1, end: trimmed.len() - 1 };
        while let Some((key, value)) = reader.pair()? {
            params.insert(&key, value);
        }
    }
    Ok(Call { name, params })
}

fn unclosed(text: &Text, open: usize) -> Wrong {
    match text.as_str().rfind(']') {
        Some(close) if close > open => {
            let message = "behind the last ] there is something that belongs to nothing";
            let remedy = "take it out; a remark stands behind a ; with a blank before it";
            Wrong::new(text.place(close + 1), 1, message, remedy)
        }
        _ => {
            let message = "this [ is not closed";
            let remedy = "write ] behind the last value; lines that go on must begin with blanks";
            Wrong::new(text.place(open), 1, message, remedy)
        }
    }
}

struct Reader<'t> {
    text: &'t Text,
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.as_str().get(self.at..self.end).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        self.at = self.end - self.rest().trim_start_matches(is_blank).len();
    }

    fn pair(&mut self) -> Result<Option<(String, Text)>, Wrong> {
        self.skip_blanks();
        let rest = self.rest();
        // A comma at the end is allowed.
        if rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(is_blank).is_empty() {
            return Ok(None);
        }
        let Some(key) = key(rest) else {
            return Err(self.wrong(rest, "a name, = and a value are expected here"));
        };
        let key = key.to_owned();
        self.at += key.len() + 1;
        let value = self.value()?;
        let rest = self.rest();
        let after = rest.strip_prefix(',').or_else(|| {
            rest.strip_prefix(']')
                .and_then(|rest| rest.trim_start_matches(is_blank).strip_prefix('['))
        });
        match after {
            Some(after) => self.at = self.end - after.len(),
            None if rest.is_empty() => {}
            None => {
                let message = format!("behind the value of {key} a comma or ] is expected");
                return Err(self.wrong(rest, &message));
            }
        }
        Ok(Some((key, value)))
    }

    fn value(&mut self) -> Result<Text, Wrong> {
        let rest = self.rest();
        let begin = self.at;
        if let Some(mark) = rest.chars().next().filter(|c| *c == '"' || *c == '\'') {
            let Some(close) = rest[1..].find(mark) else {
                return Err(self.wrong(rest, &format!("this {mark} is not closed")));
            };
            self.at += close + 2;
            return Ok(self.text.trimmed(begin + 1..begin + 1 + close));
        }
        if paste::bent(rest.split([',', ']']).next().unwrap_or("")) {
            return Err(self.wrong(rest, "typographic quotes do not quote"));
        }
        let end = rest.find([',', ']']).unwrap_or(rest.len());
        self.at += end;
        Ok(self.text.trimmed(begin..begin + end))
    }

    fn wrong(&self, rest: &str, message: &str) -> Wrong {
        let width = rest.lines().next().unwrap_or("").chars().count();
        let remedy = "write name[key=value, key2=\"a, b\"], with straight quotes";
        Wrong::new(self.text.place(self.at), width, message, remedy)
    }
}

/// The key that a text begins with, if `=` follows it.
fn key(text: &str) -> Option<&str> {
    let in_key = |c: char| is_word(c) || c == '-' || c == '.';
    let plain = text.find(|c| !in_key(c)).filter(|end| *end > 0)?;
    let end = if text[plain..].starts_with('?') {
        // The condition is itself `name=value`.
        let condition = plain + 1;
        let equals = condition + text[condition..].find(|c| !in_key(c))?;
        let value = equals + text[equals..].strip_prefix('=').map(|_| 1)?;
        value + text[value..].find(|c| !in_key(c))?
    } else {
        plain
    };
    text[end..].starts_with('=').then(|| &text[..end])
}

/// Cuts a list of names with brackets into one piece for each: at blanks and line breaks outside
/// of brackets.
pub(crate) fn split(text: &Text) -> Vec<Text> {
    let all = text.as_str();
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        at = all.len() - all[at..].trim_start_matches(is_blank).len();
        if at == all.len() {
            return pieces;
        }
        let end = piece(all, at);
        pieces.push(text.slice(at..end));
        at = end;
    }
}

/// Where the piece that begins at `at` ends.
fn piece(all: &str, at: usize) -> usize {
    let word = at + all[at..].find(|c| c == '[' || is_blank(c)).unwrap_or(all.len() - at);
    let open = word + blanks(&all[word..]);
    // A bracket may stand behind blanks, but not alone.
    let bracket =
        if word > at && all[open..].starts_with('[') { brackets(all, open) } else { None };
    let bare = || at + all[at..].find(is_blank).unwrap_or(all.len() - at);
    bracket.unwrap_or_else(bare)
}

/// Where the brackets that begin at `open` end, if they are well-formed and a blank or nothing
/// follows. Of `[..] [..]` as much as is well-formed.
fn brackets(all: &str, open: usize) -> Option<usize> {
    let mut at = open + 1;
    let mut end = None;
    loop {
        at += blanks(&all[at..]);
        if all[at..].starts_with(']') {
            let close = at + 1;
            if all[close..].chars().next().is_none_or(is_blank) {
                end = Some(close);
            }
            return end;
        }
        let Some(key) = key(&all[at..]) else { return end };
        at = value_end(all, at + key.len() + 1);
        at += blanks(&all[at..]);
        let rest = &all[at..];
        if rest.starts_with(',') {
            at += 1;
        } else if let Some(after) = rest.strip_prefix(']') {
            let next = blanks(after);
            if after[next..].starts_with('[') {
                if next > 0 || after.is_empty() {
                    end = Some(at + 1);
                }
                at += 1 + next + 1;
            }
        } else if rest.is_empty() {
            return end;
        }
    }
}

/// Where a value ends: behind its closing quote, or before a comma or `]`.
fn value_end(all: &str, at: usize) -> usize {
    let rest = &all[at..];
    let plain = || at + rest.find([',', ']']).unwrap_or(rest.len());
    let Some(mark) = rest.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        return plain();
    };
    let Some(close) = rest[1..].find(mark) else { return plain() };
    let end = at + close + 2;
    let after = &all[end..][blanks(&all[end..])..];
    if after.is_empty() || after.starts_with([',', ']']) || key(after).is_some() {
        end
    } else {
        plain()
    }
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_blank).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Place;

    fn at(text: &str) -> Text {
        Text::at(text, Place { file: 0, line: 1, column: 1 })
    }

    fn shown(text: &str) -> String {
        match parse(&at(text)) {
            Ok(call) => {
                let params =
                    call.params.iter().map(|(key, value)| format!("{key}={}", value.as_str()));
                format!("{}: {}", call.name.as_str(), params.collect::<Vec<_>>().join("|"))
            }
            Err(wrong) => {
                format!("{}: {}", wrong.place.map_or(0, |place| place.column), wrong.message)
            }
        }
    }

    #[test]
    fn parameters_are_read() {
        for (text, expected) in [
            ("sshd", "sshd: "),
            ("sshd[]", "sshd: "),
            ("sshd[mode=aggressive]", "sshd: mode=aggressive"),
            ("a[b=1, c=\"x, ]y\", d='\"' ,]", "24: behind the value of d a comma or ] is expected"),
            ("a[b=1, c=\"x, ]y\", d='\"',]", "a: b=1|c=x, ]y|d=\""),
            ("a[b= 1 ] [c.d-e=2][f=\n3]", "a: b=1|c.d-e=2|f=3"),
            ("a[b?family=inet6=\"x=y\"]", "a: b?family=inet6=x=y"),
            ("a[b=1, b=2]", "a: b=2"),
            ("a[b=1", "2: this [ is not closed"),
            ("a[b=1] x", "7: behind the last ] there is something that belongs to nothing"),
            ("[b=1]", "1: a name is missing before the ["),
            ("a[b]", "3: a name, = and a value are expected here"),
            ("a[b=“x”]", "5: typographic quotes do not quote"),
            ("a[b=\"x]", "5: this \" is not closed"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_are_cut_outside_of_brackets() {
        for (text, expected) in [
            ("a b\n c", vec!["a", "b", "c"]),
            ("a[x=1, y=\"b c\"]\nd[e=f g]", vec!["a[x=1, y=\"b c\"]", "d[e=f g]"]),
            ("a[x=1]\n[y=2] b", vec!["a[x=1]\n[y=2]", "b"]),
            ("a[x=1] [y] b", vec!["a[x=1]", "[y]", "b"]),
            ("a[x=1,\nb", vec!["a[x=1,", "b"]),
            ("a [x=1] b", vec!["a [x=1]", "b"]),
            ("a[x=1]b c", vec!["a[x=1]b", "c"]),
            ("", vec![]),
        ] {
            let pieces: Vec<Text> = split(&at(text));
            assert_eq!(pieces.iter().map(Text::as_str).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
