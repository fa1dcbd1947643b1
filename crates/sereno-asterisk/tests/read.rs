//! What files mean. What Asterisk itself makes of thousands of others is asked in the lab (`grammar.py`).
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use sereno_asterisk::{Config, Document, Files, Invalid, Remark, Says, Wrong, load};
use std::collections::BTreeMap;

/// Files by their names.
struct Folder(BTreeMap<&'static str, Vec<u8>>);

impl Files for Folder {
    fn matching(&self, name: &[u8]) -> Vec<String> {
        let name = String::from_utf8_lossy(name).into_owned();
        self.0.contains_key(name.as_str()).then_some(name).into_iter().collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}

fn folder(files: &[(&'static str, &str)]) -> Folder {
    Folder(files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Sections that modules see, as `name: x=1 y=2`.
fn told(config: &Config) -> Vec<String> {
    let seen = config.sections.iter().filter(|section| !section.template);
    let section = seen.map(|section| {
        let all = section.variables.iter();
        let all = all.map(|one| format!(" {}={}", text(&one.name), text(&one.value)));
        format!("{}:{}", text(&section.name), all.collect::<String>())
    });
    section.collect()
}

fn means(file: &str) -> Vec<String> {
    told(&load(&folder(&[("m", file)]), "m").unwrap())
}

fn refused(file: &str) -> (usize, Invalid) {
    let (place, why, _) = *load(&folder(&[("m", file)]), "m").unwrap_err();
    (place.map_or(0, |place| place.line), why)
}

#[test]
fn telephones_are_made_of_templates() {
    let phones = "[phone](!)\ntype=friend\nsecret=weak\n[far](!,phone)\nnat=yes\n\
                  [100](phone)\nsecret=strong\n[101](far)\n";
    assert_eq!(
        means(phones),
        ["100: type=friend secret=weak secret=strong", "101: type=friend secret=weak nat=yes"]
    );
    // Who comes later to a template brings nothing to those who took it.
    assert_eq!(
        means("[t](!)\nx=1\n[a](t)\n[t](+TEMPLATES=include)\ny=2\n[b](t)\n"),
        ["a: x=1", "b: x=1 y=2"]
    );
    assert_eq!(means("[a] (t)\nx=1\n"), ["a: x=1"], "a blank before it: nobody inherits");
}

#[test]
fn it_is_known_where_each_value_stands() {
    let files =
        folder(&[("m", "[t](!)\nx=1\n#include \"i\"\n[a](t)\ny => 2\n"), ("i", "; a\nz=3\n")]);
    let config = load(&files, "m").unwrap();
    let a = config.sections.iter().find(|section| section.name == b"a").unwrap();
    let places: Vec<String> = a.variables.iter().map(|one| one.place.to_string()).collect();
    assert_eq!(places, ["m:2", "i:2", "m:5"]);
    let inherited: Vec<bool> = a.variables.iter().map(|one| one.inherited).collect();
    assert_eq!(inherited, [true, true, false]);
    assert_eq!(config.documents.len(), 2);
}

#[test]
fn where_a_value_stands_in_its_line_is_known_too() {
    let file = b"[a]\n  secret = a\\;b  ; mine\nx=;-- c --;1\n";
    let document = Document::read(file.to_vec());
    let at = |line: usize| match &document.lines()[line].says {
        Says::Setting(setting) => {
            (text(&setting.value).to_owned(), text(&file[setting.at.clone()]))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(at(1), ("a;b".to_owned(), "a\\;b"));
    assert_eq!(at(2), ("1".to_owned(), "1"));
}

#[test]
fn what_asterisk_refuses_is_refused_at_its_line() {
    assert_eq!(refused("; a\n\nx=1\n"), (3, Invalid::NoSection));
    assert_eq!(refused("[a\n"), (1, Invalid::Line(Wrong::Bracket)));
    assert_eq!(refused("[a](t\n"), (1, Invalid::Line(Wrong::Parenthesis)));
    assert_eq!(refused("[a]\n[b](+)\n"), (2, Invalid::NoSuch(b"b".to_vec())));
    assert_eq!(refused("[a]\n[b](a, c)\n"), (2, Invalid::NoSuch(b" c".to_vec())));
    assert_eq!(refused("[a]\n#include i\n"), (2, Invalid::Include(b"i".to_vec())));
    assert_eq!(refused("[a]\nx=1\n[a](+,a)\n"), (3, Invalid::Itself(b"a".to_vec())));
    assert!(matches!(*load(&folder(&[]), "m").unwrap_err(), (None, Invalid::Missing, _)));
}

#[test]
fn what_is_passed_over_is_told() {
    let files = folder(&[("m", "[a]\nx\n=1\n#exec y\n#tryinclude i\n#new z\n#include\n;-- on\n")]);
    let config = load(&files, "m").unwrap();
    let told: Vec<(usize, Remark)> =
        config.remarks.into_iter().map(|(place, remark)| (place.line, remark)).collect();
    let wanted = [
        (2, Remark::Line(Wrong::NoEquals)),
        (3, Remark::Line(Wrong::NoName)),
        (4, Remark::Exec),
        (5, Remark::NotThere(b"i".to_vec())),
        (6, Remark::Directive(b"new".to_vec())),
        (7, Remark::NoArgument),
        (8, Remark::Unended),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_few_lines_do_not_become_millions() {
    let mut file = String::from("[t0](!)\nx=1\n");
    for n in 1..60 {
        file += &format!("[t{n}](!,t{0},t{0})\n", n - 1);
    }
    assert_eq!(refused(&file).1, Invalid::TooMuch);
    let many: String = (0..60_000).map(|n| format!("[a]\nx={n}\n")).collect();
    assert_eq!(
        refused(&format!("{many}{}", "[a](+x=none)\n".repeat(9))).1,
        Invalid::NoSuch(b"a".to_vec())
    );
    let seeks = format!("{many}{}", "#tryinclude i\n".repeat(500));
    let files = folder(&[("m", &*seeks.leak()), ("i", "[a](+y=1)\n")]);
    assert_eq!(load(&files, "m").unwrap_err().1, Invalid::TooMuch);
    let long = format!("[t](!)\nx={}\n", "v".repeat(8000));
    let heirs: String = (0..20_000).map(|n| format!("[{n}](t)\n")).collect();
    assert_eq!(refused(&(long + &heirs)).1, Invalid::TooMuch);
    let grown = format!("[a]\nx=1\n{}", "x+=1\n".repeat(100_000));
    assert_eq!(refused(&grown).1, Invalid::TooMuch);
    let empty = "\n".repeat(1_000_001);
    assert_eq!(refused(&empty).1, Invalid::TooMuch);
    let deep = format!("[a]\n{}\n", ";--".repeat(200));
    assert_eq!(refused(&deep).1, Invalid::Line(Wrong::Nested));
    let wide = format!("[a]\n{}", "#include m\n".repeat(50));
    let (_, why, _) = *load(&folder(&[("m", &*wide.leak())]), "m").unwrap_err();
    assert_eq!(why, Invalid::TooMuch);
}

const WORDS: &[&str] = &[
    "[a]",
    "(",
    ")",
    "!",
    "+",
    "x",
    "=",
    ">",
    ";",
    "-",
    "--;",
    ";--",
    "\\",
    "\n",
    "\r\n",
    " ",
    "#include m",
    "\0",
    "\u{e9}",
];

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..60);
    words.prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #[test]
    fn lines_are_the_whole_file(bytes in prop_oneof![lines(), prop::collection::vec(any::<u8>(), 0..300)]) {
        let document = Document::read(bytes.clone());
        let mut end = 0;
        for line in document.lines() {
            prop_assert_eq!(line.range.start, end);
            end = line.range.end;
            let before = bytes[..line.range.start].iter().filter(|b| **b == b'\n').count();
            prop_assert_eq!(line.number, before + 1);
            if let Says::Setting(setting) = &line.says {
                prop_assert!(line.range.start <= setting.at.start && setting.at.end <= end);
            }
        }
        prop_assert_eq!(end, bytes.len());
        prop_assert_eq!(document.bytes(), &bytes[..]);
        let _ = load(&Folder(BTreeMap::from([("m", bytes)])), "m");
    }
}
