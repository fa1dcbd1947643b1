//! The fields of a datepattern (`%d`, `%ExY`): the expressions they stand for and the names
//! fail2ban prints for them.
//!
//! The expressions are those of Python 3.11's `_strptime` and fail2ban 1.0.2's additions, so
//! that a date written without care matches here and there alike; digits are ASCII.

use super::stamp::Decades;

/// A field's letters, its printed name and its expression.
type Field = (&'static str, &'static str, &'static str);

const WEEKDAY: &str = "(?P<a>mon|tue|wed|thu|fri|sat|sun)";
const MONTH: &str = "(?P<b>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";
const OFFSET: &str = "(?P<z>Z|UTC|GMT|[+-][01][0-9](?::?[0-9]{2})?)";

/// Longer letters come first, as they are looked for.
const FIELDS: &[Field] = &[
    ("ExY", "ExYear", ""),
    ("Exy", "ExYear2", "(?P<y>[0-9]{2})"),
    ("Exm", "ExMonth", "(?P<m>0[1-9]|1[0-2])"),
    ("Exd", "ExDay", "(?P<d>[12][0-9]|0[1-9]|3[01])"),
    ("ExH", "Ex24hour", "(?P<H>[01][0-9]|2[0-3])"),
    ("Exk", "%Exk", " ?(?P<H>[01]?[0-9]|2[0-3])"),
    ("Exl", "%Exl", " ?(?P<I>1[0-2]|[0-9])"),
    ("ExM", "ExMinute", "(?P<M>[0-5][0-9])"),
    ("ExS", "ExSecond", "(?P<S>[0-5][0-9]|6[01])"),
    ("ExZ", "ExZone name", "(?P<Z>[A-Z](?:[A-Z]{2,4})?)"),
    (
        "Exz",
        "ExZone offset",
        "(?P<z>(?:[A-Z](?:[A-Z]{2,4})?)?[+-][01][0-9](?::?[0-9]{2})?|[A-Z](?:[A-Z]{2,4})?)",
    ),
    ("d", "Day", "(?P<d>[12][0-9]|[0 ]?[1-9]|3[01])"),
    ("f", "Microseconds", "(?P<f>[0-9]{1,6})"),
    ("H", "24hour", "(?P<H>[01]?[0-9]|2[0-3])"),
    ("I", "12hour", "(?P<I>1[0-2]|0[1-9]|[1-9])"),
    ("k", "%k", " ?(?P<H>[0-2]?[0-9])"),
    ("l", "%l", " ?(?P<I>1?[0-9])"),
    ("G", "%G", "(?P<G>[0-9]{4})"),
    (
        "j",
        "Yearday",
        "(?P<j>36[0-6]|3[0-5][0-9]|[12][0-9][0-9]|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9])",
    ),
    ("m", "Month", "(?P<m>0?[1-9]|1[0-2])"),
    ("M", "Minute", "(?P<M>[0-5]?[0-9])"),
    ("S", "Second", "(?P<S>[0-5]?[0-9]|6[01])"),
    ("U", "Yearweek", "(?P<U>5[0-3]|[0-4][0-9]|[0-9])"),
    ("W", "Yearweek", "(?P<W>5[0-3]|[0-4][0-9]|[0-9])"),
    ("w", "Weekday", "(?P<w>[0-6])"),
    ("u", "%u", "(?P<u>[1-7])"),
    ("V", "%V", "(?P<V>5[0-3]|0[1-9]|[1-4][0-9]|[0-9])"),
    ("y", "Year2", "(?P<y>[0-9][0-9])"),
    ("Y", "Year", "(?P<Y>[0-9]{4})"),
    ("z", "Zone offset", OFFSET),
    ("Z", "Zone name", "(?P<Z>Z|[A-Z]{3,5})"),
    ("A", "DAYNAME", "(?P<A>wednesday|thursday|saturday|tuesday|monday|friday|sunday)"),
    ("a", "DAY", WEEKDAY),
    (
        "B",
        "MONTH",
        "(?P<B>september|february|november|december|january|october|august|march|april|june|july\
         |may)",
    ),
    ("b", "MON", MONTH),
    ("p", "AMPM", "(?P<p>am|pm)"),
    ("%", "%", "%"),
    ("c", "%c", ""),
    (
        "x",
        "%x",
        "(?P<m>1[0-2]|0[1-9]|[1-9])/(?P<d>3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9])/(?P<y>[0-9][0-9])",
    ),
    (
        "X",
        "%X",
        "(?P<H>2[0-3]|[01][0-9]|[0-9]):(?P<M>[0-5][0-9]|[0-9]):(?P<S>6[01]|[0-5][0-9]|[0-9])",
    ),
];

/// A pattern with its fields replaced.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// As fail2ban prints it.
    pub(super) name: String,
    /// As Python's `re` would be given it.
    pub(super) regex: String,
}

/// Replaces the fields of a pattern; the error is where a `%` stands that begins none.
pub(super) fn expand(pattern: &str, decades: Decades) -> Result<Expanded, usize> {
    let mut out = Expanded::default();
    let mut rest = pattern;
    while let Some(percent) = rest.find('%') {
        let (plain, tail) = rest.split_at(percent);
        out.name.push_str(plain);
        out.regex.push_str(plain);
        let letters = &tail[1..];
        let field = FIELDS.iter().find(|(key, ..)| letters.starts_with(key));
        let Some((key, name, expression)) = field else {
            return Err(pattern.len() - tail.len());
        };
        out.name.push_str(name);
        match *key {
            "ExY" => out.regex.push_str(&year(decades)),
            "c" => out.regex.push_str(&locale_date()),
            _ => out.regex.push_str(expression),
        }
        rest = &letters[key.len()..];
    }
    out.name.push_str(rest);
    out.regex.push_str(rest);
    Ok(out)
}

fn year(decades: Decades) -> String {
    let decades: Vec<String> = (200..=decades.0).map(|decade| decade.to_string()).collect();
    format!("(?P<Y>(?:{})[0-9])", decades.join("|"))
}

/// `%c` of the C locale.
fn locale_date() -> String {
    format!(
        r"{WEEKDAY}\s+{MONTH}\s+(?P<d>3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9])\s+(?P<H>2[0-3]|[01][0-9]|[0-9]):(?P<M>[0-5][0-9]|[0-9]):(?P<S>6[01]|[0-5][0-9]|[0-9])\s+(?P<Y>[0-9]{{4}})"
    )
}

/// Whether a pattern holds a field of letters, which are compared without regard to case.
pub(super) fn has_letters(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        pair[0] == b'%' && b"aAbBpc".contains(&pair[1]) && (at == 0 || bytes[at - 1] != b'%')
    })
}
