//! Tests of whole expressions; `tests/python_regex.rs` compares with Python itself.

use super::*;
use proptest::prelude::*;

const NAMES: Options = Options { multiline: false, raw_or_dns: true };

fn find(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let regex = Regex::compile(pattern, NAMES).unwrap();
    let mut room = Room::new();
    let text = format!("{text}\n");
    regex.search(&text, &mut room).unwrap().then(|| {
        (0..regex.groups as usize).map(|i| room.get(i).map(|r| text[r].to_owned())).collect()
    })
}

fn whole(pattern: &str, text: &str) -> Option<String> {
    find(pattern, text).and_then(|groups| groups[0].clone())
}

/// What is wrong: the part of the text it is about, and the message.
fn wrong(pattern: &str) -> (String, String) {
    let wrong = Regex::compile(pattern, NAMES).unwrap_err();
    assert!(!wrong.remedy.is_empty());
    (pattern[wrong.at..].chars().take(wrong.width).collect(), wrong.message)
}

#[test]
fn it_finds_what_python_finds() {
    assert_eq!(whole("a+b", "xaab").unwrap(), "aab");
    assert_eq!(whole("^<HOST>$", "10.0.0.1").unwrap(), "10.0.0.1");
    assert_eq!(whole(r"(?<!a)b", "abb").unwrap(), "b");
    assert_eq!(whole(r"a{,2}\<b\>{", "aaa<b>{").unwrap(), "aa<b>{");
    assert_eq!(whole(r"(?P<q>['\x22])(.*?)(?P=q)", "say 'a\"b' x").unwrap(), "'a\"b'");
    assert_eq!(whole(r"^(\[)?a(?(1)\]|!)$", "[a]").unwrap(), "[a]");
    assert_eq!(whole(r"^(\[)?a(?(1)\]|!)$", "[a!"), None);
    assert_eq!(whole(r"^(?>a*)a", "aaa"), None);
    assert_eq!(whole(r"^a*+a", "aaa"), None);
    assert_eq!(whole("(?i)strasse|STRAßE", "straße").unwrap(), "straße");
    assert_eq!(whole(r"(?a:\w+)", "éa1").unwrap(), "a1");
    assert_eq!(whole(r"(?x) a # b", "xa").unwrap(), "a");
}

#[test]
fn ways_that_need_what_does_not_come_are_passed_over() {
    let either = r"^(?:(a+)|(\w+))x(?(1)!|\?)$";
    assert_eq!(find(either, "aax?").unwrap()[1..], [None, Some("aa".to_owned())]);
    assert_eq!(find(either, "aax!").unwrap()[1..], [Some("aa".to_owned()), None]);
    let often = r"^(?:(a)|b)*(?(1)!|\?)$";
    assert_eq!(whole(often, "ba!").unwrap(), "ba!");
    assert_eq!(whole(often, "b?").unwrap(), "b?");
    assert_eq!(whole(often, "ba?"), None);
    // What was taken for good, or looked at, is not given up for another way.
    assert_eq!(whole(r"^(?>(a)|\w)(?(1)!|\?)$", "a?"), None);
    assert_eq!(whole(r"^(?=(?:(b)|\w)c)\w(?(1)!|.)", "bc?"), None);
    // It may stand anywhere behind, and there more than once.
    let user = r"^for (?:(\S+)|(.*)) from \d+(?(1): |$)";
    assert_eq!(
        find(user, "for a from 1 x: from 2").unwrap()[1..],
        [None, Some("a from 1 x:".to_owned())]
    );
    assert_eq!(find(user, "for a: b from 1: "), None);
    assert_eq!(find(user, "for a from 1: b").unwrap()[1].as_deref(), Some("a"));
}

#[test]
fn the_end_is_before_the_last_line_break() {
    assert!(whole("^a$", "a").is_some());
    assert!(whole(r"^a\Z", "a").is_none());
    assert!(whole(r"^a\n\Z", "a").is_some());
    assert!(whole("^a$", "a\nb").is_none());
    let regex = Regex::compile("^b$", Options { multiline: true, raw_or_dns: true }).unwrap();
    assert!(regex.search("a\nb\nc\n", &mut Room::new()).unwrap());
}

