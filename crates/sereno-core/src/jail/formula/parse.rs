//! The text of a formula: Python's expressions, as far as they are arithmetic.

use super::number::Number;
use super::{Binary, Function, Name, Order, Real, Term, Unary};
use crate::wrong::Wrong;

/// Bytes of a text, parts of a term, and how deep they may stand in each other.
const LONG: usize = 4096;
const PARTS: usize = 500;
const DEPTH: usize = 50;

/// What may be called, and with how many arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 8] = [
    ("min", Function::Min, 2, PARTS),
    ("max", Function::Max, 2, PARTS),
    ("int", Function::Int, 1, 1),
    ("float", Function::Float, 1, 1),
    ("bool", Function::Bool, 1, 1),
    ("abs", Function::Abs, 1, 1),
    ("round", Function::Round, 1, 2),
    ("pow", Function::Pow, 2, 2),
];
/// The same of `math`.
const MATH: [(&str, Function, usize, usize); 13] = [
    ("exp", Function::Real(Real::Exp), 1, 1),
    ("expm1", Function::Real(Real::ExpM1), 1, 1),
    ("log", Function::Log, 1, 2),
    ("log2", Function::Real(Real::Log2), 1, 1),
    ("log10", Function::Real(Real::Log10), 1, 1),
    ("log1p", Function::Real(Real::Log1p), 1, 1),
    ("sqrt", Function::Real(Real::Sqrt), 1, 1),
    ("fabs", Function::Real(Real::Abs), 1, 1),
    ("pow", Function::MathPow, 2, 2),
    ("fmod", Function::Remainder, 2, 2),
    ("floor", Function::Down, 1, 1),
    ("ceil", Function::Up, 1, 1),
    ("trunc", Function::Cut, 1, 1),
];
/// And what is a number there.
const CONSTANTS: [(&str, f64); 4] = [
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("tau", std::f64::consts::TAU),
    ("inf", f64::INFINITY),
];

/// Operators of two sides, those that bind least first.
const LEVELS: [&[(&str, Binary)]; 6] = [
    &[("|", Binary::Or)],
    &[("^", Binary::Xor)],
    &[("&", Binary::And)],
    &[("<<", Binary::Left), (">>", Binary::Right)],
    &[("+", Binary::Add), ("-", Binary::Sub)],
    &[("//", Binary::Floor), ("*", Binary::Mul), ("/", Binary::Div), ("%", Binary::Rest)],
];
const ORDERS: [(&str, Order); 6] = [
    ("<=", Order::LessOrSame),
    (">=", Order::MoreOrSame),
    ("==", Order::Same),
    ("!=", Order::Other),
    ("<", Order::Less),
    (">", Order::More),
];
/// Signs of two characters, of which the first alone is another one.
const LONGER: [&str; 8] = ["**", "//", "<<", ">>", "<=", ">=", "==", "!="];

const REMEDY: &str = "write arithmetic with ban.Time, ban.Count, banFactor, min, max and math.*, or take \
                      bantime.multipliers = 1 2 4 8";

pub(super) fn parse(text: &str) -> Result<Term, Wrong> {
    let mut parser = Parser { text, at: 0, depth: 0, parts: 0, open: 0 };
    if text.len() > LONG {
        return Err(parser.wrong(0, 0, format!("it is longer than {LONG} bytes")));
    }
    let term = parser.term()?;
    parser.skip();
    // A remark for Python.
    let remark = parser.rest().starts_with('#') && !parser.rest().contains('\n');
    if parser.at < text.len() && !remark {
        return Err(parser.unexpected());
    }
    Ok(term)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    parts: usize,
    /// Parentheses that are open: lines end in them without a meaning.
    open: usize,
}

