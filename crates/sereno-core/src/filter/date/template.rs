//! One template: a shape read by hand, or an expression built as fail2ban builds it.

use super::custom::Custom;
use super::fields::{self, Expanded};
use super::scan::Shapes;
use super::shape::Shape;
use super::stamp::Decades;

/// A way to find dates.
#[derive(Debug)]
pub(super) struct Template {
    /// As fail2ban prints it; no two templates of a detector share it.
    pub(super) name: String,
    /// With its fields unreplaced; `None` for those that have none (Epoch, TAI64N).
    pub(super) pattern: Option<String>,
    /// How much a hit counts when templates are put in order.
    pub(super) weight: f64,
    /// Whether it matches at the line's beginning or end only.
    pub(super) anchored: bool,
    pub(super) matcher: Matcher,
}

#[derive(Debug)]
pub(super) enum Matcher {
    Shape(Shape, Beginning),
    Custom(Box<Custom>),
}

impl Matcher {
    /// The shape and its place, where it is one.
    pub(super) const fn shape(&self) -> Option<(Shape, Beginning)> {
        match self {
            Self::Shape(shape, beginning) => Some((*shape, *beginning)),
            Self::Custom(_) => None,
        }
    }
}

/// Where a shape may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    Anywhere,
    /// At the line's beginning, after at most two characters that are no word's.
    Line,
    /// Exactly at the line's beginning.
    Exact,
    /// After the line's first `[`.
    Bracket,
}

/// The mark of a template for the line's beginning.
pub(super) const LINE: &str = "{^LN-BEG}";

