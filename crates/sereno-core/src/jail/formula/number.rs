//! Numbers as Python counts with them: whole ones and fractions.

use super::{Binary, Function, Order, Real, Unary};

/// A number. `True` and `False` are 1 and 0, as in Python.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i128),
    /// A whole number beyond those, by its first bits; infinite if it is beyond any fraction.
    Huge(f64),
    Float(f64),
}

use Number::{Float, Huge, Int};

impl Number {
    /// Its value; a whole number too large for a fraction is infinite.
    pub(super) fn float_or_infinite(self) -> f64 {
        match self {
            Int(int) => int as f64,
            Huge(float) | Float(float) => float,
        }
    }

    /// As a fraction, if there is one so large.
    fn float(self) -> Option<f64> {
        match self {
            Huge(huge) => Some(huge).filter(|huge| huge.is_finite()),
            other => Some(other.float_or_infinite()),
        }
    }

    fn is_whole(self) -> bool {
        !matches!(self, Float(_))
    }

    pub(super) fn says_no(self) -> bool {
        self.float_or_infinite() == 0.0
    }

    pub(super) fn is(self, order: Order, other: Self) -> bool {
        let (one, two) = (self.float_or_infinite(), other.float_or_infinite());
        // Whole numbers are compared as such.
        let (less, same) = match (self, other) {
            (Int(one), Int(two)) => (one < two, one == two),
            _ => (one < two, one == two),
        };
        let known = !one.is_nan() && !two.is_nan();
        match order {
            Order::Less => less,
            Order::LessOrSame => less || same,
            Order::More => known && !less && !same,
            Order::MoreOrSame => known && !less,
            Order::Same => same,
            Order::Other => !same,
        }
    }

    pub(super) fn unary(self, how: Unary) -> Option<Self> {
        Some(match (how, self) {
            (Unary::Plus, number) => number,
            (Unary::Minus, Int(int)) => int.checked_neg().map_or(Huge(-(int as f64)), Int),
            (Unary::Minus, Huge(float)) => Huge(-float),
            (Unary::Minus, Float(float)) => Float(-float),
            (Unary::Invert, Int(int)) => Int(!int),
            (Unary::Invert, Huge(float)) => Huge(-float),
            (Unary::Invert, Float(_)) => return None,
            (Unary::Not, number) => Int(i128::from(number.says_no())),
        })
    }

    pub(super) fn binary(self, how: Binary, other: Self) -> Option<Self> {
        if !(self.is_whole() && other.is_whole()) {
            return real(how, self.float()?, other.float()?).map(Float);
        }
        if how == Binary::Div {
            return real(how, self.float()?, other.float()?).map(Float);
        }
        if let (Int(one), Int(two)) = (self, other) {
            match exact(how, one, two) {
                Exact::Is(number) => return Some(number),
                Exact::Wrong => return None,
                Exact::TooLarge => {}
            }
        }
        huge(how, self.float_or_infinite(), other.float_or_infinite())
    }
}

/// What two whole numbers come to.
enum Exact {
    Is(Number),
    Wrong,
    TooLarge,
}

fn exact(how: Binary, one: i128, two: i128) -> Exact {
    let found = match how {
        Binary::Add => one.checked_add(two),
        Binary::Sub => one.checked_sub(two),
        Binary::Mul => one.checked_mul(two),
        Binary::Floor | Binary::Rest if two == 0 => return Exact::Wrong,
        Binary::Floor => one.checked_div_euclid(two).map(|quotient| {
            // Euclid's rest is never negative, Python's has the sign of the divisor.
            if two < 0 && one.checked_rem_euclid(two) != Some(0) { quotient - 1 } else { quotient }
        }),
        Binary::Rest => one
            .checked_rem_euclid(two)
            .map(|rest| if two < 0 && rest != 0 { rest + two } else { rest }),
        Binary::Left | Binary::Right if two < 0 => return Exact::Wrong,
        Binary::Right => Some(one >> two.min(127)),
        Binary::Left if one == 0 => Some(0),
        Binary::Left => u32::try_from(two).ok().filter(|two| *two < 127).and_then(|two| {
            let shifted = one << two;
            Some(shifted).filter(|shifted| shifted >> two == one)
        }),
        Binary::And => Some(one & two),
        Binary::Or => Some(one | two),
        Binary::Xor => Some(one ^ two),
        Binary::Power if two < 0 && one == 0 => return Exact::Wrong,
        Binary::Power if two < 0 => return Exact::Is(Float((one as f64).powf(two as f64))),
        Binary::Power if matches!(one, -1..=1) => {
            Some(if two == 0 || one == -1 && two % 2 == 0 { 1 } else { one })
        }
        Binary::Power => u32::try_from(two).ok().and_then(|two| one.checked_pow(two)),
        Binary::Div => None,
    };
    found.map_or(Exact::TooLarge, |int| Exact::Is(Int(int)))
}

/// What whole numbers come to of which one, or the result, is beyond what is exact.
fn huge(how: Binary, one: f64, two: f64) -> Option<Number> {
    let all = match how {
        Binary::Add => one + two,
        Binary::Sub => one - two,
        Binary::Mul => one * two,
        Binary::Floor | Binary::Rest if two == 0.0 => return None,
        Binary::Floor => (one / two).floor(),
        Binary::Left => one * two.exp2(),
        Binary::Right => (one / two.exp2()).floor(),
        Binary::Power if two < 0.0 => return Some(Float(one.powf(two))),
        Binary::Power => one.powf(two),
        // The last bits are not known.
        Binary::Rest | Binary::And | Binary::Or | Binary::Xor | Binary::Div => return None,
    };
    let exact = 2f64.powi(126);
    match all.is_nan() {
        true => None,
        false if all.abs() < exact => Some(Int(all as i128)),
        false => Some(Huge(all)),
    }
}

