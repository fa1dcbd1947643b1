//! fail2ban's tags: `<HOST>`, `<F-USER>...</F-USER>` and the others become what they stand for.
//!
//! The rules are those of fail2ban 1.0 (`server/failregex.py`), which works on the text before
//! Python reads it: a tag stands for its expression wherever it is written, a name of one's own
//! becomes a group of that name in lower case, and `</F-X>` closes whatever is open if `<F-X>` was
//! written anywhere before it.

use super::wrong::Fault;
use crate::wrong::Wrong;

/// Bytes of an expression at most, tags filled in.
const LONGEST: usize = 256 << 10;

const IP4: &str = r"(?:::f{4,6}:)?(?P<ip4>\d{1,3}(?:\.\d{1,3}){3})";
/// fail2ban's has a look-behind for the colon before the last one. Whatever comes before it ends
/// in a colon anyway.
const IP6: &str = r"(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|:))";
const DNS: &str = r"(?P<dns>[\w.^-]*\w)";
const CIDR: &str = r"(?P<cidr>\d+)";

/// An expression with its tags filled in, and which byte of the written text each byte comes from.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) text: String,
    /// One entry for each byte of `text`, and one for its end.
    origin: Vec<u32>,
}

impl Filled {
    fn push(&mut self, text: &str, at: usize) {
        self.text.push_str(text);
        self.origin.resize(self.text.len(), at as u32);
    }

    /// Text that stands as it was written.
    fn copy(&mut self, text: &str, at: usize) {
        self.text.push_str(text);
        self.origin.extend((at..at + text.len()).map(|at| at as u32));
    }

    /// The same in the places of the one who wrote it.
    pub(super) fn blame(&self, written: &str, fault: Fault) -> Wrong {
        let end = written.len();
        let place = |at: usize| self.origin.get(at).map_or(end, |at| *at as usize).min(end);
        let at = place(fault.from);
        let last = fault.to.clamp(fault.from + 1, self.text.len().max(fault.from + 1)) - 1;
        let of_tag = place(last) == place(last + 1) || last > 0 && place(last) == place(last - 1);
        // A tag is one place: what is wrong in it reaches to its end.
        let to = match of_tag {
            true => (last..self.origin.len()).map(place).find(|to| *to > place(last)),
            false => (place(last) + 1..=end).find(|to| written.is_char_boundary(*to)),
        };
        let width = written.get(at..to.unwrap_or(end)).map_or(0, |text| text.chars().count());
        Wrong { at, width: width.max(1), message: fault.message, remedy: fault.remedy }
    }
}

/// Fills in the tags and rewrites flags. `names` says whether `<HOST>` takes names too.
pub(super) fn fill(written: &str, names: bool) -> Result<Filled, Wrong> {
    let too_long = |at: usize| Wrong {
        at,
        width: 1,
        message: format!("the expression is longer than {} KiB", LONGEST >> 10),
        remedy: "write several expressions instead of one".to_owned(),
    };
    if written.len() > LONGEST {
        return Err(too_long(0));
    }
    let mut out = Filled { text: String::with_capacity(written.len() * 2), origin: Vec::new() };
    let mut opened: Vec<&str> = Vec::new();
    let mut skips = 0;
    let mut at = 0;
    while let Some(step) = written[at..].find('<') {
        out.copy(&written[at..at + step], at);
        at += step;
        match tag(&written[at..]) {
            Some(tag) => {
                match meaning(tag, names, &mut opened, &mut skips) {
                    Some(meaning) => out.push(&meaning, at),
                    None => out.copy(tag, at),
                }
                at += tag.len();
            }
            None => {
                out.copy("<", at);
                at += 1;
            }
        }
        if out.text.len() > LONGEST {
            return Err(too_long(at));
        }
    }
    out.copy(&written[at..], at);
    out.push("", written.len());
    if out.text.trim_start().is_empty() {
        let remedy = "write what a line looks like, or leave the option out".to_owned();
        return Err(Wrong { at: 0, width: 1, message: "the expression is empty".into(), remedy });
    }
    out = local_flags(&out);
    out.origin.push(written.len() as u32);
    Ok(out)
}

/// The tag that a text beginning with `<` begins with.
fn tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("</").or_else(|| text.strip_prefix('<'))?;
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let name = inner.find(|c| !word(c)).filter(|length| *length > 0)?;
    let rest = inner[name..].strip_prefix('/').unwrap_or(&inner[name..]);
    rest.strip_prefix('>').map(|rest| &text[..text.len() - rest.len()])
}