#[test]
fn groups_have_fail2bans_names() {
    let regex =
        Regex::compile("<F-ALT_USER_1>a</F-ALT_USER_1> <ADDR> (b)?<F-ID>c</F-ID>", NAMES).unwrap();
    let names: Vec<_> = regex.names().collect();
    assert_eq!(names, [("alt_user_1", 1), ("fid", 5), ("ip4", 2), ("ip6", 3)]);
    assert!(regex.has_id() && regex.is_linear());
    assert!(!Regex::compile("<F-USER>a</F-USER>", NAMES).unwrap().has_id());
    let mut room = Room::new();
    assert!(regex.search("x a ::1 c\n", &mut room).unwrap());
    assert_eq!(room.get(0), Some(2..9));
    assert_eq!(regex.group("ip6").and_then(|i| room.get(i)), Some(4..7));
    assert_eq!((room.get(2), room.get(4), room.get(99)), (None, None, None));
    assert!(!regex.search("y\n", &mut room).unwrap());
    assert_eq!(room.get(0), None);
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    for (pattern, at, message) in [
        ("a(b(c)", "(", "this ( is never closed by a )"),
        ("a)b", ")", "this ) closes nothing: no ( is open here"),
        ("é*?+", "+", "+ repeats what is repeated already"),
        ("a|*", "*", "there is nothing that * could repeat"),
        ("^{2}", "{2}", "there is nothing that {2} could repeat"),
        ("a[b", "[", "this [ is never closed by a ]"),
        ("[z-a]", "z-a", "this range of characters ends before it begins"),
        (r"a\q", r"\q", r"\q means nothing"),
        (r"(a)\2", r"\2", "there is no group 2"),
        (r"(a\1)", r"\1", "this refers to a group that is still open here"),
        ("(?P<1a>b)", "1a", "1a cannot be the name of a group"),
        ("(?P=user)", "user", "no group before this is called user"),
        ("<F-USER>a</F-USER><F-USER>", "<F-USER>", "there is a group called user already"),
        ("<HOST> <HOST>", "<HOST>", "there is a group called ip4 already"),
        ("<F-A-B>", "<F-A-B>", "a-b cannot be the name of a group"),
        ("a(?<=b*)c", "(?<=b*)", "what a look-behind looks for must have one fixed length"),
        ("a(?i)b", "(?i)", "flags for the whole expression stand at its very beginning"),
        ("a{3,2}", "{3,2}", "the lower bound of this repetition is above the upper one"),
        ("x\\", "\\", r"there is nothing after this \"),
        (r"\N{DASH}", r"\N{DASH}", r"characters by name, \N{...}, are not known here"),
        ("(?<a>b)", "(?<", "Python has no such parentheses"),
        (" ", " ", "the expression is empty"),
    ] {
        assert_eq!(wrong(pattern), (at.to_owned(), message.to_owned()), "{pattern}");
    }
}

#[test]
fn required_literals_are_in_every_text_that_matches() {
    let required = |pattern: &str| {
        let regex = Regex::compile(pattern, NAMES).unwrap();
        let all = regex.required()?.iter().map(|one| String::from_utf8(one.clone()).unwrap());
        Some(all.collect::<Vec<_>>())
    };
    assert_eq!(required(r"^(?! x)Failed \S+ for").unwrap(), ["Failed "]);
    assert_eq!(required("(?:abcd|efgh) <HOST>").unwrap(), ["abcd ", "efgh "]);
    assert_eq!(required("<HOST>"), None);
    assert_eq!(required("(?=abcd)ab?"), None);
    assert_eq!(required(r#""é" \1|x|(a)"#.replace(r" \1", "").as_str()), None);
    let never = format!(r"{}\ud800[^\W\w]c", "ab".repeat(200));
    assert!(required(&never).is_none_or(|all| all[0].starts_with("ab")));
    let folded = required("(?i)no way").unwrap();
    assert!(folded.len() <= 24 && folded.iter().all(|one| one.len() >= 3), "{folded:?}");
    assert!(folded.iter().any(|one| "NO WAY".contains(one.as_str())));
}

proptest! {
    #[test]
    fn nothing_breaks_it(pattern in r"[a-c()\[\]{}*+?|\\^$.:=!<>PHOST,1-3é -]{0,40}", text in "(?s).{0,30}") {
        match Regex::compile(&pattern, NAMES) {
            Ok(regex) => {
                let mut room = Room::new();
                if regex.search(&text, &mut room) == Ok(true) {
                    for group in 0..regex.groups as usize {
                        prop_assert!(room.get(group).is_none_or(|range| text.get(range).is_some()));
                    }
                }
            }
            Err(wrong) => {
                prop_assert!(wrong.width > 0);
                prop_assert!(pattern.is_char_boundary(wrong.at));
            }
        }
    }

    /// What a search leaves in the room does not change the next one.
    #[test]
    fn room_is_used_again(texts in prop::collection::vec("[ab]{0,12}", 1..6)) {
        let regex = Regex::compile(r"(?:(a)|b(?!a))*(?(1)bb|aa)$", NAMES).unwrap();
        let mut room = Room::new();
        for text in texts {
            let text = format!("{text}\n");
            let mut fresh = Room::new();
            prop_assert_eq!(regex.search(&text, &mut room), regex.search(&text, &mut fresh));
            prop_assert_eq!((room.get(0), room.get(1)), (fresh.get(0), fresh.get(1)));
        }
    }
}