/// What two fractions come to.
fn real(how: Binary, one: f64, two: f64) -> Option<f64> {
    Some(match how {
        Binary::Add => one + two,
        Binary::Sub => one - two,
        Binary::Mul => one * two,
        Binary::Div | Binary::Floor | Binary::Rest if two == 0.0 => return None,
        Binary::Div => one / two,
        Binary::Rest => rest(one, two),
        Binary::Floor => {
            // As Python has it: what is left is taken off first.
            let quotient = (one - rest(one, two)) / two;
            let whole = quotient.floor();
            if quotient - whole > 0.5 { whole + 1.0 } else { whole }
        }
        Binary::Power => return power(one, two),
        Binary::Left | Binary::Right | Binary::And | Binary::Or | Binary::Xor => return None,
    })
}

/// What is left of a division, with the sign of the divisor.
fn rest(one: f64, two: f64) -> f64 {
    let rest = one % two;
    if rest != 0.0 && (rest < 0.0) != (two < 0.0) { rest + two } else { rest }
}

/// A power of a fraction, where it is a number, and not too large.
fn power(one: f64, two: f64) -> Option<f64> {
    if one == 0.0 && two < 0.0 || one < 0.0 && one.is_finite() && two.fract() != 0.0 {
        return None;
    }
    let all = one.powf(two);
    let known = one.is_finite() && two.is_finite();
    Some(all).filter(|all| !known || all.is_finite())
}

/// What a function makes of its arguments; their number is right.
pub(super) fn call(function: Function, arguments: &[Number]) -> Option<Number> {
    let (first, second) = (*arguments.first()?, arguments.get(1).copied());
    Some(match function {
        Function::Min => best(arguments, Order::Less),
        Function::Max => best(arguments, Order::More),
        Function::Int => match first {
            Float(float) => whole(float.trunc())?,
            int => int,
        },
        Function::Float => Float(first.float()?),
        Function::Bool => Int(i128::from(!first.says_no())),
        Function::Abs if first.is(Order::Less, Int(0)) => first.unary(Unary::Minus)?,
        Function::Abs => first,
        Function::Round => return round(first, second),
        Function::Pow => return first.binary(Binary::Power, second?),
        Function::Real(function) => {
            let argument = first.float()?;
            let value = fraction(function, argument);
            // Python says what is out of range instead of giving something infinite.
            let lost =
                value.is_nan() && !argument.is_nan() || value.is_infinite() && argument.is_finite();
            Float(Some(value).filter(|_| !lost)?)
        }
        Function::Log => {
            let one = logarithm(first)?;
            match second {
                None => Float(one),
                Some(base) => Float(real(Binary::Div, one, logarithm(base)?)?),
            }
        }
        Function::MathPow => Float(power(first.float()?, second?.float()?)?),
        Function::Remainder => {
            let (one, two) = (first.float()?, second?.float()?);
            Float(Some(one % two).filter(|rest| !rest.is_nan() || one.is_nan() || two.is_nan())?)
        }
        Function::Down => rounded(first, f64::floor)?,
        Function::Up => rounded(first, f64::ceil)?,
        Function::Cut => rounded(first, f64::trunc)?,
    })
}

fn fraction(function: Real, argument: f64) -> f64 {
    match function {
        Real::Exp => argument.exp(),
        Real::ExpM1 => argument.exp_m1(),
        Real::Log2 => argument.log2(),
        Real::Log10 => argument.log10(),
        Real::Log1p => argument.ln_1p(),
        Real::Sqrt => argument.sqrt(),
        Real::Abs => argument.abs(),
    }
}

/// The first of those before (or behind) which none comes.
fn best(all: &[Number], order: Order) -> Number {
    let better = |best: Number, one: &Number| if one.is(order, best) { *one } else { best };
    all.iter().skip(1).fold(all.first().copied().unwrap_or(Int(0)), better)
}

fn logarithm(number: Number) -> Option<f64> {
    let float = number.float()?;
    (float > 0.0 || float.is_nan()).then(|| float.ln())
}

/// A fraction without what is behind the point.
fn whole(float: f64) -> Option<Number> {
    if !float.is_finite() {
        return None;
    }
    Some(if float.abs() < 2f64.powi(126) { Int(float as i128) } else { Huge(float) })
}

fn rounded(number: Number, how: fn(f64) -> f64) -> Option<Number> {
    match number {
        Float(float) => whole(how(float)),
        int => Some(int),
    }
}

/// To the nearest, the even one of two; to so many places, as it is written.
fn round(number: Number, places: Option<Number>) -> Option<Number> {
    match (number, places) {
        (Float(float), None) => whole(float.round_ties_even()),
        (Float(float), Some(Int(places @ 0..=22))) => {
            format!("{float:.*}", usize::try_from(places).ok()?).parse().ok().map(Float)
        }
        (int, None | Some(Int(0..))) if int.is_whole() => Some(int),
        _ => None,
    }
}
