//! Random small expressions on random small texts, right ones and broken ones.

use crate::oracle::{Oracle, answer, search_in};
use crate::stock::Dice;
use sereno_core::filter::regex::{Options, Regex, Room};

const ATOMS: [&str; 46] = [
    "a", "b", "ab", "c", ".", r"\w", r"\W", r"\d", r"\s", r"\S", "[ab]", "[^a]", r"[\w-]",
    "[^\\s:]", "[a-c1]", "^", "$", r"\b", r"\B", r"\A", r"\Z", "é", "[à-ü]", "i", "s", "K", "_",
    "1", ":", " ", r"\n", r"\x61", r"\141", r"\0", r"\u00e9", r"\:", "[]a]", "[[:]", "[a&&b]",
    "[--a]", "{", "}", "]", "a{,2}", "(?#x)", "\u{130}",
];

const QUANTIFIERS: [&str; 14] = [
    "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{0}", "{,1}?", "{2,3}?",
    "{0,2}",
];

/// How much of Python goes into the expressions.
#[derive(Clone, Copy)]
struct Taste {
    /// Look-around, back-references, conditions.
    fancy: bool,
    /// Groups that remember may be repeated.
    loops: bool,
    /// Only of single characters; of more Python 3.11.2 gets them wrong.
    possessive: bool,
}

/// The groups there are so far, and those that are closed.
#[derive(Default)]
struct Groups {
    count: usize,
    closed: Vec<usize>,
}

/// A whole expression.
fn whole(dice: &mut Dice, taste: Taste) -> String {
    let flags = ["(?i)", "(?a)", "(?s)", "(?m)", "(?x)", "(?ai)", "(?is)"];
    let flags = flags.get(dice.roll(50)).copied().unwrap_or_default();
    format!("{flags}{}", expression(dice, 3, &mut Groups::default(), taste))
}

/// What Python 3.11.2 gets wrong: possessive groups, flags of types for a part, and conditions on
/// the group they stand in.
fn beyond_python(pattern: &str) -> bool {
    [")*+", ")++", ")?+", "(?a:", "(?ai:", "(?ia:", "(?as:"].iter().any(|bad| pattern.contains(bad))
        || pattern
            .match_indices("){")
            .any(|(at, _)| pattern[at..].find("}+").is_some_and(|end| end < 8))
}

fn expression(dice: &mut Dice, depth: usize, groups: &mut Groups, taste: Taste) -> String {
    let mut out = String::new();
    for branch in 0..=usize::from(dice.roll(4) == 0) + usize::from(dice.roll(12) == 0) {
        if branch > 0 {
            out.push('|');
        }
        for _ in 0..dice.roll(4) {
            piece(dice, depth, groups, taste, &mut out);
        }
    }
    out
}

fn piece(dice: &mut Dice, depth: usize, groups: &mut Groups, taste: Taste, out: &mut String) {
    let before = groups.count;
    let choice = if depth == 0 { 0 } else { dice.roll(if taste.fancy { 20 } else { 14 }) };
    let inside = |dice: &mut Dice, groups: &mut Groups| expression(dice, depth - 1, groups, taste);
    let part = match choice {
        0..=7 => ATOMS[dice.roll(ATOMS.len())].to_owned(),
        8..=10 => {
            groups.count += 1;
            let index = groups.count;
            let inside = inside(dice, groups);
            groups.closed.push(index);
            if choice == 10 { format!("(?P<g{index}>{inside})") } else { format!("({inside})") }
        }
        11 => format!("(?:{})", inside(dice, groups)),
        12 => format!("(?i:{})", inside(dice, groups)),
        13 => {
            let flags = ["s", "m", "is", "x", "i-s", "-i", "u"][dice.roll(7)];
            format!("(?{flags}:{})", inside(dice, groups))
        }
        14 => format!("(?={})", inside(dice, groups)),
        15 => format!("(?!{})", inside(dice, groups)),
        16 => format!(
            "(?<{}{})",
            ['=', '!'][dice.roll(2)],
            ["a", "[ab]", "ab|ba", r"\b", "^", r"\w\W", "é"][dice.roll(7)]
        ),
        17 => format!("(?>{})", inside(dice, groups)),
        18 if !groups.closed.is_empty() => {
            format!("\\{}", groups.closed[dice.roll(groups.closed.len())])
        }
        19 if !groups.closed.is_empty() => {
            let group = groups.closed[dice.roll(groups.closed.len())];
            format!(
                "(?({group}){}|{})",
                ["a", "ab", "", r"\w"][dice.roll(4)],
                ["b", "", "c"][dice.roll(3)]
            )
        }
        _ => "a".to_owned(),
    };
    out.push_str(&part);
    let may_repeat = taste.loops || groups.count == before;
    if dice.roll(3) == 0 && may_repeat {
        out.push_str(QUANTIFIERS[dice.roll(QUANTIFIERS.len())]);
    } else if taste.possessive && dice.roll(10) == 0 && choice < 8 && part.chars().count() == 1 {
        out.push_str(["*+", "++", "?+", "{1,2}+"][dice.roll(4)]);
    }
}

