//! Scripts run by real shells, with values that want to be more than values.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout)]

use super::script::{Script, make, take};
use super::values::{Ticket, Value};
use crate::text::Text;
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

/// Each tries something that a shell would do.
const HOSTILE: [&str; 20] = [
    "`touch canary`",
    "$(touch canary)",
    "; touch canary;",
    "\ntouch canary\n",
    "' ; touch canary ; '",
    "\"; touch canary; \"",
    "\\",
    "\\\"; touch canary #",
    "<ip>",
    "<br>touch canary<br>",
    "$f2bV_matches ${f2bV_ip}",
    "\n~! touch canary\n.\n",
    "\nE\ntouch canary\n",
    "} ; touch canary; {",
    ") ; touch canary; (",
    "* ? [a-z]* ~ ~root",
    "-n -e --help",
    "a  b\t c \r\n",
    "${IFS}|touch${IFS}canary&",
    "ñ\u{feff}\u{7f}\u{1b}[2J",
];

fn script(text: &str) -> Script {
    let taken = take(&Text::plain(text)).unwrap_or_else(|(_, f)| panic!("{text:?}: {}", f.message));
    make(&taken).unwrap_or_else(|faults| panic!("{text:?}: {}", faults[0].message))
}

/// Runs a script in `folder`, where the program `show` keeps its words and `keep` what it reads.
/// Gives these.
fn run(shell: &str, folder: &Path, script: &Script, ticket: &Ticket) -> Vec<String> {
    for (name, text) in
        [("show", "printf '%s\\0' \"$@\" >> out"), ("keep", "cat >> out; printf '\\0' >> out")]
    {
        let path = folder.join(name);
        if !path.exists() {
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
    }
    let _ = std::fs::remove_file(folder.join("out"));
    let environment = ticket.environment(script).unwrap();
    let values = environment.into_iter().map(|(name, value)| match value {
        Value::Text(text) => (name, text),
        other => (name, format!("{other:?}")),
    });
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let output = Command::new(shell)
        .arg("-c")
        .arg(&script.text)
        .env_clear()
        .env("PATH", path)
        .envs(values)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}\n{output:?}", script.text);
    assert!(!folder.join("canary").exists(), "{}", script.text);
    let kept = std::fs::read(folder.join("out")).unwrap_or_default();
    let kept = String::from_utf8(kept).unwrap();
    kept.split_terminator('\0').map(ToOwned::to_owned).collect()
}

fn ticket(user: &str, matches: &str) -> Ticket {
    let mut ticket = Ticket {
        id: "192.0.2.7".to_owned(),
        addr: "192.0.2.7".parse().ok(),
        matches: vec![matches.to_owned()],
        ..Ticket::default()
    };
    ticket.captures.insert("user".to_owned(), user.to_owned());
    ticket
}

fn shells() -> impl Iterator<Item = &'static str> {
    ["/bin/sh", "/bin/dash", "/bin/bash"].into_iter().filter(|shell| Path::new(shell).exists())
}

/// What a command prints has no line breaks at its end.
fn printed(value: &str) -> &str {
    value.trim_end_matches('\n')
}

/// A value as commands get it: none is an option.
fn given(value: &str) -> String {
    if value.starts_with('-') { format!(" {value}") } else { value.to_owned() }
}

