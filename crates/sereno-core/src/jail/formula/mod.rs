//! `bantime.formula`: how long a ban is, as a term of Python.
//!
//! fail2ban hands the term to Python's `eval`. Here a small evaluator knows what such terms are made
//! of: numbers, `ban.Time`, `ban.Count`, `banFactor`, arithmetic, shifts, comparisons, `and`, `or`,
//! `not`, `A if B else C`, `min`, `max`, `int`, `float`, `abs`, `pow`, `round`, and functions of
//! `math`. Whole numbers and fractions follow Python's rules; beyond 127 bits a whole number is known
//! by its first 53 bits only, so that no term takes long or much memory, whatever it says.

mod number;
mod parse;

use crate::wrong::Wrong;
use number::Number;
use std::sync::Arc;

/// A term that says how long a ban is.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula(Arc<Term>);

/// What a term may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// `ban.Time`: how long bans are that do not grow, in seconds.
    Time,
    /// `ban.Count`: how many there were before.
    Count,
    /// `banFactor`: `bantime.factor`.
    Factor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unary {
    Plus,
    Minus,
    Invert,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Floor,
    Rest,
    Power,
    Left,
    Right,
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Less,
    LessOrSame,
    More,
    MoreOrSame,
    Same,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Min,
    Max,
    Int,
    Float,
    Bool,
    Abs,
    Round,
    Pow,
    Real(Real),
    Log,
    MathPow,
    Remainder,
    Down,
    Up,
    Cut,
}

/// Functions of `math` that take a fraction and give one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Real {
    Exp,
    ExpM1,
    Log2,
    Log10,
    Log1p,
    Sqrt,
    Abs,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Number(Number),
    Name(Name),
    Unary(Unary, Box<Term>),
    Binary(Binary, Box<Term>, Box<Term>),
    /// `a < b <= c`: what is compared first, and what with each.
    Compare(Box<Term>, Vec<(Order, Term)>),
    Both(Box<Term>, Box<Term>),
    Either(Box<Term>, Box<Term>),
    /// Condition, what then, what else.
    If(Box<Term>, Box<Term>, Box<Term>),
    Call(Function, Vec<Term>),
}

/// What the names stand for.
#[derive(Clone, Copy, Debug)]
struct Names {
    time: Number,
    count: Number,
    factor: Number,
}

impl Formula {
    /// Reads a term.
    ///
    /// # Errors
    /// What in it is no part of such a term, or that it is too long or too deep.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        parse::parse(text).map(|term| Self(Arc::new(term)))
    }

    /// How long a ban is, in seconds, that is `time` seconds the first time and was made `count` times
    /// before; `None` where Python would not say: a division by nothing, a shift of a fraction.
    #[must_use]
    pub fn seconds(&self, time: u64, count: u32, factor: f64) -> Option<f64> {
        let factor = match factor.fract() == 0.0 && factor.abs() < 1e15 {
            true => Number::Int(factor as i128),
            false => Number::Float(factor),
        };
        let names =
            Names { time: Number::Int(time.into()), count: Number::Int(count.into()), factor };
        self.0.value(&names).map(Number::float_or_infinite)
    }
}

impl Term {
    fn value(&self, names: &Names) -> Option<Number> {
        Some(match self {
            Self::Number(number) => *number,
            Self::Name(Name::Time) => names.time,
            Self::Name(Name::Count) => names.count,
            Self::Name(Name::Factor) => names.factor,
            Self::Unary(how, one) => one.value(names)?.unary(*how)?,
            Self::Binary(how, one, other) => {
                let one = one.value(names)?;
                one.binary(*how, other.value(names)?)?
            }
            Self::Compare(first, others) => {
                let mut before = first.value(names)?;
                for (order, other) in others {
                    let other = other.value(names)?;
                    if !before.is(*order, other) {
                        return Some(Number::Int(0));
                    }
                    before = other;
                }
                Number::Int(1)
            }
            Self::Both(one, other) => match one.value(names)? {
                one if one.says_no() => one,
                _ => other.value(names)?,
            },
            Self::Either(one, other) => match one.value(names)? {
                one if one.says_no() => other.value(names)?,
                one => one,
            },
            Self::If(condition, then, other) => match condition.value(names)?.says_no() {
                true => other.value(names)?,
                false => then.value(names)?,
            },
            Self::Call(function, arguments) => {
                let values = arguments.iter().map(|one| one.value(names));
                number::call(*function, &values.collect::<Option<Vec<_>>>()?)?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, count: u32) -> Option<f64> {
        Formula::parse(text).unwrap().seconds(600, count, 1.0)
    }

    #[test]
    fn the_formulas_of_the_manual_are_known() {
        let usual = "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor";
        assert_eq!(value(usual, 3), Some(4800.0));
        assert_eq!(value(usual, 99), Some(600.0 * 1_048_576.0));
        let steeper = "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)";
        assert!((value(steeper, 2).unwrap() - 600.0 * 2f64.exp()).abs() < 1e-6);
    }

    #[test]
    fn nothing_takes_long_or_ends_the_program() {
        for (text, wanted) in [
            ("1<<ban.Count<<1000000000", Some(f64::INFINITY)),
            ("9**9**9**9", Some(f64::INFINITY)),
            ("min(1<<100000, 7)", Some(7.0)),
            ("(1<<200>>198) + 1", Some(5.0)),
            ("2**-1000000", Some(0.0)),
            ("(-9)**999999999", Some(f64::NEG_INFINITY)),
            ("1//0", None),
            ("1<<-1", None),
            ("1.5<<1", None),
            ("int(1e999)", None),
            ("math.log(0)", None),
            ("math.exp(1e9)", None),
            ("(-8)**0.5", None),
            ("-170141183460469231731687303715884105728 // -1", Some(2f64.powi(127))),
            ("abs(-170141183460469231731687303715884105727 - 1)", Some(2f64.powi(127))),
        ] {
            assert_eq!(value(text, 1), wanted, "{text}");
        }
        for text in ["(".repeat(100_000), "-".repeat(100_000), "1+".repeat(100_000) + "1"] {
            assert!(Formula::parse(&text).is_err());
        }
    }

    #[test]
    fn what_is_something_else_is_refused_at_its_place() {
        for (text, at) in [
            ("", 0),
            ("ban.Time *", 10),
            ("ban.IP", 4),
            ("__import__('os')", 0),
            ("ban.Time.__class__", 8),
            ("(lambda: 1)()", 1),
            ("min(1)", 0),
            ("random.random()", 0),
            ("math.sin(1)", 5),
            ("'x'", 0),
            ("010", 0),
            ("1 2", 2),
            ("1 if 2", 6),
            ("a = 1", 0),
            ("max(1, *ban)", 7),
            ("1\n+ 1", 1),
        ] {
            let wrong = Formula::parse(text).unwrap_err();
            assert_eq!(wrong.at, at, "{text}: {wrong:?}");
            assert!(!wrong.remedy.is_empty());
        }
    }
}