fn text(dice: &mut Dice) -> String {
    let signs = [
        'a', 'a', 'b', 'b', 'c', 'A', 'B', '1', ' ', ':', '_', 'é', 'É', '\n', 's', 'ſ', 'ı', 'K',
        '-', '\u{1c}',
    ];
    let mut text: String = (0..dice.roll(9)).map(|_| signs[dice.roll(signs.len())]).collect();
    if dice.roll(2) == 0 {
        text.retain(|c| c.is_ascii() && c != '\n');
    }
    text.push('\n');
    text
}

/// What we refuse and Python takes.
fn may_refuse(pattern: &str, message: &str) -> bool {
    message.contains("too large")
        || message.contains("by name")
        || message.contains("no such flag") && pattern.contains('t')
}

/// Compares; returns what differs.
fn compare(oracle: &mut Oracle, dice: &mut Dice, patterns: &[String]) -> Vec<String> {
    let (mut different, mut exhausted) = (Vec::new(), 0);
    let mut room = Room::new();
    for batch in patterns.chunks(50) {
        let all: Vec<Vec<String>> =
            batch.iter().map(|_| (0..12).map(|_| text(dice)).collect()).collect();
        for (pattern, texts) in batch.iter().zip(&all) {
            oracle.send(&search_in(pattern, texts));
        }
        for (pattern, texts) in batch.iter().zip(&all) {
            let theirs = oracle.receive();
            if theirs.get("slow").is_some() {
                continue;
            }
            let theirs = answer(&theirs, texts);
            let ours = Regex::compile(pattern, Options::default());
            let (theirs, ours) = match (theirs, ours) {
                (Ok(theirs), Ok(ours)) => (theirs, ours),
                (Err(_), Err(wrong)) => {
                    assert!(pattern.is_char_boundary(wrong.at), "{wrong:?} {pattern:?}");
                    continue;
                }
                (Ok(_), Err(wrong)) if may_refuse(pattern, &wrong.message) => continue,
                (theirs, ours) => {
                    different.push(format!("{pattern:?}: {:?} {:?}", theirs.err(), ours.err()));
                    continue;
                }
            };
            for (index, text) in texts.iter().enumerate() {
                let Ok(found) = ours.search(text, &mut room) else {
                    assert!(!ours.is_linear(), "{pattern:?} on {text:?}");
                    exhausted += 1;
                    continue;
                };
                let got = found.then(|| {
                    let groups = 0..theirs.found.get(&index).map_or(1, Vec::len);
                    groups.map(|i| room.get(i).map(|r| (r.start, r.end))).collect::<Vec<_>>()
                });
                if beyond_python(pattern) {
                    break;
                }
                if got.as_ref() != theirs.found.get(&index) {
                    different.push(format!(
                        "{pattern:?} on {text:?}: {:?}, not {got:?}",
                        theirs.found.get(&index)
                    ));
                    break;
                }
                if let (Some(_), Some(all)) = (&got, ours.required()) {
                    let holds =
                        |one: &Vec<u8>| memchr::memmem::find(text.as_bytes(), one).is_some();
                    assert!(all.iter().any(holds), "{pattern:?} {text:?} {all:?}");
                }
            }
        }
    }
    // Nested loops that take nothing are slow in Python too.
    assert!(exhausted <= patterns.len() / 500, "{exhausted} exhausted");
    different
}

fn check(seed: u64, count: usize, taste: Taste) {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut dice = Dice(seed);
    let patterns: Vec<String> = (0..count)
        .map(|_| whole(&mut dice, taste))
        .filter(|pattern| !pattern.trim_start().is_empty())
        .collect();
    let different = compare(&mut oracle, &mut dice, &patterns);
    let shown = different.iter().take(30).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {count} differ:\n{shown}", different.len());
}

#[test]
fn plain_expressions_find_the_same() {
    check(0x5eed_4001, 6000, Taste { fancy: false, loops: true, possessive: false });
}

#[test]
fn look_arounds_and_references_find_the_same() {
    check(0x5eed_4002, 6000, Taste { fancy: true, loops: false, possessive: true });
}

#[test]
fn anything_goes() {
    check(0x5eed_4003, 6000, Taste { fancy: true, loops: true, possessive: true });
}

/// Expressions with a character too much, too little or elsewhere.
#[test]
fn broken_expressions_are_refused_like_pythons() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut dice = Dice(0x5eed_4004);
    let signs: Vec<char> = r"()[]{}*+?|\^$.:=!<>-#,PiLumsxtaAbBdDzZ01389&~ _'N".chars().collect();
    let taste = Taste { fancy: true, loops: true, possessive: true };
    let patterns: Vec<String> = (0..12_000)
        .map(|_| {
            let mut chars: Vec<char> = whole(&mut dice, taste).chars().collect();
            for _ in 0..=dice.roll(3) {
                let at = dice.roll(chars.len() + 1);
                match dice.roll(3) {
                    0 if at < chars.len() => drop(chars.remove(at)),
                    1 if at < chars.len() => chars[at] = signs[dice.roll(signs.len())],
                    _ => chars.insert(at, signs[dice.roll(signs.len())]),
                }
            }
            chars.into_iter().collect::<String>()
        })
        .filter(|pattern| !pattern.trim_start().is_empty())
        .collect();
    let different = compare(&mut oracle, &mut dice, &patterns);
    let shown = different.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} differ:\n{shown}", different.len());
}
