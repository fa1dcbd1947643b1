//! fwknop's files.

use jiff::tz::TimeZone;
use sereno_config::fwknop::{Files, read_client, read_server};
use sereno_config::{Document, Problem, Severity};

/// What is included: every file is the third part.
struct One<'t>(&'t str);

impl Files for One<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        if path.contains("none") { Err("none".to_owned()) } else { Ok(self.0.to_owned()) }
    }

    fn list(&self, _: &str) -> Result<Vec<String>, String> {
        Ok(vec!["b.conf".to_owned(), "a.conf".to_owned(), "c".to_owned()])
    }
}

/// `access.conf`, `fwknopd.conf` and what is included, with zeros between them; the first is read
/// as a client's file too. What holds for any: problems can be shown, and a stanza that stands has
/// keys, signed ones unless it says otherwise.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\0');
    let mut part = |name: &str| Document {
        name: name.to_owned(),
        text: parts.next().unwrap_or("").to_owned(),
    };
    let (access, conf, more) = (part("access.conf"), part("fwknopd.conf"), part("more"));
    let files = One(&more.text);
    let server = read_server(&access, Some(&conf), &files, &TimeZone::UTC);
    server.problems.iter().for_each(shown);
    for stanza in &server.access.stanzas {
        let said = access.text.contains("REQUIRE_HMAC") || more.text.contains("REQUIRE_HMAC");
        assert!(said || stanza.keys.hmac.is_some(), "{stanza:?}");
        assert!((1..=32).contains(&stanza.keys.key.len()));
        assert!(stanza.keys.hmac.as_ref().is_none_or(|(key, _)| *key != stanza.keys.key));
        assert!(!stanza.timeout.is_zero() && !stanza.max_timeout.is_zero());
    }
    let again = read_server(&access, Some(&conf), &files, &TimeZone::UTC);
    assert_eq!((again.access, &again.problems), (server.access, &server.problems));
    let clients = read_client(&access);
    clients.problems.iter().for_each(shown);
    let errors = clients.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert!(errors || clients.clients.iter().all(|client| client.port > 0));
}

fn shown(problem: &Problem) {
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
    let shown = problem.to_string();
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    assert!(shown.len() < 4096, "{}", shown.len());
}
