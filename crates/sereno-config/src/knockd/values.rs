//! Single values. knockd reads numbers with `atoi`: what begins with digits is that number, and what
//! does not is 0.

use super::Once;
use super::lines::Value;
use crate::problem::{Notes, Wrong};
use sereno_core::door::{FlagTest, Flags, Hit, MOST_HITS, Protocol, Sequence};
use std::ops::Range;

/// One-time sequences read from a file at most.
const MOST_ONCE: usize = 10_000;

/// What `atoi` makes of a text, and whether that is all of it.
fn atoi(text: &str) -> (i64, bool) {
    let text = text.trim();
    let (minus, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits[..end]
        .bytes()
        .fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let number = number.min(i64::from(i32::MAX));
    (if minus { -number } else { number }, end == digits.len() && end > 0)
}

/// A number of seconds.
pub(super) fn number(value: &Value, key: &str, notes: &mut Notes) -> i64 {
    let (number, whole) = atoi(&value.text);
    if !whole || number < 0 {
        let message = format!("{key} is read as {number} seconds");
        let remedy = format!("write whole seconds and nothing behind them: {key} = 10");
        notes.warn(0, Wrong::new(value.span.clone(), message).remedy(remedy));
    }
    number
}

/// A sequence of ports.
pub(super) fn sequence(value: &Value, notes: &mut Notes) -> Option<Sequence> {
    ports(&value.text, &value.span, &mut |severe, wrong| match severe {
        true => notes.error(0, wrong),
        false => notes.warn(0, wrong),
    })
}

/// Reads ports; tells what is wrong, and whether it is an error.
fn ports(text: &str, span: &Range<usize>, tell: &mut dyn FnMut(bool, Wrong)) -> Option<Sequence> {
    // A value that was put together from two lines has another length than its place.
    let exact = span.len() == text.len();
    let mut hits = Vec::new();
    let mut at = span.start;
    let mut good = true;
    for step in text.split(',') {
        let place = if exact { at..at + step.len() } else { span.clone() };
        at += step.len() + 1;
        let mut fields = step.split(':');
        let (port, how) = (fields.next().unwrap_or(""), fields.next());
        let (number, whole) = atoi(port);
        let protocol = match how.map(|how| how.trim().to_ascii_lowercase()).as_deref() {
            None | Some("tcp") => Protocol::Tcp,
            Some("udp") => Protocol::Udp,
            Some(_) => {
                let wrong = Wrong::new(place, "a port is knocked at over tcp or udp");
                tell(true, wrong.remedy("write 7000:tcp or 7000:udp"));
                good = false;
                continue;
            }
        };
        if number > 65535 {
            let wrong = Wrong::new(place, format!("{number} is no port"));
            tell(true, wrong.remedy("ports are 1 to 65535"));
            good = false;
            continue;
        }
        // As C makes an unsigned short of it.
        let port = number as u16;
        if !whole || number < 1 || fields.next().is_some() {
            let wrong = Wrong::new(place, format!("this is read as port {port}"));
            tell(
                false,
                wrong.remedy("write numbers from 1 to 65535, with commas between them only"),
            );
        }
        hits.push(Hit { protocol, port });
    }
    if hits.len() > MOST_HITS {
        let wrong = Wrong::new(span.clone(), format!("{} ports are too many", hits.len()));
        tell(true, wrong.remedy(format!("a sequence has at most {MOST_HITS} ports")));
        return None;
    }
    Sequence::new(hits).filter(|_| good)
}

/// Flags of TCP.
pub(super) fn flags(value: &Value, notes: &mut Notes) -> Option<FlagTest> {
    let mut test = FlagTest::default();
    let mut good = true;
    let mut at = value.span.start;
    for word in value.text.split(',') {
        let place = at..at + word.len();
        at += word.len() + 1;
        let name = word.strip_prefix('!').unwrap_or(word);
        let flag = match name.to_ascii_lowercase().as_str() {
            "fin" => Flags::FIN,
            "syn" => Flags::SYN,
            "rst" => Flags::RST,
            "psh" => Flags::PSH,
            "ack" => Flags::ACK,
            "urg" => Flags::URG,
            _ => {
                let wrong = Wrong::new(place, format!("{word:?} is no flag of TCP"));
                let remedy = "write fin, syn, rst, psh, ack or urg, with ! before it for not, \
                              commas between them, and no blanks or remarks";
                notes.error(0, wrong.remedy(remedy));
                good = false;
                continue;
            }
        };
        match name.len() == word.len() {
            true => test.set = test.set.and(flag),
            false => test.clear = test.clear.and(flag),
        }
    }
    if test.set.0 & test.clear.0 != 0 {
        let wrong = Wrong::new(value.span.clone(), "no packet has a flag and has it not");
        notes.warn(0, wrong.remedy("name each flag once"));
    }
    good.then_some(test)
}

/// The sequences of a file that were not used yet.
pub(super) fn once(
    value: &Value,
    file: &dyn Fn(&str) -> Option<String>,
    notes: &mut Notes,
) -> Option<(Vec<Sequence>, Once)> {
    let path = value.text.clone();
    let mut wrong = |message: String, remedy: &str| {
        notes.error(0, Wrong::new(value.span.clone(), message).remedy(remedy));
    };
    let Some(text) = file(&path) else {
        wrong(format!("{path} cannot be read"), "make the file, with one sequence on each line");
        return None;
    };
    let mut good = true;
    let (list, places) = good_once(&text, &mut |line, inner| {
        good = false;
        wrong(format!("{path}, line {line}: {}", inner.message), &inner.remedy);
    });
    if list.is_empty() && good {
        wrong(format!("no sequence is left in {path}"), "add sequences, one on each line");
        good = false;
    }
    good.then_some((list, Once { path, places }))
}

/// The sequences of a file that are still good, and where the line of each begins; `wrong` is told
/// of lines (from 1) that are none.
pub(super) fn good_once(
    text: &str,
    wrong: &mut dyn FnMut(usize, Wrong),
) -> (Vec<Sequence>, Vec<usize>) {
    let (mut list, mut places) = (Vec::new(), Vec::new());
    let mut at = 0;
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let begin = at;
        at += whole.len();
        let line = whole.trim();
        if line.is_empty() || whole.starts_with('#') || list.len() >= MOST_ONCE {
            continue;
        }
        let sequence = ports(line, &(0..0), &mut |severe, inner| {
            if severe {
                wrong(number + 1, inner);
            }
        });
        list.extend(sequence);
        places.push(begin);
    }
    (list, places)
}
