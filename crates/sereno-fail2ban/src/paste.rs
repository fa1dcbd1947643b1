//! What web pages, mail programs and word processors do to configuration files: quotes that are
//! bent, blanks that are none, dashes that are too long, and lines that are broken where the page
//! was full. fail2ban takes all of that as it stands, or dies of it without saying where.

use crate::problem::{Notes, Wrong, quote};
use crate::text::{Text, is_word};

/// A character that is not what it looks like, what it is, and what was meant.
fn disguised(c: char) -> Option<(&'static str, &'static str)> {
    Some(match c {
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' => ("a typographic quote", "\""),
        '‘' | '’' | '‚' | '‛' | '′' => ("a typographic apostrophe", "'"),
        '–' | '—' | '‐' | '‑' | '−' => ("a typographic dash", "-"),
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => {
            ("a blank of a web page, which programs do not take for one", "an ordinary space")
        }
        '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' | '\u{2060}' => {
            ("an invisible character", "nothing")
        }
        '…' => ("one character that looks like three dots", "..."),
        _ => return None,
    })
}

/// What a character was meant to be that is not what it looks like.
pub(crate) fn plain(c: char) -> Option<&'static str> {
    match disguised(c)?.1 {
        "an ordinary space" => Some(" "),
        "nothing" => Some(""),
        meant => Some(meant),
    }
}

/// Warns of the first disguised character of a line.
pub(crate) fn look(line: &Text, notes: &mut Notes) {
    if line.as_str().is_ascii() {
        return;
    }
    let found = line.as_str().char_indices().find_map(|(at, c)| Some((at, c, disguised(c)?)));
    let Some((at, c, (what, meant))) = found else { return };
    let message = format!("U+{:04X} is {what}; this line was copied from a page", u32::from(c));
    let remedy = format!("write {meant} in its place, and look for others in this line");
    notes.warn(Wrong::new(line.place(at), 1, message, remedy));
}

/// Whether a text has a quote in it that is bent.
pub(crate) fn bent(text: &str) -> bool {
    text.chars().any(|c| disguised(c).is_some_and(|(_, meant)| meant == "\"" || meant == "'"))
}

/// A line that was taken for more of the remark above it.
pub(crate) fn remark(line: &Text) -> Wrong {
    let message = "this is no option; it is taken for the end of the remark above";
    Wrong::of(line, message, "begin the line with # as well")
}

/// A line that was taken for one more line of `option`.
pub(crate) fn element(line: &Text, option: &str) -> Wrong {
    let message = format!("this is not indented; it is taken for one more line of {option}");
    Wrong::of(line, message, "begin it with blanks")
}

/// A line that was put behind the one above it, and what became of that.
pub(crate) fn rest(line: &Text, whole: &str) -> Wrong {
    let message =
        "this is no option; it is taken for the end of the line above, which a page broke";
    let whole: String = whole.chars().take(300).collect();
    Wrong::of(line, message, format!("write it on one line: {whole}"))
}

/// A line that was put into the brackets above it.
pub(crate) fn bracket(line: &Text) -> Wrong {
    let message = "this is not indented; it is taken into the brackets that are open above";
    Wrong::of(line, message, "put it back behind the line above, or begin it with blanks")
}

/// A line that is neither a section nor an option nor indented, and not plainly anything else.
pub(crate) fn stray(line: &Text, option: Option<&str>, remark: bool) -> Wrong {
    if let (true, Some(option)) = (remark, option) {
        let message = "this is no option; it may be the end of the remark above, or not";
        let remedy = format!(
            "begin the line with # as well, or with blanks if it is one more line of {option}"
        );
        return Wrong::of(line, message, remedy);
    }
    let text = line.as_str();
    if text.starts_with('[') {
        let message = "the [ has no ]";
        return Wrong::of(line, message, "write [name of the jail] on a line of its own");
    }
    match option {
        Some(option) => Wrong::of(
            line,
            format!("this is no option, and not indented, so it is no part of {option} either"),
            format!(
                "if a page broke the line above here, put this back behind it; if it is one more \
                 line of {option}, begin it with blanks; if it is a remark, with #"
            ),
        ),
        None => Wrong::of(
            line,
            format!("{} is no option: it has no =", quote(text)),
            "write name = value, or begin it with # if it is a remark",
        ),
    }
}

/// Whether no option is called so: the colon or equals sign of a regular expression or address
/// made one of a line that should have been indented.
pub(crate) fn is_odd(name: &str) -> bool {
    !name.chars().all(|c| is_word(c) || "-./?=".contains(c))
}

/// An option that is called as none is; `option` is the one above it.
pub(crate) fn odd(line: &Text, name: &str, option: Option<&str>) -> Wrong {
    let message = format!("this makes an option called {}, which nothing reads", quote(name));
    let option = option.unwrap_or("the option above");
    let remedy = format!("if it is one more line of {option}, begin it with blanks");
    Wrong::new(line.place(0), name.chars().count(), message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ini;

    fn problems(text: &str) -> Vec<String> {
        let mut notes = Notes::default();
        let file = notes.file("x", text);
        ini::read(file, text, &mut notes);
        let told =
            |p: &crate::Problem| format!("{}:{} {} | {}", p.line, p.column, p.message, p.remedy);
        notes.problems().iter().map(told).collect()
    }

    #[test]
    fn pasted_characters_are_named() {
        let told = problems("[A]\na = “x”\nb = c\u{a0}d\n# “remark”\ne = 1–2\nf = ñ\n");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("2:5 U+201C is a typographic quote"), "{told:?}");
        assert!(told[1].contains("3:6 U+00A0 is a blank of a web page"), "{told:?}");
        assert!(told[2].contains("| write - in its place"), "{told:?}");
    }

    #[test]
    fn lines_that_a_page_broke_are_named() {
        let text = "[A]\n# a remark that goes\non here\nfailregex = ^one -\ntwo\n  ^three\n\
                    ^fo* ur: x\n# a remark\nof <HOST>\n\nmore\naction = a[b=1,\nc=2]\n";
        let told = problems(text);
        let expected = [
            "3:1 this is no option; it is taken for the end of the remark above | begin the line with #",
            "5:1 this is no option; it is taken for the end of the line above, which a page broke | \
             write it on one line: ^one - two",
            "7:1 this is not indented; it is taken for one more line of failregex | begin it with",
            "9:1 this is no option; it may be the end of the remark above, or not | begin the line",
            "11:1 this is no option, and not indented, so it is no part of failregex either",
            "13:1 this is not indented; it is taken into the brackets that are open above | put it",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
        assert_eq!(told.len(), expected.len());
    }

    #[test]
    fn what_fail2ban_accepts_is_left_as_it_is() {
        let told = problems("[A]\nfailregex = ^one <HOST>\n^fo* ur: x\n");
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("3:1 this makes an option called \"^fo* ur\""), "{told:?}");
    }
}
