//! One template: a shape read by hand, or an expression built as fail2ban builds it.

use super::Wrong;
use super::bounds::{Bounds, Word};
use super::custom::Custom;
use super::fields::{self, Expanded};
use super::glance::Shapes;
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
    pub(super) fn epoch(pattern: &str, long: bool) -> Result<Self, Wrong> {
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
    pub(super) fn pattern(pattern: &str, decades: Decades) -> Result<Self, Wrong> {
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
        let Expanded { name, mut regex } = fields::expand(body, decades).map_err(|at| Wrong {
            at: pattern.len() - body.len() + at,
            width: 1,
            message: "this '%' begins no field of a date".to_owned(),
            remedy: "write '%%' for a percent sign".to_owned(),
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
