//! Lists of addresses as files have them.
#![allow(clippy::unwrap_used, reason = "a test")]

use sereno_config::{Document, ListConf, Origin, Severity, read};
use sereno_core::gate::Ports;
use sereno_core::gate::list::Use;
use std::time::Duration;

/// The lists of a file, and what is wrong with it: the line and the message.
fn lists(text: &str) -> (Vec<ListConf>, Vec<String>) {
    let document = Document { name: "x.toml".to_owned(), text: text.to_owned() };
    let outcome = read(&[document], &[]);
    let told = outcome.problems.iter().map(|problem| {
        let grade = if problem.severity == Severity::Error { "error" } else { "warning" };
        format!("{grade} {}: {}", problem.line, problem.message)
    });
    let told = told.collect();
    (outcome.policy.lists, told)
}

#[test]
fn a_list_says_what_it_is_for() {
    let (found, told) = lists(
        "[list.bad]\nfrom = [\"https://example.org/x.txt\", \"/etc/bad\"]\n[list.office]\nfrom = \"office.example.org\"\n\
         opens = \"tcp/22, udp/5060\"\nfriends = true\n[list.own]\nfrom = \"/etc/own\"\nfriends = true\nevery = \"2h\"\nmost = 7\n\
         [list.off]\nenabled = false\n",
    );
    assert_eq!(told, [] as [String; 0]);
    let [bad, office, own] = &found[..] else { panic!("{found:?}") };
    assert_eq!(bad.from[0], Origin::Url("https://example.org/x.txt".to_owned()));
    assert_eq!(bad.from[1], Origin::File("/etc/bad".into()));
    assert_eq!(bad.deed, Some((Use::Closes, Ports::All)));
    assert_eq!((bad.every, bad.most, bad.friends), (Duration::from_secs(86_400), 2_000_000, false));
    assert_eq!(office.from, [Origin::Name("office.example.org".to_owned())]);
    assert_eq!(office.deed, Some((Use::Opens, "tcp/22, udp/5060".parse().unwrap())));
    assert_eq!((office.every, office.friends), (Duration::from_secs(300), true));
    assert_eq!((own.deed.is_none(), own.every, own.most), (true, Duration::from_secs(7200), 7));
}

#[test]
fn countries_and_systems() {
    let (found, told) =
        lists("[list.a]\nfrom = [\"country:es\", \"as:64500\"]\ndatabase = [\"/x.mmdb\"]\n");
    assert_eq!(told, [] as [String; 0]);
    assert_eq!(found[0].from, [Origin::Country("ES".to_owned()), Origin::System(64_500)]);
    assert_eq!(found[0].database, [std::path::PathBuf::from("/x.mmdb")]);
}

#[test]
fn what_cannot_be_meant_is_told() {
    for (text, wrong) in [
        ("[list.a]\n", "error 1: this list does not say where its addresses come from"),
        ("[list.a]\nfrom = \"relative\"\n", "error 2: "),
        ("[list.a]\nfrom = \"https:///x\"\n", "error 2: this is no address of the web"),
        (
            "[list.a]\nfrom = \"country:Spain\"\n",
            "error 2: this is no country and no autonomous system",
        ),
        ("[list.a]\nfrom = \"as:-1\"\n", "error 2: this is no country and no autonomous system"),
        ("[list.a]\nfrom = \"https://a b/\"\n", "error 2: this is no address of the web"),
        (
            "[list.a]\nfrom = \"bad.example.org\"\n",
            "error 1: whoever owns a name could shut out anybody by it",
        ),
        (
            "[list.a]\nfrom = \"/x\"\ncloses = \"all\"\nopens = \"tcp/22\"\n",
            "error 4: a list lets in, or it shuts out",
        ),
        (
            "[list.a]\nfrom = \"/x\"\ncloses = \"all\"\nfriends = true\n",
            "error 1: friends are not shut out",
        ),
        (
            "[list.a]\nfrom = \"/x\"\nevery = \"10s\"\n",
            "error 3: who publishes a list is asked every 5 minutes at most",
        ),
        ("[list.a]\nfrom = \"/x\"\nport = \"all\"\n", "error 3: [list.a] has no option port"),
        ("[list]\na = 1\n", "error 2: a stands where the name of a list is expected"),
        ("[list.\"A B\"]\nfrom = \"/x\"\n", "error 1: "),
        (
            "[list.a]\nfrom = \"http://example.org/x\"\n",
            "warning 2: whoever is on the way can put addresses into this list",
        ),
    ] {
        let (found, told) = lists(text);
        assert!(told.len() == 1 && told[0].starts_with(wrong), "{text}: {told:?}");
        assert_eq!(found.len(), usize::from(wrong.starts_with("warning")), "{text}");
    }
    let many: String = (0..40).map(|n| format!("[list.a{n}]\nfrom = \"/x\"\n")).collect();
    let (found, told) = lists(&many);
    assert_eq!((found.len(), told.len()), (32, 1));
}