#[test]
fn commands_are_given_values_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    type Worth = fn(&str) -> Vec<String>;
    let templates: [(&str, Worth); 13] = [
        ("show <F-USER> x<matches>y", |v| vec![v.to_owned(), format!("x{v}y")]),
        ("show \"<F-USER>\" 'a <matches> b'", |v| vec![v.to_owned(), format!("a {v} b")]),
        ("show \"$(show '<F-USER>'; printf x)\"", |v| vec![v.to_owned(), "x".to_owned()]),
        ("a=<F-USER>; b='<matches>'; show \"$a$b\"", |v| vec![format!("{v}{v}")]),
        ("printf %s \"<matches>\" | keep", |v| vec![v.to_owned()]),
        ("keep <<E\na <F-USER>'\"\nE\n", |v| vec![format!("a {v}'\"\n")]),
        ("keep <<-E && show z\n\t<F-USER>\n\tE\n", |v| vec![format!("{v}\n"), "z".to_owned()]),
        ("show \"`printf %s \"<F-USER>\"`x\"", |v| vec![format!("{}x", printed(v))]),
        ("show `show \\`echo <ip>\\`` \"<F-USER>\"", |v| {
            vec!["192.0.2.7".to_owned(), v.to_owned()]
        }),
        ("if [ -n <F-USER> ]; then case <F-USER> in x) ;; *) show <F-USER>;; esac; fi", |v| {
            vec![v.to_owned()]
        }),
        ("sh -c 'show \"$1\"' sh <F-USER>", |v| vec![v.to_owned()]),
        ("f() { show \"$@\"; }\nfor u in <F-USER>; do f \"$u\" <ip>; done", |v| {
            vec![v.to_owned(), "192.0.2.7".to_owned()]
        }),
        ("awk 'BEGIN { printf \"<ip>\" }' | keep # don't <F-USER>", |_| {
            vec!["192.0.2.7".to_owned()]
        }),
    ];
    for (text, wanted) in templates {
        let script = script(text);
        for value in HOSTILE {
            for shell in shells() {
                let got = run(shell, folder.path(), &script, &ticket(value, value));
                assert_eq!(got, wanted(&given(value)), "{shell}: {text}\n{}", script.text);
            }
        }
    }
}

#[test]
fn mail_is_given_no_commands() {
    let folder = tempfile::tempdir().unwrap();
    let mail = "#!/bin/sh\nkeep\nshow \"$@\"\n";
    std::fs::write(folder.path().join("mail"), mail).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("mail"), mode).unwrap();
    for text in [
        "printf %b \"Hi,\\n<matches>\\n`printf '~! whois'`\" | mail -s \"a <F-USER>\" root",
        "printf '%s' \"<matches>\" | nice mail -s \"a <F-USER>\" root",
        "mail -s \"a <F-USER>\" root <<E\n~x\n<matches>\nE\n",
    ] {
        for value in
            ["x\n~! touch canary", "\\n\\176! touch canary", "~!touch canary\n~~", "\\r\\x7e!"]
        {
            let got = run("/bin/sh", folder.path(), &script(text), &ticket("u", value));
            assert!(got[0].lines().all(|line| !line.starts_with('~')), "{text} {got:?}");
            assert_eq!(&got[1..], ["-s", "a u", "root"]);
        }
    }
}

#[test]
fn deep_and_long_scripts_end() {
    for piece in
        ["${a:-", "$(", "\"$(", "`", "$((", "( ", "{ ", "case x in (", "if ", "cat <<E\n$("]
    {
        let text = piece.repeat(100_000 / piece.len());
        // Whether it is taken does not matter here.
        let _ = take(&Text::plain(&text)).is_ok();
    }
    let long = "a '<F-USER>' \"`b <ip>`\" <matches> | c && ".repeat(2000);
    assert_eq!(script(&long).needs.len(), 3);
}

/// A piece of a word: what is written, and what it is worth with a value.
fn piece() -> impl Strategy<Value = (String, String)> {
    let text = "[a-zA-Z0-9 .,:;|&()<>#*?~!=+-]{0,4}";
    prop_oneof![
        "[a-z0-9.]{1,3}".prop_map(|t| (t.clone(), t)),
        Just(("<F-USER>".to_owned(), "\u{0}".to_owned())),
        (text, text).prop_map(|(a, b)| (format!("\"{a}<F-USER>{b}\""), format!("{a}\0{b}"))),
        (text, text).prop_map(|(a, b)| (format!("'{a}<F-USER>{b}'"), format!("{a}\0{b}"))),
        (text, "[$`\"\\\\]{0,2}")
            .prop_map(|(a, b)| (format!("'{a}<F-USER>{b}'"), format!("{a}\0{b}"))),
        ("[$`\"\\\\']", text)
            .prop_map(|(a, b)| (format!("\\{a}\"\\\\<F-USER>\\\"{b}\""), format!("{a}\\\0\"{b}"))),
    ]
}