type Parsed = Result<Term, Wrong>;

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self) {
        let lines = self.open > 0;
        let blank = |c: char| matches!(c, ' ' | '\t') || lines && matches!(c, '\n' | '\r');
        self.at = self.text.len() - self.rest().trim_start_matches(blank).len();
    }

    fn wrong(&self, at: usize, width: usize, message: String) -> Wrong {
        Wrong { at, width, message, remedy: REMEDY.to_owned() }
    }

    fn unexpected(&mut self) -> Wrong {
        self.skip();
        match self.rest().chars().next() {
            Some(c) => self.wrong(self.at, 1, format!("{c:?} is not expected here")),
            None => self.wrong(self.at, 0, "something is missing at the end".to_owned()),
        }
    }

    /// Takes a sign, if it stands here and is no other one.
    fn sign(&mut self, sign: &str) -> bool {
        self.skip();
        let rest = self.rest();
        let longer = |more: &&&str| more.len() > sign.len() && more.starts_with(sign);
        let other = LONGER.iter().filter(longer).any(|more| rest.starts_with(*more));
        let found = rest.starts_with(sign) && !other;
        self.at += if found { sign.len() } else { 0 };
        found
    }

    /// The name that stands here.
    fn name(&mut self) -> &'t str {
        self.skip();
        let rest = self.rest();
        let part = |c: char| c.is_alphanumeric() || c == '_';
        if rest.starts_with(|c: char| c.is_numeric()) {
            return "";
        }
        rest.get(..rest.find(|c| !part(c)).unwrap_or(rest.len())).unwrap_or("")
    }

    /// Takes a word, if it stands here.
    fn word(&mut self, word: &str) -> bool {
        let found = self.name() == word;
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Counts a part of the term.
    fn part(&mut self, term: Term) -> Parsed {
        self.parts += 1;
        match self.parts > PARTS {
            true => Err(self.wrong(0, 0, format!("it has more than {PARTS} parts"))),
            false => Ok(term),
        }
    }

    /// What stands deeper.
    fn deeper(&mut self, inner: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.wrong(self.at, 1, format!("it is more than {DEPTH} levels deep")));
        }
        let found = inner(self);
        self.depth -= 1;
        found
    }

    fn term(&mut self) -> Parsed {
        let then = self.either()?;
        if !self.word("if") {
            return Ok(then);
        }
        let condition = self.either()?;
        if !self.word("else") {
            return Err(self.unexpected());
        }
        let other = self.deeper(Self::term)?;
        self.part(Term::If(condition.into(), then.into(), other.into()))
    }

    fn either(&mut self) -> Parsed {
        let mut one = self.both()?;
        while self.word("or") {
            let other = self.both()?;
            one = self.part(Term::Either(one.into(), other.into()))?;
        }
        Ok(one)
    }

    fn both(&mut self) -> Parsed {
        let mut one = self.not()?;
        while self.word("and") {
            let other = self.not()?;
            one = self.part(Term::Both(one.into(), other.into()))?;
        }
        Ok(one)
    }

    fn not(&mut self) -> Parsed {
        if self.word("not") {
            let one = self.deeper(Self::not)?;
            return self.part(Term::Unary(Unary::Not, one.into()));
        }
        let first = self.level(0)?;
        let mut others = Vec::new();
        while let Some((_, order)) = ORDERS.iter().find(|(sign, _)| self.sign(sign)) {
            let other = self.level(0)?;
            others.push((*order, self.part(other)?));
        }
        Ok(if others.is_empty() { first } else { Term::Compare(first.into(), others) })
    }

    fn level(&mut self, level: usize) -> Parsed {
        let Some(signs) = LEVELS.get(level) else { return self.factor() };
        let mut one = self.level(level + 1)?;
        while let Some((_, how)) = signs.iter().find(|(sign, _)| self.sign(sign)) {
            let other = self.level(level + 1)?;
            one = self.part(Term::Binary(*how, one.into(), other.into()))?;
        }
        Ok(one)
    }

    fn factor(&mut self) -> Parsed {
        for (sign, how) in [("+", Unary::Plus), ("-", Unary::Minus), ("~", Unary::Invert)] {
            if self.sign(sign) {
                let one = self.deeper(Self::factor)?;
                return self.part(Term::Unary(how, one.into()));
            }
        }
        let one = self.atom()?;
        if !self.sign("**") {
            return Ok(one);
        }
        let other = self.deeper(Self::factor)?;
        self.part(Term::Binary(Binary::Power, one.into(), other.into()))
    }

    fn atom(&mut self) -> Parsed {
        self.skip();
        let begin = self.at;
        if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            let number = self.number()?;
            return self.part(Term::Number(number));
        }
        if self.sign("(") {
            self.open += 1;
            let inner = self.deeper(Self::term)?;
            if !self.sign(")") {
                return Err(self.unexpected());
            }
            self.open -= 1;
            return Ok(inner);
        }
        let name = self.name();
        self.at += name.len();
        let found = match name {
            "" => return Err(self.unexpected()),
            "ban" => self.of_ban()?,
            "banFactor" => Term::Name(Name::Factor),
            "math" => return self.of_math(),
            "True" => Term::Number(Number::Int(1)),
            "False" => Term::Number(Number::Int(0)),
            name => match FUNCTIONS.iter().find(|(known, ..)| *known == name) {
                Some(function) => return self.call(begin, *function),
                None => {
                    let message = format!("{name} is nothing that a formula can ask for");
                    return Err(self.wrong(begin, name.chars().count(), message));
                }
            },
        };
        self.part(found)
    }

    /// The name behind a point.
    fn behind(&mut self) -> Result<(usize, &'t str), Wrong> {
        if !self.sign(".") {
            return Err(self.unexpected());
        }
        let name = self.name();
        let begin = self.at;
        self.at += name.len();
        Ok((begin, name))
    }

    fn of_ban(&mut self) -> Parsed {
        match self.behind()? {
            (_, "Time") => Ok(Term::Name(Name::Time)),
            (_, "Count") => Ok(Term::Name(Name::Count)),
            (at, name) => {
                let message = format!("ban has Time and Count, no {name}");
                Err(self.wrong(at, name.chars().count(), message))
            }
        }
    }

    fn of_math(&mut self) -> Parsed {
        let (at, name) = self.behind()?;
        if let Some((_, value)) = CONSTANTS.iter().find(|(known, _)| *known == name) {
            return self.part(Term::Number(Number::Float(*value)));
        }
        match MATH.iter().find(|(known, ..)| *known == name) {
            Some(function) => self.call(at, *function),
            None => {
                let known: Vec<&str> = MATH.iter().map(|(name, ..)| *name).collect();
                let message = format!("of math there is here {}, no {name}", known.join(", "));
                Err(self.wrong(at, name.chars().count(), message))
            }
        }
    }

    fn call(
        &mut self,
        begin: usize,
        (name, function, least, most): (&str, Function, usize, usize),
    ) -> Parsed {
        if !self.sign("(") {
            return Err(self.unexpected());
        }
        self.open += 1;
        let mut arguments = Vec::new();
        while !self.sign(")") {
            arguments.push(self.deeper(Self::term)?);
            if !self.sign(",") {
                if !self.sign(")") {
                    return Err(self.unexpected());
                }
                break;
            }
        }
        self.open -= 1;
        if !(least..=most).contains(&arguments.len()) {
            let message = format!("{name} takes {least} arguments here, not {}", arguments.len());
            return Err(self.wrong(begin, name.chars().count(), message));
        }
        self.part(Term::Call(function, arguments))
    }

    fn number(&mut self) -> Result<Number, Wrong> {
        let rest = self.rest();
        let mut end = 0;
        let bytes = rest.as_bytes();
        while let Some(byte) = bytes.get(end) {
            let sign = matches!(byte, b'+' | b'-')
                && matches!(bytes.get(end.wrapping_sub(1)), Some(b'e' | b'E'))
                && !rest.starts_with("0x");
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign) {
                break;
            }
            end += 1;
        }
        let written = rest.get(..end).unwrap_or("");
        let Some(number) = read(written) else {
            return Err(self.wrong(
                self.at,
                written.len().max(1),
                format!("{written} is not a number"),
            ));
        };
        self.at += end;
        Ok(number)
    }
}

/// A number as Python writes it; those with a letter in front (`0x`) and others.
fn read(written: &str) -> Option<Number> {
    // Between digits only.
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
    let groups: Vec<&str> = written.split('_').collect();
    let joined = |pair: &[&str]| {
        digit(pair.first().and_then(|one| one.chars().last()))
            && digit(pair.get(1).and_then(|one| one.chars().next()))
    };
    if !groups.windows(2).all(joined) {
        return None;
    }
    let plain = groups.concat().to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            let good = !digits.starts_with(['+', '-']);
            return i128::from_str_radix(digits, radix).ok().filter(|_| good).map(Number::Int);
        }
    }
    let whole = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
    if whole {
        let octal = plain.starts_with('0') && plain.bytes().any(|b| b != b'0');
        let int = plain.parse().map(Number::Int).ok();
        return int.or_else(|| plain.parse().map(Number::Huge).ok()).filter(|_| !octal);
    }
    let signs = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-');
    Some(plain)
        .filter(|plain| plain.bytes().all(signs))
        .and_then(|plain| plain.parse().map(Number::Float).ok())
}
