use super::*;
use proptest::prelude::*;

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

fn read(text: &str) -> (Option<Invited>, Vec<Problem>) {
    read_invited(&Document { name: "office.toml".to_owned(), text: text.to_owned() })
}

fn right(text: &str) -> Invited {
    let (read, problems) = read(text);
    assert_eq!(problems, [], "{text}");
    read.unwrap()
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let hits = vec![Hit::tcp(7000), Hit::udp(8000), Hit::tcp(9000)];
    let fixed = Knock::Fixed { sequence: Sequence::new(hits).unwrap(), once: true };
    let secret = Secret::from_base64(SECRET).unwrap();
    let timed = Knock::Timed(TimedKnock { length: 5, ..TimedKnock::new(secret) });
    for (knock, wait) in [(fixed, Some(22)), (timed, None)] {
        let delay = wait.map(|_| Duration::from_millis(70));
        let door = Invited { host: "srv.example.org".to_owned(), wait, delay, knock };
        assert_eq!(right(&door.render()), door, "{}", door.render());
    }
    let short = right(&format!("host = \"2001:db8::1\"\nsecret = \"{SECRET}\"\n"));
    assert!(matches!(short.knock, Knock::Timed(timed) if timed.length == 4));
}

#[test]
fn the_guides_examples_are_right() {
    let guide = include_str!("../../../../docs/guide/knock.md");
    let examples: Vec<&str> = guide.split("```toml\n").skip(1).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        right(example.split("```").next().unwrap());
    }
}

#[test]
fn every_mistake_is_named_at_its_place() {
    for (text, line, said) in [
        ("knock = [7000]", 1, "where the door is"),
        ("host = \"-oProxy\"\nknock = [7000]", 1, "no name and no address"),
        ("host = \"a b\"\nknock = [7000]", 1, "no name and no address"),
        ("host = \"a\"", 1, "either knock or secret"),
        ("host = \"a\"\nknock = []", 2, "1 to 32 ports"),
        ("host = \"a\"\nknock = [70000]", 2, "from 1 to 65535"),
        ("host = \"a\"\nknock = [7000]\nwait = 0", 3, "from 1 to 65535"),
        ("host = \"a\"\nknok = [7000]", 2, "no such option"),
        ("host = \"a\"\nknock = [1]\nsecret = \"x\"", 2, "either knock or secret"),
        ("host = \"a\"\nsecret = \"c2hvcnQ=\"", 2, "at least 16 bytes"),
    ] {
        let (read, problems) = read(text);
        assert!(read.is_none(), "{text}");
        let found = problems.iter().any(|p| p.line == line && p.message.contains(said));
        assert!(found, "{text}: {problems:?}");
        assert!(problems.iter().all(|problem| !problem.remedy.is_empty()), "{problems:?}");
    }
}

#[test]
fn secrets_are_not_cited() {
    for text in [
        "host = \"a\"\nsecret = hunter2hunter2hunter2",
        "host = \"a\"\nsecret = \"hunter2!\"",
        "host = \"a\"\nsecert = \"hunter2\"",
        "host = \"a\"\ntimed = { secret = hunter2 }",
        "host = \"a\"\nsecret = \"\"\"\nhunter2\n\"\"\"",
        "host = \"a\"\nsekret = \"hunter2\"",
        "host = \"a\"\nsecret = \"hunter2",
    ] {
        let (read, problems) = read(text);
        assert!(read.is_none() && !problems.is_empty(), "{text}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused(
        lines in proptest::collection::vec(
            prop_oneof![
                "(host|wait|delay|knock|once|secret|step|length|range) = [\\[\"0-9a-z:,=\\] {}']{0,24}",
                "\\PC{0,30}",
            ],
            0..4,
        ),
        whole in any::<bool>(),
    ) {
        let start = if whole { "host = \"a\"\nknock = [7]\n" } else { "" };
        let (door, problems) = read(&[start, &lines.join("\n")].concat());
        prop_assert!(door.is_some() || !problems.is_empty());
        if let Some(door) = door {
            let (again, problems) = read(&door.render());
            prop_assert_eq!((again.as_ref(), problems.len()), (Some(&door), 0));
        }
    }
}
