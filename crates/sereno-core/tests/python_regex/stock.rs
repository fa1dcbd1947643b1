//! All of fail2ban's own filters on all of its own samples, and on samples that were damaged.

use crate::oracle::{Oracle, answer, search};
use serde_json::json;
use sereno_core::filter::regex::{Options, Regex, Room};

/// A small random number generator, the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }
}

/// The text with a few characters changed.
fn damaged(text: &str, others: &[String], dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(chars.len() + 1);
        match dice.roll(6) {
            0 if at < chars.len() => {
                chars.remove(at);
            }
            1 => chars.insert(at, [' ', '\t', '\r', ':', ']', '"', '<', '\u{1c}'][dice.roll(8)]),
            2 => {
                chars
                    .insert(at, ['é', 'ſ', '²', '\u{a0}', '٣', '_', '文', '\u{301}'][dice.roll(8)]);
            }
            3 if at < chars.len() => {
                chars[at] = if chars[at].is_uppercase() {
                    chars[at].to_ascii_lowercase()
                } else {
                    chars[at].to_ascii_uppercase()
                };
            }
            4 => {
                let other = &others[dice.roll(others.len())];
                let (from, length) = (dice.roll(other.chars().count()), dice.roll(20));
                let part: Vec<char> = other.chars().skip(from).take(length).collect();
                chars.splice(at..at, part);
            }
            _ => {
                let end = (at + dice.roll(20)).min(chars.len());
                let part: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, part);
            }
        }
    }
    chars.into_iter().collect()
}

pub(crate) type Expression = (String, String, bool);

pub(crate) fn stock(oracle: &mut Oracle) -> (Vec<Expression>, Vec<String>) {
    let stock = oracle.ask(&json!({ "stock": true }));
    (
        serde_json::from_value(stock["expressions"].clone()).unwrap(),
        serde_json::from_value(stock["texts"].clone()).unwrap(),
    )
}

#[test]
fn stock_filters_find_the_same() {
    let Some(mut oracle) = Oracle::start() else { return };
    let (expressions, samples) = stock(&mut oracle);
    assert!(expressions.len() > 250 && samples.len() > 2000);
    let mut dice = Dice(0x5e7e_4001);
    let bad: Vec<String> = samples.iter().map(|text| damaged(text, &samples, &mut dice)).collect();
    let texts: Vec<String> = samples.iter().chain(&bad).map(|text| format!("{text}\n")).collect();
    oracle.keep(&texts);
    let (mut hits, mut linear, mut without) = (0, 0, 0);
    let mut room = Room::new();
    for (name, regex, multiline) in &expressions {
        // <HOST> is a group of names or none: both.
        for dns in [true, false].into_iter().take(1 + usize::from(regex.contains("<HOST>"))) {
            oracle.send(&search(regex, *multiline, dns));
            let ours = Regex::compile(regex, Options { multiline: *multiline, raw_or_dns: dns })
                .unwrap_or_else(|wrong| panic!("{name}: {wrong:?}\n{regex}"));
            linear += usize::from(ours.is_linear());
            without += usize::from(ours.required().is_none());
            let theirs = answer(&oracle.receive(), &texts).unwrap();
            assert_eq!(
                ours.names().map(|(n, i)| (n.to_owned(), i)).collect::<Vec<_>>(),
                theirs.names.clone().into_iter().collect::<Vec<_>>()
            );
            for (index, text) in texts.iter().enumerate() {
                let found = ours.search(text, &mut room).unwrap();
                let wanted = theirs.found.get(&index);
                assert_eq!(found, wanted.is_some(), "{name}: {regex}\n{text:?}");
                let Some(wanted) = wanted else { continue };
                hits += 1;
                for (group, span) in wanted.iter().enumerate() {
                    let got = room.get(group).map(|range| (range.start, range.end));
                    assert_eq!(got, *span, "{name}: group {group} of {regex}\n{text:?}");
                }
                if let Some(all) = ours.required() {
                    let holds =
                        |one: &Vec<u8>| memchr::memmem::find(text.as_bytes(), one).is_some();
                    assert!(all.iter().any(holds), "{name}: {regex}\n{text:?}");
                }
            }
        }
    }
    println!(
        "{} expressions x {} texts: {hits} matches; {linear} compiled ones linear, {without} without literals",
        expressions.len(),
        texts.len()
    );
    assert!(hits > 3000);
}
