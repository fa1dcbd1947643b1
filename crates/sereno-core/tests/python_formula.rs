//! Formulas of `bantime.formula` beside Python itself.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test asks the real program"
)]

use proptest::prelude::*;
use sereno_core::jail::Formula;
use std::io::Write;
use std::process::{Command, Stdio};

/// Evaluates lines of `time, count, factor, term` as fail2ban would; prints a value or `none`.
const PYTHON: &str = r"
import math, sys, collections, warnings
warnings.simplefilter('ignore')
Ban = collections.namedtuple('Ban', 'Time Count')
for line in sys.stdin:
    time, count, factor, term = line.rstrip('\n').split('\t')
    ban, banFactor = Ban(int(time), int(count)), eval(factor)
    try:
        value = eval(compile(term, 'x', 'eval'))
        try: print(repr(float(value)))
        except OverflowError: print('inf' if value > 0 else '-inf')
    except (ArithmeticError, TypeError, ValueError): print('none')
    except SyntaxError: print('wrong')
";

const FORMULAS: &[&str] = &[
    "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor",
    "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)",
    "ban.Time * math.exp(float(ban.Count+1)*banFactor) / math.exp(1 * banFactor)",
    "min(ban.Time * 2**ban.Count, 86400*7)",
    "min(ban.Time * (1 << ban.Count), 31536000)",
    "ban.Time * ban.Count ** 2",
    "ban.Time * (ban.Count and 10 or 1)",
    "ban.Time if ban.Count < 3 else ban.Time * 24 if ban.Count < 6 else 604800",
    "max(60, int(ban.Time * banFactor / 3))",
    "abs(-ban.Time) // 7 % 13 + -ban.Time // 7 % -13",
    "-7 // 2 + -7 % 3 * 100 + 7 % -3 * 10000 + 7 // -2",
    "-7.5 // 2 + -7.5 % 3 + 7.5 % -3 + 7.5 // -2",
    "2 ** -1 + (-2) ** 3 + -2 ** 2",
    "2 ** 3 ** 2",
    "1 < ban.Count < 5",
    "1 < 2 == True",
    "not ban.Count or ban.Time > 599 and ban.Time",
    "pow(ban.Time, 2) + math.pow(ban.Count, 0.5) + round(2.5) + round(3.5) + round(2.675, 2)",
    "math.sqrt(ban.Count) * math.log(ban.Time) + math.log2(8) + math.log10(1000) + math.log(8, 2)",
    "math.floor(1.5) + math.ceil(1.5) + math.trunc(-1.5) + math.fmod(-7, 3) + math.fabs(-2)",
    "math.pi + math.e + math.tau",
    "ban.Time * 1.5e0 + .5 + 1. + 0x1f + 0b11 + 0o17 + 1_000",
    "~5 & 0xff | 3 ^ 1 << 2 >> 1",
    "5 / 2 + 5 // 2 + 6 / 3",
    "10 ** 20 // 7 % 1000",
    "2 ** 100 % 1000007 + (2 ** 126 - 1) // 3 % 10",
    "(1 << 200) >> 198",
    "1 << ban.Count * 100",
    "3 ** (ban.Count * 50)",
    "ban.Time / (ban.Count - 3)",
    "ban.Time // (ban.Count - 3)",
    "ban.Time % (ban.Count - 3)",
    "math.exp(ban.Count * 100)",
    "math.log(ban.Count - 3)",
    "math.sqrt(ban.Count - 3)",
    "(ban.Count - 3) ** 0.5",
    "1 << (ban.Count - 3)",
    "1.5 << 1",
    "int(1e300) / 1e290",
    "int(math.inf)",
    "10.0 ** 400",
    "1e200 * 1e200",
    "10 ** 400 > 1e300",
    "0.0 ** -1",
    "0 ** 0",
    "max(1, 1.0, True)",
    "min(3, 2.0, 2)",
    "bool(ban.Count) + int(-1.9) + float(3)",
    "ban.Time # a remark",
    "(ban.Time\n + 1)",
    "--1 + +-2",
];

