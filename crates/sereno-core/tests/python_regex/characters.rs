//! Addresses and sets of characters, as far as Unicode goes.

use crate::oracle::{Oracle, answer, search, search_in};
use crate::stock::Dice;
use sereno_core::filter::regex::{Options, Regex, Room};

const SETS: &[&str] = &[
    r"\w",
    r"\W",
    r"\d",
    r"\D",
    r"\s(?=\n)",
    r"\S",
    ".",
    r"[^\w]\n",
    r"[\w-]",
    r"[^\s\w]",
    r"\b",
    r"\B\n",
    r"\A\b\W",
];

const LETTERS: &[&str] = &[
    "i",
    "s",
    "k",
    "K",
    "ß",
    "İ",
    "ı",
    "Σ",
    "[ς]",
    "[a-z]",
    "[^a-z]\n",
    "[À-Þ]",
    "µ",
    "ﬅ",
    "[\u{1c80}-\u{1c88}]",
    "Ω",
    "å",
    "[\u{100}-\u{24f}]",
    "[Ꭰ-Ᏽ]",
    "𐐀",
    "θ",
    "ΐ",
    "\u{345}",
];

/// Addresses and what looks like them.
#[test]
fn addresses_are_found_alike() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut dice = Dice(0x5eed_4005);
    let parts = [
        "1", "12", "255", "a", "Fe80", "0001", "12345", ":", "::", ":", ".", ".", "[", "]", "/",
        "::ffff:", " ", "x", "é", "-", "1.2.3.4",
    ];
    let texts: Vec<String> = (0..20_000)
        .map(|_| {
            (0..=dice.roll(14)).map(|_| parts[dice.roll(parts.len())]).collect::<String>() + "\n"
        })
        .collect();
    let mut room = Room::new();
    for tag in [
        "<HOST>",
        "<ADDR>",
        "<IP4>",
        "<IP6>",
        "<SUBNET>",
        "<DNS>",
        "<ADDR>/<CIDR>",
        "<F-ID/>:<F-PORT/>",
    ] {
        for expression in [
            tag.to_owned(),
            format!("^{tag}$"),
            format!(r"^\S*\s?{tag}(?:\s|:\d+$|\.)"),
            format!("(?i)x{tag}x"),
        ] {
            for dns in [true, false] {
                let mut query = search_in(&expression, &texts);
                query["dns"] = dns.into();
                let theirs = answer(&oracle.ask(&query), &texts).unwrap();
                let ours =
                    Regex::compile(&expression, Options { raw_or_dns: dns, ..Options::default() })
                        .unwrap();
                for (index, text) in texts.iter().enumerate() {
                    let got = ours.search(text, &mut room).unwrap();
                    let wanted = theirs.found.get(&index);
                    assert_eq!(got, wanted.is_some(), "{expression} {text:?}");
                    for (group, span) in wanted.into_iter().flatten().enumerate() {
                        let got = room.get(group).map(|r| (r.start, r.end));
                        assert_eq!(got, *span, "{expression} {text:?} {group}");
                    }
                }
            }
        }
    }
}

/// Sets of characters, and which letters count as the same, over all of Unicode that matters.
#[test]
fn characters_are_alike() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut texts = Vec::new();
    for (from, to) in [
        (0, 0x3100),
        (0xa600, 0xac00),
        (0xf900, 0x1_0000),
        (0x1_0400, 0x1_0500),
        (0x1_e900, 0x1_e950),
        (0x1_f100, 0x1_f200),
    ] {
        let codes = oracle.ask(&serde_json::json!({ "assigned": [from, to] }));
        let codes: Vec<u32> = serde_json::from_value(codes).unwrap();
        texts.extend(codes.iter().map(|code| format!("{}\n", char::from_u32(*code).unwrap())));
    }
    assert!(texts.len() > 10_000);
    oracle.keep(&texts);
    let mut room = Room::new();
    let sets =
        SETS.iter().flat_map(|set| [(*set).to_owned(), format!("(?a){set}"), format!("(?i){set}")]);
    let letters = LETTERS
        .iter()
        .flat_map(|set| [(*set).to_owned(), format!("(?i){set}"), format!("(?ai){set}")]);
    for expression in sets.chain(letters) {
        let theirs = answer(&oracle.ask(&search(&expression, false, true)), &texts).unwrap();
        let ours = Regex::compile(&expression, Options::default()).unwrap();
        for (index, text) in texts.iter().enumerate() {
            let got = ours.search(text, &mut room).unwrap();
            assert_eq!(got, theirs.found.contains_key(&index), "{expression} {text:?}");
        }
    }
}
