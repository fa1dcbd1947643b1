//! What a page broke, put together again where it is plain what was meant.
//!
//! Web pages and printed guides break long lines and lose the blanks before them. fail2ban reads
//! nothing at all of a file with such a line, so nothing that it does read is read differently
//! here: [`meant`] is asked about files only that it refuses, and [`belongs`] about lists of
//! actions only that it refuses the jail for.

use crate::options;
use crate::params;
use crate::paste;
use crate::text::{Text, is_blank};

/// Bytes of what is above a line that are looked at: more is no line that a page broke.
const LONGEST: usize = 8192;

/// What a line is that neither begins a section nor gives an option, and is not indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// More of the remark above it.
    Remark,
    /// One more line of the option above it.
    Element,
    /// The end of the line above it.
    Rest,
}

/// What is above a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Above<'a> {
    /// The line above it is a remark.
    pub(crate) remark: bool,
    /// There are empty lines between it and the option.
    pub(crate) gap: bool,
    /// The option above it, and its value as far as it goes.
    pub(crate) option: Option<(&'a str, &'a str)>,
}

/// What a line was meant to be; `None` if that is not plain, or if it may well be an option.
pub(crate) fn meant(line: &str, above: Above<'_>) -> Option<Meant> {
    if is_option(line) {
        return None;
    }
    match above.option {
        Some(("failregex" | "ignoreregex", value)) => expression(line, value, above),
        _ if above.remark => Some(Meant::Remark),
        Some(("logpath", value)) if !value.is_empty() && line.starts_with('/') => {
            Some(Meant::Element)
        }
        Some(("action", value)) if !value.is_empty() && line.contains('[') => {
            params::parse(&Text::plain(line)).is_ok().then_some(Meant::Element)
        }
        _ => None,
    }
}

/// Whether a line that is not indented may be an option.
fn is_option(line: &str) -> bool {
    let Some(delimiter) = line.find(['=', ':']) else { return false };
    let name = line[..delimiter].trim_end_matches(is_blank);
    let known = || options::jail().any(|(known, _)| known == name.to_lowercase());
    // Options are rarely given with a colon, and lines of logs often begin with `Word:`.
    !paste::is_odd(name) && (line[delimiter..].starts_with('=') || name.starts_with('_') || known())
}

/// A line below regular expressions.
fn expression(line: &str, value: &str, above: Above<'_>) -> Option<Meant> {
    let end = tail(value);
    let before = end.rsplit('\n').next().unwrap_or("");
    let is_long = before.len() == end.len() && end.len() < value.len();
    let alike = alike(line, before);
    if above.remark {
        return match alike {
            true => Some(Meant::Element),
            // A remark may speak of tags; an expression may stand below one.
            false => (!names_somebody(line)).then_some(Meant::Remark),
        };
    }
    let is_whole = before.ends_with('$') && !before.ends_with("\\$");
    let both = names_somebody(line) && (before.is_empty() || names_somebody(before));
    if line.starts_with('^') || is_whole || alike || both {
        return Some(Meant::Element);
    }
    (!before.is_empty() && !above.gap && !is_long).then_some(Meant::Rest)
}

/// The end of a text.
fn tail(text: &str) -> &str {
    let begin = text.len().saturating_sub(LONGEST);
    let begin = (begin..).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(begin..).unwrap_or("")
}

/// Whether two expressions begin with the same word.
fn alike(line: &str, before: &str) -> bool {
    let word = |text: &str| text.split(is_blank).next().unwrap_or("").to_owned();
    let first = word(line);
    first.chars().count() > 2 && first == word(before)
}

/// Whether an expression says whom to ban.
fn names_somebody(line: &str) -> bool {
    ["<HOST>", "<ADDR>", "<IP4>", "<IP6>", "<DNS>", "<SUBNET>", "<F-ID", "<F-ADDR", "(?P<host>"]
        .iter()
        .any(|tag| line.contains(tag))
}

/// Whether a line goes on with the brackets that a list of actions leaves open: it closes them, or
/// ends in a comma.
pub(crate) fn belongs(line: &str, list: &str) -> bool {
    let list = tail(list);
    let Some(open) = list.rfind('[').filter(|open| !list[*open..].contains(']')) else {
        return false;
    };
    let end = if line.ends_with(',') { "]" } else { "" };
    params::parse(&Text::plain(&format!("x{}\n{line}{end}", &list[open..]))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Meant::{Element, Remark, Rest};

    #[test]
    fn lines_below_expressions() {
        let list = "\nNOTICE.* from '.*' for '<HOST>' -";
        for (line, value, remark, expected) in [
            ("wrong word", list, false, Some(Rest)),
            ("'.*' (.*)", list, false, Some(Rest)),
            ("Peer: no", list, false, Some(Rest)),
            ("NOTICE.* .*: No peer '.*'", list, false, Some(Element)),
            ("VERBOSE SIP/<HOST>-", list, false, Some(Element)),
            ("^x", list, false, Some(Element)),
            ("'<HOST>' - no", "NOTICE.* from", false, Some(Rest)),
            ("x", "a <HOST>$", false, Some(Element)),
            ("x", "a <HOST>\\$", false, Some(Rest)),
            ("x <HOST>", "", false, Some(Element)),
            ("x", "", false, None),
            ("maxlines = 2", list, false, None),
            ("_x: y", list, false, None),
            ("ignored.", list, true, Some(Remark)),
            ("the tag <HOST> is", list, true, None),
            ("NOTICE.* to <HOST>", list, true, Some(Element)),
        ] {
            let above = Above { remark, gap: false, option: Some(("failregex", value)) };
            assert_eq!(meant(line, above), expected, "{line}");
        }
        let gap = Above { remark: false, gap: true, option: Some(("failregex", list)) };
        assert_eq!((meant("wrong word", gap), meant("a <HOST>", gap)), (None, Some(Element)));
    }

    #[test]
    fn lines_below_anything_else() {
        for (line, option, remark, expected) in [
            ("go on here", None, true, Some(Remark)),
            ("go on: here", None, true, Some(Remark)),
            ("go on here", None, false, None),
            ("go on here", Some(("bantime", "1")), true, Some(Remark)),
            ("go on here", Some(("bantime", "1")), false, None),
            ("/var/log/y", Some(("logpath", "/var/log/x")), false, Some(Element)),
            ("mail[to=a, from=b]", Some(("action", "do")), false, Some(Element)),
            ("mail[to=a", Some(("action", "do")), false, None),
        ] {
            assert_eq!(meant(line, Above { remark, gap: false, option }), expected, "{line}");
        }
    }

    #[test]
    fn brackets_are_closed_by_what_fits_into_them() {
        for (line, list, expected) in [
            ("sender=b@c]", "do[x=1]\nmail[name=S, dest=a@b,", true),
            ("sender=b@c,", "mail[name=S,", true),
            ("sender=b@c", "mail[name=S,", false),
            ("sender=b@c]", "mail[name=S]", false),
            ("logpath = /x[1]", "mail[name=S,", false),
            ("[ssh]", "mail[name=S,", false),
            ("x=\"a]", "mail[name=\"S,", false),
        ] {
            assert_eq!(belongs(line, list), expected, "{line}");
        }
    }
}
