//! Lengths of time, as fail2ban writes them.
//!
//! `jail.conf(5)`, "Time abbreviation format": seconds, or numbers with units (`1d12h`,
//! `1y 6mo`); a month is a twelfth of 365.25 days, `m` is a minute. fail2ban hands the text to
//! Python's `eval` after it has put a factor in the place of each unit, so that sums, products and
//! parentheses work. Here a small evaluator does that, and nothing else of Python. As there, a unit
//! is a factor in the chain it stands in (`3600/1h` is 3600 divided by 1, times 3600), and two
//! numbers with only blanks between them are added.

use crate::text::is_blank;

/// How deep parentheses go.
const DEPTH: usize = 64;
/// A hundred years: longer is a mistake, and this much can be added to any date of a log.
pub(crate) const LONGEST: f64 = 100.0 * YEAR;
const YEAR: f64 = 31_557_600.0;

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeError {
    /// Where in the text, in bytes.
    pub at: usize,
    /// A sentence about it.
    pub message: String,
}

/// The seconds of a length of time. A negative number is one too: fail2ban takes it for "for
/// ever" where it is a ban.
///
/// # Errors
/// If it is none, or longer than a hundred years.
pub fn seconds(text: &str) -> Result<f64, TimeError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let value = parser.sum()?;
    parser.skip_blanks();
    // For Python this is a remark.
    if parser.at < text.len() && !parser.rest().starts_with('#') {
        return Err(parser.unexpected());
    }
    if !value.is_finite() || value.abs() > LONGEST {
        return Err(TimeError { at: 0, message: "that is longer than a hundred years".to_owned() });
    }
    Ok(value)
}

/// Seconds of a unit, in the spellings of `jail.conf(5)`.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "s" | "ss" | "se" | "sec" | "second" | "seconds" => 1.0,
        "m" | "mm" | "mi" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hh" | "ho" | "hou" | "hour" | "hours" => 3600.0,
        "d" | "dd" | "da" | "day" | "days" => 86_400.0,
        "w" | "ww" | "we" | "wee" | "week" | "weeks" => 7.0 * 86_400.0,
        "mo" | "mon" | "month" | "months" => YEAR / 12.0,
        "y" | "yy" | "ye" | "yea" | "year" | "years" => YEAR,
        _ => return None,
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(is_blank).len();
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        self.skip_blanks();
        self.rest().chars().next()
    }

    fn sum(&mut self) -> Result<f64, TimeError> {
        let mut total = self.product()?;
        // What is put between two numbers takes a digit of each, so that a single one does not
        // serve twice: `1 2 3` is nothing, `1 22 3` is.
        let mut lone = false;
        loop {
            let sign = self.peek();
            let begin = self.at;
            match sign {
                Some('+') => {
                    self.at += 1;
                    total += self.product()?;
                }
                Some('-') => {
                    self.at += 1;
                    total -= self.product()?;
                }
                Some(c) if c.is_ascii_digit() && !lone && self.adds() => total += self.product()?,
                _ => return Ok(total),
            }
            let added = self.text.get(begin..self.at).unwrap_or("").trim_end_matches(is_blank);
            lone = added.len() == 1;
        }
    }

    /// Whether what ended here is a number or unit, so that a number behind it is added.
    fn adds(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or("");
        let last = before.trim_end_matches(is_blank);
        let letter = last.ends_with(|c: char| c.is_ascii_alphabetic());
        let digit = last.ends_with(|c: char| c.is_ascii_digit());
        letter || digit && last.len() < before.len()
    }

    fn product(&mut self) -> Result<f64, TimeError> {
        let mut total = self.factor()?;
        loop {
            match self.peek() {
                Some('*') => {
                    self.at += 1;
                    total *= self.factor()?;
                }
                Some('/') => {
                    let at = self.at;
                    self.at += 1;
                    let by = self.factor()?;
                    if by == 0.0 {
                        return Err(TimeError {
                            at,
                            message: "this divides by nothing".to_owned(),
                        });
                    }
                    total /= by;
                }
                Some(c) if c.is_ascii_alphabetic() => total *= self.unit()?,
                _ => return Ok(total),
            }
        }
    }

    fn factor(&mut self) -> Result<f64, TimeError> {
        let mut minus = false;
        while let Some(sign) = self.peek().filter(|c| *c == '-' || *c == '+') {
            minus ^= sign == '-';
            self.at += 1;
        }
        let value = match self.peek() {
            Some('(') if self.depth < DEPTH => {
                self.at += 1;
                self.depth += 1;
                let value = self.sum()?;
                if self.peek() != Some(')') {
                    return Err(self.unexpected());
                }
                self.at += 1;
                self.depth -= 1;
                value
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number()?,
            _ => return Err(self.unexpected()),
        };
        Ok(if minus { -value } else { value })
    }

    fn number(&mut self) -> Result<f64, TimeError> {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(rest.len());
        let written = &rest[..end];
        let whole = written.bytes().all(|b| b.is_ascii_digit());
        // Python has no numbers that begin with 0, except nought itself.
        let octal = whole && written.starts_with('0') && written.bytes().any(|b| b != b'0');
        let grouped = written.split('_').all(|group| {
            group.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && group.len() > usize::from(group == ".")
        });
        let value = written.replace('_', "").parse::<f64>();
        match value {
            Ok(value) if !octal && grouped => {
                self.at += end;
                Ok(value)
            }
            _ => Err(TimeError { at: self.at, message: format!("{written} is not a number") }),
        }
    }

    fn unit(&mut self) -> Result<f64, TimeError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        // Behind a parenthesis a unit needs a blank; that is how it is found.
        let tight = self.text.get(..self.at).is_some_and(|before| before.ends_with([')', '.']));
        let joined = rest[end..].starts_with('_');
        match unit(&name) {
            Some(scale) if !tight && !joined => {
                self.at += end;
                Ok(scale)
            }
            _ => Err(TimeError {
                at: self.at,
                message: format!("{:?} is not a unit of time", &rest[..end]),
            }),
        }
    }

    fn unexpected(&mut self) -> TimeError {
        let message = match self.peek() {
            Some(c) => format!("{c:?} is not expected here"),
            None => "something is missing at the end".to_owned(),
        };
        TimeError { at: self.at, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, expected) in [
            ("600", 600.0),
            ("-1", -1.0),
            ("1d12h", 129_600.0),
            ("1y 6mo", 47_336_400.0),
            ("1hour+30min", 5400.0),
            ("1year-6mo", 15_778_800.0),
            ("1.5H", 5400.0),
            ("2*(1h + 30 m)", 10_800.0),
            ("3600/1h", 12_960_000.0),
            ("1 22\n3", 26.0),
            ("(1+1) h", 7200.0),
            ("36000 #in seconds", 36_000.0),
            ("1_000", 1000.0),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_said() {
        for (text, at) in [
            ("", 0),
            ("10q", 2),
            ("abc", 0),
            ("1h+", 3),
            ("1,5h", 1),
            ("(1h", 3),
            ("1h)", 2),
            ("010", 0),
            ("1/0", 1),
            ("10secs", 2),
            ("(1)h", 3),
            ("1 (2)", 2),
            ("1 2 3", 4),
            ("101y", 0),
            ("1__0", 0),
            ("“1h”", 0),
        ] {
            assert_eq!(seconds(text).map_err(|error| error.at), Err(at), "{text}");
        }
        assert!(seconds(&"(".repeat(100_000)).is_err());
    }
}