/// What a tag stands for; `None` if it is none of fail2ban's.
fn meaning<'t>(
    tag: &'t str,
    names: bool,
    opened: &mut Vec<&'t str>,
    skips: &mut u32,
) -> Option<String> {
    let addr = || format!(r"\[?(?:{IP4}|{IP6})\]?");
    let name = tag.strip_prefix('<')?.strip_suffix('>')?;
    Some(match name {
        "HOST" if names => format!("(?:{}|{DNS})", addr()),
        "HOST" | "ADDR" | "F-ADDR/" => addr(),
        "IP4" | "F-IP4/" => IP4.to_owned(),
        "IP6" | "F-IP6/" => IP6.to_owned(),
        "DNS" | "F-DNS/" => DNS.to_owned(),
        "CIDR" | "F-CIDR/" => CIDR.to_owned(),
        "SUBNET" | "F-SUBNET/" => format!(r"\[?(?:{IP4}|{IP6})(?:/{CIDR})?\]?"),
        "F-ID/" => r"(?P<fid>\S+)".to_owned(),
        "F-PORT/" => r"(?P<fport>\w+)".to_owned(),
        "SKIPLINES" => {
            *skips += 1;
            format!(r"\n(?P<skiplines{}>(?:(?:.*\n)*?))", *skips - 1)
        }
        _ => {
            let close = name.strip_prefix('/');
            let own = close.unwrap_or(name).strip_prefix("F-")?;
            let allowed =
                |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-".contains(&b);
            if own.is_empty() || !own.bytes().all(allowed) {
                return None;
            }
            if close.is_some() {
                return opened.contains(&own).then(|| ")".to_owned());
            }
            if !opened.contains(&own) {
                opened.push(own);
            }
            match own {
                "ID" => "(?P<fid>".to_owned(),
                "PORT" => "(?P<fport>".to_owned(),
                _ => format!("(?P<{}>", own.to_ascii_lowercase()),
            }
        }
    })
}

/// Flags that were global in old Pythons where they stood, `((?i)x)` and `(?:(?i)x)`, become those
/// of their group: `(?i:x)`.
fn local_flags(filled: &Filled) -> Filled {
    let text = filled.text.as_str();
    let mut out = Filled { text: String::with_capacity(text.len()), origin: Vec::new() };
    let mut at = 0;
    let mut copied = 0;
    while let Some(step) = text[at..].find('(') {
        at += step;
        let escaped = text[..at].ends_with('\\');
        match flags(&text[at + 1..]).filter(|_| !escaped) {
            Some((skipped, flags)) => {
                out.move_from(filled, copied, at);
                out.move_from(filled, at + 1 + skipped, at + 1 + skipped + flags);
                at += 1 + skipped + flags;
                out.push(":", filled.origin[at] as usize);
                at += 1;
                copied = at;
            }
            None => at += 1,
        }
    }
    out.move_from(filled, copied, text.len());
    out
}

impl Filled {
    fn move_from(&mut self, other: &Self, from: usize, to: usize) {
        self.text.push_str(&other.text[from..to]);
        self.origin.extend_from_slice(&other.origin[from..to]);
    }
}

/// Whether a group of which this is the inside begins with global flags: how long the `?:` before
/// them is, and how long they are with their `(?`.
fn flags(inside: &str) -> Option<(usize, usize)> {
    let rest = inside.strip_prefix("?:").unwrap_or(inside);
    let letters = rest.strip_prefix("(?")?;
    let length = letters.bytes().take_while(u8::is_ascii_lowercase).count();
    let closed = length > 0 && letters[length..].starts_with(')');
    closed.then_some((inside.len() - rest.len(), 2 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        fill(text, true).unwrap().text
    }

    #[test]
    fn names_of_ones_own_become_groups() {
        assert_eq!(filled("<F-ALT_USER_1>x</F-ALT_USER_1>"), "(?P<alt_user_1>x)");
        assert_eq!(filled("</F-USER><F-USER>x</F-USER></F-USER>"), "</F-USER>(?P<user>x))");
        assert_eq!(
            filled("<F-ID/><F-PORT/><F-USER/><f-user>"),
            r"(?P<fid>\S+)(?P<fport>\w+)<F-USER/><f-user>"
        );
        assert_eq!(filled("<SKIPLINES><SKIPLINES>").matches("skiplines1").count(), 1);
    }

    #[test]
    fn host_takes_names_if_wanted() {
        assert!(filled("<HOST>").contains("dns"));
        assert!(!fill("<HOST>", false).unwrap().text.contains("dns"));
    }

    #[test]
    fn flags_become_those_of_their_group() {
        assert_eq!(filled("^(?:(?i)x)((?is)y)"), "^(?i:x)(?is:y)");
        assert_eq!(filled(r"\((?i)x)"), r"\((?i)x)");
        assert_eq!(filled("(?i)x"), "(?i)x");
    }

    #[test]
    fn places_are_those_of_the_written_text() {
        let written = "ab<HOST>c((?i)d";
        let filled = fill(written, true).unwrap();
        let at = |needle: &str| filled.text.rfind(needle).unwrap();
        let blame = |from, to| {
            let wrong = filled.blame(written, Fault::new((from, to), "", ""));
            (wrong.at, wrong.width)
        };
        assert_eq!(blame(at("ip6"), at("ip6") + 3), (2, 6));
        assert_eq!(blame(at("c(?i"), at("c(?i") + 1), (8, 1));
        assert_eq!(blame(at("d"), filled.text.len()), (14, 1));
    }
}