/// fail2ban's own templates that are patterns, in its order; `None` is where Epoch stands.
/// TAI64N follows as the last.
pub(super) const DEFAULTS: [(Shape, Option<&str>); 17] = [
    (Shape::Iso, Some(r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?")),
    (Shape::Asctime, Some(r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?")),
    (Shape::AsctimeYear, Some(r"(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?")),
    (Shape::DayMonthYear, Some(r"%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S")),
    (Shape::Apache, Some(r"%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?")),
    (Shape::CPanel, Some(r"%m/%d/%ExY:%H:%M:%S")),
    (Shape::MonthDayYear, Some(r"%m-%d-%ExY %k:%M:%S(?:\.%f)?")),
    (Shape::Epoch, None),
    (Shape::Clock, Some(r"{^LN-BEG}%H:%M:%S")),
    (Shape::Angle, Some(r"^<%m/%d/%Exy@%H:%M:%S>")),
    (Shape::MySql, Some(r"%Exy%Exm%Exd  ?%H:%M:%S")),
    (Shape::Tomcat, Some(r"%b %d, %ExY %I:%M:%S %p")),
    (Shape::Assp, Some(r"^%b-%d-%Exy %k:%M:%S")),
    (Shape::Compact, Some(r"%ExY%Exm%Exd(?:T|  ?)%ExH%ExM%ExS(?:[.,]%f)?(?:\s*%z)?")),
    (Shape::ZoneName, Some(r"(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?")),
    (Shape::ZoneOffset, Some(r"(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?")),
    (Shape::Tai64n, None),
];

/// Of hits that count a hundredfold: the copies of the defaults for the line's beginning.
const PREFERRED: f64 = 100.0;

/// What is wrong with a pattern: where, how wide, what and what to do.
pub(super) type Fault = (usize, usize, String, String);

impl Template {
    /// A template without fields: Epoch, `LongEpoch` or TAI64N.
    pub(super) fn plain(shape: Shape, beginning: Beginning, preferred: bool) -> Self {
        let line = beginning == Beginning::Line;
        let name = match shape {
            Shape::Epoch => "Epoch",
            Shape::LongEpoch => "LongEpoch",
            _ => "TAI64N",
        };
        Self {
            name: if line { format!("{LINE}{name}") } else { name.to_owned() },
            pattern: None,
            weight: if preferred { PREFERRED } else { 1.0 },
            anchored: line,
            matcher: Matcher::Shape(shape, beginning),
        }
    }

    /// `{EPOCH}` or `{LEPOCH}` in an expression of one's own; group 2 is the number.
    pub(super) fn epoch(pattern: &str, long: bool) -> Result<Self, Fault> {
        let number = if long {
            r"\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?"
        } else {
            r"\d{10,11}\b(?:\.\d{3,6})?"
        };
        let body = replace_word(pattern, &["{EPOCH}", "{LEPOCH}"], |_| format!("({number})"));
        let bounds = Bounds::of(&format!("({body})"), Word::Begin, true);
        Ok(Self {
            name: pattern.to_owned(),
            pattern: None,
            weight: 1.0,
            anchored: bounds.anchored,
            matcher: Matcher::Custom(Box::new(Custom::epoch(&bounds.regex, long)?)),
        })
    }

    /// A pattern with fields.
    pub(super) fn pattern(pattern: &str, decades: Decades) -> Result<Self, Fault> {
        let (body, mut begin, end) = match pattern.strip_prefix("{UNB}") {
            Some(body) => (body, Word::Free, false),
            None => (pattern, Word::Begin, true),
        };
        let body = match body.strip_prefix(LINE) {
            Some(body) if begin == Word::Begin => {
                begin = Word::Line;
                body
            }
            _ => body,
        };
        let Expanded { name, mut regex } = fields::expand(body, decades).map_err(|at| {
            (
                pattern.len() - body.len() + at,
                2,
                "this '%' begins no field of a date".to_owned(),
                "write '%%' for a percent sign".to_owned(),
            )
        })?;
        if fields::has_letters(body) {
            regex.insert_str(0, "(?iu)");
        }
        let bounds = Bounds::of(&regex, begin, end);
        let shape = shaped(pattern);
        let preferred =
            shape.is_some_and(|(shape, at)| at == Beginning::Line && !shape.is_for_beginnings());
        let matcher = match shape {
            Some((shape, beginning)) => Matcher::Shape(shape, beginning),
            None => Matcher::Custom(Box::new(Custom::new(&bounds.regex)?)),
        };
        Ok(Self {
            name: if bounds.line { format!("{LINE}{name}") } else { name },
            pattern: Some(pattern.to_owned()),
            weight: if preferred { PREFERRED } else { 1.0 },
            anchored: bounds.anchored,
            matcher,
        })
    }

    /// The shapes it looks for beyond the line's beginning.
    pub(super) const fn anywhere(&self, shapes: Shapes) -> Shapes {
        match self.matcher {
            Matcher::Shape(shape, Beginning::Anywhere) => shapes.with(shape),
            _ => shapes,
        }
    }
}

/// The shape that reads a pattern by hand, and where: fail2ban's own patterns, their copies for
/// the beginning, and what its filters make of them with `{DATE}`.
fn shaped(pattern: &str) -> Option<(Shape, Beginning)> {
    const NGINX: &str = r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d[T ]%H:%M:%S(?:[.,]%f)?(?:\s*%z)?";
    const CLOCK: &str = "%H:%M:%S";
    let (beginning, body) = if let Some(body) = pattern.strip_prefix(LINE) {
        (Beginning::Line, body)
    } else if let Some(body) = pattern.strip_prefix(r"^[^\[]*\[(") {
        (Beginning::Bracket, body.strip_suffix(')')?)
    } else if let Some(body) = pattern.strip_prefix('^') {
        (Beginning::Exact, body)
    } else {
        (Beginning::Anywhere, pattern)
    };
    let shape = match body {
        NGINX => Shape::IsoStrict,
        CLOCK => Shape::Clock,
        _ => {
            let same = |default: &str| default.strip_prefix('^').unwrap_or(default) == body;
            DEFAULTS.iter().find(|(_, default)| default.is_some_and(same))?.0
        }
    };
    (beginning != Beginning::Anywhere || !shape.is_for_beginnings()).then_some((shape, beginning))
}

/// How an expression is to begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Where a word begins.
    Begin,
    /// Near the line's beginning.
    Line,
    /// Anywhere.
    Free,
}

/// An expression with the boundaries fail2ban puts around it (`DateTemplate.setRegex`).
struct Bounds {
    regex: String,
    /// Whether the line's beginning was put in front.
    line: bool,
    anchored: bool,
}

impl Bounds {
    fn of(regex: &str, begin: Word, end: bool) -> Self {
        let mut regex = regex.trim().to_owned();
        let flags = global_flags(&regex).map(|range| {
            let flags = regex[range.clone()].to_owned();
            regex.replace_range(range, "");
            flags
        });
        let bound_begin = begin != Word::Free && !begins_by_itself(&regex);
        let bound_end = end && !ends_by_itself(&regex);
        if !has_group(&regex) {
            regex = grouped(&regex);
        }
        let line = bound_begin && begin == Word::Line;
        if line {
            regex.insert_str(0, r"^(?:\W{0,2})?");
        } else if bound_begin {
            regex.insert_str(0, r"(?=^|\b|\W)");
        }
        if bound_end {
            regex.push_str(r"(?=\b|\W|$)");
        }
        let anchored = line || anchored_begin(&regex) || anchored_end(&regex);
        let mut regex = without_stars(&regex);
        if let Some(flags) = flags {
            regex.insert_str(0, &flags);
        }
        Self { regex, line, anchored }
    }
}

/// The first `(?iu)`.
fn global_flags(regex: &str) -> Option<std::ops::Range<usize>> {
    regex.match_indices("(?").find_map(|(at, _)| {
        let letters = regex[at + 2..].bytes().take_while(u8::is_ascii_lowercase).count();
        let end = at + 2 + letters;
        (letters > 0 && regex[end..].starts_with(')')).then_some(at..end + 1)
    })
}

/// After `(`s, and after flags, what may stand at the very beginning.
fn without_flags(regex: &str) -> &str {
    match global_flags(regex) {
        Some(range) if range.start == 0 => &regex[range.end..],
        _ => regex,
    }
}

/// Whether an expression says itself where it begins: `^`, `(^`, `(?:^`, `**`.
fn begins_by_itself(regex: &str) -> bool {
    let open = regex.len() - regex.trim_start_matches('(').len();
    (0..=open).any(|skip| {
        let rest = without_flags(&regex[skip..]);
        rest.starts_with(['^'])
            || rest.starts_with("(^")
            || rest.starts_with("(?:^")
            || rest.trim_start_matches('(').starts_with("**")
    })
}

/// Whether an expression says itself where it ends: `$`, `$)`, `\b`, `\s`, `**`.
fn ends_by_itself(regex: &str) -> bool {
    let bare = |head: Option<&str>| head.is_some_and(|head| !head.ends_with('\\'));
    bare(regex.strip_suffix('$'))
        || bare(regex.strip_suffix("$)"))
        || bare(regex.strip_suffix(r"\b"))
        || bare(regex.strip_suffix(r"\s"))
        || bare(regex.trim_end_matches(')').strip_suffix("**"))
}

/// Whether there is a group without `?`; groups with names are not looked for.
fn has_group(regex: &str) -> bool {
    let bytes = regex.as_bytes();
    (0..bytes.len()).any(|at| {
        bytes[at] == b'('
            && bytes.get(at + 1) != Some(&b'?')
            && !regex[..at].ends_with('\\')
            && !regex[..at].ends_with("(?")
    })
}

/// Puts a group around everything but a leading `^` and a trailing `$`.
fn grouped(regex: &str) -> String {
    let inner = without_flags(regex);
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let inner = without_flags(inner);
    let (head, _) = regex.split_at(regex.len() - inner.len());
    match inner.strip_suffix('$') {
        Some(inner) => format!("{head}({inner})$"),
        None => format!("{head}({inner})"),
    }
}

fn anchored_begin(regex: &str) -> bool {
    let rest = without_flags(regex);
    let inner = rest.strip_prefix("(?:^").or_else(|| rest.strip_prefix("(^"));
    rest.starts_with('^') || inner.is_some_and(|inner| !inner.starts_with('|'))
}

fn anchored_end(regex: &str) -> bool {
    let bare = |head: Option<&str>| head.is_some_and(|head| !head.ends_with(['\\', '|']));
    bare(regex.strip_suffix('$')) || bare(regex.strip_suffix("$)"))
}

/// Removes the `**` of either end, which only said that there is no boundary.
fn without_stars(regex: &str) -> String {
    let mut regex = regex.to_owned();
    let open = regex.len() - regex.trim_start_matches('(').len();
    let first = (0..=open).find_map(|skip| {
        let rest = without_flags(&regex[skip..]).trim_start_matches('(');
        rest.starts_with("**").then_some(regex.len() - rest.len())
    });
    if let Some(at) = first {
        regex.replace_range(at..at + 2, "");
    }
    let closed = regex.trim_end_matches(')').len();
    let head = regex[..closed].strip_suffix("**");
    if head.is_some_and(|head| !head.ends_with('\\')) {
        regex.replace_range(closed - 2..closed, "");
    }
    regex
}

/// Replaces every occurrence of one of `words` (in capitals here, in any case there) that no
/// backslash stands before.
pub(super) fn replace_word(text: &str, words: &[&str], with: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let word = words.iter().find(|word| {
            text.get(at..at + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word))
        });
        match word {
            Some(word) if !text[..at].ends_with('\\') => {
                out.push_str(&with(word));
                at += word.len();
            }
            _ => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    out
}