/// What Python says of each.
fn python(lines: &[String]) -> Option<Vec<String>> {
    let mut child = match Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(e) => {
            println!("skipped: python3: {e}");
            return None;
        }
    };
    let text = lines.concat();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn near(ours: f64, theirs: f64) -> bool {
    ours == theirs
        || ours.is_nan() && theirs.is_nan()
        || (ours - theirs).abs() <= theirs.abs() * 1e-12
}

#[test]
fn formulas_give_what_python_gives() {
    let mut cases = Vec::new();
    for formula in FORMULAS {
        for count in [0, 1, 2, 3, 4, 5, 19, 20, 21, 100] {
            for factor in ["1", "2", "0.5", "2.0 / 2.885385"] {
                cases.push((*formula, 600, count, factor));
            }
        }
    }
    let line = |(formula, time, count, factor): &(&str, u64, u32, &str)| {
        format!("{time}\t{count}\t{factor}\t{}\n", formula.replace('\n', " "))
    };
    let Some(theirs) = python(&cases.iter().map(line).collect::<Vec<_>>()) else { return };
    assert_eq!(theirs.len(), cases.len());
    let mut wrong = Vec::new();
    for (case, theirs) in cases.iter().zip(theirs) {
        let (formula, time, count, factor) = case;
        let factor = if factor.contains('/') { 2.0 / 2.885385 } else { factor.parse().unwrap() };
        let ours = Formula::parse(formula).unwrap().seconds(*time, *count, factor);
        let same = match (ours, theirs.parse::<f64>()) {
            (Some(ours), Ok(theirs)) => near(ours, theirs),
            (None, Err(_)) => theirs == "none",
            _ => false,
        };
        if !same {
            wrong.push(format!("{case:?}: ours {ours:?}, python {theirs}"));
        }
    }
    println!("{} values of {} formulas", cases.len(), FORMULAS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SIGNS: &[&str] = &[
    "+", "-", "*", "/", "//", "%", "<<", ">>", "&", "|", "^", "<", "<=", "==", "!=", ">", ">=",
    " and ", " or ",
];

/// Terms made at random.
fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0u32..40).prop_map(|n| n.to_string()),
        (0u32..4000).prop_map(|n| format!("{}.{}", n / 100, n % 100)),
        Just("ban.Time".to_owned()),
        Just("ban.Count".to_owned()),
        Just("banFactor".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), proptest::sample::select(SIGNS), inner.clone())
                .prop_map(|(one, sign, two)| format!("{one}{sign}{two}")),
            inner.clone().prop_map(|one| format!("({one})")),
            inner.clone().prop_map(|one| format!("-{one}")),
            inner.clone().prop_map(|one| format!("not {one}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(one, two, three)| format!("({one} if {two} else {three})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("max({one}, {two})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("min({one}, {two})")),
            inner.clone().prop_map(|one| format!("int({one})")),
            inner.prop_map(|one| format!("abs({one})")),
        ]
    })
}

#[test]
fn random_terms_give_what_python_gives() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let terms: Vec<String> = (0..3000)
        .map(|_| {
            let tree = term().new_tree(&mut runner).unwrap();
            proptest::strategy::ValueTree::current(&tree)
        })
        .collect();
    let lines: Vec<String> = terms.iter().map(|term| format!("600\t3\t2\t{term}\n")).collect();
    let Some(theirs) = python(&lines) else { return };
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for (term, theirs) in terms.iter().zip(theirs) {
        let ours = Formula::parse(term).map(|formula| formula.seconds(600, 3, 2.0));
        let same = match (&ours, theirs.parse::<f64>()) {
            // Beyond 127 bits only the first ones are known.
            (Ok(Some(ours)), Ok(theirs)) => near(*ours, theirs) || theirs.abs() > 1e36,
            (Ok(None), Ok(theirs)) => theirs.abs() > 1e36,
            (Ok(None), Err(_)) => theirs == "none",
            (Err(_), _) => theirs == "wrong",
            _ => false,
        };
        refused += usize::from(ours.is_err());
        if !same {
            wrong.push(format!("{term}: ours {ours:?}, python {theirs}"));
        }
    }
    println!("{} terms, {refused} refused by both", terms.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), terms.len(), wrong.join("\n"));
}