/// A command that shows words, and what each is worth.
fn command() -> impl Strategy<Value = (String, Vec<String>)> {
    let word = prop::collection::vec(piece(), 1..4);
    let show = prop::collection::vec(word, 1..3).prop_map(|words| {
        let parts = |word: &Vec<(String, String)>| {
            (
                word.iter().map(|p| p.0.as_str()).collect(),
                word.iter().map(|p| p.1.as_str()).collect(),
            )
        };
        let (written, worth): (Vec<String>, Vec<String>) = words.iter().map(parts).unzip();
        (format!("show {}", written.join(" ")), worth)
    });
    show.prop_recursive(4, 16, 2, |inner| {
        let two = (inner.clone(), inner.clone(), prop::sample::select(vec!["; ", "\n", " && "]));
        prop_oneof![
            inner.clone().prop_map(|(t, w)| (format!("( {t}\n)"), w)),
            inner.clone().prop_map(|(t, w)| (format!("{{ {t}\n}} | cat"), w)),
            inner.clone().prop_map(|(t, w)| (format!("if true; then {t}\nfi"), w)),
            inner.clone().prop_map(|(t, w)| (format!("case a in b) ;; (a|c) {t}\n;; esac"), w)),
            inner.clone().prop_map(|(t, w)| (format!("for i in 1; do {t}\ndone"), w)),
            inner.clone().prop_map(|(t, w)| (format!("x=$( {t}\n)"), w)),
            inner.clone().prop_map(|(t, w)| (format!(": \"$( {t}\n)\""), w)),
            inner.clone().prop_map(|(t, w)| {
                let inside = t.replace('\\', "\\\\").replace('`', "\\`").replace('$', "\\$");
                (format!("x=`{inside}\n`"), w)
            }),
            inner.clone().prop_map(|(t, w)| {
                let end = format!("E{}", t.len());
                (format!("cat <<{end} >/dev/null\n$( {t}\n)\n{end}"), w)
            }),
            two.prop_map(|((a, mut v), (b, w), between)| {
                v.extend(w);
                let between = if a.contains("<<") { "\n" } else { between };
                (format!("{a}{between}{b}"), v)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn values_arrive_through_all_quotes(
        (text, words) in command(),
        value in prop::sample::select(HOSTILE.to_vec()),
        more in "[\\PC\n`$\"'\\\\;&|<>]{0,12}",
    ) {
        // A script in a here-document ends where its word does.
        let folder = tempfile::tempdir().unwrap();
        let value = format!("{value}{more}");
        let wanted: Vec<String> = words.iter().map(|word| word.replace('\0', &given(&value))).collect();
        let script = script(&text);
        for shell in ["/bin/sh", "/bin/bash"].into_iter().filter(|shell| Path::new(shell).exists()) {
            let got = run(shell, folder.path(), &script, &ticket(&value, ""));
            prop_assert_eq!(&got, &wanted, "{}\n{}\n{}", shell, &text, &script.text);
        }
    }

    /// Whatever is written, a script is made or refused, in time.
    #[test]
    fn any_text_is_taken_apart(text in "([a-z \n;&|(){}<>$`'\"\\\\#=*!]|<F-USER>|<ip>|\\$\\(|<<E|case|esac|if){0,60}") {
        if let Ok(taken) = take(&Text::plain(&text)) {
            let _ = make(&taken).map(|script| script.text.len());
        }
    }
}
